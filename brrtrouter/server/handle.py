"""`Server`: one listening socket, one event loop, from start to a drained stop.

The listening socket is opened by whoever calls `start` or `run`, so that a port in use is reported there and then.
Nothing here waits by sleeping: readiness, draining and the end are events, and every wait for one has a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import uvloop

from brrtrouter.config import Server as Settings
from brrtrouter.core.peer import Proxies
from brrtrouter.core.service import Service
from brrtrouter.errors import BrrtError, ConfigError
from brrtrouter.server import tls
from brrtrouter.server.acceptor import Acceptor, Entry
from brrtrouter.server.drain import Manner, TlsEndpoint, WatchedEndpoint
from brrtrouter.server.roles import Alone, Role
from brrtrouter.server.sockets import HANDSHAKE_SECONDS, Listener, ServerError, connections_allowed, listen

if TYPE_CHECKING:
    from brrtrouter.app import App

__all__ = ["Server", "ServerError"]
logger = logging.getLogger("brrtrouter.server")


class Server:
    """A running application: `start` (in a thread) or `run` (here), `wait_ready`, `url`, `stop`.

    listener: a socket that is open already, in place of host and port.  settings: in place of those of the app.
    reload: what SIGHUP asks for, in place of `App.reload`.
    """

    def __init__(
        self,
        app: App,
        host: str = "127.0.0.1",
        port: int = 8080,
        *,
        listener: Listener | None = None,
        settings: Settings | None = None,
        reload: Callable[[], object] | None = None,
    ) -> None:
        self._app = app
        self._reload = reload or app.reload
        self._settings = settings or app.config.server
        self._drain_seconds = app.config.limits.drain
        self._proxies = _proxies(self._settings)
        # Compiling first: what is wrong with the application is said before a port is taken.
        self._service: Service = app.service
        self._tls = tls.configured(self._settings, app.config.spiffe)
        self._listener = listener or Listener(listen(host, port, app.config.limits.backlog))
        self._address = self._listener.address
        self._url = self._listener.url("http" if self._tls is None else "https")
        self._ready = threading.Event()
        self._done = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._role = Role()
        self._manner: Manner | None = None  # None until a stop is asked for
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._cut: asyncio.Future[None] | None = None
        self._endpoint: WatchedEndpoint | None = None
        self._lock = threading.Lock()
        app.on_service(self._take_service)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that the server listens on; the path and 0 for a unix socket."""
        return self._address

    @property
    def url(self) -> str:
        """`http://host:port` without a slash at the end; `unix:/path` for a unix socket."""
        return self._url

    def start(self) -> Server:
        """Serve in a thread of its own and return at once; connections are accepted by the system from now on."""
        self._thread = threading.Thread(target=self._run_loop, name="brrtrouter-server", daemon=True)
        self._thread.start()
        return self

    def run(self, ready: Callable[[Server], None] | None = None, *, role: Role | None = None) -> None:
        """Serve in this thread until SIGTERM or SIGINT; `ready` is called once the server answers."""
        self._thread = threading.current_thread()
        self._role = role or Alone()
        self._run_loop(ready)
        if self._failure is not None:
            raise self._failure

    def reload(self) -> None:
        """Let the application take on what its files say now, in a thread of its own; what is wrong is in the log."""

        def attempt() -> None:
            with contextlib.suppress(BrrtError):
                self._reload()

        threading.Thread(target=attempt, name="brrtrouter-reload", daemon=True).start()

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
            self._manner = self._manner or Manner.QUICK  # for a loop that does not run yet
            if self._loop is not None and self._stopping is not None:
                self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._done.wait()

    def __enter__(self) -> Server:
        return self.wait_ready()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # -- for roles, inside of the thread that serves

    @property
    def stopping(self) -> bool:
        """Whether a stop was asked for."""
        return self._manner is not None

    def begin_stop(self, manner: Manner) -> None:
        """Begin to drain; when that has begun already nothing changes."""
        assert self._stopping is not None
        self._manner = self._manner or manner
        self._stopping.set()

    def cut(self) -> None:
        """Do not wait any longer: cut every connection."""
        assert self._endpoint is not None
        assert self._cut is not None
        logger.warning("cutting %d connections", len(self._endpoint.connections))
        if not self._cut.done():
            self._cut.set_result(None)
        self._endpoint.abort()

    def fence(self) -> None:
        """Let nobody connect any more; see `Listener.fence`."""
        self._listener.fence()

    def refresh_tls(self, *, force: bool = False) -> None:
        """Take changed certificates; without TLS there are none."""
        if self._tls is not None:
            self._tls.refresh(force=force)

    @property
    def has_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self._tls is not None

    async def until(self, event: asyncio.Future[Any], seconds: float) -> None:
        """Wait for an event, but no longer than `seconds`, and not beyond a `cut`."""
        assert self._cut is not None
        await asyncio.wait({event, self._cut}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    # -- inside of the thread that serves

    def _take_service(self, service: Service) -> None:
        """A new service: the next request of every connection is matched with it."""
        self._service = service
        if self._endpoint is not None:
            self._endpoint.service = service

    def _run_loop(self, ready: Callable[[Server], None] | None = None) -> None:
        try:
            with _new_runner() as runner:
                runner.run(self._serve(ready))
        except BaseException as error:
            self._failure = error
            if not isinstance(error, KeyboardInterrupt):
                logger.exception("the server on %s failed", self.url)
        finally:
            self._listener.remove()
            self._listener.close()
            self._ready.set()
            self._app.off_service(self._take_service)
            self._app.readiness.regain(self)
            self._app.close()
            if self._tls is not None:
                self._tls.end()
            self._done.set()

    async def _serve(self, ready: Callable[[Server], None] | None) -> None:
        if self._tls is not None:
            await self._tls.begin()
        await self._app.startup()
        loop = asyncio.get_running_loop()
        endpoint = (TlsEndpoint if self.has_tls else WatchedEndpoint)(self._service, loop)
        stopping = asyncio.Event()
        with self._lock:
            self._loop, self._endpoint, self._stopping = loop, endpoint, stopping
            self._cut = loop.create_future()
            if self._manner is not None:
                stopping.set()
        acceptor = self._make_acceptor(endpoint)
        await self._role.prepare(self)
        acceptor.start()
        if self._tls is not None and self._settings.tls_check:
            self._watch_certificates(loop)
        self._ready.set()
        self._role.started(self)
        if ready is not None:
            ready(self)
        await stopping.wait()
        self._role.ending(self)
        self._app.readiness.lose(self)
        self._app.realtime.drain(loop, self._drain_seconds, quick=self._manner is Manner.QUICK)
        await self._end(endpoint, acceptor)
        self._app.realtime.forget(loop)
        await self._app.shutdown()
        with self._lock:
            self._loop = None  # it is about to be closed

    def _make_acceptor(self, endpoint: WatchedEndpoint) -> Acceptor:
        settings = self._settings
        proxy_seconds = settings.proxy_timeout if settings.proxy_protocol else None
        endpoint.max_connections = connections_allowed(self._app.config.limits.connections)
        return Acceptor(
            self._listener.sock,
            endpoint,
            Entry(self._proxies, self._tls, settings.tls_handshake, proxy_seconds),
            most=endpoint.max_connections,
            shared=self._role.shared,
        )

    def _watch_certificates(self, loop: asyncio.AbstractEventLoop) -> None:
        def look() -> None:
            self.refresh_tls()
            loop.call_later(self._settings.tls_check, look)

        loop.call_later(self._settings.tls_check, look)

    async def _end(self, endpoint: WatchedEndpoint, acceptor: Acceptor) -> None:
        """Every wait here ends at the limit `drain` at the latest, which counts from now."""
        loop, manner = asyncio.get_running_loop(), self._manner
        deadline = loop.time() + self._drain_seconds
        idle = min(self._settings.drain_idle, self._drain_seconds)
        endpoint.draining = True  # every answer from now on is the last one of its connection
        if manner is Manner.PATIENT:
            open_now = list(endpoint.connections)
            await asyncio.gather(
                self.until(endpoint.left(), idle), self.until(loop.create_future(), self._settings.drain_delay)
            )
            for connection in open_now:  # not those that came since: their request is on its way
                connection.drain()
            await self._role.fence(self)
            await self.until(loop.create_future(), HANDSHAKE_SECONDS)
        acceptor.stop(empty=manner is Manner.PATIENT)
        if manner is Manner.QUICK:
            self._listener.remove()
        self._listener.close()
        if manner is not Manner.QUICK:
            if acceptor.opening:
                await self.until(asyncio.gather(*acceptor.opening, return_exceptions=True), idle)
            await self.until(endpoint.left(), min(idle, deadline - loop.time()))
        for opening in acceptor.opening:
            opening.cancel()
        await self._drain(endpoint, max(deadline - loop.time(), 0))

    async def _drain(self, endpoint: WatchedEndpoint, seconds: float) -> None:
        drained = asyncio.get_running_loop().create_future()
        endpoint.drain(drained)
        await self.until(drained, seconds)
        if not drained.done():
            logger.warning("%d connections were not done after %g s", len(endpoint.connections), self._drain_seconds)
            endpoint.abort()


def _proxies(settings: Settings) -> Proxies | None:
    """Those whose word about their clients is taken, None when nobody's is.  Raises ConfigError."""
    if settings.trusted_proxies:
        return Proxies(settings.trusted_proxies, settings.forwarded)
    if settings.proxy_protocol:
        raise ConfigError("server.proxy_protocol is on, but server.trusted_proxies names nobody")
    return None


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
