"""Rate limits of operations: whose requests are counted together, what is told about them, and 429 (RFC 6585).

The fields are those of draft-ietf-httpapi-ratelimit-headers-10, Structured Fields of RFC 9651; `Retry-After` is that of
RFC 9110 section 10.2.3.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from brrtrouter import config
from brrtrouter.config.guards import LIMIT_KEYS
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.errors import Issue
from brrtrouter.guards import RATE_LIMIT
from brrtrouter.guards.counts import Quota, Storage, Usage
from brrtrouter.policy.security import Principal, credential
from brrtrouter.spec import model

EXTENSION: Final = RATE_LIMIT
_MEMBERS: Final[Mapping[str, str]] = {"requests": "requests", "windowSecs": "window_secs", "key": "key"}
_IPV6_NETWORK: Final = 64  # bits that a customer has to himself, at least
_NOBODY: Final = "nobody"


def chosen(operation: model.Operation, settings: config.RateLimit, issues: list[Issue]) -> tuple[Quota, str] | None:
    """The quota of an operation and who its clients are; None for no limit.

    The configuration goes before the description, and both before what holds for all operations.
    """
    described = _described(operation, settings, issues)
    route = settings.routes.get(operation.handler)
    if operation.method == "OPTIONS" and settings.skip_options:
        return None
    if route is not None:
        if not route.enabled:
            return None
        base = settings if described is None else described
        changed = {name: getattr(route, name) for name in _MEMBERS.values() if getattr(route, name)}
        described = replace(base, **changed)
    if described is None:
        return None
    return Quota(described.requests, described.window_secs), described.key


def _described(operation: model.Operation, settings: config.RateLimit, issues: list[Issue]) -> config.RateLimit | None:
    """What holds without a word of the configuration about this operation."""
    default = settings if settings.enabled else None
    written = operation.extensions.get(EXTENSION)
    if written is None:
        return default
    if written is False:
        return None
    pointer = f"{operation.pointer}/{EXTENSION}"
    if not isinstance(written, Mapping):
        issues.append(_issue(pointer, "has to be false or an object"))
        return default
    changed: dict[str, Any] = {}
    for name, value in written.items():
        known = _MEMBERS.get(name)
        fault = f"is unknown; known are {', '.join(_MEMBERS)}" if known is None else _fault(name, value)
        if fault or known is None:
            issues.append(_issue(f"{pointer}/{name}", fault))
        else:
            changed[known] = value
    return replace(settings, **changed)


def _fault(name: str, value: Any) -> str:
    if name == "key":
        return "" if value in LIMIT_KEYS else f"has to be one of {', '.join(LIMIT_KEYS)}"
    low, high = (1, 1_000_000_000) if name == "requests" else (1, 31_536_000)
    return "" if type(value) is int and low <= value <= high else f"has to be a number from {low} to {high}"


def _issue(pointer: str, message: str) -> Issue:
    return Issue("InvalidExtension", pointer, f"{EXTENSION}: {message}")


def address(request: Request) -> str:
    """Where a request comes from: an IPv4 address, the network of an IPv6 one, "local" where there is none."""
    client = request.client
    if client is None:
        return "local"
    host = client[0]
    if ":" not in host:
        return host
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(found, IPv6Address):
        return host
    mapped = found.ipv4_mapped
    return str(mapped) if mapped else str(IPv6Address(int(found) >> _IPV6_NETWORK << _IPV6_NETWORK))


class Limit:
    """The limit of one operation.

    name: what a client is told.  counted: what its requests are counted under.  schemes: the security schemes of the
    document.  shed: called for every request that is refused.
    """

    def __init__(
        self,
        name: str,
        counted: str,
        quota: Quota,
        key: str,
        storage: Storage,
        schemes: Mapping[str, model.SecurityScheme],
        shed: Callable[[], None],
    ) -> None:
        self.key = key
        self._counted = counted
        self._quota = quota
        self._storage = storage
        self._schemes = schemes
        self._shed = shed
        # What a string of Structured Fields cannot hold (RFC 9651 section 3.3.3) is no loss in a name.
        told = "".join(c if " " <= c <= "~" and c not in '"\\' else "_" for c in name)
        self._policy = f'"{told}";q={quota.requests};w={quota.window}'
        self._told = f'"{told}";r='

    def client(self, request: Request) -> str:
        """Who has sent a request, as far as the key asks, once security has let it pass."""
        subject = None if self.key == "ip" else self._subject(request)
        if subject is not None:
            return f"subject {subject}"
        return _NOBODY if self.key == "subject" else f"ip {address(request)}"

    def _subject(self, request: Request) -> str | None:
        for name, principal in (request.auth or {}).items():
            scheme = self._schemes.get(name)
            if not isinstance(principal, Principal) or scheme is None:
                continue
            if principal.subject not in (None, scheme.name):
                return f"{name} {principal.subject}"
            # An API key whose owner has no name is its own subject.
            secret = credential(request, scheme) if scheme.type == "apiKey" else None
            if secret is not None:
                return f"{name} key {hashlib.blake2b(secret.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"
        return None

    def use(self, client: str, cost: int) -> Usage | Awaitable[Usage | None] | None:
        """Count a request, or with a cost of 0 look only."""
        return self._storage.use(self._counted, client, self._quota, cost)

    def tell(self, request: Request, usage: Usage) -> None:
        """Let the answer say what is left."""
        request.add_answer_field("RateLimit-Policy", self._policy)
        reset = max(1, math.ceil(usage.reset))
        request.add_answer_field("RateLimit", f"{self._told}{max(usage.remaining, 0)};t={reset}")

    def refusal(self, usage: Usage) -> Response:
        """The answer for a request that is one too many."""
        self._shed()
        wait = max(1, math.ceil(usage.reset))
        detail = f"at most {self._quota.requests} requests in {self._quota.window} seconds are answered"
        return problem_response("rate-limit-exceeded", detail, headers={"Retry-After": str(wait)})
