"""The trie against an oracle that decides each route by the definition, with colliding and overlapping templates.

The oracle knows no trie: it splits, decodes, tries every way to cut a segment, and sorts the routes that match by the
written precedence.  It is slow and obvious on purpose.
"""

from __future__ import annotations

import warnings
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matcher_oracle import Oracle

from brrtrouter import Matcher, PathError, RouteError

# -- templates that collide and overlap, and paths made from them -----------------------------------------------------

LITERALS = ["a", "b", "ab", "aa", "-", ".", "$", "(", ")", "@", "=", "'", ",", "~", ";", ":", "é", "日"]
ESCAPED = ["%7E", "%2F", "%C3%A9", "%61", "%25", "%3F"]
literal = st.one_of(st.sampled_from("ab-"), st.sampled_from(LITERALS + ESCAPED))
expression = st.just("{}")
mixed = st.lists(st.one_of(literal, expression), min_size=1, max_size=6).map("".join)
long_literal = st.sampled_from(["audit-logs", "audit-logz", "aaaaaaaaaaaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaaa"])
segment = st.one_of(literal, expression, mixed, mixed, st.just(""), long_literal)
predicate = st.sampled_from(["x=1", "x=2", "y=1", "x", "y", "x=", "z=%26+", "x=1&y=1", "x&x=1"])
METHODS = ["GET", "HEAD", "POST", "QUERY"]


@st.composite
def templates(draw: st.DrawFn) -> str:
    text = "/" + "/".join(draw(st.lists(segment, min_size=1, max_size=4)))
    pieces = text.split("{}")
    named = pieces[0] + "".join(f"{{{chr(ord('m') + at % 8)}{at}}}{piece}" for at, piece in enumerate(pieces[1:]))
    return f"{named}?{draw(predicate)}" if draw(st.integers(0, 5)) == 0 else named


@st.composite
def paths(draw: st.DrawFn, known: list[str]) -> str:
    """A path that a template was filled in to, then perhaps damaged."""
    template = draw(st.sampled_from(known)).partition("?")[0]
    value = st.text(st.sampled_from([*"aab-.é/%;~ x'日"]), min_size=1, max_size=4)
    head, *rest = template.split("{")
    path = head + "".join(encoded(draw, draw(value)) + piece.partition("}")[2] for piece in rest)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(1, len(path)))
        path = (
            path[:at]
            + draw(st.sampled_from(["", "/", "a", "-", "%", "%2F", "é", "%80"]))
            + path[at + draw(st.integers(0, 1)) :]
        )
    return path


def encoded(draw: st.DrawFn, text: str) -> str:
    escape = draw(st.sampled_from(["", "ab-", "é日", "~'"]))
    return "".join(quote(c, safe="") if c in "/%" or c in escape else c for c in text)


OPTIONS: list[dict[str, Any]] = [
    {"auto_head": head, "auto_options": options, "trailing_slash": slash}
    for head, options, slash in product((False, True), (False, True), ("strict", "ignore"))
]


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_the_trie_answers_as_the_definition_does(data: st.DataObject) -> None:
    options = data.draw(st.sampled_from(OPTIONS))
    routes = data.draw(st.lists(st.tuples(st.sampled_from(METHODS), templates()), min_size=1, max_size=14))
    oracle, matcher = Oracle(**options), Matcher(**options)
    for method, template in routes:
        if oracle.add(method, template):
            matcher.add(method, template, len(oracle.routes) - 1)
        else:
            with pytest.raises(RouteError):
                matcher.add(method, template, None)
    matcher.freeze()
    known = [route.template for route in oracle.routes]
    for _ in range(4):
        path = data.draw(paths(known))
        query = data.draw(st.sampled_from(["", "", "x=1", "x=2&y=1", "y=1&x=1", "x", "z=%26%20", "x=1&x=2&&y"]))
        try:
            wanted = {method: oracle.match(method, path, query) for method in METHODS}
        except ValueError:
            with pytest.raises(PathError):
                matcher.match("GET", path, query)
            with pytest.raises(PathError):
                matcher.allowed(path.encode())
            continue
        for method in METHODS:
            assert matcher.match(method, path, query) == wanted[method], (method, path)
            assert matcher.match(method, path.encode(), query.encode()) == wanted[method]
            assert (
                matcher.visits(method, path)
                <= len(oracle.spellings(path)) * matcher.stats["nodes"] + path.count("/") + 2
            )
        assert matcher.allowed(path, query) == oracle.allowed(path, query)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_refused_route_leaves_no_trace(data: st.DataObject) -> None:
    """Adding malformed templates in between changes neither answers nor the order of equal mixed segments."""
    routes = data.draw(st.lists(templates(), min_size=1, max_size=8, unique=True))
    clean, disturbed, oracle = Matcher(), Matcher(), Oracle()
    for number, template in enumerate(routes):
        broken = data.draw(templates()).partition("?")[0] + data.draw(
            st.sampled_from(["/%zz", "/{", "/}", "/{}", "/{q}/{q}", "?x=%zz", "/%80", "/{x}%", "/%zz/y", "/%{q}"])
        )
        with pytest.raises(RouteError):
            disturbed.add("GET", broken, None)
        if oracle.add("GET", template):
            clean.add("GET", template, number)
            disturbed.add("GET", template, number)
    clean.freeze()
    disturbed.freeze()
    assert clean.routes == disturbed.routes
    assert clean.stats["nodes"] == disturbed.stats["nodes"]
    for _ in range(3):
        path = data.draw(paths(routes))
        try:
            wanted = clean.match("GET", path)
        except PathError:
            continue
        assert disturbed.match("GET", path) == wanted


@given(template=templates(), fragment=st.sampled_from(["#", "#part", "#a?b"]))
def test_a_fragment_changes_nothing_but_warns(template: str, fragment: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = Matcher([("GET", template, 1)])
    with pytest.warns(UserWarning, match="fragment"):
        other = Matcher([("GET", template + fragment, 1)])
    assert other.stats == plain.stats
    assert other.capture_names(0) == plain.capture_names(0)
