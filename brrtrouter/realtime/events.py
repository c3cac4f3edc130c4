"""Server-sent events as they go out (HTML standard, section 9.2 "Server-sent events")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from brrtrouter import jsontext

# The three line ends of the format; no others, as those of Unicode mean nothing to it.
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_BREAKS: Final = re.compile(r"[\r\n]")
_LONGEST_RETRY: Final = 2**53


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    data: a text, sent as it is, in as many lines as it has; anything else is sent as JSON; None for no data, which
    browsers take for a change of `id` and `retry` only.  event: its type, "message" to the client when None.  id: what
    the client sends as `Last-Event-ID` when it comes back; "" forgets the last one.  retry: milliseconds until it does.

    Raises ValueError for an id with a line end or NUL, a type with a line end, and a retry that is no number from 0.
    """

    data: Any = None
    event: str | None = None
    id: str | None = None
    retry: int | None = None

    def __post_init__(self) -> None:
        if self.id is not None and (_BREAKS.search(self.id) or "\0" in self.id):
            raise ValueError("the id of an event has a line end or NUL")
        if self.event is not None and _BREAKS.search(self.event):
            raise ValueError("the type of an event has a line end")
        if self.retry is not None and (type(self.retry) is not int or not 0 <= self.retry <= _LONGEST_RETRY):
            raise ValueError("the retry of an event is not a number of milliseconds")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment: clients ignore it, and connections stay alive by it."""

    text: str = ""


def encode_event(item: Any) -> bytes:
    """The bytes of what a handler yields: an Event, a Comment, text or a JSON value as data, bytes as they are.

    Raises TypeError for what JSON has no place for.
    """
    if isinstance(item, bytes | bytearray | memoryview):
        return bytes(item)
    if isinstance(item, Comment):
        return _lines("", item.text) + b"\n"
    event = item if isinstance(item, Event) else Event(item)
    parts = []
    if event.event is not None:
        parts.append(b"event: " + _utf8(event.event) + b"\n")
    if event.data is not None or not isinstance(item, Event):
        text = event.data if isinstance(event.data, str) else jsontext.dumps(event.data).decode()
        parts.append(_lines("data", text))
    if event.id is not None:
        parts.append(b"id: " + _utf8(event.id) + b"\n")
    if event.retry is not None:
        parts.append(b"retry: %d\n" % event.retry)
    return b"".join(parts) + b"\n"


def _lines(name: str, text: str) -> bytes:
    return _utf8("".join(f"{name}: {line}\n" for line in _LINE_END.split(text)))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # a lone surrogate is no reason to end a stream
