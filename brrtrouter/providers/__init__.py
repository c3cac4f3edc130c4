"""Providers that the configuration alone makes, by the type of the scheme."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from brrtrouter.config import Config
from brrtrouter.config.sections import capitals
from brrtrouter.errors import ConfigError
from brrtrouter.policy.security import ApiKeyProvider, SecurityProvider

if TYPE_CHECKING:
    from brrtrouter.spec.model import SecurityScheme


class _Kind(NamedTuple):
    """What an entry of a section makes: a class in a module here, of an extra, which has the section `spiffe` too."""

    module: str
    name: str
    extra: str = "auth"
    takes_spiffe: bool = False


_KINDS: Final[Mapping[str, _Kind]] = {
    "jwks": _Kind("jwt", "JwtProvider"),
    "introspection": _Kind("introspection", "IntrospectionProvider"),
    "spiffe": _Kind("spiffe", "SpiffeProvider", "spiffe", takes_spiffe=True),
    "basic": _Kind("basic", "BasicProvider"),
    "mutual_tls": _Kind("mutual_tls", "MutualTlsProvider", takes_spiffe=True),
    "remote_api_keys": _Kind("remote_keys", "RemoteKeyProvider"),
    "propelauth": _Kind("propelauth", "propelauth_provider"),
}
_TOKENS: Final = ("jwks", "introspection", "spiffe")
# The sections of the configuration that are for a type of scheme, the usual one first.
_BY_TYPE: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("apiKey", ""): ("remote_api_keys",),
    ("http", "bearer"): _TOKENS,
    ("oauth2", ""): _TOKENS,
    ("openIdConnect", ""): _TOKENS,
    ("http", "basic"): ("basic",),
    ("mutualTLS", ""): ("mutual_tls",),
}
_USUAL_KEY: Final = {"jwks": "jwks_url", "basic": "users", "mutual_tls": "uris"}


def provider_for(scheme: SecurityScheme, config: Config) -> SecurityProvider | None:
    """What verifies a scheme by the configuration; None when that says nothing about it.

    Raises ConfigError for keys or hashes that cannot be used, for a scheme that is configured twice, and for a package
    that is not installed.
    """
    sections = _sections(scheme)
    found = [section for section in sections if scheme.name in getattr(config.security, section)]
    own_keys = config.security.api_keys.keys() & {scheme.name, capitals(scheme.name)}
    places = [f"security.{section}.{scheme.name}" for section in found]
    if scheme.type == "apiKey" and own_keys:
        places.append(f"security.api_keys.{scheme.name}")
    if len(places) > 1:
        raise ConfigError(f"the security scheme {scheme.name!r} is configured twice: {', '.join(places)}")
    if found:
        return _make(_KINDS[found[0]], getattr(config.security, found[0])[scheme.name], places[0], config)
    if scheme.type == "apiKey":
        keys = config.api_keys(scheme.name)
        return ApiKeyProvider(*keys.named()) if keys else None
    if sections == _TOKENS and config.security.propelauth.auth_url:
        return _make(_KINDS["propelauth"], config.security.propelauth, "security.propelauth", config)
    return None


def how_to_set(scheme: SecurityScheme) -> str:
    """The key of the configuration that would make a provider for a scheme; "" when there is none."""
    section = next(iter(_sections(scheme)), "")
    key = _USUAL_KEY.get(section)
    return f"security.{section}.{scheme.name}.{key}" if key else ""


def _sections(scheme: SecurityScheme) -> tuple[str, ...]:
    return _BY_TYPE.get((scheme.type, scheme.http_scheme), ())


def _make(kind: _Kind, entry: object, where: str, config: Config) -> SecurityProvider:
    more: dict[str, Any] = {"spiffe": config.spiffe} if kind.takes_spiffe else {}
    try:
        found = import_module(f"brrtrouter.providers.{kind.module}")
        provider: SecurityProvider = getattr(found, kind.name)(entry, where, **more)
        return provider
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("brrtrouter"):
            raise
        raise ConfigError(f"{where} needs another package: pip install 'brrtrouter[{kind.extra}]'") from None
