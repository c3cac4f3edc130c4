"""Conditional requests, RFC 9110 section 13: each condition, their order, entity tags and dates."""

from __future__ import annotations

import email.utils
import time
from datetime import datetime, timezone
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brrtrouter import Response
from brrtrouter.core import conditional
from brrtrouter.core.conditional import (
    evaluate,
    http_date,
    not_modified,
    parse_date,
    parse_etags,
    range_applies,
    strong_match,
    weak_match,
)

CHANGED = 1_700_000_000
BEFORE, SAME, AFTER = (http_date(CHANGED + shift) for shift in (-1, 0, 1))


class Asked(NamedTuple):
    """A request of which only this is known."""

    method: str
    fields: dict[str, str]

    def header(self, name: str) -> str | None:
        return self.fields.get(name)


def asked(method: str = "GET", **fields: str) -> Asked:
    return Asked(method, {name.replace("_", "-"): value for name, value in fields.items()})


def outcome(method: str, etag: str | None = '"a"', exists: bool = True, **fields: str) -> int | None:
    return evaluate(asked(method, **fields), etag, CHANGED, exists=exists)


# -- entity tags (8.8.3)


@pytest.mark.parametrize(
    ("one", "other", "strong", "weak"),
    [
        ('W/"1"', 'W/"1"', False, True),
        ('W/"1"', 'W/"2"', False, False),
        ('W/"1"', '"1"', False, True),
        ('"1"', '"1"', True, True),
    ],
)
def test_the_table_of_comparisons(one: str, other: str, strong: bool, weak: bool) -> None:
    assert (strong_match(one, other), strong_match(other, one)) == (strong, strong)
    assert (weak_match(one, other), weak_match(other, one)) == (weak, weak)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ('"a"', ['"a"']),
        ('"a", W/"b"\t,"c"', ['"a"', 'W/"b"', '"c"']),
        ('"a,b", ""', ['"a,b"', '""']),
        (', "a",, ,"b",', ['"a"', '"b"']),
        ("", []),
        ("a", None),
        ('"a" "b"', None),
        ('"a"b', None),
        ('"a', None),
        ('w/"a"', None),
        ('"a b"', None),
        ('"a", *', None),
    ],
)
def test_a_list_of_entity_tags(text: str, tags: list[str] | None) -> None:
    assert parse_etags(text) == tags


ETAGS = st.builds(
    lambda weak, text: ("W/" if weak else "") + f'"{text}"',
    st.booleans(),
    st.text(st.sampled_from("ab,/!é"), max_size=3),
)


@given(st.lists(ETAGS), st.sampled_from([",", ", ", " ,\t", ",,"]))
def test_what_is_written_as_a_list_is_read_as_it(tags: list[str], separator: str) -> None:
    assert parse_etags(separator.join(tags)) == tags


@given(st.text(st.sampled_from('"W/a,* ')))
def test_no_text_breaks_the_reader_of_lists(text: str) -> None:
    found = parse_etags(text)
    assert found is None or all(tag in text for tag in found)


def test_a_long_list_is_read_in_linear_time() -> None:
    started = time.process_time()
    assert parse_etags(", " * 100_000 + "x") is None
    assert parse_etags('"a" ' + " " * 200_000 + "x") is None
    assert time.process_time() - started < 1.0


# -- dates (5.6.7)


@pytest.mark.parametrize(
    "text", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_all_three_forms_are_read(text: str) -> None:
    assert parse_date(text) == 784111777


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert parse_date(text) is None


def test_two_digits_of_a_year_are_never_more_than_50_years_ahead() -> None:
    now = datetime.now(timezone.utc).year
    for year in range(now - 49, now + 51):
        seconds = parse_date(f"Sunday, 06-Nov-{year % 100:02} 08:49:37 GMT")
        assert seconds is not None
        assert datetime.fromtimestamp(seconds, timezone.utc).year == year


@given(st.integers(-62135596800, 253402300799))
def test_a_date_that_is_written_is_read(seconds: int) -> None:
    assert parse_date(http_date(seconds)) == seconds
    assert http_date(seconds) == email.utils.format_datetime(datetime.fromtimestamp(seconds, timezone.utc), usegmt=True)


# -- one condition


@pytest.mark.parametrize(
    ("value", "holds"),
    [('"a"', True), ('"b", "a"', True), ("*", True), ('W/"a"', False), ('"b"', False), ("a", False), ('"a", *', False)],
)
def test_if_match_compares_strongly(value: str, holds: bool) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert outcome(method, if_match=value) == (None if holds else 412)


def test_a_weak_entity_tag_never_satisfies_if_match() -> None:
    assert outcome("PUT", 'W/"a"', if_match='W/"a"') == 412


@pytest.mark.parametrize(("value", "matches"), [('"a"', True), ('"b", W/"a"', True), ("*", True), ('"b"', False)])
def test_if_none_match_compares_weakly(value: str, matches: bool) -> None:
    for method in ("GET", "HEAD"):
        assert outcome(method, if_none_match=value) == (304 if matches else None)
    for method in ("PUT", "POST", "PATCH", "DELETE"):
        assert outcome(method, if_none_match=value) == (412 if matches else None)


def test_a_condition_that_cannot_be_read_lets_nothing_be_changed() -> None:
    assert outcome("GET", if_none_match="a") is None
    assert outcome("PUT", if_none_match="a") == 412


def test_the_star_asks_whether_there_is_a_representation() -> None:
    assert outcome("PUT", None, False, if_match="*") == 412
    assert outcome("PUT", None, False, if_none_match="*") is None
    assert outcome("PUT", None, True, if_match="*") is None
    assert outcome("PUT", None, True, if_none_match="*") == 412


def test_without_an_entity_tag_nothing_named_matches() -> None:
    assert outcome("GET", None, if_none_match='"a"') is None
    assert outcome("GET", None, if_match='"a"') == 412


@pytest.mark.parametrize(("date", "status"), [(BEFORE, None), (SAME, 304), (AFTER, 304), ("junk", None)])
def test_if_modified_since(date: str, status: int | None) -> None:
    assert outcome("GET", if_modified_since=date) == outcome("HEAD", if_modified_since=date) == status
    assert outcome("PUT", if_modified_since=date) is None
    assert evaluate(asked(if_modified_since=date), '"a"', None) is None


@pytest.mark.parametrize(("date", "status"), [(BEFORE, 412), (SAME, None), (AFTER, None), ("junk", None)])
def test_if_unmodified_since(date: str, status: int | None) -> None:
    for method in ("GET", "PUT"):
        assert outcome(method, if_unmodified_since=date) == status
    assert evaluate(asked("PUT", if_unmodified_since=date), '"a"', None) is None


def test_the_fraction_of_a_second_is_no_later_modification() -> None:
    assert evaluate(asked(if_modified_since=SAME), None, CHANGED + 0.9) == 304
    assert evaluate(asked("PUT", if_unmodified_since=SAME), None, CHANGED + 0.9) is None


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT"])
def test_methods_without_a_representation_have_no_conditions(method: str) -> None:
    assert outcome(method, if_match='"b"', if_none_match="*", if_unmodified_since=BEFORE) is None


# -- their order (13.2.2)

FIELDS = {
    "if-match": ["*", '"a"', '"b"'],
    "if-unmodified-since": [BEFORE, SAME, "junk"],
    "if-none-match": ["*", 'W/"a"', '"b"'],
    "if-modified-since": [BEFORE, SAME, "junk"],
}
FALSE = {("if-match", '"b"'), ("if-unmodified-since", BEFORE), ("if-none-match", "*"), ("if-none-match", 'W/"a"')}
FALSE |= {("if-modified-since", SAME)}


def by_the_steps(method: str, fields: dict[str, str]) -> int | None:
    """The steps of 13.2.2 as they are written, over which conditions are false."""
    wrong = {name for name, value in fields.items() if (name, value) in FALSE}
    reading = method in ("GET", "HEAD")
    if "if-match" in fields:
        if "if-match" in wrong:
            return 412
    elif "if-unmodified-since" in wrong:
        return 412
    if "if-none-match" in fields:
        if "if-none-match" in wrong:
            return 304 if reading else 412
    elif reading and "if-modified-since" in wrong:
        return 304
    return None


@given(
    st.sampled_from(["GET", "HEAD", "PUT", "POST"]),
    st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in FIELDS.items()}),
)
def test_the_order_of_conditions(method: str, fields: dict[str, str]) -> None:
    assert evaluate(Asked(method, fields), '"a"', CHANGED) == by_the_steps(method, fields)


# -- If-Range (13.1.5)


@pytest.mark.parametrize(
    ("value", "applies"),
    [('"a"', True), ('"b"', False), ('W/"a"', False), (SAME, True), (BEFORE, False), (AFTER, False), ("junk", False)],
)
def test_if_range(value: str, applies: bool) -> None:
    assert range_applies(asked(if_range=value), '"a"', CHANGED) is applies
    assert range_applies(asked(), '"a"', CHANGED) is True
    assert range_applies(asked(if_range=value), None, None) is False


def test_a_date_whose_second_is_not_over_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now = float(CHANGED)

        def time(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(conditional, "time", clock)
    asking = asked(if_range=SAME)
    assert range_applies(asking, None, CHANGED + 0.1) is False
    clock.now += 1
    assert range_applies(asking, None, CHANGED + 0.1) is True


# -- 304 (15.4.5)


def fields_of(response: Response) -> list[tuple[Any, Any]]:
    return list(response.headers or ())  # type: ignore[arg-type]


def test_a_304_has_the_fields_that_caches_need_and_none_that_describe_a_body() -> None:
    full = Response(
        200,
        b"body",
        {
            "ETag": '"a"',
            "Cache-Control": "max-age=1",
            "Expires": SAME,
            "Vary": "Accept",
            "Content-Location": "/a",
            "Last-Modified": SAME,
            "Content-Encoding": "gzip",
            "content-language": "en",
            "Content-Disposition": "attachment",
            "Set-Cookie": ["a=1", "b=2"],
        },
        "text/plain",
    )
    answer = not_modified(full)
    assert (answer.status, answer.body, answer.media_type) == (304, None, None)
    names = {name for name, _ in fields_of(answer)}
    assert names == {"ETag", "Cache-Control", "Expires", "Vary", "Content-Location", "Set-Cookie"}


def test_a_304_without_an_entity_tag_keeps_the_date() -> None:
    assert fields_of(not_modified(Response(200, b"", [("last-modified", SAME)]))) == [("last-modified", SAME)]
    assert fields_of(not_modified(Response(200, b""))) == []
