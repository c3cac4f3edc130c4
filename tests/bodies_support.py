"""One operation that takes a body, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from brrtrouter import App
from brrtrouter.core.uploads import UploadFile
from brrtrouter.testing import TestClient, TestResponse

FORM = "application/x-www-form-urlencoded"
FORM_DATA = "multipart/form-data"
XML = "application/xml"
BOUNDARY = "----boundary"
Fault = tuple[str, str]
_OPEN: list[Taker] = []


@pytest.fixture(autouse=True)
def takers_are_closed() -> Iterator[None]:
    """What a test opened ends with it; what a module opened stays for its tests."""
    before = len(_OPEN)
    yield
    for taker in _OPEN[before:]:
        taker.client.close()
    del _OPEN[before:]


class Taker:
    """Sends bodies to an operation with this `content`; `body` is what the handler got for the last one."""

    def __init__(
        self,
        content: dict[str, Any],
        *,
        version: str = "3.1.0",
        schemas: dict[str, Any] | None = None,
        parameters: list[Any] | None = None,
        extensions: dict[str, Any] | None = None,
        **limits: int,
    ) -> None:
        operation = {
            "operationId": "take",
            "parameters": parameters or [],
            "requestBody": {"required": True, "content": content},
            "responses": {"200": {"description": "taken"}},
            **(extensions or {}),
        }
        document = {
            "openapi": version,
            "info": {"title": "bodies", "version": "1"},
            "paths": {"/take": {"post": operation}},
            "components": {"schemas": schemas or {}},
        }
        self.body: Any = None
        self.look: Callable[[Any], Any] | None = None
        self.app = App(document, {"take": self._take}, {"limits": limits})
        self.client = TestClient(self.app)
        _OPEN.append(self)
        self.media_type = next(iter(content))

    async def _take(self, request: Any) -> dict[str, Any]:
        self.body = request.body
        return {"ok": True}

    def post(self, body: bytes | str, media_type: str | None = None, query: str = "") -> TestResponse:
        self.body = None
        name = media_type or self.media_type
        if name == FORM_DATA:
            name = f'{FORM_DATA}; boundary="{BOUNDARY}"'
        headers = {"Content-Type": name} if name else {}
        return self.client.post(f"/take{query}", content=body, headers=headers)

    def take(self, body: bytes | str, media_type: str | None = None) -> Any:
        """What the handler gets for a body that has to be right."""
        response = self.post(body, media_type)
        assert response.status == 200, response.text
        return self.body

    def faults(self, body: bytes | str, media_type: str | None = None) -> list[Fault]:
        """(pointer, keyword) of what is wrong with a body that has to be refused with 400."""
        response = self.post(body, media_type)
        assert response.status == 400, response.text
        assert all(fault["location"] == "body" for fault in response.json()["errors"])
        return [(fault["pointer"], fault["keyword"]) for fault in response.json()["errors"]]


def form(properties: dict[str, Any], encoding: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The `content` for a urlencoded form with these properties."""
    return {FORM: _media(properties, encoding, more)}


def form_data(properties: dict[str, Any], encoding: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The `content` for a multipart form with these properties."""
    return {FORM_DATA: _media(properties, encoding, more)}


def _media(properties: dict[str, Any], encoding: dict[str, Any] | None, more: dict[str, Any]) -> dict[str, Any]:
    return {"schema": {"type": "object", "properties": properties, **more}, "encoding": encoding or {}}


def part(name: str, content: bytes, *headers: str, filename: str | None = None) -> bytes:
    """One part of a multipart form, with its delimiter."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        disposition += f'; filename="{filename}"'
    return raw_part("\r\n".join([disposition, *headers]), content)


def raw_part(head: str, content: bytes) -> bytes:
    return b"--" + BOUNDARY.encode() + b"\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def parts(*each: bytes) -> bytes:
    """A whole multipart body."""
    return b"".join(each) + b"--" + BOUNDARY.encode() + b"--\r\n"


def read(value: Any) -> Any:
    """Files as (filename, content type, bytes), everything else as it is."""
    if isinstance(value, UploadFile):
        value.seek(0)
        return (value.filename, value.content_type, value.read())
    if isinstance(value, dict):
        return {name: read(item) for name, item in value.items()}
    return [read(item) for item in value] if isinstance(value, list) else value
