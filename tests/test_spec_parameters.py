"""Parameter Objects to the model: styles, shapes, casts, defaults and their issues."""

from __future__ import annotations

from typing import Any

import pytest
from spec_load_support import document, get, only, parameter, query, warnings
from spec_load_support import errors as all_errors

from brrtrouter.spec.load import load
from brrtrouter.spec.model import MISSING
from brrtrouter.spec.schema import Schema


def errors(source: Any) -> list[tuple[str, str]]:
    return [(issue.kind, issue.pointer) for issue in all_errors(source)]


# -- parameters -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "style", "explode"),
    [("query", "form", True), ("cookie", "form", True), ("path", "simple", False), ("header", "simple", False)],
)
def test_style_and_explode_defaults(location: str, style: str, explode: bool) -> None:
    found = parameter({"name": "p", "in": location, "required": True, "schema": {"type": "string"}})
    assert (found.style, found.explode) == (style, explode)


@pytest.mark.parametrize(
    ("location", "style", "schema"),
    [
        ("path", "label", {"type": "string"}),
        ("path", "matrix", {"type": "array"}),
        ("query", "spaceDelimited", {"type": "array"}),
        ("query", "pipeDelimited", {"type": "object"}),
        ("query", "deepObject", {"type": "object"}),
    ],
)
def test_every_style_reaches_the_model(location: str, style: str, schema: Any) -> None:
    found = parameter(
        {"name": "p", "in": location, "required": True, "style": style, "explode": False, "schema": schema}
    )
    assert (found.style, found.explode) == (style, False)


@pytest.mark.parametrize(
    ("location", "style", "schema", "used"),
    [
        ("header", "form", {"type": "string"}, "simple"),
        ("query", "simple", {"type": "string"}, "form"),
        ("query", "deepObject", {"type": "array"}, "deepObject"),
        ("query", "pipeDelimited", {"type": "string"}, "form"),
    ],
)
def test_a_style_without_meaning_is_a_warning(location: str, style: str, schema: Any, used: str) -> None:
    source = document({"/x": get(parameters=[{"name": "p", "in": location, "style": style, "schema": schema}])})
    assert [kind for kind, _ in warnings(source)] == ["MeaninglessStyle"]
    assert only(load(source)).parameters[0].style == used


@pytest.mark.parametrize(
    ("schema", "shape", "types"),
    [
        ({"type": "string"}, "scalar", ("string",)),
        ({"type": ["string", "integer", "null"]}, "scalar", ("null", "integer", "string")),
        ({"type": "array", "items": {"type": "number"}}, "array", ("number",)),
        ({"type": "array"}, "array", ("string",)),
        ({"prefixItems": [{"type": "integer"}, {"type": "boolean"}], "type": "array"}, "array", ("integer", "boolean")),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object", ("integer",)),
        ({}, "scalar", ("string",)),
        (True, "scalar", ("string",)),
        ({"enum": [1, 2]}, "scalar", ("integer",)),
        ({"enum": ["a", None]}, "scalar", ("null", "string")),
        ({"const": False}, "scalar", ("boolean",)),
        ({"minimum": 3}, "scalar", ("string",)),
        ({"allOf": [{"type": ["integer", "string"]}, {"type": "integer"}]}, "scalar", ("integer",)),
        ({"allOf": [{"type": "number"}, {"type": "integer"}]}, "scalar", ("integer",)),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "scalar", ("null", "integer")),
        ({"oneOf": [{"type": "integer"}, {"type": "string"}]}, "scalar", ("integer", "string")),
        ({"oneOf": [{"type": "integer"}, {}]}, "scalar", ("string",)),
        ({"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}, "array", ("integer",)),
        ({"items": {"type": "integer"}}, "array", ("integer",)),
        ({"properties": {}}, "object", ("string",)),
    ],
)
def test_shape_and_casts_come_from_the_schema(schema: Any, shape: str, types: tuple[str, ...]) -> None:
    found = query(schema)
    assert (found.shape, found.types) == (shape, types)


def test_a_schema_of_several_shapes_is_named() -> None:
    schema = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}]}
    source = document({"/x": get(parameters=[{"name": "p", "in": "query", "schema": schema}])})
    assert warnings(source) == [("AmbiguousSchema", "/paths/~1x/get/parameters/0")]
    assert only(load(source)).parameters[0].shape == "array"
    deep = {"anyOf": [{"type": "integer"}, {"type": "object", "properties": {"gt": {"type": "integer"}}}]}
    found = query(deep, style="deepObject")
    assert (found.shape, dict(found.properties)) == ("object", {"gt": ("integer",)})


def test_nullable_is_read_in_3_0_and_type_lists_in_3_1() -> None:
    assert query({"type": "integer", "nullable": True}, "3.0.3").types == ("null", "integer")
    assert query({"type": "integer", "nullable": True}, "3.1.0").types == ("integer",)


def test_members_of_objects_are_cast_one_by_one() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "allOf": [{"properties": {"b": {"type": "boolean"}}, "additionalProperties": False}],
    }
    found = query(schema)
    assert found.properties == {"a": ("integer",), "b": ("boolean",)}
    assert not found.additional


def test_what_is_nested_in_a_parameter_is_named() -> None:
    schema = {"type": "array", "items": {"type": "object"}}
    source = document({"/x": get(parameters=[{"name": "p", "in": "query", "schema": schema}])})
    assert warnings(source) == [("NestedParameter", "/paths/~1x/get/parameters/0")]


def test_defaults_are_found_through_references() -> None:
    definition = {"name": "p", "in": "query", "schema": {"$ref": "#/components/schemas/A"}}
    schemas = {"A": {"allOf": [{"$ref": "#/components/schemas/B"}]}, "B": {"type": "integer", "default": 0}}
    assert parameter(definition, schemas=schemas).default == 0
    beside = {**definition, "schema": {"$ref": "#/components/schemas/B", "default": 7}}
    assert parameter(beside, schemas=schemas).default == 7
    assert parameter(beside, "3.0.0", schemas=schemas).default == 0
    assert query({"type": "string"}).default is MISSING
    assert query({"default": None}).default is None


@pytest.mark.parametrize(
    "schema",
    [
        {},
        True,
        {"type": "string"},
        {"type": "integer", "description": "d", "title": "t", "default": 1, "example": 2, "deprecated": True},
        {"type": "number", "format": "double"},
        {"type": "string", "format": "made-up", "x-note": 1},
        {"type": "array", "items": {"type": "integer"}},
        {"type": "array"},
    ],
)
def test_a_schema_that_the_casts_prove_is_left_out(schema: Any) -> None:
    assert query(schema).schema is None


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "integer", "minimum": 0},
        {"type": "integer", "format": "int32"},
        {"type": "string", "format": "date"},
        {"type": "string", "enum": ["a"]},
        {"type": ["integer", "null"]},
        {"type": "array", "items": {"type": "string", "maxLength": 3}},
        {"type": "array", "minItems": 1},
        {"type": "array", "items": {"type": "array"}},
        {"type": "object"},
        {"not": {}},
    ],
)
def test_a_schema_that_can_refuse_a_cast_value_is_kept(schema: Any) -> None:
    assert isinstance(query(schema).schema, Schema)


def test_json_content_of_a_parameter() -> None:
    media = {"application/vnd.x+json": {"schema": {"type": "object", "required": ["a"]}}}
    found = parameter({"name": "p", "in": "query", "content": media})
    assert found.shape == "content"
    assert found.schema is not None
    assert not found.schema.is_valid({})
    text = parameter({"name": "p", "in": "query", "content": {"text/plain": {"schema": {"maxLength": 1}}}})
    assert (text.shape, text.types) == ("scalar", ("string",))
    assert text.schema is not None
    assert not text.schema.is_valid("ab")


@pytest.mark.parametrize("name", ["Accept", "content-type", "AUTHORIZATION"])
def test_headers_described_elsewhere_are_ignored_with_a_warning(name: str) -> None:
    source = document({"/x": get(parameters=[{"name": name, "in": "header", "schema": {"type": "string"}}])})
    assert only(load(source)).parameters == ()
    assert warnings(source) == [("IgnoredHeaderParameter", "/paths/~1x/get/parameters/0")]


def test_header_names_are_compared_without_case() -> None:
    item = {"parameters": [{"name": "X-A", "in": "header", "schema": {"type": "string"}}]}
    item |= get(parameters=[{"name": "x-a", "in": "header", "schema": {"type": "integer"}}])
    (found,) = only(load(document({"/x": item}))).parameters
    assert found.types == ("integer",)


def test_a_parameter_twice_in_one_list_is_an_issue() -> None:
    twice = [{"name": "p", "in": "query", "schema": {"type": "string"}}] * 2
    assert errors(document({"/x": get(parameters=twice)})) == [("DuplicateParameter", "/paths/~1x/get/parameters/1")]


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"name": "p"},
        {"in": "query"},
        {"name": 3, "in": "query"},
        {"name": "p", "in": "body"},
        {"name": "p", "in": []},
        {"name": "p", "in": "querystring", "content": {"a/b": {}}},
        {"name": "a{b", "in": "path", "required": True, "schema": {}},
        {"name": "a b", "in": "header", "schema": {}},
        {"name": "a=b", "in": "cookie", "schema": {}},
        {"name": "p", "in": "query", "content": {}},
    ],
)
def test_an_invalid_parameter(definition: Any) -> None:
    assert "InvalidParameter" in dict(errors(document({"/x": get(parameters=[definition])})))


def test_a_parameter_that_nothing_uses_is_checked_too() -> None:
    source = document(components={"parameters": {"Bad": {"name": "p", "in": "body"}}})
    assert errors(source) == [("InvalidParameter", "/components/parameters/Bad")]


def test_the_types_of_many_alternatives_and_of_endless_ones_are_read() -> None:
    assert query({"anyOf": [{"const": n} for n in range(500)]}).types == ("integer",)
    definition = {"name": "p", "in": "query", "schema": {"$ref": "#/components/schemas/A"}}
    again = {"$ref": "#/components/schemas/A"}
    assert parameter(definition, schemas={"A": {"anyOf": [again, again]}}).types == ("string",)
    assert parameter(definition, schemas={"A": {"type": "integer", "allOf": [again, again]}}).types == ("integer",)
