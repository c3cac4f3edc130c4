"""Where nothing may be sent to: a URL that a client named must not lead into the network of the server.

The name of a host is resolved once, every address is judged, and the connection is made to an address that was judged:
a name that is resolved to another address a moment later changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

import httpcore

from brrtrouter.errors import TargetError

_PORTS: Final = {"http": 80, "https": 443}
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\\]")
_SAFE: Final = "/%:@!$&'()*+,;=~-._"
_HOST: Final = re.compile(r"[a-z0-9_.\-]{1,253}|[0-9a-f:.]{2,45}", re.I)
# Networks whose addresses hold an IPv4 address: its first bit in them (RFC 6052, RFC 3056).
_EMBEDDING: Final = (
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)


class Target(NamedTuple):
    """Where a request goes: scheme, host in ASCII, port, and path with query as they are sent."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the Host field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_target(url: Any, query: str = "") -> Target:
    """Take an absolute http or https URL apart; `query` is added to its own.  Raises TargetError."""
    if not isinstance(url, str):
        raise TargetError(f"the URL is no text but {type(url).__name__}")
    shown = repr(url[:200])
    if _UNSAFE.search(url):
        raise TargetError(f"{shown} has a character that no URL has")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode() if ":" not in (parts.hostname or "") else parts.hostname
    except ValueError:
        raise TargetError(f"{shown} is no URL") from None
    if parts.scheme not in _PORTS:
        raise TargetError(f"{shown} is no absolute URL of http or https")
    if parts.username is not None or parts.password is not None:
        raise TargetError("the URL has a user name or a password in it")
    if not host or not _HOST.fullmatch(host):
        raise TargetError(f"{shown} has no host that can be used")
    joined = "&".join(filter(None, (quote(parts.query, safe=_SAFE + "?"), query)))
    path = quote(parts.path, safe=_SAFE) or "/"
    port = _PORTS[parts.scheme] if port is None else port
    return Target(parts.scheme, host, port, f"{path}?{joined}" if joined else path)


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet, also where an IPv6 address hides an IPv4 one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        for network, shift in _EMBEDDING:
            if ip in network:
                return is_public(str(ipaddress.IPv4Address(int(ip) >> shift & 0xFFFFFFFF)))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


async def addresses_of(host: str, port: int, allow_private: bool) -> list[str]:
    """The addresses of a host.  Raises TargetError when one of them is not public, unless that is allowed."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(f"{host}: {error.strerror or error}") from None
    except UnicodeError:
        raise TargetError(f"{host[:200]!r} is no name of a host") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not allow_private and not all(map(is_public, addresses)):
        raise TargetError(f"{host} has an address that is not public; outgoing.allow_private would allow it")
    return addresses


@lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    """What certificates are verified by; made once, because that takes a while."""
    return httpcore.default_ssl_context()


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were judged, and to nothing else."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address that takes one."""
        addresses = await addresses_of(host, port, self._allow_private)
        for address in addresses[:-1]:
            with suppress(httpcore.NetworkError, httpcore.TimeoutException):
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Refused: no URL leads to a file."""
        raise TargetError("nothing is sent to a socket in the file system")

    async def sleep(self, seconds: float) -> None:
        """As the event loop does it."""
        await self._inner.sleep(seconds)
