"""`Schema`: OpenAPI schemas as JSON Schema 2020-12 validators, and the faults that they find."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brrtrouter.errors import BrrtError
from brrtrouter.spec.load import load
from brrtrouter.spec.patterns import portable
from brrtrouter.spec.schema import MESSAGE_LENGTH, Schema, SchemaCompileError, SchemaFault

SPECS = Path(__file__).parent / "specs"


def both(schema: Any, version: str = "3.1.0", **schemas: Any) -> tuple[Schema, Schema]:
    """The schema as that of a request body and as that of a response."""
    content = {"content": {"application/json": {"schema": schema}}}
    operation = {"operationId": "o", "requestBody": content, "responses": {"200": content}}
    paths = {"/x": {"post": operation}}
    document = {"openapi": version, "info": {"title": "T"}, "paths": paths, "components": {"schemas": schemas}}
    (loaded,) = load(document).operations
    assert loaded.request_body
    request, response = loaded.request_body.content[0].schema, loaded.responses[0].content[0].schema
    assert request
    assert response
    return request, response


def body(schema: Any, version: str = "3.1.0", **schemas: Any) -> Schema:
    return both(schema, version, **schemas)[0]


def allows(schema: Any, value: Any, version: str = "3.1.0", **schemas: Any) -> bool:
    return body(schema, version, **schemas).is_valid(value)


# -- the handle -------------------------------------------------------------------------------------------------


def test_definition_is_the_schema_as_written() -> None:
    schema = body({"$ref": "#/components/schemas/A"}, A={"type": "string", "title": "A"})
    assert schema.definition == {"$ref": "#/components/schemas/A"}
    assert schema.resolved() == {"type": "string", "title": "A"}
    assert schema.pointer == "/paths/~1x/post/requestBody/content/application~1json/schema"


def test_compiled_is_made_once_and_checks_values() -> None:
    schema = body({"type": "integer"})
    check = schema.compiled()
    assert check(1)
    assert not check("1")
    assert schema.compiled().__self__ is check.__self__  # type: ignore[attr-defined]


def test_threads_share_one_validator() -> None:
    schema = body({"type": "object", "properties": {str(n): {"type": "integer"} for n in range(2000)}})
    found: set[int] = set()
    threads = [threading.Thread(target=lambda: found.add(id(schema.compiled().__self__))) for _ in range(8)]  # type: ignore[attr-defined]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1


def test_a_schema_used_twice_is_one_handle() -> None:
    shared = {"type": "object", "required": ["a"]}
    content = {"content": {"application/json": {"schema": shared}}}
    bodies = {"B": content}
    reference = {"$ref": "#/components/requestBodies/B"}
    paths = {f"/{n}": {"post": {"operationId": n, "requestBody": reference}} for n in "ab"}
    document = {"openapi": "3.0.0", "info": {"title": "T"}, "paths": paths, "components": {"requestBodies": bodies}}
    one, two = load(document).operations
    assert one.request_body is two.request_body


# -- faults -----------------------------------------------------------------------------------------------------


def test_all_faults_are_found_each_with_its_place() -> None:
    schema = body(
        {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {"a/b": {"type": "array", "items": {"$ref": "#/components/schemas/N"}}},
        },
        N={"type": "integer", "maximum": 3},
    )
    unexpected = "Additional properties are not allowed ('z' was unexpected)"
    assert set(schema.faults({"a/b": [1, "x", 4], "z": 1})) == {
        SchemaFault("/a~1b/1", "type", 'value is not of type "integer"', "/properties/a~1b/items/$ref/type"),
        SchemaFault(
            "/a~1b/2", "maximum", "value is greater than the maximum of 3", "/properties/a~1b/items/$ref/maximum"
        ),
        SchemaFault("", "required", '"name" is a required property', "/required"),
        SchemaFault("", "additionalProperties", unexpected, "/additionalProperties"),
    }


def test_the_number_of_faults_is_bounded() -> None:
    schema = body({"type": "array", "items": {"type": "integer"}})
    assert len(schema.faults(["x"] * 1000)) == 100
    assert len(schema.faults(["x"] * 1000, limit=3)) == 3


def test_messages_carry_neither_the_value_nor_endless_text() -> None:
    secret = "hunter2" * 1000
    for schema in (
        {"type": "integer"},
        {"maxLength": 3},
        {"enum": ["a" * 2000]},
        {"format": "date"},
        {"anyOf": [False]},
    ):
        (fault,) = body(schema).faults(secret)
        assert "hunter2" not in fault.message
        assert len(fault.message) <= MESSAGE_LENGTH


# -- discriminators ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pets() -> Schema:
    (operation,) = load(SPECS / "discriminator.yaml").operations
    assert operation.request_body
    schema = operation.request_body.content[0].schema
    assert schema
    return schema


@pytest.mark.parametrize(
    ("pet", "pointer", "keyword"),
    [
        ({"kind": "puss", "lives": 10}, "/pets/1/lives", "maximum"),
        ({"kind": "hound"}, "/pets/1", "required"),
        ({"kind": "Dog", "bark": 1}, "/pets/1/bark", "type"),
        ({"kind": "cow"}, "/pets/1/kind", "discriminator"),
        ({"kind": 3}, "/pets/1/kind", "discriminator"),
        ({}, "/pets/1", "discriminator"),
        ("Cat", "/pets/1", "oneOf"),
    ],
)
def test_a_discriminator_names_the_branch(pets: Schema, pet: Any, pointer: str, keyword: str) -> None:
    (fault,) = pets.faults({"pets": [{"kind": "Fish", "fins": 2}, pet]})
    assert (fault.pointer, fault.keyword) == (pointer, keyword)


def test_a_discriminator_changes_no_verdict(pets: Schema) -> None:
    assert not pets.is_valid({"pets": [{"kind": "cow", "lives": 9, "bark": "x"}]})
    assert pets.is_valid({"pets": [{"kind": "cow", "lives": 9}]})
    assert pets.faults({"pets": [{"kind": "cow", "lives": 9}]}) == []


def test_an_unknown_kind_names_the_known_ones(pets: Schema) -> None:
    (fault,) = pets.faults({"pets": [{"kind": "cow"}]})
    assert fault.message.endswith("one of: Cat, Dog, Fish, hound, puss")


# -- the 3.0 dialect --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "value", "valid"),
    [
        ({"type": "string", "nullable": True}, None, True),
        ({"type": "string", "nullable": True, "enum": ["a"]}, None, False),
        ({"type": "string", "nullable": True, "enum": ["a", None]}, None, True),
        ({"type": "string"}, None, False),
        ({"nullable": True, "allOf": [{"type": "string"}]}, None, False),
        ({"minimum": 1, "exclusiveMinimum": True}, 1, False),
        ({"minimum": 1, "exclusiveMinimum": True}, 2, True),
        ({"minimum": 1, "exclusiveMinimum": False}, 1, True),
        ({"maximum": 1, "exclusiveMaximum": True}, 1, False),
        ({"exclusiveMaximum": True}, 1, True),
        ({"$ref": "#/components/schemas/S", "maxLength": 1}, "abc", True),
        ({"$ref": "#/components/schemas/S", "maxLength": 1}, 1, False),
        ({"type": "array", "items": {}, "uniqueItems": True}, [1, 1], False),
    ],
)
def test_keywords_of_the_3_0_dialect(schema: Any, value: Any, valid: bool) -> None:
    assert allows(schema, value, "3.0.4", S={"type": "string"}) is valid


def test_required_properties_of_one_direction_bind_that_direction_only_in_3_0() -> None:
    schema = {
        "required": ["id", "password", "name", "far"],
        "properties": {"id": {"readOnly": True}, "password": {"writeOnly": True}, "name": {}},
        "allOf": [{"properties": {"far": {"$ref": "#/components/schemas/Far"}}}],
    }
    far = {"type": "string", "readOnly": True}
    request, response = both(schema, "3.0.4", Far=far)
    assert request.is_valid({"password": 1, "name": 1})
    assert not request.is_valid({"id": 1, "name": 1})
    assert response.is_valid({"id": 1, "name": 1, "far": "x"})
    assert not response.is_valid({"password": 1, "name": 1})
    newer, _ = both(schema, "3.1.0", Far=far)
    assert not newer.is_valid({"password": 1, "name": 1})


@pytest.mark.parametrize("version", ["3.0.4", "3.1.0"])
@pytest.mark.parametrize(
    ("schema", "value", "valid"),
    [
        ({"type": "integer", "format": "int32"}, 2**31 - 1, True),
        ({"type": "integer", "format": "int32"}, 2**31, False),
        ({"type": "integer", "format": "int32"}, -(2**31) - 1, False),
        ({"type": "integer", "format": "int64"}, 2**63 - 1, True),
        ({"type": "integer", "format": "int64"}, 2**63, False),
        ({"type": "integer", "format": "int32", "maximum": 2**40}, 2**31, False),
        ({"type": "integer", "format": "int32", "maximum": 5}, 6, False),
        ({"type": "integer", "format": "uint8"}, -1, False),
        ({"type": "integer", "format": "made-up"}, 2**80, True),
        ({"type": "string", "format": "int32"}, "any", True),
        ({"type": "integer"}, 1.0, True),
        ({"type": "string", "format": "byte"}, "aGk=", True),
        ({"type": "string", "format": "byte"}, "aGk", False),
        ({"type": "string", "format": "byte"}, "a\nGk=", False),
        ({"type": "string", "format": "binary"}, "\x00", True),
        ({"type": "string", "format": "date"}, "2024-02-30", False),
        ({"type": "string", "format": "date-time"}, "2024-02-29T00:00:00Z", True),
        ({"type": "string", "format": "uuid"}, "x", False),
        ({"type": "string", "format": "email"}, "x", False),
    ],
)
def test_formats_are_asserted(version: str, schema: Any, value: Any, valid: bool) -> None:
    assert allows(schema, value, version) is valid


def test_annotations_and_extensions_have_no_say() -> None:
    schema = {
        "type": "string",
        "example": 3,
        "xml": 3,
        "externalDocs": 3,
        "discriminator": 3,
        "deprecated": 3,
        "title": 3,
        "x-type": 3,
        "default": 3,
    }
    assert allows(schema, "a")


# -- 2020-12 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "value", "valid"),
    [
        (False, 1, False),
        ({"$ref": "#/components/schemas/S", "maxLength": 1}, "abc", False),
        ({"type": ["string", "null"]}, None, True),
        ({"if": {"type": "string"}, "then": {"maxLength": 1}, "else": {"minimum": 5}}, 4, False),
        ({"prefixItems": [{"type": "string"}], "items": False}, ["a", 1], False),
        ({"contains": {"const": 1}, "maxContains": 1}, [1, 1], False),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, False),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}, False),
        ({"patternProperties": {"^x": {"type": "integer"}}}, {"xa": "b"}, False),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, False),
        ({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}, {"b": 1}, False),
        ({"$ref": "#/components/schemas/O", "unevaluatedProperties": False}, {"a": 1}, True),
        ({"exclusiveMinimum": 1}, 1, False),
        ({"minimum": 1, "exclusiveMinimum": True}, 1, False),
        ({"$dynamicRef": "#node", "$defs": {"n": {"$dynamicAnchor": "node", "type": "string"}}}, 1, True),
    ],
)
def test_keywords_of_2020_12(schema: Any, value: Any, valid: bool) -> None:
    if isinstance(schema, dict) and "$dynamicRef" in schema:
        schema = {"$id": "https://example.com/node", **schema}
        valid = False
    assert allows(schema, value, S={"type": "string"}, O={"properties": {"a": {}}}) is valid


def test_recursive_schemas_are_checked_to_any_depth() -> None:
    tree = {"type": "object", "required": ["v"], "properties": {"l": {"$ref": "#/components/schemas/T"}}}
    value: dict[str, Any] = {}
    for _ in range(100):
        value = {"v": 1, "l": value}
    (fault,) = body({"$ref": "#/components/schemas/T"}, T=tree).faults(value)
    assert fault.pointer == "/l" * 100


def test_a_schema_may_be_referred_to_at_any_place() -> None:
    reference = {"$ref": "#/components/schemas/A/properties/x~1y/items"}
    assert not allows(reference, "a", A={"properties": {"x/y": {"items": {"type": "integer"}}}})


# -- patterns ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "same"),
    [
        (r"a{2,3}", r"a{2,3}"),
        (r"{a}", r"\{a}"),
        (r"\{a{2}", r"\{a{2}"),
        (r"\|{2}", r"\|{2}"),
        (r"\p{L}{", r"\p{L}\{"),
        (r"x{,2}", r"x\{,2}"),
        ("plain", "plain"),
    ],
)
def test_braces_that_are_no_quantifier_are_characters(pattern: str, same: str) -> None:
    assert portable(pattern) == same


def test_a_length_written_as_a_pattern() -> None:
    schema = body({"type": "string", "pattern": "^.{2,262144}$"})
    assert schema.is_valid("ab")
    assert not schema.is_valid("a")
    assert not schema.is_valid("a" * 262_145)
    assert not schema.is_valid("a\nb")


def test_a_pattern_is_unanchored() -> None:
    assert allows({"pattern": "b"}, "abc")


def test_a_pattern_that_backtracks_is_given_up_soon() -> None:
    schema = body({"pattern": r"^(?=(a+)+b)a+$"})
    begin = time.perf_counter()
    assert not schema.is_valid("a" * 5_000)
    assert time.perf_counter() - begin < 1.0


# -- schemas that cannot be used --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schema", [{"pattern": "("}, {"type": "file"}, {"required": True}, {"minimum": "1"}, {"enum": 1}]
)
def test_a_schema_that_cannot_be_compiled_is_named(schema: Any) -> None:
    found = body({"$ref": "#/components/schemas/Bad"}, Bad=schema)
    for use in (found.compiled, lambda: found.is_valid(1), lambda: found.faults(1)):
        with pytest.raises(SchemaCompileError, match="the schema at /paths/~1x/post") as caught:
            use()
        assert isinstance(caught.value, BrrtError)
        assert "/$defs/Bad" in caught.value.reason
    issue = found.compile_issue()
    assert issue is not None
    assert (issue.kind, issue.pointer) == ("InvalidSchema", found.pointer)
    assert body({"type": "string"}).compile_issue() is None


# -- the translation against a slow reading of the rules --------------------------------------------------------

SCALARS = (
    st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([0.5, 1.0]) | st.sampled_from(["", "a", "bb"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("pqr"), inner, max_size=3),
    max_leaves=5,
)
TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"]


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    property_schema = st.tuples(inner, st.sampled_from([{}, {"readOnly": True}, {"writeOnly": True}]))
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(TYPES[1:]),
            "nullable": st.booleans(),
            "enum": st.lists(SCALARS, min_size=1, max_size=3),
            "minimum": st.integers(-1, 2),
            "exclusiveMinimum": st.booleans(),
            "maximum": st.integers(-1, 2),
            "exclusiveMaximum": st.booleans(),
            "minLength": st.integers(0, 2),
            "maxItems": st.integers(0, 2),
            "items": inner,
            "properties": st.dictionaries(
                st.sampled_from("pqr"), property_schema.map(lambda pair: {**pair[0], **pair[1]}), max_size=3
            ),
            "required": st.lists(st.sampled_from("pqr"), max_size=3, unique=True),
            "additionalProperties": st.booleans() | inner,
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "oneOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
        },
    )


SCHEMAS = st.recursive(
    st.just({}) | st.just({"$ref": "#/components/schemas/A", "type": "array"}), objects, max_leaves=5
)
COMPONENT = {"type": "string", "nullable": True, "readOnly": True}


def same(one: Any, two: Any) -> bool:
    if isinstance(one, bool) or isinstance(two, bool):
        return one is two
    return bool(one == two)


def has_type(value: Any, name: str) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {
        "null": value is None,
        "boolean": isinstance(value, bool),
        "integer": number and math.floor(value) == value if number else False,
        "number": number,
        "string": isinstance(value, str),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
    }[name]


def describes(schema: Any, name: str, flag: str) -> bool:
    """Whether the schema or a branch of its `allOf` says that the property is of the other direction only."""
    if "$ref" in schema:
        schema = COMPONENT
    found = schema.get("properties", {}).get(name, {})
    return flagged(found, flag) or any(describes(branch, name, flag) for branch in schema.get("allOf", ()))


def flagged(schema: Any, flag: str) -> bool:
    schema = COMPONENT if "$ref" in schema else schema
    return schema.get(flag, False) or any(flagged(branch, flag) for branch in schema.get("allOf", ()))


def obeys(value: Any, schema: Any, flag: str) -> bool:
    """OpenAPI 3.0.4 section 4.7.24, keyword by keyword."""
    if isinstance(schema, bool):
        return schema
    if "$ref" in schema:
        return obeys(value, COMPONENT, flag)
    rules = []
    if "type" in schema:
        rules.append(has_type(value, schema["type"]) or (value is None and schema.get("nullable", False)))
    if "enum" in schema:
        rules.append(any(same(value, item) for item in schema["enum"]))
    if has_type(value, "number"):
        if "minimum" in schema:
            low = schema["minimum"]
            rules.append(value > low if schema.get("exclusiveMinimum") else value >= low)
        if "maximum" in schema:
            high = schema["maximum"]
            rules.append(value < high if schema.get("exclusiveMaximum") else value <= high)
    if isinstance(value, str):
        rules.append(len(value) >= schema.get("minLength", 0))
    if isinstance(value, list):
        rules.append(len(value) <= schema.get("maxItems", 99))
        rules += [obeys(item, schema.get("items", {}), flag) for item in value]
    if isinstance(value, dict):
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties", {})
        rules += [obeys(item, known.get(name, rest), flag) for name, item in value.items()]
        rules += [name in value or describes(schema, name, flag) for name in schema.get("required", ())]
    rules += [obeys(value, branch, flag) for branch in schema.get("allOf", ())]
    if "anyOf" in schema:
        rules.append(any(obeys(value, branch, flag) for branch in schema["anyOf"]))
    if "oneOf" in schema:
        rules.append(sum(obeys(value, branch, flag) for branch in schema["oneOf"]) == 1)
    if "not" in schema:
        rules.append(not obeys(value, schema["not"], flag))
    return all(rules)


@settings(max_examples=500, deadline=None)
@given(SCHEMAS.filter(bool), st.lists(VALUES, min_size=1, max_size=5))
def test_the_3_0_dialect_means_what_its_rules_say(schema: Any, values: list[Any]) -> None:
    request, response = both(schema, "3.0.4", A=COMPONENT)
    for value in values:
        assert request.is_valid(value) is obeys(value, schema, "readOnly")
        assert response.is_valid(value) is obeys(value, schema, "writeOnly")
        assert bool(request.faults(value)) is not request.is_valid(value)
