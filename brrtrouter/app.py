"""`App`: wires specification, handlers and policy into one immutable compiled service."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from brrtrouter import live
from brrtrouter.asgi.types import Application, Receive, Scope, Send
from brrtrouter.config import Config, load_config
from brrtrouter.core.cors import CrossOrigin
from brrtrouter.core.matcher import Matcher
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response
from brrtrouter.core.service import Mode, Operation, Service
from brrtrouter.dispatch import builtin
from brrtrouter.dispatch.echo import echo
from brrtrouter.dispatch.kinds import mode_of, never_blocks
from brrtrouter.dispatch.missing import not_implemented
from brrtrouter.dispatch.mock import Mock, MockRefusals
from brrtrouter.dispatch.pool import Pools
from brrtrouter.dispatch.registry import Handler, Registry
from brrtrouter.dispatch.reloads import Reloads
from brrtrouter.dispatch.static import Folder, Folders
from brrtrouter.errors import ConfigError, HandlerError, Issue, SpecError
from brrtrouter.guards import Guards
from brrtrouter.outgoing.client import CallbackSender, Outgoing, WebhookSender
from brrtrouter.outgoing.links import LinkHeader, Links, ResolvedLink, has_links
from brrtrouter.outgoing.receive import Receiver, mount, verifying
from brrtrouter.policy.compression import Compressor, exempted
from brrtrouter.policy.cors import Cors
from brrtrouter.policy.cors import check as check_cors
from brrtrouter.policy.middleware import applies_to, check_middleware, fold, wraps_everything
from brrtrouter.policy.responses import RefusalCheck, ResponseChecks
from brrtrouter.policy.security import Bound, PresenceProvider, SecurityProvider, check_provider, compile_check
from brrtrouter.providers import provider_for
from brrtrouter.realtime.wiring import Realtime
from brrtrouter.spec import model
from brrtrouter.spec.load import load
from brrtrouter.wiring import (
    NETWORK,
    add_route,
    added_fields,
    around_all,
    close_providers,
    configured,
    content_decoders,
    core_operation,
    default_stack,
    example_book,
    finisher,
    how_to_configure,
    log_error,
    request_ids,
    request_schemas,
    schema_options,
    security_text,
    watch_for,
)

if TYPE_CHECKING:
    from brrtrouter.asgi.gateway import Gateway
    from brrtrouter.asgi.mount import Mounts
    from brrtrouter.observe.metrics import Metrics
    from brrtrouter.observe.watch import Watch
    from brrtrouter.server.handle import Server
    from brrtrouter.server.reload import Changes

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
    must only be present.  mock: they are answered as the document says, from its examples and schemas, with the same
    presence check; seed: what made values depend on.  base_path: instead of the one that `servers` gives.  strict:
    warnings about the document are errors.

    response_validation: "off", "log" or "enforce", instead of the setting `validation.responses`.
    webhooks: where webhooks and callbacks of the document are received, by name: a path, or a Receiver with a secret;
    beside those of the settings, and before them.
    documents: what stands at the addresses that the document refers to, for those that are not to be fetched.
    static: folders of files by the prefixes of their paths, each a path or a `StaticFiles`; operations come first.

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
        mock: bool = False,
        seed: int = 0,
        base_path: str | None = None,
        strict: bool = False,
        response_validation: str | None = None,
        documents: Mapping[str, Source] | None = None,
        webhooks: Mapping[str, str | Receiver] | None = None,
        static: Mapping[str, Folder] | None = None,
    ) -> None:
        options: dict[str, Any] = {"echo": echo, "mock": mock, "seed": seed, "base_path": base_path, "strict": strict}
        options.update(response_validation=response_validation, documents=documents, webhooks=webhooks, static=static)
        self.arguments = spec, handlers, config, options
        self.config = configured(load_config(config), response_validation)
        loading = self.config.loading
        self.specification = load(
            spec,
            strict=strict,
            base_path=base_path,
            allow_outside=loading.outside,
            allow_network=NETWORK[loading.network],
            documents=documents,
            cache=loading.cache or None,
            options=schema_options(self.config),
        )
        self.specification, self._signers = mount(
            self.specification, {**self.config.webhooks, **(webhooks or {})}, self.config.outgoing
        )
        self.guards = Guards(self.config)
        self.outgoing = Outgoing(self.specification, self.config)
        self._links = Links(self.specification.operations, self.config.outgoing.base_url)
        self.registry = Registry(handlers)
        if echo and mock:
            raise ConfigError("an app can echo or mock, not both")
        self.echo = echo
        self.mock = mock
        self._book = example_book(seed) if mock else None
        self._middleware = list(middleware)
        for layer in self._middleware:
            check_middleware(layer)
        self._providers = dict(security or {})
        self._verifying: list[SecurityProvider] = []  # those that are in use, when the service is built
        limits = self.config.limits
        self._pools = Pools(limits.handler_threads, limits.handler_queue, default_stack(limits.handler_stack))
        self._mounts: Mounts | None = None  # like the gateway, made when somebody asks for it
        self._gateway: Gateway | None = None
        self._folders = Folders({**self.config.static.folders, **(static or {})}, self.config.static)
        self.readiness = builtin.Readiness()
        self.realtime = Realtime(self.config, self._pools.default)
        self._compressor: Compressor | None = None
        self._service: Service | None = None
        self._cors: CrossOrigin | None = None
        self.metrics: Metrics | None = None  # from when the service is built, if they are switched on
        self._watch: Watch | None = None  # the access log and tracing, likewise
        self._routes: list[Route] = []
        self._listeners: list[Callable[[Service], None]] = []
        self.reloads = Reloads()
        self._added: dict[tuple[str, str], Mapping[str, Any]] = {}

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

    def mount(self, prefix: str, application: Application, *, max_body: int | None = None) -> None:
        """Let an ASGI application answer what no operation has a path for below a prefix; only before the start.

        max_body: of its requests, in place of the limit `body`.  Raises ConfigError.
        """
        self._refuse_when_built("a mounted application")
        if self._mounts is None:
            self._mounts = import_module("brrtrouter.asgi.mount").Mounts()
        self._mounts.add(prefix, application, max_body)

    def _refuse_when_built(self, what: str) -> None:
        if self._service is not None:
            raise ConfigError(f"{what} cannot be added after the app has started")

    # -- change while it runs

    def reload(self) -> Changes:
        """Read description, handlers and configuration again, and let a running server go on with what they say.

        The new version is tried out in another process first.  Requests under way finish with the old one; what was
        registered on this object stays.  Raises ReloadError, a BrrtError: nothing has changed, and it says why.
        """
        changes: Changes = import_module("brrtrouter.server.reload").reload(self)
        return changes

    def add_operation(
        self,
        method: str,
        path: str,
        operation: Mapping[str, Any],
        handler: Handler | None = None,
        *,
        inline: bool = False,
    ) -> None:
        """Add an operation while the application runs: an Operation Object, whose references lead into the document.

        path: as it would stand in the document.  handler: for its name, unless there is one already.  A running server
        knows it from the next request on.  Raises SpecError, HandlerError and, where there is one already, BrrtError.
        """
        with self.reloads.lock:
            other = copy.copy(self)
            other.specification = live.added(self.specification, method, path, operation, schema_options(self.config))
            if handler is not None:
                other.registry = self.registry.with_one(other.specification.operations[-1].handler, handler, inline)
            self._become(other)
            self._added[method, path] = operation

    def remove_operation(self, method: str, path: str) -> None:
        """Take an operation away while the application runs: from the next request on its answer is 404, or 405.

        Requests under way are answered.  Raises BrrtError when there is none.
        """
        with self.reloads.lock:
            other = copy.copy(self)
            other.specification = live.removed(self.specification, method, path)
            self._become(other)
            self._added.pop((method, path), None)

    def unregister(self, name: str) -> None:
        """Take away what was registered as the handler `name`; what the application was made with holds again.

        Raises HandlerError when nothing was registered.
        """
        self.registry.unregister(name)
        if self._service is not None:
            self._install(self._replace(self._service, name))

    def again(self) -> App:
        """A new application from the arguments of this one."""
        spec, handlers, config, options = self.arguments
        return App(spec, handlers, config, middleware=self._middleware, security=self._providers, **options)

    def adopt(self, other: App) -> None:
        """Take on everything of another application; what was registered and added here stays."""
        other.registry.take_over(self.registry)
        for (method, path), operation in self._added.items():
            if not any(live.same(each, method, path, other.specification) for each in other.specification.operations):
                other.specification = live.added(
                    other.specification, method, path, operation, schema_options(other.config)
                )
        other.readiness, other.reloads, other._mounts = self.readiness, self.reloads, self._mounts
        other.guards.follow(self.guards)
        if other._pools.bounds == self._pools.bounds:
            other._pools = self._pools
        self._become(other)

    def _become(self, other: App) -> None:
        """Compile another version of this application, then be it: nothing changes when it cannot be compiled."""
        other._service = None
        other._links = Links(other.specification.operations, other.config.outgoing.base_url)
        other.realtime.opened = self.realtime.opened
        service = other.service
        kept = ("_listeners", "_gateway", "_added", "arguments")
        was_built = self._service is not None
        self.__dict__.update({name: value for name, value in vars(other).items() if name not in kept})
        if was_built:
            self._install(service)

    # -- what is sent, and where answers lead

    @property
    def callbacks(self) -> Mapping[str, CallbackSender]:
        """The callbacks of the document by name: `await app.callbacks["onEvent"].send(request, body)`."""
        return self.outgoing.callbacks

    @property
    def webhooks(self) -> Mapping[str, WebhookSender]:
        """The webhooks of the document by name: `await app.webhooks["newPet"].send(url, body)`."""
        return self.outgoing.webhooks

    def link(self, name: str, request: Request, response: Any) -> ResolvedLink:
        """One link of an answer, a Response or what a handler returns.  Raises OutgoingError when it leads nowhere."""
        return self._links.resolve(name, request, response)

    def links(self, request: Request, response: Any) -> dict[str, ResolvedLink]:
        """The links of an answer that can be resolved, by name."""
        return self._links.resolve_all(request, response)

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
        scrape = self._scrape if self.config.metrics.enabled else None
        endpoints = list(builtin.endpoints(self.config.endpoints, self.specification, self.readiness, scrape))
        endpoints += self.guards.endpoints()
        declared = self._visible({endpoint.path for endpoint in endpoints})
        matcher = self._matcher(endpoints, declared)
        if self.config.metrics.enabled:
            routes = [("GET", each.path) for each in endpoints] + [(each.method, each.path) for each in declared]
            self.metrics = import_module("brrtrouter.observe.metrics").Metrics(
                self.config.metrics, routes, [self._pools.samples, self.reloads.samples, self.guards.samples]
            )
        self._watch = watch_for(self.config, self._watch)
        if self._watch is not None and self._watch.tracing is not None:
            self.outgoing.trace_fields = self._watch.tracing.inject
        self._cors = self._cross_origin(matcher, [*([None] * len(endpoints)), *declared])
        validation = self.config.validation
        self._checks = ResponseChecks(
            declared,
            validation.responses,
            problems=validation.problems,
            limit=self.config.limits.errors,
            own=added_fields(self.config),
        )
        uncompressed, self._issues = exempted(declared)
        self._check_schemas(declared)
        if self.config.compression.encodings:
            self._compressor = Compressor(self.config.compression, uncompressed)
        checks = self._security_checks(declared)
        operations = [
            Operation(method="GET", path=endpoint.path, handler=endpoint.name, call=endpoint.call, mode=Mode.SYNC)
            for endpoint in endpoints
        ]
        self._routes = []
        guard_issues: list[Issue] = []
        for index, operation in enumerate(declared, start=len(endpoints)):
            call, mode, route = self._chain(operation)
            self._routes.append(route)
            check, check_mode = checks.get(operation.security, (None, Mode.SYNC))
            if operation.pointer in self._signers:
                check = verifying(self._signers[operation.pointer], check)
            secured = check is not None
            check, check_mode = self.guards.around(
                operation, self.specification.security_schemes, check, check_mode, guard_issues
            )
            names = matcher.capture_names(index)
            raw = operation in uncompressed
            operations.append(core_operation(operation, names, self.config, call, mode, check, check_mode, raw))
            operations[-1].fixed = self.guards.fields(secured)
        if guard_issues:
            raise SpecError(self.specification.source, guard_issues)
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
        if self._checks.problems and len(self._checks):
            outer.append(RefusalCheck(self._checks))
        if self._book is not None:
            # Innermost, so that everything further out sees the answer that goes out.
            outer.append(MockRefusals(lambda handler: self.registry.find(handler) is None, self._book))
        mounted = () if self._mounts is None else self._mounts.operations
        around, around_mode = around_all(outer, (*operations, *mounted))
        last_word = finisher(self.config.etag, self._compressor)
        return Service(
            matcher,
            operations,
            self.config.limits,
            auto_options=self.config.routing.auto_options,
            first_fault=self.config.validation.errors == "first",
            around=around,
            around_mode=around_mode,
            log_error=log_error,
            finisher=last_word,
            finishes_all=last_word is not None and last_word.finishes_all,
            request_ids=request_ids(self.config.request_id),
            decoders=content_decoders(self.config.compression),
            mounts=self._beyond(),
            meter=None if self.metrics is None else self.metrics.meter,
            cors=self._cors,
            observer=None if self._watch is None else self._watch.observer,
            fixed=self.guards.fixed,
        )

    def _beyond(self) -> Callable[[bytes], Operation | None] | None:
        """What answers a raw path that no operation has, an application, else a folder; None without any."""
        folders = self._folders.find if self._folders else None
        if self._mounts is None:
            return folders
        applications = self._mounts.find
        return applications if folders is None else lambda path: applications(path) or folders(path)

    def _scrape(self, request: Request) -> Response:
        assert self.metrics is not None
        return self.metrics.answer(request)

    def _cross_origin(self, matcher: Matcher, operations: list[model.Operation | None]) -> CrossOrigin | None:
        settings = self.config.cors
        check_cors(settings)
        if not settings.origins:
            return None
        cors = Cors(settings, matcher, operations, self.specification.security_schemes)
        if cors.issues:
            raise SpecError(self.specification.source, cors.issues)
        return cors.cross_origin

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
        issues = [issue for operation in declared if (issue := add_route(matcher, operation)) is not None]
        if issues:
            raise SpecError(self.specification.source, issues)
        matcher.freeze()
        return matcher

    def _check_schemas(self, operations: list[model.Operation]) -> None:
        """Compile what is validated by: a schema that cannot be used is found now, not by a request."""
        schemas = dict.fromkeys(schema for operation in operations for schema in request_schemas(operation))
        schemas |= dict.fromkeys(self._checks.schemas())
        issues = self._checks.issues + self._issues
        issues += [found for schema in schemas if (found := schema.compile_issue()) is not None]
        if issues:
            raise SpecError(self.specification.source, issues)

    def _chain(self, operation: model.Operation) -> tuple[Callable[[Request], Any], Mode, Route]:
        """The handler of an operation inside of the middleware that applies to it."""
        found = self.registry.find(operation.handler)
        if found is not None:
            function, reason = found
        elif self.echo:
            function, reason = echo, "echo: no handler is registered"
        elif self._book is not None:
            function, reason = Mock(operation, self._book), "mock: no handler is registered"
        else:
            function, reason = not_implemented, "missing: answered with 501"
        if found is not None and operation.websocket:
            call, mode = self.realtime.websocket(operation, function)
        else:
            call, mode = function, mode_of(function)
        kind = {Mode.SYNC: "thread", Mode.INLINE: "async, never suspends", Mode.TASK: "async"}[mode]
        if operation.websocket and found is not None:
            kind = "websocket"
        elif mode is Mode.SYNC and self.registry.is_inline(operation.handler, function):
            kind = "inline"
        elif mode is Mode.SYNC and (never_blocks(function) or self.realtime.makes_generator(operation, function)):
            kind = "stream"
        elif mode is Mode.SYNC:
            if operation.stream_body and found is not None:
                text = "its body is a stream (x-brrtrouter-stream), so that it has to be an `async def`"
                raise HandlerError(f"the handler {operation.handler!r}: {text}")
            call, mode = self._pools.of(operation.stack_size).wrap(function), Mode.TASK
        if found is not None and operation.sse:
            call, mode = self.realtime.events(call, mode)
        layers = [x for x in self._middleware if not wraps_everything(x) and applies_to(x, operation)]
        if function not in (echo, not_implemented):  # which answer without knowing what is described
            if self.config.outgoing.link_header and has_links(operation):
                layers.insert(0, LinkHeader(self._links))
            layers = self._checks.layers(operation) + layers
        call, mode = fold(call, mode, layers)
        return (
            call,
            mode,
            Route(
                operation.method, operation.path, operation.handler, reason, security_text(operation), kind, operation
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
        self._verifying = list(providers.values())
        missing = [how_to_configure(schemes[name], self.specification.source) for name in names.keys() - providers]
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
        configured = provider_for(scheme, self.config)
        return PresenceProvider() if configured is None and (self.echo or self.mock) else configured

    # -- running

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI 3 scope, so that `uvicorn mypkg:app` and the like serve this application."""
        if self._gateway is None:
            gateway = import_module("brrtrouter.asgi.gateway").Gateway
            self._gateway = gateway(lambda: self.service, self.config.server, self.startup, self.shutdown)
        await self._gateway(scope, receive, send)

    async def startup(self) -> None:
        """Compile, and start what is mounted, in this event loop; servers call it.  Raises MountError."""
        _ = self.service
        if self._watch is not None:
            self._watch.start()
        if self._mounts is not None:
            await self._mounts.startup()

    async def shutdown(self) -> None:
        """End what is mounted, connections of outgoing messages and threads; servers call it after the last answer."""
        if self._mounts is not None:
            await self._mounts.shutdown(self.config.limits.drain)
        await self.outgoing.aclose()
        if self._watch is not None:
            await self._watch.aclose()
        await self.guards.aclose()
        self.close()

    def start(self, host: str = "127.0.0.1", port: int = 8080) -> Server:
        """Serve in a thread of its own; `port` 0 takes a free one.  See `brrtrouter.server.handle.Server`."""
        server: Server = import_module("brrtrouter.server.handle").Server(self, host, port)
        server.start()
        return server

    def run(self, host: str = "127.0.0.1", port: int = 8080, workers: int = 1) -> None:
        """Serve until SIGTERM or SIGINT, then drain: in this thread, or in so many processes with `workers` over 1.

        Workers are forks of this process with this app, a reload included; `brrtrouter serve module:app --workers`
        makes it anew from changed files.  Raises ServerError, for what the workers could not do too.
        """
        if workers == 1:
            import_module("brrtrouter.server.handle").Server(self, host, port).run()
        else:
            import_module("brrtrouter.server.supervisor").run_app(self, host, port, workers)

    def close(self) -> None:
        """Let the threads of the application end."""
        self._pools.close()
        if self._watch is not None:
            self._watch.close()
        close_providers(self._verifying)
        if self._compressor is not None:
            self._compressor.close()
