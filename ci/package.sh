#!/bin/sh
# sdist, a wheel made from the sdist, and a smoke test of the wheel in an environment that has never seen the sources.
. "$(dirname "$0")/env.sh"
install "[test]"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

python -m pip install --quiet --disable-pip-version-check build
python -m build --outdir "$out" . > "$out/build.log" 2>&1 || { tail -n 40 "$out/build.log"; exit 1; }
python ci/check_package.py "$out"
python -m venv "$out/venv"
"$out/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$out"/*.whl
cd "$out"
"$out/venv/bin/python" - <<'PYTHON'
from brrtrouter import App, Matcher
from brrtrouter.testing import TestClient

assert Matcher([("GET", "/pets/{id}", 1)]).match("GET", "/pets/42") == (1, {"id": "42"})
document = {
    "openapi": "3.1.0",
    "info": {"title": "Smoke", "version": "1"},
    "paths": {"/pets/{id}": {"get": {"operationId": "getPet", "responses": {"200": {"description": "a pet"}}}}},
}
client = TestClient(App(document, echo=True))
assert client.get("/pets/42").json()["params"] == {"id": "42"}
assert b"swagger-ui" in client.get("/docs").content
print("the wheel works")
PYTHON
"$out/venv/bin/brrtrouter" --version
# The benchmark for boards needs nothing but the wheel.
"$out/venv/bin/python" -m brrtrouter.bench --quick > bench.md
grep '^| 10,000 | hits' bench.md
