"""What the patterns of one request may take together.

A pattern whose cost is worth counting (see `patterns.measure_of`) does not stand in a bundle as `pattern`, but as the
keyword `COUNTED` of our own.  Each try is written to the account of the request in whose name it is made; once that is
spent no text is tried any more, and the value is not valid, whatever the schema makes of it: `not` and choices would
turn a refusal into consent.  A text that was tried once costs a look-up from then on, however many branches try it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs

from brrtrouter.spec.patterns import Measure, measure_of

COUNTED: Final = "x-brrtrouter-pattern"
BACKTRACK_LIMIT: Final = 10_000
PATTERN_OPTIONS: Final = jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT)
# What one more look costs, whatever the text.
_LOOK: Final = 100


class _Account(threading.local):
    """The account of this thread.

    left: work that may still be done.  refused: how many texts were not tried; first: one of them, and why.  spent:
    nothing more is tried.  tried: the verdicts so far.  explaining: what was tried already is looked up for nothing.
    """

    def __init__(self) -> None:
        self.is_open = False
        self.reset(0)

    def reset(self, budget: int) -> None:
        self.left = budget
        self.explaining = self.spent = False
        self.refused = 0
        self.first: tuple[str, str] | None = None
        self.tried: dict[tuple[str, str], bool] = {}

    def refuse(self, text: str, reason: str) -> ValueError:
        self.refused += 1
        if self.first is None or self.spent:  # `spent` is set right before the one call that is about it
            self.first = (text, reason)
        return ValueError(reason)


_account: Final = _Account()


@contextmanager
def opened(budget: int) -> Iterator[None]:
    """All that this thread tries inside is one sum of at most `budget`; inside of another one it is part of that."""
    if _account.is_open:
        yield
        return
    _account.reset(budget)
    _account.is_open = True
    try:
        yield
    finally:
        _account.is_open = False
        _account.reset(0)


@contextmanager
def explaining() -> Iterator[None]:
    """Inside, texts that were tried already are free: what comes is bounded by what was done before."""
    before, _account.explaining = _account.explaining, True
    try:
        yield
    finally:
        _account.explaining = before


def minding(is_valid: Callable[[object], bool], budget: int) -> Callable[[object], bool]:
    """The check of a schema with counted patterns: what depended on a text that was not tried is not valid."""

    def accepts(value: object) -> bool:
        with opened(budget):
            before = _account.refused
            return is_valid(value) and _account.refused == before

    return accepts


def refusal() -> tuple[str, str] | None:
    """A text that was not tried since the account was opened, and why; None when all were."""
    return _account.first


def is_spent() -> bool:
    """Whether the account that is open has nothing left: no verdict from then on means anything."""
    return _account.spent


@lru_cache(maxsize=4_096)
def _check_of(pattern: str) -> Callable[[object], bool]:
    return jsonschema_rs.Draft202012Validator(
        {"pattern": pattern}, offline=True, pattern_options=PATTERN_OPTIONS
    ).is_valid


class CountedPattern:
    """The keyword `COUNTED`, as `jsonschema_rs` asks for it."""

    def __init__(self, parent: dict[str, Any], pattern: str, work: int) -> None:
        measure = measure_of(pattern, work)
        assert measure is not None
        self._measure: Measure = measure
        self._pattern = pattern
        self._check = _check_of(pattern)
        most = parent.get("maxLength")
        # A longer text is not valid anyway.
        self._most = most if isinstance(most, (int, float)) else float("inf")

    def validate(self, instance: Any) -> None:
        """Raises ValueError for a text that does not match, or is not tried."""
        if type(instance) is not str or len(instance) > self._most:
            return
        if _account.spent:
            _account.refused += 1  # quicker than an exception, and no verdict counts any more
            return
        if not self._matches(instance):
            raise ValueError(f'value does not match "{self._pattern}"')

    def _matches(self, text: str) -> bool:
        account = _account
        known = account.tried.get((self._pattern, text))
        if known is not None and account.explaining:
            return known
        account.left -= _LOOK
        if known is None:
            longest = self._measure.longest
            if longest is not None and len(text) > longest:
                reason = f"value has more than the {longest:,} characters that are held against this pattern"
                raise account.refuse(text, reason)
            account.left -= self._measure.of(len(text))
        if account.left < 0:
            account.spent = True
            raise account.refuse(text, f"the texts take too much work to be held against {self._pattern!r:.80}")
        if known is None:
            known = account.tried[self._pattern, text] = self._check(text)
        return known


def plain(bundle: Any) -> Any:
    """The bundle with `pattern` in place of the keyword of our own."""
    if isinstance(bundle, dict):
        return {"pattern" if name == COUNTED else name: plain(item) for name, item in bundle.items()}
    return [plain(item) for item in bundle] if isinstance(bundle, list) else bundle


def place_of(value: Any, text: str) -> str:
    """The JSON Pointer of a text in a value, or of the object that has a member of that name; "" when it is nowhere."""
    todo: list[tuple[str, Any]] = [("", value)]
    while todo:
        at, here = todo.pop()
        if here == text and isinstance(here, str):
            return at
        if isinstance(here, dict):
            if text in here:
                return at
            todo += [(f"{at}/{_escaped(str(name))}", item) for name, item in reversed(here.items())]
        elif isinstance(here, list):
            todo += [(f"{at}/{index}", item) for index, item in reversed(list(enumerate(here)))]
    return ""


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
