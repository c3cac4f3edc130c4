"""`Case`: what a client sends and what a server that follows the RFCs does with it; and the ways to write one down.

Paths that the application of the runner knows: `/a` answers every method with its body or its query, `/good` is the
request that goes before and after a case, the others are in `application.py`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class End(enum.Enum):
    """What becomes of the connection after the last answer."""

    KEPT = "kept"  # another request is answered
    CLOSED = "closed"  # by the server, and nothing after the case is read as a request
    WAITING = "waiting"  # more bytes are needed


@dataclass(frozen=True)
class Case:
    """One sequence of bytes with the rule that decides what becomes of it.

    answers: the statuses in the order of the wire, "200 400".  `4xx` stands for a class, `405/501` for either of two;
    an `h` after it marks the answer to HEAD.  seen: what reached a handler, "GET /a?x" and after a blank the body.
    fields: names and values of the last answer, None for a field that must not be there.
    """

    id: str
    rfc: str
    rule: str
    data: bytes
    answers: tuple[str, ...]
    end: End
    seen: tuple[bytes, ...]
    fields: tuple[tuple[str, str | None], ...] = ()


def case(
    id: str,
    rfc: str,
    rule: str,
    data: bytes,
    answers: str,
    end: End,
    *seen: bytes,
    fields: dict[str, str | None] | None = None,
) -> Case:
    """A case with everything named."""
    return Case(id, rfc, rule, data, tuple(answers.split()), end, seen, tuple((fields or {}).items()))


def ok(id: str, rfc: str, rule: str, data: bytes, *seen: bytes, answers: str = "") -> Case:
    """Everything is served, 200 by default, and the connection is kept."""
    return case(id, rfc, rule, data, answers or " ".join(["200"] * len(seen)), End.KEPT, *seen)


def bad(id: str, rfc: str, rule: str, data: bytes, answers: str = "400", *seen: bytes) -> Case:
    """Refused, and the connection is closed; no handler has run unless `seen` says so."""
    return case(id, rfc, rule, data, answers, End.CLOSED, *seen)


def more(id: str, rfc: str, rule: str, data: bytes, *seen: bytes, answers: str = "") -> Case:
    """The message is not complete: the server waits, and answers nothing when no more comes."""
    return case(id, rfc, rule, data, answers, End.WAITING, *seen)


def get(*fields: bytes, target: bytes = b"/a", host: bytes = b"Host: a") -> bytes:
    """A GET with more fields after Host; an empty `host` leaves it out."""
    lines = [b"GET " + target + b" HTTP/1.1", *([host] if host else []), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def post(*fields: bytes, body: bytes = b"", target: bytes = b"/a") -> bytes:
    """A POST with more fields after Host and bytes after its head."""
    return b"\r\n".join([b"POST " + target + b" HTTP/1.1", b"Host: a", *fields]) + b"\r\n\r\n" + body


def chunked(body: bytes, *fields: bytes, target: bytes = b"/a") -> bytes:
    """A POST with `Transfer-Encoding: chunked` and these bytes after its head."""
    return post(b"Transfer-Encoding: chunked", *fields, body=body, target=target)


NEXT = get(target=b"/a?next")
SEEN_NEXT = b"GET /a?next"
