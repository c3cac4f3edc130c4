"""Callbacks and webhooks that are sent: what goes out, what comes back, and when it is tried again."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from outgoing_support import SPEC, Clock, Taken, event, outcome, sending, subscribe

from brrtrouter import App, ConfigError, Request, Response
from brrtrouter.errors import (
    AnswerError,
    DeliveryError,
    ExpressionError,
    MessageError,
    OutgoingError,
    TargetError,
)
from brrtrouter.server.handle import Server
from brrtrouter.testing import TestClient

pytest.importorskip("httpcore")
Serve = Callable[[App], Server]


# -- what is sent


def test_a_callback_goes_to_the_url_of_its_expression_with_encoded_parameters(serve: Serve) -> None:
    taken = Taken(Response(200, {"taken": True}, {"X-Count": "3"}))
    url = f"{serve(taken.app).url}/hook?own=1"
    given = {"X-Kind": "made", "page": 2, "query.tags": ["a b", "c&d"], "cookie.seen": True}
    answer = outcome(event(parameters=given, headers={"X-More": "yes"}), {"url": url})
    assert (answer.status, answer.ok, answer.value, answer.attempts) == (200, True, {"taken": True}, 1)
    assert answer.headers["X-COUNT"] == "3"
    (request,) = taken.requests
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.raw_query == "own=1&page=2&tags=a%20b%7Cc%26d"
    assert request.header("x-kind") == "made"
    assert request.header("x-more") == "yes"
    assert request.header("cookie") == "seen=true"
    assert request.header("host") == url.split("/")[2]
    assert request.header("content-type") == "application/json"
    assert request.header("user-agent") == "BRRTRouter"
    assert request.header("accept-encoding") == "identity"
    assert request.raw_body == b'{"id":1}'
    assert request.header("webhook-signature") is None


def test_expressions_inside_of_a_url_are_percent_encoded_and_see_the_answer(serve: Serve) -> None:
    taken = Taken()
    url = f"{serve(taken.app).url}/in"

    async def act(app: App, request: Request) -> Any:
        return await app.callbacks["inPieces"].send(request, response=(201, {"id": 7}))

    assert outcome(act, {"url": url, "words": "a b&c=/é"}).status == 204
    (request,) = taken.requests
    assert (request.path, request.raw_query) == ("/in/dogs", "id=7&q=a%20b%26c%3D%2F%C3%A9")


def test_url_begins_with_the_base_url_or_the_host_of_the_request(serve: Serve) -> None:
    url = serve(Taken().app).url

    async def act(app: App, request: Request) -> Any:
        return await app.callbacks["here"].send(request)

    error = outcome(act, {}, base_url=url)
    assert isinstance(error, AnswerError)
    assert (error.answer.status, error.answer.url) == (404, f"{url}/v1/subscriptions/dogs/here")
    error = outcome(act, {}, attempts=1)
    assert "testserver" in str(error), "the Host of the request, which is no name in any network"


def test_one_of_several_expressions_and_methods_is_chosen(serve: Serve) -> None:
    taken = Taken()
    url = f"{serve(taken.app).url}/x"

    async def send(app: App, request: Request, **options: Any) -> Any:
        return await app.callbacks["several"].send(request, options.pop("body", None), **options)

    def result(**options: Any) -> Any:
        return outcome(lambda app, request: send(app, request, **options), {"url": url})

    assert "say which with expression=" in str(result())
    assert "say which method with method=; it has PUT, DELETE" in str(result(expression="$request.body#/url"))
    chosen = {"expression": "$request.body#/url", "method": "PUT"}
    assert result(**chosen, body="text").status == 204
    assert (taken.requests[0].method, taken.requests[0].raw_body) == ("PUT", b"text")
    assert result(expression="$request.body#/url", method="DELETE").status == 204
    assert taken.requests[1].method == "DELETE"


def test_a_form_is_encoded_as_it_is_described(serve: Serve) -> None:
    taken = Taken(Response(200, b"plain", media_type="text/plain"))
    url = f"{serve(taken.app).url}/x"

    def result(body: Any) -> Any:
        async def act(app: App, request: Request) -> Any:
            return await app.callbacks["form"].send(request, body)

        return outcome(act, {"url": url})

    assert result({"a": 1, "b": ["x y", "&"]}).value == "plain"
    assert taken.requests[0].raw_body == b"a=1&b=x+y&b=%26"
    assert taken.requests[0].header("content-type") == "application/x-www-form-urlencoded"
    assert [fault.keyword for fault in result({"b": []}).faults] == ["required"]


def test_a_webhook_goes_to_a_url_that_the_caller_knows(serve: Serve) -> None:
    taken = Taken()
    url = f"{serve(taken.app).url}/hook"
    answer = outcome(lambda app, request: app.webhooks["newPet"].send(url, {"id": 5}), {})
    assert answer.status == 204
    assert taken.requests[0].raw_body == b'{"id":5}'
    assert list(sending(event()).webhooks) == ["newPet", "bare"]


def test_a_plain_function_sends_with_send_sync(serve: Serve) -> None:
    taken = Taken()
    url = f"{serve(taken.app).url}/hook"

    def handle(request: Request) -> Any:
        answer = app.callbacks["onEvent"].send_sync(request, {"id": 1}, parameters={"X-Kind": "gone"})
        return 201, {"status": answer.status}

    app = App(SPEC, {"subscribe": handle}, {"outgoing": {"allow_private": True}})
    assert subscribe(app, {"url": url}).json() == {"status": 204}
    assert taken.requests[0].header("x-kind") == "gone"
    refused = outcome(lambda app, request: waits(lambda: app.webhooks["newPet"].send_sync(url, {"id": 1})), {})
    assert "await send" in str(refused)


async def waits(call: Callable[[], Any]) -> Any:
    return call()


# -- what is not sent


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ({"body": {"id": "x"}}, ["body /id type"]),
        ({"body": None}, ["body  required"]),
        ({"body": b"{"}, ["body  content"]),
        ({"body": {"id": {1}}}, ["body  content"]),
        ({"media_type": "text/csv"}, ["body  content"]),
        ({"parameters": {}}, ["header /X-Kind required"]),
        ({"parameters": {"X-Kind": "other", "page": 0, "nope": 1}},
         ["parameters /nope parameters", "header /X-Kind enum", "query /page minimum"]),
        ({"parameters": {"X-Kind": "made", "tags": ["a|b"]}}, ["query /tags style"]),
        ({"headers": {"X-A": "b\r\nX-C: d"}}, ["header /X-A header"]),
        ({"headers": {"Host": "other"}}, ["header /Host header"]),
    ],
)  # fmt: skip
def test_what_is_not_as_described_is_never_sent(serve: Serve, options: dict[str, Any], places: list[str]) -> None:
    taken = Taken()
    error = outcome(event(**options), {"url": f"{serve(taken.app).url}/hook"})
    assert isinstance(error, MessageError)
    assert [f"{fault.location} {fault.pointer} {fault.keyword}" for fault in error.faults] == places
    assert str(error).startswith("callback 'onEvent' is not as described\n")
    assert taken.requests == []


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ({}, ExpressionError, "callback 'onEvent': $request.body#/url: there is no 'url'"),
        ({"url": ""}, TargetError, "'' is no absolute URL of http or https"),
        ({"url": "/only/a/path"}, TargetError, "no absolute URL"),
        ({"url": "ftp://a/x"}, TargetError, "no absolute URL of http or https"),
        ({"url": "file:///etc/passwd"}, TargetError, "no absolute URL of http or https"),
        ({"url": "http://user:secret@a.example/"}, TargetError, "has a user name or a password"),
        ({"url": "http://a.example/\r\nX: y"}, TargetError, "a character that no URL has"),
        ({"url": "http://a\\b/"}, TargetError, "a character that no URL has"),
        ({"url": "http://[::1/"}, TargetError, "is no URL"),
        ({"url": "http://a:99999/"}, TargetError, "is no URL"),
        ({"url": "http://a{b}/"}, TargetError, "has no host that can be used"),
        ({"url": 5}, TargetError, "'5' is no absolute URL"),
    ],
)
def test_a_url_that_is_none_is_refused_with_its_reason(body: Any, kind: type[Exception], words: str) -> None:
    error = outcome(event(), body)
    assert type(error) is kind
    assert words in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "[::ffff:127.0.0.1]",
     "[64:ff9b::7f00:1]", "[64:ff9b:1::808:808]", "[2002:7f00:1::]", "[fe80::1]", "[fd00::1]", "2130706433", "0x7f.1",
     "224.0.0.1", "[::]", "[fec0::1]", "[2001:0:0:1::1]", "100.64.0.1"],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused_unless_that_is_allowed(host: str) -> None:
    error = outcome(event(), {"url": f"http://{host}:9/x"}, allow_private=False)
    assert isinstance(error, TargetError)
    assert str(error).startswith("callback 'onEvent': ")
    assert "an address that is not public; outgoing.allow_private would allow it" in str(error)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "203.0.114.1"]
)
def test_a_public_address_is_public(address: str) -> None:
    assert pytest.importorskip("brrtrouter.outgoing.guard").is_public(address)


def test_the_address_that_was_judged_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the name has another address when it is asked for again."""
    guard = pytest.importorskip("brrtrouter.outgoing.guard")
    answers = ["203.0.114.7", "127.0.0.1"]
    connected: list[str] = []

    class Inner:
        async def connect_tcp(self, host: str, *arguments: Any) -> Any:
            connected.append(host)
            raise guard.httpcore.ConnectError("refused")

    class Loop:
        async def getaddrinfo(self, host: str, port: int, **options: Any) -> Any:
            return [(2, 1, 6, "", (answers.pop(0), port))]

    async def twice() -> None:
        backend = guard.GuardedBackend(False)
        monkeypatch.setattr(backend, "_inner", Inner())
        monkeypatch.setattr(guard.asyncio, "get_running_loop", Loop)
        for kind in (guard.httpcore.ConnectError, TargetError):
            with pytest.raises(kind):
                await backend.connect_tcp("evil.example", 80)
        monkeypatch.undo()

    asyncio.run(twice())
    assert connected == ["203.0.114.7"]


def test_a_callback_of_another_operation_or_of_none_is_refused_by_name() -> None:
    app = sending(event())
    with pytest.raises(KeyError, match=r"outgoing\.yaml has no callback 'on'; it has 'onEvent', 'inPieces'"):
        app.callbacks["on"]
    assert "onEvent" in app.callbacks

    async def get(request: Request) -> Any:
        try:
            await app.callbacks["onEvent"].send(request, {"id": 1})
        except OutgoingError as error:
            return str(error)

    app.register("getSubscription", get)
    with TestClient(app) as client:
        assert "does not declare it" in client.get("/v1/subscriptions/a/b").text


# -- answers


@pytest.mark.parametrize(
    ("answer", "places"),
    [
        (Response(202), ["status  responses"]),
        (Response(302, None, {"Location": "/other"}), ["status  responses"]),
        (Response(200, {"taken": 1}), ["body /taken type"]),
        (Response(200, {}), ["body  required"]),
        (Response(200, b"{", media_type="application/json"), ["body  syntax"]),
        (Response(200, b"x", media_type="text/csv"), ["header /content-type content"]),
        (Response(200), ["body  content"]),
        (Response(200, {"taken": True}, {"X-Count": "many"}), ["header /X-Count type"]),
    ],
)
def test_an_answer_that_is_not_as_described_is_an_error_that_has_it(
    serve: Serve, answer: Response, places: list[str]
) -> None:
    taken = Taken(answer)
    error = outcome(event(), {"url": f"{serve(taken.app).url}/hook"})
    assert isinstance(error, AnswerError)
    assert [f"{fault.location} {fault.pointer} {fault.keyword}" for fault in error.faults] == places
    assert error.answer.status == answer.status
    assert len(taken.requests) == 1, "neither tried again nor redirected"


def test_a_declared_refusal_is_an_answer(serve: Serve) -> None:
    answer = outcome(event(), {"url": f"{serve(Taken(Response(410)).app).url}/hook"})
    assert (answer.status, answer.ok) == (410, False)


def test_a_huge_answer_is_cut_off(serve: Serve) -> None:
    taken = Taken(Response(200, b"x" * 100_000, media_type="text/plain"))
    error = outcome(event(), {"url": f"{serve(taken.app).url}/hook"}, response_size=1000)
    assert isinstance(error, DeliveryError)
    assert "longer than outgoing.response_size of 1,000" in str(error)
    assert len(taken.requests) == 1


# -- signatures and settings


def test_a_message_is_signed_as_standard_webhooks_says(serve: Serve) -> None:
    key = b"0123456789abcdef0123456789abcdef"
    taken = Taken()
    url = f"{serve(taken.app).url}/hook"
    secret = "whsec_" + base64.b64encode(key).decode()
    assert outcome(event(message_id="msg_1"), {"url": url}, Clock(), secret=secret).ok
    (request,) = taken.requests
    assert request.header("webhook-id") == "msg_1"
    assert request.header("webhook-timestamp") == "1700000000"
    digest = hmac.new(key, b'msg_1.1700000000.{"id":1}', hashlib.sha256).digest()
    assert request.header("webhook-signature") == "v1," + base64.b64encode(digest).decode()


def test_header_format_and_secret_are_chosen(serve: Serve) -> None:
    taken = Taken()
    url = f"{serve(taken.app).url}/hook"
    settings = {"secret": "a", "signature_header": "X-Hub-Signature-256", "signature_format": "hex"}
    assert outcome(event(secret="other"), {"url": url}, **settings).ok
    assert outcome(event(secret=""), {"url": url}, **settings).ok
    digest = hmac.new(b"other", b'{"id":1}', hashlib.sha256).hexdigest()
    assert taken.requests[0].header("x-hub-signature-256") == f"sha256={digest}"
    assert taken.requests[0].header("webhook-id") is None
    assert taken.requests[1].header("x-hub-signature-256") is None


@pytest.mark.parametrize("message_id", ["a.b", "a b", "a\r\nX: y", "é", "x" * 257])
def test_an_id_that_cannot_be_signed_is_refused(message_id: str) -> None:
    error = outcome(event(message_id=message_id), {"url": "http://127.0.0.1:9/"})
    assert isinstance(error, MessageError)
    assert str(error).endswith("cannot be a webhook-id")


@pytest.mark.parametrize(
    "settings",
    [{"secret": "whsec_!"}, {"secret": "a", "signature_header": "a b"}, {"signature_format": "md5"}],
)
def test_settings_of_signatures_are_checked_at_the_start(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        sending(event(), **settings)


def test_without_the_extra_one_line_names_the_command() -> None:
    code = (
        "import sys; sys.modules['httpcore'] = None\n"
        "import asyncio\nfrom brrtrouter import App, ConfigError\n"
        f"app = App({str(SPEC)!r}, echo=True)\n"
        "app.service\n"
        "try:\n    asyncio.run(app.webhooks['newPet'].send('http://a.example/', {'id': 1}))\n"
        "except ConfigError as error:\n    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "pip install 'brrtrouter[outgoing]'" in run.stdout
    assert run.stdout.count("\n") == 1
