"""Types of cors.pyx."""

from collections.abc import Callable, Iterable

from brrtrouter.core.request import Request
from brrtrouter.core.response import Response

class Grants:
    """Header lines of the answers of some operations, each line after its CR LF."""

    def __init__(
        self,
        otherwise: bytes,
        exact: dict[str, bytes],
        matches: Callable[[str], bool] | None,
        before: bytes,
        after: bytes,
    ) -> None: ...
    @property
    def otherwise(self) -> bytes: ...
    def maybe_granted(self, origin: str) -> bytes | None:
        """The lines for an origin that has a grant, else None."""

class CrossOrigin:
    """The grants of all operations."""

    def __init__(
        self,
        by_operation: Iterable[Grants | None],
        default: Grants,
        preflight: Callable[[Request, str | None], tuple[bytes | None, Response | None]],
    ) -> None: ...
