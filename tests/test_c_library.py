"""csrc as a library for C programs: built, installed and used the way its pages say, in a copy of the sources."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = Path("examples") / "c_matcher"
SANITIZED = "CFLAGS=-O1 -g -Werror -fsanitize=address,undefined -fno-sanitize-recover=all"

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None or shutil.which("make") is None, reason="needs make and a C compiler"
)


def run(*command: str, cwd: Path, stdin: str = "", status: int = 0) -> str:
    done = subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """csrc and the example as a C programmer gets them: nothing built, nothing of Python."""
    copy = tmp_path_factory.mktemp("sources")
    for folder in ("csrc", EXAMPLE):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("build"))
    return copy


@pytest.fixture(scope="module")
def program(sources: Path) -> Path:
    """The example under AddressSanitizer and UndefinedBehaviorSanitizer, library included."""
    build = sources / "sanitized"
    run("make", "--silent", f"BUILD={build}", SANITIZED, cwd=sources / EXAMPLE)
    return build / "match"


def session(page: str) -> list[tuple[str, str]]:
    """The commands of the first console block, with what each printed."""
    block = page.partition("```console\n")[2].partition("```")[0]
    pieces = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    found = []
    for piece in pieces:
        first, *rest = piece.splitlines(keepends=True)
        command = [first, *(line[2:] for line in rest if line.startswith("> "))]
        found.append(("".join(command), "".join(line for line in rest if not line.startswith("> "))))
    return found


def test_the_session_of_the_readme_is_what_happens(sources: Path) -> None:
    commands = session((sources / EXAMPLE / "README.md").read_text("utf-8"))
    assert len(commands) == 3
    for command, output in commands:
        assert run("sh", "-ec", command, cwd=sources / EXAMPLE) == output


def test_an_installed_library_needs_nothing_of_the_sources(sources: Path, tmp_path: Path) -> None:
    run("make", "--silent", "-C", "csrc", "install", f"PREFIX={tmp_path}", cwd=sources)
    headers = {file.name for file in (tmp_path / "include" / "brrt").iterdir()}
    assert headers == {"brrt_matcher.h", "brrt_head.h", "brrt_text.h", "brrt_status.h"}
    described = (tmp_path / "lib" / "pkgconfig" / "brrt.pc").read_text()
    flags = dict(re.findall(r"^(Cflags|Libs): (.*)$", described, re.MULTILINE))
    source = shutil.copy(sources / EXAMPLE / "match.c", tmp_path)
    run("cc", *flags["Cflags"].split(), source, *flags["Libs"].split(), "-o", "match", cwd=tmp_path)
    assert run("./match", "GET", "/a/{x}", cwd=tmp_path, stdin="GET /a/1") == "GET /a/1 -> /a/{x} x=1\n"


@pytest.mark.parametrize("header", ["brrt_matcher.h", "brrt_head.h", "brrt_text.h", "brrt_status.h"])
def test_a_public_header_stands_alone_in_standard_c(sources: Path, tmp_path: Path, header: str) -> None:
    (tmp_path / "only.c").write_text(f"#include <{header}>\n#include <{header}>\nint main(void) {{ return 0; }}\n")
    flags = ["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", f"-I{sources / 'csrc'}"]
    run("cc", *flags, "-fsyntax-only", "only.c", cwd=tmp_path)


def test_the_library_defines_no_public_name_without_its_prefix(sources: Path) -> None:
    if shutil.which("nm") is None:
        pytest.skip("needs nm")
    run("make", "--silent", "-C", "csrc", cwd=sources)
    listed = run("nm", "-g", "--defined-only", "build/libbrrt.a", cwd=sources / "csrc")
    names = re.findall(r"^[0-9a-f]+ [A-Z] (\w+)$", listed, re.MULTILINE)
    assert "brrt_matcher_match" in names
    assert [name for name in names if not name.startswith("brrt_")] == []


def test_every_kind_of_answer(program: Path) -> None:
    """Hits, captures, 404, 405 with its methods, HEAD by GET, predicates, and both kinds of bad path."""
    requests = {
        "GET /a/1": "/a/{x} x=1",
        "HEAD /a/1": "/a/{x} x=1",
        "GET /a/b": "/a/b",
        "GET /a/%41%2Fb?q=1": "/a/{y}?q=1 y=A/b",
        "PUT /a/1": "405 Allow: GET, POST, HEAD",
        "POST /b": "404 no template matches the path",
        "GET /a/%4": "400 a percent sign is not followed by two hexadecimal digits",
        "GET /a/%FF": "400 the bytes are not UTF-8",
    }
    routes = ["GET", "/a/{x}", "GET", "/a/b", "GET", "/a/{y}?q=1", "POST", "/a/{z}"]
    output = run(str(program), *routes, cwd=program.parent, stdin="\n".join(requests))
    assert output.splitlines() == [f"{request} -> {answer}" for request, answer in requests.items()]


def test_thousands_of_routes_added_between_requests(program: Path) -> None:
    lines, expected = [], []
    for i in range(2_000):
        lines.append(f"add GET /r{i}/{{id}}/x-{{n}}.json")
        if i % 100 == 0:
            lines.append(f"GET /r{i}/{i}/x-{i}%2e.json")
            expected.append(f"GET /r{i}/{i}/x-{i}%2e.json -> /r{i}/{{id}}/x-{{n}}.json id={i} n={i}.")
    assert run(str(program), cwd=program.parent, stdin="\n".join(lines)).splitlines() == expected


def test_what_is_refused_is_said_and_changes_the_exit_status(program: Path) -> None:
    stdin = "add GET /a/{y}\nadd GET a\nadd GET /{x\nGET /a/1\n"
    output = run(str(program), "GET", "/a/{x}", cwd=program.parent, stdin=stdin, status=1).splitlines()
    assert output == [
        "GET /a/{y}: matches the same paths with the same method as /a/{x}",
        "GET a: does not start with '/'",
        "GET /{x: has a brace that does not open or close an expression",
        "GET /a/1 -> /a/{x} x=1",
    ]
    assert run(str(program), "GET", cwd=program.parent, status=2) == ""


def test_a_cross_compiler_is_taken_from_the_command_line(sources: Path, tmp_path: Path) -> None:
    """CC and BUILD are all that another target needs, and the folder of the sources stays as it was."""
    compiler = tmp_path / "other-cc"
    compiler.write_text(f'#!/bin/sh\necho used >> {tmp_path / "calls"}\nexec cc "$@"\n')
    compiler.chmod(0o755)
    before = sorted(os.listdir(sources / "csrc"))
    run("make", "--silent", "-C", "csrc", f"CC={compiler}", f"BUILD={tmp_path / 'made'}", cwd=sources)
    assert (tmp_path / "made" / "libbrrt.a").is_file()
    assert (tmp_path / "calls").read_text().count("used") == len(list((sources / "csrc").glob("*.c")))
    assert sorted(os.listdir(sources / "csrc")) == before
