"""Types of jsonread.pyx."""

from typing import Any

def load_json(raw: bytes, max_depth: int = 128) -> Any:
    """The value of a JSON text, integers exact at any size; ValueError when it is none or nested too deeply."""
