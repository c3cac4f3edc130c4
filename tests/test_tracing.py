"""Tracing: one tree of spans for each sampled request, nothing for the others, and requests never wait for it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk")
pytest.importorskip("grpc")

from collector import GrpcCollector, HttpCollector, plain
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from wire import TIMEOUT

from brrtrouter import App, ConfigError, Request
from brrtrouter.core.exchange import Exchange
from brrtrouter.core.observer import Sampler
from brrtrouter.testing import running

ROOT = Path(__file__).resolve().parents[1]
ID = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
SAMPLED = f"00-{ID}-{CALLER}-01"
REJECTED = f"00-{ID}-{CALLER}-00"
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/items/{id}": {
            "get": {
                "operationId": "get",
                "security": [{"Key": []}],
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"description": ""}},
            }
        },
        "/plain": {"get": {"operationId": "plain", "responses": {}}},
        "/later": {"get": {"operationId": "later", "responses": {}}},
        "/thread": {"get": {"operationId": "thread", "responses": {}}},
        "/broken": {"get": {"operationId": "broken", "responses": {}}},
        "/send": {"get": {"operationId": "send", "responses": {}}},
    },
    "webhooks": {"told": {"post": {"responses": {"200": {"description": ""}}}}},
    "components": {"securitySchemes": {"Key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
}
TRACER = trace.get_tracer("of the user")


def current() -> dict[str, Any]:
    ids = trace.get_current_span().get_span_context()
    return {"trace": f"{ids.trace_id:032x}", "span": f"{ids.span_id:016x}", "sampled": ids.trace_flags.sampled}


async def plain_handler(request: Request) -> Any:
    return {**current(), "baggage": baggage.get_baggage("k")}


async def later(request: Request) -> Any:
    with TRACER.start_as_current_span("work"):
        await asyncio.sleep(0)
        return current()


def thread(request: Request) -> Any:
    with TRACER.start_as_current_span("work in a thread"):
        return current()


async def broken(request: Request) -> Any:
    raise LookupError("nothing there")


def application(collector: Any = None, **tracing: Any) -> App:
    settings = {"enabled": "on", "flush": TIMEOUT, **tracing}
    if collector is not None:
        settings["endpoint"] = collector.url
    config = {"tracing": settings, "security": {"api_keys": {"Key": {"key": "k"}}}, "outgoing": {"allow_private": True}}
    app: App

    async def send(request: Request) -> Any:
        await app.webhooks["told"].send(request.query["url"])
        return current()

    handlers = {"get": plain_handler, "plain": plain_handler, "later": later, "thread": thread, "broken": broken}
    app = App(DOCUMENT, {**handlers, "send": send}, config)
    return app


@pytest.fixture
def collector() -> Iterator[HttpCollector]:
    made = HttpCollector()
    yield made
    made.close()


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: plain(each.value) for each in span.attributes}


def answers(app: App, *requests: tuple[str, dict[str, str]]) -> list[Any]:
    """What a server answers, one after the other; its end delivers the spans."""
    import httpx

    with running(app) as server, httpx.Client(base_url=server.url) as client:
        return [client.get(path, headers=headers) for path, headers in requests]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_request_is_a_tree_of_spans_with_the_attributes_of_the_conventions(protocol: str) -> None:
    collector = HttpCollector() if protocol == "http/protobuf" else GrpcCollector()
    try:
        app = application(collector, protocol=protocol, service_name="shop")
        (answer,) = answers(app, ("/items/7?secret=s", {"X-Key": "k", "User-Agent": "tests", "traceparent": SAMPLED}))
        assert answer.status_code == 200
        spans = collector.until("GET /items/{id}", "match", "auth", "validate", "handler", "encode")
    finally:
        collector.close()
    server = spans["GET /items/{id}"]
    assert (server.trace_id.hex(), server.parent_span_id.hex(), server.kind) == (ID, CALLER, 2)
    for name in ("match", "auth", "validate", "handler", "encode"):
        assert spans[name].parent_span_id == server.span_id
        assert spans[name].trace_id == server.trace_id
        assert server.start_time_unix_nano <= spans[name].start_time_unix_nano
        assert spans[name].start_time_unix_nano <= spans[name].end_time_unix_nano <= server.end_time_unix_nano
    found = attributes(server)
    assert found["http.request.method"] == "GET"
    assert found["http.route"] == "/items/{id}"
    assert found["url.path"] == "/items/7"
    assert found["http.response.status_code"] == 200
    assert (found["server.address"], found["client.address"]) == ("127.0.0.1", "127.0.0.1")
    assert found["user_agent.original"] == "tests"
    assert "secret" not in str(server)
    assert collector.resources[0]["service.name"] == "shop"
    # The handler ran inside of the span of the handler.
    assert answer.json()["span"] == spans["handler"].span_id.hex()


def test_spans_of_the_user_are_children_in_tasks_and_in_threads(collector: HttpCollector) -> None:
    answers(application(collector), ("/later", {}), ("/thread", {}))
    spans = collector.until("GET /later", "GET /thread", "work", "work in a thread")
    handlers = {span.span_id: span for span in collector.spans if span.name == "handler"}
    for name, server in (("work", "GET /later"), ("work in a thread", "GET /thread")):
        assert handlers[spans[name].parent_span_id].parent_span_id == spans[server].span_id
        assert spans[name].trace_id == spans[server].trace_id
    assert spans["GET /later"].trace_id != spans["GET /thread"].trace_id


def test_what_a_handler_raised_is_recorded_and_the_answer_is_an_error(collector: HttpCollector) -> None:
    answers(application(collector), ("/broken", {}))
    spans = collector.until("GET /broken", "handler")
    assert attributes(spans["GET /broken"])["error.type"] == "LookupError"
    assert spans["GET /broken"].status.code == 2
    (event,) = spans["handler"].events
    assert (event.name, attributes(event)["exception.message"]) == ("exception", "nothing there")


def test_a_refusal_ends_with_the_stage_that_refused(collector: HttpCollector) -> None:
    answers(application(collector), ("/items/7", {}), ("/nowhere", {}))
    spans = collector.until("GET /items/{id}", "GET", "auth")
    assert attributes(spans["GET /items/{id}"])["http.response.status_code"] == 401
    assert spans["GET /items/{id}"].status.code == 0
    assert "handler" not in spans
    assert "validate" not in spans
    assert "http.route" not in attributes(spans["GET"])


def test_the_decision_of_the_caller_is_followed_and_told_to_spans_of_the_user(collector: HttpCollector) -> None:
    rejected = ("/later", {"traceparent": REJECTED, "tracestate": "a=b"})
    one, two, three = answers(application(collector), rejected, ("/later", {"traceparent": SAMPLED}), rejected)
    collector.until("GET /later", "work")
    assert {span.trace_id.hex() for span in collector.spans} == {ID}
    assert len([span for span in collector.spans if span.name == "work"]) == 1
    assert [one.json()["sampled"], two.json()["sampled"], three.json()["sampled"]] == [False, True, False]
    assert one.json()["trace"] == ID


def test_nothing_is_sampled_at_a_rate_of_0_and_user_spans_begin_no_trace(collector: HttpCollector) -> None:
    app = application(collector, sample_rate=0)
    answers(app, ("/later", {}), ("/later", {}), ("/plain", {"traceparent": SAMPLED}))
    collector.until("GET /plain")
    assert {span.trace_id.hex() for span in collector.spans} == {ID}


def test_baggage_reaches_the_handler(collector: HttpCollector) -> None:
    (answer,) = answers(application(collector), ("/plain", {"baggage": "k=v"}))
    assert answer.json()["baggage"] == "v"


@pytest.mark.parametrize("caller", [SAMPLED, REJECTED])
def test_webhooks_that_go_out_tell_the_trace(collector: HttpCollector, caller: str) -> None:
    seen: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.headers["traceparent"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    receiver = HTTPServer(("127.0.0.1", 0), Receiver)
    serving = threading.Thread(target=receiver.handle_request)
    serving.start()
    try:
        url = f"http://127.0.0.1:{receiver.server_address[1]}/"
        (answer,) = answers(application(collector), (f"/send?url={url}", {"traceparent": caller}))
        assert answer.status_code == 200
        serving.join(TIMEOUT)
    finally:
        receiver.server_close()
    assert seen == [f"00-{ID}-{answer.json()['span']}-{caller[-2:]}"]


def test_a_collector_that_is_away_or_slow_delays_no_request() -> None:
    hold = threading.Event()
    slow = HttpCollector(hold)
    try:
        app = application(slow, flush=0.1)
        found = answers(app, *[("/plain", {})] * 20)
        assert [each.status_code for each in found] == [200] * 20  # while nobody has taken a span
        assert slow.asked.wait(TIMEOUT)  # the end has tried, and has not waited
        assert slow.spans == []
    finally:
        hold.set()
        slow.close()
    gone = application(slow, flush=0.1)
    assert [each.status_code for each in answers(gone, ("/plain", {}))] == [200]


def test_workers_deliver_their_spans_when_they_are_told_to_end(collector: HttpCollector, tmp_path: Path) -> None:
    import httpx
    from serving import Served, write_files

    write_files(tmp_path)
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_SERVICE_NAME": "workers",
        "OTEL_BSP_SCHEDULE_DELAY": "60000",  # so that only the end delivers them
    }
    with Served(tmp_path, "--workers", "2", "--port", "0", environ=environ) as served:
        assert httpx.get(f"{served.url()}/who").status_code == 200
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
    collector.until("GET /who")
    assert collector.resources[0]["service.name"] == "workers"


SERVICE = App(DOCUMENT, {}, echo=True).service


def request_with(traceparent: str) -> Request:
    fields = [(b"host", b"a"), (b"traceparent", traceparent.encode())]
    return Exchange(SERVICE, b"GET", b"/plain", 1, fields, None).request


VALID = st.builds(
    "{}-{}-{}-{}{}".format,
    st.sampled_from(["00", "01", "ff", "0g", "cc"]),
    st.sampled_from([ID, "0" * 32, ID.upper(), ID[:-1], "f" * 32]),
    st.sampled_from([CALLER, "0" * 16, CALLER[:-1] + "x"]),
    st.sampled_from(["00", "01", "03", "1", "zz", "fe"]),
    st.sampled_from(["", "-", "-x", "x"]),
)


@given(VALID | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60))
def test_traceparent_is_read_as_opentelemetry_reads_it(text: str) -> None:
    request = request_with(text)
    parent = trace.get_current_span(TraceContextTextMapPropagator().extract({"traceparent": text}, Context()))
    ids = parent.get_span_context()
    assert Sampler(2**64).would(request) == ((not ids.is_valid) or bool(ids.trace_flags.sampled), not ids.is_valid)


@given(st.integers(1, 2**128 - 1), st.floats(0, 1))
def test_the_share_of_traces_is_decided_as_opentelemetry_decides_it(number: int, rate: float) -> None:
    request = request_with(f"00-{number:032x}-{CALLER}-00")
    sampler = TraceIdRatioBased(rate)
    wanted = sampler.should_sample(None, number, "").decision.is_sampled()
    assert Sampler(round(rate * 2**64), False).would(request)[0] == wanted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_PROPAGATORS", "b3"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
    ],
)
def test_a_variable_with_an_unknown_value_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name}: .*{value}"):
        _ = application().service


def test_without_settings_the_sdk_is_not_even_loaded() -> None:
    text = f"""
import json, sys
from brrtrouter import App
from brrtrouter.testing import TestClient
app = App(json.loads({json.dumps(DOCUMENT)!r}), config={{"security": {{"api_keys": {{"Key": {{"key": "k"}}}}}}}})
TestClient(app).get("/plain")
print([name for name in sys.modules if name.startswith(("opentelemetry", "brrtrouter.observe.", "logging.handlers"))])
"""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run([sys.executable, "-c", text], env=environ, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stderr
