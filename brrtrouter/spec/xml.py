"""XML Objects to `model.XmlShape` (OpenAPI 3.1 section 4.8.26; 3.2 section 4.26 with nodeType)."""

from __future__ import annotations

from typing import Any, Final

from brrtrouter.spec.facts import FactFinder, ordered
from brrtrouter.spec.model import XmlShape
from brrtrouter.spec.reference import Node, ReferenceProblem

_NOTHING: Final[dict[str, Any]] = {}


class XmlReader:
    """Makes the shapes of one document; a schema has one shape wherever it is used."""

    def __init__(self, facts: FactFinder, version: tuple[int, int]) -> None:
        self.facts = facts
        self.files = facts.files
        self.version = version
        self._shapes: dict[int, XmlShape] = {}
        # Shapes are found by the identity of their schemas, which must not be used again.
        self._kept: list[Any] = []

    def shape(self, schema: Node) -> XmlShape:
        """The shape of a root element: named by its XML Object, else by the component that it is."""
        found = self._shape(schema)
        if found.name is None and isinstance(schema.value, dict) and isinstance(schema.value.get("$ref"), str):
            try:
                pointer = self.files.resolve(schema.value["$ref"], schema.resource).pointer
            except ReferenceProblem:
                return found
            if "/schemas/" in pointer:
                return _named(found, pointer.rpartition("/")[2])
        return found

    def _shape(self, schema: Node) -> XmlShape:
        known = self._shapes.get(id(schema.value))
        if known is not None:
            return known
        self._kept.append(schema.value)
        facts = self.facts.facts(schema)
        said = self._said(schema)
        made = self._shapes[id(schema.value)] = XmlShape(
            name=_text(said, "name"), namespace=_text(said, "namespace"), types=ordered(facts.types)
        )
        types = (facts.types or frozenset()) - {"null"}
        if "array" in types:
            made.kind = "list"
            if facts.items:
                made.item = self._shape(facts.items[0])
        elif "object" in types:
            made.kind = "object"
            for name, node in facts.properties.items():
                self._add(made, name, node)
            if facts.additional is not None and isinstance(facts.additional.value, dict):
                made.additional = self._shape(facts.additional)
        return made

    def _add(self, parent: XmlShape, name: str, node: Node) -> None:
        """Say where the member `name` of an object is found."""
        shape = self._shape(node)
        said = self._said(node)
        kind = self._node_type(said, is_list=shape.kind == "list")
        if kind == "attribute":
            parent.attributes[shape.name or name] = (name, shape)
        elif kind in ("text", "cdata"):
            parent.text = (name, shape)
        elif kind == "none" and shape.kind == "list":
            item = shape.item or XmlShape()
            bare = XmlShape(kind="list", item=item, bare=True, namespace=item.namespace)
            parent.elements[item.name or name] = (name, bare)
        else:
            if shape.kind == "list" and shape.item is not None and shape.item.name is None:
                shape = _with_item(shape, _named(shape.item, shape.name or name))
            parent.elements[shape.name or name] = (name, shape)

    def _node_type(self, said: dict[str, Any], *, is_list: bool) -> str:
        kind = said.get("nodeType")
        if self.version >= (3, 2) and isinstance(kind, str):
            return kind
        if said.get("attribute") is True:
            return "attribute"
        return "none" if is_list and said.get("wrapped") is not True else "element"

    def _said(self, schema: Node) -> dict[str, Any]:
        """The XML Object of a schema, looked for behind `$ref` and in `allOf` too; the outer one wins."""
        for node in self.files.behind(schema):
            if isinstance(node.value.get("xml"), dict):
                return node.value["xml"]  # type: ignore[no-any-return]
        return _NOTHING


def _text(said: dict[str, Any], name: str) -> str | None:
    value = said.get(name)
    return value if isinstance(value, str) and value else None


def _named(shape: XmlShape, name: str) -> XmlShape:
    """The same shape for an element of that name; what is below is shared, and may still be growing."""
    return XmlShape(
        name, shape.namespace, shape.kind, shape.types, shape.elements, shape.attributes, shape.text, shape.additional,
        shape.item, shape.bare,
    )  # fmt: skip


def _with_item(shape: XmlShape, item: XmlShape) -> XmlShape:
    return XmlShape(shape.name, shape.namespace, "list", shape.types, item=item)
