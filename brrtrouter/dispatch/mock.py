"""The mock handler: answers an operation as its description says, from its examples or from its schemas.

A client chooses by Prefer (RFC 7240) and Accept (RFC 9110 section 12.5.1).  A request that is refused gets the refusal
that the description declares for its status, if it declares one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Final, Protocol

import orjson

from brrtrouter.core.request import Request
from brrtrouter.core.response import Response, problem_response
from brrtrouter.dispatch.accept import choose, read_accept
from brrtrouter.dispatch.prefer import quoted, read_prefer

logger = logging.getLogger("brrtrouter.mock")

PROBLEM: Final = "application/problem+json"
# Answers without content (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5).
_WITHOUT_CONTENT: Final = frozenset({204, 205, 304})
# What a media range of the description is answered with when the client does not care either.
_USUAL: Final = {
    "*/*": "application/json",
    "application/*": "application/json",
    "text/*": "text/plain",
    "image/*": "image/png",
    "audio/*": "audio/wav",
    "video/*": "video/mp4",
    "font/*": "font/woff2",
    "multipart/*": "multipart/mixed",
}
# Where a status of a refusal is not declared, these say the same to a client.
_INSTEAD: Final = {400: (422,), 415: (400, 422), 422: (400,)}
# How many answers of one operation are kept.
_KEPT: Final = 64


class Media(Protocol):
    """One media type of an answer; `brrtrouter.spec.model.MediaType` has it."""

    @property
    def name(self) -> str: ...
    @property
    def essence(self) -> str: ...


class Declared(Protocol):
    """One declared answer; `brrtrouter.spec.model.Response` has it."""

    @property
    def status(self) -> str: ...
    @property
    def content(self) -> Sequence[Any]: ...


class Described(Protocol):
    """What is known of an operation; `brrtrouter.spec.model.Operation` has it."""

    @property
    def handler(self) -> str: ...
    @property
    def pointer(self) -> str: ...
    @property
    def responses(self) -> Sequence[Any]: ...


class Content(Protocol):
    """A body, and the name of the example that it is, None for one that was generated or has no name."""

    @property
    def octets(self) -> bytes: ...
    @property
    def example(self) -> str | None: ...
    @property
    def media_type(self) -> str: ...


class Book(Protocol):
    """Where bodies and header fields come from; `brrtrouter.spec.examples.ExampleBook` is it."""

    def content(self, key: str, media: Any, media_type: str, *, example: str | None, made: int | None) -> Content: ...
    def fields(self, key: str, response: Any) -> Sequence[tuple[str, str]]: ...
    def accepts(self, media: Any, value: object) -> bool: ...


class MockResponse(Response):
    """An answer that was made by the mock, to be told from a refusal."""


class Mock:
    """Answers one operation; called with each request to it."""

    def __init__(self, operation: Described, book: Book) -> None:
        self.operation = operation
        self.book = book
        self._kept: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        self._made = count(1)

    async def __call__(self, request: Request) -> Response:
        """The declared answer that the client prefers, 406 when it takes none of its media types."""
        wishes = read_prefer(request.header("prefer"))
        status, response, asked = self._chosen(wishes)
        if response is None:
            return MockResponse(status)
        offers = [] if status in _WITHOUT_CONTENT else offers_of(response.content, request.header("accept"))
        offer = None
        if offers:
            at = choose(request.header("accept"), [name for name, _ in offers])
            if at is None:
                names = ", ".join(name for name, _ in offers)
                return problem_response("not-acceptable", f"the operation answers with: {names}")
            offer = offers[at]
        if offer is not None and wishes.get("dynamic", "").lower() == "true":
            return MockResponse(*self._made_answer(status, response, offer, None, next(self._made), asked=asked))
        example = wishes.get("example")
        key = (status, asked, example, offer and (offer[0], id(offer[1])))
        parts = self._kept.get(key)
        if parts is None:
            parts = self._made_answer(status, response, offer, example, None, asked=asked)
            if len(self._kept) < _KEPT:
                self._kept[key] = parts
        # A new one each time, because middleware may add to it.
        return MockResponse(*parts)

    def _chosen(self, wishes: Mapping[str, str]) -> tuple[int, Any, bool]:
        """The status to answer with, its declaration, and whether it is the one that was asked for."""
        code = wishes.get("code", "")
        if code.isascii() and code.isdigit() and 200 <= int(code) <= 599:
            found = declared_for(self.operation.responses, int(code))
            if found is not None:
                return int(code), found, True
        return (*usual_answer(self.operation.responses), False)

    def _made_answer(
        self,
        status: int,
        response: Any,
        offer: tuple[str, Any] | None,
        example: str | None,
        made: int | None,
        *,
        asked: bool,
    ) -> tuple[int, bytes | None, tuple[tuple[str, str], ...], str | None]:
        """What `MockResponse` is made of."""
        place = f"{self.operation.pointer}/{status}"
        fields = list(self.book.fields(place, response))
        applied = [f"code={status}"] if asked else []
        content = None
        if offer is not None:
            content = self.book.content(f"{place}/{offer[0]}", offer[1], offer[0], example=example, made=made)
            applied += [f"example={quoted(example)}"] if example is not None and content.example == example else []
            applied += ["dynamic=true"] if made is not None else []
        if applied:
            fields.append(("Preference-Applied", ", ".join(applied)))
        if content is None:
            return status, None, tuple(fields), None
        return status, content.octets, tuple(fields), content.media_type


def usual_answer(responses: Sequence[Any]) -> tuple[int, Any]:
    """What is answered when nothing is preferred: the smallest 2xx, 2XX as 200, default as 200, else the smallest."""
    exact = sorted((int(each.status), each) for each in responses if each.status.isdigit() and int(each.status) >= 200)
    by_name = {each.status: each for each in responses}
    for status, response in exact:
        if status < 300:
            return status, response
    for name in ("2XX", "default"):
        if name in by_name:
            return 200, by_name[name]
    if exact:
        return exact[0]
    for hundreds in (3, 4, 5):
        if f"{hundreds}XX" in by_name:
            return hundreds * 100, by_name[f"{hundreds}XX"]
    return 200, None


def declared_for(responses: Sequence[Any], status: int) -> Any:
    """The declaration for a status: exact, then its range, then default (OpenAPI 3.1 section 4.8.16); else None."""
    by_name = {each.status: each for each in responses}
    for name in (str(status), f"{status // 100}XX", "default"):
        if name in by_name:
            return by_name[name]
    return None


def offers_of(content: Sequence[Any], accept: str | None) -> list[tuple[str, Any]]:
    """The media types to choose from, each with its declaration; JSON first, then in the order of the document.

    A declared range is offered as the types in it that the client names, and as a usual one.
    """
    named = [f"{each.type}/{each.subtype}" for each in read_accept(accept or "") if each.subtype != "*"]
    offers: list[tuple[str, Any]] = []
    for media in sorted(content, key=lambda media: media.essence != "application/json"):
        if "*" not in media.essence:
            offers.append((media.name, media))
            continue
        inside = [name for name in named if media.essence == "*/*" or name.startswith(media.essence[:-1])]
        offers += [(name, media) for name in (*inside, _USUAL.get(media.essence, "application/octet-stream"))]
    return offers


class MockRefusals:
    """Middleware: turns a refusal of a mocked operation into the one that its description declares."""

    everything = True

    def __init__(self, mocked: Callable[[str], bool], book: Book) -> None:
        self._mocked = mocked
        self._book = book

    def after(self, request: Request, response: Response) -> Response | None:
        """None to keep the answer; a problem that fits what is declared is kept too."""
        if response.media_type != PROBLEM or isinstance(response, MockResponse) or request.operation is None:
            return None
        operation = request.operation.model
        if operation is None or not self._mocked(operation.handler):
            return None
        status, declared = _refusal(operation.responses, response.status)
        if declared is None or (not declared.content and status == response.status):
            return None
        return self._as_declared(request, response, status, declared)

    def _as_declared(self, request: Request, response: Response, status: int, declared: Any) -> Response:
        logger.info("%s %s refused: %s", request.method, request.path, response.body.decode())
        # Refusals are made by `problem_response`, which has a mapping for its fields.
        fields = list(dict(response.headers or {}).items())
        own = {name.lower() for name, _ in fields}
        place = f"{request.operation.model.pointer}/{status}"
        fields += [(name, text) for name, text in self._book.fields(place, declared) if name.lower() not in own]
        offers = offers_of(declared.content, request.header("accept"))
        if not offers:
            return MockResponse(status, None, fields)
        value = _with_status(response, status)
        for name, media in offers:
            if _is_json(name) and self._book.accepts(media, value):
                return MockResponse(status, value, fields, name)
        # A client that is refused gets an answer even if it does not take any of the types that are declared.
        name, media = offers[choose(request.header("accept"), [each for each, _ in offers]) or 0]
        content = self._book.content(f"{place}/{name}", media, name, example=None, made=None)
        return MockResponse(status, content.octets, fields, content.media_type)


def _refusal(responses: Sequence[Any], status: int) -> tuple[int, Any]:
    """The declared answer that stands for a refusal, and its status."""
    by_name = {each.status: each for each in responses}
    for instead in (status, *_INSTEAD.get(status, ())):
        if str(instead) in by_name:
            return instead, by_name[str(instead)]
    return status, by_name.get(f"{status // 100}XX") or by_name.get("default")


def _with_status(response: Response, status: int) -> Any:
    return {**orjson.loads(response.body), "status": status}


def _is_json(name: str) -> bool:
    essence = name.partition(";")[0].strip()
    return essence == "application/json" or essence.endswith("+json")
