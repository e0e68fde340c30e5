/* tests/unit/test_core_session.c: connecting, Hello, one session per endpoint, limits, and the end. */
#include "proto/limits.h"
#include "tests/lib/stage.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name
#define SERVER(name) BRUG__V1__SERVER_FRAME__FRAME_##name
#define CLIENT(name) BRUG__V1__CLIENT_FRAME__FRAME_##name
#define STATUS(name) BRUG__V1__STATUS__STATUS_##name
#define OBJECT(name) BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_##name

static int setup(void **state)
{
    *state = stage_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    stage_free(*state);
    return 0;
}

static void expect_gone(struct stage *w, uint64_t session, enum error code)
{
    enum error why;
    Brug__V1__ServerFrame *f = stage_take(w, session), *next;
    while ((next = stage_take(w, session)))
        f = next;
    assert_non_null(f);
    assert_int_equal(f->frame_case, SERVER(GO_AWAY));
    assert_int_equal(f->go_away->code, code);
    assert_true(stage_is_closed(w, session, &why));
    assert_int_equal(why, code);
}

static struct stage_letter referral(struct stage *w)
{
    struct id case_id = stage_case_id(w);
    return stage_letter(w, KIND(REFERRAL), &w->gp_pc, &w->team, &case_id);
}

static void welcome_says_who_one_is_and_waits_for_the_commit(void **state)
{
    struct stage *w = *state;
    uint64_t s = stage_connect(w, &w->consultant_pc);
    stage_flush(w);
    assert_null(stage_take(w, s));
    stage_commit(w);
    Brug__V1__ServerFrame *f = stage_take(w, s);
    assert_int_equal(f->frame_case, SERVER(WELCOME));
    const Brug__V1__Welcome *a = f->welcome;
    assert_int_equal(a->protocol, LIMIT_PROTOCOL);
    assert_true(
        slice_equal((struct slice){a->organisation.data, a->organisation.len}, id_slice(&w->team)));
    assert_true(
        slice_equal((struct slice){a->person.data, a->person.len}, id_slice(&w->consultant)));
    assert_int_equal(a->role, BRUG__V1__ROLE__ROLE_CONSULTANT);
    assert_int_equal(a->n_epochs, 1);
    assert_true(a->epochs[0]->epoch > 1);
    assert_int_equal(a->server_time_ms, STAGE_NOW_MS);
    assert_int_equal(a->generation.len, ID_BYTES);
    assert_int_equal(a->limits->message_bytes_max, w->limits.message_bytes_max);
    assert_int_equal(a->limits->frame_bytes_max,
                     w->limits.message_bytes_max + LIMIT_FRAME_OVERHEAD_BYTES);
    assert_int_equal(stage_count_records(w, RECORD(SESSION)), 1);
    assert_true(stage_saw_event(w, "session.began"));
}

static void an_unknown_key_is_not_enrolled(void **state)
{
    struct stage *w = *state;
    struct stage_endpoint nobody = {.id = stage_id(4, 5), .organisation = w->practice};
    expect_gone(w, stage_open(w, &nobody), ERROR_NOT_ENROLLED);
    expect_gone(w, stage_open(w, &w->practice_recovery), ERROR_NOT_ENROLLED);
    stage_settle(w);
    assert_int_equal(stage_count_records(w, RECORD(SESSION)), 0);
}

static void an_anchor_of_another_municipality_does_not_vouch(void **state)
{
    struct stage *w = *state;
    struct stage_endpoint e = w->gp_pc;
    e.organisation = w->stranger; /* the stage presents the other anchor then */
    expect_gone(w, stage_open(w, &e), ERROR_TLS_UNKNOWN_CA);
    stage_settle(w);
    assert_int_equal(stage_count_records(w, RECORD(SESSION)), 1);
}

static void who_is_suspended_is_refused(void **state)
{
    struct stage *w = *state;
    const struct {
        Brug__V1__ObjectType type;
        const struct id *id;
    } rows[] = {{OBJECT(ENDPOINT), &w->gp_pc.id},
                {OBJECT(PERSON), &w->gp},
                {OBJECT(ORGANISATION), &w->practice},
                {OBJECT(MUNICIPALITY), &w->municipality}};
    for (size_t i = 0; i < 4; i++) {
        stage_set_status(w, rows[i].type, rows[i].id, STATUS(SUSPENDED));
        expect_gone(w, stage_open(w, &w->gp_pc), ERROR_SUSPENDED);
        stage_set_status(w, rows[i].type, rows[i].id, STATUS(ACTIVE));
        stage_listen(w, &w->gp_pc);
    }
}

static void suspending_ends_live_sessions_when_it_is_durable(void **state)
{
    struct stage *w = *state;
    const struct {
        Brug__V1__ObjectType type;
        const struct id *id;
    } rows[] = {{OBJECT(ENDPOINT), &w->gp_pc.id},
                {OBJECT(PERSON), &w->gp},
                {OBJECT(ORGANISATION), &w->practice},
                {OBJECT(MUNICIPALITY), &w->municipality}};
    for (size_t i = 0; i < 4; i++) {
        stage_listen(w, &w->gp_pc);
        uint64_t waiting_for_hello = stage_open(w, &w->gp_pc);
        uint64_t other = stage_listen(w, &w->stranger_pc);
        stage_set_status(w, rows[i].type, rows[i].id, STATUS(SUSPENDED));
        expect_gone(w, waiting_for_hello, ERROR_SUSPENDED);
        expect_gone(w, w->gp_pc.session - 1, ERROR_SUSPENDED);
        assert_false(stage_is_closed(w, other, NULL));
        stage_set_status(w, rows[i].type, rows[i].id, STATUS(ACTIVE));
        stage_disconnect(w, &w->stranger_pc);
    }
}

static void a_suspension_that_is_not_durable_ends_nothing_yet(void **state)
{
    struct stage *w = *state;
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__SetStatus set = BRUG__V1__SET_STATUS__INIT;
    Brug__V1__Operator by = BRUG__V1__OPERATOR__INIT;
    uint64_t s = stage_listen(w, &w->gp_pc);
    struct stage_letter l = referral(w);
    set.type = OBJECT(PERSON);
    set.id = id_bytes(&w->gp);
    set.status = STATUS(SUSPENDED);
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_SET_STATUS;
    q.set_status = &set;
    w->admin_ticket = 0;
    relay_on_admin(w->relay, 5, &by, &q, NULL, w->now);
    stage_flush(w);
    assert_false(stage_is_closed(w, s, NULL));
    assert_int_equal(w->admin_ticket, 0);
    stage_submit(w, s, &l); /* judged on the suspension, so it hears of it */
    stage_settle(w);
    assert_int_equal(w->admin_ticket, 5);
    expect_gone(w, s, ERROR_SUSPENDED);
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)), 0);
}

static void an_earlier_change_that_is_durable_ends_no_session_of_a_later_one(void **state)
{
    struct stage *w = *state;
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__SetStatus set = BRUG__V1__SET_STATUS__INIT;
    Brug__V1__Operator by = BRUG__V1__OPERATOR__INIT;
    uint64_t s = stage_listen(w, &w->gp_pc);
    set.type = OBJECT(ENDPOINT);
    set.id = id_bytes(&w->gp2_pc.id);
    set.status = STATUS(SUSPENDED);
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_SET_STATUS;
    q.set_status = &set;
    relay_on_admin(w->relay, 1, &by, &q, NULL, w->now);
    stage_flush(w);
    set.id = id_bytes(&w->gp_pc.id);
    relay_on_admin(w->relay, 2, &by, &q, NULL, w->now);
    stage_flush(w);
    assert_true(stage_commit(w));
    assert_false(stage_is_closed(w, s, NULL));
    assert_true(stage_commit(w));
    expect_gone(w, s, ERROR_SUSPENDED);
}

static void hello(struct stage *w, uint64_t session, uint32_t min, uint32_t max)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Hello h = BRUG__V1__HELLO__INIT;
    h.protocol_min = min;
    h.protocol_max = max;
    frame.frame_case = CLIENT(HELLO);
    frame.hello = &h;
    stage_send(w, session, &frame);
}

static void versions_are_agreed_on(void **state)
{
    struct stage *w = *state;
    uint64_t s = stage_open(w, &w->gp_pc);
    hello(w, s, LIMIT_PROTOCOL + 1, LIMIT_PROTOCOL + 3);
    expect_gone(w, s, ERROR_UPDATE_CLIENT);
    s = stage_open(w, &w->gp_pc);
    hello(w, s, 1, 9);
    stage_settle(w);
    assert_int_equal(stage_take(w, s)->welcome->protocol, LIMIT_PROTOCOL);
}

static void hello_is_the_first_frame_and_only_the_first(void **state)
{
    struct stage *w = *state;
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Ping ping = BRUG__V1__PING__INIT;
    frame.frame_case = CLIENT(PING);
    frame.ping = &ping;
    uint64_t s = stage_open(w, &w->gp_pc);
    stage_send(w, s, &frame);
    expect_gone(w, s, ERROR_HELLO_EXPECTED);
    s = stage_listen(w, &w->gp_pc);
    hello(w, s, 1, 1);
    expect_gone(w, s, ERROR_HELLO_EXPECTED);
}

static void a_malformed_frame_closes(void **state)
{
    struct stage *w = *state;
    uint64_t s = stage_listen(w, &w->gp_pc);
    relay_on_frame(w->relay, s, slice_text("\xff\xff\xff"), w->now);
    expect_gone(w, s, ERROR_FRAME_MALFORMED);
    relay_on_frame(w->relay, s, slice_text("\xff\xff\xff"), w->now); /* it is unknown now */
    relay_on_disconnect(w->relay, s);
}

static void an_unknown_request_is_refused_and_the_session_goes_on(void **state)
{
    struct stage *w = *state;
    uint64_t s = stage_listen(w, &w->gp_pc);
    relay_on_frame(w->relay, s, slice_of("\x08\x07\x82\x02\x00", 5), w->now); /* field 32 */
    stage_settle(w);
    Brug__V1__ServerFrame *f = stage_take(w, s);
    assert_int_equal(f->request, 7);
    assert_int_equal(f->refused->code, BRUG__V1__CODE__CODE_UPDATE_RELAY);
    assert_false(stage_is_closed(w, s, NULL));
}

static void a_ping_is_answered_at_once(void **state)
{
    struct stage *w = *state;
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Ping ping = BRUG__V1__PING__INIT;
    frame.request = 12;
    frame.frame_case = CLIENT(PING);
    frame.ping = &ping;
    uint64_t s = stage_listen(w, &w->gp_pc);
    struct stage_letter l = referral(w);
    stage_submit(w, s, &l);
    stage_send(w, s, &frame);
    Brug__V1__ServerFrame *f = stage_take(w, s);
    assert_int_equal(f->request, 12);
    assert_int_equal(f->pong->server_time_ms, STAGE_NOW_MS);
}

/* Only Welcome says that the relay took the connection [P-6]. */
static void a_ping_is_not_answered_before_welcome(void **state)
{
    struct stage *w = *state;
    Brug__V1__ClientFrame f = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Ping ping = BRUG__V1__PING__INIT;
    f.request = 8;
    f.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_PING;
    f.ping = &ping;
    uint64_t s = stage_connect(w, &w->gp_pc);
    stage_send(w, s, &f);
    stage_flush(w);
    assert_null(stage_take(w, s));
    stage_settle(w);
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(WELCOME));
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(PONG));
}

static void a_new_session_replaces_the_old_one(void **state)
{
    struct stage *w = *state;
    uint64_t first = stage_listen(w, &w->gp_pc);
    struct stage_letter read = referral(w), unread = referral(w);
    stage_submit(w, first, &read);
    uint64_t second = stage_connect(w, &w->gp_pc);
    expect_gone(w, first, ERROR_SESSION_REPLACED);
    stage_submit(w, first, &unread);
    stage_settle(w);
    assert_int_equal(stage_take(w, second)->frame_case, SERVER(WELCOME));
    assert_null(stage_take(w, second));
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)),
                     1); /* what was read went on, unheard */
}

/* An endpoint that comes and goes without end takes nothing of what acknowledgements need. */
static void below_the_reserve_no_session_writes(void **state)
{
    struct stage *w = *state;
    relay_set_room(w->relay, false);
    uint64_t lsn = stage_committed_lsn(w);
    for (unsigned i = 0; i < 100; i++) {
        uint64_t s = stage_listen(w, &w->gp_pc); /* Welcome comes all the same */
        if (i % 2)
            hello(w, s, 1, 1); /* not again: it ends */
        else
            stage_disconnect(w, &w->gp_pc);
        stage_settle(w);
    }
    assert_int_equal(stage_committed_lsn(w), lsn);
    assert_true(stage_saw_event(w, "session.began")); /* in the log */
    relay_set_room(w->relay, true);
    stage_listen(w, &w->gp_pc);
    assert_int_equal(stage_committed_lsn(w), lsn + 1);
}

static void too_many_unanswered_requests_close(void **state)
{
    struct stage *w = *state;
    uint64_t s = stage_listen(w, &w->gp_pc);
    struct id unknown = stage_message_id(w);
    struct stage_letter l = referral(w);
    stage_submit(w, s, &l); /* so that answers wait */
    for (uint32_t i = 1; i < w->limits.requests_max; i++)
        stage_track(w, s, &unknown);
    assert_false(stage_is_closed(w, s, NULL));
    stage_track(w, s, &unknown);
    expect_gone(w, s, ERROR_CREDIT_EXCEEDED);
    stage_settle(w); /* the answers to nobody are dropped */
    s = stage_listen(w, &w->gp_pc);
    for (uint32_t i = 0; i < 3 * w->limits.requests_max; i++) {
        stage_track(w, s, &unknown);
        stage_settle(w);
    }
    assert_false(stage_is_closed(w, s, NULL));
}

static void reading_pauses_at_the_budgets_and_goes_on(void **state)
{
    struct relay_limits limits = stage_limits();
    limits.session_unstored_bytes_max = 5000;
    limits.unstored_bytes_max = 9000;
    struct stage *w = stage_new(&limits);
    uint64_t s = stage_listen(w, &w->gp_pc);
    struct stage_letter l = referral(w);
    l.filler_bytes = 4000;
    stage_submit(w, s, &l);
    assert_int_equal(w->paused, 0);
    l = referral(w);
    l.filler_bytes = 1000;
    stage_submit(w, s, &l);
    assert_int_equal(w->paused, 1);
    assert_false(w->is_all_paused);
    stage_listen(w, &w->gp2_pc);
    assert_int_equal(w->paused, 0); /* all is stored by now */
    for (unsigned i = 0; i < 3; i++) {
        l = referral(w);
        l.filler_bytes = 4000;
        stage_submit(w, s, &l);
    }
    assert_true(w->is_all_paused);
    stage_settle(w);
    assert_false(w->is_all_paused);
    assert_int_equal(w->paused, 0);
    relay_set_fold_behind(w->relay, true);
    assert_true(w->is_all_paused);
    relay_set_fold_behind(w->relay, false);
    assert_false(w->is_all_paused);
    stage_free(w);
    (void)state;
}

static void net_may_end_a_session_for_its_own_limits(void **state)
{
    struct stage *w = *state;
    uint64_t s = stage_listen(w, &w->gp_pc);
    relay_refuse(w->relay, s, ERROR_IDLE_TIMEOUT);
    expect_gone(w, s, ERROR_IDLE_TIMEOUT);
}

static void draining_answers_what_was_read_then_says_good_bye(void **state)
{
    struct stage *w = *state;
    uint64_t s = stage_listen(w, &w->gp_pc);
    struct stage_letter l = referral(w), late = referral(w);
    stage_submit(w, s, &l);
    relay_drain(w->relay, w->now);
    assert_true(w->is_all_paused);
    assert_false(relay_is_idle(w->relay));
    stage_submit(w, s, &late);
    expect_gone(w, stage_open(w, &w->gp2_pc), ERROR_SHUTTING_DOWN);
    stage_settle(w);
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(RECEIPT));
    expect_gone(w, s, ERROR_SHUTTING_DOWN);
    assert_true(relay_is_idle(w->relay));
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(welcome_says_who_one_is_and_waits_for_the_commit, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_unknown_key_is_not_enrolled, setup, teardown),
        cmocka_unit_test_setup_teardown(an_anchor_of_another_municipality_does_not_vouch, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_is_suspended_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(suspending_ends_live_sessions_when_it_is_durable, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_suspension_that_is_not_durable_ends_nothing_yet, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            an_earlier_change_that_is_durable_ends_no_session_of_a_later_one, setup, teardown),
        cmocka_unit_test_setup_teardown(versions_are_agreed_on, setup, teardown),
        cmocka_unit_test_setup_teardown(hello_is_the_first_frame_and_only_the_first, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_malformed_frame_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_request_is_refused_and_the_session_goes_on,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_ping_is_answered_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_ping_is_not_answered_before_welcome, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_session_replaces_the_old_one, setup, teardown),
        cmocka_unit_test_setup_teardown(below_the_reserve_no_session_writes, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_unanswered_requests_close, setup, teardown),
        cmocka_unit_test_setup_teardown(reading_pauses_at_the_budgets_and_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(net_may_end_a_session_for_its_own_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(draining_answers_what_was_read_then_says_good_bye, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
