"""A validated POST from the bytes of the request to the bytes of the answer, without sockets, and where its time goes.

    python benchmarks/bench_request.py                 requests a second, and the time of each part
    python benchmarks/bench_request.py --instructions  instead: instructions of each row, counted by valgrind
    python benchmarks/bench_request.py --json          either of them as JSON
    pytest benchmarks/bench_request.py                 the rows under pytest-benchmark

The body has four fields, one of them an object, and is held against a schema; the handler is an `async def` that never
waits and gives a small object back.  Each row does what the row before it does and one thing more, so that a part is
the difference of two rows; a difference within the noise of the machine says no more than that the part is small.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from callgrind import instructions

from brrtrouter import App, Request
from brrtrouter.core.connection import Endpoint
from brrtrouter.core.protocol import HttpProtocol

SHORT, LONG = 500, 2_500
ROUNDS = 7
SECONDS = 0.15  # of one round

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name", "age", "mail", "home"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 80},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "mail": {"type": "string", "pattern": "^[^@]+@[^@]+$"},
        "home": {
            "type": "object",
            "required": ["street", "zip"],
            "properties": {"street": {"type": "string"}, "zip": {"type": "string", "maxLength": 10}},
        },
    },
}
BODY = b'{"name":"Ada Lovelace","age":36,"mail":"ada@example.com","home":{"street":"12 St James Sq","zip":"SW1Y 4JH"}}'
ANSWER = {"id": 1, "name": "Ada Lovelace"}
PARAMETERS: list[dict[str, Any]] = [
    {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
    {"name": "dry", "in": "query", "schema": {"type": "boolean"}},
    {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}},
]
# What each row has: (parameters are declared, body: None, "any" or "schema", answer: None or a value, response checks).
ROWS: dict[str, tuple[bool, str | None, Any, str]] = {
    "head, match, handler, 204": (False, None, None, "off"),
    "+ answer encoded": (False, None, ANSWER, "off"),
    "+ three parameters": (True, None, ANSWER, "off"),
    "+ body decoded": (True, "any", ANSWER, "off"),
    "+ body validated": (True, "schema", ANSWER, "off"),
    "+ answer validated": (True, "schema", ANSWER, "enforce"),
}
FULL = "+ body validated"


class Sink(asyncio.Transport):
    """A transport that keeps the last answer."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 0)})
        self.last: Any = b""

    def write(self, data: Any) -> None:
        self.last = data

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None: ...
    def close(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


def make_app(parameters: bool, body: str | None, answer: Any, checks: str) -> App:
    operation: dict[str, Any] = {
        "operationId": "putPerson",
        "parameters": PARAMETERS if parameters else PARAMETERS[:1],
        "responses": {
            "200": {
                "description": "",
                "content": {"application/json": {"schema": {"properties": {"id": {"type": "integer"}}}}},
            },
            "204": {"description": ""},
        },
    }
    if not parameters:
        operation["parameters"] = [{**PARAMETERS[0], "schema": {"type": "string"}}]
    if body is not None:
        media = {"schema": SCHEMA} if body == "schema" else {}
        operation["requestBody"] = {"required": True, "content": {"application/json": media}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/people/{id}": {"post": operation}},
    }

    async def put_person(request: Request) -> Any:
        return answer

    return App(document, {"putPerson": put_person}, {"validation": {"responses": checks}} if checks != "off" else None)


def make_request(body: str | None) -> bytes:
    content = BODY if body is not None else b""
    head = (
        "POST /people/17?dry=true&limit=20 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def make_call(row: str, loop: asyncio.AbstractEventLoop) -> Callable[[], Any]:
    """One request through a connection that stays open; gives the bytes of the answer."""
    parameters, body, answer, checks = ROWS[row]
    transport = Sink()
    protocol = HttpProtocol(Endpoint(make_app(parameters, body, answer, checks).service, loop))
    protocol.connection_made(transport)
    received = protocol.data_received
    request = make_request(body)

    def call() -> Any:
        received(request)
        return transport.last

    expected = b"HTTP/1.1 204" if answer is None else b"HTTP/1.1 200"
    assert bytes(call()).startswith(expected), call()
    return call


def seconds_for(call: Callable[[], Any]) -> float:
    """The best of a few rounds: what disturbs a round only ever makes it longer."""
    count, elapsed = 1, 0.0
    while elapsed < SECONDS / 4:
        count *= 2
        elapsed = _timed(call, count)
    count = max(1, int(count * SECONDS / elapsed))
    return min(_timed(call, count) / count for _ in range(ROUNDS))


def _timed(call: Callable[[], Any], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - start


def time_all() -> dict[str, float]:
    """Seconds for one request of each row."""
    loop = asyncio.new_event_loop()
    try:
        calls = {row: make_call(row, loop) for row in ROWS}
        return {row: seconds_for(call) for row, call in calls.items()}
    finally:
        loop.close()


def stages() -> dict[str, float]:
    """Seconds of the two parts that are calls of other libraries, each on its own."""
    import orjson

    from brrtrouter.spec.load import load

    (operation,) = load(make_app(True, "schema", ANSWER, "off").specification.document).operations
    assert operation.request_body is not None
    schema = operation.request_body.content[0].schema
    assert schema is not None
    is_valid, value = schema.compiled(), orjson.loads(BODY)
    return {
        "orjson reads the body": seconds_for(lambda: orjson.loads(BODY)),
        "jsonschema_rs judges it": seconds_for(lambda: is_valid(value)),
        "orjson writes the answer": seconds_for(lambda: orjson.dumps(ANSWER)),
        "an empty call": seconds_for(lambda: None),
    }


# -- instructions ---------------------------------------------------------------------------------------------------


def run_row(row: str, calls: int) -> None:
    """The counted process."""
    call = make_call(row, asyncio.new_event_loop())
    for _ in range(calls):
        call()


def count(row: str, calls: int) -> int:
    """Instructions of a whole process that makes `calls` calls."""
    return instructions(__file__, "--row", row, str(calls))


def count_all() -> dict[str, float]:
    """Instructions for one request of each row."""
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is needed")
    return {row: (count(row, LONG) - count(row, SHORT)) / (LONG - SHORT) for row in ROWS}


# -- reports --------------------------------------------------------------------------------------------------------


def report(rows: dict[str, float], unit: str, scale: float) -> str:
    lines = [f"| row | {unit} | more than the row before |", "|---|---|---|"]
    before = 0.0
    for row, value in rows.items():
        lines.append(f"| {row} | {value * scale:,.0f} | {(value - before) * scale:,.0f} |")
        before = value
    return "\n".join(lines)


@pytest.fixture
def loop() -> Any:
    own = asyncio.new_event_loop()
    yield own
    own.close()


@pytest.mark.parametrize("row", ROWS)
def test_request(benchmark: Any, loop: asyncio.AbstractEventLoop, row: str) -> None:
    answer = benchmark(make_call(row, loop))
    assert bytes(answer).startswith(b"HTTP/1.1 20")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instructions", action="store_true", help="count instructions in place of time")
    parser.add_argument("--json", action="store_true", help="JSON in place of Markdown")
    parser.add_argument("--row", nargs=2, metavar=("ROW", "CALLS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row is not None:
        run_row(options.row[0], int(options.row[1]))
    elif options.instructions:
        counts = count_all()
        print(json.dumps(counts, indent=2) if options.json else report(counts, "instructions", 1))
    else:
        times, parts = time_all(), stages()
        if options.json:
            print(json.dumps({"seconds": times, "parts": parts}, indent=2))
            return
        print(f"CPython {sys.version.split()[0]}: {1 / times[FULL]:,.0f} validated requests a second\n")
        print(report(times, "ns", 1e9))
        print("\n" + "\n".join(f"{name}: {value * 1e9:,.0f} ns" for name, value in parts.items()))


if __name__ == "__main__":
    main()
