"""Serving keeps nothing: neither memory nor file descriptors grow with requests and connections.

Measured in a fresh process, after a first round in which caches fill.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REQUESTS = 20_000
CONNECTIONS = 500
GROWTH_KIB = 3072  # arenas of the allocator come in steps of 1 MiB; a leak of 200 bytes a request would be 4 MiB
PROGRAM = """
import gc, os, sys
sys.path.insert(0, {tests!r})
from wire import GOOD, Client, application
from brrtrouter import Response

async def items():
    yield b"x" * 100

async def stream(request):
    return Response(200, items())

async def echo(request):
    return request.raw_body

ROUND = (
    GOOD
    + b"GET /stream?a=b HTTP/1.1\\r\\nHost: a\\r\\nCookie: a=b\\r\\nX: y\\r\\n\\r\\n"
    + b"POST /echo HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 5\\r\\n\\r\\nhello"
    + b"POST /echo HTTP/1.1\\r\\nHost: a\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nhello\\r\\n0\\r\\n\\r\\n"
    + b"GET /no/such/path HTTP/1.1\\r\\nHost: a\\r\\n" + b"X: y\\r\\n" * 20 + b"\\r\\n"
)
ENDS = [b"", b"GET /goo", b"BAD\\r\\n\\r\\n", b"POST /echo HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 9\\r\\n\\r\\n123"]

def requests(url, count):
    with Client(url) as client:
        for _ in range(count // 5):
            client.send(ROUND)
            for _ in range(5):
                client.answer()

def connections(url, count):
    for number in range(count):
        with Client(url) as client:
            assert client.ask(GOOD).status == 200
            client.send(ENDS[number % len(ENDS)])

def measure():
    gc.collect()
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024, len(os.listdir("/proc/self/fd"))

server = application({{"GET /stream": stream, "POST /echo": echo}}).start(port=0).wait_ready()
requests(server.url, {requests} // 4)
connections(server.url, {connections} // 2)
settled = measure()
requests(server.url, {requests})
connections(server.url, {connections})
with Client(server.url) as client:
    client.ask(GOOD)  # the server has read everything that was sent before
after = measure()
server.stop()
print(*settled, *after)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="there is no /proc here")
def test_requests_and_connections_leave_nothing_behind() -> None:
    here = Path(__file__).resolve()
    program = PROGRAM.format(tests=str(here.parent), requests=REQUESTS, connections=CONNECTIONS)
    path = os.pathsep.join([str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    memory, files, memory_after, files_after = map(int, done.stdout.split())
    assert memory_after - memory < GROWTH_KIB
    assert files_after <= files + 8, "connections are not closed"
