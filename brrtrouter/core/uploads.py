"""`UploadFile`: a file that came in a body, in memory while it is small, on disk when it is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from typing import IO, Any, Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_FILENAME_LENGTH: Final = 255


def safe_filename(name: str | None) -> str | None:
    """The last part of a name that a client gave, without what could lead elsewhere; None when nothing is left.

    Folders, drive letters, control characters, and dots and spaces at both ends are dropped, and what is longer than
    255 bytes is cut at its start, so that the extension stays (RFC 7578 section 4.2: never trust the name).
    """
    if name is None:
        return None
    last = _CONTROL.sub("", name).replace("\\", "/").rpartition("/")[2].rpartition(":")[2]
    last = last.strip(" .")
    raw = last.encode("utf-8", "replace")[-_FILENAME_LENGTH:]
    return raw.decode("utf-8", "ignore").strip(" .") or None


class UploadFile:
    """One file of a form.

    filename: as the client named it, made safe (see `safe_filename`); raw_filename: to the letter, never to be used as
    a path.  content_type: what the client says it is.  headers: the declared headers of the part, decoded, by their
    names in lower case.  size: in bytes.  file: a binary file object at its start, in memory up to
    `limits.file_memory` bytes, beyond that a file on disk without a name, which is gone when it is closed.
    """

    __slots__ = ("__weakref__", "_memory", "content_type", "file", "headers", "raw_filename", "size")

    def __init__(
        self,
        filename: str | None = None,
        content_type: str = "application/octet-stream",
        *,
        headers: Mapping[str, Any] | None = None,
        memory: int = 1024 * 1024,
    ) -> None:
        self.raw_filename = filename
        self.content_type = content_type
        self.headers: dict[str, Any] = dict(headers or {})
        self.size = 0
        self.file: IO[bytes] = BytesIO()
        self._memory = memory

    @property
    def filename(self) -> str | None:
        """A name without folders, or None."""
        return safe_filename(self.raw_filename)

    @property
    def in_memory(self) -> bool:
        """Whether the content is in memory and not on disk."""
        return isinstance(self.file, BytesIO)

    def write(self, data: bytes) -> None:
        """Add bytes at the end; for whoever receives the file."""
        self.size += len(data)
        if self.size > self._memory and isinstance(self.file, BytesIO):
            import tempfile  # few are so large

            memory = self.file
            self.file = tempfile.TemporaryFile()  # noqa: SIM115  closed with this object
            self.file.write(memory.getbuffer())
        self.file.write(data)

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, or all that are left."""
        return self.file.read(size)

    def seek(self, offset: int) -> None:
        """Go on reading at that byte."""
        self.file.seek(offset)

    def close(self) -> None:
        """Free the content; done by itself when nothing refers to the file any more."""
        self.file.close()

    def __enter__(self) -> UploadFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        with suppress(AttributeError):  # when __init__ did not get so far
            self.file.close()

    def __repr__(self) -> str:
        return f"<UploadFile {self.filename!r} {self.content_type} {self.size} bytes>"
