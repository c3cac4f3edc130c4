"""The types that users see: the stubs say what the compiled modules do, and `mypy --strict` knows the public names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(path.stem for path in (ROOT / "brrtrouter" / "core").glob("*.pyx"))
SAMPLE = """
from collections.abc import AsyncIterator
from typing import Any

from typing_extensions import assert_type

from brrtrouter import App, Matcher, PathError, Request, Response, RouteError, handler, path_to_regex
from brrtrouter.core.request import Headers
from brrtrouter.testing import TestClient

m = Matcher([("GET", "/a/{x}", object())], auto_head=True, auto_options=True, trailing_slash="ignore")
m.add("GET", "/b", None)
m.freeze()
found = m.match("GET", b"/a/1", "q=1")
assert_type(found, tuple[Any, dict[str, str]] | None)
if found is not None:
    value, captures = found
    assert_type(captures, dict[str, str])
assert_type(m.allowed("/a"), frozenset[str])
assert_type(m.routes, list[tuple[str, str, Any]])
assert_type(m.capture_names(0), tuple[str, ...])
assert_type(m.stats, dict[str, int])
assert_type(m.is_frozen, bool)
assert_type(len(m), int)
assert_type(path_to_regex("/a/{x}"), tuple[str, list[str]])
errors: tuple[type[ValueError], ...] = (RouteError, PathError)

m.match(b"GET", "/a")  # type: ignore[arg-type]
m.match("GET")  # type: ignore[call-arg]
m.nonsense  # type: ignore[attr-defined]
Matcher(auto_heads=True)  # type: ignore[call-arg]


class Mine(Request): ...  # type: ignore[misc]


async def chunks() -> AsyncIterator[bytes]:
    yield b"x"


@handler("getPet")
async def get_pet(request: Request) -> dict[str, Any]:
    assert_type(request.method, str)
    assert_type(request.path, str)
    assert_type(request.template, str | None)
    assert_type(request.path_params, dict[str, Any])
    assert_type(request.query, dict[str, Any])
    assert_type(request.headers, Headers)
    assert_type(request.cookies, dict[str, Any])
    assert_type(request.raw_body, bytes | None)
    assert_type(request.header("x"), str | None)
    assert_type(request.id, str)
    assert_type(request.client, tuple[str, int] | None)
    request.method = "GET"  # type: ignore[misc]
    request.state["mine"] = request.body
    return {"id": request.path_params["id"]}


def plain(request: Request) -> Response:
    response = Response(201, chunks(), {"X-A": ["1", "2"]}, media_type="text/plain")
    response.add_header("X-B", 5)
    response.status = "200"  # type: ignore[assignment]
    return response


app = App("openapi.yaml", handlers={"getPet": get_pet, "plain": plain}, config={"limits": {"body": 1}})
app.register("plain", plain)
assert_type(TestClient(app).get("/pets/1").status, int)
"""


def run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MYPYPATH": str(ROOT)}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_every_compiled_module_has_a_stub() -> None:
    assert MODULES
    for module in MODULES:
        assert (ROOT / "brrtrouter" / "core" / f"{module}.pyi").is_file()


def test_a_program_against_the_public_names_is_strictly_typed(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(SAMPLE)
    cache = str(tmp_path / "cache")
    result = run("mypy", "--strict", "--config-file=", "--cache-dir", cache, str(sample), cwd=tmp_path)
    mine = [line for line in result.stdout.splitlines() if "sample.py" in line or ".pyi" in line]
    assert mine == []


def test_the_stubs_say_what_the_compiled_modules_do() -> None:
    names = [f"brrtrouter.core.{module}" for module in MODULES]
    # PEP 800's mark for classes with a layout of their own is not known to every mypy that is supported.
    result = run(
        "mypy.stubtest",
        "--concise",
        "--ignore-disjoint-bases",
        "--ignore-unused-allowlist",
        "--allowlist",
        str(ROOT / "tests" / "stubs_allowlist.txt"),
        *names,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_package_has_no_type_error_that_concerns_the_stubs() -> None:
    result = run("mypy", "--strict", "-p", "brrtrouter")
    assert result.stdout.startswith("Success") or "\nFound " in result.stdout, result.stdout + result.stderr
    assert [line for line in result.stdout.splitlines() if ".pyi:" in line or "brrtrouter.core" in line] == []
