"""Security Schemes and Requirements (OpenAPI 3.1 sections 4.8.27 and 4.8.30)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from brrtrouter.spec.model import Requirement, SecurityRequirement, SecurityScheme
from brrtrouter.spec.reference import Files, Node, ReferenceProblem
from brrtrouter.spec.report import Report, member, members, text

# What each type cannot do without.
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "apiKey": ("name", "in"),
    "http": ("scheme",),
    "oauth2": (),
    "openIdConnect": ("openIdConnectUrl",),
    "mutualTLS": (),
}
# The URLs that each flow of oauth2 needs (OpenAPI 3.2 section 4.29).
_FLOWS: Final[Mapping[str, tuple[str, ...]]] = {
    "implicit": ("authorizationUrl",),
    "password": ("tokenUrl",),
    "clientCredentials": ("tokenUrl",),
    "authorizationCode": ("authorizationUrl", "tokenUrl"),
    "deviceAuthorization": ("deviceAuthorizationUrl", "tokenUrl"),
}
_KEY_LOCATIONS: Final = ("query", "header", "cookie")


class SecurityReader:
    """Reads the schemes of the entry document and the requirements that name them."""

    def __init__(self, files: Files, report: Report, version: tuple[int, int]) -> None:
        self.files = files
        self.report = report
        self.version = version
        self.schemes: dict[str, SecurityScheme] = {}
        # Declared, but refused: naming one of these is no second issue.
        self._broken: set[str] = set()
        self._remote: dict[str, str] = {}
        root = Node(files.entry.value, files.entry, "")
        components = member(root, "components")
        for name, node in members(member(components, "securitySchemes") if components else None):
            self._declare(name, node)

    def _declare(self, name: str, node: Node) -> None:
        try:
            node = self.files.follow(node)
        except ReferenceProblem as problem:
            self._broken.add(name)
            if problem.remote:
                self._remote[name] = str(problem)
            return
        scheme = self._scheme(name, node) if isinstance(node.value, dict) else None
        if scheme is None:
            self._broken.add(name)
        else:
            self.schemes[name] = scheme

    def _scheme(self, name: str, node: Node) -> SecurityScheme | None:
        value = node.value
        kind = value.get("type")
        if not isinstance(kind, str) or kind not in _NEEDED:
            message = f"security scheme {name!r}: type has to be one of {', '.join(_NEEDED)}, not {kind!r:.80}"
            self.report.error("InvalidSecurityScheme", node, message)
            return None
        for needed in _NEEDED[kind]:
            if not text(value.get(needed)):
                message = f"security scheme {name!r} of type {kind} needs {needed!r}, which is a string"
                self.report.error("InvalidSecurityScheme", node, message)
                return None
        if kind == "apiKey" and value["in"] not in _KEY_LOCATIONS:
            message = f"security scheme {name!r}: `in` has to be one of {', '.join(_KEY_LOCATIONS)}"
            self.report.error("InvalidSecurityScheme", node, message)
            return None
        if kind == "oauth2":
            self._check_flows(name, node)
        return SecurityScheme(
            name=name,
            type=kind,
            pointer=node.place,
            location=value["in"] if kind == "apiKey" else "",
            parameter=value["name"] if kind == "apiKey" else "",
            http_scheme=value["scheme"].lower() if kind == "http" else "",
            definition=value,
        )

    def _check_flows(self, name: str, node: Node) -> None:
        """What only a client would miss, who has to find its way to a token: warnings."""
        flows = member(node, "flows")
        if flows is None or not isinstance(flows.value, dict):
            self.report.warning("InvalidSecurityScheme", node, f"security scheme {name!r} of type oauth2 needs 'flows'")
            return
        for flow, item in members(flows):
            if flow not in _FLOWS or (flow == "deviceAuthorization" and self.version < (3, 2)):
                message = f"{flow[:80]!r} is no flow of oauth2 in OpenAPI {self.version[0]}.{self.version[1]}"
                self.report.warning("InvalidSecurityScheme", item, message)
                continue
            value = item.value if isinstance(item.value, dict) else {}
            missing = [field for field in _FLOWS[flow] if not text(value.get(field))]
            missing += [] if isinstance(value.get("scopes"), dict) else ["scopes"]
            if missing:
                message = f"the flow {flow} of {name!r} needs {' and '.join(map(repr, missing))}"
                self.report.warning("InvalidSecurityScheme", item, message)

    def requirement(self, node: Node | None) -> SecurityRequirement | None:
        """What a `security` field asks for; None when there is no such field."""
        if node is None:
            return None
        if not isinstance(node.value, list):
            self.report.error("WrongType", node, "security has to be a list")
            return ()
        return tuple(self._alternative(node.child(at)) for at in range(len(node.value)))

    def _alternative(self, node: Node) -> tuple[Requirement, ...]:
        if not isinstance(node.value, dict):
            self.report.error("WrongType", node, "a security requirement has to be an object")
            return ()
        found = []
        for name, scopes in node.value.items():
            if not self._known(name, node):
                message = f"the security scheme {name[:80]!r} is not defined in components/securitySchemes"
                self.report.error("UndefinedSecurityScheme", node, message)
                continue
            if name in self._remote:
                self.report.error("UnsupportedExternalRef", node, f"security scheme {name!r}: {self._remote[name]}")
            if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
                self.report.error("WrongType", node.child(name), "the scopes have to be a list of strings")
                continue
            found.append(Requirement(name, tuple(scopes)))
        return tuple(found)

    def _known(self, name: str, node: Node) -> bool:
        if name in self.schemes or name in self._broken:
            return True
        if self.version < (3, 2):
            return False
        # OpenAPI 3.2 section 4.30: a name that is no component is the URI of a Security Scheme Object.
        try:
            target = self.files.resolve(name, node.resource)
        except ReferenceProblem:
            return False
        self._declare(name, target)
        return True
