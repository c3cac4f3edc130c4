"""Where a server listens: unix sockets, IPv6, sockets of others and of systemd; and what systemd is told."""

from __future__ import annotations

import asyncio
import os
import resource
import select
import signal
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import GET, Load, Served, write_files
from wire import TIMEOUT, Client, read_answer

from brrtrouter import App
from brrtrouter.cli import main
from brrtrouter.config import Server as Settings
from brrtrouter.server.handle import Server
from brrtrouter.server.sockets import Listener, ServerError, adopt, connections_allowed, listen, listen_unix
from brrtrouter.server.systemd import Notifier, take_descriptor

CLIENT = GET.format(path="/client", fields="").encode()
HEALTH = GET.format(path="/health", fields="").encode()
LIMIT = {"connections": 3}
WORKERS = pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["alone", "workers"])


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)  # names of unix sockets are short


def ask_unix(path: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect(path)
        sock.sendall(CLIENT)
        with sock.makefile("rb") as stream:
            answer = read_answer(stream)
            assert answer is not None
            return answer.body


# -- unix sockets


@WORKERS
def test_a_unix_socket_has_its_mode_and_is_removed_at_the_end(tmp_path: Path, workers: tuple[str, ...]) -> None:
    with Served(tmp_path, "--uds", "a.sock", "--uds-mode", "600", *workers) as served:
        assert served.url() == "unix:a.sock"
        assert stat.S_IMODE(os.stat("a.sock").st_mode) == 0o600
        assert ask_unix("a.sock") == b'{"client":null,"base_url":"http://a","names":null,"scheme":"http"}'
        assert [name for name in os.listdir() if "sock" in name] == ["a.sock"]
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
    assert not os.path.exists("a.sock")


@WORKERS
def test_a_unix_socket_loses_no_request_on_sigterm(tmp_path: Path, workers: tuple[str, ...]) -> None:
    async def test() -> None:
        with Served(tmp_path, "--uds", "a.sock", *workers) as served:
            served.url()
            async with Load("unix:a.sock") as load:
                await load.more(200)
                served.signal(signal.SIGTERM)
                await load.gone()
            assert served.wait() == 0
        assert (load.lost, load.torn, load.refused) == (0, 0, load.clients)

    asyncio.run(test())


def test_a_socket_that_nobody_listens_on_is_taken_over(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind("a.sock")
    listener = listen_unix("a.sock", 1)
    assert stat.S_IMODE(os.stat("a.sock").st_mode) == 0o660
    listener.remove()
    listener.close()
    assert os.listdir() == [name for name in os.listdir() if "sock" not in name]


def test_a_path_that_is_taken_is_left_alone() -> None:
    Path("a.txt").write_text("mine")
    with pytest.raises(ServerError, match=r"cannot listen on unix:a\.txt: there is a file that is no socket"):
        listen_unix("a.txt", 1)
    assert Path("a.txt").read_text() == "mine"
    first = listen_unix("a.sock", 1)
    with pytest.raises(ServerError, match=r"cannot listen on unix:a\.sock: another process listens there"):
        listen_unix("a.sock", 1)
    first.remove()
    first.close()


@pytest.mark.parametrize("path", ["no/where/a.sock", "a" * 200, "a\0b"])
def test_a_path_that_cannot_be_is_refused_with_its_name(path: str) -> None:
    with pytest.raises(ServerError, match="cannot listen on unix:"):
        listen_unix(path, 1)


def test_a_path_that_somebody_else_has_made_since_is_not_removed() -> None:
    first = listen_unix("a.sock", 1)
    first.fence()
    second = listen_unix("a.sock", 1)
    first.remove()
    assert os.path.exists("a.sock")
    for each in (first, second):
        each.remove()
        each.close()


@pytest.mark.parametrize(
    "arguments",
    ["--uds a.sock --port 80", "--uds a.sock --fd 3", "--uds-mode 1000", "--uds-mode 68", "--fd x", "--workers -1"],
)
def test_arguments_that_make_no_sense_are_refused(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["serve", "openapi.yaml", *arguments.split()])
    assert end.value.code == 2
    assert "error: argument --" in capsys.readouterr().err


def test_a_start_that_fails_leaves_no_socket_behind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "openapi.yaml", "--uds", "a.sock", "--tls-cert", "none.pem"]) == 2
    assert capsys.readouterr().err == "brrtrouter: server.tls_certificate: none.pem cannot be read\n"
    assert not os.path.exists("a.sock")


# -- the fence


def select_readable(clients: list[Client], seconds: float) -> bool:
    """Whether one of them gets something within a time."""
    poll = select.poll()
    for client in clients:
        poll.register(client.socket, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def connects(listener: Listener) -> bool:
    """Whether the system completes a connection at once, as it does on one machine."""
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.connect_ex(listener.address)
        poll = select.poll()  # select() has no place for high numbers
        poll.register(sock, select.POLLOUT)
        return bool(poll.poll(50))


@pytest.mark.skipif(sys.platform != "linux", reason="socket filters are of Linux")
@pytest.mark.parametrize("owned", [True, False])
def test_behind_the_fence_nobody_connects_and_who_is_in_the_queue_is_still_taken(owned: bool) -> None:
    listener = Listener(listen("127.0.0.1", 0, 10), owned=owned)
    try:
        assert connects(listener)
        with socket.create_connection(listener.address, TIMEOUT) as queued:
            listener.fence()
            assert connects(listener) is not owned, "a socket of others is left as it is"
            listener.sock.setblocking(True)
            listener.sock.settimeout(TIMEOUT)
            peers = []
            while queued.getsockname() not in peers:
                accepted, peer = listener.sock.accept()
                accepted.close()
                peers.append(peer)
    finally:
        listener.close()


# -- sockets of others


@WORKERS
def test_an_open_socket_is_listened_with_by_its_descriptor(tmp_path: Path, workers: tuple[str, ...]) -> None:
    with listen("127.0.0.1", 0, 10) as sock:
        number, port = sock.fileno(), sock.getsockname()[1]
        with Served(tmp_path, "--fd", str(number), *workers, pass_fds=(number,)) as served:
            assert served.url() == f"http://127.0.0.1:{port}"
            with Client(f"http://127.0.0.1:{port}") as client:
                assert client.ask(CLIENT).status == 200
            served.signal(signal.SIGTERM)
            assert served.wait() == 0
        # It is not ours to close to the world: who has opened it still listens.
        with socket.create_connection(("127.0.0.1", port), TIMEOUT):
            pass


def test_a_descriptor_that_is_no_listening_socket_is_refused() -> None:
    with pytest.raises(ServerError, match=r"cannot listen on descriptor 4711: Bad file descriptor"):
        adopt(4711, 1)
    with open(os.devnull) as file, pytest.raises(ServerError, match=r"not a socket|non-socket"):
        adopt(file.fileno(), 1)
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(ServerError, match="it is no stream socket"):
        adopt(sock.fileno(), 1)


def test_a_bound_socket_is_made_to_listen() -> None:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    listener = adopt(sock.detach(), 1)
    with socket.create_connection(listener.address, TIMEOUT):
        pass
    listener.close()


def test_ipv6_is_served_by_workers(tmp_path: Path) -> None:
    try:
        listen("::1", 0, 1).close()
    except ServerError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with Served(tmp_path, "--host", "::1", "--port", "0", "--workers", "1") as served:
        url = served.url()
        assert url.startswith("http://[::1]:")
        with Client(url) as client:
            assert b'"client":["::1",' in client.ask(CLIENT).body
        served.signal(signal.SIGTERM)
        assert served.wait() == 0


# -- a system that is out of descriptors


def test_a_server_without_descriptors_waits_and_serves_again(caplog: pytest.LogCaptureFixture) -> None:
    app = App({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}})
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Server(app, port=0).start() as server, socket.socket() as waiting, Client(server.url) as first:
        assert first.ask(HEALTH).status == 200
        waiting.settimeout(TIMEOUT)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            waiting.connect(server.address)
            waiting.sendall(HEALTH)
            for _ in range(100):
                assert first.ask(HEALTH).status == 200, "those who are connected are served"
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        with waiting.makefile("rb") as stream:
            answer = read_answer(stream)
            assert answer is not None
            assert answer.status == 200
    assert caplog.text.count("no connection can be taken: Too many open files") == 1


OUT_OF_DESCRIPTORS = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
sys.argv[1:] = "serve openapi.yaml --handlers the_handlers.py --port 0".split()
import runpy
runpy.run_module("brrtrouter", run_name="__main__")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the time of a process is read from /proc")
def test_a_process_out_of_descriptors_rests_and_serves_again(tmp_path: Path) -> None:
    environ = {"BRRTR_LIMITS__CONNECTIONS": "1000"}
    with Served(tmp_path, program=OUT_OF_DESCRIPTORS, environ=environ) as served:
        url = served.url()
        host, _, port = url.removeprefix("http://").rpartition(":")
        many = [socket.create_connection((host, int(port)), TIMEOUT) for _ in range(100)]
        served.log.until("no connection can be taken: Too many open files; trying again")
        before = cpu_seconds(served.process.pid)
        with many[-1].makefile("rb") as stream:
            many[-1].sendall(CLIENT)
            many[-1].settimeout(0.5)
            with pytest.raises(TimeoutError):
                stream.read(1)
        assert cpu_seconds(served.process.pid) - before < 0.2, "it does not spin"
        for sock in many[:-1]:
            sock.close()
        many[-1].settimeout(TIMEOUT)
        with many[-1], many[-1].makefile("rb") as stream:
            answer = read_answer(stream)
            assert answer is not None
            assert answer.status == 200
        with Client(url) as client:
            assert client.ask(CLIENT).status == 200


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# -- more connections than there may be


def test_over_the_limit_connections_wait_until_one_ends(caplog: pytest.LogCaptureFixture) -> None:
    app = App({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}}, config={"limits": LIMIT})
    with Server(app, port=0).start() as server:
        open_ones = [Client(server.url) for _ in range(3)]
        for client in open_ones:
            assert client.ask(HEALTH).status == 200
        waiting = [Client(server.url) for _ in range(4)]
        for client in waiting:
            client.send(HEALTH)
        for _ in range(50):
            assert open_ones[0].ask(HEALTH).status == 200, "those who are connected are served"
        assert not select_readable(waiting, 0.1)
        for client in open_ones:
            client.close()
        for client in waiting:  # each one's end makes room for the next
            assert client.answer().status == 200
            client.close()
    assert caplog.text.count("as many connections as limits.connections allows") == 1


def test_handshakes_that_never_end_count_and_their_ends_make_room(tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    pem = tmp_path / "all.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(pem))
    app = App({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}}, config={"limits": LIMIT})
    settings = Settings(tls_certificate=str(pem), tls_handshake=0.3)
    with Server(app, port=0, settings=settings).start() as server:
        silent = [socket.create_connection(server.address, TIMEOUT) for _ in range(7)]
        for sock in silent:
            assert sock.recv(1) == b""
            sock.close()


def test_a_server_that_is_full_still_stops_without_a_loss() -> None:
    app = App({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}}, config={"limits": LIMIT})
    with Server(app, port=0).start() as server:
        open_ones = [Client(server.url) for _ in range(3)]
        for client in open_ones:
            assert client.ask(HEALTH).status == 200
        with Client(server.url) as waiting:
            waiting.send(HEALTH)
            server.stop()
        for client in open_ones:
            assert client.at_end()
            client.close()


@pytest.mark.parametrize(
    ("soft", "allowed"), [(20_000, 10_000), (1024, 960), (100, 36), (64, 16), (2, 1), (-1, 10_000)]
)
def test_the_limit_follows_the_one_of_the_system(soft: int, allowed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, soft))
    assert connections_allowed(0) == allowed
    assert connections_allowed(7) == 7


# -- systemd


class Systemd:
    """The end of systemd that sd_notify writes to."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(TIMEOUT)
        self.socket.bind("notify.sock")
        self.path = os.path.abspath("notify.sock")

    def next(self, but: str = "") -> str:
        while (text := self.socket.recv(4096).decode()) == but:
            pass
        return text


@pytest.fixture
def systemd() -> Iterator[Systemd]:
    systemd = Systemd()
    yield systemd
    systemd.socket.close()


@WORKERS
def test_systemd_is_told_when_the_server_is_ready_and_when_it_stops(
    tmp_path: Path, systemd: Systemd, workers: tuple[str, ...]
) -> None:
    environ = {"NOTIFY_SOCKET": systemd.path}
    with Served(tmp_path, "--port", "0", *workers, environ=environ) as served:
        assert systemd.next() == "READY=1"
        if workers:
            served.signal(signal.SIGHUP)
            assert systemd.next().startswith("RELOADING=1\nMONOTONIC_USEC=")
            assert systemd.next() == "READY=1"
        served.signal(signal.SIGTERM)
        assert systemd.next() == "STOPPING=1"
        assert served.wait() == 0


@WORKERS
def test_the_watchdog_hears_from_us(tmp_path: Path, systemd: Systemd, workers: tuple[str, ...]) -> None:
    environ = {"NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "20000"}
    with Served(tmp_path, "--port", "0", *workers, environ=environ):
        assert systemd.next(but="WATCHDOG=1") == "READY=1"
        assert [systemd.next() for _ in range(3)] == ["WATCHDOG=1"] * 3


def test_the_watchdog_of_another_process_hears_nothing(systemd: Systemd) -> None:
    environ = {"NOTIFY_SOCKET": systemd.path, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}
    assert Notifier(environ).interval is None
    assert Notifier({"WATCHDOG_USEC": "20000"}).interval is None
    assert Notifier({**environ, "WATCHDOG_PID": str(os.getpid())}).interval == 0.01


def test_nobody_to_tell_is_no_failure() -> None:
    Notifier({}).ready()
    Notifier({"NOTIFY_SOCKET": "nowhere.sock"}).ready()


def test_a_name_without_a_file_is_told_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        name = f"brrtrouter-test-{os.getpid()}"
        sock.bind("\0" + name)
        sock.settimeout(TIMEOUT)
        Notifier({"NOTIFY_SOCKET": "@" + name}).stopping()
        assert sock.recv(100) == b"STOPPING=1"


def test_the_socket_that_systemd_has_opened_is_taken_once() -> None:
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}
    assert take_descriptor(environ) == 3
    assert environ == {}
    assert take_descriptor(environ) is None


@pytest.mark.parametrize("environ", [{}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": "", "LISTEN_FDS": ""}])
def test_a_socket_for_another_process_is_not_taken(environ: dict[str, str]) -> None:
    assert take_descriptor(dict(environ)) is None
    assert take_descriptor({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"}) is None


def test_more_sockets_than_one_are_refused() -> None:
    with pytest.raises(ServerError, match="2 sockets are handed over by LISTEN_FDS"):
        take_descriptor({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2"})


ACTIVATE = """
import os, socket, sys
sock = socket.create_server(("127.0.0.1", 0))
if sock.fileno() != 3:
    os.dup2(sock.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-m", "brrtrouter", "serve", "openapi.yaml", "--workers", "1"])
"""


def test_a_server_that_is_activated_by_a_socket_serves_it(tmp_path: Path) -> None:
    with Served(tmp_path, program=ACTIVATE) as served, Client(served.url()) as client:
        assert client.ask(CLIENT).status == 200
