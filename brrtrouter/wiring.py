"""From the frozen model to the tables of the core: the pieces that `App` puts together."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from brrtrouter.config import Compression, Config, ETag, RequestId, api_key_variable, load_config
from brrtrouter.core.arguments import ArgumentParser
from brrtrouter.core.codings import Decoders
from brrtrouter.core.matcher import Matcher
from brrtrouter.core.observer import note_error
from brrtrouter.core.request import Request, RequestIds
from brrtrouter.core.response import Response, problem_response
from brrtrouter.core.service import Body, Mode, Operation
from brrtrouter.errors import Issue, RouteError
from brrtrouter.policy.compression import Compressor
from brrtrouter.policy.etags import EntityTags
from brrtrouter.policy.middleware import fold_everything
from brrtrouter.policy.representations import Finisher
from brrtrouter.providers import how_to_set
from brrtrouter.spec import model
from brrtrouter.spec.schema import Schema, SchemaOptions
from brrtrouter.spec.source import Network

if TYPE_CHECKING:
    from brrtrouter.observe.watch import Watch
    from brrtrouter.spec.examples import ExampleBook

logger = logging.getLogger("brrtrouter")

# The variables that switch tracing on where the settings leave it open.
OTLP_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
# What the setting `loading.network` allows.
NETWORK: Final[Mapping[str, Network]] = {"off": False, "https": "https", "http": "http"}


def add_route(matcher: Matcher, operation: model.Operation) -> Issue | None:
    try:
        matcher.add(operation.method, operation.path, len(matcher))
    except RouteError as error:
        return Issue("IllegalPathTemplate", operation.pointer, str(error))
    return None


def core_operation(
    operation: model.Operation,
    names: tuple[str, ...],
    config: Config,
    call: Callable[[Request], Any],
    mode: Mode,
    check: Callable[[Request], Any] | None,
    check_mode: Mode,
    raw_content: bool,
) -> Operation:
    body = None
    if operation.request_body is not None:
        body = Body(operation.request_body.required, operation.request_body.content, config.limits)
    return Operation(
        method=operation.method,
        path=operation.path,
        handler=operation.handler,
        call=call,
        mode=mode,
        model=operation,
        parser=ArgumentParser(
            operation.parameters,
            names,
            config.limits.query_parameters,
            first=config.validation.errors == "first",
        ),
        body=body,
        security=check,
        security_mode=check_mode,
        success_status=operation.success_status,
        media_types=_media_types(operation),
        max_body=operation.max_body,
        stream_body=operation.stream_body,
        deadline=operation.deadline,
        raw_content=raw_content,
        upgrades=operation.websocket,
        scope=next((schema.scope for schema in request_schemas(operation) if schema.scope is not None), None),
    )


def finisher(tags: ETag, compressor: Compressor | None) -> Finisher | None:
    """What has the last word about answers; None when the settings leave nothing to say."""
    if compressor is None and tags.generate == "off" and not tags.conditional:
        return None
    return Finisher(EntityTags(tags), compressor)


def added_fields(config: Config) -> frozenset[str]:
    """The header fields that the server adds to what an application answers, in lower case."""
    added = {
        config.request_id.header.lower(): config.request_id.echo,
        "etag": config.etag.generate != "off",
        "content-encoding": bool(config.compression.encodings),
        "vary": bool(config.compression.encodings),
    }
    return frozenset(name for name, is_added in added.items() if is_added)


def request_ids(settings: RequestId) -> RequestIds:
    """The settings as the core takes them."""
    return RequestIds(settings.header, accept=settings.accept, echo=settings.echo, length=settings.length)


def content_decoders(settings: Compression) -> Decoders:
    """The codings that bodies of requests may have."""
    return Decoders.of(settings.requests)


def default_stack(size: int) -> int:
    """The setting `limits.handler_stack` as threads get it: 0 for what the system gives, else no less than needed."""
    return model.stack_size(size) if size else 0


def configured(config: Config, response_validation: str | None) -> Config:
    """The settings with what was given to the App itself."""
    if response_validation is None:
        return config
    return load_config(replace(config, validation=replace(config.validation, responses=response_validation)))


def schema_options(config: Config) -> SchemaOptions:
    """How schemas are read; one fault more than a client is told shows that there are more."""
    faults = 1 if config.validation.errors == "first" else config.limits.errors + 1
    chosen, limits = config.validation, config.limits
    return SchemaOptions(
        chosen.formats, chosen.read_only, chosen.write_only, faults, limits.pattern_work, limits.pattern_work_request
    )


def request_schemas(operation: model.Operation) -> Iterator[Schema]:
    media = operation.request_body.content if operation.request_body is not None else ()
    schemas = [parameter.schema for parameter in operation.parameters] + [each.schema for each in media]
    schemas += [each.item_schema for each in media]
    schemas += [header.schema for each in media for header in _part_headers(each.reading.forms.get("multipart"))]
    yield from (schema for schema in schemas if schema is not None)


def _part_headers(form: model.Form | None) -> Iterator[model.Parameter]:
    """The headers of the parts of a multipart body, and of the bodies inside of it."""
    parts = [] if form is None else [*form.parts.values(), *form.prefix, *filter(None, (form.additional,))]
    for part in parts:
        yield from part.headers
        yield from _part_headers(part.form)


def _media_types(operation: model.Operation) -> dict[int, str | None]:
    """What a plain result is sent as: the declared media type when it is not the usual JSON and not a range."""
    return _by_status(tuple((response.status, _media_type(response)) for response in operation.responses))


def _media_type(response: model.Response) -> str | None:
    names = [media.essence for media in response.content if "*" not in media.essence]
    return None if not names or "application/json" in names else names[0]


@lru_cache
def _by_status(declared: tuple[tuple[str, str | None], ...]) -> dict[int, str | None]:
    """The more exact key wins (OpenAPI 3.1 section 4.8.16).  Operations that declare the same share one table."""
    found: dict[int, str | None] = {}
    for status, name in sorted(declared, key=lambda entry: len(_statuses(entry[0])), reverse=True):
        found.update(dict.fromkeys(_statuses(status), name))
    return found if any(found.values()) else {}


def _statuses(declared: str) -> range:
    """The statuses that a key of Responses stands for: "404", "4XX", or "default"."""
    if declared.isdigit():
        return range(int(declared), int(declared) + 1)
    return range(int(declared[0]) * 100, int(declared[0]) * 100 + 100) if declared[:1].isdigit() else range(200, 600)


def around_all(
    layers: list[object], operations: Iterable[Operation]
) -> tuple[Callable[[Callable[[Request], Any]], Callable[[Request], Any]] | None, Mode]:
    """What wraps the whole walk.  When anything inside may suspend, all of it runs as a coroutine."""
    if not layers:
        return None, Mode.SYNC
    inner = Mode.TASK if any(operation.suspends for operation in operations) else Mode.SYNC
    _, mode = fold_everything(lambda request: None, inner, layers, internal_error)
    return (lambda walk: fold_everything(walk, inner, layers, internal_error)[0]), mode


def security_text(operation: model.Operation) -> str:
    return " | ".join(" & ".join(need.scheme for need in each) or "anonymous" for each in operation.security)


def how_to_configure(scheme: model.SecurityScheme, source: str) -> str:
    where = f"security scheme {scheme.name!r} ({scheme.type}) of {source} has no provider"
    if scheme.type == "apiKey":
        variable = api_key_variable(scheme.name)
        return f"{where}: set security.api_keys.{scheme.name}.key in the configuration, or {variable}"
    key = how_to_set(scheme)
    setting = f"set {key} in the configuration, or " if key else ""
    return f"{where}: {setting}pass one as App(security={{{scheme.name!r}: provider}})"


def close_providers(providers: Iterable[object]) -> None:
    """Let the threads of those that have some end."""
    for provider in providers:
        close = getattr(provider, "close", None)
        if callable(close):
            close()


def example_book(seed: int) -> ExampleBook:
    """What mocks answer from.  Imported here, because a server with handlers has no use for what makes values."""
    from brrtrouter.spec.examples import ExampleBook

    return ExampleBook(seed)


def watch_for(config: Config, known: Watch | None) -> Watch | None:
    """What logs and traces requests, None when nothing does.  Imported only for settings that ask for it.

    known: that of the version before, which goes on when its settings are the same.
    """
    if known is not None and known.fits(config):
        return known
    log, traced = config.log, config.tracing.enabled
    untraced = traced == "off" or (traced == "auto" and not any(map(os.environ.get, OTLP_ENDPOINTS)))
    if untraced and not log.access and not log.context and log.application == "off":
        return None
    made: Watch = import_module("brrtrouter.observe.watch").Watch(config)
    return made


def internal_error(request: Request) -> Response:
    """The answer for an exception that is being handled."""
    log_error(request)
    detail = "the server failed to answer this request"
    return problem_response("internal-error", detail, extra={"request_id": request.id})


def log_error(request: Request) -> None:
    note_error(request, sys.exc_info()[1])
    logger.exception("request %s: %s %s failed", request.id, request.method, request.path)
