"""Which of a framework's routes can match a path at all, found with one compiled match.

Frameworks differ in precedence, converters and conditions, but most routes are a row of segments, each a text or
"something without a slash".  `Narrowing` compiles these shapes.  A path leads to the most specific shape that fits
it, every route that could match the path has paths in common with this shape, and which routes have is worked out
when they are compiled.  So the framework's own rules need to run on these few routes only, in its own order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from brrtrouter.core.matcher import Matcher
from brrtrouter.errors import PathError

V = TypeVar("V")
Segments = tuple[str | None, ...]

# All methods share one tree: whether a route has the method is the framework's question.
ANY = "GET"
# Signs with a meaning in a template, and controls.
SPECIAL = re.compile(r"[%{}?#\x00-\x1f\x7f\ud800-\udfff]")
# Regular expressions of which it is plain that they take one or more characters and no slash.
ONE_SEGMENT = re.compile(
    r"(?:\\[dw]|\[\^/\]|\[\^\{\}/\]|\[(?:a-z|A-Z|0-9|a-f|A-F|\\[dw]|[_.~])+-?\])(?:\+|\{[1-9][0-9]*(?:,[0-9]*)?\})"
)
MAX_SEGMENTS = 64
MAX_EXPRESSIONS = 32
MAX_BYTES = 8_192


@dataclass(frozen=True)
class Shape:
    """The paths that a route can match, or more than these.

    segments: what stands between the slashes after the first one: a text, or None for one or more characters
        without a slash.  "/" is `("",)`, "/a/" is `("a", "")`.
    open: further segments may follow, whatever they are.
    """

    segments: Segments
    open: bool = False

    def compilable(self) -> Shape:
        """The same shape, or a wider open one when the matcher cannot hold a part of it."""
        for number, segment in enumerate(self.segments):
            if segment is not None and SPECIAL.search(segment):
                return Shape(self.segments[:number], True)
        if len(self.segments) > MAX_SEGMENTS or self.segments.count(None) > MAX_EXPRESSIONS:
            return ANYTHING
        return self if self.open or len(self.template.encode()) <= MAX_BYTES else ANYTHING

    @property
    def template(self) -> str:
        """As a path template, for a shape that is not open; captures are named by their number."""
        numbers = iter(range(len(self.segments)))
        return "".join(f"/{{{next(numbers)}}}" if segment is None else f"/{segment}" for segment in self.segments)


ANYTHING = Shape((), True)


@dataclass
class _Node:
    children: dict[str | None, _Node] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    opens: list[int] = field(default_factory=list)
    open_below: bool = False


# How a shape compares with the one asked about, at the first segment where they differ: the matcher tries texts first.
_Order = Enum("_Order", "SAME AHEAD BEHIND")


class Overlaps:
    """A tree of shapes that tells which of them can match a path for which the matcher has chosen a given one.

    Those that share a path with it, without those that the matcher would have chosen before it: had one of these
    fitted, it would have been the answer.
    """

    def __init__(self) -> None:
        self.root = _Node()

    def add(self, shape: Shape, number: int) -> None:
        node = self.root
        node.open_below |= shape.open
        for segment in shape.segments:
            node = node.children.setdefault(segment, _Node())
            node.open_below |= shape.open
        (node.opens if shape.open else node.ends).append(number)

    def find(self, segments: Segments) -> tuple[int, ...]:
        """The numbers of these shapes, ascending."""
        found: set[int] = set()
        level = [(self.root, _Order.SAME)]
        for segment in segments:
            found.update(number for node, _ in level for number in node.opens)
            level = [following for node, order in level for following in _fitting(node, order, segment)]
        found.update(number for node, _ in level for number in node.opens)
        found.update(number for node, order in level if order is not _Order.AHEAD for number in node.ends)
        return tuple(sorted(found))


def _fitting(node: _Node, order: _Order, segment: str | None) -> Iterator[tuple[_Node, _Order]]:
    if segment is None:
        # An expression takes at least one character, so it has nothing in common with an empty segment.
        texts = _Order.AHEAD if order is _Order.SAME else order
        for key, child in node.children.items():
            if key != "" and (texts is not _Order.AHEAD or child.open_below or key is None):
                yield child, order if key is None else texts
        return
    if (same := node.children.get(segment)) is not None:
        yield same, order
    if segment and (other := node.children.get(None)) is not None:
        yield other, _Order.BEHIND if order is _Order.SAME else order


class Narrowing(Generic[V]):
    """The routes that can match a path, prepared by `make` from their numbers.

    shapes: for each route, in the framework's order, the shapes of its paths.
    make: called once for each different shape that is not open, with its segments and the numbers of the routes that
        can match a path for which the matcher chooses it, ascending; and once with None and the numbers of the open
        routes, for paths that fit no shape.  What it returns is what `find` gives back; None hands such paths to the
        framework.
    """

    def __init__(
        self, shapes: Sequence[Collection[Shape]], make: Callable[[Segments | None, tuple[int, ...]], V | None]
    ) -> None:
        overlaps = Overlaps()
        closed: dict[Segments, Shape] = {}
        always: set[int] = set()
        for number, several in enumerate(shapes):
            for shape in {each.compilable() for each in several}:
                overlaps.add(shape, number)
                if shape.open:
                    always.add(number)
                else:
                    closed[shape.segments] = shape
        self._rest = make(None, tuple(sorted(always)))
        self._match = Matcher(
            (ANY, shape.template, make(segments, overlaps.find(segments))) for segments, shape in closed.items()
        ).match

    def find(self, path: str) -> V | None:
        """What was made for the routes that can match this decoded path; None: ask the framework about all of them."""
        # The matcher would decode an escape; and '$' in a regular expression also stands before a last line feed.
        if "%" in path or "\n" in path or path[:1] != "/":
            return None
        try:
            found = self._match(ANY, path)
        except PathError:
            return None
        return self._rest if found is None else found[0]
