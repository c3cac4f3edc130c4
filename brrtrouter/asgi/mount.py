"""ASGI applications under prefixes of ours.

A mount answers what no operation and no built-in endpoint has a path for, the longest prefix first.  To the core it is
an operation like any other, without parameters, security and validation, whose body is read as a stream.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any
from urllib.parse import unquote
from weakref import WeakKeyDictionary

from brrtrouter.asgi.conversation import Conversation
from brrtrouter.asgi.lifespan import Lifespan
from brrtrouter.asgi.scope import prefix_length
from brrtrouter.asgi.types import Application
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response
from brrtrouter.core.service import Mode, Operation
from brrtrouter.errors import ConfigError

logger = logging.getLogger("brrtrouter.mount")


class Mounts:
    """All mounted applications of one of ours."""

    def __init__(self) -> None:
        self._mounts: list[tuple[str, Application, Operation]] = []
        self._lifespans: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Lifespan]] = WeakKeyDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        return bool(self._mounts)

    @property
    def operations(self) -> list[Operation]:
        """What the core walks for requests to the mounts."""
        return [operation for _, _, operation in self._mounts]

    def add(self, prefix: str, application: Application, max_body: int | None) -> None:
        """Raises ConfigError for a prefix that is none or is taken, and for what cannot be called."""
        if not prefix.startswith("/") or set(prefix) & set("?#{}"):
            raise ConfigError(f"the prefix of a mount is a path that starts with '/', not {prefix!r}")
        if not callable(application):
            raise ConfigError(f"what is mounted at {prefix} is no ASGI application: it cannot be called")
        decoded = unquote(prefix.rstrip("/"))
        if any(decoded == taken for taken, _, _ in self._mounts):
            raise ConfigError(f"two applications are mounted at {prefix}")
        operation = Operation(
            method="*",
            path=prefix,
            handler=f"mount:{prefix}",
            call=partial(self._answer, decoded, application),
            mode=Mode.TASK,
            max_body=-1 if max_body is None else max_body,
            stream_body=True,
            foreign=True,
        )
        self._mounts.append((decoded, application, operation))
        self._mounts.sort(key=lambda mount: mount[0].count("/"), reverse=True)

    def find(self, path: bytes) -> Operation | None:
        """The mount for a raw path that no operation has."""
        if path[:1] == b"/":
            for prefix, _, operation in self._mounts:
                if prefix_length(path, prefix) is not None:
                    return operation
        return None

    async def _answer(self, prefix: str, application: Application, request: Request) -> Response:
        lifespan = self._lifespans.get(asyncio.get_running_loop(), {}).get(prefix)
        conversation = Conversation(application, prefix, request, None if lifespan is None else lifespan.state)
        try:
            return await conversation.answer()
        finally:
            task = conversation.task
            if task is not None and not task.done():
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    # -- from start to end

    async def startup(self) -> None:
        """Start them all, in the order of their prefixes, for this event loop.

        Raises MountError for the first one that says it failed; those before it are shut down again.
        """
        started: dict[str, Lifespan] = {}
        self._lifespans[asyncio.get_running_loop()] = started
        for prefix, application, _ in self._mounts:
            lifespan = Lifespan(application, prefix or "/")
            try:
                await lifespan.startup()
            except BaseException:
                await self.shutdown(0)
                raise
            if lifespan.supported:
                started[prefix] = lifespan

    async def shutdown(self, seconds: float) -> None:
        """End those of this event loop, the last one first; what they still do has so many seconds."""
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[Any]] = {task for task in self._tasks if task.get_loop() is loop}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for lifespan in reversed(list(self._lifespans.pop(loop, {}).values())):
            await lifespan.shutdown()
