"""The results as Markdown."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from benchmarks.servers.peers import FLOOR, WORKERS
from benchmarks.servers.workloads import WORKLOADS


@dataclass(frozen=True)
class Sample:
    """One turn: processor time of the server for a request, requests a second, latencies; all times in microseconds."""

    cpu: float
    rate: float
    p50: float
    p99: float


@dataclass
class Results:
    """Samples by server and workload, memory after the start, and what was left out."""

    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)
    resident: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def median(self, server: str, workload: str, what: str) -> float | None:
        """The median over the rounds, None where nothing was measured."""
        found = self.samples.get((server, workload))
        return None if not found else statistics.median(getattr(sample, what) for sample in found)


def cell(results: Results, server: str, workload: str) -> str:
    cpu, floor = results.median(server, workload, "cpu"), results.median(FLOOR, workload, "cpu")
    rate = results.median(server, workload, "rate")
    if cpu is None or rate is None:
        return ""
    ratio = "" if floor is None else f" ({cpu / floor:.2f})"
    return f"{cpu:.2f}{ratio}, {rate / 1_000:,.0f}k/s"


def table(results: Results) -> str:
    """A row for each server: microseconds for a request, times the floor, requests a second."""
    fast = [workload for workload in WORKLOADS if workload.rate == 0]
    timed = [workload for workload in WORKLOADS if workload.rate != 0]
    titles = [*(f"{w.title}: µs (floor), rate" for w in fast), *(f"{w.title}: p50, p99 µs" for w in timed), "MB"]
    lines = ["| server | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    workers = {peer.name for peer in WORKERS}
    for server, resident in results.resident.items():
        if server in workers:
            continue
        cells = [cell(results, server, workload.key) for workload in fast]
        for workload in timed:
            p50, p99 = (results.median(server, workload.key, what) for what in ("p50", "p99"))
            cells.append("" if p50 is None or p99 is None else f"{p50:,.0f}, {p99:,.0f}")
        lines.append(f"| {server} | " + " | ".join(cells) + f" | {resident:.0f} |")
    return "\n".join(lines)


def workers_table(results: Results) -> str:
    """One process against two, where both may use every core, beside the generator."""
    lines = ["| brrtrouter | requests/s | µs of processor time for a request |", "|---|---|---|"]
    for peer in WORKERS:
        rate, cpu = (results.median(peer.name, "workers", what) for what in ("rate", "cpu"))
        if rate is not None and cpu is not None:
            lines.append(f"| {peer.name} | {rate:,.0f} | {cpu:.2f} |")
    return "\n".join(lines)


def markdown(results: Results, about: str) -> str:
    """The whole report."""
    parts = [about, table(results)]
    if any((peer.name, "workers") in results.samples for peer in WORKERS):
        parts.append(
            "One process and two workers, W3 pipelined 16 deep, all on the same cores as the generator, which takes "
            "little of them because it has few calls to make.\n\n" + workers_table(results)
        )
    if results.left_out:
        parts.append("Left out:\n" + "\n".join(f"- {name}: {why}" for name, why in results.left_out.items()))
    return "\n\n".join(parts) + "\n"
