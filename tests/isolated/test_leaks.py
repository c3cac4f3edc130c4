"""Memory that is used comes back: in a fresh process for each kind of use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
STATM = Path("/proc/self/statm")
ALLOWED = 512 * 1024  # what the allocator may keep; one leaked object for each round would be more


@pytest.mark.skipif(not STATM.exists(), reason="needs /proc to see the resident set")
@pytest.mark.parametrize("step", ["build_and_drop", "drop_unfrozen", "refuse", "match"])
def test_memory_is_flat(step: str) -> None:
    command = [sys.executable, str(HERE / "no_leaks.py"), step]
    grown = int(subprocess.check_output(command, timeout=120, text=True))
    assert grown < ALLOWED
