"""`Acceptor`: takes connections from a listening socket that other processes may listen with too.

Not `loop.create_server`: that empties the queue at every wake, so that one process gets a whole burst, and it can
neither stop without losing what is queued nor change the certificate of the connections to come.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from brrtrouter.core.peer import Address, Peer, Proxies
from brrtrouter.core.protocol import HttpProtocol
from brrtrouter.errors import BrrtError
from brrtrouter.server.drain import WatchedEndpoint
from brrtrouter.server.proxy_protocol import Origin, ProxyError, receive
from brrtrouter.server.tls import Certificates

logger = logging.getLogger("brrtrouter.server")

ACCEPT_BATCH = 32  # connections taken at one wake at most, by a process that listens alone
RETRY_SECONDS = 0.1  # before the next try, when the system has no descriptor or memory for a connection
QUIET_SECONDS = 60.0  # between two words in the log about one and the same shortage
Opening: TypeAlias = Coroutine[Any, Any, Any]


@dataclass(frozen=True)
class Entry:
    """How a connection becomes one of ours.

    proxies: whose word about their clients is taken.  tls: has the context that it is encrypted with.  handshake: the
    seconds of one.  proxy_seconds: in which a connection, of one of the proxies, has to say by the PROXY protocol whose
    it is; None when it says nothing.
    """

    proxies: Proxies | None
    tls: Certificates | None
    handshake: float
    proxy_seconds: float | None


class Acceptor:
    """Takes connections and gives each to a new protocol of an endpoint.

    most: how many connections there may be.  shared: other processes listen with the same socket, and one connection
    at a time is taken, so that they get theirs.
    """

    def __init__(
        self, sock: socket.socket, endpoint: WatchedEndpoint, entry: Entry, *, most: int, shared: bool
    ) -> None:
        self._sock = sock
        self._endpoint = endpoint
        self._open_ones = endpoint.connections
        self._protocol = functools.partial(HttpProtocol, endpoint)
        self._entry = entry
        self._plain = entry.tls is None and entry.proxy_seconds is None
        self._most = most
        self._batch, self._largest = 1.0, 1 if shared else ACCEPT_BATCH
        self._loop = asyncio.get_running_loop()
        self._retry: asyncio.TimerHandle | None = None
        self._reading = False
        self._said: dict[str, float] = {}  # when a shortage was last in the log
        self.opening: set[asyncio.Future[Any]] = set()

    def start(self) -> None:
        """Take connections from now on."""
        self._retry = None
        self._endpoint.on_gone = None
        if not self._reading:
            self._reading = True
            self._loop.add_reader(self._sock.fileno(), self._wake)

    def _use_room(self) -> None:
        """One of too many connections has gone: take those that wait."""
        if len(self._open_ones) + len(self.opening) < self._most:
            self.start()

    def stop(self, *, empty: bool) -> None:
        """Take no more; with `empty` what is in the queue is taken first.  The socket is not closed."""
        self._endpoint.on_gone = None
        if self._sock.fileno() < 0:
            return
        if empty:
            self._take(2**31, unbounded=True)
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._rest()

    def _rest(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._sock.fileno())

    def _wake(self) -> None:
        """A look into an empty queue costs a good part of a connection: who comes alone is taken without one."""
        more = self._take(int(self._batch))
        self._batch = min(1.25 * self._batch, self._largest) if more else 1.0

    def _take(self, most: int, *, unbounded: bool = False) -> bool:
        """Take so many connections; whether there may be more."""
        for _ in range(most):
            if len(self._open_ones) + len(self.opening) >= self._most and not unbounded:
                self._endpoint.on_gone = self._use_room
                self._rest()
                self._say("as many connections as limits.connections allows; others wait until one ends")
                return False
            try:
                sock, address = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return False
            except ConnectionError:  # gone while it was in the queue
                continue
            except OSError as error:
                # Not at once again: the socket stays readable, and the loop would do nothing else.
                self._rest()
                self._say(f"no connection can be taken: {error.strerror}; trying again")
                if self._retry is None:
                    self._retry = self._loop.call_later(RETRY_SECONDS, self.start)
                return False
            self._open(sock, address[:2] if isinstance(address, tuple) else None)
        return True

    def _say(self, shortage: str) -> None:
        now = self._loop.time()
        if now - self._said.get(shortage, -QUIET_SECONDS) >= QUIET_SECONDS:
            self._said[shortage] = now
            logger.error("%s", shortage)

    def _open(self, sock: socket.socket, address: Address | None) -> None:
        if not self._plain:
            task = self._loop.create_task(self._open_slowly(sock, address))
            self.opening.add(task)
            task.add_done_callback(self.opened)
            return
        # As a task would do, but for less than half of what one costs: up to the future that the coroutine waits for,
        # and on when that is done.
        peer = Peer(address, "http", None, self._entry.proxies)
        coroutine = self._loop.connect_accepted_socket(functools.partial(self._protocol, peer), sock)
        try:
            future: asyncio.Future[Any] = coroutine.send(None)
        except OSError as error:
            _give_up(sock, error)
            return
        self.opening.add(future)
        future.add_done_callback(_Finish(self, coroutine, sock))

    async def _open_slowly(self, sock: socket.socket, address: Address | None) -> None:
        entry = self._entry
        encrypted = entry.tls is not None
        try:
            if entry.proxy_seconds is not None:
                origin = await self._introduced(sock, address, entry.proxy_seconds)
                address, encrypted = origin.address or address, encrypted or origin.encrypted
            peer = Peer(address, "https" if encrypted else "http", None, entry.proxies)
            context, handshake = (entry.tls.context, entry.handshake) if entry.tls is not None else (None, None)
            await self._loop.connect_accepted_socket(
                functools.partial(self._protocol, peer), sock, ssl=context, ssl_handshake_timeout=handshake
            )
        except (OSError, BrrtError, asyncio.TimeoutError) as error:  # ssl.SSLError is an OSError
            _give_up(sock, error)
        except asyncio.CancelledError:
            sock.close()
            raise

    async def _introduced(self, sock: socket.socket, address: Address | None, seconds: float) -> Origin:
        """What the proxy says about the connection."""
        if self._entry.proxies is None or not self._entry.proxies.trusts(address):
            raise ProxyError(f"{address} is none of server.trusted_proxies")
        sock.setblocking(False)
        return await asyncio.wait_for(receive(sock, self._loop), seconds)

    def opened(self, opening: asyncio.Future[Any]) -> None:
        """A connection has its protocol, or is given up."""
        self.opening.discard(opening)
        if self._endpoint.on_gone is not None:
            self._use_room()


class _Finish:
    """Goes on with a coroutine that waits for a future, when that is done."""

    __slots__ = ("_acceptor", "_coroutine", "_sock")

    def __init__(self, acceptor: Acceptor, coroutine: Opening, sock: socket.socket) -> None:
        self._acceptor = acceptor
        self._coroutine = coroutine
        self._sock = sock

    def __call__(self, future: asyncio.Future[Any]) -> None:
        self._acceptor.opened(future)
        try:
            self._coroutine.send(None)
        except StopIteration:
            pass
        except (OSError, RuntimeError, asyncio.CancelledError) as error:
            _give_up(self._sock, error)


def _give_up(sock: socket.socket, error: BaseException) -> None:
    logger.debug("a connection was not opened: %s", error or type(error).__name__)
    sock.close()
