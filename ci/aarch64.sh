#!/bin/sh
# aarch64 without an ARM machine: builds the manylinux wheel, checks it, and runs the tests on it under emulation.
#
#     sh ci/aarch64.sh          the tests of matcher, values, protocol and dispatch, and all C tests: 5 minutes
#     sh ci/aarch64.sh --all    every test that does not look at the checkout itself: 10 minutes
#     sh ci/aarch64.sh FILE...  these test files only
#
# For Debian 12 on x86-64. What is missing (qemu-user-static, python3.11, its venv) is installed by apt, which needs root;
# once they are there nothing does. Everything else stays below build/aarch64, about 700 MB. Emulation proves that
# results are right; it says nothing about speed and little about the order of memory accesses.
# Where the tools cannot be had the exit status is 77 and the last line says what is missing.
set -eu
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$1"; }
fail() {
    echo "aarch64: $1" >&2
    exit 1
}
skip() {
    echo "aarch64: SKIPPED, $1" >&2
    exit 77
}

step 'tools'
[ "$(uname -sm)" = 'Linux x86_64' ] || skip "this runs on Linux x86-64, not $(uname -sm)"
grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release || skip 'this runs on Debian 12'
python=${PYTHON:-/usr/bin/python3.11}
missing=
command -v qemu-aarch64-static >/dev/null || missing="$missing qemu-user-static"
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3.11 python3.11-venv"
if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] || skip "root is needed to install:$missing"
    # shellcheck disable=SC2086 # one word per package is meant
    { apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends ca-certificates $missing \
            >/dev/null; } || skip "apt cannot install:$missing"
fi
qemu-aarch64-static --version | head -n 1
export CACHE="$PWD/build/aarch64" PYTHON="$python"
root=$CACHE/root
tools=$CACHE/tools/bin
mkdir -p "$CACHE"
sh wheels/debian_arm64.sh "$root" || skip 'the arm64 packages of Python cannot be fetched'
[ -x "$tools/python" ] || "$python" -m venv "$CACHE/tools"
"$tools/python" -m pip install --quiet --disable-pip-version-check --requirement wheels/tools.txt ||
    skip 'pip cannot install wheels/tools.txt'

step 'the wheel'
rm -rf "$CACHE/wheel" "$CACHE/site" "$CACHE/copy"
sh wheels/build_aarch64.sh "$CACHE/wheel"

step 'the configuration of the wheels that other machines build'
for platform in 'linux aarch64' 'linux x86_64' 'macos arm64' 'macos x86_64'; do
    found=$("$tools/python" -m cibuildwheel --config-file wheels/cibuildwheel.toml --platform "${platform% *}" \
        --archs "${platform#* }" --print-build-identifiers . | sort | tr '\n' ' ')
    case $platform in
        linux*) kinds='manylinux musllinux' ;;
        *) kinds=macosx ;;
    esac
    wanted=$(for kind in $kinds; do
        for version in 310 311 312 313 314; do echo "cp$version-${kind}_${platform#* }"; done
    done | sort | tr '\n' ' ')
    [ "$found" = "$wanted" ] || fail "for $platform cibuildwheel would build: $found"
    echo "$platform: $found"
done

step 'the wheel and its dependencies, unpacked for aarch64'
"$tools/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --target "$CACHE/site" \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
    --python-version 311 --implementation cp --abi cp311 --abi abi3 --abi none \
    "$CACHE"/wheel/*.whl pytest pytest-benchmark hypothesis
find "$CACHE/site" -maxdepth 1 -name '*.dist-info' -exec basename {} .dist-info \; | sort

# The emulated Python takes this script for itself (qemu's -0), so tests that start sys.executable stay on aarch64.
emulated=$root/usr/bin/emulated-python
cat >"$emulated" <<SCRIPT
#!/bin/sh
exec qemu-aarch64-static -L "$root" -cpu cortex-a76 \${EMULATED_PAGE:+-p \$EMULATED_PAGE} \\
    -0 "\$0" "$root/usr/bin/python3.11" "\$@"
SCRIPT
chmod +x "$emulated"
export PYTHONPATH="$CACHE/site" PYTHONDONTWRITEBYTECODE=1

step 'smoke test, with pages of 4 KiB and of 16 KiB'
"$emulated" wheels/smoke.py
EMULATED_PAGE=16384 "$emulated" wheels/smoke.py
# The benchmark for boards runs with the wheel alone; its numbers mean nothing here.
(cd "$CACHE" && "$emulated" -m brrtrouter.bench --quick >bench.md && grep -c '^| ' bench.md >/dev/null)

step 'C tests: NEON under emulation against SSE2 here'
for target in aarch64-linux-gnu.2.17 x86_64-linux-gnu.2.17; do
    "$tools/python" -m ziglang cc -target "$target" -std=gnu11 -O2 -Icsrc -Itests/c csrc/*.c tests/c/*.c \
        -o "$CACHE/c-tests-${target%%-*}"
done
qemu-aarch64-static -L "$root" -cpu cortex-a76 "$CACHE/c-tests-aarch64" | tee "$CACHE/c-tests-aarch64.txt"
"$CACHE/c-tests-x86_64" >"$CACHE/c-tests-x86_64.txt"
cmp "$CACHE/c-tests-aarch64.txt" "$CACHE/c-tests-x86_64.txt" || fail 'the two processors disagree on fuzzed inputs'

step 'Python tests'
# In a copy without the package: what is imported has to be the wheel.
mkdir "$CACHE/copy"
cp -R tests docs examples README.md pyproject.toml "$CACHE/copy"
cd "$CACHE/copy"
rm -f tests/test_architecture.py tests/test_c.py tests/test_c_library.py tests/test_fuzz.py tests/test_stubs.py \
    tests/test_all_specs.py tests/test_wheels.py tests/test_docs.py tests/test_benchmarks.py
if [ $# = 0 ]; then
    set -- tests/test_matcher_*.py tests/test_regex.py tests/test_arguments_*.py tests/test_styles.py tests/test_values.py \
        tests/test_protocol_*.py tests/test_service.py tests/test_app.py tests/test_dispatch*.py
elif [ "$1" = --all ]; then
    set -- tests
fi
"$emulated" -c 'import brrtrouter.core.matcher as m, platform; print(platform.machine(), m.__file__)'
"$emulated" -m pytest -q -p no:cacheprovider "$@"
