"""Starlette."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.servers.apps.pet import is_valid


def answer(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


async def health(request: Request) -> Response:
    return answer({"status": "ok"})


async def get_post(request: Request) -> Response:
    path, limit = request.path_params, int(request.query_params["limit"])
    value = {"id": path["id"], "post_id": path["post_id"], "limit": limit}
    return answer(value, 200 if 1 <= limit <= 100 else 400)


async def create_pet(request: Request) -> Response:
    value = orjson.loads(await request.body())
    return answer(value, 200 if is_valid(value) else 400)


app = Starlette(
    routes=[
        Route("/health", health),
        Route("/users/{id:int}/posts/{post_id:int}", get_post),
        Route("/pets", create_pet, methods=["POST"]),
    ]
)
