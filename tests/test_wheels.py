"""What is asserted of wheels before they are published (wheels/check_wheel.py), on wheels made here for each fault."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHECK = ROOT / "wheels" / "check_wheel.py"
MODULE = "brrtrouter/core/matcher.cpython-311-linux-gnu.so"
HERE = platform.machine()

pytestmark = pytest.mark.skipif(
    not CHECK.is_file()
    or shutil.which("cc") is None
    or platform.system() != "Linux"
    or HERE not in ("x86_64", "aarch64"),
    reason="needs the checkout, Linux and a C compiler",
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A shared library of this machine with wide alignment that needs no C library."""
    folder = tmp_path_factory.mktemp("library")
    return compile_library(folder, "int answer(void) { return 42; }", "-nostdlib", "-Wl,-z,max-page-size=65536")


def compile_library(folder: Path, source: str, *flags: str) -> bytes:
    (folder / "library.c").write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", *flags, "library.c", "-o", "library.so"], cwd=folder, check=True)
    return (folder / "library.so").read_bytes()


def check(folder: Path, tag: str, files: dict[str, bytes]) -> tuple[int, str, str]:
    """Exit status, summary and problems for a wheel with this platform tag and these files."""
    wheel = folder / f"brrtrouter-1-cp311-cp311-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    done = subprocess.run([sys.executable, str(CHECK), str(wheel)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("policy", ["manylinux_2_28", "manylinux2014", "musllinux_1_2"])
def test_a_sound_wheel_passes_and_is_described(tmp_path: Path, library: bytes, policy: str) -> None:
    status, summary, problems = check(tmp_path, f"{policy}_{HERE}", {MODULE: library})
    assert (status, problems) == (0, "")
    assert "1 modules" in summary
    assert "aligned to 0x10000" in summary


def test_the_oldest_of_several_tags_is_the_promise(tmp_path: Path, library: bytes) -> None:
    _, summary, _ = check(tmp_path, f"manylinux_2_28_{HERE}.manylinux2014_{HERE}", {MODULE: library})
    assert f"manylinux_2_17_{HERE}" in summary


@pytest.mark.parametrize("tag", ["linux_aarch64", "manylinux_2_39_aarch64", "any", "macosx_11_0_arm64"])
def test_only_published_platforms_pass(tmp_path: Path, library: bytes, tag: str) -> None:
    status, _, problems = check(tmp_path, tag, {MODULE: library})
    assert status == 1
    assert "is none of" in problems


def test_the_machine_of_the_modules_has_to_be_that_of_the_tag(tmp_path: Path, library: bytes) -> None:
    other = {"x86_64": "aarch64", "aarch64": "x86_64"}[HERE]
    status, _, problems = check(tmp_path, f"manylinux_2_28_{other}", {MODULE: library})
    assert status == 1
    assert f"is for {HERE}, not for {other}" in problems


def test_a_symbol_of_a_newer_glibc_is_found(tmp_path: Path, library: bytes) -> None:
    source = '#include <stdlib.h>\nchar *answer(void) { return getenv("HOME"); }'
    linked = compile_library(tmp_path, source, "-Wl,-z,max-page-size=65536")
    assert re.search(rb"GLIBC_2\.\d+", linked), "this C library has no versions of symbols"
    status, _, problems = check(tmp_path, f"musllinux_1_2_{HERE}", {MODULE: linked})
    assert status == 1
    assert "needs glibc 2." in problems
    status, summary, _ = check(tmp_path, f"manylinux_2_28_{HERE}", {MODULE: linked})
    assert status == 0
    assert "highest symbol GLIBC_2." in summary


@pytest.mark.skipif(HERE != "aarch64", reason="only boards with aarch64 have pages of 16 KiB")
def test_segments_for_small_pages_only_are_found(tmp_path: Path) -> None:
    small = compile_library(tmp_path, "int answer(void) { return 42; }", "-nostdlib", "-Wl,-z,max-page-size=4096")
    status, _, problems = check(tmp_path, f"manylinux_2_28_{HERE}", {MODULE: small})
    assert status == 1
    assert "not to 0x4000" in problems


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"brrtrouter/core/matcher.c": b"", MODULE: None}, "generated file brrtrouter/core/matcher.c"),
        ({"brrtrouter/__init__.py": b""}, "holds no compiled module"),
        ({MODULE: b"MZ is not ELF"}, "not a little-endian ELF"),
    ],
)
def test_wrong_contents_are_found(tmp_path: Path, library: bytes, files: dict[str, bytes | None], problem: str) -> None:
    given = {name: library if data is None else data for name, data in files.items()}
    status, _, problems = check(tmp_path, f"manylinux_2_28_{HERE}", given)
    assert status == 1
    assert problem in problems
    assert "Traceback" not in problems
