"""Rules about values in the document: defaults, examples and members of enums against their schemas.

A value is judged by the validator that judges requests.  Most of them stand beside nothing but a type; for these one
look is enough, and the validator is compiled only when that look is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

from brrtrouter.spec.bundle import Direction
from brrtrouter.spec.lint.batch import checks
from brrtrouter.spec.lint.context import Context
from brrtrouter.spec.lint.walk import Visit
from brrtrouter.spec.parameters import is_json
from brrtrouter.spec.reference import Node, ReferenceProblem
from brrtrouter.spec.report import member, members
from brrtrouter.spec.schema import Schema, SchemaFault

# Media types whose examples are written as the value that is sent, not as its text.
_FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "integer": (int,),
    "number": (int, float),
}
# Beside these a look at the type is enough.
_SILENT: Final = frozenset(
    {
        *("type", "description", "title", "default", "example", "examples", "deprecated", "readOnly", "writeOnly"),
        *("nullable", "externalDocs", "xml", "enum"),
    }
)
# To say what is wrong takes a validator for each; of a document with more wrong values than this only that they are.
_EXPLAINED: Final = 500
# A value as long as a book says no more in a message.
_SHOWN: Final = 60


class _Noted(NamedTuple):
    """A value to be judged: the rule that it may break, its place, and its schema."""

    rule: str
    place: Node
    value: Any
    schema: Node
    direction: Direction | None


class Values:
    """Sees every object of the walk that may have values of a schema."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._noted: list[_Noted] = []

    def see(self, visit: Visit) -> None:
        """Look at the values of one object."""
        value = visit.value
        if not isinstance(value, dict) or ("$ref" in value and (visit.kind != "schema" or self.context.minor == 0)):
            return
        if visit.kind == "schema":
            self._schema(visit)
        elif visit.kind in ("parameter", "header"):
            schema = member(visit.node, "schema")
            for place, example in self._examples(visit.node):
                if schema is None:
                    break
                self._judge("InvalidExample", place, example, schema, visit.direction or "request")
        elif visit.kind == "mediaType":
            self._media_type(visit)

    # -- schemas ---------------------------------------------------------------------------------------------

    def _schema(self, visit: Visit) -> None:
        node, value = visit.node, visit.value
        if "default" in value:
            self._judge("InvalidDefault", node.child("default"), value["default"], node)
        if "example" in value:
            self._judge("InvalidExample", node.child("example"), value["example"], node)
        # In 3.0 the keyword does not exist, and published documents put maps of Example Objects there.
        if isinstance(value.get("examples"), list) and self.context.minor:
            examples = node.child("examples")
            for at, example in enumerate(examples.value):
                self._judge("InvalidExample", examples.child(at), example, node)
        if isinstance(value.get("enum"), list) and not self._plain_enum(value):
            members = node.child("enum")
            for at, item in enumerate(members.value):
                self._judge("InvalidEnumValue", members.child(at), item, node)

    def _plain_enum(self, value: dict[str, Any]) -> bool:
        """Whether the members of the enum are all of the one type beside it, or whether there is none."""
        if not value.keys() - _SILENT - {"type"} and "type" not in value:
            return True
        return value.keys() <= _SILENT and all(self._fits(item, value) for item in value["enum"])

    def _fits(self, item: Any, schema: dict[str, Any]) -> bool:
        kind = schema.get("type")
        if item is None:
            return schema.get("nullable") is True and self.context.minor == 0
        if not isinstance(kind, str) or kind not in _TYPES or not isinstance(item, _TYPES[kind]):
            return False
        return not isinstance(item, bool) or kind == "boolean"

    # -- examples --------------------------------------------------------------------------------------------

    def _examples(self, node: Node) -> Iterator[tuple[Node, Any]]:
        """Each value that `example` and `examples` of an object give, with its place."""
        if "example" in node.value:
            yield node.child("example"), node.value["example"]
        for _, item in members(member(node, "examples")):
            try:
                example = self.context.files.follow(item)
            except ReferenceProblem:
                continue
            for field in ("value", "dataValue"):
                if isinstance(example.value, dict) and field in example.value:
                    yield example.child(field), example.value[field]

    def _media_type(self, visit: Visit) -> None:
        name = visit.node.pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~").lower()
        if visit.field != "content":
            return
        json_text, form = is_json(name), name.partition(";")[0].strip() in _FORMS
        schema, item_schema = member(visit.node, "schema"), member(visit.node, "itemSchema")
        for place, example in self._examples(visit.node):
            if not json_text and (not form or isinstance(example, str)) and item_schema is None:
                continue
            direction = visit.direction or "request"
            if schema is not None:
                self._judge("InvalidExample", place, example, schema, direction)
            if item_schema is not None and isinstance(example, list):
                for at, item in enumerate(example):
                    self._judge("InvalidExample", place.child(at), item, item_schema, direction)

    # -- judging ---------------------------------------------------------------------------------------------

    def _judge(self, rule: str, place: Node, value: Any, schema: Node, direction: Direction | None = None) -> None:
        """Note a value to be judged, unless a look tells that it is right."""
        definition = schema.value
        if definition is True or definition == {}:
            return
        if isinstance(definition, dict) and definition.keys() <= _SILENT and self._fits(value, definition):
            enum = definition.get("enum")
            if enum is None or rule == "InvalidEnumValue" or value in enum:
                return
        self._noted.append(_Noted(rule, place, value, schema, direction))

    def finish(self) -> None:
        """Judge all values that were noted; one of a schema of its own has to be right in one direction only."""
        left = self._wrong([noted for noted in self._noted if noted.direction != "response"], "request")
        left += [noted for noted in self._noted if noted.direction == "response"]
        asked = [noted for noted in left if noted.direction != "request"]
        wrong = [noted for noted in left if noted.direction == "request"] + self._wrong(asked, "response")
        for at, noted in enumerate(wrong):
            schema = self.context.schemas.schema(noted.schema, noted.direction or "request")
            faults = schema.faults(noted.value, 8) if at < _EXPLAINED else []
            self.context.add(noted.rule, noted.place, _told(noted.value, faults))

    def _wrong(self, noted: list[_Noted], direction: Direction) -> list[_Noted]:
        by_schema: dict[Schema, list[_Noted]] = {}
        for each in noted:
            by_schema.setdefault(self.context.schemas.schema(each.schema, direction), []).append(each)
        wrong = []
        for schema, check in checks(list(by_schema)):
            if check is not None:
                wrong += [each for each in by_schema[schema] if not any(map(check, _readings(each)))]
        return wrong


def _readings(noted: _Noted) -> Iterator[Any]:
    """The value, and for the text of JSON what it stands for (OpenAPI 3.1 section 4.8.19)."""
    yield noted.value
    if noted.rule == "InvalidExample" and isinstance(noted.value, str) and noted.value.lstrip()[:1] in ("{", "["):
        with suppress(ValueError):
            yield json.loads(noted.value)


def _told(value: Any, faults: list[SchemaFault]) -> str:
    if not faults:
        return "it does not satisfy its schema"
    first, text, shown = faults[0], faults[0].message, repr(value)
    if not first.pointer and len(shown) <= _SHOWN and text.startswith("value"):
        text = shown + text.removeprefix("value")
    more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
    return f"{text}{f' at {first.pointer}' if first.pointer else ''}{more}"
