"""`Peer`: what a connection knows of its other end, and what a trusted proxy there says about the client.

One object for each connection; requests refer to it and nothing is looked at before somebody asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

from brrtrouter.errors import ConfigError

Address: TypeAlias = tuple[str, int]
Field: TypeAlias = Callable[[str], "str | None"]

UNIX = "unix"  # in place of a network: whoever connects to our unix socket
MAX_HOPS = 32  # addresses that are looked at, from the right; a longer chain is no chain of trusted proxies
_SCHEMES = ("http", "https")
_HOST = re.compile(r"(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9\-._~!$&'()*+,;=:@%]+)+")
_NODE = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>[0-9.]+))(?::(?P<port>[0-9]{1,5}))?")
# RFC 7239 section 4: pairs of a token and a token or quoted string, elements apart by commas.
_PAIR = re.compile(r"""[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^",; \t]+))?[ \t]*([;,]|$)""")


class Hop(NamedTuple):
    """What one proxy says; None for what it does not say or what cannot be."""

    client: Address | None
    scheme: str | None
    host: str | None
    prefix: str | None


class Proxies:
    """The networks whose word about their clients is taken, and in which header fields they give it.

    form: "x-forwarded" for X-Forwarded-For, -Proto, -Host and -Prefix, "forwarded" for Forwarded (RFC 7239).  Only
    one: a proxy that sets the one passes on what the client has sent as the other.
    Raises ConfigError for what is no network.
    """

    def __init__(self, networks: Iterable[str], form: str) -> None:
        self._networks: list[IPv4Network | IPv6Network] = []
        self._unix = False
        for text in networks:
            if text == UNIX:
                self._unix = True
                continue
            try:
                self._networks.append(ip_network(text))
            except ValueError as error:
                raise ConfigError(f"server.trusted_proxies: {error}") from None
        self._read = _FORMS[form]

    def trusts(self, address: Address | None) -> bool:
        """Whether a proxy may stand at an address; None is that of a unix socket."""
        if address is None:
            return self._unix
        try:
            found = _plain(address[0])
        except ValueError:
            return False
        return any(found in network for network in self._networks if network.version == found.version)

    def said(self, field: Field) -> Hop:
        """What is said about the client of a request that a trusted proxy has sent."""
        return self._read(self, field)


class Peer:
    """The other end of a connection.

    address: host and port, None when it has none.  scheme: "https" on an encrypted connection.  certificate: what the
    client has proven to be, as `ssl.SSLSocket.getpeercert` gives it, or None.  proxies: given when it is a proxy that
    is trusted.  root_path: where a server that is not ours has mounted the application, decoded.
    """

    __slots__ = ("address", "certificate", "proxies", "root_path", "scheme")

    def __init__(
        self,
        address: Address | None,
        scheme: str = "http",
        certificate: dict[str, Any] | None = None,
        proxies: Proxies | None = None,
        root_path: str = "",
    ) -> None:
        self.address = address
        self.scheme = scheme
        self.certificate = certificate
        self.root_path = root_path
        self.proxies = proxies if proxies is not None and proxies.trusts(address) else None

    def about(self, field: Field) -> Hop:
        """Client, scheme, host and prefix of a request with these header fields."""
        said = self.proxies.said(field) if self.proxies is not None else Hop(None, None, None, None)
        host = said.host or field("host") or ""
        return Hop(said.client or self.address, said.scheme or self.scheme, host, self._prefix(said.prefix or ""))

    def _prefix(self, said: str) -> str:
        """What was taken off the path: by the proxy, then by the server; one that was told of the other says both."""
        root = quote(self.root_path, safe="/:@!$&'()*+,;=-._~")
        return root if f"{root}/".startswith(f"{said}/") or not said else said + root


def _plain(text: str) -> IPv4Address | IPv6Address:
    """An address; an IPv4 one in IPv6 clothes (RFC 4291 2.5.5.2) is the IPv4 one.  ValueError when it is none."""
    address = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _node(text: str) -> Address | None:
    """The address of `1.2.3.4`, `1.2.3.4:5`, `::1` or `[::1]:5`; None for anything else, such as `unknown`."""
    found = _NODE.fullmatch(text)
    host = (found["v6"] or found["v4"]) if found else text
    try:
        return str(_plain(host)), int(found["port"] or 0) if found else 0
    except ValueError:
        return None


def _client(proxies: Proxies, nodes: Iterable[str]) -> tuple[int, Address | None]:
    """Of addresses from the nearest on, the first that is no trusted proxy, or the last one that is an address."""
    best: tuple[int, Address | None] = (0, None)
    for index, text in zip(range(MAX_HOPS), nodes, strict=False):
        node = _node(text)
        if node is None:
            break
        best = (index, node)
        if not proxies.trusts(node):
            break
    return best


def _x_forwarded(proxies: Proxies, field: Field) -> Hop:
    """The de facto fields.  Of a list the last entry counts: the one that the proxy next to us has written."""
    nodes = [text.strip() for text in (field("x-forwarded-for") or "").rsplit(",", MAX_HOPS)]
    last = [(field(f"x-forwarded-{name}") or "").rpartition(",")[2].strip() for name in ("proto", "host", "prefix")]
    return _hop(_client(proxies, reversed(nodes))[1], *last)


def _forwarded(proxies: Proxies, field: Field) -> Hop:
    """RFC 7239: everything from the element whose `for` is the client; a trusted proxy has written it."""
    elements = list(_elements(field("forwarded") or ""))[: -MAX_HOPS - 1 : -1]
    if not elements:
        return Hop(None, None, None, None)
    index, client = _client(proxies, (element.get("for", "") for element in elements))
    said = elements[index]
    return _hop(client, said.get("proto", ""), said.get("host", ""), "")


def _elements(text: str) -> Iterator[dict[str, str]]:
    """The elements of a Forwarded field; nothing when any of it is malformed."""
    found: list[dict[str, str]] = [{}]
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            return
        if pair[1]:
            value = re.sub(r"\\(.)", r"\1", pair[2][1:-1]) if pair[2].startswith('"') else pair[2]
            found[-1].setdefault(pair[1].lower(), value)
        if pair[3] == ",":
            found.append({})
        at = pair.end()
    yield from (element for element in found if element)


def _hop(client: Address | None, scheme: str, host: str, prefix: str) -> Hop:
    return Hop(
        client,
        scheme.lower() if scheme.lower() in _SCHEMES else None,
        host if _HOST.fullmatch(host) else None,
        prefix.rstrip("/") if _PREFIX.fullmatch(prefix.rstrip("/")) else None,
    )


_FORMS = {"x-forwarded": _x_forwarded, "forwarded": _forwarded}
