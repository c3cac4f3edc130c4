"""References between places: JSON Pointers (RFC 6901), files below one folder, `$id`, `$self` and anchors.

A `Resource` is what a relative reference is relative to: a file, or a schema with an `$id` of its own
(JSON Schema 2020-12 section 8.2.1).  A `Node` is a value together with its resource and the pointer to show.
Nothing is ever fetched: an address that no loaded resource claims is a `ReferenceProblem` with `remote` set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from brrtrouter.errors import BrrtError, Issue
from brrtrouter.spec.limits import Limits, UnreadableError
from brrtrouter.spec.source import Document, read_file

_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*:")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
# Long enough for any real chain of references to references, short enough to end a cycle at once.
MAX_CHAIN: Final = 100


class ReferenceProblem(Exception):
    """A reference that leads nowhere.

    `remote` when it names an address that would have to be fetched, `cyclic` when it only leads back to itself.
    """

    def __init__(self, message: str, *, remote: bool = False, cyclic: bool = False) -> None:
        self.remote = remote
        self.cyclic = cyclic
        super().__init__(message)


class Resource:
    """A base for relative references; compared by identity.

    `name` is empty for the entry document, `start` is the pointer of an embedded schema resource in its file,
    `folder` the folder that relative files are looked up in (None when the document came without a file).
    """

    __slots__ = ("folder", "name", "start", "uri", "value")

    def __init__(self, name: str, uri: str, folder: Path | None, value: Any, start: str = "") -> None:
        self.name = name
        self.uri = uri
        self.folder = folder
        self.value = value
        self.start = start

    def show(self, pointer: str) -> str:
        """The pointer as an issue shows it: with the file's name in front unless this is the entry document."""
        full = self.start + pointer
        return f"{self.name}#{full}" if self.name else full


class Node(NamedTuple):
    """A value, the resource it belongs to and its pointer from the root of that resource."""

    value: Any
    resource: Resource
    pointer: str

    def child(self, key: str | int) -> Node:
        """The member or item under `key`, which has to exist."""
        return Node(self.value[key], self.resource, f"{self.pointer}/{escape(str(key))}")

    @property
    def place(self) -> str:
        """The pointer as an issue shows it."""
        return self.resource.show(self.pointer)


def escape(part: str) -> str:
    """One reference token of a JSON Pointer (RFC 6901 section 3)."""
    return part.replace("~", "~0").replace("/", "~1") if "~" in part or "/" in part else part


class Files:
    """All files of one document, each parsed once."""

    def __init__(self, entry: Document, limits: Limits, *, dialect: str, allow_outside: bool) -> None:
        self.limits = limits
        self.dialect = dialect
        self.allow_outside = allow_outside
        self.issues: list[Issue] = []
        path = Path(os.path.realpath(entry.path)) if entry.path else None
        self._top = path.parent if path else None
        uri = path.as_uri() if path else ""
        self.entry = Resource("", uri, self._top, entry.value)
        own = entry.value.get("$self") if isinstance(entry.value, dict) else None
        if isinstance(own, str) and own:
            self.entry.uri = urljoin(uri, own)
        self._by_path: dict[Path, Resource | ReferenceProblem] = {path: self.entry} if path else {}
        self._by_uri: dict[str, Resource] = {self.entry.uri: self.entry} if self.entry.uri else {}
        self._embedded: dict[int, Resource] = {}
        self._anchors: dict[int, dict[str, Node]] = {}
        self._scanned: set[int] = set()

    # -- resolving -------------------------------------------------------------------------------------------

    def resolve(self, reference: str, base: Resource) -> Node:
        """The node that `reference`, written in `base`, names.  Raises `ReferenceProblem`."""
        address, _, fragment = reference.partition("#")
        resource = self._resource(address, base) if address else base
        try:
            fragment = unquote(fragment, errors="strict")
        except UnicodeDecodeError:
            raise ReferenceProblem(f"{reference!r} has a percent escape that is no UTF-8") from None
        if not fragment:
            return Node(resource.value, resource, "")
        if fragment[0] == "/":
            return self._walk(resource, fragment, reference)
        node = self._anchor_map(resource).get(fragment)
        if node is None:
            raise ReferenceProblem(f"{reference!r} names an anchor that does not exist")
        return node

    def follow(self, node: Node) -> Node:
        """The node at the end of a chain of `$ref`s; a `$ref`'s siblings are not looked at."""
        for _ in range(MAX_CHAIN):
            if not isinstance(node.value, dict) or "$ref" not in node.value:
                return node
            reference = node.value["$ref"]
            if not isinstance(reference, str):
                raise ReferenceProblem("$ref has to be a string")
            node = self.resolve(reference, node.resource)
        raise ReferenceProblem("the reference only leads back to itself", cyclic=True)

    def enter(self, node: Node) -> Node:
        """The same schema as the root of its own resource when it has an `$id` (OpenAPI 3.1 and later)."""
        value = node.value
        if self.dialect == "3.0" or not isinstance(value, dict) or not isinstance(value.get("$id"), str):
            return node
        if value is node.resource.value:
            return node
        known = self._embedded.get(id(value))
        if known is None:
            uri = urljoin(node.resource.uri, value["$id"].partition("#")[0])
            start = node.resource.start + node.pointer
            known = Resource(node.resource.name, uri, node.resource.folder, value, start)
            self._embedded[id(value)] = known
            self._by_uri.setdefault(uri, known)
        return Node(value, known, "")

    def _walk(self, resource: Resource, pointer: str, reference: str) -> Node:
        node = Node(resource.value, resource, "")
        watch_ids = self.dialect != "3.0"
        value, done = node.value, ""
        for raw in pointer[1:].split("/"):
            part = raw.replace("~1", "/").replace("~0", "~") if "~" in raw else raw
            if isinstance(value, dict) and part in value:
                value = value[part]
            elif isinstance(value, list) and _INDEX.fullmatch(part) and int(part) < len(value):
                value = value[int(part)]
            else:
                raise ReferenceProblem(f"{reference!r} does not exist: there is no {part[:80]!r} in {done or '/'}")
            done = f"{done}/{raw}"
            if watch_ids and isinstance(value, dict) and "$id" in value:
                inner = self.enter(Node(value, resource, done))
                resource, done = inner.resource, inner.pointer
        return Node(value, resource, done)

    # -- files and addresses ---------------------------------------------------------------------------------

    def _resource(self, address: str, base: Resource) -> Resource:
        uri = urljoin(base.uri, address)
        if uri in self._by_uri:
            return self._by_uri[uri]
        if _SCHEME.match(address) or address.startswith("//"):
            self._scan_all()
            if uri in self._by_uri:
                return self._by_uri[uri]
            raise ReferenceProblem(f"{address!r} is an address, and addresses are never fetched", remote=True)
        try:
            return self._file(address, base)
        except ReferenceProblem:
            self._scan_all()
            if uri in self._by_uri:
                return self._by_uri[uri]
            raise

    def _file(self, address: str, base: Resource) -> Resource:
        if base.folder is None or self._top is None:
            raise ReferenceProblem(f"{address!r} is a file, but the document came without a folder of its own")
        relative = unquote(urlsplit(address).path)
        if "\0" in relative:
            raise ReferenceProblem(f"{address!r} is no file name")
        path = Path(os.path.realpath(base.folder / relative))
        known = self._by_path.get(path)
        if known is None:
            known = self._by_path[path] = self._open(path, relative)
        if isinstance(known, ReferenceProblem):
            raise known
        return known

    def _open(self, path: Path, relative: str) -> Resource | ReferenceProblem:
        top = self._top
        if not self.allow_outside and top is not None and not path.is_relative_to(top):
            return ReferenceProblem(f"{relative!r} lies outside the folder of the entry document")
        if len(self._by_path) >= self.limits.files:
            return ReferenceProblem(f"{relative!r} is one file more than the limit files of {self.limits.files:,}")
        name = os.path.relpath(path, top).replace(os.sep, "/")
        try:
            document = read_file(path, self.limits, name)
        except UnreadableError as error:
            issue = error.issue
            self.issues.append(Issue(issue.kind, f"{name}#{issue.pointer}", issue.message))
            return ReferenceProblem(f"{relative!r} is no valid JSON or YAML")
        except BrrtError as error:
            return ReferenceProblem(str(error))
        self.issues += [Issue(issue.kind, f"{name}#{issue.pointer}", issue.message) for issue in document.issues]
        resource = Resource(name, path.as_uri(), path.parent, document.value)
        self._by_uri.setdefault(resource.uri, resource)
        return resource

    # -- $id and anchors -------------------------------------------------------------------------------------

    def _scan_all(self) -> None:
        """Register every `$id` of the files loaded so far; each file is looked through once, and only if need be."""
        if self.dialect == "3.0":
            return
        files = [self.entry, *(r for r in self._by_path.values() if isinstance(r, Resource))]
        for resource in files:
            if id(resource) not in self._scanned:
                self._scanned.add(id(resource))
                for _ in self._schemas_of(resource):
                    pass

    def _anchor_map(self, resource: Resource) -> dict[str, Node]:
        known = self._anchors.get(id(resource))
        if known is None:
            known = self._anchors[id(resource)] = {}
            for node in self._schemas_of(resource) if self.dialect != "3.0" else ():
                if node.resource is resource:
                    for keyword in ("$anchor", "$dynamicAnchor"):
                        if isinstance(node.value.get(keyword), str):
                            known.setdefault(node.value[keyword], node)
        return known

    def _schemas_of(self, resource: Resource) -> Iterator[Node]:
        """Every object of the resource, entering embedded resources; what an `$id` in an example costs is nothing."""
        stack = [Node(resource.value, resource, "")]
        seen: set[int] = set()
        while stack:
            node = stack.pop()
            if id(node.value) in seen:
                continue
            seen.add(id(node.value))
            if isinstance(node.value, dict):
                node = self.enter(node)
                yield node
                stack += [node.child(key) for key, item in node.value.items() if isinstance(item, (dict, list))]
            elif isinstance(node.value, list):
                stack += [node.child(at) for at, item in enumerate(node.value) if isinstance(item, (dict, list))]
