/* rules/case_time.c: the steps of case_time.h: when each is due, and what it changes. */
#include "rules/case_time.h"
#include "rules/outage.h"
#include "rules/workdays.h"

#define KIND(name) BRUG__V1__KIND__KIND_##name
#define OWED(name) BRUG__V1__OWED_KIND__OWED_KIND_##name
#define PRACTICE BRUG__V1__SIDE__SIDE_PRACTICE
#define TEAM BRUG__V1__SIDE__SIDE_TEAM
#define HOUR 8u
#define NOTICES_MAX 1000u /* of one item: years */

enum { REMIND = 0, FIRST_OVERDUE = 1 };

struct timing {
    const struct case_terms *terms;
    unsigned working_days; /* of the team */
};

#define NEVER INT64_MAX
#define AT_ONCE 0

static int64_t min_ms(int64_t a, int64_t b) { return a < b ? a : b; }
static uint32_t max_date(uint32_t a, uint32_t b) { return a > b ? a : b; }

static bool has_come(int64_t ms, int64_t now_ms) { return ms != NEVER && ms <= now_ms; }

static unsigned mask_of(const struct timing *t, const struct owed_item *item)
{
    return item->debtor == TEAM ? t->working_days : 0;
}

/* ---- an item's due date ---- */

/* So many working days of the debtor's side later. */
static uint32_t later(const struct timing *t, const struct owed_item *item, uint32_t date,
                      unsigned days)
{
    return outage_workdays_add(t->terms, date, days, mask_of(t, item));
}

/* The date of the next step; 0: it is left out. From the last one on, so that other working days do not move what is
 * counted already, but after a due date that an outage moved; an item of before that was written down counts from its
 * due date. */
static uint32_t due_step_date(const struct timing *t, const struct owed_item *item, unsigned step)
{
    unsigned mask = mask_of(t, item);
    if (step > FIRST_OVERDUE && item->told_date > 0)
        return max_date(later(t, item, item->told_date, t->terms->overdue),
                        later(t, item, item->due_date, 1));
    if (step > REMIND)
        return later(t, item, item->due_date, 1 + (step - FIRST_OVERDUE) * t->terms->overdue);
    if (item->kind == OWED(CLOSING))
        return item->due_date;
    uint32_t date = workdays_subtract(item->due_date, t->terms->remind, mask);
    return date > workdays_date(item->born_at_ms) ? date : 0;
}

static unsigned next_due_step(const struct timing *t, const struct owed_item *item)
{
    bool is_left_out = item->notices == REMIND && due_step_date(t, item, REMIND) == 0;
    return is_left_out ? FIRST_OVERDUE : item->notices;
}

static int64_t next_due_ms(const struct timing *t, const struct owed_item *item)
{
    if (item->due_date == 0 || item->notices >= NOTICES_MAX)
        return NEVER;
    return workdays_time_ms(due_step_date(t, item, next_due_step(t, item)), HOUR);
}

/* Of the steps whose time has come, the last. */
static bool take_due_step(const struct timing *t, struct owed_item *item, int64_t now_ms,
                          struct case_notice *out)
{
    if (!has_come(next_due_ms(t, item), now_ms))
        return false;
    unsigned step;
    do {
        step = next_due_step(t, item);
        item->told_date = due_step_date(t, item, step);
        item->notices = step + 1;
    } while (has_come(next_due_ms(t, item), now_ms));
    bool is_reminder = step == REMIND;
    *out = (struct case_notice){.kind = is_reminder ? KIND(REMINDER) : KIND(OVERDUE),
                                .to_practice = !is_reminder || item->debtor == PRACTICE,
                                .to_team = !is_reminder || item->debtor == TEAM,
                                .item = *item,
                                .step = step};
    return true;
}

/* ---- letters that nobody opens ---- */

#define UNOPENED_STEPS 2u

static int64_t next_unopened_ms(const struct timing *t, const struct owed_item *item)
{
    bool is_by_letter =
        item->kind == OWED(TAKE_UP) || item->kind == OWED(ADVICE) || item->kind == OWED(INFO_REPLY);
    if (!is_by_letter || item->is_opened || item->unopened_notices >= UNOPENED_STEPS)
        return NEVER;
    unsigned days = item->unopened_notices == 0 ? t->terms->not_opened : t->terms->not_delivered;
    uint32_t date = later(t, item, workdays_date(item->born_at_ms), days);
    return workdays_time_ms(later(t, item, date, 1), HOUR);
}

static bool take_unopened_step(const struct timing *t, struct owed_item *item, int64_t now_ms,
                               struct case_notice *out)
{
    if (!has_come(next_unopened_ms(t, item), now_ms))
        return false;
    unsigned step = item->unopened_notices++;
    while (has_come(next_unopened_ms(t, item), now_ms))
        step = item->unopened_notices++;
    *out = (struct case_notice){.kind = step == 0 ? KIND(NOT_OPENED) : KIND(NON_DELIVERY),
                                .to_practice = true,
                                .to_team = step == 0,
                                .item = *item,
                                .step = step};
    return true;
}

/* ---- bridging care ---- */

static int64_t next_bridging_ms(const struct timing *t, const struct case_bridging *b)
{
    if (b->by == BRUG__V1__SIDE__SIDE_NONE)
        return NEVER;
    if (!b->is_reminded)
        return workdays_time_ms(b->until_date - t->terms->bridging_days, HOUR);
    return workdays_start_ms(b->until_date + 1);
}

static bool take_bridging_step(const struct timing *t, struct case_file *c, int64_t now_ms,
                               struct case_notice *out)
{
    if (!has_come(next_bridging_ms(t, &c->bridging), now_ms))
        return false;
    *out = (struct case_notice){
        .item = {.cause = c->bridging.message_id, .due_date = c->bridging.until_date}};
    if (c->bridging.is_reminded)
        return case_day_comes(c, workdays_date(now_ms), now_ms, t->working_days, t->terms);
    c->bridging.is_reminded = true;
    if (c->bridging.until_date >= workdays_date(now_ms)) {
        out->kind = KIND(REMINDER);
        out->to_practice = out->to_team = true;
    }
    return true;
}

/* ---- the case ---- */

int64_t case_next_ms(const struct case_file *c, const struct case_terms *terms,
                     unsigned working_days)
{
    const struct timing t = {terms, working_days};
    int64_t ms = next_bridging_ms(&t, &c->bridging);
    for (size_t i = 0; i < c->owed_count; i++) {
        ms = min_ms(ms, next_due_ms(&t, &c->owed[i]));
        ms = min_ms(ms, next_unopened_ms(&t, &c->owed[i]));
    }
    return ms != NEVER && outage_is_pending(c, terms) ? AT_ONCE : ms;
}

static bool take_outages(const struct timing *t, struct case_file *c, int64_t now_ms,
                         struct case_notice *out)
{
    if (!outage_is_pending(c, t->terms) ||
        !has_come(case_next_ms(c, t->terms, t->working_days), now_ms))
        return false;
    outage_take_in(c, t->terms, t->working_days);
    *out = (struct case_notice){.kind = KIND(NONE)};
    return true;
}

bool case_take_step(struct case_file *c, int64_t now_ms, const struct case_terms *terms,
                    unsigned working_days, struct case_notice *out)
{
    const struct timing t = {terms, working_days};
    if (take_outages(&t, c, now_ms, out) || take_bridging_step(&t, c, now_ms, out))
        return true;
    for (size_t i = 0; i < c->owed_count; i++)
        if (take_unopened_step(&t, &c->owed[i], now_ms, out) ||
            take_due_step(&t, &c->owed[i], now_ms, out))
            return true;
    return false;
}
