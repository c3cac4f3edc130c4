"""HTTP basic: RFC 7617; passwords as Argon2 hashes: RFC 9106; API keys that are kept as hashes."""

from __future__ import annotations

import base64
import hashlib
import http.client
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from argon2 import PasswordHasher
from jwt_support import Clock, sha256

from brrtrouter import App, ConfigError, Request
from brrtrouter.credentials import Basic
from brrtrouter.providers import basic as module
from brrtrouter.providers.basic import BasicProvider
from brrtrouter.testing import TestClient, TestResponse, running

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct: hörse"
USERS = {"ada": CHEAP.hash(PASSWORD), "bob": CHEAP.hash(""), "zoë": CHEAP.hash("x")}
CHALLENGE = 'Basic realm="api", charset="UTF-8"'
BASIC = {"type": "http", "scheme": "basic"}


async def show(request: Request) -> Any:
    return {"sub": request.auth["S"].subject, "scopes": sorted(request.auth["S"].scopes)}


def application(scheme: dict[str, Any], config: Any = None, provider: Any = None) -> App:
    operations = {
        f"/{name}": {
            "get": {"x-handler-name": "op", "security": [{"S": scopes}], "responses": {"200": {"description": ""}}}
        }
        for name, scopes in (("x", []), ("scoped", ["write"]))
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": operations,
        "components": {"securitySchemes": {"S": scheme}},
    }
    return App(document, {"op": show}, config, security={"S": provider} if provider else None)


def pair(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def send(client: TestClient, value: str, path: str = "/x") -> TestResponse:
    return client.get(path, headers={"Authorization": value})


class Counted:
    """Passwords that are verified, in the threads in which that happens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: list[str] = []
        self.hashes: list[str] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.started = threading.Event()
        counted = self

        class Hasher(PasswordHasher):
            def verify(self, hash: Any, password: Any) -> Any:
                counted.threads.append(threading.current_thread().name)
                counted.hashes.append(hash)
                counted.started.set()
                assert counted.go_on.wait(20)
                return super().verify(hash, password)

        monkeypatch.setattr(module, "PasswordHasher", Hasher)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def users(clock: Clock, **settings: Any) -> BasicProvider:
    return BasicProvider(Basic(users=USERS, **settings), monotonic=clock)


@pytest.fixture
def client(clock: Clock) -> Iterator[TestClient]:
    with TestClient(application(BASIC, provider=users(clock))) as found:
        yield found


@pytest.mark.parametrize(("user", "password"), [("ada", PASSWORD), ("bob", ""), ("zoë", "x")])
def test_a_user_with_the_right_password_is_let_in(client: TestClient, user: str, password: str) -> None:
    for scheme in ("Basic", "basic", "BASIC"):
        response = send(client, pair(user, password).replace("Basic", scheme))
        assert response.json() == {"sub": user, "scopes": []}


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (pair("ada", "wrong"), 401),
        (pair("ada", ""), 401),
        (pair("ADA", PASSWORD), 401),
        (pair("nobody", PASSWORD), 401),
        (pair("", ""), 401),
        (pair("ada", USERS["ada"]), 401),
        ("Bearer abc", 401),
        ("Basic", 401),
        ("Basic ", 401),
        ("Basic !!!", 400),
        ("Basic YWRh", 400),  # no colon
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), 400),
        (pair("ada", PASSWORD) + ", " + pair("ada", PASSWORD), 400),
        (pair("ada", "x" * 10_000), 401),
    ],
)
def test_everything_else_is_refused(client: TestClient, value: str, status: int) -> None:
    for _ in range(2):
        response = send(client, value)
        assert (response.status, response.headers["www-authenticate"]) == (status, CHALLENGE)
        assert response.headers["cache-control"] == "no-store"
    assert client.get("/x").status == 401


def test_an_operation_that_lists_scopes_lets_no_user_in(client: TestClient) -> None:
    for _ in range(2):
        assert send(client, pair("ada", PASSWORD), "/scoped").status == 403
    assert send(client, pair("ada", "wrong"), "/scoped").status == 401


def test_passwords_are_verified_in_threads_of_their_own(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    assert send(client, pair("ada", PASSWORD)).status == 200
    assert [name.rpartition("_")[0] for name in counted.threads] == ["brrtrouter-basic"]


def test_a_right_password_is_known_for_a_while_and_a_wrong_one_never(
    client: TestClient, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(monkeypatch)
    assert [send(client, pair("ada", PASSWORD)).status for _ in range(5)] == [200] * 5
    assert len(counted.threads) == 1
    clock.now += 59.9
    assert send(client, pair("ada", PASSWORD)).status == 200
    assert len(counted.threads) == 1
    clock.now += 0.1
    assert send(client, pair("ada", PASSWORD)).status == 200
    assert len(counted.threads) == 2
    assert [send(client, pair("ada", "wrong")).status for _ in range(3)] == [401] * 3
    assert len(counted.threads) == 5


def test_what_is_remembered_is_bounded_and_is_no_password(clock: Clock) -> None:
    provider = users(clock, cache_size=2)
    with TestClient(application(BASIC, provider=provider)) as client:
        for user, password in (("ada", PASSWORD), ("bob", ""), ("zoë", "x")):
            assert send(client, pair(user, password)).status == 200
    assert len(provider._right) <= 2
    assert PASSWORD not in repr(vars(provider._right)) + repr(provider._under_way)


def test_a_user_that_is_not_there_costs_what_another_costs(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    assert send(client, pair("nobody", PASSWORD)).status == 401
    assert counted.hashes[0].rpartition("$")[0].rpartition("$")[0] == USERS["ada"].rpartition("$")[0].rpartition("$")[0]


def answer(url: str, value: str) -> tuple[int, str | None]:
    """Status and Retry-After of one request to a server."""
    connection = http.client.HTTPConnection(url.partition("//")[2], timeout=20)
    try:
        connection.request("GET", "/x", headers={"Authorization": value})
        response = connection.getresponse()
        return response.status, response.headers["Retry-After"]
    finally:
        connection.close()


def test_requests_that_come_together_verify_once_and_too_many_are_turned_away(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(monkeypatch)
    counted.go_on.clear()
    app = application(BASIC, provider=users(clock, threads=1, waiting=1))
    with running(app) as server, ThreadPoolExecutor(4) as pool:
        first = pool.submit(answer, server.url, pair("ada", PASSWORD))
        assert counted.started.wait(20)
        assert answer(server.url, pair("ada", "wrong")) == (503, "1")
        same = [pool.submit(answer, server.url, pair("ada", PASSWORD)) for _ in range(3)]
        assert not first.done()
        counted.go_on.set()
        assert [each.result(20)[0] for each in (first, *same)] == [200] * 4
    assert len(counted.threads) == 1


def test_the_configuration_alone_makes_users() -> None:
    config = {"security": {"basic": {"S": {"users": USERS}}}}
    with TestClient(application(BASIC, config)) as client:
        assert send(client, pair("ada", PASSWORD)).status == 200
        for shown in (repr(client.app.config), send(client, pair("ada", "guess")).text):
            assert USERS["ada"] not in shown


@pytest.mark.parametrize("text", ["", "secret", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=8"])
def test_what_is_no_argon2_hash_refuses_to_start(text: str) -> None:
    app = application(BASIC, {"security": {"basic": {"S": {"users": {"ada": text}}}}})
    with pytest.raises(ConfigError, match=r"security\.basic\.S\.users\.ada is not an Argon2 hash") as refused:
        _ = app.service
    assert not text or text not in str(refused.value)


# -- API keys

HEADER = {"type": "apiKey", "in": "header", "name": "X-Key"}
SEVERAL = [
    {"key": "one", "subject": "ada", "scopes": ["write", "read"]},
    {"key_sha256": sha256("two").upper(), "subject": "bob", "scopes": ["read"]},
    {"key": "three"},
]


@pytest.mark.parametrize(
    ("entry", "key", "sub", "statuses"),
    [
        ({"key": "one"}, "one", "S", (200, 403)),
        ({"key_sha256": sha256("one")}, "one", "S", (200, 403)),
        ({"key_sha256": sha256("one")}, sha256("one"), None, (401, 401)),
        ({"keys": SEVERAL}, "one", "ada", (200, 200)),
        ({"keys": SEVERAL}, "two", "bob", (200, 403)),
        ({"keys": SEVERAL}, "three", "S", (200, 403)),
        ({"keys": SEVERAL}, "four", None, (401, 401)),
        ({"keys": SEVERAL}, "One", None, (401, 401)),
    ],
)
def test_keys_have_subjects_and_scopes_and_may_be_hashes(
    entry: dict[str, Any], key: str, sub: str | None, statuses: Sequence[int]
) -> None:
    with TestClient(application(HEADER, {"security": {"api_keys": {"S": entry}}})) as client:
        found = [client.get(path, headers={"X-Key": key}) for path in ("/x", "/scoped")]
        assert tuple(each.status for each in found) == statuses
        assert found[0].json().get("sub") == sub


def test_a_provider_does_not_keep_its_keys() -> None:
    from brrtrouter.policy.security import ApiKeyProvider

    kept = repr(vars(ApiKeyProvider("hush-hush")))
    assert "hush-hush" not in kept
    assert hashlib.sha256(b"hush-hush").hexdigest() not in kept
    assert repr(hashlib.sha256(b"hush-hush").digest())[2:-1] not in kept
