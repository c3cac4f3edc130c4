"""Sanic answers the same with the compiled matcher and without it."""

from __future__ import annotations

import pickle
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

pytest.importorskip("sanic")

from hypothesis import given, settings
from hypothesis import strategies as st
from sanic import Blueprint, Sanic
from sanic.exceptions import SanicException
from sanic.router import Router as Plain
from sanic_routing.exceptions import BaseException as RoutingError
from sanic_routing.exceptions import FinalizationError

from brrtrouter.adapters.sanic import Router, accelerate

LABELS = ["str", "int", "float", "slug", "alpha", "ymd", "uuid", "strorempty", "ext", "path", "[a-c]+", "up"]
SEGMENTS = st.sampled_from(["a", "b", "c.d", "a b", "é", "", "<x>", *(f"<x:{label}>" for label in LABELS)])
TEXTS = st.sampled_from(
    [
        "a",
        "b",
        "c.d",
        "a%20b",
        "%C3%A9",
        "",
        "7",
        "-7",
        " 7",
        "1_0",
        "1.5",
        "nan",
        "a-b",
        "2001-02-03",
        "x",
        "X",
        "~brrt~",
    ]
)
PATHS = st.lists(TEXTS, min_size=1, max_size=4).map(lambda several: "/" + "/".join(several))
HOSTS = st.sampled_from([None, None, None, "example.org", "other.net"])
REQUESTS = st.lists(st.tuples(PATHS, st.sampled_from(["GET", "POST", "PUT"]), HOSTS), min_size=1, max_size=20)


@st.composite
def templates(draw: st.DrawFn) -> str:
    names = iter(draw(st.permutations(["x", "y", "z"])))
    segments = draw(st.lists(SEGMENTS, min_size=1, max_size=3))
    return "/" + "/".join(text.replace("<x", "<" + next(names)) if "<" in text else text for text in segments)


ROUTE = st.tuples(
    templates(),
    st.lists(st.sampled_from(["GET", "POST"]), min_size=1, max_size=2, unique=True),
    HOSTS,
    st.booleans(),
    st.booleans(),
)
PLAN = st.lists(ROUTE, min_size=1, max_size=8)


def upper(text: str) -> str:
    if not text.isupper():
        raise ValueError(text)
    return text.lower()


def handler(request: Any, **params: Any) -> None: ...


def fill(router: Plain, plan: list[Any], prefix: str = "r") -> None:
    for number, (path, methods, host, strict, unquote) in enumerate(plan):
        # What Sanic refuses it refuses in both routers alike.
        with suppress(RoutingError, ValueError, TypeError, AttributeError):
            router.add(path, methods, handler, host, strict, name=f"{prefix}{number}", unquote=unquote)


def build(kind: type[Plain], plan: list[Any]) -> Plain | None:
    router = kind()
    router.register_pattern("up", upper, r"[A-Z]+")
    fill(router, plan)
    return router if finalized(router) else None


def finalized(router: Plain) -> bool:
    try:
        router.finalize()
    except Exception:  # whatever Sanic cannot make of these routes, it makes of neither router
        return False
    return True


def ask(router: Plain, path: str, method: str, host: str | None = None) -> Any:
    try:
        route, found, params = router.get(path, method, host)
    except SanicException as error:
        return type(error).__name__, str(error), sorted(getattr(error, "headers", {}).items())
    except Exception as error:
        return type(error).__name__
    return route.name, route.path, found is handler, repr(params)


@settings(deadline=None, max_examples=120)
@given(plan=PLAN, later=PLAN, requests=REQUESTS)
def test_every_request_comes_to_the_same_end(plan: list[Any], later: list[Any], requests: list[Any]) -> None:
    plain, fast = build(Plain, plan), build(Router, plan)
    assert (plain is None) == (fast is None)
    if plain is None or fast is None:
        return
    for path, method, host in requests:
        assert ask(fast, path, method, host) == ask(plain, path, method, host), (path, method, host)
    done = []
    for router in (plain, fast):
        # Sanic's cache may keep what was found before; new routes are compared without it.
        Plain.get.cache_clear()
        router.reset()
        fill(router, later, "l")
        done.append(finalized(router))
    assert done[0] == done[1]
    for path, method, host in requests if done[0] else ():
        assert ask(fast, path, method, host) == ask(plain, path, method, host), (path, method, host)


PLAIN_ROUTES = [(f"/r{n}/<x:int>/<y>", ["GET"], None, False, False) for n in range(50)] + [
    ("/r7/<x:int>/text", ["GET", "POST"], None, False, False),
    ("/r7/<z:int>/<w>", ["POST"], None, False, False),
    ("/", ["GET"], None, False, False),
]


def test_the_compiled_matcher_answers_where_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    router = build(Router, PLAIN_ROUTES)
    assert router is not None
    monkeypatch.setattr(Plain, "_get", lambda *asked: pytest.fail(f"{asked} was handed back"))
    assert ask(router, "/r7/5/x", "GET")[3] == "{'y': 'x', 'x': 5}"
    assert ask(router, "/r7/5/x", "POST")[3] == "{'w': 'x', 'z': 5}"
    assert ask(router, "/r7/5/text", "GET")[3] == "{'x': 5}"
    assert ask(router, "/", "GET")[3] == "{}"


def test_the_types_of_parameters_decide_as_in_sanic() -> None:
    plan = [(f"/a/<x:{label}>", ["GET"], None, False, False) for label in ("str", "int", "float", "uuid", "ymd")]
    plain, fast = build(Plain, plan), build(Router, plan)
    assert plain is not None
    assert fast is not None
    for value in ["7", "7.5", "x", "2001-02-03", "123e4567-e89b-12d3-a456-426614174000", "nan", "1_0"]:
        assert ask(fast, f"/a/{value}", "GET") == ask(plain, f"/a/{value}", "GET")


NAMES = (f"app{number}" for number in count())


def small(app: Sanic[Any, Any]) -> Sanic[Any, Any]:
    below = Blueprint(f"b_{app.name}", url_prefix="/b", version=1)
    below.add_route(handler, "/<x:int>", name="below")
    app.add_route(handler, "/top/<x>", name="top", host="example.org")
    app.blueprint(below)
    return app


def test_a_router_can_be_given_to_the_application_or_put_in_later() -> None:
    plain, given_, later = Sanic(next(NAMES)), Sanic(next(NAMES), router=Router()), accelerate(Sanic(next(NAMES)))
    for app in (plain, given_, later):
        small(app).router.finalize()
    assert accelerate(later) is later
    assert isinstance(later.router, Router)
    for path, host in [("/v1/b/5", None), ("/top/a", "example.org"), ("/top/a", None), ("/v1/b/5/", None)]:
        answers = [repr(ask(app.router, path, "GET", host)).replace(app.name, "app") for app in (plain, given_, later)]
        assert answers == answers[:1] * 3
    assert later.url_for("top", x="y") == "/top/y"


def test_a_compiled_router_can_be_pickled_for_a_worker() -> None:
    router = build(Router, PLAIN_ROUTES)
    assert router is not None
    ask(router, "/r7/5/x", "GET")
    state = router.__getstate__()
    assert {"_compiled", "_narrowing"}.isdisjoint(state)
    assert pickle.dumps(state["name_index"]["r7"].path)


def test_a_router_of_another_class_is_refused() -> None:
    class Own(Plain):
        pass

    with pytest.raises(TypeError, match="not Own"):
        accelerate(Sanic(next(NAMES), router=Own()))


def test_a_router_without_routes_is_sanics_matter() -> None:
    with pytest.raises(FinalizationError):
        Router().finalize()


def test_answers_for_the_last_paths_are_remembered_as_before() -> None:
    router = build(Router, PLAIN_ROUTES)
    assert router is not None
    first = router.get("/r7/5/x", "GET", None)
    assert router.get("/r7/5/x", "GET", None) is first
