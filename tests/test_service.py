"""The walk of one request: what must never end a connection or a server, and the order of refusals."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from brrtrouter import App, Request
from brrtrouter.testing import TestClient


def document(responses: Any = None, **more: Any) -> dict[str, Any]:
    operation = {"operationId": "putX", "responses": responses or {"200": {"description": ""}}, **more}
    return {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/x": {"put": operation}}}


class Everything:
    everything = True

    def __init__(self, **hooks: Any) -> None:
        vars(self).update(hooks)


@pytest.mark.parametrize(("answer", "status"), [({"a": 1}, 200), ((418, {"a": 1}), 418)])
def test_middleware_may_answer_with_a_plain_value_where_no_operation_is(answer: Any, status: int) -> None:
    async def around(request: Request, call_next: Any) -> Any:
        return answer

    for layer in (Everything(before=lambda request: answer), Everything(around=around)):
        response = TestClient(App(document(), middleware=[layer])).get("/nowhere")
        assert (response.status, response.json()) == (status, {"a": 1})


@pytest.mark.parametrize("suspends", [False, True])
def test_sys_exit_in_a_handler_ends_the_request_and_not_the_server(suspends: bool) -> None:
    async def put_x(request: Request) -> Any:
        if suspends:
            await asyncio.sleep(0)
        sys.exit(3)

    client = TestClient(App(document(), {"putX": put_x}))
    assert [client.put("/x").status for _ in range(2)] == [500, 500]


def test_faults_of_parameters_are_told_before_an_unsupported_charset() -> None:
    parameters = [{"name": "n", "in": "query", "required": True, "schema": {"type": "integer"}}]
    body = {"content": {"application/json": {}}}
    client = TestClient(App(document(parameters=parameters, requestBody=body), echo=True))
    headers = {"Content-Type": "application/json; charset=latin-1"}
    assert client.put("/x", content="{}", headers=headers).status == 400
    assert client.put("/x?n=1", content="{}", headers=headers).status == 415


def test_the_detail_counts_a_malformed_body_too() -> None:
    parameters = [{"name": "n", "in": "query", "required": True, "schema": {"type": "integer"}}]
    body = {"content": {"application/json": {}}}
    client = TestClient(App(document(parameters=parameters, requestBody=body), echo=True))
    response = client.put("/x", content="{", headers={"Content-Type": "application/json"})
    assert (len(response.json()["errors"]), response.json()["detail"]) == (2, "2 values are not valid")


@pytest.mark.parametrize(
    ("result", "media_type"),
    [({"a": "<script>"}, "application/json"), ([1], "application/json"), (1, "application/json"), ("<p>", "text/html")],
)
def test_json_never_goes_out_as_something_else(result: Any, media_type: str) -> None:
    async def put_x(request: Request) -> Any:
        return result

    responses = {"200": {"description": "", "content": {"text/html": {}}}}
    assert TestClient(App(document(responses), {"putX": put_x})).put("/x").headers["content-type"] == media_type
