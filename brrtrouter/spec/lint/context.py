"""What every rule has at hand, and where its findings go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from brrtrouter.errors import Issue
from brrtrouter.spec.lint.rules import RULES, SEVERITIES, Severity
from brrtrouter.spec.load import Readers
from brrtrouter.spec.model import Specification
from brrtrouter.spec.reference import Files, Node
from brrtrouter.spec.report import Report

_WRITTEN_PLACE: Final = re.compile(r"line (\d+)(?:, column (\d+))?: ")
# One object may lack several fields, so that these are told apart by their messages.
_SEVERAL: Final = frozenset({"MissingField", "ConflictingFields", "UndefinedScope", "FieldBesideRef"})
# What the loader calls otherwise, because it knows less.
_SAME_AS: Final = {"FieldOfLaterVersion": "UnknownField"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of one rule.

    `pointer` is a JSON Pointer (RFC 6901) into `file`, which is empty for the entry document.  `line` and `column`
    count from 1 and are None when there is no text to point into.
    """

    rule: str
    severity: Severity
    file: str
    pointer: str
    message: str
    line: int | None = None
    column: int | None = None

    @property
    def suggestion(self) -> str:
        """What to do about it."""
        return RULES[self.rule].suggestion


def finding_of(issue: Issue) -> Finding:
    """An issue of the loader as a finding under the same name."""
    least = RULES[issue.kind].severity if issue.kind in RULES else issue.severity
    severity = min(least, issue.severity, key=SEVERITIES.index)
    file, pointer = split_place(issue.pointer)
    written = _WRITTEN_PLACE.match(issue.message)
    line, column = (int(part) if part else None for part in written.groups()) if written else (None, None)
    return Finding(issue.kind, severity, file, pointer, issue.message, line, column)


def split_place(place: str) -> tuple[str, str]:
    """A place as issues show it: the file, empty for the entry document, and the pointer."""
    if not place or place.startswith("/"):
        return "", place
    file, _, pointer = place.partition("#")
    return file, pointer


class Context:
    """One document under the rules."""

    def __init__(self, specification: Specification, report: Report, readers: Readers) -> None:
        self.specification = specification
        self.report = report
        self.readers = readers
        self.schemas = readers.parameters.schemas
        self.files: Files = self.schemas.files
        self.minor = readers.parameters.version[1]
        self._own: dict[tuple[str, str, str], None] = {}

    def add(self, rule: str, place: Node, message: str) -> None:
        """Report a finding of a rule."""
        self._own.setdefault((rule, place.place, message))

    def has(self, *rules: str) -> bool:
        """Whether anything was reported under one of these names so far."""
        return any(name in rules for name, _, _ in self._own) or any(i.kind in rules for i in self.report.issues)

    @property
    def findings(self) -> list[Finding]:
        """All findings, those of the loader first; a rule does not repeat what the loader says of the same place."""
        issues = self.report.issues
        found = [finding_of(issue) for issue in issues]
        known = {(issue.kind, issue.pointer) for issue in issues if issue.kind not in _SEVERAL}
        for rule, place, message in self._own:
            if (rule, place) not in known and (_SAME_AS.get(rule), place) not in known:
                found.append(Finding(rule, RULES[rule].severity, *split_place(place), message))
        return found
