"""The rules of another framework's router, sorted into the templates of a `Matcher`.

A *shape* says of each segment of a path either its text or, with None, that it is not empty.  A rule of a framework has
a shape when every path that it matches fits the shape; the shape may fit more.  A rule that has none (it takes many
segments, or runs code of the user) is *open*: of it only the text is known with which all its paths start.

Why an answer is proven.  Of the shapes that fit a path, a Matcher returns the one that is ahead: at the first segment
where two differ, one has the text and the other None, and the text goes first.  So when it returns a shape, the rules
that can match the path are those of this shape, those of shapes behind it that have paths in common with it, and open
rules that start alike.  These are the candidates of the shape, in the order in which the framework prefers them; the
first that matches is the framework's answer, and when none does nothing matches.  When a Matcher returns nothing, only
open rules can match.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from brrtrouter.core.matcher import Matcher
from brrtrouter.errors import RouteError

T = TypeVar("T")
Shape = tuple["str | None", ...]

# A template may have more of these; a rule beyond them is open.
MAX_SEGMENTS = 64
MAX_CAPTURES = 32
MAX_BYTES = 8_000
# Beyond this many steps or open rules a shape gets no candidates, and the framework answers alone.
MAX_STEPS = 256
MAX_OPEN = 64


@dataclass(frozen=True)
class Rule(Generic[T]):
    """One rule; `prefix` is what all paths of an open rule start with."""

    value: T
    shape: Shape | None
    prefix: str = "/"


@dataclass(frozen=True)
class Candidate(Generic[T]):
    """A rule that may match a path which fits the shape asked for.

    literals: the segments (number, text) in which the path may still differ from the rule's own shape.
    exact: the rule has the shape asked for.
    prefix: None, or what the path must start with: then the rule is open.
    """

    value: T
    literals: tuple[tuple[int, str], ...] = ()
    exact: bool = False
    prefix: str | None = None

    def excluded(self, path: str, segments: Sequence[str]) -> bool:
        """Whether the path cannot match; `segments` are those between the slashes of `path`."""
        if self.prefix is not None:
            return not path.startswith(self.prefix)
        return any(segments[number] != text for number, text in self.literals)


@dataclass(frozen=True)
class Index:
    """match: the `match` of a Matcher with the method "GET" for everything.

    open: all open rules in order, candidates of the paths that fit no shape; None when there are too many.
    """

    match: Callable[[str, str], tuple[Any, dict[str, str]] | None]
    open: tuple[Candidate[Any], ...] | None

    def nothing_fits(self, path: str) -> bool:
        """Whether no rule can match a path for which `match` has nothing."""
        return self.open is not None and all(not path.startswith(rule.prefix or "") for rule in self.open)


@dataclass
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    bare: _Node | None = None
    shape: Shape | None = None


# For a shape and its candidates (None: too many to list): the names of its captures, and what a match returns.
MakeSlot = Callable[[Shape, "list[Candidate[T]] | None"], "tuple[Iterable[str], Any]"]


def build_index(rules: Iterable[Rule[T]], make_slot: MakeSlot[T]) -> Index | None:
    """An index over the rules, which come in the framework's order of preference; None when a Matcher refuses it."""
    numbered = list(enumerate(rule if _fits(rule.shape) else _opened(rule) for rule in rules))
    by_shape: dict[Shape, list[tuple[int, Rule[T]]]] = defaultdict(list)
    for number, rule in numbered:
        if rule.shape is not None:
            by_shape[rule.shape].append((number, rule))
    root = _trie(by_shape)
    openings = _Openings([(number, rule) for number, rule in numbered if rule.shape is None])
    matcher = Matcher()
    try:
        for shape in by_shape:
            names, value = make_slot(shape, _candidates(shape, root, by_shape, openings))
            matcher.add("GET", template(shape, names), value)
        matcher.freeze()
    except RouteError:
        return None
    return Index(matcher.match, openings.all)


def template(shape: Shape, names: Iterable[str]) -> str:
    """The template of a shape whose captures have these names."""
    name = iter(names)
    return "/" + "/".join("{" + next(name) + "}" if text is None else quote(text, safe="") for text in shape)


def numbers(shape: Shape) -> list[str]:
    """Names for the captures of a shape when nobody asks for others."""
    return [str(number) for number in range(shape.count(None))]


def literal_prefix(shape: Shape) -> str:
    """What all paths that fit the shape start with."""
    known = shape[: shape.index(None)] if None in shape else shape
    return "/" + "/".join([*(text for text in known if text is not None), *([""] if known and known != shape else [])])


def _fits(shape: Shape | None) -> bool:
    if shape is None:
        return True
    try:
        length = len(template(shape, numbers(shape)))
    except UnicodeEncodeError:
        return False
    return 0 < len(shape) <= MAX_SEGMENTS and shape.count(None) <= MAX_CAPTURES and length <= MAX_BYTES


def _opened(rule: Rule[T]) -> Rule[T]:
    return Rule(rule.value, None, literal_prefix(rule.shape or ()))


def _trie(shapes: Iterable[Shape]) -> _Node:
    root = _Node()
    for shape in shapes:
        node = root
        for text in shape:
            if text is not None:
                node = node.literals.setdefault(text, _Node())
            else:
                node.bare = node.bare or _Node()
                node = node.bare
        node.shape = shape
    return root


class _Openings(Generic[T]):
    """Open rules by what their paths start with."""

    def __init__(self, rules: list[tuple[int, Rule[T]]]) -> None:
        self.sorted = sorted(((rule.prefix, number, rule) for number, rule in rules), key=lambda entry: entry[:2])
        self.prefixes = [prefix for prefix, _, _ in self.sorted]
        self.lengths = sorted({len(prefix) for prefix in self.prefixes})
        few = len(rules) <= MAX_OPEN
        self.all = tuple(Candidate(rule.value, prefix=rule.prefix) for _, rule in rules) if few else None

    def alike(self, shape: Shape) -> list[tuple[int, Rule[T]]] | None:
        """Those that may match a path which fits the shape, None when there are too many."""
        known = literal_prefix(shape)
        found = []
        for length in self.lengths[: bisect_right(self.lengths, len(known))]:
            at = bisect_left(self.prefixes, known[:length])
            found += self.sorted[at : min(bisect_right(self.prefixes, known[:length]), at + MAX_OPEN + 1)]
        if None in shape:
            for entry in islice(self.sorted, bisect_right(self.prefixes, known), None):
                if not entry[0].startswith(known) or len(found) > MAX_OPEN:
                    break
                found.append(entry)
        return [entry[1:] for entry in found] if len(found) <= MAX_OPEN else None


def _candidates(
    shape: Shape, root: _Node, by_shape: dict[Shape, list[tuple[int, Rule[T]]]], openings: _Openings[T]
) -> list[Candidate[T]] | None:
    behind = _behind(root, shape)
    alike = openings.alike(shape)
    if behind is None or alike is None:
        return None
    found = [(number, Candidate(rule.value, prefix=rule.prefix)) for number, rule in alike]
    for other in behind:
        differing = tuple(
            (number, text)
            for number, (text, asked) in enumerate(zip(other, shape, strict=True))
            if text is not None and text != asked
        )
        found += [(number, Candidate(rule.value, differing, other == shape)) for number, rule in by_shape[other]]
    return [candidate for _, candidate in sorted(found, key=lambda entry: entry[0])]


def _behind(root: _Node, shape: Shape) -> list[Shape] | None:
    """The shape, and those behind it that have paths in common with it; None when the search takes too long."""
    found: list[Shape] = []
    pending = [(root, 0, False)]
    for _ in range(MAX_STEPS):
        if not pending:
            return found
        node, depth, parted = pending.pop()
        if depth == len(shape):
            found += [node.shape] if node.shape is not None else []
            continue
        text = shape[depth]
        if text is not None and text in node.literals:
            pending.append((node.literals[text], depth + 1, parted))
        if node.bare is not None and text != "":
            pending.append((node.bare, depth + 1, parted or text is not None))
        if text is None and parted:
            pending += [(child, depth + 1, True) for literal, child in node.literals.items() if literal != ""]
    return None
