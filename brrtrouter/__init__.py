"""BRRTRouter: an OpenAPI-driven request router and HTTP server with a C and Cython core.

`Matcher` and `path_to_regex` load only the compiled core; the other names load what they need when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from brrtrouter.core.matcher import Matcher
from brrtrouter.errors import BrrtError, ConfigError, HandlerError, Issue, PathError, RouteError, SpecError

if TYPE_CHECKING:
    from brrtrouter.app import App
    from brrtrouter.config import Config, load_config
    from brrtrouter.core.files import File
    from brrtrouter.core.regex import path_to_regex
    from brrtrouter.core.request import Request
    from brrtrouter.core.response import Response, problem_response
    from brrtrouter.dispatch.registry import handler
    from brrtrouter.dispatch.static import StaticFiles
    from brrtrouter.policy.middleware import only
    from brrtrouter.realtime.channel import Channel
    from brrtrouter.realtime.events import Comment, Event
    from brrtrouter.realtime.websocket import ConnectionClosed, WebSocket

__version__ = "0.1.0"

__all__ = [
    "App",
    "BrrtError",
    "Channel",
    "Comment",
    "Config",
    "ConfigError",
    "ConnectionClosed",
    "Event",
    "File",
    "HandlerError",
    "Issue",
    "Matcher",
    "PathError",
    "Request",
    "Response",
    "RouteError",
    "SpecError",
    "StaticFiles",
    "WebSocket",
    "handler",
    "load_config",
    "only",
    "path_to_regex",
    "problem_response",
]

_LAZY = {
    "App": "brrtrouter.app",
    "Channel": "brrtrouter.realtime.channel",
    "Comment": "brrtrouter.realtime.events",
    "Config": "brrtrouter.config",
    "ConnectionClosed": "brrtrouter.realtime.websocket",
    "Event": "brrtrouter.realtime.events",
    "File": "brrtrouter.core.files",
    "Request": "brrtrouter.core.request",
    "Response": "brrtrouter.core.response",
    "StaticFiles": "brrtrouter.dispatch.static",
    "WebSocket": "brrtrouter.realtime.websocket",
    "handler": "brrtrouter.dispatch.registry",
    "load_config": "brrtrouter.config",
    "only": "brrtrouter.policy.middleware",
    "path_to_regex": "brrtrouter.core.regex",
    "problem_response": "brrtrouter.core.response",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value
