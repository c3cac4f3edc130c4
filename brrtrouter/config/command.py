"""`brrtrouter config show`, `check` and `schema`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any


def add(commands: Any) -> None:
    """Add the command to those of the command line."""
    parser = commands.add_parser("config", help="show the settings that hold, check them, or print their JSON Schema")
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    show = actions.add_parser("show", help="every setting, where it comes from, secrets masked")
    check = actions.add_parser("check", help="say whether the settings are valid")
    schema = actions.add_parser("schema", help="print the JSON Schema of the configuration file, for editors")
    for action in (show, check):
        action.add_argument("--config", metavar="FILE", help="configuration (YAML)")
    show.add_argument("--format", choices=["yaml", "json"], default="yaml", help="output (default: %(default)s)")
    show.add_argument("--changed", action="store_true", help="only what is not the default")
    show.set_defaults(run=_show)
    check.set_defaults(run=_check)
    schema.set_defaults(run=_schema)


def _show(arguments: argparse.Namespace) -> None:
    from brrtrouter.config.show import DEFAULT, as_yaml, effective

    settings = effective(arguments.config)
    if arguments.changed:
        settings = [setting for setting in settings if setting.source != DEFAULT]
    if arguments.format == "json":
        named = {name: {"value": value, "source": source} for name, value, source in settings}
        print(json.dumps(named, indent=2, ensure_ascii=False))
    else:
        sys.stdout.write(as_yaml(settings))


def _check(arguments: argparse.Namespace) -> None:
    from brrtrouter.config import load_config

    load_config(arguments.config)
    print(f"{arguments.config or 'the defaults'}: valid")


def _schema(arguments: argparse.Namespace) -> None:
    from brrtrouter.config.schema import config_schema

    print(json.dumps(config_schema(), indent=2))
