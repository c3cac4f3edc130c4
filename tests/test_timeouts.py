"""Limits of time by their names, over sockets: each ends who is too slow, says so if it can, and spares the others."""

from __future__ import annotations

import itertools
import json
import select
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from timeouts_support import OFF, trickle, wait_for_hang_up, was_reset
from wire import GOOD, TIMEOUT, Answer, Client, Gate, application

from brrtrouter import App, File, Request, Response
from brrtrouter.config import Limits
from brrtrouter.errors import BodyStreamError
from brrtrouter.server.handle import Server

Serve = Callable[[App], Server]
Connect = Callable[..., Client]
MIB = 1024 * 1024
SHORT = 0.15  # long enough to answer on a busy machine, short enough to wait for
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def get(path: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *fields, "", ""]).encode()


async def echo(request: Request) -> bytes:
    return request.raw_body or b""


def app(handlers: dict[str, Any] | None = None, /, **limits: float) -> App:
    return application({"POST /echo": echo, **(handlers or {})}, limits={**OFF, **limits})


def is_problem(answer: Answer, status: int, slug: str) -> bool:
    kind = json.loads(answer.body)["type"].rpartition("/")[2]
    return (answer.status, kind, answer.headers["content-type"]) == (status, slug, "application/problem+json")


def ends_after(client: Client, seconds: float, started: float) -> bool:
    """Whether the server closes without another byte, and not before the time."""
    assert client.at_end()
    return time.monotonic() - started >= seconds


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("connections", 0),
        ("head_time", 10),
        ("body_wait", 15),
        ("body_rate", 500),
        ("body_rate_time", 15),
        ("handler_time", 30),
        ("write_wait", 30),
        ("keep_alive", 75),
        ("crowded", 80),
        ("crowded_keep_alive", 5),
        ("connection_age", 3600),
        ("linger", 2),
        ("linger_size", 16 * MIB),
    ],
)
def test_every_limit_has_its_default(name: str, default: float) -> None:
    assert getattr(Limits(), name) == default


# -- head_time


def test_a_client_that_connects_and_says_nothing_is_closed(serve: Serve, connect: Connect) -> None:
    started = time.monotonic()
    client = connect(serve(app(head_time=SHORT)))
    assert ends_after(client, SHORT, started)


@pytest.mark.parametrize("before", [b"", GOOD], ids=["first", "second"])
def test_a_head_that_stops_in_the_middle_gets_408(before: bytes, serve: Serve, connect: Connect) -> None:
    client = connect(serve(app(head_time=SHORT)))
    started = time.monotonic()
    client.send(before + b"GET /good HTTP/1.1\r\nHos")
    if before:
        assert client.answer().status == 200
    answer = client.answer()
    assert is_problem(answer, 408, "request-timeout")
    assert answer.closes
    assert ends_after(client, SHORT, started)


@pytest.mark.parametrize("before", [b"", GOOD], ids=["first", "second"])
def test_a_head_that_comes_byte_by_byte_gets_no_more_time(before: bytes, serve: Serve, connect: Connect) -> None:
    client = connect(serve(app(head_time=SHORT)))
    if before:
        assert client.ask(before).status == 200
    trickle(client, itertools.chain([b"GET /good HTTP/1.1\r\nHost: a\r\nX: "], itertools.repeat(b"x")))
    assert client.answer().status == 408


@pytest.mark.parametrize("before", [b"", GOOD], ids=["first", "second"])
def test_empty_lines_are_no_sign_of_life(before: bytes, serve: Serve, connect: Connect) -> None:
    client = connect(serve(app(head_time=SHORT, keep_alive=SHORT)))
    if before:
        assert client.ask(before).status == 200
    trickle(client, itertools.repeat(b"\r\n"))
    assert client.at_end()


def test_halves_of_empty_lines_are_the_begin_of_a_head(serve: Serve, connect: Connect) -> None:
    client = connect(serve(app(head_time=SHORT)))
    assert client.ask(GOOD).status == 200
    trickle(client, itertools.cycle([b"\r", b"\n"]))
    assert client.answer().status == 408


def test_408_comes_after_the_answers_that_are_still_owed(serve: Serve, connect: Connect) -> None:
    gate, first = Gate(), threading.Event()

    async def tell(request: Request) -> None:
        first.set()

    client = connect(server := serve(app({"GET /gate": gate, "GET /tell": tell}, head_time=SHORT)))
    client.send(get("/gate") + b"GET /never")
    gate.wait()
    assert connect(server).at_end(), "a silent connection that came later was ended, so the time of the head is over"
    gate.release()
    assert [client.answer().status, client.answer().status] == [200, 408]
    assert client.at_end()


# -- keep_alive, crowded, connection_age


def test_an_idle_connection_is_closed(serve: Serve, connect: Connect) -> None:
    client = connect(serve(app(keep_alive=SHORT)))
    for _ in range(3):
        assert client.ask(GOOD).status == 200
    started = time.monotonic()
    assert ends_after(client, SHORT - 0.02, started)  # the time runs from the answer, which was a little earlier


def test_where_many_are_connected_the_idle_ones_go_sooner(serve: Serve, connect: Connect) -> None:
    limits = {"connections": 10, "crowded": 50, "crowded_keep_alive": SHORT, "keep_alive": 3600}
    few, many = serve(app(**limits)), serve(app(**limits))
    patient = [connect(few) for _ in range(5)]
    idle = [connect(many) for _ in range(6)]
    for client in patient + idle:
        assert client.ask(GOOD).status == 200
    started = time.monotonic()
    for client in idle:
        assert client.at_end()
    assert time.monotonic() - started >= SHORT - 0.02
    assert [client.ask(GOOD).status for client in patient] == [200] * 5


def test_an_old_connection_is_told_to_close_with_its_next_answer(serve: Serve, connect: Connect) -> None:
    started = time.monotonic()
    client = connect(serve(app(connection_age=SHORT)))
    while not (answer := client.ask(GOOD)).closes:
        assert time.monotonic() - started < TIMEOUT
    assert answer.status == 200
    assert ends_after(client, SHORT, started)


# -- body_wait, body_rate


@pytest.mark.parametrize(
    "start", [POST % 10, POST % 10 + b"12345", CHUNKED, CHUNKED + b"5\r\n123", CHUNKED + b"5\r\n12345\r\n0\r\n"]
)
def test_a_body_that_stops_gets_408(start: bytes, serve: Serve, connect: Connect) -> None:
    client = connect(serve(app(body_wait=SHORT)))
    started = time.monotonic()
    answer = client.ask(start)
    assert is_problem(answer, 408, "request-timeout")
    assert answer.closes
    assert ends_after(client, SHORT, started)


@pytest.mark.parametrize(
    ("start", "piece"),
    [(POST % 100_000, b"x"), (CHUNKED, b"1\r\nx\r\n"), (CHUNKED + b"1", b"0"), (CHUNKED + b"1", b";x=y")],
    ids=["length", "chunks", "size line", "extension"],
)
def test_a_body_below_the_rate_gets_408(start: bytes, piece: bytes, serve: Serve, connect: Connect) -> None:
    client = connect(serve(app(body_rate=500, body_rate_time=SHORT)))
    trickle(client, itertools.chain([start], itertools.repeat(piece, 15 if piece == b"0" else 10_000)))
    assert client.answer().status == 408


def test_what_came_early_does_not_pay_for_what_comes_late(serve: Serve, connect: Connect) -> None:
    client = connect(serve(app(body_rate=500, body_rate_time=SHORT)))
    trickle(client, itertools.chain([POST % MIB + bytes(500_000)], itertools.repeat(b"x")))
    assert client.answer().status == 408


def test_a_body_above_the_rate_is_taken_however_long_it_is(serve: Serve, connect: Connect) -> None:
    client = connect(serve(app(body_rate=500, body_rate_time=SHORT, body_wait=TIMEOUT)))
    client.send(POST % 60_000)
    started = time.monotonic()
    for _ in range(29):
        client.send(b"x" * 2000)
        readable, _, _ = select.select([client.socket], [], [], 0.02)
        assert not readable, "it says nothing while it takes the body"
    assert time.monotonic() - started > 2 * SHORT
    client.send(b"x" * 2000 + GOOD)
    assert [client.answer().status, client.answer().status] == [200, 200]


def test_the_handler_of_a_stream_is_told_that_the_client_is_too_slow(serve: Serve, connect: Connect) -> None:
    seen: list[str] = []

    async def upload(request: Request) -> int:
        try:
            return sum([len(piece) async for piece in request.stream()])
        except BodyStreamError as error:
            seen.append(error.slug)
            raise

    source = application({"POST /echo": upload}, limits={**OFF, "body_wait": SHORT}).specification.document
    source["paths"]["/echo"]["post"]["x-brrtrouter-stream"] = True
    streaming = App(source, {"POST /echo": upload, "GET /good": echo}, {"limits": {**OFF, "body_wait": SHORT}})
    client = connect(serve(streaming))
    answer = client.ask(POST % 10 + b"12345")
    assert is_problem(answer, 408, "request-timeout")
    assert seen == ["request-timeout"]
    assert client.at_end()


def test_no_time_runs_while_the_client_waits_for_our_100(serve: Serve, connect: Connect) -> None:
    gate = Gate()
    server = serve(app({"GET /gate": gate}, body_wait=SHORT, keep_alive=2 * SHORT))
    client, clock = connect(server), connect(server)
    client.send(get("/gate") + b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    gate.wait()
    assert clock.ask(GOOD).status == 200
    assert clock.at_end(), "more than the time of a body has passed"
    gate.release()
    assert client.answer().status == 200
    assert client.answer().status == 100
    assert client.ask(b"hi").body == b"hi"


# -- write_wait


def test_a_client_that_does_not_read_is_reset(serve: Serve, connect: Connect) -> None:
    async def large(request: Request) -> bytes:
        return bytes(16 * MIB)

    client = connect(serve(app({"GET /large": large}, write_wait=SHORT)), receive_buffer=4096)
    client.send(get("/large"))
    assert client.socket.recv(1, socket.MSG_PEEK), "it has begun to answer"
    wait_for_hang_up(client)
    assert was_reset(client)


def test_a_stream_that_is_not_read_ends_and_its_producer_with_it(serve: Serve, connect: Connect) -> None:
    closed = threading.Event()

    async def items() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(MIB)
        finally:
            closed.set()

    async def stream(request: Request) -> Response:
        return Response(200, items())

    client = connect(serve(app({"GET /stream": stream}, write_wait=SHORT)), receive_buffer=4096)
    client.send(get("/stream"))
    assert closed.wait(TIMEOUT)
    assert was_reset(client)


def test_a_client_that_does_not_read_a_file_is_reset(tmp_path: Path, serve: Serve, connect: Connect) -> None:
    (tmp_path / "large").write_bytes(bytes(16 * MIB))

    def large(request: Request) -> File:
        return File(tmp_path / "large")

    client = connect(serve(app({"GET /large": large}, write_wait=SHORT)), receive_buffer=4096)
    client.send(get("/large"))
    wait_for_hang_up(client)
    assert was_reset(client)
