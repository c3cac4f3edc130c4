"""Types of matcher.pyx."""

from collections.abc import Iterable
from typing import Any, Literal

from typing_extensions import Self

class Matcher:
    """Routes by method and path template; values are handed back as they were given.

    Raises RouteError for a template that is malformed or collides with another one, naming both.
    """

    def __new__(
        cls,
        routes: Iterable[tuple[str, str, Any]] | None = None,
        *,
        auto_head: bool = False,
        auto_options: bool = False,
        trailing_slash: Literal["strict", "ignore"] | str = "strict",
    ) -> Self: ...
    def add(self, method: str, template: str, value: Any) -> None:
        """Add one route.  Raises RouteError."""

    def freeze(self) -> None:
        """Compile what was added; afterwards `match` works and `add` does not."""

    def match(
        self, method: str, path: str | bytes, query: str | bytes | None = None
    ) -> tuple[Any, dict[str, str]] | None:
        """`(value, {name: text})` for a raw path, or None.  Raises PathError, and RouteError before freeze()."""

    def allowed(self, path: str | bytes, query: str | bytes | None = None) -> frozenset[str]:
        """The methods that the path has, over all templates that match it; empty when the path is unknown."""

    def capture_names(self, route: int) -> tuple[str, ...]:
        """The names in the template of a route, from left to right.  Raises IndexError."""

    def visits(self, method: str, path: str | bytes) -> int:
        """How many nodes a match of this request looks at."""

    @property
    def routes(self) -> list[tuple[str, str, Any]]:
        """All routes as (method, template, value), in the order in which they were added."""

    @property
    def is_frozen(self) -> bool:
        """Whether freeze() was called."""

    @property
    def stats(self) -> dict[str, int]:
        """Size of the compiled trie: `{"routes", "nodes", "bytes"}`.  Raises RouteError before freeze()."""

    def __len__(self) -> int: ...
