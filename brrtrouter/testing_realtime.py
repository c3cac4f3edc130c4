"""Clients of event streams and WebSockets without a socket, for `brrtrouter.testing.TestClient`."""

from __future__ import annotations

import asyncio
import base64
import os
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar, cast

from wsproto.frame_protocol import FrameProtocol, Opcode

from brrtrouter import jsontext
from brrtrouter.core.protocol import HttpProtocol
from brrtrouter.core.sequential import read_events
from brrtrouter.realtime.handshake import accept_key
from brrtrouter.realtime.websocket import ConnectionClosed

T = TypeVar("T")
Run = Callable[[Awaitable[T]], T]


class AsyncTestWebSocket:
    """The client's end of a WebSocket, for tests that run in the event loop of the application."""

    def __init__(self, protocol: HttpProtocol, transport: Any, head: bytes) -> None:
        self._protocol = protocol
        self._transport = transport
        self._frames = FrameProtocol(True, [])
        self._frames.receive_bytes(head)
        self._messages: deque[str | bytes] = deque()
        self._pieces: list[Any] = []
        self._close_sent = False
        self.close_code: int | None = None
        self.close_reason = ""
        self.subprotocol: str | None = None

    async def send(self, message: Any) -> None:
        """Send a `str` as text, `bytes` as binary, anything else as JSON."""
        if not isinstance(message, str | bytes):
            message = jsontext.dumps(message).decode()
        self._give(bytes(self._frames.send_data(message)))

    async def receive(self) -> str | bytes:
        """The next message.  Raises ConnectionClosed when the server has closed."""
        while not self._messages:
            self._read()
            if self._messages:
                break
            if self.close_code is not None:
                raise ConnectionClosed(self.close_code, self.close_reason)
            if self._transport.closed:
                self.close_code = 1006
                continue
            self._transport.changed.clear()
            await self._transport.changed.wait()
        return self._messages.popleft()

    async def receive_json(self) -> Any:
        """The next message as JSON."""
        message = await self.receive()
        return jsontext.loads(message.encode() if isinstance(message, str) else message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close, and wait until the server has done so."""
        self._send_close(code, reason)
        while not self._transport.closed:
            self._transport.changed.clear()
            await self._transport.changed.wait()
        self._read()

    def _send_close(self, code: int | None, reason: str = "") -> None:
        if not self._close_sent and not self._transport.closed:
            self._close_sent = True
            self._give(bytes(self._frames.close(code, reason or None)))

    def _give(self, data: bytes) -> None:
        if self._transport.closed:
            raise ConnectionClosed(self.close_code or 1006, self.close_reason)
        self._protocol.data_received(data)

    def _read(self) -> None:
        data = bytes(self._transport.received)
        self._transport.received.clear()
        self._frames.receive_bytes(data)
        for frame in self._frames.received_frames():
            if frame.opcode is Opcode.PING:
                self._give(bytes(self._frames.pong(cast("bytes", frame.payload))))
            elif frame.opcode is Opcode.CLOSE:
                code, self.close_reason = cast("tuple[int, str]", frame.payload)
                self.close_code = int(code)
                self._send_close(None if self.close_code == 1005 else self.close_code)
            elif frame.opcode is not Opcode.PONG:
                self._pieces.append(frame.payload)
                if frame.message_finished:
                    empty: Any = "" if isinstance(frame.payload, str) else b""
                    self._messages.append(empty.join(self._pieces))
                    self._pieces.clear()


class TestWebSocket:
    """The client's end of a WebSocket; a context manager that closes it."""

    __test__ = False

    def __init__(self, socket: AsyncTestWebSocket, run: Run[Any]) -> None:
        self._socket = socket
        self._run = run

    @property
    def subprotocol(self) -> str | None:
        """What was agreed on."""
        return self._socket.subprotocol

    @property
    def close_code(self) -> int | None:
        """The code that the server has closed with."""
        return self._socket.close_code

    @property
    def close_reason(self) -> str:
        """The reason that it has closed with."""
        return self._socket.close_reason

    def send(self, message: Any) -> None:
        """Send a `str` as text, `bytes` as binary, anything else as JSON."""
        self._run(self._socket.send(message))

    def receive(self) -> str | bytes:
        """The next message.  Raises ConnectionClosed when the server has closed."""
        message: str | bytes = self._run(self._socket.receive())
        return message

    def receive_json(self) -> Any:
        """The next message as JSON."""
        return self._run(self._socket.receive_json())

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close, and wait until the server has done so."""
        self._run(self._socket.close(code, reason))

    def __enter__(self) -> TestWebSocket:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def opening(fields: list[tuple[str, str]], subprotocols: tuple[str, ...]) -> tuple[list[tuple[str, str]], str]:
    """(header fields of a handshake, what the server has to accept it with)."""
    key = base64.b64encode(os.urandom(16)).decode()
    fields += [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", key),
    ]
    if subprotocols:
        fields.append(("Sec-WebSocket-Protocol", ", ".join(subprotocols)))
    return fields, accept_key(key)


class TestEvents:
    """An iterator over the events of a stream, each a dict with `data` and perhaps `event`, `id`, `retry`.

    A context manager: at its end the client goes away.  `status` and `headers` are those of the answer.
    """

    __test__ = False

    def __init__(self, status: int, headers: dict[str, str], pieces: Callable[[], bytes], close: Callable[[], None]):
        self.status = status
        self.headers = headers
        self._pieces = pieces
        self._close = close
        self._rest = b""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while True:
            while b"\n\n" in self._rest:
                block, _, self._rest = self._rest.partition(b"\n\n")
                yield from read_events(block.decode() + "\n\n")
            piece = self._pieces()
            if not piece:
                return
            self._rest += piece

    def __enter__(self) -> TestEvents:
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()


async def until(transport: Any, done: Callable[[], bool]) -> None:
    """Wait until what a transport has received is enough, or the server has closed."""
    while not done() and not transport.closed:
        transport.changed.clear()
        await transport.changed.wait()


async def settle() -> None:
    """Let what the end of a connection has set in motion happen."""
    for _ in range(5):
        await asyncio.sleep(0)
