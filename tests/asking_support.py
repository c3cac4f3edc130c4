"""A server that is asked about credentials: over a real socket, with what it was asked, and doors that tests hold."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Asked(NamedTuple):
    """One question."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


class Authority:
    """Answers with `status`, `headers` and what `answer` makes of a question; `before` runs first."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.answer: Callable[[Asked], Any] = lambda asked: {}
        self.before: Callable[[], None] = lambda: None
        self.asked: list[Asked] = []
        self.url = ""


@contextmanager
def authority() -> Iterator[Authority]:
    """An authority on a free port."""
    found = Authority()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, body)
            found.asked.append(asked)
            found.before()
            value = found.answer(asked)
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(found.status)
            for name, text in found.headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with suppress(OSError):  # the client does not want all of it
                self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
