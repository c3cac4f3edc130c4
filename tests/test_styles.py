"""Every style of OpenAPI's table (3.1 section 4.8.12.6, 3.2 appendices B and E), in the direction of decoding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from argument_door import Door, Refused, parameter

VECTORS = Path(__file__).resolve().parent.parent.parent / "shared" / "specs" / "_suites" / "param-style-vectors.json"


def vectors() -> list[Any]:
    if not VECTORS.exists():
        return []
    found = json.loads(VECTORS.read_text())["vectors"]
    return [
        pytest.param(vector, id=f"{at}-{vector['in']}-{vector.get('style', 'content')}")
        for at, vector in enumerate(found)
    ]


def door_of(vector: dict[str, Any]) -> Door:
    location = vector["in"]
    keys = ("style", "explode", "schema", "content", "allowReserved")
    made = {"name": vector["name"], "in": location, **{key: vector[key] for key in keys if key in vector}}
    if location == "path":
        return Door(made | {"required": True}, path="/x/{color}")
    version = "3.2.0" if "cookie" in vector.values() or location == "querystring" else "3.1.0"
    return Door(made, version=version)


def decode(door: Door, location: str, wire: str) -> Any:
    if location == "path":
        return door.path(f"/x/{wire}")
    if location == "header":
        return door.headers(("Color", wire))
    return door.cookies(wire) if location == "cookie" else door.query(wire)


def expected(vector: dict[str, Any]) -> Any:
    """The table's column "undefined" is about a value that is not there: where the schema says string, empty text."""
    nothing = vector["value"] is None and vector["schema"]["type"] == "string"
    return "" if nothing else vector["value"]


@pytest.mark.skipif(not VECTORS.exists(), reason="the vectors are not here")
@pytest.mark.parametrize("vector", vectors())
def test_a_published_vector_is_decoded(vector: dict[str, Any]) -> None:
    door = door_of(vector)
    if vector["in"] == "path" and vector["wire"] == "":
        # A capture is never empty: there is no such path.
        assert door.client.get("/x/").status == 404
        return
    found = decode(door, vector["in"], vector["wire"])
    assert not isinstance(found, Refused), found
    value = found[vector["name"]]
    assert value == expected(vector)
    assert type(value) is type(expected(vector))


# -- label and matrix -------------------------------------------------------------------------------------------------

INTEGERS = {"type": "array", "items": {"type": "integer"}}
RGB = {"type": "object", "properties": {name: {"type": "integer"} for name in "RGB"}}


def path_door(schema: Any, style: str, explode: bool, name: str = "color") -> Door:
    return Door(parameter(name, "path", schema, style=style, explode=explode), path=f"/x/{{{name}}}")


@pytest.mark.parametrize(
    ("style", "explode", "schema", "wire", "value"),
    [
        ("label", False, {"type": "integer"}, ".5", 5),
        ("label", False, {"type": "string"}, ".a%2Eb.c", "a.b.c"),
        ("label", True, INTEGERS, ".1.2", [1, 2]),
        ("label", False, INTEGERS, ".1,2", [1, 2]),
        ("label", False, INTEGERS, ".", []),
        ("label", True, RGB, ".R=1.G=2", {"R": 1, "G": 2}),
        ("matrix", False, {"type": "integer"}, ";color=5", 5),
        ("matrix", False, {"type": "string"}, ";color=a%3Bb", "a;b"),
        ("matrix", False, {"type": "string"}, ";col%6Fr=x", "x"),
        ("matrix", True, INTEGERS, ";color=1;color=2", [1, 2]),
        ("matrix", False, INTEGERS, ";color=1,2", [1, 2]),
        ("matrix", False, INTEGERS, ";color", []),
        ("matrix", True, RGB, ";R=1;B=2", {"R": 1, "B": 2}),
        ("matrix", False, RGB, ";color=R,1", {"R": 1}),
    ],
)
def test_label_and_matrix(style: str, explode: bool, schema: Any, wire: str, value: Any) -> None:
    assert path_door(schema, style, explode).path(f"/x/{wire}") == {"color": value}


@pytest.mark.parametrize(
    ("style", "explode", "schema", "wire", "pointer", "keyword"),
    [
        ("label", False, {"type": "integer"}, "5", "", "style"),
        ("label", False, {"type": "integer"}, ".x", "", "type"),
        ("label", True, INTEGERS, ".1.x", "/1", "type"),
        ("label", False, RGB, ".R,1,G", "", "style"),
        ("label", True, RGB, ".R=1.G", "", "style"),
        ("label", True, RGB, ".R=1.R=2", "", "duplicate"),
        ("label", True, RGB, ".R=x", "/R", "type"),
        ("label", False, {"type": "string"}, ".%2F%41", None, None),
        ("matrix", False, {"type": "integer"}, "color=5", "", "style"),
        ("matrix", False, {"type": "integer"}, ";other=5", "", "style"),
        ("matrix", False, {"type": "integer"}, ";color=5;color=6", "", "style"),
        ("matrix", True, INTEGERS, ";color=1;color=x", "/1", "type"),
        ("matrix", True, INTEGERS, ";color=1;other=2", "", "style"),
        ("matrix", True, {"type": "object", "properties": {"a/b": {"type": "integer"}}}, ";a%2Fb=x", "/a~1b", "type"),
    ],
)
def test_text_that_the_style_does_not_allow_is_refused_with_its_place(
    style: str, explode: bool, schema: Any, wire: str, pointer: str | None, keyword: str | None
) -> None:
    found = path_door(schema, style, explode).path(f"/x/{wire}")
    if keyword is None:
        assert found == {"color": "/A"}
    else:
        assert found.faults == [("path", f"/color{pointer}", keyword)]


# -- separators -------------------------------------------------------------------------------------------------------

STRINGS = {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    ("style", "explode", "wire", "items"),
    [
        ("form", False, "a,b", ["a", "b"]),
        ("form", False, "a%2Cb,c", ["a,b", "c"]),
        ("form", False, ",", ["", ""]),
        ("form", False, "", []),
        ("form", False, "a+b,c%20d", ["a b", "c d"]),
        ("spaceDelimited", False, "a%20b+c", ["a", "b", "c"]),
        ("spaceDelimited", False, "a%2520b", ["a%20b"]),
        ("spaceDelimited", False, "a,b", ["a,b"]),
        ("pipeDelimited", False, "a|b%7Cc%7cd", ["a", "b", "c", "d"]),
        ("pipeDelimited", False, "a%257Cb", ["a%7Cb"]),
        ("pipeDelimited", True, "a", ["a"]),
        ("spaceDelimited", True, "a", ["a"]),
    ],
)
def test_arrays_are_split_on_the_raw_delimiter_and_then_decoded(
    style: str, explode: bool, wire: str, items: list[str]
) -> None:
    assert Door(parameter("p", "query", STRINGS, style=style, explode=explode)).query(f"p={wire}") == {"p": items}


def test_an_array_that_ends_in_a_lone_percent_is_refused_not_read_beyond() -> None:
    for style in ("form", "spaceDelimited", "pipeDelimited"):
        door = Door(parameter("p", "query", STRINGS, style=style, explode=False))
        for wire in ("a%", "%", "a%2", "a%7", "%7"):
            assert door.query(f"p={wire}").faults == [("query", "/p/0", "style")]


@pytest.mark.parametrize(
    ("style", "wire"),
    [("form", "R,1,G,2"), ("spaceDelimited", "R%201+G%202"), ("pipeDelimited", "R|1%7CG|2")],
)
def test_objects_between_separators(style: str, wire: str) -> None:
    assert Door(parameter("p", "query", RGB, style=style, explode=False)).query(f"p={wire}") == {"p": {"R": 1, "G": 2}}


# -- objects whose members are pairs of their own ---------------------------------------------------------------------


def test_deep_object_takes_its_own_names_and_leaves_the_rest() -> None:
    door = Door(parameter("f", "query", RGB, style="deepObject", explode=True))
    assert door.query("f[R]=1&f%5BG%5D=2&other=x&f[=y&f[a][b]=z") == {
        "f": {"R": 1, "G": 2},
        "other": "x",
        "f[": "y",
        "f[a][b]": "z",
    }
    assert door.query("f[R]=1&f[R]=2").faults == [("query", "/f", "duplicate")]
    assert door.query("f[R]=x").faults == [("query", "/f/R", "type")]
    assert door.query("f[R]=%zz").faults == [("query", "/f/R", "style")]
    assert door.query("") == {}


def test_an_exploded_form_object_takes_the_names_of_its_properties() -> None:
    closed = RGB | {"additionalProperties": False}
    door = Door(parameter("color", "query", closed), parameter("q", "query", {"type": "string"}))
    assert door.query("R=1&q=x&B=3&z=9") == {"color": {"R": 1, "B": 3}, "q": "x", "z": "9"}
    assert door.query("R=1&R=2").faults == [("query", "/color", "duplicate")]
    assert door.query("G=x").faults == [("query", "/color/G", "type")]


def test_an_exploded_form_object_with_other_members_takes_what_nobody_else_declares() -> None:
    door = Door(
        parameter("rest", "query", {"type": "object", "additionalProperties": {"type": "integer"}}),
        parameter("q", "query", {"type": "string"}),
    )
    assert door.query("a=1&q=x&b=2") == {"rest": {"a": 1, "b": 2}, "q": "x"}


def test_a_required_object_without_members_is_missing() -> None:
    for style in ("form", "deepObject"):
        door = Door(
            parameter("p", "query", RGB | {"additionalProperties": False}, style=style, required=True, explode=True)
        )
        assert door.query("x=1").faults == [("query", "/p", "required")]


def test_an_exploded_cookie_object_leaves_declared_cookies_alone() -> None:
    door = Door(
        parameter("session", "cookie", {"type": "string"}),
        parameter("rest", "cookie", {"type": "object", "additionalProperties": {"type": "integer"}}),
    )
    assert door.cookies("session=abc; a=1; b=2")["rest"] == {"a": 1, "b": 2}


# -- content ----------------------------------------------------------------------------------------------------------

JSON = {"application/json": {"schema": {"type": "object", "properties": {"n": {"type": "integer"}}}}}


@pytest.mark.parametrize("location", ["path", "query", "header", "cookie"])
def test_content_is_json_in_every_location(location: str) -> None:
    door = Door(parameter("p", location, content=JSON), path="/x/{p}" if location == "path" else "/x")
    escaped, raw = "%7B%22n%22%3A%201%7D", '{"n": 1}'
    send = {
        "path": lambda text: door.path(f"/x/{text}"),
        "query": lambda text: door.query(f"p={text}"),
        "header": lambda text: door.headers(("p", text)),
        "cookie": lambda text: door.cookies(f"p={text}"),
    }[location]
    assert send(raw if location == "header" else escaped)["p"] == {"n": 1}
    assert send("x").faults == [(location, "/p", "content")]
    wrong = send('{"n":"a"}' if location == "header" else "%7B%22n%22%3A%22a%22%7D")
    assert wrong.faults == [(location, "/p/n", "type")]


def test_text_above_ascii_in_a_json_header_is_the_text_that_was_sent() -> None:
    found = Door(parameter("p", "header", content={"application/json": {}})).headers(("P", '{"a":"é"}'))
    assert found["p"] == {"a": "é"}


# -- nested objects (x-nested) ----------------------------------------------------------------------------------------

NESTED = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"n": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "boolean"}}},
                "additionalProperties": {"type": "number"},
            },
        },
        "free": True,
    },
}


def nested_door(**rest: Any) -> Door:
    return Door(parameter("f", "query", NESTED, style="deepObject", explode=True, **{"x-nested": True, **rest}))


def test_a_nested_deep_object_is_cast_by_its_place_in_the_schema() -> None:
    found = nested_door().query(
        "f[items][1][n]=2&f[items][0][tags][]=true&f[items][0][tags][]=false&f%5Bitems%5D%5B0%5D%5Bx%5D=1.5"
        "&f[free][a][b]=1&f[free][c][]=2&other=3&f[a=5&fg[a]=6"
    )
    assert found["f"] == {
        "items": [{"tags": [True, False], "x": 1.5}, {"n": 2}],
        "free": {"a": {"b": "1"}, "c": ["2"]},
    }
    assert nested_door().query("f[items][0][tags]=true&f[items][0][tags]=false")["f"] == {
        "items": [{"tags": [True, False]}]
    }
    assert found["other"] == "3"
    assert (found["f[a"], found["fg[a]"]) == ("5", "6")


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("f[items][0][n]=x", ("query", "/f/items/0/n", "type")),
        ("f[items][1][n]=1", ("query", "/f/items", "style")),
        ("f[items][0][n]=1&f[items][00][n]=1", ("query", "/f/items", "style")),
        ("f[items][0][n]=1&f[items][0][n]=2", ("query", "/f/items/0/n", "duplicate")),
        ("f[items][0]=1&f[items][0][n]=2", ("query", "/f", "style")),
        ("f[items][0][n]=1&f[items][0]=2", ("query", "/f", "style")),
        ("f[items][][n]=1", ("query", "/f", "style")),
        ("f[free][]=1&f[free][a]=2", ("query", "/f/free", "style")),
        ("f[free]" + "[a]" * 16 + "=1", ("query", "/f", "limit")),
        ("f[items]=1", ("query", "/f/items/0", "type")),
        ("f[free]=1", ("query", "/f", "required")),
        (f"f[items][{'9' * 5000}][n]=1", ("query", "/f/items", "style")),
    ],
)
def test_what_a_nested_deep_object_cannot_mean_is_refused(query: str, fault: tuple[str, str, str]) -> None:
    found = nested_door().query(query)
    assert isinstance(found, Refused), found
    assert found.faults == [fault]


def test_nesting_is_for_those_who_ask_for_it() -> None:
    door = Door(parameter("f", "query", {"type": "object"}, style="deepObject", explode=True))
    assert door.query("f[a]=1&f[b][c]=2") == {"f": {"a": "1"}, "f[b][c]": "2"}


def test_a_recursive_schema_is_nested_as_deep_as_names_may_be() -> None:
    tree = {"type": "object", "properties": {"n": {"type": "integer"}}}
    tree["properties"]["left"] = {"$ref": "#/paths/~1x/get/parameters/0/schema"}  # type: ignore[index]
    door = Door(parameter("t", "query", tree, style="deepObject", explode=True, **{"x-nested": True}))
    assert door.query("t[left][left][left][n]=1") == {"t": {"left": {"left": {"left": {"n": 1}}}}}


@pytest.mark.parametrize("name", ["a[b", "a]b", "]", "[]", "a[]", "["])
def test_brackets_in_the_name_of_a_member_are_read_where_they_cannot_mean_a_level(name: str) -> None:
    door = Door(parameter("f", "query", {"type": "object"}, style="deepObject", explode=True))
    assert door.query(f"f[{quote(name)}]=1") == {"f": {name: "1"}}


def test_json_in_a_parameter_has_exact_integers_and_a_bounded_depth() -> None:
    door = Door(parameter("p", "query", content={"application/json": {"schema": {}}}))
    assert door.query(f"p={2**70}") == {"p": 2**70}
    assert door.query("p=" + "[" * 128 + "]" * 128)
    refused = door.query("p=" + "[" * 129 + "]" * 129)
    assert isinstance(refused, Refused)
    assert refused.faults == [("query", "/p", "content")]


def test_reserved_characters_may_come_unescaped() -> None:
    for allowed in (False, True):
        door = Door(parameter("p", "query", {"type": "string"}, allowReserved=allowed))
        assert door.query("p=:/?@!$'()*,;=%5B") == {"p": ":/?@!$'()*,;=["}
