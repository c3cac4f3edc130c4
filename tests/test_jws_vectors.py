"""Signatures made by hand, one for each class of the known vectors for JWS: RFC 7515, 7518, 8017, 8032, FIPS 186-5.

Each has its verdict.  What a correct signer makes is taken, and so is what the mathematics allows; every other
encoding, padding, length, hash, or value outside of its range is refused, and none is a failure of the server.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from jwt_support import Clock, application, b64, claims, jwk, private, provider, signature

from brrtrouter.testing import TestClient

RSA, P256, P521, ED = private("RSA2048"), private("P-256"), private("P-521"), private("Ed25519")
SECRET = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
KEYS = [jwk(RSA, "rsa"), jwk(P256, "ec"), jwk(P521, "ec521"), jwk(ED, "ed"), jwk(SECRET, "oct")]
ALGORITHMS = ("RS256", "PS256", "ES256", "ES512", "EdDSA", "HS256")
N, D, SIZE = RSA.private_numbers().public_numbers.n, RSA.private_numbers().d, 256
# Orders: of P-256 (SEC 2), and of the base point of Ed25519 (RFC 8032 section 5.1).
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
L = 2**252 + 27742317777372353535851937790883648493
SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")  # DigestInfo, RFC 8017 section 9.2
SHA256_WITHOUT_NULL = bytes.fromhex("302f300b0609608648016503040201" + "0420")
SHA1 = bytes.fromhex("3021300906052b0e03021a05000414")

Make = Callable[[bytes], bytes]


def raw(value: int, size: int = SIZE) -> bytes:
    return value.to_bytes(size, "big")


def rsa(block: bytes) -> bytes:
    """What the private key makes of a padded block."""
    return raw(pow(int.from_bytes(block, "big"), D, N))


def pkcs1(info: bytes, filler: bytes = b"\xff", start: bytes = b"\x00\x01", tail: bytes = b"") -> bytes:
    return start + filler * (SIZE - len(start) - 1 - len(info) - len(tail)) + b"\x00" + info + tail


def pss(salt: int, mask: Any = hashes.SHA256, digest: Any = hashes.SHA256) -> Make:
    return lambda signed: bytes(RSA.sign(signed, padding.PSS(padding.MGF1(mask()), salt), digest()))


def ecdsa(signed: bytes) -> tuple[int, int]:
    return decode_dss_signature(P256.sign(signed, signature_algorithm()))


def signature_algorithm() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.ECDSA(hashes.SHA256())


def pair(change: Callable[[int, int], tuple[int, int]], size: int = 32) -> Make:
    return lambda signed: b"".join(raw(each, size) for each in change(*ecdsa(signed)))


def ed(change: Callable[[bytes, int], bytes]) -> Make:
    """Change R and S of a good signature of Ed25519."""

    def make(signed: bytes) -> bytes:
        good = ED.sign(signed)
        return change(good[:32], int.from_bytes(good[32:], "little"))

    return make


def little(value: int) -> bytes:
    return value.to_bytes(32, "little")


def good(alg: str, key: Any) -> Make:
    return lambda signed: signature(alg, key, signed)


def of(digest: str, signed: bytes) -> bytes:
    return hashlib.new(digest, signed).digest()


# alg, kid, how the signature is made, whether it is taken
VECTORS: dict[str, tuple[str, str, Make, bool]] = {
    "RS256": ("RS256", "rsa", good("RS256", RSA), True),
    "RS256, padded by hand": ("RS256", "rsa", lambda m: rsa(pkcs1(SHA256 + of("sha256", m))), True),
    "RS256, DigestInfo without NULL": (
        "RS256", "rsa", lambda m: rsa(pkcs1(SHA256_WITHOUT_NULL + of("sha256", m))), False,
    ),
    "RS256, block type 2": ("RS256", "rsa", lambda m: rsa(pkcs1(SHA256 + of("sha256", m), start=b"\x00\x02")), False),
    "RS256, block type 0": ("RS256", "rsa", lambda m: rsa(pkcs1(SHA256 + of("sha256", m), start=b"\x00\x00")), False),
    "RS256, filler of other bytes": (
        "RS256", "rsa", lambda m: rsa(pkcs1(SHA256 + of("sha256", m), filler=b"\xfe")), False,
    ),
    "RS256, short filler and a tail": (
        "RS256", "rsa", lambda m: rsa(pkcs1(SHA256 + of("sha256", m), tail=b"\x01" * 100)), False,
    ),
    "RS256, hash alone": ("RS256", "rsa", lambda m: rsa(pkcs1(of("sha256", m))), False),
    "RS256, SHA-1": ("RS256", "rsa", lambda m: rsa(pkcs1(SHA1 + of("sha1", m))), False),
    "RS256, SHA-1 named SHA-256": ("RS256", "rsa", lambda m: rsa(pkcs1(SHA256 + of("sha1", m))), False),
    "RS256 signed with PSS": ("RS256", "rsa", good("PS256", RSA), False),
    "RS256, a zero in front": ("RS256", "rsa", lambda m: b"\0" + signature("RS256", RSA, m), False),
    "RS256, a zero behind": ("RS256", "rsa", lambda m: signature("RS256", RSA, m) + b"\0", False),
    "RS256, a byte less": ("RS256", "rsa", lambda m: signature("RS256", RSA, m)[:-1], False),
    "RS256, plus n": (
        "RS256", "rsa", lambda m: raw(int.from_bytes(signature("RS256", RSA, m), "big") + N, SIZE + 1), False,
    ),
    **{f"RS256, the number {name}": ("RS256", "rsa", (lambda m, v=value: raw(v)), False)
       for name, value in (("0", 0), ("1", 1), ("n - 1", N - 1), ("n", N))},
    "RS256, nothing": ("RS256", "rsa", lambda m: b"", False),
    "RS256, 64 KiB": ("RS256", "rsa", lambda m: b"\1" * 9000, False),
    "PS256": ("PS256", "rsa", good("PS256", RSA), True),
    "PS256, no salt": ("PS256", "rsa", pss(0), False),
    "PS256, salt of 20 bytes": ("PS256", "rsa", pss(20), False),
    "PS256, salt of 64 bytes": ("PS256", "rsa", pss(64), False),
    "PS256, mask by SHA-1": ("PS256", "rsa", pss(32, mask=hashes.SHA1), False),
    "PS256, SHA-512": ("PS256", "rsa", pss(32, digest=hashes.SHA512, mask=hashes.SHA512), False),
    "PS256 signed with PKCS #1": ("PS256", "rsa", good("RS256", RSA), False),
    "ES256": ("ES256", "ec", good("ES256", P256), True),
    "ES256, n - s": ("ES256", "ec", pair(lambda r, s: (r, ORDER - s)), True),  # the mathematics allows it
    "ES256, r = 0": ("ES256", "ec", pair(lambda r, s: (0, s)), False),
    "ES256, s = 0": ("ES256", "ec", pair(lambda r, s: (r, 0)), False),
    "ES256, r = s = 0": ("ES256", "ec", pair(lambda r, s: (0, 0)), False),
    "ES256, r = n, s = n": ("ES256", "ec", pair(lambda r, s: (ORDER, ORDER)), False),
    "ES256, r = 1, s = 1": ("ES256", "ec", pair(lambda r, s: (1, 1)), False),
    "ES256, r = n - 1, s = 1": ("ES256", "ec", pair(lambda r, s: (ORDER - 1, 1)), False),
    "ES256, r and s changed over": ("ES256", "ec", pair(lambda r, s: (s, r)), False),
    "ES256, all ones": ("ES256", "ec", lambda m: b"\xff" * 64, False),
    "ES256, a zero in front of each": ("ES256", "ec", pair(lambda r, s: (r, s), 33), False),
    "ES256, a zero behind": ("ES256", "ec", lambda m: signature("ES256", P256, m) + b"\0", False),
    "ES256, a byte less": ("ES256", "ec", lambda m: signature("ES256", P256, m)[:-1], False),
    "ES256, half": ("ES256", "ec", lambda m: signature("ES256", P256, m)[:32], False),
    "ES256 by the key of P-521": ("ES256", "ec", good("ES512", P521), False),
    "ES512": ("ES512", "ec521", good("ES512", P521), True),
    "ES512 with 64 bytes for each": ("ES512", "ec521", lambda m: signature("ES512", P521, m)[:128], False),
    "ES512 named for the key of P-256": ("ES512", "ec", good("ES256", P256), False),
    "EdDSA": ("EdDSA", "ed", good("EdDSA", ED), True),
    "EdDSA, S + L": ("EdDSA", "ed", ed(lambda r, s: r + little(s + L)), False),  # RFC 8032 section 5.1.7
    "EdDSA, S = 0": ("EdDSA", "ed", ed(lambda r, s: r + little(0)), False),
    "EdDSA, S = L": ("EdDSA", "ed", ed(lambda r, s: r + little(L)), False),
    "EdDSA, all zeros": ("EdDSA", "ed", lambda m: bytes(64), False),
    "EdDSA, R of low order": ("EdDSA", "ed", ed(lambda r, s: little(1) + little(s)), False),
    "EdDSA, all ones": ("EdDSA", "ed", lambda m: b"\xff" * 64, False),
    "EdDSA, R alone": ("EdDSA", "ed", ed(lambda r, s: r), False),
    "EdDSA, a zero behind": ("EdDSA", "ed", ed(lambda r, s: r + little(s) + b"\0"), False),
    "EdDSA, S and R changed over": ("EdDSA", "ed", ed(lambda r, s: little(s) + r), False),
    "HS256": ("HS256", "oct", good("HS256", SECRET), True),
    "HS256, half": ("HS256", "oct", lambda m: signature("HS256", SECRET, m)[:16], False),
    "HS256, a byte less": ("HS256", "oct", lambda m: signature("HS256", SECRET, m)[:-1], False),
    "HS256, a zero behind": ("HS256", "oct", lambda m: signature("HS256", SECRET, m) + b"\0", False),
    "HS256, nothing": ("HS256", "oct", lambda m: b"", False),
    "HS256, all zeros": ("HS256", "oct", lambda m: bytes(32), False),
    "HS256 by SHA-512": ("HS256", "oct", lambda m: signature("HS512", SECRET, m), False),
    "HS256 by SHA-512, cut": ("HS256", "oct", lambda m: signature("HS512", SECRET, m)[:32], False),
    "HS256, a zero behind the key": ("HS256", "oct", lambda m: hmac.new(SECRET + b"\0", m, "sha256").digest(), False),
    "HS256, the key in base64url": ("HS256", "oct", lambda m: signature("HS256", b64(SECRET).encode(), m), False),
    "HS256 by a hash alone": ("HS256", "oct", lambda m: hashlib.sha256(SECRET + m).digest(), False),
}  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    file: Path = tmp_path_factory.mktemp("keys") / "keys.json"
    file.write_text(json.dumps({"keys": KEYS}))
    with TestClient(application(provider(Clock(), keys_file=str(file), algorithms=ALGORITHMS))) as found:
        yield found


@pytest.mark.parametrize("name", VECTORS)
def test_a_signature_has_its_verdict(client: TestClient, name: str) -> None:
    alg, kid, make, taken = VECTORS[name]
    signed = ".".join(b64(json.dumps(part).encode()) for part in ({"alg": alg, "kid": kid}, claims()))
    token = f"{signed}.{b64(make(signed.encode()))}"
    for _ in range(2):
        response = client.get("/x", headers={"Authorization": f"Bearer {token}"})
        assert response.status == (200 if taken else 401)
