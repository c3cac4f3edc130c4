"""What all texts of one message take together when they are held against patterns is bounded, and a fault says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brrtrouter import App, Request, SpecError
from brrtrouter.core.bodies import Outcome, judge
from brrtrouter.errors import Fault
from brrtrouter.spec import work
from brrtrouter.spec.patterns import MAX_REQUEST_WORK, measure_of
from brrtrouter.testing import TestClient

DEAR = "a[ab]{20}[cd]"
# Nothing in its length tells it from a cheap one: it begins at known places, but at very many of them.
ANCHORED = "^(?:[ab]?){50}a[ab]{50}c"
LOOK = 100
TOTAL = 100_000
NOT_DEAR = {"not": {"pattern": DEAR}}


def price(pattern: str, length: int) -> int:
    measure = measure_of(pattern)
    assert measure is not None
    return measure.of(length)


@pytest.fixture(autouse=True)
def done(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each try of a text took, as its pattern and its length tell."""
    tries: list[int] = []
    original = work._check_of

    def check_of(pattern: str) -> Any:
        check = original(pattern)

        def counting(text: object) -> bool:
            assert isinstance(text, str)
            tries.append(price(pattern, len(text)))
            return check(text)

        return counting

    monkeypatch.setattr(work, "_check_of", check_of)
    return tries


def document(operation: dict[str, Any], definitions: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "openapi": "3.2.0",
        "info": {"title": "sums", "version": "1"},
        "components": {"schemas": definitions or {}},
        "paths": {"/t": {"post": {"operationId": "t", "responses": {"200": {"description": ""}}, **operation}}},
    }


def body_of(schema: Any, media_type: str = "application/json", key: str = "schema") -> dict[str, Any]:
    return {"requestBody": {"content": {media_type: {key: schema}}}}


def asked(operation: dict[str, Any], path: str = "/t", definitions: Any = None, **sent: Any) -> list[dict[str, Any]]:
    """The errors of the answer; [] for a request that passes."""
    total = sent.pop("total", TOTAL)
    limits = {"pattern_work_request": total, "query_parameters": 5_000, "request_line": 2**20, "head": 2**21}
    app = App(document(operation, definitions), echo=True, config={"limits": limits})
    with TestClient(app) as client:
        response = client.post(path, **sent)
    if response.status == 200:
        return []
    assert response.status == 400, response.text
    errors: list[dict[str, Any]] = response.json()["errors"]
    assert errors
    return errors


def texts(count: int, length: int = 60) -> list[str]:
    """Different ones without a match."""
    return [format(number, "b").rjust(length, "0").translate({48: "a", 49: "b"}) for number in range(count)]


MANY = texts(200)
FITTING = TOTAL // (price(DEAR, 60) + LOOK)
NESTED = {"type": "object", "properties": {"list": {"$ref": "#/components/schemas/list"}}}
LISTED = {"list": {"type": "array", "items": {"$ref": "#/components/schemas/text"}}, "text": NOT_DEAR}
SHAPES: dict[str, tuple[Any, Any, str]] = {
    "an array": ({"items": NOT_DEAR}, MANY, "/"),
    "members": ({"additionalProperties": NOT_DEAR}, {str(at): text for at, text in enumerate(MANY)}, "/"),
    "names of members": ({"propertyNames": NOT_DEAR}, dict.fromkeys(MANY, 1), ""),
    "references": (NESTED, {"list": MANY}, "/list/"),
    "branches": ({"items": {"oneOf": [NOT_DEAR, {"type": "integer"}, {"pattern": "b[ab]{20}c"}]}}, MANY, "/"),
    "a branch that another one would decide": ({"items": {"anyOf": [{"pattern": DEAR}, True]}}, MANY, "/"),
    "a condition": ({"items": {"if": {"pattern": DEAR}, "then": False}}, MANY, "/"),
    "contains": ({"contains": {"pattern": DEAR}, "minContains": 0}, MANY, "/"),
    "what must not match": ({"not": {"items": {"pattern": DEAR}}}, ["cd" * 20, *MANY], "/"),
    "an anchored pattern": ({"items": {"not": {"pattern": ANCHORED}}}, texts(50), "/"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_texts_of_a_body_are_one_sum(name: str, done: list[int]) -> None:
    schema, value, within = SHAPES[name]
    if name == "what must not match":
        value = value[1:]
        schema = {"not": {"contains": {"pattern": DEAR}}}
    *others, last = asked(body_of(schema), definitions=LISTED, json=value)
    assert others == []
    assert (last["location"], last["keyword"]) == ("body", "limit")
    assert last["pointer"].startswith(within)
    assert last["message"].startswith("the texts take too much work to be held against '")
    assert sum(done) <= TOTAL
    assert max(done) > 0


@pytest.mark.parametrize("name", SHAPES)
def test_the_same_body_passes_where_the_sum_may_be_larger(name: str, done: list[int]) -> None:
    schema, value, _ = SHAPES[name]
    assert asked(body_of(schema), definitions=LISTED, json=value, total=MAX_REQUEST_WORK) == []
    assert sum(done) <= MAX_REQUEST_WORK


def parameter(name: str, schema: Any, place: str = "query") -> dict[str, Any]:
    return {"name": name, "in": place, "schema": schema}


def test_parameters_and_body_are_one_sum(done: list[int]) -> None:
    half = texts(12, 100)
    operation = {
        "parameters": [parameter(f"q{at}", {"type": "string", **NOT_DEAR}) for at in range(len(half))],
        **body_of({"items": NOT_DEAR}),
    }
    query = "&".join(f"q{at}={text}" for at, text in enumerate(half))
    assert asked(operation, f"/t?{query}", json=[]) == []
    assert asked(operation, json=texts(12, 101)) == []
    done.clear()
    [error] = asked(operation, f"/t?{query}", json=texts(12, 101))
    assert (error["location"], error["keyword"]) == ("body", "limit")
    assert sum(done) <= TOTAL


@pytest.mark.parametrize("place", ["query", "header", "cookie"])
def test_many_parameters_are_one_sum(place: str, done: list[int]) -> None:
    sent = texts(60)
    operation = {"parameters": [parameter(f"p{at}", {"type": "string", **NOT_DEAR}, place) for at in range(60)]}
    pairs = [(f"p{at}", text) for at, text in enumerate(sent)]
    joined = {"query": "&", "cookie": "; "}.get(place, "").join(f"{name}={text}" for name, text in pairs)
    headers = dict(pairs) if place == "header" else {"Cookie": joined} if place == "cookie" else {}
    errors = asked(operation, f"/t?{joined}" if place == "query" else "/t", headers=headers)
    assert {(error["location"], error["keyword"]) for error in errors} == {(place, "limit")}
    assert errors[0]["pointer"] == f"/p{FITTING}"
    assert sum(done) <= TOTAL


def test_an_exploded_list_is_one_sum(done: list[int]) -> None:
    operation = {"parameters": [parameter("q", {"type": "array", "items": {"type": "string", **NOT_DEAR}})]}
    [error] = asked(operation, "/t?" + "&".join(f"q={text}" for text in MANY))
    assert (error["pointer"], error["keyword"]) == (f"/q/{FITTING}", "limit")
    assert sum(done) <= TOTAL


def test_items_of_a_sequence_are_one_sum(done: list[int]) -> None:
    operation = body_of(NOT_DEAR, "application/jsonl", "itemSchema")
    lines = "".join(json.dumps(text) + "\n" for text in MANY)
    errors = asked(operation, content=lines.encode(), headers={"Content-Type": "application/jsonl"})
    assert (errors[0]["pointer"], errors[0]["keyword"]) == (f"/{FITTING}", "limit")
    assert sum(done) <= TOTAL


def test_the_members_of_a_form_are_one_sum(done: list[int]) -> None:
    schema = {"type": "object", "properties": {"t": {"type": "array", "items": {"type": "string", **NOT_DEAR}}}}
    sent = "&".join(f"t={quote(text)}" for text in MANY).encode()
    form = "application/x-www-form-urlencoded"
    [error] = asked(body_of(schema, form), content=sent, headers={"Content-Type": form})
    assert (error["pointer"], error["keyword"]) == (f"/t/{FITTING}", "limit")
    assert sum(done) <= TOTAL


def test_each_request_has_the_whole_sum() -> None:
    app = App(document(body_of({"items": NOT_DEAR})), echo=True, config={"limits": {"pattern_work_request": TOTAL}})
    with TestClient(app) as client:
        assert [client.post("/t", json=value).status for value in (MANY, MANY[:FITTING], MANY, MANY[:FITTING])] == [
            400,
            200,
            400,
            200,
        ]


def test_telling_what_is_wrong_is_part_of_the_sum(done: list[int]) -> None:
    schema = {"items": {"properties": {"n": {"type": "integer"}, "t": NOT_DEAR}}}
    wrong = [{"n": "x", "t": text} for text in MANY]
    errors = asked(body_of(schema), json=wrong)
    assert [error["keyword"] for error in errors] == ["type"] * (len(errors) - 1) + ["limit"]
    assert 20 < len(errors) <= FITTING + 2
    assert sum(done) <= TOTAL


def test_what_was_tried_is_not_tried_again_to_tell_what_is_wrong(done: list[int]) -> None:
    schema = {"items": {"properties": {"t": NOT_DEAR, "n": {"type": "integer"}}}}
    value = [*({"t": text} for text in MANY[:FITTING]), {"n": "x"}]
    [error] = asked(body_of(schema), json=value)
    assert (error["pointer"], error["keyword"]) == (f"/{FITTING}/n", "type")
    assert done == [price(DEAR, 60)] * FITTING


def test_the_place_is_told_where_the_work_ended_while_faults_are_told(done: list[int]) -> None:
    schema = {"items": {"properties": {"n": {"type": "integer"}, "t": NOT_DEAR}}}
    value = [{"n": "x", "t": MANY[0]}, *({"n": 1, "t": text} for text in MANY)]
    first, last = asked(body_of(schema), json=value)
    assert (first["pointer"], first["keyword"]) == ("/0/n", "type")
    # One look more: the first text stands there twice, and was tried before.
    assert (last["pointer"], last["keyword"]) == (f"/{FITTING + 1}/t", "limit")


def test_once_the_work_is_spent_no_other_value_with_texts_is_valid() -> None:
    app = App(document(body_of({"items": {"pattern": DEAR}})), echo=True)
    body = app.specification.operations[0].request_body
    assert body is not None
    schema = body.content[0].schema
    assert schema is not None
    good = [f"{text}c" for text in MANY]
    with work.opened(TOTAL):
        assert not schema.is_valid(good)
        assert not schema.is_valid(good[:1])
        assert [fault.keyword for fault in schema.faults(good[:1])] == ["limit"]
        assert schema.is_valid([])
    assert schema.is_valid(good)


def test_a_sum_that_is_spent_on_what_stands_in_for_a_file_is_told(done: list[int]) -> None:
    file = {"type": "string", "contentMediaType": "image/png", "contentEncoding": "base64", **NOT_DEAR}
    schema = {"type": "object", "properties": {"t": {"type": "array", "items": {"type": "string"}}, "f": file}}
    app = App(document(body_of(schema)), echo=True)
    body = app.specification.operations[0].request_body
    assert body is not None
    described = body.content[0].schema
    assert described is not None
    value = {"f": "b" * 60}
    with work.opened(1_000):
        [fault] = judge(described, Outcome(value, value, exempt=frozenset({"/f"})))
    assert (fault.pointer, fault.keyword) == ("/f", "limit")


def test_a_text_that_is_too_long_is_no_consent_below_not() -> None:
    longest = measure_of(DEAR).longest  # type: ignore[union-attr]
    assert longest is not None
    [error] = asked(body_of({"properties": {"t": NOT_DEAR}}), json={"t": "b" * (longest + 1)}, total=MAX_REQUEST_WORK)
    assert (error["pointer"], error["keyword"]) == ("/t", "pattern")
    assert error["message"] == f"value has more than the {longest:,} characters that are held against this pattern"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_sum_is_what_an_oracle_counts(data: st.DataObject) -> None:
    total = data.draw(st.integers(5_000, 60_000))
    sent = data.draw(st.lists(st.text("ab", max_size=80).map(lambda text: text + "c"), max_size=40))
    left, seen, spent = total, set(), None
    for at, text in enumerate(sent):
        left -= LOOK + (0 if text in seen else price(DEAR, len(text)))
        seen.add(text)
        if left < 0:
            spent = at
            break
    app = CHECKED.setdefault(0, App(document(body_of({"items": NOT_DEAR})), echo=True))
    schema = app.specification.operations[0].request_body.content[0].schema  # type: ignore[union-attr]
    assert schema is not None
    compiled = schema.compiled()
    valid = not any(len(text) > 21 and "a" in text[:-21] and text[-22] == "a" for text in sent)
    with work.opened(total):
        accepted = compiled(sent)
        faults = schema.faults(sent)
    if spent is None:
        assert accepted == valid
    else:
        assert not accepted
        if valid:
            [fault] = faults
            # A text that stands there twice is named where it stands first.
            assert fault.pointer == f"/{sent.index(sent[spent])}"
            assert fault.keyword == "limit"


CHECKED: dict[int, App] = {}


def test_answers_are_one_sum(done: list[int], caplog: pytest.LogCaptureFixture) -> None:
    content = {"application/json": {"schema": {"items": NOT_DEAR}}}
    responses = {"200": {"description": "", "content": content}}

    def t(request: Request) -> Any:
        return MANY

    app = App(
        document({"responses": responses}),
        {"t": t},
        response_validation="enforce",
        config={"limits": {"pattern_work_request": TOTAL}},
    )
    with TestClient(app) as client:
        assert client.post("/t").status == 500
    [record] = [record for record in caplog.records if hasattr(record, "faults")]
    [fault] = record.faults
    assert (fault["pointer"], fault["keyword"]) == (f"/{FITTING}", "limit")
    assert sum(done) <= TOTAL


def test_a_message_that_is_sent_is_one_sum(done: list[int]) -> None:
    from brrtrouter.errors import BrrtError
    from brrtrouter.outgoing.message import compose

    operation = {
        "parameters": [parameter(f"q{at}", {"type": "string", **NOT_DEAR}) for at in range(12)],
        **body_of({"items": NOT_DEAR}),
    }
    app = App(document(operation), echo=True, config={"limits": {"pattern_work_request": TOTAL}})
    described = app.specification.operations[0]
    given_values = {f"q{at}": text for at, text in enumerate(texts(12, 100))}
    compose("the message", described, texts(12, 101), {}, None, None)
    done.clear()
    with pytest.raises(BrrtError) as caught:
        compose("the message", described, texts(12, 101), given_values, None, None)
    faults: list[Fault] = caught.value.faults  # type: ignore[attr-defined]
    assert [fault.keyword for fault in faults] == ["limit"]
    assert sum(done) <= TOTAL


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"pattern": "(?=[ab]*a[ab]{200}c)a"}, "steps with 256 characters; up to 10,000,000 are done for a request"),
        ({"patternProperties": {ANCHORED: True}}, "there may be names of any length and number"),
    ],
)
def test_a_pattern_that_no_sum_has_room_for_is_refused_at_start(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        asked(body_of(schema), total=MAX_REQUEST_WORK, json={})
    [issue] = caught.value.issues
    assert issue.kind == "InvalidSchema"
    assert said in issue.message


def schemas_with(levels: int, **shape: Any) -> Iterator[tuple[str, Any]]:
    for at in range(levels):
        yield f"L{at}", json.loads(json.dumps(shape).replace("NEXT", f"#/components/schemas/L{at + 1}"))
    yield f"L{levels}", {"type": "string"}


NEXT = {"$ref": "NEXT"}
MULTIPLYING: dict[str, dict[str, Any]] = {
    "anyOf": {"anyOf": [NEXT, NEXT]},
    "allOf": {"allOf": [NEXT, NEXT]},
    "if": {"if": NEXT, "then": NEXT, "else": NEXT},
    "a member": {"anyOf": [{"properties": {"x": NEXT}}, {"properties": {"x": NEXT}}]},
    "other members": {"anyOf": [{"additionalProperties": NEXT}, {"properties": {"x": NEXT}}]},
    "items": {"oneOf": [{"items": NEXT}, {"contains": NEXT}]},
}


@pytest.mark.parametrize("name", MULTIPLYING)
def test_branches_that_multiply_through_references_are_refused_at_start(name: str) -> None:
    schema = {"$ref": "#/components/schemas/L0"}
    assert asked(body_of(schema), definitions=dict(schemas_with(6, **MULTIPLYING[name])), json=1) is not None
    with pytest.raises(SpecError) as caught:
        asked(body_of(schema), definitions=dict(schemas_with(40, **MULTIPLYING[name])), json=1)
    [issue] = caught.value.issues
    assert issue.kind == "InvalidSchema"
    assert "its branches multiply" in issue.message


def test_references_that_come_back_do_not_multiply() -> None:
    node = {"anyOf": [{"properties": {"x": {"$ref": "#/components/schemas/N"}, side: False}} for side in "ab"]}
    value: Any = {"a": 1, "b": 1}
    for _ in range(60):
        value = {"x": value}
    errors = asked(body_of({"$ref": "#/components/schemas/N"}), definitions={"N": node}, json=value)
    assert errors


def test_a_long_chain_of_references_is_counted_without_recursion() -> None:
    chain = dict(schemas_with(5_000, properties={"x": NEXT}))
    assert asked(body_of({"$ref": "#/components/schemas/L0"}), definitions=chain, json={"x": {}}) == []
