"""Plain functions off the event loop: a bounded pool of threads with a bounded queue.

What waits beyond the bound is refused with 503 at once, which is kinder than a queue that only grows.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock, Semaphore
from typing import Any

from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response


class Refusal(Response):
    """A problem that the server answers with in place of a handler, who never saw the request."""

    @classmethod
    def of(cls, slug: str, detail: str, headers: dict[str, str]) -> Refusal:
        """The refusal for a problem of `brrtrouter.errors.PROBLEMS`."""
        problem = problem_response(slug, detail, headers=headers)
        return cls(problem.status, problem.body, problem.headers, problem.media_type)


class Pool:
    """Threads for handlers that are plain functions.  Threads are started when they are first needed.

    Several event loops may use one pool at the same time.
    """

    def __init__(self, threads: int, queue: int, name: str = "brrtrouter-handler") -> None:
        """`threads` run at once, `queue` more may wait.  name: what the threads are called."""
        self._threads = threads
        self._name = name
        self._places = Semaphore(threads + queue)
        self._lock = Lock()
        self._executor: ThreadPoolExecutor | None = None

    def wrap(self, function: Callable[[Request], Any]) -> Callable[[Request], Awaitable[Any]]:
        """A coroutine function that runs `function` in the pool with the context variables of its caller.

        A coroutine that the function returns (it decorates an `async def`) is awaited on the event loop.
        """

        async def call(request: Request) -> Any:
            if not self._places.acquire(blocking=False):
                return Refusal.of("service-unavailable", "too many requests wait for a thread", {"Retry-After": "1"})
            result = await asyncio.wrap_future(self._submit(function, request))
            return await result if inspect.iscoroutine(result) else result

        return call

    def offer(self, function: Callable[..., Any], *arguments: Any) -> Awaitable[Any] | None:
        """Start any call; its result on the running event loop, or None when too many wait for a thread."""
        if not self._places.acquire(blocking=False):
            return None
        return asyncio.wrap_future(self._submit(function, *arguments))

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Start a call that has a place, which it gives back when it is over, whoever still waits for it."""
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix=self._name)
            future = self._executor.submit(contextvars.copy_context().run, _checked, function, *arguments)
        future.add_done_callback(lambda _: self._places.release())
        return future

    def close(self) -> None:
        """Let the threads end when they are done; the pool may be used again afterwards."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)


def _checked(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        if isinstance(error, StopIteration):
            # A future cannot carry it (PEP 479).
            raise RuntimeError("the handler raised StopIteration") from error
        raise
    except BaseException as error:
        # sys.exit() in a handler ends the request, not the event loop that waits for it.
        raise RuntimeError(f"the handler raised {type(error).__name__}") from error
