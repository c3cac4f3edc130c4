"""The corpora of the fuzz targets, replayed with the system's compiler and its sanitizers.

`ci/fuzz.sh` runs the same targets under libFuzzer and makes the corpora; here each unit runs once.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FUZZ = ROOT / "tests" / "fuzz"
TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in FUZZ.glob("fuzz_*.c"))
SHARED = [FUZZ / "replay.c", FUZZ / "naive.c", FUZZ / "linear.c", *sorted((ROOT / "csrc").glob("*.c"))]
COMPILER = shutil.which("cc")
FLAGS = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{ROOT / 'csrc'}"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
ROOM = 50_000  # bytes of all corpora together: they are part of the source distribution

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")


def corpus(target: str) -> list[Path]:
    return sorted((FUZZ / "corpus" / target).iterdir())


def compile_objects(sources: list[Path], folder: Path) -> list[str]:
    """Object files of the sources; all of them are compiled by one command."""
    command = [str(COMPILER), *FLAGS, *SANITIZERS, "-c", *map(str, sources)]
    compiled = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert compiled.returncode == 0, compiled.stderr
    return [str(folder / source.with_suffix(".o").name) for source in sources]


@pytest.fixture(scope="module")
def shared_objects(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return compile_objects(SHARED, tmp_path_factory.mktemp("shared"))


@needs_compiler
@pytest.mark.parametrize("target", TARGETS)
def test_every_unit_of_the_corpus_passes(target: str, shared_objects: list[str], tmp_path: Path) -> None:
    units = corpus(target)
    program = tmp_path / target
    objects = [*compile_objects([FUZZ / f"fuzz_{target}.c"], tmp_path), *shared_objects]
    linked = subprocess.run(
        [str(COMPILER), *SANITIZERS, *objects, "-o", str(program)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert linked.returncode == 0, linked.stderr
    ran = subprocess.run(
        [str(program), *(unit.name for unit in units)],
        cwd=FUZZ / "corpus" / target,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-8000:]
    assert ran.stdout == f"{len(units)} replayed\n"


def test_there_is_a_corpus_and_a_dictionary_for_each_target() -> None:
    assert {path.name for path in (FUZZ / "corpus").iterdir()} == set(TARGETS)
    assert {path.stem for path in (FUZZ / "dictionaries").iterdir()} == set(TARGETS)
    assert all(corpus(target) for target in TARGETS)
    assert sum(unit.stat().st_size for target in TARGETS for unit in corpus(target)) < ROOM
