"""Counts in Redis or Valkey, shared by all workers and machines: one script, one round trip, by the server's clock."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from brrtrouter import config
from brrtrouter.errors import ConfigError
from brrtrouter.guards.counts import SLOTS, Memory, Quota, StorageAway, Usage

logger = logging.getLogger("brrtrouter.limits")

# The same as `counts.Memory`, in milliseconds: a hash of slots and their counts.
SCRIPT: Final = """
local limit, window, slots = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local cost, now = tonumber(ARGV[4]), tonumber(ARGV[5])
if now < 0 then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local slot = math.floor(now * slots / window)
local total, moved, oldest = 0, 0, slot
local counts = redis.call('HGETALL', KEYS[1])
for i = 1, #counts, 2 do
    local at, count = tonumber(counts[i]), tonumber(counts[i + 1])
    if at < slot - slots then
        redis.call('HDEL', KEYS[1], counts[i])
    elseif at > slot then
        redis.call('HDEL', KEYS[1], counts[i])
        moved = moved + count
        total = total + count
    else
        total = total + count
        if at < oldest then oldest = at end
    end
end
local allowed = 0
if total + math.max(cost, 1) <= limit then
    allowed = 1
    total = total + cost
    moved = moved + cost
end
if moved > 0 then
    redis.call('HINCRBY', KEYS[1], string.format('%.0f', slot), moved)
    redis.call('PEXPIRE', KEYS[1], math.ceil(window * (slots + 2) / slots))
end
return {allowed, limit - total, math.ceil((oldest + slots + 1) * window / slots - now)}
"""
_SCHEMES: Final = {
    "redis": "redis",
    "rediss": "rediss",
    "unix": "unix",
    "valkey": "redis",
    "valkeys": "rediss",
}
_CONNECTIONS: Final = 64
_REST: Final = 1.0  # seconds in which a storage that has failed is not asked


class Shared:
    """Counts at `rate_limit.storage`.

    While it cannot be reached, `rate_limit.on_failure` says what holds; it is asked again every second.  clock: gives
    seconds in place of the server's clock.  Raises ConfigError: no such URL, or the package redis is missing.
    """

    def __init__(self, settings: config.RateLimit, clock: Callable[[], float] | None = None) -> None:
        scheme, colon, rest = settings.storage.partition("://")
        if not colon or scheme not in _SCHEMES:
            raise ConfigError(f"rate_limit.storage is no URL that begins with {', '.join(_SCHEMES)} and ://")
        try:
            from redis import asyncio as client
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff
        except ImportError:
            raise ConfigError(
                "rate_limit.storage: the package redis is missing: pip install 'brrtrouter[rate-limit]'"
            ) from None
        self._client = client
        self._options = {
            "socket_timeout": settings.timeout,
            "socket_connect_timeout": settings.timeout,
            "retry": Retry(NoBackoff(), 0),
        }
        self._url = f"{_SCHEMES[scheme]}://{rest}"
        try:
            self._pool()
        except ValueError:  # which may quote a part of the URL, and that a password
            raise ConfigError("rate_limit.storage is no URL: host, port or number cannot be read") from None
        self._settings = settings
        self._clock = clock
        self._own = Memory(settings.max_keys)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._script: Any = None
        self._redis: Any = None
        self._away_until = 0.0
        self._away = False

    def _pool(self) -> Any:
        # A wait for one of its connections is a part of the time that a count may take.
        return self._client.BlockingConnectionPool.from_url(
            self._url, max_connections=_CONNECTIONS, timeout=None, **self._options
        )

    async def use(self, name: str, client: str, quota: Quota, cost: int) -> Usage | None:
        """See `Storage`."""
        if self._away and time.monotonic() < self._away_until:
            return self._without(name, client, quota, cost)
        digest = hashlib.blake2b(f"{name}\0{client}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        now = -1 if self._clock is None else int(self._clock() * 1000)
        arguments = (quota.requests, quota.window * 1000, SLOTS, cost, now)
        try:
            asking = self._connected()(keys=[f"{self._settings.prefix}:{digest}"], args=arguments)
            allowed, remaining, reset = await asyncio.wait_for(asking, self._settings.timeout)
        except (self._client.RedisError, OSError, TimeoutError, asyncio.TimeoutError) as error:
            self._fail(error)
            return self._without(name, client, quota, cost)
        if self._away:
            self._away = False
            logger.warning("rate limits: the storage answers again")
        return Usage(bool(allowed), remaining, reset / 1000)

    def _connected(self) -> Any:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # Connections belong to a loop: those of one that has ended, or of the process before a fork, are no use.
            self._loop = loop
            self._redis = self._client.Redis.from_pool(self._pool())
            self._script = self._redis.register_script(SCRIPT)
        return self._script

    def _fail(self, error: BaseException) -> None:
        if not self._away:
            held = {"memory": "each process counts for itself", "closed": "requests are refused"}
            instead = held.get(self._settings.on_failure, "there is no limit")
            reason = str(error) or type(error).__name__
            logger.error("rate limits: the storage does not answer (%s): %s until it does", reason, instead)
        self._away = True
        self._away_until = time.monotonic() + _REST

    def _without(self, name: str, client: str, quota: Quota, cost: int) -> Usage | None:
        if self._settings.on_failure == "memory":
            return self._own.use(name, client, quota, cost)
        if self._settings.on_failure == "open":
            return None
        raise StorageAway

    async def aclose(self) -> None:
        """Close the connections of this loop."""
        if self._redis is not None and self._loop is asyncio.get_running_loop():
            await self._redis.aclose()
        self._redis = self._loop = None
