"""What generated clients are made of: `brrtrouter gen --client` writes one class for each API on top of these.

Parameters go out by the code that this package reads them with (`brrtrouter.core.encode`), so that a server gets what a
caller gave.  Needs `pip install 'brrtrouter[client]'`.
"""

from __future__ import annotations

from brrtrouter.client.calls import Answer, ApiKey, Authorization, Call, Parameter, Payload
from brrtrouter.client.callers import AsyncCaller, Caller
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
