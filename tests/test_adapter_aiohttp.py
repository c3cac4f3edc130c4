"""aiohttp answers the same with the compiled matcher and without it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from brrtrouter.adapters.aiohttp import CompiledDispatcher, accelerate

SEGMENTS = st.sampled_from(
    [
        "a",
        "b",
        "c.d",
        "é",
        "a b",
        "a%2Fb",
        "",
        "{x}",
        "{x}",
        "v{x}",
        "{x}.b",
        r"{x:\d+}",
        "{x:.*}",
        "{x:[^/]+}",
        "{x:a|b}",
        "{x:b)|(/a}",
    ]
)
ODD = [".", "..", "?", "a%3Fb", ";", "#", "%5C"]
TEXTS = st.sampled_from(["a", "b", "c.d", "%C3%A9", "é", "a%20b", "a%2Fb", "%25", "7", "v1", "x.b", "x", "", "f", *ODD])
KINDS = st.sampled_from(["route", "route", "route", "route", "view", "static"])
METHODS = st.lists(st.sampled_from(["GET", "POST", "DELETE", "*"]), min_size=1, max_size=2, unique=True)
REQUESTS = st.lists(
    st.tuples(
        st.lists(TEXTS, min_size=1, max_size=4).map(lambda several: "/" + "/".join(several)),
        st.sampled_from(["GET", "HEAD", "POST", "OPTIONS"]),
        st.sampled_from(["example.org", "sub.example.org"]),
    ),
    min_size=1,
    max_size=15,
)


@st.composite
def templates(draw: st.DrawFn) -> str:
    names = iter(("x", "y", "z"))
    segments = draw(st.lists(SEGMENTS, min_size=1, max_size=3))
    return "/" + "/".join(text.replace("{x", "{" + next(names)) if "{x" in text else text for text in segments)


PLAN = st.deferred(
    lambda: st.lists(
        st.one_of(
            st.tuples(KINDS, templates(), METHODS),
            st.tuples(KINDS, templates(), METHODS),
            st.tuples(st.just("sub"), st.sampled_from(["/a", "/b/c", "/a b"]), PLAN),
            st.tuples(st.just("domain"), st.sampled_from(["sub.example.org", "*.example.org"]), PLAN),
        ),
        max_size=8,
    )
)


def handler(name: str) -> Any:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=name)

    answer.__name__ = name
    return answer


class Viewed(web.View):
    async def get(self) -> web.Response:
        return web.Response()


def build(plan: list[Any], prefix: str = "r") -> web.Application:
    app = web.Application()
    for number, (kind, path, more) in enumerate(plan):
        name = f"{prefix}{number}"
        try:
            if kind == "sub":
                app.add_subapp(path, build(more, name + "_"))
            elif kind == "domain":
                app.add_domain(path, build(more, name + "_"))
            elif kind == "static":
                app.router.add_static("/a/f", str(Path(__file__).parent), name=name)
            elif kind == "view":
                app.router.add_view(path, Viewed)
            else:
                for method in more:
                    app.router.add_route(method, path, handler(f"{name}{method}"))
        except (ValueError, RuntimeError, AssertionError, KeyError):
            continue  # aiohttp refuses this one, in both applications alike
    return app


def ask(app: web.Application, path: str, method: str = "GET", host: str = "example.org") -> Any:
    """Where a request goes: status, handler, captures, resource, and the applications on the way."""
    url = URL.build(path=path, encoded=True)
    request: Any = SimpleNamespace(method=method, rel_url=url, headers={"Host": host})
    try:
        app.router.resolve(request).send(None)  # nothing in it waits, so no loop is needed
    except StopIteration as done:
        info = done.value
    except Exception as error:
        return type(error).__name__, str(error)
    failed = info.http_exception
    allowed = sorted(getattr(failed, "allowed_methods", ()))
    resource = info.route.resource
    name = getattr(info.handler, "__qualname__", "") + getattr(info.handler, "__name__", "")
    return failed and failed.status, allowed, name, dict(info), resource and resource.canonical, len(info.apps)


@settings(deadline=None, max_examples=80)
@given(plan=PLAN, requests=REQUESTS)
def test_every_request_comes_to_the_same_end(plan: list[Any], requests: list[Any]) -> None:
    plain, fast = build(plan), accelerate(build(plan))
    for app in (plain, fast):
        app.pre_freeze()
    for path, method, host in requests:
        assert ask(fast, path, method, host) == ask(plain, path, method, host), (path, method, host)


def test_a_router_that_is_not_frozen_may_still_change() -> None:
    app = accelerate(web.Application())
    app.router.add_get("/a", handler("a"))
    assert ask(app, "/a")[0] is None
    app.router.add_get("/b/{x}", handler("b"))
    assert ask(app, "/b/1")[3] == {"x": "1"}
    app.pre_freeze()
    assert ask(app, "/b/1")[3] == {"x": "1"}


def test_only_resources_that_can_match_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    app = web.Application()
    for number in range(300):
        app.router.add_get(f"/all/{{x}}/r{number}/{{y}}", handler(f"r{number}"))
    accelerate(app).pre_freeze()
    asked: list[str] = []
    match = web.DynamicResource._match

    def noting(self: Any, path: str) -> Any:
        asked.append(self.canonical)
        return match(self, path)

    monkeypatch.setattr(web.DynamicResource, "_match", noting)
    assert ask(app, "/all/1/r7/2")[3] == {"x": "1", "y": "2"}
    assert asked == ["/all/{x}/r7/{y}"]


def test_a_resource_that_matches_in_its_own_way_is_always_asked() -> None:
    class Odd(web.DynamicResource):
        def _match(self, path: str) -> dict[str, str] | None:
            return {"odd": path} if path == "/all/odd" else None

    app = web.Application()
    app.router.add_post("/all/odd", handler("plain"))
    odd = Odd("/all/x{x}")
    app.router.register_resource(odd)
    odd.add_route("GET", handler("odd"))
    accelerate(app).pre_freeze()
    assert ask(app, "/all/odd")[3] == {"odd": "/all/odd"}


def test_the_resource_of_the_longest_text_wins_then_the_one_added_first() -> None:
    app = web.Application()
    app.router.add_get("/{x}/{y}", handler("any"))
    app.router.add_get("/a/{y}", handler("text"))
    app.router.add_get("/a/{z}", handler("later"))
    accelerate(app).pre_freeze()
    assert ask(app, "/a/1")[3] == {"y": "1"}


def test_urls_are_made_by_the_framework() -> None:
    app = web.Application()
    app.router.add_get(r"/a/{x:\d+}", handler("a"), name="a")
    accelerate(app).pre_freeze()
    ask(app, "/a/1")
    assert str(app.router["a"].url_for(x="5")) == "/a/5"


def test_sub_applications_are_accelerated_too() -> None:
    app, below, at_a_domain = web.Application(), web.Application(), web.Application()
    below.router.add_get("/a/{x}", handler("below"))
    at_a_domain.router.add_get("/b/{x}", handler("domain"))
    accelerate(accelerate(app))
    app.add_subapp("/sub", below)
    app.add_domain("example.org", at_a_domain)
    app.pre_freeze()
    assert ask(app, "/sub/a/1", host="example.net")[3] == {"x": "1"}
    assert ask(app, "/b/1")[3] == {"x": "1"}
    assert all(isinstance(each.router, CompiledDispatcher) for each in (app, below, at_a_domain))


def test_a_prefix_that_comes_later_is_seen() -> None:
    app, below = web.Application(), accelerate(web.Application())
    below.router.add_get("/a/{x}", handler("below"))
    below.pre_freeze()
    assert ask(below, "/a/1")[3] == {"x": "1"}
    app.add_subapp("/sub", below)
    accelerate(app).pre_freeze()
    assert ask(app, "/sub/a/1")[3] == {"x": "1"}
    assert ask(below, "/a/1")[0] == 404


def test_a_router_of_another_class_is_refused() -> None:
    class Own(web.UrlDispatcher):
        pass

    app = web.Application()
    app.router.__class__ = Own
    with pytest.raises(TypeError, match="not Own"):
        accelerate(app)
