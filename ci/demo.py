"""Runs the pet store example, sends it one request once it listens, and passes its output on until it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

EXAMPLE = Path("examples") / "pet_store"
HEADERS = {"X-API-Key": "test123"}


def show_request(url: str) -> None:
    fields = " ".join(f'-H "{name}: {value}"' for name, value in HEADERS.items())
    print(f"\n$ curl -i {fields} '{url}/pets?limit=2'")
    with urllib.request.urlopen(urllib.request.Request(f"{url}/pets?limit=2", headers=HEADERS)) as answer:
        print(f"HTTP/1.1 {answer.status} {answer.reason}\n{answer.headers.as_string()}{answer.read().decode()}")
    print(f"\nThe pet store goes on serving; {url}/docs shows it in a browser. Ctrl-C ends it.", flush=True)


def main() -> int:
    command = [
        *(sys.executable, "-m", "brrtrouter", "serve", str(EXAMPLE / "openapi.yaml")),
        *("--handlers", str(EXAMPLE / "handlers.py"), "--config", str(EXAMPLE / "config.yaml"), "--port", sys.argv[1]),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        # A Ctrl-C reaches the server too: it drains, and its end is ours.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        assert server.stdout is not None
        for line in server.stdout:
            print(line, end="", flush=True)
            if line.startswith("Listening on "):
                show_request(line.split()[2])
        return server.wait()


if __name__ == "__main__":
    sys.exit(main())
