"""Schemas and Encoding Objects to `model.Reading`: how bodies that are no JSON become values.

OpenAPI 3.1 sections 4.8.14 and 4.8.15.  What a member of a form is when its Encoding Object says nothing:

* text for strings, numbers and booleans; JSON for objects; for lists, what their items are, one pair or part each;
* octets for `format: binary` and `format: byte`, for `contentEncoding`, and, since 3.1, for a schema without a type.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, Literal

from brrtrouter.spec.facts import SCALARS, Facts, ordered
from brrtrouter.spec.model import MISSING, Form, Parameter, Part, Reading
from brrtrouter.spec.parameters import ParameterReader, is_json
from brrtrouter.spec.reference import Node
from brrtrouter.spec.report import Report, member, members
from brrtrouter.spec.xml import XmlReader

URLENCODED: Final = "application/x-www-form-urlencoded"
FORM_DATA: Final = "multipart/form-data"
# Each of these switches from contentType to the styles of RFC 6570 (OpenAPI 3.1.1 section 4.8.15.1.2).
_STYLE_FIELDS: Final = ("style", "explode", "allowReserved")
# What makes the part that an Encoding Object describes a multipart body of its own (OpenAPI 3.2 section 4.15.1).
_NESTED: Final = frozenset({"encoding", "prefixEncoding", "itemEncoding"})
_NO_CONTENT: Final[dict[str, Any]] = {}
# What a schema says about octets.
_OCTET_KEYWORDS: Final = ("format", "contentEncoding", "contentMediaType", "minLength", "maxLength")
_TRANSFERS: Final = frozenset({"base64", "base64url"})


class FormReader:
    """Makes the `Reading` of media types whose bodies are no JSON."""

    def __init__(self, report: Report, parameters: ParameterReader) -> None:
        self.report = report
        self.parameters = parameters
        self.files = parameters.files
        self.facts = parameters.facts
        self._xml = XmlReader(self.facts, parameters.version)
        # Parameter Objects that were made here; the reader of parameters knows them by their identity.
        self._made: list[dict[str, Any]] = []
        parameters.form_fields = self._fields

    def read(self, essence: str, media: Node) -> Reading:
        """The reading for one entry of a `content` map."""
        if is_json(essence):
            return Reading()
        schema = member(media, "schema")
        facts = self.facts.facts(schema) if schema else Facts()
        forms = {}
        if essence in (URLENCODED, "application/*", "*/*"):
            forms["urlencoded"] = self._urlencoded(media, facts)
        if essence.startswith("multipart/") or essence == "*/*":
            forms["multipart"] = self._multipart(media, schema, named=essence in (FORM_DATA, "*/*"))
        could_be_xml = essence.endswith(("/xml", "+xml", "/*"))
        said = self._said(schema)
        return Reading(
            types=ordered(facts.types) if essence.startswith(("text/", "*/")) and facts.types else ("string",),
            length=_length(said),
            forms=forms,
            xml=self._xml.shape(schema) if could_be_xml and schema else None,
        )

    # -- forms

    def _urlencoded(self, media: Node, facts: Facts) -> Form:
        pairs: list[Parameter] = []
        parts: dict[str, Part] = {}
        for name, schema in facts.properties.items():
            encoding = self._encoding(media, name)
            if not self._is_styled(encoding):
                part = self._part(schema, encoding)
                if part.kind == "json":
                    parts[name] = part
                    continue
            if pair := self._pair(name, schema, encoding):
                pairs.append(pair)
        self._check_names(media, facts)
        return Form(tuple(pairs), parts, self._additional(facts))

    def _fields(self, media: Node, facts: Facts) -> tuple[Parameter, ...]:
        """The members of a form in a `querystring`, all as parameters (OpenAPI 3.2 section 4.12.2)."""
        form = self._urlencoded(media, facts)
        json = [self._pair(name, facts.properties[name], None) for name in form.parts]
        return (*form.pairs, *(replace(pair, shape="content", readings=()) for pair in json if pair is not None))

    def _multipart(self, media: Node, schema: Node | None, *, named: bool) -> Form:
        """The form of a multipart body; `media` is its Media Type Object, or an Encoding Object with others inside."""
        facts = self.facts.facts(schema) if schema is not None else Facts()
        if not named and (facts.types == frozenset({"array"}) or "itemSchema" in media.value):
            return self._in_order(media, schema)
        pairs: list[Parameter] = []
        parts: dict[str, Part] = {}
        for name, node in facts.properties.items():
            encoding = self._encoding(media, name)
            part = self._part(node, encoding)
            like_a_pair = self._is_styled(encoding) or (encoding is None and self._has_shapes(part, node))
            if named and like_a_pair and (pair := self._pair(name, node, encoding)):
                pairs.append(pair)
            else:
                parts[name] = part
        self._check_names(media, facts)
        return Form(tuple(pairs), parts, self._additional(facts))

    def _in_order(self, media: Node, schema: Node | None) -> Form:
        """A multipart body that is a list (OpenAPI 3.2 section 4.14.4): parts by their position."""
        listed = self.files.object_at(schema)
        prefixes = member(listed, "prefixItems") if listed is not None else None
        items = (member(listed, "items") if listed is not None else None) or member(media, "itemSchema")
        first = member(media, "prefixEncoding")
        rest = member(media, "itemEncoding")
        prefix = []
        encodings = (
            [] if first is None or not isinstance(first.value, list) else [*map(first.child, range(len(first.value)))]
        )
        described = [] if prefixes is None or not isinstance(prefixes.value, list) else prefixes.value
        for at in range(max(len(described), len(encodings))):
            encoding = encodings[at] if at < len(encodings) else rest
            node = prefixes.child(at) if prefixes is not None and at < len(described) else items
            prefix.append(self._part(node, self.files.object_at(encoding)))
        additional = self._part(items, self.files.object_at(rest)) if items is not None or rest is not None else None
        return Form(additional=additional, in_order=True, prefix=tuple(prefix))

    def _additional(self, facts: Facts) -> Part | None:
        node = facts.additional
        if node is None or isinstance(node.value, bool) or node.value == {}:
            return None
        return self._part(node, None)

    def _check_names(self, media: Node, facts: Facts) -> None:
        for name, node in members(member(media, "encoding")):
            if name not in facts.properties:
                text = f"the schema has no property {name[:80]!r}, so that this encoding has no effect"
                self.report.warning("EncodingWithoutProperty", node, text)

    # -- members

    def _encoding(self, media: Node, name: str) -> Node | None:
        encodings = member(media, "encoding")
        return self.files.object_at(member(encodings, name)) if encodings is not None else None

    def _is_styled(self, encoding: Node | None) -> bool:
        return encoding is not None and any(name in encoding.value for name in _STYLE_FIELDS)

    def _has_shapes(self, part: Part, schema: Node) -> bool:
        """Whether a part is a single value or something else, which its text tells as in every other form."""
        if part.kind != "text" or part.many:
            return False
        types = self.facts.facts(schema).types
        return types is not None and not types.isdisjoint(("array", "object"))

    def _pair(self, name: str, schema: Node, encoding: Node | None) -> Parameter | None:
        """The parameter that a member is read like; the schema of the whole body judges the value."""
        own = encoding.value if encoding is not None else _NO_CONTENT
        made = {key: value for key, value in own.items() if key in _STYLE_FIELDS or key.startswith("x-")}
        made |= {"name": name, "in": "query", "schema": schema.value}
        self._made.append(made)
        found = self.parameters.read(Node(made, schema.resource, schema.pointer))
        if found is None:
            return None
        # The members of an exploded object are those that it names: other pairs are other members of the form.
        closed = found.shape == "object" and found.style == "form" and found.explode
        readings = found.readings
        if not self._is_styled(encoding):
            readings = tuple(replace(each, shape="content") if each.shape == "object" else each for each in readings)
        return replace(
            found,
            schema=None,
            described=self.parameters.schemas.schema(schema, "request"),
            default=MISSING,
            additional=found.additional and not closed,
            readings=readings,
        )

    def _part(self, schema: Node | None, encoding: Node | None) -> Part:
        facts = self.facts.facts(schema) if schema is not None else Facts()
        nested = encoding is not None and not encoding.value.keys().isdisjoint(_NESTED)
        if facts.types is not None and facts.types - {"null"} == {"array"} and not nested:
            inner = self._part(facts.items[0] if facts.items else None, encoding)
            return replace(inner, many=True)
        said = self._said(schema)
        declared = _content_types(encoding, said)
        if encoding is not None and declared and all(name.startswith("multipart/") for name in declared):
            inner_form = self._multipart(encoding, schema, named=declared == (FORM_DATA,))
            headers = self.parameters.read_headers(member(encoding, "headers"), "request")
            return Part("form", content_types=declared, headers=headers, form=inner_form)
        kind = self._kind(facts, said, declared)
        transfer = said.get("contentEncoding", "base64" if said.get("format") == "byte" else "")
        return Part(
            kind=kind,
            types=ordered(facts.types) if kind == "text" else ("string",),
            content_types=declared,
            transfer=transfer if transfer in _TRANSFERS else "",
            length=_length(said) if kind == "file" else (0, None),
            headers=self.parameters.read_headers(member(encoding, "headers"), "request") if encoding else (),
        )

    def _kind(self, facts: Facts, said: dict[str, Any], declared: tuple[str, ...]) -> Literal["text", "json", "file"]:
        types = facts.types
        if "contentEncoding" in said or said.get("format") in ("binary", "byte"):
            return "file"
        if declared:
            if all(is_json(name) for name in declared):
                return "json"
            if not any(name.startswith("text/") or is_json(name) for name in declared):
                return "file"
        if types is None:
            return "text" if self.facts.old else "file"
        return "text" if types & (SCALARS - {"null"}) or types == {"null"} else "json"

    def _said(self, schema: Node | None) -> dict[str, Any]:
        """The keywords about octets of a schema, looked for behind `$ref` and in `allOf` too; the outer one wins."""
        said: dict[str, Any] = {}
        for node in self.files.behind(schema) if schema is not None else ():
            for keyword in _OCTET_KEYWORDS:
                if keyword in node.value:
                    said.setdefault(keyword, node.value[keyword])
        return said


def _content_types(encoding: Node | None, said: dict[str, Any]) -> tuple[str, ...]:
    """What a part may be: the contentType of its Encoding Object, else contentMediaType, as a list in lower case."""
    text = encoding.value.get("contentType") if encoding is not None else None
    if not isinstance(text, str):
        text = said.get("contentMediaType")
    return tuple(_names(text.split(","))) if isinstance(text, str) else ()


def _names(pieces: Iterable[str]) -> Iterable[str]:
    for piece in pieces:
        name = piece.partition(";")[0].strip().lower()
        if name:
            yield name


def _length(said: dict[str, Any]) -> tuple[int, int | None]:
    low, high = said.get("minLength"), said.get("maxLength")
    return (low if type(low) is int else 0), (high if type(high) is int else None)
