"""`await app(scope, receive, send)` with scopes made by hand: what servers (`test_asgi_servers.py`) do not show."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from wire import application

from brrtrouter import App, Request, Response

Message = dict[str, Any]
BODY = {"application/octet-stream": {}}


class Server:
    """The other side: gives `messages`, then that the client has gone once `leave` is called; keeps what is sent."""

    def __init__(self, *messages: Message) -> None:
        self.messages = list(messages)
        self.sent: list[Message] = []
        self.received = 0
        self.left = asyncio.Event()
        self.fail_after = 1000

    async def receive(self) -> Message:
        self.received += 1
        if self.messages:
            return self.messages.pop(0)
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if len(self.sent) == self.fail_after:
            raise OSError("gone")
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        assert not self.sent[-1].get("more_body")
        return b"".join(message["body"] for message in self.sent[1:])


def scope(method: str = "GET", path: str = "/a", **others: Any) -> Message:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"a.example")],
        "client": ("192.0.2.1", 4711),
        "server": ("a.example", 80),
        **others,
    }


def piece(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def ask(app: App, wanted: Message, *messages: Message) -> Server:
    async def run() -> Server:
        server = Server(*messages)
        await asyncio.wait_for(app(wanted, server.receive, server.send), 10)
        return server

    return asyncio.run(run())


async def seen(request: Request) -> dict[str, Any]:
    return {
        "path": request.path,
        "query": request.raw_query,
        "base": request.base_url,
        "client": request.client,
        "scheme": request.scheme,
        "cookies": request.cookies,
        "minor": request.http_minor,
        "host": request.header("host"),
    }


def asked(wanted: Message, **options: Any) -> Any:
    server = ask(application({"GET /a": seen, "GET /a/b": seen}, **options), wanted)
    assert server.status == 200, server.body
    return json.loads(server.body)


def test_a_request_is_what_the_scope_says() -> None:
    assert asked(scope(query_string=b"x=%20")) == {
        "path": "/a",
        "query": "x=%20",
        "base": "http://a.example",
        "client": ["192.0.2.1", 4711],
        "scheme": "http",
        "cookies": {},
        "minor": 1,
        "host": "a.example",
    }


@pytest.mark.parametrize(
    ("path", "raw", "root", "expected"),
    [
        ("/a", None, "", ("/a", "http://a.example")),
        ("/a", b"/%61", "", ("/%61", "http://a.example")),
        ("/a", b"/a?x=1", "", ("/a", "http://a.example")),
        ("/api/a", None, "/api", ("/a", "http://a.example/api")),
        ("/api/a", b"/%61pi/a", "/api", ("/a", "http://a.example/api")),
        ("/api/a", b"/api/a", "/api/", ("/a", "http://a.example/api")),
        ("/ü/v/a", None, "/ü/v", ("/a", "http://a.example/%C3%BC/v")),
        ("/a", b"/a", "/api", ("/a", "http://a.example/api")),
        ("/a/b", b"/a/b", "/a/b/c", ("/a/b", "http://a.example/a/b/c")),
    ],
)
def test_the_root_path_is_taken_off_and_is_the_prefix(path: str, raw: bytes, root: str, expected: object) -> None:
    answer = asked(scope(path=path, raw_path=raw, root_path=root))
    assert (answer["path"], answer["base"]) == expected


def test_a_root_path_is_whole_segments() -> None:
    app = application({"GET /a": seen})
    assert ask(app, scope(path="/apia", root_path="/api")).status == 404


def test_a_path_without_its_raw_form_is_encoded_again() -> None:
    app = application({"GET /n/{name}": seen})
    for path, raw in (
        ("/n/a b", "/n/a%20b"),
        ("/n/é", "/n/%C3%A9"),
        ("/n/a%2Fb", "/n/a%252Fb"),
        ("/n/a?b", "/n/a%3Fb"),
    ):
        assert raw.encode() in ask(app, scope(path=path)).body


def test_the_authority_of_http2_is_the_host() -> None:
    fields = [(b":method", b"GET"), (b":authority", b"b.example"), (b"cookie", b"a=1"), (b"cookie", b"b=2")]
    server = ask(application({"GET /a": seen}), scope(http_version="2", headers=fields), piece(b""))
    assert b'"host":"b.example"' in server.body
    assert b'"cookies":{"a":"1","b":"2"}' in server.body


def test_http10_needs_no_host() -> None:
    assert asked(scope(http_version="1.0", headers=[]))["minor"] == 0
    assert ask(application({}), scope(headers=[])).status == 400


@pytest.mark.parametrize(
    "wanted",
    [
        scope(headers=[(b"host", b"a"), (b"x", b"1\r\ny: 2")]),
        scope(headers=[(b"host", b"a"), (b"x", b"1\r\n\r\nGET / HTTP/1.1")]),
        scope(headers=[(b"host", b"a"), (b"x: y", b"1")]),
        scope(headers=[(b"host", b"a"), (b"", b"1")]),
        scope(headers=[(b"host", b"a"), (b"host", b"b")]),
        scope(headers=[(b"host", b"a"), (b"content-length", b"1"), (b"transfer-encoding", b"chunked")]),
        scope(method="GET /b"),
        scope(method="GET\r\nX: y"),
        scope(raw_path=b"/a HTTP/1.1\r\nx: y"),
        scope(raw_path=b"a"),
        scope(query_string=b"a b"),
    ],
)
def test_parts_that_are_more_than_one_part_are_refused(wanted: Message) -> None:
    assert ask(application({"GET /a": seen}), wanted).status == 400


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        (scope(path="/" + "a" * 2000), 414),
        (scope(headers=[(b"host", b"a"), (b"x", b"y" * 3000)]), 431),
        (scope(headers=[(b"host", b"a")] + [(b"x", b"y")] * 60), 431),
        (scope(headers=[(b"host", b"a"), (b"expect", b"wonders")]), 417),
        (scope("POST", headers=[(b"host", b"a"), (b"content-length", b"11")]), 413),
    ],
)
def test_the_limits_of_heads_hold(wanted: Message, status: int) -> None:
    limits = {"request_line": 1000, "header_field": 2000, "header_count": 50, "body": 10}
    server = ask(application({"POST /a": seen}, limits=limits), wanted)
    assert server.status == status
    assert server.received == 0


def test_a_body_is_read_no_further_than_its_limit() -> None:
    app = application({"POST /a": seen}, limits={"body": 10})
    fields = [(b"host", b"a"), (b"transfer-encoding", b"chunked"), (b"content-type", b"application/octet-stream")]
    endless = [piece(b"1234", more=True)] * 100
    server = ask(app, scope("POST", headers=fields), *endless)
    assert server.status == 413
    assert server.received == 3


def test_a_client_that_goes_in_its_body_gets_no_answer() -> None:
    app = application({"POST /a": seen})
    server = ask(app, scope("POST", headers=[(b"host", b"a")]), piece(b"x", more=True), {"type": "http.disconnect"})
    assert server.sent == []


def stream_app(handler: Callable[..., Any], **limits: int) -> App:
    operation = {
        "operationId": "up",
        "x-brrtrouter-stream": True,
        "requestBody": {"content": BODY},
        "responses": {"200": {"description": "done"}},
    }
    document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/a": {"post": operation}}}
    return App(document, {"up": handler}, {"limits": limits})


UPLOAD = scope(
    "POST", headers=[(b"host", b"a"), (b"content-type", b"application/octet-stream"), (b"content-length", b"8")]
)


def test_a_stream_receives_only_what_the_handler_wants() -> None:
    counts = []

    async def run() -> Server:
        server = Server(piece(b"1234", more=True), piece(b"", more=True), piece(b"5678"))

        async def upload(request: Request) -> str:
            body = request.stream()
            for _ in range(3):
                await asyncio.sleep(0)
            counts.append(server.received)
            assert await body.__anext__() == b"1234"
            for _ in range(3):
                await asyncio.sleep(0)
            counts.append(server.received)
            return b"".join([data async for data in body]).decode()

        await asyncio.wait_for(stream_app(upload)(UPLOAD, server.receive, server.send), 10)
        return server

    assert asyncio.run(run()).body == b'"5678"'
    assert counts == [0, 1]


def test_a_stream_over_its_limit_is_413() -> None:
    async def upload(request: Request) -> int:
        return len([data async for data in request.stream()])

    fields = [*UPLOAD["headers"][:2], (b"transfer-encoding", b"chunked")]
    server = ask(stream_app(upload, body=6), {**UPLOAD, "headers": fields}, piece(b"1234", more=True), piece(b"5678"))
    assert server.status == 413


def test_a_stream_of_a_client_that_goes_raises() -> None:
    caught = []

    async def upload(request: Request) -> None:
        try:
            async for _ in request.stream():
                pass
        except ValueError as error:
            caught.append(str(error))
            raise

    server = ask(stream_app(upload), UPLOAD, piece(b"1234", more=True), {"type": "http.disconnect"})
    assert server.sent == []
    assert caught == ["the client has gone"]


def gone(handler: Callable[[Request, Server], Any], **options: Any) -> tuple[Server, App]:
    """Serve a handler that may let its client go."""

    async def run() -> tuple[Server, App]:
        server = Server()
        server.fail_after = options.get("fail_after", 1000)

        async def given(request: Request) -> Any:
            return await handler(request, server)

        app = application({"GET /a": given})
        await asyncio.wait_for(app(scope(), server.receive, server.send), 10)
        task = asyncio.current_task()
        assert task is not None
        assert not hasattr(task, "cancelling") or task.cancelling() == 0
        return server, app

    return asyncio.run(run())


def test_a_handler_whose_client_goes_is_cancelled() -> None:
    ended = []

    async def waits(request: Request, server: Server) -> None:
        server.left.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    server, _ = gone(waits)
    assert ended == [True]
    assert server.sent == []


@pytest.mark.parametrize("fail_after", [3, 1000])
def test_a_stream_whose_client_goes_is_closed(fail_after: int) -> None:
    """Told by `http.disconnect`, or by a `send` that raises OSError."""
    ended = []

    async def streams(request: Request, server: Server) -> Response:
        async def items() -> AsyncIterator[bytes]:
            try:
                for number in range(1000):
                    if number == 5:
                        server.left.set()
                    yield b"x"
                    await asyncio.sleep(0)
            finally:
                ended.append(True)

        return Response(200, items())

    server, _ = gone(streams, fail_after=fail_after)
    assert ended == [True]
    assert len(server.sent) < 20


def test_a_handler_that_takes_too_long_is_504() -> None:
    ended = []

    async def waits(request: Request) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    server = ask(application({"GET /a": waits}, limits={"handler_time": 0.05}), scope())
    assert (server.status, ended) == (504, [True])


def test_a_cancelled_server_task_is_cancelled() -> None:
    """What another server cancels is not answered with 500."""

    async def waits(request: Request) -> None:
        await asyncio.Event().wait()

    async def run() -> list[Message]:
        server = Server()
        task = asyncio.ensure_future(application({"GET /a": waits})(scope(), server.receive, server.send))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return server.sent

    assert asyncio.run(run()) == []


def test_an_answer_that_breaks_off_raises() -> None:
    async def broken(request: Request) -> Response:
        async def items() -> AsyncIterator[str]:
            yield "one"
            raise LookupError

        return Response(200, items())

    with pytest.raises(RuntimeError, match="broke off"):
        ask(application({"GET /a": broken}), scope())


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_what_has_no_body_closes_its_stream(method: str, status: int) -> None:
    closed = []

    class Items:
        def __aiter__(self) -> Items:
            return self

        async def __anext__(self) -> bytes:
            raise AssertionError("nobody reads this")

        async def aclose(self) -> None:
            closed.append(True)

    async def answer(request: Request) -> Response:
        return Response(status, Items())

    server = ask(application({"GET /a": answer}), scope(method))
    assert (server.status, server.body, closed) == (status, b"", [True])


def test_fields_of_the_connection_are_left_to_the_server() -> None:
    server = ask(application({}), scope(path="/good"))
    names = [name for name, _ in server.sent[0]["headers"]]
    assert names == [name.lower() for name in names]
    assert not {b"date", b"connection", b"transfer-encoding", b"server"} & set(names)
    assert server.headers[b"content-length"] == b"6"


def test_an_answer_that_cannot_be_encoded_is_500() -> None:
    async def bad(request: Request) -> Response:
        return Response(200, "x", {"X": "a\r\nb"})

    assert ask(application({"GET /a": bad}), scope()).status == 500


def test_trusted_proxies_are_believed() -> None:
    app = App(
        {
            "openapi": "3.1.0",
            "info": {"title": "t", "version": "1"},
            "paths": {"/a": {"get": {"operationId": "a", "responses": {}}}},
        },
        {"a": seen},
        {"server": {"trusted_proxies": ["192.0.2.0/24"]}},
    )
    fields = [
        (b"host", b"a"),
        (b"x-forwarded-for", b"198.51.100.7"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-prefix", b"/outer"),
    ]
    body = ask(app, scope(path="/in/a", root_path="/in", headers=fields)).body
    assert b'"base":"https://a/outer/in"' in body
    assert b'"client":["198.51.100.7",0]' in body
    told = ask(app, scope(path="/outer/in/a", root_path="/outer/in", headers=fields)).body
    assert b'"base":"https://a/outer/in"' in told
    stranger = ask(app, scope(client=("203.0.113.1", 1), headers=fields)).body
    assert b'"base":"http://a"' in stranger


# -- the other scopes


def lifespan(app: App) -> list[Message]:
    sent: list[Message] = []

    async def run() -> None:
        events = iter(["lifespan.startup", "lifespan.shutdown"])

        async def receive() -> Message:
            return {"type": next(events)}

        async def send(message: Message) -> None:
            sent.append(message)

        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    asyncio.run(run())
    return sent


def test_the_lifespan_compiles_first() -> None:
    assert [message["type"] for message in lifespan(application({}))] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_an_application_that_cannot_be_compiled_fails_at_startup() -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/a": {"get": {"operationId": "a", "security": [{"key": []}], "responses": {}}}},
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }
    sent = lifespan(App(document, {"a": seen}))
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "security scheme 'key'" in sent[0]["message"]


def websocket(extensions: Iterable[str]) -> list[Message]:
    async def run() -> list[Message]:
        server = Server({"type": "websocket.connect"})
        wanted = {"type": "websocket", "path": "/a", "extensions": {name: {} for name in extensions}}
        await application({})(wanted, server.receive, server.send)
        return server.sent

    return asyncio.run(run())


def test_a_websocket_is_refused() -> None:
    assert [message["type"] for message in websocket([])] == ["websocket.close"]
    start, body = websocket(["websocket.http.response"])
    assert start["status"] == 404
    assert b"not-found" in body["body"]


def test_an_unknown_scope_is_an_error() -> None:
    with pytest.raises(ValueError, match="'telnet'"):
        ask(application({}), {"type": "telnet"})
