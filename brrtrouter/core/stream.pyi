"""Types of stream.pyx."""

from collections.abc import Coroutine
from typing import Any

class BodyStream:
    """An asynchronous iterator over the pieces of a body, for one reader.

    It raises `brrtrouter.errors.BodyStreamError` when the rest of the body will not come.
    """

    def __aiter__(self) -> BodyStream: ...
    def __anext__(self) -> Coroutine[Any, Any, bytes]: ...
    async def take(self) -> bytes:
        """The next piece; StopAsyncIteration at the end."""

    @property
    def received(self) -> int: ...
    @property
    def complete(self) -> bool: ...
