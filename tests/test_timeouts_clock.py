"""Which time counts against a client or a handler and which does not, on a clock that the tests move."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from timeouts_support import OFF, SteppedLoop
from wire import GOOD, Gate, MemoryConnection, application, document

from brrtrouter import App, Request
from brrtrouter.core.connection import Endpoint

POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
CLOSE = GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


@pytest.fixture(scope="module")
def uv() -> Iterator[Any]:
    loop = uvloop.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def loop(uv: Any) -> SteppedLoop:
    return SteppedLoop(uv)


async def echo(request: Request) -> bytes:
    return request.raw_body or b""


def app(handlers: dict[str, Any] | None = None, /, **limits: float) -> App:
    return application({"POST /echo": echo, **(handlers or {})}, limits={**OFF, **limits})


def open_one(loop: SteppedLoop, handlers: dict[str, Any] | None = None, /, **limits: float) -> MemoryConnection:
    return MemoryConnection(app(handlers, **limits), loop)


# -- exactness


@pytest.mark.parametrize("seconds", [0.01, 0.2, 1.0, 10.0, 75.0])
def test_a_limit_is_never_early_and_at_most_two_ticks_late(seconds: float, loop: SteppedLoop) -> None:
    connection = open_one(loop, keep_alive=seconds)
    connection.feed(GOOD)
    tick = min(max(seconds / 8, 0.01), 0.5)
    loop.pass_time(seconds * 0.999)
    assert not connection.transport.aborted
    loop.pass_time(seconds * 0.001 + 2.001 * tick)
    assert connection.transport.aborted
    connection.close()


@settings(max_examples=200, deadline=None)
@given(limit=st.floats(0.05, 100), begin=st.floats(0, 3), other=st.floats(0, 1))
def test_a_limit_holds_wherever_on_the_clock_it_begins(uv: Any, limit: float, begin: float, other: float) -> None:
    loop = SteppedLoop(uv)
    endpoint = Endpoint(app(head_time=limit).service, loop)  # type: ignore[arg-type]
    first = MemoryConnection(app(), loop, endpoint)
    first.feed(GOOD)  # keeps the clock going
    loop.pass_time(begin)
    connection = MemoryConnection(app(), loop, endpoint)
    loop.pass_time(limit * 0.999)
    assert not connection.transport.aborted
    loop.pass_time(limit * 0.001 + 2.001 * min(max(limit / 8, 0.01), 0.5))
    assert connection.transport.aborted
    assert not first.transport.aborted
    connection.close()
    loop.pass_time(other)
    first.close()
    assert loop.timers == []


def test_time_in_which_the_loop_was_held_up_is_not_the_client_s(loop: SteppedLoop) -> None:
    connection = open_one(loop, head_time=8)
    connection.feed(b"GET /go")
    loop.hold_up(3600)
    loop.pass_time(1)  # the late tick
    assert connection.transport.written == b""
    connection.feed(b"od HTTP/1.1\r\nHost: a\r\n\r\n")
    assert connection.transport.written.startswith(b"HTTP/1.1 200")
    connection.close()


def test_the_clock_runs_only_while_somebody_is_connected(loop: SteppedLoop) -> None:
    endpoint = Endpoint(app().service, loop)  # type: ignore[arg-type]
    assert loop.timers == []
    connections = [MemoryConnection(app(), loop, endpoint) for _ in range(3)]
    assert len(loop.timers) == 1
    loop.pass_time(60)
    assert len(loop.timers) == 1
    for connection in connections:
        connection.close()
    assert loop.timers == []
    again = MemoryConnection(app(), loop, endpoint)
    assert len(loop.timers) == 1
    again.close()


def test_without_limits_nobody_is_ended(loop: SteppedLoop) -> None:
    silent, partial, idle, body = (open_one(loop) for _ in range(4))
    partial.feed(b"GET /")
    idle.feed(GOOD)
    body.feed(POST % 5)
    loop.pass_time(10_000)
    for connection in (silent, partial, idle, body):
        assert not connection.transport.aborted
        assert b" 408 " not in connection.transport.written
        connection.close()


# -- what does not count


def test_the_time_of_a_head_stands_still_while_we_do_not_read(loop: SteppedLoop) -> None:
    gate = Gate()
    connection = open_one(loop, {"GET /gate": gate}, head_time=8, pipeline=1)
    connection.feed(b"GET /gate HTTP/1.1\r\nHost: a\r\n\r\n" * 3 + b"GET /go")
    assert not connection.transport.reading
    loop.pass_time(60)
    for _ in range(3):
        connection.turn()
        gate.release()
        connection.turn()
        connection.turn()
    assert connection.transport.reading
    loop.pass_time(7)
    connection.feed(b"od HTTP/1.1\r\nHost: a\r\n\r\n")
    assert connection.transport.written.count(b"HTTP/1.1 200") == 4
    connection.close()


def test_the_time_of_a_body_stands_still_while_its_handler_does_not_take_it(loop: SteppedLoop) -> None:
    connection, go_on = streaming(loop, body_wait=8, body_rate=500, body_rate_time=8)
    connection.feed(bytes(400_000))
    assert not connection.transport.reading
    loop.pass_time(60)
    assert connection.transport.written == b""
    go_on.set()
    connection.turn()
    connection.turn()
    assert connection.transport.reading
    loop.pass_time(7)
    connection.feed(bytes(600_000))
    connection.turn()
    connection.turn()
    assert connection.transport.written.endswith(b"1000000")
    connection.close()


def test_the_time_of_a_handler_stands_still_while_its_body_is_on_the_way(loop: SteppedLoop) -> None:
    connection, go_on = streaming(loop, handler_time=8)
    go_on.set()
    connection.turn()
    for _ in range(10):
        loop.pass_time(7)
        connection.feed(bytes(100_000))
        connection.turn()
    assert connection.transport.written.endswith(b"1000000")
    connection.close()


def test_the_time_of_a_handler_runs_while_it_leaves_its_body_lying(loop: SteppedLoop) -> None:
    connection, _ = streaming(loop, handler_time=8)
    connection.feed(bytes(400_000))
    assert not connection.transport.reading
    loop.pass_time(11)
    assert connection.transport.written.startswith(b"HTTP/1.1 504 ")
    assert connection.transport.finished
    connection.turn()
    connection.close()


def streaming(loop: SteppedLoop, **limits: float) -> tuple[MemoryConnection, asyncio.Event]:
    """A connection whose handler takes its body of 1,000,000 bytes in pieces, once the event is set."""
    go_on = asyncio.Event()

    async def upload(request: Request) -> int:
        await go_on.wait()
        return sum([len(piece) async for piece in request.stream()])

    source = document(["POST /echo"])
    source["paths"]["/echo"]["post"]["x-brrtrouter-stream"] = True
    connection = MemoryConnection(App(source, {"POST /echo": upload}, {"limits": {**OFF, **limits}}), loop)
    connection.feed(POST % 1_000_000)
    connection.turn()
    return connection, go_on


def test_who_is_answered_is_not_idle(loop: SteppedLoop) -> None:
    gate = Gate()
    connection = open_one(loop, {"GET /gate": gate}, keep_alive=8)
    connection.feed(b"GET /gate HTTP/1.1\r\nHost: a\r\n\r\n")
    connection.turn()
    loop.pass_time(60)
    assert not connection.transport.aborted
    gate.release()
    connection.turn()
    connection.turn()
    loop.pass_time(7)
    assert not connection.transport.aborted
    loop.pass_time(3)
    assert connection.transport.aborted
    connection.close()


# -- answers that are on their way


def test_who_takes_an_answer_slowly_is_neither_idle_nor_stuck(loop: SteppedLoop) -> None:
    connection = open_one(loop, write_wait=8, keep_alive=8)
    connection.transport.buffered = 100
    connection.feed(GOOD)
    for left in range(99, 0, -1):
        loop.pass_time(7)
        connection.transport.buffered = left
    assert not connection.transport.aborted
    connection.transport.buffered = 0
    loop.pass_time(7)
    assert not connection.transport.aborted
    loop.pass_time(4)
    assert connection.transport.aborted
    connection.close()


@pytest.mark.parametrize("request_", [GOOD, CLOSE], ids=["kept", "last"])
def test_who_takes_nothing_of_a_small_answer_is_ended(request_: bytes, loop: SteppedLoop) -> None:
    connection = open_one(loop, write_wait=8, keep_alive=1, linger=1)
    connection.transport.buffered = 1
    connection.feed(request_)
    loop.pass_time(7)
    assert not connection.transport.aborted
    loop.pass_time(2)
    assert connection.transport.aborted
    connection.close()


def test_new_answers_are_no_progress(loop: SteppedLoop) -> None:
    connection = open_one(loop, write_wait=8)
    for number in range(5):
        connection.feed(GOOD)
        connection.transport.buffered = len(connection.transport.written)
        assert not connection.transport.aborted, number
        loop.pass_time(2)
    assert connection.transport.aborted
    connection.close()


def test_the_time_to_linger_begins_when_everything_is_sent(loop: SteppedLoop) -> None:
    connection = open_one(loop, linger=8)
    connection.transport.buffered = 1
    connection.feed(CLOSE)
    assert connection.transport.finished
    loop.pass_time(60)
    assert not connection.transport.aborted
    connection.transport.buffered = 0
    loop.pass_time(7)
    assert not connection.transport.aborted
    loop.pass_time(3)
    assert connection.transport.aborted
    connection.close()


def test_what_comes_while_we_linger_is_bounded(loop: SteppedLoop) -> None:
    connection = open_one(loop, linger_size=1000)
    connection.feed(CLOSE)
    connection.feed(bytes(1000))
    assert not connection.transport.aborted
    connection.feed(b"x")
    assert connection.transport.aborted
    connection.close()


# -- other limits for the same connections


def test_the_limits_of_a_new_service_hold_for_connections_that_are_there(loop: SteppedLoop) -> None:
    connection = open_one(loop, keep_alive=60)
    connection.feed(GOOD)
    loop.pass_time(20)
    connection.endpoint.service = app(keep_alive=8).service
    loop.pass_time(2)
    assert connection.transport.aborted
    connection.close()
