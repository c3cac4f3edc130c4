"""The PROXY protocol, versions 1 and 2: a header by which a proxy says, before all else, whose connection it is.

As in "The PROXY protocol" of HAProxy (proxy-protocol.txt, 2020/03/05), read strictly: what is no header closes the
connection.  Not one byte beyond the header is taken from the socket, so that TLS or HTTP finds what follows it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from brrtrouter.core.peer import Address
from brrtrouter.errors import BrrtError

V1_MAX = 107  # bytes, the end of the line included (section 2.1)
V2_MAX = 4096  # ours; the specification wants 216 and room for what extends it
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_V1 = b"PROXY "
_FIXED = 16  # bytes of a version 2 header before the addresses
_LOCAL, _PROXY = 0x20, 0x21  # version 2 and the command
# Family and transport: bytes of the two addresses and ports, and the class of an address.  None: nothing for us in it,
# because there is no address or it is that of a unix socket.
_FAMILIES: dict[int, tuple[int, type[IPv4Address] | type[IPv6Address] | None]] = {
    0x00: (0, None),
    0x11: (12, IPv4Address),
    0x21: (36, IPv6Address),
    0x31: (216, None),
}
_KINDS: dict[bytes, type[IPv4Address] | type[IPv6Address]] = {b"TCP4": IPv4Address, b"TCP6": IPv6Address}
_TYPE_CRC32C, _TYPE_SSL = 0x03, 0x20
_CLIENT_SSL = 0x01
_CASTAGNOLI = 0x82F63B78  # the polynomial of CRC-32C, reversed


class ProxyError(BrrtError):
    """What a connection begins with is no header of the PROXY protocol; the message says why."""


class Origin(NamedTuple):
    """What a header says.  address: of the client, None for that of the connection.  encrypted: it has come by TLS."""

    address: Address | None
    encrypted: bool


async def receive(sock: socket.socket, loop: asyncio.AbstractEventLoop) -> Origin:
    """Take the header from a non-blocking socket.  Raises ProxyError, or OSError when the connection breaks."""
    data = b""
    while True:
        await _readable(sock, loop)
        try:
            seen = sock.recv(V2_MAX, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            continue
        if not seen:
            raise ProxyError("the connection ends before its header does")
        whole = size(data + seen)
        # Without an end in sight all that was seen belongs to the header.
        data += sock.recv(len(seen) if whole is None else whole - len(data))
        if whole is not None:
            return parse(data)


async def _readable(sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
    ready: asyncio.Future[None] = loop.create_future()

    def seen() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sock.fileno(), seen)
    try:
        await ready
    finally:
        loop.remove_reader(sock.fileno())


def size(data: bytes) -> int | None:
    """How long the header is that `data` begins with, None while that cannot be said.

    Raises ProxyError as soon as it can be no header.
    """
    for start in (_V1, _SIGNATURE):
        if not start.startswith(data[: len(start)]):
            continue
        if len(data) < len(start):
            return None
        return _size_v1(data) if start is _V1 else _size_v2(data)
    raise ProxyError("there is no header")


def _size_v1(data: bytes) -> int | None:
    end = data.find(b"\n", 0, V1_MAX)
    if end < 0:
        if len(data) >= V1_MAX:
            raise ProxyError(f"the line has no end within {V1_MAX} bytes")
        return None
    return end + 1


def _size_v2(data: bytes) -> int | None:
    if len(data) < _FIXED:
        return None
    whole = _FIXED + int.from_bytes(data[14:16], "big")
    if whole > V2_MAX:
        raise ProxyError(f"the header has {whole} bytes, the limit is {V2_MAX}")
    return whole if len(data) >= whole else None


def parse(header: bytes) -> Origin:
    """Read a whole header.  Raises ProxyError that says what is wrong."""
    return _parse_v1(header) if header.startswith(_V1) else _parse_v2(header)


def _parse_v1(header: bytes) -> Origin:
    """`PROXY TCP4 192.0.2.1 192.0.2.2 4711 80` and CRLF; after UNKNOWN anything may stand."""
    if not header.endswith(b"\r\n"):
        raise ProxyError("the line does not end with CRLF")
    words = header[len(_V1) : -2].split(b" ")
    if words[0] == b"UNKNOWN":
        return Origin(None, False)
    if words[0] not in _KINDS or len(words) != 5:
        raise ProxyError("the line is not a protocol, two addresses and two ports")
    kind = _KINDS[words[0]]
    source = _host(words[1], kind)
    _host(words[2], kind)
    port, _ = _port(words[3]), _port(words[4])
    return Origin((source, port), False)


def _host(word: bytes, kind: type[IPv4Address] | type[IPv6Address]) -> str:
    try:
        if b"%" in word:  # a zone is for one machine only
            raise ValueError
        return str(kind(word.decode("ascii")))
    except ValueError:
        raise ProxyError("an address is none of its family") from None


def _port(word: bytes) -> int:
    if not word.isdigit() or len(word) > 5 or int(word) > 65535 or (word[:1] == b"0" and word != b"0"):
        raise ProxyError("a port is not a number from 0 to 65535")
    return int(word)


def _parse_v2(header: bytes) -> Origin:
    command, family = header[12], header[13]
    if command not in (_LOCAL, _PROXY):
        raise ProxyError(f"version and command are 0x{command:02x}")
    if command == _LOCAL:  # the proxy speaks for itself; whatever follows is to be skipped
        return Origin(None, False)
    if family not in _FAMILIES:
        raise ProxyError(f"family and transport are 0x{family:02x}, which is no stream")
    length, kind = _FAMILIES[family]
    addresses = header[_FIXED : _FIXED + length]
    if len(addresses) < length:
        raise ProxyError("the addresses are cut off")
    encrypted = False
    for at, number, value in _extensions(header, _FIXED + length):
        if number == _TYPE_CRC32C:
            _check(header, at, value)
        elif number == _TYPE_SSL:
            encrypted = bool(value[:1]) and bool(value[0] & _CLIENT_SSL)
    if kind is None:
        return Origin(None, encrypted)
    half = (length - 4) // 2
    port = int.from_bytes(addresses[2 * half : 2 * half + 2], "big")
    return Origin((str(kind(addresses[:half])), port), encrypted)


def _extensions(header: bytes, at: int) -> Iterator[tuple[int, int, bytes]]:
    """Of each extension the place of its value, its type and its value (section 2.2.7)."""
    while at < len(header):
        end = at + 3 + int.from_bytes(header[at + 1 : at + 3], "big")
        if at + 3 > len(header) or end > len(header):
            raise ProxyError("an extension is cut off")
        yield at + 3, header[at], header[at + 3 : end]
        at = end


def _check(header: bytes, at: int, value: bytes) -> None:
    """The checksum is that of the header with zeros in its place (section 2.2.3)."""
    if len(value) != 4 or crc32c(header[:at] + bytes(4) + header[at + 4 :]) != int.from_bytes(value, "big"):
        raise ProxyError("the checksum is wrong")


def crc32c(data: bytes) -> int:
    """CRC-32C (RFC 3720 appendix B.4), bit by bit: headers are short, and checksums in them rare."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CASTAGNOLI if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
