"""Sending pieces of a file: by the kernel straight into the socket where that is possible, else through the transport.

The kernel's way is `sendfile` into a duplicate of the socket: the event loop watches its own descriptor, so that
waiting for room needs another one.  With TLS, in memory, and for files that `sendfile` does not take, pieces are read
in a thread and written with back-pressure.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from os import sendfile
from typing import Final

from brrtrouter.core.connection import ClientGone, Connection
from brrtrouter.core.opening import Descriptor
from brrtrouter.core.ranges import Piece, Span

CHUNK: Final = 256 * 1024  # read at once where the kernel does not send
TURN: Final = 1024 * 1024  # sent to one client before the others have their turn
# Files and sockets that sendfile is not made for.
_UNSUPPORTED: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTSOCK})
_SHRANK: Final = "the file became shorter while it was sent"
_MORE: Final = getattr(socket, "MSG_MORE", 0)


class FileShrank(OSError):
    """A file has fewer bytes than were announced: the answer is cut, not filled up."""


async def send_pieces(connection: Connection, head: bytes, file: Descriptor, pieces: Sequence[Piece]) -> None:
    """Send a head and pieces of a file, the last thing sent being complete when this returns.

    Raises ClientGone, FileShrank, and OSError when the file cannot be read.
    """
    rest: Sequence[Piece] = [head, *pieces]
    number = await connection.own_socket()
    if number is not None:
        with socket.socket(fileno=number) as duplicate:
            duplicate.setblocking(False)
            try:
                rest = await _send_by_kernel(connection, duplicate, file, rest)
            except ConnectionError as error:
                raise ClientGone from error
    await _copy(connection, file, rest)


async def _send_by_kernel(
    connection: Connection, duplicate: socket.socket, file: Descriptor, pieces: Sequence[Piece]
) -> Sequence[Piece]:
    """Send pieces; what is left when the kernel does not take this file."""
    for index, piece in enumerate(pieces):
        after = pieces[index + 1 :]
        if isinstance(piece, bytes):
            await _write(connection, duplicate, piece, _MORE if after else 0)
            continue
        reached = await _send_span(connection, duplicate, file, piece)
        if reached < piece[1]:
            return [(reached, piece[1]), *after]
    return ()


async def _send_span(connection: Connection, duplicate: socket.socket, file: Descriptor, span: Span) -> int:
    """Send a part of a file; where it ended: before the end of the part when the kernel does not take the file."""
    at, stop = span
    turn = 0
    while at < stop:
        try:
            sent = sendfile(duplicate.fileno(), file.fileno(), at, min(stop - at, TURN))
        except BlockingIOError:
            await connection.until_writable(duplicate.fileno())
            continue
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                break
            raise
        if not sent:
            raise FileShrank(_SHRANK)
        connection.direct_bytes += sent
        at += sent
        turn += sent
        if turn >= TURN:
            turn = 0
            await connection.next_turn()
    return at


async def _write(connection: Connection, duplicate: socket.socket, data: bytes, flags: int) -> None:
    view = memoryview(data)
    while view:
        try:
            sent = duplicate.send(view, flags)
        except BlockingIOError:
            await connection.until_writable(duplicate.fileno())
            continue
        connection.direct_bytes += sent
        view = view[sent:]


async def _copy(connection: Connection, file: Descriptor, pieces: Sequence[Piece]) -> None:
    """Send pieces through the transport; small ones go out with what follows them."""
    loop = asyncio.get_running_loop()
    ready = b""
    for piece in pieces:
        if isinstance(piece, bytes):
            ready += piece
            continue
        at, stop = piece
        while at < stop:
            data = await loop.run_in_executor(None, file.read, min(stop - at, CHUNK), at)
            if not data:
                raise FileShrank(_SHRANK)
            at += len(data)
            await connection.write_now(ready + data if ready else data)
            ready = b""
    if ready:
        await connection.write_now(ready)
