"""A server that has served for long is as it was: its memory is flat and its descriptors are back.

BRRTR_ENDURANCE_REQUESTS scales the number of requests, 100,000 without it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from serving import GET, Served, write_files
from wire import TIMEOUT, Client

REQUESTS = int(os.environ.get("BRRTR_ENDURANCE_REQUESTS", "100000"))
BATCH = 500
GROWTH_KIB = 1024
PATHS = ("/who", "/client", "/health", "/no/such/path")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory and descriptors are read from /proc")


def memory(pid: int) -> int:
    """VmRSS in KiB."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0])


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def ask(url: str, count: int) -> None:
    """So many requests of several kinds, BATCH on a connection, of which the last one ends it."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    requests = [GET.format(path=PATHS[index % len(PATHS)], fields="") for index in range(BATCH - 1)]
    batch = "".join([*requests, GET.format(path=PATHS[0], fields="Connection: close\r\n")]).encode()
    for _ in range(count // BATCH):
        with socket.create_connection((host, int(port)), TIMEOUT) as sock, sock.makefile("rb") as stream:
            sock.sendall(batch)
            assert stream.read().count(b"HTTP/1.1 ") == BATCH


def test_memory_is_flat_and_descriptors_are_back(tmp_path: Path) -> None:
    write_files(tmp_path)
    with Served(tmp_path, "--port", "0") as served:
        url, pid = served.url(), served.process.pid
        ask(url, REQUESTS // 4)
        before, files = memory(pid), descriptors(pid)
        ask(url, REQUESTS)
        with Client(url) as client:  # the ends of all others were seen before it
            assert client.ask(GET.format(path="/health", fields="").encode()).status == 200
            after, files_after = memory(pid), descriptors(pid) - 1
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
    assert after - before < GROWTH_KIB
    assert files_after <= files
