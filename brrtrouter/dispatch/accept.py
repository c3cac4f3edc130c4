"""Which of several media types a client gets (RFC 9110 section 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_RANGE: Final = re.compile(rf"[ \t]*({_TOKEN})/({_TOKEN})[ \t]*")
_PARAMETER: Final = re.compile(rf';[ \t]*(?:({_TOKEN})[ \t]*=[ \t]*({_TOKEN}|"(?:[^"\\]|\\.)*")[ \t]*)?')
_WEIGHT: Final = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
# JSON has none and a text is UTF-8 here, so a charset says nothing about which representation is meant.
_WITHOUT_SAY: Final = frozenset({"charset"})


class MediaRange(NamedTuple):
    """One entry of Accept: type and subtype in lower case, either may be "*", parameters, and its weight."""

    type: str
    subtype: str
    parameters: frozenset[tuple[str, str]]
    weight: float

    @property
    def specificity(self) -> tuple[bool, bool, int]:
        """The more exact of two ranges that cover a type is the one that counts."""
        return self.type != "*", self.subtype != "*", len(self.parameters)

    def covers(self, essence: str, parameters: frozenset[tuple[str, str]]) -> bool:
        """Whether the range includes a media type."""
        kind, _, subtype = essence.partition("/")
        return self.type in ("*", kind) and self.subtype in ("*", subtype) and self.parameters <= parameters


def read_accept(text: str) -> list[MediaRange]:
    """The entries of a field value that can be read, in their order."""
    found = []
    for entry in re.split(r',(?=(?:[^"]*"[^"]*")*[^"]*$)', text):
        kind = _RANGE.match(entry)
        if kind is None:
            continue
        parameters, weight, at = {}, 1.0, kind.end()
        while parameter := _PARAMETER.match(entry, at):
            at = parameter.end()
            name, value = (parameter[1] or "").lower(), (parameter[2] or "").strip('"')
            if name == "q":
                weight = float(value) if _WEIGHT.fullmatch(value) else 1.0
                break
            if name and name not in _WITHOUT_SAY:
                parameters[name] = value.lower()
        found.append(MediaRange(kind[1].lower(), kind[2].lower(), frozenset(parameters.items()), weight))
    return found


def weight_of(ranges: Sequence[MediaRange], media_type: str) -> float:
    """How much a client wants a media type: 0 is not at all."""
    offered = read_accept(media_type)
    if not offered:
        return 0.0
    essence = f"{offered[0].type}/{offered[0].subtype}"
    covering = [each for each in ranges if each.covers(essence, offered[0].parameters)]
    return max(covering, key=lambda each: each.specificity).weight if covering else 0.0


def choose(accept: str | None, offered: Sequence[str]) -> int | None:
    """The index of the offered media type that the client likes best, the first of equals; None when it takes none.

    Without the field everything is as good; so it is with a field of which nothing can be read.
    """
    ranges = read_accept(accept) if accept is not None else []
    if not ranges:
        return 0 if offered else None
    weights = [weight_of(ranges, media_type) for media_type in offered]
    best = max(weights, default=0.0)
    return weights.index(best) if best > 0 else None
