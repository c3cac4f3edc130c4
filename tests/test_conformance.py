"""docs/conformance.md is complete, up to date and true: each claim names a test, and annotations are proved here."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from conformance import ANNOTATION, CLAIMS, PAGE, REJECTED, claims, functions_in, page, rows

from brrtrouter import App
from brrtrouter.spec.grammar import FIELDS, UNIFORM
from brrtrouter.spec.lint import lint
from brrtrouter.spec.lint.fields import MAPS, OBJECTS
from brrtrouter.spec.load import load
from brrtrouter.testing import TestClient

URL = "https://example.com/"
VERSIONS = ("3.0.4", "3.1.2", "3.2.0")
# Where `host` has an object of each kind.
PLACES: dict[str, tuple[Any, ...]] = {
    "root": (),
    "info": ("info",),
    "contact": ("info", "contact"),
    "license": ("info", "license"),
    "server": ("servers", 0),
    "serverVariable": ("servers", 0, "variables", "stage"),
    "components": ("components",),
    "pathItem": ("paths", "/x/{id}"),
    "operation": ("paths", "/x/{id}", "post"),
    "externalDocs": ("externalDocs",),
    "parameter": ("paths", "/x/{id}", "post", "parameters", 0),
    "header": ("paths", "/x/{id}", "post", "responses", "200", "headers", "H"),
    "requestBody": ("paths", "/x/{id}", "post", "requestBody"),
    "response": ("paths", "/x/{id}", "post", "responses", "200"),
    "mediaType": ("paths", "/x/{id}", "post", "requestBody", "content", "application/json"),
    "encoding": ("paths", "/x/{id}", "post", "requestBody", "content", "multipart/form-data", "encoding", "a"),
    "example": ("components", "examples", "E"),
    "link": ("paths", "/x/{id}", "post", "responses", "200", "links", "L"),
    "tag": ("tags", 0),
    "reference": ("paths", "/x/{id}", "post", "parameters", 1),
    "discriminator": ("components", "schemas", "S", "discriminator"),
    "xml": ("components", "schemas", "S", "xml"),
    "securityScheme": ("components", "securitySchemes", "auth"),
    "oauthFlows": ("components", "securitySchemes", "auth", "flows"),
    "oauthFlow": ("components", "securitySchemes", "auth", "flows", "implicit"),
    "schema": ("components", "schemas", "S"),
}
CALLBACKS = {"done": {"{$request.body#/a}": {"post": {"responses": {"200": {"description": ""}}}}}}
# A value for a field that wants more than any value of its form.
SPECIAL: dict[tuple[str, str], Any] = {
    ("root", "webhooks"): {"event": {"post": {"responses": {"200": {"description": ""}}}}},
    ("root", "jsonSchemaDialect"): "https://spec.openapis.org/oas/3.1/dialect/base",
    ("root", "externalDocs"): {"url": URL},
    ("root", "info"): {"title": "T", "version": "2"},
    ("root", "tags"): [{"name": "t"}],
    ("info", "license"): {"name": "MIT"},
    ("license", "identifier"): "MIT",
    ("operation", "callbacks"): CALLBACKS,
    ("operation", "externalDocs"): {"url": URL},
    ("components", "callbacks"): CALLBACKS,
    ("components", "links"): {"next": {"operationId": "op"}},
    ("response", "links"): {"next": {"operationId": "op"}},
    ("tag", "externalDocs"): {"url": URL},
    ("schema", "externalDocs"): {"url": URL},
    ("schema", "$schema"): "https://json-schema.org/draft/2020-12/schema",
    ("parameter", "examples"): {"one": {"value": "a"}},
    ("link", "operationRef"): "#/paths/~1x~1{id}/post",
    ("link", "server"): {"url": "/"},
    ("securityScheme", "flows"): {"implicit": {"authorizationUrl": URL, "scopes": {}}},
    ("oauthFlow", "scopes"): {"read": "Read"},
    **{
        ("oauthFlows", name): {"authorizationUrl": URL, "tokenUrl": URL, "scopes": {}}
        for name in OBJECTS["oauthFlows"]
    },
    ("oauthFlows", "deviceAuthorization"): {"deviceAuthorizationUrl": URL, "tokenUrl": URL, "scopes": {}},
}  # fmt: skip
FLOW = {"authorizationUrl": URL, "scopes": {}}
OF_FORM = {"string": "text", "boolean": True, "number": 1, "any": "text", "strings": ["t"], "anys": {}, "list": []}


def host(minor: int) -> dict[str, Any]:
    """A document with an object of every kind that has fields of its own."""
    return {
        "openapi": VERSIONS[minor],
        "info": {"title": "T", "version": "1", "contact": {}, "license": {"name": "MIT"}},
        "servers": [{"url": "/{stage}", "variables": {"stage": {"default": "v1"}}}],
        "tags": [{"name": "t"}],
        "externalDocs": {"url": URL},
        "security": [{"auth": []}],
        "paths": {
            "/x/{id}": {
                "post": {
                    "operationId": "op",
                    "parameters": [
                        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
                        {"$ref": "#/components/parameters/P"},
                    ],
                    "requestBody": {
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/S"}},
                            "multipart/form-data": {
                                "schema": {"type": "object", "properties": {"a": {"type": "string"}}},
                                "encoding": {"a": {}},
                            },
                        }
                    },
                    "responses": {
                        "200": {
                            "description": "",
                            "headers": {"H": {"schema": {"type": "string"}}},
                            "links": {"L": {"operationId": "op"}},
                        }
                    },
                }
            }
        },
        "components": {
            "parameters": {"P": {"name": "q", "in": "query", "schema": {"type": "integer"}}},
            "examples": {"E": {"value": 1}},
            "securitySchemes": {"auth": {"type": "oauth2", "flows": {"implicit": copy.deepcopy(FLOW)}}},
            "schemas": {
                "S": {
                    "type": "object",
                    "required": ["a"],
                    "properties": {"a": {"type": "string"}},
                    "discriminator": {"propertyName": "a"},
                    "xml": {},
                }
            },
        },
    }  # fmt: skip


def with_field(minor: int, kind: str, field: str) -> dict[str, Any]:
    document = copy.deepcopy(host(minor))
    holder: Any = document
    for part in PLACES[kind]:
        holder = holder[part]
    spec = OBJECTS[kind][field]
    empty: Any = {"list": [], "map": {}, "one": {}}[spec.many]
    holder[field] = SPECIAL.get((kind, field), OF_FORM.get(spec.form.partition("|")[0], empty))
    if (kind, field) == ("link", "operationRef"):
        del holder["operationId"]
    return document


def answers(document: dict[str, Any]) -> list[tuple[int, bytes]]:
    """What the echo handler makes of a right and of a wrong request."""
    with TestClient(App(document, echo=True)) as client:
        headers = {"Authorization": "Bearer x"}
        right = client.post("/v1/x/1?q=2", json={"a": "b"}, headers=headers)
        wrong = client.post("/v1/x/1?q=z", json={"b": 1}, headers=headers)
        return [(right.status, right.content), (wrong.status, wrong.content)]


ANNOTATIONS = [
    (row.kind, row.field, minor)
    for row in rows()
    for minor in range(3)
    if row.statuses[minor] == "annotation" and row.kind in OBJECTS
]
OTHERS = [
    (row.kind, row.field, minor) for row in rows() for minor in range(3) if row.statuses[minor] == "rejected"
]  # fmt: skip


# -- the table ----------------------------------------------------------------------------------------------------


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python tests/conformance.py"


def test_every_object_and_field_of_the_grammar_has_a_row() -> None:
    table = {(row.kind, row.field) for row in rows()}
    assert {(kind, field) for kind, fields in FIELDS.items() for field in fields} <= table
    assert {kind for kind, _ in table} == {*OBJECTS, *MAPS}
    assert {kind: inner for kind, inner in MAPS.items() if inner} == UNIFORM
    assert len(table) == len(rows())


def test_nothing_is_claimed_of_a_field_that_does_not_exist() -> None:
    for kind in CLAIMS.keys() - {"schema in 3.0"}:
        assert claims(kind).keys() <= OBJECTS[kind].keys()


def test_every_named_test_exists() -> None:
    named = {test for row in rows() for test in row.tests}
    missing = [test for test in sorted(named) if test.partition("::")[2] not in functions_in(test.partition("::")[0])]
    assert missing == []


# -- annotations and fields of other versions ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain() -> list[list[tuple[int, bytes]]]:
    return [answers(host(minor)) for minor in range(3)]


@pytest.mark.parametrize("minor", range(3))
def test_the_host_is_in_order_and_tells_right_from_wrong(minor: int, plain: list[list[tuple[int, bytes]]]) -> None:
    assert lint(host(minor)).at_least("error") == ()
    assert [status for status, _ in plain[minor]] == [200, 400]


@pytest.mark.parametrize(("kind", "field", "minor"), ANNOTATIONS)
def test_an_annotation_is_accepted_and_changes_no_answer(
    kind: str, field: str, minor: int, plain: list[list[tuple[int, bytes]]]
) -> None:
    document = with_field(minor, kind, field)
    load(document)
    assert lint(document).at_least("error") == ()
    assert answers(document) == plain[minor]


@pytest.mark.parametrize(("kind", "field", "minor"), OTHERS)
def test_a_field_of_another_version_is_refused_by_lint(kind: str, field: str, minor: int) -> None:
    rules = {
        found.rule for found in lint(with_field(minor, kind, field)).findings if field in found.pointer + found.message
    }
    assert rules & {
        *("FieldOfLaterVersion", "UnknownField", "KeywordOfLaterVersion", "ObsoleteKeyword", "AnnotationBesideRef"),
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_an_operation_of_every_method_of_a_path_item_is_reached(version: str) -> None:
    methods = [name for name, field in OBJECTS["pathItem"].items() if field.form == "operation" and field.many == "one"]
    methods = [name for name in methods if int(version[2]) in OBJECTS["pathItem"][name].versions]
    operations = {
        name: {"operationId": name, "responses": {"200": {"description": "", "headers": {}}}} for name in methods
    }
    document = {"openapi": version, "info": {"title": "T", "version": "1"}, "paths": {"/x": operations}}
    called: list[str] = []
    handlers = {name: (lambda request, name=name: called.append(name)) for name in methods}
    with TestClient(App(document, handlers=handlers)) as client:
        for name in methods:
            client.request(name.upper(), "/x")
    assert called == methods


def test_encoding_objects_of_a_multipart_body_inside_of_another() -> None:
    number = {"type": "object", "properties": {"n": {"type": "integer"}}}
    form = {"type": "object", "properties": {"m": number}}
    json_part = {"contentType": "application/json"}
    encoding = {
        "list": {"contentType": "multipart/mixed", "prefixEncoding": [json_part]},
        "form": {"contentType": "multipart/form-data", "encoding": {"m": json_part}},
    }
    schema = {"type": "object", "properties": {"list": {"type": "array", "prefixItems": [number]}, "form": form}}
    media = {"multipart/form-data": {"schema": schema, "encoding": encoding}}
    operation = {"operationId": "x", "requestBody": {"content": media}, "responses": {"200": {"description": ""}}}
    document = {"openapi": "3.2.0", "info": {"title": "T", "version": "1"}, "paths": {"/x": {"post": operation}}}

    def sent(inner_type: str) -> bytes:
        inner = f'Content-Disposition: form-data; name="m"\r\nContent-Type: {inner_type}\r\n\r\n{{"n": 1}}\r\n--in--'
        outer = "".join(
            f'--out\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: {kind}; boundary=in\r\n\r\n'
            f"--in\r\n{inner}\r\n"
            for name, kind in (("list", "multipart/mixed"), ("form", "multipart/form-data"))
        )
        return (outer + "--out--").encode()

    headers = {"Content-Type": "multipart/form-data; boundary=out"}
    with TestClient(App(document, handlers={"x": lambda request: request.body})) as client:
        right = client.post("/x", content=sent("application/json"), headers=headers)
        assert right.json() == {"list": [{"n": 1}], "form": {"m": {"n": 1}}}
        wrong = client.post("/x", content=sent("image/png"), headers=headers)
        assert {error["pointer"] for error in wrong.json()["errors"]} == {"/list/0", "/form/m"}


def test_the_examples_of_a_header_are_what_mock_mode_sends() -> None:
    headers = {"H": {"schema": {"type": "string"}, "examples": {"one": {"value": "first"}}}}
    operation = {"operationId": "x", "responses": {"204": {"description": "", "headers": headers}}}
    document = {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": {"/x": {"get": operation}}}
    with TestClient(App(document, mock=True)) as client:
        assert client.get("/x").headers["h"] == "first"


def test_the_tests_of_this_page_are_the_ones_that_it_names() -> None:
    assert {ANNOTATION, REJECTED} <= {f"test_conformance.py::{name}" for name in functions_in("test_conformance.py")}
