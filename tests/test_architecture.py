"""Who may import whom: read from the sources, Python and Cython alike, whether an import runs at start or later."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "brrtrouter"
CSRC = ROOT / "csrc"

# For each part of the package the parts that it may import, beside itself and what everyone may.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "jsontext": set(),
    "credentials": set(),
    "config": set(),
    "core": set(),
    "spec": set(),
    "dispatch": {"core"},
    "policy": {"core", "dispatch"},
    "observe": {"core", "dispatch", "__version__"},
    "outgoing": {"spec", "core"},
    "workload": set(),
    "providers": {"spec", "core", "policy", "outgoing", "workload"},
    "asgi": {"core"},
    "live": {"spec"},
    "realtime": {"core", "dispatch", "policy"},
    "guards": {"spec", "core", "dispatch", "policy"},
    "wiring": {"spec", "core", "policy", "providers", "observe"},
    "app": {
        "spec",
        "core",
        "dispatch",
        "policy",
        "observe",
        "outgoing",
        "asgi",
        "providers",
        "wiring",
        "live",
        "realtime",
        "guards",
    },
    "server": {"app", "core", "dispatch", "observe", "workload"},
    "adapters": {"app", "core"},
    "bench": {"core", "__version__"},
    "codegen": {"spec", "core", "dispatch"},
    "client": {"core"},
}
# The outermost layer may import everything: what users run and what their tests use.
OUTERMOST = {"__init__", "__main__", "cli", "testing", "testing_realtime"}
EVERYONE = {"errors", "config", "credentials", "jsontext"}
NEVER: dict[str, set[str]] = {
    "errors": {"config", "credentials"},
    "credentials": {"config"},
    "core": {"yaml", "jsonschema_rs"},
    "policy": {"asyncio", "socket", "socketserver", "selectors", "ssl", "uvloop", "httptools"},
}
# The one way upwards: an application starts its server by a name, when it is told to.
BY_NAME = {"app": {"start": "server", "run": "server", "reload": "server"}}

Found = tuple[str, str]  # the function it is in ("" at the top), the dotted name of the module


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].partition(".")[0]


def absolute(path: Path, level: int, module: str) -> str:
    if level == 0:
        return module
    package = ("brrtrouter", *path.relative_to(PACKAGE).parent.parts)
    return ".".join((*package[: len(package) - level + 1], *filter(None, [module])))


class Imports(ast.NodeVisitor):
    """Every import of a file but those that only a type checker reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.function = ""
        self.static: list[Found] = []
        self.by_name: list[Found] = []
        self.visit(ast.parse(path.read_text()))

    def visit_If(self, node: ast.If) -> None:
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outer, self.function = self.function, node.name
        self.generic_visit(node)
        self.function = outer

    visit_FunctionDef = _function
    visit_AsyncFunctionDef = _function

    def visit_Import(self, node: ast.Import) -> None:
        self.static += [(self.function, alias.name) for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = absolute(self.path, node.level, node.module or "")
        self.static += [(self.function, f"{module}.{alias.name}") for alias in node.names]

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and node.args and isinstance(node.args[0], ast.Constant):
            self.by_name.append((self.function, str(node.args[0].value)))
        self.generic_visit(node)


FROM_IMPORT = r"from\s+(?P<level>\.*)(?P<module>[\w.]*)\s+c?import\s+(?P<names>\([^)]*\)|[^\n]+)"
CYTHON = re.compile(rf"^\s*(?:{FROM_IMPORT}|c?import\s+(?P<plain>[\w., ]+))", re.MULTILINE)


def cython_imports(path: Path) -> list[Found]:
    found: list[Found] = []
    for match in CYTHON.finditer(path.read_text()):
        if match["plain"]:
            found += [("", name.split()[0]) for name in match["plain"].split(",") if name.strip()]
            continue
        module = absolute(path, len(match["level"]), match["module"])
        names = [piece.split()[0] for piece in re.sub(r"#.*|[()]", "", match["names"]).split(",") if piece.split()]
        found += [("", f"{module}.{name}") for name in names]
    return found


def sources() -> list[Path]:
    return sorted(path for suffix in ("py", "pyx", "pxd") for path in PACKAGE.rglob(f"*.{suffix}"))


def imports(path: Path) -> Iterator[Found]:
    if path.suffix != ".py":
        yield from cython_imports(path)
        return
    found = Imports(path)
    yield from found.static
    for function, module in found.by_name:
        upwards = BY_NAME.get(part_of(path), {}).get(function)
        if upwards is None or module.split(".")[:2] != ["brrtrouter", upwards]:
            yield function, module


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_go_in_the_written_direction(path: Path) -> None:
    part = part_of(path)
    if part in OUTERMOST:
        return
    assert part in MAY_IMPORT, f"{part} has no place in the table"
    allowed = MAY_IMPORT[part] | EVERYONE | {part}
    never = NEVER.get(part, set())
    for _, module in imports(path):
        names = module.split(".")
        if names[0] == "brrtrouter":
            assert len(names) > 1, f"{part} imports the package itself"
            assert names[1] in allowed - never, f"{part} imports {module}"
        else:
            assert names[0] not in never, f"{part} imports {module}"


def test_only_the_outermost_layer_and_the_start_of_an_app_reach_the_server() -> None:
    reaching = {
        part_of(path)
        for path in sources()
        for _, module in imports(path)
        if module.startswith("brrtrouter.server") and part_of(path) != "server"
    }
    assert reaching <= {"cli", "testing"}
    found = Imports(PACKAGE / "app.py").by_name
    assert {function for function, module in found if module.startswith("brrtrouter.server")} == {
        "start",
        "run",
        "reload",
    }


def test_the_parser_of_cython_imports_sees_all_forms(tmp_path: Path) -> None:
    file = PACKAGE / "core" / "example.pyx"  # only a name: nothing is written there
    text = (
        "import os, sys as system\ncimport cython\nfrom libc.stdint cimport uint32_t\n"
        "from brrtrouter.core.csrc cimport (\n    BRRT_OK,  # a word\n    brrt_span,\n)\n"
        "    from brrtrouter.errors import A, B as C\n"
    )
    copy = tmp_path / file.name
    copy.write_text(text)
    assert [module for _, module in cython_imports(copy)] == [
        "os",
        "sys",
        "cython",
        "libc.stdint.uint32_t",
        "brrtrouter.core.csrc.BRRT_OK",
        "brrtrouter.core.csrc.brrt_span",
        "brrtrouter.errors.A",
        "brrtrouter.errors.B",
    ]


def test_csrc_knows_nothing_of_python() -> None:
    files = [*CSRC.glob("*.c"), *CSRC.glob("*.h")]
    assert files
    for file in files:
        text = file.read_text()
        assert "Python.h" not in text, file
        assert re.search(r"\bPy[A-Z_]\w+", text) is None, file


def test_only_one_file_declares_the_c_of_csrc() -> None:
    headers = {header.name for header in CSRC.glob("*.h")}
    declaring = {path.name for path in sources() if any(header in path.read_text() for header in headers)}
    assert declaring == {"csrc.pxd"}


def test_csrc_allocates_only_when_a_matcher_is_built() -> None:
    """Everything that runs for a request works in memory of its caller."""
    call = re.compile(r"\b(?:malloc|calloc|realloc|alloca|strdup)\s*\(")
    allocating = {file.name for file in CSRC.glob("*.c") if call.search(file.read_text())}
    assert allocating == {"builder.c", "freeze.c"}


def test_csrc_has_no_globals_that_change() -> None:
    """A definition at the left margin that is no function, no type and not `const`."""
    variable = re.compile(
        r"^(?!typedef|struct|enum|union|extern|const|static const|#|/|\}|\s)[\w *]+?\w+(?:\[[^]]*\])?\s*(?:=|;)", re.M
    )
    for file in CSRC.glob("*.c"):
        text = re.sub(r"/\*.*?\*/", "", file.read_text(), flags=re.DOTALL)
        assert variable.findall(text) == [], file
