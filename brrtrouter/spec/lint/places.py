"""From JSON Pointers to lines and columns of the text that a document was read from.

Only the places asked for are looked up, in one pass over the text.  JSON is read by a tokenizer of its own, because
a document of 13 MB would keep a YAML parser busy for a minute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson
import yaml

Place = tuple[int, int]

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_OPEN: Final = frozenset(b"{[")
_CLOSE: Final = frozenset(b"}]")


def places(raw: bytes, pointers: Iterable[str]) -> dict[str, Place]:
    """Line and column, from 1, of each pointer; of the nearest place around it when it has none in the text.

    The place of a member is its key, that of an item its value.  Text that is neither JSON nor YAML has no places.
    """
    wanted = {part for pointer in pointers for part in _around(pointer)}
    text = raw.removeprefix(b"\xef\xbb\xbf")
    is_json = text.lstrip()[:1] in (b"{", b"[")
    found: dict[str, Place] = {}
    if is_json:
        lines = _Lines(text)
        for pointer, offset in _json(text, wanted):
            found.setdefault(pointer, lines.place(offset))
    if not is_json or not found:
        found = {}
        try:
            for pointer, place in _yaml(raw):
                if pointer in wanted:
                    found.setdefault(pointer, place)
        except yaml.YAMLError:
            pass
    known = {}
    for pointer in pointers:
        nearest = next((part for part in _around(pointer) if part in found), None)
        if nearest is not None:
            known[pointer] = found[nearest]
    return known


def _around(pointer: str) -> Iterator[str]:
    """The pointer and those of all that is around it, the root last."""
    yield pointer
    while pointer:
        pointer = pointer.rpartition("/")[0]
        yield pointer


class _Lines:
    """Offsets to lines and columns; offsets come in order, so that nothing is counted twice even in one long line."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.column = 1

    def place(self, offset: int) -> Place:
        """The line and the column, in characters, of an offset that is not before the last one."""
        newlines = self.text.count(b"\n", self.at, offset)
        begin = self.at
        if newlines:
            self.line += newlines
            self.column = 1
            begin = self.text.rfind(b"\n", self.at, offset) + 1
        self.column += len(self.text[begin:offset].decode("utf-8", "replace"))
        self.at = offset
        return self.line, self.column


def _part(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _json(text: bytes, wanted: set[str]) -> Iterator[tuple[str, int]]:
    """Every wanted pointer and the offset of its key or item.  Nothing below an unwanted one is given a name."""
    # Each frame: the pointer, or None when nothing below is wanted; the index of the next item, or None in an object.
    frames: list[tuple[str | None, int | None]] = []
    pointer: str | None = ""
    expects_key = False
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first in _CLOSE:
            if not frames:
                return
            frames.pop()
            continue
        if first == 0x3A:  # the colon: `pointer` stays that of the key
            continue
        if first == 0x2C:
            expects_key = bool(frames) and frames[-1][1] is None
            if frames and not expects_key:
                above, index = frames[-1]
                frames[-1] = (above, (index or 0) + 1)
            continue
        if expects_key and first == 0x22:
            above = frames[-1][0]
            pointer = None if above is None else f"{above}/{_part(orjson.loads(token[0]))}"
            if pointer not in wanted:
                pointer = None
            elif pointer is not None:
                yield pointer, token.start()
            expects_key = False
            continue
        if frames and frames[-1][1] is not None:
            above, index = frames[-1]
            pointer = None if above is None else f"{above}/{index}"
            if pointer not in wanted:
                pointer = None
            elif pointer is not None:
                yield pointer, token.start()
        elif not frames and "" in wanted:
            yield "", token.start()
        if first in _OPEN:
            frames.append((pointer, None if first == 0x7B else 0))
            expects_key = first == 0x7B


def _yaml(raw: bytes) -> Iterator[tuple[str, Place]]:
    """Every pointer of a YAML text and its place.  Keys of merged mappings stand where they were written."""
    # Each frame: the pointer, the next index or None in a mapping, and the key that waits for its value.
    frames: list[list[Any]] = []
    for event in yaml.parse(raw, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionEndEvent):
            frames.pop()
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        mark = event.start_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        pointer = ""
        if frames:
            frame = frames[-1]
            above, index, key = frame
            if index is not None:
                pointer = f"{above}/{index}"
                frame[1] += 1
            elif key is None:
                frame[2] = _part(event.value) if isinstance(event, yaml.ScalarEvent) else ""
                yield f"{above}/{frame[2]}", place
                continue
            else:
                pointer = f"{above}/{key}"
                frame[2] = None
        yield pointer, place
        if isinstance(event, yaml.CollectionStartEvent):
            frames.append([pointer, 0 if isinstance(event, yaml.SequenceStartEvent) else None, None])
