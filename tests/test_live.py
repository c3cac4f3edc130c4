"""Operations and handlers that come and go while an application runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import Load

from brrtrouter import App, BrrtError, HandlerError, Request, SpecError
from brrtrouter.server.handle import Server
from brrtrouter.testing import TestClient

Serve = Callable[[App], Server]
DOCUMENT: dict[str, Any] = {
    "openapi": "3.2.0",
    "info": {"title": "Live", "version": "1"},
    "servers": [{"url": "/v1"}],
    "paths": {"/notes": {"get": {"operationId": "list", "responses": {"200": {"description": "all"}}}}},
    "components": {
        "schemas": {"Note": {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}}
    },
}
READ = {
    "operationId": "read",
    "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
    "responses": {"200": {"description": "one"}},
}
WRITE = {
    "operationId": "write",
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Note"}}},
    },
    "responses": {"201": {"description": "made"}},
}


async def read(request: Request) -> Any:
    return request.path_params["id"]


async def write(request: Request) -> Any:
    return 201, request.body


def application() -> App:
    return App(DOCUMENT, {"list": lambda request: []}, {"metrics": {"enabled": True}})


def test_an_added_operation_is_decoded_validated_and_described_like_any_other() -> None:
    app = application()
    with TestClient(app) as client:
        assert client.get("/v1/notes/7").status == 404
        app.add_operation("GET", "/notes/{id}", READ, read)
        app.add_operation("POST", "/notes", WRITE, write)
        assert client.get("/v1/notes/7").json() == 7
        assert client.get("/v1/notes/x").status == 400
        assert client.post("/v1/notes", json={"text": "a"}).status == 201
        assert client.post("/v1/notes", json={}).status == 400
        assert client.get("/v1/notes").json() == []
        paths = client.get("/openapi.json").json()["paths"]
        assert set(paths) == {"/notes", "/notes/{id}"}
        assert set(paths["/notes"]) == {"get", "post"}
        assert "/notes/{id}" in client.get("/openapi.yaml").text
        assert [(route.method, route.path) for route in app.routes] == [
            ("GET", "/v1/notes"),
            ("GET", "/v1/notes/{id}"),
            ("POST", "/v1/notes"),
        ]
        assert 'path="/v1/notes/{id}"' in client.get("/metrics").text


def test_a_removed_operation_is_404_or_405_and_described_no_more() -> None:
    app = application()
    with TestClient(app) as client:
        app.add_operation("POST", "/notes", WRITE, write)
        app.remove_operation("GET", "/notes")
        refused = client.get("/v1/notes")
        assert (refused.status, refused.headers["allow"]) == (405, "OPTIONS, POST")
        app.remove_operation("POST", "/notes")
        assert client.post("/v1/notes", json={"text": "a"}).status == 404
        assert client.get("/openapi.json").json()["paths"] == {}


def test_a_method_of_its_own_comes_and_goes() -> None:
    app = application()
    with TestClient(app) as client:
        app.add_operation("COPY", "/notes", {"operationId": "copy", "responses": {"200": {"description": "x"}}}, write)
        assert client.request("COPY", "/v1/notes").status == 201
        assert set(client.get("/openapi.json").json()["paths"]["/notes"]) == {"get", "additionalOperations"}
        app.remove_operation("COPY", "/notes")
        assert client.request("COPY", "/v1/notes").status == 405


@pytest.mark.parametrize(
    ("method", "path", "operation", "error", "words"),
    [
        ("GET", "/notes", READ, BrrtError, "has the operation GET /notes already"),
        ("GET", "/v1/notes", READ, BrrtError, "has the operation GET /v1/notes already"),
        ("PUT", "/notes", {"parameters": [{"name": "a"}]}, SpecError, "/paths/~1notes/put/parameters/0"),
        ("PUT", "/notes/{id}/{id}", READ, SpecError, "IllegalPathTemplate"),
        ("PUT", "/notes", {**WRITE, "requestBody": {"$ref": "#/components/no"}}, SpecError, "Unresolvable"),
        ("PUT", "/notes", {**WRITE, "operationId": "list"}, SpecError, "DuplicateOperationId"),
    ],
)
def test_what_cannot_be_added_changes_nothing(method: str, path: str, operation: Any, error: Any, words: str) -> None:
    app = application()
    with TestClient(app) as client:
        with pytest.raises(error, match=words):
            app.add_operation(method, path, operation)
        assert client.get("/v1/notes").json() == []
        assert set(client.get("/openapi.json").json()["paths"]) == {"/notes"}


def test_a_handler_that_cannot_be_one_and_an_operation_that_is_not_there_are_refused() -> None:
    app = application()
    with pytest.raises(HandlerError):
        app.add_operation("GET", "/notes/{id}", READ, lambda: None)
    assert len(app.routes) == 1
    with pytest.raises(BrrtError, match="has no operation GET /nowhere"):
        app.remove_operation("GET", "/nowhere")
    with pytest.raises(HandlerError, match="nothing is registered as the handler 'list'"):
        app.unregister("list")


def test_a_handler_that_is_unregistered_gives_way_to_what_the_app_was_made_with() -> None:
    app = application()
    with TestClient(app) as client:
        app.register("list", lambda request: ["registered"])
        assert client.get("/v1/notes").json() == ["registered"]
        app.unregister("list")
        assert client.get("/v1/notes").json() == []


def test_operations_that_were_added_stay_over_a_reload(tmp_path: Path) -> None:
    spec = tmp_path / "openapi.yaml"
    text = "openapi: 3.1.0\ninfo: {title: x, version: '1'}\npaths:\n  /a: {get: {operationId: a}}\n"
    spec.write_text(text)
    app = App(spec, {"a": lambda request: "a", "b": lambda request: "b"})
    with TestClient(app) as client:
        app.add_operation("GET", "/notes/{id}", READ, read)
        spec.write_text(text + "  /b: {get: {operationId: b}}\n")
        app.reload()
        assert [client.get(path).json() for path in ("/a", "/b", "/notes/3")] == ["a", "b", 3]


def test_changes_under_load_lose_nothing(serve: Serve) -> None:
    app = application()
    server = serve(app)

    async def change() -> None:
        async with Load(server.url, clients=4, path="/v1/notes") as load:
            for number in range(40):
                path = f"/notes/{{id}}/{number}"
                await asyncio.to_thread(app.add_operation, "GET", path, {**READ, "operationId": f"n{number}"}, read)
                if number >= 5:
                    gone = f"/notes/{{id}}/{number - 5}"
                    await asyncio.to_thread(app.remove_operation, "GET", gone)
                await load.more(5)
            assert (load.lost, load.torn, load.refused) == (0, 0, 0)
            assert set(load.answered) == {b"200 []"}

    asyncio.run(change())
    assert [route.path for route in app.routes] == ["/v1/notes", *(f"/v1/notes/{{id}}/{n}" for n in range(35, 40))]
