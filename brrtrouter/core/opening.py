"""Opening files for sending: regular ones only, never waiting for one, and never outside of a folder.

Below a folder every step of a path is taken from the one before (`openat`) without following symbolic links, so that
what is checked is what is opened, whatever is renamed meanwhile.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Sequence
from typing import Final

# What these names and their kinds can do wrong; a full table of descriptors or a broken disk is not among them.
NOT_THERE: Final = frozenset(
    {
        errno.EACCES,
        errno.EINVAL,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ENXIO,
        errno.EPERM,
    }
)
_FOLDER: Final = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
# Without waiting: a name may become that of a pipe between the look at it and its opening.
_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Descriptor:
    """An open regular file; it is closed by `close`, or when nobody refers to it any more.

    One thread may read while another closes: the number is not given away before the read has ended.
    """

    def __init__(self, number: int, facts: os.stat_result) -> None:
        self._number = number
        self._lock = threading.Lock()
        self.facts = facts

    def fileno(self) -> int:
        """The descriptor.  Raises ValueError when it is closed: a file is sent once."""
        if self._number < 0:
            raise ValueError("the file is closed: a File can be answered with only once")
        return self._number

    def read(self, count: int, offset: int) -> bytes:
        """So many bytes from an offset on, fewer only at the end of the file."""
        pieces = []
        with self._lock:
            while count and (data := os.pread(self.fileno(), count, offset)):
                pieces.append(data)
                count -= len(data)
                offset += len(data)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Close the file; again is fine."""
        with self._lock:
            number, self._number = self._number, -1
        if number >= 0:
            os.close(number)

    def __del__(self) -> None:
        self.close()


def open_file(path: str | os.PathLike[str]) -> Descriptor:
    """Open a file by a path that the application chose; symbolic links are followed.  Raises OSError."""
    return _regular(os.fspath(path), None, follow=True)


def open_below(root: bytes, segments: Sequence[bytes], *, follow: bool) -> Descriptor:
    """Open a file of a folder by the names that lead to it, none of them empty, `.`, `..` or with a `/`.

    follow: symbolic links are followed as long as they stay inside of the folder; otherwise there are none.
    Raises OSError: one with an `errno` of NOT_THERE where there is no such file, IsADirectoryError for a folder.
    """
    if follow:
        root, segments = _resolved(root, segments)
    folder = os.open(root, _FOLDER)
    try:
        for name in segments[:-1]:
            inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        if not segments:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return _regular(segments[-1], folder, follow=False)
    finally:
        os.close(folder)


def _resolved(root: bytes, segments: Sequence[bytes]) -> tuple[bytes, Sequence[bytes]]:
    """Where a path leads to when its links are followed; it is opened without links: a change is no way out."""
    root = os.path.realpath(root)
    if not segments:
        return root, segments
    target = os.path.realpath(os.path.join(root, *segments))
    inside = target.removeprefix(root if root.endswith(b"/") else root + b"/")
    if inside == target:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return root, inside.split(b"/")


def _regular(path: str | bytes, folder: int | None, *, follow: bool) -> Descriptor:
    _check(os.stat(path, dir_fd=folder, follow_symlinks=follow))
    number = os.open(path, _FILE if follow else _FILE | os.O_NOFOLLOW, dir_fd=folder)
    try:
        facts = os.fstat(number)
        _check(facts)
    except BaseException:
        os.close(number)
        raise
    return Descriptor(number, facts)


def _check(facts: os.stat_result) -> None:
    if stat.S_ISDIR(facts.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
