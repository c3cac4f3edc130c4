"""Settings: one frozen object, from defaults, then a file, then the environment.

Every limit has a name and a default here; docs/configuration.md lists them.  Unknown keys are refused, and a secret is
never part of a message or a `repr`.

The environment: BRRTR_LIMITS__BODY sets `limits.body`, and so on for every key of limits, endpoints and routing, each
written as in YAML; BRRTR_API_KEY__<SCHEME> is the key of the apiKey scheme of that name (see `api_key_variable`), and
BRRTR_API_KEY that of every apiKey scheme without one.  A variable without text counts as not set.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, get_type_hints

from brrtrouter.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may take.  Sizes in bytes, times in seconds."""

    request_line: int = 8384
    header_field: int = 16 * 1024
    head: int = 32 * 1024
    header_count: int = 100
    body: int = 1024 * 1024
    query_parameters: int = 1000
    json_depth: int = 128
    pipeline: int = 16
    chunk_extensions: int = 16 * 1024
    trailers: int = 16 * 1024
    handler_threads: int = 8
    handler_queue: int = 1024
    drain: float = 30.0
    backlog: int = 2048


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the built-in endpoints are; None switches one off."""

    health: str | None = "/health"
    openapi_json: str | None = "/openapi.json"
    openapi_yaml: str | None = "/openapi.yaml"
    docs: str | None = "/docs"


@dataclass(frozen=True, slots=True)
class Routing:
    """How paths are matched beyond what the document says.

    trailing_slash: "strict" or "ignore".  auto_head: GET operations answer HEAD.  auto_options: OPTIONS answers 204
    with Allow where the document has no OPTIONS operation.
    """

    trailing_slash: str = "strict"
    auto_head: bool = True
    auto_options: bool = True


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The key of one apiKey scheme."""

    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Security:
    """Credentials by the name of the security scheme in the document."""

    api_keys: Mapping[str, ApiKey] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of an application."""

    limits: Limits = field(default_factory=Limits)
    endpoints: Endpoints = field(default_factory=Endpoints)
    routing: Routing = field(default_factory=Routing)
    security: Security = field(default_factory=Security)

    def api_key(self, scheme: str) -> str | None:
        """The key for an apiKey scheme: its own, else that from its environment variable, else the one for "*"."""
        keys = self.security.api_keys
        entry = keys.get(scheme) or keys.get(_capitals(scheme)) or keys.get("*")
        return entry.key if entry else None


_PREFIX: Final = "BRRTR_"
_ANY_KEY: Final = _PREFIX + "API_KEY"
_ONE_KEY: Final = _ANY_KEY + "__"
_CHOICES: Final = {"routing.trailing_slash": ("strict", "ignore")}
# An endpoint is a plain path: nothing in it is a template, and nothing would have to be escaped in a request for it.
_PATH: Final = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/]*")
_RANGE: Final = (0, 2**31 - 1)
_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "limits.request_line": (16, _RANGE[1]),
    "limits.header_field": (16, _RANGE[1]),
    "limits.head": (64, _RANGE[1]),
    "limits.header_count": (1, 256),  # BRRT_HEAD_MAX_FIELDS of csrc
    "limits.body": (0, sys.maxsize),
    "limits.query_parameters": (0, 65_536),
    "limits.json_depth": (1, 250),  # what the JSON encoder and the schema validator can take
    "limits.pipeline": (1, 10_000),
    "limits.handler_threads": (1, 10_000),
    "limits.drain": (0, 86_400),
    "limits.backlog": (1, 65_535),
}


def api_key_variable(scheme: str) -> str:
    """The environment variable for the key of an apiKey scheme: capitals, and `_` for what is no letter or digit."""
    return _ONE_KEY + _capitals(scheme)


def _capitals(scheme: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", scheme.upper())


def load_config(
    source: str | os.PathLike[str] | Mapping[str, Any] | Config | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Make the settings from a YAML file, a mapping, or nothing, then from the environment.

    A `Config` is only checked: the environment does not change it.  Raises ConfigError that names the key and where it
    came from.
    """
    if isinstance(source, Config):
        return _config(_as_mapping(source), "the Config")
    where, data = _read(source)
    return _with_environment(_config(data, where), os.environ if environ is None else environ)


def _read(source: str | os.PathLike[str] | Mapping[str, Any] | None) -> tuple[str, Mapping[str, Any]]:
    if source is None:
        return "the defaults", {}
    if isinstance(source, Mapping):
        return "the configuration", source
    path = Path(source)
    try:
        text = path.read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    data = _parse(text, str(path))
    if data is not None and not isinstance(data, Mapping):
        raise ConfigError(f"{path}: the top level is not a mapping")
    return str(path), data or {}


def _parse(text: bytes | str, where: str) -> Any:
    """A YAML text as values.  Messages say where it breaks, never what stands there: it may be a secret."""
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "a value cannot be read"
        raise ConfigError(f"{where}: not YAML{place}: {reason}") from None


def _with_environment(config: Config, environ: Mapping[str, str]) -> Config:
    keys: dict[str, ApiKey] = {}
    for variable, text in sorted(environ.items()):
        if not text or not variable.startswith(_PREFIX):
            continue
        if variable == _ANY_KEY:
            keys["*"] = ApiKey(text)
        elif variable.startswith(_ONE_KEY):
            keys[variable[len(_ONE_KEY) :]] = ApiKey(text)
        elif "__" in variable:
            config = _with_variable(config, variable, text)
    if not keys:
        return config
    named = {name: keys.get(_capitals(name), entry) for name, entry in config.security.api_keys.items()}
    return replace(config, security=Security(MappingProxyType(named | keys)))


def _with_variable(config: Config, variable: str, text: str) -> Config:
    """One more setting, as if it stood in the file."""
    section, _, key = variable[len(_PREFIX) :].lower().partition("__")
    current = getattr(config, section, None)
    if not is_dataclass(current) or isinstance(current, Security):
        raise ConfigError(f"{variable}: there is no section {section!r} to set in the environment")
    changed = _section(type(current), {**_as_mapping(current), key: _parse(text, variable)}, variable, section + ".")
    return replace(config, **{section: changed})


def _as_mapping(value: Any) -> Any:
    """Settings as they would stand in a file."""
    if is_dataclass(value):
        return {each.name: _as_mapping(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {name: _as_mapping(member) for name, member in value.items()}
    return value


def _config(data: Mapping[str, Any], where: str) -> Config:
    config: Config = _section(Config, data, where, "")
    return config


def _section(kind: type[Any], data: Any, where: str, prefix: str) -> Any:
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where}: {prefix.rstrip('.')} is not a mapping")
    hints = get_type_hints(kind)
    for name in data:
        if name not in hints:
            raise ConfigError(f"{where}: unknown key {prefix}{name}; known are {', '.join(sorted(hints))}")
    # A key without a value keeps its default, but for an endpoint "no value" is one.
    given = {name: value for name, value in data.items() if value is not None or hints[name] == (str | None)}
    return kind(**{name: _value(hints[name], value, where, prefix + name) for name, value in given.items()})


def _value(hint: Any, value: Any, where: str, name: str) -> Any:
    if is_dataclass(hint):
        return _section(hint, value, where, name + ".")  # type: ignore[arg-type]
    if hint == Mapping[str, ApiKey]:
        return _api_keys(value, where, name)
    if hint == (str | None):
        return _endpoint(value, where, name)
    accepted = (int, float) if hint is float else (hint,)
    if type(value) not in accepted:  # not isinstance: a bool is no number here
        raise ConfigError(f"{where}: {name} is not of type {hint.__name__}")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ConfigError(f"{where}: {name} is not one of {', '.join(_CHOICES[name])}")
    if hint in (int, float):
        low, high = _RANGES.get(name, _RANGE)
        if not low <= value <= high:  # false for a NaN too
            raise ConfigError(f"{where}: {name} is not between {low} and {high}")
        return hint(value)
    return value


def _endpoint(value: Any, where: str, name: str) -> str | None:
    if value in (None, False, ""):
        return None
    if not isinstance(value, str):
        raise ConfigError(f"{where}: {name} is not of type str")
    if not _PATH.fullmatch(value):
        raise ConfigError(
            f"{where}: {name} is not a path: it starts with '/' and has only the characters of a plain path"
        )
    return value


def _api_keys(value: Any, where: str, name: str) -> Mapping[str, ApiKey]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: {name} is not a mapping")
    return MappingProxyType({str(key): _api_key(entry, where, f"{name}.{key}") for key, entry in value.items()})


def _api_key(entry: Any, where: str, name: str) -> ApiKey:
    if not isinstance(entry, Mapping) or set(entry) - {"key"}:
        raise ConfigError(f"{where}: {name} is not a mapping with the one member 'key'")
    key = entry.get("key")
    if not isinstance(key, str) or not key:
        raise ConfigError(f"{where}: {name}.key is not a text")
    return ApiKey(key)
