"""What happens to a process under load, and what that costs its clients.

Eight clients ask one request after another on connections that they keep, and four requests are slow.  A request that
got no answer is lost, also where the client may try again because the connection had been used before (RFC 9112
section 9.3.1); a part of an answer is torn.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from serving import GET, Load, Served, write_files
from wire import TIMEOUT

CLIENTS, SLOW = 8, 4
READY = r"worker (\d+) \(pid (\d+)\) is ready"
SLOW_SECONDS = "1.0"
# How many requests the clients have been answered before the event, and how many more after it.
BEFORE, AFTER = 400, 400


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    write_files(tmp_path)
    handlers = tmp_path / "the_handlers.py"
    handlers.write_text(handlers.read_text().replace("asyncio.sleep(0.05)", f"asyncio.sleep({SLOW_SECONDS})"))


class Slow:
    """One request each that takes long, on connections of their own."""

    def __init__(self, url: str) -> None:
        self._host, _, self._port = url.removeprefix("http://").rpartition(":")
        self.answers: list[bytes] = []

    async def __aenter__(self) -> Slow:
        self._tasks = []
        for _ in range(SLOW):
            reader, writer = await asyncio.open_connection(self._host, int(self._port))
            writer.write(GET.format(path="/slow", fields="").encode())
            self._tasks.append(asyncio.create_task(self._rest(reader, writer)))
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.answers = await asyncio.wait_for(asyncio.gather(*self._tasks), TIMEOUT)

    async def _rest(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            return head + await reader.readuntil(b"}")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            return bytes(getattr(error, "partial", b""))
        finally:
            writer.close()

    @property
    def answered(self) -> int:
        return sum(answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"}") for answer in self.answers)

    @property
    def torn(self) -> int:
        return sum(bool(answer) and not answer.endswith(b"}") for answer in self.answers)


def under_load(
    folder: Path, event: Callable[[Served, Load, list[int]], Awaitable[None]], *, environ: dict[str, str] | None = None
) -> tuple[Load, Slow]:
    """What clients of two workers saw of an event."""

    async def test() -> tuple[Load, Slow]:
        with Served(folder, "--workers", "2", "--port", "0", environ=environ) as served:
            url = served.url()
            pids = [int(served.log.until(READY)[2]) for _ in range(2)]
            async with Load(url, clients=CLIENTS) as load:
                await load.more(BEFORE)
                async with Slow(url) as slow:
                    await load.more(CLIENTS)  # the slow ones are with the workers
                    await event(served, load, pids)
            return load, slow

    return asyncio.run(test())


def heard(served: Served, pattern: str) -> Awaitable[object]:
    return asyncio.to_thread(served.log.until, pattern)


def nothing_is_lost(load: Load, slow: Slow) -> None:
    assert (load.lost, load.torn) == (0, 0)
    assert (slow.answered, slow.torn) == (SLOW, 0)
    assert load.bodies("200 ") == load.total


def test_sigterm_answers_everything_that_was_asked(tmp_path: Path) -> None:
    async def event(served: Served, load: Load, pids: list[int]) -> None:
        served.signal(signal.SIGTERM)
        await load.gone()
        assert served.wait() == 0

    load, slow = under_load(tmp_path, event)
    nothing_is_lost(load, slow)
    assert load.refused == CLIENTS, "in the end nobody listens"


def test_sighup_answers_everything_and_refuses_nobody(tmp_path: Path) -> None:
    async def event(served: Served, load: Load, pids: list[int]) -> None:
        served.signal(signal.SIGHUP)
        await heard(served, "2 new workers have taken over")
        await load.more(AFTER)

    load, slow = under_load(tmp_path, event)
    nothing_is_lost(load, slow)
    assert load.refused == 0
    assert load.closes >= CLIENTS, "every connection was told to end"


def test_the_kill_of_a_worker_costs_what_it_had_under_way_and_it_is_back_soon(tmp_path: Path) -> None:
    took = 0.0

    async def event(served: Served, load: Load, pids: list[int]) -> None:
        nonlocal took
        began = time.monotonic()
        os.kill(pids[0], signal.SIGKILL)
        await heard(served, rf"\(pid {pids[0]}\) was ended by SIGKILL")
        await heard(served, READY)
        took = time.monotonic() - began
        await load.more(AFTER)

    load, slow = under_load(tmp_path, event)
    assert load.lost <= CLIENTS
    assert (load.torn, slow.torn, load.refused) == (0, 0, 0)
    assert took < 5.0, "a worker loads in much less; the wait before that is server.restart_backoff"


@pytest.mark.parametrize(
    ("name", "text"),
    [("the_handlers.py", "def who(:\n"), ("the_handlers.py", "import os\nos._exit(3)\n"), ("openapi.yaml", "a: [")],
)
def test_a_reload_of_broken_files_costs_nothing(tmp_path: Path, name: str, text: str) -> None:
    async def event(served: Served, load: Load, pids: list[int]) -> None:
        (tmp_path / name).write_text(text)
        served.signal(signal.SIGHUP)
        await heard(served, "not reloaded, the old workers stay: ")
        await load.more(AFTER)
        for pid in pids:
            os.kill(pid, 0)

    load, slow = under_load(tmp_path, event)
    nothing_is_lost(load, slow)
    assert (load.refused, load.closes) == (0, 0), "the old workers do not even notice"
