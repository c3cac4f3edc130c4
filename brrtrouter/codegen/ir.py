"""What is generated, before it is text: types, models, operations.

Everything that goes into a project is decided here; the writers only spell it.  Names are valid and unique already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from brrtrouter.codegen.text import literal
from brrtrouter.spec import model as spec

# -- types -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plain:
    """A type that Python or a library has; `text` is how it is written."""

    text: str


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Type


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object of any member names."""

    item: Type


@dataclass(frozen=True, slots=True)
class LiteralOf:
    """One of some strings or integers."""

    values: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class UnionOf:
    members: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A model, by its name."""

    model: Model


Type = Plain | ListOf | MapOf | LiteralOf | UnionOf | Named

ANY: Final = Plain("Any")
NONE: Final = Plain("None")
STR: Final = Plain("str")
INT: Final = Plain("int")
FLOAT: Final = Plain("float")
BOOL: Final = Plain("bool")
BYTES: Final = Plain("bytes")
DATETIME: Final = Plain("dt.datetime")
DATE: Final = Plain("dt.date")
UUID: Final = Plain("UUID")
DECIMAL: Final = Plain("Decimal")
REQUEST: Final = Plain("Request")
RESPONSE: Final = Plain("Response")
ANYTHING: Final = MapOf(ANY)


def below(kind: Type) -> Iterator[Type]:
    """The type and those it is made of; not into models."""
    yield kind
    inner = kind.members if isinstance(kind, UnionOf) else (kind.item,) if isinstance(kind, (ListOf, MapOf)) else ()
    for each in inner:
        yield from below(each)


def models_in(kind: Type) -> Iterator[Model]:
    """The models that a type names itself."""
    return (each.model for each in below(kind) if isinstance(each, Named))


def spelled(kind: Type) -> str:
    """The type as an annotation."""
    if isinstance(kind, Plain):
        return kind.text
    if isinstance(kind, ListOf):
        return f"list[{spelled(kind.item)}]"
    if isinstance(kind, MapOf):
        return f"dict[str, {spelled(kind.item)}]"
    if isinstance(kind, LiteralOf):
        return f"Literal[{', '.join(map(literal, kind.values))}]"
    if isinstance(kind, Named):
        return kind.model.name
    return " | ".join(map(spelled, kind.members))


# -- models ----------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Member:
    """A member of an object: `wire` is its name in JSON.  `default` is `spec.MISSING` for none."""

    name: str
    wire: str
    type: Type
    required: bool
    default: Any = spec.MISSING
    comment: str = ""


@dataclass(slots=True, eq=False)
class Model:
    """A class or an alias of its own; `module` is where it is written, once all users of it are known.

    constants: members that always have one value, by which a choice among objects is told.
    """

    name: str
    doc: str
    place: str
    module: str = "shared"
    constants: dict[str, str | int] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Struct(Model):
    """An object with named members.  With `tag_field` the member of that name tells it from others of a union."""

    members: list[Member] = field(default_factory=list)
    tag_field: str = ""
    tag: str | int = ""


@dataclass(slots=True, eq=False)
class Alias(Model):
    """Another name for a type."""

    type: Type = ANY


# -- operations ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a handler or of a method of the client, from one parameter."""

    name: str
    wire: str
    location: str
    type: Type
    required: bool
    default: Any
    parameter: spec.Parameter
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Payload:
    """The body of a request: `media` is what a client sends, `kind` how ("json", "form", "multipart", "text", "bytes").

    accepted: what a handler gets, which is anything where media types have different schemas.
    """

    type: Type
    accepted: Type
    required: bool
    media: spec.MediaType
    kind: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One declared answer.  status: "200", "4XX" or "default".  type: None without content.

    kind: "json", "text", "bytes" or "none".  `name` is the class that stands for it, "" for what has none.
    """

    status: str
    type: Type | None
    kind: str
    name: str
    declared: spec.Response


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation, where its handler is, and its types.

    plain_request: the handler takes the request and nothing else, and answers with a Response.
    """

    spec: spec.Operation
    function: str
    module: str
    arguments: tuple[Argument, ...]
    payload: Payload | None
    outcomes: tuple[Outcome, ...]
    doc: str
    plain_request: bool = False

    @property
    def title(self) -> str:
        return f"{self.spec.method} {self.spec.path}"


@dataclass(frozen=True, slots=True)
class Project:
    """All of it.  modules: the names of modules, one for each tag, in the order of the description."""

    package: str
    title: str
    description: spec.Specification
    operations: tuple[Operation, ...]
    models: tuple[Model, ...]
    modules: tuple[str, ...]
    answers: Mapping[str, Outcome]
