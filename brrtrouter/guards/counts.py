"""Counting in windows that slide: never more than the quota in any window, however the requests fall.

Time is cut into slots, SLOTS to a window, and each slot has its count.  A request counts until its whole slot has left
the window, so that a client may be let in again up to a slot too late, never too early.
"""

from __future__ import annotations

import time
from array import array
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, Protocol

SLOTS: Final = 60


class Quota(NamedTuple):
    """`requests` in any `window` seconds."""

    requests: int
    window: int


class Usage(NamedTuple):
    """What is left of a quota.  allowed: whether this request was within it.  reset: seconds until more is left."""

    allowed: bool
    remaining: int
    reset: float


class StorageAway(Exception):
    """Nobody can count, and nothing may pass."""


class Storage(Protocol):
    """Where requests are counted."""

    def use(self, name: str, client: str, quota: Quota, cost: int) -> Usage | Awaitable[Usage | None] | None:
        """Count a request of a client to what has the name, if its quota allows it; with a cost of 0 only look.

        None: nobody can tell now, and the request may pass.  Raises StorageAway when it may not.
        """


class Memory:
    """Counts of one process, exact, for at most `keys` clients: the ones that were seen last.

    clock: gives seconds.  Should it step back, what was counted counts as of now.
    """

    def __init__(self, keys: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._clock = clock
        # Pairs of a slot and its count, from the oldest on.
        self._known: OrderedDict[tuple[str, str], array[int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def use(self, name: str, client: str, quota: Quota, cost: int) -> Usage:
        """See `Storage`."""
        now = self._clock()
        slot = int(now * SLOTS / quota.window)
        counts = self._counts(name, client, cost)
        while counts and counts[0] < slot - SLOTS:
            del counts[:2]
        total = sum(counts[1::2])
        if counts and counts[-2] > slot:
            counts[:] = array("q", (slot, total))
        allowed = total + max(cost, 1) <= quota.requests
        if allowed and cost:
            total += cost
            if counts and counts[-2] == slot:
                counts[-1] += cost
            else:
                counts.extend((slot, cost))
        oldest = counts[0] if counts else slot
        return Usage(allowed, quota.requests - total, (oldest + SLOTS + 1) * quota.window / SLOTS - now)

    def _counts(self, name: str, client: str, cost: int) -> array[int]:
        known = self._known
        counts = known.get((name, client))
        if counts is not None:
            known.move_to_end((name, client))
            return counts
        counts = array("q")
        if cost:
            known[name, client] = counts
            if len(known) > self._keys:
                known.popitem(last=False)
        return counts
