"""How long frameworks take to find a route, as they are and with the compiled matcher inside.

    python benchmarks/bench_adapters_asgi.py            GitHub's operations, or 1,000 REST routes where they are absent
    python benchmarks/bench_adapters_asgi.py --rest 1000

Only the framework's own dispatch is measured, from a request that it has read to the handler that it calls, which does
nothing: no server, no middleware, no reading of arguments.  Plain and accelerated take turns within every round, and
time is that of the processor, which other processes do not add to.  The values in the paths do not repeat, so that
caches of whole paths do not help.  Requests are hits; templates that a framework cannot say are left out.
"""

from __future__ import annotations

import argparse
import gc
import random
import re
import statistics
import sys
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from time import thread_time_ns
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from routes import RouteSet, github, rest

Ask = Callable[[str, str], Any]
Request = tuple[str, str]
REQUESTS = 3_000
NAMES = (f"bench{number}" for number in count())


def grouped(routes: RouteSet) -> dict[str, list[str]]:
    """Methods by template."""
    by_template: dict[str, list[str]] = {}
    for method, template, _ in routes.routes:
        by_template.setdefault(template, []).append(method)
    return by_template


def finish(waiting: Any) -> Any:
    """The result of a coroutine that never waits."""
    try:
        waiting.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("the dispatch waited for something")


async def nothing(*_: Any) -> Any:
    return None


class Endpoint:
    """An ASGI application that does nothing."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["arrived"] = True


def asgi(router: Any) -> Ask:
    def ask(method: str, path: str) -> Any:
        scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
        finish(router.app(scope, nothing, nothing))
        return scope["arrived"]

    return ask


def starlette_asks(routes: RouteSet) -> tuple[Ask, Ask]:
    from starlette.routing import Route, Router

    from brrtrouter.adapters.starlette import accelerate

    def build() -> Any:
        endpoint = Endpoint()
        return Router([Route(template, endpoint, methods=[method]) for method, template, _ in routes.routes])

    return asgi(build()), asgi(accelerate(build()))


def fastapi_asks(routes: RouteSet) -> tuple[Ask, Ask]:
    """One included router for each first segment, as larger applications are written."""
    from fastapi import APIRouter, FastAPI

    from brrtrouter.adapters.starlette import accelerate

    def build() -> Any:
        parts: dict[str, Any] = {}
        for method, template, _ in routes.routes:
            first = template.split("/")[1]
            part = parts.setdefault(first, APIRouter())
            part.add_route(template, Endpoint(), methods=[method])
        app = FastAPI(openapi_url=None)
        for part in parts.values():
            app.include_router(part)
        return app

    return asgi(build().router), asgi(accelerate(build()).router)


def litestar_asks(routes: RouteSet) -> tuple[Ask, Ask]:
    from litestar import Litestar, route

    from brrtrouter.adapters.litestar import accelerate

    def build() -> Any:
        handlers = []
        for number, (template, methods) in enumerate(grouped(routes).items()):
            if any(re.search(r"[{}]", piece) for piece in re.split(r"/\{[^{}/]+\}(?=/|$)", template)):
                continue  # Litestar has no parameters beside other text in a segment

            def answer() -> None: ...

            path = re.sub(r"\{([^}]*)\}", lambda match: "{" + re.sub(r"\W", "_", match[1]) + ":str}", template)
            handlers.append(route(path, http_method=methods, name=f"r{number}", sync_to_thread=False)(answer))
        return Litestar(handlers, openapi_config=None)

    def asking(app: Any) -> Ask:
        router = app.asgi_router
        return lambda method, path: router.handle_routing(path=path, method=method)

    return asking(build()), asking(accelerate(build()))


def aiohttp_asks(routes: RouteSet) -> tuple[Ask, Ask]:
    from types import SimpleNamespace

    from aiohttp import web
    from yarl import URL

    from brrtrouter.adapters.aiohttp import accelerate

    def build() -> Any:
        app = web.Application()
        for method, template, _ in routes.routes:
            app.router.add_route(method, template.replace("-", "_"), nothing)
        return app

    def asking(app: Any) -> Ask:
        app.pre_freeze()

        def ask(method: str, path: str) -> Any:
            request: Any = SimpleNamespace(method=method, rel_url=URL.build(path=path.replace("-", "_"), encoded=True))
            return finish(app.router.resolve(request))

        return ask

    return asking(build()), asking(accelerate(build()))


def sanic_asks(routes: RouteSet) -> tuple[Ask, Ask]:
    from sanic.router import Router as Plain

    from brrtrouter.adapters.sanic import Router

    def asking(kind: type[Plain]) -> Ask:
        router = kind()
        for template, methods in grouped(routes).items():
            path = re.sub(r"\{([^}]*)\}", lambda match: "<" + re.sub(r"\W", "_", match[1]) + ">", template)
            if re.search(r"[^/]<|>[^/]", path):
                continue  # Sanic has no parameters beside other text in a segment
            router.add(path, methods, nothing, name=next(NAMES))
        router.finalize()
        return lambda method, path: router.get(path, method, None)

    return asking(Plain), asking(Router)


FRAMEWORKS: dict[str, Callable[[RouteSet], tuple[Ask, Ask]]] = {
    "starlette": starlette_asks,
    "fastapi": fastapi_asks,
    "litestar": litestar_asks,
    "aiohttp": aiohttp_asks,
    "sanic": sanic_asks,
}


def unique(requests: list[Request]) -> Iterator[list[Request]]:
    """Batches of the same requests with other values in each."""
    shuffled = (requests * (REQUESTS // len(requests) + 1))[:REQUESTS]
    random.Random(1).shuffle(shuffled)
    number = count()
    while True:
        yield [(method, re.sub(r"value\d+x", lambda _: f"value{next(number)}y", path)) for method, path in shuffled]


def time_once(ask: Ask, requests: list[Request]) -> float:
    start = thread_time_ns()
    for method, path in requests:
        ask(method, path)
    return (thread_time_ns() - start) / len(requests)


def answered(ask: Ask, requests: list[Request]) -> list[Request]:
    """The requests that the framework has a route for: not all of them can say every template."""
    found = []
    for request in requests:
        try:
            ask(*request)
        except Exception:  # each framework has its own way to say that there is no such route
            continue
        found.append(request)
    return found


def compare(plain: Ask, fast: Ask, requests: list[Request], rounds: int) -> tuple[float, float]:
    requests = answered(plain, requests)
    samples: tuple[list[float], list[float]] = ([], [])
    batches = unique(requests)
    time_once(fast, next(batches))  # the first request compiles
    gc.collect()
    gc.freeze()  # so that no round has to walk through the routes
    for _ in range(rounds):
        for ask, times in zip((plain, fast), samples, strict=True):
            times.append(time_once(ask, next(batches)))
    return statistics.median(samples[0]), statistics.median(samples[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rest", type=int, help="this many made-up REST routes instead of GitHub's")
    parser.add_argument("--only", choices=FRAMEWORKS, action="append")
    options = parser.parse_args()
    routes = rest(options.rest) if options.rest else github() or rest(1_000)
    print(f"{routes.name}; microseconds for one dispatch, medians of {options.rounds} rounds\n")
    print(f"| {'framework':<10} | {'plain':>9} | {'compiled':>9} | {'gain':>7} |\n|---|---:|---:|---:|")
    for name in options.only or FRAMEWORKS:
        try:
            plain, fast = FRAMEWORKS[name](routes)
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        before, after = compare(plain, fast, routes.hits, options.rounds)
        print(f"| {name:<10} | {before / 1e3:9.2f} | {after / 1e3:9.2f} | {before / after:6.1f}x |", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
