"""Values that satisfy a JSON Schema 2020-12 document, most of the time: small, and the same on every run."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

if sys.version_info >= (3, 11):
    from re import _constants as sre  # type: ignore[attr-defined]
    from re import _parser as sre_parse  # type: ignore[attr-defined]
else:
    import sre_constants as sre
    import sre_parse

ATTEMPTS = 12
DEPTH = 12
FORMATS = {
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "date": "2024-02-29",
    "date-time": "2024-02-29T12:30:00Z",
    "time": "12:30:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "idn-email": "someone@example.com",
    "uri": "https://example.com/x",
    "uri-reference": "/x",
    "iri": "https://example.com/x",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "YQ==",
    "json-pointer": "/x",
    "regex": "x",
    "uri-template": "/{x}",
}


def examples(document: Any) -> Iterator[Any]:
    """A few candidates: those written in the schema, then generated ones that take different branches of choices."""
    for attempt in range(ATTEMPTS):
        with contextlib.suppress(RecursionError, LookupError, re.error):
            yield _Maker(document, attempt).make(document, 0)


class _Maker:
    """`attempt` decides which branch of a choice is taken, and whether examples and optional members are used."""

    def __init__(self, root: Any, attempt: int) -> None:
        self.root = root
        self.branch = attempt // 2
        self.written = attempt % 2 == 0

    def make(self, schema: Any, depth: int) -> Any:
        if depth > DEPTH:
            raise RecursionError
        if not isinstance(schema, dict):
            return {}
        schema = self.merged(schema, depth)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return next((each for each in schema["enum"] if each not in ("", None)), schema["enum"][0])
        if self.written:
            for found in (*schema.get("examples", ()), *([schema["example"]] if "example" in schema else ())):
                return found
            if "default" in schema and schema["default"] not in ("", None):
                return schema["default"]
        return getattr(self, "of_" + self.type_of(schema))(schema, depth)

    def merged(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """The schema with what it refers to and one branch of each choice in one object."""
        parts = [self.resolve(schema["$ref"])] if "$ref" in schema else []
        parts += schema.get("allOf", [])
        for choice in ("oneOf", "anyOf"):
            branches = schema.get(choice) or []
            parts += branches[self.branch % len(branches) :][:1] if branches else []
        result = {key: value for key, value in schema.items() if key not in ("$ref", "allOf", "oneOf", "anyOf")}
        for part in parts:
            if not isinstance(part, dict):
                continue
            if depth > DEPTH:
                raise RecursionError
            inner = self.merged(part, depth + 1)
            for key, value in inner.items():
                if key == "properties":
                    ours = result.get(key, {})
                    result[key] = {**ours, **{name: _both(ours.get(name), value[name]) for name in value}}
                elif key == "required":
                    result[key] = [*result.get(key, []), *value]
                else:
                    result.setdefault(key, value)
        return result

    def resolve(self, reference: str) -> Any:
        found = self.root
        for part in reference.removeprefix("#").split("/")[1:]:
            part = unquote(part).replace("~1", "/").replace("~0", "~")
            found = found[int(part)] if isinstance(found, list) else found[part]
        return found

    def type_of(self, schema: dict[str, Any]) -> str:
        declared = schema.get("type")
        if isinstance(declared, list):
            declared = next((each for each in declared if each != "null"), "null")
        if isinstance(declared, str):
            return declared
        hints = {
            "properties": "object",
            "required": "object",
            "items": "array",
            "pattern": "string",
            "format": "string",
        }
        return next((kind for key, kind in hints.items() if key in schema), "string")

    def of_object(self, schema: dict[str, Any], depth: int) -> Any:
        properties = schema.get("properties", {})
        made = {
            name: self.make(properties.get(name, {}), depth + 1) for name in dict.fromkeys(schema.get("required", ()))
        }
        wanted = max(schema.get("minProperties", 0), self.branch % 2)
        for name, member in properties.items():
            if len(made) >= wanted:
                break
            made.setdefault(name, self.make(member, depth + 1))
        extra = schema.get("additionalProperties", {})
        while len(made) < schema.get("minProperties", 0):
            made[f"member{len(made)}"] = self.make(extra, depth + 1)
        return made

    def of_array(self, schema: dict[str, Any], depth: int) -> Any:
        prefix = [self.make(item, depth + 1) for item in schema.get("prefixItems", [])]
        count = max(schema.get("minItems", 0), 1 if schema.get("maxItems", 1) else 0)
        return prefix + [self.make(schema.get("items", {}), depth + 1) for _ in range(count - len(prefix))]

    def of_string(self, schema: dict[str, Any], depth: int) -> str:
        if "pattern" in schema:
            text = _matching(sre_parse.parse(schema["pattern"]))
        else:
            text = FORMATS.get(schema.get("format", ""), "text")
        text += "x" * (schema.get("minLength", 0) - len(text))
        return text[: schema.get("maxLength", len(text))]

    def of_integer(self, schema: dict[str, Any], depth: int) -> int:
        return int(self.of_number(schema, depth))

    def of_number(self, schema: dict[str, Any], depth: int) -> Any:
        step = schema.get("multipleOf", 1)
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        value = low if low is not None else min(1, high) if high is not None else 1
        value = -(-value // step) * step
        return value + step if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"] else value

    def of_boolean(self, schema: dict[str, Any], depth: int) -> bool:
        return True

    def of_null(self, schema: dict[str, Any], depth: int) -> None:
        return None


def _both(ours: Any, theirs: Any) -> Any:
    return theirs if not isinstance(ours, dict) or not ours else {"allOf": [ours, theirs]}


def _matching(parsed: Any) -> str:
    """A short text that a parsed regular expression matches; look-around and back-references are not understood."""
    return "".join(_piece(operator, argument) for operator, argument in parsed)


def _piece(operator: Any, argument: Any) -> str:
    if operator is sre.LITERAL:
        return chr(argument)
    if operator in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        low, high, inner = argument
        return _matching(inner) * max(low, min(1, int(high)))
    if operator is sre.SUBPATTERN:
        return _matching(argument[-1])
    if operator is sre.BRANCH:
        return _matching(argument[1][0])
    if operator is sre.IN:
        return _member(argument)
    return "x" if operator in (sre.ANY, sre.NOT_LITERAL) else ""


def _member(options: Any) -> str:
    """One character of a class."""
    if options[0][0] is sre.NEGATE:
        excluded = {_one(*option) for option in options[1:]}
        return next(char for char in "x0A-_~" if char not in excluded)
    return _one(*options[0])


def _one(operator: Any, argument: Any) -> str:
    if operator is sre.LITERAL:
        return chr(argument)
    if operator is sre.RANGE:
        return chr(argument[0])
    classes = {sre.CATEGORY_DIGIT: "1", sre.CATEGORY_SPACE: " ", sre.CATEGORY_WORD: "w", sre.CATEGORY_NOT_SPACE: "x"}
    return classes.get(argument, "-")
