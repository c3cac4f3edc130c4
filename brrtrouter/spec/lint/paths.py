"""Rules about path templates: which of them match the same paths.

A template is compared segment by segment.  Of two segments one may match all that the other matches (the literal
`mine` and `{id}`): then it is the more special one that is served first (docs/matching.md), and nothing is wrong.
Where each of two templates is the more special one somewhere, only a rule of this server decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Literal

from brrtrouter.spec.lint.context import Context
from brrtrouter.spec.model import Operation
from brrtrouter.spec.reference import Node, Resource
from brrtrouter.spec.servers import template_shape

_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
# Symbols of a segment's pattern beside its literal characters.
_ONE: Final = "\x00"
_MORE: Final = "\x01"
# Long segments are compared like the others, but a bound keeps a hostile one from costing much.
_LENGTH: Final = 200
# How much work the search for pairs may be; the largest published documents need a hundredth of it.
_STEPS: Final = 2_000_000
_COMPARISON: Final = 20

Relation = Literal["equal", "narrower", "wider", "neither"]


def check_paths(context: Context) -> None:
    """All rules of this module over the operations that can be routed."""
    found: dict[str, dict[str, Operation]] = {}
    for operation in context.specification.operations:
        found.setdefault(operation.path, {})[operation.method] = operation
        if "?" in operation.template:
            text = f"{operation.template[:200]!r} has a query; it is taken as a condition"
            context.add("QueryInPath", _place(context, operation), text)
    plain = {path: operations for path, operations in found.items() if "?" not in path}
    _identical(context, plain)
    for one, other in _overlapping(plain):
        _pair(context, one, plain[one], other, plain[other])


def _place(context: Context, operation: Operation) -> Node:
    """The pointer of an operation as a place; an operation of another file shows its own."""
    entry = context.files.entry
    if operation.pointer.startswith("/"):
        return Node(None, entry, operation.pointer)
    name, _, pointer = operation.pointer.partition("#")
    return Node(None, Resource(name, "", None, None), pointer)


def _identical(context: Context, found: dict[str, dict[str, Operation]]) -> None:
    shapes: dict[str, str] = {}
    for path, operations in found.items():
        first = shapes.setdefault(template_shape(path), path)
        if first != path and not found[first].keys() & operations.keys():
            text = f"{path[:200]} and {first[:200]} differ in the names of their variables only"
            context.add("IdenticalPathTemplates", _place(context, next(iter(operations.values()))), text)


# -- segments ------------------------------------------------------------------------------------------------


def _symbols(segment: str) -> str:
    """A segment as a pattern: each variable is one character and then any number of them."""
    return _VARIABLE.sub(_ONE + _MORE, segment)[:_LENGTH]


@lru_cache(maxsize=65_536)
def common(one: str, other: str) -> str | None:
    """A text that both segments match; None when there is none."""
    first, second = _symbols(one), _symbols(other)
    failed: set[tuple[int, int]] = set()
    # Depth first; each way is where it stands in both patterns and what was read so far.
    ways: list[tuple[int, int, str]] = [(0, 0, "")]
    while ways:
        at, to, text = ways.pop()
        if (at, to) in failed:
            continue
        failed.add((at, to))
        a, b = first[at : at + 1], second[to : to + 1]
        if not a and not b:
            return text
        if a == _MORE:
            ways.append((at + 1, to, text))
        if b == _MORE:
            ways.append((at, to + 1, text))
        if not a or not b or (a == _MORE and b == _MORE):
            continue
        if a in (_ONE, _MORE) or b in (_ONE, _MORE) or a == b:
            read = next((c for c in (a, b) if c not in (_ONE, _MORE)), "x")
            ways.append((at + (a != _MORE), to + (b != _MORE), text + read))
    return None


def _includes(wide: str, narrow: str) -> bool:
    """Whether `wide` matches all that `narrow` matches, read from their patterns."""
    first, second = _symbols(wide), _symbols(narrow)
    reached = {0}
    for symbol in [*second, ""]:
        todo = list(reached)
        while todo:
            at = todo.pop()
            if first[at : at + 1] == _MORE and at + 1 not in reached:
                reached.add(at + 1)
                todo.append(at + 1)
        if not symbol:
            return len(first) in reached
        step = set()
        for at in reached:
            own = first[at : at + 1]
            if own == _MORE:
                step.add(at)
            elif own and symbol != _MORE and own in (symbol, _ONE):
                step.add(at + 1)
        reached = step
    return False


@lru_cache(maxsize=65_536)
def relation(one: str, other: str) -> Relation:
    """How the texts that `one` matches relate to those of `other`; both have some in common."""
    if _VARIABLE.sub("{}", one) == _VARIABLE.sub("{}", other):
        return "equal"
    wider, narrower = _includes(one, other), _includes(other, one)
    if wider and narrower:
        return "equal"
    return "wider" if wider else "narrower" if narrower else "neither"


# -- pairs ---------------------------------------------------------------------------------------------------


class _Branch:
    """A node of the tree of segments, in which variables have no names; `paths` end here."""

    __slots__ = ("literals", "paths", "patterns")

    def __init__(self) -> None:
        self.literals: dict[str, _Branch] = {}
        self.patterns: dict[str, _Branch] = {}
        self.paths: list[str] = []

    def below(self, segment: str) -> _Branch:
        children = self.patterns if "{" in segment else self.literals
        return children.setdefault(_VARIABLE.sub("{}", segment), _Branch())

    def steps(self, segment: str) -> int:
        """What `meeting` costs: it looks at every child, but compares it only with a segment that is a mixed one."""
        children = len(self.patterns) + (len(self.literals) if "{" in segment else 0)
        return 1 + children * (1 if _VARIABLE.fullmatch(segment) else _COMPARISON)

    def meeting(self, segment: str) -> Iterator[_Branch]:
        """The children that match something that the segment matches."""
        if _VARIABLE.fullmatch(segment):
            yield from (child for literal, child in self.literals.items() if literal)
            yield from self.patterns.values()
            return
        if "{" not in segment:
            if segment in self.literals:
                yield self.literals[segment]
        else:
            for literal, child in self.literals.items():
                if common(segment, literal) is not None:
                    yield child
        for pattern, child in self.patterns.items():
            if common(segment, pattern) is not None:
                yield child


def _overlapping(found: dict[str, dict[str, Operation]]) -> Iterator[tuple[str, str]]:
    """All pairs of paths that match the same path; the tree is searched before a path is put into it."""
    root = _Branch()
    steps = 0
    for path in found:
        segments = path.split("/")
        branches = [root]
        for segment in segments:
            steps += sum(branch.steps(segment) for branch in branches)
            if steps > _STEPS:
                return
            branches = [child for branch in branches for child in branch.meeting(segment)]
        for branch in branches:
            for other in branch.paths:
                yield other, path
        branch = root
        for segment in segments:
            branch = branch.below(segment)
        branch.paths.append(path)


def _pair(context: Context, one: str, first: dict[str, Operation], other: str, second: dict[str, Operation]) -> None:
    pieces, others = one.split("/"), other.split("/")
    relations = [relation(a, b) for a, b in zip(pieces, others, strict=True)]
    methods = [method for method in second if method in first]
    kinds = set(relations) - {"equal"}
    if not methods or not kinds:
        return
    if "neither" in kinds or {"narrower", "wider"} <= kinds:
        example = [common(a, b) or "" for a, b in zip(pieces, others, strict=True)]
        both = [m for m in methods if _accepts(first[m], pieces, example) and _accepts(second[m], others, example)]
        if both:
            text = f"{', '.join(both)} {other[:200]} and {one[:200]} both match {'/'.join(example)[:200]}"
            context.add("AmbiguousPathTemplates", _place(context, second[both[0]]), text)
    different = [at for at, each in enumerate(relations) if each != "equal"]
    if len(different) == 1:
        at = different[0]
        special, general, operations = (
            (pieces, others, second) if relations[at] == "narrower" else (others, pieces, first)
        )
        for method in methods:
            _shadowed(context, operations[method], special[at], general[at])


def _accepts(operation: Operation, segments: list[str], example: list[str]) -> bool:
    """Whether an operation takes the literals of the other one: a parameter that is a number takes numbers only."""
    types = {each.name: each.types for each in operation.parameters if each.location == "path"}
    for segment, text in zip(segments, example, strict=True):
        variable = _VARIABLE.fullmatch(segment)
        allowed = types.get(variable[1], ()) if variable else ()
        if allowed and text != "x" and set(allowed) <= {"integer", "number"} and not _NUMBER.fullmatch(text):
            return False
    return True


def _shadowed(context: Context, operation: Operation, literal: str, segment: str) -> None:
    """A value in the enum of a parameter that another path has as its literal never gets to this operation."""
    variable = _VARIABLE.fullmatch(segment)
    if variable is None or "{" in literal:
        return
    for parameter in operation.parameters:
        if (parameter.location, parameter.name) != ("path", variable[1]) or parameter.schema is None:
            continue
        schema = parameter.schema.resolved()
        values = schema.get("enum") if isinstance(schema, dict) else None
        if isinstance(values, list) and literal in values:
            text = f"the value {literal[:80]!r} of {variable[1]!r} belongs to another path and never gets here"
            context.add("ShadowedParameterValue", _place(context, operation), text)
