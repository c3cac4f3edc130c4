"""Werkzeug and Flask: `accelerate(app)`, `accelerate(url_map)`, or `Map` in the place of `werkzeug.routing.Map`.

The map, its adapters and its rules stay werkzeug's; only the state machine that looks for a path gets an index.  What
the index does not prove goes to the state machine: slashes that are merged, hosts with variables, rules over many
segments.  A rule object that is given a method in place is asked for it, unless another rule of the path has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import werkzeug.routing
from werkzeug.routing.converters import BaseConverter, ValidationError
from werkzeug.routing.exceptions import NoMatch, RequestAliasRedirect, RequestPath
from werkzeug.routing.matcher import State, StateMachineMatcher

from brrtrouter.adapters import _shapes
from brrtrouter.adapters._shapes import Candidate, Index, Shape, build_index, literal_prefix, numbers
from brrtrouter.errors import PathError

__all__ = ["Map", "accelerate"]

Target = TypeVar("Target")
Result = tuple[werkzeug.routing.Rule, MutableMapping[str, Any]]

GROUP = "__werkzeug_"
# The regular expressions of the string converter without a length and of the base of all converters: any segment.
ANY_SEGMENT = frozenset({r"(?P<__werkzeug_0>[^/]{1,})\Z", r"(?P<__werkzeug_0>[^/]+)\Z"})


def accelerate(target: Target) -> Target:
    """Give a `werkzeug.routing.Map`, or the `url_map` of an application, a compiled index; returns what it was given.

    Raises TypeError when the map does not use werkzeug's own state machine.
    """
    url_map: werkzeug.routing.Map = getattr(target, "url_map", cast(werkzeug.routing.Map, target))
    plain = url_map._matcher
    if type(plain) is StateMachineMatcher:
        compiled = _Matcher(plain.merge_slashes)
        compiled._root = plain._root
        url_map._matcher = compiled
        url_map._remap = True
    elif type(plain) is not _Matcher:
        raise TypeError(f"the map uses {type(plain).__name__}, not werkzeug's state machine")
    return target


class Map(werkzeug.routing.Map):
    """A `werkzeug.routing.Map` that was accelerated; for Flask, the `url_map_class` of the application class."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accelerate(self)


class _Pattern(NamedTuple):
    """A segment that is variable: its number, its regular expression unless that takes any text, and the groups."""

    segment: int
    expression: re.Pattern[str] | None
    groups: tuple[str, ...] = ()


class _Ending(NamedTuple):
    """A rule at the end of a way through the state machine.

    rule: None where the state machine has to be asked.
    short: the path lacks the slash of the rule.
    """

    rule: werkzeug.routing.Rule | None
    patterns: tuple[_Pattern, ...]
    short: bool = False


class _Slot(NamedTuple):
    """What a shape leads to.

    by_method: rules that are the answer to all paths of the shape; `other`: the one for all other methods.
    candidates: for requests that have none of these; None when there are too many.
    """

    by_method: dict[str, werkzeug.routing.Rule | None]
    other: werkzeug.routing.Rule | None
    candidates: tuple[Candidate[_Ending], ...] | None


class _Matcher(StateMachineMatcher):
    def __init__(self, merge_slashes: bool) -> None:
        super().__init__(merge_slashes)
        self._indexes: dict[str, Index] = {}

    def update(self) -> None:
        super().update()
        self._indexes = dict(_indexes(self._root))

    def match(self, domain: str, path: str, method: str, websocket: bool) -> Result:
        index = self._indexes.get(domain)
        if index is None:
            return super().match(domain, path, method, websocket)
        try:
            found = index.match("GET", path if "%" not in path else path.replace("%", "%25"))
        except PathError:
            return super().match(domain, path, method, websocket)
        if found is not None and not websocket:
            rule = found[0].by_method.get(method, found[0].other)
            if rule is not None and (rule.methods is None or method in rule.methods):
                return _finish(rule, found[1])
        # Where slashes are merged, and for other hosts that fit, other rules than those found may have the answer.
        alone = path[:1] == "/" and "//" not in path and not self._root.dynamic
        candidates = index.open if found is None else found[0].candidates
        answer = None if candidates is None else _walk(candidates, path, method, websocket, alone)
        return super().match(domain, path, method, websocket) if answer is None else answer


def _finish(rule: werkzeug.routing.Rule, values: dict[str, Any]) -> Result:
    if rule.defaults:
        values.update(rule.defaults)
    if rule.alias and rule.map.redirect_defaults:
        raise RequestAliasRedirect(values, rule.endpoint)
    return rule, values


def _walk(
    candidates: Iterable[Candidate[_Ending]], path: str, method: str, websocket: bool, alone: bool
) -> Result | None:
    """What the state machine answers, None when only it knows; nothing matches besides these candidates if `alone`.

    Raises NoMatch, RequestPath and RequestAliasRedirect.
    """
    segments = path[1:].split("/")
    allowed: set[str] = set()
    mismatch = False
    for candidate in candidates:
        if candidate.excluded(path, segments):
            continue
        rule, patterns, short = candidate.value
        if rule is None:
            return None
        texts = _texts(patterns, segments)
        if texts is None:
            continue
        refused = rule.methods is not None and method not in rule.methods
        if refused or rule.websocket != websocket:
            # Of a rule that the path would still have to be redirected to, werkzeug tells nothing.
            allowed.update(rule.methods or () if refused and not short else ())
            mismatch |= not refused and not short
            continue
        if short and rule.strict_slashes:
            raise RequestPath(f"{path}/")
        return _finish(rule, _converted(rule, texts, allowed, mismatch))
    if alone:
        raise NoMatch(allowed, mismatch)
    return None


def _converted(rule: werkzeug.routing.Rule, texts: list[str], allowed: set[str], mismatch: bool) -> dict[str, Any]:
    # A name that a rule uses twice has one converter, and then there are more texts than converters.
    pairs = zip(rule._converters.items(), texts, strict=False)
    try:
        return {name: converter.to_python(text) for (name, converter), text in pairs}
    except ValidationError as error:
        raise NoMatch(allowed, mismatch) from error


def _texts(patterns: Iterable[_Pattern], segments: Sequence[str]) -> list[str] | None:
    texts = []
    for number, expression, groups in patterns:
        if expression is None:
            texts.append(segments[number])
            continue
        match = expression.match(segments[number])
        if match is None:
            return None
        texts += map(match.__getitem__, groups)
    return texts


def _indexes(root: State) -> Iterator[tuple[str, Index]]:
    """For each host or subdomain without variables, the index of its rules."""
    for domain, state in root.static.items():
        if state.dynamic or set(state.static) != {""}:
            continue
        index = build_index(_rules(state.static[""], (), ()), _slot)
        if index is not None:
            yield domain, index


def _rules(state: State, shape: Shape, patterns: tuple[_Pattern, ...]) -> Iterator[_shapes.Rule[_Ending]]:
    """The endings below a state, in the order in which the state machine comes upon them."""
    if shape:
        yield from (_shapes.Rule(_Ending(rule, patterns), shape) for rule in state.rules)
        if "" in state.static:
            for rule in state.static[""].rules:
                yield _shapes.Rule(_Ending(rule, patterns, True), shape)
    for text, inner in state.static.items():
        yield from _rules(inner, (*shape, text), patterns)
    for part, inner in state.dynamic:
        pattern = None if part.final else _pattern(len(shape), part.content)
        if pattern is None:
            yield _shapes.Rule(_Ending(None, ()), None, literal_prefix((*shape, None)))
        else:
            yield from _rules(inner, (*shape, None), (*patterns, pattern))
    for rule in state.rules:
        if not rule.strict_slashes:
            yield _shapes.Rule(_Ending(rule, patterns), (*shape, ""))


def _pattern(segment: int, content: str) -> _Pattern | None:
    """None when an empty segment matches, or the expression is malformed, which werkzeug finds later."""
    if content in ANY_SEGMENT:
        return _Pattern(segment, None)
    try:
        expression = re.compile(content)
    except re.error:
        return None
    groups = sorted(
        (name for name in expression.groupindex if name.startswith(GROUP)), key=lambda name: int(name[len(GROUP) :])
    )
    return None if expression.match("") else _Pattern(segment, expression, tuple(groups))


def _slot(shape: Shape, candidates: list[Candidate[_Ending]] | None) -> tuple[Iterable[str], Any]:
    """Rules by method that are the answer at once, the one for all other methods, and the candidates for the rest."""
    if candidates is None:
        return numbers(shape), _Slot({}, None, None)
    served = [entry for entry in candidates if entry.value.rule is None or not entry.value.rule.websocket]
    methods = {method for entry in served for method in (entry.value.rule and entry.value.rule.methods) or ()}
    first = {
        method: next((entry for entry in served if _serves(entry.value.rule, method)), None)
        for method in sorted(methods)
    }
    last = next((entry for entry in served if _serves(entry.value.rule, None)), None)
    # All of them have to call the captures alike; the names of the first are taken.
    names = next((names for names in map(_names, (*first.values(), last)) if names is not None), numbers(shape))

    def settled(entry: Candidate[_Ending] | None) -> werkzeug.routing.Rule | None:
        return entry.value.rule if entry is not None and _names(entry) == names else None

    by_method = {method: settled(entry) for method, entry in first.items()}
    return names, _Slot(by_method, settled(last), tuple(candidates))


def _serves(rule: werkzeug.routing.Rule | None, method: str | None) -> bool:
    return rule is None or rule.methods is None or method in rule.methods


def _names(entry: Candidate[_Ending] | None) -> list[str] | None:
    """The names of the captures when this candidate takes every path as it is, else None."""
    if entry is None or not entry.exact:
        return None
    rule, patterns, short = entry.value
    if rule is None or short:
        return None
    as_it_is = all(type(converter).to_python is BaseConverter.to_python for converter in rule._converters.values())
    if not as_it_is or any(pattern.expression is not None for pattern in patterns):
        return None
    return list(rule._converters) if len(rule._converters) == len(patterns) else None
