"""What each feature of a request costs: instructions counted by valgrind, or requests a second of a real server.

    python benchmarks/costs.py                 a table of instructions; the same on every run
    python benchmarks/costs.py --speed         requests a second; for a quiet machine
    python benchmarks/costs.py --only bare tracing-unsampled --json

A row is an entry of VARIANTS: settings, and the header fields that its requests have.  For the instructions a server is
connected in memory, so that the kernel and the event loop are left out; the difference of a long and a short run leaves
the start out, and the thread that writes lines is in.  A share of what the server alone does is therefore larger than
the share of throughput that it costs.  Counts are for a GET with a fixed answer (W1), whose requests have four fields.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SHORT, LONG = 1_000, 5_000
BATCH = 50  # requests between two turns of the event loop
SPEC: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Costs", "version": "1"},
    "paths": {"/good": {"get": {"operationId": "good", "responses": {"200": {"description": "The same always"}}}}},
}
PARENT = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{}\r\n"
NOWHERE = "http://127.0.0.1:9"  # nobody listens: spans are made, queued and dropped


@dataclass(frozen=True)
class Variant:
    """A row: settings, header fields of its requests, and what the document gets for it."""

    title: str
    config: dict[str, Any] = field(default_factory=dict)
    fields: str = ""
    spec: dict[str, Any] = field(default_factory=lambda: SPEC)


METRICS = {"metrics": {"enabled": True}}
LOG = {"log": {"access": True, "target": "/dev/null"}}


def tracing(rate: float) -> dict[str, Any]:
    return {"tracing": {"enabled": "on", "endpoint": NOWHERE, "sample_rate": rate, "flush": 0.0}}


VARIANTS = {
    "bare": Variant("bare operation"),
    "metrics": Variant("+ metrics", METRICS),
    "access-log": Variant("+ access log", LOG),
    "both": Variant("+ metrics and access log", {**METRICS, **LOG}),
    "tracing-off": Variant("tracing off", {"tracing": {"enabled": "off"}}),
    "tracing-unsampled": Variant("tracing, not sampled", tracing(0.0)),
    "tracing-rejected": Variant("tracing, the caller does not sample", tracing(0.0), PARENT.format("00")),
    "tracing-sampled": Variant("tracing, sampled", tracing(1.0)),
}


def request_of(variant: Variant) -> bytes:
    fields = f"Host: 127.0.0.1:8080\r\nUser-Agent: bench/1\r\nAccept: */*\r\n{variant.fields}"
    return f"GET /good HTTP/1.1\r\n{fields}\r\n".encode()


async def good(request: Any) -> dict[str, str]:
    return {"status": "ok"}


def make_app(variant: Variant) -> Any:
    from brrtrouter import App

    return App(variant.spec, {"good": good}, variant.config)


class Sink(asyncio.Transport):
    """Takes answers and counts them."""

    answers = 0

    def write(self, data: Any) -> None:
        assert bytes(data).startswith(b"HTTP/1.1 200")
        self.answers += 1

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        """Nothing to cut."""


async def run_requests(variant: Variant, count: int) -> None:
    from brrtrouter.core.connection import Endpoint
    from brrtrouter.core.protocol import HttpProtocol

    app = make_app(variant)
    await app.startup()
    protocol = HttpProtocol(Endpoint(app.service, asyncio.get_running_loop()))
    sink = Sink()
    protocol.connection_made(sink)
    request = request_of(variant)
    for number in range(count):
        protocol.data_received(request)
        if number % BATCH == 0:
            await asyncio.sleep(0)
    assert sink.answers == count, sink.answers
    protocol.connection_lost(None)
    await app.shutdown()


def count(name: str) -> float:
    """Instructions of one request."""
    from callgrind import instructions

    return (instructions(__file__, "--job", name, str(LONG)) - instructions(__file__, "--job", name, str(SHORT))) / (
        LONG - SHORT
    )


def speed(name: str, seconds: float) -> float:
    """Requests a second of a server in a process of its own."""
    import subprocess

    from servers.load import Generator

    with tempfile.TemporaryDirectory() as folder:
        generator = Generator(Path(folder), None)
        server = subprocess.Popen([sys.executable, __file__, "--serve", name], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            request = request_of(VARIANTS[name])
            generator.run(port, request, seconds / 4)
            found = generator.run(port, request, seconds)
        finally:
            server.terminate()
            server.communicate()
    return found.requests / found.seconds


def serve(name: str) -> None:
    app = make_app(VARIANTS[name])
    from brrtrouter.server.handle import Server

    server = Server(app, "127.0.0.1", 0)
    server.run(lambda ready: print(ready.address[1], flush=True))


def report(found: dict[str, float], what: str) -> str:
    bare = found.get("bare")
    lines = [f"| W1 | {what} | against bare |", "|---|---|---|"]
    for name, value in found.items():
        share = f"{(value / bare - 1) * 100:+.1f} %" if bare else ""
        lines.append(f"| {VARIANTS[name].title} | {value:,.0f} | {share} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="these rows")
    parser.add_argument("--speed", action="store_true", help="requests a second instead of instructions")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each row is asked with --speed")
    parser.add_argument("--json", action="store_true", help="numbers only")
    parser.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        asyncio.run(run_requests(VARIANTS[arguments.job[0]], int(arguments.job[1])))
        return
    if arguments.serve:
        serve(arguments.serve)
        return
    if not arguments.speed and shutil.which("valgrind") is None:
        raise SystemExit("valgrind is needed to count instructions")
    found = {name: speed(name, arguments.seconds) if arguments.speed else count(name) for name in arguments.only}
    what = "requests a second" if arguments.speed else "instructions"
    print(json.dumps(found) if arguments.json else report(found, what))


if __name__ == "__main__":
    for variable in [name for name in os.environ if name.startswith("OTEL_")]:
        del os.environ[variable]
    main()
