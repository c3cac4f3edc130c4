"""Range requests in bytes (RFC 9110 section 14): which parts of a representation are asked for, and how they go out.

Ranges that overlap or touch become one, so that no answer is longer than the representation and its frames, however
often a client names the same bytes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

# A range: the first byte and the one after the last.
Span: TypeAlias = tuple[int, int]
Piece: TypeAlias = bytes | Span

_SPEC: Final = re.compile(r"([0-9]+)-([0-9]*)|-([0-9]+)")
_DIGITS: Final = 18  # of a number that is surely below sys.maxsize


class Unsatisfiable(ValueError):
    """None of the ranges has a byte of the representation: the answer is 416 (RFC 9110 15.5.17)."""


def parse_ranges(text: str, size: int, limit: int) -> list[Span] | None:
    """The parts that a Range field asks for of a representation of `size` bytes, at most `limit`.

    None when the field is to be ignored (RFC 9110 14.2): another unit, a malformed one, more than `limit` ranges, or a
    suffix of nothing, which no Content-Range can express.  The parts do not overlap; they stand in the order in which
    the client named them.  Raises Unsatisfiable.
    """
    unit, equals, listed = text.partition("=")
    if not equals or unit.strip(" \t").lower() != "bytes":
        return None
    found: list[Span] = []
    count = 0
    for spec in listed.split(","):
        spec = spec.strip(" \t")
        if not spec:  # an empty element (RFC 9110 5.6.1)
            continue
        count += 1
        span = _span(spec, size) if count <= limit else None
        if span is None:
            return None
        if span[0] < span[1]:
            found.append(span)
    if not count:
        return None
    if not found:
        raise Unsatisfiable(f"the representation has {size} bytes")
    return _joined(found)


def content_range(span: Span, size: int) -> str:
    """The value of Content-Range for a part (RFC 9110 14.4)."""
    return f"bytes {span[0]}-{span[1] - 1}/{size}"


def multipart(spans: Sequence[Span], size: int, media_type: str, boundary: str) -> Iterator[Piece]:
    """The pieces of a multipart/byteranges body (RFC 9110 14.6): frames as bytes, parts as spans."""
    for index, span in enumerate(spans):
        break_before = "\r\n" if index else ""
        head = f"Content-Type: {media_type}\r\nContent-Range: {content_range(span, size)}\r\n\r\n"
        yield f"{break_before}--{boundary}\r\n{head}".encode("latin-1")
        yield span
    yield f"\r\n--{boundary}--\r\n".encode()


def length_of(pieces: Sequence[Piece]) -> int:
    """How many bytes pieces are."""
    return sum(len(piece) if isinstance(piece, bytes) else piece[1] - piece[0] for piece in pieces)


def _span(spec: str, size: int) -> Span | None:
    """One range as it meets the representation, empty when it does not; None for one that makes the field invalid."""
    written = _SPEC.fullmatch(spec)
    if written is None:
        return None
    first, last, suffix = written.groups()
    if first is None:
        length = _number(suffix)
        return None if length and not size else (max(size - length, 0), size)
    start, stop = _number(first), size
    if last:
        if _number(last) < start:
            return None
        stop = min(_number(last) + 1, size)
    return (start, stop) if start < stop else (size, size)


def _number(digits: str) -> int:
    """A number of any length; beyond what a file can have they are all the same."""
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _DIGITS else sys.maxsize


def _joined(found: list[Span]) -> list[Span]:
    """Ranges without overlaps, each where the first of those that it was joined from stood."""
    joined: list[tuple[int, int, int]] = []  # start, stop, place
    for (start, stop), place in sorted(zip(found, range(len(found)), strict=True)):
        if joined and start <= joined[-1][1]:
            known = joined[-1]
            joined[-1] = (known[0], max(known[1], stop), min(known[2], place))
        else:
            joined.append((start, stop, place))
    return [(start, stop) for start, stop, _ in sorted(joined, key=lambda each: each[2])]
