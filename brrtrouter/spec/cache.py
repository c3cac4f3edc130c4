"""Parsed documents on disk, so that a large YAML file is parsed once: plain JSON, named by the hash of what was read.

An entry is never trusted further than the document it stands for: it is JSON, read by the same reader as any document,
and only from a folder that nobody else may write to.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any, Final

import orjson

from brrtrouter import jsontext
from brrtrouter.errors import BrrtError, Issue
from brrtrouter.spec.limits import Limits

# Smaller documents are parsed faster than a cache entry is found and read.
WORTH_BYTES: Final = 64 * 1024
# Raised when what the readers make of a document changes.
_FORMAT: Final = "1"


def _release() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("brrtrouter")
    except PackageNotFoundError:  # run from its source without being installed
        return "source"


class Cache:
    """A folder of parsed documents.  Raises `BrrtError` when the folder cannot be used."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.folder.stat()
        except OSError as error:
            raise BrrtError(f"the cache folder {self.folder} cannot be used: {error.strerror}") from None
        if hasattr(os, "geteuid") and (
            found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)
        ):
            raise BrrtError(f"the cache folder {self.folder} has to be yours, and nobody else may write to it")

    def _path(self, raw: bytes, limits: Limits) -> Path:
        digest = hashlib.sha256(f"{_FORMAT} {_release()} {limits!r}\0".encode())
        digest.update(raw)
        return self.folder / f"{digest.hexdigest()}.json"

    def get(self, raw: bytes, limits: Limits) -> tuple[Any, tuple[Issue, ...]] | None:
        """What these bytes were parsed to; None when they were not, or when the entry cannot be read."""
        if len(raw) < WORTH_BYTES:
            return None
        try:
            entry = jsontext.loads(self._path(raw, limits).read_bytes())
            return entry["value"], tuple(Issue(**issue) for issue in entry["issues"])
        except (OSError, orjson.JSONDecodeError, LookupError, TypeError):
            return None

    def put(self, raw: bytes, limits: Limits, value: Any, issues: tuple[Issue, ...]) -> None:
        """Keep what these bytes were parsed to; whoever reads meanwhile sees all of it or nothing."""
        if len(raw) < WORTH_BYTES:
            return
        path = self._path(raw, limits)
        try:
            text = jsontext.dumps({"value": value, "issues": issues})
            if jsontext.loads(text)["value"] != value:
                return  # what JSON has no place for, such as an infinite number
            import tempfile  # entries are seldom written

            handle, name = tempfile.mkstemp(dir=self.folder)
            with os.fdopen(handle, "wb") as file:
                file.write(text)
            os.replace(name, path)
        except (OSError, TypeError, ValueError, RecursionError):
            return  # a cache that cannot be written is slow, not wrong
