"""JSON-Schema-Test-Suite, draft 2020-12, through an OpenAPI document and the schema handles that judge requests.

A schema of the suite becomes the schema of a request body.  It gets an `$id` when it has none: in an OpenAPI document
its references would else be relative to that document.  `EXCEPTIONS` names what OpenAPI reads otherwise, or this
package does not do, each with the reason; everything else has to be judged as the suite says, and an exception that
holds no longer is an error too.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from brrtrouter.errors import SpecError
from brrtrouter.spec.load import load
from brrtrouter.spec.schema import Schema, SchemaCompileError, SchemaOptions

SUITE = Path(__file__).parents[2] / "shared" / "specs" / "_suites" / "JSON-Schema-Test-Suite"
DRAFT = SUITE / "tests" / "draft2020-12"
REMOTES = SUITE / "remotes"

pytestmark = pytest.mark.skipif(not DRAFT.is_dir(), reason="the suite is not here")

_NOT_FETCHED = "the schema of JSON Schema itself is an address that nothing was given for, and none is fetched"
_LOOKS_LIKE_ONE = "an object with an $id or an $anchor is taken for a schema wherever it stands"

_NO_KEYWORD = "`dependencies` is a keyword of earlier drafts, and no longer one of 2020-12"
_OWN_DIALECT = "a dialect of the document's own is named in a warning and read as JSON Schema 2020-12"

# By file and group: how many of its tests are judged otherwise, and why.
EXCEPTIONS: dict[str, dict[str, tuple[int, str]]] = {
    "defs": {"validate definition against metaschema": (2, _NOT_FETCHED)},
    "ref": {"remote ref, containing refs itself": (2, _NOT_FETCHED)},
    "vocabulary": {"schema that uses custom metaschema with with no validation vocabulary": (1, _OWN_DIALECT)},
    "optional/anchor": {"$anchor inside an enum is not a real identifier": (1, _LOOKS_LIKE_ONE)},
    "optional/id": {"$id inside an enum is not a real identifier": (1, _LOOKS_LIKE_ONE)},
    "optional/unknownKeyword": {"$id inside an unknown keyword is not a real identifier": (2, _LOOKS_LIKE_ONE)},
    "optional/cross-draft": {
        "refs to historic drafts are processed as historic drafts": (
            1,
            "all schemas of a document are of one dialect, that of its version of OpenAPI",
        ),
    },
    "optional/dependencies-compatibility": {
        "single dependency": (1, _NO_KEYWORD),
        "multiple dependents required": (3, _NO_KEYWORD),
        "dependencies with escaped characters": (2, _NO_KEYWORD),
        "single schema dependency": (3, _NO_KEYWORD),
        "boolean subschemas": (2, _NO_KEYWORD),
        "schema dependencies with escaped characters": (3, _NO_KEYWORD),
    },
    "optional/format-assertion": {
        "schema that uses custom metaschema with format-assertion: false": (1, _OWN_DIALECT),
        "schema that uses custom metaschema with format-assertion: true": (1, _OWN_DIALECT),
    },
}


@cache
def remotes() -> dict[str, bytes]:
    """What the suite wants to be served at its address; what is of another draft is not."""
    served = {}
    for path in REMOTES.rglob("*.json"):
        name = path.relative_to(REMOTES).as_posix()
        if name.startswith(DRAFT.name) or not name.startswith(("draft", "v1")):
            served[f"http://localhost:1234/{name}"] = path.read_bytes()
    return served


def handle(schema: Any, *, formats: bool = False) -> Schema | bool:
    """The schema of the request body of an OpenAPI 3.1 document; True for what refuses nothing."""
    if isinstance(schema, dict):
        schema = {"$id": "https://suite.example/schema", **schema}
    content = {"application/json": {"schema": schema}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Suite", "version": "1"},
        "paths": {"/x": {"post": {"operationId": "x", "requestBody": {"content": content}}}},
    }
    (operation,) = load(document, documents=remotes(), options=SchemaOptions(formats=formats)).operations
    assert operation.request_body is not None
    found = operation.request_body.content[0].schema
    return True if found is None else found


def verdict(schema: Any, value: Any, *, formats: bool) -> bool | str:
    try:
        found = handle(schema, formats=formats)
        return found if isinstance(found, bool) else found.is_valid(value)
    except (SpecError, SchemaCompileError) as error:
        return f"refused: {error}"


@cache
def judged(path: Path) -> tuple[int, dict[str, int]]:
    """How many tests a file has, and how many of each group are judged otherwise than it says."""
    formats = "format" in path.relative_to(DRAFT).parts
    count = 0
    wrong: dict[str, int] = {}
    for group in json.loads(path.read_text("utf-8")):
        count += len(group["tests"])
        told = [verdict(group["schema"], test["data"], formats=formats) for test in group["tests"]]
        failed = sum(one != test["valid"] for one, test in zip(told, group["tests"], strict=True))
        if failed:
            wrong[group["description"]] = failed
    return count, wrong


def files() -> list[Path]:
    return sorted(DRAFT.rglob("*.json"))


def name_of(path: Path) -> str:
    return path.relative_to(DRAFT).with_suffix("").as_posix()


@pytest.mark.parametrize("path", files(), ids=name_of)
def test_every_value_of_the_suite_is_judged_as_it_says(path: Path) -> None:
    known = EXCEPTIONS.get(name_of(path), {})
    assert judged(path)[1] == {group: count for group, (count, reason) in known.items() if reason}


def test_all_but_a_few_tests_of_the_suite_hold() -> None:
    total = sum(judged(path)[0] for path in files())
    failed = sum(sum(judged(path)[1].values()) for path in files())
    print(f"{total - failed} of {total} tests of draft 2020-12 hold")
    assert total > 2200
    assert failed == sum(count for groups in EXCEPTIONS.values() for count, _ in groups.values()) == 26
