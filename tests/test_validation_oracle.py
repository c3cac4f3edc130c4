"""Our verdicts and faults against other implementations, for random schemas and values.

The validator of `jsonschema_rs` is asked about the schema as it was written, and the Python package `jsonschema` is the
slow oracle.  The generator leaves out what they are known to judge differently, each for a reason that has nothing to
do with how a description is read:

* `format`: optional in JSON Schema, tested value by value in test_validation.py;
* patterns beyond the common subset of Python's `re` and ECMA-262: tested in test_spec_schema.py;
* `multipleOf` of fractions: binary floating point against exact decimals;
* members without a name: `jsonschema_rs` leaves them out of the place of an error.
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brrtrouter import App, Request
from brrtrouter.spec.load import load
from brrtrouter.spec.schema import Schema
from brrtrouter.testing import TestClient

oracle = pytest.importorskip("jsonschema", reason="the slow oracle is a package for tests only")

NAMES = st.sampled_from(["a", "b", "ab", "a/b", "c~d"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, -2.0, 10**25, 2**63]),
    st.sampled_from(["", "a", "b", "ab", "ää", "abc"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)
SMALL = st.integers(0, 3)
PATTERNS = st.sampled_from(["^a", "b$", "^[ab]+$", "."])
TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
DEFINITIONS = ("One", "Two")


def schemas(depth: int = 3) -> st.SearchStrategy[Any]:
    """Schemas of bounded depth, which may refer to `DEFINITIONS`."""
    inner = st.deferred(lambda: schemas(depth - 1)) if depth else st.booleans() | TYPES.map(lambda kind: {"type": kind})
    listed = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(NAMES, inner, max_size=3)
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "const": VALUES,
        "multipleOf": st.integers(1, 3),
        "minimum": SMALL,
        "maximum": SMALL,
        "exclusiveMinimum": SMALL,
        "exclusiveMaximum": SMALL,
        "minLength": SMALL,
        "maxLength": SMALL,
        "pattern": PATTERNS,
        "minItems": SMALL,
        "maxItems": SMALL,
        "uniqueItems": st.booleans(),
        "minProperties": SMALL,
        "maxProperties": SMALL,
        "required": st.lists(NAMES, max_size=2, unique=True),
        "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=2),
        "properties": named,
        "patternProperties": st.dictionaries(PATTERNS, inner, max_size=2),
        "additionalProperties": inner,
        "propertyNames": inner,
        "dependentSchemas": named,
        "items": inner,
        "prefixItems": listed,
        "contains": inner,
        "minContains": SMALL,
        "maxContains": SMALL,
        "allOf": listed,
        "anyOf": listed,
        "oneOf": listed,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "unevaluatedProperties": inner,
        "unevaluatedItems": inner,
        "$ref": st.sampled_from([f"#/components/schemas/{name}" for name in DEFINITIONS]),
    }
    some = st.lists(st.sampled_from(sorted(keywords)), max_size=4, unique=True)
    made = some.flatmap(lambda names: st.fixed_dictionaries({name: keywords[name] for name in names}))
    return made | st.booleans() if depth < 3 else made


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, dict[str, Any], list[Any]]:
    """A schema, the schemas that it may refer to (those refer to nothing), and a few values."""
    plain = schemas(1).map(_without_references)
    components = {name: draw(plain) for name in DEFINITIONS}
    return draw(schemas()), components, draw(st.lists(VALUES, min_size=1, max_size=6))


def _without_references(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {name: _without_references(item) for name, item in schema.items() if name != "$ref"}
    return [_without_references(item) for item in schema] if isinstance(schema, list) else schema


def described(schema: Any, components: dict[str, Any]) -> dict[str, Any]:
    operation = {
        "operationId": "put",
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/x": {"put": operation}},
        "components": {"schemas": components},
    }


def ours(schema: Any, components: dict[str, Any]) -> Schema | None:
    (operation,) = load(described(schema, components)).operations
    assert operation.request_body
    return operation.request_body.content[0].schema


def plain(schema: Any, components: dict[str, Any]) -> Any:
    return {**schema, "components": {"schemas": components}}


def bounded(examples: int) -> settings:
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))


@bounded(120)
@given(cases())
def test_verdicts_equal_those_of_both_implementations(case: tuple[Any, dict[str, Any], list[Any]]) -> None:
    schema, components, values = case
    mine = ours(schema, components)
    fast = jsonschema_rs.Draft202012Validator(plain(schema, components))
    slow = oracle.Draft202012Validator(plain(schema, components))
    for value in values:
        verdict = mine is None or mine.is_valid(value)
        assert verdict == fast.is_valid(value), (schema, value)
        assert verdict == slow.is_valid(value), (schema, value)


@bounded(120)
@given(cases())
def test_the_faults_are_those_of_the_validator(case: tuple[Any, dict[str, Any], list[Any]]) -> None:
    schema, components, values = case
    mine = ours(schema, components)
    if mine is None:
        return
    fast = jsonschema_rs.Draft202012Validator(plain(schema, components))
    for value in values:
        found = {(fault.pointer, _tail(fault.schema_path)) for fault in mine.faults(value, limit=1000)}
        expected = {_told(error) for error in fast.iter_errors(value)}
        assert _without_unevaluated(found) == _without_unevaluated(expected), (schema, value)
        # What no keyword has looked at is told alone: where something else is wrong, it follows from that.
        assert found <= expected
        assert bool(found) == bool(expected)


def _told(error: Any) -> tuple[str, str]:
    path = list(error.evaluation_path)
    # Names are judged as a whole: what in the schema for names refuses them is not told.
    if "propertyNames" in path:
        path = path[: path.index("propertyNames") + 1]
    return _pointer(error.instance_path), _tail(_pointer(path))


def _tail(schema_path: str) -> str:
    """The way from the last reference on: what two references say of one place is told once."""
    return schema_path.rpartition("/$ref")[2]


def _pointer(parts: Any) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _without_unevaluated(faults: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {fault for fault in faults if "/unevaluated" not in fault[1]}


@bounded(10)
@given(cases())
def test_requests_are_judged_alike(case: tuple[Any, dict[str, Any], list[Any]]) -> None:
    schema, components, values = case

    async def put(request: Request) -> Any:
        return {}

    slow = oracle.Draft202012Validator(plain(schema, components))
    with TestClient(App(described(schema, components), {"put": put})) as client:
        for value in values:
            response = client.put("/x", content=json.dumps(value), headers={"Content-Type": "application/json"})
            assert response.status == (200 if slow.is_valid(value) else 400), (schema, value)
