"""Sends cases to a server over real sockets, many at once, and keeps what came back."""

from __future__ import annotations

import asyncio
import enum
import io
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wire import Answer, read_answer

from .application import Address, Seen
from .case import Case, End

AT_ONCE = 100  # connections
TIMEOUT = 20.0  # seconds for one case
BIG = 50_000  # a longer case is not cut into bytes but into pieces of PIECE
PIECE = 1009  # a prime, so that the cuts fall everywhere
GOOD = b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /good HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3]\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    r"[0-2]\d:[0-5]\d:[0-6]\d GMT"
)


class Way(enum.Enum):
    """How the bytes of a case are sent."""

    WHOLE = "whole"
    BYTES = "byte by byte"
    AFTER_GOOD = "after a good request"
    AFTER_SLOW = "after a request that is still being answered"


BEFORE = {Way.WHOLE: b"", Way.BYTES: b"", Way.AFTER_GOOD: GOOD, Way.AFTER_SLOW: SLOW}


@dataclass(frozen=True)
class Outcome:
    """What a case did.  When the connection was to be kept, the last answer is that to LAST."""

    answers: tuple[Answer, ...]
    seen: tuple[bytes, ...]


def heads(case: Case) -> list[bool]:
    """For each final answer whether it answers HEAD."""
    return [status.endswith("h") for status in case.answers if status != "100"]


def read_answers(raw: bytes, of_head: list[bool]) -> tuple[Answer, ...]:
    """All answers in these bytes, of which the final ones belong to these requests; AssertionError when malformed."""
    stream = io.BytesIO(raw)
    answers: list[Answer] = []
    final = 0
    while True:
        head = final < len(of_head) and of_head[final]
        answer = read_answer(stream, "HEAD" if head else "GET")
        if answer is None:
            return tuple(answers)
        answers.append(answer)
        final += answer.status >= 200


async def receive(sock: socket.socket) -> bytes:
    """Everything up to the end of the connection."""
    loop = asyncio.get_running_loop()
    received = bytearray()
    while data := await loop.sock_recv(sock, 65536):
        received += data
    return bytes(received)


async def send(sock: socket.socket, data: bytes, step: int, reader: asyncio.Task[bytes]) -> None:
    """Send the bytes in pieces of `step`, each in a turn of the event loop of its own, until the server is done."""
    loop = asyncio.get_running_loop()
    try:
        for at in range(0, len(data), step):
            if reader.done():
                return
            await loop.sock_sendall(sock, data[at : at + step])
            await asyncio.sleep(0)
    except (BrokenPipeError, ConnectionResetError):
        return  # the server has closed; what it said is with the reader


def at_once(client: Address) -> bool:
    """Do not wait until the server has accepted a connection."""
    return True


async def exchange(address: Address, case: Case, way: Way, seen: Seen, accepted: Callable[[Address], bool]) -> Outcome:
    """Send one case on a connection of its own and read until the server closes."""
    loop = asyncio.get_running_loop()
    data = BEFORE[way] + case.data + (LAST if case.end is End.KEPT else b"")
    step = len(data) or 1
    if way is Way.BYTES:
        step = 1 if len(data) < BIG else PIECE
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind(("127.0.0.1", 0))
        client = sock.getsockname()
        seen.forget(client)
        await loop.sock_connect(sock, address)
        while not accepted(client):
            await asyncio.sleep(0)
        reader = asyncio.ensure_future(receive(sock))
        await send(sock, data, step, reader)
        if case.end is End.WAITING:
            sock.shutdown(socket.SHUT_WR)
        raw = await asyncio.wait_for(reader, TIMEOUT)
    of_head = [*([False] if BEFORE[way] else []), *heads(case)]
    return Outcome(read_answers(raw, of_head), seen.of(client))


async def exchange_all(
    address: Address,
    cases: Mapping[str, Case],
    way: Way,
    seen: Seen,
    accepted: Callable[[Address], bool] = at_once,
) -> dict[str, Outcome | BaseException]:
    """The outcome of every case, or the error that it ended with.

    `accepted` says whether the server reads from the connection of this address, so that sending may begin.
    """
    room = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> Outcome:
        async with room:
            return await exchange(address, case, way, seen, accepted)

    results = await asyncio.gather(*map(one, cases.values()), return_exceptions=True)
    return dict(zip(cases, results, strict=True))


def fits(expected: str, status: int) -> bool:
    """Whether a status is what a case allows: "200", "4xx", "405/501", with or without the mark of HEAD."""
    choices = expected.removesuffix("h").split("/")
    return any(re.fullmatch(choice.replace("x", "[0-9]"), str(status)) for choice in choices)


def check(case: Case, way: Way, outcome: Outcome) -> None:
    """Raise AssertionError unless the outcome is what the case and the rules of every answer demand."""
    answers = list(outcome.answers)
    seen = list(outcome.seen)
    expected = list(case.answers)
    if way is Way.AFTER_SLOW:  # the body was there before its turn came: no 100 is owed any more
        expected = [status for status in expected if status != "100"]
        answers = [answer for answer in answers if answer.status != 100]
    if BEFORE[way]:
        expected.insert(0, "200")
        assert seen.pop(0) == BEFORE[way].partition(b" HTTP")[0], "the request before the case was not seen"
    if case.end is End.KEPT:
        expected.append("200")
        assert answers[-1].body == b'"good"', "the request after the case was not answered"
        assert seen.pop() == b"GET /good", "the request after the case was not seen"
    statuses = [answer.status for answer in answers]
    answered = f"{statuses}, not {expected}"
    assert len(statuses) == len(expected), answered
    assert all(map(fits, expected, statuses)), answered
    assert tuple(seen) == case.seen, f"handlers saw {seen}"
    check_answers(case, answers)


def check_answers(case: Case, answers: list[Answer]) -> None:
    """The rules for single answers, and the fields that the case names."""
    final = [answer for answer in answers if answer.status >= 200]
    assert all(DATE.fullmatch(answer.headers.get("date", "")) for answer in final), "RFC 9110 6.6.1"
    last = len(final) if case.end is End.WAITING else len(final) - 1
    assert not any(answer.closes for answer in final[:last]), "an answer says close and another one follows"
    assert last == len(final) or final[last].closes, "RFC 9112 9.6: the last answer says close"
    if case.fields:
        named = final[-2] if case.end is End.KEPT else final[-1]
        found = {name: named.headers.get(name) for name, _ in case.fields}
        assert found == dict(case.fields), f"{found}"
