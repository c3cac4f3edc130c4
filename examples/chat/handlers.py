"""A chat: each room is a channel, each visitor a WebSocket."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from brrtrouter import Channel, WebSocket

rooms: defaultdict[str, Channel] = defaultdict(lambda: Channel(limit=100, slow="close"))


async def chat(ws: WebSocket) -> None:
    """Pass on what the visitor says, and say what others do, until the visitor leaves."""
    name = ws.request.query["name"]
    key = ws.request.path_params["room"]
    room = rooms[key]
    said = room.subscribe()

    async def listen() -> None:
        async for message in said:
            await ws.send(message)
        await ws.close(1013, "too slow")

    listening = asyncio.create_task(listen())
    try:
        room.send({"name": name, "text": "is here"})
        async for message in ws:
            room.send({"name": name, "text": message["text"]})
    finally:
        listening.cancel()
        await said.aclose()
        room.send({"name": name, "text": "has left"})
        if not len(room):
            rooms.pop(key, None)
