"""Types of observer.pyx."""

from contextvars import ContextVar
from typing import Any

from typing_extensions import Self

from brrtrouter.core.access import AccessLines
from brrtrouter.core.request import Request

current_request_id: ContextVar[str | None]

class Trace:
    """What is noted of a sampled request.

    root: no other service has begun the trace; its id ends with the 64 bits of `low`, which the decision was made by.
    """

    error: BaseException | None
    spans: Any
    trace_id: str | None
    span_id: str | None
    @property
    def arrived(self) -> int: ...
    @property
    def matched(self) -> int: ...
    @property
    def begun(self) -> int: ...
    @property
    def authorized(self) -> int: ...
    @property
    def valid(self) -> int: ...
    @property
    def handled(self) -> int: ...
    @property
    def root(self) -> bool: ...
    @property
    def low(self) -> int: ...

class Sampler:
    """Which requests are sampled: those whose number, of 64 bits, is below `bound`; `2**64` for all.

    The number is the lower half of the trace id, as for TraceIdRatioBased of OpenTelemetry.  parent_based: the caller's
    decision is followed.  reads_parent: False when nobody's traceparent is looked at.
    """

    def __new__(cls, bound: int, parent_based: bool = True, reads_parent: bool = True) -> Self: ...
    @property
    def parent_based(self) -> bool: ...
    @property
    def reads_parent(self) -> bool: ...
    @property
    def always(self) -> bool: ...
    def reseed(self) -> None:
        """Draw other numbers than the process that this one was forked from."""

    def would(self, request: Request) -> tuple[bool, bool]:
        """(sampled, root): the decision for a request."""

class Observer:
    """What is told of every request.

    log: `AccessLines`.  sampler, tracer: which requests are traced, and what makes spans of them: `begin(request,
    trace)`, which sets `trace.spans`, `end(request, trace, status)`, and `leave()` for a request that is not sampled,
    unless the variable `state` says `unsampled` already.  parent: the variable that tells the traceparent of one.
    current: the variable for the id of the request.  metered: a meter reads the clock.
    """

    def __init__(
        self,
        *,
        log: AccessLines | None = None,
        sampler: Sampler | None = None,
        tracer: Any = None,
        state: ContextVar[Any] | None = None,
        unsampled: Any = None,
        parent: ContextVar[Any] | None = None,
        current: ContextVar[Any] | None = None,
        metered: bool = False,
    ) -> None: ...

def note_error(request: Request, error: BaseException | None) -> None:
    """Tell the trace of a request, if it has one, what was raised."""
