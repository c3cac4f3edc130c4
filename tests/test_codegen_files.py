"""A second `gen`: what people wrote stays to the byte, what nobody touched is brought up to date."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import pytest
from codegen_support import description, generate

from brrtrouter.codegen import files as files_module

PET = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
FIRST = description(schemas={"Pet": PET, "Owner": PET, "Cage": PET})
HANDLERS = "things/handlers/operations"


def changed() -> dict[str, object]:
    """The description a month later: put0 takes a parameter, put1 too, put2 is gone and put9 is new."""
    found = copy.deepcopy(FIRST)
    for path in ("/0", "/1"):
        limit = {"name": "limit", "in": "query", "schema": {"type": "integer"}}
        found["paths"][path]["post"]["parameters"] = [limit]
    del found["paths"]["/2"]
    found["paths"]["/9"] = {"get": {"operationId": "put9", "responses": {"204": {"description": "done"}}}}
    return found


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    folder = tmp_path / "project"
    assert generate(folder, FIRST) == 0
    capsys.readouterr()
    return folder


def table(output: str) -> dict[str, str]:
    """Path and action of each line."""
    lines = (line.split() for line in output.splitlines() if line[:1].isupper())
    return {line[1]: line[0] for line in lines}


def test_the_same_description_again_changes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(project)
    assert generate(project, FIRST) == 0
    assert tree(project) == before
    assert capsys.readouterr().out == f"done: {len(before) - 1} Unchanged\n"


def test_a_changed_description_gives_a_three_way_table_and_loses_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = project / HANDLERS / "put1.py"
    edited.write_bytes(edited.read_bytes() + b"# mine\n")
    settings = project / "things" / "config.yaml"
    settings.write_bytes(b"limits:\r\n  body: 1\r\n")
    before = tree(project)
    assert generate(project, changed()) == 1
    output = capsys.readouterr().out
    found = table(output)
    assert found[f"{HANDLERS}/put0.py"] == "Updated"
    assert found[f"{HANDLERS}/put1.py"] == "Changed"
    assert found[f"{HANDLERS}/put2.py"] == "Removed"
    assert found[f"{HANDLERS}/put9.py"] == "Created"
    assert found["things/config.yaml"] == "Skipped"
    assert "async def put1(body: Owner, limit: int | None = None) -> Owner:" in output
    after = tree(project)
    for path in (f"{HANDLERS}/put1.py", f"{HANDLERS}/put2.py", "things/config.yaml"):
        assert after[path] == before[path]
    assert b"limit: int | None" in after[f"{HANDLERS}/put0.py"]
    assert b"limit: int | None" in after[f"{HANDLERS}/put1.py.new"]
    assert before.keys() <= after.keys()


def test_what_waits_to_be_compared_is_told_until_it_is_deleted(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = project / HANDLERS / "put1.py"
    edited.write_text("# mine\n")
    assert generate(project, changed()) == 1
    assert generate(project, changed()) == 1
    edited.with_name("put1.py.new").unlink()
    capsys.readouterr()
    assert generate(project, changed()) == 0
    assert table(capsys.readouterr().out)[f"{HANDLERS}/put1.py"] == "Skipped"
    assert edited.read_text() == "# mine\n"


def test_a_dry_run_prints_the_same_table_and_writes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / HANDLERS / "put1.py").write_text("# mine\n")
    before = tree(project)
    assert generate(project, changed(), "--dry-run") == 1
    dry = capsys.readouterr().out
    assert tree(project) == before
    assert generate(project, changed()) == 1
    assert table(capsys.readouterr().out) == table(dry)


def test_a_dry_run_of_a_new_project_makes_no_folder(tmp_path: Path) -> None:
    assert generate(tmp_path / "new", FIRST, "--dry-run") == 0
    assert not (tmp_path / "new").exists()


def test_force_overwrites_what_it_names_and_nothing_else(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    original = (project / HANDLERS / "put1.py").read_bytes()
    for name in ("put0.py", "put1.py"):
        (project / HANDLERS / name).write_text("# mine\n")
    assert generate(project, FIRST, "--force", f"{HANDLERS}/put1.py") == 0
    assert (project / HANDLERS / "put0.py").read_text() == "# mine\n"
    assert (project / HANDLERS / "put1.py").read_bytes() == original
    assert table(capsys.readouterr().out)[f"{HANDLERS}/put1.py"] == "Forced"


def test_force_of_a_file_that_is_not_generated_is_an_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate(project, FIRST, "--force", "put1.py") == 2
    assert "--force put1.py: no generated file has that name" in capsys.readouterr().err


def test_only_the_named_parts_are_written(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(project)
    assert generate(project, changed(), "--only", "handlers,models") == 0
    different = {path for path, content in tree(project).items() if before.get(path) != content}
    assert {f"{HANDLERS}/put0.py", f"{HANDLERS}/put1.py", f"{HANDLERS}/put9.py"} <= different
    parts = ("things/handlers/", "things/models/", ".brrtrouter.json")
    assert all(path.startswith(parts) for path in different)
    assert generate(project, FIRST, "--only", "handlers,everything") == 2
    assert "--only 'everything': the parts are models, handlers, registry" in capsys.readouterr().err


def test_a_file_that_was_deleted_comes_back(project: Path) -> None:
    file = project / HANDLERS / "put0.py"
    content = file.read_bytes()
    file.unlink()
    assert generate(project, FIRST) == 0
    assert file.read_bytes() == content


def test_a_file_that_was_there_before_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "README.md").write_text("mine\n")
    assert generate(folder, FIRST) == 1
    assert (folder / "README.md").read_text() == "mine\n"
    assert (folder / "README.md.new").is_file()
    assert "not generated by this program" in capsys.readouterr().out


@pytest.mark.parametrize("written", range(0, 40, 3))
def test_after_a_crash_at_any_file_the_next_run_knows_what_is_edited(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], written: int
) -> None:
    edited = project / HANDLERS / "put1.py"
    edited.write_text("# mine\n")
    replace, left = os.replace, [written]

    def crash(source: str, target: str) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        replace(source, target)

    monkeypatch.setattr(files_module.os, "replace", crash)
    generate(project, changed())
    monkeypatch.setattr(files_module.os, "replace", replace)
    # Another change comes before the run is repeated: what was half written counts as generated.
    later = changed()
    later["paths"]["/0"]["post"]["summary"] = "Later"  # type: ignore[index]
    capsys.readouterr()
    generate(project, later)
    kept = [path for path, action in table(capsys.readouterr().out).items() if action in ("Changed", "Skipped")]
    assert kept == [f"{HANDLERS}/put1.py"]
    assert edited.read_text() == "# mine\n"
    assert b"Later" in (project / HANDLERS / "put0.py").read_bytes()
    assert not list(project.rglob("*.tmp"))


def test_nothing_is_written_through_a_link_that_leads_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, outside = tmp_path / "project", tmp_path / "outside"
    outside.mkdir()
    folder.mkdir()
    (folder / "tests").symlink_to(outside)
    assert generate(folder, FIRST) == 2
    assert "leads out of" in capsys.readouterr().err
    assert not list(outside.iterdir())


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 2}', '{"version": 1, "package": "x"}'])
def test_a_broken_manifest_is_an_error_that_names_it(
    project: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (project / ".brrtrouter.json").write_text(content)
    before = tree(project)
    assert generate(project, FIRST) == 2
    assert ".brrtrouter.json" in capsys.readouterr().err
    assert tree(project) == before


def test_the_name_of_the_package_and_the_client_are_remembered(project: Path) -> None:
    assert generate(project, FIRST, "--package", "zoo", "--client") == 0
    assert generate(project, FIRST) == 0
    manifest = json.loads((project / ".brrtrouter.json").read_bytes())
    assert (manifest["package"], manifest["client"]) == ("zoo", True)
    assert "zoo/client/__init__.py" in manifest["files"]


@pytest.mark.parametrize("name", ["Zoo", "json", "brrtrouter", "a-b", "../x", "class", "tests"])
def test_a_package_that_hides_others_or_is_no_name_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert generate(tmp_path / "project", FIRST, "--package", name) == 2
    assert "--package" in capsys.readouterr().err
    assert not (tmp_path / "project").exists()
