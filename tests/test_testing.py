"""The tools for tests of applications: they show the same bytes as a socket does, and clean up."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from wire import GOOD, Client, application

from brrtrouter import App, Request, Response
from brrtrouter.testing import TestClient, TestResponse, running


async def show(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "query": request.raw_query,
        "headers": dict(request.headers),
        "cookies": request.cookies,
        "body": (request.raw_body or b"").decode(),
        "client": request.client[0] if request.client else None,
    }


METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@pytest.fixture
def client() -> Iterator[TestClient]:
    handlers = {f"{method} /show": show for method in METHODS}
    with TestClient(application(handlers)) as client:
        yield client


@pytest.mark.parametrize("method", METHODS)
def test_each_method_has_a_function(method: str, client: TestClient) -> None:
    answer = getattr(client, method.lower())("/show")
    assert answer.status == 200
    assert answer.reason == "OK"
    assert answer.http_version == "1.1"
    assert answer.json()["method"] == method
    assert answer.json()["headers"]["host"] == "testserver"
    assert repr(answer) == "<TestResponse 200>"


def test_head_has_fields_and_no_body(client: TestClient) -> None:
    answer = client.head("/show")
    assert (answer.status, answer.content) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0
    assert answer.complete


def test_options_tells_what_is_allowed(client: TestClient) -> None:
    answer = client.options("/show")
    assert answer.status == 204
    assert set(METHODS) < set(answer.headers["allow"].split(", "))


def test_params_headers_and_cookies_are_sent(client: TestClient) -> None:
    seen = client.get(
        "/show?a=1", params={"b": ["x y", "&"]}, headers={"X-One": "1"}, cookies={"c": "2", "d": "3"}
    ).json()
    assert seen["query"] == "a=1&b=x+y&b=%26"
    assert seen["headers"]["x-one"] == "1"
    assert seen["cookies"] == {"c": "2", "d": "3"}


def test_headers_of_the_client_are_sent_with_each_request() -> None:
    with TestClient(application({"GET /show": show}), headers={"X-Key": "k", "Host": "h"}) as client:
        for _ in range(2):
            headers = client.get("/show", headers=[("X-Two", "2")]).json()["headers"]
            assert (headers["x-key"], headers["x-two"], headers["host"]) == ("k", "2", "h")


@pytest.mark.parametrize(
    ("arguments", "content_type", "body"),
    [
        ({"json": {"a": 1}}, "application/json", '{"a":1}'),
        ({"json": [], "headers": {"content-TYPE": "application/x+json"}}, "application/x+json", "[]"),
        ({"content": "ö"}, None, "ö"),
        ({"content": b"abc", "headers": {"Content-Type": "text/plain"}}, "text/plain", "abc"),
    ],
)
def test_bodies_are_sent(arguments: dict[str, Any], content_type: str | None, body: str, client: TestClient) -> None:
    seen = client.delete("/show", **arguments).json()
    assert seen["headers"].get("content-type") == content_type
    assert seen["body"] == body
    assert seen["headers"]["content-length"] == str(len(body.encode()))


def test_the_answer_follows_an_interim_one(client: TestClient) -> None:
    answer = client.patch("/show", content="hello", headers={"Expect": "100-continue"})
    assert answer.status == 200
    assert answer.json()["body"] == "hello"
    assert answer.reason == "OK"
    assert answer.raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_a_stream_is_read_to_its_end() -> None:
    async def items() -> AsyncIterator[str]:
        for number in range(3):
            await asyncio.sleep(0)
            yield f"{number},"

    async def stream(request: Request) -> Response:
        return Response(200, items(), {"X-A": ["1", "2"]}, "text/plain")

    with TestClient(application({"GET /s": stream})) as client:
        answer = client.get("/s")
        assert answer.text == "0,1,2,"
        assert answer.headers["x-a"] == "1, 2"
        old = client.send(b"GET /s HTTP/1.0\r\n\r\n")
        assert TestResponse(old, "GET").text == "0,1,2,"


def test_a_stream_that_fails_gives_an_answer_that_is_not_complete() -> None:
    async def items() -> AsyncIterator[str]:
        yield "one"
        raise RuntimeError("on purpose")

    async def stream(request: Request) -> Response:
        return Response(200, items())

    with TestClient(application({"GET /s": stream})) as client:
        answer = client.get("/s")
        assert answer.text == "one"
        assert not answer.complete


def test_raw_bytes_can_be_sent(client: TestClient) -> None:
    assert client.send(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert client.send(GOOD).endswith(b'"good"')


def test_answers_are_the_bytes_of_a_socket() -> None:
    app = application({})
    named = GOOD.replace(b"\r\n\r\n", b"\r\nX-Request-ID: one\r\n\r\n")
    with running(app) as server, Client(server.url) as socket_client:
        over_socket = socket_client.ask(named).raw
    with TestClient(app) as client:
        in_memory = client.send(named)
    undated = [raw.partition(b"Date: ")[0] + raw.partition(b" GMT")[2] for raw in (over_socket, in_memory)]
    assert undated[0] == undated[1]


def test_a_handler_that_does_not_answer_is_given_up_and_ended(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []

    async def stuck(request: Request) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("handler")

    with TestClient(application({"GET /s": stuck}), timeout=0.01) as client:
        with pytest.raises(asyncio.TimeoutError):
            client.get("/s")
        assert client.get("/good").status == 200
    assert ended == ["handler"]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_client_may_be_closed_twice() -> None:
    client = TestClient(application({}))
    client.close()
    client.close()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="there is no list of open files")
def test_a_client_that_nobody_closes_keeps_no_files_open() -> None:
    app = application({})
    TestClient(app).close()
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        TestClient(app).get("/good")
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_running_gives_a_ready_server_and_stops_it() -> None:
    app: App = application({})
    with running(app) as server, Client(server.url) as client:
        assert client.ask(GOOD).status == 200
    with socket.socket() as probe:
        assert probe.connect_ex(server.address) != 0


def test_running_stops_the_server_when_the_test_fails() -> None:
    with pytest.raises(ZeroDivisionError), running(application({})) as server:
        raise ZeroDivisionError
    with socket.socket() as probe:
        assert probe.connect_ex(server.address) != 0
