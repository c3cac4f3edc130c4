"""Bytes to start from, the cases, and ways to damage them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from .areas import CASES

LONGEST = 1500  # longer cases are about limits, which mutation only makes slow
TOKENS = (
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b",",
        b";",
        b"=",
        b'"',
        b"\\",
        b"\0",
        b"\x0b",
        b"\x7f",
        b"\x80",
        b"\xff",
    ),
    *(b"0", b"1", b"5", b"a", b"F", b"00", b"-", b"+", b"_", b"0x", b"7fffffffffffffff", b"18446744073709551616"),
    *(
        b"GET ",
        b"POST ",
        b"HEAD ",
        b"CONNECT ",
        b"OPTIONS ",
        b"/a",
        b"*",
        b"http://a/",
        b"a:80",
        b"[::1]",
        b"@",
        b"#",
        b"?",
    ),
    *(
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b" HTTP/1.2\r\n",
        b" HTTP/2.0\r\n",
        b"\r\n\r\n",
        b"Host: a\r\n",
        b"Host: b\r\n",
    ),
    *(
        b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: x\r\n",
    ),
    *(
        b"Connection: close\r\n",
        b"Connection: keep-alive\r\n",
        b"Connection: upgrade\r\n",
        b"Upgrade: x\r\n",
        b"X: y\r\n",
    ),
    *(b"Expect: 100-continue\r\n", b"Proxy-Connection: close\r\n", b"chunked", b", ", b"gzip", b"identity", b"close"),
    *(b"5\r\nhello\r\n", b"0\r\n\r\n", b"0\r\n", b"5;a=b\r\n", b'5;a="b"\r\n', b"hello", b"\r\n ", b"\r\n\t"),
)
Edit = Callable[[bytearray, random.Random, "list[bytes]"], None]


def insert(data: bytearray, chance: random.Random, corpus: list[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.choice(TOKENS)


def replace(data: bytearray, chance: random.Random, corpus: list[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    data[at : at + chance.randrange(1, 4)] = chance.choice(TOKENS)


def change_byte(data: bytearray, chance: random.Random, corpus: list[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.randrange(256)


def flip_bit(data: bytearray, chance: random.Random, corpus: list[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def delete(data: bytearray, chance: random.Random, corpus: list[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    del data[at : at + chance.choice((1, 1, 1, 2, 3, 8, 20))]


def double(data: bytearray, chance: random.Random, corpus: list[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = data[at : at + chance.choice((1, 2, 4, 20))]


def cut_off(data: bytearray, chance: random.Random, corpus: list[bytes]) -> None:
    del data[chance.randrange(len(data) + 1) :]


def append(data: bytearray, chance: random.Random, corpus: list[bytes]) -> None:
    data += chance.choice(corpus)


def splice(data: bytearray, chance: random.Random, corpus: list[bytes]) -> None:
    """The beginning of this one and the end of another one, cut between lines."""
    other = chance.choice(corpus)
    at = data.find(b"\n", chance.randrange(len(data) + 1)) + 1
    data[at:] = other[other.find(b"\n", chance.randrange(len(other) + 1)) + 1 :]


def swap_lines(data: bytearray, chance: random.Random, corpus: list[bytes]) -> None:
    lines = data.split(b"\r\n")
    one, two = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    data[:] = b"\r\n".join(lines)


EDITS: tuple[Edit, ...] = (
    insert,
    insert,
    replace,
    change_byte,
    flip_bit,
    delete,
    double,
    cut_off,
    append,
    splice,
    swap_lines,
)


def seeds() -> list[bytes]:
    """The bytes of all cases but the long ones."""
    return sorted({case.data for case in CASES.values() if len(case.data) <= LONGEST})


def mutations(corpus: list[bytes], count: int, chance: random.Random) -> Iterator[bytes]:
    """So many inputs: members of the corpus with one to four edits."""
    for _ in range(count):
        data = bytearray(chance.choice(corpus))
        for _ in range(chance.choice((1, 1, 2, 3, 4))):
            chance.choice(EDITS)(data, chance, corpus)
        yield bytes(data[: 2 * LONGEST])
