"""The access log: one line for each request, which nobody can forge, and which serving never waits for."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import Served, write_files
from wire import TIMEOUT, Client

from brrtrouter import App, ConfigError, Request, Response
from brrtrouter.config import load_config
from brrtrouter.core.access import AccessLines
from brrtrouter.core.exchange import Exchange
from brrtrouter.observe.redaction import secret_names
from brrtrouter.testing import TestClient, running

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/items/{id}": {"get": {"operationId": "get", "responses": {}}},
        "/locked": {"get": {"operationId": "locked", "security": [{"Key": []}], "responses": {}}},
        "/broken": {"get": {"operationId": "broken", "responses": {}}},
        "/stream": {"get": {"operationId": "stream", "responses": {}}},
        "/good": {"get": {"operationId": "good", "responses": {}}},
    },
    "components": {"securitySchemes": {"Key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
}


async def get(request: Request) -> Any:
    logging.getLogger("brrtrouter.mine").warning("inside\nof it", extra={"of": "mine"})
    return {"ok": True}


async def broken(request: Request) -> Any:
    raise LookupError("nothing there")


async def stream(request: Request) -> Any:
    async def chunks() -> Any:
        yield b"12345"
        yield b"67890"

    return Response(200, chunks(), None, "text/plain")


HANDLERS = {"get": get, "locked": get, "good": get, "broken": broken, "stream": stream}
KEYS = {"api_keys": {"Key": {"keys": [{"key": "the-key", "subject": "amélie\x9b"}]}}}


def application(target: Path, config: dict[str, Any] | None = None, **log: Any) -> App:
    settings = {"access": True, "target": str(target), **log}
    return App(DOCUMENT, HANDLERS, {"log": settings, "security": KEYS, **(config or {})})


def lines(app: App, target: Path, *requests: tuple[str, dict[str, str]]) -> list[Any]:
    """What is logged of these requests."""
    with running(app) as server, httpx.Client(base_url=server.url) as client:
        for path, headers in requests:
            client.get(path, headers=headers)
    return [json.loads(line) for line in target.read_text().splitlines()]


def test_a_line_tells_of_a_request_what_there_is(tmp_path: Path) -> None:
    target = tmp_path / "log"
    sent = {"X-Request-ID": "abc", "User-Agent": "tests", "X-Key": "the-key"}
    one, two, three, four = lines(
        application(target), target, ("/items/7?a=b", sent), ("/nowhere", {}), ("/locked", sent), ("/stream", {})
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", one.pop("time"))
    assert one.pop("duration_ms") >= 0
    assert one.pop("bytes") > 100
    assert one == {
        "level": "info",
        "logger": "brrtrouter.access",
        "request_id": "abc",
        "method": "GET",
        "route": "/items/{id}",
        "path": "/items/7",
        "query": "a=b",
        "status": 200,
        "client": "127.0.0.1",
        "user_agent": "tests",
    }
    assert (two["status"], "route" in two) == (404, False)
    assert (three["status"], three["subject"]) == (200, "amélie\x9b")
    assert "the-key" not in target.read_text()
    assert (four["status"], four["bytes"] > 100) == (200, True)


def test_a_message_that_is_refused_before_it_is_a_request_has_a_line(tmp_path: Path) -> None:
    target = tmp_path / "log"
    with running(application(target)) as server, Client(server.url) as client:
        client.send(b"GET /\x1b[31m HTTP/9\r\n\r\n")
        assert client.answer().status == 400
    (line,) = map(json.loads, target.read_text().splitlines())
    assert (line["status"], "path" in line) == (400, False)


def test_values_of_secret_names_are_masked_wherever_they_stand(tmp_path: Path) -> None:
    target = tmp_path / "log"
    query = "/items/1?q=visible&api_key=canary1&Pass%77ord=canary2&x-auth-TOKEN=canary3&token&=e&email=me"
    sent = {"X-Secret-Thing": "canary4", "X-Tenant": "t1", "Authorization": "Bearer canary5"}
    app = application(target, headers=["x-secret-thing", "x-tenant"], secret_names=["Q"])
    line, plain = lines(app, target, (query, sent), ("/items/1?quality=1", {}))
    assert "canary" not in target.read_text()
    masked = "api_key=<REDACTED>&Pass%77ord=<REDACTED>&x-auth-TOKEN=<REDACTED>&token&=e&email=me"
    assert line["query"] == "q=<REDACTED>&" + masked
    assert (line["header.x-secret-thing"], line["header.x-tenant"]) == ("<REDACTED>", "t1")
    assert plain["query"] == "quality=<REDACTED>"  # a name that was given is looked for inside of others


def test_full_redaction_leaves_out_persons_and_none_leaves_out_nothing(tmp_path: Path) -> None:
    full, none = tmp_path / "full", tmp_path / "none"
    sent = ("/items/7?email=me&a=b&token=t", {"X-Key": "the-key"})
    (line,) = lines(application(full, redact="full"), full, sent)
    assert line["query"] == "email=<REDACTED>&a=b&token=<REDACTED>"
    assert not {"path", "client", "subject"} & line.keys()
    (line,) = lines(application(none, redact="none"), none, sent)
    assert line["query"] == "email=me&a=b&token=t"


@given(st.binary(max_size=80).filter(lambda data: not set(data) & set(b"\r\n\0")), st.binary(max_size=60))
def test_no_octet_of_a_client_breaks_a_line(agent: bytes, query: bytes) -> None:
    made = AccessLines(capacity=65536, secret=secret_names("credentials", ()))
    app = App(DOCUMENT, HANDLERS, {"security": KEYS})
    fields = [(b"host", b"a"), (b"user-agent", agent)]
    exchange = Exchange(app.service, b"GET", b"/good?" + query, 1, fields, None)
    made.write(exchange.request)
    text, dropped = made.take()
    assert dropped == 0
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    assert all(0x20 <= octet < 0x7F for octet in text[:-1])
    line = json.loads(text)
    if exchange.refusal is None:
        assert line.get("user_agent", "").encode("latin-1") == agent.strip(b" \t")


def test_lines_are_sampled_by_their_status(tmp_path: Path) -> None:
    sent = [("/items/1", {}), ("/nowhere", {}), ("/broken", {})] * 3
    for sampling, found in (("error-only", [404, 500] * 3), ("sampled", [500] * 3), ("all", [200, 404, 500] * 3)):
        target = tmp_path / sampling
        app = application(target, sampling=sampling, rate=0.0)
        assert [line["status"] for line in lines(app, target, *sent)] == found


def test_lines_over_the_rate_or_the_buffer_are_dropped_and_counted() -> None:
    app = App(DOCUMENT, HANDLERS, {"security": KEYS})
    request = Exchange(app.service, b"GET", b"/good", 1, [(b"host", b"a")], None).request
    slow = AccessLines(capacity=65536, most=2)
    for _ in range(5):
        slow.write(request)
    text, dropped = slow.take()
    assert (text.count(b"\n"), dropped) == (2, 3)
    full = AccessLines(capacity=65536)
    for _ in range(1000):
        full.write(request)
    text, dropped = full.take()
    assert text.count(b"\n") + dropped == 1000
    assert dropped > 0
    full.write(request)
    assert full.take()[1] == 0


def test_a_file_that_is_moved_away_is_opened_anew(tmp_path: Path) -> None:
    target, old = tmp_path / "log", tmp_path / "log.1"
    app = application(target)
    with running(app) as server, httpx.Client(base_url=server.url) as client:
        client.get("/items/1")
        assert app._watch is not None
        app._watch.close()
        target.rename(old)
        client.get("/items/2")
    assert [json.loads(file.read_text())["path"] for file in (old, target)] == ["/items/1", "/items/2"]


def test_a_disk_that_is_full_and_a_reader_that_is_gone_do_not_hurt_serving(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("the system has no /dev/full")
    with running(application(Path("/dev/full"))) as server:
        assert [httpx.get(f"{server.url}/items/1").status_code for _ in range(3)] == [200] * 3
    write_files(tmp_path)
    environ = {"BRRTR_LOG__ACCESS": "true", "BRRTR_LOG__TARGET": "stdout"}
    with Served(tmp_path, "--port", "0", environ=environ) as served:
        url = served.url()
        assert served.process.stdout is not None
        served.process.stdout.close()
        assert [httpx.get(f"{url}/who").status_code for _ in range(3)] == [200] * 3
        served.signal(signal.SIGTERM)
        assert served.process.wait(TIMEOUT) == 0
        served.process.stdout = None


def test_lines_that_were_lost_are_told_once_writing_works_again(tmp_path: Path) -> None:
    target = tmp_path / "there" / "log"
    target.parent.mkdir()
    app = application(target)
    with running(app) as server, httpx.Client(base_url=server.url) as client:
        target.unlink()
        target.parent.rmdir()
        client.get("/items/1")
        assert app._watch is not None
        app._watch.close()
        target.parent.mkdir()
        client.get("/items/2")
    told, line = map(json.loads, target.read_text().splitlines())
    assert (told["level"], told["lost"], line["path"]) == ("warning", 1, "/items/2")


def test_each_worker_writes_whole_lines_and_the_end_writes_what_waits(tmp_path: Path) -> None:
    write_files(tmp_path)
    target = tmp_path / "log"
    environ = {"BRRTR_LOG__ACCESS": "true", "BRRTR_LOG__TARGET": str(target), "BRRTR_LOG_FORMAT": "json"}
    with Served(tmp_path, "--workers", "2", "--port", "0", environ=environ) as served:
        url = served.url()
        for _ in range(20):
            assert httpx.get(f"{url}/who").status_code == 200
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
    found = [json.loads(line) for line in target.read_text().splitlines()]
    assert [line["path"] for line in found] == ["/who"] * 20


def test_pretty_lines_are_for_people(tmp_path: Path) -> None:
    target = tmp_path / "log"
    with running(application(target, format="pretty")) as server:
        httpx.get(f"{server.url}/items/1?a=b&token=x", headers={"X-Request-ID": "abc"})
    (line,) = target.read_text().splitlines()
    assert re.match(r"\S+Z 200 GET /items/1\?a=b&token=<REDACTED> [\d.]+ ms \d+ bytes id abc", line)


@pytest.fixture
def loggers() -> Iterator[None]:
    logger = logging.getLogger("brrtrouter")
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield
    for handler in logger.handlers:
        if handler not in before[0]:
            handler.close()
    logger.handlers[:], level, logger.propagate = before
    logger.setLevel(level)


@pytest.mark.usefixtures("loggers")
def test_lines_of_the_application_tell_the_request_when_they_are_asked_to(tmp_path: Path) -> None:
    target = tmp_path / "log"
    app = application(target, application="brrtrouter", context=True, access=False)
    found = lines(app, target, ("/items/1", {"X-Request-ID": "abc"}), ("/broken", {"X-Request-ID": "def"}))
    mine = next(line for line in found if line["logger"] == "brrtrouter.mine")
    assert (mine["request_id"], mine["message"], mine["of"]) == ("abc", "inside\nof it", "mine")
    failed = next(line for line in found if "exception" in line)
    assert (failed["request_id"], failed["level"]) == ("def", "error")
    assert "LookupError: nothing there" in failed["exception"]


@pytest.mark.usefixtures("loggers")
def test_pretty_lines_of_the_application_cannot_be_forged(tmp_path: Path) -> None:
    target = tmp_path / "log"
    app = application(target, application="brrtrouter", format="pretty", access=False)
    with running(app) as server:
        httpx.get(f"{server.url}/items/1")
    (line,) = [line for line in target.read_text().splitlines() if "brrtrouter.mine" in line]
    assert line.endswith('warning brrtrouter.mine inside\\nof it of="mine"')


def test_refusals_are_audited_without_the_credential(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    app = App(DOCUMENT, HANDLERS, {"metrics": {"enabled": True}, "security": KEYS})
    client = TestClient(app)
    client.get("/locked", headers={"X-Key": "canary", "X-Request-ID": "abc"})
    client.get("/locked")
    one, two = [record for record in caplog.records if record.name == "brrtrouter.audit"]
    assert "canary" not in caplog.text
    found = vars(one)
    assert [found[name] for name in ("request_id", "operation", "status", "reason", "schemes")] == [
        *("abc", "GET /locked", 401, "invalid", ("Key",))
    ]
    assert vars(two)["reason"] == "missing"
    text = client.get("/metrics").text
    for reason in ("invalid", "missing"):
        assert f'auth_failures_total{{method="GET",path="/locked",reason="{reason}"}} 1.0' in text


def test_a_file_that_cannot_be_opened_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"log\.target: .*nowhere/log: No such file"):
        _ = application(tmp_path / "nowhere" / "log").service


def test_the_names_of_the_original_set_the_same() -> None:
    names = {"LEVEL": "warning", "FORMAT": "pretty", "REDACT_LEVEL": "full", "SAMPLING_MODE": "sampled"}
    names |= {"SAMPLING_RATE": "0.5", "RATE_LIMIT_RPS": "10"}
    log = load_config(None, {f"BRRTR_LOG_{name}": value for name, value in names.items()}).log
    assert (log.level, log.format, log.redact) == ("warning", "pretty", "full")
    assert (log.sampling, log.rate, log.lines_per_second) == ("sampled", 0.5, 10)
