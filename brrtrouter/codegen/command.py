"""`brrtrouter gen`: the command."""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from brrtrouter.errors import BrrtError

# Files of one action beyond this number are counted, not listed.
LISTED: Final = 40


def add_command(commands: Any, loading: Any) -> None:
    """Add `gen` to the commands; `loading` adds the options by which a document is read."""
    gen = commands.add_parser(
        "gen",
        help="make a project from a document: models, handlers, tests, a client",
        description="Make a project that serves an OpenAPI document, or bring one up to date. What was edited there is "
        "never overwritten. Exit code 0: done; 1: files that were edited would be generated otherwise now, see the "
        "files with .new behind their names; 2: nothing was done, for the reason that is given.",
    )
    gen.add_argument("spec", metavar="SPEC", help="OpenAPI document (YAML or JSON)")
    gen.add_argument("-o", "--output", metavar="DIR", required=True, help="the folder of the project")
    gen.add_argument("--package", metavar="NAME", help="name of the Python package (default: from the title)")
    gen.add_argument("--client", action="store_true", help="with a client, sync and async, and its tests")
    gen.add_argument("--dry-run", action="store_true", help="say what would happen, and write nothing")
    gen.add_argument(
        "--only",
        metavar="PARTS",
        help="some of: models,handlers,registry,config,docs,tests,docker,client (with commas)",
    )
    gen.add_argument(
        "--force",
        metavar="FILE",
        action="append",
        default=[],
        help="overwrite this file although it was edited; may have * in it, and be repeated",
    )
    gen.add_argument("-v", "--verbose", action="store_true", help="list every file")
    loading(gen)
    gen.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Generate, and print the table; returns the exit code."""
    from brrtrouter.codegen.files import apply, compare, read_manifest
    from brrtrouter.codegen.operations import plan
    from brrtrouter.codegen.project import KINDS, check_package, package_name, project_files
    from brrtrouter.spec.load import load

    folder = Path(arguments.output)
    kinds = _kinds(arguments.only, KINDS)
    manifest = read_manifest(folder)
    description = load(
        arguments.spec if "://" in arguments.spec else Path(arguments.spec),
        base_path=arguments.base_path,
        allow_outside=arguments.allow_outside,
        allow_network=arguments.allow_network or False,
        cache=arguments.cache,
    )
    if arguments.package:
        manifest.package = check_package(arguments.package)
    manifest.package = manifest.package or package_name(description.title)
    check_package(manifest.package)
    manifest.client = manifest.client or arguments.client or (kinds is not None and "client" in kinds)
    with _counting(arguments.verbose) as unused:
        files = project_files(plan(description, manifest.package), client=manifest.client)
    chosen = [each for each in files if kinds is None or each.kind in kinds]
    steps = compare(folder, chosen, manifest, force=arguments.force, kinds=kinds)
    if not arguments.dry_run:
        apply(folder, steps, manifest)
    print_table(steps, sys.stdout, verbose=arguments.verbose, dry=arguments.dry_run)
    if unused:
        what = "1 example is" if len(unused) == 1 else f"{len(unused):,} examples or schemas are"
        print(f"warning: {what} not used because they contradict each other; --verbose lists them", file=sys.stderr)
    return int(any(step.action == "Changed" for step in steps))


@contextmanager
def _counting(verbose: bool) -> Iterator[list[str]]:
    """What is said about examples meanwhile; it is printed, or only counted."""
    found: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())
            if verbose:
                print(f"warning: {record.getMessage().removeprefix('mock: ')}", file=sys.stderr)

    logger = logging.getLogger("brrtrouter.mock")
    collector, propagate = Collector(), logger.propagate
    logger.addHandler(collector)
    logger.propagate = False
    try:
        yield found
    finally:
        logger.removeHandler(collector)
        logger.propagate = propagate


def _kinds(text: str | None, known: tuple[str, ...]) -> frozenset[str] | None:
    if text is None:
        return None
    found = [name.strip() for name in text.split(",") if name.strip()]
    for name in found:
        if name not in known:
            raise BrrtError(f"--only {name!r:.40}: the parts are {', '.join(known)}")
    if not found:
        raise BrrtError(f"--only: the parts are {', '.join(known)}")
    return frozenset(found)


def print_table(steps: Any, out: TextIO, *, verbose: bool, dry: bool) -> None:
    """One line for each file that something happens to, by what happens, and the numbers at the end."""
    from brrtrouter.codegen.files import ACTIONS, counts

    for action in ACTIONS:
        found = [step for step in steps if step.action == action]
        quiet = action == "Unchanged"
        shown = found if verbose else [] if quiet else found[:LISTED]
        for step in shown:
            print(f"{action:<9}  {step.path}" + (f"  ({step.note})" if step.note else ""), file=out)
            if action == "Changed" and step.file.kind == "handlers":
                print(
                    "".join(f"{'':<9}    {line}\n" for line in signature(step.file.content.decode())), end="", file=out
                )
        if len(found) > len(shown) and not quiet:
            print(f"{action:<9}  ... and {len(found) - len(shown):,} more (--verbose lists all)", file=out)
    numbers = ", ".join(f"{count:,} {action}" for action, count in counts(steps).items()) or "no files"
    print(f"{'would be' if dry else 'done'}: {numbers}", file=out)


def signature(text: str) -> list[str]:
    """The lines of the signature of a handler, to be compared with the edited one."""
    found = re.search(r"^async def .*?:$", text, re.M | re.S)
    return found[0].split("\n") if found else []
