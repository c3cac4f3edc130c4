"""Compiled routing inside Litestar: `accelerate(app)`.

Litestar walks a trie of its own: at each segment the text goes before the parameter, and it never goes back, so a text
that leads nowhere is a 404 even where a parameter would have fitted.  The compiled answer is used when no captured
value is the text of such a neighbour, for then both walks are the same.  Mounts, parameters of type `path`, ASGI
handlers, paths without parameters and everything that ends in an error stay with Litestar.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from litestar._asgi.routing_trie.traversal import parse_path_params
from litestar._asgi.routing_trie.types import PathParameterSentinel

from brrtrouter.adapters._common import ANY, Segments, Shape
from brrtrouter.core.matcher import Matcher
from brrtrouter.errors import PathError

if TYPE_CHECKING:
    from litestar import Litestar
    from litestar._asgi.asgi_router import ASGIRouter
    from litestar._asgi.routing_trie.types import RouteTrieNode

Answer = tuple[Any, Any, str, dict[str, Any], str]


def accelerate(app: Litestar) -> Litestar:
    """Let a compiled matcher find the routes of `app`, those registered later too; gives `app` back."""
    router = app.asgi_router
    if not isinstance(router.handle_routing.__wrapped__, CompiledRouting):
        # Litestar remembers the answers for the last paths, and so has to go on.
        size = router.handle_routing.cache_parameters()["maxsize"]
        router.handle_routing = lru_cache(size)(CompiledRouting(router))
    return app


@dataclass(frozen=True)
class Target:
    """A node of the trie that answers, and for its captures the texts that would have led elsewhere."""

    node: RouteTrieNode
    neighbours: tuple[tuple[int, frozenset[str]], ...]
    # By method the names, where no value has to be parsed.
    names: dict[str, tuple[str, ...]]


class CompiledRouting:
    """Takes the place of `ASGIRouter._handle_routing`; called with a normalized path and a method."""

    def __init__(self, router: ASGIRouter) -> None:
        self.router = router
        self.plain = router._handle_routing
        self.compiled = -1
        self.match = Matcher([]).match

    def compile(self) -> None:
        count = len(self.router._registered_routes)
        self.match = Matcher(
            (ANY, Shape(segments).template, target) for segments, target in _targets(self.router)
        ).match
        self.compiled = count

    def __call__(self, path: str, method: Any) -> Answer:
        router = self.router
        # A registered route is never taken away, so their number tells whether there are new ones.
        if len(router._registered_routes) != self.compiled:
            self.compile()
        if "%" not in path and path not in router._plain_routes:
            try:
                found = self.match(ANY, path)
            except PathError:
                found = None
            mounts = router._mount_paths_regex
            if found is not None and (mounts is None or not mounts.match(path)):
                answer = _answer(found[0], path, method or "websocket", tuple(found[1].values()))
                if answer is not None:
                    return answer
        return self.plain(path=path, method=method)


def _answer(target: Target, path: str, key: Any, values: tuple[str, ...]) -> Answer | None:
    for number, texts in target.neighbours:
        if values[number] in texts:
            return None
    node = target.node
    handlers = node.asgi_handlers.get(key)
    if handlers is None:
        return None
    if (names := target.names.get(key)) is not None:
        params: dict[str, Any] = dict(zip(names, values, strict=True))
    else:
        try:
            params = parse_path_params(node.path_parameters[key], values)
        except ValueError:
            return None
    return handlers.asgi_app, handlers.handler, path, params, node.path_template


def _targets(router: ASGIRouter) -> Iterator[tuple[Segments, Target]]:
    """All nodes that a walk can end at without a rest of the path, by the segments that lead there."""
    waiting: list[tuple[RouteTrieNode, Segments, tuple[tuple[int, frozenset[str]], ...]]]
    waiting = [(router.root_route_map_node, (), ())]
    while waiting:
        node, segments, neighbours = waiting.pop()
        target = _target(node, segments.count(None), neighbours)
        if target is not None and _compilable(segments):
            yield segments, target
        # Litestar looks for a text in `child_keys` only; what else is among the children cannot be reached.
        texts = frozenset(key for key in node.child_keys if isinstance(key, str))
        waiting += [(node.children[text], (*segments, text), neighbours) for text in texts if "/" not in text]
        parameter = node.children.get(PathParameterSentinel) if node.is_path_param_node else None
        if parameter is not None and not parameter.is_path_type:
            beside = ((segments.count(None), texts),) if texts else ()
            waiting.append((parameter, (*segments, None), (*neighbours, *beside)))


def _compilable(segments: Segments) -> bool:
    shape = Shape(segments)
    return None in segments and shape.compilable() == shape


def _target(node: RouteTrieNode, count: int, neighbours: tuple[tuple[int, frozenset[str]], ...]) -> Target | None:
    parameters = node.path_parameters
    if node.is_asgi or not node.asgi_handlers or any(len(several) != count for several in parameters.values()):
        return None
    names = {
        str(method): tuple(each.name for each in several)
        for method, several in parameters.items()
        if all(each.parser is None for each in several)
    }
    return Target(node, neighbours, names)
