"""ASGI applications under prefixes of ours: under our server, in memory, and under other servers."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from wire import GOOD, TIMEOUT, Client, Gate, application

from brrtrouter import App, Response
from brrtrouter.errors import ConfigError, MountError
from brrtrouter.testing import TestClient, running

Message = dict[str, Any]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


def body(data: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def named(name: str) -> Asgi:
    """Answers with its name and the path that it was given."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send(START)
            await send(body(f"{name} {scope['root_path']} {scope['path']}".encode()))

    return app


def mounted(app: Asgi, prefix: str = "/m", **options: Any) -> App:
    outer = application({"GET /a/{id}": answer, "POST /only": answer}, **options)
    outer.mount(prefix, app)
    return outer


async def answer(request: object) -> str:
    return "ours"


def text(app: App, path: str, method: str = "GET") -> str:
    with TestClient(app) as client:
        return client.request(method, path).text


# -- which application answers


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/m", "short /m /m"),
        ("/m/", "short /m /m/"),
        ("/m/x/y", "short /m /m/x/y"),
        ("/%6D/%78", "short /m /m/x"),
        ("/m/long", "long /m/long /m/long"),
        ("/m/long/x", "long /m/long /m/long/x"),
        ("/m/longer", "short /m /m/longer"),
        ("/m%2Flong", "root  /m/long"),
        ("/mm", "root  /mm"),
        ("/a", "root  /a"),
        ("/a/1", '"ours"'),
        ("/health", '{"status":"ok"}'),
    ],
)
def test_operations_come_first_then_the_longest_prefix(path: str, expected: str) -> None:
    app = application({"GET /a/{id}": answer})
    for prefix, name in (("/", "root"), ("/m", "short"), ("/m/long/", "long")):
        app.mount(prefix, named(name))
    assert text(app, path) == expected


def test_a_path_of_the_document_is_never_a_mount() -> None:
    app = mounted(named("m"), "/")
    with TestClient(app) as client:
        refused = client.get("/only")
        assert refused.status == 405
        assert refused.headers["allow"] == "OPTIONS, POST"
        assert client.options("/only").status == 204
        assert client.request("OPTIONS", "*").status == 204
        assert client.get("/a/%zz").status == 400


def test_an_app_without_mounts_answers_404() -> None:
    with TestClient(application({})) as client:
        assert client.get("/m/x").status == 404


@pytest.mark.parametrize("prefix", ["m", "", "/m?x", "/m#x", "/m/{id}"])
def test_a_prefix_is_a_plain_path(prefix: str) -> None:
    with pytest.raises(ConfigError, match="prefix of a mount"):
        application({}).mount(prefix, named("m"))


def test_mounts_are_told_apart_and_made_before_the_start() -> None:
    app = mounted(named("m"))
    with pytest.raises(ConfigError, match="two applications"):
        app.mount("/%6d/", named("n"))
    with pytest.raises(ConfigError, match="cannot be called"):
        app.mount("/n", object())  # type: ignore[arg-type]
    _ = app.service
    with pytest.raises(ConfigError, match="after the app has started"):
        app.mount("/n", named("n"))


# -- the request


def scope_of(send: bytes, **options: Any) -> Message:
    seen: list[Message] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            seen.append(scope)
            await named("m")(scope, receive, send)

    with TestClient(mounted(app, **options)) as client:
        client.send(send)
    return seen[0]


def test_the_scope_is_that_of_the_specification() -> None:
    head = b"PUT /m/%C3%A9%2F?a=%20 HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a:  2 \r\nContent-Length: 0\r\n\r\n"
    assert scope_of(head) == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "PUT",
        "scheme": "http",
        "path": "/m/é/",
        "raw_path": b"/m/%C3%A9%2F",
        "query_string": b"a=%20",
        "root_path": "/m",
        "headers": [(b"host", b"h"), (b"x-a", b"1"), (b"x-a", b"2"), (b"content-length", b"0")],
        "client": ("127.0.0.1", 0),
        "server": None,
        "extensions": {},
    }


def test_http10_and_hosts_of_targets_are_told() -> None:
    assert scope_of(b"GET /m HTTP/1.0\r\n\r\n")["http_version"] == "1.0"
    scope = scope_of(b"GET http://target/m/x HTTP/1.1\r\nHost: other\r\n\r\n")
    assert (scope["path"], scope["headers"]) == ("/m/x", [(b"host", b"target")])


@pytest.mark.parametrize("path", ["/m/%ff", "/m/%zz", "/m/%c3"])
def test_a_path_that_is_not_utf8_is_400(path: str) -> None:
    with TestClient(mounted(named("m"))) as client:
        assert client.get(path).status == 400


def collecting(pieces: list[bytes]) -> Asgi:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            pieces.append(message["body"])
            more = message["more_body"]
        await send(START)
        await send(body(b"done"))

    return app


def test_a_body_comes_in_pieces_up_to_the_limit() -> None:
    pieces: list[bytes] = []
    with TestClient(mounted(collecting(pieces), limits={"body": 10})) as client:
        assert client.post("/m", content=b"0123456789").text == "done"
        assert b"".join(pieces) == b"0123456789"
        assert client.post("/m", content=b"0123456789a").status == 413
        chunked = b"POST /m HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert client.send(chunked + b"8\r\n01234567\r\n" * 2 + b"0\r\n\r\n").startswith(b"HTTP/1.1 413 ")


def test_a_mount_may_have_its_own_limit() -> None:
    app = application({}, limits={"body": 10})
    app.mount("/m", collecting([]), max_body=20)
    with TestClient(app) as client:
        assert client.post("/m", content=bytes(20)).status == 200
        assert client.post("/m", content=bytes(21)).status == 413


# -- the answer


def answering(*messages: Message, then: BaseException | None = None) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            for message in messages:
                await send(message)
            if then is not None:
                raise then

    return mounted(app)


def start(*headers: tuple[bytes, bytes], status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def test_fields_of_the_server_are_its_own() -> None:
    theirs = [(b"date", b"x"), (b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"keep-alive", b"x")]
    app = answering(start(*theirs, (b"server", b"s"), (b"set-cookie", b"a"), (b"set-cookie", b"b")), body(b"x"))
    with TestClient(app) as client:
        raw = client.get("/m").raw
    assert raw.count(b"Date: ") == 1
    assert b"date: x" not in raw
    assert b"close" not in raw
    assert b"chunked" not in raw
    assert b"\r\nserver: s\r\nset-cookie: a\r\nset-cookie: b\r\n" in raw
    assert b"Content-Length: 1\r\n" in raw


@pytest.mark.parametrize("field", [(b"x", b"a\r\nb: c"), (b"x y", b"1"), (b"", b"1"), (b"x", b"\0")])
@pytest.mark.parametrize("more", [False, True])
def test_malformed_fields_are_500(field: tuple[bytes, bytes], more: bool) -> None:
    with TestClient(answering(start(field), body(b"x", more=more))) as client:
        assert client.get("/m").status == 500


def test_a_stream_with_a_length_keeps_it() -> None:
    app = answering(start((b"content-length", b"6")), body(b"abc", more=True), body(b"def"))
    with TestClient(app) as client:
        got = client.get("/m")
        assert got.text == "abcdef"
        assert got.headers["content-length"] == "6"
        assert "transfer-encoding" not in got.headers
        assert client.head("/m").headers["content-length"] == "6"


def test_a_stream_without_a_length_is_chunked() -> None:
    app = answering(start(), body(b"abc", more=True), body(b"", more=True), body(b"def"))
    with TestClient(app) as client:
        got = client.get("/m")
    assert (got.text, got.headers["transfer-encoding"]) == ("abcdef", "chunked")


@pytest.mark.parametrize("status", [204, 304])
def test_what_has_no_body_has_no_length(status: int) -> None:
    with TestClient(answering(start((b"etag", b'"1"'), status=status), body(b""))) as client:
        got = client.get("/m")
    assert (got.status, got.content, got.headers["etag"]) == (status, b"", '"1"')
    assert "content-length" not in got.headers


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [start()],
        [body(b"x")],
        [start(), start()],
        [{"type": "http.response.push"}],
        [start(status=99), body(b"")],
    ],
)
def test_an_application_without_an_answer_is_500(messages: list[Message]) -> None:
    with TestClient(answering(*messages)) as client:
        assert client.get("/m").status == 500


def test_an_exception_before_the_answer_is_500_with_the_id(caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(answering(start(), then=LookupError("lost"))) as client:
        got = client.get("/m", headers={"X-Request-ID": "seven"})
        assert client.get("/good").status == 200
    assert got.json()["request_id"] == "seven"
    assert "LookupError: lost" in caplog.text


def test_an_exception_in_the_answer_cuts_the_connection() -> None:
    with TestClient(answering(start(), body(b"abc", more=True), then=LookupError("lost"))) as client:
        raw = client.send(b"GET /m HTTP/1.1\r\nHost: a\r\n\r\n")
    assert raw.endswith(b"3\r\nabc\r\n")


def test_what_fails_after_the_answer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(answering(start(), body(b"abc"), then=LookupError("lost"))) as client:
        assert client.get("/m").text == "abc"
    assert "failed after its answer" in caplog.text


# -- clients that are slow or go


def test_send_waits_for_a_slow_client() -> None:
    """A client that reads nothing holds the application, whatever it has to say."""
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        if scope["type"] == "http":
            await send(start())
            for _ in range(1000):
                await send(body(bytes(65536), more=True))
                sent += 1
            await send(body(b""))

    with running(mounted(app)) as server, Client(server.url, receive_buffer=4096) as client:
        client.send(b"GET /m HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.stream.read(1)
        with Client(server.url) as other:
            before = -1
            while before != sent:  # until it stands still
                before = sent
                for _ in range(20):
                    assert other.ask(GOOD).status == 200
        assert 0 < sent < 500


@pytest.mark.parametrize("streams", [False, True])
def test_a_client_that_goes_is_told(streams: bool) -> None:
    gate, events = Gate(), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        assert (await receive())["more_body"] is False
        if streams:
            await send(start())
            await send(body(b"x", more=True))
        gate.entered.release()
        events.append((await receive())["type"])
        try:
            await send(body(b"x", more=True) if streams else start())
            await send(body(b"y", more=True))
        except OSError:
            events.append("OSError")
        gate.entered.release()

    with running(mounted(app)) as server:
        with Client(server.url) as client:
            client.send(b"GET /m HTTP/1.1\r\nHost: a\r\n\r\n")
            gate.wait()
            # A reset: one that only says that it will send no more still waits for its answer.
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gate.wait()
    assert events == ["http.disconnect", "OSError"]


# -- the lifespan


class Living:
    """An application that notes its lifespan and gives its state to requests."""

    def __init__(self, log: list[str], name: str = "", fail: str = "") -> None:
        self.log = log
        self.name = name
        self.fail = fail

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send(START)
            await send(body(scope["state"]["name"].encode()))
            return
        for event in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{event}"
            self.log.append(f"{event}{self.name}")
            scope["state"]["name"] = f"state{self.name}"
            said = "failed" if self.fail == event else "complete"
            await send({"type": f"lifespan.{event}.{said}", "message": "no data"})


def test_mounts_start_before_the_first_request_and_end_after_the_last() -> None:
    log: list[str] = []
    app = application({})
    app.mount("/one", Living(log, "1"))
    app.mount("/two/b", Living(log, "2"))
    with running(app) as server, Client(server.url) as client:
        assert log == ["startup2", "startup1"]
        assert client.ask(b"GET /two/b HTTP/1.1\r\nHost: a\r\n\r\n").body == b"state2"
    assert log == ["startup2", "startup1", "shutdown1", "shutdown2"]
    log.clear()
    with TestClient(app) as client:
        assert client.get("/one").text == "state1"
        assert client.get("/one").text == "state1"
    assert log == ["startup2", "startup1", "shutdown1", "shutdown2"]


def test_a_mount_that_does_not_start_stops_the_server(caplog: pytest.LogCaptureFixture) -> None:
    log: list[str] = []
    app = application({})
    app.mount("/m/first", Living(log, "1"))
    app.mount("/m", Living(log, "2", fail="startup"))
    server = app.start(port=0)
    with pytest.raises(MountError, match="application at /m has not started: no data"):
        server.wait_ready()
    server.stop()
    assert log == ["startup1", "startup2", "shutdown1"]
    with TestClient(app) as client, pytest.raises(MountError):
        client.get("/m")


def test_a_mount_that_does_not_end_well_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with TestClient(mounted(Living([], fail="shutdown"))) as client:
        client.get("/good")
    assert "has not ended well: no data" in caplog.text


def test_a_mount_without_a_lifespan_is_served(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await named("m")(scope, receive, send)

    assert text(mounted(app), "/m") == "m /m /m"
    assert caplog.text == ""


def test_a_lifespan_under_another_server_is_passed_on() -> None:
    log: list[str] = []

    async def run() -> None:
        asked: asyncio.Queue[Message] = asyncio.Queue()
        said: asyncio.Queue[Message] = asyncio.Queue()
        app = mounted(Living(log))
        task = asyncio.ensure_future(app({"type": "lifespan", "asgi": {"version": "3.0"}}, asked.get, said.put))
        for event in ("startup", "shutdown"):
            await asked.put({"type": f"lifespan.{event}"})
            assert (await asyncio.wait_for(said.get(), TIMEOUT))["type"] == f"lifespan.{event}.complete"
            log.append("said")
        await task

    asyncio.run(run())
    assert log == ["startup", "said", "shutdown", "said"]


# -- frameworks, and everything that wraps


def test_a_starlette_application_is_served() -> None:
    starlette = pytest.importorskip("starlette.applications")
    routing = pytest.importorskip("starlette.routing")
    responses = pytest.importorskip("starlette.responses")

    async def item(request: Any) -> Any:
        return responses.JSONResponse({"id": request.path_params["id"], "url": str(request.url_for("item", id="9"))})

    async def upload(request: Any) -> Any:
        async def echo() -> Any:
            async for data in request.stream():
                yield data

        return responses.StreamingResponse(echo(), media_type="text/plain")

    inner = starlette.Starlette(
        routes=[routing.Route("/items/{id}", item, name="item"), routing.Route("/up", upload, methods=["POST"])]
    )
    with TestClient(mounted(inner)) as client:
        assert client.get("/m/items/a%20b").json() == {"id": "a b", "url": "http://testserver/m/items/9"}
        assert client.post("/m/up", content=bytes(100_000)).content == bytes(100_000)
        assert client.get("/m/nothing").status == 404
        assert client.get("/m").status == 404 or client.get("/m").headers["location"].endswith("/m/")
        assert client.head("/m/items/1").content == b""


def test_a_fastapi_application_is_served() -> None:
    fastapi = pytest.importorskip("fastapi")
    inner = fastapi.FastAPI()

    @inner.get("/items/{number}")
    def item(number: int) -> dict[str, int]:
        return {"number": number}

    with TestClient(mounted(inner)) as client:
        assert client.get("/m/items/7").json() == {"number": 7}
        assert client.get("/m/items/x").status == 422
        assert client.get("/m/openapi.json").json()["servers"] == [{"url": "/m"}]


def test_one_of_ours_is_mounted_in_another() -> None:
    inner = application({"GET /in": answer})
    with TestClient(mounted(inner)) as client:
        assert client.get("/m/in").text == '"ours"'
        assert client.get("/m/none").json()["detail"] == "no operation has this path"
        assert client.get("/m/health").status == 200


def test_middleware_that_wraps_everything_wraps_mounts() -> None:
    class Stamp:
        everything = True

        def after(self, request: Any, response: Response) -> None:
            response.add_header("X-Stamp", request.template)

    with TestClient(mounted(named("m"), middleware=[Stamp()])) as client:
        assert client.get("/m/x").headers["x-stamp"] == "/m"


def test_mocks_leave_mounts_alone() -> None:
    with TestClient(mounted(named("m"), mock=True)) as client:
        assert client.get("/m/x").text == "m /m /m/x"


def test_prefixes_add_up_under_another_server() -> None:
    seen: list[Message] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)
        await named("m")(scope, receive, send)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        pass

    fields = [(b"host", b"h")]
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/ö/m/x",
        "root_path": "/ö",
        "headers": fields,
        "query_string": b"",
    }
    asyncio.run(mounted(app)(scope, receive, send))
    shown = {name: seen[0][name] for name in ("path", "raw_path", "root_path")}
    assert shown == {"path": "/ö/m/x", "raw_path": b"/%C3%B6/m/x", "root_path": "/ö/m"}
