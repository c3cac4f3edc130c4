"""`Maker`: one value for a schema, by a list of choices.

Every place where more than one way is open asks `Choices`, which remembers the way taken under the place in the value.
When the validator objects to a place, `search.py` changes the choices that were made there and lets another value
be made; everything else stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from brrtrouter.spec.sample.depth import Depths
from brrtrouter.spec.sample.flat import ALL_TYPES, Flat, Flattener, contains
from brrtrouter.spec.sample.numbers import number
from brrtrouter.spec.sample.pattern import UnreadablePatternError, matching
from brrtrouter.spec.sample.text import MAX_LENGTH, by_encoding, by_format, of_length, words

Path = tuple[str | int, ...]

# Down to this depth members that are not required are made too, and arrays get two items.
GENEROUS_DEPTH: Final = 4
# A value has at most about this many parts, beyond what is required of it.
PARTS: Final = 400
# Beyond this depth the value is given up: what is required of it does not end.
MAX_DEPTH: Final = 60
MAX_ITEMS: Final = 10_000
# How often a text or an item is tried again before the validator is left to speak.
TRIES: Final = 24
_KEYS: Final = ("key", "name", "label", "note", "kind", "extra")

# Judges one text by the keywords of strings; the engine is the validator's own.
JudgeText = Callable[[str, Flat], bool]


class GivenUpError(Exception):
    """No value for the place `path`: the schema is false, contradicts itself as far as we can see, or does not end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(path)


@dataclass
class Choices:
    """Which option is taken where, and what is left out.

    `options` holds how many there were at each place of the value last made.
    """

    taken: dict[tuple[Path, Any], int] = field(default_factory=dict)
    options: dict[tuple[Path, Any], int] = field(default_factory=dict)
    dropped: set[Path] = field(default_factory=set)

    def take(self, path: Path, key: Any, count: int) -> int:
        """The option to take at a place; the first one until somebody changed it."""
        self.options[path, key] = count
        return self.taken.get((path, key), 0) % count


class Maker:
    """Makes values for the schemas of one self-contained document."""

    def __init__(self, document: Any, judge: JudgeText, *, leave_out: str = "writeOnly") -> None:
        self.document = document
        self.flattener = Flattener(document)
        self.depths = Depths(self.flattener)
        self.judge = judge
        self.leave_out = leave_out

    def make(self, choices: Choices, random: Random, *, written: bool) -> Any:
        """One value.  `written`: use the examples and defaults of the schema.  Raises `GivenUpError`."""
        return _Making(self, choices, random, written=written).value([self.document], ())


class _Making:
    """One value that is being made."""

    def __init__(self, maker: Maker, choices: Choices, random: Random, *, written: bool) -> None:
        self.maker = maker
        self.choices = choices
        self.random = random
        self.use_written = written
        self.parts = 0

    def generous(self, path: Path) -> bool:
        return len(path) < GENEROUS_DEPTH and self.parts < PARTS

    def value(self, schemas: list[Any], path: Path) -> Any:
        self.parts += 1
        if len(path) > MAX_DEPTH:
            raise GivenUpError(path)
        flat = self.maker.flattener.flat(schemas, lambda key, options: self.branch(key, options, path))
        if flat.never:
            raise GivenUpError(path)
        return self.of_flat(flat, path)

    def branch(self, key: tuple[Any, ...], options: list[Any], path: Path) -> int:
        """Which alternative to take: near the root in the order written, further down what ends soonest first."""
        taken = self.choices.take(path, key, len(options))
        if self.generous(path) or key[0] == "if":
            first = self.random.randrange(len(options)) if not self.use_written and key[0] != "if" else 0
            return (first + taken) % len(options)
        order = sorted(range(len(options)), key=lambda at: self.maker.depths.needed(options[at]))
        return order[taken]

    def of_flat(self, flat: Flat, path: Path) -> Any:
        if self.use_written and flat.written:
            at = self.choices.take(path, "written", len(flat.written) + 1)
            if at < len(flat.written):
                return flat.written[at]
        if flat.values is not None:
            values = flat.candidates()
            if not values:
                raise GivenUpError(path)
            values = [each for each in values if each is not None] or values
            start = self.random.randrange(len(values))
            return values[(start + self.choices.take(path, "value", len(values))) % len(values)]
        kinds = self.kinds(flat, path)
        kind = kinds[self.choices.take(path, "type", len(kinds))]
        makers: dict[str, Callable[[Flat, Path], Any]] = {
            "object": self.an_object,
            "array": self.an_array,
            "string": self.a_string,
            "integer": lambda flat, path: self.a_number(flat, path, integer=True),
            "number": lambda flat, path: self.a_number(flat, path, integer=False),
            "boolean": self.a_boolean,
            "null": lambda flat, path: None,
        }
        return makers[kind](flat, path)

    def kinds(self, flat: Flat, path: Path) -> list[str]:
        """The types to try, likeliest first: what the keywords are about, null last."""
        allowed = flat.types if flat.types is not None else frozenset(ALL_TYPES)
        if flat.types is None and not flat.hints and not flat.tags:
            order: tuple[str, ...] = ("string", "object", "array", "number", "boolean", "null")
        else:
            order = (*(hint for hint in flat.hints if hint in allowed), *ALL_TYPES)
        found = [kind for kind in dict.fromkeys(order) if kind in allowed]
        if "number" in found and "integer" in found:
            found.remove("integer")
        if not self.generous(path) and len(found) > 1:
            found.sort(key=("string", "integer", "number", "boolean", "null", "array", "object").index)
        return sorted(found, key=lambda kind: kind == "null")

    # -- scalars ---------------------------------------------------------------------------------------------

    def a_boolean(self, flat: Flat, path: Path) -> bool:
        first = self.random.random() < 0.5
        return first != bool(self.choices.take(path, "boolean", 2))

    def a_number(self, flat: Flat, path: Path, *, integer: bool) -> int | float:
        for _ in range(TRIES):
            found = number(flat.bounds, self.random, integer=integer)
            if found is None:
                break
            if not contains(flat.excluded, found):
                return found
        raise GivenUpError(path)

    def a_string(self, flat: Flat, path: Path) -> str:
        offset = self.choices.take(path, "text", 8)
        found = ""
        for attempt in range(TRIES):
            found = self.text(flat, attempt + offset)
            if self.maker.judge(found, flat) and not contains(flat.excluded, found):
                break
        return found

    def text(self, flat: Flat, attempt: int) -> str:
        least, most = flat.least.get("minLength", 0), flat.most.get("maxLength")
        patterns = [text["pattern"] for text in flat.texts if "pattern" in text]
        if patterns:
            try:
                found = matching(patterns[attempt // 2 % len(patterns)], self.random, attempt)
            except UnreadablePatternError:
                found = words(self.random)
            # A pattern without an end may be followed by anything, which is how a length is reached.
            return (
                found
                if least <= len(found) and (most is None or len(found) <= most)
                else self.fitted(found, least, most, attempt)
            )
        for text in flat.texts:
            found_or_none = by_format(text.get("format", ""), self.random, attempt)
            if found_or_none is None and "contentEncoding" in text:
                found_or_none = by_encoding(text["contentEncoding"], self.random)
            if found_or_none is not None:
                return self.fitted(found_or_none, least, most, attempt)
        return of_length(words(self.random), least, most, self.random)

    def fitted(self, text: str, least: int, most: int | None, attempt: int) -> str:
        """A text of a form brought to a length: filled up with its own last character, or cut."""
        if len(text) < least:
            filler = text[-1:] if text[-1:].isalnum() else "a"
            text = text + filler * min(least - len(text), MAX_LENGTH)
        return text if most is None or len(text) <= most else text[:most]

    # -- arrays ----------------------------------------------------------------------------------------------

    def an_array(self, flat: Flat, path: Path) -> list[Any]:
        least, most = flat.least.get("minItems", 0), flat.most.get("maxItems", MAX_ITEMS)
        wanted = self.contained(flat)
        plenty = 2 if self.generous(path) else 0
        # The second way is the shortest array, for items that cannot be made.
        if self.choices.take(path, "items", 2):
            plenty = 0
        prefixes = [len(rule["prefixItems"]) for rule in flat.array_rules if "prefixItems" in rule]
        usual = max(prefixes) if prefixes and plenty else plenty
        count = min(max(least, len(wanted), usual), most)
        if least > MAX_ITEMS:
            raise GivenUpError(path)
        found: list[Any] = []
        for index in range(count):
            # What has to be contained comes last, where no prefix speaks.
            extra = wanted[index - (count - len(wanted))] if index >= count - len(wanted) else []
            needed = len(found) < max(least, len(wanted))
            if (*path, index) in self.choices.dropped and not needed:
                continue
            item = self.an_item(flat, [*flat.item(index), *extra], (*path, index), found)
            if item is _NOTHING:
                if needed:
                    raise GivenUpError((*path, index))
                break
            found.append(item)
        return found

    def contained(self, flat: Flat) -> list[list[Any]]:
        """The schemas of `contains`, each as often as it is asked for (JSON Schema 2020-12 section 10.3.1.3)."""
        return [
            [rule["contains"]]
            for rule in flat.array_rules
            if "contains" in rule
            for _ in range(min(int(rule.get("minContains", 1)), MAX_ITEMS))
        ]

    def an_item(self, flat: Flat, schemas: list[Any], path: Path, others: list[Any]) -> Any:
        try:
            item = self.value(schemas, path)
            tries = 0
            while flat.unique and contains(others, item) and tries < TRIES * 2:
                tries += 1
                item = self.another(schemas, path)
        except GivenUpError:
            return _NOTHING
        return _NOTHING if flat.unique and contains(others, item) else item

    def another(self, schemas: list[Any], path: Path) -> Any:
        """A value for the same place that is likely to be another one: what is written is not used again."""
        kept, self.use_written = self.use_written, False
        try:
            return self.value(schemas, path)
        finally:
            self.use_written = kept

    # -- objects ---------------------------------------------------------------------------------------------

    def an_object(self, flat: Flat, path: Path) -> dict[str, Any]:
        least, most = flat.least.get("minProperties", 0), flat.most.get("maxProperties", MAX_ITEMS)
        found: dict[str, Any] = {}
        for name in flat.required:
            found[name] = self.property(flat, name, path)
        for name in self.optional(flat, path):
            if len(found) >= most:
                break
            if name not in found:
                self.add(flat, found, name, path, most)
        self.fill(flat, found, least, most, path)
        order = {name: at for at, name in enumerate(flat.names())}
        return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))

    def optional(self, flat: Flat, path: Path) -> list[str]:
        """The members to make that are not required.  Three ways: all, none, or only those without other demands."""
        hidden = self.maker.leave_out
        names = [
            name
            for name in flat.names()
            if name not in flat.required
            and name not in flat.forbidden
            and name not in flat.conditional
            and not any(self.maker.flattener.hides(schema, hidden) for schema in flat.member(name))
        ]
        way = self.choices.take(path, "members", 3) if names else 0
        least = flat.least.get("minProperties", 0) - len(flat.required)
        if way == 0 and self.generous(path):
            return names
        if way == 2 and self.generous(path):
            return [name for name in names if name not in flat.depends]
        tagged = [name for name in names if name in flat.tags]
        plain = sorted(names, key=lambda name: max(map(self.maker.depths.needed, flat.member(name)), default=0))
        return [*tagged, *plain[: max(least, 0)]]

    def add(self, flat: Flat, found: dict[str, Any], name: str, path: Path, most: int) -> None:
        """Add a member that may be left out, with those that it brings along, or nothing."""
        needed = [name]
        for each in needed:
            needed += [other for other in flat.depends.get(each, ()) if other not in needed]
        needed = [each for each in needed if each not in found]
        if any((*path, each) in self.choices.dropped for each in needed):
            return
        if len(found) + len(needed) > most or any(each in flat.forbidden for each in needed):
            return
        try:
            found.update({each: self.property(flat, each, path) for each in needed})
        except GivenUpError:
            return

    def property(self, flat: Flat, name: str, path: Path) -> Any:
        schemas = flat.member(name)
        tag = flat.tags.get(name)
        if tag is not None and not any(self.lists(schema) for schema in schemas):
            return tag
        return self.value([{"enum": [tag]}, *schemas] if self.tagged(schemas, tag) else schemas, (*path, name))

    def lists(self, schema: Any) -> bool:
        """Whether a schema says itself which values there are."""
        schema = self.maker.flattener.target(schema)
        return isinstance(schema, dict) and bool({"const", "enum", "allOf", "anyOf", "oneOf"} & schema.keys())

    def tagged(self, schemas: list[Any], tag: Any) -> bool:
        """Whether the tag is among the values that the property's schemas list."""
        lists = [schema for schema in map(self.maker.flattener.target, schemas) if isinstance(schema, dict)]
        listed = [schema["enum"] for schema in lists if "enum" in schema]
        return tag is not None and bool(listed) and all(contains(values, tag) for values in listed)

    def fill(self, flat: Flat, found: dict[str, Any], least: int, most: int, path: Path) -> None:
        """Members that no schema names: as many as are needed, and one or two where an object is a map."""
        is_map = not flat.names() and any(
            rule.get("patternProperties") or isinstance(rule.get("additionalProperties"), dict)
            for rule in flat.object_rules
        )
        way = self.choices.take(path, "extra", 2) if is_map else 0
        wanted = max(least, 2 if is_map and way == 0 and self.generous(path) else 0)
        for attempt in range(max(TRIES, 2 * min(wanted, MAX_ITEMS))):
            if len(found) >= min(wanted, most):
                return
            name = self.name(flat, path, attempt)
            if name in found or name in flat.forbidden:
                continue
            try:
                found[name] = self.property(flat, name, path)
            except GivenUpError:
                continue

    def name(self, flat: Flat, path: Path, attempt: int) -> str:
        """A name for a member that is not described by name."""
        patterns = [pattern for rule in flat.object_rules for pattern in rule.get("patternProperties", ())]
        if flat.name_rules:
            return self.ruled_name(flat, path, attempt)
        if patterns and attempt % 4 != 3:
            try:
                return matching(patterns[attempt % len(patterns)], self.random, attempt)
            except UnreadablePatternError:
                pass
        return _KEYS[attempt] if attempt < len(_KEYS) else f"{words(self.random)}{attempt}"

    def ruled_name(self, flat: Flat, path: Path, attempt: int) -> str:
        """A name as `propertyNames` wants it; every second one is made longer, to be another one."""
        rules = [*flat.name_rules, {"type": "string"}]
        made = str(self.value(rules, (*path, f"\0name{attempt}")))
        longer = made + words(self.random)
        judged = self.maker.flattener.flat(rules, lambda key, options: 0)
        return longer if attempt % 2 and judged.values is None and self.maker.judge(longer, judged) else made


class _Nothing:
    """The type of `_NOTHING`, because None is a value."""


_NOTHING: Final = _Nothing()
