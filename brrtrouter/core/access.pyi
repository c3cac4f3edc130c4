"""Types of access.pyx."""

from collections.abc import Callable, Iterable

from typing_extensions import Self

from brrtrouter.core.request import Request

class AccessLines:
    """The lines of an access log.

    capacity: bytes that may wait to be taken; what comes when they are full is dropped and counted.  json: objects,
    else text for people.  errors_only, share: which lines are written: those with a status of 400 and more, or that
    share of all, and every one with 500 and more.  most: lines a second, 0 for any number.  secret: says whether the
    value of a name is not for logs.  agent: with User-Agent.  headers: names of more fields.  masks_client,
    hides_path: leave out what tells of persons.  wake: called when there is something to take.
    """

    def __new__(
        cls,
        *,
        capacity: int,
        json: bool = True,
        errors_only: bool = False,
        share: float = 1.0,
        most: int = 0,
        secret: Callable[[bytes], bool] | None = None,
        agent: bool = True,
        headers: Iterable[str] = (),
        masks_client: bool = False,
        hides_path: bool = False,
        wake: Callable[[], None] | None = None,
    ) -> Self: ...
    @property
    def dropped(self) -> int: ...
    def write(self, request: Request) -> None:
        """Write the line of a request at once, as if it had just been answered."""

    def take(self) -> tuple[bytes, int]:
        """(lines, how many were dropped since the last time)."""
