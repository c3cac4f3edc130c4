"""The cases of tests/http11 against a server over sockets: whole, byte by byte, and pipelined behind other requests.

All cases of a way are sent at once, on a connection each; the tests look at what came back.  The server of the second
way runs on the event loop of the client, so that every byte is read before the next one is sent.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import pytest
import uvloop
from http11.application import Address, Seen, make_app
from http11.areas import AREAS, CASES
from http11.case import Case
from http11.runner import BIG, Outcome, Way, check, exchange_all

from brrtrouter.core.connection import Endpoint
from brrtrouter.core.protocol import HttpProtocol
from brrtrouter.testing import running

Outcomes = dict[str, "Outcome | BaseException"]
RFC = re.compile(r"RFC (3986|5789|6585|9110|9112|9113) ([0-9]+|[A-Z])(\.[0-9]+)*")


class Counting(HttpProtocol):
    """Counts the sizes of what it receives, and knows who is connected."""

    sizes: ClassVar[Counter[int]] = Counter()
    clients: ClassVar[set[Address]] = set()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # Reading begins in one of the next turns of the event loop.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self.clients.add, transport.get_extra_info("peername"))

    def data_received(self, data: bytes) -> None:
        self.sizes[len(data)] += 1
        super().data_received(data)


async def through_sockets(cases: dict[str, Case], way: Way) -> Outcomes:
    """The outcomes of cases that are sent to a server on this event loop."""
    seen = Seen()
    loop = asyncio.get_running_loop()
    endpoint = Endpoint(make_app(seen).service, loop)
    server = await loop.create_server(lambda: Counting(endpoint), "127.0.0.1", 0)
    Counting.clients.clear()
    try:
        return await exchange_all(server.sockets[0].getsockname(), cases, way, seen, Counting.clients.__contains__)
    finally:
        server.close()


def run_on_uvloop(main: Any) -> Any:
    loop = uvloop.new_event_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


@pytest.fixture(scope="module")
def outcomes() -> dict[Way, Outcomes]:
    """What every case did in every way."""
    found: dict[Way, Outcomes] = {}
    seen = Seen()
    with running(make_app(seen)) as server:
        for way in (Way.WHOLE, Way.AFTER_GOOD, Way.AFTER_SLOW):
            found[way] = run_on_uvloop(exchange_all(server.address, CASES, way, seen))
    found[Way.BYTES] = run_on_uvloop(through_sockets(CASES, Way.BYTES))
    return found


def complaint(case: Case, way: Way, outcome: Outcome | BaseException) -> str:
    """What is wrong with an outcome, "" for nothing."""
    if isinstance(outcome, BaseException):
        return repr(outcome)
    try:
        check(case, way, outcome)
    except AssertionError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", CASES)
def test_the_server_does_what_the_rule_of_the_case_says(name: str, outcomes: dict[Way, Outcomes]) -> None:
    complaints = {way.value: complaint(CASES[name], way, outcomes[way][name]) for way in Way}
    assert complaints == {way.value: "" for way in Way}, CASES[name].rule
    whole, pieces = outcomes[Way.WHOLE][name], outcomes[Way.BYTES][name]
    assert isinstance(whole, Outcome)
    assert isinstance(pieces, Outcome)
    assert [answer.status for answer in whole.answers] == [answer.status for answer in pieces.answers]
    assert [answer.closes for answer in whole.answers] == [answer.closes for answer in pieces.answers]
    assert whole.seen == pieces.seen


def test_byte_by_byte_means_that_the_server_receives_single_bytes() -> None:
    short = {name: case for name, case in CASES.items() if len(case.data) < 1000}
    Counting.sizes.clear()
    run_on_uvloop(through_sockets(short, Way.BYTES))
    # All but what comes while reading is paused, until earlier requests are answered.
    assert Counting.sizes[1] > 0.99 * sum(Counting.sizes.values())
    assert max(len(case.data) for case in short.values()) < BIG


def test_every_case_has_a_name_a_section_and_a_rule_of_its_own_area() -> None:
    assert len(CASES) == sum(map(len, AREAS.values())), "two cases of one area have the same name"
    assert len(CASES) >= 250
    for name, case in CASES.items():
        assert RFC.fullmatch(case.rfc), name
        assert re.fullmatch(r"[a-z0-9.-]+", case.id), name
        assert case.rule.endswith("."), name


def test_the_page_about_http_counts_the_cases() -> None:
    page = (Path(__file__).resolve().parent.parent / "docs" / "http.md").read_text("utf-8")
    counted = {area: int(count) for area, count in re.findall(r"^\| `([a-z-]+)` \|.*\| (\d+) \|$", page, re.M)}
    assert counted == {area: len(cases) for area, cases in AREAS.items()}
    assert f"{len(CASES)} cases" in page
