"""`Acceptor`: takes connections from a listening socket that other processes may listen with too.

Not `loop.create_server`: that empties the queue at every wake, so that one process gets a whole burst, and it can
neither stop without losing what is queued nor change the certificate of the connections to come.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

logger = logging.getLogger("brrtrouter.server")

ACCEPT_BATCH = 32  # connections taken at one wake by a process that listens alone
RETRY_SECONDS = 0.1  # before the next try, when the system has no descriptor or memory for a connection


class Acceptor:
    """Takes connections and gives each to a new protocol.

    tls: called for every connection, the context that it is encrypted with, or None.  shared: other processes listen
    with the same socket, and one connection at a time is taken, so that they get theirs.
    """

    def __init__(
        self,
        sock: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        *,
        tls: Callable[[], ssl.SSLContext | None],
        handshake: float,
        shared: bool,
    ) -> None:
        self._sock = sock
        self._protocol = protocol
        self._tls = tls
        self._handshake = handshake
        self._batch = 1 if shared else ACCEPT_BATCH
        self._loop = asyncio.get_running_loop()
        self._retry: asyncio.TimerHandle | None = None
        self._starved = False
        self.opening: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Take connections from now on."""
        self._retry = None
        self._loop.add_reader(self._sock.fileno(), self._take, self._batch)

    def stop(self, *, empty: bool) -> None:
        """Take no more; with `empty` what is in the queue is taken first.  The socket is not closed."""
        if self._sock.fileno() < 0:
            return
        if empty:
            self._take(2**31)
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._loop.remove_reader(self._sock.fileno())

    def _take(self, most: int) -> None:
        for _ in range(most):
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # gone while it was in the queue
                continue
            except OSError as error:
                self._wait(error)
                return
            self._starved = False
            task = self._loop.create_task(self._open(sock))
            self.opening.add(task)
            task.add_done_callback(self.opening.discard)

    def _wait(self, error: OSError) -> None:
        """Not at once again: the socket stays readable, and the loop would do nothing else."""
        if not self._starved:
            logger.error("no connection can be taken: %s; trying again", error.strerror)
        self._starved = True
        self._loop.remove_reader(self._sock.fileno())
        if self._retry is None:
            self._retry = self._loop.call_later(RETRY_SECONDS, self.start)

    async def _open(self, sock: socket.socket) -> None:
        context = self._tls()
        try:
            if context is None:
                await self._loop.connect_accepted_socket(self._protocol, sock)
            else:
                await self._loop.connect_accepted_socket(
                    self._protocol, sock, ssl=context, ssl_handshake_timeout=self._handshake
                )
        except (OSError, asyncio.TimeoutError) as error:  # ssl.SSLError is an OSError
            logger.debug("a connection was not opened: %s", error)
            sock.close()
