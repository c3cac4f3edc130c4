"""How files leave the server: by the kernel and through the transport, to slow clients, and when something ends."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wire import GOOD, TIMEOUT, Answer, Client, application, read_answer

from brrtrouter import App, File
from brrtrouter.config import Server as Settings
from brrtrouter.core import transfer
from brrtrouter.core.opening import Descriptor
from brrtrouter.server.handle import Server
from brrtrouter.server.sockets import listen_unix

MIB = 1024 * 1024
SIZE = 20 * MIB + 12345
GOOD_BODY = b'"good"'
ASK = b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n"
Connect = Callable[..., Client]
Serve = Callable[[App], Server]


@pytest.fixture(scope="module")
def content() -> bytes:
    return os.urandom(SIZE)


@pytest.fixture
def path(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "big.bin").write_bytes(content)
    (tmp_path / "small.bin").write_bytes(content[:1000])
    return tmp_path / "big.bin"


def app_of(path: Path, **limits: float) -> App:
    async def many(request: object) -> bytes:
        return bytes(3 * MIB)

    def big(request: object) -> File:
        return File(path)

    def small(request: object) -> File:
        return File(path.with_name("small.bin"))

    return application({"GET /big": big, "GET /small": small, "GET /many": many}, limits=limits)


@pytest.fixture
def app(path: Path) -> App:
    return app_of(path)


class Spy:
    """Counts what the kernel is asked to send; `refuses` makes it say that it cannot, from a call on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent = 0
        self.calls = 0
        self.refuses: int | None = None
        self._real = os.sendfile
        monkeypatch.setattr(transfer, "sendfile", self)

    def __call__(self, out: int, source: int, offset: int, count: int) -> int:
        self.calls += 1
        if self.refuses is not None and self.calls > self.refuses:
            raise OSError(errno.EINVAL, "not this file")
        sent = self._real(out, source, offset, count)
        self.sent += sent
        return sent


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return Spy(monkeypatch)


class Closings:
    """Waits for files to be closed, without looking at them again and again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._closed = threading.Semaphore(0)
        real = Descriptor.close

        def close(descriptor: Descriptor) -> None:
            was_open = descriptor._number >= 0
            real(descriptor)
            if was_open:
                self._closed.release()

        monkeypatch.setattr(Descriptor, "close", close)

    def wait(self, count: int = 1) -> None:
        for _ in range(count):
            assert self._closed.acquire(timeout=TIMEOUT), "a file stays open"


@pytest.fixture
def closings(monkeypatch: pytest.MonkeyPatch) -> Closings:
    return Closings(monkeypatch)


def settle(client: Client) -> None:
    """Let the server count what it has sent: a client may have the last byte before that."""
    assert client.ask(GOOD).body == GOOD_BODY


def test_the_kernel_sends_a_large_file_byte_for_byte(
    serve: Serve, connect: Connect, app: App, content: bytes, spy: Spy
) -> None:
    client = connect(serve(app))
    for _ in range(3):
        answer = client.ask(ASK)
        assert answer.headers["content-length"] == str(SIZE)
        assert answer.body == content
    settle(client)
    assert spy.sent == 3 * SIZE


def test_a_small_file_is_one_write_with_its_head(
    serve: Serve, connect: Connect, app: App, content: bytes, spy: Spy
) -> None:
    client = connect(serve(app))
    assert client.ask(b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n").body == content[:1000]
    assert spy.calls == 0


def test_ranges_of_a_large_file(serve: Serve, connect: Connect, app: App, content: bytes, spy: Spy) -> None:
    client = connect(serve(app))
    spans = [(SIZE - MIB, SIZE), (0, 3 * MIB), (5 * MIB + 1, 7 * MIB), (4 * MIB, 4 * MIB + 1)]
    text = ",".join(f"{start}-{stop - 1}" for start, stop in spans)
    answer = client.ask(f"GET /big HTTP/1.1\r\nHost: a\r\nRange: bytes={text}\r\n\r\n".encode())
    assert answer.status == 206
    edge = answer.headers["content-type"].removeprefix("multipart/byteranges; boundary=").encode()
    rest = answer.body
    for start, stop in spans:
        head, _, rest = rest.partition(b"\r\n\r\n")
        assert head.lstrip() == (
            b"--%b\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes %d-%d/%d"
            % (edge, start, stop - 1, SIZE)
        )
        assert rest[: stop - start] == content[start:stop]
        rest = rest[stop - start :]
    assert rest == b"\r\n--%b--\r\n" % edge
    one = client.ask(b"GET /big HTTP/1.1\r\nHost: a\r\nRange: bytes=-2000000\r\n\r\n")
    assert one.body == content[-2_000_000:]
    settle(client)
    assert spy.sent == sum(stop - start for start, stop in spans) + 2_000_000


def test_head_of_a_large_file_keeps_the_connection(serve: Serve, connect: Connect, app: App, spy: Spy) -> None:
    client = connect(serve(app))
    answer = client.ask(ASK.replace(b"GET", b"HEAD"), "HEAD")
    assert (answer.status, answer.headers["content-length"]) == (200, str(SIZE))
    assert client.ask(GOOD).body == GOOD_BODY
    assert spy.calls == 0


def test_pipelined_requests_around_a_file_keep_their_order(
    serve: Serve, connect: Connect, app: App, content: bytes, spy: Spy
) -> None:
    client = connect(serve(app), receive_buffer=4096)
    small = ASK.replace(b"big", b"small")
    # The answers in front fill every buffer: the file has to wait until the transport has sent them.
    client.send(GOOD + ASK.replace(b"big", b"many") * 2 + ASK + GOOD + small + ASK + GOOD)
    bodies = [client.answer().body for _ in range(8)]
    large = bytes(3 * MIB)
    assert bodies == [GOOD_BODY, large, large, content, GOOD_BODY, content[:1000], content, GOOD_BODY]
    assert spy.sent == 2 * SIZE


@pytest.mark.parametrize("fields", [b"", b"Connection: keep-alive\r\n"])
def test_http_1_0(serve: Serve, connect: Connect, app: App, content: bytes, fields: bytes) -> None:
    client = connect(serve(app))
    answer = client.ask(b"GET /big HTTP/1.0\r\n" + fields + b"\r\n")
    assert answer.body == content
    assert answer.closes is not bool(fields)
    if fields:
        assert client.ask(b"GET /good HTTP/1.0\r\n\r\n").body == GOOD_BODY
    assert client.at_end()


@pytest.mark.parametrize("calls", [0, 1])
def test_a_file_that_the_kernel_does_not_take_goes_through_the_transport(
    serve: Serve, connect: Connect, app: App, content: bytes, spy: Spy, calls: int
) -> None:
    spy.refuses = calls
    client = connect(serve(app))
    assert client.ask(ASK).body == content
    assert client.ask(GOOD).body == GOOD_BODY
    assert spy.sent < SIZE


def test_a_unix_socket(tmp_path: Path, app: App, content: bytes, spy: Spy) -> None:
    name = str(tmp_path / "s")
    server = Server(app, listener=listen_unix(name, 16)).start()
    try:
        server.wait_ready()
        with socket.socket(socket.AF_UNIX) as client, client.makefile("rb") as stream:
            client.settimeout(TIMEOUT)
            client.connect(name)
            client.sendall(ASK)
            answer = read_answer(stream)
            assert answer is not None
            assert answer.body == content
    finally:
        server.stop()
    assert spy.sent == SIZE


@pytest.fixture
def secure(tmp_path: Path, app: App) -> Iterator[Callable[[], socket.socket]]:
    """A server with TLS; gives connections to it."""
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    settings = Settings(tls_certificate=str(tmp_path / "cert.pem"), tls_key=str(tmp_path / "key.pem"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    server = Server(app, port=0, settings=settings).start().wait_ready()

    def open_one() -> socket.socket:
        return context.wrap_socket(
            socket.create_connection(server.address, timeout=TIMEOUT), server_hostname="127.0.0.1"
        )

    yield open_one
    server.stop()


def test_with_tls_a_file_goes_through_the_transport(
    secure: Callable[[], socket.socket], content: bytes, spy: Spy, closings: Closings
) -> None:
    with secure() as client, client.makefile("rb") as stream:
        for part in (b"", b"Range: bytes=100-5000000\r\n"):
            client.sendall(ASK[:-2] + part + b"\r\n" + GOOD)
            answers: list[Answer | None] = [read_answer(stream), read_answer(stream)]
            assert [answer and answer.body for answer in answers] == [
                content[100:5000001] if part else content,
                GOOD_BODY,
            ]
    assert spy.calls == 0
    closings.wait(2)


# -- clients that read slowly, or not at all


@pytest.fixture
def slow(serve: Serve, connect: Connect, app: App) -> tuple[Server, Client]:
    """A server, and a client that has asked for the file and reads nothing of it yet."""
    server = serve(app)
    client = connect(server, receive_buffer=4096)
    client.send(ASK)
    assert client.stream.peek(1)
    return server, client


def test_a_client_that_does_not_read_stops_the_sender_and_nobody_else(
    slow: tuple[Server, Client], connect: Connect, content: bytes, spy: Spy
) -> None:
    server, client = slow
    other = connect(server)
    for _ in range(20):
        assert other.ask(GOOD).body == GOOD_BODY
    assert spy.sent < SIZE
    assert client.answer().body == content
    assert client.ask(GOOD).body == GOOD_BODY


def test_what_is_sent_past_the_transport_is_counted(serve: Serve, connect: Connect, app: App) -> None:
    server = serve(app)
    client = connect(server)
    size = len(client.ask(ASK).raw)
    settle(client)
    assert server._endpoint is not None
    assert [connection.direct_bytes for connection in server._endpoint.connections] == [size]


def received(client: Client) -> bytes:
    """Everything until the server closes or cuts the connection."""
    data = bytearray()
    try:
        while piece := client.stream.read1(65536):
            data += piece
    except ConnectionResetError:
        pass
    return bytes(data)


def test_a_file_that_becomes_shorter_is_cut_and_not_filled_up(
    slow: tuple[Server, Client], path: Path, content: bytes, closings: Closings, caplog: pytest.LogCaptureFixture
) -> None:
    os.truncate(path, 0)  # what the kernel has taken stays whole: nothing of it is overwritten
    head, _, body = received(slow[1]).partition(b"\r\n\r\n")
    closings.wait()
    assert b"Content-Length: %d\r\n" % SIZE in head + b"\r\n"
    assert len(body) < SIZE
    assert body == content[: len(body)]
    assert "became shorter" in caplog.text


def test_with_tls_a_file_that_becomes_shorter_is_cut(
    secure: Callable[[], socket.socket], path: Path, closings: Closings
) -> None:
    with secure() as client:
        client.sendall(ASK)
        size = len(client.recv(1))
        os.truncate(path, 1000)
        try:
            while piece := client.recv(65536):
                size += len(piece)
        except (ConnectionResetError, ssl.SSLError):
            pass
        assert size < SIZE
    closings.wait()


def test_of_a_file_that_grows_the_announced_bytes_are_sent(
    slow: tuple[Server, Client], path: Path, content: bytes
) -> None:
    with path.open("ab") as file:
        file.write(b"more")
    assert slow[1].answer().body == content
    assert slow[1].ask(GOOD).body == GOOD_BODY


def test_a_file_that_is_replaced_is_sent_as_it_was(slow: tuple[Server, Client], path: Path, content: bytes) -> None:
    path.with_name("new").write_bytes(bytes(SIZE))
    os.replace(path.with_name("new"), path)
    assert slow[1].answer().body == content


@pytest.mark.parametrize("ahead", [0, 40])
def test_the_file_is_closed_when_the_client_goes(slow: tuple[Server, Client], closings: Closings, ahead: int) -> None:
    client = slow[1]
    client.send(GOOD * ahead)  # so many wait that nothing is read from the connection any more
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    closings.wait()


def test_the_file_is_closed_when_a_client_with_tls_goes(
    secure: Callable[[], socket.socket], closings: Closings
) -> None:
    client = secure()
    client.sendall(ASK)
    assert client.recv(1)
    client.close()
    closings.wait()


def test_a_server_that_stops_sends_the_file_to_its_end(slow: tuple[Server, Client], content: bytes) -> None:
    server, client = slow
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    answer = client.answer()
    assert answer.body == content
    assert client.at_end()
    stopping.join(TIMEOUT)


def test_a_server_that_does_not_wait_cuts_and_closes_the_file(
    slow: tuple[Server, Client], content: bytes, closings: Closings
) -> None:
    server, client = slow
    server.stop(timeout=0)
    closings.wait()
    assert len(received(client)) < SIZE


def test_a_client_that_takes_nothing_for_too_long_is_cut_and_the_file_closed(
    serve: Serve, connect: Connect, path: Path, closings: Closings
) -> None:
    client = connect(serve(app_of(path, write_wait=0.5)), receive_buffer=4096)
    client.send(ASK)
    closings.wait()
    assert len(received(client)) < SIZE


# -- what it costs


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc here")
def test_descriptors_are_given_back(app: App, content: bytes, closings: Closings) -> None:
    server = app.start(port=0).wait_ready()
    with Client(server.url) as client:
        client.ask(GOOD)
        before = descriptors()
        for ask in (ASK, ASK.replace(b"big", b"small"), ASK[:-2] + b"If-None-Match: *\r\n\r\n"):
            client.ask(ask)
        client.ask(ASK.replace(b"GET", b"HEAD"), "HEAD")
        closings.wait(4)
        client.ask(GOOD)
        assert descriptors() == before
        for _ in range(10):
            with Client(server.url, receive_buffer=4096) as leaving:
                leaving.send(ASK)
                assert leaving.stream.peek(1)
        closings.wait(10)
        server.stop(timeout=5)
    assert descriptors() < before


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc here")
@pytest.mark.parametrize("by_kernel", [True, False])
def test_memory_does_not_grow_with_the_file(
    serve: Serve, connect: Connect, path: Path, spy: Spy, by_kernel: bool
) -> None:
    size = 256 * MIB
    os.truncate(path, size)
    client = connect(serve(application({"GET /big": lambda request: File(path)})))
    spy.refuses = None if by_kernel else 0
    client.send(ASK)
    while client.stream.readline() != b"\r\n":
        pass
    space = memoryview(bytearray(MIB))
    start = most = resident()
    left = size
    while left:
        left -= client.stream.readinto(space[: min(left, MIB)])
        most = max(most, resident())
    assert most - start < 32 * MIB
    settle(client)
    assert spy.sent == (size if by_kernel else 0)
