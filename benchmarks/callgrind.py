"""Instructions of a process, counted by valgrind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def instructions(script: str, *arguments: str) -> int:
    """How many instructions `python SCRIPT ARGUMENTS` takes.  SystemExit with its words when it fails."""
    package = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                *("valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind.out"),
                *(sys.executable, script, *arguments),
            ],
            # A changing hash seed would move every dict of the interpreter.
            env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": package},
            capture_output=True,
            text=True,
        )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or found is None:
        raise SystemExit(done.stderr[-4_000:])
    return int(found[1])
