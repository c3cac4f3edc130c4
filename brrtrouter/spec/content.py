"""Request bodies, responses and their media types (OpenAPI 3.1 sections 4.8.13, 4.8.14 and 4.8.17)."""

from __future__ import annotations

import re
from typing import Any, Final

from brrtrouter.spec.bundle import Direction
from brrtrouter.spec.forms import FormReader
from brrtrouter.spec.links import LinkReader
from brrtrouter.spec.model import MISSING, Link, MediaType, Parameter, Reading, RequestBody, Response
from brrtrouter.spec.parameters import ParameterReader, says_something
from brrtrouter.spec.reference import Node
from brrtrouter.spec.report import Report, member, members, text
from brrtrouter.spec.schema import Schema, SchemaSet
from brrtrouter.spec.written import read_examples

_STATUS: Final = re.compile(r"[1-5](?:[0-9][0-9]|XX)|default")
_MEDIA_TYPE: Final = re.compile(r"[^\s/;]+/[^\s/;]+")


class ContentReader:
    """Builds each Request Body, Response and content map once, however many operations refer to it."""

    def __init__(self, report: Report, schemas: SchemaSet, parameters: ParameterReader) -> None:
        self.report = report
        self.parameters = parameters
        self.schemas = schemas
        self.files = schemas.files
        self.links = LinkReader(self.files, report)
        self._forms = FormReader(report, parameters)
        self._bodies: dict[int, RequestBody] = {}
        self._responses: dict[int, tuple[str, tuple[MediaType, ...], tuple[Parameter, ...], tuple[Link, ...]]] = {}

    def body(self, node: Node | None) -> RequestBody | None:
        """The Request Body Object at `node`."""
        found = self.files.object_at(node)
        if found is None:
            return None
        known = self._bodies.get(id(found.value))
        if known is None:
            required = found.value.get("required", False)
            if not isinstance(required, bool):
                self.report.error("WrongType", found.child("required"), "required has to be a boolean")
            if "content" not in found.value:
                self.report.warning("MissingContent", found, "a request body needs content; no body is expected")
            known = RequestBody(required is True, self._content(member(found, "content"), "request"))
            self._bodies[id(found.value)] = known
        return known

    def responses(self, node: Node | None) -> tuple[Response, ...]:
        """The Responses Object at `node`, in the order of the document."""
        found: dict[str, Response] = {}
        for status, item in members(node):
            name = status.upper() if status != "default" else status
            if not _STATUS.fullmatch(name):
                message = f"{status[:80]!r} is no status: 100 to 599, 1XX to 5XX or default"
                self.report.error("InvalidStatus", item, message)
                continue
            if name != status:
                self.report.warning("InvalidStatus", item, f"{status!r} is read as {name!r}")
            response = self.files.object_at(item)
            if response is None:
                continue
            known = self._responses.get(id(response.value))
            if known is None:
                content = self._content(member(response, "content"), "response")
                headers = self.parameters.read_headers(member(response, "headers"), "response")
                # Since 3.2 a summary may stand in place of the description.
                words = text(response.value.get("description")) or text(response.value.get("summary"))
                known = (words, content, headers, self.links.read(member(response, "links")))
                self._responses[id(response.value)] = known
            found[name] = Response(name, *known)
        return tuple(found.values())

    def _content(self, node: Node | None, direction: Direction) -> tuple[MediaType, ...]:
        found = []
        for name, item in members(node):
            essence = name.partition(";")[0].strip().lower()
            if not _MEDIA_TYPE.fullmatch(essence):
                self.report.warning("InvalidMediaType", item, f"{name[:80]!r} is no media type; nothing can match it")
            media = self.files.object_at(item)
            if media is None:
                continue
            handle = self.schema(member(media, "schema"), direction)
            each = self.schema(member(media, "itemSchema"), direction)
            read = direction == "request" or essence.endswith(("/xml", "+xml"))
            reading = self._forms.read(essence, media) if read else Reading()
            example = self._example(media)
            written = read_examples(self.files, media)
            found.append(MediaType(name.lower(), essence, handle, example, _parameters(name), reading, each, written))
        return tuple(found)

    def schema(self, schema: Node | None, direction: Direction) -> Schema | None:
        """The handle of a schema; None without one, and for one that says nothing."""
        return self.schemas.schema(schema, direction) if schema and says_something(schema.value) else None

    def _example(self, media: Node) -> Any:
        if "example" in media.value:
            return media.value["example"]
        for _, item in members(member(media, "examples")):
            example = self.files.object_at(item)
            for field in ("value", "dataValue") if example else ():
                if example and field in example.value:
                    return example.value[field]
        return MISSING


def _parameters(name: str) -> dict[str, str]:
    """The parameters of a media type in lower case, which a body has to have too; but for a charset, which says how."""
    found = {}
    for piece in name.lower().split(";")[1:]:
        key, _, value = piece.partition("=")
        if key.strip() not in ("charset", "boundary", ""):
            found[key.strip()] = value.strip(' \t"')
    return found
