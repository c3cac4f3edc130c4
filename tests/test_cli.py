"""The command line: what it prints, and that whatever a user can get wrong ends in one clear line and exit code 2."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from brrtrouter import __version__
from brrtrouter.cli import main

ROOT = Path(__file__).resolve().parents[1]
GITHUB = ROOT.parent / "shared" / "specs" / "github" / "api.github.com.json"

SPEC = """\
openapi: 3.1.0
info: {title: Two things, version: "1"}
paths:
  /a/{id}:
    get:
      operationId: getA
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer, minimum: 1}}
        - {name: tag, in: query, schema: {type: array, items: {type: string}}}
        - {name: size, in: query, schema: {type: integer, default: 3}}
      responses: {"200": {description: ok}}
  /b:
    post:
      x-handler-name: makeB
      requestBody: {required: true, content: {application/json: {schema: {type: object}}}}
      responses: {"201": {description: made}}
"""
SECURED = (
    SPEC
    + """\
security: [{Key: []}]
components:
  securitySchemes:
    Key: {type: apiKey, in: header, name: X-Key}
    Token: {type: http, scheme: bearer}
"""
)
HANDLERS = """\
async def get_a(request):
    return {"id": request.path_params["id"]}

def makeB(request):
    return request.body
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder, and an interpreter that forgets what is imported from it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delenv("BRRTR_API_KEY", raising=False)
    write("openapi.yaml", SPEC)
    write("secured.yaml", SECURED)
    write("all_handlers.py", HANDLERS)
    write("one_handler.py", HANDLERS.partition("def makeB")[0])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if not name.startswith("brrtrouter"):
            del sys.modules[name]


def write(name: str, text: str) -> str:
    Path(name).write_text(text, "utf-8")
    return name


def refused(arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What goes to standard error when the arguments are refused."""
    assert main(arguments.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err


def printed(arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments.split()) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}


@contextmanager
def serving(*arguments: str, **variables: str) -> Iterator[tuple[str, list[str]]]:
    """The URL of `brrtrouter serve` in a process of its own, and what it printed before; ended by SIGTERM."""
    command = [sys.executable, "-m", "brrtrouter", "serve", *arguments, "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**environment(), **variables}
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines: list[str] = []
        url = None
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            found = re.match(r"Listening on (\S+)", line)
            if found:
                url = found[1]
                break
        try:
            assert url is not None, process.stderr.read()
            yield url, lines
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "Traceback" not in errors


def fetch(url: str, **headers: str) -> tuple[int, bytes]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=fields), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


# -- what works


def test_version_is_the_package_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"brrtrouter {__version__}\n"


def test_routes_lists_operations_and_what_answers_them(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed("routes secured.yaml --handlers all_handlers.py", capsys)
    assert out.splitlines() == [
        f"BRRTRouter {__version__}: Two things (OpenAPI 3.1.0, secured.yaml)",
        "  GET   /a/{id}  -> getA   [async, never suspends; security: Key]",
        "  POST  /b       -> makeB  [thread; security: Key]",
        "2 operations; built in: /health /ready /openapi.json /openapi.yaml /docs",
    ]


def test_routes_as_json_have_one_record_for_each_operation(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = json.loads(printed("routes openapi.yaml --handlers one_handler.py --format json", capsys))
    assert first == {
        "method": "GET",
        "path": "/a/{id}",
        "handler": "getA",
        "implemented": True,
        "reason": "get_a in one_handler",
        "kind": "async, never suspends",
        "security": "",
    }
    assert (second["handler"], second["implemented"], second["reason"]) == (
        "makeB", False, "missing: answered with 501"
    )  # fmt: skip


def test_verbose_says_what_was_parsed_and_why_the_handler_was_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed("routes openapi.yaml --handlers all_handlers.py --verbose", capsys)
    expected = [
        "from /paths/~1a~1{id}/get",
        "handler 'getA' from operationId; get_a in all_handlers",
        "path id: integer (simple; required; validated)",
        "query tag: array of string (form, explode)",
        "query size: integer (form, explode; default 3)",
        "responses: 200; a plain result is 200",
        "handler 'makeB' from x-handler-name; makeB in all_handlers",
        "body: application/json (required)",
        "responses: 201; a plain result is 201",
    ]
    lines = [line.strip() for line in out.splitlines()]
    assert [line for line in lines if line in expected] == expected
    assert "from operationId" not in printed("routes openapi.yaml --handlers all_handlers.py", capsys)


def test_missing_handlers_are_listed_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed("routes openapi.yaml --handlers one_handler.py", capsys)
    assert "  POST  /b       -> makeB  [missing, 501]\n" in out
    assert "1 handler is missing, answered with 501: makeB\n" in out


def test_without_handlers_everything_is_echoed_and_the_listing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed("routes secured.yaml", capsys)
    assert "2 handlers are missing, answered by the echo handler\n" in out
    assert "echo mode: of a credential only the presence is checked, not whether it is valid\n" in out


def test_echo_fills_in_only_for_missing_handlers(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed("routes openapi.yaml --handlers one_handler.py --echo", capsys)
    assert "-> getA   [async, never suspends]" in out
    assert "-> makeB  [echo]" in out


def test_marked_handlers_that_no_operation_asks_for_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    write("marked.py", "from brrtrouter import handler\n@handler('getAA')\ndef x(request): pass\n")
    out = printed("routes openapi.yaml --handlers marked.py", capsys)
    assert "warning: the handler 'getAA' belongs to no operation\n" in out


def test_warnings_of_one_kind_are_counted_beyond_three(capsys: pytest.CaptureFixture[str]) -> None:
    paths = "".join(f"  /p{n}: {{get: {{responses: {{}}}}}}\n" for n in range(5))
    write("warned.yaml", 'openapi: 3.1.0\ninfo: {title: T, version: "1"}\npaths:\n' + paths)
    out = printed("routes warned.yaml", capsys)
    assert out.count("warning: [MissingHandler] /paths/") == 3
    assert "warning: [MissingHandler] and 2 more; --verbose lists them\n" in out
    assert printed("routes warned.yaml --verbose", capsys).count("warning: [MissingHandler] /paths/") == 5


def test_base_path_takes_the_place_of_servers(capsys: pytest.CaptureFixture[str]) -> None:
    assert "GET   /v9/a/{id}  ->" in printed("routes openapi.yaml --base-path /v9", capsys)


def test_an_app_object_is_named_by_module_and_attribute(capsys: pytest.CaptureFixture[str]) -> None:
    write("website.py", "from brrtrouter import App\napp = App('openapi.yaml', handlers='all_handlers')\n")
    assert "-> makeB  [thread]" in printed("routes website:app", capsys)


def test_a_reader_that_stops_reading_gets_no_traceback() -> None:
    # More than a pipe holds, so that writing meets the closed end.
    paths = "".join(f"  /p{n}: {{get: {{operationId: op{n}, responses: {{}}}}}}\n" for n in range(3000))
    write("long.yaml", 'openapi: 3.1.0\ninfo: {title: T, version: "1"}\npaths:\n' + paths)
    command = [sys.executable, "-m", "brrtrouter", "routes", "long.yaml", "--verbose"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.readline()
        run.stdout.close()
        assert run.stderr.read() == ""
    assert run.returncode == 1


# -- what is served


def test_serve_answers_with_the_handlers_and_drains_on_sigterm() -> None:
    with serving("openapi.yaml", "--handlers", "all_handlers.py") as (url, lines):
        assert fetch(f"{url}/a/7") == (200, b'{"id":7}')
        assert fetch(f"{url}/health") == (200, b'{"status":"ok"}')
    assert lines[0] == f"BRRTRouter {__version__}: Two things (OpenAPI 3.1.0, openapi.yaml)"
    assert "  GET   /a/{id}  -> getA   [async, never suspends]" in lines


def test_serve_without_handlers_echoes_and_wants_any_credential() -> None:
    with serving("secured.yaml") as (url, lines):
        assert fetch(f"{url}/a/7?tag=x")[0] == 401
        status, body = fetch(f"{url}/a/7?tag=x", X_Key="anything")
        echoed = json.loads(body)
        assert (status, echoed["handler"], echoed["path"]) == (200, "getA", "/a/{id}")
        assert (echoed["params"], echoed["query"]) == ({"id": 7}, {"tag": ["x"], "size": 3})
    assert "echo mode: of a credential only the presence is checked, not whether it is valid" in lines


def test_test_api_key_is_the_key_of_every_scheme_without_one() -> None:
    write("other.yaml", "security: {api_keys: {Other: {key: other}}}\n")
    # The flag beats the environment.
    arguments = ("secured.yaml", "--handlers", "all_handlers.py", "--test-api-key", "k1", "--config", "other.yaml")
    with serving(*arguments, BRRTR_API_KEY="ignored") as (url, _):
        assert fetch(f"{url}/a/7", X_Key="k1") == (200, b'{"id":7}')
        assert fetch(f"{url}/a/7", X_Key="ignored")[0] == 401


def test_the_environment_gives_the_key_of_one_scheme() -> None:
    with serving("secured.yaml", "--handlers", "all_handlers.py", BRRTR_API_KEY__KEY="k2") as (url, _):
        assert fetch(f"{url}/a/7", X_Key="k2") == (200, b'{"id":7}')
        assert fetch(f"{url}/a/7", X_Key="k3")[0] == 401


def test_serve_takes_an_app_object() -> None:
    write("website.py", "from brrtrouter import App\napp = App('openapi.yaml', handlers='all_handlers')\n")
    with serving("website:app") as (url, _):
        assert fetch(f"{url}/a/9") == (200, b'{"id":9}')


@pytest.mark.skipif(not GITHUB.is_file(), reason="the published descriptions are not here")
def test_a_description_with_a_thousand_operations_is_served() -> None:
    with serving(str(GITHUB)) as (url, lines):
        status, body = fetch(f"{url}/repos/octo/hello%2Fworld")
        assert status == 200
        assert json.loads(body)["params"] == {"owner": "octo", "repo": "hello/world"}
    assert re.match(r"\d{4} operations; ", lines[-2])


# -- what is refused

SYNTAX = "def get_a(request) return 1\n"
REFUSED = {
    "no such file": ("serve nowhere.yaml", ["cannot read nowhere.yaml: No such file or directory"]),
    "a folder": ("serve .", ["cannot read .: Is a directory"]),
    "not yaml": ("serve broken.yaml", ["broken.yaml: 1 issue found:", "[InvalidYaml]", "line 3, column "]),
    "not openapi 3": (
        "serve swagger.yaml",
        ["swagger.yaml: 1 issue found:", "[UnsupportedVersion] /: Swagger 2.0 is not"],
    ),
    "future version": (
        "serve future.yaml",
        ["[UnsupportedVersion] /: OpenAPI '4.0.0' is not supported; 3.0, 3.1 and 3.2"],
    ),
    "strict": ("routes warned.yaml --strict", ["warned.yaml: 1 issue found:", "[MissingHandler] /paths/~1a/get"]),
    "base path": (
        "routes openapi.yaml --base-path /{",
        ["openapi.yaml: 2 issues found:", "[IllegalPathTemplate] /paths/~1b"],
    ),
    "handlers file": ("serve openapi.yaml --handlers no.py", ["handlers: no.py: no such file"]),
    "handlers module": (
        "serve openapi.yaml --handlers no_such_module",
        ["handlers: cannot import no_such_module: ModuleNotFoundError"],
    ),
    "handlers syntax": (
        "serve openapi.yaml --handlers syntax.py",
        ["cannot import syntax.py: SyntaxError", "syntax.py, line 1"],
    ),
    "handlers import": (
        "serve openapi.yaml --handlers importing.py",
        ["cannot import importing.py: ", "importing.py:2: ModuleNotFoundError: No module named 'no_such_thing'"],
    ),
    "handlers run": (
        "serve openapi.yaml --handlers failing.py",
        ["cannot import failing.py: ", "failing.py:1: KeyError: 'x'"],
    ),
    "signature": (
        "serve openapi.yaml --handlers signature.py",
        ["the handler 'getA' cannot be called with one argument, the request: "],
    ),
    "not callable": ("serve openapi.yaml --handlers value.py", ["the handler 'getA' is not callable but int"]),
    "config file": ("serve openapi.yaml --config no.yaml", ["no.yaml: No such file or directory"]),
    "config yaml": ("serve openapi.yaml --config bad_config.yaml", ["bad_config.yaml: not YAML in line 2, column 1: "]),
    "config key": (
        "serve openapi.yaml --config unknown.yaml",
        ["unknown.yaml: unknown key limits.bodi; did you mean limits.body?"],
    ),
    "config type": ("serve openapi.yaml --config wrong.yaml", ["wrong.yaml: limits.body is not of type int"]),
    "no key": (
        "serve secured.yaml --handlers all_handlers.py",
        [
            "security scheme 'Key' (apiKey) of secured.yaml has no provider: ",
            ": set security.api_keys.Key.key in the configuration, or BRRTR_API_KEY__KEY",
        ],
    ),
    "no provider": (
        "serve bearer.yaml --handlers all_handlers.py --test-api-key k",
        [
            "security scheme 'Token' (http) of bearer.yaml has no provider: ",
            ": set security.jwks.Token.jwks_url in the configuration, or pass one as App(security={'Token': provider})",
        ],
    ),
    "no such address": (
        "serve openapi.yaml --host no-such-host.invalid",
        ["cannot listen on no-such-host.invalid:8080: "],
    ),
    "app module": ("serve nowhere:app", ["cannot import nowhere: ModuleNotFoundError"]),
    "app attribute": ("serve all_handlers:app", ["all_handlers:app: has no such name"]),
    "app type": ("serve all_handlers:get_a", ["all_handlers:get_a: is function, not an App"]),
    **{
        f"app {option}": (f"serve all_handlers:get_a {option}", [f"{option.split()[0]} goes with a document; "])
        for option in ("--handlers x", "--config x", "--base-path x", "--test-api-key x", "--strict", "--echo")
    },
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_user_can_mend_is_refused_with_words_for_it(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("broken.yaml", "openapi: 3.1.0\npaths: [\nx: }\n")
    write("swagger.yaml", 'swagger: "2.0"\n')
    write("future.yaml", "openapi: 4.0.0\n")
    write("warned.yaml", 'openapi: 3.1.0\ninfo: {title: T, version: "1"}\npaths: {/a: {get: {responses: {}}}}\n')
    write("syntax.py", SYNTAX)
    write("importing.py", "\nimport no_such_thing\n")
    write("failing.py", "{}['x']\n")
    write("signature.py", "def get_a(): pass\n")
    write("value.py", "get_a = 3\n")
    write("bad_config.yaml", "limits: [\n")
    write("unknown.yaml", "limits: {bodi: 3}\n")
    write("wrong.yaml", "limits: {body: much}\n")
    write("bearer.yaml", SECURED.replace("{Key: []}", "{Token: []}"))
    arguments, expected = REFUSED[case]
    errors = refused(arguments, capsys)
    first, *issues = errors.splitlines()
    assert first.startswith("brrtrouter: ")
    assert all(line.startswith("  [") for line in issues)
    assert bool(issues) == ("found:" in first)
    for text in expected:
        assert text in errors


def test_every_issue_of_a_document_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    write("issues.yaml", SPEC.replace("name: tag", "name: id").replace("in: query", "in: body").replace("getA", "7"))
    first, *issues = refused("serve issues.yaml", capsys).splitlines()
    assert first == f"brrtrouter: issues.yaml: {len(issues)} issues found:"
    assert [re.findall(r"^  \[(\w+)\] (/\S+): ", issue)[0] for issue in issues] == [
        ("WrongType", "/paths/~1a~1{id}/get/operationId"),
        ("InvalidParameter", "/paths/~1a~1{id}/get/parameters/1"),
        ("InvalidParameter", "/paths/~1a~1{id}/get/parameters/2"),
    ]


@pytest.mark.parametrize(
    "arguments", ["", "frobnicate", "serve", "serve x --port 70000", "serve x --port -1", "routes"]
)
def test_wrong_usage_is_explained(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments.split())
    assert end.value.code == 2
    errors = capsys.readouterr().err
    assert errors.startswith("usage: brrtrouter")
    assert re.search(r"^brrtrouter.*: error: ", errors, re.MULTILINE)


def test_a_secret_is_never_part_of_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    write("secret.yaml", "security: {api_keys: {Key: hush-hush}}\n")
    assert "hush-hush" not in refused("serve secured.yaml --config secret.yaml", capsys)


def test_a_port_in_use_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        errors = refused(f"serve openapi.yaml --port {port}", capsys)
    assert errors == f"brrtrouter: cannot listen on 127.0.0.1:{port}: the port is in use\n"


@pytest.mark.parametrize(
    "arguments",
    ["serve nowhere.yaml", "serve openapi.yaml --handlers syntax.py", "serve openapi.yaml --config no.yaml"],
)
def test_the_process_ends_with_2_and_no_traceback(arguments: str) -> None:
    write("syntax.py", SYNTAX)
    command = [sys.executable, "-m", "brrtrouter", *arguments.split()]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)
    assert run.returncode == 2
    assert run.stdout == ""
    assert re.fullmatch(r"brrtrouter: .+\n", run.stderr)
