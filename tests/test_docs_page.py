"""The documentation page in a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser import CHROMIUM, page_of

from brrtrouter import App
from brrtrouter.testing import running

SPECS = Path(__file__).resolve().parent / "specs"
TREE = re.compile(r'<nav class="tag-tree".*?</nav>', re.S)


def outline(dom: str) -> list[str]:
    """The texts of the list of contents, two spaces in front for each level."""
    found = TREE.search(dom)
    lines, depth = [], -1
    for token in re.findall(r"<ul>|</ul>|<a [^>]*>[^<]*</a>", found[0] if found else ""):
        depth += {"<ul>": 1, "</ul>": -1}.get(token, 0)
        if token.startswith("<a"):
            lines.append("  " * depth + re.sub("<[^>]*>", "", token))
    return lines


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_tags_with_parents_are_a_tree_above_the_operations(tmp_path: Path) -> None:
    with running(App(SPECS / "tag-tree.yaml", echo=True)) as server:
        dom = page_of(f"{server.url}/docs", tmp_path)
    # A parent that is not there, or that leads back, is none.
    assert outline(dom) == ["All animals", "  Cats", "    kittens", "plants", "lost", "hen", "  egg"]
    assert 'id="operations-cats-listCats"' in dom


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_tags_without_parents_have_no_tree(tmp_path: Path) -> None:
    flat = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "tags": [{"name": "a"}], "paths": {}}
    with running(App(flat, echo=True)) as server:
        dom = page_of(f"{server.url}/docs", tmp_path)
    assert outline(dom) == []
