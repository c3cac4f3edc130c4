"""What an application needs for event streams and WebSockets; most is loaded with the first operation that is one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from brrtrouter.config import Config
from brrtrouter.core.request import Request
from brrtrouter.core.service import Mode
from brrtrouter.dispatch.pool import Pool
from brrtrouter.realtime.registry import Open

if TYPE_CHECKING:
    from brrtrouter.realtime.sockets import Sockets
    from brrtrouter.realtime.stream import Events
    from brrtrouter.spec import model


class Realtime:
    """The streams and sockets of an application."""

    def __init__(self, config: Config, pool: Pool) -> None:
        self._config = config
        self._pool = pool
        self._events: Events | None = None
        self._sockets: Sockets | None = None
        self.opened = Open()

    def events(self, call: Callable[[Request], Any], mode: Mode) -> tuple[Callable[[Request], Any], Mode]:
        """A handler whose generators become event streams."""
        if self._events is None:
            made = import_module("brrtrouter.realtime.stream").Events
            self._events = made(self._config.sse.keep_alive, self._pool, self.opened)
        assert self._events is not None
        return self._events.wrap(call, mode)

    def websocket(
        self, operation: model.Operation, function: Callable[..., Any]
    ) -> tuple[Callable[[Request], Any], Mode]:
        """A handler that answers handshakes.  Raises HandlerError, ConfigError."""
        if self._sockets is None:
            made = import_module("brrtrouter.realtime.sockets").Sockets
            self._sockets = made(self._config.websocket, self.opened)
        assert self._sockets is not None
        return self._sockets.wrap(operation, function)

    def makes_generator(self, operation: model.Operation, function: Callable[..., Any]) -> bool:
        """Whether a plain function only makes a generator, whose items are made in the pool."""
        if not operation.sse:
            return False
        return bool(import_module("brrtrouter.realtime.stream").runs_no_code(function))

    def drain(self, loop: asyncio.AbstractEventLoop, seconds: float, *, quick: bool) -> None:
        """A server in this loop begins to drain, see `Open.drain`."""
        self.opened.drain(loop, seconds, quick=quick)

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """A server in this loop has ended."""
        self.opened.forget(loop)
