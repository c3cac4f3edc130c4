"""Route sets for benchmarks and the paths that hit, miss and exercise them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

GITHUB = Path(__file__).resolve().parents[2] / "shared" / "specs" / "github" / "api.github.com.json"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@dataclass(frozen=True)
class RouteSet:
    """Routes as (method, template, value) and requests as (method, path): hits, misses, and hits without captures."""

    name: str
    routes: list[tuple[str, str, str]]
    hits: list[tuple[str, str]]
    misses: list[tuple[str, str]]
    literals: list[tuple[str, str]]


def _fill(template: str, number: int) -> str:
    counter = iter(range(100))
    return re.sub(r"\{[^}]*\}", lambda _: f"value{number}x{next(counter)}", template)


def _make(name: str, routes: list[tuple[str, str, str]]) -> RouteSet:
    hits = [(method, _fill(template, i)) for i, (method, template, _) in enumerate(routes)]
    misses = [(method, f"{path}/no/such/path") for method, path in hits]
    literals = [hit for hit, (_, template, _) in zip(hits, routes, strict=True) if "{" not in template]
    return RouteSet(name, routes, hits, misses, literals)


def github() -> RouteSet | None:
    """All operations of the GitHub API, None when the description is not there."""
    if not GITHUB.exists():
        return None
    paths = json.loads(GITHUB.read_bytes())["paths"]
    routes = [
        (method.upper(), template, f"{method} {template}")
        for template, item in paths.items()
        for method in METHODS
        if method in item
    ]
    return _make(f"GitHub, {len(routes)} operations", routes)


def rest(count: int) -> RouteSet:
    """`count` operations of a made-up REST API: five for each resource."""
    routes = []
    for i in range((count + 4) // 5):
        base = f"/api/v1/resource{i}"
        routes += [
            ("GET", base, f"list {i}"),
            ("POST", base, f"create {i}"),
            ("GET", f"{base}/{{id}}", f"get {i}"),
            ("DELETE", f"{base}/{{id}}", f"delete {i}"),
            ("GET", f"{base}/{{id}}/items/{{item}}", f"item {i}"),
        ]
    return _make(f"REST, {count} operations", routes[:count])
