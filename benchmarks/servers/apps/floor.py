"""The floor: uvloop with a protocol that writes a canned answer for each request without reading it.

It tells requests apart by their length: one request has the length that the command line gives.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop

BODY = b'{"status":"ok"}'
# As many bytes as a server sends that tells the time and the id of the request.
FIELDS = b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-Request-ID: 0123456789abcdef0123456789abcdef\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(BODY)
ANSWER = HEAD + FIELDS + b"\r\n" + BODY
LENGTHS = {int(length) for length in sys.argv[2:]}


class Canned(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.write = transport.write

    def data_received(self, data: bytes) -> None:
        length = len(data)
        if length in LENGTHS:
            self.write(ANSWER)
        else:  # pipelined, always the shortest request
            self.write(ANSWER * (length // min(LENGTHS)))


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


uvloop.run(main())
