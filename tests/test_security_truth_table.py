"""Every OR of ANDs over two and three schemes, against the plain words of OpenAPI 3.1 sections 4.8.2 and 4.8.30.

Three schemes have real credentials (a key in a header, a key in the query, a bearer token); two have providers that say
everything that a provider can say.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from jwt_support import Clock, claims, jwk, private, provider, token

from brrtrouter import App, Request
from brrtrouter.policy.security import Denial, Principal
from brrtrouter.testing import TestClient, TestResponse

Alternative = tuple[str, ...]
States = Mapping[str, str]
# The worst first: what it is answered with hides what is after it.
WORST = ("unavailable", "malformed", "scope", "invalid", "missing")
STATUS = {"unavailable": 503, "malformed": 400, "scope": 403, "invalid": 401, "missing": 401}


def oracle(wanted: Sequence[Alternative], states: States) -> tuple[int, Alternative | None, list[str]]:
    """Status, the schemes in `request.auth`, and the schemes that are challenged, in order."""
    asking = [each for each in wanted if each]
    if not asking:
        return 200, None, []
    for each in asking:
        if all(states[name] == "valid" for name in each):
            return 200, each, []
    blamed = []
    for each in asking:
        bad = [name for name in each if states[name] not in ("valid", "missing")]
        blamed.append((bad or [name for name in each if states[name] == "missing"])[0])
    found = {states[name] for name in blamed}
    if () in wanted and found == {"missing"}:
        return 200, (), []
    worst = next(reason for reason in WORST if reason in found)
    told = [name for name in blamed if STATUS[states[name]] == STATUS[worst] == 401 or states[name] == worst]
    return STATUS[worst], None, [] if worst == "unavailable" else list(dict.fromkeys(told))


async def show(request: Request) -> Any:
    """Which schemes let the request in."""
    return {"auth": None if request.auth is None else list(request.auth)}


def operation(wanted: Sequence[Alternative] | None, scopes: Sequence[str] = ()) -> dict[str, Any]:
    found: dict[str, Any] = {"x-handler-name": "op", "responses": {"200": {"description": ""}}}
    return found if wanted is None else {**found, "security": objects(wanted, scopes)}


def objects(wanted: Sequence[Alternative], scopes: Sequence[str] = ()) -> list[dict[str, list[str]]]:
    return [{name: list(scopes) for name in each} for each in wanted]


def document(paths: dict[str, Any], schemes: dict[str, Any], **more: Any) -> dict[str, Any]:
    info = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}}
    return {**info, "paths": paths, "components": {"securitySchemes": schemes}, **more}


def challenges_of(response: TestResponse) -> list[str]:
    lines = response.raw.decode().partition("\r\n\r\n")[0].split("\r\n")
    return [line.partition(": ")[2] for line in lines if line.startswith("WWW-Authenticate: ")]


def check(response: TestResponse, wanted: Sequence[Alternative], states: States, challenge: Any) -> None:
    status, auth, told = oracle(wanted, states)
    assert response.status == status, (wanted, states)
    assert challenges_of(response) == [challenge(name, states[name]) for name in told], (wanted, states)
    assert ("retry-after" in response.headers) == (status == 503)
    if status == 200:
        assert response.json() == {"auth": None if auth is None else list(auth)}, (wanted, states)
    else:
        assert response.headers["cache-control"] == "no-store"


# -- two schemes, everything that a provider can say, in every order

ALL_STATES = ("valid", *WORST)
TWO: list[Alternative] = [(), ("A",), ("B",), ("A", "B")]
ORDERS = [each for size in range(5) for each in itertools.permutations(TWO, size)]
HEADERS = {name: {"type": "apiKey", "in": "header", "name": f"X-{name}"} for name in "AB"}


class Says:
    """Verdicts as a header field wants them: at once, or after a while."""

    waits = True

    def __init__(self, at_once: bool) -> None:
        self.at_once = at_once

    def authenticate(self, request: Request, scheme: Any, scopes: Sequence[str]) -> Any:
        said: Any = request.header(scheme.parameter)
        verdict = Principal(scheme.name) if said == "valid" else Denial(said, f"{scheme.name} {said}", 7.0)
        return verdict if self.at_once else self._later(verdict)

    async def _later(self, verdict: Any) -> Any:
        return verdict


def says(target: TestClient, path: str, state: tuple[str, str]) -> TestResponse:
    return target.get(path, headers={"X-A": state[0], "X-B": state[1]})


def named(name: str, state: str) -> str:
    return f"{name} {state}"


@pytest.mark.parametrize("at_once", list(itertools.product((True, False), repeat=2)), ids=str)
def test_two_schemes_in_every_order_with_every_verdict(at_once: tuple[bool, bool]) -> None:
    paths = {f"/{number}": {"get": operation(wanted)} for number, wanted in enumerate(ORDERS)}
    providers = dict(zip("AB", map(Says, at_once), strict=True))
    target = TestClient(App(document(paths, HEADERS, security=[{"A": [], "B": []}]), {"op": show}, security=providers))
    for number, wanted in enumerate(ORDERS):
        for state in itertools.product(ALL_STATES, repeat=2):
            check(says(target, f"/{number}", state), wanted, dict(zip("AB", state, strict=True)), named)


@pytest.mark.parametrize("root", [None, *ORDERS[::6]], ids=str)
def test_an_operation_inherits_what_it_does_not_replace(root: Sequence[Alternative] | None) -> None:
    own = [None, (), ((),), (("A",),), ((), ("B",)), (("A", "B"), ("B",))]
    paths = {f"/{number}": {"get": operation(wanted)} for number, wanted in enumerate(own)}
    more = {} if root is None else {"security": objects(root)}
    providers = {"A": Says(True), "B": Says(True)}
    target = TestClient(App(document(paths, HEADERS, **more), {"op": show}, security=providers))
    for number, wanted in enumerate(own):
        effective = (root or ()) if wanted is None else wanted
        for state in itertools.product(("valid", "invalid", "missing"), repeat=2):
            check(says(target, f"/{number}", state), effective, dict(zip("AB", state, strict=True)), named)


# -- three schemes with real credentials

THREE: list[Alternative] = [each for size in range(4) for each in itertools.combinations("HQT", size)]
SETS = [each for size in range(len(THREE) + 1) for each in itertools.combinations(THREE, size)]
SCHEMES = {
    "H": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "Q": {"type": "apiKey", "in": "query", "name": "key"},
    "T": {"type": "http", "scheme": "bearer"},
}
CHALLENGES = {
    ("H", ""): 'ApiKey in="header", name="X-Key"',
    ("Q", ""): 'ApiKey in="query", name="key"',
    ("T", "missing"): 'Bearer realm="api"',
    ("T", "invalid"): 'Bearer realm="api", error="invalid_token"',
    ("T", "scope"): 'Bearer realm="api", error="insufficient_scope", scope="write"',
}
KEYS = {"keys": [{"key": "good", "scopes": ["write"]}, {"key": "poor"}]}
SENT = {"valid": "good", "scope": "poor", "invalid": "wrong"}
RSA = private("RSA2048")
TOKENS = {
    "valid": token(claims(scope="write")),
    "scope": token(claims(scope="read")),
    "invalid": token(claims(scope="write"), key=private("RSA2048", "else")),
}


def real(name: str, state: str) -> str:
    return CHALLENGES[name, state if name == "T" else ""]


def test_three_schemes_in_every_set_of_alternatives(tmp_path: Path) -> None:
    assert len(SETS) == 256
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(jwk(RSA, "rsa")))
    paths = {f"/{number}": {"get": operation(wanted, ["write"])} for number, wanted in enumerate(SETS)}
    tokens = provider(Clock(), keys_file=str(file))
    config = {"security": {"api_keys": {"H": KEYS, "Q": KEYS}}, "endpoints": {"docs": None}}
    target = TestClient(App(document(paths, SCHEMES), {"op": show}, config, security={"T": tokens}))
    requests = []
    for state in itertools.product(("valid", "scope", "invalid", "missing"), repeat=3):
        states = dict(zip("HQT", state, strict=True))
        fields = {"X-Key": SENT.get(states["H"]), "Authorization": f"Bearer {TOKENS.get(states['T'])}"}
        fields = {name: text for name, text in fields.items() if text and not text.endswith("None")}
        query = f"?key={SENT[states['Q']]}" if states["Q"] in SENT else ""
        requests.append((states, query, fields))
    for number, wanted in enumerate(SETS):
        for states, query, fields in requests:
            check(target.get(f"/{number}{query}", headers=fields), wanted, states, real)
