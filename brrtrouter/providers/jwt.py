"""Bearer tokens that are JWTs (RFC 6750, RFC 7519), verified by keys that are fetched or in a file."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple

from brrtrouter.core.request import Request
from brrtrouter.credentials import Jwks
from brrtrouter.errors import ConfigError
from brrtrouter.policy.security import Denial, Principal, Scheme, Verdict
from brrtrouter.providers.bearer import INVALID, MISSING, REALM, allowed, token_in
from brrtrouter.providers.discovery import discovered_keys
from brrtrouter.providers.fetch import address, fetch
from brrtrouter.providers.jwks import FetchedKeys, KeySource, Lifetimes, StaticKeys, Unavailable
from brrtrouter.providers.keys import ALGORITHMS, KeySet, read_keys
from brrtrouter.providers.recent import Recent
from brrtrouter.providers.token import Expected, Parsed, TokenError, claims_of, frozen, parse, scopes_of

logger = logging.getLogger("brrtrouter.security")


class _Verified(NamedTuple):
    """A token that was good: until when, by which keys, and whose."""

    until: float
    keys: KeySet
    principal: Principal


class JwtProvider:
    """Verifies the bearer tokens of one scheme; see `brrtrouter.credentials.Jwks` for what can be set.

    Raises ConfigError for settings that make no sense.  `wall` is the time that claims are about, `monotonic` that by
    which fetched keys grow old.
    """

    waits = True

    def __init__(
        self,
        settings: Jwks,
        where: str = "security.jwks",
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._algorithms = _checked_algorithms(settings, where)
        self._expected = Expected(settings.iss, frozenset(settings.aud), settings.leeway_secs)
        self._limit = settings.max_token
        self._wall = wall
        self._source = _source(settings, where, monotonic)
        self._verified: Recent[str, _Verified] = Recent(settings.token_cache)
        if not settings.aud:
            logger.warning("%s has no aud: tokens that were made for other services are taken too", where)

    def authenticate(self, request: Request, scheme: Scheme, scopes: Sequence[str]) -> Verdict | Awaitable[Verdict]:
        """The verdict, at once unless keys have to be fetched for it.

        Principal has the claim `sub`, the scopes of `scope` and `scp`, and all claims, which nobody can change.
        """
        value = request.header("authorization")
        if value is None:
            return MISSING
        known = self._verified.get(value)
        if known is not None and known.until > self._wall() and known.keys is self._source.usable():
            return allowed(known.principal, scopes)
        return self._judge(value, scopes)

    def _judge(self, value: str, scopes: Sequence[str]) -> Verdict | Awaitable[Verdict]:
        token = token_in(value)
        if isinstance(token, Denial):
            return token
        try:
            parsed = parse(token, self._limit)
            if parsed.alg not in self._algorithms:
                raise TokenError("its alg is not one that is taken")
        except TokenError as error:
            return _refused(error)
        keys = self._source.usable()
        if keys is None or self._needs_newer(keys, parsed):
            return self._later(value, parsed, scopes)
        return self._verdict(value, parsed, scopes, keys)

    def _needs_newer(self, keys: KeySet, token: Parsed) -> bool:
        return token.kid is not None and not keys.candidates(token) and self._source.may_have_newer()

    async def _later(self, value: str, token: Parsed, scopes: Sequence[str]) -> Verdict:
        there = self._source.usable()
        try:
            keys = await self._source.obtain()
            # What has just been fetched has no newer key.
            if there is not None and self._needs_newer(keys, token):
                keys = await self._source.newer()
        except Unavailable as error:
            return Denial("unavailable", REALM, error.retry_after)
        known = self._verified.get(value)
        if known is not None and known.until > self._wall() and known.keys is keys:
            return allowed(known.principal, scopes)
        return self._verdict(value, token, scopes, keys)

    def _verdict(self, value: str, token: Parsed, scopes: Sequence[str], keys: KeySet) -> Verdict:
        try:
            keys.verify(token)
            claims, until = claims_of(token.payload, self._expected, self._wall())
        except TokenError as error:
            return _refused(error)
        principal = Principal(claims.get("sub"), scopes_of(claims), frozen(claims))
        self._verified.put(value, _Verified(until, keys, principal))
        return allowed(principal, scopes)


def _refused(error: TokenError) -> Denial:
    logger.debug("a token is refused: %s", error)
    return INVALID


def _checked_algorithms(settings: Jwks, where: str) -> frozenset[str]:
    for name in settings.algorithms:
        if name not in ALGORITHMS:
            raise ConfigError(f"{where}.algorithms: {name!r} is not one of {', '.join(ALGORITHMS)}")
        if ALGORITHMS[name][0] == "oct" and not settings.keys_file:
            raise ConfigError(f"{where}.algorithms: {name} needs a shared secret, which only a keys_file has")
    if not settings.algorithms:
        raise ConfigError(f"{where}.algorithms is empty")
    return frozenset(settings.algorithms)


def _source(settings: Jwks, where: str, clock: Callable[[], float]) -> KeySource:
    if settings.keys_file:
        return StaticKeys(read_keys(settings.keys_file, settings.max_keys, where))
    load: Callable[[], Awaitable[bytes]]
    if settings.discovery_url:
        target = address(settings.discovery_url, f"{where}.discovery_url", settings.allow_http)
        load = partial(discovered_keys, target, settings)
    else:
        target = address(settings.jwks_url, f"{where}.jwks_url", settings.allow_http)
        load = partial(fetch, target, settings.fetch_timeout_secs, settings.max_bytes)
    lifetimes = Lifetimes(settings.cache_ttl_secs, settings.cooldown_secs, settings.stale_secs)
    return FetchedKeys(load, settings.max_keys, lifetimes, clock, target.url)
