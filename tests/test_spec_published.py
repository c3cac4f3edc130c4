"""Documents of the world load or name what is wrong with them; garbage gives issues and nothing else."""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brrtrouter.errors import Issue, SpecError
from brrtrouter.spec.limits import Limits
from brrtrouter.spec.load import load
from brrtrouter.spec.source import read_source

SPECS = Path(__file__).parent / "specs"
SHARED = Path(__file__).parents[2] / "shared" / "specs"
EVERYTHING = read_source(SPECS / "everything.yaml", Limits()).value


# -- documents of the world -------------------------------------------------------------------------------------


def issues(source: Any) -> list[Issue]:
    """The errors that the document is refused for; [] when it loads."""
    try:
        load(source)
    except SpecError as refused:
        return [issue for issue in refused.issues if issue.severity == "error"]
    return []


def published() -> list[Path]:
    found = [path for path in SHARED.rglob("*") if path.suffix in (".json", ".yaml", ".yml")]
    parts = [path for path in found if "digitalocean" in path.parts and not path.name.startswith("DigitalOcean")]
    others = ("arazzo", "JSON-Schema-Test-Suite", "uritemplate-test", "schemas")
    rest = set(found) - set(parts)
    return sorted(p for p in rest if not set(others) & set(p.parts) and p.name != "param-style-vectors.json")


PUBLISHED = published()
# Documents that break a rule of the specification, and by which issues that is found.
BROKEN = {
    "meilisearch/open-api.yaml": {"UnresolvableParameterRef", "UnresolvableSchemaRef", "WrongType"},
    "brrtrouter-original/fixtures/openapi_dangling_request_body_ref.yaml": {"UnresolvableRequestBodyRef"},
    "brrtrouter-original/linter/missing_schema_ref.yaml": {"UnresolvableSchemaRef"},
    "brrtrouter-original/linter/mixed_issues.yaml": {"UnresolvableSchemaRef"},
    "readme-oas-examples/3.0/json/parameters-common.json": {"IllegalPathTemplate"},
    "readme-oas-examples/3.0/json/response-http-behavior.json": {"UndefinedSecurityScheme"},
    "_suites/oas-3.1-schema/schema/pass/operation-object-example.yaml": {"UndefinedSecurityScheme"},
    "_suites/oas-3.2-schema/schema/pass/operation-object-example.yaml": {"UndefinedSecurityScheme"},
}


@pytest.mark.skipif(not PUBLISHED, reason="the shared documents are not here")
@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: str(path.relative_to(SHARED)))
def test_a_published_document_loads_or_names_what_is_wrong(path: Path) -> None:
    name = path.relative_to(SHARED).as_posix()
    text = path.read_bytes()
    if "/v2.0/" in name or "/2.0/" in name:
        (issue,) = issues(path)
        assert issue.kind == "UnsupportedVersion"
        assert "Swagger 2.0" in issue.message
    elif name in BROKEN:
        assert BROKEN[name] <= {issue.kind for issue in issues(path)}
    elif "/schema/fail/" in name:
        # The suite breaks rules that have no bearing on a server as well, so some of these load.
        with contextlib.suppress(SpecError):
            load(path)
    else:
        loaded = load(path)
        assert loaded.raw == text
        for found in loaded.operations:
            schemas = [m.schema for m in found.request_body.content] if found.request_body else []
            for schema in (*schemas, *(p.schema for p in found.parameters)):
                assert schema is None or schema.compile_issue() is None


# -- garbage ----------------------------------------------------------------------------------------------------

KEYWORDS = sorted(
    {"$ref", "$id", "$anchor", "$dynamicRef", "type", "enum", "in", "name", "required", "schema", "format"}
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from(["", "#", "#/", "#/paths", "/x", "query", "object", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYWORDS) | st.text(max_size=2), inner, max_size=4)
    ),
    max_leaves=12,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in members for place in places(item, (*path, key)))]


PLACES = [place for place in places(EVERYTHING) if place and place != ("openapi",)]


def use_everything(source: Any) -> None:
    """Load the document and touch all that is in the model; nothing but SpecError may come of it."""
    try:
        loaded = load(source)
    except SpecError:
        assert issues(source)
        return
    for found in loaded.operations:
        assert found.success_status
        media = [m for response in found.responses for m in response.content]
        media += found.request_body.content if found.request_body else ()
        for schema in (*(m.schema for m in media), *(p.schema for p in found.parameters)):
            if schema is not None and schema.compile_issue() is None:
                assert schema.is_valid(None) is not bool(schema.faults(None))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(PLACES), JSON), min_size=1, max_size=3),
    st.sampled_from(["3.0.4", "3.1.0", "3.2.0"]),
)
def test_garbage_anywhere_in_a_document_gives_issues_and_nothing_else(changes: Any, version: str) -> None:
    source = copy.deepcopy(EVERYTHING)
    source["openapi"] = version
    for place, value in changes:
        target = source
        for key in place[:-1]:
            if not (isinstance(target, dict) and key in target) and not (
                isinstance(target, list) and isinstance(key, int) and key < len(target)
            ):
                break
            target = target[key]
        else:
            if isinstance(target, dict) or (
                isinstance(target, list) and isinstance(place[-1], int) and place[-1] < len(target)
            ):
                target[place[-1]] = value
    use_everything(source)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_random_json_is_no_document(value: Any) -> None:
    use_everything({"openapi": "3.1.0", "paths": value, "components": value})
    if isinstance(value, dict):
        use_everything(value)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet="{}[]:,-&*!|>'\"#%@`\n ab0<?", max_size=40).map(str.encode))
def test_random_bytes_are_no_document(raw: bytes) -> None:
    with pytest.raises(SpecError):
        load(raw)
