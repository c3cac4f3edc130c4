"""`Schema`: one schema of a document as a validator that is compiled when it is first used.

Validation is by `jsonschema_rs`.  Validators never fetch anything, assert `format`, and bound the work of
regular expressions that need backtracking (a pattern over the bound counts as not matching).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, Final, NamedTuple

import jsonschema_rs

from brrtrouter.errors import Issue
from brrtrouter.spec.bundle import Bundler, Direction, SchemaCompileError
from brrtrouter.spec.reference import Files, Node, ReferenceProblem, escape

__all__ = ["Direction", "Schema", "SchemaCompileError", "SchemaFault", "SchemaSet"]

BACKTRACK_LIMIT: Final = 10_000
MESSAGE_LENGTH: Final = 300
# Stands for the value in messages, which must not carry a client's data around.
_MASK: Final = "value"
_CHOICES: Final = ("oneOf", "anyOf")


class SchemaFault(NamedTuple):
    """One thing that is wrong with a value.

    `pointer` is a JSON Pointer into the value, `keyword` the JSON Schema keyword that failed, `schema_path` a
    JSON Pointer from the schema to that keyword, with `$ref` where a reference was followed.
    """

    pointer: str
    keyword: str
    message: str
    schema_path: str


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _pointer(parts: list[str | int]) -> str:
    return "".join("/" + escape(str(part)) for part in parts)


def _bounded(message: str) -> str:
    return message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 3] + "..."


class SchemaSet:
    """What the schemas of one document share: its files, and translated fragments per direction."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.lock = Lock()
        request = Bundler(files, "request")
        # Only the 3.0 dialect reads a schema differently for the two directions.
        response = Bundler(files, "response") if request.exempt else request
        self._bundlers: dict[Direction, Bundler] = {"request": request, "response": response}
        self._schemas: dict[tuple[int, int], Schema] = {}

    def schema(self, node: Node, direction: Direction) -> Schema:
        """The handle of the schema at `node`; equal places give the same handle, compiled once."""
        bundler = self._bundlers[direction]
        if not isinstance(node.value, dict):
            return Schema(node, self, bundler, direction)
        key = (id(node.value), id(bundler))
        known = self._schemas.get(key)
        if known is None:
            known = self._schemas[key] = Schema(node, self, bundler, direction)
        return known


class Schema:
    """A handle to one schema of a document.  All methods may be called from any thread."""

    __slots__ = ("_bundler", "_direction", "_node", "_set", "_validator")

    def __init__(self, node: Node, owner: SchemaSet, bundler: Bundler, direction: Direction) -> None:
        self._node = node
        self._set = owner
        self._bundler = bundler
        self._direction = direction
        self._validator: jsonschema_rs.Draft202012Validator | None = None

    def __repr__(self) -> str:
        return f"Schema({self.pointer!r})"

    @property
    def pointer(self) -> str:
        """Where the schema stands, as issues show it."""
        return self._node.place

    @property
    def definition(self) -> Any:
        """The schema as it was written."""
        return self._node.value

    def resolved(self) -> Any:
        """The schema as it was written, after following `$ref` when it is nothing but a reference."""
        return self._set.files.follow(self._node).value

    def bundled(self) -> Any:
        """The schema with all that it refers to, as one JSON Schema 2020-12 document."""
        with self._set.lock:
            return self._bundler.bundle(self._node)

    def compiled(self) -> Callable[[object], bool]:
        """The fastest check of a value; made on the first call.  Raises `SchemaCompileError`."""
        return self._ready().is_valid

    def is_valid(self, value: object) -> bool:
        """Whether `value`, plain JSON values, satisfies the schema.  Raises `SchemaCompileError`."""
        return self._ready().is_valid(value)

    def compile_issue(self) -> Issue | None:
        """What keeps the schema from being compiled, for a check at start; None when nothing does."""
        try:
            self._ready()
        except SchemaCompileError as error:
            return Issue("InvalidSchema", error.pointer, error.reason)
        return None

    def faults(self, value: Any, limit: int = 64) -> list[SchemaFault]:
        """All that is wrong with `value`, at most `limit` entries; [] when it is valid.

        Where a discriminator tells which branch of `oneOf` or `anyOf` was meant, the faults of that branch
        stand in place of "under none of the schemas".  Raises `SchemaCompileError`.
        """
        found: list[SchemaFault] = []
        for fault in self._each(value):
            if len(found) >= limit:
                break
            found.append(fault)
        return found

    def _ready(self) -> jsonschema_rs.Draft202012Validator:
        validator = self._validator
        if validator is None:
            with self._set.lock:
                validator = self._validator = self._validator or self._compile()
        return validator

    def _compile(self) -> jsonschema_rs.Draft202012Validator:
        try:
            return jsonschema_rs.Draft202012Validator(
                self._bundler.bundle(self._node),
                offline=True,
                validate_formats=True,
                formats={"byte": _is_base64},
                pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT),
                mask=_MASK,
            )
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            at = _pointer(error.instance_path) if isinstance(error, jsonschema_rs.ValidationError) else ""
            reason = _bounded(str(error.message).partition("\n")[0])
            raise SchemaCompileError(self.pointer, f"{reason}, at {at or '/'} of the bundled schema") from None
        except ValueError as error:
            raise SchemaCompileError(self.pointer, _bounded(str(error))) from None

    def _each(self, value: Any) -> Iterator[SchemaFault]:
        for error in self._ready().iter_errors(value):
            keyword = error.kind.name
            if keyword in _CHOICES:
                chosen = self._chosen(error, value)
                if chosen:
                    yield from chosen
                    continue
            yield SchemaFault(
                _pointer(error.instance_path), keyword, _bounded(error.message), _pointer(error.evaluation_path)
            )

    def _chosen(self, error: jsonschema_rs.ValidationError, value: Any) -> list[SchemaFault]:
        """The faults of the branch that a discriminator names (OpenAPI 3.1 section 4.8.25); [] without one."""
        try:
            choice = self._original(error.evaluation_path[:-1])
            discriminator = choice.value.get("discriminator") if isinstance(choice.value, dict) else None
            branches = self._branches(choice, error.kind.name, discriminator) if isinstance(discriminator, dict) else {}
        except (ReferenceProblem, LookupError, TypeError):
            return []
        name = discriminator.get("propertyName") if isinstance(discriminator, dict) else None
        for part in error.instance_path:
            value = value[part]
        if not isinstance(name, str) or not isinstance(value, dict):
            return []
        at, path = _pointer(error.instance_path), _pointer(error.evaluation_path)
        tag = value.get(name)
        if not isinstance(tag, str) or tag not in branches:
            names = ", ".join(sorted(branches))
            message = _bounded(f"property {name!r} has to name the kind of the value, one of: {names}")
            return [SchemaFault(f"{at}/{escape(name)}" if name in value else at, "discriminator", message, path)]
        index, branch = branches[tag]
        inner = self._set.schema(branch, self._direction).faults(value)
        return [f._replace(pointer=at + f.pointer, schema_path=f"{path}/{index}{f.schema_path}") for f in inner]

    def _original(self, path: list[str | int]) -> Node:
        """Follow an evaluation path in the schema as it was written."""
        files = self._set.files
        node = self._node
        for part in path:
            node = files.enter(node)
            if part in ("$ref", "$dynamicRef") and isinstance(node.value[part], str):
                node = files.resolve(node.value[part], node.resource)
            else:
                node = node.child(part)
        return node

    def _branches(self, choice: Node, keyword: str, discriminator: dict[str, Any]) -> dict[str, tuple[int, Node]]:
        """What each value of the discriminator's property selects: mapped names first, then component names."""
        files = self._set.files
        by_name: dict[str, tuple[int, Node]] = {}
        by_target: dict[int, tuple[int, Node]] = {}
        branches = choice.child(keyword)
        for at in range(len(branches.value)):
            branch = branches.child(at)
            if isinstance(branch.value, dict) and isinstance(branch.value.get("$ref"), str):
                target = files.resolve(branch.value["$ref"], branch.resource)
                by_name[target.pointer.rpartition("/")[2]] = by_target[id(target.value)] = (at, branch)
        mapping = discriminator.get("mapping")
        for tag, name in mapping.items() if isinstance(mapping, dict) else ():
            if name in by_name:
                by_name[tag] = by_name[name]
                continue
            try:
                target = files.resolve(name, choice.resource)
            except (ReferenceProblem, AttributeError):
                continue
            if id(target.value) in by_target:
                by_name[tag] = by_target[id(target.value)]
        return by_name
