"""Security requirements compiled to one check per operation: OR of ANDs, failing closed.

OpenAPI 3.1 sections 4.8.2 (`security`), 4.8.27 (schemes) and 4.8.30 (requirements); 401 and 403 by RFC 9110 section
15.5, challenges by section 11.6.1.  An operation without requirements gets no check at all.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.core.service import Mode, run_inline
from brrtrouter.dispatch.kinds import mode_of
from brrtrouter.errors import ConfigError

logger = logging.getLogger("brrtrouter.security")


class Scheme(Protocol):
    """What a provider is told about its scheme; `brrtrouter.spec.model.SecurityScheme` has it."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def location(self) -> str: ...
    @property
    def parameter(self) -> str: ...
    @property
    def http_scheme(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a credential stands for.  Handlers find it in `request.auth` under the name of the scheme."""

    subject: str | None = None
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a credential does not do: there is none, it is not valid, or it lacks scopes.

    `challenge` goes into WWW-Authenticate (RFC 9110 section 11.6.1).
    """

    reason: Literal["missing", "invalid", "scope"]
    challenge: str


Verdict = Principal | Denial


class SecurityProvider(Protocol):
    """Verifies the credentials of one security scheme.  Bound to it by name: `App(security={"name": provider})`."""

    def authenticate(self, request: Request, scheme: Scheme, scopes: Sequence[str]) -> Verdict | Awaitable[Verdict]:
        """Look for the scheme's credential in the request; may be `async def`.

        A Principal lets the request pass, a Denial does not.  An exception, or a result that is neither, is logged and
        counts as an invalid credential.
        """


def _quoted(text: str) -> str:
    safe = "".join(c if " " <= c <= "~" else "?" for c in text)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'


def challenge_for(scheme: Scheme) -> str:
    """The challenge that tells a client what a scheme wants."""
    if scheme.type == "apiKey":
        return f"ApiKey in={_quoted(scheme.location)}, name={_quoted(scheme.parameter)}"
    if scheme.type == "http":
        return f'{scheme.http_scheme.title()} realm="api"'
    return 'Bearer realm="api"'


def _in_header(request: Request, name: str) -> str | None:
    return request.header(name)


def _in_cookie(request: Request, name: str) -> str | None:
    return request.raw_cookies().get(name)


def _in_query(request: Request, name: str) -> str | None:
    found = [value for each, value in request.query_pairs() if each == name]
    # Of two keys nobody can say which one a proxy or a log has looked at.
    return found[0] if len(found) == 1 else None


_KEY_AT: Mapping[str, Callable[[Request, str], str | None]] = {
    "header": _in_header,
    "cookie": _in_cookie,
    "query": _in_query,
}


def credential(request: Request, scheme: Scheme) -> str | None:
    """The text of the credential that a scheme of type apiKey or http describes, None when the request has none."""
    if scheme.type == "apiKey":
        return _KEY_AT[scheme.location](request, scheme.parameter)
    value = request.header("authorization")
    if value is None:
        return None
    kind, _, rest = value.partition(" ")
    wanted = scheme.http_scheme if scheme.type == "http" else "bearer"
    return rest.strip() if kind.lower() == wanted and rest.strip() else None


class ApiKeyProvider:
    """A scheme of type apiKey with one static key, compared in constant time."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def authenticate(self, request: Request, scheme: Scheme, scopes: Sequence[str]) -> Verdict:
        """Principal when the request carries the key where the scheme says."""
        given = credential(request, scheme)
        if given is None:
            return Denial("missing", challenge_for(scheme))
        # Header fields are octets, of which text was made as Latin-1; in a query it was UTF-8.
        octets = given.encode("utf-8" if scheme.location == "query" else "latin-1")
        if not hmac.compare_digest(octets, self._key):
            return Denial("invalid", challenge_for(scheme))
        return Principal(subject=scheme.name)


class PresenceProvider:
    """For the echo handler: a credential of the declared kind must be there, what it says is not looked at."""

    def authenticate(self, request: Request, scheme: Scheme, scopes: Sequence[str]) -> Verdict:
        """Principal when there is any credential of the scheme's kind."""
        if scheme.type == "mutualTLS" or credential(request, scheme):
            return Principal(subject=None)
        return Denial("missing", challenge_for(scheme))


def check_provider(name: str, provider: SecurityProvider) -> SecurityProvider:
    """The provider itself; ConfigError when it cannot be asked."""
    if not callable(getattr(provider, "authenticate", None)):
        raise ConfigError(f"the provider of the security scheme {name!r} has no method authenticate")
    return provider


@dataclass(frozen=True, slots=True)
class Bound:
    """One requirement with the provider that verifies it."""

    provider: SecurityProvider
    scheme: Scheme
    scopes: tuple[str, ...]


Check = Callable[[Request], Any]
# Yields what has to be awaited, is sent its result or exception; returns None to let the request pass, or the refusal.
_Steps = Generator[Any, Any, Response | None]


def compile_check(alternatives: Sequence[Sequence[Bound]]) -> tuple[Check, Mode]:
    """One callable for a list of alternatives (OR) of requirements (AND), and how it gives its result.

    It takes a request, sets `request.auth` and returns None, or returns the Response that refuses: 401 with a challenge
    for each alternative that failed, 403 when a valid credential lacked scopes.  An empty alternative accepts requests
    without credentials, wherever it stands in the list; one with a bad credential is refused all the same.  A provider
    is asked once for each scheme and set of scopes, and no more once an alternative is satisfied.
    """
    ordered = tuple(sorted((tuple(each) for each in alternatives), key=lambda alternative: not alternative))
    bound = [requirement for alternative in ordered for requirement in alternative]
    if any(mode_of(requirement.provider.authenticate) is Mode.TASK for requirement in bound):
        return _async_check(ordered), Mode.TASK
    return _sync_check(ordered), Mode.SYNC


def _steps(request: Request, alternatives: tuple[tuple[Bound, ...], ...]) -> _Steps:
    known: dict[tuple[str, tuple[str, ...]], Verdict] = {}
    denials: list[Denial] = []
    for alternative in alternatives:
        granted: dict[str, Principal] = {}
        denied = None
        for bound in alternative:
            key = bound.scheme.name, bound.scopes
            if key not in known:
                known[key] = yield from _ask(request, bound)
            verdict = known[key]
            if isinstance(verdict, Principal):
                granted[bound.scheme.name] = verdict
                continue
            denied = denied or verdict
            # What is missing says nothing about the rest, which may hold a credential that is bad.
            if verdict.reason != "missing":
                denied = verdict
                break
        if denied is not None:
            denials.append(denied)
        elif alternative or all(denial.reason == "missing" for denial in denials):
            request.auth = granted
            return None
    return _refusal(denials)


def _ask(request: Request, bound: Bound) -> Generator[Any, Any, Verdict]:
    """What a provider says; a failure of any kind is the credential's."""
    try:
        verdict = bound.provider.authenticate(request, bound.scheme, bound.scopes)
        if not isinstance(verdict, (Principal, Denial)) and isinstance(verdict, Awaitable):
            verdict = yield verdict
            if isinstance(verdict, Exception):
                raise verdict
        if isinstance(verdict, (Principal, Denial)):
            return verdict
        raise TypeError(f"authenticate returned {type(verdict).__name__}, which is neither Principal nor Denial")
    except Exception:
        logger.exception("the provider of the security scheme %r failed", bound.scheme.name)
        return Denial("invalid", challenge_for(bound.scheme))


def _refusal(denials: Sequence[Denial]) -> Response:
    # The scopes are the only thing that another credential of the same kind would mend.
    lacking = [denial for denial in denials if denial.reason == "scope"]
    challenges = list(dict.fromkeys(denial.challenge for denial in lacking or denials))
    headers = {"WWW-Authenticate": challenges, "Cache-Control": "no-store"}
    if lacking:
        return problem_response("forbidden", "the credential does not have the scopes needed", headers=headers)
    missing = all(denial.reason == "missing" for denial in denials)
    detail = "a credential is needed" if missing else "the credential is not valid"
    return problem_response("unauthorized", detail, headers=headers)


def _sync_check(alternatives: tuple[tuple[Bound, ...], ...]) -> Check:
    def settled(pending: Any) -> Any:
        try:
            return run_inline(pending)
        except Exception as error:
            return error

    def check(request: Request) -> Response | None:
        steps = _steps(request, alternatives)
        sent = None
        try:
            while True:
                sent = settled(steps.send(sent))
        except StopIteration as end:
            refusal: Response | None = end.value
            return refusal

    return check


def _async_check(alternatives: tuple[tuple[Bound, ...], ...]) -> Check:
    async def settled(pending: Any) -> Any:
        try:
            return await pending
        except Exception as error:
            return error

    async def check(request: Request) -> Response | None:
        steps = _steps(request, alternatives)
        sent = None
        try:
            while True:
                sent = await settled(steps.send(sent))
        except StopIteration as end:
            refusal: Response | None = end.value
            return refusal

    return check
