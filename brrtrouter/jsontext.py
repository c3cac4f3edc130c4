"""JSON with integers of any size: orjson where it is exact, the standard library where it is not.

orjson makes floats of integers beyond 64 bits and refuses to write them.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

_LONG_NUMBER = re.compile(rb"[0-9]{19}").search


def loads(text: bytes) -> Any:
    """The value of a JSON text.  Raises orjson.JSONDecodeError, a ValueError, when it is none."""
    value = orjson.loads(text)
    return json.loads(text) if _LONG_NUMBER(text) else value


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
