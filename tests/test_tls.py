"""TLS: what is negotiated, who is let in, and certificates that change under a running server."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from serving import GET, Load, Served, write_files
from wire import TIMEOUT, Answer, read_answer

from brrtrouter import App
from brrtrouter.config import Server as Settings
from brrtrouter.errors import ConfigError
from brrtrouter.server.handle import Server
from brrtrouter.server.tls import Tls, make_context

trustme = pytest.importorskip("trustme")

CLIENT = GET.format(path="/client", fields="").encode()
HEALTH = GET.format(path="/health", fields="").encode()
AUTHORITY = trustme.CA()
DOCUMENT = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}}


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> None:
    write_files(tmp_path)
    issue(tmp_path)
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))


def issue(folder: Path, authority: Any = AUTHORITY) -> bytes:
    """A new certificate for this machine, under the same names; its bytes as a client gets them."""
    leaf = authority.issue_cert("127.0.0.1")
    for name, blob in (("cert.pem", leaf.cert_chain_pems[0]), ("key.pem", leaf.private_key_pem)):
        blob.write_to_path(str(folder / f"{name}.new"))
        os.replace(folder / f"{name}.new", folder / name)
    return ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())


def settings(folder: Path, **given: object) -> Settings:
    files = {"tls_certificate": str(folder / "cert.pem"), "tls_key": str(folder / "key.pem")}
    return Settings(**{**files, **given})  # type: ignore[arg-type]


def client_context(**versions: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    for name, version in versions.items():
        setattr(context, name, version)
    return context


@contextmanager
def connected(address: tuple[str, int], context: ssl.SSLContext | None = None) -> Iterator[ssl.SSLSocket]:
    context = context or client_context()
    with (
        socket.create_connection(address, TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        yield secure


def ask(secure: ssl.SSLSocket, request: bytes = HEALTH) -> Answer:
    secure.sendall(request)
    with secure.makefile("rb") as stream:
        answer = read_answer(stream)
    assert answer is not None, "the connection was closed without an answer"
    return answer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(App(DOCUMENT), port=0, settings=settings(tmp_path)).start() as server:
        yield server


# -- what is negotiated


def test_https_is_served_with_http_1_1_by_alpn(server: Server) -> None:
    assert server.url == f"https://127.0.0.1:{server.address[1]}"
    context = client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with connected(server.address, context) as secure:
        assert secure.selected_alpn_protocol() == "http/1.1"
        assert secure.version() == "TLSv1.3"
        assert ask(secure).status == 200
        assert ask(secure).status == 200


def test_tls_1_2_has_authenticated_ciphers_only(server: Server) -> None:
    context = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    with connected(server.address, context) as secure:
        cipher = secure.cipher()
        assert cipher is not None
        assert cipher[0].startswith("ECDHE-")
        assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]
    context.set_ciphers("ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384")
    with pytest.raises(ssl.SSLError), connected(server.address, context):
        pass


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_older_versions_are_refused(server: Server) -> None:
    context = client_context(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError), connected(server.address, context):
        pass


def test_what_is_no_tls_gets_no_answer_and_hurts_nobody(server: Server) -> None:
    with socket.create_connection(server.address, TIMEOUT) as plain:
        plain.sendall(HEALTH)
        assert b"HTTP/1.1" not in plain.recv(4096)
    with connected(server.address) as secure:
        assert ask(secure).status == 200


def test_a_handshake_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    server = Server(App(DOCUMENT), port=0, settings=settings(tmp_path, tls_handshake=0.1))
    with server.start(), socket.create_connection(server.address, TIMEOUT) as silent:
        assert silent.recv(1) == b""


# -- clients with certificates


def is_refused(address: tuple[str, int], context: ssl.SSLContext) -> bool:
    """Whether a client is turned away; TLS 1.3 says so after the handshake of the client."""
    try:
        with connected(address, context) as secure:
            secure.sendall(HEALTH)
            return secure.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def identity(context: ssl.SSLContext, authority: Any = AUTHORITY) -> ssl.SSLContext:
    authority.issue_cert("client.example").configure_cert(context)
    return context


@pytest.mark.parametrize("workers", [(), ("--workers", "1")], ids=["alone", "workers"])
def test_the_certificate_of_a_client_is_asked_for_and_shown_to_handlers(tmp_path: Path, workers: tuple[str]) -> None:
    files = ("--tls-cert", "cert.pem", "--tls-key", "key.pem", "--tls-ca", "ca.pem")
    with Served(tmp_path, "--port", "0", *files, *workers) as served:
        url = served.url()
        assert url.startswith("https://127.0.0.1:")
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        with connected(address, identity(client_context())) as secure:
            assert b'"names":["client.example"],"scheme":"https"' in ask(secure, CLIENT).body
        for refused in (client_context(), identity(client_context(), trustme.CA())):
            assert is_refused(address, refused)


def test_the_certificate_of_a_client_may_be_optional_but_then_a_false_one_is_refused_too(tmp_path: Path) -> None:
    given = settings(tmp_path, tls_ca=str(tmp_path / "ca.pem"), tls_client="optional")
    with Server(App(DOCUMENT), port=0, settings=given).start() as server:
        with connected(server.address) as secure:
            assert ask(secure).status == 200
        assert is_refused(server.address, identity(client_context(), trustme.CA()))


# -- files


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tls_key": "none.pem"}, r"server\.tls_key: .*none\.pem cannot be read"),
        ({"tls_certificate": "none.pem"}, r"server\.tls_certificate: .*none\.pem cannot be read"),
        ({"tls_ca": "none.pem"}, r"server\.tls_ca: .*none\.pem cannot be read"),
        ({"tls_key": "other.pem"}, r"server\.tls_certificate: .*cert\.pem and .*other\.pem cannot be used: KEY_VALUES"),
        ({"tls_certificate": "text.pem"}, r"server\.tls_certificate: .*text\.pem.* cannot be used"),
        ({"tls_ca": "text.pem"}, r"server\.tls_ca: .*text\.pem cannot be used"),
        ({"tls_key": ""}, r"server\.tls_certificate: .*cert\.pem cannot be used"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, change: dict[str, str], words: str) -> None:
    (tmp_path / "text.pem").write_text("a text")
    AUTHORITY.issue_cert("other").private_key_pem.write_to_path(str(tmp_path / "other.pem"))
    given = settings(tmp_path, **{name: file and str(tmp_path / file) for name, file in change.items()})
    with pytest.raises(ConfigError, match=words):
        make_context(given)


def test_an_encrypted_key_is_refused_without_a_question(tmp_path: Path) -> None:
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    key = serialization.load_pem_private_key((tmp_path / "key.pem").read_bytes(), None)
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConfigError, match="the key is encrypted, and there is no password"):
        make_context(settings(tmp_path))


@pytest.mark.parametrize("name", ["tls_key", "tls_ca"])
def test_a_part_of_tls_without_a_certificate_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"server\.{name} is set, but server\.tls_certificate is not"):
        Server(App(DOCUMENT), port=0, settings=Settings(**{name: "a.pem"}))  # type: ignore[arg-type]


def test_a_certificate_that_does_not_exist_ends_the_start(tmp_path: Path) -> None:
    with Served(tmp_path, "--port", "0", "--workers", "2", "--tls-cert", "none.pem") as served:
        served.log.until(r"^brrtrouter: server\.tls_certificate: none\.pem cannot be read")
        assert served.wait() == 2


# -- new certificates


def shown(address: tuple[str, int]) -> bytes:
    """The certificate that a new connection gets."""
    with connected(address) as secure:
        found = secure.getpeercert(binary_form=True)
        assert found is not None
        return found


def until(address: tuple[str, int], wanted: bytes) -> None:
    while shown(address) != wanted:
        pass


def test_changed_files_are_noticed_and_open_connections_stay(tmp_path: Path) -> None:
    with Server(App(DOCUMENT), port=0, settings=settings(tmp_path, tls_check=0.05)).start() as server:
        before = shown(server.address)
        with connected(server.address) as old:
            assert ask(old).status == 200
            wanted = issue(tmp_path)
            assert wanted != before
            until(server.address, wanted)
            assert ask(old).status == 200


def test_a_hang_up_takes_new_certificates_at_once(tmp_path: Path) -> None:
    environ = {"BRRTR_SERVER__TLS_CHECK": "0"}
    files = ("--tls-cert", "cert.pem", "--tls-key", "key.pem")
    with Served(tmp_path, "--port", "0", *files, environ=environ) as served:
        address = ("127.0.0.1", int(served.url().rpartition(":")[2]))
        wanted = issue(tmp_path)
        assert shown(address) != wanted
        served.signal(signal.SIGHUP)
        served.log.until(r"the certificate cert\.pem is reloaded")
        assert shown(address) == wanted
        served.signal(signal.SIGTERM)
        assert served.wait() == 0


def test_files_that_are_broken_change_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tls = Tls(settings(tmp_path))
    before = tls.context
    assert not tls.refresh()
    (tmp_path / "cert.pem").write_text("half of")
    assert not tls.refresh()
    assert tls.context is before
    assert "not reloaded, the old one stays" in caplog.text
    (tmp_path / "cert.pem").unlink()
    assert not tls.refresh()
    issue(tmp_path)
    assert tls.refresh()
    assert tls.context is not before


def test_a_reload_of_workers_loses_no_request_over_tls(tmp_path: Path) -> None:
    async def test() -> None:
        files = ("--tls-cert", "cert.pem", "--tls-key", "key.pem")
        with Served(tmp_path, "--port", "0", "--workers", "2", *files) as served:
            async with Load(served.url(), clients=4, context=client_context()) as load:
                await load.more(100)
                write_files(tmp_path, "the second")
                issue(tmp_path)
                served.signal(signal.SIGHUP)
                await load.until("the second")
                await load.more(100)
                served.signal(signal.SIGTERM)
                await load.gone()
            assert served.wait() == 0
        assert (load.lost, load.torn) == (0, 0)

    asyncio.run(test())
