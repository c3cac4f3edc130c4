"""A first load of a changed application in a process of its own, so that no file can stall or kill the server.

What is wrong is said by the child in one text; a child that takes too long or too much memory is ended.  The child is a
fresh interpreter, not a fork: the server may have threads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from brrtrouter.errors import BrrtError

_SAID: Final = 3  # the exit status of a child that has found something wrong and said what
_MOST_SAID: Final = 16 * 1024
_START: Final = "from brrtrouter.server.trial import main; main()"


class ReloadError(BrrtError):
    """A changed application that cannot take the place of the one that runs; the text says why."""


@dataclass(frozen=True)
class Plan:
    """What the child loads.

    spec: the path of a document; handlers: a module's name or path; config: a path.  Each is None where it was given as
    something that another process cannot be told.  application: `module:name` of an App, in place of these.
    """

    spec: str | None = None
    handlers: str | None = None
    config: str | None = None
    base_path: str | None = None
    strict: bool = False
    application: str | None = None
    path: Sequence[str] = field(default_factory=lambda: tuple(sys.path))


def try_out(plan: Plan, seconds: float, memory: int) -> None:
    """Load what the plan says in a child that has so many seconds and bytes of memory.  Raises ReloadError."""
    if plan.spec is None and plan.handlers is None and plan.application is None:
        return
    task = json.dumps({"plan": asdict(plan), "memory": memory})
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _START, task],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=seconds,
            env={**environment, "PYTHONPATH": os.pathsep.join(plan.path)},
        )
    except subprocess.TimeoutExpired:
        raise ReloadError(f"it was not loaded after {seconds:g} s") from None
    except OSError as error:
        raise ReloadError(f"no process could be started to try it: {error.strerror}") from None
    text = done.stderr.decode(errors="replace").strip()[-_MOST_SAID:]
    if done.returncode == _SAID:
        raise ReloadError(text)
    if done.returncode < 0:
        raise ReloadError(f"the process that tried it was ended by signal {-done.returncode}")
    if done.returncode != 0:
        last = text.splitlines()[-1] if text else "nothing was said"
        raise ReloadError(f"the process that tried it ended with {done.returncode}: {last}")


def main() -> None:
    """Load what the first argument says; the exit status tells whether that worked."""
    task: Mapping[str, Any] = json.loads(sys.argv[1])
    _bound(task["memory"])
    try:
        _load(Plan(**task["plan"]))
    except BrrtError as error:
        words = str(error)
    except MemoryError:
        words = f"it takes more than {task['memory']:,} bytes of memory"
    except SystemExit as error:
        words = f"a module has called exit({error.code!r})"
    except BaseException as error:
        words = f"{type(error).__name__}: {error}"
    else:
        os._exit(0)  # threads that a module has started do not matter
    sys.stderr.write(words)
    sys.stderr.flush()
    os._exit(_SAID)


def _bound(memory: int) -> None:
    """Let this process have no more than so many bytes of data."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _load(plan: Plan) -> None:
    from brrtrouter.app import App
    from brrtrouter.dispatch.registry import Registry, import_module

    if plan.application is not None:
        module, _, name = plan.application.partition(":")
        app = getattr(import_module(module), name, None)
        if not isinstance(app, App):
            raise BrrtError(f"{plan.application} is no App")
        _ = app.service
    elif plan.spec is not None:
        # The echo handler stands for handlers and providers that only the server has as objects.
        options = {"base_path": plan.base_path, "strict": plan.strict, "echo": True}
        _ = App(plan.spec, plan.handlers, plan.config, **options).service  # type: ignore[arg-type]
    else:
        Registry(plan.handlers)
