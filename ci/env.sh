# Sourced by the other scripts: a virtual environment in .venv with this project installed.
# Needs Python 3.10 or newer (PYTHON names one) and a C compiler; pip brings the rest.
set -eu
cd "$(dirname "$0")/.."

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    echo "Python 3.10 or newer is needed; set PYTHON to one" >&2
    return 1
}

# install EXTRAS: an editable install, so that a second run only rebuilds what changed.
install() {
    python=$(find_python)
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".$1"
    PATH="$PWD/.venv/bin:$PATH"
}
