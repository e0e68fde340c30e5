/* tests/unit/test_case.c: proposals, bridging care, custody and closing, rule by rule; test_case_table.c has the whole
 * table. */
#include "tests/lib/case_compare.h"
#include "tests/lib/case_desk.h"
#include "tests/lib/case_oracle.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define OUTCOME(name) BRUG__V1__OUTCOME__OUTCOME_##name
#define EVENT(name) BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_##name
#define DECLINE(name) BRUG__V1__DECLINE_REASON__DECLINE_REASON_##name
#define PRACTICE BRUG__V1__SIDE__SIDE_PRACTICE
#define TEAM BRUG__V1__SIDE__SIDE_TEAM
#define NOBODY BRUG__V1__SIDE__SIDE_NONE
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

#define MONDAY DESK_MONDAY
#define MONDAYS 0x01u

/* ---- bridging care ---- */

static void t20_bridging_is_in_force_only_with_both_sides_consent(void **state)
{
    struct desk d;
    desk_clarify(&d);
    desk_do(&d, &ANNA, KIND(BRIDGING_PROPOSAL));
    assert_int_equal(d.c.bridging.by, NOBODY);
    assert_int_equal(d.c.bridging_proposed.by, TEAM);
    desk_refuse(&d, &BAS, KIND(BRIDGING_ANSWER), ERROR_NO_PROPOSAL); /* of the own side */
    desk_wait_until(&d, d.today + 10);
    assert_int_equal(d.c.bridging.by, NOBODY);
    desk_do(&d, &LOES, KIND(BRIDGING_ANSWER));
    assert_int_equal(d.c.bridging.by, TEAM);
    assert_true(id_equal(&d.c.bridging.person, &ANNA.person));
    assert_int_equal(d.c.bridging.carrier, BRUG__V1__BRIDGING_CARRIER__BRIDGING_CARRIER_PROVIDER);
    assert_int_equal(d.c.bridging_proposed.by, NOBODY);
}

static void t20_an_objection_or_a_retraction_leaves_no_bridging(void **state)
{
    struct desk d;
    desk_refer(&d);
    desk_do(&d, &FENNA, KIND(BRIDGING_PROPOSAL));
    desk_object(&d, &BAS, KIND(BRIDGING_ANSWER));
    assert_int_equal(d.c.bridging.by, NOBODY);
    assert_int_equal(d.c.bridging_proposed.by, NOBODY);
    desk_do(&d, &ANNA, KIND(BRIDGING_PROPOSAL));
    desk_write(&d, KIND(RETRACT))->in_reply_to = sample_bytes(&d.c.bridging_proposed.message_id);
    assert_int_equal(desk_send(&d, &ANNA), ERROR_NONE);
    desk_refuse(&d, &FENNA, KIND(BRIDGING_ANSWER), ERROR_NO_PROPOSAL);
    assert_int_equal(d.c.bridging.by, NOBODY);
    assert_int_equal(desk_count(&d, OWED(BRIDGING_ANSWER)), 0);
}

static void consent_to_what_has_passed_is_refused(void **state)
{
    struct desk d;
    desk_clarify(&d);
    desk_do(&d, &ANNA, KIND(BRIDGING_PROPOSAL));
    desk_wait_until(&d, d.c.bridging_proposed.until_date + 1);
    desk_refuse(&d, &FENNA, KIND(BRIDGING_ANSWER), ERROR_DATE_NOT_ALLOWED);
    desk_object(&d, &FENNA, KIND(BRIDGING_ANSWER));
}

static void bridging_in_force_keeps_the_case_open(void **state)
{
    struct desk d;
    desk_clarify(&d);
    desk_bridge(&d);
    desk_refuse(&d, &ANNA, KIND(CLOSING), ERROR_BRIDGING_IN_FORCE);
    desk_refuse(&d, &ANNA, KIND(STOP_PROPOSAL), ERROR_BRIDGING_IN_FORCE);
    desk_refuse(&d, &ANNA, KIND(DECLINE_PROPOSAL), ERROR_BRIDGING_IN_FORCE);
    desk_refuse(&d, &FENNA, KIND(WITHDRAWAL), ERROR_BRIDGING_IN_FORCE);
    desk_do(&d, &FENNA, KIND(BRIDGING_END));
    desk_do(&d, &ANNA, KIND(CLOSING));
}

static void bridging_in_force_stops_only_the_acceptance_of_a_proposal(void **state)
{
    struct desk d;
    desk_clarify(&d);
    desk_do(&d, &ANNA, KIND(STOP_PROPOSAL));
    desk_bridge(&d);
    desk_refuse(&d, &FENNA, KIND(PROPOSAL_ANSWER), ERROR_BRIDGING_IN_FORCE);
    desk_object(&d, &FENNA, KIND(PROPOSAL_ANSWER));
    assert_int_equal(d.c.state, STATE(CLARIFYING));
}

static void after_the_last_day_of_bridging_both_sides_owe_a_decision(void **state)
{
    struct desk d;
    desk_clarify(&d);
    d.working_days = MONDAYS;
    desk_bridge(&d);
    uint32_t last_day = d.c.bridging.until_date; /* Wednesday 1 April */
    desk_wait_until(&d, last_day);
    assert_int_equal(d.c.bridging.by, TEAM);
    assert_int_equal(desk_count(&d, OWED(BRIDGING_DECISION)), 0);
    desk_wait_until(&d, last_day + 1);
    assert_int_equal(d.c.bridging.by, NOBODY);
    assert_int_equal(desk_count(&d, OWED(BRIDGING_DECISION)), 2);
    assert_int_equal(desk_owed_by(&d, OWED(BRIDGING_DECISION), PRACTICE)->due_date,
                     oracle_date(2026, 4, 10)); /* Easter Monday between */
    assert_int_equal(desk_owed_by(&d, OWED(BRIDGING_DECISION), TEAM)->due_date,
                     oracle_date(2026, 5, 18)); /* the fifth Monday: not the 6th, not 27 April */
}

static void a_day_that_comes_again_changes_nothing(void **state)
{
    struct desk d;
    desk_clarify(&d);
    desk_bridge(&d);
    desk_wait_until(&d, d.c.bridging.until_date + 40);
    struct case_file before = d.c;
    for (uint32_t day = d.today; day < d.today + 3; day++)
        assert_false(case_day_comes(&d.c, day, d.now_ms, 0, &d.terms));
    assert_null(case_compare(&before, &d.c));
    assert_int_equal(desk_count(&d, OWED(BRIDGING_DECISION)), 2);
}

static void the_decision_is_an_end_or_a_new_agreement(void **state)
{
    struct desk d;
    for (int i = 0; i < 2; i++) {
        desk_clarify(&d);
        desk_bridge(&d);
        desk_wait_until(&d, d.c.bridging.until_date + 1);
        desk_refuse(&d, &ANNA, KIND(CLOSING), ERROR_STILL_OWED);
        if (i == 1) {
            desk_do(&d, &FENNA, KIND(BRIDGING_PROPOSAL));
            desk_refuse(&d, &ANNA, KIND(CLOSING), ERROR_STILL_OWED); /* asking decides nothing */
        }
        desk_do(&d, i == 0 ? &FENNA : &ANNA, i == 0 ? KIND(BRIDGING_END) : KIND(BRIDGING_ANSWER));
        assert_int_equal(desk_count(&d, OWED(BRIDGING_DECISION)), 0);
    }
    desk_clarify(&d);
    desk_refuse(&d, &ANNA, KIND(BRIDGING_END), ERROR_NO_BRIDGING);
}

static void the_agreement_that_follows_takes_the_place_of_the_one_before(void **state)
{
    struct desk d;
    desk_clarify(&d);
    desk_bridge(&d);
    desk_wait_until(&d, d.today + 20);
    desk_do(&d, &GIJS, KIND(BRIDGING_PROPOSAL));
    assert_int_equal(d.c.bridging.by, TEAM); /* still the first */
    desk_refuse(&d, &ANNA, KIND(BRIDGING_PROPOSAL), ERROR_PROPOSAL_WAITS);
    desk_wait_until(&d, d.c.bridging.until_date + 1);
    assert_int_equal(d.c.bridging.by, NOBODY);
    assert_int_equal(desk_count(&d, OWED(BRIDGING_DECISION)), 2); /* until it is taken */
    desk_do(&d, &BAS, KIND(BRIDGING_ANSWER));
    assert_int_equal(desk_count(&d, OWED(BRIDGING_DECISION)), 0);
    assert_int_equal(d.c.bridging.by, PRACTICE);
    assert_true(id_equal(&d.c.bridging.person, &GIJS.person));
}

static void bridging_ends_within_a_year(void **state)
{
    const struct {
        int32_t days;
        enum error e;
    } rows[] = {{-1, ERROR_DATE_NOT_ALLOWED},
                {0, ERROR_NONE},
                {366, ERROR_NONE},
                {367, ERROR_DATE_NOT_ALLOWED}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct desk d;
        desk_clarify(&d);
        desk_write(&d, KIND(BRIDGING_PROPOSAL))->until_date = d.today + (uint32_t)rows[i].days;
        assert_int_equal(desk_send(&d, &ANNA), rows[i].e);
    }
}

/* ---- proposals ---- */

static void t21_a_proposal_without_an_answer_moves_nothing(void **state)
{
    const struct {
        void (*go)(struct desk *d);
        Brug__V1__Kind kind;
    } rows[] = {{desk_refer, KIND(DECLINE_PROPOSAL)},
                {desk_clarify, KIND(DECLINE_PROPOSAL)},
                {desk_clarify, KIND(STOP_PROPOSAL)},
                {desk_support, KIND(STOP_PROPOSAL)}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct desk d;
        rows[i].go(&d);
        struct case_file before = d.c;
        desk_do(&d, &ANNA, rows[i].kind);
        desk_wait_until(&d, d.today + 200);
        desk_refuse(&d, &BAS, KIND(PROPOSAL_ANSWER), ERROR_NO_PROPOSAL);
        desk_refuse(&d, &ANNA, KIND(STOP_PROPOSAL),
                    i == 0 ? ERROR_CASE_REFERRED : ERROR_PROPOSAL_WAITS);
        assert_int_equal(d.c.state, before.state);
        assert_int_equal(d.c.custody, before.custody);
        assert_int_equal(d.c.proposal.kind, rows[i].kind);
        assert_int_equal(desk_owed(&d, OWED(PROPOSAL_ANSWER))->debtor, PRACTICE);
    }
}

static void an_accepted_proposal_ends_the_case_and_custody_goes_to_the_practice(void **state)
{
    struct desk d;
    desk_refer(&d);
    desk_do(&d, &ANNA, KIND(DECLINE_PROPOSAL));
    desk_do(&d, &FENNA, KIND(PROPOSAL_ANSWER));
    assert_int_equal(d.c.state, STATE(DECLINED));
    assert_int_equal(d.c.outcome, OUTCOME(NOT_TAKEN_UP));
    desk_support(&d);
    desk_do(&d, &BAS, KIND(STOP_PROPOSAL));
    assert_int_equal(d.c.custody, TEAM);
    desk_do(&d, &LOES, KIND(PROPOSAL_ANSWER));
    assert_int_equal(d.c.state, STATE(STOPPED));
    assert_int_equal(d.c.outcome, OUTCOME(STOPPED));
    assert_int_equal(d.c.custody, PRACTICE);
    assert_int_equal(d.c.owed_count, 0);
}

/* A decline settles take-up; an objection or a retraction bears it anew. */
static void take_up_is_owed_again_after_an_objection_or_a_retraction(void **state)
{
    struct desk d;
    desk_refer(&d);
    struct id first = desk_owed(&d, OWED(TAKE_UP))->id;
    desk_do(&d, &ANNA, KIND(DECLINE_PROPOSAL));
    assert_int_equal(desk_count(&d, OWED(TAKE_UP)), 0);
    assert_false(d.ends.items[0].has_lapsed);
    desk_wait_until(&d, MONDAY + 1);
    desk_object(&d, &FENNA, KIND(PROPOSAL_ANSWER));
    struct owed_item second = *desk_owed(&d, OWED(TAKE_UP));
    assert_int_equal(second.due_date, MONDAY + 8);
    desk_do(&d, &ANNA, KIND(DECLINE_PROPOSAL));
    desk_do(&d, &LEA, KIND(RETRACT));
    struct id third = desk_owed(&d, OWED(TAKE_UP))->id;
    assert_false(id_equal(&first, &second.id) || id_equal(&second.id, &third));
    /* the team need not open what it wrote itself; an objection it must */
    assert_true(desk_owed(&d, OWED(TAKE_UP))->is_opened && !second.is_opened);
    desk_do(&d, &ANNA, KIND(CLAIM));
}

static void who_may_retract(void **state)
{
    const struct {
        const struct case_actor *proposer, *who;
        enum error e;
    } rows[] = {
        {&ANNA, &ANNA, ERROR_NONE},        {&ANNA, &BAS, ERROR_NOT_PROPOSER},
        {&ANNA, &LEA, ERROR_NONE},         {&ANNA, &FENNA, ERROR_NOT_PROPOSER},
        {&LOES, &LOES, ERROR_NONE},        {&LOES, &LEO, ERROR_NOT_PROPOSER},
        {&LOES, &GIJS, ERROR_NONE},        {&LOES, &ANNA, ERROR_NOT_PROPOSER},
        {&LOES, &LEA, ERROR_NOT_PROPOSER},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct desk d;
        desk_support(&d);
        desk_do(&d, rows[i].proposer, KIND(STOP_PROPOSAL));
        desk_write(&d, KIND(RETRACT));
        assert_int_equal(desk_send(&d, rows[i].who), rows[i].e);
        assert_int_equal(d.c.proposal.by, rows[i].e ? rows[i].proposer->side : NOBODY);
    }
}

/* [R21] [R24]: nobody fulfilled the answer to a proposal that was taken back. */
static void the_answer_to_a_retracted_proposal_lapses(void **state)
{
    struct desk d;
    desk_support(&d);
    desk_do(&d, &ANNA, KIND(STOP_PROPOSAL));
    desk_do(&d, &ANNA, KIND(RETRACT));
    assert_int_equal(d.ends.count, 1);
    assert_int_equal(d.ends.items[0].item.kind, OWED(PROPOSAL_ANSWER));
    assert_true(d.ends.items[0].has_lapsed);
}

static void a_practice_proposes_a_stop_in_support_and_a_consultant_answers(void **state)
{
    struct desk d;
    desk_clarify(&d);
    desk_refuse(&d, &FENNA, KIND(STOP_PROPOSAL), ERROR_CASE_CLARIFYING); /* it withdraws */
    desk_support(&d);
    desk_do(&d, &FENNA, KIND(STOP_PROPOSAL));
    assert_int_equal(desk_owed(&d, OWED(PROPOSAL_ANSWER))->debtor, TEAM);
    desk_refuse(&d, &GIJS, KIND(PROPOSAL_ANSWER), ERROR_NO_PROPOSAL);
    desk_object(&d, &BAS, KIND(PROPOSAL_ANSWER));
    assert_false(d.c.was_objected); /* not the practice's word */
    desk_do(&d, &FENNA, KIND(STOP_PROPOSAL));
    desk_do(&d, &BAS, KIND(PROPOSAL_ANSWER));
    assert_int_equal(d.c.state, STATE(STOPPED));
}

static void t23_a_serious_decline_is_answered_within_a_working_day(void **state)
{
    const struct {
        Brug__V1__DeclineReason reason;
        uint32_t due; /* from Friday 22 May, before Whitsun */
    } rows[] = {{DECLINE(TOO_SERIOUS), oracle_date(2026, 5, 26)},
                {DECLINE(SPECIALIST_CARE), oracle_date(2026, 5, 26)},
                {DECLINE(OTHER_TEAM), oracle_date(2026, 6, 1)},
                {DECLINE(NO_ROOM_IN_TIME), oracle_date(2026, 6, 1)}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct desk d;
        desk_refer(&d);
        d.working_days = MONDAYS; /* the practice's days are Monday to Friday all the same */
        desk_wait_until(&d, oracle_date(2026, 5, 22));
        Brug__V1__Header *h = desk_write(&d, KIND(DECLINE_PROPOSAL));
        h->decline_reason = rows[i].reason;
        h->called_on_date = i < 2 ? d.today : 0;
        assert_int_equal(desk_send(&d, &ANNA), ERROR_NONE);
        assert_int_equal(desk_owed(&d, OWED(PROPOSAL_ANSWER))->due_date, rows[i].due);
    }
}

static void a_leader_ends_a_case_after_an_objection_only(void **state)
{
    struct desk d;
    desk_clarify(&d);
    assert_int_equal(desk_close_as(&d, &LEA, OUTCOME(ENDED_GP_DISAGREES)), ERROR_NOT_DIRECTOR);
    desk_do(&d, &ANNA, KIND(STOP_PROPOSAL));
    assert_int_equal(desk_close_as(&d, &LEA, OUTCOME(ENDED_GP_DISAGREES)), ERROR_NOT_DIRECTOR);
    desk_object(&d, &FENNA, KIND(PROPOSAL_ANSWER));
    assert_int_equal(desk_close_as(&d, &ANNA, OUTCOME(ENDED_GP_DISAGREES)),
                     ERROR_OUTCOME_NOT_ALLOWED);
    assert_int_equal(desk_close_as(&d, &LEA, OUTCOME(OWN_SHORT_SUPPORT)),
                     ERROR_OUTCOME_NOT_ALLOWED);
    struct case_file objected = d.c;
    assert_int_equal(desk_close_as(&d, &LEA, OUTCOME(ENDED_GP_DISAGREES)), ERROR_NONE);
    assert_int_equal(d.c.custody, TEAM); /* as at every closing */
    d.c = objected;
    desk_do(&d, &ANNA, KIND(STOP_PROPOSAL)); /* a new one */
    desk_do(&d, &ANNA, KIND(RETRACT));
    assert_int_equal(desk_close_as(&d, &LEA, OUTCOME(ENDED_GP_DISAGREES)), ERROR_NOT_DIRECTOR);
}

static void a_referral_ended_against_the_gp_never_left_the_practice(void **state)
{
    struct desk d;
    desk_refer(&d);
    desk_do(&d, &ANNA, KIND(DECLINE_PROPOSAL));
    desk_object(&d, &FENNA, KIND(PROPOSAL_ANSWER));
    assert_int_equal(desk_close_as(&d, &LEA, OUTCOME(ENDED_GP_DISAGREES)), ERROR_NONE);
    assert_int_equal(d.c.state, STATE(CLOSED));
    assert_int_equal(d.c.custody, PRACTICE);
    assert_true(id_is_none(&d.c.closing_id));
    assert_false(case_opened(&d.c, PRACTICE, &d.message_id));
}

/* ---- claims and custody ---- */

static void t30_the_second_claim_is_told_that_the_case_is_taken(void **state)
{
    const struct case_actor *consultants[] = {&ANNA, &BAS};
    for (int i = 0; i < 1000; i++) {
        struct desk d;
        const struct case_actor *first = consultants[i % 2], *second = consultants[(i + 1) % 2];
        desk_refer(&d);
        desk_do(&d, first, KIND(CLAIM));
        desk_refuse(&d, second, KIND(CLAIM), ERROR_CASE_TAKEN);
        assert_true(id_equal(&d.c.director, &first->person));
        assert_int_equal(desk_count(&d, OWED(START)), 1);
    }
}

static void t30_a_claim_is_lost_also_after_the_start(void **state)
{
    struct desk d;
    desk_support(&d);
    desk_refuse(&d, &BAS, KIND(CLAIM), ERROR_CASE_TAKEN);
    desk_close(&d);
    desk_refuse(&d, &BAS, KIND(CLAIM), ERROR_CASE_ENDED);
}

/* I4: by a claim, an accepted proposal, a withdrawal, the opening of the closing letter. */
static void i4_custody_moves_by_four_things_only(void **state)
{
    struct desk d;
    desk_refer(&d);
    assert_int_equal(d.c.custody, PRACTICE);
    desk_do(&d, &ANNA, KIND(CLAIM));
    assert_int_equal(d.c.custody, TEAM);
    desk_do(&d, &ANNA, KIND(HANDOVER));
    desk_do(&d, &BAS, KIND(START));
    desk_do(&d, &FENNA, KIND(STOP_PROPOSAL));
    desk_object(&d, &BAS, KIND(PROPOSAL_ANSWER));
    desk_do(&d, &BAS, KIND(CLOSING));
    desk_do(&d, &FENNA, KIND(NOTE));
    desk_wait_until(&d, d.today + 700); /* nobody opened it */
    assert_int_equal(d.c.custody, TEAM);
    assert_true(case_opened(&d.c, PRACTICE, &d.c.closing_id));
    assert_int_equal(d.c.custody, PRACTICE);
}

static void custody_moves_when_the_closing_letter_is_opened_once(void **state)
{
    struct desk d;
    desk_support(&d);
    struct id start = d.message_id;
    assert_false(case_opened(&d.c, PRACTICE, &start));
    assert_false(case_opened(&d.c, PRACTICE, &ID_NONE));
    desk_do(&d, &ANNA, KIND(CLOSING));
    struct id closing = d.message_id;
    assert_false(case_opened(&d.c, PRACTICE, &start));
    assert_false(case_opened(&d.c, PRACTICE, &ID_NONE));
    assert_int_equal(d.c.custody, TEAM);
    assert_true(case_opened(&d.c, PRACTICE, &closing));
    assert_true(case_is_sound(&d.c));
    assert_int_equal(d.c.custody, PRACTICE);
    assert_false(case_opened(&d.c, PRACTICE, &closing));
    assert_false(case_opened(&d.c, PRACTICE, &ID_NONE));
}

/* ---- closing ---- */

/* What the team must do first; the item is owed as before. */
static void refuse_to_close(struct desk *d, Brug__V1__OwedKind kind)
{
    struct owed_item before = *desk_owed_by(d, kind, TEAM);
    desk_refuse(d, &ANNA, KIND(CLOSING), ERROR_STILL_OWED);
    assert_true(case_item_stops_closing(&d->c, &before, d->today));
    assert_memory_equal(case_find_owed(&d->c, &before.id), &before, sizeof before);
}

static void t19_closing_waits_for_an_answer(void **state)
{
    struct desk d;
    desk_support(&d);
    desk_do(&d, &FENNA, KIND(INFO_REQUEST));
    refuse_to_close(&d, OWED(INFO_REPLY));
    desk_do(&d, &ANNA, KIND(INFO_REPLY));
    desk_do(&d, &FENNA, KIND(BRIDGING_PROPOSAL));
    refuse_to_close(&d, OWED(BRIDGING_ANSWER));
    desk_object(&d, &ANNA, KIND(BRIDGING_ANSWER));
    desk_bridge(&d);
    desk_wait_until(&d, d.c.bridging.until_date + 1);
    refuse_to_close(&d, OWED(BRIDGING_DECISION));
    desk_do(&d, &ANNA, KIND(BRIDGING_END));
    desk_do(&d, &ANNA, KIND(CLOSING));
    assert_int_equal(d.ends.count, 1);
    assert_int_equal(d.ends.items[0].item.kind, OWED(CLOSING));
    assert_false(d.ends.items[0].has_lapsed);
}

static void t19_closing_waits_for_a_moment_that_has_come(void **state)
{
    struct desk d;
    desk_refer_with_moment(&d, EVENT(DATE), MONDAY + 4);
    desk_do(&d, &ANNA, KIND(CLAIM));
    desk_wait_until(&d, MONDAY + 4);
    refuse_to_close(&d, OWED(MOMENT));
    desk_write(&d, KIND(INTERIM))->moment = 1;
    assert_int_equal(desk_send(&d, &ANNA), ERROR_NONE);
    desk_do(&d, &ANNA, KIND(CLOSING));
    assert_int_equal(d.ends.count, 1); /* START: settled too */
    assert_false(d.ends.items[0].has_lapsed);
}

static void a_moment_that_never_came_lapses_at_closing(void **state)
{
    struct desk d;
    for (int i = 0; i < 2; i++) {
        desk_refer_with_moment(&d, i == 0 ? EVENT(DATE) : EVENT(WAITING_LIST),
                               i == 0 ? MONDAY + 4 : 0);
        desk_do(&d, &ANNA, KIND(CLAIM));
        desk_wait_until(&d, MONDAY + 3);
        desk_do(&d, &ANNA, KIND(CLOSING));
        for (size_t j = 0; j < d.ends.count; j++)
            assert_int_equal(d.ends.items[j].has_lapsed, d.ends.items[j].item.kind == OWED(MOMENT));
        assert_int_equal(d.ends.count, 2);
    }
}

static void what_the_practice_owes_stops_no_closing(void **state)
{
    struct desk d;
    desk_support(&d);
    desk_do(&d, &ANNA, KIND(BRIDGING_PROPOSAL));
    desk_do(&d, &ANNA, KIND(CLOSING));
    assert_int_equal(d.c.bridging_proposed.by, NOBODY);
    assert_int_equal(d.c.owed_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t20_bridging_is_in_force_only_with_both_sides_consent),
        cmocka_unit_test(t20_an_objection_or_a_retraction_leaves_no_bridging),
        cmocka_unit_test(consent_to_what_has_passed_is_refused),
        cmocka_unit_test(bridging_in_force_keeps_the_case_open),
        cmocka_unit_test(bridging_in_force_stops_only_the_acceptance_of_a_proposal),
        cmocka_unit_test(after_the_last_day_of_bridging_both_sides_owe_a_decision),
        cmocka_unit_test(a_day_that_comes_again_changes_nothing),
        cmocka_unit_test(the_decision_is_an_end_or_a_new_agreement),
        cmocka_unit_test(the_agreement_that_follows_takes_the_place_of_the_one_before),
        cmocka_unit_test(bridging_ends_within_a_year),
        cmocka_unit_test(t21_a_proposal_without_an_answer_moves_nothing),
        cmocka_unit_test(an_accepted_proposal_ends_the_case_and_custody_goes_to_the_practice),
        cmocka_unit_test(take_up_is_owed_again_after_an_objection_or_a_retraction),
        cmocka_unit_test(who_may_retract),
        cmocka_unit_test(the_answer_to_a_retracted_proposal_lapses),
        cmocka_unit_test(a_practice_proposes_a_stop_in_support_and_a_consultant_answers),
        cmocka_unit_test(t23_a_serious_decline_is_answered_within_a_working_day),
        cmocka_unit_test(a_leader_ends_a_case_after_an_objection_only),
        cmocka_unit_test(a_referral_ended_against_the_gp_never_left_the_practice),
        cmocka_unit_test(t30_the_second_claim_is_told_that_the_case_is_taken),
        cmocka_unit_test(t30_a_claim_is_lost_also_after_the_start),
        cmocka_unit_test(i4_custody_moves_by_four_things_only),
        cmocka_unit_test(custody_moves_when_the_closing_letter_is_opened_once),
        cmocka_unit_test(t19_closing_waits_for_an_answer),
        cmocka_unit_test(t19_closing_waits_for_a_moment_that_has_come),
        cmocka_unit_test(a_moment_that_never_came_lapses_at_closing),
        cmocka_unit_test(what_the_practice_owes_stops_no_closing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
