#!/usr/bin/env bash
# run.sh PROGRAM...: run test programs, count what they tell, and fail loudly.
#
# Every program speaks TAP on standard output (cmocka is told to). One that crashes, runs out of time,
# runs no test, or runs fewer than it planned counts as a failure, whatever else it printed. A skipped
# test is printed; with CI set it is a failure; so is a program that passes and leaves files behind. Ends with a line of totals; exit
# 1 if any failed. Each program has temporary folders of its own, TMPDIR and (in memory, if there is room) BRUG_TEST_MEMORY.
#
# Environment: TEST_SECONDS_MAX a program (300; make gives 600), TEST_JOBS at once (2), BRUG_BUILD the build folder,
# PYTHON for *.py, TELL for all that programs tell, RESULTS a file to which "passed failed" is added (then the totals are only a part, and
# begin with "--").
set -u

seconds=${TEST_SECONDS_MAX:-300}

# count FILE PATTERN: how many lines match. TAP lines begin the line (cmocka indents them by a tab).
count() { grep -cE "$2" "$1"; }

# notes FILE: what a program that passed tells beside its tests: how fast it tried what; with TELL everything (seeds,
# what was tried, which control or mutant was caught by what).
notes() {
    grep -E '^[[:space:]]?# ' "$1" | grep -vE '^[[:space:]]?# ok ' |
        if [ -n "${TELL:-}" ]; then cat; else grep -E ' a (second|minute)\b'; fi |
        sed -E 's/^[[:space:]]?# /       /'
}

# run_one LOGS NUMBER PROGRAM: run it, say how it went, leave "passed failed skipped" in LOGS/NUMBER.
run_one() {
    local out=$1/$2.out err=$1/$2.err program=$3 begin=$SECONDS status passed failed skipped planned ran left why=
    local folder=$1/$2.tmp memory=$BRUG_TEST_MEMORY/$2 tmp=$1/$2.tmp
    local -a command=("$program")
    case $program in
    *.py) command=("${PYTHON:-/usr/bin/python3}" "$program") ;;
    *.sh) command=(bash "$program") ;;
    esac
    mkdir "$folder" "$memory"
    case $program in # what people type must not wait for a disk: others test that
    tests/cmd/*) tmp=$memory ;;
    esac
    TMPDIR=$tmp BRUG_TEST_MEMORY=$memory CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 10 "$seconds" "${command[@]}" </dev/null >"$out" 2>"$err"
    status=$?
    left=$(find "$folder" "$memory" -mindepth 1 -maxdepth 1 -printf '%f ')
    rm -rf "$folder" "$memory"
    skipped=$(count "$out" '^[[:space:]]?ok\b.*# *[Ss][Kk][Ii][Pp]')
    passed=$(($(count "$out" '^[[:space:]]?ok\b') - skipped))
    failed=$(count "$out" '^[[:space:]]?not ok\b')
    ran=$((passed + failed + skipped))
    planned=$(grep -oE '^1\.\.[0-9]+' "$out" | cut -c4- | paste -sd+ | bc_sum)
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        why="ended after $seconds s"
    elif [ "$status" -ge 128 ]; then
        why="killed by signal $((status - 128))"
    elif [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
        why="exit status $status"
    elif [ "$ran" -eq 0 ]; then
        why="ran no test"
    elif [ -n "$planned" ] && [ "$planned" -ne "$ran" ]; then
        why="planned $planned tests and ran $ran"
    elif [ "$failed" -eq 0 ] && [ -n "$left" ]; then
        why="left behind: $left"
    fi
    [ -z "$why" ] || failed=$((failed + 1))
    if [ "$skipped" -gt 0 ] && [ -n "${CI:-}" ]; then
        why="skipped $skipped in CI"
        failed=$((failed + skipped))
    fi
    {
        if [ "$failed" -gt 0 ]; then
            printf 'FAIL %s: %d passed, %d failed%s\n' "$program" "$passed" "$failed" "${why:+ ($why)}"
            grep -vE '^[[:space:]]?ok\b' "$out" | tail -n 60 | sed 's/^/    /'
            tail -n 60 "$err" | sed 's/^/    ! /'
        else
            printf 'ok   %s: %d tests, %d s\n' "$program" "$passed" $((SECONDS - begin))
            notes "$out"
        fi
        [ "$skipped" -eq 0 ] || grep -E '# *[Ss][Kk][Ii][Pp]' "$out" | sed "s|^|SKIP $program: |"
    } >"$1/$2.said"
    flock "$1" cat "$1/$2.said"
    echo "$passed $failed $skipped" >"$1/$2"
}

# Adds up "a+b+c" (a program may print one plan for each group); nothing stays nothing.
bc_sum() {
    local sum
    IFS= read -r sum || return 0
    [ -z "$sum" ] || echo $((sum))
}

if [ "${1:-}" = --one ]; then
    run_one "$2" "$3" "$4"
    exit 0
fi

logs=$(mktemp -d)
BRUG_TEST_MEMORY=$(mktemp -d /dev/shm/brug-test-XXXXXX 2>/dev/null || mktemp -d)
export BRUG_TEST_MEMORY
trap 'rm -rf "$logs" "$BRUG_TEST_MEMORY"' EXIT
number=0
for program in "$@"; do
    number=$((number + 1))
    printf '%s\0%s\0%s\0' "$logs" "$number" "$program"
done | xargs -0 -r -n 3 -P "${TEST_JOBS:-2}" "$0" --one

passed=0 failed=0
for number in $(seq 1 $#); do
    if read -r p f _ 2>/dev/null <"$logs/$number"; then
        passed=$((passed + p)) failed=$((failed + f))
    else
        echo "FAIL no result of test program number $number"
        failed=$((failed + 1))
    fi
done
if [ -n "${RESULTS:-}" ]; then
    echo "$passed $failed" >>"$RESULTS"
    printf -- '-- '
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
