"""Schemas to types and models.

A schema is read together with all that holds at the same time (`allOf`, `$ref`s), as one list of nodes.  Components
keep their names; what has none is named by its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from brrtrouter.codegen.ir import (
    ANY,
    ANYTHING,
    BOOL,
    DATE,
    DATETIME,
    DECIMAL,
    FLOAT,
    INT,
    NONE,
    STR,
    UUID,
    Alias,
    ListOf,
    LiteralOf,
    MapOf,
    Member,
    Model,
    Named,
    Struct,
    Type,
    UnionOf,
    spelled,
)
from brrtrouter.codegen.names import Scope, pascal, snake
from brrtrouter.codegen.text import one_line
from brrtrouter.codegen.unions import choice, leaves
from brrtrouter.spec.discriminator import read_choice
from brrtrouter.spec.model import MISSING
from brrtrouter.spec.reference import MAX_CHAIN, Files, Node, ReferenceProblem, unescape

# Keywords that say what a value is, not only which of its kind are valid.
_TELLING: Final = frozenset(
    {
        *("$ref", "$dynamicRef", "type", "enum", "const", "properties", "items", "prefixItems", "additionalProperties"),
        *("patternProperties", "allOf", "oneOf", "anyOf", "format"),
    }
)
_TYPES: Final = ("object", "array", "string", "integer", "number", "boolean", "null")
_FORMATS: Final = {"date-time": DATETIME, "date": DATE, "uuid": UUID, "decimal": DECIMAL}
_IMPLIED: Final = {
    "properties": "object",
    "additionalProperties": "object",
    "patternProperties": "object",
    "items": "array",
    "prefixItems": "array",
}
# What names of members of a struct cannot have in them.
_UNSAYABLE: Final = re.compile(r'[\\"\x00-\x1f]')
# A choice with more branches than this, counted with those of its branches, is not spelled out.
MAX_BRANCHES: Final = 200
# Longer annotations, and choices of more constants, get a name of their own.
_LONG: Final = 70
_DEEP: Final = 60


class SchemaReader:
    """Reads the schemas of one description; `models` has what it made, in the order in which it was found."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.models: list[Model] = []
        self._old = files.dialect == "3.0"
        self._scope = Scope()
        self._known: dict[tuple[int, ...], Type] = {}
        self._open: set[tuple[int, ...]] = set()
        self._todo: list[tuple[Struct, list[Node], bool]] = []
        # What was made of schemas on the way is kept, so that its identity is not given to something else.
        self._kept: dict[tuple[int, str], dict[str, Any]] = {}
        self._depth = 0

    def claim(self, name: str) -> str:
        """A name of a class that nothing else in the project has."""
        return self._scope.claim(pascal(name))

    def read(self, node: Node, name: str, *, partial: bool = False) -> Type:
        """The type of a schema.  partial: what is absent stays absent, as in a PATCH, whatever the defaults."""
        found = self._read([node], name, partial)
        while self._todo:
            self._fill(*self._todo.pop())
        return found

    # -- what holds at once ----------------------------------------------------------------------------------

    def _reduced(self, nodes: Sequence[Node]) -> tuple[list[Node], str]:
        """The nodes without those that say nothing, a lone reference followed; and the name of what was referred to."""
        name = ""
        for _ in range(MAX_CHAIN):
            nodes = [each for each in nodes if isinstance(each.value, dict) and _TELLING & each.value.keys()]
            if len(nodes) != 1:
                break
            value = nodes[0].value
            telling = _TELLING & value.keys()
            if "$ref" in value and (self._old or telling == {"$ref"}):
                target = self._target(nodes[0])
                if target is None:
                    return [], name
                name = _named(target) or name
                nodes = [target]
            elif telling == {"allOf"} and isinstance(value["allOf"], list):
                inner = list(self._children(nodes[0], "allOf"))
                telling_inner = [
                    each for each in inner if isinstance(each.value, dict) and _TELLING & each.value.keys()
                ]
                if len(telling_inner) != 1 or _has_own_say(value):
                    break
                nodes = inner
            else:
                break
        return list(nodes), name

    def _target(self, node: Node) -> Node | None:
        try:
            return self.files.enter(self.files.resolve(node.value["$ref"], node.resource))
        except (ReferenceProblem, TypeError):
            return None

    @staticmethod
    def _children(node: Node, keyword: str) -> Iterator[Node]:
        inner = node.value.get(keyword)
        if isinstance(inner, list):
            yield from (node.child(keyword).child(at) for at in range(len(inner)))

    def _parts(self, nodes: Sequence[Node]) -> list[Node]:
        """The nodes and those that they take over, each once; references last, as they are the base."""
        found: dict[int, Node] = {}
        todo = list(reversed(nodes))
        while todo and len(found) < 10 * MAX_CHAIN:
            node = todo.pop()
            if not isinstance(node.value, dict) or id(node.value) in found:
                continue
            reference = isinstance(node.value.get("$ref"), str)
            if not (reference and self._old):
                found[id(node.value)] = node
                todo += reversed(list(self._children(node, "allOf")))
            target = self._target(node) if reference else None
            todo += [target] if target is not None else []
        return list(found.values())

    # -- types -----------------------------------------------------------------------------------------------

    def _read(self, nodes: Sequence[Node], name: str, partial: bool = False) -> Type:
        nodes, named = self._reduced(nodes)
        if not nodes:
            return ANY
        key = tuple(sorted({id(each.value) for each in nodes}))
        known = self._known.get(key)
        if known is not None:
            return known
        if key in self._open or self._depth > _DEEP:
            return ANY  # an alias that contains itself, which msgspec cannot follow
        self._open.add(key)
        self._depth += 1
        try:
            found = self._made(list(nodes), named or name, partial, key)
        finally:
            self._open.discard(key)
            self._depth -= 1
        found = self._known[key] = self._aliased(found, named, name, nodes[0])
        return found

    def _aliased(self, found: Type, named: str, name: str, node: Node) -> Type:
        """The type under a name of its own, if it is long, or a choice that the description gives a name."""
        if not isinstance(found, (LiteralOf, UnionOf)):
            return found
        real = [each for each in leaves(found) if each != NONE]
        if len(spelled(found)) <= _LONG and not (named and (len(real) > 1 or isinstance(real[0], LiteralOf))):
            return found
        if (
            isinstance(found, UnionOf)
            and len(found.members) == 2
            and NONE in found.members
            and isinstance(found.members[0], Named)
        ):
            return found
        if isinstance(found, UnionOf) and len(real) > 1:
            found = UnionOf(tuple(self._short(each, f"{named or name}Constant", node) for each in found.members))
        alias = Alias(self.claim(named or name), self._doc([node]), node.place, type=found)
        self.models.append(alias)
        return Named(alias)

    def _short(self, kind: Type, name: str, node: Node) -> Type:
        """A long list of constants inside of a choice, under a name."""
        if not isinstance(kind, LiteralOf) or len(spelled(kind)) <= _LONG:
            return kind
        alias = Alias(self.claim(name), "", node.place, type=kind)
        self.models.append(alias)
        return Named(alias)

    def _made(self, nodes: list[Node], name: str, partial: bool, key: tuple[int, ...]) -> Type:
        parts = self._parts(nodes)
        constant = self._constant(parts)
        if constant is not None:
            return constant
        for part in parts:
            for keyword in ("oneOf", "anyOf"):
                branches = list(self._children(part, keyword))
                if len(branches) > MAX_BRANCHES:
                    return ANY
                if any(isinstance(each.value, dict) and _TELLING & each.value.keys() for each in branches):
                    return self._choice(parts, part, keyword, branches, name, partial)
        allowed = self._allowed(parts)
        if allowed is None:
            return ANY
        found: list[Type] = []
        for kind in allowed:
            if kind == "object":
                found.append(self._object(parts, name, partial, key if len(allowed) == 1 else None))
            elif kind == "array":
                found.append(self._array(parts, name))
            else:
                found.append(self._scalar(kind, parts))
        return choice(found) if found else ANY

    def _constant(self, parts: list[Node]) -> Type | None:
        """The type of what is listed value by value; None when nothing is."""
        listed: list[Any] | None = None
        for part in parts:
            own = [part.value["const"]] if "const" in part.value else part.value.get("enum")
            if isinstance(own, list) and own:
                listed = own if listed is None else [each for each in listed if each in own] or own
        if listed is None:
            return None
        allowed = self._allowed(parts)
        if allowed is not None:
            wanted = {*allowed, "integer" if "number" in allowed else ""}
            listed = [each for each in listed if _type_of(each) in wanted] or listed
        return choice(_listed(listed))

    def _allowed(self, parts: list[Node]) -> list[str] | None:
        """The JSON types that all parts allow; None when nothing is said."""
        allowed: set[str] | None = None
        for part in parts:
            declared = part.value.get("type")
            if isinstance(declared, str):
                own = {declared} | ({"null"} if self._old and part.value.get("nullable") is True else set())
            elif isinstance(declared, list):
                own = {each for each in declared if isinstance(each, str)}
            else:
                continue
            own |= {"integer"} if "number" in own else set()
            allowed = own if allowed is None else allowed & own
        if allowed is None:
            implied = {kind for part in parts for keyword, kind in _IMPLIED.items() if keyword in part.value}
            implied |= {"string"} if any(part.value.get("format") in _FORMATS for part in parts) else set()
            return sorted(implied) if len(implied) == 1 else None
        allowed -= {"integer"} if "number" in allowed else set()
        return [kind for kind in _TYPES if kind in allowed] or None

    def _scalar(self, kind: str, parts: list[Node]) -> Type:
        if kind == "string":
            formats = [part.value["format"] for part in parts if isinstance(part.value.get("format"), str)]
            return next((_FORMATS[each] for each in formats if each in _FORMATS), STR)
        return {"integer": INT, "number": FLOAT, "boolean": BOOL, "null": NONE}[kind]

    def _array(self, parts: list[Node], name: str) -> Type:
        items = [part.child("items") for part in parts if isinstance(part.value.get("items"), dict)]
        fixed = [each for part in parts for each in self._children(part, "prefixItems")]
        if not fixed:
            return ListOf(self._read(items, f"{name}Item"))
        kinds = [self._read([each], f"{name}Item{at}") for at, each in enumerate(fixed, 1)]
        closed = any(part.value.get("items") is False for part in parts)
        kinds += [] if closed else [self._read(items, f"{name}Item")]
        return ListOf(choice(kinds))

    # -- choices ---------------------------------------------------------------------------------------------

    def _choice(
        self, parts: list[Node], owner: Node, keyword: str, branches: list[Node], name: str, partial: bool
    ) -> Type:
        base = [self._without(part, keyword) if part is owner else self._without(part, "allOf") for part in parts]
        base = [self._without(part, "$ref") if "$ref" in part.value else part for part in base]
        base = [part for part in (self._without(each, "allOf") for each in base) if _TELLING & part.value.keys()]
        # A type alone adds nothing to what branches say themselves, but for those that say nothing of it.
        only_type = all(_TELLING & part.value.keys() <= {"type"} for part in base)
        found: list[Type] = []
        for at, branch in enumerate(branches, 1):
            own, _ = self._reduced([branch])
            if base and only_type and own and self._allowed(self._parts(own)) is not None:
                found.append(self._read([branch], f"{name}Option{at}", partial))
            else:
                found.append(self._read([*base, branch], f"{name}Option{at}", partial))
        named = read_choice(self.files, owner, keyword)
        if named is None:
            return choice(found)
        by_index: dict[int, list[str]] = {}
        for tag, index in named.branches.items():
            by_index.setdefault(index, []).append(tag)
        mapping = (
            owner.value.get("discriminator", {}).get("mapping")
            if isinstance(owner.value.get("discriminator"), dict)
            else None
        )
        tags = {}
        for index, names in by_index.items():
            explicit = [each for each in names if isinstance(mapping, dict) and each in mapping] or names
            if len(explicit) == 1:
                tags[index] = explicit[0]
        if any(not self._requires(branch, named.name) for branch in branches):
            return choice(found)
        return choice(found, tags, named.name)

    def _requires(self, node: Node, name: str) -> bool:
        return any(name in _list(part.value.get("required")) for part in self._parts([node]))

    def _without(self, node: Node, keyword: str) -> Node:
        if keyword not in node.value:
            return node
        key = (id(node.value), keyword)
        if key not in self._kept:
            self._kept[key] = {name: item for name, item in node.value.items() if name != keyword}
            self._kept[id(node.value), f"{keyword} of"] = node.value
        return Node(self._kept[key], node.resource, node.pointer)

    # -- objects ---------------------------------------------------------------------------------------------

    def _object(self, parts: list[Node], name: str, partial: bool, key: tuple[int, ...] | None) -> Type:
        properties = self._properties(parts)
        more = [
            part.child("additionalProperties")
            for part in parts
            if isinstance(part.value.get("additionalProperties"), dict)
        ]
        more = [each for each in more if each.value]
        patterns = [
            part.child("patternProperties").child(each)
            for part in parts
            for each in _dict(part.value.get("patternProperties"))
        ]
        if not properties:
            if not more and not patterns:
                return ANYTHING
            kinds = ([self._read(more, f"{name}Value")] if more else []) + [
                self._read([each], f"{name}Value") for each in patterns
            ]
            return MapOf(choice(kinds))
        if more or patterns or any(_UNSAYABLE.search(wire) for wire in properties):
            return ANYTHING
        struct = Struct(
            self.claim(name), self._doc(parts), parts[0].place, constants=self._constants(parts, properties)
        )
        self.models.append(struct)
        if key is not None:
            self._known[key] = Named(struct)
        self._todo.append((struct, parts, partial))
        return Named(struct)

    @staticmethod
    def _properties(parts: list[Node]) -> dict[str, list[Node]]:
        """The nodes that describe each member; the parts that others build on come first."""
        found: dict[str, list[Node]] = {}
        for part in reversed(parts):
            for name in _dict(part.value.get("properties")):
                node = part.child("properties").child(name)
                if node.value is not False and not (name == "$ref" and isinstance(node.value, str)):
                    found.setdefault(name, []).insert(0, node)
        return found

    def _constants(self, parts: list[Node], properties: dict[str, list[Node]]) -> dict[str, str | int]:
        found: dict[str, str | int] = {}
        required = {name for part in parts for name in _list(part.value.get("required"))}
        for name, nodes in properties.items():
            if name not in required or self._one_way(nodes):
                continue
            constant = self._constant(self._parts(nodes))
            if isinstance(constant, LiteralOf) and len(constant.values) == 1:
                found[name] = constant.values[0]
        return found

    def _one_way(self, nodes: list[Node]) -> bool:
        """Whether a member is sent in one direction only."""
        parts = self._parts(nodes)
        return any(part.value.get(mark) is True for part in parts for mark in ("readOnly", "writeOnly"))

    def _fill(self, struct: Struct, parts: list[Node], partial: bool) -> None:
        scope = Scope()
        properties = self._properties(parts)
        required = dict.fromkeys(name for part in parts for name in _list(part.value.get("required")))
        for wire in (
            *properties,
            *(name for name in required if name not in properties and not _UNSAYABLE.search(name)),
        ):
            nodes = properties.get(wire, [])
            kind = self._read(nodes, f"{struct.name}{pascal(wire)}") if nodes else ANY
            needed = wire in required and not self._one_way(nodes)
            default = MISSING if needed or partial else self._default(nodes, kind)
            name = scope.claim(snake(wire))
            struct.members.append(Member(name, wire, kind, needed, default, self._comment(nodes)))

    def _default(self, nodes: list[Node], kind: Type) -> Any:
        for part in self._parts(nodes):
            if "default" in part.value:
                value = part.value["default"]
                return value if is_constant_of(kind, value) else MISSING
        return MISSING

    # -- words -----------------------------------------------------------------------------------------------

    def _doc(self, nodes: list[Node]) -> str:
        for keyword in ("description", "title"):
            for node in nodes:
                if isinstance(node.value.get(keyword), str) and node.value[keyword].strip():
                    return str(node.value[keyword])
        return ""

    def _comment(self, nodes: list[Node]) -> str:
        parts = self._parts(nodes)
        marks = [word for mark, word in _MARKS.items() if any(part.value.get(mark) is True for part in parts)]
        described = next(
            (
                n.value["description"]
                for n in nodes
                if isinstance(n.value, dict) and isinstance(n.value.get("description"), str)
            ),
            "",
        )
        if not described:
            described = next(
                (part.value["description"] for part in parts if isinstance(part.value.get("description"), str)), ""
            )
        return " ".join([*(f"{mark}." for mark in marks), one_line(described)]).strip()


_MARKS: Final = {"deprecated": "Deprecated", "readOnly": "Only in answers", "writeOnly": "Only in requests"}


def is_constant_of(kind: Type, value: Any) -> bool:
    """Whether a value can stand as the default of a type as it is: a string, a number, a boolean or null."""
    for leaf in leaves(kind):
        if isinstance(leaf, LiteralOf):
            fits = type(value) in (str, int) and value in leaf.values
        else:
            fits = {"str": str, "int": int, "bool": bool, "None": type(None)}.get(getattr(leaf, "text", "")) is type(
                value
            )
            fits = fits or (leaf == FLOAT and type(value) in (int, float) and value - value == 0)
        if fits:
            return True
    return False


def _listed(values: list[Any]) -> list[Type]:
    """The types of some constants: strings and integers are listed, of others there is only the type."""
    texts = tuple(dict.fromkeys(each for each in values if isinstance(each, str)))
    numbers = tuple(dict.fromkeys(each for each in values if type(each) is int))
    kinds: list[Type] = [LiteralOf(texts)] if texts else []
    if numbers:
        # msgspec has constants of 64 bits.
        small = all(-(2**63) <= number < 2**63 for number in numbers)
        exact = small and not any(type(each) is float for each in values)
        kinds.append(LiteralOf(numbers) if exact else FLOAT if small else INT)
    others: dict[type, Type] = {bool: BOOL, float: FLOAT, type(None): NONE, list: ListOf(ANY), dict: ANYTHING}
    return kinds + [others[type(each)] for each in values if type(each) in others]


def _type_of(value: Any) -> str:
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null", list: "array"}
    return kinds.get(type(value), "object")


def _has_own_say(value: dict[str, Any]) -> bool:
    """Whether a schema around `allOf` adds to what is below it."""
    return bool({"required", "not", "if"} & value.keys())


def _named(node: Node) -> str:
    """What a schema that is referred to is called: its name among the components, or that of its file."""
    parent, _, last = node.pointer.rpartition("/")
    if not parent and not last:
        return PurePosixPath(node.resource.name).stem
    return unescape(last) if parent.rpartition("/")[2] in ("schemas", "$defs", "definitions") else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
