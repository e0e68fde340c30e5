#!/usr/bin/env bash
# test_mutants.sh: would the proofs notice? Each patch in tests/fault/mutants breaks one promise in the product;
# its two first lines name the promise and the test program that must fail with it:
#
#   breaks: I1, a receipt leaves only after its commit
#   caught by: tests/sim/test_simulator.c
#
# Every patch must still apply; then each mutant (MUTANTS of them in `make test`, all under BRUG_PROVE) is built in a
# copy of the sources and of the build folder, and its program must fail there, and pass in the same copy without the
# patch. A program that no longer builds is no catch. Only what runs beside the product in the plain variant is mutated.
set -u
cd "$(dirname "$0")/../.." || exit 1
here=$PWD
mutants=("$here"/tests/fault/mutants/*.patch)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
begin=$(date +%s)

field() { sed -n "s/^$1: //p" "$2" | head -n 1; }

# copy TO: the sources and what is built of them, with their times, so that only what a patch touches is built anew.
copy() {
    mkdir -p "$1/build"
    tar -c --exclude=./build --exclude=./.git . | tar -x -C "$1"
    cp -a build/plain "$1/build/plain"
}

# run PROGRAM FOLDER LOG: build it there and run it in its short form. 0: passed; 1: failed; 2: does not build.
run() {
    local program=$1 folder=$2 log=$3 built=build/plain/${1%.c}
    case $program in *.c) ;; *) built=all ;; esac
    (
        cd "$folder" || exit 2
        unset BRUG_PROVE BRUG_PROOF_ROWS ROUNDS MUTANTS BRUG_SEED MAKEFLAGS MAKELEVEL
        export STATES=5000 # power cuts find a broken promise among the first
        make -s "$built" >"$log" 2>&1 || exit 2
        case $program in
        *.py) set -- "${PYTHON:-/usr/bin/python3}" "$program" ;;
        *.sh) set -- bash "$program" ;;
        *) set -- "$built" ;;
        esac
        BRUG_BUILD=$folder/build/plain CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 10 300 "$@" </dev/null >"$log" 2>&1 || exit 1
    )
}

# one NUMBER PATCH: what became of this mutant, one line of TAP.
one() {
    local number=$1 patch=$2 folder=$work/$1 log=$work/$1.log name program verdict
    name=$(basename "$patch" .patch)
    program=$(field 'caught by' "$patch")
    copy "$folder"
    (cd "$folder" && GIT_CEILING_DIRECTORIES=$work git apply "$patch")
    run "$program" "$folder" "$log"
    verdict=$?
    rm -rf "$folder"
    case $verdict in
    0) echo "not ok $number - $name: $(field breaks "$patch"): NOT caught by $program" ;;
    1) echo "ok $number - $name: $(field breaks "$patch"): caught by $program: $(caught "$log")" ;;
    *) echo "not ok $number - $name does not build: $(tail -n 1 "$log")" ;;
    esac
}

# What the program said: the first test that failed.
caught() {
    local said
    said=$(grep -aE '^[[:space:]]?not ok' "$1" | head -n 1 | sed -E 's/^[[:space:]]*not ok [0-9]+ - //')
    echo "${said:-it was killed by an assertion or a time limit}"
}

# sound PROGRAM: without a patch it passes.
sound() {
    [ -e "$work/sound" ] || copy "$work/sound"
    run "$1" "$work/sound" "$work/sound.log"
}

[ -e "${mutants[0]}" ] || { echo "1..0 # no mutants in tests/fault/mutants"; exit 1; }
unfit=()
for patch in "${mutants[@]}"; do
    [ -n "$(field breaks "$patch")" ] && [ -f "$(field 'caught by' "$patch")" ] &&
        git apply --check "$patch" 2>/dev/null || unfit+=("$(basename "$patch")")
done
if [ ${#unfit[@]} -gt 0 ]; then
    printf '1..1\nnot ok 1 - these patches no longer apply, or do not name their promise and their test: %s\n' "${unfit[*]}"
    exit 1
fi
count=1
[ -z "${BRUG_PROVE:-}" ] || count=${#mutants[@]}
count=${MUTANTS:-$count}
[ "$count" -le ${#mutants[@]} ] || count=${#mutants[@]}
[ "$(basename "${BRUG_BUILD:-plain}")" = plain ] || count=0

echo "1..$((count + 1))"
echo "ok 1 - all ${#mutants[@]} mutants apply"
[ "$count" -gt 0 ] || exit 0
first=$((RANDOM % ${#mutants[@]}))
chosen=()
for ((i = 0; i < count; i++)); do chosen+=("${mutants[(first + i) % ${#mutants[@]}]}"); done

for program in $(for patch in "${chosen[@]}"; do field 'caught by' "$patch"; done | sort -u); do
    sound "$program" || { echo "not ok 2 - $program fails without any mutant: $(caught "$work/sound.log")"; exit 1; }
done
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
