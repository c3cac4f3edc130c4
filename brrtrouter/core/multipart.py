"""Multipart bodies: form-data (RFC 7578) and lists of parts (RFC 2046 section 5.1.3).

The framing is read by the push parser of the package `multipart` in strict mode.  What a part becomes is decided by its
`brrtrouter.spec.model.Part`.  Every limit is one of `brrtrouter.config.Limits`.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final
from urllib.parse import quote

import multipart as engine

from brrtrouter.config import Limits
from brrtrouter.core.arguments import ArgumentParser
from brrtrouter.core.bodies import UNJUDGED, BodyError, Decode, Outcome, decode_text, kind_of, too_long
from brrtrouter.core.casts import cast as cast_text
from brrtrouter.core.forms import Members, pointer_to, too_many_fields
from brrtrouter.core.jsonread import load_json
from brrtrouter.core.media import MediaLike, MediaType, covers, parse_media_type
from brrtrouter.core.pairs import read_value
from brrtrouter.core.styles import TextError
from brrtrouter.core.uploads import UploadFile

_FORM_DATA: Final = "multipart/form-data"
# RFC 2046 section 5.1.1.
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]*[0-9A-Za-z'()+_,\-./:=?]")
_JSON: Final = kind_of("application/json")
_TEXT: Final = MediaType("text/plain", {})
_SINGLE: Final = ("Content-Disposition", "Content-Type", "Content-Transfer-Encoding")


class _Parser(engine.PushMultipartParser):
    """The parser for parts of every multipart type: what form-data demands is checked here, not there."""

    def _create_segment(self, headerlist: list[tuple[str, str]]) -> engine.MultipartSegment:
        return engine.MultipartSegment(headerlist)


class _Received:
    """One part as it came."""

    __slots__ = ("filename", "headers", "media", "name", "place", "upload")

    def __init__(self, place: str, segment: engine.MultipartSegment, memory: int) -> None:
        self.place = place
        self.name = segment.name
        self.filename = segment.filename
        self.headers = {name.lower(): value for name, value in segment.headerlist}
        content_type = self.headers.get("content-type")
        self.media = None if content_type is None else parse_media_type(content_type)
        if content_type is not None and self.media is None:
            raise BodyError(f"{place} has a Content-Type that is no media type", keyword="multipart")
        kind = "application/octet-stream" if content_type is None else content_type
        self.upload = UploadFile(segment.filename, kind, memory=memory)

    @property
    def content(self) -> bytes:
        """The bytes of a part that is no file."""
        self.upload.seek(0)
        return self.upload.read()

    def looks_like_a_file(self) -> bool:
        """Whether a part that the description does not know is a file."""
        return self.filename is not None or (
            self.media is not None
            and not self.media.essence.startswith("text/")
            and kind_of(self.media.essence) != _JSON
        )


class PartReader:
    """Takes a multipart body in pieces of any size: `feed` each of them, then `finish` gives the parts.

    named: every part has to have a name.  A preamble is only accepted when it ends in the first piece.
    """

    def __init__(self, boundary: str, limits: Limits, form: Any, *, named: bool) -> None:
        self.limits = limits
        self.form = form
        self.named = named
        self.parts: list[_Received] = []
        self._length = 0
        self._inside = False
        self._parser = _Parser(
            boundary,
            max_header_size=limits.part_header,
            max_header_count=limits.part_header_count,
            max_segment_count=limits.form_fields,
            strict=True,
        )

    def feed(self, data: bytes) -> None:
        """Take the next bytes.  Raises `BodyError`."""
        try:
            for event in self._parser.parse(data):
                if isinstance(event, engine.MultipartSegment):
                    self._begin(event)
                elif event is None:
                    self._inside = False
                else:
                    self._write(event)
        except engine.ParserLimitReached as error:
            if len(self.parts) >= self.limits.form_fields and not self._inside:
                raise too_many_fields(self.limits.form_fields) from None
            raise BodyError(f"{self._place()}: {error}", keyword="limit") from None
        except engine.MultipartError as error:
            raise BodyError(f"{self._place()}: {error}", keyword="multipart") from None

    def finish(self) -> list[_Received]:
        """The parts, each file at its start.  Raises `BodyError` when the end is missing."""
        try:
            self._parser.close()  # type: ignore[no-untyped-call]
        except engine.MultipartError as error:
            raise BodyError(f"{self._place()}: {error}", keyword="multipart") from None
        for part in self.parts:
            part.upload.seek(0)
        return self.parts

    def close(self) -> None:
        """Free all files; the parser keeps its error, and that, by its traceback, this object."""
        for part in self.parts:
            part.upload.close()

    def _place(self) -> str:
        return f"part {len(self.parts)}" if self._inside else f"before the content of part {len(self.parts) + 1}"

    def _begin(self, segment: engine.MultipartSegment) -> None:
        place = f"part {len(self.parts) + 1}"
        names = [name for name, _ in segment.headerlist]
        for name in _SINGLE:
            if names.count(name) > 1:
                raise BodyError(f"{place} has {name} more than once", keyword="multipart")
        if self.named and (segment.disposition != "form-data" or segment.name is None):
            raise BodyError(f"{place} has no Content-Disposition: form-data with a name", keyword="multipart")
        part = _Received(place, segment, self.limits.file_memory)
        self._length = self.limits.file_size if self._is_file(part) else self.limits.field_size
        self.parts.append(part)
        self._inside = True

    def _is_file(self, part: _Received) -> bool:
        rule = self.rule(part, len(self.parts))
        return part.looks_like_a_file() if rule is None else rule.kind == "file"

    def rule(self, part: _Received, at: int) -> Any:
        """What the description says about a part; None when that is nothing."""
        if self.form.in_order:
            return self.form.prefix[at] if at < len(self.form.prefix) else self.form.additional
        return self.form.parts.get(part.name, self.form.additional) if part.name is not None else None

    def _write(self, data: bytes) -> None:
        part = self.parts[-1]
        if part.upload.size + len(data) > self._length:
            message = f"{part.place} has more than {self._length} bytes"
            raise BodyError(message, keyword="limit", slug="request-body-too-large")
        part.upload.write(data)


class _Values(Members):
    """Turns parts into values."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.limits = limits
        self.files = 0

    def one(self, part: _Received, rule: Any, pointer: str) -> tuple[Any, Any]:
        """The value of a part, and what the judge sees of it."""
        if rule is None:
            kind = "file" if part.looks_like_a_file() else "text"
            if part.filename is None and part.media is not None and kind_of(part.media.essence) == _JSON:
                kind = "json"
            types: tuple[str, ...] = ("string",)
        else:
            kind, types = rule.kind, rule.types
            if not self._accepted(part, rule, pointer):
                return None, ""
            part.upload.headers.update(self._headers(part, rule, pointer))
        if kind == "file":
            return self._file(part, rule, pointer)
        if kind == "form":
            return self._nested(part, rule, pointer)
        try:
            value = self._value(part, kind, types, pointer)
        except BodyError as error:
            value = self.refuse(pointer, "contentType", str(error))
        part.upload.close()
        return value, value

    def _accepted(self, part: _Received, rule: Any, pointer: str) -> bool:
        """Whether the Content-Type of the part is one of those that it may have."""
        if part.media is None:
            return True
        allowed = rule.content_types
        if not allowed:
            # What a client sends when it does not know better is no contradiction.
            if rule.kind != "json" or part.media.essence == "text/plain" or kind_of(part.media.essence) == _JSON:
                return True
            allowed = ("application/json",)
        if any(covers(name, part.media.essence) for name in allowed):
            return True
        self.refuse(pointer, "contentType", f"is {part.media.essence[:80]}; accepted: {', '.join(allowed)}")
        return False

    def _value(self, part: _Received, kind: str, types: tuple[str, ...], pointer: str) -> Any:
        media = part.media or _TEXT
        if media.charset is None:
            return self.refuse(pointer, "contentType", "its charset is not one of utf-8, us-ascii, iso-8859-1")
        if kind == "json":
            try:
                return load_json(part.content, self.limits.json_depth)
            except ValueError as error:
                return self.refuse(pointer, "syntax", f"is not JSON: {error}")
        text = decode_text(part.content, media)
        try:
            return cast_text(text, types)
        except TextError as error:
            return self.refuse(pointer, error.keyword, str(error))

    def _file(self, part: _Received, rule: Any, pointer: str) -> tuple[Any, Any]:
        upload = part.upload
        if rule is not None:
            fault = too_long(upload.size, rule.length, pointer)
            if fault is not None:
                self.refuse(pointer, fault.keyword, fault.message)
            if rule.transfer:
                upload = self._transferred(part, rule.transfer, pointer)
        self.exempt.add(pointer)
        self.files += 1
        # No two alike, for the sake of uniqueItems.
        return upload, f"file {self.files}"

    def _nested(self, part: _Received, rule: Any, pointer: str) -> tuple[Any, Any]:
        """A multipart body inside of this one."""
        media = part.media or MediaType(rule.content_types[0], {})
        try:
            outcome = _Decoder(rule.form, self.limits)(part.content, media)
        except BodyError as error:
            return None, self.refuse(pointer, error.fault.keyword, str(error))
        for fault in outcome.faults:
            self.refuse(pointer + fault.pointer, fault.keyword, fault.message)
        self.exempt.update(pointer + place for place in outcome.exempt)
        part.upload.close()
        if outcome.judged is UNJUDGED:
            self.exempt.add(pointer)
        return outcome.value, [] if outcome.judged is UNJUDGED else outcome.judged

    def _transferred(self, part: _Received, transfer: str, pointer: str) -> UploadFile:
        """The file that a text stands for (RFC 4648 sections 4 and 5); line ends in it are dropped."""
        text = part.content.translate(None, b"\r\n")
        decoded = UploadFile(
            part.upload.raw_filename, part.upload.content_type, headers=part.upload.headers,
            memory=self.limits.file_memory,
        )  # fmt: skip
        if transfer == "base64url":
            text = text.replace(b"-", b"+").replace(b"_", b"/") + b"=" * (-len(text) % 4)
        try:
            decoded.write(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            self.refuse(pointer, "contentEncoding", f"is not {transfer}")
        decoded.seek(0)
        part.upload.close()
        return decoded

    def _headers(self, part: _Received, rule: Any, pointer: str) -> dict[str, Any]:
        """The declared headers of a part, decoded and checked."""
        values = {}
        for header in rule.headers:
            name = header.name.lower()
            text = part.headers.get(name)
            if text is None:
                if header.required:
                    self.refuse(pointer, "required", f"its header {header.name} is required")
                continue
            value, faults = read_value(header, text)
            if not faults and header.schema is not None:
                faults = header.schema.faults(value)
            for fault in faults or ():
                self.refuse(pointer, fault.keyword, f"its header {header.name}: {fault.message}")
            values[name] = value
        return values


class _Decoder:
    """Reads multipart bodies that one `brrtrouter.spec.model.Form` describes."""

    def __init__(self, form: Any, limits: Limits) -> None:
        self.form = form
        self.limits = limits
        self.pairs = ArgumentParser(form.pairs, (), limits.form_fields)

    def __call__(self, raw: bytes, sent: MediaType) -> Outcome:
        named = sent.essence == _FORM_DATA
        reader = PartReader(boundary_of(sent, self.limits), self.limits, self.form, named=named)
        try:
            reader.feed(raw)
            parts = reader.finish()
        except BodyError:
            reader.close()
            raise
        if self.form.in_order or not (named or self.form.parts):
            return _listed(parts, reader, self.limits)
        return _by_name(parts, self.form, self.pairs, self.limits)


def multipart(media: MediaLike, limits: Limits) -> Decode:
    """The decoder of multipart bodies for one media type."""
    return _Decoder(media.reading.forms["multipart"], limits)


def boundary_of(sent: MediaType, limits: Limits) -> str:
    """The boundary that a Content-Type gives.  Raises `BodyError`."""
    boundary = sent.parameters.get("boundary", "")
    if not boundary:
        raise BodyError("the Content-Type has no boundary", keyword="multipart")
    if len(boundary) > limits.boundary:
        raise BodyError(f"the boundary has more than {limits.boundary} characters", keyword="limit")
    if not _BOUNDARY.fullmatch(boundary):
        raise BodyError("the boundary has characters that none may have", keyword="multipart")
    return boundary


def _listed(parts: list[_Received], reader: PartReader, limits: Limits) -> Outcome:
    """Parts by their position."""
    members = _Values(limits)
    pairs = [members.one(part, reader.rule(part, at), pointer_to(at)) for at, part in enumerate(parts)]
    values, judged = [value for value, _ in pairs], [seen for _, seen in pairs]
    known = reader.form.in_order
    return Outcome(values, judged if known else UNJUDGED, members.faults, frozenset(members.exempt))


def _by_name(parts: list[_Received], form: Any, parser: ArgumentParser, limits: Limits) -> Outcome:
    members = _Values(limits)
    by_name: dict[str, list[_Received]] = {}
    for part in parts:
        by_name.setdefault(part.name or "", []).append(part)
    if form.pairs:
        _add_styled(by_name, form, parser, members)
    for name, received in by_name.items():
        rule = form.parts.get(name, form.additional)
        place = pointer_to(name)
        if rule is not None and not rule.many and len(received) > 1:
            members.stand_ins[name] = members.refuse(place, "duplicate", "given more than once")
            continue
        if len(received) == 1 and not (rule is not None and rule.many):
            value, judged = members.one(received[0], rule, place)
        else:
            pairs = [members.one(part, rule, pointer_to(at, place)) for at, part in enumerate(received)]
            value, judged = [each for each, _ in pairs], [seen for _, seen in pairs]
        members.values[name] = value
        if judged is not value:
            members.stand_ins[name] = judged
    return members.outcome()


def _add_styled(by_name: dict[str, list[_Received]], form: Any, parser: ArgumentParser, members: _Values) -> None:
    """Members with a style of RFC 6570: nothing is percent-encoded in form-data (OpenAPI 3.1.1 section 4.8.15.1.2)."""
    texts = []
    for name in [name for name in by_name if name not in form.parts]:
        if any(part.looks_like_a_file() for part in by_name[name]):
            continue
        for part in by_name.pop(name):
            try:
                text = decode_text(part.content, part.media or _TEXT)
            except BodyError as error:
                members.refuse(pointer_to(name), "contentType", str(error))
                continue
            # Only what the reader of pairs would take for its own: delimiters are delimiters.
            escaped = text.replace("%", "%25").replace("+", "%2B").replace("&", "%26")
            texts.append(f"{quote(name, safe='[]')}={escaped}")
            part.upload.close()
    rest = members.add_pairs(parser, "&".join(texts).encode())
    members.values.update(rest)
