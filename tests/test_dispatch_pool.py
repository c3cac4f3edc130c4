"""The pool of threads that plain handlers run in."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import re
import subprocess
import sys
import threading
from typing import Any

import pytest
from dispatch_support import PETS, plain

from brrtrouter import App, ConfigError, Request, Response, SpecError
from brrtrouter.core.stacks import stack_here
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
    pool = Pool(1, 0, "place")

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
        (thread,) = [each for each in threading.enumerate() if each.name == "place-0"]
        pool.close()
        await asyncio.get_running_loop().run_in_executor(None, thread.join, 10)
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


# -- stacks


STACKED: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Stacks", "version": "1"},
    "paths": {
        f"/{name}/{{depth}}": {
            "get": {
                "operationId": name,
                "parameters": [{"name": "depth", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"description": "bytes"}},
                **extra,
            }
        }
        for name, extra in {
            "usual": {},
            "own": {"x-brrtrouter-stack-size": 1 << 21},
            "named": {"x-stack-size": "medium"},
            "tiny": {"x-brrtrouter-stack-size": "0x4000"},
        }.items()
    },
}


def deep(depth: int) -> int:
    """A recursion through C, which takes of the stack what Python calls alone do not."""
    return depth if depth == 0 else sorted([depth], key=lambda value: deep(value - 1))[0]


def recurse(request: Request) -> list[Any]:
    deep(request.path_params["depth"])
    return [threading.current_thread().name, *(stack_here() or (0, 0))]


needs_stacks = pytest.mark.skipif(sys.platform != "linux", reason="stacks are looked at as Linux has them")


def stacked(**config: Any) -> App:
    pytest.importorskip("prometheus_client")
    handlers = dict.fromkeys(("usual", "own", "named", "tiny"), recurse)
    return App(STACKED, handlers, {"metrics": {"enabled": True}, **config})


def gauges(client: TestClient) -> tuple[int, int]:
    """The size of a stack and what was used of it, as the metrics tell."""
    text = client.get("/metrics").text
    names = ("stack", "stack_used")
    found = [re.search(rf"^brrtrouter_coroutine_{name}_bytes (\S+)$", text, re.MULTILINE) for name in names]
    size, used = (int(float(each[1])) for each in found if each is not None)
    return size, used


@needs_stacks
def test_the_used_stack_in_the_metrics_is_measured_and_grows_with_the_depth_of_a_recursion() -> None:
    with TestClient(stacked(limits={"handler_threads": 1, "handler_stack": 4 << 20})) as client:
        assert gauges(client) == (0, 0), "there is no thread yet"
        seen = []
        for depth in (0, 40, 80, 160):
            assert client.get(f"/usual/{depth}").status == 200
            size, used = gauges(client)
            assert size == 4 << 20
            seen.append(used)
        # Each level takes the same: twice the depth, twice the bytes, but for what the first ones need besides.
        base, first, second, third = seen
        assert 0 < base < first < second < third < size
        assert (second - base) / (first - base) == pytest.approx(2, rel=0.15)
        assert (third - base) / (first - base) == pytest.approx(4, rel=0.15)
        assert client.get("/usual/1").status == 200
        assert gauges(client)[1] == third, "it is the most that was ever used"


@needs_stacks
def test_an_operation_has_the_stack_that_it_asks_for() -> None:
    with TestClient(stacked(limits={"handler_stack": 1 << 20})) as client:
        answers = {name: client.get(f"/{name}/1").json() for name in ("usual", "own", "named", "tiny")}
        # The system may give a larger one that it has left over.
        assert answers["usual"][2] >= 1 << 20
        assert answers["own"][2] >= 1 << 21
        assert answers["named"][2] >= 4 << 20
        assert answers["tiny"][0] == "brrtrouter-handler-256k-0", "the least that the interpreter can run in"
        assert len({answer[1] for answer in answers.values()}) == 4
        assert gauges(client)[0] == 4 << 20


@needs_stacks
@pytest.mark.parametrize("text", ["2097152", "0x200000"])
def test_the_environment_sets_the_size_of_stacks(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("BRRTR_STACK_SIZE", text)
    with TestClient(stacked()) as client:
        assert client.get("/usual/1").json()[2] >= 2 << 20
        assert gauges(client)[0] == 2 << 20


def test_a_bad_size_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRRTR_STACK_SIZE", "huge")
    with pytest.raises(ConfigError, match=r"BRRTR_STACK_SIZE.*handler_stack"):
        stacked()


@pytest.mark.parametrize("value", [0, -1, "huge", "0x", 1.5, True, None, 1 << 40])
def test_a_bad_size_at_an_operation_is_an_issue(value: Any) -> None:
    document = copy.deepcopy(STACKED)
    document["paths"]["/own/{depth}"]["get"]["x-brrtrouter-stack-size"] = value
    with pytest.raises(SpecError) as caught:
        App(document, echo=True)
    assert "no size of a stack" in str(caught.value)
    assert "/paths/~1own~1{depth}/get/x-brrtrouter-stack-size" in str(caught.value)


def test_other_threads_keep_their_stacks() -> None:
    before = threading.stack_size()
    with TestClient(stacked(limits={"handler_stack": 1 << 20})) as client:
        client.get("/usual/1")
    assert threading.stack_size() == before


def test_a_blocked_pool_sheds_and_a_process_can_end_beside_it() -> None:
    program = """
import threading
from brrtrouter import App
from brrtrouter.testing import TestClient

operation = {"operationId": "b", "x-brrtrouter-deadline-ms": 50, "responses": {"200": {"description": "never"}}}
document = {"openapi": "3.1.0", "info": {"title": "b", "version": "1"}, "paths": {"/b": {"get": operation}}}
limits = {"handler_threads": 1, "handler_queue": 1}
app = App(document, {"b": lambda request: threading.Event().wait()}, {"limits": limits})
with TestClient(app) as client:
    print([client.get("/b").status for _ in range(4)])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == "[504, 504, 503, 503]", done.stderr
    assert done.returncode == 0
