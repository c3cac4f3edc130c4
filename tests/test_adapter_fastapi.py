"""FastAPI answers the same with the compiled matcher and without it: routes, included routers, mounts, websockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

import fastapi
from hypothesis import given, settings
from hypothesis import strategies as st
from test_adapter_starlette import ask, endpoint, same, socket

from brrtrouter.adapters.starlette import accelerate

TEMPLATES = st.sampled_from(["/a", "/a/", "/b/{x}", "/{x}/b", "/b/{x:int}", "/{x:path}", "/b/c", "/{x}", "/b/{x}.json"])
PREFIXES = st.sampled_from(["/p", "/b", "/{y}", "/p/q"])
METHODS = st.sampled_from([["GET"], ["POST"], ["GET", "PUT"]])
PLAN = st.deferred(
    lambda: st.lists(
        st.one_of(
            st.tuples(st.just("api"), TEMPLATES, METHODS),
            st.tuples(st.just("plain"), TEMPLATES, METHODS),
            st.tuples(st.just("socket"), TEMPLATES, st.none()),
            st.tuples(st.just("include"), PREFIXES, PLAN),
            st.tuples(st.just("mount"), PREFIXES, PLAN),
        ),
        max_size=6,
    )
)
PATHS = st.lists(st.sampled_from(["a", "b", "c", "p", "q", "7", "x.json", ""]), min_size=1, max_size=5)
REQUESTS = st.lists(
    st.tuples(PATHS.map("/".join), st.sampled_from(["GET", "HEAD", "POST"]), st.sampled_from(["http", "websocket"])),
    min_size=1,
    max_size=10,
)


def handler(name: str) -> Any:
    async def answer(request: fastapi.Request) -> Any:
        return [name, {key: repr(value) for key, value in request.path_params.items()}, request.scope["root_path"]]

    answer.__annotations__ = {"request": fastapi.Request}
    return answer


def fill(router: Any, plan: list[Any], prefix: str) -> Any:
    for number, (kind, path, more) in enumerate(plan):
        name = f"{prefix}{number}"
        if kind == "api":
            router.add_api_route(path, handler(name), methods=more, name=name)
        elif kind == "plain":
            getattr(router, "router", router).add_route(path, endpoint(name), methods=more, name=name)
        elif kind == "socket":
            getattr(router, "router", router).add_websocket_route(path, socket(name), name=name)
        elif kind == "include":
            # Starlette refuses a path with the same parameter twice.
            prefix_ = path.replace("{y}", f"{{y{name.count('.')}}}")
            router.include_router(fill(fastapi.APIRouter(), more, name + "."), prefix=prefix_)
        else:
            router.mount(path, fill(fastapi.FastAPI(), more, name + "."), name=name)
    return router


@settings(deadline=None, max_examples=80)
@given(plan=PLAN, requests=REQUESTS)
def test_every_request_comes_to_the_same_end(plan: list[Any], requests: list[Any]) -> None:
    plain, fast = fill(fastapi.FastAPI(), plan, "r"), accelerate(fill(fastapi.FastAPI(), plan, "r"))
    for path, method, kind in [*requests, ("/openapi.json", "GET", "http"), ("/docs/", "GET", "http")]:
        same(plain, fast, "/" + path.lstrip("/"), method, type=kind)


@settings(deadline=None, max_examples=30)
@given(plan=PLAN, later=PLAN, requests=REQUESTS)
def test_routes_added_later_to_an_included_router_are_seen(
    plan: list[Any], later: list[Any], requests: list[Any]
) -> None:
    apps: list[Any] = []
    inner: list[Any] = []
    for _ in range(2):
        inner.append(fill(fastapi.APIRouter(), plan, "i"))
        middle = fastapi.APIRouter()
        middle.include_router(inner[-1], prefix="/p")
        apps.append(fastapi.FastAPI())
        apps[-1].include_router(middle)
    accelerate(apps[1])
    for path, method, kind in requests:
        same(*apps, "/p/" + path, method, type=kind)
    for router in inner:
        fill(router, later, "l")
    for path, method, kind in requests:
        same(*apps, "/p/" + path, method, type=kind)


def test_only_routes_that_can_match_are_asked_in_an_included_router(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    matches = fastapi.routing.APIRoute.matches

    def noting(self: Any, scope: Any) -> Any:
        asked.append(self.path)
        return matches(self, scope)

    monkeypatch.setattr("brrtrouter.adapters.starlette.OWN_MATCHES", frozenset({noting}))
    monkeypatch.setattr(fastapi.routing.APIRoute, "matches", noting)
    app = fastapi.FastAPI()
    for letter in "abc":
        inner = fastapi.APIRouter()
        for number in range(100):
            inner.add_api_route(f"/r{number}/{{id}}", handler("r"))
        app.include_router(inner, prefix=f"/{letter}")
    assert ask(accelerate(app), "/b/r7/x")["path_params"] == {"id": "x"}
    assert len(asked) <= 3
    assert {path.removeprefix("/b") for path in asked} == {"/r7/{id}"}


def test_a_frontend_stays_behind_all_routes(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>front")
    if not hasattr(fastapi.FastAPI, "frontend"):
        pytest.skip("this version of FastAPI has no frontend")
    apps = []
    for _ in range(2):
        app, inner = fastapi.FastAPI(), fastapi.APIRouter()
        inner.frontend("/ui", directory=str(tmp_path))
        inner.add_api_route("/ui/api/{x}", handler("api"))
        app.include_router(inner, prefix="/p")
        app.include_router(fill(fastapi.APIRouter(), [("api", "/a", ["GET"])], "o"))
        apps.append(app)
    accelerate(apps[1])
    for path in ["/p/ui/index.html", "/p/ui/", "/p/ui", "/p/ui/api/1", "/p/ui/none", "/a", "/b"]:
        for method in ["GET", "POST"]:
            same(*apps, path, method)


def test_a_router_included_with_a_match_of_its_own_is_always_asked() -> None:
    class Odd(fastapi.APIRouter):
        def matches(self, scope: Any) -> Any:
            return super().matches({**scope, "path": scope["path"].replace("/odd", "/a")})

        async def handle(self, scope: Any, receive: Any, send: Any) -> None:
            await super().handle({**scope, "path": scope["path"].replace("/odd", "/a")}, receive, send)

    apps = []
    for _ in range(2):
        app, inner = fastapi.FastAPI(), Odd()
        inner.add_api_route("/a/{x}", handler("inner"))
        app.include_router(inner)
        apps.append(app)
    accelerate(apps[1])
    assert same(*apps, "/odd/1")["sent"][0]["status"] == 200


def test_urls_are_made_by_the_framework() -> None:
    app, inner = fastapi.FastAPI(), fastapi.APIRouter()
    inner.add_api_route("/a/{x:int}", handler("inner"), name="inner")
    app.include_router(inner, prefix="/p")
    ask(accelerate(app), "/p/a/1")
    assert str(app.url_path_for("inner", x=5)) == "/p/a/5"
