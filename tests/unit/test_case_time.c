/* tests/unit/test_case_time.c: what time does to a case, pure: dates over weekends, holidays and clock changes. */
#include "rules/case_time.h"
#include "rules/workdays.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define STATE(name) BRUG__V1__CASE_STATE__CASE_STATE_##name
#define TEAM BRUG__V1__SIDE__SIDE_TEAM
#define PRACTICE BRUG__V1__SIDE__SIDE_PRACTICE

/* Of "2026-03-23". */
static uint32_t date_of(const char *text)
{
    unsigned parts[3] = {0, 0, 0}, at = 0;
    for (; *text; text++)
        if (*text == '-')
            at++;
        else
            parts[at] = parts[at] * 10 + (unsigned)(*text - '0');
    uint32_t date = workdays_from_civil(parts[0], parts[1], parts[2]);
    assert_true(date > 0);
    return date;
}

/* A REFERRED case that owes one item. */
static struct case_file owing(Brug__V1__OwedKind kind, Brug__V1__Side debtor, const char *born,
                              const char *due)
{
    struct case_file c = {.state = STATE(REFERRED), .custody = PRACTICE, .owed_count = 1};
    c.owed[0] = (struct owed_item){.kind = kind,
                                   .debtor = debtor,
                                   .is_opened = true,
                                   .born_at_ms = workdays_time_ms(date_of(born), 15),
                                   .due_date = due ? date_of(due) : 0};
    return c;
}

/* The next step comes at 8 o'clock on this date, not a minute before, and is this. */
static struct case_notice expect(struct case_file *c, const char *date, Brug__V1__Kind kind)
{
    char text[WORKDAYS_TEXT_BYTES];
    struct case_notice n;
    int64_t ms = case_next_ms(c, &CASE_TERMS, 0);
    assert_string_equal(workdays_to_text(workdays_date(ms), text), date);
    assert_int_equal(ms, workdays_time_ms(workdays_date(ms), 8));
    assert_false(case_take_step(c, ms - 1, &CASE_TERMS, 0, &n));
    assert_true(case_take_step(c, ms, &CASE_TERMS, 0, &n));
    assert_int_equal(n.kind, kind);
    assert_true(case_next_ms(c, &CASE_TERMS, 0) >= ms);
    return n;
}

static void a_reminder_then_overdue_again_and_again(void **state)
{
    /* born on a Monday, due on Monday a week later; Sunday 29 March the clock changes, 6 April is Easter Monday */
    struct case_file c = owing(OWED(TAKE_UP), TEAM, "2026-03-23", "2026-03-30");
    struct case_notice n = expect(&c, "2026-03-27", KIND(REMINDER));
    assert_true(n.to_team && !n.to_practice);
    n = expect(&c, "2026-03-31", KIND(OVERDUE));
    assert_true(n.to_team && n.to_practice);
    expect(&c, "2026-04-08", KIND(OVERDUE)); /* five working days, Easter Monday is none */
    expect(&c, "2026-04-15", KIND(OVERDUE));
    (void)state;
}

static void a_practice_is_reminded_of_what_it_owes(void **state)
{
    struct case_file c = owing(OWED(PROPOSAL_ANSWER), PRACTICE, "2026-11-20", "2026-11-27");
    struct case_notice n = expect(&c, "2026-11-26", KIND(REMINDER));
    assert_true(n.to_practice && !n.to_team);
    (void)state;
}

static void a_term_too_short_for_a_reminder_has_none(void **state)
{
    struct case_file c = owing(OWED(PROPOSAL_ANSWER), PRACTICE, "2026-11-26", "2026-11-27");
    expect(&c, "2026-11-30", KIND(OVERDUE)); /* a Monday */
    (void)state;
}

static void a_closing_is_reminded_of_on_its_date(void **state)
{
    struct case_file c = owing(OWED(CLOSING), TEAM, "2026-09-01", "2026-12-01");
    expect(&c, "2026-12-01", KIND(REMINDER));
    expect(&c, "2026-12-02", KIND(OVERDUE));
    (void)state;
}

static void an_event_that_has_not_come_waits_for_no_time(void **state)
{
    struct case_file c = owing(OWED(MOMENT), TEAM, "2026-09-01", NULL);
    struct case_notice n;
    assert_int_equal(case_next_ms(&c, &CASE_TERMS, 0), INT64_MAX);
    assert_false(case_take_step(&c, INT64_MAX, &CASE_TERMS, 0, &n));
    (void)state;
}

/* T11's pure part: by time alone, and once. */
static void T11_a_letter_that_nobody_opens(void **state)
{
    struct case_file c = owing(OWED(TAKE_UP), TEAM, "2026-11-23", "2026-11-30");
    c.owed[0].is_opened = false;
    c.owed[0].cause = (struct id){{7}};
    struct case_notice n = expect(&c, "2026-11-26", KIND(NOT_OPENED));
    assert_true(n.to_practice && n.to_team);
    assert_true(id_equal(&n.item.cause, &c.owed[0].cause));
    expect(&c, "2026-11-27", KIND(REMINDER));
    n = expect(&c, "2026-12-01", KIND(NON_DELIVERY));
    assert_true(n.to_practice && !n.to_team);
    /* the take-up is overdue as well, and nothing more is said of the opening */
    for (int i = 0; i < 5; i++)
        assert_true(case_take_step(&c, INT64_MAX / 2 - i, &CASE_TERMS, 0, &n) ==
                    (n.kind == KIND(OVERDUE) && i == 0));
    (void)state;
}

static void an_opened_letter_needs_no_notice(void **state)
{
    struct case_file c = owing(OWED(INFO_REPLY), TEAM, "2026-11-23", "2026-11-26");
    c.owed[0].is_opened = false;
    c.owed[0].cause = (struct id){{7}};
    struct id other = {{8}};
    assert_false(case_opened(&c, TEAM, &other));
    assert_false(case_opened(&c, PRACTICE, &c.owed[0].cause)); /* its own */
    assert_true(case_opened(&c, TEAM, &c.owed[0].cause));
    assert_false(case_opened(&c, TEAM, &c.owed[0].cause));
    expect(&c, "2026-11-25", KIND(REMINDER));
    expect(&c, "2026-11-27", KIND(OVERDUE));
    (void)state;
}

/* A team that works on fewer days from now on is told again five of those days after the last time, not months later. */
static void fewer_working_days_do_not_silence_what_is_overdue(void **state)
{
    const unsigned mondays = 1;
    struct case_file c = owing(OWED(TAKE_UP), TEAM, "2026-05-26", "2026-06-02");
    struct case_notice n;
    for (int64_t ms;
         (ms = case_next_ms(&c, &CASE_TERMS, 0)) < workdays_start_ms(date_of("2026-09-01"));)
        assert_true(case_take_step(&c, ms, &CASE_TERMS, 0, &n));
    char text[WORKDAYS_TEXT_BYTES];
    assert_string_equal(workdays_to_text(c.owed[0].told_date, text), "2026-08-26");
    int64_t ms = case_next_ms(&c, &CASE_TERMS, mondays);
    assert_string_equal(workdays_to_text(workdays_date(ms), text), "2026-09-28");
    (void)state;
}

/* One whose last notice was given before its day was kept counts from the due date. */
static void an_item_of_before_counts_from_its_due_date(void **state)
{
    struct case_file c = owing(OWED(TAKE_UP), TEAM, "2026-03-23", "2026-03-30");
    c.owed[0].notices = 2; /* reminded, and told of once as overdue */
    expect(&c, "2026-04-08", KIND(OVERDUE));
    expect(&c, "2026-04-15", KIND(OVERDUE));
    (void)state;
}

/* The relay was away for a month: one notice, not six. */
static void steps_that_were_missed_are_one(void **state)
{
    struct case_file c = owing(OWED(TAKE_UP), TEAM, "2026-03-23", "2026-03-30");
    int64_t back = workdays_time_ms(workdays_from_civil(2026, 5, 1), 9);
    struct case_notice n;
    assert_true(case_take_step(&c, back, &CASE_TERMS, 0, &n));
    assert_int_equal(n.kind, KIND(OVERDUE));
    assert_false(case_take_step(&c, back, &CASE_TERMS, 0, &n));
    assert_true(case_next_ms(&c, &CASE_TERMS, 0) > back);
    (void)state;
}

static void a_teams_own_days_count(void **state)
{
    const unsigned tuesday_thursday = 1u << 1 | 1u << 3;
    struct case_file c = owing(OWED(START), TEAM, "2026-11-03", "2026-11-19");
    char text[WORKDAYS_TEXT_BYTES];
    struct case_notice n;
    int64_t ms = case_next_ms(&c, &CASE_TERMS, tuesday_thursday);
    assert_string_equal(workdays_to_text(workdays_date(ms), text), "2026-11-17");
    assert_true(case_take_step(&c, ms, &CASE_TERMS, tuesday_thursday, &n));
    ms = case_next_ms(&c, &CASE_TERMS, tuesday_thursday);
    assert_string_equal(workdays_to_text(workdays_date(ms), text), "2026-11-24");
    (void)state;
}

static void bridging_care_is_reminded_of_and_ends(void **state)
{
    struct case_file c = {.state = STATE(REFERRED), .custody = PRACTICE};
    c.bridging =
        (struct case_bridging){.by = TEAM, .until_date = workdays_from_civil(2026, 11, 29)};
    struct case_notice n = expect(&c, "2026-11-24", KIND(REMINDER));
    assert_true(n.to_practice && n.to_team);
    int64_t ms = case_next_ms(&c, &CASE_TERMS, 0);
    assert_int_equal(ms, workdays_start_ms(workdays_from_civil(2026, 11, 30)));
    assert_true(case_take_step(&c, ms, &CASE_TERMS, 0, &n));
    assert_int_equal(n.kind, KIND(NONE));
    assert_int_equal(c.bridging.by, BRUG__V1__SIDE__SIDE_NONE);
    assert_int_equal(c.owed_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(c.owed[i].kind, OWED(BRIDGING_DECISION));
    (void)state;
}

/* Whatever the clock says, steps end, each moves on, and none is taken twice. */
static void any_clock_ends(void **state)
{
    const int64_t clocks[] = {INT64_MIN, -1, 0, INT64_MAX / 2, INT64_MAX};
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        struct case_file c = owing(OWED(TAKE_UP), TEAM, "2026-03-23", "2026-03-30");
        c.owed[0].is_opened = false;
        struct case_notice n;
        unsigned steps = 0;
        while (case_take_step(&c, clocks[i], &CASE_TERMS, 0, &n))
            assert_true(++steps < 10);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reminder_then_overdue_again_and_again),
        cmocka_unit_test(a_practice_is_reminded_of_what_it_owes),
        cmocka_unit_test(a_term_too_short_for_a_reminder_has_none),
        cmocka_unit_test(a_closing_is_reminded_of_on_its_date),
        cmocka_unit_test(an_event_that_has_not_come_waits_for_no_time),
        cmocka_unit_test(T11_a_letter_that_nobody_opens),
        cmocka_unit_test(an_opened_letter_needs_no_notice),
        cmocka_unit_test(fewer_working_days_do_not_silence_what_is_overdue),
        cmocka_unit_test(an_item_of_before_counts_from_its_due_date),
        cmocka_unit_test(steps_that_were_missed_are_one),
        cmocka_unit_test(a_teams_own_days_count),
        cmocka_unit_test(bridging_care_is_reminded_of_and_ends),
        cmocka_unit_test(any_clock_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
