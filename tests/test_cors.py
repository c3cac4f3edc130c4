"""CORS as the Fetch standard has it: who is granted what, on every kind of answer, and what is refused at the start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from brrtrouter import App, ConfigError, Request, Response
from brrtrouter.errors import SpecError
from brrtrouter.testing import TestClient, TestResponse

ORIGIN = "https://app.example"
HOSTS = ("https://*.apps.example", "http://localhost:*")
LISTED = {"origins": [ORIGIN, "https://other.example:8443", *HOSTS], "expose_headers": ["X-Total"]}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/items": {
            "get": {
                "operationId": "items",
                "parameters": [{"name": "n", "in": "query", "schema": {"type": "integer"}}],
                "responses": {"200": {"description": ""}},
            },
            "put": {
                "operationId": "put",
                "parameters": [{"name": "X-Trace", "in": "header", "schema": {"type": "string"}}],
                "security": [{"Key": []}],
                "requestBody": {"content": {"application/json": {}}},
                "responses": {"200": {"description": ""}},
            },
        },
        "/locked": {"get": {"operationId": "locked", "security": [{"Key": []}], "responses": {}}},
        "/broken": {"get": {"operationId": "broken", "responses": {}}},
        "/stream": {"get": {"operationId": "stream", "responses": {}}},
        "/bad-stream": {"get": {"operationId": "badStream", "responses": {}}},
        "/own": {
            "options": {"operationId": "ownOptions", "security": [{"Key": []}], "responses": {}},
            "delete": {"operationId": "own", "responses": {}},
        },
        "/private": {
            "get": {"operationId": "private", "x-cors": False, "responses": {}},
            "put": {"operationId": "public", "x-cors": "inherit", "responses": {}},
        },
        "/special": {
            "post": {
                "operationId": "special",
                "x-cors": {
                    "allowedHeaders": ["X-Special"],
                    "allowedMethods": ["POST"],
                    "allowCredentials": True,
                    "exposeHeaders": ["X-Seen"],
                    "maxAge": 5,
                },
                "responses": {},
            }
        },
    },
    "components": {"securitySchemes": {"Key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
}

# What "*" can be had for: nothing asks for credentials.
OPEN = {**DOCUMENT, "paths": {path: item for path, item in DOCUMENT["paths"].items() if path != "/special"}}


async def plain(request: Request) -> Any:
    return {"ok": True}


async def broken(request: Request) -> Any:
    raise RuntimeError("broken")


async def stream(request: Request) -> Any:
    async def chunks() -> Any:
        yield b"one"

    return Response(200, chunks(), None, "text/plain")


async def bad_stream(request: Request) -> Any:
    return Response(200, (await stream(request)).body, {"X": "a\nb"}, "text/plain")


HANDLERS = {
    **dict.fromkeys(("items", "put", "locked", "ownOptions", "own", "private", "public", "special"), plain),
    "broken": broken,
    "stream": stream,
    "badStream": bad_stream,
}


def client(settings: Mapping[str, Any] | None = None, document: Mapping[str, Any] = DOCUMENT) -> TestClient:
    config = {
        "cors": dict(LISTED if settings is None else settings),
        "limits": {"body": 100},
        "security": {"api_keys": {"Key": {"key": "k"}}},
    }
    return TestClient(App(dict(document), HANDLERS, config))


@pytest.fixture(scope="module")
def listed() -> Any:
    with client() as made:
        yield made


def preflight(made: TestClient, path: str, method: str, origin: str | None = ORIGIN, **more: str) -> TestResponse:
    fields = [("Access-Control-Request-Method", method), *((k.replace("_", "-"), v) for k, v in more.items())]
    return made.options(path, headers=[*([("Origin", origin)] if origin is not None else []), *fields])


def granted(answer: TestResponse) -> str | None:
    found: str | None = answer.headers.get("access-control-allow-origin")
    return found


def names(answer: TestResponse, field: str) -> list[str]:
    return [each.strip() for each in answer.headers.get(field, "").split(",") if each.strip()]


def cors_fields(answer: TestResponse) -> set[str]:
    return {name for name in answer.headers if name.startswith("access-control-")}


# -- which origins


@pytest.mark.parametrize(
    "origin",
    [
        ORIGIN,
        "https://other.example:8443",
        "https://x.apps.example",
        "https://x.y.apps.example",
        "http://localhost",
        "http://localhost:5173",
    ],
)
def test_an_origin_of_the_configuration_is_granted_by_its_own_name(listed: TestClient, origin: str) -> None:
    answer = listed.get("/items", headers={"Origin": origin})
    assert answer.status == 200
    assert answer.raw.count(b"Access-Control-Allow-Origin") == 1
    assert granted(answer) == origin
    assert names(answer, "access-control-expose-headers") == ["X-Total"]
    assert answer.headers["vary"] == "Origin"
    assert preflight(listed, "/items", "GET", origin).status == 204


TRICKS = (
    "null",
    "*",
    "https://evil.example",
    "https://app.example.evil.example",
    "https://evilapp.example",
    "https://app.exampleevil",
    "http://app.example",
    "https://app.example:8443",
    "https://app.example:443",
    "https://other.example",
    "https://app.example.",
    "https://app.example/",
    "https://APP.example",
    "HTTPS://app.example",
    "https://user@app.example",
    "https://app.example@evil.example",
    "https://app.example, https://evil.example",
    "https://app.example https://evil.example",
    "https://app.example%00.evil.example",
    "https://apps.example",
    "https://evilapps.example",
    "https://x.apps.example.evil.example",
    "https://x.apps.example:1",
    "https://evil.example/.apps.example",
    "https://evil.example?.apps.example",
    "https://evil.example#.apps.example",
    "https://.apps.example",
    "https://x..apps.example",
    "http://localhost:",
    "http://localhost:0",
    "http://localhost:80@evil.example",
    "http://localhost.evil.example",
    "https://localhost:5173",
    "",
)


@pytest.mark.parametrize("origin", TRICKS)
def test_any_other_origin_is_granted_nothing(listed: TestClient, origin: str) -> None:
    answer = listed.get("/items", headers={"Origin": origin})
    assert answer.status == 200, "the request itself is answered: the browser keeps the answer from the script"
    assert cors_fields(answer) == set()
    assert answer.headers["vary"] == "Origin"
    refused = preflight(listed, "/items", "PUT", origin)
    assert refused.status == 403
    assert cors_fields(refused) == set()
    assert refused.headers["vary"] == "Origin"


def test_blanks_around_an_origin_are_no_part_of_it(listed: TestClient) -> None:
    assert granted(listed.get("/items", headers={"Origin": f"\t {ORIGIN} \t"})) == ORIGIN


@pytest.mark.parametrize("pair", [(ORIGIN, ORIGIN), (ORIGIN, "https://evil.example"), ("https://evil.example", ORIGIN)])
def test_two_origin_fields_are_granted_nothing(listed: TestClient, pair: tuple[str, str]) -> None:
    fields = [("Origin", each) for each in pair]
    assert cors_fields(listed.get("/items", headers=fields)) == set()
    answer = listed.options("/items", headers=[*fields, ("Access-Control-Request-Method", "PUT")])
    assert (answer.status, cors_fields(answer)) == (403, set())


def test_the_name_of_the_field_has_no_case(listed: TestClient) -> None:
    assert granted(listed.get("/items", headers={"oRiGiN": ORIGIN})) == ORIGIN


# -- answers of every kind


ANSWERS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "fine": ("GET", "/items", {}, 200),
    "HEAD": ("HEAD", "/items", {}, 200),
    "not valid": ("GET", "/items?n=x", {}, 400),
    "no credentials": ("GET", "/locked", {}, 401),
    "unknown path": ("GET", "/nowhere", {}, 404),
    "bad path": ("GET", "/%zz", {}, 400),
    "unknown method": ("POST", "/items", {}, 405),
    "too large": ("PUT", "/items", {"content": b"x" * 101, "headers": {"X-Key": "k"}}, 413),
    "media type": ("PUT", "/items", {"content": b"x", "headers": {"X-Key": "k", "Content-Type": "text/plain"}}, 415),
    "failed": ("GET", "/broken", {}, 500),
    "stream": ("GET", "/stream", {}, 200),
    "stream that failed": ("GET", "/bad-stream", {}, 500),
    "built in": ("GET", "/health", {}, 200),
    "OPTIONS, no preflight": ("OPTIONS", "/items", {}, 204),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_tells_a_granted_origin_so(listed: TestClient, kind: str) -> None:
    method, path, given, status = ANSWERS[kind]
    fields = {**given.get("headers", {}), "Origin": ORIGIN}
    answer = listed.request(method, path, **{**given, "headers": fields})
    assert answer.status == status
    assert granted(answer) == ORIGIN
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_varies_even_when_nobody_says_where_they_come_from(listed: TestClient, kind: str) -> None:
    method, path, given, _ = ANSWERS[kind]
    answer = listed.request(method, path, **given)
    assert answer.headers["vary"] == "Origin"
    assert cors_fields(answer) == set()


def test_a_connection_that_ends_says_that_too(listed: TestClient) -> None:
    answer = listed.get("/items", headers={"Origin": ORIGIN, "Connection": "close"})
    assert (granted(answer), answer.headers["connection"]) == (ORIGIN, "close")


@pytest.mark.parametrize("kind", ANSWERS)
def test_without_a_configuration_nothing_is_said(kind: str) -> None:
    method, path, given, _ = ANSWERS[kind]
    with client({}) as made:
        assert made.app.service.cors is None
        fields = {**given.get("headers", {}), "Origin": ORIGIN}
        answer = made.request(method, path, **{**given, "headers": fields})
        assert cors_fields(answer) | (set(answer.headers) & {"vary"}) == set()


# -- preflights


def test_a_preflight_says_what_the_description_has(listed: TestClient) -> None:
    answer = preflight(listed, "/items", "PUT", Access_Control_Request_Headers="x-trace,x-key")
    assert answer.status == 204
    assert granted(answer) == ORIGIN
    assert names(answer, "access-control-allow-methods") == ["GET", "HEAD", "OPTIONS", "PUT"]
    assert names(answer, "access-control-allow-headers") == ["Authorization", "Content-Type", "X-Trace", "X-Key"]
    assert answer.headers["access-control-max-age"] == "600"
    assert answer.content == b""


def test_a_preflight_needs_no_credentials_although_its_request_does(listed: TestClient) -> None:
    assert preflight(listed, "/locked", "GET").status == 204
    assert listed.get("/locked").status == 401


def test_a_preflight_is_answered_where_options_is_an_operation_too(listed: TestClient) -> None:
    answer = preflight(listed, "/own", "DELETE")
    assert (answer.status, granted(answer)) == (204, ORIGIN)
    assert "DELETE" in names(answer, "access-control-allow-methods")
    assert listed.options("/own", headers={"Origin": ORIGIN}).status == 401, "which is no preflight"
    assert listed.options("/own", headers={"Origin": ORIGIN, "X-Key": "k"}).json() == {"ok": True}


@pytest.mark.parametrize("method", ["put", "Put", "PATCH", "patch", "", "PUT,GET", "P UT", "CONNECT"])
def test_a_method_that_the_path_does_not_have_is_not_granted(listed: TestClient, method: str) -> None:
    """Methods have case (RFC 9110 9.1): the browser holds what it wants against the list."""
    answer = preflight(listed, "/items", method)
    assert method not in names(answer, "access-control-allow-methods")


def test_a_preflight_for_an_unknown_path_is_not_found(listed: TestClient) -> None:
    answer = preflight(listed, "/nowhere", "GET")
    assert (answer.status, granted(answer)) == (404, ORIGIN)
    assert "access-control-allow-methods" not in answer.headers


@pytest.mark.parametrize("asked", ["", " ", ",", "x-unknown", "accept,content-type", "X-KEY"])
def test_what_header_fields_a_preflight_asks_for_changes_nothing(listed: TestClient, asked: str) -> None:
    plain_answer = preflight(listed, "/items", "PUT")
    answer = preflight(listed, "/items", "PUT", Access_Control_Request_Headers=asked)
    assert answer.status == 204
    for field in ("access-control-allow-headers", "access-control-allow-methods"):
        assert answer.headers[field] == plain_answer.headers[field]


def test_options_without_an_origin_or_a_method_is_no_preflight(listed: TestClient) -> None:
    for fields in ({"Origin": ORIGIN}, {"Access-Control-Request-Method": "PUT"}):
        answer = listed.options("/items", headers=fields)
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS, PUT"
        assert "access-control-allow-methods" not in answer.headers


def test_private_networks_are_never_granted(listed: TestClient) -> None:
    for name in ("Private", "Local"):
        field = {f"Access_Control_Request_{name}_Network": "true"}
        answer = preflight(listed, "/items", "PUT", **field)
        assert f"access-control-allow-{name.lower()}-network" not in answer.headers


def test_lists_of_the_configuration_go_before_the_description() -> None:
    settings = {**LISTED, "allowed_methods": ["GET", "PURGE"], "allowed_headers": ["X-A", "X-B"], "max_age": 0}
    with client(settings) as made:
        answer = preflight(made, "/items", "GET")
        assert names(answer, "access-control-allow-methods") == ["GET", "PURGE"]
        assert names(answer, "access-control-allow-headers") == ["X-A", "X-B"]
        assert answer.headers["access-control-max-age"] == "0"


# -- everybody, and credentials


def test_a_star_is_for_everybody_and_the_same_for_everybody() -> None:
    with client({"origins": ["*"], "expose_headers": ["*"]}, OPEN) as made:
        answers = [made.get("/items", headers=fields) for fields in ({}, {"Origin": ORIGIN}, {"Origin": "null"})]
        for answer in answers:
            assert (granted(answer), answer.headers["access-control-expose-headers"]) == ("*", "*")
            assert "vary" not in answer.headers
            assert "access-control-allow-credentials" not in answer.headers
        assert preflight(made, "/items", "PUT", "https://any.example").headers["access-control-allow-origin"] == "*"


def test_a_star_for_header_fields_names_authorization_which_it_leaves_out() -> None:
    with client({"origins": ["*"], "allowed_headers": ["*"], "allowed_methods": ["*"]}, OPEN) as made:
        answer = preflight(made, "/items", "PUT")
        assert names(answer, "access-control-allow-headers") == ["*", "Authorization"]
        assert names(answer, "access-control-allow-methods") == ["*"]


def test_credentials_are_for_granted_origins_only() -> None:
    with client({**LISTED, "allow_credentials": True}) as made:
        assert made.get("/items", headers={"Origin": ORIGIN}).headers["access-control-allow-credentials"] == "true"
        assert preflight(made, "/items", "PUT").headers["access-control-allow-credentials"] == "true"
        for answer in (made.get("/items"), made.get("/items", headers={"Origin": "https://evil.example"})):
            assert cors_fields(answer) == set()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"origins": ["*"], "allow_credentials": True}, r"cors\.allow_credentials .* '\*' in cors\.origins"),
        ({"origins": [ORIGIN, "*"], "allow_credentials": True}, r"cors\.allow_credentials .* cors\.origins"),
        ({"origins": [ORIGIN], "allow_credentials": True, "allowed_headers": ["*"]}, r"cors\.allowed_headers"),
        ({"origins": [ORIGIN], "allow_credentials": True, "allowed_methods": ["*"]}, r"cors\.allowed_methods"),
        ({"origins": [ORIGIN], "allow_credentials": True, "expose_headers": ["*"]}, r"cors\.expose_headers"),
        ({"allow_credentials": True}, r"cors\.allow_credentials: there are no cors\.origins"),
        ({"origins": ["null"]}, r"cors\.origins: 'null' .* sandbox"),
        ({"origins": [""]}, r"cors\.origins: '' is not an origin"),
        ({"origins": ["app.example"]}, r"cors\.origins: 'app\.example' is not an origin"),
        ({"origins": ["https://app.example/"]}, r"cors\.origins: .* without a path"),
        ({"origins": ["https://App.example"]}, r"cors\.origins: .* lower case"),
        ({"origins": ["https://app.example:443"]}, r"cors\.origins: .* without the port 443 of https"),
        ({"origins": ["http://app.example:80"]}, r"cors\.origins: .* without the port 80 of http"),
        ({"origins": ["https://*"]}, r"cors\.origins: 'https://\*' is not an origin"),
        ({"origins": ["https://a.*.example"]}, r"cors\.origins: 'https://a\.\*\.example' is not an origin"),
        ({"origins": ["https://*app.example"]}, r"cors\.origins: 'https://\*app\.example' is not an origin"),
        ({"origins": ["*://app.example"]}, r"cors\.origins: '\*://app\.example' is not an origin"),
        ({"origins": ["https://user@app.example"]}, r"cors\.origins: 'https://user@app\.example' is not an origin"),
        ({"origins": [ORIGIN], "allowed_methods": ["GET, PUT"]}, r"cors\.allowed_methods: 'GET, PUT' is not a name"),
        ({"origins": [ORIGIN], "expose_headers": ["X\r\nY"]}, r"cors\.expose_headers: 'X\\r\\nY' is not a name"),
    ],
)
def test_what_cannot_be_granted_is_refused_at_the_start(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        _ = App(DOCUMENT, HANDLERS, {"cors": settings}, echo=True).service


# -- x-cors


def test_false_leaves_an_operation_out(listed: TestClient) -> None:
    answer = listed.get("/private", headers={"Origin": ORIGIN})
    assert (answer.status, cors_fields(answer), "vary" in answer.headers) == (200, set(), False)
    bare = preflight(listed, "/private", "GET")
    assert (bare.status, cors_fields(bare)) == (204, set())
    other = preflight(listed, "/private", "PUT")
    assert names(other, "access-control-allow-methods") == ["OPTIONS", "PUT"]
    assert granted(listed.put("/private", headers={"Origin": ORIGIN})) == ORIGIN


def test_an_object_replaces_what_it_names(listed: TestClient) -> None:
    answer = preflight(listed, "/special", "POST")
    assert granted(answer) == ORIGIN
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert names(answer, "access-control-allow-methods") == ["POST"]
    assert names(answer, "access-control-allow-headers") == ["X-Special"]
    assert answer.headers["access-control-max-age"] == "5"
    actual = listed.post("/special", headers={"Origin": ORIGIN})
    assert names(actual, "access-control-expose-headers") == ["X-Seen"]
    assert cors_fields(preflight(listed, "/special", "POST", "https://evil.example")) == set()


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (True, "x-cors: has to be inherit, false, or an object"),
        ("none", "x-cors: has to be inherit, false, or an object"),
        ({"origins": ["*"]}, "x-cors/origins.*is unknown; known are allowedHeaders"),
        ({"allowedHeaders": "X-A"}, "x-cors/allowedHeaders.*a list of names"),
        ({"allowedMethods": ["GE T"]}, "x-cors/allowedMethods.*a list of names"),
        ({"allowCredentials": "yes"}, "x-cors/allowCredentials.*true or false"),
        ({"maxAge": -1}, "x-cors/maxAge.*a number from 0"),
        ({"maxAge": True}, "x-cors/maxAge.*a number from 0"),
        ({"allowCredentials": True, "allowedHeaders": ["*"]}, "x-cors: allows credentials, with '\\*'"),
    ],
)
def test_a_malformed_extension_is_refused_with_its_place(written: Any, words: str) -> None:
    document = {**DOCUMENT, "paths": {"/x": {"get": {"operationId": "items", "x-cors": written, "responses": {}}}}}
    with pytest.raises(SpecError, match=words):
        _ = App(document, {"items": plain}, {"cors": LISTED}).service


def test_the_extension_alone_grants_nothing() -> None:
    with client({}) as made:
        assert cors_fields(made.post("/special", headers={"Origin": ORIGIN})) == set()


def test_another_handler_of_a_running_application_keeps_the_grants() -> None:
    with client() as made:
        _ = made.app.service
        made.app.register("items", plain)
        assert granted(made.get("/items", headers={"Origin": ORIGIN})) == ORIGIN
