/* tests/unit/test_core_pump.c: groups, held answers, the waiting room, and what leaves memory. */
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

static struct id old_id(struct stage *w)
{
    struct id random = stage_case_id(w);
    return id_v7(w->now.wall_ms - 365ll * 86400 * 1000, random.bytes);
}

static void T34_nothing_that_was_judged_on_a_lost_group_leaves(void **state)
{
    struct stage *w = *state;
    uint64_t s = w->gp_pc.session;
    struct id unknown = stage_message_id(w), nobody = stage_case_id(w);
    struct stage_letter l = referral(w);
    struct stage_letter note = stage_letter(w, KIND(NOTE), &w->gp_pc, &w->team, &nobody);
    stage_submit(w, s, &l);
    stage_submit(w, s, &l);      /* a repeat */
    stage_submit(w, s, &note);   /* a refusal that is remembered */
    stage_track(w, s, &l.id);    /* a read */
    stage_track(w, s, &unknown); /* a read of nothing */
    note.id = ID_NONE;
    stage_submit(w, s, &note); /* a refusal that depends on nothing; it keeps its place */
    stage_flush(w);
    assert_null(stage_take(w, s));
    stage_crash(w, 0);
    assert_null(stage_take(w, s));
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)), 0);
    stage_listen(w, &w->gp_pc);
    stage_track(w, w->gp_pc.session, &l.id);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, w->gp_pc.session), ERROR_NO_SUCH_MESSAGE);
}

static void answers_leave_in_the_order_of_commit(void **state)
{
    struct stage *w = *state;
    uint64_t s = w->gp_pc.session;
    for (w->request = 10; w->request < 20; w->request++) {
        struct stage_letter l = referral(w);
        struct id unknown = stage_message_id(w);
        if (w->request % 3 == 0)
            stage_track(w, s, &unknown);
        else
            stage_submit(w, s, &l);
        if (w->request % 4 == 0)
            stage_flush(w);
    }
    stage_settle(w);
    for (uint64_t i = 10; i < 20; i++)
        assert_int_equal(stage_take(w, s)->request, i);
}

static void T16_a_recorded_command_played_again_changes_nothing(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    stage_post(w, &l);
    uint64_t c = stage_listen(w, &w->consultant_pc);
    stage_ack(w, c, &w->practice, &l.id, ERROR_NONE);
    stage_opened(w, c, &w->practice, &l.id, &w->consultant);
    stage_settle(w);
    for (unsigned i = 0; i < 2; i++) {
        struct digest before, after;
        stage_crash(w, i ? stage_committed_lsn(w) : 0);
        stage_listen(w, &w->gp_pc);
        c = stage_listen(w, &w->consultant_pc);
        size_t records = w->row_count;
        assert_int_equal(state_digest(relay_state(w->relay), &before), 0);
        stage_submit(w, w->gp_pc.session, &l);
        stage_ack(w, c, &w->practice, &l.id, ERROR_NONE);
        stage_ack(w, c, &w->practice, &l.id, ERROR_LETTER_DECRYPT);
        stage_opened(w, c, &w->practice, &l.id, &w->consultant);
        stage_settle(w);
        assert_int_equal(state_digest(relay_state(w->relay), &after), 0);
        assert_memory_equal(&before, &after, sizeof before);
        assert_int_equal(w->row_count, records);
        assert_int_equal(stage_take_code(w, w->gp_pc.session), ERROR_NONE);
    }
}

static void a_group_is_bounded_and_a_decision_is_never_split(void **state)
{
    struct relay_limits limits = stage_limits();
    limits.group_bytes_max = 3000;
    struct stage *w = stage_new(&limits);
    stage_listen(w, &w->gp_pc);
    for (unsigned i = 0; i < 40; i++) {
        struct stage_letter l = referral(w);
        l.filler_bytes = 500;
        stage_submit(w, w->gp_pc.session, &l);
    }
    stage_flush(w);
    size_t groups = 0;
    for (; w->in_flight; groups++) {
        assert_true(w->in_flight->records.len + w->in_flight->body_bytes < 3000 + 1500);
        assert_int_equal(w->in_flight->count % 2, 0); /* ACCEPTED and CASE_MOVED */
        stage_commit(w);
    }
    assert_true(groups >= 10);
    assert_int_equal(stage_count_records(w, RECORD(CASE_MOVED)), 40);
    stage_free(w);
    (void)state;
}

static void one_group_is_in_flight_and_the_next_gathers(void **state)
{
    struct stage *w = *state;
    struct stage_letter a = referral(w), b = referral(w), c = referral(w);
    stage_submit(w, w->gp_pc.session, &a);
    stage_flush(w);
    assert_int_equal(w->in_flight->body_count, 1);
    stage_submit(w, w->gp_pc.session, &b);
    stage_flush(w);
    stage_submit(w, w->gp_pc.session, &c);
    stage_flush(w);
    stage_commit(w);
    assert_int_equal(w->in_flight->body_count, 2);
    stage_commit(w);
    assert_null(w->in_flight);
}

static void commands_on_one_id_queue_behind_its_load(void **state)
{
    struct stage *w = *state;
    uint64_t s = w->gp_pc.session;
    struct stage_letter l = referral(w), other = referral(w);
    l.id = old_id(w);
    stage_submit(w, s, &l);
    stage_submit(w, s, &l);
    stage_track(w, s, &l.id);
    l.sealed = "other bytes";
    stage_submit(w, s, &l);
    assert_int_equal(w->load_count, 1); /* the others wait behind it */
    stage_submit(w, s, &other);         /* does not wait */
    stage_flush(w);
    stage_commit(w);
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(RECEIPT));
    assert_null(stage_take(w, s));
    stage_settle(w);
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(RECEIPT));
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(RECEIPT));
    assert_int_equal(stage_take(w, s)->frame_case, SERVER(TRACKED));
    assert_int_equal(stage_take_code(w, s), ERROR_ID_REUSED);
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)), 2);
}

static void a_note_queues_behind_the_referral_of_its_case(void **state)
{
    struct stage *w = *state;
    uint64_t s = w->gp_pc.session;
    struct stage_letter l = referral(w);
    struct stage_letter note = stage_letter(w, KIND(NOTE), &w->gp_pc, &w->team, &l.case_id);
    l.id = old_id(w);
    stage_submit(w, s, &l);
    stage_submit(w, s, &note); /* NO_SUCH_CASE if it overtook */
    stage_settle(w);
    assert_int_equal(stage_take_code(w, s), ERROR_NONE);
    assert_int_equal(stage_take_code(w, s), ERROR_NONE);
}

static void a_full_waiting_room_is_busy(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    uint64_t s = stage_listen(w, &w->gp2_pc);
    for (uint32_t i = 0; i < w->limits.waiting_commands_max; i++) {
        l.id = old_id(w);
        stage_track(w, i % 2 ? s : w->gp_pc.session, &l.id);
    }
    l = referral(w);
    l.id = old_id(w);
    stage_submit(w, w->gp_pc.session, &l);
    Brug__V1__ServerFrame *f = stage_take(w, w->gp_pc.session);
    assert_int_equal(f->refused->code, BRUG__V1__CODE__CODE_BUSY);
    assert_true(f->refused->passing && f->refused->retry_after_ms > 0);
    stage_settle(w);
    while (stage_take(w, w->gp_pc.session))
        continue;
    stage_submit(w, w->gp_pc.session, &l);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, w->gp_pc.session), ERROR_NONE);
    assert_true(relay_is_idle(w->relay));
}

static void a_load_that_fails_is_a_passing_refusal(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    l.id = old_id(w);
    w->load_result = ERROR_IO;
    stage_submit(w, w->gp_pc.session, &l);
    stage_submit(w, w->gp_pc.session, &l);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, w->gp_pc.session), ERROR_BUSY);
    assert_int_equal(stage_take_code(w, w->gp_pc.session), ERROR_BUSY);
    assert_true(stage_saw_event(w, "message.unread"));
    w->load_result = ERROR_NONE;
    stage_submit(w, w->gp_pc.session, &l);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, w->gp_pc.session), ERROR_NONE);
}

static void who_waits_goes_on_unheard_when_its_session_is_gone(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    l.id = old_id(w);
    stage_submit(w, w->gp_pc.session, &l);
    stage_disconnect(w, &w->gp_pc);
    stage_settle(w);
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)), 1);
    stage_listen(w, &w->gp_pc);
    assert_null(stage_take(w, w->gp_pc.session));
}

static void what_is_old_and_folded_leaves_memory(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    struct stage_endpoint *readers[] = {&w->gp2_pc, &w->system, &w->consultant_pc,
                                        &w->consultant2_pc};
    l.id = old_id(w);
    stage_post(w, &l);
    const struct message_key key = {w->practice, l.id};
    relay_set_folded(w->relay, stage_committed_lsn(w));
    assert_non_null(message_find(relay_state(w->relay), &key)); /* it waits */
    for (size_t i = 0; i < 4; i++) {
        stage_listen(w, readers[i]);
        stage_ack(w, readers[i]->session, &w->practice, &l.id, ERROR_NONE);
        stage_settle(w);
    }
    uint64_t last_ack = stage_committed_lsn(w);
    relay_set_folded(w->relay, last_ack - 1);
    assert_non_null(message_find(relay_state(w->relay), &key)); /* its last record is not folded */
    stage_opened(w, w->consultant_pc.session, &w->practice, &l.id, &w->consultant);
    stage_settle(w);
    relay_set_folded(w->relay, last_ack);
    assert_non_null(message_find(relay_state(w->relay), &key));
    relay_set_folded(w->relay, stage_committed_lsn(w));
    assert_null(message_find(relay_state(w->relay), &key));
    /* Recalled, touched, and gone again. */
    stage_opened(w, w->consultant2_pc.session, &w->practice, &l.id, &w->consultant2);
    assert_int_equal(w->load_count, 1);
    stage_settle(w);
    assert_non_null(message_find(relay_state(w->relay), &key));
    relay_set_folded(w->relay, stage_committed_lsn(w));
    assert_null(message_find(relay_state(w->relay), &key));
    stage_track(w, w->gp_pc.session, &l.id);
    stage_settle(w);
    Brug__V1__Tracked *t = stage_take(w, w->gp_pc.session)->tracked;
    unsigned opened = 0;
    for (size_t i = 0; i < t->n_readers; i++)
        opened += t->readers[i]->opened_at_ms > 0;
    assert_int_equal(opened, 2);
    assert_null(message_find(relay_state(w->relay), &key));
}

static void an_unknown_record_stops_a_start(void **state)
{
    struct stage *w = *state;
    struct state *s = stage_replay(w, 0);
    uint64_t lsn = state_lsn(s);
    assert_int_equal(apply_record(s, lsn + 1, 9999, SLICE_NONE), ERROR_STORE_FORMAT);
    assert_int_equal(apply_record(s, lsn + 1, RECORD(ACCEPTED), slice_text("\xff\xff")),
                     ERROR_CORRUPT);
    assert_int_equal(apply_record(s, lsn + 1, RECORD(ACCEPTED), SLICE_NONE), ERROR_CORRUPT);
    assert_int_equal(apply_record(s, lsn, 9999, SLICE_NONE), ERROR_NONE); /* applied long ago */
    assert_int_equal(state_lsn(s), lsn);
    state_free(s);
}

static void the_status_counts(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w), unknown = referral(w);
    stage_post(w, &l);
    unknown.kind = KIND(NOTE);
    stage_submit(w, w->gp_pc.session, &unknown);
    stage_settle(w);
    relay_count_refusal(w->relay, ERROR_TLS_EXPIRED);
    Brug__V1__DaemonStatus s = BRUG__V1__DAEMON_STATUS__INIT;
    Brug__V1__CodeCount counts[8];
    size_t n;
    relay_status(w->relay, &s, counts, 8, &n);
    assert_int_equal(s.accepted, 1);
    assert_int_equal(s.waiting_messages, 4);
    assert_true(s.waiting_bytes > 0 && s.accepts);
    assert_int_equal(s.sessions, 1);
    assert_int_equal(s.lsn, s.durable_lsn);
    assert_int_equal(n, 2);
    assert_int_equal(counts[0].code, BRUG__V1__CODE__CODE_TLS_EXPIRED);
    assert_int_equal(counts[1].code, BRUG__V1__CODE__CODE_NO_SUCH_CASE);
}

static void a_body_is_canonical_or_corrupt(void **state)
{
    struct body *b = body_new(slice_text("header"), slice_text("sealed")), *again;
    struct slice header, sealed;
    assert_non_null(b);
    assert_int_equal(b->len, 2 + 6 + 2 + 6);
    body_parts(b, &header, &sealed);
    assert_true(slice_equal(header, slice_text("header")));
    assert_true(slice_equal(sealed, slice_text("sealed")));
    assert_int_equal(body_from_stored(&again, slice_of(b->bytes, b->len)), 0);
    assert_true(digest_equal(&b->digest, &again->digest));
    body_unref(again);
    for (size_t len = 1; len < b->len; len++)
        if (len != 8) /* where the header ends */
            assert_int_equal(body_from_stored(&again, slice_of(b->bytes, len)), ERROR_CORRUPT);
    static const char *const BAD[] = {"\x1a\x01x\x0a\x01x", "\x0a\x01x\x0a\x01x", "\x0a\x81\x00x",
                                      "\x22\x01x"};
    static const size_t LENGTHS[] = {6, 6, 4, 3};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(body_from_stored(&again, slice_of(BAD[i], LENGTHS[i])), ERROR_CORRUPT);
    body_unref(b);
    (void)state;
}

static void a_group_gives_back_its_records(void **state)
{
    struct group *g = group_new(7);
    struct slice rest, payload;
    unsigned type;
    assert_int_equal(group_append(g, 300, slice_text("one")), 0);
    assert_int_equal(group_append(g, 2, SLICE_NONE), 0);
    rest = buf_slice(&g->records);
    assert_int_equal(group_next_record(&rest, &type, &payload), 0);
    assert_int_equal(type, 300);
    assert_true(slice_equal(payload, slice_text("one")));
    struct slice cut = {rest.data, rest.len - 1};
    assert_int_equal(group_next_record(&cut, &type, &payload), ERROR_CORRUPT);
    assert_int_equal(group_next_record(&rest, &type, &payload), 0);
    assert_int_equal(type, 2);
    assert_int_equal(rest.len, 0);
    group_free(g);
    group_free(NULL);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(T34_nothing_that_was_judged_on_a_lost_group_leaves, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(answers_leave_in_the_order_of_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(T16_a_recorded_command_played_again_changes_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_group_is_bounded_and_a_decision_is_never_split, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(one_group_is_in_flight_and_the_next_gathers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(commands_on_one_id_queue_behind_its_load, setup, teardown),
        cmocka_unit_test_setup_teardown(a_note_queues_behind_the_referral_of_its_case, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_full_waiting_room_is_busy, setup, teardown),
        cmocka_unit_test_setup_teardown(a_load_that_fails_is_a_passing_refusal, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_goes_on_unheard_when_its_session_is_gone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_is_old_and_folded_leaves_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_record_stops_a_start, setup, teardown),
        cmocka_unit_test_setup_teardown(the_status_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_is_canonical_or_corrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(a_group_gives_back_its_records, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
