"""Types of pairs.pyx."""

from typing import Any

from brrtrouter.core.arguments import ArgumentParser
from brrtrouter.errors import Fault

def read_pairs(parser: ArgumentParser, text: bytes) -> tuple[dict[str, Any], list[Fault] | None]:
    """Read `name=value&...` like a query string: (values by name, list of faults or None).

    Members that the parser does not declare are text, a list of texts where they repeat.  OverflowError when the text
    is longer than a query can be, 4 GiB.
    """

def read_value(parameter: Any, text: str) -> tuple[Any, list[Fault] | None]:
    """Decode the text of one parameter: (value, list of faults or None); the value is None beside faults."""
