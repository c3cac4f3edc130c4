"""Types of connection.pyx."""

import asyncio

from brrtrouter.core.clock import Clock, Watched
from brrtrouter.core.peer import Peer

class ClientGone(Exception):
    """The client has closed the connection."""

class Endpoint(Clock):
    """What all connections of one listener share."""

    draining: bool
    @property
    def connections(self) -> set[Connection]: ...
    def drain(self, drained: asyncio.Future[None]) -> None:
        """Let every connection end after the answers that are under way; `drained` is set after the last."""

    def forget(self, connection: Connection | None) -> None:
        """A connection is gone."""

    def peer(self, transport: asyncio.BaseTransport, known: Peer | None = None) -> Peer:
        """The Peer that the requests of a new connection come from; `known` is what its protocol was made with."""

    def abort(self) -> None:
        """Cut every connection."""

class Connection(Watched, asyncio.Protocol):
    """What a connection does with the requests that were read from it."""

    direct_bytes: int
    """How many bytes were sent past the transport."""
    async def write_now(self, data: bytes) -> None:
        """Write and wait while the client reads too slowly.  Raises ClientGone when nobody reads any more."""

    def write_soon(self, data: bytes) -> bool:
        """Write; whether the client reads too slowly.  Raises ClientGone when nobody reads any more."""

    async def until_woken(self) -> None:
        """Wait until more may be written.  Raises ClientGone."""

    def stop_reading(self) -> None:
        """Let what comes wait in the system, until `body_taken`."""

    def body_taken(self) -> None:
        """Read on."""

    async def own_socket(self) -> int | None:
        """A duplicate of the socket, for the caller to close, once all bytes before are out.

        None where bytes have to go through the transport: with TLS, and in memory.  Raises ClientGone.
        """

    async def until_writable(self, descriptor: int) -> None:
        """Wait until the socket of `own_socket` has room.  Raises ClientGone."""

    async def next_turn(self) -> None:
        """Let other connections have their turn.  Raises ClientGone when this one has ended meanwhile."""

    def drain(self) -> None:
        """End now when idle, else with the answer that is under way."""

    def cut(self) -> None:
        """Close at once, without sending what is buffered."""
