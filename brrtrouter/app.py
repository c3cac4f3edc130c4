"""`App`: wires specification, handlers and policy into one immutable compiled service."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from brrtrouter.config import Config, api_key_variable, load_config
from brrtrouter.core.arguments import ArgumentParser
from brrtrouter.core.matcher import Matcher
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.core.service import Body, Mode, Operation, Service
from brrtrouter.dispatch import builtin
from brrtrouter.dispatch.echo import echo
from brrtrouter.dispatch.kinds import mode_of, never_blocks
from brrtrouter.dispatch.missing import not_implemented
from brrtrouter.dispatch.pool import Pool
from brrtrouter.dispatch.registry import Handler, Registry
from brrtrouter.errors import ConfigError, HandlerError, Issue, RouteError, SpecError
from brrtrouter.policy.middleware import applies_to, check_middleware, fold, fold_everything, wraps_everything
from brrtrouter.policy.security import (
    ApiKeyProvider,
    Bound,
    PresenceProvider,
    SecurityProvider,
    check_provider,
    compile_check,
)
from brrtrouter.spec import model
from brrtrouter.spec.load import load
from brrtrouter.spec.schema import Schema

if TYPE_CHECKING:
    from brrtrouter.server.handle import Server

logger = logging.getLogger("brrtrouter")
F = TypeVar("F", bound=Handler)
Source = str | os.PathLike[str] | bytes | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the start-up banner: an operation and what answers it."""

    method: str
    path: str
    handler: str
    reason: str
    security: str
    kind: str
    model: model.Operation | None


class App:
    """An OpenAPI description and the Python that answers it.

    spec: a path, bytes, text or a dict.  handlers: the name of a module or a path to one, a module, an object with
    methods, or a mapping from names.  config: a path to a YAML file, a mapping, or a Config.  middleware: see
    `brrtrouter.policy.middleware`.  security: providers by the name of their scheme, see `brrtrouter.policy.security`.
    echo: operations without a handler are answered by the echo handler, and a credential that no provider verifies
    must only be present.  base_path: instead of the one that `servers` gives.  strict: warnings about the document are
    errors.

    Raises SpecError, HandlerError and ConfigError for what is wrong with each.
    """

    def __init__(
        self,
        spec: Source,
        handlers: str | os.PathLike[str] | ModuleType | Mapping[str, Handler] | object = None,
        config: str | os.PathLike[str] | Mapping[str, Any] | Config | None = None,
        *,
        middleware: Iterable[object] = (),
        security: Mapping[str, SecurityProvider] | None = None,
        echo: bool = False,
        base_path: str | None = None,
        strict: bool = False,
    ) -> None:
        self.config = load_config(config)
        self.specification = load(spec, strict=strict, base_path=base_path)
        self.registry = Registry(handlers)
        self.echo = echo
        self._middleware = list(middleware)
        for layer in self._middleware:
            check_middleware(layer)
        self._providers = dict(security or {})
        self._pool = Pool(self.config.limits.handler_threads, self.config.limits.handler_queue)
        self._service: Service | None = None
        self._routes: list[Route] = []
        self._listeners: list[Callable[[Service], None]] = []

    # -- registration

    def handler(self, name: str, *, inline: bool = False) -> Callable[[F], F]:
        """Decorator that registers a function as the handler `name`, before or after the start.

        With `inline=True` a plain `def` runs on the event loop instead of in the thread pool.
        """

        def decorate(function: F) -> F:
            self.register(name, function, inline=inline)
            return function

        return decorate

    def register(self, name: str, function: Handler, *, inline: bool = False) -> None:
        """Set the handler for an operationId or x-handler name; a running server uses it from the next request on.

        Raises HandlerError: no operation has the name, or the function cannot take the request.
        """
        if name not in {operation.handler for operation in self.specification.operations}:
            raise HandlerError(f"{self.specification.source} has no operation with the handler {name!r}")
        self.registry.register(name, function, inline=inline)
        if self._service is not None:
            self._install(self._replace(self._service, name))

    def add_middleware(self, middleware: object) -> None:
        """Add a middleware inside of those there are; only before the service is built."""
        check_middleware(middleware)
        self._refuse_when_built("middleware")
        self._middleware.append(middleware)

    def add_security(self, scheme: str, provider: SecurityProvider) -> None:
        """Bind a provider to a security scheme of the document; only before the service is built."""
        self._refuse_when_built("a security provider")
        self._providers[scheme] = provider

    def _refuse_when_built(self, what: str) -> None:
        if self._service is not None:
            raise ConfigError(f"{what} cannot be added after the app has started")

    # -- compilation

    @property
    def service(self) -> Service:
        """The compiled service; built when it is first asked for."""
        if self._service is None:
            self._service = self._compile()
        return self._service

    @property
    def routes(self) -> list[Route]:
        """Every operation and what answers it, in the order of the document."""
        _ = self.service
        return list(self._routes)

    @property
    def missing(self) -> list[str]:
        """Names of handlers that operations ask for and nobody provides."""
        names = dict.fromkeys(operation.handler for operation in self.specification.operations)
        return [name for name in names if self.registry.find(name) is None]

    @property
    def unused(self) -> list[str]:
        """Handlers registered or marked under a name that no operation asks for."""
        return self.registry.unused({operation.handler for operation in self.specification.operations})

    def on_service(self, listener: Callable[[Service], None]) -> None:
        """Call `listener` with every new service, until `off_service`; for servers."""
        self._listeners.append(listener)

    def off_service(self, listener: Callable[[Service], None]) -> None:
        """Call `listener` no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def _install(self, service: Service) -> None:
        self._service = service
        for listener in self._listeners:
            listener(service)

    def _compile(self) -> Service:
        endpoints = list(builtin.endpoints(self.config.endpoints, self.specification))
        declared = self._visible({endpoint.path for endpoint in endpoints})
        matcher = self._matcher(endpoints, declared)
        self._check_schemas(declared)
        checks = self._security_checks(declared)
        operations = [
            Operation(method="GET", path=endpoint.path, handler=endpoint.name, call=endpoint.call, mode=Mode.SYNC)
            for endpoint in endpoints
        ]
        self._routes = []
        for index, operation in enumerate(declared, start=len(endpoints)):
            call, mode, route = self._chain(operation)
            self._routes.append(route)
            check, check_mode = checks.get(operation.security, (None, Mode.SYNC))
            names = matcher.capture_names(index)
            operations.append(_operation(operation, names, self.config, call, mode, check, check_mode))
        return self._assemble(matcher, operations)

    def _visible(self, endpoints: set[str]) -> list[model.Operation]:
        """The operations of the document that no built-in endpoint hides."""
        hidden = [each for each in self.specification.operations if each.method == "GET" and each.path in endpoints]
        for operation in hidden:
            logger.warning("GET %s of the document is hidden by a built-in endpoint", operation.path)
        return [operation for operation in self.specification.operations if operation not in hidden]

    def _assemble(self, matcher: Matcher, operations: Iterable[Operation]) -> Service:
        operations = tuple(operations)
        outer = [layer for layer in self._middleware if wraps_everything(layer)]
        around, around_mode = _around(outer, operations)
        return Service(
            matcher,
            operations,
            self.config.limits,
            auto_options=self.config.routing.auto_options,
            around=around,
            around_mode=around_mode,
            log_error=_log_error,
        )

    def _matcher(self, endpoints: list[builtin.Endpoint], declared: list[model.Operation]) -> Matcher:
        routing = self.config.routing
        matcher = Matcher(
            auto_head=routing.auto_head, auto_options=routing.auto_options, trailing_slash=routing.trailing_slash
        )
        paths = [endpoint.path for endpoint in endpoints]
        for path in paths:
            if paths.count(path) > 1:
                raise ConfigError(f"two built-in endpoints have the path {path}")
            matcher.add("GET", path, len(matcher))
        issues = [issue for operation in declared if (issue := _add_route(matcher, operation)) is not None]
        if issues:
            raise SpecError(self.specification.source, issues)
        matcher.freeze()
        return matcher

    def _check_schemas(self, operations: list[model.Operation]) -> None:
        """Compile what requests are validated by: a schema that cannot be used is found now, not by a request."""
        schemas = dict.fromkeys(schema for operation in operations for schema in _request_schemas(operation))
        issues = [issue for schema in schemas if (issue := schema.compile_issue()) is not None]
        if issues:
            raise SpecError(self.specification.source, issues)

    def _chain(self, operation: model.Operation) -> tuple[Callable[[Request], Any], Mode, Route]:
        """The handler of an operation inside of the middleware that applies to it."""
        found = self.registry.find(operation.handler)
        if found is not None:
            function, reason = found
        elif self.echo:
            function, reason = echo, "echo: no handler is registered"
        else:
            function, reason = not_implemented, "missing: answered with 501"
        call, mode = function, mode_of(function)
        kind = {Mode.SYNC: "thread", Mode.INLINE: "async, never suspends", Mode.TASK: "async"}[mode]
        if mode is Mode.SYNC and self.registry.is_inline(operation.handler, function):
            kind = "inline"
        elif mode is Mode.SYNC and never_blocks(function):
            kind = "stream"
        elif mode is Mode.SYNC:
            call, mode = self._pool.wrap(function), Mode.TASK
        layers = [x for x in self._middleware if not wraps_everything(x) and applies_to(x, operation)]
        call, mode = fold(call, mode, layers)
        return (
            call,
            mode,
            Route(
                operation.method, operation.path, operation.handler, reason, _security_text(operation), kind, operation
            ),
        )

    def _replace(self, service: Service, name: str) -> Service:
        """The service with another handler for the operations of that name."""
        operations = list(service.operations)
        for index, current in enumerate(operations):
            if current.model is not None and current.handler == name:
                call, mode, route = self._chain(current.model)
                operations[index] = current.replace(call, mode)
                self._routes = [route if known.model is current.model else known for known in self._routes]
        return self._assemble(service.matcher, operations)

    # -- security

    def _security_checks(
        self, operations: list[model.Operation]
    ) -> dict[model.SecurityRequirement, tuple[Callable[[Request], Any], Mode]]:
        """One check for each distinct requirement; schemes that nobody can verify are refused, all at once."""
        self._check_provider_names()
        # `security: [{}]` asks for nothing, like no security at all.
        requirements = dict.fromkeys(operation.security for operation in operations if any(operation.security))
        schemes = self.specification.security_schemes
        names = dict.fromkeys(need.scheme for wanted in requirements for each in wanted for need in each)
        found = {name: self._provider(schemes[name]) for name in names}
        providers = {name: provider for name, provider in found.items() if provider is not None}
        missing = [_how_to_configure(schemes[name], self.specification.source) for name in names.keys() - providers]
        if missing:
            raise ConfigError("; ".join(sorted(missing)))
        return {
            requirement: compile_check(
                [
                    [Bound(providers[need.scheme], schemes[need.scheme], need.scopes) for need in alternative]
                    for alternative in requirement
                ]
            )
            for requirement in requirements
        }

    def _check_provider_names(self) -> None:
        """A provider for a scheme that the document does not have is a misspelt name."""
        schemes = self.specification.security_schemes
        unknown = ", ".join(repr(name) for name in self._providers if name not in schemes)
        if unknown:
            known = ", ".join(map(repr, schemes)) or "none"
            raise ConfigError(f"{self.specification.source} has no security scheme {unknown}; it has {known}")

    def _provider(self, scheme: model.SecurityScheme) -> SecurityProvider | None:
        if scheme.name in self._providers:
            return check_provider(scheme.name, self._providers[scheme.name])
        key = self.config.api_key(scheme.name) if scheme.type == "apiKey" else None
        if key is not None:
            return ApiKeyProvider(key)
        return PresenceProvider() if self.echo else None

    # -- running

    def start(self, host: str = "127.0.0.1", port: int = 8080) -> Server:
        """Serve in a thread of its own; `port` 0 takes a free one.  See `brrtrouter.server.handle.Server`."""
        server: Server = import_module("brrtrouter.server.handle").Server(self, host, port)
        server.start()
        return server

    def run(self, host: str = "127.0.0.1", port: int = 8080, workers: int = 1) -> None:
        """Serve in this thread until SIGTERM or SIGINT, then drain.  ConfigError when `workers` is not 1."""
        if workers != 1:
            raise ConfigError(f"workers={workers}: this version serves from one process")
        import_module("brrtrouter.server.handle").Server(self, host, port).run()

    def close(self) -> None:
        """Let the threads of the handler pool end."""
        self._pool.close()


def _add_route(matcher: Matcher, operation: model.Operation) -> Issue | None:
    try:
        matcher.add(operation.method, operation.path, len(matcher))
    except RouteError as error:
        return Issue("IllegalPathTemplate", operation.pointer, str(error))
    return None


def _operation(
    operation: model.Operation,
    names: tuple[str, ...],
    config: Config,
    call: Callable[[Request], Any],
    mode: Mode,
    check: Callable[[Request], Any] | None,
    check_mode: Mode,
) -> Operation:
    body = None
    if operation.request_body is not None:
        content = [(media.essence, media.schema) for media in operation.request_body.content]
        body = Body(operation.request_body.required, content)
    return Operation(
        method=operation.method,
        path=operation.path,
        handler=operation.handler,
        call=call,
        mode=mode,
        model=operation,
        parser=ArgumentParser(operation.parameters, names, config.limits.query_parameters),
        body=body,
        security=check,
        security_mode=check_mode,
        success_status=operation.success_status,
        media_types=_media_types(operation),
    )


def _request_schemas(operation: model.Operation) -> Iterator[Schema]:
    media = operation.request_body.content if operation.request_body is not None else ()
    schemas = [parameter.schema for parameter in operation.parameters] + [each.schema for each in media]
    yield from (schema for schema in schemas if schema is not None)


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


def _around(
    layers: list[object], operations: Iterable[Operation]
) -> tuple[Callable[[Callable[[Request], Any]], Callable[[Request], Any]] | None, Mode]:
    """What wraps the whole walk.  When anything inside may suspend, all of it runs as a coroutine."""
    if not layers:
        return None, Mode.SYNC
    inner = Mode.TASK if any(operation.suspends for operation in operations) else Mode.SYNC
    _, mode = fold_everything(lambda request: None, inner, layers, _internal_error)
    return (lambda walk: fold_everything(walk, inner, layers, _internal_error)[0]), mode


def _security_text(operation: model.Operation) -> str:
    return " | ".join(" & ".join(need.scheme for need in each) or "anonymous" for each in operation.security)


def _how_to_configure(scheme: model.SecurityScheme, source: str) -> str:
    where = f"security scheme {scheme.name!r} ({scheme.type}) of {source} has no provider"
    if scheme.type == "apiKey":
        variable = api_key_variable(scheme.name)
        return f"{where}: set security.api_keys.{scheme.name}.key in the configuration, or {variable}"
    return f"{where}: pass one as App(security={{{scheme.name!r}: provider}})"


def _internal_error(request: Request) -> Response:
    """The answer for an exception that is being handled."""
    _log_error(request)
    detail = "the server failed to answer this request"
    return problem_response("internal-error", detail, extra={"request_id": request.id})


def _log_error(request: Request) -> None:
    logger.exception("request %s: %s %s failed", request.id, request.method, request.path)
