"""Python source: literals, docstrings and long lines, spelled as `ruff format` would.

Whatever a description says stays inside the literal or the docstring that it is put into.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any, Final

WIDTH: Final = 120
# A docstring is for those who read the code; the whole text is in the description.
MAX_DOC: Final = 1200
_BLANKS: Final = re.compile(r"[^\S\n]+")


def literal(value: Any) -> str:
    """A constant: a string, a number, True, False or None."""
    if not isinstance(value, str):
        return repr(value)
    body = "".join(_escaped(char) for char in value)
    quote = "'" if body.count('"') > body.count("'") else '"'
    return quote + body.replace(quote, "\\" + quote) + quote


def _escaped(char: str) -> str:
    return "\\\\" if char == "\\" else char if char.isprintable() else repr(char)[1:-1]


def clean(text: str) -> str:
    """The text without what cannot be seen, such as control characters and marks that change the direction."""
    lines = _BLANKS.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n")).split("\n")
    return "\n".join("".join(char for char in line if char.isprintable()).rstrip() for line in lines).strip()


def one_line(text: str, limit: int = 100) -> str:
    """The first sentence, for a comment or a line of a table."""
    first = " ".join(clean(text).split("\n\n")[0].split())
    sentence = re.match(r".+?[.!?](?=\s|$)", first)
    return textwrap.shorten(sentence[0] if sentence else first, limit, placeholder=" ...")


def docstring(text: str, indent: str = "") -> list[str]:
    """The lines of a docstring."""
    text = clean(text)
    if len(text) > MAX_DOC:
        text = text[:MAX_DOC].rsplit(None, 1)[0] + " ..."
    text = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if text.endswith(('"', "\\")):
        text += "."
    wrapped: list[str] = []
    for line in text.split("\n"):
        pieces = textwrap.wrap(line, WIDTH - len(indent) - 6, break_on_hyphens=False) or [""]
        wrapped += [piece.rstrip() for piece in pieces]
    if not any(wrapped):
        return []
    lines = [*wrapped] if len(wrapped) == 1 else [*wrapped, ""]
    lines[0] = f'"""{lines[0]}'
    lines[-1] += '"""'
    return [f"{indent}{line}" if line else "" for line in lines]


def comment(text: str, indent: str) -> list[str]:
    """A comment of one line; none for no text."""
    text = one_line(text, WIDTH - len(indent) - 4)
    return [f"{indent}# {text}"] if text else []


def bracketed(head: str, items: Sequence[str], tail: str, indent: str = "") -> list[str]:
    """`head(items)tail` on one line, or on a line for each item, which a last comma keeps so."""
    line = f"{indent}{head}{', '.join(items)}{tail}"
    if len(line) <= WIDTH or not items:
        return [line]
    return [f"{indent}{head}", *(f"{indent}    {item}," for item in items), f"{indent}{tail}"]


def union(head: str, members: Sequence[str]) -> list[str]:
    """`head` and a choice of types: on one line, on one in parentheses, or one line for each."""
    joined = " | ".join(members)
    if len(head) + len(joined) <= WIDTH:
        return [head + joined]
    if len(joined) + 4 <= WIDTH:
        return [f"{head}(", f"    {joined}", ")"]
    return [f"{head}(", f"    {members[0]}", *(f"    | {member}" for member in members[1:]), ")"]


def assigned(name: str, annotation: str, value: str, indent: str) -> list[str]:
    """`name: annotation = value`; a value that is a call may be broken at its arguments.  value: "" for none."""
    tail = f" = {value}" if value else ""
    head = f"{indent}{name}: {annotation}"
    if len(head + tail) <= WIDTH:
        return [head + tail]
    call, _, arguments = value.partition("(")
    if arguments and len(f"{head} = {call}(") <= WIDTH:
        return [f"{head} = {call}(", f"{indent}    {arguments[:-1]}", f"{indent})"]
    if value and len(f"{head} = (") <= WIDTH:
        return [f"{head} = (", f"{indent}    {value}", f"{indent})"]
    last = f"{indent}){tail}"
    if len(last) <= WIDTH:
        return [f"{indent}{name}: (", f"{indent}    {annotation}", last]
    return [
        f"{indent}{name}: (",
        f"{indent}    {annotation}",
        f"{indent}) = {call}(",
        f"{indent}    {arguments[:-1]}",
        f"{indent})",
    ]


def imports(module: str, names: Sequence[str]) -> list[str]:
    """`from module import names`, sorted as isort does: constants, classes, functions."""

    ordered = sorted(set(names), key=_rank)
    line = f"from {module} import {', '.join(ordered)}"
    if len(line) <= WIDTH:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in ordered), ")"]


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key by which `a2` comes before `a10`, whatever the case."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name.lower()) if part]


def _rank(name: str) -> tuple[int, list[tuple[int, int, str]], str]:
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, natural(name), name


def joined(lines: Sequence[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"
