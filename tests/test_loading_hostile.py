"""Hostile documents cost little, and large ones are loaded at once."""

from __future__ import annotations

import re
import time

import pytest
from loading_support import SHARED, document

from brrtrouter import App
from brrtrouter.errors import SpecError
from brrtrouter.spec.load import load
from brrtrouter.testing import TestClient

# -- hostile documents ----------------------------------------------------------------------------------------------


def bomb(levels: int, width: int) -> str:
    rows = ["a0: &a0 {k: 1}"]
    rows += [f"a{at}: &a{at} {{<<: [{', '.join([f'*a{at - 1}'] * width)}]}}" for at in range(1, levels)]
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 50_000,
        "{a: " * 50_000,
        "- " * 50_000,
        "? " * 50_000,
        "&a [" * 20_000,
        "a: &a [*a]\n",
        bomb(9, 8) * 1,
        bomb(40, 100),
        "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(f"b{n}: &b{n} [{','.join([f'*b{n - 1}' if n else '*a'] * 10)}]\n" for n in range(12)),
        "!!python/object/apply:os.system ['true']\n",
        "a: !!binary aGVsbG8=\n",
        "%YAML 9.9\n---\na: 1\n",
        "a: " + "9" * 100_000,
        '{"a":' * 50_000,
        "[" * 50_000 + "]" * 50_000,
        '{"openapi": "3.1.0", "paths": ' + "[" * 900 + "]" * 900 + "}",
    ],
    ids=range(16),
)
def test_a_bomb_is_refused_quickly(text: str) -> None:
    began = time.process_time()
    with pytest.raises(SpecError):
        load(text if "\n" in text or text.startswith("{") else text + "\n")
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "pattern",
    [
        "^(a+)+$",
        "^(a|a)*$",
        "(?=(a+)+b)a*c",
        r"^(\w+\s?)*$",
        r"(a*)*\1b",
        "(?:a{1,200}){1,200}$",
        "((a{1,50}){1,50}){1,50}",
    ],
)
def test_a_pattern_costs_little_to_load_and_to_ask(pattern: str) -> None:
    began = time.process_time()
    refused: list[str] = []
    try:
        with TestClient(App(document({"type": "string", "pattern": pattern}), {"o": lambda request: None})) as client:
            assert client.post("/x", json="a" * 10_000 + "!").status in (204, 400)
    except SpecError as error:
        refused = [issue.kind for issue in error.issues]
    assert refused in ([], ["InvalidSchema"])
    assert time.process_time() - began < 3


# -- published documents --------------------------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.exists(), reason="the published documents are not here")
def test_a_description_in_many_files_has_the_operations_that_its_files_describe() -> None:
    """Each file below resources that begins with an operationId is one operation."""
    folder = SHARED / "digitalocean"
    loaded = load(folder / "DigitalOcean-public.v2.yaml")
    found = {operation.operation_id for operation in loaded.operations}
    written = set()
    for path in folder.glob("resources/**/*.yml"):
        for line in path.read_text().splitlines():
            if line.startswith("operationId:"):
                written.add(line.partition(":")[2].strip().strip("'\""))
    assert len(loaded.operations) == len(found)
    assert found <= written
    # Operations that the entry document refers to, by the method before each reference.
    entry = (folder / "DigitalOcean-public.v2.yaml").read_text()
    methods = re.findall(r"^ {4}(?:get|put|post|patch|delete|head):$", entry, re.MULTILINE)
    assert len(loaded.operations) == len(methods)


@pytest.mark.skipif(not SHARED.exists(), reason="the published documents are not here")
def test_a_document_of_thirteen_megabytes_is_loaded_at_once() -> None:
    path = SHARED / "github" / "api.github.com.json"
    began = time.process_time()
    assert len(load(path).operations) > 1000
    assert time.process_time() - began < 2


def test_garbage_collection_is_on_again_after_a_load() -> None:
    import gc

    assert gc.isenabled()
    with pytest.raises(SpecError):
        load("a: [\n")
    assert gc.isenabled()
