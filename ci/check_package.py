"""Checks what is inside of the sdist and the wheel in a folder: everything needed, nothing generated."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

NEEDED_IN_BOTH = ("brrtrouter/py.typed", "brrtrouter/core/matcher.pyi", "brrtrouter/dispatch/assets/docs/index.html")
NEEDED_IN_SDIST = (
    "csrc/brrt_matcher.h",
    "brrtrouter/core/matcher.pyx",
    "brrtrouter/core/csrc.pxd",
    "README.md",
    "LICENSE",
)


def main() -> None:
    folder = Path(sys.argv[1])
    sdist, wheel = next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = set(archive.namelist())
    problems = [f"{sdist.name} lacks {name}" for name in NEEDED_IN_BOTH + NEEDED_IN_SDIST if name not in in_sdist]
    problems += [f"{wheel.name} lacks {name}" for name in NEEDED_IN_BOTH if name not in in_wheel]
    problems += [
        f"{package} holds the generated file {name}"
        for package, names in ((sdist.name, in_sdist), (wheel.name, in_wheel))
        for name in sorted(names)
        if name.startswith("brrtrouter/core/") and name.endswith((".c", ".html"))
    ]
    if problems:
        sys.exit("\n".join(problems))
    print(f"{sdist.name}: {len(in_sdist)} files; {wheel.name}: {len(in_wheel)} files")


if __name__ == "__main__":
    main()
