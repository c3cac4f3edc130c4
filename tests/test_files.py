"""`File` as the result of a handler: its fields, ranges, conditions, and what middleware and validation see of it."""

from __future__ import annotations

import asyncio
import email
import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brrtrouter import App, File, Response
from brrtrouter.core.conditional import http_date
from brrtrouter.core.files import SMALL, content_disposition, media_type_of
from brrtrouter.testing import TestClient

CHANGED = 1_700_000_000
TEXT = b"0123456789"
LARGE = bytes(range(256)) * 4 * 300  # more than SMALL, and no multiple of what is read at once
DATE = http_date(CHANGED)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, content in (("a.txt", TEXT), ("large.bin", LARGE), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
        os.utime(tmp_path / name, (CHANGED, CHANGED))
    return tmp_path


def client_of(handler: Any, *, operation: dict[str, Any] | None = None, **options: Any) -> TestClient:
    get = {"operationId": "get", "responses": {"200": {"description": "it"}}, **(operation or {})}
    post = {"operationId": "post", "responses": {"200": {"description": "it"}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "files", "version": "1"},
        "paths": {"/f": {"get": get, "post": post}},
    }
    return TestClient(App(document, {"get": handler, "post": handler}, **options))


@pytest.fixture(params=["a.txt", "large.bin"])
def both(request: pytest.FixtureRequest) -> Iterator[tuple[TestClient, bytes]]:
    """A client of a handler that answers with a file: one that goes out as bytes, and one that is sent in pieces."""
    content = TEXT if request.param == "a.txt" else LARGE
    assert (len(content) > SMALL) is (request.param == "large.bin")
    with client_of(lambda request_: File(request.param)) as client:
        yield client, content


def etag_of(client: TestClient) -> str:
    tag: str = client.get("/f").headers["etag"]
    return tag


def test_a_file_goes_out_whole_with_all_that_caches_need(both: tuple[TestClient, bytes]) -> None:
    client, content = both
    answer = client.get("/f")
    assert (answer.status, answer.content) == (200, content)
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["last-modified"] == DATE
    assert answer.headers["accept-ranges"] == "bytes"
    assert re.fullmatch(r'"[0-9a-f-]+"', answer.headers["etag"])
    assert "transfer-encoding" not in answer.headers


def test_head_has_the_fields_of_get_and_no_body(both: tuple[TestClient, bytes]) -> None:
    client, _ = both
    get, head = client.get("/f"), client.head("/f")
    assert head.raw.endswith(b"\r\n\r\n")
    own = {"date": "", "x-request-id": ""}
    assert {**head.headers, **own} == {**get.headers, **own}
    # A Range is for GET only (RFC 9110 14.2).
    assert client.head("/f", headers={"Range": "bytes=0-1"}).status == 200


@pytest.mark.parametrize(("text", "start", "stop"), [("0-3", 0, 4), ("4-", 4, None), ("-3", -3, None), ("2-2", 2, 3)])
def test_one_range(both: tuple[TestClient, bytes], text: str, start: int, stop: int | None) -> None:
    client, content = both
    answer = client.get("/f", headers={"Range": f"bytes={text}"})
    assert (answer.status, answer.content) == (206, content[start:stop])
    first = start % len(content)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(content)}"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["etag"] == etag_of(client)


def parts_of(answer: Any) -> list[tuple[str, str, bytes]]:
    """(Content-Range, Content-Type, bytes) of each part, read by another implementation."""
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = email.message_from_bytes(head + answer.content)
    assert message.is_multipart()
    assert not message.defects
    edge = message.get_boundary()
    assert edge is not None
    raw = answer.content.split(b"--" + edge.encode())[1:-1]
    bodies = [piece.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for piece in raw]
    parts: Any = message.get_payload()
    return [(part["Content-Range"], part["Content-Type"], body) for part, body in zip(parts, bodies, strict=True)]


def test_several_ranges_are_parts_of_their_own(both: tuple[TestClient, bytes]) -> None:
    client, content = both
    size = len(content)
    media_type = client.get("/f").headers["content-type"]
    answer = client.get("/f", headers={"Range": "bytes=-1, 0-1, 4-5"})
    assert answer.status == 206
    assert "content-range" not in answer.headers
    assert parts_of(answer) == [
        (f"bytes {size - 1}-{size - 1}/{size}", media_type, content[-1:]),
        (f"bytes 0-1/{size}", media_type, content[:2]),
        (f"bytes 4-5/{size}", media_type, content[4:6]),
    ]
    assert client.get("/f", headers={"Range": "bytes=0-1,1-2"}).headers["content-range"] == f"bytes 0-2/{size}"


def test_ranges_beyond_the_end_are_416(both: tuple[TestClient, bytes]) -> None:
    client, content = both
    answer = client.get("/f", headers={"Range": f"bytes={len(content)}-"})
    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{len(content)}")
    assert answer.json()["type"].endswith("/range-not-satisfiable")


def test_a_field_that_is_no_byte_range_is_ignored(both: tuple[TestClient, bytes]) -> None:
    client, content = both
    for text in ("lines=1-2", "bytes=2-1", "junk"):
        answer = client.get("/f", headers={"Range": text})
        assert (answer.status, answer.content) == (200, content)


def test_the_limit_of_ranges_and_that_they_can_be_switched_off() -> None:
    text = "bytes=0-0,2-2,4-4"
    for limit, single, several in ((2, 206, 200), (3, 206, 206), (0, 200, 200)):
        with client_of(lambda request: File("a.txt"), config={"limits": {"ranges": limit}}) as client:
            assert client.get("/f", headers={"Range": text}).status == several
            assert client.get("/f", headers={"Range": "bytes=1-1"}).status == single


def test_an_answer_is_never_longer_than_the_file_and_its_frames() -> None:
    with client_of(lambda request: File("large.bin")) as client:
        bomb = "bytes=" + ",".join(f"{at}-" for at in range(16))
        assert len(client.get("/f", headers={"Range": bomb}).content) == len(LARGE)


def test_if_range_decides_whether_a_part_is_good_enough(both: tuple[TestClient, bytes]) -> None:
    client, content = both
    for value, status in ((etag_of(client), 206), ('"old"', 200), (DATE, 206), (http_date(CHANGED - 1), 200)):
        answer = client.get("/f", headers={"Range": "bytes=0-1", "If-Range": value})
        assert (answer.status, answer.content) == (status, content[:2] if status == 206 else content)


def test_what_the_client_has_is_not_sent_again(both: tuple[TestClient, bytes]) -> None:
    client, content = both
    tag = etag_of(client)
    for fields in ({"If-None-Match": tag}, {"If-None-Match": f"W/{tag}"}, {"If-Modified-Since": DATE}):
        for method in ("GET", "HEAD"):
            answer = client.request(method, "/f", headers={**fields, "Range": "bytes=0-1"})
            assert (answer.status, answer.content) == (304, b"")
            assert answer.headers["etag"] == tag
            assert answer.headers.keys().isdisjoint({"content-type", "content-length", "content-range"})
    assert client.get("/f", headers={"If-None-Match": '"old"', "If-Modified-Since": DATE}).content == content


def test_a_condition_that_does_not_hold_is_412(both: tuple[TestClient, bytes]) -> None:
    client, content = both
    for fields in ({"If-Match": '"old"'}, {"If-Unmodified-Since": http_date(CHANGED - 1)}):
        answer = client.get("/f", headers=fields)
        assert answer.status == 412
        assert answer.json()["type"].endswith("/precondition-failed")
    assert client.get("/f", headers={"If-Match": etag_of(client)}).content == content


def test_only_get_and_head_are_conditional_and_in_parts(both: tuple[TestClient, bytes]) -> None:
    client, content = both
    answer = client.post("/f", headers={"If-None-Match": "*", "If-Match": '"x"', "Range": "bytes=0-1"})
    assert (answer.status, answer.content) == (200, content)


def test_another_status_is_neither() -> None:
    with client_of(lambda request: File("a.txt", status=404)) as client:
        answer = client.get("/f", headers={"If-None-Match": "*", "Range": "bytes=0-1"})
        assert (answer.status, answer.content) == (404, TEXT)


def test_an_empty_file() -> None:
    with client_of(lambda request: File("empty")) as client:
        assert (client.get("/f").status, client.get("/f").headers["content-length"]) == (200, "0")
        assert client.get("/f", headers={"Range": "bytes=0-"}).status == 416
        assert client.get("/f", headers={"Range": "bytes=-1"}).status == 200


def test_the_entity_tag_changes_with_the_file(folder: Path) -> None:
    with client_of(lambda request: File("a.txt")) as client:
        tags = {etag_of(client)}
        os.utime(folder / "a.txt", ns=(0, CHANGED * 10**9 + 1))
        tags.add(etag_of(client))
        (folder / "a.txt").write_bytes(TEXT + b"!")
        os.utime(folder / "a.txt", (CHANGED, CHANGED))
        tags.add(etag_of(client))
        (folder / "b.txt").write_bytes(TEXT)
        os.utime(folder / "b.txt", (CHANGED, CHANGED))
        os.replace(folder / "b.txt", folder / "a.txt")
        tags.add(etag_of(client))
        assert len(tags) == 4


def test_a_date_in_the_future_is_not_told(folder: Path) -> None:
    os.utime(folder / "a.txt", (2**33, 2**33))
    with client_of(lambda request: File("a.txt")) as client:
        headers = client.get("/f").headers
        assert headers["last-modified"] == headers["date"]


def test_an_entity_tag_of_ones_own_or_none() -> None:
    with client_of(lambda request: File("a.txt", etag='W/"1"')) as client:
        assert etag_of(client) == 'W/"1"'
        assert client.get("/f", headers={"If-None-Match": '"1"'}).status == 304
        assert client.get("/f", headers={"Range": "bytes=1-1", "If-Range": 'W/"1"'}).status == 200
    with client_of(lambda request: File("a.txt", etag=False)) as client:
        assert "etag" not in client.get("/f").headers
        assert client.get("/f", headers={"If-Modified-Since": DATE}).headers["last-modified"] == DATE
    for bad in ("1", '"a", "b"', "*"):
        with pytest.raises(ValueError, match="entity tag"):
            File("a.txt", etag=bad)


def test_fields_and_type_can_be_given() -> None:
    with client_of(
        lambda request: File(
            "a.txt", media_type="text/csv", headers={"Cache-Control": "max-age=9"}, download_name="é.csv"
        )
    ) as client:
        answer = client.get("/f")
        assert answer.headers["content-type"] == "text/csv"
        assert answer.headers["cache-control"] == "max-age=9"
        assert answer.headers["content-disposition"] == "attachment; filename=\"_.csv\"; filename*=UTF-8''%C3%A9.csv"
        unchanged = client.get("/f", headers={"If-None-Match": answer.headers["etag"]})
        assert unchanged.headers["cache-control"] == "max-age=9"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.JS", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.woff2", "font/woff2"),
        ("a.wasm", "application/wasm"),
        ("a.tar.gz", "application/gzip"),
        ("a.html.br", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("data:text/html,x", "application/octet-stream"),
    ],
)
def test_the_suffix_says_the_type(name: str, media_type: str) -> None:
    assert media_type_of(f"folder.d/{name}") == media_type


@given(st.text(max_size=20))
def test_a_download_name_is_always_one_field_that_gives_the_name_back(name: str) -> None:
    field = content_disposition(name)
    assert field.isascii()
    assert field.isprintable()
    plain = re.match(r'attachment; filename="([^"\\%/]*)"', field)
    assert plain is not None
    extended = re.search(r"filename\*=UTF-8''([!#$&+.^_`|~0-9A-Za-z%-]*)$", field)
    raw = re.sub(r"[\x00-\x1f\x7f/\\]", "_", name)
    told = unquote(extended[1]) if extended else plain[1]
    assert told == raw.encode("utf-8", "replace").decode()


def test_what_is_no_regular_file_is_not_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    for path, error in (("pipe", "not a regular file"), ("/dev/zero", "not a regular file"), (".", "directory")):
        with pytest.raises(OSError, match=f"(?i){error}"):
            File(path)
    with pytest.raises(FileNotFoundError):
        File("nothing")


@pytest.mark.parametrize("name", ["a.txt", "large.bin"])
def test_a_file_is_sent_once(name: str) -> None:
    kept = File(name)
    with client_of(lambda request: kept) as client:
        assert client.get("/f", headers={"Range": "bytes=1-1"}).content == Path(name).read_bytes()[1:2]
        assert (client.get("/f").status, client.get("/f").complete) != (200, True)
    assert kept.status == 200


class Tagging:
    """A middleware that looks at what passes, and adds a field to it."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, bool]] = []

    def after(self, request: Any, response: Response) -> None:
        self.seen.append((response.status, hasattr(response.body, "__aiter__")))
        response.add_header("X-Seen", "yes")


class Watching(Tagging):
    """One that sees what goes out."""

    everything = True


def test_middleware_of_an_operation_sees_the_whole_file_and_that_around_everything_what_goes_out() -> None:
    inner, outer = Tagging(), Watching()
    with client_of(lambda request: File("large.bin"), middleware=[outer, inner]) as client:
        tag = etag_of(client)
        assert client.get("/f", headers={"Range": "bytes=0-1"}).status == 206
        assert client.get("/f", headers={"If-None-Match": tag}).status == 304
        assert client.get("/f", headers={"If-Match": '"x"'}).status == 412
    assert inner.seen == [(200, True)] * 4
    assert [status for status, _ in outer.seen] == [200, 206, 304, 412]


@pytest.mark.parametrize("name", ["a.txt", "large.bin"])
def test_validation_of_answers_takes_files(name: str) -> None:
    responses = {"200": {"description": "it", "content": {"text/plain": {}, "application/octet-stream": {}}}}
    with client_of(
        lambda request: File(name), operation={"responses": responses}, response_validation="enforce"
    ) as client:
        assert client.get("/f").status == 200
        assert client.get("/f", headers={"Range": "bytes=0-1"}).status == 206
        assert client.get("/f", headers={"If-None-Match": etag_of(client)}).status == 304
    with client_of(
        lambda request: File(name, media_type="image/png"),
        operation={"responses": responses},
        response_validation="enforce",
    ) as client:
        assert client.get("/f").status == 500


async def read_all(body: Any) -> bytes:
    return b"".join([piece async for piece in body])


def test_an_async_handler_and_a_middleware_that_reads_the_body() -> None:
    class Reading:
        async def around(self, request: Any, call_next: Any) -> Response:
            response = await call_next(request)
            return Response(200, (await read_all(response.body))[::-1])

    async def handler(request: Any) -> Response:
        return File("large.bin")

    with client_of(handler, middleware=[Reading()]) as client:
        assert client.get("/f").content == LARGE[::-1]
    with client_of(handler) as client:
        assert client.get("/f", headers={"Range": "bytes=1-2"}).content == LARGE[1:3]


class Counted:
    """A stream that says how long it is; `items` are what it gives."""

    def __init__(self, length: int, *items: bytes) -> None:
        self.content_length = length
        self.items = items

    async def __aiter__(self) -> Any:
        for item in self.items:
            yield item


def test_any_stream_may_say_its_length() -> None:
    with client_of(lambda request: Response(200, Counted(4, b"ab", b"", b"cd"))) as client:
        answer = client.get("/f")
        assert (answer.headers["content-length"], answer.content) == ("4", b"abcd")
        assert "transfer-encoding" not in answer.headers


@pytest.mark.parametrize("items", [(b"ab",), (b"abc", b"de"), (b"abcdef",)])
def test_a_stream_that_is_not_as_long_as_it_said_is_cut(items: tuple[bytes, ...]) -> None:
    with client_of(lambda request: Response(200, Counted(4, *items))) as client:
        raw = client.send(b"GET /f HTTP/1.1\r\nHost: a\r\n\r\n")
        head, _, body = raw.partition(b"\r\n\r\n")
        assert b"Content-Length: 4" in head
        assert len(body) < 4
        assert b"abcd".startswith(body)


@pytest.mark.parametrize("name", ["a.txt", "large.bin"])
def test_compression_and_conditions_agree_about_a_file(name: str) -> None:
    config = {"compression": {"encodings": ["gzip"], "minimum": 1}}
    content = Path(name).read_bytes()
    takes = {"Accept-Encoding": "gzip"}
    with client_of(lambda request: File(name, media_type="text/plain"), config=config) as client:
        packed, plain = client.get("/f", headers=takes), client.get("/f")
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.content) == content == plain.content
        assert packed.headers["etag"] != plain.headers["etag"]
        for tag in (packed.headers["etag"], plain.headers["etag"]):
            assert client.get("/f", headers={**takes, "If-None-Match": tag}).status == 304
        # A part of the compressed form is not to be had: the client gets all of it again.
        resumed = {**takes, "Range": "bytes=1-2", "If-Range": packed.headers["etag"]}
        assert client.get("/f", headers=resumed).status == 200
        part = client.get("/f", headers={**takes, "Range": "bytes=1-2"})
        assert (part.status, part.content) == (206, content[1:3])
        assert "content-encoding" not in part.headers


@pytest.mark.parametrize("name", ["a.txt", "large.bin"])
def test_under_another_server_files_are_the_same(name: str) -> None:
    httpx = pytest.importorskip("httpx")
    content = Path(name).read_bytes()
    with client_of(lambda request: File(name)) as client:
        transport = httpx.ASGITransport(client.app)

        async def ask(**headers: str) -> Any:
            async with httpx.AsyncClient(transport=transport, base_url="http://a") as other:
                return await other.get("/f", headers=headers)

        whole, part = asyncio.run(ask()), asyncio.run(ask(Range="bytes=2-4"))
        assert (whole.content, whole.headers["content-length"]) == (content, str(len(content)))
        assert (part.status_code, part.content) == (206, content[2:5])
        assert asyncio.run(ask(**{"If-None-Match": whole.headers["etag"]})).status_code == 304
