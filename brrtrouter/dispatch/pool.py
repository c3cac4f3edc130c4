"""Plain functions off the event loop: a bounded pool of threads with a bounded queue.

What waits beyond the bound is refused with 503 at once, which is kinder than a queue that only grows.  The threads are
daemons: a handler that never ends does not keep a process alive whose time to drain is over.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Final, NamedTuple

from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response

_STACKS: Final = (
    "Bytes of the largest stack of a thread that runs handlers, of the process that answers.",
    "The most bytes of its stack that such a thread has ever used, of the process that answers.",
)
# threading.stack_size() is one setting for the whole process: whoever changes it starts a thread and puts it back.
_starting = threading.Lock()


class Sample(NamedTuple):
    """One value for the metrics: kind is "gauge" or "counter", whose name has no `_total`."""

    kind: str
    name: str
    text: str
    value: float


class Refusal(Response):
    """A problem that the server answers with in place of a handler, who never saw the request."""

    @classmethod
    def of(cls, slug: str, detail: str, headers: dict[str, str]) -> Refusal:
        """The refusal for a problem of `brrtrouter.errors.PROBLEMS`."""
        problem = problem_response(slug, detail, headers=headers)
        return cls(problem.status, problem.body, problem.headers, problem.media_type)


class _Work(NamedTuple):
    """A call that a thread is to make, in the context of whoever asked for it."""

    future: Future[Any]
    context: contextvars.Context
    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def run(self, done: Callable[[], None]) -> None:
        """Make the call; `done` is called before anybody learns of its end."""
        if not self.future.set_running_or_notify_cancel():
            done()
            return
        try:
            result = self.context.run(_checked, self.function, *self.arguments)
        except BaseException as error:
            done()
            self.future.set_exception(error)
        else:
            done()
            self.future.set_result(result)


class Pool:
    """Threads for handlers that are plain functions.  Threads are started when they are first needed.

    Several event loops may use one pool at the same time.
    """

    def __init__(self, threads: int, queue: int, name: str = "brrtrouter-handler", stack_size: int = 0) -> None:
        """`threads` run at once, `queue` more may wait.  name: what the threads are called.  stack_size: bytes of the
        stack of each, 0 for what the system gives."""
        self.stack_size = stack_size
        self._threads = threads
        self._name = name
        self._places = threading.Semaphore(threads + queue)
        self._lock = threading.Lock()
        self._crew = _Crew()

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
        """Start a call that has a place, which a thread gives back, whoever still waits for it.

        One that nobody waits for any more is still in the queue, and that of a blocked pool shall not only grow.
        """
        future: Future[Any] = Future()
        work = _Work(future, contextvars.copy_context(), function, arguments)
        with self._lock:
            self._crew.tasks.put(work)
            if not self._crew.idle.acquire(blocking=False) and len(self._crew.members) < self._threads:
                self._start(self._crew)
        return future

    def _start(self, crew: _Crew) -> None:
        name = f"{self._name}-{len(crew.members)}"
        thread = threading.Thread(target=self._serve, args=(crew,), name=name, daemon=True)
        crew.members.append(thread)
        with _starting:
            before = threading.stack_size(self.stack_size)
            try:
                thread.start()
            finally:
                threading.stack_size(before)

    def _serve(self, crew: _Crew) -> None:
        from brrtrouter.core.stacks import stack_here

        crew.stacks.append(stack_here())

        def done() -> None:
            self._places.release()
            crew.idle.release()

        while (work := crew.tasks.get()) is not None:
            work.run(done)
            del work  # what it holds shall not live until the next one comes

    @property
    def stacks(self) -> list[tuple[int, int]]:
        """The stacks of the threads that run, as `brrtrouter.core.stacks` has them."""
        return [stack for stack in list(self._crew.stacks) if stack is not None]

    def close(self) -> None:
        """Let the threads end when they are done; the pool may be used again afterwards."""
        with self._lock:
            crew, self._crew = self._crew, _Crew()
            for _ in crew.members:
                crew.tasks.put(None)


class _Crew:
    """The threads of a pool between two calls of `close`, and the calls that they are to make."""

    def __init__(self) -> None:
        self.tasks: SimpleQueue[_Work | None] = SimpleQueue()
        self.idle = threading.Semaphore(0)  # threads that wait for a task
        self.members: list[threading.Thread] = []
        self.stacks: list[tuple[int, int] | None] = []


class Pools:
    """The pool of an application, and one more for each other size of stack that an operation asks for."""

    def __init__(self, threads: int, queue: int, stack_size: int) -> None:
        """Each pool has so many `threads`, and so many more calls may wait for them.

        stack_size: of the usual pool, 0 for what the system gives.
        """
        self.bounds = (threads, queue, stack_size)
        self.default = Pool(threads, queue, stack_size=stack_size)
        self._others: dict[int, Pool] = {}

    def of(self, stack_size: int | None) -> Pool:
        """The pool whose stacks have so many bytes, None for the usual ones."""
        if stack_size is None or stack_size == self.default.stack_size:
            return self.default
        if stack_size not in self._others:
            name = f"brrtrouter-handler-{stack_size // 1024}k"
            self._others[stack_size] = Pool(*self.bounds[:2], name, stack_size)
        return self._others[stack_size]

    def __iter__(self) -> Iterator[Pool]:
        return iter((self.default, *self._others.values()))

    def samples(self) -> Iterator[Sample]:
        """For the metrics: the largest stack that was asked for, and the most that a thread has used, 0 before any."""
        from brrtrouter.core.stacks import high_water

        found = [(pool.stack_size or stack[1], high_water(stack)) for pool in self for stack in pool.stacks]
        sizes, used = zip(*found, strict=True) if found else ((0,), (0,))
        for name, text, value in zip(("stack", "stack_used"), _STACKS, (max(sizes), max(used)), strict=True):
            yield Sample("gauge", f"brrtrouter_coroutine_{name}_bytes", text, value)

    def close(self) -> None:
        """Let all threads end when they are done."""
        for pool in self:
            pool.close()


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
