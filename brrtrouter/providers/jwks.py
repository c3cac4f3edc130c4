"""Keys that are fetched (RFC 7517 section 5), and kept while they may be.

Requests wait for keys only when there are none that may be used; all of them wait for the same fetch.  Keys are
fetched again, beside the requests, before they are too old; and because a token names one that is unknown, but so
rarely that nobody can make us attack the issuer.  While that fails, the last good ones stay in use for a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from brrtrouter.providers.fetch import FetchError
from brrtrouter.providers.keys import KeyFault, KeySet, parse_jwks

logger = logging.getLogger("brrtrouter.security")

# From this part of their life on, keys are fetched again while they are still in use.
_EARLY: Final = 0.8


class Unavailable(Exception):
    """There are no keys; somebody may ask again after so many seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class KeySource(Protocol):
    """Where the keys of a scheme are from."""

    def usable(self) -> KeySet | None:
        """The keys, when they may be used without waiting for others."""

    def may_have_newer(self) -> bool:
        """Whether `newer` could find a key that is not among those that are usable."""

    async def obtain(self) -> KeySet:
        """The keys, after a fetch when there has to be one.  Raises Unavailable."""

    async def newer(self) -> KeySet:
        """The keys after a fetch for one that is unknown.  Raises Unavailable."""


class StaticKeys:
    """Keys that do not change."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    def usable(self) -> KeySet:
        """The keys."""
        return self._keys

    def may_have_newer(self) -> bool:
        """Never."""
        return False

    async def obtain(self) -> KeySet:
        """The keys."""
        return self._keys

    async def newer(self) -> KeySet:
        """The keys."""
        return self._keys


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long keys are used, in seconds: see `brrtrouter.credentials.Jwks`."""

    ttl: float
    cooldown: float
    stale: float


class FetchedKeys:
    """The keys behind an address.  `load` gets the document, `clock` never goes back."""

    def __init__(
        self,
        load: Callable[[], Awaitable[bytes]],
        max_keys: int,
        lifetimes: Lifetimes,
        clock: Callable[[], float],
        what: str,
    ) -> None:
        self._load = load
        self._max_keys = max_keys
        self._lifetimes = lifetimes
        self._clock = clock
        self._what = what
        self._keys: KeySet | None = None
        self._document = b""
        self._loaded = 0.0
        self._early = float("-inf")
        self._failures = 0
        self._retry = float("-inf")
        self._newer_from = float("-inf")
        # One for each event loop: tests and servers in threads have several.
        self._flights: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()

    def usable(self) -> KeySet | None:
        """The keys while they are not too old, or while others cannot be had; those are looked for all the time."""
        now = self._clock()
        if now < self._early:
            return self._keys
        lifetimes = self._lifetimes
        if self._keys is None or now - self._loaded >= (lifetimes.stale if self._failures else lifetimes.ttl):
            return None
        if now >= self._retry:
            self._flight()
        return self._keys

    def may_have_newer(self) -> bool:
        """Whether the last fetch for an unknown key was long enough ago, or one is under way."""
        now = self._clock()
        return (now >= self._newer_from and now >= self._retry) or self._under_way() is not None

    async def obtain(self) -> KeySet:
        """The keys, after a fetch when there has to be one.  Raises Unavailable."""
        keys = self.usable()
        if keys is not None:
            return keys
        if self._clock() >= self._retry:
            await asyncio.shield(self._flight())
        return self._any()

    async def newer(self) -> KeySet:
        """The keys after a fetch for one that is unknown; those there are while no fetch is allowed."""
        if self.may_have_newer():
            if self._under_way() is None:
                self._newer_from = self._clock() + self._lifetimes.cooldown
            await asyncio.shield(self._flight())
        return self._any()

    def _any(self) -> KeySet:
        now = self._clock()
        if self._keys is None or now - self._loaded >= max(self._lifetimes.stale, self._lifetimes.ttl):
            raise Unavailable(max(self._retry - now, 1.0))
        return self._keys

    def _under_way(self) -> asyncio.Task[None] | None:
        task = self._flights.get(asyncio.get_running_loop())
        return None if task is None or task.done() else task

    def _flight(self) -> asyncio.Task[None]:
        loop = asyncio.get_running_loop()
        task = self._under_way()
        if task is None:
            task = self._flights[loop] = loop.create_task(self._refresh())
        return task

    async def _refresh(self) -> None:
        """Fetch once; a failure is logged, and delays the next attempt more each time."""
        try:
            document = await self._load()
            keys = self._keys if document == self._document else parse_jwks(document, self._max_keys)
        except (FetchError, KeyFault) as error:
            self._failed(str(error))
            return
        except Exception as error:
            logger.exception("the keys of %s could not be fetched", self._what)
            self._failed(type(error).__name__)
            return
        self._keys, self._document = keys, document
        self._loaded = self._clock()
        self._early = self._loaded + self._lifetimes.ttl * _EARLY
        self._failures, self._retry = 0, float("-inf")

    def _failed(self, reason: str) -> None:
        wait = min(self._lifetimes.cooldown, 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._retry = self._clock() + wait
        use = "those there are stay in use" if self._keys else "there are none"
        logger.warning("the keys of %s could not be fetched, %s: %s", self._what, use, reason)
