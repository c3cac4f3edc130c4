"""The built-in endpoints: health, the OpenAPI document in both formats, and the documentation pages.

They are handlers like any other, so that everything that wraps operations wraps them too.  Assets are bundled with the
package: the documentation works without any other host.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

from brrtrouter import jsontext
from brrtrouter.config import Endpoints
from brrtrouter.core.request import Request
from brrtrouter.core.response import Response

YAML_MEDIA_TYPE = "application/yaml"  # RFC 9512
# Writing YAML is slow; above this size the JSON text is sent, which is YAML too.
YAML_DUMP_LIMIT = 256 * 1024
# The page runs only its own scripts; requests may go to any server that the document names.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src *; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".png": "image/png",
}


class Document(Protocol):
    """What is served of a specification; `brrtrouter.spec.model.Specification` has it."""

    @property
    def title(self) -> str: ...
    @property
    def document(self) -> Mapping[str, Any]: ...
    @property
    def raw(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A built-in endpoint: answers GET and HEAD on its path."""

    path: str
    name: str
    call: Callable[[Request], Response]


class Readiness:
    """Whether new requests are welcome: not while a server of this application drains."""

    def __init__(self) -> None:
        self._draining: set[object] = set()

    def lose(self, server: object) -> None:
        """A server begins to drain."""
        self._draining.add(server)

    def regain(self, server: object) -> None:
        """A server has ended: what it did says nothing about the next one."""
        self._draining.discard(server)

    def answer(self, request: Request) -> Response:
        """200, or 503 that tells a load balancer to send no more."""
        ready = not self._draining
        return Response(200 if ready else 503, {"status": "ok" if ready else "draining"}, {"Cache-Control": "no-store"})


def endpoints(
    settings: Endpoints,
    specification: Document,
    readiness: Readiness,
    metrics: Callable[[Request], Response] | None = None,
) -> Iterator[Endpoint]:
    """The endpoints that are switched on; `metrics` answers at the one for them."""
    if settings.health is not None:
        yield Endpoint(settings.health, "health", _health)
    if settings.ready is not None:
        yield Endpoint(settings.ready, "ready", readiness.answer)
    if settings.metrics is not None and metrics is not None:
        yield Endpoint(settings.metrics, "metrics", metrics)
    document = _OpenApi(specification)
    if settings.openapi_json is not None:
        yield Endpoint(settings.openapi_json, "openapi_json", document.as_json)
    if settings.openapi_yaml is not None:
        yield Endpoint(settings.openapi_yaml, "openapi_yaml", document.as_yaml)
    shown = settings.openapi_json or settings.openapi_yaml
    if settings.docs is not None and shown is not None:
        docs = _Docs(settings.docs, shown, specification.title)
        base = settings.docs.rstrip("/")
        for path in dict.fromkeys((settings.docs, f"{base}/")):
            yield Endpoint(path, "docs", docs.page_at(path))
        # One route for each file: a template would hide what the document has below the same path.
        for name in docs.names:
            yield Endpoint(f"{base}/{name}", "docs_asset", docs.asset(name))


def _health(request: Request) -> Response:
    return Response(200, {"status": "ok"}, {"Cache-Control": "no-store"})


class _OpenApi:
    """The document as it was read where the format fits, else converted once."""

    def __init__(self, specification: Document) -> None:
        raw = specification.raw
        self._document = specification.document
        is_json = raw is not None and _is_json(raw)
        self._json = raw if is_json else None
        self._yaml = None if is_json else raw

    def as_json(self, request: Request) -> Response:
        return Response(200, self._json_bytes(), None, "application/json")

    def as_yaml(self, request: Request) -> Response:
        if self._yaml is None:
            self._yaml = self._dump()
        return Response(200, self._yaml, None, YAML_MEDIA_TYPE)

    def _json_bytes(self) -> bytes:
        if self._json is None:
            self._json = jsontext.dumps(self._document)
        return self._json

    def _dump(self) -> bytes:
        text = self._json_bytes()
        if len(text) > YAML_DUMP_LIMIT:
            return text
        import yaml

        # A round trip through JSON leaves no aliases and no types that YAML would tag.
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        dumped: bytes = yaml.dump(
            jsontext.loads(text), Dumper=dumper, sort_keys=False, allow_unicode=True, encoding="utf-8"
        )
        return dumped


def _is_json(raw: bytes) -> bool:
    """Whether a text is JSON; a YAML text may begin with a brace as well."""
    if raw.lstrip()[:1] != b"{":
        return False
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True


class _Docs:
    """The documentation page and its files."""

    def __init__(self, path: str, document_path: str, title: str) -> None:
        self._path = path
        self._document_path = document_path
        self._title = title
        self._folder = Path(__file__).with_name("assets") / "docs"
        names = (entry.name for entry in self._folder.iterdir() if entry.is_file() and entry.name != "index.html")
        self.names = sorted(name for name in names if _suffix(name) in _TYPES)
        self._cache: dict[str, bytes] = {}

    def page_at(self, path: str) -> Callable[[Request], Response]:
        """The page for one URL path.  Its links are relative, so that it works behind a proxy that adds a prefix."""
        folder = posixpath.dirname(path)
        words = {
            "__BASE__": "" if path.endswith("/") else posixpath.basename(path) + "/",
            "__OPENAPI_URL__": posixpath.relpath(self._document_path, folder),
            "__TITLE__": self._title,
        }

        def page(request: Request) -> Response:
            if path not in self._cache:
                import html  # its table of names is large

                template = (self._folder / "index.html").read_text(encoding="utf-8")
                # One pass, so that a title that holds a placeholder stays what it is.
                filled = re.sub("|".join(words), lambda match: html.escape(words[match[0]]), template)
                self._cache[path] = filled.encode()
            headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "X-Content-Type-Options": "nosniff"}
            return Response(200, self._cache[path], headers, _TYPES[".html"])

        return page

    def asset(self, name: str) -> Callable[[Request], Response]:
        """One of the files."""
        headers = {"Cache-Control": "max-age=3600", "X-Content-Type-Options": "nosniff"}
        media_type = _TYPES[_suffix(name)]

        def answer(request: Request) -> Response:
            if name not in self._cache:
                self._cache[name] = (self._folder / name).read_bytes()
            return Response(200, self._cache[name], headers, media_type)

        return answer


def _suffix(name: str) -> str:
    return "." + name.rpartition(".")[2]
