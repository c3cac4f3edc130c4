"""The echo handler answers with what was received, as the specification decodes it."""

from __future__ import annotations

from typing import Any

import pytest

from brrtrouter import App
from brrtrouter.testing import TestClient


def parameter(location: str, name: str, **schema: Any) -> dict[str, Any]:
    return {"name": name, "in": location, "required": location == "path", "schema": schema}


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "servers": [{"url": "https://api.example/v2"}],
    "paths": {
        "/pets/{petId}": {
            "put": {
                "operationId": "putPet",
                "parameters": [
                    parameter("path", "petId", type="integer"),
                    parameter("query", "tags", type="array", items={"type": "string"}),
                    parameter("query", "limit", type="integer", default=20),
                    parameter("header", "X-Flag", type="boolean"),
                    parameter("cookie", "session", type="string"),
                ],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"type": "object"}},
                        "text/plain": {},
                        "application/octet-stream": {},
                    }
                },
                "responses": {"200": {"description": ""}},
            },
            "get": {"x-handler-python": "custom", "responses": {"203": {"description": ""}}},
        }
    },
}


@pytest.fixture
def client() -> TestClient:
    return TestClient(App(DOCUMENT, echo=True))


def test_the_answer_has_the_decoded_values_of_every_location(client: TestClient) -> None:
    response = client.put(
        "/v2/pets/42?tags=a&tags=b%20c&extra=1&extra=2",
        json={"name": "Rex"},
        headers={"X-Flag": "true", "X-Other": "text"},
        cookies={"session": "s1", "other": "o"},
    )
    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    received = response.json()
    headers = received.pop("headers")
    assert received == {
        "handler": "putPet",
        "method": "PUT",
        "path": "/v2/pets/{petId}",
        "params": {"petId": 42},
        "query": {"tags": ["a", "b c"], "extra": ["1", "2"], "limit": 20},
        "cookies": {"session": "s1", "other": "o"},
        "body": {"name": "Rex"},
    }
    assert (headers["x-flag"], headers["x-other"], headers["host"]) == (True, "text", "testserver")


@pytest.mark.parametrize(
    ("media_type", "content", "body"),
    [
        ("text/plain", "grüße".encode(), "grüße"),
        ("application/octet-stream", b"\xff\x00", "/wA="),
        ("application/json", b"", None),
        ("application/json", b"{}", {}),
    ],
)
def test_a_body_of_any_kind_is_shown(client: TestClient, media_type: str, content: bytes, body: Any) -> None:
    response = client.put("/v2/pets/1", content=content, headers={"Content-Type": media_type})
    assert response.json()["body"] == body


def test_the_name_is_that_of_the_handler_and_the_status_the_declared_one(client: TestClient) -> None:
    response = client.get("/v2/pets/x%2Fy")
    assert response.status == 203
    assert response.json()["handler"] == "custom"
    assert response.json()["params"] == {"petId": "x/y"}


@pytest.mark.parametrize(("declared", "status"), [("204", 200), ("205", 200), ("201", 201), ("302", 200), ("2XX", 200)])
def test_there_is_always_something_to_see(declared: str, status: int) -> None:
    operation = {"operationId": "delX", "responses": {declared: {"description": ""}}}
    document = {"openapi": "3.1.0", "info": DOCUMENT["info"], "paths": {"/x": {"delete": operation}}}
    response = TestClient(App(document, echo=True)).delete("/x")
    assert (response.status, response.json()["handler"]) == (status, "delX")


def test_validation_comes_first(client: TestClient) -> None:
    assert client.put("/v2/pets/many", json={}).status == 400
    assert client.put("/v2/pets/1", json=[]).status == 400


def test_a_handler_of_the_user_beats_the_echo_and_without_echo_nothing_is_echoed(client: TestClient) -> None:
    client.app.register("custom", lambda request: "mine", inline=True)
    assert client.get("/v2/pets/1").json() == "mine"
    assert [route.reason for route in client.app.routes] == ["echo: no handler is registered", "registered"]
    assert TestClient(App(DOCUMENT)).get("/v2/pets/1").status == 501
