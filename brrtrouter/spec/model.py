"""The frozen model of an OpenAPI document: what the rest of the package knows about it.

Everything here is data.  `load.py` builds it, `app.py` compiles it into the tables of `brrtrouter.core`.
Names are the specification's own (OpenAPI 3.1 section 4.8).  Nothing refers to `$ref`: references are resolved
when the model is made, except inside schemas, which stay as they were written and are reached by `Schema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from brrtrouter.errors import Issue
from brrtrouter.spec.expressions import Template
from brrtrouter.spec.schema import Schema

Location = Literal["path", "query", "querystring", "header", "cookie"]
Style = Literal["matrix", "label", "simple", "form", "spaceDelimited", "pipeDelimited", "deepObject", "cookie"]
Shape = Literal["scalar", "array", "object", "content", "fields"]
# The JSON Schema types that a piece of text can be cast to; order is the order in which they are tried.
CastType = Literal["null", "integer", "number", "boolean", "string"]


# The extension by which an operation limits its body itself.
MAX_BODY: Final = "x-brrtrouter-max-body"
DEADLINE: Final = "x-brrtrouter-deadline-ms"
STACK_SIZES: Final = ("x-brrtrouter-stack-size", "x-stack-size")
# Stacks by name.  Python needs more of them than the names suggest: see docs/guide/handlers.md.
STACK_NAMES: Final[Mapping[str, int]] = {"small": 1 << 20, "medium": 4 << 20, "large": 16 << 20}
LEAST_STACK: Final = 256 * 1024
MOST_STACK: Final = 1 << 30
# The extension by which an operation gives its handler the body in pieces.
STREAM: Final = "x-brrtrouter-stream"
SSE: Final = "x-sse"
WEBSOCKET: Final = "x-websocket"
MESSAGES: Final = "x-websocket-messages"
SUBPROTOCOLS: Final = "x-websocket-protocols"


class _Missing:
    """The type of `MISSING`, which stands for "no default" because None is a value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = _Missing()


@dataclass(slots=True, eq=False)
class Nested:
    """The casts for one place inside a nested `deepObject`: of text there, of its items, of its members.

    `items` is None where the schema describes no array, `additional` is for members that `properties` does not name.
    A recursive schema gives an object that contains itself.
    """

    types: tuple[CastType, ...]
    properties: dict[str, Nested] = field(default_factory=dict)
    items: Nested | None = None
    additional: Nested | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """An Example Object, or an `example` field, which has no name (OpenAPI 3.1 section 4.8.19).

    One of `value`, `serialized` (the octets as text) and `external` is set; `file` is where `external` is, None when
    that is not below the folder of the document.
    """

    name: str
    pointer: str
    value: Any = MISSING
    serialized: str | None = None
    external: str = ""
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A Parameter Object (OpenAPI 3.1 section 4.8.12) with every default filled in.

    `shape` tells how the text is taken apart; `types` are the casts to try for a scalar, for the items of an
    array, or for the members of an object that `properties` does not name.  For shape "content" the text is
    JSON; for shape "fields", a form in `querystring`, `fields` describe its members as parameters of their own.
    `nested` is set for a `deepObject` that says `x-nested: true` or is a list.  When the schema allows several shapes,
    `readings` has one parameter for each and `described` chooses between the values.  `schema` is None when the casts
    already prove everything that the schema says; `described` is the schema in any case.
    """

    name: str
    location: Location
    required: bool
    style: Style
    explode: bool
    shape: Shape
    types: tuple[CastType, ...]
    pointer: str
    properties: Mapping[str, tuple[CastType, ...]] = field(default_factory=dict)
    additional: bool = True
    default: Any = MISSING
    allow_empty_value: bool = False
    deprecated: bool = False
    schema: Schema | None = None
    description: str = ""
    allow_reserved: bool = False
    fields: tuple[Parameter, ...] = ()
    nested: Nested | None = None
    described: Schema | None = None
    readings: tuple[Parameter, ...] = ()
    examples: tuple[Example, ...] = ()

    @property
    def has_default(self) -> bool:
        """Whether the schema declares a default, which may be null."""
        return self.default is not MISSING


@dataclass(frozen=True, slots=True)
class Part:
    """How one member of a form, or one part of a multipart body, becomes a value (OpenAPI 3.1 section 4.8.15).

    kind: "text" is cast to `types`, "json" is parsed, "file" stays octets, of which `length` says how many may be,
    "form" is a multipart body inside of this one, which `form` describes.
    many: the member is a list, and each part or pair of its name is one item.  content_types: what the description
    says it may be, () when that is left to defaults.  transfer: the contentEncoding, "" without one.
    """

    kind: Literal["text", "json", "file", "form"] = "text"
    many: bool = False
    types: tuple[CastType, ...] = ("string",)
    content_types: tuple[str, ...] = ()
    transfer: str = ""
    length: tuple[int, int | None] = (0, None)
    headers: tuple[Parameter, ...] = ()
    form: Form | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """A body made of members: application/x-www-form-urlencoded, or multipart.

    pairs: members that are read like query parameters.  parts: the other declared members, by name.  additional: what
    is done with members that are not declared, None when nothing is said about them.  For a multipart body that is a
    list, `in_order` is True, `prefix` holds the first parts and `additional` stands for the rest.
    """

    pairs: tuple[Parameter, ...] = ()
    parts: Mapping[str, Part] = field(default_factory=dict)
    additional: Part | None = None
    in_order: bool = False
    prefix: tuple[Part, ...] = ()


@dataclass(slots=True, eq=False)
class XmlShape:
    """How an XML element becomes a value (OpenAPI 3.1 section 4.8.26, 3.2 section 4.26).

    kind: "text" is cast to `types`.  "object" takes its members from child elements in `elements`, by their local
    names, from attributes in `attributes`, and from the element's own text for `text`; each of them is given as
    (member's name, shape), and `additional` is for the rest.  "list" has one item, shaped as `item`, for each child.
    `bare` lists are members without an element around their items.  name and namespace: what the element's have to be,
    None when nothing is said.  A schema that refers to itself makes a shape that does, too.
    """

    name: str | None = None
    namespace: str | None = None
    kind: Literal["text", "object", "list"] = "text"
    types: tuple[CastType, ...] = ("string",)
    elements: dict[str, tuple[str, XmlShape]] = field(default_factory=dict)
    attributes: dict[str, tuple[str, XmlShape]] = field(default_factory=dict)
    text: tuple[str, XmlShape] | None = None
    additional: XmlShape | None = None
    item: XmlShape | None = None
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """How a request body that is no JSON is read: as text, as octets, as a form or as XML.

    types: the casts for a text.  length: how many octets there may be.  forms: by "urlencoded" and "multipart".
    """

    types: tuple[CastType, ...] = ("string",)
    length: tuple[int, int | None] = (0, None)
    forms: Mapping[str, Form] = field(default_factory=dict)
    xml: XmlShape | None = None


@dataclass(frozen=True, slots=True)
class MediaType:
    """One entry of a `content` map: a media type or range, lower case, without parameters in `essence`.

    `parameters` are those of the key, without a charset; `reading` is for bodies of requests.  `item_schema` is for
    each item of a sequence (OpenAPI 3.2 section 4.14.3), `schema` for all of them as one list.
    """

    name: str
    essence: str
    schema: Schema | None
    example: Any = MISSING
    parameters: Mapping[str, str] = field(default_factory=dict)
    reading: Reading = field(default_factory=Reading)
    item_schema: Schema | None = None
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestBody:
    """A Request Body Object (OpenAPI 3.1 section 4.8.13); `content` in the order of the document."""

    required: bool
    content: tuple[MediaType, ...]


@dataclass(frozen=True, slots=True)
class Response:
    """A Response Object (OpenAPI 3.1 section 4.8.17); `status` is "200", "4XX" or "default"."""

    status: str
    description: str
    content: tuple[MediaType, ...]
    headers: tuple[Parameter, ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A Link Object (OpenAPI 3.1 section 4.8.20).

    The operation that it leads to is the one of `operation_id`, or the one whose pointer is `target`.  Values of
    `parameters`, and `request_body`, are constants or `Template`s.  `server` is the URL of its own server.
    """

    name: str
    pointer: str
    operation_id: str
    target: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    request_body: Any = MISSING
    server: str | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One scheme of a Security Requirement Object (OpenAPI 3.1 section 4.8.30) and its scopes or roles."""

    scheme: str
    scopes: tuple[str, ...] = ()


# A list of alternatives (OR), each a set of requirements (AND).  () means that no security is needed at all;
# an empty alternative means that an anonymous request is accepted too.
SecurityRequirement = tuple[tuple[Requirement, ...], ...]


@dataclass(frozen=True, slots=True)
class SecurityScheme:
    """A Security Scheme Object (OpenAPI 3.1 section 4.8.27).

    `type` is apiKey, http, oauth2, openIdConnect or mutualTLS; `location` and `parameter` belong to apiKey,
    `http_scheme` (lower case) to http.  `definition` is the object as written.
    """

    name: str
    type: str
    pointer: str
    location: str = ""
    parameter: str = ""
    http_scheme: str = ""
    definition: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """An Operation Object (OpenAPI 3.1 section 4.8.10) with what it inherits from its path item and root.

    `template` is the key under `paths`, `path` the same with the base path in front.  `handler` is the name by
    which a handler is looked up and `handler_source` where it came from: the name of the extension,
    "operationId", or "generated" when the document names none.  `messages` has the schemas of the messages of a
    WebSocket, by "receive" and "send".
    """

    method: str
    template: str
    path: str
    pointer: str
    operation_id: str | None
    handler: str
    handler_source: str
    parameters: tuple[Parameter, ...]
    request_body: RequestBody | None
    responses: tuple[Response, ...]
    security: SecurityRequirement
    summary: str = ""
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    extensions: Mapping[str, Any] = field(default_factory=dict)
    callbacks: tuple[Callback, ...] = ()
    messages: Mapping[str, Schema] = field(default_factory=dict)

    @property
    def max_body(self) -> int:
        """The limit of the body in bytes that the operation itself sets with `x-brrtrouter-max-body`, else -1."""
        limit = self.extensions.get(MAX_BODY, -1)
        return limit if type(limit) is int and limit >= 0 else -1

    @property
    def deadline(self) -> float:
        """The seconds that `x-brrtrouter-deadline-ms` gives the handler, 0 for no end, else -1."""
        limit = self.extensions.get(DEADLINE, -1)
        return limit / 1000 if type(limit) is int and limit >= 0 else -1.0

    @property
    def stack_size(self) -> int | None:
        """Bytes of stack that `x-brrtrouter-stack-size` asks for, for a handler that is a plain function; else None."""
        asked = next((self.extensions[name] for name in STACK_SIZES if name in self.extensions), None)
        return None if asked is None else stack_size(asked)

    @property
    def stream_body(self) -> bool:
        """Whether `x-brrtrouter-stream` asks that the handler starts before the body is read."""
        return self.extensions.get(STREAM) is True

    @property
    def sse(self) -> bool:
        """Whether its answers may be event streams: by `x-sse`, or a response with the media type of one."""
        declared = (media.essence for each in self.responses for media in each.content)
        return self.extensions.get(SSE) is True or "text/event-stream" in declared

    @property
    def websocket(self) -> bool:
        """Whether `x-websocket` makes it the place of a WebSocket."""
        return self.extensions.get(WEBSOCKET) is True

    @property
    def subprotocols(self) -> tuple[str, ...]:
        """The subprotocols of a WebSocket by `x-websocket-protocols`, the one that is liked best first."""
        return tuple(self.extensions.get(SUBPROTOCOLS, ()))

    @property
    def success_status(self) -> int:
        """The status of a plain result: 200 when declared or when no 2xx is declared, else the smallest 2xx."""
        declared = sorted(int(r.status) for r in self.responses if r.status.isdigit() and r.status[0] == "2")
        return 200 if not declared or 200 in declared else declared[0]


def stack_size(value: object) -> int:
    """Bytes from a number, decimal or hexadecimal text, or a name of `STACK_NAMES`.  Raises ValueError.

    Less than `LEAST_STACK` becomes that: the interpreter could not run in it.
    """
    found: object = value
    if isinstance(value, str):
        try:
            found = STACK_NAMES[value] if value in STACK_NAMES else int(value, 0)
        except ValueError:
            found = None
    if not isinstance(found, int) or isinstance(found, bool) or not 0 < found <= MOST_STACK:
        names = ", ".join(STACK_NAMES)
        raise ValueError(f"{value!r} is no size of a stack: bytes up to {MOST_STACK}, decimal or 0x..., or {names}")
    return max(found, LEAST_STACK)


@dataclass(frozen=True, slots=True)
class Callback:
    """One Path Item of a Callback Object (OpenAPI 3.1 section 4.8.18): what is sent to the URL that `url` gives.

    `operations` have no path of their own.
    """

    name: str
    url: Template
    operations: tuple[Operation, ...]
    pointer: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """One entry of `webhooks` (OpenAPI 3.1 section 4.8.1); its operations have no path of their own."""

    name: str
    operations: tuple[Operation, ...]
    pointer: str


@dataclass(frozen=True, slots=True)
class Specification:
    """A loaded OpenAPI document.

    `document` is the entry document as plain Python values, `raw` its bytes as read (None when it was given as
    a dict), `issues` the warnings; errors never get this far, they raise `SpecError`.
    """

    source: str
    version: str
    title: str
    base_path: str
    document: Mapping[str, Any]
    raw: bytes | None
    operations: tuple[Operation, ...]
    security_schemes: Mapping[str, SecurityScheme]
    issues: tuple[Issue, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
