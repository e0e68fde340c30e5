/*
 * daemon/core/recovery.c: which letters the holder of a recovery key is handed: a load that the surroundings give to the storage
 * thread once the order is durable (decide_admin.c records it).
 */
#include "daemon/core/relay_inside.h"
#include <stdlib.h>

static bool take_cases(const struct organisation *o, struct load_recovered *to)
{
    to->cases = calloc(o->case_count + 1, sizeof *to->cases);
    for (size_t i = 0; to->cases && i < o->case_count; i++)
        if (!casefile_has_ended(o->cases[i]))
            to->cases[to->case_count++] = o->cases[i]->id;
    return to->cases;
}

static bool take_endpoints(const struct organisation *o, struct load_recovered *to)
{
    to->endpoints = calloc(o->endpoints.count + 1, sizeof *to->endpoints);
    for (size_t i = 0; to->endpoints && i < o->endpoints.count; i++)
        to->endpoints[to->endpoint_count++] = o->endpoints.items[i]->entity.id;
    return to->endpoints;
}

struct load *relay_recovery(const struct relay *r, const Brug__V1__Recover *q, uint64_t ticket)
{
    const struct organisation *o = organisation_find(r->state, q->organisation);
    struct load *l = o ? load_new(LOAD_RECOVERED) : NULL;
    struct load_recovered *to = l ? calloc(1, sizeof *to) : NULL;
    if (!to) {
        load_free(l);
        return NULL;
    }
    l->recovered = to;
    to->ticket = ticket;
    to->organisation = o->entity.id;
    bool is_known = q->until_lsn > 0 && q->until_lsn <= r->durable_lsn;
    to->until_lsn = is_known ? q->until_lsn : r->durable_lsn;
    if (!id_take_optional(q->after_message, &to->after_message) ||
        !id_take_optional(q->after_organisation, &to->after_organisation) || !take_cases(o, to) ||
        !take_endpoints(o, to)) {
        load_free(l);
        return NULL;
    }
    return l;
}
