"""A walk over every object of a document and of what it refers to, for rules to look at.

Each object is visited once per kind.  What is reached without entering `components` comes first, so that a component
that has not been visited by then is one that nothing uses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from brrtrouter.spec.bundle import Direction
from brrtrouter.spec.grammar import REFERENCE_ISSUES
from brrtrouter.spec.lint.fields import MAPS, OBJECTS, PLAIN
from brrtrouter.spec.reference import Files, Node, ReferenceProblem

# Where values of a schema travel: what is below one of these kinds is sent in this direction.
_DIRECTIONS: Final[dict[str, Direction]] = {
    "parameter": "request",
    "requestBody": "request",
    "response": "response",
    "header": "response",
}
_KNOWN: Final = {*OBJECTS, *MAPS}
# For every kind, the fields that hold objects.
_INNER: Final = {
    kind: {name: field for name, field in fields.items() if field.form not in PLAIN} for kind, fields in OBJECTS.items()
}
# How many values of one extension are looked through for references.
_EXTENSION_SIZE: Final = 1_000_000
_REFERABLE: Final = frozenset(REFERENCE_ISSUES)


class Visit(NamedTuple):
    """One object: `owner` is the kind of the object around it, `field` the field of that one which it stands in."""

    node: Node
    kind: str
    owner: str
    field: str
    direction: Direction | None

    @property
    def value(self) -> Any:
        """The object itself."""
        return self.node.value


class Walk:
    """`visits()` gives every object once; then `used` holds the pointers of components that something refers to."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.used: set[str] = set()
        self._stack: list[Visit] = []
        self._seen: set[tuple[int, str]] = set()
        self._counting = True

    def visits(self) -> Iterator[Visit]:
        """Each object, those of components that nothing uses last."""
        entry = self.files.entry
        self._stack.append(Visit(Node(entry.value, entry, ""), "root", "", "", None))
        components: list[Visit] = []
        while self._stack or components:
            if not self._stack:
                self._counting = False
                self._stack, components = components, []
            visit = self._stack.pop()
            if visit.kind == "components" and self._counting:
                components.append(visit)
                continue
            yield from self._visit(visit)

    def mark(self, node: Node) -> None:
        """Note that something refers to the component at `node`, or to a part of it."""
        if self._counting and node.resource is self.files.entry and node.pointer.startswith("/components/"):
            self.used.add("/".join(node.pointer.split("/", 4)[:4]))

    def _visit(self, visit: Visit) -> Iterator[Visit]:
        node, kind = visit.node, visit.kind
        value = node.value
        if not isinstance(value, dict):
            if isinstance(value, bool) and kind == "schema":
                return
            yield visit
            return
        mark = (id(value), kind)
        if mark in self._seen:
            return
        self._seen.add(mark)
        if kind == "schema" and "$id" in value:
            node = self.files.enter(node)
            visit = visit._replace(node=node)
        yield visit
        if kind in _REFERABLE:
            for keyword in ("$ref", "$dynamicRef"):
                if isinstance(value.get(keyword), str):
                    self._follow(visit, value[keyword])
            if "$ref" in value and kind != "pathItem" and (kind != "schema" or self.files.dialect == "3.0"):
                return
        for name, item in value.items():
            if name.startswith("x-") and isinstance(item, (dict, list)) and self._counting:
                self._extension(node.child(name))
        direction = _DIRECTIONS.get(kind, visit.direction)
        if MAPS.get(kind):
            for name in reversed(value):
                if not name.startswith("x-"):
                    self._stack.append(Visit(node.child(name), MAPS[kind], kind, name, direction))
            return
        inner = _INNER.get(kind, {})
        # The last one pushed is the next one visited, so that objects come in the order of the document.
        for name in reversed(value):
            if name in inner:
                field = inner[name]
                self._members(Visit(node.child(name), field.form, kind, name, direction), field.many)

    def _members(self, visit: Visit, many: str) -> None:
        node = visit.node
        if visit.kind not in _KNOWN:
            return
        if many == "one":
            self._stack.append(visit)
        elif many == "list" and isinstance(node.value, list):
            self._stack += [visit._replace(node=node.child(at)) for at in reversed(range(len(node.value)))]
        elif many == "map" and isinstance(node.value, dict):
            free = visit.kind != "schema"
            names = [name for name in reversed(node.value) if not (free and name.startswith("x-"))]
            self._stack += [visit._replace(node=node.child(name)) for name in names]

    def _extension(self, node: Node) -> None:
        """What an extension means nobody knows here, but a component that it refers to is one that is used."""
        stack = [node.value]
        for _ in range(_EXTENSION_SIZE):
            if not stack:
                return
            value = stack.pop()
            if isinstance(value, list):
                stack += value
            elif isinstance(value, dict):
                stack += value.values()
                self._used_by_extension(node, value.get("$ref"))

    def _used_by_extension(self, node: Node, reference: Any) -> None:
        if not isinstance(reference, str):
            return
        try:
            target = self.files.resolve(reference, node.resource)
        except ReferenceProblem:
            return
        field = _INNER["components"].get(target.pointer.split("/")[2] if target.pointer.count("/") == 3 else "")
        if field is not None:
            self.mark(target)
            self._stack.append(Visit(target, field.form, "components", "", None))

    def _follow(self, visit: Visit, reference: str) -> None:
        try:
            target = self.files.resolve(reference, visit.node.resource)
        except ReferenceProblem:
            return
        self.mark(target)
        self._stack.append(visit._replace(node=target))
