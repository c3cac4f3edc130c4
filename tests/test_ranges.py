"""Range requests, RFC 9110 section 14: what a field asks for, and the frames of several parts."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brrtrouter.core.ranges import Span, Unsatisfiable, content_range, length_of, multipart, parse_ranges


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("bytes=0-499", [(0, 500)]),
        ("bytes=500-999", [(500, 1000)]),
        ("bytes=-500", [(9500, 10000)]),
        ("bytes=9500-", [(9500, 10000)]),
        ("bytes=0-0,-1", [(0, 1), (9999, 10000)]),
        ("bytes=500-600,601-999", [(500, 1000)]),
        ("bytes=500-700,601-999", [(500, 1000)]),
        ("bytes=0-99999", [(0, 10000)]),
        ("bytes=-99999", [(0, 10000)]),
        ("BYTES = 1-2", [(1, 3)]),
        ("bytes=, 5-6 ,,\t1-2,", [(5, 7), (1, 3)]),
        ("bytes=20000-, 1-2", [(1, 3)]),
        ("bytes=-0, 1-2", [(1, 3)]),
        ("bytes=0009-0010", [(9, 11)]),
        (f"bytes=0-{'9' * 8000}", [(0, 10000)]),
    ],
)
def test_the_parts_that_a_field_asks_for(text: str, spans: list[Span]) -> None:
    assert parse_ranges(text, 10000, 8) == spans


@pytest.mark.parametrize(
    "text",
    ["", "bytes", "bytes=", "bytes=,", "lines=0-1", "bytes=a-b", "bytes=2-1", "bytes=--1", "bytes=1", "bytes=1-2 3-4",
     "bytes=0x1-2", "bytes=1-2;q=1", "bytes=+1-2", "bytes=١-٢", "bytes=-", "bytes=1-2, x"],
)  # fmt: skip
def test_a_field_that_is_ignored(text: str) -> None:
    assert parse_ranges(text, 10000, 8) is None


@pytest.mark.parametrize("text", ["bytes=10000-", "bytes=-0", f"bytes={'9' * 8000}-", "bytes=10000-10001, -0"])
def test_ranges_without_a_byte_are_416(text: str) -> None:
    with pytest.raises(Unsatisfiable, match="10000 bytes"):
        parse_ranges(text, 10000, 8)


def test_of_nothing_no_range_can_be_expressed() -> None:
    assert parse_ranges("bytes=-5", 0, 8) is None
    with pytest.raises(Unsatisfiable):
        parse_ranges("bytes=0-", 0, 8)


def test_more_ranges_than_the_limit_are_ignored() -> None:
    text = "bytes=" + ",".join(f"{10 * at}-{10 * at}" for at in range(9))
    assert parse_ranges(text, 10000, 8) is None
    assert len(parse_ranges(text, 10000, 9) or ()) == 9


def test_long_fields_are_read_in_linear_time() -> None:
    started = time.process_time()
    for text in (
        "bytes=" + " " * 500_000 + "x",
        "bytes=" + "," * 500_000,
        " " * 500_000 + "=",
        "bytes=" + "1" * 500_000,
    ):
        parse_ranges(text, 10000, 8)
    assert time.process_time() - started < 1.0


NUMBER = st.integers(0, 30)
SPEC = st.one_of(
    st.builds(lambda first, more: f"{first}-{first + more}", NUMBER, NUMBER),
    st.builds(lambda first: f"{first}-", NUMBER),
    st.builds(lambda length: f"-{length}", NUMBER),
)


def wanted(spec: str, size: int) -> set[int]:
    """The bytes that one range names, by its words."""
    first, last = spec.split("-")
    if not first:
        return set(range(size)[-int(last) :]) if int(last) else set()
    return {at for at in range(size) if at >= int(first) and (not last or at <= int(last))}


@given(st.lists(SPEC, min_size=1, max_size=6), st.integers(1, 25))
def test_the_parts_are_the_bytes_that_were_named_each_once(specs: list[str], size: int) -> None:
    named = set().union(*(wanted(spec, size) for spec in specs))
    try:
        spans = parse_ranges("bytes=" + ",".join(specs), size, 6)
    except Unsatisfiable:
        assert not named
        return
    assert spans is not None
    sent = [at for start, stop in spans for at in range(start, stop)]
    assert sorted(sent) == sorted(named)
    assert all(left[1] < right[0] for left, right in pairwise(sorted(spans)))
    # In the order of the client: a part stands where the first range that has one of its bytes stood.
    places = [
        min(place for place, spec in enumerate(specs) if wanted(spec, size) & set(range(*span))) for span in spans
    ]
    assert places == sorted(places)


def test_the_frames_of_several_parts() -> None:
    pieces = list(multipart([(0, 2), (5, 6)], 10, "text/plain", "edge"))
    text = b"0123456789"
    body = b"".join(piece if isinstance(piece, bytes) else text[piece[0] : piece[1]] for piece in pieces)
    assert body == (
        b"--edge\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01"
        b"\r\n--edge\r\nContent-Type: text/plain\r\nContent-Range: bytes 5-5/10\r\n\r\n5"
        b"\r\n--edge--\r\n"
    )
    assert length_of(pieces) == len(body)
    assert re.fullmatch(r"bytes 3-8/10", content_range((3, 9), 10))
