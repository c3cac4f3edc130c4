"""What the tests of `load` share: small documents, and what was found in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from brrtrouter.errors import Issue, SpecError
from brrtrouter.spec.limits import Limits
from brrtrouter.spec.load import load
from brrtrouter.spec.model import Operation, Parameter, Specification
from brrtrouter.spec.source import read_source

SPECS = Path(__file__).parent / "specs"


SHARED = Path(__file__).parents[2] / "shared" / "specs"


EVERYTHING = read_source(SPECS / "everything.yaml", Limits()).value


def document(paths: Any = None, version: str = "3.1.0", **rest: Any) -> dict[str, Any]:
    return {"openapi": version, "info": {"title": "T", "version": "1"}, "paths": {} if paths is None else paths, **rest}


def get(**operation: Any) -> dict[str, Any]:
    return {"get": {"operationId": "op", **operation}}


def errors(source: Any, **options: Any) -> list[Issue]:
    with pytest.raises(SpecError) as caught:
        load(source, **options)
    return [issue for issue in caught.value.issues if issue.severity == "error"]


def kinds(source: Any, **options: Any) -> list[str]:
    return [issue.kind for issue in errors(source, **options)]


def warnings(source: Any, **options: Any) -> list[tuple[str, str]]:
    return [(issue.kind, issue.pointer) for issue in load(source, **options).issues]


def only(specification: Specification) -> Operation:
    (operation,) = specification.operations
    return operation


def parameter(definition: Any, version: str = "3.1.0", **components: Any) -> Parameter:
    location = definition.get("in", "query") if isinstance(definition, dict) else "query"
    path = "/x/{p}" if location == "path" else "/x"
    operation = only(load(document({path: get(parameters=[definition])}, version, components=components)))
    (found,) = operation.parameters
    return found


def query(schema: Any, version: str = "3.1.0", **rest: Any) -> Parameter:
    return parameter({"name": "p", "in": "query", "schema": schema, **rest}, version)


def operation(specification: Specification, method: str, template: str) -> Operation:
    return next(o for o in specification.operations if (o.method, o.template) == (method, template))
