#!/bin/sh
# The compiled core under AddressSanitizer and UndefinedBehaviorSanitizer, driven by the tests that reach it most.
# It is built in a copy of the sources, so that the ordinary build stays.  What is freed stays in memory for a while there,
# so one test of memory is left out.
. "$(dirname "$0")/env.sh"
install "[test]"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

mkdir "$copy/main"
git ls-files -z | xargs -0 tar -cf - | tar -xf - -C "$copy/main"
# Some tests look for real descriptions beside the checkout.
[ ! -d ../shared ] || ln -s "$(cd ../shared && pwd)" "$copy/shared"
python -m pip install --quiet --disable-pip-version-check "Cython>=3.3" "setuptools>=77"
cd "$copy/main"
BRRT_BUILD=asan python setup.py build_ext --inplace > build.log 2>&1 || { tail -n 40 build.log; exit 1; }
preload="$(cc -print-file-name=libasan.so):$(cc -print-file-name=libubsan.so)"
LD_PRELOAD="$preload" ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1 PYTHONMALLOC=malloc PYTHONPATH="$copy/main" \
    python -m pytest -q -p no:cacheprovider --deselect tests/test_files_sending.py::test_memory_does_not_grow_with_the_file \
    tests/test_matcher_rules.py tests/test_matcher_errors.py \
    tests/test_matcher_property.py tests/test_regex.py tests/test_arguments_rules.py tests/test_styles.py \
    tests/test_values.py tests/test_protocol_requests.py tests/test_protocol_results.py tests/test_protocol_connection.py \
    tests/test_matcher_results.py tests/test_bodies_forms.py tests/test_bodies_multipart.py tests/test_bodies_stream.py \
    tests/test_choices.py tests/test_http11.py tests/test_repeated_heads.py tests/test_timeouts.py tests/test_timeouts_clock.py \
    tests/test_timeouts_handlers.py tests/test_hostile_clients.py tests/test_metrics.py tests/test_cors.py \
    tests/test_request_ids.py tests/test_compression.py tests/test_etags.py tests/test_files.py tests/test_files_sending.py \
    tests/test_asgi.py tests/test_asgi_mount.py tests/test_tls.py tests/test_proxy_protocol.py
