"""The opening handshake of a WebSocket (RFC 6455 section 4), and permessage-deflate (RFC 7692 section 5).

What is refused is answered with an ordinary HTTP error, after route, security and parameters and before any upgrade.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.policy.cors import Origins

if TYPE_CHECKING:
    from brrtrouter.realtime.deflate import Deflate

VERSION: Final = "13"
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_HOW: Final = {"Upgrade": "websocket", "Sec-WebSocket-Version": VERSION}
_KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_EXTENSION: Final = "permessage-deflate"
# Parameters of an offer (RFC 7692 section 7.1) and what their values may be.
_BITS: Final = re.compile(r'"?(8|9|1[0-5])"?')
_OFFERS: Final[dict[str, re.Pattern[str]]] = {
    "server_no_context_takeover": re.compile(""),
    "client_no_context_takeover": re.compile(""),
    "server_max_window_bits": _BITS,
    "client_max_window_bits": re.compile(f"(?:{_BITS.pattern})?"),
}


def tokens(text: str | None) -> list[str]:
    """The elements of a field whose value is a list."""
    return [each.strip(" \t") for each in (text or "").split(",") if each.strip(" \t")]


def refusal(request: Request, origins: Origins) -> Response | None:
    """What a request that does not open a WebSocket here is answered with; None for one that does."""
    wanted = {each.lower() for each in tokens(request.header("upgrade"))}
    options = {each.lower() for each in tokens(request.header("connection"))}
    if request.method != "GET" or request.http_minor != 1 or "websocket" not in wanted or "upgrade" not in options:
        return problem_response("upgrade-required", "this is the place of a WebSocket", headers=_HOW)
    if request.header("sec-websocket-version") != VERSION:
        detail = f"the version of the WebSocket protocol spoken here is {VERSION}"
        return problem_response("upgrade-required", detail, headers=_HOW)
    if not _is_key(request.header("sec-websocket-key")):
        return problem_response("bad-request", "Sec-WebSocket-Key is not 16 bytes in base64")
    if request.raw_body:
        return problem_response("bad-request", "a request that opens a WebSocket has no body")
    if not trusts(request, origins):
        return problem_response("forbidden", "the origin is not one whose pages may connect")
    return None


def _is_key(text: str | None) -> bool:
    if text is None or _KEY.fullmatch(text) is None:
        return False
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except binascii.Error:
        return False


def trusts(request: Request, origins: Origins) -> bool:
    """Whether pages of the origin may connect: browsers send cookies along, so that no other site's page may.

    Without Origin it is no browser, which sends what it likes anyway.
    """
    origin = request.header("origin")
    if origin is None or origins.any or origin in origins.exact:
        return True
    if origins.matches is not None and origins.matches(origin):
        return True
    own = request.base_url
    return own is not None and (place := _place(own)) is not None and _place(origin) == place


def _place(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


def accept_key(key: str) -> str:
    """Sec-WebSocket-Accept for a key (RFC 6455 section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()).decode()


def choose_protocol(request: Request, protocols: Sequence[str]) -> str | None:
    """The first of our subprotocols that the client offers too."""
    offered = tokens(request.header("sec-websocket-protocol"))
    return next((each for each in protocols if each in offered), None)


def negotiate_deflate(text: str | None) -> tuple[Deflate, str] | None:
    """(extension, field value) for the first offer that can be met; None for none.

    An offer with an unknown, repeated or malformed parameter is declined (RFC 7692 section 7).  A window of 8 bits for
    the server is declined too, for zlib has none; one for the client is a hint that may be left out of the answer.
    """
    for offer in tokens(text):
        name, *rest = (part.strip(" \t") for part in offer.split(";"))
        split = [part.partition("=") for part in rest]
        parameters = [(key.strip(" \t"), value.strip(" \t")) for key, _, value in split]
        named = dict(parameters)
        if name != _EXTENSION or len(named) != len(parameters):
            continue
        if not all(key in _OFFERS and _OFFERS[key].fullmatch(value) for key, value in named.items()):
            continue
        bits = {key: value.strip('"') for key, value in named.items()}
        if bits.get("server_max_window_bits") == "8":
            continue
        if bits.get("client_max_window_bits") == "8":
            del bits["client_max_window_bits"]
        from brrtrouter.realtime.deflate import Deflate

        extension = Deflate()
        agreed = extension.accept("; ".join([name, *(f"{key}={bit}" if bit else key for key, bit in bits.items())]))
        if isinstance(agreed, str):
            return extension, "; ".join(filter(None, [name, agreed]))
    return None
