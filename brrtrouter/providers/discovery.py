"""Where an issuer has what, by what it says of itself: OpenID Connect Discovery 1.0, RFC 8414."""

from __future__ import annotations

from typing import Protocol

from brrtrouter.credentials import Jwks
from brrtrouter.errors import ConfigError
from brrtrouter.outgoing.guard import Target
from brrtrouter.providers.fetch import FetchError, address, fetch
from brrtrouter.providers.token import strict_json


class Expected(Protocol):
    """The settings that a description is held against."""

    @property
    def iss(self) -> str: ...
    @property
    def max_bytes(self) -> int: ...
    @property
    def allow_http(self) -> bool: ...


async def described(target: Target, member: str, expected: Expected, timeout: float) -> Target:
    """The address that the description of an issuer at `target` has under a name.  Raises FetchError.

    It has to be the issuer that tokens are expected from (section 4.3), and the address is bound by the rules for every
    address: https, or of this machine.
    """
    raw = await fetch(target, timeout, expected.max_bytes)
    try:
        description = strict_json(raw)
    except (ValueError, RecursionError):
        raise FetchError("the description of the issuer is not JSON") from None
    if not isinstance(description, dict) or description.get("issuer") != expected.iss:
        raise FetchError("it describes another issuer than iss")
    try:
        return address(description.get(member), f"its {member}", expected.allow_http)
    except ConfigError as error:
        raise FetchError(str(error)) from None


async def discovered_keys(target: Target, settings: Jwks) -> bytes:
    """The JWK Set of the issuer that is described at `target`.  Raises FetchError."""
    keys = await described(target, "jwks_uri", settings, settings.fetch_timeout_secs)
    return await fetch(keys, settings.fetch_timeout_secs, settings.max_bytes)
