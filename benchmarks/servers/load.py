"""The generator of load, `load.c`, compiled when it is needed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 64
GRACE_SECONDS = 15.0  # more than it may take by its own limits


@dataclass(frozen=True)
class Load:
    """What the generator saw: answers, seconds, and percentiles of the latency in microseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    p999: float


class LoadError(Exception):
    """The generator has given up: what it says."""


class Generator:
    """The compiled generator.  cores: where it runs, None for anywhere."""

    def __init__(self, folder: Path, cores: set[int] | None) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            raise SystemExit("a C compiler is needed")
        self._folder = folder
        self._cores = cores
        self._program = folder / "load"
        source = Path(__file__).with_name("load.c")
        flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
        subprocess.run([compiler, *flags, str(source), "-o", str(self._program)], check=True, timeout=120)

    def run(
        self,
        port: int,
        request: bytes,
        seconds: float,
        *,
        depth: int = 1,
        rate: int = 0,
        most: int = 10**9,
        digits: str = "",
    ) -> Load:
        """Ask for so many seconds, or `most` requests; `digits` in the request become another number each time.

        Raises LoadError for any answer that is not a 200.
        """
        file = self._folder / "request"
        file.write_bytes(request)
        numbers = (port, CONNECTIONS, depth, most, max(1, round(seconds * 1_000)), rate)
        process = subprocess.Popen(
            [str(self._program), *map(str, numbers), str(file), *([digits] if digits else [])],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self._cores:
            os.sched_setaffinity(process.pid, self._cores)
        try:
            out, error = process.communicate(timeout=seconds + GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise LoadError("the generator did not end") from None
        if process.returncode != 0:
            raise LoadError(error.strip())
        return Load(**json.loads(out))
