"""application/x-www-form-urlencoded (OpenAPI 3.1 section 4.8.14.4): members become typed values, once."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from bodies_support import FORM, Taker, form, takers_are_closed  # noqa: F401  a fixture
from hypothesis import given, settings
from hypothesis import strategies as st

INTEGER = {"type": "integer"}
STRING = {"type": "string"}
BIG = 123456789012345678901234567890


def test_members_are_cast_by_the_types_of_their_schemas() -> None:
    taker = Taker(
        form({
            "name": STRING, "age": INTEGER, "big": INTEGER, "price": {"type": "number"}, "on": {"type": "boolean"},
            "maybe": {"type": ["integer", "null"]}, "any": {},
        })
    )  # fmt: skip
    body = taker.take(f"name=a+b%26&age=-3&big={BIG}&price=1.5&on=true&maybe=&any=7")
    assert body == {"name": "a b&", "age": -3, "big": BIG, "price": 1.5, "on": True, "maybe": None, "any": "7"}


def test_a_schema_behind_references_and_all_of_is_found() -> None:
    schemas = {
        "Base": {"type": "object", "properties": {"id": {"$ref": "#/components/schemas/Id"}}},
        "Id": {"type": "integer"},
    }
    schema = {"allOf": [{"$ref": "#/components/schemas/Base"}, {"properties": {"n": {"allOf": [INTEGER]}}}]}
    taker = Taker({FORM: {"schema": schema}}, schemas=schemas)
    assert taker.take("id=1&n=2") == {"id": 1, "n": 2}


def test_a_list_is_one_pair_for_each_item_and_an_object_is_json() -> None:
    taker = Taker(
        form({
            "ids": {"type": "array", "items": INTEGER},
            "at": {"type": "object", "properties": {"x": INTEGER}},
            "all": {"type": "array", "items": {"type": "object"}},
        })
    )  # fmt: skip
    assert taker.take('ids=1&at={"x":4}&ids=2&all={}&all={"a":1}') == {
        "ids": [1, 2], "at": {"x": 4}, "all": [{}, {"a": 1}],
    }  # fmt: skip
    assert taker.take(f'at={{"x":{BIG}}}') == {"at": {"x": BIG}}
    assert taker.faults("ids=1&ids=x&at={&all=[1") == [("/ids/1", "type"), ("/at", "syntax"), ("/all/0", "syntax")]
    assert taker.faults("at={}&at={}") == [("/at", "duplicate")]
    assert taker.faults('at={"x":"4"}') == [("/at/x", "type")]


@pytest.mark.parametrize(
    ("encoding", "schema", "text", "value"),
    [
        ({"style": "deepObject", "explode": True}, "object", "v[a]=1&v[b]=2", {"a": 1, "b": 2}),
        ({"style": "deepObject"}, "object", "v%5Ba%5D=1", {"a": 1}),
        ({"style": "form", "explode": True}, "object", "a=1&b=2", {"a": 1, "b": 2}),
        ({"style": "form", "explode": False}, "object", "v=a,1,b,2", {"a": 1, "b": 2}),
        ({"explode": False}, "array", "v=1,2", [1, 2]),
        ({"explode": True}, "array", "v=1&v=2", [1, 2]),
        ({"allowReserved": True}, "array", "v=1&v=2", [1, 2]),
        ({"style": "spaceDelimited", "explode": False}, "array", "v=1%202", [1, 2]),
        ({"style": "pipeDelimited", "explode": False}, "array", "v=1%7C2", [1, 2]),
        ({"style": "pipeDelimited", "explode": False}, "object", "v=a|1|b|2", {"a": 1, "b": 2}),
        ({"contentType": "application/json"}, "array", "v=%5B1,2%5D&v=%5B%5D", [[1, 2], []]),
        ({"contentType": "application/json"}, "object", 'v={"a":1}', {"a": 1}),
        # The styles win over contentType (OpenAPI 3.1.1 section 4.8.15.1.2).
        ({"contentType": "application/json", "explode": False}, "array", "v=1,2", [1, 2]),
    ],
)
@pytest.mark.parametrize("version", ["3.0.3", "3.1.0", "3.2.0"])
def test_an_encoding_object_says_how_a_member_is_written(
    version: str, encoding: dict[str, Any], schema: str, text: str, value: Any
) -> None:
    described: dict[str, Any] = {"type": "object", "properties": {"a": INTEGER, "b": INTEGER}}
    if schema == "array":
        items = {"type": "array", "items": INTEGER} if "contentType" in encoding and "explode" not in encoding else None
        described = {"type": "array", "items": items or INTEGER}
    taker = Taker(form({"v": described, "other": STRING}, {"v": encoding}), version=version)
    assert taker.take(text + "&other=x") == {"v": value, "other": "x"}


def test_nested_members_come_with_x_nested() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"properties": {"b": INTEGER}}}}}
    taker = Taker(form({"v": schema}, {"v": {"style": "deepObject", "explode": True, "x-nested": True}}))
    assert taker.take("v[a][0][b]=1&v[a][1][b]=2") == {"v": {"a": [{"b": 1}, {"b": 2}]}}


def test_unknown_members_are_text_unless_the_schema_says_more() -> None:
    assert Taker(form({})).take("a=1&b=x&b=y") == {"a": "1", "b": ["x", "y"]}
    assert Taker(form({"a": INTEGER}, additionalProperties=INTEGER)).take("a=1&b=2") == {"a": 1, "b": 2}
    many = Taker(form({}, additionalProperties={"type": "array", "items": INTEGER}))
    assert many.take("a=1&b=2&b=3") == {"a": [1], "b": [2, 3]}
    numbers = Taker(form({}, additionalProperties=INTEGER))
    assert numbers.faults("a=x&b=1&b=2") == [("/a", "type"), ("/b", "duplicate")]
    assert Taker(form({"a": INTEGER}, additionalProperties=False)).faults("a=1&b=2") == [("", "additionalProperties")]


def nested_taker(schema: Any) -> Taker:
    object_of_it = {"type": "object", "properties": {"in": schema, "n": INTEGER}}
    return Taker(form({"v": object_of_it}, {"v": {"style": "deepObject", "explode": True, "x-nested": True}}))


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "array", "items": INTEGER}, "v[in]=1&v[in]=2", [1, 2]),
        ({"type": "array", "items": INTEGER}, "v[in]=1", [1]),
        ({"anyOf": [{"type": "array", "items": STRING}, {"type": "string", "enum": [""]}]}, "v[in]=", ""),
        ({"anyOf": [{"type": "array", "items": STRING}, {"type": "string", "enum": [""]}]}, "v[in]=a", ["a"]),
        ({"anyOf": [{"type": "array", "items": INTEGER}, {"type": "string", "enum": ["all"]}]}, "v[in]=all", "all"),
        ({"anyOf": [{"type": "array", "items": INTEGER}, {"type": "string", "enum": ["all"]}]}, "v[in]=7", [7]),
    ],
)
def test_a_nested_member_may_be_a_list_or_a_text(schema: Any, text: str, value: Any) -> None:
    assert nested_taker(schema).take(text) == {"v": {"in": value}}


@pytest.mark.parametrize(
    ("schema", "text", "keyword"),
    [
        (INTEGER, "v[in]=1&v[in]=2", ("/v/in", "duplicate")),
        ({"type": "array", "items": INTEGER}, "v[in]=1&v[in]=x", ("/v/in/1", "type")),
    ],
)
def test_one_wrong_nested_member_is_one_fault(schema: Any, text: str, keyword: tuple[str, str]) -> None:
    taker = nested_taker(schema)
    assert taker.faults(f"{text}&v[n]=3") == [keyword]


def test_a_member_that_cannot_be_decoded_leaves_no_other_members_behind() -> None:
    encoding = {"v": {"style": "deepObject", "explode": True}}
    members = {"v": {"type": "object", "properties": {"a": INTEGER}}}
    assert Taker(form(members, encoding, additionalProperties=False)).faults("v[a]=x&v[b]=y") == [("/v/a", "type")]


def test_a_scalar_that_comes_twice_is_a_fault() -> None:
    assert Taker(form({"a": INTEGER})).faults("a=1&a=2") == [("/a", "duplicate")]


def test_empty_values_are_empty_texts() -> None:
    taker = Taker(form({"s": STRING, "n": INTEGER, "l": {"type": "array", "items": STRING}}))
    assert taker.take("s=&l=") == {"s": "", "l": [""]}
    assert taker.take("s") == {"s": ""}
    assert taker.take("&&s=1&") == {"s": "1"}
    assert taker.faults("n=") == [("/n", "type")]


def test_everything_that_is_wrong_is_in_one_answer() -> None:
    schema = form(
        {"n": INTEGER, "m": {"type": "integer", "maximum": 3}, "s": {"type": "string", "minLength": 2}}, required=["r"]
    )
    parameters = [{"name": "q", "in": "query", "schema": INTEGER}]
    response = Taker(schema, parameters=parameters).post("n=x&m=4&s=a", query="?q=z")
    assert response.status == 400
    assert sorted((f["location"], f["pointer"], f["keyword"]) for f in response.json()["errors"]) == [
        ("body", "", "required"),
        ("body", "/m", "maximum"),
        ("body", "/n", "type"),
        ("body", "/s", "minLength"),
        ("query", "/q", "type"),
    ]


def test_what_could_not_be_decoded_is_reported_once() -> None:
    taker = Taker(form({"n": {"type": "integer", "minimum": 5}}, required=["n"]))
    assert taker.faults("n=x") == [("/n", "type")]


def test_names_with_characters_of_pointers() -> None:
    assert Taker(form({"a/b~": INTEGER})).faults("a%2Fb%7E=x") == [("/a~1b~0", "type")]


@pytest.mark.parametrize("text", ["a=%zz", "a=%", "a=%ff", "%ff=1", "b=1&a=%c3"])
def test_bad_escapes_are_refused_even_in_unknown_members(text: str) -> None:
    assert Taker(form({"b": INTEGER})).faults(text) == [("", "style")]
    assert Taker(form({"a": STRING})).post(text).status == 400


def test_text_that_a_client_forgot_to_escape_is_utf_8() -> None:
    assert Taker(form({"é": STRING})).take("é=ü&x=ö".encode()) == {"é": "ü", "x": "ö"}
    assert Taker(form({})).faults(b"a=\xff") == [("", "style")]


def test_another_charset_is_415() -> None:
    taker = Taker(form({"a": STRING}))
    assert taker.take("a=1", f"{FORM}; charset=UTF-8") == {"a": "1"}
    assert taker.post("a=1", f"{FORM}; charset=utf-16").status == 415


def test_too_many_fields_are_413() -> None:
    taker = Taker(form({"a": {"type": "array", "items": INTEGER}}), form_fields=3)
    assert taker.take("a=1&a=2&a=3") == {"a": [1, 2, 3]}
    response = taker.post("a=1&a=2&a=3&a=4")
    assert (response.status, response.json()["detail"]) == (413, "more than 3 fields")
    assert response.json()["errors"][0]["keyword"] == "limit"


def test_deep_json_in_a_member_is_refused() -> None:
    taker = Taker(form({"a": {"type": "object"}}), json_depth=10)
    assert taker.take('a={"x":' + "[" * 9 + "]" * 9 + "}")
    assert taker.faults('a={"x":' + "[" * 10 + "]" * 10 + "}") == [("/a", "syntax")]


def test_an_encoding_for_no_property_is_a_warning() -> None:
    taker = Taker(form({"a": STRING}, {"b": {"contentType": "text/plain"}}))
    assert "EncodingWithoutProperty" in {issue.kind for issue in taker.app.specification.issues}


def test_no_number_of_faults_makes_the_answer_large() -> None:
    taker = Taker(form({"a": {"type": "array", "items": INTEGER}}))
    response = taker.post("&".join(["a=x"] * 1000))
    assert response.status == 400
    assert len(response.json()["errors"]) <= 100


# -- against a slow oracle

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALARS = {"s": TEXT, "n": st.integers(), "f": st.floats(allow_nan=False, allow_infinity=False), "b": st.booleans()}
TYPES = {"s": "string", "n": "integer", "f": "number", "b": "boolean"}
PROPERTIES = {name: {"type": kind} for name, kind in TYPES.items()} | {
    "l": {"type": "array", "items": {"type": "integer"}}
}
VALUES = st.fixed_dictionaries({}, optional={**SCALARS, "l": st.lists(st.integers(), min_size=1, max_size=5)})


def written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@settings(max_examples=200, deadline=None)
@given(VALUES.filter(bool), st.randoms(use_true_random=False))
def test_what_the_standard_library_encodes_is_decoded(values: dict[str, Any], order: Any) -> None:
    pairs = [(name, each) for name, value in values.items() for each in (value if name == "l" else [value])]
    others = [pair for pair in pairs if pair[0] != "l"]
    order.shuffle(others)
    text = urlencode([(name, written(value)) for name, value in (*others, *(p for p in pairs if p[0] == "l"))])
    assert TAKER.take(text) == values


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(TEXT.filter(lambda name: name not in PROPERTIES), st.lists(TEXT, min_size=1, max_size=3)))
def test_members_that_nobody_declared_keep_their_text(members: dict[str, list[str]]) -> None:
    pairs = [f"{quote_plus(name)}={quote_plus(each)}" for name, texts in members.items() for each in texts]
    expected = {name: texts[0] if len(texts) == 1 else texts for name, texts in members.items()}
    response = TAKER.post("&".join(pairs))
    if pairs:
        assert response.status == 200
        assert TAKER.body == expected


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text("ansl=&%+[]{}0123\u00e9", max_size=40).map(str.encode))
def test_no_bytes_do_more_than_400(raw: bytes) -> None:
    assert TAKER.post(raw).status in (200, 400)


TAKER = Taker(form(PROPERTIES))
