"""References between and within documents, as `load` follows them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from spec_load_support import SPECS, document, errors, get, kinds, only, parameter, warnings

from brrtrouter.spec.limits import Limits
from brrtrouter.spec.load import load

# -- references -------------------------------------------------------------------------------------------------


def test_files_are_resolved_relative_to_the_file_with_the_reference() -> None:
    loaded = load(SPECS / "multifile" / "openapi.yaml", strict=True)
    many, one = loaded.operations
    assert (many.handler, one.handler) == ("listPets", "getPet")
    assert one.pointer == "paths/pets.yaml#/x-one~1by id/get"
    assert many.parameters[0].default == 20
    schema = one.responses[0].content[0].schema
    assert schema is not None
    assert schema.is_valid({"name": "Rex", "size": "small", "parent": {"name": "Ada"}})
    assert not schema.is_valid({"name": "Rex", "size": "huge"})
    assert not schema.is_valid({"name": "Rex", "parent": {"name": 1}})


def test_files_outside_the_folder_of_the_entry_need_permission(tmp_path: Path) -> None:
    shutil.copytree(SPECS / "multifile", tmp_path / "all")
    inner = tmp_path / "all" / "api"
    inner.mkdir()
    entry = inner / "openapi.yaml"
    entry.write_text('openapi: 3.1.0\ninfo: {title: T}\npaths:\n  /pets: {$ref: "../paths/pets.yaml"}\n')
    (issue,) = errors(entry)
    assert (issue.kind, issue.pointer) == ("UnresolvablePathItemRef", "/paths/~1pets")
    assert "outside" in issue.message
    assert len(load(entry, allow_outside=True).operations) == 1
    (tmp_path / "all" / "link.yaml").symlink_to("/etc/hostname")
    leak = document({"/x": get(responses={"200": {"content": {"text/plain": {"schema": {"$ref": "link.yaml"}}}}})})
    (tmp_path / "all" / "entry.yaml").write_text(json.dumps(leak))
    assert kinds(tmp_path / "all" / "entry.yaml") == ["UnresolvableSchemaRef"]


def test_the_number_of_files_is_bounded() -> None:
    (issue, *_) = errors(SPECS / "multifile" / "openapi.yaml", limits=Limits(files=2))
    assert "limit files of 2" in issue.message


def test_issues_of_other_files_carry_their_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("type: string\ntype: integer\n")
    (tmp_path / "b.yaml").write_text("type: [\n")
    (tmp_path / "c.yaml").write_text("properties: {x: {$ref: '#/nowhere'}}\n")
    schemas = {name: {"$ref": f"{name}.yaml"} for name in "abcd"}
    entry = tmp_path / "entry.yaml"
    entry.write_text(json.dumps(document(components={"schemas": schemas})))
    assert {(i.kind, i.pointer) for i in errors(entry)} == {
        ("DuplicateKey", "a.yaml#/type"),
        ("InvalidYaml", "b.yaml#/type/0"),
        ("UnresolvableSchemaRef", "/components/schemas/b"),
        ("UnresolvableSchemaRef", "c.yaml#/properties/x"),
        ("UnresolvableSchemaRef", "/components/schemas/d"),
    }


REFERENCE_PLACES = [
    ("UnresolvablePathItemRef", lambda ref: {"/x": ref}),
    ("UnresolvableParameterRef", lambda ref: {"/x": get(parameters=[ref])}),
    ("UnresolvableRequestBodyRef", lambda ref: {"/x": {"post": {"operationId": "o", "requestBody": ref}}}),
    ("UnresolvableResponseRef", lambda ref: {"/x": get(responses={"200": ref})}),
    ("UnresolvableHeaderRef", lambda ref: {"/x": get(responses={"200": {"headers": {"X": ref}}})}),
    ("UnresolvableSchemaRef", lambda ref: {"/x": get(parameters=[{"name": "a", "in": "query", "schema": ref}])}),
]


@pytest.mark.parametrize(("kind", "paths"), REFERENCE_PLACES)
@pytest.mark.parametrize(
    ("reference", "external"),
    [
        ("#/components/x/Missing", False),
        ("#/paths/~1x/%ff", False),
        ("missing.yaml", False),
        ("#anchor", False),
        ("https://example.com/a.yaml#/x", True),
        ("//example.com/a.yaml", True),
        ("file:///etc/hostname", True),
        (3, False),
        (None, False),
    ],
)
def test_a_reference_that_leads_nowhere_is_named_by_what_it_stands_for(
    kind: str, paths: Any, reference: Any, external: bool
) -> None:
    found = errors(document(paths({"$ref": reference})))
    assert [issue.kind for issue in found] == ["UnsupportedExternalRef" if external else kind]
    assert found[0].pointer.startswith("/paths/~1x")


@pytest.mark.parametrize(("kind", "paths"), REFERENCE_PLACES)
def test_references_that_only_lead_back_to_themselves_are_found(kind: str, paths: Any) -> None:
    loop: dict[str, Any] = {"x-loop": {"a": {"$ref": "#/x-loop/b"}, "b": {"$ref": "#/x-loop/a"}}}
    assert set(kinds(document(paths({"$ref": "#/x-loop/a"}), **loop))) == {kind}


def test_recursive_schemas_are_fine() -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#/components/schemas/Tree"}}}
    assert load(document(components={"schemas": {"Tree": tree}}), strict=True).operations == ()


def test_a_remote_reference_of_an_unused_component_is_a_warning_only() -> None:
    remote = {"$ref": "https://example.com/x"}
    components = {"schemas": {"A": remote}, "securitySchemes": {"S": remote}}
    assert set(warnings(document(components=components))) == {
        ("UnsupportedExternalRef", "/components/securitySchemes/S"),
        ("UnsupportedExternalRef", "/components/schemas/A"),
    }
    assert kinds(document({"/x": get(security=[{"S": []}])}, components=components)) == ["UnsupportedExternalRef"]


def test_pointers_are_unescaped_once_and_in_order() -> None:
    schemas = {
        "a/b": {"type": "integer"},
        "a~1b": {"type": "boolean"},
        "c%d": {"type": "null"},
        "é": {"type": "number"},
    }
    for escaped, types in (("a~1b", "integer"), ("a~01b", "boolean"), ("c%25d", "null"), ("%C3%A9", "number")):
        definition = {"name": "p", "in": "query", "schema": {"$ref": f"#/components/schemas/{escaped}"}}
        assert parameter(definition, schemas=schemas).types == (types,)


def test_ids_self_and_anchors_are_resolved_without_a_fetch() -> None:
    schemas = {
        "Outer": {
            "$id": "https://example.com/schemas/outer",
            "$defs": {"inner": {"$anchor": "in", "type": "integer"}},
            "properties": {"a": {"$ref": "#in"}, "b": {"$ref": "#/$defs/inner"}, "c": {"$ref": "other"}},
        },
        "Other": {"$id": "https://example.com/schemas/other", "type": "boolean"},
        "User": {"$ref": "https://example.com/schemas/outer"},
        "Self": {"$ref": "https://example.com/api#/components/schemas/Other"},
    }
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}}}
    paths = {"/x": {"post": {"operationId": "o", "requestBody": body}}}
    source = document(paths, "3.2.0", components={"schemas": schemas}, **{"$self": "https://example.com/api"})
    found = only(load(source, strict=True)).request_body
    assert found is not None
    schema = found.content[0].schema
    assert schema is not None
    assert schema.is_valid({"a": 1, "b": 2, "c": True})
    assert [f.pointer for f in schema.faults({"a": "x", "b": "x", "c": "x"})] == ["/a", "/b", "/c"]


def test_fields_beside_the_reference_of_a_path_item_win() -> None:
    items = {"Item": {"get": {"operationId": "far"}, "put": {"operationId": "put"}}}
    paths = {"/x": {"$ref": "#/components/pathItems/Item", "get": {"operationId": "near"}}}
    loaded = load(document(paths, components={"pathItems": items}))
    assert {(o.method, o.handler) for o in loaded.operations} == {("GET", "near"), ("PUT", "put")}
    assert [i.kind for i in loaded.issues] == ["PathItemRefSiblings"]


def test_a_reference_in_place_of_an_operation_is_followed_with_a_warning() -> None:
    source = {
        **document({"/x": {"get": {"$ref": "#/x-operations/far"}}}),
        "x-operations": {"far": {"operationId": "far"}},
    }
    assert only(load(source)).handler == "far"
    assert warnings(source) == [("NonStandardRef", "/paths/~1x/get")]
