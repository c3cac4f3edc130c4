"""What answers an operation that has no handler."""

from __future__ import annotations

from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response


async def not_implemented(request: Request) -> Response:
    """501, naming the handler that is missing."""
    return problem_response("not-implemented", f"the operation has no handler {request.operation.handler!r} yet")
