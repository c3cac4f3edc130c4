"""`EventStream`: the body of an answer that is made of events, each sent when it is there.

The generator of a handler runs in one task of its own from its first line to its last, so that what it holds over a
`yield`, such as a timeout or a connection, is entered and left in the same task.  It is never more than one event
ahead of the client.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from brrtrouter.core.connection import ClientGone
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response
from brrtrouter.core.service import Mode, run_inline
from brrtrouter.dispatch.pool import Pool
from brrtrouter.realtime.events import Comment, encode_event
from brrtrouter.realtime.registry import Open

MEDIA_TYPE: Final = "text/event-stream; charset=utf-8"
# A cache must not keep it, and a proxy must not gather it.
HEADERS: Final = (("Cache-Control", "no-store"), ("X-Accel-Buffering", "no"))
_KEEP_ALIVE: Final = encode_event(Comment())
_END: Final = object()


class EventStream:
    """An asynchronous iterator over the bytes of events.

    items: what a handler gave, an asynchronous iterator.  keep_alive: seconds, 0 for never.
    """

    def __init__(self, request: Request, items: AsyncIterator[Any], keep_alive: float, opened: Open) -> None:
        self._items = items
        self._keep_alive = keep_alive
        self._opened = opened
        self._task: asyncio.Task[None] | None = None
        self._ready: bytes | None = None
        self._news: asyncio.Future[None] | None = None  # the client waits for the producer
        self._taken: asyncio.Future[None] | None = None  # the producer waits for the client
        self._gone = False
        self._told = False  # of what the producer raised
        request.when_gone(self._lose, at_eof=True)

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> bytes:
        if self._task is None:
            loop = asyncio.get_running_loop()
            self._opened.add(self, loop)
            self._task = loop.create_task(self._produce())
        while self._ready is None:
            if self._gone:
                raise ClientGone
            if self._task.done():
                return self._finish(self._task)
            if not await self._wait():
                return _KEEP_ALIVE
        ready, self._ready = self._ready, None
        _wake(self._taken)
        return ready

    def _finish(self, task: asyncio.Task[None]) -> bytes:
        """The end of the producer is the end of the stream, and its failure is one of the stream."""
        if not task.cancelled():
            error = task.exception()
            if error is not None:
                self._told = True
                raise error
        raise StopAsyncIteration

    async def _wait(self) -> bool:
        """Wait for news of the producer; False when there were none for too long."""
        loop = asyncio.get_running_loop()
        news = self._news = loop.create_future()
        timer = loop.call_later(self._keep_alive, _wake, news, False) if self._keep_alive else None
        try:
            return await news is not False
        finally:
            self._news = None
            if timer is not None:
                timer.cancel()

    async def _produce(self) -> None:
        try:
            async for item in self._items:
                self._ready = encode_event(item)
                self._taken = asyncio.get_running_loop().create_future()
                _wake(self._news)
                await self._taken
        finally:
            try:
                await _close(self._items)
            finally:
                _wake(self._news)

    def _lose(self) -> None:
        self._gone = True
        self.end()
        _wake(self._news)

    def end(self) -> None:
        """Let the stream end after what is sent already; its generator is closed."""
        if self._task is not None:
            self._task.cancel()

    async def aclose(self) -> None:
        """End the generator, wherever it is, and wait for that."""
        task = self._task
        self._opened.discard(self)
        if task is None:
            await _close(self._items)
            return
        task.cancel()
        await asyncio.wait({task})
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._told:
            raise error


async def _close(items: Any) -> None:
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()


def _wake(future: asyncio.Future[Any] | None, value: Any = None) -> None:
    if future is not None and not future.done():
        future.set_result(value)


async def threaded(iterator: Iterator[Any], pool: Pool) -> AsyncIterator[Any]:
    """The items of a plain generator, each made in a thread of the pool."""
    try:
        while True:
            pending = pool.offer(next, iterator, _END)
            if pending is None:
                raise RuntimeError("too many requests wait for a thread")
            item = await pending
            if item is _END:
                return
            yield item
    finally:
        close = getattr(iterator, "close", None)
        if close is not None and (pending := pool.offer(close)) is not None:
            await pending


class Events:
    """Makes handlers answer with event streams."""

    def __init__(self, keep_alive: float, pool: Pool, opened: Open) -> None:
        self._keep_alive = keep_alive
        self._pool = pool
        self._opened = opened

    def wrap(self, call: Callable[[Request], Any], mode: Mode) -> tuple[Callable[[Request], Any], Mode]:
        """A handler whose generators become streams; any other answer stays what it is."""

        def plain(request: Request) -> Any:
            return self._streamed(request, call(request))

        def driven(request: Request) -> Any:
            return self._streamed(request, run_inline(call(request)))

        async def suspended(request: Request) -> Any:
            return self._streamed(request, await call(request))

        return {
            Mode.SYNC: (plain, Mode.SYNC),
            Mode.INLINE: (driven, Mode.SYNC),
            Mode.TASK: (suspended, Mode.TASK),
        }[mode]

    def _streamed(self, request: Request, result: Any) -> Any:
        if isinstance(result, Response):
            items = self._items(result.body)
            if items is None or not (result.media_type or MEDIA_TYPE).startswith("text/event-stream"):
                return result
            own = result.headers or ()
            headers = list(own.items() if hasattr(own, "items") else own)
            named = {str(name).lower() for name, _ in headers}
            headers += [pair for pair in HEADERS if pair[0].lower() not in named]
            return Response(result.status, self._stream(request, items), headers, result.media_type or MEDIA_TYPE)
        items = self._items(result)
        return result if items is None else Response(200, self._stream(request, items), HEADERS, MEDIA_TYPE)

    def _stream(self, request: Request, items: AsyncIterator[Any]) -> EventStream:
        return EventStream(request, items, self._keep_alive, self._opened)

    def _items(self, value: Any) -> AsyncIterator[Any] | None:
        if inspect.isgenerator(value):
            return threaded(value, self._pool)
        if value is None or isinstance(value, str | bytes | dict | list) or not hasattr(value, "__aiter__"):
            return None
        items: AsyncIterator[Any] = value
        return items


def runs_no_code(function: Callable[..., Any]) -> bool:
    """Whether calling a plain function only makes a generator."""
    while hasattr(function, "func"):
        function = function.func
    return inspect.isgeneratorfunction(function)
