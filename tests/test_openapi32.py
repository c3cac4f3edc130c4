"""What OpenAPI 3.2 adds, from the document to the handler and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from argument_door import Door, Refused, parameter
from wire import Client

from brrtrouter import App, Request
from brrtrouter.errors import SpecError
from brrtrouter.server.handle import Server
from brrtrouter.spec.load import load
from brrtrouter.testing import TestClient


def document(paths: Any, version: str = "3.2.0", **rest: Any) -> dict[str, Any]:
    return {"openapi": version, "info": {"title": "T", "version": "1"}, "paths": paths, **rest}


def show(request: Request) -> dict[str, Any]:
    return {"method": request.method, "body": request.body}


def client(paths: Any, **rest: Any) -> TestClient:
    spec = document(paths, **rest)
    names = {operation.handler for operation in load(spec).operations}
    return TestClient(App(spec, dict.fromkeys(names, show)))


def issues(spec: Any) -> list[tuple[str, str]]:
    try:
        found = load(spec).issues
    except SpecError as error:
        found = error.issues
    return [(issue.kind, issue.pointer) for issue in found]


# -- methods --------------------------------------------------------------------------------------------------------

METHODS = ("COPY", "copy", "M-SEARCH", "DESCRIBE", "LOCK", "!#$%&'*+-.^_`|~09")
BODY = {"content": {"application/json": {"schema": {"type": "object"}}}}
ITEM = {
    "query": {"operationId": "q", "requestBody": BODY},
    "get": {"operationId": "g"},
    "additionalOperations": {
        method: {"operationId": f"m{at}", "requestBody": BODY} for at, method in enumerate(METHODS)
    },
}


@pytest.mark.parametrize("method", ["QUERY", *METHODS])
def test_a_request_with_any_described_method_reaches_its_operation(method: str) -> None:
    with client({"/x": ITEM}) as door:
        assert door.request(method, "/x").json() == {"method": method, "body": None}
        assert door.request(method, "/x", json={"a": 1}).json() == {"method": method, "body": {"a": 1}}
        assert door.request(method, "/x", json=[]).status == 400
        assert door.request(method, "/y").status == 404


def test_allow_and_options_name_every_method() -> None:
    with client({"/x": ITEM}) as door:
        refused = door.request("DELETE", "/x")
        assert refused.status == 405
        assert set(refused.headers["allow"].split(", ")) == {*METHODS, "QUERY", "GET", "HEAD", "OPTIONS"}
        assert door.options("/x").headers["allow"] == refused.headers["allow"]


def test_a_method_of_another_path_is_405_and_one_that_nobody_describes_501() -> None:
    with client({"/x": ITEM, "/y": {"get": {"operationId": "y"}}}) as door:
        assert door.request("COPY", "/y").status == 405
        assert door.request("FROBNICATE", "/x").status == 501


def test_methods_are_compared_with_their_case() -> None:
    with client({"/x": {"additionalOperations": {"COPY": {"operationId": "c"}}}}) as door:
        assert door.request("copy", "/x").status == 501


def test_unusual_methods_keep_their_place_in_a_pipeline(
    serve: Callable[[App], Server], connect: Callable[..., Client]
) -> None:
    spec = document({"/x": ITEM})
    names = {operation.handler for operation in load(spec).operations}
    connection = connect(serve(App(spec, dict.fromkeys(names, show))))
    body = b'{"a":1}'
    fields = b"Host: x\r\nContent-Type: application/json\r\n"
    chunked = b"COPY /x HTTP/1.1\r\n" + fields + b"Transfer-Encoding: chunked\r\n\r\n7\r\n" + body + b"\r\n0\r\n\r\n"
    sized = (
        b"QUERY /x HTTP/1.1\r\n" + fields + b"Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 7\r\n\r\n" + body
    )
    connection.send(chunked + sized + b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    found = [json.loads(connection.answer().body) for _ in range(3)]
    assert found == [
        {"method": "COPY", "body": {"a": 1}},
        {"method": "QUERY", "body": {"a": 1}},
        {"method": "GET", "body": None},
    ]


@pytest.mark.parametrize(
    "fields", [b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: +1\r\n", b"A\r\n"]
)
def test_the_rest_of_an_unusual_request_is_judged_like_any_other(fields: bytes) -> None:
    with client({"/x": ITEM}) as door:
        answer = door.send(b"COPY /x HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n", "COPY")
        assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("GET", "InvalidMethod"), ("QUERY", "InvalidMethod"), ("A B", "InvalidMethod"), ("", "InvalidMethod")],
)
def test_what_cannot_be_an_additional_method_is_refused(name: str, kind: str) -> None:
    spec = document({"/x": {"additionalOperations": {name: {"operationId": "o"}}}})
    assert (kind, f"/paths/~1x/additionalOperations/{name}") in issues(spec)


def test_connect_is_named_as_unreachable() -> None:
    spec = document({"/x": {"additionalOperations": {"CONNECT": {"operationId": "o"}}}})
    assert issues(spec) == [("UnreachableOperation", "/paths/~1x/additionalOperations/CONNECT")]
    assert load(spec).operations == ()


def test_older_documents_have_neither_query_nor_additional_operations() -> None:
    spec = document({"/x": {"query": {"operationId": "q"}, "additionalOperations": {}}}, "3.1.0")
    assert sorted(issues(spec)) == [
        ("UnknownField", "/paths/~1x/additionalOperations"),
        ("UnknownField", "/paths/~1x/query"),
    ]
    assert load(spec).operations == ()


# -- in: querystring ------------------------------------------------------------------------------------------------

FORM = {
    "type": "object",
    "required": ["n"],
    "properties": {
        "n": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
        "where": {"type": "object", "properties": {"a": {"type": "integer"}}},
        "list": {"type": "array", "items": {"type": "string"}},
    },
    "additionalProperties": {"type": "boolean"},
}
URLENCODED = "application/x-www-form-urlencoded"


def form_door(**encoding: Any) -> Door:
    media = {"schema": FORM, "encoding": encoding}
    return Door(parameter("q", "querystring", content={URLENCODED: media}, required=True), version="3.2.0")


def test_a_form_in_the_querystring_is_one_value() -> None:
    found = form_door().query("n=1&tags=2&tags=3&where=%7B%22a%22%3A4%7D&x+y=true&list=a+b")
    assert found == {"q": {"n": 1, "tags": [2, 3], "where": {"a": 4}, "x y": True, "list": ["a b"]}}


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ("", [("query", "/q", "required")]),
        ("n=x", [("query", "/q/n", "type")]),
        ("tags=1", [("query", "/q", "required")]),
        ("n=1&tags=1&tags=2&tags=3", [("query", "/q/tags", "maxItems")]),
        ("n=1&where=%7B%22a%22%3A%22b%22%7D", [("query", "/q/where/a", "type")]),
        ("n=1&where=x", [("query", "/q/where", "content")]),
        ("n=1&n=2", [("query", "/q/n", "duplicate")]),
        ("n=1&other=5", [("query", "/q/other", "type")]),
        ("n=%zz", [("query", "/q/n", "style")]),
    ],
)
def test_a_fault_of_a_form_in_the_querystring_names_its_member(query: str, faults: Any) -> None:
    found = form_door().query(query)
    assert isinstance(found, Refused), found
    assert found.faults == faults


def test_encoding_objects_have_a_say_in_the_querystring() -> None:
    door = form_door(tags={"style": "pipeDelimited", "explode": False}, where={"style": "deepObject"})
    assert door.query("n=1&tags=1|2&where[a]=3") == {"q": {"n": 1, "tags": [1, 2], "where": {"a": 3}}}


def test_json_and_text_in_the_querystring() -> None:
    door = Door(parameter("q", "querystring", content={"application/json": {"schema": FORM}}), version="3.2.0")
    assert door.query("%7B%22n%22%3A1%7D") == {"q": {"n": 1}}
    assert door.query("n=1").faults == [("query", "/q", "content")]
    assert door.query("%7B%22n%22%3A%22x%22%7D").faults == [("query", "/q/n", "type")]
    assert door.query("") == {}
    text = {"text/plain": {"schema": {"type": "string", "maxLength": 3}}}
    door = Door(parameter("q", "querystring", content=text), version="3.2.0")
    assert door.query("a%20b") == {"q": "a b"}
    assert door.query("a+b") == {"q": "a+b"}
    assert door.query("abcd").faults == [("query", "/q", "maxLength")]


def test_a_querystring_leaves_no_room_for_other_parameters_of_the_query() -> None:
    whole = parameter("q", "querystring", content={"application/json": {}})
    for other in (parameter("p", "query", {"type": "string"}), {**whole, "name": "r"}):
        spec = document({"/x": {"parameters": [whole], "get": {"operationId": "o", "parameters": [other]}}})
        assert ("InvalidParameter", "/paths/~1x/get") in issues(spec)
    bad = {"name": "q", "in": "querystring", "schema": {"type": "string"}}
    assert ("InvalidParameter", "/paths/~1x/get/parameters/0") in issues(
        document({"/x": {"get": {"operationId": "o", "parameters": [bad]}}})
    )


# -- style: cookie --------------------------------------------------------------------------------------------------


def test_cookies_of_style_cookie_are_not_percent_decoded() -> None:
    door = Door(
        parameter("a", "cookie", {"type": "string"}, style="cookie"),
        parameter("n", "cookie", {"type": "array", "items": {"type": "integer"}}, style="cookie"),
        parameter("l", "cookie", {"type": "array", "items": {"type": "string"}}, style="cookie", explode=False),
        parameter(
            "o",
            "cookie",
            {"type": "object", "properties": {"R": {"type": "integer"}}, "additionalProperties": False},
            style="cookie",
        ),
        version="3.2.0",
    )
    found = door.cookies("a=%41&n=1; n=1; n=2; l=x,%2C; R=5")
    assert [found[name] for name in "anlo"] == ["%41&n=1", [1, 2], ["x", "%2C"], {"R": 5}]


def test_style_cookie_has_no_meaning_before_3_2() -> None:
    spec = document(
        {"/x": {"get": {"operationId": "o", "parameters": [parameter("a", "cookie", {}, style="cookie")]}}}, "3.1.0"
    )
    assert ("MeaninglessStyle", "/paths/~1x/get/parameters/0/style") in issues(spec)


# -- itemSchema -----------------------------------------------------------------------------------------------------

NAMED = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}


def items_client(media_type: str, **media: Any) -> TestClient:
    body = {"required": True, "content": {media_type: media}}
    return client({"/x": {"post": {"operationId": "o", "requestBody": body}}})


def send(door: TestClient, media_type: str, content: bytes) -> Any:
    """The decoded body, or the pointers and keywords of what is wrong."""
    answer = door.post("/x", content=content, headers={"Content-Type": media_type})
    if answer.status == 200:
        return answer.json()["body"]
    assert answer.status == 400, answer.content
    return [(error["pointer"], error["keyword"]) for error in answer.json()["errors"]]


def lines(*items: Any) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def records(*items: Any) -> bytes:
    return b"".join(b"\x1e" + json.dumps(item).encode() + b"\n" for item in items)


def parts(*items: Any) -> bytes:
    each = b"--b\r\nContent-Type: application/json\r\n\r\n%b\r\n"
    return b"".join(each % json.dumps(item).encode() for item in items) + b"--b--\r\n"


@pytest.mark.parametrize(
    ("media_type", "written"),
    [
        ("application/jsonl", lines),
        ("application/x-ndjson", lines),
        ("application/json-seq", records),
        ("application/geo+json-seq", records),
        ("multipart/mixed; boundary=b", parts),
    ],
)
def test_items_are_judged_one_by_one(media_type: str, written: Callable[..., bytes]) -> None:
    with items_client(media_type.partition(";")[0], itemSchema=NAMED) as door:
        good = [{"name": "a"}, {"name": "b"}]
        assert send(door, media_type, written(*good)) == good
        bad = [{"name": "a"}, {"name": 1}, {}, {"name": "b"}]
        assert send(door, media_type, written(*bad)) == [("/1/name", "type"), ("/2", "required")]


def test_schema_is_for_the_sequence_as_a_whole() -> None:
    with items_client("application/jsonl", schema={"type": "array", "maxItems": 1}, itemSchema=NAMED) as door:
        assert send(door, "application/jsonl", lines({"name": "a"})) == [{"name": "a"}]
        assert send(door, "application/jsonl", lines({"name": 1}, {"name": "b"})) == [
            ("/0/name", "type"),
            ("", "maxItems"),
        ]


@pytest.mark.parametrize(
    ("media_type", "content", "found"),
    [
        ("application/jsonl", b'1\n{"a"', [("/1", "syntax")]),
        ("application/jsonl", b'\r\n1\r\n \n"2"', [1, "2"]),
        ("application/jsonl", b"1 2\n", [("/0", "syntax")]),
        ("application/jsonl", b"[" * 1000 + b"]" * 1000, [("/0", "syntax")]),
        ("application/jsonl", b"18446744073709551617\n", [2**64 + 1]),
        ("application/json-seq", b"1\n", [("", "syntax")]),
        ("application/json-seq", b'\x1e\x1e"a"\n\x1e[\n', [("/1", "syntax")]),
        ("application/json-seq", b"\x1e123", [("/0", "syntax")]),
        ("application/json-seq", b"\x1e[1]", [[1]]),
        ("application/json-seq", b"\x1e12\n\x1etrue\n", [12, True]),
    ],
)
def test_a_sequence_that_is_none_is_refused_with_its_item(media_type: str, content: bytes, found: Any) -> None:
    with items_client(media_type) as door:
        assert send(door, media_type, content) == found


def test_events_are_read_as_the_html_standard_says() -> None:
    text = (
        "\ufeff: comment\ndata: a\r\ndata:  b\rdata\nevent: tick\nid: 7\nretry: 10\nother: x\n\n"
        "id: 8\n\ndata: c\nretry: 1x\nid: a\0b\n\ndata: unfinished\n"
    )
    with items_client("text/event-stream") as door:
        assert send(door, "text/event-stream", text.encode()) == [
            {"data": "a\n b\n", "event": "tick", "id": "7", "retry": 10},
            {"data": "c"},
        ]
        assert send(door, "text/event-stream", b"data: \xff\n\n") == [("", "syntax")]


def test_events_are_judged_by_item_schema() -> None:
    schema = {"properties": {"event": {"enum": ["add"]}, "retry": {"maximum": 5}}}
    with items_client("text/event-stream", itemSchema=schema) as door:
        found = send(door, "text/event-stream", b"event: add\ndata: 1\n\nevent: drop\nretry: 6\ndata: 2\n\n")
        assert sorted(found) == [("/1/event", "enum"), ("/1/retry", "maximum")]


def test_the_number_of_faults_of_a_sequence_is_bounded() -> None:
    with items_client("application/jsonl", itemSchema={"type": "string"}) as door:
        assert len(send(door, "application/jsonl", b"1\n" * 10_000)) <= 101


# -- the rest -------------------------------------------------------------------------------------------------------


def test_media_types_are_referred_to() -> None:
    reference = {"$ref": "#/components/mediaTypes/Named"}
    body = {"content": {"application/json": reference}}
    paths = {"/x": {"post": {"operationId": "o", "requestBody": body, "responses": {"200": body}}}}
    spec = document(paths, components={"mediaTypes": {"Named": {"schema": NAMED}}})
    with TestClient(App(spec, {"o": show})) as door:
        assert door.post("/x", json={"name": 1}).status == 400
        assert door.post("/x", json={"name": "a"}).status == 200
    broken = document(paths, components={"mediaTypes": {}})
    assert ("UnresolvableMediaTypeRef", "/paths/~1x/post/requestBody/content/application~1json") in issues(broken)


def test_a_response_may_have_a_summary_in_place_of_a_description() -> None:
    spec = document({"/x": {"get": {"operationId": "o", "responses": {"200": {"summary": "All is well"}}}}})
    assert load(spec, strict=True).operations[0].responses[0].description == "All is well"


def flows(name: str, value: Any, version: str = "3.2.0") -> list[tuple[str, str]]:
    scheme = {"type": "oauth2", "flows": {name: value}, "oauth2MetadataUrl": "https://example.com/meta"}
    return issues(document({}, version, components={"securitySchemes": {"s": scheme}}))


def test_the_device_flow_of_3_2_is_known() -> None:
    device = {"deviceAuthorizationUrl": "https://e.com/d", "tokenUrl": "https://e.com/t", "scopes": {}}
    place = [("InvalidSecurityScheme", "/components/securitySchemes/s/flows/deviceAuthorization")]
    assert flows("deviceAuthorization", device) == []
    assert flows("deviceAuthorization", {**device, "tokenUrl": None}) == place
    assert flows("deviceAuthorization", device, "3.1.0") == place
    assert flows("implicit", {"authorizationUrl": "https://e.com/a", "scopes": {}}, "3.0.4") == []


def test_a_component_wins_over_a_uri_that_is_spelled_like_it() -> None:
    schemes = {"k": {"type": "http", "scheme": "basic"}, "#/components/securitySchemes/k": {"type": "mutualTLS"}}
    spec = document(
        {"/x": {"get": {"operationId": "o", "security": [{"#/components/securitySchemes/k": []}]}}},
        components={"securitySchemes": schemes},
    )
    assert load(spec).security_schemes["#/components/securitySchemes/k"].type == "mutualTLS"


def test_fields_for_people_are_accepted_without_a_word() -> None:
    spec = document(
        {"/x": {"get": {"operationId": "o", "tags": ["b"]}}},
        servers=[{"url": "https://example.com", "name": "prod"}],
        tags=[{"name": "a", "kind": "nav", "summary": "A"}, {"name": "b", "parent": "a", "kind": "badge"}],
    )
    assert load(spec, strict=True).version == "3.2.0"
