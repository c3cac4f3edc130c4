"""What another server has said about credentials: one question for all who ask at one time, and bounded memory.

Keys, which hold for long, are known by keyed hashes only.  A failure of that server is never remembered as a refusal:
while it is away what is known may stay in use for a while, and of the rest nobody can tell (503).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from brrtrouter.policy.security import Denial, Principal, Verdict
from brrtrouter.providers.fetch import FetchError, Unreachable
from brrtrouter.providers.recent import Recent

logger = logging.getLogger("brrtrouter.security")

# So many questions in a row stay without an answer before the next ones have to wait.
_PATIENCE: Final = 3


class Said(NamedTuple):
    """An answer, and for how many seconds it holds at most."""

    verdict: Verdict
    holds: float


class _Known(NamedTuple):
    """An answer; until when it is good, and until when while the server is away."""

    fresh: float
    usable: float
    verdict: Verdict


class Terms(Protocol):
    """How long answers are known, and how much is asked: see `brrtrouter.config.Introspection`."""

    @property
    def cache_size(self) -> int: ...
    @property
    def cache_ttl_secs(self) -> float: ...
    @property
    def negative_ttl_secs(self) -> float: ...
    @property
    def stale_secs(self) -> float: ...
    @property
    def concurrent(self) -> int: ...
    @property
    def cooldown_secs(self) -> float: ...


class Answers:
    """The answers of one server.  `clock` never goes back; `challenge` is of those whom nobody can judge now."""

    def __init__(self, terms: Terms, clock: Callable[[], float], challenge: str, what: str) -> None:
        self._terms = terms
        self._clock = clock
        self._challenge = challenge
        self._what = what
        self._secret = secrets.token_bytes(32)
        self._known: Recent[str | bytes, _Known] = Recent(terms.cache_size)
        self._failures = 0
        self._retry = float("-inf")
        # One table for each event loop: tests and servers in threads have several.
        self._flights: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str | bytes, asyncio.Task[Verdict]]]
        self._flights = WeakKeyDictionary()

    def hashed(self, credential: bytes) -> bytes:
        """A name for a credential that tells nobody what it is."""
        # The secret in front is as good as BLAKE2's own way to have a key, and a short credential is one block with it.
        return hashlib.blake2b(self._secret + credential).digest()

    def known(self, name: str | bytes) -> Verdict | None:
        """What was said a moment ago; None when it has to be asked."""
        found = self._known.get(name)
        return found.verdict if found is not None and self._clock() < found.fresh else None

    async def find(self, name: str | bytes, ask: Callable[[], Awaitable[Said]]) -> Verdict:
        """What `ask` says, which raises FetchError; once for all who want to know the same at one time."""
        loop = asyncio.get_running_loop()
        flights = self._flights.setdefault(loop, {})
        task = flights.get(name)
        if task is None:
            wait = self._retry - self._clock()
            if wait > 0 or len(flights) >= self._terms.concurrent:
                return self._otherwise(name, max(wait, 1.0))
            task = flights[name] = loop.create_task(self._ask(name, ask))
            task.add_done_callback(lambda done: flights.pop(name, None))
        return await asyncio.shield(task)

    async def _ask(self, name: str | bytes, ask: Callable[[], Awaitable[Said]]) -> Verdict:
        try:
            verdict, holds = await ask()
        except FetchError as error:
            logger.warning("%s: no answer about a credential: %s", self._what, error)
            return self._otherwise(name, self._failed(error))
        except Exception:
            logger.exception("%s could not be asked", self._what)
            return self._otherwise(name, 1.0)
        self._failures, self._retry = 0, float("-inf")
        terms, now, good = self._terms, self._clock(), isinstance(verdict, Principal)
        fresh = now + min(terms.cache_ttl_secs if good else terms.negative_ttl_secs, holds)
        self._known.put(name, _Known(fresh, min(fresh + terms.stale_secs, now + holds) if good else fresh, verdict))
        return verdict

    def _failed(self, error: FetchError) -> float:
        """How long to wait.  Only what is no answer counts: one credential must not close the way for others."""
        if not isinstance(error, Unreachable):
            return 1.0
        self._failures += 1
        wait = min(self._terms.cooldown_secs, 2.0 ** min(self._failures - _PATIENCE, 10))
        if self._failures >= _PATIENCE:
            self._retry = self._clock() + wait
        return max(wait, 1.0)

    def _otherwise(self, name: str | bytes, retry_after: float) -> Verdict:
        found = self._known.get(name)
        if found is not None and self._clock() < found.usable:
            return found.verdict
        return Denial("unavailable", self._challenge, retry_after)
