"""Compiled routing inside Starlette and FastAPI: `accelerate(app)`.

Starlette asks its routes one after the other, in the order in which they were added.  Here the compiled matcher leaves
only those whose shape fits the path, and the framework's own `Router.app` runs on these: order, converters, methods,
mounts, hosts, slashes at the end, websockets and errors are its own.  A route of a class that matches in another way, a
mount, a host and a converter that may take a slash are asked whenever they could match.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from starlette._utils import get_route_path
from starlette.applications import Starlette
from starlette.convertors import FloatConvertor, UUIDConvertor
from starlette.routing import PARAM_REGEX, BaseRoute, Host, Mount, Route, Router, WebSocketRoute
from starlette.types import Receive, Scope, Send

from brrtrouter.adapters._common import ANYTHING, ONE_SEGMENT, Narrowing, Segments, Shape

try:
    import fastapi.routing as fastapi
except ImportError:
    fastapi = None  # type: ignore[assignment]

A = TypeVar("A", bound="Starlette | Router")
RouterApp = Callable[[Any, Scope, Receive, Send], Awaitable[None]]
Numbers = Narrowing[tuple[int, ...]]

# More routes than this for one shape are no narrowing.
MAX_ROUTES = 64
CLOSED = frozenset({FloatConvertor.regex, UUIDConvertor.regex})
_APIRoute: Any = getattr(fastapi, "APIRoute", Route)
_APIWebSocketRoute: Any = getattr(fastapi, "APIWebSocketRoute", WebSocketRoute)
_APIRouter: Any = getattr(fastapi, "APIRouter", Router)
# Newer versions of FastAPI keep an included router as one route; without it they copy its routes.
_Included: Any = getattr(fastapi, "_IncludedRouter", ())
OWN_MATCHES = frozenset({Route.matches, WebSocketRoute.matches, _APIRoute.matches, _APIWebSocketRoute.matches})
OWN_APPS = frozenset({Router.app, _APIRouter.app})


def accelerate(app: A) -> A:
    """Let a compiled matcher find the routes of `app`, those added later and those of its mounts too; gives `app` back.

    app: an application of Starlette or FastAPI, or one of their routers.  Doing it again makes it look at everything
        anew, for routes whose pattern was changed in place.
    Raises TypeError for a router with an `app` method of its own, and for one whose middleware hides that method.
    """
    router = app.router if isinstance(app, Starlette) else app
    assert isinstance(router, Router)
    if not _install(router):
        raise TypeError(f"the router {type(router).__name__} dispatches in its own way and is left as it is")
    return app


def _install(router: Router) -> bool:
    plain = type(router).app
    if isinstance(router.app, CompiledApp):
        router.app.state = None
        return True
    if plain not in OWN_APPS or "app" in vars(router):
        return False
    compiled: Any = CompiledApp(router, plain)
    # The router has bound its method already, inside of its middleware if there is any.
    if router.middleware_stack == router.app:
        router.middleware_stack = compiled
    else:
        outer: Any = router.middleware_stack
        while (inner := getattr(outer, "app", None)) is not None and inner != router.app:
            outer = inner
        if inner is None:
            return False
        outer.app = compiled
    router.app = compiled  # type: ignore[method-assign]
    return True


class View:
    """Stands in for an object while one of its methods runs, with one other attribute."""

    def __init__(self, real: object, name: str, value: object) -> None:
        self.__dict__ = {"_real": real, name: value}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class CompiledApp:
    """Takes the place of `Router.app` of one router."""

    def __init__(self, router: Router, plain: RouterApp) -> None:
        self.router = router
        self.plain = plain
        # The routes as they were compiled, the routers included in them, their version, and what was made of all this.
        self.state: tuple[Sequence[BaseRoute], list[Any], int, Numbers] | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        routes = self.router.routes
        numbers = _find(self.narrowing(routes), scope) if scope["type"] in ("http", "websocket") else None
        if numbers is None:
            return self.plain(self.router, scope, receive, send)
        if "router" not in scope:
            scope["router"] = self.router
        return self.plain(View(self.router, "routes", [routes[number] for number in numbers]), scope, receive, send)

    def narrowing(self, routes: Sequence[BaseRoute]) -> Numbers:
        # Lists of the same objects are compared in no time, and so every change of the routes is seen.
        state = self.state
        if state is not None and state[0] == routes and state[2] == _version(state[1]):
            return state[3]
        return self.compile(routes)

    def compile(self, routes: Sequence[BaseRoute]) -> Numbers:
        compiled, included = routes[:], _included_in(routes)
        version = _version(included)
        _install_below(compiled)
        narrowing = Narrowing([_shapes(route) for route in compiled], _few)
        self.state = (compiled, included, version, narrowing)
        return narrowing


class CompiledInclude:
    """Takes the place of `_match` of a router that FastAPI has included in another one."""

    def __init__(self, included: Any) -> None:
        self.included = included
        self.plain = type(included)._match
        self.routers = _routers_of(included)
        self.version = -1
        self.candidates: Sequence[Any] = ()
        self.found: Numbers | None = None

    def __call__(self, scope: Scope) -> Any:
        if self.found is None or self.version != _version(self.routers):
            self.compile()
        assert self.found is not None
        numbers = _find(self.found, scope)
        if numbers is None:
            return self.plain(self.included, scope)
        narrowed = [self.candidates[number] for number in numbers]
        return self.plain(View(self.included, "effective_candidates", lambda: narrowed), scope)

    def compile(self) -> None:
        self.routers = _routers_of(self.included)
        self.version = _version(self.routers)
        self.candidates = self.included.effective_candidates()
        effective = [_effective(candidate) for candidate in self.candidates]
        _install_below(effective)
        self.found = Narrowing([_shapes(route) for route in effective], _few)


def _find(narrowing: Numbers, scope: Scope) -> tuple[int, ...] | None:
    path = get_route_path(scope)
    # With more than one slash at the end, or at the end of the root, a redirect leads to another shape than ours.
    if path[-2:] == "//" or scope.get("root_path", "")[-1:] == "/":
        return None
    return narrowing.find(path)


def _few(_: Segments | None, numbers: tuple[int, ...]) -> tuple[int, ...] | None:
    return numbers if len(numbers) <= MAX_ROUTES else None


def _routers_of(included: Any) -> list[Any]:
    return [included.original_router, *_included_in(included.original_router.routes)]


def _included_in(routes: Iterable[BaseRoute]) -> list[Any]:
    return [router for route in routes if isinstance(route, _Included) for router in _routers_of(route)]


def _version(routers: list[Any]) -> int:
    """Grows with every change of these routers that FastAPI takes notice of."""
    return sum([router._routes_version for router in routers])


def _install_below(routes: Iterable[Any]) -> None:
    """Accelerate what is mounted or included here; what cannot be is left alone."""
    for route in routes:
        if isinstance(route, _Included):
            if not isinstance(route._match, CompiledInclude):
                route._match = CompiledInclude(route)
        elif isinstance(route, (Mount, Host)):
            below = getattr(route, "_base_app", route.app)
            below = below.router if isinstance(below, Starlette) else below
            if isinstance(below, Router):
                _install(below)


def _effective(candidate: Any) -> Any:
    """What holds the path of a route inside of an included router: a route of its own, or the context itself."""
    return getattr(candidate, "starlette_route", None) or candidate


def _shapes(route: Any) -> set[Shape]:
    """The paths that a route matches or, with a slash more or less at the end, is the aim of a redirect from."""
    if isinstance(route, _Included):
        if _matches(route.original_router) is not _APIRouter.matches:
            return {ANYTHING}
        try:
            candidates = route.effective_candidates()
        except Exception:  # FastAPI builds these when a request first comes by, and has to fail there and not here
            return {ANYTHING}
        return {shape for candidate in candidates for shape in _shapes(_effective(candidate))}
    shape = _shape(route)
    segments = shape.segments
    if shape.open:
        return {shape}
    return {shape, Shape(segments[:-1] if len(segments) > 1 and segments[-1] == "" else (*segments, ""))}


def _shape(route: Any) -> Shape:
    # FastAPI's context of an included route is matched by way of the route itself.
    matches = _matches(getattr(route, "original_route", route))
    if matches is Mount.matches:
        return _read(route.path + "/{path:path}", route)
    return _read(route.path, route) if matches in OWN_MATCHES else ANYTHING


def _matches(route: Any) -> Any:
    """The function by which it matches, which may have been put into the object itself."""
    return vars(route).get("matches", type(route).matches)


def _read(path: str, route: Any) -> Shape:
    """Build the route's regular expression again: only what it really says may be compiled."""
    pieces = PARAM_REGEX.split(path)
    expression, text, open_at = "^", "", -1
    for literal, name, _ in zip(pieces[::3], [*pieces[1::3], ""], [*pieces[2::3], ""], strict=True):
        expression += re.escape(literal)
        text += literal
        if not name:
            continue
        if name not in route.param_convertors:
            return ANYTHING
        regex = route.param_convertors[name].regex
        expression += f"(?P<{name}>{regex})"
        if open_at < 0 and not _is_one_segment(regex):
            open_at = text.count("/") - 1
        if not _is_whole(regex):
            return ANYTHING
        text += "\0"
    if f"{expression}$" != route.path_regex.pattern or route.path_regex.flags != re.UNICODE or text[:1] != "/":
        return ANYTHING
    segments = tuple(None if "\0" in segment else segment for segment in text[1:].split("/"))
    return Shape(segments) if open_at < 0 else Shape(segments[:open_at], True)


def _is_one_segment(regex: str) -> bool:
    return regex in CLOSED or ONE_SEGMENT.fullmatch(regex) is not None


def _is_whole(regex: str) -> bool:
    """Whether an expression stays inside of the group that is put around it."""
    try:
        re.compile(regex)
    except re.error:
        return False
    return True
