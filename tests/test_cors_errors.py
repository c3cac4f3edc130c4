"""CORS on the answers that something in front of the operations gives, and on redirections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from brrtrouter import App, Request, Response
from brrtrouter.testing import TestClient

ORIGIN = "https://app.example"
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/few": {
            "get": {"operationId": "few", "x-rate-limit": {"requests": 1}, "responses": {}},
            "post": {"operationId": "change", "responses": {}},
        },
        "/slow": {"get": {"operationId": "slow", "x-brrtrouter-deadline-ms": 1, "responses": {}}},
        "/moved": {"get": {"operationId": "moved", "responses": {}}},
        "/changed": {"get": {"operationId": "changed", "responses": {}}},
        "/away": {"get": {"operationId": "away", "security": [{"Bearer": []}], "responses": {}}},
        "/scoped": {"get": {"operationId": "scoped", "security": [{"Key": ["more"]}], "responses": {}}},
        "/nobody": {"get": {"operationId": "nobody", "responses": {}}},
    },
    "components": {
        "securitySchemes": {
            "Bearer": {"type": "http", "scheme": "bearer"},
            "Key": {"type": "apiKey", "in": "header", "name": "X-Key"},
        }
    },
}


class Away:
    def authenticate(self, request: Request, scheme: Any, scopes: Any) -> Any:
        from brrtrouter.policy.security import Denial

        return Denial("unavailable", "Bearer")


async def plain(request: Request) -> Any:
    return {"ok": True}


async def slow(request: Request) -> Any:
    import asyncio

    await asyncio.Event().wait()


async def moved(request: Request) -> Any:
    return Response(307, None, {"Location": "/few"})


async def changed(request: Request) -> Any:
    return request.precondition(etag='"1"') or Response(200, "x", {"ETag": '"1"'})


@pytest.fixture
def client() -> Iterator[TestClient]:
    handlers = {**dict.fromkeys(("few", "change", "away", "scoped"), plain), "slow": slow, "moved": moved}
    config = {
        "cors": {"origins": [ORIGIN], "allow_credentials": True, "expose_headers": ["RateLimit", "Retry-After"]},
        "csrf": {"enabled": True},
        "security": {"api_keys": {"Key": {"key": "k"}}},
    }
    app = App(DOCUMENT, {**handlers, "changed": changed}, config, security={"Bearer": Away()})
    with TestClient(app) as made:
        yield made


def ask(client: TestClient, method: str, path: str, origin: str = ORIGIN, **fields: str) -> tuple[int, str | None]:
    sent = {"Origin": origin, **{name.replace("_", "-"): value for name, value in fields.items()}}
    answer = client.request(method, path, headers=sent)
    assert answer.headers["vary"] == "Origin"
    assert (answer.headers.get("access-control-allow-credentials") == "true") is (origin == ORIGIN)
    assert answer.raw.lower().count(b"access-control-allow-origin") == (origin == ORIGIN)
    return answer.status, answer.headers.get("access-control-allow-origin")


@pytest.mark.parametrize(
    ("method", "path", "fields", "status"),
    [
        ("POST", "/few", {}, 403),
        ("GET", "/scoped", {"X_Key": "k"}, 403),
        ("GET", "/scoped", {"X_Key": "wrong"}, 401),
        ("GET", "/away", {"Authorization": "Bearer x"}, 503),
        ("GET", "/slow", {}, 504),
        ("GET", "/nobody", {}, 501),
        ("GET", "/moved", {}, 307),
        ("GET", "/changed", {"If_None_Match": '"1"'}, 304),
        ("GET", "/changed", {"If_Match": '"2"'}, 412),
        ("HEAD", "/moved", {}, 307),
    ],
)
def test_refusals_and_redirections_tell_a_granted_origin_so(
    client: TestClient, method: str, path: str, fields: dict[str, str], status: int
) -> None:
    assert ask(client, method, path, **fields) == (status, ORIGIN)
    assert ask(client, method, path, "https://evil.example", **fields) == (status, None)


def test_a_page_is_told_that_it_asks_too_often(client: TestClient) -> None:
    assert ask(client, "GET", "/few") == (200, ORIGIN)
    answer = client.get("/few", headers={"Origin": ORIGIN})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (429, ORIGIN)
    assert answer.headers["access-control-expose-headers"] == "RateLimit, Retry-After"
    assert ask(client, "GET", "/few", "https://evil.example") == (429, None)


def test_a_preflight_is_neither_counted_nor_taken_for_a_forged_request(client: TestClient) -> None:
    for _ in range(3):
        found = ask(client, "OPTIONS", "/few", Access_Control_Request_Method="POST", Sec_Fetch_Site="cross-site")
        assert found == (204, ORIGIN)
    assert ask(client, "GET", "/few") == (200, ORIGIN)
