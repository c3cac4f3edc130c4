"""A client of WebSockets that sends what it is told, octet by octet if need be."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from wire import TIMEOUT

from brrtrouter import App
from brrtrouter.testing import running

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 section 1.3


def description(path: str = "/chat", **extensions: Any) -> dict[str, Any]:
    """A description with one WebSocket."""
    operation = {"operationId": "chat", "x-websocket": True, "responses": {"101": {"description": "d"}}, **extensions}
    return {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {path: {"get": operation}}}


async def echo(ws: Any) -> None:
    """Send back whatever comes."""
    async for message in ws:
        await ws.send(message)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """One frame of a client."""
    head = bytes([(fin << 7) | (rsv << 4) | opcode])
    size = len(payload)
    bit = masked << 7
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    if not masked:
        return head + payload
    mask = b"\x11\x22\x33\x44"
    return head + mask + bytes(octet ^ mask[at % 4] for at, octet in enumerate(payload))


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    """A Close frame."""
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason)


def handshake(path: str = "/chat", fields: Mapping[str, str | None] | None = None, version: str = "1.1") -> bytes:
    """The opening of a WebSocket; a field that is None is left out."""
    usual: dict[str, str | None] = {
        "Host": "a",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**usual, **(fields or {})}.items() if value is not None)
    return f"GET {path} HTTP/{version}\r\n{lines}\r\n".encode()


class Raw:
    """A connection whose frames are read one by one."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(TIMEOUT)
        self.rest = b""

    def send(self, data: bytes, *, single: bool = False) -> None:
        """Send, `single`: each octet on its own; a server that has closed meanwhile is none of our business."""
        try:
            for piece in (data[at : at + 1] for at in range(len(data))) if single else (data,):
                self.sock.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _take(self, size: int) -> bytes:
        while len(self.rest) < size:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self.rest += data
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def head(self) -> str:
        """The head of an answer."""
        while b"\r\n\r\n" not in self.rest:
            data = self.sock.recv(65536)
            assert data, self.rest
            self.rest += data
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        return head.decode()

    def frame(self) -> tuple[int, bytes, int]:
        """(opcode, payload, the bits before the opcode) of the next frame; EOFError at the end."""
        first, second = self._take(2)
        assert not second & 0x80, "a server masks nothing"
        size = second
        if size > 125:
            size = struct.unpack("!H" if size == 126 else "!Q", self._take(2 if size == 126 else 8))[0]
        return first & 15, self._take(size), first >> 4

    def frames(self) -> list[tuple[int, bytes]]:
        """All frames up to the end of the connection, which is closed then."""
        found = []
        while True:
            try:
                opcode, payload, _ = self.frame()
            except (EOFError, ConnectionResetError):
                self.sock.close()
                return found
            found.append((opcode, payload))

    def until_close(self) -> tuple[list[tuple[int, bytes]], int | None]:
        """(the frames before Close, its code), then the end of the connection is waited for."""
        found = self.frames()
        assert found, "the connection ended without a frame"
        opcode, payload = found.pop()
        assert opcode == CLOSE, (found, opcode, payload)
        return found, struct.unpack("!H", payload[:2])[0] if payload else None


def open_raw(port: int, path: str = "/chat", fields: Mapping[str, str | None] | None = None, after: bytes = b"") -> Raw:
    """An open WebSocket; `after` is sent together with the handshake."""
    raw = Raw(socket.create_connection(("127.0.0.1", port), TIMEOUT))
    raw.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    raw.send(handshake(path, fields) + after)
    head = raw.head()
    assert head.startswith("HTTP/1.1 101 Switching Protocols\r\n"), head
    assert f"Sec-WebSocket-Accept: {ACCEPT}" in head
    return raw


def port_of(url: str) -> int:
    """The port of the URL of a server."""
    return int(url.rpartition(":")[2])


@contextmanager
def serving(handler: Any = echo, config: Any = None, **extensions: Any) -> Iterator[int]:
    """A server of one WebSocket; its port."""
    with running(App(description(**extensions), {"chat": handler}, config)) as server:
        yield port_of(server.url)
