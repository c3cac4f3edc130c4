"""Many schemas in one validator.

Compiling a schema of a large document may take in half of it, and a document has thousands of values to judge.  As
properties of one object all of them are compiled together, and what they share is compiled once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import jsonschema_rs

from brrtrouter.spec.bundle import SchemaCompileError
from brrtrouter.spec.schema import Schema

_SIZE: Final = 2_000

Check = Callable[[Any], bool]


def checks(schemas: Sequence[Schema]) -> Iterator[tuple[Schema, Check | None]]:
    """Each schema with a check of values; with None where the schema cannot be compiled."""
    for start in range(0, len(schemas), _SIZE):
        yield from _checks(schemas[start : start + _SIZE])


def _checks(schemas: Sequence[Schema]) -> Iterator[tuple[Schema, Check | None]]:
    try:
        together = _together(schemas)
    except (SchemaCompileError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError):
        if len(schemas) == 1:
            yield schemas[0], None
            return
        middle = len(schemas) // 2
        yield from _checks(schemas[:middle])
        yield from _checks(schemas[middle:])
        return
    for at, schema in enumerate(schemas):
        yield schema, _check(together, str(at))


def _check(together: Check, name: str) -> Check:
    return lambda value: together({name: value})


def _together(schemas: Sequence[Schema]) -> Check:
    properties: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for at, schema in enumerate(schemas):
        bundle = schema.counted()
        if isinstance(bundle, dict):
            # Names of definitions are the document's: the same name is the same schema.
            definitions.update(bundle.get("$defs", {}))
            bundle = {name: item for name, item in bundle.items() if name != "$defs"}
        properties[str(at)] = bundle
    return schemas[0].check_for({"properties": properties, "$defs": definitions})
