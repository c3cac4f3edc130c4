"""Links of answers as requests that can be made (OpenAPI 3.1 section 4.8.20), and as Link fields (RFC 8288).

A link leads to the operation that `operationId` or `operationRef` names.  Its URL is the path under which this server
serves the operation, or `outgoing.base_url` and that path; with a `server` of its own it is that server's URL and the
path template.  A parameter whose expression gives nothing is left out; where it is required there is no link.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from brrtrouter.core.request import Request
from brrtrouter.core.response import Response
from brrtrouter.errors import ExpressionError, Fault, OutgoingError
from brrtrouter.outgoing.evaluate import Exchange
from brrtrouter.outgoing.message import choose, encode_parameters, encoded
from brrtrouter.spec import model
from brrtrouter.spec.expressions import Template
from brrtrouter.spec.reference import escape

# An extension of ours: the relation type of the Link field.
RELATION: Final = "x-rel"
# Names of links that are relation types of the IANA registry, as pages of lists use them.
_REGISTERED: Final = frozenset(
    {"self", "next", "prev", "first", "last", "up", "item", "collection", "edit", "alternate", "canonical", "related"}
    | {"describedby", "latest-version", "predecessor-version", "successor-version", "search", "help", "status"}
)
_RELATION: Final = re.compile(r"[a-z][a-z0-9.\-]*|[a-z][a-z0-9+.\-]*:[^\s\"<>]+")
_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_NOT_IN_TITLE: Final = re.compile(r"[^ -~]|[\"\\]")


@dataclass(frozen=True, slots=True)
class ResolvedLink:
    """A link that can be followed: a request with `method`, `url`, `headers` and `body` (None for none)."""

    name: str
    method: str
    url: str
    operation: model.Operation
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    relation: str = "related"


class Links:
    """Resolves the links of all operations of a specification."""

    def __init__(self, operations: Iterable[model.Operation], base_url: str = "") -> None:
        self._base_url = base_url.rstrip("/")
        self._by_id: dict[str, model.Operation] = {}
        self._by_place: dict[str, model.Operation] = {}
        for operation in operations:
            self._by_place.setdefault(operation.pointer, operation)
            if operation.operation_id is not None:
                self._by_id.setdefault(operation.operation_id, operation)

    def declared(self, request: Request, response: Response) -> tuple[model.Link, ...]:
        """The links of the response that the description has for the status of this one."""
        operation = None if request.operation is None else request.operation.model
        if operation is None:
            return ()
        known = {each.status: each for each in operation.responses}
        status = response.status
        found = known.get(str(status)) or known.get(f"{status // 100}XX") or known.get("default")
        return () if found is None else found.links

    def resolve_all(self, request: Request, result: Any) -> dict[str, ResolvedLink]:
        """Every link of an answer that can be resolved, by name; the others are left out."""
        exchange = Exchange(request, result, self._base_url)
        found = {}
        for link in self._declared(exchange):
            with suppress(OutgoingError):
                found[link.name] = self._resolved(link, exchange)
        return found

    def resolve(self, name: str, request: Request, result: Any) -> ResolvedLink:
        """One link of an answer.  Raises OutgoingError, which says why it cannot be resolved."""
        exchange = Exchange(request, result, self._base_url)
        for link in self._declared(exchange):
            if link.name == name:
                return self._resolved(link, exchange)
        raise OutgoingError(f"link {name!r}: the answer of this operation does not declare it")

    def _declared(self, exchange: Exchange) -> tuple[model.Link, ...]:
        return () if exchange.response is None else self.declared(exchange.request, exchange.response)

    def _resolved(self, link: model.Link, exchange: Exchange) -> ResolvedLink:
        operation = self._by_id.get(link.operation_id) if link.operation_id else self._by_place.get(link.target)
        if operation is None:
            raise OutgoingError(f"link {link.name!r}: its operation is not part of this document")
        values = {}
        for name, value in link.parameters.items():
            # What cannot be evaluated is not passed (OpenAPI 3.1 section 4.8.20.1).
            with suppress(ExpressionError):
                values[name] = exchange.evaluate(value) if isinstance(value, Template) else value
        faults: list[Fault] = []
        path = self._path(link, operation, values, faults)
        query, fields = encode_parameters(operation, values, faults)
        if faults:
            what = "; ".join(f"{fault.location} {fault.pointer}: {fault.message}" for fault in faults)
            raise OutgoingError(f"link {link.name!r}: {what}")
        body = link.request_body
        return ResolvedLink(
            name=link.name,
            method=operation.method,
            url=f"{path}?{'&'.join(query)}" if query else path,
            operation=operation,
            headers=dict(fields),
            body=None if body is model.MISSING else exchange.evaluate(body) if isinstance(body, Template) else body,
            relation=_relation(link),
        )

    def _path(
        self, link: model.Link, operation: model.Operation, values: Mapping[str, Any], faults: list[Fault]
    ) -> str:
        chosen = choose(operation, values, [])
        declared = {each.name: each for each in operation.parameters if each.location == "path"}

        def fill(found: re.Match[str]) -> str:
            name = found[1]
            if name not in declared or ("path", name) not in chosen:
                faults.append(Fault("path", f"/{escape(name)}", "required", "is required and has no value"))
                return ""
            return encoded(declared[name], chosen["path", name], faults) or ""

        base = self._base_url if link.server is None else link.server.rstrip("/")
        template = operation.path if link.server is None else operation.template
        return base + _VARIABLE.sub(fill, template)


def _relation(link: model.Link) -> str:
    written = link.extensions.get(RELATION)
    if isinstance(written, str) and _RELATION.fullmatch(written):
        return written
    return link.name if link.name in _REGISTERED else "related"


class LinkHeader:
    """Middleware: answers get a Link field for each of their links that a GET without further fields follows."""

    def __init__(self, links: Links) -> None:
        self._links = links

    def after(self, request: Request, response: Response) -> None:
        """The middleware hook."""
        for link in self._links.resolve_all(request, response).values():
            if link.method == "GET" and not link.headers and link.body is None:
                title = _NOT_IN_TITLE.sub("", link.name)
                target = quote(link.url, safe="/%:?@!$&'()*+,;=~-._[]#")
                response.add_header("Link", f'<{target}>; rel="{link.relation}"; title="{title}"')


def has_links(operation: model.Operation) -> bool:
    """Whether any answer of an operation declares links."""
    return any(response.links for response in operation.responses)
