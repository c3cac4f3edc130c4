"""Servers side by side: `python -m benchmarks.servers`; benchmarks/README.md says what is measured and how."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import report
from benchmarks.servers.load import CONNECTIONS, Generator, LoadError
from benchmarks.servers.peers import FLOOR, PEERS, ROOT, WORKERS, Peer
from benchmarks.servers.process import Served, Unavailable, ask, cpu_seconds, free_port, resident_mb
from benchmarks.servers.report import Results, Sample
from benchmarks.servers.workloads import WORKLOADS, Workload

# Pipelined, so that the generator, which shares the cores with them, takes little of them.
WORKERS_WORKLOAD = Workload("workers", "", "pet", depth=16)


@dataclass(frozen=True)
class Turn:
    """How long a server is asked before the others are: seconds, or a number of requests."""

    seconds: float
    most: int


def cores() -> tuple[set[int] | None, set[int] | None]:
    """One core for the servers and another for the generator; None twice where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return ({allowed[0]}, {allowed[1]}) if len(allowed) > 1 else (None, None)


def checked(peer: Peer, port: int) -> None:
    """Ask every operation once.  Unavailable when an answer is not what it has to be."""
    for name, (request, value) in peer.operations.items():
        try:
            found = ask(port, request)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Unavailable(f"{name}: {error}") from error
        if peer.answers_all and found != value:
            raise Unavailable(f"{name} was answered with {found!r}")


@contextlib.contextmanager
def running(peers: list[Peer], core: set[int] | None, folder: Path, results: Results) -> Iterator[dict[str, Served]]:
    """Start all servers that can take part, and stop them in the end."""
    with contextlib.ExitStack() as stack:
        served: dict[str, Served] = {}
        for peer in peers:
            port = free_port()
            try:
                process = stack.enter_context(Served(peer.command(port, folder), port, core, ROOT))
                process.wait_ready()
                checked(peer, port)
            except Unavailable as error:
                results.left_out[peer.name] = str(error)
                continue
            served[peer.name] = process
            results.resident[peer.name] = resident_mb(process.pid)
        yield served


def take_turn(peer: Peer, served: Served, workload: Workload, generator: Generator, turn: Turn) -> Sample:
    request, _ = peer.operations[workload.operation]
    before = cpu_seconds(served.pid)
    load = generator.run(
        served.port,
        request,
        turn.seconds,
        depth=workload.depth,
        rate=workload.rate,
        most=turn.most,
        digits=workload.digits,
    )
    spent = cpu_seconds(served.pid) - before
    return Sample(spent / load.requests * 1e6, load.requests / load.seconds, load.p50, load.p99)


def measure(
    peers: list[Peer], workloads: list[Workload], rounds: int, turn: Turn, *, pinned: bool, results: Results
) -> None:
    """Let all servers take turns, workload after workload, round after round; the first turn of each warms it up."""
    server_core, load_core = cores() if pinned else (None, None)
    with tempfile.TemporaryDirectory(prefix="brrt-servers-") as name:
        folder = Path(name)
        generator = Generator(folder, load_core)
        with running(peers, server_core, folder, results) as served:
            present = [peer for peer in peers if peer.name in served]
            for at in range(rounds + 1):
                for workload in workloads:
                    for peer in present:
                        if workload.operation not in peer.operations or peer.name in results.left_out:
                            continue
                        try:
                            sample = take_turn(peer, served[peer.name], workload, generator, turn)
                        except LoadError as error:
                            results.left_out[peer.name] = f"{workload.key}: {error}"
                            continue
                        if at > 0:
                            results.samples.setdefault((peer.name, workload.key), []).append(sample)


def chosen(names: str, available: list[str], option: str, parser: argparse.ArgumentParser) -> set[str]:
    """The names that begin with one of the words, all for no word; an error of the command line for an unknown one."""
    words = [word.strip() for word in names.split(",") if word.strip()]
    for word in words:
        if not any(name.startswith(word) for name in available):
            parser.error(f"{option} {word} is none of {', '.join(available)}")
    return {name for name in available if not words or any(name.startswith(word) for word in words)}


def about(rounds: int, turn: Turn) -> str:
    pinned = "the server on one core, the generator on another" if cores()[0] else "all on one core"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return (
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f} at the start, {platform.system()} "
        f"{platform.machine()}, {python}; {CONNECTIONS} connections, {pinned}; medians of {rounds} alternating "
        f"rounds, {turn.seconds:g} s for each turn."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.servers", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each turn")
    parser.add_argument("--requests", type=int, default=10**9, help="of each turn at most")
    parser.add_argument("--only", default="", help="beginnings of names of servers, with commas; the floor always runs")
    parser.add_argument("--workloads", default="", help="these only: " + ", ".join(w.key for w in WORKLOADS))
    parser.add_argument("--workers", action="store_true", help="compare one process and two workers as well")
    options = parser.parse_args()
    names = chosen(options.only, [peer.name for peer in PEERS], "--only", parser) | {FLOOR}
    keys = chosen(options.workloads, [workload.key for workload in WORKLOADS], "--workloads", parser)
    turn = Turn(options.seconds, options.requests)
    results, text = Results(), about(options.rounds, turn)
    peers = [peer for peer in PEERS if peer.name in names]
    workloads = [workload for workload in WORKLOADS if workload.key in keys]
    measure(peers, workloads, options.rounds, turn, pinned=True, results=results)
    if options.workers:
        measure(list(WORKERS), [WORKERS_WORKLOAD], options.rounds, turn, pinned=False, results=results)
    sys.stdout.write(report.markdown(results, text))


if __name__ == "__main__":
    main()
