"""Bundles that keep what a schema says beside validity: examples, defaults, discriminators.  For making values."""

from __future__ import annotations

from typing import Any, Final

from brrtrouter.spec.bundle import Bundler, Walk
from brrtrouter.spec.reference import Node, ReferenceProblem
from brrtrouter.spec.work import COUNTED

_KEPT: Final = ("example", "examples", "default", "contentEncoding", "contentMediaType")
_DEFINITIONS: Final = "#/$defs/"


class AnnotatedBundler(Bundler):
    """Translates like the one for validation, so that both agree about what is there."""

    def _translate(self, node: Node, walk: Walk) -> Any:
        schema = super()._translate(node, walk)
        value = node.value
        if not isinstance(schema, dict) or (self.old and "$ref" in value):
            return schema
        if COUNTED in schema:
            schema["pattern"] = schema.pop(COUNTED)
        for keyword in _KEPT:
            if keyword in value:
                schema[keyword] = value[keyword]
        discriminator = value.get("discriminator")
        if isinstance(discriminator, dict) and isinstance(discriminator.get("propertyName"), str):
            tags = self._tags(self.files.enter(node), discriminator.get("mapping"))
            schema["discriminator"] = {"propertyName": discriminator["propertyName"], "tags": tags}
        return schema

    def _tags(self, node: Node, mapping: Any) -> dict[str, str]:
        """What the discriminating property says for each definition (OpenAPI 3.1 section 4.8.25)."""
        tags: dict[str, str] = {}
        for tag, name in mapping.items() if isinstance(mapping, dict) else ():
            for reference in (f"#/components/schemas/{name}", name):
                definition = self._definition(reference, node)
                if definition is not None:
                    tags.setdefault(definition, tag)
                    break
        for keyword in ("oneOf", "anyOf"):
            branches = node.value.get(keyword)
            for branch in branches if isinstance(branches, list) else ():
                reference = branch.get("$ref") if isinstance(branch, dict) else None
                definition = self._definition(reference, node)
                if definition is not None and isinstance(reference, str):
                    tags.setdefault(definition, reference.rpartition("/")[2])
        return tags

    def _definition(self, reference: Any, node: Node) -> str | None:
        """The name that the target of a reference has among the definitions; None when there is no such target."""
        node = node._replace(value={"$ref": reference})
        try:
            return self._local(node, "$ref", Walk([], ())).removeprefix(_DEFINITIONS)
        except ReferenceProblem:
            return None
