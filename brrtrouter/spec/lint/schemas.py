"""Rules about schemas: keywords that do not belong, say nothing, or leave no value."""

from __future__ import annotations

from typing import Any, Final

from brrtrouter.spec.bundle import Direction
from brrtrouter.spec.lint.batch import checks
from brrtrouter.spec.lint.context import Context
from brrtrouter.spec.lint.fields import OBJECTS, PLAIN, form_fault
from brrtrouter.spec.lint.structure import deprecated
from brrtrouter.spec.lint.walk import Visit
from brrtrouter.spec.reference import Node, ReferenceProblem
from brrtrouter.spec.report import member, members

_FIELDS: Final = OBJECTS["schema"]
TYPES: Final = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
# Keywords of earlier drafts that 2020-12 still lets stand.
_TOLERATED: Final = frozenset({"definitions", "dependencies", "$recursiveRef", "$recursiveAnchor"})
# What the validator says of a pattern that it cannot read.
_REGEX: Final = 'is not a "regex"'
# Keywords that say nothing to values of other types.
_BINDS: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(
        ("multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"), frozenset({"number", "integer"})
    ),
    **dict.fromkeys(("maxLength", "minLength", "pattern"), frozenset({"string"})),
    **dict.fromkeys(
        ("maxItems", "minItems", "uniqueItems", "items", "prefixItems", "contains", "unevaluatedItems"),
        frozenset({"array"}),
    ),
    **dict.fromkeys(
        (
            *("maxProperties", "minProperties", "required", "properties", "patternProperties", "additionalProperties"),
            *("propertyNames", "dependentRequired", "dependentSchemas", "unevaluatedProperties"),
        ),
        frozenset({"object"}),
    ),
}
_BOUNDS: Final = (
    ("minimum", "maximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minContains", "maxContains"),
)
_COUNTS: Final = frozenset(name for pair in _BOUNDS[1:] for name in pair)
_TEXTS: Final = frozenset({"description", "title", "example", "examples", "externalDocs", "deprecated", "xml"})
# Parts of a schema that may describe what a part of it asks for.
_COMPOSED: Final = frozenset({"allOf", "anyOf", "oneOf", "$ref", "if", "not", "patternProperties", "$dynamicRef"})


class Schemas:
    """Sees every schema of the walk."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.old = context.minor == 0
        root = context.files.entry.value
        # A dialect of the document's own may have keywords that nobody else knows.
        self._own_dialect = "jsonSchemaDialect" in root
        self._roots: list[Visit] = []
        components = member(Node(root, context.files.entry, ""), "components")
        self._names = {name for name, _ in members(member(components, "schemas") if components else None)}

    def see(self, visit: Visit) -> None:
        """Look at one schema; anything else is passed over."""
        value = visit.value
        if visit.kind == "discriminator" and isinstance(value, dict):
            self._mapping(visit)
        if visit.kind != "schema" or not isinstance(value, dict):
            return
        if visit.owner != "schema":
            self._roots.append(visit)
        if self.old and "$ref" in value:
            self._beside(visit)
            return
        self._keywords(visit)
        self._types(visit)
        self._bounds(visit)
        self._required(visit)
        deprecated(self.context, visit)

    def _beside(self, visit: Visit) -> None:
        for name in visit.value:
            if name == "$ref" or name.startswith("x-"):
                continue
            rule = "AnnotationBesideRef" if name in _TEXTS else "FieldBesideRef"
            self.context.add(rule, visit.node, f"{name!r} beside $ref is ignored in OpenAPI 3.0")

    def _keywords(self, visit: Visit) -> None:
        add, node = self.context.add, visit.node
        for name, item in visit.value.items():
            field = _FIELDS.get(name)
            if field is None:
                foreign = self._own_dialect or "$schema" in visit.value or name in _TOLERATED
                if not name.startswith("x-") and not foreign:
                    add("UnknownKeyword", node.child(name), f"no keyword is called {name[:80]!r}")
                continue
            if self.context.minor not in field.versions:
                if name == "nullable":
                    text = "nullable has no effect since OpenAPI 3.1; write a list of types with null in it"
                    add("ObsoleteKeyword", node.child(name), text)
                else:
                    add("KeywordOfLaterVersion", node.child(name), f"{name} came with OpenAPI 3.1")
            elif field.form in PLAIN:
                self._plain(node, name, item, field.form)
            elif name == "items" and isinstance(item, list):
                add("InvalidSchema", node.child(name), "items is one schema; for a list of them there is prefixItems")

    def _plain(self, node: Node, name: str, item: Any, form: str) -> None:
        fault = form_fault(item, form)
        if name in _COUNTS and not fault and (item < 0 or item != int(item)):
            fault = f"has to be a whole number of 0 or more, not {item!r:.80}"
        if name == "multipleOf" and not fault and item <= 0:
            fault = f"has to be more than 0, not {item!r:.80}"
        if name in ("exclusiveMinimum", "exclusiveMaximum") and self.old and not isinstance(item, bool):
            fault = "has to be a boolean in OpenAPI 3.0; the bound itself is beside it"
        if name == "enum" and item == []:
            fault = "must not be empty"
        if name == "type" and isinstance(item, list) and self.old:
            self.context.add("KeywordOfLaterVersion", node.child(name), "a list of types came with OpenAPI 3.1")
        if name == "type" and not fault:
            wrong = [one for one in (item if isinstance(item, list) else [item]) if not _is_type(one)]
            fault = f"{wrong[0]!r:.80} is no type of JSON Schema" if wrong else ""
            if item == "null" and self.old:
                fault = "'null' came with OpenAPI 3.1; write nullable: true"
        if name == "pattern" and not fault:
            issue = self.context.schemas.schema(node, "request").compile_issue()
            fault = f"{item[:80]!r} is no regular expression" if issue and _REGEX in issue.message else ""
        if fault:
            self.context.add("InvalidSchema", node.child(name), f"{name}: {fault}")

    def _types(self, visit: Visit) -> None:
        node, value = visit.node, visit.value
        add, kind = self.context.add, value.get("type")
        nullable = self.old and value.get("nullable") is True
        if nullable and "type" not in value:
            add("NullableWithoutType", node, "nullable has an effect beside type only")
        enum = value.get("enum")
        if nullable and isinstance(enum, list) and enum and None not in enum:
            add("NullNotInEnum", node, "the schema is nullable, but its enum refuses null")
        types = {kind} if isinstance(kind, str) else set(filter(_is_text, kind)) if isinstance(kind, list) else set()
        if not types or types - TYPES:
            return
        for name in value.keys() & _BINDS.keys():
            if not types & _BINDS[name]:
                text = f"{name} says nothing about {' or '.join(sorted(types))}"
                add("KeywordWithoutMeaning", node.child(name), text)
        if kind == "array" and not {"items", "prefixItems", "$ref", "allOf", "contains"} & value.keys():
            add("MissingItems", node, "the array may hold anything: it has no items")

    def _bounds(self, visit: Visit) -> None:
        value = visit.value
        for low, high in _BOUNDS:
            least, most = value.get(low), value.get(high)
            if _is_number(least) and _is_number(most) and least > most:
                self.context.add("UnsatisfiableSchema", visit.node, f"{low} {least!r:.40} is over {high} {most!r:.40}")

    def _required(self, visit: Visit) -> None:
        value = visit.value
        required, properties = value.get("required"), value.get("properties")
        if not isinstance(required, list) or not isinstance(properties, dict) or _COMPOSED & value.keys():
            return
        missing = [name for name in required if isinstance(name, str) and name not in properties]
        if not missing:
            return
        names = ", ".join(repr(name[:80]) for name in missing[:5])
        if value.get("additionalProperties") is False:
            self.context.add("UnsatisfiableSchema", visit.node, f"{names} is required, but no such property is allowed")
        elif visit.field not in ("allOf", "anyOf", "oneOf", "if", "then", "else", "not"):
            self.context.add("RequiredNotDescribed", visit.node, f"{names} is required, but not described")

    def _mapping(self, visit: Visit) -> None:
        mapping = visit.value.get("mapping")
        for tag, target in mapping.items() if isinstance(mapping, dict) else ():
            if not isinstance(target, str):
                self.context.add(
                    "WrongType", visit.node.child("mapping").child(tag), "a mapping names a schema as text"
                )
                continue
            if target in self._names:
                continue
            try:
                self.context.files.resolve(target, visit.node.resource)
            except ReferenceProblem as problem:
                if not problem.remote:
                    place = visit.node.child("mapping").child(tag)
                    self.context.add("UnresolvableMapping", place, f"{target[:80]!r} is no schema")

    def finish(self) -> None:
        """Compile the schemas: what none of the rules above has named is still wrong."""
        context = self.context
        if context.has("InvalidSchema", "UnresolvableSchemaRef", "UnsupportedExternalRef", "WrongType"):
            return
        directions: tuple[Direction, Direction] = ("request", "response")
        for direction in directions:
            visits = [visit for visit in self._roots if (visit.direction or "request") == direction]
            schemas = {context.schemas.schema(visit.node, direction): visit for visit in visits}
            for schema, check in checks(list(schemas)):
                issue = schema.compile_issue() if check is None else None
                if issue is not None:
                    # A broken schema breaks all that refer to it: the first place is as good as any other.
                    context.add("InvalidSchema", schemas[schema].node, issue.message)
                    return


def _is_type(value: Any) -> bool:
    return isinstance(value, str) and value in TYPES


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
