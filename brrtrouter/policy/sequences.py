"""Items of a body that is a sequence, read piece by piece as the body is produced (OpenAPI 3.2 section 4.14.4).

Pieces may end anywhere; only what belongs to an item that is not complete yet is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from brrtrouter import jsontext
from brrtrouter.core.sequential import read_events

NOT_JSON: Final = object()  # stands for an item that is no JSON text
_EVENT_END: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")


class ItemReader:
    """Cuts a body into items; `end` is given with the last piece."""

    def __init__(self, take: Callable[[bytes, bool], tuple[list[Any], bytes]]) -> None:
        self._take = take
        self._rest = b""

    def feed(self, piece: bytes) -> list[Any]:
        """The items that are complete with this piece."""
        items, self._rest = self._take(self._rest + piece, False)
        return items

    def end(self) -> list[Any]:
        """The items that the end of the body completes."""
        items, self._rest = self._take(self._rest, True)
        return items


def item_reader(essence: str) -> ItemReader | None:
    """A reader for the items of a media type; None for one that is no sequence."""
    take = _READERS.get(essence) or _READERS.get(essence.partition("+")[2])
    return None if take is None else ItemReader(take)


def _json(text: bytes) -> Any:
    try:
        return jsontext.loads(text)
    except ValueError:
        return NOT_JSON


def _lines(data: bytes, last: bool) -> tuple[list[Any], bytes]:
    """JSON Lines: one value in each line."""
    *lines, rest = data.split(b"\n")
    if last:
        lines, rest = [*lines, rest], b""
    return [_json(line) for line in lines if line.strip()], rest


def _records(data: bytes, last: bool) -> tuple[list[Any], bytes]:
    """RFC 7464: a record separator before each value."""
    _, *records = data.split(b"\x1e") if b"\x1e" in data else (data,)
    if last or not records:
        return [_json(record) for record in records if record.strip()], b"" if last else data
    return [_json(record) for record in records[:-1] if record.strip()], b"\x1e" + records[-1]


def _events(data: bytes, last: bool) -> tuple[list[Any], bytes]:
    """Server-sent events, each ended by an empty line."""
    # A carriage return at the end may be the half of a line end.
    length = len(data) if last else len(data) - data.endswith(b"\r")
    end = 0
    for found in _EVENT_END.finditer(data, 0, length):
        end = found.end()
    return list(read_events(data[:end].decode("utf-8", "replace"))), data[end:]


_READERS: Final[dict[str, Callable[[bytes, bool], tuple[list[Any], bytes]]]] = {
    **dict.fromkeys(("application/jsonl", "application/x-ndjson", "application/ndjson", "jsonl"), _lines),
    **dict.fromkeys(("application/json-seq", "json-seq"), _records),
    "text/event-stream": _events,
}
