"""Middleware for some operations only, and the order of what applies."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from dispatch_support import operation
from hypothesis import given, settings
from hypothesis import strategies as st

from brrtrouter import App, HandlerError, Request, only
from brrtrouter.testing import TestClient

NAMES = ("a", "b", "c")
TAGS = {"a": ["red"], "b": ["red", "blue"], "c": []}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "servers": [{"url": "/base"}],
    "paths": {f"/{name}": {"get": operation(name, tags=TAGS[name])} for name in NAMES},
}


class Layer:
    """Writes down when its hooks run."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    def before(self, request: Request) -> None:
        self.log.append(f"before {self.name}")

    def after(self, request: Request, response: Any) -> None:
        self.log.append(f"after {self.name}")


def oracle(name: str, choices: list[dict[str, list[str]]]) -> list[str]:
    """What the hooks write for a request to the operation `name`, by the rules as they are written."""
    inside = []
    for index, choice in enumerate(choices):
        tagged = any(tag in TAGS[name] for tag in choice["tags"])
        if tagged or name in choice["operations"] or f"/{name}" in choice["paths"]:
            inside.append(index)
    before = [f"before {index}" for index in inside]
    return [*before, "handler", *(f"after {index}" for index in reversed(inside))]


choices = st.fixed_dictionaries(
    {
        "tags": st.lists(st.sampled_from(["red", "blue", "green"]), max_size=2),
        "operations": st.lists(st.sampled_from(NAMES), max_size=2),
        "paths": st.lists(st.sampled_from(["/a", "/b", "/c"]), max_size=2),
    }
).filter(lambda choice: any(choice.values()))


@given(st.lists(choices, max_size=4))
@settings(max_examples=25, deadline=None)
def test_what_applies_runs_in_the_order_of_the_list(chosen: list[dict[str, list[str]]]) -> None:
    log: list[str] = []

    async def handler(request: Request) -> None:
        log.append("handler")

    layers = [only(Layer(str(index), log), **choice) for index, choice in enumerate(chosen)]
    with TestClient(App(DOCUMENT, dict.fromkeys(NAMES, handler), middleware=layers)) as client:
        for name in NAMES:
            log.clear()
            assert client.get(f"/base/{name}").status == 204
            assert log == oracle(name, chosen)


def test_the_choice_of_the_middleware_itself_has_to_agree() -> None:
    log: list[str] = []
    layer = Layer("x", log)
    layer.applies = lambda operation: operation.handler != "a"  # type: ignore[attr-defined]

    async def handler(request: Request) -> None: ...

    with TestClient(App(DOCUMENT, dict.fromkeys(NAMES, handler), middleware=[only(layer, tags=["red"])])) as client:
        client.get("/base/a")
        assert log == []
        client.get("/base/b")
    assert log == ["before x", "after x"]


def test_an_operation_without_middleware_calls_its_handler_itself() -> None:
    callers: dict[str, str] = {}

    async def handler(request: Request) -> None:
        callers[request.operation.handler] = sys._getframe(1).f_code.co_name

    with TestClient(App(DOCUMENT, dict.fromkeys(NAMES, handler), middleware=[only(Layer("x", []), paths=["/a"])])) as c:
        for name in NAMES:
            c.get(f"/base/{name}")
    assert callers["b"] == callers["c"] != callers["a"]
    assert callers["a"] in ("layer", "<lambda>", "run_inline", "_settled")


class Everything:
    everything = True

    def after(self, request: Request, response: Any) -> None: ...


@pytest.mark.parametrize(
    ("middleware", "choice", "words"),
    [
        (Layer("x", []), {}, "neither tags nor operations nor paths"),
        (Layer("x", []), {"tags": "red"}, "a list of names is needed"),
        (Everything(), {"tags": ["red"]}, "wraps everything"),
        (object(), {"tags": ["red"]}, "has none of"),
    ],
)
def test_a_choice_that_means_nothing_is_refused(middleware: object, choice: dict[str, Any], words: str) -> None:
    with pytest.raises(HandlerError, match=words):
        only(middleware, **choice)
