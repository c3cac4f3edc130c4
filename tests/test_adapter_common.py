"""The few routes that an adapter leaves to its framework are all that can match."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from docs_support import ROOT
from hypothesis import given
from hypothesis import strategies as st

from brrtrouter.adapters._common import ANYTHING, ONE_SEGMENT, Narrowing, Shape

PAGE = ROOT / "docs" / "adapters.md"
SEGMENT = st.sampled_from(["a", "b", "é", "", "%41", "{a}", "#", None, None])
SHAPES = st.lists(
    st.lists(st.builds(Shape, st.lists(SEGMENT, min_size=1, max_size=4).map(tuple), st.booleans()), max_size=3),
    max_size=8,
)
PATHS = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "é", "", "%41", "{a}", "a\n"]), min_size=1, max_size=5), max_size=30
)


def fits(shape: Shape, segments: list[str]) -> bool:
    """The slow and obvious way."""
    if len(segments) < len(shape.segments) or (len(segments) > len(shape.segments) and not shape.open):
        return False
    pairs = zip(shape.segments, segments, strict=False)
    return all(text != "" if meant is None else text == meant for meant, text in pairs)


@given(SHAPES, PATHS)
def test_no_route_that_could_match_is_left_out(shapes: list[list[Shape]], paths: list[list[str]]) -> None:
    narrowing = Narrowing(shapes, lambda _, numbers: numbers)
    for segments in paths:
        found = narrowing.find("/" + "/".join(segments))
        expected = {number for number, several in enumerate(shapes) if any(fits(each, segments) for each in several)}
        assert found is None or expected <= set(found), segments
        assert found is not None or any("%" in text or "\n" in text for text in segments)


@given(SHAPES, PATHS)
def test_routes_are_asked_in_their_order(shapes: list[list[Shape]], paths: list[list[str]]) -> None:
    narrowing = Narrowing(shapes, lambda _, numbers: numbers)
    for segments in paths:
        found = narrowing.find("/" + "/".join(segments)) or ()
        assert list(found) == sorted(set(found))


def test_a_text_is_no_candidate_for_paths_that_are_not_that_text() -> None:
    shapes = [
        [Shape(("a", "b"))],
        [Shape((None, "b"))],
        [Shape(("a", None))],
        [Shape((None, None))],
        [Shape(("a",), True)],
    ]
    narrowing = Narrowing(shapes, lambda _, numbers: numbers)
    found = {path: narrowing.find(path) for path in ("/a/b", "/a/x", "/x/b", "/x/x", "/", "/a")}
    assert found == {
        "/a/b": (0, 1, 2, 3, 4),
        "/a/x": (1, 2, 3, 4),
        "/x/b": (1, 3, 4),
        "/x/x": (3, 4),
        "/": (4,),
        "/a": (4,),
    }


@pytest.mark.parametrize("path", ["", "a", "*", "/%41", "/a\n", "/\ud800"])
def test_a_path_that_the_matcher_would_read_in_another_way_is_handed_back(path: str) -> None:
    narrowing = Narrowing([[Shape((None,))]], lambda _, numbers: numbers)
    assert narrowing.find(path) is None


def test_a_shape_beyond_the_limits_of_a_matcher_is_open() -> None:
    assert Shape(("a",) * 64).compilable() == Shape(("a",) * 64)
    assert Shape(("a",) * 65).compilable() == ANYTHING
    assert Shape((None,) * 33).compilable() == ANYTHING
    assert Shape(("é" * 4096,)).compilable() == ANYTHING
    assert Shape(("a", "b{c", None)).compilable() == Shape(("a",), True)
    edges = [Shape(("a",) * 64), Shape((None,) * 32), Shape(("a" * 8191,))]
    assert Narrowing([[edge] for edge in edges], lambda _, numbers: numbers).find("/a") == ()


@pytest.mark.parametrize("regex", [r"\d+", r"\w{3}", "[^/]+", "[^{}/]+", "[a-z0-9_-]+", "[A-Z]{1,2}", r"[\w.-]+"])
def test_an_expression_of_one_class_is_one_segment(regex: str) -> None:
    assert ONE_SEGMENT.fullmatch(regex)


@pytest.mark.parametrize(
    "regex", ["", ".+", r"\d*", "[^a]+", "[a-z]*", "[!-~]+", "[a-z/]+", "a|b", r"\d{0,2}", r"\S+", "[^/]+?x"]
)
def test_an_expression_that_may_be_empty_or_take_a_slash_is_not(regex: str) -> None:
    assert not ONE_SEGMENT.fullmatch(regex)


def frozen(app: Any) -> Any:
    app.pre_freeze()
    return app


def finalized(app: Any) -> Any:
    app.router.finalize()
    return app.router


# By framework: its adapter, what that puts into an application, and the parameters as its own tests ask for them.
SHOWN: dict[str, tuple[str, Callable[[Any], Any], Callable[[Any, Any], Any]]] = {
    "Starlette": ("starlette", lambda app: app.router.app, lambda ask, app: ask(app, "/users/7")["path_params"]),
    "FastAPI": ("starlette", lambda app: app.router.app, lambda ask, app: ask(app, "/users/7")["path_params"]),
    "Litestar": (
        "litestar",
        lambda app: app.asgi_router.handle_routing.__wrapped__,
        lambda ask, app: ask(app, "/users/7", "GET")[2],
    ),
    "aiohttp": ("aiohttp", lambda app: app.router, lambda ask, app: ask(frozen(app), "/users/7")[3]),
    "Sanic": ("sanic", lambda app: app.router, lambda ask, app: ask(finalized(app), "/users/7", "GET")[3]),
}


@pytest.mark.parametrize("framework", SHOWN)
def test_the_example_of_the_page_runs_and_is_accelerated(framework: str) -> None:
    pytest.importorskip(framework.lower())
    adapter, routing, parameters = SHOWN[framework]
    section = PAGE.read_text("utf-8").split(f"\n## {framework}\n", 1)[1].split("\n## ", 1)[0]
    (code,) = re.findall(r"^```python\n(.*?)^```$", section, re.M | re.S)
    # Litestar looks for the names of annotations in the module of a handler, which has to exist.
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(code, f"adapters.md, {framework}", "exec", dont_inherit=True), names)
    assert type(routing(names["app"])).__module__ == f"brrtrouter.adapters.{adapter}"
    ask = import_module(f"test_adapter_{adapter}").ask
    assert str(parameters(ask, names["app"])) in ("{'user_id': 7}", "{'user_id': '7'}")
