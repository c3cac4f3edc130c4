"""The echo handler: answers any operation with what was received, as the specification decodes it."""

from __future__ import annotations

import base64
from typing import Any

from brrtrouter.core.request import Request


def _plain(value: Any) -> Any:
    """A body that is bytes becomes text, base64 when it is not UTF-8."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


async def echo(request: Request) -> dict[str, Any]:
    """{"handler", "method", "path", "params", "query", "headers", "cookies", "body"}; path is the template."""
    operation = request.operation
    return {
        "handler": operation.handler,
        "method": request.method,
        "path": request.template,
        "params": request.path_params,
        "query": request.query,
        "headers": request.headers,
        "cookies": request.cookies,
        "body": _plain(request.body),
    }
