"""How many schemas of a bundle one place of a value is held against.

Branches that lead to the same schema again multiply: with two at each of thirty levels the last is tried a billion
times.  References that come back to where they are do not: the validator remembers what it tried there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

# Each costs about 20 ns; the most of a published document is 2,451, most have less than 100.
MAX_TRIES: Final = 20_000
_LISTS: Final = ("allOf", "anyOf", "oneOf")
_SINGLE: Final = ("not", "if", "then", "else")
_ITEMS: Final = ("items", "contains", "unevaluatedItems")
_OTHERS: Final = ("additionalProperties", "unevaluatedProperties")
# Stand for all items of an array, and for all members that no `properties` names.
_ITEM: Final = "/items"
_OTHER: Final = "/others"


class Tries(NamedTuple):
    """Of one schema: here: how many schemas judge the value itself.  below: at most so many judge any place under a
    member, by its name.  most: at most so many judge any place at all."""

    here: int
    below: dict[str, int]
    most: int


_NONE: Final = Tries(1, {}, 1)


class Multiplied:
    """Counts the tries of the schemas of one document, each definition once.

    fragment: the definition of a name, and the names that it refers to itself.
    """

    def __init__(self, fragment: Callable[[str], tuple[Any, tuple[str, ...]]]) -> None:
        self._fragment = fragment
        self._known: dict[str, Tries] = {}

    def most(self, schema: Any, names: tuple[str, ...]) -> int:
        """At most so many schemas judge any one place of a value.  names: what the schema refers to itself."""
        self._learn(names)
        return self._tries(schema).most

    def _learn(self, names: tuple[str, ...]) -> None:
        """Count definitions, the ones that others refer to first."""
        todo = [(name, False) for name in names]
        while todo:
            name, is_ready = todo.pop()
            if is_ready:
                self._known[name] = self._tries(self._fragment(name)[0])
            elif name not in self._known:
                self._known[name] = _NONE  # for references that come back to it
                todo.append((name, True))
                todo += [(each, False) for each in self._fragment(name)[1]]

    def _tries(self, schema: Any) -> Tries:
        if not isinstance(schema, dict):
            return _NONE
        here = 1
        below: dict[str, int] = {}
        for tries in self._in_place(schema):
            here += tries.here
            for key, count in tries.below.items():
                below[key] = below.get(key, 0) + count
        for key, part in _children(schema):
            below[key] = below.get(key, 0) + self._tries(part).most
        others = below.get(_OTHER, 0)
        most = max((count if key in (_ITEM, _OTHER) else count + others for key, count in below.items()), default=0)
        return Tries(here, below, max(here, most))

    def _in_place(self, schema: dict[str, Any]) -> list[Tries]:
        parts = [branch for keyword in _LISTS for branch in schema.get(keyword, ())]
        parts += [schema[keyword] for keyword in _SINGLE if keyword in schema]
        parts += schema.get("dependentSchemas", {}).values()
        found = [self._tries(part) for part in parts]
        if "$ref" in schema:
            found.append(self._known[schema["$ref"].removeprefix("#/$defs/")])
        return found


def _children(schema: dict[str, Any]) -> list[tuple[str, Any]]:
    found = list(schema.get("properties", {}).items())
    found += [(_OTHER, part) for part in schema.get("patternProperties", {}).values()]
    found += [(_OTHER, schema[keyword]) for keyword in _OTHERS if keyword in schema]
    found += [(_ITEM, schema[keyword]) for keyword in _ITEMS if keyword in schema]
    return found + [(_ITEM, part) for part in schema.get("prefixItems", ())]
