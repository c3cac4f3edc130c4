"""The pool of threads that plain handlers run in."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest
from dispatch_support import PETS, plain

from brrtrouter import App, Request, Response
from brrtrouter.dispatch.pool import Pool
from brrtrouter.testing import TestClient

# -- the pool


def test_what_waits_beyond_the_bound_is_refused_at_once() -> None:
    release = threading.Event()
    pool = Pool(1, 1)
    call = pool.wrap(lambda request: release.wait(10))

    async def load() -> list[Any]:
        first = [asyncio.ensure_future(call(None)) for _ in range(2)]  # type: ignore[arg-type]
        await asyncio.sleep(0)
        refused = await call(None)  # type: ignore[arg-type]
        release.set()
        done = await asyncio.gather(*first)
        return [refused, *done, await call(None)]  # type: ignore[arg-type]

    refused, *rest = asyncio.run(load())
    assert isinstance(refused, Response)
    assert (refused.status, refused.headers) == (503, {"Retry-After": "1"})
    assert rest == [True, True, True], "places are given back"
    pool.close()


def test_a_place_is_given_back_by_the_thread_and_not_by_who_waits_for_it() -> None:
    started, release = threading.Event(), threading.Event()
    pool = Pool(1, 0)

    def work(request: Any) -> None:
        started.set()
        release.wait(10)

    async def cancel() -> list[Any]:
        call = pool.wrap(work)
        waiting = asyncio.ensure_future(call(None))  # type: ignore[arg-type]
        await asyncio.get_running_loop().run_in_executor(None, started.wait, 10)
        waiting.cancel()
        await asyncio.wait([waiting])
        refused = await call(None)  # type: ignore[arg-type]
        release.set()
        pool._executor.shutdown()  # type: ignore[union-attr]
        pool.close()
        return [refused.status, await call(None)]  # type: ignore[arg-type]

    assert asyncio.run(cancel()) == [503, None]
    pool.close()


def test_the_bound_comes_from_the_configuration() -> None:
    app = App(PETS, {"getPets": plain}, {"limits": {"handler_threads": 1, "handler_queue": 0}})
    with TestClient(app) as client:
        assert [client.get("/pets").status for _ in range(3)] == [204] * 3


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def test_context_variables_reach_the_thread_and_stay_there() -> None:
    class Sets:
        async def around(self, request: Request, call_next: Any) -> Any:
            variable.set("from middleware")
            response = await call_next(request)
            response.add_header("X-After", variable.get())
            return response

    def reads(request: Request) -> str:
        found = variable.get()
        variable.set("from the thread")
        return found

    with TestClient(App(PETS, {"getPets": reads}, middleware=[Sets()])) as client:
        response = client.get("/pets")
    assert (response.json(), response.headers["x-after"]) == ("from middleware", "from middleware")


@pytest.mark.parametrize("error", [StopIteration(5), SystemExit(3), GeneratorExit(), KeyError("x")], ids=repr)
@pytest.mark.parametrize("inline", [False, True])
def test_whatever_a_plain_handler_raises_is_500(error: BaseException, inline: bool) -> None:
    def fails(request: Request) -> None:
        raise error

    app = App(PETS)
    app.register("getPets", fails, inline=inline)
    with TestClient(app) as client:
        assert [client.get("/pets").status for _ in range(2)] == [500, 500]


def test_the_pool_may_be_used_again_after_it_was_closed() -> None:
    app = App(PETS, {"getPets": lambda request: threading.current_thread().name})
    client = TestClient(app)
    for _ in range(2):
        assert client.get("/pets").json().startswith("brrtrouter-handler")
        app.close()
    app.close()
