"""Middleware: order, kinds, short cuts, failures, and what an operation without any pays."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest

from brrtrouter import App, HandlerError, Request, Response
from brrtrouter.core.service import Mode
from brrtrouter.policy.middleware import fold
from brrtrouter.testing import TestClient

Log = list[str]
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/x": {
            "get": {
                "operationId": "getX",
                "parameters": [{"name": "n", "in": "query", "schema": {"type": "integer"}}],
                "responses": {"200": {"description": ""}},
            },
            "post": {"operationId": "postX", "tags": ["write"], "responses": {"201": {"description": ""}}},
        },
        "/locked": {"get": {"operationId": "locked", "security": [{"K": []}], "responses": {}}},
        "/broken": {"get": {"operationId": "broken", "responses": {}}},
    },
    "components": {"securitySchemes": {"K": {"type": "apiKey", "in": "header", "name": "K"}}},
}


def plain(act: Callable[..., Any]) -> Callable[..., Any]:
    def hook(*arguments: Any) -> Any:
        return act(*arguments)

    return hook


def inline(act: Callable[..., Any]) -> Callable[..., Any]:
    async def hook(*arguments: Any) -> Any:
        return act(*arguments)

    return hook


def suspending(act: Callable[..., Any]) -> Callable[..., Any]:
    async def hook(*arguments: Any) -> Any:
        await asyncio.sleep(0)
        return act(*arguments)

    return hook


KINDS = (plain, inline, suspending)


class Hooks:
    """A middleware made of functions."""

    def __init__(self, everything: bool = False, **hooks: Any) -> None:
        if everything:
            self.everything = True
        vars(self).update(hooks)


def layer(log: Log, name: str, *, before: Any = None, after: Any = None, around: bool = False, **more: Any) -> Hooks:
    """A middleware whose hooks, of the given kinds, write down that they ran."""
    hooks: dict[str, Any] = dict(more)
    if before is not None:
        hooks["before"] = before(lambda request: log.append(f"{name} before"))
    if after is not None:
        hooks["after"] = after(lambda request, response: log.append(f"{name} after {response.status}"))
    if around:

        async def wrap(request: Request, call_next: Any) -> Any:
            log.append(f"{name} around in")
            response = await call_next(request)
            assert isinstance(response, Response)
            log.append(f"{name} around out")
            return response

        hooks["around"] = wrap
    return Hooks(**hooks)


def app_with(handler: Any, *layers: object, inline: bool = False, **more: Any) -> App:
    app = App(DOCUMENT, config={"security": {"api_keys": {"K": {"key": "k"}}}}, middleware=layers, **more)
    app.register("getX", handler, inline=inline)
    return app


def ask(handler: Any, *layers: object, path: str = "/x", inline: bool = False) -> Any:
    with TestClient(app_with(handler, *layers, inline=inline)) as client:
        return client.get(path)


def handlers(act: Callable[..., Any]) -> list[tuple[Any, bool]]:
    """A handler of each kind: thread, inline, async that never suspends, async that does."""
    return [(plain(act), False), (plain(act), True), (inline(act), False), (suspending(act), False)]


# -- order and kinds


def test_the_first_is_the_outermost() -> None:
    log: Log = []
    first = layer(log, "1", before=plain, after=plain, around=True)
    second = layer(log, "2", before=plain, after=plain, around=True)
    assert ask(inline(lambda request: log.append("handler")), first, second).status == 204
    inner = ["2 before", "2 around in", "handler", "2 around out", "2 after 204"]
    assert log == ["1 before", "1 around in", *inner, "1 around out", "1 after 204"]


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("around", [False, True])
@pytest.mark.parametrize("before", [None, *KINDS])
@pytest.mark.parametrize("after", [None, *KINDS])
def test_all_kinds_of_hooks_on_all_kinds_of_handlers_give_the_same(
    before: Any, after: Any, around: bool, everything: bool
) -> None:
    if before is None and after is None and not around:
        return
    log: Log = []
    logs = []
    for act_on, as_inline in handlers(lambda request: log.append("handler") or {"n": request.query["n"]}):
        outer = layer(log, "1", before=before, after=after, around=around, everything=everything)
        inner = layer(log, "2", before=plain)
        response = ask(act_on, outer, inner, path="/x?n=5", inline=as_inline)
        assert (response.status, response.json()) == (200, {"n": 5})
        logs.append(log.copy())
        log.clear()
    expected = ["1 before"] * (before is not None) + ["1 around in"] * around + ["2 before", "handler"]
    expected += ["1 around out"] * around + ["1 after 200"] * (after is not None)
    assert logs == [expected] * 4


@pytest.mark.parametrize("kinds", list(itertools.product(KINDS, repeat=3)))
def test_mixed_chains_keep_the_order(kinds: tuple[Any, ...]) -> None:
    log: Log = []
    for act_on, as_inline in handlers(lambda request: log.append("handler")):
        log.clear()
        layers = [layer(log, str(number), before=kind, after=kind) for number, kind in enumerate(kinds)]
        assert ask(act_on, *layers, inline=as_inline).status == 204
        assert log == [f"{n} before" for n in range(3)] + ["handler"] + [f"{n} after 204" for n in (2, 1, 0)]


# -- short cuts and replacements


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        ({"a": 1}, 200, b'{"a":1}'),
        ({}, 200, b"{}"),
        ([], 200, b"[]"),
        ("", 200, b'""'),
        (0, 200, b"0"),
        ((418, "x"), 418, b'"x"'),
        (Response(503, b"later"), 503, b"later"),
    ],
)
def test_a_before_that_answers_leaves_out_what_is_inside_of_it(
    kind: Any, answer: Any, status: int, body: bytes
) -> None:
    log: Log = []
    for act_on, as_inline in handlers(lambda request: log.append("handler")):
        log.clear()
        outer = layer(log, "1", before=plain, after=plain)
        cut = Hooks(before=kind(lambda request: answer), after=lambda request, response: log.append("2 after"))
        inner = layer(log, "3", before=plain, after=plain, around=True)
        response = ask(act_on, outer, cut, inner, inline=as_inline)
        assert (response.status, response.content) == (status, body)
        assert log == ["1 before", "2 after", f"1 after {status}"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("everything", [False, True])
def test_an_after_may_change_or_replace_the_response(kind: Any, everything: bool) -> None:
    def add(request: Request, response: Response) -> None:
        response.add_header("X-Seen", request.state["seen"])

    def replace(request: Request, response: Response) -> Any:
        return Response(202, {"was": response.body}, {"X-New": "1"})

    def remember(request: Request) -> None:
        request.state["seen"] = "yes"

    for act_on, as_inline in handlers(lambda request: {"a": 1}):
        layers = (Hooks(everything, before=kind(remember), after=kind(add)), Hooks(everything, after=kind(replace)))
        response = ask(act_on, *layers, inline=as_inline)
        assert (response.status, response.json()) == (202, {"was": {"a": 1}})
        assert (response.headers["x-new"], response.headers["x-seen"]) == ("1", "yes")


def test_an_around_may_answer_by_itself_ask_twice_or_give_a_plain_value() -> None:
    async def refuse(request: Request, call_next: Any) -> Any:
        return 403, {"no": True}

    async def twice(request: Request, call_next: Any) -> Any:
        return [(await call_next(request)).body, (await call_next(request)).body]

    counter = itertools.count()
    assert ask(inline(lambda request: next(counter)), Hooks(around=twice)).json() == [0, 1]
    response = ask(inline(lambda request: next(counter)), Hooks(around=refuse))
    assert (response.status, response.json(), next(counter)) == (403, {"no": True}, 2)


def test_an_around_can_catch_what_the_handler_raises() -> None:
    async def rescue(request: Request, call_next: Any) -> Any:
        try:
            return await call_next(request)
        except KeyError as error:
            return 404, {"missing": error.args[0]}

    for act_on, as_inline in handlers(lambda request: {}["pet"]):
        response = ask(act_on, Hooks(around=rescue), inline=as_inline)
        assert (response.status, response.json()) == (404, {"missing": "pet"})


def test_a_stream_passes_through() -> None:
    async def items() -> Any:
        yield b"a"
        yield b"b"

    log: Log = []
    response = ask(inline(lambda request: items()), layer(log, "1", before=suspending, after=plain, around=True))
    assert response.content == b"ab"
    assert log == ["1 before", "1 around in", "1 around out", "1 after 200"]


# -- what is wrapped


def test_applies_chooses_the_operations() -> None:
    log: Log = []
    writes = layer(log, "w", before=plain, applies=lambda operation: "write" in operation.tags)
    app = app_with(inline(lambda request: {}), writes)
    app.register("postX", inline(lambda request: {}))
    client = TestClient(app)
    assert client.get("/x").status == 200
    assert log == []
    assert client.post("/x").status == 201
    assert log == ["w before"]


def test_other_middleware_runs_for_valid_requests_only() -> None:
    log: Log = []
    client = TestClient(app_with(inline(lambda request: {}), layer(log, "1", before=plain)))
    for path in ("/x?n=one", "/y", "/locked", "/health", "/docs/"):
        client.get(path)
    client.put("/x")
    assert log == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("around", [False, True])
def test_a_middleware_that_wraps_everything_sees_every_answer(kind: Any, around: bool) -> None:
    def mark(request: Request, response: Response) -> None:
        response.add_header("X-Seen", str(response.status))

    async def pass_on(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    hooks = {"after": kind(mark), **({"around": pass_on} if around else {})}
    app = app_with(inline(lambda request: {}), Hooks(everything=True, **hooks))
    app.register("broken", inline(lambda request: 1 / 0))
    client = TestClient(app)
    seen = {
        ("GET", "/x"): 200,
        ("HEAD", "/x"): 200,
        ("GET", "/x?n=one"): 400,
        ("GET", "/x/%zz"): 400,
        ("POST", "/x"): 501,
        ("GET", "/locked"): 401,
        ("GET", "/nowhere"): 404,
        ("PUT", "/x"): 405,
        ("OPTIONS", "/x"): 204,
        ("GET", "/broken"): 500,
        ("GET", "/health"): 200,
        ("GET", "/openapi.json"): 200,
        ("GET", "/openapi.yaml"): 200,
        ("GET", "/docs"): 200,
        ("GET", "/docs/page.css"): 200,
    }
    for (method, path), status in seen.items():
        response = client.request(method, path)
        assert (response.status, response.headers.get("x-seen")) == (status, str(status)), path
    assert client.put("/x").headers["allow"] == "GET, HEAD, OPTIONS, POST"


def test_what_wraps_everything_is_outside_of_all_others_whatever_the_order() -> None:
    log: Log = []
    inner = layer(log, "inner", before=plain)
    outer = [layer(log, name, everything=True, before=plain) for name in ("1", "2")]
    ask(inline(lambda request: {}), outer[0], inner, outer[1])
    assert log == ["1 before", "2 before", "inner before"]


def test_a_handler_that_suspends_may_be_registered_after_the_start_under_any_middleware() -> None:
    log: Log = []
    app = app_with(inline(lambda request: {"v": 1}), layer(log, "1", everything=True, after=plain))
    client = TestClient(app)
    for kind in (*KINDS, inline):
        app.register("getX", kind(lambda request: {"v": 2}))
        assert client.get("/x").json() == {"v": 2}
    assert log == ["1 after 200"] * 4


# -- failures


def failing(hook: str, kind: Any, error: BaseException, everything: bool) -> Hooks:
    def fail(*arguments: Any) -> Any:
        raise error

    async def wrap(request: Request, call_next: Any) -> Any:
        fail()

    return Hooks(everything, **{hook: wrap if hook == "around" else kind(fail)})


@pytest.mark.parametrize("error", [ValueError("secret"), StopIteration(1), SystemExit(3)], ids=repr)
@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize(("hook", "kind"), [*itertools.product(("before", "after"), KINDS), ("around", inline)])
def test_an_exception_in_a_hook_is_500_and_the_next_request_is_unharmed(
    hook: str, kind: Any, error: BaseException, everything: bool, caplog: pytest.LogCaptureFixture
) -> None:
    if isinstance(error, SystemExit) and not everything:
        return  # the walk inside of an operation is the service's own
    for act_on, as_inline in handlers(lambda request: {}):
        seen: Log = []
        outer = layer(seen, "outer", everything=True, after=plain)
        app = app_with(act_on, outer, failing(hook, kind, error, everything), inline=as_inline)
        app.register("postX", inline(lambda request: {}))
        with caplog.at_level(logging.CRITICAL), TestClient(app) as client:
            response = client.get("/x", headers={"X-Request-ID": "request-1"})
            assert response.status == 500
            assert response.json()["request_id"] == "request-1"
            assert "secret" not in response.text
            assert seen == ["outer after 500"]
            assert client.get("/x").status == 500
            assert client.get("/nowhere").status == (500 if everything else 404)
            two = client.send(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")
            assert two.startswith(b"HTTP/1.1 500 ")


def test_a_failure_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    for everything in (False, True):
        caplog.clear()
        ask(inline(lambda request: {}), failing("before", plain, ValueError("what happened"), everything))
        (record,) = [record for record in caplog.records if record.exc_info]
        assert record.name == "brrtrouter"
        assert "GET /x failed" in record.getMessage()
        assert "what happened" in caplog.text


def test_an_after_runs_for_a_failing_handler_only_outside_of_the_operation() -> None:
    log: Log = []
    ask(inline(lambda request: 1 / 0), layer(log, "all", everything=True, after=plain), layer(log, "op", after=plain))
    assert log == ["all after 500"]


# -- what is refused, and what costs nothing


@pytest.mark.parametrize(
    ("middleware", "words"),
    [
        (object(), "the middleware object has none of before, after, around"),
        (Hooks(before=5), "before of the middleware Hooks is not callable"),
        (Hooks(around=lambda request, call_next: None), "around of the middleware Hooks is not an async def"),
        (Hooks(True, before=print, applies=bool), "the middleware Hooks wraps everything, so it cannot have applies"),
    ],
)
def test_what_is_no_middleware_is_refused(middleware: object, words: str) -> None:
    with pytest.raises(HandlerError, match=words):
        App(DOCUMENT, middleware=[middleware])
    with pytest.raises(HandlerError, match=words):
        App(DOCUMENT).add_middleware(middleware)


def test_a_middleware_is_added_inside_of_the_others_and_only_before_the_start() -> None:
    log: Log = []
    app = app_with(inline(lambda request: {}), layer(log, "1", before=plain))
    app.add_middleware(layer(log, "2", before=plain))
    assert TestClient(app).get("/x").status == 200
    assert log == ["1 before", "2 before"]
    with pytest.raises(ValueError, match="middleware cannot be added after the app has started"):
        app.add_middleware(layer(log, "3", before=plain))


@pytest.mark.parametrize("mode", [Mode.SYNC, Mode.INLINE, Mode.TASK])
def test_without_middleware_the_handler_is_called_itself(mode: Mode) -> None:
    assert fold(print, mode, []) == (print, mode)


def test_an_operation_pays_nothing_for_middleware_that_does_not_apply() -> None:
    callers = []

    async def handler(request: Request) -> Any:
        callers.append(sys._getframe(1).f_code.co_filename)

    for applies in (False, True):
        ask(handler, Hooks(before=plain(lambda request: None), applies=lambda operation, applies=applies: applies))
    without, inside = callers
    assert not without.endswith("middleware.py")
    assert inside.endswith("middleware.py")
