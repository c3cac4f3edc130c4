"""Handlers of openapi.yaml: coroutine functions that wait for nothing."""

from __future__ import annotations

from typing import Any

from brrtrouter import Request


async def health(request: Request) -> dict[str, str]:
    return {"status": "ok"}


async def get_post(request: Request) -> dict[str, int]:
    path = request.path_params
    return {"id": path["id"], "post_id": path["post_id"], "limit": request.query["limit"]}


async def create_pet(request: Request) -> Any:
    return request.body
