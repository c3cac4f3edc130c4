"""Texts: by `format` (the OpenAPI format registry and JSON Schema 2020-12 section 7.3), by length, or plain words."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from random import Random
from typing import Final
from uuid import UUID

WORDS: Final = (
    *("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "iris", "juniper", "kelp", "lark"),
    *("maple", "north", "ochre", "pine", "quartz", "river", "sage", "tulip", "umber", "vale", "willow", "zephyr"),
)
_EPOCH: Final = datetime(2024, 1, 1, tzinfo=timezone.utc)
_YEAR_SECONDS: Final = 365 * 24 * 3600
# Far beyond what a useful answer holds, and what `minLength` may still ask for.
MAX_LENGTH: Final = 1_000_000


def words(random: Random) -> str:
    """A plain word."""
    return random.choice(WORDS)


def _moment(random: Random) -> datetime:
    return _EPOCH + timedelta(seconds=random.randrange(_YEAR_SECONDS))


def _host(random: Random) -> str:
    return f"{words(random)}.example.com"


def _base64(random: Random) -> str:
    return base64.b64encode(words(random).encode()).decode()


def _base64url(random: Random) -> str:
    return base64.urlsafe_b64encode(words(random).encode()).decode().rstrip("=")


def _uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))


def _short_email(random: Random) -> str:
    return f"{random.choice('abcxyz')}@e.io"


_Maker = Callable[[Random], str]

# Each format with its makers, the usual text first and a short one last.
FORMATS: Final[dict[str, tuple[_Maker, ...]]] = {
    "date-time": (lambda r: _moment(r).strftime("%Y-%m-%dT%H:%M:%SZ"),),
    "date-time-local": (lambda r: _moment(r).strftime("%Y-%m-%dT%H:%M:%S"),),
    "date": (lambda r: _moment(r).strftime("%Y-%m-%d"),),
    "time": (lambda r: _moment(r).strftime("%H:%M:%SZ"),),
    "time-local": (lambda r: _moment(r).strftime("%H:%M:%S"),),
    "http-date": (lambda r: format_datetime(_moment(r), usegmt=True),),
    "duration": (lambda r: f"P{r.randint(1, 9)}DT{r.randint(1, 23)}H", lambda r: "P1D"),
    "email": (lambda r: f"{words(r)}@example.com", _short_email),
    "idn-email": (lambda r: f"{words(r)}@example.com", _short_email),
    "hostname": (_host, lambda r: "e.io"),
    "idn-hostname": (_host, lambda r: "e.io"),
    "ipv4": (lambda r: f"192.0.2.{r.randint(1, 254)}", lambda r: "1.1.1.1"),
    "ipv6": (lambda r: f"2001:db8::{r.randint(1, 0xFFFF):x}", lambda r: "::1"),
    "uri": (lambda r: f"https://example.com/{words(r)}", lambda r: "urn:x:y"),
    "uri-reference": (lambda r: f"/{words(r)}", lambda r: "x"),
    "url": (lambda r: f"https://example.com/{words(r)}",),
    "iri": (lambda r: f"https://example.com/{words(r)}", lambda r: "urn:x:y"),
    "iri-reference": (lambda r: f"/{words(r)}", lambda r: "x"),
    "uri-template": (lambda r: f"/{words(r)}/{{id}}", lambda r: "x"),
    "uuid": (_uuid,),
    "json-pointer": (lambda r: f"/{words(r)}", lambda r: ""),
    "relative-json-pointer": (lambda r: f"1/{words(r)}", lambda r: "0"),
    "regex": (lambda r: f"^{words(r)}$", lambda r: "x"),
    "byte": (_base64, lambda r: "eA=="),
    "base64url": (_base64url, lambda r: "eA"),
    "char": (lambda r: r.choice("abcxyz"),),
    "password": (lambda r: f"{words(r)}-{r.randint(100, 999)}", words),
    "decimal": (lambda r: f"{r.randint(1, 999)}.{r.randint(0, 99):02}", lambda r: "1"),
    "decimal128": (lambda r: f"{r.randint(1, 999)}.{r.randint(0, 99):02}", lambda r: "1"),
    "int64": (lambda r: str(r.randint(1, 999)),),
    "uint64": (lambda r: str(r.randint(1, 999)),),
    "media-range": (lambda r: "application/json", lambda r: "*/*"),
    "commonmark": (lambda r: f"**{words(r)}**", words),
    "html": (lambda r: f"<p>{words(r)}</p>", words),
    "sf-string": (lambda r: f'"{words(r)}"',),
    "sf-token": (words,),
    "sf-integer": (lambda r: str(r.randint(1, 999)),),
    "sf-decimal": (lambda r: f"{r.randint(1, 999)}.5",),
    "sf-boolean": (lambda r: "?1",),
    "sf-binary": (lambda r: f":{_base64(r)}:",),
    "binary": (words,),
}


def by_format(name: str, random: Random, attempt: int) -> str | None:
    """A text of the format `name`; None for a format that is not known."""
    makers = FORMATS.get(name)
    return None if makers is None else makers[min(attempt // 2, len(makers) - 1) if attempt else 0](random)


def by_encoding(encoding: str, random: Random) -> str | None:
    """A text that is encoded as `contentEncoding` says (RFC 4648); None for an encoding that is not known."""
    makers: dict[str, Callable[[bytes], bytes]] = {
        "base64": base64.b64encode,
        "base64url": base64.urlsafe_b64encode,
        "base32": base64.b32encode,
        "base16": base64.b16encode,
    }
    maker = makers.get(encoding.lower())
    return None if maker is None else maker(words(random).encode()).decode()


def of_length(text: str, least: int, most: int | None, random: Random) -> str:
    """The text, filled up with words or cut to a length between the two."""
    while len(text) < min(least, MAX_LENGTH):
        text += ("-" if text else "") + words(random)
    return text if most is None or len(text) <= most else text[: max(most, 0)].rstrip("-").ljust(min(least, most), "x")
