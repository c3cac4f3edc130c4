"""Types of clock.pyx."""

import asyncio
from typing import Any

from brrtrouter.core.service import Service

class Watched:
    """Something that a clock looks at."""

class Clock:
    """The connections of a listener, and the time for them."""

    service: Service
    max_connections: int
    """How many connections there may be; whoever accepts them keeps to it."""
    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None: ...
    @property
    def connections(self) -> set[Any]: ...
    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...
    def forget(self, connection: Any) -> None:
        """A connection is gone."""

    def tick(self) -> None:
        """Move on, and look at every connection."""
