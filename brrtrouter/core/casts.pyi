"""Types of casts.pyx."""

from collections.abc import Iterable
from typing import Any

def cast_bits(types: Iterable[str]) -> int:
    """The bit set for JSON Schema type names, as the casts take it.  Raises KeyError for another name."""

def cast(text: str, types: tuple[str, ...]) -> Any:
    """Cast decoded text to the first type that it fits; raises ValueError when there is none."""
