"""`limits.handler_time`: the client is answered in time, whatever the handler does with its cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from timeouts_support import OFF
from wire import GOOD, TIMEOUT, Client, MemoryConnection, application, document

from brrtrouter import App, Request, Response, SpecError
from brrtrouter.server.handle import Server

Serve = Callable[[App], Server]
Connect = Callable[..., Client]
SHORT = 0.15
SLOW = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"


def app(slow: Any, handlers: dict[str, Any] | None = None, deadline: Any = None, **limits: float) -> App:
    """An application with a slow operation; `deadline` is what its description says of it."""
    found = {"GET /slow": slow, "GET /good": good, **(handlers or {})}
    source = document(found)
    if deadline is not None:
        source["paths"]["/slow"]["get"]["x-brrtrouter-deadline-ms"] = deadline
    return App(source, found, {"limits": {**OFF, **limits}})


async def good(request: Request) -> str:
    return "good"


async def forever(request: Request) -> None:
    await asyncio.Event().wait()


def expect_504(client: Client, closes: bool = False) -> None:
    answer = client.ask(SLOW)
    problem = json.loads(answer.body)
    assert (answer.status, problem["type"].rpartition("/")[2]) == (504, "handler-timeout")
    assert problem["request_id"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.closes is closes


def test_a_handler_without_an_answer_is_cancelled(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    cancelled = threading.Event()

    async def slow(request: Request) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    client = connect(serve(app(slow, handler_time=SHORT)))
    expect_504(client)
    assert cancelled.wait(TIMEOUT)
    assert client.ask(GOOD).status == 200, "the connection goes on"
    [record] = caplog.records
    assert (record.levelno, record.exc_info) == (logging.WARNING, None)
    assert "GET /slow had no answer in time" in record.message


def test_what_waits_behind_it_is_answered_in_its_order(serve: Serve, connect: Connect) -> None:
    client = connect(serve(app(forever, handler_time=SHORT)))
    client.send(SLOW + GOOD + SLOW + GOOD)
    assert [client.answer().status for _ in range(4)] == [504, 200, 504, 200]


def test_a_handler_that_ignores_its_cancellation_is_not_waited_for(serve: Serve, connect: Connect) -> None:
    stop, stopped = asyncio.Event(), threading.Event()

    async def stubborn(request: Request) -> str:
        while not stop.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await stop.wait()
        stopped.set()
        return "too late"

    async def tell(request: Request) -> None:
        stop.set()

    client = connect(serve(app(stubborn, {"POST /stop": tell}, handler_time=SHORT)))
    expect_504(client)
    assert client.ask(b"POST /stop HTTP/1.1\r\nHost: a\r\n\r\n").status == 204
    assert stopped.wait(TIMEOUT)
    assert client.ask(GOOD).body == b'"good"', "the late answer is for nobody"


def test_a_late_stream_is_closed_unused(serve: Serve, connect: Connect) -> None:
    closed = threading.Event()

    class Items:
        def __aiter__(self) -> Items:
            return self

        async def __anext__(self) -> bytes:
            raise AssertionError("nobody asked for it")

        async def aclose(self) -> None:
            closed.set()

    async def stubborn(request: Request) -> Response:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return Response(200, Items())

    client = connect(serve(app(stubborn, handler_time=SHORT)))
    expect_504(client)
    assert closed.wait(TIMEOUT)
    assert client.ask(GOOD).status == 200


def test_an_exception_during_the_cancellation_is_logged(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    raised = threading.Event()

    async def slow(request: Request) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raised.set()
            raise ValueError("while it ended")

    client = connect(serve(app(slow, handler_time=SHORT)))
    expect_504(client)
    assert raised.wait(TIMEOUT)
    assert client.ask(GOOD).status == 200
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["while it ended"]


def test_a_plain_function_runs_on_in_its_thread(serve: Serve, connect: Connect) -> None:
    go_on, done = threading.Event(), threading.Event()

    def slow(request: Request) -> str:
        assert go_on.wait(TIMEOUT)
        done.set()
        return "too late"

    client = connect(serve(app(slow, handler_time=SHORT)))
    expect_504(client)
    assert not done.is_set()
    assert client.ask(GOOD).status == 200
    go_on.set()
    assert done.wait(TIMEOUT)
    assert client.ask(GOOD).body == b'"good"'


@pytest.mark.parametrize("limits", [{}, {"handler_time": 3600}])
def test_an_operation_may_have_less_time_than_the_others(
    limits: dict[str, Any], serve: Serve, connect: Connect
) -> None:
    expect_504(connect(serve(app(forever, deadline=100, **limits))))


def test_an_operation_may_have_all_the_time_there_is(serve: Serve, connect: Connect) -> None:
    release: list[asyncio.Event] = []
    entered = threading.Event()

    async def slow(request: Request) -> str:
        release.append(asyncio.Event())
        entered.set()
        await release[0].wait()
        return "at last"

    async def tell(request: Request) -> None:
        release[0].set()

    server = serve(app(slow, {"POST /stop": tell, "GET /other": forever}, deadline=0, handler_time=SHORT))
    client, other = connect(server), connect(server)
    client.send(SLOW)
    assert entered.wait(TIMEOUT)
    assert other.ask(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n").status == 504, "the time of all others is over"
    assert other.ask(b"POST /stop HTTP/1.1\r\nHost: a\r\n\r\n").status == 204
    assert client.answer().body == b'"at last"'


@pytest.mark.parametrize("value", [-1, 1.5, "1s", True, None])
def test_a_deadline_that_is_no_number_of_milliseconds_is_refused(value: Any) -> None:
    source = document(["GET /slow"])
    source["paths"]["/slow"]["get"]["x-brrtrouter-deadline-ms"] = value
    with pytest.raises(SpecError) as caught:
        App(source, {"GET /slow": forever})
    assert "x-brrtrouter-deadline-ms has to be a number of milliseconds" in str(caught.value)
    assert "/paths/~1slow/get/x-brrtrouter-deadline-ms" in str(caught.value)


def test_a_stream_that_has_begun_has_no_end_to_keep(serve: Serve, connect: Connect) -> None:
    go_on = asyncio.Event()

    async def items() -> AsyncIterator[bytes]:
        yield b"one "
        await go_on.wait()
        yield b"two"

    async def stream(request: Request) -> Response:
        return Response(200, items())

    async def tell(request: Request) -> None:
        go_on.set()

    server = serve(app(stream, {"POST /stop": tell, "GET /other": forever}, handler_time=SHORT))
    client, other = connect(server), connect(server)
    client.send(SLOW)
    assert client.socket.recv(1)  # of the head
    assert other.ask(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n").status == 504, "the time of all others is over"
    assert other.ask(b"POST /stop HTTP/1.1\r\nHost: a\r\n\r\n").status == 204
    assert client.stream.read(15) == b"TTP/1.1 200 OK\r"


def test_a_request_whose_client_has_gone_has_no_more_time_than_others(serve: Serve, connect: Connect) -> None:
    entered, cancelled = threading.Event(), threading.Event()

    async def slow(request: Request) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    client = connect(serve(app(slow, handler_time=SHORT)))
    client.send(SLOW)
    assert entered.wait(TIMEOUT)
    client.close()
    assert cancelled.wait(TIMEOUT)


def test_a_client_that_wants_to_close_gets_504_and_the_end(serve: Serve, connect: Connect) -> None:
    client = connect(serve(app(forever, handler_time=SHORT)))
    answer = client.ask(SLOW.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert (answer.status, answer.closes) == (504, True)
    assert client.at_end()


def test_a_handler_in_time_costs_no_timer(loop: Any) -> None:
    class NoTimers:
        def __getattr__(self, name: str) -> Any:
            return getattr(loop, name)

        def call_later(self, delay: float, callback: Callable[[], None]) -> Any:
            timers.append(callback)
            return loop.call_later(delay, callback)

    timers: list[Any] = []
    connection = MemoryConnection(application({}), NoTimers())
    assert len(timers) == 1, "the clock"
    connection.feed(GOOD * 50)
    assert connection.transport.written.count(b"200 OK") == 50
    assert len(timers) == 1
    connection.close()


@pytest.fixture
def loop() -> Any:
    own = asyncio.new_event_loop()
    yield own
    own.close()
