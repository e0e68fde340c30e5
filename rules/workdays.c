/*
 * rules/workdays.c: working days, holidays and time in the Netherlands, all computed.
 *
 * Which holidays: those on which nearly everybody is off. Good Friday and the 5 May of most years are
 * not among them, though the Algemene termijnenwet counts both for terms set by law, and municipal
 * staff have each 5 May off since 2024. A day more or less is a number in workdays_is_holiday.
 *
 * Invariants:
 * 1. A date is clamped where it comes in, so that nothing below overflows: 2199 ends at some 7.3e12 ms.
 * 2. Every loop over days moves by one day towards an end of the calendar.
 */
#include "rules/workdays.h"
#include <stdio.h>

#define YEAR_MIN 1970u
#define YEAR_MAX 2199u
#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)

enum { SUNDAY = 6 };
enum { WEEK_MASK = 0x7f, MONDAY_TO_FRIDAY = 0x1f };

static uint32_t clamp(uint32_t date) { return date < WORKDAYS_DATE_MAX ? date : WORKDAYS_DATE_MAX; }

/* ---- civil dates ---- */

/*
 * In both directions years begin in March, so that a leap day is the last of its year, and are counted
 * in eras of 400 years (146097 days) from 0000-03-01, which is 719468 days before 1970.
 */
enum { ERA_DAYS = 146097, EPOCH_DAYS = 719468 };

struct workdays_civil workdays_civil(uint32_t date)
{
    unsigned days = clamp(date) + EPOCH_DAYS;
    unsigned in_era = days % ERA_DAYS;
    unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / (ERA_DAYS - 1)) / 365;
    unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * in_year + 2) / 153; /* 0 is March */
    return (struct workdays_civil){
        .year = days / ERA_DAYS * 400 + year + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = in_year - (153 * month + 2) / 5 + 1,
    };
}

/* Of a date that exists. */
static uint32_t to_date(unsigned year, unsigned month, unsigned day)
{
    unsigned y = year - (month <= 2), in_era = y % 400;
    unsigned in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return y / 400 * ERA_DAYS + in_era * 365 + in_era / 4 - in_era / 100 + in_year - EPOCH_DAYS;
}

uint32_t workdays_from_civil(unsigned year, unsigned month, unsigned day)
{
    if (year < YEAR_MIN || year > YEAR_MAX || month < 1 || month > 12 || day < 1 || day > 31)
        return 0;
    uint32_t date = to_date(year, month, day);
    return workdays_civil(date).day == day ? date : 0; /* 31 April would be 1 May */
}

char *workdays_to_text(uint32_t date, char out[WORKDAYS_TEXT_BYTES])
{
    struct workdays_civil c = workdays_civil(date);
    (void)snprintf(out, WORKDAYS_TEXT_BYTES, "%04u-%02u-%02u", c.year % 10000u, c.month % 100u,
                   c.day % 100u);
    return out;
}

unsigned workdays_weekday(uint32_t date) { return (clamp(date) + 3) % 7; /* a Thursday was 0 */ }

/* ---- time ---- */

static uint32_t last_sunday(unsigned year, unsigned month_of_31_days)
{
    uint32_t last = to_date(year, month_of_31_days, 31);
    return last - (workdays_weekday(last) + 1) % 7;
}

/*
 * Summer time runs from the last Sunday of March 01:00 UTC to that of October 01:00 UTC (directive
 * 2000/84/EC). `change_hour` is when both come on the clock that `hour` is read from: 1 in UTC; 3 on
 * the wall, where 02:00 in March still counts as winter and 02:00 in October as summer.
 */
static bool is_summer(uint32_t date, unsigned hour, unsigned change_hour)
{
    unsigned year = workdays_civil(date).year;
    uint32_t begins = last_sunday(year, 3), ends = last_sunday(year, 10);
    if (date == begins)
        return hour >= change_hour;
    if (date == ends)
        return hour < change_hour;
    return date > begins && date < ends;
}

uint32_t workdays_date(int64_t ms)
{
    if (ms < 0)
        return 0;
    if (ms >= WORKDAYS_DATE_MAX * DAY_MS)
        return WORKDAYS_DATE_MAX;
    uint32_t date = (uint32_t)(ms / DAY_MS);
    unsigned hour = (unsigned)(ms % DAY_MS / HOUR_MS);
    return date + (hour + (is_summer(date, hour, 1) ? 2 : 1) >= 24);
}

int64_t workdays_time_ms(uint32_t date, unsigned hour)
{
    uint32_t day = clamp(date);
    unsigned hour_of_day = hour < 24 ? hour : 23;
    int64_t ahead = is_summer(day, hour_of_day, 3) ? 2 : 1;
    return day * DAY_MS + (hour_of_day - ahead) * HOUR_MS;
}

int64_t workdays_start_ms(uint32_t date) { return workdays_time_ms(date, 0); }

/* ---- holidays ---- */

/* The anonymous Gregorian algorithm (Meeus, Jones, Butcher), with its own names. */
static uint32_t easter_sunday(unsigned year)
{
    unsigned a = year % 19, b = year / 100, c = year % 100, d = b / 4, e = b % 4;
    unsigned f = (b + 8) / 25, g = (b - f + 1) / 3, h = (19 * a + b - d - g + 15) % 30;
    unsigned i = c / 4, k = c % 4, l = (32 + 2 * e + 2 * i - h - k) % 7;
    unsigned m = (a + 11 * h + 22 * l) / 451, n = h + l + 114 - 7 * m;
    return to_date(year, n / 31, n % 31 + 1);
}

/* On the Saturday before where it would be a Sunday. */
static uint32_t kings_day(unsigned year)
{
    uint32_t date = to_date(year, 4, year < 2014 ? 30 : 27);
    return workdays_weekday(date) == SUNDAY ? date - 1 : date;
}

bool workdays_is_holiday(uint32_t date)
{
    static const struct {
        unsigned month, day, every_years;
    } fixed[] = {{1, 1, 1}, {5, 5, 5}, {12, 25, 1}, {12, 26, 1}};
    /* Easter Sunday and Monday, Ascension, Whit Sunday and Monday. */
    static const unsigned after_easter[] = {0, 1, 39, 49, 50};

    uint32_t day = clamp(date);
    struct workdays_civil c = workdays_civil(day);
    for (unsigned i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        if (c.month == fixed[i].month && c.day == fixed[i].day &&
            c.year % fixed[i].every_years == 0)
            return true;
    uint32_t easter = easter_sunday(c.year);
    for (unsigned i = 0; i < sizeof after_easter / sizeof after_easter[0]; i++)
        if (day == easter + after_easter[i])
            return true;
    return day == kings_day(c.year);
}

/* ---- working days ---- */

bool workdays_is_working(uint32_t date, unsigned mask)
{
    unsigned days = mask & WEEK_MASK ? mask & WEEK_MASK : MONDAY_TO_FRIDAY;
    return (days >> workdays_weekday(date) & 1) && !workdays_is_holiday(date);
}

uint32_t workdays_add(uint32_t date, unsigned n, unsigned mask)
{
    uint32_t day = clamp(date);
    if (n == 0 && workdays_is_working(day, mask))
        return day;
    for (unsigned left = n ? n : 1; left > 0 && day < WORKDAYS_DATE_MAX;)
        left -= workdays_is_working(++day, mask);
    return day;
}

uint32_t workdays_subtract(uint32_t date, unsigned n, unsigned mask)
{
    uint32_t day = clamp(date);
    if (n == 0 && workdays_is_working(day, mask))
        return day;
    for (unsigned left = n ? n : 1; left > 0 && day > 0;)
        left -= workdays_is_working(--day, mask);
    return day;
}

unsigned workdays_between(uint32_t from, uint32_t until, unsigned most)
{
    unsigned n = 0;
    for (uint32_t day = clamp(from); day < clamp(until) && n < most;)
        n += workdays_is_working(++day, MONDAY_TO_FRIDAY);
    return n;
}
