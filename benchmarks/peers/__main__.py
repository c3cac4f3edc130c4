"""All routers in one process, the same routes and requests, taking turns: results.md, results.json and results.svg.

    python -m benchmarks.peers [--rounds 15] [--only KEY] [--output FOLDER]

How to read the results is in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import statistics
import sys
from pathlib import Path
from time import thread_time_ns as now
from typing import Any

from benchmarks.floor import load_floor
from benchmarks.peers import native, report
from benchmarks.peers.engines import ENGINES, Built, Request, Route, identifiers, version
from benchmarks.peers.workloads import POOL, Workload, build_routes, workloads

# Times are CPU time, on which other programs of the machine have less influence than on the time of day.
TURN = 10e6  # nanoseconds that one engine may take in one round
LEAST = 200  # requests of a turn, however slow the engine is
CHUNK = 2_000  # requests made anew at a time: few enough to be in the cache, as what was just received is
BUILD_TURNS, BUILD_TIME = 5, 4e9


def floors() -> dict[str, Built]:
    module = load_floor()

    def built(function: Any) -> Built:
        def run(requests: list[Request]) -> None:
            for method, path in requests:
                function(method, path)

        return Built(run, function)

    return {"floor: prebuilt": built(module.prebuilt), "floor: two": built(module.two)}


def answers(engine: Built, route: Route, request: Request, hits: bool) -> bool:
    """Whether the engine says what the route set means; captures are compared by what they hold."""
    answer = engine.ask(*request)
    if not hits:
        return answer is None
    names = identifiers(route[1]).values()
    return answer is not None and answer[0] == route[2] and len(answer[1]) == len(names)


def wrong_routes(engine: Built, workload: Workload) -> set[tuple[str, str]]:
    """Routes that this engine refused or answers differently: their requests are not asked."""
    wrong = set(engine.refused)
    seen: set[tuple[str, str]] = set()
    for route, request in workload.requests:
        key = (route[0], route[1])
        if key not in seen and key not in wrong:
            seen.add(key)
            if not answers(engine, route, request, workload.hits):
                wrong.add(key)
    return wrong


Asked = list[tuple[list[str], str]]


def prepared(requests: list[Request]) -> Asked:
    """Chunks of requests as their methods and one text of all paths, from which `timed` makes new `str` objects."""
    chunks = [requests[at : at + CHUNK] for at in range(0, len(requests), CHUNK)]
    return [([method for method, _ in chunk], "\n".join(path for _, path in chunk)) for chunk in chunks]


def timed(engine: Built, asked: Asked) -> float:
    """Nanoseconds per request.  Every path is a new `str` without a hash from an earlier turn, as if just received."""
    taken = count = 0
    for methods, paths in asked:
        requests = list(zip(methods, paths.split("\n"), strict=True))
        start = now()
        engine.run(requests)
        taken += now() - start
        count += len(requests)
    return taken / count


def share(engine: Built, requests: list[Request]) -> list[Request]:
    """As many of the requests as the engine can do in its turn."""
    some = prepared(requests[:LEAST])
    return requests[: max(LEAST, min(POOL, int(TURN / min(timed(engine, some), timed(engine, some)))))]


def measure(workload: Workload, rounds: int) -> dict[str, Any]:
    engines = floors()
    dropped: dict[str, int] = {}
    asked: dict[str, Asked] = {}
    for name, distribution, build in ENGINES:
        if version(distribution) is not None:
            engines[name] = build(workload.routes)
    for name, engine in engines.items():
        wrong = set() if name.startswith("floor") else wrong_routes(engine, workload)
        dropped[name] = len(wrong)
        served = [request for route, request in workload.requests if (route[0], route[1]) not in wrong]
        asked[name] = prepared(share(engine, served))
    samples: dict[str, list[float]] = {name: [] for name in engines}
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        for name, engine in engines.items():
            timed(engine, asked[name])  # so that the caches hold what this engine needs, not the one before
            samples[name].append(timed(engine, asked[name]))
    gc.enable()
    return {
        "key": workload.key,
        "title": workload.title,
        "floor": f"floor: {workload.floor}",
        "nanoseconds": {name: statistics.median(values) for name, values in samples.items()},
        "samples": samples,
        "dropped": {name: count for name, count in dropped.items() if count},
    }


def build_times(rounds: int) -> dict[str, float]:
    """Milliseconds to build 10,000 routes; the first build warms up what this benchmark itself caches."""
    routes = build_routes()
    samples: dict[str, list[float]] = {}
    spent: dict[str, float] = {}
    present = [(name, build) for name, distribution, build in ENGINES if version(distribution) is not None]
    for turn in range(min(rounds, BUILD_TURNS) + 1):
        for name, build in present:
            if spent.get(name, 0.0) > BUILD_TIME:
                continue
            gc.collect()
            start = now()
            build(routes)
            taken = float(now() - start)
            spent[name] = spent.get(name, 0.0) + taken
            if turn > 0 or taken > BUILD_TIME:
                samples.setdefault(name, []).append(taken / 1e6)
    return {name: statistics.median(values) for name, values in samples.items()}


def machine() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = lines[0] if lines else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {name: version(distribution) for name, distribution, _ in ENGINES},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="only this workload, or a group as github-all; nothing is written")
    parser.add_argument("--output", type=Path, default=Path(__file__).resolve().parent, help="folder of the results")
    options = parser.parse_args()
    results: dict[str, Any] = {"machine": machine(), "rounds": options.rounds, "workloads": []}
    listed = workloads()
    chosen = [
        workload for workload in listed if f"{workload.key}-".startswith(f"{options.only}-" if options.only else "")
    ]
    if not chosen:
        parser.error(f"--only {options.only} is none of {', '.join(workload.key for workload in listed)}")
    for workload in chosen:
        print(f"{workload.title} ...", file=sys.stderr, flush=True)
        results["workloads"].append(measure(workload, options.rounds))
    if options.only:
        print(report.tables(results))
        return
    results["build_ms"] = build_times(options.rounds)
    results["native"] = native.compare(options.rounds)
    for name, text in report.files(results).items():
        (options.output / name).write_text(text)
    print(report.markdown(results))


if __name__ == "__main__":
    main()
