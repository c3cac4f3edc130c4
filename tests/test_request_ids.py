"""Request ids: what a client may choose, that every answer tells it, and what the settings change."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import Client

from brrtrouter import App, ConfigError, Request, Response
from brrtrouter.core.request import RequestIds
from brrtrouter.testing import TestClient, TestResponse, running

UUID = re.compile(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}")
PATHS = {
    "/id": "plain",
    "/later": "later",
    "/stream": "stream",
    "/nothing": "nothing",
    "/broken": "broken",
    "/own": "own",
}
BODY = {"operationId": "body", "requestBody": {"content": {"application/json": {}}}, "responses": {}}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {path: {"get": {"operationId": name, "responses": {}}} for path, name in PATHS.items()}
    | {"/body": {"post": BODY}},
}


async def plain(request: Request) -> Any:
    return {"id": request.id}


async def later(request: Request) -> Any:
    await asyncio.sleep(0)
    return Response(200, request.id, {"X-More": "1"}, "text/plain")


async def stream(request: Request) -> Response:
    async def items() -> AsyncIterator[str]:
        yield request.id

    return Response(200, items(), None, "text/plain")


async def nothing(request: Request) -> None:
    return None


async def broken(request: Request) -> None:
    raise LookupError


async def own(request: Request) -> Response:
    return Response(200, request.id, {"x-request-id": "of the handler"}, "text/plain")


async def body(request: Request) -> Any:
    return request.body


HANDLERS = {each.__name__: each for each in (plain, later, stream, nothing, broken, own, body)}


def app(**settings: Any) -> App:
    return App(DOCUMENT, HANDLERS, {"limits": {"body": 16}, "request_id": settings})


def ids(answer: TestResponse | bytes, name: str = "X-Request-ID") -> list[str]:
    """The values of the field, as often as it is there."""
    raw = answer if isinstance(answer, bytes) else answer.raw
    head = raw.partition(b"\r\n\r\n")[0].decode("latin-1")
    return re.findall(rf"^{name}: (.*)\r?$", head.replace("\r", ""), re.M | re.I)


@pytest.fixture(scope="module")
def client() -> Any:
    with TestClient(app()) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "status"), [("/id", 200), ("/later", 200), ("/stream", 200), ("/nothing", 204), ("/broken", 500)]
)
def test_every_answer_tells_the_id_that_the_client_chose(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path, headers={"X-Request-ID": "job-7/3"})
    assert (answer.status, ids(answer)) == (status, ["job-7/3"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("DELETE", "/id", 405), ("HEAD", "/id", 200), ("OPTIONS", "/id", 204)],
)
def test_what_the_server_answers_itself_tells_it_too(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path, headers={"x-request-id": "a.b"})
    assert (answer.status, ids(answer)) == (status, ["a.b"])


def test_a_body_over_the_limit_is_refused_with_the_id(client: TestClient) -> None:
    answer = client.post("/body", json=["a long text that is longer"], headers={"X-Request-ID": "big"})
    assert (answer.status, ids(answer)) == (413, ["big"])


def test_a_head_that_cannot_be_read_gets_an_id_of_its_own(client: TestClient) -> None:
    answer = client.send(b"GET /id HTTP/1.1\r\nX-Request-ID: mine\r\nHost : a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    (found,) = ids(answer)
    assert UUID.fullmatch(found)


def test_without_one_the_id_is_a_new_uuid_and_the_handler_knows_it(client: TestClient) -> None:
    for path in ("/later", "/stream"):
        answer = client.get(path)
        assert ids(answer) == [answer.text]
        assert UUID.fullmatch(answer.text)


def test_ids_of_many_requests_are_all_different(client: TestClient) -> None:
    found = [ids(client.get("/id"))[0] for _ in range(600)]  # more than are drawn at once
    assert len(set(found)) == len(found)
    assert all(map(UUID.fullmatch, found))


def test_a_problem_names_the_same_id_as_its_header(client: TestClient) -> None:
    answer = client.get("/broken")
    assert [answer.json()["request_id"]] == ids(answer)


def test_a_field_of_the_handler_goes_before_ours(client: TestClient) -> None:
    assert ids(client.get("/own")) == ["of the handler"]


SANE = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,128}")


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=140))
def test_an_id_is_taken_when_it_is_sane(text: str) -> None:
    text = text.strip(" \t")
    with TestClient(app()) as client:
        (found,) = ids(client.get("/id", headers={"X-Request-ID": text}))
    assert found == text if SANE.fullmatch(text) else UUID.fullmatch(found)


@pytest.mark.parametrize(("size", "taken"), [(128, True), (129, False)])
def test_an_id_is_taken_up_to_the_limit(client: TestClient, size: int, taken: bool) -> None:
    assert (ids(client.get("/id", headers={"X-Request-ID": "x" * size})) == ["x" * size]) is taken


def test_of_two_ids_none_is_taken(client: TestClient) -> None:
    (found,) = ids(client.get("/id", headers=[("X-Request-ID", "one"), ("X-Request-ID", "two")]))
    assert UUID.fullmatch(found)


def test_the_limit_is_a_setting() -> None:
    with TestClient(app(length=3)) as client:
        assert ids(client.get("/id", headers={"X-Request-ID": "abc"})) == ["abc"]
        assert ids(client.get("/id", headers={"X-Request-ID": "abcd"})) != ["abcd"]


def test_the_header_is_a_setting() -> None:
    with TestClient(app(header="Trace-Id")) as client:
        answer = client.get("/id", headers={"trace-id": "t-1", "X-Request-ID": "other"})
        assert (answer.json(), ids(answer, "Trace-Id"), ids(answer)) == ({"id": "t-1"}, ["t-1"], [])


def test_without_accept_every_id_is_new() -> None:
    with TestClient(app(accept=False)) as client:
        assert UUID.fullmatch(ids(client.get("/id", headers={"X-Request-ID": "mine"}))[0])


@pytest.mark.parametrize("path", ["/id", "/later", "/stream", "/nothing", "/nowhere"])
def test_without_echo_answers_do_not_tell_it_and_handlers_still_know(path: str) -> None:
    with TestClient(app(echo=False)) as client:
        answer = client.get(path, headers={"X-Request-ID": "mine"})
        assert ids(answer) == []
        assert ("mine" in answer.text) is (path not in ("/nothing", "/nowhere"))


@pytest.mark.parametrize("settings", [{"header": "X Id"}, {"header": ""}, {"length": 0}, {"length": 1025}])
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"request_id\."):
        app(**settings)


def test_a_header_that_is_none_is_refused_by_the_core_too() -> None:
    with pytest.raises(ValueError, match="is no name of a header field"):
        RequestIds("a b")


def test_a_running_server_tells_ids_of_pipelined_requests_in_their_order() -> None:
    request = "GET {} HTTP/1.1\r\nHost: a\r\nX-Request-ID: {}\r\n\r\n"
    with running(app()) as server, Client(server.url) as client:
        client.send((request.format("/later", "1") + request.format("/id", "2")).encode())
        assert [client.answer().headers["x-request-id"] for _ in range(2)] == ["1", "2"]


def _draw(queue: Any) -> None:
    with TestClient(app()) as client:
        queue.put(ids(client.get("/id")))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_forked_processes_draw_other_ids(client: TestClient) -> None:
    client.get("/id")  # randomness is drawn before the fork
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [context.Process(target=_draw, args=(queue,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = [tuple(queue.get(timeout=20)) for _ in workers]
    for worker in workers:
        worker.join(20)
    assert len({*found, tuple(ids(client.get("/id")))}) == 3
