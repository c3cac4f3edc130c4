"""`Board`: the counts of all workers of one supervisor, those that have ended included.

A folder of the supervisor holds one file for each worker that lives, which the worker counts in through shared memory,
and `ended`, the sum of all that have gone.  The supervisor adds the file of a worker to that sum when it has seen the
worker's end, so that no count is ever lost, whatever ended it, and so that the folder does not grow.  Any worker reads
the whole.

A file is MAGIC, the length of its header, the header as JSON, and cells as `brrtrouter.core.meter` has them.  Rows of
different workers are put together by their labels: after a reload routes may be others.
"""

from __future__ import annotations

import contextlib
import json
import logging
import mmap
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

logger = logging.getLogger("brrtrouter")

MAGIC: Final = b"BRRTCNT1"
ENDED: Final = "ended"
CELL: Final = 8

Label = tuple[str, str]  # method and path template


@dataclass(frozen=True, slots=True)
class Layout:
    """What the cells of one process stand for.

    process: how many cells come before the rows.  labels: of the rows.  fixed: cells of a row before its buckets.
    bounds: of the buckets, in seconds; there is one more for what is above them all.
    """

    process: int
    labels: tuple[Label, ...]
    fixed: int
    bounds: tuple[float, ...]

    @property
    def width(self) -> int:
        """The cells of a row."""
        return self.fixed + len(self.bounds) + 1


@dataclass(slots=True)
class Totals:
    """Sums of cells.

    process: of the cells of processes.  open: the same, but only of those that live.  rows: by label, as long as
    `Layout.width` says for `bounds`.  workers: number and process of each that lives.
    """

    bounds: tuple[float, ...]
    process: list[int] = field(default_factory=list)
    open: list[int] = field(default_factory=list)
    rows: dict[Label, list[int]] = field(default_factory=dict)
    workers: dict[int, int] = field(default_factory=dict)

    def add_process(self, cells: Iterable[int], *, alive: bool) -> None:
        """Add the cells of one process."""
        cells = list(cells)
        self.process = _sum(self.process, cells)
        if alive:
            self.open = _sum(self.open, cells)

    def add_row(self, label: Label, cells: list[int], fixed: int, bounds: tuple[float, ...]) -> None:
        """Add one row, whose buckets may have other bounds: a count goes where its own upper bound has a place."""
        if bounds != self.bounds:
            buckets = [0] * (len(self.bounds) + 1)
            for bound, count in zip((*bounds, float("inf")), cells[fixed:], strict=True):
                buckets[sum(each < bound for each in self.bounds)] += count
            cells = [*cells[:fixed], *buckets]
        self.rows[label] = _sum(self.rows.get(label, []), cells)

    def add_cells(self, layout: Layout, cells: memoryview, *, alive: bool) -> None:
        """Add all cells of a process; rows that nothing was counted in are left out."""
        self.add_process(cells[: layout.process * CELL].cast("Q"), alive=alive)
        size = layout.width * CELL
        empty = bytes(size)
        at = layout.process * CELL
        for label in layout.labels:
            row = cells[at : at + size]
            if row != empty:
                self.add_row(label, row.cast("Q").tolist(), layout.fixed, layout.bounds)
            at += size


def _sum(first: list[int], second: list[int]) -> list[int]:
    return [a + b for a, b in zip(first, second, strict=True)] if first else list(second)


class Board:
    """The supervisor's side: makes the folder, and keeps the sum of those who have ended.

    folder: where workers put their counts; None where nothing can be written.
    """

    def __init__(self) -> None:
        self.folder = _private_folder()

    def fold(self, pid: int) -> None:
        """Add what a process that has ended had counted to the sum; a file that cannot be read is logged."""
        file = self.folder / str(pid) if self.folder is not None else None
        if file is None or not file.exists():
            return
        try:
            _, layout, cells = _read(file)
            totals = Totals(layout.bounds)
            fixed = _add_ended(totals, _ended(file.parent)) or layout.fixed
            totals.add_cells(layout, cells, alive=False)
            ended = {
                "folded": [file.name],
                "bounds": layout.bounds,
                "fixed": fixed,
                "process": totals.process,
                "rows": [[*label, row] for label, row in totals.rows.items()],
            }
            _write(file.with_name(ENDED), json.dumps(ended).encode())
        except (OSError, ValueError, KeyError) as error:
            logger.error("the counts of process %d are lost: %s", pid, error)
        with contextlib.suppress(OSError):
            file.unlink()

    def remove(self) -> None:
        """The supervisor ends."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def _private_folder() -> Path | None:
    """A new folder for this user only; None where nothing can be written."""
    for parent in (None, "/dev/shm"):
        with contextlib.suppress(OSError):
            return Path(tempfile.mkdtemp(prefix="brrtrouter-", dir=parent))
    return None


class Seat:
    """A worker's side: memory of its own that all others can read, and what they have counted.

    Raises OSError when there is no room for the file.
    """

    def __init__(self, folder: Path, number: int, layout: Layout, size: int) -> None:
        self._folder = folder
        header = json.dumps({"worker": number, **_as_json(layout)}).encode()
        header += b" " * (-(len(MAGIC) + CELL + len(header)) % CELL)
        start = MAGIC + len(header).to_bytes(CELL, sys.byteorder) + header
        file = folder / str(os.getpid())
        # Written, not only reserved: memory that the disk has no room for would end the process when it is touched.
        _write(file, start + bytes(size))
        with file.open("r+b") as opened:
            mapped = mmap.mmap(opened.fileno(), len(start) + size)
        self.cells = memoryview(mapped)[len(start) :]

    def totals(self, bounds: tuple[float, ...]) -> Totals:
        """The sum over all workers, now."""
        while True:
            ended = _ended(self._folder)
            totals = Totals(bounds)
            _add_ended(totals, ended)
            for file in sorted(self._folder.iterdir()):
                if file.name.isdigit() and file.name not in ended.get("folded", ()):
                    _add_living(totals, file)
            # Somebody who ended meanwhile may have been seen twice, or not at all.
            if _ended(self._folder) == ended:
                return totals


def _add_living(totals: Totals, file: Path) -> None:
    try:
        number, layout, cells = _read(file)
    except FileNotFoundError:
        return
    totals.add_cells(layout, cells, alive=True)
    # While workers are replaced there are two of a number: the younger one counts.
    totals.workers[number] = max(int(file.name), totals.workers.get(number, 0))


def _read(file: Path) -> tuple[int, Layout, memoryview]:
    """The number of a worker, and its cells as bytes."""
    raw = file.read_bytes()
    data = memoryview(raw)
    at = len(MAGIC) + CELL
    if not raw.startswith(MAGIC):
        raise ValueError("the file is none of counts")
    end = at + int.from_bytes(data[len(MAGIC) : at], sys.byteorder)
    header = json.loads(raw[at:end])
    labels = tuple((method, path) for method, path in header["labels"])
    layout = Layout(header["process"], labels, header["fixed"], tuple(header["bounds"]))
    return header["worker"], layout, data[end:]


def _as_json(layout: Layout) -> dict[str, Any]:
    return {
        "process": layout.process,
        "labels": layout.labels,
        "fixed": layout.fixed,
        "bounds": layout.bounds,
    }


def _write(file: Path, data: bytes) -> None:
    """A file is there whole or not at all."""
    new = file.with_name(f"{file.name}.new")
    try:
        new.write_bytes(data)
        new.replace(file)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _ended(folder: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads((folder / ENDED).read_bytes())
    except FileNotFoundError:
        return {}
    return found


def _add_ended(totals: Totals, ended: Mapping[str, Any]) -> int | None:
    """Add the sum of those who have gone; how many cells of a row come before its buckets, None when nobody has."""
    if not ended:
        return None
    totals.add_process(ended["process"], alive=False)
    for method, path, row in ended["rows"]:
        totals.add_row((method, path), row, ended["fixed"], tuple(ended["bounds"]))
    fixed: int = ended["fixed"]
    return fixed
