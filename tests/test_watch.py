"""`brrtrouter serve --watch`, and SIGHUP: a server in a process of its own takes on changed files."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from serving import Load, Served, write_files
from test_reload import ask

pytest.importorskip("watchfiles")
EDIT = "the_handlers.py"


def replace(folder: Path, name: str, text: str) -> None:
    """As editors do it: another file takes the name."""
    (folder / "new").write_text(text)
    os.replace(folder / "new", folder / name)


def handlers(folder: Path, version: str) -> str:
    write_files(folder / "made", version)
    return (folder / "made" / EDIT).read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "made").mkdir()
    write_files(tmp_path)
    return tmp_path


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["one process", "workers"])
def test_changed_files_are_taken_on_and_broken_ones_are_not(folder: Path, workers: tuple[str, ...]) -> None:
    async def watch(url: str) -> None:
        async with Load(url, clients=2) as load:
            await load.until('"version":"one"')
            replace(folder, EDIT, handlers(folder, "number two"))
            await load.until('"version":"number two"')
            replace(folder, EDIT, "async def who(request:\n")
            await asyncio.to_thread(served.log.until, r"(reload refused|not reloaded).*SyntaxError")
            await load.more(50)
            replace(folder, EDIT, handlers(folder, "version three"))
            await load.until('"version":"version three"')
            spec = (folder / "openapi.yaml").read_text()
            (folder / "openapi.yaml").write_text(spec.replace("/slow:", "/slower:"))
            spoken = "new workers have taken over" if workers else "reloaded: added GET /slower; removed GET /slow"
            await asyncio.to_thread(served.log.until, spoken)
            await load.more(50)
            assert (load.lost, load.torn, load.refused) == (0, 0, 0)

    with Served(folder, "--port", "0", "--watch", *workers) as served:
        asyncio.run(watch(served.url()))
        served.signal(signal.SIGTERM)
        assert served.wait() == 0


def test_a_folder_that_a_link_leads_to_may_be_swapped(tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap: the files are links through a link that is replaced."""
    for name, version in (("..1", "one"), ("..2", "number two")):
        (tmp_path / name).mkdir()
        write_files(tmp_path / name, version)
    os.symlink("..1", tmp_path / "..data")
    for file in ("openapi.yaml", EDIT):
        os.symlink(f"..data/{file}", tmp_path / file)
    with Served(tmp_path, "--port", "0", "--watch") as served:
        url = served.url()
        assert '"version":"one"' in ask(url + "/who")[1]
        os.symlink("..2", tmp_path / "..new")
        os.replace(tmp_path / "..new", tmp_path / "..data")
        served.log.until("reloaded: ")
        assert '"version":"number two"' in ask(url + "/who")[1]


def test_sighup_reloads_one_process_too(folder: Path) -> None:
    with Served(folder, "--port", "0") as served:
        url = served.url()
        write_files(folder, "number two")
        served.signal(signal.SIGHUP)
        served.log.until("reloaded: ")
        assert '"version":"number two"' in ask(url + "/who")[1]
        (folder / "openapi.yaml").write_text("a: [")
        served.signal(signal.SIGHUP)
        served.log.until("reload refused.*InvalidYaml")
        assert '"version":"number two"' in ask(url + "/who")[1]
        served.signal(signal.SIGTERM)
        assert served.wait() == 0


def test_the_application_of_a_module_is_made_again(tmp_path: Path) -> None:
    write_files(tmp_path)
    program = "from brrtrouter import App\n\napp = App('openapi.yaml', 'the_handlers')\n"
    (tmp_path / "service.py").write_text(program)
    with Served(tmp_path, "--port", "0", "--watch", command="service:app") as served:
        url = served.url()
        assert '"version":"one"' in ask(url + "/who")[1]
        spec = (tmp_path / "openapi.yaml").read_text()
        (tmp_path / "openapi.yaml").write_text(spec.replace("/slow:", "/slower:"))
        served.log.until("reloaded: added GET /slower; removed GET /slow")
        assert ask(url + "/slower")[0] == 200
