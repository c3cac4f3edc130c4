"""Header fields of every answer, and what can never be written into one, through every door."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, page_of
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import TIMEOUT, Client

from brrtrouter import App, ConfigError, Request, Response
from brrtrouter.core.lines import FixedFields, field_line
from brrtrouter.testing import TestClient, running

SAFE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
}
STRICT = "max-age=31536000"


def operation(name: str, **more: Any) -> dict[str, Any]:
    return {"operationId": name, "responses": {"200": {"description": ""}}, **more}


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/plain": {
            "get": operation("plain"),
            "put": operation("put", requestBody={"content": {"application/json": {}}}),
        },
        "/locked": {
            "get": operation(
                "locked",
                security=[{"Key": []}],
                parameters=[{"name": "n", "in": "query", "schema": {"type": "integer"}}],
            )
        },
        "/kept": {"get": operation("kept", security=[{"Key": []}])},
        "/empty": {"get": operation("empty")},
        "/broken": {"get": operation("broken")},
        "/stream": {"get": operation("stream")},
        "/page": {"get": operation("page")},
    },
    "components": {"securitySchemes": {"Key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
}
KEY = {"X-Key": "k"}


async def plain(request: Request) -> Any:
    return {"ok": True}


async def kept(request: Request) -> Any:
    return Response(200, "kept", {"Cache-Control": "max-age=60"}, "text/plain")


async def empty(request: Request) -> None:
    return None


async def broken(request: Request) -> Any:
    raise RuntimeError


async def stream(request: Request) -> Any:
    async def chunks() -> Any:
        yield b"one"

    return Response(200, chunks(), None, "text/plain")


async def page(request: Request) -> Any:
    fields = {"content-security-policy": "default-src 'self'", "X-FRAME-OPTIONS": "SAMEORIGIN"}
    return Response(200, "<p>", fields, "text/html")


HANDLERS = {**dict.fromkeys(("plain", "put", "locked"), plain)} | {
    each.__name__: each for each in (kept, empty, broken, stream, page)
}


def app(security: dict[str, Any] | None = None, **more: Any) -> App:
    config = {
        "security_headers": {"enabled": True, **(security or {})},
        "security": {"api_keys": {"Key": {"key": "k"}}},
        "limits": {"body": 100},
        **more,
    }
    return App(DOCUMENT, HANDLERS, config)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(app(), timeout=TIMEOUT) as made:
        yield made


ANSWERS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "value": ("GET", "/plain", {}, 200),
    "HEAD": ("HEAD", "/plain", {}, 200),
    "OPTIONS": ("OPTIONS", "/plain", {}, 204),
    "empty": ("GET", "/empty", {}, 204),
    "stream": ("GET", "/stream", {}, 200),
    "own fields": ("GET", "/kept", {"headers": KEY}, 200),
    "not valid": ("GET", "/locked?n=x", {"headers": KEY}, 400),
    "bad path": ("GET", "/%zz", {}, 400),
    "no credentials": ("GET", "/locked", {}, 401),
    "unknown path": ("GET", "/nowhere", {}, 404),
    "unknown method": ("DELETE", "/plain", {}, 405),
    "too large": ("PUT", "/plain", {"content": b"x" * 101}, 413),
    "media type": ("PUT", "/plain", {"content": b"x", "headers": {"Content-Type": "text/csv"}}, 415),
    "long line": ("GET", "/plain?" + "x" * 9000, {}, 414),
    "large field": ("GET", "/plain", {"headers": {"X": "x" * 20_000}}, 431),
    "failed": ("GET", "/broken", {}, 500),
    "built in": ("GET", "/health", {}, 200),
    "document": ("GET", "/openapi.json", {}, 200),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_has_the_fields_once(client: TestClient, kind: str) -> None:
    method, path, given_, status = ANSWERS[kind]
    answer = client.request(method, path, **given_)
    assert answer.status == status
    for name, value in SAFE.items():
        assert answer.headers[name] == value
        assert answer.raw.lower().count(b"\r\n" + name.encode() + b":") == 1
    assert not {"server", "x-powered-by", "strict-transport-security"} & set(answer.headers)


@pytest.mark.parametrize("data", [b"\0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/3.0\r\nHost: a\r\n\r\n"])
def test_a_message_that_is_no_request_gets_them_too(client: TestClient, data: bytes) -> None:
    answer = client.send(data)
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505"))
    assert answer.count(b"X-Content-Type-Options: nosniff") == 1


@pytest.mark.parametrize("kind", ANSWERS)
def test_without_the_setting_nothing_is_added(kind: str) -> None:
    method, path, given_, _ = ANSWERS[kind]
    with TestClient(app({"enabled": False})) as made:
        assert made.app.service.fixed is None
        answer = made.request(method, path, **given_)
        assert not (set(SAFE) - {"x-content-type-options"}) & set(answer.headers)
        assert not {"server", "x-powered-by"} & set(answer.headers)


def test_what_the_application_sets_itself_has_its_way(client: TestClient) -> None:
    answer = client.get("/page")
    assert answer.headers["content-security-policy"] == "default-src 'self'"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.raw.lower().count(b"content-security-policy") == 1
    assert client.get("/plain").headers["x-frame-options"] == "DENY", "of that answer only"


@pytest.mark.parametrize(
    ("path", "fields", "status", "wanted"),
    [
        ("/locked", KEY, 200, "no-store"),
        ("/locked", {}, 401, "no-store"),
        ("/locked?n=x", KEY, 400, "no-store"),
        ("/kept", KEY, 200, "max-age=60"),
        ("/plain", {}, 200, None),
        ("/nowhere", {}, 404, None),
    ],
)
def test_answers_of_operations_with_security_are_not_stored(
    client: TestClient, path: str, fields: dict[str, str], status: int, wanted: str | None
) -> None:
    answer = client.get(path, headers=fields)
    assert (answer.status, answer.headers.get("cache-control")) == (status, wanted)
    with TestClient(app({"no_store": False})) as other:
        assert other.get("/locked", headers=KEY).headers.get("cache-control") is None


def test_a_text_that_is_empty_is_no_field_and_another_is_sent() -> None:
    with TestClient(app({"frame_options": "", "permissions_policy": "camera=()"})) as made:
        answer = made.get("/plain")
        assert "x-frame-options" not in answer.headers
        assert answer.headers["permissions-policy"] == "camera=()"


def test_they_stand_beside_what_cors_says_and_survive_a_reload_and_a_new_handler() -> None:
    made = app(cors={"origins": ["https://app.example"]})
    with TestClient(made) as client:
        for _ in range(2):
            answer = client.get("/locked", headers={"Origin": "https://app.example", **KEY})
            assert answer.headers["access-control-allow-origin"] == "https://app.example"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cache-control"] == "no-store"
            made.register("locked", plain)
            made.adopt(made.again())
        preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
        assert client.options("/plain", headers=preflight).headers["referrer-policy"] == "no-referrer"


# -- TLS


def test_strict_transport_security_is_for_tls_only(tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pem"))
    pem = str(tmp_path / "pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)

    async def ask(port: int, data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        writer.write(data)
        found = await asyncio.wait_for(reader.read(), TIMEOUT)
        writer.close()
        return found

    with running(app({"hsts_subdomains": True}, server={"tls_certificate": pem, "tls_key": pem})) as server:
        for path in ("/plain", "/page", "/nowhere"):
            line = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
            found = asyncio.run(ask(int(server.url.rpartition(":")[2]), line))
            assert found.count(b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n") == 1
        assert b"Strict-Transport-Security" in asyncio.run(ask(int(server.url.rpartition(":")[2]), b"\0\r\n\r\n"))


def test_behind_a_proxy_the_proxy_knows_about_tls() -> None:
    def asked(made: App, *protocol: str) -> bool:
        with running(made) as server, Client(server.url) as client:
            fields = "".join(f"X-Forwarded-Proto: {each}\r\n" for each in protocol)
            answer = client.ask(f"GET /plain HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
            assert b"nosniff" in answer.raw
            return STRICT.encode() in answer.raw

    trusting = {"trusted_proxies": ["127.0.0.1"]}
    assert asked(app(server=trusting), "https")
    assert not asked(app(server=trusting), "http")
    assert not asked(app(server=trusting))
    assert not asked(app(), "https"), "anybody can say so"
    assert not asked(app({"hsts_max_age": 0}, server=trusting), "https")


def test_a_message_that_is_no_request_is_answered_where_fields_depend_on_a_proxy() -> None:
    with running(app(server={"trusted_proxies": ["127.0.0.1"]})) as server, Client(server.url) as client:
        client.send(b"\0\r\n\r\n")
        assert client.answer().status == 400


@pytest.mark.parametrize("more", [{}, {"hsts_subdomains": True, "hsts_max_age": 5}])
def test_what_the_lists_of_browsers_would_not_take_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^security_headers\.hsts_preload needs hsts_subdomains"):
        app({"hsts_preload": True, **more})
    assert app({"hsts_preload": True, "hsts_subdomains": True}).guards.fixed is not None


# -- the documentation page


def test_the_documentation_page_keeps_its_own_policy(client: TestClient) -> None:
    answer = client.get("/docs")
    assert answer.raw.lower().count(b"content-security-policy") == 1
    assert "script-src" in answer.headers["content-security-policy"]
    assert answer.raw.lower().count(b"x-content-type-options") == 1


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_the_documentation_page_works_with_the_fields(tmp_path: Path) -> None:
    with running(app()) as server:
        assert "operations-default-locked" in page_of(f"{server.url}/docs", tmp_path)


# -- what cannot be written

BAD = ["\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\0", "a\r\n\r\n<p>", "\x0b", "\x1b[0m", "\x7f", "\u010a\u010d"]


def injected(made: App, path: str = "/plain") -> None:
    with TestClient(made) as client:
        answer = client.get(path, headers=KEY)
        assert answer.status == 500
        head = answer.raw.partition(b"\r\n\r\n")[0]
        assert b"evil" not in head.lower()
        assert head.count(b"HTTP/1.1") == 1
        assert answer.json()["status"] == 500


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    "door",
    ["value", "bytes", "list", "pairs", "added", "cookie", "redirect", "media type", "stream", "name", "stream type"],
)
def test_what_a_handler_sets_is_never_written_with_a_control_character(door: str, bad: str) -> None:
    async def chunks() -> Any:
        yield b"one"

    async def handler(request: Request) -> Any:
        added = Response(200, "x")
        added.add_header("X", f"a{bad}")
        octets = f"a{bad}".encode("utf-8" if "\u010a" in bad else "latin-1")
        made: dict[str, Response] = {
            "value": Response(200, {}, {"X": f"a{bad}"}),
            "bytes": Response(200, {}, {"X": octets + b"\n"}),
            "list": Response(200, {}, {"X": ["fine", f"a{bad}"]}),
            "pairs": Response(200, {}, [("X", f"a{bad}")]),
            "added": added,
            "cookie": Response(200, {}, {"Set-Cookie": f"session=a{bad}; Path=/"}),
            "redirect": Response(303, None, {"Location": f"/next?q=a{bad}"}),
            "media type": Response(200, "x", None, f"text/plain{bad}"),
            "stream": Response(200, chunks(), {"X": f"a{bad}"}, "text/plain"),
            "name": Response(200, {}, {f"X{bad}": "a"}),
            "stream type": Response(200, chunks(), None, f"text/plain{bad}"),
        }
        return made[door]

    injected(App(DOCUMENT, {**HANDLERS, "plain": handler}, {"security": {"api_keys": {"Key": {"key": "k"}}}}))


@pytest.mark.parametrize("bad", BAD)
def test_what_a_handler_adds_to_its_request_is_refused_there_and_then(bad: str) -> None:
    async def handler(request: Request) -> Any:
        request.add_answer_field("X-Evil", f"a{bad}")

    async def named(request: Request) -> Any:
        request.add_answer_field(f"X-Evil{bad}", "a")

    for each in (handler, named):
        injected(App(DOCUMENT, {**HANDLERS, "plain": each}, {"security": {"api_keys": {"Key": {"key": "k"}}}}))


@pytest.mark.parametrize("bad", BAD)
def test_what_a_middleware_sets_is_no_other_matter(bad: str) -> None:
    class Adding:
        def after(self, request: Request, response: Response) -> None:
            response.add_header("X", f"a{bad}")

    class Everything(Adding):
        everything = True

    for layer in (Adding(), Everything()):
        injected(App(DOCUMENT, HANDLERS, {"security": {"api_keys": {"Key": {"key": "k"}}}}, middleware=[layer]))


@pytest.mark.parametrize("bad", BAD)
def test_the_way_through_another_server_is_closed_too(bad: str) -> None:
    async def handler(request: Request) -> Any:
        return Response(200, {}, {"X-Evil": f"a{bad}"})

    async def ask() -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        made = App(DOCUMENT, {**HANDLERS, "plain": handler}, {"security": {"api_keys": {"Key": {"key": "k"}}}})

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "path": "/plain",
            "raw_path": b"/plain",
            "query_string": b"",
            "headers": [(b"host", b"a")],
            "scheme": "http",
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "root_path": "",
        }
        await made(scope, receive, send)
        await made.shutdown()
        return sent

    start = asyncio.run(ask())[0]
    assert start["status"] == 500
    assert b"x-evil" not in dict(start["headers"])


def test_through_another_server_the_fields_are_the_same() -> None:
    uvicorn = pytest.importorskip("uvicorn")
    del uvicorn
    import httpx

    async def ask() -> None:
        transport = httpx.ASGITransport(app())
        async with httpx.AsyncClient(transport=transport, base_url="https://api.example") as asking:
            for path in ("/plain", "/page", "/nowhere"):
                answer = await asking.get(path)
                for name, value in SAFE.items():
                    assert name in answer.headers, value
                assert answer.headers["strict-transport-security"] == STRICT

    asyncio.run(ask())


@settings(max_examples=500, deadline=None)
@given(st.text(st.characters(max_codepoint=0x120), max_size=8), st.text(max_size=12))
def test_a_line_is_one_line_or_an_error(name: str, value: str) -> None:
    try:
        line = field_line(name, value)
    except ValueError:
        return
    assert line.startswith(b"\r\n")
    assert not any((c < 32 and c != 9) or c == 127 for c in line[2:])
    assert line[2:].partition(b": ")[0] == name.encode()
    assert FixedFields([(name, value)]).depends is False
