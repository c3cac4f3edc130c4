"""How a server ends: what it still takes, what it still answers, and how long it waits for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum

from brrtrouter.core.connection import Connection, Endpoint
from brrtrouter.core.peer import Peer
from brrtrouter.core.service import Service


class Manner(Enum):
    """What happens to the connections that are there, and to those that are still to come."""

    PATIENT = "patient"
    """Nobody takes our place: connections are taken until those that are open have had a last answer."""
    HANDOVER = "handover"
    """Others take the new connections: those that are open get a last answer."""
    QUICK = "quick"
    """Only requests under way are finished."""


class WatchedEndpoint(Endpoint):
    """An endpoint that tells when a connection has gone, or all of a moment.

    on_gone: called when a connection has gone.
    """

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(service, loop)
        self.on_gone: Callable[[], None] | None = None
        self._leaving: set[Connection] = set()
        self._left: asyncio.Future[None] | None = None

    def left(self) -> asyncio.Future[None]:
        """A future that is done when every connection that is open now has gone."""
        self._leaving = set(self.connections)
        self._left = self.loop.create_future()
        self._forget_leaving(None)
        return self._left

    def forget(self, connection: Connection | None) -> None:
        """A connection is gone."""
        super().forget(connection)
        if self._left is not None:
            self._forget_leaving(connection)
        if self.on_gone is not None:
            self.on_gone()

    def _forget_leaving(self, connection: Connection | None) -> None:
        self._leaving.discard(connection)
        if self._left is not None and not self._leaving and not self._left.done():
            self._left.set_result(None)


class TlsEndpoint(WatchedEndpoint):
    """An endpoint whose clients may show certificates."""

    def peer(self, transport: asyncio.BaseTransport, known: Peer | None = None) -> Peer:
        """The Peer that the requests of a new connection come from."""
        peer = super().peer(transport, known)
        peer.certificate = transport.get_extra_info("peercert") or None
        return peer
