"""What the tests of processes share: `brrtrouter serve` with its log, and clients that count what is lost."""

from __future__ import annotations

import asyncio
import os
import re
import selectors
import signal
import ssl
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import TracebackType

from wire import TIMEOUT

ROOT = Path(__file__).resolve().parents[1]
SPEC = """\
openapi: 3.1.0
info: {title: Workers, version: "1"}
paths:
  /who: {get: {operationId: who, responses: {"200": {description: The process}}}}
  /slow: {get: {operationId: slow, responses: {"200": {description: The process}}}}
  /client: {get: {operationId: client, responses: {"200": {description: What is known of the client}}}}
"""
HANDLERS = """\
import asyncio, os

VERSION = {version!r}

async def who(request):
    return {{"pid": os.getpid(), "version": VERSION}}

async def slow(request):
    await asyncio.sleep(0.05)
    return {{"pid": os.getpid(), "version": VERSION}}

async def client(request):
    certificate = request.client_certificate
    names = [value for kind, value in certificate["subjectAltName"]] if certificate else None
    return {{"client": request.client, "base_url": request.base_url, "names": names, "scheme": request.scheme}}
"""
GET = "GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"


def write_files(folder: Path, version: str = "one") -> None:
    """The description and its handlers; a version of another length makes Python compile the module again."""
    (folder / "openapi.yaml").write_text(SPEC)
    (folder / "the_handlers.py").write_text(HANDLERS.format(version=version))


class Lines:
    """The lines of a pipe, each waited for with a limit."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self.seen: list[str] = []

    def until(self, pattern: str, seconds: float = TIMEOUT) -> re.Match[str]:
        """The next line that the pattern is found in."""
        end = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptor, selectors.EVENT_READ)
            while True:
                *lines, self._rest = self._rest.split(b"\n")
                for index, line in enumerate(lines):
                    self.seen.append(line.decode())
                    found = re.search(pattern, self.seen[-1])
                    if found:
                        self._rest = b"\n".join([*lines[index + 1 :], self._rest])
                        return found
                ready = selector.select(max(end - time.monotonic(), 0))
                data = os.read(self._descriptor, 65536) if ready else b""
                assert data, f"no line with {pattern!r} in:\n" + "\n".join(self.seen)
                self._rest += data


class Served:
    """`brrtrouter serve` in a process of its own, killed at the end if it lives."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        command: str = "openapi.yaml --handlers the_handlers.py",
        environ: dict[str, str] | None = None,
        pass_fds: tuple[int, ...] = (),
        program: str | None = None,
    ) -> None:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        start = ["-c", program] if program else ["-m", "brrtrouter", "serve", *command.split(), *arguments]
        self.process = subprocess.Popen(
            [sys.executable, *start],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, **(environ or {})},
            pass_fds=pass_fds,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.out = Lines(self.process.stdout.fileno())
        self.log = Lines(self.process.stderr.fileno())

    def url(self) -> str:
        """Where it listens, once it does."""
        return self.out.until(r"Listening on (\S+)")[1]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(TIMEOUT)

    def __enter__(self) -> Served:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()


class Load:
    """Clients with keep-alive connections that ask one request after another, and what they saw.

    lost: requests that were sent and got no answer; torn: a part of one; refused: connections that were not taken.
    """

    def __init__(self, url: str, clients: int = 6, path: str = "/who", context: ssl.SSLContext | None = None) -> None:
        self.address = url.removeprefix("http://").removeprefix("https://").rpartition(":")
        self.unix = url.removeprefix("unix:") if url.startswith("unix:") else None
        self.clients = clients
        self.context = context
        self.request = GET.format(path=path, fields="").encode()
        self.answered: Counter[bytes] = Counter()
        self.lost = self.torn = self.refused = self.closes = 0
        self.stopping = False
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._client()) for _ in range(self.clients)]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.stopping = True
        await asyncio.wait_for(asyncio.gather(*self._tasks), TIMEOUT)

    @property
    def total(self) -> int:
        return sum(self.answered.values())

    def bodies(self, word: str) -> int:
        """How many answers had this word in them."""
        return sum(count for body, count in self.answered.items() if word.encode() in body)

    async def more(self, count: int) -> None:
        """Wait until so many more requests were answered."""
        wanted = self.total + count
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: self.total >= wanted), TIMEOUT)

    async def until(self, word: str) -> None:
        """Wait for an answer with this word."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: self.bodies(word) > 0), TIMEOUT)

    async def gone(self) -> None:
        """Wait until every client was refused."""
        await asyncio.wait_for(asyncio.gather(*self._tasks), TIMEOUT)

    async def _client(self) -> None:
        while not self.stopping:
            try:
                if self.unix is not None:
                    reader, writer = await asyncio.open_unix_connection(self.unix)
                else:
                    host, _, port = self.address
                    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=self.context)
            except (ConnectionRefusedError, FileNotFoundError):
                self.refused += 1
                return
            try:
                await self._ask(reader, writer)
            finally:
                writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Ask until the server says that this was the last answer."""
        while not self.stopping:
            writer.write(self.request)
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head, re.I)
                body = await reader.readexactly(int(length[1])) if length else b""
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                self.torn += bool(getattr(error, "partial", b""))
                self.lost += 1
                return
            async with self._changed:
                self.answered[head.split(b"\r\n")[0][9:12] + b" " + body] += 1
                self._changed.notify_all()
            if re.search(rb"connection: close", head, re.I):
                self.closes += 1
                return
