"""Settings: one frozen object, from defaults, then a file, then the environment.

Every limit has a name and a default here; docs/configuration.md lists them.  Unknown keys are refused, and a secret is
never part of a message or a `repr`.

The environment: BRRTR_LIMITS__BODY sets `limits.body`, and so on for every key of limits, endpoints, routing and
validation, each written as in YAML; BRRTR_API_KEY__<SCHEME> is the key of the apiKey scheme of that name (see
`api_key_variable`), and BRRTR_API_KEY that of every apiKey scheme without one.  A variable without text counts as not
set.
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
    form_fields: int = 1000
    field_size: int = 1024 * 1024
    file_size: int = 1024 * 1024 * 1024
    file_memory: int = 1024 * 1024
    part_header: int = 4096
    part_header_count: int = 8
    boundary: int = 70
    xml_elements: int = 50_000
    json_depth: int = 128
    pipeline: int = 16
    chunk_extensions: int = 16 * 1024
    trailers: int = 16 * 1024
    handler_threads: int = 8
    handler_queue: int = 1024
    drain: float = 30.0
    backlog: int = 2048
    errors: int = 100


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the built-in endpoints are; None switches one off."""

    health: str | None = "/health"
    ready: str | None = "/ready"
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
class Validation:
    """What is held against the description, and how strictly.

    responses: "off", "log" or "enforce"; `x-brrtrouter-response-validation` at an operation says otherwise.
    problems: refusals by the server itself are held against it too.  errors: "all" that are found, up to
    `limits.errors`, or the "first".  formats: `format` is asserted.  read_only, write_only: a request with a readOnly
    member, and an answer with a writeOnly one, is to "accept" or to "refuse".
    """

    responses: str = "off"
    problems: bool = False
    errors: str = "all"
    formats: bool = True
    read_only: str = "accept"
    write_only: str = "refuse"


@dataclass(frozen=True, slots=True)
class Loading:
    """Where the documents that a description refers to may come from, and where parsed ones are kept.

    outside: files outside of the folder of the description.  network: "off", "https", or "http" for both.  cache: a
    folder for parsed documents, "" for none.
    """

    outside: bool = False
    network: str = "off"
    cache: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Callbacks and webhooks that are sent, and links.  Times in seconds, sizes in bytes.

    attempts, timeout (of one attempt) and total_time bound a delivery; backoff is the wait before the second attempt,
    doubled each time up to backoff_limit.  response_size: of an answer.  connections: open at once.  allow_private: to
    addresses that are not public too.  base_url: what `$url` and links begin with, "" for what the client sent.
    secret, signature_format, signature_header: see `brrtrouter.outgoing.signature`.  tolerance: how old or early a
    signature may be where it is verified.  link_header: answers get a Link field for their links.
    """

    attempts: int = 5
    timeout: float = 10.0
    total_time: float = 60.0
    backoff: float = 0.5
    backoff_limit: float = 30.0
    response_size: int = 1024 * 1024
    connections: int = 100
    allow_private: bool = False
    base_url: str = ""
    secret: str = field(default="", repr=False)
    signature_format: str = "standard"
    signature_header: str = "webhook-signature"
    tolerance: float = 300.0
    link_header: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """Workers, their end, and TLS.  Times in seconds.

    start_timeout: until a worker is ready.  restart_backoff: the wait before a worker that has crashed is started
    again, doubled each time up to restart_backoff_limit, until one lives for healthy_after.  drain_idle: how long an
    idle connection may still bring a request that is told to close.  drain_delay: how long a server that drains takes
    connections at least.  tls_certificate, tls_key: PEM files, "" for no TLS; tls_ca: of whom clients have their
    certificates; tls_client: those are "required" or "optional".  tls_handshake: the time of one.  tls_check: between
    two looks whether the files have changed, 0 for none.  trusted_proxies: networks, or "unix", whose word about their
    clients is taken, from the header fields of the kind `forwarded`.
    """

    start_timeout: float = 60.0
    restart_backoff: float = 0.1
    restart_backoff_limit: float = 30.0
    healthy_after: float = 10.0
    drain_idle: float = 5.0
    drain_delay: float = 0.0
    tls_certificate: str = ""
    tls_key: str = ""
    tls_ca: str = ""
    tls_client: str = "required"
    tls_handshake: float = 10.0
    tls_check: float = 60.0
    trusted_proxies: tuple[str, ...] = ()
    forwarded: str = "x-forwarded"


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
    validation: Validation = field(default_factory=Validation)
    loading: Loading = field(default_factory=Loading)
    outgoing: Outgoing = field(default_factory=Outgoing)
    server: Server = field(default_factory=Server)
    security: Security = field(default_factory=Security)

    def api_key(self, scheme: str) -> str | None:
        """The key for an apiKey scheme: its own, else that from its environment variable, else the one for "*"."""
        keys = self.security.api_keys
        entry = keys.get(scheme) or keys.get(_capitals(scheme)) or keys.get("*")
        return entry.key if entry else None


_PREFIX: Final = "BRRTR_"
_ANY_KEY: Final = _PREFIX + "API_KEY"
_ONE_KEY: Final = _ANY_KEY + "__"
RESPONSE_MODES: Final = ("off", "log", "enforce")
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "routing.trailing_slash": ("strict", "ignore"),
    "loading.network": ("off", "https", "http"),
    "outgoing.signature_format": ("standard", "hex"),
    "server.forwarded": ("x-forwarded", "forwarded"),
    "server.tls_client": ("required", "optional"),
    "validation.responses": RESPONSE_MODES,
    "validation.errors": ("all", "first"),
    "validation.read_only": ("accept", "refuse"),
    "validation.write_only": ("accept", "refuse"),
}
# An endpoint is a plain path: nothing in it is a template, and nothing would have to be escaped in a request for it.
_PATH: Final = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/]*")
_RANGE: Final = (0, 2**31 - 1)
_RANGES: Final[Mapping[str, tuple[float, int]]] = {
    "limits.request_line": (16, _RANGE[1]),
    "limits.header_field": (16, _RANGE[1]),
    "limits.head": (64, _RANGE[1]),
    "limits.header_count": (1, 256),  # BRRT_HEAD_MAX_FIELDS of csrc
    "limits.body": (0, sys.maxsize),
    "limits.query_parameters": (0, 65_536),
    "limits.form_fields": (0, 65_536),
    "limits.file_size": (0, sys.maxsize),
    "limits.part_header": (64, 65_536),
    "limits.part_header_count": (1, 256),
    "limits.boundary": (1, 1024),
    "limits.json_depth": (1, 250),  # what the JSON encoder and the schema validator can take
    "limits.pipeline": (1, 10_000),
    "limits.handler_threads": (1, 10_000),
    "limits.drain": (0, 86_400),
    "limits.backlog": (1, 65_535),
    "limits.errors": (1, 10_000),
    "outgoing.attempts": (1, 100),
    "outgoing.timeout": (0.001, 3600),
    "outgoing.total_time": (0.001, 86_400),
    "outgoing.backoff": (0, 3600),
    "outgoing.backoff_limit": (0, 86_400),
    "outgoing.connections": (1, 10_000),
    "outgoing.tolerance": (0, 86_400),
    "server.start_timeout": (0.1, 86_400),
    "server.restart_backoff": (0.001, 3600),
    "server.restart_backoff_limit": (0.001, 86_400),
    "server.healthy_after": (0, 86_400),
    "server.drain_idle": (0, 3600),
    "server.drain_delay": (0, 3600),
    "server.tls_handshake": (0.1, 3600),
    "server.tls_check": (0, 86_400),
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
    if hint == tuple[str, ...]:
        return _texts(value, where, name)
    if value is False and "off" in _CHOICES.get(name, ()):
        value = "off"  # which YAML 1.1 reads as a boolean
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


def _texts(value: Any, where: str, name: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise ConfigError(f"{where}: {name} is not a list of texts")
    return tuple(value)


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
