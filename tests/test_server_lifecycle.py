"""The life of a server: start, ready, drain, stop, signals.  Nothing here waits for time to pass."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wire import GOOD, TIMEOUT, Answer, Client, Gate, application

from brrtrouter import App, Request
from brrtrouter.server import handle
from brrtrouter.server.handle import Server, ServerError

Serve = Callable[[App], Server]
Connect = Callable[..., Client]
GATE = b"GET /gate HTTP/1.1\r\nHost: a\r\n\r\n"


def refuses(server: Server) -> bool:
    """Whether nobody listens at the address of a server."""
    with socket.socket() as probe:
        return probe.connect_ex(server.address) != 0


def wait_until_refused(server: Server) -> None:
    """A server that was asked to stop closes its socket in its own thread."""
    while not refuses(server):
        pass


class Stopping:
    """Stops a server in another thread, because stop waits for the end."""

    def __init__(self, server: Server, timeout: float | None = None) -> None:
        self.thread = threading.Thread(target=server.stop, args=(timeout,))
        self.thread.start()

    def join(self) -> None:
        self.thread.join(TIMEOUT)
        assert not self.thread.is_alive(), "stop does not come to an end"


# -- start and stop


def test_start_returns_a_server_with_an_address_that_gets_ready() -> None:
    server = application({}).start(port=0)
    try:
        assert server.wait_ready() is server
        host, port = server.address
        assert server.url == f"http://{host}:{port}"
        assert host == "127.0.0.1"
        assert port != 0
        with Client(server.url) as client:
            assert client.ask(GOOD).status == 200
    finally:
        server.stop()
    assert refuses(server)


def test_a_server_knows_its_address_before_it_starts() -> None:
    server = Server(application({}), port=0)
    assert server.url.startswith("http://127.0.0.1:")
    with server.start():
        assert not refuses(server)


def test_stop_at_once_after_start_comes_to_an_end() -> None:
    for _ in range(20):
        server = application({}).start(port=0)
        Stopping(server).join()
        assert refuses(server)


def test_stop_may_be_called_again_and_by_several_threads() -> None:
    server = application({}).start(port=0).wait_ready()
    for stopping in [Stopping(server) for _ in range(4)]:
        stopping.join()
    server.stop()
    assert server.wait_ready() is server


def test_an_application_can_be_served_again_and_twice_at_once(serve: Serve, connect: Connect) -> None:
    app = application({"GET /gate": lambda request: "thread"})
    with app.start(port=0) as first:
        assert connect(first).ask(GATE).body == b'"thread"'
    with app.start(port=0) as second, app.start(port=0) as third:
        assert connect(second).ask(GATE).body == b'"thread"'
        assert connect(third).ask(GATE).body == b'"thread"'


def test_a_port_in_use_is_reported_by_host_and_port(serve: Serve) -> None:
    server = serve(application({}))
    host, port = server.address
    with pytest.raises(ServerError, match=rf"cannot listen on {host}:{port}: the port is in use"):
        application({}).start(host, port)


@pytest.mark.parametrize("host", ["not an address", "192.0.2.1", "a" * 100])
def test_an_address_that_is_not_of_this_machine_is_reported(host: str) -> None:
    with pytest.raises(ServerError, match=rf"cannot listen on {host}:1234: \w"):
        application({}).start(host, 1234)


@pytest.mark.parametrize("port", [65536, 99999, -1])
def test_a_port_that_does_not_exist_is_reported(port: int) -> None:
    with pytest.raises(ServerError, match=rf"cannot listen on 127\.0\.0\.1:{port}: ports are 0 to 65535"):
        application({}).start("127.0.0.1", port)


def test_url_of_ipv6_has_brackets() -> None:
    try:
        server = application({}).start("::1", 0)
    except ServerError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with server, Client(server.url) as client:
        assert server.url == f"http://[::1]:{server.address[1]}"
        assert client.ask(GOOD).status == 200


def test_wait_ready_gives_up_after_its_timeout() -> None:
    server = Server(application({}), port=0)
    with pytest.raises(ServerError, match=r"was not ready after 0 s"):
        server.wait_ready(0)
    server.start().stop()


def test_a_loop_that_fails_is_reported_to_who_waits(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(handle, "WatchedEndpoint", fail)
    server = application({}).start(port=0)
    with pytest.raises(RuntimeError, match="on purpose"):
        server.wait_ready()
    server.stop()
    assert refuses(server)
    assert "failed" in caplog.text


def test_the_loop_of_old_pythons_ends_its_tasks() -> None:
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0)
            ended.append("task")

    async def main() -> None:
        ended.append("main")
        tasks.append(asyncio.create_task(forever()))
        await asyncio.sleep(0)

    tasks: list[Any] = []
    with handle._Runner() as runner:
        runner.run(main())
    assert ended == ["main", "task"]


LARGE = ("ctypes", "encodings.idna", "html", "shutil", "zipfile", "tempfile", "httpcore")
LOADED = """
import sys
from brrtrouter import App
from brrtrouter.cli import main
try:
    main(["serve", "--help"])
except SystemExit:
    pass
app = App({{"openapi": "3.1.0", "info": {{"title": "t", "version": "1"}}, "paths": {{}}}})
with app.start(port=0):
    print("loaded:", [name for name in {large!r} if name in sys.modules])
"""


def test_what_is_large_and_seldom_needed_is_not_in_memory() -> None:
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(large=LARGE)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        timeout=TIMEOUT,
    )
    assert done.stdout.endswith("loaded: []\n"), done.stdout[-200:] + done.stderr


# -- drain


def test_stop_finishes_what_runs_and_refuses_what_is_new(connect: Connect) -> None:
    gate = Gate()
    server = application({"GET /gate": gate}).start(port=0).wait_ready()
    busy, idle = connect(server), connect(server)
    assert idle.ask(GOOD).status == 200
    busy.send(GATE)
    gate.wait()
    stopping = Stopping(server)
    assert idle.at_end(), "an idle connection ends with the drain"
    wait_until_refused(server)
    gate.release("late")
    answer = busy.answer()
    assert answer.body == b'"late"'
    assert answer.closes
    assert busy.at_end()
    busy.close()
    stopping.join()


def test_stop_finishes_a_stream_that_runs(connect: Connect) -> None:
    gate = Gate()

    async def items() -> AsyncIterator[Any]:
        yield "one"
        yield await gate(None)

    async def stream(request: Request) -> Any:
        return items()

    server = application({"GET /gate": stream}).start(port=0).wait_ready()
    busy, idle = connect(server), connect(server)
    assert idle.ask(GOOD).status == 200
    busy.send(GATE)
    gate.wait()
    stopping = Stopping(server)
    assert idle.at_end()
    gate.release("two")
    assert busy.answer().body == b"onetwo"
    assert busy.at_end()
    busy.close()
    stopping.join()


def test_stop_finishes_a_request_whose_body_is_on_its_way(connect: Connect) -> None:
    async def echo(request: Request) -> bytes:
        return request.raw_body or b""

    server = application({"POST /echo": echo}).start(port=0).wait_ready()
    busy, idle = connect(server), connect(server)
    assert (
        busy.ask(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").status == 100
    )
    assert idle.ask(GOOD).status == 200
    stopping = Stopping(server)
    assert idle.at_end()
    answer = busy.ask(b"hello")
    assert answer.body == b"hello"
    assert answer.closes
    assert busy.at_end()
    busy.close()
    stopping.join()


def test_stop_with_a_timeout_cuts_what_is_not_done(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    server = application({"GET /gate": gate}).start(port=0).wait_ready()
    client = connect(server)
    client.send(GATE)
    gate.wait()
    Stopping(server, 0.01).join()
    assert not read_or_reset(client)
    assert "not done after 0.01 s" in caplog.text


def test_the_limit_of_the_drain_is_configured(connect: Connect) -> None:
    gate = Gate()
    server = application({"GET /gate": gate}, limits={"drain": 0.01}).start(port=0).wait_ready()
    client = connect(server)
    client.send(GATE)
    gate.wait()
    Stopping(server).join()
    assert not read_or_reset(client)


def read_or_reset(client: Client) -> bytes:
    try:
        return client.stream.read(1)
    except ConnectionResetError:
        return b""


def test_a_handler_may_stop_its_own_server(connect: Connect) -> None:
    servers: list[Server] = []

    async def stop(request: Request) -> str:
        servers[0].stop()
        return "bye"

    server = application({"GET /gate": stop}).start(port=0).wait_ready()
    servers.append(server)
    client = connect(server)
    assert client.ask(GATE).body == b'"bye"'
    assert client.at_end()
    client.close()
    Stopping(server).join()


# -- signals

PROGRAM = """
import asyncio, sys
sys.path.insert(0, {tests!r})
from wire import application
from brrtrouter.server.handle import Server

async def slow(request):
    print("entered", flush=True)
    future = asyncio.get_running_loop().create_future()
    return await future if request.raw_query == "forever" else await asyncio.to_thread(sys.stdin.readline)

app = application({{"GET /gate": slow}})
{run}
"""
# App.run tells nobody when it is ready, but from the moment it listens connections are kept for it.
RUN_SERVER = "Server(app, port=0).run(lambda server: print(server.url, flush=True))"
RUN_APP = """
import brrtrouter.server.handle as handle
listen = handle.listen
def announce(*args):
    sock = listen(*args)
    print("http://127.0.0.1:%d" % sock.getsockname()[1], flush=True)
    return sock
handle.listen = announce
app.run(port=0)
"""


class Process:
    """A server in a process of its own."""

    def __init__(self, run: str) -> None:
        here = Path(__file__).resolve()
        path = os.pathsep.join([str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(tests=str(here.parent), run=run)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def entered(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "entered\n"

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("released\n")
        self.process.stdin.flush()

    def end(self) -> int:
        return self.process.wait(TIMEOUT)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(params=[RUN_SERVER, RUN_APP], ids=["Server.run", "App.run"])
def process(request: pytest.FixtureRequest) -> Iterator[Process]:
    process = Process(request.param)
    yield process
    process.close()


def ask_until_last(client: Client) -> Answer:
    """Ask until the server has seen the signal; every request is answered."""
    while not (answer := client.ask(GOOD)).closes:
        assert answer.status == 200
    return answer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_the_process_ends_with_0(process: Process, number: signal.Signals) -> None:
    with Client(process.url) as busy, Client(process.url) as idle:
        assert idle.ask(GOOD).status == 200
        busy.send(GATE)
        process.entered()
        process.process.send_signal(number)
        if number == signal.SIGTERM:  # whoever is connected may bring one more request
            assert ask_until_last(idle).closes
        assert idle.at_end()
        process.go_on()
        assert busy.answer().body == b'"released\\n"'
        assert busy.at_end()
    assert process.end() == 0


def test_a_second_signal_ends_at_once(process: Process) -> None:
    with Client(process.url) as busy, Client(process.url) as idle:
        assert idle.ask(GOOD).status == 200
        busy.send(GATE.replace(b"/gate", b"/gate?forever"))
        process.entered()
        process.process.send_signal(signal.SIGTERM)
        assert ask_until_last(idle).closes
        process.process.send_signal(signal.SIGTERM)
        assert not read_or_reset(busy)
    assert process.end() == 0
