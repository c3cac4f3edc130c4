"""Starlette and FastAPI answer the same with the compiled matcher and without it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("starlette")

from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.convertors import CONVERTOR_TYPES, Convertor
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Host, Match, Mount, Route, Router, WebSocketRoute

from brrtrouter.adapters.starlette import CompiledApp, accelerate


class Anything(Convertor[str]):
    regex = "x|y/z"

    def convert(self, value: str) -> str:
        return f"<{value}>"

    def to_string(self, value: str) -> str:
        return value[1:-1]


@pytest.fixture(scope="module", autouse=True)
def _own_convertor() -> Any:
    CONVERTOR_TYPES["anything"] = Anything()
    yield
    del CONVERTOR_TYPES["anything"]


Seen = dict[str, Any]
KEPT = ("path_params", "root_path", "app_root_path")


def ask(app: Any, path: str, method: str = "GET", **scope: Any) -> Seen:
    """What a request comes to: messages sent, and what the scope says about the route and its endpoint."""
    kind = scope.pop("type", "http")
    full = {"type": kind, "method": method, "path": path, "raw_path": path.encode("utf-8", "replace")}
    full |= {"query_string": b"", "headers": [(b"host", b"example.org")], "root_path": "", "scheme": kind[:2] + "tp"}
    full |= {"server": ("example.org", 80), **scope}
    if kind == "websocket":
        del full["method"]
    sent: list[Any] = []

    messages = iter([{"type": f"{kind}.connect"} if kind == "websocket" else {"type": "http.request", "body": b""}])

    async def receive() -> dict[str, Any]:
        return next(messages, {"type": f"{kind}.disconnect", "code": 1000})

    async def send(message: Any) -> None:
        headers = sorted((name, sorted(value.split(b", "))) for name, value in message.get("headers", ()))
        sent.append({**message, "headers": headers})

    failed = None
    try:
        asyncio.run(app(full, receive, send))
    except Exception as error:
        failed = repr(error)
    route = full.get("route")
    said = {key: full.get(key) for key in KEPT}
    said["route"] = route and (type(route).__name__, getattr(route, "path", None), getattr(route, "name", None))
    return {**said, "sent": sent, "failed": failed, "router": type(full.get("router")).__name__}


def endpoint(name: str) -> Callable[..., Any]:
    async def answer(request: Any) -> JSONResponse:
        scope = request.scope
        params = {key: repr(value) for key, value in scope["path_params"].items()}
        return JSONResponse([name, params, scope["root_path"], scope.get("app_root_path")])

    return answer


def socket(name: str) -> Callable[..., Any]:
    async def answer(websocket: Any) -> None:
        await websocket.close(code=4000, reason=f"{name} {websocket.path_params}")

    return answer


SEGMENTS = st.sampled_from(
    [
        "a",
        "b",
        "a.b",
        "{x}",
        "{x:str}",
        "{x:int}",
        "{x:float}",
        "{x:uuid}",
        "{x:path}",
        "v{x:int}",
        "{x}.b",
        "{x:anything}",
        "é",
        "c d",
        "%41",
        "?",
        "",
    ]
)
ODD = [".", "..", "#", ";", "\\", "\0"]
TEXTS = st.sampled_from(
    ["a", "b", "a.b", "7", "7.5", "v1", "x", "y", "z", "é", "c d", "A", "%41", "?", "", "a\n", "7\n", *ODD]
)


@st.composite
def paths_of_routes(draw: st.DrawFn) -> str:
    names = iter(("x", "y", "z", "w"))
    segments = draw(st.lists(SEGMENTS, min_size=1, max_size=3))
    return "/" + "/".join(
        segment.replace("{x", "{" + next(names)) if "{" in segment else segment for segment in segments
    )


METHODS = st.lists(st.sampled_from(["GET", "POST", "DELETE"]), min_size=1, max_size=2, unique=True)
PLAN = st.deferred(
    lambda: st.lists(
        st.one_of(
            st.tuples(st.just("route"), paths_of_routes(), METHODS),
            st.tuples(st.just("route"), paths_of_routes(), METHODS),
            st.tuples(st.just("socket"), paths_of_routes(), st.none()),
            st.tuples(st.just("mount"), st.sampled_from(["", "/a", "/b/{m}", "/a.b"]), PLAN),
            st.tuples(st.just("host"), st.sampled_from(["example.org", "{h}.org", "other.net"]), PLAN),
        ),
        max_size=7,
    )
)
REQUESTS = st.lists(
    st.tuples(
        st.lists(TEXTS, min_size=1, max_size=4).map(lambda several: "/" + "/".join(several)),
        st.sampled_from(["GET", "HEAD", "POST", "PUT"]),
        st.sampled_from(["http", "http", "websocket"]),
        st.sampled_from(["", "", "/a", "/a/", "/b"]),
    ),
    min_size=1,
    max_size=12,
)


def build(plan: list[Any], prefix: str = "r") -> list[BaseRoute]:
    routes: list[BaseRoute] = []
    for number, (kind, path, more) in enumerate(plan):
        name = f"{prefix}{number}"
        if kind == "route":
            routes.append(Route(path, endpoint(name), methods=more, name=name))
        elif kind == "socket":
            routes.append(WebSocketRoute(path, socket(name), name=name))
        elif kind == "mount":
            routes.append(Mount(path, routes=build(more, name + "."), name=name))
        else:
            routes.append(Host(path, app=Router(build(more, name + ".")), name=name))
    return routes


def same(plain: Any, fast: Any, path: str, method: str = "GET", **scope: Any) -> Seen:
    expected, found = ask(plain, path, method, **scope), ask(fast, path, method, **scope)
    assert repr(found) == repr(expected), (path, method, scope)
    return found


@settings(deadline=None, max_examples=80)
@given(plan=PLAN, requests=REQUESTS, redirect=st.booleans())
def test_every_request_comes_to_the_same_end(plan: list[Any], requests: list[Any], redirect: bool) -> None:
    plain = Router(build(plan), redirect_slashes=redirect)
    fast = accelerate(Router(build(plan), redirect_slashes=redirect))
    for path, method, kind, root in requests:
        same(plain, fast, path, method, type=kind, root_path=root)
    app_plain, app_fast = Starlette(routes=build(plan)), accelerate(Starlette(routes=build(plan)))
    for path, method, kind, root in requests:
        same(app_plain, app_fast, path, method, type=kind, root_path=root)


@settings(deadline=None, max_examples=40)
@given(
    plan=PLAN, later=PLAN, requests=REQUESTS, change=st.sampled_from(["append", "insert", "reverse", "replace", "del"])
)
def test_changes_of_the_routes_are_seen_by_the_next_request(
    plan: list[Any], later: list[Any], requests: list[Any], change: str
) -> None:
    routers = [Router(build(plan)), accelerate(Router(build(plan)))]
    for path, method, kind, _ in requests:
        same(*routers, path, method, type=kind)
    for router in routers:
        new = build(later, "l")
        if change == "append":
            router.routes.extend(new)
        elif change == "insert":
            router.routes[0:0] = new
        elif change == "reverse":
            router.routes.reverse()
        elif change == "replace":
            router.routes = new
        else:
            del router.routes[:1]
    for path, method, kind, _ in requests:
        same(*routers, path, method, type=kind)


def test_only_routes_that_can_match_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    matches = Route.matches

    def noting(self: Route, scope: Any) -> Any:
        asked.append(self.path)
        return matches(self, scope)

    app = accelerate(Router([Route(f"/r{n}/{{id:int}}", endpoint(str(n))) for n in range(500)]))
    monkeypatch.setattr("brrtrouter.adapters.starlette.OWN_MATCHES", frozenset({noting}))
    monkeypatch.setattr(Route, "matches", noting)
    assert ask(app, "/r400/7")["path_params"] == {"id": 7}
    assert asked == ["/r400/{id:int}"]
    asked.clear()
    ask(app, "/nowhere")
    assert asked == []


def test_a_route_of_a_class_that_matches_in_its_own_way_is_always_asked() -> None:
    class Odd(Route):
        def matches(self, scope: Any) -> tuple[Match, Any]:
            return (Match.FULL, {"path_params": {"odd": True}}) if scope["path"] == "/odd" else (Match.NONE, {})

    app = accelerate(Router([Route("/odd", endpoint("plain"), methods=["POST"]), Odd("/other", endpoint("odd"))]))
    assert ask(app, "/odd")["path_params"] == {"odd": True}


def test_the_route_added_first_wins_over_a_more_specific_one() -> None:
    app = accelerate(Router([Route("/{x}", endpoint("any")), Route("/me", endpoint("me"))]))
    assert ask(app, "/me")["path_params"] == {"x": "me"}


def test_a_pattern_changed_in_the_route_is_not_compiled_from_its_path() -> None:
    import re

    route = Route("/a", endpoint("a"))
    route.path_regex = re.compile("^/(a|b)$")
    route.param_convertors = {}
    app = accelerate(Router([route]))
    assert ask(app, "/b")["sent"][0]["status"] == 200


def test_the_middleware_of_a_router_stays_around_it() -> None:
    class Marking:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            scope["marked"] = scope.get("marked", 0) + 1
            await self.app(scope, receive, send)

    async def answer(request: Any) -> JSONResponse:
        return JSONResponse(request.scope["marked"])

    router = accelerate(Router([Route("/a", answer)], middleware=[Middleware(Marking), Middleware(Marking)]))
    assert ask(router, "/a")["sent"][1]["body"] == b"2"
    assert isinstance(router.app, CompiledApp)


def test_accelerating_twice_is_the_same_as_once() -> None:
    app = Starlette(routes=[Route("/a", endpoint("a"))])
    first = accelerate(app).router.app
    assert accelerate(app).router.app is first


def test_a_router_that_dispatches_in_its_own_way_is_refused() -> None:
    class Own(Router):
        async def app(self, scope: Any, receive: Any, send: Any) -> None:
            await super().app(scope, receive, send)

    with pytest.raises(TypeError, match="Own dispatches in its own way"):
        accelerate(Own([]))


def test_urls_are_made_by_the_framework() -> None:
    app = accelerate(Starlette(routes=[Mount("/m", routes=[Route("/{x:int}", endpoint("a"), name="a")], name="m")]))
    ask(app, "/m/1")
    assert str(app.url_path_for("m:a", x=5)) == "/m/5"


def test_the_lifespan_reaches_the_router() -> None:
    from contextlib import asynccontextmanager

    events: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Any) -> Any:
        events.append("up")
        yield
        events.append("down")

    app = accelerate(Starlette(lifespan=lifespan))
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        events.append(message["type"])

    asyncio.run(app({"type": "lifespan"}, receive, send))
    assert events == ["up", "lifespan.startup.complete", "down", "lifespan.shutdown.complete"]


def test_the_list_of_routes_stays_the_same_object() -> None:
    router = Router([Route("/a", endpoint("a"))])
    held = router.routes
    accelerate(router)
    ask(router, "/a")
    held.append(Route("/b/{x}", endpoint("b")))
    assert router.routes is held
    assert ask(router, "/b/1")["path_params"] == {"x": "1"}


def test_a_route_exchanged_for_an_equal_one_is_served() -> None:
    answer = endpoint("a")
    router = accelerate(Router([Route("/a", answer, methods=["GET"], name="old")]))
    assert ask(router, "/a")["route"] == ("Route", "/a", "old")
    router.routes[0] = Route("/a", answer, methods=["GET"], name="new")
    assert ask(router, "/a")["route"] == ("Route", "/a", "new")


def test_routes_may_be_computed_and_need_not_be_a_list() -> None:
    class Computed(Router):
        @property
        def routes(self) -> Any:
            return tuple(several)

        @routes.setter
        def routes(self, value: Any) -> None: ...

    several = [Route("/a", endpoint("a"))]
    router = accelerate(Computed())
    assert ask(router, "/a")["sent"][0]["status"] == 200
    several.append(Route("/b", endpoint("b")))
    assert ask(router, "/b")["sent"][0]["status"] == 200


def test_a_match_put_into_one_route_is_asked() -> None:
    route = Route("/a", endpoint("a"))
    route.matches = lambda scope: (Match.FULL, {"path_params": {"own": scope["path"]}})  # type: ignore[method-assign]
    assert ask(accelerate(Router([route])), "/b")["path_params"] == {"own": "/b"}


def test_a_pattern_changed_later_is_seen_when_accelerated_again() -> None:
    from starlette.routing import compile_path

    route = Route("/a/{x}", endpoint("a"))
    router = accelerate(Router([route]))
    assert ask(router, "/a/1")["path_params"] == {"x": "1"}
    route.path = "/b/{x}"
    route.path_regex, route.path_format, route.param_convertors = compile_path(route.path)
    assert ask(accelerate(router), "/b/1")["path_params"] == {"x": "1"}
