"""What the tests of handlers share: small descriptions, and handlers that tell where they ran."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from brrtrouter import App, Request
from brrtrouter.testing import TestClient


def operation(name: str | None, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"responses": {"200": {"description": ""}}, **more}
    return found if name is None else {**found, "operationId": name}


def document(**operations: dict[str, Any]) -> dict[str, Any]:
    """GET /<key> for each operation."""
    paths = {f"/{key}": {"get": each} for key, each in operations.items()}
    return {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths}


PETS = document(pets=operation("getPets"))


def answer(handlers: Any, path: str = "/pets", doc: dict[str, Any] = PETS) -> Any:
    with TestClient(App(doc, handlers)) as client:
        return client.get(path)


def plain(request: Any) -> Any:
    return None


async def who(request: Request) -> Any:
    return {"thread": threading.current_thread() is threading.main_thread(), "task": asyncio.current_task() is not None}


async def who_waits(request: Request) -> Any:
    await asyncio.sleep(0)
    return await who(request)


def who_plainly(request: Request) -> Any:
    return {"thread": threading.current_thread() is threading.main_thread(), "task": False}
