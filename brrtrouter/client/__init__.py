"""What generated clients are made of: `brrtrouter gen --client` writes one class for each API on top of these.

Parameters go out by the code that this package reads them with (`brrtrouter.core.encode`), so that a server gets what a
caller gave.  Needs `pip install 'brrtrouter[client]'`.
"""

from __future__ import annotations

try:
    import httpx as _httpx  # noqa: F401
    import msgspec as _msgspec  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"a client needs {error.name}: pip install 'brrtrouter[client]'", name=error.name
    ) from None

from brrtrouter.client.callers import AsyncCaller, Caller
from brrtrouter.client.calls import Answer, ApiKey, Authorization, Call, Parameter, Payload
from brrtrouter.client.failures import ApiError, UnexpectedAnswer

__all__ = [
    "Answer",
    "ApiError",
    "ApiKey",
    "AsyncCaller",
    "Authorization",
    "Call",
    "Caller",
    "Parameter",
    "Payload",
    "UnexpectedAnswer",
]
