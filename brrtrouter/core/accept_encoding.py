"""Which content coding a client gets (RFC 9110 section 12.5.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from brrtrouter.core.codings import ALIASES

_ENTRY: Final = re.compile(
    r"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[ \t]*"
)


class Choice(NamedTuple):
    """What a client gets: `coding` None is the body as it is; `forced` when it has refused that form."""

    coding: str | None
    forced: bool


def read_accept_encoding(text: str) -> dict[str, float]:
    """The weight of each coding that is named, in lower case and by its new name; of one named twice the first.

    An entry outside of the grammar says nothing.
    """
    found: dict[str, float] = {}
    for entry in text.split(","):
        read = _ENTRY.fullmatch(entry)
        if read is not None:
            name = read[1].lower()
            found.setdefault(ALIASES.get(name, name), 1.0 if read[2] is None else float(read[2]))
    return found


def choose_coding(text: str | None, offered: Sequence[str]) -> Choice:
    """The offered coding with the highest weight, the first of equals.

    The body as it is when no coding is acceptable, when the client likes that better, and without the field: any coding
    would be allowed then, but who says nothing may understand none.  When the client refuses that form too it gets it
    nevertheless: 406 would help nobody.
    """
    if text is None:
        return Choice(None, False)
    weights = read_accept_encoding(text)
    best = max((_weight(weights, name) for name in offered), default=0.0)
    plain = weights.get("identity", weights.get("*"))
    if best == 0.0 or (plain is not None and plain > best):
        return Choice(None, False)
    return Choice(next(name for name in offered if _weight(weights, name) == best), plain == 0.0)


def _weight(weights: Mapping[str, float], name: str) -> float:
    return weights.get(name, weights.get("*", 0.0))
