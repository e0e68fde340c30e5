/* tests/unit/test_core_submit.c: offering a letter: receipts, repeats and every refusal. */
#include "tests/lib/world.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name

static int setup(void **state)
{
    struct world *w = world_new(NULL);
    world_listen(w, &w->gp_pc);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

static struct world_letter referral(struct world *w)
{
    struct id case_id = world_case_id(w);
    return world_letter(w, KIND(REFERRAL), &w->gp_pc, &w->team, &case_id);
}

static enum error offer(struct world *w, struct world_endpoint *e, const struct world_letter *l)
{
    world_submit(w, e->session, l);
    world_settle(w);
    return world_take_code(w, e->session);
}

static void a_receipt_waits_for_the_commit(void **state)
{
    struct world *w = *state;
    struct world_letter l = referral(w);
    world_submit(w, w->gp_pc.session, &l);
    world_flush(w);
    assert_null(world_take(w, w->gp_pc.session));
    assert_true(world_commit(w));
    Brug__V1__ServerFrame *s = world_take(w, w->gp_pc.session);
    assert_non_null(s);
    assert_int_equal(s->request, 1);
    assert_int_equal(s->frame_case, BRUG__V1__SERVER_FRAME__FRAME_RECEIPT);
    assert_int_equal(s->receipt->stored_at_ms, WORLD_NOW_MS);
    assert_int_equal(world_count_records(w, RECORD(ACCEPTED)), 1);
    assert_int_equal(world_count_records(w, RECORD(CASE_OPENED)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_receipt_waits_for_the_commit, setup, teardown),
    };
    (void)offer;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
