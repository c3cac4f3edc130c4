"""Providers that the configuration alone makes, by the type of the scheme."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

from brrtrouter.config import Config
from brrtrouter.errors import ConfigError
from brrtrouter.policy.security import ApiKeyProvider, SecurityProvider

if TYPE_CHECKING:
    from brrtrouter.spec.model import SecurityScheme

INSTALL: Final = "needs another package: pip install 'brrtrouter[auth]'"
# The section of the configuration, and the class in the module here that is made from an entry of it.
_TOKENS: Final = ("jwks", "jwt", "JwtProvider")
_BY_TYPE: Final[Mapping[tuple[str, str], tuple[str, str, str]]] = {
    ("http", "bearer"): _TOKENS,
    ("oauth2", ""): _TOKENS,
    ("openIdConnect", ""): _TOKENS,
    ("http", "basic"): ("basic", "basic", "BasicProvider"),
}


def provider_for(scheme: SecurityScheme, config: Config) -> SecurityProvider | None:
    """What verifies a scheme by the configuration; None when that says nothing about it.

    Raises ConfigError for keys or hashes that cannot be used, and for a package that is not installed.
    """
    if scheme.type == "apiKey":
        keys = config.api_keys(scheme.name)
        return ApiKeyProvider(*keys.named()) if keys else None
    section, module, name = _BY_TYPE.get((scheme.type, scheme.http_scheme), ("", "", ""))
    entry = getattr(config.security, section)[scheme.name] if _configured(section, scheme, config) else None
    return None if entry is None else _make(module, name, entry, f"security.{section}.{scheme.name}")


def how_to_set(scheme: SecurityScheme) -> str:
    """The key of the configuration that would make a provider for a scheme; "" when there is none."""
    section = _BY_TYPE.get((scheme.type, scheme.http_scheme), ("", "", ""))[0]
    key = {"jwks": "jwks_url", "basic": "users"}.get(section)
    return f"security.{section}.{scheme.name}.{key}" if key else ""


def _configured(section: str, scheme: SecurityScheme, config: Config) -> bool:
    return bool(section) and scheme.name in getattr(config.security, section)


def _make(module: str, name: str, entry: object, where: str) -> SecurityProvider:
    try:
        found = import_module(f"brrtrouter.providers.{module}")
        provider: SecurityProvider = getattr(found, name)(entry, where)
        return provider
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("brrtrouter"):
            raise
        raise ConfigError(f"{where} {INSTALL}") from None
