"""What answers beside the operations, folders and mounted applications, and what goes for every answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from brrtrouter import App
from brrtrouter.testing import TestClient

ORIGIN = "https://app.example"
CONFIG: dict[str, Any] = {
    "metrics": {"enabled": True},
    "cors": {"origins": [ORIGIN]},
    "compression": {"encodings": ["gzip"], "minimum": 1},
}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/first": {"get": {"operationId": "first", "responses": {"200": {"description": ""}}}},
        "/flow": {"get": {"operationId": "flow", "responses": {"200": {"description": ""}}}},
    },
}
SENT = [b"one", b"two", b"three"]


async def first(request: Any) -> Any:
    return {"first": True}


async def flow(request: Any) -> Any:
    async def items() -> Any:
        for item in SENT:
            yield item

    return items()


async def guest(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    fields = [(b"access-control-allow-origin", b"https://guest.example"), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 203, "headers": fields})
    await send({"type": "http.response.body", "body": scope["method"].encode()})


@pytest.fixture
def app(tmp_path: Path) -> App:
    (tmp_path / "a.txt").write_text("a file")
    made = App(DOCUMENT, {"first": first, "flow": flow}, CONFIG, static={"/files": str(tmp_path)})
    made.mount("/guest", guest)
    return made


def counted(text: str) -> set[str]:
    """The series of requests with their counts, without the answer that tells them."""
    lines = [line for line in text.splitlines() if line.startswith("brrtrouter_requests_total{")]
    return {line.partition("{")[2] for line in lines}


def test_what_no_operation_answers_is_counted_for_none(app: App) -> None:
    with TestClient(app) as client:
        assert client.get("/files/a.txt").text == "a file"
        assert client.get("/guest/x").status == 203
        found = counted(client.get("/metrics").text)
    assert found == {'method="*",path="*",status="200"} 1.0', 'method="*",path="*",status="203"} 1.0'}


def test_a_folder_grants_what_the_configuration_grants(app: App) -> None:
    with TestClient(app) as client:
        answer = client.get("/files/a.txt", headers={"Origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_mounted_application_speaks_for_itself(app: App, method: str) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    with TestClient(app) as client:
        answer = client.request(method, "/guest/x", headers=asked)
    assert (answer.status, answer.text) == (203, method)
    assert answer.headers["access-control-allow-origin"] == "https://guest.example"


def test_a_compressed_answer_grants_and_varies_by_both(app: App) -> None:
    with TestClient(app) as client:
        answer = client.get("/first", headers={"Origin": ORIGIN, "Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert {name.strip() for name in answer.headers["vary"].split(",")} == {"Origin", "Accept-Encoding"}


def test_under_another_server_requests_are_counted_and_granted_too(app: App) -> None:
    async def ask() -> tuple[list[httpx.Response], str]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://a", headers={"Origin": ORIGIN}) as client:
            answers = [await client.get(path) for path in ("/first", "/flow", "/nowhere")]
            return answers, (await client.get("/metrics")).text

    answers, text = asyncio.run(ask())
    assert [answer.status_code for answer in answers] == [200, 200, 404]
    assert [answer.headers["access-control-allow-origin"] for answer in answers] == [ORIGIN] * 3
    assert counted(text) == {
        'method="GET",path="/first",status="200"} 1.0',
        'method="GET",path="/flow",status="200"} 1.0',
        'method="*",path="*",status="404"} 1.0',
    }
    assert "brrtrouter_active_requests 1.0" in text
