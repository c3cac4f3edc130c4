"""Values whose schema allows several shapes: the text tells the shape, else the first that the schema accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import bodies_support
import jsonschema_rs
import pytest
from argument_door import Door, Refused, parameter
from bodies_support import Taker, takers_are_closed  # noqa: F401
from hypothesis import given, settings
from hypothesis import strategies as st

from brrtrouter.core.encode import encode_parameter
from brrtrouter.spec.load import load

SHARED = Path(__file__).parents[2] / "shared" / "specs"
STRING = {"type": "string"}
INTEGER = {"type": "integer"}
RANGE = {"type": "object", "properties": {"gt": INTEGER, "lt": INTEGER}, "additionalProperties": False}
MOMENT = {"anyOf": [RANGE, INTEGER]}
ONE_OR_MORE = {"oneOf": [{"type": "string", "maxLength": 2}, {"type": "array", "items": STRING, "maxItems": 2}]}


def query(schema: Any, text: str, **rest: Any) -> Any:
    """The query as the handler gets it, or the faults."""
    found = Door(parameter("p", "query", schema, **rest)).query(text)
    return found.faults if isinstance(found, Refused) else found


# -- the rules ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("p=0", 0),
        ("p[gt]=1", {"gt": 1}),
        ("p%5Bgt%5D=1&p[lt]=2", {"gt": 1, "lt": 2}),
    ],
)
def test_names_in_brackets_make_an_object_and_a_name_alone_a_value(text: str, value: Any) -> None:
    assert query(MOMENT, text, style="deepObject", explode=True) == {"p": value}


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("p=x", [("query", "/p", "type")]),
        ("p=1&p=2", [("query", "/p", "duplicate")]),
        ("p[gt]=x", [("query", "/p/gt", "type")]),
        ("p[gt]=1&p[gt]=2", [("query", "/p", "duplicate")]),
        ("p[eq]=1", [("query", "/p", "additionalProperties")]),
        ("p=1&p[gt]=2", [("query", "/p", "style")]),
    ],
)
def test_a_value_in_brackets_or_not_is_refused_for_its_own_mistakes(text: str, faults: Any) -> None:
    found = query(MOMENT, text, style="deepObject")
    assert [(where, at, "additionalProperties" if word == "anyOf" else word) for where, at, word in found] == faults


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("p=00", "00"),
        ("p=abc", ["abc"]),  # too long for a string alone
        ("p=a&p=b", ["a", "b"]),
        ("p=", ""),
    ],
)
def test_a_name_that_repeats_is_an_array_and_one_text_the_first_shape_that_fits(text: str, value: Any) -> None:
    assert query(ONE_OR_MORE, text) == {"p": value}


def test_when_the_schema_accepts_no_reading_the_first_is_the_one_that_is_told_about() -> None:
    schema = {"anyOf": [{"type": "array", "items": STRING, "minItems": 2}, {"type": "integer", "maximum": 3}]}
    door = Door(parameter("p", "query", schema))
    refused = door.query("p=4")
    assert refused.faults == [("query", "/p", "anyOf")]
    assert door.query("p=x").faults == [("query", "/p", "anyOf")]  # an integer cannot be made of it, a list can
    assert door.query("p=3") == {"p": 3}


@pytest.mark.parametrize(
    ("style", "text", "value"),
    [
        ("form", "p=1,2", [1, 2]),
        ("form", "p=1%2C2", "1,2"),
        ("pipeDelimited", "p=1|2", [1, 2]),
        ("spaceDelimited", "p=1%202", [1, 2]),
        ("spaceDelimited", "p=a+b", "a b"),
    ],
)
def test_separators_put_the_array_first(style: str, text: str, value: Any) -> None:
    schema = {"anyOf": [STRING, {"type": "array", "items": INTEGER}]}
    assert query(schema, text, style=style, explode=False) == {"p": value}


@pytest.mark.parametrize(
    ("location", "style", "explode", "text", "value"),
    [
        ("path", "simple", False, "7", 7),
        ("path", "simple", False, "a,b", ["a", "b"]),
        ("path", "simple", True, "a=b", {"a": "b"}),
        ("path", "simple", True, "a=b,c", ["a=b", "c"]),
        ("path", "label", False, ".7", 7),
        ("path", "label", False, ".a,b", ["a", "b"]),
        ("path", "label", True, ".a.b", ["a", "b"]),
        ("path", "label", True, ".a=1.b=2", {"a": "1", "b": "2"}),
        ("path", "matrix", False, ";p=7", 7),
        ("path", "matrix", True, ";p=7", 7),
        ("path", "matrix", True, ";p=a;p=b", ["a", "b"]),
        ("path", "matrix", True, ";a=1;b=2", {"a": "1", "b": "2"}),
        ("header", "simple", False, "7", 7),
        ("header", "simple", False, "a, b", ["a", "b"]),
        ("cookie", "form", True, "p=7", 7),
        ("cookie", "form", True, "p=a&p=b", ["a", "b"]),
        ("cookie", "form", True, "p=a; p=b", ["a", "b"]),
        ("cookie", "form", False, "p=a,b", ["a", "b"]),
        ("cookie", "form", False, "p=x%2Cy", ["x,y"]),
    ],
)
def test_every_location_and_style_reads_the_shapes_of_its_schema(
    location: str, style: str, explode: bool, text: str, value: Any
) -> None:
    schema = {"type": ["integer", "array", "object"], "items": STRING, "additionalProperties": STRING}
    door = Door(parameter("p", location, schema, style=style, explode=explode), path="/x/{p}")
    if location == "path":
        assert door.path(f"/x/{text}") == {"p": value}
        return
    door = Door(parameter("p", location, schema, style=style, explode=explode))
    found = door.headers(("p", text)) if location == "header" else door.cookies(text)
    assert found["p"] == value


def test_members_of_an_exploded_object_are_those_that_the_schema_names() -> None:
    schema = {"anyOf": [INTEGER, {"type": "object", "properties": {"a": INTEGER}}]}
    assert query(schema, "a=1&b=2") == {"p": {"a": 1}, "b": "2"}
    assert query(schema, "p=1&b=2") == {"p": 1, "b": "2"}
    assert query(schema, "b=2") == {"b": "2"}


@pytest.mark.parametrize(
    ("schema", "value"),
    [(ONE_OR_MORE, ""), ({"type": ["integer", "array"]}, None), ({"type": ["array", "object"]}, [])],
)
def test_an_empty_value_that_is_allowed_is_the_empty_one_of_the_first_shape(schema: Any, value: Any) -> None:
    assert query(schema, "p=", allowEmptyValue=True) == {"p": value}


def test_a_missing_value_gets_its_default_and_is_missed_when_required() -> None:
    assert query({**MOMENT, "default": 5}, "", style="deepObject") == {"p": 5}
    assert query(MOMENT, "", style="deepObject", required=True) == [("query", "/p", "required")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("p[]=a&p[]=b", ["a", "b"]),
        ("p[1]=b&p[0]=a", ["a", "b"]),
        ("p=a&p=b", ["a", "b"]),
        ("p=a", ["a"]),
    ],
)
def test_a_list_under_deep_object_is_read_with_and_without_brackets(text: str, value: Any) -> None:
    assert query({"type": "array", "items": STRING}, text, style="deepObject") == {"p": value}


@pytest.mark.parametrize("text", ["p[1]=a", "p[a]=b", "p[]=a&p=b", "p[0]=a&p[]=b", "p[0]=a&p[0]=b"])
def test_a_list_under_deep_object_counts_from_nought(text: str) -> None:
    assert [where for where, _, _ in query({"type": "array", "items": STRING}, text, style="deepObject")] == ["query"]


def test_objects_in_a_list_under_deep_object_are_cast() -> None:
    schema = {"type": "array", "items": {"type": "object", "properties": {"n": INTEGER}}}
    assert query(schema, "p[0][n]=1&p[1][n]=2", style="deepObject") == {"p": [{"n": 1}, {"n": 2}]}
    assert query(schema, "p[0][n]=x", style="deepObject") == [("query", "/p/0/n", "type")]


def test_a_number_in_brackets_is_an_item_or_a_name() -> None:
    schema = {"anyOf": [{"type": "array", "items": STRING}, {"type": "object", "additionalProperties": STRING}]}
    assert query(schema, "p[0]=a", style="deepObject") == {"p": ["a"]}
    assert query(schema, "p[5]=a", style="deepObject") == {"p": {"5": "a"}}
    assert query(schema, "p[x]=a", style="deepObject") == {"p": {"x": "a"}}


def test_a_parameter_with_one_shape_has_nothing_to_choose() -> None:
    found = parameters_of(STRING, {"type": ["array", "null"]}, {"anyOf": [INTEGER, STRING]}, {"type": "object"}, {})
    assert [each.readings for each in found] == [()] * 5
    assert [each.shape for each in parameters_of(ONE_OR_MORE)[0].readings] == ["scalar", "array"]


def parameters_of(*schemas: Any) -> Any:
    written = [parameter(f"p{at}", "query", schema) for at, schema in enumerate(schemas)]
    paths = {"/x": {"get": {"parameters": written, "responses": {}}}}
    specification = load({"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": paths})
    return specification.operations[0].parameters


@pytest.mark.parametrize("value", [5, {"gt": 1, "lt": 2}, ["a", "b"], [{"n": 1}, {"n": 2}]])
def test_what_deep_object_encodes_is_read_back(value: Any) -> None:
    items = {"anyOf": [STRING, {"type": "object", "properties": {"n": INTEGER}}]}
    written = parameter(
        "p", "query", {"anyOf": [*MOMENT["anyOf"], {"type": "array", "items": items}]}, style="deepObject"
    )
    door = Door(written)
    described = door.app.specification.operations[0].parameters[0]
    assert door.query(encode_parameter(described, value)) == {"p": value}


# -- forms -------------------------------------------------------------------------------------------------------------


def form(properties: Any, text: str, encoding: Any = None) -> Any:
    """The body of a form, or its faults."""
    taker = Taker(bodies_support.form(properties, encoding))
    return taker.body if taker.post(text).status == 200 else taker.faults(text)


def test_members_of_a_form_follow_the_same_rule() -> None:
    deep = {"p": {"style": "deepObject", "explode": True}}
    assert form({"p": MOMENT}, "p=0", deep) == {"p": 0}
    assert form({"p": MOMENT}, "p[gt]=1", deep) == {"p": {"gt": 1}}
    assert form({"p": MOMENT}, "p=x", deep) == [("/p", "type")]
    assert form({"p": ONE_OR_MORE}, "p=a") == {"p": "a"}
    assert form({"p": ONE_OR_MORE}, "p=abc") == {"p": ["abc"]}
    assert form({"p": ONE_OR_MORE}, "p=a&p=b") == {"p": ["a", "b"]}
    assert form({"p": ONE_OR_MORE}, "p=a&p=b&p=c") == [("/p", "oneOf")]


def test_an_object_in_a_form_without_a_style_is_json_where_it_may_be_a_text_too() -> None:
    schema = {"anyOf": [STRING, {"type": "object", "properties": {"n": INTEGER}}]}
    assert form({"p": schema}, "p=" + quote('{"n": 1}')) == {"p": {"n": 1}}
    assert form({"p": schema}, "p={n}") == {"p": "{n}"}
    assert form({"p": schema}, "p=a") == {"p": "a"}


def test_parts_of_form_data_follow_the_same_rule() -> None:
    either = {"anyOf": [STRING, {"type": "object", "properties": {"n": INTEGER}, "required": ["n"]}]}
    taker = Taker(bodies_support.form_data({"p": ONE_OR_MORE, "q": either}))

    def sent(*each: tuple[str, bytes]) -> Any:
        return taker.take(bodies_support.parts(*(bodies_support.part(name, content) for name, content in each)))

    assert sent(("p", b"a")) == {"p": "a"}
    assert sent(("p", b"a"), ("p", b"b&c")) == {"p": ["a", "b&c"]}
    assert sent(("q", b'{"n": 1}')) == {"q": {"n": 1}}
    assert sent(("q", b"{n}")) == {"q": "{n}"}


# -- real descriptions -------------------------------------------------------------------------------------------------


@cache
def shared_document(name: str) -> Any:
    if not (SHARED / name).is_file():
        pytest.skip("the shared documents are not here")
    return json.loads((SHARED / name).read_text("utf-8"))


def real(document: Any, path: str, name: str) -> dict[str, Any]:
    """A parameter of a GET, with all that its references mean."""
    found = next(each for each in document["paths"][path]["get"]["parameters"] if each.get("name") == name)
    return {**spelled(document, found), "required": False}


def spelled(document: Any, value: Any) -> Any:
    if isinstance(value, list):
        return [spelled(document, item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        target = document
        for part in value["$ref"][2:].split("/"):
            target = target[part]
        return spelled(document, target)
    return {name: spelled(document, item) for name, item in value.items()}


@pytest.mark.parametrize(
    ("name", "path", "text", "value"),
    [
        ("created", "/v1/charges", "created=0", 0),
        ("created", "/v1/charges", "created[gt]=5&created[lte]=9", {"gt": 5, "lte": 9}),
        ("expand", "/v1/charges", "expand[]=data.customer&expand[]=data.invoice", ["data.customer", "data.invoice"]),
        ("expand", "/v1/charges", "expand[0]=data.customer", ["data.customer"]),
        ("expand", "/v1/charges", "expand=AAA", ["AAA"]),
        ("discounts", "/v1/invoices/upcoming", "discounts=", ""),
        ("discounts", "/v1/invoices/upcoming", "discounts[0][coupon]=free", [{"coupon": "free"}]),
    ],
)
def test_parameters_of_stripe(name: str, path: str, text: str, value: Any) -> None:
    written = real(shared_document("stripe/stripe.com.json"), path, name)
    assert Door(written, version="3.0.0").query(text) == {name: value}


def test_the_sku_ids_of_discord_are_a_text_or_a_list() -> None:
    document = shared_document("discord/openapi.json")
    door = Door(real(document, "/applications/{application_id}/entitlements", "sku_ids"))
    assert door.query("sku_ids=00") == {"sku_ids": "00"}
    assert door.query("sku_ids=0&sku_ids=1") == {"sku_ids": ["0", "1"]}
    assert door.query("sku_ids=0&sku_ids=x").faults == [("query", "/sku_ids", "oneOf")]


# -- all readings, the slow way ----------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A schema, and the casts that its branches ask for by shape."""

    schema: Mapping[str, Any]
    scalar: str | None = None
    items: str | None = None
    members: Mapping[str, str] | None = None


CASES = [
    Case(ONE_OR_MORE, "string", "string"),
    Case({"anyOf": [{"type": "integer", "maximum": 5}, {"type": "array", "items": INTEGER}]}, "integer", "integer"),
    Case(
        {
            "anyOf": [
                {"type": "object", "properties": {"a": INTEGER, "b": STRING}, "additionalProperties": False},
                {"type": "integer", "minimum": 1},
            ]
        },
        "integer",
        None,
        {"a": "integer", "b": "string"},
    ),
    Case(
        {
            "type": ["string", "array", "object"],
            "maxLength": 1,
            "items": INTEGER,
            "maxItems": 2,
            "properties": {"a": INTEGER, "b": STRING},
            "additionalProperties": {"type": "string", "maxLength": 1},
        },
        "string",
        "integer",
        {"a": "integer", "b": "string"},
    ),
    Case(
        {"oneOf": [{"type": "array", "items": STRING, "minItems": 2}, {"type": "object", "required": ["a"]}]},
        None,
        "string",
        {},
    ),
]
WAYS = [
    ("query", "form", True),
    ("query", "form", False),
    ("query", "pipeDelimited", False),
    ("query", "deepObject", True),
    ("path", "simple", False),
    ("path", "simple", True),
    ("header", "simple", False),
]
SEPARATORS = {"form": ",", "simple": ",", "pipeDelimited": "|"}
PIECES = st.sampled_from(["", "0", "1", "7", "00", "a", "b", "abc", "a=1", "b=x", "a=x"])
NAMES = st.sampled_from(["p", "p", "p", "p[a]", "p[b]", "p[]", "p[0]", "p[1]", "p[5]", "a", "b"])


class No(Exception):
    """A reading that the text does not have."""


def made(text: str, kind: str) -> Any:
    if kind == "string":
        return text
    if re.fullmatch(r"-?(0|[1-9][0-9]*)", text):
        return int(text)
    raise No


def as_members(case: Case, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    assert case.members is not None
    if len({name for name, _ in pairs}) < len(pairs):
        raise No
    return {name: made(text, case.members.get(name, "string")) for name, text in pairs}


def as_items(case: Case, texts: list[str]) -> list[Any]:
    assert case.items is not None
    return [made(text, case.items) for text in texts]


def in_brackets(case: Case, pairs: list[tuple[str, str]]) -> Iterator[Any]:
    names = [name for name, _ in pairs]
    if case.items is not None:
        if set(names) == {""}:
            yield lambda: as_items(case, [text for _, text in pairs])
        if sorted(names) == [str(at) for at in range(len(names))]:
            yield lambda: as_items(case, [text for _, text in sorted(pairs)])
    if case.members is not None and (case.items is None or "" not in names):
        yield lambda: as_members(case, pairs)


def of_one(case: Case, style: str, explode: bool, location: str, text: str) -> Iterator[Any]:
    repeats = location == "query" and explode
    separator = None if repeats else SEPARATORS[style]
    pieces = [text] if separator is None else text.split(separator) if text else []

    def scalar() -> Any:
        if case.scalar is None:
            raise No
        return made(text, case.scalar)

    def items() -> Any:
        if case.items is None:
            raise No
        return as_items(case, pieces)

    def members() -> Any:
        if case.members is None or repeats:
            raise No
        if explode:
            if not all("=" in piece for piece in pieces):
                raise No
            return as_members(case, [(piece.partition("=")[0], piece.partition("=")[2]) for piece in pieces])
        if len(pieces) % 2:
            raise No
        return as_members(case, list(zip(pieces[::2], pieces[1::2], strict=True)))

    if style == "simple" and explode and "=" in text:
        yield from (members, items, scalar)
    elif separator is not None and separator in text:
        yield from (items, members, scalar)
    else:
        yield from (scalar, items, members)


def readings(case: Case, style: str, explode: bool, location: str, pairs: list[tuple[str, str]]) -> list[Any]:
    """Every value that the text may mean, in order."""
    own = [text for name, text in pairs if name == "p"]
    below = [(name[2:-1], text) for name, text in pairs if name.startswith("p[")] if style == "deepObject" else []
    if style == "deepObject" and case.items is None and case.members is None:
        below = []
    named = [(name, text) for name, text in pairs if name in (case.members or {})]
    found: list[Any] = []
    if below:
        found = [] if own else [*in_brackets(case, below)]
    elif len(own) > 1:
        found = [lambda: as_items(case, own)] if explode and case.items is not None else []
    elif own:
        found = [*of_one(case, style, explode, location, own[0])]
    elif named and style == "form" and explode:
        found = [lambda: as_members(case, named)]
    return [value for attempt in found for value in tried(attempt)]


def tried(attempt: Any) -> list[Any]:
    try:
        return [attempt()]
    except No:
        return []


@cache
def door(case: int, way: int) -> Door:
    location, style, explode = WAYS[way]
    written = parameter("p", location, dict(CASES[case].schema), style=style, explode=explode)
    return Door(written, path="/x/{p}" if location == "path" else "/x")


@pytest.mark.parametrize(("case", "way"), [*product(range(len(CASES)), range(len(WAYS)))])
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_the_first_reading_that_the_schema_accepts_is_taken(case: int, way: int, data: st.DataObject) -> None:
    location, style, explode = WAYS[way]
    if location == "query":
        pairs = data.draw(st.lists(st.tuples(NAMES, PIECES), min_size=1, max_size=3))
        if style in SEPARATORS and not explode:
            pairs = [(name, text + SEPARATORS[style] + data.draw(PIECES)) for name, text in pairs]
        sent = any(name == "p" or (name.startswith("p[") and style == "deepObject") for name, _ in pairs)
        members = style == "form" and explode and any(name in (CASES[case].members or {}) for name, _ in pairs)
        if not sent and not members:
            return
        found = door(case, way).query("&".join(f"{quote(name, safe='[]')}={text}" for name, text in pairs))
    else:
        text = ",".join(data.draw(st.lists(PIECES, min_size=1, max_size=3)))
        if not text:
            return
        pairs = [("p", text)]
        found = door(case, way).path(f"/x/{text}") if location == "path" else door(case, way).headers(("p", text))
    valid = jsonschema_rs.Draft202012Validator(dict(CASES[case].schema)).is_valid
    expected = [value for value in readings(CASES[case], style, explode, location, pairs) if valid(value)]
    if not expected:
        assert isinstance(found, Refused)
        return
    assert not isinstance(found, Refused)
    assert found["p"] == expected[0]
    assert type(found["p"]) is type(expected[0])
