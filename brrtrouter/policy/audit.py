"""One line on the logger `brrtrouter.audit` for each request that is refused, never with a credential."""

from __future__ import annotations

import logging

from brrtrouter.core.request import Request

logger = logging.getLogger("brrtrouter.audit")


def audit(request: Request, status: int, reason: str, schemes: tuple[str, ...] = ()) -> None:
    """Tell who was refused what and why.

    reason: a word of a closed list, such as "missing", "invalid" or "scope".  schemes: what the operation asks for.
    The record has all of it as attributes too: request_id, client, operation, status, reason, schemes.
    """
    if not logger.isEnabledFor(logging.WARNING):
        return
    operation = "*" if request.operation is None else f"{request.operation.method} {request.operation.path}"
    client = None if request.client is None else request.client[0]
    extra = {
        "request_id": request.id,
        "client": client,
        "operation": operation,
        "status": status,
        "reason": reason,
        "schemes": schemes,
    }
    told = (request.id, client or "-", operation, status, reason, ",".join(schemes) or "-")
    logger.warning("refused: request %s from %s: %s: %d %s (%s)", *told, extra=extra)
