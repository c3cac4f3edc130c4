"""Regular expressions of ECMA-262 that mean something clear but that the engine behind the validator refuses.

Two such are found in published documents: a brace that begins no quantifier, which is a character of its own
(ECMA-262 annex B.1.2), and a limit of length written as a pattern, whose automaton would be enormous.
"""

from __future__ import annotations

import re
from functools import lru_cache
from math import isqrt
from typing import Any, Final, NamedTuple

from brrtrouter.spec.pattern_cost import TooDeepError, cost_of

# Escapes are matched only to step over them, `\p{...}` and `\u{...}` with their braces.
_TOKEN: Final = re.compile(r"\\[pPu]\{[^}]*\}|\\.|\{(?![0-9]+(?:,[0-9]*)?\})", re.DOTALL)
_ANY_LENGTH: Final = re.compile(r"\^\.\{([0-9]+),([0-9]+)\}\$")


# How often the innermost part of nested counted repetitions may be repeated: an automaton has a state for each.
MAX_REPETITIONS: Final = 10_000
# What one pattern may do to one text: positions of its automaton times characters.  A request with such a text takes
# less than a tenth of a second of one processor, in which the text is tried several times.
MAX_WORK: Final = 1_000_000
# Below so many positions the engine's tables are small enough for any text; one more step is as dear as this.
_FREE_POSITIONS: Final = 12
_STEP: Final = 30
# What one request may do with all of its texts: about a third of a second where each step is as dear as the dearest
# that was measured (32 ns), and a tenth for most.
MAX_REQUEST_WORK: Final = 10_000_000
# What a pattern for names of members may do with one of them: no keyword of our own can count these.
_NAME_WORK: Final = 1_000
# What the engine's steps backwards may take with any text, as short as it may be.
_BACKTRACKING: Final = 1_000
# A text up to here is tried with every pattern; a pattern that is too dear for it is refused.
ALWAYS_TRIED: Final = 256
# One text and nothing else: there is nothing to keep track of.
_LITERAL: Final = re.compile(r"\^?(?:[^\\^$.*+?()[\]{}|]|\\[^A-Za-z0-9])*\$?", re.DOTALL)
_PIECE: Final = re.compile(
    r"\\[pPu]\{[^}]*\}|\\.|\[(?:\\.|[^\]\\])*\]|[()]|\{([0-9]{1,9})(?:,([0-9]{0,9}))?\}", re.DOTALL
)


class PatternTooLargeError(ValueError):
    """A pattern that would cost too much to try."""


def check_repetitions(pattern: str) -> None:
    """Refuse counted repetitions of counted repetitions that multiply to too many.  Raises `PatternTooLargeError`."""
    # For each open group, and at the bottom for the whole pattern, the largest product of counts inside so far.
    open_groups = [1]
    last = 1
    for piece in _PIECE.finditer(pattern):
        if piece[0] == "(":
            open_groups.append(1)
            last = 1
        elif piece[0] == ")" and len(open_groups) > 1:
            last = open_groups.pop()
            open_groups[-1] = max(open_groups[-1], last)
        elif piece[1] is not None:
            product = last * max(int(piece[1]), int(piece[2] or 0), 1)
            if product > MAX_REPETITIONS and last > 1:
                raise PatternTooLargeError(
                    f"the repetitions in {pattern!r:.80} multiply to {product:,}; up to {MAX_REPETITIONS:,} are tried"
                )
            open_groups[-1] = max(open_groups[-1], product)
            last = 1
        else:
            last = 1


def portable(pattern: str) -> str:
    """The same pattern with every brace that is an ordinary character escaped.  Raises `PatternTooLargeError`."""
    if "{" not in pattern:
        return pattern
    check_repetitions(pattern)
    return _TOKEN.sub(lambda found: r"\{" if found[0] == "{" else found[0], pattern)


class Measure(NamedTuple):
    """What a pattern takes with a text.  longest: so long a text is tried, None for any length.

    each: for every character.  square: for every pair of them.  dense: for every character in the part that begins
    at known places, altogether at most `fixed`.
    """

    longest: int | None
    each: int = 0
    square: int = 0
    dense: int = 0
    fixed: int = 0

    def of(self, length: int) -> int:
        """The work for a text of so many characters."""
        if self.square:
            return length * length * self.square + _BACKTRACKING
        if self.longest is not None:
            return length * self.each + min(length * self.dense, self.fixed)
        return min(length, self.fixed) * self.each + min(length * self.dense, self.fixed)


@lru_cache(maxsize=4_096)
def measure_of(pattern: str, work: int = MAX_WORK) -> Measure | None:
    """What a pattern takes with a text; None where it is so little that nobody has to count.

    work: what it may take with one text, as `MAX_WORK` is counted.  Raises `PatternTooLargeError` for a pattern that
    would take more with a text of `ALWAYS_TRIED` characters.
    """
    if _LITERAL.fullmatch(pattern):
        return None
    try:
        cost = cost_of(pattern)
    except TooDeepError as error:
        raise PatternTooLargeError(f"{error} in {pattern!r:.80}") from None
    positions = cost.size if cost.repeated or cost.work > work else cost.loose
    if positions <= _FREE_POSITIONS:
        if cost.repeated:
            return Measure(isqrt(work), square=1)
        if cost.dense <= _FREE_POSITIONS:
            return None
        return Measure(None, _STEP + int(positions), dense=int(cost.dense), fixed=int(cost.work))
    most = work // ALWAYS_TRIED - _STEP
    if positions > most:
        message = f"{pattern!r:.80} has {positions:,.0f} positions that may begin anywhere"
        raise PatternTooLargeError(f"{message}; up to {max(most, _FREE_POSITIONS):,} are tried")
    each = _STEP + int(positions)
    longest = work // each
    if cost.repeated:
        return Measure(max(ALWAYS_TRIED, isqrt(longest)), square=each)
    fixed = 0 if cost.work > work else int(cost.work)
    return Measure(longest, each, dense=int(cost.dense), fixed=fixed)


def longest_text(pattern: str, work: int = MAX_WORK) -> int | None:
    """How long a text may be to be held against `pattern`; None where no length is too much.

    Raises `PatternTooLargeError` as `measure_of` does.
    """
    measure = measure_of(pattern, work)
    return None if measure is None else measure.longest


def check_sum(pattern: str, measure: Measure, total: int) -> None:
    """Refuse a pattern with which one text of `ALWAYS_TRIED` characters takes more than `total`, all of a request.

    Raises `PatternTooLargeError`.
    """
    if measure.of(ALWAYS_TRIED) > total:
        message = f"{pattern!r:.80} takes {measure.of(ALWAYS_TRIED):,} steps with {ALWAYS_TRIED} characters"
        raise PatternTooLargeError(f"{message}; up to {total:,} are done for a request")


def spell_out(schema: dict[str, Any], work: int = MAX_WORK, total: int = MAX_REQUEST_WORK) -> bool:
    """Make the `pattern` and `patternProperties` of a schema ones that the validator's engine takes.

    work: what each may take with one text (see `MAX_WORK`).  total: what all of a request may take.  Says whether what
    `pattern` takes has to be counted.  Raises `PatternTooLargeError`.
    """
    measure = None
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        length = _ANY_LENGTH.fullmatch(pattern)
        # A schema that says a length in two ways is left to the engine: no keyword can hold both.
        if length and "minLength" not in schema and "maxLength" not in schema:
            schema.update(pattern="^.*$", minLength=int(length[1]), maxLength=int(length[2]))
        else:
            schema["pattern"] = portable(pattern)
            measure = measure_of(schema["pattern"], work)
            if measure is not None:
                check_sum(pattern, measure, total)
    named = schema.get("patternProperties")
    if isinstance(named, dict):
        schema["patternProperties"] = {portable(name): item for name, item in named.items()}
        for name in named:
            most = measure_of(name, work)
            if most is not None and (most.longest is not None or most.fixed > _NAME_WORK):
                message = f"{name!r:.80} takes {most.of(ALWAYS_TRIED):,} steps with a name of {ALWAYS_TRIED} characters"
                raise PatternTooLargeError(
                    f"{message}, and there may be names of any length and number: begin it with ^, and let "
                    f"its positions follow from there"
                )
    return measure is not None
