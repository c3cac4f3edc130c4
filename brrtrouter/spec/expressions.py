"""Runtime expressions (OpenAPI 3.1 section 4.8.20.3): `$request.body#/url`, and `{$...}` inside of texts, as data.

An expression names a value of a request or of its answer.  What it gives for one request is the business of
`brrtrouter.outgoing.evaluate`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from brrtrouter.spec.reference import unescape

Origin = Literal["url", "method", "statusCode", "request", "response"]
Part = Literal["", "header", "query", "path", "body"]

_WHOLE: Final[dict[str, Origin]] = {"$url": "url", "$method": "method", "$statusCode": "statusCode"}
_SOURCE: Final = re.compile(r"\$(request|response)\.(?:(header|query|path)\.(.*)|(body)(?:#(.*))?)", re.DOTALL)
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2
_POINTER: Final = re.compile(r"(?:/(?:[^/~]|~[01])*)*", re.DOTALL)
_EMBEDDED: Final = re.compile(r"\{(\$[^{}]*)\}")
# What tells a text that is an expression as a whole from one that begins with a dollar sign.
_BARE: Final = re.compile(r"\$(?:url|method|statusCode)$|\$(?:request|response)\.")


@dataclass(frozen=True, slots=True)
class Expression:
    """One runtime expression.

    `origin` is what it looks at, `part` which part of that message, `name` the header field, query or path parameter.
    `pointer` holds the tokens of the JSON Pointer into a body, () for the whole of it.
    """

    text: str
    origin: Origin
    part: Part = ""
    name: str = ""
    pointer: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """A text with expressions in it.  `bare`: it is one expression as a whole, whose value keeps its type."""

    text: str
    parts: tuple[str | Expression, ...]
    bare: bool = False


def parse_expression(text: str) -> Expression:
    """The expression that `text` is.  Raises ValueError, which says what is wrong with it."""
    if text in _WHOLE:
        return Expression(text, _WHOLE[text])
    found = _SOURCE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:80]!r} is no runtime expression")
    origin: Any = found[1]
    if found[4]:
        pointer = found[5] or ""
        if not _POINTER.fullmatch(pointer):
            raise ValueError(f"{text[:80]!r}: {pointer[:80]!r} is no JSON Pointer")
        return Expression(text, origin, "body", pointer=tuple(unescape(part) for part in pointer.split("/")[1:]))
    part: Any = found[2]
    if part == "header" and not _TOKEN.fullmatch(found[3]):
        raise ValueError(f"{text[:80]!r}: {found[3][:80]!r} cannot be the name of a header field")
    if origin == "response" and part != "header":
        raise ValueError(f"{text[:80]!r}: an answer has no {part} parameters")
    return Expression(text, origin, part, found[3])


def parse_template(text: str) -> Template:
    """The text with its expressions parsed; one without any is a template too.  Raises ValueError."""
    if _BARE.match(text):
        return Template(text, (parse_expression(text),), bare=True)
    pieces = _EMBEDDED.split(text)
    parts = [parse_expression(piece) if at % 2 else piece for at, piece in enumerate(pieces)]
    return Template(text, tuple(part for part in parts if part != ""))
