"""`Sampler`: values of schemas that the validator has judged valid.

A value is made, judged, and where it is not valid the choices nearest to each objection are turned like the wheels of
an odometer, within a bound.  The same seed and key give the same value on every machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import Any, Final, NamedTuple

from brrtrouter.spec.sample.flat import Flat
from brrtrouter.spec.sample.maker import Choices, GivenUpError, Maker, Path

# How many values are made for one answer before the best one is taken as it is: for each start, of which the first uses
# what the schema has written, and the others begin again with other random values.
ATTEMPTS: Final = (40, 40, 20)
# After so many objections to one place the member or item around it is left out, if it may be.
PATIENCE: Final = 6

Check = Callable[[dict[str, Any]], Callable[[object], bool]]
# For a value the places (JSON Pointers, taken apart) where it is wrong; [] when it is valid.
Objections = Callable[[Any], list[Path]]


class Sample(NamedTuple):
    """A value and whether the validator agrees with it."""

    value: Any
    valid: bool


class NoValueError(Exception):
    """The schema has no value that could be found."""


class Sampler:
    """Makes values for one self-contained schema document (annotations included) with one judge."""

    def __init__(self, document: Any, objections: Objections, check: Check) -> None:
        self._objections = objections
        self._maker = Maker(document, _text_judge(check))

    def sample(self, key: str, *, written: bool = True) -> Sample:
        """A value that depends on `key` only.  Raises `NoValueError` when nothing at all could be made."""
        best: Sample | None = None
        fewest = 0
        for start, attempts in enumerate(ATTEMPTS):
            choices = Choices()
            seen: Counter[Path] = Counter()
            for _ in range(attempts):
                choices.options.clear()
                try:
                    value = self._maker.make(choices, Random(f"{key}/{start}"), written=written and start == 0)
                except GivenUpError as given_up:
                    wrong = [given_up.path]
                else:
                    wrong = self._objections(value)
                    if not wrong:
                        return Sample(value, True)
                    if best is None or len(wrong) < fewest:
                        best, fewest = Sample(value, False), len(wrong)
                turned = False
                for place in dict.fromkeys(wrong):
                    seen[place] += 1
                    turned = _turn(choices, place, give_up=seen[place] // PATIENCE) or turned
                if not turned:
                    break
        if best is None:
            raise NoValueError
        return best


def _turn(choices: Choices, wrong: Path, *, give_up: int) -> bool:
    """Take the next combination of the choices that bear on an objection; False when nothing is left to change.

    give_up: how many of the members and items around the place, from the inside, are left out by now.
    """
    dropped = {wrong[: len(wrong) - up] for up in range(min(give_up, len(wrong)))} - choices.dropped
    if dropped:
        choices.dropped |= dropped
        return True
    points = sorted(
        (point for point, count in choices.options.items() if count > 1),
        key=lambda point: _distance(point[0], wrong),
    )
    for point in points:
        after = choices.taken.get(point, 0) + 1
        if after < choices.options[point]:
            choices.taken[point] = after
            return True
        choices.taken[point] = 0
    return False


def _distance(made: Path, wrong: Path) -> tuple[int, int]:
    """How near a choice is to an objection: at the place itself, then inside of it, then the way up, then elsewhere."""
    shared = 0
    for one, other in zip(made, wrong, strict=False):
        if one != other:
            break
        shared += 1
    if shared == len(wrong):
        return 0, len(made) - shared
    if shared == len(made):
        return 1, len(wrong) - shared
    return 2, len(wrong) - shared


def _text_judge(check: Check) -> Callable[[str, Flat], bool]:
    """Judges texts by `pattern`, `format` and length alone; the small validators are kept."""

    @lru_cache(maxsize=256)
    def judge(texts: tuple[tuple[tuple[str, Any], ...], ...], least: int, most: int | None) -> Callable[[object], bool]:
        schema: dict[str, Any] = {"minLength": least, **({"allOf": [dict(text) for text in texts]} if texts else {})}
        return check(schema if most is None else {**schema, "maxLength": most})

    def agreed(text: str, flat: Flat) -> bool:
        key = tuple(tuple(sorted((k, v) for k, v in each.items() if k != "contentEncoding")) for each in flat.texts)
        return judge(key, flat.least.get("minLength", 0), flat.most.get("maxLength"))(text)

    return agreed
