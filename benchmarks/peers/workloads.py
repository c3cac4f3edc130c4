"""What the routers are asked: route sets and random requests whose values never repeat."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.peers.engines import EXPRESSION, Request, Route
from benchmarks.routes import RouteSet, github, rest

SUBSET = 203
POOL = 20_000


@dataclass(frozen=True)
class Workload:
    """Requests with the route that each was made from; `hits` says whether that route answers it."""

    key: str
    title: str
    routes: list[Route]
    requests: list[tuple[Route, Request]]
    hits: bool
    floor: str  # the name of the floor that does what such a match has to do at least


def fill(template: str, values: random.Random) -> str:
    return EXPRESSION.sub(lambda _: f"{values.getrandbits(40):x}", template)


def make(
    key: str,
    title: str,
    routes: list[Route],
    shape: Callable[[str], str],
    floor: str,
    hits: bool,
    only: list[Route] | None = None,
) -> Workload:
    """Requests for random ones of the routes, or of `only`; `shape` makes the requested path of a filled template."""
    values = random.Random(key)
    chosen = values.choices(only or routes, k=POOL)
    requests = [(route, (route[0], shape(fill(route[1], values)))) for route in chosen]
    return Workload(key, title, routes, requests, hits, floor)


def three_kinds(key: str, routes: list[Route]) -> list[Workload]:
    title = f"GitHub, {len(routes):,} operations"
    literal = [route for route in routes if "{" not in route[1]]
    return [
        make(f"{key}-hits", f"{title}: hits", routes, str, "two", True),
        make(f"{key}-misses", f"{title}: misses", routes, "{}/no/such/path".format, "prebuilt", False),
        make(f"{key}-literals", f"{title}: literal paths", routes, str, "prebuilt", True, only=literal),
    ]


def subset(routes: list[Route]) -> list[Route]:
    """SUBSET of the routes at equal distances."""
    return [routes[at * len(routes) // SUBSET] for at in range(SUBSET)]


def workloads() -> list[Workload]:
    """All of them; those of the GitHub API only where its description is."""
    found: list[Workload] = []
    described: RouteSet | None = github()
    if described is not None:
        found += three_kinds("github-203", subset(described.routes))
        found += three_kinds("github-all", described.routes)
    for count in (10, 1_000, 10_000):
        found.append(
            make(f"rest-{count}", f"REST, {count:,} operations: random hits", rest(count).routes, str, "two", True)
        )
    return found


def build_routes() -> list[Route]:
    return list(rest(10_000).routes)
