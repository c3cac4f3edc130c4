"""Bytes to values: where a document comes from and whether it is JSON or YAML.

What is inside decides, not the file's suffix: text that starts with `{` or `[` is tried as JSON and then, because
JSON's look-alike `{a: 1}` is YAML, as YAML.  Only a file named `.json` has to be JSON then.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from brrtrouter import jsontext
from brrtrouter.errors import BrrtError, Issue
from brrtrouter.spec.cache import Cache
from brrtrouter.spec.limits import Limits, UnreadableError, over
from brrtrouter.spec.yaml_reader import read_yaml

SourceLike = str | os.PathLike[str] | bytes | bytearray | Mapping[str, Any]

_BOM: Final = b"\xef\xbb\xbf"
_SPACED: Final = (b" :", b"\t:", b"\r:", b"\n:")
_SPACED_COLON: Final = re.compile(rb'"[ \t\r\n]+:')


@dataclass(frozen=True, slots=True)
class Document:
    """One file as values.  `path` and `raw` are None when there is no file or there are no bytes."""

    name: str
    path: Path | None
    raw: bytes | None
    value: Any
    issues: tuple[Issue, ...] = ()


Network = bool | Literal["https", "http"]


@dataclass(frozen=True, slots=True)
class Access:
    """Where the documents that a description refers to may come from.

    outside: files outside of the folder of the entry document.  network: addresses are fetched, by https only, or with
    "http" by both.  documents: stand-ins for addresses, by the whole address; nothing is fetched for these.
    cache: keeps parsed documents.
    """

    outside: bool = False
    network: Network = False
    documents: Mapping[str, SourceLike] = field(default_factory=dict)
    cache: Cache | None = None

    @property
    def schemes(self) -> frozenset[str]:
        """What may be fetched."""
        if not self.network:
            return frozenset()
        return frozenset({"https", "http"} if self.network == "http" else {"https"})


NO_ACCESS: Final = Access()


def read_address(address: str, access: Access, limits: Limits) -> Document | None:
    """The document at an address without its fragment; None when it is neither provided nor may be fetched.

    Raises what `read_source` raises.
    """
    if address in access.documents:
        document = read_source(access.documents[address], limits, access)
        return Document(address, None, document.raw, document.value, document.issues)
    if address.partition(":")[0] not in access.schemes:
        return None
    from brrtrouter.spec.fetch import fetch  # an HTTP client is for those who allow the network

    return _parsed(address, None, fetch(address, access.schemes, limits), limits, access)


def read_source(source: SourceLike, limits: Limits, access: Access = NO_ACCESS) -> Document:
    """Read an entry document from a path, an address, bytes, text or mapping.

    A `str` is text when it holds a line break or starts with `{`, else a path, or an address if those are allowed.
    Raises `UnreadableError` for content that is neither JSON nor YAML and `BrrtError` for what cannot be read.
    """
    if isinstance(source, Mapping):
        return Document("document", None, None, _normalised(source, limits))
    if isinstance(source, (bytes, bytearray)):
        return _parsed("document", None, bytes(source), limits, access)
    if isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{")):
        return _parsed("document", None, source.encode("utf-8", "surrogatepass"), limits, access)
    if isinstance(source, str) and (found := read_address(source, access, limits)) is not None:
        return found
    if isinstance(source, (str, os.PathLike)):
        return read_file(Path(source), limits, str(source), access)
    raise BrrtError(f"a document is a path, bytes, text or a mapping, not {type(source).__name__}")


def read_file(path: Path, limits: Limits, name: str, access: Access = NO_ACCESS) -> Document:
    """Read one file; see `read_source` for the errors."""
    try:
        with path.open("rb") as file:
            raw = file.read(limits.file_bytes + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BrrtError(f"cannot read {name}: {reason}") from None
    return _parsed(name, path, raw, limits, access)


def _parsed(name: str, path: Path | None, raw: bytes, limits: Limits, access: Access) -> Document:
    if len(raw) > limits.file_bytes:
        raise over("file_bytes", limits.file_bytes)
    if access.cache is None:
        return _parse(name, path, raw, limits)
    known = access.cache.get(raw, limits)
    if known is not None:
        return Document(name, path, raw, *known)
    document = _parse(name, path, raw, limits)
    access.cache.put(raw, limits, document.value, document.issues)
    return document


def _parse(name: str, path: Path | None, raw: bytes, limits: Limits) -> Document:
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
    written = _indented(value, limits)
    # orjson keeps the last of two equal keys.  Writing the value again gives as many `":` as there were, unless
    # keys got lost; the slow reading that names them is for that case and for unusual spacing or escapes only.
    exact = b"\\u0022" not in text and not (any(c in text for c in _SPACED) and _SPACED_COLON.search(text))
    if exact and text.count(b'":') == written.count(b'":'):
        return value, []
    return value, _duplicates(text)


def _indented(value: Any, limits: Limits) -> bytes:
    """The value as text, one member on a line.  Raises `UnreadableError` when it is nested too deeply."""
    try:
        written = orjson.dumps(value, option=orjson.OPT_INDENT_2)
    except TypeError:  # about 250 levels, or an integer beyond 64 bits
        _check_depth(value, limits)
        return jsontext.dumps(value)
    # Of a line break in a string nothing is left but its escape, so that a long indent is one of the value.
    if b"\n" + b"  " * limits.depth in written:
        _check_depth(value, limits)
    return written


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
