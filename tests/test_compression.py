"""Content codings: which answers get one, which one, how streams keep flowing, and bodies of requests."""

from __future__ import annotations

import asyncio
import gzip
import sys
import threading
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import Client

from brrtrouter import App, ConfigError, Request, Response, SpecError
from brrtrouter.core.accept_encoding import choose_coding
from brrtrouter.core.codings import Brotli, Decoders, Gzip, Zstd
from brrtrouter.testing import TestClient, TestResponse, running

brotli = pytest.importorskip("brotli")
zstandard = pytest.importorskip("zstandard")

CODINGS = ("zstd", "br", "gzip")
TEXT = ("A sentence that is long enough to be worth it. " * 100).encode()
LARGE = TEXT * 40
# Decoders of their own, not those of the server.
DECODE: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}
PIECEWISE: Mapping[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31).decompress,
    "br": lambda: brotli.Decompressor().process,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj().decompress,
}
ENCODE: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}


def document(operation: Mapping[str, Any] | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "requestBody": {"content": {"application/json": {}, "text/plain": {}, "multipart/form-data": {}}}
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {
            "/x": {
                "get": {"operationId": "x", "responses": {}} | dict(operation or {}),
                "post": {"operationId": "post", "responses": {}} | body | dict(operation or {}),
            },
            "/stream": {
                "post": {"operationId": "stream", "responses": {}, "x-brrtrouter-stream": True, **body},
            },
        },
    }


def client_of(
    answer: Any, operation: Mapping[str, Any] | None = None, config: Mapping[str, Any] | None = None, **settings: Any
) -> TestClient:
    """A client of an application whose GET /x gives `answer`, or what that gives when it is called."""

    async def x(request: Request) -> Any:
        return answer() if callable(answer) else answer

    compression = {"encodings": list(CODINGS), **settings}
    return TestClient(App(document(operation), {"x": x}, {"compression": compression, **(config or {})}))


def ask(answer: Any, accept: str | None = "gzip", method: str = "GET", **settings: Any) -> TestResponse:
    with client_of(answer, **settings) as client:
        return client.request(method, "/x", headers={} if accept is None else {"Accept-Encoding": accept})


def text(body: bytes = TEXT, headers: Any = None, status: int = 200, media_type: str = "text/plain") -> Response:
    return Response(status, body, headers, media_type)


# -- Accept-Encoding


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("body", [TEXT, LARGE], ids=["small", "large"])
def test_a_body_comes_back_by_an_independent_decoder(coding: str, body: bytes) -> None:
    answer = ask(text(body), coding)
    assert answer.headers["content-encoding"] == coding
    assert len(answer.content) < len(body)
    assert DECODE[coding](answer.content) == body
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_a_value_is_compressed_as_the_json_that_it_is() -> None:
    value = {"items": list(range(1000))}
    answer = ask(value, "br")
    assert answer.headers["content-type"] == "application/json"
    assert brotli.decompress(answer.content) == ask(value, None).content


def test_it_is_off_by_default() -> None:
    with client_of(text(), encodings=[]) as client:
        answer = client.get("/x", headers={"Accept-Encoding": "gzip, br, zstd"})
        assert (answer.content, "vary" in answer.headers) == (TEXT, False)


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip", "gzip"),
        ("GZip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, br", "br"),
        ("gzip, br, zstd", "zstd"),
        ("br;q=0.5, gzip", "gzip"),
        ("br ; Q=0.5 , gzip;q=0.501", "gzip"),
        ("*", "zstd"),
        ("*;q=0.5, zstd;q=0", "br"),
        ("gzip, identity;q=0", "gzip"),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("*;q=0", None),
        ("identity;q=0", None),
        ("identity", None),
        ("deflate, compress", None),
        ("", None),
        (None, None),
        # Outside of the grammar: such an entry says nothing.
        ("gzip;q=2", None),
        ("gzip;q=0.1234", None),
        ("gzip;level=9", None),
        ("gz ip", None),
        (";q=1, gzip", "gzip"),
        (",,gzip,,", "gzip"),
    ],
)
def test_the_coding_is_the_one_that_the_client_likes_best(accept: str | None, coding: str | None) -> None:
    assert ask(text(), accept).headers.get("content-encoding") == coding


def test_of_equals_the_order_of_the_setting_decides() -> None:
    assert ask(text(), "zstd, br, gzip", encodings=["gzip", "zstd"]).headers["content-encoding"] == "gzip"


def slow_choice(entries: list[tuple[str, int | None]], offered: list[str]) -> str | None:
    """RFC 9110 12.5.3 in small steps, weights in thousandths."""

    def weight(name: str) -> int | None:
        aliases = {name, "x-gzip"} if name == "gzip" else {name}
        for wanted in (aliases, {"*"}):
            for each, value in entries:
                if each.lower() in wanted:
                    return 1000 if value is None else value
        return None

    likes = [(weight(name) or 0, -place, name) for place, name in enumerate(offered)]
    best = max(likes, default=(0, 0, ""))
    plain = weight("identity")
    if best[0] == 0 or (plain is not None and plain > best[0]):
        return None
    return best[2]


NAMES = st.sampled_from(["gzip", "x-gzip", "br", "zstd", "identity", "*", "deflate", "BR", "Gzip"])
WEIGHTS = st.none() | st.sampled_from([0, 1, 500, 999, 1000]) | st.integers(0, 1000)
BLANKS = st.sampled_from(["", " ", "\t", "  "])


@given(
    st.lists(st.tuples(NAMES, WEIGHTS, BLANKS), max_size=6),
    st.lists(st.sampled_from(CODINGS), unique=True),
)
def test_every_field_is_read_as_the_rfc_says(entries: list[tuple[str, int | None, str]], offered: list[str]) -> None:
    written = [
        f"{blank}{name}{blank}" + ("" if value is None else f";{blank}q={value // 1000}.{value % 1000:03}{blank}")
        for name, value, blank in entries
    ]
    choice = choose_coding(",".join(written), offered)
    assert choice.coding == slow_choice([entry[:2] for entry in entries], offered)


@given(st.text(max_size=60))
def test_no_field_makes_it_fail(field: str) -> None:
    assert choose_coding(field, CODINGS).coding in (*CODINGS, None)


# -- which answers


@pytest.mark.parametrize(
    "media_type",
    [
        "text/html; charset=utf-8",
        "TEXT/CSV",
        "application/json",
        "application/problem+json",
        "application/xml",
        "application/atom+xml",
        "image/svg+xml",
        "application/javascript",
        "application/x-ndjson",
    ],
)
def test_text_of_every_kind_is_compressed(media_type: str) -> None:
    assert ask(text(media_type=media_type)).headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("media_type", ["image/png", "application/zip", "video/mp4", "application/octet-stream"])
def test_what_is_compressed_already_is_left_alone(media_type: str) -> None:
    answer = ask(text(media_type=media_type))
    assert (answer.content, answer.headers.get("vary")) == (TEXT, None)


def test_the_media_types_are_a_setting() -> None:
    types = ["image/*", "application/x-own"]
    for media_type, coding in (("image/bmp", "gzip"), ("application/x-own", "gzip"), ("text/plain", None)):
        answer = ask(text(media_type=media_type), media_types=types)
        assert answer.headers.get("content-encoding") == coding


@pytest.mark.parametrize(("size", "coding"), [(1023, None), (1024, "gzip")])
def test_small_bodies_are_left_alone(size: int, coding: str | None) -> None:
    answer = ask(text(TEXT[:size]))
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers.get("vary") == (coding and "Accept-Encoding")


def test_the_minimum_is_a_setting() -> None:
    assert ask(text(b"aaaaaaaaaa"), minimum=10).headers["content-encoding"] == "gzip"


def test_a_client_that_refuses_the_plain_form_gets_even_a_small_body_compressed() -> None:
    answer = ask(text(b"short"), "gzip, identity;q=0")
    assert (answer.headers["content-encoding"], gzip.decompress(answer.content)) == ("gzip", b"short")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "br"},
        {"cache-control": "public, No-Transform"},
        [("Cache-Control", "public"), ("Cache-Control", "no-transform")],
        {"Content-Digest": "sha-256=:AA==:"},
        {b"Repr-Digest": b"sha-256=:AA==:"},
        {"Content-Range": "bytes 0-4699/9000"},
    ],
)
def test_what_is_bound_to_its_bytes_is_left_alone(headers: Any) -> None:
    answer = ask(text(headers=headers))
    assert (answer.content, answer.headers.get("vary")) == (TEXT, None)


@pytest.mark.parametrize("status", [204, 205, 206, 304])
def test_answers_without_content_and_parts_have_no_coding(status: int) -> None:
    answer = ask(text(status=status))
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("status", [200, 201, 404, 500])
def test_other_answers_have_one_whatever_their_status(status: int) -> None:
    answer = ask(text(status=status))
    assert (answer.status, gzip.decompress(answer.content)) == (status, TEXT)


@pytest.mark.parametrize("written", ["off", False])
def test_an_operation_can_say_off(written: Any) -> None:
    answer = ask(text(), operation={"x-brrtrouter-compression": written})
    assert (answer.content, answer.headers.get("vary")) == (TEXT, None)


@pytest.mark.parametrize("written", ["on", True])
def test_an_operation_can_say_on(written: Any) -> None:
    assert "content-encoding" in ask(text(), operation={"x-brrtrouter-compression": written}).headers


@pytest.mark.parametrize("written", ["never", 1, None, ["off"]])
def test_an_operation_that_says_something_else_is_refused_with_its_place(written: Any) -> None:
    with pytest.raises(SpecError, match="/paths/~1x/get/x-brrtrouter-compression"):
        _ = client_of(text(), {"x-brrtrouter-compression": written}).app.service


def test_built_in_endpoints_are_compressed_too() -> None:
    with client_of(text(), minimum=1) as client:
        plain = client.get("/openapi.json")
        answer = client.get("/openapi.json", headers={"Accept-Encoding": "br"})
        assert brotli.decompress(answer.content) == plain.content


def test_a_handler_that_gives_the_same_response_twice_gets_it_unchanged() -> None:
    response = text(headers={"Vary": "Accept", "ETag": '"1"'})
    with client_of(response) as client:
        answers = [client.get("/x", headers={"Accept-Encoding": "gzip"}).raw.partition(b"Date")[0] for _ in range(2)]
        assert answers[0] == answers[1]
    assert response.headers == {"Vary": "Accept", "ETag": '"1"'}
    assert response.body == TEXT


def test_the_same_body_gives_the_same_bytes() -> None:
    for coding in CODINGS:
        assert ask(text(), coding).content == ask(text(), coding).content


# -- Vary, HEAD


@pytest.mark.parametrize(
    ("given_vary", "sent"),
    [
        (None, "Accept-Encoding"),
        ("Accept", "Accept, Accept-Encoding"),
        ("accept-encoding", "accept-encoding"),
        ("Origin, ACCEPT-ENCODING", "Origin, ACCEPT-ENCODING"),
        ("*", "*"),
    ],
)
@pytest.mark.parametrize("accept", ["gzip", None])
def test_what_depends_on_the_field_says_so_in_vary(given_vary: str | None, sent: str, accept: str | None) -> None:
    answer = ask(text(headers=given_vary and {"Vary": given_vary}), accept)
    assert answer.headers["vary"] == sent


@pytest.mark.parametrize("body", [TEXT, LARGE], ids=["small", "large"])
def test_head_has_the_fields_of_get(body: bytes) -> None:
    def fields(method: str) -> dict[str, Any]:
        answer = ask(text(body, {"ETag": '"1"'}), "gzip", method)
        return {name: value for name, value in answer.headers.items() if name not in ("date", "x-request-id")}

    assert fields("HEAD") == fields("GET")
    assert fields("HEAD")["content-encoding"] == "gzip"


# -- away from the event loop


def test_a_large_body_is_compressed_in_a_thread_and_a_small_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    encode = Gzip.encode

    def noted(self: Gzip, data: bytes) -> bytes:
        threads.append(threading.current_thread().name)
        return encode(self, data)

    monkeypatch.setattr(Gzip, "encode", noted)
    assert gzip.decompress(ask(text(b"a" * 2001), thread_size=2000).content) == b"a" * 2001
    assert gzip.decompress(ask(text(b"a" * 2000), thread_size=2000).content) == b"a" * 2000
    assert threads[0].startswith("brrtrouter-compression")
    assert threads[1] == threading.current_thread().name


def test_when_too_many_wait_for_a_thread_a_body_goes_out_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    started, go_on = threading.Event(), threading.Event()
    encode = Gzip.encode

    def held(self: Gzip, data: bytes) -> bytes:
        started.set()
        assert go_on.wait(20)
        return encode(self, data)

    monkeypatch.setattr(Gzip, "encode", held)
    app = client_of(text(LARGE, {"ETag": '"1"'}), threads=1, queue=0).app
    request = b"GET /x HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
    with running(app) as server, Client(server.url) as first, Client(server.url) as second:
        first.send(request)
        assert started.wait(20)
        plain = second.ask(request)
        go_on.set()
        compressed = first.answer()
    assert (plain.body, plain.headers["etag"], plain.headers["vary"]) == (LARGE, '"1"', "Accept-Encoding")
    assert "content-encoding" not in plain.headers
    assert (gzip.decompress(compressed.body), compressed.headers["etag"]) == (LARGE, '"1--gzip"')


def test_a_failure_in_the_thread_is_answered_with_500(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Gzip, data: bytes) -> bytes:
        raise MemoryError

    monkeypatch.setattr(Gzip, "encode", fail)
    for body in (TEXT, LARGE):
        assert ask(text(body)).status == 500


# -- streams


@pytest.mark.parametrize("coding", CODINGS)
def test_the_first_item_of_a_stream_can_be_read_before_the_second_is_made(coding: str) -> None:
    go_on = threading.Event()

    async def items() -> AsyncIterator[str]:
        yield "data: first\n\n"
        while not go_on.is_set():
            await asyncio.sleep(0)
        yield ""
        yield "data: second\n\n"

    app = client_of(lambda: Response(200, items(), {"Cache-Control": "no-cache"}, "text/event-stream")).app
    with running(app) as server, Client(server.url) as client:
        client.send(b"GET /x HTTP/1.1\r\nHost: a\r\nAccept-Encoding: %b\r\n\r\n" % coding.encode())
        while (line := client.stream.readline()) != b"\r\n":
            assert not line.startswith(b"Content-Length")
        feed = PIECEWISE[coding]()
        received = b""
        while received != b"data: first\n\n":  # a read that would wait for the second item times out
            received += feed(chunk(client))
        go_on.set()
        while data := chunk(client):
            received += feed(data)
    assert received == b"data: first\n\ndata: second\n\n"


def chunk(client: Client) -> bytes:
    size = int(client.stream.readline(), 16)
    data = client.stream.read(size)
    assert client.stream.readline() == b"\r\n"
    return data


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("pieces", [[], ["one"], [LARGE, b"", bytearray(TEXT), memoryview(TEXT), "ä"]])
def test_a_stream_comes_back_whole(coding: str, pieces: list[Any]) -> None:
    async def items() -> AsyncIterator[Any]:
        for piece in pieces:
            yield piece

    answer = ask(lambda: Response(200, items(), None, "text/plain"), coding)
    expected = b"".join(piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces)
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == (coding, "Accept-Encoding")
    assert DECODE[coding](answer.content) == expected


class Source:
    """A producer that tells when it was closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def __aiter__(self) -> Source:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)
        return TEXT

    async def aclose(self) -> None:
        self.closed.set()


def test_the_source_is_closed_when_the_client_has_gone() -> None:
    source = Source()
    app = client_of(lambda: Response(200, source, None, "text/plain")).app
    with running(app) as server:
        with Client(server.url) as client:
            client.send(b"GET /x HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
            client.stream.readline()
        assert source.closed.wait(20)


def test_head_of_a_stream_has_its_fields_and_closes_it() -> None:
    source = Source()
    answer = ask(lambda: Response(200, source, None, "text/plain"), "gzip", "HEAD")
    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert source.closed.is_set()


def test_a_stream_that_fails_is_cut_so_that_it_is_not_taken_for_whole() -> None:
    async def items() -> AsyncIterator[bytes]:
        yield TEXT
        raise LookupError

    with client_of(lambda: Response(200, items(), None, "text/plain")) as client:
        raw = client.send(b"GET /x HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
    assert raw.startswith(b"HTTP/1.1 200 OK")
    assert not raw.endswith(b"0\r\n\r\n")


# -- bodies of requests


def post(data: bytes, coding: str, path: str = "/x", fields: Any = (), **settings: Any) -> TestResponse:
    async def take(request: Request) -> Any:
        return {"body": request.body, "size": len(request.raw_body or b"")}

    async def stream(request: Request) -> Any:
        return {"body": b"".join([piece async for piece in request.stream()]).decode("latin-1")}

    limits, operation = settings.pop("limits", {}), settings.pop("operation", None)
    config = {"compression": settings, "limits": limits}
    headers = [("Content-Encoding", coding), ("Content-Type", "application/json"), *fields]
    with TestClient(App(document(operation), {"post": take, "stream": stream}, config)) as client:
        return client.post(path, content=data, headers=headers)


@pytest.mark.parametrize("coding", [*CODINGS, "x-gzip", "GZIP", "identity, gzip"])
def test_a_body_is_decoded_where_the_setting_says_so(coding: str) -> None:
    encode = ENCODE["gzip" if "gzip" in coding.lower() else coding]
    answer = post(encode(b'{"a": 1}'), coding, requests=list(CODINGS))
    assert (answer.status, answer.json()) == (200, {"body": {"a": 1}, "size": 8})


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip"])
def test_a_coding_that_is_not_taken_is_told_with_those_that_are(coding: str) -> None:
    for requests, accepted in (([], "identity"), (["zstd"], "zstd")):
        answer = post(b"{}", coding, requests=requests)
        assert (answer.status, answer.headers["accept-encoding"]) == (415, accepted)


def test_two_codings_are_not_taken_even_if_each_is() -> None:
    answer = post(gzip.compress(brotli.compress(b"{}")), "br, gzip", requests=["gzip", "br"])
    assert (answer.status, answer.headers["accept-encoding"]) == (415, "gzip, br")


def test_identity_says_nothing() -> None:
    assert post(b"{}", "identity").status == 200
    assert post(b"", "gzip").status == 200


def test_a_body_that_is_read_in_pieces_has_to_come_as_it_is() -> None:
    answer = post(gzip.compress(b"{}"), "gzip", "/stream", requests=["gzip"])
    assert (answer.status, answer.headers["accept-encoding"]) == (415, "identity")


def test_an_operation_without_compression_takes_bodies_as_they_come() -> None:
    answer = post(b"{}", "gzip", operation={"x-brrtrouter-compression": "off"})
    assert (answer.status, answer.json()["body"]) == (200, {})


@pytest.mark.parametrize("coding", CODINGS)
def test_a_malformed_body_is_told(coding: str) -> None:
    good = ENCODE[coding](b'{"text": "' + TEXT + b'"}')
    for bad in (b"{}", good[:-1], good[: len(good) // 2], good + b"x", good[:20] + b"\xff\xff\xff" + good[23:]):
        answer = post(bad, coding, requests=[coding])
        assert answer.status == 400, bad
        assert answer.json()["type"].endswith("/malformed-body")


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_body_of_several_members_is_one_body(coding: str) -> None:
    encode = ENCODE[coding]
    assert post(encode(b'{"a"') + encode(b": 1}"), coding, requests=[coding]).json()["body"] == {"a": 1}


@pytest.mark.parametrize("coding", CODINGS)
def test_the_limit_holds_for_what_is_decoded(coding: str) -> None:
    for size, status in ((100, 200), (101, 413)):
        data = ENCODE[coding](b'"' + b"a" * (size - 2) + b'"')
        answer = post(data, coding, requests=[coding], limits={"body": 100})
        assert answer.status == status


@pytest.mark.parametrize("coding", CODINGS)
def test_the_limit_of_an_operation_goes_before(coding: str) -> None:
    data = ENCODE[coding](b'"' + b"a" * 300 + b'"')
    for limit, status in ((200, 413), (400, 200)):
        answer = post(data, coding, requests=[coding], operation={"x-brrtrouter-max-body": limit})
        assert answer.status == status


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_takes_no_more_memory_than_the_limit(coding: str) -> None:
    encode = (lambda data: brotli.compress(data, quality=2)) if coding == "br" else ENCODE[coding]
    bomb = encode(bytes(64 * 1024 * 1024))
    decode = Decoders.of([coding]).find(coding, False)
    assert decode is not None
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="more than 100000 bytes"):
            decode(bomb, 100_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * 1024 * 1024
    assert post(bomb, coding, requests=[coding]).status == 413


@given(st.binary(max_size=3000), st.sampled_from(CODINGS), st.integers(0, 3000))
def test_a_decoder_gives_the_data_or_says_that_it_is_too_much(data: bytes, coding: str, limit: int) -> None:
    decode = Decoders.of([coding]).find(coding, False)
    assert decode is not None
    if len(data) <= limit:
        assert decode(ENCODE[coding](data), limit) == data
    else:
        with pytest.raises(ValueError, match=f"more than {limit} bytes"):
            decode(ENCODE[coding](data), limit)


@given(st.lists(st.binary(max_size=2000), max_size=5), st.sampled_from([Gzip(1), Brotli(1), Zstd(1)]))
def test_every_piece_of_a_stream_can_be_decoded_when_it_arrives(pieces: list[bytes], coding: Any) -> None:
    feed = PIECEWISE[{Gzip: "gzip", Brotli: "br", Zstd: "zstd"}[type(coding)]]()
    encoder = coding.encoder()
    for piece in pieces:
        assert feed(encoder.feed(piece)) == piece
    assert feed(encoder.finish()) == b""


# -- settings


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"encodings": ["deflate"]}, "encodings"),
        ({"encodings": "gzip"}, "encodings"),
        ({"requests": ["identity"]}, "requests"),
        ({"minimum": 0}, "minimum"),
        ({"gzip_level": 10}, "gzip_level"),
        ({"brotli_quality": 12}, "brotli_quality"),
        ({"zstd_level": 20}, "zstd_level"),
        ({"threads": 0}, "threads"),
        ({"media_types": ["json"]}, "media_types"),
        ({"media_types": ["text/plain; charset=utf-8"]}, "media_types"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigError, match=f"compression.{name} "):
        client_of(text(), **settings)


@pytest.mark.parametrize(("coding", "package"), [("br", "brotli"), ("zstd", "zstandard")])
@pytest.mark.parametrize("setting", ["encodings", "requests"])
def test_a_package_that_is_missing_is_named_with_the_command(
    coding: str, package: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    app = App(document(), {}, {"compression": {setting: [coding]}})
    with pytest.raises(ConfigError) as caught:
        _ = app.service
    assert str(caught.value) == (
        f"the content coding {coding} needs the package {package}: pip install 'brrtrouter[compression]'"
    )


@pytest.mark.parametrize(
    ("setting", "coding"), [("gzip_level", "gzip"), ("brotli_quality", "br"), ("zstd_level", "zstd")]
)
def test_levels_are_settings(setting: str, coding: str) -> None:
    noise = " ".join(str(n * n * 7919 % 65537) for n in range(2000)).encode() * 2
    settings: list[dict[str, Any]] = [{setting: level} for level in (1, 9)]
    sizes = [len(ask(text(noise), coding, **each).content) for each in settings]
    assert sizes[1] != sizes[0]
