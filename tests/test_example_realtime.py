"""The chat and the ticks of examples/ in memory."""

from __future__ import annotations

import json
import runpy
from types import SimpleNamespace

import pytest
from docs_support import ROOT

from brrtrouter import App, ConnectionClosed
from brrtrouter.testing import HandshakeRefused, TestClient


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
