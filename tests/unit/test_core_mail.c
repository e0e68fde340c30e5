/* tests/unit/test_core_mail.c: delivery, acknowledgement, what is opened and tracked, and credit. */
#include "tests/lib/stage.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name
#define SERVER(name) BRUG__V1__SERVER_FRAME__FRAME_##name

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

static struct stage_letter referral(struct stage *w)
{
    struct id case_id = stage_case_id(w);
    return stage_letter(w, KIND(REFERRAL), &w->gp_pc, &w->team, &case_id);
}

/* Posts one referral; its id. */
static struct id post(struct stage *w)
{
    struct stage_letter l = referral(w);
    stage_post(w, &l);
    return l.id;
}

static Brug__V1__Deliver *take_deliver(struct stage *w, uint64_t session)
{
    Brug__V1__ServerFrame *f = stage_take(w, session);
    assert_non_null(f);
    assert_int_equal(f->frame_case, SERVER(DELIVER));
    return f->deliver;
}

static Brug__V1__Header *header_of(const Brug__V1__Deliver *d)
{
    Brug__V1__Header *h =
        brug__v1__header__unpack(NULL, d->envelope->header.len, d->envelope->header.data);
    assert_non_null(h);
    return h;
}

static bool is_message(const Brug__V1__Deliver *d, const struct id *id)
{
    Brug__V1__Header *h = header_of(d);
    bool is = slice_equal((struct slice){h->message_id.data, h->message_id.len}, id_slice(id));
    brug__v1__header__free_unpacked(h, NULL);
    return is;
}

static Brug__V1__ServerFrame *ack(struct stage *w, uint64_t session, const struct id *id)
{
    stage_ack(w, session, &w->practice, id, ERROR_NONE);
    stage_settle(w);
    Brug__V1__ServerFrame *f = stage_take(w, session);
    assert_non_null(f);
    return f;
}

static void every_reader_gets_it_and_the_sender_does_not(void **state)
{
    struct stage *w = *state;
    struct stage_endpoint *readers[] = {&w->gp2_pc, &w->system, &w->consultant_pc,
                                        &w->consultant2_pc};
    for (size_t i = 0; i < 4; i++)
        stage_listen(w, readers[i]);
    struct id id = post(w);
    for (size_t i = 0; i < 4; i++) {
        Brug__V1__Deliver *d = take_deliver(w, readers[i]->session);
        assert_true(is_message(d, &id));
        assert_int_equal(d->sequence, 1);
        assert_int_equal(d->attempt, 1);
        assert_int_equal(d->stored_at_ms, STAGE_NOW_MS);
        assert_true(slice_equal((struct slice){d->envelope->sealed.data, d->envelope->sealed.len},
                                slice_text("sealed bytes")));
        assert_null(stage_take(w, readers[i]->session));
    }
    assert_null(stage_take(w, w->gp_pc.session));
}

static void a_delivery_waits_for_the_commit(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    stage_listen(w, &w->consultant_pc);
    stage_submit(w, w->gp_pc.session, &l);
    stage_flush(w);
    stage_flush(w);
    assert_null(stage_take(w, w->consultant_pc.session));
    assert_true(stage_commit(w));
    assert_non_null(stage_take(w, w->consultant_pc.session));
}

static void T5_an_ack_while_a_second_session_takes_over(void **state)
{
    struct stage *w = *state;
    for (unsigned run = 0; run < 1000; run++) {
        struct id id = post(w);
        uint64_t first = stage_listen(w, &w->consultant_pc);
        take_deliver(w, first);
        /* Cut at another point each time. */
        if (run % 5 == 0)
            stage_connect(w, &w->consultant_pc);
        if (!stage_is_closed(w, first, NULL))
            stage_ack(w, first, &w->practice, &id, ERROR_NONE);
        if (run % 5 == 1)
            stage_connect(w, &w->consultant_pc);
        stage_flush(w);
        if (run % 5 == 2)
            stage_connect(w, &w->consultant_pc);
        stage_commit(w);
        if (run % 5 == 3)
            stage_connect(w, &w->consultant_pc);
        uint64_t second = w->consultant_pc.session;
        stage_subscribe(w, second, 1000, 1u << 20);
        stage_settle(w);
        bool is_acked = run % 5 != 0;
        bool is_back = false;
        for (Brug__V1__ServerFrame *f; (f = stage_take(w, second));)
            is_back |= f->frame_case == SERVER(DELIVER);
        assert_int_equal(is_back, !is_acked);
        ack(w, second, &id);
        const struct message_key key = {w->practice, id};
        struct message *m = message_find(w->tables, &key);
        assert_int_equal(
            message_reader(m, endpoint_find(w->tables, id_bytes(&w->consultant_pc.id)))->state,
            READER_FETCHED);
    }
    assert_int_equal(stage_count_records(w, RECORD(ACKNOWLEDGED)), 1000);
}

static void T7_acknowledging_one_leaves_the_other(void **state)
{
    struct stage *w = *state;
    struct id a = post(w), b = post(w);
    stage_listen(w, &w->consultant_pc);
    assert_true(is_message(take_deliver(w, w->consultant_pc.session), &a));
    assert_true(is_message(take_deliver(w, w->consultant_pc.session), &b));
    assert_int_equal(ack(w, w->consultant_pc.session, &a)->frame_case, SERVER(ACKED));
    stage_listen(w, &w->consultant_pc);
    Brug__V1__Deliver *d = take_deliver(w, w->consultant_pc.session);
    assert_true(is_message(d, &b));
    assert_int_equal(d->attempt, 2);
    assert_null(stage_take(w, w->consultant_pc.session));
}

static void T9_after_a_crash_a_reader_gets_it_without_new_traffic(void **state)
{
    struct stage *w = *state;
    struct id id = post(w);
    stage_crash(w, 0);
    stage_listen(w, &w->consultant_pc);
    assert_true(is_message(take_deliver(w, w->consultant_pc.session), &id));
    stage_crash(w, stage_committed_lsn(w));
    stage_listen(w, &w->consultant_pc);
    assert_true(is_message(take_deliver(w, w->consultant_pc.session), &id));
}

static void T13_a_receipt_that_cannot_be_sent_delivers_nothing_again(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    stage_listen(w, &w->consultant_pc);
    stage_submit(w, w->gp_pc.session, &l);
    stage_flush(w);
    stage_disconnect(w, &w->gp_pc);
    stage_settle(w);
    take_deliver(w, w->consultant_pc.session);
    stage_listen(w, &w->gp_pc);
    stage_submit(w, w->gp_pc.session, &l);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, w->gp_pc.session), ERROR_NONE);
    assert_null(stage_take(w, w->consultant_pc.session));
}

static void an_acked_waits_for_the_commit_and_a_repeat_is_answered_alike(void **state)
{
    struct stage *w = *state;
    struct id id = post(w);
    uint64_t s = stage_listen(w, &w->consultant_pc);
    take_deliver(w, s);
    stage_ack(w, s, &w->practice, &id, ERROR_NONE);
    stage_flush(w);
    assert_null(stage_take(w, s));
    stage_commit(w);
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(ACKED));
    uint64_t lsn = stage_committed_lsn(w);
    assert_int_equal(ack(w, s, &id)->frame_case, SERVER(ACKED));
    assert_int_equal(stage_committed_lsn(w), lsn);
}

static void T17_a_foreign_message_and_an_unknown_one_are_alike(void **state)
{
    struct stage *w = *state;
    struct id recent = post(w), random = stage_id(4, 81);
    struct stage_letter l = referral(w);
    l.id = id_v7(w->now.wall_ms - 100ll * 86400 * 1000, random.bytes);
    stage_post(w, &l);
    struct id unknown_recent = stage_message_id(w), other = stage_id(4, 82);
    struct id unknown_old = id_v7(w->now.wall_ms - 100ll * 86400 * 1000, other.bytes);
    stage_listen(w, &w->stranger_pc);
    uint64_t s = w->stranger_pc.session;
    const struct id *pairs[2][2] = {{&recent, &unknown_recent}, {&l.id, &unknown_old}};
    for (size_t i = 0; i < 2; i++) {
        size_t loads[2];
        for (size_t k = 0; k < 2; k++) {
            stage_ack(w, s, &w->practice, pairs[i][k], ERROR_NONE);
            loads[k] = w->load_count;
            stage_settle(w);
            Brug__V1__ServerFrame *f = stage_take(w, s);
            assert_int_equal(f->refused->code, BRUG__V1__CODE__CODE_NO_SUCH_MESSAGE);
            assert_int_equal(f->refused->retry_after_ms, 0);
            stage_opened(w, s, &w->practice, pairs[i][k], &w->stranger_pc.person);
            assert_int_equal(w->load_count, loads[k]);
            stage_settle(w);
            assert_int_equal(stage_take_code(w, s), ERROR_NO_SUCH_MESSAGE);
            stage_track(w, s, pairs[i][k]);
            assert_int_equal(w->load_count, loads[k]);
            stage_settle(w);
            assert_int_equal(stage_take_code(w, s), ERROR_NO_SUCH_MESSAGE);
        }
        assert_int_equal(loads[0], loads[1]); /* the same look-up */
        assert_int_equal(loads[0], i);
    }
}

static void an_unreadable_letter_is_told_to_the_sender_once(void **state)
{
    struct stage *w = *state;
    struct id id = post(w);
    uint64_t s = stage_listen(w, &w->consultant_pc);
    take_deliver(w, s);
    stage_ack(w, s, &w->practice, &id, ERROR_LETTER_DECRYPT);
    stage_ack(w, s, &w->practice, &id, ERROR_LETTER_DECRYPT);
    stage_settle(w);
    Brug__V1__Deliver *d = take_deliver(w, w->gp_pc.session);
    Brug__V1__Header *h = header_of(d);
    assert_int_equal(h->kind, KIND(FACT));
    assert_int_equal(h->fact_code, ERROR_LETTER_DECRYPT);
    assert_null(h->from);
    assert_int_equal(d->envelope->sealed.len, 0);
    assert_true(
        slice_equal((struct slice){h->in_reply_to.data, h->in_reply_to.len}, id_slice(&id)));
    assert_true(slice_equal((struct slice){h->about_endpoint.data, h->about_endpoint.len},
                            id_slice(&w->consultant_pc.id)));
    assert_int_equal(h->n_readers, 3);
    struct id fact_id;
    assert_true(id_take(h->message_id, &fact_id));
    assert_int_equal(id_version(&fact_id), 8);
    brug__v1__header__free_unpacked(h, NULL);
    assert_null(stage_take(w, w->gp_pc.session));
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)), 2);
    stage_ack(w, w->gp_pc.session, &ID_NONE, &fact_id, ERROR_NONE);
    stage_settle(w);
    assert_int_equal(stage_take(w, w->gp_pc.session)->frame_case, SERVER(ACKED));
    /* Not called fetched. */
    stage_track(w, w->gp_pc.session, &id);
    stage_settle(w);
    Brug__V1__Tracked *t = stage_take(w, w->gp_pc.session)->tracked;
    for (size_t i = 0; i < t->n_readers; i++) {
        bool is_it =
            slice_equal((struct slice){t->readers[i]->endpoint.data, t->readers[i]->endpoint.len},
                        id_slice(&w->consultant_pc.id));
        assert_int_equal(t->readers[i]->fetched_at_ms, 0);
        assert_int_equal(t->readers[i]->unreadable, is_it ? ERROR_LETTER_DECRYPT : 0);
    }
}

static void opened_names_a_person_and_the_sender_sees_it(void **state)
{
    struct stage *w = *state;
    struct id id = post(w);
    uint64_t s = stage_listen(w, &w->consultant_pc);
    take_deliver(w, s);
    ack(w, s, &id);
    stage_opened(w, s, &w->practice, &id, &w->consultant2);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, s), ERROR_SENDER_MISMATCH);
    w->now.wall_ms += 1000;
    stage_opened(w, s, &w->practice, &id, &w->consultant);
    stage_settle(w);
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(NOTED));
    w->now.wall_ms += 1000;
    stage_opened(w, s, &w->practice, &id, &w->consultant);
    stage_settle(w);
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(NOTED));
    assert_int_equal(stage_count_records(w, RECORD(OPENED_BY)), 1);
    stage_track(w, w->gp_pc.session, &id);
    stage_settle(w);
    Brug__V1__Tracked *t = stage_take(w, w->gp_pc.session)->tracked;
    unsigned opened = 0, fetched = 0;
    for (size_t i = 0; i < t->n_readers; i++) {
        fetched += t->readers[i]->fetched_at_ms == STAGE_NOW_MS;
        opened +=
            t->readers[i]->opened_at_ms == STAGE_NOW_MS + 1000 &&
            slice_equal((struct slice){t->readers[i]->opened_by.data, t->readers[i]->opened_by.len},
                        id_slice(&w->consultant));
    }
    assert_int_equal(fetched, 1);
    assert_int_equal(opened, 1);
}

static void a_practice_system_opens_for_a_doctor(void **state)
{
    struct stage *w = *state;
    struct id id = post(w);
    uint64_t s = stage_listen(w, &w->system);
    take_deliver(w, s);
    stage_opened(w, s, &w->practice, &id, &w->consultant);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, s), ERROR_SENDER_MISMATCH);
    stage_opened(w, s, &w->practice, &id, &w->gp2);
    stage_settle(w);
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(NOTED));
}

static void a_refused_id_is_no_message_to_track(void **state)
{
    struct stage *w = *state;
    struct id case_id = stage_case_id(w);
    struct stage_letter l = stage_letter(w, KIND(NOTE), &w->gp_pc, &w->team, &case_id);
    stage_submit(w, w->gp_pc.session, &l);
    stage_track(w, w->gp_pc.session, &l.id);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, w->gp_pc.session), ERROR_NO_SUCH_CASE);
    assert_int_equal(stage_take_code(w, w->gp_pc.session), ERROR_NO_SUCH_MESSAGE);
}

static void credit(struct stage *w, uint64_t session, uint32_t messages, uint64_t bytes)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Credit c = BRUG__V1__CREDIT__INIT;
    c.messages = messages;
    c.bytes = bytes;
    frame.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_CREDIT;
    frame.credit = &c;
    stage_send(w, session, &frame);
    stage_settle(w);
}

static unsigned take_all(struct stage *w, uint64_t session)
{
    unsigned n = 0;
    while (stage_take(w, session))
        n++;
    return n;
}

static void deliveries_stay_within_the_credit_in_messages(void **state)
{
    struct stage *w = *state;
    for (unsigned i = 0; i < 5; i++)
        post(w);
    uint64_t s = stage_connect(w, &w->consultant_pc);
    stage_subscribe(w, s, 2, 1u << 20);
    stage_settle(w);
    assert_int_equal(take_all(w, s), 3); /* Welcome and two */
    stage_settle(w);
    assert_int_equal(take_all(w, s), 0);
    credit(w, s, 1, 0);
    assert_int_equal(take_all(w, s), 1);
    credit(w, s, 10, 0);
    assert_int_equal(take_all(w, s), 2);
}

static void a_large_letter_goes_alone_over_a_small_credit(void **state)
{
    struct stage *w = *state;
    struct stage_letter large = referral(w);
    large.filler_bytes = 5000;
    stage_post(w, &large);
    struct id small = post(w);
    uint64_t s = stage_connect(w, &w->consultant_pc);
    stage_subscribe(w, s, 10, 100);
    stage_settle(w);
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(WELCOME));
    assert_true(is_message(take_deliver(w, s), &large.id));
    assert_null(stage_take(w, s));
    stage_ack(w, s, &w->practice, &large.id, ERROR_NONE);
    stage_settle(w);
    assert_true(is_message(take_deliver(w, s), &small)); /* nothing is in flight */
}

static void set_status(struct stage *w, const struct id *endpoint, Brug__V1__Status status)
{
    Brug__V1__AdminRequest q = BRUG__V1__ADMIN_REQUEST__INIT;
    Brug__V1__SetStatus set = BRUG__V1__SET_STATUS__INIT;
    Brug__V1__Operator by = BRUG__V1__OPERATOR__INIT;
    set.type = BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_ENDPOINT;
    set.id = id_bytes(endpoint);
    set.status = status;
    q.request_case = BRUG__V1__ADMIN_REQUEST__REQUEST_SET_STATUS;
    q.set_status = &set;
    relay_on_admin(w->relay, 5, &by, &q, NULL, w->now);
}

/* Suspended and back within one commit: the session lives, and its copy is not awaited any more [P-68]. */
static void a_cancelled_copy_is_not_in_flight(void **state)
{
    struct stage *w = *state;
    uint64_t s = stage_listen(w, &w->consultant_pc);
    post(w);
    assert_int_equal(take_all(w, s), 1);
    set_status(w, &w->consultant_pc.id, BRUG__V1__STATUS__STATUS_SUSPENDED);
    stage_flush(w);
    set_status(w, &w->consultant_pc.id, BRUG__V1__STATUS__STATUS_ACTIVE);
    stage_settle(w);
    assert_false(stage_is_closed(w, s, NULL));
    stage_subscribe(w, s, 10, 1);
    (void)take_all(w, s);
    (void)take_all(w, w->gp_pc.session);
    post(w);
    assert_int_equal(take_all(w, s), 1);
}

static void too_much_credit_closes(void **state)
{
    struct stage *w = *state;
    enum error why;
    uint64_t s = stage_listen(w, &w->consultant_pc);
    credit(w, s, 1, 0);
    assert_true(stage_is_closed(w, s, &why));
    assert_int_equal(why, ERROR_CREDIT_EXCEEDED);
    Brug__V1__ServerFrame *f = stage_take(w, s);
    assert_int_equal(f->frame_case, SERVER(GO_AWAY));
    assert_int_equal(f->go_away->code, ERROR_CREDIT_EXCEEDED);
}

static void a_full_output_queue_stops_deliveries_until_it_drains(void **state)
{
    struct stage *w = *state;
    for (unsigned i = 0; i < 3; i++)
        post(w);
    uint64_t s = stage_connect(w, &w->consultant_pc);
    stage_settle(w);
    stage_take(w, s);
    w->is_output_full = true;
    stage_subscribe(w, s, 100, 1u << 20);
    stage_settle(w);
    assert_int_equal(take_all(w, s), 1);
    w->is_output_full = false;
    stage_settle(w);
    assert_int_equal(take_all(w, s), 0);
    relay_on_drained(w->relay, s, w->now);
    stage_settle(w);
    assert_int_equal(take_all(w, s), 2);
}

static void a_backlog_beyond_the_cache_is_loaded_in_order(void **state)
{
    struct relay_limits limits = stage_limits();
    limits.body_cache_bytes_max = 10000;
    struct stage *w = stage_new(&limits);
    struct id ids[40];
    stage_listen(w, &w->gp_pc);
    for (size_t i = 0; i < 40; i++) {
        struct stage_letter l = referral(w);
        l.filler_bytes = i % 7 == 0 ? 12000 : 800;
        stage_post(w, &l);
        ids[i] = l.id;
    }
    assert_true(relay_state(w->relay)->cached_bytes <= 13000);
    stage_listen(w, &w->consultant_pc);
    for (size_t i = 0; i < 40; i++) {
        Brug__V1__Deliver *d = take_deliver(w, w->consultant_pc.session);
        assert_true(is_message(d, &ids[i]));
        assert_int_equal(d->sequence, i + 1);
    }
    stage_free(w);
    (void)state;
}

static void a_read_error_rests_and_goes_on(void **state)
{
    struct stage *w = *state;
    struct id id = post(w);
    stage_crash(w, stage_committed_lsn(w));
    w->load_result = ERROR_IO;
    stage_listen(w, &w->consultant_pc);
    w->load_result = ERROR_NONE;
    stage_settle(w);
    assert_null(stage_take(w, w->consultant_pc.session));
    int64_t due_ms = relay_next_deadline_ms(w->relay);
    assert_true(due_ms > w->now.wall_ms && due_ms < w->now.wall_ms + 60000);
    w->now.mono_ms += due_ms - w->now.wall_ms;
    w->now.wall_ms = due_ms;
    relay_on_time(w->relay, w->now);
    stage_settle(w);
    assert_true(is_message(take_deliver(w, w->consultant_pc.session), &id));
    assert_int_equal(stage_count_records(w, RECORD(QUARANTINED)), 0);
}

static void a_lost_body_goes_to_quarantine_and_the_next_letter_flows(void **state)
{
    struct stage *w = *state;
    struct id first = post(w), second = post(w);
    const struct message_key key = {w->practice, first};
    w->spoiled_lsn = message_find(w->tables, &key)->body_lsn;
    stage_crash(w, 0);
    stage_listen(w, &w->consultant_pc);
    assert_true(is_message(take_deliver(w, w->consultant_pc.session), &second));
    assert_null(stage_take(w, w->consultant_pc.session));
    stage_listen(w, &w->consultant2_pc);
    assert_true(is_message(take_deliver(w, w->consultant2_pc.session), &second));
    assert_int_equal(stage_count_records(w, RECORD(QUARANTINED)), 1);
    Brug__V1__DaemonStatus status = BRUG__V1__DAEMON_STATUS__INIT;
    size_t n;
    relay_status(w->relay, &status, NULL, 0, &n);
    assert_int_equal(status.quarantined, 1);
}

/* What a Pong says now. What came before it goes unseen. */
static bool has_more(struct stage *w, uint64_t session)
{
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Ping ping = BRUG__V1__PING__INIT;
    frame.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_PING;
    frame.ping = &ping;
    stage_send(w, session, &frame);
    for (Brug__V1__ServerFrame *f; (f = stage_take(w, session));)
        if (f->frame_case == SERVER(PONG))
            return f->pong->more;
    fail_msg("no Pong");
    return false;
}

/* By it a client that only fetches what waits knows that it has all, however slow the disk or the line is. */
static void a_pong_says_whether_more_waits(void **state)
{
    struct stage *w = *state;
    struct id first = post(w), second = post(w);
    uint64_t s = stage_connect(w, &w->consultant_pc);
    stage_settle(w);
    assert_true(has_more(w, s)); /* it did not subscribe */
    stage_subscribe(w, s, 1, 1u << 20);
    stage_settle(w);
    assert_true(has_more(w, s)); /* beyond its credit */
    stage_subscribe(w, s, 5, 1u << 20);
    stage_settle(w);
    assert_false(has_more(w, s)); /* although it acknowledged nothing */
    struct stage_letter third = referral(w);
    stage_submit(w, w->gp_pc.session, &third);
    stage_flush(w);
    assert_true(has_more(w, s)); /* not durable yet */
    stage_settle(w);
    assert_false(has_more(w, s));
    ack(w, s, &first);
    ack(w, s, &second);
    stage_crash(w, 0); /* no body is in memory */
    stage_listen(w, &w->gp_pc);
    s = stage_connect(w, &w->consultant_pc);
    stage_settle(w);
    stage_subscribe(w, s, 5, 1u << 20);
    stage_flush(w);
    assert_true(w->load_count > 0);
    assert_true(has_more(w, s)); /* on its way from the disk */
    stage_settle(w);
    assert_false(has_more(w, s));
}

static void a_damaged_letter_is_not_waited_for(void **state)
{
    struct stage *w = *state;
    const struct message_key key = {w->practice, post(w)};
    w->spoiled_lsn = message_find(w->tables, &key)->body_lsn;
    stage_crash(w, 0);
    assert_false(has_more(w, stage_listen(w, &w->consultant_pc)));
}

static void a_backlog_comes_in_order_after_a_start(void **state)
{
    struct stage *w = *state;
    struct id ids[50];
    for (size_t i = 0; i < 50; i++)
        ids[i] = post(w);
    stage_crash(w, stage_committed_lsn(w)); /* the rows come in no order */
    stage_listen(w, &w->consultant_pc);
    for (size_t i = 0; i < 50; i++)
        assert_true(is_message(take_deliver(w, w->consultant_pc.session), &ids[i]));
}

static void a_healed_letter_comes_late_and_others_not_again(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    stage_post(w, &l);
    struct id second = post(w);
    const struct message_key key = {w->practice, l.id};
    w->spoiled_lsn = message_find(w->tables, &key)->body_lsn;
    stage_crash(w, 0);
    stage_listen(w, &w->gp_pc);
    stage_listen(w, &w->consultant_pc);
    assert_true(is_message(take_deliver(w, w->consultant_pc.session), &second));
    stage_post(w, &l);
    assert_true(is_message(take_deliver(w, w->consultant_pc.session), &l.id));
    assert_null(stage_take(w, w->consultant_pc.session));
    /* From now on the new body counts. */
    stage_crash(w, stage_committed_lsn(w));
    stage_listen(w, &w->consultant_pc);
    assert_true(is_message(take_deliver(w, w->consultant_pc.session), &l.id));
    assert_true(is_message(take_deliver(w, w->consultant_pc.session), &second));
    assert_int_equal(stage_count_records(w, RECORD(QUARANTINED)), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_reader_gets_it_and_the_sender_does_not, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_delivery_waits_for_the_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(T5_an_ack_while_a_second_session_takes_over, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(T7_acknowledging_one_leaves_the_other, setup, teardown),
        cmocka_unit_test_setup_teardown(T9_after_a_crash_a_reader_gets_it_without_new_traffic,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(T13_a_receipt_that_cannot_be_sent_delivers_nothing_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            an_acked_waits_for_the_commit_and_a_repeat_is_answered_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(T17_a_foreign_message_and_an_unknown_one_are_alike, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_unreadable_letter_is_told_to_the_sender_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(opened_names_a_person_and_the_sender_sees_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_practice_system_opens_for_a_doctor, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_id_is_no_message_to_track, setup, teardown),
        cmocka_unit_test_setup_teardown(deliveries_stay_within_the_credit_in_messages, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_large_letter_goes_alone_over_a_small_credit, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_cancelled_copy_is_not_in_flight, setup, teardown),
        cmocka_unit_test_setup_teardown(too_much_credit_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_output_queue_stops_deliveries_until_it_drains, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_backlog_beyond_the_cache_is_loaded_in_order, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_read_error_rests_and_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_body_goes_to_quarantine_and_the_next_letter_flows,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_pong_says_whether_more_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_letter_is_not_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_backlog_comes_in_order_after_a_start, setup, teardown),
        cmocka_unit_test_setup_teardown(a_healed_letter_comes_late_and_others_not_again, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
