"""What a client knows of an operation, and the two halves of a call: arguments to a request, an answer to a value."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx
import msgspec

from brrtrouter import jsontext
from brrtrouter.client.failures import ApiError, UnexpectedAnswer
from brrtrouter.core.encode import encode_parameter

__all__ = ["Answer", "ApiKey", "Authorization", "Call", "Credential", "Parameter", "Payload", "Request"]

# The credential of a scheme: a key or a token, or name and password for `basic`.
Credential = str | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as it is written (OpenAPI 3.1 section 4.8.12); `nested` is what a list or an object in it may be."""

    name: str
    location: str
    style: str = "form"
    explode: bool = True
    shape: str = "scalar"
    allow_reserved: bool = False
    nested: object = None
    fields: Sequence[Parameter] = ()
    readings: Sequence[Parameter] = ()


@dataclass(frozen=True, slots=True)
class Payload:
    """How a body is sent.  kind: "json", "form", "multipart", "text" or "bytes".

    fields: the members of a form, with their styles.
    """

    media_type: str
    kind: str
    required: bool = True
    fields: Sequence[Parameter] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A declared answer: status "200", "4XX" or "default".  kind: "json", "text", "bytes" or "none".

    type is what JSON is read as.  error is the class that is raised with the value, None for a success.
    """

    status: str
    kind: str
    type: Any = None
    error: Callable[[httpx.Response, Any], ApiError[Any]] | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A scheme of type apiKey: `location` is header, query or cookie."""

    location: str
    parameter: str

    def add(self, request: Request, credential: Credential) -> None:
        text = _text(credential)
        if self.location == "header":
            request.headers.append((self.parameter, text))
        elif self.location == "cookie":
            request.cookies.append(f"{self.parameter}={text}")
        else:
            request.query.append(f"{quote(self.parameter, safe='')}={quote(text, safe='')}")


@dataclass(frozen=True, slots=True)
class Authorization:
    """A scheme whose credential goes into the field Authorization: `Bearer`, `Basic`, or another word."""

    word: str = "Bearer"

    def add(self, request: Request, credential: Credential) -> None:
        if isinstance(credential, tuple):
            # RFC 7617 section 2: without a colon in the name.
            name, password = credential
            if ":" in name:
                raise ValueError("the name of a user has no colon in it (RFC 7617)")
            credential = base64.b64encode(f"{name}:{password}".encode()).decode()
        request.headers.append(("Authorization", f"{self.word} {credential}"))


def _text(credential: Credential) -> str:
    if isinstance(credential, tuple):
        raise ValueError("an API key is a text, not a name and a password")
    return credential


@dataclass(slots=True)
class Request:
    """A request before it is sent."""

    path: str
    query: list[str]
    headers: list[tuple[str, str]]
    cookies: list[str]
    content: bytes | None = None
    files: list[tuple[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """An operation: `path` is its template, with the base path.

    security: alternatives, each the names of its schemes.
    """

    method: str
    path: str
    parameters: Sequence[Parameter] = ()
    payload: Payload | None = None
    answers: Sequence[Answer] = ()
    security: Sequence[Sequence[str]] = ()

    def request(
        self,
        values: tuple[Any, ...],
        body: Any,
        schemes: Mapping[str, ApiKey | Authorization],
        credentials: Mapping[str, Credential],
    ) -> Request:
        """The request for these values, one for each parameter; None stands for "not sent".

        Raises ValueError for what a style cannot carry, and where no way of the security has all its credentials.
        """
        path, _, predicate = self.path.partition("#")[0].partition("?")
        request = Request(path, [each for each in predicate.split("&") if each], [], [])
        for parameter, value in zip(self.parameters, values, strict=True):
            if value is not None:
                self._add(request, parameter, msgspec.to_builtins(value))
        self._secure(request, schemes, credentials)
        if body is not None and self.payload is not None:
            _WRITERS[self.payload.kind](request, self.payload, body)
        return request

    @staticmethod
    def _add(request: Request, parameter: Parameter, value: Any) -> None:
        text = encode_parameter(parameter, value)
        if parameter.location == "path":
            if text in ("", ".", ".."):
                raise ValueError(f"path parameter {parameter.name!r}: {text!r} would make another path")
            request.path = request.path.replace(f"{{{parameter.name}}}", text)
        elif parameter.location == "header":
            request.headers.append((parameter.name, text))
        elif text:
            (request.cookies if parameter.location == "cookie" else request.query).append(text)

    def _secure(
        self,
        request: Request,
        schemes: Mapping[str, ApiKey | Authorization],
        credentials: Mapping[str, Credential],
    ) -> None:
        if not self.security:
            return
        for names in self.security:
            if all(name in credentials for name in names):
                for name in names:
                    schemes[name].add(request, credentials[name])
                return
        ways = " or ".join(" and ".join(map(repr, names)) for names in self.security)
        raise ValueError(
            f"{self.method} {self.path} needs the credentials {ways}: pass credentials={{name: credential}}"
        )

    def value(self, response: httpx.Response) -> Any:
        """The content of an answer.  Raises the error that the description declares for it, and `UnexpectedAnswer`."""
        answer = self._answer(response.status_code)
        if answer is None:
            raise UnexpectedAnswer(response, "the description has no such status")
        try:
            value = _READERS[answer.kind](response, answer)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise UnexpectedAnswer(response, str(error)) from None
        if answer.error is not None:
            raise answer.error(response, value)
        return value

    def _answer(self, status: int) -> Answer | None:
        """The exact status, then its class, then `default` (OpenAPI 3.1 section 4.8.16)."""
        by_status = {each.status: each for each in self.answers}
        for name in (str(status), f"{status // 100}XX", "default"):
            if name in by_status:
                return by_status[name]
        return None if self.answers or not 200 <= status < 300 else Answer(str(status), "bytes")


# -- bodies ----------------------------------------------------------------------------------------------------


def _json(request: Request, payload: Payload, body: Any) -> None:
    request.content = msgspec.json.encode(body)
    request.headers.append(("Content-Type", payload.media_type))


def _form(request: Request, payload: Payload, body: Any) -> None:
    fields = {each.name: each for each in payload.fields}
    pairs: list[str] = []
    for name, member in msgspec.to_builtins(body).items():
        styled = fields.get(name) or Parameter(name, "query", shape="array" if isinstance(member, list) else "scalar")
        # What no style writes goes out as JSON.
        deep = isinstance(member, (dict, list)) and name not in fields
        pairs.append(encode_parameter(styled, jsontext.dumps(member).decode() if deep and _is_deep(member) else member))
    request.content = "&".join(filter(None, pairs)).encode()
    request.headers.append(("Content-Type", payload.media_type))


def _is_deep(member: Any) -> bool:
    return isinstance(member, dict) or any(isinstance(each, (dict, list)) for each in member)


def _multipart(request: Request, payload: Payload, body: Any) -> None:
    request.files = []
    for name, member in dict(body).items():
        for each in member if isinstance(member, list) else [member]:
            request.files.append((name, _part(each)))


def _part(value: Any) -> Any:
    """A part as httpx takes it: (file name, content, media type); without a name it is a field."""
    if isinstance(value, tuple):
        return value
    if isinstance(value, bytes):
        return "file", value, "application/octet-stream"
    value = msgspec.to_builtins(value)
    if isinstance(value, str):
        return None, value.encode()
    return None, jsontext.dumps(value), *(("application/json",) if isinstance(value, (dict, list)) else ())


def _raw(request: Request, payload: Payload, body: Any) -> None:
    request.content = body.encode() if isinstance(body, str) else body
    request.headers.append(("Content-Type", payload.media_type))


_WRITERS: Final[Mapping[str, Callable[[Request, Payload, Any], None]]] = {
    "json": _json,
    "form": _form,
    "multipart": _multipart,
    "text": _raw,
    "bytes": _raw,
}


_READERS: Final[Mapping[str, Callable[[httpx.Response, Answer], Any]]] = {
    "json": lambda response, answer: (
        msgspec.json.decode(response.content, type=answer.type) if response.content else None
    ),
    "text": lambda response, answer: response.content.decode(),
    "bytes": lambda response, answer: response.content,
    "none": lambda response, answer: None,
}
