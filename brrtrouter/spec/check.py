"""One walk over a whole document by the table of `grammar.py`.

Finds values of the wrong type and references that lead nowhere, in the entry document and in every part of
other files that it reaches.  Every object is visited once per kind.
"""

from __future__ import annotations

from typing import Any, Final

from brrtrouter.errors import Issue, Severity
from brrtrouter.spec.grammar import (
    EXCLUSIVE,
    FIELDS,
    INFORMATIVE,
    NEW_FIELDS,
    NO_REFERENCE,
    PLAIN_FIELDS,
    REFERENCE_ISSUES,
    UNIFORM,
    Field,
    Kind,
)
from brrtrouter.spec.reference import Files, Node, ReferenceProblem

_ARTICLES: Final = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
_OWN_DIALECTS: Final = (
    "https://json-schema.org/draft/2020-12/schema",
    "https://spec.openapis.org/oas/3.1/dialect/",
    "https://spec.openapis.org/oas/3.2/dialect/",
)


def type_name(value: Any) -> str:
    """How a value's type is called in a message."""
    return _ARTICLES.get(type(value), "a number")


class Checker:
    """`issues` after `run()` holds what was found."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.issues: list[Issue] = []
        self._seen: set[tuple[int, Kind]] = set()
        self._resolved: set[tuple[int, str, Kind]] = set()
        self._stack: list[tuple[Node, Kind]] = []
        self._unused = False

    def run(self) -> None:
        """Walk everything that can be reached from the root.

        `components` come last: an address that only an unused component names is no reason to refuse a document.
        """
        resource = self.files.entry
        root = Node(resource.value, resource, "")
        self._visit(root, "root")
        later = [entry for entry in self._stack if entry[1] == "components"]
        self._stack = [entry for entry in self._stack if entry[1] != "components"]
        self._walk()
        self._unused = True
        self._stack += later
        self._walk()

    def _walk(self) -> None:
        while self._stack:
            node, kind = self._stack.pop()
            if kind == "schema":
                self._schema(node)
            else:
                self._visit(node, kind)

    def _add(self, kind: str, place: str, message: str, severity: Severity = "error") -> None:
        self.issues.append(Issue(kind, place, message, severity))

    def _visit(self, node: Node, kind: Kind) -> None:
        value = node.value
        if not isinstance(value, dict):
            self._wrong(node, kind)
            return
        mark = (id(value), kind)
        if mark in self._seen:
            return
        self._seen.add(mark)
        if "$ref" in value and kind in REFERENCE_ISSUES:
            if kind in NO_REFERENCE:
                text = f"the specification has no $ref in place of an {kind}; it is followed"
                self._add("NonStandardRef", node.place, text, "warning")
            self._reference(node, kind)
            if kind != "pathItem":
                return
        uniform = UNIFORM.get(kind)
        if uniform:
            self._members(node, Field("map", uniform))
            return
        if kind == "root" and "jsonSchemaDialect" in value:
            self._dialect(node, "jsonSchemaDialect")
        fields = FIELDS[kind]
        if kind in NEW_FIELDS and self.files.version < (3, 2):
            fields = {name: field for name, field in fields.items() if name not in NEW_FIELDS[kind]}
        for name in reversed(value):
            if name in fields:
                self._members(node.child(name), fields[name])
        for name in value.keys() - fields.keys() - PLAIN_FIELDS[kind] if kind in PLAIN_FIELDS else ():
            if not name.startswith("x-"):
                self._add("UnknownField", node.child(name).place, f"{kind} has no such field", "warning")
        for group in EXCLUSIVE.get(kind, ()):
            if group <= value.keys():
                names = " and ".join(sorted(group))
                self._add("ConflictingFields", node.place, f"{names} exclude each other", "warning")

    def _members(self, node: Node, field: Field) -> None:
        value, kind = node.value, field.kind
        if field.many == "one":
            self._stack.append((node, kind))
        elif field.many == "map":
            if not isinstance(value, dict):
                self._wrong(node, kind, "a map of names to objects")
                return
            if kind == "schema" and isinstance(value.get("$ref"), str):
                text = "a $ref in place of a map of schemas is no reference; it is ignored"
                self._add("NonStandardRef", node.place, text, "warning")
                value = {key: item for key, item in value.items() if key != "$ref"}
            free = kind != "schema"
            children = [node.child(key) for key in reversed(value) if not (free and key.startswith("x-"))]
            self._stack += [(child, kind) for child in children]
        elif isinstance(value, list):
            self._stack += [(node.child(at), kind) for at in reversed(range(len(value)))]
        else:
            self._wrong(node, kind, "a list")

    def _wrong(self, node: Node, kind: Kind, wanted: str = "an object") -> None:
        severity: Severity = "warning" if kind in INFORMATIVE else "error"
        message = f"{kind} has to be {wanted}, not {type_name(node.value)}"
        self._add("WrongType", node.place, message, severity)

    def _schema(self, node: Node) -> None:
        """Most nodes of a document are schemas, so this is `_visit` with everything known in advance."""
        value = node.value
        if not isinstance(value, dict):
            if not isinstance(value, bool):
                self._wrong(node, "schema")
            return
        mark: tuple[int, Kind] = (id(value), "schema")
        if mark in self._seen:
            return
        self._seen.add(mark)
        if "$id" in value:
            node = self.files.enter(node)
        if "$ref" in value:
            self._reference(node, "schema")
            if self.files.dialect == "3.0":
                return
        if "$dynamicRef" in value:
            self.files.dynamic = True
            self._reference(node, "schema", "$dynamicRef")
        if "required" in value or "exclusiveMinimum" in value or "exclusiveMaximum" in value:
            self._repaired(node)
        if "$schema" in value:
            self._dialect(node, "$schema")
        fields = FIELDS["schema"]
        stack = self._stack
        resource, pointer = node.resource, node.pointer
        for name, item in value.items():
            field = fields.get(name)
            if field is None:
                continue
            if field.many == "one":
                if type(item) is not bool:
                    stack.append((Node(item, resource, f"{pointer}/{name}"), "schema"))
            else:
                self._members(Node(item, resource, f"{pointer}/{name}"), field)

    def _repaired(self, node: Node) -> None:
        """Name what `bundle.py` reads in spite of being written wrongly."""
        for keyword in ("exclusiveMinimum", "exclusiveMaximum"):
            if isinstance(node.value.get(keyword), bool) and self.files.dialect != "3.0":
                text = f"{keyword} is a number since OpenAPI 3.1; the boolean is read as in 3.0"
                self._add("InvalidSchema", node.place, text, "warning")
        required = node.value.get("required")
        names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        if len(set(names)) != len(names):
            self._add("InvalidSchema", node.place, "required names a property twice", "warning")

    def _dialect(self, node: Node, field: str) -> None:
        if not str(node.value[field]).startswith(_OWN_DIALECTS):
            self._add("NotExecuted", node.place, f"{field}: schemas are read as JSON Schema 2020-12", "warning")

    def _reference(self, node: Node, kind: Kind, keyword: str = "$ref") -> None:
        reference = node.value[keyword]
        if not isinstance(reference, str):
            self._add(REFERENCE_ISSUES[kind], node.place, f"{keyword} has to be a string, not {type_name(reference)}")
            return
        mark = (id(node.resource), reference, kind)
        if mark in self._resolved:
            return
        severity: Severity = "warning" if kind in INFORMATIVE else "error"
        try:
            target = self.files.resolve(reference, node.resource)
        except ReferenceProblem as problem:
            name = "UnsupportedExternalRef" if problem.remote else REFERENCE_ISSUES[kind]
            if problem.remote and self._unused:
                severity = "warning"
            self._add(name, node.place, str(problem), severity)
            return
        self._resolved.add(mark)
        if self._leads_back(target):
            self._add(REFERENCE_ISSUES[kind], node.place, f"{reference!r} only leads back to itself", severity)
            return
        self._stack.append((target, kind))

    def _leads_back(self, target: Node) -> bool:
        """Whether a chain of bare references never ends; chains of one or two links are the rule."""
        try:
            self.files.follow(target)
        except ReferenceProblem as problem:
            return problem.cyclic
        return False
