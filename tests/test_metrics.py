"""Metrics: exact counts under bounded labels, in the formats of Prometheus, over all workers, the dead included."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("prometheus_client")

import prometheus_client
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from serving import GET, Served, write_files
from wire import Client

from brrtrouter import App, ConfigError, Request, Response
from brrtrouter.core.meter import Meter
from brrtrouter.core.request import Request as CoreRequest
from brrtrouter.observe.board import Board, Layout, Seat, Totals
from brrtrouter.observe.metrics import UNMATCHED
from brrtrouter.policy.security import Denial
from brrtrouter.testing import TestClient, running

ON = {"metrics": {"enabled": True}}
READY = r"worker (\d+) \(pid (\d+)\) is ready"
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/items/{id}": {
            "get": {
                "operationId": "get",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"description": ""}},
            },
            "post": {
                "operationId": "post",
                "requestBody": {"required": True, "content": {"application/json": {}}},
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {"201": {"description": ""}},
            },
        },
        "/locked": {"get": {"operationId": "locked", "security": [{"Key": []}], "responses": {}}},
        "/slow": {"get": {"operationId": "slow", "security": [{"Key": []}], "responses": {}}},
        "/stream": {"get": {"operationId": "stream", "responses": {}}},
        "/odd": {"get": {"operationId": "odd", "responses": {}}},
    },
    "components": {"securitySchemes": {"Key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
}
Samples = dict[str, float]


async def plain(request: Request) -> Any:
    return {"ok": True}


async def slow(request: Request) -> Any:
    await asyncio.sleep(0)
    raise RuntimeError("broken")


async def stream(request: Request) -> Any:
    async def chunks() -> Any:
        yield b"12345"
        yield "67890"

    return Response(200, chunks(), None, "text/plain")


async def odd(request: Request) -> Any:
    return Response(int(request.query["status"]))


HANDLERS = {"get": plain, "post": plain, "locked": plain, "slow": slow, "stream": stream, "odd": odd}


def application(config: dict[str, Any] | None = None) -> App:
    return App(
        DOCUMENT, HANDLERS, {**(ON if config is None else config), "security": {"api_keys": {"Key": {"key": "k"}}}}
    )


def read(text: str, parse: Any = parse_text) -> Samples:
    """Samples by name and labels, as Prometheus itself would read them; `brrtrouter_` is left out."""
    found: Samples = {}
    for family in parse(text):
        if family.name.startswith("python_"):
            continue
        for sample in family.samples:
            labels = ",".join(
                sample.labels[name] for name in ("method", "path", "status", "le", "reason") if name in sample.labels
            )
            key = sample.name.removeprefix("brrtrouter_") + (f" {labels}" if labels else "")
            assert key not in found or "worker" in sample.labels, f"{key} twice"
            found[key] = sample.value
    return found


def scrape(client: TestClient) -> Samples:
    return read(client.get("/metrics").text)


def requests(samples: Samples) -> dict[str, float]:
    """Counts by "method,path,status", without those of the scrapes."""
    counts = {key.removeprefix("requests_total "): value for key, value in samples.items() if "requests_total " in key}
    return {key: value for key, value in counts.items() if ",/metrics," not in key}


# -- counts


def test_every_request_is_counted_once_under_its_method_template_and_status() -> None:
    with TestClient(application()) as client:
        for number in range(7):
            assert client.get(f"/items/{number}").status == 200
        client.get("/items/x")
        client.head("/items/1")
        client.post("/items/1", json={})
        client.post("/items/1", content=b"{", headers={"Content-Type": "application/json"})
        client.post("/items/1", content=b"x", headers={"Content-Type": "text/plain"})
        client.get("/locked")
        client.get("/slow")
        client.get("/slow", headers={"X-Key": "k"})
        for path in ("/a", "/b", "/%zz", "/items"):
            client.get(path)
        client.delete("/items/1")
        client.options("/items/1")
        samples = scrape(client)
        assert requests(samples) == {
            "GET,/items/{id},200": 7,
            "GET,/items/{id},400": 1,
            "HEAD,/items/{id},200": 1,
            "POST,/items/{id},201": 1,
            "POST,/items/{id},400": 1,
            "POST,/items/{id},415": 1,
            "GET,/locked,401": 1,
            "GET,/slow,401": 1,
            "GET,/slow,500": 1,
            "*,*,400": 1,
            "*,*,404": 3,
            "*,*,405": 1,
            "*,*,204": 1,
        }
        assert (
            samples["auth_failures_total GET,/locked,missing"] == samples["auth_failures_total GET,/slow,missing"] == 1
        )
        assert samples["validation_failures_total GET,/items/{id}"] == 1
        assert samples["validation_failures_total POST,/items/{id}"] == 2
        assert samples["request_duration_seconds_count GET,/items/{id}"] == 8
        assert samples["request_duration_seconds_bucket GET,/items/{id},+Inf"] == 8
        assert 0 < samples["request_duration_seconds_sum GET,/items/{id}"] < 60


def test_a_refusal_by_a_provider_that_waits_is_counted_too() -> None:
    class Waiting:
        async def authenticate(self, request: Request, scheme: Any, scopes: Any) -> Denial:
            await asyncio.sleep(0)
            return Denial("invalid", "Custom")

    with TestClient(App(DOCUMENT, HANDLERS, ON, security={"Key": Waiting()})) as client:
        assert client.get("/locked", headers={"X-Key": "k"}).status == 401
        samples = scrape(client)
        assert samples["auth_failures_total GET,/locked,invalid"] == 1
        assert requests(samples) == {"GET,/locked,401": 1}


def test_a_scrape_sees_those_before_it_and_itself_under_way() -> None:
    with TestClient(application()) as client:
        assert scrape(client)["active_requests"] == 1
        second = scrape(client)
        assert second["requests_total GET,/metrics,200"] == 1
        assert (second["active_requests"], second["active_connections"], second["connections_total"]) == (1, 1, 2)


@pytest.mark.parametrize(("status", "label"), [(202, "202"), (304, "304"), (418, "418"), (507, "507")])
def test_a_registered_status_is_its_own_label(status: int, label: str) -> None:
    with TestClient(application()) as client:
        client.get("/odd", params={"status": status})
        assert requests(scrape(client)) == {f"GET,/odd,{label}": 1}


@pytest.mark.parametrize(("status", "label"), [(299, "2xx"), (399, "3xx"), (499, "4xx"), (599, "5xx")])
def test_another_status_is_counted_with_its_class(status: int, label: str) -> None:
    with TestClient(application()) as client:
        client.get("/odd", params={"status": status})
        assert requests(scrape(client)) == {f"GET,/odd,{label}": 1}


def test_bytes_are_those_on_the_wire() -> None:
    with TestClient(application()) as client:
        sent = b"POST /items/1 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        answer = client.send(sent, "POST")
        samples = scrape(client)
        assert samples["request_bytes_total POST,/items/{id}"] == len(sent)
        assert samples["response_bytes_total POST,/items/{id}"] == len(answer)


def test_a_stream_is_counted_by_its_head_and_its_bytes_when_it_ends() -> None:
    with TestClient(application()) as client:
        answer = client.get("/stream")
        assert answer.content == b"1234567890"
        samples = scrape(client)
        assert requests(samples) == {"GET,/stream,200": 1}
        assert samples["response_bytes_total GET,/stream"] == len(answer.raw)
        assert samples["active_requests"] == 1


def test_what_is_refused_before_it_is_a_request_is_counted_too() -> None:
    with TestClient(application({**ON, "limits": {"body": 10}})) as client:
        assert client.send(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400")
        assert client.post("/items/1", content=b"x" * 11).status == 413
        samples = scrape(client)
        assert requests(samples) == {"*,*,400": 1, "POST,/items/{id},413": 1}
        assert samples["active_requests"] == 1


def test_another_handler_of_a_running_application_goes_on_counting() -> None:
    with TestClient(application()) as client:
        client.get("/items/1")
        client.app.register("get", plain)
        client.get("/items/1")
        assert requests(scrape(client)) == {"GET,/items/{id},200": 2}


def test_the_buckets_are_those_of_the_configuration() -> None:
    with TestClient(application({"metrics": {"enabled": True, "buckets": [0.25, 60]}})) as client:
        client.get("/items/1")
        samples = scrape(client)
        names = [key for key in samples if key.startswith("request_duration_seconds_bucket GET,/items/{id},")]
        assert [name.rpartition(",")[2] for name in names] == ["0.25", "60.0", "+Inf"]
        assert samples[names[1]] == 1


def test_the_number_of_series_is_bounded_whatever_is_asked_for() -> None:
    with TestClient(application()) as client:
        for number in range(300):
            client.request("GET" if number % 2 else f"M{number}", f"/{number}?{number}", headers={f"X-{number}": "1"})
        assert requests(scrape(client)) == {"*,*,404": 150, "*,*,501": 150}


# -- the endpoint


def test_it_is_off_by_default_and_then_nothing_is_there() -> None:
    with TestClient(application({})) as client:
        assert client.app.service.meter is None
        assert client.app.metrics is None
        assert client.get("/metrics").status == 404


def test_the_endpoint_moves_and_goes() -> None:
    with TestClient(application({**ON, "endpoints": {"metrics": "/-/numbers"}})) as client:
        assert client.get("/metrics").status == 404
        assert client.get("/-/numbers").status == 200
    with TestClient(application({**ON, "endpoints": {"metrics": None}})) as client:
        assert client.get("/metrics").status == 404
        assert client.app.metrics is not None
        media_type, text = client.app.metrics.render()
        assert media_type.startswith("text/plain")
        assert b'path="*",status="404"} 1.0' in text


def test_a_client_that_accepts_openmetrics_gets_it() -> None:
    with TestClient(application()) as client:
        client.get("/items/1")
        plain_text = client.get("/metrics")
        assert plain_text.headers["content-type"].startswith("text/plain")
        assert plain_text.headers["cache-control"] == "no-store"
        answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert read(answer.text, parse_openmetrics)["requests_total GET,/items/{id},200"] == 1


def test_what_the_application_counts_itself_is_there_too() -> None:
    counter = prometheus_client.Counter("pets_sold", "Pets.")
    try:
        with TestClient(application()) as client:
            counter.inc(3)
            samples = scrape(client)
            assert samples["pets_sold_total"] == 3
            assert samples["process_resident_memory_bytes"] > 0
    finally:
        prometheus_client.REGISTRY.unregister(counter)


def test_without_the_package_the_start_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r"prometheus-client is missing: pip install 'brrtrouter\[metrics\]'"):
        _ = application().service


def test_open_connections_are_counted_on_a_real_server() -> None:
    with running(application()) as server, Client(server.url) as first, Client(server.url) as second:
        assert first.ask(GET.format(path="/items/1", fields="").encode()).status == 200
        samples = read(second.ask(GET.format(path="/metrics", fields="").encode()).body.decode())
        assert samples["active_connections"] == 2


# -- the meter


@pytest.mark.parametrize("bounds", [[0.0], [-1.0], [2.0, 1.0], [1.0, 1.0], [float(i) for i in range(1, 66)]])
def test_bounds_that_are_none_are_refused(bounds: list[float]) -> None:
    with pytest.raises(ValueError, match="bounds"):
        Meter([], bounds)


def test_memory_that_does_not_fit_is_refused() -> None:
    meter = Meter([True, False], [1.0])
    assert meter.rows == 4
    assert meter.size == len(meter.snapshot()) == (4 + meter.rows * meter.width) * 8
    with pytest.raises(ValueError, match="cannot hold"):
        meter.attach(bytearray(meter.size - 1))
    with pytest.raises(ValueError, match="cannot hold"):
        meter.attach(memoryview(bytearray(meter.size + 16))[1:-7])
    with pytest.raises(BufferError):
        meter.attach(bytes(meter.size))
    assert CoreRequest is Request


# -- putting processes together

FIXED = 2
cell = st.integers(0, 2**40)
bounds = st.lists(st.integers(1, 30), min_size=1, max_size=5, unique=True).map(lambda found: tuple(sorted(found)))


@settings(max_examples=100, deadline=None)
@given(bounds, bounds, st.data())
def test_buckets_with_other_bounds_never_get_smaller_times(
    ours: tuple[float, ...], theirs: tuple[float, ...], data: st.DataObject
) -> None:
    row = data.draw(st.lists(cell, min_size=FIXED + len(theirs) + 1, max_size=FIXED + len(theirs) + 1))
    totals = Totals(ours)
    totals.add_row(UNMATCHED, row, FIXED, theirs)
    found = totals.rows[UNMATCHED]
    assert found[:FIXED] == row[:FIXED]
    for index, bound in enumerate((*ours, math.inf)):
        below = sum(count for upper, count in zip((*theirs, math.inf), row[FIXED:], strict=True) if upper <= bound)
        assert sum(found[FIXED : FIXED + index + 1]) == below


def write_worker(folder: Path, pid: int, label: str, value: int) -> None:
    """The file of a worker as `Seat` makes it, under another number."""
    layout = Layout(4, (("GET", label),), FIXED, (1.0,))
    seat = Seat(folder, 1, layout, (4 + layout.width) * 8)
    seat.cells.cast("Q")[:8] = memoryview(bytearray(64)).cast("Q")
    seat.cells.cast("Q")[2] = value
    seat.cells.cast("Q")[4] = value
    (folder / str(os.getpid())).rename(folder / str(pid))


def test_nobody_who_ended_is_forgotten_or_counted_twice() -> None:
    board = Board()
    assert board.folder is not None
    assert board.folder.stat().st_mode & 0o077 == 0
    try:
        for pid, label, value in ((1, "/a", 1), (2, "/b", 10), (3, "/a", 100), (4, "/a", 1000)):
            write_worker(board.folder, pid, label, value)
            if pid < 4:
                board.fold(pid)
                board.fold(pid)  # which is gone
        reader = Seat(board.folder, 9, Layout(4, (), FIXED, (1.0,)), 32)
        totals = reader.totals((1.0,))
        assert {label: row[0] for (_, label), row in totals.rows.items()} == {"/a": 1101, "/b": 10}
        assert (totals.process[2], totals.open[2]) == (1111, 1000)
        assert totals.workers == {1: 4, 9: os.getpid()}
        # As if it had been seen after it was added, and before it was removed.
        ended = json.loads((board.folder / "ended").read_bytes())
        (board.folder / "ended").write_text(json.dumps({**ended, "folded": ["4"]}))
        assert reader.totals((1.0,)).process[2] == 111
    finally:
        board.remove()
    assert not board.folder.exists()


def test_a_file_that_cannot_be_read_is_said_and_costs_no_other_count(caplog: pytest.LogCaptureFixture) -> None:
    board = Board()
    assert board.folder is not None
    try:
        write_worker(board.folder, 1, "/a", 5)
        board.fold(1)
        (board.folder / "2").write_bytes(b"broken")
        board.fold(2)
        assert "the counts of process 2 are lost" in caplog.text
        assert Seat(board.folder, 1, Layout(4, (), FIXED, (1.0,)), 32).totals((1.0,)).process[2] == 5
    finally:
        board.remove()


# -- workers

WHO = GET.format(path="/who", fields="Connection: close\r\n").encode()
SCRAPE = GET.format(path="/metrics", fields="Connection: close\r\n").encode()


def ask(url: str, data: bytes, times: int = 1) -> bytes:
    body = b""
    for _ in range(times):
        with Client(url) as client:
            answer = client.ask(data)
            assert answer.status == 200
            body = answer.body
    return body


def test_all_workers_are_one_sum_and_the_dead_count_too(tmp_path: Path) -> None:
    write_files(tmp_path)
    environ = {"BRRTR_METRICS__ENABLED": "true", "BRRTR_SERVER__DRAIN_IDLE": "0.2", "TMPDIR": str(tmp_path)}
    with Served(tmp_path, "--workers", "2", "--port", "0", environ=environ) as served:
        url = served.url()
        pids = [int(served.log.until(READY)[2]) for _ in range(2)]
        (folder,) = tmp_path.glob("brrtrouter-*")
        counted = 0
        for round_number in range(3):
            ask(url, WHO, 40)
            counted += 40
            for _ in range(4):  # whoever answers
                samples = read(ask(url, SCRAPE).decode())
                assert requests(samples) == {"GET,/who,200": counted}
                assert samples["workers"] == 2
            if round_number == 0:
                os.kill(pids[0], signal.SIGKILL)
                served.log.until(READY)
            elif round_number == 1:
                served.signal(signal.SIGHUP)
                served.log.until("reloaded")
        scrapes = samples["requests_total GET,/metrics,200"]
        assert scrapes == 11
        assert samples["request_duration_seconds_count GET,/who"] == 120
        assert samples["process_resident_memory_bytes"] > 0
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
        assert not folder.exists()
