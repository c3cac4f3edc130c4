"""Operations that stay open: `x-sse`, `x-websocket`, and the schemas of messages in `x-websocket-messages`."""

from __future__ import annotations

import re
from typing import Any, Final

from brrtrouter.spec.content import ContentReader
from brrtrouter.spec.model import MESSAGES, SSE, SUBPROTOCOLS, WEBSOCKET
from brrtrouter.spec.reference import Node
from brrtrouter.spec.report import Report, member
from brrtrouter.spec.schema import Direction, Schema

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_DIRECTIONS: Final[dict[str, Direction]] = {"receive": "request", "send": "response"}


def read_realtime(method: str, node: Node, report: Report, content: ContentReader) -> dict[str, Schema]:
    """Check the extensions of an operation; the schemas of its messages by "receive" and "send"."""
    value = node.value
    for name in (SSE, WEBSOCKET):
        if not isinstance(value.get(name, False), bool):
            report.error("WrongType", node.child(name), f"{name} has to be a boolean")
    if value.get(WEBSOCKET) is True and method != "GET":
        report.error("InvalidExtension", node.child(WEBSOCKET), f"a WebSocket is opened by GET, not by {method}")
    if value.get(WEBSOCKET) is True and value.get(SSE) is True:
        report.error("InvalidExtension", node.child(SSE), f"an operation has {SSE} or {WEBSOCKET}, not both")
    if SUBPROTOCOLS in value and not _are_tokens(value[SUBPROTOCOLS]):
        report.error("WrongType", node.child(SUBPROTOCOLS), f"{SUBPROTOCOLS} has to be a list of tokens")
    if MESSAGES not in value:
        return {}
    messages = member(node, MESSAGES)
    if messages is None or not isinstance(messages.value, dict):
        report.error("WrongType", node.child(MESSAGES), f"{MESSAGES} has to be an object")
        return {}
    if value.get(WEBSOCKET) is not True:
        report.error("InvalidExtension", node.child(MESSAGES), f"{MESSAGES} needs {WEBSOCKET}: true")
    for name in messages.value:
        if name not in _DIRECTIONS:
            message = f"{name[:80]!r} is not one of {', '.join(_DIRECTIONS)}"
            report.error("InvalidExtension", messages.child(name), message)
    found = {name: content.schema(member(messages, name), way) for name, way in _DIRECTIONS.items()}
    return {name: schema for name, schema in found.items() if schema is not None}


def _are_tokens(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and _TOKEN.fullmatch(each) for each in value)
