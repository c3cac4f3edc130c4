"""Live ticks: an asynchronous generator of events."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator

from brrtrouter import Event, Request


async def ticks(request: Request) -> AsyncIterator[Event]:
    """Prices from where the client has stopped to read."""
    last = request.last_event_id
    number = int(last) if last and last.isascii() and last.isdigit() else 0
    while True:
        number += 1
        price = round(100 + 10 * math.sin(number / 5), 2)
        yield Event({"number": number, "price": price}, event="tick", id=str(number), retry=1000)
        await asyncio.sleep(request.query["interval"] / 1000)
