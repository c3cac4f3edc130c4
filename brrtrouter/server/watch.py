"""Files that are watched, and what happens when they change.

Folders are watched, not files: editors and deployments replace files, and links to folders of them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from brrtrouter.errors import ConfigError

if TYPE_CHECKING:
    from brrtrouter.app import App

_PROGRAM: Final = "from brrtrouter.server.watch import main; main()"
logger = logging.getLogger("brrtrouter.reload")
_SUFFIXES: Final = frozenset({".yaml", ".yml", ".json", ".py"})
_DEBOUNCE: Final = 300  # milliseconds without a change before one is acted upon
_STEP: Final = 50
_TURN: Final = 300  # milliseconds until it is seen whether there is still something to watch


@dataclass(frozen=True)
class Files:
    """What a server was started with: paths of a document and a configuration, a path or name of a module, or
    `module:name` of an App in place of these; None for what there is not."""

    spec: str | None = None
    handlers: str | None = None
    config: str | None = None
    application: str | None = None

    def folders(self) -> list[Path]:
        """The folders of the files, as they are named and as they are, for links lead elsewhere."""
        application = self.application.partition(":")[0] if self.application else None
        modules = [name if name.endswith(".py") else _file_of(name) for name in (application, self.handlers) if name]
        found: dict[Path, None] = {}
        for text in (*modules, self.spec, self.config):
            if text is not None:
                path = Path(text).absolute()
                found.update(dict.fromkeys((path.parent, path.resolve().parent)))
        present = [path for path in found if path.is_dir()]
        return [path for path in present if not any(path != other and path.is_relative_to(other) for other in present)]

    def reloader(self, app: App, build: Callable[[], App]) -> Callable[[], None]:
        """What lets a running application take on what `build` makes of the files now; raises ReloadError."""

        def reload() -> None:
            from brrtrouter.server.reload import plan_of
            from brrtrouter.server.reload import reload as attempt
            from brrtrouter.server.trial import Plan

            own = Plan(application=self.application) if self.application else plan_of(app)
            attempt(app, build, replace(own, config=self.config))

        return reload

    @contextlib.contextmanager
    def watching(self, reload: Callable[[], None] | None) -> Iterator[None]:
        """Call `reload` after changes, or, without one, send SIGHUP to this process.  Raises ConfigError."""
        watcher = WatchingProcess(self.folders()) if reload is None else Watcher(self.folders(), reload)
        watcher.start()
        try:
            yield
        finally:
            watcher.stop()


def _file_of(module: str) -> str | None:
    """Where the package, or the module, of a dotted name stands, told without importing it."""
    found = PathFinder.find_spec(module.partition(".")[0], [os.getcwd(), *sys.path])
    return None if found is None else found.origin


class Watcher:
    """Calls `changed()` in a thread of its own after files below some folders have changed.

    Raises ConfigError when the package watchfiles is not installed.
    """

    def __init__(self, folders: Iterable[Path], changed: Callable[[], None]) -> None:
        try:
            import watchfiles
        except ImportError:
            raise ConfigError("--watch: the package watchfiles is missing: pip install 'brrtrouter[watch]'") from None
        self._watch: Any = watchfiles.watch
        self._folders = list(folders)
        self._changed = changed
        self._stop = threading.Event()
        self._watching = threading.Event()
        self._thread = threading.Thread(target=self._run, name="brrtrouter-watch", daemon=True)

    def start(self) -> None:
        """Begin to watch: changes from the return of this call on are seen."""
        self._thread.start()
        self._watching.wait()

    def stop(self) -> None:
        """Watch no more, and wait for what is being done about the last change."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        # Links within a mounted folder change as a whole: what is new there has any name.
        def wanted(_: Any, path: str) -> bool:
            name = Path(path).name
            return Path(path).suffix in _SUFFIXES or name.startswith("..")

        options: dict[str, Any] = {
            "debounce": _DEBOUNCE,
            "step": _STEP,
            "rust_timeout": _TURN,
            "yield_on_timeout": True,
        }
        options |= {"stop_event": self._stop, "watch_filter": wanted, "raise_interrupt": False}
        try:
            for changes in self._watch(*self._folders, **options):
                self._watching.set()
                if changes and not self._stop.is_set():
                    self._take()
        finally:
            self._watching.set()

    def _take(self) -> None:
        try:
            self._changed()
        except Exception:
            logger.debug("the change was not taken", exc_info=True)


class WatchingProcess:
    """A process that sends SIGHUP to this one after changes: a supervisor, which forks, may have no threads."""

    def __init__(self, folders: Iterable[Path]) -> None:
        try:
            import watchfiles  # noqa: F401
        except ImportError:
            raise ConfigError("--watch: the package watchfiles is missing: pip install 'brrtrouter[watch]'") from None
        self._command = [sys.executable, "-c", _PROGRAM, str(os.getpid()), *map(str, folders)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to watch: changes from the return of this call on are seen."""
        # It ends when its standard input does, however this process ends.
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, start_new_session=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.stdin is not None:
            self._process.communicate()


def main() -> None:
    """`PID FOLDER...`: send SIGHUP to a process whenever something has changed, until standard input ends."""
    parent = int(sys.argv[1])
    watcher = Watcher(map(Path, sys.argv[2:]), lambda: os.kill(parent, signal.SIGHUP))
    watcher.start()
    print("watching", flush=True)
    sys.stdin.read()
    os._exit(0)
