"""Benchmarks: the peers answer alike, wrong answers are not timed, the files are whole, the suites can be run."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.peers import report
from benchmarks.peers.__main__ import answers, prepared, wrong_routes
from benchmarks.peers.engines import ENGINES, Built, Request, Route, version
from benchmarks.peers.workloads import fill, make
from benchmarks.routes import rest
from benchmarks.servers.load import CONNECTIONS, Generator, LoadError

ROOT = Path(__file__).resolve().parent.parent
INSTALLED = [(name, build) for name, distribution, build in ENGINES if version(distribution) is not None]
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="the floor needs a C compiler")


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *filter(None, sys.path))))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@needs_compiler
def test_one_workload_in_one_round_prints_a_row_for_each_engine() -> None:
    done = command("benchmarks.peers", "--rounds", "1", "--only", "rest-10")
    assert done.returncode == 0, done.stderr
    rows = [line.strip("|").split("|") for line in done.stdout.splitlines()]
    assert [row[0].strip() for row in rows] == [
        *("engine", "---", "floor: prebuilt", "floor: two"),
        *(name for name, _ in INSTALLED),
    ]
    assert {len(row) for row in rows} == {2}
    assert rows[3][1].strip().endswith("(1.0 x)")


def test_an_unknown_workload_is_refused_with_the_names_of_all() -> None:
    done = command("benchmarks.peers", "--only", "rest-1")
    assert done.returncode == 2
    assert "--only rest-1 is none of" in done.stderr
    assert "rest-10, rest-1000, rest-10000" in done.stderr


@pytest.mark.parametrize(("name", "build"), INSTALLED, ids=[name for name, _ in INSTALLED])
def test_every_engine_gives_the_value_and_the_captures(name: str, build: Any) -> None:
    routes: list[Route] = list(rest(50).routes)
    engine: Built = build(routes)
    assert engine.refused == set()
    for method, template, value in routes:
        path = template.replace("{id}", "a1").replace("{item}", "b2")
        expected = {name: text for name, text in (("id", "a1"), ("item", "b2")) if f"{{{name}}}" in template}
        assert engine.ask(method, path) == (value, expected)
        assert engine.ask(method, path + "/no/such/path") is None
    # The loop that is timed survives hits, misses, and a path that exists for another method only.
    engine.run([("GET", "/api/v1/resource3/7"), ("GET", "/nowhere"), ("DELETE", "/api/v1/resource3")])


def test_routes_that_an_engine_answers_differently_are_left_out() -> None:
    routes: list[Route] = [("GET", "/a/{x}", 1), ("GET", "/b", 2), ("GET", "/c", 3)]
    workload = make("key", "title", routes, str, "two", True)

    def ask(method: str, path: str) -> tuple[Any, dict[str, str]] | None:
        return {"/b": (3, {}), "/c": (3, {})}.get(path, (1, {}))

    engine = Built(lambda requests: None, ask, {("GET", "/a/{x}")})
    assert wrong_routes(engine, workload) == {("GET", "/a/{x}"), ("GET", "/b")}
    assert not answers(Built(lambda requests: None, lambda method, path: (1, {})), routes[0], ("GET", "/a/1"), True)
    assert not answers(engine, routes[2], ("GET", "/c"), hits=False)


def test_values_never_repeat_and_paths_are_new_for_every_turn() -> None:
    workload = make("key", "title", [("GET", "/a/{x}", 1)], str, "two", True)
    requests: list[Request] = [request for _, request in workload.requests]
    assert len(set(requests)) == len(requests)
    again = [asked for methods, paths in prepared(requests) for asked in zip(methods, paths.split("\n"), strict=True)]
    assert again == requests
    assert fill("/a", Random(1)) == "/a"


NANOSECONDS = {"floor: prebuilt": 20.0, "floor: two": 100.0, "brrtrouter": 150.0, "other": 450.0}


def results() -> dict[str, Any]:
    keys = ("github-all-hits", "github-all-misses", "github-all-literals", "rest-10", "rest-10000")
    floors = ("two", "prebuilt", "prebuilt", "two", "two")
    return {
        "machine": {"cpu": "C", "cores": 2, "load": 0.5, "system": "S", "python": "P", "versions": {"other": None}},
        "rounds": 3,
        "workloads": [
            {
                "key": key,
                "title": f"<{key}>",
                "floor": f"floor: {floor}",
                "nanoseconds": NANOSECONDS,
                "samples": {name: [value] for name, value in NANOSECONDS.items()},
                "dropped": {"other": 7} if key == "rest-10" else {},
            }
            for key, floor in zip(keys, floors, strict=True)
        ],
        "build_ms": {"brrtrouter": 10.0, "other": 20.5},
        "native": None,
    }


def test_the_files_hold_the_table_the_ratios_and_every_sample() -> None:
    files = report.files(results())
    assert set(files) == {"results.md", "results.json", "results.svg"}
    text = files["results.md"]
    assert "| brrtrouter | 150 (1.5 x) | 150 (7.5 x) | 150 (7.5 x) | 150 (1.5 x) | 150 (1.5 x) |" in text
    for line in (
        "hits: 1.50 x the floor of a tuple and a dict of two",
        "hits: 3.00 x faster than other",
        "misses: 3.00 x faster than the fastest peer, other",
        "literal paths: 7.50 x the floor of a prebuilt tuple",
        "from 10 to 10,000 REST routes: 1.00 x the time",
        "<rest-10>: other 7",
    ):
        assert f"- {line}" in text
    assert "other not installed" in text
    assert json.loads(files["results.json"]) == results()


def test_the_plot_has_a_bar_for_each_engine_on_one_logarithmic_scale() -> None:
    drawing = ElementTree.fromstring(report.files(results())["results.svg"])
    svg = "{http://www.w3.org/2000/svg}"
    bars = [float(bar.get("width", "")) for bar in drawing.iter(f"{svg}rect") if bar.get("rx")]
    panels = 4
    assert len(bars) == panels * len(NANOSECONDS)
    assert bars == bars[: len(NANOSECONDS)] * panels  # the same numbers are as long in every panel
    shortest, *_, longest = bars[: len(NANOSECONDS)]
    assert longest > shortest > 0
    titles = [text.text for text in drawing.iter(f"{svg}text")]
    assert "<github-all-hits>" in titles


def test_the_suite_of_the_matcher_is_one_of_pytest_benchmark() -> None:
    done = command("pytest", "-q", "-p", "no:cacheprovider", "benchmarks/bench_match.py")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^[1-9]\d* passed", done.stdout, re.MULTILINE)


@needs_compiler
@pytest.mark.skipif(sys.platform != "linux", reason="the processor time of another process is read as Linux has it")
def test_the_servers_are_asked_and_compared_with_the_floor() -> None:
    options = ("--rounds", "1", "--requests", "640", "--seconds", "0.2")
    done = command("benchmarks.servers", *options, "--only", "brrtrouter")
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if "|" in line]
    ours = ["", ", with metrics, request id and CORS", ", without request id", ", pet store"]
    assert [row[0] for row in rows[2:]] == ["floor: uvloop, canned", *("brrtrouter" + more for more in ours)]
    assert rows[0][1:3] == ["W1: GET, fixed answer: µs (floor), rate", "W2: GET, three integers: µs (floor), rate"]
    for row in rows[2:]:
        *asked, latency, memory = row[1:]
        if row[0].endswith("pet store"):
            assert asked.pop(2) == "", "it has one pet"
        assert all(re.fullmatch(r"[\d.]+ \([\d.]+\), \d+k/s", cell) for cell in asked), row
        assert re.fullmatch(r"[\d,]+, [\d,]+", latency), row
        assert int(memory) > 0
    assert [cell.partition("(")[2][:4] for cell in rows[2][1:5]] == ["1.00"] * 4
    assert "Left out" not in done.stdout


@needs_compiler
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "an answer is not a 200"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "an answer has no Content-Length"),
        (b"", "the server has closed a connection"),
    ],
    ids=["status", "length", "end"],
)
def test_an_answer_that_says_something_else_is_not_counted(answer: bytes, message: str, tmp_path: Path) -> None:
    generator = Generator(tmp_path, None)
    with socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS) as listener:

        def serve() -> None:
            with listener.accept()[0] as sock:
                sock.recv(4096)
                sock.sendall(answer)
                sock.shutdown(socket.SHUT_WR)
                sock.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(LoadError, match=message):
            generator.run(listener.getsockname()[1], b"GET / HTTP/1.1\r\n\r\n", 1.0)
        thread.join()


@needs_compiler
def test_at_a_fixed_rate_a_latency_counts_from_the_time_the_request_was_due(tmp_path: Path) -> None:
    answer, rate = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 320
    stall = CONNECTIONS / rate  # until the first request of the last connection
    with socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS) as listener:

        def serve() -> None:
            """Answer everything at once, but nothing before each connection has sent a request."""
            with selectors.DefaultSelector() as selector, contextlib.ExitStack() as stack:
                for sock in [stack.enter_context(listener.accept()[0]) for _ in range(CONNECTIONS)]:
                    sock.recv(1, socket.MSG_PEEK)
                    selector.register(sock, selectors.EVENT_READ)
                while selector.get_map():
                    for key, _ in selector.select():
                        assert isinstance(key.fileobj, socket.socket)
                        data = key.fileobj.recv(4096)
                        if data:
                            key.fileobj.sendall(answer)
                        else:
                            selector.unregister(key.fileobj)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        load = Generator(tmp_path, None).run(listener.getsockname()[1], b"GET / HTTP/1.1\r\n\r\n", 0.6, rate=rate)
        thread.join()
    assert 100 <= load.requests <= rate * 0.6 + CONNECTIONS
    assert load.p99 > stall * 0.8 * 1e6
