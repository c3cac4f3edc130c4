"""One connection over its life: order, pipelining, back-pressure, expectations, and its end (RFC 9112 section 9)."""

from __future__ import annotations

import logging
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import uvloop
from wire import GOOD, TIMEOUT, Client, Gate, MemoryConnection, application

from brrtrouter import App, Request, Response
from brrtrouter.server.handle import Server

Serve = Callable[[App], Server]
Connect = Callable[..., Client]
MIB = 1024 * 1024


def get(path: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *fields, "", ""]).encode()


def post(path: str, body: bytes, *fields: str) -> bytes:
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", *fields, "", ""])
    return head.encode() + body


@pytest.fixture
def loop() -> Iterator[Any]:
    loop = uvloop.new_event_loop()
    yield loop
    loop.close()


async def query(request: Request) -> str:
    return request.raw_query


async def length(request: Request) -> int:
    return len(request.raw_body or b"")


# -- order


def test_a_connection_serves_one_request_after_the_other(serve: Serve, connect: Connect) -> None:
    client = connect(serve(application({"GET /q": query})))
    for number in range(50):
        assert client.ask(get(f"/q?{number}")).body == b'"%d"' % number


def test_pipelined_requests_run_one_at_a_time_and_are_answered_in_order(serve: Serve, connect: Connect) -> None:
    gate = Gate()
    client = connect(serve(application({"GET /gate": gate})))
    client.send(get("/gate") + GOOD + get("/gate") + get("/gate"))
    for number in range(3):
        gate.wait()
        assert gate.requests == number + 1, "a later request began before an earlier one was answered"
        gate.release(number)
    assert [client.answer().body for _ in range(4)] == [b"0", b'"good"', b"1", b"2"]


def test_a_slow_request_of_one_connection_does_not_keep_another_one_waiting(serve: Serve, connect: Connect) -> None:
    gate = Gate()
    server = serve(application({"GET /gate": gate}))
    slow = connect(server)
    slow.send(get("/gate"))
    gate.wait()
    assert connect(server).ask(GOOD).status == 200
    gate.release()
    assert slow.answer().status == 200


@pytest.mark.parametrize("depth", [1, 2, 16])
def test_reading_pauses_when_more_requests_wait_than_the_limit(depth: int, loop: Any) -> None:
    gate = Gate()
    connection = MemoryConnection(application({"GET /gate": gate}, limits={"pipeline": depth}), loop)
    connection.feed(get("/gate"))
    for _ in range(depth):
        connection.feed(get("/gate"))
        assert connection.transport.reading
    connection.feed(get("/gate") + GOOD)
    assert not connection.transport.reading
    connection.turn()
    for _ in range(depth + 2):
        assert not connection.transport.reading or gate.requests > 1
        gate.release()
        for _ in range(3):
            connection.turn()
    assert connection.transport.reading
    assert connection.transport.written.count(b"HTTP/1.1 200 OK") == depth + 3
    assert connection.transport.written.endswith(b'"good"')
    connection.close()


def test_many_pipelined_requests_leave_turns_to_other_connections(loop: Any) -> None:
    connection = MemoryConnection(application({}), loop)
    connection.feed(GOOD * 1000)
    answered = connection.transport.written.count(b"HTTP/1.1 200 OK")
    assert 0 < answered < 200
    connection.turn()
    assert answered < connection.transport.written.count(b"HTTP/1.1 200 OK") < 400
    for _ in range(50):
        connection.turn()
    assert connection.transport.written.count(b"HTTP/1.1 200 OK") == 1000
    assert connection.transport.reading
    connection.close()


# -- a client that does not read


def test_answers_that_nobody_reads_stop_the_work_and_not_the_server(serve: Serve, connect: Connect) -> None:
    calls = 0

    async def large(request: Request) -> bytes:
        nonlocal calls
        calls += 1
        return bytes(MIB)

    server = serve(application({"GET /large": large}))
    greedy = connect(server, receive_buffer=4096)
    greedy.send(get("/large") * 100)
    other = connect(server)
    for _ in range(20):
        assert other.ask(GOOD).status == 200
    assert 0 < calls < 32, "answers pile up in memory"
    assert [len(greedy.answer().body) for _ in range(100)] == [MIB] * 100
    assert calls == 100


def test_a_stream_waits_for_a_client_that_does_not_read(serve: Serve, connect: Connect) -> None:
    produced = 0

    async def items() -> AsyncIterator[bytes]:
        nonlocal produced
        for _ in range(24):
            produced += 1
            yield bytes(MIB)

    async def stream(request: Request) -> Response:
        return Response(200, items())

    server = serve(application({"GET /stream": stream}))
    slow = connect(server, receive_buffer=4096)
    slow.send(get("/stream"))
    other = connect(server)
    for _ in range(20):
        assert other.ask(GOOD).status == 200
    assert produced < 16
    assert len(slow.answer().body) == 24 * MIB


# -- expectations


def test_the_interim_answer_comes_before_the_body_is_sent(serve: Serve, connect: Connect) -> None:
    client = connect(serve(application({"POST /length": length})))
    request = post("/length", b"hello", "Expect: 100-continue")
    assert client.ask(request[:-5]).status == 100
    assert client.ask(b"hello").body == b"5"


def test_the_interim_answer_comes_after_the_answers_before_it(serve: Serve, connect: Connect) -> None:
    gate = Gate()
    client = connect(serve(application({"GET /gate": gate, "POST /length": length})))
    client.send(get("/gate") + post("/length", b"hello", "Expect: 100-continue")[:-5])
    gate.wait()
    gate.release("first")
    assert client.answer().body == b'"first"'
    assert client.answer().status == 100
    assert client.ask(b"hello").body == b"5"


def test_no_interim_answer_when_the_body_came_before_its_turn(serve: Serve, connect: Connect) -> None:
    gate = Gate()
    client = connect(serve(application({"GET /gate": gate, "POST /length": length})))
    client.send(get("/gate") + post("/length", b"hello", "Expect: 100-continue"))
    gate.wait()
    gate.release("first")
    assert [client.answer().status, client.answer().body] == [200, b"5"]


# -- the end


@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_a_client_that_sends_all_of_a_refused_body_can_read_the_answer(
    coding: str, serve: Serve, connect: Connect
) -> None:
    client = connect(serve(application({"POST /length": length})))
    if coding == "length":
        client.send(post("/length", bytes(8 * MIB)))
    else:
        client.send(
            b"POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800000\r\n" + bytes(8 * MIB)
        )
    assert client.answer().status == 413
    assert client.at_end()


def test_a_refused_body_without_an_end_is_cut(loop: Any) -> None:
    connection = MemoryConnection(application({"POST /length": length}), loop)
    connection.feed(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n")
    assert connection.transport.finished
    for _ in range(64):
        connection.feed(bytes(MIB))
    assert connection.transport.aborted
    connection.close()


def test_an_error_does_not_cost_the_slow_answers_before_it(serve: Serve, connect: Connect) -> None:
    gate = Gate()
    client = connect(serve(application({"GET /gate": gate, "POST /length": length})))
    client.send(get("/gate") + post("/length", b"", "X: y").replace(b"Length: 0", b"Length: 2000000"))
    gate.wait()
    client.send(bytes(1_000_000))
    gate.release("slow")
    assert client.answer().body == b'"slow"'
    assert client.answer().status == 413
    assert client.at_end()


async def inline_handler(request: Request) -> str:
    return "done"


def thread_handler(request: Request) -> str:
    return "done"


async def stream_handler(request: Request) -> Response:
    async def items() -> AsyncIterator[str]:
        yield "do"
        yield "ne"

    return Response(200, items(), media_type="text/plain")


@pytest.mark.parametrize("handler", [inline_handler, thread_handler, stream_handler])
def test_a_client_that_only_ends_its_own_side_gets_its_answers(
    handler: Callable[..., Any], serve: Serve, connect: Connect
) -> None:
    client = connect(serve(application({"GET /a": handler})))
    client.send(get("/a") + get("/a"))
    client.finish()
    assert [client.answer().body.strip(b'"') for _ in range(2)] == [b"done", b"done"]
    assert client.at_end()


def test_a_client_that_ends_its_own_side_while_requests_run_gets_all_answers(serve: Serve, connect: Connect) -> None:
    gate = Gate()
    client = connect(serve(application({"GET /gate": gate})))
    client.send(get("/gate") + get("/gate") + GOOD)
    gate.wait()
    client.finish()
    gate.release(1)
    gate.wait()
    gate.release(2)
    assert [client.answer().body for _ in range(3)] == [b"1", b"2", b'"good"']
    assert client.at_end()


@pytest.mark.parametrize("part", [b"GET /good HTT", post("/length", b"hello")[:-1], b"\r"])
def test_a_message_that_stays_incomplete_ends_without_an_answer(part: bytes, serve: Serve, connect: Connect) -> None:
    client = connect(serve(application({"POST /length": length})))
    client.send(part)
    client.finish()
    assert client.at_end()


def test_a_client_that_goes_while_its_request_runs_disturbs_nobody(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    server = serve(application({"GET /gate": gate}))
    client = connect(server)
    client.send(get("/gate") + GOOD)
    gate.wait()
    client.close()
    assert connect(server).ask(GOOD).status == 200
    gate.release()
    assert connect(server).ask(GOOD).status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_client_that_goes_stops_the_stream_and_lets_it_clean_up(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    cleaned = threading.Event()

    async def items() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(65536)
        finally:
            cleaned.set()

    async def stream(request: Request) -> Response:
        return Response(200, items())

    server = serve(application({"GET /stream": stream}))
    client = connect(server)
    client.send(get("/stream"))
    client.socket.recv(1)
    client.close()
    assert cleaned.wait(TIMEOUT)
    assert connect(server).ask(GOOD).status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_client_that_resets_its_idle_connection_disturbs_nobody(serve: Serve, connect: Connect) -> None:
    server = serve(application({}))
    client = connect(server)
    assert client.ask(GOOD).status == 200
    client.socket.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SOL_SOCKET, SO_LINGER: on, 0 s: close by reset
    client.close()
    assert connect(server).ask(GOOD).status == 200


# -- what was sent in many small pieces


def test_a_body_of_many_small_pieces_arrives_whole(loop: Any) -> None:
    async def echo(request: Request) -> bytes:
        return request.raw_body or b""

    body = bytes(range(256)) * 40
    for data in (
        post("/echo", body),
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"1\r\n%c\r\n" % byte for byte in body)
        + b"0\r\nX: y\r\n\r\n",
    ):
        connection = MemoryConnection(application({"POST /echo": echo}), loop)
        connection.feed(data, 3)
        assert connection.transport.written.endswith(b"\r\n\r\n" + body)
        connection.close()


def test_tiny_chunks_do_not_take_much_more_memory_than_their_content(loop: Any) -> None:
    connection = MemoryConnection(application({"POST /length": length}), loop)
    connection.feed(b"POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunks = b"2\r\nab\r\n" * 5000
    tracemalloc.start()
    try:
        for _ in range(20):
            connection.feed(chunks)
        kept, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2 * 200_000
    connection.feed(b"0\r\n\r\n")
    assert connection.transport.written.endswith(b"\r\n\r\n200000")
    connection.close()


def test_a_connection_that_comes_while_the_server_drains_is_closed(loop: Any) -> None:
    first = MemoryConnection(application({}), loop)
    drained = loop.create_future()
    first.endpoint.drain(drained)
    assert first.transport.finished
    assert not drained.done()
    late = MemoryConnection(application({}), loop, first.endpoint)
    assert late.transport.finished
    first.close()
    assert not drained.done()
    late.close()
    assert drained.done()
