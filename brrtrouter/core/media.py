"""Media types as header fields and descriptions write them (RFC 9110 section 8.3.1), and which one fits which."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_ESSENCE: Final = re.compile(rf"[ \t]*({_TOKEN}/{_TOKEN})[ \t]*")
_PARAMETER: Final = re.compile(rf';[ \t]*(?:({_TOKEN})=({_TOKEN}|"(?:[^"\\]|\\.)*")[ \t]*)?')
_QUOTED_PAIR: Final = re.compile(r"\\(.)")

# Charsets that texts may come in, by the names that clients give them (RFC 9110 section 8.3.2).
CHARSETS: Final[Mapping[str, str]] = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
    "latin-1": "latin-1",
    "latin1": "latin-1",
}


class MediaType(NamedTuple):
    """A media type: `type/subtype` in lower case, and its parameters, whose names are in lower case."""

    essence: str
    parameters: Mapping[str, str]

    @property
    def charset(self) -> str | None:
        """The codec for the charset: UTF-8 without one, None for one that is not read here."""
        name = self.parameters.get("charset")
        return "utf-8" if name is None else CHARSETS.get(name.lower())


_NONE: Final[Mapping[str, str]] = {}


def parse_media_type(text: str) -> MediaType | None:
    """What a Content-Type says; None when it is no media type.  Of a repeated parameter the first counts."""
    found = _ESSENCE.match(text)
    if found is None:
        return None
    essence = found[1].lower()
    at = found.end()
    if at == len(text):
        return MediaType(essence, _NONE)
    parameters: dict[str, str] = {}
    while at < len(text):
        found = _PARAMETER.match(text, at)
        if found is None:
            return None
        if found[1]:
            value = found[2]
            if value[0] == '"':
                value = _QUOTED_PAIR.sub(r"\1", value[1:-1])
            parameters.setdefault(found[1].lower(), value)
        at = found.end()
    return MediaType(essence, parameters)


def covers(declared: str, essence: str) -> bool:
    """Whether a media type or range (`type/subtype`, `type/*`, `*/*`), both in lower case, includes the essence."""
    return declared in ("*/*", essence) or (declared.endswith("/*") and essence.startswith(declared[:-1]))


class MediaLike(Protocol):
    """What a decoder of bodies is made from; `brrtrouter.spec.model.MediaType` has it."""

    @property
    def essence(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, str]: ...
    @property
    def schema(self) -> Any: ...
    @property
    def reading(self) -> Any: ...
    @property
    def item_schema(self) -> Any: ...


def fits(declared: MediaLike, sent: MediaType) -> bool:
    """Whether a key of `content` accepts what was sent: each parameter that the key has must have been sent."""
    if not covers(declared.essence, sent.essence):
        return False
    return all(sent.parameters.get(name, "").lower() == value for name, value in declared.parameters.items())


def precedence(declared: MediaLike) -> tuple[int, int]:
    """A key to sort by, most specific first: type/subtype, type/*, */*; among equals the one with more parameters.

    OpenAPI 3.1 section 4.8.13; RFC 9110 section 12.5.1.
    """
    return declared.essence.count("*"), -len(declared.parameters)
