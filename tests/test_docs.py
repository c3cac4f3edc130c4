"""The documentation tells the truth: its code runs, its settings exist, its links lead somewhere."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from docs_support import ROOT, Command, blocks, reading

from brrtrouter.config import (
    Compression,
    Config,
    Cors,
    Csrf,
    Endpoints,
    ETag,
    Introspection,
    Limits,
    Loading,
    Log,
    Metrics,
    MutualTls,
    Outgoing,
    PropelAuth,
    RateLimit,
    Receiver,
    RemoteKey,
    RequestId,
    Routing,
    Security,
    SecurityHeaders,
    Server,
    Spiffe,
    SpiffeTokens,
    Sse,
    Static,
    Tracing,
    Validation,
    WebSocketSettings,
)
from brrtrouter.credentials import Basic, Jwks

DOCS = ROOT / "docs"
README = ROOT / "README.md"
GUIDE = sorted((DOCS / "guide").glob("*.md"))
EXECUTED = [*GUIDE, DOCS / "matching.md", DOCS / "configuration.md"]
LINKED = [*sorted(DOCS.rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md")), *ROOT.glob("README.md")]
SECTIONS = {
    "limits": Limits,
    "endpoints": Endpoints,
    "routing": Routing,
    "validation": Validation,
    "loading": Loading,
    "outgoing": Outgoing,
    "server": Server,
    "compression": Compression,
    "etag": ETag,
    "request_id": RequestId,
    "static": Static,
    "metrics": Metrics,
    "log": Log,
    "tracing": Tracing,
    "cors": Cors,
    "sse": Sse,
    "websocket": WebSocketSettings,
    "rate_limit": RateLimit,
    "csrf": Csrf,
    "security_headers": SecurityHeaders,
    "security": Security,
    "spiffe": Spiffe,
}
BY_SCHEME = {
    "security.basic": Basic,
    "security.jwks": Jwks,
    "security.introspection": Introspection,
    "security.remote_api_keys": RemoteKey,
    "security.mutual_tls": MutualTls,
    "security.spiffe": SpiffeTokens,
    "security.propelauth": PropelAuth,
}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", EXECUTED, ids=name_of)
def test_the_code_of_a_page_runs_from_top_to_bottom(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("BRRTR_API_KEY", "BRRTR_API_KEY__KEY"):
        monkeypatch.delenv(variable, raising=False)
    with reading(tmp_path, monkeypatch) as reader:
        for block in blocks(page):
            reader.run(page, block)


def test_every_page_of_the_guide_has_code_that_runs_and_is_in_the_index() -> None:
    index = (DOCS / "guide" / "README.md").read_text("utf-8")
    for page in GUIDE:
        if page.name != "README.md":
            assert f"]({page.name})" in index
            assert any(block.language in ("python", "console") for block in blocks(page)), page


@pytest.mark.skipif(not README.is_file(), reason="there is no README.md")
def test_the_first_server_of_the_readme_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = README.read_text("utf-8")
    for name, content in re.findall(r"this as `([\w.]+)`:\n\n```\w+\n(.*?)^```$", text, re.M | re.S):
        (tmp_path / name).write_text(content, "utf-8")
    shown = next(block for block in blocks(README) if "brrtrouter serve openapi.yaml" in block.text)
    answered = 0
    with reading(tmp_path, monkeypatch) as reader:
        for line in shown.text.splitlines():
            command, _, comment = line.partition("  # ")
            # A comment is the answer itself, or begins with its status.
            status = re.match(r"\d{3}\b", comment.strip())
            reader.command(Command(command, f'...,"status":{status[0]},...' if status else comment.strip()))
            answered += bool(comment)
    assert answered


@pytest.mark.skipif(not README.is_file(), reason="there is no README.md")
def test_the_python_of_the_readme_gives_what_its_comments_say() -> None:
    names: dict[str, object] = {}
    block = next(block for block in blocks(README) if block.text.startswith("from brrtrouter import"))
    exec(block.text, names)
    shown = re.findall(r"^(\w.*?) +# (.+)$", block.text, re.M)
    assert shown
    for expression, value in shown:
        assert eval(expression, names) == eval(value), expression


def documented(section: str) -> dict[str, object]:
    """Key and default of every row in the table below a heading of the configuration page."""
    text = (DOCS / "configuration.md").read_text("utf-8")
    part = re.split(r"^## ", text.split(f"\n## `{section}`\n", 1)[1], maxsplit=1, flags=re.M)[0]
    rows = re.findall(r"^\| `(\w+)` \| `([^`]*)` \| (.+) \|$", part, re.M)
    assert all(meaning.strip() for _key, _default, meaning in rows)
    return {key: yaml.safe_load(default) for key, default, _meaning in rows}


def test_the_configuration_page_has_a_section_for_each_of_the_settings() -> None:
    assert [*SECTIONS, "webhooks"] == [each.name for each in fields(Config)]
    text = (DOCS / "configuration.md").read_text("utf-8").split("\n## `webhooks`\n", 1)[1].split("\n## ", 1)[0]
    assert re.findall(r"^\| `(\w+)` \|", text, re.M) == [each.name for each in fields(Receiver)]


@pytest.mark.parametrize("section", SECTIONS | BY_SCHEME)
def test_the_configuration_page_lists_every_key_with_its_default(section: str) -> None:
    defaults = (SECTIONS | BY_SCHEME)[section]()
    expected = {each.name: getattr(defaults, each.name) for each in fields(defaults)}
    plainly: dict[type, Any] = {tuple: list, MappingProxyType: dict, PropelAuth: lambda section: {}}
    expected = {key: plainly.get(type(value), lambda same: same)(value) for key, value in expected.items()}
    assert documented(section) == expected
    assert list(documented(section)) == list(expected)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_the_page_of_architecture_names_every_part_of_the_package() -> None:
    text = (DOCS / "architecture.md").read_text("utf-8")
    parts = [path for path in (ROOT / "brrtrouter").iterdir() if not path.name.startswith(("_", "."))]
    for part in parts:
        if part.is_dir():
            assert f"`brrtrouter/{part.name}/`" in text
        elif part.suffix == ".py":
            assert re.search(rf"`(brrtrouter/)?{re.escape(part.name)}`", text), part.name
