"""Answers held against the description: what is checked, what the client and the log are told, what passes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from brrtrouter import App, Request, Response
from brrtrouter.errors import ConfigError, SpecError
from brrtrouter.testing import TestClient

EXTENSION = "x-brrtrouter-response-validation"
PET = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer"},
        "secret": {"type": "string", "writeOnly": True},
        "born": {"type": "string", "format": "date"},
        "tag": {"type": "string", "format": "uuid"},
    },
}
RESPONSES: dict[str, Any] = {
    "200": {"description": "", "content": {"application/json": {"schema": PET}}},
    "4XX": {"description": "", "content": {"application/problem+json": {"schema": {"required": ["title"]}}}},
}


def document(responses: Any = None, version: str = "3.1.0", **more: Any) -> dict[str, Any]:
    operation = {"operationId": "getPet", "responses": RESPONSES if responses is None else responses, **more}
    return {"openapi": version, "info": {"title": "t", "version": "1"}, "paths": {"/pet": {"get": operation}}}


def client(answer: Any, responses: Any = None, mode: str = "enforce", **more: Any) -> TestClient:
    """A client of an application whose one handler answers with `answer`, or what it gives when it is called."""
    result = answer if callable(answer) else lambda: answer

    async def get_pet(request: Request) -> Any:
        return result()

    return TestClient(App(document(responses), {"getPet": get_pet}, response_validation=mode, **more))


def faults(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """(location, pointer, keyword) of what the log was told."""
    return [
        (fault["location"], fault["pointer"], fault["keyword"])
        for record in caplog.records
        for fault in getattr(record, "faults", ())
    ]


def judged(caplog: pytest.LogCaptureFixture, answer: Any, responses: Any = None) -> list[tuple[str, str, str]]:
    """What is wrong with an answer; the status that the client gets has to agree."""
    caplog.clear()
    response = client(answer, responses).get("/pet")
    found = faults(caplog)
    assert (response.status == 500) is bool(found), (response.status, response.text)
    return found


# -- what a client and a log are told ----------------------------------------------------------------


def test_enforce_answers_500_that_says_nothing_of_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    response = client({"id": "hunter2"}).get("/pet")
    assert response.status == 500
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"].endswith("/internal-error")
    assert set(problem) == {"type", "title", "status", "detail", "request_id"}
    assert "hunter2" not in response.raw.decode()
    assert "hunter2" not in caplog.text


def test_the_log_has_operation_place_keyword_and_request_id(caplog: pytest.LogCaptureFixture) -> None:
    problem = client({"id": "x"}).get("/pet").json()
    (record,) = [each for each in caplog.records if hasattr(each, "faults")]
    told = vars(record)
    assert (told["operation"], told["status"], told["request_id"]) == ("GET /pet", 200, problem["request_id"])
    assert told["levelno"] == logging.ERROR
    assert told["faults"] == [
        {
            "location": "body",
            "pointer": "/id",
            "keyword": "type",
            "message": 'value is not of type "integer"',
            "schema_path": "/properties/id/type",
        }
    ]
    for part in (problem["request_id"], "GET /pet", "body /id: type"):
        assert part in record.getMessage()


def test_log_lets_the_answer_pass_and_warns(caplog: pytest.LogCaptureFixture) -> None:
    response = client({"id": "x"}, mode="log").get("/pet")
    assert (response.status, response.json()) == (200, {"id": "x"})
    (record,) = [each for each in caplog.records if hasattr(each, "faults")]
    assert record.levelno == logging.WARNING
    assert faults(caplog) == [("body", "/id", "type")]


def test_off_is_the_default_and_checks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def get_pet(request: Request) -> Any:
        return {"id": "x"}

    assert TestClient(App(document(), {"getPet": get_pet})).get("/pet").status == 200
    assert not faults(caplog)


def test_off_leaves_the_very_same_call() -> None:
    """An operation that is not checked runs what it would run if there were no checks at all."""

    def handler(request: Request) -> Any:
        return {"id": 1}

    def calls(mode: str) -> Any:
        app = App(document(), response_validation=mode)
        app.register("getPet", handler, inline=True)
        assert app.service
        return app._chain(app.specification.operations[0])[0]

    assert calls("off") is handler
    assert calls("enforce") is not handler


# -- where the mode comes from ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "argument", "extension", "status"),
    [
        ("off", None, None, 200),
        ("enforce", None, None, 500),
        ("off", "enforce", None, 500),
        ("enforce", "off", None, 200),
        ("off", "off", "enforce", 500),
        ("enforce", "enforce", "off", 200),
        ("enforce", None, "log", 200),
        ("enforce", None, False, 200),
    ],
)
def test_the_operation_goes_before_the_argument_before_the_setting(
    setting: str, argument: str | None, extension: Any, status: int
) -> None:
    more = {} if extension is None else {EXTENSION: extension}
    app = App(
        document(**more),
        {"getPet": lambda request: {"id": "x"}},
        {"validation": {"responses": setting}},
        response_validation=argument,
    )
    with TestClient(app) as it:
        assert it.get("/pet").status == status


def test_off_in_a_configuration_file_is_a_word(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("validation:\n  responses: off\n")
    assert App(document(), config=file).config.validation.responses == "off"


def test_a_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"validation\.responses is not one of off, log, enforce"):
        App(document(), response_validation="on")
    with pytest.raises(SpecError) as raised:
        _ = App(document(**{EXTENSION: "on"})).service
    (issue,) = raised.value.issues
    assert (issue.kind, issue.pointer) == ("InvalidExtension", f"/paths/~1pet/get/{EXTENSION}")


def test_a_schema_of_an_answer_that_cannot_be_used_is_found_at_the_start() -> None:
    broken = {"200": {"description": "", "content": {"application/json": {"schema": {"pattern": "("}}}}}
    assert App(document(broken)).service
    with pytest.raises(SpecError, match="InvalidSchema"):
        _ = App(document(broken), response_validation="log").service


def test_a_handler_that_is_registered_later_is_checked_too() -> None:
    app = App(document(), response_validation="enforce")
    with TestClient(app) as it:
        assert it.get("/pet").status == 501
        app.register("getPet", lambda request: {"id": "x"})
        assert it.get("/pet").status == 500


# -- status ----------------------------------------------------------------


def declared(*statuses: str) -> dict[str, Any]:
    """Responses that each accept only their own status as a body."""
    return {
        status: {"description": "", "content": {"application/json": {"schema": {"const": status}}}}
        for status in statuses
    }


@pytest.mark.parametrize(
    ("status", "means"),
    [(200, "200"), (201, "2XX"), (404, "404"), (418, "4XX"), (500, "default"), (302, "default")],
)
def test_the_exact_status_goes_before_its_class_before_default(
    caplog: pytest.LogCaptureFixture, status: int, means: str
) -> None:
    responses = declared("200", "2XX", "404", "4XX", "default")
    assert client((status, means), responses).get("/pet").status == status
    assert judged(caplog, (status, "something else"), responses) == [("body", "", "const")]


def test_a_status_that_is_not_declared_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert judged(caplog, (201, {"id": 1})) == [("status", "", "responses")]
    assert "201 is not declared; declared: 200, 4XX" in caplog.text


def test_an_operation_that_declares_no_response_is_not_checked(caplog: pytest.LogCaptureFixture) -> None:
    assert judged(caplog, {"id": "x"}, {}) == []


# -- media type ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (Response(200, "<p>", media_type="text/html"), False),
        (Response(200, "<p>", media_type="text/html; charset=utf-8"), False),
        (Response(200, "<p>", media_type="TEXT/HTML"), False),
        (Response(200, b"%PDF", media_type="image/png"), False),
        (Response(200, b"%PDF", media_type="application/pdf"), True),
        (Response(200, b"%PDF"), True),
        (Response(200, {"a": 1}), True),
        ("text", False),
        (Response(200), True),
    ],
)
def test_the_media_type_has_to_be_declared(caplog: pytest.LogCaptureFixture, answer: Any, wrong: bool) -> None:
    responses = {"200": {"description": "", "content": {"text/html": {}, "image/*": {}}}}
    assert [keyword for _, _, keyword in judged(caplog, answer, responses)] == (["content"] if wrong else [])


def test_the_most_specific_entry_judges(caplog: pytest.LogCaptureFixture) -> None:
    media = {
        "*/*": {"schema": {"const": "any"}},
        "application/*": {"schema": {"const": "range"}},
        "application/json": {"schema": {"const": "exact"}},
        "application/json; profile=x": {"schema": {"const": "profile"}},
        "application/vnd.a+json": {"schema": {"const": "suffix"}},
    }
    responses = {"200": {"description": "", "content": media}}
    for value, media_type in (
        ("exact", "application/json"),
        ("profile", 'application/json;profile="x"'),
        ("suffix", "application/vnd.a+json"),
        ("range", "application/vnd.b+json"),
        ("any", "other/vnd.b+json"),
    ):
        assert judged(caplog, Response(200, value, media_type=media_type), responses) == []
        assert judged(caplog, Response(200, "no", media_type=media_type), responses) == [("body", "", "const")]


def test_a_response_without_content_says_nothing_of_a_body(caplog: pytest.LogCaptureFixture) -> None:
    for answer in ({"a": 1}, b"bytes", Response(200)):
        assert judged(caplog, answer, {"200": {"description": ""}}) == []


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_content_needs_none(caplog: pytest.LogCaptureFixture, status: int) -> None:
    responses = {str(status): {"description": "", "content": {"application/json": {"schema": PET}}}}
    assert judged(caplog, Response(status), responses) == []


# -- header fields ----------------------------------------------------------------

HEADERS = {
    "X-Left": {"required": True, "schema": {"type": "integer", "maximum": 9}},
    "X-Tags": {"schema": {"type": "array", "items": {"type": "string", "maxLength": 2}}},
    "X-Json": {"content": {"application/json": {"schema": {"type": "object", "required": ["a"]}}}},
    "Content-Type": {"required": True, "schema": {"const": "never looked at"}},
    "Content-Length": {"required": True, "schema": {"type": "integer"}},
    "Set-Cookie": {"schema": {"type": "string", "pattern": "^a="}},
}


@pytest.mark.parametrize(
    ("headers", "wrong"),
    [
        ({"X-Left": 3}, []),
        ([("x-left", "3"), ("x-tags", "ab,cd")], []),
        ({}, [("/X-Left", "required")]),
        ({"X-Left": "many"}, [("/X-Left", "type")]),
        ({"X-Left": 10}, [("/X-Left", "maximum")]),
        ({"X-Left": 1, "X-Tags": ["ab", "abc"]}, [("/X-Tags/1", "maxLength")]),
        ({b"X-Left": b"1", "X-Json": '{"a":1}'}, []),
        ({"X-Left": 1, "X-Json": "{}"}, [("/X-Json", "required")]),
        ({"X-Left": 1, "X-Json": "{"}, [("/X-Json", "content")]),
        ({"X-Left": 1, "Set-Cookie": ["a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "b=2"]}, []),
    ],
)
def test_declared_header_fields_are_cast_and_validated(
    caplog: pytest.LogCaptureFixture, headers: Any, wrong: list[tuple[str, str]]
) -> None:
    responses = {"200": {"description": "", "headers": HEADERS, "content": {"application/json": {}}}}
    found = judged(caplog, Response(200, {}, headers), responses)
    assert [(pointer, keyword) for location, pointer, keyword in found if location == "header"] == wrong


# -- bodies ----------------------------------------------------------------


@dataclass
class Pet:
    id: Any
    born: Any = date(2020, 2, 29)


@pytest.mark.parametrize(
    "answer",
    [
        {"id": 1},
        {"id": 1, "born": date(2020, 2, 29), "tag": UUID(int=1)},
        Response(200, Pet(1)),
        Response(200, b'{"id": 1}', media_type="application/json"),
        {"id": 10**30},
    ],
)
def test_the_value_is_judged_as_the_client_sees_it(caplog: pytest.LogCaptureFixture, answer: Any) -> None:
    assert judged(caplog, answer) == []


@pytest.mark.parametrize(
    ("answer", "pointer", "keyword"),
    [
        ({"id": UUID(int=1)}, "/id", "type"),
        ({"id": 1, "born": datetime(2020, 2, 29, 1, 2)}, "/born", "format"),
        (Response(200, Pet("x")), "/id", "type"),
        (Response(200, b'{"id": "x"}', media_type="application/json"), "/id", "type"),
        (Response(200, b"{", media_type="application/json"), "", "syntax"),
        ({}, "", "required"),
        ([], "", "type"),
        (Response(404, {}, media_type="application/problem+json"), "", "required"),
    ],
)
def test_a_body_that_breaks_the_schema_is_told(
    caplog: pytest.LogCaptureFixture, answer: Any, pointer: str, keyword: str
) -> None:
    assert judged(caplog, answer) == [("body", pointer, keyword)]


def test_text_is_judged_by_a_schema_for_text(caplog: pytest.LogCaptureFixture) -> None:
    responses = {
        "200": {
            "description": "",
            "content": {
                "text/plain": {"schema": {"type": "string", "maxLength": 2}},
                "text/csv": {"schema": {"type": "array"}},
            },
        }
    }
    assert judged(caplog, Response(200, "ab", media_type="text/plain"), responses) == []
    assert judged(caplog, Response(200, "abc", media_type="text/plain"), responses) == [("body", "", "maxLength")]
    assert judged(caplog, Response(200, b"abc", media_type="text/plain"), responses) == [("body", "", "maxLength")]
    assert judged(caplog, Response(200, "a,b", media_type="text/csv"), responses) == []


def test_a_result_that_is_no_json_is_the_500_it_always_was() -> None:
    assert client({"id": object()}).get("/pet").status == 500
    assert client({"id": object()}, mode="log").get("/pet").status == 500


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_write_only_members_do_not_leave(caplog: pytest.LogCaptureFixture, version: str) -> None:
    schema = {
        "type": "object",
        "required": ["password"],
        "properties": {"password": {"$ref": "#/components/schemas/P"}},
    }
    responses = {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}
    described = document(responses, version)
    described["components"] = {"schemas": {"P": {"type": "string", "writeOnly": True}}}

    def status(answer: Any, **validation: Any) -> int:
        config = {"validation": {"responses": "enforce", **validation}}
        return TestClient(App(described, {"getPet": answered(answer)}, config)).get("/pet").status

    assert status({"password": "hunter2"}) == 500
    assert faults(caplog) == [("body", "/password", "writeOnly")]
    assert "hunter2" not in caplog.text
    assert status({}) == 200  # what may not be sent cannot be required
    assert status({"password": "hunter2"}, write_only="accept") == 200


def answered(answer: Any) -> Callable[[Request], Any]:
    async def handler(request: Request) -> Any:
        return answer

    return handler


def test_the_number_of_faults_in_a_record_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    schema = {"type": "array", "items": {"type": "integer"}}
    responses = {"200": {"description": "", "content": {"application/json": {"schema": schema}}}}
    config = {"validation": {"responses": "enforce"}, "limits": {"errors": 7}}
    TestClient(App(document(responses), {"getPet": answered(["x"] * 50)}, config)).get("/pet")
    assert len(faults(caplog)) == 7
    assert len(caplog.records[0].getMessage()) < 1000


# -- kinds of handlers and methods ----------------------------------------------------------------


def plain(request: Request) -> Any:
    return {"id": request.query.get("id", "x")}


async def immediate(request: Request) -> Any:
    return plain(request)


async def suspending(request: Request) -> Any:
    await asyncio.sleep(0)
    return plain(request)


@pytest.mark.parametrize("handler", [plain, immediate, suspending])
@pytest.mark.parametrize("inline", [False, True])
def test_every_kind_of_handler_is_checked(handler: Any, inline: bool) -> None:
    parameters = [{"name": "id", "in": "query", "schema": {"type": "integer"}}]
    app = App(document(parameters=parameters), response_validation="enforce")
    app.register("getPet", handler, inline=inline and handler is plain)
    with TestClient(app) as it:
        assert [it.get("/pet").status, it.get("/pet?id=1").status] == [500, 200]


def test_head_is_checked_like_get_but_needs_no_body() -> None:
    assert client({"id": "x"}).head("/pet").status == 500
    assert client({"id": 1}).head("/pet").status == 200
    assert client(Response(200)).head("/pet").status == 200
    assert client(Response(200)).get("/pet").status == 500


def test_what_middleware_of_the_operation_makes_of_an_answer_is_checked() -> None:
    class Spoils:
        def after(self, request: Request, response: Response) -> Response:
            return Response(response.status, {"id": "x"})

    assert client({"id": 1}, middleware=[Spoils()]).get("/pet").status == 500


def test_an_exception_is_the_same_500_as_without_checks(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Any:
        raise RuntimeError("no")

    assert client(fail).get("/pet").status == 500
    assert not faults(caplog)


# -- what the server itself answers ----------------------------------------------------------------


def refusing(problems: bool) -> TestClient:
    parameters = [{"name": "id", "in": "query", "schema": {"type": "integer"}}]
    responses = {"200": RESPONSES["200"]}
    config = {"validation": {"responses": "enforce", "problems": problems}}
    return TestClient(App(document(responses, parameters=parameters), {"getPet": answered({"id": 1})}, config))


def test_refusals_by_the_server_are_held_against_the_description_only_when_asked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert refusing(False).get("/pet?id=x").status == 400
    assert not faults(caplog)
    asked = refusing(True)
    assert asked.get("/pet?id=x").status == 500
    assert faults(caplog) == [("status", "", "responses")]
    assert asked.get("/pet").status == 200
    assert asked.get("/nowhere").status == 404


def test_handlers_are_checked_when_refusals_are_too() -> None:
    config = {"validation": {"responses": "enforce", "problems": True}}
    assert TestClient(App(document(), {"getPet": answered({"id": "x"})}, config)).get("/pet").status == 500


def test_a_full_queue_and_a_missing_handler_are_no_answers_of_the_operation() -> None:
    assert TestClient(App(document(), response_validation="enforce")).get("/pet").status == 501
    config = {"limits": {"handler_threads": 1, "handler_queue": 0}, "validation": {"responses": "enforce"}}
    app = App(document(), {"getPet": lambda request: {"id": 1}}, config)
    app._pools.default._places.acquire()
    with TestClient(app) as it:
        assert it.get("/pet").status == 503
