"""How text becomes values and faults: one test for each rule (OpenAPI 3.1 section 4.8.12, 3.2 appendix B)."""

from __future__ import annotations

from typing import Any

import pytest
from argument_door import Door, Refused, parameter

from brrtrouter.core.casts import cast

INTEGER = {"type": "integer"}
STRING = {"type": "string"}
INTEGERS = {"type": "array", "items": INTEGER}
STRINGS = {"type": "array", "items": STRING}
LOCATIONS = ["path", "query", "header", "cookie"]


def query(schema: Any, text: str, **rest: Any) -> Any:
    """The value of query parameter `p`, or the faults."""
    found = Door(parameter("p", "query", schema, **rest)).query(text)
    return found.faults if isinstance(found, Refused) else found.get("p", "absent")


def anywhere(location: str, schema: Any, text: str, **rest: Any) -> Any:
    """The value of parameter `p` at a location whose text is `text`, or the faults."""
    door = Door(parameter("p", location, schema, **rest), path="/x/{p}" if location == "path" else "/x")
    send = {
        "path": lambda: door.path(f"/x/{text}"),
        "query": lambda: door.query(f"p={text}"),
        "header": lambda: door.headers(("p", text)),
        "cookie": lambda: door.cookies(f"p={text}"),
    }[location]
    found = send()
    return found.faults if isinstance(found, Refused) else found["p"]


# -- casts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(str(value), id=f"{len(str(value))}-characters")
        for value in (2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**100, int("9" * 4300), -int("9" * 4300))
    ],
)
def test_integers_beyond_64_bits_become_python_integers(location: str, text: str) -> None:
    assert str(anywhere(location, INTEGER, text)) == text


def test_an_integer_of_more_digits_than_python_reads_is_refused() -> None:
    assert query(INTEGER, "p=" + "9" * 4301) == [("query", "/p", "type")]


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize(
    "text", ["x", "1.0", "01", "+1", "--1", "1e2", "0x10", "1_000", "١", "-", "1,2", "true", "null"]
)
def test_text_that_is_no_integer_is_refused(location: str, text: str) -> None:
    if not text.isascii():
        text = "%D9%A1"
    assert anywhere(location, INTEGER, text) == [(location, "/p", "type")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("-2.5E-3", -0.0025),
        ("7", 7),
        ("0.1", 0.1),
        ("1e308", 1e308),
    ],
)
def test_numbers_have_the_grammar_of_json(text: str, value: float) -> None:
    found = query({"type": "number"}, f"p={text}")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-inf", "1e999", ".5", "5.", "1e", "01.5", "1,5", "0x1p3", ""])
def test_text_that_is_no_number_is_refused(text: str) -> None:
    assert query({"type": "number"}, f"p={text}") == [("query", "/p", "type")]


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False)])
def test_booleans_are_true_and_false(text: str, value: bool) -> None:
    assert query({"type": "boolean"}, f"p={text}") is value


@pytest.mark.parametrize("text", ["True", "FALSE", "1", "0", "yes", "on", "t", ""])
def test_other_spellings_are_no_booleans(text: str) -> None:
    assert query({"type": "boolean"}, f"p={text}") == [("query", "/p", "type")]


@pytest.mark.parametrize(
    ("types", "text", "value"),
    [
        (["integer", "string"], "5", 5),
        (["integer", "string"], "5a", "5a"),
        (["boolean", "string"], "true", True),
        (["integer", "null"], "", None),
        (["integer", "null"], "null", None),
        (["string", "null"], "null", "null"),
        (["string", "null"], "", None),
        (["number", "boolean"], "1.5", 1.5),
        (["number", "boolean"], "false", False),
    ],
)
def test_of_several_types_the_first_that_fits_is_taken(types: list[str], text: str, value: Any) -> None:
    found = query({"type": types}, f"p={text}")
    assert found == value
    assert type(found) is type(value)


def test_cast_says_what_was_expected() -> None:
    assert cast("5", ("integer", "string")) == 5
    with pytest.raises(ValueError, match="expected integer or boolean"):
        cast("x", ("boolean", "integer"))


# -- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("location", ["query", "cookie"])
@pytest.mark.parametrize("text", ["%", "a%", "%2", "%zz", "%g0", "a%2xb", "%%41", "%ff", "%C3", "%ED%A0%80", "%C0%80"])
@pytest.mark.parametrize("schema", [STRING, INTEGER, STRINGS])
def test_a_bad_escape_or_bytes_that_are_not_utf8_are_refused(location: str, schema: Any, text: str) -> None:
    place = "/p/0" if schema is STRINGS else "/p"
    assert anywhere(location, schema, text) == [(location, place, "style")]


def test_a_bad_escape_in_long_text_is_refused() -> None:
    assert query(STRING, "p=" + "a" * 3000 + "%zz") == [("query", "/p", "style")]
    assert query(STRING, "p=" + "%C3%A9" * 1000) == "é" * 1000
    assert query(STRING, "p=" + "a" * 600 + "%41") == "a" * 600 + "A"


def test_header_text_is_never_percent_decoded() -> None:
    assert anywhere("header", STRING, "a%20b%zz+c") == "a%20b%zz+c"
    assert anywhere("header", STRINGS, "a%2Cb,c") == ["a%2Cb", "c"]


def test_plus_is_a_space_in_a_query_and_nowhere_else() -> None:
    assert anywhere("query", STRING, "a+b%2Bc") == "a b+c"
    assert anywhere("cookie", STRING, "a+b") == "a+b"
    assert anywhere("path", STRING, "a+b") == "a+b"
    assert anywhere("header", STRING, "a+b") == "a+b"


def test_escapes_are_decoded_once() -> None:
    for location in ("path", "query", "cookie"):
        assert anywhere(location, STRING, "%2541") == "%41"
        assert anywhere(location, STRINGS, "%252C") == ["%2C"]


def test_a_path_value_keeps_escaped_slashes_and_delimiters() -> None:
    assert anywhere("path", STRING, "a%2Fb") == "a/b"
    assert anywhere("path", STRINGS, "a%2Cb,%C3%A9,%2F") == ["a,b", "é", "/"]
    door = Door(parameter("p", "path", STRINGS), parameter("q", "path", INTEGERS), path="/%7E/{p}-{q}.json")
    assert door.path("/~/%C3%A9,b%2C-1,2%2Ejson") == {"p": ["é", "b,"], "q": [1, 2]}


# -- headers ----------------------------------------------------------------------------------------------------------


def test_header_names_ignore_case() -> None:
    door = Door(parameter("X-Rate-Limit", "header", INTEGER))
    for name in ("x-rate-limit", "X-RATE-LIMIT", "X-Rate-Limit"):
        assert door.headers((name, "5"))["x-rate-limit"] == 5


def test_white_space_around_header_values_and_items_is_no_part_of_them() -> None:
    assert anywhere("header", STRING, " \t a b \t ") == "a b"
    assert anywhere("header", INTEGERS, " 1 ,\t2,3\t ") == [1, 2, 3]
    assert anywhere("header", {"type": "object", "additionalProperties": INTEGER}, "a , 1 , b,2") == {"a": 1, "b": 2}


def test_repeated_header_fields_are_one_list() -> None:
    door = Door(parameter("p", "header", INTEGERS))
    assert door.headers(("p", "1, 2"), ("P", "3"))["p"] == [1, 2, 3]


def test_header_octets_above_ascii_are_latin_1() -> None:
    assert anywhere("header", STRING, "ü") == "ü"


@pytest.mark.parametrize("name", ["Accept", "Content-Type", "authorization"])
def test_header_parameters_that_the_specification_reserves_are_ignored(name: str) -> None:
    door = Door(parameter(name, "header", INTEGER, required=True))
    assert door.headers((name, "text/plain"))[name] == "text/plain"


# -- cookies ----------------------------------------------------------------------------------------------------------


def test_quotes_around_a_cookie_are_no_part_of_it() -> None:
    assert anywhere("cookie", STRING, '"a b"') == "a b"
    assert anywhere("cookie", INTEGER, '"5"') == 5
    assert anywhere("cookie", INTEGERS, '"1,2"', explode=False) == [1, 2]
    assert anywhere("cookie", INTEGERS, '"1"') == [1]
    assert anywhere("cookie", STRING, '"') == '"'


def test_cookies_come_from_all_cookie_fields_and_the_first_of_a_name_counts() -> None:
    door = Door(parameter("a", "cookie", INTEGER), parameter("b", "cookie", INTEGER))
    assert door.cookies("x=1;a=5;  a=6", "b = 7 ; c")["a"] == 5
    assert door.cookies("x=1;a=5", "b=7")["b"] == 7


def test_exploded_cookie_arrays_are_read_in_both_forms() -> None:
    door = Door(parameter("p", "cookie", INTEGERS))
    assert door.cookies("p=1; p=2")["p"] == [1, 2]
    assert door.cookies("p=1&p=2&p=3")["p"] == [1, 2, 3]


def test_undeclared_cookies_stay_text() -> None:
    assert Door(parameter("p", "cookie", INTEGER)).cookies("p=1; q=2; r=%41") == {"p": 1, "q": "2", "r": "%41"}


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", ["the+name", "the%20name", "%74he+nam%65"])
def test_names_in_a_query_are_percent_decoded(wire: str) -> None:
    assert Door(parameter("the name", "query", INTEGER)).query(f"{wire}=5") == {"the name": 5}


def test_names_above_ascii() -> None:
    assert Door(parameter("größe", "query", INTEGER)).query("gr%C3%B6%C3%9Fe=5") == {"größe": 5}
    assert Door(parameter("größe", "path", INTEGER), path="/x/{größe}").path("/x/5") == {"größe": 5}


@pytest.mark.parametrize("wire", ["p%zz=1", "%=1", "%ff=1"])
def test_a_name_that_cannot_be_decoded_is_nobodys(wire: str) -> None:
    found = Door(parameter("p", "query", INTEGER)).query(wire)
    assert "p" not in found
    assert list(found.values()) == ["1"]


def test_a_name_is_a_json_pointer_in_faults() -> None:
    assert Door(parameter("a/b~c", "query", INTEGER)).query("a%2Fb~c=x").faults == [("query", "/a~1b~0c", "type")]


def test_undeclared_parameters_are_text_and_lists_when_repeated() -> None:
    door = Door(parameter("p", "query", INTEGER))
    assert door.query("p=1&q=2&r=a+b%21&r=%zz&q&s=&=t") == {
        "p": 1,
        "q": ["2", ""],
        "r": ["a b!", "%zz"],
        "s": "",
        "": "t",
    }
    assert Door().query("a=1&a=2&b=%41") == {"a": ["1", "2"], "b": "A"}


# -- presence ---------------------------------------------------------------------------------------------------------


def test_a_scalar_given_twice_is_refused() -> None:
    assert query(INTEGER, "p=1&p=2") == [("query", "/p", "duplicate")]
    assert query(INTEGERS, "p=1&p=2", explode=False) == [("query", "/p", "duplicate")]


@pytest.mark.parametrize("location", ["query", "header", "cookie"])
def test_a_required_parameter_that_is_absent_is_named(location: str) -> None:
    for schema in (INTEGER, STRINGS, {"type": "object", "additionalProperties": False}):
        door = Door(parameter("p", location, schema, required=True))
        found = door.send("/x")
        assert isinstance(found, Refused)
        assert found.faults == [(location, "/p", "required")]
        assert found.messages == ["is required"]


def test_one_cause_is_one_fault() -> None:
    assert query(INTEGER | {"minimum": 5}, "p=x", required=True) == [("query", "/p", "type")]
    assert query(INTEGERS | {"minItems": 3}, "p=x&p=1&p=y") == [("query", "/p/0", "type"), ("query", "/p/2", "type")]


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize(
    ("schema", "text", "pointer", "keyword"),
    [
        (INTEGER | {"minimum": 5}, "4", "", "minimum"),
        (STRING | {"maxLength": 2}, "abc", "", "maxLength"),
        (STRING | {"enum": ["a", "b"]}, "c", "", "enum"),
        (STRING | {"format": "date"}, "x", "", "format"),
        ({"type": "array", "items": INTEGER | {"maximum": 3}}, "9", "/0", "maximum"),
        ({"type": "array", "items": INTEGER, "minItems": 2}, "9", "", "minItems"),
    ],
)
def test_every_fault_names_location_pointer_and_keyword(
    location: str, schema: Any, text: str, pointer: str, keyword: str
) -> None:
    assert anywhere(location, schema, text) == [(location, "/p" + pointer, keyword)]


def test_all_faults_of_a_request_come_together() -> None:
    door = Door(
        parameter("a", "path", INTEGER),
        parameter("b", "query", INTEGER | {"minimum": 1}),
        parameter("c", "header", INTEGER, required=True),
        parameter("d", "cookie", {"type": "boolean"}),
        path="/x/{a}",
    )
    found = door.send("/x/y?b=0", [("Cookie", "d=maybe")])
    assert isinstance(found, Refused)
    assert found.faults == [
        ("path", "/a", "type"),
        ("query", "/b", "minimum"),
        ("header", "/c", "required"),
        ("cookie", "/d", "type"),
    ]


# -- empty values -----------------------------------------------------------------------------------------------------


def test_an_empty_value_is_a_value() -> None:
    assert query(STRING, "p=") == ""
    assert query(STRING, "p") == ""
    assert query(STRINGS, "p=") == [""]
    assert query(STRINGS, "p=", explode=False) == []
    assert query(INTEGER, "p=") == [("query", "/p", "type")]
    assert query(STRING | {"minLength": 1}, "p=") == [("query", "/p", "minLength")]


def test_allow_empty_value_takes_the_name_alone() -> None:
    assert query(INTEGER | {"minimum": 5}, "p", allowEmptyValue=True) is None
    assert query(INTEGER | {"minimum": 5}, "p=4", allowEmptyValue=True) == [("query", "/p", "minimum")]
    assert query(STRING | {"minLength": 1}, "p=", allowEmptyValue=True) == ""
    assert query(INTEGERS | {"minItems": 1}, "p=", allowEmptyValue=True) == []
    assert query(INTEGERS | {"minItems": 1}, "p=", allowEmptyValue=True, explode=False) == []
    assert query(INTEGERS, "p=1&p=&p=2", allowEmptyValue=True) == [1, 2]
    assert query({"type": "boolean"}, "p", allowEmptyValue=True, required=True) is None


# -- defaults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("location", ["query", "header", "cookie"])
@pytest.mark.parametrize("default", [5, None, "x", False, [1, 2], {"a": [1]}])
def test_a_default_is_the_value_of_an_absent_parameter(location: str, default: Any) -> None:
    kinds = {int: "integer", str: "string", bool: "boolean", list: "array", dict: "object", type(None): "null"}
    schema = {"type": kinds[type(default)], "default": default}
    found = Door(parameter("p", location, schema)).send("/x")
    assert not isinstance(found, Refused)
    values = {"query": found.query, "header": found.headers, "cookie": found.cookies}[location]
    assert values["p"] == default
    assert type(values["p"]) is type(default)


@pytest.mark.parametrize("default", [[1], {"a": [1]}])
def test_a_default_is_not_shared_between_requests(default: Any) -> None:
    door = Door(
        parameter("p", "query", {"type": "array" if isinstance(default, list) else "object", "default": default})
    )
    for _ in range(3):
        value = door.query("")["p"]
        assert value == default
        inner = value if isinstance(value, list) else value["a"]
        inner.append("changed")


def test_a_value_that_is_given_beats_the_default() -> None:
    assert query(INTEGER | {"default": 5}, "p=6") == 6


# -- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 5, 31, 32, 33, 1000])
def test_more_pairs_than_the_limit_are_refused(limit: int) -> None:
    config = {"limits": {"query_parameters": limit, "request_line": 20_000}}
    door = Door(parameter("p", "query", STRINGS), config=config)
    fits = door.query("&".join(["p=a"] * limit))
    assert fits == {"p": ["a"] * limit}
    assert door.query("&&".join(["p=a"] * limit)) == fits
    over = door.query("&".join(["p=a"] * (limit + 1)))
    assert over.faults == [("query", "", "limit")]
    assert str(limit) in over.messages[0]


def test_too_many_pairs_do_not_hide_other_faults() -> None:
    door = Door(
        parameter("a", "path", INTEGER),
        parameter("b", "query", INTEGER),
        path="/x/{a}",
        config={"limits": {"query_parameters": 2}},
    )
    assert door.path("/x/y?b=1&c=2&d=3").faults == [("path", "/a", "type"), ("query", "", "limit")]


def test_a_thousand_pairs_are_the_default_limit() -> None:
    door = Door(parameter("p", "query", INTEGERS))
    assert door.query("&".join(["p=1"] * 1000)) == {"p": [1] * 1000}
    assert door.query("&".join(["p=1"] * 1001)).faults == [("query", "", "limit")]
