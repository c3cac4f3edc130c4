"""What an obvious encoder writes comes back typed: location x type x shape x explode, in the default styles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from argument_door import Door, parameter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

LOCATIONS = ["path", "query", "header", "cookie"]
# Header values are not percent-encoded, so their texts are visible ASCII without the delimiters.
VISIBLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in ",=")


def texts(location: str) -> st.SearchStrategy[str]:
    if location == "header":
        return st.text(VISIBLE, min_size=1, max_size=20)
    smallest = 1 if location == "path" else 0
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=smallest, max_size=20)


def values(kind: str, location: str) -> st.SearchStrategy[Any]:
    strategies: dict[str, st.SearchStrategy[Any]] = {
        "integer": st.one_of(st.integers(-100, 100), st.integers(-(2**64), 2**64), st.integers(-(10**200), 10**200)),
        "number": st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)),
        "boolean": st.booleans(),
        "string": texts(location),
    }
    return strategies[kind]


def text_of(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def encoded(value: Any, location: str) -> str:
    return text_of(value) if location == "header" else quote(text_of(value), safe="")


def wire(value: Any, location: str, explode: bool) -> str:
    """The text of the parameter `p`: style simple for path and header, form for query and cookie."""
    form = location in ("query", "cookie")
    if isinstance(value, list):
        pieces = [encoded(item, location) for item in value]
        return (
            "&".join(f"p={piece}" for piece in pieces)
            if form and explode
            else ("p=" if form else "") + ",".join(pieces)
        )
    if isinstance(value, dict):
        pairs = [(encoded(name, location), encoded(item, location)) for name, item in value.items()]
        if explode:
            return ("&" if form else ",").join(f"{name}={item}" for name, item in pairs)
        return ("p=" if form else "") + ",".join(f"{name},{item}" for name, item in pairs)
    return ("p=" if form else "") + encoded(value, location)


def decoded(door: Door, location: str, text: str) -> Any:
    if location == "path":
        return door.path(f"/x/{text}")
    if location == "query":
        return door.query(text)
    return door.headers(("P", text)) if location == "header" else door.cookies(text.replace("&", "; "))


@contextmanager
def door_for(location: str, schema: Any, explode: bool) -> Iterator[Door]:
    door = Door(parameter("p", location, schema, explode=explode), path="/x/{p}" if location == "path" else "/x")
    yield door
    door.client.close()


def exact(found: Any, value: Any) -> bool:
    """Equal, and of equal types all the way down."""
    if isinstance(value, list):
        return isinstance(found, list) and len(found) == len(value) and all(map(exact, found, value))
    if isinstance(value, dict):
        return (
            isinstance(found, dict) and found.keys() == value.keys() and all(exact(found[k], value[k]) for k in value)
        )
    return type(found) is type(value) and found == value


def check(location: str, schema: Any, explode: bool, strategy: st.SearchStrategy[Any]) -> None:
    with door_for(location, schema, explode) as door:

        @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(value=strategy)
        def run(value: Any) -> None:
            found = decoded(door, location, wire(value, location, explode))
            assert isinstance(found, dict), found
            assert exact(found["p"], value), (found["p"], value)

        run()


@pytest.mark.parametrize("kind", ["integer", "number", "boolean", "string"])
@pytest.mark.parametrize("location", LOCATIONS)
def test_scalars(location: str, kind: str) -> None:
    check(location, {"type": kind}, False, values(kind, location))


@pytest.mark.parametrize("explode", [False, True])
@pytest.mark.parametrize("kind", ["integer", "number", "boolean", "string"])
@pytest.mark.parametrize("location", LOCATIONS)
def test_arrays(location: str, kind: str, explode: bool) -> None:
    # One empty text alone is written like no item at all, unless each item has a name of its own.
    alike = not (explode and location in ("query", "cookie"))
    lists = st.lists(values(kind, location), min_size=1, max_size=6).filter(lambda items: items != [""] or not alike)
    check(location, {"type": "array", "items": {"type": kind}}, explode, lists)


@pytest.mark.parametrize("explode", [False, True])
@pytest.mark.parametrize("location", LOCATIONS)
def test_objects(location: str, explode: bool) -> None:
    kinds = {"i": "integer", "b": "boolean", "s": "string", "n": "number"}
    schema = {"type": "object", "properties": {name: {"type": kind} for name, kind in kinds.items()}}
    objects = st.fixed_dictionaries({}, optional={name: values(kind, location) for name, kind in kinds.items()})
    check(location, schema, explode, objects.filter(bool))


@pytest.fixture(scope="module")
def several() -> Iterator[Door]:
    strings = {"type": "array", "items": {"type": "string"}}
    integers = {"type": "array", "items": {"type": "integer"}}
    members = {"type": "object", "additionalProperties": {"type": "integer"}}
    door = Door(
        parameter("limit", "query", {"type": "integer"}),
        parameter("tags", "query", strings),
        parameter("ids", "query", integers, explode=False),
        parameter("filter", "query", members, style="deepObject"),
    )
    yield door
    door.client.close()


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_several_parameters_do_not_disturb_each_other(several: Door, data: st.DataObject) -> None:
    sent = {
        "limit": data.draw(st.integers()),
        "tags": data.draw(st.lists(texts("query"), min_size=1, max_size=4)),
        "ids": data.draw(st.lists(st.integers(), min_size=1, max_size=4)),
        "filter": data.draw(st.dictionaries(st.sampled_from("abc"), st.integers(), min_size=1)),
    }
    pairs = [f"limit={sent['limit']}", "ids=" + ",".join(map(str, sent["ids"]))]
    pairs += [f"filter%5B{name}%5D={value}" for name, value in sent["filter"].items()]
    order = data.draw(st.permutations(pairs))
    at = data.draw(st.integers(0, len(order)))
    order[at:at] = ["tags=" + quote(tag, safe="") for tag in sent["tags"]]
    assert several.query("&".join(order)) == sent
