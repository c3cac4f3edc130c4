"""The command line: `brrtrouter serve`, `brrtrouter routes` and `brrtrouter lint`.

What a user can cause ends as one line on standard error and exit code 2; findings about a document are listed below it.
Nothing that a user can cause prints a traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from brrtrouter import __version__
from brrtrouter.errors import BrrtError, Issue

# Warnings of one kind beyond this number are counted, not listed.
LISTED_WARNINGS = 3
UNIX_MODE = 0o660


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code: 0, 1 for findings of `lint`, or 2 for what the user can mend."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except BrrtError as error:
        print(f"brrtrouter: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        _drop_output()
        return 1
    except KeyboardInterrupt:
        return 130


def _drop_output() -> None:
    """The reader of our output is gone: nothing more can be said, and the interpreter shall not try at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Formatter(argparse.HelpFormatter):
    """Finds the width of the terminal without shutil, whose compressors a server would keep in memory."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, width=_columns() - 2, **options)


def _columns() -> int:
    text = os.environ.get("COLUMNS", "")
    if text.isdecimal() and int(text) > 0:
        return int(text)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


class _Parser(argparse.ArgumentParser):
    """A parser with our formatter; so are those of its commands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Formatter, **options)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="brrtrouter", description="Serve an OpenAPI description.")
    parser.add_argument("--version", action="version", version=f"brrtrouter {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser(
        "serve",
        help="serve a document, or an App object",
        description="Serve an OpenAPI document, or an App given as module:name. Without --handlers every operation is "
        "answered by the echo handler; with --mock, as the document says.",
    )
    _common(serve)
    _listening(serve)
    serve.add_argument(
        "--log-level",
        default="info",
        choices=["debug", "info", "warning", "error"],
        help="what is logged on standard error (default: %(default)s)",
    )
    serve.add_argument(
        "--watch", action="store_true", help="take on changes of the document, the handlers and the configuration"
    )
    serve.set_defaults(run=_serve)
    routes = commands.add_parser("routes", help="list the operations of a document and what answers them")
    _common(routes)
    routes.add_argument("--format", choices=["text", "json"], default="text", help="output (default: %(default)s)")
    routes.set_defaults(run=_routes)
    _add_lint(commands)
    importlib.import_module("brrtrouter.config.command").add(commands)
    return parser


def _listening(serve: argparse.ArgumentParser) -> None:
    """Where `serve` listens, with how many processes, and with which certificate."""
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    where = serve.add_mutually_exclusive_group()
    where.add_argument("--port", type=_port, default=8080, help="port, 0 for a free one (default: %(default)s)")
    where.add_argument("--uds", metavar="PATH", help="listen on a unix socket")
    where.add_argument("--fd", type=_number, metavar="N", help="listen with an open socket, by its descriptor")
    serve.add_argument(
        "--uds-mode", type=_mode, default=UNIX_MODE, metavar="MODE", help="who may connect to it (default: 660)"
    )
    serve.add_argument(
        "--workers", type=_number, metavar="N", help="processes under a supervisor; without it this process serves"
    )
    serve.add_argument(
        "--tls-cert", metavar="FILE", help="certificate and what leads to its authority (PEM): serve https"
    )
    serve.add_argument("--tls-key", metavar="FILE", help="its key, when that is in another file")
    serve.add_argument("--tls-ca", metavar="FILE", help="ask clients for certificates of these authorities (PEM)")


def _add_lint(commands: Any) -> None:
    lint = commands.add_parser(
        "lint",
        help="judge a document: what breaks the specification, and what is hardly meant",
        description="Judge an OpenAPI document. Exit code 0: nothing to complain about; 1: findings of the severity "
        "of --fail-on or above; 2: the document cannot be read.",
    )
    lint.add_argument("spec", metavar="SPEC", help="OpenAPI document (YAML or JSON)")
    lint.add_argument(
        "--fail-on",
        default="error",
        choices=["error", "warning", "info", "never"],
        help="the least severity that makes the exit code 1 (default: %(default)s)",
    )
    lint.add_argument(
        "--format", default="text", choices=["text", "json", "github", "sarif"], help="output (default: %(default)s)"
    )
    lint.add_argument("--ignore", metavar="RULE", action="append", default=[], help="leave out a rule; may be repeated")
    _loading(lint)
    lint.set_defaults(run=_lint)


def _loading(parser: argparse.ArgumentParser) -> None:
    """How a document is read, for every command that reads one."""
    parser.add_argument("--base-path", metavar="PATH", help="in place of the path of `servers` in the document")
    parser.add_argument("--cache", metavar="DIR", help="keep parsed documents in this folder, for a faster start")
    parser.add_argument(
        "--allow-network",
        choices=["https", "http"],
        help="fetch the documents that $ref names by an address, by https only, or by http too",
    )
    parser.add_argument(
        "--allow-outside", action="store_true", help="let $ref reach files outside the document's folder"
    )


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spec", metavar="SPEC", help="OpenAPI document (YAML or JSON), or module:name of an App")
    parser.add_argument("--handlers", metavar="MODULE", help="module, or path to a .py file, with the handlers")
    parser.add_argument("--config", metavar="FILE", help="configuration file (YAML)")
    _loading(parser)
    parser.add_argument("--strict", action="store_true", help="treat warnings about the document as errors")
    parser.add_argument("--test-api-key", metavar="KEY", help="key of every apiKey scheme that has none, for trials")
    stand_in = parser.add_mutually_exclusive_group()
    stand_in.add_argument("--echo", action="store_true", help="answer operations without a handler by the echo handler")
    stand_in.add_argument(
        "--mock", action="store_true", help="answer operations without a handler from examples and schemas"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="with --mock: another N makes other values")
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="say for each operation what was parsed and why its handler was chosen",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) > 2**31 - 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)


def _mode(text: str) -> int:
    if not text or not set(text) <= set("01234567") or int(text, 8) > 0o777:
        raise argparse.ArgumentTypeError(f"{text!r} is not a mode from 0 to 777, in octal digits")
    return int(text, 8)


def _configuration(arguments: argparse.Namespace) -> Any:
    """The settings that the arguments lead to."""
    from brrtrouter.config import load_config

    given = {"BRRTR_API_KEY": arguments.test_api_key} if arguments.test_api_key else {}
    given |= {"BRRTR_LOADING__CACHE": json.dumps(arguments.cache)} if arguments.cache else {}
    given |= {"BRRTR_LOADING__NETWORK": arguments.allow_network} if arguments.allow_network else {}
    given |= {"BRRTR_LOADING__OUTSIDE": "true"} if arguments.allow_outside else {}
    return load_config(arguments.config, {**os.environ, **given})


def _app(arguments: argparse.Namespace) -> Any:
    """The application that the arguments describe."""
    if _names_object(arguments.spec):
        return _import_app(arguments)
    from brrtrouter.app import App

    return App(
        arguments.spec if "://" in arguments.spec else Path(arguments.spec),
        handlers=arguments.handlers,
        config=_configuration(arguments),
        echo=arguments.echo or (arguments.handlers is None and not arguments.mock),
        mock=arguments.mock,
        seed=arguments.seed,
        base_path=arguments.base_path,
        strict=arguments.strict,
    )


def _names_object(text: str) -> bool:
    module, colon, name = text.partition(":")
    dotted = all(part.isidentifier() for part in module.split("."))
    return bool(colon) and dotted and name.isidentifier() and not Path(text).exists()


def _import_app(arguments: argparse.Namespace) -> Any:
    from brrtrouter.app import App
    from brrtrouter.dispatch.registry import import_module

    own = ("handlers", "config", "base_path", "strict", "test_api_key", "echo", "mock", "seed")
    for option in (*own, "cache", "allow_network", "allow_outside"):
        if getattr(arguments, option):
            flag = "--" + option.replace("_", "-")
            raise BrrtError(f"{flag} goes with a document; {arguments.spec} is an App that has its own")
    module, _, name = arguments.spec.partition(":")
    app = getattr(import_module(module), name, None)
    if not isinstance(app, App):
        what = "has no such name" if app is None else f"is {type(app).__name__}, not an App"
        raise BrrtError(f"{arguments.spec}: {what}")
    return app


def _serve(arguments: argparse.Namespace) -> None:
    logging.basicConfig(
        level=arguments.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    if arguments.workers is not None:
        _supervise(arguments)
        return
    app = _app(arguments)
    _ = app.service  # what is wrong with the application is said before a port is taken
    settings = _with_certificate(app.config.server, arguments)
    watched = _watched(arguments)
    reload = watched.reloader(app, lambda: _app(arguments))
    listener = _listener(arguments, app.config)
    try:
        server = importlib.import_module("brrtrouter.server.handle").Server(
            app, listener=listener, settings=settings, reload=reload
        )
    except BrrtError:
        listener.remove()
        listener.close()
        raise
    _banner(app, sys.stdout, verbose=arguments.verbose)
    with watched.watching(reload) if arguments.watch else contextlib.nullcontext():
        server.run(lambda running: _listening_on(running.url))


def _watched(arguments: argparse.Namespace) -> Any:
    """The files that the arguments name."""
    from brrtrouter.server.watch import Files

    application = arguments.spec if _names_object(arguments.spec) else None
    spec = None if application or "://" in arguments.spec else arguments.spec
    return Files(spec, arguments.handlers, arguments.config, application)


def _supervise(arguments: argparse.Namespace) -> None:
    """Serve with workers.  Each of them makes the application for itself, so that a reload sees changed files."""
    from brrtrouter.config import load_config
    from brrtrouter.server.supervisor import Supervisor, check

    check(arguments.workers)
    importlib.import_module("brrtrouter.app")  # workers share what is loaded before they are forked
    # The settings of an App that is imported are known to its workers only.
    config = load_config() if _names_object(arguments.spec) else _configuration(arguments)
    listener = _listener(arguments, config)
    secure = config.spiffe.tls or bool(_with_certificate(config.server, arguments).tls_certificate)

    def load(first: bool) -> Any:
        app = _app(arguments)
        settings = _with_certificate(app.config.server, arguments)
        app.config = dataclasses.replace(app.config, server=settings)
        _ = app.service
        if first:
            _banner(app, sys.stdout, verbose=arguments.verbose)
        return app

    supervisor = Supervisor(load, listener, arguments.workers, config)
    with _watched(arguments).watching(None) if arguments.watch else contextlib.nullcontext():
        supervisor.run(lambda: _listening_on(listener.url("https" if secure else "http")))


def _with_certificate(settings: Any, arguments: argparse.Namespace) -> Any:
    given = {"tls_certificate": arguments.tls_cert, "tls_key": arguments.tls_key, "tls_ca": arguments.tls_ca}
    return dataclasses.replace(settings, **{name: file for name, file in given.items() if file is not None})


def _listener(arguments: argparse.Namespace, config: Any) -> Any:
    """The listening socket that the arguments ask for, or the one that systemd has opened."""
    from brrtrouter.server import sockets
    from brrtrouter.server.systemd import take_descriptor

    backlog = config.limits.backlog
    if arguments.uds is not None:
        return sockets.listen_unix(arguments.uds, backlog, arguments.uds_mode)
    descriptor = arguments.fd if arguments.fd is not None else take_descriptor()
    if descriptor is not None:
        return sockets.adopt(descriptor, backlog)
    return sockets.Listener(sockets.listen(arguments.host, arguments.port, backlog))


def _listening_on(url: str) -> None:
    try:
        print(f"Listening on {url}  (stop with Ctrl-C)", flush=True)
    except BrokenPipeError:
        _drop_output()  # no reason to stop serving


def _routes(arguments: argparse.Namespace) -> None:
    app = _app(arguments)
    if not _names_object(arguments.spec):
        _without_keys(app)
    if arguments.format == "json":
        print(json.dumps([_route_record(app, route) for route in app.routes], indent=2))
        return
    _banner(app, sys.stdout, verbose=arguments.verbose)


def _lint(arguments: argparse.Namespace) -> int:
    from brrtrouter.spec.lint import lint
    from brrtrouter.spec.lint.output import FORMATS

    result = lint(
        arguments.spec if "://" in arguments.spec else Path(arguments.spec),
        ignore=arguments.ignore,
        base_path=arguments.base_path,
        allow_outside=arguments.allow_outside,
        allow_network=arguments.allow_network or False,
        cache=arguments.cache,
    )
    output = FORMATS[arguments.format](result)
    if output:
        print(output, flush=True)
    if not result.readable:
        return 2
    return int(arguments.fail_on != "never" and bool(result.at_least(arguments.fail_on)))


def _without_keys(app: Any) -> None:
    """Let an application be listed, which is all that happens to it, that lacks the keys to be served."""
    from brrtrouter.policy.security import PresenceProvider

    for scheme in app.specification.security_schemes:
        app.add_security(scheme, PresenceProvider())


def _route_record(app: Any, route: Any) -> dict[str, Any]:
    return {
        "method": route.method,
        "path": route.path,
        "handler": route.handler,
        "implemented": app.registry.find(route.handler) is not None,
        "reason": route.reason,
        "kind": route.kind,
        "security": route.security,
    }


def _banner(app: Any, out: TextIO, *, verbose: bool) -> None:
    """Every route and its handler, what is missing, and what about the document deserves a look."""
    specification, routes = app.specification, app.routes
    print(
        f"BRRTRouter {__version__}: {specification.title} (OpenAPI {specification.version}, {specification.source})",
        file=out,
    )
    missing = set(app.missing)
    stand_in = "echo" if app.echo else "mock" if app.mock else "missing, 501"
    width = [max((len(getattr(route, name)) for route in routes), default=0) for name in ("method", "path", "handler")]
    for route in routes:
        line = f"  {route.method:<{width[0]}}  {route.path:<{width[1]}}  -> {route.handler:<{width[2]}}"
        notes = [stand_in if route.handler in missing else route.kind]
        notes += [f"security: {route.security}"] if route.security else []
        print(f"{line}  [{'; '.join(notes)}]", file=out)
        if verbose:
            _trace(route, out)
    _print_missing(app, out)
    for name in app.unused:
        print(f"warning: the handler {name!r} belongs to no operation", file=out)
    _print_warnings(specification.issues, out, verbose=verbose)
    endpoints = [
        path
        for path in (
            app.config.endpoints.health,
            app.config.endpoints.ready,
            app.config.endpoints.openapi_json,
            app.config.endpoints.openapi_yaml,
            app.config.endpoints.docs,
            app.config.endpoints.metrics if app.config.metrics.enabled else None,
        )
        if path
    ]
    noun = "operation" if len(routes) == 1 else "operations"
    print(f"{len(routes)} {noun}; built in: {' '.join(endpoints)}", file=out, flush=True)


def _print_missing(app: Any, out: TextIO) -> None:
    missing = app.missing
    if not missing:
        return
    everything = len(missing) == len({route.handler for route in app.routes})
    count = "1 handler is" if len(missing) == 1 else f"{len(missing)} handlers are"
    answer = "by the echo handler" if app.echo else "by the mock handler" if app.mock else "with 501"
    names = "" if everything else ": " + ", ".join(missing)
    print(f"{count} missing, answered {answer}{names}", file=out)
    if (app.echo or app.mock) and any(route.security for route in app.routes):
        mode = "echo" if app.echo else "mock"
        print(f"{mode} mode: of a credential only the presence is checked, not whether it is valid", file=out)


def _print_warnings(issues: Sequence[Issue], out: TextIO, *, verbose: bool) -> None:
    """Warnings by kind; of a kind with many only the first, unless `verbose`."""
    by_kind: dict[str, list[Issue]] = {}
    for issue in issues:
        by_kind.setdefault(issue.kind, []).append(issue)
    for kind, found in by_kind.items():
        listed = found if verbose else found[:LISTED_WARNINGS]
        for issue in listed:
            print(f"warning: {issue}", file=out)
        if len(found) > len(listed):
            print(f"warning: [{kind}] and {len(found) - len(listed)} more; --verbose lists them", file=out)


def _trace(route: Any, out: TextIO) -> None:
    """What was parsed of one operation and why its handler was chosen."""
    operation = route.model
    print(f"      from {operation.pointer}", file=out)
    print(f"      handler {operation.handler!r} from {operation.handler_source}; {route.reason}", file=out)
    for parameter in operation.parameters:
        kind = parameter.shape if parameter.shape != "scalar" else ""
        types = " | ".join(parameter.types)
        notes = [parameter.style + (", explode" if parameter.explode else "")]
        notes += ["required"] if parameter.required else []
        notes += [f"default {parameter.default!r}"] if parameter.has_default else []
        notes += ["validated"] if parameter.schema is not None else []
        print(
            f"      {parameter.location} {parameter.name}: {' of '.join(filter(None, (kind, types)))} "
            f"({'; '.join(notes)})",
            file=out,
        )
    if operation.request_body is not None:
        types = ", ".join(media.name for media in operation.request_body.content) or "nothing declared"
        print(f"      body: {types}{' (required)' if operation.request_body.required else ''}", file=out)
    answers = ", ".join(response.status for response in operation.responses)
    print(f"      responses: {answers or 'none declared'}; a plain result is {operation.success_status}", file=out)


if __name__ == "__main__":
    sys.exit(main())
