"""socketify, on uWebSockets."""

from __future__ import annotations

import sys
from typing import Any

import orjson
from socketify import App

from benchmarks.servers.apps.pet import is_valid, post

app = App()


def answer(response: Any, value: Any) -> None:
    response.write_header(b"content-type", b"application/json")
    response.end(orjson.dumps(value))


def health(response: Any, request: Any) -> None:
    answer(response, {"status": "ok"})


def get_post(response: Any, request: Any) -> None:
    try:
        value = post(request.get_parameter(0), request.get_parameter(1), request.get_query("limit"))
    except (TypeError, ValueError):
        response.write_status(400).end(b"")
    else:
        answer(response, value)


def create_pet(response: Any, request: Any) -> None:
    received = bytearray()

    def on_data(response: Any, chunk: bytes, last: bool, *_: Any) -> None:
        received.extend(chunk or b"")
        if last:
            value = orjson.loads(received)
            if is_valid(value):
                answer(response, value)
            else:
                response.write_status(400).end(b"")

    response.on_data(on_data)


app.get("/health", health)
app.get("/users/:id/posts/:post_id", get_post)
app.post("/pets", create_pet)
app.listen({"host": "127.0.0.1", "port": int(sys.argv[1])})
app.run()
