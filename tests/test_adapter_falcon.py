"""Falcon's router and ours answer alike: generated routes and paths, and an example of each rule."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

falcon = pytest.importorskip("falcon")

from falcon import asgi, inspect, testing  # noqa: E402
from falcon.routing import BaseConverter, CompiledRouter  # noqa: E402

from brrtrouter.adapters.falcon import Router  # noqa: E402

SEGMENTS = [
    *["a", "b", "a.b", "", "é", "100%", "x-y", "{0}", "{0}", "{0:int}", "{0:int(min=2)}", "{0:float}", "{0:uuid}"],
    *["{0:path}", "{0:upper}", "v{0}", "{0}.{1}", "{0}-{1:int}", "{0:re('[ab]+')}", "a'b", "a\\tb"],
]
TEXTS = [
    "a",
    "b",
    "a.b",
    "",
    "é",
    "100%",
    "x-y",
    "1",
    "2",
    "-3",
    "1.5",
    "va",
    "a-1",
    "a-b",
    "a%2Fb",
    "%zz",
    " 1",
    "a\n",
]
TEXTS += ["12345678123456781234567812345678", "a'b", "a\tb", "{0}", "?", "#", ".", "..", "\ud800"]


class Resource:
    def on_get(self, req: Any, resp: Any, **fields: Any) -> None:
        resp.media = fields


class Upper(BaseConverter):
    """Refuses with an error of its own, which a router must not swallow or invent."""

    def convert(self, value: str) -> str | None:
        if value == "b":
            raise falcon.HTTPBadRequest(title="no b")
        return value.upper() if value.islower() else None


def write(segments: list[str]) -> str:
    """A template; the fields of one depth have one name, as falcon demands."""
    return "/" + "/".join(
        segment.replace("{0", f"{{f{depth}").replace("{1", f"{{g{depth}") for depth, segment in enumerate(segments)
    )


TEMPLATES = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=4).map(write)
FEW_SEGMENTS = ["a", "b", "{0}", "{0:int}", "{0:path}", "{0:upper}", "{0}{1}"]
FEW_TEMPLATES = st.lists(st.sampled_from(FEW_SEGMENTS), min_size=1, max_size=3).map(write)
EVERY_SHORT_PATH = [
    "/" + "/".join(texts) + end for count in (1, 2, 3) for texts in product("ab1", repeat=count) for end in ("", "/")
]
PATHS = st.builds(
    lambda start, texts: start + "/".join(texts),
    st.sampled_from(["/", "/", "/", "", "//"]),
    st.lists(st.sampled_from(TEXTS), max_size=5),
)


def add(router: CompiledRouter, template: str, resource: object) -> str | None:
    try:
        router.add_route(template, resource)
    except ValueError as error:
        return str(error)
    return None


def ask(router: CompiledRouter, path: str) -> Any:
    try:
        found = router.find(path)
    except (SyntaxError, falcon.HTTPError) as error:
        return type(error)
    return found and (found[0], list(found[2].items()), found[3])


def routers(*templates: str) -> tuple[CompiledRouter, Router]:
    """Both with the same routes; those that falcon refuses are refused by both."""
    plain, ours = CompiledRouter(), Router()
    for router in (plain, ours):
        router.options.converters["upper"] = Upper
    for template in templates:
        resource = Resource()
        assert add(plain, template, resource) == add(ours, template, resource)
    return plain, ours


@settings(max_examples=250, deadline=None)
@given(st.lists(TEMPLATES, max_size=8), st.lists(PATHS, min_size=1, max_size=12), st.lists(TEMPLATES, max_size=2))
def test_generated_routes_and_paths_have_the_answers_of_falcon(
    templates: list[str], paths: list[str], later: list[str]
) -> None:
    plain, ours = routers(*templates)
    for template in ("", *later):
        if template:
            resource = Resource()
            assert add(plain, template, resource) == add(ours, template, resource)
        for path in paths:
            assert ask(ours, path) == ask(plain, path), path


@settings(max_examples=200, deadline=None)
@given(st.lists(FEW_TEMPLATES, min_size=2, max_size=8))
def test_generated_routes_that_overlap_have_the_answers_of_falcon(templates: list[str]) -> None:
    plain, ours = routers(*templates)
    for path in EVERY_SHORT_PATH:
        assert ask(ours, path) == ask(plain, path), path


@pytest.mark.parametrize(
    ("templates", "path", "template", "fields"),
    [
        (["/{a}", "/x"], "/x", "/x", {}),
        (["/{a}.json", "/{b}"], "/x.json", "/{a}.json", {"a": "x"}),
        (["/{a}.json", "/{b}"], "/x.xml", "/{b}", {"b": "x.xml"}),
        (["/{a}-{b}", "/{c}"], "/1-2-3", "/{a}-{b}", {"a": "1-2", "b": "3"}),
        (["/{a:int}/x"], "/7/x", "/{a:int}/x", {"a": 7}),
        (["/{a:int}/x"], "/seven/x", None, None),
        (["/x/{a}", "/{b}/y/z"], "/x/y/z", "/{b}/y/z", {"b": "x"}),
        (["/a/{x:int}", "/{y}/b"], "/a/b", "/{y}/b", {"y": "a"}),
        (["/a/{x:int}", "/{y}/b"], "/a/c", None, None),
        (["/{p:path}"], "/a/b", "/{p:path}", {"p": "a/b"}),
        (["/a/{p:path}", "/{y}/b"], "/a/b", "/a/{p:path}", {"p": "b"}),
        (["/a/{p:path}", "/{y}/b"], "/c/b", "/{y}/b", {"y": "c"}),
        (["/a/{x}"], "/a/", "/a/{x}", {"x": ""}),
        (["/a/{x}", "/{y}/"], "/a/", "/a/{x}", {"x": ""}),
        (["/a/{x}"], "/a/100%", "/a/{x}", {"x": "100%"}),
        (["/a/{x}"], "/a/b%2Fc", "/a/{x}", {"x": "b%2Fc"}),
        (["/a%2Fb"], "/a/b", None, None),
        (["/a\\tb"], "/a\tb", "/a\\tb", {}),
        (["/a"], "//a", "/a", {}),
    ],
)
def test_rules_of_falcon(templates: list[str], path: str, template: str | None, fields: dict[str, Any] | None) -> None:
    plain, ours = routers(*templates)
    found = ours.find(path)
    assert (found and found[3], found and found[2]) == (template, fields)
    assert ask(plain, path) == ask(ours, path)


def test_what_is_compiled_does_not_ask_falcon(monkeypatch: pytest.MonkeyPatch) -> None:
    _, ours = routers("/a/{x}", "/a/b", "/{y:int}/c", "/{z}.json")
    ours.find("/")
    monkeypatch.setattr(ours, "_find", None)
    for path in ("/a/b", "/a/1", "/7/c", "/q.json", "/nowhere", "/a/é", "/a/100%"):
        ours.find(path)
    assert ours.find("/a/100%")[2] == {"x": "100%"}  # type: ignore[index]


def test_a_route_added_later_is_found() -> None:
    _, ours = routers("/{x}")
    assert ours.find("/a")[3] == "/{x}"  # type: ignore[index]
    ours.add_route("/a", Resource())
    assert ours.find("/a")[3] == "/a"  # type: ignore[index]
    ours.add_route("/b", Resource(), compile=True)
    assert ours.find("/b")[3] == "/b"  # type: ignore[index]


def test_a_route_added_twice_has_the_last_resource() -> None:
    _, ours = routers("/a", "/{x}")
    last = Resource()
    ours.add_route("/a", last)
    assert ours.find("/a")[0] is last  # type: ignore[index]


def test_a_route_that_is_refused_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _, ours = routers("/a/{x}")
    ours.find("/")
    monkeypatch.setattr(ours, "_find", None)
    with pytest.raises(ValueError, match="conflicts"):
        ours.add_route("/a/{y}/b", Resource())
    assert ours.find("/a/1")[2] == {"x": "1"}  # type: ignore[index]


def test_methods_that_a_resource_lacks_stay_with_the_app() -> None:
    client = testing.TestClient(falcon.App(router=Router()))
    client.app.add_route("/items/{item}", Resource())
    assert client.simulate_get("/items/a%2Bb").json == {"item": "a+b"}
    assert client.simulate_post("/items/1").status_code == 405
    assert client.simulate_options("/items/1").headers["allow"] == "GET"
    assert client.simulate_get("/nowhere").status_code == 404


def test_it_serves_an_asgi_app() -> None:
    class Async:
        async def on_get(self, req: Any, resp: Any, item: int) -> None:
            resp.media = item

    app = asgi.App(router=Router())
    app.add_route("/items/{item:int}", Async())
    client = testing.TestClient(app)
    assert client.simulate_get("/items/7").json == 7
    assert client.simulate_get("/items/x").status_code == 404


def test_falcon_can_inspect_it() -> None:
    app = falcon.App(router=Router())
    app.add_route("/items/{item}", Resource())
    assert [route.path for route in inspect.inspect_routes(app)] == ["/items/{item}"]
