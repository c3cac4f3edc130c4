"""`lint`: a case for each rule, places in the text, what the loader says, and that all published documents end soon."""

from __future__ import annotations

import json
import re
import time
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brrtrouter.errors import BrrtError, ConfigError, SpecError
from brrtrouter.spec.grammar import FIELDS
from brrtrouter.spec.limits import Limits
from brrtrouter.spec.lint import RULES, SEVERITIES, Finding, lint
from brrtrouter.spec.lint.fields import OBJECTS
from brrtrouter.spec.lint.paths import common, relation
from brrtrouter.spec.lint.places import places
from brrtrouter.spec.lint.rules import GROUPS
from brrtrouter.spec.load import load
from brrtrouter.spec.source import read_source

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "brrtrouter" / "spec"
SHARED = ROOT.parent / "shared" / "specs"
CASES = read_source(Path(__file__).parent / "specs" / "lint_cases.yaml", Limits()).value
# What only a text can break, not a value.
OF_TEXTS = {
    "InvalidYaml": b"openapi: [3.1.0\ninfo: x",
    "InvalidJson": b'{"openapi": "3.1.0",, }',
    "DuplicateKey": b"openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths: {}\npaths: {}\n",
    "LimitExceeded": b"[" * 300,
    "UnsupportedVersion": b"swagger: '2.0'\n",
}


def document(version: str = "3.1.0", **parts: Any) -> dict[str, Any]:
    return {"openapi": version, "info": {"title": "T", "version": "1"}, "paths": {}, **parts}


def found(source: Any, **options: Any) -> list[tuple[str, str]]:
    return [(finding.rule, finding.pointer) for finding in lint(source, **options).findings]


def schema(version: str = "3.1.0", **keywords: Any) -> list[str]:
    source = document(version, components={"schemas": {"A": keywords}})
    return [rule for rule, _ in found(source)]


def of_parameter(version: str = "3.1.0", **fields: Any) -> list[str]:
    return [rule for rule, _ in found(document(version, components={"parameters": {"P": fields}}))]


# -- the rules --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["rule"])
def test_a_rule_finds_its_case_and_can_be_ignored(case: dict[str, Any]) -> None:
    rest = {name: part for name, part in case.items() if name not in ("rule", "at", "version")}
    source = document(case.get("version", "3.1.0"), **rest)
    findings = [f for f in lint(source).findings if (f.rule, f.pointer) == (case["rule"], case["at"])]
    assert findings
    least = RULES[case["rule"]].severity
    assert all(SEVERITIES.index(finding.severity) <= SEVERITIES.index(least) for finding in findings)
    assert all(finding.message and finding.suggestion for finding in findings)
    assert case["rule"] not in dict(found(source, ignore=[case["rule"]]))


@pytest.mark.parametrize("rule", OF_TEXTS)
def test_a_text_breaks_a_rule_with_its_line(rule: str) -> None:
    result = lint(OF_TEXTS[rule])
    (finding,) = [finding for finding in result.findings if finding.rule == rule]
    assert finding.severity == "error"
    assert rule == "LimitExceeded" or finding.line
    assert result.readable == (rule == "DuplicateKey")


def test_there_is_a_case_for_every_rule() -> None:
    assert {case["rule"] for case in CASES} | OF_TEXTS.keys() == RULES.keys()


def test_every_issue_of_the_loader_is_a_rule() -> None:
    text = "".join(path.read_text("utf-8") for path in SPEC.glob("*.py"))
    names = set(re.findall(r'(?:error|warning|_add|Issue)\(\s*"([A-Z]\w+)"', text))
    assert len(names) > 30
    assert names <= RULES.keys()


def test_the_guide_has_a_row_for_every_rule_and_no_other() -> None:
    page = (ROOT / "docs" / "guide" / "lint.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+?) \| (.+?) \|$", page, re.M)
    assert rows == [tuple(rule) for group in GROUPS.values() for rule in group.values()]
    assert re.findall(r"^### (.+)$", page, re.M) == list(GROUPS)


def test_the_loader_and_lint_agree_on_what_is_reported() -> None:
    source = document(paths={"/x/{a}": {"get": {"security": [{"nobody": []}]}}})
    with pytest.raises(SpecError) as caught:
        load(source)
    assert {(issue.kind, issue.pointer) for issue in caught.value.issues} <= set(found(source))


def test_a_document_without_anything_to_say_about_has_no_finding() -> None:
    assert found(SHARED / "petstore" / "openapi.yaml", ignore=["UnusedComponent"]) == []


def test_a_name_that_is_no_rule_cannot_be_ignored() -> None:
    with pytest.raises(ConfigError, match="'Nothing'"):
        lint(document(), ignore=["Nothing"])


def test_a_file_that_is_not_there_is_an_error_of_its_own() -> None:
    with pytest.raises(BrrtError, match=r"cannot read nowhere\.yaml"):
        lint("nowhere.yaml")


def test_findings_of_a_severity_and_above() -> None:
    result = lint(document(paths={"/x/{a}": {"get": {"tags": ["t"], "security": [{"nobody": []}]}}}))
    assert [f.rule for f in result.at_least("error")] == ["UndefinedSecurityScheme"]
    assert {f.severity for f in result.at_least("warning")} == {"error", "warning"}
    assert result.at_least("info") == result.findings


# -- what is no finding -------------------------------------------------------------------------------------------


def test_the_more_special_of_two_paths_is_no_finding() -> None:
    paths = {"/pets/mine": {"get": {}}, "/pets/{id}": {"get": {}}, "/pets/{id}.json": {"get": {}}}
    assert not {"AmbiguousPathTemplates", "IdenticalPathTemplates"} & dict(found(document(paths=paths))).keys()


def test_a_number_is_never_the_literal_of_another_path() -> None:
    def rules(kind: str) -> set[str]:
        shared = [{"name": "id", "in": "path", "required": True, "schema": {"type": kind}}]
        paths = {"/{id}/me": {"parameters": shared, "get": {}}, "/books/{id}": {"parameters": shared, "get": {}}}
        return set(dict(found(document(paths=paths))))

    assert "AmbiguousPathTemplates" in rules("string")
    assert "AmbiguousPathTemplates" not in rules("integer")


def test_a_component_that_an_extension_refers_to_is_used() -> None:
    components = {"schemas": {"A": {"properties": {"b": {"$ref": "#/components/schemas/B"}}}, "B": {}, "C": {}}}
    extension = {"x-events": [{"schema": {"$ref": "#/components/schemas/A"}}]}
    source = document(components=components, paths={"/x": {"get": {"operationId": "x"}}}, **extension)
    assert [pointer for rule, pointer in found(source) if rule == "UnusedComponent"] == ["/components/schemas/C"]


def test_a_library_of_components_has_no_unused_ones() -> None:
    assert "UnusedComponent" not in dict(found(document(components={"schemas": {"A": {}}})))


def test_an_example_may_be_the_text_of_its_json() -> None:
    def rules(example: str) -> set[str]:
        media = {"schema": {"type": "object", "required": ["a"]}, "example": example}
        paths = {"/x": {"post": {"requestBody": {"content": {"application/json": media}}}}}
        return set(dict(found(document(paths=paths))))

    assert "InvalidExample" not in rules('{"a": 1}')
    assert "InvalidExample" in rules('{"b": 1}')


def test_an_example_of_a_response_may_lack_what_only_requests_have() -> None:
    definition = {
        "type": "object",
        "required": ["secret"],
        "properties": {"secret": {"type": "string", "writeOnly": True}},
    }
    media = {"application/json": {"schema": definition, "example": {}}}
    answer = {"responses": {"200": {"description": "", "content": media}}}
    paths = {"/x": {"post": {"operationId": "x", **answer}}}
    assert "InvalidExample" not in dict(found(document("3.0.3", paths=paths)))
    paths = {"/x": {"post": {"operationId": "x", "requestBody": {"content": media}}}}
    assert "InvalidExample" in dict(found(document("3.0.3", paths=paths)))


@pytest.mark.parametrize(
    ("version", "fields", "rule"),
    [
        ("3.0.3", {"in": "header"}, "FieldWithoutMeaning"),
        ("3.1.0", {"in": "header"}, "ConflictingFields"),
        ("3.1.0", {"in": "path", "required": True}, "ConflictingFields"),
        ("3.1.0", {"in": "query"}, None),
        ("3.2.0", {"in": "path", "required": True}, None),
        ("3.2.0", {"in": "cookie"}, None),
        ("3.2.0", {"in": "cookie", "style": "cookie"}, "ConflictingFields"),
    ],
)
def test_allow_reserved_is_for_what_is_percent_encoded(version: str, fields: dict[str, Any], rule: str | None) -> None:
    rules = of_parameter(version, name="p", allowReserved=True, schema={"type": "string"}, **fields)
    assert [name for name in rules if name in ("ConflictingFields", "FieldWithoutMeaning")] == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("keywords", "rule"),
    [
        ({"minLength": -1}, "InvalidSchema"),
        ({"maxItems": 1.5}, "InvalidSchema"),
        ({"multipleOf": 0}, "InvalidSchema"),
        ({"enum": []}, "InvalidSchema"),
        ({"pattern": "("}, "InvalidSchema"),
        ({"type": ["string", "text"]}, "InvalidSchema"),
        ({"required": "name"}, "InvalidSchema"),
        ({"items": [{}]}, "InvalidSchema"),
        ({"additionalProperties": False, "required": ["a"], "properties": {"b": {}}}, "UnsatisfiableSchema"),
        ({"allOf": [{}], "required": ["a"], "properties": {"b": {}}}, None),
        ({"$schema": "https://example.com/own", "own": 1}, "NotExecuted"),
        ({"definitions": {}}, None),
    ],
)
def test_a_keyword_has_to_be_what_the_dialect_says(keywords: dict[str, Any], rule: str | None) -> None:
    wanted = {rule} if rule else set()
    assert {"InvalidSchema", "UnsatisfiableSchema", "UnknownKeyword", "NotExecuted"} & set(schema(**keywords)) == wanted


def test_a_schema_that_only_the_validator_can_judge_is_named_once() -> None:
    broken = {"type": "object", "dependentRequired": {"a": "b"}}
    reference = {"$ref": "#/components/schemas/A"}
    result = lint(document(components={"schemas": {"A": broken, "B": reference, "C": {"items": reference}}}))
    assert [f.rule for f in result.at_least("error")] == ["InvalidSchema"]


def test_operations_of_webhooks_and_callbacks_are_judged_too() -> None:
    operation = {"operationId": "a", "security": [{"nobody": []}], "responses": {"404": {"description": ""}}}
    twice = {"post": {**operation, "callbacks": {"done": {"{$request.body#/url}": {"post": operation}}}}}
    rules = [rule for rule, _ in found(document(webhooks={"event": twice}))]
    assert rules.count("UndefinedSecurityScheme") == 2
    assert rules.count("DuplicateOperationId") == 1
    assert rules.count("MissingSuccessResponse") == 2


# -- templates ----------------------------------------------------------------------------------------------------

SEGMENTS = st.lists(st.sampled_from(["a", "b", "{x}"]), min_size=1, max_size=3).map("".join)
TEXTS = ["".join(text) for size in range(1, 7) for text in product("abc", repeat=size)]


def language(segment: str) -> set[str]:
    pattern = re.compile("".join(".+" if part == "{x}" else part for part in re.split(r"(\{x\})", segment)))
    return {text for text in TEXTS if pattern.fullmatch(text)}


@settings(max_examples=300, deadline=None)
@given(SEGMENTS, SEGMENTS)
def test_segments_relate_as_the_sets_of_their_texts_do(one: str, other: str) -> None:
    first, second = language(one), language(other)
    both = common(one, other)
    assert (both is None) == (not first & second)
    if both is not None:
        assert all(re.fullmatch(re.escape(s).replace(r"\{x\}", ".+"), both) for s in (one, other))
        told = relation(one, other)
        if told in ("equal", "wider"):
            assert second <= first
        if told in ("equal", "narrower"):
            assert first <= second
        if told == "neither":
            assert first != second


# -- places -------------------------------------------------------------------------------------------------------

YAML = b"""openapi: 3.1.0
info: {title: T, version: "1"}
paths:
  /x:
    get:
      parameters:
      - name: "\xc3\xa4"
        in: query
"""
JSON = b'{\n  "openapi": "3.1.0", "a~b": [1, {"c": "}\\""}],\n  "\xc3\xa4": {"d/e": true}}\n'


def test_places_in_yaml_are_those_of_keys_and_items() -> None:
    pointers = ["", "/info/version", "/paths/~1x/get/parameters/0", "/paths/~1x/get/parameters/0/in", "/paths/~1x/put"]
    assert list(places(YAML, pointers).values()) == [(1, 1), (2, 18), (7, 9), (8, 9), (4, 3)]


def test_places_in_json_are_those_of_keys_and_items() -> None:
    pointers = ["/openapi", "/a~0b/0", "/a~0b/1/c", "/\u00e4/d~1e", "/a~0b/7"]
    assert list(places(JSON, pointers).values()) == [(2, 3), (2, 31), (2, 35), (3, 9), (2, 23)]


VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def pointers_of(value: Any, above: str = "") -> list[str]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    below = [(f"{above}/{str(key).replace('~', '~0').replace('/', '~1')}", item) for key, item in members]
    return [above, *(found for pointer, item in below for found in pointers_of(item, pointer))]


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4), st.sampled_from([None, 0, 2]))
def test_every_pointer_of_a_json_text_has_the_place_of_its_key_or_item(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    lines = text.split("\n")
    known = places(text.encode(), pointers_of(value))
    assert known.keys() == set(pointers_of(value))
    for pointer, (line, column) in known.items():
        key = pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
        rest = lines[line - 1][column - 1 :]
        parent: Any = value
        for part in pointer.split("/")[1:-1]:
            part = part.replace("~1", "/").replace("~0", "~")
            parent = parent[int(part)] if isinstance(parent, list) else parent[part]
        if pointer and isinstance(parent, dict):
            assert rest.startswith(json.dumps(key) + ":")


def test_a_finding_in_another_file_names_that_file_and_its_line(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "get.yaml").write_text("get:\n  responses: {}\n  taggs: []\n", "utf-8")
    entry = tmp_path / "openapi.yaml"
    entry.write_text("openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /x: {$ref: parts/get.yaml}\n", "utf-8")
    (finding,) = [f for f in lint(entry).findings if f.rule == "UnknownField"]
    assert finding == Finding(
        "UnknownField", "error", "parts/get.yaml", "/get/taggs", "the Operation Object has no field 'taggs'", 3, 3
    )


def test_a_mapping_has_no_places() -> None:
    assert {finding.line for finding in lint(document(extra=1)).findings} == {None}


# -- bounds -------------------------------------------------------------------------------------------------------


def test_many_paths_that_all_overlap_end_soon() -> None:
    paths = {f"/a{{x}}{at}b/{{y}}c{at}": {"get": {}} for at in range(3_000)}
    start = time.process_time()
    lint(document(paths=paths))
    assert time.process_time() - start < 10


def test_many_wrong_values_of_one_large_schema_end_soon() -> None:
    chain = {f"S{at}": {"properties": {"n": {"$ref": f"#/components/schemas/S{at + 1}"}}} for at in range(100)}
    wrong = {
        f"W{at}": {"allOf": [{"$ref": "#/components/schemas/S0"}, {"type": "object"}], "default": 1}
        for at in range(1000)
    }
    start = time.process_time()
    rules = [rule for rule, _ in found(document(components={"schemas": {**chain, "S100": {}, **wrong}}))]
    assert rules.count("InvalidDefault") == 1000
    assert time.process_time() - start < 10


# -- published documents ------------------------------------------------------------------------------------------

# Documents of which the loader takes no time worth a test, but which are not OpenAPI descriptions.
OTHERS = {"_paths", "arazzo", "JSON-Schema-Test-Suite", "uritemplate-test"}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared documents are not here")
def test_every_published_document_is_judged_in_bounded_time() -> None:
    entries = [p for p in SHARED.rglob("*") if p.suffix in (".json", ".yaml", ".yml") and not OTHERS & set(p.parts)]
    entries = [p for p in entries if "digitalocean" not in p.parts or p.name.startswith("DigitalOcean")]
    for path in entries:
        start = time.process_time()
        result = lint(path)
        assert time.process_time() - start < 10, path
        for finding in result.findings:
            assert finding.rule in RULES, path
            assert finding.line, (path, finding)


def test_the_table_of_fields_says_of_objects_what_the_grammar_says() -> None:
    for kind, fields in FIELDS.items():
        for name, field in fields.items():
            spec = OBJECTS[kind][name]
            assert (spec.form, spec.many) == (field.kind, field.many), (kind, name)
