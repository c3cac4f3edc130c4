"""The header fields of an answer, looked up and changed without touching what the handler gave."""

from __future__ import annotations

from typing import Any


class Fields:
    """Fields in their order; `pairs` is what a new Response takes."""

    __slots__ = ("pairs",)

    def __init__(self, headers: Any) -> None:
        """`headers` as a Response has them: None, a mapping, or pairs; a list of values repeats a field."""
        self.pairs: list[tuple[str, Any]] = []
        for name, value in headers.items() if hasattr(headers, "items") else headers or ():
            for each in value if isinstance(value, (list, tuple)) else (value,):
                self.pairs.append((_text(name), each))

    def get(self, name: str) -> str | None:
        """The values of a field, its name in lower case, joined as one list (RFC 9110 section 5.3); None without it."""
        found = [_text(value).strip(" \t") for each, value in self.pairs if each.lower() == name]
        return ", ".join(found) if found else None

    def put(self, name: str, value: str) -> None:
        """Set a field in place of those of the name."""
        key = name.lower()
        self.pairs = [pair for pair in self.pairs if pair[0].lower() != key]
        self.pairs.append((name, value))

    def vary_by(self, name: str) -> None:
        """Add a name to Vary (RFC 9110 section 12.5.5) unless it says that already."""
        text = self.get("vary")
        named = {each.strip(" \t").lower() for each in (text or "").split(",")}
        if "*" not in named and name.lower() not in named:
            self.put("Vary", f"{text}, {name}" if text else name)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
