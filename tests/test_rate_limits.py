"""Rate limits: exact in any window, for each client, told as Structured Fields, by a clock that the tests hold."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import TIMEOUT

from brrtrouter import App, Request
from brrtrouter.core.peer import Peer
from brrtrouter.core.service import Mode
from brrtrouter.errors import SpecError
from brrtrouter.guards.counts import SLOTS, Memory, Quota
from brrtrouter.guards.limits import address
from brrtrouter.policy.security import Denial, Principal
from brrtrouter.server.handle import Server
from brrtrouter.testing import TestClient, TestResponse, running

KEYS = [{"key": "ada-1", "subject": "ada"}, {"key": "ada-2", "subject": "ada"}, {"key": "bob-1", "subject": "bob"}]
ANON = [{"key": "one"}, {"key": "two"}]


def operation(name: str, limit: Any = None, **more: Any) -> dict[str, Any]:
    extension = {} if limit is None else {"x-rate-limit": limit}
    return {"operationId": name, "responses": {"200": {"description": ""}}, **extension, **more}


DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/open": {"get": operation("open"), "post": operation("post")},
        "/few": {"get": operation("few", {"requests": 2, "windowSecs": 10})},
        "/free": {"get": operation("free", False)},
        "/locked": {"get": operation("locked", security=[{"Key": []}])},
        "/by-ip": {"get": operation("byIp", {"key": "ip"}, security=[{"Key": []}])},
        "/subject": {"get": operation("subject", {"key": "subject"}, security=[{"Key": []}, {}])},
        "/anonymous": {"get": operation("anonymous", security=[{"Bare": []}])},
        "/waits": {"get": operation("waits", security=[{"Slow": []}])},
        "/asked": {"options": operation("asked"), "get": operation("askedGet")},
    },
    "components": {
        "securitySchemes": {
            "Key": {"type": "apiKey", "in": "header", "name": "X-Key"},
            "Bare": {"type": "apiKey", "in": "header", "name": "X-Bare"},
            "Slow": {"type": "http", "scheme": "bearer"},
        }
    },
}


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Slow:
    """A provider that waits for each verdict."""

    asked = 0

    async def authenticate(self, request: Request, scheme: Any, scopes: Any) -> Any:
        Slow.asked += 1
        await asyncio.sleep(0)
        good = request.header("authorization") == "Bearer good"
        return Principal("ada") if good else Denial("invalid", "Bearer")


async def answer(request: Request) -> Any:
    return {"ok": True}


NAMES = [each["operationId"] for item in DOCUMENT["paths"].values() for each in item.values()]


def made(clock: Clock | None = None, document: Mapping[str, Any] = DOCUMENT, **limit: Any) -> App:
    config = {
        "rate_limit": {"enabled": True, "requests": 3, "window_secs": 60, **limit},
        "security": {"api_keys": {"Key": {"keys": KEYS}, "Bare": {"keys": ANON}}},
        "server": {"trusted_proxies": ["127.0.0.1"]},
        "metrics": {"enabled": True},
    }
    app = App(dict(document), dict.fromkeys(NAMES, answer), config, security={"Slow": Slow()})
    if clock is not None:
        app.guards.clock = clock
    return app


def client(clock: Clock | None = None, **limit: Any) -> TestClient:
    return TestClient(made(clock, **limit))


class Asking:
    """GET over connections of their own to a real server, which knows its proxies."""

    def __init__(self, server: Server) -> None:
        self._port = port_of(server)

    def get(self, path: str, headers: Mapping[str, str]) -> TestResponse:
        fields = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Connection": "close"}.items())
        with socket.create_connection(("127.0.0.1", self._port), TIMEOUT) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode())
            with connection.makefile("rb") as stream:
                return TestResponse(stream.read(), "GET")


@contextmanager
def served(app: App) -> Iterator[Asking]:
    with running(app) as server:
        yield Asking(server)


def port_of(server: Server) -> int:
    return int(server.url.rpartition(":")[2])


def statuses(many: int, ask: Any) -> list[int]:
    return [ask().status for _ in range(many)]


ITEM = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"((?:; *[a-z*][a-z0-9_.*-]*=-?[0-9]{1,15})*)')


def structured(text: str) -> dict[str, dict[str, int]]:
    """A List of Strings with Integer parameters (RFC 8941 sections 3.1, 3.3.1, 3.3.3), as draft-10 has it."""
    found = {}
    at = 0
    while at < len(text):
        item = ITEM.match(text, at)
        assert item, f"no structured field: {text!r}"
        pairs = [each.strip().split("=") for each in item[2].split(";")[1:]]
        found[item[1]] = {name: int(value) for name, value in pairs}
        at = item.end()
        comma = re.compile(r"[ \t]*,[ \t]*(?=.)|$").match(text, at)
        assert comma, text
        at = comma.end()
    return found


# -- counting


def test_the_quota_passes_and_the_next_request_is_refused_as_a_problem() -> None:
    with client(Clock()) as asking:
        assert statuses(3, lambda: asking.get("/open")) == [200] * 3
        refused = asking.get("/open")
        assert refused.status == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["type"].endswith("/rate-limit-exceeded")
        assert re.fullmatch("[1-9][0-9]*", refused.headers["retry-after"])


def test_after_the_time_that_retry_after_says_a_request_passes_and_not_before_the_window_has_moved() -> None:
    clock = Clock()
    with client(clock) as asking:
        assert statuses(4, lambda: asking.get("/open"))[-1] == 429
        wait = int(asking.get("/open").headers["retry-after"])
        clock.now += 60
        assert asking.get("/open").status == 429, "the first request is just not out of the window"
        clock.now += wait - 60
        assert asking.get("/open").status == 200


def test_no_window_has_twice_the_quota_around_its_edge() -> None:
    clock = Clock()
    clock.now = 1019.5  # half a second before a minute ends
    with client(clock) as asking:
        assert statuses(3, lambda: asking.get("/open")) == [200] * 3
        clock.now = 1020.5
        assert statuses(3, lambda: asking.get("/open")) == [429] * 3


@settings(max_examples=300, deadline=None)
@given(
    quota=st.integers(1, 5),
    window=st.integers(1, 30),
    steps=st.lists(st.floats(0, 20, allow_nan=False), min_size=1, max_size=60),
)
def test_against_a_list_of_times_no_window_has_more_and_none_is_refused_too_long(
    quota: int, window: int, steps: list[float]
) -> None:
    clock = Clock()
    memory = Memory(10, clock)
    passed: list[float] = []
    for step in steps:
        clock.now += step
        usage = memory.use("a", "b", Quota(quota, window), 1)
        slot = window / SLOTS
        surely = [each for each in passed if each >= clock.now - window]
        perhaps = [each for each in passed if each >= clock.now - window - slot * 1.001]
        if usage.allowed:
            assert len(surely) < quota
            passed.append(clock.now)
        else:
            assert len(perhaps) >= quota
        assert len([each for each in passed if each > clock.now - window]) <= quota
        assert 0 <= usage.remaining < quota
        assert 0 < usage.reset <= window + slot * 1.001


def test_a_clock_that_steps_back_locks_nobody_out_for_longer_than_a_window() -> None:
    clock = Clock()
    clock.now = 100_000.0
    with client(clock) as asking:
        assert statuses(4, lambda: asking.get("/open")) == [200, 200, 200, 429]
        clock.now = 10.0
        refused = asking.get("/open")
        assert (refused.status, int(refused.headers["retry-after"]) <= 62) == (429, True)
        clock.now = 72.0
        assert asking.get("/open").status == 200


def test_a_flood_of_keys_does_not_fill_the_memory_and_the_last_seen_stay() -> None:
    memory = Memory(100, Clock())
    quota = Quota(1, 60)
    memory.use("a", "kept", quota, 1)
    for number in range(100_000):
        memory.use("a", str(number), quota, 1)
        if number % 50 == 0:
            assert not memory.use("a", "kept", quota, 1).allowed
    assert len(memory) == 100
    assert memory.use("a", "0", quota, 1).allowed, "forgotten"


def test_looking_remembers_nobody() -> None:
    memory = Memory(2, Clock())
    for number in range(10):
        assert memory.use("a", str(number), Quota(1, 60), 0).allowed
    assert len(memory) == 0


def test_two_hundred_at_once_are_counted_exactly() -> None:
    async def ask(port: int, path: str, fields: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n".encode())
        data = await reader.read()
        writer.close()
        return data[9:12]

    async def all_of(port: int, path: str, fields: str = "") -> list[bytes]:
        return await asyncio.gather(*(ask(port, path, fields) for _ in range(200)))

    with running(made(requests=50)) as server:
        for path, fields in (
            ("/open", ""),
            ("/locked", "X-Key: ada-1\r\n"),
            ("/waits", "Authorization: Bearer good\r\n"),
        ):
            found = asyncio.run(all_of(port_of(server), path, fields))
            assert (found.count(b"200"), found.count(b"429")) == (50, 150), path


# -- what is limited


def test_operations_count_each_for_itself_and_those_without_a_limit_not_at_all() -> None:
    with client(Clock()) as asking:
        assert statuses(4, lambda: asking.get("/open"))[-1] == 429
        assert asking.post("/open").status == 200
        assert statuses(9, lambda: asking.get("/free")) == [200] * 9
        assert statuses(9, lambda: asking.get("/health")) == [200] * 9
        assert statuses(9, lambda: asking.get("/nowhere")) == [404] * 9
        for path in ("/free", "/health", "/nowhere"):
            assert not {"ratelimit", "ratelimit-policy"} & set(asking.get(path).headers)


def test_what_the_description_says_holds_whether_or_not_all_are_limited() -> None:
    with client(Clock(), enabled=False) as asking:
        assert statuses(3, lambda: asking.get("/few")) == [200, 200, 429]
        assert statuses(9, lambda: asking.get("/open")) == [200] * 9


def test_the_configuration_of_a_handler_goes_before_the_description() -> None:
    routes = {"few": {"requests": 1}, "free": {"requests": 2}, "open": {"enabled": False}}
    with client(Clock(), routes=routes) as asking:
        assert structured(asking.get("/few").headers["ratelimit-policy"]) == {"few": {"q": 1, "w": 10}}
        assert statuses(3, lambda: asking.get("/free")) == [200, 200, 429]
        assert statuses(9, lambda: asking.get("/open")) == [200] * 9


def test_head_counts_with_get_and_options_does_not_unless_it_is_told_to() -> None:
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    with client(Clock()) as asking:
        assert statuses(9, lambda: asking.options("/open", headers=preflight)) == [204] * 9
        assert statuses(9, lambda: asking.options("/asked")) == [200] * 9
        assert statuses(3, lambda: asking.head("/open")) == [200] * 3
        assert asking.get("/open").status == 429
        assert asking.head("/open").status == 429
    with client(Clock(), skip_options=False) as asking:
        assert statuses(4, lambda: asking.options("/asked"))[-1] == 429


def test_an_operation_without_a_limit_has_the_check_of_its_security_and_nothing_else() -> None:
    app = made(enabled=False)
    models = {each.handler: each.model for each in app.service.operations}

    def check(request: Request) -> None: ...

    for name in ("free", "open"):
        assert app.guards.around(models[name], {}, check, Mode.SYNC, [])[0] is check
        assert app.guards.around(models[name], {}, None, Mode.SYNC, []) == (None, Mode.SYNC)


@pytest.mark.parametrize(
    ("written", "place", "words"),
    [
        (True, "", "has to be false or an object"),
        ({"requests": 0}, "/requests", "has to be a number from 1"),
        ({"requests": True}, "/requests", "has to be a number from 1"),
        ({"windowSecs": 1.5}, "/windowSecs", "has to be a number from 1"),
        ({"key": "host"}, "/key", "has to be one of subject_then_ip, subject, ip"),
        ({"limit": 5}, "/limit", "is unknown; known are requests, windowSecs, key"),
    ],
)
def test_an_extension_that_is_wrong_is_refused_at_the_start(written: Any, place: str, words: str) -> None:
    document = {**DOCUMENT, "paths": {"/a": {"get": operation("open", written)}}}
    with pytest.raises(SpecError) as refused:
        _ = App(document, {"open": answer}).service
    issue = refused.value.issues[-1]
    assert (issue.kind, issue.pointer) == ("InvalidExtension", f"/paths/~1a/get/x-rate-limit{place}")
    assert words in issue.message


# -- whose requests


def keyed(asking: TestClient | Asking, path: str, key: str | None = None, ip: str = "192.0.2.1") -> TestResponse:
    fields = {"X-Forwarded-For": ip, **({} if key is None else {"X-Key": key})}
    return asking.get(path, headers=fields)


def test_a_subject_has_one_count_wherever_it_comes_from_and_with_whatever_key() -> None:
    with served(made(Clock())) as asking:
        found = [keyed(asking, "/locked", f"ada-{1 + i % 2}", f"192.0.2.{i}").status for i in range(4)]
        assert found == [200, 200, 200, 429]
        assert keyed(asking, "/locked", "bob-1", "192.0.2.1").status == 200


def test_keys_without_a_subject_are_clients_of_their_own() -> None:
    with served(made(Clock())) as asking:
        assert statuses(4, lambda: asking.get("/anonymous", headers={"X-Bare": "one"}))[-1] == 429
        assert asking.get("/anonymous", headers={"X-Bare": "two"}).status == 200


def test_without_a_subject_the_address_counts() -> None:
    with served(made(Clock())) as asking:
        assert statuses(4, lambda: keyed(asking, "/open", None, "192.0.2.1"))[-1] == 429
        assert keyed(asking, "/open", None, "192.0.2.2").status == 200


def test_requests_without_a_subject_are_one_client_where_only_subjects_are() -> None:
    with served(made(Clock())) as asking:
        found = [keyed(asking, "/subject", None, f"192.0.2.{i}").status for i in range(4)]
        assert found == [200, 200, 200, 429]
        assert keyed(asking, "/subject", "ada-1").status == 200


def test_by_address_it_does_not_matter_who_asks() -> None:
    with served(made(Clock())) as asking:
        assert [keyed(asking, "/by-ip", key).status for key in ("ada-1", "bob-1", "bad", "ada-1")] == [
            200,
            200,
            401,
            429,
        ]


def test_what_nobody_trusted_has_written_makes_no_new_client_and_locks_nobody_out() -> None:
    document = {**DOCUMENT, "paths": {"/open": {"get": operation("open")}}}
    config = {"rate_limit": {"enabled": True, "requests": 3}, "server": {"trusted_proxies": ["192.0.2.0/24"]}}
    with served(App(document, {"open": answer}, config)) as asking:
        found = [asking.get("/open", headers={"X-Forwarded-For": f"198.51.100.{i}"}).status for i in range(4)]
        assert found == [200, 200, 200, 429]
    with served(made(Clock())) as asking:  # whose proxy adds what it sees behind what the client has made up
        found = [keyed(asking, "/open", None, f"198.51.100.{i}, 192.0.2.9").status for i in range(4)]
        assert found == [200, 200, 200, 429]
        assert keyed(asking, "/open", None, "198.51.100.1").status == 200, "who was named is not the one who asked"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_addresses_of_ipv6_count_by_their_network(one: str, other: str, same: bool) -> None:
    class Asked:
        def __init__(self, host: str) -> None:
            self.client = Peer((host, 1)).address

    assert (address(Asked(one)) == address(Asked(other))) is same  # type: ignore[arg-type]
    with served(made(Clock())) as asking:
        assert statuses(3, lambda: keyed(asking, "/open", None, one.partition("%")[0])) == [200] * 3
        assert keyed(asking, "/open", None, other.partition("%")[0]).status == (429 if same else 200)


# -- attempts


def test_attempts_are_limited_by_address_before_a_credential_is_looked_at() -> None:
    with served(made(Clock())) as asking:
        assert [keyed(asking, "/locked", f"guess-{i}").status for i in range(5)] == [401, 401, 401, 429, 429]
        assert keyed(asking, "/locked", "ada-1").status == 429, "the right one among guesses is no way in"
        assert keyed(asking, "/locked", "ada-1", "192.0.2.9").status == 200, "ada is not locked out by a guesser"
        assert structured(keyed(asking, "/locked", "x").headers["ratelimit"])["locked"]["r"] == 0
        Slow.asked = 0
        assert statuses(5, lambda: asking.get("/waits", {})) == [401, 401, 401, 429, 429]
        assert Slow.asked == 3


def test_attempts_that_are_refused_are_told_what_is_left() -> None:
    with served(made(Clock())) as asking:
        refused = keyed(asking, "/locked", "guess")
        assert refused.status == 401
        assert structured(refused.headers["ratelimit"])["locked"]["r"] == 2


# -- what is told


def test_every_answer_of_a_limited_operation_tells_the_quota_and_what_is_left() -> None:
    document = {
        **DOCUMENT,
        "paths": {
            "/open": {
                "get": operation("open", parameters=[{"name": "n", "in": "query", "schema": {"type": "integer"}}])
            },
            "/post": {"get": operation("post", {"requests": 5, "windowSecs": 2})},
        },
    }

    async def broken(request: Request) -> Any:
        raise RuntimeError

    config = {"rate_limit": {"enabled": True, "requests": 4}}
    with TestClient(App(document, {"open": answer, "post": broken}, config)) as asking:
        for left, (path, status) in zip((3, 2, 1), [("/open", 200), ("/open?n=x", 400), ("/open", 200)], strict=True):
            found = asking.get(path)
            assert found.status == status
            assert structured(found.headers["ratelimit-policy"]) == {"open": {"q": 4, "w": 60}}
            told = structured(found.headers["ratelimit"])
            assert told["open"]["r"] == left
            assert 1 <= told["open"]["t"] <= 61
            assert found.raw.lower().count(b"ratelimit:") == 1
        failed = asking.get("/post")
        assert (failed.status, structured(failed.headers["ratelimit"])["post"]["r"]) == (500, 4)


def test_a_connection_that_asks_the_same_again_is_told_anew() -> None:
    with running(made(requests=3)) as server:

        async def ask() -> list[bytes]:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
            found = []
            for _ in range(4):
                writer.write(b"GET /open HTTP/1.1\r\nHost: a\r\n\r\n")
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"Content-Length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                assert head.count(b"RateLimit:") == 1
                left = re.search(rb'RateLimit: "open";r=(\d)', head)
                found.append(left[1] if left else head)
            writer.close()
            return found

        assert asyncio.run(ask()) == [b"2", b"1", b"0", b"0"]


def test_a_name_that_no_string_can_hold_is_told_without_what_it_cannot() -> None:
    document = {**DOCUMENT, "paths": {"/a": {"get": operation('s"\\é')}}}
    with TestClient(App(document, {'s"\\é': answer}, {"rate_limit": {"enabled": True}})) as asking:
        assert structured(asking.get("/a").headers["ratelimit-policy"]) == {"s___": {"q": 100, "w": 60}}


def test_the_metrics_count_what_was_refused_and_do_not_call_it_a_failure_of_security() -> None:
    with client(Clock()) as asking:
        statuses(5, lambda: keyed(asking, "/locked", "ada-1"))
        text = asking.get("/metrics").text
        assert "brrtrouter_rate_limit_sheds_total 2.0" in text
        assert not re.search(r'brrtrouter_auth_failures_total\{[^}]*path="/locked"[^}]*\} [1-9]', text)
        keyed(asking, "/locked", "wrong")
        text = asking.get("/metrics").text
        assert re.search(r'brrtrouter_auth_failures_total\{[^}]*path="/locked"[^}]*\} 1\.0', text)


def test_a_reload_and_an_added_operation_forget_no_count() -> None:
    app = made(Clock())
    with TestClient(app) as asking:
        assert statuses(4, lambda: asking.get("/open"))[-1] == 429
        app.adopt(app.again())
        assert asking.get("/open").status == 429
        app.add_operation("GET", "/more", operation("more"), answer)
        assert asking.get("/open").status == 429
        assert statuses(4, lambda: asking.get("/more"))[-1] == 429
        assert json.loads(asking.get("/openapi.json").content)["paths"]["/more"]
