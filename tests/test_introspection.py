"""Tokens that their server is asked about (RFC 7662): what is remembered, and what is done while it is away."""

from __future__ import annotations

import base64
import http.client
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from asking_support import Asked, Authority, authority
from hypothesis import given
from hypothesis import strategies as st
from jwt_support import ISS, NOW, Clock, application

from brrtrouter import ConfigError
from brrtrouter.config import Introspection
from brrtrouter.providers.introspection import IntrospectionProvider
from brrtrouter.testing import TestClient, TestResponse, running

SECRET = "s3cr3t:ä/+"
ACTIVE = {"active": True, "sub": "ada", "scope": "read write", "exp": NOW + 600}
INVALID = 'Bearer realm="api", error="invalid_token"'


@pytest.fixture
def server() -> Iterator[Authority]:
    with authority() as found:
        found.answer = lambda asked: ACTIVE
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()


def provider(server: Authority, clock: Clock, **given: Any) -> IntrospectionProvider:
    settings = {"url": f"{server.url}/introspect", "client_id": "api", "client_secret": SECRET, **given}
    return IntrospectionProvider(Introspection(**settings), wall=clock, monotonic=clock)


@pytest.fixture
def client(server: Authority, clock: Clock) -> Iterator[TestClient]:
    with TestClient(application(provider(server, clock))) as found:
        yield found


def send(client: TestClient, text: str = "opaque-1", path: str = "/x") -> TestResponse:
    return client.get(path, headers={"Authorization": f"Bearer {text}"})


def statuses(client: TestClient, *texts: str) -> list[int]:
    return [send(client, text).status for text in texts]


# -- the question


def test_the_server_is_asked_about_the_token_with_our_credentials_in_the_header(
    client: TestClient, server: Authority
) -> None:
    assert send(client, "opaque-1~+/=").json() == {"sub": "ada", "scopes": ["read", "write"]}
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/introspect")
    assert parse_qs(asked.body) == {"token": ["opaque-1~+/="], "token_type_hint": ["access_token"]}
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    kind, _, pair = asked.headers["authorization"].partition(" ")
    assert (kind, base64.b64decode(pair)) == ("Basic", b"api:s3cr3t%3A%C3%A4%2F%2B")  # RFC 6749 section 2.3.1


def test_our_credentials_may_be_in_the_form_and_from_a_file(server: Authority, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    given = {"client_auth": "post", "client_secret": "", "client_secret_file": str(tmp_path / "secret")}
    with TestClient(application(provider(server, clock, **given))) as client:
        assert send(client).status == 200
    form = parse_qs(server.asked[0].body)
    assert (form["client_id"], form["client_secret"]) == (["api"], [SECRET])
    assert "authorization" not in server.asked[0].headers


@pytest.mark.parametrize("text", ["a,b", "a b", "a\x80b"])
def test_what_can_be_no_token_is_refused_without_a_question(client: TestClient, server: Authority, text: str) -> None:
    assert send(client, text).status in (400, 401)
    assert client.get("/x").headers["www-authenticate"] == 'Bearer realm="api"'
    assert not server.asked


@pytest.mark.parametrize(("size", "status"), [(100, 200), (101, 401)])
def test_a_token_that_is_too_long_is_refused_without_a_question(
    server: Authority, clock: Clock, size: int, status: int
) -> None:
    with TestClient(application(provider(server, clock, max_token=100))) as client:
        assert send(client, "x" * size).status == status
    assert len(server.asked) == (status == 200)


@given(text=st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_no_bytes_in_place_of_a_token_are_more_than_refused(text: str) -> None:
    settings = Introspection(url="http://127.0.0.1:1/", client_id="a", client_secret="b", cooldown_secs=1e6)
    with TestClient(application(IntrospectionProvider(settings))) as client:
        field = "".join(each for each in text if each not in "\r\n\0")
        assert send(client, field).status in (400, 401, 503)


# -- the answer


ANSWERS: dict[str, tuple[Any, int]] = {
    "active": ({"active": True}, 200),
    "client_id only": ({"active": True, "client_id": "c"}, 200),
    "a list of audiences": ({**ACTIVE, "aud": ["other", "api"]}, 200),
    "bearer": ({**ACTIVE, "token_type": "Bearer"}, 200),
    "exp a moment ago": ({**ACTIVE, "exp": NOW - 3}, 200),
    "not active": ({"active": False}, 401),
    "not active with claims": ({**ACTIVE, "active": False}, 401),
    "expired": ({**ACTIVE, "exp": NOW - 31}, 401),
    "exp a text": ({**ACTIVE, "exp": "never"}, 401),
    "exp true": ({**ACTIVE, "exp": True}, 401),
    "nbf ahead": ({**ACTIVE, "nbf": NOW + 31}, 401),
    "sub a number": ({**ACTIVE, "sub": 1}, 401),
    "bound to a key": ({**ACTIVE, "cnf": {"jkt": "x"}}, 401),
    "DPoP": ({**ACTIVE, "token_type": "DPoP"}, 401),
    "a refresh token": ({**ACTIVE, "token_use": "refresh_token"}, 401),
    "active a text": ({"active": "true"}, 503),
    "active a number": ({"active": 1}, 503),
    "no active": ({"sub": "ada"}, 503),
    "a list": ([True], 503),
    "not JSON": (b"<html>", 503),
    "active twice": (b'{"active": false, "active": true}', 503),
    "deep": (b'{"active": true, "a": ' + b"[" * 5000 + b"]" * 5000 + b"}", 503),
    "huge": (b'{"active": true, "a": "' + b"x" * 70_000 + b'"}', 503),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_an_answer_means(client: TestClient, server: Authority, name: str) -> None:
    value, status = ANSWERS[name]
    server.answer = lambda asked: value
    response = send(client)
    assert response.status == status
    assert response.headers.get("www-authenticate") == (INVALID if status == 401 else None)
    assert ("retry-after" in response.headers) == (status == 503)
    assert send(client).status == status
    assert len(server.asked) == (2 if status == 503 else 1)  # what is no answer is not remembered


@pytest.mark.parametrize("status", [201, 204, 301, 307, 400, 401, 403, 404, 429, 500, 503])
def test_another_status_is_no_answer_and_leads_nowhere(client: TestClient, server: Authority, status: int) -> None:
    server.status, server.headers = status, {"Location": f"{server.url}/elsewhere"}
    if status == 204:
        server.answer = lambda asked: b""
    assert statuses(client, "a", "a") == [503, 503]
    assert [asked.path for asked in server.asked] == ["/introspect"] * 2
    server.status, server.headers, server.answer = 200, {}, lambda asked: ACTIVE
    assert send(client, "a").status == 200


def test_issuer_and_audience_have_to_fit_when_they_are_set(server: Authority, clock: Clock) -> None:
    with TestClient(application(provider(server, clock, iss=ISS, aud=("api",)))) as client:
        for number, (change, status) in enumerate(
            [
                ({"iss": ISS, "aud": "api"}, 200),
                ({"iss": ISS, "aud": ["x", "api"]}, 200),
                ({"iss": ISS + "/", "aud": "api"}, 401),
                ({"iss": ISS, "aud": "apis"}, 401),
                ({"iss": ISS}, 401),
                ({"aud": "api"}, 401),
            ]
        ):
            value = {**ACTIVE, **change}
            server.answer = lambda asked, value=value: value  # type: ignore[misc]
            assert send(client, f"token-{number}").status == status, change


def test_scopes_that_are_missing_are_403_and_named(client: TestClient) -> None:
    assert send(client, path="/read").status == 200
    response = send(client, path="/admin")
    assert response.status == 403
    wanted = 'Bearer realm="api", error="insufficient_scope", scope="read admin"'
    assert response.headers["www-authenticate"] == wanted


# -- what is remembered


def test_an_active_token_is_known_for_its_time_but_never_beyond_exp(
    client: TestClient, server: Authority, clock: Clock
) -> None:
    assert statuses(client, "a", "a", "b") == [200] * 3
    assert len(server.asked) == 2
    clock.now += 59.9
    assert send(client, "a").status == 200
    assert len(server.asked) == 2
    clock.now += 0.2
    assert send(client, "a").status == 200
    assert len(server.asked) == 3
    server.answer = lambda asked: {**ACTIVE, "exp": clock.now + 1 - 30}  # with the leeway: one second
    assert send(client, "short").status == 200
    clock.now += 1
    server.answer = lambda asked: {"active": False}
    assert send(client, "short").status == 401


def test_a_token_that_is_not_active_is_known_for_a_shorter_time(
    client: TestClient, server: Authority, clock: Clock
) -> None:
    server.answer = lambda asked: {"active": False}
    assert statuses(client, "a", "a", "a") == [401] * 3
    assert len(server.asked) == 1
    clock.now += 10
    server.answer = lambda asked: ACTIVE
    assert send(client, "a").status == 200


def test_what_is_known_is_bounded(server: Authority, clock: Clock) -> None:
    tried = provider(server, clock, cache_size=4)
    with TestClient(application(tried)) as client:
        assert statuses(client, *[f"token-{number}" for number in range(20)]) == [200] * 20
    assert 1 <= len(tried._answers._known) <= 4


def test_requests_with_one_token_that_come_together_ask_once(server: Authority, clock: Clock) -> None:
    arrived, go_on = threading.Semaphore(0), threading.Event()
    server.before = lambda: (go_on.wait(20), None)[1]

    class Arrivals:
        everything = True

        def before(self, request: Any) -> None:
            arrived.release()

    app = application(provider(server, clock))
    app.add_middleware(Arrivals())
    with running(app) as found, ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(status_of, found.url, "one") for _ in range(8)]
        for _ in range(8):
            assert arrived.acquire(timeout=20)
        assert status_of(found.url, "not, a token") == 400  # nobody else waits
        go_on.set()
        assert [each.result(20) for each in waiting] == [200] * 8
    assert len(server.asked) == 1


def status_of(url: str, text: str) -> int:
    connection = http.client.HTTPConnection(url.partition("//")[2], timeout=20)
    try:
        connection.request("GET", "/x", headers={"Authorization": f"Bearer {text}"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_only_so_many_questions_are_asked_at_once(server: Authority, clock: Clock) -> None:
    asked, go_on = threading.Event(), threading.Event()
    server.before = lambda: (asked.set(), go_on.wait(20), None)[2]
    with (
        running(application(provider(server, clock, concurrent=1))) as found,
        ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(status_of, found.url, "one")
        assert asked.wait(20)
        assert status_of(found.url, "two") == 503
        go_on.set()
        assert waiting.result(20) == 200


# -- a server that is away


def test_while_the_server_is_away_nobody_can_tell_and_it_is_asked_more_and_more_rarely(clock: Clock) -> None:
    with authority() as gone:
        tried = provider(gone, clock)
    with TestClient(application(tried)) as client:
        waits = [int(send(client, f"token-{number}").headers["retry-after"]) for number in range(3)]
        assert waits == [1, 1, 1]
        for expected in (2, 4, 8, 16, 30, 30):
            clock.now += 40
            response = send(client)
            assert (response.status, response.headers["retry-after"]) == (503, str(expected))
            assert "www-authenticate" not in response.headers


def test_credentials_that_a_server_fails_about_do_not_close_the_way_for_others(
    client: TestClient, server: Authority
) -> None:
    server.status = 500
    assert statuses(client, *[f"bad-{number}" for number in range(10)]) == [503] * 10
    assert len(server.asked) == 10
    server.status = 200
    assert send(client, "good").status == 200


def test_what_is_known_stays_in_use_while_the_server_is_away_if_that_is_wanted(clock: Clock) -> None:
    with authority() as server:
        server.answer = lambda asked: ACTIVE
        strict, patient = provider(server, clock), provider(server, clock, stale_secs=300)
        clients = [TestClient(application(each)) for each in (strict, patient)]
        assert [send(client).status for client in clients] == [200, 200]
    clock.now += 61
    assert [send(client).status for client in clients] == [503, 200]
    clock.now += 300
    assert [send(client).status for client in clients] == [503, 503]
    for client in clients:
        client.close()


def test_stale_answers_end_with_the_token(clock: Clock) -> None:
    with authority() as server:
        server.answer = lambda asked: {**ACTIVE, "exp": NOW + 70}
        client = TestClient(application(provider(server, clock, stale_secs=3600)))
        assert send(client).status == 200
    clock.now += 99
    assert send(client).status == 200
    clock.now += 2
    assert send(client).status == 503
    client.close()


def test_a_server_that_never_answers_is_given_up(server: Authority, clock: Clock) -> None:
    go_on = threading.Event()
    server.before = lambda: (go_on.wait(20), None)[1]
    with TestClient(application(provider(server, clock, timeout_secs=0.05))) as client:
        assert send(client).status == 503
        go_on.set()


# -- where the endpoint is


def test_the_endpoint_is_found_by_what_the_issuer_says_of_itself(server: Authority, clock: Clock) -> None:
    described = {"issuer": ISS, "introspection_endpoint": f"{server.url}/found"}
    given = {"url": "", "discovery_url": f"{server.url}/.well-known/oauth-authorization-server", "iss": ISS}
    server_says: dict[str, Any] = {**ACTIVE, "iss": ISS}
    server.answer = lambda asked: described if asked.method == "GET" else server_says
    with TestClient(application(provider(server, clock, **given))) as client:
        assert statuses(client, "a", "b") == [200, 200]
        paths = ["/.well-known/oauth-authorization-server", "/found", "/found"]
        assert [asked.path for asked in server.asked] == paths
        clock.now += 3600
        described["introspection_endpoint"] = f"{server.url}/moved"
        server_says["exp"] = clock.now + 600
        assert send(client, "c").status == 200
        assert [asked.path for asked in server.asked[3:]] == [paths[0], "/moved"]
        clock.now += 3600
        server_says["exp"] = clock.now + 600
        described["issuer"] = "https://somebody.else"
        assert send(client, "d").status == 200  # the one that is known stays in use
        assert server.asked[-1].path == "/moved"


@pytest.mark.parametrize(
    "changed",
    [{"issuer": ISS + "/"}, {"introspection_endpoint": None}, {"introspection_endpoint": "http://else.example/"}],
    ids=str,
)
def test_a_description_that_does_not_fit_gives_no_endpoint(
    server: Authority, clock: Clock, changed: dict[str, Any]
) -> None:
    described = {"issuer": ISS, "introspection_endpoint": f"{server.url}/found", **changed}
    server.answer = lambda asked: described
    given = {"url": "", "discovery_url": f"{server.url}/description", "iss": ISS}
    with TestClient(application(provider(server, clock, **given))) as client:
        assert send(client).status == 503
    assert [asked.path for asked in server.asked] == ["/description"]


# -- the configuration


@pytest.mark.parametrize(
    "scheme",
    [
        {"type": "http", "scheme": "bearer"},
        {"type": "oauth2", "flows": {}},
        {"type": "openIdConnect", "openIdConnectUrl": "https://issuer.example/.well-known/openid-configuration"},
    ],
    ids=lambda scheme: str(scheme["type"]),
)
def test_the_configuration_alone_binds_all_schemes_with_bearer_tokens(
    server: Authority, scheme: dict[str, Any]
) -> None:
    server.answer = lambda asked: {"active": parse_qs(asked.body)["token"] == ["good"]}
    entry = {"url": f"{server.url}/introspect", "client_id": "api", "client_secret": SECRET}
    with TestClient(application(config={"security": {"introspection": {"T": entry}}}, scheme=scheme)) as client:
        assert statuses(client, "good", "bad") == [200, 401]


GOOD = {"url": "https://x/", "client_id": "a", "client_secret": SECRET}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": ""}, "needs either 'url' or 'discovery_url'"),
        ({"discovery_url": "https://x/"}, "needs either 'url' or 'discovery_url'"),
        ({"url": "", "discovery_url": "https://x/"}, r"\.discovery_url needs 'iss' too"),
        ({"client_id": ""}, "needs 'client_id'"),
        ({"client_secret": ""}, "needs either 'client_secret' or 'client_secret_file'"),
        ({"client_secret_file": "f"}, "needs either 'client_secret' or 'client_secret_file'"),
        ({"client_auth": "none"}, r"\.client_auth is not one of basic, post"),
        ({"concurrent": 0}, "'concurrent', timeout"),
        ({"url": "http://issuer.example/"}, r"security\.introspection\.T\.url: it is not https"),
        ({"url": "nowhere"}, r"security\.introspection\.T\.url: "),
        ({"client_secret": "", "client_secret_file": "/none"}, r"client_secret_file: /none: No such file"),
    ],
)
def test_settings_that_make_no_sense_are_named_and_no_secret_is_told(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        _ = application(config={"security": {"introspection": {"T": {**GOOD, **change}}}}).service
    assert SECRET not in str(caught.value)


def test_a_scheme_is_configured_once() -> None:
    config = {"security": {"introspection": {"T": GOOD}, "jwks": {"T": {"jwks_url": "https://x/"}}}}
    words = r"'T' is configured twice: security\.jwks\.T, security\.introspection\.T"
    with pytest.raises(ConfigError, match=words):
        _ = application(config=config).service


def test_no_secret_is_in_the_log_a_repr_or_an_answer(
    server: Authority, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    tried = provider(server, clock)
    server.status = 500
    with caplog.at_level(logging.DEBUG), TestClient(application(tried)) as client:
        raw = send(client, "canary-token").raw.decode()
    settings = repr(Introspection(**GOOD))
    for text in (caplog.text, raw, settings, repr(tried)):
        assert "canary-token" not in text
        assert SECRET not in text
    assert asked_with_secret(server.asked[0])


def asked_with_secret(asked: Asked) -> bool:
    return base64.b64encode(b"api:s3cr3t%3A%C3%A4%2F%2B").decode() in asked.headers["authorization"]
