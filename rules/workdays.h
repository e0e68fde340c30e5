/*
 * rules/workdays.h: the calendar in which what is owed runs [R29]: working days without the Dutch
 * holidays, in Amsterdam's time. Pure: no time zone of the system, no clock.
 *
 * A date is days since 1970-01-01 in Amsterdam, as until_date on the wire. The calendar ends with
 * WORKDAYS_DATE_MAX: a later date is taken for that one, so that every value is allowed everywhere.
 * Its days before 2000 follow the rules of 2000 (time zone: right from 1996; holidays: from 1980).
 *
 * A mask is working_days of a Card: bit 0 is Monday. Bits above 6 are ignored; with none of the
 * seven the days are Monday to Friday.
 */
#ifndef RULES_WORKDAYS_H
#define RULES_WORKDAYS_H

#include <stdbool.h>
#include <stdint.h>

#define WORKDAYS_DATE_MAX 84005u /* 2199-12-31 */

/* The date at `ms` since 1970 UTC; times outside the calendar give its first or last date. */
uint32_t workdays_date(int64_t ms);
/* When `date` begins, in ms since 1970 UTC. */
int64_t workdays_start_ms(uint32_t date);
/*
 * When it is hour:00 there (0 to 23; above is taken for 23). 02:00 when summer time begins is not on
 * the clock and gives 03:00, the moment of the change; when it ends it comes twice, and this is the first.
 */
int64_t workdays_time_ms(uint32_t date, unsigned hour);

unsigned workdays_weekday(uint32_t date); /* 0 is Monday */
/*
 * New Year's Day, Easter Sunday and Monday, King's Day (Queen's before 2014), Ascension, Whit Sunday
 * and Monday, 25 and 26 December, and 5 May of every fifth year (2020, 2025). The other years' 5 May
 * and Good Friday are working days.
 */
bool workdays_is_holiday(uint32_t date);
bool workdays_is_working(uint32_t date, unsigned mask);

/*
 * The n-th working day after `date`, or before it; with n 0 `date` itself if it is one, else the next,
 * or the last before it. What lies outside the calendar becomes its last or first date, working or not.
 * They step by days, so that no n costs more than the 84,005 days of the calendar (milliseconds).
 */
uint32_t workdays_add(uint32_t date, unsigned n, unsigned mask);
uint32_t workdays_subtract(uint32_t date, unsigned n, unsigned mask);

/* How many working days come after `from` up to and including `until`, at most `most`; 0 if `until` comes first. Monday to
 * Friday. */
unsigned workdays_between(uint32_t from, uint32_t until, unsigned most);

struct workdays_civil {
    unsigned year, month, day; /* 1970 to 2199, from 1, from 1 */
};

struct workdays_civil workdays_civil(uint32_t date);
/* 0 for what is no date of the calendar, such as 29 February 2100. */
uint32_t workdays_from_civil(unsigned year, unsigned month, unsigned day);
/* "2026-05-14"; returns out. */
#define WORKDAYS_TEXT_BYTES 11
char *workdays_to_text(uint32_t date, char out[WORKDAYS_TEXT_BYTES]);

#endif
