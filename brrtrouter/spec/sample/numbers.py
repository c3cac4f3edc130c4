"""Numbers within bounds and on a grid (JSON Schema 2020-12 validation, section 6.2)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, gcd
from random import Random
from typing import Final

# What a number is likely to be where nothing else is said: small and positive.
USUAL: Final = (1, 1000)
_CENT: Final = Fraction(1, 100)


@dataclass
class Bounds:
    """A range of numbers, its ends included or not, and the grid they have to be on."""

    low: Fraction | None = None
    high: Fraction | None = None
    open_low: bool = False
    open_high: bool = False
    step: Fraction | None = None

    def at_least(self, value: float, *, exclusive: bool = False) -> None:
        """Add `minimum` or `exclusiveMinimum`."""
        bound = exact(value)
        if self.low is None or bound > self.low:
            self.low, self.open_low = bound, exclusive
        elif bound == self.low:
            self.open_low = self.open_low or exclusive

    def at_most(self, value: float, *, exclusive: bool = False) -> None:
        """Add `maximum` or `exclusiveMaximum`."""
        bound = exact(value)
        if self.high is None or bound < self.high:
            self.high, self.open_high = bound, exclusive
        elif bound == self.high:
            self.open_high = self.open_high or exclusive

    def multiple_of(self, value: float) -> None:
        """Add `multipleOf`: the grid becomes the common multiples."""
        step = exact(value)
        if step <= 0:
            return
        if self.step is not None:
            step = Fraction(
                self.step.numerator * step.numerator // gcd(self.step.numerator, step.numerator),
                gcd(self.step.denominator, step.denominator),
            )
        self.step = step


def exact(value: float) -> Fraction:
    """The number as it is written: 0.1 is one tenth."""
    return Fraction(value) if isinstance(value, int) else Fraction(repr(value))


def number(bounds: Bounds, random: Random, *, integer: bool) -> int | float | None:
    """A number in the bounds, near the usual ones if possible; None when there is none."""
    if integer:
        step = bounds.step or Fraction(1)
        step = Fraction(step.numerator)  # the multiples of a/b that are integers are those of a
        return _as_number(_on_grid(bounds, step, random), integer=True)
    if bounds.step is not None:
        return _as_number(_on_grid(bounds, bounds.step, random), integer=False)
    found = _on_grid(bounds, _CENT, random)
    if found is None and bounds.low is not None and bounds.high is not None and bounds.low <= bounds.high:
        # The range is narrower than the grid: its middle is inside whether the ends belong to it or not.
        found = (bounds.low + bounds.high) / 2
    return _as_number(found, integer=False)


def _on_grid(bounds: Bounds, step: Fraction, random: Random) -> Fraction | None:
    low = None if bounds.low is None else ceil(bounds.low / step)
    if low is not None and bounds.open_low and low * step == bounds.low:
        low += 1
    high = None if bounds.high is None else floor(bounds.high / step)
    if high is not None and bounds.open_high and high * step == bounds.high:
        high -= 1
    if low is not None and high is not None and low > high:
        return None
    first, last = ceil(USUAL[0] / step), max(floor(USUAL[1] / step), ceil(USUAL[0] / step))
    first = first if low is None else max(first, low)
    last = last if high is None else min(last, high)
    if first > last:  # nothing usual: the end that is nearest to it
        first = last = low if low is not None and low * step > USUAL[0] else high if high is not None else low or 0
    return random.randint(first, last) * step


def _as_number(value: Fraction | None, *, integer: bool) -> int | float | None:
    if value is None:
        return None
    if value.denominator == 1 and (integer or abs(value) > 2**53):
        return int(value)
    return float(value)
