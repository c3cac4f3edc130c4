"""A pattern is held against a text only as far as that costs little; a longer text is a fault that says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from brrtrouter import App, ConfigError, SpecError
from brrtrouter.spec.pattern_cost import cost_of
from brrtrouter.spec.patterns import longest_text
from brrtrouter.testing import TestClient

SHARED = Path(__file__).parents[2] / "shared" / "specs"
MEBIBYTE = 2**20

# Each took seconds or minutes with a text of a mebibyte.
DEAR = (
    "a{1,3000}c",
    "(?=.*b)c",
    "(?=a*c)a",
    "(?=[ab]*a[ab]{100}c)a",
    "a[ab]{14}c",
    "a[ab]{100}c",
    r"(a*)*\1b",
    "(?<!x)a*b",
    "((?!x)a)*b",
    r"^(?:[ab]{1,63}\.?)*c",
    "^(?=.*b)(?=.*c)(?!.*a[ab]{100}).*$",
    "^(?:a?){1000}a{1000}b",
    "^((a{1,60}){1,60}b?)*c",
    "(?:[ab]?){3500}[cd]",
    "a[ab]{20}[cd]",
)
# Nothing but their length tells these from the others: they are held against all of it.
CHEAP = (
    "^[a-z]+$",
    r"^(?!\s*$).+",
    r"^(?=.*a)(?!.*\d).{8,}$",
    "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
    r"^([^x]|xa)*$",
    "^[a-z]{1,1000}",
)


def schema_document(schema: dict[str, Any]) -> dict[str, Any]:
    operation = {
        "operationId": "take",
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {"200": {"description": "fine"}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "patterns", "version": "1"},
        "paths": {"/texts": {"post": operation}},
    }


def faults(schema: dict[str, Any], value: Any, **limits: int) -> list[tuple[str, str, str]]:
    app = App(schema_document(schema), echo=True, config={"limits": {"body": 2**22, **limits}})
    with TestClient(app) as client:
        response = client.post("/texts", json=value)
    found = response.json()["errors"] if response.status == 400 else []
    return [(fault["pointer"], fault["keyword"], fault["message"]) for fault in found]


NASTY = """
import json, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_pattern_cost import MEBIBYTE, faults, longest_text
for pattern in json.loads(sys.argv[1]):
    longest = longest_text(pattern) or MEBIBYTE
    texts = ("a" * MEBIBYTE, "ab" * (MEBIBYTE // 2), "aab" * 20_000, "é" * MEBIBYTE, "a" * longest)
    schemas = (
        {{"pattern": pattern}},
        {{"anyOf": [{{"pattern": pattern}}, {{"type": "integer"}}]}},
        {{"not": {{"not": {{"pattern": pattern}}}}}},
    )
    began = time.process_time()
    found = [[bool(faults(schema, text)) for text in texts] for schema in schemas]
    print(json.dumps([found, time.process_time() - began]))
"""


def test_no_pattern_and_no_text_keep_the_server_busy_for_long() -> None:
    code = NASTY.format(tests=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(DEAR)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [refused for refused, _ in found] == [[[True] * 5] * 3] * len(DEAR)
    # Fifteen requests and as many servers each; a tenth of a second for a request is the aim, on a free machine.
    assert max(seconds for _, seconds in found) < 5


@pytest.mark.parametrize("pattern", CHEAP)
def test_a_cheap_pattern_is_held_against_all_of_a_long_text(pattern: str) -> None:
    assert longest_text(pattern) is None
    assert faults({"pattern": pattern}, "abcd" * (MEBIBYTE // 4)) == []


def test_a_text_that_is_too_long_for_its_pattern_is_a_fault_of_the_pattern() -> None:
    pattern = "b[ab]{30}"
    longest = longest_text(pattern)
    assert longest is not None
    assert longest == 1_000_000 // (30 + 31)
    fitting = "b" * longest
    assert faults({"properties": {"text": {"pattern": pattern}}}, {"text": fitting}) == []
    message = f"value has more than the {longest:,} characters that are held against this pattern"
    assert faults({"properties": {"text": {"pattern": pattern}}}, {"text": fitting + "b"}) == [
        ("/text", "pattern", message)
    ]


def test_a_smaller_length_of_the_schema_itself_is_told_as_it_is_written() -> None:
    found = faults({"pattern": "b[ab]{30}", "maxLength": 40}, "b" * 41)
    assert [keyword for _, keyword, _ in found] == ["maxLength"]
    assert [keyword for _, keyword, _ in faults({"pattern": "b[ab]{30}", "maxLength": 2**21}, "b" * 2**20)] == [
        "pattern"
    ]


def test_the_work_for_a_text_is_a_setting() -> None:
    schema = {"pattern": "b[ab]{30}"}
    assert faults(schema, "b" * 5_000) == []
    message = "value has more than the 1,639 characters that are held against this pattern"
    assert faults(schema, "b" * 5_000, pattern_work=100_000) == [("", "pattern", message)]
    assert faults(schema, "b" * 100_000, pattern_work=10_000_000) == []
    with pytest.raises(ConfigError, match=r"limits\.pattern_work"):
        faults(schema, "b", pattern_work=1_000)


def test_what_looks_around_from_many_places_gets_texts_by_the_root_of_the_work() -> None:
    assert faults({"pattern": "(?=.*b)c"}, "c" * 999 + "b") == []
    assert [keyword for _, keyword, _ in faults({"pattern": "(?=.*b)c"}, "c" * 1_000 + "b")] == ["pattern"]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"pattern": "a{1,20000}b"}, "20,001 positions that may begin anywhere; up to 3,876 are tried"),
        ({"pattern": "(" * 200 + ")" * 200}, "nested deeper than 100"),
        ({"patternProperties": {"a[ab]{30}c": True}}, "names of any length"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_pattern_that_is_too_dear_for_any_text_is_refused_at_start(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        faults(schema, "a")
    [issue] = caught.value.issues
    assert issue.kind == "InvalidSchema"
    assert said in issue.message


@pytest.mark.parametrize(
    ("pattern", "low", "high", "loose", "size"),
    [
        ("abc", 3, 3, 3, 3),
        ("^abc", 3, 3, 0, 3),
        ("^a{2,5}b?", 2, 6, 0, 6),
        ("^a*b", 1, float("inf"), 1, 2),
        ("^(?:a|bcd)e", 2, 4, 0, 5),
        ("^(?:ab)*c", 1, float("inf"), 1, 3),
        ("^(?:a|bc)*c", 1, float("inf"), 4, 4),
        ("a|^b", 1, 1, 1, 2),
        (r"^\u{61}\x41[\]a-z]\p{L}$", 4, 4, 0, 4),
    ],
)
def test_the_measure_of_a_pattern(pattern: str, low: float, high: float, loose: float, size: float) -> None:
    cost = cost_of(pattern)
    assert (cost.low, cost.high, cost.loose, cost.size) == (low, high, loose, size)


def patterns_in(value: Any) -> set[str]:
    found: set[str] = set()
    todo = [value]
    while todo:
        here = todo.pop()
        if isinstance(here, dict):
            if isinstance(here.get("pattern"), str):
                found.add(here["pattern"])
            todo += here.values()
        elif isinstance(here, list):
            todo += here
    return found


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared documents are not here")
def test_no_pattern_of_a_published_document_loses_a_text_that_it_is_meant_for() -> None:
    found: set[str] = set()
    for name in ("github", "discord", "openai", "twilio", "adyen", "stripe", "readme-oas-examples"):
        for path in (SHARED / name).rglob("*.json"):
            found |= patterns_in(json.loads(path.read_text("utf-8")))
    bounded = {pattern: longest for pattern in found if (longest := longest_text(pattern)) is not None}
    assert len(found) > 80
    assert min(bounded.values()) > 14_000
    assert len(bounded) <= 3
