"""Keys that are fetched: when, how often, and what is done while the issuer is down, slow, huge, or sends us away."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from jwt_support import ISS, NOW, Clock, Issuer, application, claims, issuing, jwk, private, provider, token

from brrtrouter import Request
from brrtrouter.testing import TestClient, TestResponse, running

FIRST, SECOND = private("RSA2048"), private("RSA2048", "second")
LONG = claims(exp=NOW + 10**6)
OLD, NEW = token(LONG, kid="1"), token(LONG, key=SECOND, kid="2")


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing(jwk(FIRST, "1")) as found:
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(issuer: Issuer, clock: Clock) -> Iterator[TestClient]:
    with TestClient(application(provider(clock, jwks_url=issuer.url))) as found:
        yield found


def send(client: TestClient, text: str = OLD) -> TestResponse:
    return client.get("/x", headers={"Authorization": f"Bearer {text}"})


async def _rest() -> None:
    """Let what is done beside the requests come to its end."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*tasks, return_exceptions=True)


def settle(client: TestClient) -> None:
    client._loop.run_until_complete(_rest())


def statuses(client: TestClient, *texts: str) -> list[int]:
    return [send(client, text).status for text in texts]


# -- when they are fetched


def test_keys_are_fetched_when_the_first_token_comes(client: TestClient, issuer: Issuer) -> None:
    assert client.get("/x").status == 401
    assert issuer.fetches == 0
    assert statuses(client, OLD, OLD, token(claims(), kid="1")) == [200] * 3
    assert issuer.fetches == 1


def test_keys_are_fetched_again_beside_the_requests_before_they_are_too_old(
    client: TestClient, issuer: Issuer, clock: Clock
) -> None:
    send(client)
    clock.now += 239
    send(client)
    settle(client)
    assert issuer.fetches == 1
    clock.now += 2
    issuer.publish(jwk(SECOND, "2"))
    assert send(client).status == 200  # by the keys that there are
    settle(client)
    assert issuer.fetches == 2
    assert statuses(client, OLD, NEW) == [401, 200]


def test_keys_that_are_too_old_are_waited_for(client: TestClient, issuer: Issuer, clock: Clock) -> None:
    assert send(client).status == 200
    issuer.publish(jwk(SECOND, "2"))
    clock.now += 300
    assert send(client).status == 401  # remembered, but its key has been taken back
    assert issuer.fetches == 2


def test_tokens_stay_remembered_when_the_same_keys_come_again(
    client: TestClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from brrtrouter.providers.keys import KeySet

    assert send(client).status == 200
    monkeypatch.setattr(KeySet, "verify", lambda self, parsed: pytest.fail("verified again"))
    clock.now += 300
    assert statuses(client, OLD, OLD) == [200, 200]


def test_the_time_to_live_can_be_set(issuer: Issuer, clock: Clock) -> None:
    with TestClient(application(provider(clock, jwks_url=issuer.url, cache_ttl_secs=10))) as client:
        for _ in range(3):
            assert send(client).status == 200
            clock.now += 10
    assert issuer.fetches == 3


# -- rotation


def test_a_key_that_is_unknown_is_looked_for_at_once(client: TestClient, issuer: Issuer) -> None:
    assert statuses(client, OLD, NEW) == [200, 401]
    assert issuer.fetches == 2


def test_a_new_key_is_found_without_a_failed_request(client: TestClient, issuer: Issuer) -> None:
    assert send(client).status == 200
    issuer.publish(jwk(FIRST, "1"), jwk(SECOND, "2"))
    assert statuses(client, NEW, OLD, NEW) == [200] * 3
    assert issuer.fetches == 2


def test_a_thousand_unknown_keys_cost_one_fetch_in_a_cool_down(
    client: TestClient, issuer: Issuer, clock: Clock
) -> None:
    send(client)
    unknown = [token(LONG, kid=f"unknown-{number}") for number in range(10)] * 100
    assert statuses(client, *unknown) == [401] * 1000
    assert issuer.fetches == 2
    clock.now += 29.9
    assert statuses(client, *unknown[:10]) == [401] * 10
    assert issuer.fetches == 2
    clock.now += 0.2
    assert statuses(client, *unknown[:10]) == [401] * 10
    assert issuer.fetches == 3


def test_keys_change_under_load_without_a_failed_request(issuer: Issuer, clock: Clock) -> None:
    changed = threading.Event()

    def load(number: int) -> list[int]:
        found = []
        for turn in range(60):
            if turn == 20 and number == 0:
                issuer.publish(jwk(FIRST, "1"), jwk(SECOND, "2"))
                changed.set()
            if turn >= 20:
                changed.wait(20)
            text = OLD if turn < 20 or turn % 2 else NEW
            found.append(status_of(server.url, text))
        return found

    with running(application(provider(clock, jwks_url=issuer.url))) as server, ThreadPoolExecutor(4) as pool:
        results = [status for each in pool.map(load, range(4)) for status in each]
    assert results == [200] * 240
    assert issuer.fetches == 2


def test_an_old_key_is_taken_away_under_load_without_a_failed_request(issuer: Issuer, clock: Clock) -> None:
    """Both keys are published, clients change to the new one, then the old one goes: RFC 7517 needs no more."""
    all_new, gone = threading.Barrier(4, timeout=20), threading.Event()

    def load(number: int) -> list[int]:
        found = []
        for turn in range(40):
            if turn == 20 and all_new.wait() == 0:  # nobody has an old token any more
                issuer.publish(jwk(SECOND, "2"))
                clock.now += 301
                gone.set()
            if turn >= 20:
                gone.wait(20)
            found.append(status_of(server.url, OLD if turn < 20 and turn % 2 else token(LONG, key=SECOND, kid="2")))
        return found

    issuer.publish(jwk(FIRST, "1"), jwk(SECOND, "2"))
    with running(application(provider(clock, jwks_url=issuer.url))) as server, ThreadPoolExecutor(4) as pool:
        results = [status for each in pool.map(load, range(4)) for status in each]
        assert results == [200] * 160
        assert status_of(server.url, OLD) == 401
    assert issuer.fetches <= 3  # the last one because the old key is unknown now


def status_of(url: str, text: str) -> int:
    connection = http.client.HTTPConnection(url.partition("//")[2], timeout=20)
    try:
        connection.request("GET", "/x", headers={"Authorization": f"Bearer {text}"})
        return connection.getresponse().status
    finally:
        connection.close()


# -- one fetch for all


class Arrivals:
    """Says when so many requests have come."""

    everything = True

    def __init__(self, count: int) -> None:
        self.missing = count
        self.all_there = threading.Event()

    def before(self, request: Request) -> None:
        self.missing -= 1
        if self.missing == 0:
            self.all_there.set()


def test_requests_that_come_together_wait_for_one_fetch(issuer: Issuer, clock: Clock) -> None:
    arrivals = Arrivals(8)
    issuer.before = lambda: (arrivals.all_there.wait(20), None)[1]
    app = application(provider(clock, jwks_url=issuer.url))
    app.add_middleware(arrivals)
    with running(app) as server, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(status_of, [server.url] * 8, [OLD] * 8)) == [200] * 8
    assert issuer.fetches == 1


def test_a_slow_issuer_keeps_nobody_else_waiting(issuer: Issuer, clock: Clock) -> None:
    asked, go_on = threading.Event(), threading.Event()
    issuer.before = lambda: (asked.set(), go_on.wait(20))[0]
    with running(application(provider(clock, jwks_url=issuer.url))) as server, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(status_of, server.url, OLD)
        assert asked.wait(20)
        assert [status_of(server.url, "not-a-token") for _ in range(20)] == [401] * 20
        assert not waiting.done()
        go_on.set()
        assert waiting.result(20) == 200


# -- an issuer that fails


def broken(issuer: Issuer, how: str) -> None:
    def redirect(location: str) -> None:
        issuer.status, issuer.headers = 302, {"Location": location}

    acts: dict[str, Callable[[], Any]] = {
        "500": lambda: setattr(issuer, "status", 500),
        "404": lambda: setattr(issuer, "status", 404),
        "204": lambda: (setattr(issuer, "status", 204), setattr(issuer, "body", b"")),
        "not JSON": lambda: setattr(issuer, "body", b"<html>"),
        "no keys": lambda: issuer.publish(),
        "huge": lambda: setattr(issuer, "body", b" " * (10 * 1024 * 1024)),
        "a little too large": lambda: setattr(issuer, "body", issuer.body + b" " * (256 * 1024)),
        "a shared secret": lambda: issuer.publish(jwk(b"s" * 64, "1")),
        "too many keys": lambda: issuer.publish(*[jwk(FIRST, str(number)) for number in range(101)]),
        "loop": lambda: redirect("/keys"),
        "other host": lambda: redirect("http://localhost:1/keys"),
        "other port": lambda: redirect("http://127.0.0.1:1/keys"),
        "other scheme": lambda: redirect(issuer.url.replace("http:", "https:")),
        "no URL": lambda: redirect("file:///etc/passwd"),
        "a redirection to nowhere": lambda: setattr(issuer, "status", 301),
    }
    acts[how]()


HOW = [
    "500", "404", "204", "not JSON", "no keys", "a shared secret", "huge", "a little too large",
    "too many keys", "loop", "other host",
    "other port", "other scheme", "no URL", "a redirection to nowhere",
]  # fmt: skip


@pytest.mark.parametrize("how", HOW)
def test_without_any_keys_the_answer_is_503_until_there_are_some(
    client: TestClient, issuer: Issuer, clock: Clock, how: str
) -> None:
    good = issuer.body
    broken(issuer, how)
    response = send(client)
    assert response.status == 503
    assert response.headers["retry-after"] == "1"
    assert response.json()["type"].endswith("/service-unavailable")
    fetched = issuer.fetches
    assert fetched == (4 if how == "loop" else 1)
    assert statuses(client, OLD, NEW) == [503, 503]  # nobody is asked again so soon
    assert issuer.fetches == fetched
    issuer.status, issuer.headers, issuer.body = 200, {}, good
    clock.now += 1
    assert send(client).status == 200


@pytest.mark.parametrize("how", HOW)
def test_while_others_cannot_be_had_the_last_good_keys_are_used(
    client: TestClient, issuer: Issuer, clock: Clock, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert send(client).status == 200
    good = issuer.body
    broken(issuer, how)
    clock.now += 301
    with caplog.at_level(logging.WARNING, "brrtrouter.security"):
        assert statuses(client, OLD, OLD, token(LONG, kid="1")) == [200] * 3
    assert "could not be fetched, those there are stay in use" in caplog.text
    clock.now += 86_400 - 302
    assert send(client).status == 200
    settle(client)
    clock.now += 60
    assert send(client).status == 503
    issuer.status, issuer.headers, issuer.body = 200, {}, good
    clock.now += 60
    assert send(client).status == 200


def test_while_the_last_good_keys_are_used_requests_do_not_ask_for_others_each(
    client: TestClient, issuer: Issuer, clock: Clock
) -> None:
    assert send(client).status == 200
    issuer.status = 500
    clock.now += 301
    for _ in range(10):
        assert send(client).status == 200
        settle(client)
    assert issuer.fetches == 2
    clock.now += 1
    assert send(client).status == 200
    settle(client)
    assert issuer.fetches == 3


def test_keys_of_another_host_are_not_taken_even_when_they_are_good(
    client: TestClient, issuer: Issuer, clock: Clock
) -> None:
    with issuing(jwk(FIRST, "1")) as other:
        for url in (other.url, other.url.replace("127.0.0.1", "localhost")):
            issuer.status, issuer.headers = 302, {"Location": url}
            assert send(client).status == 503
            clock.now += 60
        assert (issuer.fetches, other.fetches) == (2, 0)


def test_an_issuer_that_is_down_is_asked_more_and_more_rarely(client: TestClient, issuer: Issuer, clock: Clock) -> None:
    issuer.status = 500
    waits = []
    for _ in range(7):
        response = send(client)
        assert response.status == 503
        waits.append(int(response.headers["retry-after"]))
        clock.now += waits[-1]
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert issuer.fetches == 7


def test_an_issuer_that_is_not_there_is_503(clock: Clock) -> None:
    with issuing() as gone:
        url = gone.url
    with TestClient(application(provider(clock, jwks_url=url))) as client:
        assert send(client).status == 503


def test_an_issuer_that_never_answers_is_given_up(issuer: Issuer, clock: Clock) -> None:
    go_on = threading.Event()
    issuer.before = lambda: (go_on.wait(20), None)[1]
    with TestClient(application(provider(clock, jwks_url=issuer.url, fetch_timeout_secs=0.05))) as client:
        assert send(client).status == 503
        go_on.set()


def test_redirections_on_the_same_host_are_followed(issuer: Issuer, client: TestClient) -> None:
    def before() -> None:
        moved = issuer.paths[-1] == "/keys"
        issuer.status, issuer.headers = (307, {"location": "/moved"}) if moved else (200, {})

    issuer.before = before
    assert send(client).status == 200
    assert issuer.paths == ["/keys", "/moved"]


def test_a_key_that_is_unknown_is_refused_while_the_issuer_is_down(
    client: TestClient, issuer: Issuer, clock: Clock
) -> None:
    assert send(client).status == 200
    issuer.status = 500
    assert statuses(client, NEW, NEW) == [401, 401]
    assert issuer.fetches == 2
    issuer.publish(jwk(FIRST, "1"), jwk(SECOND, "2"))
    clock.now += 31
    assert send(client, NEW).status == 200


def test_limits_of_a_document_can_be_set(issuer: Issuer, clock: Clock) -> None:
    issuer.publish(jwk(FIRST, "1"), jwk(SECOND, "2"))
    for settings, status in (
        ({"max_keys": 1}, 503),
        ({"max_keys": 2}, 200),
        ({"max_bytes": len(issuer.body) - 1}, 503),
        ({"max_bytes": len(issuer.body)}, 200),
    ):
        with TestClient(application(provider(clock, jwks_url=issuer.url, **settings))) as client:
            assert send(client).status == status


# -- an issuer that says where its keys are


def describe(issuer: Issuer, /, **changed: Any) -> None:
    """Serve a description and, at another path, the keys."""
    keys = issuer.body
    described = {"issuer": ISS, "jwks_uri": issuer.url, **changed}

    def before() -> None:
        issuer.body = json.dumps(described).encode() if issuer.paths[-1] == "/discovery" else keys

    issuer.before = before


def discovering(issuer: Issuer, clock: Clock) -> TestClient:
    return TestClient(application(provider(clock, discovery_url=issuer.url.replace("/keys", "/discovery"))))


def test_keys_are_found_by_what_the_issuer_says_of_itself(issuer: Issuer, clock: Clock) -> None:
    describe(issuer)
    with discovering(issuer, clock) as client:
        assert statuses(client, OLD, OLD) == [200, 200]
    assert issuer.paths == ["/discovery", "/keys"]


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": ISS + "/"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": "http://issuer.example/keys"},
        {"jwks_uri": "file:///keys"},
        {"more": "x" * 300_000},
    ],
    ids=lambda changed: str(changed)[:40],
)
def test_a_description_that_does_not_fit_gives_no_keys(issuer: Issuer, clock: Clock, changed: dict[str, Any]) -> None:
    describe(issuer, **changed)
    with discovering(issuer, clock) as client:
        assert send(client).status == 503
    assert issuer.paths == ["/discovery"]


def test_a_description_that_is_not_json_gives_no_keys(issuer: Issuer, clock: Clock) -> None:
    issuer.body = b"<html>"
    with discovering(issuer, clock) as client:
        assert send(client).status == 503


# -- what it costs


def test_a_token_that_is_known_costs_no_task(client: TestClient) -> None:
    made: list[int] = []

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        made[-1] += 1
        return asyncio.Task(coroutine, loop=loop, **options)

    client._loop.set_task_factory(factory)
    for request in (lambda: client.get("/health"), lambda: send(client), lambda: send(client)):
        made.append(0)
        assert request().status == 200
    assert made[1] > made[0]  # the keys have to be fetched
    assert made[2] == made[0]


@pytest.mark.parametrize("missing", ["joserfc", "argon2"])
def test_without_the_packages_of_the_extra_the_message_says_how_to_install_it(missing: str) -> None:
    config = {"joserfc": {"jwks": {"T": {"jwks_url": "https://x/"}}}, "argon2": {"basic": {"T": {"users": {"a": "b"}}}}}
    scheme = {"type": "http", "scheme": "bearer" if missing == "joserfc" else "basic"}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/x": {"get": {"security": [{"T": []}], "responses": {"200": {"description": ""}}}}},
        "components": {"securitySchemes": {"T": scheme}},
    }
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from brrtrouter import App, ConfigError\n"
        "try:\n"
        f"    App({document!r}, config={{'security': {config[missing]!r}}}).service\n"
        "except ConfigError as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert run.stdout.endswith(".T needs another package: pip install 'brrtrouter[auth]'\n")
