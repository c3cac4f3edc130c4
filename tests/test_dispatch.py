"""From an operation to what answers it: kinds of callables, look-up by name, registration, and the pool of threads."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from dispatch_support import PETS, answer, plain, who, who_plainly, who_waits

from brrtrouter import App, Request
from brrtrouter.core.service import Mode
from brrtrouter.dispatch.kinds import mode_of
from brrtrouter.testing import TestClient

# -- kinds: what the code of a callable can do


def makes_a_coroutine(request: Any) -> Any:
    return never_suspends(request)


def generator(request: Any) -> Any:
    yield 1


async def async_generator(request: Any) -> Any:
    yield 1


async def never_suspends(request: Any) -> Any:
    return [n + 1 for n in range(3)]


async def defines_more(request: Any) -> Any:
    async def inner() -> None:
        await asyncio.sleep(0)

    return inner


async def awaits(request: Any) -> Any:
    await asyncio.sleep(0)


async def awaits_in_a_branch(request: Any) -> Any:
    if request is None:
        return await asyncio.sleep(0)
    return 1


async def awaits_in_a_comprehension(request: Any) -> Any:
    return [await each for each in request]


async def iterates(request: Any) -> Any:
    async for _ in request:
        pass


async def iterates_in_a_comprehension(request: Any) -> Any:
    return [each async for each in request]


async def enters(request: Any) -> Any:
    async with request:
        pass


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(request: Any) -> Any:
        return await function(request)

    return wrapper


def decorated_plainly(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(request: Any) -> Any:
        return function(request)

    return wrapper


class Callables:
    async def method(self, request: Any) -> Any:
        return None

    @staticmethod
    async def static(request: Any) -> Any:
        await asyncio.sleep(0)

    @classmethod
    async def of_class(cls, request: Any) -> Any:
        return None

    def plain(self, request: Any) -> Any:
        return None

    async def __call__(self, request: Any) -> Any:
        await asyncio.sleep(0)


class CallableInline:
    async def __call__(self, request: Any) -> Any:
        return None


class CallablePlain:
    def __call__(self, request: Any) -> Any:
        return None


@pytest.mark.parametrize(
    ("function", "mode"),
    [
        (plain, Mode.SYNC),
        (makes_a_coroutine, Mode.SYNC),
        (generator, Mode.SYNC),
        (async_generator, Mode.SYNC),
        (lambda request: None, Mode.SYNC),
        (print, Mode.SYNC),
        (dict, Mode.SYNC),
        (functools.partial(plain), Mode.SYNC),
        (Callables().plain, Mode.SYNC),
        (CallablePlain(), Mode.SYNC),
        (decorated_plainly(awaits), Mode.SYNC),
        (never_suspends, Mode.INLINE),
        (defines_more, Mode.INLINE),
        (functools.partial(never_suspends), Mode.INLINE),
        (functools.partial(functools.partial(never_suspends)), Mode.INLINE),
        (Callables().method, Mode.INLINE),
        (Callables.of_class, Mode.INLINE),
        (functools.partial(Callables.method, None), Mode.INLINE),
        (CallableInline(), Mode.INLINE),
        (CallableInline().__call__, Mode.INLINE),
        (functools.partial(CallableInline()), Mode.INLINE),
        (awaits, Mode.TASK),
        (awaits_in_a_branch, Mode.TASK),
        (awaits_in_a_comprehension, Mode.TASK),
        (iterates, Mode.TASK),
        (iterates_in_a_comprehension, Mode.TASK),
        (enters, Mode.TASK),
        (functools.partial(awaits), Mode.TASK),
        (Callables.static, Mode.TASK),
        (Callables(), Mode.TASK),
        (functools.partial(Callables()), Mode.TASK),
        (decorated(never_suspends), Mode.TASK),
    ],
)
def test_the_kind_of_a_callable_is_what_its_code_can_do(function: Any, mode: Mode) -> None:
    assert mode_of(function) is mode


@pytest.mark.skipif(sys.version_info < (3, 12), reason="markcoroutinefunction is new in Python 3.12")
def test_a_function_that_is_only_marked_as_a_coroutine_function_may_suspend() -> None:
    import inspect

    assert mode_of(inspect.markcoroutinefunction(makes_a_coroutine)) is Mode.TASK  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("function", "inline", "on_loop", "kind"),
    [
        (who_plainly, False, False, "thread"),
        (who_plainly, True, True, "inline"),
        (who, False, True, "async, never suspends"),
        (who_waits, False, True, "async"),
    ],
)
def test_plain_functions_run_in_threads_and_the_others_on_the_loop(
    function: Any, inline: bool, on_loop: bool, kind: str
) -> None:
    app = App(PETS)
    app.register("getPets", function, inline=inline)
    with TestClient(app) as client:
        assert client.get("/pets").json()["thread"] is on_loop
    assert [route.kind for route in app.routes] == [kind]


def test_a_handler_that_suspends_has_a_task_of_its_own() -> None:
    assert answer({"getPets": who_waits}).json()["task"] is True


@pytest.mark.parametrize("function", [who, who_waits])
def test_a_plain_decorator_of_an_async_handler_works(function: Any) -> None:
    response = answer({"getPets": decorated_plainly(function)})
    assert (response.status, response.json()["thread"]) == (200, True)


def test_an_asynchronous_generator_is_a_stream_and_needs_no_thread() -> None:
    async def items(request: Request) -> Any:
        yield threading.current_thread().name.encode()

    app = App(PETS, {"getPets": items})
    assert TestClient(app).get("/pets").content == threading.main_thread().name.encode()
    assert [route.kind for route in app.routes] == ["stream"]
