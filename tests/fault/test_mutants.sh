#!/usr/bin/env bash
# test_mutants.sh [NAME...]: would the proofs notice? Each patch in tests/fault/mutants breaks one promise in the
# product. Its first lines name the promise, the test program that must fail with it and what that must say, and, if the
# program's short form is more than it takes, the environment of the run:
#
#   breaks: I1, a receipt leaves only after its commit
#   caught by: tests/sim/test_sim.c: an answer left before its commit
#   run with: STATES=5000
#
# Every patch must still apply; then each mutant (MUTANTS of them in `make test`, all under BRUG_PROVE, or those named)
# is built in a copy of the sources and of the build folder. Its program must pass in that copy without the patch, and
# fail there with it, saying those words in what it prints of failures. None of these is a catch: a program that no longer
# builds, that fails with other words (a control that no longer fails, say), or that takes too long. Only what runs
# beside the product in the plain variant is mutated.
#
# Prints its seed, which chooses the first mutant; BRUG_SEED makes the same choice again.
set -u
cd "$(dirname "$0")/../.." || exit 1
here=$PWD
seconds_max=300
mutants=("$here"/tests/fault/mutants/*.patch)
work=$(mktemp -d)
memory=$(mktemp -d -p "${BRUG_TEST_MEMORY:-${TMPDIR:-/tmp}}")
mkdir "$work/tmp"
trap 'rm -rf "$work" "$memory"' EXIT
begin=$(date +%s)
seed=${BRUG_SEED:-$begin}

field() { sed -n "s/^$1: //p" "$2" | head -n 1; }
program_of() { field 'caught by' "$1" | sed 's/: .*//'; }
words_of() { field 'caught by' "$1" | sed -n 's/^[^:]*: //p'; }

# copy TO: the sources and what is built of them, with their times, so that only what a patch touches is built anew.
copy() {
    mkdir -p "$1/build"
    tar -c --exclude=./build --exclude=./.git . | tar -x -C "$1"
    cp -a build/plain "$1/build/plain"
}

# run PROGRAM OPTIONS FOLDER LOG: build it there and run it. 0: passed; 1: failed; 2: does not build; 3: took too long.
run() {
    local program=$1 options=$2 folder=$3 log=$4 built=build/plain/${1%.c} status
    case $program in *.c) ;; *) built=all ;; esac
    (
        cd "$folder" || exit 2
        unset BRUG_PROVE BRUG_PROOF_ROWS BRUG_SEED CALLS CASES CONTROL_SEEDS CUTS FAULTS FLIPS POINTS REAL_ROUNDS ROTS ROUND_S ROUNDS RUNS STATES \
            STEPS TESTS MUTANTS MAKEFLAGS MAKELEVEL
        make -s "$built" >"$log" 2>&1 || exit 2
        case $program in
        *.py) set -- "${PYTHON:-/usr/bin/python3}" "$program" ;;
        *.sh) set -- bash "$program" ;;
        *) set -- "$built" ;;
        esac
        # shellcheck disable=SC2086 # the options are words
        env BRUG_BUILD="$folder/build/plain" TMPDIR="$work/tmp" BRUG_TEST_MEMORY="$memory" CMOCKA_MESSAGE_OUTPUT=TAP $options \
            timeout -k 10 "$seconds_max" "$@" </dev/null >"$log" 2>&1
        status=$?
        case $status in
        0) exit 0 ;;
        124 | 137) exit 3 ;;
        *) exit 1 ;;
        esac
    ) 2>/dev/null
}

# What a program printed about what failed: neither the tests that passed, nor the controls, nor what was tried.
failures() { grep -avE '^[[:space:]]*ok |^# control|^# .* controls failed as they must: ' "$1"; }

# The first test that failed.
first_failure() {
    local said
    said=$(grep -aE '^[[:space:]]*not ok' "$1" | head -n 1 | sed -E 's/^[[:space:]]*not ok [0-9]+ - //')
    echo "${said:-$(tail -n 1 "$1")}"
}

# one NUMBER PATCH: what became of this mutant, one line of TAP; and for the table by what it was caught.
one() {
    local number=$1 patch=$2 folder=$work/$1 log=$work/$1.log name breaks program words verdict what
    name=$(basename "$patch" .patch) breaks=$(field breaks "$patch")
    program=$(program_of "$patch") words=$(words_of "$patch")
    copy "$folder"
    (cd "$folder" && GIT_CEILING_DIRECTORIES=$work git apply "$patch")
    run "$program" "$(field 'run with' "$patch")" "$folder" "$log"
    verdict=$?
    rm -rf "$folder"
    case $verdict in
    0) what="NOT caught by $program" ;;
    2) what="does not build: $(tail -n 1 "$log")" ;;
    3) what="no verdict: $program took more than $seconds_max s" ;;
    *)
        if failures "$log" | grep -qaF -- "$words"; then
            echo "ok $number - $name: $breaks"
            echo "# mutant $name: caught by $program: $words"
            return
        fi
        what="$program failed without the words '$words': $(first_failure "$log")"
        ;;
    esac
    echo "not ok $number - $name: $breaks: $what"
    failures "$log" | tail -n 30 | sed 's/^/# /'
}

# sound PROGRAM OPTIONS: without a patch it passes.
sound() {
    [ -e "$work/sound" ] || copy "$work/sound"
    run "$1" "$2" "$work/sound" "$work/sound.log"
}

[ -e "${mutants[0]}" ] || { echo "1..0 # no mutants in tests/fault/mutants"; exit 1; }
unfit=()
for patch in "${mutants[@]}"; do
    [ -n "$(field breaks "$patch")" ] && [ -f "$(program_of "$patch")" ] && [ -n "$(words_of "$patch")" ] &&
        git apply --check "$patch" 2>/dev/null || unfit+=("$(basename "$patch")")
done
if [ ${#unfit[@]} -gt 0 ]; then
    printf '1..1\nnot ok 1 - these patches no longer apply, or do not name their promise, their test and its words: %s\n' "${unfit[*]}"
    exit 1
fi
chosen=()
if [ $# -gt 0 ]; then
    for name in "$@"; do chosen+=("$here/tests/fault/mutants/$name.patch"); done
else
    count=1
    [ -z "${BRUG_PROVE:-}" ] || count=${#mutants[@]}
    count=${MUTANTS:-$count}
    [ "$count" -le ${#mutants[@]} ] || count=${#mutants[@]}
    [ "$(basename "${BRUG_BUILD:-plain}")" = plain ] || count=0
    for ((i = 0; i < count; i++)); do chosen+=("${mutants[(seed + i) % ${#mutants[@]}]}"); done
fi
count=${#chosen[@]}

echo "1..$((count + 1))"
echo "# seed $seed, $count of ${#mutants[@]} mutants"
echo "ok 1 - all ${#mutants[@]} mutants apply"
[ "$count" -gt 0 ] || exit 0

for patch in "${chosen[@]}"; do printf '%s\t%s\n' "$(program_of "$patch")" "$(field 'run with' "$patch")"; done |
    sort -u >"$work/runs"
while IFS=$'\t' read -r program options; do
    sound "$program" "$options"
    case $? in
    0) continue ;;
    2) what="does not build" ;;
    3) what="takes more than $seconds_max s" ;;
    *) what=fails ;;
    esac
    echo "not ok 2 - $program $what without any mutant: $(first_failure "$work/sound.log")"
    failures "$work/sound.log" | tail -n 30 | sed 's/^/# /'
    exit 1
done <"$work/runs"
rm -rf "$work/sound"
number=1
for patch in "${chosen[@]}"; do
    number=$((number + 1))
    one "$number" "$patch" | tee -a "$work/said"
done
failed=$(grep -c '^not ok' "$work/said")
[ -z "${BRUG_PROOF_ROWS:-}" ] || printf 'mutants: what breaks a promise is caught\t%d\tmutants\t%d\t%d\t%d\t%d.0\n' "$count" "$failed" \
    $((count - failed)) "$count" $(($(date +%s) - begin)) >>"$BRUG_PROOF_ROWS"
exit $((failed > 0))
