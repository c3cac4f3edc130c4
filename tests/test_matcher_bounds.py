"""The time of a match is bounded by the nodes of the trie and the length of the path, whatever the routes are."""

from __future__ import annotations

from itertools import product

import pytest

from brrtrouter import Matcher, PathError


def bounded(m: Matcher, path: str) -> None:
    """Each node once, and those of the first choice in every segment perhaps once more."""
    assert m.visits("GET", path) <= m.stats["nodes"] + path.count("/") + 1


def test_backtracking_through_every_choice_is_bounded() -> None:
    """Every prefix of `a` or `{x}` exists, and only the worst choice of all leads on: 2^10 branches."""
    depth = 10
    routes = []
    for number, way in enumerate(product("ax", repeat=depth)):
        names = [f"{{x{at}}}" if step == "x" else "a" for at, step in enumerate(way)]
        routes.append(("GET", "/" + "/".join(names) + f"/end{number}", number))
    m = Matcher(routes)
    last = 2**depth - 1
    path = "/a" * depth + f"/end{last}"
    assert m.match("GET", path) == (last, {f"x{at}": "a" for at in range(depth)})
    bounded(m, path)
    assert m.match("GET", "/a" * depth + "/none") is None
    bounded(m, "/a" * depth + "/none")


def test_a_ladder_of_literals_and_expressions_is_not_exponential() -> None:
    """A router that tries both branches at each of 60 levels without sharing would never come back."""
    routes = [("GET", "/a" * at + "/{x}" + "/a" * (60 - at) + "/z", at) for at in range(60)]
    m = Matcher(routes)
    assert m.match("GET", "/a" * 62) is None
    bounded(m, "/a" * 62)


def test_mixed_siblings_are_tried_once_each() -> None:
    routes = [("GET", "/{x}" + "a" * at + "/b" + str(at), at) for at in range(1, 200)]
    m = Matcher(routes)
    path = "/" + "a" * 400
    assert m.match("GET", path + "/b1") == (1, {"x": "a" * 399})
    bounded(m, path + "/b1")
    assert m.match("GET", path + "/c") is None
    bounded(m, path + "/c")


def test_a_segment_with_many_expressions_is_cut_in_one_pass() -> None:
    """`{a}-{b}-...-{z}!` against dashes only: a regular expression that backtracks would take forever."""
    template = "/" + "-".join(f"{{p{at}}}" for at in range(32)) + "!"
    m = Matcher([("GET", template, 1)])
    assert m.match("GET", "/" + "-" * 100_000) is None
    found = m.match("GET", "/" + "-" * 100_000 + "!")
    assert found is not None
    assert [len(value) for value in found[1].values()] == [1] * 31 + [100_000 - 62]


@pytest.mark.parametrize("text", ["/", "//", "/a", "/%41", "/é", "/%2F"])
def test_a_path_of_a_million_bytes_is_answered(text: str) -> None:
    m = Matcher([("GET", "/a/{x}", 1), ("GET", "/" * 30, 2), ("GET", "/{x}", 3)])
    path = text * (1_000_000 // len(text))
    assert m.match("GET", path) is None
    assert m.match("GET", path.encode()) is None
    assert m.allowed(path) == frozenset()
    assert m.visits("GET", path) <= m.stats["nodes"]


def test_a_capture_of_a_million_bytes_is_exact() -> None:
    m = Matcher([("GET", "/a/{x}.json", 1)])
    for value, raw in (("v" * 1_000_000, "v" * 1_000_000), ("é/" * 200_000, "%C3%A9%2F" * 200_000)):
        assert m.match("GET", f"/a/{raw}.json") == (1, {"x": value})


def test_an_error_at_the_end_of_a_long_path_is_found() -> None:
    m = Matcher([("GET", "/a", 1)])
    for tail in ("%", "%zz", "%ff"):
        with pytest.raises(PathError):
            m.match("GET", "/x" * 300_000 + tail)
    with pytest.raises(PathError):
        m.match("GET", b"/x" * 300_000 + b"\xff")


def test_the_cost_of_a_match_does_not_depend_on_the_number_of_routes() -> None:
    for count in (10, 1_000, 10_000):
        m = Matcher([("GET", f"/api/v1/resource{at}/{{id}}/items", at) for at in range(count)])
        assert m.match("GET", f"/api/v1/resource{count - 1}/7/items") == (count - 1, {"id": "7"})
        assert m.visits("GET", f"/api/v1/resource{count - 1}/7/items") == 6  # the root and one node for each segment


def test_many_literals_below_one_node_are_all_found() -> None:
    words = [f"{prefix}{at}" for prefix in ("", "a", "same-prefix-", "日") for at in range(3_000)]
    m = Matcher([("GET", "/" + word, word) for word in words])
    for word in words:
        assert m.match("GET", "/" + word) == (word, {})
        assert m.match("GET", f"/{word}x") is None


def test_literals_with_nul_bytes_are_not_padding() -> None:
    words = ["a", "a\0", "a\0\0", "\0", "\0\0", "12345678", "12345678\0", "1234567\0"]
    m = Matcher([("GET", "/" + word, word) for word in words])
    for word in words:
        assert m.match("GET", "/" + word) == (word, {})
    assert m.match("GET", "/a\0\0\0") is None
