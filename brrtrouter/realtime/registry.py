"""What is open: the streams and sockets of an application, which do not end by themselves when a server drains."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

_GRACE: Final = 1.0  # seconds before the end of a drain in which streams end in good order


class Ending(Protocol):
    """Something open."""

    def end(self) -> None:
        """Begin to end in good order."""


class Open:
    """Everything open, by the event loop that it runs in; one application may have several servers."""

    def __init__(self) -> None:
        self._items: dict[Ending, asyncio.AbstractEventLoop] = {}
        self._prompt: set[Ending] = set()
        self._draining: dict[asyncio.AbstractEventLoop, asyncio.TimerHandle | None] = {}

    def add(self, item: Ending, loop: asyncio.AbstractEventLoop, *, prompt: bool = False) -> None:
        """Something is open now.  prompt: it ends as soon as a drain begins, for its client knows what to do then."""
        self._items[item] = loop
        if prompt:
            self._prompt.add(item)
            if loop in self._draining:
                loop.call_soon(item.end)

    def discard(self, item: Ending) -> None:
        """It has ended."""
        self._items.pop(item, None)
        self._prompt.discard(item)

    def __len__(self) -> int:
        return len(self._items)

    def drain(self, loop: asyncio.AbstractEventLoop, seconds: float, *, quick: bool) -> None:
        """A server in this loop drains, for so many seconds; `quick`: nothing is to be waited for.  Called in the loop.

        WebSockets are told at once.  A stream may be about to end by itself: it has until shortly before the end.
        """
        for item in self._of(loop):
            if quick or item in self._prompt:
                item.end()
        delay = max(seconds - min(_GRACE, seconds / 2), 0)
        self._draining[loop] = loop.call_later(delay, self._end_all, loop)

    def _end_all(self, loop: asyncio.AbstractEventLoop) -> None:
        for item in self._of(loop):
            item.end()

    def _of(self, loop: asyncio.AbstractEventLoop) -> list[Ending]:
        return [item for item, where in list(self._items.items()) if where is loop]

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """The server in this loop has ended."""
        timer = self._draining.pop(loop, None)
        if timer is not None:
            timer.cancel()
