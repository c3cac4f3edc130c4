"""Falcon: `falcon.App(router=Router())`, likewise for `falcon.asgi.App`.

`Router` is falcon's own `CompiledRouter`, which keeps all routes and finds every path that the compiled index does not
prove: empty fields, multi-segment converters and converters of the user.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from falcon import inspect as falcon_inspect
from falcon.routing import CompiledRouter
from falcon.routing.compiled import CompiledRouterNode
from falcon.routing.converters import BUILTIN, BaseConverter

from brrtrouter.adapters._shapes import Candidate, Index, Rule, Shape, build_index, literal_prefix, numbers
from brrtrouter.errors import PathError

__all__ = ["Router"]

Found = tuple[object, Any, dict[str, Any], "str | None"]
Step = tuple[int, "str | None", "re.Pattern[str] | None", "tuple[tuple[str, BaseConverter], ...]"]

# Converters of falcon have no effects and raise nothing, so that it does not matter when they are called.
PURE = frozenset(converter for _, converter in BUILTIN if not getattr(converter, "CONSUME_MULTIPLE_SEGMENTS", False))
# Falcon writes a literal between quotes into Python source, and nests that source: what is odd there stays odd.
PLAIN_LITERAL = re.compile(r"[^'\\\x00-\x1f\x7f\ud800-\udfff]*")
MAX_NESTING = 20


class Router(CompiledRouter):
    """A `CompiledRouter` that finds through an index, which is built when falcon compiles, after the last route."""

    __slots__ = ("_index",)

    def __init__(self) -> None:
        super().__init__()
        self._index: Index | None = None

    def add_route(self, uri_template: str, resource: object, **kwargs: Any) -> None:
        """Add a route, as `CompiledRouter.add_route` does.  Raises UnacceptableRouteError."""
        super().add_route(uri_template, resource, **kwargs)
        if not kwargs.get("compile", False):
            self._index = None

    def _compile(self) -> Callable[..., Any]:
        find = super()._compile()
        self._index = _index(self._roots, self._converter)
        return find

    def _converter(self, name: str, arguments: str | None) -> BaseConverter | None:
        converter = self._converter_map[name]
        return self._instantiate_converter(converter, arguments) if converter in PURE else None

    def find(self, uri: str, req: Any = None) -> Found | None:
        """(resource, method map, fields, template) for a decoded path, or None."""
        index = self._index
        if index is None:
            return super().find(uri, req)
        try:
            found = index.match("GET", uri if "%" not in uri else uri.replace("%", "%25"))
        except PathError:
            return super().find(uri, req)
        if found is None:
            # Falcon skips leading slashes and lets a field be empty.
            if "//" in uri or uri[:1] != "/" or uri[-1] == "/" or not index.nothing_fits(uri):
                return super().find(uri, req)
            return None
        node, params = found
        if node.__class__ is CompiledRouterNode:
            return node.resource, node.method_map or {}, params, node.uri_template
        return super().find(uri, req) if node is None else self._choose(node, uri)

    def _choose(self, candidates: tuple[Candidate[_Route | None], ...], uri: str) -> Found | None:
        segments = uri[1:].split("/")
        for candidate in candidates:
            if candidate.excluded(uri, segments):
                continue
            if candidate.value is None:
                return super().find(uri)
            params = candidate.value.params(segments)
            if params is not None:
                node = candidate.value.node
                return node.resource, node.method_map or {}, params, node.uri_template
        return None


falcon_inspect.register_router(Router)(falcon_inspect.inspect_compiled_router)


class _Route:
    """A node with a resource, and what becomes of the segments that are no literals."""

    def __init__(self, node: CompiledRouterNode, steps: Iterable[Step]) -> None:
        self.node = node
        self.steps = tuple(steps)
        self.direct = all(pattern is None and not converters for _, _, pattern, converters in self.steps)

    def params(self, segments: Sequence[str]) -> dict[str, Any] | None:
        """The fields, None when a segment is refused."""
        params: dict[str, Any] = {}
        for number, name, pattern, converters in self.steps:
            fields = {name or "": segments[number]}
            if pattern is not None:
                match = pattern.match(segments[number])
                if match is None:
                    return None
                fields = match.groupdict()
            for field, converter in converters:
                value = converter.convert(fields.pop(field))
                if value is None:
                    return None
                params[field] = value
            params.update(fields)
        return params


def _index(roots: list[CompiledRouterNode], make: Callable[[str, str | None], BaseConverter | None]) -> Index | None:
    rules = list(_rules(roots, make, (), ()))
    if any(rule.shape is not None and len(rule.shape) > MAX_NESTING for rule in rules):
        return None
    if not all(_plain(node) for node in _walk(roots)):
        return None
    return build_index(rules, _slot)


def _walk(nodes: list[CompiledRouterNode]) -> Iterator[CompiledRouterNode]:
    for node in nodes:
        yield node
        yield from _walk(node.children)


def _plain(node: CompiledRouterNode) -> bool:
    return node.is_var or PLAIN_LITERAL.fullmatch(node.raw_segment) is not None


def _rules(
    nodes: list[CompiledRouterNode],
    make: Callable[[str, str | None], BaseConverter | None],
    shape: Shape,
    steps: tuple[Step, ...],
) -> Iterator[Rule[_Route | None]]:
    """In falcon's order: literals, then segments of several parts as they were added, then the one field."""
    for node in sorted(nodes, key=lambda node: node.is_var + (node.is_var and not node.is_complex)):
        inner: Shape = (*shape, None if node.is_var else node.raw_segment)
        taken = steps
        if node.is_var:
            converters = [(field, make(name, arguments)) for field, name, arguments in node.var_converter_map]
            known = tuple((field, converter) for field, converter in converters if converter is not None)
            if len(known) < len(converters):
                yield Rule(None, None, literal_prefix(inner))
                continue
            taken = (*steps, (len(shape), node.var_name, node.var_pattern, known))
        yield from _rules(node.children, make, inner, taken)
        if node.resource is not None:
            yield Rule(_Route(node, taken), inner)


def _slot(shape: Shape, candidates: list[Candidate[_Route | None]] | None) -> tuple[Iterable[str], Any]:
    # To a path with an empty segment falcon may prefer a field, which a Matcher does not let be empty.
    if candidates is None or "" in shape:
        return numbers(shape), None
    first = candidates[0]
    if first.exact and first.value is not None and first.value.direct:
        return [name or "" for _, name, _, _ in first.value.steps], first.value.node
    return numbers(shape), tuple(candidates)
