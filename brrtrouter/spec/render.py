"""A value as the octets of a media type, and octets for media types that are no values."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping
from struct import pack
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

from brrtrouter import jsontext
from brrtrouter.spec.model import Form, MediaType, XmlShape

_BOUNDARY: Final = "part-of-an-answer"
# The fields of an event, in the order in which they are written (WHATWG HTML section 9.2.6).
_EVENT_FIELDS: Final = ("id", "event", "retry", "data")
_LINES: Final = frozenset(
    {"application/jsonl", "application/x-ndjson", "application/ndjson", "application/x-jsonlines"}
)


class Rendered(NamedTuple):
    """Octets and the Content-Type that they go out with."""

    octets: bytes
    media_type: str


def essence_of(media_type: str) -> str:
    """The media type without its parameters, in lower case."""
    return media_type.partition(";")[0].strip().lower()


def is_json(media_type: str) -> bool:
    """Whether it is JSON, one value."""
    essence = essence_of(media_type)
    return essence == "application/json" or essence.endswith("+json")


def _is_xml(essence: str) -> bool:
    return essence in ("application/xml", "text/xml") or essence.endswith("+xml")


def is_sequence(media_type: str) -> bool:
    """Whether it is a sequence of items (OpenAPI 3.2 section 4.14.4)."""
    essence = essence_of(media_type)
    return (
        essence in _LINES or essence in ("text/event-stream", "multipart/mixed") or essence.endswith(("-seq", "+jsonl"))
    )


def is_structured(media_type: str) -> bool:
    """Whether a value has a form in it: everything but files of one kind or another."""
    essence = essence_of(media_type)
    structured = is_json(essence) or is_sequence(essence) or essence.startswith(("text/", "multipart/"))
    return structured or (_is_xml(essence) and not essence.startswith("image/")) or essence in _WRITERS


def render(value: Any, media_type: str, media: MediaType) -> Rendered:
    """The octets of a value.  A sequence is given as a list of its items."""
    essence = essence_of(media_type)
    if essence.startswith("multipart/"):
        return _multipart(value, media_type, media.reading.forms.get("multipart"))
    if is_json(essence):
        return Rendered(jsontext.dumps(value), media_type)
    if is_sequence(essence):
        items = value if isinstance(value, list) else [value]
        return Rendered(b"".join(map(_item_writer(essence), items)), media_type)
    if essence in _WRITERS:
        return Rendered(_WRITERS[essence](value), media_type)
    if _is_xml(essence):
        return Rendered(_xml(value, media.reading.xml), media_type)
    return Rendered(_plain(value), media_type)


def _plain(value: Any) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else jsontext.dumps(value)


def _form(value: Any) -> bytes:
    """application/x-www-form-urlencoded, with arrays as repeated names."""
    pairs = value.items() if isinstance(value, Mapping) else [("value", value)]
    flat = [(name, each) for name, member in pairs for each in (member if isinstance(member, list) else [member])]
    return urlencode([(name, _plain(each)) for name, each in flat]).encode()


_WRITERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "application/x-www-form-urlencoded": _form,
    "application/yaml": jsontext.dumps,  # JSON is YAML
    "application/x-yaml": jsontext.dumps,
    "text/yaml": jsontext.dumps,
}


# -- sequences -----------------------------------------------------------------------------------------------


def _item_writer(essence: str) -> Callable[[Any], bytes]:
    if essence == "text/event-stream":
        return _event
    if essence.endswith("-seq"):
        return lambda item: b"\x1e" + jsontext.dumps(item) + b"\n"  # RFC 7464
    return lambda item: jsontext.dumps(item) + b"\n"


def _event(item: Any) -> bytes:
    """One event: from an object with the fields of an event, else with the item as its data."""
    if not isinstance(item, dict) or not item or item.keys() - set(_EVENT_FIELDS):
        item = {"data": item}
    lines: list[str] = []
    for name in _EVENT_FIELDS:
        if name in item:
            lines += [f"{name}: {line}\n" for line in _plain(item[name]).decode().splitlines() or [""]]
    return ("".join(lines) + "\n").encode()


def _multipart(value: Any, media_type: str, form: Form | None) -> Rendered:
    """RFC 2046 section 5.1: a part for each item of a list, a named one for each member of an object (RFC 7578)."""
    items = value if isinstance(value, list) else [value]
    members = value.items() if isinstance(value, Mapping) else [("", item) for item in items]
    parts: list[bytes] = []
    for name, member in members:
        said = form.parts[name].content_types if form is not None and name in form.parts else ()
        for each in member if name and isinstance(member, list) else [member]:
            usual = "text/plain; charset=utf-8" if isinstance(each, str) else "application/json"
            kind = next((kind for kind in said if "*" not in kind), usual)
            named = f"Content-Disposition: form-data; name={quoteattr(name)}\r\n" if name else ""
            parts.append(f"{named}Content-Type: {kind}\r\n\r\n".encode() + _plain(each))
    boundary = _BOUNDARY
    while any(boundary.encode() in part for part in parts):
        boundary += "-x"
    mark = b"--" + boundary.encode()
    octets = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts) + mark + b"--\r\n"
    return Rendered(octets, f"{essence_of(media_type)}; boundary={boundary}")


# -- XML -----------------------------------------------------------------------------------------------------


def _xml(value: Any, shape: XmlShape | None) -> bytes:
    root = shape or XmlShape(
        kind="object" if isinstance(value, dict) else "list" if isinstance(value, list) else "text"
    )
    text = _element(root.name or "root", value, root, None)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode("utf-8", "replace")


def _element(name: str, value: Any, shape: XmlShape | None, around: str | None) -> str:
    """One element; `around` is the namespace that it stands in, which is not declared again."""
    shape = shape or XmlShape()
    space = shape.namespace if shape.namespace is not None else around
    attributes = f" xmlns={quoteattr(space)}" if space and space != around else ""
    if isinstance(value, list):
        item = shape.item
        inner = "".join(_element((item.name if item else None) or name, each, item, space) for each in value)
    elif isinstance(value, Mapping):
        more, inner = _members(value, shape, space)
        attributes += more
    else:
        inner = _xml_text(value)
    return f"<{name}{attributes}>{inner}</{name}>" if inner else f"<{name}{attributes}/>"


def _members(value: Mapping[str, Any], shape: XmlShape, space: str | None) -> tuple[str, str]:
    """The attributes and the content of an element that is an object."""
    as_attribute = {member: name for name, (member, _) in shape.attributes.items()}
    as_element = {member: (name, inner) for name, (member, inner) in shape.elements.items()}
    attributes, content = "", ""
    for member, each in value.items():
        if member in as_attribute:
            attributes += f" {as_attribute[member]}={quoteattr(_xml_text(each, plain=True))}"
        elif shape.text is not None and shape.text[0] == member:
            content += _xml_text(each)
        else:
            name, inner = as_element.get(member, (_xml_name(member), shape.additional))
            if inner is not None and inner.bare and isinstance(each, list):
                content += "".join(_element(name, item, inner.item, space) for item in each)
            elif each is not None:
                content += _element(name, each, inner, space)
    return attributes, content


def _xml_name(member: str) -> str:
    """The name of a member that nothing describes, as far as it can be the name of an element."""
    name = "".join(char if char.isalnum() or char in "_-." else "_" for char in member)
    return name if name and (name[0].isalpha() or name[0] == "_") else f"_{name}"


def _xml_text(value: Any, *, plain: bool = False) -> str:
    text = "" if value is None else value if isinstance(value, str) else jsontext.dumps(value).decode()
    text = "".join(char for char in text if char >= " " or char in "\t\n\r")  # XML 1.0 section 2.2
    return text if plain else escape(text)


# -- files ---------------------------------------------------------------------------------------------------


def _png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    pixel = zlib.compress(b"\0\0")
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", pixel)
        + chunk(b"IEND", b"")
    )


def _bmp() -> bytes:
    return (
        b"BM" + pack("<IHHI", 58, 0, 0, 54) + pack("<IiiHHIIiiII", 40, 1, 1, 1, 24, 0, 4, 2835, 2835, 0, 0) + bytes(4)
    )


def _wav() -> bytes:
    data = b"\x80" * 8
    form = b"fmt " + pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8) + b"data" + pack("<I", len(data)) + data
    return b"RIFF" + pack("<I", len(form) + 4) + b"WAVE" + form


def _gzip() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(b"text\n") + packer.flush()


_PDF: Final = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)
_SVG: Final = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>\n'
# The smallest honest file of each kind.
_FILES: Final[dict[str, bytes]] = {
    "image/png": _png(),
    "image/gif": base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"),
    "image/bmp": _bmp(),
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xd9",
    "image/svg+xml": _SVG,
    "audio/wav": _wav(),
    "application/pdf": _PDF,
    "application/zip": b"PK\x05\x06" + bytes(18),
    "application/gzip": _gzip(),
    "application/x-tar": bytes(1024),
    "text/html": b"<!DOCTYPE html>\n<title>text</title>\n",
    "text/csv": b"name,value\r\ntext,1\r\n",
}


def opaque(media_type: str) -> bytes | None:
    """Octets for a media type of which no schema says more; None for JSON and other values."""
    essence = essence_of(media_type)
    if essence in _FILES:
        return _FILES[essence]
    if essence.startswith("text/") and not is_sequence(essence):
        return b"text\n"
    return None if is_structured(essence) else b"\x00\x01\x02\x03"
