"""Settings: one frozen object, from defaults, then a file, then the environment.

Every limit has a name and a default here; docs/configuration.md lists them.  Unknown keys are refused, and a secret is
never part of a message or a `repr`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
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

    trailing_slash: "strict" or "ignore".  auto_head: GET operations answer HEAD.  auto_options: OPTIONS answers 204 with
    Allow where the document has no OPTIONS operation.
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

    api_keys: Mapping[str, ApiKey] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of an application."""

    limits: Limits = field(default_factory=Limits)
    endpoints: Endpoints = field(default_factory=Endpoints)
    routing: Routing = field(default_factory=Routing)
    security: Security = field(default_factory=Security)

    def api_key(self, scheme: str) -> str | None:
        """The key for an apiKey scheme, None when it has none."""
        entry = self.security.api_keys.get(scheme) or self.security.api_keys.get("*")
        return entry.key if entry else None


_MINIMUM: Final = {"head": 64, "header_count": 1, "request_line": 16, "pipeline": 1, "handler_threads": 1}
_CHOICES: Final = {"trailing_slash": ("strict", "ignore")}
_HEADER_COUNT_MAXIMUM: Final = 256


def load_config(source: str | os.PathLike[str] | Mapping[str, Any] | Config | None = None,
                environ: Mapping[str, str] | None = None) -> Config:
    """Make the settings from a YAML file, a mapping, or nothing, then from the environment.

    BRRTR_API_KEY__<SCHEME> is the key of the apiKey scheme of that name (in capitals), BRRTR_API_KEY that of every apiKey
    scheme without one.  Raises ConfigError that names the key and where it came from.
    """
    if isinstance(source, Config):
        return source
    where, data = _read(source)
    return _from_mapping(Config, _with_environment(data, os.environ if environ is None else environ), where, "")


def _read(source: str | os.PathLike[str] | Mapping[str, Any] | None) -> tuple[str, Mapping[str, Any]]:
    if source is None:
        return "the environment", {}
    if isinstance(source, Mapping):
        return "the configuration", source
    import yaml

    path = Path(source)
    try:
        data = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}: not YAML{place}: {getattr(error, 'problem', None) or error}") from None
    if data is not None and not isinstance(data, dict):
        raise ConfigError(f"{path}: the top level is not a mapping")
    return str(path), data or {}


def _with_environment(data: Mapping[str, Any], environ: Mapping[str, str]) -> Mapping[str, Any]:
    keys: dict[str, Any] = {}
    prefix = "BRRTR_API_KEY__"
    if environ.get("BRRTR_API_KEY"):
        keys["*"] = {"key": environ["BRRTR_API_KEY"]}
    security = data.get("security") or {}
    named = security.get("api_keys") or {} if isinstance(security, Mapping) else {}
    by_capitals = {name.upper().replace("-", "_"): name for name in named} if isinstance(named, Mapping) else {}
    for variable, value in environ.items():
        if variable.startswith(prefix) and value:
            suffix = variable[len(prefix) :]
            keys[by_capitals.get(suffix, suffix)] = {"key": value}
    if not keys or not isinstance(security, Mapping) or not isinstance(named, Mapping):
        return data
    return {**data, "security": {**security, "api_keys": {**named, **keys}}}


def _from_mapping(kind: type[Any], data: Any, where: str, prefix: str) -> Any:
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where}: {prefix.rstrip('.')} is not a mapping")
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}
    for name in data:
        if name not in known:
            raise ConfigError(f"{where}: unknown key {prefix}{name}; known are {', '.join(sorted(known))}")
    return kind(**{name: _value(hints[name], data[name], where, prefix + name) for name in data if data[name] is not None
                   or hints[name] == (str | None)})


def _value(hint: Any, value: Any, where: str, name: str) -> Any:
    if is_dataclass(hint):
        return _from_mapping(hint, value, where, name + ".")  # type: ignore[arg-type]
    if hint == Mapping[str, ApiKey]:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: {name} is not a mapping")
        return {str(key): _api_key(entry, where, f"{name}.{key}") for key, entry in value.items()}
    if hint == (str | None) and value in (None, False, ""):
        return None
    wanted = str if hint == (str | None) else hint
    number = wanted in (int, float) and isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (number and (wanted is float or isinstance(value, int))) and type(value) is not wanted:
        raise ConfigError(f"{where}: {name} is not of type {wanted.__name__}")
    _check_range(value, where, name)
    return value


def _api_key(entry: Any, where: str, name: str) -> ApiKey:
    if not isinstance(entry, Mapping) or set(entry) - {"key"}:
        raise ConfigError(f"{where}: {name} is not a mapping with the one member 'key'")
    key = entry.get("key")
    if not isinstance(key, str) or not key:
        raise ConfigError(f"{where}: {name}.key is not a text")
    return ApiKey(key)


def _check_range(value: Any, where: str, name: str) -> None:
    last = name.rpartition(".")[2]
    if last in _CHOICES and value not in _CHOICES[last]:
        raise ConfigError(f"{where}: {name} is one of {', '.join(_CHOICES[last])}")
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value < _MINIMUM.get(last, 0):
        raise ConfigError(f"{where}: {name} is below {_MINIMUM.get(last, 0)}")
    if last == "header_count" and value > _HEADER_COUNT_MAXIMUM:
        raise ConfigError(f"{where}: {name} is above {_HEADER_COUNT_MAXIMUM}")
    if name.startswith("endpoints.") and not str(value).startswith("/"):
        raise ConfigError(f"{where}: {name} does not start with '/'")
