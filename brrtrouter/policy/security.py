"""Security requirements compiled to one check per operation: OR of ANDs, failing closed.

OpenAPI 3.1 sections 4.8.2 (`security`), 4.8.27 (schemes) and 4.8.30 (requirements); 401 and 403 by RFC 9110 section
15.5, challenges by section 11.6.1.  An operation without requirements gets no check at all.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
import secrets
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.core.service import Mode, run_inline
from brrtrouter.credentials import NamedKey
from brrtrouter.dispatch.kinds import mode_of
from brrtrouter.errors import ConfigError
from brrtrouter.policy.audit import audit

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
    """Why a credential does not do.

    There is none (401), it is not valid (401), it lacks scopes (403), who it stands for is not let in (403), it is not
    even of the form of one (400), or nobody can tell now (503; `retry_after` seconds later somebody may).
    `challenge` goes into WWW-Authenticate (RFC 9110 section 11.6.1).
    """

    reason: Literal["missing", "invalid", "scope", "forbidden", "malformed", "unavailable"]
    challenge: str
    retry_after: float = 1.0


Verdict = Principal | Denial


class SecurityProvider(Protocol):
    """Verifies the credentials of one security scheme.  Bound to it by name: `App(security={"name": provider})`."""

    def authenticate(self, request: Request, scheme: Scheme, scopes: Sequence[str]) -> Verdict | Awaitable[Verdict]:
        """Look for the scheme's credential in the request; may be `async def`.

        A Principal lets the request pass, a Denial does not.  An exception, or a result that is neither, is logged and
        counts as an invalid credential.

        A plain `def` may give its verdict at once for one request, and a coroutine that waits for another, when the
        provider has the attribute `waits = True`: what it remembers then costs no Task.
        """


def _quoted(text: str) -> str:
    safe = "".join(c if " " <= c <= "~" else "?" for c in text)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'


def challenge_for(scheme: Scheme) -> str:
    """The challenge that tells a client what a scheme wants."""
    if scheme.type == "apiKey":
        return f"ApiKey in={_quoted(scheme.location)}, name={_quoted(scheme.parameter)}"
    if scheme.type == "mutualTLS":
        return 'MutualTLS realm="api"'
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
    """A scheme of type apiKey with static keys: texts, or `NamedKey`s with a subject and scopes.

    Keys are kept as keyed hashes only, and compared in constant time: where one is looked for depends on a secret that
    no client knows.
    """

    def __init__(self, *keys: str | NamedKey) -> None:
        self._secret = secrets.token_bytes(32)
        self._none = secrets.token_bytes(32)
        self._known: dict[bytes, Principal] = {}
        for key in keys:
            entry = key if isinstance(key, NamedKey) else NamedKey(key)
            plain = hashlib.sha256(entry.key.encode()).digest()
            digest = self._keyed(bytes.fromhex(entry.key_sha256) if entry.key_sha256 else plain)
            self._known[digest] = Principal(entry.subject or None, frozenset(entry.scopes))

    def _keyed(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=self._secret, digest_size=32).digest()

    def authenticate(self, request: Request, scheme: Scheme, scopes: Sequence[str]) -> Verdict:
        """Principal when the request carries one of the keys where the scheme says."""
        given = credential(request, scheme)
        if given is None:
            return Denial("missing", challenge_for(scheme))
        # Header fields are octets, of which text was made as Latin-1; in a query it was UTF-8.
        octets = given.encode("utf-8" if scheme.location == "query" else "latin-1")
        digest = self._keyed(hashlib.sha256(octets).digest())
        found = self._known.get(digest)
        if not hmac.compare_digest(digest, digest if found else self._none) or found is None:
            return Denial("invalid", challenge_for(scheme))
        if not found.scopes.issuperset(scopes):
            return Denial("scope", challenge_for(scheme))
        return found if found.subject else Principal(scheme.name, found.scopes)


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
    for each alternative that failed, 403 when a valid credential lacked scopes.  With Mode.TASK it returns a coroutine
    for one of these when a provider has to wait, and only then.  An empty alternative accepts requests
    without credentials, wherever it stands in the list; one with a bad credential is refused all the same.  A provider
    is asked once for each scheme and set of scopes, and no more once an alternative is satisfied.
    """
    ordered = tuple(sorted((tuple(each) for each in alternatives), key=lambda alternative: not alternative))
    bound = [requirement for alternative in ordered for requirement in alternative]
    mode = Mode.TASK if any(_may_wait(requirement.provider) for requirement in bound) else Mode.SYNC
    return _check(ordered, mode), mode


def _may_wait(provider: SecurityProvider) -> bool:
    return mode_of(provider.authenticate) is Mode.TASK or getattr(provider, "waits", False) is True


def _steps(request: Request, alternatives: tuple[tuple[Bound, ...], ...], first: Any) -> _Steps:
    """The walk over the alternatives; `first` is what the provider of the first requirement has said."""
    known: dict[tuple[str, tuple[str, ...]], Verdict] = {}
    denials: list[Denial] = []
    for alternative in alternatives:
        granted: dict[str, Principal] = {}
        denied = None
        for bound in alternative:
            key = bound.scheme.name, bound.scopes
            if key not in known:
                known[key] = yield from _verdict(bound, _asked(request, bound) if known else first)
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
    return _refusal(request, alternatives, denials)


def _asked(request: Request, bound: Bound) -> Any:
    """What a provider says, which may have to be awaited; a failure of any kind is the credential's."""
    try:
        return bound.provider.authenticate(request, bound.scheme, bound.scopes)
    except Exception:
        return _failed(bound)


def _verdict(bound: Bound, said: Any) -> Generator[Any, Any, Verdict]:
    try:
        if not isinstance(said, (Principal, Denial)) and isinstance(said, Awaitable):
            said = yield said
            if isinstance(said, Exception):
                raise said
        if isinstance(said, (Principal, Denial)):
            return said
        raise TypeError(f"authenticate returned {type(said).__name__}, which is neither Principal nor Denial")
    except Exception:
        return _failed(bound)


def _failed(bound: Bound) -> Denial:
    logger.exception("the provider of the security scheme %r failed", bound.scheme.name)
    return Denial("invalid", challenge_for(bound.scheme))


# What is said first is what a client can do something about, or what hides whether another alternative was met.
_REFUSALS: Mapping[str, tuple[str, str]] = {
    "unavailable": ("service-unavailable", "credentials cannot be verified now"),
    "malformed": ("bad-request", "the credential is malformed"),
    "scope": ("forbidden", "the credential does not have the scopes needed"),
    "forbidden": ("forbidden", "the credential is of somebody who is not let in here"),
    "invalid": ("unauthorized", "the credential is not valid"),
    "missing": ("unauthorized", "a credential is needed"),
}


class Refused(Response):
    """The answer to a request without a credential that does, and the `reason` of it: that of a Denial."""

    reason: str


def _refusal(request: Request, alternatives: tuple[tuple[Bound, ...], ...], denials: Sequence[Denial]) -> Response:
    reasons = {denial.reason for denial in denials}
    reason, (slug, detail) = next(each for each in _REFUSALS.items() if each[0] in reasons)
    headers: dict[str, str | list[str]] = {"Cache-Control": "no-store"}
    if reason == "unavailable":
        wait = min(denial.retry_after for denial in denials if denial.reason == reason)
        headers["Retry-After"] = str(max(1, math.ceil(wait)))
    else:
        # Among credentials that are not valid, those that are missing are alternatives too.
        told = denials if slug == "unauthorized" else [denial for denial in denials if denial.reason == reason]
        headers["WWW-Authenticate"] = list(dict.fromkeys(denial.challenge for denial in told))
    problem = problem_response(slug, detail, headers=headers)
    refused = Refused(problem.status, problem.body, problem.headers, problem.media_type)
    refused.reason = reason
    schemes = dict.fromkeys(bound.scheme.name for alternative in alternatives for bound in alternative)
    audit(request, problem.status, reason, tuple(schemes))
    return refused


def _check(alternatives: tuple[tuple[Bound, ...], ...], mode: Mode) -> Check:
    first = alternatives[0][0]
    name, alone = first.scheme.name, len(alternatives[0]) == 1

    def check(request: Request) -> Any:
        said = _asked(request, first)
        if alone and type(said) is Principal:  # the usual case, without a generator
            request.auth = {name: said}
            return None
        steps = _steps(request, alternatives, said)
        sent = None
        try:
            while True:
                pending = steps.send(sent)
                if mode is Mode.TASK:
                    return _carry_on(steps, pending)
                sent = _settled(pending)
        except StopIteration as end:
            return end.value

    return check


def _settled(pending: Any) -> Any:
    try:
        return run_inline(pending)
    except Exception as error:
        return error


async def _carry_on(steps: _Steps, pending: Any) -> Response | None:
    """The rest of a check from the first verdict that has to be waited for."""
    try:
        while True:
            pending = steps.send(await _awaited(pending))
    except StopIteration as end:
        refusal: Response | None = end.value
        return refusal


async def _awaited(pending: Any) -> Any:
    try:
        return await pending
    except Exception as error:
        return error
