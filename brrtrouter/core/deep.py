"""Nested names in a query, `filter[a][0][b]=1`: what `x-nested` asks for in a `deepObject`.

OpenAPI 3.1 section 4.8.12.6 defines `deepObject` for one level only.  Below it this is what most clients write: a name
for a member, numbers from 0 on for items, nothing (`[]`) for one more item, or the name again for each item.  Where a
list or a text may stand, one text is the list of it, but for an empty text and for one that is no item.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

# Levels of `name[a][b]...`.
MAX_NESTING = 16
BRACKETS: Final = re.compile(r"(?:\[[^\[\]]*\])+")
# One member, whose name may have brackets of its own while these cannot be read as the end of one and the next.
ONE_MEMBER: Final = re.compile(r"\[((?:(?!\]\[).)*)\]", re.DOTALL)

# "No pair is mine": every Python value is a possible value.
ABSENT: Final = object()

Cast = Callable[[str, tuple[str, ...]], Any]
Pairs = list[tuple[str, str]]
PairsDecoder = Callable[[Pairs], tuple[Any, Pairs]]


class TextError(ValueError):
    """Text that is no value: the message, the keyword that failed, and a JSON Pointer into the value to be."""

    def __init__(self, message: str, keyword: str = "style", pointer: str = "") -> None:
        super().__init__(message)
        self.keyword = keyword
        self.pointer = pointer


class NestedLike(Protocol):
    """The casts for one place; `brrtrouter.spec.model.Nested` has them."""

    @property
    def types(self) -> tuple[str, ...]: ...
    @property
    def properties(self) -> Mapping[str, NestedLike]: ...
    @property
    def items(self) -> NestedLike | None: ...
    @property
    def additional(self) -> NestedLike | None: ...


def at(place: str | int, make: Callable[[], Any]) -> Any:
    """What `make` gives; an error of it is one of the member or item at `place`."""
    try:
        return make()
    except TextError as error:
        part = str(place).replace("~", "~0").replace("/", "~1")
        raise TextError(str(error), error.keyword, f"/{part}{error.pointer}") from None


def _insert(tree: dict[str, Any], path: list[str], raw: str) -> None:
    """Put a raw value at its place: a dict holds what is below names, a list the texts of one, `""` those at `[]`."""
    *inner, last = path
    for name in inner:
        tree = tree.setdefault(name, {}) if name else {}
        if not name or not isinstance(tree, dict):
            raise TextError("has a value, or [], where it has names below")
    texts = tree.setdefault(last, [])
    if not isinstance(texts, list):
        raise TextError("has a value where it has names below")
    texts.append(raw)


def _value(tree: Any, casts: NestedLike | None, cast: Cast) -> Any:
    """The value of such a tree, by what the schema says about its place."""
    items = None if casts is None else casts.items
    if isinstance(tree, list):
        return _text_value(tree, casts, cast)
    if "" in tree:
        if len(tree) > 1:
            raise TextError("has [] beside names")
        return [at(index, partial(_value, [raw], items, cast)) for index, raw in enumerate(tree[""])]
    if items is not None and all(map(str.isdecimal, tree)):
        if tree.keys() != {str(index) for index in range(len(tree))}:
            raise TextError("has items whose numbers do not count from 0")
        return [at(index, partial(_value, tree[str(index)], items, cast)) for index in range(len(tree))]
    below = {} if casts is None else casts.properties
    others = None if casts is None else casts.additional
    return {name: at(name, partial(_value, tree[name], below.get(name, others), cast)) for name in tree}


def _text_value(texts: list[str], casts: NestedLike | None, cast: Cast) -> Any:
    """The value of the texts of one name: of a list its items, unless there is one that is no item."""
    items = None if casts is None else casts.items
    types = ("string",) if casts is None else casts.types
    if items is None:
        if len(texts) > 1:
            raise TextError("is given more than once", "duplicate")
        return cast(texts[0], types)
    if texts == [""] and "string" in types:
        return ""
    try:
        return [at(index, partial(_value, [raw], items, cast)) for index, raw in enumerate(texts)]
    except TextError:
        if len(texts) > 1 or not types:
            raise
        return cast(texts[0], types)


def nested_object(prefix: str, casts: NestedLike, cast: Cast) -> PairsDecoder:
    """A decoder for the pairs whose names begin with `prefix[`; `cast` takes text that is still escaped."""

    def decode(pairs: Pairs) -> tuple[Any, Pairs]:
        tree: dict[str, Any] = {}
        rest = []
        for name, raw in pairs:
            below = name[len(prefix) :]
            if not name.startswith(prefix) or not BRACKETS.fullmatch(below):
                rest.append((name, raw))
                continue
            path = below[1:-1].split("][")
            if len(path) > MAX_NESTING:
                raise TextError(f"is nested deeper than {MAX_NESTING} levels", "limit")
            _insert(tree, path, raw)
        return (_value(tree, casts, cast) if tree else ABSENT), rest

    return decode
