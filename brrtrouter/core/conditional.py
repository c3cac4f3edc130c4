"""Conditional requests: what If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since and If-Range ask for.

RFC 9110 section 13; entity tags by section 8.8.3, dates by section 5.6.7.  A condition that cannot be read does not
hold for a method that changes something (412 rather than a lost update), and matches nothing for GET and HEAD.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Iterable
from typing import Any, Final, Protocol

from brrtrouter.core.response import Response

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME: Final = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_MONTH: Final = rf"(?P<month>{'|'.join(_MONTHS)})"
# The three forms of RFC 9110 5.6.7: the one that is written, and the two that are still read.
_DATES: Final = tuple(
    re.compile(form)
    for form in (
        rf"(?:{'|'.join(_DAYS)}), (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"(?:{'|'.join(_LONG_DAYS)}), (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"(?:{'|'.join(_DAYS)}) {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)
_ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_GAP: Final = re.compile(r"[ \t]*(?:,[ \t]*)*")

_READING: Final = frozenset({"GET", "HEAD"})
# They neither read nor change a representation, so that conditions say nothing (RFC 9110 13.2.1).
_UNCONDITIONAL: Final = frozenset({"CONNECT", "OPTIONS", "TRACE"})
# What describes a representation that a 304 does not carry; the rest guides caches or belongs to the exchange.
_LEFT_OUT: Final = frozenset(
    {"content-disposition", "content-encoding", "content-language", "content-range", "content-type", "last-modified"}
)


class Asked(Protocol):
    """What is read of a request; `brrtrouter.core.request.Request` has it."""

    @property
    def method(self) -> str: ...
    def header(self, name: str, /) -> str | None: ...


def evaluate(
    request: Asked, etag: str | None = None, last_modified: float | None = None, *, exists: bool = True
) -> int | None:
    """What the conditions of a request come to, in the order of RFC 9110 13.2.2.

    etag: of the selected representation as it is sent, `"x"` or `W/"x"`.  last_modified: POSIX seconds; the fraction is
    dropped.  exists: whether there is a representation, which is what `*` asks.

    None: go on.  304: answer with `not_modified`.  412: answer with the problem `precondition-failed`.  To be asked
    only where the answer without conditions would be a 2xx (13.2.1).
    """
    method = request.method
    if method in _UNCONDITIONAL:
        return None
    if (wanted := request.header("if-match")) is not None:
        if not _names(wanted, etag, exists, strong=True):
            return 412
    elif (text := request.header("if-unmodified-since")) is not None:
        date = parse_date(text)
        if date is not None and last_modified is not None and int(last_modified) > date:
            return 412
    if (unwanted := request.header("if-none-match")) is not None:
        if _names(unwanted, etag, exists, strong=False):
            return 304 if method in _READING else 412
        return 412 if method not in _READING and parse_etags(unwanted) is None and unwanted.strip() != "*" else None
    if method in _READING and last_modified is not None and (text := request.header("if-modified-since")) is not None:
        date = parse_date(text)
        if date is not None and int(last_modified) <= date:
            return 304
    return None


def range_applies(request: Asked, etag: str | None = None, last_modified: float | None = None) -> bool:
    """Whether If-Range lets a Range be used (RFC 9110 13.1.5): without the field it does.

    An entity tag is compared strongly.  A date has to be the very one, and its second has to be over: until then the
    representation could change again and keep its date (8.8.2.2).
    """
    wanted = request.header("if-range")
    if wanted is None:
        return True
    if wanted.startswith(('"', "W/")):
        return etag is not None and strong_match(wanted, etag)
    date = parse_date(wanted)
    return date is not None and last_modified is not None and date == int(last_modified) < int(time.time())


def not_modified(response: Response) -> Response:
    """The 304 in place of a response (RFC 9110 15.4.5): without the fields that describe what is not sent.

    ETag, Cache-Control, Content-Location, Expires, Vary and what is no representation metadata (Set-Cookie, CORS)
    stay; Last-Modified stays only where there is no ETag.
    """
    fields = list(_fields(response.headers))
    tagged = any(_lower(name) == "etag" for name, _ in fields)
    kept = [
        (name, value)
        for name, value in fields
        if _lower(name) not in _LEFT_OUT or (_lower(name) == "last-modified" and not tagged)
    ]
    return Response(304, None, kept)


def parse_etags(text: str) -> list[str] | None:
    """The entity tags of a list; None when it is not one.  `*` is not one either."""
    found = []
    at = _GAP.match(text, 0).end()  # type: ignore[union-attr]  # it matches nothing as well
    while at < len(text):
        tag = _ETAG.match(text, at)
        if tag is None:
            return None
        found.append(tag[0])
        at = _GAP.match(text, tag.end()).end()  # type: ignore[union-attr]
        if at < len(text) and "," not in text[tag.end() : at]:
            return None
    return found


def strong_match(one: str, other: str) -> bool:
    """Whether two entity tags are one and neither is weak (RFC 9110 8.8.3.2)."""
    return one == other and not one.startswith("W/")


def weak_match(one: str, other: str) -> bool:
    """Whether two entity tags are one, weak or not (RFC 9110 8.8.3.2)."""
    return one.removeprefix("W/") == other.removeprefix("W/")


def parse_date(text: str) -> int | None:
    """The POSIX seconds of an HTTP-date in any of its three forms; None when it is none."""
    for form in _DATES:
        found = form.fullmatch(text.strip(" \t"))
        if found is not None:
            return _seconds(found)
    return None


def http_date(seconds: float) -> str:
    """A date as RFC 9110 5.6.7 wants it written, in English whatever the locale is."""
    at = time.gmtime(int(seconds))
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04} "
        f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
    )


def _seconds(found: re.Match[str]) -> int | None:
    month = _MONTHS.index(found["month"]) + 1
    year, day = int(found["year"]), int(found["day"])
    hour, minute, second = int(found["hour"]), int(found["minute"]), int(found["second"])
    if len(found["year"]) == 2:
        # More than 50 years ahead is the past with the same last digits.
        now = time.gmtime().tm_year
        year += now - now % 100
        if year > now + 50:
            year -= 100
    if year < 1 or not 1 <= day <= calendar.monthrange(year, month)[1] or hour > 23 or minute > 59 or second > 60:
        return None
    return calendar.timegm((year, month, day, hour, minute, second))


def _names(text: str, etag: str | None, exists: bool, *, strong: bool) -> bool:
    """Whether a list of entity tags, or `*`, is about the representation."""
    if text.strip() == "*":
        return exists
    match = strong_match if strong else weak_match
    return exists and etag is not None and any(match(each, etag) for each in parse_etags(text) or ())


def _fields(headers: Any) -> Iterable[tuple[Any, Any]]:
    if headers is None:
        return ()
    pairs: Iterable[tuple[Any, Any]] = headers.items() if hasattr(headers, "items") else headers
    return pairs


def _lower(name: str | bytes) -> str:
    return (name.decode("latin-1") if isinstance(name, bytes) else name).lower()
