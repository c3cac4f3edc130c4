"""Findings as text for people, JSON for programs, annotations for GitHub, and SARIF 2.1.0 for code scanners."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Final

from brrtrouter.spec.lint import RULES, SEVERITIES, Finding, LintResult, Severity

_SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_SARIF_LEVELS: Final[dict[Severity, str]] = {"error": "error", "warning": "warning", "info": "note"}
_GITHUB_LEVELS: Final[dict[Severity, str]] = {"error": "error", "warning": "warning", "info": "notice"}
# What has a meaning of its own in a workflow command, in its message and in its properties.
_ESCAPES: Final = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY_ESCAPES: Final = {**_ESCAPES, ":": "%3A", ",": "%2C"}


def _path(result: LintResult, finding: Finding) -> str:
    """The file of a finding as one would open it: other files are named from the folder of the entry document."""
    if not finding.file:
        return result.source
    return (PurePath(result.source).parent / finding.file).as_posix()


def _counts(result: LintResult) -> dict[str, int]:
    counted = Counter(finding.severity for finding in result.findings)
    return {severity: counted[severity] for severity in SEVERITIES}


def as_text(result: LintResult) -> str:
    """One line for each finding, its suggestion below, and the counts at the end."""
    lines = []
    for finding in result.findings:
        place = [_path(result, finding), *(str(part) for part in (finding.line, finding.column) if part)]
        head = f"{':'.join(place)}: {finding.severity}: [{finding.rule}] {finding.pointer or '/'}: {finding.message}"
        lines += [head, f"    {finding.suggestion}"]
    counts = ", ".join(
        f"{count} {severity if count == 1 or severity == 'info' else severity + 's'}"
        for severity, count in _counts(result).items()
    )
    return "\n".join([*lines, f"{result.source}: {counts}"])


def as_json(result: LintResult) -> str:
    """One object with `source`, `readable`, `counts` and `findings`."""
    findings = [
        {
            "rule": finding.rule,
            "severity": finding.severity,
            "file": _path(result, finding),
            "pointer": finding.pointer,
            "line": finding.line,
            "column": finding.column,
            "message": finding.message,
            "suggestion": finding.suggestion,
        }
        for finding in result.findings
    ]
    record = {"source": result.source, "readable": result.readable, "counts": _counts(result), "findings": findings}
    return json.dumps(record, indent=2, ensure_ascii=False)


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)


def as_github(result: LintResult) -> str:
    """Workflow commands, which GitHub shows beside the lines that they name."""
    lines = []
    for finding in result.findings:
        properties = {"file": _path(result, finding), "line": finding.line, "col": finding.column}
        properties["title"] = finding.rule
        given = ",".join(
            f"{name}={_escaped(str(value), _PROPERTY_ESCAPES)}" for name, value in properties.items() if value
        )
        message = _escaped(f"{finding.pointer or '/'}: {finding.message}. {finding.suggestion}", _ESCAPES)
        lines.append(f"::{_GITHUB_LEVELS[finding.severity]} {given}::{message}")
    return "\n".join(lines)


def as_sarif(result: LintResult) -> str:
    """A SARIF 2.1.0 log with one run; of the rules, those that found something."""
    names = sorted({finding.rule for finding in result.findings})
    driver = {
        "name": "brrtrouter lint",
        "rules": [
            {
                "id": name,
                "shortDescription": {"text": RULES[name].summary},
                "help": {"text": RULES[name].suggestion},
                "defaultConfiguration": {"level": _SARIF_LEVELS[RULES[name].severity]},
            }
            for name in names
        ],
    }
    results = [
        {
            "ruleId": finding.rule,
            "ruleIndex": names.index(finding.rule),
            "level": _SARIF_LEVELS[finding.severity],
            "message": {"text": f"{finding.message}. {finding.suggestion}"},
            "locations": [_location(result, finding)],
        }
        for finding in result.findings
    ]
    log = {"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return json.dumps(log, indent=2, ensure_ascii=False)


def _location(result: LintResult, finding: Finding) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": PurePath(_path(result, finding)).as_posix()}}
    if finding.line:
        region = {"startLine": finding.line, "startColumn": finding.column}
        physical["region"] = {name: value for name, value in region.items() if value}
    return {"physicalLocation": physical, "logicalLocations": [{"fullyQualifiedName": finding.pointer or "/"}]}


FORMATS: Final[dict[str, Callable[[LintResult], str]]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}
