"""What the configuration says about security schemes: API keys, users with passwords, and where tokens come from.

One frozen object for each scheme, by its name in the document.  Secrets are in no `repr`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
# What a header field, and so a token or a password in one, can be at most: `limits.header_field`.
_TOKEN_SIZE: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class NamedKey:
    """One key of several: the key or the SHA-256 of it in hex, who it stands for, and what it may do."""

    key: str = field(default="", repr=False)
    key_sha256: str = field(default="", repr=False)
    subject: str = ""
    scopes: tuple[str, ...] = ()

    def fault(self) -> str:
        """What is wrong with it; "" for nothing."""
        if bool(self.key) == bool(self.key_sha256):
            return " needs either 'key' or 'key_sha256'"
        if self.key_sha256 and not _SHA256.fullmatch(self.key_sha256):
            return ".key_sha256 is not a SHA-256 in hex"
        return ""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The key of one apiKey scheme, as it is or as its SHA-256 in hex, or the list of its keys."""

    key: str = field(default="", repr=False)
    key_sha256: str = field(default="", repr=False)
    keys: tuple[NamedKey, ...] = ()

    def fault(self) -> str:
        """What is wrong with it; "" for nothing."""
        if self.keys:
            return " has 'keys' and another key beside them" if self.key or self.key_sha256 else ""
        return NamedKey(self.key, self.key_sha256).fault()

    def named(self) -> tuple[NamedKey, ...]:
        """All keys in one form."""
        return self.keys or (NamedKey(self.key, self.key_sha256),)


@dataclass(frozen=True, slots=True)
class Basic:
    """The users of one scheme of the type http, basic.  Times in seconds.

    users: Argon2 hashes of passwords in the usual form (`$argon2id$...`).  A password that was right is known for
    cache_ttl_secs, for at most cache_size users; threads verify others, and at most `waiting` requests wait for them.
    """

    users: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    cache_ttl_secs: float = 60.0
    cache_size: int = 1000
    threads: int = 2
    waiting: int = 64

    def fault(self) -> str:
        """What is wrong with it; "" for nothing."""
        if not self.users:
            return " has no users"
        if not self.threads or not self.waiting:
            return ".threads and .waiting are at least 1"
        return ""


@dataclass(frozen=True, slots=True)
class Jwks:
    """How the tokens of one scheme (http bearer, oauth2, openIdConnect) are verified.  Times in seconds.

    jwks_url; or discovery_url, where the issuer says where its keys are (`/.well-known/openid-configuration`); or
    keys_file: a JWK Set, one JWK, or public keys and certificates as PEM.  iss: the issuer; aud: of these audiences a
    token has one; without them any will do.  algorithms: those that are taken.  leeway_secs: how far clocks may differ.
     max_token: the size of a token in bytes.  token_cache: how many verified tokens are remembered.

    Keys of an address are fetched again after cache_ttl_secs, in fetch_timeout_secs, at most max_bytes and max_keys;
    because a key is unknown at most once in cooldown_secs.  While that fails, those there are stay in use for
    stale_secs.  allow_http: the address need not be https outside of this machine.
    """

    jwks_url: str = ""
    discovery_url: str = ""
    keys_file: str = ""
    iss: str = ""
    aud: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
    leeway_secs: float = 30.0
    max_token: int = _TOKEN_SIZE
    token_cache: int = 1000
    cache_ttl_secs: float = 300.0
    fetch_timeout_secs: float = 5.0
    max_bytes: int = 256 * 1024
    max_keys: int = 100
    cooldown_secs: float = 30.0
    stale_secs: float = 86_400.0
    allow_http: bool = False

    def fault(self) -> str:
        """What is wrong with it; "" for nothing."""
        if [self.jwks_url, self.discovery_url, self.keys_file].count("") != 2:
            return " needs one of 'jwks_url', 'discovery_url' and 'keys_file'"
        return ".discovery_url needs 'iss' too" if self.discovery_url and not self.iss else ""
