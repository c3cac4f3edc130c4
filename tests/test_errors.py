"""The closed table of errors: documented as it is, and well formed as RFC 9457 wants it."""

from __future__ import annotations

import doctest
import inspect
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brrtrouter import errors
from brrtrouter.errors import PROBLEM_BASE, PROBLEMS, BrrtError, Fault, Issue, SpecError, problem

MANUAL = Path(__file__).resolve().parents[1] / "docs" / "errors.md"
STANDARD_MEMBERS = ["type", "title", "status", "detail"]

# RFC 9457 section 3.2: names of extension members that every serialization can express.
EXTENSION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,}")
PHRASES = {
    413: "Content Too Large",  # RFC 9110 renamed these; http.HTTPStatus follows only in later versions
    414: "URI Too Long",
    416: "Range Not Satisfiable",
}

texts = st.text(max_size=20)
faults = st.builds(Fault, st.sampled_from(["path", "query", "header", "cookie", "body"]), texts, texts, texts)


def table(heading: str) -> list[list[str]]:
    """Cells of the rows of the first table under a heading of the manual, without its two head lines."""
    _before, below = MANUAL.read_text("utf-8").split(f"# {heading}\n", 1)
    section = re.split(r"^#+ ", below, maxsplit=1, flags=re.MULTILINE)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_manual_and_code_list_the_same_problem_types_in_the_same_order() -> None:
    documented = [(row[0].strip("`"), int(row[1]), row[2]) for row in table("Problem types")]
    assert documented == [tuple(kind) for kind in PROBLEMS.values()]


def test_every_problem_type_of_the_manual_says_when_and_gives_an_example() -> None:
    assert all(when and example for *_type, when, example in table("Problem types"))


def test_manual_and_code_list_the_same_exceptions() -> None:
    declared = {
        name
        for name, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, BrrtError) and value is not BrrtError
    }
    assert {row[0].strip("`") for row in table("Exceptions: what a programmer gets")} == declared


def test_manual_and_code_list_the_same_members_of_a_fault() -> None:
    assert [row[0].strip("`") for row in table("`errors[]`")] == list(Fault._fields)


def test_manual_and_code_list_the_same_members_of_a_problem() -> None:
    made = problem("bad-request", "no", faults=[Fault("body", "", "type", "no")])
    rows = {row[0].strip("`"): row[1] for row in table("Problems: what a client gets")}
    assert list(rows) == list(made)
    assert f"`{PROBLEM_BASE}`" in rows["type"]


def test_examples_of_the_manual_give_what_they_show() -> None:
    outcome = doctest.testfile(str(MANUAL), module_relative=False, encoding="utf-8")
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize("slug", PROBLEMS)
def test_problem_members_are_valid_rfc9457_3_1(slug: str) -> None:
    made = problem(slug, "what happened")
    assert list(made) == STANDARD_MEMBERS
    address = urlsplit(made["type"])
    assert address.scheme == "https"
    assert address.netloc
    assert not address.query
    assert not address.fragment
    assert made["type"].isascii()
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", slug)
    assert made["type"] == PROBLEM_BASE + slug
    assert type(made["status"]) is int
    assert 400 <= made["status"] <= 599
    assert made["title"] == PROBLEMS[slug].title
    assert made["title"].strip()
    assert made["detail"] == "what happened"


def test_problem_types_are_distinct() -> None:
    assert len({kind.slug for kind in PROBLEMS.values()}) == len(PROBLEMS)
    assert all(key == kind.slug for key, kind in PROBLEMS.items())
    assert len({kind.title for kind in PROBLEMS.values()}) == len(PROBLEMS)


def test_one_problem_type_of_every_status_is_titled_as_rfc9110_15_names_the_status() -> None:
    titles: dict[int, set[str]] = {}
    for kind in PROBLEMS.values():
        titles.setdefault(kind.status, set()).add(kind.title)
    for status, found in titles.items():
        assert PHRASES.get(status, HTTPStatus(status).phrase) in found


def test_a_slug_outside_the_closed_table_is_refused() -> None:
    with pytest.raises(KeyError):
        problem("teapot", "short and stout")


def test_a_problem_without_faults_has_no_errors_member() -> None:
    assert "errors" not in problem("body-validation-failed", "no", faults=iter(()))


@given(st.sampled_from(sorted(PROBLEMS)), texts, st.lists(faults, max_size=4))
def test_every_fault_comes_back_from_the_json_in_order(slug: str, detail: str, given_faults: list[Fault]) -> None:
    back: Mapping[str, Any] = json.loads(json.dumps(problem(slug, detail, faults=iter(given_faults))))
    assert back["detail"] == detail
    assert [Fault(**entry) for entry in back.get("errors", [])] == given_faults
    assert all(EXTENSION_NAME.fullmatch(name) for name in back)


def test_extra_members_are_added_beside_the_standard_ones_and_before_errors() -> None:
    extra = {"instance": "/pets/7", "request_id": "a1"}
    made = problem("not-found", "no", faults=[Fault("path", "/id", "type", "no")], extra=extra)
    assert list(made) == [*STANDARD_MEMBERS, "instance", "request_id", "errors"]
    assert extra.items() <= made.items()


def test_every_exception_is_caught_as_brrt_error_and_as_value_error() -> None:
    exceptions = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, Exception)]
    exceptions.remove(BrrtError)
    assert exceptions
    assert all(issubclass(value, BrrtError) and issubclass(value, ValueError) for value in exceptions)


@given(st.from_regex(r"[A-Z][A-Za-z]*", fullmatch=True), texts.map(lambda text: "/" + text), texts)
def test_issue_line_is_kind_pointer_message(kind: str, pointer: str, message: str) -> None:
    assert str(Issue(kind, pointer, message)) == "[" + kind + "] " + pointer + ": " + message


def test_issue_at_the_root_of_the_document_is_shown_as_a_slash() -> None:
    assert str(Issue("Kind", "", "message")) == "[Kind] /: message"


def test_issue_is_an_error_unless_it_says_otherwise() -> None:
    assert Issue("Kind", "", "message").severity == "error"


@given(st.lists(st.sampled_from(["error", "warning"]), max_size=5))
def test_spec_error_counts_and_shows_errors_and_keeps_warnings(severities: list[errors.Severity]) -> None:
    issues = [Issue("Kind", f"/{index}", "m", severity) for index, severity in enumerate(severities)]
    raised = SpecError("api.yaml", iter(issues))
    head, *lines = str(raised).split("\n")
    count = severities.count("error")
    assert head == f"api.yaml: {count} issue{'' if count == 1 else 's'} found:"
    assert lines == [f"  {issue}" for issue in issues if issue.severity == "error"]
    assert raised.issues == tuple(issues)
    assert raised.source == "api.yaml"
