"""A JWT taken apart, and its claims held against what is expected: RFC 7515, RFC 7519 and RFC 8725.

Everything that can be said without a key is said before the signature is looked at, and nothing of the claims is
looked at before the signature is good.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from brrtrouter.core.jsonread import load_json

_DEPTH: Final = 32
_KID_SIZE: Final = 1024
# `crit` asks for extensions, of which we know none (RFC 7515 section 4.1.11); `b64` changes what is signed (RFC 7797);
# `zip` and `enc` are of encrypted tokens.
_NOT_UNDERSTOOD: Final = ("crit", "b64", "zip", "enc")


class TokenError(Exception):
    """Why a token is not valid.  The text is for the log, and says nothing that was in the token."""


class Parsed(NamedTuple):
    """A token whose form is right: what its header says, and what is to be verified."""

    alg: str
    kid: str | None
    signed: bytes
    signature: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Expected:
    """What the claims have to say."""

    iss: str
    aud: frozenset[str]
    leeway: float


def parse(token: str, limit: int, types: Collection[str | None] | None = None) -> Parsed:
    """Take a compact JWS apart (RFC 7515 section 7.1); `types` are those that `typ` may be.  Raises TokenError."""
    if len(token) > limit:
        raise TokenError("it is too long")
    if token.count(".") != 2:
        # Five parts would be an encrypted token: deriving its key can be made to take for ever.
        raise TokenError("it has not three parts")
    try:
        octets = token.encode("ascii")
    except UnicodeEncodeError:
        raise TokenError("it has characters that no token has") from None
    signed, _, signature = octets.rpartition(b".")
    head, _, payload = signed.partition(b".")
    header = _json_object(_decoded(head), "header")
    alg, kid = header.get("alg"), header.get("kid")
    if not isinstance(alg, str):
        raise TokenError("alg is not a text")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= _KID_SIZE):
        raise TokenError("kid is not a text of usual size")
    for name in _NOT_UNDERSTOOD:
        if name in header:
            raise TokenError(f"its header has {name}")
    typ = header.get("typ")
    if types is not None and not (isinstance(typ, str | None) and typ in types):
        raise TokenError("its typ is not one that is taken")
    return Parsed(alg, kid, signed, _decoded(signature), _decoded(payload))


def _decoded(part: bytes) -> bytes:
    """Bytes of base64url as RFC 7515 section 2 has it: no padding, nothing else in it, one spelling for each value."""
    try:
        found = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except (binascii.Error, ValueError):
        raise TokenError("a part is not base64url") from None
    if base64.urlsafe_b64encode(found).rstrip(b"=") != part:
        raise TokenError("a part is not base64url")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError("there is a number that JSON does not have")


def strict_json(raw: bytes) -> Any:
    """A JSON value, no deeper than usual, without names that are there twice.  Raises ValueError."""
    load_json(raw, _DEPTH)
    return json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)


def _json_object(raw: bytes, what: str) -> dict[str, Any]:
    try:
        value = strict_json(raw)
    except (ValueError, RecursionError):
        raise TokenError(f"the {what} is not JSON") from None
    if not isinstance(value, dict):
        raise TokenError(f"the {what} is not an object")
    return value


def claims_of(payload: bytes, expected: Expected, now: float) -> tuple[dict[str, Any], float]:
    """The claims, and until when they hold.  Raises TokenError when they do not, or not now."""
    claims = _json_object(payload, "payload")
    until = when_and_whom(claims, expected, now)
    if until is None:
        raise TokenError("it has no exp")
    return claims, until


def when_and_whom(claims: Mapping[str, Any], expected: Expected, now: float) -> float | None:
    """Until when claims hold, None when they do not say.  Raises TokenError when they do not hold, or not now."""
    until = _time(claims, "exp")
    if until is not None and now >= until + expected.leeway:
        raise TokenError("it has expired")
    begins = _time(claims, "nbf")
    if begins is not None and now < begins - expected.leeway:
        raise TokenError("it does not hold yet")
    _time(claims, "iat")
    if not isinstance(claims.get("sub", ""), str):
        raise TokenError("sub is not a text")
    if expected.iss and claims.get("iss") != expected.iss:
        raise TokenError("it is from another issuer")
    if expected.aud and not expected.aud.intersection(_audience(claims)):
        raise TokenError("it is for another audience")
    return None if until is None else until + expected.leeway


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519 section 2), None when it is absent."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TokenError(f"{name} is not a number")
    try:
        seconds = float(value)
    except OverflowError:
        raise TokenError(f"{name} is no time") from None
    if not math.isfinite(seconds):
        raise TokenError(f"{name} is no time")
    return seconds


def _audience(claims: Mapping[str, Any]) -> list[str]:
    value = claims.get("aud")
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise TokenError("aud is neither a text nor a list of texts")
    return found


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """What `scope` (a text, RFC 8693 section 4.2) and `scp` (a text or a list) grant; of other forms, nothing."""
    found: set[str] = set()
    for name in ("scope", "scp"):
        value = claims.get(name)
        if isinstance(value, str):
            found.update(value.split())
        elif isinstance(value, list) and name == "scp":
            found.update(each for each in value if isinstance(each, str))
    return frozenset(found)


def frozen(value: Any) -> Any:
    """The value so that nobody can change it: what is remembered belongs to many requests."""
    if isinstance(value, dict):
        return MappingProxyType({name: frozen(member) for name, member in value.items()})
    return tuple(map(frozen, value)) if isinstance(value, list) else value
