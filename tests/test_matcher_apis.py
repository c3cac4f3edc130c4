"""Every published API of the collection is routed: each template is reached with exact captures, or refused by name."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matcher_oracle import Oracle, Route, captures_of

from brrtrouter import Matcher, RouteError

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


def build(api: dict[str, Any]) -> tuple[Matcher, list[tuple[str, str]], Counter[str]]:
    """The matcher of an API without the routes that are refused, those that are not, and the reasons."""
    m, routes, refused = Matcher(), [], Counter[str]()
    for template, methods in api["paths"]:
        for method in map(str.upper, methods):
            refusal = add(m, method, template, len(routes))
            if refusal is None:
                routes.append((method, template))
            else:
                refused[reason_of(template, refusal)] += 1
    m.freeze()
    return m, routes, refused


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


def check(m: Matcher, routes: list[tuple[str, str]], number: int) -> None:
    method, template = routes[number]
    path, query, values = filled(template)
    found = m.match(method, path, query)
    assert found is not None, (method, template, path)
    if found[0] == number and list(found[1].values()) == values:
        return
    # Another template may come first, but only one of higher precedence; adjacent expressions share their text.
    oracle = Oracle()
    oracle.routes = [Route(at, *route) for at, route in enumerate(routes)]
    won, own = oracle.routes[found[0]], oracle.routes[number]
    texts = path[1:].split("/")
    assert own.segments == won.segments or oracle.precedence(won) < oracle.precedence(own), (own, won)
    assert captures_of(won, texts) == list(found[1].values())
    if found[0] == number:
        assert "}{" in template


def test_every_published_template_is_reached_or_refused_by_name() -> None:
    refused, routed, kinds, count = Counter[str](), 0, Counter[str](), 0
    for api in apis():
        m, routes, reasons = build(api)
        for number in range(len(routes)):
            check(m, routes, number)
        count, routed = count + 1, routed + len(routes)
        kinds.update(reasons.keys())
        refused += reasons
    print(f"{count} APIs, {routed} routes; refused routes {dict(refused)}, in this many APIs {dict(kinds)}")
    # Services that tell operations apart by a fragment or a header have no paths to route by; others seldom collide.
    del refused["differs in the fragment only from"]
    assert set(refused) <= REASONS
    assert refused.total() < routed / 500, refused
    assert count > 1000
