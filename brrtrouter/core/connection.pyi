"""Types of connection.pyx."""

import asyncio

from brrtrouter.core.peer import Peer
from brrtrouter.core.service import Service

class ClientGone(Exception):
    """The client has closed the connection."""

class Endpoint:
    """What all connections of one listener share."""

    service: Service
    draining: bool
    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None: ...
    @property
    def connections(self) -> set[Connection]: ...
    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...
    def drain(self, drained: asyncio.Future[None]) -> None:
        """Let every connection end after the answers that are under way; `drained` is set after the last."""

    def forget(self, connection: Connection | None) -> None:
        """A connection is gone."""

    def peer(self, transport: asyncio.BaseTransport) -> Peer:
        """The Peer that the requests of a new connection come from."""

    def abort(self) -> None:
        """Cut every connection."""

class Connection(asyncio.Protocol):
    """What a connection does with the requests that were read from it."""

    def drain(self) -> None:
        """End now when idle, else with the answer that is under way."""

    def cut(self) -> None:
        """Close at once, without sending what is buffered."""
