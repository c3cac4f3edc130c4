"""Whole projects: what `gen` makes of published descriptions is clean, and every operation answers, by its client too.

The pet store and the museum are made in every run; with BRRTR_ALL_SPECS=1 the large descriptions are as well, which
takes some minutes:

    BRRTR_ALL_SPECS=1 python -m pytest tests/test_codegen_projects.py -s
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest
from codegen_support import SPECS, generate, is_clean, passes_its_tests

from brrtrouter import App
from brrtrouter.cli import main

ALL = os.environ.get("BRRTR_ALL_SPECS") == "1"
SMALL = {"petstore": "petstore/openapi.yaml", "museum": "museum/openapi.yaml"}
LARGE = {
    "discord": "discord/openapi.json",
    "openai": "openai/openapi.json",
    "stripe": "stripe/stripe.com.json",
    "github": "github/api.github.com.json",
}
# Operations without a request in the tests: two whose forms have to have what no style can say.
SKIPPED = {"stripe": 2, "github": 0, "openai": 0, "discord": 0, "petstore": 0, "museum": 0}

pytestmark = pytest.mark.skipif(not SPECS.is_dir(), reason="the shared documents are not here")


@pytest.mark.parametrize("name", [*SMALL, *(LARGE if ALL else ())])
def test_a_project_is_clean_and_every_operation_answers(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    source = SPECS / (SMALL | LARGE)[name]
    times = {}
    start = time.perf_counter()
    assert generate(folder, source, "--client", "--package", "made") == 0
    times["gen"] = time.perf_counter() - start
    for key, step in (
        ("clean", lambda: is_clean(folder, tmp_path / "cache")),
        ("tests", lambda: passes_its_tests(folder)),
    ):
        start = time.perf_counter()
        said = step()
        times[key] = time.perf_counter() - start
    assert said is not None
    cases = json.loads((folder / "tests" / "cases.json").read_bytes())
    operations = len(App(source, echo=True).routes)
    skipped = [case for case in cases if "skip" in case]
    called = [case for case in cases if "call" in case]
    print(name, operations, said, {key: round(value, 1) for key, value in times.items()})
    assert len(cases) == operations
    assert len(skipped) == SKIPPED[name], skipped
    passed = re.search(r"(\d+) passed", said)
    assert passed is not None
    assert int(passed[1]) == len(cases) - len(skipped) + 2 * len(called)
    assert "failed" not in said


def test_the_same_description_makes_the_same_files(tmp_path: Path) -> None:
    trees = []
    for name in ("a", "b"):
        assert generate(tmp_path / name, SPECS / SMALL["museum"], "--client") == 0
        trees.append(
            {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        )
    assert trees[0] == trees[1]


def test_a_description_of_several_files_takes_them_along(tmp_path: Path) -> None:
    source = tmp_path / "api"
    (source / "schemas").mkdir(parents=True)
    (source / "schemas" / "Pet.yaml").write_text("type: object\nproperties: { name: { type: string } }\n")
    (source / "api.yaml").write_text(
        "openapi: 3.1.0\ninfo: { title: Pets, version: '1' }\npaths:\n  /pet:\n    get:\n      operationId: getPet\n"
        "      responses: { '200': { description: x, content: { application/json: { schema: "
        "{ $ref: schemas/Pet.yaml } } } } }\n"
    )
    folder = tmp_path / "project"
    assert generate(folder, source / "api.yaml") == 0
    assert (folder / "pets" / "openapi" / "schemas" / "Pet.yaml").is_file()
    assert "class Pet(" in (folder / "pets" / "models" / "operations.py").read_text()
    assert "1 passed" in passes_its_tests(folder)


def test_a_reference_out_of_the_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "other.yaml").write_text("type: string\n")
    file = tmp_path / "api" / "api.yaml"
    content = "{ application/json: { schema: { $ref: ../other.yaml } } }"
    file.write_text(
        "openapi: 3.1.0\ninfo: { title: Pets, version: '1' }\n"
        "paths: { /pet: { get: { operationId: a, responses: "
        f"{{ '200': {{ description: x, content: {content} }} }} }} }} }}\n"
    )
    assert main(["gen", str(file), "-o", str(tmp_path / "project"), "--allow-outside"]) == 2
    assert "../other.yaml" in capsys.readouterr().err
    assert not (tmp_path / "project").exists()


def test_event_streams_and_web_sockets_have_handlers_that_fit(tmp_path: Path) -> None:
    stream = {"200": {"description": "x", "content": {"text/event-stream": {"schema": {"type": "string"}}}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Live", "version": "1"},
        "paths": {
            "/ticks": {"get": {"operationId": "ticks", "responses": stream}},
            "/chat": {
                "get": {
                    "operationId": "chat",
                    "tags": ["chat"],
                    "x-websocket": True,
                    "responses": {"101": {"description": "x"}},
                }
            },
        },
    }
    folder = tmp_path / "project"
    assert generate(folder, document, "--client") == 0
    is_clean(folder, tmp_path / "cache")
    assert "3 passed, 1 skipped" in passes_its_tests(folder)
    assert "async def chat(ws: WebSocket) -> None:" in (folder / "live/handlers/chat/chat.py").read_text()


def test_other_media_types_of_a_body_reach_the_handler_too(tmp_path: Path) -> None:
    content = {
        "application/json": {"schema": {"type": "object", "properties": {"a": {"type": "integer"}}}},
        "text/plain": {"schema": {"type": "string"}},
    }
    post = {"operationId": "put", "requestBody": {"content": content}, "responses": {"204": {"description": "x"}}}
    document = {"openapi": "3.1.0", "info": {"title": "Both", "version": "1"}, "paths": {"/a": {"post": post}}}
    folder = tmp_path / "project"
    assert generate(folder, document) == 0
    assert "body: Any = None" in (folder / "both/handlers/operations/put.py").read_text()
