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


def portable(pattern: str) -> str:
    """The same pattern with every brace that is an ordinary character escaped."""
    if "{" not in pattern:
        return pattern
    return _TOKEN.sub(lambda found: r"\{" if found[0] == "{" else found[0], pattern)


def spell_out(schema: dict[str, Any]) -> None:
    """Make the `pattern` and `patternProperties` of a schema ones that the validator's engine takes."""
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
