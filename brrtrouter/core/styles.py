"""Decoders for the parameter styles that are rare on the wire: label, matrix, objects in every style, and JSON content.

The common ones are decoded in `arguments.pyx`.  Everything here follows the same two rules: split on the raw delimiter
first and percent-decode each piece once; '+' is a space only in a query.  A decoder raises TextError with words for
the client.  Sources: OpenAPI 3.1 section 4.8.12.6 (style examples), RFC 6570 section 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol
from urllib.parse import unquote

from brrtrouter.core.deep import ABSENT, ONE_MEMBER, Cast, Pairs, PairsDecoder, TextError, at, nested_object
from brrtrouter.core.jsonread import load_json

__all__ = [
    "ABSENT",
    "NOT_TEXT",
    "Cast",
    "Pairs",
    "PairsDecoder",
    "ParameterLike",
    "StyledParameter",
    "TextDecoder",
    "TextError",
    "items_decoder",
    "pairs_decoder",
    "piece_cast",
    "separator_of",
    "text_decoder",
]

NOT_TEXT = "has a percent sign without two hexadecimal digits, or is not UTF-8 after percent-decoding"

TextDecoder = Callable[[str], Any]


class StyledParameter(Protocol):
    """How a parameter is written; `brrtrouter.spec.model.Parameter` has it."""

    @property
    def name(self) -> str: ...
    @property
    def location(self) -> str: ...
    @property
    def style(self) -> str: ...
    @property
    def explode(self) -> bool: ...
    @property
    def shape(self) -> str: ...
    @property
    def nested(self) -> Any: ...


class ParameterLike(StyledParameter, Protocol):
    """What a decoder needs to know beside."""

    @property
    def types(self) -> tuple[str, ...]: ...
    @property
    def properties(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def additional(self) -> bool: ...


_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_DELIMITERS = {
    "spaceDelimited": re.compile(r"%20|\+| "),
    "pipeDelimited": re.compile(r"%7[Cc]|\|"),
}
_COMMA = re.compile(",")


def _unescape(text: str, parameter: ParameterLike) -> str:
    """One piece of text as it was meant; header values and cookies of style `cookie` are never escaped."""
    if parameter.location == "header":
        return text.strip(" \t")
    if parameter.style == "cookie":
        return text
    if _BAD_ESCAPE.search(text):
        raise TextError(NOT_TEXT)
    if parameter.location == "query":
        text = text.replace("+", " ")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise TextError(NOT_TEXT) from None


def separator_of(style: str) -> re.Pattern[str]:
    """What stands between the pieces of a text in a style without `explode`."""
    return _DELIMITERS.get(style, _COMMA)


def piece_cast(parameter: ParameterLike, cast: Cast) -> Cast:
    """A cast for text that is still escaped."""
    return lambda raw, types: cast(_unescape(raw, parameter), types)


class _Members:
    """Turns (raw name, raw value) pairs into a dict with every member cast to its declared type."""

    def __init__(self, parameter: ParameterLike, cast: Cast) -> None:
        self._parameter = parameter
        self._properties = parameter.properties
        self._types = parameter.types or ("string",)
        self._cast = cast

    def value(self, name: str, raw: str) -> Any:
        return at(name, lambda: self._cast(_unescape(raw, self._parameter), self._properties.get(name, self._types)))

    def collect(self, pairs: Pairs) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for raw_name, raw in pairs:
            name = _unescape(raw_name, self._parameter)
            self.add(members, name, raw)
        return members

    def add(self, members: dict[str, Any], name: str, raw: str) -> None:
        if name in members:
            raise TextError(f"member {name!r} is given more than once", "duplicate")
        members[name] = self.value(name, raw)


def _alternating(pieces: list[str]) -> Pairs:
    if len(pieces) % 2:
        raise TextError("has a member name without a value")
    return list(zip(pieces[::2], pieces[1::2], strict=True))


def _assignments(pieces: list[str]) -> Pairs:
    pairs = []
    for piece in pieces:
        name, equals, value = piece.partition("=")
        if not equals:
            raise TextError("has a member without '='")
        pairs.append((name, value))
    return pairs


def _content(parameter: ParameterLike, cast: Cast) -> TextDecoder:
    def decode(text: str) -> Any:
        try:
            raw = _unescape(text, parameter).encode()
        except UnicodeEncodeError:
            raise TextError(NOT_TEXT) from None
        try:
            return load_json(raw)
        except ValueError as error:
            raise TextError(f"is not JSON: {error}", "content") from None

    return decode


def items_decoder(parameter: ParameterLike, cast: Cast) -> Callable[[list[str]], list[Any]]:
    """From the pieces of an array to its value."""

    def item(piece: str) -> Any:
        return cast(_unescape(piece, parameter), parameter.types)

    return lambda pieces: [at(place, partial(item, piece)) for place, piece in enumerate(pieces)]


def _pieces_decoder(parameter: ParameterLike, cast: Cast) -> Callable[[list[str]], Any]:
    """From the pieces of an array or object to its value."""
    if parameter.shape == "array":
        return items_decoder(parameter, cast)
    members = _Members(parameter, cast)
    split = _assignments if parameter.explode and parameter.style in ("simple", "label", "matrix") else _alternating
    return lambda pieces: members.collect(split(pieces))


def _separated(parameter: ParameterLike, cast: Cast) -> TextDecoder:
    """simple and form without names, spaceDelimited, pipeDelimited."""
    delimiter = separator_of(parameter.style)
    decode_pieces = _pieces_decoder(parameter, cast)
    return lambda text: decode_pieces(delimiter.split(text) if text else [])


def _label(parameter: ParameterLike, cast: Cast) -> TextDecoder:
    decode_pieces = None if parameter.shape == "scalar" else _pieces_decoder(parameter, cast)
    separator = "." if parameter.explode else ","

    def decode(text: str) -> Any:
        if not text.startswith("."):
            raise TextError("does not start with '.', as style label demands")
        rest = text[1:]
        if decode_pieces is None:
            return cast(_unescape(rest, parameter), parameter.types)
        return decode_pieces(rest.split(separator) if rest else [])

    return decode


def _matrix(parameter: ParameterLike, cast: Cast) -> TextDecoder:
    decode_pieces = None if parameter.shape == "scalar" else _pieces_decoder(parameter, cast)
    name = parameter.name

    def own_value(piece: str) -> str:
        found, _, value = piece.partition("=")
        if _unescape(found, parameter) != name:
            raise TextError(f"has {found!r} where style matrix demands ';{name}='")
        return value

    def decode(text: str) -> Any:
        if not text.startswith(";"):
            raise TextError("does not start with ';', as style matrix demands")
        pieces = text[1:].split(";")
        if decode_pieces is not None and parameter.explode:
            named = parameter.shape == "array"
            return decode_pieces([own_value(piece) for piece in pieces] if named else pieces)
        if len(pieces) != 1:
            raise TextError("has more than one value")
        value = own_value(pieces[0])
        if decode_pieces is None:
            return cast(_unescape(value, parameter), parameter.types)
        return decode_pieces(value.split(",") if value else [])

    return decode


def _scalar_text(parameter: ParameterLike, cast: Cast) -> TextDecoder:
    """A style that has no meaning for the shape: the text is one value."""
    return lambda text: cast(_unescape(text, parameter), parameter.types or ("string",))


def _exploded_form(parameter: ParameterLike, cast: Cast) -> PairsDecoder:
    """Every declared member is a pair of its own; with additional properties, so is every unclaimed pair."""
    members = _Members(parameter, cast)

    def decode(pairs: Pairs) -> tuple[Any, Pairs]:
        mine = [pair for pair in pairs if pair[0] in parameter.properties or parameter.additional]
        if not mine:
            return ABSENT, pairs
        rest = [pair for pair in pairs if not (pair[0] in parameter.properties or parameter.additional)]
        collected: dict[str, Any] = {}
        for name, raw in mine:
            members.add(collected, name, raw)
        return collected, rest

    return decode


def _deep_object(parameter: ParameterLike, cast: Cast) -> PairsDecoder:
    members = _Members(parameter, cast)
    own = parameter.name

    def decode(pairs: Pairs) -> tuple[Any, Pairs]:
        collected: dict[str, Any] = {}
        rest = []
        for name, raw in pairs:
            member = ONE_MEMBER.fullmatch(name, len(own)) if name.startswith(own) else None
            if member is None:
                rest.append((name, raw))
            else:
                members.add(collected, member[1], raw)
        return (collected or ABSENT), rest

    return decode


def pairs_decoder(parameter: ParameterLike, cast: Cast) -> PairsDecoder | None:
    """The decoder of an object whose members are pairs of their own; None for every other parameter.

    It gets (decoded name, raw value) pairs that no other parameter has claimed and gives the value (`ABSENT` when there
    is none) and the pairs it left.  `cast(text, types)` raises TextError when the text is of none of the types.
    """
    if parameter.shape != "object":
        return None
    if parameter.style == "deepObject":
        if parameter.nested is not None:
            return nested_object(parameter.name, parameter.nested, piece_cast(parameter, cast))
        return _deep_object(parameter, cast)
    if parameter.style in ("form", "cookie") and parameter.explode:
        return _exploded_form(parameter, cast)
    return None


def text_decoder(parameter: ParameterLike, cast: Cast) -> TextDecoder:
    """The decoder of every other parameter of one shape: it gets the raw text of the one value."""
    if parameter.shape == "content":
        return _content(parameter, cast)
    if parameter.style in _BY_STYLE:
        return _BY_STYLE[parameter.style](parameter, cast)
    if parameter.shape in ("array", "object"):
        return _separated(parameter, cast)
    return _scalar_text(parameter, cast)


_BY_STYLE: dict[str, Callable[[ParameterLike, Cast], TextDecoder]] = {"label": _label, "matrix": _matrix}
