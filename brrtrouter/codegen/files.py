"""Brings generated files to a folder, without losing what people wrote there.

A manifest in the folder has the hash of each file as it was generated last.  With it three texts are compared: as
generated last, as it is on disk, as it would be generated now.

| on disk | generated now | what happens |
|---|---|---|
| is not there | anything | Created |
| is as it would be generated | | Unchanged |
| as generated last | something else | Updated |
| edited | as last time | Skipped: it stays as it is |
| edited | something else | Changed: it stays, what is new is put beside it, in a file with `.new` behind its name |
| anything | nothing any more | Removed: it stays, and is named |

Files are written to a new file first, which then takes the place of the old one.  Before the first of them the manifest
gets the hashes of both, so that after a crash at any point the next run knows what is edited and what is not.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, Literal

from brrtrouter.errors import BrrtError

MANIFEST: Final = ".brrtrouter.json"
NEW: Final = ".new"
Action = Literal["Created", "Updated", "Forced", "Unchanged", "Skipped", "Changed", "Removed"]
ACTIONS: Final[tuple[Action, ...]] = ("Created", "Updated", "Forced", "Unchanged", "Skipped", "Changed", "Removed")
_WRITTEN: Final = frozenset({"Created", "Updated", "Forced"})


@dataclass(frozen=True, slots=True)
class File:
    """A generated file: its path below the folder, with `/`, its content, and which part of a project it is."""

    path: str
    content: bytes
    kind: str


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one file; `file` is None for what is not generated any more."""

    path: str
    action: Action
    file: File | None = None
    note: str = ""


@dataclass(slots=True)
class Manifest:
    """What is known of the last run: its options, and the kind and possible hashes of each file."""

    package: str = ""
    client: bool = False
    files: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    def to_json(self) -> bytes:
        files = {path: {"kind": kind, "sha256": list(hashes)} for path, (kind, hashes) in sorted(self.files.items())}
        value = {"version": 1, "package": self.package, "client": self.client, "files": files}
        return json.dumps(value, indent=1).encode() + b"\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder; an empty one where there is none.  Raises BrrtError for what is no manifest."""
    path = folder / MANIFEST
    try:
        value: Any = json.loads(path.read_bytes())
    except FileNotFoundError:
        return Manifest()
    except (OSError, ValueError) as error:
        raise BrrtError(f"{path}: {_reason(error)}") from None
    try:
        if value["version"] != 1:
            raise BrrtError(f"{path}: it is of version {value['version']!r:.20}, and this program knows version 1")
        files = {
            str(name): (str(each["kind"]), tuple(map(str, each["sha256"]))) for name, each in value["files"].items()
        }
        return Manifest(str(value["package"]), value["client"] is True, files)
    except (KeyError, TypeError, AttributeError):
        raise BrrtError(f"{path}: it is not a manifest of `brrtrouter gen`") from None


def compare(
    folder: Path,
    files: Sequence[File],
    manifest: Manifest,
    *,
    force: Iterable[str] = (),
    kinds: frozenset[str] | None = None,
) -> list[Step]:
    """What would happen to each file.  force: patterns of files that are overwritten although they were edited.

    kinds: the parts of the project that this is about, None for all.  Raises BrrtError for a pattern that names no
    file, and for a place that nothing can be written to.
    """
    patterns = list(force)
    for pattern in patterns:
        if not any(fnmatchcase(each.path, pattern) for each in files):
            raise BrrtError(f"--force {pattern}: no generated file has that name")
    steps = [_step(folder, each, manifest, patterns) for each in files]
    generated = {each.path for each in files}
    for path, (kind, _) in manifest.files.items():
        if (
            path not in generated
            and (kinds is None or kind in kinds)
            and _inside(folder, path)
            and (folder / path).is_file()
        ):
            steps.append(Step(path, "Removed", None, "not generated any more; delete it when you do not need it"))
    return steps


def _step(folder: Path, file: File, manifest: Manifest, patterns: list[str]) -> Step:
    _check_place(folder, file.path)
    here = _on_disk(folder / file.path)
    if here is None:
        return Step(file.path, "Created", file)
    if here == file.content:
        return Step(file.path, "Unchanged", file)
    _, last = manifest.files.get(file.path, ("", ()))
    if _hash(here) in last:
        return Step(file.path, "Updated", file)
    if any(fnmatchcase(file.path, pattern) for pattern in patterns):
        return Step(file.path, "Forced", file, "your edits are overwritten")
    beside = f"{file.path}{NEW}"
    waiting = (folder / beside).is_file()
    if _hash(file.content) in last and not waiting:
        return Step(file.path, "Skipped", file, "edited by you; nothing new")
    note = "edited by you, and generated otherwise now" if last else "not generated by this program"
    return Step(file.path, "Changed", file, f"{note}: compare it with {beside}, then delete that")


def apply(folder: Path, steps: Sequence[Step], manifest: Manifest) -> None:
    """Do what the steps say.  Raises BrrtError when the system refuses to."""
    done = Manifest(manifest.package, manifest.client, dict(manifest.files))
    for step in steps:
        if step.file is not None:
            _, last = manifest.files.get(step.path, ("", ()))
            # Both, until it is known which of them is there.
            done.files[step.path] = (step.file.kind, tuple(dict.fromkeys((*last, _hash(step.file.content)))))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / MANIFEST, done.to_json())
        for step in steps:
            if step.file is not None and step.action in _WRITTEN:
                _write(folder / step.path, step.file.content)
            elif step.file is not None and step.action == "Changed":
                _write(folder / f"{step.path}{NEW}", step.file.content)
        for step in steps:
            if step.file is not None:
                done.files[step.path] = (step.file.kind, (_hash(step.file.content),))
        _write(folder / MANIFEST, done.to_json())
    except OSError as error:
        raise BrrtError(f"{error.filename or folder}: {_reason(error)}") from None


def counts(steps: Sequence[Step]) -> Mapping[Action, int]:
    """How many files each action has, without those that none has."""
    found = {action: sum(step.action == action for step in steps) for action in ACTIONS}
    return {action: count for action, count in found.items() if count}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _on_disk(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BrrtError(f"{path}: {_reason(error)}") from None


def _inside(folder: Path, path: str) -> bool:
    return Path(os.path.realpath(folder / path)).is_relative_to(os.path.realpath(folder))


def _check_place(folder: Path, path: str) -> None:
    """Nothing is written through a link that leads out of the folder."""
    if not _inside(folder, path):
        raise BrrtError(f"{folder / path}: it leads out of {folder}, and nothing is written there")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A link inside of the folder stays a link: its target is replaced.
    path = Path(os.path.realpath(path))
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
