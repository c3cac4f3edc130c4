"""`Tracing`: spans of sampled requests, made with the OpenTelemetry SDK and exported by OTLP in a thread of the SDK.

The core decides which requests are sampled (`brrtrouter.core.observer`); nothing here runs for the others.  The span of
a request and that of its handler are begun in time, so that they are the parents of what the handler does; the spans of
the other stages are made at the end, from the times that were noted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from brrtrouter import __version__, config
from brrtrouter.core.observer import Sampler, Trace
from brrtrouter.core.request import Request
from brrtrouter.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

logger = logging.getLogger("brrtrouter.tracing")
INSTALL: Final = "tracing needs another package: pip install 'brrtrouter[otel]'"
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PROPAGATED: Final = {"tracecontext": ("traceparent", "tracestate"), "baggage": ("baggage",)}
# Methods that are told as they are (HTTP semantic conventions); others are `_OTHER`.
METHODS: Final = frozenset(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"])
ALL: Final = 2**64
UNSAMPLED: Final = "unsampled"
# What the current context was made for: a Trace or UNSAMPLED; and the caller's fields of what is not sampled.
_state: ContextVar[Any] = ContextVar("brrtrouter_trace", default=None)
_parent: ContextVar[tuple[str, str | None] | None] = ContextVar("brrtrouter_parent", default=None)


class Tracing:
    """The tracer of an application.

    Where the program has set a tracer provider of the SDK that one is used, else one is made, and becomes the
    program's.  Raises ConfigError when packages are missing or a variable of OpenTelemetry has no known value.
    """

    def __init__(self, settings: config.Tracing) -> None:
        try:
            import opentelemetry.sdk.trace  # noqa: F401
        except ImportError:
            raise ConfigError(INSTALL) from None
        self._settings = settings
        self._exporter_kind = _protocol(settings)
        rate, parent_based = _sampling(settings)
        propagators = _propagators()
        self._fields = tuple(name for each, names in PROPAGATED.items() if each in propagators for name in names)
        self._rate, self._parent_based = rate, parent_based
        self._provider: Any = None
        self._owned = False
        self._pid = 0
        self._local = threading.local()
        foreign = _program_provider() is not None
        # Another provider's sampler has its own say; what the caller has left out is left out all the same.
        self.sampler = Sampler(ALL if foreign else round(rate * ALL), parent_based, "traceparent" in self._fields)
        self.state, self.parent, self.unsampled = _state, _parent, UNSAMPLED
        self._nothing = self._unsampled_context()

    # -- the SDK

    def start(self) -> None:
        """Make the provider and its thread, in the process that serves."""
        if self._provider is not None and self._pid == os.getpid():
            return
        from brrtrouter.observe.latest import become

        self._pid = os.getpid()
        self.sampler.reseed()
        found = _program_provider()
        self._owned = found is None
        self._provider = found if found is not None else self._make_provider()
        if self._owned:
            become(self._provider)
        self._tracer = self._provider.get_tracer("brrtrouter", __version__)

    def _make_provider(self) -> Any:
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider, sampling
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        local = self._local

        class Ids(RandomIdGenerator):
            """Ids of traces that end with the number that the core has decided by."""

            def generate_trace_id(self) -> int:
                low: int | None = getattr(local, "low", None)
                return super().generate_trace_id() if low is None else random.getrandbits(64) << 64 | low

        root = sampling.TraceIdRatioBased(self._rate)
        name = self._settings.service_name
        provider = TracerProvider(
            sampler=sampling.ParentBased(root) if self._parent_based else root,
            resource=Resource.create({SERVICE_NAME: name} if name else None),
            id_generator=Ids(),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(BatchSpanProcessor(self._exporter()))
        return provider

    def _exporter(self) -> SpanExporter:
        endpoint = self._settings.endpoint or None
        try:
            if self._exporter_kind == "grpc":
                from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as Grpc

                return Grpc(endpoint=endpoint)
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as Http

            return Http(endpoint=f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None)
        except ImportError:
            raise ConfigError(INSTALL) from None

    async def aclose(self) -> None:
        """Deliver what waits, for as long as the setting `tracing.flush` says; the event loop goes on."""
        if self._provider is None or self._pid != os.getpid():
            return
        provider, self._provider = self._provider, None
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def flush() -> None:
            try:
                (provider.shutdown if self._owned else provider.force_flush)()
            except Exception:
                logger.exception("spans could not be delivered")
            try:
                loop.call_soon_threadsafe(done.set)
            except RuntimeError:
                return  # nobody waits any longer

        threading.Thread(target=flush, name="brrtrouter-tracing-flush", daemon=True).start()
        try:
            await asyncio.wait_for(done.wait(), self._settings.flush)
        except asyncio.TimeoutError:
            logger.warning("spans were not delivered within %g s", self._settings.flush)

    # -- requests

    def begin(self, request: Request, trace: Trace) -> None:
        """Begin the span of a request, and make it the current one."""
        from opentelemetry import context as contexts
        from opentelemetry.trace import SpanKind, set_span_in_context

        if self._provider is None or self._pid != os.getpid():
            self.start()
        context = self._extract(request)
        self._local.low = trace.low if trace.root else None
        try:
            span = self._tracer.start_span(
                _name(request), context, SpanKind.SERVER, _attributes(request), start_time=trace.arrived or None
            )
        finally:
            self._local.low = None
        ids = span.get_span_context()
        trace.trace_id, trace.span_id = f"{ids.trace_id:032x}", f"{ids.span_id:016x}"
        context = set_span_in_context(span, context)
        trace.spans = Spans(self._tracer, span, context)
        contexts.attach(context)
        _state.set(trace.span_id)

    def end(self, request: Request, trace: Trace, status: int) -> None:
        """The request has ended: the spans of its stages, and its own."""
        trace.spans.end(request, trace, status)

    def leave(self) -> None:
        """Let the spans of a request that is not sampled be dropped too."""
        from opentelemetry import context as contexts

        contexts.attach(self._nothing)
        _state.set(UNSAMPLED)

    def _extract(self, request: Request) -> Any:
        from opentelemetry.baggage.propagation import W3CBaggagePropagator
        from opentelemetry.context import Context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier = {name: value for name in self._fields if (value := request.header(name)) is not None}
        context = TraceContextTextMapPropagator().extract(carrier, Context())
        return W3CBaggagePropagator().extract(carrier, context) if "baggage" in carrier else context

    def inject(self) -> list[tuple[str, str]]:
        """The header fields for a request that goes out in the current context."""
        from opentelemetry.baggage.propagation import W3CBaggagePropagator
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier: dict[str, str] = {}
        if "traceparent" in self._fields:
            TraceContextTextMapPropagator().inject(carrier)
        if "baggage" in self._fields:
            W3CBaggagePropagator().inject(carrier)
        return list(carrier.items())

    @staticmethod
    def _unsampled_context() -> Any:
        """A context whose span says that nothing is sampled, in the trace of the caller where there is one."""
        from opentelemetry import trace
        from opentelemetry.context import Context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        class Unsampled(trace.NonRecordingSpan):
            def get_span_context(self) -> trace.SpanContext:
                told = _parent.get()
                if told is None:
                    return trace.SpanContext(random.getrandbits(127) + 1, random.getrandbits(63) + 1, False)
                carrier = {"traceparent": told[0], **({"tracestate": told[1]} if told[1] else {})}
                found = TraceContextTextMapPropagator().extract(carrier, Context())
                return trace.get_current_span(found).get_span_context()

        return trace.set_span_in_context(Unsampled(trace.INVALID_SPAN_CONTEXT), Context())


def _program_provider() -> Any:
    """The provider of the SDK that the program has set itself, if it has."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    found = trace.get_tracer_provider()
    return found if isinstance(found, TracerProvider) else None


class Spans:
    """The spans of one request."""

    def __init__(self, tracer: Any, span: Any, context: Any) -> None:
        self._tracer = tracer
        self._span = span
        self._context = context
        self._handler: Any = None

    def enter(self, trace: Trace) -> None:
        """The handler begins, in a span of its own."""
        from opentelemetry import context as contexts
        from opentelemetry.trace import set_span_in_context

        self._handler = self._tracer.start_span("handler", self._context, start_time=trace.valid)
        contexts.attach(set_span_in_context(self._handler, self._context))

    def end(self, request: Request, trace: Trace, status: int) -> None:
        """The answer `status` is out; 0 when there was none."""
        from opentelemetry.trace import Status, StatusCode

        self._stages(request, trace)
        if self._handler is not None:
            if trace.error is not None:
                self._handler.record_exception(trace.error)
                self._handler.set_status(Status(StatusCode.ERROR, type(trace.error).__name__))
            self._handler.end(trace.handled or None)
        elif trace.error is not None:
            self._span.record_exception(trace.error)
        if status:
            self._span.set_attribute("http.response.status_code", status)
        if status >= 500 or not status:
            kind = type(trace.error).__qualname__ if trace.error is not None else str(status) if status else "aborted"
            self._span.set_attribute("error.type", kind)
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()

    def _stages(self, request: Request, trace: Trace) -> None:
        """Spans for the stages that there were; one without an end has refused the request."""
        if trace.matched:
            self._stage("match", trace.arrived, trace.matched)
        model = None if request.operation is None else request.operation.model
        if model is not None and trace.begun:
            if any(model.security):
                self._stage("auth", trace.begun, trace.authorized)
            if trace.authorized and (model.parameters or model.request_body is not None):
                self._stage("validate", trace.authorized, trace.valid)
        if trace.handled:
            self._stage("encode", trace.handled, 0)

    def _stage(self, name: str, begin: int, end: int) -> None:
        self._tracer.start_span(name, self._context, start_time=begin).end(end or None)


def _method(request: Request) -> str:
    return request.method if request.method in METHODS else "_OTHER"


def _name(request: Request) -> str:
    method = "HTTP" if _method(request) == "_OTHER" else request.method
    return method if request.template is None else f"{method} {request.template}"


def _attributes(request: Request) -> dict[str, Any]:
    """HTTP semantic conventions 1.23 and later, server span; a query is not told: it may hold a secret."""
    found: dict[str, Any] = {"http.request.method": _method(request), "url.path": request.path}
    found["url.scheme"] = request.scheme
    found["network.protocol.version"] = f"1.{request.http_minor}"
    if found["http.request.method"] == "_OTHER":
        found["http.request.method_original"] = request.method
    if request.template is not None:
        found["http.route"] = request.template
    host, _, port = (request.header("host") or "").rpartition(":")
    if host and port.isdigit():
        found["server.address"], found["server.port"] = host, int(port)
    elif request.header("host"):
        found["server.address"] = request.header("host")
    if request.client is not None:
        found["client.address"], found["client.port"] = request.client
    agent = request.header("user-agent")
    if agent:
        found["user_agent.original"] = agent
    return found


def _protocol(settings: config.Tracing) -> str:
    """ "grpc" or "http/protobuf", which is the default of the specification of OpenTelemetry."""
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if exporter != "otlp":
        raise ConfigError(f"OTEL_TRACES_EXPORTER: {exporter!r} is not one of otlp, none")
    told = next((os.environ[name] for name in PROTOCOLS if os.environ.get(name)), "http/protobuf")
    found = settings.protocol or told.strip()
    if found not in ("grpc", "http/protobuf"):
        raise ConfigError(f"{PROTOCOLS[1]}: {found!r} is not one of grpc, http/protobuf")
    return found


_SAMPLERS: Final = {
    "always_on": (1.0, False),
    "always_off": (0.0, False),
    "traceidratio": (None, False),
    "parentbased_always_on": (1.0, True),
    "parentbased_always_off": (0.0, True),
    "parentbased_traceidratio": (None, True),
}


def _sampling(settings: config.Tracing) -> tuple[float, bool]:
    """The share of new traces that are sampled, and whether a caller's decision is followed."""
    if settings.sample_rate >= 0:
        return settings.sample_rate, True
    name = os.environ.get("OTEL_TRACES_SAMPLER", "").strip().lower() or "parentbased_always_on"
    if name not in _SAMPLERS:
        raise ConfigError(f"OTEL_TRACES_SAMPLER: {name!r} is not one of {', '.join(_SAMPLERS)}")
    rate, parent_based = _SAMPLERS[name]
    if rate is not None:
        return rate, parent_based
    text = os.environ.get("OTEL_TRACES_SAMPLER_ARG", "").strip() or "1.0"
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise ConfigError(f"OTEL_TRACES_SAMPLER_ARG: {text!r} is not a number from 0 to 1")
    return rate, parent_based


def _propagators() -> set[str]:
    text = os.environ.get("OTEL_PROPAGATORS", "").strip() or "tracecontext,baggage"
    names = {name.strip() for name in text.split(",")}
    unknown = names - {"tracecontext", "baggage", "none"}
    if unknown:
        raise ConfigError(f"OTEL_PROPAGATORS: {min(unknown)!r} is not one of tracecontext, baggage, none")
    return set() if "none" in names else names
