"""Makes docs/conformance.md from the table of fields and from what tests/specs/conformance.yaml claims.

`python tests/conformance.py` writes the page again.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import NamedTuple

from brrtrouter.spec.limits import Limits
from brrtrouter.spec.lint.fields import MAPS, OBJECTS, title
from brrtrouter.spec.source import read_source

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "conformance.md"
CLAIMS = read_source(TESTS / "specs" / "conformance.yaml", Limits()).value
ANNOTATION = "test_conformance.py::test_an_annotation_is_accepted_and_changes_no_answer"
REJECTED = "test_conformance.py::test_a_field_of_another_version_is_refused_by_lint"
# Objects with members of any name instead of fields.
MEMBERS = {
    ("paths", "{path}"): "test_spec_load.py::test_templates_that_match_the_same_requests_collide",
    (
        "responses",
        "{status}",
    ): "test_response_validation.py::test_the_exact_status_goes_before_its_class_before_default",
    ("callback", "{expression}"): "test_outgoing.py::test_one_of_several_expressions_and_methods_is_chosen",
    ("securityRequirement", "{name}"): "test_security.py::test_the_truth_table_of_every_requirement_of_an_operation",
}
HEAD = """# Conformance

Every field of every object of OpenAPI 3.0, 3.1 and 3.2, what is done with it, and the test that shows it. The page is
made from the tests by `python tests/conformance.py`; a test fails when it is out of date, or names a test that does not
exist.

- **supported**: the field does at run time, in the server, in mock mode or in `lint`, what the specification says.
- **annotation**: the field is accepted, and no request is decided by it. It informs people, or it is for a client.
- **rejected**: the field does not exist in that version, and [lint](guide/lint.md) names it as an error; in a schema,
  where keywords of any name are allowed, as a warning.
"""


class Row(NamedTuple):
    """One field of an object, its status in each version, and the tests that show them."""

    kind: str
    field: str
    statuses: tuple[str, str, str]
    tests: tuple[str, ...]


@cache
def claims(kind: str) -> dict[str, str]:
    """What is claimed of the fields of an object; one line of the file may be for many keywords."""
    return {field: test for names, test in CLAIMS.get(kind, {}).items() for field in names.split("|")}


def rows() -> list[Row]:
    """The whole table, in the order of the objects."""
    found = []
    for kind, fields in OBJECTS.items():
        for field, spec in fields.items():
            claim = claims(kind).get(field)
            known = "supported" if claim else "annotation"
            statuses = [known if minor in spec.versions else "rejected" for minor in range(3)]
            tests = [claim or ANNOTATION]
            if kind == "schema" and claim and claim.startswith("test_json_schema_suite") and 0 in spec.versions:
                tests.append(CLAIMS["schema in 3.0"])
            if "rejected" in statuses:
                tests.append(REJECTED)
            found.append(Row(kind, field, (statuses[0], statuses[1], statuses[2]), tuple(tests)))
    for (kind, field), test in MEMBERS.items():
        found.append(Row(kind, field, ("supported", "supported", "supported"), (test,)))
    return found


@cache
def functions_in(file: str) -> frozenset[str]:
    """The names of the test functions in a file of tests."""
    path = TESTS / file
    tree = ast.parse(path.read_text("utf-8")) if path.is_file() else ast.Module([], [])
    functions = (node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    return frozenset(function.name for function in functions)


def page() -> str:
    """The text of docs/conformance.md."""
    table = rows()
    lines = [HEAD]
    for minor in range(3):
        statuses = [row.statuses[minor] for row in table]
        counts = ", ".join(f"{statuses.count(name)} {name}" for name in ("supported", "annotation", "rejected"))
        lines.append(f"OpenAPI 3.{minor}: {counts}.\n")
    for kind in [*OBJECTS, *MAPS]:
        lines += [f"## {title(kind)} Object\n", "| field | 3.0 | 3.1 | 3.2 | tests |", "|---|---|---|---|---|"]
        for row in table:
            if row.kind == kind:
                tests = ", ".join(f"`{test}`" for test in row.tests)
                lines.append(f"| `{row.field}` | {' | '.join(row.statuses)} | {tests} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
