"""What is asked: the bytes of each request, and the value that has to come back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

HOST = "Host: 127.0.0.1:8080\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
PET = {"name": "Bella", "status": "pending", "owner": {"name": "Ada Lovelace", "city": "London"}}
STORED = {"id": 12345, "name": "Max", "status": "available", "tags": ["friendly", "trained"]}


@dataclass(frozen=True)
class Workload:
    """A measurement: the request, how many of it are under way on each connection, and at which rate (0: no rate).

    digits: where they stand in the request each one has another number.
    """

    key: str
    title: str
    operation: str
    depth: int = 1
    rate: int = 0
    digits: str = ""


WORKLOADS = (
    Workload("W1", "W1: GET, fixed answer", "health"),
    Workload("W2", "W2: GET, three integers", "post"),
    Workload("W2 varied", "W2, another path each time", "varied", digits="12345"),
    Workload("W3", "W3: POST, body validated", "pet"),
    Workload("pipelined", "W1, 16 deep", "health", depth=16),
    Workload("latency", "W2 at 10,000/s", "post", rate=10_000),
)


def get(target: str, fields: str = "") -> bytes:
    return f"GET {target} HTTP/1.1\r\n{HOST}{fields}\r\n".encode()


def send(method: str, target: str, value: Any, fields: str = "") -> bytes:
    body = json.dumps(value, separators=(",", ":"))
    head = (
        f"{method} {target} HTTP/1.1\r\n{HOST}{fields}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    return f"{head}\r\n{body}".encode()


Operations = dict[str, tuple[bytes, Any]]  # name -> (request, value of the answer; None: whatever comes)

POST = (get("/users/12345/posts/678?limit=10"), {"id": 12345, "post_id": 678, "limit": 10})
OPERATIONS: Operations = {
    "health": (get("/health"), {"status": "ok"}),
    "post": POST,
    "varied": POST,
    "pet": (send("POST", "/pets", PET), PET),
}
KEY = "X-API-Key: test123\r\n"
CHANGED = {"name": "Max", "status": "available", "tags": ["friendly", "trained"]}
PET_STORE: Operations = {
    "health": (get("/health"), {"status": "ok"}),
    "post": (get("/pets/12345", KEY), STORED),
    "pet": (send("PUT", "/pets/12345", CHANGED, KEY), STORED),
}
