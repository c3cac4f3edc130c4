"""What a proxy says about the client: taken from those that are trusted, and from nobody else."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import Client

from brrtrouter import App, Request
from brrtrouter.config import Server as Settings
from brrtrouter.core.peer import MAX_HOPS, Peer, Proxies
from brrtrouter.errors import ConfigError
from brrtrouter.server.handle import Server

TRUSTED = ("10.0.0.0/8", "2001:db8::/32", "127.0.0.1")
PROXY = ("10.0.0.1", 1234)


def document() -> dict[str, Any]:
    operation = {"operationId": "about", "responses": {"200": {"description": "ok"}}}
    return {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/about": {"get": operation}}}


async def about(request: Request) -> dict[str, Any]:
    return {"client": request.client, "scheme": request.scheme, "base_url": request.base_url}


def server(**settings: Any) -> Server:
    return Server(App(document(), {"about": about}), port=0, settings=Settings(**settings)).start()


def asked(server: Server, **fields: str) -> dict[str, Any]:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    with Client(server.url) as client:
        answer = client.ask(f"GET /about HTTP/1.1\r\nHost: inside\r\n{lines}\r\n".encode())
    found: dict[str, Any] = json.loads(answer.body)
    return found


ALL = {
    "X_Forwarded_For": "192.0.2.1",
    "X_Forwarded_Proto": "https",
    "X_Forwarded_Host": "api.example",
    "X_Forwarded_Prefix": "/v1",
}


def test_a_trusted_proxy_is_believed() -> None:
    with server(trusted_proxies=("127.0.0.0/8",)) as running:
        found = asked(running, **ALL)
        assert found == {"client": ["192.0.2.1", 0], "scheme": "https", "base_url": "https://api.example/v1"}
        assert asked(running)["base_url"] == "http://inside"


@pytest.mark.parametrize("networks", [(), ("10.0.0.0/8",), ("unix",), ("::1/128",)])
def test_nobody_else_is_believed(networks: tuple[str, ...]) -> None:
    with server(trusted_proxies=networks) as running:
        found = asked(running, **ALL, Forwarded="for=192.0.2.1;proto=https;host=api.example")
        assert found["client"][0] == "127.0.0.1"
        assert found["scheme"] == "http"
        assert found["base_url"] == "http://inside"


def test_only_the_configured_kind_of_fields_is_read() -> None:
    forwarded = {"Forwarded": 'for="[2001:db9::1]:4711";proto=https;host=api.example'}
    with server(trusted_proxies=("127.0.0.1",), forwarded="forwarded") as running:
        assert asked(running, **ALL)["client"][0] == "127.0.0.1"
        found = asked(running, **ALL, **forwarded)
        assert found == {"client": ["2001:db9::1", 4711], "scheme": "https", "base_url": "https://api.example"}
    with server(trusted_proxies=("127.0.0.1",)) as running:
        assert asked(running, **forwarded)["base_url"] == "http://inside"


def test_a_network_that_is_none_is_refused_at_the_start() -> None:
    for text in ("10.0.0.1/8", "everywhere", ""):
        with pytest.raises(ConfigError, match=r"server\.trusted_proxies: "):
            server(trusted_proxies=(text,))


# -- one rule at a time


def said(fields: Mapping[str, str], form: str = "x-forwarded", address: tuple[str, int] | None = PROXY) -> Any:
    return Peer(address, proxies=Proxies((*TRUSTED, "unix"), form)).about(fields.get)


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("192.0.2.1", ("192.0.2.1", 0)),
        ("192.0.2.1:4711", ("192.0.2.1", 4711)),
        ("2001:db9::1", ("2001:db9::1", 0)),
        ("[2001:db9::1]", ("2001:db9::1", 0)),
        ("[2001:db9::1]:4711", ("2001:db9::1", 4711)),
        ("::ffff:192.0.2.1", ("192.0.2.1", 0)),
        ("192.0.2.9, 192.0.2.1", ("192.0.2.1", 0)),
        ("192.0.2.9, 192.0.2.1, 10.1.1.1", ("192.0.2.1", 0)),
        ("192.0.2.1,\t10.1.1.1 ,2001:db8::5", ("192.0.2.1", 0)),
        ("10.2.2.2, 10.1.1.1", ("10.2.2.2", 0)),
        ("::ffff:10.2.2.2, 10.1.1.1", ("10.2.2.2", 0)),
        ("192.0.2.1, unknown, 10.1.1.1", ("10.1.1.1", 0)),
        ("192.0.2.1, _hidden", PROXY),
        ("192.0.2.1,", PROXY),
        ("192.0.2.256", PROXY),
        ("", PROXY),
    ],
)
def test_the_rightmost_address_that_is_no_trusted_proxy_is_the_client(value: str, client: tuple[str, int]) -> None:
    assert said({"x-forwarded-for": value}).client == client


def test_a_chain_without_end_is_looked_at_up_to_a_limit() -> None:
    hops = ["10.0.0.2"] * MAX_HOPS
    assert said({"x-forwarded-for": ", ".join(["192.0.2.1", *hops[1:]])}).client == ("192.0.2.1", 0)
    assert said({"x-forwarded-for": ", ".join(["192.0.2.1", *hops])}).client == ("10.0.0.2", 0)


@pytest.mark.parametrize(
    ("name", "value", "url"),
    [
        ("proto", "https", "https://inside"),
        ("proto", "HTTPS", "https://inside"),
        ("proto", "https, http", "http://inside"),
        ("proto", "javascript", "http://inside"),
        ("host", "api.example", "http://api.example"),
        ("host", "api.example:8443", "http://api.example:8443"),
        ("host", "[2001:db8::1]:80", "http://[2001:db8::1]:80"),
        ("host", "evil.example, api.example", "http://api.example"),
        ("host", "a/b", "http://inside"),
        ("host", "user@a", "http://inside"),
        ("host", "a b", "http://inside"),
        ("prefix", "/v1", "http://inside/v1"),
        ("prefix", "/v1/", "http://inside/v1"),
        ("prefix", "/a, /b/c", "http://inside/b/c"),
        ("prefix", "//evil.example", "http://inside"),
        ("prefix", "v1", "http://inside"),
        ("prefix", "/a?b", "http://inside"),
        ("prefix", "/", "http://inside"),
    ],
)
def test_scheme_host_and_prefix_are_taken_only_when_they_are_some(name: str, value: str, url: str) -> None:
    found = said({f"x-forwarded-{name}": value, "host": "inside"})
    assert f"{found.scheme}://{found.host}{found.prefix}" == url


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=192.0.2.1", (("192.0.2.1", 0), "http", "inside")),
        ('For="[2001:db9::1]:1";Proto=https;By=10.0.0.1', (("2001:db9::1", 1), "https", "inside")),
        ('for=192.0.2.1;host="a.example:1";proto=https', (("192.0.2.1", 0), "https", "a.example:1")),
        ("for=192.0.2.9;host=evil, for=192.0.2.1;host=a, for=10.1.1.1;host=b", (("192.0.2.1", 0), "http", "a")),
        ("for=192.0.2.1 ; proto=https , for=10.1.1.1", (("192.0.2.1", 0), "https", "inside")),
        ('for="192\\.0.2.1"', (("192.0.2.1", 0), "http", "inside")),
        ("for=unknown;host=a", (PROXY, "http", "a")),
        ("for=192.0.2.1, , for=10.1.1.1", (("192.0.2.1", 0), "http", "inside")),
        ('for="192.0.2.1', (PROXY, "http", "inside")),
        ("for=192.0.2.1 for=192.0.2.2", (PROXY, "http", "inside")),
        ("192.0.2.1", (PROXY, "http", "inside")),
        ("", (PROXY, "http", "inside")),
    ],
)
def test_forwarded_is_read_as_rfc_7239_says(value: str, expected: tuple[Any, ...]) -> None:
    found = said({"forwarded": value, "host": "inside"}, "forwarded")
    assert (found.client, found.scheme, found.host) == expected


def test_a_proxy_at_a_unix_socket_is_trusted_by_a_word() -> None:
    assert said({"x-forwarded-for": "192.0.2.1"}, address=None).client == ("192.0.2.1", 0)
    peer = Peer(None, proxies=Proxies(TRUSTED, "x-forwarded"))
    assert peer.about({"x-forwarded-for": "192.0.2.1"}.get).client is None


# -- any chain

ADDRESSES = st.one_of(
    st.ip_addresses(), st.ip_addresses(network="10.0.0.0/8"), st.ip_addresses(network="2001:db8::/32")
).map(str)
ODD = ("unknown", "_x", "1.2.3", "[::1", "", "1.2.3.4:x")


def written(entry: str, port: bool) -> str:
    """An entry as a proxy may write it, with a port where it is an address."""
    if not port or entry in ODD:
        return entry
    return f"[{entry}]:80" if ":" in entry else f"{entry}:80"


def oracle(chain: list[str]) -> str:
    """Peel off the last entry while whoever has written it is trusted."""
    writer = PROXY[0]
    networks = [ipaddress.ip_network(each) for each in TRUSTED]
    for entry in reversed(chain):
        if not any(ipaddress.ip_address(writer) in network for network in networks):
            break
        try:
            found = ipaddress.ip_address(entry)
        except ValueError:
            break
        writer = str(getattr(found, "ipv4_mapped", None) or found)
    return writer


@given(st.lists(st.one_of(ADDRESSES, st.sampled_from(ODD)), max_size=6), st.booleans())
def test_the_client_is_what_an_obvious_reading_says(chain: list[str], ports: bool) -> None:
    texts = [written(entry, ports) for entry in chain]
    assert said({"x-forwarded-for": ", ".join(texts)}).client[0] == oracle(chain)
    quoted = ", ".join(f'for="{text}"' for text in texts)
    assert said({"forwarded": quoted}, "forwarded").client[0] == oracle(chain)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60))
def test_no_text_of_a_field_is_an_error(text: str) -> None:
    for form, name in (
        ("forwarded", "forwarded"),
        ("x-forwarded", "x-forwarded-for"),
        ("x-forwarded", "x-forwarded-host"),
    ):
        said({name: text, "host": "inside"}, form)
