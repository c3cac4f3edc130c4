"""The application that the cases are sent to; it keeps what reaches its handlers, by connection."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

from wire import document

from brrtrouter import App, Request, Response

Address = tuple[str, int]


class Seen:
    """What reached the handlers from each client: method, target and, after a blank, the body."""

    def __init__(self) -> None:
        self._by_client: dict[Address | None, list[bytes]] = defaultdict(list)

    def note(self, request: Request) -> None:
        query = "?" + request.raw_query if request.raw_query else ""
        line = f"{request.method} {request.path}{query}".encode("latin-1")
        body = request.raw_body
        self._by_client[request.client].append(line + b" " + body if body else line)

    def note_host(self, request: Request) -> None:
        """For `GET /host`: what the handler takes for the host."""
        self._by_client[request.client].append(f"GET /host {request.header('host')}".encode())

    def forget(self, client: Address) -> None:
        """A new connection comes from this address: it may have been that of an earlier one."""
        self._by_client.pop(client, None)

    def of(self, client: Address) -> tuple[bytes, ...]:
        return tuple(self._by_client[client])


async def items() -> AsyncIterator[bytes]:
    yield b"one"
    yield b"two"


def make_app(seen: Seen) -> App:
    """The application whose handlers note everything in `seen`."""

    def answering(make: Callable[[], Any]) -> Callable[[Request], Any]:
        async def handler(request: Request) -> Any:
            seen.note(request)
            return make()

        return handler

    async def slow(request: Request) -> str:
        seen.note(request)
        await asyncio.sleep(0)
        return ""

    async def host(request: Request) -> str:
        seen.note_host(request)
        return ""

    def fail() -> None:
        raise RuntimeError("on purpose")

    plain = answering(str)
    handlers: dict[str, Any] = {
        **{f"{method} /a": plain for method in ("GET", "POST", "PUT", "PATCH", "DELETE")},
        "GET /": plain,
        "GET /good": answering(lambda: "good"),
        "GET /slow": slow,
        "GET /host": host,
        "GET /empty": answering(lambda: Response(204)),
        "GET /empty-stream": answering(lambda: Response(204, items())),
        "GET /unmodified": answering(lambda: Response(304)),
        "GET /unmodified-stream": answering(lambda: Response(304, items())),
        "GET /stream": answering(lambda: Response(200, items())),
        "GET /broken": answering(fail),
    }
    # 32 KiB byte by byte take their time on a busy machine; what is slow has tests of its own.
    patient = {"head_time": 300, "body_wait": 300, "body_rate": 0, "handler_time": 300}
    return App(document(handlers), handlers, {"limits": patient})
