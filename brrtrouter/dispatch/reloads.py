"""How often an application was given another version of itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from brrtrouter.dispatch.pool import Sample


@dataclass
class Reloads:
    """Counts, and the lock that lets one reload happen at a time."""

    done: int = 0
    failed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def samples(self) -> Iterator[Sample]:
        """For the metrics."""
        yield Sample("counter", "brrtrouter_reloads", "Versions that were taken on while running.", self.done)
        yield Sample("counter", "brrtrouter_reload_failed", "Versions that were refused while running.", self.failed)
