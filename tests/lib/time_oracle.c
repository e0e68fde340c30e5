/* tests/lib/time_oracle.c: see time_oracle.h. Each rule stands above what it says. */
#include "tests/lib/time_oracle.h"
#include "tests/lib/case_oracle.h"

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define PRACTICE BRUG__V1__SIDE__SIDE_PRACTICE
#define TEAM BRUG__V1__SIDE__SIDE_TEAM
#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define NEVER INT64_MAX
#define MORNING 8u

/* ---- the clock on the wall in Amsterdam ---- */

/* Summer, from the last Sunday of March to that of October, in days of UTC: both change at 01:00. */
static const struct {
    unsigned year, begins, ends; /* in March, in October */
} SUMMERS[] = {{2026, 29, 25}, {2027, 28, 31}, {2028, 26, 29}};

static int64_t hours_ahead(int64_t utc_ms)
{
    for (size_t i = 0; i < sizeof SUMMERS / sizeof SUMMERS[0]; i++) {
        int64_t from = oracle_date(SUMMERS[i].year, 3, SUMMERS[i].begins) * DAY_MS + HOUR_MS;
        int64_t to = oracle_date(SUMMERS[i].year, 10, SUMMERS[i].ends) * DAY_MS + HOUR_MS;
        if (utc_ms >= from && utc_ms < to)
            return 2;
    }
    return 1;
}

uint32_t oracle_today(int64_t ms) { return (uint32_t)((ms + hours_ahead(ms) * HOUR_MS) / DAY_MS); }

/* No clock changes at midnight or at eight. */
int64_t oracle_clock_ms(uint32_t date, unsigned hour)
{
    int64_t on_the_wall = date * DAY_MS + hour * HOUR_MS;
    return on_the_wall - hours_ahead(on_the_wall - HOUR_MS) * HOUR_MS;
}

/* ---- days of the side that owes ---- */

struct calendar {
    const struct case_terms *terms;
    unsigned team_days;
};

static unsigned days_of(const struct calendar *k, const struct owed_item *item)
{
    return item->debtor == TEAM ? k->team_days : 0;
}

/* Days count only if the relay worked. */
static uint32_t later(const struct calendar *k, const struct owed_item *item, uint32_t date,
                      unsigned n)
{
    return oracle_day_at_work(date, n, days_of(k, item), k->terms, k->terms->outage_count);
}

static uint32_t working_day_before(uint32_t date, unsigned n, unsigned days)
{
    while (n > 0)
        if (oracle_is_working_day(--date, days))
            n--;
    return date;
}

/* ---- an item's day ---- */

/* "A REMINDER to who owes, one working day before the due date (for CLOSING on it; left out where the term is too
 * short); OVERDUE to both sides on the working day after it, and again every five." 0: left out. */
static uint32_t day_of_notice(const struct calendar *k, const struct owed_item *item, unsigned n)
{
    unsigned days = days_of(k, item);
    uint32_t after_due = later(k, item, item->due_date, 1);
    if (n >
        1) { /* five after the last, and not before the due date, which an outage may have moved */
        uint32_t day = later(k, item, item->told_date, k->terms->overdue);
        return day > after_due ? day : after_due;
    }
    if (n == 1)
        return after_due;
    if (item->kind == OWED(CLOSING))
        return item->due_date;
    uint32_t day = working_day_before(item->due_date, k->terms->remind, days);
    return day > oracle_today(item->born_at_ms) ? day : 0;
}

static bool has_day(const struct owed_item *item) { return item->due_date > 0; }

static unsigned next_notice(const struct calendar *k, const struct owed_item *item)
{
    bool is_left_out = has_day(item) && item->notices == 0 && day_of_notice(k, item, 0) == 0;
    return is_left_out ? 1 : item->notices;
}

static int64_t due_ms(const struct calendar *k, const struct owed_item *item)
{
    if (!has_day(item)) /* its event has not come */
        return NEVER;
    return oracle_clock_ms(day_of_notice(k, item, next_notice(k, item)), MORNING);
}

static void tell(const struct calendar *k, struct owed_item *item)
{
    unsigned n = next_notice(k, item);
    item->told_date = day_of_notice(k, item, n);
    item->notices = n + 1;
}

/* ---- the letter that asked ---- */

/* "Where nobody of the team opened a letter that asks for something: NOT_OPENED to both sides after two working days,
 * NON_DELIVERY to the practice after five." After them: on the morning of the working day that follows. */
static int64_t unopened_ms(const struct calendar *k, const struct owed_item *item, unsigned n)
{
    bool is_asked_by_letter =
        item->kind == OWED(TAKE_UP) || item->kind == OWED(ADVICE) || item->kind == OWED(INFO_REPLY);
    if (!is_asked_by_letter || item->is_opened || n > 1)
        return NEVER;
    unsigned after = n == 0 ? k->terms->not_opened : k->terms->not_delivered;
    uint32_t day = later(k, item, oracle_today(item->born_at_ms), after + 1);
    return oracle_clock_ms(day, MORNING);
}

/* ---- bridging care ---- */

/* "Five days before bridging care ends both sides get a REMINDER; after its last day it is not in force, and both owe
 * BRIDGING_DECISION." */
static int64_t bridging_ms(const struct calendar *k, const struct case_bridging *b)
{
    if (b->by == 0)
        return NEVER;
    return b->is_reminded ? oracle_clock_ms(b->until_date + 1, 0)
                          : oracle_clock_ms(b->until_date - k->terms->bridging_days, MORNING);
}

/* ---- the case ---- */

static int64_t min_ms(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t oracle_next_ms(const struct case_file *c, const struct case_terms *terms,
                       unsigned working_days)
{
    const struct calendar k = {terms, working_days};
    int64_t ms = bridging_ms(&k, &c->bridging);
    for (size_t i = 0; i < c->owed_count; i++) {
        ms = min_ms(ms, due_ms(&k, &c->owed[i]));
        ms = min_ms(ms, unopened_ms(&k, &c->owed[i], c->owed[i].unopened_notices));
    }
    return ms != NEVER && c->outages < terms->outage_count ? 0 : ms;
}

static bool find_due(const struct calendar *k, const struct case_file *c, size_t i, int64_t now_ms,
                     struct oracle_step *out)
{
    struct owed_item item = c->owed[i];
    if (due_ms(k, &item) > now_ms)
        return false;
    while (due_ms(k, &item) <= now_ms)
        tell(k, &item);
    unsigned n = item.notices - 1;
    *out = (struct oracle_step){.course = ORACLE_DUE,
                                .item = i,
                                .number = n,
                                .date = item.told_date,
                                .kind = n == 0 ? KIND(REMINDER) : KIND(OVERDUE),
                                .to_practice = n > 0 || item.debtor == PRACTICE,
                                .to_team = n > 0 || item.debtor == TEAM};
    return true;
}

static bool find_unopened(const struct calendar *k, const struct case_file *c, size_t i,
                          int64_t now_ms, struct oracle_step *out)
{
    unsigned n = c->owed[i].unopened_notices;
    if (unopened_ms(k, &c->owed[i], n) > now_ms)
        return false;
    if (unopened_ms(k, &c->owed[i], n + 1) <= now_ms)
        n++;
    *out = (struct oracle_step){.course = ORACLE_UNOPENED,
                                .item = i,
                                .number = n,
                                .kind = n == 0 ? KIND(NOT_OPENED) : KIND(NON_DELIVERY),
                                .to_practice = true,
                                .to_team = n == 0};
    return true;
}

/* Nobody is reminded of an end that has passed. */
static bool find_bridging(const struct calendar *k, const struct case_file *c, int64_t now_ms,
                          struct oracle_step *out)
{
    const struct case_bridging *b = &c->bridging;
    if (bridging_ms(k, b) > now_ms)
        return false;
    bool tells = !b->is_reminded && b->until_date >= oracle_today(now_ms);
    *out = (struct oracle_step){.course = ORACLE_BRIDGING,
                                .kind = tells ? KIND(REMINDER) : KIND(NONE),
                                .to_practice = tells,
                                .to_team = tells};
    return true;
}

size_t oracle_steps(const struct case_file *c, int64_t now_ms, const struct case_terms *terms,
                    unsigned working_days, struct oracle_step out[ORACLE_STEPS_MAX])
{
    const struct calendar k = {terms, working_days};
    if (oracle_next_ms(c, terms, working_days) == 0) { /* an outage: before all else */
        out[0] = (struct oracle_step){.course = ORACLE_OUTAGE, .kind = KIND(NONE)};
        return 1;
    }
    size_t n = find_bridging(&k, c, now_ms, &out[0]);
    for (size_t i = 0; i < c->owed_count; i++) {
        n += find_unopened(&k, c, i, now_ms, &out[n]);
        n += find_due(&k, c, i, now_ms, &out[n]);
    }
    return n;
}

void oracle_take(struct case_file *c, const struct oracle_step *s, int64_t now_ms,
                 const struct case_terms *terms, unsigned working_days)
{
    switch (s->course) {
    case ORACLE_DUE:
        c->owed[s->item].notices = s->number + 1;
        c->owed[s->item].told_date = s->date;
        break;
    case ORACLE_UNOPENED:
        c->owed[s->item].unopened_notices = s->number + 1;
        break;
    case ORACLE_BRIDGING:
        if (c->bridging.is_reminded)
            (void)oracle_day_comes(c, oracle_today(now_ms), now_ms, working_days, terms);
        c->bridging.is_reminded |= c->bridging.by != 0;
        break;
    case ORACLE_OUTAGE:
        oracle_take_in(c, terms, working_days);
        break;
    }
}
