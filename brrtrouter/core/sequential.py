"""Bodies that are a sequence of items: JSON Lines, JSON text sequences, server-sent events (OpenAPI 3.2 section 4.14).

Each decoder gives the list of the items, which `schema` describes as a whole and `itemSchema` one by one.  The pointer
of a fault begins with the item's index: `/3/name`.

Sources: the JSON Lines and NDJSON descriptions, RFC 7464, the HTML standard section 9.2.6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from brrtrouter.config import Limits
from brrtrouter.core.bodies import UNJUDGED, BodyError, Decode, Outcome, decode_text, judge
from brrtrouter.core.jsonread import load_json
from brrtrouter.core.media import MediaLike, MediaType

_BLANK: Final = b" \t\r"
_RECORD: Final = b"\x1e"
# RFC 7464 section 2.4: without the line feed after them, these may have lost their end.
_MAY_BE_CUT: Final = re.compile(rb"(?:true|false|null|[-+0-9.eE]+)\Z")
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_DIGITS: Final = re.compile(r"[0-9]{1,15}")


def _item(raw: bytes, index: int, limits: Limits) -> Any:
    try:
        return load_json(raw, limits.json_depth)
    except ValueError as error:
        raise BodyError(f"item {index} is no JSON: {error}", f"/{index}") from None


def json_lines(media: MediaLike, limits: Limits) -> Decode:
    """One JSON value on each line; lines with nothing on them are passed over."""

    def decode(raw: bytes, sent: MediaType) -> Outcome:
        lines = [line for line in raw.split(b"\n") if line.strip(_BLANK)]
        items = [_item(line, index, limits) for index, line in enumerate(lines)]
        return Outcome(items, items)

    return decode


def json_sequence(media: MediaLike, limits: Limits) -> Decode:
    """A record separator before each JSON value and a line feed after it (RFC 7464 section 2.1)."""

    def decode(raw: bytes, sent: MediaType) -> Outcome:
        before, *records = raw.split(_RECORD)
        if before:
            raise BodyError("does not begin with a record separator")
        items: list[Any] = []
        for record in filter(None, records):
            if _MAY_BE_CUT.search(record):
                raise BodyError(f"item {len(items)} may have lost its end: no line feed follows", f"/{len(items)}")
            items.append(_item(record, len(items), limits))
        return Outcome(items, items)

    return decode


def event_stream(media: MediaLike, limits: Limits) -> Decode:
    """Server-sent events as OpenAPI 3.2 section 4.14.4 models them: `data`, and `event`, `id`, `retry` where given."""

    def decode(raw: bytes, sent: MediaType) -> Outcome:
        events = list(read_events(decode_text(raw, sent)))
        return Outcome(events, events)

    return decode


def read_events(text: str) -> Iterator[dict[str, Any]]:
    """The events of a text (HTML standard section 9.2.6); one that has no empty line after it is none."""
    event: dict[str, Any] = {}
    data: list[str] = []
    # What follows the last line end is a line that never ended.
    for line in _LINE_END.split(text.removeprefix("\ufeff"))[:-1]:
        if not line:
            if data:
                yield {"data": "\n".join(data), **event}
            event, data = {}, []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event" or (name == "id" and "\0" not in value):
            event[name] = value
        elif name == "retry" and _DIGITS.fullmatch(value):
            event[name] = int(value)


def each_item(decode: Decode, schema: Any, limits: Limits) -> Decode:
    """The same decoder with every item of its list judged by `itemSchema`, a `brrtrouter.spec.schema.Schema`."""

    def decode_items(raw: bytes, sent: MediaType) -> Outcome:
        outcome = decode(raw, sent)
        items = outcome.judged
        if items is UNJUDGED or not isinstance(items, list):
            return outcome
        for index, item in enumerate(items):
            if schema.is_valid(item):
                continue
            place = f"/{index}"
            exempt = frozenset(each[len(place) :] for each in outcome.exempt if f"{each}/".startswith(f"{place}/"))
            faults = judge(schema, Outcome(item, item, exempt=exempt))
            outcome.faults += [fault._replace(pointer=place + fault.pointer) for fault in faults]
            if len(outcome.faults) > limits.errors:
                break
        return outcome

    return decode_items
