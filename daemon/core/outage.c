/*
 * daemon/core/outage.c: the days on which the relay was away, as its operator recorded them. What they do to a case stands in
 * rules/outage.h; cases take them in one by one, as steps in time.
 *
 * Failures: a row that does not fit (CORRUPT: decide and the store never make one), no memory.
 */
#include "daemon/core/model.h"

static bool is_next(const struct state *s, uint32_t number)
{
    bool has_place = number >= 1 && number <= OUTAGES_MAX && !s->outages.rows[number - 1];
    return has_place && (!s->is_loaded || number == s->outages.count + 1); /* loaded in any order */
}

enum error outage_put(struct state *s, const Brug__V1__Outage *row)
{
    struct outages *o = &s->outages;
    struct id id;
    if (!id_take(row->outage_id, &id) || !is_next(s, row->number) ||
        row->from_date > row->until_date)
        return ERROR_CORRUPT;
    Brug__V1__Outage *copy = (Brug__V1__Outage *)row_copy(&row->base);
    if (!copy)
        return ERROR_NO_MEMORY;
    o->rows[row->number - 1] = copy;
    o->days[row->number - 1] = (struct case_outage){row->from_date, row->until_date};
    if (o->count < row->number)
        o->count = row->number;
    s->terms.outages = o->days;
    s->terms.outage_count = o->count;
    return casefiles_on_outage(s);
}

enum error outages_check(const struct state *s)
{
    for (size_t i = 0; i < s->outages.count; i++)
        if (!s->outages.rows[i])
            return ERROR_CORRUPT;
    return ERROR_NONE;
}

const Brug__V1__Outage *outage_find(const struct state *s, ProtobufCBinaryData id)
{
    for (size_t i = 0; i < s->outages.count; i++)
        if (slice_equal((struct slice){s->outages.rows[i]->outage_id.data, ID_BYTES},
                        (struct slice){id.data, id.len}))
            return s->outages.rows[i];
    return NULL;
}

void outages_fini(struct state *s)
{
    for (size_t i = 0; i < OUTAGES_MAX; i++)
        row_free(s->outages.rows[i]);
}
