"""csrc against llhttp on the same bytes: the same messages with the same bounds, or a named reason why not.

    python -m tests.http11.differential --executions N [--seed N]

mutates the cases of this package N times (default 1,000,000) and prints how often which reason was met, and every
finding with the bytes that made it; the exit code is 1 when there is one.  It needs a C compiler, named by CC or `cc`.

One execution reads the bytes four times: with csrc whole and in random pieces, which must give the same; and with
llhttp, told to stop one byte before each end that csrc found, where it may not have completed the message yet, and at
that end, where it must have.  What csrc refuses, llhttp must refuse or the status must be one of STRICTER; what llhttp
refuses, csrc must refuse or the error must be one of JUDGED_HEADS or JUDGED_BODIES.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .corpus import mutations, seeds
from .readers import CHUNKED, Lenient, Message, Reading, Strict, Verdict, compile_csrc

# Why csrc refuses, by its status, what llhttp would take: each is on purpose.
STRICTER = {
    "HEAD_METHOD": "a bare LF, or bytes that begin no method, before a request line (RFC 9112 2.2)",
    "HEAD_TARGET": "targets by the four forms, without fragments, userinfo, bytes above ASCII (RFC 9112 3.2)",
    "HEAD_VERSION": "HTTP/0.9, blanks around the version (RFC 9112 3)",
    "HEAD_VERSION_UNSUPPORTED": "llhttp takes HTTP/0.9 and HTTP/2.0 (RFC 9110 15.6.6)",
    "HEAD_LINE_END": "llhttp takes a bare LF after a target, as in HTTP/0.9 (RFC 9112 2.2)",
    "HEAD_HOST_MISSING": "llhttp does not look at Host (RFC 9112 3.2)",
    "HEAD_HOST_REPEATED": "llhttp does not look at Host (RFC 9112 3.2)",
    "HEAD_HOST_INVALID": "llhttp does not look at Host (RFC 9112 3.2)",
    "HEAD_LENGTH": "lengths of 64 bits (RFC 9110 8.6)",
    "HEAD_CODING": "llhttp takes every coding that ends in chunked (RFC 9112 6.1)",
    "HEAD_CODING_10": "a transfer coding in HTTP/1.0 (RFC 9112 6.1)",
    "HEAD_LINE_TOO_LONG": "llhttp has no limits",
    "HEAD_FIELD_TOO_LONG": "llhttp has no limits",
    "HEAD_TOO_LARGE": "llhttp has no limits",
    "HEAD_TOO_MANY_FIELDS": "llhttp has no limits",
    "CHUNK_SIZE": "sizes of more than 63 bits or 16 digits (RFC 9112 7.1)",
    "CHUNK_EXTENSION": "extensions by their grammar (RFC 9112 7.1.1)",
    "CHUNK_EXTENSION_TOO_LARGE": "llhttp has no limits",
    "TRAILER_TOO_LARGE": "llhttp has no limits",
}
# Why llhttp refuses, by its words, what csrc takes: the server refuses it too, because both must agree.  In heads:
JUDGED_HEADS = {
    "Invalid method encountered": "a method that llhttp does not know: 501 (RFC 9110 9.1)",
    "Expected space after method": "a method that llhttp does not know: 501 (RFC 9110 9.1)",
    "upgrade": "a body of CONNECT, which llhttp takes for bytes of a tunnel (RFC 9110 9.3.6)",
}
# And in chunked bodies:
JUDGED_BODIES = {
    "Content-Length can't be present with Transfer-Encoding": "a length among the trailers (RFC 9110 6.5.1)",
    "Invalid `Transfer-Encoding` header value": "a coding among the trailers (RFC 9110 6.5.1)",
    "Empty Transfer-Encoding": "an empty coding and another one among the trailers (RFC 9110 6.5.1)",
    "Invalid character in chunk extensions": "blanks around the parts of an extension (RFC 9112 7.1.1)",
    "Invalid character in chunk extensions name": "blanks around the parts of an extension (RFC 9112 7.1.1)",
    "Invalid character in chunk extensions value": "blanks around the parts of an extension (RFC 9112 7.1.1)",
    "Invalid character in chunk size": "blanks around the parts of an extension (RFC 9112 7.1.1)",
}


class Finding(Exception):
    """The two readers disagree, or one of them with itself."""


def respelled(data: bytes, message: Message) -> bytes:
    """The bytes of a message as the server gives them to llhttp: protocol.pyx says why."""
    head = bytearray(data[message.start : message.body_start])
    line_end = head.index(b"\r\n")
    if message.minor == 1:
        head[line_end - 1] = ord("1")
    at = line_end + 2
    for name, _value in message.fields:
        end = head.index(b"\r\n", at)
        if name.lower() == b"upgrade":
            head[at] = ord("x")
        elif name.lower() == b"transfer-encoding":
            blanks = end - len(head[at:end].rstrip(b" \t")) - at
            head[end - blanks : end] = b" " * blanks
        at = end + 2
    return bytes(head) + data[message.body_start : message.end]


def content(message: Message) -> bytes:
    """The body without its framing, by the shortest code that does it for a body known to be well formed."""
    if not message.flags & CHUNKED:
        return message.body
    rest, found = message.body, b""
    while size := int(rest.partition(b"\r\n")[0].partition(b";")[0], 16):
        rest = rest.partition(b"\r\n")[2]
        found, rest = found + rest[:size], rest[size + 2 :]
    return found


def cut(data: bytes, pieces: random.Random | None) -> Iterator[bytes]:
    """The bytes, or pieces of them."""
    at = 0
    while at < len(data):
        length = len(data) if pieces is None else 1 + int(pieces.random() ** 3 * 60)
        yield data[at : at + length]
        at += length


class Oracle:
    """Compares the readers; `met` counts the reasons."""

    def __init__(self, library: Path) -> None:
        self.strict = Strict(library)
        self.met: Counter[str] = Counter()

    def compare(self, data: bytes, chance: random.Random) -> Reading:
        """Read the bytes in all ways.  Raises Finding; returns what csrc read."""
        whole = self.strict.read(data)
        split = self.strict.read(data, chance)
        if whole != split:
            raise Finding("csrc reads the whole bytes and pieces of them in two ways")
        pieces = chance if chance.random() < 0.5 else None
        judge = Lenient()
        end = 0
        for message in whole.messages:
            if data[end : message.start].strip(b"\r\n"):
                raise Finding("bytes between two messages belong to none")
            answer = self._judge(judge, data, message, pieces)
            if answer:
                return whole
            end = message.end
        if whole.verdict is not Verdict.CLOSED:
            self._judge_rest(judge, data, end, whole, pieces)
        self.met[f"verdict: {whole.verdict.value}"] += 1
        self.met["messages"] += len(whole.messages)
        return whole

    def finding(self, data: bytes, chance: random.Random) -> str:
        """What `compare` finds, "" for nothing."""
        try:
            self.compare(data, chance)
        except Finding as finding:
            return str(finding)
        return ""

    def _judge(self, judge: Lenient, data: bytes, message: Message, pieces: random.Random | None) -> str:
        """Feed one message that csrc took; what llhttp says against it for a known reason, else ""."""
        text = respelled(data, message)
        before = judge.completed
        head = min(message.body_start - message.start, len(text) - 1)
        for part, judged in ((text[:head], JUDGED_HEADS), (text[head:-1], JUDGED_BODIES)):
            for piece in cut(part, pieces):
                error = judge.feed(piece)
                if error:
                    return self._known(error, judged)
        if judge.completed != before:
            raise Finding("llhttp ends a message before csrc does")
        error = judge.feed(text[-1:])
        if error and not (error == "upgrade" and message.method == b"CONNECT"):
            return self._known(error, JUDGED_BODIES if head < len(text) - 1 else JUDGED_HEADS)
        if judge.completed != before + 1:
            raise Finding("llhttp does not end a message where csrc does")
        self._same_parts(judge, message)
        return ""

    def _same_parts(self, judge: Lenient, message: Message) -> None:
        expected = [(b"x" + name[1:] if name.lower() == b"upgrade" else name, value) for name, value in message.fields]
        found = [(name, value.strip(b" \t")) for name, value in judge.fields]
        trailers = found[len(expected) :]
        pairs = (
            ("method", judge.method, message.method),
            ("target", judge.target, message.target),
            ("version", judge.version, f"1.{message.minor}"),
            ("fields", found[: len(expected)], expected),
            ("body", judge.body, content(message)),
        )
        for name, theirs, ours in pairs:
            if theirs != ours:
                raise Finding(f"the {name} of a message")
        if trailers and not message.flags & CHUNKED:
            raise Finding("fields that csrc does not know")

    def _judge_rest(self, judge: Lenient, data: bytes, end: int, whole: Reading, pieces: random.Random | None) -> None:
        """What csrc refused or waits with: llhttp may not end a message there but for a known reason."""
        before = judge.completed
        head, body, judged, error = data[end:], b"", JUDGED_HEADS, ""
        if whole.open is not None:
            length = whole.open.body_start - whole.open.start
            text = respelled(data, whole.open)
            head, body = text[:length], text[length:]
        for part, table in ((head, JUDGED_HEADS), (body, JUDGED_BODIES)):
            for piece in cut(part, pieces):
                if not error and judge.completed == before:
                    error, judged = judge.feed(piece), table
        if error == "upgrade" and whole.open is not None and whole.open.method == b"CONNECT":
            self._known(error, judged)
        elif whole.verdict is Verdict.REFUSED:
            if judge.completed == before:
                self._note("refused by both")
            elif whole.reason not in STRICTER:
                raise Finding(f"llhttp takes what csrc refuses: {whole.reason}")
            else:
                self._note(f"stricter: {whole.reason}")
        elif judge.completed != before:
            raise Finding("llhttp ends a message that csrc waits for")
        elif error and whole.open is not None:  # csrc judges a head when it is whole
            self._known(error, judged)

    def _known(self, error: str, judged: dict[str, str]) -> str:
        if error not in judged:
            raise Finding(f"llhttp refuses what csrc takes: {error}")
        return self._note(f"judged: {error}")

    def _note(self, reason: str) -> str:
        self.met[reason] += 1
        return reason


def run(executions: int, seed: int, compiler: str) -> int:
    """Mutate and compare; the number of findings."""
    findings: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        oracle = Oracle(compile_csrc(compiler, Path(folder)))
        chance = random.Random(seed)
        for data in mutations(seeds(), executions, chance):
            found = oracle.finding(data, chance)
            if found:
                findings.setdefault(found, data)
    for reason, count in sorted(oracle.met.items()):
        print(f"{count:>10} {reason}")
    for text, data in findings.items():
        print(f"FINDING: {text}\n  {data!r}")
    print(f"{executions} executions, seed {seed}, {len(findings)} findings")
    return len(findings)


def main() -> None:
    parser = argparse.ArgumentParser(description="csrc against llhttp on mutations of the cases")
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    sys.exit(1 if run(arguments.executions, arguments.seed, os.environ.get("CC", "cc")) else 0)


if __name__ == "__main__":
    main()
