#!/usr/bin/env bash
# all.sh MAKE: what `make test` runs once the packages are there. Each step is a make target of its
# own; a step that cannot even be built counts as a failure, and the later steps run all the same.
# Ends with "N passed, N failed" over all steps, alone on a line; exit 1 if any failed.
set -u
make=$1
mkdir -p build
RESULTS=$PWD/build/results
export RESULTS
rm -f "$RESULTS"
touch "$RESULTS"

# step NAME TARGET [VARIABLE=VALUE...]
step() {
    local name=$1 lines
    shift
    lines=$(wc -l <"$RESULTS")
    printf '\n== %s\n' "$name"
    if ! "$make" --no-print-directory -s "$@" && [ "$(wc -l <"$RESULTS")" -eq "$lines" ]; then
        echo "FAIL $name: make $* ended with an error"
        echo "0 1" >>"$RESULTS"
    fi
}

printf '== sources\n'
if "$make" --no-print-directory -s check-source; then echo "1 0" >>"$RESULTS"; else echo "0 1" >>"$RESULTS"; fi
step "build, plain" -j2 build-tests
step "tests, plain" run-variant
step "tests of the checks" run-source
step "build, address and undefined-behaviour sanitizers" -j2 build-tests SAN=asan
step "tests, address and undefined-behaviour sanitizers" run-variant SAN=asan
step "build, thread sanitizer" -j2 build-threaded SAN=tsan
step "threaded tests, thread sanitizer" run-threaded SAN=tsan

passed=0 failed=0
while read -r p f; do passed=$((passed + p)) failed=$((failed + f)); done <"$RESULTS"
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
