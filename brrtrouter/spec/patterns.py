"""Regular expressions of ECMA-262 that mean something clear but that the engine behind the validator refuses.

Two such are found in published documents: a brace that begins no quantifier, which is a character of its own
(ECMA-262 annex B.1.2), and a limit of length written as a pattern, whose automaton would be enormous.
"""

from __future__ import annotations

import re
from typing import Any, Final

# Escapes are matched only to step over them, `\p{...}` and `\u{...}` with their braces.
_TOKEN: Final = re.compile(r"\\[pPu]\{[^}]*\}|\\.|\{(?![0-9]+(?:,[0-9]*)?\})", re.DOTALL)
_ANY_LENGTH: Final = re.compile(r"\^\.\{([0-9]+),([0-9]+)\}\$")


# How often the innermost part of nested counted repetitions may be repeated: an automaton has a state for each.
MAX_REPETITIONS: Final = 10_000
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


def spell_out(schema: dict[str, Any]) -> None:
    """Make the `pattern` and `patternProperties` of a schema ones that the validator's engine takes.

    Raises `PatternTooLargeError`.
    """
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        length = _ANY_LENGTH.fullmatch(pattern)
        # A schema that says a length in two ways is left to the engine: no keyword can hold both.
        if length and "minLength" not in schema and "maxLength" not in schema:
            schema.update(pattern="^.*$", minLength=int(length[1]), maxLength=int(length[2]))
        else:
            schema["pattern"] = portable(pattern)
    named = schema.get("patternProperties")
    if isinstance(named, dict):
        schema["patternProperties"] = {portable(name): item for name, item in named.items()}
