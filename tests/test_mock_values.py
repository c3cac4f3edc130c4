"""Values made from schemas satisfy them, whatever keywords they combine, and are the same for the same key."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from random import Random
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from brrtrouter.spec.formats import TEXT_FORMATS
from brrtrouter.spec.sample.pattern import UnreadablePatternError, matching
from brrtrouter.spec.sample.search import NoValueError, Sample, Sampler
from brrtrouter.spec.sample.text import FORMATS

SUITE = Path(__file__).parents[2] / "shared/specs/_suites/JSON-Schema-Test-Suite/tests/draft2020-12"


def validator(schema: Any) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema, offline=True, validate_formats=True, formats=TEXT_FORMATS)


def sample(schema: Any, key: str = "k", *, written: bool = True) -> Sample:
    judge = validator(schema)

    def objections(value: Any) -> list[tuple[str | int, ...]]:
        return [tuple(error.instance_path) for error in judge.iter_errors(value)]

    return Sampler(schema, objections, lambda keywords: validator(keywords).is_valid).sample(key, written=written)


NODE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "required": ["value", "next"],
            "properties": {
                "value": {"type": "integer"},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                "others": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
        }
    },
}

HARD: dict[str, Any] = {
    "a union of types": {"type": ["string", "null"], "maxLength": 3},
    "bounds and multiples": {"type": "integer", "minimum": 5, "exclusiveMaximum": 22, "multipleOf": 7},
    "two multiples": {"type": "integer", "allOf": [{"multipleOf": 6}, {"multipleOf": 10}], "minimum": 1},
    "multiples of fractions": {"type": "number", "multipleOf": 0.01, "exclusiveMinimum": 0, "maximum": 0.03},
    "a narrow open range": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
    "a negative range": {"type": "integer", "minimum": -9, "maximum": -3},
    "64 bits": {"type": "integer", "minimum": 2**63},
    "unique items of few values": {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 2},
    "contains often": {"type": "array", "contains": {"const": "z"}, "minContains": 3, "items": {"type": "string"}},
    "a tuple": {
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"type": "string"}],
        "items": False,
        "minItems": 2,
    },
    "a map": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 4},
    "patterns of names": {"patternProperties": {"^s_[a-z]+$": {}}, "additionalProperties": False, "minProperties": 3},
    "names by rule": {"type": "object", "propertyNames": {"pattern": "^x_", "maxLength": 9}, "minProperties": 3},
    "what depends": {"type": "object", "properties": {"a": {}}, "required": ["a"], "dependentRequired": {"a": ["b"]}},
    "a schema that depends": {
        "required": ["a"],
        "properties": {"a": {}, "b": {"type": "string"}},
        "dependentSchemas": {"a": {"required": ["b"], "properties": {"b": {"minLength": 30}}}},
    },
    "allOf with a closed object": {
        "allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"properties": {"b": {"const": 1}}}],
        "unevaluatedProperties": False,
    },
    "anyOf that asks for members": {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    },
    "oneOf that overlaps": {
        "oneOf": [
            {"type": "object", "properties": {"hunts": {"type": "boolean"}, "age": {"type": "integer"}}},
            {"type": "object", "properties": {"bark": {"type": "boolean"}, "breed": {"enum": ["Dingo", "Husky"]}}},
        ]
    },
    "oneOf of numbers": {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 2}]},
    "not required": {"type": "object", "properties": {"a": {}, "b": {}}, "not": {"required": ["a"]}},
    "not a value": {"enum": [1, 2, 3], "not": {"enum": [1, 3]}},
    "not a type": {"not": {"type": ["string", "object", "array"]}},
    "if and then": {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": ["b", "a"]}},
        "allOf": [
            {"if": {"properties": {"kind": {"const": "a"}}}, "then": {"required": ["pa"]}},
            {"if": {"properties": {"kind": {"const": "b"}}}, "then": {"required": ["pb"]}},
        ],
    },
    "a cycle": NODE,
    "a member that cannot be made": {
        "type": "object",
        "properties": {"a": {"oneOf": [{"type": "null"}, {"type": "null"}]}},
    },
    "a password": {"type": "string", "pattern": r"^(?=.*[A-Z])(?=.*\d)[A-Za-z\d]{8,12}$"},
    "a pattern and a length": {"type": "string", "pattern": "[0-9]", "minLength": 3, "maxLength": 5},
    "a format and a length": {"type": "string", "format": "email", "maxLength": 8},
    "a discriminator": {
        "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
        "discriminator": {"propertyName": "kind", "tags": {"Cat": "cat", "Dog": "dog"}},
        "$defs": {
            "Cat": {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "cat"}}},
            "Dog": {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "dog"}}},
        },
    },
}


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("written", [True, False])
def test_a_value_satisfies(name: str, written: bool) -> None:
    for key in "abc":
        made = sample(HARD[name], key, written=written)
        assert made.valid
        assert validator(HARD[name]).is_valid(made.value)


def test_a_discriminator_sets_the_property_that_nothing_else_does() -> None:
    kinds = {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}}
    schema = {**HARD["a discriminator"], "$defs": {"Cat": kinds, "Dog": False}}
    assert sample(schema).value["kind"] == "cat"
    child = {"allOf": [{"$ref": "#/$defs/Parent"}]}
    parent = {**kinds, "discriminator": {"propertyName": "kind", "tags": {"Child": "c"}}}
    assert sample({"$ref": "#/$defs/Child", "$defs": {"Child": child, "Parent": parent}}).value["kind"] == "c"


def test_a_cycle_ends_where_it_may() -> None:
    assert len(json.dumps(sample(NODE).value)) < 5000
    endless = {
        "$ref": "#/$defs/n",
        "$defs": {"n": {"type": "object", "required": ["n"], "properties": {"n": {"$ref": "#/$defs/n"}}}},
    }
    with pytest.raises(NoValueError):
        sample(endless)


@pytest.mark.parametrize(
    "schema", [False, {"allOf": [{"type": "string"}, {"type": "integer"}]}, {"enum": [1], "type": "string"}]
)
def test_what_has_no_value_is_said_so(schema: Any) -> None:
    with pytest.raises(NoValueError):
        sample(schema)


def test_the_key_decides_alone() -> None:
    schema = {
        "type": "object",
        "required": ["a", "b"],
        "properties": {"a": {"type": "string"}, "b": {"type": "number"}},
    }
    assert sample(schema, "one") == sample(schema, "one")
    assert len({json.dumps(sample(schema, str(key)).value) for key in range(20)}) > 15


@pytest.mark.parametrize("name", FORMATS)
def test_a_text_of_every_format_is_one(name: str) -> None:
    for key in range(5):
        made = sample({"type": "string", "format": name}, str(key), written=False)
        assert made.valid
        assert isinstance(made.value, str)


PATTERNS = [
    r"^[a-z]{2}-\d{4}$",
    r"^(?:a|b)+?c*$",
    r"^[^a-z]{3}$",
    r"^\w+@\w+\.(com|org)$",
    r"^\u0041\x42\cA?$",
    r"^[\w.-]{1,64}$",
    r"^(\d{3})-\1$",
    r"^\p{Lu}\p{L}*$",
    r"^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$",
    r"^(?!no)[a-z]{4}$",
    r"^a{0}b{2,}$",
    r"^[\]\-\\]+$",
    r"^.{3,5}$",
    r"^$",
    r"x",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_text_matches_its_pattern(pattern: str) -> None:
    schema = {"type": "string", "pattern": pattern}
    assert sample(schema).valid
    assert sample(schema, "other").valid


def test_a_named_group_is_remembered() -> None:
    year, _, again = matching(r"^(?<year>\d{4})/\k<year>$", Random(1)).partition("/")
    assert year == again != ""


@given(st.text(max_size=30))
@settings(max_examples=300, deadline=None)
def test_no_pattern_breaks_the_writer(pattern: str) -> None:
    with contextlib.suppress(UnreadablePatternError):
        assert len(matching(pattern, Random(1))) < 100_000


@pytest.mark.parametrize(
    "pattern", ["(" * 100 + ")" * 100, "(((a{999}){999}){999}){999}", "[", "(", "a)", r"\u{zz}", "[]"]
)
def test_a_hostile_pattern_is_bounded_or_refused(pattern: str) -> None:
    with contextlib.suppress(UnreadablePatternError):
        assert len(matching(pattern, Random(1))) < 100_000


def _within(kind: str, low: float, size: float) -> dict[str, Any]:
    return {"type": kind, "minimum": low, "maximum": low + size}


def _of_length(low: int, size: int) -> dict[str, Any]:
    return {"type": "string", "minLength": low, "maxLength": low + size}


OTHERS: list[dict[str, Any]] = [
    {"type": "boolean"},
    {"type": "null"},
    {"format": "uuid"},
    {"enum": [1, "a", None]},
    {"const": [1]},
    {},
]
SCALARS = st.one_of(
    st.builds(_within, st.just("integer"), st.integers(), st.integers(0, 9)),
    st.builds(_within, st.just("number"), st.floats(-1e6, 1e6), st.floats(0.001, 1e3)),
    st.builds(_of_length, st.integers(0, 40), st.integers(0, 40)),
    st.sampled_from(OTHERS),
)
NAMES = st.sampled_from("abcd")


def _larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    members = st.dictionaries(NAMES, inner, max_size=3)
    objects = st.builds(
        lambda properties, required: {"type": "object", "properties": properties, "required": sorted(required)},
        members,
        st.sets(NAMES),
    )
    arrays = st.builds(
        lambda items, low, size: {"type": "array", "items": items, "minItems": low, "maxItems": low + size},
        inner,
        st.integers(0, 3),
        st.integers(0, 2),
    )
    return st.one_of(
        objects,
        arrays,
        st.builds(lambda branches: {"anyOf": branches}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda schema: {"allOf": [schema, schema]}, inner),
        st.builds(lambda schema, other: {"if": schema, "then": {}, "else": other}, inner, inner),
    )


@given(st.recursive(SCALARS, _larger, max_leaves=8), st.integers())
@settings(max_examples=300, deadline=None)
def test_whatever_is_combined_the_value_is_valid(schema: Any, key: int) -> None:
    made = sample(schema, str(key))
    assert made.valid


@given(st.recursive(SCALARS, _larger, max_leaves=6), st.recursive(SCALARS, _larger, max_leaves=6))
@settings(max_examples=100, deadline=None)
def test_one_of_two_is_exactly_one_or_there_is_none(one: Any, other: Any) -> None:
    schema = {"oneOf": [one, other]}
    made = sample(schema)
    assume(made.valid)
    assert validator(one).is_valid(made.value) != validator(other).is_valid(made.value)


def groups() -> list[tuple[str, Any]]:
    """The schemas of the suite that have a value, and refer to nothing outside."""
    found = []
    for file in sorted(SUITE.glob("*.json")):
        for group in json.loads(file.read_text("utf-8")):
            schema = group["schema"]
            outside = any(word in json.dumps(schema) for word in ("$id", "$dynamicRef", "$anchor", "http://", '"#'))
            if any(test["valid"] for test in group["tests"]) and (not outside or '"#/$defs/' in json.dumps(schema)):
                found.append((f"{file.stem}: {group['description']}", schema))
    return found


@pytest.mark.skipif(not SUITE.is_dir(), reason="the suite is not here")
def test_nearly_every_schema_of_the_test_suite_gets_a_value() -> None:
    without = []
    total = 0
    for name, schema in groups():
        try:
            judged = validator(schema)
        except (jsonschema_rs.ReferencingError, jsonschema_rs.ValidationError):
            continue
        total += 1
        try:
            made = sample(schema)
        except NoValueError:
            without.append(name)
            continue
        if not made.valid or not judged.is_valid(made.value):
            without.append(name)
    print(total, without)
    assert total >= 300
    assert len(without) <= 1, without
