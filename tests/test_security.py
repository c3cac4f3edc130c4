"""Security requirements: OpenAPI 3.1 sections 4.8.2, 4.8.27 and 4.8.30; RFC 9110 sections 11.6.1 and 15.5."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from brrtrouter import App, ConfigError, Request
from brrtrouter.policy import security
from brrtrouter.policy.security import ApiKeyProvider, Denial, Principal
from brrtrouter.testing import TestClient, TestResponse

KEY_A, KEY_B = "key-of-a", "key-of-b"
SCHEMES: dict[str, Any] = {
    "A": {"type": "apiKey", "in": "header", "name": "X-A"},
    "B": {"type": "apiKey", "in": "query", "name": "b"},
}
CONFIG = {"security": {"api_keys": {"A": {"key": KEY_A}, "B": {"key": KEY_B}}}}
CHALLENGES = {"A": 'ApiKey in="header", name="X-A"', "B": 'ApiKey in="query", name="b"'}
Alternative = tuple[str, ...]


@pytest.fixture(autouse=True)
def _no_keys_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRRTR_API_KEY", raising=False)


def document(paths: dict[str, Any], schemes: dict[str, Any] = SCHEMES, **more: Any) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": paths,
        "components": {"securitySchemes": schemes},
        **more,
    }


def operation(requirements: Sequence[dict[str, list[str]]] | None, **more: Any) -> dict[str, Any]:
    found = {"x-handler-name": "op", "responses": {"200": {"description": ""}}, **more}
    return found if requirements is None else {**found, "security": list(requirements)}


async def show(request: Request) -> Any:
    """What security left in the request, as JSON."""
    auth = request.auth
    return {"auth": None if auth is None else {name: sorted(who.scopes) for name, who in auth.items()}}


def client(requirements: Any, schemes: dict[str, Any] = SCHEMES, **providers: Any) -> TestClient:
    doc = document({"/x": {"get": operation(requirements)}}, schemes)
    return TestClient(App(doc, {"op": show}, CONFIG, security=providers))


class Provider:
    """Answers what it was made with; remembers that it was asked."""

    def __init__(self, verdict: Any) -> None:
        self.verdict = verdict
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def authenticate(self, request: Request, scheme: Any, scopes: Sequence[str]) -> Any:
        self.asked.append((scheme.name, tuple(scopes)))
        if isinstance(self.verdict, BaseException):
            raise self.verdict
        return self.verdict


class Inline(Provider):
    async def authenticate(self, request: Request, scheme: Any, scopes: Sequence[str]) -> Any:
        return super().authenticate(request, scheme, scopes)


class Suspending(Provider):
    async def authenticate(self, request: Request, scheme: Any, scopes: Sequence[str]) -> Any:
        await asyncio.sleep(0)
        return super().authenticate(request, scheme, scopes)


KINDS = (Provider, Inline, Suspending)
MISSING, INVALID, SCOPE = Denial("missing", "M"), Denial("invalid", "I"), Denial("scope", "S")


# -- the truth table: every OR of ANDs over two schemes, against what the sections say

ALTERNATIVES: list[Alternative] = [(), ("A",), ("B",), ("A", "B")]
LISTS = [found for size in range(5) for found in itertools.permutations(ALTERNATIVES, size)]
STATES = list(itertools.product(("absent", "valid", "invalid"), repeat=2))


def expected(wanted: Sequence[Alternative], states: dict[str, str]) -> tuple[int, Any, list[str]]:
    """Status, request.auth and challenges by the plain words of the specification."""
    if not any(wanted):
        return 200, None, []
    for alternative in wanted:
        if alternative and all(states[name] == "valid" for name in alternative):
            return 200, {name: [] for name in alternative}, []
    named = {name for alternative in wanted for name in alternative}
    if () in wanted and not any(states[name] == "invalid" for name in named):
        return 200, {}, []
    challenges = []
    for alternative in filter(None, wanted):
        bad = [name for name in alternative if states[name] == "invalid"]
        challenges.append(CHALLENGES[(bad or [name for name in alternative if states[name] == "absent"])[0]])
    return 401, None, list(dict.fromkeys(challenges))


def send(target: TestClient, path: str, states: dict[str, str]) -> TestResponse:
    sent = {name: {"valid": key, "invalid": key + "x"}.get(states[name]) for name, key in (("A", KEY_A), ("B", KEY_B))}
    headers = {} if sent["A"] is None else {"X-A": sent["A"]}
    return target.get(path, headers=headers, params={} if sent["B"] is None else {"b": sent["B"]})


def challenges_of(response: TestResponse) -> list[str]:
    lines = response.raw.decode().partition("\r\n\r\n")[0].split("\r\n")
    return [line.partition(": ")[2] for line in lines if line.startswith("WWW-Authenticate: ")]


def check_table(target: TestClient, path: str, wanted: Sequence[Alternative]) -> None:
    for state in STATES:
        states = dict(zip(("A", "B"), state, strict=True))
        response = send(target, path, states)
        status, auth, challenges = expected(wanted, states)
        assert response.status == status, (wanted, states)
        assert challenges_of(response) == challenges, (wanted, states)
        if status == 200:
            assert response.json() == {"auth": auth}, (wanted, states)
        else:
            detail = "a credential is needed" if "invalid" not in relevant(wanted, states) else "is not valid"
            assert detail in response.json()["detail"]


def relevant(wanted: Sequence[Alternative], states: dict[str, str]) -> set[str]:
    return {states[name] for alternative in wanted for name in alternative}


def objects(wanted: Sequence[Alternative]) -> list[dict[str, list[str]]]:
    return [{name: [] for name in alternative} for alternative in wanted]


def test_the_truth_table_of_every_requirement_of_an_operation() -> None:
    paths = {f"/{number}": {"get": operation(objects(wanted))} for number, wanted in enumerate(LISTS)}
    target = TestClient(App(document(paths, security=[{"A": [], "B": []}]), {"op": show}, CONFIG))
    for number, wanted in enumerate(LISTS):
        check_table(target, f"/{number}", wanted)


@pytest.mark.parametrize("wanted", LISTS, ids=str)
def test_the_truth_table_of_every_requirement_that_is_inherited(wanted: Sequence[Alternative]) -> None:
    paths = {"/inherits": {"get": operation(None)}, "/switched-off": {"get": operation([])}}
    target = TestClient(App(document(paths, security=objects(wanted)), {"op": show}, CONFIG))
    check_table(target, "/inherits", wanted)
    check_table(target, "/switched-off", [])


# -- where keys are

PLACES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("header", {"headers": {"x-KEY": "k1"}}, {"headers": {"x-key": "k2"}}),
    ("query", {"params": {"X-Key": "k1"}}, {"params": {"X-Key": "k2"}}),
    ("cookie", {"cookies": {"X-Key": "k1"}}, {"cookies": {"X-Key": "k2"}}),
]


@pytest.mark.parametrize(("place", "good", "bad"), PLACES)
def test_a_key_is_found_where_the_scheme_says_and_nowhere_else(
    place: str, good: dict[str, Any], bad: dict[str, Any]
) -> None:
    schemes = {"K": {"type": "apiKey", "in": place, "name": "X-Key"}}
    target = client([{"K": []}], schemes, K=ApiKeyProvider("k1"))
    assert target.get("/x", **good).status == 200
    assert target.get("/x", **bad).status == 401
    for other, elsewhere, _ in PLACES:
        assert target.get("/x", **elsewhere).status == (200 if other == place else 401)


@pytest.mark.parametrize(("sent", "status"), [("k%31", 200), ("k1&X-Key=k1", 401), ("k1&X-Key=other", 401), ("", 401)])
def test_a_key_in_the_query_is_decoded_and_given_once(sent: str, status: int) -> None:
    schemes = {"K": {"type": "apiKey", "in": "query", "name": "X-Key"}}
    assert client([{"K": []}], schemes, K=ApiKeyProvider("k1")).get(f"/x?X-Key={sent}").status == status


@pytest.mark.parametrize("place", ["header", "cookie", "query"])
def test_a_key_may_be_any_text(place: str) -> None:
    key = "schlüssel-☃"
    schemes = {"K": {"type": "apiKey", "in": place, "name": "k"}}
    target = client([{"K": []}], schemes, K=ApiKeyProvider(key))
    octets = key.encode().decode("latin-1")
    sent = {"header": {"headers": {"k": octets}}, "cookie": {"cookies": {"k": octets}}, "query": {"params": {"k": key}}}
    assert target.get("/x", **sent[place]).status == 200  # type: ignore[arg-type]


def test_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(given: bytes, key: bytes) -> bool:
        compared.append((given, key))
        return hmac.compare_digest(given, key)

    monkeypatch.setattr(security, "hmac", type("Spy", (), {"compare_digest": staticmethod(compare)}))
    target = client([{"A": []}])
    assert target.get("/x", headers={"X-A": "nearly"}).status == 401
    assert target.get("/x", headers={"X-A": KEY_A}).status == 200
    # Not the keys: hashes of one length, whatever was sent.
    assert [len(each) for pair in compared for each in pair] == [32] * 4
    assert [given == known for given, known in compared] == [False, True]


# -- providers


@pytest.mark.parametrize("kind", KINDS)
def test_providers_may_be_plain_or_async_and_suspend_or_not(kind: type[Provider]) -> None:
    granted = kind(Principal("me", frozenset({"read"}), {"sub": "me"}))
    target = client([{"A": [], "B": []}], A=granted, B=ApiKeyProvider(KEY_B))
    response = target.get("/x", params={"b": KEY_B})
    assert response.json() == {"auth": {"A": ["read"], "B": []}}
    assert target.get("/x").status == 401
    assert granted.asked == [("A", ())] * 2


@pytest.mark.parametrize("kinds", list(itertools.product(KINDS, repeat=2)))
@pytest.mark.parametrize("first", [Principal("a"), MISSING, INVALID, SCOPE])
@pytest.mark.parametrize("second", [Principal("b"), MISSING, INVALID, SCOPE])
def test_all_mixes_of_kinds_of_providers_decide_the_same(
    kinds: tuple[type[Provider], type[Provider]], first: Any, second: Any
) -> None:
    response = client([{"A": []}, {"B": []}, {}], A=kinds[0](first), B=kinds[1](second)).get("/x")
    verdicts = (first, second)
    if Principal in map(type, verdicts):
        assert response.status == 200
        assert list(response.json()["auth"]) == ["A" if type(first) is Principal else "B"]
    elif verdicts == (MISSING, MISSING):
        assert response.json() == {"auth": {}}
    elif SCOPE in verdicts:
        assert (response.status, challenges_of(response)) == (403, ["S"])
    else:
        assert response.status == 401
        assert challenges_of(response) == list(dict.fromkeys(denial.challenge for denial in verdicts))


def test_scopes_reach_the_provider_and_lacking_ones_are_403() -> None:
    schemes = {"O": {"type": "oauth2", "flows": {}}}
    asked = Provider(SCOPE)
    response = client([{"O": ["read", "write"]}], schemes, O=asked).get("/x")
    assert asked.asked == [("O", ("read", "write"))]
    assert response.status == 403
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"].endswith("/forbidden")
    assert challenges_of(response) == ["S"]


def test_a_provider_is_asked_once_for_the_same_scheme_and_scopes() -> None:
    a, b = Provider(Principal("a")), Provider(MISSING)
    assert client([{"A": [], "B": []}, {"A": []}, {"B": []}], A=a, B=b).get("/x").json() == {"auth": {"A": []}}
    assert a.asked == [("A", ())]
    assert b.asked == [("B", ())]


def test_providers_of_alternatives_after_the_satisfied_one_are_not_asked() -> None:
    b = Provider(Principal("b"))
    assert client([{}, {"A": []}, {"B": []}], A=Provider(Principal("a")), B=b).get("/x").json() == {"auth": {"A": []}}
    assert b.asked == []


# -- failing closed

GARBAGE: list[Any] = [True, False, None, "Principal", 1, {}, [Principal()], Principal, object(), iter([Principal()])]
FAILURES: list[Any] = [*GARBAGE, ValueError("boom"), StopIteration(Principal()), LookupError(), RuntimeError()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("failure", FAILURES, ids=repr)
@pytest.mark.parametrize("wanted", [[{"A": []}], [{"A": []}, {}], [{"A": [], "B": []}, {}]], ids=str)
def test_a_provider_that_fails_or_answers_nonsense_refuses(
    kind: type[Provider], failure: Any, wanted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    target = client(wanted, A=kind(failure))
    with caplog.at_level(logging.ERROR, "brrtrouter.security"):
        response = target.get("/x", params={"b": KEY_B})
    assert response.status == 401
    assert challenges_of(response) == [CHALLENGES["A"]]
    assert "the provider of the security scheme 'A' failed" in caplog.text


def test_a_plain_function_that_returns_a_coroutine_that_suspends_refuses(caplog: pytest.LogCaptureFixture) -> None:
    class Hidden(Provider):
        def authenticate(self, request: Request, scheme: Any, scopes: Sequence[str]) -> Any:
            return Suspending(Principal()).authenticate(request, scheme, scopes)

    assert client([{"A": []}], A=Hidden(None)).get("/x").status == 401
    assert "suspended" in caplog.text


def test_one_alternative_that_fails_does_not_keep_another_from_accepting() -> None:
    target = client([{"A": []}, {"B": []}], A=Provider(ValueError()))
    assert target.get("/x", params={"b": KEY_B}).json() == {"auth": {"B": []}}


def test_schemes_that_nobody_verifies_refuse_to_start_all_at_once_naming_the_keys_to_set() -> None:
    schemes = {
        **SCHEMES,
        "my-key": {"type": "apiKey", "in": "cookie", "name": "c"},
        "Token": {"type": "http", "scheme": "bearer"},
        "unused": {"type": "mutualTLS"},
    }
    wanted = [{"A": []}, {"my-key": [], "Token": []}]
    app = App(document({"/x": {"get": operation(wanted)}}, schemes), {"op": show})
    with pytest.raises(ConfigError) as refused:
        _ = app.service
    lines = str(refused.value).split("; ")
    assert len(lines) == 3
    assert "'Token' (http) of document has no provider: set security.jwks.Token.jwks_url in " in lines[1]
    assert "the configuration, or pass one as App(security={'Token': provider})" in lines[1]
    assert "set security.api_keys.A.key in the configuration, or BRRTR_API_KEY__A" in lines[0]
    assert "set security.api_keys.my-key.key in the configuration, or BRRTR_API_KEY__MY_KEY" in lines[2]


def test_a_scheme_that_no_visible_operation_needs_needs_no_provider() -> None:
    doc = document({"/x": {"get": operation([])}, "/health": {"get": operation([{"A": []}])}}, security=[{"A": []}])
    assert TestClient(App(doc, {"op": show})).get("/x").json() == {"auth": None}


@pytest.mark.parametrize("echo", [True, False])
def test_a_provider_for_a_scheme_that_is_not_there_refuses_to_start(echo: bool) -> None:
    app = App(document({"/x": {"get": operation([{"A": []}])}}), config=CONFIG, security={"a": Provider(1)}, echo=echo)
    with pytest.raises(ConfigError, match="has no security scheme 'a'; it has 'A', 'B'"):
        _ = app.service


def test_an_object_that_cannot_authenticate_refuses_to_start() -> None:
    app = App(document({"/x": {"get": operation([{"A": []}])}}), {"op": show})
    app.add_security("A", object())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="the provider of the security scheme 'A' has no method authenticate"):
        _ = app.service


def test_a_provider_cannot_be_added_after_the_start() -> None:
    app = App(document({"/x": {"get": operation([{"A": []}])}}), {"op": show})
    app.add_security("A", Provider(Principal()))
    assert TestClient(app).get("/x").status == 200
    with pytest.raises(ConfigError, match="after the app has started"):
        app.add_security("B", Provider(Principal()))


# -- the environment


@pytest.mark.parametrize("variable", ["BRRTR_API_KEY__APIKEYAUTH", "BRRTR_API_KEY"])
def test_the_environment_configures_a_scheme(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "from-outside")
    schemes = {"ApiKeyAuth": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
    target = TestClient(App(document({"/x": {"get": operation([{"ApiKeyAuth": []}])}}, schemes), {"op": show}))
    assert target.get("/x", headers={"X-API-Key": "from-outside"}).status == 200
    assert target.get("/x", headers={"X-API-Key": "other"}).status == 401


def test_the_environment_gives_no_key_to_schemes_of_other_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRRTR_API_KEY", "from-outside")
    schemes = {"Token": {"type": "http", "scheme": "bearer"}}
    with pytest.raises(ConfigError, match="Token"):
        _ = App(document({"/x": {"get": operation([{"Token": []}])}}, schemes), {"op": show}).service


def test_no_secret_is_in_a_message_a_repr_or_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    secret = "do-not-show"
    config = {"security": {"api_keys": {"A": {"key": secret}}}}
    app = App(document({"/x": {"get": operation([{"A": []}])}}), {"op": show}, config)
    response = TestClient(app).get("/x", headers={"X-A": "guess-1"})
    shown = [
        repr(app.config),
        repr(app.routes),
        repr(vars(ApiKeyProvider(secret)).keys()),
        repr(ApiKeyProvider(secret)),
    ]
    for text in (*shown, response.raw.decode(), caplog.text):
        assert secret not in text
        assert "guess-1" not in text
    app = App(document({"/x": {"get": operation([{"A": [], "B": []}])}}), {"op": show}, config)
    with pytest.raises(ConfigError) as refused:
        _ = app.service
    assert secret not in str(refused.value)


# -- the order of checks


def guarded(**more: Any) -> TestClient:
    parameters = [{"name": "n", "in": "query", "required": True, "schema": {"type": "integer"}}]
    body = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    post = operation([{"A": []}], parameters=parameters, requestBody=body)
    return TestClient(App(document({"/x": {"post": post}}), {"op": show}, CONFIG, **more))


@pytest.mark.parametrize(
    ("path", "content", "media_type"),
    [
        ("/x?n=1", '{"ok": 1}', "application/json"),
        ("/x?n=one", "{}", "application/json"),
        ("/x", "", "application/json"),
        ("/x?n=1", "{not JSON", "application/json"),
        ("/x?n=1", "[]", "application/json"),
        ("/x?n=1", "<a/>", "application/xml"),
    ],
)
def test_401_comes_before_all_that_is_wrong_with_the_values(path: str, content: str, media_type: str) -> None:
    target = guarded()
    headers = {"Content-Type": media_type}
    assert target.post(path, content=content, headers=headers).status == 401
    allowed = target.post(path, content=content, headers={**headers, "X-A": KEY_A}).status
    assert allowed == (200 if content == '{"ok": 1}' else 415 if media_type == "application/xml" else 400)


def test_404_and_405_come_before_401() -> None:
    assert guarded().get("/y").status == 404
    response = guarded().get("/x")
    assert (response.status, response.headers["allow"]) == (405, "OPTIONS, POST")


def test_head_needs_what_get_needs() -> None:
    target = client([{"A": []}])
    assert target.head("/x").status == 401
    assert target.head("/x", headers={"X-A": KEY_A}).status == 200


def test_refusals_are_problems_that_nobody_stores() -> None:
    response = client([{"A": []}]).get("/x")
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "https://microscaler.dev/problems/unauthorized",
        "title": "Unauthorized",
        "status": 401,
        "detail": "a credential is needed",
    }


def test_a_name_in_a_challenge_is_quoted() -> None:
    schemes = {"K": {"type": "apiKey", "in": "query", "name": 'a"b\\c\r\nX: ü'}}
    response = client([{"K": []}], schemes, K=ApiKeyProvider("k")).get("/x")
    assert challenges_of(response) == ['ApiKey in="query", name="a\\"b\\\\c??X: ?"']


# -- the presence of a credential is enough for the echo handler

PRESENT: list[tuple[dict[str, Any], str, dict[str, Any], dict[str, Any]]] = [
    (SCHEMES["A"], CHALLENGES["A"], {"headers": {"x-a": "any"}}, {"headers": {"x-a": ""}}),
    (SCHEMES["B"], CHALLENGES["B"], {"params": {"b": "any"}}, {"params": {"b": ""}}),
    (
        {"type": "apiKey", "in": "cookie", "name": "c"},
        'ApiKey in="cookie", name="c"',
        {"cookies": {"c": "any"}},
        {"cookies": {"d": "any"}},
    ),
    (
        {"type": "http", "scheme": "Bearer"},
        'Bearer realm="api"',
        {"headers": {"Authorization": "bEARER any"}},
        {"headers": {"Authorization": "Bearer "}},
    ),
    (
        {"type": "http", "scheme": "basic"},
        'Basic realm="api"',
        {"headers": {"Authorization": "Basic YTpi"}},
        {"headers": {"Authorization": "Bearer YTpi"}},
    ),
    (
        {"type": "oauth2", "flows": {}},
        'Bearer realm="api"',
        {"headers": {"Authorization": "Bearer any"}},
        {"headers": {"Authorization": "Basic any"}},
    ),
    (
        {"type": "openIdConnect", "openIdConnectUrl": "https://id.example"},
        'Bearer realm="api"',
        {"headers": {"Authorization": "Bearer any"}},
        {"headers": {}},
    ),
]


@pytest.mark.parametrize(("scheme", "challenge", "present", "absent"), PRESENT)
def test_the_echo_handler_asks_for_the_presence_of_the_declared_kind(
    scheme: dict[str, Any], challenge: str, present: dict[str, Any], absent: dict[str, Any]
) -> None:
    target = TestClient(App(document({"/x": {"get": operation([{"S": ["r"]}])}}, {"S": scheme}), echo=True))
    assert target.get("/x", **present).status == 200
    for request in (absent, {}):
        response = target.get("/x", **request)
        assert (response.status, challenges_of(response)) == (401, [challenge])


def test_mutual_tls_is_left_to_the_connection_by_the_echo_handler() -> None:
    doc = document({"/x": {"get": operation([{"S": []}])}}, {"S": {"type": "mutualTLS"}})
    assert TestClient(App(doc, echo=True)).get("/x").status == 200


def test_a_configured_scheme_is_verified_even_for_the_echo_handler() -> None:
    target = TestClient(App(document({"/x": {"get": operation([{"A": []}])}}), config=CONFIG, echo=True))
    assert target.get("/x", headers={"X-A": "any"}).status == 401
    assert target.get("/x", headers={"X-A": KEY_A}).status == 200


def routes_of(wanted: Any) -> Iterator[str]:
    app = App(document({"/x": {"get": operation(wanted)}}), echo=True)
    return (route.security for route in app.routes)


def test_the_routes_tell_what_is_needed() -> None:
    assert list(routes_of([{"A": [], "B": []}, {"B": []}, {}])) == ["A & B | B | anonymous"]
    assert list(routes_of([])) == [""]
