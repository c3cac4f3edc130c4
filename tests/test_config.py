"""Settings: every key, every refusal, where a value comes from, and that nothing about them changes or leaks."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from brrtrouter.config import (
    ApiKey,
    Config,
    Endpoints,
    Limits,
    Receiver,
    RouteLimit,
    Security,
    api_key_variable,
    load_config,
)
from brrtrouter.errors import ConfigError

SECRET = "s3cr3t-value"
# Every key: a value that is no default, a value of a wrong type, the values outside of its range.
LIMITS: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "request_line": (1000, "1000", (15, -1, 2**31)),
    "header_field": (1000, 1.5, (15, 2**31)),
    "head": (2000, True, (63, 2**31)),
    "header_count": (10, [], (0, 257)),
    "body": (0, "1 MiB", (-1, 2**63)),
    "query_parameters": (0, {}, (-1, 65_537)),
    "form_fields": (0, "x", (-1, 65_537)),
    "field_size": (0, "x", (-1, 2**31)),
    "file_size": (0, "x", (-1, 2**63)),
    "file_memory": (0, "x", (-1, 2**31)),
    "part_header": (64, "x", (63, 65_537)),
    "part_header_count": (1, "x", (0, 257)),
    "boundary": (1, "x", (0, 1025)),
    "xml_elements": (0, "x", (-1, 2**31)),
    "json_depth": (1, 1.0, (0, 251)),
    "pipeline": (1, "x", (0, 10_001)),
    "chunk_extensions": (0, "x", (-1, 2**31)),
    "trailers": (0, "x", (-1, 2**31)),
    "ranges": (0, "x", (-1, 1001)),
    "handler_threads": (1, "x", (0, 10_001)),
    "handler_queue": (0, "x", (-1, 2**31)),
    "handler_stack": (0x40000, "x", (-1, 2**30 + 1)),
    "drain": (0.5, "x", (-0.1, 86_401, float("nan"), float("inf"))),
    "connections": (0, "x", (-1, 1_000_001)),
    "backlog": (1, "x", (0, 65_536)),
    "errors": (1, "x", (0, 10_001)),
    "head_time": (0.0, "x", (-1, 86_401, float("nan"))),
    "body_wait": (0.5, "x", (-1, 86_401)),
    "body_rate": (0, 1.5, (-1, 2**31)),
    "body_rate_time": (0.1, "x", (0, 3601)),
    "handler_time": (0.0, "x", (-1, 86_401)),
    "write_wait": (0.0, "x", (-1, 86_401)),
    "keep_alive": (0.0, "x", (-1, 86_401)),
    "crowded": (0, 1.5, (-1, 101)),
    "crowded_keep_alive": (0.0, "x", (-1, 86_401)),
    "connection_age": (0.0, "x", (-1, 31_536_001)),
    "linger": (0.01, "x", (0, 3601)),
    "linger_size": (0, "x", (-1, 2**31)),
    "pattern_work": (1_000_000, "x", (99_999,)),
    "pattern_work_request": (10_000_000, "x", (99_999,)),
    "reload_time": (5.0, "x", (0, 3601)),
    "reload_memory": (2**30, "x", (1000,)),
}
BAD_PATHS = ("health", "/{x}", "/a b", "/a?b", "/a#b", "/ü", "/%41")
ENDPOINTS = ("health", "ready", "openapi_json", "openapi_yaml", "docs", "metrics")
PATHS: dict[str, tuple[Any, Any, tuple[Any, ...]]] = dict.fromkeys(ENDPOINTS, ("/a-b/c.json", 5, BAD_PATHS))
ROUTING: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "trailing_slash": ("ignore", True, ("redirect", "")),
    "auto_head": (False, "no", ()),
    "auto_options": (False, 0, ()),
}
VALIDATION: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "responses": ("enforce", 1, ("on",)),
    "problems": (True, "x", ()),
    "errors": ("first", 1, ("none",)),
    "formats": (False, "x", ()),
    "read_only": ("refuse", True, ("off",)),
    "write_only": ("accept", True, ("off",)),
}
OUTGOING: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "attempts": (1, "x", (0, 101)),
    "timeout": (0.5, "x", (0, 3601, float("nan"))),
    "total_time": (0.5, "x", (0, 86_401)),
    "backoff": (1.5, "x", (-1, 3601)),
    "backoff_limit": (1.5, "x", (-1, 86_401)),
    "response_size": (0, "x", (-1, 2**31)),
    "connections": (1, "x", (0, 10_001)),
    "allow_private": (True, "x", ()),
    "base_url": ("https://api.example", 5, ()),
    "secret": ("hush", 5, ()),
    "signature_format": ("hex", 5, ("md5",)),
    "signature_header": ("X-Signature", 5, ()),
    "tolerance": (5.0, "x", (-1, 86_401)),
    "link_header": (True, "x", ()),
}
SERVER: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "start_timeout": (1.5, "x", (0, 86_401)),
    "restart_backoff": (1.5, "x", (0, 3601)),
    "restart_backoff_limit": (1.5, "x", (0, 86_401)),
    "healthy_after": (0.0, "x", (-1, 86_401)),
    "drain_idle": (0.0, "x", (-1, 3601, float("nan"))),
    "drain_delay": (1.5, "x", (-1, 3601)),
    "tls_certificate": ("cert.pem", 5, ()),
    "tls_key": ("key.pem", 5, ()),
    "tls_ca": ("ca.pem", 5, ()),
    "tls_client": ("optional", 5, ("never",)),
    "tls_handshake": (1.5, "x", (0, 3601)),
    "tls_check": (0.0, "x", (-1, 86_401)),
    "trusted_proxies": (("10.0.0.0/8", "unix"), "10.0.0.0/8", ([5],)),
    "forwarded": ("forwarded", 5, ("via",)),
    "proxy_protocol": (True, "x", ()),
    "proxy_timeout": (0.5, "x", (0, 3601)),
    "worker_timeout": (0.0, "x", (-1, 86_401)),
}
COMPRESSION: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "encodings": (("br", "gzip"), "gzip", (["deflate"], [5])),
    "requests": (("zstd",), "zstd", (["identity"],)),
    "minimum": (1, "x", (0, 2**63)),
    "media_types": (("text/html", "image/*", "+json"), "text/html", (["json"], ["/x"], ["a/b; c=d"])),
    "gzip_level": (1, "x", (0, 10)),
    "brotli_quality": (0, "x", (-1, 12)),
    "zstd_level": (1, "x", (0, 20)),
    "thread_size": (0, "x", (-1, 2**63)),
    "threads": (1, "x", (0, 1001)),
    "queue": (0, "x", (-1, 1_000_001)),
}
ETAG: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "generate": ("weak", 5, ("always", "")),
    "conditional": (False, "no", ()),
    "size": (0, "x", (-1, 2**63)),
}
REQUEST_ID: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "header": ("Trace-Id", 5, ("a b", "", "a:")),
    "accept": (False, "no", ()),
    "length": (1, "x", (0, 1025)),
    "echo": (False, 0, ()),
}
STATIC: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "folders": (MappingProxyType({"/s": "public"}), "public", ({"/s": 5}, {5: "public"})),
    "index": ("", 5, ()),
    "cache_control": ("no-cache", 5, ()),
    "hidden": (True, "x", ()),
    "follow_symlinks": (True, "x", ()),
    "precompressed": (True, "x", ()),
}
# What wrong values of types that YAML has no word for are said not to be.
KINDS = {"tuple": "a list of texts", "mappingproxy": "a mapping from texts to texts"}
REASONS = {"buckets": "a list of numbers", "routes": "a mapping"}
METRICS: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "enabled": (True, "x", ()),
    "buckets": ((0.5, 2.0), ["x"], ([], [0], [-1.0], [2, 1], [1, 1], [float("nan")], [1e9], list(range(1, 66)))),
}
CORS: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "origins": (("https://a.example",), "*", ([5],)),
    "allowed_headers": (("X-A",), "X-A", ([5],)),
    "allowed_methods": (("GET",), "GET", ([5],)),
    "allow_credentials": (True, "x", ()),
    "expose_headers": (("X-A",), "X-A", ([5],)),
    "max_age": (0, "x", (-1, 86_401)),
}
RATE_LIMIT: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "enabled": (True, "x", ()),
    "requests": (5, "x", (0, 1_000_000_001)),
    "window_secs": (1, "x", (0, 31_536_001)),
    "max_keys": (1, "x", (0, 100_000_001)),
    "key": ("ip", 5, ("host",)),
    "skip_options": (False, "x", ()),
    "routes": (MappingProxyType({}), "list", ()),
    "storage": ("redis://h", 5, ()),
    "timeout": (1.5, "x", (0, 61)),
    "on_failure": ("closed", 5, ("never",)),
    "prefix": ("p", 5, ()),
}
CSRF: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "enabled": (True, "x", ()),
    "trusted_origins": (("https://a.example",), "https://a.example", ([5],)),
    "secret": ("s" * 32, 5, ()),
    "session_cookie": ("sid", 5, ("a b", "a;")),
    "cookie": ("csrf", 5, ("a=b",)),
    "header": ("X-Token", 5, ("a b", "a:")),
    "endpoint": ("/csrf", 5, ("csrf", "/a b")),
    "same_site": ("Lax", 5, ("lax",)),
}
SECURITY_HEADERS: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "enabled": (True, "x", ()),
    "content_type_options": ("", 5, ("a\nb",)),
    "frame_options": ("SAMEORIGIN", 5, ("a\rb",)),
    "referrer_policy": ("same-origin", 5, ("a\0b",)),
    "content_security_policy": ("default-src 'self'", 5, ("a\nSet-Cookie: b",)),
    "cross_origin_resource_policy": ("cross-origin", 5, ("\xe9",)),
    "permissions_policy": ("camera=()", 5, ("a\x7fb",)),
    "hsts_max_age": (0, "x", (-1,)),
    "hsts_subdomains": (True, "x", ()),
    "hsts_preload": (True, "x", ()),
    "no_store": (False, "x", ()),
}
SECTIONS = {
    "limits": LIMITS,
    "endpoints": PATHS,
    "routing": ROUTING,
    "validation": VALIDATION,
    "outgoing": OUTGOING,
    "server": SERVER,
    "compression": COMPRESSION,
    "etag": ETAG,
    "request_id": REQUEST_ID,
    "static": STATIC,
    "metrics": METRICS,
    "cors": CORS,
    "rate_limit": RATE_LIMIT,
    "csrf": CSRF,
    "security_headers": SECURITY_HEADERS,
}
KEYS = [(section, key, *row) for section, table in SECTIONS.items() for key, row in table.items()]


def plain(source: Any = None, **environ: str) -> Config:
    """The settings without the environment of the test run."""
    return load_config(source, environ)


def refusal(source: Any = None, **environ: str) -> str:
    with pytest.raises(ConfigError) as refused:
        plain(source, **environ)
    return str(refused.value)


@pytest.mark.parametrize("section", SECTIONS)
def test_the_tables_of_these_tests_have_every_key(section: str) -> None:
    kind = type(getattr(Config(), section))
    assert list(SECTIONS[section]) == [field.name for field in dataclasses.fields(kind)]


@pytest.mark.parametrize(("section", "key", "value", "wrong", "outside"), KEYS)
def test_a_key_is_set_by_mapping_file_environment_and_config_alike(
    section: str, key: str, value: Any, wrong: Any, outside: tuple[Any, ...], tmp_path: Path
) -> None:
    file = tmp_path / "config.yaml"
    as_written: dict[type, Any] = {tuple: list, MappingProxyType: dict}
    plainly = as_written.get(type(value), lambda same: same)
    text = str(value).lower() if isinstance(value, bool) else str(plainly(value)) or '""'
    file.write_text(f"{section}:\n  {key}: {text}\n")
    variable = f"BRRTR_{section}__{key}".upper()
    kind = type(getattr(Config(), section))
    made = Config(**{section: kind(**{key: value})})
    for config in (
        plain({section: {key: value}}),
        plain(file),
        plain(str(file)),
        plain(**{variable: text}),
        plain(made),
    ):
        found = getattr(getattr(config, section), key)
        assert found == value
        assert type(found) is type(value)
        assert config == made


@pytest.mark.parametrize(("section", "key", "value", "wrong", "outside"), KEYS)
def test_a_value_of_another_type_or_out_of_range_is_refused_by_name(
    section: str, key: str, value: Any, wrong: Any, outside: tuple[Any, ...]
) -> None:
    default = getattr(getattr(Config(), section), key)
    wanted = "str" if section == "endpoints" or default is None else type(default).__name__
    reason = REASONS.get(key) or KINDS.get(wanted, f"of type {wanted}")
    assert refusal({section: {key: wrong}}) == f"the configuration: {section}.{key} is not {reason}"
    kind = type(getattr(Config(), section))
    for bad in (wrong, *outside):
        assert refusal({section: {key: bad}}).startswith(f"the configuration: {section}.{key} is not")
        assert refusal(Config(**{section: kind(**{key: bad})})).startswith(f"the Config: {section}.{key} is not")


def test_the_limit_of_a_handler_is_read_and_refused_by_its_name() -> None:
    routes = {"login": {"requests": 5, "window_secs": 60, "key": "ip"}, "free": {"enabled": False}}
    made = plain({"rate_limit": {"routes": routes}})
    assert made.rate_limit.routes["login"] == RouteLimit(True, 5, 60, "ip")
    assert not made.rate_limit.routes["free"].enabled
    assert plain(made) == made
    for key, value, reason in (("key", "host", "one of"), ("requests", "x", "of type"), ("window_secs", -1, "between")):
        wrong = {"rate_limit": {"routes": {"login": {key: value}}}}
        assert refusal(wrong).startswith(f"the configuration: rate_limit.routes.login.{key} is not {reason}")


def test_the_bounds_themselves_are_accepted() -> None:
    assert plain({"limits": {"header_count": 256, "json_depth": 250, "head": 64}}).limits.header_count == 256
    assert plain({"limits": {"drain": 3}}).limits.drain == 3.0
    assert type(plain({"limits": {"drain": 3}}).limits.drain) is float


@pytest.mark.parametrize("off", [None, False, ""])
@pytest.mark.parametrize("key", list(PATHS))
def test_an_endpoint_is_switched_off(key: str, off: Any) -> None:
    assert getattr(plain({"endpoints": {key: off}}).endpoints, key) is None
    assert getattr(plain(Config(endpoints=Endpoints(**{key: None}))).endpoints, key) is None
    assert getattr(plain(**{f"BRRTR_ENDPOINTS__{key.upper()}": "false"}).endpoints, key) is None


def test_a_key_without_a_value_keeps_its_default() -> None:
    assert plain({"limits": {"body": None}, "routing": None}) == Config()
    assert plain({}) == plain() == Config()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"limit": {}}, "unknown key limit; did you mean limits?"),
        ({"limits": {"bodies": 1}}, "unknown key limits.bodies; did you mean limits.body?"),
        ({"security": {"keys": {}}}, "unknown key security.keys; did you mean security.api_keys?"),
        ({1: 2}, "unknown key 1"),
        ({"limits": 5}, "limits is not a mapping"),
        ({"limits": []}, "limits is not a mapping"),
        ({"security": {"api_keys": [SECRET]}}, "security.api_keys is not a mapping"),
        ({"security": {"api_keys": {"a": SECRET}}}, "security.api_keys.a is not a mapping"),
        (
            {"security": {"api_keys": {"a": {"key": SECRET, "x": 1}}}},
            "unknown key security.api_keys.a.x; known are key, ",
        ),
        ({"security": {"api_keys": {"a": {"key": 5}}}}, "security.api_keys.a.key is not of type str"),
        ({"security": {"api_keys": {"a": {"key": ""}}}}, "security.api_keys.a needs either 'key' or 'key_sha256'"),
        ({"security": {"api_keys": {"a": {}}}}, "security.api_keys.a needs either 'key' or 'key_sha256'"),
        ({"security": {"api_keys": {"a": {"key": "a", "key_sha256": "b"}}}}, "security.api_keys.a needs either"),
        ({"security": {"api_keys": {"a": {"key_sha256": "b"}}}}, "security.api_keys.a.key_sha256 is not a SHA-256"),
        ({"security": {"api_keys": {"a": {"keys": {}}}}}, "security.api_keys.a.keys is not a list"),
        ({"security": {"api_keys": {"a": {"keys": [{}]}}}}, "security.api_keys.a.keys.0 needs either"),
        ({"security": {"api_keys": {"a": {"key": "b", "keys": [{"key": "c"}]}}}}, "security.api_keys.a has 'keys' and"),
        ({"security": {"basic": {"a": {}}}}, "security.basic.a has no users"),
        ({"security": {"basic": {"a": {"users": {"ada": 5}}}}}, "security.basic.a.users is not a mapping from texts"),
        ({"security": {"basic": {"a": {"users": {"b": "c"}, "threads": 0}}}}, "security.basic.a.threads and .waiting"),
        ({"security": {"jwks": {"a": {}}}}, "security.jwks.a needs one of 'jwks_url', 'discovery_url' and"),
        ({"security": {"jwks": {"a": {"jwks_url": "x", "keys_file": "y"}}}}, "security.jwks.a needs one of"),
        ({"security": {"jwks": {"a": {"discovery_url": "x"}}}}, "security.jwks.a.discovery_url needs 'iss' too"),
        ({"security": {"jwks": {"a": {"aud": 5}}}}, "security.jwks.a.aud is not a list of texts"),
        ({"security": {"jwks": {"a": {"leeway_secs": -1}}}}, "security.jwks.a.leeway_secs is not between 0 and"),
        ({"webhooks": ["a"]}, "webhooks is not a mapping"),
        ({"webhooks": {"a": 5}}, "webhooks.a is neither a path nor a mapping with 'path' and perhaps 'secret'"),
        ({"webhooks": {"a": {"secret": SECRET}}}, "webhooks.a is neither a path nor a mapping"),
        ({"webhooks": {"a": {"path": "/a", "secrets": SECRET}}}, "webhooks.a is neither a path nor a mapping"),
        ({"webhooks": {"a": {"path": "/a", "secret": None}}}, "webhooks.a.secret is not a list of texts"),
        ({"webhooks": {"a": {"path": "/a", "secret": []}}}, "webhooks.a.secret is empty"),
        ({"webhooks": {"a": {"path": "/a", "secret": [SECRET, ""]}}}, "webhooks.a.secret is empty"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(source: Any, words: str) -> None:
    message = refusal(source)
    assert message.startswith(f"the configuration: {words}")
    assert SECRET not in message


# -- files


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("limits: [1", r"not YAML in line \d+, column \d+: "),
        ("a: b: s3cr3t-value", r"not YAML in line 1, column 5: "),
        ("limits: !!python/object:os.system {}", r"not YAML in line 1, column 9: could not determine a constructor"),
        ("when: 2024-99-99", r"not YAML: a value cannot be read"),
        ("\x00", r"not YAML: special characters are not allowed"),
        ("- 1", r"the top level is not a mapping"),
        ("limits: {body: x}", r"limits\.body is not of type int"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_place(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    message = refusal(file)
    assert re.match(re.escape(f"{file}: ") + words, message)
    assert SECRET not in message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.yaml") == f"{tmp_path / 'none.yaml'}: No such file or directory"
    assert refusal(tmp_path) == f"{tmp_path}: Is a directory"


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("# nothing\n")
    assert plain(file) == Config()


def test_webhooks_are_paths_or_paths_with_secrets(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"webhooks: {{a: /a, b: {{path: /b, secret: {SECRET}}}, c: {{path: /c, secret: [new, old]}}}}\n")
    config = plain(file)
    assert config.webhooks == {"a": Receiver("/a"), "b": Receiver("/b", SECRET), "c": Receiver("/c", ("new", "old"))}
    assert plain(config) == config
    assert SECRET not in repr(config)


# -- the environment


def test_the_environment_beats_the_file_and_the_file_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("limits: {body: 5, head: 500}\nsecurity: {api_keys: {my-key: {key: from-file}}}\n")
    config = plain(file, BRRTR_LIMITS__BODY="7", BRRTR_API_KEY__MY_KEY="from-environment")
    assert (config.limits.body, config.limits.head, config.limits.header_count) == (7, 500, 100)
    assert config.api_key("my-key") == "from-environment"
    assert plain(file).api_key("my-key") == "from-file"


def test_the_environment_of_the_process_is_used_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRRTR_LIMITS__BODY", "9")
    assert load_config().limits.body == 9
    assert load_config({"limits": {"body": 5}}).limits.body == 9
    assert load_config(Config()).limits.body == Limits().body, "a Config is what it is"


@pytest.mark.parametrize("scheme", ["ApiKeyAuth", "api-key", "api_key", "api.key", "APIKEY", "x1"])
def test_the_variable_of_a_scheme_is_enough_to_configure_it(scheme: str) -> None:
    config = plain(**{api_key_variable(scheme): SECRET})
    assert config.api_key(scheme) == SECRET
    assert config.api_key("another") is None
    assert re.fullmatch(r"BRRTR_API_KEY__[A-Z0-9_]+", api_key_variable(scheme))


def test_the_variable_for_all_schemes_is_the_last_resort() -> None:
    config = plain({"security": {"api_keys": {"filed": {"key": "a"}}}}, BRRTR_API_KEY="c", BRRTR_API_KEY__NAMED="b")
    assert [config.api_key(name) for name in ("filed", "named", "else")] == ["a", "b", "c"]


def test_an_empty_variable_is_not_set() -> None:
    assert plain(BRRTR_API_KEY="", BRRTR_API_KEY__X="", BRRTR_LIMITS__BODY="") == Config()


def test_variables_of_others_are_ignored() -> None:
    assert plain(BRRTR_OTHER="1", BRRTR="1", LIMITS__BODY="1", HOME="/") == Config()


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("BRRTR_LIMITS__BODIES", "1", "unknown key limits.bodies"),
        ("BRRTR_LIMIT__BODY", "1", "there is no section 'limit' to set in the environment"),
        ("BRRTR_SECURITY__API_KEYS", "{}", "there is no section 'security' to set in the environment"),
        ("BRRTR_WEBHOOKS__A", "/a", "there is no section 'webhooks' to set in the environment"),
        ("BRRTR_API_KEYS__X", SECRET, "there is no section 'api_keys' to set in the environment"),
        ("BRRTR_LIMITS__BODY", "many", "limits.body is not of type int"),
        ("BRRTR_LIMITS__BODY", "-1", "limits.body is not between 0 and"),
        ("BRRTR_LIMITS__BODY", "[", "not YAML"),
        ("BRRTR_ROUTING__TRAILING_SLASH", "no", "routing.trailing_slash is not of type str"),
    ],
)
def test_a_variable_that_does_not_fit_is_refused_by_name(variable: str, text: str, words: str) -> None:
    message = refusal(**{variable: text})
    assert message.startswith(f"{variable}: {words}")
    assert SECRET not in message


# -- frozen and silent


def test_nothing_of_the_settings_can_be_changed() -> None:
    config = plain({"security": {"api_keys": {"a": {"key": SECRET}}}})
    for holder in (config, config.limits, config.endpoints, config.routing, config.security):
        for field in dataclasses.fields(holder):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(holder, field.name, None)
    for keys in (config.security.api_keys, Config().security.api_keys, config.webhooks):
        with pytest.raises(TypeError):
            keys["b"] = ApiKey("x")  # type: ignore[index]


def test_a_config_is_copied_so_that_its_maker_cannot_change_it_either() -> None:
    keys = {"a": ApiKey("x")}
    config = plain(Config(security=Security(keys)))
    keys["b"] = ApiKey("y")
    assert config.api_key("b") is None
    assert config.api_key("a") == "x"


def test_a_secret_is_never_shown() -> None:
    config = plain({"security": {"api_keys": {"a": {"key": SECRET}}}}, BRRTR_API_KEY=SECRET)
    assert SECRET not in repr(config) + str(config) + repr(config.security.api_keys)
    assert config.api_key("a") == SECRET
    assert SECRET not in repr(plain({"outgoing": {"secret": SECRET}}))


def test_settings_of_security_schemes_survive_a_round_trip_and_a_variable() -> None:
    keys = [{"key": "a", "subject": "ada", "scopes": ["x"]}, {"key_sha256": "0" * 64}]
    entries = {
        "api_keys": {"many": {"keys": keys}},
        "basic": {"b": {"users": {"ada": "hash"}, "threads": 3}},
        "jwks": {
            "j": {"jwks_url": "https://x/", "aud": "one", "allow_http": True},
            "k": {"keys_file": "f", "aud": ["a", "b"]},
        },
    }
    config = plain({"security": entries}, BRRTR_API_KEY__OTHER="o")
    assert load_config(config) == config
    assert config.security.jwks["j"].aud == ("one",)
    assert config.security.jwks["k"].aud == ("a", "b")
    assert config.security.basic["b"].users == {"ada": "hash"}
    assert config.api_key("other") == "o"
    assert config.api_key("many") is None
    found = config.api_keys("many")
    assert found is not None
    assert [each.subject for each in found.keys] == ["ada", ""]
