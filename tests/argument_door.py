"""The public door to parameter decoding: a small document, an application, and what its handler was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from brrtrouter import App, Request
from brrtrouter.testing import TestClient


class Refused(NamedTuple):
    """The errors of a 400, each (location, pointer, keyword)."""

    faults: list[tuple[str, str, str]]
    messages: list[str]


class Door:
    """An operation with these parameters.  `path`, `query`, `headers` and `cookies` send one request each."""

    def __init__(
        self,
        *parameters: Mapping[str, Any],
        path: str = "/x",
        version: str = "3.1.0",
        config: Mapping[str, Any] | None = None,
    ) -> None:
        document = {
            "openapi": version,
            "info": {"title": "T", "version": "1"},
            "paths": {path: {"get": {"operationId": "op", "parameters": list(parameters), "responses": {}}}},
        }
        self.request: Request | None = None
        self.app = App(document, {"op": self._handle}, config)
        self.client = TestClient(self.app)

    async def _handle(self, request: Request) -> dict[str, Any]:
        self.request = request
        return {}

    def send(self, target: str, headers: Sequence[tuple[str, str]] = ()) -> Request | Refused:
        self.request = None
        response = self.client.get(target, headers=headers)
        if response.status == 400:
            assert self.request is None
            body = response.json()
            assert body["type"].endswith("/parameter-validation-failed")
            assert body["detail"]
            errors = body["errors"]
            return Refused(
                [(each["location"], each["pointer"], each["keyword"]) for each in errors],
                [each["message"] for each in errors],
            )
        assert response.status == 200, response.content
        assert self.request is not None
        return self.request

    def path(self, target: str) -> Any:
        found = self.send(target)
        return found if isinstance(found, Refused) else found.path_params

    def query(self, query: str) -> Any:
        found = self.send("/x?" + query)
        return found if isinstance(found, Refused) else found.query

    def headers(self, *fields: tuple[str, str]) -> Any:
        found = self.send("/x", fields)
        return found if isinstance(found, Refused) else found.headers

    def cookies(self, *lines: str) -> Any:
        found = self.send("/x", [("Cookie", line) for line in lines])
        return found if isinstance(found, Refused) else found.cookies


def parameter(name: str, location: str, schema: Any = None, **rest: Any) -> dict[str, Any]:
    """A Parameter Object."""
    made: dict[str, Any] = {"name": name, "in": location, **rest}
    if "content" not in rest:
        made["schema"] = {} if schema is None else schema
    return made | ({"required": True} if location == "path" else {})
