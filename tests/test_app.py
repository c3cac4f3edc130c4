"""`App`: what it refuses at start, built-in endpoints, and the wiring that no other test has."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import yaml

from brrtrouter import App, ConfigError, HandlerError, Request, Response, SpecError
from brrtrouter.testing import TestClient


def document(paths: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "info": {"title": "Pets & <more>", "version": "1"}, "paths": paths or {}, **more}


def operation(name: str, **more: Any) -> dict[str, Any]:
    return {"operationId": name, "responses": {"200": {"description": ""}}, **more}


async def hello(request: Request) -> Any:
    return {"hello": request.path_params}


def client(doc: Any, handlers: Any = None, config: Any = None, **more: Any) -> TestClient:
    return TestClient(App(doc, handlers, config, **more))


# -- sources


def test_a_document_is_a_path_text_bytes_or_a_mapping(tmp_path: Path) -> None:
    doc = document({"/x": {"get": operation("getX")}})
    text = yaml.safe_dump(doc)
    file = tmp_path / "openapi.yaml"
    file.write_text(text)
    for source in (file, str(file), text.encode(), doc):
        assert client(source, {"getX": hello}).get("/x").json() == {"hello": {}}


def test_what_is_wrong_has_a_class_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        App({"openapi": "2.0"})
    with pytest.raises(HandlerError):
        App(document(), "no_such_module_anywhere")
    with pytest.raises(ConfigError):
        App(document(), config={"nothing": 1})
    with pytest.raises(ConfigError):
        App(document(), config=tmp_path / "none.yaml")


def test_strict_makes_errors_of_warnings() -> None:
    doc = document({"/x/{id}": {"get": operation("getX")}})
    assert App(doc).specification.issues
    with pytest.raises(SpecError):
        App(doc, strict=True)


def test_a_base_path_stands_before_the_paths_of_the_document_and_of_nothing_else() -> None:
    doc = document({"/x": {"get": operation("getX")}}, servers=[{"url": "/v1"}])
    assert [client(doc, {"getX": hello}).get(path).status for path in ("/v1/x", "/x", "/health")] == [200, 404, 200]
    assert client(doc, {"getX": hello}, base_path="/v2").get("/v2/x").status == 200


def test_all_templates_that_cannot_be_routed_are_listed() -> None:
    doc = document(
        {
            "/a/{x}": {"get": operation("a", parameters=[path_parameter("x")])},
            "/a/{y}": {"get": operation("b", parameters=[path_parameter("y")])},
            "/b/{x": {"get": operation("c")},
        }
    )
    with pytest.raises(SpecError) as refused:
        _ = App(doc).service
    assert "IllegalPathTemplate" in {issue.kind for issue in refused.value.issues}
    assert "/b/{x" in str(refused.value)


def path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def test_a_schema_that_cannot_be_used_is_found_at_the_start_and_not_by_a_request() -> None:
    broken = {"type": "string", "pattern": "("}
    body = {"content": {"application/json": {"schema": broken}}}
    parameters = [{"name": "q", "in": "query", "schema": broken}]
    both = {"post": operation("x", requestBody=body), "get": operation("y", parameters=parameters)}
    app = App(document({"/x": both}))
    with pytest.raises(SpecError) as refused:
        _ = app.service
    assert [issue.kind for issue in refused.value.issues] == ["InvalidSchema"] * 2
    assert [issue.pointer for issue in refused.value.issues] == [
        "/paths/~1x/post/requestBody/content/application~1json/schema",
        "/paths/~1x/get/parameters/0/schema",
    ]


# -- results


@pytest.mark.parametrize(
    ("responses", "result", "status", "media_type", "content"),
    [
        ({"200": None}, {"a": 1}, 200, "application/json", b'{"a":1}'),
        ({}, [1], 200, "application/json", b"[1]"),
        ({"201": None, "202": None}, 1, 201, "application/json", b"1"),
        ({"201": None, "200": None}, True, 200, "application/json", b"true"),
        ({"2XX": None}, 1.5, 200, "application/json", b"1.5"),
        ({"404": None}, "x", 200, "application/json", b'"x"'),
        ({"200": "application/json"}, "x", 200, "application/json", b'"x"'),
        ({"200": "text/plain"}, "grün", 200, "text/plain", "grün".encode()),
        ({"200": "text/*"}, "x", 200, "application/json", b'"x"'),
        ({"200": "application/vnd.pets+json"}, {"a": 1}, 200, "application/vnd.pets+json", b'{"a":1}'),
        ({"200": "image/png"}, b"\x89PNG", 200, "image/png", b"\x89PNG"),
        ({"200": None}, b"raw", 200, "application/octet-stream", b"raw"),
        ({"200": None}, None, 204, None, b""),
        ({"200": "text/plain", "404": "text/html"}, (404, "<p>"), 404, "text/html", b"<p>"),
        ({"4XX": "text/html"}, (404, "<p>"), 404, "text/html", b"<p>"),
        ({"default": "application/problem+json"}, (500, {"a": 1}), 500, "application/problem+json", b'{"a":1}'),
        ({"default": "text/html", "4XX": "text/css", "404": "text/plain"}, (404, "x"), 404, "text/plain", b"x"),
        ({"default": "text/html", "4XX": "text/css", "404": "text/plain"}, (405, "x"), 405, "text/css", b"x"),
        ({"default": "text/html", "4XX": "text/css", "404": "text/plain"}, "x", 200, "text/html", b"x"),
        ({"default": "text/html", "404": "application/json"}, (404, "x"), 404, "application/json", b'"x"'),
        ({"200": None}, (201, None), 201, None, b""),
        ({"200": "text/plain"}, Response(203, {"a": 1}), 203, "application/json", b'{"a":1}'),
    ],
)
@pytest.mark.parametrize("kind", ["thread", "inline", "async"])
def test_a_plain_result_has_the_declared_status_and_media_type(
    responses: dict[str, str | None], result: Any, status: int, media_type: str | None, content: bytes, kind: str
) -> None:
    async def later(request: Request) -> Any:
        return result

    declared = {
        key: {"description": "", **({"content": {name: {}}} if name else {})} for key, name in responses.items()
    }
    app = App(document({"/x": {"get": {"operationId": "getX", "responses": declared}}}))
    app.register("getX", later if kind == "async" else lambda request: result, inline=kind == "inline")
    with TestClient(app) as target:
        response = target.get("/x")
    assert (response.status, response.headers.get("content-type"), response.content) == (status, media_type, content)


@pytest.mark.parametrize("result", [(200, 1, 2), ("200", 1), (), (200, Response()), object(), (99, "x"), {1, 2}])
def test_a_result_that_is_none_of_the_forms_is_500(result: Any) -> None:
    async def get_x(request: Request) -> Any:
        return result

    assert client(document({"/x": {"get": operation("getX")}}), {"getX": get_x}).get("/x").status == 500


# -- what requests are routed by


def test_head_and_options_answer_without_operations_of_their_own_unless_switched_off() -> None:
    doc = document({"/x": {"get": operation("getX")}})
    target = client(doc, {"getX": hello})
    assert (target.head("/x").status, target.options("/x").status) == (200, 204)
    assert target.options("/x").headers["allow"] == "GET, HEAD, OPTIONS"
    target = client(doc, {"getX": hello}, {"routing": {"auto_head": False, "auto_options": False}})
    assert (target.head("/x").status, target.options("/x").status) == (405, 405)
    assert target.options("/x").headers["allow"] == "GET"


def test_a_slash_at_the_end_counts_unless_it_is_ignored() -> None:
    doc = document({"/x": {"get": operation("getX")}})
    assert client(doc, {"getX": hello}).get("/x/").status == 404
    assert client(doc, {"getX": hello}, {"routing": {"trailing_slash": "ignore"}}).get("/x/").status == 200


# -- built-in endpoints


@pytest.mark.parametrize("form", ["json", "yaml", "flow", "mapping"])
def test_the_document_is_served_in_both_formats(form: str, tmp_path: Path) -> None:
    doc = document({"/x": {"get": operation("getX", summary="grüße")}})
    source: Any = doc
    if form != "mapping":
        text = yaml.safe_dump(doc, default_flow_style=form == "flow", width=10_000)
        file = tmp_path / f"openapi.{form}"
        file.write_text(text if form != "json" else TestClient(App(doc)).get("/openapi.json").text)
        source = file
    target = client(source)
    as_json, as_yaml = target.get("/openapi.json"), target.get("/openapi.yaml")
    assert (as_json.headers["content-type"], as_json.json()) == ("application/json", doc)
    assert (as_yaml.headers["content-type"], yaml.safe_load(as_yaml.text)) == ("application/yaml", doc)
    if form in ("json", "yaml"):
        assert (as_json if form == "json" else as_yaml).content == source.read_bytes()


def test_health_answers_and_is_not_stored() -> None:
    response = client(document()).get("/health")
    assert (response.status, response.json(), response.headers["cache-control"]) == (200, {"status": "ok"}, "no-store")
    response = client(document()).get("/ready")
    assert (response.status, response.json(), response.headers["cache-control"]) == (200, {"status": "ok"}, "no-store")


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/a/b/docs"])
def test_the_documentation_page_loads_everything_from_this_server(path: str) -> None:
    target = client(document(), config={"endpoints": {"docs": path, "openapi_json": "/a/openapi.json"}})
    for page in dict.fromkeys((path, path.rstrip("/") + "/")):
        response = target.get(page)
        assert (response.status, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "Pets &amp; &lt;more&gt;" in response.text
        assert not re.search(r"(src|href)=\"(https?:)?//", response.text)
        links = [link for link in re.findall(r"(?:src|href)=\"([^\"]+)\"", response.text) if link != "#"]
        assert len(links) > 3
        for link in links:
            file = target.get(urljoin(page, link))
            assert file.status == 200, link
            assert file.headers.get("x-content-type-options") == (None if link.endswith("json") else "nosniff")


@pytest.mark.parametrize("name", ["index.html", "LICENSE", "SHA256SUMS", "none.js", "..%2f..%2fbuiltin.py"])
def test_other_files_of_the_package_are_not_served(name: str) -> None:
    assert client(document()).get(f"/docs/{name}").status == 404


def test_built_in_endpoints_can_be_moved_and_switched_off() -> None:
    moved = client(document(), config={"endpoints": {"health": "/-/live", "docs": None, "openapi_yaml": False}})
    found = {path: moved.get(path).status for path in ("/-/live", "/health", "/docs", "/openapi.yaml", "/openapi.json")}
    assert found == {"/-/live": 200, "/health": 404, "/docs": 404, "/openapi.yaml": 404, "/openapi.json": 200}


def test_no_page_without_a_document_to_show() -> None:
    nothing = client(document(), config={"endpoints": {"openapi_json": None, "openapi_yaml": None}})
    assert nothing.get("/docs").status == 404
    assert client(document(), config={"endpoints": {"openapi_json": None}}).get("/docs").status == 200


def test_two_built_in_endpoints_with_one_path_are_refused() -> None:
    with pytest.raises(ConfigError, match="two built-in endpoints have the path /same"):
        _ = App(document(), config={"endpoints": {"health": "/same", "docs": "/same"}}).service


def test_a_built_in_endpoint_hides_the_operation_of_its_path_and_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    parameters = [path_parameter("page")]
    paths = {
        "/health": {"get": operation("getHealth"), "post": operation("postHealth")},
        "/docs/{page}": {"get": operation("getPage", parameters=parameters)},
        "/{page}": {"get": operation("getAny", parameters=parameters)},
    }
    with caplog.at_level(logging.WARNING):
        target = client(document(paths), {"getHealth": hello, "postHealth": hello, "getPage": hello, "getAny": hello})
        assert target.get("/health").json() == {"status": "ok"}
    assert "GET /health of the document is hidden by a built-in endpoint" in caplog.text
    assert target.post("/health").json() == {"hello": {}}
    assert target.get("/docs/intro").json() == {"hello": {"page": "intro"}}
    assert target.get("/docs/page.css").headers["content-type"] == "text/css; charset=utf-8"
    assert target.get("/other").json() == {"hello": {"page": "other"}}
    assert [route.handler for route in target.app.routes] == ["postHealth", "getPage", "getAny"]


# -- the banner


def test_routes_tell_what_answers_every_operation_in_the_order_of_the_document() -> None:
    doc = document({"/b": {"get": operation("getB")}, "/a": {"put": operation("putA"), "get": operation("getA")}})
    app = App(doc, {"getA": hello})
    assert [(route.method, route.path, route.handler, route.kind) for route in app.routes] == [
        ("GET", "/b", "getB", "async, never suspends"),
        ("PUT", "/a", "putA", "async, never suspends"),
        ("GET", "/a", "getA", "async, never suspends"),
    ]
    assert app.missing == ["getB", "putA"]
    assert app.unused == []
    app.routes.clear()
    assert len(app.routes) == 3


def test_listeners_get_every_new_service() -> None:
    app = App(document({"/x": {"get": operation("getX")}}))
    seen: list[Any] = []
    app.on_service(seen.append)
    first = app.service
    assert seen == []
    app.register("getX", hello)
    assert seen == [app.service]
    assert app.service is not first
