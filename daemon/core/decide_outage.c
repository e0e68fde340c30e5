/*
 * daemon/core/decide_outage.c: an operator says on which days the relay was away. Only he knows: to a relay that starts, days that
 * passed and a clock that is wrong look the same, and a wrong clock would move every date in silence.
 *
 * What is said stays said: there is no way back, as cases take it in at once. So it is refused while the clock is in
 * doubt, and of days that have not come.
 */
#include "daemon/core/decide.h"
#include "rules/outage.h"
#include "rules/workdays.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define PROBLEM_BYTES 256u
#define DAYS_BACK_MAX 366u

/* A refusal in the making. */
struct judgement {
    struct decision *d;
    char **problem;
};

static enum error refuse(const struct judgement *j, enum error code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum error refuse(const struct judgement *j, enum error code, const char *format, ...)
{
    va_list list;
    *j->problem = decision_alloc(j->d, 1, PROBLEM_BYTES);
    va_start(list, format);
    (void)vsnprintf(*j->problem, PROBLEM_BYTES, format, list);
    va_end(list);
    return code;
}

static enum error judge_days(const struct judgement *j, const Brug__V1__PutOutage *q,
                             uint32_t today)
{
    char day[WORKDAYS_TEXT_BYTES];
    if (q->until_date < q->from_date)
        return refuse(j, ERROR_REQUEST_MALFORMED,
                      "the last day lies before the first; give the first day, then the last");
    if (q->until_date > today)
        return refuse(j, ERROR_DATE_NOT_ALLOWED,
                      "the last day has not come: by the relay's clock it is %s",
                      workdays_to_text(today, day));
    if (today - q->from_date > DAYS_BACK_MAX)
        return refuse(j, ERROR_DATE_NOT_ALLOWED,
                      "the first day is more than %u days ago; check the year", DAYS_BACK_MAX);
    return ERROR_NONE;
}

static enum error judge_others(const struct judgement *j, const struct state *s,
                               const Brug__V1__PutOutage *q)
{
    char from[WORKDAYS_TEXT_BYTES], until[WORKDAYS_TEXT_BYTES];
    for (size_t i = 0; i < s->outages.count; i++) {
        const struct case_outage *o = &s->outages.days[i];
        if (q->from_date <= o->until && q->until_date >= o->from)
            return refuse(j, ERROR_REQUEST_MALFORMED,
                          "an outage from %s to %s is recorded already; give the other days only",
                          workdays_to_text(o->from, from), workdays_to_text(o->until, until));
    }
    return s->outages.count < OUTAGES_MAX
               ? ERROR_NONE
               : refuse(j, ERROR_FULL, "the relay holds %u outages already", OUTAGES_MAX);
}

/* ---- what it moves ---- */

static bool has_moved(const struct case_file *before, const struct case_file *after)
{
    for (size_t i = 0; i < before->owed_count; i++)
        if (before->owed[i].due_date != after->owed[i].due_date)
            return true;
    return false;
}

/* Whether a date of the case is another one for the last of these outages. */
static bool is_moved(const struct casefile *f, const struct case_terms *with, struct arena *arena)
{
    struct case_terms without = *with;
    struct case_file before, after;
    unsigned working_days = casefile_working_days(f->team);
    without.outage_count--;
    arena_reset(arena, SIZE_MAX);
    Brug__V1__Case *row = casefile_unpack(f, arena);
    if (!row || case_row_read(row, &before))
        return false;
    outage_take_in(&before, &without, working_days);
    after = before;
    outage_take_in(&after, with, working_days);
    return has_moved(&before, &after);
}

static uint32_t count_moved(const struct state *s, struct case_outage added)
{
    struct case_outage days[OUTAGES_MAX];
    struct case_terms with = s->terms;
    struct arena *arena = arena_new();
    uint32_t n = 0;
    assert(arena); /* memory for small things is there */
    for (size_t i = 0; i < s->outages.count; i++)
        days[i] = s->outages.days[i];
    days[with.outage_count++] = added;
    with.outages = days;
    for (struct map_node *c = map_next(&s->cases, NULL); c; c = map_next(&s->cases, c)) {
        const struct casefile *f = container_of(c, struct casefile, node);
        n += f->step.position != HEAP_OUT && is_moved(f, &with, arena);
    }
    arena_free(arena);
    return n;
}

/* ---- the record ---- */

static Brug__V1__Outage *record(const struct state *s, const struct admin_command *c,
                                struct decision *d)
{
    const Brug__V1__PutOutage *q = c->request->put_outage;
    Brug__V1__Outage *row = decision_message(d, &brug__v1__outage__descriptor);
    row->outage_id = q->outage_id;
    row->from_date = q->from_date;
    row->until_date = q->until_date;
    row->at_ms = c->now.wall_ms;
    row->number = (uint32_t)s->outages.count + 1;
    row->cases = count_moved(s, (struct case_outage){q->from_date, q->until_date});
    row->by = (Brug__V1__Operator *)(uintptr_t)c->by;
    decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_OUTAGE, row, NULL);
    return row;
}

enum error decide_put_outage(const struct state *s, const struct admin_command *c,
                             struct decision *d, Brug__V1__Outage **out, char **problem)
{
    const Brug__V1__PutOutage *q = c->request->put_outage;
    const struct judgement j = {d, problem};
    struct id id;
    if (!id_take(q->outage_id, &id))
        return refuse(&j, ERROR_ID_MALFORMED, "the outage's id is not 16 bytes; give a UUID");
    const Brug__V1__Outage *known = outage_find(s, q->outage_id);
    if (known && (known->from_date != q->from_date || known->until_date != q->until_date))
        return refuse(&j, ERROR_REQUEST_MALFORMED,
                      "this outage is recorded with other days; choose a new id");
    if (known) {
        *out = (Brug__V1__Outage *)(uintptr_t)known;
        return ERROR_NONE;
    }
    if (c->policy->doubts_clock)
        return refuse(&j, ERROR_BUSY,
                      "the relay's clock leapt and is in doubt for a day; set it right, and try "
                      "again when that day is over");
    enum error e = judge_days(&j, q, workdays_date(c->now.wall_ms));
    if (!e)
        e = judge_others(&j, s, q);
    if (!e)
        *out = record(s, c, d);
    return e;
}
