"""blacksheep."""

from __future__ import annotations

from typing import Any

import orjson
from blacksheep import Application, Content, Request, Response

from benchmarks.servers.apps.pet import is_valid

app = Application()


def answer(value: Any, status: int = 200) -> Response:
    return Response(status, content=Content(b"application/json", orjson.dumps(value)))


@app.router.get("/health")
async def health() -> Response:
    return answer({"status": "ok"})


@app.router.get("/users/{id}/posts/{post_id}")
async def get_post(id: int, post_id: int, limit: int) -> Response:
    return answer({"id": id, "post_id": post_id, "limit": limit}, 200 if 1 <= limit <= 100 else 400)


@app.router.post("/pets")
async def create_pet(request: Request) -> Response:
    value = orjson.loads(await request.read() or b"")
    return answer(value, 200 if is_valid(value) else 400)
