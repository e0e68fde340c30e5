/* tests/unit/test_core_submit.c: offering a letter: receipts, repeats and every refusal. */
#include "tests/lib/stage.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name

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

static enum error offer(struct stage *w, struct stage_endpoint *e, const struct stage_letter *l)
{
    stage_submit(w, e->session, l);
    stage_settle(w);
    return stage_take_code(w, e->session);
}

static void a_receipt_waits_for_the_commit(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    stage_submit(w, w->gp_pc.session, &l);
    stage_flush(w);
    assert_null(stage_take(w, w->gp_pc.session));
    assert_true(stage_commit(w));
    Brug__V1__ServerFrame *s = stage_take(w, w->gp_pc.session);
    assert_non_null(s);
    assert_int_equal(s->request, 1);
    assert_int_equal(s->frame_case, BRUG__V1__SERVER_FRAME__FRAME_RECEIPT);
    assert_int_equal(s->receipt->stored_at_ms, STAGE_NOW_MS);
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)), 1);
    assert_int_equal(stage_count_records(w, RECORD(CASE_MOVED)), 1);
}

static void T1_a_cut_before_the_answer_and_the_same_again(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    stage_submit(w, w->gp_pc.session, &l);
    stage_flush(w);
    stage_disconnect(w, &w->gp_pc);
    stage_settle(w);
    w->now.wall_ms += 5000;
    stage_listen(w, &w->gp_pc);
    stage_submit(w, w->gp_pc.session, &l);
    stage_settle(w);
    Brug__V1__ServerFrame *s = stage_take(w, w->gp_pc.session);
    assert_int_equal(s->frame_case, BRUG__V1__SERVER_FRAME__FRAME_RECEIPT);
    assert_int_equal(s->receipt->stored_at_ms, STAGE_NOW_MS);
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)), 1);
    assert_true(stage_saw_event(w, "message.repeated")); /* T6 */
}

static void T2_the_same_id_with_other_bytes(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    stage_post(w, &l);
    uint64_t lsn = stage_committed_lsn(w);
    l.sealed = "other bytes";
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_ID_REUSED);
    assert_int_equal(stage_committed_lsn(w), lsn);
    assert_true(stage_saw_event(w, "submit.refused"));
    l.sealed = "sealed bytes";
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NONE);
}

static void T3_what_was_judged_and_refused_stays_refused(void **state)
{
    struct stage *w = *state;
    struct id unknown_case = stage_case_id(w);
    struct stage_letter l = stage_letter(w, KIND(NOTE), &w->gp_pc, &w->team, &unknown_case);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NO_SUCH_CASE);
    struct stage_letter opening =
        stage_letter(w, KIND(REFERRAL), &w->gp_pc, &w->team, &unknown_case);
    stage_post(w, &opening);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NO_SUCH_CASE);
    stage_crash(w, stage_committed_lsn(w) / 2);
    stage_listen(w, &w->gp_pc);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NO_SUCH_CASE);
    assert_int_equal(stage_count_records(w, RECORD(REFUSAL)), 1);
    l.id = stage_message_id(w);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NONE);
}

static void T3_what_was_accepted_stays_accepted(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    stage_post(w, &l);
    stage_set_status(w, BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_ORGANISATION, &w->team,
                     BRUG__V1__STATUS__STATUS_SUSPENDED);
    assert_int_equal(stage_take(w, w->gp_pc.session)->frame_case,
                     BRUG__V1__SERVER_FRAME__FRAME_DIRECTORY_MOVED);
    while (stage_take(w, w->gp_pc.session))
        continue; /* the non-delivery */
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NONE);
}

static void T4_a_repeat_never_gets_a_passing_answer(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    stage_post(w, &l);
    relay_set_room(w->relay, false);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NONE);
    struct stage_letter other = referral(w);
    assert_int_equal(offer(w, &w->gp_pc, &other), ERROR_FULL);
}

static void a_malformed_id_or_one_of_the_relay_is_refused(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    l.id = stage_id(8, 77);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_ID_MALFORMED);
    l.id = stage_id(1, 77);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_ID_MALFORMED);
    l.id = ID_NONE;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_ID_MALFORMED);
    assert_int_equal(stage_count_records(w, RECORD(REFUSAL)), 0);
}

static void the_sender_is_the_endpoint_of_the_session(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    l.from = &w->gp2_pc;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_SENDER_MISMATCH);
    l = referral(w);
    l.person = w->gp2;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_SENDER_MISMATCH);
    l.person = ID_NONE;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_SENDER_MISMATCH);
}

static void a_practice_system_names_an_active_doctor(void **state)
{
    struct stage *w = *state;
    struct id assistant = stage_id(4, 50), case_id = stage_case_id(w);
    stage_add_person(w, &assistant, &w->practice, BRUG__V1__ROLE__ROLE_ASSISTANT, 0);
    stage_listen(w, &w->system);
    struct stage_letter l = stage_letter(w, KIND(REFERRAL), &w->system, &w->team, &case_id);
    l.person = assistant;
    assert_int_equal(offer(w, &w->system, &l), ERROR_SENDER_MISMATCH);
    l.person = w->consultant;
    assert_int_equal(offer(w, &w->system, &l), ERROR_SENDER_MISMATCH);
    l.person = w->gp2;
    assert_int_equal(offer(w, &w->system, &l), ERROR_NONE);
}

/* I3, T4: the practice system asks again after its doctor has left. */
static void a_repeat_is_answered_when_its_person_is_suspended(void **state)
{
    struct stage *w = *state;
    struct id case_id = stage_case_id(w);
    stage_listen(w, &w->system);
    struct stage_letter l = stage_letter(w, KIND(REFERRAL), &w->system, &w->team, &case_id);
    l.person = w->gp2;
    assert_int_equal(offer(w, &w->system, &l), ERROR_NONE);
    stage_set_status(w, BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_PERSON, &w->gp2,
                     BRUG__V1__STATUS__STATUS_SUSPENDED);
    assert_int_equal(stage_take(w, w->system.session)->frame_case,
                     BRUG__V1__SERVER_FRAME__FRAME_DIRECTORY_MOVED);
    assert_int_equal(offer(w, &w->system, &l), ERROR_NONE);
    l.sealed = "other bytes";
    assert_int_equal(offer(w, &w->system, &l), ERROR_ID_REUSED);
    l.id = stage_message_id(w);
    assert_int_equal(offer(w, &w->system, &l), ERROR_SENDER_MISMATCH);
}

static void the_form_is_checked_and_not_remembered(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    l.has_no_ground = true;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_CODE_MISSING);
    l.has_no_ground = false;
    l.filler_bytes = w->limits.message_bytes_max;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_MESSAGE_TOO_LARGE);
    l.filler_bytes = 0;
    l.sealed = "";
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NOTHING_SEALED);
    l.sealed = "sealed bytes";
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NONE);
    assert_int_equal(stage_count_records(w, RECORD(REFUSAL)), 0);
}

static void too_many_readers_are_refused(void **state)
{
    struct relay_limits limits = stage_limits();
    limits.readers_max = 2;
    struct stage *w = stage_new(&limits);
    stage_listen(w, &w->gp_pc);
    struct stage_letter l = referral(w);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_TOO_MANY_READERS);
    stage_free(w);
    (void)state;
}

static void other_kinds_wait_for_a_newer_relay(void **state)
{
    struct stage *w = *state;
    struct id case_id = stage_case_id(w);
    struct stage_letter l = stage_letter(w, KIND(FACT), &w->gp_pc, &w->team, &case_id);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_UPDATE_RELAY);
}

static void a_role_sends_only_its_kinds(void **state)
{
    struct stage *w = *state;
    stage_listen(w, &w->consultant_pc);
    struct id case_id = stage_case_id(w);
    struct stage_letter l =
        stage_letter(w, KIND(REFERRAL), &w->consultant_pc, &w->practice, &case_id);
    assert_int_equal(offer(w, &w->consultant_pc, &l), ERROR_ROLE_NOT_ALLOWED);
    l = stage_letter(w, KIND(NOTICE), &w->gp_pc, &w->team, NULL);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_ROLE_NOT_ALLOWED);
    l = stage_letter(w, KIND(NOTICE), &w->consultant_pc, &w->practice, NULL);
    assert_int_equal(offer(w, &w->consultant_pc, &l), ERROR_NONE);
}

static void a_foreign_addressee_and_an_unknown_one_are_alike(void **state)
{
    struct stage *w = *state;
    struct id nobody = stage_id(4, 60);
    struct stage_letter l = referral(w);
    l.to = nobody;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_UNKNOWN_ADDRESSEE);
    l.id = stage_message_id(w);
    l.to = w->stranger;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_UNKNOWN_ADDRESSEE);
    l.id = stage_message_id(w);
    l.to = w->practice;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_UNKNOWN_ADDRESSEE);
    l.id = stage_message_id(w);
    l.to = w->team;
    l.municipality = w->other_municipality;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_UNKNOWN_ADDRESSEE);
    l.id = stage_message_id(w);
    l.municipality = nobody;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_UNKNOWN_ADDRESSEE);
    assert_int_equal(stage_count_records(w, RECORD(REFUSAL)), 5);
}

static int compare_ids(const void *a, const void *b) { return id_compare(a, b); }

static void readers_match_the_directory_exactly(void **state)
{
    struct stage *w = *state;
    struct stage_letter right = referral(w), l = right;
    l.reader_count--;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_DIRECTORY_CHANGED);
    l = right;
    l.readers[l.reader_count - 1] = w->stranger_pc.id;
    qsort(l.readers, l.reader_count, sizeof *l.readers, compare_ids);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_DIRECTORY_CHANGED);
    l = right;
    l.copy_count = 0;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_DIRECTORY_CHANGED);
    l = right;
    l.copies[0] = w->stranger_pc.id;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_DIRECTORY_CHANGED);
    assert_int_equal(stage_count_records(w, RECORD(REFUSAL)), 0);
    assert_int_equal(right.reader_count, 4);
    assert_int_equal(offer(w, &w->gp_pc, &right), ERROR_NONE);
}

static void a_team_without_readers_or_recovery_is_not_addressed(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    stage_set_status(w, BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_ENDPOINT, &w->consultant2_pc.id,
                     BRUG__V1__STATUS__STATUS_SUSPENDED);
    stage_take(w, w->gp_pc.session);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NOT_ADDRESSABLE);
    stage_set_status(w, BRUG__V1__OBJECT_TYPE__OBJECT_TYPE_PERSON, &w->consultant,
                     BRUG__V1__STATUS__STATUS_SUSPENDED);
    stage_take(w, w->gp_pc.session);
    l.id = stage_message_id(w);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NO_READER);
}

static void a_case_is_opened_once_and_lies_between_two(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    stage_post(w, &l);
    struct stage_letter again = referral(w);
    again.case_id = l.case_id;
    assert_int_equal(offer(w, &w->gp_pc, &again), ERROR_CASE_EXISTS);
    struct stage_letter note = stage_letter(w, KIND(NOTE), &w->gp_pc, &w->team, &l.case_id);
    stage_post(w, &note);
    stage_listen(w, &w->consultant_pc);
    while (stage_take(w, w->consultant_pc.session))
        continue;
    note = stage_letter(w, KIND(NOTE), &w->consultant_pc, &w->practice, &l.case_id);
    stage_post(w, &note);
    struct id unknown = stage_case_id(w);
    note = stage_letter(w, KIND(NOTE), &w->consultant_pc, &w->practice, &unknown);
    assert_int_equal(offer(w, &w->consultant_pc, &note), ERROR_NO_SUCH_CASE);
}

static void T10_a_full_quota_is_passing_and_ends_with_an_ack(void **state)
{
    struct relay_limits limits = stage_limits();
    limits.quota_messages_max = 1;
    struct stage *w = stage_new(&limits);
    stage_listen(w, &w->gp_pc);
    struct stage_letter first = referral(w), second = referral(w);
    stage_post(w, &first);
    assert_int_equal(offer(w, &w->gp_pc, &second), ERROR_QUOTA_FULL);
    /* The sender's own colleague does not count. */
    stage_listen(w, &w->gp2_pc);
    stage_ack(w, w->gp2_pc.session, &w->practice, &first.id, ERROR_NONE);
    stage_settle(w);
    assert_int_equal(offer(w, &w->gp_pc, &second), ERROR_QUOTA_FULL);
    stage_listen(w, &w->consultant_pc);
    stage_ack(w, w->consultant_pc.session, &w->practice, &first.id, ERROR_NONE);
    stage_settle(w);
    assert_int_equal(offer(w, &w->gp_pc, &second), ERROR_NONE);
    stage_free(w);
    (void)state;
}

static void T10_a_full_relay_says_so_and_remembers_nothing(void **state)
{
    struct relay_limits limits = stage_limits();
    limits.waiting_max = 7;
    struct stage *w = stage_new(&limits);
    stage_listen(w, &w->gp_pc);
    struct stage_letter first = referral(w), second = referral(w);
    stage_post(w, &first);
    assert_int_equal(offer(w, &w->gp_pc, &second), ERROR_FULL);
    stage_listen(w, &w->gp2_pc);
    stage_ack(w, w->gp2_pc.session, &w->practice, &first.id, ERROR_NONE);
    stage_settle(w);
    assert_int_equal(offer(w, &w->gp_pc, &second), ERROR_NONE);
    stage_free(w);
    (void)state;
}

static void T32_a_clock_ahead_is_passing(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    struct id random = stage_id(4, 70);
    l.id = id_v7(w->now.wall_ms + 365ll * 86400 * 1000, random.bytes);
    stage_submit(w, w->gp_pc.session, &l);
    stage_settle(w);
    Brug__V1__ServerFrame *s = stage_take(w, w->gp_pc.session);
    assert_int_equal(s->refused->code, BRUG__V1__CODE__CODE_CLOCK_AHEAD);
    assert_true(s->refused->passing);
    assert_int_equal(s->refused->retry_after_ms, UINT32_MAX);
    l.id = id_v7(w->now.wall_ms + 601 * 1000, random.bytes);
    stage_submit(w, w->gp_pc.session, &l);
    stage_settle(w);
    assert_int_equal(stage_take(w, w->gp_pc.session)->refused->retry_after_ms, 1000);
    w->now.wall_ms += 1000;
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NONE);
}

static void T32_an_old_id_is_looked_up_and_never_accepted_twice(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    struct id random = stage_id(4, 71);
    l.id = id_v7(w->now.wall_ms - 365ll * 86400 * 1000, random.bytes);
    stage_submit(w, w->gp_pc.session, &l);
    assert_int_equal(w->load_count, 1);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, w->gp_pc.session), ERROR_NONE);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NONE);
    l.sealed = "other bytes";
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_ID_REUSED);
    assert_int_equal(stage_count_records(w, RECORD(ACCEPTED)), 1);
}

static void T32_a_random_id_is_forgotten_by_memory_and_known_by_the_tables(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = stage_letter(w, KIND(REFERRAL), &w->gp_pc, &w->team,
                                         &(struct id){{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89}});
    l.id = stage_id(4, 72);
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NONE);
    struct stage_endpoint *readers[] = {&w->gp2_pc, &w->system, &w->consultant_pc,
                                        &w->consultant2_pc};
    for (size_t i = 0; i < 4; i++) {
        stage_listen(w, readers[i]);
        stage_ack(w, readers[i]->session, &w->practice, &l.id, ERROR_NONE);
        stage_settle(w);
    }
    const struct message_key key = {w->practice, l.id};
    assert_non_null(message_find(relay_state(w->relay), &key));
    relay_set_folded(w->relay, stage_committed_lsn(w));
    assert_null(message_find(relay_state(w->relay), &key));
    stage_submit(w, w->gp_pc.session, &l);
    assert_int_equal(w->load_count, 1);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, w->gp_pc.session), ERROR_NONE);
    l.sealed = "other bytes";
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_ID_REUSED);
    /* What a load brought and no record touched is gone again. */
    assert_null(message_find(relay_state(w->relay), &key));
}

static void a_header_that_does_not_decode_is_refused(void **state)
{
    struct stage *w = *state;
    Brug__V1__ClientFrame frame = BRUG__V1__CLIENT_FRAME__INIT;
    Brug__V1__Submit submit = BRUG__V1__SUBMIT__INIT;
    Brug__V1__Envelope envelope = BRUG__V1__ENVELOPE__INIT;
    envelope.header = slice_bytes(slice_text("\x0a\xff\xff"));
    envelope.sealed = slice_bytes(slice_text("sealed"));
    submit.envelope = &envelope;
    frame.frame_case = BRUG__V1__CLIENT_FRAME__FRAME_SUBMIT;
    frame.submit = &submit;
    stage_send(w, w->gp_pc.session, &frame);
    stage_settle(w);
    assert_int_equal(stage_take_code(w, w->gp_pc.session), ERROR_HEADER_MALFORMED);
}

static void the_senders_repeat_heals_a_bad_body(void **state)
{
    struct stage *w = *state;
    struct stage_letter l = referral(w);
    stage_post(w, &l);
    w->spoiled_lsn = message_find(w->tables, &(struct message_key){w->practice, l.id})->body_lsn;
    stage_crash(w, stage_committed_lsn(w));
    stage_listen(w, &w->gp_pc);
    stage_listen(w, &w->consultant_pc);
    assert_null(stage_take(w, w->consultant_pc.session));
    assert_int_equal(stage_count_records(w, RECORD(QUARANTINED)), 1);
    assert_true(stage_saw_event(w, "message.quarantined"));
    assert_int_equal(relay_state(w->relay)->quarantined, 1);
    l.sealed = "other bytes";
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_ID_REUSED);
    l.sealed = "sealed bytes";
    assert_int_equal(offer(w, &w->gp_pc, &l), ERROR_NONE);
    assert_int_equal(stage_count_records(w, RECORD(HEALED)), 1);
    Brug__V1__ServerFrame *s = stage_take(w, w->consultant_pc.session);
    assert_non_null(s);
    assert_int_equal(s->frame_case, BRUG__V1__SERVER_FRAME__FRAME_DELIVER);
    assert_int_equal(relay_state(w->relay)->quarantined, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_receipt_waits_for_the_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(T1_a_cut_before_the_answer_and_the_same_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(T2_the_same_id_with_other_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(T3_what_was_judged_and_refused_stays_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(T3_what_was_accepted_stays_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(T4_a_repeat_never_gets_a_passing_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_malformed_id_or_one_of_the_relay_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_sender_is_the_endpoint_of_the_session, setup, teardown),
        cmocka_unit_test_setup_teardown(a_practice_system_names_an_active_doctor, setup, teardown),
        cmocka_unit_test_setup_teardown(a_repeat_is_answered_when_its_person_is_suspended, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_form_is_checked_and_not_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_readers_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(other_kinds_wait_for_a_newer_relay, setup, teardown),
        cmocka_unit_test_setup_teardown(a_role_sends_only_its_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(a_foreign_addressee_and_an_unknown_one_are_alike, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(readers_match_the_directory_exactly, setup, teardown),
        cmocka_unit_test_setup_teardown(a_team_without_readers_or_recovery_is_not_addressed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_case_is_opened_once_and_lies_between_two, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(T10_a_full_quota_is_passing_and_ends_with_an_ack, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(T10_a_full_relay_says_so_and_remembers_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(T32_a_clock_ahead_is_passing, setup, teardown),
        cmocka_unit_test_setup_teardown(T32_an_old_id_is_looked_up_and_never_accepted_twice, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            T32_a_random_id_is_forgotten_by_memory_and_known_by_the_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(a_header_that_does_not_decode_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_senders_repeat_heals_a_bad_body, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
