"""Parameter values to text: the other direction of `arguments.pyx` and `styles.py`, for requests that we send.

`encode_parameter` gives what stands in the request: the text in place of the template's expression for `path`, the
pairs without `?` for `query` and `querystring`, the field value for `header`, the cookie pairs for `cookie`.  What a
style cannot carry without a change of meaning raises ValueError, so that the receiver reads what was given here.

Sources: OpenAPI 3.1 section 4.8.12.6 and 3.2 section 4.12 (styles), RFC 6570 sections 2.1 and 3.2 (expansion),
RFC 3986 section 2 (what is reserved), RFC 6265 section 4.1.1 (cookies).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import quote, quote_plus

from brrtrouter import jsontext
from brrtrouter.core.styles import StyledParameter

__all__ = ["EncodableParameter", "encode_parameter"]

# RFC 3986 section 2.2 without what would end the value, by location; `%` is for escapes that are there already.
_RESERVED = {"path": ":@!$&'()*+,;=", "query": ":/?@!$'()*,;=", "cookie": ":/?@!$&'()*+,="}
_ESCAPE = re.compile(r"(%[0-9A-Fa-f]{2})")
_NO_COOKIE = re.compile(r'[\x00-\x20\x7f",;\\]|[^\x00-\x7f]')
_NO_FIELD = re.compile(r"[\x00\r\n]")
# What separates the items of a list, as it is sent, and as it must not stand in an item.
_SEPARATORS = {"spaceDelimited": ("%20", " "), "pipeDelimited": ("%7C", "|")}

Text = Callable[[Any], str]


class EncodableParameter(StyledParameter, Protocol):
    """What an encoder needs to know beside."""

    @property
    def allow_reserved(self) -> bool: ...
    @property
    def fields(self) -> Sequence[EncodableParameter]: ...
    @property
    def readings(self) -> Sequence[EncodableParameter]: ...


def encode_parameter(parameter: EncodableParameter, value: Any) -> str:
    """The text of `value` in a request, percent-encoded where the location wants it; "" when nothing is to be sent.

    A value is None, a bool, a number, a str, a list of these or a dict of these; for `content`, any JSON value.  None
    is the "undefined" of OpenAPI's table of styles: `;color`, `.`, `color=`.  Raises ValueError, naming the parameter,
    for a value that the style cannot carry.

    Where a schema allows several shapes, a list of one has the text of its item, and may come back as that.
    """
    try:
        if parameter.location == "querystring":
            return _querystring(parameter, value)
        return _STYLES[_style(parameter)](parameter, value)
    except _CannotCarry as error:
        raise ValueError(f"{parameter.location} parameter {parameter.name!r}: {error}") from None


class _CannotCarry(Exception):
    """The value has no text in this style; the message says why."""


def _style(parameter: EncodableParameter) -> str:
    return "content" if parameter.shape == "content" else parameter.style


# -- pieces of text ------------------------------------------------------------------------------------------------


def _plain(value: Any) -> str:
    """A scalar as text, the way casts read it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and value - value == 0:
        return json.dumps(value)
    raise _CannotCarry(f"{type(value).__name__} {value!r:.40} has no text in style")


def _text_of(parameter: EncodableParameter) -> Text:
    """How a scalar becomes a piece of the text at the parameter's location."""
    location = parameter.location
    if location == "header":
        return lambda value: _checked(_plain(value), _NO_FIELD, "a header")
    if parameter.style == "cookie":
        return lambda value: _checked(_plain(value), _NO_COOKIE, "a cookie")
    if parameter.allow_reserved and location in _RESERVED:
        return lambda value: _reserved(_plain(value), _RESERVED[location])
    return lambda value: quote(_plain(value), safe="")


def _reserved(text: str, safe: str) -> str:
    """RFC 6570 section 3.2.3: escapes that are in the text already stay what they are."""
    return "".join(piece if at % 2 else quote(piece, safe=safe) for at, piece in enumerate(_ESCAPE.split(text)))


def _checked(text: str, forbidden: re.Pattern[str], where: str) -> str:
    found = forbidden.search(text)
    if found:
        raise _CannotCarry(f"the character {found[0]!r} cannot stand in {where}")
    return text


def _separable(text: Text, separators: str) -> Text:
    """The same, for a location without escapes where a separator in a piece would be taken for one."""

    def checked(value: Any) -> str:
        found = text(value)
        for separator in separators:
            if separator in found or found != found.strip(" \t"):
                raise _CannotCarry(f"{found!r:.40} would be read as several items, or without its spaces")
        return found

    return checked


def _pieces_text(parameter: EncodableParameter) -> Text:
    """How items and members become pieces between separators."""
    text = _text_of(parameter)
    if parameter.location == "header" or parameter.style == "cookie":
        return _separable(text, ",=" if parameter.explode and parameter.shape == "object" else ",")
    if parameter.allow_reserved:
        # A separator that is not escaped would be taken for one.
        delimiters = {"label": ".,=", "matrix": ",;="}.get(parameter.style, ",=")
        return lambda value: "".join(quote(c, safe="") if c in delimiters else c for c in text(value))
    return text


# -- styles --------------------------------------------------------------------------------------------------------


def _flat(value: Any, text: Text) -> list[str]:
    """Items of a list, or names and values of a dict in turn."""
    if isinstance(value, Mapping):
        return [text(each) for pair in value.items() for each in pair]
    return [text(each) for each in value]


def _assigned(value: Mapping[str, Any], text: Text) -> list[str]:
    return [f"{text(name)}={text(member)}" for name, member in value.items()]


def _is_many(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple))


def _simple(parameter: EncodableParameter, value: Any) -> str:
    if not _is_many(value):
        return _text_of(parameter)(value)
    text = _pieces_text(parameter)
    return ",".join(_assigned(value, text) if isinstance(value, Mapping) and parameter.explode else _flat(value, text))


def _label(parameter: EncodableParameter, value: Any) -> str:
    if not _is_many(value):
        return "." + _text_of(parameter)(value)
    text = _pieces_text(parameter)
    if not parameter.explode:
        return "." + ",".join(_flat(value, text))
    # A full stop is never escaped by RFC 6570, and would then be read as the start of the next item.
    escaped: Text = lambda each: text(each).replace(".", "%2E")  # noqa: E731
    return "." + ".".join(_assigned(value, escaped) if isinstance(value, Mapping) else _flat(value, escaped))


def _matrix(parameter: EncodableParameter, value: Any) -> str:
    name = quote(parameter.name, safe="")
    text = _pieces_text(parameter)
    if value is None or (_is_many(value) and not value):
        return f";{name}"
    if not _is_many(value):
        return f";{name}={_text_of(parameter)(value)}"
    if not parameter.explode:
        return f";{name}={','.join(_flat(value, text))}"
    if isinstance(value, Mapping):
        return "".join(f";{pair}" for pair in _assigned(value, text))
    return "".join(f";{name}={text(item)}" for item in value)


def _name(parameter: EncodableParameter) -> str:
    return parameter.name if parameter.location == "cookie" else quote(parameter.name, safe="")


def _form(parameter: EncodableParameter, value: Any) -> str:
    """`form` and `cookie`: pairs, joined as the location joins them."""
    joint = "; " if parameter.location == "cookie" else "&"
    name = _name(parameter)
    if not _is_many(value):
        return f"{name}={_text_of(parameter)(value)}"
    if not parameter.explode:
        return f"{name}={','.join(_flat(value, _pieces_text(parameter)))}"
    text = _text_of(parameter)
    if isinstance(value, Mapping):
        names: Text = text if parameter.location == "cookie" else lambda each: quote(each, safe="")
        return joint.join(f"{names(member)}={text(below)}" for member, below in value.items())
    return joint.join(f"{name}={text(item)}" for item in value)


def _delimited(parameter: EncodableParameter, value: Any) -> str:
    """spaceDelimited and pipeDelimited, which have no way to escape their separator."""
    if parameter.explode or not _is_many(value):
        return _form(parameter, value)
    sent, separator = _SEPARATORS[parameter.style]
    text = _text_of(parameter)
    pieces = _flat(value, text)
    if any(sent in piece or separator in piece for piece in pieces):
        raise _CannotCarry(f"an item with {separator!r} would be read as several")
    return f"{_name(parameter)}={sent.join(pieces)}"


def _deep_object(parameter: EncodableParameter, value: Any) -> str:
    if not _is_many(value) and parameter.readings:
        return _form(parameter, value)  # one of several shapes
    if not isinstance(value, Mapping) and not (_is_many(value) and parameter.nested is not None):
        raise _CannotCarry("style deepObject carries objects only")
    text = _text_of(parameter)
    found: list[str] = []
    todo = _below(parameter.name, value)
    while todo:
        name, below = todo.pop()
        if parameter.nested is None or not _is_many(below):
            found.append(f"{quote(name, safe='')}={text(below)}")
        else:
            todo += _below(name, below)
    return "&".join(found)


def _below(name: str, value: Any) -> list[tuple[str, Any]]:
    """The names in brackets of the members or items of a value, the last first."""
    members = list(value.items()) if isinstance(value, Mapping) else list(enumerate(value))
    return [(f"{name}[{key}]", member) for key, member in reversed(members)]


def _content(parameter: EncodableParameter, value: Any) -> str:
    """JSON; in a header it has to be ASCII."""
    if parameter.location == "header":
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    text = quote(jsontext.dumps(value), safe="")
    return text if parameter.location in ("path", "querystring") else f"{_name(parameter)}={text}"


def _querystring(parameter: EncodableParameter, value: Any) -> str:
    """The whole query (OpenAPI 3.2 section 4.12.2): a form, JSON or text."""
    if parameter.shape == "content":
        return _content(parameter, value)
    if parameter.shape != "fields":
        return quote(_plain(value), safe="")
    if not isinstance(value, Mapping):
        raise _CannotCarry("a form is an object")
    described = {each.name: each for each in parameter.fields}
    pairs = []
    for name, member in value.items():
        if name in described:
            # A form writes a space as a plus (WHATWG URL section 5.2).
            pairs.append(encode_parameter(described[name], member).replace("%20", "+"))
        else:
            items = member if isinstance(member, (list, tuple)) else [member]
            pairs += [f"{quote_plus(name)}={quote_plus(_plain(item))}" for item in items]
    return "&".join(filter(None, pairs))


_STYLES: Mapping[str, Callable[[EncodableParameter, Any], str]] = {
    "simple": _simple,
    "label": _label,
    "matrix": _matrix,
    "form": _form,
    "cookie": _form,
    "spaceDelimited": _delimited,
    "pipeDelimited": _delimited,
    "deepObject": _deep_object,
    "content": _content,
}
