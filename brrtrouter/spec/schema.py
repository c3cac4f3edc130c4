"""`Schema`: one schema of a document as a validator that is compiled when it is first used.

Validation is by `jsonschema_rs`.  Validators never fetch anything, assert `format` unless told otherwise, and bound the
work of regular expressions that need backtracking (a pattern over the bound counts as not matching).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import islice
from threading import Lock
from typing import Any, Final, cast

import jsonschema_rs

from brrtrouter.errors import Issue
from brrtrouter.spec.annotated import AnnotatedBundler
from brrtrouter.spec.bundle import Bundler, Direction, SchemaCompileError, SchemaOptions
from brrtrouter.spec.discriminator import read_choice
from brrtrouter.spec.explain import BUNDLE, MESSAGE_LENGTH, Explainer, SchemaFault, Task, bounded, pointer
from brrtrouter.spec.formats import TEXT_FORMATS
from brrtrouter.spec.reference import Files, Node, ReferenceProblem, escape, unescape
from brrtrouter.spec.work import (
    COUNTED,
    PATTERN_OPTIONS,
    CountedPattern,
    explaining,
    is_spent,
    minding,
    opened,
    place_of,
    plain,
    refusal,
)

__all__ = ["MESSAGE_LENGTH", "Direction", "Schema", "SchemaCompileError", "SchemaFault", "SchemaOptions", "SchemaSet"]

# Stands for the value in messages, which must not carry a client's data around.
_MASK: Final = "value"
# A pattern that ran out of its steps matches neither by itself nor below `not`, so that no part alone is to blame.
_UNTOLD: Final = SchemaFault("", "not", "value may not be what it is, as far as the patterns could be tried", "")
_MARKS: Final[dict[Direction, tuple[str, str]]] = {
    "request": ("readOnly", "a read-only member is not sent in a request"),
    "response": ("writeOnly", "a write-only member is not sent in an answer"),
}


class SchemaSet:
    """What the schemas of one document share: its files, and translated fragments per direction."""

    def __init__(self, files: Files, options: SchemaOptions | None = None) -> None:
        self.files = files
        self.options = options = options or SchemaOptions()
        self.lock = Lock()
        request, response = Bundler(files, "request", options), Bundler(files, "response", options)
        if not request.exempt and not response.exempt:
            response = request  # nothing reads a schema differently for the two directions
        self._bundlers: dict[Direction, Bundler] = {"request": request, "response": response}
        self._annotated: dict[Direction, AnnotatedBundler] = {}
        self._schemas: dict[tuple[int, int], Schema] = {}

    def annotated(self, direction: Direction) -> AnnotatedBundler:
        """The bundler that keeps annotations; made on the first call."""
        known = self._annotated.get(direction)
        if known is None:
            known = self._annotated[direction] = AnnotatedBundler(self.files, direction, self.options)
        return known

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

    __slots__ = ("_accepts", "_bundler", "_direction", "_explainer", "_node", "_set", "_validator", "scope")

    def __init__(self, node: Node, owner: SchemaSet, bundler: Bundler, direction: Direction) -> None:
        self._node = node
        self._set = owner
        self._bundler = bundler
        self._direction = direction
        self._validator: jsonschema_rs.Draft202012Validator | None = None
        self._explainer: Explainer | None = None
        self._accepts: Callable[[object], bool] | None = None
        # When the schema is compiled and has patterns whose work is counted: what opens an account for more than one
        # call, as for all of a request.  Each call that is in none has its own.
        self.scope: Callable[[], AbstractContextManager[None]] | None = None

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
        bundle = self.counted()
        return plain(bundle) if self._bundler.counts else bundle

    def counted(self) -> Any:
        """Like `bundled`, but patterns whose work is counted stand as the keyword `brrtrouter.spec.work.COUNTED`."""
        with self._set.lock:
            return self._bundler.bundle(self._node)

    def annotated(self) -> Any:
        """Like `bundled`, with examples, defaults and discriminators (see `brrtrouter.spec.annotated`)."""
        with self._set.lock:
            return self._set.annotated(self._direction).bundle(self._node)

    def account(self) -> AbstractContextManager[None]:
        """Open while values are judged whose patterns may together take what those of one request may."""
        return opened(self._set.options.request_work)

    def objections(self, value: Any, limit: int = 16) -> list[tuple[str | int, ...]]:
        """The places in `value` that are wrong, as the validator finds them; [] when it is valid."""
        if self._ready()(value):
            return []
        validator = self._validator
        assert validator is not None
        return [tuple(error.instance_path) for error in islice(validator.iter_errors(value), limit)]

    def check_for(self, keywords: dict[str, Any]) -> Callable[[object], bool]:
        """A check of a value by a few keywords, judged as this schema judges."""
        return self._make(keywords)[1]

    def compiled(self) -> Callable[[object], bool]:
        """The fastest check of a value; made on the first call.  Raises `SchemaCompileError`."""
        return self._ready()

    def is_valid(self, value: object) -> bool:
        """Whether `value`, plain JSON values, satisfies the schema.  Raises `SchemaCompileError`."""
        return self._ready()(value)

    def compile_issue(self) -> Issue | None:
        """What keeps the schema from being compiled, for a check at start; None when nothing does."""
        try:
            self._ready()
        except SchemaCompileError as error:
            return Issue("InvalidSchema", error.pointer, error.reason)
        return None

    def faults(self, value: Any, limit: int | None = None) -> list[SchemaFault]:
        """What is wrong with `value`, at most `limit` entries (by default as many as the options say); [] when valid.

        Where a discriminator tells which branch of `oneOf` or `anyOf` was meant, the faults of that branch
        stand in place of "under none of the schemas".  Raises `SchemaCompileError`.
        """
        accepts = self._ready()
        if self.scope is None:
            return [] if accepts(value) else self._explained(value, limit) or [_UNTOLD]
        with self.scope(), explaining():
            return self._explained_within_work(value, limit) if is_spent() or not accepts(value) else []

    def _explained_within_work(self, value: Any, limit: int | None) -> list[SchemaFault]:
        """The faults up to the first text that could not be tried any more, and that it could not."""
        found = [] if is_spent() else self._explained(value, limit)
        untried = refusal()
        if untried is None or (found and not is_spent()):
            return found or [_UNTOLD]
        # Of the sum no schema says a word, so `limit` is no keyword.  One text that is too long is told here where no
        # fault was looked for: below `not`, or in a choice that another branch would have decided.
        text, reason = untried
        return [*found, SchemaFault(place_of(value, text), "limit" if is_spent() else "pattern", reason, "")]

    def _explained(self, value: Any, limit: int | None) -> list[SchemaFault]:
        explainer = self._explainer
        if explainer is None:
            explainer = self._explainer = self._explain()
        faults = islice(explainer.faults(value), self._set.options.faults if limit is None else limit)
        found: list[SchemaFault] = []
        for fault in faults:
            if is_spent():
                break  # it may be one of what was not tried
            found.append(self._marked(fault))
        return found

    def _ready(self) -> Callable[[object], bool]:
        accepts = self._accepts
        if accepts is None:
            with self._set.lock:
                accepts = self._accepts or self._compile()
        return accepts

    def _compile(self) -> Callable[[object], bool]:
        try:
            self._validator, self._accepts = self._make(self._bundler.bundle(self._node))
            if self._accepts != self._validator.is_valid:
                self.scope = self.account
            return self._accepts
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
            at = pointer(error.instance_path) if isinstance(error, jsonschema_rs.ValidationError) else ""
            reason = bounded(str(error.message).partition("\n")[0])
            raise SchemaCompileError(self.pointer, f"{reason}, at {at or '/'} of the bundled schema") from None
        except ValueError as error:
            raise SchemaCompileError(self.pointer, bounded(str(error))) from None

    def _make(
        self, schema: Any, registry: jsonschema_rs.Registry | None = None
    ) -> tuple[jsonschema_rs.Draft202012Validator, Callable[[object], bool]]:
        """The validator of a schema, and its check, which minds the patterns that are counted."""
        options = self._set.options
        patterns: list[CountedPattern] = []

        def keyword(parent: dict[str, Any], value: Any, path: list[str | int]) -> CountedPattern:
            patterns.append(CountedPattern(parent, value, options.pattern_work))
            return patterns[-1]

        validator = jsonschema_rs.Draft202012Validator(
            schema,
            offline=True,
            validate_formats=options.formats,
            formats=TEXT_FORMATS,
            pattern_options=PATTERN_OPTIONS,
            email_options=jsonschema_rs.EmailOptions(allow_display_text=False),
            registry=registry,
            mask=_MASK,
            keywords={COUNTED: cast("type[CountedPattern]", keyword)},
        )
        return validator, minding(validator.is_valid, options.request_work) if patterns else validator.is_valid

    # -- faults ----------------------------------------------------------------------------------------------

    def _explain(self) -> Explainer:
        bundle = self.counted()
        registry = jsonschema_rs.Registry([(BUNDLE, bundle)])
        return Explainer(bundle, lambda part: self._make(part, registry)[0], self._choose)

    def _choose(self, task: Task, keyword: str) -> int | SchemaFault | None:
        """What a discriminator says about a value that fits no branch, or too many, of `keyword`."""
        try:
            choice = read_choice(self._set.files, self._original(task.path), keyword)
        except (ReferenceProblem, LookupError, TypeError):
            return None
        if choice is None or not isinstance(task.value, dict):
            return None
        index = choice.branch(task.value.get(choice.name))
        if index is not None:
            return index
        names = ", ".join(sorted(choice.branches))
        message = bounded(f"property {choice.name!r} has to name the kind of the value, one of: {names}")
        at = f"{task.at}/{escape(choice.name)}" if choice.name in task.value else task.at
        return SchemaFault(at, "discriminator", message, f"{task.path}/{keyword}")

    def _marked(self, fault: SchemaFault) -> SchemaFault:
        """Tell in its own words what the bundle says by `false`: that a member may not go this way."""
        if fault.keyword != "falseSchema":
            return fault
        try:
            return self._refused(fault)
        except (ReferenceProblem, LookupError, TypeError):
            return fault

    def _refused(self, fault: SchemaFault) -> SchemaFault:
        keyword, message = _MARKS[self._direction]
        if self._original(fault.schema_path).value is False:
            return fault
        return fault._replace(keyword=keyword, message=message)

    def _original(self, path: str) -> Node:
        """Follow an evaluation path in the schema as it was written."""
        files = self._set.files
        node = self._node
        for escaped in path.split("/")[1:]:
            part = unescape(escaped)
            node = files.enter(node)
            if part == "$ref":
                keyword = "$ref" if "$ref" in node.value else "$dynamicRef"
                node = files.resolve(node.value[keyword], node.resource)
            else:
                node = node.child(int(part) if isinstance(node.value, list) else part)
        return node
