"""Which entry of `content` reads a body, and bodies of text and octets."""

from __future__ import annotations

from typing import Any

import pytest
from bodies_support import FORM, FORM_DATA, XML, Taker, part, parts, takers_are_closed  # noqa: F401  a fixture
from hypothesis import given
from hypothesis import strategies as st

from brrtrouter import SpecError
from brrtrouter.core.media import covers, parse_media_type

STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("text", "essence", "parameters"),
    [
        ("text/plain", "text/plain", {}),
        (" Text/PLAIN ;charset=UTF-8", "text/plain", {"charset": "UTF-8"}),
        ('a/b; Q="x;y\\"z"; r=1;', "a/b", {"q": 'x;y"z', "r": "1"}),
        ("a/b;c=1;c=2", "a/b", {"c": "1"}),
        ("a/b;;c=1", "a/b", {"c": "1"}),
    ],
)
def test_media_types_are_parsed(text: str, essence: str, parameters: dict[str, str]) -> None:
    assert parse_media_type(text) == (essence, parameters)


@pytest.mark.parametrize(
    "text", ["", "a", "a/", "/b", "a/b c", "a/b;c", "a/b;c=", "a/b;=c", 'a/b;c="', "a/b/c", "a,b/c"]
)
def test_what_is_no_media_type(text: str) -> None:
    assert parse_media_type(text) is None


@given(st.text(max_size=30))
def test_any_text_is_a_media_type_or_none(text: str) -> None:
    found = parse_media_type(text)
    assert found is None or "/" in found.essence


@given(st.text("ab/", max_size=6))
def test_a_range_covers_what_it_begins_like(text: str) -> None:
    assert covers("*/*", text)
    assert covers("a/*", text) == text.startswith("a/")
    assert covers("a/b", text) == (text == "a/b")


def constants(*names: str) -> dict[str, Any]:
    return {name: {"schema": {"const": name.partition("=")[2] or name}} for name in names}


@pytest.mark.parametrize(
    ("sent", "chosen"),
    [
        ("application/json; version=1", "1"),
        ("application/json;VERSION=2;charset=utf-8", "2"),
        ('application/json; version="2"', "2"),
        ("application/json; version=3", "application/json"),
        ("application/json", "application/json"),
        ("application/problem+json; version=1", "application/*"),
        ("text/x+json", "*/*"),
    ],
)
def test_parameters_distinguish_entries(sent: str, chosen: str) -> None:
    names = ("*/*", "application/*", "application/json", "application/json; version=1", "application/json;version=2")
    taker = Taker(constants(*names))
    assert taker.take(f'"{chosen}"', sent) == chosen
    assert taker.faults('"other"', sent) == [("", "const")]


def test_an_entry_with_parameters_wants_them() -> None:
    taker = Taker({"application/json; version=2": {}})
    assert taker.post("{}", "application/json").status == 415
    assert taker.take("{}", "application/json; version=2") == {}
    assert taker.take("{}", "") == {}


@pytest.mark.parametrize(
    ("charset", "raw", "text"),
    [
        ("", "é".encode(), "é"),
        ("; charset=utf-8", "é".encode(), "é"),
        ('; charset="UTF8"', "é".encode(), "é"),
        ("; charset=us-ascii", b"e", "e"),
        ("; charset=ISO-8859-1", b"\xe9", "é"),
    ],
)
def test_text_is_decoded_by_its_charset(charset: str, raw: bytes, text: str) -> None:
    assert Taker({"text/*": {"schema": STRING}}).take(raw, f"text/csv{charset}") == text


def test_text_in_another_charset() -> None:
    taker = Taker({"text/plain": {}})
    assert taker.post(b"x", "text/plain; charset=utf-7").status == 415
    assert taker.faults(b"\xff", "text/plain") == [("", "syntax")]
    assert taker.faults(b"\xff", "text/plain; charset=us-ascii") == [("", "syntax")]


def test_text_is_validated_and_cast() -> None:
    assert Taker({"text/plain": {"schema": {"type": "string", "maxLength": 2}}}).faults("abc") == [("", "maxLength")]
    number = Taker({"text/plain": {"schema": {"type": "integer", "maximum": 5}}})
    assert number.take("4") == 4
    assert number.faults("6") == [("", "maximum")]
    assert number.faults("x") == [("", "type")]


def test_octets_have_a_length() -> None:
    taker = Taker({"application/octet-stream": {"schema": {"type": "string", "format": "binary", "maxLength": 3}}})
    assert taker.take(b"\xff\xfe\xfd") == b"\xff\xfe\xfd"
    assert taker.faults(b"1234") == [("", "maxLength")]


def test_one_operation_may_take_bodies_of_every_kind() -> None:
    taker = Taker({"*/*": {"schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}})
    for sent, body in (
        ("application/json", '{"n": 1}'),
        ("application/x-www-form-urlencoded", "n=1"),
        ("application/xml", "<any><n>1</n></any>"),
        ("multipart/form-data; boundary=b", '--b\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n--b--'),
    ):
        assert taker.take(body, sent) == {"n": 1}
    assert taker.take(b"\x00", "image/png") == b"\x00"


def test_a_limit_for_one_operation() -> None:
    taker = Taker({"application/octet-stream": {}}, extensions={"x-brrtrouter-max-body": 5}, body=3)
    assert taker.take(b"12345") == b"12345"
    assert taker.post(b"123456").status == 413
    for wrong in (-1, "5", True, 1.5):
        with pytest.raises(SpecError, match="x-brrtrouter-max-body has to be a number of bytes"):
            Taker({"text/plain": {}}, extensions={"x-brrtrouter-max-body": wrong})


INTEGERS = {"type": "array", "items": {"type": "integer"}}


@pytest.mark.parametrize(
    ("media_type", "media", "body"),
    [
        (FORM, {"schema": {"type": "object", "properties": {"a": INTEGERS}}}, "&".join(["a=x"] * 200)),
        (FORM_DATA, {"schema": {"type": "object", "properties": {"a": INTEGERS}}}, parts(*[part("a", b"x")] * 200)),
        (XML, {"schema": {**INTEGERS, "xml": {"name": "a"}}}, f"<a>{'<item>x</item>' * 200}</a>"),
        ("application/jsonl", {"itemSchema": {"type": "integer"}}, '"x"\n' * 200),
        ("application/json", {"schema": INTEGERS}, f"[{','.join(['true'] * 200)}]"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_the_limit_of_errors_is_one_for_all_kinds_of_bodies(media_type: str, media: Any, body: Any) -> None:
    answer = Taker({media_type: media}, errors=150).post(body).json()
    assert len(answer["errors"]) == 150
    assert answer["detail"] == "more than 150 values are not valid; the first 150 are listed"
    answer = Taker({media_type: media}, errors=200).post(body).json()
    assert (len(answer["errors"]), answer["detail"]) == (200, "200 values are not valid")
