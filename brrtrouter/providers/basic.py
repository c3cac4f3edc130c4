"""HTTP basic (RFC 7617) with passwords that are kept as Argon2 hashes (RFC 9106)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import Argon2Error, InvalidHashError

from brrtrouter.core.request import Request
from brrtrouter.credentials import Basic
from brrtrouter.errors import ConfigError
from brrtrouter.policy.security import Denial, Principal, Scheme, Verdict
from brrtrouter.providers.recent import Recent

_CHALLENGE: Final = 'Basic realm="api", charset="UTF-8"'
_MISSING: Final = Denial("missing", _CHALLENGE)
_INVALID: Final = Denial("invalid", _CHALLENGE)
_MALFORMED: Final = Denial("malformed", _CHALLENGE)
_BUSY: Final = Denial("unavailable", _CHALLENGE, 1.0)


class BasicProvider:
    """Verifies user names and passwords of one scheme; see `brrtrouter.credentials.Basic`.

    Argon2 takes its time and memory, so it runs in threads of its own, once for requests that come together, and a
    password that was right is remembered for a while, as a keyed hash.  Raises ConfigError for what is no Argon2 hash.
    """

    waits = True

    def __init__(
        self, settings: Basic, where: str = "security.basic", *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._users = {user: _checked(text, f"{where}.users.{user}") for user, text in settings.users.items()}
        # For users that are not there, so that they take as long as those who are.
        self._nobody = _like(next(iter(self._users.values())))
        self._ttl = settings.cache_ttl_secs
        self._waiting = settings.waiting
        self._clock = monotonic
        self._secret = secrets.token_bytes(32)
        self._right: Recent[bytes, tuple[float, Principal]] = Recent(settings.cache_size)
        self._under_way: dict[bytes, Future[Principal | None]] = {}
        self._threads = settings.threads
        self._pool: ThreadPoolExecutor | None = None

    def authenticate(self, request: Request, scheme: Scheme, scopes: Sequence[str]) -> Verdict | Awaitable[Verdict]:
        """Principal with the user as its subject; at once for a password that was right a moment ago."""
        value = request.header("authorization")
        if value is None:
            return _MISSING
        kind, _, encoded = value.partition(" ")
        encoded = encoded.strip(" ")
        if kind.lower() != "basic" or not encoded:
            return _MISSING
        try:
            user, colon, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, ValueError):
            return _MALFORMED
        if not colon:
            return _MALFORMED
        key = hashlib.blake2b(f"{user}:{password}".encode(), key=self._secret, digest_size=32).digest()
        known = self._right.get(key)
        if known is not None and self._clock() < known[0]:
            return _allowed(known[1], scopes)
        return self._verify(key, user, password, scopes)

    async def _verify(self, key: bytes, user: str, password: str, scopes: Sequence[str]) -> Verdict:
        future = self._under_way.get(key)
        if future is None:
            if len(self._under_way) >= self._waiting:
                return _BUSY
            future = self._under_way[key] = self._executor().submit(self._look, key, user, password)
            future.add_done_callback(lambda done: self._under_way.pop(key, None))
        principal = await asyncio.shield(asyncio.wrap_future(future))
        return _INVALID if principal is None else _allowed(principal, scopes)

    def _executor(self) -> ThreadPoolExecutor:
        # Made when it is needed: threads of a process that is forked into workers are not theirs.
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, "brrtrouter-basic")
        return self._pool

    def _look(self, key: bytes, user: str, password: str) -> Principal | None:
        """Verify a password, in a thread; one that is right is remembered before anybody hears of it."""
        known = self._users.get(user)
        try:
            PasswordHasher().verify(known or self._nobody, password)
        except (Argon2Error, ValueError):
            return None
        if known is None:
            return None
        principal = Principal(user)
        self._right.put(key, (self._clock() + self._ttl, principal))
        return principal


def _allowed(principal: Principal, scopes: Sequence[str]) -> Verdict:
    # A user has no scopes: an operation that lists some wants another kind of credential.
    return Denial("scope", _CHALLENGE) if scopes else principal


def _checked(text: str, where: str) -> str:
    try:
        extract_parameters(text)
        return text
    except InvalidHashError:
        raise ConfigError(f"{where} is not an Argon2 hash ($argon2id$...)") from None


def _like(text: str) -> str:
    """The hash of a password that nobody knows, as costly as another one."""
    return PasswordHasher.from_parameters(extract_parameters(text)).hash(secrets.token_hex(16))
