/*
 * tests/sim/test_sim.c: random worlds (tests/lib/sim.h), each from a seed that is printed; `make sim SEED=n` replays
 * one. STEPS says how many steps in all.
 *
 * Controls: worlds that are broken on purpose in one thing, with seeds that stay the same, each of which the judge
 * must flag.
 */
#include "base/clock.h"
#include "tests/lib/proof.h"
#include "tests/lib/sim.h"
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define STEPS_OF_A_WORLD 20000u
#define SEEDS_OF_A_CONTROL 6u

static const struct sim *running;

/* The relay asserts what it owes to itself; the seed must not be lost with it. */
static void on_abort(int number)
{
    char line[128];
    int n = snprintf(line, sizeof line,
                     "# the process aborts at step %" PRIu64 "; replay with: make sim SEED=%" PRIu64
                     "\n",
                     running ? running->steps : 0, running ? running->seed : 0);
    if (write(STDOUT_FILENO, line, (size_t)n) != n)
        _exit(1);
    signal(number, SIG_DFL);
    raise(number);
}

struct totals {
    uint64_t worlds, steps, kills, cuts, ends_in_start, commits, deliveries, receipts, violations;
};

static void add(struct totals *t, const struct sim *w)
{
    t->worlds++;
    t->steps += w->steps;
    t->kills += w->kills;
    t->cuts += w->cuts;
    t->ends_in_start += w->ends_in_start;
    t->commits += w->commits;
    t->deliveries += w->deliveries;
    t->receipts += w->receipts;
    t->violations += w->violations;
}

/* True when the judge flagged something. */
static bool run_world(uint64_t seed, uint64_t steps, enum sim_sabotage sabotage, struct totals *t)
{
    struct sim_profile p = sim_profile_of(seed);
    struct sim *w = sim_new(seed, &p, sabotage);
    running = w;
    sim_run(w, steps);
    if (!w->violations)
        sim_calm(w);
    add(t, w);
    if (w->violations && sabotage == SIM_HONEST)
        print_message("# step %" PRIu64 ": %s; replay with: make sim SEED=%" PRIu64 "\n", w->steps,
                      w->first_violation, seed);
    bool is_flagged = w->violations > 0;
    running = NULL;
    sim_free(w);
    return is_flagged;
}

/* ---- controls ---- */

static const struct {
    enum sim_sabotage sabotage;
    const char *what;
} CONTROLS[] = {
    {SIM_EARLY_DURABLE, "answers released before their group is on disk"},
    {SIM_LOST_GROUP, "a disk that loses the last group that it confirmed"},
    {SIM_FOLD_AHEAD, "a fold told further than it is"},
    {SIM_DELIVER_TWICE, "a delivery that the link repeats"},
    {SIM_REORDER, "two deliveries that the link swaps"},
    {SIM_FORGET_ACK, "an acknowledgement lost after Acked"},
};

static void run_controls(struct proof *p)
{
    for (size_t i = 0; i < sizeof CONTROLS / sizeof CONTROLS[0]; i++)
        for (uint64_t seed = 1; seed <= SEEDS_OF_A_CONTROL; seed++) {
            struct totals unused = {0};
            bool is_flagged = run_world(seed, STEPS_OF_A_WORLD, CONTROLS[i].sabotage, &unused);
            if (!is_flagged)
                print_message("# not flagged: %s, seed %" PRIu64 "\n", CONTROLS[i].what, seed);
            p->controls++;
            p->controls_failed += is_flagged;
        }
}

/* ---- worlds ---- */

static void report(uint64_t seed, const struct totals *t, double seconds)
{
    uint64_t ends = t->kills + t->cuts + t->ends_in_start;
    print_message("# SEED=%" PRIu64 " and on: %" PRIu64 " worlds, %" PRIu64 " steps, %" PRIu64
                  " crashes (%" PRIu64 " kills, %" PRIu64 " power cuts, %" PRIu64
                  " during a start), %" PRIu64 " commits, %" PRIu64 " receipts, %" PRIu64
                  " deliveries; a minute: %.0f steps, %.0f crashes\n",
                  seed, t->worlds, t->steps, ends, t->kills, t->cuts, t->ends_in_start, t->commits,
                  t->receipts, t->deliveries, (double)t->steps * 60 / seconds,
                  (double)ends * 60 / seconds);
}

static void in_random_worlds_all_promises_hold(void **state)
{
    const char *given = getenv("BRUG_SEED");
    bool is_one = given && *given;
    uint64_t seed = is_one ? strtoull(given, NULL, 10) : (uint64_t)clock_now().wall_ms;
    uint64_t steps = is_one ? 1 : proof_size("STEPS", 150000, 2000000);
    struct totals t = {0};
    struct proof p = {.claim = "the simulator: I1-I3, I6, credit, budgets, state after a crash",
                      .unit = "steps"};
    double begin = proof_seconds();
    (void)state;
    print_message("# SEED=%" PRIu64 "\n", seed);
    (void)fflush(stdout); /* before anything may abort */
    while (t.steps < steps && !t.violations)
        (void)run_world(seed + t.worlds, STEPS_OF_A_WORLD, SIM_HONEST, &t);
    p.seconds = proof_seconds() - begin;
    report(seed, &t, p.seconds);
    p.done = t.steps;
    p.violations = t.violations;
    if (!is_one)
        run_controls(&p);
    proof_report(&p);
    assert_int_equal(p.violations, 0);
    assert_int_equal(p.controls_failed, p.controls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_random_worlds_all_promises_hold)};
    signal(SIGABRT, on_abort);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
