"""Loading: where documents may come from, what a reference means, the cache, and that hostile documents cost little."""

from __future__ import annotations

import http.server
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from loading_support import SHARED, accepts, document, kinds

from brrtrouter import App
from brrtrouter.cli import main
from brrtrouter.errors import BrrtError, SpecError
from brrtrouter.spec.cache import WORTH_BYTES
from brrtrouter.spec.limits import Limits
from brrtrouter.spec.load import load
from brrtrouter.testing import TestClient

# -- the network ----------------------------------------------------------------------------------------------------


class Site:
    """A web server on this machine that counts what is asked of it."""

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[http.server.BaseHTTPRequestHandler], None]] = {}
        self.asked: list[str] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                page = site.pages.get(self.path)
                if page is None:
                    self.send_error(404)
                else:
                    page(self)

            def log_message(self, *words: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def page(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        def answer(request: http.server.BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            for name, value in headers.items():
                request.send_header(name, value)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            request.wfile.write(body)

        self.pages[path] = answer


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.mark.parametrize("allowed", [False, True, "https"])
def test_nothing_is_fetched_unless_it_is_allowed(site: Site, allowed: Any) -> None:
    site.page("/a.yaml", b"type: integer")
    for reference in (f"{site.url}/a.yaml", f"//{site.url.partition('//')[2]}/a.yaml"):
        assert kinds(document({"$ref": reference}), allow_network=allowed) == ["UnsupportedExternalRef"]
    assert site.asked == []


def test_the_validator_fetches_nothing_and_reads_no_file(site: Site, tmp_path: Path) -> None:
    """Every reference is resolved before; what the validator sees has none that leads outside."""
    (tmp_path / "secret.json").write_text('{"type": "integer"}')
    schema = {
        "$schema": f"{site.url}/dialect",
        "$id": f"{site.url}/me",
        "properties": {"a": {"$id": f"{site.url}/sub/", "$ref": "#/$defs/x", "$defs": {"x": {"type": "string"}}}},
    }
    specification = load(document(schema))
    assert accepts(specification, {"a": "x"})
    assert not accepts(specification, {"a": 1})
    bundled = json.dumps(specification.operations[0].request_body.content[0].schema.bundled())  # type: ignore[union-attr]
    assert site.url not in bundled
    assert kinds(document({"$ref": (tmp_path / "secret.json").as_uri()})) == ["UnsupportedExternalRef"]
    assert site.asked == []


def test_allowed_documents_are_fetched_once_with_their_own_references(site: Site) -> None:
    site.page("/api/a.yaml", b"properties: {b: {$ref: 'b.json#/defs/B'}, c: {$ref: 'b.json#/defs/B'}}")
    site.page("/api/b.json", b'{"defs": {"B": {"type": "integer"}}}')
    specification = load(document({"$ref": f"{site.url}/api/a.yaml"}), allow_network="http")
    assert accepts(specification, {"b": 1})
    assert not accepts(specification, {"b": "x"})
    assert site.asked == ["/api/a.yaml", "/api/b.json"]


def test_an_entry_document_is_fetched_too(site: Site) -> None:
    site.page("/openapi.json", json.dumps(document({"$ref": "pets.yaml"})).encode())
    site.page("/pets.yaml", b"type: integer")
    assert accepts(load(f"{site.url}/openapi.json", allow_network="http"), 1)
    with pytest.raises(BrrtError, match="cannot read"):
        load(f"{site.url}/openapi.json")


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ({"body": b"", "status": 500}, "answered with 500"),
        ({"body": b"x" * 20_000}, "file_bytes"),
        ({"body": b"", "status": 302, "Location": "file:///etc/hostname"}, "answered with 302"),
        ({"body": b"", "status": 302, "Location": "/a.yaml"}, "cannot be fetched|answered with 302"),
    ],
)
def test_what_the_network_gives_is_bounded(site: Site, page: dict[str, Any], words: str) -> None:
    site.page("/a.yaml", **page)
    with pytest.raises(SpecError, match=words):
        load(document({"$ref": f"{site.url}/a.yaml"}), allow_network="http", limits=Limits(file_bytes=10_000))


def test_a_redirect_from_https_may_not_leave_it(site: Site) -> None:
    site.page("/to-file", b"", 301, Location="ftp://127.0.0.1/x")
    with pytest.raises(SpecError, match="not fetched: http and https only"):
        load(document({"$ref": f"{site.url}/to-file"}), allow_network="http")


def test_a_slow_answer_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(5)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/a"
        began = time.monotonic()
        with pytest.raises(SpecError, match="cannot be fetched"):
            load(document({"$ref": address}), allow_network="http", limits=Limits(fetch_seconds=0.2))
        assert time.monotonic() - began < 5


def test_documents_stand_in_for_addresses(site: Site) -> None:
    given: dict[str, Any] = {f"{site.url}/a": {"$ref": "b#/x"}, f"{site.url}/b": "x: {type: integer}\n"}
    for allowed in (False, "http"):
        specification = load(document({"$ref": f"{site.url}/a"}), documents=given, allow_network=allowed)
        assert accepts(specification, 1)
        assert not accepts(specification, "x")
    assert site.asked == []


# -- files ----------------------------------------------------------------------------------------------------------


def write(folder: Path, **files: Any) -> Path:
    for name, value in files.items():
        path = folder / (name.replace("__", "/") + ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    return folder / "openapi.json"


@pytest.mark.parametrize("reference", ["../secret.json", "%2e%2e/secret.json", "link.json", "folder/secret.json"])
def test_no_way_leads_out_of_the_folder_unless_allowed(tmp_path: Path, reference: str) -> None:
    entry = write(tmp_path / "api", openapi=document({"$ref": reference}))
    write(tmp_path, secret={"type": "integer"})
    (tmp_path / "api" / "link.json").symlink_to(tmp_path / "secret.json")
    (tmp_path / "api" / "folder").symlink_to(tmp_path, target_is_directory=True)
    assert kinds(entry) == ["UnresolvableSchemaRef"]
    assert accepts(load(entry, allow_outside=True), 1)


@pytest.mark.parametrize("reference", ["/etc/hostname", "a\0b", "%00", "%ff", "http://[", "//[", "", "nul.yaml", "."])
def test_a_reference_that_is_no_file_is_an_issue(tmp_path: Path, reference: str) -> None:
    entry = write(tmp_path, openapi=document({"$ref": reference + "#/nowhere"}))
    assert len(kinds(entry)) == 1


def test_files_that_refer_to_each_other_in_a_circle(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        openapi=document({"$ref": "a/tree.json#/Tree"}),
        a__tree={"Tree": {"properties": {"left": {"$ref": "../b/node.json"}, "name": {"type": "string"}}}},
        b__node={"allOf": [{"$ref": "../a/tree.json#/Tree"}, {"required": ["name"]}]},
    )
    specification = load(entry, strict=True)
    assert accepts(specification, {"left": {"left": {"name": "x"}, "name": "y"}})
    assert not accepts(specification, {"left": {"left": {}, "name": "y"}})


def test_parts_of_another_openapi_document_are_used_as_they_are(tmp_path: Path) -> None:
    other = document({"$ref": "#/components/schemas/Own"}, components={"schemas": {"Own": {"type": "integer"}}})
    other["paths"]["/x"]["post"]["responses"] = {"200": {"description": "far"}}
    other["components"]["pathItems"] = {"Item": {"put": {"operationId": "far"}}}
    post = "other.json#/paths/~1x/post"
    entry = {
        "openapi": "3.1.0",
        "info": {"title": "T"},
        "paths": {
            "/a": {"$ref": "other.json#/components/pathItems/Item"},
            "/b": {
                "post": {
                    "operationId": "b",
                    "requestBody": {"$ref": f"{post}/requestBody"},
                    "responses": {"200": {"$ref": f"{post}/responses/200"}},
                }
            },
        },
    }
    loaded = load(write(tmp_path, openapi=entry, other=other), strict=True)
    far, near = loaded.operations
    assert (far.method, far.path, far.handler) == ("PUT", "/a", "far")
    assert near.responses[0].description == "far"
    assert near.request_body is not None
    assert not near.request_body.content[0].schema.is_valid("x")  # type: ignore[union-attr]


def test_component_names_and_security_schemes_are_those_of_the_entry_document(tmp_path: Path) -> None:
    far = {"get": {"operationId": "o", "security": [{"k": []}]}}
    other = {"openapi": "3.1.0", "components": {"pathItems": {"P": far}, "securitySchemes": {"k": {"type": "x"}}}}
    entry = {
        "openapi": "3.1.0",
        "info": {"title": "T"},
        "paths": {"/a": {"$ref": "other.json#/components/pathItems/P"}},
        "components": {"securitySchemes": {"k": {"type": "http", "scheme": "basic"}}},
    }
    assert load(write(tmp_path, openapi=entry, other=other)).security_schemes["k"].type == "http"


# -- $self, $id, anchors --------------------------------------------------------------------------------------------


def test_self_is_the_base_and_names_the_document(tmp_path: Path) -> None:
    schemas = {"A": {"$ref": "https://example.com/v1/api#/components/schemas/B"}, "B": {"type": "integer"}}
    entry = document(
        {"$ref": "parts"}, "3.2.0", components={"schemas": schemas}, **{"$self": "https://example.com/v1/api"}
    )
    part = {"$self": "https://example.com/v1/parts", "$ref": "api#/components/schemas/A"}
    given = {"https://example.com/v1/parts": part}
    specification = load(write(tmp_path, openapi=entry), documents=given, strict=True)
    assert accepts(specification, 1)
    assert not accepts(specification, "x")


def test_a_relative_self_moves_the_base(tmp_path: Path) -> None:
    entry = document({"$ref": "other.json"}, "3.2.0", **{"$self": "sub/api.json"})
    assert accepts(load(write(tmp_path, openapi=entry, other={"type": "integer"})), 1)


def test_the_self_of_another_file_is_known(tmp_path: Path) -> None:
    other = {"$self": "https://example.com/other", "S": {"type": "integer"}}
    both = {"allOf": [{"$ref": "sub/other.json#/S"}, {"$ref": "https://example.com/other#/S"}]}
    assert not accepts(load(write(tmp_path, openapi=document(both, "3.2.0"), sub__other=other)), "x")


def test_ids_nest_and_pointers_go_through_them() -> None:
    inner = {"$id": "inner", "$anchor": "here", "type": "integer", "$defs": {"y": {"type": "string"}}}
    outer = {"$id": "https://example.com/a/outer", "$defs": {"in": inner}}
    for reference in (
        "https://example.com/a/inner",
        "https://example.com/a/inner#here",
        "#/components/schemas/O/$defs/in",
    ):
        assert not accepts(load(document({"$ref": reference}, components={"schemas": {"O": outer}})), "x")
    text = load(document({"$ref": "https://example.com/a/inner#/$defs/y"}, components={"schemas": {"O": outer}}))
    assert accepts(text, "x")
    assert not accepts(text, 1)


@pytest.mark.parametrize(
    ("pointer", "there"),
    [
        ("a~1b", True),
        ("a~0b", True),
        ("a~01b", True),
        ("c%25d", True),
        ("%E4%BA%AC", True),
        ("e%20f", True),
        ("", True),
        ("~", True),
        ("~2", False),
        ("a/b", False),
        ("%ff", False),
        ("%zz", False),
    ],
)
def test_the_escapes_of_a_pointer(pointer: str, there: bool) -> None:
    names = ("a/b", "a~b", "a~1b", "c%d", "京", "e f", "", "~")
    schemas = {name: {"type": "integer"} for name in names}
    source = document({"$ref": f"#/components/schemas/{pointer}"}, components={"schemas": schemas})
    if there:
        assert not accepts(load(source), "x")
    else:
        assert kinds(source) == ["UnresolvableSchemaRef"]


def test_a_dynamic_reference_means_the_outermost_anchor_of_the_way_to_it() -> None:
    schemas = {
        "Page": {
            "$id": "https://example.com/page",
            "properties": {"items": {"type": "array", "items": {"$dynamicRef": "#item"}}},
            "$defs": {"item": {"$dynamicAnchor": "item", "type": "integer"}},
        },
        "Users": {
            "$id": "https://example.com/users",
            "$ref": "page",
            "$defs": {"item": {"$dynamicAnchor": "item", "type": "object", "required": ["name"]}},
        },
        "Tree": {
            "$id": "https://example.com/tree",
            "$dynamicAnchor": "node",
            "properties": {"data": True, "children": {"items": {"$dynamicRef": "#node"}}},
        },
        "Strict": {
            "$id": "https://example.com/strict",
            "$dynamicAnchor": "node",
            "$ref": "tree",
            "unevaluatedProperties": False,
        },
    }
    cases = [
        ("page", {"items": [1]}, True),
        ("page", {"items": [{"name": 1}]}, False),
        ("users", {"items": [1]}, False),
        ("users", {"items": [{"name": 1}]}, True),
        ("tree", {"children": [{"daat": 1}]}, True),
        ("strict", {"children": [{"daat": 1}]}, False),
        ("strict", {"children": [{"children": [{"data": 1}]}]}, True),
    ]
    for name, value, valid in cases:
        loaded = load(document({"$ref": f"https://example.com/{name}"}, components={"schemas": schemas}), strict=True)
        assert accepts(loaded, value) is valid, (name, value)


SUITE = SHARED / "_suites" / "JSON-Schema-Test-Suite"


def suite_remotes() -> dict[str, Any]:
    found = {}
    for path in SUITE.rglob("remotes/**/*.json"):
        parts = path.parts[path.parts.index("remotes") + 1 :]
        value = json.loads(path.read_bytes())
        if isinstance(value, dict):
            found["http://localhost:1234/" + "/".join(parts)] = value
    return found


@pytest.mark.skipif(not SUITE.exists(), reason="the suite is not here")
@pytest.mark.parametrize("name", ["dynamicRef", "refRemote", "anchor"])
def test_the_published_cases_of_references_are_judged_right(name: str) -> None:
    (path,) = (path for path in SUITE.rglob(f"draft2020-12/{name}.json") if "tests" in path.parts)
    remotes = suite_remotes()
    for group in json.loads(path.read_bytes()):
        schema = {"$id": "https://example.com/root", **group["schema"]}
        loaded = load(document(schema), documents=remotes)
        for case in group["tests"]:
            assert accepts(loaded, case["data"]) is case["valid"], (group["description"], case["description"])


# -- the cache ------------------------------------------------------------------------------------------------------


def large(name: str = "x") -> bytes:
    """A YAML document that is worth keeping."""
    schemas = "".join(f"    S{at}: {{type: integer, description: {'long ' * 20}}}\n" for at in range(700))
    head = f"openapi: 3.1.0\ninfo: {{title: {name}}}\npaths: {{/{name}: {{get: {{operationId: o}}}}}}\n"
    text = head + "components:\n  schemas:\n"
    return (text + schemas).encode()


def test_a_parsed_document_is_kept_and_taken_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(large()) > WORTH_BYTES
    first = load(large(), cache=tmp_path / "cache")
    (entry,) = (tmp_path / "cache").iterdir()
    assert entry.suffix == ".json"
    assert json.loads(entry.read_bytes())["value"] == first.document
    monkeypatch.setattr("brrtrouter.spec.source.read_yaml", None)
    second = load(large(), cache=tmp_path / "cache")
    assert second.document == first.document
    assert second.raw == large()


def test_another_text_another_limit_or_a_broken_entry_is_parsed_anew(tmp_path: Path) -> None:
    load(large(), cache=tmp_path)
    assert load(large("y"), cache=tmp_path).operations[0].path == "/y"
    assert kinds(large(), cache=tmp_path, limits=Limits(nodes=100)) == ["LimitExceeded"]
    for entry in tmp_path.iterdir():
        entry.write_bytes(b'{"value": [')
    assert load(large(), cache=tmp_path).operations[0].path == "/x"


def test_issues_of_the_text_are_kept_with_it(tmp_path: Path) -> None:
    doubled = large() + b"paths: {}\n"
    assert kinds(doubled, cache=tmp_path) == kinds(doubled, cache=tmp_path) == ["DuplicateKey"]


def test_a_small_document_is_not_kept(tmp_path: Path) -> None:
    load(json.dumps(document({})), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(BrrtError, match="nobody else may write"):
        load(large(), cache=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(BrrtError, match="cannot be used"):
        load(large(), cache=tmp_path / "file")


def test_the_cache_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    load(large(), cache=tmp_path / "a" / "b")
    assert os.stat(tmp_path / "a" / "b").st_mode & 0o077 == 0


# -- settings and command line --------------------------------------------------------------------------------------


def test_settings_say_where_documents_may_come_from(site: Site, tmp_path: Path) -> None:
    site.page("/a", b"type: integer")
    entry = write(tmp_path / "api", openapi=document({"allOf": [{"$ref": f"{site.url}/a"}, {"$ref": "../b.json"}]}))
    write(tmp_path, b={"minimum": 3})
    loading = {"network": "http", "outside": True, "cache": str(tmp_path / "cache")}
    with TestClient(App(entry, {"o": lambda request: None}, {"loading": loading})) as client:
        assert [client.post("/x", json=value).status for value in (3, 2, "x")] == [204, 400, 400]
    assert (tmp_path / "cache").is_dir()
    with pytest.raises(SpecError):
        App(entry)


def test_the_command_line_has_the_same_switches(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.page("/a", b"type: integer")
    entry = write(tmp_path / "api", openapi=document({"allOf": [{"$ref": f"{site.url}/a"}, {"$ref": "../b.json"}]}))
    write(tmp_path, b={"minimum": 3})
    assert main(["routes", str(entry)]) == 2
    assert "UnsupportedExternalRef" in capsys.readouterr().err
    switches = ["--allow-network=http", "--allow-outside", "--cache", str(tmp_path / "cache")]
    assert main(["routes", str(entry), *switches]) == 0
    assert (tmp_path / "cache").is_dir()
