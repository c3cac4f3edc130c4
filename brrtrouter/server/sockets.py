"""Listening sockets: of an address, of a path, or opened by somebody else; and how one is closed without a loss."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import stat
import struct
import sys
from dataclasses import dataclass

from brrtrouter.errors import BrrtError

UNIX_MODE = 0o660
# After the fence is up, what a handshake that has begun may take until its connection is in the queue.
HANDSHAKE_SECONDS = 0.2
# linux/filter.h: load the byte with the TCP flags; jump if SYN is set; drop (0), or take all of it.
_SYN_FILTER = b"".join(
    struct.pack("=HBBI", *line) for line in ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 2**31))
)
_SO_ATTACH_FILTER = 26


MAX_CONNECTIONS = 10_000  # of one process, unless it is told otherwise
SPARE_DESCRIPTORS = 64  # for files, logs, and connections that we open


def connections_allowed(wanted: int) -> int:
    """How many connections a process may have: as many as are wanted, for 0 what its limit of descriptors allows."""
    if wanted:
        return wanted
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return min(max(soft - SPARE_DESCRIPTORS, soft // 4, 1), MAX_CONNECTIONS)


class ServerError(BrrtError):
    """The server cannot listen, or did not get ready or stop in time; the message names the address."""


@dataclass
class Listener:
    """A listening socket.  owned: we have opened it, nobody else listens with it.  path: of a unix socket of ours."""

    sock: socket.socket
    owned: bool = True
    path: str | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; the path and 0 for a unix socket."""
        name = self.path or self.sock.getsockname()
        return (name[0], name[1]) if isinstance(name, tuple) else (os.fsdecode(name), 0)

    def url(self, scheme: str = "http") -> str:
        """`http://host:port` without a slash at the end, or `unix:/path`."""
        host, port = self.address
        if self.sock.family not in (socket.AF_INET, socket.AF_INET6):
            return f"unix:{host}"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def fence(self) -> None:
        """Let nobody in any more, so that the queue of this socket can be emptied before it is closed.

        To whoever connects from now on the server is gone, at once or when the first packet is sent again.  Without it
        a connection could be taken by the system between the last look into the queue and the close, and be reset.
        """
        if not self.owned:
            return
        if self.path is not None:
            self.remove()
        elif sys.platform == "linux":
            import ctypes  # seldom needed, and large

            code = ctypes.create_string_buffer(_SYN_FILTER, len(_SYN_FILTER))
            program = struct.pack("HP", len(_SYN_FILTER) // 8, ctypes.addressof(code))
            # Where filters are not permitted the window of some microseconds stays.
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)

    def remove(self) -> None:
        """Remove the path of a unix socket that we made."""
        if self.path is not None and self.owned:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
            self.owned = False  # from here on it may be the path of somebody else

    def close(self) -> None:
        """Close our descriptor of the socket; a path stays, for others who listen with it."""
        self.sock.close()


def listen(host: str, port: int, backlog: int) -> socket.socket:
    """Open a listening TCP socket on the first address of `host`.

    Raises ServerError that names address and reason: in use, not permitted, not an address of this machine.
    """
    if not 0 <= port <= 65535:
        raise ServerError(
            f"cannot listen on {host}:{port}: ports are 0 to 65535"
        )  # the system would take it modulo 65536
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            _name(host), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError, OverflowError) as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else str(error)
        raise ServerError(f"cannot listen on {host}:{port}: {reason}") from None
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
    except (OSError, OverflowError) as error:
        sock.close()
        in_use = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        reason = "the port is in use" if in_use else getattr(error, "strerror", None) or str(error)
        raise ServerError(f"cannot listen on {host}:{port}: {reason}") from None
    return sock


def _name(host: str) -> str | bytes:
    """A host as getaddrinfo takes it.  Of a text it asks for the codec of international names, which is large."""
    return host.encode() if host.isascii() else host


def listen_unix(path: str, backlog: int, mode: int = UNIX_MODE) -> Listener:
    """Listen on a unix socket.  A socket that nobody listens on any more is removed; anything else is left alone.

    The file appears under its name with its mode, and when connections are taken, never before.
    Raises ServerError that names the path and the reason.
    """
    sock = socket.socket(socket.AF_UNIX)
    made = f"{path}.{os.getpid()}"
    try:
        _refuse_taken(path)
        sock.bind(made)
        try:
            os.chmod(made, mode)
            sock.listen(backlog)
            os.rename(made, path)
        except BaseException:
            os.unlink(made)
            raise
        sock.setblocking(False)
    except (OSError, ValueError) as error:
        sock.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise ServerError(f"cannot listen on unix:{path}: {reason}") from None
    except ServerError:
        sock.close()
        raise
    return Listener(sock, path=path)


def _refuse_taken(path: str) -> None:
    """Raise ServerError unless a unix socket may be put at a path."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise ServerError(f"cannot listen on unix:{path}: there is a file that is no socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        if probe.connect_ex(path) != errno.ECONNREFUSED:
            raise ServerError(f"cannot listen on unix:{path}: another process listens there")


def adopt(descriptor: int, backlog: int) -> Listener:
    """Listen with a socket that somebody else has opened, bound, and perhaps listens with too.

    Raises ServerError when the descriptor is none, or no stream socket.
    """
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ServerError(f"cannot listen on descriptor {descriptor}: {error.strerror}") from None
    try:
        if sock.type != socket.SOCK_STREAM:
            raise ServerError(f"cannot listen on descriptor {descriptor}: it is no stream socket")
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            sock.listen(backlog)
        sock.setblocking(False)
        os.set_inheritable(descriptor, False)
    except OSError as error:
        sock.detach()
        raise ServerError(f"cannot listen on descriptor {descriptor}: {error.strerror}") from None
    except ServerError:
        sock.detach()
        raise
    return Listener(sock, owned=False)
