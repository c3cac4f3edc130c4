#!/bin/sh
# Fuzz the C core with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer:
#   ci/fuzz.sh [SECONDS] [TARGET...]      SECONDS for each target, default 20; all targets by default
# It begins with the corpora of tests/fuzz and leaves them as they are.  FUZZ_KEEP=1 replaces them with the units
# written by hand (rule-*: borders, which coverage does not see) and the fewest others that reach every branch that
# was reached; how often each was taken is left out, which would keep ten times as many.
# CLANG names the compiler; a finding stays in build/fuzz as crash-*.  Without a usable clang the exit status is 77.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-20}
[ $# -eq 0 ] || shift

work=build/fuzz
mkdir -p "$work"

# clang 14 or newer, with the libFuzzer that some systems package apart.
find_clang() {
    printf '#include <stddef.h>\n%s\n' 'int LLVMFuzzerTestOneInput(const char *s, size_t n) { return s == NULL && n; }' \
        > "$work/probe.c"
    for candidate in "${CLANG:-}" clang clang-22 clang-21 clang-20 clang-19 clang-18 clang-17 clang-16 clang-15 \
        clang-14; do
        if [ -n "$candidate" ] && "$candidate" -fsanitize=fuzzer "$work/probe.c" -o "$work/probe" 2> /dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    echo "fuzz: SKIPPED, clang 14 or newer with its libclang-rt is needed; CLANG names one" >&2
    return 77
}

clang=$(find_clang)
flags="-std=gnu11 -O1 -g -fno-omit-frame-pointer -Wall -Wextra -Wconversion -Werror -Icsrc"
sanitizers="-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all"

run_target() {
    target=$1
    # shellcheck disable=SC2086 # flags are words
    "$clang" $flags $sanitizers csrc/*.c "tests/fuzz/fuzz_$target.c" tests/fuzz/linear.c tests/fuzz/naive.c \
        -o "$work/$target"
    found="$work/found-$target"
    mkdir -p "$found"
    log="$work/$target.log"
    if ! "$work/$target" -max_total_time="$seconds" -timeout=5 -max_len=700 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$work/crash-$target-" -dict="tests/fuzz/dictionaries/$target.dict" \
        "$found" "tests/fuzz/corpus/$target" > "$log" 2>&1; then
        tail -n 60 "$log"
        echo "$target: FAILED, see $work" >&2
        return 1
    fi
    sed -n 's/^stat::number_of_executed_units: */'"$target"': no finding, executions: /p' "$log"
    if [ "${FUZZ_KEEP:-}" = 1 ]; then
        smallest="$work/smallest-$target"
        rm -rf "$smallest"
        mkdir -p "$smallest"
        cp "tests/fuzz/corpus/$target"/rule-* "$smallest"
        "$work/$target" -set_cover_merge=1 -use_counters=0 -max_len=700 "$smallest" "tests/fuzz/corpus/$target" \
            "$found" >> "$log" 2>&1
        rm -rf "tests/fuzz/corpus/$target"
        mv "$smallest" "tests/fuzz/corpus/$target"
    fi
}

[ $# -gt 0 ] || set -- trie text head chunked
for target in "$@"; do
    run_target "$target"
done
