"""Asserts what a Linux wheel promises: its tag, the machine, the oldest glibc, the alignment of segments, its contents.

    python wheels/check_wheel.py WHEEL...

Prints one line for each wheel and fails with all problems found.  Only the standard library is needed, and only the
fields of ELF (System V ABI, 64-bit, least significant byte first) that the questions want are read.
"""

from __future__ import annotations

import argparse
import re
import struct
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

EM_NAMES = {62: "x86_64", 183: "aarch64"}
PT_LOAD = 1
SHT_GNU_VERNEED = 0x6FFFFFFE

# For each machine the smallest alignment of segments: Raspberry Pi OS runs with pages of 16 KiB.
ALIGNMENT = {"x86_64": 0x1000, "aarch64": 0x4000}
# The platform tags that are published, with the newest glibc each may need; None: no glibc at all.
FLOORS: dict[str, tuple[int, int] | None] = {
    "manylinux_2_17": (2, 17),
    "manylinux_2_28": (2, 28),
    "musllinux_1_2": None,
}
ALIASES = {"manylinux2014": "manylinux_2_17"}
GENERATED = (".c", ".html")


@dataclass
class Library:
    """What one shared library says of itself."""

    machine: str
    alignments: list[int] = field(default_factory=list)
    versions: set[str] = field(default_factory=set)

    @property
    def glibc(self) -> tuple[int, ...]:
        """The newest GLIBC symbol version wanted, () for none."""
        numbers = (re.fullmatch(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?", version) for version in self.versions)
        return max(((int(found[1]), int(found[2])) for found in numbers if found), default=())


def _versions(data: bytes, start: int, count: int, strings: int) -> Iterator[str]:
    """The names in a SHT_GNU_verneed section: a list of libraries with a list of versions each."""
    for _ in range(count):
        _, auxiliaries, _, auxiliary, following = struct.unpack_from("<HHIII", data, start)
        at = start + auxiliary
        for _ in range(auxiliaries):
            _, _, _, name, step = struct.unpack_from("<IHHII", data, at)
            yield data[strings + name : data.index(b"\0", strings + name)].decode()
            at += step
        start += following


def read_library(data: bytes) -> Library:
    """Raises ValueError for what is not a little-endian ELF of 64 bits."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError("not a little-endian ELF of 64 bits")
    (machine,) = struct.unpack_from("<H", data, 18)
    segments, sections = struct.unpack_from("<QQ", data, 32)
    segment_size, segment_count, section_size, section_count = struct.unpack_from("<HHHH", data, 54)
    library = Library(EM_NAMES.get(machine, str(machine)))
    for i in range(segment_count):
        at = segments + i * segment_size
        if struct.unpack_from("<I", data, at)[0] == PT_LOAD:
            library.alignments.append(struct.unpack_from("<Q", data, at + 48)[0])
    for i in range(section_count):
        _, kind, _, _, start, _, link, count = struct.unpack_from("<IIQQQQII", data, sections + i * section_size)
        if kind == SHT_GNU_VERNEED:
            (strings,) = struct.unpack_from("<Q", data, sections + link * section_size + 24)
            library.versions.update(_versions(data, start, count, strings))
    return library


def platform_of(name: str) -> tuple[str, str]:
    """(policy, machine) of a wheel's file name; the oldest policy where it has several.  Raises ValueError."""
    tags = name.removesuffix(".whl").split("-")[-1].split(".")
    parsed = [re.fullmatch(r"((?:many|musl)linux(?:\d{4}|_\d+_\d+))_(\w+)", tag) for tag in tags]
    found = {(ALIASES.get(match[1], match[1]), match[2]) for match in parsed if match}
    known = sorted((FLOORS[policy] or (0, 0), policy, machine) for policy, machine in found if policy in FLOORS)
    if not known:
        raise ValueError(f"the platform {'.'.join(tags)} is none of {', '.join(FLOORS)}")
    return known[0][1], known[0][2]


def library_problems(name: str, library: Library, policy: str, machine: str) -> Iterator[str]:
    if library.machine != machine:
        yield f"{name} is for {library.machine}, not for {machine}"
    if not library.alignments or min(library.alignments) < ALIGNMENT[machine]:
        yield f"{name} has segments aligned to {library.alignments}, not to {ALIGNMENT[machine]:#x}"
    floor = FLOORS[policy]
    if library.glibc > (floor or ()):
        yield f"{name} needs glibc {'.'.join(map(str, library.glibc))}, which {policy} does not promise"


def read_libraries(archive: zipfile.ZipFile) -> tuple[dict[str, Library], list[str]]:
    """The libraries of a wheel by name, and problems of those that cannot be read."""
    libraries: dict[str, Library] = {}
    problems = []
    for name in sorted(archive.namelist()):
        if re.search(r"\.so(\.|$)", name):
            try:
                libraries[name] = read_library(archive.read(name))
            except ValueError as error:
                problems.append(f"{name}: {error}")
    return libraries, problems


def check(wheel: Path) -> tuple[str, list[str]]:
    """A line that describes the wheel, and its problems."""
    try:
        policy, machine = platform_of(wheel.name)
    except ValueError as error:
        return wheel.name, [str(error)]
    with zipfile.ZipFile(wheel) as archive:
        libraries, problems = read_libraries(archive)
        generated = [name for name in archive.namelist() if "/core/" in name and name.endswith(GENERATED)]
    problems += [f"it holds the generated file {name}" for name in generated]
    if not libraries:
        problems.append("it holds no compiled module")
    for name, library in libraries.items():
        problems += library_problems(name, library, policy, machine)
    glibc = max((library.glibc for library in libraries.values()), default=())
    alignment = min((value for library in libraries.values() for value in library.alignments), default=0)
    summary = (
        f"{wheel.name}: {policy}_{machine}, {len(libraries)} modules, "
        f"highest symbol {'GLIBC_' + '.'.join(map(str, glibc)) if glibc else 'not of glibc'}, "
        f"segments aligned to {alignment:#x}, {wheel.stat().st_size // 1024} KiB"
    )
    return summary, problems


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheels", nargs="+", type=Path, metavar="WHEEL")
    failed = False
    for wheel in parser.parse_args().wheels:
        summary, problems = check(wheel)
        print(summary)
        for problem in problems:
            print(f"  {problem}", file=sys.stderr)
        failed = failed or bool(problems)
    sys.exit(failed)


if __name__ == "__main__":
    main()
