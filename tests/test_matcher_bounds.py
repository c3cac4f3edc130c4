"""The time of a match is bounded by the nodes of the trie and the length of the path, whatever the routes are."""

from __future__ import annotations

from itertools import product
from time import thread_time

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


def test_thousands_of_empty_segments_end_the_search_at_the_last_template() -> None:
    """Templates of empty segments with one expression, at every place: all of them begin as the path does."""
    deepest = 60
    routes = [("GET", "/" * at + "/{x}" + "/" * (deepest - at), at) for at in range(deepest)]
    m = Matcher(routes)
    for at in range(deepest):
        path = "/" * at + "/v" + "/" * (deepest - at)
        assert m.match("GET", path) == (at, {"x": "v"})
        bounded(m, path)
    for slashes in (deepest, deepest + 1, deepest + 2, 5_000, 50_000):
        assert m.match("GET", "/" * slashes) is None
        bounded(m, "/" * min(slashes, deepest + 2))
        assert m.visits("GET", "/" * slashes) <= m.stats["nodes"]


# Routes, and the beginning of a path that is repeated to any length: what a search by going back would be slow at.
REPEATED = {
    "a literal that is nearly there at every byte": (["/{x}" + "a" * 4_000 + "b{y}"], "a"),
    "a literal with a period": (["/{x}" + "ab" * 20 + "c{y}"], "ab"),
    "many expressions": (["/" + "".join(f"{{p{at}}}a" for at in range(31)) + "b{z}"], "a"),
    "many siblings": (["/{x}" + "a" * at + "b{y}" for at in range(1, 30)], "a"),
    "empty segments": (["/" * 60 + "z", "/{x}" + "/" * 60], "/"),
    "short segments": (["/{x}" + "/a" * 60, "/{x}/a/{y}/z"], "a/"),
    "escapes": (["/{x}" + "a" * 40 + "b{y}"], "%61"),
}


def seconds(m: Matcher, path: str) -> float:
    """Processor time of one match that fails: the least of several, so that other work on the machine is left out."""
    taken = []
    for _ in range(7):
        start = thread_time()
        assert m.match("GET", path) is None
        taken.append(thread_time() - start)
    return min(taken)


@pytest.mark.parametrize("name", REPEATED)
def test_a_path_sixteen_times_as_long_does_not_take_the_square_of_that(name: str) -> None:
    templates, unit = REPEATED[name]
    m = Matcher([("GET", template, at) for at, template in enumerate(templates)])
    short, long = ("/" + unit * (length // len(unit)) for length in (40_000, 640_000))
    # A square would be 256 times; the rest is for caches and clocks.
    assert seconds(m, long) < 80 * seconds(m, short) + 1e-3


def test_a_literal_sixteen_times_as_long_is_searched_for_in_about_the_same_time() -> None:
    """Literals that are nearly there at every byte of the path, which a plain search would compare whole each time."""
    short, long = (Matcher([("GET", "/{x}" + "a" * length + "b{y}", 1)]) for length in (400, 6_400))
    path = "/" + "a" * 400_000
    assert seconds(long, path) < 6 * seconds(short, path) + 1e-3


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
