/* Unit tests of rules/period: the calendar of figures. */
#include "rules/disclosure.h"
#include "rules/period.h"
#include "rules/workdays.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define PERIOD(name) BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_##name
#define FIRST_YEAR 2020u
#define LAST_YEAR 2099u

static void assert_period(Brug__V1__FigurePeriod kind, uint32_t date, const char *from,
                          const char *until)
{
    char text[WORKDAYS_TEXT_BYTES];
    struct figure_period p = period_of(kind, date);
    assert_int_equal(p.kind, kind);
    assert_string_equal(workdays_to_text(p.from, text), from);
    assert_string_equal(workdays_to_text(p.until, text), until);
}

static uint32_t day(unsigned year, unsigned month, unsigned of_month)
{
    return workdays_from_civil(year, month, of_month);
}

static void test_periods_of_months(void **state)
{
    assert_period(PERIOD(2M), day(2026, 1, 1), "2026-01-01", "2026-02-28");
    assert_period(PERIOD(2M), day(2028, 2, 29), "2028-01-01", "2028-02-29");
    assert_period(PERIOD(2M), day(2026, 12, 31), "2026-11-01", "2026-12-31");
    assert_period(PERIOD(QUARTER), day(2026, 9, 30), "2026-07-01", "2026-09-30");
    assert_period(PERIOD(QUARTER), day(2026, 10, 1), "2026-10-01", "2026-12-31");
    assert_period(PERIOD(YEAR), day(2026, 6, 1), "2026-01-01", "2026-12-31");
}

/* 2026 begins in the middle of ISO week 1, 2027 in week 53 of 2026, and 2025 ends in week 1 of 2026. */
static void test_periods_of_weeks(void **state)
{
    assert_period(PERIOD(4W), day(2026, 1, 1), "2026-01-01", "2026-01-25");
    assert_period(PERIOD(4W), day(2026, 1, 26), "2026-01-26", "2026-02-22");
    assert_period(PERIOD(4W), day(2026, 12, 31), "2026-11-30", "2026-12-31");
    assert_period(PERIOD(4W), day(2027, 1, 3), "2027-01-01", "2027-01-31");
    assert_period(PERIOD(4W), day(2025, 12, 31), "2025-12-01", "2025-12-31");
    assert_period(PERIOD(6W), day(2026, 1, 1), "2026-01-01", "2026-02-08");
    assert_period(PERIOD(6W), day(2026, 11, 29), "2026-10-19", "2026-11-29");
    assert_period(PERIOD(6W), day(2026, 11, 30), "2026-11-30", "2026-12-31");
}

/* Of each kind, every day lies in exactly one, and none lies in two years. */
static void test_they_tile_every_year(void **state)
{
    for (int kind = PERIOD(4W); kind <= PERIOD(YEAR); kind++) {
        static const unsigned in_year[] = {0, 13, 9, 6, 4, 1};
        for (unsigned year = FIRST_YEAR; year <= LAST_YEAR; year++) {
            uint32_t next = day(year, 1, 1), end = day(year, 12, 31);
            unsigned n = 0;
            for (; next <= end; n++) {
                struct figure_period p = period_of((Brug__V1__FigurePeriod)kind, next);
                struct figure_period last = period_of((Brug__V1__FigurePeriod)kind, p.until);
                assert_int_equal(p.from, next);
                assert_true(p.until >= p.from && p.until <= end);
                assert_memory_equal(&p, &last, sizeof p);
                next = p.until + 1;
            }
            assert_int_equal(n, in_year[kind]);
        }
    }
}

/* What a judgement of breakdowns has room for: the periods of a year, and the days on which they begin or end. */
static void test_a_year_has_no_more_periods_than_are_judged(void **state)
{
    for (unsigned year = FIRST_YEAR; year <= LAST_YEAR; year++) {
        bool begins[367] = {false};
        size_t periods = 0, days = 0;
        uint32_t first = day(year, 1, 1), end = day(year, 12, 31);
        for (int kind = PERIOD(4W); kind <= PERIOD(YEAR); kind++)
            for (uint32_t next = first; next <= end; periods++) {
                begins[next - first] = true;
                next = period_of((Brug__V1__FigurePeriod)kind, next).until + 1;
                begins[next - first] = true;
            }
        for (size_t i = 0; i < sizeof begins; i++)
            days += begins[i];
        assert_true(periods <= DISCLOSURE_SPANS_MAX && days <= DISCLOSURE_POINTS_MAX);
    }
}

static void test_weeks_end_on_sundays(void **state)
{
    for (unsigned year = FIRST_YEAR; year <= LAST_YEAR; year++)
        for (int kind = PERIOD(4W); kind <= PERIOD(6W); kind++) {
            unsigned weeks = kind == PERIOD(4W) ? 4 : 6;
            struct figure_period p =
                period_of((Brug__V1__FigurePeriod)kind, day(year, 1, 15) + 7 * weeks);
            assert_int_equal(workdays_weekday(p.from), 0);
            assert_int_equal(p.until - p.from + 1, 7 * weeks);
        }
}

static void test_the_one_before(void **state)
{
    struct figure_period p = period_of(PERIOD(QUARTER), day(2026, 1, 15));
    p = period_before(&p);
    assert_int_equal(p.from, day(2025, 10, 1));
    assert_int_equal(p.until, day(2025, 12, 31));
    p = period_of(PERIOD(4W), day(2026, 1, 1));
    p = period_before(&p);
    assert_int_equal(p.from, day(2025, 12, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_periods_of_months),
        cmocka_unit_test(test_periods_of_weeks),
        cmocka_unit_test(test_they_tile_every_year),
        cmocka_unit_test(test_weeks_end_on_sundays),
        cmocka_unit_test(test_a_year_has_no_more_periods_than_are_judged),
        cmocka_unit_test(test_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
