"""Tokens one by one: RFC 7515, 7517, 7518, 7519, 7797, 8037 and 8725; how they are carried: RFC 6750.

Every case is a token made by hand, sent to an application whose keys are fetched from a real server.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt_support import (
    AUD,
    ISS,
    NOW,
    Clock,
    Issuer,
    application,
    b64,
    claims,
    issuing,
    jwk,
    pem,
    private,
    provider,
    signature,
    token,
)

from brrtrouter.testing import TestClient, TestResponse

RSA, EC, ED = private("RSA2048"), private("P-256"), private("Ed25519")
OTHER = private("RSA2048", "of somebody else")
SHARED = b"s" * 64
KEYS = [
    jwk(RSA, "rsa"),
    jwk(EC, "ec"),
    jwk(ED, "ed"),
    jwk(private("RSA2048", "enc"), "enc", use="enc"),
    jwk(private("RSA2048", "ops"), "ops", key_ops=["encrypt"]),
    jwk(private("RSA1024"), "weak"),
    jwk(SHARED, "shared"),
    {"kty": "PQ", "kid": "unknown-type"},
    {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "no-point"},
]
OWN_JWK = {name: value for name, value in jwk(OTHER, "rsa").items() if name != "kid"}
GOOD = token()
HEAD, BODY, SIGNATURE = GOOD.split(".")


def without(*names: str, **more: Any) -> str:
    return token({name: value for name, value in claims(**more).items() if name not in names})


def raw_claims(text: str) -> str:
    return token(json.dumps(claims(exp=NOW + 600))[:-1].encode() + b", " + text.encode() + b"}")


def unsigned(header: Any, sig: bytes = b"") -> str:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return f"{b64(head)}.{BODY}.{b64(sig)}"


def confused(secret: bytes, kid: str = "rsa", alg: str = "HS256") -> str:
    return token(alg=alg, key=secret, kid=kid)


def last_bits_changed(part: str) -> str:
    """The same bytes, spelled otherwise: bits after the last whole byte are set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(part) % 4
    return part[:-1] + alphabet[alphabet.index(part[-1]) + 1]


def payload_changed() -> str:
    return f"{HEAD}.{b64(json.dumps(claims(sub='eve')).encode())}.{SIGNATURE}"


def es256_der() -> str:
    signed = token(alg="ES256", key=EC, kid="ec").rpartition(".")[0]
    raw = signature("ES256", EC, signed.encode())
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    return f"{signed}.{b64(der)}"


def es256_with(sig: bytes) -> str:
    return token(alg="ES256", key=EC, kid="ec").rpartition(".")[0] + "." + b64(sig)


def jwe_with_many_rounds() -> str:
    header = {"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 2_000_000_000, "p2s": b64(b"salt" * 4)}
    return ".".join([b64(json.dumps(header).encode()), b64(b"k" * 40), b64(b"i" * 12), b64(b"c"), b64(b"t" * 16)])


def headed(**more: Any) -> str:
    return token(**more)


DEEP = b"[" * 5000 + b"]" * 5000
PEM = pem(RSA)
DER = RSA.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
SKEW = 3

ACCEPTED: dict[str, str] = {
    "RS256": GOOD,
    "ES256": token(alg="ES256", key=EC, kid="ec"),
    "EdDSA": token(alg="EdDSA", key=ED, kid="ed"),
    "exp a moment ago": token(claims(exp=NOW - SKEW)),
    "exp a float": token(claims(exp=NOW + 0.5)),
    "nbf a moment ahead": token(claims(nbf=NOW + SKEW + 2)),
    "aud a list with ours": token(claims(aud=["else", AUD])),
    # What may be one or the other: here it is taken.
    "jku that nobody reads": headed(jku="https://127.0.0.1:1/keys"),
    "typ at+jwt": headed(typ="at+jwt"),
    "iat ahead": token(claims(iat=NOW + 9999)),
    "kid missing, one key fits": token(alg="ES256", key=EC, kid=None),
    "own jwk beside a good signature": headed(jwk=OWN_JWK),
}
ALG = {
    "none": unsigned({"alg": "none", "kid": "rsa"}),
    "nOnE": unsigned({"alg": "nOnE", "kid": "rsa"}),
    "none with a signature": unsigned({"alg": "none", "kid": "rsa"}, b"x" * 256),
    "missing": token(header={"kid": "rsa"}),
    "a list": token(header={"alg": ["RS256"], "kid": "rsa"}),
    "null": token(header={"alg": None, "kid": "rsa"}),
    "in lower case": token(header={"alg": "rs256", "kid": "rsa"}),
    "RS512, not listed": token(alg="RS512"),
    "PS256, not listed": token(alg="PS256"),
    "ES256 with the kid of an RSA key": token(alg="ES256", key=EC, kid="rsa"),
    "unknown": token(header={"alg": "XX999", "kid": "rsa"}),
}
CONFUSION = {
    "PEM": confused(PEM),
    "PEM, stripped": confused(PEM.strip()),
    "DER": confused(DER),
    "JWK": confused(json.dumps(jwk(RSA, "rsa")).encode()),
    "an empty key": confused(b""),
    "an oct key in the set": confused(SHARED, "shared"),
    "an oct key in the set, HS512": confused(SHARED, "shared", "HS512"),
}
SOURCE = {
    "own jwk with our kid": token(key=OTHER, jwk=OWN_JWK),
    "own jwk with its kid": token(key=OTHER, kid="mine", jwk={**OWN_JWK, "kid": "mine"}),
    "jku": token(key=OTHER, jku="https://127.0.0.1:1/keys"),
    "x5u": token(key=OTHER, x5u="https://127.0.0.1:1/cert"),
    "x5c": token(key=OTHER, x5c=[base64.b64encode(b"certificate").decode()]),
    "wrong key": token(key=OTHER),
}
KID = {
    "path": token(kid="../../../../dev/null"),
    "SQL": token(kid="x' UNION SELECT 'key'; --"),
    "unknown": token(kid="nobody"),
    "number": token(kid=1),
    "object": token(kid={"a": 1}),
    "long": token(kid="k" * 3000),
    "64 KiB": token(kid="k" * 65536),
    "missing, several keys fit": token(kid=None, key=OTHER),
    "of another key": token(alg="RS256", kid="ed"),
}
CRIT = {
    "unknown": headed(crit=["x"], x=1),
    "empty": headed(crit=[]),
    "a text": headed(crit="exp"),
    "absent parameter": headed(crit=["exp"]),
    "registered name": headed(crit=["alg"]),
    "null": headed(crit=None),
    "b64 false with crit": headed(crit=["b64"], b64=False),
    "b64 false without crit": headed(b64=False),
    "zip": headed(zip="DEF"),
}
TIME = {
    "exp past": token(claims(exp=NOW - 31)),
    "exp missing": without("exp"),
    "exp a text": token(claims(exp=str(NOW + 600))),
    "exp null": token(b'{"iss": "%s", "aud": "%s", "exp": null}' % (ISS.encode(), AUD.encode())),
    "exp 1e400": token(b'{"iss": "%s", "aud": "%s", "exp": 1e400}' % (ISS.encode(), AUD.encode())),
    "exp NaN": token(b'{"iss": "%s", "aud": "%s", "exp": NaN}' % (ISS.encode(), AUD.encode())),
    "exp Infinity": token(b'{"iss": "%s", "aud": "%s", "exp": Infinity}' % (ISS.encode(), AUD.encode())),
    "exp of 5000 digits": token(b'{"iss": "%s", "aud": "%s", "exp": 1%s}' % (ISS.encode(), AUD.encode(), b"0" * 5000)),
    "exp negative": token(claims(exp=-1)),
    "exp true": token(claims(exp=True)),
    "exp a list": token(claims(exp=[NOW + 600])),
    "nbf ahead": token(claims(nbf=NOW + 31)),
    "nbf a text": token(claims(nbf="0")),
    "nbf true": token(claims(nbf=True)),
    "iat a list": token(claims(iat=[])),
    "iat a text": token(claims(iat="0")),
}
WHO = {
    "aud wrong": token(claims(aud="else")),
    "aud a list without ours": token(claims(aud=["else", "other"])),
    "aud missing": without("aud"),
    "aud an empty list": token(claims(aud=[])),
    "aud an object": token(claims(aud={AUD: 1})),
    "aud with a number": token(claims(aud=[AUD, 1])),
    "aud longer": token(claims(aud=AUD + "s")),
    "aud shorter": token(claims(aud=AUD[:-1])),
    "iss wrong": token(claims(iss="https://else.example")),
    "iss with a slash": token(claims(iss=ISS + "/")),
    "iss missing": without("iss"),
    "iss a list": token(claims(iss=[ISS])),
    "sub a number": token(claims(sub=1)),
}
INTEGRITY = {
    "payload changed": payload_changed(),
    "signature gone": f"{HEAD}.{BODY}.",
    "signature of another token": f"{HEAD}.{BODY}.{token(claims(sub='eve')).rpartition('.')[2]}",
    "padded": GOOD + "==",
    "padded payload": f"{HEAD}.{BODY}=.{SIGNATURE}",
    "last bits": f"{HEAD}.{BODY}.{last_bits_changed(SIGNATURE)}",
    "standard alphabet": f"{HEAD}.{BODY}." + base64.b64encode(b"\xff\xfe" * 128).decode().rstrip("="),
    "space inside": f"{HEAD}.{BODY} .{SIGNATURE}",
    "escape inside": f"{HEAD}.{BODY}%0A.{SIGNATURE}",
    "two parts": f"{HEAD}.{BODY}",
    "four parts": GOOD + ".",
    "five parts": jwe_with_many_rounds(),
    "dots": "..",
    "more dots": "." * 400,
    "one letter": "a",
    "ES256 in DER": es256_der(),
    "ES256, r = s = 0": es256_with(bytes(64)),
    "ES256, empty": es256_with(b""),
    "not ASCII": GOOD + "é",
}
WHICH_KEYS = {
    "use enc": token(key=private("RSA2048", "enc"), kid="enc"),
    "key_ops encrypt": token(key=private("RSA2048", "ops"), kid="ops"),
    "RSA-1024": token(key=private("RSA1024"), kid="weak"),
    "no point": token(alg="ES256", key=EC, kid="no-point"),
}
JSON = {
    "duplicate alg": token(header=b'{"alg": "none", "alg": "RS256", "kid": "rsa"}'),
    "duplicate sub": raw_claims('"sub": "eve"'),
    "header a list": token(header=b'["RS256"]'),
    "header not UTF-8": token(header=b'{"alg": "RS256", "kid": "rsa", "x": "\xff"}'),
    "header empty": token(header=b""),
    "payload a list": token(b"[1]"),
    "payload not JSON": token(b"hello"),
    "payload blank": token(b" "),
    "payload empty": token(b""),
    "payload deep": token(b'{"exp": %d, "a": %s}' % (NOW + 9, DEEP)),
    "payload a little deep": token(claims(a=json.loads("[" * 40 + "]" * 40))),
    "header a little deep": headed(a=json.loads("[" * 40 + "]" * 40)),
    "header deep": token(header=b'{"alg": "RS256", "kid": "rsa", "a": %s}' % DEEP),
    "lone surrogate as sub and no exp": token(b'{"sub": "\\ud800"}'),
}
REFUSED = {
    f"{group}: {name}": text
    for group, cases in (
        ("alg", ALG),
        ("confusion", CONFUSION),
        ("source", SOURCE),
        ("kid", KID),
        ("crit", CRIT),
        ("time", TIME),
        ("who", WHO),
        ("integrity", INTEGRITY),
        ("keys", WHICH_KEYS),
        ("JSON", JSON),
    )
    for name, text in cases.items()
}
INVALID = 'Bearer realm="api", error="invalid_token"'


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing(*KEYS) as found:
        yield found


@pytest.fixture(scope="module")
def client(issuer: Issuer) -> Iterator[TestClient]:
    app = application(provider(Clock(), jwks_url=issuer.url))
    with TestClient(app) as found:
        yield found


def send(client: TestClient, text: str, path: str = "/x", scheme: str = "Bearer") -> TestResponse:
    return client.get(path, headers={"Authorization": f"{scheme} {text}"})


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_good_token_is_taken_and_taken_again(client: TestClient, name: str) -> None:
    for _ in range(2):
        response = send(client, ACCEPTED[name])
        assert response.status == 200, response.text
        assert response.json() == {"sub": "ada", "scopes": ["read", "write"]}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_token_is_refused_and_refused_again(client: TestClient, name: str) -> None:
    for _ in range(2):
        response = send(client, REFUSED[name])
        if len(REFUSED[name]) > 16_000:
            assert response.status in (401, 431)
            continue
        assert response.status == 401, response.text
        assert response.headers["www-authenticate"] == INVALID
        assert response.headers["cache-control"] == "no-store"
        assert len(REFUSED[name]) < 20 or REFUSED[name] not in response.text


def test_all_these_tokens_have_cost_two_fetches(client: TestClient, issuer: Issuer) -> None:
    for text in [*ACCEPTED.values(), *REFUSED.values()]:
        send(client, text)
    assert issuer.fetches == 2  # the first keys, and one look for all that are unknown


def test_addresses_in_a_token_are_never_asked(client: TestClient) -> None:
    with issuing(jwk(OTHER, "mine")) as trap:
        for kid in ("rsa", "mine"):
            assert send(client, token(key=OTHER, kid=kid, jku=trap.url, x5u=trap.url)).status == 401
        assert send(client, token(jku=trap.url, x5u=trap.url)).status == 200
        assert trap.fetches == 0


@given(position=st.integers(0, len(GOOD) - 1), letter=st.sampled_from("ABCxyz019-_.=+/ %~"))
def test_a_token_with_another_letter_anywhere_is_refused(client: TestClient, position: int, letter: str) -> None:
    changed = GOOD[:position] + letter + GOOD[position + 1 :]
    assert send(client, changed).status == (200 if changed == GOOD else 401)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f,"), min_size=1, max_size=60))
def test_no_text_in_place_of_a_token_is_more_than_refused(client: TestClient, text: str) -> None:
    text = "".join(letter for letter in text if letter.isprintable()) or "x"
    assert send(client, text).status == 401


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(["exp", "nbf", "iat", "aud", "iss", "sub", "scope", "scp", "alg", "kid", "typ", "crit"]),
)
def test_no_value_of_a_member_fails_the_server(client: TestClient, value: Any, name: str) -> None:
    in_header = name in ("alg", "kid", "typ", "crit")
    text = token(header={"alg": "RS256", "kid": "rsa", name: value}) if in_header else token(claims(**{name: value}))
    assert send(client, text).status in (200, 401)


# -- how a token is carried


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_name_of_the_scheme_has_no_case(client: TestClient, scheme: str) -> None:
    assert send(client, GOOD, scheme=scheme).status == 200


@pytest.mark.parametrize(
    "value", [None, "", "Bearer", "Bearer ", f"Basic {GOOD}", f"Token {GOOD}", GOOD, f"Bearer{GOOD}"]
)
def test_without_a_bearer_token_there_is_401_and_no_error(client: TestClient, value: str | None) -> None:
    response = client.get("/x", headers={} if value is None else {"Authorization": value})
    assert (response.status, response.headers["www-authenticate"]) == (401, 'Bearer realm="api"')


@pytest.mark.parametrize("second", [f"Bearer {GOOD}", "Bearer other", "Basic YTpi"])
def test_two_fields_with_credentials_are_refused(client: TestClient, second: str) -> None:
    response = client.get("/x", headers=[("Authorization", f"Bearer {GOOD}"), ("authorization", second)])
    assert response.status == 400
    assert response.headers["www-authenticate"] == 'Bearer realm="api", error="invalid_request"'
    assert client.get("/x", headers=[("Authorization", second), ("Authorization", f"Bearer {GOOD}")]).status in (
        400,
        401,
    )


def test_a_token_in_the_query_is_none(client: TestClient) -> None:
    assert client.get("/x", params={"access_token": GOOD}).status == 401


@pytest.mark.parametrize("size", [8_000, 16_000, 16_384, 20_000])
def test_a_token_that_is_too_long_is_refused(client: TestClient, size: int) -> None:
    assert send(client, "a" * size).status in (401, 431)


def test_the_size_of_a_token_can_be_bounded(issuer: Issuer) -> None:
    for limit, status in ((len(GOOD), 200), (len(GOOD) - 1, 401)):
        with TestClient(application(provider(Clock(), jwks_url=issuer.url, max_token=limit))) as client:
            assert send(client, GOOD).status == status


# -- scopes

SCOPES: list[tuple[dict[str, Any], int, int]] = [
    ({"scope": "read"}, 200, 403),
    ({"scope": "read admin"}, 200, 200),
    ({"scope": None, "scp": "admin read"}, 200, 200),
    ({"scope": None, "scp": ["admin", "read"]}, 200, 200),
    ({"scope": "read", "scp": ["admin"]}, 200, 200),
    ({"scope": None}, 403, 403),
    ({"scope": ["read", "admin"]}, 403, 403),
    ({"scope": "readadmin"}, 403, 403),
    ({"scope": None, "scp": [["read"], 1, {"read": 1}]}, 403, 403),
    ({"scope": None, "scp": {"read": 1}}, 403, 403),
    ({"scope": 5}, 403, 403),
]


@pytest.mark.parametrize(("changed", "read", "admin"), SCOPES, ids=str)
def test_scopes_of_a_token_are_those_of_scope_and_scp(
    client: TestClient, changed: dict[str, Any], read: int, admin: int
) -> None:
    text = token(claims(**changed))
    assert [send(client, text, path).status for path in ("/x", "/read", "/admin", "/admin")] == [
        200,
        read,
        admin,
        admin,
    ]


def test_the_scopes_that_are_wanted_are_named(client: TestClient) -> None:
    response = send(client, token(claims(scope="read")), "/admin")
    expected = 'Bearer realm="api", error="insufficient_scope", scope="read admin"'
    assert (response.status, response.headers["www-authenticate"]) == (403, expected)


@pytest.mark.parametrize(
    "scheme", [{"type": "oauth2", "flows": {}}, {"type": "openIdConnect", "openIdConnectUrl": "https://x/"}]
)
def test_the_configuration_alone_binds_all_schemes_with_bearer_tokens(issuer: Issuer, scheme: dict[str, Any]) -> None:
    config = {"security": {"jwks": {"T": {"jwks_url": issuer.url, "iss": ISS, "aud": AUD}}}}
    text = token(claims(exp=int(time.time()) + 600))
    for each in (scheme, {"type": "http", "scheme": "Bearer"}):
        with TestClient(application(None, config, each)) as client:
            assert send(client, text).status == 200
            assert send(client, GOOD + "A").status == 401


# -- what is remembered


def test_a_token_is_verified_once_and_no_longer_taken_when_it_has_expired(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from brrtrouter.providers.keys import KeySet

    verified = []
    real = KeySet.verify
    monkeypatch.setattr(KeySet, "verify", lambda self, parsed: (verified.append(1), real(self, parsed))[1])
    clock = Clock()
    with TestClient(application(provider(clock, jwks_url=issuer.url, cache_ttl_secs=9999))) as client:
        text = token(claims(exp=NOW + 60))
        assert [send(client, text).status for _ in range(5)] == [200] * 5
        assert len(verified) == 1
        clock.now = NOW + 60 + 29.9
        assert send(client, text).status == 200
        assert len(verified) == 1
        clock.now = NOW + 60 + 30
        assert send(client, text).status == 401


@pytest.mark.parametrize("size", [0, 1, 2, 3, 10])
def test_what_is_remembered_is_bounded(issuer: Issuer, size: int) -> None:
    bounded = provider(Clock(), jwks_url=issuer.url, token_cache=size)
    with TestClient(application(bounded)) as client:
        for number in range(40):
            assert send(client, token(claims(sub=f"user-{number}"))).status == 200
            assert len(bounded._verified) <= size


def test_handlers_cannot_change_what_is_remembered(issuer: Issuer) -> None:
    async def change(request: Any) -> Any:
        found = request.auth["T"].claims
        for act in (lambda: found.update(a=1), lambda: found["roles"].append(1), lambda: found["deep"]["a"].clear()):
            with pytest.raises(AttributeError):
                act()
        return {"roles": found["roles"]}

    app = application(provider(Clock(), jwks_url=issuer.url))
    app.register("op", change)
    with TestClient(app) as client:
        assert send(client, token(claims(roles=["a"], deep={"a": {}}))).json() == {"roles": ["a"]}
