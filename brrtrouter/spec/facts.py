"""What a parameter's schema says about its text: which types to try and how the text is taken apart.

OpenAPI 3.1 section 4.8.12 lets a reader look through `$ref` and `allOf`.  `anyOf` and `oneOf` are looked into
as well, but only for the types and shapes of their branches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from brrtrouter.spec.formats import NUMBER_FORMATS, TEXT_FORMATS
from brrtrouter.spec.model import MISSING, CastType
from brrtrouter.spec.reference import MAX_CHAIN, Files, Node, ReferenceProblem

_ORDER: Final[tuple[CastType, ...]] = ("null", "integer", "number", "boolean", "string")
SCALARS: Final = frozenset(_ORDER)
# How many subschemas are read for one parameter; branches that refer to branches could double for ever.
_BUDGET: Final = 10_000
_ALL: Final = SCALARS | {"array", "object"}

# Keywords that have no say in validity, in both dialects.
_ANNOTATIONS: Final = frozenset(
    {
        *("type", "nullable", "description", "title", "default", "example", "examples", "deprecated", "$comment"),
        *("readOnly", "writeOnly", "externalDocs", "xml", "contentEncoding", "contentMediaType"),
    }
)
# Formats that change nothing about which texts are right; every other known one is asserted.
ASSERTED_FORMATS: Final = frozenset(
    {
        *TEXT_FORMATS,
        *(NUMBER_FORMATS.keys() - {"double"}),  # no number is cast to more than a double can be
        *("date", "date-time", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6"),
        *("uri", "uri-reference", "uri-template", "iri", "iri-reference", "json-pointer", "relative-json-pointer"),
        *("regex", "uuid"),
    }
)


@dataclass(slots=True)
class Facts:
    """What is known of one schema; `types` is None while nothing restricts them."""

    types: frozenset[str] | None = None
    items: list[Node] = field(default_factory=list)
    properties: dict[str, Node] = field(default_factory=dict)
    additional: Node | None = None
    default: Any = MISSING

    def narrow(self, types: Iterable[str]) -> None:
        """Allow only `types`; an integer is a number too."""
        new = frozenset(types)
        if self.types is None:
            self.types = new
            return
        both = self.types & new
        if ("integer" in new and "number" in self.types) or ("integer" in self.types and "number" in new):
            both |= {"integer"}
        self.types = both

    def absorb(self, other: Facts) -> None:
        """Take over what a branch of `allOf` or the target of a `$ref` says."""
        if other.types is not None:
            self.narrow(other.types)
        self.items += other.items
        for name, node in other.properties.items():
            self.properties.setdefault(name, node)
        self.additional = self.additional or other.additional
        if self.default is MISSING:
            self.default = other.default


class FactFinder:
    """Reads facts from the schemas of one document."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.old = files.dialect == "3.0"

    def facts(self, node: Node) -> Facts:
        """All that the schema at `node` says; garbage says nothing, for `check.py` has reported it."""
        return self._read(node, MAX_CHAIN, [_BUDGET])

    def cast_types(self, node: Node) -> tuple[CastType, ...]:
        """The casts to try for a scalar described by the schema at `node`; text when it says nothing."""
        return ordered(self.facts(node).types)

    def _read(self, node: Node, depth: int, budget: list[int]) -> Facts:
        facts = Facts()
        budget[0] -= 1
        value = node.value
        if not isinstance(value, dict) or depth == 0 or budget[0] < 0:
            return facts
        depth -= 1
        if isinstance(value.get("$ref"), str):
            try:
                target = self.files.resolve(value["$ref"], node.resource)
            except ReferenceProblem:
                return facts
            if self.old:
                return self._read(target, depth, budget)
            facts.default = value.get("default", MISSING)
            facts.absorb(self._read(target, depth, budget))
        self._own(node, facts)
        if isinstance(value.get("allOf"), list):
            branches = node.child("allOf")
            for at in range(len(branches.value)):
                facts.absorb(self._read(branches.child(at), depth, budget))
        for keyword in ("anyOf", "oneOf"):
            if isinstance(value.get(keyword), list) and value[keyword]:
                self._alternatives(node.child(keyword), facts, depth, budget)
        return facts

    def _own(self, node: Node, facts: Facts) -> None:
        value = node.value
        kind = value.get("type")
        if isinstance(kind, str) and kind in _ALL:
            facts.narrow({kind, "null"} if self.old and value.get("nullable") is True else {kind})
        elif isinstance(kind, list):
            facts.narrow(name for name in kind if isinstance(name, str) and name in _ALL)
        elif isinstance(value.get("enum"), list) and value["enum"]:
            facts.narrow({_type_of(item) for item in value["enum"]})
        elif "const" in value and not self.old:
            facts.narrow({_type_of(value["const"])})
        elif isinstance(value.get("properties"), dict):
            facts.narrow({"object"})
        elif isinstance(value.get("items"), dict):
            facts.narrow({"array"})
        if isinstance(value.get("items"), dict):
            facts.items.append(node.child("items"))
        if isinstance(value.get("prefixItems"), list):
            members = node.child("prefixItems")
            facts.items += [members.child(at) for at in range(len(members.value))]
        if isinstance(value.get("properties"), dict):
            members = node.child("properties")
            for name, item in members.value.items():
                if isinstance(item, (dict, bool)):
                    facts.properties.setdefault(name, members.child(name))
        if "additionalProperties" in value and facts.additional is None:
            facts.additional = node.child("additionalProperties")
        if facts.default is MISSING:
            facts.default = value.get("default", MISSING)

    def _alternatives(self, branches: Node, facts: Facts, depth: int, budget: list[int]) -> None:
        read = [self._read(branches.child(at), depth, budget) for at in range(len(branches.value))]
        together: set[str] = set()
        for branch in read:
            if branch.types is None:
                return
            together |= branch.types
            facts.items += branch.items
            for name, node in branch.properties.items():
                facts.properties.setdefault(name, node)
            if facts.additional is None and branch.additional is not None and isinstance(branch.additional.value, dict):
                facts.additional = branch.additional
        facts.narrow(together)

    def proven(self, node: Node) -> bool:
        """Whether a scalar or an array of scalars that was cast by `cast_types` always satisfies the schema."""
        return self._proven(node, MAX_CHAIN, arrays=True)

    def _proven(self, node: Node, budget: int, *, arrays: bool) -> bool:
        value = node.value
        if isinstance(value, bool):
            return value
        if not isinstance(value, dict) or not budget:
            return False
        if isinstance(value.get("$ref"), str) and (self.old or len(value) == 1):
            try:
                target = self.files.resolve(value["$ref"], node.resource)
            except ReferenceProblem:
                return False
            return self._proven(target, budget - 1, arrays=arrays)
        for keyword, item in value.items():
            if keyword in _ANNOTATIONS or keyword.startswith("x-"):
                continue
            if keyword == "format" and not (isinstance(item, str) and item in ASSERTED_FORMATS):
                continue
            if keyword == "items" and arrays and self._proven(node.child("items"), budget - 1, arrays=False):
                continue
            return False
        kind = value.get("type")
        return kind is None or (isinstance(kind, str) and kind in (SCALARS | {"array"} if arrays else SCALARS))


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    return {float: "number", str: "string", list: "array"}.get(type(value), "object")


def ordered(types: frozenset[str] | None) -> tuple[CastType, ...]:
    """The scalar types in the order in which casts are tried; text when there are none."""
    found = tuple(name for name in _ORDER if types and name in types)
    return found or ("string",)
