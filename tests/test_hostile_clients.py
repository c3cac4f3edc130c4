"""Clients that mean harm: each is ended by a limit, and a good client beside them is answered all the while."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from serving import Served
from timeouts_support import trickle, wait_for_hang_up, was_reset
from wire import GOOD, TIMEOUT, Client, read_answer

SHORT = 0.3
LIMITS = {
    "head_time": 1.0,  # good clients need this one too, on a busy machine
    "body_wait": SHORT,
    "body_rate_time": SHORT,
    "write_wait": SHORT,
    "keep_alive": 1.5,
    "linger": SHORT,
    "connections": 1000,
}
PROGRAM = f"""
import signal
from brrtrouter import App
DOCUMENT = {{
    "openapi": "3.1.0", "info": {{"title": "hostile", "version": "1"}},
    "paths": {{
        "/good": {{"get": {{"operationId": "good", "responses": {{}}}}}},
        "/large": {{"get": {{"operationId": "large", "responses": {{}}}}}},
        "/echo": {{"post": {{"operationId": "echo", "responses": {{}},
                             "requestBody": {{"content": {{"application/octet-stream": {{}}}}}}}}}},
    }},
}}

async def good(request):
    return "good"

async def large(request):
    return bytes(4 * 1024 * 1024)

async def echo(request):
    return request.raw_body or b""

app = App(DOCUMENT, {{"good": good, "large": large, "echo": echo}}, {{"limits": {LIMITS!r}}})
with app.start(port=0) as server:
    print("Listening on", server.url, flush=True)
    signal.pause()
"""
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n"
BY_RESET = struct.pack("ii", 1, 0)


class GoodClient(threading.Thread):
    """Asks on one connection after the other, ten times on each, and keeps what was not a good answer."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url, self.stopping, self.answered = url, threading.Event(), 0
        self.bad: list[object] = []

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.ask_on_a_connection()
        except (OSError, AssertionError) as error:
            self.bad.append(error)

    def ask_on_a_connection(self) -> None:
        with Client(self.url) as client:
            for _ in range(10):
                answer = client.ask(GOOD)
                self.answered += answer.status == 200
                if answer.status != 200:
                    self.bad.append(answer)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """The address and the process id of a server."""
    with Served(tmp_path_factory.mktemp("hostile"), program=PROGRAM) as server:
        yield server.url(), server.process.pid


@contextmanager
def beside_a_good_client(url: str) -> Iterator[None]:
    good = GoodClient(url)
    good.start()
    try:
        yield
    finally:
        good.stopping.set()
        good.join(TIMEOUT)
    assert good.bad == []
    assert good.answered > 0


@pytest.fixture
def url(served: tuple[str, int]) -> Iterator[str]:
    """The address, with a good client that asks there as long as the test runs."""
    with beside_a_good_client(served[0]):
        yield served[0]


def test_silent_connections_are_closed(url: str) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(url)) for _ in range(20)]
        assert all(client.at_end() for client in clients)


@pytest.mark.parametrize("slow", [b"x", b"x: y\r\n"], ids=["bytes", "lines"])
def test_slow_heads_are_ended(slow: bytes, url: str) -> None:
    with Client(url) as client:
        trickle(client, itertools.chain([b"GET /good HTTP/1.1\r\nHost: a\r\n"], itertools.repeat(slow)))
        assert client.answer().status == 408
        assert client.at_end()


@pytest.mark.parametrize("start", [POST, CHUNKED + b"186a0\r\n"], ids=["length", "chunk"])
def test_slow_bodies_are_ended(start: bytes, url: str) -> None:
    with Client(url) as client:
        trickle(client, itertools.chain([start], itertools.repeat(b"x")))
        assert client.answer().status == 408
        assert client.at_end()


@pytest.mark.parametrize("start", [POST + b"x", CHUNKED + b"5\r\nhel", CHUNKED + b"5\r\nhello\r\n", CHUNKED + b"5"])
def test_stalled_bodies_are_ended(start: bytes, url: str) -> None:
    with Client(url) as client:
        assert client.ask(start).status == 408
        assert client.at_end()


def test_readers_that_never_read_are_reset(url: str) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(url, receive_buffer=4096)) for _ in range(10)]
        for client in clients:
            client.send(LARGE)
        for client in clients:
            wait_for_hang_up(client)
            assert was_reset(client)


def test_a_flood_of_requests_whose_answers_nobody_reads_is_ended_in_little_memory(served: tuple[str, int]) -> None:
    url, pid = served
    before = resident_kib(pid)
    with beside_a_good_client(url), Client(url, receive_buffer=4096) as client:
        client.socket.settimeout(2 * TIMEOUT)
        with pytest.raises(ConnectionError):  # the server reads no more, until it resets
            client.send(LARGE * 1_000_000)
    assert resident_kib(pid) - before < 48 * 1024


def test_idle_connections_are_closed_and_cost_others_nothing(url: str) -> None:
    with ExitStack() as stack:
        silent, idle = [], []
        for _ in range(300):
            silent.append(stack.enter_context(Client(url)))
            idle.append(stack.enter_context(Client(url)))
            idle[-1].send(GOOD)
        for client in idle:
            assert client.answer().status == 200
        assert all(client.at_end() for client in silent + idle)


def test_resets_in_the_middle_of_bodies_disturb_nobody(url: str) -> None:
    for _ in range(200):
        with Client(url) as client:
            client.send(POST + b"x" * 1000)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, BY_RESET)


def test_a_client_that_ends_in_the_middle_of_a_head_is_closed(url: str) -> None:
    with Client(url) as client:
        client.send(b"GET /good HT")
        client.finish()
        assert client.at_end()


@pytest.mark.parametrize("path", [GOOD, LARGE], ids=["small", "large"])
def test_a_client_that_closes_its_half_after_the_request_is_answered(path: bytes, url: str) -> None:
    with Client(url) as client:
        client.send(path)
        client.finish()
        assert client.answer().status == 200
        assert client.at_end()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc here")
def test_connections_that_are_reset_at_once_leave_no_descriptor(served: tuple[str, int]) -> None:
    url, pid = served
    host, _, port = url.removeprefix("http://").rpartition(":")
    settle(url)
    before = descriptors(pid)
    with beside_a_good_client(url):
        for _ in range(2000):
            with socket.create_connection((host, int(port))) as hostile:
                hostile.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, BY_RESET)
    settle(url)
    assert descriptors(pid) <= before + 2


def settle(url: str) -> None:
    """Wait until a connection that came last has been closed for its silence: all before it are gone by then."""
    with Client(url) as client:
        client.send(GOOD)
        assert read_answer(client.stream) is not None
        assert client.at_end()


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def resident_kib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4


def test_a_worker_can_be_asked_while_it_is_attacked_from_everywhere_at_once(url: str) -> None:
    async def attack(data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*url.removeprefix("http://").rsplit(":", 1))
        writer.write(data)
        try:
            return await asyncio.wait_for(reader.read(), TIMEOUT)
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    async def attacks() -> list[bytes]:
        kinds = [b"", b"GET /", POST, CHUNKED, GOOD, b"BAD\r\n\r\n", b"\r\n" * 1000]
        return await asyncio.gather(*(attack(kind) for kind in kinds * 20))

    statuses = [answer[9:12] for answer in asyncio.run(attacks())]
    assert statuses == [b"", b"408", b"408", b"408", b"200", b"400", b""] * 20
