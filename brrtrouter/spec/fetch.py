"""Documents from the network, for those who allow it: https unless http is allowed too, bounded in time and size."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from http.client import HTTPException, HTTPMessage
from typing import IO, Any, Final
from urllib.parse import urlsplit

from brrtrouter.errors import BrrtError
from brrtrouter.spec.limits import Limits, over

_CHUNK: Final = 64 * 1024
_ACCEPT: Final = "application/openapi+json, application/openapi+yaml, application/json, application/yaml, */*;q=0.1"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows at most five, and none to a scheme that is not allowed."""

    max_redirections = 5

    def __init__(self, schemes: frozenset[str]) -> None:
        self.schemes = schemes

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        try:
            _check(newurl, self.schemes)
        except BrrtError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check(address: str, schemes: frozenset[str]) -> None:
    scheme = urlsplit(address).scheme
    if scheme not in schemes:
        allowed = " and ".join(sorted(schemes))
        raise BrrtError(f"{address:.200} is not fetched: {allowed} only")


def fetch(address: str, schemes: frozenset[str], limits: Limits) -> bytes:
    """The bytes at a URL.  Raises `BrrtError` when there are none to be had, `UnreadableError` for too many."""
    _check(address, schemes)
    opener = urllib.request.OpenerDirector()
    handlers: list[Any] = [urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()]
    for handler in (*handlers, urllib.request.HTTPErrorProcessor(), urllib.request.HTTPDefaultErrorHandler()):
        opener.add_handler(handler)
    opener.add_handler(_Redirects(schemes))
    end = time.monotonic() + limits.fetch_seconds
    found = bytearray()
    try:
        request = urllib.request.Request(address, headers={"Accept": _ACCEPT, "User-Agent": "brrtrouter"})
        with opener.open(request, timeout=limits.fetch_seconds) as response:
            while chunk := response.read1(_CHUNK):
                found += chunk
                if len(found) > limits.file_bytes:
                    raise over("file_bytes", limits.file_bytes)
                if time.monotonic() > end:
                    raise BrrtError(f"{address:.200} took longer than {limits.fetch_seconds:g} seconds")
    except urllib.error.HTTPError as error:
        error.close()
        raise BrrtError(f"{address:.200} answered with {error.code}") from None
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, BrrtError):
            raise
        raise BrrtError(f"{address:.200} cannot be fetched: {getattr(error, 'reason', error)}") from None
    return bytes(found)
