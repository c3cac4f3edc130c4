"""WebSockets from the handler's side: handshake, messages, the flow, the end."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import threading
import zlib
from typing import Any

import pytest
from websocket_support import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Raw,
    close,
    description,
    echo,
    frame,
    handshake,
    open_raw,
    port_of,
    serving,
)
from wire import TIMEOUT

from brrtrouter import App, ConfigError, ConnectionClosed, HandlerError, Response, SpecError, WebSocket
from brrtrouter.testing import TestClient, running


def answer(fields: dict[str, str | None], version: str = "1.1") -> str:
    """What a handshake is answered with that opens nothing."""
    client = TestClient(App(description(), {"chat": echo}))
    raw = client.send(handshake("/chat", fields, version))
    client.close()
    return raw.decode("latin-1")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"Upgrade": None}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": "keep-alive"}, 426),
        ({"Sec-WebSocket-Version": "8"}, 426),
        ({"Sec-WebSocket-Version": None}, 426),
        ({"Sec-WebSocket-Key": None}, 400),
        ({"Sec-WebSocket-Key": "c2hvcnQ="}, 400),
        ({"Sec-WebSocket-Key": "!" * 24}, 400),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://a:81"}, 403),
    ],
)
def test_a_handshake_that_is_none_gets_an_http_error(fields: dict[str, str | None], status: int) -> None:
    text = answer(fields)
    assert text.startswith(f"HTTP/1.1 {status} "), text
    assert "application/problem+json" in text
    if status == 426:
        for line in ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"):
            assert f"\r\n{line}\r\n" in text


def test_http_1_0_cannot_upgrade() -> None:
    assert answer({}, "1.0").startswith("HTTP/1.1 426 ")


def test_a_refused_handshake_keeps_the_connection_and_loses_nothing() -> None:
    with serving() as port:
        raw = Raw(socket.create_connection(("127.0.0.1", port), TIMEOUT))
        raw.send(handshake(fields={"Origin": "http://b"}) + handshake())
        assert raw.head().startswith("HTTP/1.1 403")
        raw.rest = raw.rest.partition(b"}")[2]
        assert raw.head().startswith("HTTP/1.1 101")
        raw.sock.close()


@pytest.mark.parametrize(
    ("origin", "origins", "opens"),
    [
        ("http://a", [], True),
        ("http://a:80", [], True),
        ("https://a", [], False),
        ("https://b.example", ["https://b.example"], True),
        ("https://c.b.example", ["https://*.b.example"], True),
        ("https://b.example", ["https://*.b.example"], False),
        ("null", ["*"], True),
    ],
)
def test_pages_of_the_own_origin_and_of_those_listed_may_connect(origin: str, origins: list[str], opens: bool) -> None:
    with serving(config={"websocket": {"origins": origins}}) as port:
        raw = Raw(socket.create_connection(("127.0.0.1", port), TIMEOUT))
        raw.send(handshake(fields={"Origin": origin}))
        assert raw.head().startswith("HTTP/1.1 101" if opens else "HTTP/1.1 403")
        raw.sock.close()


def test_an_origin_that_is_none_is_refused_at_start() -> None:
    with pytest.raises(ConfigError, match=r"websocket\.origins: 'example' is not an origin"):
        _ = App(description(), {"chat": echo}, {"websocket": {"origins": ["example"]}}).service


SECURED: dict[str, Any] = {
    **description("/rooms/{room}"),
    "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
}
SECURED["paths"]["/rooms/{room}"]["get"] |= {
    "security": [{"key": []}],
    "parameters": [{"name": "room", "in": "path", "required": True, "schema": {"type": "integer"}}],
}


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/rooms/1", {}, 401),
        ("/rooms/1", {"X-Key": "wrong"}, 401),
        ("/rooms/x", {"X-Key": "right"}, 400),
        ("/nowhere", {"X-Key": "right"}, 404),
        ("/rooms/7", {"X-Key": "right"}, 101),
    ],
)
def test_route_security_and_parameters_come_before_the_upgrade(path: str, fields: Any, status: int) -> None:
    async def chat(ws: WebSocket) -> None:
        await ws.send(ws.request.path_params)

    with running(App(SECURED, {"chat": chat}, {"security": {"api_keys": {"key": {"key": "right"}}}})) as server:
        raw = Raw(socket.create_connection(("127.0.0.1", port_of(server.url)), TIMEOUT))
        raw.send(handshake(path, fields))
        assert raw.head().startswith(f"HTTP/1.1 {status} ")
        if status == 101:
            assert raw.frame()[:2] == (TEXT, b'{"room":7}')
        raw.sock.close()


def test_middleware_and_metrics_see_the_101() -> None:
    seen: list[int] = []

    class Watch:
        everything = True

        def after(self, request: Any, response: Response) -> None:
            seen.append(response.status)

    app = App(description(), {"chat": echo}, {"metrics": {"enabled": True}}, middleware=[Watch()])
    with running(app) as server:
        raw = open_raw(port_of(server.url))
        raw.send(close())
        assert raw.until_close() == ([], 1000)
        metrics = Raw(socket.create_connection(("127.0.0.1", port_of(server.url)), TIMEOUT))
        metrics.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        metrics.head()
        text = metrics.rest.decode()
        while data := metrics.sock.recv(65536):
            text += data.decode()
        metrics.sock.close()
    assert seen[0] == 101
    assert any('status="101"' in line and "/chat" in line for line in text.splitlines()), text


@pytest.mark.parametrize(
    ("offered", "chosen"), [("b, a", "a"), ("b", "b"), ("c", None), (None, None)], ids=["ours", "theirs", "none", "no"]
)
def test_the_first_of_our_subprotocols_that_is_offered(offered: str | None, chosen: str | None) -> None:
    async def chat(ws: WebSocket) -> None:
        await ws.send({"agreed": ws.subprotocol})

    with serving(chat, **{"x-websocket-protocols": ["a", "b"]}) as port:
        raw = Raw(socket.create_connection(("127.0.0.1", port), TIMEOUT))
        raw.send(handshake(fields={"Sec-WebSocket-Protocol": offered}))
        head = raw.head()
        assert ("Sec-WebSocket-Protocol: " in head) == (chosen is not None)
        assert raw.frame()[1] == (b'{"agreed":"%s"}' % chosen.encode() if chosen else b'{"agreed":null}')
        raw.sock.close()


@pytest.mark.parametrize(
    ("extensions", "message"),
    [
        ({"x-websocket": "yes"}, "has to be a boolean"),
        ({"x-websocket-messages": []}, "has to be an object"),
        ({"x-websocket-messages": {"got": {}}}, "is not one of receive, send"),
        ({"x-websocket-protocols": "chat"}, "list of tokens"),
        ({"x-sse": True}, "not both"),
    ],
)
def test_what_is_wrong_in_the_description_is_said_at_its_place(extensions: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        App(description(**extensions), {"chat": echo})


def test_a_plain_function_is_no_handler() -> None:
    with pytest.raises(HandlerError, match="is not an `async def`"):
        _ = App(description(), {"chat": lambda ws: None}).service


# -- the end


def ending(handler: Any, sent: bytes = b"", config: Any = None, **extensions: Any) -> Any:
    """(frames, code of Close) of a WebSocket to which something is sent."""
    with serving(handler, config, **extensions) as port:
        raw = open_raw(port)
        raw.send(sent)
        return raw.until_close()


def test_a_handler_that_returns_closes_with_1000_and_one_that_raises_with_1011(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def returns(ws: WebSocket) -> None:
        await ws.send("bye")

    async def raises(ws: WebSocket) -> None:
        await ws.send(str(1 / 0))

    assert ending(returns) == ([(TEXT, b"bye")], 1000)
    assert caplog.records == []
    assert ending(raises) == ([], 1011)
    assert "the WebSocket at /chat failed" in caplog.text


def test_a_handler_closes_with_its_own_code_and_reason() -> None:
    async def chat(ws: WebSocket) -> None:
        await ws.close(4000, "enough")

    with serving(chat) as port:
        raw = open_raw(port)
        assert raw.frame()[:2] == (CLOSE, struct.pack("!H", 4000) + b"enough")
        raw.send(close(4000))
        assert raw.frames() == []


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])
def test_codes_that_nobody_may_send(code: int) -> None:
    found: list[str] = []

    async def chat(ws: WebSocket) -> None:
        try:
            await ws.close(code)
        except ValueError as error:
            found.append(str(error))

    assert ending(chat)[1] == 1000
    assert found == [f"{code} is no close code that may be sent"]


def ends_of(sent: bytes, *, gone: bool = False) -> list[Any]:
    """What a handler that receives is told at the end, after its messages."""
    found: list[Any] = []
    done = threading.Event()

    async def chat(ws: WebSocket) -> None:
        try:
            while True:
                found.append(await ws.receive())
        except ConnectionClosed as error:
            found.append((error.code, error.reason))
        done.set()

    with serving(chat) as port:
        raw = open_raw(port)
        raw.send(sent)
        if gone:
            raw.sock.close()
        else:
            raw.frames()
        assert done.wait(TIMEOUT)
    return found


def test_what_the_handler_is_told_at_the_end() -> None:
    assert ends_of(frame(TEXT, b"a") + close(3001, b"why")) == ["a", (3001, "why")]
    assert ends_of(frame(BINARY, b"a") + close(None)) == [b"a", (1005, "")]
    assert ends_of(frame(TEXT, b"a"), gone=True) == ["a", (1006, "")]


def test_a_client_that_goes_stops_a_handler_that_does_not_mind() -> None:
    stopped = threading.Event()

    async def chat(ws: WebSocket) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    with serving(chat, {"websocket": {"close_wait": 0.1}}) as port:
        open_raw(port).sock.close()
        assert stopped.wait(TIMEOUT)


def test_a_peer_that_does_not_answer_close_is_left() -> None:
    async def chat(ws: WebSocket) -> None:
        await ws.close()

    with serving(chat, {"websocket": {"close_wait": 0.1}}) as port:
        assert open_raw(port).until_close() == ([], 1000)


def test_a_server_that_stops_says_1001() -> None:
    told = threading.Event()

    async def chat(ws: WebSocket) -> None:
        async for _ in ws:
            pass
        told.set()

    app = App(description(), {"chat": chat})
    server = app.start(port=0).wait_ready()
    raw = open_raw(port_of(server.url))
    raw.send(frame(PING))
    assert raw.frame()[:2] == (PONG, b"")
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    opcode, payload, _ = raw.frame()
    assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1001))
    raw.send(close(1001))
    assert raw.frames() == []
    stopping.join(TIMEOUT)
    assert told.is_set()
    assert len(app.realtime.opened) == 0


# -- the flow


def test_pings_are_sent_and_a_peer_that_does_not_answer_is_left() -> None:
    with serving(echo, {"websocket": {"ping_interval": 0.1, "ping_timeout": 0.1, "close_wait": 0.1}}) as port:
        raw = open_raw(port)
        opcode, payload, _ = raw.frame()
        assert opcode == PING
        raw.send(frame(PONG, payload))
        opcode, second, _ = raw.frame()
        assert (opcode, second != payload) == (PING, True)
        assert raw.until_close()[1] == 1011


def test_messages_wait_in_the_network_when_the_handler_is_slow() -> None:
    go = threading.Event()
    most: list[int] = []

    async def chat(ws: WebSocket) -> None:
        await asyncio.get_running_loop().run_in_executor(None, go.wait)
        async for message in ws:
            most.append(ws.waiting_messages)
            if message == "last":
                await ws.send(str(len(most)))

    with serving(chat, {"websocket": {"queue": 4}}) as port:
        raw = open_raw(port)
        raw.send(frame(TEXT, b"x") * 5000 + frame(TEXT, b"last"))
        go.set()
        assert raw.frame()[:2] == (TEXT, b"5001")
        raw.sock.close()
    assert max(most) <= 4


def test_send_waits_for_a_peer_that_reads_slowly() -> None:
    sent: list[int] = []
    reading = threading.Event()

    async def chat(ws: WebSocket) -> None:
        for number in range(300):
            await ws.send(b"\0" * 65536)
            sent.append(number)
            if number == 200:
                assert reading.is_set()

    with serving(chat) as port:
        raw = open_raw(port)
        opcode, payload, _ = raw.frame()
        assert (opcode, len(payload)) == (BINARY, 65536)
        before = len(sent)
        reading.set()
        frames, code = raw.until_close()
    assert before < 200
    assert (len(frames), code) == (299, 1000)


# -- messages with schemas

SCHEMAS = {
    "x-websocket-messages": {
        "receive": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}},
        "send": {"type": "integer"},
    }
}


def test_messages_are_values_that_satisfy_their_schemas(caplog: pytest.LogCaptureFixture) -> None:
    async def chat(ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(len(message["text"]) if message["text"] else "no number")

    assert ending(chat, frame(TEXT, b'{"text": "abc"}') + close(), **SCHEMAS) == ([(TEXT, b"3")], 1000)
    assert ending(chat, frame(TEXT, b"{"), **SCHEMAS) == ([], 1007)
    assert ending(chat, frame(BINARY, b"{}"), **SCHEMAS) == ([], 1007)
    caplog.clear()
    assert ending(chat, frame(TEXT, b'{"text": ""}'), **SCHEMAS) == ([], 1011)
    assert "the message is not as described" in caplog.text
    with serving(chat, **SCHEMAS) as port:
        raw = open_raw(port)
        raw.send(frame(TEXT, b'{"text": 1}'))
        opcode, payload, _ = raw.frame()
        assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1008))
        assert payload[2:].startswith(b"/text: ")
        raw.sock.close()


# -- permessage-deflate (RFC 7692)

DEFLATE = {"websocket": {"deflate": True, "message": 100_000}}


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        ("permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover"),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate; client_max_window_bits=15"),
        ("permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=10"),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; unknown", None),
        ("permessage-deflate; client_no_context_takeover=1", None),
        ("permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", None),
        ("x, permessage-deflate; unknown, permessage-deflate", "permessage-deflate"),
        ("permessage-bzip2", None),
    ],
)
def test_what_is_agreed_on(offer: str, agreed: str | None) -> None:
    with serving(config=DEFLATE) as port:
        raw = Raw(socket.create_connection(("127.0.0.1", port), TIMEOUT))
        raw.send(handshake(fields={"Sec-WebSocket-Extensions": offer}))
        lines = raw.head().split("\r\n")
        raw.sock.close()
    assert [line for line in lines if "Extensions" in line] == (
        [f"Sec-WebSocket-Extensions: {agreed}"] if agreed else []
    )


def test_without_the_setting_nothing_is_compressed() -> None:
    with serving() as port:
        raw = open_raw(port, fields={"Sec-WebSocket-Extensions": "permessage-deflate"})
        raw.send(frame(TEXT, b"a", rsv=4))
        assert raw.until_close() == ([], 1002)


@pytest.mark.parametrize("single", [False, True], ids=["whole", "octets"])
@pytest.mark.parametrize(
    ("offer", "bits", "takeover"),
    [
        ("permessage-deflate", 15, True),
        ("permessage-deflate; server_no_context_takeover; client_no_context_takeover", 15, False),
        ("permessage-deflate; server_max_window_bits=9; client_max_window_bits=9", 9, True),
    ],
)
def test_compressed_messages(offer: str, bits: int, takeover: bool, single: bool) -> None:
    messages = [b"hello hello hello", b"hello hello hello", b"", bytes(range(97, 123)) * 40]
    with serving(config=DEFLATE) as port:
        raw = open_raw(port, fields={"Sec-WebSocket-Extensions": offer})
        out, back = zlib.compressobj(9, zlib.DEFLATED, -bits), zlib.decompressobj(-bits)
        for message in messages:
            data = (out.compress(message) + out.flush(zlib.Z_SYNC_FLUSH))[:-4] or b"\0"
            half = len(data) // 2
            raw.send(frame(TEXT, data[:half], fin=False, rsv=4) + frame(PING) + frame(0, data[half:]), single=single)
            assert raw.frame()[:2] == (PONG, b"")
            opcode, payload, rsv = raw.frame()
            assert (opcode, rsv & 4) == (TEXT, 4)
            assert back.decompress(payload + b"\0\0\xff\xff") == message
            if not takeover:
                out, back = zlib.compressobj(9, zlib.DEFLATED, -bits), zlib.decompressobj(-bits)
        raw.sock.close()


def test_a_bomb_and_bad_data_end_the_connection() -> None:
    with serving(config=DEFLATE) as port:
        for data, code in ((zlib.compress(b"\0" * 50_000_000, 9)[2:-4], 1009), (b"\xff" * 9, 1002)):
            raw = open_raw(port, fields={"Sec-WebSocket-Extensions": "permessage-deflate"})
            raw.send(frame(BINARY, data, rsv=4))
            assert raw.until_close()[1] in (code, 1007)


def test_nothing_is_logged_for_what_clients_do(caplog: pytest.LogCaptureFixture) -> None:
    assert ending(echo, frame(3))[1] == 1002
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
