"""`WebSocket`: what a handler holds of one, whoever speaks the protocol (RFC 6455)."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

from brrtrouter import jsontext
from brrtrouter.core.request import Request

if TYPE_CHECKING:
    from brrtrouter.spec.schema import Schema

NORMAL: Final = frozenset({1000, 1001, 1005})  # ends that are no failure
LONGEST_REASON: Final = 123  # bytes, so that a Close frame has at most 125


class ConnectionClosed(Exception):
    """The WebSocket has ended.  code: as in RFC 6455 section 7.4, 1006 when it broke off.  reason: said with it."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code = code
        self.reason = reason


class Link(Protocol):
    """What speaks the protocol."""

    async def send_data(self, data: str | bytes) -> None:
        """Send one message and wait while the peer reads slowly.  Raises ConnectionClosed."""

    async def close(self, code: int, reason: str) -> None:
        """Close and wait for the peer to do so, within the time for that."""

    def taken(self) -> None:
        """The handler has taken a message."""

    def at_end(self) -> None:
        """The handler has taken every message that came before the end."""

    def reject(self, code: int, reason: str) -> None:
        """The handler's side does not accept a message."""


def may_be_sent(code: int) -> bool:
    """Whether an endpoint may send a close code (RFC 6455 section 7.4, and what IANA has registered since)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def clipped(reason: str) -> str:
    """A reason that fits into a Close frame."""
    return reason.encode("utf-8", "replace")[:LONGEST_REASON].decode("utf-8", "ignore")


class WebSocket:
    """An open WebSocket.

        async def chat(ws):
            async for message in ws:
                await ws.send(message)

    A text message is a `str`, a binary one is `bytes`.  Where the operation has a schema for a direction
    (`x-websocket-messages`), messages are JSON values that satisfy it, in text.

    request: the one that has opened it, with parameters, headers and `auth`.  subprotocol: what was agreed on, or None.
    """

    def __init__(
        self,
        request: Request,
        link: Link,
        subprotocol: str | None = None,
        receives: Schema | None = None,
        sends: Schema | None = None,
    ) -> None:
        self.request = request
        self.subprotocol = subprotocol
        self.reads = False  # whether the handler has ever asked for a message
        self._link = link
        self._receives = receives
        self._sends = sends
        self._inbox: deque[str | bytes] | None = None  # few sockets ever have one
        self._waiting: asyncio.Future[None] | None = None
        self._end: tuple[int, str] | None = None

    @property
    def closed(self) -> bool:
        """Whether the end is known, though messages from before may still be there to receive."""
        return self._end is not None

    @property
    def close_code(self) -> int | None:
        """Why it has ended; None while it has not."""
        return None if self._end is None else self._end[0]

    @property
    def close_reason(self) -> str:
        """What was said at the end."""
        return "" if self._end is None else self._end[1]

    def __aiter__(self) -> WebSocket:
        return self

    async def __anext__(self) -> Any:
        """The next message; the iteration ends with the WebSocket, by ConnectionClosed if that was no good end."""
        try:
            return await self.receive()
        except ConnectionClosed as error:
            if error.code in NORMAL:
                raise StopAsyncIteration from None
            raise

    async def receive(self) -> Any:
        """The next message.  Raises ConnectionClosed once there are no more."""
        self.reads = True
        if self._waiting is not None:
            raise RuntimeError("another task receives from this WebSocket already")
        while not self._inbox:
            if self._end is not None:
                self._link.at_end()
                raise ConnectionClosed(*self._end)
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        message = self._inbox.popleft()
        self._link.taken()
        return message if self._receives is None else self._accepted(message, self._receives)

    def _accepted(self, message: str | bytes, schema: Schema) -> Any:
        """A message as the value that the schema describes; another one ends the WebSocket."""
        try:
            if isinstance(message, bytes):
                raise ValueError("a binary message")
            value = jsontext.loads(message.encode())
        except ValueError:
            self._link.reject(1007, "the message is not JSON in text")
            raise ConnectionClosed(*(self._end or (1007, ""))) from None
        if not schema.is_valid(value):
            fault = schema.faults(value)[0]
            self._link.reject(1008, clipped(f"{fault.pointer or '/'}: {fault.message}"))
            raise ConnectionClosed(*(self._end or (1008, "")))
        return value

    async def send(self, message: Any) -> None:
        """Send a `str` as text, `bytes` as binary, anything else as JSON; waits while the peer reads slowly.

        Raises ConnectionClosed when it has ended, ValueError for what the schema of the operation does not accept.
        """
        if self._sends is not None:
            if not self._sends.is_valid(message):
                fault = self._sends.faults(message)[0]
                raise ValueError(f"the message is not as described: {fault.pointer or '/'}: {fault.message}")
            message = jsontext.dumps(message).decode()
        elif isinstance(message, bytearray | memoryview):
            message = bytes(message)
        elif not isinstance(message, str | bytes):
            message = jsontext.dumps(message).decode()
        await self._link.send_data(message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it, and wait for the peer to agree; nothing when it has ended already.

        Raises ValueError for a code that may not be sent, and a reason of more than 123 bytes.
        """
        if not may_be_sent(code):
            raise ValueError(f"{code} is no close code that may be sent")
        if len(reason.encode()) > LONGEST_REASON:
            raise ValueError(f"the reason has more than {LONGEST_REASON} bytes")
        await self._link.close(code, reason)

    # -- for what speaks the protocol

    @property
    def waiting_messages(self) -> int:
        """How many messages wait for the handler."""
        return len(self._inbox or ())

    def deliver(self, message: str | bytes) -> None:
        """A message has come."""
        if self._inbox is None:
            self._inbox = deque()
        self._inbox.append(message)
        self._wake()

    def finish(self, code: int, reason: str = "") -> None:
        """It has ended; only the first end counts."""
        if self._end is None:
            self._end = (code, reason)
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def drop(self) -> None:
        """Forget messages that nobody is to receive any more."""
        self._inbox = None


def websocket_of(request: Request) -> WebSocket:
    """The WebSocket that a request has opened.  Raises LookupError when it has opened none."""
    found: WebSocket = request.state[WebSocket]
    return found
