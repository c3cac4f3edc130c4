"""Bearer tokens that their server is asked about (RFC 7662): opaque ones, and those that may be taken back."""

from __future__ import annotations

import base64
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from brrtrouter.config import Introspection
from brrtrouter.core.request import Request
from brrtrouter.errors import ConfigError
from brrtrouter.outgoing.guard import Target
from brrtrouter.policy.security import Denial, Principal, Scheme, Verdict
from brrtrouter.providers.answers import Answers, Said
from brrtrouter.providers.bearer import INVALID, MISSING, REALM, allowed, token_in
from brrtrouter.providers.discovery import described
from brrtrouter.providers.fetch import FetchError, address, ask
from brrtrouter.providers.token import Expected, TokenError, frozen, scopes_of, strict_json, when_and_whom

logger = logging.getLogger("brrtrouter.security")

_REFUSED: Final = Said(INVALID, math.inf)


class IntrospectionProvider:
    """Verifies the bearer tokens of one scheme by asking; see `brrtrouter.config.Introspection` for what can be set.

    Raises ConfigError for settings that make no sense.  `wall` is the time that claims are about, `monotonic` that by
    which answers grow old.
    """

    waits = True

    def __init__(
        self,
        settings: Introspection,
        where: str = "security.introspection",
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        named, url = ("url", settings.url) if settings.url else ("discovery_url", settings.discovery_url)
        target = address(url, f"{where}.{named}", settings.allow_http)
        self._settings = settings
        self._discovery = target if settings.discovery_url else None
        self._endpoint: Target | None = None if settings.discovery_url else target
        self._endpoint_until = -math.inf
        self._headers, self._form = _authentication(settings, where)
        self._expected = Expected(settings.iss, frozenset(settings.aud), settings.leeway_secs)
        self._wall, self._clock = wall, monotonic
        self._answers = Answers(settings, monotonic, REALM, where)

    def authenticate(self, request: Request, scheme: Scheme, scopes: Sequence[str]) -> Verdict | Awaitable[Verdict]:
        """The verdict, at once for a token that was asked about a moment ago.

        Principal has the member `sub` of the answer, else `client_id`; the scopes of `scope`; and the whole answer.
        """
        value = request.header("authorization")
        if value is None:
            return MISSING
        known = self._answers.known(value)
        if known is not None:
            return allowed(known, scopes) if isinstance(known, Principal) else known
        token = token_in(value)
        if isinstance(token, Denial):
            return token
        # Characters of a token (RFC 6750 section 2.1): nothing else is worth a question.
        if len(token) > self._settings.max_token or not token.isascii() or not token.isprintable() or " " in token:
            return INVALID
        return self._find(value, token, scopes)

    async def _find(self, value: str, token: str, scopes: Sequence[str]) -> Verdict:
        found = await self._answers.find(value, partial(self._ask, token))
        return allowed(found, scopes) if isinstance(found, Principal) else found

    async def _ask(self, token: str) -> Said:
        settings = self._settings
        content = urlencode({"token": token, "token_type_hint": "access_token", **self._form}).encode()
        endpoint = await self._target()
        answer = await ask(endpoint, settings.timeout_secs, settings.max_bytes, headers=self._headers, content=content)
        if answer.status != 200:
            raise FetchError(f"the answer was {answer.status}")
        return self._judged(answer.body)

    async def _target(self) -> Target:
        """The endpoint; one that was found stays in use while the issuer does not say where it is now."""
        if self._discovery is not None and self._clock() >= self._endpoint_until:
            settings = self._settings
            try:
                found = await described(self._discovery, "introspection_endpoint", settings, settings.timeout_secs)
            except FetchError as error:
                if self._endpoint is None:
                    raise
                logger.warning("the introspection endpoint that is known stays in use: %s", error)
            else:
                self._endpoint, self._endpoint_until = found, self._clock() + settings.discovery_ttl_secs
        assert self._endpoint is not None
        return self._endpoint

    def _judged(self, body: bytes) -> Said:
        """What an answer means.  Raises FetchError for what is none (section 2.2)."""
        try:
            claims = strict_json(body)
        except (ValueError, RecursionError):
            raise FetchError("the answer is not JSON") from None
        if not isinstance(claims, dict) or not isinstance(claims.get("active"), bool):
            raise FetchError("the answer has no 'active'")
        if not claims["active"]:
            return _REFUSED
        now = self._wall()
        try:
            _check_kind(claims)
            until = when_and_whom(claims, self._expected, now)
        except TokenError as error:
            logger.debug("a token is refused: %s", error)
            return _REFUSED
        subject = claims.get("sub", claims.get("client_id"))
        principal = Principal(subject if isinstance(subject, str) else None, scopes_of(claims), frozen(claims))
        return Said(principal, math.inf if until is None else until - now)


def _check_kind(claims: Mapping[str, Any]) -> None:
    """Refuses what is no bearer token: bound to a key of its holder (RFC 7800, RFC 9449), or for the token server."""
    if "cnf" in claims or str(claims.get("token_type", "")).lower() in ("dpop", "pop", "mac"):
        raise TokenError("it is bound to a key of its holder")
    if claims.get("token_use", "access_token") not in ("access_token", "access"):
        raise TokenError("it is no access token")


def _authentication(settings: Introspection, where: str) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """The header fields and the members of the form that say who we are."""
    secret = settings.client_secret
    if settings.client_secret_file:
        try:
            secret = Path(settings.client_secret_file).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise ConfigError(f"{where}.client_secret_file: {settings.client_secret_file}: {reason}") from None
        if not secret:
            raise ConfigError(f"{where}.client_secret_file: {settings.client_secret_file} is empty")
    headers = [("Content-Type", "application/x-www-form-urlencoded")]
    if settings.client_auth == "post":
        return headers, {"client_id": settings.client_id, "client_secret": secret}
    pair = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}"  # RFC 6749 section 2.3.1
    return [*headers, ("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")], {}
