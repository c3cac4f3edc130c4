"""XML bodies: elements to values, driven by the shape that the schema gives them.

expat reads the text.  A document type declaration is refused as soon as it begins, so that there are no entities but
the five of XML itself: nothing expands, nothing is fetched (XML 1.0 sections 2.8 and 4.1).  Depth is bounded while
reading.  Sources: OpenAPI 3.1 section 4.8.26, 3.2 section 4.26; Namespaces in XML 1.0.
"""

from __future__ import annotations

from typing import Any, Final
from xml.parsers import expat

from brrtrouter.config import Limits
from brrtrouter.core.bodies import BodyError, Decode, Outcome
from brrtrouter.core.casts import cast
from brrtrouter.core.media import MediaLike, MediaType
from brrtrouter.core.styles import TextError
from brrtrouter.errors import Fault

_XSI_NIL: Final = "http://www.w3.org/2001/XMLSchema-instance nil"
_STAND_IN: Final = ""
_TEXT: Final = ("string",)


class _Element:
    """One element as it was read: names are "namespace local", or only the local name."""

    __slots__ = ("attributes", "children", "pieces", "tag")

    def __init__(self, tag: str, attributes: dict[str, str] | None) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[_Element] | None = None
        self.pieces: list[str] | None = None

    @property
    def text(self) -> str:
        return "" if self.pieces is None else "".join(self.pieces)

    @property
    def local(self) -> str:
        return self.tag.rpartition(" ")[2]

    @property
    def namespace(self) -> str:
        return self.tag.rpartition(" ")[0]


class _Tree:
    """The handlers of expat: build elements, stop at what is refused."""

    def __init__(self, limits: Limits) -> None:
        self.max_depth = limits.json_depth
        self.limit = self.left = limits.xml_elements
        self.root: _Element | None = None
        self.open: list[_Element] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self.left:
            message = f"more than {self.limit} elements"
            raise BodyError(message, keyword="limit", slug="request-body-too-large")
        self.left -= 1
        element = _Element(tag, attributes or None)
        if len(self.open) >= self.max_depth:
            raise BodyError(f"nested deeper than {self.max_depth} levels")
        if self.open:
            parent = self.open[-1]
            if parent.children is None:
                parent.children = []
            parent.children.append(element)
        else:
            self.root = element
        self.open.append(element)

    def end(self, tag: str) -> None:
        self.open.pop()

    def data(self, text: str) -> None:
        element = self.open[-1]
        if element.pieces is None:
            element.pieces = [text]
        else:
            element.pieces.append(text)

    def doctype(self, *_: object) -> None:
        raise BodyError("a document type declaration is not accepted")


def read_tree(raw: bytes, encoding: str | None, limits: Limits) -> _Element:
    """The root element of an XML text.  Raises `BodyError` with line and column for what is none."""
    tree = _Tree(limits)
    parser = expat.ParserCreate(encoding, " ")
    parser.buffer_text = True
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.data
    parser.StartDoctypeDeclHandler = tree.doctype
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise BodyError(f"{reason} in line {error.lineno}, column {error.offset + 1}") from None
    except (LookupError, ValueError) as error:  # an encoding that Python does not know, or that is no map of bytes
        if isinstance(error, BodyError):
            raise
        raise BodyError(f"the encoding of the text cannot be read: {error}") from None
    assert tree.root is not None
    return tree.root


class _Reader:
    """Turns elements into values and gathers what is wrong."""

    def __init__(self, limits: Limits) -> None:
        self._most = limits.errors + 1  # one more shows that there are more
        self.faults: list[Fault] = []
        self.exempt: set[str] = set()

    def fault(self, pointer: str, keyword: str, message: str) -> str:
        if len(self.faults) < self._most:
            self.faults.append(Fault("body", pointer, keyword, message))
        self.exempt.add(pointer)
        return _STAND_IN

    def value(self, element: _Element, shape: Any, pointer: str) -> Any:
        if shape is None:
            return self._plain(element, pointer)
        if shape.namespace is not None and element.namespace != shape.namespace:
            return self.fault(pointer, "xml", f"the element is not in the namespace {shape.namespace}")
        if element.attributes and element.attributes.get(_XSI_NIL) in ("true", "1"):
            return None
        if shape.kind == "object":
            return self._object(element, shape, pointer)
        if shape.kind == "list":
            return self._list(element, shape, pointer)
        if element.children:
            return self.fault(pointer, "type", "the element has others in it where there has to be a text")
        return self._cast(element.text, shape.types, pointer)

    def _cast(self, text: str, types: tuple[str, ...], pointer: str) -> Any:
        try:
            return cast(text if "string" in types else text.strip(" \t\r\n"), types)
        except TextError as error:
            return self.fault(pointer, error.keyword, str(error))

    def _list(self, element: _Element, shape: Any, pointer: str) -> list[Any]:
        if element.text.strip():
            self.fault(pointer, "xml", "there is a text between the elements")
        return [self._item(child, shape.item, f"{pointer}/{at}") for at, child in enumerate(element.children or ())]

    def _item(self, child: _Element, shape: Any, pointer: str) -> Any:
        if shape is not None and shape.name is not None and child.local != shape.name:
            return self.fault(pointer, "xml", f"the element has to be named {shape.name}")
        return self.value(child, shape, pointer)

    def _object(self, element: _Element, shape: Any, pointer: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for tag, text in (element.attributes or {}).items():
            local = tag.rpartition(" ")[2]
            name, inner = shape.attributes.get(local, (local, None))
            values[name] = self._cast(text, inner.types if inner is not None else _TEXT, _below(pointer, name))
        if shape.text is not None:
            name, inner = shape.text
            values[name] = self._cast(element.text, inner.types, _below(pointer, name))
        elif element.text.strip():
            self.fault(pointer, "xml", "there is a text between the elements")
        for child in element.children or ():
            name, inner = shape.elements.get(child.local, (child.local, shape.additional))
            place = _below(pointer, name)
            if inner is not None and inner.bare:
                items = values.setdefault(name, [])
                items.append(self.value(child, inner.item, f"{place}/{len(items)}"))
            elif name in values:
                self.fault(place, "duplicate", "given more than once")
            else:
                values[name] = self.value(child, inner, place)
        return values

    def _plain(self, element: _Element, pointer: str) -> Any:
        """An element that no schema describes: its text, or its attributes and children, lists where they repeat."""
        if not element.children and not element.attributes:
            return element.text
        values: dict[str, Any] = {tag.rpartition(" ")[2]: text for tag, text in (element.attributes or {}).items()}
        repeated: set[str] = set()
        for child in element.children or ():
            value = self._plain(child, _below(pointer, child.local))
            if child.local in repeated:
                values[child.local].append(value)
            elif child.local in values:
                values[child.local] = [values[child.local], value]
                repeated.add(child.local)
            else:
                values[child.local] = value
        return values


def _below(pointer: str, name: str) -> str:
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"


def xml(media: MediaLike, limits: Limits) -> Decode:
    """The decoder of XML bodies for one media type."""
    shape = media.reading.xml

    def decode(raw: bytes, sent: MediaType) -> Outcome:
        root = read_tree(raw, sent.charset if "charset" in sent.parameters else None, limits)
        if shape is not None and shape.name is not None and root.local != shape.name:
            raise BodyError(f"the root element has to be named {shape.name}", keyword="xml")
        reader = _Reader(limits)
        value = reader.value(root, shape, "")
        return Outcome(value, value, reader.faults, frozenset(reader.exempt))

    return decode
