"""Public keys that tokens are verified by: from a JWK Set (RFC 7517), or from PEM.

An algorithm is bound to the type of its keys, so that no public key can be taken for a shared secret (RFC 8725
sections 2.1 and 3.1).
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry
from joserfc.jws import JWSRegistry

from brrtrouter.errors import ConfigError
from brrtrouter.providers.token import Parsed, TokenError, strict_json

logger = logging.getLogger("brrtrouter.security")

RSA_BITS: Final = 2048
# The type of key that each algorithm takes, and its curves (RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864).
ALGORITHMS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    **{f"{kind}{bits}": ("RSA", ()) for kind in ("RS", "PS") for bits in (256, 384, 512)},
    **{f"HS{bits}": ("oct", ()) for bits in (256, 384, 512)},
    "ES256": ("EC", ("P-256",)),
    "ES384": ("EC", ("P-384",)),
    "ES512": ("EC", ("P-521",)),
    "EdDSA": ("OKP", ("Ed25519", "Ed448")),
    "Ed25519": ("OKP", ("Ed25519",)),
    "Ed448": ("OKP", ("Ed448",)),
}
# What of a JWK is the key; everything else in it, private members too, is left behind.
_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA": ("n", "e"),
    "EC": ("crv", "x", "y"),
    "OKP": ("crv", "x"),
    "oct": ("k",),
}
_PEM_KINDS: Final = (
    (rsa.RSAPublicKey, "RSA"),
    (ec.EllipticCurvePublicKey, "EC"),
    ((ed25519.Ed25519PublicKey, ed448.Ed448PublicKey), "OKP"),
)
_BEGIN: Final = b"-----BEGIN "


class KeyFault(ValueError):
    """Why a key cannot be used."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """One key with what is known about its use."""

    kid: str | None
    kty: str
    curve: str
    alg: str | None
    size: int
    key: Any

    def takes(self, alg: str) -> bool:
        """Whether tokens with this algorithm may be verified by it."""
        kty, curves = ALGORITHMS[alg]
        if self.kty != kty or self.alg not in (None, alg) or (curves and self.curve not in curves):
            return False
        return kty != "oct" or self.size * 8 >= int(alg[2:])  # RFC 7518 section 3.2

    def verifies(self, token: Parsed) -> bool:
        """Whether it has signed the token."""
        try:
            return bool(JWSRegistry.algorithms[token.alg].verify(token.signed, token.signature, self.key))
        except (JoseError, ValueError, TypeError, UnsupportedAlgorithm):
            return False


class KeySet:
    """Keys that may be in use at one time."""

    def __init__(self, keys: list[VerifyingKey]) -> None:
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def candidates(self, token: Parsed) -> list[VerifyingKey]:
        """The keys that the header of a token can mean: those with its kid or with none, or the only one that fits."""
        found = [key for key in self._keys if key.takes(token.alg)]
        if token.kid is None and len(found) == 1:
            return found
        return [key for key in found if key.kid in (None, token.kid)]

    def signed(self, token: Parsed) -> bool:
        """Whether one of the keys has signed the token."""
        return any(key.verifies(token) for key in self.candidates(token))

    def verify(self, token: Parsed) -> None:
        """Raises TokenError when none of the keys has signed the token."""
        if not self.signed(token):
            raise TokenError("its signature is not by a key that it names")


def parse_jwks(raw: bytes, max_keys: int, *, secret: bool = False) -> KeySet:
    """The keys of a JWK Set or of one JWK; those that cannot be used are left out (RFC 7517 section 5).

    secret: it may have shared secrets.  Raises KeyFault for what is no set of keys, or has none that can be used.
    """
    try:
        value = strict_json(raw)
    except (ValueError, RecursionError):
        raise KeyFault("it is not JSON") from None
    entries = value.get("keys", [value]) if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise KeyFault("it is no JWK Set")
    if len(entries) > max_keys:
        raise KeyFault(f"it has more than {max_keys} keys")
    keys = [key for number, entry in enumerate(entries) if (key := _if_usable(number, entry, secret)) is not None]
    if not keys:
        raise KeyFault("it has no key that can be used")
    return KeySet(keys)


def _if_usable(number: int, entry: Any, secret: bool) -> VerifyingKey | None:
    try:
        return _from_jwk(entry, secret)
    except KeyFault as fault:
        logger.info("key %d of a JWK Set is not used: %s", number, fault)
        return None


def _from_jwk(jwk: Any, secret: bool) -> VerifyingKey:
    if not isinstance(jwk, dict):
        raise KeyFault("it is no JWK")
    kty, kid, alg = _text(jwk, "kty") or "", _text(jwk, "kid"), _text(jwk, "alg")
    if kty not in _MEMBERS or (kty == "oct" and not secret):
        raise KeyFault("its type is not one for verifying")
    if _text(jwk, "use") not in (None, "sig"):
        raise KeyFault("its use is not sig")
    operations = jwk.get("key_ops")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        raise KeyFault("its key_ops have no verify")
    members = {name: _text(jwk, name) or "" for name in _MEMBERS[kty]}
    size = len(_octets(members["k" if kty == "oct" else "n" if kty == "RSA" else "x"]))
    if kty == "RSA" and int.from_bytes(_octets(members["n"]), "big").bit_length() < RSA_BITS:
        raise KeyFault(f"it has less than {RSA_BITS} bits")
    return VerifyingKey(kid, kty, members.get("crv", ""), alg, size, _imported({"kty": kty, **members}, kty))


def _text(jwk: Mapping[str, Any], name: str) -> str | None:
    value = jwk.get(name)
    if value is not None and not isinstance(value, str):
        raise KeyFault(f"{name} is not a text")
    return value


def _octets(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise KeyFault("a member is not base64url") from None


def _imported(data: Any, kty: str) -> Any:
    try:
        key = JWKRegistry.import_key(data, kty)
        # Makes the key itself, where the library would only do so when it is used.
        getattr(key, "public_key", None)
        return key
    except (JoseError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        raise KeyFault("its members make no key") from None


def read_keys(path: str, max_keys: int, where: str) -> KeySet:
    """The keys of a file: JSON (a JWK Set or one JWK) or PEM.  Raises ConfigError."""
    try:
        raw = Path(path).read_bytes()
        return KeySet(list(_from_pem(raw))) if _BEGIN in raw else parse_jwks(raw, max_keys, secret=True)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{where}.keys_file: {path}: {getattr(error, 'strerror', None) or error}") from None


def _from_pem(raw: bytes) -> Iterator[VerifyingKey]:
    for part in raw.split(_BEGIN)[1:]:
        block = _BEGIN + part
        try:
            found = (
                x509.load_pem_x509_certificate(block).public_key()
                if part.startswith(b"CERTIFICATE")
                else load_pem_public_key(block)
            )
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise KeyFault("a block is neither a public key nor a certificate") from None
        yield of_public_key(found, None)


def of_public_key(found: Any, kid: str | None) -> VerifyingKey:
    """A public key of `cryptography`.  Raises KeyFault for one that no token is verified by."""
    kty = next((name for kind, name in _PEM_KINDS if isinstance(found, kind)), None)
    if kty is None:
        raise KeyFault("the type of a key is not one for verifying")
    if isinstance(found, rsa.RSAPublicKey) and found.key_size < RSA_BITS:
        raise KeyFault(f"a key has less than {RSA_BITS} bits")
    key = _imported(found.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), kty)
    return VerifyingKey(kid, kty, getattr(key, "curve_name", ""), None, 0, key)
