"""Requests that a page of another origin makes a browser send: by where they come from, and by token."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from brrtrouter import App, ConfigError, Request, Response
from brrtrouter.errors import SpecError
from brrtrouter.policy.security import Denial, Principal, credential
from brrtrouter.testing import TestClient, TestResponse

SECRET = "0123456789abcdef0123456789abcdef"
SITE = {"Host": "api.example"}
EVIL = {"Origin": "https://evil.example"}
SCHEMES = {
    "Cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
    "Key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "Query": {"type": "apiKey", "in": "query", "name": "key"},
    "Bearer": {"type": "http", "scheme": "bearer"},
    "Basic": {"type": "http", "scheme": "basic"},
}


def operation(name: str, **more: Any) -> dict[str, Any]:
    return {"operationId": name, "responses": {"200": {"description": ""}}, **more}


DOCUMENT: dict[str, Any] = {
    "openapi": "3.2.0",
    "info": {"title": "t", "version": "1"},
    "paths": {
        "/open": {
            **{method: operation(method) for method in ("get", "post", "put", "patch", "delete", "options", "query")},
        },
        "/json": {"post": operation("json", requestBody={"content": {"application/json": {}}})},
        "/off": {"post": operation("off", **{"x-csrf": False})},
        **{f"/{name}": {"post": operation(name, security=[{name: []}])} for name in SCHEMES},
        "/either": {"post": operation("either", security=[{"Bearer": []}, {"Cookie": []}])},
        "/both": {"post": operation("both", security=[{"Cookie": [], "Key": []}])},
    },
    "components": {"securitySchemes": SCHEMES},
}
NAMES = [each["operationId"] for item in DOCUMENT["paths"].values() for each in item.values()]


class Anybody:
    """A provider that takes any credential of its scheme; a bearer token from a cookie too."""

    def authenticate(self, request: Request, scheme: Any, scopes: Any) -> Any:
        found = credential(request, scheme)
        if found is None and scheme.name == "Bearer":
            found = request.raw_cookies().get("token")
        return Principal("ada") if found else Denial("missing", "X")


async def answer(request: Request) -> Any:
    return {"method": request.method}


def app(document: Mapping[str, Any] = DOCUMENT, **settings: Any) -> App:
    config = {"csrf": {"enabled": True, **settings}, "server": {"trusted_proxies": ["unix"]}}
    return App(dict(document), dict.fromkeys(NAMES, answer), config, security=dict.fromkeys(SCHEMES, Anybody()))


@pytest.fixture(scope="module")
def plain() -> Iterator[TestClient]:
    with TestClient(app(trusted_origins=["https://app.example", "https://*.apps.example"])) as made:
        yield made


@pytest.fixture(scope="module")
def tokens() -> Iterator[TestClient]:
    with TestClient(app(secret=SECRET, endpoint="/csrf-token")) as made:
        yield made


def post(made: TestClient, path: str = "/open", method: str = "POST", **fields: str) -> int:
    sent = {**SITE, **{name.replace("_", "-"): value for name, value in fields.items()}}
    return made.request(method, path, headers=sent).status


# -- where it comes from


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "QUERY"])
def test_methods_that_change_nothing_pass(plain: TestClient, method: str) -> None:
    assert post(plain, method=method, Sec_Fetch_Site="cross-site", Cookie="session=s", **EVIL) == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("site", "status"),
    [
        ("same-origin", 200),
        ("none", 200),
        ("same-site", 403),
        ("cross-site", 403),
        ("Same-Origin", 403),
        ("", 403),
        ("same-origin, cross-site", 403),
        ("anything", 403),
    ],
)
def test_what_the_browser_says_of_the_site_decides(plain: TestClient, method: str, site: str, status: int) -> None:
    assert post(plain, method=method, Sec_Fetch_Site=site) == status
    assert post(plain, method=method, Sec_Fetch_Site=site, Cookie="session=s") == status


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://api.example", "api.example", 200),
        ("http://api.example", "api.example:80", 200),
        ("http://api.example:8080", "api.example:8080", 200),
        ("http://api.example", "API.example", 200),
        ("http://api.example:8080", "api.example", 403),
        ("http://api.example", "api.example:8080", 403),
        ("https://api.example", "api.example", 403),
        ("http://api.example.evil.example", "api.example", 403),
        ("http://evil-api.example", "api.example", 403),
        ("http://www.api.example", "api.example", 403),
        ("http://api.example/", "api.example", 403),
        ("http://api.example, http://evil.example", "api.example", 403),
        ("null", "api.example", 403),
        ("null", "null", 403),
        ("", "api.example", 403),
    ],
)
def test_an_origin_is_compared_with_scheme_host_and_port(
    plain: TestClient, origin: str, host: str, status: int
) -> None:
    assert post(plain, Origin=origin, Host=host) == status


def test_two_origins_are_none(plain: TestClient) -> None:
    fields = [("Host", "api.example"), ("Origin", "http://api.example"), ("Origin", "http://api.example")]
    assert plain.post("/open", headers=fields).status == 403


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://app.example", 200),
        ("https://x.apps.example", 200),
        ("https://apps.example", 403),
        ("http://app.example", 403),
        ("https://app.example:8443", 403),
        ("https://app.example.evil.example", 403),
    ],
)
@pytest.mark.parametrize("site", [None, "same-site", "cross-site"])
def test_pages_of_trusted_origins_may(plain: TestClient, origin: str, status: int, site: str | None) -> None:
    fields = {} if site is None else {"Sec_Fetch_Site": site}
    assert post(plain, Origin=origin, Cookie="session=s", **fields) == status


def test_a_site_that_is_not_ours_is_not_made_so_by_our_origin(plain: TestClient) -> None:
    assert post(plain, Sec_Fetch_Site="cross-site", Origin="http://api.example") == 403


def test_a_program_passes_unless_it_has_a_cookie(plain: TestClient) -> None:
    assert post(plain) == 200
    assert post(plain, Cookie="session=s") == 403
    assert post(plain, Cookie="anything=s") == 403


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"])
def test_a_field_that_names_another_method_means_nothing(plain: TestClient, name: str) -> None:
    assert plain.post("/open", headers={**SITE, **EVIL, name: "GET"}).status == 403
    assert plain.get("/open", headers={**SITE, **EVIL, name: "POST"}).json() == {"method": "GET"}
    assert plain.post("/open?_method=GET", headers={**SITE, **EVIL}).status == 403


def test_json_that_a_form_could_send_is_not_json(plain: TestClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        fields = {**SITE, "Sec-Fetch-Site": "same-origin", "Content-Type": kind}
        assert plain.post("/json", headers=fields, content=b"{}").status == 415


def test_a_page_of_another_origin_opens_no_websocket(plain: TestClient) -> None:
    handshake = {"Connection": "Upgrade", "Upgrade": "websocket", "Cookie": "session=s"}
    assert post(plain, method="GET", **handshake, **EVIL) == 403
    assert post(plain, method="GET", **handshake, Origin="null") == 403
    assert post(plain, method="GET", **handshake) == 403
    assert post(plain, method="GET", **handshake, Origin="http://api.example") != 403
    assert post(plain, method="GET", Connection="Upgrade", Upgrade="websocket") != 403


def test_a_refusal_is_a_problem_that_echoes_nothing(plain: TestClient) -> None:
    refused = plain.post("/open", headers={**SITE, "Origin": "https://<script>.example"})
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["detail"] == "the request comes from a page of another origin"
    assert b"script" not in refused.raw


def test_an_operation_can_be_left_out_and_without_the_setting_all_are(plain: TestClient) -> None:
    assert post(plain, "/off", Cookie="session=s", **EVIL) == 200
    with TestClient(app(enabled=False)) as off:
        assert post(off, Cookie="session=s", **EVIL) == 200


# -- with which credentials


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/Bearer", {"Authorization": "Bearer t"}, 200),
        ("/Bearer", {"Authorization": "Bearer t", "Cookie": "session=s"}, 200),
        ("/Bearer", {"Cookie": "token=t"}, 403),
        ("/Key", {"X-Key": "k"}, 200),
        ("/Query?key=k", {}, 200),
        ("/Basic", {"Authorization": "Basic eDp5"}, 403),
        ("/Cookie", {"Cookie": "session=s"}, 403),
        ("/either", {"Authorization": "Bearer t", "Cookie": "session=s"}, 200),
        ("/either", {"Cookie": "session=s"}, 403),
        ("/both", {"X-Key": "k", "Cookie": "session=s"}, 403),
        ("/open", {"Authorization": "Bearer t"}, 403),
    ],
)
def test_credentials_that_no_browser_adds_are_proof_enough(
    plain: TestClient, path: str, fields: dict[str, str], status: int
) -> None:
    sent = {**SITE, **EVIL, "Sec-Fetch-Site": "cross-site", **fields}
    assert plain.post(path, headers=sent).status == status


def test_security_is_asked_first(plain: TestClient) -> None:
    assert plain.post("/Cookie", headers={**SITE, **EVIL}).status == 401


# -- tokens


def given(made: TestClient, session: str = "s1", cookie: str = "") -> tuple[str, str]:
    """(token, what the browser sends as Cookie from then on)."""
    answer = made.get("/csrf-token", headers={**SITE, "Cookie": f"session={session}; {cookie}"})
    token = answer.json()["token"]
    assert answer.headers["set-cookie"] == f"__Host-csrf={token}; Path=/; Secure; HttpOnly; SameSite=Strict"
    assert answer.headers["cache-control"] == "no-store"
    return token, f"session={session}; __Host-csrf={token}"


def send(made: TestClient, cookie: str, token: str | None, path: str = "/open") -> TestResponse:
    fields = {**SITE, "Sec-Fetch-Site": "same-origin", "Cookie": cookie}
    return made.post(path, headers=fields | ({} if token is None else {"X-CSRF-Token": token}))


def test_the_token_of_the_session_passes_and_one_alone_does_not(tokens: TestClient) -> None:
    token, cookie = given(tokens)
    assert send(tokens, cookie, token).status == 200
    assert send(tokens, cookie, token, "/Cookie").status == 200
    refused = send(tokens, cookie, None)
    assert refused.status == 403
    assert refused.json()["detail"] == "the header field X-CSRF-Token does not have the token of this session"
    assert send(tokens, "session=s1", token).status == 403
    assert send(tokens, cookie, None, f"/open?X-CSRF-Token={token}&csrf={token}").status == 403


def altered(token: str) -> Iterator[str]:
    random, _, mac = token.partition(".")
    yield from (
        "",
        ".",
        token[:-1],
        token[1:],
        token + "A",
        token + "=",
        random,
        f"{random}.",
        f".{mac}",
        f"{mac}.{random}",
    )
    yield from (
        token.swapcase(),
        f"{random}.{'A' * len(mac)}",
        f"{'A' * len(random)}.{mac}",
        f"{token}.{mac}",
        "\xff" * 9,
    )
    yield base64.urlsafe_b64encode(b"x" * 16).decode().rstrip("=") + "." + mac


def test_a_token_that_we_have_not_made_is_refused_though_the_cookie_says_the_same(tokens: TestClient) -> None:
    token, _ = given(tokens)
    for wrong in altered(token):
        assert send(tokens, f"session=s1; __Host-csrf={wrong}", wrong).status == 403, wrong
        assert send(tokens, f"session=s1; __Host-csrf={token}", wrong).status == 403, wrong
        assert send(tokens, f"session=s1; __Host-csrf={wrong}", token).status == 403, wrong


def test_a_token_of_another_session_or_from_before_the_login_is_refused(tokens: TestClient) -> None:
    before, _ = given(tokens, "")
    other, _ = given(tokens, "s2")
    for token in (before, other):
        assert send(tokens, f"session=s1; __Host-csrf={token}", token).status == 403
    own, cookie = given(tokens, "s1", f"__Host-csrf={before}")
    assert own != before
    assert send(tokens, cookie, own).status == 200
    assert send(tokens, f"__Host-csrf={own}", own).status == 403


def test_a_token_that_is_good_stays_so_that_pages_which_are_open_go_on(tokens: TestClient) -> None:
    token, _ = given(tokens)
    assert given(tokens, "s1", f"__Host-csrf={token}")[0] == token
    assert given(tokens)[0] != token


def test_bytes_do_not_wander_between_session_and_token(tokens: TestClient) -> None:
    made = tokens.app.guards.tokens
    assert made is not None
    token, _ = given(tokens, "s1")
    random, _, mac = token.partition(".")
    raw = base64.urlsafe_b64decode(random + "==")
    shifted = base64.urlsafe_b64encode(raw[1:]).decode().rstrip("=") + "." + mac
    assert send(tokens, f"session=s1{chr(raw[0] % 64 + 64)}; __Host-csrf={shifted}", shifted).status == 403


def test_a_good_token_does_not_help_a_page_of_another_origin(tokens: TestClient) -> None:
    token, cookie = given(tokens)
    fields = {**SITE, "Cookie": cookie, "X-CSRF-Token": token}
    assert tokens.post("/open", headers={**fields, "Sec-Fetch-Site": "cross-site"}).status == 403
    assert tokens.post("/open", headers={**fields, **EVIL}).status == 403


def test_who_has_no_cookie_or_brings_a_key_needs_no_token(tokens: TestClient) -> None:
    assert post(tokens) == 200
    assert post(tokens, "/Key", X_Key="k", Cookie="session=s1") == 200
    assert post(tokens, Sec_Fetch_Site="same-origin") == 200


def test_tokens_of_another_secret_are_refused(tokens: TestClient) -> None:
    token, cookie = given(tokens)
    with TestClient(app(secret=SECRET[::-1])) as other:
        assert send(other, cookie, token).status == 403


def test_a_handler_can_give_a_token_in_a_page(tokens: TestClient) -> None:
    made = app(secret=SECRET, same_site="Lax", cookie="csrf", header="X-Own", session_cookie="sid")
    assert made.guards.tokens is not None

    async def page(request: Request) -> Any:
        assert made.guards.tokens is not None
        token = made.guards.tokens.issue(request)
        return Response(200, token.value, {"Set-Cookie": token.cookie}, "text/plain")

    made.register("get", page)
    with TestClient(made) as client:
        shown = client.get("/open", headers={**SITE, "Cookie": "sid=1"})
        assert shown.headers["set-cookie"] == f"csrf={shown.text}; Path=/; Secure; HttpOnly; SameSite=Lax"
        fields = {**SITE, "Sec-Fetch-Site": "same-origin", "Cookie": f"sid=1; csrf={shown.text}", "X-Own": shown.text}
        assert client.post("/open", headers=fields).status == 200
        assert client.post("/open", headers={**fields, "Cookie": f"sid=2; csrf={shown.text}"}).status == 403


# -- settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"secret": "short"}, "csrf.secret has fewer than 32 characters"),
        ({"endpoint": "/t"}, "csrf.endpoint: there is no csrf.secret"),
        ({"trusted_origins": ["*"]}, r"csrf.trusted_origins: '\*' would trust every page"),
        ({"trusted_origins": ["null"]}, "csrf.trusted_origins: 'null' is not an origin to trust"),
        ({"trusted_origins": ["https://a.example/"]}, "csrf.trusted_origins: 'https://a.example/' is not an origin"),
    ],
)
def test_settings_that_protect_nothing_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        app(**settings)


@pytest.mark.parametrize("written", ["off", None, 0, {}])
def test_an_extension_other_than_false_is_refused(written: Any) -> None:
    document = {**DOCUMENT, "paths": {"/a": {"post": operation("post", **{"x-csrf": written})}}}
    with pytest.raises(SpecError) as refused:
        _ = App(document, {"post": answer}, {"csrf": {"enabled": True}}).service
    assert refused.value.issues[-1].pointer == "/paths/~1a/post/x-csrf"
