"""The pass and fail documents that the OpenAPI Initiative tests its schemas of 3.1 and 3.2 with.

`lint` is the judge of what breaks the specification: it finds an error in each fail document and in no pass document.
`load` refuses less, for many a broken document says clearly enough what to serve.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from brrtrouter.errors import SpecError
from brrtrouter.spec.lint import lint
from brrtrouter.spec.load import load

SUITES = Path(__file__).parents[2] / "shared" / "specs" / "_suites"

pytestmark = pytest.mark.skipif(not SUITES.is_dir(), reason="the shared documents are not here")

# Pass documents that are examples of one object and lack what it refers to, which a schema cannot see: the rules that
# find that, and nothing else.
INCOMPLETE = {"operation-object-example.yaml": {"UndefinedSecurityScheme"}}
_NOT_READ = "the field is not read where it stands"
_NO_OPERATION = "the path item is a component that no path refers to, so that nothing of it is served"
# Fail documents that even `load(strict=True)` serves, and why: nothing at run time depends on what is wrong.
SERVED: dict[str, str] = {
    "header-object-allowReserved.yaml": _NOT_READ,
    "parameter-object-header-allowReserved.yaml": _NOT_READ,
    "parameter-object-cookie-allowReserved.yaml": _NOT_READ,
    "link-object-no-body.yaml": _NOT_READ,
    "xml-attr-exclusion.yaml": "nodeType, the newer of the two, wins",
    "xml-wrapped-exclusion.yaml": "nodeType, the newer of the two, wins",
    "operation-object-query-with-querystring.yaml": _NO_OPERATION,
    "operation-object-two-querystrings.yaml": _NO_OPERATION,
    "path-item-object-query-with-querystring.yaml": _NO_OPERATION,
    "path-item-object-two-querystrings.yaml": _NO_OPERATION,
}
PASS = sorted(SUITES.glob("oas-*/schema/pass/*.yaml"))
FAIL = sorted(SUITES.glob("oas-*/schema/fail/*.yaml"))


def name_of(path: Path) -> str:
    return f"{path.parts[-4]}/{path.name}"


def refused(path: Path, *, strict: bool = False) -> bool:
    try:
        load(path, strict=strict)
    except SpecError:
        return True
    return False


def test_the_suites_are_complete() -> None:
    assert (len(PASS), len(FAIL)) == (72, 40)


@pytest.mark.parametrize("path", PASS, ids=name_of)
def test_a_pass_document_has_no_error(path: Path) -> None:
    errors = {finding.rule for finding in lint(path).at_least("error")}
    assert errors == INCOMPLETE.get(path.name, set())
    assert refused(path) == bool(errors)


@pytest.mark.parametrize("path", FAIL, ids=name_of)
def test_a_fail_document_has_an_error(path: Path) -> None:
    assert lint(path).at_least("error")


@pytest.mark.parametrize("path", FAIL, ids=name_of)
def test_a_fail_document_that_is_served_in_strict_mode_too_is_one_of_these(path: Path) -> None:
    assert refused(path, strict=True) == (path.name not in SERVED)
