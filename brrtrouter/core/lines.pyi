"""Types of lines.pyx."""

from collections.abc import Iterable

def field_line(name: str, value: str) -> bytes:
    """A field as it goes out, after the CR LF of the line before it.

    Raises ValueError for a name that is none and a value with a control character.
    """

class FixedFields:
    """Header fields that every answer has, but for those whose names the application sets itself.

    fields: (name, value) pairs.  encrypted: more of them, for answers to clients that speak TLS.  Raises ValueError
    for what cannot be a field.
    """

    def __init__(self, fields: Iterable[tuple[str, str]], encrypted: Iterable[tuple[str, str]] = ()) -> None: ...
    @property
    def depends(self) -> bool:
        """Whether clients that speak TLS get other fields."""
