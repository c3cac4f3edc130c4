"""`python -m brrtrouter.bench`: how fast this machine matches, as a table to paste.

Nothing but the installed package is needed, and nothing is read from or sent to anywhere.  What is timed is the call of
`Matcher.match` from a Python loop, the loop included; `measure` says how.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import random
import re
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import thread_time_ns

from brrtrouter import __version__
from brrtrouter.core.matcher import Matcher

Route = tuple[str, str, int]
Request = tuple[str, str]

SIZES = (10, 1_000, 10_000)
# Operations of one made-up resource; `{}` is its number.
OPERATIONS = (
    ("GET", "/api/v1/resource{}"),
    ("POST", "/api/v1/resource{}"),
    ("GET", "/api/v1/resource{}/{{id}}"),
    ("DELETE", "/api/v1/resource{}/{{id}}"),
    ("GET", "/api/v1/resource{}/{{id}}/items/{{item}}"),
)
# Ends that no operation has, after a path that one has.
MISSES = ("/no/such/path", "x/y/z/0")

# Arm does not write the name of its processors into /proc/cpuinfo, only a number (implementer 0x41).
ARM_PARTS = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse N1",
    "0xd0d": "Cortex-A77",
    "0xd40": "Neoverse V1",
    "0xd41": "Cortex-A78",
    "0xd49": "Neoverse N2",
    "0xd4f": "Neoverse V2",
}

METHOD = """\
Each number is the median of {rounds} rounds. A round calls `Matcher.match(method, path)` from a Python loop for
{requests:,} requests in random order; the loop is part of the time (empty it takes {loop:.0f} ns for each request).
Values differ from request to request, and every round has `str` objects of its own, so nothing is remembered from
earlier. A hit returns the value of the route and a dict of its captures. The kinds of requests take turns. One thread,
measured by its processor time, so other programs disturb less; the garbage collector is off."""
HEADINGS = ("routes", "requests", "ns per match", "M matches/s", "fastest to slowest round, ns")


@dataclass(frozen=True)
class Row:
    """One line of the table; times in nanoseconds for one match."""

    routes: int
    requests: str
    median: float
    fastest: float
    slowest: float

    @property
    def millions(self) -> float:
        """Million matches a second on one core."""
        return 1_000 / self.median


# -- the machine ------------------------------------------------------------------------------------------------------


def _read(path: str) -> str:
    """The text of a file of the system, "" where there is none."""
    try:
        return Path(path).read_text("utf-8", "replace").strip("\0\n ")
    except OSError:
        return ""


def processor(cpuinfo: str, fallback: str) -> str:
    """The name of the processor from the text of /proc/cpuinfo, `fallback` when it says nothing known."""
    fields: dict[str, str] = dict(re.findall(r"^([\w ]+?)\s*:\s*(.+)$", cpuinfo, re.MULTILINE))
    if "model name" in fields:
        return fields["model name"]
    if fields.get("CPU implementer") == "0x41":
        part = fields.get("CPU part", "")
        return ARM_PARTS.get(part, f"Arm part {part}")
    return fallback


def frequency() -> str:
    """Highest frequency and who governs it, or the present one, or "unknown"."""
    folder = "/sys/devices/system/cpu/cpu0/cpufreq"
    highest, governor = _read(f"{folder}/cpuinfo_max_freq"), _read(f"{folder}/scaling_governor")
    if highest.isdecimal():
        return f"{int(highest) / 1e6:.2f} GHz at most, governor {governor or 'unknown'}"
    now = re.search(r"^cpu MHz\s*:\s*([\d.]+)", _read("/proc/cpuinfo"), re.MULTILINE)
    return f"{float(now[1]) / 1e3:.2f} GHz at present" if now else "unknown"


def machine() -> dict[str, str]:
    """What a reader has to know of the machine to compare two tables."""
    libc = " ".join(platform.libc_ver()).strip()
    found = {
        "Board": _read("/proc/device-tree/model"),
        "Processor": f"{processor(_read('/proc/cpuinfo'), platform.processor() or 'unknown')}, {platform.machine()}",
        "Cores": str(os.cpu_count() or "unknown"),
        "Frequency": frequency(),
        "Kernel": f"{platform.system()} {platform.release()}, pages of {os.sysconf('SC_PAGESIZE') // 1024} KiB",
        "C library": libc,
        "Python": f"{platform.python_implementation()} {platform.python_version()}, {platform.python_compiler()}",
        "BRRTRouter": __version__,
    }
    return {name: text for name, text in found.items() if text}


# -- routes and requests ----------------------------------------------------------------------------------------------


def rest_routes(count: int) -> list[Route]:
    """`count` operations: five for each resource of a made-up REST API."""
    resources, operations = range(-(-count // len(OPERATIONS))), OPERATIONS
    routes = [(method, template.format(i)) for i in resources for method, template in operations]
    return [(method, template, number) for number, (method, template) in enumerate(routes[:count])]


def fill(template: str, number: int) -> str:
    """A path that the template matches, with values made of `number`."""
    first, *others = re.split(r"\{\w+\}", template)
    return first + "".join(f"value{number}x{i}{piece}" for i, piece in enumerate(others))


def kinds(routes: Sequence[Route]) -> dict[str, list[Route]]:
    """The rows of one set of routes: what each is called, and the routes that its requests are made from."""
    by_captures: dict[int, list[Route]] = {}
    for route in routes:
        by_captures.setdefault(route[1].count("{"), []).append(route)
    return {
        "hit, literal path": by_captures[0],
        "hit, 1 capture": by_captures[1],
        "hit, 2 captures": by_captures[2],
        "hits, all operations": list(routes),
        "misses": list(routes),
    }


def requests_for(kind: str, routes: Sequence[Route], count: int, seed: int) -> list[Request]:
    """`count` requests in random order; every path is a new object."""
    chosen = random.Random(seed)
    requests = []
    for number in range(count):
        method, template, _ = routes[chosen.randrange(len(routes))]
        path = fill(template, number)
        requests.append((method, path + MISSES[number % len(MISSES)] if kind == "misses" else path))
    return requests


# -- measuring --------------------------------------------------------------------------------------------------------


def check(matcher: Matcher, kind: str, requests: Iterable[Request]) -> None:
    """A fast wrong answer is worth nothing: raises AssertionError when a request is not answered as its kind says."""
    for method, path in requests:
        found = matcher.match(method, path)
        if (found is None) is not (kind == "misses"):
            raise AssertionError(f"{kind}: {method} {path} gave {found}")


def time_round(matcher: Matcher, requests: list[Request]) -> float:
    """Nanoseconds for one match, loop included."""
    match = matcher.match
    start = thread_time_ns()
    for method, path in requests:
        match(method, path)
    return (thread_time_ns() - start) / len(requests)


def time_loop(requests: list[Request]) -> float:
    """Nanoseconds that the loop alone takes for one request."""
    start = thread_time_ns()
    for _method, _path in requests:
        pass
    return (thread_time_ns() - start) / len(requests)


def measure(size: int, rounds: int, count: int) -> list[Row]:
    """The rows of a set of `size` routes.  Kinds take turns, so a change of clock speed does not favour one."""
    routes = rest_routes(size)
    matcher = Matcher(routes)
    samples: dict[str, list[float]] = {}
    for number in range(rounds):
        for kind, chosen in kinds(routes).items():
            requests = requests_for(kind, chosen, count, number)
            if number == 0:
                check(matcher, kind, requests_for(kind, chosen, min(count, 1_000), number))
            samples.setdefault(kind, []).append(time_round(matcher, requests))
    return [Row(size, kind, statistics.median(times), min(times), max(times)) for kind, times in samples.items()]


def measure_all(sizes: Sequence[int], rounds: int, count: int) -> tuple[list[Row], float]:
    """All rows and the time of the empty loop, with the garbage collector off meanwhile."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        rows = []
        for size in sizes:
            print(f"measuring {size:,} routes ...", file=sys.stderr)
            rows += measure(size, rounds, count)
        empty = requests_for("", rest_routes(10), count, 0)
        return rows, statistics.median(time_loop(empty) for _ in range(rounds))
    finally:
        if collecting:
            gc.enable()


# -- the command ------------------------------------------------------------------------------------------------------


def markdown(about: dict[str, str], method: str, rows: Sequence[Row]) -> str:
    """The report as GitHub and most forums show it."""
    table: list[Sequence[str]] = [HEADINGS, ["---"] * len(HEADINGS)]
    for row in rows:
        spread = f"{row.fastest:.1f} to {row.slowest:.1f}"
        table.append([f"{row.routes:,}", row.requests, f"{row.median:.1f}", f"{row.millions:.2f}", spread])
    lines = [f"- {name}: {text}" for name, text in about.items()]
    return "\n".join([*lines, "", method, "", *(f"| {' | '.join(cells)} |" for cells in table)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print: Markdown, or JSON of the same content."""
    parser = argparse.ArgumentParser(prog="python -m brrtrouter.bench", description="How fast this machine matches.")
    parser.add_argument("--quick", action="store_true", help="a few seconds: fewer rounds and requests, less exact")
    parser.add_argument("--json", action="store_true", help="JSON in place of Markdown")
    options = parser.parse_args(arguments)
    rounds, count = (15, 2_000) if options.quick else (51, 10_000)
    rows, loop = measure_all(SIZES, rounds, count)
    about = machine()
    method = METHOD.format(rounds=rounds, requests=count, loop=loop)
    if options.json:
        document = {"machine": about, "method": method, "rounds": rounds, "count": count, "loop": loop}
        document["rows"] = [{**asdict(row), "millions": row.millions} for row in rows]
        print(json.dumps(document, indent=2))
    else:
        print(markdown(about, method, rows))


if __name__ == "__main__":
    main()
