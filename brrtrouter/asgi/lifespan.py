"""The lifespan of a mounted application: started before our server takes requests, ended after the last one."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from brrtrouter.asgi.types import Application, Message
from brrtrouter.errors import MountError

logger = logging.getLogger("brrtrouter.mount")


class Lifespan:
    """One run of the lifespan protocol.  `state` is what the application wants every request to find."""

    def __init__(self, application: Application, prefix: str) -> None:
        self.state: dict[str, Any] = {}
        self._application = application
        self._prefix = prefix
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._heard: asyncio.Future[Message] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def supported(self) -> bool:
        """Whether the application has answered to its start."""
        return self._task is not None

    async def startup(self) -> None:
        """Raises MountError when the application says that it failed; one that knows no lifespan is left alone."""
        said = await self._ask("startup")
        if said is None:
            self._task = None
        elif said["type"].endswith("failed"):
            if self._task is not None:
                self._task.cancel()
            raise MountError(f"the application at {self._prefix} has not started: {said.get('message') or 'no reason'}")

    async def shutdown(self) -> None:
        """A failure is logged: the end comes all the same."""
        if self._task is None or self._task.done():
            return
        said = await self._ask("shutdown")
        if said is not None and said["type"].endswith("failed"):
            logger.error("the application at %s has not ended well: %s", self._prefix, said.get("message"))
        await asyncio.wait({self._task})

    async def _ask(self, event: str) -> Message | None:
        """Send an event; what the application says to it, None when it ends without a word."""
        loop = asyncio.get_running_loop()
        self._heard = loop.create_future()
        self._events.put_nowait({"type": f"lifespan.{event}"})
        if self._task is None:
            self._task = loop.create_task(self._run())
        either: set[asyncio.Future[Any]] = {self._heard, self._task}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return self._heard.result() if self._heard.done() else None

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self._application(scope, self._events.get, self._send)
        except Exception as error:
            # Before its first word: it does not know the protocol, which the specification allows.
            level = logging.DEBUG if self._heard is None or not self._heard.done() else logging.ERROR
            logger.log(level, "the lifespan of the application at %s failed", self._prefix, exc_info=error)

    async def _send(self, message: Message) -> None:
        if self._heard is not None and not self._heard.done():
            self._heard.set_result(message)
