"""Parameters whose schema allows several shapes, `anyOf: [object, integer]`: the text tells the shape, else the schema.

What the text tells, in this order: names in brackets (`deepObject`) make an object or an array, a name that comes
several times makes an array, a separator or an opening brace puts the array or the object before the single value.
Each shape that is left is decoded, in the order single value, array, object where the text tells nothing, and the
first value that the schema accepts is taken.  When it accepts none, the first value that could be decoded stands,
so that its faults are the ones that are told; when none could be decoded, the first error does.

The rest of this module is for lists under `deepObject`, for which OpenAPI gives no text: `name[0]=`, `name[]=`, and
the name alone are all read.  Everything here is chosen when an application starts; a parameter with one shape never
comes here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from brrtrouter.core import styles
from brrtrouter.core.deep import ABSENT, BRACKETS, ONE_MEMBER, Cast, Pairs, PairsDecoder, TextError, nested_object

__all__ = ["ChoosableParameter", "TextsDecoder", "reader_for"]

TextsDecoder = Callable[[list[str]], Any]
_Attempt = Callable[[], Any]

_LIST_NAME = re.compile(r"\[[0-9]*\]")


class ChoosableParameter(styles.ParameterLike, Protocol):
    """What a choice needs to know; `brrtrouter.spec.model.Parameter` has it."""

    @property
    def allow_empty_value(self) -> bool: ...
    @property
    def described(self) -> Any: ...
    @property
    def readings(self) -> Sequence[styles.ParameterLike]: ...


def _separator(parameter: styles.ParameterLike) -> re.Pattern[str] | None:
    """What a text with several pieces has between them; None when these are texts of their own."""
    if parameter.style == "label" and parameter.explode:
        return re.compile(r"(?!^)\.")
    if parameter.style == "deepObject" or (parameter.explode and parameter.style != "simple"):
        return None
    return styles.separator_of(parameter.style)


def _value_of(decoder: PairsDecoder, pairs: Pairs) -> Any:
    return decoder(pairs)[0]


class _Choice:
    """The decoders of one parameter by shape, and the order in which they are tried for a text."""

    def __init__(self, parameter: ChoosableParameter, cast: Cast) -> None:
        self._name = parameter.name
        self._described = parameter.described
        self._empty = parameter.allow_empty_value
        self._separator = _separator(parameter)
        self._assigned = parameter.explode and parameter.style in ("simple", "label")
        self._one: dict[str, Callable[[str], Any]] = {}  # decoders of a text that stands alone
        self._many: TextsDecoder | None = None  # of all the texts of a name that may be repeated
        self._own: PairsDecoder | None = None  # of members that are pairs of their own
        self._below: dict[str, PairsDecoder] = {}  # of names in brackets
        self._texts: frozenset[str] = frozenset()
        for reading in parameter.readings or (parameter,):
            self._add(reading, cast)
        self._brackets = BRACKETS if "array" in self._below or parameter.nested is not None else ONE_MEMBER

    def _add(self, reading: styles.ParameterLike, cast: Cast) -> None:
        shape = reading.shape
        if shape == "scalar":
            self._texts = frozenset(reading.types)
        repeats = reading.style == "deepObject" or (reading.explode and reading.location in ("query", "cookie"))
        if shape == "array" and repeats:
            self._many = many = styles.items_decoder(reading, cast)
            self._one[shape] = lambda text: many([text])
            if reading.style == "deepObject":
                self._below[shape] = nested_object(reading.name, reading.nested, styles.piece_cast(reading, cast))
            return
        of_pairs = styles.pairs_decoder(reading, cast)
        if of_pairs is None:
            self._one[shape] = styles.text_decoder(reading, cast)
        elif reading.style == "deepObject":
            self._below[shape] = of_pairs
        else:
            self._own = of_pairs

    def of_pairs(self, pairs: Pairs) -> tuple[Any, Pairs]:
        """The value among the pairs of a query, `ABSENT` when there is none, and the pairs of others."""
        texts: list[str] = []
        below: Pairs = []
        rest: Pairs = []
        for pair in pairs:
            name = pair[0]
            if name == self._name:
                texts.append(pair[1])
            elif self._below and name.startswith(self._name) and self._brackets.fullmatch(name[len(self._name) :]):
                below.append(pair)
            else:
                rest.append(pair)
        if below and texts:
            raise TextError("has a value beside names in brackets")
        if below:
            return self._choose(self._in_brackets(below)), rest
        if texts:
            return self.of_texts(texts), rest
        return (ABSENT, pairs) if self._own is None else self._own(pairs)

    def of_texts(self, texts: list[str]) -> Any:
        """The value of all the texts that came under the name, one at least."""
        if texts == [""] and self._empty:
            return ("" if "string" in self._texts else None) if self._texts else []
        if len(texts) == 1:
            return self.of_text(texts[0])
        if self._many is None:
            raise TextError("given more than once", "duplicate")
        return self._many(texts)

    def of_text(self, text: str) -> Any:
        """The value of the one text of a parameter."""
        return self._choose([partial(self._one[shape], text) for shape in self._order(text) if shape in self._one])

    def _order(self, text: str) -> tuple[str, ...]:
        if "content" in self._one:
            return ("content", "scalar", "array") if text[:1] == "{" or text[:3] == "%7B" else ("scalar", "array")
        if self._assigned and "=" in text:
            return ("object", "array", "scalar")
        if self._separator is not None and self._separator.search(text):
            return ("array", "object", "scalar")
        return ("scalar", "array", "object")

    def _in_brackets(self, pairs: Pairs) -> list[_Attempt]:
        numbered = all(_LIST_NAME.match(name, len(self._name)) for name, _ in pairs)
        order = ("array", "object") if numbered else ("object", "array")
        return [partial(_value_of, self._below[shape], pairs) for shape in order if shape in self._below]

    def _choose(self, attempts: Sequence[_Attempt]) -> Any:
        """The first value that the schema accepts; with one attempt there is nothing to ask it."""
        if len(attempts) == 1:
            return attempts[0]()
        accepts = self._described.compiled()
        first: Any = ABSENT
        errors: list[TextError] = []
        for attempt in attempts:
            try:
                value = attempt()
            except TextError as error:
                errors.append(error)
                continue
            if accepts(value):
                return value
            first = value if first is ABSENT else first
        if first is not ABSENT:
            return first
        raise errors[0] if errors else TextError("has no text in any shape that the schema allows")


def reader_for(
    parameter: ChoosableParameter, cast: Cast
) -> tuple[styles.TextDecoder | PairsDecoder | TextsDecoder, bool]:
    """The decoder of any parameter that `arguments.pyx` does not decode itself, and whether it takes named pairs.

    In a cookie, a parameter of several shapes has a decoder that takes a list of texts; see `styles` for the others.
    """
    in_brackets = parameter.shape == "array" and parameter.style == "deepObject"
    if not parameter.readings and not in_brackets:
        of_pairs = styles.pairs_decoder(parameter, cast)
        return (of_pairs, True) if of_pairs is not None else (styles.text_decoder(parameter, cast), False)
    choice = _Choice(parameter, cast)
    if parameter.location == "query":
        return choice.of_pairs, True
    return (choice.of_texts if parameter.location == "cookie" else choice.of_text), False
