"""Heads that come again byte by byte: they are not read again, and nobody can tell.

The oracle is a connection that sees each request as its first one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import Client, MemoryConnection, application

from brrtrouter import App, Request
from brrtrouter.server.handle import Server

Serve = Callable[[App], Server]
Connect = Callable[..., Client]

OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "Repeated", "version": "1"},
    "paths": {
        "/things/{id}": {
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
                {"name": "tag", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
            ],
            "get": {"operationId": "read", "responses": {"200": {"description": "what came"}}},
            "put": {
                "operationId": "write",
                "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
                "responses": {"200": {"description": "what came"}},
            },
        }
    },
}


def message(method: str, target: str, body: bytes, *fields: str) -> bytes:
    length = [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: a", *fields, *length, "", ""]).encode() + body


JSON = "Content-Type: application/json"
MESSAGES = [
    message("GET", "/things/1?tag=a&tag=b", b""),
    message("GET", "/things/2", b""),
    message("GET", "/things/2", b"", "Origin: https://app.example"),
    message("HEAD", "/things/2", b""),
    message("GET", "/things/%31", b""),
    message("GET", "/things/x", b""),
    message("GET", "/nowhere", b""),
    message("DELETE", "/things/1", b""),
    message("OPTIONS", "/things/1", b"", "Origin: https://app.example", "Access-Control-Request-Method: PUT"),
    message("PUT", "/things/1", b'{"a": 1}', JSON),
    message("PUT", "/things/1", b'{"a": 2}', JSON),
    message("PUT", "/things/1", b'["a", 2]', JSON),
    message("PUT", "/things/1", b'{"a": 2 ', JSON),
    message("PUT", "/things/1", b"", "Content-Length: 0", JSON),
    message("PUT", "/things/1", b'{"a": 1}', JSON, "Expect: 100-continue"),
    message("PUT", "/things/1", b"", "Transfer-Encoding: chunked", JSON) + b'8\r\n{"a": 3}\r\n0\r\n\r\n',
    message("GET", "/things/3", b"", *(f"X-{number}: {number}" for number in range(20))),
    b"\r\n" + message("GET", "/things/2", b""),
]


def app() -> App:
    ids = {"accept": False, "echo": False}
    return App(OPENAPI, echo=True, config={"request_id": ids, "cors": {"origins": ["https://app.example"]}})


@pytest.fixture(scope="module")
def loop() -> Iterator[Any]:
    loop = uvloop.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def served() -> App:
    return app()


def answers(served: App, loop: Any, data: bytes, step: int) -> bytes:
    """All that one connection answers, without the time."""
    connection = MemoryConnection(served, loop)
    connection.feed(data, step)
    connection.turn()
    sent = connection.transport.written
    connection.close()
    return b"\r\n".join(line for line in sent.split(b"\r\n") if not line.startswith(b"Date: "))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(MESSAGES) - 1), st.integers(1, 4)), min_size=1, max_size=6),
    st.sampled_from([0, 1, 7, 50, 160]),
)
def test_a_repeated_head_is_answered_like_a_first_one(
    served: App, loop: Any, runs: list[tuple[int, int]], step: int
) -> None:
    sequence = [MESSAGES[number] for number, times in runs for _ in range(times)]
    expected = b"".join(answers(served, loop, one, 0) for one in sequence)
    assert answers(served, loop, b"".join(sequence), step) == expected


def test_nothing_that_a_handler_changes_is_seen_by_the_next_request(serve: Serve, connect: Connect) -> None:
    async def spoil(request: Request) -> dict[str, Any]:
        seen = {"path": dict(request.path_params), "query": dict(request.query), "state": dict(request.state)}
        request.path_params["id"] = "spoilt"
        request.query["tag"] = "spoilt"
        request.state["spoilt"] = True
        request.headers.update(host="spoilt")
        request.body = request.auth = "spoilt"
        return seen

    spoilt = App(OPENAPI, handlers={"read": spoil}, config={"request_id": {"accept": True}})
    client = connect(serve(spoilt))
    ids = set()
    for _ in range(5):
        answer = client.ask(message("GET", "/things/7?tag=a", b""))
        assert orjson.loads(answer.body) == {"path": {"id": 7}, "query": {"tag": ["a"]}, "state": {}}
        ids.add(answer.headers["x-request-id"])
    assert len(ids) == 5


def test_a_new_handler_answers_a_known_head(serve: Serve, connect: Connect) -> None:
    async def one(request: Request) -> str:
        return "one"

    async def two(request: Request) -> str:
        return "two"

    changing = application({"GET /q": one})
    client = connect(serve(changing))
    ask = message("GET", "/q", b"")
    for _ in range(4):
        assert client.ask(ask).body == b'"one"'
    changing.register("GET /q", two)
    # The server takes the new service in a turn of its loop; what counts is that a known head does not hold it back.
    texts = [client.ask(ask).body for _ in range(200)]
    assert texts[-1] == b'"two"'
    assert texts == sorted(texts)
