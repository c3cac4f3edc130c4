"""How much nesting a schema needs at least: what ends a recursive description."""

from __future__ import annotations

from typing import Any, Final

from brrtrouter.spec.sample.flat import Flattener

# A schema that needs more levels than these counts as one that never ends.
ENDLESS: Final = 40


class Depths:
    """Answers for the schemas of one document; each is found once."""

    def __init__(self, flattener: Flattener) -> None:
        self._flattener = flattener
        self._known: dict[tuple[int, int], bool] = {}
        self._needed: dict[int, int] = {}

    def needed(self, schema: Any) -> int:
        """The fewest levels of arrays and objects in a value of the schema, `ENDLESS` when there are none so few."""
        known = self._needed.get(id(schema))
        if known is None:
            levels = (level for level in range(ENDLESS) if self._fits(schema, level))
            known = self._needed[id(schema)] = next(levels, ENDLESS)
        return known

    def _fits(self, schema: Any, level: int) -> bool:
        """Whether a value with `level` levels below it can do; a reference without a level of its own costs one."""
        if not isinstance(schema, dict):
            return schema is not False
        if level < 0:
            return False
        key = (id(schema), level)
        known = self._known.get(key)
        if known is None:
            self._known[key] = False  # what is met again on the way at the same level cannot end here
            known = self._known[key] = self._all_fit(schema, level)
        return known

    def _all_fit(self, schema: dict[str, Any], level: int) -> bool:
        if "enum" in schema or "const" in schema:
            return True
        if "$ref" in schema and not self._fits(self._flattener.target(schema), level):
            return False
        kinds = schema.get("type")
        if isinstance(kinds, list) and "null" in kinds:
            return True
        properties = schema.get("properties", {})
        below = [properties[name] for name in schema.get("required", ()) if name in properties]
        if schema.get("minItems", 0) > 0:
            below += [*schema.get("prefixItems", ())[: schema["minItems"]], schema.get("items", True)]
        if schema.get("minProperties", 0) > len(below) and not properties:
            below.append(schema.get("additionalProperties", True))
        return (
            all(self._fits(each, level - 1) for each in below)
            and all(self._fits(each, level) for each in schema.get("allOf", ()))
            and all(
                any(self._fits(each, level) for each in schema[keyword])
                for keyword in ("anyOf", "oneOf")
                if schema.get(keyword)
            )
        )
