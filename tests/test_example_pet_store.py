"""The pet store of examples/: every operation, in memory and over sockets, and the pages that describe it."""

from __future__ import annotations

import http.client
import json
import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from browser import CHROMIUM, page_of
from docs_support import CURL, ROOT, Block, Command, Reader, blocks, commands, reading

from brrtrouter import App
from brrtrouter.testing import TestClient, TestResponse, running

STORE = ROOT / "examples" / "pet_store"
SERVE = (
    "brrtrouter serve examples/pet_store/openapi.yaml --handlers examples/pet_store/handlers.py"
    " --config examples/pet_store/config.yaml"
)
KEY = {"X-API-Key": "test123"}
MAX = {"id": 12345, "name": "Max", "status": "available", "tags": ["friendly", "trained"]}
OWNER = {"name": "Jo Smith", "address": {"street": "1 High Street", "city": "Bath", "country": "GB"}}


def new_app() -> App:
    """A store of its own: the handlers are executed anew, so that no test sees the pets of another."""
    handlers = SimpleNamespace(**runpy.run_path(str(STORE / "handlers.py")))
    return App(STORE / "openapi.yaml", handlers, STORE / "config.yaml")


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(new_app(), headers=KEY) as client:
        yield client


def create(client: TestClient, **details: Any) -> int:
    answer = client.post("/pets", json={"name": "Bella", **details})
    assert answer.status == 200
    created: dict[str, Any] = answer.json()
    assert created == {"id": created["id"], "status": "success"}
    return int(created["id"])


def faults(answer: TestResponse) -> list[tuple[str, str, str]]:
    """Location, pointer and keyword of everything that a 400 lists."""
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"
    return [(fault["location"], fault["pointer"], fault["keyword"]) for fault in answer.json()["errors"]]


# -- the operations


def test_the_first_created_pet_is_67890_and_the_next_ones_count_up(client: TestClient) -> None:
    answer = client.post("/pets", json={"name": "Bella"})
    assert answer.content == b'{"id":67890,"status":"success"}'
    assert [create(client), create(client)] == [67891, 67892]


def test_a_created_pet_can_be_read_with_all_that_was_sent(client: TestClient) -> None:
    pet_id = create(client, status="pending", tags=["puppy"], owner=OWNER)
    expected = {"id": pet_id, "name": "Bella", "status": "pending", "tags": ["puppy"], "owner": OWNER}
    assert client.get(f"/pets/{pet_id}").json() == expected


def test_what_is_left_out_gets_a_default(client: TestClient) -> None:
    pet_id = create(client)
    assert client.get(f"/pets/{pet_id}").json() == {"id": pet_id, "name": "Bella", "status": "available", "tags": []}


def test_lists_are_filtered_by_status_and_by_all_tags_and_cut_at_the_limit(client: TestClient) -> None:
    sold = create(client, status="sold", tags=["friendly"])
    free = create(client, tags=["trained", "friendly"])

    def listed(**params: Any) -> list[int]:
        return [pet["id"] for pet in client.get("/pets", params=params).json()]

    assert listed() == [MAX["id"], sold, free]
    assert listed(limit=2) == [MAX["id"], sold]
    assert listed(status="sold") == [sold]
    assert listed(tag=["friendly", "trained"]) == [MAX["id"], free]
    assert listed(tag="friendly", status="available", limit=1) == [MAX["id"]]
    assert listed(tag="unknown") == []


def test_a_list_has_20_pets_unless_told_otherwise(client: TestClient) -> None:
    for _ in range(25):
        create(client)
    assert len(client.get("/pets").json()) == 20
    assert len(client.get("/pets?limit=100").json()) == 26


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=0", ("query", "/limit", "minimum")),
        ("limit=101", ("query", "/limit", "maximum")),
        ("limit=ten", ("query", "/limit", "type")),
        ("status=lost", ("query", "/status", "enum")),
        ("tag=ok&tag=", ("query", "/tag/1", "minLength")),
        ("tag=a&tag=b&tag=c&tag=d&tag=e&tag=f", ("query", "/tag", "maxItems")),
    ],
)
def test_filters_out_of_bounds_are_refused(query: str, expected: tuple[str, str, str], client: TestClient) -> None:
    assert faults(client.get(f"/pets?{query}")) == [expected]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ("", "required")),
        ({"name": ""}, ("/name", "minLength")),
        ({"name": "x", "colour": "red"}, ("", "unevaluatedProperties")),
        ({"name": "x", "tags": ["a", "a"]}, ("/tags", "uniqueItems")),
        ({"name": "x", "owner": {}}, ("/owner", "required")),
        ({"name": "x", "owner": {"name": "y", "address": {"city": "z"}}}, ("/owner/address", "required")),
        (
            {"name": "x", "owner": {"name": "y", "address": {"city": "z", "country": "gb"}}},
            ("/owner/address/country", "pattern"),
        ),
    ],
)
def test_bodies_that_break_their_schema_are_refused(body: Any, expected: tuple[str, str], client: TestClient) -> None:
    assert faults(client.post("/pets", json=body)) == [("body", *expected)]
    assert faults(client.put("/pets/12345", json=body)) == [("body", *expected)]
    assert client.get("/pets").json() == [MAX]


def test_a_body_is_json_and_is_needed(client: TestClient) -> None:
    assert client.post("/pets", content="name=Bella", headers={"Content-Type": "text/plain"}).status == 415
    assert client.post("/pets", content="{", headers={"Content-Type": "application/json"}).status == 400
    assert faults(client.post("/pets")) == [("body", "", "required")]


def test_a_body_over_the_configured_limit_is_refused(client: TestClient) -> None:
    assert client.post("/pets", json={"name": "x" * 66000}).status == 413


def test_an_update_replaces_everything_but_the_id(client: TestClient) -> None:
    updated = {"id": 12345, "name": "Maxi", "status": "sold", "tags": [], "owner": OWNER}
    assert client.put("/pets/12345", json={"name": "Maxi", "status": "sold", "owner": OWNER}).json() == updated
    assert client.get("/pets/12345").json() == updated


def test_a_deleted_pet_is_gone(client: TestClient) -> None:
    answer = client.delete("/pets/12345")
    assert (answer.status, answer.content) == (204, b"")
    assert client.get("/pets/12345").status == 404


def test_a_pet_whose_sale_is_pending_stays(client: TestClient) -> None:
    pet_id = create(client, status="pending")
    answer = client.delete(f"/pets/{pet_id}")
    assert (answer.status, answer.headers["content-type"]) == (409, "application/problem+json")
    assert answer.json()["type"] == "https://pets.example/problems/sale-pending"
    assert client.get(f"/pets/{pet_id}").status == 200


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/pets/1"), ("PUT", "/pets/1"), ("DELETE", "/pets/1"), ("GET", "/pets/1/label")]
)
def test_a_pet_that_is_not_there_is_a_404_problem(method: str, path: str, client: TestClient) -> None:
    answer = client.request(method, path, json={"name": "x"} if method == "PUT" else None)
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["detail"] == "there is no pet 1"


def test_an_id_is_a_positive_integer(client: TestClient) -> None:
    assert faults(client.get("/pets/Max")) == [("path", "/petId", "type")]
    assert faults(client.get("/pets/0")) == [("path", "/petId", "minimum")]


@pytest.mark.parametrize(
    ("cookies", "language", "text"),
    [({}, "en", "Max looks for a home\n"), ({"lang": "de"}, "de", "Max sucht ein Zuhause\n")],
)
def test_the_label_is_text_in_the_language_of_the_cookie(
    cookies: dict[str, str], language: str, text: str, client: TestClient
) -> None:
    answer = client.get("/pets/12345/label", cookies=cookies)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert (answer.headers["content-language"], answer.text) == (language, text)


def test_a_language_that_is_not_offered_is_refused(client: TestClient) -> None:
    assert faults(client.get("/pets/12345/label", cookies={"lang": "fr"})) == [("cookie", "/lang", "enum")]


@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "test124"}, {"X-API-Key": ""}])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/pets"), ("POST", "/pets"), ("GET", "/pets/1"), ("PUT", "/pets/1"), ("DELETE", "/pets/1")],
)
def test_everything_but_the_label_needs_the_key(method: str, path: str, headers: dict[str, str]) -> None:
    with TestClient(new_app()) as client:
        answer = client.request(method, path, headers=headers)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == 'ApiKey in="header", name="X-API-Key"'
        assert client.get("/pets/12345/label").status == 200


def test_every_handler_runs_on_the_event_loop_and_every_operation_has_one() -> None:
    app = new_app()
    assert {route.kind for route in app.routes} == {"async, never suspends"}
    assert (app.missing, app.unused, app.specification.issues) == ([], [], ())


# -- over sockets


def test_one_connection_to_a_real_server_carries_the_whole_life_of_a_pet() -> None:
    with running(new_app()) as server:
        connection = http.client.HTTPConnection(*server.address, timeout=30)

        def ask(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            headers = {**KEY, "Content-Type": "application/json"} if body else KEY
            connection.request(method, path, json.dumps(body) if body else None, headers)
            with connection.getresponse() as answer:
                content = answer.read()
                return answer.status, json.loads(content) if content else None

        assert ask("POST", "/pets", {"name": "Bella"}) == (200, {"id": 67890, "status": "success"})
        bella = {"id": 67890, "name": "Bella", "status": "sold", "tags": []}
        assert ask("PUT", "/pets/67890", {"name": "Bella", "status": "sold"}) == (200, bella)
        assert ask("GET", "/pets/67890") == (200, bella)
        assert ask("GET", "/pets?status=sold") == (200, [bella])
        assert ask("DELETE", "/pets/67890") == (204, None)
        assert ask("GET", "/pets/67890")[0] == 404
        connection.close()


def test_the_command_of_the_guide_serves_answers_and_drains(monkeypatch: pytest.MonkeyPatch) -> None:
    with reading(ROOT, monkeypatch) as shell:
        listing = "...-> createPet  [async, never suspends; security: ApiKeyAuth]\n..."
        shell.run(STORE, Block(("console",), f"$ {SERVE}\n{listing}\nListening on http://127.0.0.1:8080 ...\n", 1))
        connection = http.client.HTTPConnection(shell.url.removeprefix("http://"), timeout=30)
        headers = {**KEY, "Content-Type": "application/json"}
        connection.request("POST", "/pets", '{"name":"Bella"}', headers)
        assert connection.getresponse().read() == b'{"id":67890,"status":"success"}'
        # The connection is still open: SIGTERM has to end it, and the process with 0, which `close` asserts.
        shell.close()
        assert connection.sock.recv(1) == b""
        connection.close()


def curl_lines(page: Path) -> list[Command]:
    """The requests to the pet store that a page shows."""
    shown = [command for block in blocks(page) for command in commands(block)]
    return [command for command in shown if command.text.startswith("curl ") and "/pets" in command.text]


@pytest.mark.skipif(CURL is None, reason="there is no curl")
@pytest.mark.parametrize("page", ["examples/pet_store/README.md", "README.md"])
def test_the_curl_lines_of_the_pages_answer_as_written(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (ROOT / page).is_file():
        pytest.skip(f"there is no {page}")
    lines = curl_lines(ROOT / page)
    assert any('{"name":"Bella"}' in command.text for command in lines)
    with reading(ROOT, monkeypatch) as shell:
        shell.run(STORE, Block(("console",), f"$ {SERVE}\n", 1))
        for command in lines:
            assert command.output.strip()
            shell.command(command)
    assert [shlex.split(line)[0] for line in shell.ran] == ["brrtrouter", *("curl" for _ in lines)]


def test_the_page_of_the_example_shows_every_operation_and_how_to_run_it(monkeypatch: pytest.MonkeyPatch) -> None:
    page = STORE / "README.md"
    text = page.read_text("utf-8")
    assert SERVE in text
    shown = {(_method(command.text), _path(command.text)) for command in curl_lines(page)}
    assert {(route.method, route.path) for route in new_app().routes} == shown
    with reading(ROOT, monkeypatch) as shell:
        routes = next(block for block in blocks(page) if "$ brrtrouter routes" in block.text)
        shell.run(page, routes)


def _method(curl: str) -> str:
    words = shlex.split(curl)
    return words[words.index("-X") + 1] if "-X" in words else "POST" if "-d" in words else "GET"


def _path(curl: str) -> str:
    path = re.sub(r"^https?://[^/]+|\?.*$", "", shlex.split(curl)[-1])
    return re.sub(r"/\d+", "/{petId}", path)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_browser_shows_the_operations_on_the_documentation_page(tmp_path: Path) -> None:
    with running(new_app()) as server:
        dom = page_of(f"{server.url}/docs", tmp_path)
    shown = re.findall(r'<div class="opblock opblock-(\w+)" id="operations-pets-(\w+)"', dom)
    assert shown == [(route.method.lower(), route.handler) for route in new_app().routes]
    assert "List the pets, oldest first" in dom


def test_a_page_with_a_wrong_answer_is_noticed() -> None:
    shell = Reader(ROOT)
    with pytest.raises(AssertionError, match="and not"):
        shell.run(STORE, Block(("console",), "$ brrtrouter --version\nbrrtrouter 99\n", 1))
