"""Example Objects (OpenAPI 3.1 section 4.8.19, 3.2 section 4.19): what the author of a description wrote as a value."""

from __future__ import annotations

from brrtrouter.spec.model import MISSING, Example
from brrtrouter.spec.reference import Files, Node, ReferenceProblem
from brrtrouter.spec.report import member, members


def read_examples(files: Files, holder: Node) -> tuple[Example, ...]:
    """The `example` and the `examples` of a media type, parameter or header, in that order.

    A file of externalValue is located below the folder of the document, and not opened.
    """
    found: list[Example] = []
    if "example" in holder.value:
        found.append(Example("", holder.child("example").place, holder.value["example"]))
    for name, item in members(member(holder, "examples")):
        try:
            node = files.follow(item)
        except ReferenceProblem:
            continue  # check.py has reported it
        if not isinstance(node.value, dict):
            continue
        value = node.value.get("dataValue", node.value.get("value", MISSING))
        serialized, external = node.value.get("serializedValue"), node.value.get("externalValue")
        if value is not MISSING:
            found.append(Example(name, node.place, value))
        elif isinstance(serialized, str):
            found.append(Example(name, node.place, serialized=serialized))
        elif isinstance(external, str):
            found.append(_external(files, name, node, external))
    return tuple(found)


def _external(files: Files, name: str, node: Node, address: str) -> Example:
    try:
        return Example(name, node.place, external=address, file=files.locate(address, node.resource))
    except ReferenceProblem:
        return Example(name, node.place, external=address)
