"""What connections cost a server: the CPU time of one that brings one request, and the memory of one that is idle.

    python benchmarks/bench_connections.py                 CPU time of a connection, and beside it that of asyncio's
                                                           own way to take connections (create_server)
    python benchmarks/bench_connections.py --idle 10000    memory of so many idle connections
    python benchmarks/bench_connections.py --requests 1000000    memory and descriptors before and after so many

The server is a process of its own on the loopback interface; what is measured is that process, read from /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GET = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
GRACE_SECONDS = 30.0  # in which a server has to answer
PIPELINE = 16
ROUNDS = 5


def application() -> object:
    """An application without operations: /health is answered in C."""
    from brrtrouter import App

    limits = {"pipeline": PIPELINE}
    return App({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}}, config={"limits": limits})


def serve(way: str) -> None:
    """Serve until the standard input ends."""
    app = application()
    if way == "ours":
        with app.start(port=0) as server:  # type: ignore[attr-defined]
            print(server.address[1], flush=True)
            sys.stdin.read()
        return

    import uvloop

    from brrtrouter.core.connection import Endpoint
    from brrtrouter.core.protocol import HttpProtocol

    async def listen() -> None:
        loop = asyncio.get_running_loop()
        endpoint = Endpoint(app.service, loop)  # type: ignore[attr-defined]
        server = await loop.create_server(lambda: HttpProtocol(endpoint), "127.0.0.1", 0, backlog=2048)
        print(server.sockets[0].getsockname()[1], flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
        server.close()

    loop = uvloop.new_event_loop()
    loop.run_until_complete(listen())


class Measured:
    """A server process."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.address = ("127.0.0.1", port)
        self._folder = Path(f"/proc/{process.pid}")

    def cpu(self) -> float:
        """Seconds of CPU time so far, of all threads."""
        tasks = (self._folder / "task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def memory(self) -> int:
        """VmRSS in KiB."""
        text = (self._folder / "status").read_text()
        return int(text.partition("VmRSS:")[2].split()[0])

    def descriptors(self) -> int:
        return len(os.listdir(self._folder / "fd"))


@contextmanager
def server(way: str) -> Iterator[Measured]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    process = subprocess.Popen(
        [sys.executable, __file__, "--serve", way],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout is not None
    try:
        yield Measured(process, int(process.stdout.readline()))
    finally:
        process.communicate(timeout=GRACE_SECONDS)


def ask(address: tuple[str, int]) -> socket.socket:
    """A connection that has got one answer."""
    sock = socket.create_connection(address, GRACE_SECONDS)
    sock.sendall(GET)
    assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")
    return sock


def cost(measured: Measured, count: int) -> float:
    """Microseconds of CPU time for connect, one request, close."""
    before = measured.cpu()
    for _ in range(count):
        ask(measured.address).close()
    return (measured.cpu() - before) / count * 1e6


def accepts(count: int) -> None:
    """Both ways take turns, so that what else the machine does disturbs both."""
    with server("ours") as ours, server("create_server") as other:
        ways = {"ours": ours, "create_server": other}
        for each in ways.values():
            cost(each, count // 10)
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, each in ways.items():
                found[name].append(cost(each, count // ROUNDS))
    for name, costs in found.items():
        print(f"{name:14} {statistics.median(costs):6.1f} us of CPU time for a connection with one request")


def idle(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, count + 256)), hard))
    with server("ours") as measured:
        for _ in range(100):
            ask(measured.address).close()
        before = measured.memory()
        begin = time.perf_counter()
        connections = [ask(measured.address) for _ in range(count)]
        took = time.perf_counter() - begin
        after = measured.memory()
        for sock in connections:
            sock.close()
        ask(measured.address).close()
    each = (after - before) * 1024 / count
    print(f"{count} idle connections in {took:.1f} s: {each:.0f} bytes each, VmRSS {before} -> {after} KiB")


def requests(count: int) -> None:
    with server("ours") as measured, ask(measured.address) as sock:
        start, files = measured.memory(), measured.descriptors()
        print(f"{0:>10} requests: VmRSS {start} KiB, {files} descriptors")
        size = answer_size(measured.address)
        for done in range(1, 11):
            for _ in range(count // 10 // PIPELINE):
                sock.sendall(GET * PIPELINE)
                left = size * PIPELINE
                while left:
                    left -= len(sock.recv(left))
            print(
                f"{done * count // 10:>10} requests: VmRSS {measured.memory()} KiB, "
                f"{measured.descriptors()} descriptors"
            )


def answer_size(address: tuple[str, int]) -> int:
    with socket.create_connection(address, GRACE_SECONDS) as sock:
        sock.sendall(GET)
        return len(sock.recv(4096))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--idle", type=int)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--serve", choices=["ours", "create_server"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
    elif arguments.idle:
        idle(arguments.idle)
    elif arguments.requests:
        requests(arguments.requests)
    else:
        accepts(arguments.connections)


if __name__ == "__main__":
    main()
