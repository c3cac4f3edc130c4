"""Smoke test of an installed wheel: the compiled core, a match, a description loaded, and one request answered.

    python wheels/smoke.py

It needs nothing but the installed package, and refuses to test the checkout that it is in.
"""

from __future__ import annotations

import platform
from pathlib import Path

import brrtrouter
from brrtrouter import App, Matcher, path_to_regex
from brrtrouter.testing import TestClient

# The checkout has a folder of the package's name too.
CHECKOUT = Path(__file__).resolve().parents[1]
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Smoke", "version": "1"},
    "paths": {
        "/pets/{id}": {
            "get": {
                "operationId": "getPet",
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"description": "a pet"}},
            }
        }
    },
}


def check_matcher() -> None:
    matcher = Matcher([("GET", "/pets/{id}", "pet"), ("GET", "/pets/mine", "mine")])
    assert matcher.match("GET", "/pets/mine") == ("mine", {})
    assert matcher.match("GET", "/pets/b%C3%A9b%C3%A9") == ("pet", {"id": "bébé"})
    assert matcher.match("GET", "/nowhere") is None
    assert path_to_regex("/pets/{id}") == ("^/pets/([^/]+)$", ["id"])


def check_server() -> None:
    with TestClient(App(DOCUMENT, echo=True)) as client:
        answer = client.get("/pets/42")
        assert answer.status == 200
        assert answer.json()["params"] == {"id": 42}
        assert client.get("/pets/Rex").status == 400
        assert client.get("/nowhere").status == 404
        assert b"swagger-ui" in client.get("/docs").content


def main() -> None:
    package = Path(brrtrouter.__file__).resolve().parent
    assert package.parent != CHECKOUT, "this is the checkout, not an installed wheel"
    check_matcher()
    check_server()
    implementation = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"brrtrouter {brrtrouter.__version__} works: {implementation}, {platform.system()} {platform.machine()}")


if __name__ == "__main__":
    main()
