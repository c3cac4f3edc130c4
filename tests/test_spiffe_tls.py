"""The certificate of the server from a SPIFFE Workload API, and clients of one trust domain, while both change."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jwt_support import application
from serving import Served, write_files
from spiffe_support import Domain, WorkloadApi, workload_api
from test_tls import ask, connected
from wire import Answer

from brrtrouter import App, ConfigError
from brrtrouter.config import Server as Settings
from brrtrouter.config import Spiffe
from brrtrouter.server.handle import Server, ServerError

pytest.importorskip("spiffe")
GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
HEALTH = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
ID = "spiffe://example.org/server"
EXAMPLE, OTHER = Domain.new("example.org"), Domain.new("other.org")
Address = tuple[str, int]


def app_of(socket: str, uris: tuple[str, ...] = ("spiffe://example.org/*",), **given: Any) -> App:
    settings = {"socket": socket, "tls": True, "trust_domain": "example.org", **given}
    security = {"mutual_tls": {"T": {"uris": list(uris)}}}
    return application(config={"spiffe": settings, "security": security}, scheme={"type": "mutualTLS"})


@pytest.fixture
def api(tmp_path: Path) -> Iterator[WorkloadApi]:
    with workload_api(tmp_path / "api.sock") as found:
        found.push_svids((EXAMPLE, ID))
        yield found


@contextmanager
def serving(app: App) -> Iterator[Address]:
    with Server(app, port=0).start() as server:
        yield server.address


def client(*uris: str, domain: Domain = EXAMPLE, trusted: Domain = EXAMPLE) -> ssl.SSLContext:
    return domain.client(trusted.trusting(), *(uris or ("spiffe://example.org/client",)))


def sent(address: Address, context: ssl.SSLContext, request: bytes = GET) -> Answer:
    with connected(address, context) as secure:
        return ask(secure, request)


def shown(address: Address, context: ssl.SSLContext) -> bytes | None:
    with connected(address, context) as secure:
        return secure.getpeercert(binary_form=True)


def until(condition: Callable[[], bool]) -> None:
    """Wait for what is pushed: that takes as long as it takes, but not for ever."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end


def is_refused(address: Address, context: ssl.SSLContext) -> bool:
    try:
        with connected(address, context) as secure:
            secure.sendall(HEALTH)
            return secure.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def test_the_server_shows_its_svid_and_the_id_of_a_client_authorises(api: WorkloadApi) -> None:
    (certificate,) = api.push_svids((EXAMPLE, ID))
    with serving(app_of(api.socket, ("spiffe://example.org/api/*",))) as address:
        good = client("spiffe://example.org/api/v1")
        assert shown(address, good) == certificate
        answer = sent(address, good)
        assert (answer.status, json.loads(answer.body)["sub"]) == (200, "spiffe://example.org/api/v1")
        assert sent(address, client("spiffe://example.org/else")).status == 403
        with connected(address, good) as secure:
            assert secure.version() == "TLSv1.3"
    assert api.metadata[0]["workload.spiffe.io"] == "true"


def test_who_has_no_certificate_of_the_trust_domain_is_turned_away(api: WorkloadApi) -> None:
    api.push_svids((EXAMPLE, ID), federated={"other.org": OTHER})
    with serving(app_of(api.socket)) as address:
        assert is_refused(address, EXAMPLE.trusting())
        # Federated: an authority of another domain could otherwise make ids of ours.
        assert is_refused(address, client("spiffe://example.org/client", domain=OTHER))
        assert is_refused(address, client("spiffe://other.org/client", domain=OTHER))
        assert sent(address, client()).status == 200


def test_the_trust_domain_of_clients_may_be_a_federated_one(api: WorkloadApi) -> None:
    api.push_svids((EXAMPLE, ID), federated={"other.org": OTHER})
    with serving(app_of(api.socket, ("spiffe://other.org/*",), trust_domain="other.org")) as address:
        assert sent(address, client("spiffe://other.org/client", domain=OTHER)).status == 200
        assert is_refused(address, client())


def test_certificates_of_clients_may_be_optional(api: WorkloadApi) -> None:
    with serving(app_of(api.socket, client="optional")) as address:
        answer = sent(address, EXAMPLE.trusting())
        assert (answer.status, answer.headers["www-authenticate"]) == (401, 'MutualTLS realm="api"')
        assert sent(address, client()).status == 200
        assert is_refused(address, client(domain=OTHER))


def test_one_of_several_svids_is_chosen(api: WorkloadApi) -> None:
    first, second = api.push_svids((EXAMPLE, ID), (EXAMPLE, ID + "/two"))
    for wanted, certificate in (("", first), (ID + "/two", second)):
        with serving(app_of(api.socket, id=wanted)) as address:
            assert shown(address, client()) == certificate


def test_the_authority_of_a_bundle_need_not_be_a_root(api: WorkloadApi) -> None:
    below = Domain.new("example.org, below", above=EXAMPLE)
    api.push_svids((below, ID))
    context = client(domain=below, trusted=below)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    with serving(app_of(api.socket)) as address:
        assert sent(address, context).status == 200


def test_a_system_without_files_in_memory_serves_too(api: WorkloadApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.memfd_create", raising=False)
    with serving(app_of(api.socket)) as address:
        assert sent(address, client()).status == 200


def test_nothing_follows_the_workload_api_when_the_server_has_stopped(api: WorkloadApi) -> None:
    with serving(app_of(api.socket)) as address:
        assert sent(address, client()).status == 200
        assert any(thread.name == "brrtrouter-spiffe" for thread in threading.enumerate())
    assert not any(thread.name == "brrtrouter-spiffe" for thread in threading.enumerate())


# -- rotation


def test_a_new_svid_is_shown_by_the_next_handshake_and_open_connections_stay(api: WorkloadApi) -> None:
    with serving(app_of(api.socket)) as address, connected(address, client()) as old:
        assert ask(old, GET).status == 200
        for _ in range(3):
            (certificate,) = api.push_svids((EXAMPLE, ID))
            until(lambda certificate=certificate: shown(address, client()) == certificate)  # type: ignore[misc]
            assert ask(old, GET).status == 200
    assert api.streams == 1


def test_a_new_bundle_decides_who_is_let_in_by_the_next_handshake(api: WorkloadApi) -> None:
    renewed = Domain.new("example.org")
    with serving(app_of(api.socket)) as address:
        assert sent(address, client()).status == 200
        api.push_svids((renewed, ID))
        new = client(domain=renewed, trusted=renewed)
        until(lambda: not is_refused(address, new))
        assert sent(address, new).status == 200
        assert is_refused(address, client(trusted=renewed))


def test_svids_change_under_load_without_a_failed_request(api: WorkloadApi) -> None:
    failed: list[Exception] = []
    done = threading.Event()

    def load() -> None:
        try:
            while not done.is_set():
                assert sent(address, client()).status == 200
        except Exception as error:
            failed.append(error)

    with serving(app_of(api.socket)) as address:
        thread = threading.Thread(target=load)
        thread.start()
        for _ in range(5):
            (certificate,) = api.push_svids((EXAMPLE, ID))
            until(lambda certificate=certificate: shown(address, client()) == certificate)  # type: ignore[misc]
        done.set()
        thread.join(20)
    assert not failed


@pytest.mark.parametrize("what", ["no bundle of the domain", "no svid", "not the one that is wanted"])
def test_what_cannot_be_used_changes_nothing(api: WorkloadApi, what: str, caplog: pytest.LogCaptureFixture) -> None:
    acts: dict[str, Callable[[], Any]] = {
        "no bundle of the domain": lambda: api.push_svids((OTHER, "spiffe://other.org/server")),
        "no svid": lambda: api.push_svids(),
        "not the one that is wanted": lambda: api.push_svids((EXAMPLE, ID + "/else")),
    }
    with serving(app_of(api.socket, id=ID)) as address:
        before, streams = shown(address, client()), api.streams
        acts[what]()
        with api._changed:
            assert api._changed.wait_for(lambda: api.streams > streams, 20)  # the client tries again
        assert shown(address, client()) == before
        (certificate,) = api.push_svids((EXAMPLE, ID))
        until(lambda: shown(address, client()) == certificate)
    assert "what came last stays in use" in caplog.text


# -- a Workload API that is away


def test_a_server_waits_for_its_first_svid(tmp_path: Path) -> None:
    api = WorkloadApi(f"unix:{tmp_path / 'api.sock'}")
    server = Server(app_of(api.socket), port=0).start()
    try:
        with pytest.raises(ServerError, match="was not ready"):
            server.wait_ready(0.05)
        api.push_svids((EXAMPLE, ID))
        with workload_api(tmp_path / "api.sock", api):
            server.wait_ready(20)
            assert sent(server.address, client()).status == 200
        # It is away again: what came last stays in use.
        assert sent(server.address, client()).status == 200
        again = WorkloadApi(api.socket)
        (certificate,) = again.push_svids((EXAMPLE, ID))
        with workload_api(tmp_path / "api.sock", again):
            until(lambda: shown(server.address, client()) == certificate)
    finally:
        server.stop()


def test_a_server_without_an_svid_in_time_does_not_start(tmp_path: Path) -> None:
    server = Server(app_of(f"unix:{tmp_path / 'none'}", start_timeout=0.1), port=0).start()
    with pytest.raises(ServerError, match=r"no X\.509-SVID came from the Workload API in 0\.1 s"):
        server.wait_ready(20)
    server.stop()


def test_waiting_does_not_block_the_event_loop(tmp_path: Path) -> None:
    from brrtrouter.server.spiffe import SpiffeTls

    async def test() -> None:
        tls = SpiffeTls(Spiffe(socket=f"unix:{tmp_path / 's'}", tls=True, trust_domain="example.org"))
        begun = asyncio.create_task(tls.begin())
        await asyncio.sleep(0)
        assert not begun.done()  # the loop goes on
        api = WorkloadApi(f"unix:{tmp_path / 's'}")
        api.push_svids((EXAMPLE, ID))
        with workload_api(tmp_path / "s", api):
            await asyncio.wait_for(begun, 20)
        assert tls.context.verify_mode is ssl.CERT_REQUIRED
        tls.end()

    asyncio.run(test())


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["alone", "workers"])
def test_the_command_line_serves_with_svids(tmp_path: Path, api: WorkloadApi, workers: tuple[str, ...]) -> None:
    write_files(tmp_path)
    environ = {
        "SPIFFE_ENDPOINT_SOCKET": api.socket,
        "BRRTR_SPIFFE__TLS": "true",
        "BRRTR_SPIFFE__TRUST_DOMAIN": "example.org",
    }
    with Served(tmp_path, "--port", "0", *workers, environ=environ) as served:
        url = served.url()
        assert url.startswith("https://")
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        answer = sent(address, client(), b"GET /client HTTP/1.1\r\nHost: a\r\n\r\n")
        assert json.loads(answer.body)["names"] == ["spiffe://example.org/client"]
        (certificate,) = api.push_svids((EXAMPLE, ID))
        until(lambda: all(shown(address, client()) == certificate for _ in range(4)))


# -- the configuration


@pytest.mark.parametrize(
    ("spiffe", "server", "words"),
    [
        ({"trust_domain": ""}, {}, r"spiffe\.tls needs spiffe\.trust_domain"),
        ({"socket": ""}, {}, r"spiffe\.tls needs spiffe\.socket or SPIFFE_ENDPOINT_SOCKET"),
        ({"socket": "tcp:127.0.0.1:1"}, {}, r"spiffe\.tls needs spiffe\.socket"),
        ({}, {"tls_certificate": "a.pem"}, r"spiffe\.tls and server\.tls_certificate"),
        ({}, {"tls_ca": "a.pem"}, r"which exclude each other"),
    ],
)
def test_settings_that_make_no_sense_are_named(
    spiffe: dict[str, Any], server: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPIFFE_ENDPOINT_SOCKET", raising=False)
    settings = {"socket": "unix:/none", "tls": True, "trust_domain": "example.org", **spiffe}
    document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}}
    with pytest.raises(ConfigError, match=words):
        Server(App(document, config={"spiffe": settings}), port=0, settings=Settings(**server))  # type: ignore[arg-type]
