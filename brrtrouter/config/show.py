"""The settings that hold, where each comes from, and no secret among them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from brrtrouter.config.load import load_config, variable_for

MASK: Final = "***"
DEFAULT: Final = "default"


class Place(NamedTuple):
    """Where a key stands; whole: all that is below it is said there."""

    text: str
    whole: bool


class Setting(NamedTuple):
    """One setting: its name with dots, its value, masked where it is a secret, and where it comes from."""

    name: str
    value: Any
    source: str


def effective(
    path: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, tuple[Any, str]] | None = None,
) -> list[Setting]:
    """Every setting as it holds with a file and the environment, in the order of the sections.

    flags: what the command line sets, by name: the value and the flag.  Raises ConfigError.
    """
    environ = os.environ if environ is None else environ
    config = load_config(path, environ)
    sources = {} if path is None else _places(Path(path))
    for variable, text in environ.items():
        name = variable_for(variable) if text else None
        if name is not None:
            sources[name] = Place(variable, True)
    return [_with_flag(setting, flags or {}) for setting in _settings(config, "", sources, "")]


def _with_flag(setting: Setting, flags: Mapping[str, tuple[Any, str]]) -> Setting:
    if setting.name not in flags:
        return setting
    value, flag = flags[setting.name]
    return Setting(setting.name, value, flag)


def _settings(value: Any, name: str, sources: Mapping[str, Place], above: str) -> Iterator[Setting]:
    """The settings below a name; above: where all of them come from, "" where each says it for itself."""
    place = sources.get(name)
    above = place.text if place is not None and place.whole else above
    if is_dataclass(value):
        for each in fields(value):
            inner = f"{name}.{each.name}" if name else each.name
            part = getattr(value, each.name)
            if each.repr:
                yield from _settings(part, inner, sources, above)
            else:
                own = sources.get(inner)
                yield Setting(inner, MASK if part else part, above or (own.text if own else DEFAULT))
    elif isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _settings(part, f"{name}.{key}", sources, above)
    elif isinstance(value, tuple) and any(is_dataclass(part) for part in value):
        for number, part in enumerate(value):
            yield from _settings(part, f"{name}.{number}", sources, above)
    else:
        yield Setting(name, _plain(value), above or (place.text if place else DEFAULT))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _places(path: Path) -> dict[str, Place]:
    """`file:line` for each key of a YAML file, by its name with dots."""
    import yaml

    found: dict[str, Place] = {}

    def walk(node: Any, name: str) -> None:
        pairs: list[tuple[str, Any, Any]] = []
        if isinstance(node, yaml.MappingNode):
            pairs = [(key.value, key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]
        elif isinstance(node, yaml.SequenceNode):
            pairs = [(str(number), value, value) for number, value in enumerate(node.value)]
        for key, mark, value in pairs:
            inner = f"{name}.{key}" if name else key
            found[inner] = Place(f"{path}:{mark.start_mark.line + 1}", isinstance(value, yaml.ScalarNode))
            walk(value, inner)

    walk(yaml.compose(path.read_bytes(), Loader=yaml.SafeLoader), "")
    return found


def as_yaml(settings: list[Setting]) -> str:
    """One line for each setting, by its sections, with where it comes from behind it."""
    lines: list[str] = []
    open_sections: list[str] = []
    for name, value, source in settings:
        *sections, last = name.split(".")
        common = 0
        while common < min(len(sections), len(open_sections)) and sections[common] == open_sections[common]:
            common += 1
        lines += [f"{'  ' * depth}{sections[depth]}:" for depth in range(common, len(sections))]
        open_sections = sections
        lines.append(f"{'  ' * len(sections)}{last}: {_text(value)}  # {source}")
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
