"""`Watch`: what watches the requests of an application beside its counts: the access log and tracing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

from brrtrouter.config import Config, Tracing
from brrtrouter.core.observer import Observer, current_request_id
from brrtrouter.observe import logs

if TYPE_CHECKING:
    from brrtrouter.observe.access_log import AccessLog
    from brrtrouter.observe.tracing import Tracing as Tracer

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def wanted(settings: Tracing, environ: Mapping[str, str]) -> bool:
    """Whether requests are traced."""
    if settings.enabled == "off" or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return False
    return settings.enabled == "on" or any(environ.get(name) for name in ENDPOINTS)


class Watch:
    """The access log and the tracing that the settings ask for.  Raises ConfigError.

    observer: for the core; None when nothing is asked for.
    """

    def __init__(self, config: Config) -> None:
        self._settings = (config.log, config.tracing, config.metrics.enabled)
        self.access: AccessLog | None = None
        self.tracing: Tracer | None = None
        self.observer: Observer | None = None
        if config.log.access:
            self.access = import_module("brrtrouter.observe.access_log").AccessLog(config.log)
        if wanted(config.tracing, os.environ):
            self.tracing = import_module("brrtrouter.observe.tracing").Tracing(config.tracing)
        logs.configure(config.log)
        if self.access is None and self.tracing is None and not config.log.context:
            return
        traced = self.tracing
        self.observer = Observer(
            log=None if self.access is None else self.access.lines,
            sampler=None if traced is None else traced.sampler,
            tracer=traced,
            state=None if traced is None else traced.state,
            unsampled=None if traced is None else traced.unsampled,
            parent=None if traced is None else traced.parent,
            current=current_request_id if config.log.context else None,
            metered=config.metrics.enabled,
        )

    def fits(self, config: Config) -> bool:
        """Whether these settings ask for the same."""
        return self._settings == (config.log, config.tracing, config.metrics.enabled)

    def start(self) -> None:
        """The process that serves is about to."""
        if self.tracing is not None:
            self.tracing.start()

    async def aclose(self) -> None:
        """Deliver spans, within their time, and write lines."""
        if self.tracing is not None:
            await self.tracing.aclose()
        self.close()

    def close(self) -> None:
        """Write the lines that wait."""
        if self.access is not None:
            self.access.close()
