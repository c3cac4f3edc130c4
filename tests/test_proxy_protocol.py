"""The PROXY protocol: what a trusted proxy says before the first byte is believed, and nothing else is let in."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
import ssl
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import TIMEOUT, Answer, read_answer

from brrtrouter import App, Request
from brrtrouter.config import Server as Settings
from brrtrouter.errors import ConfigError
from brrtrouter.server.handle import Server
from brrtrouter.server.proxy_protocol import V1_MAX, V2_MAX, Origin, ProxyError, crc32c, parse, size
from brrtrouter.server.sockets import listen_unix

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ASK = b"GET /about HTTP/1.1\r\nHost: inside\r\n\r\n"
FORWARDED = b"GET /about HTTP/1.1\r\nHost: inside\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
V1 = b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 80\r\n"
LOOPBACK = ("127.0.0.1",)


def v2(
    family: int, addresses: bytes, *extensions: tuple[int, bytes], command: int = 0x21, length: int | None = None
) -> bytes:
    """A header of version 2; an extension of the type 3 gets the right checksum when it has no value."""
    rest = addresses + b"".join(struct.pack("!BH", kind, len(value)) + value for kind, value in extensions)
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest) if length is None else length) + rest


def with_checksum(header: bytes) -> bytes:
    """The header with the checksum in the place of its last four bytes, which are zeros."""
    return header[:-4] + crc32c(header).to_bytes(4, "big")


def ends(source: str, port: int, target: str = "198.51.100.1") -> bytes:
    pair = [ipaddress.ip_address(each).packed for each in (source, target)]
    return b"".join(pair) + struct.pack("!HH", port, 80)


TCP4 = v2(0x11, ends("192.0.2.1", 4711))
TCP6 = v2(0x21, ends("2001:db8::1", 4711, "2001:db8::2"))


async def about(request: Request) -> dict[str, Any]:
    return {"client": request.client, "scheme": request.scheme}


def app() -> App:
    operation = {"operationId": "about", "responses": {"200": {"description": "ok"}}}
    document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/about": {"get": operation}}}
    return App(document, {"about": about})


def server(**settings: Any) -> Server:
    changed = {"proxy_protocol": True, "trusted_proxies": LOOPBACK, **settings}
    return Server(app(), port=0, settings=Settings(**changed)).start()


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with server() as running:
        yield running


def connect(server: Server) -> socket.socket:
    sock = socket.create_connection(server.address, TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def answers(sock: socket.socket, count: int = 1) -> list[dict[str, Any]]:
    found = []
    with sock.makefile("rb") as stream:
        for _ in range(count):
            answer: Answer | None = read_answer(stream)
            assert answer is not None
            assert answer.status == 200
            found.append(json.loads(answer.body))
    return found


def read(header: bytes) -> Origin:
    assert size(header) == len(header)
    return parse(header)


def at_end(sock: socket.socket) -> bool:
    with contextlib.suppress(ConnectionResetError):
        return sock.recv(1) == b""
    return True


# -- what is believed


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (V1, ["192.0.2.1", 4711]),
        (b"PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 0 65535\r\n", ["2001:db8::1", 0]),
        (b"PROXY UNKNOWN\r\n", None),
        (b"PROXY UNKNOWN ffff:f...f:ffff what ever 65535 65535\r\n", None),
        (b"PROXY UNKNOWN " + b"x" * (V1_MAX - 16) + b"\r\n", None),
        (TCP4, ["192.0.2.1", 4711]),
        (TCP6, ["2001:db8::1", 4711]),
        (v2(0x00, b""), None),
        (v2(0x00, b"", (0x04, b"noop")), None),
        (v2(0x31, b"/run/a".ljust(216, b"\0")), None),
        (v2(0x00, b"", command=0x20), None),
        (v2(0x11, b"odd", command=0x20), None),
        (v2(0x11, ends("192.0.2.1", 4711), (0x01, b"h2"), (0x02, b"a.example"), (0xE0, b"")), ["192.0.2.1", 4711]),
        (with_checksum(v2(0x11, ends("192.0.2.1", 4711), (0x03, bytes(4)))), ["192.0.2.1", 4711]),
        (v2(0x11, ends("192.0.2.1", 4711), (0x04, bytes(V2_MAX - 31))), ["192.0.2.1", 4711]),
    ],
)
def test_the_client_is_the_one_of_the_header(running: Server, header: bytes, client: list[Any] | None) -> None:
    with connect(running) as sock:
        sock.sendall(header + ASK)
        expected = client or list(sock.getsockname())
        assert answers(sock) == [{"client": expected, "scheme": "http"}]


@pytest.mark.parametrize("header", [V1, TCP4, TCP6, b"PROXY UNKNOWN\r\n"])
def test_a_header_may_come_byte_by_byte(running: Server, header: bytes) -> None:
    with connect(running) as sock:
        for at in range(len(header)):
            sock.sendall(header[at : at + 1])
        sock.sendall(ASK)
        assert len(answers(sock)) == 1


def test_requests_right_behind_the_header_are_all_answered(running: Server) -> None:
    with connect(running) as sock:
        sock.sendall(V1 + ASK * 10)
        assert answers(sock, 10) == [{"client": ["192.0.2.1", 4711], "scheme": "http"}] * 10


@pytest.mark.parametrize(("client", "encrypted"), [(0x01, True), (0x07, True), (0x02, False), (0x00, False)])
def test_a_client_that_came_to_the_proxy_by_tls_has_the_scheme_https(
    running: Server, client: int, encrypted: bool
) -> None:
    inner = struct.pack("!BIBH", client, 0, 0x21, 7) + b"TLSv1.3"
    with connect(running) as sock:
        sock.sendall(v2(0x11, ends("192.0.2.1", 4711), (0x20, inner)) + ASK)
        assert answers(sock)[0]["scheme"] == ("https" if encrypted else "http")


def test_header_fields_are_believed_when_the_address_of_the_header_is_trusted() -> None:
    with server(trusted_proxies=("127.0.0.1", "192.0.2.0/24")) as running, connect(running) as sock:
        sock.sendall(V1 + FORWARDED)
        assert answers(sock)[0]["client"] == ["203.0.113.9", 0]


def test_header_fields_of_the_client_itself_are_not(running: Server) -> None:
    with connect(running) as sock:
        sock.sendall(V1 + FORWARDED)
        assert answers(sock)[0]["client"] == ["192.0.2.1", 4711]


def test_tls_begins_behind_the_header(tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    pem = tmp_path / "all.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(str(pem))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with server(tls_certificate=str(pem)) as running:
        for header in (V1, TCP6):
            raw = connect(running)
            raw.sendall(header)
            with context.wrap_socket(raw, server_hostname="localhost") as sock:
                sock.sendall(ASK)
                found = answers(sock)[0]
                assert found["client"][1] == 4711
                assert found["scheme"] == "https"


def test_a_proxy_at_a_unix_socket_is_trusted_by_its_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for trusted in (True, False):
        settings = Settings(proxy_protocol=True, trusted_proxies=("unix",) if trusted else LOOPBACK)
        server = Server(app(), listener=listen_unix("a.sock", 10), settings=settings).start()
        with server, socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(TIMEOUT)
            sock.connect("a.sock")
            if trusted:
                sock.sendall(V1 + ASK)
                assert answers(sock)[0]["client"] == ["192.0.2.1", 4711]
            else:
                assert at_end(sock)


# -- what is not


@pytest.mark.parametrize(
    "header",
    [
        ASK,
        b"\x16\x03\x01\x02\x00\x01",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 80\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 65536\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 04711 80\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 +1 80\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 4711\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 80 \r\n",
        b"PROXY TCP4  192.0.2.1 198.51.100.1 4711 80\r\n",
        b"PROXY TCP4 192.0.2.01 198.51.100.1 4711 80\r\n",
        b"PROXY TCP4 2001:db8::1 198.51.100.1 4711 80\r\n",
        b"PROXY TCP6 192.0.2.1 198.51.100.1 4711 80\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 4711 80\r\n",
        b"PROXY TCP6 \xc3\xbf::1 ::1 4711 80\r\n",
        b"PROXY UDP4 192.0.2.1 198.51.100.1 4711 80\r\n",
        b"PROXY UNKNOWN\n",
        b"PROXY \r\n",
        b"proxy TCP4 192.0.2.1 198.51.100.1 4711 80\r\n",
        b"PROXY UNKNOWN " + b"x" * (V1_MAX - 15) + b"\r\n",
        b"PROXY TCP4 " + b"1" * 200,
        SIGNATURE[:-1] + b"\r",
        v2(0x11, ends("192.0.2.1", 4711), command=0x22),
        v2(0x11, ends("192.0.2.1", 4711), command=0x11),
        v2(0x12, ends("192.0.2.1", 4711)),
        v2(0x41, ends("192.0.2.1", 4711)),
        v2(0x11, ends("192.0.2.1", 4711)[:-1]),
        v2(0x21, ends("192.0.2.1", 4711)),
        v2(0x31, b"/run/a"),
        v2(0x11, ends("192.0.2.1", 4711) + b"\x04\x00"),
        v2(0x11, ends("192.0.2.1", 4711) + b"\x04\x00\x02x"),
        v2(0x11, ends("192.0.2.1", 4711), (0x03, b"abcd")),
        v2(0x11, ends("192.0.2.1", 4711), (0x03, b"abc")),
        v2(0x11, ends("192.0.2.1", 4711), (0x04, bytes(V2_MAX - 30))),
        v2(0x11, b"", length=65535),
    ],
)
def test_what_is_no_header_closes_the_connection(running: Server, header: bytes) -> None:
    with connect(running) as sock:
        sock.sendall(header)
        assert at_end(sock)
    with pytest.raises(ProxyError):
        read(header)


@pytest.mark.parametrize("header", [V1[:-1], b"P", SIGNATURE, TCP4[:-1]])
def test_a_connection_that_ends_within_its_header_is_closed(running: Server, header: bytes) -> None:
    with connect(running) as sock:
        sock.sendall(header)
        sock.shutdown(socket.SHUT_WR)
        assert at_end(sock)


@pytest.mark.parametrize("start", [b"", V1[:-1], TCP4[:-1]])
def test_a_header_that_does_not_come_in_time_closes_the_connection(start: bytes) -> None:
    with server(proxy_timeout=0.1) as running, connect(running) as sock:
        sock.sendall(start)
        assert at_end(sock)


def test_a_connection_from_elsewhere_is_closed_whatever_it_says() -> None:
    with server(trusted_proxies=("10.0.0.0/8",)) as running, connect(running) as sock:
        assert at_end(sock)


def test_without_the_option_a_header_is_a_bad_request() -> None:
    with server(proxy_protocol=False) as running, connect(running) as sock:
        sock.sendall(V1 + ASK)
        assert sock.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_the_option_without_a_proxy_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match=r"server\.proxy_protocol is on, but server\.trusted_proxies names nobody"):
        server(trusted_proxies=())


def test_a_server_that_stops_does_not_wait_for_a_header() -> None:
    with server(proxy_timeout=3600.0) as running, connect(running) as silent:
        with connect(running) as sock:  # taken after the silent one
            sock.sendall(V1 + ASK)
            answers(sock)
        running.stop()
        assert at_end(silent)


# -- any header

PORTS = st.integers(0, 65535)
EXTENSIONS = st.lists(
    st.tuples(st.sampled_from([0x01, 0x02, 0x04, 0x05, 0x30, 0xEA]), st.binary(max_size=40)), max_size=4
)


@st.composite
def headers(draw: st.DrawFn) -> tuple[bytes, Origin]:
    """A header as a proxy writes it, and what it says."""
    version = draw(st.sampled_from([4, 6]))
    addresses = st.ip_addresses(v=version)
    source, target, port, other = draw(addresses), draw(addresses), draw(PORTS), draw(PORTS)
    origin = Origin((str(source), port), False)
    if draw(st.booleans()):
        return f"PROXY TCP{version} {source} {target} {port} {other}\r\n".encode(), origin
    packed = source.packed + target.packed + struct.pack("!HH", port, other)
    return v2(0x11 if version == 4 else 0x21, packed, *draw(EXTENSIONS)), origin


@given(headers(), st.binary(max_size=50), st.data())
def test_a_header_ends_where_it_ends_however_it_is_cut(
    header: tuple[bytes, Origin], behind: bytes, data: st.DataObject
) -> None:
    written, origin = header
    assert size(written + behind) == len(written)
    assert size(written[: data.draw(st.integers(0, len(written) - 1))]) is None
    assert parse(written) == origin


@given(headers(), st.binary(min_size=1, max_size=4), st.data())
def test_changed_bytes_are_a_header_or_a_proxy_error(
    header: tuple[bytes, Origin], change: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(header[0])))
    changed = header[0][:at] + change + header[0][at + data.draw(st.integers(0, 4)) :]
    with contextlib.suppress(ProxyError):
        whole = size(changed)
        if whole is not None:
            assert isinstance(parse(changed[:whole]), Origin)


def test_the_checksum_is_that_of_rfc_3720() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
