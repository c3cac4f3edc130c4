"""Types of service.pyx."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from enum import IntEnum
from typing import Any, TypeAlias

from brrtrouter.config import Limits
from brrtrouter.core.arguments import ArgumentParser
from brrtrouter.core.codings import Decoders
from brrtrouter.core.cors import CrossOrigin
from brrtrouter.core.lines import FixedFields
from brrtrouter.core.matcher import Matcher
from brrtrouter.core.media import MediaLike
from brrtrouter.core.meter import Meter
from brrtrouter.core.observer import Observer
from brrtrouter.core.request import Request, RequestIds
from brrtrouter.core.response import Response

_Call: TypeAlias = Callable[[Request], Any]

class Mode(IntEnum):
    """How a callable that takes a request gives its result."""

    SYNC = ...
    INLINE = ...
    TASK = ...

def run_inline(coroutine: Awaitable[Any]) -> Any:
    """Drive a coroutine that never suspends and return its result; RuntimeError when it does suspend."""

def to_response(request: Request, result: Any) -> Response:
    """The Response that a handler's result stands for: itself, `(status, value)`, a value, or None for 204.

    Raises TypeError for a tuple of another form.
    """

class Body:
    """What an operation accepts as its body."""

    def __init__(self, required: bool, content: Iterable[MediaLike], limits: Limits) -> None: ...
    @property
    def required(self) -> bool: ...
    @property
    def accepts(self) -> list[str]:
        """The declared media types and ranges."""

class Operation:
    """One operation with everything a request to it needs."""

    def __init__(
        self,
        *,
        method: str,
        path: str,
        handler: str,
        call: _Call,
        mode: Mode,
        model: Any = None,
        parser: ArgumentParser | None = None,
        body: Body | None = None,
        security: _Call | None = None,
        security_mode: Mode = ...,
        success_status: int = 200,
        media_types: Mapping[int, str | None] | None = None,
        max_body: int = -1,
        stream_body: bool = False,
        deadline: float = -1.0,
        raw_content: bool = False,
        foreign: bool = False,
        upgrades: bool = False,
        scope: Callable[[], AbstractContextManager[None]] | None = None,
    ) -> None: ...
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def handler(self) -> str: ...
    @property
    def model(self) -> Any: ...
    @property
    def success_status(self) -> int: ...
    @property
    def max_body(self) -> int: ...
    @property
    def stream_body(self) -> bool:
        """Whether the handler starts before the body is read."""

    @property
    def deadline(self) -> float:
        """Seconds until the handler has to have an answer; 0 for no end, -1 for the limit `handler_time`."""

    @property
    def upgrades(self) -> bool: ...
    @property
    def foreign(self) -> bool:
        """Whether an application of its own answers."""

    @property
    def raw_content(self) -> bool:
        """Whether a body with a Content-Encoding is the handler's matter."""

    fixed: FixedFields | None
    """Header fields of its answers in place of those of the service; None for these."""
    @property
    def suspends(self) -> bool:
        """Whether answering may take a Task."""

    def replace(self, call: _Call, mode: Mode) -> Operation:
        """The same operation with another handler."""

class Service:
    """Matcher, operations and limits, frozen."""

    def __init__(
        self,
        matcher: Matcher,
        operations: Iterable[Operation],
        limits: Limits,
        *,
        auto_options: bool = True,
        first_fault: bool = False,
        around: Callable[[_Call], _Call] | None = None,
        around_mode: Mode = ...,
        log_error: Callable[[Request], None],
        finisher: Callable[[Request, Response], Response | Awaitable[Response]] | None = None,
        finishes_all: bool = False,
        request_ids: RequestIds | None = None,
        decoders: Decoders | None = None,
        mounts: Callable[[bytes], Operation | None] | None = None,
        meter: Meter | None = None,
        cors: CrossOrigin | None = None,
        observer: Observer | None = None,
        fixed: FixedFields | None = None,
    ) -> None: ...
    @property
    def matcher(self) -> Matcher: ...
    @property
    def operations(self) -> tuple[Operation, ...]: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def max_body(self) -> int: ...
    @property
    def auto_options(self) -> bool: ...
    @property
    def first_fault(self) -> bool: ...
    @property
    def odd_methods(self) -> frozenset[bytes] | None: ...
    @property
    def max_json_depth(self) -> int: ...
    @property
    def max_pipeline(self) -> int: ...
    @property
    def chunk_extension_limit(self) -> int: ...
    @property
    def trailer_limit(self) -> int: ...
    @property
    def fixed(self) -> FixedFields | None: ...
    @property
    def meter(self) -> Meter | None: ...
    @property
    def observer(self) -> Observer | None:
        """Logs and traces requests; None when nothing does."""

    @property
    def cors(self) -> CrossOrigin | None: ...
    @property
    def log_error(self) -> Callable[[Request], None]: ...
    @property
    def finisher(self) -> Callable[[Request, Response], Response | Awaitable[Response]] | None: ...
    @property
    def finishes_all(self) -> bool: ...
    @property
    def request_ids(self) -> RequestIds: ...
    @property
    def decoders(self) -> Decoders: ...
    def answer(self, request: Request) -> Any:
        """Walk the request up to its result: a Response, a plain result, or a coroutine for one."""

    def replace(self, operations: Iterable[Operation]) -> Service:
        """The same service with other operations for the same routes."""
