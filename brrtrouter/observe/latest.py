"""The tracer provider of a program whose applications bring theirs: it hands on to the one that was started last.

OpenTelemetry lets a program set its provider once.  An application that is stopped and started again has a new one,
and tracers that were asked for before, at the top of a module, have to reach it too.
"""

from __future__ import annotations

from typing import Any

from opentelemetry import trace


class LatestTracer(trace.Tracer):
    """A tracer by its name, of whichever provider is the latest."""

    def __init__(self, owner: Latest, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        self._owner = owner
        self._arguments, self._named = arguments, named
        self._provider: Any = None
        self._tracer: Any = None

    def _latest(self) -> Any:
        provider = self._owner.provider
        if provider is not self._provider:
            self._provider, self._tracer = provider, provider.get_tracer(*self._arguments, **self._named)
        return self._tracer

    def start_span(self, *arguments: Any, **named: Any) -> Any:
        """See `opentelemetry.trace.Tracer.start_span`."""
        return self._latest().start_span(*arguments, **named)

    def start_as_current_span(self, *arguments: Any, **named: Any) -> Any:
        """See `opentelemetry.trace.Tracer.start_as_current_span`."""
        return self._latest().start_as_current_span(*arguments, **named)


class Latest(trace.TracerProvider):
    """Hands on to `provider`, which is replaced when an application starts."""

    def __init__(self) -> None:
        self.provider: Any = trace.NoOpTracerProvider()

    def get_tracer(self, *arguments: Any, **named: Any) -> trace.Tracer:
        """See `opentelemetry.trace.TracerProvider.get_tracer`."""
        return LatestTracer(self, arguments, named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.provider, name)


LATEST = Latest()


def become(provider: Any) -> None:
    """Make this provider the program's, unless the program has set one of its own."""
    LATEST.provider = provider
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        trace.set_tracer_provider(LATEST)
