"""Items held against `itemSchema`: in a stream as they are produced, and in a body that is sent at once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from brrtrouter import App, Request, Response
from brrtrouter.policy.sequences import NOT_JSON, item_reader
from brrtrouter.testing import TestClient


def document(content: Any) -> dict[str, Any]:
    responses = {"200": {"description": "", "content": content}}
    return {
        "openapi": "3.2.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/pet": {"get": {"operationId": "getPet", "responses": responses}}},
    }


def faults(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """(location, pointer, keyword) of what the log was told."""
    return [
        (fault["location"], fault["pointer"], fault["keyword"])
        for record in caplog.records
        for fault in getattr(record, "faults", ())
    ]


ITEM = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
EVENT = {"type": "object", "required": ["data"], "properties": {"data": {"type": "string", "maxLength": 3}}}


def streaming(media_type: str, pieces: list[Any], schema: Any, mode: str = "enforce") -> tuple[TestClient, list[str]]:
    ended: list[str] = []

    async def produce() -> AsyncIterator[Any]:
        try:
            for piece in pieces:
                yield piece
        finally:
            ended.append("closed")

    async def get_pet(request: Request) -> Any:
        return Response(200, produce(), media_type=media_type)

    described = document({media_type: {"itemSchema": schema}})
    return TestClient(App(described, {"getPet": get_pet}, response_validation=mode)), ended


@pytest.mark.parametrize(
    ("media_type", "good", "bad", "schema"),
    [
        ("application/jsonl", b'{"n":1}\n', b'{"n":"x"}\n', ITEM),
        ("application/x-ndjson", '{"n":1}\n', "nonsense\n", ITEM),
        ("application/json-seq", b'\x1e{"n":1}\n', b'\x1e{"n":"x"}\n', ITEM),
        ("text/event-stream", b"data: ok\n\n", b"data: long\n\n", EVENT),
    ],
)
def test_items_of_a_stream_are_checked_as_they_are_produced(
    caplog: pytest.LogCaptureFixture, media_type: str, good: Any, bad: Any, schema: Any
) -> None:
    it, ended = streaming(media_type, [good, good], schema)
    assert it.get("/pet").status == 200
    assert not faults(caplog)
    it, ended = streaming(media_type, [good, bad, good, good], schema)
    received = it.send(b"GET /pet HTTP/1.1\r\nHost: a\r\n\r\n")
    raw_good = good if isinstance(good, bytes) else good.encode()
    raw_bad = bad if isinstance(bad, bytes) else bad.encode()
    assert raw_good in received
    assert ended == ["closed"]
    assert not received.endswith(b"0\r\n\r\n")  # the connection is cut, so that this is not taken for the end
    if media_type != "application/json-seq":  # whose items end where the next one starts
        assert raw_bad not in received
    (found,) = faults(caplog)
    assert found[1].startswith("/1")


def test_log_lets_a_stream_pass(caplog: pytest.LogCaptureFixture) -> None:
    it, _ = streaming("application/jsonl", [b'{"n":"x"}\n', b'{"n":1}\n{"n":null}'], ITEM, "log")
    assert it.get("/pet").content == b'{"n":"x"}\n{"n":1}\n{"n":null}'
    assert faults(caplog) == [("body", "/0/n", "type"), ("body", "/2/n", "type")]


def test_the_head_of_a_stream_is_checked_before_it_is_sent() -> None:
    async def produce() -> AsyncIterator[bytes]:
        yield b"x"

    async def get_pet(request: Request) -> Any:
        return Response(200, produce(), media_type="text/plain")

    described = document({"application/jsonl": {"itemSchema": ITEM}})
    assert TestClient(App(described, {"getPet": get_pet}, response_validation="enforce")).get("/pet").status == 500


SEQUENCES = {
    "application/jsonl": (b'{"a":1}\r\n\n[2]\n3', [{"a": 1}, [2], 3]),
    "application/json-seq": (b'\x1e{"a":1}\n\x1e[2]\n\x1e3\n', [{"a": 1}, [2], 3]),
    "text/event-stream": (
        b"\xef\xbb\xbfdata: a\ndata:b\nid: 1\n\n: comment\n\nevent: x\r\nretry: 10\r\ndata\r\n\r\ndata: cut",
        [{"data": "a\nb", "id": "1"}, {"event": "x", "retry": 10, "data": ""}],
    ),
}


@pytest.mark.parametrize("media_type", SEQUENCES)
def test_items_do_not_depend_on_where_pieces_end(media_type: str) -> None:
    text, expected = SEQUENCES[media_type]
    for size in range(1, len(text) + 1):
        reader = item_reader(media_type)
        assert reader
        items: list[Any] = []
        for start in range(0, len(text), size):
            items += reader.feed(text[start : start + size])
        assert items + reader.end() == expected


def test_an_item_that_is_no_json_stands_out() -> None:
    reader = item_reader("application/jsonl")
    assert reader
    assert reader.feed(b"{\n1\n") == [NOT_JSON, 1]
    assert item_reader("text/plain") is None


def test_a_sequence_that_is_sent_at_once_is_checked_item_by_item(caplog: pytest.LogCaptureFixture) -> None:
    body = b"".join(json.dumps({"n": n}).encode() + b"\n" for n in (1, "x", 3))

    async def get_pet(request: Request) -> Any:
        return Response(200, body, media_type="application/jsonl")

    described = document({"application/jsonl": {"itemSchema": ITEM}})
    assert TestClient(App(described, {"getPet": get_pet}, response_validation="enforce")).get("/pet").status == 500
    assert faults(caplog) == [("body", "/1/n", "type")]
