"""Runtime expressions: the grammar, and what each gives for a request and its answer, held against a slow oracle."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brrtrouter import App, Request, Response
from brrtrouter.errors import ExpressionError
from brrtrouter.outgoing.evaluate import Exchange
from brrtrouter.spec.expressions import parse_expression, parse_template
from brrtrouter.testing import TestClient

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/a/{id}": {
            "post": {
                "operationId": "a",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
                    {"name": "flag", "in": "query", "schema": {"type": "boolean"}},
                ],
                "requestBody": {"content": {"application/json": {}}},
                "responses": {"201": {"description": ""}},
            }
        }
    },
}


def value_of(exchange: Exchange, text: str) -> Any:
    try:
        return exchange.evaluate(parse_template(text))
    except ExpressionError as error:
        return f"! {error}"


def evaluated(texts: list[str], body: Any = None, result: Any = None, query: str = "", **headers: str) -> list[Any]:
    """What each expression gives in the handler of a request; the message of the error where it gives none."""
    found: list[Any] = []

    async def handle(request: Request) -> Any:
        exchange = Exchange(request, result)
        found.extend(value_of(exchange, text) for text in texts)
        return 201, {}

    with TestClient(App(DOCUMENT, {"a": handle})) as client:
        answer = client.post(
            f"/a/7{query}", json=body, headers={name.replace("_", "-"): v for name, v in headers.items()}
        )
        assert answer.status == 201, answer.text
    return found


def test_every_form_of_the_grammar() -> None:
    texts = {
        "$url": "http://testserver/a/7?flag=true&x=y%20z",
        "$method": "POST",
        "$statusCode": 201,
        "$request.header.X-Name": "value",
        "$request.header.x-nAME": "value",
        "$request.query.flag": True,
        "$request.query.x": "y z",
        "$request.path.id": 7,
        "$request.body": {"a/b": [1, {"c~d": None}], "": 5},
        "$request.body#": {"a/b": [1, {"c~d": None}], "": 5},
        "$request.body#/a~1b/1/c~0d": None,
        "$request.body#/": 5,
        "$response.header.location": "/x",
        "$response.header.many": "a, b",
        "$response.body#/id": "n1",
        "id {$request.path.id}, flag {$request.query.flag}, list {$request.body#/a~1b}": (
            'id 7, flag true, list [1,{"c~d":null}]'
        ),
        "{$request.query.x}": "y z",
        "no {expression} in it, and 5 $": "no {expression} in it, and 5 $",
        "": "",
    }
    result = Response(201, {"id": "n1"}, {"Location": "/x", "Many": ["a", "b"]})
    body = {"a/b": [1, {"c~d": None}], "": 5}
    assert evaluated(list(texts), body, result, "?flag=true&x=y%20z", X_Name="value") == list(texts.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$request.header.X-No", "the request has no such header field"),
        ("$request.query.Flag", "the request has no such query parameter"),
        ("$request.path.ID", "the request has no such path parameter"),
        ("$request.body#/x", "there is no 'x'"),
        ("$request.body#/list/01", "there is no '01'"),
        ("$request.body#/list/-1", "there is no '-1'"),
        ("$request.body#/list/2", "there is no '2'"),
        ("$request.body#/list/0/x", "there is no 'x'"),
        ("$response.header.x", "the answer has no such header field"),
        ("$response.body#/id", "the answer has no body"),
    ],
)
def test_what_is_not_there_is_an_error_that_names_the_expression(text: str, words: str) -> None:
    assert evaluated([text], {"list": [1, 2]}, Response(204)) == [f"! {text}: {words}"]


def test_without_an_answer_its_expressions_say_so() -> None:
    texts = ["$statusCode", "$response.header.x", "$response.body"]
    assert evaluated(texts, {}) == [f"! {text}: there is no answer yet; pass it as response=" for text in texts]


def test_a_request_without_a_body_has_no_value_in_it() -> None:
    assert evaluated(["$request.body"]) == ["! $request.body: the request has no body"]


def test_a_stream_is_not_looked_into() -> None:
    async def pieces() -> Any:
        yield b"x"

    stream = Response(200, pieces(), None, "application/json")
    assert evaluated(["$response.body#/a"], {}, stream) == ["! $response.body#/a: the answer is a stream"]


@pytest.mark.parametrize(
    "text",
    ["", "url", "$", "$URL", "$url.x", "$request", "$request.", "$request.headers.x", "$request.header.",
     "$request.header.a b", "$request.body/x", "$request.body#x", "$request.body#/~2", "$request.body#/~",
     "$response.query.x", "$response.path.x", "$statuscode", "$request.cookie.x", " $url"],
)  # fmt: skip
def test_what_the_grammar_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no|cannot be|has no"):
        parse_expression(text)


def test_a_bad_expression_inside_of_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match="is no runtime expression"):
        parse_template("https://a/{$request.url}")


KEYS = st.text(st.sampled_from("ab/~0é{}$ "), max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("aé/", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def places(value: Any, pointer: str = "") -> dict[str, Any]:
    """Every pointer into a value with what is there: the slow way to read one."""
    found = {pointer: value}
    if isinstance(value, dict):
        for key, item in value.items():
            found |= places(item, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for at, item in enumerate(value):
            found |= places(item, f"{pointer}/{at}")
    return found


def is_same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@settings(max_examples=60, deadline=None)
@given(VALUES, VALUES)
def test_pointers_into_bodies_agree_with_a_listing_of_all_places(body: Any, answer: Any) -> None:
    body, answer = {"a": body}, {"b": answer}
    inside = {f"$request.body#{pointer}": value for pointer, value in places(body).items()}
    inside |= {f"$response.body#{pointer}": value for pointer, value in places(answer).items()}
    missing = [f"{text}/none" for text in inside]
    found = evaluated([*inside, *missing], body, (201, answer))
    assert all(is_same(one, other) for one, other in zip(found, inside.values(), strict=False))
    assert all(str(text).startswith("! ") for text in found[len(inside) :])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["$request.path.id", "$method", "$statusCode"]) | st.text("ab{}/$?", max_size=4), max_size=6
    )
)
def test_embedded_expressions_agree_with_replacing_them_one_by_one(pieces: list[str]) -> None:
    values = {"$request.path.id": "7", "$method": "POST", "$statusCode": "204"}
    text = "x" + "".join(f"{{{piece}}}" if piece in values else piece.replace("{$", "") for piece in pieces)
    try:
        template = parse_template(text)
    except ValueError:
        return  # pieces made an expression that is none
    expected = text
    for name, value in values.items():
        expected = expected.replace(f"{{{name}}}", value)
    exchange = Exchange(KNOWN[0], Response(204))
    assert exchange.evaluate(template) == expected
    assert "".join(part if isinstance(part, str) else f"{{{part.text}}}" for part in template.parts) == text


def _a_request() -> list[Request]:
    found: list[Request] = []

    async def keep(request: Request) -> Any:
        found.append(request)
        return 201, {}

    with TestClient(App(DOCUMENT, {"a": keep})) as client:
        client.post("/a/7", json={})
    return found


KNOWN = _a_request()
