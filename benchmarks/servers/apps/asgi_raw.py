"""ASGI without a framework."""

from __future__ import annotations

from typing import Any

import orjson

from benchmarks.servers.apps.pet import is_valid, post

JSON = [(b"content-type", b"application/json")]


async def answer(send: Any, value: Any, status: int = 200) -> None:
    body = orjson.dumps(value)
    headers = [*JSON, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    path = scope["path"]
    if path == "/health":
        await answer(send, {"status": "ok"})
    elif path == "/pets":
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        value = orjson.loads(body)
        await answer(send, value, 200 if is_valid(value) else 400)
    else:
        _, _, user, _, number = path.split("/")
        try:
            value = post(user, number, scope["query_string"].decode().removeprefix("limit="))
        except ValueError:
            await answer(send, None, 400)
        else:
            await answer(send, value)
