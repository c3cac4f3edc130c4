"""Where an issuer has its keys, by what it says of itself: OpenID Connect Discovery 1.0, RFC 8414."""

from __future__ import annotations

from brrtrouter.credentials import Jwks
from brrtrouter.errors import ConfigError
from brrtrouter.outgoing.guard import Target
from brrtrouter.providers.fetch import FetchError, address, fetch
from brrtrouter.providers.token import strict_json


async def discovered_keys(target: Target, settings: Jwks) -> bytes:
    """The JWK Set of the issuer that is described at `target`.  Raises FetchError.

    It has to be the issuer that tokens are expected from (section 4.3), and its keys are bound by the rules for every
    address: https, or of this machine.
    """
    raw = await fetch(target, settings.fetch_timeout_secs, settings.max_bytes)
    try:
        described = strict_json(raw)
    except (ValueError, RecursionError):
        raise FetchError("the description of the issuer is not JSON") from None
    if not isinstance(described, dict) or described.get("issuer") != settings.iss:
        raise FetchError("it describes another issuer than iss")
    try:
        keys = address(described.get("jwks_uri"), "its jwks_uri", settings.allow_http)
    except ConfigError as error:
        raise FetchError(str(error)) from None
    return await fetch(keys, settings.fetch_timeout_secs, settings.max_bytes)
