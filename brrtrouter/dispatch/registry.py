"""Handlers by name: from a module, an object or a mapping, and one by one."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, overload

from brrtrouter.errors import HandlerError

Handler = Callable[..., Any]
F = TypeVar("F", bound=Handler)
_MARK = "__brrtrouter_handler__"


@dataclass(frozen=True, slots=True)
class Mark:
    """What `@handler` notes on a function."""

    name: str | None
    inline: bool


@overload
def handler(function: F, /) -> F: ...
@overload
def handler(name: str | None = None, /, *, inline: bool = False) -> Callable[[F], F]: ...
def handler(function: Any = None, /, *, inline: bool = False) -> Any:
    """Mark a function as the handler of an operation.

    `@handler` names the operation after the function, `@handler("getPet")` after the text.  With `inline=True` a plain
    `def` runs on the event loop instead of in the thread pool: for functions that never block.
    """
    if callable(function):
        setattr(function, _MARK, Mark(None, inline))
        return function

    def decorate(decorated: F) -> F:
        setattr(decorated, _MARK, Mark(function, inline))
        return decorated

    return decorate


def snake_case(name: str) -> str:
    """The Python name for an operation: getPet -> get_pet, repos/get-content -> repos_get_content."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^0-9A-Za-z]+", "_", spaced).strip("_").lower()


def import_module(name: str) -> ModuleType:
    """Import a module by dotted name, or from a path that ends in .py.

    Raises HandlerError that names the module and, when it fails while it runs, the line.
    """
    path = Path(name)
    if path.suffix == ".py":
        if not path.is_file():
            raise HandlerError(f"handlers: {name}: no such file")
        folder = str(path.resolve().parent)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        name = path.stem
    elif "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise HandlerError(f"handlers: cannot import {name}: {_place(error)}{type(error).__name__}: {error}") from error


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return ""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None or "importlib" in frame.tb_frame.f_code.co_filename:
        return ""
    return f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}: "


def check_handler(name: str, function: Any) -> Handler:
    """The function itself; HandlerError when it cannot be called with one argument, the request."""
    if not callable(function):
        raise HandlerError(f"the handler {name!r} is not callable but {type(function).__name__}")
    try:
        inspect.signature(function).bind(None)
    except TypeError as error:
        raise HandlerError(f"the handler {name!r} cannot be called with one argument, the request: {error}") from None
    except ValueError:
        pass  # built-in callables may have no signature
    return function  # type: ignore[no-any-return]


class Registry:
    """Handlers by name.  Later registrations replace earlier ones; everything registered beats what a source holds."""

    def __init__(self, source: str | ModuleType | Mapping[str, Handler] | object | None = None) -> None:
        """`source`: the name of a module or a path to one, a module, a mapping from names, or an object with methods."""
        self._registered: dict[str, Handler] = {}
        self._inline: set[str] = set()
        self._source: Any = import_module(source) if isinstance(source, str) else source
        self.source_name = _describe(self._source)
        self._marked = dict(self._marks())

    def _marks(self) -> Iterator[tuple[str, Handler]]:
        if self._source is None or isinstance(self._source, Mapping):
            return
        for attribute in dir(self._source):
            member = inspect.getattr_static(self._source, attribute, None)
            mark = getattr(getattr(member, "__func__", member), _MARK, None)
            if isinstance(mark, Mark):
                yield mark.name or attribute, getattr(self._source, attribute)

    def register(self, name: str, function: Handler, *, inline: bool = False) -> None:
        """Set the handler for a name.  Raises HandlerError when it cannot be one."""
        self._registered[name] = check_handler(name, function)
        self._inline.discard(name)
        if inline:
            self._inline.add(name)

    def is_inline(self, name: str, function: Handler) -> bool:
        """Whether a plain function is to run on the event loop."""
        mark = getattr(function, _MARK, None)
        return name in self._inline or (isinstance(mark, Mark) and mark.inline)

    def find(self, name: str) -> tuple[Handler, str] | None:
        """The handler for a name and why it is the one; None when there is none."""
        if name in self._registered:
            return self._registered[name], "registered"
        if name in self._marked:
            return check_handler(name, self._marked[name]), f"marked with @handler in {self.source_name}"
        for spelling in dict.fromkeys((name, snake_case(name))):
            found = self._lookup(spelling)
            if found is not None:
                return check_handler(name, found), f"{spelling} in {self.source_name}"
        return None

    def _lookup(self, spelling: str) -> Any:
        if isinstance(self._source, Mapping):
            return self._source.get(spelling)
        if self._source is None or spelling.startswith("_") or not spelling.isidentifier():
            return None
        return getattr(self._source, spelling, None)

    def unused(self, names: set[str]) -> list[str]:
        """Handlers registered or marked by a name that no operation has: probably misspelt."""
        return sorted(name for name in {*self._registered, *self._marked} if name not in names
                      and name not in {snake_case(known) for known in names})


def _describe(source: Any) -> str:
    if source is None:
        return "nothing"
    if isinstance(source, ModuleType):
        return source.__name__
    return "the mapping" if isinstance(source, Mapping) else type(source).__name__
