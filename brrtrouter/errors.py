"""Every error that a user of BRRTRouter can meet, in one closed table.

Three families live here and nothing else in the package defines another:

* exceptions for the programmer (`RouteError`, `PathError`, `SpecError`, `ConfigError`);
* `Issue`, one finding about an OpenAPI document;
* problems, the RFC 9457 answers that a client gets.  `PROBLEMS` is the whole list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple


class BrrtError(Exception):
    """Base of the errors that a user can cause and can mend; the command line prints them in one line."""


class RouteError(BrrtError, ValueError):
    """A path template that cannot be routed: malformed, or colliding with another one.

    The message names the template and, for a collision, the other template too.
    """


class PathError(BrrtError, ValueError):
    """A request path that is no valid URI path: a bad percent escape or bytes that are not UTF-8 (RFC 3986 2.1)."""


class ConfigError(BrrtError, ValueError):
    """A setting that is unknown, of the wrong type or missing; the message names it and where it came from."""


class HandlerError(BrrtError, ValueError):
    """Handlers that cannot be used: the module does not import, or a name is not callable."""


Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding about an OpenAPI document.

    `kind` is a stable CamelCase name, `pointer` a JSON Pointer (RFC 6901) from the root of the document in
    which the finding is (prefixed with that file's name when it is not the entry document).
    """

    kind: str
    pointer: str
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"[{self.kind}] {self.pointer or '/'}: {self.message}"


class SpecError(BrrtError, ValueError):
    """An OpenAPI document that cannot be served.  `issues` lists every finding, errors and warnings."""

    def __init__(self, source: str, issues: Iterable[Issue]) -> None:
        self.source = source
        self.issues = tuple(issues)
        errors = [issue for issue in self.issues if issue.severity == "error"]
        noun = "issue" if len(errors) == 1 else "issues"
        lines = "".join(f"\n  {issue}" for issue in errors)
        super().__init__(f"{source}: {len(errors)} {noun} found:{lines}")


class ProblemType(NamedTuple):
    """A kind of RFC 9457 problem: the last part of its `type` URI, its status and its title."""

    slug: str
    status: int
    title: str


# The names that the original project published are kept; see docs/errors.md.
PROBLEM_BASE: Final = "https://microscaler.dev/problems/"
PROBLEMS: Final[Mapping[str, ProblemType]] = {
    kind.slug: kind
    for kind in (
        ProblemType("bad-request", 400, "Bad Request"),
        ProblemType("parameter-validation-failed", 400, "Parameter Validation Failed"),
        ProblemType("body-validation-failed", 400, "Body Validation Failed"),
        ProblemType("malformed-body", 400, "Malformed Body"),
        ProblemType("unauthorized", 401, "Unauthorized"),
        ProblemType("forbidden", 403, "Forbidden"),
        ProblemType("not-found", 404, "Not Found"),
        ProblemType("method-not-allowed", 405, "Method Not Allowed"),
        ProblemType("request-timeout", 408, "Request Timeout"),
        ProblemType("request-body-too-large", 413, "Content Too Large"),
        ProblemType("uri-too-long", 414, "URI Too Long"),
        ProblemType("unsupported-media-type", 415, "Unsupported Media Type"),
        ProblemType("expectation-failed", 417, "Expectation Failed"),
        ProblemType("headers-too-large", 431, "Request Header Fields Too Large"),
        ProblemType("internal-error", 500, "Internal Server Error"),
        ProblemType("not-implemented", 501, "Not Implemented"),
        ProblemType("service-unavailable", 503, "Service Unavailable"),
        ProblemType("version-not-supported", 505, "HTTP Version Not Supported"),
    )
}


class Fault(NamedTuple):
    """One entry of a problem's `errors` list: what is wrong with one value of a request.

    `location` is path, query, header, cookie or body; `pointer` is a JSON Pointer into the decoded values of
    that location (`/limit`, `/tags/0` for parameters; from the root of the body for bodies); `keyword` is the
    JSON Schema or OpenAPI keyword that failed; `message` is for people.
    """

    location: str
    pointer: str
    keyword: str
    message: str


def problem(
    slug: str,
    detail: str,
    *,
    faults: Iterable[Fault] = (),
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Build the members of a problem document (RFC 9457 section 3) of the kind `slug`."""
    kind = PROBLEMS[slug]
    document: dict[str, Any] = {
        "type": PROBLEM_BASE + kind.slug,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
    }
    if extra:
        document.update(extra)
    errors = [fault._asdict() for fault in faults]
    if errors:
        document["errors"] = errors
    return document
