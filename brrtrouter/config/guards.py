"""Settings of what stands before the operations: rate limits, forged requests, and header fields of every answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

LIMIT_KEYS: Final = ("subject_then_ip", "subject", "ip")


@dataclass(frozen=True, slots=True)
class RouteLimit:
    """The limit of the operations with one handler; 0 and "" are what `rate_limit` says.

    enabled: false for no limit.
    """

    enabled: bool = True
    requests: int = 0
    window_secs: int = 0
    key: str = ""

    def fault(self) -> str:
        """What is wrong with it, as it goes on after its name; "" for nothing."""
        if self.key and self.key not in LIMIT_KEYS:
            return f".key is not one of {', '.join(LIMIT_KEYS)}"
        return ""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How often a client may use an operation; see docs/guide/rate-limits.md.

    enabled: operations are limited that say nothing of their own.  requests in any window_secs seconds.  max_keys:
    clients that are remembered in memory.  key: who a client is.  skip_options: OPTIONS operations have no limit.
    routes: by handler, before what the description says.  storage: a redis, rediss, valkey, valkeys or unix URL, "" for
    the memory of each process.  timeout: seconds for an answer of the storage.  on_failure: without the storage,
    "memory" counts in each process, "closed" refuses with 503, "open" lets pass.  prefix: what its keys begin with.
    """

    enabled: bool = False
    requests: int = 100
    window_secs: int = 60
    max_keys: int = 10_000
    key: str = "subject_then_ip"
    skip_options: bool = True
    routes: Mapping[str, RouteLimit] = field(default_factory=lambda: MappingProxyType({}))
    storage: str = field(default="", repr=False)
    timeout: float = 0.25
    on_failure: str = "memory"
    prefix: str = "brrtrouter"


@dataclass(frozen=True, slots=True)
class Csrf:
    """Requests that a page of another origin makes a browser send; see docs/guide/csrf.md.

    trusted_origins: other origins whose pages may.  secret: signs tokens, at least 32 characters; "" for no tokens.
    session_cookie: whose value a token belongs to.  cookie, header: where a request brings its token.  endpoint: a path
    that gives one.  same_site: of the cookie.
    """

    enabled: bool = False
    trusted_origins: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)
    session_cookie: str = "session"
    cookie: str = "__Host-csrf"
    header: str = "X-CSRF-Token"
    endpoint: str | None = None
    same_site: str = "Strict"


@dataclass(frozen=True, slots=True)
class SecurityHeaders:
    """Header fields of every answer, "" for none of a kind; see docs/guide/headers.md.

    hsts_max_age: seconds, for answers to clients that speak TLS, 0 for none.  no_store: answers of operations with
    security are not kept by caches.
    """

    enabled: bool = False
    content_type_options: str = "nosniff"
    frame_options: str = "DENY"
    referrer_policy: str = "no-referrer"
    content_security_policy: str = "default-src 'none'; frame-ancestors 'none'"
    cross_origin_resource_policy: str = "same-origin"
    permissions_policy: str = ""
    hsts_max_age: int = 31_536_000
    hsts_subdomains: bool = False
    hsts_preload: bool = False
    no_store: bool = True
