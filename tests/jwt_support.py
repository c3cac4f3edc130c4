"""What the tests of tokens share: keys, tokens made by hand, an issuer with a real socket, and a clock."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from brrtrouter import App, Request
from brrtrouter.credentials import Jwks
from brrtrouter.providers.jwt import JwtProvider

NOW = 1_800_000_000
ISS, AUD = "https://issuer.example", "api"
HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def integer(value: int, length: int | None = None) -> str:
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


@cache
def private(kind: str, name: str = "first") -> Any:
    """One key for each kind (RSA1024, RSA2048, P-256, P-384, P-521, Ed25519) and name."""
    if kind.startswith("RSA"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    curves = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
    return ec.generate_private_key(curves[kind]()) if kind in curves else ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, kid: str | None, **more: Any) -> dict[str, Any]:
    """The public key as a JWK (RFC 7517)."""
    named = {} if kid is None else {"kid": kid}
    if isinstance(key, bytes):
        return {"kty": "oct", "k": b64(key), **named, **more}
    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": integer(numbers.n), "e": integer(numbers.e), **named, **more}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        numbers, length = public.public_numbers(), (key.key_size + 7) // 8
        point = {"x": integer(numbers.x, length), "y": integer(numbers.y, length)}
        return {"kty": "EC", "crv": f"P-{key.key_size}", **point, **named, **more}
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw()), **named, **more}


def pem(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def signature(alg: str, key: Any, signed: bytes) -> bytes:
    """What RFC 7518 section 3 and RFC 8037 section 3.1 say."""
    if alg.startswith("HS"):
        return hmac.new(key, signed, "sha" + alg[2:]).digest()
    if alg.startswith("RS"):
        return bytes(key.sign(signed, padding.PKCS1v15(), HASHES[alg[2:]]()))
    if alg.startswith("PS"):
        digest = HASHES[alg[2:]]()
        return bytes(key.sign(signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest))
    if alg.startswith("ES"):
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(HASHES[alg[2:]]())))
        length = (key.key_size + 7) // 8
        return bytes(r.to_bytes(length, "big") + s.to_bytes(length, "big"))
    return bytes(key.sign(signed))


def claims(**changed: Any) -> dict[str, Any]:
    """Good claims, with some changed; None takes one away."""
    found = {"iss": ISS, "aud": AUD, "sub": "ada", "iat": NOW - 10, "exp": NOW + 600, "scope": "read write", **changed}
    return {name: value for name, value in found.items() if value is not None}


def token(
    payload: Any = None, *, alg: str = "RS256", key: Any = None, kid: Any = "rsa", header: Any = None, **more: Any
) -> str:
    """A signed token.  `header` and `payload` as bytes are taken as they are."""
    head = {"alg": alg, "typ": "JWT", "kid": kid, **more} if header is None else header
    body = claims() if payload is None else payload
    parts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in (head, body)]
    signed = ".".join(map(b64, parts))
    return f"{signed}.{b64(signature(alg, private('RSA2048') if key is None else key, signed.encode()))}"


PATHS: dict[str, list[str]] = {"/x": [], "/read": ["read"], "/admin": ["read", "admin"]}


async def show(request: Request) -> Any:
    """What the token was found to say."""
    principal = request.auth["T"]
    return {"sub": principal.subject, "scopes": sorted(principal.scopes)}


def application(provider: Any = None, config: Any = None, scheme: dict[str, Any] | None = None) -> App:
    """An application whose operations want a token, one for each list of scopes."""
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {
            path: {
                "get": {"x-handler-name": "op", "security": [{"T": scopes}], "responses": {"200": {"description": ""}}}
            }
            for path, scopes in PATHS.items()
        },
        "components": {"securitySchemes": {"T": scheme or {"type": "http", "scheme": "bearer"}}},
    }
    return App(document, {"op": show}, config, security={"T": provider} if provider else None)


def provider(clock: Clock, **settings: Any) -> JwtProvider:
    settings = {"iss": ISS, "aud": (AUD,), **settings}
    return JwtProvider(Jwks(**settings), wall=clock, monotonic=clock)


class Issuer:
    """An HTTP server that answers with `status`, `headers` and `body`; `before` runs first, in the server's thread."""

    def __init__(self) -> None:
        self.body: bytes = b"{}"
        self.status = 200
        self.headers: dict[str, str] = {}
        self.before: Callable[[], None] = lambda: None
        self.paths: list[str] = []
        self.url = ""

    def publish(self, *keys: dict[str, Any]) -> None:
        """Have a set of these keys from now on."""
        self.status, self.body = 200, json.dumps({"keys": keys}).encode()

    @property
    def fetches(self) -> int:
        return len(self.paths)


@contextmanager
def issuing(*keys: dict[str, Any]) -> Iterator[Issuer]:
    """An issuer on a free port."""
    issuer = Issuer()
    issuer.publish(*keys)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.paths.append(self.path)
            issuer.before()
            self.send_response(issuer.status)
            for name, value in issuer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(issuer.body)))
            self.end_headers()
            with suppress(OSError):  # the client does not want all of it
                self.wfile.write(issuer.body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}/keys"
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
