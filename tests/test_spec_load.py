"""`load`: documents to the model, references, and every issue that a document can have."""

from __future__ import annotations

from typing import Any

import pytest
from spec_load_support import SPECS, document, errors, get, kinds, only, operation, warnings

from brrtrouter.errors import SpecError
from brrtrouter.spec.load import load
from brrtrouter.spec.model import MISSING, Requirement, Specification

# -- the model --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def everything() -> Specification:
    return load(SPECS / "everything.yaml")


def test_the_specification_itself(everything: Specification) -> None:
    assert everything.version == "3.1.0"
    assert everything.title == "One of everything"
    assert everything.base_path == "/live/v1"
    assert everything.raw == (SPECS / "everything.yaml").read_bytes()
    assert everything.document["info"]["version"] == "1"
    assert [(o.method, o.path) for o in everything.operations] == [
        ("GET", "/live/v1/pets"),
        ("POST", "/live/v1/pets"),
        ("GET", "/other/pets/{petId}"),
        ("DELETE", "/third/pets/{petId}"),
    ]


def test_an_operation_with_what_it_inherits(everything: Specification) -> None:
    found = operation(everything, "GET", "/pets")
    assert (found.handler, found.handler_source) == ("listPets", "operationId")
    assert (found.summary, found.tags, found.deprecated) == ("List pets", ("pets",), True)
    assert found.security == ((Requirement("key"),),)
    assert [p.name for p in found.parameters] == ["trace", "limit", "filter"]
    assert found.parameters[1].default == 5
    assert found.parameters[2].pointer == "/components/parameters/Filter"


def test_an_extension_names_the_handler_before_operation_id(everything: Specification) -> None:
    found = operation(everything, "POST", "/pets")
    assert (found.handler, found.handler_source, found.operation_id) == ("make_pet", "x-handler-name", "createPet")
    assert found.extensions == {"x-handler-name": "make_pet", "x-limit": 3}


def test_a_missing_operation_id_gives_a_generated_name_and_a_warning() -> None:
    pets: dict[str, Any] = {"/pets/{petId}": {"get": {}}, "/pets/petId": {"get": {}}, "/": {"get": {}}}
    loaded = load(document(pets))
    assert [(o.handler, o.handler_source) for o in loaded.operations] == [
        ("get_pets_petId", "generated"),
        ("get_pets_petId_2", "generated"),
        ("get", "generated"),
    ]
    assert [i.kind for i in loaded.issues].count("MissingHandler") == 3


def test_security_is_inherited_replaced_cleared_or_anonymous(everything: Specification) -> None:
    assert operation(everything, "POST", "/pets").security == ()
    assert operation(everything, "GET", "/pets/{petId}").security == (
        (Requirement("key"),),
        (Requirement("oauth", ("read", "write")),),
        (),
    )
    key = everything.security_schemes["key"]
    assert (key.type, key.location, key.parameter) == ("apiKey", "header", "X-Key")
    assert everything.security_schemes["login"].http_scheme == "bearer"


def test_bodies_and_responses_are_resolved(everything: Specification) -> None:
    body = operation(everything, "POST", "/pets").request_body
    assert body is not None
    assert body.required
    assert [m.essence for m in body.content] == ["application/json", "multipart/form-data"]
    assert body.content[0].schema is not None
    assert body.content[0].schema.is_valid({"name": "Rex", "parent": {"name": "Ada"}})
    assert not body.content[0].schema.is_valid({"name": "Rex", "parent": {}})
    pets, fault, default = operation(everything, "GET", "/pets").responses
    assert (pets.status, fault.status, default.status) == ("200", "4XX", "default")
    plain, csv = pets.content
    assert (plain.name, plain.essence) == ("application/json; charset=utf-8", "application/json")
    assert plain.example == [{"name": "Rex"}]
    assert csv.schema is None
    assert csv.example is MISSING


def test_what_goes_out_and_where_answers_lead_is_part_of_the_model(everything: Specification) -> None:
    create = operation(everything, "POST", "/pets")
    (callback,) = create.callbacks
    assert (callback.name, callback.url.text, callback.operations[0].method) == ("made", "{$request.body#/url}", "POST")
    (link,) = create.responses[0].links
    assert (link.name, link.operation_id) == ("next", "listPets")
    (webhook,) = everything.webhooks
    assert (webhook.name, webhook.operations[0].method) == ("petMade", "POST")
    assert not any(issue.kind == "NotExecuted" for issue in everything.issues)


def test_webhooks_came_with_openapi_3_1() -> None:
    hooks = {"w": {"post": {"responses": {}}}}
    assert [webhook.name for webhook in load(document(webhooks=hooks)).webhooks] == ["w"]
    assert load(document(version="3.0.4", webhooks=hooks)).webhooks == ()


def test_a_callback_has_callbacks_of_its_own() -> None:
    inner = {"post": {"responses": {}, "callbacks": {"b": {"{$url}": {"put": {"responses": {}}}}}}}
    outer = {"post": {"operationId": "x", "responses": {}, "callbacks": {"a": {"{$url}": inner}}}}
    spec = load(document(paths={"/x": outer}))
    (callback,) = operation(spec, "POST", "/x").callbacks
    (nested,) = callback.operations[0].callbacks
    assert (nested.name, nested.operations[0].method) == ("b", "PUT")
    assert not spec.issues


@pytest.mark.parametrize(
    ("change", "kind", "pointer"),
    [
        ({"callbacks": {"a": {"{$request.url}": {}}}}, "InvalidExpression", "/callbacks/a/{$request.url}"),
        ({"callbacks": {"a": {"{$url}": {"parameters": [{"name": "p", "in": "path", "required": True, "schema": {}}],
         "post": {}}}}}, "ParameterWithoutTemplateVariable", "/callbacks/a/{$url}/post"),
        ({"responses": {"200": {"description": "", "links": {"l": {"operationId": "x", "parameters": {"a": "{$x}"}}}}}},
         "InvalidExpression", "/responses/200/links/l"),
        ({"responses": {"200": {"description": "", "links": {"l": {"operationRef": "#/paths/~1y/get"}}}}},
         "UnresolvableLink", "/responses/200/links/l"),
    ],
)  # fmt: skip
def test_what_cannot_be_sent_or_followed_is_a_warning(change: dict[str, Any], kind: str, pointer: str) -> None:
    spec = load(document(paths={"/x": {"post": {"operationId": "x", "responses": {}, **change}}}))
    assert [(i.kind, i.pointer) for i in spec.issues] == [(kind, f"/paths/~1x/post{pointer}")]


# -- versions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["3.0.0", "3.0.4", "3.1.2", "3.2.0", "3.0.0-rc2"])
def test_versions_that_are_served(version: str) -> None:
    assert load(document(version=version)).version == version


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ({"swagger": "2.0"}, "Swagger 2.0"),
        ({"openapi": "3.3.0"}, "OpenAPI '3.3.0'"),
        ({"openapi": 3.1}, "OpenAPI 3.1"),
        ({}, "missing"),
    ],
)
def test_another_version_is_one_issue_that_names_it(version: dict[str, Any], names: str) -> None:
    (issue,) = errors({**version, "paths": {"/x": 3}})
    assert issue.kind == "UnsupportedVersion"
    assert names in issue.message


@pytest.mark.parametrize(
    ("source", "kind"), [("- 1\n- 2\n", "WrongType"), ("\n", "WrongType"), ("a: [\n", "InvalidYaml")]
)
def test_what_is_no_document_is_one_issue(source: str, kind: str) -> None:
    assert kinds(source) == [kind]


def test_paths_are_needed_and_since_3_1_may_be_replaced() -> None:
    assert kinds({"openapi": "3.0.0", "info": {"title": "T"}, "components": {}}) == ["MissingField"]
    assert load({"openapi": "3.1.0", "info": {"title": "T"}, "components": {}}).operations == ()
    assert kinds({"openapi": "3.1.0", "info": {"title": "T"}}) == ["MissingField"]


def test_openapi_3_2_constructs_are_executed_in_3_2_only() -> None:
    path = {
        "query": {"operationId": "q"},
        "additionalOperations": {"COPY": {"operationId": "c"}},
        "get": {
            "operationId": "g",
            "parameters": [
                {"name": "c", "in": "cookie", "style": "cookie", "schema": {"type": "string"}},
                {"name": "s", "in": "querystring", "content": {"application/json": {}}},
            ],
            "responses": {"200": {"content": {"application/jsonl": {"itemSchema": {"type": "string"}}}}},
        },
    }
    assert warnings(document({"/x": path}, "3.2.0")) == []
    del path["get"]
    assert set(warnings(document({"/x": path}, "3.1.0"))) == {
        ("UnknownField", "/paths/~1x/query"),
        ("UnknownField", "/paths/~1x/additionalOperations"),
    }


def test_strict_makes_errors_of_warnings() -> None:
    source = document({"/x": {"get": {}}})
    assert warnings(source) == [("MissingHandler", "/paths/~1x/get")]
    assert kinds(source, strict=True) == ["MissingHandler"]


# -- servers and templates --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("servers", "base"),
    [
        ([], ""),
        ([{"url": "/"}], ""),
        ([{"url": "https://example.com"}], ""),
        ([{"url": "https://example.com:8443/v1/"}], "/v1"),
        ([{"url": "//example.com/v1"}], "/v1"),
        ([{"url": "v1"}], "/v1"),
        ([{"url": "./v1"}], "/v1"),
        ([{"url": "../v1"}], "/v1"),
        ([{"url": "/v1?a=b#c"}], "/v1"),
        ([{"url": "{root}/x", "variables": {"root": {"default": "https://h/r"}}}], "/r/x"),
        (
            [
                {
                    "url": "{scheme}://h:{port}/{v}",
                    "variables": {"scheme": {"default": "http"}, "port": {"default": 80}, "v": {"default": "v2"}},
                }
            ],
            "/v2",
        ),
        ([{}], ""),
    ],
)
def test_the_base_path_of_the_first_server(servers: Any, base: str) -> None:
    loaded = load(document({"/x": get()}, servers=servers), strict=True)
    assert loaded.base_path == base
    assert only(loaded).path == base + "/x"


@pytest.mark.parametrize(("forced", "base"), [("", ""), ("/", ""), ("api/", "/api"), ("/a/b", "/a/b")])
def test_the_callers_base_path_wins_over_all_servers(forced: str, base: str) -> None:
    item = {"servers": [{"url": "/item"}], "get": {"operationId": "o", "servers": [{"url": "/operation"}]}}
    loaded = load(document({"/x": item}, servers=[{"url": "/root"}]), base_path=forced)
    assert (loaded.base_path, only(loaded).path) == (base, base + "/x")


@pytest.mark.parametrize(
    "server",
    [{"url": "/{v}"}, {"url": "http://[::/x"}, {"url": "/{v}", "variables": {"v": {"default": "a", "enum": ["b"]}}}],
)
def test_a_doubtful_server_is_a_warning(server: Any) -> None:
    assert [kind for kind, _ in warnings(document(servers=[server]))] == ["InvalidServer"]


def test_a_further_server_with_another_base_path_is_named() -> None:
    servers = [{"url": "https://a/v1"}, {"url": "https://b/v1"}, {"url": "https://c/v2"}]
    assert warnings(document(servers=servers)) == [("NotExecuted", "/servers/2")]


@pytest.mark.parametrize("template", ["pets", "/a/{b", "/a/b}", "/a/{}", "/{a}/{a}", "/{a{b}}", "/}{", "/{a/b}", ""])
def test_an_illegal_path_template(template: str) -> None:
    (issue,) = errors(document({template: get()}))
    assert issue.kind == "IllegalPathTemplate"


def test_a_query_in_a_path_key_stays_and_a_fragment_is_dropped() -> None:
    loaded = load(
        document({"/x?a=b": get(), "/x": {"get": {"operationId": "b"}}, "/y#z": {"get": {"operationId": "c"}}})
    )
    assert [o.template for o in loaded.operations] == ["/x?a=b", "/x", "/y"]
    assert [(i.kind, i.pointer) for i in loaded.issues] == [("FragmentInPath", "/paths/~1y#z")]


def test_templates_that_match_the_same_requests_collide() -> None:
    paths = {
        "/a/{x}": {"get": {"operationId": "a"}},
        "/a/{y}": {"get": {"operationId": "b"}, "put": {"operationId": "c"}},
    }
    (issue,) = errors(document(paths))
    assert (issue.kind, issue.pointer) == ("CollidingPathTemplates", "/paths/~1a~1{y}/get")
    fragments = {"/a#1": {"get": {"operationId": "a"}}, "/a#2": {"get": {"operationId": "b"}}}
    assert [o.handler for o in load(document(fragments)).operations] == ["a"]
    assert ("UnreachableOperation", "/paths/~1a#2/get") in warnings(document(fragments))


def test_template_variables_and_parameters_have_to_agree() -> None:
    wrong = [{"name": "b", "in": "path", "required": True, "schema": {"type": "string"}}]
    loaded = load(document({"/{a}": get(parameters=wrong)}))
    assert {i.kind for i in loaded.issues} == {"TemplateVariableWithoutParameter", "ParameterWithoutTemplateVariable"}
    (found,) = only(loaded).parameters
    assert (found.name, found.location, found.required, found.types) == ("a", "path", True, ("string",))


# -- further issues ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "kind", "pointer"),
    [
        (
            document({"/a": get(), "/b": get()}),
            "DuplicateOperationId",
            "/paths/~1b/get",
        ),
        (document({"/a": get(security=[{"no": []}])}), "UndefinedSecurityScheme", "/paths/~1a/get/security/0"),
        (document(security=[{"no": []}]), "UndefinedSecurityScheme", "/security/0"),
        (document(security={}), "WrongType", "/security"),
        (document(security=["a"]), "WrongType", "/security/0"),
        (
            document(security=[{"k": "s"}], components={"securitySchemes": {"k": {"type": "mutualTLS"}}}),
            "WrongType",
            "/security/0/k",
        ),
        (
            document(components={"securitySchemes": {"k": {"type": "apiKey", "name": "x"}}}),
            "InvalidSecurityScheme",
            "/components/securitySchemes/k",
        ),
        (
            document(components={"securitySchemes": {"k": {"type": "basic"}}}),
            "InvalidSecurityScheme",
            "/components/securitySchemes/k",
        ),
        (document({"/a": get(operationId=3)}), "WrongType", "/paths/~1a/get/operationId"),
        (document({"/a": get(responses={"600": {}})}), "InvalidStatus", "/paths/~1a/get/responses/600"),
        (document({"/a": get(responses=[])}), "WrongType", "/paths/~1a/get/responses"),
        (document({"/a": get(parameters={})}), "WrongType", "/paths/~1a/get/parameters"),
        (document({"/a": {"get": []}}), "WrongType", "/paths/~1a/get"),
        (document({"/a": "x"}), "WrongType", "/paths/~1a"),
        (document([]), "WrongType", "/paths"),
        (document(components=3), "WrongType", "/components"),
        (document(components={"schemas": {"A": 3}}), "WrongType", "/components/schemas/A"),
        (document(servers=[{"url": 3}]), "InvalidServer", "/servers/0/url"),
        (document(servers=[{"url": "/{v}", "variables": {"v": {}}}]), "InvalidServer", "/servers/0/variables/v"),
    ],
)
def test_an_issue_names_its_kind_and_place(source: Any, kind: str, pointer: str) -> None:
    assert (kind, pointer) in [(issue.kind, issue.pointer) for issue in errors(source)]


def test_all_issues_are_collected_in_one_error() -> None:
    paths = {
        "bad": get(),
        "/a": {"get": {"operationId": "same", "parameters": [{"name": "x"}], "security": [{"no": []}]}},
        "/b": {"get": {"operationId": "same", "responses": {"200": {"$ref": "#/no"}, "no": {}}}},
    }
    assert sorted(kinds(document(paths))) == [
        "DuplicateOperationId",
        "IllegalPathTemplate",
        "InvalidParameter",
        "InvalidStatus",
        "UndefinedSecurityScheme",
        "UnresolvableResponseRef",
    ]
    with pytest.raises(SpecError, match=r"6 issues found:\n  \[") as caught:
        load(document(paths))
    assert caught.value.source == "document"


def test_fields_that_exclude_each_other_are_named() -> None:
    media = {"a/b": {"example": 1, "examples": {}}}
    source = document({"/a": {"post": {"operationId": "o", "requestBody": {"content": media}}}})
    assert ("ConflictingFields", "/paths/~1a/post/requestBody/content/a~1b") in warnings(source)


def test_a_field_that_a_path_item_does_not_have_is_named() -> None:
    assert warnings(document({"/a": {"gett": {}, "x-note": 1, "summary": "s"}})) == [
        ("UnknownField", "/paths/~1a/gett")
    ]


def test_a_security_scheme_may_be_named_by_its_uri_in_3_2() -> None:
    source = document(
        {"/a": get(security=[{"#/components/securitySchemes/k": []}])},
        "3.2.0",
        components={"securitySchemes": {"k": {"type": "http", "scheme": "basic"}}},
    )
    loaded = load(source)
    assert loaded.security_schemes["#/components/securitySchemes/k"].http_scheme == "basic"
    assert kinds({**source, "openapi": "3.1.0"}) == ["UndefinedSecurityScheme"]
