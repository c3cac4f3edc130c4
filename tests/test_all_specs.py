"""Every operation of every published document answers a request that is made from its own description.

The whole request cycle runs: head, routing, presence of credentials, parameters, body, echo handler, encoding.  What
was routed and decoded is compared with what was sent.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest
from schema_examples import examples

from brrtrouter import App, Request, SpecError
from brrtrouter.spec import model
from brrtrouter.spec.examples import ExampleBook
from brrtrouter.spec.render import is_json, render
from brrtrouter.testing import TestClient, TestResponse

SHARED = Path(__file__).parents[2] / "shared" / "specs"
GITHUB = SHARED / "github" / "api.github.com.json"
# Their documents are no OpenAPI descriptions, or parts of one.
OTHERS = {"_paths", "arazzo", "JSON-Schema-Test-Suite", "uritemplate-test", "schemas"}

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared documents are not here")


def documents() -> list[Path]:
    found = (path for path in SHARED.rglob("*") if path.suffix in (".json", ".yaml", ".yml"))
    whole = (path for path in found if "digitalocean" not in path.parts or path.name.startswith("DigitalOcean"))
    return sorted(path for path in whole if not OTHERS & set(path.parts) and path.name != "param-style-vectors.json")


class Unmakeable(Exception):
    """No value that satisfies the description was found."""


@dataclass
class Sent:
    """A request, and the path values that it stands for."""

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    cookies: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    values: dict[str, Any] = field(default_factory=dict)


# -- values


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def value_of(parameter: model.Parameter) -> Any:
    """A value that a parameter accepts and that its text form can express."""
    if parameter.schema is None:
        by_type = {"integer": 42, "number": 1.5, "boolean": True, "null": None, "string": "a b/ü%"}
        plain = by_type[parameter.types[0] if parameter.types else "string"]
        if parameter.location in ("header", "cookie") and plain == by_type["string"]:
            plain = "text"
        return [plain] if parameter.shape == "array" else {} if parameter.shape == "object" else plain
    for value in examples(parameter.schema.bundled()):
        if value not in ("", [], {}) and parameter.schema.is_valid(value) and fits(parameter, value):
            return value
    raise Unmakeable(parameter.pointer)


def fits(parameter: model.Parameter, value: Any) -> bool:
    shapes = {"array": list, "object": dict}
    if parameter.shape in shapes:
        members = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
        return isinstance(value, shapes[parameter.shape]) and not any(isinstance(m, (list, dict)) for m in members)
    return parameter.shape == "content" or not isinstance(value, (list, dict))


def pieces_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text_of(piece) for pair in value.items() for piece in pair]
    return [text_of(item) for item in value] if isinstance(value, list) else [text_of(value)]


def in_path(parameter: model.Parameter, value: Any) -> str:
    """A path value in its style (OpenAPI 3.1 section 4.8.12.6)."""
    if parameter.shape == "content":
        return quote(orjson.dumps(value).decode(), safe="")
    pieces = [quote(piece, safe="") for piece in pieces_of(value)]
    named = parameter.explode and isinstance(value, dict)
    if named:
        pieces = [f"{name}={member}" for name, member in zip(pieces[::2], pieces[1::2], strict=True)]
    if parameter.style == "matrix":
        separated = pieces if parameter.explode else [",".join(pieces)]
        return "".join(f";{piece}" if named else f";{parameter.name}={piece}" for piece in separated)
    separator = "." if parameter.style == "label" and parameter.explode else ","
    return ("." if parameter.style == "label" else "") + separator.join(pieces)


def add(sent: Sent, parameter: model.Parameter) -> None:
    """Put a required parameter into the request."""
    value = value_of(parameter)
    if parameter.location == "header":
        sent.headers.append((parameter.name, ",".join(pieces_of(value))))
    elif parameter.location == "cookie":
        sent.cookies[parameter.name] = quote(",".join(pieces_of(value)))
    else:
        sent.query += pairs_of(parameter, value)


def pairs_of(parameter: model.Parameter, value: Any) -> list[tuple[str, str]]:
    """A value as the pairs of a query, or of a form, in its style."""
    shapes = {dict: ("object", "content"), list: ("array",)}.get(type(value), ("scalar",))
    parameter = next((reading for reading in parameter.readings if reading.shape in shapes), parameter)
    if parameter.shape == "content":
        return [(parameter.name, orjson.dumps(value).decode())]
    separator = {"pipeDelimited": "|", "spaceDelimited": " "}.get(parameter.style, ",")
    exploded = parameter.explode and parameter.style == "form"
    if parameter.shape == "object" and (exploded or parameter.style == "deepObject"):
        name = "{}" if parameter.style == "form" else parameter.name + "[{}]"
        return [(name.format(key), text_of(member)) for key, member in value.items()]
    if parameter.shape in ("array", "object") and not parameter.explode:
        return [(parameter.name, separator.join(pieces_of(value)))]
    return [(parameter.name, piece) for piece in pieces_of(value)]


def add_credentials(sent: Sent, app: App, operation: model.Operation) -> None:
    schemes = app.specification.security_schemes
    alternatives = [[schemes[need.scheme] for need in alternative] for alternative in operation.security]
    # A request has one Authorization field at most (RFC 9110 section 11.6.2).
    possible = [found for found in alternatives if sum(scheme.type != "apiKey" for scheme in found) < 2]
    if alternatives and not possible:
        raise Unmakeable("the credentials")
    for scheme in possible[0] if possible else ():
        if scheme.type != "apiKey":
            kind = scheme.http_scheme if scheme.type == "http" else "bearer"
            sent.headers.append(("Authorization", f"{kind} any"))
        elif scheme.location == "query":
            sent.query.append((scheme.parameter, "any"))
        elif scheme.location == "cookie":
            sent.cookies[scheme.parameter] = "any"
        else:
            sent.headers.append((scheme.parameter, "any"))


def add_body(sent: Sent, body: model.RequestBody) -> None:
    """The first declared body that can be made; none when it is not required."""
    for media in body.content:
        anything = "text/plain" if media.schema is None else "application/json"
        essence = media.essence.replace("*/*", anything).replace("/*", "/plain")
        sent.content = json_body(media) if is_json(essence) else None
        if sent.content is None and (made := made_body(media, essence)) is not None:
            sent.content, essence = made
        if sent.content is not None:
            sent.headers.append(("Content-Type", essence))
            return
    if body.required:
        raise Unmakeable("the body")


def made_body(media: model.MediaType, essence: str) -> tuple[bytes, str] | None:
    """A body and its Content-Type as the mock mode would make it: for forms, XML, files, and where JSON is hard."""
    book = ExampleBook()
    form = media.reading.forms.get("multipart" if essence.startswith("multipart/") else "urlencoded")
    if form is not None and media.schema is not None and not form.in_order:
        value = sayable(form, book.value(media.name, media.schema), media.schema)
        return None if value is None else form_body(form, value, media, essence)
    made = book.content(media.name, media, essence)
    if is_json(essence) and media.schema is not None and not media.schema.is_valid(orjson.loads(made.octets)):
        return None
    return made.octets, made.media_type


def sayable(form: model.Form, value: Any, schema: Any) -> dict[str, Any] | None:
    """The part of a value that a form can say: no style says how an object inside of another value is written."""
    styled = {parameter.name for parameter in form.pairs}
    if not isinstance(value, dict):
        return None
    deep = {parameter.name for parameter in form.pairs if parameter.style == "deepObject"}
    said: dict[str, Any] = {}
    for name, member in value.items():
        if name in deep and isinstance(member, dict):
            member = {key: each for key, each in member.items() if not isinstance(each, (dict, list))}
            if not member and name not in schema.resolved().get("required", ()):
                continue
        elif any(isinstance(each, dict) for each in (member if isinstance(member, list) and name in styled else ())):
            continue
        elif name in form.parts and isinstance(member, list) and not form.parts[name].many:
            member = member[0]
        if schema.is_valid({**value, **said, name: member}) or name in schema.resolved().get("required", ()):
            said[name] = member
    # Nor does any style say that there is an object without members.
    return said if schema.is_valid(said) and not any(said[name] == {} for name in deep & said.keys()) else None


def form_body(form: model.Form, value: dict[str, Any], media: model.MediaType, essence: str) -> tuple[bytes, str]:
    """A form: members in their style where they have one, else one part, or pair, for each value."""
    styled = {parameter.name: parameter for parameter in form.pairs}
    members: dict[str, Any] = {}
    for name, member in value.items():
        if name in styled:
            for key, text in pairs_of(styled[name], member):
                members.setdefault(key, []).append(text)
        else:
            members[name] = member
    return render(members, essence, media)


def json_body(media: model.MediaType) -> bytes | None:
    if media.schema is None:
        return b'{"any": "value"}'
    written = [media.example] if media.example is not model.MISSING else []
    for value in (*written, *examples(media.schema.bundled())):
        if media.schema.is_valid(value):
            return orjson.dumps(value)
    return None


def request_for(app: App, operation: model.Operation) -> Sent:
    sent = Sent(operation.method, operation.path)
    for parameter in operation.parameters:
        if parameter.location == "path":
            value = sent.values[parameter.name] = value_of(parameter)
            sent.path = sent.path.replace(f"{{{parameter.name}}}", in_path(parameter, value))
        elif parameter.required:
            add(sent, parameter)
    add_credentials(sent, app, operation)
    if operation.request_body is not None:
        add_body(sent, operation.request_body)
    sent.path, _, predicate = sent.path.partition("#")[0].partition("?")
    sent.path = re.sub(r"\{[^}]*\}", "undeclared", sent.path)
    sent.path = quote(sent.path, safe="/%:@!$&'()*+,;=~-._")
    sent.query += [(name, value) for name, _, value in (each.partition("=") for each in predicate.split("&")) if name]
    return sent


# -- the walk


class Recorder:
    """What reached the operation."""

    def before(self, request: Request) -> None:
        self.seen = request.operation.model, request.template, request.path_params


@dataclass
class Tally:
    answered: int = 0
    unmakeable: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    elsewhere: list[tuple[str, str]] = field(default_factory=list)


def literal_first(found: str, wanted: str) -> bool:
    """Whether a template has precedence over another one: more literal characters in the first segment that differs."""
    for one, other in zip(found.split("/"), wanted.split("/"), strict=False):
        if one != other:
            literal, other_literal = (len(re.sub(r"\{[^}]*\}", "", segment)) for segment in (one, other))
            return ("{" not in one and "{" in other) or literal > other_literal
    return False


def send(client: TestClient, sent: Sent) -> TestResponse:
    path = f"{sent.path}?{urlencode(sent.query)}" if sent.query else sent.path
    return client.request(sent.method, path, headers=sent.headers, cookies=sent.cookies, content=sent.content)


def check(client: TestClient, recorder: Recorder, operation: model.Operation, tally: Tally) -> None:
    name = f"{operation.method} {operation.path}"
    try:
        sent = request_for(client.app, operation)
    except Unmakeable as reason:
        tally.unmakeable.append(f"{name}: {reason}")
        return
    response = send(client, sent)
    if not 200 <= response.status < 300:
        tally.wrong.append(f"{name}: {response.status} {response.text[:300]}")
        return
    found, template, values = recorder.seen
    if found is not operation:
        assert literal_first(template, operation.path), (template, operation.path)
        tally.elsewhere.append((operation.path, template))
        return
    expected = {
        **dict.fromkeys(re.findall(r"\{([^}]*)\}", operation.path.partition("?")[0]), "undeclared"),
        **sent.values,
    }
    if values != expected:
        tally.wrong.append(f"{name}: {values} is not {expected}")
        return
    if operation.method != "HEAD":
        echoed = response.json()
        assert (echoed["handler"], echoed["path"]) == (operation.handler, operation.path)
        assert echoed["params"] == expected
    tally.answered += 1


@cache
def walked(path: Path) -> tuple[int, Tally] | None:
    """How many operations a document has and what became of them; None when it is refused."""
    recorder = Recorder()
    endpoints = dict.fromkeys(("health", "ready", "docs", "openapi_json", "openapi_yaml"))
    try:
        app = App(path, config={"endpoints": endpoints}, middleware=[recorder], echo=True)
        operations = [route.model for route in app.routes if route.model is not None]
    except SpecError:
        return None
    tally = Tally()
    with TestClient(app) as client:
        for operation in operations:
            check(client, recorder, operation, tally)
    return len(operations), tally


def test_all_operations_of_github_are_answered_with_the_right_operation_and_values() -> None:
    result = walked(GITHUB)
    assert result is not None
    count, tally = result
    assert (count, tally.answered) == (1223, 1223), (tally.unmakeable, tally.wrong, tally.elsewhere)


@pytest.mark.parametrize("path", documents() if SHARED.is_dir() else [], ids=lambda p: str(p.relative_to(SHARED)))
def test_every_operation_of_a_document_answers_a_request_from_its_own_description(path: Path) -> None:
    result = walked(path)
    if result is None:
        return
    count, tally = result
    assert tally.wrong == []
    assert tally.answered + len(tally.elsewhere) + len(tally.unmakeable) == count


TWO_TYPES = "a string that has to be an integer too, or an object too"
NESTED_FORM = "a form that has to hold an object inside of an object, which no style can say"
# What cannot be asked, and why.
HARD = {
    "POST /anything/and: the credentials": "two Authorization fields at once",
    # `oneOf` of ApplicationApprovedEvent and ApplicationDeniedEvent, both of which are `allOf` the same schema alone:
    # what one accepts the other accepts too, and a discriminator does not change that (OpenAPI 3.1.1 section 4.8.25).
    "POST /anything/potentially-undefined-formData: the body": "one of two schemas that are equal",
    "PUT /anything/quirks/polymorphism: the body": TWO_TYPES,
    "PATCH /anything/quirks/polymorphism: the body": TWO_TYPES,
    "POST /v1/billing_portal/configurations: the body": NESTED_FORM,
    "POST /v1/issuing/cardholders: the body": NESTED_FORM,
    "POST /v1/payment_links: the body": NESTED_FORM,
    "POST /v1/tax/calculations: the body": NESTED_FORM,
}


def test_nearly_all_requests_could_be_made_and_none_went_elsewhere() -> None:
    total: Counter[str] = Counter()
    for result in map(walked, documents()):
        if result is None:
            total["refused documents"] += 1
            continue
        count, tally = result
        assert set(tally.unmakeable) <= HARD.keys()
        assert tally.elsewhere == []
        total.update(documents=1, operations=count, answered=tally.answered, hard=len(tally.unmakeable))
    print(dict(total))
    assert total["answered"] + total["hard"] == total["operations"]
    assert total["documents"] > 200
    assert total["operations"] > 4900
