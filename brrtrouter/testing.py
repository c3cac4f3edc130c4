"""Tools for tests of applications: a client without sockets, and a server that is ready when you get it.

`TestClient` drives the very protocol that serves sockets, so a test sees the same bytes: head parsing, limits, routing,
validation, encoding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from weakref import finalize

import httptools
import orjson
import uvloop

from brrtrouter import jsontext
from brrtrouter.app import App
from brrtrouter.core.connection import Endpoint
from brrtrouter.core.protocol import HttpProtocol
from brrtrouter.core.request import Headers
from brrtrouter.server.handle import Server

if TYPE_CHECKING:
    from brrtrouter.testing_realtime import TestEvents, TestWebSocket

Fields = Mapping[str, str] | Sequence[tuple[str, str]]


class TestResponse:
    """What came back: `status`, `reason`, `headers` (any case), `content`, and the raw bytes as `raw`."""

    __test__ = False

    def __init__(self, raw: bytes, method: str) -> None:
        self.raw = raw
        self.headers = Headers()
        self.reason = ""
        self.content = b""
        self.complete = False
        parser = httptools.HttpResponseParser(self)
        raw = _final(raw)
        head = method == "HEAD"
        # A parser of responses cannot know that a request was HEAD: there the body ends with the head.
        parser.feed_data(raw[: raw.index(b"\r\n\r\n") + 4] if head else raw)
        self.status: int = parser.get_status_code()
        self.http_version: str = parser.get_http_version()
        self.complete = self.complete or head

    def on_status(self, reason: bytes) -> None:
        self.reason += reason.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_body(self, data: bytes) -> None:
        self.content += data

    def on_message_complete(self) -> None:
        self.complete = True

    @property
    def text(self) -> str:
        """The body as UTF-8 text."""
        return self.content.decode()

    def json(self) -> Any:
        """The body as JSON, integers of any size exact."""
        return jsontext.loads(self.content)

    def __repr__(self) -> str:
        return f"<TestResponse {self.status}>"


class _Transport(asyncio.Transport):
    """The end of a connection that exists only in memory."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 0)})
        self.received = bytearray()
        self.closed = False
        self.changed = asyncio.Event()
        self.protocol: HttpProtocol | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.received += data
        self.changed.set()

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            self.changed.set()
            if self.protocol is not None:
                asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class TestClient:
    """Sends requests to an application without a socket.

        client = TestClient(App("openapi.yaml", handlers="mypkg.handlers"))
        assert client.get("/pets", params={"limit": 2}).json() == [...]

    Every request has a connection of its own.  `headers` are sent with each request.  It may be used as a context
    manager and closes the application's threads at the end.
    """

    __test__ = False

    def __init__(self, app: App, *, headers: Fields = (), timeout: float = 30.0) -> None:
        self.app = app
        self.timeout = timeout
        self._headers = _pairs(headers)
        self._loop = uvloop.new_event_loop()
        # A client that nobody closes gives its file descriptors back when it is collected.
        finalize(self, self._loop.close)
        self._started = False

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
        headers: Fields = (),
        json: Any = None,
        content: bytes | str | None = None,
        cookies: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """Send one request.  `path` is sent as it is; `params` are added to it; `json` sets the Content-Type too."""
        if params:
            path += ("&" if "?" in path else "?") + urlencode(params, doseq=True)
        fields = self._fields(headers)
        body = content.encode() if isinstance(content, str) else content
        if json is not None:
            body = orjson.dumps(json)
            if not any(name.lower() == "content-type" for name, _ in fields):
                fields.append(("Content-Type", "application/json"))
        if cookies:
            fields.append(("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items())))
        if body is not None:
            fields.append(("Content-Length", str(len(body))))
        return TestResponse(self.send(_head(method, path, fields) + (body or b""), method), method)

    def _fields(self, headers: Fields) -> list[tuple[str, str]]:
        fields = [*self._headers, *_pairs(headers)]
        if not any(name.lower() == "host" for name, _ in fields):
            fields.insert(0, ("Host", "testserver"))
        return fields

    def _run(self, work: Any) -> Any:
        return self._loop.run_until_complete(asyncio.wait_for(work, self.timeout))

    def websocket(self, path: str, *, headers: Fields = (), subprotocols: Sequence[str] = ()) -> TestWebSocket:
        """Open a WebSocket, a context manager that closes it.

            with client.websocket("/chat") as ws:
                ws.send("hello")
                assert ws.receive() == "hello"

        Raises HandshakeRefused with the answer where the server opens none.
        """
        from brrtrouter.testing_realtime import AsyncTestWebSocket, TestWebSocket, opening

        fields, accept = opening(self._fields(headers), tuple(subprotocols))
        protocol, transport = self._run(self._open(_head("GET", path, fields), b"\r\n\r\n"))
        raw = bytes(transport.received)
        head, _, rest = raw.partition(b"\r\n\r\n")
        lines = dict(line.partition(": ")[::2] for line in head.decode("latin-1").split("\r\n")[1:])
        if not head.startswith(b"HTTP/1.1 101 ") or lines.get("Sec-WebSocket-Accept") != accept:
            self._leave(protocol, transport)
            raise HandshakeRefused(TestResponse(raw, "GET"))
        transport.received.clear()
        socket = AsyncTestWebSocket(protocol, transport, rest)
        socket.subprotocol = lines.get("Sec-WebSocket-Protocol")
        return TestWebSocket(socket, self._run)

    def events(self, path: str, *, method: str = "GET", headers: Fields = ()) -> TestEvents:
        """Read an event stream while it comes: a context manager, and an iterator over dicts.

        with client.events("/ticks") as stream:
            assert next(iter(stream)) == {"data": "1"}
        """
        from brrtrouter.testing_realtime import TestEvents, until

        protocol, transport = self._run(self._open(_head(method, path, self._fields(headers)), b"\r\n\r\n"))
        answer = TestResponse(bytes(transport.received), method)
        seen = 0

        def pieces() -> bytes:
            nonlocal seen

            def body() -> bytes:
                return TestResponse(bytes(transport.received), method).content

            self._run(
                until(transport, lambda: len(body()) > seen or TestResponse(bytes(transport.received), method).complete)
            )
            piece = body()[seen:]
            seen += len(piece)
            return piece

        return TestEvents(answer.status, answer.headers, pieces, lambda: self._leave(protocol, transport))

    async def _open(self, data: bytes, enough: bytes) -> tuple[HttpProtocol, _Transport]:
        """A connection on which something was sent and `enough` has come back."""
        transport = await self._connect()
        assert transport.protocol is not None
        transport.protocol.data_received(data)
        while enough not in transport.received and not transport.closed:
            transport.changed.clear()
            await transport.changed.wait()
        return transport.protocol, transport

    def _leave(self, protocol: HttpProtocol, transport: _Transport) -> None:
        """The client goes away, and the server has its moment to see that."""
        from brrtrouter.testing_realtime import settle

        if not transport.closed:
            transport.closed = True
            protocol.connection_lost(None)
        self._run(settle())

    def send(self, data: bytes, method: str = "GET") -> bytes:
        """Send raw bytes on a fresh connection; everything the server sends until it has answered or closed."""
        return self._loop.run_until_complete(asyncio.wait_for(self._exchange(data, method), self.timeout))

    async def _connect(self) -> _Transport:
        if not self._started:
            await self.app.startup()
            self._started = True
        transport = _Transport()
        endpoint = Endpoint(self.app.service, asyncio.get_running_loop())
        transport.protocol = HttpProtocol(endpoint)
        transport.protocol.connection_made(transport)
        return transport

    async def _exchange(self, data: bytes, method: str) -> bytes:
        transport = await self._connect()
        protocol = transport.protocol
        assert protocol is not None
        try:
            protocol.data_received(data)
            while not transport.closed and not _answered(bytes(transport.received), method):
                transport.changed.clear()
                await transport.changed.wait()
        finally:
            if not transport.closed:
                transport.closed = True
                protocol.connection_lost(None)
        return bytes(transport.received)

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        """GET, with the arguments of `request`."""
        return self.request("GET", path, **kwargs)

    def head(self, path: str, **kwargs: Any) -> TestResponse:
        """HEAD, with the arguments of `request`."""
        return self.request("HEAD", path, **kwargs)

    def options(self, path: str, **kwargs: Any) -> TestResponse:
        """OPTIONS, with the arguments of `request`."""
        return self.request("OPTIONS", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> TestResponse:
        """POST, with the arguments of `request`."""
        return self.request("POST", path, **kwargs)

    def put(self, path: str, **kwargs: Any) -> TestResponse:
        """PUT, with the arguments of `request`."""
        return self.request("PUT", path, **kwargs)

    def patch(self, path: str, **kwargs: Any) -> TestResponse:
        """PATCH, with the arguments of `request`."""
        return self.request("PATCH", path, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> TestResponse:
        """DELETE, with the arguments of `request`."""
        return self.request("DELETE", path, **kwargs)

    def close(self) -> None:
        """Close the client's event loop and the application's threads."""
        self.app.close()
        if not self._loop.is_closed():
            self._loop.run_until_complete(self.app.shutdown())
            self._loop.run_until_complete(_end_tasks())
            self._loop.close()

    def __enter__(self) -> TestClient:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class HandshakeRefused(Exception):
    """The server has not opened a WebSocket; `response` is what it has answered."""

    def __init__(self, response: TestResponse) -> None:
        super().__init__(f"{response.status} {response.reason}")
        self.response = response


def _head(method: str, path: str, fields: list[tuple[str, str]]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1")


def _pairs(fields: Fields) -> list[tuple[str, str]]:
    return list(fields.items()) if isinstance(fields, Mapping) else list(fields)


def _answered(received: bytes, method: str) -> bool:
    """Whether the bytes hold a whole final answer."""
    return b"\r\n\r\n" in _final(received) and TestResponse(received, method).complete


def _final(received: bytes) -> bytes:
    """What follows the interim answers (RFC 9110 15.2)."""
    while received.startswith(b"HTTP/1.1 1") and b"\r\n\r\n" in received:
        received = received[received.index(b"\r\n\r\n") + 4 :]
    return received


async def _end_tasks() -> None:
    """Cancel what the handlers of cut requests still do."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


@contextmanager
def running(app: App, host: str = "127.0.0.1", port: int = 0) -> Iterator[Server]:
    """A real server on a free port, ready to answer; drained and stopped at the end.

    As a pytest fixture:

        @pytest.fixture(scope="session")
        def server():
            with running(App("openapi.yaml", handlers=handlers)) as server:
                yield server
    """
    server = app.start(host, port)
    try:
        yield server.wait_ready()
    finally:
        server.stop()
