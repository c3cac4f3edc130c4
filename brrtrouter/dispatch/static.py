"""Folders of files below a prefix, for paths that no operation of the document has.

A path is split at its slashes and each segment is decoded once; what then is empty, `.`, `..` or holds a separator or a
NUL names no file.  Files are opened step by step from the folder (see `brrtrouter.core.opening`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

from brrtrouter.config import Static as Settings
from brrtrouter.core.accept_encoding import read_accept_encoding
from brrtrouter.core.files import media_type_of, opened_file
from brrtrouter.core.opening import NOT_THERE, Descriptor, open_below
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.core.service import Mode, Operation
from brrtrouter.errors import ConfigError

Folder: TypeAlias = "str | os.PathLike[str] | StaticFiles"

_ALLOW: Final = "GET, HEAD, OPTIONS"
_PREFIX: Final = re.compile(r"(?:/[A-Za-z0-9\-._~!$&'()*+,;=:@]+)+")
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_BAD_SEGMENT: Final = re.compile(rb"\.{1,2}|.*[/\\\0].*", re.DOTALL)
# Suffixes of precompressed files by content coding, the one that is taken first among those a client likes as much.
_SIBLINGS: Final[Mapping[str, bytes]] = {"br": b".br", "zstd": b".zst", "gzip": b".gz"}


class StaticFiles:
    """A folder whose files are served.

    index: the file that stands for a folder, None for none.  cache_control: the value of Cache-Control.  hidden: files
    and folders whose names begin with a dot are served too.  follow_symlinks: symbolic links are followed as long as
    they stay inside of the folder.  precompressed: `a.js.br`, `a.js.zst` or `a.js.gz` is sent in place of `a.js` to a
    client that takes it.

    Raises ConfigError when the folder is none.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        index: str | None = "index.html",
        cache_control: str | None = None,
        hidden: bool = False,
        follow_symlinks: bool = False,
        precompressed: bool = False,
    ) -> None:
        self.directory = os.path.abspath(os.fspath(directory))
        if not os.path.isdir(self.directory):
            raise ConfigError(f"static files: {os.fspath(directory)} is no directory")
        if index is not None and (not index or "/" in index):
            raise ConfigError(f"static files: {index!r} is no name of an index file")
        self._root = os.fsencode(self.directory)
        self._index = None if index is None else index.encode()
        self._hidden = hidden
        self._follow = follow_symlinks
        self._precompressed = precompressed
        # A type that the suffix says is not for a browser to doubt.
        self._headers = {"X-Content-Type-Options": "nosniff"}
        if cache_control is not None:
            self._headers["Cache-Control"] = cache_control
        if precompressed:
            self._headers["Vary"] = "Accept-Encoding"

    def answer(self, request: Request, segments: list[bytes]) -> Response:
        """The answer for the decoded segments below the prefix; the last one is empty behind a slash."""
        if request.method == "OPTIONS":
            return Response(204, None, {"Allow": _ALLOW})
        if request.method not in ("GET", "HEAD"):
            detail = f"the path does not have the method {request.method}"
            return problem_response("method-not-allowed", detail, headers={"Allow": _ALLOW})
        inside = bool(segments) and segments[-1] == b""
        names = segments[:-1] if inside else segments
        if any(not name or _BAD_SEGMENT.fullmatch(name) for name in names) or self._is_hidden(names):
            return _not_found()
        if inside:
            return _not_found() if self._index is None else self._send(request, [*names, self._index])
        try:
            return self._send(request, names)
        except IsADirectoryError:
            return self._redirect(request, names)

    def _is_hidden(self, names: list[bytes]) -> bool:
        return not self._hidden and any(name.startswith(b".") for name in names)

    def _send(self, request: Request, names: list[bytes]) -> Response:
        """A file.  Raises IsADirectoryError for a folder, unless a path with a slash at its end asked for it."""
        try:
            file, headers = self._open(request, names)
        except IsADirectoryError:
            if names and names[-1] == self._index:
                return _not_found()
            raise
        except OSError as error:
            if error.errno not in NOT_THERE:
                raise
            return _not_found()
        return opened_file(file, media_type_of(os.fsdecode(names[-1])), headers)

    def _open(self, request: Request, names: list[bytes]) -> tuple[Descriptor, Mapping[str, str]]:
        """The file that is sent, in the coding that the client likes best, and its header fields."""
        if self._precompressed and names:
            for coding in _liked(request.header("accept-encoding")):
                try:
                    file = open_below(self._root, [*names[:-1], names[-1] + _SIBLINGS[coding]], follow=self._follow)
                except OSError as error:
                    if error.errno in NOT_THERE:
                        continue
                    raise
                return file, {**self._headers, "Content-Encoding": coding}
        return open_below(self._root, names, follow=self._follow), self._headers

    def _redirect(self, request: Request, names: list[bytes]) -> Response:
        """To the path of a folder with a slash, where its index is: relative links in it start there."""
        if self._index is None:
            return _not_found()
        try:
            open_below(self._root, [*names, self._index], follow=self._follow).close()
        except OSError as error:
            if error.errno not in NOT_THERE:
                raise
            return _not_found()
        query = f"?{request.raw_query}" if request.raw_query else ""
        return Response(301, None, {"Location": f"{request.path}/{query}"})


class Folders:
    """The folders of an application by their prefixes.  The longest prefix of a path is the one that counts."""

    def __init__(self, folders: Mapping[str, Folder], settings: Settings) -> None:
        """settings: the options of folders that are only paths.

        Raises ConfigError for a prefix that is no plain path, or that is there twice.
        """
        found: dict[tuple[bytes, ...], Operation] = {}
        for written, folder in folders.items():
            prefix = written.rstrip("/")
            if not (_PREFIX.fullmatch(prefix) or (not prefix and written.startswith("/"))):
                raise ConfigError(f"static files: {written!r} is not a path that starts with '/' and has no escapes")
            key = tuple(prefix.encode().split(b"/")[1:])
            if key in found:
                raise ConfigError(f"static files: two folders have the prefix {written!r}")
            files = folder if isinstance(folder, StaticFiles) else _as_set(folder, settings)
            found[key] = _operation(prefix, len(key), files)
        self._mounts = sorted(found.items(), key=lambda entry: -len(entry[0]))

    def __len__(self) -> int:
        return len(self._mounts)

    def find(self, path: bytes) -> Operation | None:
        """What answers a raw path that no operation has; None when no prefix fits, or when it is malformed."""
        segments = _segments(path)
        if segments is not None:
            for prefix, operation in self._mounts:
                if tuple(segments[: len(prefix)]) == prefix:
                    return operation
        return None


def _as_set(directory: str | os.PathLike[str], settings: Settings) -> StaticFiles:
    return StaticFiles(
        directory,
        index=settings.index or None,
        cache_control=settings.cache_control or None,
        hidden=settings.hidden,
        follow_symlinks=settings.follow_symlinks,
        precompressed=settings.precompressed,
    )


def _operation(prefix: str, depth: int, files: StaticFiles) -> Operation:
    def call(request: Request) -> Response:
        return files.answer(request, (_segments(request.path.encode("latin-1")) or [])[depth:])

    return Operation(method="GET", path=f"{prefix}/*", handler="static_files", call=call, mode=Mode.SYNC)


def _segments(path: bytes) -> list[bytes] | None:
    """The decoded segments of a raw path; None for a bad escape and what is not UTF-8."""
    if not path.startswith(b"/") or _BAD_ESCAPE.search(path):
        return None
    segments = [unquote_to_bytes(segment) for segment in path[1:].split(b"/")]
    try:
        b"/".join(segments).decode()
    except UnicodeDecodeError:
        return None
    return segments


def _liked(text: str | None) -> list[str]:
    """The codings of precompressed files that an Accept-Encoding takes, the best first (RFC 9110 12.5.3)."""
    if text is None:
        return []
    weights = read_accept_encoding(text)
    others = weights.get("*", 0.0)
    weighed = {coding: weights.get(coding, others) for coding in _SIBLINGS}
    least = max(weights.get("identity", 0.0), 0.001)  # the least weight that can be written
    return sorted((coding for coding in weighed if weighed[coding] >= least), key=lambda coding: -weighed[coding])


def _not_found() -> Response:
    return problem_response("not-found", "there is no such file")
