"""How a message is delivered: attempts and the waits between them, what ends them, and connections."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import pytest
from outgoing_support import Clock, Taken, event, outcome, sending

from brrtrouter import App, Request, Response
from brrtrouter.errors import AnswerError, DeliveryError
from brrtrouter.server.handle import Server

pytest.importorskip("httpcore")
Serve = Callable[[App], Server]


def test_a_flaky_receiver_gets_the_same_message_until_it_takes_it(serve: Serve) -> None:
    taken = Taken(Response(500), Response(503), Response(204))
    clock = Clock()
    answer = outcome(event(), {"url": f"{serve(taken.app).url}/hook"}, clock, secret="s", backoff=0.5)
    assert (answer.status, answer.attempts) == (204, 3)
    assert clock.waits == [0.5, 1.0]
    assert len({request.header("webhook-id") for request in taken.requests}) == 1
    assert [request.header("webhook-timestamp") for request in taken.requests] == [
        "1700000000", "1700000000", "1700000001"]  # fmt: skip


@pytest.mark.parametrize(("status", "tries"), [(408, 3), (429, 3), (500, 3), (503, 3), (400, 1), (404, 1), (422, 1)])
def test_only_what_may_end_well_is_tried_again(serve: Serve, status: int, tries: int) -> None:
    taken = Taken(Response(status))
    error = outcome(event(), {"url": f"{serve(taken.app).url}/hook"}, Clock(), attempts=3)
    assert len(taken.requests) == tries
    if tries == 1:
        assert isinstance(error, AnswerError)
    else:
        assert isinstance(error, DeliveryError)
        assert (error.attempts, error.status) == (3, status)
        assert str(error) == f"callback 'onEvent': not delivered after 3 attempts: the answer was {status}"


def test_waits_double_up_to_their_limit_and_chance_takes_up_to_a_half(serve: Serve) -> None:
    url = f"{serve(Taken(Response(500)).app).url}/hook"
    settings = {"attempts": 6, "backoff": 1, "backoff_limit": 5, "total_time": 1000}
    for chance, waits in ((1.0, [1, 2, 4, 5, 5]), (0.0, [0.5, 1, 2, 2.5, 2.5])):
        clock = Clock(chance)
        assert isinstance(outcome(event(), {"url": url}, clock, **settings), DeliveryError)
        assert clock.waits == waits


@pytest.mark.parametrize(
    ("after", "wait"),
    [("7", 7.0), ("0", 0.5), ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0), ("soon", 0.5), ("-5", 0.5)],
)
def test_retry_after_is_honoured(serve: Serve, after: str, wait: float) -> None:
    clock = Clock()
    taken = Taken(Response(429, None, {"Retry-After": after}), Response(204))
    assert outcome(event(), {"url": f"{serve(taken.app).url}/hook"}, clock).status == 204
    assert clock.waits == [wait]


def test_the_total_time_ends_the_attempts(serve: Serve) -> None:
    clock = Clock()
    taken = Taken(Response(503, None, {"Retry-After": "3600"}))
    error = outcome(event(), {"url": f"{serve(taken.app).url}/hook"}, clock, total_time=60)
    assert isinstance(error, DeliveryError)
    assert (error.attempts, clock.waits) == (1, [])


def test_a_slow_receiver_is_given_up_after_the_time_of_one_attempt(serve: Serve) -> None:
    done: list[Any] = []

    async def never() -> Any:
        done.append(asyncio.get_running_loop().create_future())
        try:
            return await asyncio.wait_for(done[-1], 5)
        except asyncio.TimeoutError:
            return Response(204)

    server = serve(Taken(never, Response(204)).app)
    answer = outcome(event(), {"url": f"{server.url}/hook"}, Clock(), timeout=0.2)
    assert (answer.status, answer.attempts) == (204, 2)
    done[0].get_loop().call_soon_threadsafe(done[0].cancel)


def test_an_answer_in_drops_ends_with_the_time_of_one_attempt(serve: Serve) -> None:
    async def drops() -> Any:
        for _ in range(100):
            yield b"x"
            await asyncio.sleep(0.05)

    async def answer() -> Any:
        return Response(200, drops(), None, "text/plain")

    error = outcome(event(), {"url": f"{serve(Taken(answer).app).url}/x"}, Clock(), timeout=0.3, attempts=1)
    assert isinstance(error, DeliveryError)
    assert str(error).endswith("not delivered after 1 attempt: no answer in time")


def test_a_receiver_that_is_not_there_is_tried_again_and_named(serve: Serve) -> None:
    server = serve(Taken().app)
    server.stop()
    error = outcome(event(), {"url": f"{server.url}/hook"}, Clock(), attempts=2)
    assert isinstance(error, DeliveryError)
    assert (error.attempts, error.status) == (2, None)
    assert str(error).startswith("callback 'onEvent': not delivered after 2 attempts: ")


@pytest.mark.parametrize(("connections", "together"), [(1, 1), (2, 2)])
def test_so_many_connections_are_open_at_once(serve: Serve, connections: int, together: int) -> None:
    inside: list[int] = [0]

    async def answer() -> Any:
        inside.append(inside[-1] + 1)
        for _ in range(30):
            if max(inside) == 2:
                break
            await asyncio.sleep(0.01)
        inside.append(inside[-1] - 1)
        return Response(204)

    url = f"{serve(Taken(answer).app).url}/hook"

    async def act(app: App, request: Request) -> Any:
        send = app.webhooks["newPet"].send
        return await asyncio.gather(send(url, {"id": 1}), send(url, {"id": 2}))

    assert [each.status for each in outcome(act, {}, connections=connections)] == [204, 204]
    assert max(inside) == together


def test_connections_are_closed_with_the_server(serve: Serve) -> None:
    taken = Taken()
    url = f"{serve(taken.app).url}/hook"

    async def act(app: App, request: Request) -> Any:
        await app.webhooks["newPet"].send(url, {"id": 5})
        return 201, {}

    server = serve(sending(act))
    request = HttpRequest(f"{server.url}/v1/subscriptions/a", b"{}", {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        assert answer.status == 201
    server.stop()
    gc.collect()  # which warns of connections that are still open, and a warning is an error


def test_connections_are_kept_and_closed_with_the_server(serve: Serve) -> None:
    taken = Taken()
    url = f"{serve(taken.app).url}/hook"

    async def act(app: App, request: Request) -> Any:
        for _ in range(3):
            await app.webhooks["newPet"].send(url, {"id": 5})

    outcome(act, {})
    assert len({request.client for request in taken.requests}) == 1
