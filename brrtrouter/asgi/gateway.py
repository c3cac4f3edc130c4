"""`Gateway`: what `await app(scope, receive, send)` does, by the type of the scope."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from brrtrouter.asgi.serve import refuse_websocket, serve_http
from brrtrouter.asgi.types import Receive, Scope, Send
from brrtrouter.config import Server as Settings
from brrtrouter.core.peer import Proxies
from brrtrouter.core.service import Service

logger = logging.getLogger("brrtrouter.server")


class Gateway:
    """An ASGI 3 application.

    service: gives the service of now; it may be built by the first call.  startup, shutdown: what a server does before
    the first request and after the last one.
    """

    def __init__(
        self,
        service: Callable[[], Service],
        settings: Settings,
        startup: Callable[[], Awaitable[None]],
        shutdown: Callable[[], Awaitable[None]],
    ) -> None:
        self._service = service
        self._proxies = Proxies(settings.trusted_proxies, settings.forwarded) if settings.trusted_proxies else None
        self._startup = startup
        self._shutdown = shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await serve_http(self._service(), self._proxies, scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        elif kind == "websocket":
            await refuse_websocket(scope, receive, send)
        else:
            raise ValueError(f"the ASGI scope {kind!r} is not one of http, lifespan, websocket")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """What is wrong with the application is said before the other server takes its first request."""
        await receive()
        try:
            await self._startup()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await self._shutdown()
        except Exception as error:
            logger.exception("the application did not end well")
            await send({"type": "lifespan.shutdown.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await send({"type": "lifespan.shutdown.complete"})
