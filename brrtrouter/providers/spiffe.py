"""JWT-SVIDs as bearer tokens, verified by the bundles that the SPIFFE Workload API pushes (SPIFFE JWT-SVID 1.0)."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from brrtrouter.config import Spiffe, SpiffeTokens
from brrtrouter.core.request import Request
from brrtrouter.errors import ConfigError
from brrtrouter.policy.security import Denial, Principal, Scheme, Verdict
from brrtrouter.providers.bearer import FORBIDDEN, INVALID, MISSING, REALM, allowed, token_in
from brrtrouter.providers.keys import KeyFault, KeySet, VerifyingKey, of_public_key
from brrtrouter.providers.mutual_tls import Below
from brrtrouter.providers.recent import Recent
from brrtrouter.providers.token import Expected, Parsed, TokenError, claims_of, frozen, parse, scopes_of
from brrtrouter.workload import Watch

logger = logging.getLogger("brrtrouter.security")

_ALGORITHMS: Final = SpiffeTokens().algorithms  # section 3.1: no other may be taken
_TYPES: Final = (None, "JWT", "JOSE")  # section 3.3
_SPIFFE: Final = "spiffe://"
_RETRY: Final = 1.0
# SPIFFE-ID sections 2.1 to 2.3.  Stricter than that of the package, which takes a line feed at the end.
_ID: Final = re.compile(r"spiffe://([a-z0-9._-]{1,255})(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)+")
_ID_SIZE: Final = 2048

# The keys of each trust domain that tokens are taken from.
Bundles = Mapping[str, KeySet]


class _Verified(NamedTuple):
    """A token that was good: until when, by which bundles, and whose."""

    until: float
    bundles: Bundles
    verdict: Verdict


class SpiffeProvider:
    """Verifies the JWT-SVIDs of one scheme; see `brrtrouter.config.SpiffeTokens` for what can be set.

    Raises ConfigError for settings that make no sense.  `wall` is the time that claims are about.  The Workload API is
    followed from the first token on, in a thread of the process that serves.
    """

    waits = True

    def __init__(
        self,
        settings: SpiffeTokens,
        where: str = "security.spiffe",
        *,
        spiffe: Spiffe,
        wall: Callable[[], float] = time.time,
    ) -> None:
        for name in settings.algorithms:
            if name not in _ALGORITHMS:
                raise ConfigError(f"{where}.algorithms: {name!r} is not one of {', '.join(_ALGORITHMS)}")
        self._algorithms = frozenset(settings.algorithms)
        self._domains = frozenset(domain.lower().removeprefix(_SPIFFE) for domain in settings.trust_domains)
        for pattern in settings.allowed_ids:
            domain = pattern.removeprefix(_SPIFFE).partition("/")[0]
            if not pattern.startswith(_SPIFFE) or domain not in self._domains:
                raise ConfigError(f"{where}.allowed_ids: {pattern!r} is no id of one of trust_domains")
        self._ids = Below(settings.allowed_ids or [f"{_SPIFFE}{domain}/*" for domain in self._domains])
        self._expected = Expected("", frozenset(settings.audiences), settings.leeway_secs)
        self._limit, self._wait = settings.max_token, settings.wait_secs
        self._wall = wall
        self._watch: Watch[Bundles] = Watch(spiffe, "stream_jwt_bundles", self._bundles, where)
        self._verified: Recent[str, _Verified] = Recent(settings.token_cache)

    def close(self) -> None:
        """Follow the Workload API no longer."""
        self._watch.close()

    def authenticate(self, request: Request, scheme: Scheme, scopes: Sequence[str]) -> Verdict | Awaitable[Verdict]:
        """The verdict, at once unless no bundle has come yet.

        Principal has the SPIFFE id as its subject, the scopes of `scope` and `scp`, and all claims.
        """
        value = request.header("authorization")
        if value is None:
            return MISSING
        known = self._verified.get(value)
        if known is not None and known.until > self._wall() and known.bundles is self._watch.value:
            return _scoped(known.verdict, scopes)
        token = token_in(value)
        if isinstance(token, Denial):
            return token
        try:
            parsed = parse(token, self._limit, types=_TYPES)
            if parsed.alg not in self._algorithms:
                raise TokenError("its alg is not one that is taken")
        except TokenError as error:
            return _refused(error)
        bundles = self._watch.value
        if bundles is None:
            return self._later(value, parsed, scopes)
        return self._verdict(value, parsed, scopes, bundles)

    async def _later(self, value: str, token: Parsed, scopes: Sequence[str]) -> Verdict:
        bundles = await self._watch.first(self._wait)
        if bundles is None:
            return Denial("unavailable", REALM, _RETRY)
        return self._verdict(value, token, scopes, bundles)

    def _verdict(self, value: str, token: Parsed, scopes: Sequence[str], bundles: Bundles) -> Verdict:
        try:
            domains = [domain for domain, keys in bundles.items() if keys.signed(token)]
            if not domains:
                raise TokenError("its signature is not by a key of a trust domain")
            now = self._wall()
            claims, until = claims_of(token.payload, self._expected, now)
            identity = _identity(claims, domains)
            if claims.get("iat", now) > now + self._expected.leeway:
                raise TokenError("it was made in the future")
        except TokenError as error:
            return _refused(error)
        found = Principal(identity, scopes_of(claims), frozen(claims)) if self._ids.has(identity) else FORBIDDEN
        self._verified.put(value, _Verified(until, bundles, found))
        return _scoped(found, scopes)

    def _bundles(self, update: Any) -> Bundles:
        """The keys of the trust domains that are taken, from what the Workload API has pushed; in its thread."""
        found: dict[str, KeySet] = {}
        for bundle in update.bundles:
            domain = bundle.trust_domain.name
            if domain in self._domains:
                keys = [_if_usable(domain, kid, public) for kid, public in bundle.jwt_authorities.items()]
                found[domain] = KeySet([key for key in keys if key is not None])
        return found


def _if_usable(domain: str, kid: str, public: Any) -> VerifyingKey | None:
    try:
        return of_public_key(public, kid)
    except KeyFault as fault:
        logger.warning("a key of the trust domain %s is not used: %s", domain, fault)
        return None


def _identity(claims: Mapping[str, Any], domains: Sequence[str]) -> str:
    """The SPIFFE id of a token, which has to be of the trust domain whose key has signed it (section 3)."""
    identity = str(claims.get("sub", ""))
    found = _ID.fullmatch(identity)
    if found is None or len(identity) > _ID_SIZE:
        raise TokenError("sub is no SPIFFE id")
    if found[1] not in domains:
        raise TokenError("sub is no id of the trust domain that has signed it")
    return identity


def _scoped(verdict: Verdict, scopes: Sequence[str]) -> Verdict:
    return allowed(verdict, scopes) if isinstance(verdict, Principal) else verdict


def _refused(error: TokenError) -> Denial:
    logger.debug("a token is refused: %s", error)
    return INVALID
