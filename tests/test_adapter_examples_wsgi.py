"""The programs on the page about Falcon, Flask and Django run as they are written there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from docs_support import ROOT, environment

PAGE = ROOT / "docs" / "adapters-wsgi.md"
# What tells, after the program of a section, that the adapter gives the answers.
ACCELERATED = {
    "Falcon": ("falcon", "app._router._index"),
    "Flask and Werkzeug": ("flask", "app.url_map._matcher._indexes"),
    "Django": ("django", "django.urls.get_resolver()._brrtrouter.index"),
}


@pytest.mark.parametrize("heading", ACCELERATED)
def test_the_example_of_a_framework_runs_and_is_accelerated(heading: str, tmp_path: Path) -> None:
    module, index = ACCELERATED[heading]
    pytest.importorskip(module)
    section = PAGE.read_text("utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    (code,) = re.findall(r"^```python\n(.*?)^```$", section, re.M | re.S)
    program = tmp_path / "example.py"
    program.write_text(f"{code}\nassert {index}\n", "utf-8")
    run = subprocess.run(
        [sys.executable, str(program)], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stdout) == (0, ""), run.stderr
