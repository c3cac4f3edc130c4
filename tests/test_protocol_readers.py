"""Two readers must agree: valid requests, damaged at random, never bring the server down or two answers about.

The damage is seeded, so that a failure comes back.  The cut of the bytes is the oracle: whatever a message is taken
for, it is taken for that however it arrives.
"""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import httptools
import pytest
import uvloop
from test_protocol_requests import CASES, comparable, make_app
from wire import GOOD, Answer, Client, MemoryConnection, read_answer

from brrtrouter import App
from brrtrouter.server.handle import Server

ROUNDS = 4000
SECONDS = 8.0
SOCKET_ROUNDS = 300
SEEDS = [
    case.data
    for case in CASES
    if case.limits == "{}" and case.ending == "keep" and len(case.data) < 1000 and b"HEAD" not in case.data
]
# What makes or breaks a frame, so that damage is not only noise.
WORDS = [
    b"\r\n", b"\r", b"\n", b"\r\n\r\n", b"\0", b" ", b"\t", b":", b",", b";", b'"', b"0", b"5", b"-", b"+", b"%2", b"/",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: x\r\n",
    b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: h2c\r\n", b"Expect: 100-continue\r\n", b"Host: b\r\n",
    b"0\r\n\r\n", b"1;a\r\nx\r\n", b"5\r\nhello\r\n", b"ffffffffffffffff", b"HTTP/1.0", b"HTTP/1.1", b"CONNECT",
    b"\x80", GOOD,
]  # fmt: skip
ALWAYS_CLOSING = {413, 414, 417, 431, 501, 505}


def damaged(chance: random.Random) -> bytes:
    """One to three requests with up to four injuries."""
    data = bytearray(b"".join(chance.choices(SEEDS, k=chance.randint(1, 3))))
    for _ in range(chance.randint(1, 4)):
        at, span = chance.randrange(len(data) + 1), chance.randint(1, 12)
        match chance.randrange(5):
            case 0:
                data[at:at] = chance.choice(WORDS)
            case 1:
                data[at : at + span] = chance.choice(WORDS)
            case 2:
                del data[at : at + span]
            case 3:
                data[at:at] = data[at : at + span]
            case _:
                data[at : at + 1] = chance.randbytes(1)
    return bytes(data)


def pieces(data: bytes, chance: random.Random) -> list[bytes]:
    """The data cut at random."""
    cuts = sorted(chance.choices(range(len(data) + 1), k=chance.randint(1, 12)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True) if start != end]


class Recorder:
    """What another parser makes of an answer."""

    def __init__(self, raw: bytes) -> None:
        self.body = b""
        self.complete = False
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(raw)
        self.status = parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True


def read_all(written: bytes) -> list[Answer]:
    """Every answer in the bytes; each must be one for this reader and for the other one."""
    stream = io.BytesIO(written)
    answers = []
    while (answer := read_answer(stream)) is not None:
        recorded = Recorder(answer.raw)
        assert recorded.status == answer.status
        assert recorded.body == answer.body
        answers.append(answer)
    return answers


def exchange(app: App, loop: Any, data: list[bytes]) -> tuple[list[Answer], bool]:
    connection = MemoryConnection(app, loop)
    try:
        for piece in data:
            connection.feed(piece)
        for _ in range(12):
            connection.turn()
        return read_all(connection.transport.written), connection.transport.finished
    finally:
        connection.close()


def check_ends(answers: list[Answer], finished: bool, data: bytes) -> None:
    """The connection ends with the answer that says so, and each error of framing is such an answer."""
    assert not any(answer.closes for answer in answers[:-1]), data
    assert finished == bool(answers and answers[-1].closes), data
    for answer in answers:
        kept_error = answer.status == 400 and b"bad-request" in answer.body and not answer.closes
        assert not kept_error or b"the path" in answer.body, data
        assert answer.status not in ALWAYS_CLOSING or answer.closes, data


@pytest.fixture(scope="module")
def loop() -> Iterator[Any]:
    loop = uvloop.new_event_loop()
    yield loop
    loop.close()


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_requests_get_the_same_answers_however_they_are_cut(seed: int, loop: Any) -> None:
    chance = random.Random(seed)
    app = make_app("{}")
    end = time.monotonic() + SECONDS
    seen: set[int] = set()
    for _ in range(ROUNDS):
        data = damaged(chance)
        whole, finished = exchange(app, loop, [data])
        check_ends(whole, finished, data)
        cut, cut_finished = exchange(app, loop, pieces(data, chance))
        assert [comparable(answer) for answer in whole] == [comparable(answer) for answer in cut], data
        assert finished == cut_finished, data
        seen.update(answer.status for answer in whole)
        if time.monotonic() > end:
            break
    assert {100, 200, 400, 404, 501} <= seen, "the damage no longer reaches the interesting answers"


def test_a_server_survives_damaged_requests_on_sockets(
    serve: Callable[[App], Server], connect: Callable[[Server], Client]
) -> None:
    chance = random.Random(3)
    server = serve(make_app("{}"))
    for _ in range(SOCKET_ROUNDS):
        with Client(server.url) as client:
            client.send(damaged(chance))
            client.finish()
            read_all(client.stream.read())
    assert connect(server).ask(GOOD).body == b'"good"'
