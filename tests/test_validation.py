"""Requests held against the description: everything that is wrong in one answer, within bounds, and no secrets."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import pytest

from brrtrouter import App, Request
from brrtrouter.errors import ConfigError
from brrtrouter.spec.load import load
from brrtrouter.spec.schema import MESSAGE_LENGTH, Schema, SchemaOptions
from brrtrouter.testing import TestClient, TestResponse


def document(schema: Any, version: str = "3.1.0", parameters: Iterable[Any] = (), **schemas: Any) -> dict[str, Any]:
    operation = {
        "operationId": "putOrder",
        "parameters": list(parameters),
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"description": ""}},
    }
    return {
        "openapi": version,
        "info": {"title": "t", "version": "1"},
        "paths": {"/orders/{id}": {"put": operation}},
        "components": {"schemas": schemas},
    }


def client(described: dict[str, Any], **validation: Any) -> TestClient:
    limits = {"errors": validation.pop("limit")} if "limit" in validation else {}
    config = {"validation": validation, "limits": limits}

    async def put_order(request: Request) -> Any:
        return {"body": request.body, "query": request.query}

    return TestClient(App(described, {"putOrder": put_order}, config))


def judge(schema: Any, version: str = "3.1.0", options: SchemaOptions | None = None, **schemas: Any) -> Schema:
    """The schema as that of a request body."""
    (operation,) = load(document(schema, version, **schemas), options=options).operations
    assert operation.request_body
    found = operation.request_body.content[0].schema
    assert found
    return found


def errors(response: TestResponse) -> list[tuple[str, str, str]]:
    return [(each["location"], each["pointer"], each["keyword"]) for each in response.json()["errors"]]


# -- all errors in one answer -------------------------------------------------------------------------------------

ORDER = {
    "type": "object",
    "required": ["customer", "lines"],
    "additionalProperties": False,
    "properties": {
        "customer": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "mail": {"type": "string", "format": "email"}},
        },
        "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
    },
}
LINE = {
    "type": "object",
    "required": ["sku"],
    "properties": {"sku": {"type": "string", "pattern": "^[A-Z]{3}$"}, "count": {"type": "integer", "minimum": 1}},
}
PARAMETERS = [
    {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}},
    {"name": "dry", "in": "query", "schema": {"type": "boolean"}},
    {"name": "tags", "in": "query", "schema": {"type": "array", "items": {"type": "string"}, "maxItems": 1}},
    {"name": "X-Trace", "in": "header", "required": True, "schema": {"type": "string"}},
    {"name": "session", "in": "cookie", "schema": {"type": "string", "minLength": 9}},
]
TEN_MISTAKES = {"customer": {"mail": "nobody"}, "lines": [{"sku": "ABC"}, {"sku": "x", "count": 0}], "note": 1}


def ten_mistakes(**validation: Any) -> TestResponse:
    return client(document(ORDER, parameters=PARAMETERS, Line=LINE), **validation).put(
        "/orders/0?dry=yes&tags=a&tags=b", json=TEN_MISTAKES, cookies={"session": "short"}
    )


def test_a_request_with_ten_mistakes_gets_one_answer_that_names_all_ten() -> None:
    response = ten_mistakes()
    assert response.status == 400
    assert response.json()["detail"] == "10 values are not valid"
    assert sorted(errors(response)) == sorted(
        [
            ("path", "/id", "minimum"),
            ("query", "/dry", "type"),
            ("query", "/tags", "maxItems"),
            ("header", "/X-Trace", "required"),
            ("cookie", "/session", "minLength"),
            ("body", "", "additionalProperties"),
            ("body", "/customer", "required"),
            ("body", "/customer/mail", "format"),
            ("body", "/lines/1/sku", "pattern"),
            ("body", "/lines/1/count", "minimum"),
        ]
    )


def test_each_error_has_the_path_in_the_schema_where_one_was_asked() -> None:
    paths = {(e["location"], e["pointer"], e["keyword"]): e.get("schema_path") for e in ten_mistakes().json()["errors"]}
    assert paths["body", "/lines/1/sku", "pattern"] == "/properties/lines/items/$ref/properties/sku/pattern"
    assert paths["cookie", "/session", "minLength"] == "/minLength"
    assert paths["query", "/dry", "type"] is None  # the text was no boolean, so there was nothing to validate
    assert all(error["message"] for error in ten_mistakes().json()["errors"])


def test_the_number_of_errors_is_bounded_by_a_limit_with_a_name() -> None:
    response = ten_mistakes(limit=4)
    assert len(errors(response)) == 4
    assert response.json()["detail"] == "more than 4 values are not valid; the first 4 are listed"
    many = client(document({"type": "array", "items": {"type": "integer"}}))
    assert len(errors(many.put("/orders/1", json=["x"] * 101))) == 100
    assert many.put("/orders/1", json=["x"] * 100).json()["detail"] == "100 values are not valid"


def test_first_stops_at_the_first() -> None:
    response = ten_mistakes(errors="first")
    assert errors(response) == [("path", "/id", "minimum")]
    assert response.json()["detail"] == "a value is not valid"
    only_body = client(document(ORDER, Line=LINE), errors="first").put("/orders/1", json=TEN_MISTAKES)
    assert len(errors(only_body)) == 1


def test_first_does_not_look_at_the_body_when_a_parameter_is_wrong() -> None:
    it = client(document(ORDER, parameters=PARAMETERS, Line=LINE), errors="first")
    headers = {"Content-Type": "application/json"}
    assert errors(it.put("/orders/0", content="{", headers=headers)) == [("path", "/id", "minimum")]


@pytest.mark.parametrize("key", ["errors", "responses", "read_only", "write_only"])
def test_a_setting_that_does_not_exist_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=f"validation.{key} is not one of"):
        client(document({}), **{key: "sometimes"})


# -- bounded work --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "array", "items": {"type": "integer"}}, ["x"] * 200_000),
        ({"type": "array", "items": {"type": "integer"}}, [1] * 200_000 + ["x"]),
        ({"additionalProperties": {"type": "integer"}}, {str(n): "x" for n in range(80_000)}),
        ({"additionalProperties": {"type": "integer"}}, {str(n): n or "x" for n in range(80_000)}),
        ({"additionalProperties": False}, {str(n): 1 for n in range(80_000)}),
        ({"patternProperties": {"^[0-9]": {"type": "string"}}}, {str(n): 1 for n in range(80_000)}),
        ({"propertyNames": {"maxLength": 1}}, {f"{n:09}": 1 for n in range(50_000)}),
        ({"items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}, ["x"] * 200_000),
        ({"items": {"items": {"items": {"type": "integer"}}}}, [[["x"] * 10] * 10] * 1_000),
        ({"$ref": "#/components/schemas/Tree"}, [[[[["x"] * 12] * 12] * 12] * 12] * 3),
    ],
)
def test_the_errors_of_a_large_wrong_body_cost_what_is_told_and_not_what_is_wrong(schema: Any, value: Any) -> None:
    tree = {"type": ["array", "integer"], "items": {"$ref": "#/components/schemas/Tree"}}
    it = judge(schema, Tree=tree)
    it.faults([])
    start = time.process_time()
    assert 0 < len(it.faults(value)) <= 100
    assert time.process_time() - start < 1.0


def test_values_nested_as_deep_as_allowed_are_explained() -> None:
    tree = {"type": "array", "items": {"allOf": [{"$ref": "#/components/schemas/Tree"}]}}
    value: Any = ["x"]
    for _ in range(240):
        value = [value]
    (fault,) = judge({"$ref": "#/components/schemas/Tree"}, Tree=tree).faults(value)
    assert fault.pointer == "/0" * 241


def test_a_schema_that_refers_to_itself_ends() -> None:
    knot = {"allOf": [{"$ref": "#/components/schemas/Knot"}], "type": "integer"}
    faults = judge({"$ref": "#/components/schemas/Knot"}, Knot=knot).faults("x")
    assert {fault.keyword for fault in faults} == {"type"}


def test_a_member_without_a_name_has_a_place() -> None:
    assert places(judge({"additionalProperties": {"type": "integer"}}), {"": "x"}) == [("/", "type")]


# -- secrets ---------------------------------------------------------------------------------------------------------

SECRET = "hunter2-" * 100
SECRET_SCHEMAS: list[Any] = [
    {"type": "integer"},
    {"enum": ["a", "b"]},
    {"const": "a"},
    {"maxLength": 3},
    {"minLength": 10_000},
    {"pattern": "^a$"},
    {"format": "date"},
    {"not": {"type": "string"}},
    {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    {"oneOf": [{"type": "string"}, {"minLength": 1}]},
    {"allOf": [{"maxLength": 3}, {"type": "integer"}]},
    {"if": {"type": "string"}, "then": {"maxLength": 1}},
    False,
]


@pytest.mark.parametrize("keywords", SECRET_SCHEMAS)
@pytest.mark.parametrize("mark", [{"format": "password"}, {"writeOnly": True}])
def test_messages_never_repeat_a_value(keywords: Any, mark: dict[str, Any]) -> None:
    schema = {**keywords, **({} if "format" in keywords else mark)} if isinstance(keywords, dict) else keywords
    described = document(
        {"properties": {"password": schema, "all": {"items": schema, "uniqueItems": True}}},
        parameters=[{"name": "X-Api-Key", "in": "header", "schema": {"type": "string", "maxLength": 3}}],
    )
    response = client(described).put(
        "/orders/1", json={"password": SECRET, "all": [SECRET, SECRET]}, headers={"X-Api-Key": SECRET}
    )
    assert len(errors(response)) >= 4
    assert "hunter2" not in response.text
    assert all(len(error["message"]) <= MESSAGE_LENGTH for error in response.json()["errors"])


# -- discriminators --------------------------------------------------------------------------------------------------


def reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def kind(name: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": ["kind"], "properties": {"kind": {"const": name}, **properties}}


CAT = kind("cat", lives={"type": "integer", "maximum": 9})
DOG = kind("dog", bark={"type": "string"})


def places(schema: Schema, value: Any) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.keyword) for fault in schema.faults(value)]


def test_nested_discriminators_lead_to_the_faults_of_the_innermost_branch() -> None:
    choice = {"oneOf": [reference("cat"), reference("dog")], "discriminator": {"propertyName": "kind"}}
    box = {"type": "object", "required": ["box"], "properties": {"box": {"const": "pets"}, "pets": {"items": choice}}}
    crate = {"type": "object", "required": ["box"], "properties": {"box": {"const": "crate"}, "of": choice}}
    outer = {
        "anyOf": [reference("box"), reference("crate")],
        "discriminator": {"propertyName": "box", "mapping": {"pets": "box", "crate": "#/components/schemas/crate"}},
    }
    schema = judge(outer, cat=CAT, dog=DOG, box=box, crate=crate)
    value = {"box": "pets", "pets": [{"kind": "dog"}, {"kind": "cat", "lives": 10}, {"kind": "dog", "bark": 1}]}
    assert places(schema, value) == [("/pets/1/lives", "maximum"), ("/pets/2/bark", "type")]
    assert places(schema, {"box": "crate", "of": {"kind": "cow"}}) == [("/of/kind", "discriminator")]
    assert schema.faults(value)[0].schema_path == (
        "/anyOf/0/$ref/properties/pets/items/oneOf/0/$ref/properties/lives/maximum"
    )


def test_a_discriminator_in_the_common_parent_selects_the_branch() -> None:
    parent = {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"type": "string"}},
        "discriminator": {"propertyName": "kind", "mapping": {"meow": "#/components/schemas/cat"}},
    }
    cat = {"allOf": [reference("pet"), {"properties": {"kind": {"const": "meow"}, "lives": {"maximum": 9}}}]}
    dog = {"allOf": [reference("pet"), {"properties": {"kind": {"const": "dog"}, "bark": {"type": "string"}}}]}
    schema = judge({"oneOf": [reference("cat"), reference("dog")]}, pet=parent, cat=cat, dog=dog)
    assert places(schema, {"kind": "meow", "lives": 10}) == [("/lives", "maximum")]
    assert places(schema, {"kind": "dog", "bark": 1}) == [("/bark", "type")]
    assert places(schema, {"kind": "cow"}) == [("/kind", "discriminator")]


def test_a_parent_alone_does_not_search_for_children() -> None:
    """OpenAPI 3.1.1 section 4.8.25.3: the allOf form has no part in validation."""
    parent = {"type": "object", "required": ["kind"], "discriminator": {"propertyName": "kind"}}
    child = {"allOf": [reference("pet"), {"required": ["lives"]}]}
    assert judge(reference("pet"), pet=parent, cat=child).is_valid({"kind": "cat"})


def test_without_a_common_parent_the_choice_as_a_whole_is_wrong() -> None:
    schema = judge({"oneOf": [reference("cat"), reference("dog")]}, cat=CAT, dog=DOG)
    assert places(schema, {"kind": "cat", "lives": 10}) == [("", "oneOf")]


@pytest.mark.parametrize(
    ("version", "value", "expected"),
    [
        ("3.2.0", {"lives": 10}, [("/lives", "maximum")]),
        ("3.2.0", {"kind": "cow", "lives": 10}, [("/lives", "maximum")]),
        ("3.2.0", {"kind": "dog", "bark": 1}, [("/bark", "type")]),
        ("3.1.0", {"lives": 10}, [("", "discriminator")]),
    ],
)
def test_default_mapping_is_for_values_without_a_branch_of_their_own(
    version: str, value: Any, expected: list[tuple[str, str]]
) -> None:
    other = {"type": "object", "properties": {"kind": {"not": {"const": "dog"}}, "lives": {"maximum": 9}}}
    schema = judge(
        {
            "oneOf": [reference("other"), reference("dog")],
            "discriminator": {"propertyName": "kind", "defaultMapping": "other"},
        },
        version,
        other=other,
        dog=DOG,
    )
    assert places(schema, value) == expected


def test_a_value_that_fits_more_than_one_branch_is_told_so() -> None:
    loose = {"type": "object", "required": ["kind"]}
    choice = {"oneOf": [reference("cat"), reference("loose")], "discriminator": {"propertyName": "kind"}}
    assert places(judge(choice, cat=CAT, loose=loose), {"kind": "cat"}) == [("", "oneOf")]


# -- formats ---------------------------------------------------------------------------------------------------------

# format: (values that are accepted, values that are refused)
FORMATS: dict[str, tuple[list[Any], list[Any]]] = {
    "int8": ([-128, 127, 1.0], [-129, 128]),
    "int16": ([-32_768, 32_767], [-32_769, 32_768]),
    "int32": ([-(2**31), 2**31 - 1, "x"], [-(2**31) - 1, 2**31]),
    "int64": ([-(2**63), 2**63 - 1], [-(2**63) - 1, 2**63]),
    "uint8": ([0, 255], [-1, 256]),
    "uint16": ([0, 65_535], [-1, 65_536]),
    "uint32": ([0, 2**32 - 1], [-1, 2**32]),
    "uint64": ([0, 2**64 - 1], [-1, 2**64]),
    "double-int": ([-(2**53) + 1, 2**53 - 1], [-(2**53), 2**53]),
    "float": ([3.4e38, -3.4e38, 0.1, 1], [3.5e38, -3.5e38, 1e300]),
    "double": ([1.7e308, 10**300], [10**309]),
    "byte": (["", "YQ==", "YWJj"], ["YQ=", "Y", "Y Q=", "Y*Q="]),
    "base64url": (["", "YQ", "YQ==", "-_-_"], ["Y", "+/+/", "YQ=", "YQ==="]),
    "binary": (["", "\x00\xff"], []),
    "password": (["", "anything"], []),
    "html": (["<p"], []),
    "no-such-format": (["anything"], []),
    "char": (["a", "ä", "💡"], ["", "ab"]),
    "decimal": (["1", "-0.10"], ["1e3", ".5", "x", ""]),
    "decimal128": (["1", "-1.5E+3", "NaN", "-Infinity"], ["-NaN", "1e", ""]),
    "date": (["2024-02-29"], ["2023-02-29", "2024-2-9", "20240229", "2024-02-29T00:00:00Z", ""]),
    "date-time": (
        ["2024-02-29T23:59:60Z", "2024-02-29t01:02:03.456+01:00"],
        ["2024-02-29", "2024-02-29T01:02:03", "2024-02-29 01:02:03Z", "2024-02-29T25:00:00Z"],
    ),
    "date-time-local": (
        ["2024-02-29T01:02:03", "2024-02-29T01:02:03.5"],
        ["2024-02-30T01:02:03", "2024-02-29T01:02:03Z"],
    ),
    "time": (["01:02:03Z", "23:59:60Z", "01:02:03.4-05:30"], ["01:02:03", "24:00:00Z", "1:02:03Z"]),
    "time-local": (["01:02:03", "23:59:60.5"], ["01:02", "24:00:00", "01:02:03Z"]),
    "duration": (["P1D", "PT1H30M", "P2W", "P1Y2M3DT4H5M6S"], ["P", "PT", "1D", "P1S", "P1D2H", "P1Y2W"]),
    "email": (["a@b.example", '"a b"@b.example', "a@[127.0.0.1]"], ["a", "@b", "a@b@c", "A <a@b.example>", "a b@c"]),
    "idn-email": (["ä@ö.example"], ["ä"]),
    "hostname": (["a", "a.example", "xn--nxasmq6b"], ["-a", "a_b", "a..b", "a" * 64, ""]),
    "idn-hostname": (["ö.example"], ["-ö"]),
    "ipv4": (["192.0.2.1"], ["192.0.2", "256.0.0.1", "192.0.2.01", "::1"]),
    "ipv6": (["::1", "2001:db8::1", "::ffff:192.0.2.1"], ["1", ":::1", "2001:db8::1%eth0", "192.0.2.1"]),
    "uri": (["https://a.example/x?y#z", "urn:isbn:1"], ["/x", "a b", "https://a.example/ x", "//a.example"]),
    "uri-reference": (["/x", "", "../y?z#f", "https://a.example"], ["a b", "\\x"]),
    "iri": (["https://ö.example/ä"], ["/ä"]),
    "iri-reference": (["/ä"], ["\\ä"]),
    "uri-template": (["/x/{y}", "{?a,b}"], ["/x/{y"]),
    "uuid": (["123e4567-e89b-42d3-a456-426614174000"], ["123e4567e89b42d3a456426614174000", "x", ""]),
    "regex": (["^a+$", "[0-9]{2}"], ["(", "[", "a{2,1}"]),
    "json-pointer": (["", "/a/0", "/~0~1"], ["a", "/~2", "#/a"]),
    "relative-json-pointer": (["0", "1/a", "2#"], ["/a", "-1", "01"]),
    "http-date": (
        ["Sun, 06 Nov 1994 08:49:37 GMT"],
        ["Mon, 06 Nov 1994 08:49:37 GMT", "1994-11-06", "Sun, 6 Nov 1994 08:49:37 GMT"],
    ),
    "media-range": (["*/*", "text/*", "text/html;level=1", 'a/b; c="d e"'], ["text", "*/html x", "a/b;c"]),
    "sf-binary": (["::", ":YQ==:"], ["YQ==", ":Y:", ":"]),
    "sf-boolean": (["?0", "?1"], ["?2", "true"]),
    "sf-decimal": (["1.5", "-123456789012.123"], ["1", "1.", "1.1234"]),
    "sf-integer": (["0", "-999999999999999"], ["1000000000000000", "1.0"]),
    "sf-string": (['"a b"', '"a\\"b"'], ["a", '"a"b"', '"ä"']),
    "sf-token": (["a", "*a/b:c"], ["1a", "a b", ""]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_asserted(name: str) -> None:
    accepted, refused = FORMATS[name]
    schema = judge({"format": name})
    assert [value for value in accepted if not schema.is_valid(value)] == []
    assert [value for value in refused if schema.is_valid(value)] == []
    assert all(schema.faults(value) for value in refused)
    assert schema.is_valid([])
    assert schema.is_valid(None)


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_annotations_when_told_so(name: str) -> None:
    schema = judge({"format": name}, options=SchemaOptions(formats=False))
    assert all(schema.is_valid(value) for values in FORMATS[name] for value in values)


def test_the_setting_turns_formats_off_for_parameters_and_bodies() -> None:
    parameters = [
        {"name": "day", "in": "query", "schema": {"type": "string", "format": "date"}},
        {"name": "n", "in": "query", "schema": {"type": "integer", "format": "int32"}},
        {"name": "f", "in": "query", "schema": {"type": "number", "format": "float"}},
        {"name": "c", "in": "query", "schema": {"type": "string", "format": "char"}},
    ]
    described = document({"properties": {"day": {"format": "date"}}}, parameters=parameters)
    path, body = "/orders/1?day=x&n=2147483648&f=1e300&c=ab", {"day": "x"}
    found = errors(client(described).put(path, json=body))
    assert [(location, pointer) for location, pointer, _ in found] == [
        ("query", "/day"),
        ("query", "/n"),
        ("query", "/f"),
        ("query", "/c"),
        ("body", "/day"),
    ]
    assert client(described, formats=False).put(path, json=body).status == 200


# -- the dialects side by side --------------------------------------------------------------------------------------

# name: (schema, value, accepted in 3.0, accepted in 3.1)
DIALECTS: dict[str, tuple[Any, Any, bool, bool]] = {
    "nullable": ({"type": "string", "nullable": True}, None, True, False),
    "nullable without a type": ({"nullable": True, "maxLength": 3}, None, True, True),
    "nullable does not widen an enum": ({"type": "string", "nullable": True, "enum": ["a"]}, None, False, False),
    "nullable with null in the enum": ({"type": "string", "nullable": True, "enum": ["a", None]}, None, True, False),
    "nullable beside allOf": ({"type": "object", "nullable": True, "allOf": [{"type": "object"}]}, None, False, False),
    "type null": ({"type": ["string", "null"]}, None, True, True),
    "boolean exclusiveMinimum": ({"minimum": 3, "exclusiveMinimum": True}, 3, False, False),
    "boolean exclusiveMaximum that is false": ({"maximum": 3, "exclusiveMaximum": False}, 3, True, True),
    "numeric exclusiveMinimum": ({"exclusiveMinimum": 3}, 3, False, False),
    "siblings of $ref": ({"$ref": "#/components/schemas/Text", "maxLength": 1}, "ab", True, False),
    "const is no keyword of 3.0, but means one thing": ({"const": 1}, 2, False, False),
    "1.0 is an integer": ({"type": "integer"}, 1.0, True, True),
    "required readOnly member": (
        {"required": ["id"], "properties": {"id": {"type": "integer", "readOnly": True}}},
        {},
        True,
        False,
    ),
    "required writeOnly member": (
        {"required": ["id"], "properties": {"id": {"type": "integer", "writeOnly": True}}},
        {},
        False,
        False,
    ),
    "readOnly member that is sent": ({"properties": {"id": {"readOnly": True}}}, {"id": 1}, True, True),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_the_dialects_side_by_side(name: str) -> None:
    schema, value, old, new = DIALECTS[name]
    text = {"type": "string"}
    verdicts = [judge(schema, version, Text=text).is_valid(value) for version in ("3.0.3", "3.1.0", "3.2.0")]
    assert verdicts == [old, new, new]


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0", "3.2.0"])
def test_read_only_members_of_requests_are_refused_when_told_so(version: str) -> None:
    schema = {
        "type": "object",
        "required": ["id", "name"],
        "properties": {"id": {"allOf": [{"type": "integer", "readOnly": True}]}, "name": {"type": "string"}},
    }
    described = document(schema, version)
    refusing = client(described, read_only="refuse")
    response = refusing.put("/orders/1", json={"id": 1, "name": "a"})
    assert errors(response) == [("body", "/id", "readOnly")]
    assert response.json()["errors"][0]["message"] == "a read-only member is not sent in a request"
    assert refusing.put("/orders/1", json={"name": "a"}).status == 200
    assert client(described).put("/orders/1", json={"id": 1, "name": "a"}).status == 200
