/* tests/unit/test_outage.c: days on which the relay was away, pure: which dates they move, and what time does then. 2026-03-02 is a
 * Monday; all dates are reckoned by hand. */
#include "rules/case_time.h"
#include "rules/outage.h"
#include "rules/workdays.h"
#include "tests/lib/case_desk.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name
#define MOMENT(name) BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_##name
#define TEAM BRUG__V1__SIDE__SIDE_TEAM
#define PRACTICE BRUG__V1__SIDE__SIDE_PRACTICE
#define OUTAGES_MAX 4u

static uint32_t day(unsigned month, unsigned day_of_month)
{
    uint32_t date = workdays_from_civil(2026, month, day_of_month);
    assert_true(date > 0);
    return date;
}

static void assert_day(uint32_t date, const char *wanted)
{
    char text[WORKDAYS_TEXT_BYTES];
    assert_string_equal(workdays_to_text(date, text), wanted);
}

/* A case with one item, and what the relay's operator said. */
struct scene {
    struct case_file c;
    struct case_outage outages[OUTAGES_MAX];
    struct case_terms terms;
    unsigned working_days;
};

static void owe(struct scene *x, Brug__V1__OwedKind kind, Brug__V1__Side debtor, uint32_t born,
                uint32_t due)
{
    *x = (struct scene){.c = {.state = STATE(REFERRED), .custody = PRACTICE, .owed_count = 1},
                        .terms = CASE_TERMS};
    x->c.owed[0] = (struct owed_item){.kind = kind,
                                      .debtor = debtor,
                                      .is_opened = true,
                                      .born_at_ms = workdays_time_ms(born, 15),
                                      .due_date = due};
}

static void say(struct scene *x, uint32_t from, uint32_t until)
{
    assert_true(x->terms.outage_count < OUTAGES_MAX);
    x->outages[x->terms.outage_count++] = (struct case_outage){from, until};
    x->terms.outages = x->outages;
}

static void expect_due(struct scene *x, const char *wanted)
{
    outage_take_in(&x->c, &x->terms, x->working_days);
    assert_day(x->c.owed[0].due_date, wanted);
    assert_false(outage_is_pending(&x->c, &x->terms));
    assert_int_equal(x->c.outages, x->terms.outage_count);
}

/* ---- dates ---- */

static void what_was_left_of_a_term_runs_on_after_it(void **state)
{
    struct scene x;
    owe(&x, OWED(TAKE_UP), TEAM, day(3, 2), day(3, 9));
    say(&x, day(3, 4), day(3, 6)); /* Wednesday to Friday */
    expect_due(&x, "2026-03-12");
    expect_due(&x, "2026-03-12"); /* once */
    (void)state;
}

static void a_due_date_in_it_comes_after_it(void **state)
{
    struct scene x;
    owe(&x, OWED(INFO_REPLY), TEAM, day(3, 2), day(3, 4));
    say(&x, day(3, 3), day(3, 6)); /* two days of the term, the 3rd and the 4th */
    expect_due(&x, "2026-03-10");
    owe(&x, OWED(INFO_REPLY), TEAM, day(3, 2), day(3, 4));
    say(&x, day(3, 4), day(3, 4)); /* the due date alone */
    expect_due(&x, "2026-03-05");
    (void)state;
}

static void a_term_that_it_does_not_touch_stays(void **state)
{
    struct scene x;
    owe(&x, OWED(TAKE_UP), TEAM, day(3, 2), day(3, 9));
    say(&x, day(3, 10), day(3, 13)); /* overdue before it began */
    say(&x, day(2, 23), day(2, 27)); /* not born yet */
    say(&x, day(3, 7), day(3, 8));   /* a weekend */
    say(&x, day(2, 28), day(3, 2));  /* born on its last day */
    expect_due(&x, "2026-03-09");
    (void)state;
}

/* The relay came back for an hour: only the days after that birth are lost. */
static void what_was_born_in_it_loses_the_days_after(void **state)
{
    struct scene x;
    owe(&x, OWED(TAKE_UP), TEAM, day(3, 5), day(3, 12));
    say(&x, day(3, 4), day(3, 6));
    expect_due(&x, "2026-03-13");
    (void)state;
}

/* From Thursday before Easter to Tuesday after it, three working days: Good Friday is one, Easter Monday is none. */
static void holidays_are_not_lost(void **state)
{
    struct scene x;
    owe(&x, OWED(START), TEAM, day(3, 30), day(4, 8));
    say(&x, day(4, 2), day(4, 7));
    expect_due(&x, "2026-04-13");
    owe(&x, OWED(START), TEAM, day(4, 20), day(4, 24));
    say(&x, day(4, 22), day(4, 24)); /* three days, and King's Day lies behind it */
    expect_due(&x, "2026-04-30");
    (void)state;
}

static void a_teams_own_days_are_lost_and_given_back(void **state)
{
    const unsigned tuesday_thursday = 1u << 1 | 1u << 3;
    struct scene x;
    owe(&x, OWED(START), TEAM, day(3, 2), day(3, 12));
    x.working_days = tuesday_thursday;
    say(&x, day(3, 3), day(3, 5));
    expect_due(&x, "2026-03-19");
    owe(&x, OWED(PROPOSAL_ANSWER), PRACTICE, day(3, 2), day(3, 12));
    x.working_days = tuesday_thursday; /* not the practice's */
    say(&x, day(3, 3), day(3, 5));
    expect_due(&x, "2026-03-17");
    (void)state;
}

/* Its date may be a Saturday. */
static void a_closing_moves_by_working_days(void **state)
{
    struct scene x;
    owe(&x, OWED(CLOSING), TEAM, day(3, 7), day(6, 6));
    say(&x, day(3, 14), day(3, 15)); /* a weekend takes nothing */
    expect_due(&x, "2026-06-06");
    say(&x, day(3, 16), day(3, 17));
    expect_due(&x, "2026-06-09");
    (void)state;
}

static void a_day_that_a_person_named_stays(void **state)
{
    struct scene x;
    owe(&x, OWED(MOMENT), TEAM, day(3, 2), day(3, 9));
    x.c.owed[0].moment = 2;
    x.c.moment_count = 2;
    x.c.moments[0].event = MOMENT(CHANGE_OF_DIRECTOR);
    x.c.moments[1].event = MOMENT(DATE);
    struct scene event = x, delayed = x;
    say(&x, day(3, 4), day(3, 6));
    expect_due(&x, "2026-03-09");
    event.c.owed[0].moment = 1; /* its event came, and it has a term */
    say(&event, day(3, 4), day(3, 6));
    expect_due(&event, "2026-03-12");
    delayed.c.owed[0].moment = 1;
    delayed.c.owed[0].is_delayed = true;
    say(&delayed, day(3, 4), day(3, 6));
    expect_due(&delayed, "2026-03-09");
    owe(&x, OWED(MOMENT), TEAM, day(3, 2), 0); /* its event has not come */
    x.c.owed[0].moment = 1;
    x.c.moments[0].event = MOMENT(WAITING_LIST);
    say(&x, day(3, 4), day(3, 6));
    outage_take_in(&x.c, &x.terms, 0);
    assert_int_equal(x.c.owed[0].due_date, 0);
    (void)state;
}

/* Three days lost in the first week end in the outage of the second, which was told of before, or after, or long before. */
static void the_order_of_the_words_makes_no_difference(void **state)
{
    struct scene x;
    owe(&x, OWED(TAKE_UP), TEAM, day(3, 2), day(3, 6));
    say(&x, day(3, 10), day(3, 12));
    say(&x, day(3, 3), day(3, 5));
    expect_due(&x, "2026-03-16");
    owe(&x, OWED(TAKE_UP), TEAM, day(3, 2), day(3, 6));
    say(&x, day(3, 3), day(3, 5));
    expect_due(&x, "2026-03-11");
    say(&x, day(3, 10), day(3, 12));
    expect_due(&x, "2026-03-16");
    (void)state;
}

static void the_calendar_ends(void **state)
{
    struct scene x;
    owe(&x, OWED(TAKE_UP), TEAM, day(3, 2), WORKDAYS_DATE_MAX);
    say(&x, day(3, 3), UINT32_MAX);
    outage_take_in(&x.c, &x.terms, 0);
    assert_int_equal(x.c.owed[0].due_date, WORKDAYS_DATE_MAX);
    assert_int_equal(outage_workdays_add(&CASE_TERMS, day(3, 7), 0, 0), day(3, 9));
    assert_int_equal(outage_workdays_add(&CASE_TERMS, day(3, 9), 0, 0), day(3, 9));
    (void)state;
}

/* ---- time ---- */

/* The next step comes at 8 o'clock on this date, not a minute before, and is this. */
static void expect_step(struct scene *x, const char *date, Brug__V1__Kind kind)
{
    struct case_notice n;
    int64_t ms = case_next_ms(&x->c, &x->terms, x->working_days);
    assert_day(workdays_date(ms), date);
    assert_int_equal(ms, workdays_time_ms(workdays_date(ms), 8));
    assert_false(case_take_step(&x->c, ms - 1, &x->terms, x->working_days, &n));
    assert_true(case_take_step(&x->c, ms, &x->terms, x->working_days, &n));
    assert_int_equal(n.kind, kind);
    assert_int_equal(n.item.due_date, x->c.owed[0].due_date);
}

/* The case has an outage to take in: that comes before all else, whatever has come by then, and nobody is told. */
static void expect_outage(struct scene *x, uint32_t today)
{
    struct case_notice n;
    assert_int_equal(case_next_ms(&x->c, &x->terms, x->working_days), 0);
    assert_true(case_take_step(&x->c, workdays_time_ms(today, 9), &x->terms, x->working_days, &n));
    assert_int_equal(n.kind, KIND(NONE));
    assert_false(n.to_practice || n.to_team);
    assert_int_equal(x->c.outages, x->terms.outage_count);
}

/* The relay came back on a Monday after what was due on Thursday: nothing is overdue, as the team had two days left. */
static void an_outage_comes_before_what_would_be_overdue(void **state)
{
    struct scene x;
    struct case_notice n;
    owe(&x, OWED(TAKE_UP), TEAM, day(3, 2), day(3, 12));
    say(&x, day(3, 11), day(3, 13));
    expect_outage(&x, day(3, 16));
    assert_day(x.c.owed[0].due_date, "2026-03-17");
    expect_step(&x, "2026-03-16", KIND(REMINDER));
    assert_false(case_take_step(&x.c, workdays_time_ms(day(3, 17), 23), &x.terms, 0, &n));
    expect_step(&x, "2026-03-18", KIND(OVERDUE));
    (void)state;
}

/* The word came late: what was told stays told, and the next is told after the new date, once. */
static void what_was_called_overdue_waits_for_its_new_date(void **state)
{
    struct scene x;
    owe(&x, OWED(TAKE_UP), TEAM, day(3, 2), day(3, 9));
    expect_step(&x, "2026-03-06", KIND(REMINDER));
    expect_step(&x, "2026-03-10", KIND(OVERDUE));
    say(&x, day(3, 3), day(3, 9)); /* five days of the term */
    expect_outage(&x, day(3, 11));
    assert_day(x.c.owed[0].due_date, "2026-03-16");
    assert_int_equal(x.c.owed[0].notices, 2);
    expect_step(&x, "2026-03-17", KIND(OVERDUE)); /* five days after the last: the same */
    owe(&x, OWED(TAKE_UP), TEAM, day(3, 2), day(3, 9));
    expect_step(&x, "2026-03-06", KIND(REMINDER));
    expect_step(&x, "2026-03-10", KIND(OVERDUE));
    say(&x, day(3, 3), day(3, 6));
    say(&x, day(3, 9), day(3, 16)); /* five days more, the one of the notice among them */
    expect_outage(&x, day(3, 17));
    assert_day(x.c.owed[0].due_date, "2026-03-23");
    expect_step(&x, "2026-03-24", KIND(OVERDUE));
    expect_step(&x, "2026-03-31", KIND(OVERDUE));
    (void)state;
}

/* Away on the days between two notices: the second comes five working days of the relay after the first. */
static void overdue_notices_wait_too(void **state)
{
    struct scene x;
    owe(&x, OWED(TAKE_UP), TEAM, day(3, 2), day(3, 9));
    expect_step(&x, "2026-03-06", KIND(REMINDER));
    expect_step(&x, "2026-03-10", KIND(OVERDUE));
    say(&x, day(3, 12), day(3, 13));
    expect_outage(&x, day(3, 16));
    assert_day(x.c.owed[0].due_date, "2026-03-09");
    expect_step(&x, "2026-03-19", KIND(OVERDUE));
    (void)state;
}

static void a_letter_has_its_days_to_be_opened_in(void **state)
{
    struct scene x;
    owe(&x, OWED(INFO_REPLY), TEAM, day(3, 2), day(3, 5));
    x.c.owed[0].is_opened = false;
    say(&x, day(3, 3), day(3, 4));
    expect_outage(&x, day(3, 5));
    expect_step(&x, "2026-03-06", KIND(REMINDER)); /* due on Monday the 9th */
    expect_step(&x, "2026-03-09", KIND(NOT_OPENED));
    expect_step(&x, "2026-03-10", KIND(OVERDUE));
    expect_step(&x, "2026-03-12", KIND(NON_DELIVERY));
    (void)state;
}

/* Summer time begins on Sunday the 29th, Easter Monday is the 6th. */
static void eight_o_clock_is_summers(void **state)
{
    struct scene x;
    owe(&x, OWED(TAKE_UP), TEAM, day(3, 27), day(4, 3));
    say(&x, day(3, 28), day(3, 30));
    expect_outage(&x, day(3, 31));
    assert_day(x.c.owed[0].due_date, "2026-04-07");
    expect_step(&x, "2026-04-03", KIND(REMINDER));
    expect_step(&x, "2026-04-08", KIND(OVERDUE));
    (void)state;
}

/* An ended case that owes nothing has no step; so it has none for this. */
static void who_waits_for_no_time_takes_in_nothing(void **state)
{
    struct scene x;
    struct case_notice n;
    owe(&x, OWED(MOMENT), TEAM, day(3, 2), 0);
    say(&x, day(3, 4), day(3, 6));
    assert_int_equal(case_next_ms(&x.c, &x.terms, 0), INT64_MAX);
    assert_false(case_take_step(&x.c, INT64_MAX, &x.terms, 0, &n));
    (void)state;
}

/* ---- letters ---- */

static void desk_say(struct desk *d, struct case_outage *o, uint32_t from, uint32_t until)
{
    *o = (struct case_outage){from, until};
    d->terms.outages = o;
    d->terms.outage_count = 1;
}

static void a_letter_is_judged_by_the_moved_date(void **state)
{
    struct desk d;
    struct case_outage o;
    desk_refer(&d);
    assert_day(desk_owed(&d, OWED(TAKE_UP))->due_date, "2026-03-09");
    desk_say(&d, &o, day(3, 4), day(3, 10));
    desk_wait_until(&d, day(3, 12)); /* before the relay took a step */
    desk_do(&d, &ANNA, KIND(CLAIM));
    assert_int_equal(d.ends.count, 1);
    assert_day(d.ends.items[0].item.due_date, "2026-03-16");
    assert_int_equal(d.c.outages, 1);
    assert_day(desk_owed(&d, OWED(START))->due_date, "2026-03-26"); /* born after it */
    (void)state;
}

static void a_case_is_born_with_all_that_was_said(void **state)
{
    struct desk d;
    struct case_outage o;
    desk_init(&d, DESK_MONDAY);
    desk_say(&d, &o, DESK_MONDAY - 3, DESK_MONDAY);
    desk_do(&d, &FENNA, KIND(REFERRAL));
    assert_int_equal(d.c.outages, 1);
    assert_day(desk_owed(&d, OWED(TAKE_UP))->due_date, "2026-03-09");
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_left_of_a_term_runs_on_after_it),
        cmocka_unit_test(a_due_date_in_it_comes_after_it),
        cmocka_unit_test(a_term_that_it_does_not_touch_stays),
        cmocka_unit_test(what_was_born_in_it_loses_the_days_after),
        cmocka_unit_test(holidays_are_not_lost),
        cmocka_unit_test(a_teams_own_days_are_lost_and_given_back),
        cmocka_unit_test(a_closing_moves_by_working_days),
        cmocka_unit_test(a_day_that_a_person_named_stays),
        cmocka_unit_test(the_order_of_the_words_makes_no_difference),
        cmocka_unit_test(the_calendar_ends),
        cmocka_unit_test(an_outage_comes_before_what_would_be_overdue),
        cmocka_unit_test(what_was_called_overdue_waits_for_its_new_date),
        cmocka_unit_test(overdue_notices_wait_too),
        cmocka_unit_test(a_letter_has_its_days_to_be_opened_in),
        cmocka_unit_test(eight_o_clock_is_summers),
        cmocka_unit_test(who_waits_for_no_time_takes_in_nothing),
        cmocka_unit_test(a_letter_is_judged_by_the_moved_date),
        cmocka_unit_test(a_case_is_born_with_all_that_was_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
