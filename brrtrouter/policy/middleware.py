"""Middleware: what happens before and after a handler, folded into one callable when the application starts.

A middleware is any object with one or more of

* `before(request)`: None to go on, anything else is the answer (a Response, a value, `(status, value)`);
* `after(request, response)`: sees the Response on its way out; None keeps it, a Response replaces it;
* `around(request, call_next)`: an `async def` that awaits `call_next(request)` for the Response;

each may be `def` or `async def` (`around` is always `async def`), and optionally

* `applies(operation)`: False leaves it out of that operation, at no cost (`brrtrouter.spec.model.Operation`);
* `everything = True`: it wraps the whole walk of the request, refusals, 404 and built-in endpoints included, and has
  no `applies`.  Otherwise it runs between validation and handler.

The first in the list is the outermost: its `before` runs first, its `after` last.  When a `before` answers, the handler
and the middleware inside of it do not run, and `after` of the same and of outer middleware still does.  An exception
passes through the middleware of an operation, where an `around` can catch it, and is answered with 500 outside of it.
One in a middleware that wraps everything is answered right there, and those further out see that answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from brrtrouter.core.request import Request
from brrtrouter.core.response import Response
from brrtrouter.core.service import Mode, run_inline, to_response
from brrtrouter.dispatch.kinds import mode_of
from brrtrouter.errors import HandlerError

Call = Callable[[Request], Any]
HOOKS = ("before", "after", "around")


class Middleware(Protocol):
    """Documented above; every member is optional, so nothing is declared here but the name."""


def check_middleware(middleware: object) -> None:
    """Raise HandlerError when an object has none of the hooks, or one that is not callable."""
    hooks = [name for name in HOOKS if hasattr(middleware, name)]
    name = type(middleware).__name__
    if not hooks:
        raise HandlerError(f"the middleware {name} has none of {', '.join(HOOKS)}")
    for hook in hooks:
        if not callable(getattr(middleware, hook)):
            raise HandlerError(f"{hook} of the middleware {name} is not callable")
    if wraps_everything(middleware) and hasattr(middleware, "applies"):
        raise HandlerError(f"the middleware {name} wraps everything, so it cannot have applies")
    around = getattr(middleware, "around", None)
    if around is not None and mode_of(around) is Mode.SYNC:
        raise HandlerError(f"around of the middleware {name} is not an async def")


def wraps_everything(middleware: object) -> bool:
    """Whether a middleware sees every answer."""
    return bool(getattr(middleware, "everything", False))


def applies_to(middleware: object, operation: object) -> bool:
    """Whether a middleware is part of an operation's chain."""
    applies = getattr(middleware, "applies", None)
    return applies is None or bool(applies(operation))


class _Selected:
    """The hooks of a middleware, with another choice of operations."""

    def __init__(self, middleware: object, applies: Callable[[Any], bool]) -> None:
        self.applies = applies
        for hook in HOOKS:
            if hasattr(middleware, hook):
                setattr(self, hook, getattr(middleware, hook))


def only(
    middleware: object, *, tags: Iterable[str] = (), operations: Iterable[str] = (), paths: Iterable[str] = ()
) -> object:
    """The hooks of a middleware for some operations only; the middleware itself stays as it is.

    An operation is meant by one of its `tags`, by its operationId (or the name of its handler), or by its path template
    as the document has it; one match is enough.  An `applies` of the middleware has to agree as well.
    Raises HandlerError: nothing is named, a text stands where a list belongs, the object is no middleware, or it wraps
    everything.
    """
    name = type(middleware).__name__
    check_middleware(middleware)
    if wraps_everything(middleware):
        raise HandlerError(f"the middleware {name} wraps everything, so it cannot be for some operations only")
    given = {"tags": tags, "operations": operations, "paths": paths}
    for key, value in given.items():
        if isinstance(value, str):
            raise HandlerError(f"only({name}, {key}={value!r}): a list of names is needed, not a text")
    wanted = {key: frozenset(value) for key, value in given.items()}
    if not any(wanted.values()):
        raise HandlerError(f"only({name}) names neither tags nor operations nor paths")

    def applies(operation: Any) -> bool:
        named = (
            not wanted["tags"].isdisjoint(operation.tags)
            or operation.handler in wanted["operations"]
            or operation.operation_id in wanted["operations"]
            or operation.template in wanted["paths"]
        )
        return named and applies_to(middleware, operation)

    return _Selected(middleware, applies)


def fold(call: Call, mode: Mode, middlewares: Iterable[object]) -> tuple[Call, Mode]:
    """Wrap `call` in the middlewares, the first outermost; gives the callable and how it gives its result."""
    for middleware in reversed(list(middlewares)):
        call, mode = _wrap(call, mode, middleware)
    return call, mode


def fold_everything(
    call: Call, mode: Mode, middlewares: Iterable[object], failed: Callable[[Request], Response]
) -> tuple[Call, Mode]:
    """`fold` for middlewares that see every answer: what one of them raises is answered by `failed`."""
    for middleware in reversed(list(middlewares)):
        wrapped, mode = _wrap(call, mode, middleware)
        call = _guarded(wrapped, mode, failed)
    return call, mode


# sys.exit() in a hook ends the request, not the server.
_FAILURES = (Exception, SystemExit)


def _guarded(call: Call, mode: Mode, failed: Callable[[Request], Response]) -> Call:
    async def guarded_later(request: Request) -> Any:
        try:
            return await call(request)
        except _FAILURES:
            return failed(request)

    def guarded(request: Request) -> Any:
        try:
            return call(request)
        except _FAILURES:
            return failed(request)

    return guarded if mode is Mode.SYNC else guarded_later


def _wrap(call: Call, mode: Mode, middleware: object) -> tuple[Call, Mode]:
    around = getattr(middleware, "around", None)
    if around is not None:
        call, mode = _around(call, around), Mode.TASK
    before = getattr(middleware, "before", None)
    after = getattr(middleware, "after", None)
    if before is None and after is None:
        return call, mode
    hooks = [hook for hook in (before, after) if hook is not None]
    if mode is Mode.TASK or any(mode_of(hook) is Mode.TASK for hook in hooks):
        return _async_hooks(call, before, after), Mode.TASK
    return _sync_hooks(_plain(call, mode), _maybe_plain(before), _maybe_plain(after)), Mode.SYNC


def _plain(call: Callable[..., Any], mode: Mode) -> Callable[..., Any]:
    """A coroutine function that never suspends as a plain function."""
    if mode is not Mode.INLINE:
        return call
    return lambda *args: run_inline(call(*args))


def _maybe_plain(hook: Callable[..., Any] | None) -> Callable[..., Any] | None:
    return None if hook is None else _plain(hook, mode_of(hook))


async def _settled(value: Any) -> Any:
    return await value if hasattr(value, "__await__") else value


def _around(call: Call, around: Callable[..., Any]) -> Call:
    async def call_next(request: Request) -> Response:
        return to_response(request, await _settled(call(request)))

    async def layer(request: Request) -> Response:
        return to_response(request, await around(request, call_next))

    return layer


def _sync_hooks(call: Call, before: Callable[..., Any] | None, after: Callable[..., Any] | None) -> Call:
    def layer(request: Request) -> Response:
        answer = None if before is None else before(request)
        response = to_response(request, call(request) if answer is None else answer)
        replaced = None if after is None else after(request, response)
        return response if replaced is None else to_response(request, replaced)

    return layer


def _async_hooks(call: Call, before: Callable[..., Any] | None, after: Callable[..., Any] | None) -> Call:
    async def layer(request: Request) -> Response:
        answer = None if before is None else await _settled(before(request))
        response = to_response(request, await _settled(call(request)) if answer is None else answer)
        replaced = None if after is None else await _settled(after(request, response))
        return response if replaced is None else to_response(request, replaced)

    return layer
