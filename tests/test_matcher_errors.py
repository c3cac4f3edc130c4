"""What is refused, and in which words: RouteError names the template (and the other one), PathError the path."""

from __future__ import annotations

from typing import Any

import pytest

from brrtrouter import BrrtError, Matcher, PathError, RouteError

# -- templates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("", "does not start with '/'"),
        ("a", "does not start with '/'"),
        ("?x=1", "does not start with '/'"),
        ("/{", "brace"),
        ("/{a", "brace"),
        ("/a}", "brace"),
        ("/{a}}", "brace"),
        ("/{{a}}", "brace"),
        ("/{a{b}}", "brace"),
        ("/{a/b", "brace"),
        ("/{}", "expression without a name"),
        ("/x{}y", "expression without a name"),
        ("/{a}/{a}", "same name twice"),
        ("/{a}-{a}", "same name twice"),
        ("/%", "bad percent escape"),
        ("/a%2", "bad percent escape"),
        ("/a%zz/b", "bad percent escape"),
        ("/{a}%g0", "bad percent escape"),
        ("/%{a}41", "bad percent escape"),
        ("/%2{a}", "bad percent escape"),
        ("/%ff", "not UTF-8"),
        ("/%c3/%a9", "not UTF-8"),
        ("/{a}%C3{b}%A9", "not UTF-8"),
        ("/%ED%A0%80", "not UTF-8"),
        ("/a?x=%zz", "bad percent escape"),
        ("/a?%ff", "not UTF-8"),
    ],
)
def test_a_malformed_template_is_refused_by_name(template: str, reason: str) -> None:
    with pytest.raises(RouteError) as caught:
        Matcher([("GET", "/fine", 1), ("PUT", template, 2)])
    assert reason in str(caught.value)
    assert repr(template) in str(caught.value)
    assert "PUT" in str(caught.value)


def test_a_template_with_a_lone_surrogate_is_refused_by_name() -> None:
    with pytest.raises(RouteError, match=r"PUT '/\\ud800' holds a lone surrogate"):
        Matcher([("PUT", "/\ud800", 1)])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/pets/{id}", "/pets/{name}"),
        ("/pets", "/pets"),
        ("/pets", "/%70ets"),
        ("/{a}-{b}", "/{x}-{y}"),
        ("/{a}.json", "/{b}%2Ejson"),
        ("/a?x=1&y=2", "/a?y=2&x=1"),
        ("/a?x=1", "/a?x=1&x=1"),
        ("/a?x&x=1", "/a?x=1"),
        ("/a?x=%31", "/a?x=1"),
        ("/a", "/a?"),
        ("/a", "/a?&&"),
    ],
)
def test_templates_for_the_same_requests_collide_and_both_are_named(first: str, second: str) -> None:
    for one, two in ((first, second), (second, first)):
        with pytest.raises(RouteError) as caught:
            Matcher([("GET", one, 1), ("GET", two, 2)])
        assert f"{two!r} matches the same paths with the same method as {one!r} (GET)" in str(caught.value)
        Matcher([("GET", one, 1), ("POST", two, 2)])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/{a}", "/{a}/"),
        ("/{a}{b}", "/{a}"),
        ("/a{b}", "/{a}b"),
        ("/a?x", "/a?x="),
        ("/a?x=1", "/a?x=2"),
        ("/a%2Fb", "/a/b"),
    ],
)
def test_templates_that_some_request_tells_apart_do_not_collide(first: str, second: str) -> None:
    assert len(Matcher([("GET", first, 1), ("GET", second, 2)])) == 2


def test_route_errors_are_value_errors_of_the_family() -> None:
    assert issubclass(RouteError, ValueError)
    assert issubclass(RouteError, BrrtError)
    assert issubclass(PathError, ValueError)
    assert issubclass(PathError, BrrtError)


def test_after_a_refusal_the_matcher_goes_on() -> None:
    m = Matcher()
    m.add("GET", "/a", 1)
    for template in ("/a", "/{", "/x/{y}/%zz"):
        with pytest.raises(RouteError):
            m.add("GET", template, 0)
    m.add("GET", "/b", 2)
    m.freeze()
    assert (m.match("GET", "/a"), m.match("GET", "/b")) == ((1, {}), (2, {}))


# -- limits -----------------------------------------------------------------------------------------------------------


def test_a_template_has_at_most_64_segments() -> None:
    m = Matcher([("GET", "/a" * 64, 1), ("GET", "/{a/b/c}" + "/x" * 63, 2)])
    assert m.match("GET", "/a" * 64) == (1, {})
    assert m.match("GET", "/a" * 65) is None
    with pytest.raises(RouteError, match=r"(?s)/a/a.*more segments than the limit of 64"):
        Matcher([("GET", "/a" * 65, 1)])


def test_a_template_has_at_most_32_expressions() -> None:
    names = [f"n{at}" for at in range(33)]
    template = "/" + "-".join(f"{{{name}}}" for name in names[:32])
    values = {name: str(at) for at, name in enumerate(names[:32])}
    assert Matcher([("GET", template, 1)]).match("GET", "/" + "-".join(values.values())) == (1, values)
    with pytest.raises(RouteError, match=r"\{n32\}.*more expressions than the limit of 32"):
        Matcher([("GET", template + "/{n32}", 1)])


def test_a_template_has_at_most_32_predicates() -> None:
    query = "&".join(f"p{at}={at}" for at in range(32))
    assert Matcher([("GET", f"/a?{query}", 1)]).match("GET", "/a", query) == (1, {})
    with pytest.raises(RouteError, match=r"p32.*limit of 32"):
        Matcher([("GET", f"/a?{query}&p32=1", 1)])


def test_a_template_has_at_most_8192_bytes() -> None:
    longest = "/" + "a" * 8191
    assert Matcher([("GET", longest, 1)]).match("GET", longest) == (1, {})
    with pytest.raises(RouteError, match=r"aaa' \(GET\) is longer than the limit of 8,192 bytes"):
        Matcher([("GET", longest + "a", 1)])
    with pytest.raises(RouteError, match="longer"):
        Matcher([("GET", "/" + "é" * 4096, 1)])


@pytest.mark.parametrize("options", [{}, {"auto_head": True}])
def test_a_matcher_has_at_most_32_methods_of_which_one_is_head(options: dict[str, Any]) -> None:
    m = Matcher(**options)
    for method in ("GET", *(f"M{at}" for at in range(30))):
        m.add(method, "/a", method)
    with pytest.raises(RouteError, match=r"'/b' \(M30\) brings more distinct methods than the limit of 32"):
        m.add("M30", "/b", 1)
    m.add("M29", "/b", 2)
    if not options:
        m.add("HEAD", "/c", 3)
    m.freeze()
    assert m.match("M29", "/b") == (2, {})
    assert m.allowed("/a") >= {"GET", "M29"}
    assert m.match("HEAD", "/a") == (("GET", {}) if options else None)


@pytest.mark.parametrize("method", ["", "GE T", "GET\n", "a(b", "É", "x\0y", "a" * 256, '"', "a/b"])
def test_a_method_is_a_token(method: str) -> None:
    with pytest.raises(RouteError, match=r"'/a'(?s:.*)has a method that is not a token"):
        Matcher([(method, "/a", 1)])


# -- paths ------------------------------------------------------------------------------------------------------------

BAD_PATHS: list[tuple[str | bytes, str]] = [
    ("/%", "percent"),
    ("/a%", "percent"),
    ("/a%2", "percent"),
    ("/a%g1", "percent"),
    ("/a%1g/b", "percent"),
    ("/a%/2F", "percent"),
    ("/%%41", "percent"),
    (b"/\xff", "UTF-8"),
    (b"/a\xc3", "UTF-8"),
    (b"/\xed\xa0\x80", "UTF-8"),
    (b"/\xc0\xaf", "UTF-8"),
    ("/%ff", "UTF-8"),
    ("/%c3", "UTF-8"),
    ("/%c3/%a9", "UTF-8"),
    ("/%ED%A0%80", "UTF-8"),
    (b"/\xc3%a9\xff", "UTF-8"),
    ("/\udc80", "lone surrogate"),
]


@pytest.mark.parametrize(("path", "reason"), BAD_PATHS)
@pytest.mark.parametrize("tail", ["", "/tail", "/x" * 100, "/" + "y" * 2000])
def test_a_malformed_path_is_an_error_wherever_it_is_and_however_long(
    path: str | bytes, reason: str, tail: str
) -> None:
    whole = path + tail.encode() if isinstance(path, bytes) else path + tail
    m = Matcher([("GET", "/{a}", 1), ("GET", "/b/c", 2)])
    for call in (lambda: m.match("GET", whole), lambda: m.allowed(whole), lambda: m.visits("GET", whole)):
        with pytest.raises(PathError, match=reason) as caught:
            call()
        assert ascii(whole) in str(caught.value)


def test_a_malformed_path_is_an_error_for_a_method_that_nobody_has_too() -> None:
    with pytest.raises(PathError):
        Matcher([("GET", "/a", 1)]).match("PATCH", "/a%")


def test_utf8_cut_by_an_escape_is_put_together() -> None:
    assert Matcher([("GET", "/{a}", 1)]).match("GET", b"/\xc3%a9") == (1, {"a": "é"})


def test_a_query_with_a_lone_surrogate_is_named_as_the_query() -> None:
    m = Matcher([("GET", "/a", 1)])
    with pytest.raises(PathError, match="the query"):
        m.match("GET", "/a", "\ud800")
    with pytest.raises(TypeError, match="a query is str or bytes"):
        m.allowed("/a", 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [None, 5, ["/a"], bytearray(b"/a")])
def test_a_path_is_str_or_bytes(path: Any) -> None:
    with pytest.raises(TypeError, match="a path is str or bytes"):
        Matcher([("GET", "/a", 1)]).match("GET", path)


@pytest.mark.parametrize("method", [None, b"GET", 5])
def test_a_method_is_str(method: Any) -> None:
    with pytest.raises(TypeError):
        Matcher([("GET", "/a", 1)]).match(method, "/a")
    with pytest.raises(TypeError):
        Matcher().add(method, "/a", 1)


# -- states -----------------------------------------------------------------------------------------------------------


def test_nothing_is_matched_before_freeze() -> None:
    m = Matcher()
    m.add("GET", "/a", 1)
    for call in (lambda: m.match("GET", "/a"), lambda: m.allowed("/a"), lambda: m.visits("GET", "/a"), lambda: m.stats):
        with pytest.raises(RouteError, match="before freeze"):
            call()


def test_nothing_is_added_after_freeze_and_the_template_is_named() -> None:
    m = Matcher([("GET", "/a", 1)])
    with pytest.raises(RouteError, match=r"'/late' was added after freeze"):
        m.add("GET", "/late", 1)


def test_trailing_slash_is_one_of_two() -> None:
    with pytest.raises(ValueError, match="'strict' or 'ignore', not 'redirect'"):
        Matcher(trailing_slash="redirect")  # type: ignore[arg-type]


def test_an_error_of_the_iterable_of_routes_is_passed_on() -> None:
    def routes() -> Any:
        yield "GET", "/a", 1
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Matcher(routes())


@pytest.mark.parametrize("number", [-1, 1, 10**9])
def test_capture_names_of_a_route_that_is_not_there(number: int) -> None:
    m = Matcher()
    m.add("GET", "/{a}", 1)
    with pytest.raises(IndexError):
        m.capture_names(number)
    m.freeze()
    with pytest.raises(IndexError):
        m.capture_names(number)
