"""A running application takes on what its files say now, or stays as it is.

The new version is tried out in a process of its own (`trial.py`), then loaded here, in the thread that asks, while the
server goes on; then the service is replaced, in one step, for the next request of every connection.  Requests and
streams under way finish with the version that they began with.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from brrtrouter.errors import BrrtError
from brrtrouter.server.trial import Plan, ReloadError, try_out

if TYPE_CHECKING:
    from brrtrouter.app import App

logger = logging.getLogger("brrtrouter.reload")
_FOREIGN: Final = frozenset({"site-packages", "dist-packages"})


class Changes(NamedTuple):
    """What a reload has changed: operations as "GET /path"."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    def __str__(self) -> str:
        words = [f"{what} {', '.join(names)}" for what, names in zip(self._fields, self, strict=True) if names]
        return "; ".join(words) or "operations and the code of their handlers are the same"


def reload(app: App, build: Callable[[], App] | None = None, plan: Plan | None = None) -> Changes:
    """Give `app` what its files say now.

    build: makes the new version; by default the arguments that the app was made with are used again.  plan: what is
    tried out before.  Raises ReloadError, having changed nothing, and logs it.
    """
    with app.reloads.lock:
        try:
            changes = _reload(app, build or app.again, plan or plan_of(app))
        except BaseException as error:
            app.reloads.failed += 1
            words = str(error) if isinstance(error, BrrtError) else f"{type(error).__name__}: {error}"
            logger.error("reload refused, the version before goes on: %s", " ".join(words.split()))
            if isinstance(error, ReloadError) or not isinstance(error, Exception):
                raise
            raise ReloadError(words) from error
        app.reloads.done += 1
    logger.info("reloaded: %s", changes)
    return changes


def _reload(app: App, build: Callable[[], App], plan: Plan) -> Changes:
    limits = app.config.limits
    try_out(plan, limits.reload_time, limits.reload_memory)
    before = _described(app)
    with fresh_modules(plan.application.partition(":")[0] if plan.application else plan.handlers):
        app.adopt(build())
    return _compare(before, _described(app))


def plan_of(app: App) -> Plan:
    """What of the arguments of an application another process can be told."""
    spec, handlers, config, options = app.arguments
    return Plan(
        spec=_text(spec),
        handlers=_text(handlers),
        config=_text(config),
        base_path=options.get("base_path"),
        strict=options.get("strict", False),
    )


def _text(value: Any) -> str | None:
    named = isinstance(value, (str, os.PathLike)) and "\n" not in str(value) and not str(value).startswith("{")
    return os.fspath(value) if named else None


def _described(app: App) -> Mapping[str, Any]:
    """What the document says of each operation, and the code that answers it."""
    found = {}
    for operation in app.specification.operations:
        answer = app.registry.find(operation.handler)
        said = _at(app.specification.document, operation.pointer)
        found[f"{operation.method} {operation.path}"] = (said, getattr(answer and answer[0], "__code__", answer))
    return found


def _at(document: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901), None where the document leads elsewhere."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def _compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    common = [name for name in after if name in before]
    return Changes(
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
        tuple(name for name in common if before[name] != after[name]),
    )


@contextmanager
def fresh_modules(handlers: str | None) -> Iterator[None]:
    """Forget the modules that handlers come from, so that they are read again; as they were where that fails."""
    old = {} if handlers is None else _modules_of(handlers)
    for name in old:
        del sys.modules[name]
    try:
        yield
    except BaseException:
        for name in _modules_of(handlers or ""):
            del sys.modules[name]
        sys.modules.update(old)
        raise


def _modules_of(handlers: str) -> dict[str, ModuleType]:
    """The loaded modules that an edit of handlers may concern: of their package, else of their folder and below it."""
    if not handlers.endswith(".py"):
        top = handlers.partition(".")[0]
        return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == top}
    folder = Path(handlers).resolve().parent
    found = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name == "__main__" or file is None:
            continue
        path = Path(file)
        if path.is_relative_to(folder) and not _FOREIGN.intersection(path.relative_to(folder).parts):
            found[name] = module
    return found
