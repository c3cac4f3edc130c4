"""API keys that another server is asked about."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from brrtrouter.config import RemoteKey
from brrtrouter.core.request import Request
from brrtrouter.errors import ConfigError
from brrtrouter.policy.security import Denial, Principal, Scheme, Verdict, challenge_for, credential
from brrtrouter.providers.answers import Answers, Said
from brrtrouter.providers.fetch import FetchError, address, ask
from brrtrouter.providers.token import frozen, strict_json

logger = logging.getLogger("brrtrouter.security")

# What can be the value of a header field (RFC 9110 section 5.5) without being changed on the way.
_VALUE: Final = re.compile(r"[\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")
_FIELD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Of 4xx those that say nothing about the key: they are about the way to the server, or come too often.
_NOT_ABOUT_KEYS: Final = frozenset({407, 408, 421, 425, 426, 429})
_SCOPES: Final = ("scope", "scp", "scopes")
_SUBJECTS: Final = ("sub", "subject")
_VALID: Final = ("valid", "active")


class RemoteKeyProvider:
    """Verifies the API keys of one scheme by asking; see `brrtrouter.config.RemoteKey` for what can be set.

    Raises ConfigError for settings that make no sense.  `monotonic` is the time by which answers grow old.
    """

    waits = True

    def __init__(
        self,
        settings: RemoteKey,
        where: str = "security.remote_api_keys",
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = address(settings.verify_url, f"{where}.verify_url", settings.allow_http)
        for name, text in (("send_as", settings.send_as), ("header_name", settings.header_name or "x")):
            if not _FIELD.fullmatch(text):
                raise ConfigError(f"{where}.{name} is not the name of a header field")
        self._settings = settings
        self._answers = Answers(settings, monotonic, "", where)

    def authenticate(self, request: Request, scheme: Scheme, scopes: Sequence[str]) -> Verdict | Awaitable[Verdict]:
        """The verdict, at once for a key that was asked about a moment ago.

        Principal has what an answer in JSON says: `sub` or `subject`, the scopes of `scope`, `scp` or `scopes`, all.
        """
        named = self._settings.header_name
        given = request.header(named) if named else credential(request, scheme)
        if given is None:
            return Denial("missing", self._wanted(scheme))
        # Header fields are octets, of which text was made as Latin-1; in a query it was UTF-8.
        octets = given.encode("utf-8" if scheme.location == "query" and not named else "latin-1")
        name = self._answers.hashed(octets)
        known = self._answers.known(name)
        if known is not None:
            return self._for_request(known, scheme, scopes)
        key = octets.decode("latin-1")
        if len(key) > self._settings.max_key or not _VALUE.fullmatch(key):
            return Denial("invalid", self._wanted(scheme))
        return self._find(name, key, scheme, scopes)

    async def _find(self, name: bytes, key: str, scheme: Scheme, scopes: Sequence[str]) -> Verdict:
        return self._for_request(await self._answers.find(name, partial(self._ask, key, scheme.name)), scheme, scopes)

    def _wanted(self, scheme: Scheme) -> str:
        named = self._settings.header_name
        return f'ApiKey in="header", name="{named}"' if named else challenge_for(scheme)

    def _for_request(self, verdict: Verdict, scheme: Scheme, scopes: Sequence[str]) -> Verdict:
        if isinstance(verdict, Denial):
            return replace(verdict, challenge=self._wanted(scheme))
        return verdict if verdict.scopes.issuperset(scopes) else Denial("scope", self._wanted(scheme))

    async def _ask(self, key: str, name: str) -> Said:
        settings = self._settings
        headers = [(settings.send_as, key)]
        answer = await ask(self._target, settings.timeout_ms / 1000, settings.max_bytes, headers=headers)
        if 200 <= answer.status < 300:
            return Said(_meaning(answer.body, name), math.inf)
        if 400 <= answer.status < 500 and answer.status not in _NOT_ABOUT_KEYS:
            return Said(Denial("invalid", ""), math.inf)
        raise FetchError(f"the answer was {answer.status}")


def _meaning(body: bytes, name: str) -> Verdict:
    """What the body of a 2xx says about the key; one that is no JSON object says nothing but that it is good."""
    try:
        found = strict_json(body)
    except (ValueError, RecursionError):
        return Principal(name)
    if not isinstance(found, dict):
        return Principal(name)
    if any(found.get(each, True) is not True for each in _VALID):
        return Denial("invalid", "")
    subject = next((found[each] for each in _SUBJECTS if isinstance(found.get(each), str)), name)
    scopes = frozenset(scope for each in _SCOPES for scope in _texts(found.get(each)))
    return Principal(subject, scopes, frozen(found))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
