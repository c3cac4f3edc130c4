"""References between places: JSON Pointers (RFC 6901), files below one folder, `$id`, `$self` and anchors.

A `Resource` is what a relative reference is relative to: a file, or a schema with an `$id` of its own
(JSON Schema 2020-12 section 8.2.1).  A `Node` is a value together with its resource and the pointer to show.
Nothing is fetched unless `Access` allows it: an address that no loaded resource claims is then a `ReferenceProblem`
with `remote` set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from brrtrouter.errors import BrrtError, Issue
from brrtrouter.spec.limits import Limits, UnreadableError
from brrtrouter.spec.source import NO_ACCESS, Access, Document, read_address, read_file

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


def unescape(part: str) -> str:
    """What a reference token of a JSON Pointer stands for."""
    return part.replace("~1", "/").replace("~0", "~") if "~" in part else part


def _base_uri(found: str, value: Any) -> str:
    """The base of a document that was found at a URI: its `$self` against that (OpenAPI 3.2 section 4.1.2.2.1)."""
    own = value.get("$self") if isinstance(value, dict) else None
    if not isinstance(own, str) or not own:
        return found
    try:
        return urljoin(found, own.partition("#")[0])
    except ValueError:
        return found


class Files:
    """All files of one document, each parsed once."""

    def __init__(self, entry: Document, limits: Limits, *, dialect: str, access: Access = NO_ACCESS) -> None:
        self.limits = limits
        self.dialect = dialect
        # The loader sets this as soon as it has read it.
        self.version = (3, 0)
        self.access = access
        # Whether any schema has a `$dynamicRef`; `check.py` finds that out.
        self.dynamic = False
        self.issues: list[Issue] = []
        path = Path(os.path.realpath(entry.path)) if entry.path else None
        self._top = path.parent if path else None
        found = path.as_uri() if path else entry.name if _SCHEME.match(entry.name) else ""
        self.entry = Resource("", _base_uri(found, entry.value), self._top, entry.value)
        self._by_path: dict[Path, Resource | ReferenceProblem] = {path: self.entry} if path else {}
        self._by_uri: dict[str, Resource | ReferenceProblem] = {}
        for uri in filter(None, (found, self.entry.uri)):
            self._by_uri[uri] = self.entry
        self._more: list[Resource] = []
        self._embedded: dict[int, Resource] = {}
        self._anchors: dict[int, dict[str, Node]] = {}
        self._dynamic: dict[int, dict[str, Node]] = {}
        self._scanned: set[int] = set()

    def local(self) -> list[tuple[str, Path | None]]:
        """The other documents that were read: each with its name relative to the entry document, and its file.

        The file is None for what came from an address.
        """
        found = [(known.name, path) for path, known in self._by_path.items() if isinstance(known, Resource)]
        return [each for each in found if each[0]] + [(known.name, None) for known in self._more]

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

    def object_at(self, node: Node | None) -> Node | None:
        """The object that a node is or refers to; None for what is none, which `check.py` reports."""
        if node is None:
            return None
        try:
            node = self.follow(node)
        except ReferenceProblem:
            return None
        return node if isinstance(node.value, dict) else None

    def behind(self, schema: Node) -> Iterator[Node]:
        """The schema and those that it takes over by `$ref` and `allOf`, from the outside in, up to MAX_CHAIN."""
        todo, budget = [schema], MAX_CHAIN
        while todo and budget:
            budget -= 1
            node = todo.pop()
            if not isinstance(node.value, dict):
                continue
            yield node
            if isinstance(node.value.get("allOf"), list):
                branches = node.child("allOf")
                todo += [branches.child(at) for at in range(len(branches.value))]
            if isinstance(node.value.get("$ref"), str):
                with suppress(ReferenceProblem):
                    todo.append(self.resolve(node.value["$ref"], node.resource))

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
            try:
                uri = urljoin(node.resource.uri, value["$id"].partition("#")[0])
            except ValueError:
                return node
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
        try:
            uri = urljoin(base.uri, address)
        except ValueError:
            raise ReferenceProblem(f"{address!r} is no URI reference") from None
        found = self._known(uri)
        if found is not None:
            return found
        is_file = base.folder is not None and not (_SCHEME.match(address) or address.startswith("//"))
        problem: ReferenceProblem | None = None
        if is_file and uri not in self.access.documents:
            try:
                return self._file(address, base)
            except ReferenceProblem as error:
                problem = error
        self._scan_all()
        found = self._known(uri)
        if found is None and (problem is None or uri.partition(":")[0] in self.access.schemes):
            found = self._distant(uri, address)
        if found is None and problem is not None:
            raise problem
        if found is None:
            self._path(address, base)  # says why this is no file either
            raise ReferenceProblem(f"{address!r} leads nowhere")
        return found

    def _known(self, uri: str) -> Resource | None:
        found = self._by_uri.get(uri)
        if isinstance(found, ReferenceProblem):
            raise found
        return found

    def _distant(self, uri: str, address: str) -> Resource | None:
        """What is provided for the address, or fetched from it; None when neither may be."""
        if len(self._by_path) + len(self._by_uri) >= self.limits.files:
            raise ReferenceProblem(f"{address!r} is one file more than the limit files of {self.limits.files:,}")
        try:
            document = read_address(uri, self.access, self.limits)
        except (UnreadableError, BrrtError) as error:
            problem = ReferenceProblem(str(error), remote=True)
            self._by_uri[uri] = problem
            raise problem from None
        if document is None:
            return None
        resource = self._by_uri[uri] = Resource(uri, _base_uri(uri, document.value), None, document.value)
        self._by_uri.setdefault(resource.uri, resource)
        self._more.append(resource)
        self.issues += [Issue(issue.kind, f"{uri}#{issue.pointer}", issue.message) for issue in document.issues]
        return resource

    def locate(self, address: str, base: Resource) -> Path:
        """The file that `address`, written in `base`, names, whether it exists or not, for what is no description.

        Raises `ReferenceProblem` for an address of another kind and for a file outside the folder of the document.
        """
        if _SCHEME.match(address) or address.startswith("//"):
            raise ReferenceProblem(f"{address!r} is an address, not a file", remote=True)
        path, relative = self._path(address, base)
        if not self._inside(path):
            raise ReferenceProblem(f"{relative!r} lies outside the folder of the entry document")
        return path

    def _path(self, address: str, base: Resource) -> tuple[Path, str]:
        if _SCHEME.match(address) or address.startswith("//"):
            raise ReferenceProblem(f"{address!r} is an address, and addresses are not fetched", remote=True)
        if base.folder is None or self._top is None:
            raise ReferenceProblem(f"{address!r} is a file, but the document came without a folder of its own")
        try:
            relative = unquote(urlsplit(address).path, errors="strict")
            return Path(os.path.realpath(base.folder / relative)), relative
        except (ValueError, OSError):
            raise ReferenceProblem(f"{address!r} is no file name") from None

    def _inside(self, path: Path) -> bool:
        return self.access.outside or self._top is None or path.is_relative_to(self._top)

    def _file(self, address: str, base: Resource) -> Resource:
        path, relative = self._path(address, base)
        known = self._by_path.get(path)
        if known is None:
            known = self._by_path[path] = self._open(path, relative)
        if isinstance(known, ReferenceProblem):
            raise known
        return known

    def _open(self, path: Path, relative: str) -> Resource | ReferenceProblem:
        if not self._inside(path):
            return ReferenceProblem(f"{relative!r} lies outside the folder of the entry document")
        if len(self._by_path) >= self.limits.files:
            return ReferenceProblem(f"{relative!r} is one file more than the limit files of {self.limits.files:,}")
        name = os.path.relpath(path, self._top).replace(os.sep, "/")
        try:
            document = read_file(path, self.limits, name, self.access)
        except UnreadableError as error:
            issue = error.issue
            self.issues.append(Issue(issue.kind, f"{name}#{issue.pointer}", issue.message))
            return ReferenceProblem(f"{relative!r} is no valid JSON or YAML")
        except BrrtError as error:
            return ReferenceProblem(str(error))
        self.issues += [Issue(issue.kind, f"{name}#{issue.pointer}", issue.message) for issue in document.issues]
        resource = Resource(name, _base_uri(path.as_uri(), document.value), path.parent, document.value)
        for uri in (path.as_uri(), resource.uri):
            self._by_uri.setdefault(uri, resource)
        return resource

    # -- $id and anchors -------------------------------------------------------------------------------------

    def _scan_all(self) -> None:
        """Register every `$id` of the files loaded so far; each file is looked through once, and only if need be."""
        if self.dialect == "3.0":
            return
        files = [self.entry, *(r for r in self._by_path.values() if isinstance(r, Resource)), *self._more]
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

    def dynamic_anchors(self, resource: Resource) -> dict[str, Node]:
        """The `$dynamicAnchor`s of a resource (JSON Schema 2020-12 section 8.2.2)."""
        known = self._dynamic.get(id(resource))
        if known is None:
            anchors = self._anchor_map(resource).items()
            known = {name: node for name, node in anchors if node.value.get("$dynamicAnchor") == name}
            self._dynamic[id(resource)] = known
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
