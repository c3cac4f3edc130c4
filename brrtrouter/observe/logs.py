"""The application's own log lines in the format of the access log, with the id of the request and of its trace."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import datetime, timezone
from typing import Any, Final, TextIO

from brrtrouter import config
from brrtrouter.core.observer import current_request_id

_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, timezone.utc)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _trace() -> dict[str, str]:
    """The ids of the current span, where OpenTelemetry is there."""
    if "opentelemetry.trace" not in sys.modules:
        return {}
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    if not context.trace_flags.sampled:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


class JsonFormatter(logging.Formatter):
    """One JSON object for each record: time (RFC 3339, UTC), level, logger, message, exception, and its `extra`.

    With `context` also request_id, trace_id and span_id of the request that the record was made for.
    """

    def __init__(self, *, context: bool = False) -> None:
        super().__init__()
        self._context = context

    def words(self, record: logging.LogRecord) -> dict[str, Any]:
        """The members of the object."""
        found: dict[str, Any] = {"time": _time(record), "level": record.levelname.lower(), "logger": record.name}
        found["message"] = record.getMessage()
        if self._context:
            request_id = current_request_id.get()
            if request_id is not None:
                found["request_id"] = request_id
            found |= _trace()
        found |= {name: value for name, value in vars(record).items() if name not in _USUAL and name not in found}
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        return found

    def format(self, record: logging.LogRecord) -> str:
        """The line; everything but printable ASCII is escaped."""
        return _dumped(self.words(record)).replace("\x7f", "\\u007f")


class PrettyFormatter(JsonFormatter):
    """A line for people; control characters of what clients sent cannot break it or speak to the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and below it the exception, indented."""
        words = self.words(record)
        trouble = words.pop("exception", "")
        start = " ".join(str(words.pop(name)) for name in ("time", "level", "logger", "message"))
        rest = "".join(f" {name}={_dumped(value)}" for name, value in words.items())
        lines = [start + rest, *(f"    {line}" for line in trouble.splitlines())]
        return "\n".join(map(_visible, lines))


def _dumped(value: Any) -> str:
    return json.dumps(value, default=str, separators=(",", ":"))


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def configure(settings: config.Log) -> None:
    """Let the lines of the chosen logger look as the settings say; does nothing with `application: off`."""
    if settings.application == "off":
        return
    kind = JsonFormatter if settings.format == "json" else PrettyFormatter
    handler = _handler(settings.target)
    handler.setFormatter(kind(context=settings.context))
    logger = logging.getLogger(None if settings.application == "root" else "brrtrouter")
    for known in [*logger.handlers]:
        if settings.application == "root" or getattr(known, "brrtrouter", False):
            logger.removeHandler(known)
            known.close()
    handler.brrtrouter = True  # type: ignore[attr-defined]
    logger.addHandler(handler)
    logger.setLevel(settings.level.upper())
    logger.propagate = settings.application == "root"


def _handler(target: str) -> logging.Handler:
    streams: dict[str, TextIO] = {"stderr": sys.stderr, "stdout": sys.stdout}
    if target in streams:
        return logging.StreamHandler(streams[target])
    from logging.handlers import WatchedFileHandler

    return WatchedFileHandler(os.fspath(target), encoding="utf-8", delay=True)
