"""Tree, regular expressions and a slow oracle say the same about many generated requests.

A plain seeded generator makes far more cases in a second than a property test does, at the price of no shrinking.
It makes 200,000 by default; a long run says how many, and from which seed, and is told what they were:

    BRRT_AGREEMENT_CASES=3000000 BRRT_AGREEMENT_SEED=2 pytest -s tests/test_agreement.py
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from matcher_oracle import Oracle, Route

from brrtrouter import Matcher, PathError, RouteError, path_to_regex

CASES = int(os.environ.get("BRRT_AGREEMENT_CASES", "200000"))
SEED = int(os.environ.get("BRRT_AGREEMENT_SEED", "1"))
PATHS_PER_SET = 60
METHODS = ("GET", "POST")

# Few letters, so that templates overlap, collide and share prefixes.
LITERALS = ("a", "b", "ab", "aa", "ba", "é", "a.b", "", "audit-logs", "audit-logz", "a" * 17 + "b", "a" * 18)
SEGMENTS = (
    *("{}", "{}", "{}", "{}.a", "a{}", "{}-{}", "a{}b", "{}{}", "{}{}a", "{}a{}", "{}a{}a{}", "{}...{}", "({})", "é{}"),
    *("%61", "%2F", "{}%2Fa", "%7E{}", "{}%C3%A9", "f('{}')", "{}:a", "{}ab", "$", "$a"),
)
VALUES = ("a", "b", "aa", "ab", "aab", "-", "a-b", ".", "...", "é", "x", "aaa", "日本", "é.é", "a" * 18, "(", ":a", "~")
ESCAPED = ("%61", "%2F", "%2f", "%7E", "%C3%A9", "%25", "a%2Fb", "%3F", "%E6%97%A5")
DAMAGE = ("", "/", "a", "-", "%2F", "é", "%61", "aa")
MALFORMED = ("%", "%8", "%80", "%zz", "%C3", "%ED%A0%80")


KINDS = ("other method", "hit", "contested hit")  # by the number of routes that match


def named(template: str) -> str:
    """The template with a name in each expression."""
    head, *rest = template.split("{}")
    return head + "".join(f"{{n{at}}}{piece}" for at, piece in enumerate(rest))


class Generator:
    """Route sets and requests from one stream of random numbers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def segment(self) -> str:
        return self.random.choice(LITERALS if self.random.random() < 0.4 else SEGMENTS)

    def routes(self) -> list[tuple[str, str]]:
        """Templates of which most are another one with one segment changed, so that several match the same path."""
        pick = self.random
        made: list[list[str]] = [[self.segment() for _ in range(pick.choice((1, 2, 2, 3, 4)))]]
        for _ in range(pick.randrange(14)):
            if pick.random() < 0.15:
                made.append([self.segment() for _ in range(pick.choice((1, 2, 2, 3, 4)))])
            else:
                other = list(pick.choice(made))
                other[pick.randrange(len(other))] = self.segment()
                made.append(other)
        return [("POST" if pick.random() < 0.2 else "GET", named("/" + "/".join(segments))) for segments in made]

    def path(self, templates: list[str]) -> str:
        """A template filled in, perhaps with escapes, perhaps damaged, seldom malformed."""
        pick = self.random
        head, *rest = pick.choice(templates).split("{")
        values = (*VALUES, *ESCAPED) if pick.random() < 0.3 else VALUES
        path = head + "".join(pick.choice(values) + piece.partition("}")[2] for piece in rest)
        roll = pick.random()
        if roll < 0.4:
            at = pick.randrange(1, len(path) + 1)
            damage = pick.choice(DAMAGE if roll > 0.02 else MALFORMED)
            path = path[:at] + damage + path[at + pick.randrange(2) :]
        return path


@dataclass
class RouteSet:
    """The same routes in the three forms."""

    oracle: Oracle
    tree: Matcher
    expressions: list[tuple[re.Pattern[str], list[str]]]

    @classmethod
    def of(cls, routes: list[tuple[str, str]]) -> RouteSet:
        made = cls(Oracle(), Matcher(), [])
        for method, template in routes:
            if made.oracle.add(method, template):
                made.tree.add(method, template, len(made.expressions))
                pattern, names = path_to_regex(template)
                made.expressions.append((re.compile(pattern), names))
            else:
                with pytest.raises(RouteError):
                    made.tree.add(method, template, None)
        made.tree.freeze()
        return made

    def by_expressions(self, path: str) -> dict[int, dict[str, str]]:
        """Every route whose expression matches the whole path, with its groups."""
        found = {}
        for number, (expression, names) in enumerate(self.expressions):
            match = expression.fullmatch(path)
            if match is not None:
                found[number] = dict(zip(names, match.groups(), strict=True))
        return found


Found = tuple[Route, dict[str, str]]


def best(oracle: Oracle, able: list[Found]) -> tuple[int, dict[str, str]] | None:
    """What the written precedence chooses among the routes that match, in the form in which the tree answers."""
    if not able:
        return None
    route, captures = able[0] if len(able) == 1 else min(able, key=lambda found: oracle.precedence(found[0]))
    return route.number, captures


def check(routes: RouteSet, path: str) -> Iterator[str]:
    """Compare the three for one path with every method; yields what kind of case each was."""
    try:
        found = routes.oracle.matching(path, "")
    except ValueError:
        for method in METHODS:
            with pytest.raises(PathError):
                routes.tree.match(method, path)
            yield "malformed"
        return
    matching: list[Found] = [(route, dict(zip(route.names, captures, strict=True))) for route, captures in found]
    spelling = "escaped" if "%" in path else "plain"
    if spelling == "plain":
        by_oracle = {route.number: captures for route, captures in matching}
        assert routes.by_expressions(path) == by_oracle, (path, routes.tree.routes)
    assert routes.tree.allowed(path) == {route.method for route, _ in matching}, (path, routes.tree.routes)
    for method in METHODS:
        able = [pair for pair in matching if pair[0].method == method]
        assert routes.tree.match(method, path) == best(routes.oracle, able), (method, path, routes.tree.routes)
        yield f"{spelling}: {KINDS[min(len(able), 2)] if matching else 'miss'}"


def test_tree_regex_and_oracle_agree() -> None:
    generator = Generator(SEED)
    kinds: Counter[str] = Counter()
    while kinds.total() < CASES:
        listed = generator.routes()
        routes = RouteSet.of(listed)
        templates = [template for _, template in listed]
        for _ in range(PATHS_PER_SET):
            kinds.update(check(routes, generator.path(templates)))
    print(f"{kinds.total()} cases with seed {SEED}: {dict(kinds.most_common())}")
    # The generator reaches every kind often enough to mean something.
    wanted = {f"{spelling}: {kind}" for spelling in ("plain", "escaped") for kind in (*KINDS, "miss")} | {"malformed"}
    assert all(kinds[kind] * 500 > CASES for kind in wanted), kinds
