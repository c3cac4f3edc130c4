"""multipart/form-data (RFC 7578) and other multipart bodies: parts become values and files, within limits."""

from __future__ import annotations

import base64
import gc
import json
from typing import Any

import pytest
from bodies_support import BOUNDARY, FORM_DATA, Taker, form_data, part, parts, raw_part, read, takers_are_closed  # noqa: F401  a fixture
from hypothesis import given, settings
from hypothesis import strategies as st

from brrtrouter import App
from brrtrouter.core.uploads import UploadFile, safe_filename
from brrtrouter.testing import TestClient

INTEGER = {"type": "integer"}
STRING = {"type": "string"}
OBJECT = {"type": "object", "properties": {"x": INTEGER}}
BINARY = {"type": "string", "format": "binary"}
RAW = {"contentMediaType": "image/png"}
TEXT = "Content-Type: text/plain"
JSON = "Content-Type: application/json"
PNG = "Content-Type: image/png"
OCTETS = "application/octet-stream"


def test_parts_become_what_their_schemas_say() -> None:
    taker = Taker(
        form_data({
            "name": STRING, "age": INTEGER, "at": OBJECT, "ids": {"type": "array", "items": INTEGER},
            "all": {"type": "array", "items": OBJECT}, "file": BINARY, "files": {"type": "array", "items": BINARY},
        })
    )  # fmt: skip
    body = taker.take(
        parts(
            part("name", "é\r\n".encode()), part("age", b"7"), part("ids", b"1"), part("at", b'{"x":1}', JSON),
            part("ids", b"2", TEXT), part("all", b"{}"), part("file", b"\x00\xff", PNG, filename="a.png"),
            part("files", b"1", filename="1"), part("files", b"", filename="2"), part("more", b"m"),
        )
    )  # fmt: skip
    assert read(body) == {
        "name": "é\r\n", "age": 7, "ids": [1, 2], "at": {"x": 1}, "all": [{}], "more": "m",
        "file": ("a.png", "image/png", b"\x00\xff"), "files": [("1", OCTETS, b"1"), ("2", OCTETS, b"")],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("version", "schema", "is_file"),
    [
        ("3.0.3", {"type": "string", "format": "binary"}, True),
        ("3.0.3", {"type": "string", "format": "byte"}, True),
        ("3.0.3", {"type": "string"}, False),
        ("3.0.3", {}, False),
        ("3.1.0", {}, True),
        ("3.1.0", {"contentMediaType": "image/png"}, True),
        ("3.1.0", {"contentMediaType": "text/csv", "type": "string"}, False),
        ("3.1.0", {"type": "string", "contentMediaType": "image/png", "contentEncoding": "base64"}, True),
        ("3.1.0", {"type": "string", "format": "binary"}, True),
        ("3.1.0", {"type": "string"}, False),
        ("3.2.0", {"$ref": "#/components/schemas/File"}, True),
        ("3.2.0", {"allOf": [{"$ref": "#/components/schemas/File"}]}, True),
    ],
)
def test_what_a_file_is_differs_between_versions(version: str, schema: dict[str, Any], is_file: bool) -> None:
    taker = Taker(form_data({"f": schema}), version=version, schemas={"File": {"type": "string", "format": "binary"}})
    body = taker.take(parts(part("f", base64.b64encode(b"hello!"))))
    assert isinstance(body["f"], UploadFile) is is_file


@pytest.mark.parametrize(
    ("schema", "version"),
    [
        ({"type": "string", "contentEncoding": "base64"}, "3.1.0"),
        ({"type": "string", "contentEncoding": "base64url"}, "3.1.0"),
        ({"type": "string", "format": "byte"}, "3.0.3"),
    ],
)
def test_a_file_written_as_base64_comes_as_what_it_stands_for(schema: dict[str, Any], version: str) -> None:
    taker = Taker(form_data({"f": schema}), version=version)
    encode = base64.urlsafe_b64encode if schema.get("contentEncoding") == "base64url" else base64.encodebytes
    content = bytes(range(256))
    assert read(taker.take(parts(part("f", encode(content), filename="x"))))["f"] == ("x", OCTETS, content)
    assert taker.faults(parts(part("f", b"not base64!"))) == [("/f", "contentEncoding")]


def test_the_length_of_a_file_is_its_bytes() -> None:
    taker = Taker(form_data({"f": {**BINARY, "minLength": 2, "maxLength": 3, "pattern": "^a"}}))
    for content in (b"\xff\xff", b"bbb"):
        assert taker.take(parts(part("f", content)))
    assert taker.faults(parts(part("f", b"a"))) == [("/f", "minLength")]
    assert taker.faults(parts(part("f", b"aaaa"))) == [("/f", "maxLength")]


def test_what_schemas_say_about_the_text_of_files_hides_nothing() -> None:
    files = {"type": "array", "items": {**BINARY, "pattern": "^never$", "minLength": 1, "format": "binary"}}
    taker = Taker(form_data({"f": files, "n": {"type": "integer", "maximum": 3}}))
    many = [part("f", b"x")] * 900
    assert len(taker.take(parts(*many, part("n", b"3")))["f"]) == 900
    assert taker.faults(parts(*many, part("n", b"4"))) == [("/n", "maximum")]


def test_a_file_counts_for_the_rules_about_its_place() -> None:
    files = {"type": "array", "items": BINARY, "minItems": 2, "uniqueItems": True}
    taker = Taker(form_data({"f": files, "r": BINARY}, required=["r"]))
    same = part("f", b"x", filename="x")
    assert len(taker.take(parts(part("r", b""), same, same))["f"]) == 2
    assert sorted(taker.faults(parts(same))) == [("", "required"), ("/f", "minItems")]


def test_parts_that_nobody_declared() -> None:
    body = Taker(form_data({})).take(
        parts(
            part("t", b"x"), part("t", b"y", TEXT), part("f", b"z", filename="z"), part("p", b"z", PNG),
            part("j", b"[1]", JSON),
        )
    )  # fmt: skip
    assert read(body) == {"t": ["x", "y"], "f": ("z", OCTETS, b"z"), "p": (None, "image/png", b"z"), "j": [1]}
    numbers = Taker(form_data({}, additionalProperties=INTEGER))
    assert numbers.take(parts(part("a", b"1"))) == {"a": 1}
    assert Taker(form_data({}, additionalProperties=False)).faults(parts(part("a", b"1"))) == [
        ("", "additionalProperties")
    ]


def test_everything_that_is_wrong_is_in_one_answer() -> None:
    taker = Taker(
        form_data({"n": INTEGER, "at": OBJECT, "f": {**BINARY, "maxLength": 1}, "one": STRING}, required=["r"]),
        parameters=[{"name": "q", "in": "query", "schema": INTEGER}],
    )
    wrong = parts(
        part("n", b"x"), part("at", b'{"x":"y"}'), part("f", b"22"), part("one", b"1"), part("one", b"2")
    )  # fmt: skip
    response = taker.post(wrong, query="?q=z")
    assert sorted((f["location"], f["pointer"], f["keyword"]) for f in response.json()["errors"]) == [
        ("body", "", "required"),
        ("body", "/at/x", "type"),
        ("body", "/f", "maxLength"),
        ("body", "/n", "type"),
        ("body", "/one", "duplicate"),
        ("query", "/q", "type"),
    ]


# -- Encoding Objects


def test_the_content_type_of_a_part_has_to_be_one_that_is_declared() -> None:
    taker = Taker(form_data({"f": BINARY, "m": RAW}, {"f": {"contentType": "image/*, application/pdf"}}))
    for content_type in (PNG, "Content-Type: application/pdf; x=y", "Content-Type: IMAGE/GIF"):
        assert taker.take(parts(part("f", b"x", content_type)))
    assert taker.take(parts(part("f", b"x")))
    assert taker.faults(parts(part("f", b"x", TEXT), part("m", b"x", TEXT))) == [
        ("/f", "contentType"),
        ("/m", "contentType"),
    ]


def test_a_part_that_has_to_be_json() -> None:
    taker = Taker(form_data({"at": OBJECT, "s": STRING}, {"s": {"contentType": "application/json"}}))
    assert taker.take(parts(part("at", b'{"x":1}', TEXT), part("s", b'"a"', JSON))) == {"at": {"x": 1}, "s": "a"}
    assert taker.faults(parts(part("at", b"{}", PNG), part("s", b'"a"', TEXT))) == [
        ("/at", "contentType"),
        ("/s", "contentType"),
    ]
    assert taker.faults(parts(part("at", b"{"))) == [("/at", "syntax")]
    deep = Taker(form_data({"at": OBJECT}), json_depth=5)
    assert deep.faults(parts(part("at", b'{"x":' + b"[" * 9 + b"]" * 9 + b"}"))) == [("/at", "syntax")]


def test_the_charset_of_a_part() -> None:
    taker = Taker(form_data({"s": STRING}))
    latin = part("s", b"\xe9", "Content-Type: text/plain; charset=ISO-8859-1")
    assert taker.take(parts(latin)) == {"s": "é"}
    assert taker.faults(parts(part("s", b"\xe9"))) == [("/s", "contentType")]
    assert taker.faults(parts(part("s", b"x", "Content-Type: text/plain; charset=klingon"))) == [("/s", "contentType")]


@pytest.mark.parametrize(
    ("encoding", "schema", "sent", "value"),
    [
        ({"style": "deepObject"}, OBJECT, [("v[x]", b"1")], {"x": 1}),
        ({"style": "form", "explode": True}, OBJECT, [("x", b"1")], {"x": 1}),
        ({"explode": False}, {"type": "array", "items": STRING}, [("v", b"a+b,%41")], ["a+b", "%41"]),
        (
            {"style": "pipeDelimited", "explode": False},
            {"type": "array", "items": STRING},
            [("v", b"a|b&c")],
            ["a", "b&c"],
        ),
    ],
)
def test_styles_in_form_data_without_percent_encoding(
    encoding: dict[str, Any], schema: dict[str, Any], sent: list[tuple[str, bytes]], value: Any
) -> None:
    taker = Taker(form_data({"v": schema, "f": BINARY}, {"v": encoding}))
    body = taker.take(parts(*(part(name, content) for name, content in sent), part("f", b"x", filename="f")))
    assert read(body) == {"v": value, "f": ("f", OCTETS, b"x")}


def test_declared_headers_of_a_part_are_checked_and_decoded() -> None:
    headers = {
        "X-Rate": {"required": True, "schema": {"type": "integer", "maximum": 9}},
        "X-Tags": {"schema": {"type": "array", "items": STRING}},
        "Content-Type": {"schema": {"const": "never looked at"}},
    }
    taker = Taker(form_data({"f": BINARY}, {"f": {"headers": headers}}))
    assert taker.take(parts(part("f", b"", "x-rate: 4", "X-Tags: a, b")))["f"].headers == {
        "x-rate": 4, "x-tags": ["a", "b"],
    }  # fmt: skip
    for line, keyword in (("X-Other: 1", "required"), ("X-Rate: 10", "maximum"), ("X-Rate: x", "type")):
        assert taker.faults(parts(part("f", b"", line))) == [("/f", keyword)]


# -- multipart bodies that are lists


def test_a_list_of_parts_by_position() -> None:
    media = {
        "schema": {"type": "array", "prefixItems": [OBJECT, STRING], "items": BINARY, "maxItems": 4},
        "prefixEncoding": [{"contentType": "application/json"}, {"contentType": "text/plain"}],
        "itemEncoding": {"contentType": "image/*"},
    }
    taker = Taker({"multipart/mixed": media}, version="3.2.0")
    sent = f"multipart/mixed; boundary={BOUNDARY}"
    body = taker.take(parts(raw_part(JSON, b'{"x":1}'), raw_part("X-A: b", b"t"), raw_part(PNG, b"1")), sent)
    assert read(body) == [{"x": 1}, "t", (None, "image/png", b"1")]
    assert taker.faults(parts(raw_part(TEXT, b"{}"), raw_part("X-A: b", b""), raw_part(TEXT, b"")), sent) == [
        ("/0", "contentType"),
        ("/2", "contentType"),
    ]
    assert taker.faults(parts(*[raw_part("X: 1", b"{}")] * 5), sent) == [("", "maxItems")]


def test_any_multipart_type_without_a_schema_is_a_list() -> None:
    taker = Taker({"multipart/*": {}})
    body = taker.take(parts(raw_part(TEXT, b"x"), raw_part(PNG, b"y")), f"multipart/related; boundary={BOUNDARY}")
    assert read(body) == ["x", (None, "image/png", b"y")]


def test_a_multipart_body_inside_of_another() -> None:
    inner = {"type": "array", "items": INTEGER, "maxItems": 2}
    encoding = {"l": {"contentType": "multipart/mixed", "itemEncoding": {"contentType": "text/plain"}}}
    taker = Taker(form_data({"l": inner}, encoding), version="3.2.0")

    def nested(*texts: bytes) -> bytes:
        lines = b"".join(b"--in\r\n\r\n" + text + b"\r\n" for text in texts) + b"--in--"
        return parts(part("l", lines, "Content-Type: multipart/mixed; boundary=in"))

    assert taker.take(nested(b"1", b"2")) == {"l": [1, 2]}
    assert taker.faults(nested(b"1", b"x")) == [("/l/1", "type")]
    assert taker.faults(nested(b"1", b"2", b"3")) == [("/l", "maxItems")]
    assert taker.faults(parts(part("l", b"", "Content-Type: multipart/mixed"))) == [("/l", "multipart")]


# -- files


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("a.png", "a.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.txt", "a.txt"),
        ("c:a.txt", "a.txt"),
        ("...", None),
        ("..", None),
        ("", None),
        (" .a ", "a"),
        ("a\x00\x1f\x7fb", "ab"),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
        ("é" * 200, "é" * 127),
        (None, None),
    ],
)
def test_a_file_name_is_made_safe(sent: str | None, name: str | None) -> None:
    assert safe_filename(sent) == name
    assert UploadFile(sent).raw_filename == sent


def test_a_file_is_in_memory_until_it_is_large() -> None:
    taker = Taker(form_data({"f": BINARY}), file_memory=10)
    small, large = taker.take(parts(part("f", b"1" * 10)))["f"], taker.take(parts(part("f", b"1" * 11)))["f"]
    assert (small.in_memory, large.in_memory) == (True, False)
    assert (large.size, large.read(4), large.read(), large.read()) == (11, b"1111", b"1111111", b"")
    large.seek(10)
    assert large.read() == b"1"


def test_files_are_closed_when_nobody_has_them_any_more() -> None:
    taker = Taker(form_data({"f": BINARY, "n": INTEGER}), file_memory=1)
    opened = taker.take(parts(part("f", b"22")))["f"].file
    taker.body = None
    gc.collect()
    assert opened.closed
    with UploadFile() as upload:
        upload.write(b"x")
    assert upload.file.closed


def test_the_echo_of_a_file_says_what_is_known_of_it() -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/x": {"post": {"requestBody": {"content": form_data({"f": BINARY})}, "responses": {}}}},
    }
    body = parts(part("f", b"12", PNG, filename="/a.png"), part("l", b"", filename="b"), part("l", b"x"))
    headers = {"Content-Type": f"{FORM_DATA}; boundary={BOUNDARY}"}
    echoed = TestClient(App(document, echo=True)).post("/x", content=body, headers=headers).json()["body"]
    assert echoed["f"] == {"filename": "a.png", "content_type": "image/png", "size": 2}
    assert echoed["l"] == [{"filename": "b", "content_type": OCTETS, "size": 0}, "x"]


# -- limits


@pytest.mark.parametrize(
    ("limits", "fits", "over", "status", "words"),
    [
        ({"form_fields": 2}, [part("a", b""), part("b", b"")], [part("c", b"")], 413, "more than 2 fields"),
        ({"field_size": 5}, [part("s", b"12345")], [part("t", b"123456")], 413, "part 2 has more than 5 bytes"),
        ({"field_size": 5}, [part("f", b"123456")], [part("x", b"123456")], 413, "part 2 has more than 5 bytes"),
        (
            {"file_size": 9},
            [part("f", b"1" * 9)],
            [part("g", b"1" * 10, filename="g")],
            413,
            "part 2 has more than 9 bytes",
        ),
        ({"part_header": 64}, [part("a", b"")], [part("n" * 64, b"")], 400, "before the content of part 2"),
        (
            {"part_header_count": 2},
            [part("a", b"", TEXT)],
            [part("b", b"", TEXT, "X-A: b")],
            400,
            "before the content of part 2",
        ),
    ],
)
def test_limits_of_multipart_bodies(
    limits: dict[str, int], fits: list[bytes], over: list[bytes], status: int, words: str
) -> None:
    taker = Taker(form_data({"f": BINARY}), **limits)
    assert taker.post(parts(*fits)).status == 200
    response = taker.post(parts(*fits, *over))
    assert response.status == status
    fault = response.json()["errors"][0]
    assert (fault["pointer"], fault["keyword"]) == ("", "limit")
    assert fault["message"].startswith(words)


def test_the_length_of_a_boundary_is_limited() -> None:
    taker = Taker(form_data({}), boundary=5)
    assert taker.post(b"--12345--\r\n", f"{FORM_DATA}; boundary=12345").status == 200
    assert taker.faults(b"--123456--\r\n", f"{FORM_DATA}; boundary=123456") == [("", "limit")]


# -- malformed

PLAIN = part("a", b"1")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"x", "before the content of part 1"),
        (b"--" + BOUNDARY.encode(), "before the content of part 1"),
        (PLAIN, "part 1: "),
        (PLAIN + PLAIN[:-30], "before the content of part 2"),
        (parts(PLAIN)[:-4], "part 1: "),
        (parts(raw_part("X-A: b", b"")), "part 1 has no Content-Disposition"),
        (parts(PLAIN, raw_part("Content-Disposition: form-data", b"")), "part 2 has no Content-Disposition"),
        (parts(raw_part('Content-Disposition: attachment; name="a"', b"")), "part 1 has no Content-Disposition"),
        (parts(part("a", b"", "no colon")), "before the content of part 1"),
        (parts(part("a", b"", "X-A: b\r\n c")), "before the content of part 1"),
        (parts(part("a", b"", 'Content-Disposition: form-data; name="b"')), "part 1 has Content-Disposition more"),
        (parts(part("a", b"", TEXT, JSON)), "part 1 has Content-Type more than once"),
        (parts(part("a", b"", "Content-Type: nonsense")), "part 1 has a Content-Type that is no media type"),
        (parts(part("a", b"12", "Content-Length: 1")), "part 1: "),
        (parts(PLAIN).replace(b"\r\n", b"\n"), "before the content of part 1"),
        (parts(PLAIN) + b"\r\n" + b"x" * 10, None),
        (b"preamble\r\n" + parts(PLAIN), None),
        (parts(), None),
    ],
)
def test_malformed_bodies_say_where(body: bytes, words: str | None) -> None:
    response = Taker(form_data({})).post(body)
    if words is None:
        assert response.status == 200
        return
    assert response.status == 400
    assert response.json()["type"].endswith("/malformed-body")
    assert response.json()["errors"][0]["message"].startswith(words)


@pytest.mark.parametrize("parameters", ["", "; boundary=", '; boundary="a\\\\"', "; boundary=a\xe9", '; boundary="a "'])
def test_a_boundary_that_is_missing_or_none(parameters: str) -> None:
    assert Taker(form_data({})).post(parts(PLAIN), "Multipart/Form-Data" + parameters).status in (400, 415)


# -- hostile

HOSTILE = {
    "tiny parts": part("a", b"") * 10_000,
    "a deep name": part("a" + "[b]" * 1200, b""),
    "many headers": part("a", b"", *["X-A: b"] * 20_000),
    "an endless header": b"--" + BOUNDARY.encode() + b"\r\nX-A: " + b"b" * 500_000,
    "a header of quotes": part('"; x="' * 600, b""),
    "a preamble flood": b"--" * 400_000,
    "boundaries that are none": (b"\r\n--" + BOUNDARY.encode() + b"x") * 10_000,
    "half boundaries": PLAIN[:-2] + (b"\r\n--" + BOUNDARY.encode()[:-1]) * 20_000,
    "carriage returns": PLAIN[:-2] + b"\r" * 900_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_are_refused_in_no_time(name: str) -> None:
    taker = Taker(form_data({"a": {"type": "object"}}, {"a": {"style": "deepObject", "x-nested": True}}))
    taker.client.timeout = 3
    assert taker.post(HOSTILE[name]).status in (400, 413)


# -- against a reference encoder, and against noise

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=10).filter(
    lambda name: name.strip() == name and not set(name) & set('"\\%')
)
FILES = st.tuples(NAMES, st.binary(max_size=200))
REFERENCE = Taker(form_data({"f": BINARY}, additionalProperties=True), file_memory=100)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAMES, NAMES, max_size=4), st.lists(FILES, min_size=1, max_size=3))
def test_what_a_reference_encoder_writes_is_read(fields: dict[str, str], files: list[tuple[str, bytes]]) -> None:
    httpx = pytest.importorskip("httpx")
    fields = {name: value for name, value in fields.items() if name not in ("f", "more")}
    uploads = [("more", (name, content)) for name, content in files]
    request = httpx.Request("POST", "http://x", data=fields, files=uploads)
    assert REFERENCE.post(request.read(), request.headers["content-type"]).status == 200
    body = read(REFERENCE.body)
    received = body.pop("more")
    assert [content for _, _, content in (received if isinstance(received, list) else [received])] == [
        content for _, content in files
    ]
    assert body == fields


WORDS = ["--", BOUNDARY, "\r\n", "\r", "\n", ";", " ", "a", "1", '"f"', '"n"', "application/json"]
LINES = ["Content-Disposition: form-data; name=", "Content-Type: ", "Content-Length: 1"]
NOISE = st.lists(st.sampled_from([*WORDS, *LINES]).map(str.encode) | st.binary(max_size=5), max_size=30)
FUZZED = Taker(form_data({"f": BINARY, "n": INTEGER, "j": OBJECT}), file_memory=2)


@settings(max_examples=400, deadline=None)
@given(NOISE)
def test_no_bytes_do_more_than_400(pieces: list[bytes]) -> None:
    assert FUZZED.post(b"".join(pieces)).status in (200, 400)
    start = b"--" + BOUNDARY.encode() + b"\r\n"
    assert FUZZED.post(start + b"".join(pieces)).status in (200, 400, 413)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 400))
def test_a_changed_body_is_read_or_refused(change: bytes, at: int) -> None:
    whole = parts(part("f", b"123", PNG, filename="x"), part("n", b"1"), part("j", b'{"x": 1}', JSON))
    assert FUZZED.post(whole[:at] + change + whole[at + len(change) :]).status in (200, 400, 413)


def test_json_values_survive_a_form() -> None:
    value = {"x": 1, "y": [None, 1.5, {"z": "é"}], "big": 2**80}
    assert Taker(form_data({"j": OBJECT})).take(parts(part("j", json.dumps(value).encode()))) == {"j": value}
