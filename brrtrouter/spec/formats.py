"""Formats of the OpenAPI format registry that JSON Schema 2020-12 does not define itself.

What JSON Schema defines (date-time, email, uuid, ...) the validator judges.  Formats that say how a text looks have a
check here; number formats are bounds.  Formats that restrict nothing a program could refuse (binary, password, html,
commonmark) and unknown ones stay annotations.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

_MAX_FLOAT: Final = float.fromhex("0x1.fffffep+127")
_MAX_DOUBLE: Final = float.fromhex("0x1.fffffffffffffp+1023")
_MAX_EXACT: Final = 2**53 - 1  # beyond it a double skips integers

# Formats of numbers that are bounds, lowest and highest value.
NUMBER_FORMATS: Final[dict[str, tuple[float, float]]] = {
    **{f"int{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    "double-int": (-_MAX_EXACT, _MAX_EXACT),
    "float": (-_MAX_FLOAT, _MAX_FLOAT),
    "double": (-_MAX_DOUBLE, _MAX_DOUBLE),
}

_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED: Final = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_LOCAL_TIME: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_base64url(text: str) -> bool:
    """RFC 4648 section 5; padding may be left out (section 3.2)."""
    bare = text.rstrip("=")
    if re.fullmatch(r"[A-Za-z0-9_-]*", bare) is None or len(bare) % 4 == 1:
        return False
    return len(text) == len(bare) or (len(text) % 4 == 0 and len(text) - len(bare) <= 2)


def _is_http_date(text: str) -> bool:
    """IMF-fixdate, the form that senders use (RFC 9110 section 5.6.7)."""
    try:
        found = datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT")
    except ValueError:
        return False
    return len(text) == 29 and found.strftime("%a") == text[:3]


def _is_local_date_time(text: str) -> bool:
    """`date "T" time` of RFC 3339 without an offset."""
    day, mark, time = text[:10], text[10:11], text[11:]
    if mark not in ("T", "t") or re.fullmatch(_LOCAL_TIME, time) is None:
        return False
    try:
        datetime.strptime(day, "%Y-%m-%d")
    except ValueError:
        return False
    return True


def _by_pattern(pattern: str) -> Callable[[str], bool]:
    full = re.compile(pattern).fullmatch
    return lambda text: full(text) is not None


# Formats of text with a check of our own.
TEXT_FORMATS: Final[dict[str, Callable[[str], bool]]] = {
    "byte": _is_base64,
    "base64url": _is_base64url,
    "char": lambda text: len(text) == 1,
    "decimal": _by_pattern(r"-?[0-9]+(?:\.[0-9]+)?"),
    "decimal128": _by_pattern(r"-?(?:[0-9]+(?:\.[0-9]+)?(?:[Ee][+-]?[0-9]+)?|Infinity)|NaN"),
    "date-time-local": _is_local_date_time,
    "time-local": _by_pattern(_LOCAL_TIME),
    "http-date": _is_http_date,
    "media-range": _by_pattern(
        rf"(?:\*/\*|{_TOKEN}/{_TOKEN})(?:[ \t]*;[ \t]*{_TOKEN}=(?:{_TOKEN}|{_QUOTED}))*",
    ),
    # RFC 9651 sections 3.3.1 to 3.3.6.
    "sf-binary": lambda text: len(text) >= 2 and text[0] == text[-1] == ":" and _is_base64(text[1:-1]),
    "sf-boolean": _by_pattern(r"\?[01]"),
    "sf-decimal": _by_pattern(r"-?[0-9]{1,12}\.[0-9]{1,3}"),
    "sf-integer": _by_pattern(r"-?[0-9]{1,15}"),
    "sf-string": _by_pattern(r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"'),
    "sf-token": _by_pattern(r"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*"),
}


def bind(schema: dict[str, Any]) -> None:
    """Turn a number format into bounds: they bind numbers only, so text stays untouched."""
    name = schema["format"]
    if not isinstance(name, str) or name not in NUMBER_FORMATS:
        return
    del schema["format"]
    lowest, highest = NUMBER_FORMATS[name]
    for keyword, bound, choose in (("minimum", lowest, max), ("maximum", highest, min)):
        own = schema.get(keyword, bound)
        if isinstance(own, (int, float)) and not isinstance(own, bool):
            schema[keyword] = choose(own, bound)
