/* tests/unit/test_core_submit.c: offering a letter: receipts, repeats and every refusal. */
#include "tests/lib/core_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name

static int setup(void **state)
{
    struct fixture *f = fixture_new(NULL);
    fixture_listen(f, &f->gp_pc);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static struct fixture_letter referral(struct fixture *f)
{
    struct id case_id = fixture_case_id(f);
    return fixture_letter(f, KIND(REFERRAL), &f->gp_pc, &f->team, &case_id);
}

static enum error offer(struct fixture *f, struct fixture_endpoint *e,
                        const struct fixture_letter *l)
{
    fixture_submit(f, e->session, l);
    fixture_settle(f);
    return fixture_take_code(f, e->session);
}

static void a_receipt_waits_for_the_commit(void **state)
{
    struct fixture *f = *state;
    struct fixture_letter l = referral(f);
    fixture_submit(f, f->gp_pc.session, &l);
    fixture_flush(f);
    assert_null(fixture_take(f, f->gp_pc.session));
    assert_true(fixture_commit(f));
    Brug__V1__ServerFrame *s = fixture_take(f, f->gp_pc.session);
    assert_non_null(s);
    assert_int_equal(s->request, 1);
    assert_int_equal(s->frame_case, BRUG__V1__SERVER_FRAME__FRAME_RECEIPT);
    assert_int_equal(s->receipt->stored_at_ms, FIXTURE_NOW_MS);
    assert_int_equal(fixture_count_records(f, RECORD(ACCEPTED)), 1);
    assert_int_equal(fixture_count_records(f, RECORD(CASE_OPENED)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_receipt_waits_for_the_commit, setup, teardown),
    };
    (void)offer;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
