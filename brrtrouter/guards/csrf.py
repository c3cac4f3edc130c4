"""Requests that a page of another origin makes a browser send with the credentials that the browser keeps.

First by what browsers say of where a request comes from: `Sec-Fetch-Site` (Fetch Metadata) and `Origin` (RFC 6454
section 7); then, where there is a secret, by a token that only pages of this origin can read: the same in a cookie and
in a header field, signed together with the session that it was given to.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from brrtrouter import config
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.errors import ConfigError, Issue
from brrtrouter.policy.cors import Origins
from brrtrouter.policy.security import credential
from brrtrouter.spec import model

EXTENSION: Final = "x-csrf"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "QUERY"})
_SHORTEST_SECRET: Final = 32
_RANDOM_BYTES: Final = 16
_PORTS: Final = {"http": ":80", "https": ":443"}

Check = Callable[[Request], Response | None]


class Token(NamedTuple):
    """A token, and the value of the Set-Cookie field that has to go out with it."""

    value: str
    cookie: str


class Tokens:
    """Makes and checks tokens: random bytes and, over them and the session, an HMAC (RFC 2104) with SHA-256."""

    def __init__(self, settings: config.Csrf) -> None:
        self._settings = settings
        self._secret = settings.secret.encode()

    def issue(self, request: Request) -> Token:
        """The token of the session of a request: the one that it has, if that is good, else a new one."""
        found = request.raw_cookies().get(self._settings.cookie, "")
        value = found if self._is_good(found, request) else self._made(secrets.token_bytes(_RANDOM_BYTES), request)
        flags = f"Path=/; Secure; HttpOnly; SameSite={self._settings.same_site}"
        return Token(value, f"{self._settings.cookie}={value}; {flags}")

    def answer(self, request: Request) -> Response:
        """The handler of the endpoint."""
        token = self.issue(request)
        body = {"token": token.value, "header": self._settings.header}
        return Response(200, body, {"Cache-Control": "no-store", "Set-Cookie": token.cookie})

    def accepts(self, request: Request) -> bool:
        """Whether a request brings the token of its session, twice."""
        sent = request.header(self._settings.header) or ""
        kept = request.raw_cookies().get(self._settings.cookie, "")
        same = hmac.compare_digest(sent.encode("latin-1", "replace"), kept.encode("latin-1", "replace"))
        return self._is_good(sent, request) and same

    def _is_good(self, token: str, request: Request) -> bool:
        text, _, _ = token.partition(".")
        try:
            random = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            random = b""
        made = self._made(random, request)
        same = hmac.compare_digest(made.encode(), token.encode("latin-1", "replace"))
        return same and len(random) == _RANDOM_BYTES

    def _made(self, random: bytes, request: Request) -> str:
        session = request.raw_cookies().get(self._settings.session_cookie, "").encode("latin-1", "replace")
        mac = hmac.digest(self._secret, b"csrf %d " % len(session) + session + random, hashlib.sha256)
        return f"{_text(random)}.{_text(mac)}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Csrf:
    """The checks of an application.  Raises ConfigError for settings that protect nothing."""

    def __init__(self, settings: config.Csrf) -> None:
        self._settings = settings
        for origin in settings.trusted_origins:
            if origin == "*":
                raise ConfigError("csrf.trusted_origins: '*' would trust every page")
        trusted = Origins(settings.trusted_origins, "csrf.trusted_origins")
        self._exact, self._matches = frozenset(trusted.exact), trusted.matches
        self.tokens: Tokens | None = None
        if settings.secret:
            if len(settings.secret) < _SHORTEST_SECRET:
                raise ConfigError(f"csrf.secret has fewer than {_SHORTEST_SECRET} characters")
            self.tokens = Tokens(settings)
        elif settings.endpoint is not None:
            raise ConfigError("csrf.endpoint: there is no csrf.secret that tokens are made with")

    def check(
        self, operation: model.Operation, schemes: Mapping[str, model.SecurityScheme], issues: list[Issue]
    ) -> Check | None:
        """What looks at the requests of an operation; None for nothing."""
        written = operation.extensions.get(EXTENSION, True)
        if written is False:
            return None
        if written is not True:
            where = f"{operation.pointer}/{EXTENSION}"
            issues.append(Issue("InvalidExtension", where, f"{EXTENSION}: has to be false"))
        if operation.method not in _SAFE:
            return lambda request: None if _brings_its_own(request, schemes) else self._judge(request)
        return self._handshake if operation.method == "GET" else None

    def _handshake(self, request: Request) -> Response | None:
        """A GET that opens a WebSocket is no safe one: browsers let any page open it, with cookies."""
        if request.header("upgrade") is None:
            return None
        return self._from_elsewhere(request)

    def _judge(self, request: Request) -> Response | None:
        refusal = self._from_elsewhere(request)
        if refusal is not None or self.tokens is None or request.header("cookie") is None:
            return refusal
        if self.tokens.accepts(request):
            return None
        return _refusal(f"the header field {self._settings.header} does not have the token of this session")

    def _from_elsewhere(self, request: Request) -> Response | None:
        """By what the browser says: the model of CrossOriginProtection in net/http of Go."""
        site = request.header("sec-fetch-site")
        origin = request.header("origin")
        if site in ("same-origin", "none"):
            return None
        if origin is not None:
            if self._is_trusted(origin) or (site is None and origin == own_origin(request)):
                return None
            return _refusal("the request comes from a page of another origin")
        if site is not None:
            return _refusal("the request comes from a page of another site")
        # No browser of today, unless something has taken these fields away: then there must not be a session to use.
        if request.header("cookie") is None:
            return None
        return _refusal("the request has cookies, and nothing says where it comes from: Sec-Fetch-Site or Origin")

    def _is_trusted(self, origin: str) -> bool:
        return origin in self._exact or (self._matches is not None and self._matches(origin))


def own_origin(request: Request) -> str | None:
    """The origin that a request was sent to, as browsers write it; None without a host."""
    base = request.base_url
    if base is None:
        return None
    scheme, _, rest = base.partition("://")
    return f"{scheme}://{rest.partition('/')[0].lower().removesuffix(_PORTS[scheme])}"


def _brings_its_own(request: Request, schemes: Mapping[str, model.SecurityScheme]) -> bool:
    """Whether all credentials that have let a request pass are such that no browser adds by itself."""
    granted = request.auth
    return bool(granted) and all(_is_brought(request, schemes.get(name)) for name in granted)


def _is_brought(request: Request, scheme: model.SecurityScheme | None) -> bool:
    if scheme is None:
        return False
    by_itself = {
        "apiKey": scheme.location == "cookie",
        "http": scheme.http_scheme != "bearer",
        "mutualTLS": True,
    }
    # A provider may look elsewhere than the description says, in a cookie for example.
    return not by_itself.get(scheme.type, False) and credential(request, scheme) is not None


def _refusal(detail: str) -> Response:
    return problem_response("forbidden", detail, headers={"Cache-Control": "no-store"})
