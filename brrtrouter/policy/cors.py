"""CORS: which scripts of other origins may send requests and read answers (Fetch standard, "CORS protocol").

The section `cors` of the configuration says who may, the extension `x-cors` of an operation says otherwise: `inherit`,
`false` for no word about other origins, or an object with `allowedHeaders`, `allowedMethods`, `allowCredentials`,
`exposeHeaders` and `maxAge`.  Origins come from the configuration alone.

Everything is made when the application starts: header lines for the core to pick from, and for each path the answer to
a preflight.  A preflight is answered before security, because browsers send no credentials with it, and wherever a
path is, whether or not the description has OPTIONS there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from brrtrouter import config
from brrtrouter.core.cors import CrossOrigin, Grants
from brrtrouter.core.matcher import Matcher
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.errors import ConfigError, Issue, PathError

if TYPE_CHECKING:
    from brrtrouter.spec import model

EXTENSION: Final = "x-cors"
ANY: Final = "*"
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}|\*))?"
)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
# What stands for the changing parts of a pattern.
_ANY_LABELS: Final = r"(?:[a-z0-9_-]+\.)+"
_ANY_PORT: Final = r"(?::[1-9][0-9]{0,4})?"
# What scripts may always ask for where nobody says which header fields.
_USUAL_HEADERS: Final = ("Authorization", "Content-Type")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is granted to the origins of the configuration; `methods` and `headers` None: what the description says."""

    methods: tuple[str, ...] | None
    headers: tuple[str, ...] | None
    credentials: bool
    expose: tuple[str, ...]
    max_age: int


# The members of `x-cors`: their fields in Rule, and what their values are.
_MEMBERS: Final[Mapping[str, tuple[str, type]]] = {
    "allowedHeaders": ("headers", tuple),
    "allowedMethods": ("methods", tuple),
    "allowCredentials": ("credentials", bool),
    "exposeHeaders": ("expose", tuple),
    "maxAge": ("max_age", int),
}


class Origins:
    """The origins of a setting.  Raises ConfigError that names one that is none."""

    def __init__(self, written: Sequence[str], setting: str = "cors.origins") -> None:
        self.any = ANY in written
        self.exact = [each for each in written if each != ANY and not _is_pattern(_parsed(each, setting))]
        patterns = [_expression(_parsed(each, setting)) for each in written if each != ANY and each not in self.exact]
        self.matches: Callable[[str], bool] | None = None
        if patterns:
            expression = re.compile("|".join(patterns))
            self.matches = lambda origin: expression.fullmatch(origin) is not None


def _parsed(origin: str, setting: str) -> re.Match[str]:
    where = f"{setting}: {origin!r} is not an origin"
    if origin == "null":
        raise ConfigError(f"{where} to trust: any page can get it by putting itself into a sandbox")
    found = _ORIGIN.fullmatch(origin)
    if found is None:
        raise ConfigError(f"{where}: scheme://host or scheme://host:port, in lower case, without a path or a slash")
    if found["port"] == _DEFAULT_PORTS.get(found["scheme"], ""):
        raise ConfigError(f"{where} as browsers write it: without the port {found['port']} of {found['scheme']}")
    return found


def _is_pattern(found: re.Match[str]) -> bool:
    return found["host"].startswith("*.") or found["port"] == ANY


def _expression(found: re.Match[str]) -> str:
    host, port = found["host"], found["port"]
    host = _ANY_LABELS + re.escape(host[2:]) if host.startswith("*.") else re.escape(host)
    port = _ANY_PORT if port == ANY else f":{port}" if port else ""
    return f"{re.escape(found['scheme'])}://{host}{port}"


def check(settings: config.Cors) -> Rule:
    """The rule of the configuration.  Raises ConfigError for what cannot be granted."""
    for name in ("allowed_headers", "allowed_methods", "expose_headers"):
        for token in getattr(settings, name):
            if not _TOKEN.fullmatch(token):
                raise ConfigError(f"cors.{name}: {token!r} is not a name")
    rule = Rule(
        settings.allowed_methods or None,
        settings.allowed_headers or None,
        settings.allow_credentials,
        settings.expose_headers,
        settings.max_age,
    )
    if rule.credentials and not settings.origins:
        raise ConfigError("cors.allow_credentials: there are no cors.origins that it is for")
    wild = _wild_with_credentials(rule, any_origin=ANY in settings.origins)
    if wild:
        raise ConfigError(f"cors.allow_credentials cannot be had with '*' in {wild} (Fetch: it is no wildcard there)")
    return rule


def _wild_with_credentials(rule: Rule, *, any_origin: bool) -> str:
    """The first of the settings that says "*" although credentials are allowed."""
    if not rule.credentials:
        return ""
    lists = {"cors.allowed_headers": rule.headers, "cors.allowed_methods": rule.methods}
    lists |= {"cors.origins": (ANY,) if any_origin else (), "cors.expose_headers": rule.expose}
    return next((name for name, values in reversed(lists.items()) if ANY in (values or ())), "")


class Cors:
    """The rules of an application.

    operations: those of the service in its order, None for a built-in endpoint.  `issues` holds what is wrong with
    `x-cors`.  Raises ConfigError for settings that cannot be granted.
    """

    def __init__(
        self,
        settings: config.Cors,
        matcher: Matcher,
        operations: Sequence[model.Operation | None],
        schemes: Mapping[str, model.SecurityScheme],
    ) -> None:
        self.issues: list[Issue] = []
        self._matcher = matcher
        self._operations = operations
        self._schemes = schemes
        self._origins = Origins(settings.origins)
        self._default = default = check(settings)
        self._rules = [default if each is None else self._rule(each, default) for each in operations]
        made = {rule: self._grants(rule) for rule in {default, *self._rules} if rule is not None}
        self._grants_of = [None if rule is None else made[rule] for rule in self._rules]
        self._default_grants = made[default]
        self.cross_origin = CrossOrigin(self._grants_of, self._default_grants, self._preflight)

    def _rule(self, operation: model.Operation, default: Rule) -> Rule | None:
        written = operation.extensions.get(EXTENSION, "inherit")
        if written in ("inherit", None):
            return default
        if written is False:
            return None
        pointer = f"{operation.pointer}/{EXTENSION}"
        if not isinstance(written, Mapping):
            self._issue(pointer, "has to be inherit, false, or an object")
            return default
        changed: dict[str, Any] = {}
        for name, value in written.items():
            if name not in _MEMBERS:
                self._issue(f"{pointer}/{name}", f"is unknown; known are {', '.join(_MEMBERS)}")
                continue
            field, kind = _MEMBERS[name]
            read = _member(value, kind)
            if read is None:
                self._issue(f"{pointer}/{name}", _WORDS[kind])
            else:
                changed[field] = read
        rule = Rule(
            changed.get("methods", default.methods),
            changed.get("headers", default.headers),
            changed.get("credentials", default.credentials),
            changed.get("expose", default.expose),
            changed.get("max_age", default.max_age),
        )
        wild = _wild_with_credentials(rule, any_origin=self._origins.any)
        if wild:
            self._issue(pointer, f"allows credentials, with '*' in what {wild} is here")
        return rule

    def _issue(self, pointer: str, message: str) -> None:
        self.issues.append(Issue("InvalidExtension", pointer, f"{EXTENSION}: {message}"))

    # -- header lines

    def _grants(self, rule: Rule) -> Grants:
        after = b""
        if rule.credentials:
            after += b"\r\nAccess-Control-Allow-Credentials: true"
        if rule.expose:
            after += f"\r\nAccess-Control-Expose-Headers: {', '.join(rule.expose)}".encode()
        before = b"\r\nAccess-Control-Allow-Origin: "
        if self._origins.any:
            # The same for everybody, so that caches need not tell origins apart.
            return Grants(before + b"*" + after, {}, None, b"", b"")
        vary = b"\r\nVary: Origin"
        exact = {origin: before + origin.encode() + after + vary for origin in self._origins.exact}
        return Grants(vary, exact, self._origins.matches, before, after + vary)

    # -- preflights

    def _preflight(self, request: Request, origin: str | None) -> tuple[bytes | None, Response | None]:
        wanted = request.header("access-control-request-method") or ""
        try:
            found = self._matcher.match(wanted, request.path, request.raw_query)
            there = self._matcher.allowed(request.path, request.raw_query)
        except PathError:
            return self._lines(self._default_grants, origin), None
        index: int | None = found[0] if found else None
        rule = self._default if index is None else self._rules[index]
        if rule is None:
            return None, None
        grants = self._default_grants if index is None else self._grants_of[index]
        assert grants is not None
        lines = self._lines(grants, origin)
        if not there:
            return lines, None
        if lines == grants.otherwise and not self._origins.any:
            return lines, problem_response("forbidden", "the origin is not one that may send requests to this server")
        operation = None if index is None else self._operations[index]
        return lines, Response(204, None, self._allowing(rule, operation, request, there))

    def _lines(self, grants: Grants, origin: str | None) -> bytes:
        return (None if origin is None else grants.maybe_granted(origin)) or grants.otherwise

    def _allowing(
        self, rule: Rule, operation: model.Operation | None, request: Request, there: frozenset[str]
    ) -> dict[str, str]:
        methods = rule.methods or self._cors_methods(request, there)
        headers = rule.headers or self._declared_headers(operation)
        if ANY in headers and "authorization" not in map(str.lower, headers):
            headers = (*headers, "Authorization")  # which the wildcard leaves out
        return {
            "Access-Control-Allow-Methods": ", ".join(methods),
            "Access-Control-Allow-Headers": ", ".join(headers),
            "Access-Control-Max-Age": str(rule.max_age),
        }

    def _cors_methods(self, request: Request, there: frozenset[str]) -> list[str]:
        """The methods of a path but those whose operations say nothing to other origins."""
        methods = []
        for method in sorted(there):
            found = self._matcher.match(method, request.path, request.raw_query)
            if found is None or self._rules[found[0]] is not None:
                methods.append(method)
        return methods

    def _declared_headers(self, operation: model.Operation | None) -> tuple[str, ...]:
        if operation is None:
            return _USUAL_HEADERS
        names = [each.name for each in operation.parameters if each.location == "header"]
        schemes = [self._schemes[need.scheme] for each in operation.security for need in each]
        names += [scheme.parameter for scheme in schemes if scheme.type == "apiKey" and scheme.location == "header"]
        return tuple({name.lower(): name for name in (*_USUAL_HEADERS, *names)}.values())


_WORDS: Final = {tuple: "has to be a list of names", bool: "has to be true or false", int: "has to be a number from 0"}


def _member(value: Any, kind: type) -> Any:
    """The value of a member of `x-cors`; None when it is not of its kind."""
    if kind is tuple:
        names = isinstance(value, list) and all(isinstance(each, str) and _TOKEN.fullmatch(each) for each in value)
        return tuple(value) if names else None
    if kind is int:
        return value if type(value) is int and value >= 0 else None
    return value if type(value) is kind else None
