"""What the tests of outgoing requests share: an application that sends, receivers with real sockets, and a clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from brrtrouter import App, BrrtError, Request, Response
from brrtrouter.outgoing.delivery import Timing
from brrtrouter.testing import TestClient, TestResponse

SPEC = Path(__file__).resolve().parent / "specs" / "outgoing.yaml"
METHODS = ("get", "put", "post", "delete")
Act = Callable[[App, Request], Awaitable[Any]]


class Clock:
    """Time that passes only when somebody waits, and chance that always says `chance`."""

    def __init__(self, chance: float = 1.0, start: float = 1_700_000_000.0) -> None:
        self.time = start
        self.waits: list[float] = []
        self.timing = Timing(lambda: self.time, lambda: self.time, self._sleep, lambda: chance)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


class Taken:
    """A receiver: keeps what came, and answers with the next of `answers`, the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers) or [Response(204)]
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Any:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer() if callable(answer) else answer

    @property
    def app(self) -> App:
        operation = {
            "operationId": "take",
            "parameters": [{"name": "rest", "in": "path", "required": True, "schema": {"type": "string"}}],
            "responses": {"default": {"description": ""}},
        }
        body = {"requestBody": {"content": {"*/*": {}}}}
        methods = {
            method: {**operation, **({} if method in ("get", "delete") else body), "operationId": f"take_{method}"}
            for method in METHODS
        }
        document = {
            "openapi": "3.1.0",
            "info": {"title": "receiver", "version": "1"},
            "paths": {"/{rest}": methods, "/in/{rest}": {"post": {**methods["post"], "operationId": "take_below"}}},
        }
        names = [*(f"take_{method}" for method in METHODS), "take_below"]
        return App(document, dict.fromkeys(names, self))


def sending(act: Act, clock: Clock | None = None, **outgoing: Any) -> App:
    """An application that does `act` in the handler of a subscription and answers with what it gives."""

    async def subscribe(request: Request) -> Any:
        return await act(app, request)

    outgoing.setdefault("allow_private", True)
    app = App(SPEC, {"subscribe": subscribe}, {"outgoing": outgoing})
    if clock is not None:
        app.outgoing.timing = clock.timing
    return app


def subscribe(app: App, body: Any, path: str = "/v1/subscriptions/dogs", **options: Any) -> TestResponse:
    """One subscription, which starts what the application does."""
    with TestClient(app) as client:
        return client.post(path, json=body, **options)


def outcome(act: Act, body: Any, clock: Clock | None = None, **outgoing: Any) -> Any:
    """What `act` gives, or the error of ours that it raises."""
    found: list[Any] = []

    async def caught(app: App, request: Request) -> Any:
        try:
            found.append(await act(app, request))
        except BrrtError as error:
            found.append(error)
        return 201, {"id": "s1"}

    assert subscribe(sending(caught, clock, **outgoing), body).status == 201
    return found[0]


def event(**options: Any) -> Act:
    """What sends the callback `onEvent`, with a body and parameters that are as described unless told otherwise."""
    options.setdefault("parameters", {"X-Kind": "made"})
    body = options.pop("body", {"id": 1})

    async def act(app: App, request: Request) -> Any:
        return await app.callbacks["onEvent"].send(request, body, **options)

    return act
