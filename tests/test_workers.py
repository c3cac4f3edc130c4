"""Workers under their supervisor, as real processes with real connections: nothing is lost but what a crash cuts."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import GET, Load, Served, write_files
from wire import Client

from brrtrouter import App
from brrtrouter.cli import main
from brrtrouter.server.sockets import ServerError, listen

WHO = GET.format(path="/who", fields="").encode()
SLOW = GET.format(path="/slow", fields="").encode()
READY = r"worker (\d+) \(pid (\d+)\) is ready"


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> Path:
    write_files(tmp_path)
    return tmp_path


def who(url: str) -> dict[str, object]:
    with Client(url) as client:
        found: dict[str, object] = json.loads(client.ask(WHO).body)
        return found


def until_not(url: str, key: str, old: Collection[object]) -> None:
    """Ask until the old workers, who may take a last connection before they hear that they are old, answer no more."""
    for _ in range(1000):
        if who(url)[key] not in old:
            return
    raise AssertionError(f"the old workers still answer: {old}")


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def run(test: Callable[[], object]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


# -- start


def test_every_worker_answers_and_a_signal_ends_them_all(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "2", "--port", "0") as served:
        url = served.url()
        pids = {int(served.log.until(READY)[2]) for _ in range(2)}
        answered: set[object] = set()
        while answered != pids:  # the system chooses who gets a connection
            answered.add(who(url)["pid"])
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        banner = [line for line in served.out.seen if line.startswith("BRRTRouter")]
        assert len(banner) == 1


def test_workers_that_cannot_load_end_the_start_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "openapi.yaml").write_text("openapi: 3.1.0\n")
    with Served(tmp_path, "--workers", "2", "--port", "0") as served:
        served.log.until(r"^brrtrouter: openapi\.yaml: \d+ issues? found:")
        assert served.wait() == 2


def test_a_worker_that_is_killed_while_it_loads_ends_the_start_with_the_signal(tmp_path: Path) -> None:
    (tmp_path / "the_handlers.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    with Served(tmp_path, "--workers", "1", "--port", "0") as served:
        served.log.until(r"^brrtrouter: worker 1 \(pid \d+\) was ended by SIGKILL")
        assert served.wait() == 2


def test_a_worker_that_does_not_get_ready_is_killed(tmp_path: Path) -> None:
    (tmp_path / "the_handlers.py").write_text("import threading\nthreading.Event().wait()\n")
    limit = {"BRRTR_SERVER__START_TIMEOUT": "0.2"}
    with Served(tmp_path, "--workers", "1", "--port", "0", environ=limit) as served:
        served.log.until(r"^brrtrouter: not ready after 0\.2 s")
        assert served.wait() == 2


@pytest.mark.parametrize("workers", [0, 1025])
def test_the_number_of_workers_has_bounds(workers: int) -> None:
    app = App({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}})
    with pytest.raises(ServerError, match=f"the number of workers is not between 1 and 1024: {workers}"):
        app.run(port=0, workers=workers)
    assert main(["serve", "openapi.yaml", "--workers", str(workers)]) == 2


def test_workers_need_the_main_thread() -> None:
    app = App({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}})
    with ThreadPoolExecutor(1) as pool, pytest.raises(ServerError, match="from the main thread only"):
        pool.submit(app.run, port=0, workers=2).result()


def test_app_run_with_workers_serves_the_app_that_there_is(tmp_path: Path) -> None:
    program = (
        "import logging, os\nfrom brrtrouter import App\nlogging.basicConfig(level='INFO')\n"
        "os.environ['BRRTR_SERVER__DRAIN_IDLE'] = '0.5'\n"
        "app = App('openapi.yaml', handlers='the_handlers')\n"
        "app.run(port={port}, workers=2)\nprint('after')\n"
    )
    with listen("127.0.0.1", 0, 1) as probe:
        port = probe.getsockname()[1]
    with Served(tmp_path, program=program.format(port=port)) as served:
        pids = {served.log.until(READY)[2] for _ in range(2)}
        assert str(who(f"http://127.0.0.1:{port}")["pid"]) in pids
        served.signal(signal.SIGHUP)
        served.log.until("reloaded: 2 new workers")
        until_not(f"http://127.0.0.1:{port}", "pid", {int(pid) for pid in pids})
        served.signal(signal.SIGTERM)
        served.out.until("after")
        assert served.wait() == 0


def test_the_supervisor_of_an_imported_app_makes_it_anew(tmp_path: Path) -> None:
    (tmp_path / "site_app.py").write_text(
        "from brrtrouter import App\napp = App('openapi.yaml', handlers='the_handlers')\n"
    )
    with Served(tmp_path, "--workers", "1", "--port", "0", command="site_app:app") as served:
        url = served.url()
        assert who(url)["version"] == "one"
        write_files(tmp_path, "the second")
        served.signal(signal.SIGHUP)
        served.log.until("reloaded")
        until_not(url, "version", {"one"})


# -- the end


@pytest.mark.parametrize("workers", [None, 2])
def test_sigterm_loses_no_request_of_clients_with_keep_alive(tmp_path: Path, workers: int | None) -> None:
    async def test() -> None:
        arguments = ["--workers", str(workers)] if workers else []
        with Served(tmp_path, "--port", "0", *arguments) as served:
            async with Load(served.url()) as load:
                await load.more(300)
                served.signal(signal.SIGTERM)
                await load.gone()
            assert served.wait() == 0
        assert (load.lost, load.torn) == (0, 0)
        assert load.closes >= load.clients
        assert load.refused == load.clients
        assert load.bodies("200 ") == load.total

    run(test)


def test_sigterm_finishes_slow_requests(tmp_path: Path) -> None:
    async def test() -> None:
        with Served(tmp_path, "--workers", "2", "--port", "0") as served:
            async with Load(served.url(), path="/slow") as load:
                await load.more(20)
                served.signal(signal.SIGTERM)
                await load.gone()
            assert served.wait() == 0
        assert (load.lost, load.torn) == (0, 0)

    run(test)


def test_an_idle_connection_gets_its_last_answer_and_no_longer_than_drain_idle(tmp_path: Path) -> None:
    limit = {"BRRTR_SERVER__DRAIN_IDLE": "0.3"}
    with Served(tmp_path, "--workers", "1", "--port", "0", environ=limit) as served:
        with Client(served.url()) as silent:
            assert silent.ask(WHO).status == 200
            served.signal(signal.SIGTERM)
            assert silent.at_end()
        assert served.wait() == 0


def test_ctrl_c_does_not_wait_for_idle_connections(tmp_path: Path) -> None:
    limit = {"BRRTR_SERVER__DRAIN_IDLE": "3600", "BRRTR_LIMITS__DRAIN": "3600"}
    with Served(tmp_path, "--workers", "2", "--port", "0", environ=limit) as served:
        with Client(served.url()) as silent:
            assert silent.ask(WHO).status == 200
            served.signal(signal.SIGINT)
            assert silent.at_end()
        assert served.wait() == 0


def test_a_second_signal_ends_workers_at_once(tmp_path: Path) -> None:
    limit = {"BRRTR_SERVER__DRAIN_IDLE": "3600", "BRRTR_LIMITS__DRAIN": "3600"}
    with Served(tmp_path, "--workers", "2", "--port", "0", environ=limit) as served, Client(served.url()) as silent:
        assert silent.ask(WHO).status == 200
        served.signal(signal.SIGTERM)
        served.log.until("SIGTERM: draining")
        served.signal(signal.SIGTERM)
        served.log.until("SIGTERM again")
        assert served.wait() == 0


# -- reload


def test_sighup_loses_no_request_and_new_workers_have_the_changed_files(tmp_path: Path) -> None:
    async def test() -> None:
        with Served(tmp_path, "--workers", "2", "--port", "0") as served:
            url = served.url()
            old = {int(served.log.until(READY)[2]) for _ in range(2)}
            async with Load(url) as load:
                await load.more(200)
                write_files(tmp_path, "the second")
                served.signal(signal.SIGHUP)
                await load.until("the second")
                await load.more(200)
                served.signal(signal.SIGHUP)
                await load.more(2000)
            assert (load.lost, load.torn, load.refused) == (0, 0, 0)
            assert load.closes >= load.clients
            assert load.bodies("200 ") == load.total
            until_not(url, "pid", old)

    run(test)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("openapi.yaml", "openapi: 3.1.0\n", r"openapi\.yaml: \d+ issues? found"),
        ("openapi.yaml", "", r"openapi\.yaml"),
        ("openapi.yaml", "a: [1", r"openapi\.yaml"),
        ("openapi.yaml", None, r"openapi\.yaml"),
        ("the_handlers.py", "def who(:\n", r"the_handlers\.py"),
        ("the_handlers.py", "raise RuntimeError('on purpose')\n", "on purpose"),
        ("the_handlers.py", "import os\nos._exit(7)\n", r"ended with 7"),
        ("the_handlers.py", "import os\nos.abort()\n", r"was ended by SIGABRT"),
    ],
)
def test_a_reload_that_fails_leaves_the_old_workers_and_says_why(
    tmp_path: Path, name: str, text: str | None, reason: str
) -> None:
    async def test() -> None:
        with Served(tmp_path, "--workers", "1", "--port", "0") as served:
            async with Load(served.url(), clients=2) as load:
                await load.more(20)
                (tmp_path / name).unlink()
                if text is not None:
                    (tmp_path / name).write_text(text)
                served.signal(signal.SIGHUP)
                await asyncio.to_thread(served.log.until, f"not reloaded, the old workers stay: .*{reason}")
                await load.more(20)
                write_files(tmp_path, "mended again")
                served.signal(signal.SIGHUP)
                await load.until("mended again")
            assert (load.lost, load.torn, load.refused) == (0, 0, 0)

    run(test)


@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are counted in /proc")
def test_descriptors_are_back_where_they_were(tmp_path: Path) -> None:
    async def test() -> None:
        environ = {"BRRTR_SERVER__HEALTHY_AFTER": "0", "BRRTR_SERVER__DRAIN_IDLE": "0.5"}
        with Served(tmp_path, "--workers", "1", "--port", "0", environ=environ) as served:
            url, pid = served.url(), int(served.log.until(READY)[2])
            who(url)
            supervisor, worker = descriptors(served.process.pid), descriptors(pid)
            async with Load(url, clients=20) as load:
                await load.more(500)
            with Client(url) as last:  # its answer comes after the ends of the others were seen
                while descriptors(pid) > worker + 1:
                    assert last.ask(WHO).status == 200
            for _ in range(3):
                served.signal(signal.SIGHUP)
                pid = int(served.log.until(READY)[2])
            os.kill(pid, signal.SIGKILL)
            served.log.until(READY)
            served.signal(signal.SIGHUP)
            new = int(served.log.until(READY)[2])
            while descriptors(served.process.pid) > supervisor:
                who(url)
            who(url)
            assert descriptors(new) <= worker + 1

    run(test)


# -- crashes


def test_a_killed_worker_costs_only_its_own_requests_and_is_started_again(tmp_path: Path) -> None:
    async def test() -> None:
        with Served(tmp_path, "--workers", "2", "--port", "0") as served:
            url = served.url()
            pids = [int(served.log.until(READY)[2]) for _ in range(2)]
            async with Load(url) as load:
                await load.more(200)
                os.kill(pids[0], signal.SIGKILL)
                await asyncio.to_thread(served.log.until, rf"\(pid {pids[0]}\) was ended by SIGKILL")
                await asyncio.to_thread(served.log.until, READY)
                await load.more(200)
            assert load.lost <= load.clients
            assert (load.torn, load.refused) == (0, 0)

    run(test)


def test_the_wait_before_a_restart_is_doubled_and_bounded(tmp_path: Path) -> None:
    (tmp_path / "the_handlers.py").write_text("import os\nwho = slow = client = lambda request: os._exit(3)\n")
    environ = {"BRRTR_SERVER__RESTART_BACKOFF": "0.01", "BRRTR_SERVER__RESTART_BACKOFF_LIMIT": "0.03"}
    waits = []
    with Served(tmp_path, "--workers", "1", "--port", "0", environ=environ) as served:
        url = served.url()
        for _ in range(4):
            with Client(url) as client:
                client.send(WHO)
                waits.append(float(served.log.until(r"ended with 3; starting another in ([\d.]+) s")[1]))
    assert waits == [0.01, 0.02, 0.03, 0.03]


def test_a_healthy_time_forgets_earlier_crashes(tmp_path: Path) -> None:
    (tmp_path / "the_handlers.py").write_text("import os\nwho = slow = client = lambda request: os._exit(3)\n")
    environ = {"BRRTR_SERVER__RESTART_BACKOFF": "0.01", "BRRTR_SERVER__HEALTHY_AFTER": "0"}
    with Served(tmp_path, "--workers", "1", "--port", "0", environ=environ) as served:
        url = served.url()
        for _ in range(3):
            with Client(url) as client:
                client.send(WHO)
                assert served.log.until(r"starting another in ([\d.]+) s")[1] == "0.01"


def test_a_worker_that_cannot_load_again_is_tried_until_it_can(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "1", "--port", "0") as served:
        url, pid = served.url(), int(served.log.until(READY)[2])
        (tmp_path / "openapi.yaml").write_text("openapi: 3.1.0\n")
        os.kill(pid, signal.SIGKILL)
        served.log.until(r"worker 1 \(pid \d+\) openapi\.yaml: \d+ issues? found")
        write_files(tmp_path, "mended again")
        served.log.until(READY)
        assert who(url)["version"] == "mended again"


def test_a_worker_that_does_not_listen_is_killed_after_the_second_signal(tmp_path: Path) -> None:
    block(tmp_path)
    with Served(tmp_path, "--workers", "1", "--port", "0") as served, Client(served.url()) as client:
        assert client.ask(WHO).status == 200
        client.send(SLOW)
        served.signal(signal.SIGTERM)
        served.log.until("SIGTERM: draining")
        served.signal(signal.SIGTERM)
        served.log.until("is killed: did not end in time")
        assert served.wait() == 0


def block(folder: Path) -> None:
    """/slow keeps the whole event loop for an hour."""
    handlers = folder / "the_handlers.py"
    handlers.write_text(handlers.read_text().replace("await asyncio.sleep(0.05)", "__import__('time').sleep(3600)"))


def test_a_worker_that_hangs_is_killed_and_replaced(tmp_path: Path) -> None:
    block(tmp_path)
    environ = {"BRRTR_SERVER__WORKER_TIMEOUT": "0.6"}
    with Served(tmp_path, "--workers", "1", "--port", "0", environ=environ) as served:
        url, pid = served.url(), int(served.log.until(READY)[2])
        with Client(url) as client:
            client.send(SLOW)
            served.log.until(rf"\(pid {pid}\) is killed: no sign of life for 0\.6 s")
            served.log.until(rf"\(pid {pid}\) no sign of life for 0\.6 s; starting another in 0\.1 s")
            served.log.until(READY)
        assert who(url)["pid"] != pid


def test_a_worker_that_is_only_idle_gives_signs_of_life(tmp_path: Path) -> None:
    environ = {"BRRTR_SERVER__WORKER_TIMEOUT": "0.5"}
    with Served(tmp_path, "--workers", "1", "--port", "0", environ=environ) as served:
        url, pid = served.url(), int(served.log.until(READY)[2])
        with pytest.raises(AssertionError, match="no line with"):
            served.log.until("is killed", seconds=1.5)
        assert who(url)["pid"] == pid


def test_a_supervisor_that_was_stopped_itself_does_not_blame_its_workers(tmp_path: Path) -> None:
    environ = {"BRRTR_SERVER__WORKER_TIMEOUT": "0.5"}
    with Served(tmp_path, "--workers", "1", "--port", "0", environ=environ) as served:
        url, pid = served.url(), int(served.log.until(READY)[2])
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for each in (pid, served.process.pid):
                os.kill(each, number)
            with pytest.raises(AssertionError, match="no line with"):
                served.log.until("is killed", seconds=2)
        assert who(url)["pid"] == pid


def test_without_a_limit_a_worker_may_hang(tmp_path: Path) -> None:
    block(tmp_path)
    environ = {"BRRTR_SERVER__WORKER_TIMEOUT": "0"}
    with Served(tmp_path, "--workers", "1", "--port", "0", environ=environ) as served, Client(served.url()) as client:
        pid = int(served.log.until(READY)[2])
        client.send(SLOW)
        with pytest.raises(AssertionError, match="no line with"):
            served.log.until("is killed", seconds=1)
        os.kill(pid, signal.SIGKILL)  # nobody else would
        served.log.until("was ended by SIGKILL")


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    environ = {"BRRTR_SERVER__DRAIN_IDLE": "0.2"}
    with Served(tmp_path, "--workers", "1", "--port", "0", environ=environ) as served, Client(served.url()) as client:
        assert client.ask(WHO).status == 200
        served.process.kill()
        served.log.until("the supervisor is gone: draining")
        while not client.ask(WHO).closes:
            pass
        assert client.at_end()


def test_a_worker_that_somebody_else_ends_drains_and_is_replaced(tmp_path: Path) -> None:
    async def test() -> None:
        with Served(tmp_path, "--workers", "2", "--port", "0") as served:
            url = served.url()
            pid = int(served.log.until(READY)[2])
            served.log.until(READY)
            async with Load(url) as load:
                await load.more(100)
                os.kill(pid, signal.SIGTERM)
                await asyncio.to_thread(served.log.until, rf"\(pid {pid}\) ended with 0; starting another")
                await asyncio.to_thread(served.log.until, READY)
                await load.more(100)
            assert (load.lost, load.torn, load.refused) == (0, 0, 0)

    run(test)


def test_the_log_of_workers_names_them(tmp_path: Path) -> None:
    with Served(tmp_path, "--workers", "3", "--port", "0") as served:
        served.url()
        numbers = {served.log.until(READY)[1] for _ in range(3)}
        assert numbers == {"1", "2", "3"}
        assert re.match(r"\d{4}-", served.log.seen[-1])


# -- readiness


@pytest.mark.parametrize("arguments", [(), ("--workers", "1")], ids=["alone", "workers"])
def test_ready_is_503_while_the_server_drains_and_new_connections_are_still_taken(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    limit = {"BRRTR_SERVER__DRAIN_DELAY": "3600", "BRRTR_LIMITS__DRAIN": "3600"}
    ready = GET.format(path="/ready", fields="").encode()
    with Served(tmp_path, "--port", "0", *arguments, environ=limit) as served:
        url = served.url()
        with Client(url) as client:
            assert client.ask(ready).status == 200
            served.signal(signal.SIGTERM)
            while (answer := client.ask(ready)).status == 200:
                pass
        assert (answer.status, answer.body, answer.closes) == (503, b'{"status":"draining"}', True)
        with Client(url) as late:
            assert late.ask(ready).status == 503
        assert who(url)["version"] == "one"
        served.signal(signal.SIGTERM)
        assert served.wait() == 0


def test_an_app_is_ready_again_when_a_new_server_starts(tmp_path: Path) -> None:
    app = App({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}})
    for _ in range(2):
        with app.start(port=0) as server, Client(server.url) as client:
            assert client.ask(GET.format(path="/ready", fields="").encode()).status == 200
