"""`x-brrtrouter-stream`: the handler starts before the body is read, and takes it in pieces."""

from __future__ import annotations

import asyncio
import hashlib
import re
import selectors
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import GOOD, Client, MemoryConnection

from brrtrouter import App, HandlerError, SpecError
from brrtrouter.core.connection import Endpoint
from brrtrouter.errors import BodyStreamError
from brrtrouter.server.handle import Server
from brrtrouter.testing import TestClient

LIMIT = 10_000_000


def app_of(upload: Any, **limits: int) -> App:
    operation = {
        "operationId": "upload",
        "x-brrtrouter-stream": True,
        "x-brrtrouter-max-body": LIMIT,
        "parameters": [{"name": "n", "in": "query", "schema": {"type": "integer"}}],
        "requestBody": {"content": {"application/octet-stream": {}, "text/*": {}}},
        "responses": {"200": {"description": "taken"}},
    }
    plain = {k: v for k, v in operation.items() if not k.startswith("x-")} | {"operationId": "plain"}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "streams", "version": "1"},
        "paths": {
            "/up": {"post": operation},
            "/plain": {"post": plain},
            "/good": {"get": {"operationId": "good", "responses": {}}},
        },
    }

    async def good(request: Any) -> str:
        return "good"

    async def plain_body(request: Any) -> Any:
        return [len(piece) async for piece in request.stream()]

    return App(document, {"upload": upload, "good": good, "plain": plain_body}, {"limits": limits})


async def digest(request: Any) -> Any:
    """What came, in few bytes."""
    found = hashlib.sha256()
    size = 0
    async for piece in request.stream():
        found.update(piece)
        size += len(piece)
    return {"size": size, "sha256": found.hexdigest(), "body": request.body, "n": request.query.get("n")}


class Slow:
    """A handler that takes one piece each time it is allowed to."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.error: BaseException | None = None
        self.allowed = asyncio.Semaphore(0)
        self.swallow = False

    async def __call__(self, request: Any) -> Any:
        try:
            stream = request.stream()
            while True:
                await self.allowed.acquire()
                try:
                    self.taken.append(await stream.__anext__())
                except StopAsyncIteration:
                    return {"pieces": len(self.taken)}
        except BodyStreamError as error:
            self.error = error
            if self.swallow:
                return "swallowed"
            raise

    def allow(self, count: int = 1) -> None:
        for _ in range(count):
            self.allowed.release()


def head(length: int | None = None, target: str = "/up", *lines: str) -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    fields = ["Host: a", framing, *lines]
    if not any(line.startswith("Content-Type") for line in lines):
        fields.append("Content-Type: application/octet-stream")
    return "\r\n".join([f"POST {target} HTTP/1.1", *fields, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


Connect = Callable[[Any], MemoryConnection]


@pytest.fixture
def wire() -> Iterator[Connect]:
    """Connections in memory to an application with this upload handler."""
    loop = asyncio.new_event_loop()
    opened: list[MemoryConnection] = []

    def connect(upload: Any, **limits: int) -> MemoryConnection:
        opened.append(MemoryConnection(app_of(upload, **limits), loop))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def turns(connection: MemoryConnection, count: int = 10) -> None:
    for _ in range(count):
        connection.turn()


def statuses(connection: MemoryConnection) -> list[int]:
    turns(connection)
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", connection.transport.written)]


def test_the_handler_starts_before_the_body_is_there(wire: Connect) -> None:
    slow = Slow()
    connection = wire(slow)
    slow.allow(9)
    connection.feed(head(10))
    connection.feed(b"12345")
    turns(connection)
    assert slow.taken == [b"12345"]
    connection.feed(b"67890")
    assert statuses(connection) == [200]
    assert slow.taken == [b"12345", b"67890"]


def test_every_piece_arrives_in_order_and_the_connection_is_kept(wire: Connect) -> None:
    connection = wire(digest)
    body = bytes(range(256)) * 100
    connection.feed(head(len(body), "/up?n=4") + body + head(None) + chunk(body) + b"0\r\n\r\n" + GOOD, 1000)
    assert statuses(connection) == [200, 200, 200]
    assert connection.transport.written.count(hashlib.sha256(body).hexdigest().encode()) == 2
    assert b'"n":4' in connection.transport.written
    assert b"Connection: close" not in connection.transport.written
    assert not connection.transport.finished


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), st.integers(1, 400), st.booleans())
def test_any_cut_of_the_bytes_gives_the_same_body(pieces: list[bytes], step: int, chunked: bool) -> None:
    loop = asyncio.new_event_loop()
    connection = MemoryConnection(app_of(digest), loop)
    body = b"".join(pieces)
    message = head(None) + b"".join(map(chunk, pieces)) + b"0\r\n\r\n" if chunked else head(len(body)) + body
    connection.feed(message + GOOD, step)
    assert statuses(connection) == [200, 200]
    assert hashlib.sha256(body).hexdigest().encode() in connection.transport.written
    connection.close()
    loop.close()


def test_a_slow_handler_stops_the_client(wire: Connect) -> None:
    slow = Slow()
    connection = wire(slow)
    connection.feed(head(LIMIT))
    fed = 0
    while connection.transport.reading:
        connection.feed(b"x" * 50_000)
        fed += 50_000
        turns(connection, 1)
    assert 262_144 < fed <= 350_000
    slow.allow(1)
    turns(connection)
    assert not connection.transport.reading
    slow.allow(5)
    turns(connection)
    assert connection.transport.reading
    connection.feed(b"x" * 300_000)
    assert not connection.transport.reading
    slow.allow(LIMIT // 50_000)
    for _ in range((LIMIT - fed - 300_000) // 50_000):
        connection.feed(b"x" * 50_000)
    assert statuses(connection) == [200]
    assert sum(map(len, slow.taken)) == LIMIT


def test_a_body_that_waits_for_its_turn_is_bounded_too(wire: Connect) -> None:
    slow = Slow()
    connection = wire(slow)
    connection.feed(head(0))
    connection.feed(head(LIMIT))
    connection.feed(b"x" * 300_000)
    assert not connection.transport.reading
    slow.allow(1)
    turns(connection)
    assert not connection.transport.reading
    slow.allow(1)
    turns(connection)
    assert connection.transport.reading


def test_a_real_client_is_slowed_down(serve: Callable[[App], Server], connect: Callable[..., Client]) -> None:
    gate: list[asyncio.Future[None]] = []

    async def wait(request: Any) -> Any:
        gate.append(asyncio.get_running_loop().create_future())
        await gate[0]
        return await digest(request)

    server = serve(app_of(wait))
    client = connect(server)
    client.send(head(LIMIT))
    sent, block = 0, b"x" * 65_536
    with selectors.DefaultSelector() as selector:
        selector.register(client.socket, selectors.EVENT_WRITE)
        while selector.select(0.5):
            sent += client.socket.send(block[: LIMIT - sent])
    assert 0 < sent < LIMIT
    gate[0].get_loop().call_soon_threadsafe(gate[0].set_result, None)
    while sent < LIMIT:
        sent += client.socket.send(block[: LIMIT - sent])
    answer = client.answer("POST")
    assert (answer.status, hashlib.sha256(b"x" * LIMIT).hexdigest() in answer.body.decode()) == (200, True)
    assert client.ask(GOOD).body == b'"good"'


# -- what ends a body early


@pytest.mark.parametrize("swallow", [False, True])
def test_a_chunked_body_over_the_limit_is_413_while_it_is_read(wire: Connect, swallow: bool) -> None:
    slow = Slow()
    slow.swallow = swallow
    connection = wire(slow)
    slow.allow(1000)
    connection.feed(head(None))
    for _ in range(LIMIT // 100_000):
        connection.feed(chunk(b"x" * 100_000))
        turns(connection, 2)
    assert slow.error is None
    connection.feed(chunk(b"x"))
    assert statuses(connection) == [200 if swallow else 413]
    assert isinstance(slow.error, BodyStreamError)
    assert b"Connection: close" in connection.transport.written
    assert connection.transport.finished


def test_a_length_over_the_limit_is_413_before_the_handler(wire: Connect) -> None:
    slow = Slow()
    connection = wire(slow)
    connection.feed(head(LIMIT + 1))
    assert statuses(connection) == [413]
    assert slow.taken == []


def test_a_malformed_chunk_is_400(wire: Connect) -> None:
    connection = wire(digest)
    connection.feed(head(None) + chunk(b"abc") + b"xyz\r\n")
    assert statuses(connection) == [400]
    assert connection.transport.finished


def test_a_client_that_goes_away_ends_the_stream(wire: Connect, caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow()
    connection = wire(slow)
    slow.allow(9)
    connection.feed(head(10) + b"12345")
    connection.protocol.connection_lost(None)
    turns(connection)
    assert (slow.taken, str(slow.error)) == ([b"12345"], "the client has gone")
    assert not caplog.records


def test_a_client_that_sends_no_more_is_answered(wire: Connect) -> None:
    connection = wire(digest)
    connection.feed(head(10) + b"12345")
    assert connection.protocol.eof_received()
    assert statuses(connection) == [400]
    assert connection.transport.aborted


def test_an_answer_before_the_end_of_the_body_ends_the_connection(wire: Connect) -> None:
    async def impatient(request: Any) -> str:
        await request.stream().__anext__()
        return "enough"

    connection = wire(impatient)
    connection.feed(head(1000) + b"x")
    connection.feed(b"x" * 10)
    assert statuses(connection) == [200]
    assert b"Connection: close" in connection.transport.written
    assert connection.transport.finished
    assert not connection.transport.aborted
    connection.feed(b"x" * 989 + GOOD)
    assert statuses(connection) == [200]


def test_a_request_that_is_refused_does_not_wait_for_its_body(wire: Connect) -> None:
    for lines, target, status in (
        (["Content-Type: image/png"], "/up", 415),
        ([], "/up?n=x", 400),
    ):
        slow = Slow()
        connection = wire(slow)
        connection.feed(head(1000, target, *lines))
        assert statuses(connection) == [status]
        assert b"Connection: close" in connection.transport.written


def test_continue_is_sent_when_the_handler_wants_the_body(wire: Connect) -> None:
    slow = Slow()
    connection = wire(slow)
    connection.feed(head(3, "/up", "Expect: 100-continue"))
    assert statuses(connection) == []
    slow.allow(9)
    assert statuses(connection) == [100]
    connection.feed(b"abc")
    assert statuses(connection) == [100, 200]

    async def refuses(request: Any) -> tuple[int, str]:
        return (200, "no, thanks")

    connection = wire(refuses)
    connection.feed(head(3, "/up", "Expect: 100-continue"))
    assert statuses(connection) == [200]
    assert connection.transport.finished


def test_an_answer_that_is_a_stream_itself(wire: Connect) -> None:
    async def shout(request: Any) -> Any:
        async for piece in request.stream():
            yield piece.upper()

    connection = wire(shout)
    connection.feed(head(6) + b"abc")
    turns(connection)
    assert b"3\r\nABC\r\n" in connection.transport.written
    connection.feed(b"def")
    turns(connection)
    assert connection.transport.written.endswith(b"3\r\nDEF\r\n0\r\n\r\n")
    # Its head was sent when the end of the body was not known.
    assert b"Connection: close" in connection.transport.written
    assert connection.transport.finished


# -- the rest


def test_a_body_that_was_read_is_a_stream_of_one_piece() -> None:
    client = TestClient(app_of(digest))
    headers = {"Content-Type": "text/plain"}
    assert client.post("/plain", content=b"abc", headers=headers).json() == [3]
    assert client.post("/plain").json() == []
    assert client.post("/up").json()["size"] == 0
    assert client.post("/up", content=b"abc", headers=headers).json()["size"] == 3


def test_two_readers_of_one_body_are_an_error(wire: Connect, caplog: pytest.LogCaptureFixture) -> None:
    async def twice(request: Any) -> Any:
        first = asyncio.ensure_future(request.stream().__anext__())
        await asyncio.sleep(0)
        try:
            return await request.stream().__anext__()
        finally:
            first.cancel()

    connection = wire(twice)
    connection.feed(head(3))
    assert statuses(connection) == [500]
    assert "a body is read from two places" in caplog.text


def test_a_plain_function_cannot_take_a_stream() -> None:
    def plain(request: Any) -> None: ...

    with pytest.raises(HandlerError, match=r"upload.*async def"):
        _ = app_of(plain).service


def test_the_extension_is_a_boolean() -> None:
    operation = {"x-brrtrouter-stream": "yes", "responses": {}}
    document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/x": {"post": operation}}}
    with pytest.raises(SpecError, match="x-brrtrouter-stream has to be a boolean"):
        App(document)


def test_draining_waits_for_a_body(wire: Connect) -> None:
    slow = Slow()
    connection = wire(slow)
    slow.allow(9)
    connection.feed(head(6) + b"abc")
    turns(connection)
    endpoint: Endpoint = connection.endpoint
    drained = connection.loop.create_future()
    endpoint.drain(drained)
    connection.feed(b"def")
    assert statuses(connection) == [200]
    assert b"Connection: close" in connection.transport.written
    assert connection.transport.finished
