"""Webhooks of others, received at a path of our own."""

from __future__ import annotations

import time
from typing import Any

import pytest
from outgoing_support import SPEC, outcome

from brrtrouter import App, ConfigError, Request, SpecError
from brrtrouter.outgoing.receive import Receiver
from brrtrouter.outgoing.signature import Signer
from brrtrouter.testing import TestClient, running

SECRET = "whsec_c2VjcmV0IG9mIHRoZSBzZW5kZXI="
BODY = b'{"id":1,"name":"Rex"}'
JSON = {"Content-Type": "application/json"}


async def on_new_pet(request: Request) -> Any:
    return {"got": request.body["id"], "count": request.headers.get("x-count")}


def receiving(where: Any = "/hooks/new-pet", handlers: Any = None, **options: Any) -> App:
    handlers = {"onNewPet": on_new_pet} if handlers is None else handlers
    return App(SPEC, handlers, {"endpoints": {"docs": None}}, webhooks={"newPet": where}, **options)


def test_a_webhook_is_an_operation_at_the_path_that_it_is_given() -> None:
    with TestClient(receiving()) as client:
        answer = client.post("/hooks/new-pet", json={"id": 1}, headers={"X-Count": "3"})
        assert (answer.status, answer.json()) == (200, {"got": 1, "count": 3})
        assert client.post("/hooks/new-pet", json={"id": "x"}).status == 400
        assert client.post("/hooks/new-pet", json={"id": 1}, headers={"X-Count": "many"}).status == 400
        assert client.get("/hooks/new-pet").headers["allow"] == "OPTIONS, POST"
        assert client.post("/hooks/bare").status == 404


def test_a_webhook_of_the_settings_is_received_where_they_say_unless_python_says_otherwise() -> None:
    settings = {"webhooks": {"newPet": {"path": "/filed", "secret": SECRET}, "bare": "/bare"}}
    signed = JSON | Signer(SECRET).headers("msg_1", int(time.time()), BODY)
    with TestClient(App(SPEC, {"onNewPet": on_new_pet}, settings)) as client:
        assert client.post("/filed", content=BODY, headers=signed).json() == {"got": 1, "count": None}
        assert client.post("/filed", content=BODY, headers=JSON).status == 401
    with TestClient(App(SPEC, {"onNewPet": on_new_pet}, settings, webhooks={"newPet": "/said"})) as client:
        assert client.post("/said", content=BODY, headers=JSON).status == 200
        assert client.post("/filed", content=BODY, headers=signed).status == 404
        assert client.put("/bare", content="text", headers={"Content-Type": "text/plain"}).status == 501
    with pytest.raises(ConfigError, match="has no webhook 'oldPet'"):
        App(SPEC, config={"webhooks": {"oldPet": "/x"}})


def test_a_webhook_without_a_handler_is_missing_like_any_operation() -> None:
    app = receiving(handlers={})
    assert "onNewPet" in app.missing
    with TestClient(app) as client:
        assert client.post("/hooks/new-pet", json={"id": 1}).status == 501
    with TestClient(receiving(handlers={}, echo=True)) as client:
        assert client.post("/hooks/new-pet", json={"id": 1}).json()["handler"] == "onNewPet"


def test_a_webhook_without_an_id_has_its_name_as_its_handler() -> None:
    async def bare(request: Request) -> Any:
        return request.body

    with TestClient(App(SPEC, {"bare": bare}, webhooks={"bare": "/bare"})) as client:
        assert client.put("/bare", content="text", headers={"Content-Type": "text/plain"}).json() == "text"


@pytest.mark.parametrize(
    ("webhooks", "words"),
    [
        ({"oldPet": "/x"}, "has no webhook 'oldPet'; it has 'newPet', 'bare'"),
        ({"newPet": "x"}, "the path 'x' of the webhook 'newPet': a path has to start with a slash"),
        ({"newPet": "/x/{id}"}, "of the webhook 'newPet': a webhook has no path parameters"),
        ({"newPet": Receiver("/x", "whsec_*")}, "what is no base64"),
    ],
)
def test_a_receiver_that_cannot_be_is_refused_at_the_start(webhooks: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        App(SPEC, webhooks=webhooks)


def test_a_body_that_is_a_stream_cannot_be_verified() -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "webhooks": {"w": {"post": {"operationId": "w", "x-brrtrouter-stream": True, "responses": {}}}},
    }
    with pytest.raises(ConfigError, match="the webhook 'w': a body that is a stream cannot be verified"):
        App(document, webhooks={"w": Receiver("/w", SECRET)})


def test_a_path_that_is_taken_is_refused_by_name() -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "paths": {"/hooks": {"post": {"operationId": "a", "responses": {}}}},
        "webhooks": {"b": {"post": {"operationId": "b", "responses": {}}}},
    }
    with pytest.raises(SpecError, match="/hooks"):
        _ = App(document, webhooks={"b": "/hooks"}).service


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"webhook-signature": "v1,AAAA"}, 401),
        ({"webhook-signature": None}, 401),
        ({"webhook-timestamp": "5"}, 401),
        ({"webhook-id": "other"}, 401),
    ],
)
def test_a_signature_is_verified_before_anything_else(change: dict[str, Any], status: int) -> None:
    headers = {**JSON, **Signer(SECRET).headers("msg_1", int(time.time()), BODY), **change}
    sent = {name: value for name, value in headers.items() if value is not None}
    with TestClient(receiving(Receiver("/h", SECRET))) as client:
        answer = client.post("/h", content=BODY, headers={**sent, "X-Count": "4"})
        assert answer.status == status
        if status == 401:
            assert answer.headers["www-authenticate"] == "Webhook-Signature"
            assert client.post("/h", content=b"{", headers={**sent, "X-Count": "no"}).status == 401
        else:
            assert answer.json() == {"got": 1, "count": 4}


@pytest.mark.parametrize(("settings", "status"), [({}, 200), ({"tolerance": 10}, 401)])
def test_the_tolerance_of_a_receiver_is_a_setting(settings: dict[str, Any], status: int) -> None:
    sent = {**JSON, **Signer(SECRET).headers("msg_1", int(time.time()) - 60, BODY)}
    app = App(SPEC, {"onNewPet": on_new_pet}, {"outgoing": settings}, webhooks={"newPet": Receiver("/h", SECRET)})
    with TestClient(app) as client:
        assert client.post("/h", content=BODY, headers=sent).status == status


def test_a_signed_webhook_still_asks_for_its_own_credential() -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": "t", "version": "1"},
        "webhooks": {
            "w": {
                "post": {
                    "operationId": "w",
                    "security": [{"K": []}],
                    "requestBody": {"content": {"application/json": {}}},
                    "responses": {},
                }
            }
        },
        "components": {"securitySchemes": {"K": {"type": "apiKey", "in": "header", "name": "K"}}},
    }
    config = {"security": {"api_keys": {"K": {"key": "k"}}}}

    async def handle(request: Request) -> Any:
        return {}

    signed = {**JSON, **Signer(SECRET).headers("msg_1", int(time.time()), b"{}")}
    with TestClient(App(document, {"w": handle}, config, webhooks={"w": Receiver("/w", SECRET)})) as client:
        assert client.post("/w", content=b"{}", headers=signed).status == 401
        assert client.post("/w", content=b"{}", headers={**JSON, "K": "k"}).status == 401
        assert client.post("/w", content=b"{}", headers={**signed, "K": "k"}).status == 200


def test_sender_and_receiver_of_the_same_description_understand_each_other() -> None:
    pytest.importorskip("httpcore")
    with running(receiving(Receiver("/h", SECRET))) as server:

        async def act(app: App, request: Request) -> Any:
            return await app.webhooks["newPet"].send(f"{server.url}/h", {"id": 9}, secret=SECRET)

        answer = outcome(act, {})
        assert (answer.status, answer.value) == (200, {"got": 9, "count": None})


# -- callbacks of callbacks


def event_document(**more: Any) -> dict[str, Any]:
    def taking(*required: str, **others: Any) -> dict[str, Any]:
        schema = {"type": "object", "required": [*required], "properties": {name: {} for name in required}}
        body = {"required": True, "content": {"application/json": {"schema": schema}}}
        return {"requestBody": body, "responses": {"200": {"description": "taken"}}, **others}

    acknowledge = taking("seen", operationId="onSeen")
    event = taking(
        "id", "reply", operationId="onEvent", callbacks={"seen": {"{$request.body#/reply}": {"post": acknowledge}}}
    )
    subscribe = taking("url", operationId="subscribe", callbacks={"event": {"{$request.body#/url}": {"post": event}}})
    return {
        "openapi": "3.1.0",
        "info": {"title": "events", "version": "1"},
        "paths": {"/subscriptions": {"post": subscribe}, **more},
    }


def test_a_callback_of_a_callback_goes_from_the_client_to_the_server() -> None:
    seen: list[Any] = []
    replies: list[str] = []
    config = {"outgoing": {"allow_private": True}}

    async def subscribe(request: Request) -> Any:
        await server_app.callbacks["event"].send(request, {"id": 7, "reply": replies[0]})
        return {}

    async def on_event(request: Request) -> Any:
        await client_app.callbacks["seen"].send(request, {"seen": request.body["id"]})
        return {}

    async def on_seen(request: Request) -> Any:
        seen.append(request.body)
        return {}

    handlers = {"subscribe": subscribe, "onSeen": on_seen}
    server_app = App(event_document(), handlers, config, webhooks={"seen": "/seen"})
    client_app = App(event_document(), {"onEvent": on_event}, config, webhooks={"event": "/events"})
    with running(server_app) as server, running(client_app) as client, TestClient(server_app) as caller:
        replies.append(f"{server.url}/seen")
        assert caller.post("/subscriptions", json={"url": f"{client.url}/events"}).status == 200
        assert seen == [{"seen": 7}]
        assert caller.post("/seen", json={}).status == 400
        assert caller.post("/events", json={"id": 1, "reply": ""}).status == 404


def test_a_callback_in_several_places_is_not_received_by_its_name() -> None:
    twice = event_document(**{"/again": event_document()["paths"]["/subscriptions"]})
    del twice["paths"]["/again"]["post"]["operationId"]
    with pytest.raises(ConfigError, match="'seen' is in several places: /paths"):
        App(twice, webhooks={"seen": "/seen"})


def test_a_callback_of_its_own_operations_ends_with_a_warning() -> None:
    document = event_document()
    inner = document["paths"]["/subscriptions"]["post"].pop("callbacks")
    inner["event"]["{$request.body#/url}"]["post"]["callbacks"] = {"event": {"$ref": "#/components/callbacks/event"}}
    document["components"] = {"callbacks": inner}
    document["paths"]["/subscriptions"]["post"]["callbacks"] = {"event": {"$ref": "#/components/callbacks/event"}}
    app = App(document, webhooks={"event": "/events"})
    assert [issue.pointer for issue in app.specification.issues if issue.kind == "NotExecuted"] == [
        "/components/callbacks/event"
    ]
