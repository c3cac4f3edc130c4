"""`Flat`: what one place of a value has to satisfy, with `$ref`, `allOf` and one choice of each alternative merged in.

Keywords of single values are intersected.  Those of arrays and objects are kept one by one as rules, because
`additionalProperties` and `items` speak of the keywords beside them only (JSON Schema 2020-12 sections 10.3.1, 10.3.2).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from brrtrouter.spec.sample.numbers import Bounds

ALL_TYPES: Final = ("object", "array", "string", "integer", "number", "boolean", "null")
# What a schema without `type` is about, by the keywords that it has.
_HINTS: Final = {
    **dict.fromkeys(("properties", "required", "additionalProperties", "patternProperties", "propertyNames"), "object"),
    **dict.fromkeys(("minProperties", "maxProperties", "dependentRequired", "dependentSchemas"), "object"),
    **dict.fromkeys(("items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"), "array"),
    **dict.fromkeys(("pattern", "format", "minLength", "maxLength", "contentEncoding"), "string"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
}
_OBJECT_RULES: Final = frozenset({"properties", "patternProperties", "additionalProperties"})
_ARRAY_RULES: Final = frozenset({"prefixItems", "items", "contains", "minContains", "maxContains"})
# How many schemas are merged for one place; alternatives that hold alternatives could double for ever.
BUDGET: Final = 2_000

# choose(key, options): the index of the option to take.
Choose = Callable[[tuple[Any, ...], list[Any]], int]


@dataclass
class Flat:
    """The merged keywords; `never` when nothing can satisfy them."""

    types: frozenset[str] | None = None
    values: list[Any] | None = None
    hints: list[str] = field(default_factory=list)
    bounds: Bounds = field(default_factory=Bounds)
    texts: list[dict[str, Any]] = field(default_factory=list)
    least: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    unique: bool = False
    array_rules: list[dict[str, Any]] = field(default_factory=list)
    object_rules: list[dict[str, Any]] = field(default_factory=list)
    name_rules: list[Any] = field(default_factory=list)
    required: dict[str, None] = field(default_factory=dict)
    depends: dict[str, list[str]] = field(default_factory=dict)
    conditional: dict[str, list[Any]] = field(default_factory=dict)
    unevaluated: Any = True
    unevaluated_items: Any = True
    forbidden: set[str] = field(default_factory=set)
    excluded: list[Any] = field(default_factory=list)
    tags: dict[str, Any] = field(default_factory=dict)
    written: list[Any] = field(default_factory=list)
    chain: tuple[str, ...] = ()
    hidden: bool = False
    never: bool = False

    def narrow(self, types: frozenset[str]) -> None:
        """Allow only `types`; an integer is a number too."""
        types = types | {"integer"} if "number" in types else types
        self.types = types if self.types is None else self.types & types
        self.never = self.never or not self.types

    def only(self, values: list[Any]) -> None:
        """Allow only these values."""
        self.values = values if self.values is None else [each for each in self.values if contains(values, each)]
        self.never = self.never or not self.candidates()

    def candidates(self) -> list[Any]:
        """The listed values that the types allow and nothing excludes."""
        return [
            each
            for each in self.values or ()
            if (self.types is None or type_of(each) in self.types) and not contains(self.excluded, each)
        ]

    def member(self, name: str) -> list[Any]:
        """The schemas of the property `name`, one for each rule that speaks of it."""
        found: list[Any] = []
        for rule in self.object_rules:
            named = [rule["properties"][name]] if name in rule.get("properties", ()) else []
            for pattern, schema in rule.get("patternProperties", {}).items():
                if finds(pattern, name):
                    named.append(schema)
            if not named and "additionalProperties" in rule:
                named.append(rule["additionalProperties"])
            found += named
        if not found and self.unevaluated is not True:
            found.append(self.unevaluated)
        return found

    def item(self, index: int) -> list[Any]:
        """The schemas of the item at `index`."""
        found: list[Any] = []
        for rule in self.array_rules:
            prefix = rule.get("prefixItems", ())
            if index < len(prefix):
                found.append(prefix[index])
            elif "items" in rule:
                found.append(rule["items"])
        if not found and self.unevaluated_items is not True:
            found.append(self.unevaluated_items)
        return found

    def names(self) -> list[str]:
        """The properties that are described by name, in the order of the schemas."""
        return list(dict.fromkeys(name for rule in self.object_rules for name in rule.get("properties", ())))


def type_of(value: Any) -> str:
    """The JSON Schema type of a value; `integer` for 1.0 too."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return {int: "integer", str: "string", list: "array", dict: "object"}.get(type(value), "null")


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal as JSON: 1 is 1.0 but not true."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def contains(values: list[Any], value: Any) -> bool:
    """Whether an equal value is in the list."""
    return any(same(each, value) for each in values)


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None


def finds(pattern: str, name: str) -> bool:
    """Whether a pattern of `patternProperties` matches a name, as far as Python can tell; the validator decides."""
    compiled = _compiled(pattern)
    return compiled is not None and compiled.search(name[:200]) is not None


class Flattener:
    """Merges schemas of one self-contained document, whose references all are `#/$defs/...`."""

    def __init__(self, document: Any) -> None:
        self.definitions: dict[str, Any] = document.get("$defs", {}) if isinstance(document, dict) else {}
        self._left = 0

    def flat(self, schemas: list[Any], choose: Choose) -> Flat:
        """All of `schemas` as one; `choose` decides wherever there are alternatives."""
        self._left = BUDGET
        flat = Flat()
        for schema in schemas:
            self._absorb(flat, schema, choose, outer=len(schemas) == 1)
        self._settle(flat, choose)
        return flat

    def target(self, schema: Any) -> Any:
        """What a schema refers to when it is a reference, else the schema itself."""
        for _ in range(100):
            if not isinstance(schema, dict) or "$ref" not in schema:
                return schema
            schema = self.definitions.get(_name(schema["$ref"]))
        return True

    def hides(self, schema: Any, keyword: str, hops: int = 20) -> bool:
        """Whether a schema has the annotation `keyword` (writeOnly), also behind `$ref` and `allOf`."""
        if not isinstance(schema, dict) or hops == 0:
            return False
        if schema.get(keyword) is True:
            return True
        inner = list(schema.get("allOf", ()))
        if "$ref" in schema:
            inner.append(self.definitions.get(_name(schema["$ref"])))
        return any(self.hides(each, keyword, hops - 1) for each in inner)

    # -- merging ---------------------------------------------------------------------------------------------

    def _absorb(self, flat: Flat, schema: Any, choose: Choose, *, outer: bool) -> None:
        self._left -= 1
        if schema is False or self._left < 0:
            flat.never = True
        if not isinstance(schema, dict) or flat.never:
            return
        if outer:
            flat.written += written_in(schema)
        self._own(flat, schema)
        if "$ref" in schema and (name := _name(schema["$ref"])) not in flat.chain:
            flat.chain = (*flat.chain, name)
            self._absorb(flat, self.definitions.get(name, True), choose, outer=outer)
        branches = schema.get("allOf", ())
        for branch in branches:
            self._absorb(flat, branch, choose, outer=outer and len(branches) == 1)
        self._tag_itself(flat, schema)
        for keyword in ("anyOf", "oneOf"):
            if schema.get(keyword):
                self._alternatives(flat, schema, keyword, choose)
        if "if" in schema:
            self._condition(flat, schema, choose)
        if isinstance(schema.get("not"), dict):
            self._negated(flat, schema["not"])

    def _own(self, flat: Flat, schema: dict[str, Any]) -> None:
        kind = schema.get("type")
        if kind is not None:
            flat.narrow(frozenset([kind] if isinstance(kind, str) else kind))
        flat.hints += [_HINTS[keyword] for keyword in schema if keyword in _HINTS]
        if "enum" in schema:
            flat.only(schema["enum"])
        if "const" in schema:
            flat.only([schema["const"]])
        _absorb_bounds(flat, schema)
        text: dict[str, Any] = {
            name: schema[name] for name in ("pattern", "format", "contentEncoding") if name in schema
        }
        if text:
            flat.texts.append(text)
        for name in ("minLength", "minItems", "minProperties"):
            if name in schema:
                flat.least[name] = max(int(schema[name]), flat.least.get(name, 0))
        for name in ("maxLength", "maxItems", "maxProperties"):
            if name in schema:
                flat.most[name] = min(int(schema[name]), flat.most.get(name, int(schema[name])))
        flat.unique = flat.unique or schema.get("uniqueItems") is True
        if _ARRAY_RULES & schema.keys():
            flat.array_rules.append(schema)
        if _OBJECT_RULES & schema.keys():
            flat.object_rules.append(schema)
        if "propertyNames" in schema:
            flat.name_rules.append(schema["propertyNames"])
        flat.required.update(dict.fromkeys(schema.get("required", ())))
        for name, needed in schema.get("dependentRequired", {}).items():
            flat.depends.setdefault(name, []).extend(needed)
        for name, inner in schema.get("dependentSchemas", {}).items():
            flat.conditional.setdefault(name, []).append(inner)
        if "unevaluatedProperties" in schema:
            flat.unevaluated = schema["unevaluatedProperties"]
        if "unevaluatedItems" in schema:
            flat.unevaluated_items = schema["unevaluatedItems"]

    def _alternatives(self, flat: Flat, schema: dict[str, Any], keyword: str, choose: Choose) -> None:
        """Merge one branch in: the chosen one, or the next one that does not contradict what is there."""
        # Where more than one branch may not fit, every branch has a second form that spoils the others.
        branches = schema[keyword] * (2 if keyword == "oneOf" and len(schema[keyword]) > 1 else 1)
        start = choose((keyword, id(schema)), branches)
        for at in (*range(start, len(branches)), *range(start)):
            attempt = copy.copy(flat)
            _unshare(attempt)
            branch = branches[at % len(schema[keyword])]
            self._absorb(attempt, branch, choose, outer=False)
            if at >= len(schema[keyword]):
                self._spoil(attempt, [each for each in schema[keyword] if each is not branch], choose)
            self._clash(attempt)
            if not attempt.never or self._left < 0:
                self._tag(attempt, schema, branch)
                break
        else:
            flat.never = True
            return
        flat.__dict__.update(attempt.__dict__)

    def _spoil(self, flat: Flat, others: list[Any], choose: Choose) -> None:
        """Add what keeps a value from fitting other branches: a member of each that has a wrong type there."""
        own = set(flat.names())
        for other in others:
            theirs = Flat()
            self._absorb(theirs, other, choose, outer=False)
            if theirs.never:
                continue
            for name in theirs.names():
                kinds = self._kinds(theirs.member(name), choose)
                wrong = next((kind for kind in ("boolean", "string", "integer") if kind not in kinds), None)
                if name not in own and wrong is not None:
                    flat.object_rules.append({"properties": {name: {"type": wrong}}})
                    flat.required[name] = None
                    own.add(name)
                    break

    def _kinds(self, schemas: list[Any], choose: Choose) -> frozenset[str]:
        inner = Flat()
        for schema in schemas:
            self._absorb(inner, schema, choose, outer=False)
        return inner.types if inner.types is not None else frozenset(ALL_TYPES)

    def _condition(self, flat: Flat, schema: dict[str, Any], choose: Choose) -> None:
        """`if`: make it true and obey `then`, or make it false as far as we can and obey `else`, or both untried."""
        options: list[list[Any]] = [
            [schema["if"], schema.get("then", True)],
            [{"not": schema["if"]}, schema.get("else", True)],
            [schema.get("then", True), schema.get("else", True)],
        ]
        start = choose(("if", id(schema)), options)
        for at in (*range(start, len(options)), *range(start)):
            attempt = copy.copy(flat)
            _unshare(attempt)
            for each in options[at]:
                self._absorb(attempt, each, choose, outer=False)
            self._clash(attempt)
            if not attempt.never:
                flat.__dict__.update(attempt.__dict__)
                return

    def _negated(self, flat: Flat, schema: dict[str, Any]) -> None:
        """The forms of `not` that can be obeyed ahead; of the others the validator will speak."""
        schema = self.target(schema)
        if not isinstance(schema, dict):
            return
        keywords = schema.keys() - {"type"} if schema.get("type") == "object" else schema.keys()
        if keywords == {"required"} and len(schema["required"]) == 1:
            flat.forbidden.add(schema["required"][0])
        elif keywords == {"const"} or keywords == {"enum"}:
            flat.excluded += schema.get("enum", [schema.get("const")])
            flat.never = flat.never or (flat.values is not None and not flat.candidates())
        elif keywords == {"type"}:
            kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
            flat.narrow(frozenset(ALL_TYPES) - frozenset(kinds) - ({"integer"} if "number" in kinds else frozenset()))
        elif keywords == {"anyOf"}:
            for branch in schema["anyOf"]:
                self._negated(flat, branch if isinstance(branch, dict) else {})
        elif keywords <= {"properties", "required"} and len(schema.get("properties", ())) == 1:
            flat.object_rules.append({"properties": {n: {"not": s} for n, s in schema["properties"].items()}})

    def _clash(self, flat: Flat) -> None:
        """Whether two rules list values of a required property that have nothing in common."""
        for name in flat.required:
            listed: list[Any] | None = None
            for schema in flat.member(name):
                schema = self.target(schema)
                if schema is False:
                    flat.never = True
                values = _listed(schema)
                if values is not None:
                    listed = values if listed is None else [each for each in listed if contains(values, each)]
                negated = _listed(schema.get("not")) if isinstance(schema, dict) else None
                if negated is not None and listed is not None:
                    listed = [each for each in listed if not contains(negated, each)]
            if listed == [] or name in flat.forbidden:
                flat.never = True
                return

    def _settle(self, flat: Flat, choose: Choose) -> None:
        """What depends on properties that have to be there (JSON Schema 2020-12 sections 10.2.2.4 and 6.5.4)."""
        done: set[str] = set()
        while pending := [name for name in flat.required if name not in done]:
            for name in pending:
                done.add(name)
                flat.required.update(dict.fromkeys(flat.depends.get(name, ())))
                for schema in flat.conditional.get(name, ()):
                    self._absorb(flat, schema, choose, outer=False)

    # -- discriminators --------------------------------------------------------------------------------------

    def _tag(self, flat: Flat, schema: dict[str, Any], branch: Any) -> None:
        """The property that tells which branch this is (OpenAPI 3.1 section 4.8.25)."""
        discriminator = schema.get("discriminator")
        if discriminator and isinstance(branch, dict) and "$ref" in branch:
            name = _name(branch["$ref"])
            flat.tags.setdefault(discriminator["propertyName"], discriminator["tags"].get(name, name))

    def _tag_itself(self, flat: Flat, schema: dict[str, Any]) -> None:
        """A parent that children refer to by `allOf`: the child that was entered first is what the value is."""
        discriminator = schema.get("discriminator")
        if discriminator and flat.chain and not schema.get("oneOf") and not schema.get("anyOf"):
            tags = discriminator["tags"]
            name = next((name for name in flat.chain if name in tags), flat.chain[0])
            flat.tags.setdefault(discriminator["propertyName"], tags.get(name, name))


def written_in(schema: dict[str, Any]) -> list[Any]:
    """The values that the author wrote into a schema, best first."""
    examples = schema.get("examples")
    found = [schema["example"]] if "example" in schema else []
    found += examples if isinstance(examples, list) else []
    return found + ([schema["default"]] if "default" in schema else [])


def _absorb_bounds(flat: Flat, schema: dict[str, Any]) -> None:
    if "minimum" in schema:
        flat.bounds.at_least(schema["minimum"])
    if "exclusiveMinimum" in schema:
        flat.bounds.at_least(schema["exclusiveMinimum"], exclusive=True)
    if "maximum" in schema:
        flat.bounds.at_most(schema["maximum"])
    if "exclusiveMaximum" in schema:
        flat.bounds.at_most(schema["exclusiveMaximum"], exclusive=True)
    if "multipleOf" in schema:
        flat.bounds.multiple_of(schema["multipleOf"])


def _unshare(flat: Flat) -> None:
    """Make the containers of a shallow copy its own."""
    for name, value in flat.__dict__.items():
        if isinstance(value, (list, dict, set, Bounds)):
            setattr(flat, name, copy.copy(value))
    flat.depends = {name: list(needed) for name, needed in flat.depends.items()}
    flat.conditional = {name: list(schemas) for name, schemas in flat.conditional.items()}


def _listed(schema: Any) -> list[Any] | None:
    if not isinstance(schema, dict):
        return None
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _name(reference: str) -> str:
    return reference.removeprefix("#/$defs/")
