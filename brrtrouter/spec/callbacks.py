"""Callback Objects and webhooks (OpenAPI 3.1 sections 4.8.18 and 4.8.1): requests that go the other way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from brrtrouter.spec.content import ContentReader
from brrtrouter.spec.expressions import parse_template
from brrtrouter.spec.model import MAX_BODY, Callback, Operation, Parameter, SecurityRequirement, Webhook
from brrtrouter.spec.parameters import ParameterReader
from brrtrouter.spec.reference import Files, Node, ReferenceProblem
from brrtrouter.spec.report import Report, member, members, text
from brrtrouter.spec.security import SecurityReader

# A template takes path parameters; the URL of a callback is made of expressions instead, and a webhook has none.
_NO_PATH: Final = "a path parameter has no effect here: there is no path template"


class CallbackReader:
    """Builds each Callback Object once, however many operations refer to it.

    `fields` gives the fields of a Path Item, `methods` its operations; both are the loader's.
    """

    def __init__(
        self,
        files: Files,
        report: Report,
        parameters: ParameterReader,
        content: ContentReader,
        security: SecurityReader,
        fields: Callable[[Node], dict[str, Node]],
        methods: Callable[[dict[str, Node]], Iterator[tuple[str, Node]]],
    ) -> None:
        self.files = files
        self.report = report
        self.parameters = parameters
        self.content = content
        self.security = security
        self._fields = fields
        self._methods = methods
        self._built: dict[int, tuple[Callback, ...]] = {}
        self._open: set[int] = set()

    def callbacks(self, node: Node | None) -> tuple[Callback, ...]:
        """The `callbacks` of an operation; one entry for each name and expression."""
        found: list[Callback] = []
        for name, item in members(node):
            found += self._callback(name, item)
        return tuple(found)

    def _callback(self, name: str, node: Node) -> tuple[Callback, ...]:
        try:
            node = self.files.follow(node)
        except ReferenceProblem:
            return ()
        key = id(node.value)
        if key in self._open:
            self.report.warning("NotExecuted", node, "a callback of its own operations has no callbacks once more")
            return ()
        if key not in self._built:
            self._open.add(key)
            self._built[key] = tuple(self._entries(name, node))
            self._open.discard(key)
        known = self._built[key]
        if known and known[0].name != name:  # another operation has another name for a shared one
            return tuple(Callback(name, each.url, each.operations, each.pointer) for each in known)
        return known

    def _entries(self, name: str, node: Node) -> Iterator[Callback]:
        for expression, item in members(node):
            try:
                url = parse_template(expression)
            except ValueError as error:
                self.report.warning("InvalidExpression", item, f"the callback cannot be called: {error}")
                continue
            yield Callback(name, url, self._operations(expression, item, ()), item.place)

    def webhooks(self, node: Node | None, security: SecurityRequirement) -> tuple[Webhook, ...]:
        """The `webhooks` of a document; `security` is what its root says."""
        return tuple(Webhook(name, self._operations(name, item, security), item.place) for name, item in members(node))

    def _operations(self, template: str, node: Node, security: SecurityRequirement) -> tuple[Operation, ...]:
        fields = self._fields(node)
        shared = self.parameters.read_list(fields.get("parameters"))
        found = []
        for method, item in self._methods(fields):
            try:
                item = self.files.follow(item)
            except ReferenceProblem:
                continue
            if isinstance(item.value, dict):
                found.append(self._operation(method, template, item, shared, security))
        return tuple(found)

    def _operation(
        self, method: str, template: str, node: Node, shared: list[Parameter], security: SecurityRequirement
    ) -> Operation:
        value = node.value
        limit = value.get(MAX_BODY, 0)
        if type(limit) is not int or limit < 0:
            self.report.error("WrongType", node.child(MAX_BODY), f"{MAX_BODY} has to be a number of bytes")
        handler, source = _handler(value)
        own = self.security.requirement(member(node, "security"))
        tags = value.get("tags")
        return Operation(
            method=method,
            template=template,
            path="",
            pointer=node.place,
            operation_id=text(value.get("operationId")) or None,
            handler=handler,
            handler_source=source,
            parameters=self._merged(node, shared),
            request_body=self.content.body(member(node, "requestBody")),
            responses=self.content.responses(member(node, "responses")),
            security=security if own is None else own,
            summary=text(value.get("summary")),
            tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
            deprecated=value.get("deprecated") is True,
            callbacks=self.callbacks(member(node, "callbacks")),
            extensions={name: item for name, item in value.items() if name.startswith("x-")},
        )

    def _merged(self, node: Node, shared: list[Parameter]) -> tuple[Parameter, ...]:
        merged: dict[tuple[str, str], Parameter] = {}
        for parameter in (*shared, *self.parameters.read_list(member(node, "parameters"))):
            if parameter.location == "path":
                self.report.warning("ParameterWithoutTemplateVariable", node, f"{parameter.name!r}: {_NO_PATH}")
                continue
            name = parameter.name.lower() if parameter.location == "header" else parameter.name
            merged[parameter.location, name] = parameter
        return tuple(merged.values())


def _handler(value: dict[str, Any]) -> tuple[str, str]:
    """The name of the handler, where a webhook is served, and where it comes from; "" when nothing names one."""
    for name, item in value.items():
        if name.startswith("x-handler") and text(item):
            return item, name
    operation_id = text(value.get("operationId"))
    return operation_id, "operationId" if operation_id else "generated"
