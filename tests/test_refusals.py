"""What 401 and 403 say, for every kind of scheme and several at once: RFC 9110 sections 11.6.1 and 15.5, RFC 6750."""

from __future__ import annotations

import re
from typing import Any

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from brrtrouter import App
from brrtrouter.policy.security import Denial, Principal
from brrtrouter.testing import TestClient, TestResponse

SCHEMES: dict[str, dict[str, Any]] = {
    "Key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "Remote": {"type": "apiKey", "in": "query", "name": "key"},
    "Basic": {"type": "http", "scheme": "basic"},
    "Token": {"type": "http", "scheme": "bearer"},
    "Oauth": {"type": "oauth2", "flows": {}},
    "Oidc": {"type": "openIdConnect", "openIdConnectUrl": "https://issuer.example/"},
    "Client": {"type": "mutualTLS"},
}
CHALLENGES = {
    "Key": 'ApiKey in="header", name="X-Key"',
    "Remote": 'ApiKey in="query", name="key"',
    "Basic": 'Basic realm="api", charset="UTF-8"',
    "Token": 'Bearer realm="api"',
    "Oauth": 'Bearer realm="api"',
    "Oidc": 'Bearer realm="api"',
    "Client": 'MutualTLS realm="api"',
}
CONFIG = {
    "security": {
        "api_keys": {"Key": {"keys": [{"key": "k1", "scopes": ["read"]}, {"key": "k2"}]}},
        "remote_api_keys": {"Remote": {"verify_url": "http://127.0.0.1:1/"}},
        "basic": {"Basic": {"users": {"ada": PasswordHasher(1, 8, 1).hash("lovelace")}}},
        "jwks": {"Token": {"jwks_url": "http://127.0.0.1:1/"}, "Oidc": {"jwks_url": "http://127.0.0.1:1/"}},
        "introspection": {"Oauth": {"url": "http://127.0.0.1:1/", "client_id": "a", "client_secret": "b"}},
        "mutual_tls": {"Client": {"any_certificate": True}},
    }
}
NAMES = [*SCHEMES]
# RFC 9110 section 11.6.1: a scheme, and parameters with quoted values.
PARAMETER = r'[a-z_]+="(?:[^"\\]|\\.)*"'
CHALLENGE = re.compile(rf"[A-Za-z]+ {PARAMETER}(?:, {PARAMETER})*")


def client_of(alternatives: list[dict[str, list[str]]], **providers: Any) -> TestClient:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {
            "/x": {"get": {"operationId": "x", "security": alternatives, "responses": {"200": {"description": ""}}}}
        },
        "components": {"securitySchemes": SCHEMES},
    }
    return TestClient(App(document, {"x": lambda request: None}, CONFIG, security=providers))


def challenges(response: TestResponse) -> list[str]:
    lines = response.raw.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")
    return [line.partition(": ")[2] for line in lines if line.lower().startswith("www-authenticate:")]


@pytest.mark.parametrize("name", NAMES)
def test_without_a_credential_the_challenge_says_what_is_wanted(name: str) -> None:
    with client_of([{name: []}]) as client:
        response = client.get("/x")
    assert (response.status, challenges(response)) == (401, [CHALLENGES[name]])
    assert CHALLENGE.fullmatch(CHALLENGES[name])
    assert "error=" not in CHALLENGES[name]  # RFC 6750 section 3.1: no error without a credential
    assert response.headers["cache-control"] == "no-store"


@given(st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True), min_size=1, max_size=4))
def test_each_alternative_has_its_challenge_once(alternatives: list[list[str]]) -> None:
    with client_of([{name: [] for name in each} for each in alternatives]) as client:
        response = client.get("/x")
    expected = list(dict.fromkeys(CHALLENGES[each[0]] for each in alternatives))
    assert (response.status, challenges(response)) == (401, expected)


@pytest.mark.parametrize(
    ("name", "sent", "error"),
    [
        ("Key", {"headers": {"X-Key": "bad"}}, CHALLENGES["Key"]),
        ("Basic", {"headers": {"Authorization": "Basic YTpi"}}, CHALLENGES["Basic"]),
        ("Token", {"headers": {"Authorization": "Bearer bad"}}, 'Bearer realm="api", error="invalid_token"'),
        ("Oidc", {"headers": {"Authorization": "Bearer a.b.c"}}, 'Bearer realm="api", error="invalid_token"'),
    ],
)
def test_a_credential_that_is_not_valid_is_401_with_its_own_error(name: str, sent: dict[str, Any], error: str) -> None:
    with client_of([{"Client": []}, {name: []}]) as client:
        response = client.get("/x", **sent)
    assert (response.status, challenges(response)) == (401, [CHALLENGES["Client"], error])


def test_scopes_that_are_missing_are_403_with_the_challenge_of_that_alternative_only() -> None:
    with client_of([{"Basic": []}, {"Key": ["read"]}]) as client:
        assert client.get("/x", headers={"X-Key": "k1"}).status == 204
        response = client.get("/x", headers={"X-Key": "k2"})
    assert (response.status, challenges(response)) == (403, [CHALLENGES["Key"]])
    assert response.json()["type"].endswith("/forbidden")


class Says:
    def __init__(self, verdict: Principal | Denial) -> None:
        self.verdict = verdict

    def authenticate(self, request: Any, scheme: Any, scopes: Any) -> Principal | Denial:
        return self.verdict


RANKS = ["unavailable", "malformed", "scope", "forbidden", "invalid", "missing"]
STATUSES = {"unavailable": 503, "malformed": 400, "scope": 403, "forbidden": 403, "invalid": 401, "missing": 401}


@pytest.mark.parametrize("one", RANKS)
@pytest.mark.parametrize("other", RANKS)
def test_of_two_refusals_the_one_that_says_more_is_told(one: Any, other: Any) -> None:
    verdicts = {"Token": Says(Denial(one, 'A realm="x"', 7.0)), "Oauth": Says(Denial(other, 'B realm="x"', 7.0))}
    with client_of([{"Token": []}, {"Oauth": []}], **verdicts) as client:
        response = client.get("/x")
    first = min(one, other, key=RANKS.index)
    assert response.status == STATUSES[first]
    assert response.headers.get("retry-after") == ("7" if first == "unavailable" else None)
    found = {"A" if each.startswith("A") else "B" for each in challenges(response)}
    if STATUSES[first] == 401:
        told = {"A", "B"}
    elif first == "unavailable":
        told = set()
    else:
        told = {name for name, reason in (("A", one), ("B", other)) if reason == first}
    assert found == told


def test_who_is_not_let_in_is_403() -> None:
    with client_of([{"Token": []}], Token=Says(Denial("forbidden", 'Bearer realm="api"'))) as client:
        response = client.get("/x")
    assert (response.status, challenges(response)) == (403, ['Bearer realm="api"'])
    assert "not let in" in response.json()["detail"]
