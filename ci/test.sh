#!/bin/sh
# Everything that must hold before a change lands: style, types, and all tests (the C ones with sanitizers).
. "$(dirname "$0")/env.sh"
install "[test,frameworks]"

ci/fetch_docs_ui.sh --check
ruff check .
ruff format --check .
mypy
python -m pytest "$@"
