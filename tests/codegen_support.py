"""Generates projects in a folder, and runs the tools on them that their developers would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from brrtrouter.cli import main

ROOT = Path(__file__).resolve().parents[1]
SPECS = ROOT.parent / "shared" / "specs"


def description(**parts: Any) -> dict[str, Any]:
    """A description with these schemas, and an operation for each."""
    schemas = parts.pop("schemas", {})
    paths = {
        f"/{at}": {
            "post": {
                "operationId": f"put{at}",
                "requestBody": {"required": True, "content": {"application/json": {"schema": reference(name)}}},
                "responses": {"200": {"description": "", "content": {"application/json": {"schema": reference(name)}}}},
            }
        }
        for at, name in enumerate(schemas)
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas},
        **parts,
    }


def reference(name: str) -> dict[str, str]:
    return {"$ref": "#/components/schemas/" + name.replace("~", "~0").replace("/", "~1").replace("%", "%25")}


def generate(folder: Path, source: Path | dict[str, Any], *options: str) -> int:
    """Run `brrtrouter gen`; the exit code."""
    if isinstance(source, dict):
        file = folder.parent / f"{folder.name}.json"
        file.write_text(json.dumps(source), "utf-8")
        source = file
    return main(["gen", str(source), "-o", str(folder), *options])


def tool(folder: Path, *command: str) -> str:
    """Run a tool of Python in a project; what it says, when it is content."""
    paths = os.pathsep.join([str(folder), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths, "MYPYPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, f"{command}: {run.stdout[-6000:]}{run.stderr[-3000:]}"
    return run.stdout


def is_clean(folder: Path, cache: Path) -> None:
    """The project is as ruff and mypy, which are strict here, want it."""
    tool(folder, "ruff", "check", ".")
    tool(folder, "ruff", "format", "--check", ".")
    tool(folder, "mypy", "--cache-dir", str(cache))


def passes_its_tests(folder: Path) -> str:
    """The last line of pytest."""
    return tool(folder, "pytest", "-q", "-p", "no:cacheprovider").strip().splitlines()[-1]
