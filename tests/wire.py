"""What the tests at the wire share: an application in a few lines, a blocking client, and a connection in memory."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from brrtrouter import App
from brrtrouter.core.connection import Endpoint
from brrtrouter.core.protocol import HttpProtocol

TIMEOUT = 20.0  # a test that waits this long for bytes has failed
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) [ -~]*\r\n")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([^\x00-\x08\x0a-\x1f\x7f]*)\r\n")
GOOD = b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n"


def document(operations: Iterable[str], success: int = 200) -> dict[str, Any]:
    """A description whose operations are named by their text, "GET /a", with an optional body of bytes."""
    paths: dict[str, Any] = {}
    for name in operations:
        method, path = name.split(" ")
        operation = {"operationId": name, "responses": {str(success): {"description": "done"}}}
        if method in ("POST", "PUT", "PATCH"):
            operation["requestBody"] = {"content": {"application/octet-stream": {}}}
        paths.setdefault(path, {})[method.lower()] = operation
    return {"openapi": "3.1.0", "info": {"title": "wire", "version": "1"}, "paths": paths}


def application(
    handlers: Mapping[str, Callable[..., Any]],
    *,
    limits: Mapping[str, Any] | None = None,
    success: int = 200,
    **options: Any,
) -> App:
    """An application whose handlers are keyed by "GET /a"; "GET /good" is always there and runs on the event loop."""
    handlers = {"GET /good": good, **handlers}
    return App(document(handlers, success), handlers, {"limits": dict(limits or {})}, **options)


async def good(request: object) -> str:
    return "good"


class Gate:
    """A handler that answers when the test lets it: `wait` until a request is in, `release` lets the first one out."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.requests = 0
        self._waiting: deque[asyncio.Future[object]] = deque()

    async def __call__(self, request: object) -> object:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self.requests += 1
        self.entered.release()
        return await future

    def wait(self) -> None:
        """Wait until one more request is in."""
        assert self.entered.acquire(timeout=TIMEOUT), "no request reached the handler"

    def release(self, value: object = "released") -> None:
        future = self._waiting.popleft()
        future.get_loop().call_soon_threadsafe(future.set_result, value)


@dataclass
class Answer:
    """One message of the server as it was on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes
    raw: bytes

    @property
    def closes(self) -> bool:
        return self.headers.get("connection") == "close"


class _Recorder:
    """Reads from a stream and keeps what was read."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.raw = bytearray()

    def line(self) -> bytes:
        return self._keep(self.stream.readline())

    def exactly(self, size: int) -> bytes:
        data = self._keep(self.stream.read(size))
        assert len(data) == size, "the connection ended in the middle of a body"
        return data

    def rest(self) -> bytes:
        return self._keep(self.stream.read())

    def _keep(self, data: bytes) -> bytes:
        self.raw += data
        return data


def read_answer(stream: BinaryIO, method: str = "GET") -> Answer | None:
    """The next answer, None at the end.  Strict: everything outside of the grammar is an AssertionError."""
    source = _Recorder(stream)
    line = source.line()
    if not line:
        return None
    status_line = STATUS_LINE.fullmatch(line)
    assert status_line, line
    status = int(status_line[1])
    headers: dict[str, str] = {}
    while (line := source.line()) != b"\r\n":
        field = FIELD_LINE.fullmatch(line)
        assert field, line
        name = field[1].decode().lower()
        assert name not in ("content-length", "transfer-encoding", "connection", "date") or name not in headers, line
        headers[name] = field[2].decode("latin-1")
    assert "content-length" not in headers or "transfer-encoding" not in headers
    body = b""
    if status < 200 or status in (204, 304):
        assert "content-length" not in headers
        assert "transfer-encoding" not in headers
    elif method == "HEAD":
        pass
    elif "content-length" in headers:
        body = source.exactly(int(headers["content-length"]))
    elif "transfer-encoding" in headers:
        assert headers["transfer-encoding"] == "chunked"
        body = _chunks(source)
    else:
        assert headers["connection"] == "close"
        body = source.rest()
    return Answer(status, headers, body, bytes(source.raw))


def _chunks(source: _Recorder) -> bytes:
    body = bytearray()
    while True:
        line = source.line()
        assert re.fullmatch(rb"[0-9a-f]+\r\n", line), line
        size = int(line, 16)
        body += source.exactly(size)
        assert source.line() == b"\r\n"
        if size == 0:
            return bytes(body)


class Client:
    """A blocking connection to a server."""

    def __init__(self, url: str, *, receive_buffer: int | None = None) -> None:
        host, _, port = url.removeprefix("http://").rpartition(":")
        self.socket = socket.socket(socket.AF_INET6 if "[" in host else socket.AF_INET)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect((host.strip("[]"), int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, method: str = "GET") -> Answer:
        """The next answer, which must come."""
        answer = read_answer(self.stream, method)
        assert answer is not None, "the connection was closed without an answer"
        return answer

    def ask(self, data: bytes, method: str = "GET") -> Answer:
        self.send(data)
        return self.answer(method)

    def at_end(self) -> bool:
        """Whether the server closes without another byte."""
        return self.stream.read(1) == b""

    def finish(self) -> None:
        """Send no more."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.stream.close()
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class MemoryTransport(asyncio.Transport):
    """A transport that keeps what is written and takes nothing from a socket.

    `buffered` is what it pretends not to have sent yet.
    """

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written = b""
        self.reading = True
        self.finished = False
        self.aborted = False
        self.buffered = 0
        self.on_limits: Callable[[], None] = lambda: None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert type(data) is bytes, "uvloop copies everything else"
        assert not self.finished
        self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.finished = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high == 0 and self.buffered:
            self.on_limits()

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def is_closing(self) -> bool:
        return self.aborted

    def close(self) -> None:
        self.finished = self.aborted = True

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class MemoryConnection:
    """The protocol of the server over a MemoryTransport, on an event loop that runs when `turn` is called."""

    def __init__(self, app: App, loop: Any, endpoint: Endpoint | None = None) -> None:
        self.loop = loop
        self.transport = MemoryTransport()
        self.endpoint = endpoint or Endpoint(app.service, loop)
        self.protocol = HttpProtocol(self.endpoint)
        self.transport.on_limits = self.protocol.pause_writing
        self.protocol.connection_made(self.transport)

    def feed(self, data: bytes, step: int = 0) -> None:
        """Receive bytes, in pieces of `step` bytes; a transport does not deliver while reading is paused."""
        step = step or max(1, len(data))
        for at in range(0, len(data), step):
            while not self.transport.reading and not self.transport.finished:
                self.turn()
            if self.transport.aborted:
                break
            self.protocol.data_received(data[at : at + step])

    def turn(self) -> None:
        """Run what the event loop has to do now."""
        self.loop.run_until_complete(asyncio.sleep(0))

    def close(self) -> None:
        self.protocol.connection_lost(None)
