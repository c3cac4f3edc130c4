"""`AccessLog`: a thread that writes the lines of the core where they belong, whatever becomes of that place.

The event loop never waits for it: when lines cannot be written fast enough, or not at all, they are dropped and
counted, and the next line that can be written says how many.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from datetime import datetime, timezone
from typing import Final

from brrtrouter import config
from brrtrouter.core.access import AccessLines
from brrtrouter.errors import ConfigError
from brrtrouter.observe.redaction import secret_names

GATHER: Final = 0.05  # seconds in which lines are gathered for one write
STREAMS: Final = {"stderr": 2, "stdout": 1}


class AccessLog:
    """The access log of a process.  Its thread begins with the first line, in the process that has made it.

    Raises ConfigError when the file cannot be opened.
    """

    def __init__(self, settings: config.Log) -> None:
        self._json = settings.format == "json"
        self._path = None if settings.target in STREAMS else settings.target
        self._file = STREAMS.get(settings.target, -1)
        self.lines = AccessLines(
            capacity=settings.buffer,
            json=self._json,
            errors_only=settings.sampling == "error-only",
            share=settings.rate if settings.sampling == "sampled" else 1.0,
            most=settings.lines_per_second,
            secret=secret_names(settings.redact, settings.secret_names),
            agent=settings.user_agent,
            headers=settings.headers,
            masks_client=settings.redact == "full",
            hides_path=settings.redact == "full",
            wake=self._wake,
        )
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._lost = 0
        if self._path is not None:
            try:
                os.close(_open(self._path))
            except (OSError, ValueError) as error:
                raise ConfigError(f"log.target: {self._path}: {getattr(error, 'strerror', None) or error}") from None

    def _wake(self) -> None:
        if self._thread is None or self._pid != os.getpid():
            self._pid = os.getpid()
            self._some, self._ending, self._lock = threading.Event(), threading.Event(), threading.Lock()
            self._thread = threading.Thread(target=self._work, name="brrtrouter-access-log", daemon=True)
            self._thread.start()
        self._some.set()

    def _work(self) -> None:
        some, ending = self._some, self._ending
        while not ending.is_set():
            some.wait()
            some.clear()
            ending.wait(GATHER)
            self._write()

    def close(self, seconds: float = 2.0) -> None:
        """Write what there is, within so many seconds; later lines begin a new thread."""
        thread, self._thread = self._thread, None
        if thread is None or self._pid != os.getpid():
            return
        self._ending.set()
        self._some.set()
        thread.join(seconds)
        if not thread.is_alive():
            self._write()
            if self._path is not None and self._file >= 0:
                os.close(self._file)
                self._file = -1

    def _write(self) -> None:
        with self._lock:
            lines, dropped = self.lines.take()
            self._lost += dropped
            if not lines and not self._lost:
                return
            told = self._lost
            if told:
                lines = self._about(told) + lines
            try:
                self._reopen()
                written = 0
                while written < len(lines):
                    written += os.write(self._file, memoryview(lines)[written:])
                self._lost -= told
            except OSError:
                # Nobody reads, no room, no such folder: the lines are lost, and counted.
                self._lost += lines.count(b"\n") - bool(told)

    def _about(self, lost: int) -> bytes:
        at = datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")
        text = f"{lost} lines of the access log were lost"
        if not self._json:
            return f"{at} warning: {text}\n".encode()
        words = {"time": at, "level": "warning", "logger": "brrtrouter.access", "message": text, "lost": lost}
        return json.dumps(words, separators=(",", ":")).encode() + b"\n"

    def _reopen(self) -> None:
        """Follow the path: logrotate moves the file away and tells nobody."""
        if self._path is None:
            if self._file == 1:
                with contextlib.suppress(ValueError, OSError, AttributeError):
                    sys.stdout.flush()
            return
        if self._file >= 0:
            with contextlib.suppress(FileNotFoundError):
                there, ours = os.stat(self._path), os.fstat(self._file)
                if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                    return
            os.close(self._file)
            self._file = -1
        self._file = _open(self._path)


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
