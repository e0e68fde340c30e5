/*
 * tests/lib/proof.h: what every proof has: a size for `make test` and one for `make prove`, a seed, and a row in
 * the table that `make prove` prints (tests/prove.sh).
 *
 * Environment: BRUG_PROVE set (not empty): the long form. BRUG_SEED. BRUG_PROOF_ROWS: a file to which rows are
 * added.
 */
#ifndef TESTS_LIB_PROOF_H
#define TESTS_LIB_PROOF_H

#include <stdint.h>

/* How much to do: the environment variable `name` (STATES, ROUNDS, …) if set; else in_prove under BRUG_PROVE; else
 * in_test, a tenth of it (never 0) under a sanitizer. Anything but a number above 0 ends the program. */
uint64_t proof_size(const char *name, uint64_t in_test, uint64_t in_prove);

/* Where random choices begin: BRUG_SEED if set; else from the clock under BRUG_PROVE, so that each run tries something
 * else; else `fixed`. Prints it. */
uint64_t proof_seed(uint64_t fixed);

struct proof {
    const char *claim; /* one line without tabs */
    const char *unit;  /* of `done`: "states", "rounds", … */
    uint64_t done, violations;
    unsigned controls,
        controls_failed; /* how many there are; how many were flagged, as they must */
    double seconds;      /* that `done` took */
};

/* A TAP comment, and the row. Does not judge: the caller asserts. */
void proof_report(const struct proof *p);

double proof_seconds(void); /* a monotonic clock */

#endif
