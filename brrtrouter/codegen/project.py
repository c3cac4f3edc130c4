"""All files of a project."""

from __future__ import annotations

import json
import keyword
import re
import sys
from importlib.resources import files as resources
from string import Template
from typing import Any, Final

from brrtrouter.codegen.files import File
from brrtrouter.codegen.handlers import answers_file, handler_files, registry_file
from brrtrouter.codegen.ir import Project
from brrtrouter.codegen.models import model_files
from brrtrouter.codegen.names import Scope, snake
from brrtrouter.codegen.operations import source_files
from brrtrouter.codegen.samples import RequestMaker, example_of
from brrtrouter.codegen.text import bracketed, clean, docstring, joined, literal, one_line
from brrtrouter.config import Endpoints
from brrtrouter.errors import BrrtError
from brrtrouter.spec.examples import ExampleBook

# The parts that `--only` names.
KINDS: Final = ("models", "handlers", "registry", "config", "docs", "tests", "docker", "client")
_RESERVED: Final = frozenset({"brrtrouter", "msgspec", "httpx", "pytest", "mypy", "ruff", "setuptools", "pip"})
_RESERVED_FOLDERS: Final = frozenset({"tests", "docs", "test", "build", "dist"})


def package_name(title: str) -> str:
    """A name for the package of a description, that hides no module of others."""
    name = snake(re.sub(r"(?i)\W*\bopen\s?api\b[\s\d.]*$", "", clean(title))).strip("_")
    taken = keyword.iskeyword(name) or name in sys.stdlib_module_names or name in _RESERVED or name in _RESERVED_FOLDERS
    return f"{name}_api" if taken or name == "field" else name


def check_package(name: str) -> str:
    """The name as it is.  Raises BrrtError when no package can have it."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) or package_name(name) != name:
        raise BrrtError(f"--package {name!r:.80}: it has to be a module's name in lower case that nothing else has")
    return name


def project_files(project: Project, *, client: bool) -> list[File]:
    """Every file of the project, in a fixed order; the same description gives the same bytes.

    Raises BrrtError when a file that the description refers to cannot be taken along.
    """
    book = ExampleBook()
    package = project.package
    found = [_file(f"{package}/__init__.py", docstring(one_line(project.title) or "An API."), "registry")]
    found.append(File(f"{package}/py.typed", b"", "registry"))
    found += [File(f"{package}/{path}", text.encode(), "models") for path, text in model_files(project)]
    found += [File(f"{package}/{path}", text.encode(), "handlers") for path, text in handler_files(project)]
    found.append(File(f"{package}/answers.py", answers_file(project).encode(), "registry"))
    found.append(File(f"{package}/registry.py", registry_file(project).encode(), "registry"))
    found.append(File(f"{package}/security.py", _security(project).encode(), "config"))
    examples = {each.function: example_of(each, book) for each in project.operations}
    found.append(File(f"{package}/examples.json", _json(examples), "registry"))
    sources = source_files(project.description)
    values = _values(project, sources[0][0], client=client)
    found += [File(f"{package}/openapi/{name}", content, "config") for name, content in sources]
    for template, path, kind in _TEMPLATES:
        found.append(File(Template(path).substitute(values), _filled(template, values), kind))
    found.append(File(f"{package}/config.yaml", _config(project).encode(), "config"))
    maker = RequestMaker(project, book)
    found.append(File("tests/cases.json", _json([maker.case(each) for each in project.operations]), "tests"))
    found.append(_file("docs/operations.md", _operations(project), "docs"))
    if client:
        from brrtrouter.codegen.clients import client_files

        found += client_files(project)
    return found


_TEMPLATES: Final = (
    ("app.py", "${package}/app.py", "registry"),
    ("binding.py", "${package}/binding.py", "registry"),
    ("examples.py", "${package}/examples.py", "registry"),
    ("conftest.py", "tests/conftest.py", "tests"),
    ("test_operations.py", "tests/test_operations.py", "tests"),
    ("Dockerfile", "Dockerfile", "docker"),
    ("dockerignore", ".dockerignore", "docker"),
    ("pyproject.toml", "pyproject.toml", "config"),
    ("gitignore", ".gitignore", "config"),
    ("README.md", "README.md", "docs"),
)


def _filled(template: str, values: dict[str, str]) -> bytes:
    text = (resources("brrtrouter.codegen") / "templates" / f"{template}.txt").read_text("utf-8")
    return Template(text).substitute(values).encode()


def _values(project: Project, source: str, *, client: bool) -> dict[str, str]:
    def listed(names: tuple[str, ...]) -> str:
        return ", ".join(f'"{name}"' for name in names)

    sockets = any(each.spec.websocket for each in project.operations)
    extras = ",".join([*(["client"] if client else []), *(["websocket"] if sockets else [])])
    base = (f"brrtrouter[{extras}]" if extras else "brrtrouter", "msgspec>=0.19")
    row = f"| `{project.package}/client` | a client, sync and async |\n" if client else ""
    return {
        "package": project.package,
        "distribution": project.package.replace("_", "-"),
        "title": markdown(one_line(project.title)) or "An API",
        "summary": json.dumps(one_line(project.title), ensure_ascii=False),
        "file": source,
        "quoted": literal(source),
        "dependencies": listed(base),
        "test_dependencies": listed(("mypy>=1.15", "pytest>=8", "ruff>=0.12")),
        "client": row,
        "security": _security_words(project),
    }


def _file(path: str, lines: list[str], kind: str) -> File:
    return File(path, joined(lines).encode(), kind)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


def markdown(text: str) -> str:
    """Text that stays text in a Markdown page."""
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", " ".join(clean(text).split()))


# -- security --------------------------------------------------------------------------------------------------


def variables(project: Project) -> dict[str, str]:
    """The environment variable with the credential of each scheme; no two schemes have the same."""
    scope = Scope()
    names = project.description.security_schemes
    return {name: scope.claim(f"{project.package}_{snake(name).strip('_')}").upper() for name in names}


def _scopes(project: Project, scheme: str) -> list[str]:
    needs = (need for each in project.operations for way in each.spec.security for need in way if need.scheme == scheme)
    return sorted({scope for need in needs for scope in need.scopes})


def _security(project: Project) -> str:
    schemes = project.description.security_schemes
    if not schemes:
        return '''"""Who may call what: the description names no security scheme."""

from __future__ import annotations

from brrtrouter.policy.security import SecurityProvider


def providers(token: str | None = None) -> dict[str, SecurityProvider]:
    """A provider for each security scheme."""
    return {}
'''
    lines = [
        '"""Who may call what: a provider for each security scheme of the description.',
        "",
        "For a start each takes one credential, from the environment, and refuses everything while there is none.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "import os",
        "",
        "from brrtrouter.credentials import NamedKey",
        "from brrtrouter.policy.security import ApiKeyProvider, SecurityProvider",
        "",
        "",
        "def _one(credential: str | None, scopes: tuple[str, ...] = ()) -> SecurityProvider:",
        "    return ApiKeyProvider(NamedKey(credential, scopes=scopes)) if credential else ApiKeyProvider()",
        "",
        "",
        "def providers(token: str | None = None) -> dict[str, SecurityProvider]:",
        '    """A provider for each security scheme.  token: a credential in place of those in the environment."""',
        "    return {",
    ]
    for name, scheme in schemes.items():
        scopes = _scopes(project, name)
        given = (
            "None" if scheme.type == "mutualTLS" else f"token or os.environ.get({literal(variables(project)[name])})"
        )
        more = [f"({', '.join(map(literal, scopes))}{',' if len(scopes) == 1 else ''})"] if scopes else []
        line = bracketed(f"{literal(name)}: _one(", [given, *more], "),", "        ")
        if len(line) > 1 and len(more) == 1 and len(line[2]) > 119:
            inner = bracketed("(", [*map(literal, scopes)], "),", "            ")
            line = [line[0], line[1], *inner, line[-1]]
        lines += line
    return joined([*lines, "    }"])


def _security_words(project: Project) -> str:
    names = [name for name, scheme in project.description.security_schemes.items() if scheme.type != "mutualTLS"]
    if not names:
        return ""
    rows = [f"- `{variables(project)[name]}`" for name in names]
    what = "Operations that need a credential refuse everything until it is in the environment:"
    return "\n".join(["", what, "", *rows, "", f"`{project.package}/security.py` is the place for more than that.", ""])


# -- settings and pages ----------------------------------------------------------------------------------------


def _config(project: Project) -> str:
    paths = {each.spec.path for each in project.operations}
    hidden = [name for name in Endpoints.__slots__ if getattr(Endpoints(), name) in paths]
    lines = ["# Settings; every key is described in the configuration page of BRRTRouter.", "validation:"]
    lines += [
        "  # Answers that break the description are logged; `enforce` makes them a 500, as in the tests.",
        "  responses: log",
    ]
    if hidden:
        lines += ["# The description has these paths itself.", "endpoints:", *(f"  {name}: null" for name in hidden)]
    return joined(lines)


def _operations(project: Project) -> list[str]:
    lines = [f"# {markdown(one_line(project.title))}", ""]
    for module in project.modules:
        own = [each for each in project.operations if each.module == module]
        lines += [f"## {markdown(own[0].spec.tags[0]) if own[0].spec.tags else 'Operations'}", ""]
        lines += ["| operation | what it does | handler |", "|---|---|---|"]
        for each in own:
            path = f"{project.package}/handlers/{each.module}/{each.function}.py"
            mark = "deprecated: " if each.spec.deprecated else ""
            lines.append(
                f"| {markdown(each.title)} | {mark}{markdown(one_line(each.doc))} | [{each.function}](../{path}) |"
            )
        lines.append("")
    return lines
