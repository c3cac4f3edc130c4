"""The short form of the settings for tokens of PropelAuth."""

from __future__ import annotations

from brrtrouter.config import PropelAuth
from brrtrouter.credentials import Jwks
from brrtrouter.providers.fetch import address
from brrtrouter.providers.jwt import JwtProvider


def propelauth_provider(settings: PropelAuth, where: str) -> JwtProvider:
    """A provider with the keys of a PropelAuth project.  Raises ConfigError for addresses that are none."""
    address(settings.auth_url, f"{where}.auth_url", allow_http=False)
    base = settings.auth_url.rstrip("/")
    long = Jwks(
        jwks_url=settings.jwks_url or f"{base}/.well-known/jwks.json",
        iss=settings.issuer or base,
        aud=settings.audience,
        leeway_secs=settings.leeway_secs,
        cache_ttl_secs=settings.cache_ttl_secs,
    )
    return JwtProvider(long, where)
