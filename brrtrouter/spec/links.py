"""Link Objects (OpenAPI 3.1 section 4.8.20): what an answer says about the next request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from brrtrouter.spec.expressions import parse_template
from brrtrouter.spec.model import MISSING, Link, Operation
from brrtrouter.spec.reference import Files, Node, ReferenceProblem
from brrtrouter.spec.report import Report, member, members, text
from brrtrouter.spec.servers import server_url


class LinkReader:
    """Builds the links of responses; `finish` says which of them lead nowhere, once all operations are known."""

    def __init__(self, files: Files, report: Report) -> None:
        self.files = files
        self.report = report
        self._read: list[tuple[Node, Link]] = []

    def read(self, node: Node | None) -> tuple[Link, ...]:
        """The links of a map, in its order."""
        found = []
        for name, item in members(node):
            try:
                item = self.files.follow(item)
            except ReferenceProblem:
                continue
            if not isinstance(item.value, dict):
                continue
            link = self._link(name, item)
            self._read.append((item, link))
            found.append(link)
        return tuple(found)

    def _link(self, name: str, node: Node) -> Link:
        value = node.value
        parameters = member(node, "parameters")
        values = parameters.value if parameters is not None and isinstance(parameters.value, dict) else {}
        server = member(node, "server")
        return Link(
            name=name,
            pointer=node.place,
            operation_id=text(value.get("operationId")),
            target=self._target(node),
            parameters={key: self._value(item, node) for key, item in values.items()},
            request_body=self._value(value["requestBody"], node) if "requestBody" in value else MISSING,
            server=server_url(server, self.report) if server is not None else None,
            extensions={key: item for key, item in value.items() if key.startswith("x-")},
        )

    def _target(self, node: Node) -> str:
        """Where the operation stands that `operationRef` names; "" for none and for one that is not here."""
        reference = node.value.get("operationRef")
        if not isinstance(reference, str):
            return ""
        try:
            return self.files.follow(self.files.resolve(reference, node.resource)).place
        except ReferenceProblem:
            return ""

    def _value(self, value: Any, node: Node) -> Any:
        """A constant, or the template that a text with expressions stands for."""
        if not isinstance(value, str) or "$" not in value:
            return value
        try:
            template = parse_template(value)
        except ValueError as error:
            self.report.warning("InvalidExpression", node, f"taken as it is written: {error}")
            return value
        return value if template.parts in ((), (value,)) else template

    def finish(self, operations: Iterable[Operation]) -> None:
        """Name the links whose operation this document does not serve."""
        if not self._read:
            return
        names, places = set(), set()
        for operation in operations:
            names.add(operation.operation_id)
            places.add(operation.pointer)
        for node, link in self._read:
            if link.operation_id in names or link.target in places:
                continue
            wanted = link.operation_id or node.value.get("operationRef") or ""
            message = f"no operation of this document is {wanted!r:.200}; the link is not resolved"
            self.report.warning("UnresolvableLink", node, message)
