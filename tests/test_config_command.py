"""`brrtrouter config`: the settings that hold, where they come from, and the JSON Schema of the file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import jsonschema_rs
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from brrtrouter import ConfigError
from brrtrouter.cli import main
from brrtrouter.config import Config, load_config
from brrtrouter.config.rules import CHOICES, RANGE, RANGES
from brrtrouter.config.schema import config_schema
from brrtrouter.config.show import effective

SCHEMA = config_schema()
ROOT = Path(__file__).resolve().parents[1]


def leaves(kind: type[Any] = Config, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The plain settings by name, with their types."""
    hints = get_type_hints(kind)
    for each in fields(kind):
        hint, name = hints[each.name], prefix + each.name
        if is_dataclass(hint):
            yield from leaves(hint, name + ".")  # type: ignore[arg-type]
        elif hint in (int, float, bool, str):
            yield name, hint


PLAIN = {name: kind for name, kind in leaves() if name.count(".") == 1}


def nested(name: str, value: Any) -> dict[str, Any]:
    section, _, key = name.partition(".")
    return {section: {key: value}}


def loads(data: Any) -> bool:
    try:
        load_config(data, {})
    except ConfigError:
        return False
    return True


# -- the schema


def test_the_published_schema_is_the_one_of_the_code() -> None:
    published = (ROOT / "docs" / "config.schema.json").read_text()
    assert json.loads(published) == SCHEMA, "brrtrouter config schema > docs/config.schema.json"


def test_the_schema_is_one_and_the_defaults_are_valid_by_it() -> None:
    assert jsonschema_rs.meta.is_valid(SCHEMA)
    defaults = {section: part.get("properties", {}) for section, part in SCHEMA["properties"].items()}
    written = {
        section: {key: each["default"] for key, each in properties.items() if "default" in each}
        for section, properties in defaults.items()
    }
    assert jsonschema_rs.is_valid(SCHEMA, written)
    assert load_config(written, {}) == Config()


VALUES = st.one_of(
    st.booleans(),
    st.integers(-2, 2**33),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(sorted({choice for choices in CHOICES.values() for choice in choices})),
    st.lists(st.text(max_size=3), max_size=2),
    st.none(),
    st.just({}),
)


@settings(max_examples=800, deadline=None)
@given(st.sampled_from(sorted(PLAIN)), VALUES)
def test_the_schema_and_the_loader_agree_on_any_value(name: str, value: Any) -> None:
    data = nested(name, value)
    if PLAIN[name] is int and isinstance(value, float):
        return  # 1.0 is an integer for JSON Schema, and none for YAML
    assert jsonschema_rs.is_valid(SCHEMA, data) == loads(data), data


@pytest.mark.parametrize("name", [name for name, kind in PLAIN.items() if kind in (int, float)])
def test_the_schema_and_the_loader_agree_at_the_ends_of_a_range(name: str) -> None:
    low, high = RANGES.get(name, RANGE)
    for value in (low - 1, low, high, high + 1):
        data = nested(name, value)
        assert jsonschema_rs.is_valid(SCHEMA, data) == loads(data) == (low <= value <= high), data


@pytest.mark.parametrize(
    "text",
    [
        "limits: {bodies: 1}",
        "limit: {body: 1}",
        "endpoints: {health: false, ready: /r, docs: ''}",
        "endpoints: {health: r}",
        "security: {api_keys: {k: {key: a, subject: b}}}",
        "security: {api_keys: {k: {keys: [{key: a, subject: b, scopes: [c]}]}}}",
        "security: {jwks: {j: {jwks_url: 'https://a.example', aud: mine}}}",
        "security: {jwks: {j: {jwks_url: 'https://a.example', aud: [mine, yours]}}}",
        "webhooks: {w: /x, v: {path: /y, secret: [a]}}",
        "webhooks: {w: {secret: a}}",
        "static: {folders: {/a: b}}",
        "static: {folders: {/a: 1}}",
        "metrics: {buckets: [a]}",
        "cors: {origins: ['*']}",
        "cors: {origins: '*'}",
        "validation: {responses: off}",
        "limits: 5",
        "limits:",
    ],
)
def test_the_schema_and_the_loader_agree_on_what_is_written(text: str) -> None:
    data = yaml.safe_load(text)
    assert jsonschema_rs.is_valid(SCHEMA, data) == loads(data)


# -- what holds


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(
        "limits:\n  body: 5\n  head: 100\nsecurity:\n  api_keys:\n    ours:\n      key: sesame\nwebhooks:\n  w: /x\n"
    )
    return path


def test_each_setting_says_where_it_comes_from(file: Path) -> None:
    found = {name: (value, source) for name, value, source in effective(file, {"BRRTR_LIMITS__HEAD": "200"})}
    assert found["limits.body"] == (5, f"{file}:2")
    assert found["limits.head"] == (200, "BRRTR_LIMITS__HEAD"), "the environment goes before the file"
    assert found["limits.drain"] == (30.0, "default")
    assert found["security.api_keys.ours.key"] == ("***", f"{file}:7")
    assert found["webhooks.w.path"] == ("/x", f"{file}:9")
    assert {name for name, _ in leaves()} <= set(found), "every setting is there"


def test_a_variable_with_a_name_of_its_own_is_named(file: Path) -> None:
    variables = {"BRRTR_STACK_SIZE": "0x100000", "BRRTR_API_KEY": "a", "BRRTR_API_KEY__OTHER": "b"}
    found = {name: (value, source) for name, value, source in effective(file, variables)}
    assert found["limits.handler_stack"] == (1 << 20, "BRRTR_STACK_SIZE")
    assert found["security.api_keys.*.key"] == ("***", "BRRTR_API_KEY")
    assert found["security.api_keys.OTHER.key"] == ("***", "BRRTR_API_KEY__OTHER")


def test_the_command_prints_yaml_that_is_a_configuration_again(file: Path, capsys: Any) -> None:
    assert main(["config", "show", "--config", str(file)]) == 0
    out = capsys.readouterr().out
    assert f"  body: 5  # {file}:2\n" in out
    shown = yaml.safe_load(out)
    assert load_config(shown, {}).limits == load_config(file, {}).limits
    assert main(["config", "show", "--config", str(file), "--format", "json", "--changed"]) == 0
    assert json.loads(capsys.readouterr().out)["limits.body"] == {"value": 5, "source": f"{file}:2"}


def test_the_command_checks_and_names_what_is_wrong(file: Path, capsys: Any) -> None:
    assert main(["config", "check", "--config", str(file)]) == 0
    file.write_text("limits: {body: -1}\n")
    assert main(["config", "check", "--config", str(file)]) == 2
    assert "limits.body is not between" in capsys.readouterr().err


def test_the_command_prints_the_schema() -> None:
    command = [sys.executable, "-m", "brrtrouter", "config", "schema"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(done.stdout) == SCHEMA


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("limits: {bodi: 1}", r"unknown key limits\.bodi; did you mean limits\.body\?"),
        ("limit: {body: 1}", r"unknown key limit; did you mean limits\?"),
        ("limits: {zzz: 1}", r"unknown key limits\.zzz; known are .*body"),
        ("port: 8080", "unknown key port: here that is the option --port"),
        ("http: {keep_alive: true}", "here that is limits.keep_alive"),
    ],
)
def test_an_unknown_key_is_refused_with_what_may_have_been_meant(text: str, words: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_config(file, {})


# -- secrets


def secrets_of(kind: type[Any] = Config) -> set[str]:
    """The names of all fields that are in no repr."""
    found = set()
    for each in fields(kind):
        hint = get_type_hints(kind)[each.name]
        parts = [hint, *getattr(hint, "__args__", ())]
        found |= {each.name} if not each.repr else set()
        for part in parts:
            if is_dataclass(part):
                found |= secrets_of(part)  # type: ignore[arg-type]
    return found


def test_no_secret_of_the_settings_is_shown_anywhere(tmp_path: Path, capsys: Any) -> None:
    canary = "canary-7f3a"
    data = {
        "outgoing": {"secret": f"{canary}-outgoing"},
        "csrf": {"secret": f"{canary}-csrf"},
        "rate_limit": {"storage": f"redis://:{canary}@localhost"},
        "security": {
            "api_keys": {
                "one": {"key": f"{canary}-key"},
                "many": {"keys": [{"key": f"{canary}-named", "subject": "s"}]},
                "hashed": {"key_sha256": "ab" * 32},
            },
            "introspection": {
                "i": {"url": "https://a.example", "client_id": "me", "client_secret": f"{canary}-client"}
            },
            "basic": {"b": {"users": {"ada": f"{canary}-hash"}}},
        },
        "webhooks": {"w": {"path": "/w", "secret": f"{canary}-webhook"}},
    }
    known = {"client_secret", "key", "key_sha256", "secret", "storage", "users"}
    assert secrets_of() == known, "a new secret needs a canary here"
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(data))
    config = load_config(file, {"BRRTR_API_KEY": f"{canary}-env"})
    texts = [repr(config), str(config), repr(effective(file, {"BRRTR_API_KEY": f"{canary}-env"}))]
    for arguments in ([], ["--format", "json"], ["--changed"]):
        assert main(["config", "show", "--config", str(file), *arguments]) == 0
        texts.append(capsys.readouterr().out)
    for broken in (f"outgoing: {{secret: {canary}", f"security: {{api_keys: {{k: {{key: [{canary}]}}}}}}"):
        file.write_text(broken)
        with pytest.raises(ConfigError) as caught:
            load_config(file, {})
        texts.append(str(caught.value))
    assert not [text for text in texts if canary in text or "abab" in text]
