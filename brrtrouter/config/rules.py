"""What a setting may be: one of some words, a number of a range, a text of a form."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Final

from brrtrouter.config.guards import LIMIT_KEYS

RESPONSE_MODES: Final = ("off", "log", "enforce")
CODINGS: Final = ("zstd", "br", "gzip")
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "compression.encodings": CODINGS,
    "compression.requests": CODINGS,
    "etag.generate": ("off", "weak", "strong"),
    "routing.trailing_slash": ("strict", "ignore"),
    "loading.network": ("off", "https", "http"),
    "outgoing.signature_format": ("standard", "hex"),
    "server.forwarded": ("x-forwarded", "forwarded"),
    "server.tls_client": ("required", "optional"),
    "log.format": ("json", "pretty"),
    "log.sampling": ("all", "error-only", "sampled"),
    "log.redact": ("none", "credentials", "full"),
    "log.level": ("debug", "info", "warning", "error", "critical"),
    "log.application": ("off", "brrtrouter", "root"),
    "tracing.enabled": ("auto", "on", "off"),
    "tracing.protocol": ("", "grpc", "http/protobuf"),
    "spiffe.client": ("required", "optional"),
    "rate_limit.key": LIMIT_KEYS,
    "rate_limit.on_failure": ("memory", "closed", "open"),
    "csrf.same_site": ("Strict", "Lax", "None"),
    "validation.responses": RESPONSE_MODES,
    "validation.errors": ("all", "first"),
    "validation.read_only": ("accept", "refuse"),
    "validation.write_only": ("accept", "refuse"),
}
# An endpoint is a plain path: nothing in it is a template, and nothing would have to be escaped in a request for it.
PATH: Final = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/]*")
# A whole type, a range of them, or a structured syntax suffix (RFC 6839).
TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
FIELD_VALUE: Final = (re.compile(r"[\t\x20-\x7e]*"), "a value of a header field: printable characters of ASCII")
SECURITY_FIELDS: Final = (
    "content_type_options",
    "frame_options",
    "referrer_policy",
    "content_security_policy",
    "cross_origin_resource_policy",
    "permissions_policy",
)
MATCHING: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "compression.media_types": (
        re.compile(rf"{TOKEN}/(?:\*|{TOKEN})|\+{TOKEN}"),
        '"type/subtype", "type/*" or "+suffix"',
    ),
    "log.headers": (re.compile(TOKEN), "a list of names of header fields"),
    "log.target": (re.compile(r"[^\x00]+"), "stderr, stdout or a path"),
    "request_id.header": (re.compile(TOKEN), "the name of a header field"),
    "csrf.header": (re.compile(TOKEN), "the name of a header field"),
    "csrf.cookie": (re.compile(TOKEN), "the name of a cookie"),
    "csrf.session_cookie": (re.compile(TOKEN), "the name of a cookie"),
    **{f"security_headers.{name}": FIELD_VALUE for name in SECURITY_FIELDS},
}
RANGE: Final = (0, 2**31 - 1)
RANGES: Final[Mapping[str, tuple[float, int]]] = {
    "limits.request_line": (16, RANGE[1]),
    "sse.keep_alive": (0, 86_400),
    "websocket.message": (1, sys.maxsize),
    "websocket.frame": (1, sys.maxsize),
    "websocket.fragments": (1, RANGE[1]),
    "websocket.queue": (1, 1_000_000),
    "websocket.ping_interval": (0, 86_400),
    "websocket.ping_timeout": (0, 86_400),
    "websocket.close_wait": (0.1, 3600),
    "limits.header_field": (16, RANGE[1]),
    "limits.head": (64, RANGE[1]),
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
    "limits.ranges": (0, 1000),
    "limits.handler_threads": (1, 10_000),
    "limits.handler_stack": (0, 1 << 30),
    "limits.drain": (0, 86_400),
    "limits.connections": (0, 1_000_000),
    "limits.backlog": (1, 65_535),
    "limits.errors": (1, 10_000),
    "limits.head_time": (0, 86_400),
    "limits.body_wait": (0, 86_400),
    "limits.body_rate_time": (0.1, 3600),
    "limits.handler_time": (0, 86_400),
    "limits.write_wait": (0, 86_400),
    "limits.keep_alive": (0, 86_400),
    "limits.crowded": (0, 100),
    "limits.crowded_keep_alive": (0, 86_400),
    "limits.connection_age": (0, 31_536_000),
    "limits.linger": (0.01, 3600),
    "limits.pattern_work": (100_000, sys.maxsize),
    "limits.pattern_work_request": (100_000, sys.maxsize),
    "limits.reload_time": (0.1, 3600),
    "limits.reload_memory": (64 * 1024 * 1024, sys.maxsize),
    "outgoing.attempts": (1, 100),
    "outgoing.timeout": (0.001, 3600),
    "outgoing.total_time": (0.001, 86_400),
    "outgoing.backoff": (0, 3600),
    "outgoing.backoff_limit": (0, 86_400),
    "outgoing.connections": (1, 10_000),
    "outgoing.tolerance": (0, 86_400),
    "compression.minimum": (1, sys.maxsize),
    "compression.gzip_level": (1, 9),
    "compression.brotli_quality": (0, 11),
    "compression.zstd_level": (1, 19),
    "compression.thread_size": (0, sys.maxsize),
    "compression.threads": (1, 1000),
    "compression.queue": (0, 1_000_000),
    "etag.size": (0, sys.maxsize),
    "request_id.length": (1, 1024),
    "server.start_timeout": (0.1, 86_400),
    "server.restart_backoff": (0.001, 3600),
    "server.restart_backoff_limit": (0.001, 86_400),
    "server.healthy_after": (0, 86_400),
    "server.drain_idle": (0, 3600),
    "server.drain_delay": (0, 3600),
    "server.tls_handshake": (0.1, 3600),
    "server.proxy_timeout": (0.1, 3600),
    "server.worker_timeout": (0, 86_400),
    "server.tls_check": (0, 86_400),
    "cors.max_age": (0, 86_400),
    "log.rate": (0, 1),
    "log.buffer": (65_536, RANGE[1]),
    "tracing.sample_rate": (-1, 1),
    "tracing.flush": (0, 3600),
    "spiffe.start_timeout": (0.1, 86_400),
    "spiffe.retry_limit": (0.1, 3600),
    "rate_limit.requests": (1, 1_000_000_000),
    "rate_limit.window_secs": (1, 31_536_000),
    "rate_limit.max_keys": (1, 100_000_000),
    "rate_limit.timeout": (0.001, 60),
}
MOST_BOUNDS: Final = 64  # MAX_BOUNDS of core/meter.pxd
