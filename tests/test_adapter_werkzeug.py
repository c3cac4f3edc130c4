"""Werkzeug's map and the accelerated one answer alike: generated rules and requests, and an example of each rule."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

werkzeug = pytest.importorskip("werkzeug")

from werkzeug.exceptions import HTTPException  # noqa: E402
from werkzeug.routing import BaseConverter, Map, RequestRedirect, Rule, RuleFactory, Subdomain, Submount  # noqa: E402

from brrtrouter.adapters import werkzeug as adapter  # noqa: E402

SEGMENTS = [
    *["a", "b", "a.b", "é", "100%", "<{0}>", "<{0}>", "<int:{0}>", "<int(min=2):{0}>", "<int(signed=True):{0}>"],
    *["<float:{0}>", "<path:{0}>", "<any(a,b):{0}>", "<string(length=2):{0}>", "<string(minlength=0):{0}>"],
    *["v<{0}>", "<{0}>.<{1}>", "<{0}>-<int:{1}>", "<uuid:{0}>", "<odd:{0}>", "<two:{0}>", ""],
]
TEXTS = [
    "a",
    "b",
    "a.b",
    "",
    "é",
    "100%",
    "1",
    "2",
    "-3",
    "1.5",
    "va",
    "a-1",
    "ab",
    "a%2Fb",
    "%zz",
    "a\n",
    "\ud800",
    "xx",
]
TEXTS += ["12345678-1234-5678-1234-567812345678", "{0}", "?", "#", "..", "|"]
METHODS = ["GET", "POST", "HEAD", "OPTIONS", "BREW"]


class Odd(BaseConverter):
    """Takes what ends in a digit that is odd, and refuses the number 3 only when it converts."""

    regex = r"[^/]*[13579]"

    def to_python(self, value: str) -> Any:
        if value == "3":
            raise werkzeug.routing.ValidationError
        return [value]


class Two(BaseConverter):
    regex = "[^/]+/[^/]+"


CONVERTERS = {"odd": Odd, "two": Two}


def write(segments: list[str]) -> str:
    return "/" + "/".join(
        segment.replace("{0}", f"f{depth}").replace("{1}", f"g{depth}") for depth, segment in enumerate(segments)
    )


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "methods": st.sampled_from([["GET"], ["POST"], ["GET", "POST"], []]),
        "strict_slashes": st.booleans(),
        "merge_slashes": st.booleans(),
        "websocket": st.just(True),
        "subdomain": st.sampled_from(["", "api", "<sub>"]),
        "defaults": st.sampled_from([{"f0": "a"}, {"other": 1}]),
        "alias": st.booleans(),
        "redirect_to": st.just("elsewhere"),
        "build_only": st.just(True),
    },
)
RULES = st.tuples(st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=4).map(write), st.integers(0, 3), OPTIONS)
FEW_SEGMENTS = ["a", "b", "<{0}>", "<int:{0}>", "<path:{0}>", "<two:{0}>", "<{0}><{1}>", ""]
EVERY_SHORT_PATH = [
    "/" + "/".join(texts) + end for count in (1, 2, 3) for texts in product("ab1", repeat=count) for end in ("", "/")
]
PLAIN_RULES = st.tuples(
    st.lists(st.sampled_from(FEW_SEGMENTS), min_size=1, max_size=3).map(write),
    st.integers(0, 3),
    st.fixed_dictionaries({}, optional={"methods": st.sampled_from([["GET"], ["POST"], ["GET", "POST"]])}),
)
REQUESTS = st.tuples(
    st.builds(
        lambda start, texts: start + "/".join(texts),
        st.sampled_from(["/", "/", "/", "", "//"]),
        st.lists(st.sampled_from(TEXTS), max_size=5),
    ),
    st.sampled_from(METHODS),
    st.sampled_from([None, None, None, True]),
    st.sampled_from(["", "", "", "api", "else"]),
)


def make(kind: Callable[..., Map], rules: list[tuple[str, int, dict[str, Any]]], **options: Any) -> Map:
    url_map = kind(converters=CONVERTERS, **options)
    extend(url_map, rules)
    return url_map


def extend(url_map: Map, rules: list[tuple[str, int, dict[str, Any]]]) -> None:
    for text, endpoint, given_options in rules:
        keep = dict(given_options)
        if keep.get("websocket"):
            keep.pop("methods", None)
        if "defaults" in keep:
            keep["defaults"] = dict(keep["defaults"])
        with suppress(ValueError):  # a default that a converter cannot write
            url_map.add(Rule(text, endpoint=endpoint, **keep))


def ask(url_map: Map, path: str, method: str = "GET", websocket: bool | None = None, subdomain: str = "") -> Any:
    adapter_ = url_map.bind("example.com", subdomain=subdomain, query_args={"q": "1"})
    try:
        rule, values = adapter_.match(path, method, return_rule=True, websocket=websocket)
    except RequestRedirect as error:
        return "redirect", error.new_url
    except HTTPException as error:
        return type(error), sorted(getattr(error, "valid_methods", None) or ())
    except Exception as error:  # werkzeug fails to build some of the redirects; so must the other
        return type(error), str(error)
    return rule.rule, rule.endpoint, rule.subdomain, list(values.items())


def compare(rules: list[Any], requests: list[Any], later: list[Any], **options: Any) -> None:
    plain, ours = make(Map, rules, **options), make(adapter.Map, rules, **options)
    for more in ([], later):
        extend(plain, more)
        extend(ours, more)
        for request in requests:
            assert ask(ours, *request) == ask(plain, *request), request


MAP_OPTIONS = st.fixed_dictionaries({"strict_slashes": st.booleans(), "merge_slashes": st.booleans()})


@settings(max_examples=200, deadline=None)
@given(
    st.lists(RULES, max_size=7), st.lists(REQUESTS, min_size=1, max_size=12), st.lists(RULES, max_size=2), MAP_OPTIONS
)
def test_generated_rules_and_requests_have_the_answers_of_werkzeug(
    rules: list[Any], requests: list[Any], later: list[Any], options: dict[str, bool]
) -> None:
    compare(rules, requests, later, **options)


@settings(max_examples=120, deadline=None)
@given(st.lists(PLAIN_RULES, min_size=2, max_size=8), st.booleans())
def test_generated_rules_that_overlap_have_the_answers_of_werkzeug(rules: list[Any], strict: bool) -> None:
    compare(rules, [(path,) for path in EVERY_SHORT_PATH], [], strict_slashes=strict)


def url_map(*rules: RuleFactory, **options: Any) -> Map:
    return adapter.Map(rules, **options)


def test_a_static_part_goes_before_a_variable_and_an_int_before_a_string() -> None:
    ours = url_map(Rule("/<a>", endpoint=1), Rule("/<int:a>", endpoint=2), Rule("/7", endpoint=3))
    assert [ask(ours, path)[1] for path in ("/x", "/8", "/7")] == [1, 2, 3]


def test_a_rule_over_many_segments_goes_before_others_where_werkzeug_puts_it() -> None:
    behind = url_map(Rule("/a/<path:p>", endpoint=1), Rule("/<x>/b", endpoint=2))
    assert [ask(behind, path)[1] for path in ("/a/b", "/c/b")] == [1, 2]
    first = url_map(Rule("/<two:t>", endpoint=1), Rule("/<x>/b", endpoint=2), converters=CONVERTERS)
    assert ask(first, "/a/b")[3] == [("t", "a/b")]
    last = url_map(Rule("/<x>/b", endpoint=2), Rule("/<two:t>", endpoint=1), converters=CONVERTERS)
    assert ask(last, "/a/b")[3] == [("x", "a")]
    less = url_map(Rule("/a/<int:n>", endpoint=1), Rule("/<x>/b", endpoint=2))
    assert [ask(less, path)[1] for path in ("/a/1", "/a/b")] == [1, 2]
    assert ask(less, "/a/c")[0].code == 404


def test_a_path_without_the_slash_of_its_rule_is_redirected_before_a_variable_gets_it() -> None:
    ours = url_map(Rule("/a/", endpoint=1), Rule("/<x>", endpoint=2))
    assert ask(ours, "/a") == ("redirect", "http://example.com/a/?q=1")
    assert ask(ours, "/b")[1] == 2


def test_slashes_that_need_not_agree() -> None:
    ours = url_map(Rule("/a/", endpoint=1), Rule("/b", endpoint=2), Rule("/<x>/y", endpoint=3), strict_slashes=False)
    assert [ask(ours, path)[1] for path in ("/a", "/a/", "/b", "/b/", "/c/y", "/c/y/")] == [1, 1, 2, 2, 3, 3]


def test_slashes_are_merged_by_a_redirect() -> None:
    assert ask(url_map(Rule("/a/<b>", endpoint=1)), "//a///x") == ("redirect", "http://example.com/a/x?q=1")
    assert ask(url_map(Rule("/a/<b>", endpoint=1), merge_slashes=False), "/a//x")[0].code == 404


def test_a_value_that_a_converter_refuses_is_not_found() -> None:
    ours = url_map(Rule("/<int(max=5):a>", endpoint=1), Rule("/<b>", endpoint=2))
    assert ask(ours, "/9")[0].code == 404
    assert ask(ours, "/5")[3] == [("a", 5)]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_a_converter_is_asked_once(method: str) -> None:
    asked: list[str] = []

    class Item(BaseConverter):
        def to_python(self, value: str) -> Any:
            asked.append(value)
            raise werkzeug.routing.ValidationError

    answers = []
    for kind in (Map, adapter.Map):
        rules = [Rule("/<item:i>", endpoint=verb, methods=[verb]) for verb in ("GET", "DELETE")]
        answers.append(ask(kind(rules, converters={"item": Item}), "/x", method))
        answers.append(list(asked))
        asked.clear()
    assert answers[:2] == answers[2:]


def test_methods_that_are_not_allowed_are_named() -> None:
    ours = url_map(Rule("/a", endpoint=1, methods=["GET"]), Rule("/<x>", endpoint=2, methods=["PUT"]))
    error, methods = ask(ours, "/a", "POST")
    assert (error.code, methods) == (405, ["GET", "HEAD", "PUT"])
    assert ask(ours, "/a", "PUT")[1] == 2
    assert ask(ours, "/a", "HEAD")[1] == 1
    assert set(ours.bind("x").allowed_methods("/a")) == {"GET", "HEAD", "PUT"}


def test_methods_of_a_rule_that_are_changed_in_place_are_seen() -> None:
    rule = Rule("/<x>", endpoint=1, methods=["GET"])
    ours = url_map(rule)
    assert ask(ours, "/a")[1] == 1
    assert rule.methods is not None
    rule.methods.add("PUT")
    rule.methods.remove("GET")
    assert (ask(ours, "/a", "PUT")[1], ask(ours, "/a")[0].code) == (1, 405)


def test_rules_of_websockets_and_of_http_do_not_answer_for_each_other() -> None:
    ours = url_map(Rule("/a", endpoint=1, websocket=True), Rule("/b", endpoint=2), Rule("/<x>", endpoint=3))
    assert ask(ours, "/a", websocket=True)[1] == 1
    assert ask(ours, "/a")[1] == 3
    assert ask(ours, "/b", websocket=True)[0].code == 400


def test_slashes_of_websockets_and_of_http_are_told_apart() -> None:
    ours = url_map(Rule("/a/", endpoint=1, websocket=True), Rule("/a/", endpoint=2, methods=["PUT"]))
    plain = Map([Rule("/a/", endpoint=1, websocket=True), Rule("/a/", endpoint=2, methods=["PUT"])])
    for request in product(["/a", "/a/"], ["GET", "PUT"], [True, False]):
        assert ask(ours, *request) == ask(plain, *request), request
    assert ask(ours, "/a", websocket=True)[0] == "redirect"
    assert ask(ours, "/a")[0].code == 404


def test_hosts_and_subdomains() -> None:
    ours = url_map(Subdomain("api", [Rule("/<a>", endpoint=1)]), Rule("/<a>", endpoint=2, subdomain="<who>"))
    assert [ask(ours, "/x", subdomain=name)[1] for name in ("api", "jo")] == [1, 2]
    both = url_map(Rule("/a", endpoint=1, subdomain="api"), Rule("/b", endpoint=2, subdomain="<who>"))
    assert [ask(both, path, subdomain="api")[1] for path in ("/a", "/b")] == [1, 2]
    hosts = url_map(Rule("/", endpoint=1, host="a.com"), Rule("/", endpoint=2, host="<h>.org"), host_matching=True)
    assert [hosts.bind(host).match("/")[0] for host in ("a.com", "b.org")] == [1, 2]


def test_defaults_aliases_and_redirects() -> None:
    ours = url_map(
        Rule("/all/", endpoint="all", defaults={"page": 1}),
        Rule("/all/page/<int:page>", endpoint="all"),
        Rule("/old/<int:page>", endpoint="all", alias=True),
        Rule("/away/<page>", endpoint="away", redirect_to="all/page/<page>"),
    )
    assert ask(ours, "/all/")[3] == [("page", 1)]
    assert ask(ours, "/all/page/1") == ("redirect", "http://example.com/all/?q=1")
    assert ask(ours, "/old/2") == ("redirect", "http://example.com/all/page/2?q=1")
    assert ask(ours, "/away/2") == ("redirect", "http://example.com/all/page/2")


def test_urls_are_still_built() -> None:
    ours = url_map(Submount("/in", [Rule("/<int:a>", endpoint="it")]))
    assert ours.bind("example.com").build("it", {"a": 5}) == "/in/5"


@pytest.mark.parametrize("text", ["100%", "a%2Fb", "%41", "%", "é?#", "{x}"])
def test_a_decoded_path_is_not_decoded_again(text: str) -> None:
    ours = url_map(Rule("/x/<a>", endpoint=1), Rule("/A", endpoint=2), Rule("/100%", endpoint=3))
    assert ask(ours, f"/x/{text}")[3] == [("a", text)]
    assert (ask(ours, "/%41"), ask(ours, "/100%")[1]) == (ask(Map(), "/%41"), 3)


def test_a_rule_added_later_is_found() -> None:
    ours = url_map(Rule("/<a>", endpoint=1))
    assert ask(ours, "/x")[1] == 1
    ours.add(Rule("/x", endpoint=2))
    assert ask(ours, "/x")[1] == 2


def test_what_is_compiled_does_not_ask_the_state_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = url_map(
        Rule("/a/<b>", endpoint=1, methods=["GET"]),
        Rule("/a/<c>", endpoint=2, methods=["PUT"]),
        Rule("/n/<int:n>", endpoint=3),
        Rule("/s/", endpoint=4),
        Rule("/e/<e>", endpoint=5),
        Rule("/w/<w>", endpoint=6, websocket=True),
    )
    ours.update()
    monkeypatch.setattr(ours._matcher, "_root", type("Root", (), {"dynamic": ()}))
    assert ask(ours, "/a/x")[3] == [("b", "x")]
    assert ask(ours, "/a/x", "PUT")[3] == [("c", "x")]
    assert ask(ours, "/n/5", "BREW")[3] == [("n", 5)]
    assert ask(ours, "/s/")[1] == 4
    assert ask(ours, "/e/100%")[3] == [("e", "100%")]
    assert ask(ours, "/nowhere/at/all")[0].code == 404
    assert ask(ours, "/n/five")[0].code == 404
    assert ask(ours, "/s")[0] == "redirect"
    assert ask(ours, "/a/x", "DELETE")[1] == ["GET", "HEAD", "PUT"]
    assert ask(ours, "/w/x", websocket=True)[3] == [("w", "x")]
    assert ask(ours, "/w/x")[0].code == 400


def test_a_map_with_a_state_machine_of_its_own_is_refused() -> None:
    other = Map()
    other._matcher = type("Own", (), {"merge_slashes": True})()
    with pytest.raises(TypeError, match="Own"):
        adapter.accelerate(other)


def test_a_flask_app_is_accelerated_and_again() -> None:
    flask = pytest.importorskip("flask")
    app = flask.Flask("example")
    app.add_url_rule("/early/<int:n>", "early", lambda n: {"n": n})
    assert adapter.accelerate(adapter.accelerate(app)) is app
    app.add_url_rule("/late/", "late", lambda: flask.url_for("early", n=3), methods=["POST"])
    client = app.test_client()
    assert client.get("/early/7").json == {"n": 7}
    assert client.get("/early/x").status_code == 404
    assert client.post("/late/").text == "/early/3"
    assert client.options("/early/7").allow == {"GET", "HEAD", "OPTIONS"}
    assert client.get("/late/").status_code == 405
    assert client.post("/late").status_code == 308
    assert client.get("/static/no").status_code == 404
