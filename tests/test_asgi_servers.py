"""The application under uvicorn, hypercorn (HTTP/1.1 and HTTP/2) and granian answers as under our own server.

The requests are those of tests/requests/asgi.yaml; the answers of our own server are the expected ones.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from functools import lru_cache, partial

import pytest
from asgi_application import app, store
from asgi_support import TIMEOUT, Got, Http2, Sent, ask_http1, installed, requests, served

from brrtrouter.testing import running

SERVERS = ("uvicorn", "hypercorn", "hypercorn-h2", "granian")
REQUESTS = {name: requests(name) for name in ("app", "store")}
CASES = [(application, name) for application, sent in REQUESTS.items() for name in sent]

# What the other servers do themselves, before or after us; docs/guide/asgi.md lists it too.
# hypercorn takes what a client still sends after a whole HTTP/2 answer for an error of the connection, so that the
# answer may be lost on the way.
MAY_BE_CUT = {
    ("hypercorn-h2", "too many octets"),
    ("hypercorn-h2", "too many octets in chunks"),
    ("hypercorn-h2", "upload of another type"),
    ("hypercorn-h2", "upload that is too large"),
    ("hypercorn-h2", "mounted, body that is too large in chunks"),
}
CUT = Got(0, (), b"")


@lru_cache
def ours(application: str) -> dict[str, Got]:
    """The answers of our own server, which are the expected ones."""
    with running({"app": app, "store": store}[application]) as server:
        return {name: ask_http1(server.address, sent) for name, sent in REQUESTS[application].items()}


class Others:
    """The other servers, each started when it is first needed."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._addresses: dict[tuple[str, str], tuple[str, int]] = {}
        self._answers: dict[tuple[str, str], dict[str, Got]] = {}

    def address(self, server: str, application: str) -> tuple[str, int]:
        if not installed(server):
            pytest.skip(f"{server} is not installed")
        key = server, application
        if key not in self._addresses:
            self._addresses[key] = self._stack.enter_context(served(*key))
        return self._addresses[key]

    def answers(self, server: str, application: str) -> dict[str, Got]:
        """The requests go in their order, as some of them change what later ones see."""
        key = server, application
        if key not in self._answers:
            name, _, version = server.partition("-")
            ask: Callable[[Sent], Got] = partial(ask_http1, self.address(name, application))
            with contextlib.ExitStack() as stack:
                if version:
                    # A process of its own, for an application in its first state.
                    address = stack.enter_context(served(name, application))
                    ask = stack.enter_context(contextlib.closing(Http2(address))).ask
                self._answers[key] = {each: ask(sent) for each, sent in REQUESTS[application].items()}
        return self._answers[key]


@pytest.fixture(scope="module")
def others() -> Iterator[Others]:
    with contextlib.ExitStack() as stack:
        yield Others(stack)


@pytest.mark.parametrize(("application", "name"), CASES)
@pytest.mark.parametrize("server", SERVERS)
def test_other_servers_give_our_answers(others: Others, server: str, application: str, name: str) -> None:
    expected, actual = ours(application)[name], others.answers(server, application)[name]
    assert actual == expected or (actual == CUT and (server, name) in MAY_BE_CUT)


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn", "granian"])
def test_a_client_that_goes_ends_handlers_and_streams(others: Others, server: str) -> None:
    address = others.address(server, "app")
    for path in ("/endless", "/waiting"):
        with socket.create_connection(address, TIMEOUT) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            if path == "/endless":
                assert connection.recv(1)
            else:
                # The handler is at work when an answer to a later request has come.
                ask_http1(address, REQUESTS["app"]["later"])
    deadline = time.monotonic() + TIMEOUT
    body = b""
    while body != b'["endless","waiting"]' and time.monotonic() < deadline:
        body = ask_http1(address, Sent("", "GET", "/ended", (), None, False)).body
    assert body == b'["endless","waiting"]'


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn", "granian"])
def test_a_stream_that_fails_is_cut_and_not_ended(others: Others, server: str) -> None:
    with socket.create_connection(others.address(server, "app"), TIMEOUT) as connection:
        connection.sendall(b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n")
        received = b""
        with contextlib.suppress(ConnectionError):
            while data := connection.recv(65536):
                received += data
        assert b"\r\n0\r\n\r\n" not in received
