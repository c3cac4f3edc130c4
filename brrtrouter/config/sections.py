"""The sections of the settings: what there is to set, its defaults, and what it means."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from brrtrouter.config.guards import Csrf, RateLimit, SecurityHeaders
from brrtrouter.config.identities import Introspection, MutualTls, PropelAuth, RemoteKey, Spiffe, SpiffeTokens
from brrtrouter.config.observability import Log, Tracing
from brrtrouter.config.realtime import Sse, WebSocketSettings
from brrtrouter.credentials import ApiKey, Basic, Jwks


def capitals(scheme: str) -> str:
    """The name of a scheme as it stands in an environment variable."""
    return re.sub(r"[^A-Z0-9]", "_", scheme.upper())


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
    ranges: int = 16
    handler_threads: int = 8
    handler_queue: int = 1024
    handler_stack: int = 0
    drain: float = 30.0
    connections: int = 0
    backlog: int = 2048
    errors: int = 100
    head_time: float = 10.0
    body_wait: float = 15.0
    body_rate: int = 500
    body_rate_time: float = 15.0
    handler_time: float = 30.0
    write_wait: float = 30.0
    keep_alive: float = 75.0
    crowded: int = 80
    crowded_keep_alive: float = 5.0
    connection_age: float = 3600.0
    linger: float = 2.0
    linger_size: int = 16 * 1024 * 1024
    pattern_work: int = 1_000_000
    pattern_work_request: int = 10_000_000
    reload_time: float = 10.0
    reload_memory: int = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the built-in endpoints are; None switches one off."""

    health: str | None = "/health"
    ready: str | None = "/ready"
    openapi_json: str | None = "/openapi.json"
    openapi_yaml: str | None = "/openapi.yaml"
    docs: str | None = "/docs"
    metrics: str | None = "/metrics"


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
    clients is taken, from the header fields of the kind `forwarded`.  proxy_protocol: every connection begins with a
    header of that protocol, from one of them, within proxy_timeout.  worker_timeout: how long a worker may give no sign
    of life before it is replaced, 0 for ever.
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
    proxy_protocol: bool = False
    proxy_timeout: float = 5.0
    worker_timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class Compression:
    """Content codings of answers and of bodies.  Sizes in bytes.

    encodings: for answers, of "zstd", "br" and "gzip", the first the one that we like best; none by default, because
    compression next to a secret can give it away.  minimum: smaller bodies are left alone.  media_types: what is
    compressed, "type/subtype", "type/*" or "+suffix".  gzip_level, brotli_quality, zstd_level: how hard.  thread_size:
    larger bodies are compressed in one of `threads` threads; when `queue` more wait they go out as they are.
    requests: for bodies of requests; of others the answer is 415.
    """

    encodings: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    minimum: int = 1024
    media_types: tuple[str, ...] = (
        "text/*",
        "+json",
        "+xml",
        "+yaml",
        "application/json",
        "application/jsonl",
        "application/json-seq",
        "application/x-ndjson",
        "application/xml",
        "application/yaml",
        "application/javascript",
        "application/wasm",
        "font/otf",
        "font/ttf",
    )
    gzip_level: int = 6
    brotli_quality: int = 4
    zstd_level: int = 3
    thread_size: int = 64 * 1024
    threads: int = 2
    queue: int = 64


@dataclass(frozen=True, slots=True)
class ETag:
    """Entity tags and conditions of GET and HEAD.

    generate: answers with status 200 that have none get a "weak" or a "strong" tag, made from their bytes, up to a body
    of `size` bytes.  conditional: 304 where the client has what would be sent, whoever made its ETag or Last-Modified.
    """

    generate: str = "off"
    conditional: bool = True
    size: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class RequestId:
    """How requests get their ids.

    header: the field with the id.  accept: a client may choose it, at most `length` characters.  echo: every answer
    tells it.
    """

    header: str = "X-Request-ID"
    accept: bool = True
    length: int = 128
    echo: bool = True


@dataclass(frozen=True, slots=True)
class Static:
    """Folders of files, and how those without options of their own are served.

    folders: directories by the prefixes of their paths.  index: the file that stands for a folder, "" for none.
    cache_control: of the answers, "" for none.  hidden, follow_symlinks, precompressed: see
    `brrtrouter.dispatch.static.StaticFiles`.
    """

    folders: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    index: str = "index.html"
    cache_control: str = ""
    hidden: bool = False
    follow_symlinks: bool = False
    precompressed: bool = False


@dataclass(frozen=True, slots=True)
class Metrics:
    """Counts of requests for Prometheus, at `endpoints.metrics`.

    buckets: upper bounds of the histogram of times, in seconds, rising, at most 64.
    """

    enabled: bool = False
    buckets: tuple[float, ...] = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Cors:
    """Which scripts of other origins may read answers; see docs/guide/cors.md.

    origins: "*", or origins as browsers write them, with `*.` for what stands before a host and `:*` for any port; none
    switches CORS off.  allowed_headers, allowed_methods: what they may send, "*" for anything; none: what the
    description says.  allow_credentials: with cookies and the like.  expose_headers: what they may read of an answer.
    max_age: how many seconds the answer to a preflight holds.
    """

    origins: tuple[str, ...] = ()
    allowed_headers: tuple[str, ...] = ()
    allowed_methods: tuple[str, ...] = ()
    allow_credentials: bool = False
    expose_headers: tuple[str, ...] = ()
    max_age: int = 600


@dataclass(frozen=True, slots=True)
class Security:
    """Credentials by the name of the security scheme in the document."""

    api_keys: Mapping[str, ApiKey] = field(default_factory=lambda: MappingProxyType({}))
    basic: Mapping[str, Basic] = field(default_factory=lambda: MappingProxyType({}))
    jwks: Mapping[str, Jwks] = field(default_factory=lambda: MappingProxyType({}))
    introspection: Mapping[str, Introspection] = field(default_factory=lambda: MappingProxyType({}))
    remote_api_keys: Mapping[str, RemoteKey] = field(default_factory=lambda: MappingProxyType({}))
    mutual_tls: Mapping[str, MutualTls] = field(default_factory=lambda: MappingProxyType({}))
    spiffe: Mapping[str, SpiffeTokens] = field(default_factory=lambda: MappingProxyType({}))
    propelauth: PropelAuth = field(default_factory=PropelAuth)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where a webhook or callback is received, and the secret or secrets of its sender; without one nothing is
    verified."""

    path: str
    secret: str | Sequence[str] = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of an application; webhooks: by their name in the document."""

    limits: Limits = field(default_factory=Limits)
    endpoints: Endpoints = field(default_factory=Endpoints)
    routing: Routing = field(default_factory=Routing)
    validation: Validation = field(default_factory=Validation)
    loading: Loading = field(default_factory=Loading)
    outgoing: Outgoing = field(default_factory=Outgoing)
    server: Server = field(default_factory=Server)
    compression: Compression = field(default_factory=Compression)
    etag: ETag = field(default_factory=ETag)
    request_id: RequestId = field(default_factory=RequestId)
    static: Static = field(default_factory=Static)
    metrics: Metrics = field(default_factory=Metrics)
    log: Log = field(default_factory=Log)
    tracing: Tracing = field(default_factory=Tracing)
    cors: Cors = field(default_factory=Cors)
    sse: Sse = field(default_factory=Sse)
    websocket: WebSocketSettings = field(default_factory=WebSocketSettings)
    rate_limit: RateLimit = field(default_factory=RateLimit)
    csrf: Csrf = field(default_factory=Csrf)
    security_headers: SecurityHeaders = field(default_factory=SecurityHeaders)
    security: Security = field(default_factory=Security)
    spiffe: Spiffe = field(default_factory=Spiffe)
    webhooks: Mapping[str, Receiver] = field(default_factory=lambda: MappingProxyType({}))

    def api_keys(self, scheme: str) -> ApiKey | None:
        """The keys for an apiKey scheme: its own, else that from its environment variable, else the one for "*"."""
        keys = self.security.api_keys
        return keys.get(scheme) or keys.get(capitals(scheme)) or keys.get("*")

    def api_key(self, scheme: str) -> str | None:
        """The key for an apiKey scheme that has one which is written out."""
        entry = self.api_keys(scheme)
        return entry.key or None if entry else None
