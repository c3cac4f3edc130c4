"""Django resolves alike with and without the index: generated patterns and paths, and an example of each semantic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

django = pytest.importorskip("django")

from django.conf import settings as django_settings  # type: ignore[import-untyped]  # noqa: E402

if not django_settings.configured:
    django_settings.configure(
        ROOT_URLCONF=ModuleType("urls"), LANGUAGE_CODE="en", LANGUAGES=[("en", "English"), ("de", "Deutsch")]
    )
    django.setup()

from django.conf.urls.i18n import i18n_patterns  # type: ignore[import-untyped]  # noqa: E402
from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]  # noqa: E402
from django.test import RequestFactory, override_settings  # type: ignore[import-untyped]  # noqa: E402
from django.urls import Resolver404, URLResolver, get_resolver, include, path, re_path, resolve, reverse  # type: ignore[import-untyped]  # noqa: E402
from django.urls.converters import register_converter  # type: ignore[import-untyped]  # noqa: E402
from django.urls.resolvers import RegexPattern, URLPattern  # type: ignore[import-untyped]  # noqa: E402
from django.utils.functional import lazy  # type: ignore[import-untyped]  # noqa: E402
from django.utils.translation import get_language, override  # type: ignore[import-untyped]  # noqa: E402

from brrtrouter.adapters.django import accelerate, restore  # noqa: E402


class NoFour:
    """A converter of the user: refuses 4, and raises for 5 as no converter should."""

    regex = "[0-9]"

    def to_python(self, value: str) -> int:
        if value == "5":
            raise LookupError(value)
        if value == "4":
            raise ValueError
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


class Pair:
    regex = "[^/]+/[^/]+"

    def to_python(self, value: str) -> list[str]:
        return value.split("/")

    def to_url(self, value: list[str]) -> str:
        return "/".join(value)


register_converter(NoFour, "nofour")
register_converter(Pair, "pair")


def view(request: Any, *args: Any, **kwargs: Any) -> None:
    """Never called."""


PARTS = [
    *["a", "b", "a.b", "é", "100%", "<{0}>", "<str:{0}>", "<int:{0}>", "<slug:{0}>", "<uuid:{0}>", "<path:{0}>"],
    *["v<int:{0}>", "<str:{0}>.<str:{1}>", "<nofour:{0}>", "<pair:{0}>", "", "<str:same>", "<int:same>"],
]
EXPRESSIONS = [
    *[
        "a",
        "b",
        r"a\.b",
        r"(?P<{0}>[^/]+)",
        r"(?P<{0}>[^/.]+)",
        r"(?P<{0}>\d+)",
        r"(?P<{0}>[0-9]{4})",
        r"([^/]+)",
        r"(\w*)",
    ],
    *[
        r"(?P<{0}>.+)",
        r"v(?P<{0}>a|b)",
        r"(?P<{0}>[^/]*)",
        r"(?:(?P<{0}>\w+)-)?x",
        r"(?i:A)",
        r"\D+",
        r"(?P<{0}>a/b|b)",
        "a?",
    ],
]
STARTS = ["^", "^", "^", ""]
ENDS = ["$", "/$", "/?$", r"\Z", "", "/", r"\.(?P<format>[a-z]+)/?$"]
TEXTS = [
    "a",
    "b",
    "a.b",
    "",
    "é",
    "100%",
    "1",
    "4",
    "5",
    "2024",
    "v1",
    "va",
    "x",
    "a-x",
    "a%2Fb",
    "%zz",
    "A",
    "a\n",
    "\ud800",
]
TEXTS += ["12345678-1234-5678-1234-567812345678", "?", "#", "{0}", "..", "x.json"]
EXTRA = st.sampled_from([None, None, None, {}, {"same": 0}, {"extra": [1]}])


def name_fields(parts: list[str], level: int) -> str:
    return "/".join(
        part.replace("{0}", f"f{level}{depth}").replace("{1}", f"g{level}{depth}") for depth, part in enumerate(parts)
    )


def routes(level: int) -> st.SearchStrategy[str]:
    parts = st.lists(st.sampled_from(PARTS), max_size=3).map(lambda parts: name_fields(parts, level))
    return st.builds(str.__add__, parts, st.sampled_from(["/", "/", ""]))


def expressions(level: int) -> st.SearchStrategy[str]:
    parts = st.lists(st.sampled_from(EXPRESSIONS), max_size=3).map(lambda parts: name_fields(parts, level))
    return st.builds(lambda start, text, end: start + text + end, st.sampled_from(STARTS), parts, st.sampled_from(ENDS))


@st.composite
def patterns(draw: st.DrawFn, level: int = 0) -> list[Any]:
    found = []
    for number in range(draw(st.integers(0, 5))):
        kind, text = draw(
            st.one_of(st.tuples(st.just(path), routes(level)), st.tuples(st.just(re_path), expressions(level)))
        )
        inner: Any = view
        if level < 2 and draw(st.integers(0, 3)) == 0:
            children = draw(patterns(level + 1))
            inner = include((children, f"app{number}"), namespace=draw(st.sampled_from(["x", "y"])))
            if draw(st.booleans()):
                inner = include(children)
        with suppress(Exception):  # what Django does not accept at all
            pattern = kind(text, inner, draw(EXTRA), name=f"n{level}{number}" if inner is view else None)
            _ = pattern.pattern.regex
            found.append(pattern)
    return found


PATHS = st.builds(
    lambda start, texts: start + "/".join(texts),
    st.sampled_from(["/", "/", "/", "", "//"]),
    st.lists(st.sampled_from(TEXTS), max_size=6),
)


def ask(resolver: Any, asked: Any) -> Any:
    try:
        match = resolver.resolve(asked)
    except Resolver404 as error:
        return error.args
    except LookupError as error:
        return type(error), error.args
    return [
        *[repr(match), match.func, match.args, match.kwargs, match.url_name, match.app_names, match.namespaces],
        *[match.route, match.captured_kwargs, match.extra_kwargs, match.view_name, match._func_path, match.tried],
    ]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    restore()


def compare(resolver: Any, asked: Any) -> Any:
    """The answer of the resolver, which is Django's too."""
    restore()
    plain = ask(resolver, asked)
    accelerate()
    ours = ask(resolver, asked)
    assert ours == plain, asked
    return ours


def root(*urlpatterns: Any) -> Any:
    return URLResolver(RegexPattern(r"^/"), list(urlpatterns))


@settings(max_examples=100, deadline=None)
@given(patterns(), st.lists(PATHS, min_size=1, max_size=15), patterns())
def test_generated_patterns_and_paths_have_the_answers_of_django(
    urlpatterns: list[Any], paths: list[str], later: list[Any]
) -> None:
    resolver = URLResolver(RegexPattern(r"^/"), urlpatterns)
    for more in ([], later):
        urlpatterns += more
        for asked in paths:
            compare(resolver, asked)


FEW_PARTS = ["a", "b", "<{0}>", "<int:{0}>", "<slug:{0}>", "<path:{0}>", "<pair:{0}>", "<nofour:{0}>"]
EVERY_SHORT_PATH = [
    "/" + "/".join(texts) + end for count in (1, 2, 3) for texts in product("ab1", repeat=count) for end in ("", "/")
]
CONVERTED = st.lists(
    st.builds(
        lambda parts, end: name_fields(parts, 0) + end,
        st.lists(st.sampled_from(FEW_PARTS), min_size=1, max_size=3),
        st.sampled_from(["/", ""]),
    ),
    min_size=2,
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(CONVERTED)
def test_generated_routes_that_overlap_have_the_answers_of_django(texts: list[str]) -> None:
    resolver = root(*(path(text, view, name=text) for text in texts))
    for asked in EVERY_SHORT_PATH:
        compare(resolver, asked)


def test_the_first_pattern_in_the_list_wins() -> None:
    resolver = root(path("<str:any>/", view, name="any"), path("a/", view, name="a"), path("<int:n>", view, name="n"))
    assert [compare(resolver, asked)[4] for asked in ("/a/", "/7")] == ["any", "n"]


def test_a_pattern_goes_before_one_with_more_literals_or_fewer_segments() -> None:
    crossing = root(path("<str:y>/b", view, name="y"), path("a/<str:x>", view, name="x"))
    assert [compare(crossing, asked)[4] for asked in ("/a/b", "/a/c", "/c/b")] == ["y", "x", "y"]
    long = root(path("a/<path:p>", view, name="p"), path("<x>/b", view, name="x"), path("a/b/c", view, name="c"))
    assert [compare(long, asked)[4] for asked in ("/a/b", "/c/b", "/a/b/c")] == ["p", "x", "p"]


def test_a_text_that_a_converter_refuses_leaves_the_path_to_later_patterns() -> None:
    resolver = root(path("<int:n>/", view, name="n"), path("<slug:s>/", view, name="s"), path("<x>/", view, name="x"))
    assert [compare(resolver, asked)[4] for asked in ("/7/", "/a-b/", "/a b/")] == ["n", "s", "x"]
    assert compare(resolver, "/" + "1" * 5_000 + "/")[4] == "s"


def test_includes_hand_down_namespaces_arguments_and_routes() -> None:
    inner = [path("<int:id>/", view, {"extra": 2}, name="item"), re_path(r"^(?P<year>[0-9]{4})/$", view, name="year")]
    resolver = root(path("api/<slug:shop>/", include((inner, "shop"), namespace="s"), {"more": 1}))
    found = compare(resolver, "/api/x/7/")
    assert found[3] == {"shop": "x", "more": 1, "id": 7, "extra": 2}
    assert found[5:10] == [["shop"], ["s"], "api/<slug:shop>/<int:id>/", {"id": 7}, {"more": 1, "extra": 2}]


def test_unnamed_groups_are_positional() -> None:
    resolver = root(re_path(r"^(\d+)/", include([re_path(r"^(\w+)/$", view), re_path(r"^(?P<a>\W+)/$", view)])))
    assert compare(resolver, "/1/x/")[2] == ("1", "x")
    assert compare(resolver, "/1/-/")[2:4] == [(), {"a": "-"}]


def test_routes_that_depend_on_the_language_are_asked_each_time() -> None:
    translated = lazy(lambda: f"{get_language()}-route/", str)()
    urlpatterns = [*i18n_patterns(path("in/<int:n>/", view, name="i"), path("x/", view)), path("en/in/<str:s>/", view)]
    resolver = root(*urlpatterns, path(translated, view, name="t"))
    for language, asked, name in [("en", "/en/in/1/", "i"), ("de", "/de/in/1/", "i"), ("de", "/en/in/1/", None)]:
        with override(language):
            assert compare(resolver, asked)[4] == name
    for language, asked, name in [("en", "/en-route/", "t"), ("de", "/de-route/", "t")]:
        with override(language):
            assert compare(resolver, asked)[4] == name
    assert "tried" in compare(resolver, "/de-route/")[0]


def test_a_converter_of_a_prefix_is_asked_before_the_rest_is_known() -> None:
    resolver = root(path("<nofour:n>/", include([path("a/", view)])), path("<str:s>/b/", view))
    assert compare(resolver, "/5/b/") == (LookupError, ("5",))
    assert compare(resolver, "/4/b/")[3] == {"s": "4"}
    assert compare(resolver, "/3/b/")[3] == {"s": "3"}


def test_patterns_of_other_classes_are_asked() -> None:
    class Own(URLPattern):  # type: ignore[misc]
        def resolve(self, asked: str) -> Any:
            return super().resolve(asked.lower())

    own = path("a/", view, name="own")
    own.__class__ = Own
    assert compare(root(own, path("<x>/", view, name="x")), "/A/")[4] == "own"


@pytest.mark.parametrize("text", ["100%", "a%2Fb", "%41", "%", "é?#", "{x}"])
def test_a_decoded_path_is_not_decoded_again(text: str) -> None:
    resolver = root(path("x/<a>", view), path("A", view), path("100%", view, name="percent"))
    assert compare(resolver, f"/x/{text}")[3] == {"a": text}
    assert compare(resolver, "/100%")[4] == "percent"
    assert "tried" in compare(resolver, "/%41")[0]


def test_a_line_feed_at_the_end_is_where_django_sees_it() -> None:
    resolver = root(re_path(r"^a/$(?# odd)", view, name="a"), path("<x>/<y>", view, name="xy"))
    assert compare(resolver, "/a/\n")[4] == "a"
    assert compare(resolver, "/b/\n")[4] == "xy"


def test_expressions_that_take_more_than_their_letters_say() -> None:
    either = root(re_path(r"(?i)^A/$", view, name="A"), path("<x>/", view, name="x"))
    assert [compare(either, asked)[4] for asked in ("/a/", "/A/", "/b/")] == ["A", "A", "x"]
    empty = root(re_path(r"^a/(?P<x>[^/]*)$", view, name="x"), re_path(r"^b/?$", view, name="b"))
    assert [compare(empty, asked)[4] for asked in ("/a/", "/a/1", "/b", "/b/")] == ["x", "x", "b", "b"]


def test_urls_are_reversed_as_before() -> None:
    urls = ModuleType("urls")
    urls.urlpatterns = [path("a/<int:n>/", view, name="it")]  # type: ignore[attr-defined]
    accelerate()
    with override_settings(ROOT_URLCONF=urls):
        assert reverse("it", args=[5]) == "/a/5/"
        assert resolve("/a/5/").kwargs == {"n": 5}
        request = RequestFactory().get("/a/5/")
        assert get_resolver().resolve(request.path_info).view_name == "it"


def test_reversing_may_change_a_converter_of_an_include_that_is_used_twice() -> None:
    """Django hands the converters of an outer resolver down by name; that is then what a path is converted with."""
    deep = include(([path("x/", view, name="x")], "deep"))
    shared = [path("<str:a>/", deep)]
    resolver = root(path("one/<int:a>/", include(shared)), path("two/<str:b>/", include(shared)))
    before = compare(resolver, "/two/q/7/x/")[3]
    resolver._populate()
    after = compare(resolver, "/two/q/7/x/")[3]
    assert before == {"b": "q", "a": "7"}
    assert after["b"] == "q"


def test_a_pattern_added_later_is_found() -> None:
    inner = [path("a/", view, name="a")]
    outer = [path("in/", include(inner)), path("<path:rest>", view, name="rest")]
    resolver = URLResolver(RegexPattern(r"^/"), outer)
    assert compare(resolver, "/in/b/")[4] == "rest"
    inner.append(path("b/", view, name="b"))
    assert compare(resolver, "/in/b/")[4] == "b"
    outer.insert(0, path("in/b/", view, name="first"))
    assert compare(resolver, "/in/b/")[4] == "first"


def test_a_callback_that_is_replaced_is_seen() -> None:
    pattern = path("a/", view)
    resolver = root(pattern)
    compare(resolver, "/a/")
    pattern.callback = test_the_first_pattern_in_the_list_wins
    assert compare(resolver, "/a/")[1] is pattern.callback


def test_patterns_exchanged_in_place_are_seen_when_the_caches_are_cleared() -> None:
    below = [path("a/", view, name="a")]
    deep = [re_path(r"^.*x/", include(below))]
    for name in ("b", "c"):
        below[0] = path(f"{name}/", view, name=name)
        assert compare(root(*deep), f"/1x/{name}/")[4] == name


def test_a_resolver_with_other_patterns_for_each_request_is_asked() -> None:
    patterns = {language: [path(f"{language}/", view, name=language)] for language in ("en", "de")}

    class Translated(URLResolver):  # type: ignore[misc]
        @property
        def url_patterns(self) -> list[Any]:
            return patterns[get_language()]

    resolver = Translated(RegexPattern(r"^/"), [])
    for language in patterns:
        with override(language):
            assert compare(resolver, f"/{language}/")[4] == language


def test_what_is_wrong_in_a_list_is_met_where_django_meets_it() -> None:
    module = ModuleType("no_patterns")
    broken = path("broken/", include([]))
    broken.urlconf_name = module
    resolver = root(path("a/", view, name="a"), broken, "no pattern", path("b/", view, name="b"))
    assert compare(resolver, "/a/")[4] == "a"
    for resolve_it in (restore, accelerate):
        resolve_it()
        with pytest.raises(ImproperlyConfigured, match="no_patterns"):
            resolver.resolve("/broken/")
        with pytest.raises(AttributeError, match="resolve"):
            resolver.resolve("/b/")


def test_the_message_of_an_error_names_the_patterns() -> None:
    resolver = root(path("a/<int:n>/", view, name="a"))
    messages = []
    for resolve_it in (restore, accelerate):
        resolve_it()
        with pytest.raises(Resolver404) as raised:
            resolver.resolve("/b/")
        messages.append((str(raised.value), repr(raised.value)))
    assert messages[0] == messages[1]


def test_a_method_that_somebody_else_has_put_in_is_not_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    accelerate()
    ours = URLResolver.resolve

    def theirs(self: Any, asked: Any) -> Any:
        return ours(self, asked)

    with monkeypatch.context() as patch:
        patch.setattr(URLResolver, "resolve", theirs)
        restore()
        assert URLResolver.resolve is theirs


def test_what_is_compiled_does_not_try_the_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = root(*(path(f"x{n}/<int:n>/<str:s>", view, name=f"x{n}") for n in range(50)))
    compare(resolver, "/x0/1/a")
    monkeypatch.setattr(URLPattern, "resolve", None)
    match = resolver.resolve("/x49/1/100%")
    assert (match.url_name, match.kwargs) == ("x49", {"n": 1, "s": "100%"})


def test_recursive_includes_are_resolved() -> None:
    urlpatterns: list[Any] = [path("end/", view, name="end")]
    urlpatterns.append(path("again/", include(urlpatterns)))
    resolver = URLResolver(RegexPattern(r"^/"), urlpatterns)
    assert compare(resolver, "/again/again/again/end/")[4] == "end"
