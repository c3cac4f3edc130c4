"""Runs what a documentation page shows: the Python blocks, the files that it tells to save, and the commands.

A fenced block counts by its first words: `python` is executed (as doctest when it starts with `>>>`), `yaml a.yaml`
(any language and a file name) is saved under that name, `console` holds commands after `$ ` with their output below.
`...` in an output stands for anything.  `brrtrouter serve` keeps running, on a free port, until the page ends.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from brrtrouter.testing import TestClient

ROOT = Path(__file__).resolve().parents[1]
CURL = shutil.which("curl")
DOCUMENTED_URL = "http://127.0.0.1:8080"
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: the words after the fence, its text, and the line of the page where the text starts."""

    info: tuple[str, ...]
    text: str
    line: int

    @property
    def language(self) -> str:
        return self.info[0] if self.info else ""


@dataclass(frozen=True)
class Command:
    """One command of a console block and the output that the page shows."""

    text: str
    output: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block(tuple(match[1].split()), match[2], text.count("\n", 0, match.start(2)) + 1)
        for match in _FENCE.finditer(text)
    ]


def commands(block: Block) -> list[Command]:
    found = []
    for piece in re.split(r"^\$ ", block.text.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, output = piece.partition("\n")
        found.append(Command(command, output))
    return found


def matches(written: str, actual: str) -> bool:
    """Whether an output is as the page shows it.

    `...` stands for anything.  Of an HTTP message the page may leave out header fields, and its date is another one.
    """
    actual = actual.replace("\r\n", "\n")
    if written.startswith("HTTP/1.1 "):
        head, _, written = written.partition("\n\n")
        actual_head, _, actual = actual.partition("\n\n")
        lines = re.sub(r"^Date: .*\n?", "", head, flags=re.M).splitlines()
        if lines[0] != actual_head.partition("\n")[0] or not set(lines) <= set(actual_head.splitlines()):
            return False
    pattern = ".*".join(re.escape(piece) for piece in written.strip().split("..."))
    return re.fullmatch(pattern, actual.strip(), re.DOTALL) is not None


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}


class Reader:
    """What a reader has at hand: a folder, a Python namespace and perhaps a server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "page"}
        self.server: subprocess.Popen[str] | None = None
        self.url = ""
        self.ran: list[str] = []

    def run(self, page: Path, block: Block) -> None:
        """Do what the block shows and compare; AssertionError says where the page is wrong."""
        if len(block.info) == 2:
            (self.folder / block.info[1]).write_text(block.text, "utf-8")
        elif block.language == "python":
            self._python(page, block)
        elif block.language == "console":
            for command in commands(block):
                self.command(command)

    def _python(self, page: Path, block: Block) -> None:
        if block.text.startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(block.text, {}, page.name, str(page), block.line - 1)
            test.globs = self.names
            report: list[str] = []
            runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
            assert runner.run(test, out=report.append, clear_globs=False).failed == 0, "".join(report)
        else:
            exec(compile("\n" * (block.line - 1) + block.text, str(page), "exec"), self.names)

    def command(self, command: Command) -> None:
        """Run one command and compare what it prints, if the page shows anything."""
        name, *arguments = shlex.split(command.text, comments=True)
        self.ran.append(command.text)
        if name == "curl":
            if CURL is None:
                pytest.skip("there is no curl")
            assert self.server is not None, f"no server runs for {command.text}"
            actual = self._output([CURL, *(argument.replace(DOCUMENTED_URL, self.url) for argument in arguments)])
        else:
            assert name == "brrtrouter", f"{name} is no command that a page can show"
            program = [sys.executable, "-m", "brrtrouter", *arguments]
            serves = arguments[:1] == ["serve"] and "brrtrouter: " not in command.output
            actual = self._serve(program) if serves else self._output(program)
        if command.output.strip():
            assert matches(command.output, actual), f"{command.text}\nanswers\n{actual}\nand not\n{command.output}"

    def _output(self, program: list[str]) -> str:
        run = subprocess.run(
            program, cwd=self.folder, env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
        return run.stdout + ("" if Path(program[0]).name.startswith("curl") else run.stderr)

    def _serve(self, program: list[str]) -> str:
        self.close()
        self.server = subprocess.Popen(
            [*program, "--port", "0"], cwd=self.folder, env=environment(), stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.server.stdout is not None
        lines = []
        for line in self.server.stdout:
            lines.append(line)
            found = re.match(r"Listening on (\S+)", line)
            if found:
                self.url = found[1]
                return "".join(lines).replace(self.url, DOCUMENTED_URL)
        raise AssertionError(f"{program} did not start: {''.join(lines)}")

    def close(self) -> None:
        """Stop the server, which has to drain and end with 0."""
        if self.server is None:
            return
        server, self.server = self.server, None
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
        assert server.returncode == 0


@contextmanager
def reading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """A reader in a folder; afterwards nothing of it is left in the interpreter."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    current = Reader(folder)
    try:
        yield current
    finally:
        for value in current.names.values():
            if isinstance(value, TestClient):
                value.close()
        for name in set(sys.modules) - before:
            if not name.startswith("brrtrouter"):
                del sys.modules[name]
        current.close()
