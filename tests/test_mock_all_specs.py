"""Every operation of every published document, in mock mode, answers a request that is made from its own description.

The answer has a declared status and a declared media type, and its body satisfies its schema.  A few documents are
walked in every run; with BRRTR_ALL_SPECS=1 all of them are:

    BRRTR_ALL_SPECS=1 python -m pytest tests/test_mock_all_specs.py -s
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from test_all_specs import HARD, SHARED, Unmakeable, documents, request_for, send

from brrtrouter import App, Request, SpecError, jsontext
from brrtrouter.spec import model
from brrtrouter.testing import TestClient, TestResponse

ALL = os.environ.get("BRRTR_ALL_SPECS") == "1"
# Small documents of every kind, walked in each run.
SAMPLE = ("museum", "petstore", "readme-oas-examples", "oai-examples", "meilisearch", "brrtrouter-original")

# What cannot be answered as it is declared, and why.
KNOWN = (
    # Only statuses below 200, which are no answer of their own (RFC 9110 section 15.2).
    *(f"readme-oas-examples/3.0/json/http-status-codes.json: GET /status/{status}:" for status in range(100, 104)),
    # A text of the format byte, so base64, of exactly one character, which no base64 has.
    "adyen/TerminalAPI-v1.json: POST /v1/merchants//devices//sync/cardreaderapdu:",
)

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared documents are not here")


@dataclass
class Tally:
    operations: int = 0
    answered: int = 0
    judged: int = 0
    hard: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Recorder:
    """The operation that a request was routed to: where two templates overlap, not always the one that was meant."""

    def before(self, request: Request) -> None:
        self.operation = request.operation.model


def declared(operation: model.Operation, status: int) -> model.Response | None:
    by_name = {response.status: response for response in operation.responses}
    names = (str(status), f"{status // 100}XX", "default")
    return next((by_name[name] for name in names if name in by_name), None)


def media_for(response: model.Response, content_type: str) -> model.MediaType | None:
    essence = content_type.partition(";")[0]

    def rank(media: model.MediaType) -> int:
        return media.essence.count("*") + (media.name != content_type)

    fitting = [
        media
        for media in response.content
        if media.essence in (essence, "*/*")
        or (media.essence.endswith("/*") and essence.startswith(media.essence[:-1]))
    ]
    return min(fitting, key=rank, default=None)


def values_of(response: TestResponse, essence: str) -> list[Any]:
    """The values in a body that can be judged by a schema for each of them."""
    if essence == "application/json" or essence.endswith("+json"):
        return [jsontext.loads(response.content)]
    if essence in ("application/jsonl", "application/x-ndjson"):
        return [jsontext.loads(line) for line in response.content.splitlines()]
    if essence == "text/plain":
        return [response.text]
    return []


def fault(operation: model.Operation, response: TestResponse, tally: Tally) -> str | None:
    """What is wrong with an answer, None when it is as declared."""
    found = declared(operation, response.status)
    if found is None:
        return None if not operation.responses and response.status == 200 else f"{response.status} is not declared"
    if response.status in (204, 304) or operation.method == "HEAD":
        return f"a body of {len(response.content)} bytes" if response.content else None
    if not found.content:
        return f"a body of {len(response.content)} bytes, and none is declared" if response.content else None
    content_type = response.headers.get("content-type", "")
    media = media_for(found, content_type)
    if media is None:
        return f"{content_type!r} is not declared"
    values = values_of(response, content_type.partition(";")[0])
    schema = media.schema or media.item_schema
    if schema is None or not values:
        return None if response.content else "no body"
    tally.judged += 1
    faults = [each for value in values for each in schema.faults(value, 3) if not _read_as_text(media, value, schema)]
    return None if not faults else f"{faults}: {response.text[:300]}"


def _read_as_text(media: model.MediaType, value: Any, schema: Any) -> bool:
    """A text/plain body of a number: text is what its schema's type makes of it."""
    if media.essence != "text/plain":
        return False
    try:
        return bool(schema.is_valid(jsontext.loads(value.encode())))
    except ValueError:
        return False


def walk(path: Path) -> Tally | None:
    """What became of the operations of a document; None when it is refused, mock or not."""
    recorder = Recorder()
    endpoints = dict.fromkeys(("health", "ready", "docs", "openapi_json", "openapi_yaml"))
    try:
        app = App(path, config={"endpoints": endpoints}, middleware=[recorder], mock=True)
        operations = [route.model for route in app.routes if route.model is not None]
    except SpecError:
        return None
    tally = Tally(len(operations))
    with TestClient(app) as client:
        for operation in operations:
            name = f"{operation.method} {operation.path}"
            try:
                sent = request_for(app, operation)
            except Unmakeable as reason:
                tally.hard.append(f"{name}: {reason}")
                continue
            recorder.operation = None
            response = send(client, sent)
            wrong = (
                f"refused with {response.status}: {response.text[:300]}"
                if recorder.operation is None
                else fault(recorder.operation, response, tally)
            )
            if wrong:
                tally.wrong.append(f"{name}: {wrong}")
            else:
                tally.answered += 1
    return tally


def chosen() -> list[Path]:
    if not SHARED.is_dir():
        return []
    return [path for path in documents() if ALL or path.relative_to(SHARED).parts[0] in SAMPLE]


def test_every_operation_answers_as_it_is_declared() -> None:
    total: Counter[str] = Counter()
    wrong: list[str] = []
    hard: set[str] = set()
    for path in chosen():
        tally = walk(path)
        if tally is None:
            total["refused documents"] += 1
            continue
        total.update(
            documents=1,
            operations=tally.operations,
            answered=tally.answered,
            judged=tally.judged,
            hard=len(tally.hard),
        )
        hard.update(tally.hard)
        wrong += [f"{path.relative_to(SHARED)}: {each}" for each in tally.wrong]
        if ALL:
            print(path.relative_to(SHARED), tally.operations, tally.answered, tally.judged, *tally.hard, flush=True)
    print(dict(total))
    assert [each for each in wrong if not each.startswith(KNOWN)] == []
    assert hard <= HARD.keys()
    assert total["answered"] + total["hard"] + len(wrong) == total["operations"]
    assert total["operations"] > (4900 if ALL else 300)
