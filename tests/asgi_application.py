"""The application that `test_asgi_servers.py` runs under every server; and the pet store."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from brrtrouter import App, Request, Response

ROOT = Path(__file__).resolve().parents[1]
STORE = ROOT / "examples" / "pet_store"
CONFIG = {
    "limits": {"body": 100_000, "request_line": 2000, "header_field": 3000, "header_count": 50, "head": 8000},
    "security": {"api_keys": {"key": {"key": "open"}}},
}
ended: list[str] = []


async def decoded(request: Request) -> dict[str, Any]:
    return {
        "path": request.path,
        "query": request.raw_query,
        "params": request.path_params,
        "values": request.query,
        "number": request.headers.get("x-number"),
        "list": request.headers.get("x-list"),
        "cookies": request.cookies,
        "method": request.method,
        "scheme": request.scheme,
        "host": request.client[0] if request.client else None,
        "base": (request.base_url or "").partition("://")[0],
    }


async def body(request: Request) -> dict[str, Any]:
    return {"body": request.body, "method": request.method}


async def files(request: Request) -> dict[str, Any]:
    file = request.body["file"]
    return {"title": request.body["title"], "name": file.filename, **measured(file.file.read())}


async def octets(request: Request) -> dict[str, Any]:
    return measured(request.raw_body or b"")


async def upload(request: Request) -> dict[str, Any]:
    return measured(b"".join([piece async for piece in request.stream()]))


def measured(data: bytes) -> dict[str, Any]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


async def nothing(request: Request) -> None:
    return None


async def lines(request: Request) -> Response:
    async def items() -> AsyncIterator[str]:
        for number in range(3):
            yield f'{{"number": {number}}}\n'

    return Response(200, items(), None, "application/jsonl")


async def pieces() -> AsyncIterator[str | bytes]:
    for piece in ("one ", b"two ", "", "three"):
        await asyncio.sleep(0)
        yield piece


async def stream(request: Request) -> Response:
    return Response(200, pieces(), {"X-Kind": "stream"}, "text/plain")


async def broken(request: Request) -> Response:
    async def one() -> AsyncIterator[str]:
        yield "one "
        raise RuntimeError("the source of the stream has failed")

    return Response(200, one(), None, "text/plain")


async def endless(request: Request) -> Response:
    async def always() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(4096)
                await asyncio.sleep(0)
        finally:
            ended.append("endless")

    return Response(200, always(), None, "text/plain")


async def waiting(request: Request) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("waiting")


async def what_ended(request: Request) -> list[str]:
    return sorted(set(ended))


async def headers(request: Request) -> Response:
    return Response(200, {"ok": True}, {"Set-Cookie": ["a=1", "b=2"], "X-Text": "grün"})


async def status(request: Request) -> Response:
    wanted = request.path_params["status"]
    return Response(wanted, None if wanted in (204, 304) else {"status": wanted}, {"ETag": '"1"'})


async def fail(request: Request) -> None:
    raise LookupError("it was not to be")


def thread(request: Request) -> dict[str, bool]:
    return {"thread": True}


async def later(request: Request) -> dict[str, bool]:
    await asyncio.sleep(0.001)
    return {"later": True}


HANDLERS = {
    "getItem": decoded,
    "getName": decoded,
    "deleteItem": nothing,
    "postJson": body,
    "postForm": body,
    "postFiles": files,
    "getLines": lines,
    "postLines": body,
    "postText": body,
    "postOctets": octets,
    "postUpload": upload,
    "getStream": stream,
    "getBroken": broken,
    "getEndless": endless,
    "getWaiting": waiting,
    "getEnded": what_ended,
    "getHeaders": headers,
    "getStatus": status,
    "getFail": fail,
    "getThread": thread,
    "getLater": later,
    "getSecret": body,
    "search": body,
    "copy": body,
}


def make() -> App:
    """Everything that a request and an answer can be."""
    return App(ROOT / "tests" / "specs" / "asgi.yaml", HANDLERS, CONFIG)


def make_store() -> App:
    """The pet store with its own configuration."""
    return App(STORE / "openapi.yaml", str(STORE / "handlers.py"), STORE / "config.yaml")


async def raw(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application that tells what it was given, in two pieces, or with a length for `?whole`."""
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["started"] = True
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"].endswith("/fail"):
        raise LookupError("it was not to be")
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message["body"])
        more = message["more_body"]
    shown = {name: scope[name] for name in ("method", "path", "raw_path", "root_path", "query_string", "scheme")}
    text = f"{shown} {size} {scope['state']}".encode()
    fields = [(b"content-type", b"text/plain"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"date", b"never")]
    fields += [(b"connection", b"close"), *(pair for pair in scope["headers"] if pair[0] == b"x-number")]
    if scope["query_string"] == b"whole":
        fields.append((b"content-length", str(len(text)).encode()))
    await send({"type": "http.response.start", "status": 203, "headers": fields})
    await send({"type": "http.response.body", "body": text[:10], "more_body": True})
    await send({"type": "http.response.body", "body": text[10:]})


app = make()
app.mount("/raw", raw, max_body=150_000)
store = make_store()
