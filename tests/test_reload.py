"""A running application takes on what its files say, or goes on as it was (`App.reload`)."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
import sys
import threading
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from serving import Load

from brrtrouter import App, Request
from brrtrouter.server.handle import Server
from brrtrouter.server.trial import ReloadError
from brrtrouter.spec.model import Operation

Serve = Callable[[App], Server]
HEAD = 'openapi: 3.1.0\ninfo: {title: Reloaded, version: "1"}\npaths:\n'
GOOD = HEAD + '  /a: {get: {operationId: a, responses: {"200": {description: x}}}}\n'
BOTH = GOOD + '  /b: {get: {operationId: b, responses: {"200": {description: x}}}}\n'
ONE = "async def a(request):\n    return 'one'\n"
TWO = "async def a(request):\n    return 'two'\n\n\nasync def b(request):\n    return 'b'\n"
CONFIG = "metrics: {enabled: true}\nlimits: {reload_time: 4}\n"


class Project:
    """A description, handlers and a configuration in a folder, and an application made of them."""

    def __init__(self, folder: Path) -> None:
        self.spec = folder / "openapi.yaml"
        self.handlers = folder / f"handlers_{folder.name}.py"
        self.config = folder / "config.yaml"
        self.spec.write_text(GOOD)
        self.handlers.write_text(ONE)
        self.config.write_text(CONFIG)
        self.app = App(self.spec, self.handlers, self.config)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def ask(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""


# -- what changes


def test_description_and_handlers_change_together(project: Project, serve: Serve, caplog: Any) -> None:
    server = serve(project.app)
    assert ask(server.url + "/a") == (200, '"one"')
    assert ask(server.url + "/b")[0] == 404
    project.spec.write_text(BOTH)
    project.handlers.write_text(TWO)
    with caplog.at_level(logging.INFO, "brrtrouter.reload"):
        changes = project.app.reload()
    assert changes == (("GET /b",), (), ("GET /a",))
    assert caplog.messages == ["reloaded: added GET /b; changed GET /a"]
    assert ask(server.url + "/a") == (200, '"two"')
    assert ask(server.url + "/b") == (200, '"b"')
    project.spec.write_text(GOOD)
    assert project.app.reload().removed == ("GET /b",)
    assert ask(server.url + "/b")[0] == 404, "no stale route"
    assert str(project.app.reload()) == "operations and the code of their handlers are the same"


def test_schemas_limits_cors_and_security_change_too(project: Project, serve: Serve) -> None:
    server = serve(project.app)
    parameter = "parameters: [{name: n, in: query, schema: {type: integer}}]"
    scheme = "components: {securitySchemes: {key: {type: apiKey, in: query, name: key}}}\n"
    project.spec.write_text(GOOD.replace("operationId: a", f"operationId: a, {parameter}"))
    project.config.write_text(CONFIG + "cors: {origins: ['https://app.example']}\n")
    project.app.reload()
    assert ask(server.url + "/a?n=x")[0] == 400
    request = urllib.request.Request(server.url + "/a", headers={"Origin": "https://app.example"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    project.spec.write_text(GOOD.replace("operationId: a", "operationId: a, security: [{key: []}]") + scheme)
    project.config.write_text(CONFIG + "security: {api_keys: {key: {key: sesame}}}\n")
    project.app.reload()
    assert [ask(server.url + path)[0] for path in ("/a", "/a?key=x", "/a?key=sesame")] == [401, 401, 200]


def test_what_was_registered_on_the_object_stays(project: Project, serve: Serve) -> None:
    async def registered(request: Request) -> str:
        return "registered"

    project.app.register("a", registered)
    server = serve(project.app)
    project.handlers.write_text(TWO)
    project.app.reload()
    assert ask(server.url + "/a") == (200, '"registered"')


def test_a_module_beside_the_handlers_is_read_again_too(project: Project, serve: Serve) -> None:
    helper = project.handlers.with_name(f"helper_{project.handlers.parent.name}.py")
    helper.write_text("WORD = 'first'\n")
    project.handlers.write_text(f"from {helper.stem} import WORD\n\n\nasync def a(request):\n    return WORD\n")
    project.app.reload()
    server = serve(project.app)
    assert ask(server.url + "/a") == (200, '"first"')
    helper.write_text("WORD = 'second word'\n")
    project.app.reload()
    assert ask(server.url + "/a") == (200, '"second word"')


def test_a_stream_under_way_finishes_with_the_version_it_began_with(serve: Serve, tmp_path: Path) -> None:
    going = threading.Event()
    released = threading.Event()

    async def stream() -> AsyncIterator[str]:
        yield "begun "
        going.set()
        while not released.is_set():
            await asyncio.sleep(0)
        yield "and ended"

    spec = tmp_path / "openapi.yaml"
    spec.write_text(BOTH)
    app = App(spec, {"a": lambda request: stream(), "b": lambda request: "b"})
    server = serve(app)
    answers: list[tuple[int, str]] = []
    reader = threading.Thread(target=lambda: answers.append(ask(server.url + "/a")))
    reader.start()
    assert going.wait(10)
    spec.write_text(BOTH.replace("  /a:", "  /elsewhere:"))
    app.reload()
    assert ask(server.url + "/a")[0] == 404
    released.set()
    reader.join(10)
    assert answers == [(200, "begun and ended")]


# -- what is refused

NOBODY = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
BROKEN_SPECS = {
    "empty": ("", "document"),
    "half written": (GOOD[:-40], "InvalidYaml"),
    "no YAML": ("a: [", "InvalidYaml"),
    "no OpenAPI": ("a: 1\n", "openapi"),
    "unresolved": (GOOD.replace("{description: x}", "{$ref: '#/components/responses/no'}"), "Unresolvable"),
    "operationId twice": (BOTH.replace("operationId: b", "operationId: a"), "operationId"),
    "merge bomb": (
        "a0: &a0 {x: 1}\n" + "".join(f"a{n + 1}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 8)}]}}\n" for n in range(9)),
        "LimitExceeded",
    ),
    "nested": ("[" * 50_000, "LimitExceeded|InvalidJson"),
}


@pytest.mark.parametrize("name", BROKEN_SPECS)
def test_a_broken_description_leaves_everything_as_it_was(
    name: str, project: Project, serve: Serve, caplog: Any
) -> None:
    server = serve(project.app)
    text, words = BROKEN_SPECS[name]
    project.spec.write_text(text)
    with pytest.raises(ReloadError, match=words):
        project.app.reload()
    (message,) = [each for each in caplog.messages if "reload" in each]
    assert message.startswith("reload refused, the version before goes on: ")
    assert "Traceback" not in message
    assert ask(server.url + "/a") == (200, '"one"')
    metrics = ask(server.url + "/metrics")[1]
    assert re.search(r"^brrtrouter_reload_failed_total 1\.0$", metrics, re.MULTILINE)
    assert re.search(r"^brrtrouter_reloads_total 0\.0$", metrics, re.MULTILINE)
    project.spec.write_text(BOTH)
    project.app.reload()
    assert re.search(r"^brrtrouter_reloads_total 1\.0$", ask(server.url + "/metrics")[1], re.MULTILINE)


BROKEN_HANDLERS = {
    "syntax": ("async def a(request:\n", "SyntaxError"),
    "missing module": ("import no_such_module_anywhere\n", "No module named"),
    "raises": ("raise RuntimeError('at import')\n", "at import"),
    "ends": ("import sys\nsys.exit(4)\n", r"exit\(4\)"),
    "dies": ("import os\nos._exit(9)\n", "ended with 9"),
    "is killed": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "signal 9"),
    "hangs": ("import threading\nthreading.Event().wait()\n", "not loaded after 1 s"),
    "is greedy": ("data = bytearray(2_000_000_000)\n", "MemoryError"),
    "takes no request": ("async def a(): ...\n", "cannot be called with one argument"),
}


@pytest.mark.parametrize("name", BROKEN_HANDLERS)
def test_broken_handlers_leave_everything_as_it_was(name: str, project: Project, serve: Serve) -> None:
    if name == "hangs":
        project.config.write_text(CONFIG.replace("4", "1"))
        project.app.reload()
    server = serve(project.app)
    modules = set(sys.modules)
    text, words = BROKEN_HANDLERS[name]
    project.handlers.write_text(text)
    with pytest.raises(ReloadError, match=words):
        project.app.reload()
    assert set(sys.modules) == modules
    assert ask(server.url + "/a") == (200, '"one"')


def test_a_file_that_is_gone_leaves_everything_as_it_was(project: Project, serve: Serve) -> None:
    server = serve(project.app)
    for file in (project.spec, project.handlers, project.config):
        kept = file.rename(file.with_suffix(".kept"))
        with pytest.raises(ReloadError, match=file.name):
            project.app.reload()
        kept.rename(file)
    assert ask(server.url + "/a") == (200, '"one"')
    assert (project.app.reloads.done, project.app.reloads.failed) == (0, 3)


def test_a_configuration_with_a_mistake_is_refused_by_its_key(project: Project) -> None:
    project.config.write_text("limits: {body: -1}\n")
    with pytest.raises(ReloadError, match=r"limits\.body"):
        project.app.reload()


# -- over and over


def test_many_edits_under_load_lose_nothing_and_leave_nothing(project: Project, serve: Serve) -> None:
    """`BRRTR_EDITS=1000` makes as many edits; one in ten is broken."""
    edits = int(os.environ.get("BRRTR_EDITS", "10"))
    server = serve(project.app)

    async def edit_and_ask() -> None:
        async with Load(server.url, clients=3, path="/a") as load:
            for number in range(edits):
                broken = number % 10 == 9
                project.spec.write_text("a: [" if broken else BOTH if number % 2 else GOOD)
                project.handlers.write_text(TWO.replace("'two'", f"'edit {number}'"))
                try:
                    await asyncio.to_thread(project.app.reload)
                except ReloadError:
                    assert broken
                else:
                    assert not broken
                    await load.until(f"edit {number}")
                    status, _ = await asyncio.to_thread(ask, server.url + "/b")
                    assert status == (200 if number % 2 else 404)
            assert (load.lost, load.torn, load.refused) == (0, 0, 0)
            assert {answer[:3] for answer in load.answered} == {b"200"}

    def kept() -> int:
        gc.collect()
        return sum(type(each) is Operation for each in gc.get_objects())

    project.app.reload()
    modules, before = len(sys.modules), kept()
    asyncio.run(edit_and_ask())
    assert len(sys.modules) == modules
    assert project.app.reloads.done == edits - edits // 10 + 1
    assert kept() <= before + 4, "what was replaced is gone"
