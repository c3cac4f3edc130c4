#!/bin/sh
# Builds and smoke-tests the package with each CPython from 3.10 on that this machine has:
#
#     sh ci/pythons.sh [PYTHON...]
#
# Without arguments these are one of each version found on PATH and below ~/.pyenv/versions. Each builds from one sdist in
# a temporary virtual environment of its own, so the checkout and its .venv stay as they are. A C compiler is needed.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints "3.12 path" for a CPython that can take part: new enough, with venv, and not a build without the GIL.
describe() {
    "$1" - 2>/dev/null <<'PYTHON' || :
import ensurepip, platform, sys, sysconfig, venv
usable = sys.version_info >= (3, 10) and platform.python_implementation() == "CPython"
if usable and not sysconfig.get_config_var("Py_GIL_DISABLED"):
    print(f"{sys.version_info[0]}.{sys.version_info[1]} {sys.executable}")
PYTHON
}
find_all() {
    minor=10
    while [ "$minor" -le 30 ]; do
        command -v "python3.$minor" || :
        minor=$((minor + 1))
    done
    command -v python3 || :
    for found in "${HOME:-}"/.pyenv/versions/3.*/bin/python3; do
        [ ! -x "$found" ] || printf '%s\n' "$found"
    done
}

if [ $# = 0 ]; then find_all; else printf '%s\n' "$@"; fi >"$work/candidates"
while read -r candidate; do
    describe "$candidate"
done <"$work/candidates" | sort -t. -k2,2n -s | awk '!seen[$1]++' >"$work/pythons"
[ -s "$work/pythons" ] || { echo 'no CPython from 3.10 on was found' >&2; exit 1; }
# A Python that was asked for by name has to take part.
[ $# = 0 ] || [ "$(wc -l <"$work/pythons")" = $# ] || { echo "not all of these can be used: $*" >&2; exit 1; }

quietly() {
    "$@" >"$work/log" 2>&1 </dev/null || { tail -n 40 "$work/log" >&2; echo "failed: $*" >&2; return 1; }
}
failed=
while read -r version python; do
    printf '%s\n' "== $version: $python"
    venv=$work/$version
    quietly "$python" -m venv "$venv"
    if [ ! -e "$work/sdist" ]; then
        quietly "$venv/bin/python" -m pip install --disable-pip-version-check build
        quietly "$venv/bin/python" -m build --sdist --outdir "$work/sdist" .
    fi
    if quietly "$venv/bin/python" -m pip install --disable-pip-version-check "$work"/sdist/*.tar.gz; then
        "$venv/bin/python" wheels/smoke.py </dev/null || failed="$failed $version"
    else
        failed="$failed $version"
    fi
    rm -rf "$venv"
done <"$work/pythons"
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
echo "passed: $(awk '{ printf "%s%s", separator, $1; separator = ", " }' "$work/pythons")"
