"""The schema of a pet for the servers that come without a validator of their own."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name", "status", "owner"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 50},
        "status": {"type": "string", "enum": ["available", "pending", "sold"]},
        "owner": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string", "maxLength": 80}, "city": {"type": "string"}},
        },
    },
}
is_valid = jsonschema_rs.validator_for(SCHEMA).is_valid


def post(user: str, number: str, limit: str) -> dict[str, int]:
    """The answer of W2.  Raises ValueError for what is no integer, or out of range."""
    value = {"id": int(user), "post_id": int(number), "limit": int(limit)}
    if not 1 <= value["limit"] <= 100:
        raise ValueError("limit")
    return value
