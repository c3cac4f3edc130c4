"""The routers that are compared, each behind the same two functions.

An engine is built from routes and can then `run` a list of requests and `ask` for one answer.  `run` is the loop that
is timed: it holds the engine's own call and whatever its user has to write to get the value of the route and a dict of
captures, and no call of ours, so that nobody pays for this file.  A miss may cost an exception where that is the
engine's way of saying it.
"""

# The `try` in a timed loop is the cheapest way to take the exception of a miss.
# ruff: noqa: PERF203, SIM105

from __future__ import annotations

import functools
import importlib.metadata
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Route = tuple[str, str, Any]  # method, OpenAPI template, value
Request = tuple[str, str]  # method, path
Answer = tuple[Any, dict[str, str]] | None
EXPRESSION = re.compile(r"\{([^}]*)\}")


@dataclass
class Built:
    """A router that is ready, and the routes that it refused."""

    run: Callable[[list[Request]], None]
    ask: Callable[[str, str], Answer]
    refused: set[tuple[str, str]] = field(default_factory=set)


@functools.cache  # so that a second build does not pay for it
def rewritten(template: str, form: str) -> str:
    """The template with every expression in another form, `form` having one `{}` for the name made an identifier."""
    return EXPRESSION.sub(lambda found: form.format(re.sub(r"\W", "_", found[1])), template)


def identifiers(template: str) -> dict[str, str]:
    """The names of the template by the identifiers that `rewritten` makes of them."""
    return {re.sub(r"\W", "_", name): name for name in EXPRESSION.findall(template)}


def brrtrouter(routes: list[Route]) -> Built:
    from brrtrouter import Matcher

    match = Matcher(routes).match

    def run(requests: list[Request]) -> None:
        for method, path in requests:
            match(method, path)

    return Built(run, match)


def pymatchit(routes: list[Route]) -> Built:
    from pymatchit import PyRouter  # type: ignore[attr-defined]  # its stubs do not name it

    routers: dict[str, Any] = {}
    refused = set()
    for method, template, value in routes:
        try:
            routers.setdefault(method, PyRouter()).insert(template, value)
        except ValueError:
            refused.add((method, template))

    def run(requests: list[Request]) -> None:
        for method, path in requests:
            try:
                routers[method].at(path)
            except LookupError:
                pass

    def ask(method: str, path: str) -> Answer:
        try:
            found: Answer = routers[method].at(path)
        except LookupError:
            return None
        return found

    return Built(run, ask, refused)


def routrie(routes: list[Route]) -> Built:
    from routrie import Router

    tables: dict[str, dict[str, Any]] = {}
    refused = set()
    for method, template, value in routes:
        table = tables.setdefault(method, {})
        path = rewritten(template, ":{}")
        if ":" in EXPRESSION.sub("", template) or path in table:
            refused.add((method, template))  # it has no way to write a literal colon
        else:
            table[path] = value
    routers = {method: Router(table) for method, table in tables.items()}

    def run(requests: list[Request]) -> None:
        for method, path in requests:
            found = routers[method].find(path)
            if found is not None:
                dict(found[1])

    def ask(method: str, path: str) -> Answer:
        found = routers[method].find(path)
        return None if found is None else (found[0], dict(found[1]))

    return Built(run, ask, refused)


def autoroutes(routes: list[Route]) -> Built:
    from autoroutes import InvalidRoute, Routes  # type: ignore[import-not-found]  # it has no stubs

    router = Routes()
    refused = set()
    for method, template, value in routes:
        try:
            router.add(rewritten(template, "{{{}}}"), **{method: value})
        except InvalidRoute:
            refused.add((method, template))
    match = router.match

    def run(requests: list[Request]) -> None:
        for method, path in requests:
            values, _captures = match(path)
            if values is not None:
                values.get(method)

    def ask(method: str, path: str) -> Answer:
        values, captures = match(path)
        return None if values is None or method not in values else (values[method], captures)

    return Built(run, ask, refused)


def falcon(routes: list[Route]) -> Built:
    from falcon.routing import CompiledRouter

    class Router(CompiledRouter):
        """Values in the place of responders."""

        def map_http_methods(self, resource: Any, **kwargs: Any) -> Any:
            return resource

    router = Router()
    tables: dict[str, dict[str, Any]] = {}
    refused = set()
    for method, template, value in routes:
        tables.setdefault(rewritten(template, "{{{}}}"), {})[method] = value
    for template, table in tables.items():
        try:
            router.add_route(template, table)
        except ValueError:
            refused |= {
                (method, original) for method, original, _ in routes if rewritten(original, "{{{}}}") == template
            }
    router.find("/")  # compiles
    find: Any = router.find

    def run(requests: list[Request]) -> None:
        for method, path in requests:
            found = find(path)
            if found is not None:
                found[0].get(method)

    def ask(method: str, path: str) -> Answer:
        found = find(path)
        return None if found is None or method not in found[0] else (found[0][method], found[2])

    return Built(run, ask, refused)


def sanic_routing(routes: list[Route]) -> Built:
    from sanic_routing import BaseRouter
    from sanic_routing.exceptions import BaseException as RoutingError
    from sanic_routing.exceptions import NoMethod, NotFound

    class Router(BaseRouter):
        """The one method that its users have to write."""

        def get(self, **kwargs: Any) -> Any:
            return self.resolve(**kwargs)

    router = Router()
    refused = set()
    for method, template, value in routes:
        try:
            router.add(rewritten(template, "<{}>"), lambda value=value: value, methods=[method])
        except RoutingError:
            refused.add((method, template))
    router.finalize()
    resolve = router.resolve

    def run(requests: list[Request]) -> None:
        for method, path in requests:
            try:
                resolve(path, method=method)
            except (NotFound, NoMethod):
                pass

    def ask(method: str, path: str) -> Answer:
        try:
            _, handler, captures = resolve(path, method=method)
        except (NotFound, NoMethod):
            return None
        return handler(), captures

    return Built(run, ask, refused)


def werkzeug(routes: list[Route]) -> Built:
    from werkzeug.exceptions import HTTPException
    from werkzeug.routing import Map, Rule

    rules = []
    refused = set()
    for method, template, value in routes:
        try:
            rules.append(Rule(rewritten(template, "<{}>"), endpoint=value, methods=[method]))
        except (ValueError, LookupError):
            refused.add((method, template))
    # What the other routers do not do either is off: it costs at every hit, or a second search at every miss.
    table = Map(rules, merge_slashes=False, redirect_defaults=False)
    table.update()
    match: Any = table.bind("localhost").match

    def run(requests: list[Request]) -> None:
        for method, path in requests:
            try:
                match(path, method)
            except HTTPException:
                pass

    def ask(method: str, path: str) -> Answer:
        try:
            found: Answer = match(path, method)
        except HTTPException:
            return None
        return found

    return Built(run, ask, refused)


def starlette(routes: list[Route]) -> Built:
    from starlette.routing import Match
    from starlette.routing import Route as Rule

    rules = []
    refused = set()
    for method, template, value in routes:
        try:
            rules.append(Rule(rewritten(template, "{{{}}}"), lambda request, value=value: value, methods=[method]))
        except (AssertionError, ValueError):
            refused.add((method, template))
    full = Match.FULL

    def run(requests: list[Request]) -> None:
        for method, path in requests:
            scope = {"type": "http", "method": method, "path": path}
            for rule in rules:
                if rule.matches(scope)[0] is full:
                    break

    def ask(method: str, path: str) -> Answer:
        scope = {"type": "http", "method": method, "path": path}
        for rule in rules:
            match, found = rule.matches(scope)
            if match is full:
                return found["endpoint"](None), found["path_params"]
        return None

    return Built(run, ask, refused)


# Name in the tables, the distribution that it needs, how it is built.
ENGINES: list[tuple[str, str, Callable[[list[Route]], Built]]] = [
    ("brrtrouter", "brrtrouter", brrtrouter),
    ("pymatchit", "pymatchit", pymatchit),
    ("routrie", "routrie", routrie),
    ("autoroutes", "autoroutes", autoroutes),
    ("falcon", "falcon", falcon),
    ("sanic-routing", "sanic-routing", sanic_routing),
    ("werkzeug", "werkzeug", werkzeug),
    ("starlette", "starlette", starlette),
]


def version(distribution: str) -> str | None:
    """The installed version, None when it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
