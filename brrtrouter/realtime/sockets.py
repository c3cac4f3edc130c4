"""Handlers of WebSockets as handlers of requests: the answer to a good handshake is 101 with a `Session`."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from brrtrouter.config import WebSocketSettings
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response
from brrtrouter.core.service import Mode
from brrtrouter.errors import ConfigError, HandlerError
from brrtrouter.policy.cors import Origins
from brrtrouter.realtime.handshake import accept_key, choose_protocol, negotiate_deflate, refusal
from brrtrouter.realtime.registry import Open
from brrtrouter.realtime.websocket import WebSocket

if TYPE_CHECKING:
    from brrtrouter.spec import model

try:
    from brrtrouter.realtime.session import Handler, Session
except ModuleNotFoundError as error:
    if error.name is None or not error.name.startswith("wsproto"):
        raise
    raise ConfigError("WebSockets need wsproto: pip install 'brrtrouter[websocket]'") from None

logger = logging.getLogger("brrtrouter")


class Sockets:
    """Makes handlers of WebSockets answer handshakes."""

    def __init__(self, settings: WebSocketSettings, opened: Open) -> None:
        self._settings = settings
        self._opened = opened
        self._origins = Origins(settings.origins, "websocket.origins")

    def wrap(self, operation: model.Operation, handler: Handler) -> tuple[Callable[[Request], Any], Mode]:
        """Raises HandlerError for a handler that is no coroutine function."""
        target = handler if inspect.isroutine(handler) else type(handler).__call__
        if not inspect.iscoroutinefunction(target):
            raise HandlerError(f"the handler {operation.handler!r} of a WebSocket is not an `async def`")
        protocols = operation.subprotocols
        receives, sends = operation.messages.get("receive"), operation.messages.get("send")

        def open_socket(request: Request) -> Response:
            refused = refusal(request, self._origins)
            if refused is not None:
                return refused
            headers = [("Upgrade", "websocket"), ("Sec-WebSocket-Accept", accept_key(_key(request)))]
            protocol = choose_protocol(request, protocols)
            if protocol is not None:
                headers.append(("Sec-WebSocket-Protocol", protocol))
            extensions = []
            if self._settings.deflate:
                agreed = negotiate_deflate(request.header("sec-websocket-extensions"))
                if agreed is not None:
                    extensions.append(agreed[0])
                    headers.append(("Sec-WebSocket-Extensions", agreed[1]))
            session = Session(self._settings, handler, self._opened, lambda: _log(request), list(extensions))
            session.socket = WebSocket(request, session, protocol, receives, sends)
            request.state[WebSocket] = session.socket
            return Response(101, session, headers)

        return open_socket, Mode.SYNC


def _key(request: Request) -> str:
    return request.header("sec-websocket-key") or ""


def _log(request: Request) -> None:
    logger.exception("request %s: the WebSocket at %s failed", request.id, request.path)
