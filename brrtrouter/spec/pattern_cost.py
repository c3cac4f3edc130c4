"""What a regular expression may cost for each character of a text, told from the expression alone.

The engine behind the validator is linear in the text, but for each character it may have to keep as many threads alive
as the expression has positions: all of them where a part may begin anywhere, one where it begins at one place only, as
after `^`.  Look-around and back references are tried again from each place where they may begin, which is quadratic.

The measure is of the expression as it is parsed here (ECMA-262 section 22.2.1); what is wrong in it the engine tells.
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

# One step of an expression: an escape or a class with its brackets, the beginning of a group, or a single character.
_PIECE: Final = re.compile(
    r"\\[pPu]\{[^}]*\}|\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\[1-9][0-9]*|\\k<[^>]*>|\\.|\[(?:\\.|[^\]\\])*\]"
    r"|\(\?(?:<?[=!]|:|<[^>]*>)|\(\??|.",
    re.DOTALL,
)
_QUANTIFIER: Final = re.compile(r"([*+?]|\{([0-9]{1,9})(,([0-9]{0,9}))?\})[?+]?")
_COUNTS: Final = {"*": (0.0, math.inf), "+": (1.0, math.inf), "?": (0.0, 1.0)}
_PLAIN_GROUPS: Final = ("(", "(?:")
_LOOK: Final = ("(?=", "(?!", "(?<=", "(?<!")
_REFERENCE: Final = re.compile(r"\\(?:[1-9]|k<)")
_CLASS: Final = re.compile(r"[.\[]|\\[dDwWsSpP]")
_ASSERTIONS: Final = frozenset({"$", r"\b", r"\B"})
MAX_DEPTH: Final = 100


class Cost(NamedTuple):
    """What a part of an expression takes.

    low, high: characters that it matches.  loose: its positions that may begin anywhere.  work: for the others, the
    sum over positions of the places where each may begin.  size: all positions.  fancy: there is a
    look-around, a reference or another thing that no automaton does; repeated: it may be tried from many places.
    dense: at most so many of the positions that are not loose are alive at once.  each: so many begin at the same
    place, where the part has one length.  fixed: positions that are not in these, because they are single characters
    at one place, between which a text decides.
    """

    low: float = 0
    high: float = 0
    loose: float = 0
    work: float = 0
    size: float = 0
    repeated: bool = False
    fancy: bool = False
    dense: float = 0
    each: float = 0
    fixed: float = 0

    @property
    def is_rigid(self) -> bool:
        """Whether each position has its distance from the beginning of the part."""
        return self.low == self.high and not self.fancy


_NOTHING: Final = Cost()


class TooDeepError(ValueError):
    """Groups inside of groups beyond `MAX_DEPTH`."""


def cost_of(pattern: str) -> Cost:
    """The cost of searching for `pattern`, which may begin anywhere unless it says otherwise by `^`."""
    return _Reader(pattern).alternatives(math.inf, 0)


class _Reader:
    """Reads an expression once; `spread` is always the number of places where the next part may begin."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0

    def alternatives(self, spread: float, depth: int) -> Cost:
        """All alternatives up to the end of the group."""
        if depth > MAX_DEPTH:
            raise TooDeepError(f"groups are nested deeper than {MAX_DEPTH}")
        found = [self._sequence(spread, depth)]
        while self._text[self._at : self._at + 1] == "|":
            self._at += 1
            found.append(self._sequence(spread, depth))
        low, high = min(each.low for each in found), max(each.high for each in found)
        return _sum(found)._replace(low=low, high=high)

    def _sequence(self, spread: float, depth: int) -> Cost:
        total = run = _NOTHING
        begin = spread
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            if self._text[self._at] == "^":
                self._at += 1
                # Whatever came before: it is one place.
                total = total._replace(low=0, high=0, dense=total.dense + _alive(run, begin))
                spread, begin, run = 1, 1, _NOTHING
                continue
            part = self._quantified(spread + total.high - total.low, depth)
            # Parts of one length follow each other: no more are alive than there are places where they may begin.
            if part.is_rigid:
                run = Cost(size=run.size + part.size, each=max(run.each, part.each))
                part = part._replace(dense=0)
            total = Cost(total.low + part.low, total.high + part.high, *_sum((total, part))[2:])
            if not part.is_rigid:
                total = total._replace(dense=total.dense + _alive(run, begin))
                begin, run = spread + total.high - total.low, _NOTHING
        if total.is_rigid:
            return total._replace(dense=_alive(run, begin), each=run.each)
        return total._replace(dense=total.dense + _alive(run, begin))

    def _quantified(self, spread: float, depth: int) -> Cost:
        part = self._one(spread, depth)
        quantifier = _QUANTIFIER.match(self._text, self._at)
        if quantifier is None:
            return part
        self._at = quantifier.end()
        low, high = _counts(quantifier)
        # Where rounds differ in length, each but the first begins at so many places more.
        more = (high - 1) * (part.high - part.low) if high > 1 and part.high > part.low else 0
        if more == math.inf:
            loose, work = part.size, 0.0
        else:
            loose, work = part.loose, part.work + (part.size - part.loose) * more
        copies = high if math.isfinite(high) else max(low, 1)
        if more == 0:
            dense = _alive(part._replace(size=part.size * copies), spread) if part.is_rigid else part.dense * copies
        else:
            dense = 0 if more == math.inf else min(part.size, part.dense + part.fixed) * copies
        return Cost(
            part.low * low,
            part.high * high if part.high and high else 0,
            loose * copies,
            work * copies,
            part.size * copies,
            part.repeated or (part.fancy and high > 1) or (quantifier[0].endswith("+", 1) and spread > 1),
            part.fancy,
            dense,
            part.each if part.is_rigid else 0,
            part.fixed * copies,
        )

    def _one(self, spread: float, depth: int) -> Cost:
        piece = _PIECE.match(self._text, self._at)
        assert piece is not None
        self._at = piece.end()
        text = piece[0]
        if text[0] == "(":
            inside = self._group(spread, depth)
            if text in _PLAIN_GROUPS or (text.startswith("(?<") and text not in _LOOK):
                return inside
            inside = inside._replace(repeated=inside.repeated or spread > 1, fancy=True)
            return inside._replace(low=0, high=0) if text in _LOOK else inside
        if text in _ASSERTIONS:
            return _NOTHING
        if _REFERENCE.match(text):
            return Cost(high=math.inf, size=1, repeated=True, fancy=True)
        if spread == math.inf:
            return Cost(1, 1, 1, 0, 1)
        decides = spread == 1 and not _CLASS.match(text)
        return Cost(1, 1, 0, spread, 1, dense=1 - decides, each=1 - decides, fixed=decides)

    def _group(self, spread: float, depth: int) -> Cost:
        inside = self.alternatives(spread, depth + 1)
        self._at += 1  # the closing parenthesis
        return inside


def _alive(run: Cost, spread: float) -> float:
    """How many positions of a rigid part are alive at once, when it may begin at `spread` places."""
    return 0 if spread == math.inf else min(run.size, run.each * spread)


def _sum(costs: list[Cost] | tuple[Cost, ...]) -> Cost:
    return Cost(
        loose=sum(each.loose for each in costs),
        work=sum(each.work for each in costs),
        size=sum(each.size for each in costs),
        repeated=any(each.repeated for each in costs),
        fancy=any(each.fancy for each in costs),
        dense=sum(each.dense for each in costs),
        each=sum(each.each for each in costs),
        fixed=sum(each.fixed for each in costs),
    )


def _counts(quantifier: re.Match[str]) -> tuple[float, float]:
    if quantifier[1] in _COUNTS:
        return _COUNTS[quantifier[1]]
    low = int(quantifier[2])
    if quantifier[3] is None:
        return low, low
    return low, int(quantifier[4]) if quantifier[4] else math.inf
