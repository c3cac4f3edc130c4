"""Every published API of the collection is routed: each template is reached with exact captures, or refused by name.

The report of the whole collection is printed: pytest -s tests/test_matcher_apis.py
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import pytest
from matcher_oracle import Oracle, Route, captures_of

from brrtrouter import Matcher, RouteError, path_to_regex

PATHS = Path(__file__).resolve().parent.parent.parent / "shared" / "specs" / "_paths" / "paths.jsonl"
COLLISION = "matches the same paths with the same method as"
REASONS = {
    "does not start with '/'",
    "has a brace that does not open or close an expression",
    "has an expression without a name",
    "uses the same name twice",
    "has a bad percent escape or is not UTF-8",
    COLLISION,
}
EXPRESSION = re.compile(r"\{[^{}]*\}")

pytestmark = [
    pytest.mark.skipif(not PATHS.exists(), reason="the collection of published paths is not here"),
    pytest.mark.filterwarnings("ignore:the fragment of the template:UserWarning"),
]


def apis() -> Iterator[dict[str, Any]]:
    with PATHS.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def add(m: Matcher, method: str, template: str, value: int) -> str | None:
    """Add a route; what RouteError says when it is refused."""
    try:
        m.add(method, template, value)
    except RouteError as error:
        return str(error)
    return None


def reason_of(template: str, refusal: str) -> str:
    """The reason of a refusal; templates that only a fragment tells apart are a kind of their own."""
    assert repr(template) in refusal
    reason = next(reason for reason in REASONS if reason in refusal)
    return "differs in the fragment only from" if reason == COLLISION and "#" in refusal else reason


@dataclass
class Built:
    """The matcher of an API without the routes that are refused, those that are not, and the reasons."""

    matcher: Matcher
    routes: list[tuple[str, str]]
    refused: Counter[str]

    @cached_property
    def oracle(self) -> Oracle:
        oracle = Oracle()
        oracle.routes = [Route(at, *route) for at, route in enumerate(self.routes)]
        return oracle

    def answer(self, number: int, path: str, query: str) -> dict[str, str] | None:
        """The captures of this route for a path made from its template, None when one of higher precedence answers."""
        method, template = self.routes[number]
        found = self.matcher.match(method, path, query)
        assert found is not None, (method, template, path)
        if found[0] == number:
            return found[1]
        won, own = self.oracle.routes[found[0]], self.oracle.routes[number]
        higher = self.oracle.precedence(won) < self.oracle.precedence(own)
        assert own.segments == won.segments or higher, (own, won)
        assert captures_of(won, path[1:].split("/")) == list(found[1].values()), (won, path)
        return None


def build(api: dict[str, Any]) -> Built:
    m, refused = Matcher(), Counter[str]()
    routes: list[tuple[str, str]] = []
    for template, methods in api["paths"]:
        for method in map(str.upper, methods):
            refusal = add(m, method, template, len(routes))
            if refusal is None:
                routes.append((method, template))
            else:
                refused[reason_of(template, refusal)] += 1
    m.freeze()
    return Built(m, routes, refused)


def filled(template: str) -> tuple[str, str, list[str]]:
    """A path and query that the template matches, with a value of its own for each expression."""
    values: list[str] = []

    def value(_: re.Match[str]) -> str:
        values.append(f"q{len(values)}Z")
        return values[-1]

    outside = EXPRESSION.sub(lambda found: "x" * len(found[0]), template)
    cut = re.search(r"[?#]", outside)
    path = template[: cut.start()] if cut else template
    query = template[cut.start() + 1 :].partition("#")[0] if cut and cut[0] == "?" else ""
    return EXPRESSION.sub(value, path), query, values


class Siblings:
    """The literals that stand beside an expression, by what stands before it."""

    def __init__(self, templates: Iterable[str]) -> None:
        self.words: dict[str, set[str]] = {}
        for template in templates:
            for before, segment in self.places(template):
                if segment.isalpha():
                    self.words.setdefault(before, set()).add(segment)

    @staticmethod
    def places(template: str) -> Iterator[tuple[str, str]]:
        """Each segment with the segments before it."""
        segments = EXPRESSION.sub("{}", template).split("/")
        yield from (("/".join(segments[:at]), segments[at]) for at in range(1, len(segments)))

    def confused(self, template: str, random: Random) -> str:
        """The template with such a literal in place of each expression that has one beside it."""
        segments = template.split("/")
        for at, (before, segment) in enumerate(self.places(template), 1):
            if segment == "{}" and before in self.words:
                segments[at] = random.choice(sorted(self.words[before]))
        return "/".join(segments)


def check_expression(template: str) -> None:
    """The regular expression of a template matches the path made from it, with the same captures."""
    path, _, values = filled(template)
    pattern, names = path_to_regex(template)
    match = re.fullmatch(pattern, path)
    assert match is not None, (template, pattern)
    assert len(names) == len(values)
    # Adjacent expressions share their text in another way than it was put in.
    assert "}{" in template or list(match.groups()) == values, (template, pattern)


@dataclass
class Report:
    """What became of the routes of all APIs."""

    apis: int = 0
    whole: int = 0  # APIs without a refusal
    templates: int = 0
    routes: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    apis_refused: Counter[str] = field(default_factory=Counter)

    def count(self, api: dict[str, Any], built: Built) -> None:
        self.apis += 1
        self.whole += not built.refused
        self.templates += len(api["paths"])
        self.routes += len(built.routes)
        self.refused += built.refused
        self.apis_refused.update(built.refused.keys())

    def __str__(self) -> str:
        lines = [
            f"{self.apis} APIs with {self.templates} templates; {self.whole} APIs without a refusal",
            f"{self.routes} routes taken",
            f"{self.refused.total()} routes refused:",
        ]
        lines += [
            f"  {count:5} in {self.apis_refused[reason]:3} APIs: the template {reason}"
            for reason, count in self.refused.most_common()
        ]
        return "\n".join(lines)


def test_every_published_template_is_reached_or_refused_by_name() -> None:
    report = Report()
    for api in apis():
        built = build(api)
        report.count(api, built)
        for number, (_, template) in enumerate(built.routes):
            path, query, values = filled(template)
            captures = built.answer(number, path, query)
            assert captures is not None, (template, "these values are in no other template")
            assert list(captures.values()) == values or "}{" in template, template
    print(f"\n{report}")
    # Services that tell operations apart by a fragment or a header have no paths to route by; others seldom collide.
    others = report.refused.total() - report.refused["differs in the fragment only from"]
    assert set(report.refused) <= {*REASONS, "differs in the fragment only from"}
    assert others < report.routes / 500, report
    assert report.apis > 1000


def test_a_literal_beside_an_expression_is_given_the_path_or_leads_nowhere() -> None:
    """Each answer is that of the template that was filled in, or of one of higher precedence with its own captures."""
    random, asked, preferred = Random(1), 0, 0
    for api in apis():
        built = build(api)
        siblings = Siblings(template for _, template in built.routes)
        for number, (_, template) in enumerate(built.routes):
            confused = siblings.confused(template, random)
            if confused != template:
                path, query, _ = filled(confused)
                asked += 1
                preferred += built.answer(number, path, query) is None
    print(f"\n{asked} paths with a literal for a value: {preferred} belong to a template of higher precedence")
    assert asked / 10 < preferred < asked


def test_the_expression_of_every_published_template_matches_its_path() -> None:
    taken = {template for api in apis() for _, template in build(api).routes}
    for template in taken:
        check_expression(template)
    print(f"\n{len(taken)} different templates")
    assert len(taken) > 20_000
