"""From the scope of another server to the parts of a request head.

Servers differ in what they give.  The target is put together from `raw_path` where there is one, because only it still
has `%2F`; else from the decoded `path`, encoded again.  `root_path` is where the other server has mounted us: it is
taken off the path, as the document knows nothing of it, and is the prefix of `Request.base_url`.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote_to_bytes

from brrtrouter.asgi.types import Fields, Scope
from brrtrouter.core.exchange import Exchange
from brrtrouter.core.peer import Address, Peer, Proxies
from brrtrouter.core.service import Service

# What stands in a path as it is (RFC 3986 3.3), beside letters and digits.
PATH_CHARACTERS = "/:@!$&'()*+,;=-._~"


def exchange_of(service: Service, scope: Scope, proxies: Proxies | None) -> Exchange:
    """The request of an HTTP scope, read by the rules of our own server."""
    version = scope.get("http_version", "1.1")
    root = scope.get("root_path") or ""
    peer = Peer(_client(scope.get("client")), scope.get("scheme") or "http", None, proxies, root.rstrip("/"))
    method = scope["method"].encode("latin-1", "replace")
    return Exchange(service, method, _target(scope, root), version != "1.0", _fields(scope, version), peer)


def encoded_path(path: str) -> bytes:
    """A decoded path as it may stand in a request target."""
    return quote(path, safe=PATH_CHARACTERS, errors="surrogateescape").encode("ascii")


def prefix_length(raw: bytes, prefix: str) -> int | None:
    """How many bytes of a raw path are the decoded `prefix`, whatever it looks like encoded; None when it is another.

    A prefix is whole segments: "/api" is one of "/api" and "/api/pets", not of "/apis".
    """
    at = 0
    for _ in range(prefix.count("/")):
        at = raw.find(b"/", at) + 1
        if at == 0:
            return None
    end = raw.find(b"/", at)
    if end < 0:
        end = len(raw)
    return end if unquote_to_bytes(raw[:end]) == prefix.encode("utf-8", "surrogateescape") else None


def _target(scope: Scope, root: str) -> bytes:
    raw: bytes = scope.get("raw_path") or encoded_path(scope["path"])
    raw = raw.partition(b"?")[0]
    if root.rstrip("/") and raw.startswith(b"/"):
        raw = raw[prefix_length(raw, root.rstrip("/")) or 0 :] or b"/"
    query: bytes = scope.get("query_string") or b""
    return raw + b"?" + query if query else raw


def _fields(scope: Scope, version: str) -> Fields:
    """The header fields as HTTP/1.1 has them: the authority of HTTP/2 is the Host (RFC 9113 8.3.1)."""
    fields: Fields = []
    authority = None
    for name, value in scope["headers"]:
        if name[:1] == b":":
            authority = value if name == b":authority" else authority
        else:
            fields.append((name, value))
    if authority is not None or version[:1] in ("2", "3"):
        hosts = [value for name, value in fields if name.lower() == b"host"]
        if not hosts:
            fields.insert(0, (b"host", authority or b""))
    return fields


def _client(address: Any) -> Address | None:
    """Host and port; None for a unix socket."""
    return (str(address[0]), int(address[1] or 0)) if address and address[0] else None
