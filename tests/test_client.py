"""The runtime of generated clients: what it sends is what a server reads, and what it gives is what was declared."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from brrtrouter import App
from brrtrouter.client import (
    Answer,
    ApiError,
    ApiKey,
    Authorization,
    Call,
    Caller,
    Parameter,
    Payload,
    UnexpectedAnswer,
)
from brrtrouter.testing import running

ARRAY = {"type": "array", "items": {"type": "integer"}}
OBJECT = {"type": "object", "properties": {"a": {"type": "string"}}}
LABEL = Parameter("label", "path", style="label", explode=False, shape="array")
PARAMETERS = [
    (LABEL, [1, 2], ARRAY),
    (Parameter("pipes", "query", style="pipeDelimited", explode=False, shape="array"), [1, 2], ARRAY),
    (Parameter("deep", "query", style="deepObject", shape="object"), {"a": "x&y=ü"}, OBJECT),
    (Parameter("text", "query"), "a b&c", {"type": "string"}),
    (Parameter("X-List", "header", style="simple", explode=False, shape="array"), [3, 4], ARRAY),
    (Parameter("crumb", "cookie"), "x y", {"type": "string"}),
]
SPEC = {
    "openapi": "3.1.0",
    "info": {"title": "Styles", "version": "1"},
    "paths": {
        "/styles/{label}": {
            "get": {
                "operationId": "styles",
                "parameters": [
                    {
                        "name": parameter.name,
                        "in": parameter.location,
                        "required": parameter.location == "path",
                        "style": parameter.style,
                        "explode": parameter.explode,
                        "schema": schema,
                    }
                    for parameter, _, schema in PARAMETERS
                ],
                "responses": {"200": {"description": "echo"}},
            }
        }
    },
}
STYLES = Call("GET", "/styles/{label}", [each[0] for each in PARAMETERS], answers=[Answer("200", "json", Any)])


class Pet(msgspec.Struct):
    name: str


class Problem(msgspec.Struct):
    title: str


class GoneError(ApiError[Problem]):
    """Status 410."""


class Broken(ApiError[str]):
    """Any 5XX."""


PET = Call(
    "POST",
    "/pet",
    payload=Payload("application/json", "json"),
    answers=[
        Answer("200", "json", Pet),
        Answer("204", "none"),
        Answer("410", "json", Problem, GoneError),
        Answer("5XX", "text", error=Broken),
    ],
)


class Schemes(Caller):
    schemes = {"key": ApiKey("query", "k y"), "cookie": ApiKey("cookie", "c"), "user": Authorization("Basic")}  # noqa: RUF012


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(App(SPEC, echo=True)) as server:
        yield server.url


def answering(response: httpx.Response) -> tuple[Schemes, list[httpx.Request]]:
    """A caller whose every request gets that answer, and the requests."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return response

    return Schemes("http://x", http=httpx.Client(transport=httpx.MockTransport(answer))), seen


def test_parameters_of_every_style_arrive_as_they_were_given(url: str) -> None:
    with Caller(url) as caller:
        echoed = caller._call(STYLES, tuple(value for _, value, _ in PARAMETERS))
    assert echoed["params"] == {"label": [1, 2]}
    assert echoed["query"] == {"pipes": [1, 2], "deep": {"a": "x&y=ü"}, "text": "a b&c"}
    assert echoed["headers"]["x-list"] == [3, 4]
    assert echoed["cookies"] == {"crumb": "x y"}


def test_what_is_none_is_not_sent(url: str) -> None:
    with Caller(url) as caller:
        echoed = caller._call(STYLES, ([1], None, None, None, None, None))
    assert (echoed["query"], echoed["cookies"]) == ({}, {})


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_value_that_would_make_another_path_is_refused(value: str) -> None:
    call = Call("GET", "/a/{id}", [Parameter("id", "path", style="simple", explode=False)])
    with pytest.raises(ValueError, match="path parameter 'id'"):
        answering(httpx.Response(200))[0]._call(call, (value,))


def test_a_success_is_its_typed_value() -> None:
    caller, seen = answering(httpx.Response(200, json={"name": "Rex"}))
    assert caller._call(PET, (), Pet("Rex")) == Pet("Rex")
    assert seen[0].content == b'{"name":"Rex"}'
    assert seen[0].headers["content-type"] == "application/json"
    assert answering(httpx.Response(204))[0]._call(PET) is None


def test_what_is_no_success_is_raised_with_its_typed_value() -> None:
    with pytest.raises(GoneError, match="410 Gone of POST http://x/pet") as caught:
        answering(httpx.Response(410, json={"title": "gone"}))[0]._call(PET)
    assert (caught.value.status, caught.value.value) == (410, Problem("gone"))
    with pytest.raises(Broken) as broken:
        answering(httpx.Response(503, text="later"))[0]._call(PET)
    assert broken.value.value == "later"


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (httpx.Response(201), "no such status"),
        (httpx.Response(200, json={"name": 1}), "Expected `str`, got `int`"),
        (httpx.Response(200, text="{"), "truncated"),
        (httpx.Response(500, content=b"\xff"), "utf-8"),
    ],
)
def test_an_answer_that_is_not_as_described_is_told_apart(response: httpx.Response, reason: str) -> None:
    with pytest.raises(UnexpectedAnswer, match=reason) as caught:
        answering(response)[0]._call(PET)
    assert caught.value.value == response.content


def secured(*ways: tuple[str, ...]) -> Call:
    return Call("GET", "/", answers=[Answer("200", "none")], security=ways)


def test_credentials_go_where_their_schemes_say() -> None:
    caller, seen = answering(httpx.Response(200))
    caller._credentials = {"key": "s&c", "cookie": "crumb", "user": ("ada", "pass")}
    caller._call(secured(("key", "cookie", "user")))
    assert seen[0].url.query == b"k%20y=s%26c"
    assert seen[0].headers["cookie"] == "c=crumb"
    assert seen[0].headers["authorization"] == "Basic " + base64.b64encode(b"ada:pass").decode()


def test_the_first_way_with_all_its_credentials_is_taken() -> None:
    caller, seen = answering(httpx.Response(200))
    caller._credentials = {"cookie": "crumb"}
    caller._call(secured(("key", "cookie"), ("cookie",)))
    assert (seen[0].url.query, seen[0].headers["cookie"]) == (b"", "c=crumb")


def test_without_the_credentials_nothing_is_sent() -> None:
    caller, seen = answering(httpx.Response(200))
    with pytest.raises(ValueError, match="needs the credentials 'key' and 'user' or 'cookie'"):
        caller._call(secured(("key", "user"), ("cookie",)))
    assert seen == []
    with pytest.raises(ValueError, match="no security scheme 'kye'; there are key, cookie, user"):
        Schemes("http://x", credentials={"kye": "x"})


def test_an_anonymous_way_needs_no_credentials() -> None:
    caller, seen = answering(httpx.Response(200))
    caller._call(secured(("key",), ()))
    assert len(seen) == 1


def test_the_credential_of_a_scheme_has_its_form() -> None:
    for credentials, match in (({"key": ("a", "b")}, "a text"), ({"user": ("a:b", "c")}, "no colon")):
        caller, _ = answering(httpx.Response(200))
        caller._credentials = credentials
        with pytest.raises(ValueError, match=match):
            caller._call(secured(tuple(credentials)))


def test_a_form_is_written_in_the_styles_of_its_members() -> None:
    fields = [Parameter("deep", "query", style="deepObject", shape="object")]
    call = Call("POST", "/", payload=Payload("application/x-www-form-urlencoded", "form", fields=fields))
    caller, seen = answering(httpx.Response(200))
    caller._call(call, (), {"deep": {"a": 1}, "plain": "x y", "many": [1, 2]})
    assert seen[0].content == b"deep%5Ba%5D=1&plain=x%20y&many=1&many=2"


def test_parts_of_a_multipart_body_are_files_or_fields() -> None:
    caller, seen = answering(httpx.Response(200))
    call = Call("POST", "/", payload=Payload("multipart/form-data", "multipart"))
    caller._call(call, (), {"file": ("a.txt", b"data", "text/plain"), "size": 3, "tags": ["a", "b"]})
    text = seen[0].content.decode()
    assert 'name="file"; filename="a.txt"' in text
    assert text.count('name="tags"\r\n') == 2
    assert 'name="size"\r\n\r\n3\r\n' in text


def test_a_client_of_ones_own_is_not_closed() -> None:
    http = httpx.Client()
    with Caller("http://x", http=http):
        pass
    assert not http.is_closed
    http.close()


def test_without_the_extra_one_line_tells_what_to_install() -> None:
    program = "import sys; sys.modules['httpx'] = None\nimport brrtrouter.client"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "pip install 'brrtrouter[client]'" in run.stderr.splitlines()[-1]


def test_a_server_loads_neither_the_generator_nor_the_client() -> None:
    program = (
        "import sys; from brrtrouter import App; App({'openapi': '3.1.0', 'info': {'title': 'x', 'version': '1'}, "
        "'paths': {}}).service; "
        "print([n for n in sys.modules if n.split('.')[0] in ('msgspec', 'httpx') or 'codegen' in n])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
