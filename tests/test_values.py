"""Bodies and results: what is decoded, what is refused in which order, and how a refusal tells it (RFC 9457)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from brrtrouter import App, Request
from brrtrouter.testing import TestClient, TestResponse

JSON = "application/json"
NUMBER = {"name": "n", "in": "query", "required": True, "schema": {"type": "integer", "maximum": 9}}


async def show(request: Request) -> Any:
    raw = request.raw_body
    return {
        "body": request.body if not isinstance(request.body, bytes) else ["bytes", request.body.decode()],
        "raw": None if raw is None else raw.decode(),
    }


def document(content: Any, required: bool = False, parameters: Any = (), version: str = "3.1.0") -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": "put",
        "parameters": list(parameters),
        "responses": {"200": {"description": ""}},
    }
    if content is not None:
        operation["requestBody"] = {"required": required, "content": content}
    return {"openapi": version, "info": {"title": "t", "version": "1"}, "paths": {"/x": {"put": operation}}}


def client(content: Any, config: Any = None, **more: Any) -> TestClient:
    return TestClient(App(document(content, **more), {"put": show}, config))


def json_of(schema: Any, **more: Any) -> TestClient:
    return client({JSON: {"schema": schema}}, **more)


def put(
    target: TestClient, content: bytes | str | None, media_type: str | None = JSON, path: str = "/x"
) -> TestResponse:
    return target.put(path, content=content, headers={} if media_type is None else {"Content-Type": media_type})


def faults(response: TestResponse) -> list[tuple[str, str, str]]:
    assert response.headers["content-type"] == "application/problem+json"
    return [(fault["location"], fault["pointer"], fault["keyword"]) for fault in response.json().get("errors", ())]


def kind(response: TestResponse) -> str:
    return str(response.json()["type"].rpartition("/")[2])


# -- is there a body


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("content", [None, b""])
def test_a_body_without_bytes_is_no_body(required: bool, content: bytes | None) -> None:
    response = put(json_of({"type": "object"}, required=required), content)
    if not required:
        assert response.json()["body"] is None
        return
    assert (response.status, kind(response)) == (400, "body-validation-failed")
    assert faults(response) == [("body", "", "required")]


def test_a_body_that_is_not_declared_is_not_decoded() -> None:
    for content, media_type in ((b"{not JSON", JSON), (b"x", "text/x")):
        response = put(client(None), content, media_type)
        assert response.json() == {"body": None, "raw": content.decode()}


@pytest.mark.parametrize("text", ["null", "true", "0", '""', "[]", "{}", ' {"a" : [1, 2.5, "\\u00fc"]}\n'])
def test_any_json_value_is_a_body(text: str) -> None:
    response = put(json_of({}, required=True), text)
    assert response.json() == {"body": json.loads(text), "raw": text}


# -- malformed JSON

MALFORMED = ["{", "[1,]", "{'a': 1}", "NaN", "01", '"\t"', "{} {}", "nul", "\ufeff{}", " ", '"\\ud800"', '{"a":1,}']


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_json_is_400_and_says_where(text: str) -> None:
    response = put(json_of({}), text)
    assert (response.status, kind(response)) == (400, "malformed-body")
    assert faults(response) == [("body", "", "syntax")]
    assert response.json()["detail"] == "the body is not JSON"


def test_bytes_that_are_not_utf_8_are_400() -> None:
    assert kind(put(json_of({}), b'"\xff"')) == "malformed-body"


def test_of_a_repeated_member_the_last_one_counts() -> None:
    target = json_of({"properties": {"a": {"type": "integer"}}})
    assert put(target, '{"a": "x", "a": 2}').json()["body"] == {"a": 2}
    assert put(target, '{"a": 2, "a": "x"}').status == 400


@pytest.mark.parametrize("number", [2**53 + 1, 2**63, 2**64 - 1, -(2**63)])
def test_integers_of_64_bits_are_exact(number: int) -> None:
    assert put(json_of({"type": "integer"}), str(number)).json()["body"] == number


@pytest.mark.parametrize("number", [2**64 - 1, 2**64, -(2**63) - 1, 10**40])
def test_integers_beyond_64_bits_are_exact_in_bodies_and_results(number: int) -> None:
    assert put(json_of({"type": "integer"}), str(number)).json()["body"] == number
    assert put(json_of({"type": "array"}), f'[1.5, {number}, "1{number}"]').json()["body"] == [
        1.5,
        number,
        f"1{number}",
    ]


def test_integers_beyond_64_bits_are_validated() -> None:
    assert faults(put(json_of({"type": "integer", "maximum": 2**64}), str(2**64 + 1))) == [("body", "", "maximum")]


@pytest.mark.parametrize(("text", "body"), [("1.0", 1.0), ("1e2", 100.0), ("-0", 0), ("1e-400", 0.0)])
def test_numbers_without_a_fraction_are_integers(text: str, body: float) -> None:
    assert put(json_of({"type": "integer"}), text).json()["body"] == body
    assert faults(put(json_of({"type": "integer"}), "1.5")) == [("body", "", "type")]


@pytest.mark.parametrize("limit", [1, 2, 128, 250])
def test_a_body_nested_deeper_than_the_limit_is_400(limit: int) -> None:
    target = json_of({}, config={"limits": {"json_depth": limit}})
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        inner = "1" if closing == "}" else ""
        assert put(target, opening * limit + inner + closing * limit).status == 200
        response = put(target, opening * (limit + 1) + inner + closing * (limit + 1))
        assert (response.status, kind(response)) == (400, "malformed-body")
        assert response.json()["errors"][0]["message"] == f"nested deeper than {limit} levels"
    assert put(target, '"' + "[" * 1000 + '\\"{"').status == 200, "brackets in a text are no levels"


def test_the_default_limit_of_depth_is_128() -> None:
    assert put(json_of({}), "[" * 128 + "]" * 128).status == 200
    assert put(json_of({}), "[" * 129 + "]" * 129).status == 400


@pytest.mark.parametrize("length", [10_000, 1_000_000])
def test_hostile_nesting_is_400(length: int) -> None:
    assert put(json_of({}), "[" * length).status == 400
    assert put(json_of({}), '{"a":' * (length // 5)).status == 400


# -- media types (OpenAPI 3.1 section 4.8.14.1)


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("application/json", 200),
        ("APPLICATION/Json", 200),
        ("application/json;charset=utf-8", 200),
        ('application/json ; CHARSET="UTF-8"', 200),
        ("application/json; charset=us-ascii", 200),
        ("application/json; profile=x", 200),
        ("application/json; charset=iso-8859-1", 415),
        ("application/json; charset=utf-16", 415),
        ("application/jsonp", 415),
        ("application/*", 415),
        ("text/json", 415),
        ("application/vnd.x+json", 415),
        ("json", 415),
        ("", 415),
    ],
)
def test_the_content_type_has_to_be_a_declared_one(media_type: str, status: int) -> None:
    response = put(json_of({"const": "x"}), '"x"', media_type)
    assert response.status == status
    if status == 415:
        assert kind(response) == "unsupported-media-type"
        assert response.headers["accept"] == JSON


@pytest.mark.parametrize(
    ("sent", "constant"),
    [
        ("application/json", "exact"),
        ("application/vnd.x+json", "tree"),
        ("application/other+json", "range"),
        ("text/x+json", "all"),
    ],
)
def test_the_most_specific_media_type_counts_whatever_the_order(sent: str, constant: str) -> None:
    content = {
        "*/*": {"schema": {"const": "all"}},
        "application/*": {"schema": {"const": "range"}},
        "application/vnd.x+json": {"schema": {"const": "tree"}},
        "application/json": {"schema": {"const": "exact"}},
    }
    target = client(content)
    for value in ("all", "range", "tree", "exact"):
        response = put(target, f'"{value}"', sent)
        assert response.status == (200 if value == constant else 400)
        if value != constant:
            assert faults(response) == [("body", "", "const")]


def test_a_declared_parameter_of_a_media_type_is_no_part_of_the_comparison() -> None:
    target = client({"application/json; charset=utf-8": {"schema": {"const": "x"}}})
    assert put(target, '"x"', JSON).status == 200
    assert put(target, '"y"', JSON).status == 400


@pytest.mark.parametrize("media_type", ["application/octet-stream", "image/png"])
def test_a_body_of_octets_stays_bytes(media_type: str) -> None:
    for declared in (media_type, "*/*", media_type.partition("/")[0] + "/*"):
        response = put(client({declared: {"schema": {"type": "string", "format": "date"}}}), "<a/>", media_type)
        assert response.json() == {"body": ["bytes", "<a/>"], "raw": "<a/>"}


def test_without_a_content_type_the_only_declared_one_is_meant() -> None:
    assert put(json_of({"const": "x"}), '"x"', None).json()["body"] == "x"
    assert put(client({"image/png": {}}), "x", None).json()["body"] == ["bytes", "x"]
    for content in ({JSON: {}, "text/plain": {}}, {"text/*": {}}):
        response = put(client(content), "x", None)
        assert (response.status, response.headers["accept"]) == (415, ", ".join(content))
        assert "the body has no Content-Type" in response.json()["detail"]


def test_a_media_type_without_a_schema_takes_any_value() -> None:
    assert put(client({JSON: {}}), '{"a": [1]}').json()["body"] == {"a": [1]}


# -- all that is wrong, in one answer

PET = {
    "type": "object",
    "required": ["name", "tags"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "tags": {"type": "array", "items": {"type": "string"}},
        "a/b~c": {"enum": [1, 2]},
    },
}


def test_every_fault_of_a_body_is_listed_with_its_place_and_keyword() -> None:
    response = put(json_of(PET), '{"name": "", "tags": ["x", 1, 2], "a/b~c": 3, "more": 1}')
    assert (response.status, kind(response)) == (400, "body-validation-failed")
    assert sorted(faults(response)) == [
        ("body", "", "additionalProperties"),
        ("body", "/a~1b~0c", "enum"),
        ("body", "/name", "minLength"),
        ("body", "/tags/1", "type"),
        ("body", "/tags/2", "type"),
    ]
    assert response.json()["detail"] == "5 values are not valid"
    assert all(fault["message"] for fault in response.json()["errors"])


def test_a_missing_member_is_told_where_it_is_missing() -> None:
    response = put(json_of({"properties": {"pet": PET}}), '{"pet": {"name": "x"}}')
    assert faults(response) == [("body", "/pet", "required")]
    assert "tags" in response.json()["errors"][0]["message"]
    assert response.json()["detail"] == "1 value is not valid"


def test_faults_of_parameters_and_body_come_in_one_answer() -> None:
    target = json_of(PET, parameters=[NUMBER, {"name": "X-H", "in": "header", "required": True, "schema": {}}])
    response = put(target, '{"name": 1, "tags": []}', path="/x?n=ten")
    assert (response.status, kind(response)) == (400, "parameter-validation-failed")
    assert faults(response) == [("query", "/n", "type"), ("header", "/X-H", "required"), ("body", "/name", "type")]
    assert response.json()["detail"] == "3 values are not valid"


@pytest.mark.parametrize(
    ("content", "required", "found"),
    [
        ("", True, [("query", "/n", "maximum"), ("body", "", "required")]),
        ("", False, [("query", "/n", "maximum")]),
        ("{", True, [("query", "/n", "maximum"), ("body", "", "syntax")]),
        ("[]", True, [("query", "/n", "maximum"), ("body", "", "type")]),
        ('{"name":"x","tags":[]}', True, [("query", "/n", "maximum")]),
    ],
)
def test_parameters_are_told_first(content: str, required: bool, found: Any) -> None:
    response = put(json_of(PET, required=required, parameters=[NUMBER]), content, path="/x?n=10")
    assert (response.status, kind(response), faults(response)) == (400, "parameter-validation-failed", found)


def test_an_unsupported_media_type_is_told_after_the_parameters_and_before_the_body() -> None:
    target = json_of(PET, required=True, parameters=[NUMBER])
    assert put(target, "<a/>", "text/xml", "/x?n=1").status == 415
    response = put(target, "<a/>", "text/xml", "/x?n=10")
    assert (response.status, faults(response)) == (400, [("query", "/n", "maximum")])


def test_messages_do_not_repeat_what_was_sent() -> None:
    response = put(json_of({"properties": {"a": {"maxLength": 3}}}), '{"a": "a-long-secret"}')
    assert faults(response) == [("body", "/a", "maxLength")]
    assert "secret" not in response.text


# -- dialects (OpenAPI 3.0.4 section 4.7.24)


@pytest.mark.parametrize(
    ("version", "schema", "text", "status"),
    [
        ("3.0.3", {"type": "string", "nullable": True}, "null", 200),
        ("3.0.3", {"type": "string", "nullable": True}, "1", 400),
        ("3.0.3", {"type": "string"}, "null", 400),
        ("3.0.3", {"type": "integer", "minimum": 1, "exclusiveMinimum": True}, "1", 400),
        ("3.0.3", {"type": "integer", "minimum": 1, "exclusiveMinimum": True}, "2", 200),
        ("3.1.0", {"type": ["string", "null"]}, "null", 200),
        ("3.1.0", {"type": "string", "nullable": True}, "null", 400),
        ("3.1.0", {"type": "integer", "exclusiveMinimum": 1}, "1", 400),
        ("3.1.0", {"type": "string", "format": "date-time"}, '"yesterday"', 400),
        ("3.1.0", {"type": "string", "format": "uuid"}, '"yesterday"', 400),
    ],
)
def test_each_version_reads_schemas_its_own_way(version: str, schema: Any, text: str, status: int) -> None:
    assert put(json_of(schema, version=version), text).status == status


READ_ONLY = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {"id": {"type": "integer", "readOnly": True}, "name": {"type": "string"}},
}


def test_a_required_member_that_is_read_only_is_not_required_in_a_request_of_3_0() -> None:
    target = json_of(READ_ONLY, version="3.0.3")
    assert put(target, '{"name": "x"}').status == 200
    assert faults(put(target, "{}")) == [("body", "", "required")]


def test_an_empty_schema_refuses_nothing_and_false_everything() -> None:
    assert put(json_of({}), "5").status == 200
    assert put(json_of(False), "5").status == 400


def test_two_content_types_are_not_json() -> None:
    fields = [("Content-Type", JSON), ("Content-Type", "text/plain")]
    assert json_of({}).put("/x", content="{}", headers=fields).status == 415


def test_a_body_without_content_type_is_octets_where_everything_is_accepted() -> None:
    assert put(client({"*/*": {}}), "abc", None).json()["body"] == ["bytes", "abc"]
