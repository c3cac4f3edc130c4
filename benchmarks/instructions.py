"""Instructions of one match, counted by valgrind: the same on every run, so small gains and losses show.

    python benchmarks/instructions.py            a table, with an estimate for the Raspberry Pi 5
    python benchmarks/instructions.py --json

Each kind of call runs in a fresh process under callgrind, once for `SHORT` and once for `LONG` calls; the difference of
the counts leaves the start of the interpreter out and the Python loop in.  Every call has a path object of its own with
values of its own.  The estimate takes the counts for a Cortex-A76 at CYCLES a second that completes PER_CYCLE
instructions a cycle; docs/arm.md says where these come from and what is wrong with them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SHORT, LONG = 1_000, 6_000
PER_CYCLE = 2.8
CYCLES = 2.4e9

FLOOR = "floor: tuple and dict of two"
# What each row calls, and with what sort of path.
ROWS = {
    "floor: prebuilt tuple": ("prebuilt", "two"),
    FLOOR: ("two", "two"),
    "hit, two captures": ("match", "two"),
    "hit, one capture": ("match", "one"),
    "hit, literal path": ("match", "literal"),
    "miss": ("match", "miss"),
}
# (GitHub's description, the made-up API where that is not there)
TEMPLATES = {
    "two": ("/repos/{}/{}/actions/artifacts", "/api/v1/resource7/{}/items/{}"),
    "one": ("/orgs/{}/actions/secrets", "/api/v1/resource7/{}"),
    "literal": ("/user/repos", "/api/v1/resource7"),
    "miss": ("/repos/{}/{}/nope", "/api/v1/resource7/{}/nope/{}"),
}


def make_paths(template: str) -> list[str]:
    """One path for each call; all are of one length, so that every call does the same work."""
    values = template.count("{}")
    return [template.format(*(f"value{number:05}x{i}" for i in range(values))) for number in range(LONG)]


def write_job(file: Path) -> str:
    """What the counted processes need, prepared outside of them; the name of the set of routes."""
    sys.path.insert(0, str(HERE))
    from floor import load_floor
    from routes import github, rest

    routes, column = github(), 0
    if routes is None:
        routes, column = rest(1_000), 1
    paths = {sort: make_paths(templates[column]) for sort, templates in TEMPLATES.items()}
    file.write_text(json.dumps({"floor": load_floor().__file__, "routes": routes.routes, "paths": paths}))
    return routes.name


def run_job(file: str, row: str, calls: int) -> None:
    """The counted process."""
    job = json.loads(Path(file).read_text())
    function, sort = ROWS[row]
    call: Callable[[str, str], Any]
    if function == "match":
        from brrtrouter import Matcher

        call = Matcher(job["routes"]).match
        found = call("GET", job["paths"][sort][0])
        expected = {"two": 2, "one": 1, "literal": 0}.get(sort)
        assert (None if found is None else len(found[1])) == expected, found
    else:
        spec = importlib.util.spec_from_file_location("brrt_floor", job["floor"])
        assert spec is not None
        assert spec.loader is not None
        floor = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(floor)
        call = getattr(floor, function)
    for path in job["paths"][sort][:calls]:
        call("GET", path)


def count(job: Path, row: str, calls: int) -> int:
    """Instructions of a whole process that makes `calls` calls."""
    from callgrind import instructions

    return instructions(__file__, "--job", str(job), row, str(calls))


def count_all() -> tuple[str, dict[str, float]]:
    """The name of the routes, and instructions for one call of each row."""
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.json"
        name = write_job(job)
        counts = {row: (count(job, row, LONG) - count(job, row, SHORT)) / (LONG - SHORT) for row in ROWS}
    return name, counts


def report(name: str, counts: dict[str, float]) -> str:
    lines = [
        f"Routes: {name}. CPython {sys.version.split()[0]}. Loop included.",
        "",
        "| call | instructions | of the floor | Raspberry Pi 5, estimated ns | estimated M calls/s |",
        "|---|---|---|---|---|",
    ]
    for row, instructions in counts.items():
        seconds = instructions / PER_CYCLE / CYCLES
        ratio = instructions / counts[FLOOR]
        lines.append(f"| {row} | {instructions:,.0f} | {ratio:.2f} | {seconds * 1e9:.0f} | {1e-6 / seconds:.1f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON in place of Markdown")
    parser.add_argument("--job", nargs=3, metavar=("FILE", "ROW", "CALLS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job is not None:
        file, row, calls = options.job
        run_job(file, row, int(calls))
        return
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is needed")
    name, counts = count_all()
    print(json.dumps({"routes": name, "instructions": counts}, indent=2) if options.json else report(name, counts))


if __name__ == "__main__":
    main()
