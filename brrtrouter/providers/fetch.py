"""One document from an address that the configuration names: bounded in time and size, and from nowhere else."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Final
from urllib.parse import urljoin

import httpcore

from brrtrouter.errors import ConfigError, TargetError
from brrtrouter.outgoing.guard import Target, parse_target, trusted

_REDIRECTS: Final = 3
_MOVED: Final = frozenset({301, 302, 303, 307, 308})


class FetchError(Exception):
    """Why a document could not be had."""


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
    try:
        return await asyncio.wait_for(_fetch(target, max_bytes), timeout)
    except asyncio.TimeoutError:
        raise FetchError(f"there was no answer in {timeout:g} s") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
        raise FetchError(f"{type(error).__name__}: {error}") from None


async def _fetch(target: Target, max_bytes: int) -> bytes:
    async with httpcore.AsyncConnectionPool(ssl_context=trusted(), max_connections=1) as pool:
        for _ in range(_REDIRECTS + 1):
            headers = [("Host", target.authority), ("Accept", "application/json"), ("Connection", "close")]
            async with pool.stream("GET", target.url, headers=headers) as response:
                if response.status not in _MOVED:
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
    if response.status != 200:
        raise FetchError(f"the answer was {response.status}")
    received = bytearray()
    async for piece in response.aiter_stream():
        received += piece
        if len(received) > max_bytes:
            raise FetchError(f"it has more than {max_bytes} bytes")
    return bytes(received)
