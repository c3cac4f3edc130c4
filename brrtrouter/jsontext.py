"""JSON with integers of any size: orjson where it is exact, the standard library where it is not.

orjson makes floats of integers beyond 64 bits and refuses to write them.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

# Nineteen digits are the first that may be too large for 64 bits.  Looking for a run of one digit is many times faster
# than looking for digits.
_SAME_DIGIT = bytes.maketrans(b"123456789", b"000000000")
_LONG_RUN = b"0" * 19
_BEFORE_INTEGER = frozenset(b":,[-+ \t\r\n")


def loads(text: bytes) -> Any:
    """The value of a JSON text.  Raises orjson.JSONDecodeError, a ValueError, when it is none."""
    value = orjson.loads(text)
    return json.loads(text) if _has_long_integer(text) else value


def _has_long_integer(text: bytes) -> bool:
    """Whether there may be an integer that orjson has made a float of; digits in a string rarely look like one."""
    same = text.translate(_SAME_DIGIT)
    at = same.find(_LONG_RUN)
    while at >= 0:
        if at == 0 or same[at - 1] in _BEFORE_INTEGER:
            return True
        end = at + len(_LONG_RUN)
        while same[end : end + 1] == b"0":
            end += 1
        at = same.find(_LONG_RUN, end)
    return False


def dumps(value: Any, option: int | None = None) -> bytes:
    """A value as JSON text; `option` is orjson's.  Raises TypeError for what JSON has no place for."""
    try:
        return orjson.dumps(value, option=option)
    except TypeError as error:
        if "64-bit" not in str(error):
            raise

    def plain(member: Any) -> Any:
        """What orjson knows and json does not: dates, UUIDs, dataclasses."""
        return orjson.loads(orjson.dumps(member))

    return json.dumps(value, default=plain, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
