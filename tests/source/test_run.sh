#!/usr/bin/env bash
# The test runner tells the truth: what passes is counted, and a program that fails, crashes, hangs,
# skips, runs nothing or stops half-way makes the run fail.
set -u
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0

# expect NAME TOTALS STATUS WORD SCRIPT: run a test program with this text
expect() {
    local name=$1 totals=$2 status=$3 word=$4 got
    printf '#!/bin/bash\n%s\n' "$5" >"$work/test_it.sh"
    rm -f "$work/results"
    TELL=${TELL-} TEST_SECONDS_MAX=2 RESULTS=$work/results CI=${ci-} "$root/tests/run.sh" "$work/test_it.sh" >"$work/out" 2>&1
    got=$?
    number=$((number + 1))
    if [ "$got" -eq "$status" ] && [ "$(tail -n 1 "$work/out")" = "-- $totals" ] && grep -q -- "$word" "$work/out" &&
        [ "$(cat "$work/results")" = "$(echo "$totals" | tr -dc '0-9 ' | tr -s ' ' | sed 's, $,,')" ]; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name (status $got)"
        sed 's/^/# /' "$work/out"
    fi
}

expect "passing tests are counted" "2 passed, 0 failed" 0 "2 tests" 'echo ok 1 - a; echo ok 2; echo 1..2'
expect "a failing test" "1 passed, 1 failed" 1 "not ok 2 - b" 'echo ok 1 - a; echo not ok 2 - b; exit 1'
expect "a failing test with exit status 0" "0 passed, 1 failed" 1 FAIL 'echo not ok 1'
expect "no test at all" "0 passed, 1 failed" 1 "ran no test" 'true'
expect "an exit status that no test explains" "1 passed, 1 failed" 1 "exit status 3" 'echo ok 1; exit 3'
expect "a crash" "1 passed, 1 failed" 1 "signal 11" 'echo ok 1; kill -SEGV $$'
expect "a hang" "1 passed, 1 failed" 1 "ended after 2 s" 'echo ok 1; sleep 30'
expect "fewer tests than planned" "1 passed, 1 failed" 1 "planned 3" 'echo 1..3; echo ok 1'
expect "more tests than planned" "2 passed, 1 failed" 1 "planned 1" 'echo 1..1; echo ok 1; echo ok 2'
expect "two plans add up" "3 passed, 0 failed" 0 "3 tests" 'echo 1..1; echo ok 1; echo 1..2; echo ok 1; echo ok 2'
expect "standard error is no result" "1 passed, 0 failed" 0 "1 tests" 'echo ok 1; echo not ok 2 >&2'
expect "a skip is told" "1 passed, 0 failed" 0 "SKIP.*no systemd" 'echo ok 1; echo "ok 2 # SKIP no systemd"'
ci=true expect "a skip fails in CI" "1 passed, 1 failed" 1 "skipped 1 in CI" 'echo ok 1; echo "ok 2 # SKIP no systemd"'
expect "how fast something went is told" "1 passed, 0 failed" 0 "  5 states a second" 'echo "# 5 states a second"; echo ok 1'
TELL=1 expect "all notes are told when asked for" "1 passed, 0 failed" 0 "  SEED=7" 'echo "# SEED=7"; echo ok 1'
expect "else they are not" "1 passed, 0 failed" 0 "1 tests, . s$" 'echo "# SEED=7"; echo ok 1'
expect "it gets no input" "1 passed, 0 failed" 0 "1 tests" 'read -r x || echo ok 1'
expect "what is left behind" "1 passed, 1 failed" 1 "left behind: here there" 'touch "$TMPDIR/here" "$BRUG_TEST_MEMORY/there"; echo ok 1'

# A test in Python whose child has a session of its own, as a relay has: it is ended when its test takes too long.
cat >"$work/test_it.py" <<END
import subprocess, sys, time
sys.path.insert(0, "$root/tests/lib")
import tap
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
open("$work/pid", "w").write(str(child.pid))
try:
    time.sleep(60)
finally:
    child.kill()
    child.wait()
END
number=$((number + 1))
for seconds in 2 10 60; do # until it came so far on a busy machine
    RESULTS='' TEST_SECONDS_MAX=$seconds "$root/tests/run.sh" "$work/test_it.py" >"$work/out" 2>&1
    [ ! -s "$work/pid" ] || break
done
if [ -s "$work/pid" ] && ! kill -0 "$(cat "$work/pid")" 2>/dev/null; then
    echo "ok $number - a hang ends with its children"
else
    echo "not ok $number - a hang ends with its children"
    sed 's/^/# /' "$work/out"
fi
echo "1..$number"
