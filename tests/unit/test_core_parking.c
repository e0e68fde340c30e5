/*
 * tests/unit/test_core_parking.c: what a reader gets again and again and never acknowledges (T12): it is
 * counted over restarts, parked, told to its sender once, and comes back by an acknowledgement or an operator.
 */
#include "tests/lib/stage.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name
#define SERVER(name) BRUG__V1__SERVER_FRAME__FRAME_##name
#define SESSIONS_MAX 10u

static int setup(void **state)
{
    struct stage *w = stage_new(NULL);
    stage_listen(w, &w->gp_pc);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    stage_free(*state);
    return 0;
}

static struct id post(struct stage *w)
{
    struct id case_id = stage_case_id(w);
    struct stage_letter l = stage_letter(w, KIND(REFERRAL), &w->gp_pc, &w->team, &case_id);
    stage_post(w, &l);
    return l.id;
}

static bool is_about(const Brug__V1__Header *h, ProtobufCBinaryData field, const struct id *id)
{
    return slice_equal((struct slice){field.data, field.len}, id_slice(id));
}

/* Takes what the session got: how often this message came; *attempt (NULL: not asked) is the last one's. */
static unsigned take_deliveries(struct stage *w, uint64_t session, const struct id *id,
                                unsigned *attempt)
{
    unsigned n = 0;
    for (Brug__V1__ServerFrame *f; (f = stage_take(w, session));) {
        if (f->frame_case != SERVER(DELIVER))
            continue;
        Brug__V1__Header *h = brug__v1__header__unpack(NULL, f->deliver->envelope->header.len,
                                                       f->deliver->envelope->header.data);
        assert_non_null(h);
        if (is_about(h, h->message_id, id)) {
            n++;
            if (attempt)
                *attempt = f->deliver->attempt;
        }
        brug__v1__header__free_unpacked(h, NULL);
    }
    return n;
}

/* How many reports about the message and the consultant's endpoint came, with this code. */
static unsigned take_reports(struct stage *w, uint64_t session, const struct id *id,
                             enum error code)
{
    unsigned n = 0;
    for (Brug__V1__ServerFrame *f; (f = stage_take(w, session));) {
        if (f->frame_case != SERVER(DELIVER))
            continue;
        Brug__V1__Header *h = brug__v1__header__unpack(NULL, f->deliver->envelope->header.len,
                                                       f->deliver->envelope->header.data);
        assert_non_null(h);
        n += h->kind == KIND(FACT) && h->fact_code == (Brug__V1__Code)code &&
             is_about(h, h->in_reply_to, id) &&
             is_about(h, h->about_endpoint, &w->consultant_pc.id);
        brug__v1__header__free_unpacked(h, NULL);
    }
    return n;
}

/* A session of the consultant that takes all and acknowledges nothing, then breaks off. Time passes. */
static unsigned session_in_vain(struct stage *w, const struct id *id, unsigned *attempt)
{
    uint64_t s = stage_listen(w, &w->consultant_pc);
    unsigned n = take_deliveries(w, s, id, attempt);
    stage_disconnect(w, &w->consultant_pc);
    stage_settle(w);
    w->now.wall_ms += w->limits.redelivery_interval_ms;
    return n;
}

static void park(struct stage *w, const struct id *id)
{
    for (unsigned i = 0; i < SESSIONS_MAX; i++)
        assert_int_equal(session_in_vain(w, id, NULL), 1);
    assert_int_equal(relay_state(w->relay)->parked, 1);
}

static struct reader *copy_of(struct stage *w, const struct id *id)
{
    const struct message_key key = {w->practice, *id};
    struct message *m = message_find(relay_state(w->relay), &key);
    return message_reader(m, endpoint_find(relay_state(w->relay), id_bytes(&w->consultant_pc.id)));
}

static void T12_what_is_never_acknowledged_is_parked_and_told(void **state)
{
    struct stage *w = *state;
    struct id first = post(w), second = post(w);
    unsigned attempt;
    for (unsigned i = 1; i <= SESSIONS_MAX; i++) {
        assert_int_equal(session_in_vain(w, &first, &attempt), 1);
        assert_int_equal(attempt, i);
        assert_int_equal(take_reports(w, w->gp_pc.session, &first, ERROR_NOT_ACKNOWLEDGED),
                         i == SESSIONS_MAX);
    }
    assert_int_equal(stage_count_records(w, RECORD(IN_VAIN)), SESSIONS_MAX - 1);
    assert_int_equal(stage_count_records(w, RECORD(PARKED)), 1);
    assert_true(stage_saw_event(w, "message.parked"));
    /* The later one flows, and counts from now on. */
    assert_int_equal(session_in_vain(w, &first, NULL), 0);
    for (unsigned i = 2; i <= SESSIONS_MAX; i++)
        assert_int_equal(session_in_vain(w, &second, NULL), 1);
    assert_int_equal(stage_count_records(w, RECORD(PARKED)), 2);
    assert_int_equal(relay_state(w->relay)->parked, 2);
    assert_int_equal(session_in_vain(w, &second, NULL), 0);
    assert_int_equal(take_reports(w, w->gp_pc.session, &second, ERROR_NOT_ACKNOWLEDGED), 1);
}

static void T12_the_count_and_the_report_outlive_restarts(void **state)
{
    struct stage *w = *state;
    struct id id = post(w);
    for (unsigned i = 1; i <= SESSIONS_MAX; i++) {
        unsigned attempt;
        stage_crash(w, i % 2 ? stage_committed_lsn(w) : i % 3 ? 0 : stage_committed_lsn(w) - 1);
        assert_int_equal(session_in_vain(w, &id, &attempt), 1);
        assert_int_equal(attempt, i);
    }
    struct digest before, after;
    assert_int_equal(state_digest(relay_state(w->relay), &before), 0);
    stage_crash(w, stage_committed_lsn(w));
    assert_int_equal(state_digest(relay_state(w->relay), &after), 0);
    assert_true(digest_equal(&before, &after));
    assert_int_equal(relay_state(w->relay)->parked, 1);
    assert_int_equal(session_in_vain(w, &id, NULL), 0);
    stage_listen(w, &w->gp_pc);
    assert_int_equal(take_reports(w, w->gp_pc.session, &id, ERROR_NOT_ACKNOWLEDGED), 1);
    assert_int_equal(stage_count_records(w, RECORD(PARKED)), 1);
}

static void acknowledging_others_does_not_help_the_oldest(void **state)
{
    struct stage *w = *state;
    struct id first = post(w);
    for (unsigned i = 0; i < SESSIONS_MAX; i++) {
        struct id other = post(w);
        uint64_t s = stage_listen(w, &w->consultant_pc);
        assert_int_equal(take_deliveries(w, s, &first, NULL), 1);
        stage_ack(w, s, &w->practice, &other, ERROR_NONE);
        stage_settle(w);
        w->now.wall_ms += w->limits.redelivery_interval_ms;
        stage_settle(w);
    }
    stage_disconnect(w, &w->consultant_pc);
    stage_settle(w);
    assert_int_equal(stage_count_records(w, RECORD(PARKED)), 1);
    assert_true(copy_of(w, &first)->is_parked);
}

static void a_network_that_comes_and_goes_parks_nothing(void **state)
{
    struct stage *w = *state;
    struct id id = post(w);
    w->limits.redelivery_interval_ms = 0; /* of the helper: no time passes */
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(session_in_vain(w, &id, NULL), 1);
    assert_int_equal(stage_count_records(w, RECORD(IN_VAIN)), 1);
    /* A clock that was set back does not stop the counting, nor speed it up. */
    w->now.wall_ms -= 1000000;
    for (unsigned i = 0; i < 5; i++)
        session_in_vain(w, &id, NULL);
    assert_int_equal(stage_count_records(w, RECORD(IN_VAIN)), 2);
}

static void what_the_relay_does_is_not_counted(void **state)
{
    struct stage *w = *state;
    struct id id = post(w);
    for (unsigned i = 0; i < 2 * SESSIONS_MAX; i++) {
        uint64_t s = stage_listen(w, &w->consultant_pc);
        assert_int_equal(take_deliveries(w, s, &id, NULL), 1);
        w->now.wall_ms += w->limits.redelivery_interval_ms;
        if (i % 2) {
            relay_drain(w->relay, w->now); /* GoAway, and it stops */
            stage_settle(w);
        } else if (i % 4) {
            relay_set_fold_behind(w->relay, true); /* an Ack would not be read */
            stage_disconnect(w, &w->consultant_pc);
        } else {
            relay_set_room(w->relay, false);
            stage_disconnect(w, &w->consultant_pc);
        }
        stage_crash(w, stage_committed_lsn(w));
    }
    assert_int_equal(stage_count_records(w, RECORD(IN_VAIN)), 0);
}

static void what_was_not_delivered_is_not_counted(void **state)
{
    struct stage *w = *state;
    struct id id = post(w);
    for (unsigned i = 0; i < SESSIONS_MAX; i++) {
        stage_connect(w, &w->consultant_pc);
        stage_settle(w);
        stage_disconnect(w, &w->consultant_pc);
        stage_settle(w);
        w->now.wall_ms += w->limits.redelivery_interval_ms;
        stage_open(w, &w->consultant_pc); /* without Hello */
        stage_disconnect(w, &w->consultant_pc);
        stage_settle(w);
    }
    assert_int_equal(stage_count_records(w, RECORD(IN_VAIN)), 0);
    (void)id;
}

static void a_parked_copy_can_be_acknowledged(void **state)
{
    struct stage *w = *state;
    struct id id = post(w);
    park(w, &id);
    uint64_t s = stage_listen(w, &w->consultant_pc);
    stage_ack(w, s, &w->practice, &id, ERROR_LETTER_DECRYPT);
    stage_settle(w);
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(ACKED));
    assert_int_equal(copy_of(w, &id)->state, READER_UNREADABLE);
    assert_int_equal(relay_state(w->relay)->parked, 0);
    /* Two different facts about one message and reader: both are told. */
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)), 3);
}

static uint32_t release(struct stage *w, const struct id *endpoint, uint64_t *left)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__Release r = BRUG__V1__RELEASE__INIT;
    r.endpoint = id_bytes(endpoint);
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_RELEASE;
    q.release = &r;
    const Brug__V1__AdminAnswer *a = stage_admin(w, &q, NULL);
    if (a->code)
        return UINT32_MAX;
    *left = a->release->left;
    return a->release->released;
}

/* All of the practice acknowledge the reports that wait for them, so that the relay may forget them. */
static void acknowledge_reports(struct stage *w)
{
    struct stage_endpoint *endpoints[] = {&w->gp_pc, &w->gp2_pc, &w->system};
    for (size_t i = 0; i < 3; i++) {
        uint64_t s = stage_listen(w, endpoints[i]);
        for (Brug__V1__ServerFrame *f; (f = stage_take(w, s));) {
            struct id id;
            if (f->frame_case != SERVER(DELIVER))
                continue;
            Brug__V1__Header *h = brug__v1__header__unpack(NULL, f->deliver->envelope->header.len,
                                                           f->deliver->envelope->header.data);
            assert_true(id_take(h->message_id, &id));
            stage_ack(w, s, h->from ? &w->practice : &ID_NONE, &id, ERROR_NONE);
            brug__v1__header__free_unpacked(h, NULL);
            stage_settle(w);
        }
    }
}

static void an_operator_releases_what_is_parked(void **state)
{
    struct stage *w = *state;
    struct id id = post(w), stranger = stage_id(4, 77);
    uint64_t left;
    park(w, &id);
    assert_int_equal(take_reports(w, w->gp_pc.session, &id, ERROR_NOT_ACKNOWLEDGED), 1);
    uint64_t s = stage_listen(w, &w->consultant_pc);
    assert_int_equal(take_deliveries(w, s, &id, NULL), 0);
    assert_int_equal(release(w, &stranger, &left), UINT32_MAX);
    assert_int_equal(release(w, &w->consultant_pc.id, &left), 1);
    assert_int_equal(left, 0);
    assert_int_equal(take_deliveries(w, s, &id, NULL), 1); /* at once, in the living session */
    assert_int_equal(release(w, &w->consultant_pc.id, &left), 0);
    acknowledge_reports(w);
    stage_crash(w, stage_committed_lsn(w));
    stage_listen(w, &w->gp_pc);
    /* It may be parked again; its sender knows. */
    park(w, &id);
    assert_int_equal(stage_count_records(w, RECORD(PARKED)), 2);
    assert_int_equal(take_reports(w, w->gp_pc.session, &id, ERROR_NOT_ACKNOWLEDGED), 0);
}

static void many_are_released_some_at_a_time(void **state)
{
    struct stage *w = *state;
    struct id ids[40];
    uint64_t left = 0;
    for (size_t i = 0; i < 40; i++)
        ids[i] = post(w);
    for (size_t i = 0; i < 40 * SESSIONS_MAX; i++)
        session_in_vain(w, &ids[0], NULL);
    assert_int_equal(relay_state(w->relay)->parked, 40);
    uint32_t all = 0;
    do
        all += release(w, &w->consultant_pc.id, &left);
    while (left > 0);
    assert_int_equal(all, 40);
    assert_int_equal(relay_state(w->relay)->parked, 0);
}

static void a_parked_copy_of_who_is_suspended_is_cancelled(void **state)
{
    struct stage *w = *state;
    struct id id = post(w);
    park(w, &id);
    stage_set_status(w, BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_ENDPOINT, &w->consultant_pc.id,
                     BRUG__V1__STATUS__STATUS_SUSPENDED);
    stage_settle(w);
    assert_int_equal(copy_of(w, &id)->state, READER_CANCELLED);
    assert_int_equal(relay_state(w->relay)->parked, 0);
}

static void the_sender_sees_that_it_is_parked(void **state)
{
    struct stage *w = *state;
    struct id id = post(w);
    park(w, &id);
    take_reports(w, w->gp_pc.session, &id, ERROR_NOT_ACKNOWLEDGED);
    stage_track(w, w->gp_pc.session, &id);
    stage_settle(w);
    Brug__V1__Tracked *t = stage_take(w, w->gp_pc.session)->tracked;
    for (size_t i = 0; i < t->n_readers; i++)
        assert_true(
            (t->readers[i]->parked_at_ms != 0) ==
            slice_equal((struct slice){t->readers[i]->endpoint.data, t->readers[i]->endpoint.len},
                        id_slice(&w->consultant_pc.id)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(T12_what_is_never_acknowledged_is_parked_and_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(T12_the_count_and_the_report_outlive_restarts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(acknowledging_others_does_not_help_the_oldest, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_network_that_comes_and_goes_parks_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_the_relay_does_is_not_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_not_delivered_is_not_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_parked_copy_can_be_acknowledged, setup, teardown),
        cmocka_unit_test_setup_teardown(an_operator_releases_what_is_parked, setup, teardown),
        cmocka_unit_test_setup_teardown(many_are_released_some_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(a_parked_copy_of_who_is_suspended_is_cancelled, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_sender_sees_that_it_is_parked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
