#!/usr/bin/env bash
# The demo: ends well, says what it proves, and leaves neither a process nor a file behind; a word that the relay can
# read is found.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0

# check NAME COMMAND...
check() {
    local name=$1
    shift
    number=$((number + 1))
    if "$@"; then echo "ok $number - $name"; else echo "not ok $number - $name"; fi
}

# The clock is moved by a library that is loaded before the sanitizer's, and waits for conditions in its own way: the thread
# sanitizer sees locks that are none, and is asked for no report here, nor in test_figures.py (all other tests of the daemon have
# its reports).
export TSAN_OPTIONS=${TSAN_OPTIONS:+$TSAN_OPTIONS:}report_bugs=0
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
TMPDIR=$work "$root/scripts/demo.sh" >"$work/said" 2>&1
status=$?
[ "$status" -eq 0 ] || tail -n 20 "$work/said" >&2
check "the demo ends with exit 0" [ "$status" -eq 0 ]
check "it says what it has shown" grep -q "^Nothing was lost, nothing came twice" "$work/said"
check "it shows the honest fact" grep -q "Bewaard, nog niet opgehaald" "$work/said"
check "one of two claims it, and the other hears who" grep -q "heeft deze casus al opgepakt" "$work/said"
check "closing waits for what is owed" grep -q "U kunt nog niet afsluiten. Doe eerst: Antwoord op een vraag" "$work/said"
check "the relay reminds, and says what is overdue" grep -q "Oppakken, TE LAAT" "$work/said"
check "the team sees its figures" grep -q "In: verwezen *2" "$work/said"
check "the adviser sees less" grep -q "In: verwezen *<5" "$work/said"
check "it kills the relay" grep -q "kill -9" "$work/said"
check "it opens a letter with openssl" grep -q "CMS Verification successful" "$work/said"
check "it leaves no file" [ -z "$(find "$work" -mindepth 1 ! -name said)" ]
check "it leaves no process" [ -z "$(pgrep -f "$work/brug-demo" || true)" ]

# A team that calls itself by a word of the letter: the relay knows that word, and the search must say so.
mkdir "$work/tree"
for part in certs tests; do ln -s "$root/$part" "$work/tree/$part"; done
mkdir "$work/tree/scripts"
sed 's/--telephone 0570-000333/& --expertise Zelfdoding/' "$root/scripts/demo.sh" >"$work/tree/scripts/demo.sh"
TMPDIR=$work BRUG_BUILD=${BRUG_BUILD:-$root/build/plain} bash "$work/tree/scripts/demo.sh" >"$work/said" 2>&1
status=$?
check "a word that the relay can read makes it fail" [ "$status" -eq 1 ]
check "and is named" grep -q "FAILED: the relay's files hold: Zelfdoding" "$work/said"
echo "1..$number"
