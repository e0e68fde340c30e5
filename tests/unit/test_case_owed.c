/* tests/unit/test_case_owed.c: what a case owes: when it is due, delayed, asked; its ids and its bounds. */
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
#define EVENT(name) BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_##name
#define PRACTICE BRUG__V1__SIDE__SIDE_PRACTICE
#define TEAM BRUG__V1__SIDE__SIDE_TEAM
#define NOBODY BRUG__V1__SIDE__SIDE_NONE
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

#define MONDAY DESK_MONDAY
#define MONDAYS 0x01u
#define MONDAY_TUESDAY_THURSDAY 0x0bu

/* ---- questions ---- */

static void t22_a_question_is_owed_an_answer_in_every_state(void **state)
{
    for (size_t i = 0; i < DESK_WAY_COUNT; i++) {
        struct desk d;
        DESK_WAYS[i].go(&d);
        assert_int_equal(d.c.state, DESK_WAYS[i].state);
        desk_do(&d, &FENNA, KIND(INFO_REQUEST));
        assert_int_equal(desk_owed(&d, OWED(INFO_REPLY))->debtor, TEAM);
        assert_int_equal(desk_owed(&d, OWED(INFO_REPLY))->due_date, MONDAY + 3);
        desk_do(&d, &BAS, KIND(INFO_REPLY));
        assert_int_equal(desk_count(&d, OWED(INFO_REPLY)), 0);
        assert_int_equal(d.c.state, DESK_WAYS[i].state);
        desk_refuse(&d, &BAS, KIND(INFO_REPLY), ERROR_NOT_OWED);
    }
}

static void t22_a_question_outlives_its_case(void **state)
{
    struct desk d;
    desk_clarify(&d);
    desk_do(&d, &FENNA, KIND(INFO_REQUEST));
    struct id owed_id = desk_owed(&d, OWED(INFO_REPLY))->id;
    desk_do(&d, &FENNA, KIND(WITHDRAWAL));
    assert_int_equal(d.c.owed_count, 1);
    assert_true(id_equal(&desk_owed(&d, OWED(INFO_REPLY))->id, &owed_id));
    desk_do(&d, &BAS, KIND(INFO_REPLY));
}

static void a_reply_settles_the_question_that_it_names(void **state)
{
    struct desk d;
    desk_clarify(&d);
    desk_do(&d, &FENNA, KIND(INFO_REQUEST));
    struct id first = d.message_id;
    desk_do(&d, &GIJS, KIND(INFO_REQUEST));
    struct id second = d.message_id;
    desk_write(&d, KIND(INFO_REPLY))->in_reply_to = sample_bytes(&second);
    assert_int_equal(desk_send(&d, &BAS), ERROR_NONE);
    assert_true(id_equal(&desk_owed(&d, OWED(INFO_REPLY))->cause, &first));
}

static void more_than_24_questions_wait_for_nobody(void **state)
{
    struct desk d;
    desk_close(&d);
    for (int i = 0; i < 24; i++)
        desk_do(&d, &FENNA, KIND(INFO_REQUEST));
    desk_refuse(&d, &FENNA, KIND(INFO_REQUEST), ERROR_TOO_MUCH_OWED);
    desk_do(&d, &ANNA, KIND(INFO_REPLY));
    desk_do(&d, &FENNA, KIND(INFO_REQUEST));
    desk_refuse(&d, &GIJS, KIND(INFO_REQUEST), ERROR_TOO_MUCH_OWED);
}

/* ---- moments and delays ---- */

static void a_named_date_is_due_on_it_and_at_the_earliest_today(void **state)
{
    struct desk d;
    const uint32_t dates[] = {MONDAY - 300, MONDAY - 1, MONDAY, MONDAY + 5};
    for (size_t i = 0; i < COUNT(dates); i++) {
        desk_refer_with_moment(&d, EVENT(DATE), dates[i]);
        assert_int_equal(desk_owed(&d, OWED(MOMENT))->due_date,
                         dates[i] < MONDAY ? MONDAY : dates[i]);
    }
    desk_refer_with_moment(&d, EVENT(FIRST_CONVERSATION), 0);
    assert_int_equal(desk_owed(&d, OWED(MOMENT))->due_date, 0);
}

static void another_director_makes_the_moment_due(void **state)
{
    struct desk d;
    desk_refer_with_moment(&d, EVENT(CHANGE_OF_DIRECTOR), 0);
    struct id first = desk_owed(&d, OWED(MOMENT))->id;
    desk_do(&d, &ANNA, KIND(CLAIM)); /* the first director is no change */
    assert_int_equal(desk_owed(&d, OWED(MOMENT))->due_date, 0);
    desk_do(&d, &LEA, KIND(HANDOVER));
    assert_int_equal(desk_owed(&d, OWED(MOMENT))->due_date, MONDAY + 3);
    assert_true(id_equal(&desk_owed(&d, OWED(MOMENT))->id, &first));
    desk_wait_until(&d, MONDAY + 1);
    desk_write(&d, KIND(HANDOVER))->new_director = sample_bytes(&ANNA.person);
    assert_int_equal(desk_send(&d, &BAS), ERROR_NONE);
    assert_int_equal(desk_owed(&d, OWED(MOMENT))->due_date, MONDAY + 3); /* as it was */
    desk_write(&d, KIND(INTERIM))->moment = 1;
    assert_int_equal(desk_send(&d, &ANNA), ERROR_NONE);
    desk_do(&d, &ANNA, KIND(HANDOVER));
    assert_int_equal(desk_owed(&d, OWED(MOMENT))->due_date, MONDAY + 4); /* owed anew */
    assert_false(id_equal(&desk_owed(&d, OWED(MOMENT))->id, &first));
}

static enum error delay(struct desk *d, const struct owed_item *item, uint32_t date)
{
    struct id owed_id = item->id;
    Brug__V1__Header *h = desk_write(d, KIND(DELAY));
    h->owed_id = sample_bytes(&owed_id);
    h->until_date = date;
    return desk_send(d, &ANNA);
}

static void a_debt_is_delayed_once_within_a_year(void **state)
{
    struct desk d;
    desk_clarify(&d);
    struct id first = desk_owed(&d, OWED(START))->id;
    assert_int_equal(delay(&d, desk_owed(&d, OWED(START)), MONDAY - 1), ERROR_DATE_NOT_ALLOWED);
    assert_int_equal(delay(&d, desk_owed(&d, OWED(START)), MONDAY + 367), ERROR_DATE_NOT_ALLOWED);
    assert_int_equal(delay(&d, desk_owed(&d, OWED(START)), MONDAY + 366), ERROR_NONE);
    assert_int_equal(desk_owed(&d, OWED(START))->due_date, MONDAY + 366);
    assert_true(id_equal(&desk_owed(&d, OWED(START))->id, &first));
    assert_int_equal(delay(&d, desk_owed(&d, OWED(START)), MONDAY), ERROR_DELAYED_BEFORE);
}

static void only_a_dated_debt_of_the_team_is_delayed(void **state)
{
    struct desk d;
    desk_refer_with_moment(&d, EVENT(FIRST_CONVERSATION), 0);
    assert_int_equal(delay(&d, desk_owed(&d, OWED(MOMENT)), MONDAY + 9), ERROR_NOT_OWED);
    assert_int_equal(delay(&d, desk_owed(&d, OWED(TAKE_UP)), MONDAY + 9), ERROR_NONE);
    desk_do(&d, &ANNA, KIND(DECLINE_PROPOSAL));
    assert_int_equal(delay(&d, desk_owed(&d, OWED(PROPOSAL_ANSWER)), MONDAY + 9), ERROR_NOT_OWED);
}

/* ---- terms ---- */

static void the_defaults_are_those_of_the_domain(void **state)
{
    assert_int_equal(CASE_TERMS.take_up, 5);
    assert_int_equal(CASE_TERMS.start, 10);
    assert_int_equal(CASE_TERMS.moment, 3);
    assert_int_equal(CASE_TERMS.info_reply, 3);
    assert_int_equal(CASE_TERMS.answer, 5);
    assert_int_equal(CASE_TERMS.serious_answer, 1);
    assert_int_equal(CASE_TERMS.advice, 5);
    assert_int_equal(CASE_TERMS.closing_days, 13 * 7);
}

static void t19_terms_run_over_weekends_and_holidays(void **state)
{
    const struct {
        uint32_t referred;
        unsigned working_days;
        uint32_t take_up;
    } rows[] = {
        {oracle_date(2026, 3, 2), 0, oracle_date(2026, 3, 9)},
        {oracle_date(2026, 3, 6), 0, oracle_date(2026, 3, 13)}, /* on a Friday */
        {oracle_date(2026, 3, 7), 0, oracle_date(2026, 3, 13)}, /* on a Saturday */
        {oracle_date(2026, 3, 27), 0, oracle_date(2026, 4, 3)}, /* the clock; Good Friday is one */
        {oracle_date(2026, 4, 2), 0, oracle_date(2026, 4, 10)}, /* Easter */
        {oracle_date(2026, 4, 24), 0, oracle_date(2026, 5, 4)}, /* King's Day */
        {oracle_date(2026, 5, 8), 0, oracle_date(2026, 5, 18)}, /* Ascension */
        {oracle_date(2025, 4, 28), 0, oracle_date(2025, 5, 6)}, /* 5 May of a fifth year */
        {oracle_date(2026, 12, 23), 0, oracle_date(2026, 12, 31)}, /* Christmas */
        {oracle_date(2026, 12, 28), 0, oracle_date(2027, 1, 5)},   /* New Year */
        {oracle_date(2026, 3, 2), MONDAY_TUESDAY_THURSDAY, oracle_date(2026, 3, 12)},
        {oracle_date(2026, 3, 30), MONDAYS, oracle_date(2026, 5, 18)}, /* two holidays on it */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct desk d;
        desk_init(&d, rows[i].referred);
        d.working_days = rows[i].working_days;
        desk_do(&d, &FENNA, KIND(REFERRAL));
        if (desk_owed(&d, OWED(TAKE_UP))->due_date != rows[i].take_up)
            fail_msg("row %zu: %u instead of %u", i, desk_owed(&d, OWED(TAKE_UP))->due_date,
                     rows[i].take_up);
    }
}

static void closing_is_owed_in_calendar_days(void **state)
{
    struct desk d;
    desk_support(&d);
    assert_int_equal(desk_owed(&d, OWED(CLOSING))->due_date, oracle_date(2026, 6, 1));
}

/* ---- ids and room ---- */

#define IDS_MAX 256u

struct ids {
    struct id list[IDS_MAX];
    size_t count;
};

/* Those that the last letter bore must be new. */
static void gather(struct ids *ids, const struct case_file *before, const struct case_file *after)
{
    for (size_t i = 0; i < after->owed_count; i++) {
        const struct id *id = &after->owed[i].id;
        assert_int_equal(id_version(id), 8);
        if (case_find_owed(before, id))
            continue;
        for (size_t j = 0; j < ids->count; j++)
            assert_false(id_equal(&ids->list[j], id));
        assert_in_range(ids->count, 0, IDS_MAX - 1);
        ids->list[ids->count++] = *id;
    }
}

static void do_and_gather(struct desk *d, struct ids *ids, const struct case_actor *actor,
                          Brug__V1__Kind kind)
{
    struct case_file before = d->c;
    desk_do(d, actor, kind);
    gather(ids, &before, &d->c);
}

static void different_causes_give_different_ids(void **state)
{
    static const struct case_file NO_CASE;
    struct desk d;
    struct ids ids = {.count = 0};
    desk_refer_with_moment(&d, EVENT(CHANGE_OF_DIRECTOR), 0);
    gather(&ids, &NO_CASE, &d.c);
    for (int i = 0; i < 3; i++) {
        do_and_gather(&d, &ids, &FENNA, KIND(INFO_REQUEST));
        do_and_gather(&d, &ids, &ANNA, KIND(DECLINE_PROPOSAL));
        do_and_gather(&d, &ids, &ANNA, KIND(RETRACT)); /* TAKE_UP again */
    }
    do_and_gather(&d, &ids, &ANNA, KIND(CLAIM));
    do_and_gather(&d, &ids, &ANNA, KIND(START));
    for (int i = 0; i < 3; i++) {
        do_and_gather(&d, &ids, &ANNA, KIND(BRIDGING_PROPOSAL));
        do_and_gather(&d, &ids, &FENNA, KIND(BRIDGING_ANSWER));
        struct case_file before = d.c;
        desk_wait_until(&d, d.c.bridging.until_date + 1);
        gather(&ids, &before, &d.c); /* two decisions of one cause */
        assert_int_equal(desk_count(&d, OWED(BRIDGING_DECISION)), 2);
    }
    assert_int_equal(ids.count, 2 + 9 + 2 + 9);
}

/* The same letter judged again, by the relay after a crash or by a client. */
static void the_same_cause_gives_the_same_id(void **state)
{
    struct desk d, again;
    desk_refer_with_moment(&d, EVENT(FIRST_CONVERSATION), 0);
    again = d;
    memset(&again.c, 0, sizeof again.c);
    again.letter.header.message_id = sample_bytes(&d.message_id);
    again.letter.header.case_id = sample_bytes(&d.c.id);
    again.letter.header.moments = d.letter.moments;
    again.today += 3; /* later */
    assert_int_equal(desk_send(&again, &GIJS), ERROR_NONE);
    for (size_t i = 0; i < d.c.owed_count; i++)
        assert_true(id_equal(&d.c.owed[i].id, &again.c.owed[i].id));
    memset(&again.c, 0, sizeof again.c);
    struct id other_case = sample_id(4, 77);
    again.letter.header.case_id = sample_bytes(&other_case);
    assert_int_equal(desk_send(&again, &GIJS), ERROR_NONE);
    for (size_t i = 0; i < d.c.owed_count; i++)
        assert_false(id_equal(&d.c.owed[i].id, &again.c.owed[i].id));
}

static void name_all_moments(struct desk *d, Brug__V1__Moment *list[CASE_MOMENTS_MAX])
{
    for (size_t i = 0; i < CASE_MOMENTS_MAX; i++)
        list[i] = &d->letter.moment;
    d->letter.moment.event = EVENT(CHANGE_OF_DIRECTOR);
    d->letter.moment.conversations = 0;
    d->letter.header.moments = list;
    d->letter.header.n_moments = CASE_MOMENTS_MAX;
}

static void the_fullest_case_has_room_left(void **state)
{
    struct desk d;
    Brug__V1__Moment *list[CASE_MOMENTS_MAX];
    desk_init(&d, MONDAY);
    desk_write(&d, KIND(REFERRAL));
    name_all_moments(&d, list);
    assert_int_equal(desk_send(&d, &FENNA), ERROR_NONE);
    for (unsigned i = 0; i < CASE_QUESTIONS_MAX; i++)
        desk_do(&d, &FENNA, KIND(INFO_REQUEST));
    desk_do(&d, &ANNA, KIND(CLAIM));
    desk_do(&d, &LEA, KIND(HANDOVER));
    desk_do(&d, &BAS, KIND(STOP_PROPOSAL));
    desk_bridge(&d);
    desk_wait_until(&d, d.c.bridging.until_date + 1);
    size_t fullest = 1 + CASE_MOMENTS_MAX + CASE_QUESTIONS_MAX + 1 + 2;
    assert_int_equal(d.c.owed_count, fullest);
    assert_in_range(fullest + 1, 0, CASE_OWED_MAX);
    desk_do(&d, &FENNA, KIND(PROPOSAL_ANSWER));
    assert_int_equal(d.ends.count, fullest - CASE_QUESTIONS_MAX);
}

/* ---- soundness ---- */

static struct owed_item *item_of(struct case_file *c, Brug__V1__OwedKind kind)
{
    for (size_t i = 0; i < c->owed_count; i++)
        if (c->owed[i].kind == kind)
            return &c->owed[i];
    fail();
    return NULL;
}

static void hold_by_practice(struct case_file *c) { c->custody = PRACTICE; }
static void hold_by_nobody(struct case_file *c) { c->custody = NOBODY; }
static void lose_director(struct case_file *c) { c->director = ID_NONE; }
static void end_while_waiting(struct case_file *c) { c->state = STATE(STOPPED); }
static void wait_for_opening(struct case_file *c) { c->closing_id = sample_id(7, 1); }
static void forget_answer(struct case_file *c) { c->proposal = (struct case_proposal){0}; }
static void go_back(struct case_file *c) { c->state = STATE(REFERRED); }

static void what_is_not_sound_is_found(void **state)
{
    void (*const breaks[])(struct case_file *) = {
        hold_by_practice, hold_by_nobody, lose_director, end_while_waiting,
        wait_for_opening, forget_answer,  go_back,
    };
    struct desk d;
    desk_support(&d);
    desk_do(&d, &ANNA, KIND(STOP_PROPOSAL));
    assert_true(case_is_sound(&d.c));
    for (size_t i = 0; i < COUNT(breaks); i++) {
        struct case_file broken = d.c;
        breaks[i](&broken);
        if (case_is_sound(&broken))
            fail_msg("break %zu is called sound", i);
    }
}

/* Owed exactly while the state or a proposal wants it, whatever else is. */
static bool goes_with_state(Brug__V1__OwedKind kind)
{
    return kind != OWED(MOMENT) && kind != OWED(INFO_REPLY) && kind != OWED(BRIDGING_DECISION);
}

static void owe_one_more(struct case_file *c, Brug__V1__OwedKind kind)
{
    c->owed[c->owed_count++] = (struct owed_item){
        .id = sample_id(8, (uint32_t)kind), .kind = kind, .debtor = TEAM, .due_date = MONDAY};
}

static void expect_exact_debts(const struct case_file *sound)
{
    assert_true(case_is_sound(sound));
    for (size_t i = 0; i < sound->owed_count; i++) {
        struct case_file less = *sound;
        less.owed[i] = less.owed[--less.owed_count];
        if (case_is_sound(&less))
            fail_msg("in state %d kind %d need not be owed", (int)sound->state,
                     (int)sound->owed[i].kind);
    }
    for (int kind = OWED(TAKE_UP); kind <= OWED(ADVICE); kind++) {
        struct case_file more = *sound;
        owe_one_more(&more, (Brug__V1__OwedKind)kind);
        if (goes_with_state((Brug__V1__OwedKind)kind) && case_is_sound(&more))
            fail_msg("in state %d kind %d may be owed besides", (int)sound->state, kind);
    }
}

static void each_debt_is_owed_exactly_when_it_should_be(void **state)
{
    for (size_t i = 0; i < DESK_WAY_COUNT; i++) {
        struct desk d;
        DESK_WAYS[i].go(&d);
        expect_exact_debts(&d.c);
        if (!case_is_open(&d.c))
            continue;
        desk_do(&d, &FENNA, KIND(BRIDGING_PROPOSAL));
        desk_do(&d, &ANNA, i == 0 ? KIND(DECLINE_PROPOSAL) : KIND(STOP_PROPOSAL));
        expect_exact_debts(&d.c);
    }
}

/* Invariant 4: "by the side that did not make it". */
static void an_answer_owed_by_the_wrong_side_is_not_sound(void **state)
{
    struct desk d;
    desk_support(&d);
    desk_do(&d, &ANNA, KIND(STOP_PROPOSAL));
    item_of(&d.c, OWED(PROPOSAL_ANSWER))->debtor = TEAM;
    assert_false(case_is_sound(&d.c));
}

static void an_ended_case_that_waits_is_not_sound(void **state)
{
    struct desk d;
    desk_close(&d);
    d.c.bridging.by = TEAM;
    assert_false(case_is_sound(&d.c));
    d.c.bridging.by = NOBODY;
    assert_true(case_is_sound(&d.c));
    d.c.owed[d.c.owed_count++].kind = OWED(MOMENT);
    assert_false(case_is_sound(&d.c));
}

static void which_cases_are_open(void **state)
{
    for (size_t i = 0; i < DESK_WAY_COUNT; i++) {
        struct desk d;
        DESK_WAYS[i].go(&d);
        assert_int_equal(case_is_open(&d.c), i < 3);
        enum error wanted[] = {ERROR_CASE_REFERRED, ERROR_CASE_CLARIFYING, ERROR_CASE_SUPPORT,
                               ERROR_CASE_CONSULTING};
        assert_int_equal(case_state_code(d.c.state),
                         i < COUNT(wanted) ? wanted[i] : ERROR_CASE_ENDED);
    }
    assert_int_equal(case_state_code(STATE(NONE)), ERROR_NO_SUCH_CASE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t22_a_question_is_owed_an_answer_in_every_state),
        cmocka_unit_test(t22_a_question_outlives_its_case),
        cmocka_unit_test(a_reply_settles_the_question_that_it_names),
        cmocka_unit_test(more_than_24_questions_wait_for_nobody),
        cmocka_unit_test(a_named_date_is_due_on_it_and_at_the_earliest_today),
        cmocka_unit_test(another_director_makes_the_moment_due),
        cmocka_unit_test(a_debt_is_delayed_once_within_a_year),
        cmocka_unit_test(only_a_dated_debt_of_the_team_is_delayed),
        cmocka_unit_test(the_defaults_are_those_of_the_domain),
        cmocka_unit_test(t19_terms_run_over_weekends_and_holidays),
        cmocka_unit_test(closing_is_owed_in_calendar_days),
        cmocka_unit_test(different_causes_give_different_ids),
        cmocka_unit_test(the_same_cause_gives_the_same_id),
        cmocka_unit_test(the_fullest_case_has_room_left),
        cmocka_unit_test(what_is_not_sound_is_found),
        cmocka_unit_test(each_debt_is_owed_exactly_when_it_should_be),
        cmocka_unit_test(an_answer_owed_by_the_wrong_side_is_not_sound),
        cmocka_unit_test(an_ended_case_that_waits_is_not_sound),
        cmocka_unit_test(which_cases_are_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
