"""Route matching against the floor and a compiled peer, in one run.

    python benchmarks/bench_match.py            a table of medians and ratios
    pytest benchmarks/bench_match.py --benchmark-enable

Every engine gets the same routes and paths with values that do not repeat, returns the route's value and its
captures, and takes turns with the others in each round.  The floor is a C function that only makes what a match has to
return; see floor.c.  pymatchit (Rust) takes part when it is installed.  `python -m benchmarks.peers` compares more.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns, thread_time_ns
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from floor import load_floor
from routes import RouteSet, github, rest

from brrtrouter import Matcher

Match = Callable[[str, str], Any]
Request = tuple[str, str]


def brrtrouter_engine(routes: RouteSet) -> Match:
    return Matcher(routes.routes).match


def pymatchit_engine(routes: RouteSet) -> Match | None:
    """One router for each method, without the routes that it refuses; None when it is not installed."""
    try:
        from pymatchit import PyRouter  # type: ignore[attr-defined]  # its stubs do not name it
    except ImportError:
        return None
    by_method: dict[str, Any] = {}
    for method, template, value in routes.routes:
        with contextlib.suppress(ValueError):
            by_method.setdefault(method, PyRouter()).insert(template, value)

    def match(method: str, path: str) -> Any:
        try:
            return by_method[method].at(path)
        except LookupError:
            return None

    return match


def engines_for(routes: RouteSet) -> dict[str, Match]:
    floor = load_floor()
    found: dict[str, Match | None] = {
        "floor: prebuilt tuple": floor.prebuilt,
        "floor: tuple and dict of two": floor.two,
        "brrtrouter.Matcher": brrtrouter_engine(routes),
        "pymatchit": pymatchit_engine(routes),
    }
    return {name: engine for name, engine in found.items() if engine is not None}


def time_once(match: Match, requests: list[Request]) -> float:
    """CPU time, which other programs disturb less than the time of day."""
    start = thread_time_ns()
    for method, path in requests:
        match(method, path)
    return (thread_time_ns() - start) / len(requests)


def compare(routes: RouteSet, requests: list[Request], rounds: int) -> dict[str, float]:
    """Median nanoseconds per call of each engine; they alternate within every round."""
    engines = engines_for(routes)
    repeated = [request for _ in range(max(1, 20_000 // len(requests))) for request in requests]
    random.Random(1).shuffle(repeated)
    samples: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(rounds):
        for name, engine in engines.items():
            samples[name].append(time_once(engine, repeated))
    return {name: statistics.median(values) for name, values in samples.items()}


def report(title: str, result: dict[str, float]) -> None:
    two, prebuilt = result["floor: tuple and dict of two"], result["floor: prebuilt tuple"]
    print(f"\n{title}")
    for name, nanoseconds in result.items():
        ratios = f"{nanoseconds / two:6.2f} x two {nanoseconds / prebuilt:7.2f} x prebuilt"
        print(f"  {name:<30} {nanoseconds:8.1f} ns {ratios}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    sets = [found for found in (github(), rest(10), rest(1_000), rest(10_000)) if found is not None]
    for routes in sets:
        report(f"{routes.name}: hits", compare(routes, routes.hits, rounds))
        report(f"{routes.name}: misses", compare(routes, routes.misses, rounds))
        report(f"{routes.name}: literal paths", compare(routes, routes.literals, rounds))
        start = perf_counter_ns()
        matcher = Matcher(routes.routes)
        print(f"\n{routes.name}: built in {(perf_counter_ns() - start) / 1e6:.1f} ms, {matcher.stats}")


def _requests(kind: str) -> tuple[RouteSet, list[Request]]:
    routes = github() or rest(1_000)
    return routes, getattr(routes, kind)


def _run(benchmark: Any, kind: str) -> None:
    routes, requests = _requests(kind)
    match = brrtrouter_engine(routes)

    def all_requests() -> None:
        for method, path in requests:
            match(method, path)

    benchmark.extra_info["requests"] = len(requests)
    benchmark(all_requests)


def bench_hits(benchmark: Any) -> None:
    _run(benchmark, "hits")


def bench_misses(benchmark: Any) -> None:
    _run(benchmark, "misses")


def bench_literals(benchmark: Any) -> None:
    _run(benchmark, "literals")


def bench_build(benchmark: Any) -> None:
    routes = (github() or rest(1_000)).routes
    benchmark(lambda: Matcher(routes))


if __name__ == "__main__":
    main()
