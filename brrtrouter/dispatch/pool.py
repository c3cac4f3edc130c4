"""Plain functions off the event loop: a bounded pool of threads with a bounded queue.

What waits beyond the bound is refused with 503 at once, which is kinder than a queue that only grows.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from brrtrouter.core.request import Request
from brrtrouter.core.response import problem_response


class Pool:
    """Threads for handlers that are plain functions.  Threads are started when they are first needed."""

    def __init__(self, threads: int, queue: int) -> None:
        """`threads` run at once, `queue` more may wait."""
        self._threads = threads
        self._bound = threads + queue
        self._busy = 0
        self._executor: ThreadPoolExecutor | None = None

    def wrap(self, function: Callable[[Request], Any]) -> Callable[[Request], Awaitable[Any]]:
        """A coroutine function that runs `function` in the pool with the context variables of its caller."""

        async def call(request: Request) -> Any:
            if self._busy >= self._bound:
                return problem_response(
                    "service-unavailable", "too many requests wait for a thread", headers={"Retry-After": "1"}
                )
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="brrtrouter-handler")
            self._busy += 1
            try:
                context = contextvars.copy_context()
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._executor, context.run, _checked, function, request)
            finally:
                self._busy -= 1

        return call

    def close(self) -> None:
        """Let the threads end when they are done; the pool may be used again afterwards."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)


def _checked(function: Callable[[Request], Any], request: Request) -> Any:
    try:
        return function(request)
    except StopIteration as error:
        # A future cannot carry it (PEP 479).
        raise RuntimeError("the handler raised StopIteration") from error
