"""The WebSocket protocol, by cases in the manner of the Autobahn test suite: each whole, and octet by octet."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websocket_support import BINARY, CLOSE, PING, PONG, TEXT, Raw, close, frame, handshake, open_raw, serving

BAD = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"
GOOD = "κόσμε".encode()
END: Final = close()
# name: what the client sends, what comes back before Close, the code of Close.
Case = tuple[bytes, list[tuple[int, bytes]], int | None]
CASES: dict[str, Case] = {
    # framing (section 5.2)
    **{
        f"text-{size}": (frame(TEXT, b"*" * size) + END, [(TEXT, b"*" * size)], 1000)
        for size in (0, 1, 125, 126, 127, 128, 300)
    },
    **{
        f"binary-{size}": (frame(BINARY, b"\xfe" * size) + END, [(BINARY, b"\xfe" * size)], 1000)
        for size in (0, 125, 126, 127, 128, 300)
    },
    "not-masked": (frame(TEXT, b"a", masked=False), [], 1002),
    "length-in-too-many-octets-16": (b"\x81\xfe\x00\x05" + b"\0" * 9, [], 1002),
    "length-in-too-many-octets-64": (b"\x81\xff" + (5).to_bytes(8, "big") + b"\0" * 9, [], 1002),
    "length-of-64-bits": (b"\x81\xff" + (1 << 63).to_bytes(8, "big") + b"\0" * 4, [], 1002),
    # reserved bits and opcodes
    **{f"rsv-{rsv}": (frame(TEXT, b"a", rsv=rsv), [], 1002) for rsv in range(1, 8)},
    **{
        f"rsv-{rsv}-after-text": (frame(TEXT, b"a") + frame(TEXT, b"b", rsv=rsv), [(TEXT, b"a")], 1002)
        for rsv in (1, 2)
    },
    "rsv-of-ping": (frame(PING, b"", rsv=4), [], 1002),
    "rsv-of-close": (frame(CLOSE, b"", rsv=4), [], 1002),
    **{f"opcode-{opcode}": (frame(opcode, b"a"), [], 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "opcode-5-after-text": (frame(TEXT, b"a") + frame(5) + frame(PING), [(TEXT, b"a")], 1002),
    # control frames (section 5.5)
    "ping": (frame(PING) + END, [(PONG, b"")], 1000),
    "ping-125": (frame(PING, b"\xfe" * 125) + END, [(PONG, b"\xfe" * 125)], 1000),
    "ping-126": (frame(PING, b"\xfe" * 126), [], 1002),
    "ping-fragmented": (frame(PING, b"a", fin=False), [], 1002),
    "pong-fragmented": (frame(PONG, b"a", fin=False), [], 1002),
    "pong-unasked": (frame(PONG, b"a") + frame(PING, b"b") + END, [(PONG, b"b")], 1000),
    "ten-pings": (
        b"".join(frame(PING, b"%d" % n) for n in range(10)) + END,
        [(PONG, b"%d" % n) for n in range(10)],
        1000,
    ),
    "close-126": (frame(CLOSE, b"\x03\xe8" + b"*" * 124), [], 1002),
    # fragmentation (section 5.4)
    "two-fragments": (frame(TEXT, b"a", fin=False) + frame(0, b"b") + END, [(TEXT, b"ab")], 1000),
    "empty-fragments": (frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) + frame(0) + END, [(TEXT, b"")], 1000),
    "ping-between-fragments": (
        frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(0, b"b") + END,
        [(PONG, b"p"), (TEXT, b"ab")],
        1000,
    ),
    "continuation-of-nothing": (frame(0, b"a"), [], 1002),
    "continuation-of-nothing-open": (frame(0, b"a", fin=False), [], 1002),
    "continuation-after-the-end": (
        frame(TEXT, b"a", fin=False) + frame(0, b"b") + frame(0, b"c"),
        [(TEXT, b"ab")],
        1002,
    ),
    "text-inside-of-text": (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), [], 1002),
    # UTF-8 (section 8.1)
    "utf-8": (frame(TEXT, GOOD) + END, [(TEXT, GOOD)], 1000),
    "utf-8-cut-by-fragments": (frame(TEXT, GOOD[:1], fin=False) + frame(0, GOOD[1:]) + END, [(TEXT, GOOD)], 1000),
    "utf-8-bad": (frame(TEXT, BAD), [], 1007),
    "utf-8-bad-in-a-fragment": (frame(TEXT, b"a", fin=False) + frame(0, BAD), [], 1007),
    "utf-8-cut-at-the-end": (frame(TEXT, b"\xce"), [], 1007),
    "utf-8-too-large": (frame(TEXT, b"\xf4\x90\x80\x80"), [], 1007),
    "utf-8-overlong": (frame(TEXT, b"\xc0\xaf"), [], 1007),
    "utf-8-surrogate": (frame(TEXT, b"\xed\xa0\x80"), [], 1007),
    "utf-8-last-character": (frame(TEXT, b"\xf4\x8f\xbf\xbf") + END, [(TEXT, b"\xf4\x8f\xbf\xbf")], 1000),
    # closing (section 7)
    "close-without-code": (frame(CLOSE), [], None),
    "close-of-one-octet": (frame(CLOSE, b"a"), [], 1002),
    "close-with-a-reason": (close(1000, b"Hello"), [], 1000),
    "close-with-the-longest-reason": (close(1000, b"*" * 123), [], 1000),
    "close-with-a-bad-reason": (close(1000, BAD), [], 1007),
    "text-after-close": (END + frame(TEXT, b"a"), [], 1000),
    "ping-after-close": (END + frame(PING), [], 1000),
    "close-twice": (END + END, [], 1000),
    "close-inside-of-a-message": (frame(TEXT, b"a", fin=False) + END, [], 1000),
    "bad-frame-after-text": (frame(TEXT, b"a") + frame(TEXT, b"b", masked=False), [(TEXT, b"a")], 1002),
    **{
        f"close-code-{code}": (close(code), [], code)
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999)
    },
    **{
        f"close-code-{code}-is-none": (close(code), [], 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.mark.parametrize("single", [False, True], ids=["whole", "octets"])
@pytest.mark.parametrize("name", CASES)
def test_what_an_echo_answers(name: str, single: bool, port: int) -> None:
    sent, frames, code = CASES[name]
    raw = open_raw(port)
    raw.send(sent, single=single)
    assert raw.until_close() == (frames, code)


@pytest.mark.parametrize(
    "start",
    [
        frame(TEXT, GOOD + b"\xf4\x90" + b"\0" * 90)[: 6 + len(GOOD) + 2],
        frame(TEXT, GOOD, fin=False) + frame(0, b"\xed\xa0\x80" + b"\0" * 99)[:9],
    ],
    ids=["in-a-frame", "in-a-fragment"],
)
def test_wrong_text_is_refused_before_its_frame_is_complete(start: bytes, port: int) -> None:
    raw = open_raw(port)
    raw.send(start)
    assert raw.until_close() == ([], 1007)


def test_what_comes_with_the_handshake_is_not_lost(port: int) -> None:
    raw = open_raw(port, after=frame(TEXT, b"early") + frame(PING, b"p") + frame(TEXT, b"bird") + END)
    frames, code = raw.until_close()
    assert [each for each in frames if each[0] == TEXT] == [(TEXT, b"early"), (TEXT, b"bird")]
    assert (PONG, b"p") in frames
    assert code == 1000


def test_a_handshake_behind_other_requests_is_answered_in_its_turn(port: int) -> None:
    raw = Raw(socket.create_connection(("127.0.0.1", port), 30))
    raw.send(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n" + handshake() + frame(TEXT, b"hi"))
    assert raw.head().startswith("HTTP/1.1 200")
    raw._take(len(b'{"status":"ok"}'))
    assert raw.head().startswith("HTTP/1.1 101")
    assert raw.frame()[:2] == (TEXT, b"hi")
    raw.sock.close()


LIMITS: Final = {"message": 1000, "frame": 600, "fragments": 3}


@pytest.mark.parametrize(
    ("sent", "frames", "code"),
    [
        (frame(TEXT, b"a" * 600) + END, [(TEXT, b"a" * 600)], 1000),
        (frame(TEXT, b"a" * 601), [], 1009),
        (frame(TEXT, b"a" * 500, fin=False) + frame(0, b"b" * 500) + END, [(TEXT, b"a" * 500 + b"b" * 500)], 1000),
        (frame(TEXT, b"a" * 500, fin=False) + frame(0, b"b" * 501), [], 1009),
        (frame(TEXT, "é".encode() * 301), [], 1009),
        (frame(BINARY, b"", fin=False) + frame(0, b"", fin=False) + frame(0, b"a") + END, [(BINARY, b"a")], 1000),
        (frame(BINARY, b"", fin=False) + frame(0, b"", fin=False) * 3, [], 1009),
    ],
    ids=["frame", "frame-over", "message", "message-over", "octets-count", "fragments", "fragments-over"],
)
def test_limits(sent: bytes, frames: Any, code: int) -> None:
    with serving(config={"websocket": LIMITS}) as port:
        raw = open_raw(port)
        raw.send(sent)
        assert raw.until_close() == (frames, code)


def test_a_large_message_of_many_frames(port: int) -> None:
    raw = open_raw(port)
    piece = b"*" * 1000
    raw.send(frame(BINARY, piece, fin=False) + frame(0, piece, fin=False) * 998 + frame(0, piece))
    opcode, payload, _ = raw.frame()
    assert (opcode, payload) == (BINARY, piece * 1000)
    raw.sock.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(
        st.one_of(
            st.binary(max_size=12),
            st.builds(
                frame,
                st.integers(0, 15),
                st.binary(max_size=130),
                fin=st.booleans(),
                rsv=st.sampled_from([0, 0, 0, 4, 2]),
                masked=st.sampled_from([True, True, True, False]),
            ),
        ),
        max_size=6,
    ),
    deflate=st.booleans(),
)
def test_no_octets_hang_or_break_the_server(pieces: list[bytes], deflate: bool, fuzzed: tuple[int, Any]) -> None:
    port, log = fuzzed
    raw = open_raw(port, fields={"Sec-WebSocket-Extensions": "permessage-deflate"} if deflate else None)
    raw.send(b"".join(pieces))
    with contextlib.suppress(OSError):
        raw.sock.shutdown(socket.SHUT_WR)
    for opcode, payload in raw.frames():
        assert opcode in (TEXT, BINARY, CLOSE, PONG)
        assert opcode != CLOSE or payload[:2] not in (b"\x03\xf3", b"\x03\xee")
    assert [record for record in log.records if record.levelname == "ERROR"] == []


@pytest.fixture
def fuzzed(caplog: pytest.LogCaptureFixture) -> Iterator[tuple[int, Any]]:
    with serving(config={"websocket": {"deflate": True}}) as port:
        yield port, caplog
