"""`Channel`: what one part of an application has to say, for any number of readers at once."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from threading import Lock
from typing import Any, Final, Literal
from weakref import WeakSet

Policy = Literal["oldest", "close"]
_POLICIES: Final = ("oldest", "close")


class Channel:
    """Sends each item to everybody who reads at that time.

        ticks = Channel(limit=100)

        async def stream(request):
            async for tick in ticks.subscribe():
                yield tick

        ticks.send({"price": 1})        # from anywhere: a handler, a task, a thread

    limit: how many items wait for one reader.  slow: what happens when more would: "oldest" drops the one that waits
    longest, "close" ends the reader, who comes back or not.  Either way the memory of a slow reader has a bound.
    """

    def __init__(self, limit: int = 256, slow: Policy = "oldest") -> None:
        if limit < 1:
            raise ValueError("the limit of a channel is not at least 1")
        if slow not in _POLICIES:
            raise ValueError(f"slow is not one of {', '.join(_POLICIES)}")
        self.limit = limit
        self.slow = slow
        self._lock = Lock()
        # A generator that is closed lets go of its reader without a word.
        self._readers: WeakSet[Subscription] = WeakSet()
        self._closed = False

    def send(self, item: Any) -> int:
        """Give an item to every reader; how many there are.  It never waits, and may be called in any thread."""
        with self._lock:
            readers = list(self._readers)
        for reader in readers:
            reader.put(item)
        return len(readers)

    def subscribe(self) -> Subscription:
        """A reader of what is sent from now on; in the thread of its event loop."""
        reader = Subscription(self, asyncio.get_running_loop())
        with self._lock:
            if not self._closed:
                self._readers.add(reader)
        if self._closed:
            reader.finish()
        return reader

    def close(self) -> None:
        """End every reader after what waits for it, and those that come later."""
        with self._lock:
            self._closed = True
            readers = list(self._readers)
            self._readers.clear()
        for reader in readers:
            reader.finish()

    def leave(self, reader: Subscription) -> None:
        """A reader reads no more."""
        with self._lock:
            self._readers.discard(reader)

    def __len__(self) -> int:
        """How many readers there are."""
        return len(self._readers)


class Subscription:
    """An asynchronous iterator over what a channel sends, for one reader.

    dropped: how many items it has missed.
    """

    def __init__(self, channel: Channel, loop: asyncio.AbstractEventLoop) -> None:
        self._channel = channel
        self._loop = loop
        self._items: deque[Any] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._ended = False
        self.dropped = 0

    def put(self, item: Any) -> None:
        """One more item; the channel calls it, in any thread."""
        if self._ended:
            return
        if len(self._items) >= self._channel.limit:
            self.dropped += 1
            if self._channel.slow == "close":
                self._items.clear()
                self._channel.leave(self)
                self.finish()
                return
            with suppress(IndexError):  # the reader, in another thread, was faster
                self._items.popleft()
        self._items.append(item)
        self._tell()

    def finish(self) -> None:
        """There are no more items."""
        self._ended = True
        self._tell()

    def _tell(self) -> None:
        if self._waiting is not None:
            try:
                self._loop.call_soon_threadsafe(self._wake)
            except RuntimeError:  # its loop is closed: nobody reads
                self._channel.leave(self)

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Any:
        while True:
            # First the future, then the look: what comes in between from another thread wakes it.
            waiting = self._waiting = self._loop.create_future()
            if self._items:
                self._waiting = None
                return self._items.popleft()
            if self._ended:
                self._waiting = None
                raise StopAsyncIteration
            try:
                await waiting
            except asyncio.CancelledError:
                await self.aclose()
                raise
            finally:
                self._waiting = None

    async def aclose(self) -> None:
        """Read no more."""
        self._ended = True
        self._items.clear()
        self._channel.leave(self)
