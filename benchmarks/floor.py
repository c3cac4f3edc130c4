"""Builds and imports the floor (floor.c) with the compiler and flags of the running Python."""

from __future__ import annotations

import importlib.util
import shlex
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType


def load_floor() -> ModuleType:
    """Compile floor.c into a temporary folder and import it."""
    source = Path(__file__).with_name("floor.c")
    folder = Path(tempfile.mkdtemp(prefix="brrt-floor-"))
    target = folder / ("brrt_floor" + sysconfig.get_config_var("EXT_SUFFIX"))
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    undefined = ["-undefined", "dynamic_lookup"] if sysconfig.get_platform().startswith("macosx") else []
    command = [*compiler, "-O3", "-fPIC", "-shared", *undefined, f"-I{sysconfig.get_path('include')}", str(source)]
    subprocess.run([*command, "-o", str(target)], check=True)
    spec = importlib.util.spec_from_file_location("brrt_floor", target)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
