"""Operations that are added to a running application, and taken from it.

The description changes with them, so that validation, the documentation page and everything else treat an added
operation like one of the document.  Each change makes a new version of the application beside the one that runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from brrtrouter.errors import BrrtError, Issue, SpecError
from brrtrouter.spec import model
from brrtrouter.spec.load import load
from brrtrouter.spec.schema import SchemaOptions

# Fields of a Path Item Object (OpenAPI 3.2 section 4.9); other methods stand in `additionalOperations`.
_METHODS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"})
# What an added operation sees of the document.
_SHARED: Final = ("openapi", "info", "servers", "components", "security", "tags", "jsonSchemaDialect", "$self")


def added(
    specification: model.Specification,
    method: str,
    path: str,
    operation: Mapping[str, Any],
    options: SchemaOptions,
) -> model.Specification:
    """The description with one more operation, an Operation Object that may refer to its components.

    Raises SpecError for what is wrong with it, BrrtError when there is one with this method and path already.
    """
    if any(same(each, method, path, specification) for each in specification.operations):
        raise BrrtError(f"{specification.source} has the operation {method} {path} already")
    item = item_of(method, operation)
    shared = {name: specification.document[name] for name in _SHARED if name in specification.document}
    part = load({**shared, "paths": {path: item}}, base_path=specification.base_path, options=options)
    name = operation.get("operationId")
    if name is not None and any(each.operation_id == name for each in specification.operations):
        where = part.operations[-1].pointer
        raise SpecError(specification.source, [Issue("DuplicateOperationId", where, f"{name!r} is taken already")])
    paths = dict(specification.document.get("paths") or {})
    paths[path] = merged(paths.get(path) or {}, item)
    return replace(
        specification,
        document={**specification.document, "paths": paths},
        raw=None,
        operations=specification.operations + part.operations,
    )


def removed(specification: model.Specification, method: str, path: str) -> model.Specification:
    """The description without an operation.  Raises BrrtError when it has none with this method and path."""
    gone = [each for each in specification.operations if same(each, method, path, specification)]
    if not gone:
        raise BrrtError(f"{specification.source} has no operation {method} {path}")
    paths = dict(specification.document.get("paths") or {})
    item = {name: value for name, value in (paths.get(path) or {}).items() if name != method.lower()}
    more = {name: value for name, value in item.get("additionalOperations", {}).items() if name != method}
    if "additionalOperations" in item:
        item["additionalOperations"] = more
    if more or any(name in _METHODS for name in item):
        paths[path] = item
    else:
        paths.pop(path, None)
    kept = tuple(each for each in specification.operations if each not in gone)
    return replace(specification, document={**specification.document, "paths": paths}, raw=None, operations=kept)


def same(operation: model.Operation, method: str, path: str, specification: model.Specification) -> bool:
    """Whether an operation has this method and this path of the document, or this path with the base path."""
    full = (specification.base_path or "") + path
    return operation.method == method.upper() and operation.path in (path, full)


def item_of(method: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    """A Path Item Object with one operation."""
    if method.lower() in _METHODS:
        return {method.lower(): dict(operation)}
    return {"additionalOperations": {method: dict(operation)}}


def merged(item: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """A Path Item Object with the operations of another one."""
    both = {**item, **more}
    if "additionalOperations" in item and "additionalOperations" in more:
        both["additionalOperations"] = {**item["additionalOperations"], **more["additionalOperations"]}
    return both
