"""What `match` returns belongs to the caller, although a result without captures that nobody has is used again."""

from __future__ import annotations

import gc
import itertools
import weakref

import pytest

from brrtrouter import Matcher


@pytest.fixture
def m() -> Matcher:
    return Matcher(
        [("GET", "/literal/one", "one"), ("GET", "/literal/two", ["two"]), ("GET", "/users/{id}/posts/{post}", "post")]
    )


def test_a_kept_result_does_not_change_with_the_next_match(m: Matcher) -> None:
    kept = [m.match("GET", path) for path in ("/literal/one", "/literal/two", "/users/7/posts/8", "/literal/one")]
    assert kept == [("one", {}), (["two"], {}), ("post", {"id": "7", "post": "8"}), ("one", {})]
    assert len({id(result) for result in kept}) == len(kept)
    assert len({id(result[1]) for result in kept}) == len(kept)


def test_a_kept_dict_of_captures_is_not_shared(m: Matcher) -> None:
    _, first = m.match("GET", "/literal/one")
    _, second = m.match("GET", "/literal/one")
    assert first is not second
    first["added"] = "by the caller"
    assert second == {}
    assert m.match("GET", "/literal/two") == (["two"], {})


def test_what_a_caller_writes_into_the_captures_is_never_seen_again(m: Matcher) -> None:
    for path in ("/literal/one", "/literal/one", "/users/1/posts/2", "/users/1/posts/2"):
        before = m.match("GET", path)[1].copy()
        m.match("GET", path)[1]["added"] = "and dropped"
        m.match("GET", path)[1].clear()
        assert m.match("GET", path)[1] == before


def test_a_match_inside_of_the_destructor_of_what_was_in_the_captures(m: Matcher) -> None:
    seen = []

    class Matches:
        def __del__(self) -> None:
            seen.append(m.match("GET", "/literal/two"))

    m.match("GET", "/literal/one")[1]["last"] = Matches()
    assert m.match("GET", "/literal/one") == ("one", {})
    assert seen == [(["two"], {})]


def test_results_are_the_same_when_garbage_is_collected_between(m: Matcher) -> None:
    for path, value in (("/literal/one", "one"), ("/literal/two", ["two"])) * 3:
        assert m.match("GET", path) == (value, {})
        gc.collect()


def test_a_matcher_that_is_in_its_own_last_result_is_collected() -> None:
    class Value:
        pass

    value = Value()
    m = Matcher([("GET", "/literal/one", value)])
    value.matcher = m  # type: ignore[attr-defined]
    m.match("GET", "/literal/one")[1]["matcher"] = m
    gone = weakref.ref(value)
    del m, value
    gc.collect()
    assert gone() is None


def paths_that_hash_alike(count: int) -> list[str]:
    """Literal paths with one length and the same last eight bytes."""
    names = itertools.islice((f"{a}{b}{c}" for a in "abcdefgh" for b in "abcdefgh" for c in "abcdefgh"), count)
    return [f"/{name}/same-end" for name in names]


def test_literal_paths_that_end_alike_are_all_found() -> None:
    paths = paths_that_hash_alike(500)
    m = Matcher([("GET", path, path) for path in paths])
    for path in paths:
        assert m.match("GET", path) == (path, {})
        assert m.match("GET", path.replace("/same", "/lame")) is None


def test_a_literal_path_gives_way_to_a_template_that_has_the_method() -> None:
    m = Matcher([("GET", "/users/templates", "literal"), ("POST", "/users/{id}", "any")])
    assert m.match("GET", "/users/templates") == ("literal", {})
    assert m.match("POST", "/users/templates") == ("any", {"id": "templates"})
    assert m.match("PUT", "/users/templates") is None
    assert m.allowed("/users/templates") == {"GET", "POST"}


@pytest.mark.parametrize(
    ("template", "same", "other"),
    [
        ("/a%2Fb/long-enough", "/a%2fb/long-enough", "/a/b/long-enough"),
        ("/caf%C3%A9/long-enough", "/café/long-enough", "/cafe/long-enough"),
        ("/100%25/long-enough", "/100%25/long-enough", "/100%2525/long-enough"),
        ("/plain/long-enough", "/pl%61in/long-enough", "/pl%2561in/long-enough"),
    ],
)
def test_an_escaped_literal_is_compared_after_decoding(template: str, same: str, other: str) -> None:
    m = Matcher([("GET", template, 1), ("GET", "/unrelated/template", 2)])
    assert m.match("GET", template) == m.match("GET", same) == (1, {})
    assert m.match("GET", other) is None


def test_a_literal_path_with_predicates_needs_its_query() -> None:
    m = Matcher([("GET", "/reports/today?format=csv", "csv"), ("GET", "/reports/today", "any")])
    assert m.match("GET", "/reports/today", "format=csv") == ("csv", {})
    assert m.match("GET", "/reports/today", "format=pdf") == ("any", {})
    assert m.match("GET", "/reports/today") == ("any", {})


def test_the_slash_that_is_ignored_after_a_literal_path() -> None:
    m = Matcher([("GET", "/users/templates", 1), ("GET", "/users/{id}/", 2)], trailing_slash="ignore")
    assert m.match("GET", "/users/templates/") == (2, {"id": "templates"})
    assert m.match("GET", "/users/templates") == (1, {})
    strict = Matcher([("GET", "/users/templates", 1)], trailing_slash="ignore")
    assert strict.match("GET", "/users/templates/") == (1, {})
