"""What an import brings along, seen in a fresh process."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"yaml", "uvloop", "jsonschema_rs", "httptools", "asyncio", "orjson"}


def modules_after(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(' '.join(sorted(sys.modules)))"
    return set(subprocess.check_output([sys.executable, "-c", program], timeout=60, text=True).split())


@pytest.mark.parametrize(
    "statement",
    [
        "from brrtrouter import Matcher",
        "from brrtrouter import Matcher, path_to_regex, RouteError, PathError",
        "import brrtrouter; brrtrouter.Matcher([('GET', '/a/{x}', 1)]).match('GET', '/a/1')",
    ],
)
def test_the_matcher_loads_nothing_but_the_compiled_core(statement: str) -> None:
    loaded = modules_after(statement)
    assert loaded & HEAVY == set()
    mine = {name for name in loaded if name.startswith("brrtrouter")}
    regex = {"brrtrouter.core.regex"} if "path_to_regex" in statement else set()
    assert mine == {"brrtrouter", "brrtrouter.core", "brrtrouter.core.matcher", "brrtrouter.errors"} | regex


def test_the_application_does_not_load_the_server_before_it_starts() -> None:
    loaded = modules_after("from brrtrouter import App")
    assert not any(name.startswith("brrtrouter.server") for name in loaded)
    assert "uvloop" not in loaded


def test_every_public_name_can_be_imported() -> None:
    modules_after("import brrtrouter; [getattr(brrtrouter, name) for name in brrtrouter.__all__]")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    program = "import brrtrouter\ntry:\n    brrtrouter.nonsense\nexcept AttributeError as error:\n    print(error)"
    said = subprocess.check_output([sys.executable, "-c", program], timeout=60, text=True)
    assert said.strip() == "module 'brrtrouter' has no attribute 'nonsense'"
