"""Form bodies: application/x-www-form-urlencoded, and what multipart shares with it.

A form is a text like a query string, and is read by the same tables (`pairs.pyx`).  Sources: OpenAPI 3.1 section
4.8.14.4, WHATWG URL section 5.1.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from brrtrouter.config import Limits
from brrtrouter.core.arguments import ArgumentParser
from brrtrouter.core.bodies import BodyError, Decode, Outcome
from brrtrouter.core.casts import cast
from brrtrouter.core.jsonread import load_json
from brrtrouter.core.media import MediaLike, MediaType
from brrtrouter.core.pairs import read_pairs
from brrtrouter.core.styles import NOT_TEXT, TextError
from brrtrouter.errors import Fault

_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_BEYOND_ASCII: Final = re.compile(rb"[\x80-\xff]")
_STAND_IN: Final = ""


def pointer_to(name: str | int, above: str = "") -> str:
    """The JSON Pointer of a member or item (RFC 6901 section 3)."""
    return f"{above}/{str(name).replace('~', '~0').replace('/', '~1')}"


class Members:
    """The members of a form while they are decoded: values, stand-ins for the judge, and what is wrong."""

    def __init__(self, limits: Limits) -> None:
        self._most = limits.errors + 1  # one more shows that there are more
        self.values: dict[str, Any] = {}
        self.stand_ins: dict[str, Any] = {}
        self.faults: list[Fault] = []
        self.exempt: set[str] = set()

    def refuse(self, pointer: str, keyword: str, message: str) -> str:
        """Note a fault; gives what stands in for the value."""
        if len(self.faults) < self._most:
            self.faults.append(Fault("body", pointer, keyword, message))
        self.exempt.add(pointer)
        return _STAND_IN

    def add_pairs(self, parser: ArgumentParser, text: bytes) -> dict[str, Any]:
        """Read `name=value&...`; the members that the parser does not declare, as texts.  Raises `BodyError`."""
        values, faults = read_pairs(parser, _BEYOND_ASCII.sub(_escaped, text))
        for fault in faults or ():
            if not fault.pointer:
                raise too_many_fields(parser.max_pairs)
            self.refuse(fault.pointer, fault.keyword, fault.message)
            # All of the member: what else the judge says about it comes from the stand-in.
            first = "/" + fault.pointer[1:].partition("/")[0]
            self.exempt.add(first)
            name = first[1:].replace("~1", "/").replace("~0", "~")
            values.pop(name, None)
            below = [other for other in values if other.startswith(f"{name}[")]
            for other in below:
                del values[other]
            self.stand_ins[name] = _STAND_IN
        if faults is None and not _is_text(text):
            raise BodyError(f"the form {NOT_TEXT}", keyword="style")
        return values

    def text_value(self, part: Any, text: str, pointer: str, limits: Limits) -> Any:
        """One text as the value that its `Part` says."""
        try:
            if part.kind == "json":
                return load_json(text.encode(), limits.json_depth)
            return cast(text, part.types)
        except TextError as error:
            return self.refuse(pointer, error.keyword, str(error))
        except ValueError as error:
            return self.refuse(pointer, "syntax", f"is not JSON: {error}")

    def outcome(self) -> Outcome:
        """The decoded form."""
        judged = {**self.values, **self.stand_ins} if self.stand_ins else self.values
        return Outcome(self.values, judged, self.faults, frozenset(self.exempt))


def too_many_fields(limit: int) -> BodyError:
    """The error for more members than `limits.form_fields`."""
    return BodyError(f"more than {limit} fields", keyword="limit", slug="request-body-too-large")


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"%%%02X" % found[0][0]


def _is_text(form: bytes) -> bool:
    if _BAD_ESCAPE.search(form):
        return False
    try:
        unquote_to_bytes(form).decode()
    except UnicodeDecodeError:
        return False
    return True


def urlencoded(media: MediaLike, limits: Limits) -> Decode:
    """The decoder of application/x-www-form-urlencoded for one media type."""
    form = media.reading.forms["urlencoded"]
    parser = ArgumentParser(form.pairs, (), limits.form_fields)
    declared = {pair.name for pair in form.pairs}

    def decode(raw: bytes, sent: MediaType) -> Outcome:
        members = Members(limits)
        for name, value in members.add_pairs(parser, raw).items():
            if name in declared:
                members.values[name] = value
                continue
            part = form.parts.get(name, form.additional)
            texts = value if isinstance(value, list) else [value]
            place = pointer_to(name)
            if part is None:
                members.values[name] = value
            elif part.many:
                members.values[name] = [
                    members.text_value(part, text, pointer_to(at, place), limits) for at, text in enumerate(texts)
                ]
            elif len(texts) > 1:
                members.values[name] = members.refuse(place, "duplicate", "given more than once")
            else:
                members.values[name] = members.text_value(part, texts[0], place, limits)
        return members.outcome()

    return decode
