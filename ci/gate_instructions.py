"""The price of a match, held by a gate: its instructions must stay below LIMIT times those of the floor.

    python ci/gate_instructions.py

Counted as benchmarks/instructions.py does, which prints more: calls from Python with two captures, the loop included,
against a C function that makes a tuple and a dict of two new str and matches nothing.  Counts do not depend on what
else the machine does.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from benchmarks.instructions import FLOOR, LONG, SHORT, count, write_job

LIMIT = 1.3
MATCH = "hit, two captures"


def main() -> int:
    if shutil.which("valgrind") is None:
        print("gate_instructions: SKIPPED, valgrind is not installed")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.json"
        routes = write_job(job)
        match, floor = ((count(job, row, LONG) - count(job, row, SHORT)) / (LONG - SHORT) for row in (MATCH, FLOOR))
    ratio = match / floor
    verdict = "ok" if ratio <= LIMIT else "TOO MANY"
    print(
        f"gate_instructions: {verdict}: {match:.0f} a match ({routes}), {floor:.0f} the floor: {ratio:.3f} x of {LIMIT}"
    )
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
