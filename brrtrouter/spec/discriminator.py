"""Discriminator Objects (OpenAPI 3.1 section 4.8.25, 3.2 section 4.26): which branch of a choice a value means.

A discriminator never changes what is valid.  It tells whose faults to report when a value fits none of the branches.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from brrtrouter.spec.reference import MAX_CHAIN, Files, Node, ReferenceProblem


class Choice(NamedTuple):
    """The property `name` selects a branch: `branches` has its index for each value, `default` that for all others."""

    name: str
    branches: dict[str, int]
    default: int | None = None

    def branch(self, tag: Any) -> int | None:
        """The branch for a value of the property; None when there is none."""
        return self.branches.get(tag, self.default) if isinstance(tag, str) else self.default


def read_choice(files: Files, schema: Node, keyword: str) -> Choice | None:
    """The choice that a discriminator makes among the branches of `keyword`; None without a usable one.

    It stands beside the keyword, or in the one parent that all branches inherit from by `allOf`.
    """
    try:
        branches = [schema.child(keyword).child(at) for at in range(len(schema.value[keyword]))]
        owner = schema if isinstance(schema.value.get("discriminator"), dict) else _common_parent(files, branches)
        if owner is None:
            return None
        discriminator = owner.value["discriminator"]
        if not isinstance(discriminator.get("propertyName"), str):
            return None
        return _read(files, owner, discriminator, branches)
    except (ReferenceProblem, LookupError, TypeError):
        return None


def _read(files: Files, owner: Node, discriminator: dict[str, Any], branches: list[Node]) -> Choice:
    by_name: dict[str, int] = {}
    by_target: dict[int, int] = {}
    for at, branch in enumerate(branches):
        if isinstance(branch.value, dict) and isinstance(branch.value.get("$ref"), str):
            target = files.resolve(branch.value["$ref"], branch.resource)
            by_name[target.pointer.rpartition("/")[2]] = by_target[id(target.value)] = at

    def find(name: Any) -> int | None:
        """A component's name first, then a URI (OpenAPI 3.1 section 4.8.25.4 leaves the order open)."""
        if not isinstance(name, str) or name in by_name:
            return by_name.get(name)
        try:
            return by_target.get(id(files.resolve(name, owner.resource).value))
        except ReferenceProblem:
            return None

    tags = dict(by_name)
    mapping = discriminator.get("mapping")
    for tag, name in mapping.items() if isinstance(mapping, dict) else ():
        index = find(name)
        if index is not None:
            tags[tag] = index
    default = find(discriminator.get("defaultMapping")) if files.version >= (3, 2) else None
    return Choice(discriminator["propertyName"], tags, default)


def _common_parent(files: Files, branches: list[Node]) -> Node | None:
    """The schema with a discriminator that every branch has among its ancestors."""
    common: dict[int, Node] | None = None
    for branch in branches:
        own = {id(node.value["discriminator"]): node for node in _ancestors(files, branch)}
        common = own if common is None else {key: node for key, node in common.items() if key in own}
    return next(iter(common.values()), None) if common else None


def _ancestors(files: Files, node: Node) -> Iterator[Node]:
    """The schemas with a discriminator among a schema and those that it inherits from, the nearest first."""
    todo, budget = [node], MAX_CHAIN
    while todo and budget:
        budget -= 1
        here = files.follow(todo.pop(0))
        if not isinstance(here.value, dict):
            continue
        if isinstance(here.value.get("discriminator"), dict):
            yield here
        if isinstance(here.value.get("allOf"), list):
            branches = here.child("allOf")
            todo += [branches.child(at) for at in range(len(branches.value))]
