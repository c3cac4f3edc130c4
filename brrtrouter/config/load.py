"""From a file, a mapping and the environment to a `Config`, or a ConfigError that names the key."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar, get_type_hints

from brrtrouter.config.guards import RouteLimit
from brrtrouter.config.identities import Introspection, MutualTls, RemoteKey, SpiffeTokens
from brrtrouter.config.rules import CHOICES, MATCHING, MOST_BOUNDS, PATH, RANGE, RANGES
from brrtrouter.config.sections import Config, Receiver, Security, capitals
from brrtrouter.credentials import ApiKey, Basic, Jwks, NamedKey
from brrtrouter.errors import ConfigError

_T = TypeVar("_T")
_PREFIX: Final = "BRRTR_"
_ANY_KEY: Final = _PREFIX + "API_KEY"
_ONE_KEY: Final = _ANY_KEY + "__"
# Names of their own for settings that have one by their section too.
_ALIASES: Final[Mapping[str, str]] = {
    "BRRTR_STACK_SIZE": "BRRTR_LIMITS__HANDLER_STACK",
    "BRRTR_LOG_LEVEL": "BRRTR_LOG__LEVEL",
    "BRRTR_LOG_FORMAT": "BRRTR_LOG__FORMAT",
    "BRRTR_LOG_REDACT_LEVEL": "BRRTR_LOG__REDACT",
    "BRRTR_LOG_SAMPLING_MODE": "BRRTR_LOG__SAMPLING",
    "BRRTR_LOG_SAMPLING_RATE": "BRRTR_LOG__RATE",
    "BRRTR_LOG_RATE_LIMIT_RPS": "BRRTR_LOG__LINES_PER_SECOND",
}


def api_key_variable(scheme: str) -> str:
    """The environment variable for the key of an apiKey scheme: capitals, and `_` for what is no letter or digit."""
    return _ONE_KEY + capitals(scheme)


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


def variable_for(variable: str) -> str | None:
    """The name of the setting that an environment variable sets; None when it sets none."""
    if not variable.startswith(_PREFIX):
        return None
    if variable == _ANY_KEY:
        return "security.api_keys.*"
    if variable.startswith(_ONE_KEY):
        return f"security.api_keys.{variable[len(_ONE_KEY) :]}"
    section, parts, key = _ALIASES.get(variable, variable)[len(_PREFIX) :].lower().partition("__")
    return f"{section}.{key}" if parts else None


def _with_environment(config: Config, environ: Mapping[str, str]) -> Config:
    keys: dict[str, ApiKey] = {}
    for variable, text in sorted(environ.items()):
        if not text or not variable.startswith(_PREFIX):
            continue
        if variable == _ANY_KEY:
            keys["*"] = ApiKey(text)
        elif variable.startswith(_ONE_KEY):
            keys[variable[len(_ONE_KEY) :]] = ApiKey(text)
        elif "__" in variable or variable in _ALIASES:
            config = _with_variable(config, variable, text)
    if not keys:
        return config
    named = {name: keys.get(capitals(name), entry) for name, entry in config.security.api_keys.items()}
    return replace(config, security=replace(config.security, api_keys=MappingProxyType(named | keys)))


def _with_variable(config: Config, variable: str, text: str) -> Config:
    """One more setting, as if it stood in the file."""
    section, _, key = _ALIASES.get(variable, variable)[len(_PREFIX) :].lower().partition("__")
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
    return tuple(map(_as_mapping, value)) if isinstance(value, tuple) else value


def _config(data: Mapping[str, Any], where: str) -> Config:
    config: Config = _section(Config, data, where, "")
    return config


def _section(kind: type[Any], data: Any, where: str, prefix: str) -> Any:
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where}: {prefix.rstrip('.')} is not a mapping")
    hints = get_type_hints(kind)
    for name in data:
        if name not in hints:
            raise ConfigError(f"{where}: unknown key {prefix}{name}{_meant(str(name), prefix, hints)}")
    # A key without a value keeps its default, but for an endpoint "no value" is one.
    given = {name: value for name, value in data.items() if value is not None or hints[name] == (str | None)}
    return kind(**{name: _value(hints[name], value, where, prefix + name) for name, value in given.items()})


# Keys that the Rust project of the same name has, and what they are called here.
_RENAMED: Final[Mapping[str, str]] = {
    "port": "the option --port",
    "http": "limits.keep_alive, limits.handler_time and limits.connection_age",
    "security.bearer": "security.jwks, which verifies signatures",
    "security.oauth2": "security.jwks, which verifies signatures",
}


def _meant(name: str, prefix: str, known: Iterable[str]) -> str:
    """What an unknown key may have been meant to be."""
    from difflib import get_close_matches

    full = prefix + name
    if full in _RENAMED and name not in known:
        return f": here that is {_RENAMED[full]}"
    close = get_close_matches(name, list(known), 1)
    return f"; did you mean {prefix}{close[0]}?" if close else f"; known are {', '.join(sorted(known))}"


def _value(hint: Any, value: Any, where: str, name: str) -> Any:
    if is_dataclass(hint):
        return _section(hint, value, where, name + ".")  # type: ignore[arg-type]
    if hint in _BY_NAME:
        return _named(partial(_entry, _BY_NAME[hint]), value, where, name)
    if hint == tuple[NamedKey, ...]:
        return _named_keys(value, where, name)
    if hint == Mapping[str, Receiver]:
        return _named(_receiver, value, where, name)
    if hint == Mapping[str, str]:
        return _named_texts(value, where, name)
    if hint == (str | None):
        return _endpoint(value, where, name)
    if hint == tuple[str, ...]:
        # One audience is written as a text, as in a token.
        alone = isinstance(value, str) and name.startswith("security.")
        return tuple(_matching(each, where, name) for each in _texts([value] if alone else value, where, name))
    if hint == tuple[float, ...]:
        return _bounds(value, where, name)
    if isinstance(value, bool) and ("off", "on")[value] in CHOICES.get(name, ()):
        value = ("off", "on")[value]  # which YAML 1.1 reads as a boolean
    accepted = (int, float) if hint is float else (hint,)
    if type(value) not in accepted:  # not isinstance: a bool is no number here
        raise ConfigError(f"{where}: {name} is not of type {hint.__name__}")
    _matching(value, where, name)
    if hint in (int, float):
        low, high = RANGES.get(name, RANGE)
        if not low <= value <= high:  # false for a NaN too
            raise ConfigError(f"{where}: {name} is not between {low} and {high}")
        return hint(value)
    return value


def _matching(value: Any, where: str, name: str) -> Any:
    """A value that is one of the choices and has the form that there are for it."""
    if name in CHOICES and value not in CHOICES[name]:
        raise ConfigError(f"{where}: {name} is not one of {', '.join(CHOICES[name])}")
    if name in MATCHING and not MATCHING[name][0].fullmatch(value):
        raise ConfigError(f"{where}: {name} is not {MATCHING[name][1]}")
    return value


def _texts(value: Any, where: str, name: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise ConfigError(f"{where}: {name} is not a list of texts")
    return tuple(value)


def _bounds(value: Any, where: str, name: str) -> tuple[float, ...]:
    if not isinstance(value, list | tuple) or not all(type(each) in (int, float) for each in value):
        raise ConfigError(f"{where}: {name} is not a list of numbers")
    # The smallest and the largest that are whole nanoseconds in 64 bits.
    rising = all(low < high for low, high in zip((1e-9, *value), (*value, 1e9), strict=True))
    if not rising or not 1 <= len(value) <= MOST_BOUNDS:
        raise ConfigError(f"{where}: {name} is not a list of 1 to {MOST_BOUNDS} numbers that rise from above 0")
    return tuple(map(float, value))


def _endpoint(value: Any, where: str, name: str) -> str | None:
    if value in (None, False, ""):
        return None
    if not isinstance(value, str):
        raise ConfigError(f"{where}: {name} is not of type str")
    if not PATH.fullmatch(value):
        raise ConfigError(
            f"{where}: {name} is not a path: it starts with '/' and has only the characters of a plain path"
        )
    return value


def _named_texts(value: Any, where: str, name: str) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(each, str) for pair in value.items() for each in pair):
        raise ConfigError(f"{where}: {name} is not a mapping from texts to texts")
    return MappingProxyType(dict(value))


def _named(read: Callable[[Any, str, str], _T], value: Any, where: str, name: str) -> Mapping[str, _T]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: {name} is not a mapping")
    return MappingProxyType({str(key): read(entry, where, f"{name}.{key}") for key, entry in value.items()})


def _receiver(entry: Any, where: str, name: str) -> Receiver:
    if isinstance(entry, str):
        return Receiver(entry)
    if not isinstance(entry, Mapping) or set(entry) - {"path", "secret"} or not isinstance(entry.get("path"), str):
        raise ConfigError(f"{where}: {name} is neither a path nor a mapping with 'path' and perhaps 'secret'")
    secret = entry.get("secret", "")
    if not isinstance(secret, str):
        secret = _texts(secret, where, f"{name}.secret")
        if not secret or not all(secret):
            raise ConfigError(f"{where}: {name}.secret is empty")
    return Receiver(entry["path"], secret)


# Settings of one kind for each security scheme or handler, by its name.
_BY_NAME: Final[Mapping[Any, type[Any]]] = {
    Mapping[str, kind]: kind  # type: ignore[valid-type]
    for kind in (ApiKey, Basic, Jwks, Introspection, RemoteKey, MutualTls, SpiffeTokens, RouteLimit)
}


def _entry(kind: type[Any], value: Any, where: str, name: str) -> Any:
    """One section that also has to make sense as a whole."""
    made = _section(kind, value, where, name + ".")
    fault = made.fault()
    if fault:
        raise ConfigError(f"{where}: {name}{fault}")
    return made


def _named_keys(value: Any, where: str, name: str) -> tuple[NamedKey, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where}: {name} is not a list")
    return tuple(_entry(NamedKey, each, where, f"{name}.{index}") for index, each in enumerate(value))
