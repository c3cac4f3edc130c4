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


# With these statuses an answer has no content (RFC 9110 15.3.5 and 15.3.6), so there would be nothing to see.
_WITHOUT_CONTENT = (204, 205)


async def echo(request: Request) -> Any:
    """{"handler", "method", "path", "params", "query", "headers", "cookies", "body"}; path is the template.

    The status is the one of any plain result, but 200 where that has no content.
    """
    operation = request.operation
    received = {
        "handler": operation.handler,
        "method": request.method,
        "path": request.template,
        "params": request.path_params,
        "query": request.query,
        "headers": request.headers,
        "cookies": request.cookies,
        "body": _plain(request.body),
    }
    return (200, received) if operation.success_status in _WITHOUT_CONTENT else received
