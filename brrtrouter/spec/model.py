"""The frozen model of an OpenAPI document: what the rest of the package knows about it.

Everything here is data.  `load.py` builds it, `app.py` compiles it into the tables of `brrtrouter.core`.
Names are the specification's own (OpenAPI 3.1 section 4.8).  Nothing refers to `$ref`: references are resolved
when the model is made, except inside schemas, which stay as they were written and are reached by `Schema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from brrtrouter.errors import Issue
from brrtrouter.spec.schema import Schema

Location = Literal["path", "query", "header", "cookie"]
Style = Literal["matrix", "label", "simple", "form", "spaceDelimited", "pipeDelimited", "deepObject"]
Shape = Literal["scalar", "array", "object", "content"]
# The JSON Schema types that a piece of text can be cast to; order is the order in which they are tried.
CastType = Literal["null", "integer", "number", "boolean", "string"]


class _Missing:
    """The type of `MISSING`, which stands for "no default" because None is a value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> bool:
        return False


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class Parameter:
    """A Parameter Object (OpenAPI 3.1 section 4.8.12) with every default filled in.

    `shape` tells how the text is taken apart; `types` are the casts to try for a scalar, for the items of an
    array, or for the members of an object that `properties` does not name.  For shape "content" the text is
    JSON.  `schema` is None when the casts already prove everything that the schema says.
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

    @property
    def has_default(self) -> bool:
        """Whether the schema declares a default, which may be null."""
        return self.default is not MISSING


@dataclass(frozen=True, slots=True)
class MediaType:
    """One entry of a `content` map: a media type or range, lower case, without parameters in `essence`."""

    name: str
    essence: str
    schema: Schema | None
    example: Any = MISSING


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
    "operationId", or "generated" when the document names none.
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

    @property
    def success_status(self) -> int:
        """The status of a plain result: 200 when declared or when no 2xx is declared, else the smallest 2xx."""
        declared = sorted(int(r.status) for r in self.responses if r.status.isdigit() and r.status[0] == "2")
        return 200 if not declared or 200 in declared else declared[0]


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
