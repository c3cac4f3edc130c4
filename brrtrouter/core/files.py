"""`File`: an answer whose body is a file, with ranges and conditional requests (RFC 9110 sections 13 and 14).

What the client asks of it is decided after the handler and the middleware of its operation: to them it is a 200 with
the whole file.  Small files then become bytes and go out with the head in one write; larger ones are sent by
`transfer.py`.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from brrtrouter.core.conditional import evaluate, http_date, not_modified, parse_etags, range_applies
from brrtrouter.core.connection import Connection
from brrtrouter.core.opening import Descriptor, open_file
from brrtrouter.core.ranges import Piece, Unsatisfiable, content_range, length_of, multipart, parse_ranges
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.core.transfer import CHUNK, FileShrank, send_pieces

if TYPE_CHECKING:
    from mimetypes import MimeTypes

SMALL: Final = 64 * 1024  # up to so many bytes are read at once and sent together with the head
_READING: Final = frozenset({"GET", "HEAD"})
# Types that are missing from the table of some Python version, or are not what is registered today.
_TYPES: Final[Mapping[str, str]] = {
    ".avif": "image/avif",
    ".br": "application/octet-stream",
    ".js": "text/javascript",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".otf": "font/otf",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zst": "application/zstd",
}
_COMPRESSED: Final[Mapping[str, str]] = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
    "compress": "application/x-compress",
}


@cache
def _types() -> MimeTypes:
    """Types by suffix, not by the tables of the machine: the same file has the same type everywhere.

    Made for the first file, because a server without files has no use for it.
    """
    from mimetypes import MimeTypes

    known = MimeTypes()
    for suffix, media_type in _TYPES.items():
        known.add_type(media_type, suffix)
    return known


class File(Response):
    """An answer whose body is a file; return a new one from each call of a handler.

    path: of a regular file, opened now; symbolic links are followed.  A name that a client gave belongs into a
    `StaticFiles` or a table of your own, not here.  media_type: by default what the suffix says.  download_name: the
    file is to be saved under this name (Content-Disposition, RFC 6266).  etag: True for one made from the file, False
    for none, or the text of an entity tag, `"x"` or `W/"x"`.  headers: further ones, as of a Response.

    GET and HEAD get ranges (206, 416) and conditional answers (304, 412) when `status` is 200.  Raises OSError for a
    file that cannot be opened or is not regular, ValueError for a malformed entity tag.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        media_type: str | None = None,
        download_name: str | None = None,
        etag: bool | str = True,
        headers: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None,
        status: int = 200,
    ) -> None:
        file = open_file(path)
        if isinstance(etag, str) and parse_etags(etag) != [etag]:
            raise ValueError(f"{etag!r} is no entity tag: it is written in quotation marks")
        self._take(file, media_type or media_type_of(os.fspath(path)), etag, headers, status)
        if download_name is not None:
            self.add_header("Content-Disposition", content_disposition(download_name))

    def _take(
        self,
        file: Descriptor,
        media_type: str,
        etag: bool | str,
        headers: Mapping[str, Any] | Iterable[tuple[str, Any]] | None,
        status: int,
    ) -> None:
        tag = etag_of(file.facts) if etag is True else etag or None
        body = FileBody(file, tag)
        super().__init__(status, body, headers, media_type)
        if tag is not None:
            self.add_header("ETag", tag)
        self.add_header("Last-Modified", http_date(body.last_modified))
        self.add_header("Accept-Ranges", "bytes")


def opened_file(file: Descriptor, media_type: str, headers: Mapping[str, Any]) -> File:
    """The answer for a file that is open already."""
    answer = File.__new__(File)
    answer._take(file, media_type, True, headers, 200)
    return answer


class FileBody:
    """The body of a File: an asynchronous iterator over its bytes, with a known length."""

    def __init__(self, file: Descriptor, etag: str | None) -> None:
        self.file = file
        self.etag = etag
        self.size: int = file.facts.st_size
        # RFC 9110 8.8.2.1: never later than the answer.
        self.last_modified = min(file.facts.st_mtime, time.time())
        self.pieces: Sequence[Piece] = [(0, self.size)] if self.size else []

    @property
    def content_length(self) -> int:
        """How many bytes are sent."""
        return length_of(self.pieces)

    def for_request(self, request: Request, response: Response, max_ranges: int) -> Response:
        """What a request gets of the answer that holds this body: all, a part, or only word that nothing is sent.

        The answer itself is not changed.
        """
        chosen = Response(response.status, self, response.headers, response.media_type)
        if response.status == 200 and request.method in _READING:
            refusal = self._condition(request, response)
            if refusal is None and request.method == "GET":
                refusal = self._select(request, chosen, max_ranges)
            if refusal is not None:
                self.file.close()
                return refusal
        body: FileBody = chosen.body
        # Several parts stay as they are: what has a boundary of its own is not worth to be remembered by the encoder.
        if body.content_length <= SMALL and len(body.pieces) <= 1 and not request.is_head:
            chosen.body = body._bytes()
        return chosen

    def _condition(self, request: Request, response: Response) -> Response | None:
        outcome = evaluate(request, self.etag, self.last_modified)
        if outcome == 304:
            return not_modified(response)
        if outcome == 412:
            return problem_response("precondition-failed", "the file is not as the conditions of the request want it")
        return None

    def _select(self, request: Request, response: Response, max_ranges: int) -> Response | None:
        """Make an answer that of the ranges asked for; the refusal when there is nothing in them."""
        wanted = request.header("range")
        if wanted is None or not range_applies(request, self.etag, self.last_modified):
            return None
        try:
            spans = parse_ranges(wanted, self.size, max_ranges)
        except Unsatisfiable:
            fields = {"Content-Range": f"bytes */{self.size}", "Accept-Ranges": "bytes"}
            return problem_response("range-not-satisfiable", f"the file has {self.size} bytes", headers=fields)
        if spans is None:
            return None
        response.status = 206
        if len(spans) == 1:
            response.body = self._of(spans)
            response.add_header("Content-Range", content_range(spans[0], self.size))
        else:
            boundary = secrets.token_hex(16)
            response.body = self._of(list(multipart(spans, self.size, response.media_type or "", boundary)))
            response.media_type = f"multipart/byteranges; boundary={boundary}"
        return None

    def _of(self, pieces: Sequence[Piece]) -> FileBody:
        """A body with other pieces of the same file."""
        body = FileBody(self.file, self.etag)
        body.pieces = pieces
        return body

    def _bytes(self) -> bytes:
        """All that is sent, when that is one part, read now."""
        try:
            return b"".join(self._read(at, stop - at) for at, stop in self.pieces)
        finally:
            self.file.close()

    def _read(self, offset: int, count: int) -> bytes:
        data = self.file.read(count, offset)
        if len(data) < count:
            raise FileShrank("the file became shorter while it was read")
        return data

    async def send_to(self, connection: Connection, head: bytes) -> None:
        """Send the head of an answer and the file."""
        try:
            await send_pieces(connection, head, self.file, self.pieces)
        finally:
            self.file.close()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        try:
            for piece in self.pieces:
                if isinstance(piece, bytes):
                    yield piece
                    continue
                at, stop = piece
                while at < stop:
                    data = await loop.run_in_executor(None, self._read, at, min(stop - at, CHUNK))
                    at += len(data)
                    yield data
        finally:
            self.file.close()

    async def aclose(self) -> None:
        """Close the file."""
        self.file.close()


def etag_of(facts: os.stat_result) -> str:
    """A strong entity tag: another one as soon as the file is another, or was changed."""
    return f'"{facts.st_mtime_ns:x}-{facts.st_size:x}-{facts.st_ino:x}"'


def media_type_of(path: str) -> str:
    """What the suffix of a name says; texts are in UTF-8."""
    media_type, coding = _types().guess_type(os.path.basename(path))
    if coding is not None:  # of `a.tar.gz` the archive is sent, not a coded form of what is in it
        return _COMPRESSED.get(coding, "application/octet-stream")
    if media_type is None:
        return "application/octet-stream"
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def content_disposition(name: str) -> str:
    """`attachment` with a file name (RFC 6266); one that is not plain ASCII as RFC 8187 writes it too."""
    name = re.sub(r"[\x00-\x1f\x7f/\\]", "_", name)
    plain = re.sub(r"[^ !#$&+\-.^_`|~0-9A-Za-z()\[\]{}@,;=\']", "_", name)
    field = f'attachment; filename="{plain}"'
    return field if plain == name else f"{field}; filename*=UTF-8''{quote(name, safe='!#$&+^`|', errors='replace')}"
