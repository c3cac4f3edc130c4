"""The C core by itself: csrc and the harness in tests/c built with the system's compiler and run.

Every build has to pass every check, and the builds with and without SIMD have to say the same about
the same fuzzed inputs (the harness prints a digest of all answers).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "csrc").glob("*.c")) + sorted((ROOT / "tests" / "c").glob("*.c"))
COMPILER = shutil.which("cc")
FLAGS = ["-std=gnu11", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'tests' / 'c'}"]
BUILDS = {
    "plain": ["-O2"],
    "sanitizers": ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "no-simd": ["-O2", "-DBRRT_NO_SIMD"],
}

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")


def run_build(name: str, directory: Path) -> str:
    """Build the harness with the flags of BUILDS[name], run it, and return what it printed."""
    program = directory / name
    compiled = subprocess.run(
        [str(COMPILER), *FLAGS, *BUILDS[name], *map(str, SOURCES), "-o", str(program)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert compiled.returncode == 0, compiled.stderr
    ran = subprocess.run([str(program)], capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-8000:]
    return ran.stdout


@pytest.fixture(scope="module")
def outputs() -> dict[str, str]:
    """Outputs of the builds that ran so far."""
    return {}


@pytest.mark.parametrize("name", BUILDS)
def test_the_harness_passes_in_every_build(name: str, tmp_path: Path, outputs: dict[str, str]) -> None:
    outputs[name] = run_build(name, tmp_path)
    closing = re.search(r"^(\d+) passed, (\d+) failed$", outputs[name], re.MULTILINE)
    assert closing is not None
    assert int(closing[1]) > 0
    assert closing[2] == "0"


def test_simd_and_scalar_builds_give_the_same_answers(tmp_path: Path, outputs: dict[str, str]) -> None:
    digests = set()
    for name in ("plain", "no-simd"):
        output = outputs.get(name) or run_build(name, tmp_path)
        digests.add(re.findall(r"^digest ([0-9a-f]{16})$", output, re.MULTILINE)[0])
    assert len(digests) == 1
