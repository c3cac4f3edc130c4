"""Parameter Objects (OpenAPI 3.1 section 4.8.12) to `model.Parameter`."""

from __future__ import annotations

import re
from typing import Any, Final, cast

from brrtrouter.spec.facts import SCALARS, FactFinder, Facts, ordered
from brrtrouter.spec.model import MISSING, CastType, Location, Parameter, Shape, Style
from brrtrouter.spec.reference import Node, ReferenceProblem
from brrtrouter.spec.report import Report, member
from brrtrouter.spec.schema import SchemaSet

# The styles that have a meaning at each location; the first is the default.
STYLES: Final[dict[str, tuple[str, ...]]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
# Styles whose row in the specification's table of examples is empty for these shapes.
_NO_MEANING: Final[dict[str, frozenset[str]]] = {
    "spaceDelimited": frozenset({"scalar"}),
    "pipeDelimited": frozenset({"scalar"}),
    "deepObject": frozenset({"scalar", "array"}),
}
# The shape that a style alone calls for when a schema allows several.
_STYLE_SHAPE: Final[dict[str, Shape]] = {"spaceDelimited": "array", "pipeDelimited": "array", "deepObject": "object"}
# Described by other parts of the document, so not by parameters (OpenAPI 3.1 section 4.8.12.2).
_IGNORED_HEADERS: Final = frozenset({"accept", "content-type", "authorization"})


# Characters that a name cannot hold at its location: RFC 9110 section 5.6.2, RFC 6265 section 4.1.1.
_NO_TOKEN: Final = re.compile(r"[^!#$%&'*+\-.^_`|~0-9A-Za-z]")
_FORBIDDEN: Final[dict[str, re.Pattern[str]]] = {
    "path": re.compile(r"[{}]"),
    "query": re.compile(r"[\x00]"),
    "header": _NO_TOKEN,
    "cookie": re.compile(r"[\x00-\x20=;,\x7f]"),
}


def is_json(media_type: str) -> bool:
    """Whether a media type means JSON: `application/json` or anything with the suffix `+json` (RFC 6839)."""
    essence = media_type.partition(";")[0].strip().lower()
    return essence in ("application/json", "text/json") or essence.endswith("+json")


class ParameterReader:
    """Builds each Parameter Object once, however many operations refer to it."""

    def __init__(self, report: Report, schemas: SchemaSet, version: tuple[int, int]) -> None:
        self.report = report
        self.schemas = schemas
        self.files = schemas.files
        self.facts = FactFinder(self.files)
        self.version = version
        self._built: dict[int, Parameter | None] = {}

    def read_list(self, node: Node | None) -> list[Parameter]:
        """The parameters of one list.  Repeated ones are an issue and all but the first are left out."""
        found: dict[tuple[str, str], Parameter] = {}
        if node is None or not isinstance(node.value, list):
            return []
        for at in range(len(node.value)):
            item = node.child(at)
            parameter = self.read(item)
            if parameter is None:
                continue
            name = parameter.name.lower() if parameter.location == "header" else parameter.name
            if (name, parameter.location) in found:
                text = f"the {parameter.location} parameter {parameter.name!r} is given twice in one list"
                self.report.error("DuplicateParameter", item, text)
                continue
            found[name, parameter.location] = parameter
        return list(found.values())

    def read(self, node: Node) -> Parameter | None:
        """The parameter at `node`; None for one that has no effect or that was refused."""
        try:
            node = self.files.follow(node)
        except ReferenceProblem:
            return None
        if not isinstance(node.value, dict):
            return None
        key = id(node.value)
        if key not in self._built:
            self._built[key] = self._build(node)
        return self._built[key]

    def _build(self, node: Node) -> Parameter | None:
        value = node.value
        name, location = value.get("name"), value.get("in")
        if not isinstance(name, str) or not name:
            self.report.error("InvalidParameter", node, "a parameter needs a name, which is a string")
            return None
        if location == "querystring" and self.version >= (3, 2):
            self.report.warning("NotExecuted", node, "parameters in querystring are not read")
            if "content" not in value or "schema" in value or "style" in value:
                text = f"parameter {name!r}: in querystring takes content, and neither schema nor style"
                self.report.error("InvalidParameter", node, text)
            return None
        if not isinstance(location, str) or location not in STYLES:
            text = f"parameter {name!r}: `in` has to be one of {', '.join(STYLES)}, not {location!r:.80}"
            self.report.error("InvalidParameter", node, text)
            return None
        if _FORBIDDEN[location].search(name):
            self.report.error("InvalidParameter", node, f"{name[:80]!r} cannot be the name of a {location} parameter")
            return None
        if location == "header" and name.lower() in _IGNORED_HEADERS:
            self.report.warning("IgnoredHeaderParameter", node, f"a header parameter named {name} has no effect")
            return None
        content = member(node, "content")
        if content is not None and isinstance(content.value, dict) and "schema" not in value:
            return self._from_content(node, content)
        return self._from_schema(node, member(node, "schema"))

    def _required(self, node: Node) -> bool:
        value = node.value
        required = value.get("required", False)
        if not isinstance(required, bool):
            self.report.error("WrongType", node.child("required"), "required has to be a boolean")
        if value["in"] == "path" and required is not True:
            text = f"the path parameter {value['name']!r} has to say `required: true`; it is taken as required"
            self.report.warning("PathParameterNotRequired", node, text)
            return True
        return required is True

    def _common(self, node: Node) -> dict[str, Any]:
        value = node.value
        description = value.get("description")
        return {
            "name": value["name"],
            "location": cast(Location, value["in"]),
            "required": self._required(node),
            "pointer": node.place,
            "allow_empty_value": value["in"] == "query" and value.get("allowEmptyValue") is True,
            "deprecated": value.get("deprecated") is True,
            "description": description if isinstance(description, str) else "",
        }

    def _from_content(self, node: Node, content: Node) -> Parameter | None:
        common = self._common(node)
        if len(content.value) != 1:
            self.report.error("InvalidParameter", content, "content of a parameter has exactly one media type")
            return None
        media_type = next(iter(content.value))
        try:
            media = self.files.follow(content.child(media_type))
        except ReferenceProblem:
            return None
        default_style = STYLES[node.value["in"]][0]
        style: dict[str, Any] = {"style": default_style, "explode": default_style == "form"}
        schema = member(media, "schema")
        if not is_json(media_type):
            text = f"content of the type {media_type[:80]!r} in a parameter is not decoded; it stays text"
            self.report.warning("NotExecuted", content, text)
            return Parameter(**common, **style, shape="scalar", types=("string",))
        facts = self.facts.facts(schema) if schema else Facts()
        return Parameter(
            **common,
            **style,
            shape="content",
            types=ordered(facts.types),
            default=facts.default,
            schema=self.schemas.schema(schema, "request") if schema and says_something(schema.value) else None,
        )

    def _from_schema(self, node: Node, schema: Node | None) -> Parameter:
        common = self._common(node)
        if schema is None:
            self.report.warning("MissingSchema", node, f"parameter {node.value['name']!r} has no schema; it is text")
            facts = Facts(types=frozenset({"string"}))
        else:
            facts = self.facts.facts(schema)
        style = self._style(node)
        explode = node.value.get("explode")
        if explode is not None and not isinstance(explode, bool):
            self.report.error("WrongType", node.child("explode"), "explode has to be a boolean")
        explode = explode if isinstance(explode, bool) else style == "form"
        shape = self._shape(node, facts, style)
        if shape in _NO_MEANING.get(style, ()):
            self.report.warning("MeaninglessStyle", node, f"style {style} has no meaning for this schema; form is used")
            style = "form"
        elif explode and style in ("spaceDelimited", "pipeDelimited"):
            text = f"style {style} with explode has no meaning of its own; it is read like form"
            self.report.warning("MeaninglessStyle", node, text)
        types, properties, additional = self._members(node, facts, shape)
        plain = shape != "object" and schema is not None and not facts.ambiguous and self.facts.proven(schema)
        return Parameter(
            **common,
            style=cast(Style, style),
            explode=explode,
            shape=shape,
            types=types,
            properties=properties,
            additional=additional,
            default=facts.default,
            schema=None if schema is None or plain else self.schemas.schema(schema, "request"),
        )

    def _style(self, node: Node) -> str:
        allowed = STYLES[node.value["in"]]
        style = node.value.get("style", allowed[0])
        if style in allowed:
            return str(style)
        if style == "cookie" and node.value["in"] == "cookie" and self.version >= (3, 2):
            self.report.warning("NotExecuted", node.child("style"), "style cookie is read like form")
        elif isinstance(style, str):
            text = f"style {style[:80]!r} has no meaning in {node.value['in']}; {allowed[0]} is used"
            self.report.warning("MeaninglessStyle", node.child("style"), text)
        else:
            self.report.error("WrongType", node.child("style"), "style has to be a string")
        return allowed[0]

    def _shape(self, node: Node, facts: Facts, style: str) -> Shape:
        types = facts.types or frozenset({"string"})
        possible: list[Shape] = []
        if types & (SCALARS - {"null"}):
            possible.append("scalar")
        if "array" in types:
            possible.append("array")
        if "object" in types:
            possible.append("object")
        if len(possible) < 2:
            return possible[0] if possible else "scalar"
        wanted = _STYLE_SHAPE.get(style)
        if wanted in possible:
            return wanted
        # A list of one is how a single value reads as an array, so "array" loses nothing beside a scalar.
        shape: Shape = "array" if "array" in possible else "scalar"
        text = f"the schema allows {' and '.join(possible)}; the text is read as {shape}"
        self.report.warning("AmbiguousSchema", node, text)
        return shape

    def _members(
        self, node: Node, facts: Facts, shape: Shape
    ) -> tuple[tuple[CastType, ...], dict[str, tuple[CastType, ...]], bool]:
        """The casts for the scalar, the items or the unnamed members, those for named members, and `additional`."""
        if shape == "scalar":
            return ordered(facts.types), {}, True
        if shape == "array":
            return self._item_types(node, facts.items), {}, True
        properties = {name: self._item_types(node, [schema]) for name, schema in facts.properties.items()}
        additional = facts.additional
        if additional is None or additional.value is True:
            return ("string",), properties, True
        if additional.value is False:
            return ("string",), properties, False
        return self._item_types(node, [additional]), properties, True

    def _item_types(self, node: Node, schemas: list[Node]) -> tuple[CastType, ...]:
        together: set[str] = set()
        for schema in schemas:
            types = self.facts.facts(schema).types
            together |= types if types is not None else {"string"}
        if together and not together & SCALARS:
            text = "arrays and objects inside a parameter have no defined text form; they are read as text"
            self.report.warning("NestedParameter", node, text)
        return ordered(frozenset(together))


def says_something(schema: Any) -> bool:
    """Whether a schema can refuse any value: `{}` and `true` cannot."""
    return schema is not True and schema != {}


def undeclared(name: str, pointer: str) -> Parameter:
    """A stand-in for a template variable that no parameter describes: required text."""
    return Parameter(
        name=name,
        location="path",
        required=True,
        style="simple",
        explode=False,
        shape="scalar",
        types=("string",),
        pointer=pointer,
        default=MISSING,
    )
