"""One document from an address that the configuration names: bounded in time and size, and from nowhere else."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Coroutine, Sequence
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urljoin

import httpcore

from brrtrouter.errors import ConfigError, TargetError
from brrtrouter.outgoing.guard import Target, parse_target, trusted

_REDIRECTS: Final = 3
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_T = TypeVar("_T")


class FetchError(Exception):
    """Why a document could not be had."""


class Unreachable(FetchError):
    """Nobody has answered."""


class Answer(NamedTuple):
    """What was answered: the status, and the body."""

    status: int
    body: bytes


def address(url: object, where: str, allow_http: bool) -> Target:
    """The address that a setting names.  Raises ConfigError when it is none, or neither https nor of this machine."""
    try:
        target = parse_target(url)
    except TargetError as error:
        raise ConfigError(f"{where}: {error}") from None
    if target.scheme != "https" and not allow_http and not _is_loopback(target.host):
        raise ConfigError(f"{where}: it is not https; allow_http would allow it")
    return target


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def fetch(target: Target, timeout: float, max_bytes: int) -> bytes:
    """The body of a 200 to a GET.  Redirections are followed on the same scheme, host and port only.

    Raises FetchError, after `timeout` seconds at the latest, or when the body is longer than `max_bytes`.
    """
    return await _bounded(_fetch(target, max_bytes), timeout)


async def ask(
    target: Target, timeout: float, max_bytes: int, *, headers: Sequence[tuple[str, str]], content: bytes | None = None
) -> Answer:
    """The answer, of any status, to a GET with these header fields, or to a POST when there is content.

    No redirection is followed: what is asked about is a secret.  Raises FetchError as `fetch` does.
    """
    return await _bounded(_ask(target, max_bytes, headers, content), timeout)


async def _bounded(work: Coroutine[Any, Any, _T], timeout: float) -> _T:
    try:
        return await asyncio.wait_for(work, timeout)
    except asyncio.TimeoutError:
        raise Unreachable(f"there was no answer in {timeout:g} s") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
        raise Unreachable(f"{type(error).__name__}: {error}") from None


async def _ask(target: Target, max_bytes: int, headers: Sequence[tuple[str, str]], content: bytes | None) -> Answer:
    length = [] if content is None else [("Content-Length", str(len(content)))]
    # Octets as they came: texts with others than ASCII are refused by the library.
    fields = [(name.encode("ascii"), value.encode("latin-1")) for name, value in (*_fields(target), *headers, *length)]
    async with (
        httpcore.AsyncConnectionPool(ssl_context=trusted(), max_connections=1) as pool,
        pool.stream("POST" if content is not None else "GET", target.url, headers=fields, content=content) as response,
    ):
        return Answer(response.status, await _body(response, max_bytes))


def _fields(target: Target) -> list[tuple[str, str]]:
    return [("Host", target.authority), ("Accept", "application/json"), ("Connection", "close")]


async def _fetch(target: Target, max_bytes: int) -> bytes:
    async with httpcore.AsyncConnectionPool(ssl_context=trusted(), max_connections=1) as pool:
        for _ in range(_REDIRECTS + 1):
            async with pool.stream("GET", target.url, headers=_fields(target)) as response:
                if response.status not in _MOVED:
                    if response.status != 200:
                        raise FetchError(f"the answer was {response.status}")
                    return await _body(response, max_bytes)
                target = _moved(target, response)
    raise FetchError(f"there were more than {_REDIRECTS} redirections")


def _moved(target: Target, response: httpcore.Response) -> Target:
    location = next((value for name, value in response.headers if name.lower() == b"location"), b"")
    if not location:
        raise FetchError("it redirects to nowhere")
    try:
        found = parse_target(urljoin(target.url, location.decode("latin-1")))
    except (TargetError, ValueError):
        raise FetchError("it redirects to what is no URL") from None
    if found[:3] != target[:3]:
        raise FetchError("it redirects to another host")
    return found


async def _body(response: httpcore.Response, max_bytes: int) -> bytes:
    received = bytearray()
    async for piece in response.aiter_stream():
        received += piece
        if len(received) > max_bytes:
            raise FetchError(f"it has more than {max_bytes} bytes")
    return bytes(received)
