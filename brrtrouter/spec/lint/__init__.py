"""`lint`: everything about an OpenAPI document that deserves a look, each finding under a stable name.

What the loader reports is found by the loader; the rules here say what only an author wants to know.  The table of all
rules is `RULES`; docs/guide/lint.md is the same for people.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from brrtrouter.errors import BrrtError, ConfigError
from brrtrouter.spec.cache import Cache
from brrtrouter.spec.limits import Limits, UnreadableError
from brrtrouter.spec.lint.context import Context, Finding, finding_of
from brrtrouter.spec.lint.operations import Operations
from brrtrouter.spec.lint.paths import check_paths
from brrtrouter.spec.lint.places import Place, places
from brrtrouter.spec.lint.rules import RULES, SEVERITIES, Rule, Severity
from brrtrouter.spec.lint.schemas import Schemas
from brrtrouter.spec.lint.structure import check_shape
from brrtrouter.spec.lint.values import Values
from brrtrouter.spec.lint.walk import Walk
from brrtrouter.spec.load import examine, name_of
from brrtrouter.spec.source import Access, Document, Network, SourceLike, read_file, read_source

__all__ = ["RULES", "SEVERITIES", "Finding", "LintResult", "Rule", "Severity", "lint"]


@dataclass(frozen=True, slots=True)
class LintResult:
    """All findings about one document, in the order of its text.

    `readable` is False when there is nothing to judge: no JSON or YAML, or no OpenAPI 3 document.
    """

    source: str
    findings: tuple[Finding, ...]
    readable: bool = True

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """The findings of this severity and above."""
        allowed = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return tuple(finding for finding in self.findings if finding.severity in allowed)


def lint(
    source: SourceLike,
    *,
    ignore: Iterable[str] = (),
    base_path: str | None = None,
    allow_outside: bool = False,
    allow_network: Network = False,
    documents: Mapping[str, SourceLike] | None = None,
    cache: str | os.PathLike[str] | None = None,
    limits: Limits | None = None,
) -> LintResult:
    """Judge an OpenAPI 3.0, 3.1 or 3.2 document: a path, bytes, text or a mapping; JSON or YAML.

    `ignore` names rules that are not wanted; all other parameters are those of `load`.  A document that cannot be
    served is no error here, it is what the findings are about.  Raises `BrrtError` for a file that cannot be opened,
    and `ConfigError` for a name in `ignore` that no rule has.
    """
    unwanted = frozenset(ignore)
    for name in sorted(unwanted - RULES.keys()):
        raise ConfigError(f"no lint rule is called {name!r}")
    limits = limits or Limits()
    access = Access(allow_outside, allow_network, documents or {}, Cache(cache) if cache else None)
    try:
        document = read_source(source, limits, access)
    except UnreadableError as error:
        return LintResult(name_of(source), (finding_of(error.issue),), readable=False)
    specification, report, readers = examine(document, limits, base_path, access=access)
    if specification is None or readers is None:
        found = [finding_of(issue) for issue in report.issues]
        return LintResult(document.name, tuple(_placed(found, document, limits)), readable=False)
    context = Context(specification, report, readers)
    _apply(context)
    wanted = [finding for finding in context.findings if finding.rule not in unwanted]
    return LintResult(document.name, tuple(_placed(wanted, document, limits)))


def _apply(context: Context) -> None:
    """All rules over all objects."""
    walk = Walk(context.files)
    operations, schemas, values = Operations(context, walk), Schemas(context), Values(context)
    for visit in walk.visits():
        check_shape(context, visit)
        operations.see(visit)
        schemas.see(visit)
        values.see(visit)
    check_paths(context)
    operations.finish()
    schemas.finish()
    values.finish()


def _placed(findings: list[Finding], document: Document, limits: Limits) -> list[Finding]:
    """The findings with lines and columns, ordered by file and place."""
    by_file: dict[str, list[str]] = {}
    for finding in findings:
        by_file.setdefault(finding.file, []).append(finding.pointer)
    known: dict[str, dict[str, Place]] = {}
    for file, pointers in by_file.items():
        raw = document.raw if not file else _raw(document, file, limits)
        known[file] = places(raw, pointers) if raw is not None else {}
    found = []
    for finding in findings:
        place = known[finding.file].get(finding.pointer)
        if place is not None and finding.line is None:
            finding = replace(finding, line=place[0], column=place[1])
        found.append(finding)
    return sorted(found, key=lambda each: (each.file, each.line or 0, each.column or 0))


def _raw(document: Document, file: str, limits: Limits) -> bytes | None:
    if document.path is None:
        return None
    try:
        return read_file(document.path.resolve().parent / file, limits, file).raw
    except (UnreadableError, BrrtError):
        return None
