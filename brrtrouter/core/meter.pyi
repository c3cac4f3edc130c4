"""Types of meter.pyx."""

from collections.abc import Sequence

from typing_extensions import Buffer, Self

CLASSES: tuple[str, ...]
STATUSES: tuple[str, ...]
REASONS: tuple[str, ...]

class Meter:
    """Counts of requests.

    heads: for each operation whether its HEAD requests are counted apart.  bounds: of the buckets of times, in seconds,
    rising; at most 64.  Raises ValueError for bounds that are none.
    """

    def __new__(cls, heads: Sequence[bool], bounds: Sequence[float]) -> Self: ...
    @property
    def operations(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def size(self) -> int:
        """How many bytes the cells take."""

    def attach(self, buffer: Buffer) -> None:
        """Count in this memory from now on, from zero.

        Raises ValueError when it is smaller than `size` or begins where no cell can, BufferError when it is read-only.
        """

    def snapshot(self) -> bytes:
        """A copy of the cells."""
