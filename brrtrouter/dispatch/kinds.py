"""What kind of callable a handler or hook is, decided once from its code.

A coroutine function whose code has nothing to await cannot suspend: it is driven in place and costs no Task.
"""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any

from brrtrouter.core.service import Mode

# Instructions by which a coroutine can hand control back to the event loop, over CPython 3.10 to 3.14.
_SUSPENDING = frozenset(
    {
        "GET_AWAITABLE",
        "GET_AITER",
        "GET_ANEXT",
        "GET_YIELD_FROM_ITER",
        "YIELD_FROM",
        "SEND",
        "BEFORE_ASYNC_WITH",
        "SETUP_ASYNC_WITH",
        "END_ASYNC_FOR",
    }
)


def _underlying(function: Callable[..., Any]) -> Any:
    """The function object that runs when `function` is called."""
    while isinstance(function, functools.partial):
        function = function.func
    if not (inspect.isroutine(function) or inspect.iscoroutinefunction(function)):
        function = type(function).__call__
    return function.__func__ if inspect.ismethod(function) else function


def mode_of(function: Callable[..., Any]) -> Mode:
    """SYNC for a plain function, INLINE for a coroutine function that cannot suspend, TASK for one that may."""
    underlying = _underlying(function)
    if not inspect.iscoroutinefunction(underlying):
        return Mode.SYNC
    # What is compiled, or only marked as a coroutine function, cannot be looked into.
    if not inspect.isfunction(underlying) or not underlying.__code__.co_flags & inspect.CO_COROUTINE:
        return Mode.TASK
    return Mode.TASK if _may_suspend(underlying.__code__) else Mode.INLINE


@functools.lru_cache(maxsize=1024)  # one function may answer a thousand operations
def _may_suspend(code: CodeType) -> bool:
    return any(instruction.opname in _SUSPENDING for instruction in dis.get_instructions(code))


def never_blocks(function: Callable[..., Any]) -> bool:
    """Whether calling a plain function runs none of its code: it makes an asynchronous generator, a stream."""
    return inspect.isasyncgenfunction(_underlying(function))
