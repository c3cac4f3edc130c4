"""OpenAPI schemas to JSON Schema 2020-12: one self-contained document per schema.

Every `$ref` that a schema reaches, in whatever file, becomes an entry of `$defs`; the keywords of the 3.0 dialect
become those of 2020-12; what has no say in validity (titles, examples, `x-`...) is left out.  A translated
schema keeps the paths of the original, so that a failed path can be followed in the original document.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import unquote

from brrtrouter.errors import BrrtError
from brrtrouter.spec.formats import bind
from brrtrouter.spec.grammar import FIELDS
from brrtrouter.spec.multiplied import MAX_TRIES, Multiplied
from brrtrouter.spec.patterns import MAX_REQUEST_WORK, MAX_WORK, PatternTooLargeError, spell_out
from brrtrouter.spec.reference import MAX_CHAIN, Files, Node, ReferenceProblem, Resource
from brrtrouter.spec.work import COUNTED

Direction = Literal["request", "response"]


class SchemaCompileError(BrrtError, ValueError):
    """A schema that cannot be used for validation: `pointer` is its place, `reason` what is wrong with it."""

    def __init__(self, pointer: str, reason: str) -> None:
        self.pointer = pointer
        self.reason = reason
        super().__init__(f"the schema at {pointer or '/'} cannot be used: {reason}")


# Keywords that mean the same in every dialect and hold no schemas.
_PLAIN: Final = frozenset(
    {
        *("type", "enum", "const", "multipleOf", "maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"),
        *("maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains"),
        *("maxProperties", "minProperties", "required", "dependentRequired", "format"),
    }
)
_SCHEMAS: Final = {name: f.many for name, f in FIELDS["schema"].items() if name not in ("$defs", "contentSchema")}
_REFERENCES: Final = ("$ref", "$dynamicRef")
_UNNAMEABLE: Final = re.compile(r"[^A-Za-z0-9_.\-]")


class SchemaOptions(NamedTuple):
    """How the schemas of a document are read.

    formats: `format` is asserted, not only noted.  read_only, write_only: what a request, or an answer, with such a
    member is, "accept" or "refuse".  faults: how many faults of one value are told.  pattern_work: what a pattern may
    take with one text (see `patterns.MAX_WORK`).  request_work: what all patterns may take with the texts of a request.
    """

    formats: bool = True
    read_only: str = "accept"
    write_only: str = "accept"
    faults: int = 100
    pattern_work: int = MAX_WORK
    request_work: int = MAX_REQUEST_WORK


# The dynamic anchors that the schemas entered so far have, the outermost first; each with the id of its schema's value.
Scope = tuple[tuple[str, int], ...]
# Schemas are translated once for each scope that they are reached in.
_MAX_FRAGMENTS: Final = 100_000


class Walk(NamedTuple):
    """The way from the root of a bundle to a schema: the names it needs so far, and the dynamic scope."""

    needed: list[str]
    scope: Scope


class Bundler:
    """Makes the bundles for one direction; fragments are translated once and shared by all bundles."""

    def __init__(self, files: Files, direction: Direction, options: SchemaOptions) -> None:
        self.files = files
        self.old = files.dialect == "3.0"
        self.formats = options.formats
        self.counts = False  # whether a pattern stands as `COUNTED` anywhere
        self.work = (options.pattern_work, options.request_work)
        mark, policy = {
            "request": ("readOnly", options.read_only),
            "response": ("writeOnly", options.write_only),
        }[direction]
        self.refused = policy == "refuse"
        # OpenAPI 3.0.3 section 4.7.24.2: a required readOnly property is required in responses only, and reverse.
        # What may not be sent cannot be required either.
        self.exempt = mark if self.old or self.refused else ""
        self._names: dict[tuple[int, Scope], str] = {}
        self._nodes: dict[str, tuple[Node, Scope]] = {}
        self._anchored: dict[int, Node] = {}
        self._fragments: dict[str, tuple[Any, tuple[str, ...]]] = {}
        self._multiplied = Multiplied(self._fragment)

    def bundle(self, node: Node) -> Any:
        """The schema at `node` and all that it refers to as one 2020-12 schema.  Raises `SchemaCompileError`."""
        needed: list[str] = []
        try:
            root = self._translate(node, Walk(needed, ()))
            most = self._multiplied.most(root, tuple(needed))
            definitions: dict[str, Any] = {}
            while needed:
                name = needed.pop()
                if name not in definitions:
                    definitions[name], more = self._fragment(name)
                    needed += more
        except ReferenceProblem as problem:
            raise SchemaCompileError(node.place, str(problem)) from None
        except RecursionError:
            raise SchemaCompileError(node.place, "it is nested too deeply") from None
        if most > MAX_TRIES:
            many = f"{min(most, 10**15):,} schemas would judge one value, and {MAX_TRIES:,} may"
            raise SchemaCompileError(node.place, f"its branches multiply: {many}")
        return {**root, "$defs": definitions} if definitions else root

    def _fragment(self, name: str) -> tuple[Any, tuple[str, ...]]:
        known = self._fragments.get(name)
        if known is None:
            needed: list[str] = []
            node, scope = self._nodes[name]
            schema = self._translate(node, Walk(needed, scope))
            known = self._fragments[name] = (schema, tuple(needed))
        return known

    def _local(self, node: Node, keyword: str, walk: Walk) -> str:
        reference = node.value[keyword]
        if not isinstance(reference, str):
            raise ReferenceProblem(f"{keyword} has to be a string")
        target = self.files.resolve(reference, node.resource)
        if not isinstance(target.value, (dict, bool)):
            raise ReferenceProblem(f"{reference!r} is no schema")
        if keyword == "$dynamicRef":
            target = self._outermost(target, reference, walk.scope)
        # `true` and `false` have no identity of their own, but nothing distinguishes two of them either.
        key = (id(target.value), walk.scope)
        name = self._names.get(key)
        if name is None:
            stem = _UNNAMEABLE.sub("_", target.pointer.rpartition("/")[2]) or "root"
            name = stem
            while name in self._nodes:
                name = f"{stem}_{len(self._nodes)}"
            if len(self._nodes) >= _MAX_FRAGMENTS:
                raise ReferenceProblem("its dynamic references give too many schemas")
            self._names[key] = name
            self._nodes[name] = (target, walk.scope)
        walk.needed.append(name)
        return f"#/$defs/{name}"

    def _outermost(self, target: Node, reference: str, scope: Scope) -> Node:
        """What a dynamic reference means in this scope (JSON Schema 2020-12 section 8.2.3.2)."""
        name = unquote(reference.partition("#")[2])
        if not isinstance(target.value, dict) or target.value.get("$dynamicAnchor") != name:
            return target
        return next((self._anchored[key] for anchor, key in scope if anchor == name), target)

    def _entered(self, walk: Walk, resource: Resource) -> Walk:
        """The same way, with the dynamic anchors of a resource that it has come to."""
        known = {name for name, _ in walk.scope}
        more: list[tuple[str, int]] = []
        for name, node in self.files.dynamic_anchors(resource).items():
            if name not in known:
                self._anchored[id(node.value)] = node
                more.append((name, id(node.value)))
        return Walk(walk.needed, walk.scope + tuple(more)) if more else walk

    def _translate(self, node: Node, walk: Walk) -> Any:
        value = node.value
        if isinstance(value, bool):
            return value
        if not isinstance(value, dict):
            raise SchemaCompileError(node.place, "a schema has to be an object")
        node = self.files.enter(node)
        if self.files.dynamic:
            walk = self._entered(walk, node.resource)
        if self.old and "$ref" in value:
            return {"$ref": self._local(node, "$ref", walk)}
        schema: dict[str, Any] = {}
        for keyword, item in value.items():
            many = _SCHEMAS.get(keyword)
            if many == "one":
                schema[keyword] = self._translate(node.child(keyword), walk)
            elif many is not None:
                inner = node.child(keyword)
                if many == "map" and isinstance(item, dict):
                    members: Any = {}
                    for name in item:
                        if name == "$ref" and isinstance(item[name], str):
                            continue
                        member = inner.child(name)
                        if self.refused and keyword == "properties" and self._flagged(member):
                            members[name] = False
                        else:
                            members[name] = self._translate(member, walk)
                elif many == "list" and isinstance(item, list):
                    members = []
                    for at in range(len(item)):
                        members.append(self._translate(inner.child(at), walk))
                else:
                    wanted = "an object" if many == "map" else "a list"
                    raise SchemaCompileError(inner.place, f"{keyword} has to be {wanted}")
                schema[keyword] = members
            elif keyword in _PLAIN:
                schema[keyword] = item
            elif keyword in _REFERENCES:
                local = self._local(node, keyword, walk)
                if schema.setdefault("$ref", local) != local:
                    schema.setdefault("allOf", []).append({"$ref": local})
        _repair(schema)
        if "pattern" in schema or "patternProperties" in schema:
            try:
                if spell_out(schema, *self.work):
                    schema[COUNTED] = schema.pop("pattern")
                    self.counts = True
            except PatternTooLargeError as error:
                raise SchemaCompileError(node.place, str(error)) from None
        if self.old:
            self._modernise(node, schema)
        if self.exempt and isinstance(schema.get("required"), list):
            schema["required"] = [name for name in schema["required"] if not self._exempted(node, name)]
        if self.formats and "format" in schema:
            bind(schema)
        return schema

    def _modernise(self, node: Node, schema: dict[str, Any]) -> None:
        """Apply what the 3.0 dialect says otherwise than 2020-12 (OpenAPI 3.0.4 section 4.7.24)."""
        kind = schema.get("type")
        # `nullable` widens `type` and nothing else: an enum still has to list null.
        if node.value.get("nullable") is True and isinstance(kind, str) and kind != "null":
            schema["type"] = [kind, "null"]

    def _exempted(self, node: Node, name: Any) -> bool:
        return any(self._flagged(place) for place in self._places(node, name))

    def _places(self, node: Node, name: Any) -> list[Node]:
        """Where the property `name` is described: in the schema itself and in the branches of its `allOf`."""
        found: list[Node] = []
        todo, budget = [node], MAX_CHAIN
        while todo and budget:
            budget -= 1
            here = self.files.follow(todo.pop())
            if not isinstance(here.value, dict):
                continue
            properties = here.value.get("properties")
            if isinstance(properties, dict) and isinstance(name, str) and name in properties:
                found.append(here.child("properties").child(name))
            if isinstance(here.value.get("allOf"), list):
                branches = here.child("allOf")
                todo += [branches.child(at) for at in range(len(branches.value))]
        return found

    def _flagged(self, node: Node) -> bool:
        todo, budget = [node], MAX_CHAIN
        while todo and budget:
            budget -= 1
            here = self.files.follow(todo.pop())
            if not isinstance(here.value, dict):
                continue
            if here.value.get(self.exempt) is True:
                return True
            if isinstance(here.value.get("allOf"), list):
                branches = here.child("allOf")
                todo += [branches.child(at) for at in range(len(branches.value))]
        return False


def _repair(schema: dict[str, Any]) -> None:
    """Read what means one thing only, although 2020-12 writes it otherwise.

    A boolean beside a bound is how 3.0 makes the bound exclusive; in later documents `check.py` warns about it,
    and about names repeated in `required`.
    """
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        flag = schema.get(exclusive)
        if isinstance(flag, bool):
            del schema[exclusive]
            if flag and bound in schema:
                schema[exclusive] = schema.pop(bound)
    required = schema.get("required")
    if isinstance(required, list) and all(isinstance(name, str) for name in required):
        schema["required"] = list(dict.fromkeys(required))
