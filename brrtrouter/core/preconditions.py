"""`request.precondition`: conditions against a state that only the handler knows (RFC 9110 section 13)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from brrtrouter.core.conditional import Asked, evaluate, http_date, parse_etags, weak_match
from brrtrouter.core.response import Response, problem_response

# What a compressed representation adds to a strong entity tag, before its last quote: it is another representation,
# with another tag (RFC 9110 section 8.8.3.3), and the way back has to be known when a client changes what it has read.
SUFFIX: Final = "--"
_SUFFIXED: Final = re.compile(r'--(?:gzip|br|zstd)"')


def with_coding(etag: str, coding: str) -> str:
    """The entity tag of a compressed representation.  A weak one stays: it is about the meaning, not the bytes."""
    return etag if etag.startswith("W/") or not etag.endswith('"') else f'{etag[:-1]}{SUFFIX}{coding}"'


def without_coding(text: str) -> str:
    """A tag, or a list of them, as it was before codings were added."""
    return _SUFFIXED.sub('"', text)


def precondition(
    request: Asked, etag: str | None, last_modified: float | datetime | None, exists: bool
) -> Response | None:
    """What `Request.precondition` says: None, or the answer in place of what the handler would do.

    Raises ValueError for an etag that is none, and for a datetime without a time zone.
    """
    if etag is not None and (tags := parse_etags(etag)) != [etag]:
        raise ValueError(f"{etag!r} is no entity tag, which is quoted: {tags and tags[0]!r}")
    if isinstance(last_modified, datetime):
        if last_modified.tzinfo is None:
            raise ValueError("last_modified is a datetime without a time zone")
        last_modified = last_modified.timestamp()
    status = evaluate(_Uncoded(request), etag, last_modified, exists=exists)
    if status == 412:
        return problem_response("precondition-failed", "the state is not the one that the request was made for")
    return None if status is None else _not_modified(request, etag, last_modified)


class _Uncoded:
    """A request whose entity tags are those that the handler knows."""

    def __init__(self, request: Asked) -> None:
        self._request = request
        self.method = request.method

    def header(self, name: str, /) -> str | None:
        text = self._request.header(name)
        return None if text is None else without_coding(text)


def _not_modified(request: Asked, etag: str | None, last_modified: float | None) -> Response:
    """The 304, with the tag of the very representation that the client has."""
    fields: dict[str, str] = {}
    if etag is not None:
        fields["ETag"] = _held(parse_etags(request.header("if-none-match") or "") or (), etag)
        if fields["ETag"] != etag:
            fields["Vary"] = "Accept-Encoding"
    elif last_modified is not None:
        fields["Last-Modified"] = http_date(last_modified)
    return Response(304, None, fields)


def _held(tags: Sequence[str], etag: str) -> str:
    if any(weak_match(tag, etag) for tag in tags):
        return etag
    return next((tag for tag in tags if weak_match(without_coding(tag), etag)), etag)
