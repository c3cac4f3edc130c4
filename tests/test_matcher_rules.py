"""One test for each written rule of matching (csrc/brrt_matcher.h; OpenAPI 3.2 section 4.8.8; RFC 3986 2.1 and 3.3)."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from brrtrouter import Matcher


def matcher(*routes: str | tuple[str, str], **options: Any) -> Matcher:
    """A matcher whose values are the templates; routes are templates for GET or (method, template)."""
    pairs = [("GET", route) if isinstance(route, str) else route for route in routes]
    return Matcher([(method, template, (method, template)) for method, template in pairs], **options)


def found(m: Matcher, path: str | bytes, method: str = "GET", query: str | None = None) -> Any:
    result = m.match(method, path, query)
    return None if result is None else (result[0][1], *result[1].values())


# -- templates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "path", "captures"),
    [
        ("/", "/", {}),
        ("/pets", "/pets", {}),
        ("/pets/{id}", "/pets/42", {"id": "42"}),
        ("/compare/{base}...{head}", "/compare/main...topic", {"base": "main", "head": "topic"}),
        ("/files/{id}.json", "/files/7.json", {"id": "7"}),
        ("/files/{id}.json", "/files/a.json.json", {"id": "a.json"}),
        ("/ops/{name}:cancel", "/ops/build:cancel", {"name": "build"}),
        ("/f(a='{a}')", "/f(a='x')", {"a": "x"}),
        ("/f(a={a},b={b})", "/f(a=1,b=2)", {"a": "1", "b": "2"}),
        ("/users/@{me}", "/users/@ann", {"me": "ann"}),
        ("/$batch;v={v}~", "/$batch;v=2~", {"v": "2"}),
        ("/straße/{名}", "/straße/東京", {"名": "東京"}),
        ("/{x}é{y}", "/日é本", {"x": "日", "y": "本"}),
        ("/{a}{b}", "/日本", {"a": "日", "b": "本"}),
        ("/{a}{b}{c}", "/xyzw", {"a": "x", "b": "y", "c": "zw"}),
        ("/{a}/{b}/{c}", "/1/2/3", {"a": "1", "b": "2", "c": "3"}),
        ("/{a/b}", "/x", {"a/b": "x"}),
        ("/{a?b#c}", "/x", {"a?b#c": "x"}),
        ("/{a%20b}", "/x", {"a%20b": "x"}),
        ("/a//b", "/a//b", {}),
        ("/a/", "/a/", {}),
        ("//", "//", {}),
        ("/{id}/", "/7/", {"id": "7"}),
        ("/one-literal-longer-than-any-word/x", "/one-literal-longer-than-any-word/x", {}),
    ],
)
def test_every_legal_template_matches_its_paths(template: str, path: str, captures: dict[str, str]) -> None:
    m = Matcher([("GET", template, "v")])
    assert m.match("GET", path) == ("v", captures)
    assert m.match("GET", path.encode()) == ("v", captures)
    assert m.capture_names(0) == tuple(captures)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/pets", "/Pets"),
        ("/pets", "/pets/"),
        ("/pets/", "/pets"),
        ("/pets", "/pet"),
        ("/pets", "/petss"),
        ("/pets", "pets"),
        ("/pets", ""),
        ("/pets", "*"),
        ("/", "//"),
        ("/pets/{id}", "/pets"),
        ("/pets/{id}", "/pets/1/2"),
        ("/one-literal-longer-than-any-word", "/one-literal-longer-than-any-worD"),
        ("/one-literal-longer-than-any-word", "/one-Literal-longer-than-any-word"),
        ("/exactly8", "/exactly9"),
        ("/a\0", "/a"),
        ("/{a}...{b}", "/x...."[:-1]),
    ],
)
def test_other_paths_do_not_match(template: str, path: str) -> None:
    m = Matcher([("GET", template, "v")])
    assert m.match("GET", path) is None
    assert m.allowed(path) == frozenset()


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/{a}", "/"),
        ("/x/{a}/y", "/x//y"),
        ("/{a}.json", "/.json"),
        ("/v{a}", "/v"),
        ("/{a}-{b}", "/-b"),
        ("/{a}-{b}", "/a-"),
        ("/{a}{b}", "/x"),
    ],
)
def test_a_capture_is_never_empty(template: str, path: str) -> None:
    assert Matcher([("GET", template, "v")]).match("GET", path) is None


@pytest.mark.parametrize(
    ("template", "path", "captures"),
    [
        ("/{a}-{b}", "/1-2-3", ("1", "2-3")),
        ("/{a}-{b}", "/--x", ("-", "x")),
        ("/{a}-{b}", "/---", ("-", "-")),
        ("/{a}x{b}.json", "/1x2.json.json", ("1", "2.json")),
        ("/{a}-{b}-{c}", "/1-2-3-4", ("1", "2", "3-4")),
        ("/{a}{b}-{c}", "/--x-y-z", ("-", "-x", "y-z")),
        ("/ab{a}ab", "/ababab", ("ab",)),
    ],
)
def test_inside_a_segment_the_ends_are_anchored_and_literals_between_are_leftmost(
    template: str, path: str, captures: tuple[str, ...]
) -> None:
    assert found(matcher(template), path) == (template, *captures)


def test_templates_that_differ_in_names_only_merge_and_keep_their_own_names() -> None:
    m = Matcher([("GET", "/pets/{id}", 1), ("PUT", "/pets/{pet}", 2), ("DELETE", "/pets/{x}", 3)])
    assert [m.match(method, "/pets/7") for method in ("GET", "PUT", "DELETE")] == [
        (1, {"id": "7"}),
        (2, {"pet": "7"}),
        (3, {"x": "7"}),
    ]
    assert m.allowed("/pets/7") == {"GET", "PUT", "DELETE"}
    assert m.stats["nodes"] == 3


def test_values_may_be_anything_and_are_handed_back_themselves() -> None:
    values: list[Any] = [None, object(), [], "x"]
    m = Matcher([("GET", f"/{at}", value) for at, value in enumerate(values)])
    for at, value in enumerate(values):
        result = m.match("GET", f"/{at}")
        assert result is not None
        assert result[0] is value


# -- precedence -------------------------------------------------------------------------------------------------------


def test_a_literal_beats_a_mixed_segment_and_that_beats_a_bare_expression() -> None:
    for order in (["/{a}", "/x{a}", "/x1"], ["/x1", "/x{a}", "/{a}"], ["/x{a}", "/x1", "/{a}"]):
        m = matcher(*order)
        assert found(m, "/x1") == ("/x1",)
        assert found(m, "/x2") == ("/x{a}", "2")
        assert found(m, "/y2") == ("/{a}", "y2")


def test_of_two_mixed_segments_the_one_with_more_literal_characters_wins() -> None:
    for order in (["/{a}.json", "/{a}.tar.json"], ["/{a}.tar.json", "/{a}.json"]):
        assert found(matcher(*order), "/x.tar.json") == ("/{a}.tar.json", "x")


def test_literal_characters_are_counted_not_bytes() -> None:
    for order in (["/日{a}", "/{a}xy"], ["/{a}xy", "/日{a}"]):
        assert found(matcher(*order), "/日xy") == ("/{a}xy", "日")


def test_of_equal_mixed_segments_the_first_added_wins() -> None:
    assert found(matcher("/{a}-", "/-{a}"), "/---") == ("/{a}-", "--")
    assert found(matcher("/-{a}", "/{a}-"), "/---") == ("/-{a}", "--")


def test_precedence_is_decided_from_the_left() -> None:
    assert found(matcher("/{a}/b", "/a/{b}"), "/a/b") == ("/a/{b}", "b")
    assert found(matcher("/x{a}/{b}", "/{a}/b"), "/x1/b") == ("/x{a}/{b}", "1", "b")


def test_when_a_choice_fails_further_right_the_next_one_is_tried() -> None:
    m = matcher("/guilds/templates/{code}", "/guilds/{id}/audit-logs", "/guilds/{id}", "/guilds/t{id}/x")
    assert found(m, "/guilds/templates/abc") == ("/guilds/templates/{code}", "abc")
    assert found(m, "/guilds/templates/audit-logs") == ("/guilds/templates/{code}", "audit-logs")
    assert found(m, "/guilds/9/audit-logs") == ("/guilds/{id}/audit-logs", "9")
    assert found(m, "/guilds/templates") == ("/guilds/{id}", "templates")
    assert found(m, "/guilds/templates/x") == ("/guilds/templates/{code}", "x")
    assert found(m, "/guilds/teams/x") == ("/guilds/t{id}/x", "eams")
    assert found(m, "/guilds/teams/audit-logs") == ("/guilds/{id}/audit-logs", "teams")


def test_a_literal_that_leads_nowhere_gives_way_to_a_mixed_segment() -> None:
    m = matcher("/ab/x", "/a{m}/y")
    assert found(m, "/ab/y") == ("/a{m}/y", "b")


def test_captures_of_a_choice_that_failed_are_forgotten() -> None:
    m = matcher("/{a}-{b}/{c}/x", "/{d}/{e}/y")
    assert found(m, "/1-2/3/y") == ("/{d}/{e}/y", "1-2", "3")


def test_the_best_template_without_the_method_gives_way_to_the_next_one_that_has_it() -> None:
    m = matcher(("GET", "/a/b"), ("POST", "/a/{x}"), ("PUT", "/{y}/b"), ("PUT", "/a{z}/b"))
    assert found(m, "/a/b", "GET") == ("/a/b",)
    assert found(m, "/a/b", "POST") == ("/a/{x}", "b")
    assert found(m, "/a/b", "PUT") == ("/{y}/b", "a")
    assert found(m, "/a/b", "DELETE") is None
    assert m.allowed("/a/b") == {"GET", "POST", "PUT"}


# -- methods ----------------------------------------------------------------------------------------------------------


def test_methods_are_case_sensitive() -> None:
    m = matcher(("get", "/a"), ("GET", "/b"))
    assert found(m, "/a", "GET") is None
    assert found(m, "/a", "get") == ("/a",)
    assert m.allowed("/a") == {"get"}


@pytest.mark.parametrize(
    "method", ["M-SEARCH", "QUERY", "X", "AVERYLONGMETHODNAME", "VERSION-CONTROL", "!#$%&'*+-.^_`|~9"]
)
def test_any_token_is_a_method(method: str) -> None:
    m = matcher((method, "/a"), ("GET", "/a"))
    assert found(m, "/a", method) == ("/a",)
    assert m.allowed("/a") == {method, "GET"}
    assert found(m, "/a", method + "X") is None


def test_auto_head_answers_head_with_the_value_of_get() -> None:
    m = matcher(("GET", "/a"), ("POST", "/b"), ("GET", "/c"), ("HEAD", "/c"), auto_head=True)
    assert m.match("HEAD", "/a") == (("GET", "/a"), {})
    assert m.match("HEAD", "/c") == (("HEAD", "/c"), {})
    assert m.match("HEAD", "/b") is None
    assert m.allowed("/a") == m.allowed("/c") == {"GET", "HEAD"}
    assert m.allowed("/b") == {"POST"}


def test_auto_head_leaves_a_head_of_the_template_itself_alone_whatever_came_first() -> None:
    for order in ([("GET", "/a"), ("HEAD", "/a")], [("HEAD", "/a"), ("GET", "/a")]):
        assert matcher(*order, auto_head=True).match("HEAD", "/a") == (("HEAD", "/a"), {})


def test_auto_head_prefers_the_get_of_a_better_template_to_the_head_of_a_worse_one() -> None:
    m = matcher(("GET", "/a/b"), ("HEAD", "/a/{x}"), auto_head=True)
    assert found(m, "/a/b", "HEAD") == ("/a/b",)


def test_auto_head_is_off_by_default() -> None:
    m = matcher(("GET", "/a"))
    assert m.match("HEAD", "/a") is None
    assert m.allowed("/a") == {"GET"}


def test_auto_head_looks_at_templates_with_their_predicates() -> None:
    m = matcher(("GET", "/a"), ("HEAD", "/a?x=1"), auto_head=True)
    assert found(m, "/a", "HEAD", "") == ("/a",)
    assert found(m, "/a", "HEAD", "x=1") == ("/a?x=1",)


def test_auto_options_is_allowed_wherever_the_path_is_known() -> None:
    m = matcher(("GET", "/a"), ("OPTIONS", "/b"), auto_options=True)
    assert m.allowed("/a") == {"GET", "OPTIONS"}
    assert m.allowed("/b") == {"OPTIONS"}
    assert m.allowed("/c") == frozenset()


# -- percent encoding -------------------------------------------------------------------------------------------------


def test_an_escaped_slash_stays_inside_of_its_segment() -> None:
    m = matcher("/a/{x}", "/a/{x}/{y}")
    assert found(m, "/a/b%2Fc") == ("/a/{x}", "b/c")
    assert found(m, "/a/b%2fc/d") == ("/a/{x}/{y}", "b/c", "d")


def test_escapes_are_decoded_once() -> None:
    assert found(matcher("/{x}"), "/%2541") == ("/{x}", "%41")
    assert found(matcher("/%2541"), "/%2541") == ("/%2541",)
    assert found(matcher("/%2541"), "/A") is None


def test_a_literal_equals_its_escaped_form_on_either_side() -> None:
    for template in ("/~a", "/%7Ea", "/%7ea", "/~%61"):
        for path in ("/~a", "/%7Ea", "/%7ea", "/~%61"):
            assert found(matcher(template), path) == (template,)
    assert found(matcher("/é"), "/%C3%A9") == ("/é",)
    assert found(matcher("/%C3%A9"), "/é") == ("/%C3%A9",)


def test_literals_of_mixed_segments_may_be_escaped_in_the_path() -> None:
    assert found(matcher("/{a}.json"), "/x%2Ejson") == ("/{a}.json", "x")
    assert found(matcher("/{a}%2E{b}"), "/x.y") == ("/{a}%2E{b}", "x", "y")


def test_plus_is_literal_in_a_path() -> None:
    assert found(matcher("/{x}"), "/a+b") == ("/{x}", "a+b")


def test_escaped_braces_are_literal_text() -> None:
    assert found(matcher("/%7Bid%7D"), "/{id}") == ("/%7Bid%7D",)


def test_escapes_beside_raw_text_above_ascii() -> None:
    assert found(matcher("/{x}/{y}"), "/日%41/é%2F") == ("/{x}/{y}", "日A", "é/")


@pytest.mark.parametrize("length", [1, 7, 8, 9, 15, 16, 17, 1000, 1023, 1024, 1025, 5000, 100_000])
def test_captures_of_any_length_are_exact(length: int) -> None:
    m = matcher("/a/{x}/b/{y}")
    plain = "v" * length
    assert found(m, f"/a/{plain}/b/{plain}é") == ("/a/{x}/b/{y}", plain, plain + "é")
    assert found(m, f"/a/{plain}%2F/b/{plain}") == ("/a/{x}/b/{y}", plain + "/", plain)
    assert found(m, "/a/" + "%C3%A9" * length + "/b/x") == ("/a/{x}/b/{y}", "é" * length, "x")


# -- trailing slashes and empty segments ------------------------------------------------------------------------------


def test_a_trailing_slash_is_significant() -> None:
    m = matcher("/a", "/b/", "/{x}")
    assert found(m, "/a/") is None
    assert found(m, "/b") == ("/{x}", "b")


def test_trailing_slash_ignore_tries_one_more_or_less_when_nothing_matches() -> None:
    m = matcher("/", "/a", "/b/", "/c", "/c/", "/{x}/y", trailing_slash="ignore")
    assert found(m, "/a/") == ("/a",)
    assert found(m, "/b") == ("/b/",)
    assert found(m, "/c") == ("/c",)
    assert found(m, "/c/") == ("/c/",)
    assert found(m, "/1/y/") == ("/{x}/y", "1")
    assert found(m, "/a//") is None
    assert found(m, "/a%2F") is None
    assert found(m, "/") == ("/",)
    assert found(m, "//") == ("/",)
    assert found(matcher("//", trailing_slash="ignore"), "/") is None


def test_trailing_slash_ignore_counts_for_allowed_too() -> None:
    m = matcher(("GET", "/a"), ("POST", "/a/"), trailing_slash="ignore")
    assert m.allowed("/a") == m.allowed("/a/") == {"GET", "POST"}
    assert found(m, "/a", "POST") == ("/a/",)


def test_trailing_slash_ignore_reaches_the_deepest_template() -> None:
    template = "/a" * 64
    m = matcher(template, trailing_slash="ignore")
    assert found(m, template + "/") == (template,)
    assert found(m, template + "//") is None


def test_empty_segments_are_segments() -> None:
    m = matcher("/a/b", "/a//b", "//a", "/{x}//{y}")
    assert found(m, "/a//b") == ("/a//b",)
    assert found(m, "/a///b") is None
    assert found(m, "//a") == ("//a",)
    assert found(m, "/c//d") == ("/{x}//{y}", "c", "d")


# -- predicates and fragments -----------------------------------------------------------------------------------------


def test_predicates_choose_by_the_query() -> None:
    m = matcher("/a", "/a?x=1", "/a?x=2", "/a?x=1&y=2", "/a?z")
    assert found(m, "/a") == ("/a",)
    assert found(m, "/a", query="x=1") == ("/a?x=1",)
    assert found(m, "/a", query="q=9&x=2") == ("/a?x=2",)
    assert found(m, "/a", query="y=2&x=1") == ("/a?x=1&y=2",)
    assert found(m, "/a", query="x=3") == ("/a",)
    assert found(m, "/a", query="z=anything") == ("/a?z",)
    assert found(m, "/a", query=b"x=%31".decode()) == ("/a?x=1",)


def test_predicates_are_decoded_as_forms_are() -> None:
    m = matcher("/a?the+name=a%26b")
    assert found(m, "/a", query="the%20name=a%26b") == ("/a?the+name=a%26b",)
    assert found(m, "/a", query="the+name=a&b") is None


def test_a_path_without_the_query_that_all_its_templates_ask_for_is_unknown() -> None:
    m = matcher(("GET", "/a?x=1"), ("POST", "/a?x=2"))
    assert m.allowed("/a") == frozenset()
    assert m.allowed("/a", "x=1") == {"GET"}
    assert m.allowed("/a", b"x=1&x=2") == {"GET", "POST"}


def test_a_template_whose_query_is_missing_gives_way_to_the_next_one() -> None:
    assert found(matcher("/a?x=1", "/{p}"), "/a") == ("/{p}", "a")


def test_a_fragment_is_dropped_with_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"'/a#frag' is ignored"):
        m = matcher("/a#frag")
    assert found(m, "/a") == ("/a#frag",)


def test_a_warning_made_an_exception_leaves_routes_and_values_together() -> None:
    m = Matcher()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            m.add("GET", "/a#x", "a")
    m.add("GET", "/b", "b")
    m.freeze()
    assert m.match("GET", "/b") == ("b", {})
    assert m.match("GET", "/a") == ("a", {})


# -- the object -------------------------------------------------------------------------------------------------------


def test_add_then_freeze_is_the_same_as_giving_all_routes_at_once() -> None:
    m = Matcher()
    assert not m.is_frozen
    m.add("GET", "/a/{x}", 1)
    m.add("POST", "/a/{y}", 2)
    assert (len(m), m.routes) == (2, [("GET", "/a/{x}", 1), ("POST", "/a/{y}", 2)])
    assert repr(m) == "<Matcher with 2 routes, not frozen>"
    assert m.capture_names(1) == ("y",)
    m.freeze()
    m.freeze()
    assert m.is_frozen
    assert repr(m) == "<Matcher with 2 routes>"
    assert (len(m), m.routes) == (2, [("GET", "/a/{x}", 1), ("POST", "/a/{y}", 2)])
    assert m.capture_names(1) == ("y",)
    assert m.match("POST", "/a/1") == (2, {"y": "1"})
    assert m.stats["routes"] == 2
    assert m.stats["bytes"] > 0


@pytest.mark.parametrize("options", [{}, {"trailing_slash": "ignore", "auto_head": True, "auto_options": True}])
def test_without_routes_nothing_matches(options: dict[str, Any]) -> None:
    m = Matcher([], **options)
    assert len(m) == 0
    for path in ("/", "/a", "//", "", "/%41", "*"):
        assert m.match("GET", path) is None
        assert m.allowed(path) == frozenset()


def test_a_method_that_no_route_has_matches_nothing() -> None:
    m = matcher("/a")
    assert m.match("PATCH", "/a") is None
    assert m.match("", "/a") is None
    assert m.match("\ud800", "/a") is None
