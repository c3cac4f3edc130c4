"""`path_to_regex`: the pattern of a template, which agrees with the trie on paths without percent escapes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brrtrouter import Matcher, RouteError, path_to_regex


@pytest.mark.parametrize(
    ("template", "pattern", "names"),
    [
        ("/", "^/$", []),
        ("/users/{id}", "^/users/([^/]+)$", ["id"]),
        ("/a-b/{x}-{y}", "^/a-b/([^/]+?)-([^/]+)$", ["x", "y"]),
        ("/{base}...{head}", r"^/([^/]+?)\.\.\.([^/]+)$", ["base", "head"]),
        ("/{a}{b}/", "^/([^/])([^/]+)/$", ["a", "b"]),
        ("/{id}.json", r"^/([^/]+)\.json$", ["id"]),
        ("/%7Eme", "^/\\~me$", []),
        ("/{a/b?c#d}/x", "^/([^/]+)/x$", ["a/b?c#d"]),
        ("/a?x={y}", "^/a$", []),
    ],
)
def test_the_pattern_and_the_names(template: str, pattern: str, names: list[str]) -> None:
    assert path_to_regex(template) == (pattern, names)


def test_an_escaped_slash_in_a_literal_is_no_separator() -> None:
    pattern, _ = path_to_regex("/a%2Fb")
    assert re.fullmatch(pattern, "/a/b") is None
    assert re.fullmatch(pattern, "/a%2Fb")
    assert re.fullmatch(pattern, "/a%2fb")


def test_an_expression_beside_an_escaped_slash_is_inside_of_a_segment() -> None:
    pattern, _ = path_to_regex("/{a}%2F{b}")
    found = re.fullmatch(pattern, "/1%2F2%2F3")
    assert found is not None
    assert found.groups() == ("1", "2%2F3")


def test_a_fragment_is_ignored_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="fragment"):
        assert path_to_regex("/a#b") == ("^/a$", [])


@pytest.mark.parametrize("template", ["a", "/{", "/{}", "/{a}{a}", "/%zz"])
def test_a_malformed_template_is_refused_as_by_the_matcher(template: str) -> None:
    with pytest.raises(RouteError, match=re.escape(repr(template))):
        path_to_regex(template)


PIECES = ["{}", "{}", "a", "-", ".", "ab", "$", "(", "*", "+", "[", "^", "|", "\\", "é", "/", "~", " "]
pieces = st.lists(st.sampled_from([*PIECES, "%61", "%C3%A9", "%2D"]), max_size=8)


@settings(max_examples=500, deadline=None)
@given(
    pieces=pieces,
    values=st.lists(st.text("aab-.é$/\n", min_size=1, max_size=3), min_size=8, max_size=8),
    edit=st.integers(0, 20),
)
def test_the_regex_and_the_trie_agree(pieces: list[str], values: list[str], edit: int) -> None:
    parts = ("/" + "".join(pieces)).split("{}")
    template = parts[0] + "".join(f"{{n{at}}}{part}" for at, part in enumerate(parts[1:]))
    plain = [
        re.sub("%61|%C3%A9|%2D", lambda found: {"%61": "a", "%C3%A9": "é", "%2D": "-"}[found[0]], part)
        for part in parts
    ]
    path = plain[0] + "".join(value + part for value, part in zip(values, plain[1:], strict=False))
    if 0 < edit < len(path):
        path = path[:edit] + path[edit + 1 :]
    pattern, names = path_to_regex(template)
    by_regex = re.fullmatch(pattern, path)
    by_trie = Matcher([("GET", template, None)]).match("GET", path)
    assert (None, dict(zip(names, by_regex.groups(), strict=True))) == by_trie if by_regex else by_trie is None
