"""Collects the issues of one document."""

from __future__ import annotations

from typing import Any

from brrtrouter.errors import Issue
from brrtrouter.spec.reference import Node


class Report:
    """Issues in the order found; the same issue about the same place is kept once."""

    def __init__(self) -> None:
        self._issues: dict[Issue, None] = {}

    def add(self, issue: Issue) -> None:
        """Take over an issue that was made elsewhere."""
        self._issues[issue] = None

    def error(self, kind: str, place: Node, message: str) -> None:
        """The document cannot be served because of this."""
        self.add(Issue(kind, place.place, message))

    def warning(self, kind: str, place: Node, message: str) -> None:
        """The document can be served, but not quite as it is written."""
        self.add(Issue(kind, place.place, message, "warning"))

    @property
    def issues(self) -> list[Issue]:
        """Everything reported so far."""
        return list(self._issues)


def member(node: Node, name: str) -> Node | None:
    """The member `name` of an object, None when it is absent or when the node is no object."""
    return node.child(name) if isinstance(node.value, dict) and name in node.value else None


def members(node: Node | None) -> list[tuple[str, Node]]:
    """The members of a map without its extensions, [] for anything that is no map."""
    if node is None or not isinstance(node.value, dict):
        return []
    return [(name, node.child(name)) for name in node.value if not name.startswith("x-")]


def text(value: Any) -> str:
    """The value when it is a string, else nothing."""
    return value if isinstance(value, str) else ""
