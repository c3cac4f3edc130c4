"""Settings of the access log and of tracing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Log:
    """Lines about requests, and how the application's own lines look.  Sizes in bytes.

    access: every answered request gets a line.  format: "json" or "pretty".  target: "stderr", "stdout", or the path of
    a file, which is opened anew when it was moved away.  sampling: "all", "error-only" (a status of 400 and more) or
    "sampled": the share `rate` of all, and every one with 500 and more.  lines_per_second: at most, 0 for any number.
    redact: "none"; "credentials" masks values whose names tell of secrets; "full" leaves out persons too: addresses,
    subjects and paths.  secret_names: more names to mask.  buffer: lines that wait to be written; more are dropped and
    counted.  user_agent: lines have it.  headers: more fields to log.  level: of the application's own lines.
    application: whose lines get this format and level: "off", those of "brrtrouter" or of the "root" logger.
    context: these tell the id of the request and of its trace.
    """

    access: bool = False
    format: str = "json"
    target: str = "stderr"
    sampling: str = "all"
    rate: float = 0.1
    lines_per_second: int = 0
    redact: str = "credentials"
    secret_names: tuple[str, ...] = ()
    buffer: int = 1024 * 1024
    user_agent: bool = True
    headers: tuple[str, ...] = ()
    level: str = "info"
    application: str = "off"
    context: bool = False


@dataclass(frozen=True, slots=True)
class Tracing:
    """Spans for OpenTelemetry.  Times in seconds.

    enabled: "auto" where OTEL_EXPORTER_OTLP_ENDPOINT or its variant for traces is set, "on", or "off".  endpoint,
    protocol ("grpc" or "http/protobuf"), service_name: in place of what the variables of OpenTelemetry say, "" for
    those.  sample_rate: the share of the traces that begin here, -1 for what OTEL_TRACES_SAMPLER says.  flush: how long
    a server that ends waits for spans to be delivered.
    """

    enabled: str = "auto"
    endpoint: str = ""
    protocol: str = ""
    service_name: str = ""
    sample_rate: float = -1.0
    flush: float = 5.0
