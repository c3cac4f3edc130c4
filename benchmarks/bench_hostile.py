"""What hostile clients cost the others: the worst wait of a good client beside them, and the price of one tick.

    python benchmarks/bench_hostile.py            both
    python benchmarks/bench_hostile.py --seconds 5    how long each attack lasts

The server is a process of its own on the loopback interface, with the limits as they are by default; the good client
asks one request after the other.  A tick of the clock looks at every connection; it is measured with idle ones.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_request import Sink

from brrtrouter import App
from brrtrouter.core.connection import Endpoint
from brrtrouter.core.protocol import HttpProtocol

GET = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
BODY = b"POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + bytes(1000)
BY_RESET = struct.pack("ii", 1, 0)
CONNECTIONS = 10_000
DOCUMENT: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}}
Attack = Callable[[tuple[str, int], Event], None]


def nobody(address: tuple[str, int], end: Event) -> None:
    end.wait()


def flood(address: tuple[str, int], end: Event) -> None:
    """Requests in a row, whose answers are not read."""
    with socket.create_connection(address) as sock, suppress(OSError):
        sock.settimeout(0.1)
        while not end.is_set():
            with suppress(TimeoutError):
                sock.sendall(GET * 1000)


def idle(address: tuple[str, int], end: Event) -> None:
    with ExitStack() as stack:
        for _ in range(600):
            stack.enter_context(socket.create_connection(address))
        end.wait()


def resets(address: tuple[str, int], end: Event) -> None:
    """Two hundred connections at a time, each reset in the middle of a body."""
    while not end.is_set():
        with ExitStack() as stack:
            for _ in range(200):
                sock = stack.enter_context(socket.create_connection(address))
                sock.sendall(BODY)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, BY_RESET)


ATTACKS: dict[str, Attack] = {
    "nobody": nobody,
    "pipelined requests, answers not read": flood,
    "600 idle connections": idle,
    "200 resets in the middle of bodies, again and again": resets,
}


def waits(address: tuple[str, int], seconds: float) -> list[float]:
    """How long each answer took, sorted."""
    found = []
    end = time.perf_counter() + seconds
    with socket.create_connection(address) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (start := time.perf_counter()) < end:
            sock.sendall(GET)
            sock.recv(65536)
            found.append(time.perf_counter() - start)
    return sorted(found)


def begin(attack: Attack, address: tuple[str, int], begun: Event, end: Event) -> None:
    """The process of an attack."""
    begun.set()
    attack(address, end)


def attacked(attack: Attack, address: tuple[str, int], seconds: float) -> list[float]:
    processes = multiprocessing.get_context("spawn")
    end, begun = processes.Event(), processes.Event()
    attacker = processes.Process(target=begin, args=(attack, address, begun, end))
    attacker.start()
    begun.wait()
    try:
        return waits(address, seconds)
    finally:
        end.set()
        attacker.join()


def tick_seconds(connections: int) -> float:
    """The best of ten ticks that look at so many idle connections."""
    loop = asyncio.new_event_loop()
    endpoint = Endpoint(App(DOCUMENT).service, loop)
    protocols = []
    for _ in range(connections):
        protocols.append(HttpProtocol(endpoint))
        protocols[-1].connection_made(Sink())
        protocols[-1].data_received(GET)
    endpoint.tick()  # sees that all is sent
    best = min(_timed(endpoint.tick) for _ in range(10))
    for protocol in protocols:
        protocol.connection_lost(None)
    loop.close()
    return best


def _timed(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def serve() -> None:
    with App(DOCUMENT).start(port=0) as server:
        print(server.address[1], flush=True)
        sys.stdin.read()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each attack lasts")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    print(f"a tick with {CONNECTIONS:,} idle connections: {tick_seconds(CONNECTIONS) * 1e6:,.0f} us\n")
    print("| beside | answers | median, ms | 99.9 %, ms | worst, ms |\n|---|---|---|---|---|")
    for name, attack in ATTACKS.items():
        command = [sys.executable, __file__, "--serve"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            found = attacked(attack, ("127.0.0.1", int(server.stdout.readline())), options.seconds)
            server.communicate()
        points = [found[len(found) // 2], found[len(found) * 999 // 1000], found[-1]]
        print(f"| {name} | {len(found):,} | {' | '.join(f'{each * 1e3:.2f}' for each in points)} |", flush=True)


if __name__ == "__main__":
    main()
