"""What the generated handlers answer, and the requests of the generated tests: from examples, or made from schemas."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from brrtrouter import jsontext
from brrtrouter.codegen.ir import Argument, Operation, Project
from brrtrouter.core.encode import encode_parameter
from brrtrouter.dispatch.mock import offers_of, usual_answer
from brrtrouter.spec import model as spec
from brrtrouter.spec.examples import ExampleBook
from brrtrouter.spec.render import is_json, render
from brrtrouter.spec.schema import Schema, SchemaCompileError

# The credential that generated tests know; no server takes it unless it is told to.
TEST_TOKEN: Final = "test-token"
ATTEMPTS: Final = 8
_PLAIN: Final = {"integer": 42, "number": 1.5, "boolean": True, "string": "text", "null": None}


class Unmakeable(Exception):
    """No request that satisfies the description was found; the message says what is missing."""


# -- answers ---------------------------------------------------------------------------------------------------


def example_of(operation: Operation, book: ExampleBook) -> dict[str, Any]:
    """The answer of an operation: `status`, `headers`, and `json`, `text` or `base64` with a `media_type`."""
    status, response = usual_answer(operation.spec.responses)
    found: dict[str, Any] = {"status": status}
    if response is None:
        return found
    place = f"{operation.spec.pointer}/{status}"
    fields = book.fields(place, response)
    if fields:
        found["headers"] = [list(each) for each in fields]
    offers = [] if status in (204, 205, 304) else offers_of(response.content, None)
    if not offers:
        return found
    name, media = offers[0]
    content = book.content(f"{place}/{name}", media, name)
    return {**found, "media_type": content.media_type, **packed(content.octets, content.media_type)}


def packed(octets: bytes, media_type: str) -> dict[str, Any]:
    """Octets as a member of a JSON object."""
    if is_json(media_type):
        return {"json": jsontext.loads(octets)}
    try:
        return {"text": octets.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(octets).decode()}


# -- requests --------------------------------------------------------------------------------------------------


@dataclass
class Sent:
    """A request, and the arguments by which a client makes it."""

    method: str
    path: str
    query: list[str] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)
    content: dict[str, Any] | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


class RequestMaker:
    """Makes one valid request for each operation, with what is required only."""

    def __init__(self, project: Project, book: ExampleBook) -> None:
        self._schemes = project.description.security_schemes
        self._book = book

    def case(self, operation: Operation) -> dict[str, Any]:
        """The request as an entry of the file of cases; one that cannot be made says why, under `skip`."""
        status, usual = usual_answer(operation.spec.responses)
        declared = [each.status for each in operation.spec.responses]
        # Were `default` counted in any case, every refusal would be an answer as it is described.
        alike = [each for each in declared if each[0] == str(status)[0] or (usual and each == usual.status)]
        alike = alike or [str(status)]
        case: dict[str, Any] = {"operation": operation.function, "statuses": alike}
        if operation.spec.websocket:
            return {**case, "skip": "it is a WebSocket"}
        try:
            sent = self.request(operation)
        except Unmakeable as reason:
            return {**case, "skip": str(reason)}
        path = sent.path + ("?" + "&".join(sent.query) if sent.query else "")
        headers = sent.headers + ([("Cookie", "; ".join(sent.cookies))] if sent.cookies else [])
        case |= {"method": sent.method, "path": path, "headers": [list(each) for each in headers]}
        case |= {"content": sent.content} if sent.content is not None else {}
        payload = operation.payload
        if payload is not None and payload.required and "body" not in sent.arguments:
            return case
        return case | {"call": sent.arguments}

    def request(self, operation: Operation) -> Sent:
        """Raises `Unmakeable`."""
        found = operation.spec
        sent = Sent(found.method, found.path)
        for argument in operation.arguments:
            if argument.required or argument.location == "path":
                self._add(sent, argument)
        self._add_credentials(sent, found)
        if operation.payload is not None:
            self._add_body(sent, operation)
        path, _, predicate = sent.path.partition("#")[0].partition("?")
        sent.path = quote(re.sub(r"\{[^}]*\}", "undeclared", path), safe="/%:@!$&'()*+,;=~-._")
        sent.query = [each for each in predicate.split("&") if each] + sent.query
        return sent

    # -- parameters ------------------------------------------------------------------------------------------

    def _add(self, sent: Sent, argument: Argument) -> None:
        parameter = argument.parameter
        for value in self._values(parameter):
            try:
                text = encode_parameter(parameter, value)
                text.encode("latin-1")
            except (ValueError, TypeError, AttributeError):
                continue
            if text in ("", ".", "..") or value in ("", [], {}):
                continue
            sent.arguments[argument.name] = value
            if parameter.location == "path":
                sent.path = sent.path.replace(f"{{{parameter.name}}}", text)
            elif parameter.location == "header":
                sent.headers.append((parameter.name, text))
            else:
                (sent.cookies if parameter.location == "cookie" else sent.query).append(text)
            return
        raise Unmakeable(f"no value was found for the parameter {parameter.name!r} in {parameter.location}")

    def _values(self, parameter: spec.Parameter) -> Iterator[Any]:
        schema = parameter.described
        yield from (each.value for each in parameter.examples if _fits(schema, each.value))
        if schema is not None:
            for at in range(ATTEMPTS):
                value = self._book.value(f"{parameter.pointer}#{at}", schema, written=at == 0)
                if value is not spec.MISSING and _fits(schema, value):
                    yield _flat(value) if parameter.style == "deepObject" else value
        kind = _PLAIN[parameter.types[0] if parameter.types else "string"]
        yield {"array": [kind], "object": {"member": kind}}.get(parameter.shape, kind)

    # -- credentials -----------------------------------------------------------------------------------------

    def _add_credentials(self, sent: Sent, found: spec.Operation) -> None:
        alternatives = [[self._schemes[need.scheme] for need in each] for each in found.security]
        # A request has one Authorization field at most (RFC 9110 section 11.6.2), and a connection no certificate here.
        possible = [
            each
            for each in alternatives
            if sum(scheme.type != "apiKey" for scheme in each) < 2 and not any(s.type == "mutualTLS" for s in each)
        ]
        if alternatives and not possible:
            raise Unmakeable("its security schemes cannot be combined in one request of a test")
        for scheme in min(possible, key=len) if possible else ():
            if scheme.type != "apiKey":
                kind = scheme.http_scheme if scheme.type == "http" else "bearer"
                sent.headers.append(("Authorization", f"{kind.title()} {TEST_TOKEN}"))
            elif scheme.location == "query":
                sent.query.append(f"{quote(scheme.parameter, safe='')}={TEST_TOKEN}")
            elif scheme.location == "cookie":
                sent.cookies.append(f"{scheme.parameter}={TEST_TOKEN}")
            else:
                sent.headers.append((scheme.parameter, TEST_TOKEN))

    # -- bodies ----------------------------------------------------------------------------------------------

    def _add_body(self, sent: Sent, operation: Operation) -> None:
        assert operation.payload is not None
        payload = operation.payload
        made = self._body(operation.spec.pointer, payload.media, payload.kind)
        if made is None:
            if payload.required:
                raise Unmakeable("no value was found for the body")
            return
        sent.content, media_type, value = made
        sent.headers.append(("Content-Type", media_type))
        if value is not spec.MISSING:
            sent.arguments["body"] = value

    def _body(self, place: str, media: spec.MediaType, kind: str) -> tuple[dict[str, Any], str, Any] | None:
        essence = media.essence.replace("*/*", "application/octet-stream").replace("/*", "/plain")
        if kind in ("json", "form", "multipart"):
            for value in self._bodies(place, media):
                if kind == "json":
                    return {"json": value}, essence, value
                made = _form(media, value, essence)
                if made is not None:
                    octets, media_type, said = made
                    return packed(octets, media_type), media_type, said
            return None
        content = self._book.content(f"{place}/body", media, essence)
        text = packed(content.octets, "").get("text", spec.MISSING)
        value = text if kind == "text" else base64.b64encode(content.octets).decode()
        return packed(content.octets, content.media_type), content.media_type, value

    def _bodies(self, place: str, media: spec.MediaType) -> Iterator[Any]:
        yield from (each.value for each in media.examples if _fits(media.schema, each.value))
        if media.schema is None:
            yield {"any": "value"}
            return
        for at in range(ATTEMPTS):
            value = self._book.value(f"{place}/body#{at}", media.schema, written=at == 0)
            if value is not spec.MISSING and _fits(media.schema, value):
                yield value


def _fits(schema: Schema | None, value: Any) -> bool:
    if value is spec.MISSING:
        return False
    try:
        return schema is None or schema.is_valid(value)
    except SchemaCompileError:
        return False


def _flat(value: Any) -> Any:
    """The members of an object that a style can say."""
    if not isinstance(value, dict):
        return value
    return {name: member for name, member in value.items() if not isinstance(member, (dict, list))}


def _pruned(value: Any) -> Any:
    """A value without the objects and lists that have nothing in them, which no style can say."""
    if isinstance(value, dict):
        members = {name: _pruned(member) for name, member in value.items()}
        return {name: member for name, member in members.items() if member not in ({}, [])}
    if isinstance(value, list):
        return [item for item in map(_pruned, value) if item not in ({}, [])]
    return value


def _form(media: spec.MediaType, value: Any, essence: str) -> tuple[bytes, str, Any] | None:
    """A form, and the part of a value that it says: no style says how an object inside of another one is written."""
    form = media.reading.forms.get("multipart" if essence.startswith("multipart/") else "urlencoded")
    if form is None or form.in_order or not isinstance(value, dict) or media.schema is None:
        rendered = render(value, essence, media)
        return rendered.octets, rendered.media_type, spec.MISSING
    required = media.schema.resolved().get("required", ())
    said: dict[str, Any] = {}
    pairs: list[str] = []
    styled = {each.name: each for each in form.pairs}
    for name, given in value.items():
        member = _pruned(given) if name in styled else given
        try:
            text = encode_parameter(styled[name], member) if name in styled else ""
        except (ValueError, TypeError, AttributeError):
            member = _flat(member)
            try:
                text = encode_parameter(styled[name], member)
            except (ValueError, TypeError, AttributeError):
                continue
        if name in styled and (not text or member in ([], {})):
            continue
        if name in required or _fits(media.schema, {**value, **said, name: member}):
            said[name] = member
            pairs += [text] if text else []
    if not _fits(media.schema, said):
        said = {name: member for name, member in said.items() if name in required}
        pairs = [encode_parameter(styled[name], said[name]) for name in said if name in styled]
        if not _fits(media.schema, said):
            return None
    if essence.startswith("multipart/"):
        rendered = render(said, essence, media)
        return rendered.octets, rendered.media_type, spec.MISSING
    rest = {name: member for name, member in said.items() if name not in styled}
    octets = "&".join(pairs).encode()
    if rest:
        octets += (b"&" if pairs else b"") + render(rest, essence, media).octets
    return octets, essence, said
