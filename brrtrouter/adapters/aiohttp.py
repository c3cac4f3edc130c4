"""Compiled routing inside aiohttp: `accelerate(app)`.

aiohttp keeps its resources by the text before their first variable and tries all that stand under a prefix of the path
one after the other.  Here the compiled matcher leaves only those whose whole shape fits, and aiohttp's own `resolve`
chooses among them, so the order, methods, sub-applications, static files and errors are its own.  A router is compiled
once it is frozen, which the start of the application does; before that it can still change and aiohttp does all of the
work.
"""

from __future__ import annotations

import re
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, cast

from aiohttp.web_urldispatcher import (
    AbstractResource,
    DynamicResource,
    PlainResource,
    PrefixedSubAppResource,
    Resource,
    UrlDispatcher,
    UrlMappingMatchInfo,
)

from brrtrouter.adapters._common import ONE_SEGMENT, Narrowing, Segments, Shape

if TYPE_CHECKING:
    from aiohttp.web import Application, Request

Entry = tuple[str, AbstractResource]

# More resources than this for one shape are no narrowing.
MAX_RESOURCES = 64
VARIABLE = re.compile(r"\{([_a-zA-Z][_a-zA-Z0-9]*)\}")


def accelerate(app: Application) -> Application:
    """Let a compiled matcher find the resources of `app` and its sub-applications; gives `app` back.

    Raises TypeError for an application with a router of its own class; such a sub-application is left as it is.
    """
    router = app.router
    if not isinstance(router, CompiledDispatcher):
        if type(router) is not UrlDispatcher:
            raise TypeError(f"only aiohttp's UrlDispatcher can be accelerated, not {type(router).__name__}")
        router.__class__ = CompiledDispatcher
    return app


class CompiledDispatcher(UrlDispatcher):
    """aiohttp's router, asked about those resources only that can match the path."""

    _narrowing: Narrowing[Narrowed] | None = None

    def resolve(self, request: Request) -> Coroutine[Any, Any, UrlMappingMatchInfo]:
        if self._narrowing is None:
            if not self.frozen:
                return super().resolve(request)
            self._narrowing = _compile(self)
        narrowed = self._narrowing.find(request.rel_url.path_safe)
        return super().resolve(request) if narrowed is None else narrowed.resolve(request)

    # A sub-application is frozen already when its paths get a prefix.
    def index_resource(self, resource: AbstractResource) -> None:
        self._narrowing = None
        super().index_resource(resource)

    def unindex_resource(self, resource: AbstractResource) -> None:
        self._narrowing = None
        super().unindex_resource(resource)


class Narrowed:
    """The resources that can match a path.  Stands in for the router in `UrlDispatcher.resolve`.

    direct: the resources in the order in which aiohttp tries them, where all of them match as aiohttp's own do and none
        is left out of the index for its prefix; otherwise empty.
    """

    def __init__(self, router: UrlDispatcher, entries: list[Entry], direct: bool) -> None:
        self._matched_sub_app_resources = router._matched_sub_app_resources
        self._resource_index: dict[str, list[AbstractResource]] = {}
        for key, resource in entries:
            self._resource_index.setdefault(key, []).append(resource)
        # The longest text goes first; `sorted` keeps the order of registration within one.
        ordered = sorted(entries, key=lambda entry: -len(entry[0]))
        self.direct: list[Any] = [resource for _, resource in ordered] if direct else []

    async def resolve(self, request: Request) -> UrlMappingMatchInfo:
        path, method = request.rel_url.path_safe, request.method
        for resource in self.direct:
            captures = resource._match(path)
            if captures is not None:
                route = resource._routes.get(method, resource._any_route)
                if route is not None:
                    return UrlMappingMatchInfo(captures, route)
        return await UrlDispatcher.resolve(cast(UrlDispatcher, self), request)


def _compile(router: UrlDispatcher) -> Narrowing[Narrowed]:
    for resource in router.resources():
        if isinstance(resource, PrefixedSubAppResource) and type(resource._app.router) is UrlDispatcher:
            accelerate(resource._app)
    entries = [(key, resource) for key, several in router._resource_index.items() for resource in several]
    shapes = [_shape(key, resource).compilable() for key, resource in entries]

    def make(_: Segments | None, numbers: tuple[int, ...]) -> Narrowed | None:
        if len(numbers) > MAX_RESOURCES:
            return None
        # A rule about the domain comes before all paths, and an open resource may be below another path.
        direct = not router._matched_sub_app_resources and not any(shapes[number].open for number in numbers)
        return Narrowed(router, [entries[number] for number in numbers], direct)

    return Narrowing([[shape] for shape in shapes], make)


def _shape(key: str, resource: AbstractResource) -> Shape:
    """A resource is tried for paths below its key only, and for those that its pattern fits, where we can read it."""
    below = Shape(tuple(key[1:].split("/")) if key != "/" else (), True)
    kind = type(resource)
    if isinstance(resource, PlainResource) and _unchanged(kind, PlainResource) and resource._path.startswith("/"):
        return Shape(tuple(resource._path[1:].split("/")))
    if isinstance(resource, DynamicResource) and _unchanged(kind, DynamicResource):
        return _dynamic(resource, below)
    return below


def _unchanged(kind: Any, own: type[Resource]) -> bool:
    """Whether a resource class of the user matches as aiohttp's own does."""
    return kind._match is own._match and kind.resolve is own.resolve


def _dynamic(resource: DynamicResource, key: Shape) -> Shape:
    """Read the formatter and the pattern side by side, up to the first variable that may hold a slash or be empty."""
    pattern = resource._pattern.pattern
    if resource._pattern.flags != re.UNICODE:
        return key
    text, at = "", 0
    for number, piece in enumerate(VARIABLE.split(resource._formatter)):
        start = f"(?P<{piece}>" if number % 2 else re.escape(piece)
        if not pattern.startswith(start, at):
            return key
        end = at + len(start)
        if number % 2:
            one = ONE_SEGMENT.match(pattern, end)
            if one is None or pattern[one.end()] != ")":
                # A '|' may close the group of its variable and make an alternative of the whole pattern.
                return key if "|" in pattern[at:] else Shape(_segments(text)[:-1], True)
            end = one.end() + 1
        text += "\0" if number % 2 else piece
        at = end
    return Shape(_segments(text)) if at == len(pattern) else key


def _segments(text: str) -> Segments:
    return tuple(None if "\0" in segment else segment for segment in text[1:].split("/"))
