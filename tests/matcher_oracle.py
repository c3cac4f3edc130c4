"""A slow and obvious matcher: decides for each route by the definition, and sorts the ones that match by precedence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus, unquote_to_bytes

Segment = tuple[tuple[str, ...], int]  # literals around the captures, and how many captures stand between them
Predicates = frozenset[tuple[str, str | None]]


def strictly(text: str) -> str:
    """Percent-decoded once; ValueError for what RFC 3986 does not allow."""
    raw = text.encode()
    for at, byte in enumerate(raw):
        if byte == ord("%"):
            digits = raw[at + 1 : at + 3]
            if len(digits) != 2 or not all(chr(digit) in "0123456789abcdefABCDEF" for digit in digits):
                raise ValueError(text)
    return unquote_to_bytes(raw).decode()


@dataclass
class Route:
    """One route as the definition reads it."""

    number: int
    method: str
    template: str

    def __post_init__(self) -> None:
        path, _, query = self.template.partition("#")[0].partition("?")
        self.segments = [self._segment(text) for text in path[1:].split("/")]
        self.names = [piece.partition("}")[0] for piece in path.split("{")[1:]]
        pairs = [pair.partition("=") for pair in query.split("&") if pair]
        self.pairs = [(unquote_plus(name), unquote_plus(value) if equals else None) for name, equals, value in pairs]

    @staticmethod
    def _segment(text: str) -> Segment:
        literals = [piece.partition("}")[2] if at else piece for at, piece in enumerate(text.split("{"))]
        return tuple(strictly(literal) for literal in literals), len(literals) - 1

    @property
    def asks(self) -> Predicates:
        """What the query must hold: a name with any value is implied by the same name with one value."""
        named = {name for name, value in self.pairs if value is not None}
        return frozenset((name, value) for name, value in self.pairs if value is not None or name not in named)

    def same_requests(self, other: Route) -> bool:
        return self.segments == other.segments and self.asks == other.asks

    def accepts(self, query: str) -> bool:
        have = [
            (unquote_plus(pair.partition("=")[0]), unquote_plus(pair.partition("=")[2])) for pair in query.split("&")
        ]
        return all(any(n == name and value in (None, v) for n, v in have) for name, value in self.pairs)


def cuts(literals: tuple[str, ...], text: str) -> list[tuple[str, ...]]:
    """Every way to read the text as literal, capture, literal, ..., literal with no empty capture."""
    first, *rest = literals
    if not text.startswith(first):
        return []
    text = text[len(first) :]
    if not rest:
        return [()] if text == "" else []
    return [
        (text[:length], *others) for length in range(1, len(text) + 1) for others in cuts(tuple(rest), text[length:])
    ]


def captures_of(route: Route, texts: list[str]) -> list[str] | None:
    """The captures when the template matches these segments: of all readings the one with literals leftmost."""
    if len(route.segments) != len(texts):
        return None
    found: list[str] = []
    for (literals, _), text in zip(route.segments, texts, strict=True):
        ways = cuts(literals, text)
        if not ways:
            return None
        found += min(ways, key=lambda way: [len(piece) for piece in way])
    return found


class Oracle:
    """Routes in a list, with the interface of Matcher.  `match` and `allowed` raise ValueError for a malformed path."""

    def __init__(self, *, auto_head: bool = False, auto_options: bool = False, trailing_slash: str = "strict") -> None:
        self.routes: list[Route] = []
        self.auto_head, self.auto_options, self.ignore = auto_head, auto_options, trailing_slash == "ignore"

    def add(self, method: str, template: str) -> bool:
        """Whether the route is taken; a collision is not."""
        route = Route(len(self.routes), method, template)
        if any(route.method == known.method and route.same_requests(known) for known in self.routes):
            return False
        self.routes.append(route)
        return True

    def methods(self, route: Route) -> set[str]:
        if self.auto_head and route.method == "GET":
            own = any(known.method == "HEAD" and route.same_requests(known) for known in self.routes)
            return {"GET"} if own else {"GET", "HEAD"}
        return {route.method}

    def precedence(self, route: Route) -> Any:
        """Segment by segment: literal, mixed (more literal characters, then the order of addition), bare."""
        ranks: list[Any] = []
        for depth, (literals, count) in enumerate(route.segments):
            characters = sum(map(len, literals))
            if count == 0:
                ranks.append((0,))
            elif count == 1 and characters == 0:
                ranks.append((2,))
            else:
                prefix = route.segments[: depth + 1]
                first = next(known.number for known in self.routes if known.segments[: depth + 1] == prefix)
                ranks.append((1, -characters, first))
        return ranks, -len(route.pairs), route.number

    def matching(self, path: str, query: str) -> list[tuple[Route, list[str]]]:
        texts = [strictly(text) for text in path[1:].split("/")]
        found = [(route, captures_of(route, texts)) for route in self.routes if route.accepts(query)]
        return [(route, captures) for route, captures in found if captures is not None]

    def spellings(self, path: str) -> list[str]:
        if not self.ignore or path == "/":
            return [path]
        return [path, path[:-1] if path.endswith("/") else path + "/"]

    def match(self, method: str, path: str, query: str) -> tuple[int, dict[str, str]] | None:
        for spelling in self.spellings(path):
            able = [pair for pair in self.matching(spelling, query) if method in self.methods(pair[0])]
            if able:
                route, captures = min(able, key=lambda pair: self.precedence(pair[0]))
                return route.number, dict(zip(route.names, captures, strict=True))
        return None

    def allowed(self, path: str, query: str) -> frozenset[str]:
        routes = [route for spelling in self.spellings(path) for route, _ in self.matching(spelling, query)]
        methods = set().union(*(self.methods(route) for route in routes))
        return frozenset(methods | {"OPTIONS"} if methods and self.auto_options else methods)
