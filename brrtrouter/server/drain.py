"""How a server ends: what it still takes, what it still answers, and how long it waits for whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Any

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
    """An endpoint that tells when the connections of a moment have gone, and that knows who its clients are."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop, make_peer: Callable[[Any], Peer]) -> None:
        super().__init__(service, loop)
        self._make_peer = make_peer
        self._leaving: set[Connection] = set()
        self._left: asyncio.Future[None] | None = None

    def peer(self, transport: asyncio.BaseTransport) -> Peer:
        """The Peer that the requests of a new connection come from."""
        return self._make_peer(transport)

    def left(self) -> asyncio.Future[None]:
        """A future that is done when every connection that is open now has gone."""
        self._leaving = set(self.connections)
        self._left = self.loop.create_future()
        self._forget_leaving(None)
        return self._left

    def forget(self, connection: Connection | None) -> None:
        """A connection is gone."""
        super().forget(connection)
        self._forget_leaving(connection)

    def _forget_leaving(self, connection: Connection | None) -> None:
        self._leaving.discard(connection)
        if self._left is not None and not self._leaving and not self._left.done():
            self._left.set_result(None)
