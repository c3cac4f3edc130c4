"""`encode_parameter`: every style in the direction of sending, and back through a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from argument_door import Door, Refused, parameter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brrtrouter.core.encode import encode_parameter
from brrtrouter.spec import model

VECTORS = Path(__file__).resolve().parent.parent.parent / "shared" / "specs" / "_suites" / "param-style-vectors.json"


def vectors() -> list[Any]:
    if not VECTORS.exists():
        return []
    return [
        pytest.param(vector, id=f"{at}-{vector['in']}-{vector.get('style', 'content')}")
        for at, vector in enumerate(json.loads(VECTORS.read_text())["vectors"])
    ]


def door(definition: dict[str, Any]) -> Door:
    path = f"/x/{{{definition['name']}}}" if definition["in"] == "path" else "/x"
    return Door(definition, path=path, version="3.2.0")


def only(door: Door) -> model.Parameter:
    (operation,) = door.app.specification.operations
    (found,) = operation.parameters
    return found


def encode(definition: dict[str, Any], value: Any) -> str:
    return encode_parameter(only(door(definition)), value)


@pytest.mark.skipif(not VECTORS.exists(), reason="the vectors are not here")
@pytest.mark.parametrize("vector", vectors())
def test_a_published_vector_is_encoded(vector: dict[str, Any]) -> None:
    keys = ("style", "explode", "schema", "content", "allowReserved")
    definition = parameter(vector["name"], vector["in"], **{key: vector[key] for key in keys if key in vector})
    if vector.get("decode_only"):
        # Another spelling of what is sent for this value.
        assert sent(definition, vector["value"]) == vector["value"]
    else:
        assert encode(definition, vector["value"]) == vector["wire"]


ARRAY = {"type": "array", "items": {"type": "string"}}
OBJECT = {"type": "object"}


@pytest.mark.parametrize(
    ("definition", "value", "text"),
    [
        (parameter("p", "query", {"type": "string"}), "é /?&=+#[]%~", "p=%C3%A9%20%2F%3F%26%3D%2B%23%5B%5D%25~"),
        (parameter("p", "query", {"type": "string"}, allowReserved=True), "a/b?c&d+e#%41%", "p=a/b?c%26d%2Be%23%41%25"),
        (parameter("p", "path", {"type": "string"}, allowReserved=True), "a/b?c:d", "a%2Fb%3Fc:d"),
        (parameter("p[x]", "query", {"type": "integer"}), 5, "p%5Bx%5D=5"),
        (parameter("p", "query", ARRAY, explode=False), ["a,b", "c"], "p=a%2Cb,c"),
        (parameter("p", "query", ARRAY, explode=False, allowReserved=True), ["a,b", "c/d"], "p=a%2Cb,c/d"),
        (parameter("p", "query", ARRAY), [], ""),
        (parameter("p", "path", ARRAY, style="label", explode=True), ["a.b", "c"], ".a%2Eb.c"),
        (parameter("p", "path", {"type": "string"}, style="label"), "a.b", ".a.b"),
        (parameter("p", "path", ARRAY, style="matrix"), [], ";p"),
        (parameter("p", "query", OBJECT, style="deepObject", explode=True), {"a b": True}, "p%5Ba%20b%5D=true"),
        (
            parameter("p", "query", OBJECT, style="deepObject", explode=True, **{"x-nested": True}),
            {"a": [{"b": 1}, {"c": None}], "d": {"e": "f"}},
            "p%5Ba%5D%5B0%5D%5Bb%5D=1&p%5Ba%5D%5B1%5D%5Bc%5D=&p%5Bd%5D%5Be%5D=f",
        ),
        (parameter("p", "query", {"type": "number"}), 1.5e300, "p=1.5e%2B300"),
        (parameter("p", "query", {"type": "integer"}), 2**70, f"p={2**70}"),
        (parameter("p", "header", content={"application/json": {}}), {"é": 1}, '{"\\u00e9":1}'),
        (parameter("p", "cookie", ARRAY), ["a", "b"], "p=a; p=b"),
    ],
)
def test_text_is_escaped_as_its_place_wants_it(definition: dict[str, Any], value: Any, text: str) -> None:
    assert encode(definition, value) == text


@pytest.mark.parametrize(
    ("definition", "value", "reason"),
    [
        (parameter("p", "query", ARRAY, style="spaceDelimited", explode=False), ["a b"], "several"),
        (parameter("p", "query", ARRAY, style="pipeDelimited", explode=False), ["a|b"], "several"),
        (parameter("p", "header", ARRAY), ["a,b"], "several"),
        (parameter("p", "header", ARRAY), [" a"], "spaces"),
        (parameter("p", "header", {"type": "string"}), "a\r\nb", "header"),
        (parameter("p", "cookie", {"type": "string"}, style="cookie"), "a;b", "cookie"),
        (parameter("p", "query", ARRAY), [["a"]], "list"),
        (parameter("p", "query", OBJECT, style="deepObject"), {"a": {"b": 1}}, "dict"),
        (parameter("p", "query", OBJECT, style="deepObject"), "text", "objects only"),
        (parameter("p", "query", {"type": "number"}), float("inf"), "float"),
    ],
)
def test_what_a_style_cannot_carry_is_refused(definition: dict[str, Any], value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=f"{definition['in']} parameter 'p': .*{reason}"):
        encode(definition, value)


# -- and back ------------------------------------------------------------------------------------------------------

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
COOKIE_WORDS = st.text("abcXYZ019!#$&'*+-.^_`|~:/?@()[]<>{}=%", min_size=1, max_size=8)
FIELD_WORDS = st.text("abcXYZ019!#$&'*+-.^_`|~:/?@()[]<>{}%", min_size=1, max_size=8)
RAW = {("cookie", "cookie"): COOKIE_WORDS, ("header", "simple"): FIELD_WORDS}
NO_SEPARATOR = {"spaceDelimited": " ", "pipeDelimited": "|"}
NAMES = ("a", "b c", "d&e", "f.g", "h,i", "j;k=l")

# location, style, explode of arrays and objects.
COMBINATIONS = [
    *(("path", style, explode) for style in ("simple", "label", "matrix") for explode in (False, True)),
    *(("query", "form", explode) for explode in (False, True)),
    ("query", "spaceDelimited", False),
    ("query", "pipeDelimited", False),
    *(("cookie", style, False) for style in ("form", "cookie")),
    ("cookie", "cookie", True),
    ("header", "simple", False),
    ("header", "simple", True),
]
DOORS: dict[str, Door] = {}


def words(location: str, style: str) -> st.SearchStrategy[str]:
    found = RAW.get((location, style), WORDS)
    return found.filter(lambda word: NO_SEPARATOR.get(style, "\0") not in word)


def sent(definition: dict[str, Any], value: Any) -> Any:
    """What the handler of a server gets for the parameter when the value is sent to it."""
    key = json.dumps(definition)
    opened = DOORS[key] = DOORS.get(key) or door(definition)
    text = encode_parameter(only(opened), value)
    location, name = definition["in"], definition["name"]
    if location == "path":
        found = opened.path(f"/x/{text}")
    elif location == "header":
        found = opened.headers((name, text))
    else:
        found = opened.cookies(text) if location == "cookie" else opened.query(text)
    assert not isinstance(found, Refused), (text, found)
    return found[name]


@pytest.mark.parametrize(("location", "style", "explode"), COMBINATIONS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_what_is_sent_is_what_arrives(location: str, style: str, explode: bool, data: st.DataObject) -> None:
    text = words(location, style)
    if style not in NO_SEPARATOR:
        definition = parameter("p", location, {"type": "string"}, style=style, explode=explode)
        value: Any = data.draw(text)
        assert sent(definition, value) == value
        definition = parameter("p", location, {"type": ["integer", "boolean"]}, style=style, explode=explode)
        value = data.draw(st.integers() | st.booleans())
        assert sent(definition, value) == value
    value = data.draw(st.lists(text, min_size=1, max_size=4))
    assert sent(parameter("p", location, ARRAY, style=style, explode=explode), value) == value
    names = ("a", "b") if (location, style) in RAW else [n for n in NAMES if NO_SEPARATOR.get(style, "\0") not in n]
    schema: dict[str, Any] = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    schema["additionalProperties"] = False
    value = data.draw(st.dictionaries(st.sampled_from(names), text, min_size=1))
    assert sent(parameter("p", location, schema, style=style, explode=explode), value) == value


def nested_values() -> st.SearchStrategy[Any]:
    item = st.fixed_dictionaries({"name": WORDS}, optional={"tags": st.lists(WORDS, min_size=1, max_size=3)})
    return st.fixed_dictionaries({"items": st.lists(item, min_size=1, max_size=3)}, optional={"size": st.integers()})


NESTED = {
    "type": "object",
    "properties": {
        "size": {"type": "integer"},
        "items": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"type": "string"}, "tags": ARRAY}},
        },
    },
}


@settings(max_examples=100, deadline=None)
@given(nested_values())
def test_a_nested_deep_object_arrives_as_it_was(value: Any) -> None:
    definition = parameter("p", "query", NESTED, style="deepObject", explode=True, **{"x-nested": True})
    assert sent(definition, value) == value


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["s", "n", "o", "l"]), st.just(0), min_size=1).flatmap(
        lambda keys: st.fixed_dictionaries({key: FORM_VALUES[key] for key in keys})
    )
)
def test_a_form_in_the_querystring_arrives_as_it_was(value: Any) -> None:
    properties = {"s": {"type": "string"}, "n": {"type": "integer"}, "o": {"type": "object"}, "l": ARRAY}
    content = {"application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": properties}}}
    assert sent(parameter("p", "querystring", content=content), value) == value


FORM_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "s": st.text(st.characters(codec="utf-8"), max_size=5),
    "n": st.integers(),
    "o": st.dictionaries(WORDS, st.integers(-5, 5) | WORDS, max_size=3),
    "l": st.lists(WORDS, min_size=1, max_size=3),
}
