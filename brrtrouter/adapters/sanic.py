"""Compiled routing inside Sanic: `Sanic(name, router=Router())`, or `accelerate(app)`.

Sanic writes a function of nested comparisons for its routes.  When that is done it is known for each shape of path
which group of routes it comes to first.  Where this is a group with the very shape that the compiled matcher found,
with built-in types of parameters and no condition on the host, the answer is put together here.  Paths that Sanic
answers with an error, files with extensions, patterns, `path` parameters and added slashes stay with Sanic.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sanic_routing.router
from sanic.router import Router as SanicRouter
from sanic_routing.exceptions import NoMethod, NotFound
from sanic_routing.patterns import REGEX_TYPES

from brrtrouter.adapters._common import Narrowing, Segments, Shape

if TYPE_CHECKING:
    from sanic import Sanic
    from sanic_routing.group import RouteGroup
    from sanic_routing.route import Route
    from sanic_routing.tree import Node

Cast = Callable[[str], Any]
# The types of parameter that take one segment and never an empty one, each with a value that it accepts.
SAMPLES = {
    "str": "~brrt~",
    "int": "8050217",
    "float": "80502.17",
    "slug": "a-b",
    "alpha": "abc",
    "ymd": "2001-02-03",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
}


def accelerate(app: Sanic[Any, Any]) -> Sanic[Any, Any]:
    """Let a compiled matcher find the routes of `app`, those added later too; gives `app` back.

    Raises TypeError for an application with a router of its own class.
    """
    if not isinstance(app.router, Router):
        if type(app.router) is not SanicRouter:
            raise TypeError(f"only Sanic's Router can be accelerated, not {type(app.router).__name__}")
        app.router.__class__ = Router
    return app


@dataclass(frozen=True)
class Answer:
    """By method the route and how its parameters are made: the number of the segment, the name, and the type."""

    routes: dict[str, tuple[Route, tuple[tuple[int, str, Cast | None], ...]]]


class Router(SanicRouter):
    """Sanic's router with a compiled matcher before it."""

    _compiled: Any = None
    _narrowing: Narrowing[Answer] | None = None

    def _get(self, path: str, method: str, host: str | None) -> tuple[Route, Any, dict[str, Any]]:
        """What `get` remembers: the route, its handler and the parameters.  Raises NotFound and MethodNotAllowed."""
        # Every change of the routes goes through finalize(), which makes a new function.
        if self._find_route is not self._compiled or self._narrowing is None:
            if self._find_route is None:
                return super()._get(path, method, host)
            self._narrowing = _compile(self)
            self._compiled = self._find_route
        answer = self._narrowing.find(path)
        found = None if answer is None else answer.routes.get(method)
        if found is None:
            return super()._get(path, method, host)
        route, plan = found
        if not plan:
            return route, route.handler, {}
        parts = path[1:].split("/")
        try:
            params = {name: parts[at] if make is None else make(parts[at]) for at, name, make in plan}
        except ValueError:
            return super()._get(path, method, host)
        return route, route.handler, params

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_compiled", "_narrowing")}


def _compile(router: SanicRouter) -> Narrowing[Answer]:
    """Groups in the order in which Sanic comes to them: texts by dictionary, then its tree, then what takes slashes."""
    static = list(router.static_routes.values())
    tree = list(_in_order(router.tree.root))
    known = {id(group) for group in tree}
    dynamic = [*router.dynamic_routes.values(), *router.regex_routes.values()]
    groups = [*static, *tree, *(group for group in dynamic if id(group) not in known)]
    shapes = [_shape(group) for group in groups]

    def make(segments: Segments | None, numbers: tuple[int, ...]) -> Answer | None:
        first = numbers[0] if numbers else -1
        if segments is None or shapes[first] != Shape(segments):
            return None
        group = groups[first]
        return _static_answer(group) if first < len(static) else _dynamic_answer(router, group)

    return Narrowing([[shape] for shape in shapes], make)


def _in_order(node: Node) -> Iterator[RouteGroup]:
    """The groups of the tree as the written function comes to them; it goes on behind what does not fit."""
    for child in node.children.values():
        yield from _in_order(child)
    yield from sorted(node.groups, key=node._group_sorting)


def _shape(group: RouteGroup) -> Shape:
    segments: list[str | None] = []
    for number, part in enumerate(group.parts):
        parameter = group[0].defined_params.get(number)
        if parameter is None:
            segments.append(part)
        elif parameter.label in SAMPLES:
            segments.append(None)
        else:
            return Shape(tuple(segments), True)
    return Shape(tuple(segments))


def _static_answer(group: RouteGroup) -> Answer:
    return Answer({method: (route, ()) for method, route in group.methods_index.items()})


def _dynamic_answer(router: SanicRouter, group: RouteGroup) -> Answer | None:
    casts = _casts(router, group)
    if casts is None or group.regex or group.requirements or not _confirmed(router, group):
        return None
    routes: dict[str, tuple[Route, tuple[tuple[int, str, Cast | None], ...]]] = {}
    for route in group.routes:
        plan = tuple((number, each.name, casts[number]) for number, each in route.params.items())
        for method in route.methods:
            routes.setdefault(method, (route, plan))
    return Answer(routes)


def _casts(router: SanicRouter, group: RouteGroup) -> dict[int, Cast | None] | None:
    """How the written function makes the values, None for a text as it is; None as a whole when that is unsure."""
    casts: dict[int, Cast | None] = {}
    node = router.tree.root
    names = vars(sanic_routing.router)
    for number, part in enumerate(group.parts):
        parameter = group[0].defined_params.get(number)
        if parameter is None:
            node = node.children[part]
            continue
        label = parameter.label
        node = node.children[f"__dynamic__:{label}"]
        cast = node.param.cast
        # The function looks a type up by its name, which a type registered by the user may have taken.
        meant = names.get(cast.__name__, getattr(builtins, cast.__name__, None))
        if cast is not REGEX_TYPES[label][0] or meant is not cast:
            return None
        casts[number] = None if label == "str" else cast
    return casts


def _confirmed(router: SanicRouter, group: RouteGroup) -> bool:
    """Whether Sanic's own function leads there: one path of that shape, asked once."""
    values = (group[0].defined_params.get(number) for number in range(len(group.parts)))
    path = "/" + "/".join(
        part if value is None else SAMPLES[value.label] for part, value in zip(group.parts, values, strict=True)
    )
    route = group.routes[0]
    try:
        found, _ = router.find_route(path, min(route.methods), router, {"__params__": {}, "__matches__": {}}, None)
    except (NotFound, NoMethod):
        return False
    return found is route
