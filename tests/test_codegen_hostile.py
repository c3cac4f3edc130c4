"""Nothing that a description says gets out of the literal, the docstring or the folder that it is put into."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from codegen_support import generate, is_clean, passes_its_tests, tool
from hypothesis import given, settings
from hypothesis import strategies as st

from brrtrouter.codegen.names import pascal, snake
from brrtrouter.codegen.project import package_name
from brrtrouter.codegen.text import docstring, literal

CODE = "__import__('pathlib').Path('pwned').touch()"
# Ways out of a string, a docstring, a comment, a call, a template, a TOML or YAML value, and a path.
BREAKOUTS = [
    f'"""\n{CODE}\n"""',
    f"'''\n{CODE}\n'''",
    f'"); {CODE} #',
    f"'); {CODE} #",
    f"\\\n{CODE}",
    f'\\"""\n{CODE}',
    f"x\n{CODE}",
    f"x\r{CODE}",
    f"x\x0c{CODE}",
    f"x\u2028{CODE}",
    f"{{{CODE}}}",
    f"${{{CODE}}} $x",
    "../../x",
    "/etc/passwd",
    "..\\..\\x",
    "a\x07b",
    "\u202ex",
    "ends with a backslash \\",
    'ends with a quote "',
    "`$(touch pwned)`",
]


def hostile(text: str) -> dict[str, Any]:
    """A description that says `text` wherever it may say anything."""
    pointer = text.replace("~", "~0").replace("/", "~1")
    escaped = "".join(c if c.isalnum() or c in "~" else "".join(f"%{b:02X}" for b in c.encode()) for c in pointer)
    schema = {
        "type": "object",
        "title": text,
        "description": text,
        "required": [text, "kind"],
        "properties": {
            text: {"type": "string", "enum": [text], "description": text},
            "kind": {"const": text},
            "more": {"type": "string", "default": text, "description": text, "deprecated": True},
            f"{text} again": {"type": "array", "items": {"enum": [text, f"{text}!"]}},
        },
    }
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{escaped}"}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": text, "version": text, "description": text},
        "tags": [{"name": text, "description": text}],
        "security": [{text: [text]}],
        "paths": {
            "/a/{id}": {
                "post": {
                    "operationId": text,
                    "summary": text,
                    "description": text,
                    "tags": [text],
                    "parameters": [
                        {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
                        {
                            "name": text,
                            "in": "query",
                            "description": text,
                            "schema": {"type": "string", "default": text},
                        },
                    ],
                    "requestBody": {"required": True, "content": content},
                    "responses": {
                        "200": {"description": text, "content": content},
                        "404": {"description": text, "content": content},
                        "418": {"description": text},
                    },
                }
            }
        },
        "components": {
            "schemas": {text: schema},
            "securitySchemes": {text: {"type": "oauth2", "flows": {}, "description": text}},
        },
    }


def statements(tree: ast.Module) -> set[str]:
    """The kinds of statements at the top of a module, and the names that are called there."""
    found = {type(node).__name__ for node in tree.body}
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return found | {f"{call.id}()" for call in calls if isinstance(call, ast.Name)}


@pytest.mark.parametrize("text", BREAKOUTS)
def test_no_text_of_a_description_becomes_code(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "project"
    assert generate(folder, hostile(text), "--client") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project", "project.json"]
    for path in folder.rglob("*.py"):
        found = statements(ast.parse(path.read_text("utf-8")))
        assert "__import__()" not in found
    manifest = json.loads((folder / ".brrtrouter.json").read_bytes())
    for name in manifest["files"]:
        assert all(part not in ("", ".", "..") and part.isascii() for part in name.split("/"))


@pytest.mark.parametrize("text", [f'"""\n{CODE}\n\\" {{}} $x \'); ../../x', f"') {{}} ${{x}}; {CODE} ../../x"])
def test_a_hostile_description_makes_a_clean_project_that_works(tmp_path: Path, text: str) -> None:
    folder = tmp_path / "project"
    assert generate(folder, hostile(text), "--package", "hostile", "--client") == 0
    is_clean(folder, tmp_path / "cache")
    assert "passed" in passes_its_tests(folder)
    assert not list(tmp_path.rglob("pwned"))


def test_the_shell_commands_of_a_project_have_no_text_of_the_description(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    assert generate(folder, hostile("`touch pwned` $(touch pwned)")) == 0
    assert "touch" not in (folder / "Dockerfile").read_text().replace("touch_pwned", "")
    tool(folder, "compileall", "-q", ".")


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_a_literal_is_the_text_and_a_docstring_is_one_string(text: str) -> None:
    assert ast.literal_eval(literal(text)) == text
    lines = docstring(text, "    ")
    if lines:
        tree = ast.parse("def f():\n" + "\n".join(lines) + "\n")
        function = tree.body[0]
        assert isinstance(function, ast.FunctionDef)
        assert len(tree.body) == len(function.body) == 1
        assert ast.get_docstring(function) is not None


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_every_name_is_an_identifier(text: str) -> None:
    for name in (snake(text), pascal(text), package_name(text)):
        assert name.isidentifier()
        assert name.isascii()
        assert len(name) <= 70
    compile(f"{snake(text)} = 1", "x", "exec")
    compile(f"class {pascal(text)}: pass", "x", "exec")
