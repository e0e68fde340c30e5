/* rules/outage.c: see outage.h. */
#include "rules/outage.h"
#include "rules/workdays.h"

/* The outages that count, of those that were recorded. */
struct calendar {
    const struct case_outage *outages;
    size_t count;
    unsigned mask;
};

static bool is_away(const struct calendar *k, uint32_t date)
{
    for (size_t i = 0; i < k->count; i++)
        if (date >= k->outages[i].from && date <= k->outages[i].until)
            return true;
    return false;
}

static bool counts(const struct calendar *k, uint32_t date)
{
    return workdays_is_working(date, k->mask) && !is_away(k, date);
}

static uint32_t add(const struct calendar *k, uint32_t date, unsigned n)
{
    uint32_t day = date;
    if (n == 0 && counts(k, day))
        return day;
    for (unsigned left = n ? n : 1; left > 0 && day < WORKDAYS_DATE_MAX;) {
        day = workdays_add(day, 1, k->mask);
        left -= !is_away(k, day);
    }
    return day;
}

uint32_t outage_workdays_add(const struct case_terms *terms, uint32_t date, unsigned n,
                             unsigned mask)
{
    return add(&(const struct calendar){terms->outages, terms->outage_count, mask}, date, n);
}

/* ---- taking in ---- */

static bool is_named_by_person(const struct case_file *c, const struct owed_item *item)
{
    return item->is_delayed ||
           (item->kind == BRUG__V1__OWED_KIND__OWED_KIND_MOMENT &&
            c->moments[item->moment - 1].event == BRUG__V1__MOMENT_EVENT__MOMENT_EVENT_DATE);
}

/* Days of the term that the outage took, besides those of the outages before it. */
static unsigned days_lost(const struct calendar *before, const struct case_outage *o,
                          const struct owed_item *item)
{
    uint32_t first = workdays_date(item->born_at_ms) + 1, last = item->due_date;
    unsigned n = 0;
    if (first < o->from)
        first = o->from;
    if (last > o->until)
        last = o->until;
    for (uint32_t day = first; day <= last && day <= WORKDAYS_DATE_MAX; day++)
        n += counts(before, day);
    return n;
}

static void move(struct owed_item *item, const struct case_terms *terms, size_t outage,
                 unsigned mask)
{
    const struct calendar before = {terms->outages, outage, mask};
    const struct calendar with = {terms->outages, outage + 1, mask};
    unsigned n = days_lost(&before, &terms->outages[outage], item);
    if (n > 0)
        item->due_date = add(&with, item->due_date, n);
}

bool outage_is_pending(const struct case_file *c, const struct case_terms *terms)
{
    return c->outages < terms->outage_count;
}

void outage_take_in(struct case_file *c, const struct case_terms *terms, unsigned working_days)
{
    for (; outage_is_pending(c, terms); c->outages++)
        for (size_t i = 0; i < c->owed_count; i++) {
            struct owed_item *item = &c->owed[i];
            unsigned mask = item->debtor == BRUG__V1__SIDE__SIDE_TEAM ? working_days : 0;
            if (item->due_date > 0 && !is_named_by_person(c, item))
                move(item, terms, c->outages, mask);
        }
}
