"""Bodies by media type: which decoder reads what, and the plain ones.

`DECODERS` is the whole list.  A decoder is made for one key of `content` when the first body of its kind comes; it gets
the bytes and the media type that was sent, and gives an `Outcome`, or raises `BodyError` when the bytes are not what
the media type says.  It never raises anything else because of what a client sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, NamedTuple

from brrtrouter.config import Limits
from brrtrouter.core.casts import cast
from brrtrouter.core.jsonread import load_json
from brrtrouter.core.media import MediaLike, MediaType, fits
from brrtrouter.core.styles import TextError
from brrtrouter.errors import Fault


class BodyError(ValueError):
    """A body that cannot be decoded: a problem's slug, and what is wrong where."""

    def __init__(self, message: str, pointer: str = "", keyword: str = "syntax", slug: str = "malformed-body") -> None:
        super().__init__(message)
        self.fault = Fault("body", pointer, keyword, message)
        self.slug = slug


class _Unjudged:
    """The type of `UNJUDGED`: a value that no schema speaks of."""


UNJUDGED: Final = _Unjudged()


@dataclass(slots=True)
class Outcome:
    """A decoded body.

    value: what the handler gets.  judged: what the schema judges: the value itself, the value with stand-ins for files
    and for members that could not be decoded, or UNJUDGED.  faults: members that could not be decoded.  exempt: the
    pointers of stand-ins; what the schema says about these and what is below them does not count.
    """

    value: Any
    judged: Any
    faults: list[Fault] = field(default_factory=list)
    exempt: frozenset[str] = frozenset()


Decode = Callable[[bytes, MediaType], Outcome]
Factory = Callable[[MediaLike, Limits], Decode]


def judge(schema: Any, outcome: Outcome) -> list[Fault]:
    """What a `brrtrouter.spec.schema.Schema` finds wrong with a decoded body, but for what it says about stand-ins."""
    exempt = outcome.exempt
    limit = None if not exempt else len(exempt) + 128
    while True:
        found = schema.faults(outcome.judged, limit)
        kept = [
            Fault("body", fault.pointer, fault.keyword, fault.message, fault.schema_path)
            for fault in found
            if not exempt
            or fault.keyword == "limit"  # the rest of the body was not judged
            or not any(place in exempt for place in _upwards(fault.pointer))
        ]
        if kept or limit is None or len(found) < limit:
            return kept
        # All that was listed is about stand-ins, which may have hidden the rest.
        limit *= 4


def _upwards(pointer: str) -> Iterator[str]:
    """The pointer and those of everything that it is in."""
    yield pointer
    while pointer:
        pointer = pointer.rpartition("/")[0]
        yield pointer


def too_long(length: int, allowed: tuple[int, int | None], pointer: str = "") -> Fault | None:
    """A fault when a number of octets is outside of minLength and maxLength (OpenAPI 3.1 section 4.7.14.2)."""
    low, high = allowed
    if length < low:
        return Fault("body", pointer, "minLength", f"has {length} bytes, at least {low} are needed")
    if high is not None and length > high:
        return Fault("body", pointer, "maxLength", f"has {length} bytes, at most {high} are allowed")
    return None


# -- the plain ones


def _json(media: MediaLike, limits: Limits) -> Decode:
    def decode(raw: bytes, sent: MediaType) -> Outcome:
        try:
            value = load_json(raw, limits.json_depth)
        except ValueError as error:
            raise BodyError(str(error)) from None
        return Outcome(value, value)

    return decode


def decode_text(raw: bytes, sent: MediaType) -> str:
    """Text in the charset that was sent.  Raises `BodyError` where it is not."""
    try:
        return raw.decode(sent.charset or "utf-8")
    except UnicodeDecodeError as error:
        raise BodyError(f"the byte at {error.start} is not {sent.parameters.get('charset', 'utf-8')}") from None


def _text(media: MediaLike, limits: Limits) -> Decode:
    types = media.reading.types

    def decode(raw: bytes, sent: MediaType) -> Outcome:
        text = decode_text(raw, sent)
        try:
            value = cast(text, types)
        except TextError as error:
            return Outcome(None, UNJUDGED, [Fault("body", "", error.keyword, str(error))])
        return Outcome(value, value)

    return decode


def _octets(media: MediaLike, limits: Limits) -> Decode:
    length = media.reading.length

    def decode(raw: bytes, sent: MediaType) -> Outcome:
        fault = too_long(len(raw), length)
        return Outcome(raw, UNJUDGED, [fault] if fault else [])

    return decode


def _later(module: str, name: str) -> Factory:
    """A factory of a module that is imported when it is needed."""

    def make(media: MediaLike, limits: Limits) -> Decode:
        factory: Factory = getattr(import_module(f"brrtrouter.core.{module}"), name)
        return factory(media, limits)

    return make


# -- the list


class Kind(NamedTuple):
    """One row: media types, the charsets that may be sent with them (None: charset says nothing), the decoder."""

    essences: re.Pattern[str]
    charsets: frozenset[str] | None
    factory: Factory


_UNICODE: Final = frozenset({"utf-8", "ascii"})
_TEXT: Final = frozenset({"utf-8", "ascii", "latin-1"})

# The first row whose pattern is the whole of `type/subtype` decides.
DECODERS: Final[tuple[Kind, ...]] = (
    Kind(re.compile(r"application/json|text/json|[^/]+/.+\+json"), _UNICODE, _json),
    Kind(re.compile(r"application/x-www-form-urlencoded"), _UNICODE, _later("forms", "urlencoded")),
    Kind(re.compile(r"multipart/.+"), None, _later("multipart", "multipart")),
    Kind(re.compile(r"application/xml|text/xml|[^/]+/.+\+xml"), _TEXT, _later("xml", "xml")),
    Kind(re.compile(r"application/(?:x-)?(?:jsonl|jsonlines|ndjson)"), _UNICODE, _later("sequential", "json_lines")),
    Kind(re.compile(r"application/json-seq|[^/]+/.+\+json-seq"), _UNICODE, _later("sequential", "json_sequence")),
    Kind(re.compile(r"text/event-stream"), _UNICODE, _later("sequential", "event_stream")),
    Kind(re.compile(r"text/.+"), _TEXT, _text),
    Kind(re.compile(r".+"), None, _octets),
)


@lru_cache(maxsize=256)
def kind_of(essence: str) -> int:
    """The index of the row of `DECODERS` for `type/subtype`."""
    return next(at for at, kind in enumerate(DECODERS) if kind.essences.fullmatch(essence))


class Accepted:
    """One key of the `content` of an operation and its decoders, each made when it is first needed."""

    __slots__ = ("_decoders", "limits", "media")

    def __init__(self, media: MediaLike, limits: Limits) -> None:
        self.media = media
        self.limits = limits
        self._decoders: dict[int, Decode] = {}

    def decoder(self, sent: MediaType) -> Decode | None:
        """What reads a body of this media type; None when this key does not accept it, or not in its charset."""
        if not fits(self.media, sent):
            return None
        at = kind_of(sent.essence)
        kind = DECODERS[at]
        if kind.charsets is not None and sent.charset not in kind.charsets:
            return None
        decode = self._decoders.get(at)
        if decode is None:
            decode = kind.factory(self.media, self.limits)
            if self.media.item_schema is not None:
                each_item = import_module("brrtrouter.core.sequential").each_item
                decode = each_item(decode, self.media.item_schema, self.limits)
            self._decoders[at] = decode
        return decode
