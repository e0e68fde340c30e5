/*
 * tests/sim/test_sim.c: random worlds (tests/lib/sim.h), each from a seed. STEPS says how many steps in all. SEED is the
 * first world's in a proof; `make sim SEED=n` plays that world again, and nothing else.
 *
 * Controls: worlds in which one thing is broken on purpose, with seeds that stay the same (CONTROL_SEEDS: how many). A
 * control counts as failed, as it must, when with every seed the one check that it names finds it.
 */
#include "tests/lib/proof.h"
#include "tests/lib/sim.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define STEPS_OF_A_WORLD 20000u
#define STEPS_OF_A_CONTROL 60000u
#define FIXED_SEED 27u

struct totals {
    uint64_t worlds, steps, kills, cuts, ends_in_start, commits, deliveries, receipts, violations;
    uint64_t walks, accounts;
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
    t->walks += w->walks;
    t->accounts += w->accounts;
}

static void run_world(uint64_t seed, struct totals *t)
{
    struct sim_profile p = sim_profile_of(seed);
    struct sim *w = sim_new(seed, &p, NULL);
    sim_run(w, STEPS_OF_A_WORLD);
    if (!w->violations)
        sim_calm(w);
    add(t, w);
    if (w->violations)
        sim_print_violation(w, "a random world");
    sim_free(w);
}

/* ---- controls ---- */

static const struct sim_control CONTROLS[] = {
    /* I1 */
    {SIM_EARLY_DURABLE, "any answer before its group is on disk", "leaves that was judged on lsn"},
    {SIM_EARLY_DURABLE, "a receipt before its group is on disk", "I1: a receipt leaves for"},
    {SIM_EARLY_DURABLE, "a lasting refusal before it is on disk", "is refused for good"},
    {SIM_EARLY_DURABLE, "Acked before it is on disk", "I1: Acked leaves before"},
    {SIM_EARLY_DURABLE, "Noted before it is on disk", "I1: opened is noted"},
    {SIM_TRACK_AHEAD, "a tracked fact before it is on disk", "I1: a reader's fact"},
    {SIM_EARLY_DURABLE, "Welcome before its session is on disk", "I1: Welcome leaves"},
    {SIM_EARLY_DURABLE, "an order's answer before it is on disk",
     "an order is answered twice, or before"},
    {SIM_EARLY_DURABLE, "a status told before it is on disk", "I1: a status is told"},
    {SIM_EARLY_DURABLE, "a delivery before it is on disk", "I1: a delivery leaves"},
    {SIM_LOST_GROUP, "a disk that loses the last group that it confirmed", "I1: on disk was lsn"},
    /* I2 */
    {SIM_SKIP_COPY, "a copy that is left out", "I2: a copy that waits was left out"},
    {SIM_SEND_AGAIN, "a copy that leaves twice", "comes after copy"},
    {SIM_DELIVER_TWICE, "a delivery that the link repeats", "comes twice in one session"},
    {SIM_REORDER, "two deliveries that the link swaps", "comes out of its order"},
    {SIM_SPOIL, "a byte that the link changes", "comes with other bytes"},
    {SIM_FORGET_ACK, "an acknowledgement lost after Acked", "comes back after its Acked"},
    {SIM_ACK_UNREAD, "a letter acknowledged by nobody", "has a receipt and did not arrive"},
    {SIM_NO_RECEIPT, "a client that never gets a receipt", "not all arrived and was answered"},
    {SIM_FORGET_KNOWN, "a known id refused as unknown", "is not known to the relay any more"},
    {SIM_FOLD_AHEAD, "a fold told further than it is", "is on disk and not in memory"},
    /* I3 */
    {SIM_OTHER_TIME, "a repeat with another receipt", "gets another time of storing"},
    {SIM_OTHER_ANSWER, "a repeat with another receipt, as heard", "gets another answer than"},
    {SIM_NOW_REFUSED, "a repeat that is refused", "was answered, and now gets"},
    {SIM_SAME_BYTES, "other bytes with a receipt", "I3: other bytes get a receipt"},
    {SIM_SAME_BYTES, "other bytes with a receipt, as heard", "I3: other bytes under"},
    /* I6 */
    {SIM_TELL_FOREIGN, "a foreign id with its own refusal", "get different answers"},
    {SIM_FOREIGN_IS_OWN, "a foreign id that is answered", "id gets an answer"},
    {SIM_FOREIGN_UNREAD, "a foreign id that is not looked up", "are looked up differently"},
    {SIM_SHOW_ELSEWHERE, "a directory that shows too much", "shows an organisation of elsewhere"},
    {SIM_WRONG_SESSION, "an answer to who did not ask", "goes to another session"},
    {SIM_WRONG_READER, "a letter that others get", "comes to an endpoint that is no reader"},
    {SIM_ANSWER_TWICE, "an answer that leaves twice", "a question is answered twice"},
    /* credit and budgets */
    {SIM_EMPTY_ANSWER, "an answer without content", "is answered by a frame of type"},
    {SIM_CREDIT_MESSAGES, "a message beyond the credit", "beyond the messages that the client"},
    {SIM_CREDIT_MESSAGES, "a credit that is counted otherwise", "credit: a session counts"},
    {SIM_CREDIT_BYTES, "bytes beyond the credit", "beyond the bytes that the client"},
    {SIM_DEAF_QUEUE, "a queue that fills on", "the session's queue is full"},
    {SIM_WIDE_LIMITS, "too many requests", "a session has too many requests"},
    {SIM_WIDE_LIMITS, "too much unstored of a session", "too much of a session is unstored"},
    {SIM_WIDE_LIMITS, "too much unstored", "budget: too much is unstored"},
    {SIM_WIDE_LIMITS, "a session that should pause", "a session is read on with"},
    {SIM_WIDE_LIMITS, "a relay that should pause", "all are read on with"},
    {SIM_WIDE_LIMITS, "too much in the cache", "bytes of bodies are kept"},
    {SIM_WIDE_LIMITS, "too many commands that wait", "commands wait for loads"},
    {SIM_WIDE_LIMITS, "too many copies that wait", "copies wait"},
    {SIM_COUNT_UNANSWERED, "requests miscounted", "count as unanswered; it has"},
    {SIM_COUNT_UNSTORED, "unstored bytes miscounted", "unstored bytes; it asked with"},
    {SIM_COUNT_IN_FLIGHT, "copies under way miscounted", "copies under way"},
    /* state and books */
    {SIM_COUNT_WAITING, "waiting copies miscounted", "I8: the counters are not"},
    {SIM_DRIFT, "a state that leaves its records", "while it runs the state is not that of"},
    {SIM_OTHER_LOADED, "a start with another state", "after a start the state is not that of"},
    {SIM_OTHER_ROW, "a row that is not as its records", "the tables do not hold"},
    {SIM_OTHER_BOOKS, "a copy that the books have not, at a start",
     "after a start the books do not balance"},
    {SIM_OTHER_BOOKS, "a copy that the books have not, at the end",
     "at the end the books do not balance"},
};

/* Much that waits for the disk, and small budgets, that would hold. */
static void press(struct sim_profile *p)
{
    p->disk_us = 40 * SIM_MS;
    p->large = 2;
    p->limits.requests_max = 8;
    p->limits.session_unstored_bytes_max = 6000;
    p->limits.unstored_bytes_max = 20000;
    p->limits.body_cache_bytes_max = 10000;
    p->limits.waiting_max = 100;
    p->limits.quota_messages_max = 1000;
    p->limits.waiting_commands_max = 2;
}

/* Lively, so that what is broken shows soon. */
static struct sim_profile profile_of_control(const struct sim_control *c, uint64_t seed)
{
    struct sim_profile p = sim_profile_of(seed);
    p.orders = p.full_disks = 0;
    p.steps_wall_back = false;
    p.think_us = 4 * SIM_MS;
    p.disk_us = 2 * SIM_MS;
    p.ends = p.losses = 600;
    p.limits.waiting_max = 10000;
    p.limits.quota_messages_max = 1000;
    p.limits.waiting_commands_max = 64;
    p.limits.requests_max = 64;
    p.limits.session_unstored_bytes_max = p.limits.unstored_bytes_max = 1u << 20;
    p.limits.known_ids_max = 10;
    p.old_ids = 3;
    if (c->sabotage == SIM_EARLY_DURABLE) {
        p.orders = 300;
        p.disk_us = 20 * SIM_MS;
    }
    if (c->sabotage == SIM_WIDE_LIMITS)
        press(&p);
    if (c->sabotage == SIM_FOREIGN_UNREAD) {
        p.limits.known_ids_max = 100000; /* the low-water mark stays */
        p.old_ids = 1;
    }
    if (c->sabotage == SIM_DEAF_QUEUE)
        p.output_bytes_max = 3000;
    return p;
}

static bool is_caught(const struct sim_control *c, uint64_t seed)
{
    struct sim_profile p = profile_of_control(c, seed);
    struct sim *w = sim_new(seed, &p, c);
    sim_run(w, STEPS_OF_A_CONTROL);
    if (!w->violations)
        sim_calm(w);
    bool is = w->violations > 0;
    if (!is)
        print_message("# not caught: %s (\"%s\"), seed %" PRIu64 "\n", c->what, c->caught_by, seed);
    sim_free(w);
    return is;
}

static void run_controls(struct proof *p)
{
    uint64_t seeds = proof_size("CONTROL_SEEDS", 2, 4);
    for (size_t i = 0; i < sizeof CONTROLS / sizeof CONTROLS[0]; i++) {
        uint64_t caught = 0;
        for (uint64_t seed = 1; seed <= seeds; seed++)
            caught += is_caught(&CONTROLS[i], seed);
        p->controls++;
        p->controls_failed += caught == seeds;
    }
}

/* ---- worlds ---- */

static void report(uint64_t seed, const struct totals *t, double seconds)
{
    uint64_t ends = t->kills + t->cuts + t->ends_in_start;
    print_message("# SEED=%" PRIu64 " and on: %" PRIu64 " worlds, %" PRIu64 " steps, %" PRIu64
                  " walks in full, %" PRIu64 " crashes (%" PRIu64 " kills, %" PRIu64
                  " power cuts, %" PRIu64 " during a start), %" PRIu64 " accounts, %" PRIu64
                  " commits, %" PRIu64 " receipts, %" PRIu64
                  " deliveries; a minute: %.0f steps, %.0f crashes\n",
                  seed, t->worlds, t->steps, t->walks, ends, t->kills, t->cuts, t->ends_in_start,
                  t->accounts, t->commits, t->receipts, t->deliveries,
                  (double)t->steps * 60 / seconds, (double)ends * 60 / seconds);
}

static void in_random_worlds_all_promises_hold(void **state)
{
    struct proof *p = *state;
    uint64_t seed = proof_seed(FIXED_SEED);
    uint64_t steps = sim_is_replay() ? 1 : proof_size("STEPS", 150000, 2000000);
    struct totals t = {0};
    double begin = proof_seconds();
    while (t.steps < steps && !t.violations)
        run_world(seed + t.worlds, &t);
    p->seconds = proof_seconds() - begin;
    p->done = t.steps;
    p->violations = t.violations;
    report(seed, &t, p->seconds);
    assert_int_equal(p->violations, 0);
}

static void each_control_is_caught(void **state)
{
    struct proof *p = *state;
    if (!sim_is_replay())
        run_controls(p);
    proof_report(p);
    assert_int_equal(p->controls_failed, p->controls);
}

int main(void)
{
    struct proof p = {.claim = "the simulator: I1-I3, I6, I8, credit, budgets, state after a crash",
                      .unit = "steps"};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(in_random_worlds_all_promises_hold, &p),
        cmocka_unit_test_prestate(each_control_is_caught, &p),
    };
    sim_watch_aborts();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
