"""`python -m brrtrouter.bench`: it needs the compiled core only, measures what it says, and prints a table."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from brrtrouter import Matcher, bench

KINDS = ["hit, literal path", "hit, 1 capture", "hit, 2 captures", "hits, all operations", "misses"]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small sets of routes: these tests are about what is printed."""
    monkeypatch.setattr(bench, "SIZES", (10, 50))


def test_the_command_prints_machine_method_and_a_table_to_paste(
    small: None, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.main(["--quick"])
    output = capsys.readouterr().out
    assert re.search(r"^- Processor: .+", output, re.MULTILINE)
    assert re.search(r"^- Python: CPython 3\.\d+", output, re.MULTILINE)
    assert "median of 15 rounds" in output
    table = [line for line in output.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert cells[0] == ["routes", "requests", "ns per match", "M matches/s", "fastest to slowest round, ns"]
    assert {len(row) for row in cells} == {5}
    assert [row[:2] for row in cells[2:]] == [[size, kind] for size in ("10", "50") for kind in KINDS]


def test_json_has_the_same_numbers_and_they_agree_with_each_other(
    small: None, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.main(["--quick", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert {"machine", "method", "rounds", "count", "loop", "rows"} == set(document)
    assert [row["requests"] for row in document["rows"]] == KINDS * 2
    for row in document["rows"]:
        assert 0 < row["fastest"] <= row["median"] <= row["slowest"]
        assert row["millions"] == pytest.approx(1_000 / row["median"])
        assert row["median"] > document["loop"] / 2 > 0


def test_the_whole_command_loads_nothing_but_the_compiled_core() -> None:
    program = (
        "import sys; from brrtrouter import bench; bench.SIZES = (10,); bench.main(['--quick', '--json']); "
        "print(' '.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    loaded = set(done.stderr.splitlines()[-1].split())
    assert loaded & {"yaml", "uvloop", "jsonschema_rs", "httptools", "asyncio", "orjson", "socket", "numpy"} == set()
    mine = {name for name in loaded if name.startswith("brrtrouter")}
    assert mine == {"brrtrouter", "brrtrouter.bench", "brrtrouter.core", "brrtrouter.core.matcher", "brrtrouter.errors"}


@pytest.mark.parametrize("size", [10, 1_000])
def test_requests_are_of_their_kind_and_never_repeat(size: int) -> None:
    routes = bench.rest_routes(size)
    assert len(routes) == size
    matcher = Matcher(routes)
    captures = {
        "hit, literal path": {0},
        "hit, 1 capture": {1},
        "hit, 2 captures": {2},
        "hits, all operations": {0, 1, 2},
    }
    for kind, chosen in bench.kinds(routes).items():
        requests = bench.requests_for(kind, chosen, 500, 1)
        bench.check(matcher, kind, requests)
        found = [matcher.match(method, path) for method, path in requests]
        if kind == "misses":
            assert found == [None] * 500
            continue
        assert {len(result[1]) for result in found if result is not None} == captures[kind]
        values = [value for result in found if result is not None for value in result[1].values()]
        assert len(set(values)) == len(values)


def test_wrong_answers_are_not_timed() -> None:
    with pytest.raises(AssertionError, match="misses: GET /a gave"):
        bench.check(Matcher([("GET", "/a", 1)]), "misses", [("GET", "/a")])
    with pytest.raises(AssertionError, match="hit: GET /b gave None"):
        bench.check(Matcher([("GET", "/a", 1)]), "hit", [("GET", "/b")])


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor\t: 0\nmodel name\t: Made Up 9000 @ 3GHz\n", "Made Up 9000 @ 3GHz"),
        ("CPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd0b\n", "Cortex-A76"),
        ("CPU implementer\t: 0x41\nCPU part\t: 0xfff\n", "Arm part 0xfff"),
        ("CPU implementer\t: 0x61\nCPU part\t: 0xd0b\n", "asked elsewhere"),
        ("", "asked elsewhere"),
    ],
)
def test_the_processor_has_a_name_also_where_linux_gives_a_number(cpuinfo: str, expected: str) -> None:
    assert bench.processor(cpuinfo, "asked elsewhere") == expected


def test_the_collector_is_off_while_measuring_and_as_before_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    import gc

    seen = []

    def measure(*arguments: int) -> list[bench.Row]:
        seen.append(gc.isenabled())
        return []

    monkeypatch.setattr(bench, "measure", measure)
    assert gc.isenabled()
    bench.measure_all([10], 1, 10)
    assert seen == [False]
    assert gc.isenabled()
