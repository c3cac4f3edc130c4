"""XML bodies by XML Objects (OpenAPI 3.1 section 4.8.26, 3.2 section 4.26), and XML that is refused."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

import pytest
from bodies_support import XML, Taker, takers_are_closed  # noqa: F401  a fixture
from hypothesis import given, settings
from hypothesis import strategies as st

INTEGER = {"type": "integer"}
STRING = {"type": "string"}
STRINGS = {"type": "array", "items": STRING}


def taker(schema: dict[str, Any], version: str = "3.1.0", **more: Any) -> Taker:
    return Taker({XML: {"schema": schema}}, version=version, **more)


def thing(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "xml": {"name": "thing"}, **more}


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (INTEGER, "<v> 4\n</v>", 4),
        ({"type": "number"}, "<v>1.5</v>", 1.5),
        ({"type": "boolean"}, "<v>true</v>", True),
        (STRING, "<v> a&amp;<![CDATA[<b>]]>&#233; </v>", " a&<b>é "),
        ({"type": ["integer", "null"]}, "<v/>", None),
        (
            {"type": ["string", "null"]},
            '<v xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>',
            None,
        ),
        ({"type": "array", "items": INTEGER}, "<v><i>1</i><i>2</i></v>", [1, 2]),
        ({}, "<v><a>1</a></v>", {"a": "1"}),
    ],
)
def test_an_element_becomes_a_value_of_the_declared_type(schema: dict[str, Any], text: str, value: Any) -> None:
    if not schema:
        schema = {"type": "object"}
    assert taker(schema).take(text) == value


@pytest.mark.parametrize(
    ("member", "text", "value"),
    [
        (STRING, "<v>a</v>", "a"),
        ({"type": "string", "xml": {"name": "w"}}, "<w>a</w>", "a"),
        (STRINGS, "<v>a</v><v>b</v>", ["a", "b"]),
        ({**STRINGS, "xml": {"wrapped": True}}, "<v><v>a</v><v>b</v></v>", ["a", "b"]),
        ({**STRINGS, "xml": {"wrapped": True}}, "<v/>", []),
        ({**STRINGS, "xml": {"wrapped": True, "name": "all"}}, "<all><all>a</all></all>", ["a"]),
        ({"type": "array", "items": {"type": "string", "xml": {"name": "i"}}}, "<i>a</i><i>b</i>", ["a", "b"]),
        (
            {"type": "array", "items": {"type": "string", "xml": {"name": "i"}}, "xml": {"name": "unused"}},
            "<i>a</i>",
            ["a"],
        ),
        (
            {"type": "array", "items": {"type": "string", "xml": {"name": "i"}}, "xml": {"wrapped": True, "name": "w"}},
            "<w><i>a</i></w>",
            ["a"],
        ),
    ],
)
def test_names_and_wrapping_of_members(member: dict[str, Any], text: str, value: Any) -> None:
    assert taker(thing({"v": member})).take(f"<thing>{text}</thing>") == {"v": value}


@pytest.mark.parametrize(
    ("version", "xml"),
    [("3.0.3", {"attribute": True}), ("3.1.0", {"attribute": True}), ("3.2.0", {"nodeType": "attribute"})],
)
def test_attributes(version: str, xml: dict[str, Any]) -> None:
    target = taker(thing({"id": {"type": "integer", "xml": {**xml, "name": "key"}}}, required=["id"]), version)
    assert target.take('<thing key="4"/>') == {"id": 4}
    assert target.faults('<thing key="x"/>') == [("/id", "type")]
    assert target.faults("<thing/>") == [("", "required")]


@pytest.mark.parametrize("kind", ["text", "cdata"])
def test_the_text_of_an_element_beside_attributes(kind: str) -> None:
    size = {"type": "integer", "xml": {"nodeType": kind}}
    target = taker(thing({"unit": {"type": "string", "xml": {"nodeType": "attribute"}}, "size": size}), "3.2.0")
    assert target.take('<thing unit="mm"> 12 </thing>') == {"unit": "mm", "size": 12}


@pytest.mark.parametrize(("node_type", "text"), [("element", "<v><v>1</v></v>"), ("none", "<v>1</v>")])
def test_node_types_of_lists(node_type: str, text: str) -> None:
    target = taker(thing({"v": {"type": "array", "items": INTEGER, "xml": {"nodeType": node_type}}}), "3.2.0")
    assert target.take(f"<thing>{text}</thing>") == {"v": [1]}


def test_namespaces_are_compared_and_prefixes_are_not() -> None:
    space = {"namespace": "http://example.com/a", "prefix": "p"}
    target = taker(thing({"v": {"type": "integer", "xml": space}}))
    assert target.take('<thing xmlns:q="http://example.com/a"><q:v>1</q:v></thing>') == {"v": 1}
    assert target.take('<thing><v xmlns="http://example.com/a">1</v></thing>') == {"v": 1}
    assert target.faults('<thing xmlns:p="http://example.com/b"><p:v>1</p:v></thing>') == [("/v", "xml")]


def test_a_schema_that_refers_to_itself() -> None:
    schemas = {
        "Node": {
            "type": "object",
            "properties": {"n": INTEGER, "next": {"$ref": "#/components/schemas/Node"}},
            "additionalProperties": False,
        }
    }
    target = taker({"$ref": "#/components/schemas/Node"}, schemas=schemas)
    assert target.take("<Node><n>1</n><next><n>2</n></next></Node>") == {"n": 1, "next": {"n": 2}}
    assert target.faults("<node/>") == [("", "xml")]
    assert target.faults("<Node><next><m/></next></Node>") == [("/next", "additionalProperties")]


def test_elements_that_nobody_declared() -> None:
    target = taker(thing({}))
    text = '<thing a="1"><x>1</x><x/><y k="v"><z>2</z><z>3</z><z/></y></thing>'
    assert target.faults("<thing><x/><x/></thing>") == [("/x", "duplicate")]
    assert target.take(text.replace("<x/>", "")) == {"a": "1", "x": "1", "y": {"k": "v", "z": ["2", "3", ""]}}
    typed = taker(thing({}, additionalProperties=INTEGER))
    assert typed.take("<thing><x>1</x></thing>") == {"x": 1}


def test_everything_that_is_wrong_is_in_one_answer() -> None:
    properties = {"n": INTEGER, "l": {"type": "array", "items": {"type": "integer", "maximum": 3}}, "s": STRING}
    text = "<thing>x<n>a</n><l>4</l><l>b</l><s><t/></s><s/></thing>"
    assert sorted(taker(thing(properties, required=["r"])).faults(text)) == [
        ("", "xml"), ("/l/1", "type"), ("/n", "type"), ("/s", "duplicate"), ("/s", "type"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("declaration", "media_type", "encoding"),
    [
        ("", XML, "utf-8"),
        ('<?xml version="1.0" encoding="iso-8859-1"?>', XML, "latin-1"),
        ('<?xml version="1.0" encoding="UTF-16"?>', XML, "utf-16"),
        ('<?xml version="1.0" encoding="windows-1252"?>', XML, "cp1252"),
        ('<?xml version="1.0" encoding="utf-8"?>', f"{XML}; charset=iso-8859-1", "latin-1"),
        ("", "text/xml", "utf-8"),
        ("", "application/vnd.a+xml", "utf-8"),
    ],
)
def test_the_encoding_of_the_text(declaration: str, media_type: str, encoding: str) -> None:
    content = {XML: {"schema": STRING}, "text/*": {"schema": STRING}, "application/*": {"schema": STRING}}
    assert Taker(content).take(f"{declaration}<v>é</v>".encode(encoding), media_type) == "é"


def test_a_charset_that_is_not_read_is_415() -> None:
    assert taker(STRING).post("<v/>", f"{XML}; charset=ebcdic").status == 415


@pytest.mark.parametrize(
    "text",
    [
        "", "<", "<v>", "<v></w>", "<v/><v/>", "text", "<v>&undefined;</v>", "<v a='1' a='2'/>", "<p:v/>",
        "<v>\x01</v>",
        '<?xml version="1.0" encoding="klingon"?><v/>', '<?xml version="1.0" encoding="shift_jis"?><v/>',
        '<?xml version="1.0" encoding="rot13"?><v/>',
    ],
)  # fmt: skip
def test_what_is_no_xml_is_400(text: str) -> None:
    assert taker({"type": "object"}).faults(text) == [("", "syntax" if text else "required")]


BOMBS = {
    "laughs": "<!DOCTYPE v [" + "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9)) + "]><v>&a9;</v>",
    "quadratic": f'<!DOCTYPE v [<!ENTITY a "{"x" * 50_000}">]><v>{"&a;" * 50_000}</v>',
    "external entity": '<!DOCTYPE v [<!ENTITY a SYSTEM "file:///etc/passwd">]><v>&a;</v>',
    "external subset": '<!DOCTYPE v SYSTEM "http://127.0.0.1:9/x.dtd"><v/>',
    "parameter entity": '<!DOCTYPE v [<!ENTITY % a SYSTEM "http://127.0.0.1:9/"> %a;]><v/>',
    "harmless": "<!DOCTYPE v><v/>",
}


@pytest.mark.parametrize("name", BOMBS)
def test_document_types_are_refused(name: str) -> None:
    response = taker({"type": "object"}).post(BOMBS[name])
    assert response.status == 400
    assert response.json()["errors"][0]["message"] == "a document type declaration is not accepted"


def test_depth_is_limited() -> None:
    target = taker({"type": "object"}, json_depth=10)
    assert target.post("<v>" * 10 + "</v>" * 10).status == 200
    assert target.faults("<v>" * 11 + "</v>" * 11) == [("", "syntax")]
    assert taker({"type": "object"}).faults("<v>" * 300_000) == [("", "syntax")]


def test_the_number_of_elements_is_limited() -> None:
    target = taker({"type": "array", "items": STRING}, xml_elements=3)
    assert target.take("<v><a/><a/></v>") == ["", ""]
    response = target.post("<v><a/><a/><a/></v>")
    assert (response.status, response.json()["detail"]) == (413, "more than 3 elements")


@pytest.mark.parametrize(
    "text",
    [
        "<v>" + "<a/>x" * 150_000 + "</v>",
        "<v>" + "<a/>x" * 49_000 + "</v>",
        "<v " + " ".join(f'a{n}=""' for n in range(60_000)) + "/>",
        "<v>" + "&lt;" * 200_000 + "</v>",
        "<v" + ' xmlns="x"' * 90_000 + "/>",
    ],
)
def test_hostile_texts_end_in_no_time(text: str) -> None:
    target = taker({"type": "object"})
    target.client.timeout = 3
    assert target.post(text).status in (200, 400, 413)


PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=10)
WRAPPED = {"type": "array", "items": INTEGER, "xml": {"wrapped": True}}
ATTRIBUTE = {"type": "string", "xml": {"attribute": True}}
ORACLE = taker(thing({"s": STRING, "n": INTEGER, "l": STRINGS, "w": WRAPPED, "a": ATTRIBUTE}))
WORDS = [*"</>&;'=![]?", '"', " ", "thing", "s", "n", "xml", "a"]


@settings(max_examples=150, deadline=None)
@given(PLAIN, st.integers(), st.lists(PLAIN, min_size=1, max_size=3), st.lists(st.integers(), max_size=3), PLAIN)
def test_what_is_written_by_hand_is_read(s: str, n: int, texts: list[str], wrapped: list[int], a: str) -> None:
    quoted = escape(a, {'"': "&quot;"})
    items = "".join(f"<l>{escape(each)}</l>" for each in texts)
    inner = "".join(f"<w>{each}</w>" for each in wrapped)
    text = f'<thing a="{quoted}"><s>{escape(s)}</s><n>{n}</n>{items}<w>{inner}</w></thing>'
    assert ORACLE.take(text) == {"s": s, "n": n, "l": texts, "w": wrapped, "a": a}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=50) | st.lists(st.sampled_from(WORDS)).map(lambda words: "".join(words).encode()))
def test_no_bytes_do_more_than_400(raw: bytes) -> None:
    assert ORACLE.post(b"<thing>" + raw).status in (200, 400)
    assert ORACLE.post(raw).status in (200, 400)
