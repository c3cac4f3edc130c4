"""RSGI, the interface of granian, without a framework."""

from __future__ import annotations

from typing import Any

import orjson

from benchmarks.servers.apps.pet import is_valid, post

JSON = [("content-type", "application/json")]


async def app(scope: Any, protocol: Any) -> None:
    path = scope.path
    if path == "/health":
        protocol.response_bytes(200, JSON, orjson.dumps({"status": "ok"}))
    elif path == "/pets":
        value = orjson.loads(await protocol())
        protocol.response_bytes(200 if is_valid(value) else 400, JSON, orjson.dumps(value))
    else:
        _, _, user, _, number = path.split("/")
        try:
            value = post(user, number, scope.query_string.removeprefix("limit="))
        except ValueError:
            protocol.response_empty(400, [])
        else:
            protocol.response_bytes(200, JSON, orjson.dumps(value))
