#!/usr/bin/env bash
# prove.sh PROGRAM...: run proofs in their long form, the longest first, and print one table: what is claimed,
# how much was tried, what was violated, and how many of the controls (set-ups broken on purpose) failed as they
# must. Exit 1 if a proof failed, a claim was violated, or a control did not fail.
#
# Environment: that of run.sh, and SEED, STATES, ROUNDS, … for the proofs; BRUG_BUILD is where the rows are kept.
set -u

# The longest begin first, so that no core is idle at the end.
rank() {
    case ${1##*/test_} in
    mutants.sh) echo 1 ;;
    kill.py) echo 2 ;;
    fault_client) echo 3 ;;
    fault_memory) echo 4 ;;
    power_outbox) echo 5 ;;
    *) echo 6 ;;
    esac
}
mapfile -t programs < <(for program in "$@"; do echo "$(rank "$program") $program"; done | sort -s -n | cut -d ' ' -f 2-)

rows=$BRUG_BUILD/proof-rows
rm -f "$rows"
touch "$rows" || exit 1
begin=$SECONDS
env BRUG_PROVE=1 TELL=1 BRUG_PROOF_ROWS="$rows" TEST_SECONDS_MAX="${TEST_SECONDS_MAX:-1800}" RESULTS= \
    "$(dirname "$0")/run.sh" "${programs[@]}"
status=$?

sort -o "$rows" "$rows"
awk -F '\t' -v took=$((SECONDS - begin)) '
    BEGIN { format = "%-66s %12s %-10s %10s %9s %8s\n"
            printf "\n" format, "claim", "done", "", "violations", "controls", "seconds" }
    {
        tried = $6 > 0 ? $5 "/" $6 : "-"
        printf format, $1, $2, $3, $4, tried, $7
        violations += $4; controls += $6; failed += $5
        if ($4 > 0 || $5 != $6) bad++
    }
    END {
        printf "\n%d claims in %d s: %d violations; %d of %d controls failed as they must\n", NR, took, violations, failed, controls
        exit bad > 0 || NR == 0
    }' "$rows" || status=1
exit "$status"
