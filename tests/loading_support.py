"""What the tests of loading share: a document with one schema, and what it accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from brrtrouter.errors import SpecError
from brrtrouter.spec.load import load
from brrtrouter.spec.model import Specification

SHARED = Path(__file__).parents[2] / "shared" / "specs"


def document(schema: Any, version: str = "3.1.0", **rest: Any) -> dict[str, Any]:
    """A document whose one operation has a JSON body with this schema."""
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    paths = {"/x": {"post": {"operationId": "o", "requestBody": body}}}
    return {"openapi": version, "info": {"title": "T", "version": "1"}, "paths": paths, **rest}


def accepts(specification: Specification, value: Any) -> bool:
    body = specification.operations[0].request_body
    assert body is not None
    schema = body.content[0].schema
    return schema is None or schema.is_valid(value)


def kinds(source: Any, **options: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(source, **options)
    return [issue.kind for issue in caught.value.issues if issue.severity == "error"]
