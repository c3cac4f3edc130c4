"""Types of exchange.pyx."""

from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator
from typing import Any, Protocol, TypeAlias

from brrtrouter.core.peer import Peer
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response
from brrtrouter.core.service import Service

_Fields: TypeAlias = list[tuple[bytes, bytes]]
_Parts: TypeAlias = tuple[int, _Fields, bytes | AsyncIterator[bytes | str]]

class _Source(Protocol):
    def body_wanted(self) -> None: ...
    def body_taken(self) -> None: ...

class Exchange:
    """One request that another server has taken from the network, and its answer in parts."""

    def __init__(
        self, service: Service, method: bytes, target: bytes, minor: bool, fields: _Fields, peer: Peer | None
    ) -> None: ...
    @property
    def request(self) -> Request:
        """The request; it is empty when its head was refused."""
    @property
    def refusal(self) -> Response | None:
        """What is answered in place of a walk."""
    @property
    def body_limit(self) -> int: ...
    @property
    def has_body(self) -> bool:
        """Whether the head says that a body follows, in the words of HTTP/1.1."""
    @property
    def streams(self) -> bool:
        """Whether the handler starts before the body is read."""
    @property
    def takes_body(self) -> bool:
        """Whether an operation was found; without one nobody reads a body."""
    @property
    def suspended(self) -> bool:
        """Whether the result of `walk` is a coroutine that is to be awaited."""
    def too_large(self) -> Response:
        """The answer when more than `body_limit` bytes came."""
    def set_body(self, body: bytes | None) -> None:
        """The whole body; None when there is none."""
    def open_stream(self, loop: AbstractEventLoop, source: _Source) -> None:
        """Let the handler read the body in pieces; `source.body_wanted()` is called when it waits for one."""
    def feed(self, data: bytes) -> bool:
        """One more piece; False when that is more than the limit, which the handler is told."""
    def end_stream(self) -> None:
        """There are no more pieces."""
    def fail(self, slug: str, detail: str) -> None:
        """The rest of the body will not come."""
    def walk(self) -> Any:
        """Walk the request; its result, or with `suspended` a coroutine for it."""
    def failure(self) -> Response:
        """The answer for an exception that is being handled, which is logged."""
    def log_error(self) -> None:
        """Log the exception that is being handled."""
    async def respond(self, result: Any) -> _Parts:
        """(status, header fields, body) of a result; the body is bytes, or an asynchronous iterator."""
    def ended(self, sent: int) -> None:
        """Nothing is left to do for the request, after so many bytes of a stream; told once or more often."""
