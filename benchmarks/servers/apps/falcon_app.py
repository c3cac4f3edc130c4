"""Falcon on ASGI."""

from __future__ import annotations

import falcon.asgi
import orjson
from falcon import HTTPBadRequest
from falcon.asgi import Request, Response

from benchmarks.servers.apps.pet import is_valid


class Health:
    async def on_get(self, request: Request, response: Response) -> None:
        response.data = orjson.dumps({"status": "ok"})


class Post:
    async def on_get(self, request: Request, response: Response, id: int, post_id: int) -> None:
        limit = request.get_param_as_int("limit", required=True, min_value=1, max_value=100)
        response.data = orjson.dumps({"id": id, "post_id": post_id, "limit": limit})


class Pets:
    async def on_post(self, request: Request, response: Response) -> None:
        value = orjson.loads(await request.stream.read())
        if not is_valid(value):
            raise HTTPBadRequest
        response.data = orjson.dumps(value)


app = falcon.asgi.App()
app.add_route("/health", Health())
app.add_route("/users/{id:int}/posts/{post_id:int}", Post())
app.add_route("/pets", Pets())
