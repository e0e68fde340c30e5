/*
 * Unit tests of rules/workdays: every date and hour of two centuries against a table that was made
 * without it, then facts that people can look up, and what must hold for all dates and masks.
 */
#include "rules/workdays.h"
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define FROM_YEAR 2000
#define YEARS 200
#define FROM_DATE 10957u /* 2000-01-01 */
#define DATES (WORKDAYS_DATE_MAX + 1 - FROM_DATE)

#define TUESDAY_THURSDAY 0x0au
#define MONDAYS 0x01u
#define SATURDAYS 0x20u
#define SUNDAYS 0x40u

/*
 * 2000 to 2199: the days of March and October on which the offset changes, found by asking Python's
 * zoneinfo (Europe/Amsterdam) for every hour, and Easter Sunday (month * 100 + day) by dateutil.
 */
static const struct {
    int march, october, easter;
} FACTS[YEARS] = {
    {26, 29, 423}, {25, 28, 415}, {31, 27, 331}, {30, 26, 420}, {28, 31, 411}, {27, 30, 327},
    {26, 29, 416}, {25, 28, 408}, {30, 26, 323}, {29, 25, 412}, {28, 31, 404}, {27, 30, 424},
    {25, 28, 408}, {31, 27, 331}, {30, 26, 420}, {29, 25, 405}, {27, 30, 327}, {26, 29, 416},
    {25, 28, 401}, {31, 27, 421}, {29, 25, 412}, {28, 31, 404}, {27, 30, 417}, {26, 29, 409},
    {31, 27, 331}, {30, 26, 420}, {29, 25, 405}, {28, 31, 328}, {26, 29, 416}, {25, 28, 401},
    {31, 27, 421}, {30, 26, 413}, {28, 31, 328}, {27, 30, 417}, {26, 29, 409}, {25, 28, 325},
    {30, 26, 413}, {29, 25, 405}, {28, 31, 425}, {27, 30, 410}, {25, 28, 401}, {31, 27, 421},
    {30, 26, 406}, {29, 25, 329}, {27, 30, 417}, {26, 29, 409}, {25, 28, 325}, {31, 27, 414},
    {29, 25, 405}, {28, 31, 418}, {27, 30, 410}, {26, 29, 402}, {31, 27, 421}, {30, 26, 406},
    {29, 25, 329}, {28, 31, 418}, {26, 29, 402}, {25, 28, 422}, {31, 27, 414}, {30, 26, 330},
    {28, 31, 418}, {27, 30, 410}, {26, 29, 326}, {25, 28, 415}, {30, 26, 406}, {29, 25, 329},
    {28, 31, 411}, {27, 30, 403}, {25, 28, 422}, {31, 27, 414}, {30, 26, 330}, {29, 25, 419},
    {27, 30, 410}, {26, 29, 326}, {25, 28, 415}, {31, 27, 407}, {29, 25, 419}, {28, 31, 411},
    {27, 30, 403}, {26, 29, 423}, {31, 27, 407}, {30, 26, 330}, {29, 25, 419}, {28, 31, 404},
    {26, 29, 326}, {25, 28, 415}, {31, 27, 331}, {30, 26, 420}, {28, 31, 411}, {27, 30, 403},
    {26, 29, 416}, {25, 28, 408}, {30, 26, 330}, {29, 25, 412}, {28, 31, 404}, {27, 30, 424},
    {25, 28, 415}, {31, 27, 331}, {30, 26, 420}, {29, 25, 412}, {28, 31, 328}, {27, 30, 417},
    {26, 29, 409}, {25, 28, 325}, {30, 26, 413}, {29, 25, 405}, {28, 31, 418}, {27, 30, 410},
    {25, 28, 401}, {31, 27, 421}, {30, 26, 406}, {29, 25, 329}, {27, 30, 417}, {26, 29, 402},
    {25, 28, 422}, {31, 27, 414}, {29, 25, 329}, {28, 31, 418}, {27, 30, 410}, {26, 29, 326},
    {31, 27, 414}, {30, 26, 406}, {29, 25, 329}, {28, 31, 411}, {26, 29, 402}, {25, 28, 422},
    {31, 27, 414}, {30, 26, 330}, {28, 31, 418}, {27, 30, 410}, {26, 29, 326}, {25, 28, 415},
    {30, 26, 406}, {29, 25, 419}, {28, 31, 411}, {27, 30, 403}, {25, 28, 422}, {31, 27, 407},
    {30, 26, 330}, {29, 25, 419}, {27, 30, 403}, {26, 29, 326}, {25, 28, 415}, {31, 27, 331},
    {29, 25, 419}, {28, 31, 411}, {27, 30, 403}, {26, 29, 416}, {31, 27, 407}, {30, 26, 330},
    {29, 25, 412}, {28, 31, 404}, {26, 29, 423}, {25, 28, 415}, {31, 27, 331}, {30, 26, 420},
    {28, 31, 411}, {27, 30, 327}, {26, 29, 416}, {25, 28, 408}, {30, 26, 323}, {29, 25, 412},
    {28, 31, 404}, {27, 30, 424}, {25, 28, 408}, {31, 27, 331}, {30, 26, 420}, {29, 25, 405},
    {27, 30, 327}, {26, 29, 416}, {25, 28, 401}, {31, 27, 421}, {29, 25, 412}, {28, 31, 404},
    {27, 30, 417}, {26, 29, 409}, {31, 27, 331}, {30, 26, 420}, {29, 25, 405}, {28, 31, 328},
    {26, 29, 416}, {25, 28, 401}, {31, 27, 421}, {30, 26, 413}, {28, 31, 328}, {27, 30, 417},
    {26, 29, 409}, {25, 28, 325}, {30, 26, 413}, {29, 25, 405}, {28, 31, 425}, {27, 30, 410},
    {25, 28, 401}, {31, 27, 421}, {30, 26, 406}, {29, 25, 329}, {27, 30, 417}, {26, 29, 409},
    {25, 28, 325}, {31, 27, 414},
};

/* One date, counted on a calendar of the test's own. */
struct day {
    int year, month, day;
    unsigned weekday;
    bool is_summer; /* at its first hour; on the days of the change the other holds from 3:00 */
    bool is_change;
    bool is_holiday;
};

static int month_days(int year, int month)
{
    if (month == 2)
        return 28 + ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0);
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static bool is_fixed_holiday(const struct day *d)
{
    bool may_be_feast = d->month == 4 && d->weekday != 6;
    int feast = d->year <= 2013 ? 30 : 27;
    return (d->month == 1 && d->day == 1) || (d->month == 12 && (d->day == 25 || d->day == 26)) ||
           (d->month == 5 && d->day == 5 && d->year % 5 == 0) ||
           (may_be_feast && d->day == feast) ||
           (may_be_feast && d->day == feast - 1 && d->weekday == 5);
}

static int make_calendar(void **state)
{
    struct day *days = calloc(DATES, sizeof *days);
    struct day d = {.year = FROM_YEAR, .month = 1, .day = 1, .weekday = 5};
    uint32_t easter = 0;
    assert_non_null(days);
    for (uint32_t i = 0; i < DATES; i++) {
        int year = d.year - FROM_YEAR, day = d.month * 100 + d.day;
        d.is_change = day == 300 + FACTS[year].march || day == 1000 + FACTS[year].october;
        d.is_summer = day > 300 + FACTS[year].march && day <= 1000 + FACTS[year].october;
        if (day == FACTS[year].easter)
            easter = i;
        d.is_holiday = is_fixed_holiday(&d);
        days[i] = d;
        if (++d.day > month_days(d.year, d.month)) {
            d.day = 1;
            d.year += d.month == 12;
            d.month = d.month % 12 + 1;
        }
        d.weekday = (d.weekday + 1) % 7;
        if (days[i].year == d.year)
            continue;
        const unsigned after[] = {0, 1, 39, 49, 50};
        for (size_t k = 0; k < sizeof after / sizeof after[0]; k++)
            days[easter + after[k]].is_holiday = true;
    }
    *state = days;
    return 0;
}

static int free_calendar(void **state)
{
    free(*state);
    return 0;
}

static uint32_t date_of(unsigned year, unsigned month, unsigned day)
{
    uint32_t date = workdays_from_civil(year, month, day);
    assert_true(date > 0);
    return date;
}

static void expect_date(uint32_t date, const char *text)
{
    char shown[WORKDAYS_TEXT_BYTES];
    assert_string_equal(workdays_to_text(date, shown), text);
}

/* ---- every date ---- */

static void test_every_date_has_its_name_and_weekday(void **state)
{
    const struct day *days = *state;
    for (uint32_t i = 0; i < DATES; i++) {
        const struct day *d = &days[i];
        struct workdays_civil c = workdays_civil(FROM_DATE + i);
        if (c.year != (unsigned)d->year || c.month != (unsigned)d->month ||
            c.day != (unsigned)d->day || workdays_weekday(FROM_DATE + i) != d->weekday ||
            workdays_from_civil(c.year, c.month, c.day) != FROM_DATE + i)
            fail_msg("%d-%02d-%02d is not right", d->year, d->month, d->day);
    }
}

static void test_every_date_is_a_working_day_or_not(void **state)
{
    const struct day *days = *state;
    for (uint32_t i = 0; i < DATES; i++) {
        const struct day *d = &days[i];
        if (workdays_is_holiday(FROM_DATE + i) != d->is_holiday ||
            workdays_is_working(FROM_DATE + i, 0) != (!d->is_holiday && d->weekday < 5))
            fail_msg("%d-%02d-%02d is not right", d->year, d->month, d->day);
    }
}

static void test_every_hour_of_every_date(void **state)
{
    const struct day *days = *state;
    for (uint32_t i = 0; i < DATES; i++) {
        const struct day *d = &days[i];
        int64_t as_utc = (int64_t)(FROM_DATE + i) * DAY_MS;
        for (int hour = 0; hour < 24; hour++) {
            bool summer = d->is_summer != (d->is_change && hour >= 3);
            int64_t ms = as_utc + (hour - (summer ? 2 : 1)) * HOUR_MS;
            if (workdays_time_ms(FROM_DATE + i, (unsigned)hour) != ms ||
                workdays_date(ms) != FROM_DATE + i)
                fail_msg("%d-%02d-%02d %02d:00 is not right", d->year, d->month, d->day, hour);
        }
        int64_t start = workdays_start_ms(FROM_DATE + i);
        if (start != workdays_time_ms(FROM_DATE + i, 0) || workdays_date(start) != FROM_DATE + i ||
            workdays_date(start - 1) != FROM_DATE + i - 1)
            fail_msg("%d-%02d-%02d does not begin well", d->year, d->month, d->day);
    }
}

/* ---- facts ---- */

/* Made with Python's zoneinfo: around midnights, and at twelve moments drawn by chance. */
static void test_times_have_known_dates(void **state)
{
    static const struct {
        int64_t ms;
        const char *date;
    } rows[] = {
        {INT64_C(946681199999), "1999-12-31"},  {INT64_C(946681200000), "2000-01-01"},
        {INT64_C(1774738799999), "2026-03-28"}, {INT64_C(1774738800000), "2026-03-29"},
        {INT64_C(1792879199999), "2026-10-24"}, {INT64_C(1792879200000), "2026-10-25"},
        {INT64_C(1767221999999), "2025-12-31"}, {INT64_C(1767222000000), "2026-01-01"},
        {INT64_C(1709161199999), "2024-02-28"}, {INT64_C(1709161200000), "2024-02-29"},
        {INT64_C(4107538799999), "2100-02-28"}, {INT64_C(4107538800000), "2100-03-01"},
        {INT64_C(1047213305000), "2003-03-09"}, {INT64_C(3832694821000), "2091-06-14"},
        {INT64_C(5916513055000), "2157-06-27"}, {INT64_C(5078495455000), "2130-12-06"},
        {INT64_C(2642236747000), "2053-09-23"}, {INT64_C(4511489528000), "2112-12-18"},
        {INT64_C(6076295727000), "2162-07-20"}, {INT64_C(1060980315000), "2003-08-15"},
        {INT64_C(3019218165000), "2065-09-03"}, {INT64_C(1174876320000), "2007-03-26"},
        {INT64_C(6865517182000), "2187-07-24"}, {INT64_C(3160627292000), "2070-02-26"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_date(workdays_date(rows[i].ms), rows[i].date);
}

/* Made with Python's zoneinfo. 02:00 of 29 March 2026 does not exist, that of 25 October comes twice. */
static void test_hours_have_known_times(void **state)
{
    static const struct {
        unsigned year, month, day, hour;
        int64_t ms;
    } rows[] = {
        {2000, 1, 1, 0, INT64_C(946681200000)},     {2026, 3, 28, 8, INT64_C(1774681200000)},
        {2026, 3, 29, 0, INT64_C(1774738800000)},   {2026, 3, 29, 1, INT64_C(1774742400000)},
        {2026, 3, 29, 2, INT64_C(1774746000000)},   {2026, 3, 29, 3, INT64_C(1774746000000)},
        {2026, 3, 29, 8, INT64_C(1774764000000)},   {2026, 3, 30, 0, INT64_C(1774821600000)},
        {2026, 10, 24, 8, INT64_C(1792821600000)},  {2026, 10, 25, 0, INT64_C(1792879200000)},
        {2026, 10, 25, 1, INT64_C(1792882800000)},  {2026, 10, 25, 2, INT64_C(1792886400000)},
        {2026, 10, 25, 3, INT64_C(1792893600000)},  {2026, 10, 25, 8, INT64_C(1792911600000)},
        {2026, 10, 26, 0, INT64_C(1792969200000)},  {2038, 1, 19, 4, INT64_C(2147482800000)},
        {2050, 7, 1, 12, INT64_C(2540282400000)},   {2100, 2, 28, 23, INT64_C(4107535200000)},
        {2199, 12, 31, 23, INT64_C(7258111200000)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (workdays_time_ms(date_of(rows[i].year, rows[i].month, rows[i].day), rows[i].hour) !=
            rows[i].ms)
            fail_msg("%u-%02u-%02u %02u:00", rows[i].year, rows[i].month, rows[i].day,
                     rows[i].hour);
}

static void test_days_of_a_change_have_23_and_25_hours(void **state)
{
    uint32_t march = date_of(2026, 3, 29), october = date_of(2026, 10, 25);
    assert_true(workdays_start_ms(march + 1) - workdays_start_ms(march) == 23 * HOUR_MS);
    assert_true(workdays_start_ms(october + 1) - workdays_start_ms(october) == 25 * HOUR_MS);
    assert_true(workdays_start_ms(march) - workdays_start_ms(march - 1) == DAY_MS);
}

/* Among them the earliest (2008), the latest (2038) and Gauss's exceptions (2049, 2076). */
static void test_known_easters(void **state)
{
    static const int rows[][3] = {
        {2000, 4, 23}, {2001, 4, 15}, {2002, 3, 31}, {2003, 4, 20}, {2004, 4, 11}, {2005, 3, 27},
        {2006, 4, 16}, {2007, 4, 8},  {2008, 3, 23}, {2009, 4, 12}, {2010, 4, 4},  {2011, 4, 24},
        {2012, 4, 8},  {2013, 3, 31}, {2014, 4, 20}, {2015, 4, 5},  {2016, 3, 27}, {2017, 4, 16},
        {2018, 4, 1},  {2019, 4, 21}, {2020, 4, 12}, {2021, 4, 4},  {2022, 4, 17}, {2023, 4, 9},
        {2024, 3, 31}, {2025, 4, 20}, {2026, 4, 5},  {2027, 3, 28}, {2028, 4, 16}, {2029, 4, 1},
        {2030, 4, 21}, {2038, 4, 25}, {2049, 4, 18}, {2076, 4, 19}, {2100, 3, 28}, {2160, 3, 23},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t easter = date_of((unsigned)rows[i][0], (unsigned)rows[i][1], (unsigned)rows[i][2]);
        assert_int_equal(workdays_weekday(easter), 6);
        assert_true(workdays_is_holiday(easter));
        assert_true(workdays_is_holiday(easter + 1));
        assert_false(workdays_is_holiday(easter - 7));
        assert_false(workdays_is_holiday(easter + 7));
    }
}

static void expect_holidays(unsigned year, const char *wanted)
{
    char found[256] = "", text[WORKDAYS_TEXT_BYTES];
    size_t used = 0;
    for (uint32_t d = date_of(year, 1, 1); d <= date_of(year, 12, 31); d++)
        if (workdays_is_holiday(d) && used < sizeof found)
            used += (size_t)snprintf(found + used, sizeof found - used, "%s%s", used ? " " : "",
                                     workdays_to_text(d, text) + strlen("2026-"));
    assert_string_equal(found, wanted);
}

static void test_the_holidays_of_some_years(void **state)
{
    expect_holidays(2000, "01-01 04-23 04-24 04-29 05-05 06-01 06-11 06-12 12-25 12-26");
    expect_holidays(2008, "01-01 03-23 03-24 04-30 05-01 05-11 05-12 12-25 12-26");
    expect_holidays(2013, "01-01 03-31 04-01 04-30 05-09 05-19 05-20 12-25 12-26");
    expect_holidays(2014, "01-01 04-20 04-21 04-26 05-29 06-08 06-09 12-25 12-26");
    expect_holidays(2025, "01-01 04-20 04-21 04-26 05-05 05-29 06-08 06-09 12-25 12-26");
    expect_holidays(2026, "01-01 04-05 04-06 04-27 05-14 05-24 05-25 12-25 12-26");
    expect_holidays(2027, "01-01 03-28 03-29 04-27 05-06 05-16 05-17 12-25 12-26");
    expect_holidays(2030, "01-01 04-21 04-22 04-27 05-05 05-30 06-09 06-10 12-25 12-26");
    expect_holidays(2038, "01-01 04-25 04-26 04-27 06-03 06-13 06-14 12-25 12-26");
}

static void test_good_friday_and_most_liberation_days_are_working_days(void **state)
{
    assert_true(workdays_is_working(date_of(2026, 4, 3), 0));
    assert_true(workdays_is_working(date_of(2026, 5, 5), 0));
    assert_false(workdays_is_working(date_of(2025, 5, 5), 0));
}

struct due {
    unsigned year, month, day, n, mask;
    const char *due;
};

static void test_due_dates(void **state)
{
    static const struct due rows[] = {
        /* weekends with a change of the clock in them */
        {2026, 3, 27, 1, 0, "2026-03-30"},
        {2026, 3, 27, 2, 0, "2026-03-31"},
        {2026, 10, 23, 1, 0, "2026-10-26"},
        {2026, 10, 23, 5, 0, "2026-10-30"},
        /* Easter, King's Day, Liberation Day, Ascension and Whitsun */
        {2026, 4, 2, 1, 0, "2026-04-03"},
        {2026, 4, 2, 2, 0, "2026-04-07"},
        {2026, 4, 24, 1, 0, "2026-04-28"},
        {2025, 4, 25, 1, 0, "2025-04-28"},
        {2013, 4, 29, 1, 0, "2013-05-01"},
        {2025, 5, 2, 1, 0, "2025-05-06"},
        {2026, 5, 4, 1, 0, "2026-05-05"},
        {2026, 5, 13, 1, 0, "2026-05-15"},
        {2026, 5, 13, 10, 0, "2026-05-29"},
        /* Christmas and the turn of the year */
        {2026, 12, 24, 1, 0, "2026-12-28"},
        {2026, 12, 23, 5, 0, "2026-12-31"},
        {2026, 12, 23, 6, 0, "2027-01-04"},
        {2026, 12, 31, 1, 0, "2027-01-04"},
        {2024, 12, 31, 1, 0, "2025-01-02"},
        {2028, 2, 28, 1, 0, "2028-02-29"},
        /* nothing to wait for */
        {2026, 3, 27, 0, 0, "2026-03-27"},
        {2026, 3, 28, 0, 0, "2026-03-30"},
        {2026, 12, 25, 0, 0, "2026-12-28"},
        {2027, 1, 1, 0, 0, "2027-01-04"},
        /* teams with days of their own; Ascension is a Thursday */
        {2026, 3, 27, 1, TUESDAY_THURSDAY, "2026-03-31"},
        {2026, 3, 27, 3, TUESDAY_THURSDAY, "2026-04-07"},
        {2026, 5, 12, 1, TUESDAY_THURSDAY, "2026-05-19"},
        {2026, 5, 12, 2, TUESDAY_THURSDAY, "2026-05-21"},
        {2026, 5, 13, 0, TUESDAY_THURSDAY, "2026-05-19"},
        {2026, 3, 30, 1, MONDAYS, "2026-04-13"},
        {2026, 3, 30, 3, MONDAYS, "2026-05-04"},
        {2026, 12, 19, 1, SATURDAYS, "2027-01-02"},
        {2026, 3, 29, 1, SUNDAYS, "2026-04-12"},
        {2026, 5, 17, 1, SUNDAYS, "2026-05-31"},
        {2026, 3, 27, 1, 0x7f, "2026-03-28"},
        /* bits that are no days */
        {2026, 3, 27, 1, 0x80, "2026-03-30"},
        {2026, 3, 27, 1, ~0x7fu, "2026-03-30"},
        {2026, 3, 27, 1, 0x80 | TUESDAY_THURSDAY, "2026-03-31"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct due *r = &rows[i];
        expect_date(workdays_add(date_of(r->year, r->month, r->day), r->n, r->mask), r->due);
    }
}

static void test_working_days_before(void **state)
{
    static const struct due rows[] = {
        {2026, 3, 30, 1, 0, "2026-03-27"},
        {2026, 10, 26, 2, 0, "2026-10-22"},
        {2026, 4, 7, 1, 0, "2026-04-03"},
        {2027, 1, 4, 1, 0, "2026-12-31"},
        {2026, 3, 29, 0, 0, "2026-03-27"},
        {2026, 3, 27, 0, 0, "2026-03-27"},
        {2026, 5, 19, 1, TUESDAY_THURSDAY, "2026-05-12"},
        {2026, 4, 13, 1, MONDAYS, "2026-03-30"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct due *r = &rows[i];
        expect_date(workdays_subtract(date_of(r->year, r->month, r->day), r->n, r->mask), r->due);
    }
}

/* ---- for all dates and masks ---- */

static bool should_work(const struct day *days, uint32_t date, unsigned mask)
{
    const struct day *d = &days[date - FROM_DATE];
    return !d->is_holiday && ((mask & 0x7f ? mask : 0x1f) >> d->weekday & 1);
}

static void expect_count(const struct day *days, uint32_t date, unsigned n, unsigned mask)
{
    uint32_t due = workdays_add(date, n, mask);
    unsigned counted = 0;
    for (uint32_t d = date + 1; d <= due; d++)
        counted += should_work(days, d, mask);
    bool is_at_once = n == 0 && should_work(days, date, mask);
    if (due < date || counted != (is_at_once ? 0 : n == 0 ? 1 : n) || !should_work(days, due, mask))
        fail_msg("%u + %u, mask %#x", date, n, mask);
    uint32_t back = workdays_subtract(due, n, mask);
    if (back != (n == 0 ? due : workdays_subtract(date, 0, mask)) || !should_work(days, back, mask))
        fail_msg("%u + %u - %u, mask %#x", date, n, n, mask);
    if (workdays_add(date + 1, n, mask) < due || workdays_add(date, n + 1, mask) < due ||
        (n > 0 && workdays_add(date, n + 1, mask) == due))
        fail_msg("%u + %u is not monotone, mask %#x", date, n, mask);
}

static void test_the_nth_working_day_is_counted_for_all_masks(void **state)
{
    static const unsigned ns[] = {0, 1, 2, 5};
    for (unsigned mask = 0; mask < 0x100; mask++)
        for (uint32_t date = date_of(2025, 12, 1) + mask % 5; date < date_of(2027, 1, 10);
             date += 5)
            for (size_t i = 0; i < sizeof ns / sizeof ns[0]; i++)
                expect_count(*state, date, ns[i], mask);
}

static void test_the_nth_working_day_is_counted_in_all_years(void **state)
{
    static const unsigned masks[] = {0, TUESDAY_THURSDAY, 0x3f, SUNDAYS};
    unsigned turn = 0;
    for (uint32_t date = FROM_DATE + 30; date < WORKDAYS_DATE_MAX - 800; date += 13, turn++)
        expect_count(*state, date, turn % 66, masks[turn % 4]);
}

/* ---- what nobody should ask ---- */

static void test_dates_outside_the_calendar_are_its_ends(void **state)
{
    static const uint32_t late[] = {WORKDAYS_DATE_MAX, WORKDAYS_DATE_MAX + 1, INT32_MAX,
                                    UINT32_MAX - 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof late / sizeof late[0]; i++) {
        expect_date(late[i], "2199-12-31");
        assert_int_equal(workdays_weekday(late[i]), 1);
        assert_true(workdays_start_ms(late[i]) == INT64_C(7258028400000));
        assert_true(workdays_time_ms(late[i], 23) == INT64_C(7258111200000));
        assert_false(workdays_is_holiday(late[i]));
        assert_int_equal(workdays_add(late[i], 0, SUNDAYS), WORKDAYS_DATE_MAX);
        assert_int_equal(workdays_add(late[i], UINT_MAX, 0), WORKDAYS_DATE_MAX);
        expect_date(workdays_subtract(late[i], 1, 0), "2199-12-30");
    }
    assert_int_equal(workdays_add(0, UINT_MAX, SATURDAYS), WORKDAYS_DATE_MAX);
    assert_int_equal(workdays_subtract(UINT32_MAX, UINT_MAX, SATURDAYS), 0);
    assert_int_equal(workdays_subtract(0, 0, 0), 0);
    expect_date(0, "1970-01-01");
    assert_int_equal(workdays_weekday(0), 3);
    assert_true(workdays_start_ms(0) == -HOUR_MS);
}

static void test_times_outside_the_calendar_are_its_ends(void **state)
{
    assert_int_equal(workdays_date(INT64_MIN), 0);
    assert_int_equal(workdays_date(-HOUR_MS - 1), 0);
    assert_int_equal(workdays_date(-100 * DAY_MS), 0);
    assert_int_equal(workdays_date(23 * HOUR_MS - 1), 0);
    assert_int_equal(workdays_date(23 * HOUR_MS), 1);
    assert_int_equal(workdays_date(INT64_C(7258028400000) - 1), WORKDAYS_DATE_MAX - 1);
    assert_int_equal(workdays_date(INT64_C(7258028400000)), WORKDAYS_DATE_MAX);
    assert_int_equal(workdays_date(INT64_C(7258114800000)), WORKDAYS_DATE_MAX);
    assert_int_equal(workdays_date(INT64_MAX), WORKDAYS_DATE_MAX);
}

static void test_an_hour_after_23_is_23(void **state)
{
    uint32_t date = date_of(2026, 11, 29);
    assert_true(workdays_time_ms(date, 24) == workdays_time_ms(date, 23));
    assert_true(workdays_time_ms(date, UINT_MAX) == workdays_time_ms(date, 23));
}

static void test_what_is_no_date(void **state)
{
    static const unsigned rows[][3] = {
        {2026, 2, 29}, {2100, 2, 29},    {2026, 4, 31},       {2026, 0, 1},        {2026, 13, 1},
        {2026, 1, 0},  {2026, 1, 32},    {1969, 12, 31},      {2200, 1, 1},        {2200, 1, 31},
        {0, 1, 1},     {UINT_MAX, 1, 1}, {2026, UINT_MAX, 1}, {2026, 1, UINT_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(workdays_from_civil(rows[i][0], rows[i][1], rows[i][2]), 0);
    assert_int_equal(workdays_from_civil(1970, 1, 2), 1);
    assert_int_equal(workdays_from_civil(2024, 2, 29), 19782);
    assert_int_equal(workdays_from_civil(2199, 12, 31), WORKDAYS_DATE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_date_has_its_name_and_weekday),
        cmocka_unit_test(test_every_date_is_a_working_day_or_not),
        cmocka_unit_test(test_every_hour_of_every_date),
        cmocka_unit_test(test_times_have_known_dates),
        cmocka_unit_test(test_hours_have_known_times),
        cmocka_unit_test(test_days_of_a_change_have_23_and_25_hours),
        cmocka_unit_test(test_known_easters),
        cmocka_unit_test(test_the_holidays_of_some_years),
        cmocka_unit_test(test_good_friday_and_most_liberation_days_are_working_days),
        cmocka_unit_test(test_due_dates),
        cmocka_unit_test(test_working_days_before),
        cmocka_unit_test(test_the_nth_working_day_is_counted_for_all_masks),
        cmocka_unit_test(test_the_nth_working_day_is_counted_in_all_years),
        cmocka_unit_test(test_dates_outside_the_calendar_are_its_ends),
        cmocka_unit_test(test_times_outside_the_calendar_are_its_ends),
        cmocka_unit_test(test_an_hour_after_23_is_23),
        cmocka_unit_test(test_what_is_no_date),
    };
    return cmocka_run_group_tests(tests, make_calendar, free_calendar);
}
