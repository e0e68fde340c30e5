/*
 * tests/sim/test_cases.c: months of cases (tests/lib/sim_cases.h): practices and teams of two municipalities, under
 * simulated clocks, links and disks, with people who are away for days, crashes at any step and clocks that leap.
 *
 * CASES says how many cases in all. SEED is the first world's in a proof; `make sim SEED=n` plays that world again, and
 * nothing else. Controls are worlds in which one thing is broken on purpose: each must be caught, with every seed, by the
 * one check that it names.
 */
#include "tests/lib/proof.h"
#include "tests/lib/sim_cases.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define STEPS_OF_A_WORLD 60000u
#define STEPS_OF_A_CONTROL 60000u
#define FIXED_SEED 1u
#define DAY_MS INT64_C(86400000)

struct totals {
    uint64_t worlds, steps, ends, ends_in_steps, days, cases, letters, refused, time_steps, notices;
    uint64_t by_kind[5], pages, told, figures, tables, tables_told, figures_told;
    uint64_t tagged, links, links_told, violations;
};

static void add(struct totals *t, const struct sim *w)
{
    const struct sim_cases *k = w->cases;
    t->worlds++;
    t->steps += w->steps;
    t->ends += w->kills + w->cuts + w->ends_in_start;
    t->ends_in_steps += k->ends_in_steps;
    t->days += (uint64_t)((w->slept_ms + w->now_us / SIM_MS) / DAY_MS);
    t->cases += k->count;
    t->letters += k->letters;
    t->refused += k->refused;
    t->time_steps += k->steps;
    t->notices += k->notice_count;
    for (size_t i = 0; i < 5; i++)
        t->by_kind[i] += k->notices_by_kind[i];
    t->pages += k->pages;
    t->told += k->told_cases;
    t->figures += k->figures;
    t->tables += k->table_count;
    t->tables_told += k->tables_told;
    t->figures_told += k->figures_told;
    t->tagged += k->tagged;
    t->links += k->link_count;
    t->links_told += k->links_told;
    t->violations += w->violations;
}

static void run_world(uint64_t seed, struct totals *t)
{
    struct sim_profile p = sim_case_profile_of(seed);
    struct sim *w = sim_new(seed, &p, NULL);
    sim_run(w, STEPS_OF_A_WORLD);
    if (!w->violations)
        sim_calm(w);
    add(t, w);
    if (w->violations)
        sim_print_violation(w, "a world of cases");
    sim_free(w);
}

/* ---- controls ---- */

static const struct sim_control CONTROLS[] = {
    {SIM_STEP_AGAIN, "a reminder sent again after a crash",
     "time does what it should not: what is owed"},
    {SIM_DROP_OWED, "a question that is not owed any more",
     "as its letters make it: how much is owed"},
    {SIM_END_UNASKED, "custody moved by a proposal that nobody answered",
     "told otherwise than it is: state"},
    {SIM_TELL_CUSTODY, "custody told otherwise", "is told otherwise than it is"},
    {SIM_SHORT_PAGE, "a page that leaves out a case", "T14: a page has other cases"},
    {SIM_LOSE_NOTICE, "a step of time without its notice", "a step of time without its notice"},
    {SIM_OTHER_NOTICE, "a notice with another date", "does not say what it is about"},
    {SIM_ACK_UNREAD, "a notice acknowledged by nobody", "I5: a notice did not arrive"},
    {SIM_BELIEVE_CLOCK, "a clock that is believed at once", "a day after the clock leapt"},
    {SIM_FORGET_STEP, "a case that time forgets", "I5: what time should do"},
    {SIM_REMIND_EARLY, "a reminder a day early", "time does what it should not: nothing was due"},
    {SIM_LONGER_TERM, "a term that is a day longer", "as its letters make it: what is owed"},
    {SIM_COUNT_TWICE, "a referral that counts twice", "while it runs the figures are not those"},
    {SIM_COUNT_LOADED, "a start that counts a referral twice",
     "after a start the figures are not those"},
    {SIM_DROP_END, "a move that hides what it ended", "a move ends other debts than"},
    {SIM_PUBLISH_AGAIN, "a table made anew after a start", "is published for the second time"},
    {SIM_OTHER_TABLE, "a table told with another number", "told otherwise than it was published"},
    {SIM_OTHER_FIGURE, "own figures with another number", "other figures of itself than"},
    {SIM_DROP_LINK, "a case told without one of its family", "R41: a case is told with"},
    {SIM_OTHER_LINK, "a fact of another case", "of a link that there is not"},
    {SIM_NO_ROOM, "a relay that finds no room where there is", "I5: what time should do"},
    {SIM_FOREIGN_IS_OWN, "a foreign case that is told", "id gets an answer"},
};

static struct sim_profile profile_of_control(uint64_t seed)
{
    struct sim_profile p = sim_case_profile_of(seed);
    p.orders = p.full_disks = 0;
    p.ends = 300;
    p.leaps = 300;
    return p;
}

static bool is_caught(const struct sim_control *c, uint64_t seed)
{
    struct sim_profile p = profile_of_control(seed);
    struct sim *w = sim_new(seed, &p, c);
    sim_run(w, STEPS_OF_A_CONTROL);
    if (!w->violations)
        sim_calm(w);
    bool is = w->violations > 0;
    if (is)
        print_message("# control %s: %s\n", c->what, w->first_violation);
    else
        print_message("# not caught: %s (\"%s\"), seed %" PRIu64 "\n", c->what, c->caught_by, seed);
    sim_free(w);
    return is;
}

static void run_controls(struct proof *p)
{
    uint64_t seeds = proof_size("CONTROL_SEEDS", 1, 3);
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
    double minutes = seconds / 60;
    print_message("# SEED=%" PRIu64 " and on: %" PRIu64 " worlds of %" PRIu64 " days, %" PRIu64
                  " cases, %" PRIu64 " letters accepted and %" PRIu64
                  " refused by the rules, %" PRIu64 " steps of time, %" PRIu64 " notices (%" PRIu64
                  " reminders, %" PRIu64 " overdue, %" PRIu64 " not opened, %" PRIu64
                  " non-deliveries), %" PRIu64 " cases told, %" PRIu64 " pages, figures %" PRIu64
                  " times and told %" PRIu64 " times, %" PRIu64 " tables and told %" PRIu64
                  " times, %" PRIu64 " times tagged, %" PRIu64 " links and told %" PRIu64
                  " times, %" PRIu64 " crashes (%" PRIu64 " with notices under way)\n",
                  seed, t->worlds, t->days, t->cases, t->letters, t->refused, t->time_steps,
                  t->notices, t->by_kind[0], t->by_kind[1], t->by_kind[2], t->by_kind[3], t->told,
                  t->pages, t->figures, t->figures_told, t->tables, t->tables_told, t->tagged,
                  t->links, t->links_told, t->ends, t->ends_in_steps);
    print_message("# a minute: %.0f cases, %.0f crashes, %.0f seeds, %.0f steps\n",
                  (double)t->cases / minutes, (double)t->ends / minutes,
                  (double)t->worlds / minutes, (double)t->steps / minutes);
}

static void cases_go_as_their_letters_and_time_say(void **state)
{
    struct proof *p = *state;
    uint64_t seed = proof_seed(FIXED_SEED);
    uint64_t cases = sim_is_replay() ? 1 : proof_size("CASES", 200, 2000);
    struct totals t = {0};
    double begin = proof_seconds();
    while (t.cases < cases && !t.violations)
        run_world(seed + t.worlds, &t);
    p->seconds = proof_seconds() - begin;
    p->done = t.cases;
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
    struct proof p = {
        .claim = "the simulator's cases: I1, I4-I6, T11, T14, T19, T24, R41, time and crashes",
        .unit = "cases"};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(cases_go_as_their_letters_and_time_say, &p),
        cmocka_unit_test_prestate(each_control_is_caught, &p),
    };
    sim_watch_aborts();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
