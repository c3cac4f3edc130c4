#!/bin/sh
# Attack the mock mode with schemathesis, all phases and all checks:
#   ci/schemathesis.sh [DOCUMENT...]      by default the pet store, and some of the shared documents where they are
# schemathesis lives in an environment of its own, .venv-schemathesis; SCHEMATHESIS names another command.
# EXAMPLES is the number of requests for each operation and phase, default 10.
. "$(dirname "$0")/env.sh"
install "[test]"

if [ -z "${SCHEMATHESIS:-}" ]; then
    [ -x .venv-schemathesis/bin/schemathesis ] || {
        "$(find_python)" -m venv .venv-schemathesis
        .venv-schemathesis/bin/python -m pip install --quiet --disable-pip-version-check "schemathesis>=4.32"
    }
    SCHEMATHESIS=$PWD/.venv-schemathesis/bin/schemathesis
fi
export SCHEMATHESIS
exec python ci/attack_mock.py --examples "${EXAMPLES:-10}" "$@"
