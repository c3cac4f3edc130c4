"""Damaged documents: `load` gives a model or a SpecError, and nothing else, within bounded time."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brrtrouter import App
from brrtrouter.errors import Issue, SpecError
from brrtrouter.spec.limits import Limits
from brrtrouter.spec.load import load
from brrtrouter.spec.source import read_source

SPECS = Path(__file__).parent / "specs"
SECONDS = 5.0

NEW = {
    "openapi": "3.2.0",
    "$self": "https://example.com/api",
    "info": {"title": "T", "version": "1"},
    "servers": [{"url": "/{v}", "name": "s", "variables": {"v": {"default": "a", "enum": ["a"]}}}],
    "tags": [{"name": "a", "parent": "b", "kind": "nav", "summary": "A"}],
    "paths": {
        "/x/{id}": {
            "query": {
                "operationId": "q",
                "requestBody": {"content": {"application/json": {"$ref": "#/components/mediaTypes/M"}}},
            },
            "additionalOperations": {
                "COPY": {"operationId": "c", "security": [{"#/components/securitySchemes/k": []}]}
            },
            "parameters": [
                {"name": "id", "in": "path", "required": True, "style": "matrix", "schema": {"type": "integer"}},
                {"name": "c", "in": "cookie", "style": "cookie", "schema": {"type": "array"}},
            ],
            "get": {
                "operationId": "g",
                "parameters": [
                    {
                        "name": "s",
                        "in": "querystring",
                        "content": {
                            "application/x-www-form-urlencoded": {
                                "schema": {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/T"}}},
                                "encoding": {"a": {"style": "deepObject"}},
                            }
                        },
                    }
                ],
            },
            "post": {
                "operationId": "p",
                "parameters": [
                    {
                        "name": "d",
                        "in": "query",
                        "style": "deepObject",
                        "x-nested": True,
                        "schema": {"$ref": "#/components/schemas/T"},
                    }
                ],
                "requestBody": {"content": {"application/jsonl": {"itemSchema": {"$ref": "#/components/schemas/T"}}}},
                "responses": {"200": {"summary": "s", "content": {"text/event-stream": {"itemSchema": {}}}}},
            },
        }
    },
    "components": {
        "mediaTypes": {"M": {"schema": {"$ref": "#/components/schemas/T"}}},
        "schemas": {
            "T": {
                "$id": "https://example.com/t",
                "$dynamicAnchor": "n",
                "type": "object",
                "pattern": "^(a{1,3}){1,3}$",
                "properties": {"kids": {"type": "array", "items": {"$dynamicRef": "#n"}}, "next": {"$ref": "t"}},
            }
        },
        "securitySchemes": {
            "k": {
                "type": "oauth2",
                "flows": {"deviceAuthorization": {"deviceAuthorizationUrl": "/d", "tokenUrl": "/t", "scopes": {}}},
            }
        },
    },
}
SEEDS = [read_source(SPECS / "everything.yaml", Limits()).value, NEW]
# What stands in for any value: wrong types, references to everywhere, names of keywords where none belong.
ODD: list[Any] = [
    *(None, True, False, 0, -1, 2**70, 1e300, "", "x", "\0", "é" * 3, [], {}, [[]], [{}], {"": None}, {"$ref": 1}),
    *(
        {"$ref": text}
        for text in ("", "#", "#/", "#/paths", "#/components/schemas/T", "#n", "t", "http://[", "//[", "\0")
    ),
    *(
        {"$ref": text}
        for text in ("#/paths/~1x~1{id}/get", "everything.yaml", "%zz", "#%ff", "https://example.com/t#n")
    ),
    *({"$id": text} for text in ("", "#", "http://[", "t", "\0")),
    *({"$dynamicRef": "#n"}, {"allOf": [{"$ref": "#/components/schemas/T"}]}, {"type": ["array", "object", "string"]}),
    *("(" * 50, "[", "^(a+)+$", "{", "}", "a{99999}", "application/json", "path", "query", "querystring", "3.0.0"),
]
KEYS = ["$ref", "$id", "$self", "in", "schema", "content", "style", "explode", "type", "properties", "items", "~/"]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (collection, key) of a document."""
    todo = [value]
    while todo:
        inner = todo.pop()
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        for key in keys:
            yield inner, key
            if isinstance(inner[key], (dict, list)):
                todo.append(inner[key])


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    document: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 4))):
        found = list(places(document))
        if not found:
            break
        inner, key = draw(st.sampled_from(range(len(found))).map(found.__getitem__))
        action = draw(st.sampled_from(["put", "put", "drop", "copy", "rename"]))
        if action == "put":
            inner[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
        elif action == "drop":
            del inner[key]
        elif action == "copy":
            other, name = draw(st.sampled_from(range(len(found))).map(found.__getitem__))
            if name in other if isinstance(other, dict) else name < len(other):
                inner[key] = copy.deepcopy(other[name])
        elif isinstance(inner, dict):
            inner[draw(st.sampled_from(KEYS))] = inner.pop(key)
    return document


def try_load(source: Any) -> None:
    began = time.process_time()
    issues: Sequence[Issue] = ()
    try:
        assert App(load(source).document, echo=True).service
    except SpecError as error:
        issues = error.issues or [Issue("", "", "a refusal without a reason")]
    assert all(issue.kind.isalnum() and len(str(issue)) < 2_000 for issue in issues)
    assert time.process_time() - began < SECONDS


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(damaged())
def test_a_damaged_document_is_served_or_refused_with_issues(document: dict[str, Any]) -> None:
    try_load(document)


TEXTS = [(SPECS / "everything.yaml").read_bytes(), json.dumps(NEW, indent=1).encode()]
BITS = [b"\0", b"\xff", b"&a ", b"*a", b"<<: *a\n", *(bytes([byte]) for byte in b"?-!%\t{[\"':\n|")]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damaged_text_is_served_or_refused_with_issues(data: st.DataObject) -> None:
    text = bytearray(data.draw(st.sampled_from(TEXTS)))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(text)))
        width = data.draw(st.integers(0, 40))
        text[at : at + width] = data.draw(st.sampled_from(BITS)) * data.draw(st.integers(1, 3))
    try_load(bytes(text))


@pytest.mark.parametrize("levels", [20, 30])
def test_branches_that_double_are_no_reason_to_hang(levels: int) -> None:
    """Each schema refers to the next one twice: the casts of a parameter are found all the same."""
    schemas: dict[str, Any] = {
        f"S{at}": {"allOf": [{"$ref": f"#/components/schemas/S{at + 1}"}] * 2} for at in range(levels)
    }
    schemas[f"S{levels}"] = {"type": "integer"}
    parameter = {"name": "p", "in": "query", "schema": {"$ref": "#/components/schemas/S0"}}
    began = time.process_time()
    load(
        {
            "openapi": "3.1.0",
            "info": {"title": "T"},
            "paths": {"/x": {"get": {"operationId": "o", "parameters": [parameter]}}},
            "components": {"schemas": schemas},
        }
    )
    assert time.process_time() - began < SECONDS
