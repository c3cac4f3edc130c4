"""Django: call `accelerate()` in the module of the ROOT_URLCONF; `restore()` undoes it.

`URLResolver.resolve` then asks an index which patterns can match a path at all, and lets these decide in Django's
order; the other patterns are not tried.  Reverse URLs, checks and caches stay as they are.  Which patterns Django would
have tried, as a `ResolverMatch` and a `Resolver404` tell, is found out when somebody reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]
from django.urls import Resolver404, ResolverMatch, URLPattern, URLResolver, converters  # type: ignore[import-untyped]
from django.urls.resolvers import LocalePrefixPattern, RegexPattern, RoutePattern  # type: ignore[import-untyped]
from django.utils.functional import SimpleLazyObject  # type: ignore[import-untyped]

from brrtrouter.adapters._patterns import NOTHING_KNOWN, Reading, Token, Variable, prefix, read, segments, shape
from brrtrouter.adapters._shapes import Candidate, Index, Rule, Shape, build_index, numbers
from brrtrouter.errors import PathError

__all__ = ["accelerate", "restore"]

_plain = URLResolver.resolve
_leaf = URLPattern.resolve
_ATTRIBUTE = "_brrtrouter"
# Converters of Django have no effects and refuse a text with a ValueError only.
KNOWN = frozenset(
    {
        converters.IntConverter,
        converters.PathConverter,
        converters.SlugConverter,
        converters.StringConverter,
        converters.UUIDConverter,
    }
)
# Prefixes of resolvers whose patterns are compiled; when they match is asked each time.
PREFIXES = frozenset({RegexPattern, RoutePattern, LocalePrefixPattern})


def accelerate() -> None:
    """Let every `URLResolver` of this process find through an index."""
    URLResolver.resolve = _resolve


def restore() -> None:
    """Undo `accelerate`, unless somebody else has replaced the method since."""
    if URLResolver.resolve is _resolve:
        URLResolver.resolve = _plain


def _resolve(self: Any, path: Any) -> Any:
    """As `URLResolver.resolve`.  Raises Resolver404."""
    compiled = self.__dict__.get(_ATTRIBUTE)
    if compiled is None or not compiled.current():
        compiled = _compile(self)
    found = compiled.find(self, path) if type(path) is str else None
    return _plain(self, path) if found is None else found


class _Tried(SimpleLazyObject):  # type: ignore[misc]
    """A list that looks like one in the message of a Resolver404, too."""

    def __repr__(self) -> str:
        return repr(list(self))


def _tried(resolver: Any, path: str) -> Any:
    """The patterns that Django tries until it has the answer: for debug pages, found out when one asks."""
    return _Tried(partial(_try_all, resolver, path))


def _try_all(resolver: Any, path: str) -> Any:
    try:
        return _plain(resolver, path).tried
    except Resolver404 as error:
        return error.args[0]["tried"]


@dataclass
class _Way:
    """A pattern, or a resolver with a prefix that is not compiled, and the resolvers that lead to it.

    captures: None, or for each segment that is a variable its name, regular expression (None takes any text) and
        converter; then the path matches exactly when these do.
    own: how many of these captures belong to the pattern itself.
    settled: the captures take any text as it is.
    lent: where the resolvers keep the converters of their captures; Django may replace these when it reverses.
    """

    resolvers: tuple[Any, ...]
    end: Any
    captures: tuple[tuple[str, re.Pattern[str] | None, Any], ...] | None = None
    own: int = 0
    settled: bool = False
    lent: tuple[tuple[dict[str, Any], str, Any], ...] = ()
    prototype: dict[str, Any] = field(default_factory=dict)

    def follow(
        self, owner: Any, path: str, rest: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> ResolverMatch | None:
        """What Django's own patterns make of `rest`, which `owner` has left of `path` after it took args and kwargs."""
        levels = [(owner, args, kwargs)]
        for resolver in self.resolvers:
            match = resolver.pattern.match(rest)
            if match is None:
                return None
            rest = match[0]
            levels.append((resolver, match[1], match[2]))
        try:
            inner = self.end.resolve(rest)
        except Resolver404:
            return None
        return _merged(levels, self.end, inner, _tried(owner, path)) if inner else None

    def take(self, owner: Any, path: str, texts: dict[str, str]) -> ResolverMatch | None:
        """The answer for the texts of the captures, None when a converter refuses one."""
        if any(converters_now[name] is not converter for converters_now, name, converter in self.lent):
            return None
        values: dict[str, Any] = texts
        if not self.settled:
            values = {}
            for (name, pattern, converter), text in zip(self.captures or (), texts.values(), strict=True):
                if pattern is not None and pattern.fullmatch(text) is None:
                    return None
                try:
                    values[name] = converter.to_python(text)
                except ValueError:
                    return None
        if self.prototype.get("func") is not self.end.callback:
            own_pattern = self.end.pattern
            bare = ResolverMatch(self.end.callback, (), {}, own_pattern.name, route=str(own_pattern), extra_kwargs={})
            levels: list[tuple[Any, Any, dict[str, Any]]] = [(one, (), {}) for one in (owner, *self.resolvers)]
            self.prototype = _merged(levels, self.end, bare, None).__dict__
        match = ResolverMatch.__new__(ResolverMatch)
        own = list(values)[len(values) - self.own :]
        match.__dict__.update(
            self.prototype,
            kwargs={**values, **self.end.default_args},
            captured_kwargs=values if len(own) == len(values) else {name: values[name] for name in own},
            extra_kwargs=dict(self.end.default_args),
            app_names=self.prototype["app_names"].copy(),
            namespaces=self.prototype["namespaces"].copy(),
            tried=_tried(owner, path),
        )
        return match


def _merged(levels: list[tuple[Any, Any, dict[str, Any]]], end: Any, inner: Any, tried: Any) -> ResolverMatch:
    """The match that Django's nested resolvers, outermost first, make of the match of `end`."""
    args, kwargs, route, extra = inner.args, inner.kwargs, inner.route, inner.extra_kwargs
    app_names, namespaces = inner.app_names, inner.namespaces
    child = end
    for resolver, outer_args, outer_kwargs in reversed(levels):
        kwargs = {**outer_kwargs, **resolver.default_kwargs, **kwargs}
        args = args if kwargs else outer_args + args
        extra = {**resolver.default_kwargs, **extra}
        app_names, namespaces = [resolver.app_name, *app_names], [resolver.namespace, *namespaces]
        start = "" if isinstance(child, URLPattern) else str(child.pattern)
        route = start + route.removeprefix("^") if start else route
        child = resolver
    return ResolverMatch(
        inner.func, args, kwargs, inner.url_name, app_names, namespaces, route, tried, inner.captured_kwargs, extra
    )


@dataclass
class _Compiled:
    """The index of a resolver; index is None when Django has to answer alone.

    lists: the pattern lists that went into the index, and how long they were.
    root: the resolver takes a slash and nothing else.
    """

    index: Index | None
    lists: tuple[Any, ...] = ()
    lengths: list[int] = field(default_factory=list)
    root: bool = False

    def current(self) -> bool:
        return list(map(len, self.lists)) == self.lengths

    def find(self, owner: Any, path: str) -> ResolverMatch | None:
        """The answer, None when Django has to say it.  Raises Resolver404."""
        # Where "$" is allowed to, it also matches before a line feed at the end.
        if self.index is None or "\n" in path or (self.root and path[:1] != "/"):
            return None
        rest, args, kwargs = path, (), {}
        if not self.root:
            match = owner.pattern.match(path)
            if match is None:
                return None
            rest, args, kwargs = match
            rest = "/" + rest
        try:
            found = self.index.match("GET", rest if "%" not in rest else rest.replace("%", "%25"))
        except PathError:
            return None
        way, candidates, texts = (*found[0], found[1]) if found else (None, self.index.open, {})
        if way is not None and not args and not kwargs:
            answer = way.take(owner, path, texts)
            if answer is not None:
                return answer
        return None if candidates is None else _choose(candidates, owner, path, rest, args, kwargs)


def _choose(
    candidates: tuple[Candidate[_Way], ...], owner: Any, path: str, rest: str, args: Any, kwargs: Any
) -> ResolverMatch:
    parts = rest[1:].split("/")
    for candidate in candidates:
        if not candidate.excluded(rest, parts):
            match = candidate.value.follow(owner, path, rest[1:], args, kwargs)
            if match is not None:
                return match
    raise Resolver404({"tried": _tried(owner, path), "path": rest[1:]})


def _compile(resolver: Any) -> _Compiled:
    compiled = _Compiled(None)
    # A subclass may have other patterns for each request.
    if type(resolver) is URLResolver and type(resolver.pattern) in PREFIXES and not resolver.pattern.converters:
        try:
            patterns = resolver.url_patterns
        except Exception:  # Django meets it again, and raises it where it is expected
            return compiled
        root = type(resolver.pattern) is RegexPattern and resolver.pattern._regex == "^/"
        if root:
            _forget(patterns, set())
        if isinstance(patterns, list | tuple):
            lists = [patterns]
            index = build_index(_rules(patterns, (), (), not resolver.default_kwargs, lists), _slot)
            compiled = _Compiled(index, tuple(lists), list(map(len, lists)), root)
    resolver.__dict__[_ATTRIBUTE] = compiled
    return compiled


def _forget(patterns: Iterable[Any], seen: set[int]) -> None:
    """Drop what was compiled below a new root: Django makes one when its caches are cleared."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver) and id(pattern) not in seen:
            seen.add(id(pattern))
            pattern.__dict__.pop(_ATTRIBUTE, None)
            _forget(pattern.__dict__.get("url_patterns", ()), seen)


def _rules(
    patterns: Iterable[Any], resolvers: tuple[Any, ...], before: tuple[Token, ...], simple: bool, lists: list[Any]
) -> Iterator[Rule[_Way]]:
    """The rules of a list of patterns in order; `before` has matched, `simple` that no resolver adds arguments."""
    for pattern in patterns:
        if type(pattern) not in (URLPattern, URLResolver) or type(pattern).resolve not in (_resolve, _plain, _leaf):
            yield Rule(_Way(resolvers, pattern), None, prefix(before))
            continue
        reading = _read(pattern.pattern)
        rows = [(*before, *variant) for variant in reading.variants]
        if type(pattern) is URLPattern and reading.whole and reading.ended:
            way = _way(resolvers, pattern, rows, simple)
            yield from (Rule(way, shape(row)) for row in rows)
        elif type(pattern) is URLResolver and _transparent(pattern, reading, resolvers):
            lists.append(pattern.url_patterns)
            inner = (*resolvers, pattern)
            yield from _rules(pattern.url_patterns, inner, rows[0], simple and not pattern.default_kwargs, lists)
        else:
            yield from (Rule(_Way(resolvers, pattern), None, prefix(row)) for row in rows)


def _read(pattern: Any) -> Reading:
    source = {RoutePattern: "_route", RegexPattern: "_regex"}.get(type(pattern))
    # A translated route is another one in each language.
    if source is None or not isinstance(getattr(pattern, source), str):
        return NOTHING_KNOWN
    try:
        return read(pattern.regex)
    except ImproperlyConfigured:  # raised again when Django comes to this pattern
        return NOTHING_KNOWN


def _transparent(resolver: Any, reading: Reading, outer: tuple[Any, ...]) -> bool:
    """Whether the patterns of a resolver can be listed as if they stood in the outer list."""
    if len(reading.variants) > 1 or not reading.whole or reading.ended:
        return False
    if any(type(converter) not in KNOWN for converter in resolver.pattern.converters.values()):
        return False  # its effects, were it called less often, might be missed
    if isinstance(resolver.urlconf_name, str) and "url_patterns" not in resolver.__dict__:
        return False  # nothing is imported before Django does
    try:
        patterns = resolver.url_patterns
    except ImproperlyConfigured:  # raised again when Django comes to it
        return False
    return isinstance(patterns, list | tuple) and all(patterns is not one.url_patterns for one in outer)


def _way(resolvers: tuple[Any, ...], pattern: Any, rows: list[tuple[Token, ...]], simple: bool) -> _Way:
    chain = [*(resolver.pattern for resolver in resolvers), pattern.pattern]
    way = _Way(resolvers, pattern)
    if not simple or len(rows) > 1 or any(type(one) is not RoutePattern for one in chain):
        return way
    found: list[tuple[str, re.Pattern[str] | None, Any]] = []
    known = {name: converter for one in chain for name, converter in one.converters.items()}
    for segment in segments(rows[0]):
        variables = [token for token in segment if isinstance(token, Variable)]
        if not variables:
            continue
        name = variables[0].name
        if len(segment) > 1 or name is None or type(known[name]) not in KNOWN:
            return way
        anything = type(known[name]) is converters.StringConverter
        found.append((name, None if anything else re.compile(known[name].regex), known[name]))
    # Resolvers may hand a name down to patterns that have it too, with another converter.
    if len({name for name, _, _ in found}) == len(found):
        way.captures = tuple(found)
        way.own = len(pattern.pattern.regex.groupindex)
        way.settled = all(expression is None for _, expression, _ in found)
        way.lent = tuple(
            (one.converters, name, known[name])
            for one in chain[:-1]
            for name, _, _ in found
            if name in one.regex.groupindex
        )
    return way


def _slot(wanted: Shape, candidates: list[Candidate[_Way]] | None) -> tuple[Iterable[str], Any]:
    """The way that the captures are given to at once, or None, and the candidates for all other cases."""
    if candidates is None:
        return numbers(wanted), (None, None)
    for number, candidate in enumerate(candidates):
        way = candidate.value
        if way.settled and not way.lent and candidate.prefix is None and not candidate.literals:
            del candidates[number + 1 :]
            break
    first = candidates[0]
    if first.exact and first.value.captures is not None:
        return [name for name, _, _ in first.value.captures], (first.value, tuple(candidates))
    return numbers(wanted), (None, tuple(candidates))
