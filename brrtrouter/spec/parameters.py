"""Parameter Objects (OpenAPI 3.1 section 4.8.12) to `model.Parameter`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from brrtrouter.spec.bundle import Direction
from brrtrouter.spec.facts import SCALARS, FactFinder, Facts, ordered
from brrtrouter.spec.model import MISSING, CastType, Location, Nested, Parameter, Shape, Style
from brrtrouter.spec.nested import nested_casts
from brrtrouter.spec.reference import Node, ReferenceProblem
from brrtrouter.spec.report import Report, member, members
from brrtrouter.spec.schema import SchemaSet
from brrtrouter.spec.written import read_examples

# The styles that have a meaning at each location; the first is the default.
STYLES: Final[dict[str, tuple[str, ...]]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form", "cookie"),
}
# OpenAPI 3.2 section 4.12.2: described by its content alone.
QUERYSTRING: Final = "querystring"
_FORM: Final = "application/x-www-form-urlencoded"
# Styles whose row in the specification's table of examples is empty for these shapes.
_NO_MEANING: Final[dict[str, frozenset[str]]] = {
    "spaceDelimited": frozenset({"scalar"}),
    "pipeDelimited": frozenset({"scalar"}),
    "deepObject": frozenset({"scalar"}),
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
        # Members of a form as parameters.  `forms.FormReader` reads them with this reader, and sets it.
        self.form_fields: Callable[[Node, Facts], tuple[Parameter, ...]] = lambda media, facts: ()
        self._built: dict[int, Parameter | None] = {}
        self._headers: dict[tuple[int, str, Direction], Parameter | None] = {}

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
        if location == QUERYSTRING and self.version >= (3, 2):
            if isinstance(value.get("content"), dict) and "schema" not in value and "style" not in value:
                return self._from_content(node, node.child("content"))
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

    def read_headers(self, headers: Node | None, direction: Direction) -> tuple[Parameter, ...]:
        """The Header Objects of a map as parameters (OpenAPI 3.1 section 4.8.21); Content-Type has no say there."""
        found = []
        for name, item in members(headers):
            if name.lower() == "content-type":
                continue
            if _NO_TOKEN.search(name) or not name:
                self.report.error("InvalidParameter", item, f"{name[:80]!r} cannot be the name of a header field")
                continue
            try:
                header = self.files.follow(item)
            except ReferenceProblem:
                continue
            if not isinstance(header.value, dict):
                continue
            key = (id(header.value), name.lower(), direction)
            if key not in self._headers:
                named = header._replace(value={**header.value, "name": name, "in": "header"})
                content = member(named, "content")
                by_content = content is not None and isinstance(content.value, dict) and "schema" not in header.value
                self._headers[key] = (
                    self._from_content(named, content, direction)
                    if by_content and content is not None
                    else self._from_schema(named, member(named, "schema"), direction)
                )
            parameter = self._headers[key]
            if parameter is not None:
                found.append(parameter)
        return tuple(found)

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
            "allow_reserved": value.get("allowReserved") is True,
            "deprecated": value.get("deprecated") is True,
            "description": description if isinstance(description, str) else "",
            "examples": read_examples(self.files, node),
        }

    def _from_content(self, node: Node, content: Node, direction: Direction = "request") -> Parameter | None:
        common = self._common(node)
        if len(content.value) != 1:
            self.report.error("InvalidParameter", content, "content of a parameter has exactly one media type")
            return None
        media_type = next(iter(content.value))
        try:
            media = self.files.follow(content.child(media_type))
        except ReferenceProblem:
            return None
        if not isinstance(media.value, dict):
            return None
        default_style = STYLES.get(node.value["in"], ("form",))[0]
        common |= {"style": default_style, "explode": default_style == "form"}
        schema = member(media, "schema")
        facts = self.facts.facts(schema) if schema else Facts()
        common["default"] = facts.default
        if schema and says_something(schema.value):
            common["schema"] = common["described"] = self.schemas.schema(schema, direction)
        common["examples"] += read_examples(self.files, media)
        if is_json(media_type):
            return Parameter(**common, shape="content", types=ordered(facts.types))
        essence = media_type.partition(";")[0].strip().lower()
        if essence == _FORM and node.value["in"] == QUERYSTRING:
            types = self._how(node, facts, "object")["types"]
            return Parameter(**common, shape="fields", types=types, fields=self.form_fields(media, facts))
        if not essence.startswith("text/"):
            text = f"content of the type {media_type[:80]!r} in a parameter is not decoded; it stays text"
            self.report.warning("NotExecuted", content, text)
            common.pop("schema", None)
        return Parameter(**common, shape="scalar", types=("string",))

    def _from_schema(self, node: Node, schema: Node | None, direction: Direction = "request") -> Parameter:
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
        explode = explode if isinstance(explode, bool) else style in ("form", "cookie")
        shapes = _possible_shapes(facts)
        shape = self._shape(node, shapes, style)
        if len(shapes) == 1 and shape in _NO_MEANING.get(style, ()):
            self.report.warning("MeaninglessStyle", node, f"style {style} has no meaning for this schema; form is used")
            style = "form"
        elif shape == "array" and style == "deepObject":
            text = "style deepObject has no meaning for an array; it is read as `name[0]=`, `name[]=` and like form"
            self.report.warning("MeaninglessStyle", node, text)
        elif explode and style in ("spaceDelimited", "pipeDelimited"):
            text = f"style {style} with explode has no meaning of its own; it is read like form"
            self.report.warning("MeaninglessStyle", node, text)
        nested = self._nested(node, schema, shapes) if style == "deepObject" and schema is not None else None
        how = {each: self._how(node, facts, each) for each in shapes}
        in_brackets = shape == "object" or style == "deepObject"
        plain = not in_brackets and schema is not None and self.facts.proven(schema)
        return Parameter(
            **common,
            **how[shape],
            style=cast(Style, style),
            explode=explode,
            shape=shape,
            default=facts.default,
            schema=None if schema is None or plain else self.schemas.schema(schema, direction),
            described=None if schema is None else self.schemas.schema(schema, direction),
            nested=nested,
            readings=_readings(common, how, style, explode=explode, nested=nested) if len(shapes) > 1 else (),
        )

    def _nested(self, node: Node, schema: Node, shapes: Sequence[Shape]) -> Nested | None:
        """What stands below the members of a `deepObject`; None unless `x-nested` asks for it, or it may be a list."""
        wanted = node.value.get("x-nested", False)
        if not isinstance(wanted, bool):
            self.report.error("WrongType", node.child("x-nested"), "x-nested has to be a boolean")
        return nested_casts(self.facts, schema) if wanted is True or "array" in shapes else None

    def _style(self, node: Node) -> str:
        allowed = STYLES[node.value["in"]]
        style = node.value.get("style", allowed[0])
        if style in allowed and (style != "cookie" or self.version >= (3, 2)):
            return str(style)
        if isinstance(style, str):
            text = f"style {style[:80]!r} has no meaning in {node.value['in']}; {allowed[0]} is used"
            self.report.warning("MeaninglessStyle", node.child("style"), text)
        else:
            self.report.error("WrongType", node.child("style"), "style has to be a string")
        return allowed[0]

    def _shape(self, node: Node, shapes: Sequence[Shape], style: str) -> Shape:
        """The one shape, or the one that a style or a list of one makes the most likely among several."""
        if len(shapes) == 1:
            return shapes[0]
        text = f"the schema allows {' and '.join(shapes)}; the text is read as the first that the schema accepts"
        self.report.warning("AmbiguousSchema", node, text)
        wanted = _STYLE_SHAPE.get(style)
        if wanted is not None and wanted in shapes:
            return wanted
        return "array" if "array" in shapes else "scalar"

    def _how(self, node: Node, facts: Facts, shape: Shape) -> dict[str, Any]:
        """How a text of one shape is cast: `types`, `properties` and `additional` of a `Parameter`."""
        if shape == "scalar":
            return {"types": ordered(facts.types)}
        if shape == "array":
            return {"types": self._item_types(node, facts.items)}
        properties = {name: self._item_types(node, [schema]) for name, schema in facts.properties.items()}
        others = facts.additional
        described = others is not None and isinstance(others.value, dict)
        return {
            "types": self._item_types(node, [others]) if others is not None and described else ("string",),
            "properties": properties,
            "additional": others is None or others.value is not False,
        }

    def _item_types(self, node: Node, schemas: list[Node]) -> tuple[CastType, ...]:
        together: set[str] = set()
        for schema in schemas:
            types = self.facts.facts(schema).types
            together |= types if types is not None else {"string"}
        if together and not together & SCALARS:
            text = "arrays and objects inside a parameter have no defined text form; they are read as text"
            self.report.warning("NestedParameter", node, text)
        return ordered(frozenset(together))


def _possible_shapes(facts: Facts) -> list[Shape]:
    """The shapes that a schema allows, in the order in which a text that could be any of them is tried."""
    types = facts.types or frozenset({"string"})
    found: list[Shape] = ["scalar"] if types & (SCALARS - {"null"}) else []
    found += [shape for shape in ("array", "object") if shape in types]
    return found or ["scalar"]


def _readings(
    common: dict[str, Any], how: dict[Shape, dict[str, Any]], style: str, *, explode: bool, nested: Nested | None
) -> tuple[Parameter, ...]:
    """A parameter for each shape of a schema that allows several."""
    found = []
    for shape, casts in how.items():
        own = "form" if shape in _NO_MEANING.get(style, ()) else style
        one = Parameter(
            **{"additional": True, **casts},
            name=common["name"],
            location=common["location"],
            required=False,
            style=cast(Style, own),
            explode=explode,
            shape=shape,
            pointer=common["pointer"],
            # As an object, numbers are names like all others.
            nested=replace(nested, items=None) if nested is not None and shape == "object" else nested,
        )
        # Members that are pairs of their own are those that the schema names, or every other pair would be one.
        named = shape == "object" and explode and own in ("form", "cookie")
        found.append(replace(one, additional=False) if named else one)
    return tuple(found)


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
