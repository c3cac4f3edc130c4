"""Who tells a server when to stop: its owner (`Role`), or the signals of its process (`Alone`).

`brrtrouter.server.worker.Worker` is the third one: a supervisor does.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING, ClassVar

from brrtrouter.server.drain import Manner
from brrtrouter.server.systemd import Notifier

if TYPE_CHECKING:
    from brrtrouter.server.handle import Server

logger = logging.getLogger("brrtrouter.server")


class Role:
    """A server in a thread: whoever has started it stops it.  The methods are called on its event loop."""

    shared: ClassVar[bool] = False
    """Whether other processes take connections from the same socket."""

    async def prepare(self, server: Server) -> None:
        """Before connections are taken."""

    def started(self, server: Server) -> None:
        """The server answers."""

    def ending(self, server: Server) -> None:
        """The drain begins."""

    async def fence(self, server: Server) -> None:
        """Everybody who was connected has been answered: return when nobody can connect any more."""
        server.fence()


class Alone(Role):
    """A process of its own: signals end it, and systemd, where it has started us, is told."""

    def __init__(self) -> None:
        self._systemd = Notifier()

    async def prepare(self, server: Server) -> None:
        """Take SIGTERM, SIGINT, and SIGHUP for changed files, certificates among them."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, server, number)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup, server)

    def started(self, server: Server) -> None:
        """Tell systemd, and from now on that we live."""
        self._systemd.ready()
        if self._systemd.interval is not None:
            self._sign_of_life(asyncio.get_running_loop(), self._systemd.interval)

    def _sign_of_life(self, loop: asyncio.AbstractEventLoop, interval: float) -> None:
        self._systemd.alive()
        loop.call_later(interval, self._sign_of_life, loop, interval)

    def ending(self, server: Server) -> None:
        """Tell systemd."""
        self._systemd.stopping()

    def _on_hangup(self, server: Server) -> None:
        if server.has_tls:
            server.refresh_tls(force=True)
        server.reload()

    def _on_signal(self, server: Server, number: int) -> None:
        """The first signal drains, the second one ends at once."""
        name = signal.Signals(number).name
        if server.stopping:
            logger.warning("%s again", name)
            server.cut()
            return
        logger.info("%s: draining", name)
        # Who types Ctrl-C does not wait for connections that may bring a request.
        server.begin_stop(Manner.QUICK if number == signal.SIGINT else Manner.PATIENT)
