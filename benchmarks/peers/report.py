"""Results as Markdown, JSON and SVG."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.peers import plot

OURS = "brrtrouter"


def _by_key(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {workload["key"]: workload for workload in results["workloads"]}


def tables(results: dict[str, Any]) -> str:
    """A row for each engine, a column for each workload: nanoseconds, and how many times the floor that is."""
    workloads = results["workloads"]
    names = list(dict.fromkeys(name for workload in workloads for name in workload["nanoseconds"]))
    lines = ["| engine | " + " | ".join(workload["title"] for workload in workloads) + " |"]
    lines.append("|---" * (len(workloads) + 1) + "|")
    for name in names:
        cells = []
        for workload in workloads:
            value, floor = workload["nanoseconds"][name], workload["nanoseconds"][workload["floor"]]
            cells.append(f"{value:,.0f} ({value / floor:,.1f} x)")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def ratios(results: dict[str, Any]) -> str:
    """The few numbers that do not depend on the machine so much."""
    found = {key: workload["nanoseconds"] for key, workload in _by_key(results).items()}
    lines = []
    if "github-all-hits" in found:
        hits, misses, literals = (found[f"github-all-{kind}"] for kind in ("hits", "misses", "literals"))
        lines.append(f"- hits: {hits[OURS] / hits['floor: two']:.2f} x the floor of a tuple and a dict of two")
        lines += [
            f"- hits: {value / hits[OURS]:.2f} x faster than {name}"
            for name, value in hits.items()
            if name != OURS and not name.startswith("floor")
        ]
        fastest = min((value, name) for name, value in misses.items() if name != OURS and not name.startswith("floor"))
        lines.append(f"- misses: {fastest[0] / misses[OURS]:.2f} x faster than the fastest peer, {fastest[1]}")
        lines.append(
            f"- literal paths: {literals[OURS] / literals['floor: prebuilt']:.2f} x the floor of a prebuilt tuple"
        )
    growth = found["rest-10000"][OURS] / found["rest-10"][OURS]
    lines.append(f"- from 10 to 10,000 REST routes: {growth:.2f} x the time")
    return "\n".join(lines)


def dropped(results: dict[str, Any]) -> str:
    lines = [
        f"- {workload['title']}: " + ", ".join(f"{name} {count}" for name, count in workload["dropped"].items())
        for workload in results["workloads"]
        if workload["dropped"]
    ]
    return "\n".join(lines) or "None."


def native_table(native: dict[str, Any] | None) -> str:
    if native is None:
        return "Not measured: it needs cargo and a C compiler."
    lines = [f"{native['routes']} routes, each matched once a pass, medians of alternating processes:", ""]
    lines += ["| program | ns per match |", "|---|---|"]
    lines += [f"| {name} | {value:.1f} |" for name, value in native["nanoseconds"].items()]
    return "\n".join(lines)


def markdown(results: dict[str, Any]) -> str:
    about = results["machine"]
    versions = ", ".join(f"{name} {number or 'not installed'}" for name, number in about["versions"].items())
    builds = sorted(results["build_ms"].items(), key=lambda item: item[1])
    place = "{cpu}, {cores} cores, load {load} at the start, {system}, {python}".format(**about)
    parts = [
        "# Routers side by side",
        f"{place}. Medians of {results['rounds']} alternating rounds in one process. {versions}.",
        "## Nanoseconds per match, and times the floor",
        tables(results),
        "![Bars](results.svg)",
        "## Ratios, all operations of the GitHub API where nothing else is said",
        ratios(results),
        "## Milliseconds to build 10,000 routes",
        "| engine | ms |\n|---|---|\n" + "\n".join(f"| {name} | {value:,.1f} |" for name, value in builds),
        "## C alone against matchit in Rust",
        native_table(results["native"]),
        "## Routes dropped for an engine, because it refuses them or answers with another route",
        dropped(results),
    ]
    return "\n\n".join(parts) + "\n"


def files(results: dict[str, Any]) -> dict[str, str]:
    """The text of each file by its name."""
    wanted = ("github-all-hits", "github-all-misses", "github-all-literals", "rest-10000")
    by_key = _by_key(results)
    panels = [(by_key[key]["title"], by_key[key]["nanoseconds"]) for key in wanted if key in by_key]
    return {
        "results.md": markdown(results),
        "results.json": json.dumps(results, indent=1) + "\n",
        "results.svg": plot.bars(panels),
    }
