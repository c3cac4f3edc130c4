"""The bases of generated clients, one that waits and one that awaits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import httpx

from brrtrouter.client.calls import ApiKey, Authorization, Call, Credential, Request

C = TypeVar("C", bound="Caller")
A = TypeVar("A", bound="AsyncCaller")


class _Common:
    schemes: ClassVar[Mapping[str, ApiKey | Authorization]] = {}

    def __init__(self, credentials: Mapping[str, Credential] | None) -> None:
        self._credentials = dict(credentials or {})
        for name in self._credentials:
            if name not in self.schemes:
                raise ValueError(f"there is no security scheme {name!r}; there are {', '.join(self.schemes) or 'none'}")


def _options(request: Request) -> dict[str, Any]:
    """What httpx is told.  The query is complete and encoded already."""
    headers = [*request.headers, *([("Cookie", "; ".join(request.cookies))] if request.cookies else [])]
    options: dict[str, Any] = {"headers": headers}
    if request.files is not None:
        options["files"] = request.files
    elif request.content is not None:
        options["content"] = request.content
    return options


def _url(request: Request) -> str:
    return request.path + (f"?{'&'.join(request.query)}" if request.query else "")


class Caller(_Common):
    """Calls an API and waits.

    base_url: scheme, host and port; what is in front of the paths of the description is part of these paths.
    credentials: by the names of the security schemes; a text, or (name, password) for `basic`.  http: a client of httpx
    with settings of its own, such as timeouts; it is closed by whoever made it.
    """

    def __init__(
        self,
        base_url: str,
        *,
        credentials: Mapping[str, Credential] | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        super().__init__(credentials)
        self._base_url = base_url.rstrip("/")
        self._own = http is None
        self._http = http or httpx.Client()

    def _call(self, call: Call, values: tuple[Any, ...] = (), body: Any = None) -> Any:
        request = call.request(values, body, self.schemes, self._credentials)
        response = self._http.request(call.method, self._base_url + _url(request), **_options(request))
        return call.value(response)

    def close(self) -> None:
        """Close the connections, if they are ours."""
        if self._own:
            self._http.close()

    def __enter__(self: C) -> C:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class AsyncCaller(_Common):
    """Calls an API and awaits; see `Caller`."""

    def __init__(
        self,
        base_url: str,
        *,
        credentials: Mapping[str, Credential] | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        super().__init__(credentials)
        self._base_url = base_url.rstrip("/")
        self._own = http is None
        self._http = http or httpx.AsyncClient()

    async def _call(self, call: Call, values: tuple[Any, ...] = (), body: Any = None) -> Any:
        request = call.request(values, body, self.schemes, self._credentials)
        response = await self._http.request(call.method, self._base_url + _url(request), **_options(request))
        return call.value(response)

    async def aclose(self) -> None:
        """Close the connections, if they are ours."""
        if self._own:
            await self._http.aclose()

    async def __aenter__(self: A) -> A:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()
