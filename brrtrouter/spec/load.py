"""`load`: an OpenAPI document to the frozen model, or every reason why not.

The walk of `check.py` reports wrong types and dead references; the readers here build the model, report what
only they can see, and pass over in silence what that walk has reported.
"""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, NamedTuple

from brrtrouter.errors import SpecError
from brrtrouter.spec.cache import Cache
from brrtrouter.spec.callbacks import CallbackReader
from brrtrouter.spec.check import Checker, type_name
from brrtrouter.spec.content import ContentReader
from brrtrouter.spec.grammar import METHODS, METHODS_3_2
from brrtrouter.spec.limits import Limits, UnreadableError
from brrtrouter.spec.model import (
    DEADLINE,
    MAX_BODY,
    STACK_SIZES,
    STREAM,
    Operation,
    Parameter,
    SecurityRequirement,
    Specification,
    stack_size,
)
from brrtrouter.spec.parameters import ParameterReader, undeclared
from brrtrouter.spec.realtime import read_realtime
from brrtrouter.spec.reference import MAX_CHAIN, Files, Node, ReferenceProblem
from brrtrouter.spec.report import Report, member, members, text
from brrtrouter.spec.schema import SchemaOptions, SchemaSet
from brrtrouter.spec.security import SecurityReader
from brrtrouter.spec.servers import base_path_of, clean_base_path, template_fault, template_shape, template_variables
from brrtrouter.spec.source import NO_ACCESS, Access, Document, Network, SourceLike, read_source

__all__ = ["Examined", "Limits", "Readers", "examine", "load", "name_of"]

_VERSION: Final = re.compile(r"3\.([012])\.[0-9]+(?:-[0-9A-Za-z.-]+)?")
_ROOTS: Final = {0: ("paths",), 1: ("paths", "components", "webhooks"), 2: ("paths", "components", "webhooks")}
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2
_NOT_A_WORD: Final = re.compile(r"[^A-Za-z0-9]+")
# RFC 9110 gives a body of a request with these methods no meaning.
_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE", "TRACE"})


def load(
    source: SourceLike,
    *,
    strict: bool = False,
    base_path: str | None = None,
    allow_outside: bool = False,
    allow_network: Network = False,
    documents: Mapping[str, SourceLike] | None = None,
    cache: str | os.PathLike[str] | None = None,
    limits: Limits | None = None,
    options: SchemaOptions | None = None,
) -> Specification:
    """Load an OpenAPI 3.0, 3.1 or 3.2 document: a path, bytes, text or a mapping; JSON or YAML.

    `strict` makes errors of warnings.  `base_path` stands in for the path part of every server URL.
    `options` say how schemas are read.

    What other documents `$ref`s may reach: files in the folder of the entry document and below, with `allow_outside`
    all files; addresses only with `allow_network`, True or "https" for https, "http" for http as well.  `documents` are
    taken in place of what is at an address.  `cache` is a folder for parsed documents, which makes the next load of a
    large YAML file many times faster.

    Raises `SpecError` with every issue found, and `BrrtError` when the file cannot be read at all.
    """
    limits = limits or Limits()
    try:
        access = Access(allow_outside, allow_network, documents or {}, Cache(cache) if cache else None)
        with _without_collections():
            document = read_source(source, limits, access)
            specification, report, _ = examine(document, limits, base_path, options, access)
    except UnreadableError as error:
        raise SpecError(name_of(source), [error.issue]) from None
    issues = report.issues
    if strict:
        issues = [replace(issue, severity="error") for issue in issues]
    if specification is None or any(issue.severity == "error" for issue in issues):
        raise SpecError(document.name, issues)
    return replace(specification, issues=tuple(issues))


@contextmanager
def _without_collections() -> Iterator[None]:
    """No collection of garbage meanwhile: a load makes a million objects that all stay, and looking through them again
    and again takes as long as reading them."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Readers(NamedTuple):
    """What reads the parts of one document; each part once, and what is wrong with it goes to the report."""

    parameters: ParameterReader
    content: ContentReader
    security: SecurityReader


class Examined(NamedTuple):
    """All that is known of a document, even of one that cannot be served.

    `specification` has the operations that could be read; it and `readers` are None for what is no OpenAPI 3 document.
    """

    specification: Specification | None
    report: Report
    readers: Readers | None


def examine(
    document: Document,
    limits: Limits,
    base_path: str | None = None,
    options: SchemaOptions | None = None,
    access: Access = NO_ACCESS,
) -> Examined:
    """Read the model from a document and find every issue; see `load` for the parameters."""
    loader = _Loader(document, limits, base_path, options, access)
    specification = loader.run()
    readers = Readers(loader.parameters, loader.content, loader.security) if specification else None
    return Examined(specification, loader.report, readers)


def name_of(source: SourceLike) -> str:
    """What an error calls a source that gave no document: its path, if it is one."""
    is_text = isinstance(source, str) and ("\n" in source or source.lstrip().startswith("{"))
    return "document" if is_text or not isinstance(source, (str, os.PathLike)) else str(source)


def _version(value: Any, report: Report, root: Node) -> int | None:
    """The minor version of the OpenAPI 3 document; None with one clear issue for everything else."""
    if not isinstance(value, dict):
        report.error("WrongType", root, f"an OpenAPI document is an object, not {type_name(value)}")
        return None
    version = value.get("openapi")
    found = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if found:
        return int(found[1])
    served = "3.0, 3.1 and 3.2 are served"
    if "openapi" in value:
        message = f"OpenAPI {version!r:.80} is not supported; {served}"
    elif "swagger" in value:
        message = f"Swagger {value['swagger']!s:.80} is not supported; {served}, and converters from 2.0 exist"
    else:
        message = f"this is no OpenAPI document: the field `openapi` with its version is missing; {served}"
    report.error("UnsupportedVersion", root, message)
    return None


class _Loader:
    """Builds the model of one document; `report` holds what was found on the way."""

    def __init__(
        self,
        document: Document,
        limits: Limits,
        base_path: str | None,
        options: SchemaOptions | None,
        access: Access,
    ) -> None:
        self.document = document
        self.limits = limits
        self.options = options
        self.forced_base = None if base_path is None else clean_base_path(base_path)
        self.access = access
        self.report = Report()
        for issue in document.issues:
            self.report.add(issue)

    def run(self) -> Specification | None:
        value = self.document.value
        files = Files(self.document, self.limits, dialect="3.0", access=self.access)
        root = Node(value, files.entry, "")
        minor = _version(value, self.report, root)
        if minor is None:
            return None
        files.dialect = "3.0" if minor == 0 else "3.1"
        self.files = files
        self.version = files.version = (3, minor)
        if not any(name in value for name in _ROOTS[minor]):
            names = " or ".join(_ROOTS[minor])
            self.report.error("MissingField", root, f"the document needs {names}")
        checker = Checker(files)
        checker.run()
        for issue in checker.issues:
            self.report.add(issue)
        schemas = SchemaSet(files, self.options)
        self.security = SecurityReader(files, self.report, self.version)
        self.parameters = ParameterReader(self.report, schemas, self.version)
        self.content = ContentReader(self.report, schemas, self.parameters)
        self.callbacks = CallbackReader(
            files, self.report, self.parameters, self.content, self.security, self._fields, self._methods
        )
        specification = self._specification(root)
        for issue in files.issues:
            self.report.add(issue)
        return specification

    def _specification(self, root: Node) -> Specification:
        value = root.value
        info = value.get("info")
        if not isinstance(info, dict) or not text(info.get("title")):
            self.report.warning("MissingField", root, "the document needs info with a title")
        self.root_base = self._base(member(root, "servers")) or ""
        self.root_security = self.security.requirement(member(root, "security")) or ()
        self.handlers: set[str] = set()
        self.operation_ids: dict[str, str] = {}
        self.shapes: dict[tuple[str, str], tuple[str, bool]] = {}
        operations = self._operations(member(root, "paths"))
        hooks = member(root, "webhooks") if self.version > (3, 0) else None
        webhooks = self.callbacks.webhooks(hooks, self.root_security)
        self.content.links.finish(operations)
        # Components that nothing uses are still part of the document, and wrong is wrong.
        for _, node in members(member(member(root, "components") or root, "parameters")):
            self.parameters.read(node)
        return Specification(
            source=self.document.name,
            version=value["openapi"],
            title=text(info.get("title")) if isinstance(info, dict) else "",
            base_path=self.root_base,
            document=value,
            raw=self.document.raw,
            operations=tuple(operations),
            security_schemes=self.security.schemes,
            webhooks=webhooks,
        )

    def _base(self, servers: Node | None) -> str | None:
        """The base path that these servers give; the one the caller asked for wins."""
        own = base_path_of(servers, self.report)
        return own if self.forced_base is None else self.forced_base

    # -- path items ------------------------------------------------------------------------------------------

    def _operations(self, paths: Node | None) -> list[Operation]:
        found: list[Operation] = []
        for template, node in members(paths):
            fault = template_fault(template.partition("#")[0])
            if fault:
                self.report.error("IllegalPathTemplate", node, f"{template[:200]!r}: {fault}")
                continue
            if "#" in template:
                text_ = f"the fragment of {template[:200]!r} is dropped: it never reaches a server"
                self.report.warning("FragmentInPath", node, text_)
            found += self._path_item(template, self._fields(node))
        return found

    def _fields(self, node: Node) -> dict[str, Node]:
        """The fields of a Path Item, its `$ref` followed; its own fields win over those of the target."""
        fields: dict[str, Node] = {}
        for _ in range(MAX_CHAIN):
            if not isinstance(node.value, dict):
                break
            for name in node.value:
                fields.setdefault(name, node.child(name))
            reference = node.value.get("$ref")
            if not isinstance(reference, str):
                break
            if len(node.value) > 1:
                self.report.warning("PathItemRefSiblings", node, "fields beside $ref win over those of its target")
            try:
                node = self.files.resolve(reference, node.resource)
            except ReferenceProblem:
                break
        return fields

    def _path_item(self, key: str, fields: dict[str, Node]) -> list[Operation]:
        template, mark, _ = key.partition("#")
        shared = self.parameters.read_list(fields.get("parameters"))
        found: list[Operation] = []
        for method, item in self._methods(fields):
            try:
                item = self.files.follow(item)
            except ReferenceProblem:
                continue
            if not isinstance(item.value, dict):
                continue
            base = self._base(member(item, "servers"))
            if base is None:
                base = self._base(fields.get("servers"))
            path = (self.root_base if base is None else base) + template
            if self._collides(method, path, key, item, by_fragment=bool(mark)):
                continue
            found.append(self._operation(method, template, path, item, shared))
        return found

    def _methods(self, fields: dict[str, Node]) -> Iterator[tuple[str, Node]]:
        """Each method of a Path Item and its operation; since OpenAPI 3.2 any method may have one (section 4.9.1)."""
        fixed = METHODS if self.version < (3, 2) else METHODS_3_2
        for name, item in fields.items():
            if name in fixed:
                yield name.upper(), item
        if self.version < (3, 2):
            return
        for name, item in members(fields.get("additionalOperations")):
            if name.lower() in fixed and name.isupper():
                self.report.error("InvalidMethod", item, f"{name} has a field of its own: {name.lower()}")
            elif not _TOKEN.fullmatch(name):
                self.report.error("InvalidMethod", item, f"{name[:80]!r} is no method (RFC 9110 section 9.1)")
            elif name == "CONNECT":
                message = "the target of a CONNECT request has no path, so that none leads here"
                self.report.warning("UnreachableOperation", item, message)
            else:
                yield name, item

    def _collides(self, method: str, path: str, key: str, node: Node, *, by_fragment: bool) -> bool:
        shape = (method, template_shape(path))
        if shape not in self.shapes:
            self.shapes[shape] = (key, by_fragment)
            return False
        other, other_by_fragment = self.shapes[shape]
        message = f"{method} {key[:200]} matches the same requests as {method} {other[:200]}"
        if by_fragment or other_by_fragment:
            self.report.warning("UnreachableOperation", node, message + ", which is served")
        else:
            self.report.error("CollidingPathTemplates", node, message)
        return True

    # -- operations ------------------------------------------------------------------------------------------

    def _operation(self, method: str, template: str, path: str, node: Node, shared: list[Parameter]) -> Operation:
        value = node.value
        handler, source = self._handler(method, template, node)
        own = self.security.requirement(member(node, "security"))
        security: SecurityRequirement = self.root_security if own is None else own
        body = self.content.body(member(node, "requestBody"))
        if body is not None and method in _BODILESS:
            self.report.warning("BodyWithoutMeaning", node, f"a body of a {method} request has no defined meaning")
        limit = value.get(MAX_BODY, 0)
        if type(limit) is not int or limit < 0:
            self.report.error("WrongType", node.child(MAX_BODY), f"{MAX_BODY} has to be a number of bytes")
        deadline = value.get(DEADLINE, 0)
        if type(deadline) is not int or deadline < 0:
            self.report.error("WrongType", node.child(DEADLINE), f"{DEADLINE} has to be a number of milliseconds")
        for name in STACK_SIZES:
            if name in value:
                try:
                    stack_size(value[name])
                except ValueError as error:
                    self.report.error("WrongType", node.child(name), str(error))
        if not isinstance(value.get(STREAM, False), bool):
            self.report.error("WrongType", node.child(STREAM), f"{STREAM} has to be a boolean")
        tags = value.get("tags")
        return Operation(
            method=method,
            template=template,
            path=path,
            pointer=node.place,
            operation_id=text(value.get("operationId")) or None,
            handler=handler,
            handler_source=source,
            parameters=self._merged(template, node, shared),
            request_body=body,
            responses=self.content.responses(member(node, "responses")),
            security=security,
            summary=text(value.get("summary")),
            tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
            deprecated=value.get("deprecated") is True,
            extensions={name: item for name, item in value.items() if name.startswith("x-")},
            callbacks=self.callbacks.callbacks(member(node, "callbacks")),
            messages=read_realtime(method, node, self.report, self.content),
        )

    def _handler(self, method: str, template: str, node: Node) -> tuple[str, str]:
        """The name of the handler and where it comes from."""
        value = node.value
        operation_id = value.get("operationId")
        if operation_id is not None and not text(operation_id):
            self.report.error("WrongType", node.child("operationId"), "operationId has to be a string and not empty")
        elif operation_id is not None:
            self._unique_id(operation_id, node)
        for name, item in value.items():
            if name.startswith("x-handler") and text(item):
                return item, name
        if text(operation_id):
            return operation_id, "operationId"
        words = _NOT_A_WORD.sub("_", f"{method.lower()}_{template}").strip("_")
        handler, count = words, 1
        while handler in self.handlers:
            count += 1
            handler = f"{words}_{count}"
        self.handlers.add(handler)
        message = f"{method} {template[:200]} has neither operationId nor x-handler; its handler is named {handler!r}"
        self.report.warning("MissingHandler", node, message)
        return handler, "generated"

    def _unique_id(self, operation_id: str, node: Node) -> None:
        first = self.operation_ids.setdefault(operation_id, node.place)
        if first != node.place:
            message = f"the operationId {operation_id[:80]!r} is used already at {first}"
            self.report.error("DuplicateOperationId", node, message)

    def _merged(self, template: str, node: Node, shared: list[Parameter]) -> tuple[Parameter, ...]:
        """The operation's parameters over those of its path item, checked against the variables of the path."""
        merged: dict[tuple[str, str], Parameter] = {}
        for parameter in (*shared, *self.parameters.read_list(member(node, "parameters"))):
            name = parameter.name.lower() if parameter.location == "header" else parameter.name
            merged[parameter.location, name] = parameter
        self._check_querystring(node, list(merged.values()))
        variables = template_variables(template)
        for location, name in list(merged):
            if location == "path" and name not in variables:
                del merged[location, name]
                message = f"the path parameter {name!r} has no {{{name}}} in the path; it is left out"
                self.report.warning("ParameterWithoutTemplateVariable", node, message)
        for name in variables:
            if ("path", name) not in merged:
                message = f"{{{name}}} in the path has no parameter; it is taken as text"
                self.report.warning("TemplateVariableWithoutParameter", node, message)
                merged["path", name] = undeclared(name, node.place)
        return tuple(merged.values())

    def _check_querystring(self, node: Node, parameters: list[Parameter]) -> None:
        """A parameter that is the whole query leaves no room for another (OpenAPI 3.2 section 4.12.1)."""
        found = [parameter for parameter in parameters if parameter.location == "querystring"]
        if len(found) > 1 or (found and any(parameter.location == "query" for parameter in parameters)):
            message = f"beside {found[0].name!r} in querystring there can be no other parameter of the query"
            self.report.error("InvalidParameter", node, message)
