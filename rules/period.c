/* rules/period.c: see period.h. */
#include "rules/period.h"
#include "rules/workdays.h"

#define LAST_CUT_WEEK 48u

static uint32_t year_end(unsigned year) { return workdays_from_civil(year, 12, 31); }

/* Of ISO week 1, in which 4 January lies. */
static uint32_t first_monday(unsigned year)
{
    uint32_t date = workdays_from_civil(year, 1, 4);
    return date - workdays_weekday(date);
}

static void set_weeks(struct figure_period *p, unsigned weeks, uint32_t date)
{
    unsigned year = workdays_civil(date).year;
    uint32_t monday = first_monday(year);
    p->from = workdays_from_civil(year, 1, 1);
    for (unsigned week = weeks; week <= LAST_CUT_WEEK; week += weeks) {
        uint32_t next = monday + 7 * week;
        if (date < next) {
            p->until = next - 1;
            return;
        }
        p->from = next;
    }
    p->until = year_end(year);
}

static void set_months(struct figure_period *p, unsigned months, uint32_t date)
{
    struct workdays_civil c = workdays_civil(date);
    unsigned first = (c.month - 1) / months * months + 1;
    p->from = workdays_from_civil(c.year, first, 1);
    p->until =
        first + months > 12 ? year_end(c.year) : workdays_from_civil(c.year, first + months, 1) - 1;
}

struct figure_period period_of(Brug__V1__FigurePeriod kind, uint32_t date)
{
    struct figure_period p = {.kind = kind};
    switch (kind) {
    case BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_4W:
        set_weeks(&p, 4, date);
        break;
    case BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_6W:
        set_weeks(&p, 6, date);
        break;
    case BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_2M:
        set_months(&p, 2, date);
        break;
    case BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_QUARTER:
        set_months(&p, 3, date);
        break;
    default:
        set_months(&p, 12, date);
    }
    return p;
}

bool period_is_one(const struct figure_period *p)
{
    if (p->kind <= BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_NONE ||
        p->kind > BRUG__V1__FIGURE_PERIOD__FIGURE_PERIOD_YEAR)
        return false;
    struct figure_period same = period_of(p->kind, p->from);
    return same.from == p->from && same.until == p->until;
}

struct figure_period period_before(const struct figure_period *p)
{
    return period_of(p->kind, p->from > 0 ? p->from - 1 : 0);
}
