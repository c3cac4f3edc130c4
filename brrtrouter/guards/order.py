"""The order of what stands before a handler: attempts, security, forged requests, the limit.

An operation that declares neither a limit nor protection keeps the check of its security as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.guards import csrf
from brrtrouter.guards.counts import StorageAway, Usage
from brrtrouter.guards.limits import Limit, address

Check = Callable[[Request], Any]
# Yields what may have to be awaited, is sent its result; returns None to let the request pass, or the refusal.
Steps = Generator[Any, Any, Response | None]
_ATTEMPTS: Final = frozenset({400, 401, 403})


def guarded(security: Check | None, forged: csrf.Check | None, limit: Limit | None) -> Check:
    """One check for a request: None, the Response that refuses, or a coroutine for one of these."""

    def check(request: Request) -> Any:
        return _run(_steps(request, security, forged, limit), None)

    return check


def _run(steps: Steps, sent: Any) -> Any:
    """Walk as far as nothing has to be waited for."""
    try:
        while True:
            said = steps.send(sent)
            if hasattr(said, "__await__"):
                return _carry_on(steps, said)
            sent = said
    except StopIteration as end:
        return end.value


async def _carry_on(steps: Steps, pending: Any) -> Any:
    try:
        while True:
            if not hasattr(pending, "__await__"):
                pending = steps.send(pending)
                continue
            try:
                result = await pending
            except Exception as error:
                pending = steps.throw(error)
            else:
                pending = steps.send(result)
    except StopIteration as end:
        return end.value


def _steps(request: Request, security: Check | None, forged: csrf.Check | None, limit: Limit | None) -> Steps:
    try:
        if limit is not None and (refusal := (yield from _before(request, limit, security is not None))) is not None:
            return refusal
        if security is not None and (said := (yield security(request))) is not None:
            refused: Response = said
            # Who tries credentials uses up what his address may do here.
            if limit is not None and limit.key != "ip" and refused.status in _ATTEMPTS:
                yield from _counted(request, limit, f"ip {address(request)}", 1)
            return refused
        if forged is not None and (refusal := forged(request)) is not None:
            return refusal
        if limit is not None and limit.key != "ip":
            return (yield from _counted(request, limit, limit.client(request), 1))
    except StorageAway:
        detail = "requests cannot be counted now"
        return problem_response("service-unavailable", detail, headers={"Retry-After": "1"})
    return None


def _before(request: Request, limit: Limit, secured: bool) -> Steps:
    """What is known before anybody knows who asks: all of it by address, or attempts that have failed."""
    if limit.key == "ip":
        return (yield from _counted(request, limit, limit.client(request), 1))
    if secured:
        return (yield from _counted(request, limit, f"ip {address(request)}", 0))
    return None


def _counted(request: Request, limit: Limit, client: str, cost: int) -> Steps:
    usage: Usage | None = yield limit.use(client, cost)
    if usage is None:
        return None
    if cost or not usage.allowed:
        limit.tell(request, usage)
    return None if usage.allowed else limit.refusal(usage)
