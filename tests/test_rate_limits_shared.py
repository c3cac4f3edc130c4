"""Counts in a real Redis server: one for all workers, by one clock, and what holds while the server is away."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Served
from wire import TIMEOUT

from brrtrouter import App, ConfigError, Request
from brrtrouter.config import RateLimit
from brrtrouter.guards.counts import Memory, Quota, StorageAway
from brrtrouter.guards.shared import Shared
from brrtrouter.testing import TestClient

pytest.importorskip("redis")
SERVER = shutil.which("redis-server") or shutil.which("valkey-server")
pytestmark = pytest.mark.skipif(SERVER is None, reason="there is no redis-server")

DOCUMENT = """\
openapi: 3.1.0
info: {title: Counted, version: "1"}
paths:
  /counted: {get: {operationId: counted, responses: {"200": {description: Counted}}}}
  /locked: {get: {operationId: locked, security: [{Key: []}], responses: {"200": {description: Counted}}}}
components: {securitySchemes: {Key: {type: apiKey, in: header, name: X-Key}}}
"""
HANDLERS = """\
import os

async def counted(request):
    return {"pid": os.getpid()}

locked = counted
"""


class Redis:
    """A server of this test, at a unix socket."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "redis.sock"
        self.url = f"unix://{self._path}"
        self.start()

    def start(self) -> None:
        assert SERVER is not None
        command = [
            SERVER,
            "--port",
            "0",
            "--unixsocket",
            str(self._path),
            "--save",
            "",
            "--dir",
            str(self._path.parent),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        seen = ""
        for line in self.process.stdout:
            seen += line
            if "ready to accept connections" in line.lower():
                return
        raise AssertionError(seen)

    def stop(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()
        self._path.unlink(missing_ok=True)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.stop()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), TIMEOUT))


def settings(redis: Redis, **more: Any) -> RateLimit:
    return RateLimit(storage=redis.url, **{"timeout": 30.0, **more})


def test_the_script_counts_as_memory_does_whatever_the_clock_says(redis: Redis) -> None:
    """The same requests at the same times, steps back of the clock among them."""
    times = [1000.0]

    async def test() -> None:
        shared = Shared(settings(redis), lambda: times[0])
        memory = Memory(100, lambda: times[0])
        for step in (0, 0.1, 3, 0, 9.9, 0.2, 5, 0.05, 2, 11, -500, 0.1, 0.2, 9, 1.3, 30, 0, 0, 0, 10.1, 0.2):
            times[0] += step
            for client, cost in (("a", 1), ("b", 0), ("a", 0), ("b", 1)):
                quota = Quota(3, 10)
                ours, theirs = await shared.use("op", client, quota, cost), memory.use("op", client, quota, cost)
                assert ours is not None
                assert (ours.allowed, ours.remaining) == (theirs.allowed, theirs.remaining)
                assert abs(ours.reset - theirs.reset) < 0.01
        await shared.aclose()

    run(test)


def test_two_hundred_in_flight_from_two_clients_of_the_server_are_counted_exactly(redis: Redis) -> None:
    async def test() -> None:
        one, two = Shared(settings(redis)), Shared(settings(redis))
        quota = Quota(50, 3600)
        found = await asyncio.gather(*((one, two)[i % 2].use("op", "a", quota, 1) for i in range(200)))
        assert sum(each.allowed for each in found if each) == 50
        other = await one.use("op", "b", quota, 1)
        assert other is not None
        assert other.remaining == 49
        await one.aclose()
        await two.aclose()

    run(test)


def test_keys_end_by_themselves_and_tell_nobody_who_has_asked(redis: Redis) -> None:
    async def test() -> None:
        shared = Shared(settings(redis, prefix="mine"))
        await shared.use("GET /a", "ip 192.0.2.1", Quota(5, 10), 1)
        await shared.use("GET /a", "ip 192.0.2.2", Quota(5, 10), 0)
        (key,) = await shared._redis.keys("*")
        assert key.startswith(b"mine:")
        assert b"192" not in key
        assert 0 < await shared._redis.pttl(key) <= 10_400
        await shared.aclose()

    run(test)


def test_the_clock_of_the_server_counts(redis: Redis) -> None:
    async def test() -> None:
        shared = Shared(settings(redis))
        first = await shared.use("op", "a", Quota(1, 1), 1)
        assert first is not None
        assert first.allowed
        while True:  # at most the window and one slot of it, by a clock that is not ours
            usage = await shared.use("op", "a", Quota(1, 1), 1)
            assert usage is not None
            if usage.allowed:
                break
        await shared.aclose()

    run(test)


def test_workers_share_one_count_exactly(redis: Redis, tmp_path: Path) -> None:
    (tmp_path / "openapi.yaml").write_text(DOCUMENT)
    (tmp_path / "the_handlers.py").write_text(HANDLERS)
    (tmp_path / "config.yaml").write_text(
        f"rate_limit: {{enabled: true, requests: 60, window_secs: 3600, storage: '{redis.url}', timeout: 30}}\n"
        "security: {api_keys: {Key: {key: right}}}\n"
    )

    async def ask(port: int, path: str, key: str) -> tuple[bytes, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Key: {key}\r\nConnection: close\r\n\r\n".encode())
        data = await reader.read()
        writer.close()
        return data[9:12], data.partition(b"\r\n\r\n")[2]

    async def many(port: int, path: str, count: int, key: str = "") -> list[tuple[bytes, bytes]]:
        return await asyncio.gather(*(ask(port, path, key) for _ in range(count)))

    with Served(tmp_path, "--workers", "2", "--port", "0", "--config", "config.yaml") as served:
        port = int(served.url().rpartition(":")[2])
        one, two = (int(served.log.until(r"worker \d+ \(pid (\d+)\) is ready")[1]) for _ in range(2))
        os.kill(two, signal.SIGSTOP)  # so that all of these are the other's
        assert set(asyncio.run(many(port, "/counted", 25))) == {(b"200", b'{"pid":%d}' % one)}
        os.kill(two, signal.SIGCONT)
        os.kill(one, signal.SIGSTOP)
        found = asyncio.run(many(port, "/counted", 200))
        assert Counter(status for status, _ in found) == {b"200": 35, b"429": 165}
        assert {body for status, body in found if status == b"200"} == {b'{"pid":%d}' % two}
        os.kill(one, signal.SIGCONT)
        found = asyncio.run(many(port, "/locked", 200, "right"))
        assert Counter(status for status, _ in found) == {b"200": 60, b"429": 140}


def test_workers_that_count_alone_say_so_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "openapi.yaml").write_text(DOCUMENT)
    (tmp_path / "the_handlers.py").write_text(HANDLERS)
    (tmp_path / "config.yaml").write_text("rate_limit: {enabled: true}\nsecurity: {api_keys: {Key: {key: right}}}\n")
    with Served(tmp_path, "--workers", "2", "--port", "0", "--config", "config.yaml") as served:
        served.log.until("each of 2 workers counts for itself: rate_limit.storage would be shared")
        served.url()


# -- without the server


async def counted(request: Request) -> Any:
    return {"ok": True}


def app(redis: Redis, **more: Any) -> App:
    import yaml

    limit = {"enabled": True, "requests": 2, "window_secs": 3600, "storage": redis.url, "timeout": 0.2, **more}
    config = {"rate_limit": limit, "security": {"api_keys": {"Key": {"key": "right"}}}}
    return App(yaml.safe_load(DOCUMENT), {"counted": counted, "locked": counted}, config)


@pytest.mark.parametrize(
    ("on_failure", "statuses"), [("memory", [200, 200, 429]), ("closed", [503] * 3), ("open", [200] * 3)]
)
@pytest.mark.parametrize("silent", [False, True])
def test_while_the_server_is_away_the_settings_say_what_holds(
    redis: Redis, on_failure: str, statuses: list[int], silent: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with TestClient(app(redis, on_failure=on_failure)) as client, caplog.at_level(logging.WARNING):
        assert [client.get("/counted").status for _ in range(3)] == [200, 200, 429]
        if silent:
            redis.process.send_signal(signal.SIGSTOP)
        else:
            redis.stop()
        assert [client.get("/counted").status for _ in range(3)] == statuses
        assert client.get("/locked").status == (503 if on_failure == "closed" else 401)
        told = [each for each in caplog.records if "the storage does not answer" in each.message]
        assert len(told) == 1, "once"
        if on_failure == "closed":
            refused = client.get("/counted")
            assert refused.headers["retry-after"] == "1"
            assert refused.json()["detail"] == "requests cannot be counted now"
        if on_failure == "open":
            assert "ratelimit" not in client.get("/counted").headers


def test_a_server_that_is_back_is_asked_again(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [time.monotonic()]
    monkeypatch.setattr("brrtrouter.guards.shared.time.monotonic", lambda: now[0])

    async def test() -> None:
        shared = Shared(settings(redis, on_failure="closed"))
        assert await shared.use("op", "a", Quota(2, 3600), 1)
        redis.stop()
        for _ in range(2):
            with pytest.raises(StorageAway):
                await shared.use("op", "a", Quota(2, 3600), 1)
        redis.start()
        with pytest.raises(StorageAway):  # it rests
            await shared.use("op", "a", Quota(2, 3600), 1)
        now[0] += 1.1
        assert await shared.use("op", "a", Quota(2, 3600), 1)
        await shared.aclose()

    run(test)


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "memcached://h", "redis://h:canary", "redis:/h"])
def test_a_url_that_is_none_is_refused_by_its_name_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^rate_limit\.storage is no URL") as refused:
        App(
            {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}},
            {},
            {"rate_limit": {"storage": url}},
        )
    assert url not in str(refused.value)
    assert "canary" not in str(refused.value)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "redis", None)
    with pytest.raises(ConfigError, match=r"pip install 'brrtrouter\[rate-limit\]'"):
        Shared(RateLimit(storage="redis://localhost"))
