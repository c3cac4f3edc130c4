"""The operations of a description as `ir.Operation`s, and the project of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import urlsplit

from brrtrouter import jsontext
from brrtrouter.codegen.ir import (
    ANY,
    ANYTHING,
    BYTES,
    STR,
    Alias,
    Argument,
    Model,
    Operation,
    Outcome,
    Payload,
    Project,
    Struct,
    Type,
    models_in,
    spelled,
)
from brrtrouter.codegen.names import Scope, pascal, snake
from brrtrouter.codegen.schemas import SchemaReader, is_constant_of
from brrtrouter.dispatch.mock import usual_answer
from brrtrouter.errors import BrrtError
from brrtrouter.spec import model as spec
from brrtrouter.spec.reference import Files
from brrtrouter.spec.render import is_json, is_sequence
from brrtrouter.spec.schema import Schema

# Where operations without a tag are.
UNTAGGED: Final = "operations"
# Arguments with a meaning of their own for handlers and for methods of a client.
_OWN_ARGUMENTS: Final = frozenset({"body", "request", "auth", "self", "response", "kind", "key"})
# What clients have beside the methods for operations.
_METHODS: Final = frozenset({"aclose", "close", "schemes"})
_FAMILIES: Final = {"1XX": "Interim", "2XX": "Success", "3XX": "Redirect", "4XX": "Refused", "5XX": "Failed"}


def plan(description: spec.Specification, package: str) -> Project:
    """Everything that the project for a description consists of, but for its text."""
    files = _files_of(description)
    reader = _Reader(SchemaReader(files) if files is not None else None)
    operations = [reader.operation(each) for each in description.operations]
    answers = _name_answers(operations, reader)
    operations = [_with_names(each, answers) for each in operations]
    modules = tuple(dict.fromkeys(each.module for each in operations))
    models = tuple(reader.schemas.models) if reader.schemas is not None else ()
    _place(models, operations)
    by_name = {outcome.name: outcome for each in operations for outcome in each.outcomes if outcome.name}
    return Project(package, description.title or "API", description, tuple(operations), models, modules, by_name)


def _files_of(description: spec.Specification) -> Files | None:
    return next((schema.files for each in description.operations for schema in _schemas_of(each)), None)


def _schemas_of(operation: spec.Operation) -> Iterator[Schema]:
    for parameter in operation.parameters:
        if parameter.described is not None:
            yield parameter.described
    contents = [operation.request_body.content] if operation.request_body else []
    for media in (
        media for content in [*contents, *(each.content for each in operation.responses)] for media in content
    ):
        yield from (schema for schema in (media.schema, media.item_schema) if schema is not None)


class _Reader:
    """Reads operations, one after the other."""

    def __init__(self, schemas: SchemaReader | None) -> None:
        self.schemas = schemas
        self._functions = Scope(_METHODS)
        self._modules: dict[str, str] = {}
        self._module_scope = Scope(frozenset({"shared", "init"}))
        self._handlers: set[str] = set()
        self._loose = Scope()

    def claim(self, name: str) -> str:
        return self.schemas.claim(name) if self.schemas is not None else self._loose.claim(pascal(name))

    def operation(self, found: spec.Operation) -> Operation:
        again = found.handler in self._handlers
        self._handlers.add(found.handler)
        name = pascal(found.handler)
        return Operation(
            spec=found,
            function=self._functions.claim(snake(found.handler)),
            module=self._module(found.tags[0] if found.tags else UNTAGGED),
            arguments=tuple(self._arguments(found, name)),
            payload=self._payload(found, name),
            outcomes=tuple(self._outcome(each, name) for each in found.responses),
            doc=_doc(found),
            plain_request=again or found.stream_body,
        )

    def _module(self, tag: str) -> str:
        if tag not in self._modules:
            self._modules[tag] = self._module_scope.claim(snake(tag))
        return self._modules[tag]

    def _type(self, schema: Schema | None, name: str, otherwise: Type, *, partial: bool = False) -> Type:
        if schema is None or self.schemas is None:
            return otherwise
        return self.schemas.read(schema.node, name, partial=partial)

    # -- parameters ------------------------------------------------------------------------------------------

    def _arguments(self, found: spec.Operation, name: str) -> Iterator[Argument]:
        scope = Scope(_OWN_ARGUMENTS)
        for each in sorted(found.parameters, key=lambda each: not each.required):
            kind = self._type(each.described, f"{name}{pascal(each.name)}", STR)
            default = each.default if each.has_default and is_constant_of(kind, each.default) else spec.MISSING
            yield Argument(
                scope.claim(snake(each.name)),
                each.name,
                each.location,
                kind,
                each.required,
                default,
                each,
                each.description,
            )

    # -- bodies ----------------------------------------------------------------------------------------------

    def _payload(self, found: spec.Operation, name: str) -> Payload | None:
        body = found.request_body
        if body is None or not body.content:
            return None
        media = min(body.content, key=lambda each: _RANK[_kind(each.essence)])
        kind = _kind(media.essence)
        type_ = _OWN_TYPES.get(kind)
        if type_ is None:
            type_ = self._type(media.schema, f"{name}Body", ANY, partial=found.method == "PATCH")
        elif kind == "text" and media.reading.types != ("string",):
            type_ = ANY
        alike = all(each is media or _reads_alike(each, media) for each in body.content)
        return Payload(type_, type_ if alike else ANY, body.required, media, kind)

    def _outcome(self, found: spec.Response, name: str) -> Outcome:
        if not found.content or found.status in ("204", "205", "304"):
            return Outcome(found.status, None, "none", "", found)
        media = next((each for each in found.content if is_json(each.essence)), None)
        if media is not None:
            status = "" if found.status.startswith("2") else found.status.title()
            return Outcome(found.status, self._type(media.schema, f"{name}{status}Answer", ANY), "json", "", found)
        text = found.content[0].essence.startswith("text/") and not is_sequence(found.content[0].essence)
        return Outcome(found.status, STR if text else BYTES, "text" if text else "bytes", "", found)


_OWN_TYPES: Final[Mapping[str, Type]] = {"text": STR, "bytes": BYTES, "multipart": ANYTHING}
_RANK: Final = {"json": 0, "form": 1, "multipart": 2, "text": 3, "bytes": 4}


def _kind(essence: str) -> str:
    if is_json(essence):
        return "json"
    if essence == "application/x-www-form-urlencoded":
        return "form"
    if essence.startswith("multipart/"):
        return "multipart"
    return "text" if essence.startswith("text/") and not is_sequence(essence) and "xml" not in essence else "bytes"


def _reads_alike(one: spec.MediaType, other: spec.MediaType) -> bool:
    """Whether bodies of two media types become values of one type."""
    kinds = {_kind(one.essence), _kind(other.essence)}
    if len(kinds) > 1 and kinds & _OWN_TYPES.keys() and not _is_xml(one) and not _is_xml(other):
        return False
    schemas = [each.schema.resolved() if each.schema is not None else None for each in (one, other)]
    return bool(schemas[0] == schemas[1])


def _is_xml(media: spec.MediaType) -> bool:
    return media.essence in ("application/xml", "text/xml") or media.essence.endswith("+xml")


def _doc(found: spec.Operation) -> str:
    summary = found.summary.strip() or f"{found.method} {found.template}"
    description = str(found.extensions.get("description", ""))
    return "\n\n".join(filter(None, (summary, description, "Deprecated." if found.deprecated else "")))


# -- answers ---------------------------------------------------------------------------------------------------


def usual(operation: Operation) -> Outcome | None:
    """The answer that a handler usually gives; None when the description has none."""
    _, response = usual_answer(operation.spec.responses)
    return next((each for each in operation.outcomes if each.declared is response), None)


def plainly(operation: Operation) -> Outcome | None:
    """The usual answer, if a handler can give it by returning a value and nothing else."""
    found = usual(operation)
    if found is None or operation.plain_request or found.status != str(operation.spec.success_status):
        return None
    if any(header.required for header in found.declared.headers):
        return None
    if found.kind == "json":
        media = next(each for each in found.declared.content if is_json(each.essence))
        return found if media is found.declared.content[0] or media.essence == "application/json" else None
    return found if found.kind == "none" and found.status == "204" else None


def _reason(status: str) -> str:
    if not status.isdigit():
        return _FAMILIES.get(status.upper(), "OtherAnswer")
    try:
        return pascal(HTTPStatus(int(status)).phrase)
    except ValueError:
        return f"Status{status}"


def _answer_key(outcome: Outcome) -> tuple[str, str, str]:
    return outcome.status, outcome.kind, spelled(outcome.type) if outcome.type is not None else ""


def _name_answers(operations: list[Operation], reader: _Reader) -> Mapping[tuple[str, str, str], str]:
    """A class for each status and type but the usual answer, which a handler gives as a plain value."""
    used: dict[str, dict[tuple[str, str, str], Outcome]] = {}
    for operation in operations:
        for outcome in operation.outcomes:
            if outcome is not plainly(operation):
                used.setdefault(outcome.status, {})[_answer_key(outcome)] = outcome
    names: dict[tuple[str, str, str], str] = {}
    for status, found in used.items():
        for key, outcome in found.items():
            model = next(models_in(outcome.type), None) if outcome.type is not None else None
            what = (
                model.name
                if model is not None
                else {"text": "Text", "bytes": "Octets", "none": "Empty"}.get(outcome.kind, "Value")
            )
            names[key] = reader.claim(_reason(status) + ("" if len(found) == 1 else what))
    return names


def _with_names(operation: Operation, names: Mapping[tuple[str, str, str], str]) -> Operation:
    main = plainly(operation)
    outcomes = [each if each is main else replace(each, name=names[_answer_key(each)]) for each in operation.outcomes]
    return replace(operation, outcomes=tuple(outcomes))


# -- where models are ------------------------------------------------------------------------------------------


def types_of(operation: Operation) -> Iterator[Type]:
    """All types that an operation names."""
    yield from (each.type for each in operation.arguments)
    if operation.payload is not None:
        yield operation.payload.type
    yield from (each.type for each in operation.outcomes if each.type is not None)


def parts_of(model: Model) -> Iterator[Model]:
    """The models that a model is made of."""
    kinds: list[Any] = [model.type] if isinstance(model, Alias) else []
    if isinstance(model, Struct):
        kinds = [member.type for member in model.members]
    for kind in kinds:
        yield from models_in(kind)


def _place(models: tuple[Model, ...], operations: list[Operation]) -> None:
    """A model that only the operations of one module need is in that module; the others are shared.

    What a shared model needs is shared too, so that imports never go in a circle.
    """
    users: dict[Model, set[str]] = {each: set() for each in models}
    by_module: dict[str, list[Model]] = {}
    for operation in operations:
        roots = by_module.setdefault(operation.module, [])
        roots += [model for kind in types_of(operation) for model in models_in(kind)]
    for module, todo in by_module.items():
        while todo:
            model = todo.pop()
            if module not in users[model]:
                users[model].add(module)
                todo += parts_of(model)
    for model, modules in users.items():
        model.module = next(iter(modules)) if len(modules) == 1 else "shared"


def reached(project: Project) -> list[Model]:
    """The models that some operation needs, whether directly or not."""
    found: dict[Model, None] = {}
    todo = [model for each in project.operations for kind in types_of(each) for model in models_in(kind)]
    while todo:
        model = todo.pop()
        if model not in found:
            found[model] = None
            todo += parts_of(model)
    return [model for model in project.models if model in found]


# -- the description itself ------------------------------------------------------------------------------------


def source_files(description: spec.Specification) -> list[tuple[str, bytes]]:
    """The files of the description, the entry document first: names below one folder, and contents.

    Raises BrrtError for a reference to an address or out of the folder, which a copy could not follow.
    """
    raw = description.raw
    if raw is None:
        raw = jsontext.dumps(dict(description.document))
    suffix = "json" if raw.lstrip()[:1] == b"{" else "yaml"
    files = _files_of(description)
    others = files.local() if files is not None else []
    # Other files may refer to the entry document by its name; where there are none, it always has the same.
    name = PurePosixPath(urlsplit(description.source).path).name
    plain = re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name) is not None
    found = [(name if others and plain else f"openapi.{suffix}", raw)]
    for other, path in others:
        if path is None or other.startswith("../"):
            raise BrrtError(f"{other}: a project cannot take along what is not below the folder of the description")
        found.append((other, path.read_bytes()))
    return found
