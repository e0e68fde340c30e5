/*
 * tests/unit/test_core_known.c: the low-water mark W of known ids rises with the time and with what is in
 * memory; what leaves is folded and waits for nobody, and its answers stay the same (T1, T3).
 */
#include "tests/lib/proof.h"
#include "tests/lib/stage.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define KNOWN_MAX 200u
#define HOUR_MS (3600 * INT64_C(1000))

static int setup(void **state)
{
    struct relay_limits limits = stage_limits();
    limits.known_ids_max = KNOWN_MAX;
    struct stage *w = stage_new(&limits);
    stage_listen(w, &w->gp_pc);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    stage_free(*state);
    return 0;
}

static void fold(struct stage *w)
{
    relay_set_folded(w->relay, stage_committed_lsn(w));
    stage_settle(w);
}

/* Time passes; the relay is called once an hour at the least. */
static void pass(struct stage *w, int64_t ms)
{
    for (int64_t left = ms, step; left != 0; left -= step) {
        step = left > HOUR_MS ? HOUR_MS : left;
        w->now.wall_ms += step;
        w->now.mono_ms += step > 0 ? step : 0;
        stage_settle(w);
    }
}

static struct stage_letter referral(struct stage *w)
{
    struct id case_id = stage_case_id(w);
    return stage_letter(w, KIND(REFERRAL), &w->gp_pc, &w->team, &case_id);
}

/* Posts a letter that every reader has acknowledged. */
static struct stage_letter post_settled(struct stage *w)
{
    struct stage_letter l = referral(w);
    struct stage_endpoint *readers[] = {&w->gp2_pc, &w->system, &w->consultant_pc,
                                        &w->consultant2_pc};
    stage_post(w, &l);
    for (size_t i = 0; i < 4; i++) {
        if (!readers[i]->session)
            stage_connect(w, readers[i]);
        stage_ack(w, readers[i]->session, &w->practice, &l.id, ERROR_NONE);
    }
    stage_settle(w);
    for (size_t i = 0; i < 4; i++)
        while (stage_take(w, readers[i]->session))
            continue;
    return l;
}

/* A referral that was refused for good: its municipality knows no such team. */
static struct stage_letter refused(struct stage *w)
{
    struct stage_letter l = referral(w);
    l.to = w->stranger;
    stage_submit(w, w->gp_pc.session, &l);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, w->gp_pc.session), ERROR_UNKNOWN_ADDRESSEE);
    return l;
}

static bool is_in_memory(const struct stage *w, const struct stage_letter *l)
{
    const struct message_key key = {w->practice, l->id};
    return message_find(relay_state(w->relay), &key) != NULL;
}

/* What a repeat gets, and how many loads it took. */
static enum error repeat(struct stage *w, const struct stage_letter *l, size_t *loads)
{
    stage_submit(w, w->gp_pc.session, l);
    *loads = w->load_count;
    stage_settle(w);
    return stage_take_code(w, w->gp_pc.session);
}

static void assert_answers_stay(struct stage *w, const struct stage_letter *taken,
                                const struct stage_letter *not_taken, size_t loads_wanted)
{
    size_t loads, records = stage_committed_lsn(w);
    struct stage_letter other = *taken;
    assert_int_equal(repeat(w, taken, &loads), ERROR_NONE);
    assert_int_equal(loads, loads_wanted);
    fold(w);
    other.sealed = "other bytes";
    assert_int_equal(repeat(w, &other, &loads), ERROR_ID_REUSED);
    assert_int_equal(loads, loads_wanted);
    fold(w);
    assert_int_equal(repeat(w, not_taken, &loads), ERROR_UNKNOWN_ADDRESSEE);
    assert_int_equal(loads, loads_wanted);
    fold(w);
    assert_int_equal(stage_committed_lsn(w), records);
}

static void T1_T3_w_rises_with_the_time(void **state)
{
    struct stage *w = *state;
    struct stage_letter taken = post_settled(w), not_taken = refused(w);
    fold(w);
    int64_t before_ms = relay_state(w->relay)->low_water_ms;
    pass(w, 47 * HOUR_MS);
    assert_true(is_in_memory(w, &taken) && is_in_memory(w, &not_taken));
    assert_true(relay_state(w->relay)->low_water_ms > before_ms);
    assert_answers_stay(w, &taken, &not_taken, 0);
    pass(w, 2 * HOUR_MS);
    assert_false(is_in_memory(w, &taken) || is_in_memory(w, &not_taken));
    assert_answers_stay(w, &taken, &not_taken, 1);
    /* W never falls. */
    before_ms = relay_state(w->relay)->low_water_ms;
    pass(w, -20 * HOUR_MS);
    assert_int_equal(relay_state(w->relay)->low_water_ms, before_ms);
    assert_answers_stay(w, &taken, &not_taken, 1);
}

static void what_is_not_folded_or_waits_stays(void **state)
{
    struct stage *w = *state;
    struct stage_letter waiting = referral(w);
    stage_post(w, &waiting);
    struct stage_letter taken = post_settled(w), not_taken = refused(w);
    pass(w, 100 * HOUR_MS);
    assert_true(is_in_memory(w, &taken) && is_in_memory(w, &not_taken));
    size_t loads;
    assert_int_equal(repeat(w, &taken, &loads), ERROR_NONE);
    assert_int_equal(loads, 0);
    assert_int_equal(repeat(w, &not_taken, &loads), ERROR_UNKNOWN_ADDRESSEE);
    assert_int_equal(loads, 0);
    fold(w);
    assert_false(is_in_memory(w, &taken) || is_in_memory(w, &not_taken));
    assert_true(is_in_memory(w, &waiting));
    stage_listen(w, &w->consultant_pc);
    Brug__V1__ServerFrame *f = stage_take(w, w->consultant_pc.session);
    assert_non_null(f);
    assert_int_equal(f->frame_case, BRUG__V1__SERVER_FRAME__FRAME_DELIVER);
}

/* A stream far longer than the bound: memory stays flat, and old answers stay. */
static void T1_T3_w_rises_with_what_is_in_memory(void **state)
{
    struct stage *w = *state;
    uint64_t count = proof_size("KNOWN_IDS", 3000, 30000);
    struct stage_letter first = post_settled(w), not_taken = refused(w);
    size_t most = 0;
    for (uint64_t i = 0; i < count; i++) {
        post_settled(w);
        pass(w, 500);
        if (i % 8 == 0)
            fold(w);
        size_t known = relay_state(w->relay)->messages.count;
        most = known > most ? known : most;
    }
    assert_true(most <= KNOWN_MAX + 32);
    assert_true(relay_state(w->relay)->low_water_ms < w->now.wall_ms); /* and not emptied */
    assert_true(relay_state(w->relay)->messages.count > KNOWN_MAX / 2);
    assert_answers_stay(w, &first, &not_taken, 1);
}

/* Far more at once than the bound, within one moment: W stops at the clock, and goes on with it. */
static void a_burst_leaves_when_its_moment_is_over(void **state)
{
    struct stage *w = *state;
    for (unsigned i = 0; i < 5 * KNOWN_MAX; i++)
        post_settled(w);
    fold(w);
    struct stage_letter last = post_settled(w);
    size_t loads;
    assert_int_equal(repeat(w, &last, &loads), ERROR_NONE);
    assert_int_equal(loads, 0);
    struct stage_letter new = referral(w);
    assert_int_equal(repeat(w, &new, &loads), ERROR_NONE);
    assert_int_equal(loads, 0); /* what is new now needs no load */
    pass(w, 10000);
    fold(w);
    assert_true(relay_state(w->relay)->messages.count <= KNOWN_MAX);
    assert_int_equal(repeat(w, &last, &loads), ERROR_NONE);
    assert_int_equal(loads, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(T1_T3_w_rises_with_the_time, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_folded_or_waits_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(T1_T3_w_rises_with_what_is_in_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(a_burst_leaves_when_its_moment_is_over, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
