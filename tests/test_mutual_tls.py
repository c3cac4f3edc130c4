"""Who is let in by the certificate that TLS has verified, over real TLS connections."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt_support import application
from spiffe_support import Domain
from test_tls import AUTHORITY, ask, client_context, connected, files, settings
from wire import Answer

from brrtrouter import ConfigError
from brrtrouter.config import MutualTls, Spiffe
from brrtrouter.providers.mutual_tls import Below, MutualTlsProvider, distinguished_name
from brrtrouter.server.handle import Server

__all__ = ["files"]  # the fixture that writes the files of the server
GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
SCHEME = {"type": "mutualTLS"}


def certified(name: str | None, *uris: str, common_name: str | None = None) -> ssl.SSLContext:
    """The context of a client with a certificate with these names."""
    context = client_context()
    identities = [name] if name else []
    leaf = AUTHORITY.issue_cert(*identities, *uris, common_name=common_name, organization_name="Example, Inc")
    leaf.configure_cert(context)
    return context


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Any]:
    """Start a server whose scheme has these settings."""
    started: list[Server] = []

    def start(**entry: Any) -> tuple[str, int]:
        app = application(config={"security": {"mutual_tls": {"T": entry}}}, scheme=SCHEME)
        given = settings(tmp_path, tls_ca=str(tmp_path / "ca.pem"), tls_client="optional")
        started.append(Server(app, port=0, settings=given).start().wait_ready())
        return started[-1].address

    yield start
    for server in started:
        server.stop()


def sent(address: tuple[str, int], context: ssl.SSLContext | None = None) -> Answer:
    with connected(address, context) as secure:
        return ask(secure, GET)


def test_names_of_a_certificate_let_it_in(serve: Any) -> None:
    address = serve(dns=["Billing.example"], subjects=["CN=ada,OU=*,O=x"])
    answer = sent(address, certified("billing.example"))
    assert answer.status == 200
    assert sent(address, certified("billing.example.evil.example")).status == 403
    missing = sent(address)
    assert missing.status == 401
    assert missing.headers["www-authenticate"] == 'MutualTLS realm="api"'


def test_the_subject_of_a_certificate_lets_it_in(serve: Any) -> None:
    certificate = certified("a.example", common_name="ada")
    address = serve(any_certificate=True)
    subject = json.loads(sent(address, certificate).body)["sub"]
    assert subject.startswith("CN=ada,OU=")
    assert subject.endswith(r",O=Example\, Inc")
    address = serve(subjects=[subject])
    with connected(address, certificate) as secure:
        assert [ask(secure, GET).status for _ in range(3)] == [200] * 3
    assert sent(address, certified("a.example", common_name="ada,O=x")).status == 403


@pytest.mark.parametrize(
    ("pattern", "status"),
    [
        ("spiffe://example.org/api/v1", 200),
        ("spiffe://example.org/api/*", 200),
        ("spiffe://example.org/*", 200),
        ("spiffe://example.org/api", 403),
        ("spiffe://example.org/ap/*", 403),
        ("spiffe://example.com/*", 403),
    ],
)
def test_a_spiffe_id_lets_it_in(serve: Any, pattern: str, status: int) -> None:
    answer = sent(serve(uris=[pattern]), svid("spiffe://example.org/api/v1"))
    assert answer.status == status
    if status == 200:
        assert json.loads(answer.body)["sub"] == "spiffe://example.org/api/v1"


def test_a_certificate_with_two_ids_is_nobody(serve: Any) -> None:
    address = serve(any_certificate=True)
    assert sent(address, svid("spiffe://example.org/a", "spiffe://example.org/b")).status == 403
    assert sent(address, svid("https://a.example/", "https://b.example/")).status == 200


def svid(*uris: str) -> ssl.SSLContext:
    """A client whose certificate, by the authority of the tests, has these URIs."""
    return Domain.of(AUTHORITY).client(client_context(), *uris)


# -- without a connection


class Request:
    """What a provider looks at."""

    def __init__(self, certificate: dict[str, Any] | None) -> None:
        self.client_certificate = certificate


class Scheme:
    name, type, location, parameter, http_scheme = "T", "mutualTLS", "", "", ""


def shown(**changed: Any) -> dict[str, Any]:
    return {
        "subject": ((("commonName", "ada"),),),
        "issuer": ((("organizationName", "Example"),),),
        "serialNumber": "0A",
        "notAfter": "Jan  1 00:00:00 2030 GMT",
        "subjectAltName": (("DNS", "a.example"), ("URI", "spiffe://example.org/a")),
        **changed,
    }


def test_a_certificate_that_has_expired_since_is_refused() -> None:
    end = datetime(2030, 1, 1, tzinfo=timezone.utc)
    now = [(end - timedelta(seconds=1)).timestamp()]
    tried: Any = MutualTlsProvider(MutualTls(any_certificate=True), wall=lambda: now[0])
    request = Request(shown())
    assert tried.authenticate(request, Scheme, ()).subject == "spiffe://example.org/a"
    assert tried.authenticate(request, Scheme, ("admin",)).reason == "scope"
    now[0] += 1
    assert tried.authenticate(request, Scheme, ()).reason == "invalid"


def test_what_is_known_of_certificates_is_bounded_and_never_mixed_up() -> None:
    tried: Any = MutualTlsProvider(MutualTls(uris=("spiffe://example.org/*",)), wall=lambda: 0.0)
    for number in range(1000):
        uri = f"spiffe://example.{'org' if number % 2 else 'com'}/{number}"
        verdict = tried.authenticate(Request(shown(subjectAltName=(("URI", uri),))), Scheme, ())
        assert (verdict.subject if number % 2 else verdict.reason) == (uri if number % 2 else "forbidden")
    assert len(tried._judged) <= 256


def test_handlers_see_what_the_certificate_says_and_cannot_change_it() -> None:
    tried: Any = MutualTlsProvider(MutualTls(dns=("a.example",)), wall=lambda: 0.0)
    found = tried.authenticate(Request(shown()), Scheme, ())
    assert (found.claims["subject"], found.claims["issuer"], found.claims["dns"]) == (
        "CN=ada",
        "O=Example",
        ("a.example",),
    )
    with pytest.raises(TypeError):
        found.claims["subject"] = "CN=eve"


@pytest.mark.parametrize(
    ("pattern", "text", "has"),
    [
        ("spiffe://a/b/*", "spiffe://a/b/c/d", True),
        ("spiffe://a/b/*", "spiffe://a/b/", False),
        ("spiffe://a/b/*", "spiffe://a/b", False),
        ("spiffe://a/b/*", "spiffe://a/b/../c", False),
        ("spiffe://a/b/*", "spiffe://a/b/./c", False),
        ("spiffe://a/b/*", "spiffe://a/bc", False),
        ("spiffe://a/*", "spiffe://a.evil/c", False),
        ("spiffe://a/b", "spiffe://a/b", True),
        ("spiffe://a/b", "spiffe://a/B", False),
    ],
)
def test_what_is_below_an_id(pattern: str, text: str, has: bool) -> None:
    assert Below([pattern]).has(text) is has


NAMES = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["commonName", "organizationName"]), st.text(max_size=5)), min_size=1, max_size=2
    ),
    max_size=3,
)


@given(one=NAMES, other=NAMES)
def test_no_two_names_have_the_same_text(one: Any, other: Any) -> None:
    assert (distinguished_name(one) == distinguished_name(other)) is (one == other)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({}, r"security\.mutual_tls\.T needs 'subjects', 'dns' or 'uris', or else 'any_certificate'"),
        ({"dns": ["a"], "any_certificate": True}, "or else 'any_certificate'"),
    ],
)
def test_settings_that_make_no_sense_are_named(entry: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        _ = application(config={"security": {"mutual_tls": {"T": entry}}}, scheme=SCHEME).service


def test_ids_that_the_bundle_of_the_server_can_never_show_are_refused_at_the_start() -> None:
    with pytest.raises(ConfigError, match=r"uris: spiffe://b/\* is not of the trust domain a"):
        MutualTlsProvider(MutualTls(uris=("spiffe://b/*",)), spiffe=Spiffe(tls=True, trust_domain="a"))


def test_a_scheme_without_settings_names_the_key() -> None:
    with pytest.raises(ConfigError, match=r"set security\.mutual_tls\.T\.uris in the configuration"):
        _ = application(scheme=SCHEME).service
