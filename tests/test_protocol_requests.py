"""The cases of tests/requests: whole over a socket, byte by byte, and behind a good request of the same connection.

Two ways of cutting the same bytes may never give two answers: request smuggling lives from that (RFC 9112 11.2).
"""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvloop
from wire import GOOD, Answer, Client, MemoryConnection, document, good, read_answer

from brrtrouter import App, Request, Response
from brrtrouter.server.handle import Server
from brrtrouter.testing import running

FOLDER = Path(__file__).parent / "requests"
BIG = 64 * 1024  # a longer case is cut into pieces of a prime length instead of into bytes
EMPTY_READS = 3


@dataclass(frozen=True)
class Case:
    """One line of a file, see tests/requests/README.md."""

    name: str
    limits: str
    answers: tuple[str, ...]
    ending: str
    data: bytes


def expand(text: str) -> bytes:
    repeated = re.sub(r"<(\d+)\*([^>]*)>", lambda found: int(found[1]) * found[2], text)
    escape = re.compile(r"\\(?:x([0-9a-f]{2})|(.))")
    named = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
    plain = escape.sub(lambda found: chr(int(found[1], 16)) if found[1] else named[found[2]], repeated)
    return plain.replace("¶", "\r\n").encode("latin-1")


def read_cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.txt")):
        limits = "{}"
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("limits: "):
                limits = line.removeprefix("limits: ")
            elif line and not line.startswith("#"):
                name, _rule, answers, data = line.split(" | ", 3)
                *statuses, ending = answers.split(" ")
                yield Case(f"{path.stem}: {name}", limits, tuple(statuses), ending, expand(data))


CASES = list(read_cases())
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


async def echo(request: Request) -> str:
    """What came as the body, without one the query."""
    return (request.raw_body or b"").decode("latin-1") or request.raw_query


async def suspend(request: Request) -> str:
    await asyncio.sleep(0)
    return request.raw_query


async def broken(request: Request) -> None:
    raise RuntimeError("on purpose")


async def items() -> AsyncIterator[bytes]:
    yield b"one"
    yield b"two"


async def stream(request: Request) -> Response:
    return Response(200, items())


async def root(request: Request) -> str:
    return "root"


async def nothing(request: Request) -> None:
    return None


def answering(status: int, body: Callable[[], Any] = lambda: None) -> Callable[[Request], Any]:
    async def handler(request: Request) -> Response:
        return Response(status, body())

    return handler


HANDLERS: dict[str, Any] = {
    "GET /": root,
    "GET /a": echo,
    "POST /a": echo,
    "PUT /a": echo,
    "GET /empty": nothing,
    "GET /empty-stream": answering(204, items),
    "GET /unmodified": answering(304),
    "GET /unmodified-stream": answering(304, items),
    "GET /stream": stream,
    "GET /suspend": suspend,
    "GET /broken": broken,
    "GET /query": good,
    "POST /json": good,
    "GET /good": good,
}


def make_app(limits: str) -> App:
    description = document(HANDLERS)
    description["paths"]["/query"]["get"]["parameters"] = [
        {"name": "p", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}}
    ]
    description["paths"]["/json"]["post"]["requestBody"] = {"content": {"application/json": {}}}
    return App(description, HANDLERS, {"limits": json.loads(limits)})


@pytest.fixture(scope="module")
def apps() -> Callable[[str], App]:
    known: dict[str, App] = {}
    return lambda limits: known.get(limits) or known.setdefault(limits, make_app(limits))


@pytest.fixture(scope="module")
def server_for(apps: Callable[[str], App]) -> Iterator[Callable[[str], Server]]:
    from contextlib import ExitStack

    servers: dict[str, Server] = {}
    with ExitStack() as stack:

        def find(limits: str) -> Server:
            if limits not in servers:
                servers[limits] = stack.enter_context(running(apps(limits)))
            return servers[limits]

        yield find


@pytest.fixture(scope="module")
def loop() -> Iterator[Any]:
    loop = uvloop.new_event_loop()
    yield loop
    loop.close()


def check(expected: str, answer: Answer | None) -> Answer:
    status, equals, text = expected.partition("=")
    assert answer is not None, f"{expected} did not come"
    assert f"{answer.status}" == status.removesuffix("h"), answer.raw
    if equals:
        assert json.loads(answer.body) == expand(text).decode("latin-1")
    return answer


def method_of(expected: str) -> str:
    return "HEAD" if expected.endswith("h") else "GET"


@each_case
def test_case_whole_over_a_socket(case: Case, server_for: Callable[[str], Server]) -> None:
    with Client(server_for(case.limits).url) as client:
        client.send(case.data)
        for expected in case.answers:
            check(expected, client.answer(method_of(expected)))
        if case.ending == "keep":
            assert client.ask(GOOD).body == b'"good"'
        elif case.ending == "more":
            client.finish()
        if case.ending != "keep":
            assert client.at_end()


def comparable(answer: Answer) -> tuple[Any, ...]:
    """What must be the same in two answers: of an error not the words, which are those of one of the readers."""
    left_out = ("date", "x-request-id", "content-length")
    fields = {name: value for name, value in answer.headers.items() if name not in left_out}
    return answer.status, fields, answer.body if answer.status < 400 else b""


def answers_in_memory(
    app: App, loop: Any, data: bytes, step: int, expected: list[str]
) -> tuple[list[tuple[Any, ...]], bool]:
    """The answers to bytes that come in pieces, and whether our side is finished."""
    connection = MemoryConnection(app, loop)
    try:
        connection.feed(data, step)
        for _ in range(4 * len(expected) + EMPTY_READS):
            connection.turn()
        stream = io.BytesIO(connection.transport.written)
        answers = []
        for token in expected:
            answer = check(token, read_answer(stream, method_of(token)))
            answers.append(comparable(answer))
        assert stream.read() == b""
        return answers, connection.transport.finished
    finally:
        connection.close()


@each_case
@pytest.mark.parametrize("before", [(), ("200=good",)], ids=["alone", "after a good request"])
def test_case_does_not_depend_on_how_it_is_cut(
    case: Case, before: tuple[str, ...], apps: Callable[[str], App], loop: Any
) -> None:
    app = apps(case.limits)
    expected = [*before, *case.answers]
    data = len(before) * GOOD + case.data
    whole = answers_in_memory(app, loop, data, 0, expected)
    pieces = answers_in_memory(app, loop, data, 1 if len(data) < BIG else 1009, expected)
    assert whole == pieces
    assert whole[1] == (case.ending == "close")


def test_cases_have_names_of_their_own_and_are_many() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert len(CASES) > 200
