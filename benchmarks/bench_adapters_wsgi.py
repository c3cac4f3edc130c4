"""Route dispatch of Falcon, Werkzeug and Django, plain and with the adapters.

    python benchmarks/bench_adapters_wsgi.py            a table of medians and gains

What is timed is the framework's own door: `CompiledRouter.find`, `MapAdapter.match`, `URLResolver.resolve`.  Both sides
have the same routes and requests, and take turns in each round; their answers are compared first.  Time is that of the
processor, which other processes do not add to.  Frameworks that are not installed are left out.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import thread_time_ns
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from routes import RouteSet, github, rest

Request = tuple[str, str]
Dispatch = Callable[[str, str], Any]
EXPRESSION = re.compile(r"\{[^}]*\}")


def fields(template: str, opening: str, closing: str) -> str:
    """The template with names that all frameworks accept: those of one depth are the same in all templates."""
    segments = []
    for depth, segment in enumerate(template.split("/")):
        number = iter(range(100))
        segments.append(EXPRESSION.sub(lambda _: f"{opening}f{depth}_{next(number)}{closing}", segment))  # noqa: B023
    return "/".join(segments)


def falcon_sides(routes: RouteSet) -> tuple[Dispatch, Dispatch]:
    from falcon.routing import CompiledRouter

    from brrtrouter.adapters.falcon import Router

    class Resource:
        def on_get(self, req: Any, resp: Any, **fields: Any) -> None: ...

    resource = Resource()
    sides = CompiledRouter(), Router()
    for side in sides:
        for template in dict.fromkeys(template for _, template, _ in routes.routes):
            side.add_route(fields(template, "{", "}"), resource)
    plain, ours = (side.find for side in sides)

    def comparable(find: Callable[[str], Any]) -> Dispatch:
        def dispatch(method: str, path: str) -> Any:
            found = find(path)
            return found and (found[0], found[2], found[3])

        return dispatch

    compare(routes, comparable(plain), comparable(ours))
    return lambda method, path: plain(path), lambda method, path: ours(path)


def werkzeug_sides(routes: RouteSet) -> tuple[Dispatch, Dispatch]:
    from werkzeug.exceptions import HTTPException
    from werkzeug.routing import Map, Rule

    from brrtrouter.adapters.werkzeug import accelerate

    def side(url_map: Map) -> Dispatch:
        for method, template, value in routes.routes:
            url_map.add(Rule(fields(template, "<", ">"), endpoint=value, methods=[method]))
        match = url_map.bind("example.com").match

        def dispatch(method: str, path: str) -> Any:
            try:
                return match(path, method)
            except HTTPException as error:
                return type(error)

        return dispatch

    sides = side(Map()), side(accelerate(Map()))
    compare(routes, *sides)
    return sides


def django_sides(routes: RouteSet) -> tuple[Dispatch, Dispatch]:
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure()
        django.setup()
    from django.urls import Resolver404, URLResolver, path
    from django.urls.resolvers import RegexPattern

    from brrtrouter.adapters import django as adapter

    patterns = [
        path(fields(template, "<", ">")[1:], print, name=template)
        for template in dict.fromkeys(template for _, template, _ in routes.routes)
    ]
    resolver = URLResolver(RegexPattern(r"^/"), patterns)
    plain_resolve = URLResolver.resolve
    adapter.accelerate()
    our_resolve = URLResolver.resolve
    adapter.restore()

    def side(resolve: Any) -> Dispatch:
        def dispatch(method: str, asked: str) -> Any:
            try:
                return resolve(resolver, asked)
            except Resolver404 as error:
                return type(error)

        return dispatch

    sides = side(plain_resolve), side(our_resolve)
    compare(routes, *(lambda method, path, side=side: repr(side(method, path)) for side in sides))
    return sides


SIDES: dict[str, Callable[[RouteSet], tuple[Dispatch, Dispatch]]] = {
    "falcon": falcon_sides,
    "werkzeug": werkzeug_sides,
    "django": django_sides,
}


def compare(routes: RouteSet, plain: Dispatch, ours: Dispatch) -> None:
    for method, path in (*routes.hits, *routes.misses):
        if plain(method, path) != ours(method, path):
            raise SystemExit(f"{routes.name}: {method} {path} has another answer")


def time_once(dispatch: Dispatch, requests: list[Request]) -> float:
    start = thread_time_ns()
    for method, path in requests:
        dispatch(method, path)
    return (thread_time_ns() - start) / len(requests)


def medians(sides: tuple[Dispatch, Dispatch], requests: list[Request], rounds: int) -> list[float]:
    samples: list[list[float]] = [[], []]
    for _ in range(rounds):
        for dispatch, times in zip(sides, samples, strict=True):
            times.append(time_once(dispatch, requests))
    return [statistics.median(times) for times in samples]


def rows(routes: RouteSet, names: list[str], rounds: int) -> Iterator[tuple[str, str, float, float]]:
    for name in names:
        try:
            sides = SIDES[name](routes)
        except ImportError:
            print(f"{name} is not installed", file=sys.stderr)
            continue
        for kind in ("hits", "misses"):
            requests = list(getattr(routes, kind))
            random.Random(1).shuffle(requests)
            plain, ours = medians(sides, requests, rounds)
            yield name, kind, plain, ours


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=SIDES, action="append")
    options = parser.parse_args()
    for routes in [found for found in (github(), rest(1_000)) if found is not None]:
        print(
            f"\n{routes.name}\n\n| framework | requests | plain, ns | accelerated, ns | gain |\n|---|---|---|---|---|"
        )
        for name, kind, plain, ours in rows(routes, options.only or list(SIDES), options.rounds):
            print(f"| {name} | {kind} | {plain:,.0f} | {ours:,.0f} | {plain / ours:.1f} x |")


if __name__ == "__main__":
    main()
