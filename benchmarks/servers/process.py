"""Processes that are measured: started, waited for, asked what they cost, stopped."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any

START_SECONDS = 20.0
STOP_SECONDS = 5.0
# clock_getcpuclockid(3): the clock of a process is its number, inverted and shifted, with 2 for all its threads.
CPU_CLOCK = 2


class Unavailable(Exception):
    """A server that cannot take part: it is not installed, or it answers with something else."""


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def children(pid: int) -> list[int]:
    """The process and all processes below it."""
    found = [pid]
    for at in found:
        try:
            tasks = [name.read_text() for name in Path(f"/proc/{at}/task").glob("*/children")]
        except OSError:
            continue
        found += [int(child) for text in tasks for child in text.split()]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the process and of those below it, to the nanosecond."""
    return sum(time.clock_gettime(~each << 3 | CPU_CLOCK) for each in children(pid))


def resident_mb(pid: int) -> float:
    """Memory of the process and of those below it; pages that they share count for each."""
    total = 0
    for each in children(pid):
        fields = Path(f"/proc/{each}/statm").read_text().split()
        total += int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
    return total / 1e6


def ask(port: int, request: bytes) -> Any:
    """The value of the JSON answer to one request.  Raises OSError, ValueError or HTTPException for anything else."""
    with socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS) as sock:
        sock.sendall(request)
        response = http.client.HTTPResponse(sock)
        response.begin()
        body = response.read()
        if response.status != 200:
            raise ValueError(f"{response.status} {body[:200]!r}")
        return json.loads(body)


class Served:
    """A server in a process of its own, on one core when there are two, with its output thrown away."""

    def __init__(self, command: list[str], port: int, cores: set[int] | None, folder: Path) -> None:
        self.port = port
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])},
        )
        if cores:
            os.sched_setaffinity(self._process.pid, cores)  # what it starts later inherits this
        self.pid = self._process.pid

    def wait_ready(self) -> None:
        """Wait until it takes connections.  Unavailable when it ends instead, or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise Unavailable(f"ended with {self._process.returncode}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise Unavailable(f"did not listen within {START_SECONDS:g} s")

    def __enter__(self) -> Served:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        left = children(self.pid)[1:]
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
