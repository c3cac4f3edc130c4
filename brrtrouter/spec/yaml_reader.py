"""YAML text to plain Python values, by libyaml's events and a stack of our own.

Why not `yaml.load`: its constructor recurses in C (deep nesting ends the process), reads YAML 1.1 (`NO` is
False, `12:30:45` is 45045), keeps the last of two equal keys, and expands merge keys without bound.

Scalars follow the core schema of YAML 1.2.2 section 10.3.2, with one exception: a decimal number with leading
zeros (`010`) stays text, because YAML 1.1 and 1.2 disagree about its value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import yaml

from brrtrouter.errors import Issue
from brrtrouter.spec.limits import Limits, UnreadableError, over

_CONSTANTS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_NUMBER_START: Final = frozenset("0123456789+-.")
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED: Final = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

_TAG: Final = "tag:yaml.org,2002:"
# Which Python type a scalar with this tag has to have after it was read as a plain one.
_TAGGED: Final[dict[str, tuple[type, ...]]] = {
    _TAG + "null": (type(None),),
    _TAG + "bool": (bool,),
    _TAG + "int": (int,),
    _TAG + "float": (float, int),
}
_TEXT_TAGS: Final = frozenset({"!", _TAG + "str"})
_COLLECTION_TAGS: Final = {
    yaml.MappingStartEvent: frozenset({None, "!", _TAG + "map"}),
    yaml.SequenceStartEvent: frozenset({None, "!", _TAG + "seq"}),
}
_OPEN: Final = object()
_NO_KEY: Final = object()
_MERGE: Final = object()


def _pointer_part(key: object) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


class _Frame:
    """One collection that is still being read; `key` is the mapping key whose value comes next."""

    __slots__ = ("anchor", "key", "merges", "start", "value")

    def __init__(self, value: Any, anchor: str | None, start: int) -> None:
        self.value = value
        self.anchor = anchor
        self.start = start
        self.key: object = _NO_KEY
        self.merges: list[Any] | None = None


_TOO_DEEP: Final = "exceeded maximum nesting depth"  # of libyaml from 0.2.6 on


class _Builder:
    """Turns the events of one document into values; `issues` holds what can be told without stopping."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.issues: list[Issue] = []
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.nodes = 0
        self.aliases = 0
        self.merges = 0
        self.root: Any = None

    def fail(self, event: Any, message: str) -> NoReturn:
        mark = event.start_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}"
        raise UnreadableError(Issue("InvalidYaml", self.pointer(), f"{where}: {message}"))

    def over(self, event: Any, name: str) -> UnreadableError:
        return over(name, getattr(self.limits, name), f"line {event.start_mark.line + 1}: ")

    def pointer(self) -> str:
        parts = []
        for frame in self.stack:
            if isinstance(frame.value, list):
                parts.append(str(len(frame.value)))
            elif isinstance(frame.key, str):
                parts.append(_pointer_part(frame.key))
        return "".join("/" + part for part in parts)

    def scalar(self, event: Any) -> Any:
        text: str = event.value
        tag = event.tag
        if tag is None:
            if event.style:
                return text
        elif tag in _TEXT_TAGS:
            return text
        elif tag not in _TAGGED:
            self.fail(event, f"the tag {tag!r} has no meaning in an OpenAPI document")
        value = plain_scalar(text, self.limits.number_length)
        if value is _OPEN:
            raise self.over(event, "number_length")
        if tag is not None and not isinstance(value, _TAGGED[tag]):
            self.fail(event, f"{text[:80]!r} does not fit its tag {tag!r}")
        return value

    def add(self, event: Any, value: Any) -> None:
        """Put a finished value where it belongs: into a list, or as a key, or as the value of a key."""
        self.nodes += 1
        if self.nodes > self.limits.nodes:
            raise self.over(event, "nodes")
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif frame.key is _NO_KEY:
            frame.key = self.key(event, frame, value)
        elif frame.key is _MERGE:
            self.merge(event, frame, value)
            frame.key = _NO_KEY
        else:
            frame.value[frame.key] = value
            frame.key = _NO_KEY

    def key(self, event: Any, frame: _Frame, value: Any) -> object:
        if type(value) is not str:
            return self.checked(event, frame, self.key_text(event, value))
        if value == "<<" and not getattr(event, "style", "alias"):
            return _MERGE
        return self.checked(event, frame, value)

    def checked(self, event: Any, frame: _Frame, key: str) -> str:
        if key in frame.value:
            line = event.start_mark.line + 1
            at = f"{self.pointer()}/{_pointer_part(key)}"
            self.issues.append(Issue("DuplicateKey", at, f"line {line}: the key {key[:80]!r} is given twice"))
        return key

    def key_text(self, event: Any, value: Any) -> str:
        """The key as JSON would write it: `200:` is "200", `true:` is "true"."""
        if value is None:
            return "null"
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, (int, float)):
            self.fail(event, "a mapping or a list cannot be the key of a mapping")
        return str(value)

    def merge(self, event: Any, frame: _Frame, value: Any) -> None:
        sources = value if isinstance(value, list) else [value]
        self.merges += len(sources)
        if self.merges > self.limits.merges:
            raise self.over(event, "merges")
        for source in sources:
            if not isinstance(source, dict):
                self.fail(event, "a merge key (<<) needs a mapping or a list of mappings")
        frame.merges = [*(frame.merges or ()), *sources]

    def open(self, event: Any, value: Any) -> None:
        if event.tag not in _COLLECTION_TAGS[type(event)]:
            self.fail(event, f"the tag {event.tag!r} has no meaning in an OpenAPI document")
        if len(self.stack) >= self.limits.depth:
            raise self.over(event, "depth")
        if event.anchor:
            self.anchors[event.anchor] = (_OPEN, 0)
        self.stack.append(_Frame(value, event.anchor, self.nodes))

    def close(self, event: Any) -> None:
        frame = self.stack.pop()
        if frame.merges is not None:
            for source in frame.merges:
                # Keys of the mapping itself win, then the first source that has the key.
                for key, value in source.items():
                    frame.value.setdefault(key, value)
        if frame.anchor:
            self.anchors[frame.anchor] = (frame.value, self.nodes - frame.start)
        self.add(event, frame.value)

    def alias(self, event: Any) -> None:
        self.aliases += 1
        if self.aliases > self.limits.aliases:
            raise self.over(event, "aliases")
        value, size = self.anchors.get(event.anchor, (None, -1))
        if size < 0:
            self.fail(event, f"the alias *{event.anchor} has no anchor")
        if value is _OPEN:
            self.fail(event, f"the alias *{event.anchor} stands inside its own anchor")
        self.nodes += size
        self.add(event, value)

    def run(self, events: Iterator[Any]) -> None:
        documents = 0
        for event in events:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                value = self.scalar(event)
                if event.anchor:
                    self.anchors[event.anchor] = (value, 0)
                self.add(event, value)
            elif kind is yaml.MappingStartEvent:
                self.open(event, {})
            elif kind is yaml.SequenceStartEvent:
                self.open(event, [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self.close(event)
            elif kind is yaml.AliasEvent:
                self.alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    self.fail(event, "a second YAML document starts here; a file holds one")


def plain_scalar(text: str, number_length: int = 1_000) -> Any:
    """Read an unquoted scalar by the core schema (YAML 1.2.2 section 10.3.2); text when nothing else fits."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= number_length else _OPEN
    if _BASED.fullmatch(text):
        return int(text[2:], 8 if text[1] == "o" else 16) if len(text) <= number_length else _OPEN
    return float(text) if _FLOAT.fullmatch(text) else text


def read_yaml(raw: bytes, limits: Limits) -> tuple[Any, list[Issue]]:
    """Read one YAML document and the issues found in it; raise `UnreadableError` when it gives no value."""
    builder = _Builder(limits)
    try:
        builder.run(yaml.parse(raw, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        if error.problem == _TOO_DEEP:
            # The scanner reads ahead: it may come to its own bound before our reader comes to a smaller one.
            raise over("depth", limits.depth, f"line {mark.line + 1}: " if mark else "") from None
        problem = ", ".join(part for part in (error.problem, error.context) if part)
        raise UnreadableError(Issue("InvalidYaml", builder.pointer(), f"{where}{problem}")) from None
    except yaml.reader.ReaderError as error:
        before = raw[: error.position]
        line, column = before.count(b"\n") + 1, error.position - before.rfind(b"\n")
        message = f"line {line}, column {column}: {error.reason}"
        raise UnreadableError(Issue("InvalidYaml", builder.pointer(), message)) from None
    return builder.root, builder.issues
