"""The JSON Schema of the configuration file, made from the sections themselves: types, defaults, ranges, choices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Final, get_args, get_origin, get_type_hints

from brrtrouter.config.rules import CHOICES, MATCHING, MOST_BOUNDS, PATH, RANGE, RANGES
from brrtrouter.config.sections import Config, Receiver
from brrtrouter.credentials import NamedKey

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_SCALARS: Final[Mapping[Any, str]] = {bool: "boolean", int: "integer", float: "number", str: "string"}


def config_schema() -> dict[str, Any]:
    """The schema of what `load_config` takes as a file or mapping (JSON Schema 2020-12)."""
    return {"$schema": DIALECT, "title": "BRRTRouter configuration", **_section(Config, "")}


def _section(kind: type[Any], prefix: str) -> dict[str, Any]:
    hints = get_type_hints(kind)
    properties = {each.name: _setting(each, hints[each.name], prefix + each.name) for each in fields(kind)}
    found: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": properties}
    # What a dataclass that has none is given tells nobody anything.
    if kind.__doc__ and not kind.__doc__.startswith(kind.__name__ + "("):
        found["description"] = re.sub(r"\s+", " ", kind.__doc__).strip()
    return found


def _setting(field: Field[Any], hint: Any, name: str) -> dict[str, Any]:
    found = _value(hint, name)
    default = field.default if field.default is not MISSING else None
    if isinstance(default, tuple):
        default = list(default)
    if default is not None and field.repr:
        found["default"] = default
    # A key without a value keeps its default.
    if "type" in found and "enum" not in found:
        return {**found, "type": [found["type"], "null"]}
    return {"anyOf": [found, {"type": "null"}]}


def _value(hint: Any, name: str) -> dict[str, Any]:
    if is_dataclass(hint):
        return _section(hint, name + ".")  # type: ignore[arg-type]
    if get_origin(hint) is not None and get_origin(hint).__name__ == "Mapping":
        return {"type": "object", "additionalProperties": _entry(get_args(hint)[1], name)}
    if hint == tuple[NamedKey, ...]:
        return {"type": "array", "items": _section(NamedKey, name + ".")}
    if hint == tuple[float, ...]:
        return {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": MOST_BOUNDS}
    if hint == tuple[str, ...]:
        items = {"type": "string", **_matching(name)}
        alone = name.startswith("security.")
        return {"anyOf": [items, {"type": "array", "items": items}]} if alone else {"type": "array", "items": items}
    if hint == (str | None):
        return {"anyOf": [{"type": "string", "pattern": f"^(?:{PATH.pattern})?$"}, {"const": False}]}
    found: dict[str, Any] = {"type": _SCALARS[hint], **_matching(name)}
    if hint in (int, float):
        found["minimum"], found["maximum"] = RANGES.get(name, RANGE)
    # What YAML 1.1 makes of these words.
    switches = [value for value, word in ((False, "off"), (True, "on")) if word in CHOICES.get(name, ())]
    if switches:
        found = {"anyOf": [found, {"enum": switches}]}
    return found


def _entry(kind: Any, name: str) -> dict[str, Any]:
    if kind is str:
        return {"type": "string"}
    if kind is Receiver:
        secret = {"anyOf": [{"type": "string"}, {**_TEXTS, "minItems": 1}]}
        whole = {"type": "object", "required": ["path"], "additionalProperties": False}
        return {"anyOf": [{"type": "string"}, {**whole, "properties": {"path": {"type": "string"}, "secret": secret}}]}
    return _section(kind, name + ".")


def _matching(name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if name in CHOICES:
        found["enum"] = list(CHOICES[name])
    if name in MATCHING:
        found["pattern"] = f"^(?:{MATCHING[name][0].pattern})$"
    return found
