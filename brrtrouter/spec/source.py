"""Bytes to values: where a document comes from and whether it is JSON or YAML.

What is inside decides, not the file's suffix: text that starts with `{` or `[` is tried as JSON and then, because
JSON's look-alike `{a: 1}` is YAML, as YAML.  Only a file named `.json` has to be JSON then.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from brrtrouter import jsontext
from brrtrouter.errors import BrrtError, Issue
from brrtrouter.spec.limits import Limits, UnreadableError, over
from brrtrouter.spec.yaml_reader import read_yaml

SourceLike = str | os.PathLike[str] | bytes | bytearray | Mapping[str, Any]

_BOM: Final = b"\xef\xbb\xbf"
_SPACED_COLON: Final = re.compile(rb'"[ \t\r\n]+:')


@dataclass(frozen=True, slots=True)
class Document:
    """One file as values.  `path` and `raw` are None when there is no file or there are no bytes."""

    name: str
    path: Path | None
    raw: bytes | None
    value: Any
    issues: tuple[Issue, ...] = ()


def read_source(source: SourceLike, limits: Limits) -> Document:
    """Read an entry document from a path, bytes, text or mapping.

    A `str` is text when it holds a line break or starts with `{`, else a path.  Raises `UnreadableError` for
    content that is neither JSON nor YAML and `BrrtError` for a file that cannot be read.
    """
    if isinstance(source, Mapping):
        return Document("document", None, None, _normalised(source, limits))
    if isinstance(source, (bytes, bytearray)):
        return _parsed("document", None, bytes(source), limits)
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{")):
        return _parsed("document", None, source.encode("utf-8", "surrogatepass"), limits)
    if isinstance(source, (str, os.PathLike)):
        return read_file(Path(source), limits, str(source))
    raise BrrtError(f"a document is a path, bytes, text or a mapping, not {type(source).__name__}")


def read_file(path: Path, limits: Limits, name: str) -> Document:
    """Read one file; see `read_source` for the errors."""
    try:
        with path.open("rb") as file:
            raw = file.read(limits.file_bytes + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BrrtError(f"cannot read {name}: {reason}") from None
    return _parsed(name, path, raw, limits)


def _parsed(name: str, path: Path | None, raw: bytes, limits: Limits) -> Document:
    if len(raw) > limits.file_bytes:
        raise over("file_bytes", limits.file_bytes)
    text = raw.removeprefix(_BOM)
    if text.lstrip()[:1] not in (b"{", b"["):
        value, issues = read_yaml(raw, limits)
        return Document(name, path, raw, value, tuple(issues))
    try:
        value, issues = _read_json(text, limits)
    except orjson.JSONDecodeError as error:
        message = f"line {error.lineno}, column {error.colno}: {error.msg}"
        refused = UnreadableError(Issue("InvalidJson", "", message))
        try:
            value, issues = read_yaml(raw, limits)
        except UnreadableError as unreadable:
            raise (unreadable if unreadable.issue.kind == "LimitExceeded" else refused) from None
        if name.lower().endswith(".json"):
            raise refused from None
    return Document(name, path, raw, value, tuple(issues))


def _read_json(text: bytes, limits: Limits) -> tuple[Any, list[Issue]]:
    value = jsontext.loads(text)
    _check_depth(value, limits)
    # orjson keeps the last of two equal keys.  Writing the value again gives as many `":` as there were, unless
    # keys got lost; the slow reading that names them is for that case and for unusual spacing or escapes only.
    written = jsontext.dumps(value)
    exact = b"\\u0022" not in text and _SPACED_COLON.search(text) is None
    if exact and text.count(b'":') == written.count(b'":'):
        return value, []
    return value, _duplicates(text)


def _duplicates(text: bytes) -> list[Issue]:
    found: list[Issue] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(items)
        if len(members) != len(items):
            seen: set[str] = set()
            for key, _ in items:
                if key in seen:
                    found.append(Issue("DuplicateKey", "", f"{_line_of(text, key)}the key {key[:80]!r} is given twice"))
                seen.add(key)
        return members

    json.loads(text, object_pairs_hook=pairs)
    return found


def _line_of(text: bytes, key: str) -> str:
    """The line of the key, when it stands in the text exactly twice; else nothing, for it would be a guess."""
    places = list(re.finditer(re.escape(orjson.dumps(key)) + rb"\s*:", text))
    if len(places) != 2:
        return ""
    line = text.count(b"\n", 0, places[1].start()) + 1
    return f"line {line}: "


def _normalised(source: Mapping[str, Any], limits: Limits) -> Any:
    """A mapping as JSON would carry it: text keys, no cycles, and nobody else's objects in it."""
    try:
        value = jsontext.loads(jsontext.dumps(dict(source), option=orjson.OPT_NON_STR_KEYS))
    except (orjson.JSONEncodeError, orjson.JSONDecodeError, RecursionError) as error:
        raise UnreadableError(Issue("InvalidJson", "", f"the mapping is no JSON value: {error}")) from None
    _check_depth(value, limits)
    return value


def _check_depth(value: Any, limits: Limits) -> None:
    level = [value] if isinstance(value, (dict, list)) else []
    depth = 0
    while level:
        depth += 1
        if depth > limits.depth:
            raise over("depth", limits.depth)
        below: list[Any] = []
        for collection in level:
            members = collection.values() if type(collection) is dict else collection
            below += [member for member in members if type(member) is dict or type(member) is list]
        level = below
