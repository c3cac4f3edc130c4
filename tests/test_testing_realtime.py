"""The client of tests speaks WebSocket and reads event streams, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websocket_support import description, echo

from brrtrouter import App, ConnectionClosed, Event
from brrtrouter.testing import HandshakeRefused, TestClient


def test_messages_go_both_ways() -> None:
    with TestClient(App(description(), {"chat": echo})) as client, client.websocket("/chat") as ws:
        for message in ("text", b"octets", "x" * 100_000):
            ws.send(message)
            assert ws.receive() == message
        ws.send({"a": 1})
        assert ws.receive_json() == {"a": 1}
        ws.close(4000, "done")
        assert ws.close_code == 4000


def test_what_the_server_says_at_the_end() -> None:
    async def chat(ws: Any) -> None:
        await ws.send(ws.subprotocol)
        await ws.close(4001, "no more")

    app = App(description(**{"x-websocket-protocols": ["a"]}), {"chat": chat})
    with TestClient(app) as client:
        ws = client.websocket("/chat", subprotocols=["b", "a"])
        assert (ws.subprotocol, ws.receive()) == ("a", "a")
        with pytest.raises(ConnectionClosed) as caught:
            ws.receive()
        assert (caught.value.code, caught.value.reason) == (4001, "no more")
        ws.close()


def test_a_handshake_that_is_refused() -> None:
    with TestClient(App(description(), {"chat": echo})) as client, pytest.raises(HandshakeRefused) as caught:
        client.websocket("/chat", headers={"Origin": "https://evil.example"})
    assert caught.value.response.status == 403


def test_events_are_read_while_they_come() -> None:
    stopped = []

    async def ticks(request: Any) -> AsyncIterator[Any]:
        try:
            yield "one\ntwo"
            yield Event({"n": 2}, event="tick", id="7")
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    spec = description("/ticks")
    spec["paths"]["/ticks"]["get"] = {"operationId": "ticks", "x-sse": True, "responses": {}}
    with TestClient(App(spec, {"ticks": ticks})) as client:
        with client.events("/ticks") as stream:
            assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            events = iter(stream)
            assert next(events) == {"data": "one\ntwo"}
            assert next(events) == {"event": "tick", "data": '{"n":2}', "id": "7"}
            assert stopped == []
        assert stopped == [True]
