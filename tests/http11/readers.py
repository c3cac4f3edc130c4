"""The two readers of the server side by side: csrc, called as a C library, and llhttp, through httptools.

Each one cuts the bytes of a connection into messages.  `Strict` is compiled from csrc with the system's compiler.
"""

from __future__ import annotations

import ctypes
import enum
import random
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import httptools

CSRC = Path(__file__).resolve().parents[2] / "csrc"
LIMITS = (8384, 16384, 32768, 100)  # of the server: request line, field, head, fields
SECTION_LIMIT = 16384  # of chunk extensions, and of trailers
CLOSED_UNSEEN = "Data after `Connection: close`"
OK, PARTIAL = 0, 1
KEEP_ALIVE, CHUNKED = 1, 2


class Verdict(enum.Enum):
    """What a reader says about the bytes after the last whole message."""

    MORE = "more"  # nothing wrong so far
    REFUSED = "refused"
    CLOSED = "closed"  # the message before them ends the connection


@dataclass
class Message:
    """One request: its parts, and where in the bytes it begins, its body begins, and it ends.

    The body of a chunked one is as it was sent.
    """

    method: bytes
    target: bytes
    minor: int
    fields: list[tuple[bytes, bytes]]
    body: bytes
    start: int
    body_start: int
    end: int
    flags: int = 0


@dataclass
class Reading:
    """The messages of a connection, then the verdict.  `reason` is the status of csrc, `at` where it was found."""

    messages: list[Message] = field(default_factory=list)
    verdict: Verdict = Verdict.MORE
    reason: str = ""
    at: int = 0
    open: Message | None = None  # the message that is not complete or was refused, when its head was taken


class _Span(ctypes.Structure):
    _fields_ = (("off", ctypes.c_uint32), ("len", ctypes.c_uint32))


class _Field(ctypes.Structure):
    _fields_ = (
        ("name_off", ctypes.c_uint32),
        ("value_off", ctypes.c_uint32),
        ("value_len", ctypes.c_uint32),
        ("name_len", ctypes.c_uint16),
        ("id", ctypes.c_uint16),
    )


class _Head(ctypes.Structure):
    _fields_ = (
        ("method", _Span),
        ("target", _Span),
        ("path", _Span),
        ("query", _Span),
        ("minor", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("content_length", ctypes.c_uint64),
        ("head_len", ctypes.c_uint32),
        ("count", ctypes.c_uint32),
        ("first", ctypes.c_int16 * 11),
        ("fields", _Field * 256),
    )


class _Limits(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("line", "field", "total", "fields"))


class _Chunked(ctypes.Structure):
    _fields_ = (
        ("left", ctypes.c_uint64),
        ("total", ctypes.c_uint64),
        *((name, ctypes.c_uint32) for name in ("state", "digits", "extension", "trailer", "line")),
        ("extension_limit", ctypes.c_uint32),
        ("trailer_limit", ctypes.c_uint32),
    )


def compile_csrc(compiler: str, folder: Path) -> Path:
    """csrc as a shared library in `folder`."""
    library = folder / "libbrrt.so"
    sources = map(str, sorted(CSRC.glob("*.c")))
    flags = ["-std=gnu11", "-O2", "-fPIC", "-shared", f"-I{CSRC}"]
    subprocess.run([compiler, *flags, *sources, "-o", str(library)], check=True, timeout=300)
    return library


class Strict:
    """The reader of csrc, as the server uses it."""

    def __init__(self, library: Path) -> None:
        self._c = ctypes.CDLL(str(library))
        self._c.brrt_head_skip.restype = ctypes.c_size_t
        self._c.brrt_status_name.restype = ctypes.c_char_p
        size, text = ctypes.c_size_t, ctypes.c_char_p
        self._c.brrt_head_skip.argtypes = [text, size]
        self._c.brrt_head_find.argtypes = [text, size, size, ctypes.c_void_p, ctypes.c_void_p]
        self._c.brrt_head_index.argtypes = [text, size, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
        self._c.brrt_chunked_read.argtypes = [ctypes.c_void_p, text, size, ctypes.c_void_p]
        self._limits = _Limits(*LIMITS)
        self._head = _Head()
        self._length = ctypes.c_uint32()
        self._used = ctypes.c_size_t()
        self._limits_at, self._head_at = ctypes.byref(self._limits), ctypes.byref(self._head)
        self._length_at, self._used_at = ctypes.byref(self._length), ctypes.byref(self._used)

    def read(self, data: bytes, pieces: random.Random | None = None) -> Reading:
        """Read all messages; with `pieces` the bytes come in pieces of random lengths, else whole."""
        reading = Reading()
        at = 0
        while at < len(data) and reading.verdict is Verdict.MORE:
            skip = self._c.brrt_head_skip(data[at : at + 2], min(2, len(data) - at))
            if skip:
                at += skip
                continue
            message = self._read_message(data, at, reading, pieces)
            if message is None:
                break
            reading.messages.append(message)
            at = message.end
            if not message.flags & KEEP_ALIVE:
                reading.verdict, reading.at = Verdict.CLOSED, at
        return reading

    def _read_message(self, data: bytes, at: int, reading: Reading, pieces: random.Random | None) -> Message | None:
        rest = data[at:]
        status = self._find(rest, pieces)
        if status == OK:
            status = self._c.brrt_head_index(rest, self._length.value, self._limits_at, self._head_at, self._used_at)
        if status != OK:
            self._end(reading, status, at + self._used.value)
            return None
        head = self._head
        start = at + head.head_len
        if head.flags & CHUNKED:
            return self._read_chunks(data, at, start, reading, pieces)
        end = start + head.content_length
        if end > len(data):
            reading.open = self._message(data, at, start, len(data), b"")
            return None
        return self._message(data, at, start, end, data[start:end])

    def _find(self, rest: bytes, pieces: random.Random | None) -> int:
        """Look for the end of a head, which may take several calls."""
        self._used.value = 0
        if not rest:
            return PARTIAL
        searched = 0
        while True:
            length = len(rest) if pieces is None else min(len(rest), searched + 1 + int(pieces.random() ** 3 * 60))
            status: int = self._c.brrt_head_find(rest, length, searched, self._limits_at, self._length_at)
            if status != PARTIAL or length == len(rest):
                return status
            searched = length

    def _read_chunks(
        self, data: bytes, at: int, start: int, reading: Reading, pieces: random.Random | None
    ) -> Message | None:
        message = self._message(data, at, start, start, b"")
        state = _Chunked(extension_limit=SECTION_LIMIT, trailer_limit=SECTION_LIMIT)
        pointer = ctypes.byref(state)
        while True:
            length = len(data) - start if pieces is None else 1 + int(pieces.random() ** 3 * 60)
            piece = data[start : start + length]
            status = self._c.brrt_chunked_read(pointer, piece, len(piece), self._used_at)
            start += self._used.value
            if status == OK:
                message.end, message.body = start, data[message.body_start : start]
                return message
            if status != PARTIAL or start == len(data):
                message.end, reading.open = len(data), message
                self._end(reading, status, start)
                return None

    def _end(self, reading: Reading, status: int, at: int) -> None:
        if status != PARTIAL:
            reading.verdict = Verdict.REFUSED
            reading.reason = self._c.brrt_status_name(status).decode()
            reading.at = at

    def _message(self, data: bytes, at: int, start: int, end: int, body: bytes) -> Message:
        head = self._head

        def text(off: int, length: int) -> bytes:
            return data[at + off : at + off + length]

        fields = [
            (text(each.name_off, each.name_len), text(each.value_off, each.value_len))
            for each in head.fields[: head.count]
        ]
        method, target = text(head.method.off, head.method.len), text(head.target.off, head.target.len)
        return Message(method, target, head.minor, fields, body, at, start, end, head.flags)


class Lenient:
    """llhttp; it is told where to stop so that it shows where messages end."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._tunnel = False
        self.completed = 0
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.begun = 0

    def on_message_begin(self) -> None:
        self.begun += 1
        self.target, self.fields, self.body = b"", [], b""

    def on_url(self, data: bytes) -> None:
        self.target += data

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.completed += 1

    def feed(self, data: bytes) -> str:
        """Take bytes; "" or what is wrong.

        As in the server another judge takes over from one that holds the connection for closed or for a tunnel.
        """
        if self._tunnel:
            self._tunnel, self._parser = False, httptools.HttpRequestParser(self)
        error = self._feed(data)
        if error == CLOSED_UNSEEN:
            self._parser = httptools.HttpRequestParser(self)
            return self._feed(data)
        self._tunnel = error == "upgrade"
        return error

    def _feed(self, data: bytes) -> str:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return "upgrade"
        except httptools.HttpParserError as error:
            return str(error)
        return ""

    @property
    def method(self) -> bytes:
        return bytes(self._parser.get_method())

    @property
    def version(self) -> str:
        return str(self._parser.get_http_version())
