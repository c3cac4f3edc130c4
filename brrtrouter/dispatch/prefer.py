"""The header field Prefer (RFC 7240): what a client would like, without a right to it."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# A preference or one of its parameters: a name, perhaps with a value that may be quoted.
_PIECE: Final = re.compile(rf'[ \t]*({_TOKEN})[ \t]*(?:=[ \t]*("(?:[^"\\]|\\.)*"|[^,;"\s]*))?[ \t]*')
_QUOTED_PAIR: Final = re.compile(r"\\(.)")
_NEXT: Final = re.compile(r"[,;]")


def read_prefer(text: str | None) -> dict[str, str]:
    """The preferences of a field value by name, lower case; "" for one without a value.

    Of a preference that is there twice the first counts (section 2); parameters of preferences are left out; what
    cannot be read is passed over up to the next comma.
    """
    found: dict[str, str] = {}
    at, main = 0, True
    while text and at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            comma = text.find(",", at)
            at, main = (len(text) if comma < 0 else comma + 1), True
            continue
        if main:
            found.setdefault(piece[1].lower(), _plain(piece[2] or ""))
        at = piece.end()
        separator = _NEXT.match(text, at)
        if separator is not None:
            at, main = at + 1, separator[0] == ","
        elif at < len(text):
            at = text.find(",", at) + 1 or len(text)
            main = True
    return found


def _plain(value: str) -> str:
    return _QUOTED_PAIR.sub(r"\1", value[1:-1]) if value[:1] == '"' else value


def quoted(value: str) -> str:
    """The value as it is sent: a token as it is, else a quoted string."""
    if re.fullmatch(_TOKEN, value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
