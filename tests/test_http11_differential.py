"""The differential oracle of tests/http11: csrc and llhttp cut the same bytes into the same messages.

A long run is a command: python -m tests.http11.differential --executions 10000000
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from http11.areas import CASES
from http11.corpus import EDITS, LONGEST, seeds
from http11.differential import JUDGED_BODIES, JUDGED_HEADS, STRICTER, Finding, Oracle
from http11.readers import Message, Reading, Strict, Verdict, compile_csrc
from hypothesis import given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parent.parent
COMPILER = os.environ.get("CC") or shutil.which("cc")
GOOD = b"POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
SEEDS = seeds()

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_csrc(str(COMPILER), tmp_path_factory.mktemp("csrc"))


def test_the_readers_agree_about_every_case_and_each_named_reason_has_one(library: Path) -> None:
    oracle = Oracle(library)
    for name, case in CASES.items():
        assert oracle.finding(case.data, random.Random(name)) == "", name
    met = {reason.partition(": ")[2] for reason in oracle.met if reason.startswith(("stricter: ", "judged: "))}
    assert met == {*STRICTER, *JUDGED_HEADS, *JUDGED_BODIES}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A case with a few edits."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for edit, seed in draw(st.lists(st.tuples(st.sampled_from(EDITS), st.integers(0, 10_000)), min_size=1, max_size=5)):
        edit(data, random.Random(seed), SEEDS)
    return bytes(data[: 2 * LONGEST])


def test_the_readers_agree_about_damaged_cases_whole_and_in_pieces(library: Path) -> None:
    oracle = Oracle(library)

    @settings(max_examples=2000, deadline=None)
    @given(damaged(), st.integers(0, 10_000))
    def agree(data: bytes, seed: int) -> None:
        oracle.compare(data, random.Random(seed))

    agree()
    assert oracle.met["messages"] > 100
    assert oracle.met["refused by both"] > 100


class Tampered(Strict):
    """csrc with a defect: `change` is applied to the first message."""

    change: dict[str, Any]

    def read(self, data: bytes, pieces: random.Random | None = None) -> Reading:
        reading = super().read(data, pieces)
        reading.messages = [replace(reading.messages[0], **self.change), *reading.messages[1:]]
        return reading


@pytest.mark.parametrize(
    "change",
    [
        {"end": len(GOOD) - 1, "body": b"hell"},
        {"end": len(GOOD) + 1, "body": b"hello\r"},
        {"target": b"/a"},
        {"method": b"PUT"},
        {"minor": 0},
        {"fields": [(b"Host", b"a")]},
        {"fields": [(b"Host", b"b"), (b"Content-Length", b"5")]},
        {"body": b"hellO"},
        {"start": 1},
    ],
    ids=str,
)
def test_a_reader_with_a_defect_is_a_finding(change: dict[str, Any], library: Path) -> None:
    oracle = Oracle(library)
    assert oracle.compare(GOOD + b"\r\n", random.Random(1)).verdict is Verdict.MORE
    oracle.strict = Tampered(library)
    oracle.strict.change = change
    with pytest.raises(Finding):
        oracle.compare(GOOD + b"\r\n", random.Random(1))


class Split(Strict):
    """A reader whose answer depends on how the bytes are cut."""

    def read(self, data: bytes, pieces: random.Random | None = None) -> Reading:
        return super().read(data if pieces is None else data[:-1], pieces)


class Deaf(Strict):
    """A reader that refuses what both must take, or waits for more of it."""

    verdict = Verdict.REFUSED

    def read(self, data: bytes, pieces: random.Random | None = None) -> Reading:
        return Reading([], self.verdict, "HEAD_NAME", 3)


class Waiting(Deaf):
    verdict = Verdict.MORE


class Greedy(Strict):
    """A reader that takes what is no request."""

    def read(self, data: bytes, pieces: random.Random | None = None) -> Reading:
        line = data.index(b"\r\n") + 2
        return Reading([Message(b"POST", b"/a?b", 1, [], b"", 0, line, len(data), 1)])


@pytest.mark.parametrize("reader", [Split, Deaf, Waiting, Greedy])
def test_a_reader_with_another_verdict_is_a_finding(reader: type[Strict], library: Path) -> None:
    oracle = Oracle(library)
    oracle.strict = reader(library)
    with pytest.raises(Finding):
        oracle.compare(GOOD.replace(b"Host:", b"Host :") if reader is Greedy else GOOD, random.Random(1))


def test_the_command_counts_executions_and_reasons() -> None:
    command = [sys.executable, "-m", "tests.http11.differential", "--executions", "3000", "--seed", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("3000 executions, seed 2, 0 findings\n")
    assert "refused by both" in done.stdout
