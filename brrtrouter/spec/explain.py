"""`Explainer`: what is wrong with a value, fault by fault, for as long as somebody asks.

The validator finds out quickly whether a value is valid, but lists its faults only all at once, which for a large wrong
body takes seconds.  Here schema and value are walked together and faults come one at a time, so that whoever wants a
hundred pays for a hundred.  Every verdict is the validator's own; parts of a value that it accepts are not looked into.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import quote

from brrtrouter.spec.reference import escape, unescape
from brrtrouter.spec.work import COUNTED

# So many items of an array, or members of an object, are judged at once, and only looked into when one is wrong.
CHUNK: Final = 64
MESSAGE_LENGTH: Final = 300
NAME_LENGTH: Final = 80
# The name under which a bundle is registered; nothing but the validators made here ever sees it.
BUNDLE: Final = "urn:brrtrouter:bundle"
# Keywords that look at a value itself.  `required` and `dependentRequired` give a fault for each missing member.
_ASSERTIONS: Final = frozenset(
    {
        *("type", "enum", "const", "multipleOf", "maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"),
        *("maxLength", "minLength", "pattern", "format", "maxItems", "minItems", "uniqueItems"),
        *("maxProperties", "minProperties", "required", "dependentRequired", COUNTED),
    }
)
_UNEVALUATED: Final = ("unevaluatedProperties", "unevaluatedItems")


class SchemaFault(NamedTuple):
    """One thing that is wrong with a value.

    `pointer` is a JSON Pointer into the value, `keyword` the JSON Schema keyword that failed, `schema_path` a
    JSON Pointer from the schema to that keyword, with `$ref` where a reference was followed.
    """

    pointer: str
    keyword: str
    message: str
    schema_path: str


class Validator(Protocol):
    """What is asked of a validator of `jsonschema_rs`."""

    def is_valid(self, instance: Any) -> bool:
        """Whether the instance satisfies the schema."""

    def iter_errors(self, instance: Any) -> Iterator[Any]:
        """The errors of the instance."""


class Task(NamedTuple):
    """A value to hold against a part of the bundle: `place` is the part's pointer in the bundle, `at` the value's
    pointer and `path` the way to the part with every `$ref` in it."""

    schema: Any
    place: str
    value: Any
    at: str
    path: str


Step = Task | SchemaFault
# What a discriminator says: the index of a branch, a fault, or nothing.
Choose = Callable[[Task, str], "int | SchemaFault | None"]


def bounded(message: str) -> str:
    """The message, cut when it is too long for an answer."""
    return message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 3] + "..."


def pointer(parts: list[str | int]) -> str:
    """The JSON Pointer for a list of names and indices."""
    return "".join("/" + escape(str(part)) for part in parts)


class Explainer:
    """Faults of values under one bundled schema.

    `compile_part` makes a validator of a schema that may refer to places below `BUNDLE`; `choose` asks the
    discriminator of a choice.  May be used by several threads: at worst a validator is made twice.
    """

    def __init__(self, bundle: Any, compile_part: Callable[[Any], Validator], choose: Choose) -> None:
        self._bundle = bundle
        self._compile = compile_part
        self._choose = choose
        self._validators: dict[tuple[str, str], Validator] = {}

    def faults(self, value: Any) -> Iterator[SchemaFault]:
        """What is wrong with `value`; nothing when it is valid."""
        seen: set[tuple[str, str]] = set()
        stack: list[Iterator[Step]] = [iter((Task(self._bundle, "", value, "", ""),))]
        while stack:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
            elif isinstance(step, SchemaFault):
                yield step
            elif (step.place, step.at) not in seen:
                if step.path.endswith("/$ref"):
                    seen.add((step.place, step.at))
                stack.append(self._steps(step))

    def _steps(self, task: Task) -> Iterator[Step]:
        schema = task.schema
        if schema is True or (task.path and _is_deep(task.value) and self._part(task.place).is_valid(task.value)):
            return
        if schema is False:
            yield SchemaFault(task.at, "falseSchema", "no value is allowed here", task.path)
            return
        yield from self._asserted(task)
        for keyword, step in _STEPS.items():
            if keyword in schema:
                yield from step(self, task, keyword)

    # -- validators ------------------------------------------------------------------------------------------

    def _validator(self, place: str, purpose: str, make: Callable[[], Any]) -> Validator:
        known = self._validators.get((place, purpose))
        if known is None:
            known = self._validators[place, purpose] = self._compile(make())
        return known

    def _part(self, place: str) -> Validator:
        """The validator of the part of the bundle at `place`."""
        return self._validator(place, "", lambda: _reference(place))

    def _is_fine(self, value: Any, schema: Any, place: str) -> bool:
        """Whether it takes no walk to see that a value is valid: its schema has nothing but assertions."""
        if not isinstance(schema, dict) or not schema.keys() <= _ASSERTIONS:
            return False
        return self._validator(place, "assertions", lambda: schema).is_valid(value)

    # -- keywords --------------------------------------------------------------------------------------------

    def _asserted(self, task: Task) -> Iterator[Step]:
        own = {keyword: task.schema[keyword] for keyword in task.schema if keyword in _ASSERTIONS}
        if own:
            yield from self._reported(task, self._validator(task.place, "assertions", lambda: own))

    def _reported(self, task: Task, validator: Validator) -> Iterator[Step]:
        """The validator's own errors, of schemas that cannot give many."""
        for error in validator.iter_errors(task.value):
            keyword, path = error.kind.name, task.path + pointer(error.evaluation_path)
            if keyword == COUNTED:
                keyword, path = "pattern", path.removesuffix(COUNTED) + "pattern"
            yield SchemaFault(task.at + pointer(error.instance_path), keyword, bounded(error.message), path)

    def _follow(self, task: Task, keyword: str) -> Iterator[Step]:
        place = task.schema["$ref"].removeprefix("#")
        schema = self._bundle
        for part in place.split("/")[1:]:
            name = unescape(part)
            schema = schema[int(name)] if isinstance(schema, list) else schema[name]
        yield Task(schema, place, task.value, task.at, f"{task.path}/$ref")

    def _all(self, task: Task, keyword: str) -> Iterator[Step]:
        for index in range(len(task.schema[keyword])):
            yield _below(task, keyword, index)

    def _one(self, task: Task, keyword: str) -> Iterator[Step]:
        count = len(task.schema[keyword])
        branches = [_reference(f"{task.place}/{keyword}/{index}") for index in range(count)]
        validator = self._validator(task.place, keyword, lambda: {keyword: branches})
        if validator.is_valid(task.value):
            return
        chosen = self._choose(task, keyword)
        if isinstance(chosen, SchemaFault):
            yield chosen
        elif chosen is not None and not self._part(f"{task.place}/{keyword}/{chosen}").is_valid(task.value):
            yield _below(task, keyword, chosen)
        else:
            # The verdicts alone make the fault: nothing is held against the branches once more.
            several = any(self._part(f"{task.place}/{keyword}/{index}").is_valid(task.value) for index in range(count))
            told = self._validator(keyword, f"told {several}", lambda: {keyword: [several] * 2})
            yield from self._reported(task, told)

    def _not(self, task: Task, keyword: str) -> Iterator[Step]:
        if self._part(f"{task.place}/not").is_valid(task.value):
            yield SchemaFault(task.at, "not", "value is what `not` rules out", f"{task.path}/not")

    def _condition(self, task: Task, keyword: str) -> Iterator[Step]:
        branch = "then" if self._part(f"{task.place}/if").is_valid(task.value) else "else"
        if branch in task.schema:
            yield _below(task, branch)

    def _dependent(self, task: Task, keyword: str) -> Iterator[Step]:
        if isinstance(task.value, dict):
            for name in task.schema[keyword]:
                if name in task.value:
                    yield _below(task, keyword, name)

    def _named(self, task: Task, keyword: str) -> Iterator[Step]:
        if isinstance(task.value, dict):
            for name, schema in task.schema[keyword].items():
                place = f"{task.place}/{keyword}/{escape(name)}"
                if name in task.value and not self._is_fine(task.value[name], schema, place):
                    yield _into(task, name, keyword, name)

    def _matching(self, task: Task, keyword: str) -> Iterator[Step]:
        for pattern in task.schema[keyword] if isinstance(task.value, dict) else ():
            matches = self._pattern(pattern)
            yield from self._members(task, (name for name in task.value if matches(name)), keyword, pattern)

    def _pattern(self, pattern: str) -> Callable[[str], bool]:
        return self._validator(pattern, "pattern", lambda: {"pattern": pattern}).is_valid

    def _additional(self, task: Task, keyword: str) -> Iterator[Step]:
        if not isinstance(task.value, dict):
            return
        known: Mapping[str, Any] = task.schema.get("properties", {})
        patterns = task.schema.get("patternProperties", {})
        if task.schema[keyword] is False:
            closed = {"properties": dict.fromkeys(known, True), "patternProperties": dict.fromkeys(patterns, True)}
            yield from self._reported(task, self._validator(task.place, keyword, lambda: {**closed, keyword: False}))
            return
        tests = [self._pattern(pattern) for pattern in patterns]
        names = (name for name in task.value if name not in known and not any(test(name) for test in tests))
        yield from self._members(task, names, keyword)

    def _members(self, task: Task, names: Iterator[str], *below: str) -> Iterator[Step]:
        """The members of an object under the part at `below`, many of them judged at once."""
        place = _join(task.place, *below)
        check = self._validator(place, "members", lambda: {"additionalProperties": _reference(place)})
        while chunk := list(islice(names, CHUNK)):
            if len(chunk) < CHUNK or not check.is_valid({name: task.value[name] for name in chunk}):
                for name in chunk:
                    yield _into(task, name, *below)

    def _items(self, task: Task, keyword: str) -> Iterator[Step]:
        if not isinstance(task.value, list):
            return
        prefix = len(task.schema.get("prefixItems", ()))
        if keyword == "prefixItems":
            for index in range(min(prefix, len(task.value))):
                yield _into(task, index, keyword, index)
            return
        place = f"{task.place}/items"
        check = self._validator(place, "items", lambda: {"items": _reference(place)})
        for start in range(prefix, len(task.value), CHUNK):
            chunk = task.value[start : start + CHUNK]
            if len(chunk) < CHUNK or not check.is_valid(chunk):
                for index, item in enumerate(chunk, start):
                    if not self._is_fine(item, task.schema[keyword], place):
                        yield _into(task, index, keyword)

    def _names(self, task: Task, keyword: str) -> Iterator[Step]:
        check = self._part(f"{task.place}/{keyword}")
        for name in task.value if isinstance(task.value, dict) else ():
            if not check.is_valid(name):
                message = f"a member may not have the name {name[:NAME_LENGTH]!r}"
                yield SchemaFault(task.at, keyword, message, f"{task.path}/{keyword}")

    def _contains(self, task: Task, keyword: str) -> Iterator[Step]:
        counts = {name: task.schema[name] for name in ("minContains", "maxContains") if name in task.schema}
        part = _reference(f"{task.place}/{keyword}")
        yield from self._reported(task, self._validator(task.place, keyword, lambda: {keyword: part, **counts}))

    def _unevaluated(self, task: Task, keyword: str) -> Iterator[Step]:
        """What no other keyword has looked at; only told when nothing else is wrong, which it would follow from."""
        rest = {name: item for name, item in task.schema.items() if name not in _UNEVALUATED}
        definitions = {"$defs": self._bundle["$defs"]} if "$defs" in self._bundle else {}
        if not self._validator(task.place, "evaluated", lambda: {**rest, **definitions}).is_valid(task.value):
            return
        alone = {**rest, keyword: task.schema[keyword], **definitions}
        yield from self._reported(task, self._validator(task.place, keyword, lambda: alone))


_STEPS: Final[dict[str, Callable[[Explainer, Task, str], Iterator[Step]]]] = {
    "$ref": Explainer._follow,
    "properties": Explainer._named,
    "patternProperties": Explainer._matching,
    "additionalProperties": Explainer._additional,
    "propertyNames": Explainer._names,
    "prefixItems": Explainer._items,
    "items": Explainer._items,
    "contains": Explainer._contains,
    "allOf": Explainer._all,
    "anyOf": Explainer._one,
    "oneOf": Explainer._one,
    "not": Explainer._not,
    "if": Explainer._condition,
    "dependentSchemas": Explainer._dependent,
    **dict.fromkeys(_UNEVALUATED, Explainer._unevaluated),
}


def _join(base: str, *parts: str | int) -> str:
    return base + pointer(list(parts))


def _below(task: Task, *parts: str | int) -> Task:
    """The same value under a part of the schema."""
    schema = task.schema
    for part in parts:
        schema = schema[part]
    return Task(schema, _join(task.place, *parts), task.value, task.at, _join(task.path, *parts))


def _into(task: Task, key: str | int, *parts: str | int) -> Task:
    """A member or item of the value under a part of the schema."""
    return _below(task, *parts)._replace(value=task.value[key], at=f"{task.at}/{escape(str(key))}")


def _reference(place: str) -> dict[str, str]:
    return {"$ref": f"{BUNDLE}#{quote(place, safe='/~')}"}


def _is_deep(value: Any) -> bool:
    """Whether it is worth asking about all of a value before looking into it."""
    if not isinstance(value, (dict, list)):
        return False
    members = value.values() if isinstance(value, dict) else value
    return len(value) > CHUNK or any(isinstance(member, (dict, list)) for member in members)
