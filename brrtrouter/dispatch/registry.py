"""Handlers by name: from a module, an object or a mapping, and one by one."""

from __future__ import annotations

import copy
import functools
import importlib
import importlib.util
import inspect
import os
import re
import sys
import zlib
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
        _make_importable(path.resolve().parent)
        load: Callable[[], ModuleType] = functools.partial(_from_file, path.resolve())
    else:
        _make_importable(Path.cwd())
        load = functools.partial(importlib.import_module, name)
    try:
        return load()
    except Exception as error:
        raise HandlerError(f"handlers: cannot import {name}: {_place(error)}{type(error).__name__}: {error}") from error


def _make_importable(folder: Path) -> None:
    if str(folder) not in sys.path and not (folder == Path.cwd() and "" in sys.path):
        sys.path.insert(0, str(folder))


def _from_file(path: Path) -> ModuleType:
    """The module of exactly this file, whatever other module has its name."""
    known = sys.modules.get(path.stem)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    name = path.stem if known is None else f"{path.stem}_{zlib.crc32(str(path).encode()):08x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


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

    def __init__(self, source: str | os.PathLike[str] | ModuleType | Mapping[str, Handler] | object = None) -> None:
        """`source`: the name of a module, a path to one, a module, a mapping from names, or an object with methods."""
        self._registered: dict[str, Handler] = {}
        self._inline: set[str] = set()
        named = isinstance(source, (str, os.PathLike))
        self._source: Any = import_module(os.fspath(source)) if named else source  # type: ignore[arg-type]
        self.source_name = _describe(self._source)
        self._marked: dict[str, Handler] = {}
        for name, function in self._marks():
            if self._marked.setdefault(name, function) != function:
                raise HandlerError(f"{self.source_name} has two handlers that are marked as {name!r}")

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

    def with_one(self, name: str, function: Handler, inline: bool) -> Registry:
        """The same handlers and one more.  Raises HandlerError when it cannot be one."""
        other = copy.copy(self)
        other._registered, other._inline = dict(self._registered), set(self._inline)
        other.register(name, function, inline=inline)
        return other

    def unregister(self, name: str) -> None:
        """Forget what was registered for a name.  Raises HandlerError when nothing was."""
        if name not in self._registered:
            raise HandlerError(f"nothing is registered as the handler {name!r}")
        del self._registered[name]
        self._inline.discard(name)

    def take_over(self, other: Registry) -> None:
        """Have what was registered elsewhere, one by one, too."""
        self._registered.update(other._registered)
        self._inline.update(other._inline)

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
        found = getattr(self._source, spelling, None)
        # `import json` in a module of handlers makes no handler for an operation called json.
        return None if isinstance(found, ModuleType) else found

    def unused(self, names: set[str]) -> list[str]:
        """Handlers registered, mapped or marked by a name that no operation has: probably misspelt."""
        mapped = self._source if isinstance(self._source, Mapping) else {}
        known = names | {snake_case(name) for name in names}
        return sorted({*self._registered, *self._marked, *mapped} - known)


def _describe(source: Any) -> str:
    if source is None:
        return "nothing"
    if isinstance(source, ModuleType):
        return source.__name__
    return "the mapping" if isinstance(source, Mapping) else type(source).__name__
