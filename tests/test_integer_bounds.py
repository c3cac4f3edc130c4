"""Integers between bounds are judged without the validator: the answers have to be those of plain arithmetic."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from brrtrouter import App, Request
from brrtrouter.testing import TestClient

# Where a word of 64 bits, or the 62 of a bound that is compared as one, ends.
EDGES = [sign * 2**bits + near for sign in (-1, 1) for bits in (62, 63, 64) for near in (-1, 0, 1)]
integers = st.one_of(st.integers(-5, 5), st.sampled_from(EDGES))
HOLDS = {
    "minimum": int.__ge__,
    "maximum": int.__le__,
    "exclusiveMinimum": int.__gt__,
    "exclusiveMaximum": int.__lt__,
}


async def show(request: Request) -> dict[str, int]:
    return {"n": request.path_params["n"], "q": request.query["q"]}


def client(schema: dict[str, Any]) -> TestClient:
    parameters = [
        {"name": "n", "in": "path", "required": True, "schema": {"type": "integer", **schema}},
        {"name": "q", "in": "query", "required": True, "schema": {"type": "integer", **schema}},
    ]
    operation = {"operationId": "show", "parameters": parameters, "responses": {"200": {"description": ""}}}
    document = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/x/{n}": {"get": operation}}}
    return TestClient(App(document, {"show": show}))


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(HOLDS)), integers, max_size=4),
    st.lists(integers, min_size=1, max_size=8),
)
@example({"maximum": 5}, [-(2**63), -(2**63) - 1, 5, 6])
@example({"minimum": -5}, [2**63 - 1, 2**63, -5, -6])
@example({"exclusiveMinimum": 1, "minimum": 2, "exclusiveMaximum": 4, "maximum": 3}, [1, 2, 3, 4])
def test_an_integer_is_accepted_when_every_bound_holds(bounds: dict[str, int], values: list[int]) -> None:
    asked = client(bounds)
    for value in values:
        broken = {keyword for keyword, bound in bounds.items() if not HOLDS[keyword](value, bound)}
        answer = asked.get(f"/x/{value}?q={value}")
        assert answer.status == (400 if broken else 200), (bounds, value)
        if broken:
            faults = {(fault["location"], fault["keyword"]) for fault in answer.json()["errors"]}
            assert faults == {(place, keyword) for place in ("path", "query") for keyword in broken}
        else:
            assert answer.json() == {"n": value, "q": value}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"minimum": 1, "multipleOf": 5}, 5, 6),
        ({"minimum": 1.5}, 2, 1),
        ({"maximum": 10, "enum": [1, 20]}, 1, 20),
        ({"maximum": 10, "not": {"const": 3}}, 4, 3),
    ],
)
def test_bounds_beside_other_keywords_are_not_all_that_counts(schema: dict[str, Any], good: int, bad: int) -> None:
    asked = client(schema)
    assert asked.get(f"/x/{good}?q={good}").status == 200
    assert asked.get(f"/x/{bad}?q={bad}").status == 400
