"""Servers of others as processes, and clients that send a request to the letter in HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

TESTS = Path(__file__).resolve().parent
TIMEOUT = 20.0
REQUEST_ID = "compared"
# What belongs to a server or to a connection and not to the answer.
NOT_COMPARED = {"date", "server", "connection", "keep-alive", "transfer-encoding", "alt-svc"}


@dataclass(frozen=True)
class Sent:
    """One request of tests/requests/asgi.yaml."""

    name: str
    method: str
    target: str
    fields: tuple[tuple[str, str], ...]
    pieces: tuple[bytes, ...] | None  # None: no body
    chunked: bool


@dataclass(frozen=True)
class Got:
    """What is compared of an answer."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes


def requests(application: str) -> dict[str, Sent]:
    written = yaml.safe_load((TESTS / "requests" / "asgi.yaml").read_text("utf-8"))[application]
    return {name: _request(name, *entry) for name, entry in written.items()}


def _request(name: str, method: str, target: str, fields: Any = (), body: Any = None) -> Sent:
    if isinstance(fields, dict):
        fields = [f"X-Field-{number}: {number}" for number in range(fields["count"])]
    pairs = [("X-Request-ID", REQUEST_ID)]
    for field in fields:
        key, _, value = _repeated(field).partition(": ")
        pairs.append((key, value))
    chunked = isinstance(body, dict) and "chunks" in body
    pieces = None if body is None else tuple(map(_octets, body["chunks"] if chunked else [body]))
    return Sent(name, method, _repeated(target), tuple(pairs), pieces, chunked)


def _repeated(text: str) -> str:
    return re.sub(r"\{(.)\*(\d+)\}", lambda match: match[1] * int(match[2]), text)


def _octets(body: Any) -> bytes:
    return bytes(body["size"]) if isinstance(body, dict) else str(body).encode()


def compared(status: int, fields: list[tuple[str, str]], body: bytes) -> Got:
    kept = [(name.lower(), value) for name, value in fields]
    # Where a head cannot be read, the id in it cannot either, and a new one is made.
    kept = [(name, "new" if name == "x-request-id" and value != REQUEST_ID else value) for name, value in kept]
    return Got(status, tuple(sorted(pair for pair in kept if pair[0] not in NOT_COMPARED)), body)


def ask_http1(address: tuple[str, int], sent: Sent) -> Got:
    """Send a request on a connection of its own and read the answer; status 0 when there is none."""
    head = [f"{sent.method} {sent.target} HTTP/1.1", "Host: compared"]
    head += [f"{name}: {value}" for name, value in sent.fields]
    body = b"".join(sent.pieces or ())
    if sent.chunked:
        head.append("Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in sent.pieces or ()) + b"0\r\n\r\n"
    elif sent.pieces is not None:
        head.append(f"Content-Length: {len(body)}")
    with socket.create_connection(address, TIMEOUT) as connection:
        with contextlib.suppress(ConnectionError):  # an answer may be there all the same
            connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        answer = http.client.HTTPResponse(connection, method=sent.method)
        try:
            answer.begin()
            return compared(answer.status, answer.getheaders(), answer.read())
        except (http.client.HTTPException, ConnectionError):
            return Got(0, (), b"")
        finally:
            answer.close()


class Http2:
    """One HTTP/2 connection in clear, with prior knowledge (RFC 9113 3.3)."""

    def __init__(self, address: tuple[str, int]) -> None:
        import httpcore

        self._core = httpcore
        self._address = address
        self._pool = httpcore.ConnectionPool(http1=False, http2=True)

    def ask(self, sent: Sent) -> Got:
        core = self._core
        host, port = self._address
        url = core.URL(scheme=b"http", host=host.encode(), port=port, target=sent.target.encode())
        fields = [(b"host", b"compared")]
        fields += [(name.lower().encode(), value.encode()) for name, value in sent.fields]
        if sent.pieces is not None and not sent.chunked:
            fields.append((b"content-length", str(sum(map(len, sent.pieces))).encode()))
        elif sent.chunked:
            fields.append((b"transfer-encoding", b"chunked"))  # by which the client knows that a body follows
        content = iter(sent.pieces) if sent.pieces is not None else None
        try:
            answer = self._pool.request(sent.method, url, headers=fields, content=content)
        except (core.RemoteProtocolError, core.NetworkError):
            return Got(0, (), b"")
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers]
        return compared(answer.status, pairs, answer.content)

    def close(self) -> None:
        self._pool.close()


COMMANDS = {
    "uvicorn": ["uvicorn", "{app}", "--port", "{port}", "--log-level", "warning"],
    "hypercorn": ["hypercorn", "{app}", "--bind", "127.0.0.1:{port}"],
    "granian": ["granian", "--interface", "asgi", "{app}", "--port", "{port}", "--log-level", "warning"],
}


def installed(server: str) -> bool:
    return find_spec(server) is not None


@contextlib.contextmanager
def served(server: str, application: str, *options: str) -> Iterator[tuple[str, int]]:
    """`asgi_application:<application>` under another server; its address once it takes connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address: tuple[str, int] = probe.getsockname()
    words = {"app": f"asgi_application:{application}", "port": str(address[1])}
    command = [sys.executable, "-m", *(word.format(**words) for word in COMMANDS[server]), *options]
    path = os.pathsep.join(filter(None, (str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        _until_open(process, address)
        yield address
    finally:
        process.terminate()
        try:
            process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _until_open(process: subprocess.Popen[bytes], address: tuple[str, int]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not _is_open(address):
        assert time.monotonic() < deadline, "the server takes no connections"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            raise AssertionError(process.communicate()[0].decode())


def _is_open(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, 1).close()
    except OSError:
        return False
    return True
