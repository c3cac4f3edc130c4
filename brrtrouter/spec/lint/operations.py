"""Rules about operations: their names, answers, security and tags, and the links that name them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from brrtrouter.spec.lint.context import Context
from brrtrouter.spec.lint.walk import Visit, Walk
from brrtrouter.spec.reference import Node, ReferenceProblem
from brrtrouter.spec.report import member, members

# Answers with these statuses never have a body (RFC 9110 sections 15.2, 15.3.5, 15.3.6 and 15.4.5).
_BODILESS: Final = re.compile(r"1(?:[0-9][0-9]|XX)|204|205|304")
_SUCCESS: Final = re.compile(r"[123](?:[0-9][0-9]|XX)|default")


class Operations:
    """Sees every object of the walk; what needs all of them is said by `finish`."""

    def __init__(self, context: Context, walk: Walk) -> None:
        self.context = context
        self.walk = walk
        self._ids: dict[str, Node] = {}
        self._links: list[tuple[Node, str]] = []
        self._required: dict[str, set[str]] = {}
        root = context.files.entry.value
        tags = root.get("tags")
        names = [tag.get("name") for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
        self._tags = {name for name in names if isinstance(name, str)}

    def see(self, visit: Visit) -> None:
        """Look at one object."""
        if not isinstance(visit.value, dict) or "$ref" in visit.value:
            return
        if visit.kind == "operation":
            self._operation(visit)
        elif visit.kind == "pathItem":
            self._querystrings(visit)
        elif visit.kind == "link":
            operation_id = visit.value.get("operationId")
            if isinstance(operation_id, str):
                self._links.append((visit.node, operation_id))
        elif visit.kind == "root":
            self._security(member(visit.node, "security"))

    def _operation(self, visit: Visit) -> None:
        context, node, value = self.context, visit.node, visit.value
        operation_id = value.get("operationId")
        if isinstance(operation_id, str):
            first = self._ids.setdefault(operation_id, node)
            if first is not node:
                message = f"the operationId {operation_id[:80]!r} is used already at {first.place}"
                context.add("DuplicateOperationId", node, message)
        context.readers.parameters.read_list(member(node, "parameters"))
        self._security(member(node, "security"))
        self._responses(node)
        self._tagged(member(node, "tags"))

    # -- answers ---------------------------------------------------------------------------------------------

    def _responses(self, node: Node) -> None:
        context = self.context
        responses = member(node, "responses")
        if responses is None or not isinstance(responses.value, dict):
            return
        context.readers.content.responses(responses)
        found = members(responses)
        if not any(_SUCCESS.fullmatch(status.upper() if status != "default" else status) for status, _ in found):
            what = "nothing" if not found else "errors only"
            context.add("MissingSuccessResponse", responses, f"the operation declares {what}")
        for status, item in found:
            if not _BODILESS.fullmatch(status.upper()):
                continue
            try:
                response = context.files.follow(item)
            except ReferenceProblem:
                continue
            if isinstance(response.value, dict) and response.value.get("content"):
                context.add("ResponseBodyWithoutMeaning", item, f"an answer {status} never has a body")

    # -- security --------------------------------------------------------------------------------------------

    def _security(self, node: Node | None) -> None:
        if node is None:
            return
        security = self.context.readers.security
        security.requirement(node)
        for alternative in _objects(node):
            for name, scopes in alternative.value.items():
                asked = self._required.setdefault(name, set())
                if isinstance(scopes, list):
                    asked |= {scope for scope in scopes if isinstance(scope, str)}
                scheme = security.schemes.get(name)
                if scheme is not None and isinstance(scopes, list) and scopes:
                    self._scopes(alternative.child(name), name, scheme.type, scheme.definition.get("flows"))

    def _scopes(self, node: Node, name: str, kind: str, flows: Any) -> None:
        if kind == "oauth2" and isinstance(flows, dict):
            granted = {
                scope
                for flow in flows.values()
                if isinstance(flow, dict) and isinstance(flow.get("scopes"), dict)
                for scope in flow["scopes"]
            }
            for scope in node.value:
                if isinstance(scope, str) and scope not in granted:
                    message = f"no flow of {name[:80]!r} grants the scope {scope[:80]!r}"
                    self.context.add("UndefinedScope", node, message)
        elif kind not in ("oauth2", "openIdConnect") and not self.context.minor:
            self.context.add("ScopesWithoutMeaning", node, f"{name[:80]!r} is of the type {kind}, which has no scopes")

    # -- parameters, tags, links -----------------------------------------------------------------------------

    def _querystrings(self, visit: Visit) -> None:
        """OpenAPI 3.2 section 4.12.1: `in: querystring` at most once, and never beside `in: query`."""
        if self.context.minor < 2:
            return
        shared = list(self._locations(member(visit.node, "parameters")))
        places: list[tuple[Node, list[str]]] = [(visit.node, [])] if shared else []
        for name, item in members(visit.node):
            if name in ("parameters", "servers", "additionalOperations") or not isinstance(item.value, dict):
                continue
            places.append((item, list(self._locations(member(item, "parameters")))))
        for place, own in places:
            locations = shared + own
            if locations.count("querystring") > 1 or {"querystring", "query"} <= set(locations):
                message = "a parameter in querystring stands alone: no other one is in querystring or in query"
                self.context.add("InvalidParameter", place, message)

    def _locations(self, parameters: Node | None) -> Iterator[str]:
        for parameter in _objects(parameters):
            try:
                value = self.context.files.follow(parameter).value
            except ReferenceProblem:
                continue
            if isinstance(value, dict) and isinstance(value.get("in"), str):
                yield value["in"]

    def _tagged(self, tags: Node | None) -> None:
        if tags is None or not isinstance(tags.value, list):
            return
        for name in tags.value:
            if isinstance(name, str) and name not in self._tags:
                # Once is enough: the next operations with it are no news.
                self._tags.add(name)
                self.context.add("UndeclaredTag", tags, f"the tag {name[:80]!r} is not declared")

    def finish(self) -> None:
        """What only the whole document tells."""
        context = self.context
        for node, operation_id in self._links:
            if operation_id not in self._ids:
                message = f"there is no operation with the operationId {operation_id[:80]!r}"
                context.add("UnresolvableLink", node, message)
        self._unused()

    def _unused(self) -> None:
        """Components that nothing refers to; in a document that only holds components for others there are none."""
        context = self.context
        entry = context.files.entry
        components = member(Node(entry.value, entry, ""), "components")
        served = any(entry.value.get(name) for name in ("paths", "webhooks"))
        if components is None or not isinstance(components.value, dict) or not served:
            return
        for kind, holder in members(components):
            for name, node in members(holder):
                if kind == "securitySchemes":
                    if name in self._required:
                        self._unused_scopes(node, self._required[name])
                    elif node.pointer not in self.walk.used:
                        context.add("UnusedSecurityScheme", node, f"nothing requires {name[:80]!r}")
                elif node.pointer not in self.walk.used:
                    context.add("UnusedComponent", node, f"nothing refers to {name[:80]!r}")

    def _unused_scopes(self, node: Node, asked: set[str]) -> None:
        try:
            flows = member(self.context.files.follow(node), "flows")
        except ReferenceProblem:
            return
        for _, flow in members(flows):
            for scope, place in members(member(flow, "scopes")):
                if scope not in asked:
                    self.context.add("UnusedScope", place, f"no operation asks for the scope {scope[:80]!r}")


def _objects(node: Node | None) -> Iterator[Node]:
    """The items of a list that are objects."""
    if node is not None and isinstance(node.value, list):
        for at, item in enumerate(node.value):
            if isinstance(item, dict):
                yield node.child(at)
