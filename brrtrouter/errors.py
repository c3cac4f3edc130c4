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


class MountError(BrrtError, ValueError):
    """A mounted ASGI application that has failed to start; the message has its prefix and what it said."""


class HandlerError(BrrtError, ValueError):
    """Handlers that cannot be used: the module does not import, or a name is not callable."""


class BodyStreamError(BrrtError, ValueError):
    """The rest of a body that is read as a stream will not come: it is too large, malformed, or the client has gone.

    `slug` is the problem that the client is answered with when the handler lets the exception pass.
    """

    def __init__(self, slug: str, message: str) -> None:
        self.slug = slug
        super().__init__(message)


class OutgoingError(BrrtError, ValueError):
    """A callback, webhook or link that could not be made or sent; the message names it."""


class ExpressionError(OutgoingError):
    """A runtime expression that gives nothing for this request: what it names is not there (OpenAPI 3.1 4.8.20.3)."""


class TargetError(OutgoingError):
    """A URL that nothing is sent to: it is none, not http or https, or leads to an address that is not public."""


class MessageError(OutgoingError):
    """A body or parameter that is not as described, found before anything was sent; `faults` says where."""

    def __init__(self, message: str, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        super().__init__(message + _lines(self.faults))


class DeliveryError(OutgoingError):
    """No attempt got an answer that ends the matter.  `status` is that of the last answer, None when there was none."""

    def __init__(self, message: str, attempts: int, status: int | None = None) -> None:
        self.attempts = attempts
        self.status = status
        super().__init__(message)


class AnswerError(OutgoingError):
    """An answer that is not as described; `answer` is what came, `faults` what is wrong with it."""

    def __init__(self, message: str, faults: Iterable[Fault], answer: Any) -> None:
        self.faults = tuple(faults)
        self.answer = answer
        super().__init__(message + _lines(self.faults))


def _lines(faults: Iterable[Fault]) -> str:
    return "".join(f"\n  {fault.location} {fault.pointer or '/'}: {fault.message}" for fault in faults)


class SignatureError(BrrtError, ValueError):
    """A message whose signature is missing, too old or not right; the message says which, never the secret."""


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
        ProblemType("not-acceptable", 406, "Not Acceptable"),
        ProblemType("request-timeout", 408, "Request Timeout"),
        ProblemType("precondition-failed", 412, "Precondition Failed"),
        ProblemType("request-body-too-large", 413, "Content Too Large"),
        ProblemType("uri-too-long", 414, "URI Too Long"),
        ProblemType("unsupported-media-type", 415, "Unsupported Media Type"),
        ProblemType("range-not-satisfiable", 416, "Range Not Satisfiable"),
        ProblemType("expectation-failed", 417, "Expectation Failed"),
        ProblemType("upgrade-required", 426, "Upgrade Required"),
        ProblemType("rate-limit-exceeded", 429, "Too Many Requests"),
        ProblemType("headers-too-large", 431, "Request Header Fields Too Large"),
        ProblemType("internal-error", 500, "Internal Server Error"),
        ProblemType("not-implemented", 501, "Not Implemented"),
        ProblemType("service-unavailable", 503, "Service Unavailable"),
        ProblemType("handler-timeout", 504, "Gateway Timeout"),
        ProblemType("version-not-supported", 505, "HTTP Version Not Supported"),
    )
}


class Fault(NamedTuple):
    """One entry of a problem's `errors` list: what is wrong with one value of a request.

    `location` is path, query, header, cookie or body; `pointer` is a JSON Pointer into the decoded values of
    that location (`/limit`, `/tags/0` for parameters; from the root of the body for bodies); `keyword` is the
    JSON Schema or OpenAPI keyword that failed; `message` is for people.  `schema_path` is a JSON Pointer from the
    schema of the parameter or body to that keyword, with `$ref` where a reference was followed; empty when no
    schema was asked.
    """

    location: str
    pointer: str
    keyword: str
    message: str
    schema_path: str = ""


_ALWAYS: Final = frozenset({"location", "pointer", "keyword", "message"})


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
    errors = [{name: text for name, text in fault._asdict().items() if text or name in _ALWAYS} for fault in faults]
    if errors:
        document["errors"] = errors
    return document
