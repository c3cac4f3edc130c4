"""Types of arguments.pyx."""

from collections.abc import Iterable
from typing import Any

def cast_bits(types: Iterable[str]) -> int:
    """The bit set for JSON Schema type names, as the casts take it.  Raises KeyError for another name."""

def cast(text: str, types: tuple[str, ...]) -> Any:
    """Cast decoded text to the first type that it fits; raises ValueError when there is none."""

class Schema:
    """A schema that is compiled when it is first needed and then costs one call."""

    def __init__(self, source: Any) -> None: ...

class Param:
    """One declared parameter, ready to decode.  Made from a `brrtrouter.spec.model.Parameter`."""

    def __init__(self, parameter: Any) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def location(self) -> str: ...
    @property
    def required(self) -> bool: ...

class ArgumentParser:
    """All parameters of one operation.

    `parameters` are `brrtrouter.spec.model.Parameter`s, `captures` the names of the template's expressions in order,
    `max_pairs` the limit of pairs in a query string.
    """

    def __init__(self, parameters: Iterable[Any], captures: Iterable[str], max_pairs: int = 1000) -> None: ...
    @property
    def max_pairs(self) -> int: ...
