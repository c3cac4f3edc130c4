"""What handlers return and raise, as it is on the wire: every kind of handler, every kind of result."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import orjson
import pytest
from wire import GOOD, TIMEOUT, Client, Gate, application

from brrtrouter import App, Request, Response
from brrtrouter.server.handle import Server
from brrtrouter.testing import TestClient

Serve = Callable[[App], Server]
Connect = Callable[..., Client]
Handler = Callable[[Request], Any]


def thread(make: Callable[[], Any]) -> Handler:
    return lambda request: make()


def inline(make: Callable[[], Any]) -> Handler:
    async def handler(request: Request) -> Any:
        return make()

    return handler


def suspended(make: Callable[[], Any]) -> Handler:
    async def handler(request: Request) -> Any:
        await asyncio.sleep(0)
        return make()

    return handler


KINDS = [thread, inline, suspended]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


async def items() -> AsyncIterator[bytes | str]:
    yield b"one,"
    yield "zwö"
    yield b""


def raising(error: BaseException) -> Callable[[], Any]:
    def make() -> Any:
        raise error

    return make


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def ask(handler: Handler, **options: Any) -> Any:
    with TestClient(application({"GET /a": handler}, **options)) as client:
        return client.get("/a")


# -- results

RESULTS = {
    "dict": (lambda: {"a": [1, None]}, 200, "application/json", b'{"a":[1,null]}'),
    "list": (lambda: [1], 200, "application/json", b"[1]"),
    "number": (lambda: 1.5, 200, "application/json", b"1.5"),
    "true": (lambda: True, 200, "application/json", b"true"),
    "text": (lambda: "ö", 200, "application/json", '"ö"'.encode()),
    "bytes": (lambda: b"\0\xff", 200, "application/octet-stream", b"\0\xff"),
    "bytearray": (lambda: bytearray(b"x"), 200, "application/octet-stream", b"x"),
    "None": (lambda: None, 204, None, b""),
    "status and value": (lambda: (201, {"id": 1}), 201, "application/json", b'{"id":1}'),
    "status and None": (lambda: (202, None), 202, None, b""),
    "204 and a value": (lambda: (204, {"lost": 1}), 204, None, b""),
    "Response": (lambda: Response(404, {"no": 1}), 404, "application/json", b'{"no":1}'),
    "Response with text": (lambda: Response(200, "<p>", None, "text/html"), 200, "text/html", b"<p>"),
    "Response with JSON text": (lambda: Response(200, "x", None, "a/b+json"), 200, "a/b+json", b'"x"'),
    "empty Response": (lambda: Response(200), 200, None, b""),
    "stream": (items, 200, "application/octet-stream", "one,zwö".encode()),
    "Response with a stream": (lambda: Response(203, items(), None, "a/b"), 203, "a/b", "one,zwö".encode()),
    "status and stream": (lambda: (202, items()), 202, "application/octet-stream", "one,zwö".encode()),
    "unknown status": (lambda: Response(299, b"x"), 299, "application/octet-stream", b"x"),
}  # fmt: skip


@each_kind
@pytest.mark.parametrize("name", RESULTS)
def test_result(kind: Any, name: str) -> None:
    make, status, media_type, body = RESULTS[name]
    answer = ask(kind(make))
    assert (answer.status, answer.headers.get("content-type"), answer.content) == (status, media_type, body)


def test_a_value_for_a_204_leaves_no_body_on_the_wire() -> None:
    with TestClient(application({"GET /a": inline(lambda: {"a": 1})}, success=204)) as client:
        raw = client.get("/a").raw
    assert raw.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert raw.endswith(b"\r\n\r\n")
    assert b"Content-Length" not in raw
    assert b"Content-Type" not in raw


def test_header_fields_of_a_response_are_sent_as_they_are() -> None:
    headers = [("X-Text", "ä"), ("X-Number", 7), ("Set-Cookie", ["a=1", "b=2"]), ("X-Bytes", b"\xe9")]
    raw = ask(inline(lambda: Response(200, None, headers))).raw
    for line in (b"X-Text: \xe4", b"X-Number: 7", b"Set-Cookie: a=1", b"Set-Cookie: b=2", b"X-Bytes: \xe9"):
        assert b"\r\n" + line + b"\r\n" in raw


# -- failures

BAD_RESULTS = {
    "not JSON": object,
    "a set": lambda: {1, 2},
    "too deep for JSON": lambda: nested(2000),
    "a tuple of one": lambda: (200,),
    "a tuple of three": lambda: (200, {}, {}),
    "a tuple with a text for the status": lambda: ("200", {}),
    "a tuple with True for the status": lambda: (True, {}),
    "a tuple with a Response": lambda: (200, Response()),
    "an interim status": lambda: Response(100),
    "an interim status of a stream": lambda: Response(103, items()),
    "a status beyond all": lambda: (600, {}),
    "a status of four digits, of a stream": lambda: Response(1000, items()),
    "CR LF in a value": lambda: Response(200, None, {"X": "a\r\nSet-Cookie: b=c"}),
    "LF in a value": lambda: Response(200, None, {"X": "a\nb"}),
    "CR in a value of bytes": lambda: Response(200, None, {"X": b"a\rb"}),
    "NUL in a value": lambda: Response(200, None, {"X": "a\0b"}),
    "CR LF in one of several values": lambda: Response(200, None, {"X": ["a", "b\r\nc"]}),
    "CR LF in a name": lambda: Response(200, None, {"X: y\r\nZ": "a"}),
    "blank in a name": lambda: Response(200, None, [("X Y", "a")]),
    "empty name": lambda: Response(200, None, [("", "a")]),
    "text beyond Latin-1 in a value": lambda: Response(200, None, {"X": "\u20ac"}),
    "CR LF in the media type": lambda: Response(200, b"", None, "text/plain\r\nX: y"),
    "CR LF in the media type of a stream": lambda: Response(200, items(), None, "text/plain\r\nX: y"),
    "CR LF in a value of a stream": lambda: Response(200, items(), {"X": "a\r\nb"}),
    "Content-Length": lambda: Response(200, b"abc", {"content-length": "1"}),
    "Transfer-Encoding": lambda: Response(200, b"abc", {"Transfer-Encoding": "chunked"}),
    "Connection": lambda: Response(200, b"abc", {"Connection": "close"}),
}
ERRORS = [
    RuntimeError("secret"),
    StopIteration(1),
    StopAsyncIteration(),
    asyncio.CancelledError(),
    asyncio.TimeoutError(),
    SystemExit(3),
    RecursionError(),
    UnicodeDecodeError("utf-8", b"", 0, 1, "x"),
]


def check_failure(app: App, serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """A failing request is a logged 500 with its id, and costs neither the connection nor the request behind it."""
    client = connect(serve(app))
    client.send(get("/a") + GOOD)
    answer = client.answer()
    assert answer.status == 500
    assert not answer.closes
    assert b"secret" not in answer.body
    assert b"Set-Cookie" not in answer.raw
    request_id = orjson.loads(answer.body)["request_id"]
    assert client.answer().body == b'"good"'
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert request_id in record.getMessage()
    assert record.exc_info


@each_kind
@pytest.mark.parametrize("name", BAD_RESULTS)
def test_bad_result_is_a_500(
    kind: Any, name: str, serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    check_failure(application({"GET /a": kind(BAD_RESULTS[name])}), serve, connect, caplog)


@each_kind
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_exception_is_a_500(
    kind: Any, error: BaseException, serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    check_failure(application({"GET /a": kind(raising(error))}), serve, connect, caplog)


# -- streams that fail

STREAM_FAILURES: dict[str, Callable[[], Any]] = {
    "an exception": raising(RuntimeError("on purpose")),
    "a lost connection to somebody else": raising(ConnectionResetError("upstream")),
    "a cancellation": raising(asyncio.CancelledError()),
    "SystemExit": raising(SystemExit(3)),
    "a number as an item": lambda: 5,
    "None as an item": lambda: None,
    "a dict as an item": dict,
}


@pytest.mark.parametrize("name", STREAM_FAILURES)
def test_a_stream_that_fails_is_cut_so_that_it_does_not_look_complete(
    name: str, serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing() -> AsyncIterator[Any]:
        yield b"begin"
        await asyncio.sleep(0)
        yield STREAM_FAILURES[name]()

    server = serve(application({"GET /a": inline(failing)}))
    client = connect(server)
    client.send(get("/a") + GOOD)
    received = b""
    try:
        while data := client.socket.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b"\r\n\r\n5\r\nbegin\r\n")
    assert connect(server).ask(GOOD).status == 200
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info


def test_a_stream_that_fails_while_it_cleans_up_does_not_hold_the_server(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    cleaned = threading.Event()

    class Items:
        def __aiter__(self) -> Items:
            return self

        async def __anext__(self) -> bytes:
            raise StopAsyncIteration

        async def aclose(self) -> None:
            cleaned.set()
            raise RuntimeError("on purpose")

    client = connect(serve(application({"GET /a": inline(Items)})))
    client.send(get("/a") + GOOD)
    assert client.answer().body == b""
    assert cleaned.wait(TIMEOUT)
    assert client.answer().body == b'"good"'
    assert "on purpose" in caplog.text


def test_head_of_a_stream_does_not_start_it(serve: Serve, connect: Connect) -> None:
    started = threading.Event()

    async def produce() -> AsyncIterator[bytes]:
        started.set()
        yield b"x"

    client = connect(serve(application({"GET /a": inline(produce)})))
    answer = client.ask(get("/a").replace(b"GET", b"HEAD"), "HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert client.ask(GOOD).body == b'"good"'
    assert not started.is_set()


def test_items_of_a_stream_are_sent_as_they_come(serve: Serve, connect: Connect) -> None:
    gate = Gate()

    async def slow() -> AsyncIterator[Any]:
        yield b"first"
        yield await gate(None)

    client = connect(serve(application({"GET /a": inline(slow)})))
    client.send(get("/a"))
    gate.wait()
    received = b""
    while b"first" not in received:
        received += client.socket.recv(65536)
    assert b"second" not in received
    gate.release(b"second")
    while not received.endswith(b"0\r\n\r\n"):
        received += client.socket.recv(65536)
    assert received.endswith(b"5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n")


# -- threads


def test_plain_functions_run_off_the_event_loop(serve: Serve, connect: Connect) -> None:
    release, entered = threading.Event(), threading.Event()

    def blocking(request: Request) -> str:
        entered.set()
        assert release.wait(TIMEOUT)
        return threading.current_thread().name

    server = serve(application({"GET /a": blocking}))
    slow = connect(server)
    slow.send(get("/a"))
    assert entered.wait(TIMEOUT)
    assert connect(server).ask(GOOD).status == 200
    release.set()
    assert slow.answer().body.startswith(b'"brrtrouter-handler')


def test_a_thread_sees_the_context_of_the_middleware_around_it() -> None:
    user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")

    class Login:
        async def around(self, request: Request, call_next: Any) -> Any:
            user.set(request.path)
            return await call_next(request)

    def handler(request: Request) -> str:
        found = user.get()
        user.set("changed in the thread")
        return found

    with TestClient(application({"GET /a": handler}, middleware=[Login()])) as client:
        assert [client.get("/a").json() for _ in range(3)] == ["/a"] * 3
        assert user.get() == "nobody"


def test_what_the_queue_cannot_take_is_refused_at_once(serve: Serve, connect: Connect) -> None:
    release = threading.Event()
    entered = threading.Semaphore(0)

    def blocking(request: Request) -> str:
        entered.release()
        assert release.wait(TIMEOUT)
        return "done"

    server = serve(application({"GET /a": blocking}, limits={"handler_threads": 1, "handler_queue": 2}))
    clients = [connect(server) for _ in range(3)]
    for client in clients:
        client.send(get("/a"))
        assert client is not clients[0] or entered.acquire(timeout=TIMEOUT)
        assert connect(server).ask(GOOD).status == 200  # what was sent before has been read by now
    refused = connect(server).ask(get("/a"))
    assert refused.status == 503
    assert int(refused.headers["retry-after"]) >= 1
    release.set()
    assert [client.answer().status for client in clients] == [200, 200, 200]
    assert connect(server).ask(get("/a")).status == 200


# -- handlers that change


def test_a_new_handler_answers_the_next_request_and_the_old_one_those_under_way(serve: Serve, connect: Connect) -> None:
    gate = Gate()
    app = application({"GET /a": gate})
    server = serve(app)
    client, other = connect(server), connect(server)
    client.send(get("/a"))
    gate.wait()
    app.register("GET /a", inline(lambda: "new"))
    assert other.ask(get("/a")).body == b'"new"'
    gate.release("old")
    assert client.answer().body == b'"old"'
    assert client.ask(get("/a")).body == b'"new"'


@pytest.fixture
def swapper() -> Iterator[Callable[[App], None]]:
    """Replaces a handler again and again until the end of the test."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def swap(app: App) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            app.register("GET /a", KINDS[number % len(KINDS)](lambda: "x"))

    def start(app: App) -> None:
        threads.append(threading.Thread(target=swap, args=(app,)))
        threads[-1].start()

    yield start
    stop.set()
    for each in threads:
        each.join()


def test_no_request_fails_while_handlers_are_replaced(
    serve: Serve, connect: Connect, swapper: Callable[[App], None]
) -> None:
    app = application({"GET /a": inline(lambda: "x")})
    client = connect(serve(app))
    swapper(app)
    for _ in range(200):
        assert client.ask(get("/a")).body == b'"x"'
