"""API keys that another server is asked about, and the short form of the settings for tokens of PropelAuth."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asking_support import Authority, authority
from jwt_support import Clock, application, claims, issuing, jwk, private, token

from brrtrouter import ConfigError
from brrtrouter.config import RemoteKey
from brrtrouter.providers.remote_keys import RemoteKeyProvider
from brrtrouter.testing import TestClient, TestResponse, running

HEADER = {"type": "apiKey", "in": "header", "name": "X-Key"}
QUERY = {"type": "apiKey", "in": "query", "name": "key"}
COOKIE = {"type": "apiKey", "in": "cookie", "name": "key"}
WANTED = 'ApiKey in="header", name="X-Key"'


@pytest.fixture
def server() -> Iterator[Authority]:
    with authority() as found:
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()


def client_of(server: Authority, clock: Clock, scheme: dict[str, Any] = HEADER, **given: Any) -> TestClient:
    settings = RemoteKey(verify_url=f"{server.url}/verify", **given)
    return TestClient(application(RemoteKeyProvider(settings, monotonic=clock), scheme=scheme))


@pytest.fixture
def client(server: Authority, clock: Clock) -> Iterator[TestClient]:
    with client_of(server, clock) as found:
        yield found


def send(client: TestClient, key: str = "k1", path: str = "/x", field: str = "X-Key") -> TestResponse:
    return client.get(path, headers={field: key})


# -- the question and the answer


def test_the_server_is_asked_with_the_key_in_a_header(client: TestClient, server: Authority) -> None:
    assert send(client, "k 1").json() == {"sub": "T", "scopes": []}
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.headers["x-api-key"]) == ("GET", "/verify", "k 1")


@pytest.mark.parametrize(
    ("scheme", "sent"),
    [(HEADER, {"headers": {"X-Key": "k1"}}), (QUERY, {"params": {"key": "k1"}}), (COOKIE, {"cookies": {"key": "k1"}})],
    ids=["header", "query", "cookie"],
)
def test_a_key_is_found_where_the_scheme_says(
    server: Authority, clock: Clock, scheme: dict[str, Any], sent: dict[str, Any]
) -> None:
    with client_of(server, clock, scheme) as client:
        assert client.get("/x").status == 401
        assert not server.asked
        assert client.get("/x", **sent).status == 200
    assert server.asked[0].headers["x-api-key"] == "k1"


def test_the_fields_may_have_other_names(server: Authority, clock: Clock) -> None:
    with client_of(server, clock, QUERY, header_name="X-Ours", send_as="X-Theirs") as client:
        assert client.get("/x", params={"key": "k1"}).headers["www-authenticate"] == 'ApiKey in="header", name="X-Ours"'
        assert send(client, field="x-ours").status == 200
    assert server.asked[0].headers["x-theirs"] == "k1"


def test_a_key_that_is_no_value_of_a_field_is_refused_without_a_question(server: Authority, clock: Clock) -> None:
    with client_of(server, clock, QUERY, max_key=10) as client:
        for key in ("a%0D%0AX-Evil:%201", "a%00b", "%20a", "x" * 11, "%7F"):
            assert client.get(f"/x?key={key}").status == 401
        assert not server.asked
        assert client.get("/x?key=%C3%A4").status == 200


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *[(each, 200) for each in (200, 201, 202, 206)],
        *[(each, 401) for each in (400, 401, 402, 403, 404, 410, 422)],
        *[(each, 503) for each in (301, 302, 307, 407, 408, 425, 429, 500, 502, 503)],
    ],
)
def test_a_status_lets_in_or_refuses_or_is_no_answer(
    client: TestClient, server: Authority, status: int, expected: int
) -> None:
    server.status, server.headers = status, {"Location": f"{server.url}/elsewhere"}
    first, second = send(client), send(client)
    assert (first.status, second.status) == (expected, expected)
    # What is no answer is never remembered as a refusal.
    assert [asked.path for asked in server.asked] == ["/verify"] * (2 if expected == 503 else 1)
    assert first.headers.get("www-authenticate") == (WANTED if expected == 401 else None)
    assert first.headers.get("retry-after") == ("1" if expected == 503 else None)


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"sub": "ada", "scope": "read write"}, {"sub": "ada", "scopes": ["read", "write"]}),
        ({"subject": "ada", "scopes": ["read", 1]}, {"sub": "ada", "scopes": ["read"]}),
        ({"sub": 1, "scopes": {"a": 1}}, {"sub": "T", "scopes": []}),
        ([1], {"sub": "T", "scopes": []}),
        (b"OK", {"sub": "T", "scopes": []}),
        ({"valid": True, "active": True}, {"sub": "T", "scopes": []}),
    ],
    ids=str,
)
def test_the_body_may_say_who_it_is_and_what_is_granted(
    client: TestClient, server: Authority, answer: Any, shown: dict[str, Any]
) -> None:
    server.answer = lambda asked: answer
    assert send(client).json() == shown
    assert send(client, path="/read").status == (200 if "read" in shown["scopes"] else 403)
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", [{"valid": False}, {"active": False}, {"valid": "true"}, {"active": None}], ids=str)
def test_a_body_that_says_no_refuses(client: TestClient, server: Authority, answer: Any) -> None:
    server.answer = lambda asked: answer
    assert send(client).status == 401


# -- what is remembered


def test_answers_are_known_for_their_time(client: TestClient, server: Authority, clock: Clock) -> None:
    assert [send(client, key).status for key in ("a", "a", "b", "a")] == [200] * 4
    assert len(server.asked) == 2
    clock.now += 60
    server.status = 401
    assert [send(client, "a").status for _ in range(3)] == [401] * 3
    assert len(server.asked) == 3
    clock.now += 10
    server.status = 200
    assert send(client, "a").status == 200


def test_what_is_known_is_bounded_and_holds_no_key(server: Authority, clock: Clock) -> None:
    tried = RemoteKeyProvider(RemoteKey(verify_url=f"{server.url}/", cache_size=4), monotonic=clock)
    with TestClient(application(tried, scheme=HEADER)) as client:
        for number in range(20):
            assert send(client, f"canary-{number}").status == 200
    known = tried._answers._known
    assert 1 <= len(known) <= 4
    assert "canary" not in repr([known._young, known._old])


def test_requests_with_one_key_that_come_together_ask_once(server: Authority, clock: Clock) -> None:
    arrived, go_on = threading.Semaphore(0), threading.Event()
    server.before = lambda: (go_on.wait(20), None)[1]

    class Arrivals:
        everything = True

        def before(self, request: Any) -> None:
            arrived.release()

    app = application(RemoteKeyProvider(RemoteKey(f"{server.url}/", timeout_ms=20_000)), scheme=HEADER)
    app.add_middleware(Arrivals())

    def ask(number: int) -> int:
        connection = http.client.HTTPConnection(found.url.partition("//")[2], timeout=20)
        try:
            connection.request("GET", "/x", headers={"X-Key": "k"})
            return connection.getresponse().status
        finally:
            connection.close()

    with running(app) as found, ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(ask, number) for number in range(8)]
        assert all(arrived.acquire(timeout=20) for _ in range(8))
        go_on.set()
        assert [each.result(20) for each in waiting] == [200] * 8
    assert len(server.asked) == 1


def test_a_server_that_is_away_or_slow_refuses_nobody(server: Authority, clock: Clock) -> None:
    go_on = threading.Event()
    server.before = lambda: (go_on.wait(20), None)[1]
    with client_of(server, clock, timeout_ms=50) as client:
        assert send(client).status == 503
        go_on.set()
        server.before = lambda: None
        assert send(client).status == 200


def test_what_is_known_stays_in_use_while_the_server_is_away_if_that_is_wanted(clock: Clock) -> None:
    with authority() as server:
        client = client_of(server, clock, stale_secs=100)
        assert send(client).status == 200
    clock.now += 159
    assert send(client).status == 200
    assert send(client, "another").status == 503
    clock.now += 2
    assert send(client).status == 503
    client.close()


# -- the configuration


def test_the_configuration_alone_is_enough(server: Authority) -> None:
    config = {"security": {"remote_api_keys": {"T": {"verify_url": server.url}}}}
    with TestClient(application(config=config, scheme=HEADER)) as client:
        assert send(client).status == 200


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({}, r"security\.remote_api_keys\.T needs 'verify_url'"),
        ({"verify_url": "http://keys.example/"}, r"security\.remote_api_keys\.T\.verify_url: it is not https"),
        ({"verify_url": "https://x/", "send_as": "a b"}, r"T\.send_as is not the name of a header field"),
        ({"verify_url": "https://x/", "header_name": "a:b"}, r"T\.header_name is not the name of a header field"),
        ({"verify_url": "https://x/", "timeout_ms": 0}, "'concurrent', timeout"),
    ],
)
def test_settings_that_make_no_sense_are_named(entry: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        _ = application(config={"security": {"remote_api_keys": {"T": entry}}}, scheme=HEADER).service


def test_keys_are_here_or_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRRTR_API_KEY", "everywhere")
    remote = {"remote_api_keys": {"T": {"verify_url": "https://x/"}}}
    _ = application(config={"security": remote}, scheme=HEADER).service
    with pytest.raises(ConfigError, match=r"configured twice: security\.remote_api_keys\.T, security\.api_keys\.T"):
        _ = application(config={"security": {**remote, "api_keys": {"T": {"key": "k"}}}}, scheme=HEADER).service


# -- PropelAuth


def bearer(client: TestClient, text: str) -> int:
    return client.get("/x", headers={"Authorization": f"Bearer {text}"}).status


@pytest.mark.parametrize("scheme", [{"type": "http", "scheme": "bearer"}, {"type": "oauth2", "flows": {}}], ids=str)
def test_propelauth_is_short_for_the_keys_and_the_issuer_of_a_project(scheme: dict[str, Any]) -> None:
    with issuing(jwk(private("RSA2048"), "rsa")) as issuer:
        base = issuer.url.removesuffix("/keys")
        config = {"security": {"propelauth": {"auth_url": base + "/", "audience": "api"}}}
        with TestClient(application(config=config, scheme=scheme)) as client:
            good = claims(iss=base, exp=4_000_000_000)
            assert bearer(client, token(good)) == 200
            assert bearer(client, token({**good, "iss": "https://else.example"})) == 401
            assert bearer(client, token({**good, "aud": "else"})) == 401
        assert issuer.paths == ["/.well-known/jwks.json"]


def test_issuer_and_address_of_the_keys_can_be_set_for_propelauth() -> None:
    with issuing(jwk(private("RSA2048"), "rsa")) as issuer:
        short = {"auth_url": "https://auth.example", "jwks_url": issuer.url, "issuer": "https://other.example"}
        with TestClient(application(config={"security": {"propelauth": short}})) as client:
            assert bearer(client, token(claims(iss="https://other.example", exp=4_000_000_000))) == 200


def test_settings_of_a_scheme_go_before_propelauth() -> None:
    with issuing(jwk(private("RSA2048"), "rsa")) as issuer:
        config = {
            "security": {"propelauth": {"auth_url": "https://auth.example"}, "jwks": {"T": {"jwks_url": issuer.url}}}
        }
        with TestClient(application(config=config)) as client:
            assert bearer(client, token(claims(exp=4_000_000_000))) == 200


@pytest.mark.parametrize("url", ["nowhere", "http://auth.example", "https://", "https://user:pass@auth.example"])
def test_an_address_of_propelauth_that_is_none_is_named(url: str) -> None:
    with pytest.raises(ConfigError, match=r"security\.propelauth\.auth_url: "):
        _ = application(config={"security": {"propelauth": {"auth_url": url}}}).service
