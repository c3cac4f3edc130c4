"""Keys of tokens in a file, every algorithm, and settings that are refused: RFC 7517, RFC 7518, RFC 8725."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt_support import Clock, application, jwk, pem, private, provider, token

from brrtrouter import ConfigError
from brrtrouter.testing import TestClient, TestResponse

RSA, EC = private("RSA2048"), private("P-256")
OTHER = private("RSA2048", "of somebody else")


def send(client: TestClient, text: str) -> TestResponse:
    return client.get("/x", headers={"Authorization": f"Bearer {text}"})


def certificate(key: Any) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, datetime(2026, 1, 1), datetime(2030, 1, 1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def from_file(path: Path, content: bytes, **settings: Any) -> TestClient:
    path.write_bytes(content)
    return TestClient(application(provider(Clock(), keys_file=str(path), **settings)))


@pytest.mark.parametrize(
    ("alg", "kind"),
    [
        *((f"{kind}{bits}", "RSA2048") for kind in ("RS", "PS") for bits in (256, 384, 512)),
        ("ES256", "P-256"),
        ("ES384", "P-384"),
        ("ES512", "P-521"),
        ("EdDSA", "Ed25519"),
        ("Ed25519", "Ed25519"),
    ],
)
def test_every_algorithm_with_its_keys_as_jwk_pem_and_certificate(tmp_path: Path, alg: str, kind: str) -> None:
    key = private(kind)
    text = token(alg=alg, key=key, kid=None)
    contents = [pem(key), json.dumps(jwk(key, None)).encode(), json.dumps({"keys": [jwk(key, "k")]}).encode()]
    contents += [b"the key of the issuer\n" + pem(private("P-384", "other")) + pem(key)] if kind != "P-384" else []
    contents += [] if kind == "Ed25519" else [certificate(key)]
    for content in contents:
        client = from_file(tmp_path / "keys", content, algorithms=(alg,))
        assert send(client, text).status == 200
        assert send(client, text[:-8] + "AAAAAAAA").status == 401


@pytest.mark.parametrize("bits", [256, 384, 512])
def test_shared_secrets_need_the_size_of_their_hash(tmp_path: Path, bits: int) -> None:
    for size, status in ((bits // 8, 200), (bits // 8 - 1, 401)):
        content = json.dumps(jwk(b"s" * size, "k")).encode()
        client = from_file(tmp_path / "keys", content, algorithms=(f"HS{bits}",))
        assert send(client, token(alg=f"HS{bits}", key=b"s" * size, kid="k")).status == status


def test_a_key_without_a_name_is_tried_for_every_token_and_one_with_a_name_for_none_else(tmp_path: Path) -> None:
    nameless = pem(OTHER) + pem(RSA)
    named = json.dumps({"keys": [jwk(OTHER, "other"), jwk(RSA, "rsa")]}).encode()
    for content, statuses in ((nameless, [200, 200, 200]), (named, [200, 401, 401])):
        client = from_file(tmp_path / "keys", content)
        assert [send(client, token(kid=kid)).status for kid in ("rsa", "unknown", None)] == statuses


def test_a_key_that_names_its_algorithm_takes_no_other(tmp_path: Path) -> None:
    content = json.dumps(jwk(RSA, "rsa", alg="RS256")).encode()
    client = from_file(tmp_path / "keys", content, algorithms=("RS256", "RS512"))
    assert [send(client, token(alg=alg)).status for alg in ("RS256", "RS512")] == [200, 401]


def secret_pem() -> bytes:
    return bytes(RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is not JSON"),
        (b"{}", "it has no key that can be used"),
        (b"[]", "it is no JWK Set"),
        (b'{"keys": 1}', "it is no JWK Set"),
        (b'{"keys": []}', "it has no key that can be used"),
        (b'{"keys": [1, {"kty": 1}, {"kty": "RSA", "n": "!", "e": "AQAB"}]}', "it has no key that can be used"),
        (json.dumps(jwk(private("RSA1024"), "k")).encode(), "it has no key that can be used"),
        (json.dumps({"keys": [jwk(EC, str(number)) for number in range(101)]}).encode(), "it has more than 100 keys"),
        (pem(private("RSA1024")), "a key has less than 2048 bits"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "a block is neither a public key nor"),
        (secret_pem(), "a block is neither a public key nor a certificate"),
    ],
)
def test_a_file_without_keys_refuses_to_start(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        from_file(tmp_path / "keys", content)
    assert str(refused.value).startswith("security.jwks.keys_file: ")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"keys_file": "not-there"}, "keys_file: not-there: No such file"),
        ({"jwks_url": "http://issuer.example/keys"}, "jwks_url: it is not https; allow_http would allow it"),
        ({"discovery_url": "http://issuer.example/"}, "discovery_url: it is not https"),
        ({"jwks_url": "ftp://127.0.0.1/keys"}, "jwks_url: 'ftp://127.0.0.1/keys' is no absolute URL of http"),
        ({"jwks_url": "https://a:b@issuer.example/"}, "jwks_url: the URL has a user name or a password"),
        (
            {"jwks_url": "https://x/", "algorithms": ("HS256",)},
            "HS256 needs a shared secret, which only a keys_file has",
        ),
        ({"jwks_url": "https://x/", "algorithms": ("none",)}, "algorithms: 'none' is not one of RS256"),
        ({"jwks_url": "https://x/", "algorithms": ()}, "algorithms is empty"),
    ],
)
def test_settings_that_make_no_sense_refuse_to_start(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        provider(Clock(), **settings)


def test_addresses_of_this_machine_and_those_that_are_allowed_need_no_https() -> None:
    for url in ("http://localhost:1/", "http://127.0.0.9/", "http://[::1]/", "https://issuer.example/"):
        assert provider(Clock(), jwks_url=url)
    assert provider(Clock(), jwks_url="http://issuer.internal/", allow_http=True)


def test_tokens_for_anybody_are_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "brrtrouter.security"):
        provider(Clock(), jwks_url="https://x/", aud=())
    assert "security.jwks has no aud" in caplog.text
