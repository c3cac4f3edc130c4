"""`ExampleBook`: bodies and header fields of answers, from the examples of a description or made from its schemas.

What is written wins: a named example, the examples of the media type, those of the schema.  Everything is judged by the
validator of the schema; what it does not agree with is told once in the log, and a value that it agrees with is made
instead.  The same seed gives the same answers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import orjson

from brrtrouter import jsontext
from brrtrouter.spec.model import MISSING, Example, MediaType, Parameter, Response
from brrtrouter.spec.reference import unescape
from brrtrouter.spec.render import Rendered, is_json, is_sequence, is_structured, opaque, render
from brrtrouter.spec.sample.flat import written_in
from brrtrouter.spec.sample.search import NoValueError, Sampler
from brrtrouter.spec.schema import Schema, SchemaCompileError, SchemaFault

logger = logging.getLogger("brrtrouter.mock")

# How many items a sequence has that could go on for ever.
ITEMS: Final = 3
# A file named by externalValue is read up to this size.
MAX_FILE: Final = 16 * 1024 * 1024
# The framing and coding of a message are the server's own, whatever a description says (RFC 9110, RFC 9112).
_OWN_FIELDS: Final = frozenset(
    {
        *("connection", "content-encoding", "content-length", "content-range", "content-type", "date", "keep-alive"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    }
)


class MockContent(NamedTuple):
    """A body; the name of the example that it is, None for one that was made or has no name; its media type."""

    octets: bytes
    example: str | None
    media_type: str


class ExampleBook:
    """Examples and made values for one document.  All methods may be called from any thread."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._samplers: dict[int, tuple[Schema, Sampler]] = {}
        self._told: set[str] = set()

    def content(
        self, key: str, media: MediaType, media_type: str, *, example: str | None = None, made: int | None = None
    ) -> MockContent:
        """A body of `media`, sent as `media_type`.

        key: what the randomness depends on beside the seed.  example: the name of the example to prefer.  made: None to
        use what is written, else a number: values are made from the schema, others for other numbers.
        """
        if made is None:
            for each in sorted(media.examples, key=lambda each: each.name != example):
                found = self._written(each, media, media_type)
                if found is not None:
                    return MockContent(found.octets, each.name or None, found.media_type)
        rendered = self._made(key if made is None else f"{key}#{made}", media, media_type, written=made is None)
        return MockContent(rendered.octets, None, rendered.media_type)

    def fields(self, key: str, response: Response) -> list[tuple[str, str]]:
        """The header fields of an answer that its description declares, but for those that are the server's own."""
        found: list[tuple[str, str]] = []
        for parameter in response.headers:
            if parameter.name.lower() in _OWN_FIELDS:
                continue
            value = self._field_value(f"{key}/headers/{parameter.name}", parameter)
            if value is None or value is MISSING:
                continue
            # Each cookie has a field line of its own (RFC 6265 section 3).
            several = value if parameter.name.lower() == "set-cookie" and isinstance(value, list) else [value]
            found += [(parameter.name, _field_text(parameter, each)) for each in several]
        return found

    def accepts(self, media: MediaType, value: object) -> bool:
        """Whether a value can be sent as `media`."""
        try:
            return media.schema is None or media.schema.is_valid(value)
        except SchemaCompileError:
            return False

    # -- what is written -------------------------------------------------------------------------------------

    def _written(self, example: Example, media: MediaType, media_type: str) -> Rendered | None:
        """The body that an example stands for; None when it does not satisfy the schema or cannot be read."""
        if example.value is MISSING:
            octets = self._serialized(example)
            if octets is None:
                return None
            if is_json(media_type):
                try:
                    value = jsontext.loads(octets)
                except ValueError as error:
                    self._refuse(example, f"it is not JSON: {error}")
                    return None
                faults = self._faults(media.schema, value)
                if faults:
                    self._refuse(example, _told(faults[0]))
                    return None
            return Rendered(octets, media_type)
        value = example.value
        if isinstance(value, str) and not is_json(media_type):
            # A text stands for itself: what the description can only say as a whole is written so.
            return Rendered(value.encode("utf-8", "surrogatepass"), media_type)
        value, faults = self._judged(media, media_type, value)
        if faults:
            self._refuse(example, _told(faults[0]))
            return None
        return render(value, media_type, media)

    def _judged(self, media: MediaType, media_type: str, value: Any) -> tuple[Any, list[SchemaFault]]:
        """The value as it can be sent, and what is wrong with it."""
        if is_sequence(media_type) and media.item_schema is not None:
            items = value if isinstance(value, list) else [value]
            return items, [fault for item in items for fault in self._faults(media.item_schema, item)]
        faults = self._faults(media.schema, value)
        if faults and isinstance(value, str):
            # JSON that was written as a text, which the specification suggests where JSON cannot say it.
            try:
                parsed = jsontext.loads(value.encode())
            except ValueError:
                return value, faults
            return (parsed, []) if not self._faults(media.schema, parsed) else (value, faults)
        if faults and all(fault.keyword == "writeOnly" for fault in faults):
            value = _without(value, faults)
            faults = self._faults(media.schema, value)
        return value, faults

    def _serialized(self, example: Example) -> bytes | None:
        if example.serialized is not None:
            return example.serialized.encode("utf-8", "surrogatepass")
        if example.file is None:
            return None
        try:
            with example.file.open("rb") as file:
                octets = file.read(MAX_FILE + 1)
        except OSError as error:
            self._refuse(example, f"externalValue: {error.strerror}")
            return None
        if len(octets) > MAX_FILE:
            self._refuse(example, f"externalValue has more than {MAX_FILE:,} bytes")
            return None
        return octets

    def _refuse(self, example: Example, reason: str) -> None:
        self._tell(example.pointer, f"the example at {example.pointer} is not used: {reason}")

    def _faults(self, schema: Schema | None, value: Any) -> list[SchemaFault]:
        if schema is None:
            return []
        try:
            return schema.faults(value, 16)
        except SchemaCompileError as error:
            self._tell(error.pointer, f"{error}; values for it are not judged")
            return []

    def _tell(self, place: str, message: str) -> None:
        """Log a warning, once for each place."""
        if place not in self._told:
            self._told.add(place)
            logger.warning("mock: %s", message)

    # -- what is made ----------------------------------------------------------------------------------------

    def _made(self, key: str, media: MediaType, media_type: str, *, written: bool) -> Rendered:
        if is_sequence(media_type) and media.item_schema is not None:
            items = [self.value(f"{key}/{at}", media.item_schema, written=written) for at in range(ITEMS)]
            return render([item for item in items if item is not MISSING], media_type, media)
        schema = media.schema
        if schema is None or (not is_structured(media_type) and _is_text(schema.resolved())):
            octets = opaque(media_type)
            if octets is not None:
                return Rendered(octets, media_type)
        value = MISSING if schema is None else self.value(key, schema, written=written)
        return render({} if value is MISSING else value, media_type, media)

    def value(self, key: str, schema: Schema, *, written: bool = True) -> Any:
        """A value of the schema, that is written there or made; `MISSING` when none could be made.

        It depends on the seed, on `key` and on the schema only.  One that is not valid is the best there was, and told.
        """
        try:
            sampler = self._sampler(schema, written=written)
            sample = sampler.sample(f"{self.seed}/{key}", written=written)
        except SchemaCompileError as error:
            self._tell(error.pointer, f"{error}; no value is made for it")
            return MISSING
        except NoValueError:
            self._tell(schema.pointer, f"no value was found for the schema at {schema.pointer}")
            return MISSING
        if not sample.valid:
            self._tell(schema.pointer, f"no valid value was found for the schema at {schema.pointer}; one is sent")
        return sample.value

    def _sampler(self, schema: Schema, *, written: bool) -> Sampler:
        known = self._samplers.get(id(schema))
        if known is not None:
            return known[1]
        document = schema.annotated()
        sampler = Sampler(document, schema.objections, schema.check_for)
        # The handle is kept with it, so that its identity is not given to another one.
        self._samplers[id(schema)] = (schema, sampler)
        for value in _root_examples(document) if written else ():
            faults = self._faults(schema, value)
            if faults:
                place = schema.pointer
                self._tell(f"{place}/example", f"an example of the schema at {place} is not used: {_told(faults[0])}")
        return sampler

    # -- header fields ---------------------------------------------------------------------------------------

    def _field_value(self, key: str, parameter: Parameter) -> Any:
        schema = parameter.described
        for example in parameter.examples:
            value = example.serialized if example.value is MISSING else example.value
            if value is not None and value is not MISSING:
                if example.value is MISSING or not self._faults(schema, value):
                    return value
                self._refuse(example, "it does not satisfy the schema of the header field")
        return "text" if schema is None else self.value(key, schema)


def _is_text(schema: Any) -> bool:
    """Whether a schema of something that is neither JSON nor text says no more than that it is some octets."""
    if not isinstance(schema, dict) or {"enum", "const", "pattern", "example", "examples", "default"} & schema.keys():
        return False
    return schema.get("type", "string") in ("string", "file") and "properties" not in schema and "$ref" not in schema


def _root_examples(document: Any) -> Iterator[Any]:
    for _ in range(100):
        if not isinstance(document, dict):
            return
        yield from written_in(document)[:1]
        reference = document.get("$ref")
        if not isinstance(reference, str):
            return
        document = document.get("$defs", {}).get(reference.removeprefix("#/$defs/"))


def _told(fault: SchemaFault) -> str:
    return f"{fault.pointer or '/'}: {fault.message}"


def _without(value: Any, faults: list[SchemaFault]) -> Any:
    """A copy of a value without the members that may not be sent."""
    value = jsontext.loads(jsontext.dumps(value))
    for fault in faults:
        *way, last = [unescape(part) for part in fault.pointer.split("/")[1:]]
        here = value
        for part in way:
            here = here[int(part)] if isinstance(here, list) else here[part]
        here.pop(last, None)
    return value


def _field_text(parameter: Parameter, value: Any) -> str:
    """A value in style simple (OpenAPI 3.1 section 4.8.12.6), or JSON for `content`; never with a control character."""
    if parameter.shape == "content":
        text = orjson.dumps(value).decode()
    elif isinstance(value, list):
        text = ",".join(map(_piece, value))
    elif isinstance(value, dict):
        glue = "=" if parameter.explode else ","
        text = ",".join(f"{name}{glue}{_piece(member)}" for name, member in value.items())
    else:
        text = _piece(value)
    plain = all(" " <= char <= "~" or "\xa0" <= char <= "\xff" for char in text)
    return text if plain else quote(text, safe=" !#$&'()*+,/:;=?@[]~\"<>{}|^`")


def _piece(value: Any) -> str:
    return value if isinstance(value, str) else jsontext.dumps(value).decode()
