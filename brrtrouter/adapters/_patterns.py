"""What a regular expression of a route says about the shape of its paths.

The expression is read with the parser of the standard library's `re`.  Only what is certain is used: literals, and
items that cannot match a slash.  At anything else reading stops, and the rest may be whatever it likes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from brrtrouter.adapters._shapes import Shape

_parser: Any = import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")

MAX_VARIANTS = 4
SLASH = ord("/")
# Classes that hold a slash, by the name of their code.
WITH_SLASH = {
    "CATEGORY_DIGIT": False,
    "CATEGORY_SPACE": False,
    "CATEGORY_WORD": False,
    "CATEGORY_NOT_DIGIT": True,
    "CATEGORY_NOT_SPACE": True,
    "CATEGORY_NOT_WORD": True,
}
REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})


@dataclass(frozen=True)
class Text:
    """Exactly this text."""

    text: str


@dataclass(frozen=True)
class Variable:
    """At least one character and no slash; the name of its group, if it is one."""

    name: str | None = None


Token = Text | Variable


@dataclass(frozen=True)
class Reading:
    """variants: rows of tokens, one of which each match has at its start.  whole: and nothing after it, but for the
    line feed before which `$` also matches.  ended: the expression says that nothing follows."""

    variants: tuple[tuple[Token, ...], ...] = ((),)
    whole: bool = False
    ended: bool = False


NOTHING_KNOWN = Reading()


def read(pattern: re.Pattern[str]) -> Reading:
    """What is known of the text that `pattern` matches when it is searched for."""
    if pattern.flags != re.UNICODE.value:
        return NOTHING_KNOWN
    items = [(str(code), argument) for code, argument in _parser.parse(pattern.pattern)]
    if not items or items[0][0] != "AT" or str(items[0][1]) not in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
        return NOTHING_KNOWN
    groups = {number: name for name, number in pattern.groupindex.items()}
    ended = items[-1][0] == "AT" and str(items[-1][1]) in ("AT_END", "AT_END_STRING")
    variants: tuple[tuple[Token, ...], ...] = ((),)
    for item in items[1 : len(items) - ended]:
        tokens = _tokens(item, groups)
        if tokens is None or len(tokens) * len(variants) > MAX_VARIANTS:
            return Reading(variants)
        variants = tuple((*variant, *token) for variant in variants for token in tokens)
    return Reading(variants, True, ended)


def _tokens(item: tuple[str, Any], groups: dict[int, str]) -> tuple[tuple[Token, ...], ...] | None:
    """The alternatives for one item, None when it may hold a slash."""
    code, argument = item
    if code == "LITERAL":
        return ((Text(chr(argument)),),)
    if code in REPEATS and argument[:2] == (0, 1) and [str(inner) for inner, _ in argument[2]] == ["LITERAL"]:
        return ((), (Text(chr(argument[2][0][1])),))
    if not _slashless(item):
        return None
    variable = (Variable(groups.get(argument[0]) if code == "SUBPATTERN" else None),)
    return (variable,) if _least([item]) else ((), variable)


def _slashless(item: tuple[Any, Any]) -> bool:
    code, argument = str(item[0]), item[1]
    if code == "LITERAL":
        return bool(argument != SLASH)
    if code == "NOT_LITERAL":
        return bool(argument == SLASH)
    if code == "IN":
        return not _holds_slash(argument)
    if code in REPEATS:
        return all(map(_slashless, argument[2]))
    if code == "SUBPATTERN":
        return all(map(_slashless, argument[3]))
    return code == "BRANCH" and all(_slashless(inner) for branch in argument[1] for inner in branch)


def _holds_slash(members: Sequence[tuple[Any, Any]]) -> bool:
    negated = str(members[0][0]) == "NEGATE"
    return negated != any(_is_slash(str(code), argument) for code, argument in members[negated:])


def _is_slash(code: str, argument: Any) -> bool:
    if code == "LITERAL":
        return bool(argument == SLASH)
    if code == "RANGE":
        return bool(argument[0] <= SLASH <= argument[1])
    return WITH_SLASH[str(argument)]


def _least(items: Iterable[tuple[Any, Any]]) -> int:
    """The fewest characters that slashless items match."""
    total = 0
    for code, argument in items:
        if str(code) in REPEATS:
            total += argument[0] * _least(argument[2])
        elif str(code) == "SUBPATTERN":
            total += _least(argument[3])
        elif str(code) == "BRANCH":
            total += min(map(_least, argument[1]))
        else:
            total += 1
    return total


def segments(tokens: Iterable[Token]) -> list[list[Token]]:
    """The tokens between the slashes of a path that starts with one; the texts in them hold no slash."""
    found: list[list[Token]] = [[]]
    for token in tokens:
        if isinstance(token, Variable):
            found[-1].append(token)
            continue
        first, *others = token.text.split("/")
        for number, text in enumerate((first, *others)):
            if number:
                found.append([])
            if text:
                found[-1].append(Text(text))
    return found


def shape(tokens: Iterable[Token]) -> Shape:
    """The shape of the paths "/" and then these tokens."""
    return tuple(
        None
        if any(isinstance(token, Variable) for token in segment)
        else "".join(t.text for t in segment if isinstance(t, Text))
        for segment in segments(tokens)
    )


def prefix(tokens: Iterable[Token]) -> str:
    """The text that all paths "/" and then these tokens start with."""
    text = "/"
    for token in tokens:
        if isinstance(token, Variable):
            break
        text += token.text
    return text
