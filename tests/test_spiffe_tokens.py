"""JWT-SVIDs as bearer tokens, verified by bundles that a real Workload API pushes (SPIFFE JWT-SVID 1.0)."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt_support import AUD, NOW, Clock, application, jwk, private, token
from spiffe_support import WorkloadApi, workload_api

from brrtrouter import ConfigError
from brrtrouter.config import Spiffe, SpiffeTokens
from brrtrouter.testing import TestClient, TestResponse, running

pytest.importorskip("spiffe")
from brrtrouter.providers.spiffe import SpiffeProvider

FIRST, SECOND, OTHER = private("P-256"), private("P-256", "second"), private("P-256", "of another domain")
RSA, ED = private("RSA2048"), private("Ed25519")
ID = "spiffe://example.org/api/v1"
INVALID = 'Bearer realm="api", error="invalid_token"'


def svid(key: Any = FIRST, kid: str | None = "1", alg: str = "ES256", header: Any = None, **changed: Any) -> str:
    body = {"sub": ID, "aud": [AUD], "iat": NOW - 10, "exp": NOW + 600, **changed}
    payload = {name: value for name, value in body.items() if value is not None}
    return token(payload, alg=alg, key=key, kid=kid, **(header or {}))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkloadApi]:
    with workload_api(tmp_path_factory.mktemp("s") / "api.sock") as found:
        found.push_keys(
            example_org=[
                jwk(FIRST, "1", use="jwt-svid"),
                jwk(RSA, "rsa"),
                jwk(ED, "ed"),
                jwk(private("RSA1024"), "weak"),
            ],
            other_org=[jwk(OTHER, "1")],
            third_org=[jwk(OTHER, "3")],
        )
        yield found


def provider(api: WorkloadApi, clock: Any, **given: Any) -> SpiffeProvider:
    settings = {"audiences": (AUD,), "trust_domains": ("example.org", "other.org"), **given}
    return SpiffeProvider(SpiffeTokens(**settings), spiffe=Spiffe(socket=api.socket), wall=clock)


@pytest.fixture(scope="module")
def client(api: WorkloadApi) -> Iterator[TestClient]:
    app = application(provider(api, Clock()))
    with TestClient(app) as found:
        yield found
    app.close()


def send(client: TestClient, text: str, path: str = "/x") -> TestResponse:
    return client.get(path, headers={"Authorization": f"Bearer {text}"})


ACCEPTED = {
    "ES256": svid(),
    "RS256": svid(RSA, "rsa", "RS256"),
    "PS512": svid(RSA, "rsa", "PS512"),
    "one audience as a text": svid(aud=AUD),
    "typ JOSE": svid(header={"typ": "JOSE"}),
    "another domain": svid(OTHER, sub="spiffe://other.org/x"),
    "exp a moment ago": svid(exp=NOW - 3),
    "iat a moment ahead": svid(iat=NOW + 3),
    "without iat": svid(iat=None),
}
REFUSED = {
    "by a key of another domain": svid(OTHER),
    "by a key of a domain that is not taken": svid(OTHER, "3", sub="spiffe://third.org/x"),
    "an id of a domain that is not taken": svid(sub="spiffe://third.org/x"),
    "an id of another domain": svid(sub="spiffe://other.org/x"),
    "unknown kid": svid(kid="2"),
    "wrong key": svid(SECOND),
    "EdDSA": svid(ED, "ed", "EdDSA"),
    "HS256": svid(b"s" * 64, "1", "HS256"),
    "RSA-1024": svid(private("RSA1024"), "weak", "RS256"),
    "typ at+jwt": svid(header={"typ": "at+jwt"}),
    "typ a list": svid(header={"typ": ["JWT"]}),
    "crit": svid(header={"crit": ["x"], "x": 1}),
    "aud of another": svid(aud=["else"]),
    "no aud": svid(aud=None),
    "expired": svid(exp=NOW - 31),
    "no exp": svid(exp=None),
    "nbf ahead": svid(nbf=NOW + 31),
    "iat ahead": svid(iat=NOW + 31),
    "iat a text": svid(iat="0"),
    "no sub": svid(sub=None),
    "sub a number": svid(sub=1),
    "sub no id": svid(sub="ada"),
    "sub without a path": svid(sub="spiffe://example.org"),
    "sub with a slash": svid(sub="spiffe://example.org/"),
    "sub with dots": svid(sub="spiffe://example.org/a/../b"),
    "sub with a dot": svid(sub="spiffe://example.org/a/."),
    "sub with an empty segment": svid(sub="spiffe://example.org/a//b"),
    "sub with a line feed": svid(sub=ID + "\n"),
    "sub in capitals": svid(sub="spiffe://Example.org/a"),
    "sub with an escape": svid(sub="spiffe://example.org/%61"),
    "sub with a port": svid(sub="spiffe://example.org:80/a"),
    "sub with a query": svid(sub="spiffe://example.org/a?b"),
    "sub of 2049 letters": svid(sub="spiffe://example.org/" + "a" * 2028),
    "payload changed": (lambda parts: f"{parts[0]}.{svid(sub=ID + 'x').split('.')[1]}.{parts[2]}")(svid().split(".")),
    "no token": "a.b",
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_good_svid_is_taken_and_taken_again(client: TestClient, name: str) -> None:
    assert [send(client, ACCEPTED[name]).status for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_svid_is_refused_and_refused_again(client: TestClient, name: str) -> None:
    for _ in range(2):
        response = send(client, REFUSED[name])
        assert (response.status, response.headers["www-authenticate"]) == (401, INVALID)


@given(raw=st.binary(max_size=300))
def test_no_bytes_in_place_of_a_token_are_more_than_refused(client: TestClient, raw: bytes) -> None:
    text = raw.decode("latin-1")
    assert send(client, "".join(each for each in text if each not in "\r\n\0")).status in (400, 401)


def test_the_id_is_the_subject_and_scopes_are_looked_at(client: TestClient) -> None:
    assert send(client, svid(scope="read")).json() == {"sub": ID, "scopes": ["read"]}
    assert send(client, svid(scope="read"), "/read").status == 200
    response = send(client, svid(), "/read")
    assert response.status == 403
    assert response.headers["www-authenticate"].endswith('error="insufficient_scope", scope="read"')


def test_ids_that_are_not_allowed_are_403(api: WorkloadApi) -> None:
    ids = ("spiffe://example.org/api/*", "spiffe://example.org/billing")
    app = application(provider(api, Clock(), allowed_ids=ids))
    with TestClient(app) as client:
        for path, status in (("api/v1", 200), ("billing", 200), ("api", 403), ("billing/a", 403), ("other", 403)):
            text = svid(sub=f"spiffe://example.org/{path}")
            assert [send(client, text).status for _ in range(2)] == [status, status]
    app.close()


def test_a_token_is_no_longer_taken_when_it_has_expired(api: WorkloadApi) -> None:
    clock = Clock()
    app = application(provider(api, clock))
    with TestClient(app) as client:
        text = svid()
        assert send(client, text).status == 200
        clock.now += 629
        assert send(client, text).status == 200
        clock.now += 1
        assert send(client, text).status == 401
    app.close()


def test_nothing_follows_the_workload_api_when_the_app_is_closed_and_it_may_begin_again(tmp_path: Path) -> None:
    with workload_api(tmp_path / "s") as api:
        api.push_keys(example_org=[jwk(FIRST, "1")])
        tried = provider(api, Clock())
        app = application(tried)
        with TestClient(app) as client:
            for _ in range(2):
                assert send(client, svid()).status == 200
                thread = tried._watch._thread
                assert thread is not None
                assert thread.is_alive()
                app.close()
                assert not thread.is_alive()


# -- bundles that change, and a Workload API that is away


def until(client: TestClient, text: str, status: int) -> None:
    """Wait for what is pushed: that takes as long as it takes, but not for ever."""
    end = time.monotonic() + 20
    while send(client, text).status != status:
        assert time.monotonic() < end


def test_new_bundles_are_used_without_a_restart_and_old_keys_no_longer(tmp_path: Path) -> None:
    with workload_api(tmp_path / "s") as api:
        api.push_keys(example_org=[jwk(FIRST, "1")])
        app = application(provider(api, Clock()))
        with TestClient(app) as client:
            old, new = svid(), svid(SECOND, "2")
            assert [send(client, old).status, send(client, new).status] == [200, 401]
            api.push_keys(example_org=[jwk(FIRST, "1"), jwk(SECOND, "2")])
            until(client, new, 200)
            assert send(client, old).status == 200
            api.push_keys(example_org=[jwk(SECOND, "2")])
            until(client, old, 401)  # remembered, but its key has been taken back
            assert send(client, new).status == 200
            api.push_keys(example_org=[])
            until(client, new, 401)
        app.close()
        assert api.metadata[0]["workload.spiffe.io"] == "true"


def test_keys_change_under_load_without_a_failed_request(tmp_path: Path) -> None:
    def load(number: int) -> list[int]:
        found = []
        for turn in range(60):
            if number == 0 and turn == 20:
                api.push_keys(example_org=[jwk(FIRST, "1"), jwk(SECOND, "2")])
            found.append(status_of(server.url, svid(exp=NOW + 600 + turn)))
        return found

    with workload_api(tmp_path / "s") as api:
        api.push_keys(example_org=[jwk(FIRST, "1")])
        with running(application(provider(api, Clock()))) as server, ThreadPoolExecutor(4) as pool:
            assert [status for each in pool.map(load, range(4)) for status in each] == [200] * 240
        assert api.streams == 1  # one stream for all of it


def status_of(url: str, text: str) -> int:
    connection = http.client.HTTPConnection(url.partition("//")[2], timeout=20)
    try:
        connection.request("GET", "/x", headers={"Authorization": f"Bearer {text}"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_without_bundles_nobody_can_tell_and_nobody_else_waits(tmp_path: Path) -> None:
    api = WorkloadApi(f"unix:{tmp_path / 's'}")
    app = application(provider(api, Clock(), wait_secs=0.05))
    with TestClient(app) as client:
        response = send(client, svid())
        assert (response.status, response.headers["retry-after"]) == (503, "1")
        assert send(client, "no-svid").status == 401
        with workload_api(tmp_path / "s", api):
            api.push_keys(example_org=[jwk(FIRST, "1")])
            until(client, svid(), 200)
    app.close()


def test_while_the_workload_api_is_away_the_last_bundles_are_used(tmp_path: Path) -> None:
    app = None
    with workload_api(tmp_path / "s") as api:
        api.push_keys(example_org=[jwk(FIRST, "1")])
        app = application(provider(api, Clock()))
        client = TestClient(app)
        assert send(client, svid()).status == 200
    assert send(client, svid()).status == 200
    assert send(client, svid(sub=ID + "2")).status == 200  # not only what is remembered
    again = WorkloadApi(api.socket)
    again.push_keys(example_org=[jwk(SECOND, "2")])
    with workload_api(tmp_path / "s", again):
        until(client, svid(SECOND, "2"), 200)
        assert send(client, svid()).status == 401
    client.close()
    app.close()


@pytest.mark.parametrize("raw", [b"", b"{", b'{"keys": 1}', b"[]"], ids=str)
def test_bundles_that_make_no_sense_change_nothing(
    tmp_path: Path, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with workload_api(tmp_path / "s") as api:
        api.push_keys(example_org=[jwk(FIRST, "1")])
        app = application(provider(api, Clock()))
        with TestClient(app) as client:
            assert send(client, svid()).status == 200
            streams = api.streams
            api.push_keys(example_org=raw)
            with api._changed:
                assert api._changed.wait_for(lambda: api.streams > streams, 20)
            assert send(client, svid(sub=ID + "2")).status == 200
            api.push_keys(example_org=[jwk(SECOND, "2")])
            until(client, svid(SECOND, "2"), 200)
        app.close()
    assert "what came last stays in use" in caplog.text


# -- the configuration


def test_the_configuration_alone_is_enough(api: WorkloadApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIFFE_ENDPOINT_SOCKET", api.socket)
    config = {"security": {"spiffe": {"T": {"audiences": AUD, "trust_domains": ["example.org"]}}}}
    app = application(config=config)
    with TestClient(app) as client:
        assert send(client, svid(iat=None, exp=4_000_000_000)).status == 200
        assert send(client, svid(OTHER, sub="spiffe://other.org/x", iat=None, exp=4_000_000_000)).status == 401
    app.close()


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"audiences": []}, r"security\.spiffe\.T needs 'audiences' and 'trust_domains'"),
        ({"trust_domains": []}, "needs 'audiences' and 'trust_domains'"),
        ({"algorithms": ["HS256"]}, r"security\.spiffe\.T\.algorithms: 'HS256' is not one of"),
        ({"allowed_ids": ["spiffe://else/x"]}, r"allowed_ids: 'spiffe://else/x' is no id of one of trust_domains"),
        ({"allowed_ids": ["x"]}, "allowed_ids: 'x' is no id"),
        ({}, r"security\.spiffe\.T needs spiffe\.socket or SPIFFE_ENDPOINT_SOCKET"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_named(
    entry: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPIFFE_ENDPOINT_SOCKET", raising=False)
    good = {"audiences": [AUD], "trust_domains": ["example.org"]}
    with pytest.raises(ConfigError, match=words):
        _ = application(config={"security": {"spiffe": {"T": {**good, **entry}}}}).service
