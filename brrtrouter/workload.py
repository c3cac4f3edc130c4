"""What the SPIFFE Workload API pushes, followed from threads of its own.

The client of the package `spiffe` blocks, so that nothing of it runs in an event loop.  One stream is followed at a
time; when it ends, for whatever reason, another one is opened after a while, and what came last stays in use.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, Generic, TypeVar

from brrtrouter.config import Spiffe
from brrtrouter.errors import ConfigError

logger = logging.getLogger("brrtrouter.spiffe")
T = TypeVar("T")

SOCKET_VARIABLE: Final = "SPIFFE_ENDPOINT_SOCKET"
_FIRST_WAIT: Final = 0.1
_JOIN: Final = 5.0  # how long a thread may take to end; it ends with the process in any case


class Watch(Generic[T]):
    """The last thing that came on one stream of the Workload API, as `take` makes it; `take` runs in a thread.

    stream: the name of a method of `spiffe.WorkloadApiClient`.  Raises ConfigError when no socket is set, or when the
    package is not installed.  What `take` raises is logged, and the value stays.
    """

    def __init__(self, settings: Spiffe, stream: str, take: Callable[[Any], T], where: str) -> None:
        self._socket = settings.socket or os.environ.get(SOCKET_VARIABLE, "")
        if not self._socket.startswith("unix:"):
            raise ConfigError(f"{where} needs spiffe.socket or {SOCKET_VARIABLE}: unix:/path of the Workload API")
        try:
            from spiffe import WorkloadApiClient
        except ModuleNotFoundError:
            raise ConfigError(f"{where} needs another package: pip install 'brrtrouter[spiffe]'") from None
        self._client = WorkloadApiClient
        self._limit = settings.retry_limit
        self._stream = stream
        self._take = take
        self._lock = threading.Lock()
        self._first: Future[T] = Future()
        self._closed = threading.Event()
        self._ended = threading.Event()
        self._reason = ""
        self._updates = 0
        self._thread: threading.Thread | None = None
        self.value: T | None = None

    def begin(self) -> None:
        """Follow the stream from now on; when that is done already nothing happens."""
        with self._lock:
            if self._thread is None:
                self._closed.clear()
                self._thread = threading.Thread(target=self._run, name="brrtrouter-spiffe", daemon=True)
                self._thread.start()

    async def first(self, seconds: float) -> T | None:
        """The value, after waiting for the first one; None when none comes in time."""
        if self.value is None:
            self.begin()
            await asyncio.wait({asyncio.wrap_future(self._first)}, timeout=seconds)
        return self.value

    def close(self) -> None:
        """Follow no longer, and forget what came; `begin` begins anew."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._closed.set()
            self._ended.set()
        if thread is not None:
            thread.join(_JOIN)
        self.value, self._first = None, Future()

    def _run(self) -> None:
        wait, said = _FIRST_WAIT, ""
        while not self._closed.is_set():
            before = self._updates
            reason = self._follow()
            if self._closed.is_set():
                return
            wait = _FIRST_WAIT if self._updates != before else min(wait * 2, self._limit)
            if reason != said or self._updates != before:
                use = "what came last stays in use" if self.value is not None else "nothing has come yet"
                logger.warning("the Workload API at %s is not followed, %s: %s", self._socket, use, reason)
            said = reason
            self._closed.wait(wait)

    def _follow(self) -> str:
        """One stream from its beginning to its end; why it has ended."""
        from spiffe.errors import PySpiffeError

        with self._lock:
            self._ended = ended = threading.Event()
            if self._closed.is_set():
                return "closed"
        self._reason = "the stream has ended"
        try:
            client = self._client(self._socket)
        except PySpiffeError as error:
            return str(error)
        with client:
            # The client tries again by itself only for some failures, and tells nobody; so that is done here.
            handler = getattr(client, self._stream)(self._took, self._failed, retry_connect=False)
            ended.wait()
            handler.cancel()
        return self._reason

    def _took(self, update: Any) -> None:
        if self._closed.is_set():
            return
        value = self._take(update)
        self.value = value
        self._updates += 1
        if not self._first.done():
            self._first.set_result(value)

    def _failed(self, error: Exception) -> None:
        self._reason = str(error)
        self._ended.set()
