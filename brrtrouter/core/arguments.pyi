"""Types of arguments.pyx."""

from collections.abc import Iterable
from typing import Any, final

from brrtrouter.errors import Fault

@final
class Schema:
    """A schema that is compiled when it is first needed and then costs one call.

    `integers` says that all values are integers: where the schema has only bounds for them, there is no call either.
    """

    def __init__(self, source: Any, integers: bool = False) -> None: ...

@final
class Param:
    """One declared parameter, ready to decode.  Made from a `brrtrouter.spec.model.Parameter`."""

    def __init__(self, parameter: Any) -> None: ...
    @property
    def name(self) -> str: ...
    @property
    def location(self) -> str: ...
    @property
    def required(self) -> bool: ...

class FieldReader:
    """Declared header fields of a message, cast and validated like header parameters.

    `parameters` are `brrtrouter.spec.model.Parameter`s.
    """

    def __init__(self, parameters: Iterable[Any]) -> None: ...
    @property
    def params(self) -> tuple[Param, ...]: ...
    def read(self, texts: dict[str, str]) -> tuple[dict[str, Any], list[Fault]]:
        """(values, faults) of the texts by the fields' names in lower case."""

@final
class ArgumentParser:
    """All parameters of one operation.

    `parameters` are `brrtrouter.spec.model.Parameter`s, `captures` the names of the template's expressions in order,
    `max_pairs` the limit of pairs in a query string.  `first`: look no further than the location of the first fault.
    """

    def __init__(
        self, parameters: Iterable[Any], captures: Iterable[str], max_pairs: int = 1000, *, first: bool = False
    ) -> None: ...
    @property
    def max_pairs(self) -> int: ...
