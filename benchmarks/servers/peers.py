"""The servers that are compared: how each is started, and what it needs."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers.process import Unavailable
from benchmarks.servers.workloads import OPERATIONS, PET_STORE, Operations

ROOT = Path(__file__).resolve().parents[2]
APPS = "benchmarks/servers/apps"
NGINX = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; multi_accept on; }}
http {{
    access_log off; keepalive_requests 1000000000; default_type application/json;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{ listen 127.0.0.1:{port}; location = /health {{ return 200 '{{"status":"ok"}}'; }} }}
}}
"""


@dataclass(frozen=True)
class Peer:
    """A server.  `command` makes its command line from the port and a folder for files, or raises Unavailable."""

    name: str
    command: Callable[[int, Path], list[str]]
    operations: Operations
    answers_all: bool = True  # what it answers is compared with what has to come back


def installed(distribution: str) -> None:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise Unavailable(f"{distribution} is not installed") from None


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        raise Unavailable(f"{name} is not installed")
    return found


def floor(port: int, folder: Path) -> list[str]:
    lengths = [str(len(request)) for request, _ in OPERATIONS.values()]
    return [sys.executable, f"{APPS}/floor.py", str(port), *lengths]


# /health is to come from the description, as with the others.
PLAIN = "endpoints: {health: null}\n"
EXTRAS = PLAIN + "metrics: {enabled: true}\ncors: {origins: [https://app.example]}\n"
NO_IDS = PLAIN + "request_id: {accept: false, echo: false}\n"


def ours(settings: str = PLAIN, *, workers: int = 0) -> Callable[[int, Path], list[str]]:
    def command(port: int, folder: Path) -> list[str]:
        config = folder / f"ours-{port}.yaml"
        config.write_text(settings)
        files = [f"{APPS}/openapi.yaml", "--handlers", f"{APPS}/ours.py", "--config", str(config)]
        several = ["--workers", str(workers)] if workers else []
        return [sys.executable, "-m", "brrtrouter", "serve", *files, "--port", str(port), *several]

    return command


def pet_store(port: int, folder: Path) -> list[str]:
    store = "examples/pet_store"
    files = [f"{store}/openapi.yaml", "--handlers", f"{store}/handlers.py", "--config", f"{store}/config.yaml"]
    return [sys.executable, "-m", "brrtrouter", "serve", *files, "--port", str(port)]


def uvicorn(module: str, distribution: str) -> Callable[[int, Path], list[str]]:
    def command(port: int, folder: Path) -> list[str]:
        installed("uvicorn")
        installed(distribution)
        options = ["--port", str(port), "--loop", "uvloop", "--http", "httptools", "--lifespan", "auto"]
        quiet = ["--no-access-log", "--log-level", "error"]
        return [sys.executable, "-m", "uvicorn", f"benchmarks.servers.apps.{module}:app", *options, *quiet]

    return command


def granian(port: int, folder: Path) -> list[str]:
    installed("granian")
    options = ["--interface", "rsgi", "--port", str(port), "--workers", "1", "--loop", "uvloop", "--no-ws"]
    return [sys.executable, "-m", "granian", *options, "--log-level", "error", "benchmarks.servers.apps.rsgi_raw:app"]


def socketify(port: int, folder: Path) -> list[str]:
    installed("socketify")
    return [sys.executable, f"{APPS}/socketify_app.py", str(port)]


def nginx(port: int, folder: Path) -> list[str]:
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(port=port, folder=folder))
    return [program("nginx"), "-c", str(config)]


def fastify(port: int, folder: Path) -> list[str]:
    node = program("node")
    if subprocess.run([node, "-e", "require('fastify')"], capture_output=True, check=False).returncode != 0:
        raise Unavailable("fastify is not installed where node looks; NODE_PATH may name its folder")
    return [node, f"{APPS}/fastify.cjs", str(port)]


HEALTH_ONLY: Operations = {"health": OPERATIONS["health"]}
FLOOR, OURS, OURS_TWO = "floor: uvloop, canned", "brrtrouter", "brrtrouter, two workers"

PEERS = (
    Peer(FLOOR, floor, OPERATIONS, answers_all=False),
    Peer(OURS, ours(), OPERATIONS),
    Peer("brrtrouter, with metrics, request id and CORS", ours(EXTRAS), OPERATIONS),
    Peer("brrtrouter, without request id", ours(NO_IDS), OPERATIONS),
    Peer("brrtrouter, pet store", pet_store, PET_STORE),
    Peer("nginx", nginx, HEALTH_ONLY),
    Peer("socketify", socketify, OPERATIONS),
    Peer("uvicorn, raw ASGI", uvicorn("asgi_raw", "orjson"), OPERATIONS),
    Peer("granian, raw RSGI", granian, OPERATIONS),
    Peer("fastify (node)", fastify, OPERATIONS),
    Peer("blacksheep + uvicorn", uvicorn("blacksheep_app", "blacksheep"), OPERATIONS),
    Peer("falcon + uvicorn", uvicorn("falcon_app", "falcon"), OPERATIONS),
    Peer("starlette + uvicorn", uvicorn("starlette_app", "starlette"), OPERATIONS),
    Peer("FastAPI + uvicorn", uvicorn("fastapi_app", "fastapi"), OPERATIONS),
)
WORKERS = (Peer("one process", ours(), OPERATIONS), Peer("two workers", ours(workers=2), OPERATIONS))
