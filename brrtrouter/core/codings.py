"""Content codings (RFC 9110 section 8.4.1): gzip, br and zstd, made once from the settings.

gzip is part of Python.  br (RFC 7932) is in the package `brotli`, zstd (RFC 8878) in `zstandard`; both come with the
extra `compression` and are imported when a coding is asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, Final, Protocol

from brrtrouter.errors import ConfigError

# What the two are called that have an old name (RFC 9110 section 8.4.1.3).
ALIASES: Final[Mapping[str, str]] = {"x-gzip": "gzip"}
_EXTRA: Final = "compression"
_GZIP_WINDOW: Final = 31  # 32 KiB, with the header and trailer of gzip
# RFC 9659: no decoder of the content coding has to take a larger window.  Levels up to 19 do not use one.
_ZSTD_WINDOW: Final = 8 * 1024 * 1024
# So much is decoded at once where it can be chosen.
_STEP: Final = 64 * 1024


class CodingError(ValueError):
    """A body that cannot be decoded: a coding that is not taken, malformed data, or too much of it.

    slug: the problem of `brrtrouter.errors.PROBLEMS`.  headers: header fields that its answer has.
    """

    def __init__(self, slug: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.slug = slug
        self.headers = headers
        super().__init__(message)


class Encoder(Protocol):
    """Encodes one stream; what is not finished is freed with it."""

    def feed(self, data: bytes) -> bytes:
        """The encoded form of everything so far that was not given out: a decoder can give all of `data` back."""

    def finish(self) -> bytes:
        """The end of the stream."""


class Coding(Protocol):
    """One content coding with its level."""

    def encode(self, data: bytes) -> bytes:
        """All of a body; the same data gives the same bytes."""

    def encoder(self) -> Encoder:
        """For a body that comes in pieces."""


Decode = Callable[[bytes, int], bytes]


class Gzip:
    """gzip (RFC 1952) at a level of 1 to 9; no name, no time in its header."""

    def __init__(self, level: int) -> None:
        self._level = level

    def encode(self, data: bytes) -> bytes:
        made = zlib.compressobj(self._level, zlib.DEFLATED, _GZIP_WINDOW)
        return made.compress(data) + made.flush()

    def encoder(self) -> Encoder:
        return _GzipEncoder(self._level)


class _GzipEncoder:
    def __init__(self, level: int) -> None:
        self._made = zlib.compressobj(level, zlib.DEFLATED, _GZIP_WINDOW)

    def feed(self, data: bytes) -> bytes:
        return self._made.compress(data) + self._made.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._made.flush()


class Brotli:
    """br at a quality of 0 to 11."""

    def __init__(self, quality: int) -> None:
        self._package = _package("br", "brotli")
        self._quality = quality

    def encode(self, data: bytes) -> bytes:
        encoded: bytes = self._package.compress(data, quality=self._quality)
        return encoded

    def encoder(self) -> Encoder:
        return _BrotliEncoder(self._package.Compressor(quality=self._quality))


class _BrotliEncoder:
    def __init__(self, made: Any) -> None:
        self._made = made

    def feed(self, data: bytes) -> bytes:
        encoded: bytes = self._made.process(data) + self._made.flush()
        return encoded

    def finish(self) -> bytes:
        encoded: bytes = self._made.finish()
        return encoded


class Zstd:
    """zstd at a level of 1 to 19."""

    def __init__(self, level: int) -> None:
        self._package = _package("zstd", "zstandard")
        self._level = level

    def encode(self, data: bytes) -> bytes:
        # A compressor is not for two threads at once, and another one costs microseconds.
        encoded: bytes = self._package.ZstdCompressor(level=self._level).compress(data)
        return encoded

    def encoder(self) -> Encoder:
        return _ZstdEncoder(self._package, self._level)


class _ZstdEncoder:
    def __init__(self, package: ModuleType, level: int) -> None:
        self._made = package.ZstdCompressor(level=level).compressobj()
        self._block = package.COMPRESSOBJ_FLUSH_BLOCK

    def feed(self, data: bytes) -> bytes:
        encoded: bytes = self._made.compress(data) + self._made.flush(self._block)
        return encoded

    def finish(self) -> bytes:
        encoded: bytes = self._made.flush()
        return encoded


def _gunzip(data: bytes, limit: int) -> bytes:
    """One or more members (RFC 1952 section 2.2)."""
    parts: list[bytes] = []
    room = limit
    while data:
        decoder = zlib.decompressobj(_GZIP_WINDOW)
        try:
            part = decoder.decompress(data, room + 1)
        except zlib.error:
            raise _malformed("gzip") from None
        room -= len(part)
        if room < 0:
            raise _too_large(limit)
        if not decoder.eof:
            raise _malformed("gzip")
        parts.append(part)
        data = decoder.unused_data
    return b"".join(parts)


def _unbrotli(data: bytes, limit: int) -> bytes:
    package = _package("br", "brotli")
    decoder = package.Decompressor()
    parts: list[bytes] = []
    room = limit
    while not decoder.is_finished():
        try:
            # One byte more than there is room for shows that there is more.
            part = decoder.process(data, output_buffer_limit=min(room + 1, _STEP))
        except package.error:
            raise _malformed("br") from None
        if not part and not decoder.is_finished():
            raise _malformed("br")
        data = b""
        parts.append(part)
        room -= len(part)
        if room < 0:
            raise _too_large(limit)
    return b"".join(parts)


def _unzstd(data: bytes, limit: int) -> bytes:
    package = _package("zstd", "zstandard")
    decoder = package.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    parts: list[bytes] = []
    try:
        # What can be bounded does not tell whether the last frame ends, and what tells it cannot be bounded.
        if _is_longer(decoder.stream_reader(data, read_across_frames=True), limit):
            raise _too_large(limit)
        while data:
            frame = decoder.decompressobj()
            parts.append(frame.decompress(data))
            if not frame.eof:
                raise _malformed("zstd")
            data = frame.unused_data
    except package.ZstdError:
        raise _malformed("zstd") from None
    return b"".join(parts)


def _is_longer(reader: Any, limit: int) -> bool:
    room = limit
    while room >= 0 and (part := reader.read(min(room + 1, _STEP))):
        room -= len(part)
    return room < 0


_DECODE: Final[Mapping[str, Decode]] = {"gzip": _gunzip, "br": _unbrotli, "zstd": _unzstd}
_PACKAGES: Final[Mapping[str, str]] = {"br": "brotli", "zstd": "zstandard"}


class Decoders:
    """Which content codings of request bodies are taken."""

    def __init__(self, decode: Mapping[str, Decode]) -> None:
        self._decode = decode

    @classmethod
    def of(cls, names: Iterable[str]) -> Decoders:
        """The decoders by name.  Raises ConfigError for one whose package is not installed."""
        found = {name: _DECODE[name] for name in names}
        for name in found.keys() & _PACKAGES.keys():
            _package(name, _PACKAGES[name])
        return cls(found)

    def find(self, text: str, streamed: bool) -> Decode | None:
        """What decodes a body with this Content-Encoding; None when it is not encoded.

        Raises CodingError for what is not taken: an unknown coding, two of them one over the other, and every coding of
        a body that a handler reads in pieces.  Its answer names what is taken (RFC 9110 section 12.5.3).
        """
        names = [name for each in text.split(",") if (name := each.strip(" \t").lower()) not in ("", "identity")]
        if not names:
            return None
        decode = self._decode.get(ALIASES.get(names[0], names[0])) if len(names) == 1 and not streamed else None
        if decode is None:
            accepted = "identity" if streamed else ", ".join(self._decode) or "identity"
            message = f"the body has the content coding {text}; accepted: {accepted}"
            raise CodingError("unsupported-media-type", message, {"Accept-Encoding": accepted})
        return decode


def _package(coding: str, name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError:
        text = f"the content coding {coding} needs the package {name}: pip install 'brrtrouter[{_EXTRA}]'"
        raise ConfigError(text) from None


def _malformed(coding: str) -> CodingError:
    return CodingError("malformed-body", f"the body is not {coding}")


def _too_large(limit: int) -> CodingError:
    return CodingError("request-body-too-large", f"the decoded body has more than {limit} bytes")
