"""`Server`: one listening socket, one event loop, from start to a drained stop.

The listening socket is opened by whoever calls `start` or `run`, so that a port in use is reported there and then.
Nothing here waits by sleeping: readiness, draining and the end are events.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import uvloop

from brrtrouter.core.protocol import Endpoint, HttpProtocol
from brrtrouter.core.service import Service
from brrtrouter.errors import BrrtError

if TYPE_CHECKING:
    from brrtrouter.app import App

logger = logging.getLogger("brrtrouter.server")


class ServerError(BrrtError):
    """The server cannot listen, or did not get ready or stop in time; the message names the address."""


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
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
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


class Server:
    """A running application: `start` (in a thread) or `run` (here), `wait_ready`, `url`, `stop`."""

    def __init__(self, app: App, host: str = "127.0.0.1", port: int = 8080) -> None:
        self._app = app
        self._drain_seconds = app.config.limits.drain
        # Compiling first: what is wrong with the application is said before a port is taken.
        self._service: Service = app.service
        self._socket = listen(host, port, app.config.limits.backlog)
        self._address: tuple[str, int] = self._socket.getsockname()[:2]
        self._ready = threading.Event()
        self._done = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._stop_asked = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._endpoint: Endpoint | None = None
        self._lock = threading.Lock()
        app.on_service(self._take_service)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the server listens on."""
        return self._address

    @property
    def url(self) -> str:
        """`http://host:port` without a slash at the end."""
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> Server:
        """Serve in a thread of its own and return at once; connections are accepted by the system from now on."""
        self._thread = threading.Thread(target=self._run_loop, args=(False,), name="brrtrouter-server", daemon=True)
        self._thread.start()
        return self

    def run(self, ready: Callable[[Server], None] | None = None) -> None:
        """Serve in this thread until SIGTERM or SIGINT; `ready` is called once the server answers."""
        self._thread = threading.current_thread()
        self._run_loop(True, ready)
        if self._failure is not None:
            raise self._failure

    def wait_ready(self, timeout: float = 10.0) -> Server:
        """Wait until the server answers.  Raises ServerError when it does not within `timeout` seconds."""
        if not self._ready.wait(timeout):
            raise ServerError(f"{self.url} was not ready after {timeout:g} s")
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self, timeout: float | None = None) -> None:
        """Stop accepting, finish the requests under way, close, and wait for the end.

        Requests that are not done after `timeout` seconds (default: the limit `drain`) are cut off.  Calling it again,
        or from several threads, is fine.  In the thread that serves it does not wait.
        """
        with self._lock:
            if timeout is not None:
                self._drain_seconds = timeout
            self._stop_asked = True  # for a loop that does not run yet
            if self._loop is not None and self._stopping is not None:
                self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._done.wait()

    def __enter__(self) -> Server:
        return self.wait_ready()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # -- inside of the thread that serves

    def _take_service(self, service: Service) -> None:
        """A new service: the next request of every connection is matched with it."""
        self._service = service
        if self._endpoint is not None:
            self._endpoint.service = service

    def _run_loop(self, signals: bool, ready: Callable[[Server], None] | None = None) -> None:
        try:
            with _new_runner() as runner:
                runner.run(self._serve(signals, ready))
        except BaseException as error:
            self._failure = error
            if not isinstance(error, KeyboardInterrupt):
                logger.exception("the server on %s failed", self.url)
        finally:
            self._socket.close()
            self._ready.set()
            self._app.off_service(self._take_service)
            self._app.close()
            self._done.set()

    async def _serve(self, signals: bool, ready: Callable[[Server], None] | None) -> None:
        loop = asyncio.get_running_loop()
        endpoint = Endpoint(self._service, loop)
        stopping = asyncio.Event()
        with self._lock:
            self._loop, self._endpoint, self._stopping = loop, endpoint, stopping
            if self._stop_asked:
                stopping.set()
        if signals:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._on_signal, number)
        server = await loop.create_server(lambda: HttpProtocol(endpoint), sock=self._socket)
        self._ready.set()
        if ready is not None:
            ready(self)
        await stopping.wait()
        server.close()
        await self._drain(endpoint)
        with self._lock:
            self._loop = None  # it is about to be closed

    async def _drain(self, endpoint: Endpoint) -> None:
        drained = asyncio.get_running_loop().create_future()
        endpoint.drain(drained)
        try:
            await asyncio.wait_for(drained, self._drain_seconds)
        except asyncio.TimeoutError:  # another class than TimeoutError before Python 3.11
            logger.warning("%d connections were not done after %g s", len(endpoint.connections), self._drain_seconds)
            endpoint.abort()

    def _on_signal(self, number: int) -> None:
        """The first signal drains, the second one ends at once."""
        assert self._stopping is not None
        assert self._endpoint is not None
        if self._stopping.is_set():
            logger.warning(
                "%s again: cutting %d connections", signal.Signals(number).name, len(self._endpoint.connections)
            )
            self._endpoint.abort()
            return
        logger.info("%s: draining", signal.Signals(number).name)
        self._stopping.set()


def _new_runner() -> Any:
    if sys.version_info >= (3, 11):
        return asyncio.Runner(loop_factory=uvloop.new_event_loop)
    return _Runner()


class _Runner:
    """asyncio.Runner for Python 3.10."""

    def __enter__(self) -> _Runner:
        self._loop = uvloop.new_event_loop()
        return self

    def run(self, main: Any) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(main)

    def __exit__(self, *exc: object) -> None:
        try:
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()
