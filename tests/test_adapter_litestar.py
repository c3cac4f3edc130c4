"""Litestar answers the same with the compiled matcher and without it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("litestar")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar import Litestar, Request, WebSocket, asgi, get, post, route, websocket
from litestar.exceptions import ImproperlyConfiguredException

from brrtrouter.adapters.litestar import CompiledRouting, accelerate

SEGMENTS = st.sampled_from(
    ["a", "b", "c.d", "é", "{x:int}", "{x:str}", "{x:uuid}", "{x:float}", "{x:date}", "{x:path}"]
)
ODD = ["?", "#", ";", ".", "..", "a?b", "\\"]
TEXTS = st.sampled_from(
    ["a", "b", "c", "c.d", "é", "7", "1.5", "x", "2001-02-03", "%41", "", "PathParameterSentinel", *ODD]
)
METHODS = st.lists(st.sampled_from(["GET", "POST", "DELETE"]), min_size=1, max_size=2, unique=True)
PATHS = st.lists(TEXTS, max_size=4).map(lambda several: "/" + "/".join(several))
REQUESTS = st.lists(
    st.tuples(PATHS, st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", None])), min_size=1, max_size=15
)


@st.composite
def templates(draw: st.DrawFn) -> str:
    names = iter(draw(st.permutations(["x", "y", "z"])))
    segments = draw(st.lists(SEGMENTS, max_size=3))
    cut = next((number for number, text in enumerate(segments) if "path" in text), len(segments))
    return "/" + "/".join(
        text.replace("{x", "{" + next(names)) if "{" in text else text for text in segments[: cut + 1]
    )


KINDS = st.sampled_from(["http", "http", "http", "websocket", "mount", "asgi"])
PLAN = st.lists(st.tuples(KINDS, templates(), METHODS), min_size=1, max_size=8)


def handler(kind: str, path: str, methods: list[Any], name: str) -> Any:
    if kind == "http":

        @route(path, http_method=methods, name=name, sync_to_thread=False, status_code=200)
        def answer(request: Request[Any, Any, Any]) -> dict[str, Any]:
            return {"name": name, "params": repr(request.path_params), "template": request.scope["path_template"]}

        return answer
    if kind == "websocket":

        @websocket(path, name=name)
        async def talk(socket: WebSocket[Any, Any, Any]) -> None:
            await socket.accept()
            await socket.send_json([name, repr(socket.path_params)])
            await socket.close()

        return talk

    @asgi(path.split("{")[0], name=name, is_mount=kind == "mount", copy_scope=True)
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": [(b"path", scope["path"].encode())]})
        await send({"type": "http.response.body", "body": name.encode()})

    return mounted


def build(plan: list[Any]) -> Litestar | None:
    try:
        return Litestar([handler(*each, f"r{number}") for number, each in enumerate(plan)], openapi_config=None)
    except (ImproperlyConfiguredException, AttributeError):
        return None  # the plan collides with itself


def ask(app: Litestar, path: str, method: str | None, **scope: Any) -> Any:
    """Messages sent, and what the scope says of the route."""
    full: Any = {"type": "websocket" if method is None else "http", "path": path, "raw_path": path.encode()}
    full |= {"query_string": b"", "headers": [(b"host", b"example.org")], "root_path": "", "http_version": "1.1"}
    full |= {"server": ("example.org", 80), "client": ("1.2.3.4", 5), "state": {}, "extensions": {}, "subprotocols": []}
    full |= scope
    if method is not None:
        full["method"] = method
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"} if method is None else {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(full, receive, send))
    chosen = full.get("route_handler")
    return sent, full["path"], repr(full.get("path_params")), full.get("path_template"), chosen and chosen.name


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(plan=PLAN, later=st.lists(st.tuples(st.just("http"), templates(), METHODS), max_size=2), requests=REQUESTS)
def test_every_request_comes_to_the_same_end(plan: list[Any], later: list[Any], requests: list[Any]) -> None:
    plain, fast = build(plan), build(plan)
    if plain is None or fast is None:
        return
    assert accelerate(fast) is fast
    for path, method in requests:
        assert ask(fast, path, method) == ask(plain, path, method), (path, method)
    failures = []
    for app in (plain, fast):
        # What was found before is kept by Litestar's cache, as long as that lasts; a new route is compared without it.
        app.asgi_router.handle_routing.cache_clear()
        try:
            for number, each in enumerate(later):
                app.register(handler(*each, f"l{number}"))
            failures.append("")
        except (ImproperlyConfiguredException, AttributeError) as error:
            failures.append(type(error).__name__)
    assert failures[0] == failures[1]
    for path, method in requests:
        assert ask(fast, path, method) == ask(plain, path, method), (path, method)


def numbers() -> Any:
    @get("/n/{x:int}/{y:str}", sync_to_thread=False)
    def found(request: Request[Any, Any, Any]) -> list[Any]:
        return list(request.path_params.values())

    @get("/n/7/only", sync_to_thread=False)
    def literal() -> str:
        return "literal"

    @post("/n/{z:str}/{w:str}", sync_to_thread=False)
    def other(request: Request[Any, Any, Any]) -> list[Any]:
        return list(request.path_params.values())

    return [found, literal, other]


def test_each_method_of_a_place_has_its_own_names_and_types() -> None:
    app = accelerate(Litestar(numbers()))
    assert ask(app, "/n/5/x", "GET")[2] == "{'x': 5, 'y': 'x'}"
    assert ask(app, "/n/5/x", "POST")[2] == "{'z': '5', 'w': 'x'}"
    assert ask(app, "/n/7/only", "GET")[0][1]["body"] == b"literal"
    assert ask(app, "/n/five/x", "GET")[0][0]["status"] == 404
    assert ask(app, "/n/5/x", "DELETE")[0][0]["status"] == 405


def test_a_text_that_leads_nowhere_hides_the_parameter_beside_it() -> None:
    @get(["/{x:str}/deep", "/text/other/{y:str}"], sync_to_thread=False)
    def handle() -> None: ...

    app = accelerate(Litestar([handle], openapi_config=None))
    assert ask(app, "/any/deep", "GET")[0][0]["status"] == 200
    assert ask(app, "/text/deep", "GET")[0][0]["status"] == 404


def test_the_compiled_matcher_answers_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    app = accelerate(Litestar(numbers()))
    routing = app.asgi_router.handle_routing.__wrapped__
    assert isinstance(routing, CompiledRouting)

    def plain(path: str, method: Any) -> Any:
        raise AssertionError(f"{method} {path} was handed back")

    monkeypatch.setattr(routing, "plain", plain)
    assert routing("/n/5/x", "GET")[3] == {"x": 5, "y": "x"}
    assert routing("/n/5/x", "POST")[3] == {"z": "5", "w": "x"}
    with pytest.raises(AssertionError, match="handed back"):
        routing("/n/7/only", "GET")


def test_accelerating_twice_is_the_same_as_once() -> None:
    app = accelerate(Litestar(numbers()))
    routing = app.asgi_router.handle_routing
    assert accelerate(app).asgi_router.handle_routing is routing


def test_the_root_path_is_taken_off_by_the_framework() -> None:
    plain, fast = Litestar(numbers()), accelerate(Litestar(numbers()))
    for root in ["/n", "/base"]:
        for path in ["/base/n/5/x", "/n/5/x", "/n/n/5/x"]:
            assert ask(plain, path, "GET", root_path=root) == ask(fast, path, "GET", root_path=root)


def test_answers_for_the_last_paths_are_remembered_as_before() -> None:
    app = accelerate(Litestar(numbers()))
    routing = app.asgi_router.handle_routing
    assert routing.cache_parameters() == Litestar(numbers()).asgi_router.handle_routing.cache_parameters()
    assert routing(path="/n/5/x", method="GET") is routing(path="/n/5/x", method="GET")
    assert routing.cache_info().hits == 1


def test_urls_are_made_by_the_framework() -> None:
    @get("/n/{x:int}", name="number", sync_to_thread=False)
    def number() -> None: ...

    app = accelerate(Litestar([number]))
    ask(app, "/n/5", "GET")
    assert app.route_reverse("number", x=5) == "/n/5"
