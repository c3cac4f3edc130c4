"""The mock handler: which status, media type and example it answers with, and that what it makes is valid."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from brrtrouter import App, Request, SpecError
from brrtrouter.cli import main
from brrtrouter.errors import ConfigError
from brrtrouter.testing import TestClient, TestResponse

PET = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "name": {"type": "string"},
        "secret": {"type": "string", "writeOnly": True},
        "made": {"type": "string", "format": "date-time", "readOnly": True},
    },
}


def document(responses: dict[str, Any], *, version: str = "3.1.0", **operation: Any) -> dict[str, Any]:
    return {
        "openapi": version,
        "info": {"title": "t", "version": "1"},
        "paths": {"/x": {"get": {"operationId": "x", "responses": responses, **operation}}},
        "components": {
            "schemas": {"Pet": PET},
            "securitySchemes": {"Key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
        },
    }


def json_response(schema: Any = None, **media: Any) -> dict[str, Any]:
    return {"description": "", "content": {"application/json": {**({"schema": schema} if schema else {}), **media}}}


def ask(given: dict[str, Any], *, method: str = "GET", seed: int = 0, **headers: str) -> TestResponse:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    with TestClient(App(given, mock=True, seed=seed)) as client:
        return client.request(method, "/x", headers=fields)


# -- the status


@pytest.mark.parametrize(
    ("declared", "status"),
    [
        (["404", "201", "202"], 201),
        (["404", "2XX"], 200),
        (["404", "default"], 200),
        (["500", "404"], 404),
        (["4XX"], 400),
        (["302"], 302),
        (["default"], 200),
        ([], 200),
    ],
)
def test_without_a_wish_the_smallest_declared_success_is_answered(declared: list[str], status: int) -> None:
    assert ask(document({name: {"description": ""} for name in declared})).status == status


@pytest.mark.parametrize(
    ("wish", "status", "applied"),
    [
        ("code=404", 404, "code=404"),
        ("Code=404", 404, "code=404"),
        ('code="404"', 404, "code=404"),
        ("respond-async, code=404; note=x, wait=5", 404, "code=404"),
        ("code=404, code=200", 404, "code=404"),
        ("code=451", 451, "code=451"),
        ("code=200", 200, "code=200"),
        ("code=500", 200, None),
        ("code=101", 200, None),
        ("code=x", 200, None),
        ("code", 200, None),
        ("=;,,,code=404", 404, "code=404"),
    ],
)
def test_a_client_may_prefer_a_declared_status(wish: str, status: int, applied: str | None) -> None:
    responses = {"200": json_response(PET), "404": json_response({"type": "object"}), "4XX": {"description": ""}}
    response = ask(document(responses), Prefer=wish)
    assert (response.status, response.headers.get("preference-applied")) == (status, applied)


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_content_has_none(status: int) -> None:
    response = ask(document({str(status): json_response(PET)}))
    assert (response.status, response.content) == (status, b"")


def test_the_answer_to_head_has_the_fields_only() -> None:
    response = ask(document({"200": json_response(PET)}), method="HEAD")
    assert (response.status, response.content) == (200, b"")
    assert int(response.headers["content-length"]) > 2


# -- the media type

SEVERAL = {
    "200": {
        "description": "",
        "content": {
            "application/xml": {"schema": {"type": "string"}, "example": "<a/>"},
            "application/json": {"schema": {"type": "string"}, "example": "json"},
            "text/plain": {"schema": {"type": "string"}, "example": "text"},
            "image/*": {},
        },
    }
}


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/json"),
        ("text/*", "text/plain"),
        ("application/xml, application/json;q=0.9", "application/xml"),
        ("application/json;q=0.1, text/plain;q=0.2", "text/plain"),
        ("*/*;q=0.1, application/json;q=0", "application/xml"),
        ("text/plain;q=0, text/*, image/gif;q=0.5", "image/gif"),
        ("image/*", "image/png"),
        ("application/json; charset=utf-8", "application/json"),
        ("", "application/json"),
    ],
)
def test_accept_decides_by_weight_and_the_most_exact_range(accept: str, media_type: str) -> None:
    response = ask(document(SEVERAL), Accept=accept)
    assert (response.status, response.headers["content-type"]) == (200, media_type)


@pytest.mark.parametrize("accept", ["video/mp4", "application/json;q=0", "application/json;version=2", "*/*;q=0"])
def test_what_nobody_accepts_is_answered_with_406(accept: str) -> None:
    responses = {"200": {"description": "", "content": {"application/json": {"schema": PET}}}}
    response = ask(document(responses), Accept=accept)
    assert (response.status, response.json()["type"].rpartition("/")[2]) == (406, "not-acceptable")
    assert "application/json" in response.json()["detail"]


# -- examples

NAMED = {"cat": {"value": {"id": 1, "name": "Cat"}}, "dog": {"value": {"id": 2, "name": "Dog"}}}


def test_examples_come_first_and_can_be_named() -> None:
    given = document({"200": json_response({"$ref": "#/components/schemas/Pet"}, examples=NAMED)})
    assert ask(given).json() == NAMED["cat"]["value"]
    named = ask(given, Prefer="example=dog")
    assert (named.json(), named.headers["preference-applied"]) == (NAMED["dog"]["value"], "example=dog")
    unknown = ask(given, Prefer="example=bird")
    assert unknown.json() == NAMED["cat"]["value"]
    assert "preference-applied" not in unknown.headers


def test_several_wishes_are_told_together() -> None:
    given = document({"200": json_response(PET), "404": json_response(PET, examples=NAMED)})
    response = ask(given, Prefer="example=dog, code=404")
    assert (response.status, response.headers["preference-applied"]) == (404, "code=404, example=dog")


def test_dynamic_makes_values_although_there_are_examples_and_others_each_time() -> None:
    app = App(document({"200": json_response(PET, example={"id": 1, "name": "Cat"})}), mock=True)
    with TestClient(app) as client:
        answers = [client.get("/x", headers={"Prefer": "dynamic=true"}) for _ in range(4)]
    assert len({answer.content for answer in answers}) > 1
    assert all(answer.headers["preference-applied"] == "dynamic=true" for answer in answers)
    assert all(answer.json()["id"] >= 1 for answer in answers)


@pytest.mark.parametrize(
    ("example", "body"),
    [
        ({"dataValue": {"id": 3, "name": "Data"}}, {"id": 3, "name": "Data"}),
        ({"serializedValue": '{"id": 4, "name": "Text"}'}, {"id": 4, "name": "Text"}),
    ],
)
def test_the_forms_of_an_example_of_openapi_3_2(example: dict[str, Any], body: Any) -> None:
    given = document({"200": json_response(PET, examples={"one": example})}, version="3.2.0")
    assert ask(given).json() == body


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ({"type": "string", "example": "from example"}, "from example"),
        ({"type": "string", "examples": ["from examples", "b"]}, "from examples"),
        ({"type": "string", "default": "from default"}, "from default"),
        ({"const": "from const"}, "from const"),
        ({"type": "object", "properties": {"a": {"type": "string", "default": "inside"}}}, {"a": "inside"}),
    ],
)
def test_without_an_example_what_the_schema_has_written_is_used(schema: Any, body: Any) -> None:
    assert ask(document({"200": json_response(schema)})).json() == body


def test_an_example_that_does_not_validate_is_told_once_and_replaced(caplog: pytest.LogCaptureFixture) -> None:
    given = document({"200": json_response(PET, example={"id": "one"})})
    with caplog.at_level(logging.WARNING, "brrtrouter.mock"), TestClient(App(given, mock=True)) as client:
        answers = [client.get("/x", headers={"Accept": accept}).json() for accept in ("*/*", "application/json", "*/*")]
    assert all(isinstance(answer["id"], int) for answer in answers)
    (record,) = caplog.records
    assert "/paths/~1x/get/responses/200/content/application~1json/example" in record.getMessage()


def test_what_is_write_only_is_left_out_and_what_is_read_only_is_there() -> None:
    example = {"id": 1, "name": "Rex", "secret": "s"}
    assert ask(document({"200": json_response(PET, example=example)})).json() == {"id": 1, "name": "Rex"}
    made = ask(document({"200": json_response(PET)})).json()
    assert made.keys() == {"id", "name", "made"}


def external(folder: Path, address: str) -> TestResponse:
    given = document({"200": json_response(PET, examples={"file": {"externalValue": address}})})
    folder.joinpath("openapi.json").write_text(json.dumps(given), "utf-8")
    with TestClient(App(folder / "openapi.json", mock=True)) as client:
        return client.get("/x")


def test_an_external_example_is_read_below_the_folder_of_the_document_only(tmp_path: Path) -> None:
    inside = tmp_path / "api"
    inside.mkdir()
    text = '{"id": 9, "name": "File"}'
    inside.joinpath("pet.json").write_text(text, "utf-8")
    tmp_path.joinpath("pet.json").write_text(text, "utf-8")
    assert external(inside, "pet.json").text == text
    for address in ("../pet.json", (tmp_path / "pet.json").as_uri(), "https://example.com/pet.json", "none.json"):
        assert external(inside, address).json().get("name") != "File"


# -- fields, bodies of other kinds


def test_declared_header_fields_are_sent_in_style_simple() -> None:
    headers = {
        "X-Plain": {"schema": {"type": "integer", "minimum": 5, "maximum": 5}},
        "X-List": {"schema": {"type": "array", "items": {"type": "string"}}, "example": ["a", "b"]},
        "X-Object": {"schema": {"type": "object"}, "example": {"a": 1}, "explode": True},
        "X-Json": {"content": {"application/json": {"schema": {"type": "object"}, "example": {"a": [1]}}}},
        "Content-Length": {"schema": {"type": "integer"}},
        "Content-Encoding": {"schema": {"type": "string"}, "example": "gzip"},
        "X-Text": {"schema": {"type": "string"}, "example": "a\r\nb: \u4e2d"},
    }
    response = ask(document({"200": {**json_response(PET), "headers": headers}}))
    found = {name: response.headers.get(name.lower()) for name in headers}
    assert found["Content-Length"] == str(len(response.content))
    assert (found["X-Plain"], found["X-List"], found["X-Object"], found["X-Json"]) == ("5", "a,b", "a=1", '{"a":[1]}')
    assert (found["Content-Encoding"], found["X-Text"]) == (None, "a%0D%0Ab: %E4%B8%AD")


ITEM = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


def body_of(media_type: str, version: str = "3.2.0", **media: Any) -> TestResponse:
    return ask(document({"200": {"description": "", "content": {media_type: media}}}, version=version))


def test_sequences_have_several_items() -> None:
    lines = body_of("application/jsonl", itemSchema=ITEM).text.splitlines()
    assert [type(json.loads(line)["n"]) for line in lines] == [int, int, int]
    records = body_of("application/json-seq", itemSchema=ITEM).text.split("\x1e")[1:]
    assert [type(json.loads(record)["n"]) for record in records] == [int, int, int]
    event = {
        "type": "object",
        "required": ["data", "event"],
        "properties": {"data": {"const": "a\nb"}, "event": {"const": "e"}},
    }
    assert body_of("text/event-stream", itemSchema=event).text == "event: e\ndata: a\ndata: b\n\n" * 3


def test_other_media_types_have_bodies_of_their_kind() -> None:
    assert body_of("text/plain", schema={"type": "integer", "const": 7}).text == "7"
    form = body_of("application/x-www-form-urlencoded", schema={"const": {"a": [1, 2], "b": "x y"}})
    assert form.text == "a=1&a=2&b=x+y"
    assert body_of("image/png").content.startswith(b"\x89PNG")
    assert body_of("application/pdf", schema={"type": "string", "format": "binary"}).content.startswith(b"%PDF-")
    assert body_of("application/octet-stream").content
    parts = body_of("multipart/form-data", schema={"const": {"a": "x", "b": {"c": 1}}})
    assert parts.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert 'name="a"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nx\r\n' in parts.text


def test_xml_is_written_as_its_xml_objects_say() -> None:
    schema = {
        "type": "object",
        "xml": {"name": "pet", "namespace": "urn:p"},
        "properties": {
            "id": {"type": "integer", "xml": {"attribute": True}},
            "name": {"type": "string", "xml": {"name": "called"}},
            "tags": {"type": "array", "xml": {"wrapped": True}, "items": {"type": "string", "xml": {"name": "tag"}}},
        },
        "example": {"id": 1, "name": "<Rex>", "tags": ["a", "b"]},
    }
    text = body_of("application/xml", schema=schema).text
    assert text.partition("\n")[2] == (
        '<pet xmlns="urn:p" id="1"><called>&lt;Rex&gt;</called><tags><tag>a</tag><tag>b</tag></tags></pet>'
    )


# -- seed, handlers, refusals


def test_the_same_seed_gives_the_same_answer_and_another_seed_another() -> None:
    given = document({"200": json_response({"$ref": "#/components/schemas/Pet"})})
    first, again, other = ask(given, seed=1), ask(given, seed=1), ask(given, seed=2)
    assert first.content == again.content != other.content


def test_a_registered_handler_answers_and_can_be_registered_later() -> None:
    app = App(document({"200": json_response(PET)}), mock=True)
    with TestClient(app) as client:
        assert client.get("/x").json()["id"] >= 1
        app.register("x", lambda request: {"id": 7, "name": "mine"}, inline=True)
        assert client.get("/x").json() == {"id": 7, "name": "mine"}
    assert [route.reason for route in app.routes] == ["registered"]


def test_a_credential_has_to_be_present_and_nothing_more() -> None:
    given = document({"200": json_response(PET)}, security=[{"Key": []}])
    assert ask(given).status == 401
    assert ask(given, X_Key="anything").status == 200


PARAMETER = {"name": "n", "in": "query", "required": True, "schema": {"type": "integer"}}


def test_a_refusal_has_the_form_that_is_declared_for_it() -> None:
    own = {"type": "object", "required": ["code"], "properties": {"code": {"type": "integer"}}}
    for status in ("400", "4XX", "default"):
        response = ask(document({"200": json_response(PET), status: json_response(own)}, parameters=[PARAMETER]))
        assert (response.status, response.headers["content-type"]) == (400, "application/json")
        assert response.json()["code"] > 0
    assert ask(document({"200": json_response(PET), "422": json_response(own)}, parameters=[PARAMETER])).status == 422


def test_a_refusal_that_fits_what_is_declared_says_what_was_wrong() -> None:
    loose = {"type": "object", "required": ["title"], "properties": {"title": {"type": "string"}}}
    response = ask(document({"200": json_response(PET), "400": json_response(loose)}, parameters=[PARAMETER]))
    assert response.headers["content-type"] == "application/json"
    assert response.json()["errors"][0]["pointer"] == "/n"


def test_a_refusal_that_is_not_declared_and_one_of_a_handler_stay_as_they_are() -> None:
    response = ask(document({"200": json_response(PET)}, parameters=[PARAMETER]))
    assert (response.status, response.headers["content-type"]) == (400, "application/problem+json")
    own = {"type": "object", "required": ["code"], "properties": {"code": {"type": "integer"}}}
    app = App(document({"200": json_response(PET), "400": json_response(own)}, parameters=[PARAMETER]), mock=True)
    app.register("x", lambda request: {}, inline=True)
    with TestClient(app) as client:
        assert client.get("/x").headers["content-type"] == "application/problem+json"


def test_middleware_may_add_to_an_answer_without_changing_the_next_one() -> None:
    class Adds:
        def after(self, request: Request, response: Any) -> None:
            response.add_header("X-Count", "1")

    app = App(document({"200": json_response(PET)}), mock=True, middleware=[Adds()])
    with TestClient(app) as client:
        assert [client.get("/x").headers["x-count"] for _ in range(3)] == ["1", "1", "1"]


def test_a_schema_without_a_value_is_answered_and_told(caplog: pytest.LogCaptureFixture) -> None:
    impossible = {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"allOf": [{"type": "string"}, {"type": "null"}]}},
    }
    with caplog.at_level(logging.WARNING, "brrtrouter.mock"):
        assert ask(document({"200": json_response(impossible)})).status == 200
    assert "no value was found" in caplog.text


def test_echo_and_mock_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match="not both"):
        App(document({}), echo=True, mock=True)


def test_the_command_line_says_what_is_mocked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document({"200": json_response(PET)}, security=[{"Key": []}])), "utf-8")
    assert main(["routes", str(file), "--mock", "--seed", "3"]) == 0
    out = capsys.readouterr().out
    assert "GET  /x  -> x  [mock; security: Key]" in out
    assert "1 handler is missing, answered by the mock handler" in out
    assert "mock mode: of a credential only the presence is checked" in out
    with pytest.raises(SystemExit) as stopped:
        main(["routes", str(file), "--mock", "--echo"])
    assert stopped.value.code == 2
    assert main(["routes", "brrtrouter:App", "--mock"]) == 2
    assert "--mock goes with a document" in capsys.readouterr().err


def test_a_broken_document_is_refused_in_mock_mode_too() -> None:
    with pytest.raises(SpecError):
        App({"openapi": "3.1.0"}, mock=True)
