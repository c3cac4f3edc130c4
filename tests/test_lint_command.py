"""`brrtrouter lint`: exit codes and formats; and that no document, however broken, ends in anything but findings."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brrtrouter.cli import main
from brrtrouter.spec.limits import Limits
from brrtrouter.spec.lint import RULES, lint
from brrtrouter.spec.lint.output import FORMATS
from brrtrouter.spec.source import read_source

SPECS = Path(__file__).parent / "specs"
TEXT = """openapi: 3.1.0
info: { title: T, version: "1" }
paths:
  /x:
    get:
      operationId: "a, b: 100%"
      tags: [t]
      responses: { "200": { description: "" } }
"""
INFO = TEXT
WARNING = TEXT.replace('"200"', '"404"')
ERROR = TEXT + "extra\\nfield: 1\n"
TWO_LINES = TEXT + '"extra\\nfield, too": 1\n'


def run(folder: Path, text: str, *options: str) -> int:
    (folder / "api.yaml").write_text(text, "utf-8")
    return main(["lint", str(folder / "api.yaml"), *options])


@pytest.mark.parametrize(
    ("text", "fail_on", "code"),
    [
        (INFO, "error", 0),
        (INFO, "warning", 0),
        (INFO, "info", 1),
        (WARNING, "error", 0),
        (WARNING, "warning", 1),
        (ERROR, "error", 1),
        (ERROR, "never", 0),
    ],
)
def test_the_exit_code_tells_whether_there_is_a_finding_of_the_severity(
    text: str, fail_on: str, code: int, tmp_path: Path
) -> None:
    assert run(tmp_path, text, "--fail-on", fail_on) == code


def test_errors_alone_make_the_exit_code_1_unless_told_otherwise(tmp_path: Path) -> None:
    assert (run(tmp_path, WARNING), run(tmp_path, ERROR)) == (0, 1)


@pytest.mark.parametrize("text", ["a: [", "swagger: '2.0'", "[]", ""])
def test_what_cannot_be_judged_is_exit_code_2_whatever_is_wanted(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, text, "--fail-on", "never") == 2
    assert "error: [" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", str(tmp_path / "none.yaml")]) == 2
    assert capsys.readouterr().err.startswith("brrtrouter: cannot read ")


def test_a_rule_that_does_not_exist_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, TEXT, "--ignore", "Nothing") == 2
    assert "no lint rule is called 'Nothing'" in capsys.readouterr().err


def test_ignored_rules_do_not_count(tmp_path: Path) -> None:
    ignored = [option for rule in ("UnknownField", "UndeclaredTag") for option in ("--ignore", rule)]
    assert run(tmp_path, ERROR, "--fail-on", "info", *ignored) == 0


def test_the_base_path_takes_the_place_of_servers(tmp_path: Path) -> None:
    one = "/a/x: { get: { operationId: x, responses: { default: { description: x } } } }"
    other = "/x: { servers: [{ url: /a }], get: { operationId: y, responses: { default: { description: y } } } }"
    text = f"openapi: 3.1.0\ninfo: {{ title: T, version: '1' }}\npaths:\n  {one}\n  {other}\n"
    assert run(tmp_path, text) == 1
    assert run(tmp_path, text, "--base-path", "/v1") == 0


def test_files_outside_of_the_folder_are_reached_when_it_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "shared.yaml").write_text(
        "get: { operationId: x, responses: { default: { description: x } } }\n", "utf-8"
    )
    folder = tmp_path / "api"
    folder.mkdir()
    text = "openapi: 3.1.0\ninfo: { title: T, version: '1' }\npaths: { /x: { $ref: ../shared.yaml } }\n"
    assert run(folder, text) == 1
    assert run(folder, text, "--allow-outside") == 0


def test_text_has_a_place_that_an_editor_jumps_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, INFO)
    lines = capsys.readouterr().out.splitlines()
    assert (
        lines[0] == f"{tmp_path}/api.yaml:7:7: info: [UndeclaredTag] /paths/~1x/get/tags: the tag 't' is not declared"
    )
    assert lines[1] == f"    {RULES['UndeclaredTag'].suggestion}"
    assert lines[2:] == [f"{tmp_path}/api.yaml: 0 errors, 0 warnings, 1 info"]


def test_json_has_all_that_a_finding_knows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, INFO, "--format", "json")
    assert json.loads(capsys.readouterr().out) == {
        "source": f"{tmp_path}/api.yaml",
        "readable": True,
        "counts": {"error": 0, "warning": 0, "info": 1},
        "findings": [
            {
                "rule": "UndeclaredTag",
                "severity": "info",
                "file": f"{tmp_path}/api.yaml",
                "pointer": "/paths/~1x/get/tags",
                "line": 7,
                "column": 7,
                "message": "the tag 't' is not declared",
                "suggestion": RULES["UndeclaredTag"].suggestion,
            }
        ],
    }


def test_github_annotations_escape_what_means_something_to_github(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a,b"
    folder.mkdir()
    run(folder, TWO_LINES, "--format", "github")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"::notice file={tmp_path}/a%2Cb/api.yaml,line=7,col=7,title=UndeclaredTag::/paths/")
    assert lines[1].startswith(
        f"::error file={tmp_path}/a%2Cb/api.yaml,line=9,col=1,title=UnknownField::/extra%0Afield"
    )
    assert len(lines) == 2


def test_sarif_has_the_rules_and_the_places_that_scanners_need(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, ERROR, "--format", "sarif")
    log = json.loads(capsys.readouterr().out)
    assert (log["version"], "sarif-2.1.0" in log["$schema"]) == ("2.1.0", True)
    (found,) = log["runs"]
    rules = found["tool"]["driver"]["rules"]
    for result in found["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert rules[result["ruleIndex"]]["defaultConfiguration"]["level"] == result["level"]
        assert result["message"]["text"]
    levels = {result["ruleId"]: result["level"] for result in found["results"]}
    assert levels == {"UndeclaredTag": "note", "UnknownField": "error"}
    physical = found["results"][0]["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"].endswith("api.yaml")
    assert physical["region"] == {"startLine": 7, "startColumn": 7}


def test_a_document_without_findings_says_nothing_to_github(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, TEXT, "--ignore", "UndeclaredTag", "--format", "github") == 0
    assert capsys.readouterr().out == ""


# -- broken documents ---------------------------------------------------------------------------------------------

EVERYTHING = read_source(SPECS / "everything.yaml", Limits()).value
CASES = read_source(SPECS / "lint_cases.yaml", Limits()).value
WHOLE = [
    EVERYTHING,
    *(
        {
            "openapi": "3.2.0",
            "info": {},
            "paths": {},
            **{k: v for k, v in case.items() if k not in ("rule", "at", "version")},
        }
        for case in CASES
    ),
]
JUNK = st.sampled_from(
    [
        *(None, True, -1, 1.5, 10**30, "", "x", "#", "#/", "http://[", "{", "\x00", [], [None], [[]], [{}]),
        *({}, {"$ref": "#"}, {"$ref": 1}, {"": {}}, {"x-": 1}, {"type": []}, {"$id": "a"}, {"$ref": "#/paths"}),
    ]
).map(copy.deepcopy)


def places_of(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(place for key, item in members for place in places_of(item, (*above, key)))]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_document_with_junk_anywhere_gives_findings_and_never_a_traceback(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = data.draw(st.sampled_from([place for place in places_of(document) if place]))
        holder = document
        for part in path:
            holder = holder[part]
        holder[last] = data.draw(JUNK)
    result = lint(document)
    for finding in result.findings:
        assert finding.rule in RULES
    for write in FORMATS.values():
        write(result)
