"""What a runtime expression gives for one request and its answer (OpenAPI 3.1 section 4.8.20.3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from brrtrouter import jsontext
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, sent_body
from brrtrouter.core.service import to_response
from brrtrouter.errors import ExpressionError
from brrtrouter.spec.expressions import Expression, Template

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")


class Exchange:
    """A request, and its answer where there is one already: what expressions are evaluated against.

    `result` is a Response or anything else that a handler may return; `base_url` stands in for scheme and host that
    the client sent.
    """

    def __init__(self, request: Request, result: Any = None, base_url: str = "") -> None:
        self.request = request
        self.response: Response | None = None if result is None else to_response(request, result)
        self._base_url = base_url.rstrip("/")
        self._response_body: Any = None
        self._body_known = False

    @property
    def url(self) -> str:
        """The URL of the request.  Raises ExpressionError when nobody says what the host is."""
        request = self.request
        base = self._base_url or request.base_url
        if not base:
            raise ExpressionError("$url: the request has no Host, and outgoing.base_url is not set")
        return f"{base}{request.path}?{request.raw_query}" if request.raw_query else base + request.path

    def value(self, expression: Expression) -> Any:
        """The value that the expression names, with its type.  Raises ExpressionError when there is none."""
        return _ORIGINS[expression.origin, expression.part](self, expression)

    def evaluate(self, template: Template) -> Any:
        """The value of a template: typed when it is one expression, else a text."""
        first = template.parts[0] if template.parts else ""
        if template.bare and isinstance(first, Expression):
            return self.value(first)
        return "".join(part if isinstance(part, str) else self.text(part) for part in template.parts)

    def text(self, expression: Expression) -> str:
        """The value as text inside of a text: JSON for what is no scalar."""
        value = self.value(expression)
        return value if isinstance(value, str) else jsontext.dumps(value).decode()

    def address(self, template: Template) -> str:
        """The value of a template as a URL.

        An expression at the start is the URL itself, or how it begins.  One further on is a piece of it and is
        percent-encoded, so that a value cannot bring another host, path or query with it.
        """
        return "".join(
            part if isinstance(part, str) else self.text(part) if at == 0 else quote(self.text(part), safe="")
            for at, part in enumerate(template.parts)
        )

    # -- where values are ------------------------------------------------------------------------------------

    def _status(self, expression: Expression) -> int:
        return self._answer(expression).status

    def _answer(self, expression: Expression) -> Response:
        if self.response is None:
            raise ExpressionError(f"{expression.text}: there is no answer yet; pass it as response=")
        return self.response

    def _request_header(self, expression: Expression) -> str:
        value = self.request.header(expression.name)
        if value is None:
            raise ExpressionError(f"{expression.text}: the request has no such header field")
        return value

    def _response_header(self, expression: Expression) -> str:
        wanted = expression.name.lower()
        headers: Any = self._answer(expression).headers or ()
        for name, value in headers.items() if isinstance(headers, Mapping) else headers:
            if _latin1(name).lower() == wanted:
                return ", ".join(map(_latin1, value)) if isinstance(value, (list, tuple)) else _latin1(value)
        raise ExpressionError(f"{expression.text}: the answer has no such header field")

    def _query(self, expression: Expression) -> Any:
        return self._named(expression, self.request.query, "query parameter")

    def _path(self, expression: Expression) -> Any:
        return self._named(expression, self.request.path_params, "path parameter")

    def _named(self, expression: Expression, values: Mapping[str, Any], what: str) -> Any:
        if expression.name not in values:
            raise ExpressionError(f"{expression.text}: the request has no such {what}")
        return values[expression.name]

    def _request_body(self, expression: Expression) -> Any:
        if not self.request.raw_body:
            raise ExpressionError(f"{expression.text}: the request has no body")
        return _pointed(expression, self.request.body)

    def _body_of_response(self, expression: Expression) -> Any:
        if not self._body_known:
            response = self._answer(expression)
            if hasattr(response.body, "__aiter__"):
                raise ExpressionError(f"{expression.text}: the answer is a stream")
            media_type, raw = sent_body(response)
            essence = (media_type or "").partition(";")[0].strip().lower()
            if not raw:
                raise ExpressionError(f"{expression.text}: the answer has no body")
            is_json = essence == "application/json" or essence.endswith("+json")
            self._response_body = jsontext.loads(raw) if is_json else raw.decode("utf-8", "replace")
            self._body_known = True
        return _pointed(expression, self._response_body)


def _latin1(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _pointed(expression: Expression, value: Any) -> Any:
    """The value at a JSON Pointer (RFC 6901 section 4)."""
    for token in expression.pointer:
        if isinstance(value, Mapping) and token in value:
            value = value[token]
        elif isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(value):
            value = value[int(token)]
        else:
            raise ExpressionError(f"{expression.text}: there is no {token[:80]!r}")
    return value


_ORIGINS: Final[Mapping[tuple[str, str], Callable[[Exchange, Expression], Any]]] = {
    ("url", ""): lambda exchange, _: exchange.url,
    ("method", ""): lambda exchange, _: exchange.request.method,
    ("statusCode", ""): Exchange._status,
    ("request", "header"): Exchange._request_header,
    ("request", "query"): Exchange._query,
    ("request", "path"): Exchange._path,
    ("request", "body"): Exchange._request_body,
    ("response", "header"): Exchange._response_header,
    ("response", "body"): Exchange._body_of_response,
}
