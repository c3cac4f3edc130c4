"""What was found out lately, in bounded memory."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A mapping of at most `size` entries that forgets those which were not used for longest.

    Two dicts take turns: what is used moves into the young one, and when that holds half of the size, what is only in
    the old one is forgotten.  So a hit writes nothing, and threads need no lock.
    """

    def __init__(self, size: int) -> None:
        self._half = max(1, size // 2)
        self._size = size
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The value, None when there is none."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        """Remember a value, which is not None."""
        if not self._size:
            return
        if len(self._young) >= self._half:
            self._old, self._young = self._young if self._size > 1 else {}, {}
        self._young[key] = value

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())
