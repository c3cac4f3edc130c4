"""Entity tags of ordinary answers, 304 with and without compression, and conditions of requests that change things."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brrtrouter import App, ConfigError, Request, Response
from brrtrouter.core.conditional import http_date, parse_etags
from brrtrouter.core.preconditions import with_coding, without_coding
from brrtrouter.testing import TestClient, TestResponse

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/x": {method: {"x-handler": "x", "responses": {}} for method in ("get", "post", "put", "delete", "patch")}
    },
}
BODY = b"one text of many words " * 100
THEN = 1_700_000_000
TAGS = ("off", "weak", "strong")


def client_of(answer: Any, compression: bool = False, **settings: Any) -> TestClient:
    async def x(request: Request) -> Any:
        return answer(request) if callable(answer) else answer

    config = {"etag": settings, "compression": {"encodings": ["gzip"] if compression else []}}
    return TestClient(App(DOCUMENT, {"x": x}, config))


def ask(answer: Any, headers: Any = (), method: str = "GET", **settings: Any) -> TestResponse:
    with client_of(answer, **settings) as client:
        return client.request(method, "/x", headers=headers)


def text(headers: Any = None, body: Any = BODY, status: int = 200) -> Response:
    return Response(status, body, headers, "text/plain")


# -- tags that are made


def test_no_tag_is_made_by_default() -> None:
    assert "etag" not in ask({"a": 1}).headers


@pytest.mark.parametrize(("generate", "start"), [("weak", 'W/"'), ("strong", '"')])
def test_a_tag_is_made_of_the_body(generate: str, start: str) -> None:
    tags = [ask(value, generate=generate).headers["etag"] for value in ({"a": 1}, {"a": 1}, {"a": 2})]
    assert tags[0] == tags[1] != tags[2]
    assert tags[0].startswith(start)
    assert parse_etags(tags[0]) == [tags[0]]


def test_the_media_type_is_part_of_what_a_tag_stands_for() -> None:
    one, other = (Response(200, b"<a/>", None, media_type) for media_type in ("text/plain", "text/html"))
    assert ask(one, generate="strong").headers["etag"] != ask(other, generate="strong").headers["etag"]


@pytest.mark.parametrize("generate", ["weak", "strong"])
@pytest.mark.parametrize("compression", [False, True])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_client_that_has_the_representation_gets_304(generate: str, compression: bool, method: str) -> None:
    with client_of(text({"Cache-Control": "max-age=5"}), compression, generate=generate) as client:
        fields = {"Accept-Encoding": "gzip"}
        first = client.request(method, "/x", headers=fields)
        assert (first.status, first.headers.get("content-encoding")) == (200, "gzip" if compression else None)
        again = client.request(method, "/x", headers={**fields, "If-None-Match": first.headers["etag"]})
        assert (again.status, again.content) == (304, b"")
        for name in ("etag", "vary", "cache-control"):
            assert again.headers.get(name) == first.headers.get(name)
        for name in ("content-type", "content-length", "content-encoding"):
            assert name not in again.headers
        assert client.request(method, "/x", headers={**fields, "If-None-Match": '"other"'}).status == 200


def test_head_has_the_tag_of_get() -> None:
    head, get = (ask(text(), method=method, generate="strong") for method in ("HEAD", "GET"))
    assert head.headers["etag"] == get.headers["etag"]


@pytest.mark.parametrize(
    "answer",
    [text(status=201), text(status=404), text({"ETag": '"own"'}), lambda request: text(body=stream())],
    ids=["201", "404", "own", "stream"],
)
def test_only_whole_answers_with_200_and_without_a_tag_get_one(answer: Any) -> None:
    assert ask(answer, generate="strong").headers.get("etag") in (None, '"own"')


def test_answers_to_other_methods_get_none() -> None:
    assert "etag" not in ask(text(), method="PUT", generate="strong").headers


@pytest.mark.parametrize(("size", "tagged"), [(len(BODY), True), (len(BODY) - 1, False)])
def test_bodies_over_the_size_get_none(size: int, tagged: bool) -> None:
    assert ("etag" in ask(text(), generate="weak", size=size).headers) is tagged


@pytest.mark.parametrize("settings", [{"generate": "always"}, {"size": -1}, {"conditional": "yes"}])
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"etag\."):
        ask(text(), **settings)


def test_what_the_server_adds_is_not_missed_where_answers_are_checked() -> None:
    names = ("ETag", "Vary", "X-Request-ID", "X-Own")
    fields = {name: {"required": True, "schema": {"type": "string"}} for name in names}
    described = {"200": {"description": "", "headers": fields, "content": {"text/plain": {}}}}
    document = {**DOCUMENT, "paths": {"/x": {"get": {"operationId": "x", "responses": described}}}}

    async def x(request: Request) -> Response:
        return text({"X-Own": "1"} if request.query else None)

    config = {
        "etag": {"generate": "weak"},
        "compression": {"encodings": ["gzip"]},
        "validation": {"responses": "enforce"},
    }
    with TestClient(App(document, {"x": x}, config)) as client:
        assert client.get("/x?own=1").status == 200
        assert client.get("/x").status == 500


def test_what_is_off_costs_nothing() -> None:
    with client_of(text()) as client:
        assert not client.app.service.finishes_all
    with client_of(text(), conditional=False) as client:
        assert client.app.service.finisher is None


# -- validators of the handler


@pytest.mark.parametrize("generate", TAGS)
@pytest.mark.parametrize(
    ("fields", "conditions", "status"),
    [
        ({"ETag": '"1"'}, {"If-None-Match": '"1"'}, 304),
        ({"etag": 'W/"1"'}, {"If-None-Match": '"0", "1"'}, 304),
        ({"ETag": '"1"'}, {"If-None-Match": "*"}, 304),
        ({"ETag": '"1"'}, {"If-None-Match": '"2"'}, 200),
        ({"ETag": '"1"'}, {"If-Match": '"1"'}, 200),
        ({"ETag": '"1"'}, {"If-Match": '"2"'}, 412),
        ({"Last-Modified": http_date(THEN)}, {"If-Modified-Since": http_date(THEN)}, 304),
        ({"Last-Modified": http_date(THEN)}, {"If-Modified-Since": http_date(THEN - 1)}, 200),
        ({"Last-Modified": http_date(THEN)}, {"If-Unmodified-Since": http_date(THEN - 1)}, 412),
        ({"Last-Modified": "yesterday"}, {"If-Modified-Since": http_date(THEN)}, 200),
        ([(b"ETag", b'"1"')], {"If-None-Match": '"1"'}, 304),
    ],
)
def test_what_the_handler_says_is_held_against_the_conditions(
    generate: str, fields: Any, conditions: Mapping[str, str], status: int
) -> None:
    assert ask(text(fields), conditions, generate=generate).status == status


def test_without_conditional_nothing_is_held_against_them() -> None:
    assert ask(text({"ETag": '"1"'}), {"If-None-Match": '"1"'}, conditional=False).status == 200


@pytest.mark.parametrize("status", [201, 206, 404, 500])
def test_conditions_say_nothing_about_other_answers(status: int) -> None:
    assert ask(text({"ETag": '"1"'}, status=status), {"If-None-Match": '"1"'}).status == status


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_change_that_is_done_is_not_refused_afterwards(method: str) -> None:
    assert ask(text({"ETag": '"2"'}), {"If-Match": '"1"'}, method).status == 200


async def stream() -> AsyncIterator[bytes]:
    yield BODY


class Source:
    def __init__(self) -> None:
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError("nobody reads it")

    async def aclose(self) -> None:
        self.closed = True


def test_a_stream_that_the_client_has_is_closed_unread() -> None:
    source = Source()
    answer = ask(text({"ETag": '"1"'}, source), {"If-None-Match": '"1"'})
    assert (answer.status, answer.headers["etag"], source.closed) == (304, '"1"', True)


# -- tags and codings


def test_a_strong_tag_is_another_one_for_each_coding_and_a_weak_one_is_not() -> None:
    for own, sent in (('"1"', '"1--gzip"'), ('W/"1"', 'W/"1"')):
        answer = ask(text({"ETag": own}), {"Accept-Encoding": "gzip"}, compression=True)
        assert answer.headers["etag"] == sent
        assert ask(text({"ETag": own}), compression=True).headers["etag"] == own


def test_the_conditions_are_about_the_representation_that_the_client_would_get() -> None:
    with client_of(text({"ETag": '"1"'}), True) as client:
        for accept, held, status in (
            ("gzip", '"1--gzip"', 304),
            ("gzip", '"1"', 200),
            ("identity", '"1"', 304),
            ("identity", '"1--gzip"', 200),
        ):
            answer = client.get("/x", headers={"Accept-Encoding": accept, "If-None-Match": held})
            assert answer.status == status
            assert answer.headers["vary"] == "Accept-Encoding"


def test_a_304_costs_no_compression(monkeypatch: pytest.MonkeyPatch) -> None:
    with client_of(text({"ETag": '"1"'}), True) as client:
        monkeypatch.setattr("brrtrouter.core.codings.Gzip.encode", None)
        answer = client.get("/x", headers={"Accept-Encoding": "gzip", "If-None-Match": '"1--gzip"'})
        assert answer.status == 304


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"'), max_size=20))
def test_a_coding_of_a_tag_can_be_taken_off(opaque: str) -> None:
    for coding in ("gzip", "br", "zstd"):
        for tag in (f'"{opaque}"', f'W/"{opaque}"'):
            coded = with_coding(tag, coding)
            assert parse_etags(coded) == [coded]
            assert without_coding(coded) == without_coding(tag) or not tag.startswith("W/")
            if not opaque.endswith(("--gzip", "--br", "--zstd")):
                assert without_coding(f"{coded}, {coded}") == f"{tag}, {tag}"


# -- what only the handler knows


def held(conditions: Mapping[str, str], method: str = "PUT", **state: Any) -> TestResponse:
    """The answer of a handler that holds the conditions against `state`."""
    return ask(lambda request: request.precondition(**state) or {"done": True}, conditions, method)


@pytest.mark.parametrize(
    ("conditions", "state", "status"),
    [
        ({}, {"etag": '"1"'}, 200),
        ({"If-Match": '"1"'}, {"etag": '"1"'}, 200),
        ({"If-Match": '"2"'}, {"etag": '"1"'}, 412),
        ({"If-Match": 'W/"1"'}, {"etag": 'W/"1"'}, 412),
        ({"If-Match": "*"}, {}, 200),
        ({"If-Match": "*"}, {"exists": False}, 412),
        ({"If-None-Match": "*"}, {"exists": False}, 200),
        ({"If-None-Match": "*"}, {"etag": '"1"'}, 412),
        ({"If-Unmodified-Since": http_date(THEN)}, {"last_modified": THEN}, 200),
        ({"If-Unmodified-Since": http_date(THEN)}, {"last_modified": THEN + 1}, 412),
        (
            {"If-Unmodified-Since": http_date(THEN)},
            {"last_modified": datetime.fromtimestamp(THEN, timezone(timedelta(hours=5)))},
            200,
        ),
        # The tag that the client has read may be that of a compressed representation.
        ({"If-Match": '"1--gzip"'}, {"etag": '"1"'}, 200),
        ({"If-Match": '"0--br", "1--zstd"'}, {"etag": '"1"'}, 200),
        ({"If-Match": '"2--gzip"'}, {"etag": '"1"'}, 412),
    ],
)
def test_a_change_is_held_against_the_state_that_it_was_made_for(
    conditions: Mapping[str, str], state: Mapping[str, Any], status: int
) -> None:
    answer = held(conditions, **state)
    assert answer.status == status
    if status == 412:
        assert answer.json()["type"].endswith("/precondition-failed")


@pytest.mark.parametrize(
    ("conditions", "state", "fields"),
    [
        ({"If-None-Match": '"1"'}, {"etag": '"1"'}, {"etag": '"1"'}),
        ({"If-None-Match": '"0", "1--gzip"'}, {"etag": '"1"'}, {"etag": '"1--gzip"', "vary": "Accept-Encoding"}),
        ({"If-Modified-Since": http_date(THEN)}, {"last_modified": THEN}, {"last-modified": http_date(THEN)}),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_handler_that_reads_can_save_its_work(
    conditions: Mapping[str, str], state: Mapping[str, Any], fields: Mapping[str, str], method: str
) -> None:
    answer = held(conditions, method, **state)
    assert (answer.status, answer.content) == (304, b"")
    names = ("etag", "vary", "last-modified")
    assert {name: answer.headers[name] for name in names if name in answer.headers} == fields


@pytest.mark.parametrize("state", [{"etag": "1"}, {"etag": '"1", "2"'}, {"last_modified": datetime(2024, 1, 1)}])
def test_a_state_that_cannot_be_is_an_error_of_the_handler(state: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is no entity tag|without a time zone"):
        ask_directly(state)


def ask_directly(state: Mapping[str, Any]) -> None:
    raised: list[Exception] = []

    def act(request: Request) -> Any:
        try:
            return request.precondition(**state)
        except Exception as error:
            raised.append(error)
            raise

    assert ask(act, {"If-Match": '"1"'}, "PUT").status == 500
    raise raised[0]


def test_reading_then_changing_works_with_compression() -> None:
    tag = ['"v1"']

    def act(request: Request) -> Any:
        refused = request.precondition(etag=tag[0]) if request.method == "PUT" else None
        return refused or text({"ETag": tag[0]})

    with client_of(act, True) as client:
        read = client.get("/x", headers={"Accept-Encoding": "gzip"})
        assert gzip.decompress(read.content) == BODY
        condition = {"If-Match": read.headers["etag"]}
        assert client.put("/x", headers=condition).status == 200
        tag[0] = '"v2"'
        assert client.put("/x", headers=condition).status == 412
