"""The chat and the ticks of examples/: in memory, and their pages in a browser."""

from __future__ import annotations

import json
import runpy
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from browser import CHROMIUM, page_of
from docs_support import ROOT
from websocket_support import TEXT, close, open_raw, port_of
from wire import TIMEOUT

from brrtrouter import App, ConnectionClosed
from brrtrouter.testing import HandshakeRefused, TestClient, running


def new_app(name: str) -> App:
    """An example with handlers, and rooms, of its own."""
    folder = ROOT / "examples" / name
    handlers = SimpleNamespace(**runpy.run_path(str(folder / "handlers.py")))
    return App(folder / "openapi.yaml", handlers, static={"/": str(folder / "static")}, response_validation="enforce")


def said(name: str, text: str) -> dict[str, str]:
    return {"name": name, "text": text}


def test_everybody_in_a_room_hears_what_is_said_there() -> None:
    with TestClient(new_app("chat")) as client:
        ada = client.websocket("/rooms/lobby?name=ada")
        assert ada.receive_json() == said("ada", "is here")
        other = client.websocket("/rooms/attic?name=eve")
        assert other.receive_json() == said("eve", "is here")
        with client.websocket("/rooms/lobby?name=bob") as bob:
            assert ada.receive_json() == bob.receive_json() == said("bob", "is here")
            bob.send({"text": "<b>hello</b>"})
            assert ada.receive_json() == bob.receive_json() == said("bob", "<b>hello</b>")
        assert ada.receive_json() == said("bob", "has left")
        other.send({"text": "anybody?"})
        assert other.receive_json() == said("eve", "anybody?")
        other.send({"text": ""})
        with pytest.raises(ConnectionClosed, match=r"1008 /text"):
            other.receive()


@pytest.mark.parametrize("path", ["/rooms/lobby", "/rooms/LOBBY?name=ada", "/rooms/lobby?name="])
def test_who_does_not_say_who_and_where_is_not_let_in(path: str) -> None:
    with TestClient(new_app("chat")) as client, pytest.raises(HandshakeRefused, match="400"):
        client.websocket(path)


def test_ticks_go_on_where_the_client_has_stopped() -> None:
    with TestClient(new_app("ticks")) as client:
        with client.events("/ticks?interval=1") as stream:
            events = iter(stream)
            first, second = next(events), next(events)
        assert [first["id"], second["id"]] == ["1", "2"]
        assert json.loads(first["data"])["number"] == 1
        with client.events("/ticks?interval=1", headers={"Last-Event-ID": "41"}) as stream:
            assert next(iter(stream))["id"] == "42"
        assert client.get("/ticks?interval=0").status == 400


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_the_page_of_the_ticks_shows_them(tmp_path: Path) -> None:
    with running(new_app("ticks")) as server:
        dom = page_of(f"{server.url}/?interval=5", tmp_path)
    assert '<li value="1">101.99</li>' in dom


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_two_pages_chat_with_each_other(tmp_path: Path) -> None:
    with running(new_app("chat")) as server:
        # A third visitor keeps the room and sees both.
        raw = open_raw(port_of(server.url), "/rooms/lobby?name=eve")
        pages: dict[str, str] = {}

        def show(name: str) -> None:
            pages[name] = page_of(f"{server.url}/?name={name}&say=hello+from+{name}", tmp_path / name)

        threads = [threading.Thread(target=show, args=[name]) for name in ("ada", "bob")]
        for thread in threads:
            thread.start()
        heard: list[Any] = []
        while {"ada", "bob"} - {each["name"] for each in heard if each["text"].startswith("hello")}:
            opcode, payload, _ = raw.frame()
            if opcode == TEXT:
                heard.append(json.loads(payload))
        for thread in threads:
            thread.join(TIMEOUT * 6)
        raw.send(close())
        raw.frames()
    assert "ada: hello from ada" in pages["ada"]
    assert "bob: hello from bob" in pages["bob"]
