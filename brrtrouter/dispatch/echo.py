"""The echo handler: answers any operation with what was received, as the specification decodes it."""

from __future__ import annotations

import base64
from typing import Any

from brrtrouter.core.request import Request
from brrtrouter.core.uploads import UploadFile


def _plain(value: Any) -> Any:
    """A body as JSON can say it: bytes become text, base64 when they are not UTF-8; of a file, what is known of it."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, UploadFile):
        return {"filename": value.filename, "content_type": value.content_type, "size": value.size}
    if isinstance(value, dict) and any(isinstance(item, (UploadFile, list)) for item in value.values()):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list) and any(isinstance(item, UploadFile) for item in value):
        return [_plain(item) for item in value]
    return value


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
