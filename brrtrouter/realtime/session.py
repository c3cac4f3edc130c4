"""`Session`: the WebSocket protocol on a connection of our own server (RFC 6455 sections 5 to 7).

Frames are read and written by wsproto, which judges text octet by octet, so that a wrong one ends the connection
before its message does.  Here are the limits, the order of the end, and the flow: no more is read while messages wait.

An end that the peer brings about is answered when the handler has taken what came before, so that it can still answer
that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, cast

from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from brrtrouter.config import WebSocketSettings
from brrtrouter.core.connection import ClientGone, Connection
from brrtrouter.realtime.registry import Open
from brrtrouter.realtime.websocket import ConnectionClosed, WebSocket, clipped

if TYPE_CHECKING:
    from wsproto.extensions import Extension
    from wsproto.frame_protocol import Frame

# A compressed octet may become a thousand: so many are decompressed before the limits are looked at again.
_SLICE: Final = 4096

Handler = Callable[[WebSocket], Awaitable[Any]]


class Session:
    """One WebSocket on one connection; the `body` of an answer with the status 101.

    extensions: of wsproto, agreed on.  failed: called while an exception of the handler is being handled.
    """

    def __init__(
        self,
        settings: WebSocketSettings,
        handler: Handler,
        opened: Open,
        failed: Callable[[], None],
        extensions: list[Extension],
    ) -> None:
        self.socket: WebSocket
        self._settings = settings
        self._handler = handler
        self._opened = opened
        self._failed = failed
        self._frames = FrameProtocol(False, extensions)
        self._slice = _SLICE if extensions else 1 << 20
        self._connection: Connection | None = None
        self._task: asyncio.Task[Any] | None = None
        self._loop: asyncio.AbstractEventLoop
        self._backlog = b""  # that was received and not read yet
        self._pieces: list[Any] | None = None  # of the message that is being read
        self._text = False
        self._size = self._frame_size = self._fragments = 0
        self._room: asyncio.Event | None = None  # while the peer reads too slowly
        self._choked = False  # no more is read before the peer reads
        self._deaf = False  # what still comes says nothing, until the peer closes
        self._peer_closed = False
        self._close_sent = False
        self._cancelled = False
        self._pending: tuple[int, str] | None = None  # the Close that is to be sent once the handler has caught up
        self._over: asyncio.Future[None] | None = None  # somebody waits for the peer's Close
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._pings = 0

    # -- what the connection calls

    async def run(self, connection: Connection, data: bytes) -> None:
        """Speak until the handler is done and the connection may end.  data: what came behind the handshake."""
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._opened.add(self, self._loop, prompt=True)
        self._set("ping", self._settings.ping_interval, self._beat)
        if data:
            self.received(data)
        try:
            await self._serve()
        finally:
            self._opened.discard(self)
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()
            self._connection = self._task = None
            self.socket.finish(1006)

    async def _serve(self) -> None:
        code = 1000
        try:
            await self._handler(self.socket)
        except ConnectionClosed:
            pass
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
        except Exception:
            self._failed()
            code = 1011
        if self._cancelled and (uncancel := getattr(self._task, "uncancel", None)) is not None:
            uncancel()
        await self._leave(code, "")

    def received(self, data: bytes) -> None:
        """Octets of the peer."""
        if self._peer_closed or self._connection is None:
            return
        self._backlog = self._backlog + data if self._backlog else data
        self._pump()

    def writable(self) -> None:
        """The peer has read."""
        if self._room is not None:
            self._room.set()
            self._room = None
        if self._choked:
            self._choked = False
            self._pump()

    def lost(self) -> None:
        """The connection is gone; the handler is told, and cancelled when it does not mind."""
        self._peer_closed = self._close_sent = True
        self._connection = None
        self._backlog = b""
        self.socket.finish(1006)
        if self._room is not None:
            self._room.set()
        self._agree()
        self._set("cancel", self._settings.close_wait, self._cancel)

    # -- reading

    @property
    def _full(self) -> bool:
        return not self._deaf and self.socket.waiting_messages >= self._settings.queue

    def _pump(self) -> None:
        """Read frames until there are none, the handler has enough, or the end."""
        at, data = 0, self._backlog
        while self._read_frames() and at < len(data):
            self._frames.receive_bytes(data[at : at + self._slice])
            at += self._slice
        self._backlog = b"" if self._peer_closed else data[at:]
        if self._connection is None:
            return
        if self._full or self._choked:
            self._connection.stop_reading()
        else:
            self._connection.body_taken()

    def _read_frames(self) -> bool:
        """Whether more can be read."""
        if self._full or self._choked or self._peer_closed:
            return False
        try:
            for frame in self._frames.received_frames():
                _TAKE[frame.opcode](self, frame)
                if self._full or self._choked or self._peer_closed:
                    return False
        except ParseFailed as error:
            self._fail(int(error.code), str(error))
            return False
        return True

    def _take_data(self, frame: Frame) -> None:
        if self._deaf:
            return
        if self._pieces is None:
            self._pieces = []
            self._text = frame.opcode is Opcode.TEXT
            self._size = self._frame_size = self._fragments = 0
        settings, piece = self._settings, frame.payload
        size = len(piece.encode()) if isinstance(piece, str) else len(piece)
        self._size += size
        self._frame_size += size
        if self._frame_size > settings.frame:
            self._fail(1009, f"a frame has more than {settings.frame} bytes")
        elif self._size > settings.message:
            self._fail(1009, f"a message has more than {settings.message} bytes")
        elif self._fragments >= settings.fragments:
            self._fail(1009, f"a message has more than {settings.fragments} fragments")
        else:
            self._pieces.append(piece)
            if frame.frame_finished:
                self._frame_size = 0
                self._fragments += 1
            if frame.message_finished:
                empty: Any = "" if self._text else b""
                whole = empty.join(self._pieces)
                self._pieces = None
                self.socket.deliver(whole)

    def _take_ping(self, frame: Frame) -> None:
        if not self._close_sent and self._write(bytes(self._frames.pong(cast("bytes", frame.payload)))):
            self._choked = True  # else pongs that nobody reads would gather

    def _take_pong(self, frame: Frame) -> None:
        if frame.payload == str(self._pings).encode():
            self._unset("pong")

    def _take_close(self, frame: Frame) -> None:
        code, reason = cast("tuple[int, str]", frame.payload)
        self._peer_closed = True
        self.socket.finish(int(code), reason)
        self._agree()
        if not self._close_sent:
            # 1005 stands for a Close without a code, and is answered in kind.
            self._schedule_close(int(code), "")

    # -- the end

    def _fail(self, code: int, reason: str) -> None:
        """The peer breaks the rules: read no more, and say so once the handler has answered what came before."""
        self._peer_closed = True
        self._pieces = None
        self.socket.finish(code, reason)
        self._agree()
        if not self._close_sent:
            self._schedule_close(code, clipped(reason))

    def _schedule_close(self, code: int, reason: str) -> None:
        self._pending = (code, reason)
        if not self.socket.reads and not self.socket.waiting_messages:
            self._send_pending()  # a handler that only sends has nothing to catch up with
        else:
            self._set("close", self._settings.close_wait, self._send_pending)

    def _send_pending(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            self._send_close(*pending)

    def _send_close(self, code: int, reason: str) -> None:
        """Send Close, once; what the handler does from now on has its time."""
        if self._close_sent:
            return
        self._write(bytes(self._frames.close(None if code == 1005 else code, reason or None)))
        self._close_sent = True
        self._unset("ping")
        self._unset("close")
        self._set("cancel", self._settings.close_wait, self._cancel)

    async def _leave(self, code: int, reason: str) -> None:
        """Close on our side, if that is still to be done, and wait for the peer, but not for long."""
        self._send_pending()
        self._send_close(code, reason)
        self._unset("cancel")
        self.socket.finish(code, reason)
        self._deafen()
        if self._peer_closed:
            return
        self._over = self._loop.create_future()
        self._set("over", self._settings.close_wait, self._give_up)
        await self._over
        self._unset("over")

    def _deafen(self) -> None:
        """Messages that still come are for nobody: read on, to find the Close behind them."""
        self._deaf = True
        self._pieces = None
        self.socket.drop()
        if not self._peer_closed:
            self._pump()

    def _agree(self) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def _give_up(self) -> None:
        self._peer_closed = True
        self._agree()

    def _cancel(self) -> None:
        """The handler goes on although nobody hears it."""
        if self._task is not None:
            self._cancelled = True
            self._task.cancel()

    def end(self) -> None:
        """The server goes away."""
        self.reject(1001, "the server goes away")

    # -- what the WebSocket calls

    def reject(self, code: int, reason: str) -> None:
        """End it now, whatever the handler does; the peer's Close is still waited for."""
        self.socket.finish(code, reason)
        self._pending = None
        self._send_close(code, reason)
        self._deafen()

    def taken(self) -> None:
        """The handler has room for a message."""
        if self._connection is not None and self.socket.waiting_messages == self._settings.queue - 1:
            self._pump()

    def at_end(self) -> None:
        """The handler has caught up."""
        self._send_pending()

    async def send_data(self, data: str | bytes) -> None:
        """Send one message; waits for room before and after.  Raises ConnectionClosed."""
        while self._room is not None and not self._close_sent:
            await self._room.wait()
        if self._close_sent or self._connection is None:
            raise ConnectionClosed(self.socket.close_code or 1006, self.socket.close_reason)
        if self._write(bytes(self._frames.send_data(data))):
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()

    async def close(self, code: int, reason: str) -> None:
        """Close; the handler may go on for a moment."""
        if not self._close_sent:
            await self._leave(code, reason)
            self._set("cancel", self._settings.close_wait, self._cancel)

    def _write(self, data: bytes) -> bool:
        """Write; whether the peer reads too slowly."""
        if self._connection is None:
            return False
        try:
            return self._connection.write_soon(data)
        except ClientGone:
            return False

    # -- time

    def _set(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        self._unset(name)
        if seconds:
            self._timers[name] = self._loop.call_later(seconds, act)

    def _unset(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _beat(self) -> None:
        """Ask whether the peer is there, unless what it says would not be read anyway."""
        self._set("ping", self._settings.ping_interval, self._beat)
        if self._full or self._choked or self._room is not None or "pong" in self._timers:
            return
        self._pings += 1
        self._write(bytes(self._frames.ping(str(self._pings).encode())))
        self._set("pong", self._settings.ping_timeout, self._overdue)

    def _overdue(self) -> None:
        self._unset("pong")
        if self._full or self._choked:  # it may have answered: we have not read
            return
        self._fail(1011, "no answer to a ping")
        self._send_pending()


_TAKE: Final[dict[Opcode, Callable[[Session, Frame], None]]] = {
    Opcode.TEXT: Session._take_data,
    Opcode.BINARY: Session._take_data,
    Opcode.CONTINUATION: Session._take_data,
    Opcode.PING: Session._take_ping,
    Opcode.PONG: Session._take_pong,
    Opcode.CLOSE: Session._take_close,
}
