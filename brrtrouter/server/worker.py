"""One worker: a process that loads the application, says that it is ready, and serves until its supervisor ends it.

Supervisor and worker speak in lines over a pair of sockets.  Up: `ready`, `failed` with the reason as JSON, `safe` (all
who were connected have been answered), `alive` now and then.  Down: `go` (take connections), `stop`, `quick` and
`handover` (drain, see `Manner`), `close` (the listening socket may be closed), `abort`.  The end of the pair is the end
of the other side.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from brrtrouter.errors import BrrtError
from brrtrouter.server.drain import Manner
from brrtrouter.server.handle import Server
from brrtrouter.server.roles import Role
from brrtrouter.server.sockets import Listener

if TYPE_CHECKING:
    from brrtrouter.app import App

logger = logging.getLogger("brrtrouter.server")

RECEIVE = 65536
MANNERS = {"stop": Manner.PATIENT, "quick": Manner.QUICK, "handover": Manner.HANDOVER}


def work(load: Callable[[], App], listener: Listener, control: socket.socket, interval: float) -> int:
    """Load, serve, end; the exit code of the process.  interval: seconds between two signs of life, 0 for none."""
    control.setblocking(False)
    try:
        app = load()
        server = Server(app, listener=listener)
    except BrrtError as error:
        _say(control, "failed", str(error))
        return 2
    except Exception as error:
        logger.exception("the application cannot be loaded")
        _say(control, "failed", f"{type(error).__name__}: {error}")
        return 1
    try:
        server.run(role=Worker(control, app.config.server.drain_idle, interval))
    except Exception:  # which the server has logged
        return 1
    return 0


def _say(control: socket.socket, word: str, text: str | None = None) -> None:
    # A supervisor that is gone is noticed where its words are read.
    with contextlib.suppress(OSError):
        control.sendall((word if text is None else f"{word} {json.dumps(text)}").encode() + b"\n")


class Worker(Role):
    """Does what the supervisor says."""

    shared: ClassVar[bool] = True

    def __init__(self, control: socket.socket, patience: float, interval: float) -> None:
        """patience: seconds to wait for the supervisor before the listening socket is closed without its word.

        interval: seconds between two signs of life, 0 for none.
        """
        self._control = control
        self._patience = patience
        self._interval = interval
        self._received = b""

    async def prepare(self, server: Server) -> None:
        """Say that we are ready, and wait until we shall take connections."""
        loop = asyncio.get_running_loop()
        self._go: asyncio.Future[None] = loop.create_future()
        self._close: asyncio.Future[None] = loop.create_future()
        loop.add_signal_handler(signal.SIGTERM, self._on_manner, server, Manner.PATIENT)
        loop.add_reader(self._control.fileno(), self._on_words, server)
        _say(self._control, "ready")
        if self._interval:
            loop.call_later(self._interval, self._sign_of_life, loop)
        await self._go

    def _sign_of_life(self, loop: asyncio.AbstractEventLoop) -> None:
        _say(self._control, "alive")
        loop.call_later(self._interval, self._sign_of_life, loop)

    async def fence(self, server: Server) -> None:
        """Only the supervisor knows when all workers are done with those who were connected."""
        _say(self._control, "safe")
        await server.until(self._close, self._patience)

    def _on_words(self, server: Server) -> None:
        try:
            data = self._control.recv(RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            logger.error("the supervisor is gone: draining")
            _settle(self._close)
            self._on_manner(server, Manner.PATIENT)
            return
        *words, self._received = (self._received + data).split(b"\n")
        for word in words:
            self._on_word(server, word.decode())

    def _on_word(self, server: Server, word: str) -> None:
        if word == "go":
            _settle(self._go)
        elif word == "close":
            _settle(self._close)
        elif word == "abort":
            server.cut()
        else:
            self._on_manner(server, MANNERS[word])

    def _on_manner(self, server: Server, manner: Manner) -> None:
        server.begin_stop(manner)
        _settle(self._go)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
