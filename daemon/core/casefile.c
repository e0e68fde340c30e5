/* daemon/core/casefile.c: the cases that the relay runs: municipality, practice and team, fixed by the
 * referral that opened it (design §11). */
#include "daemon/core/model.h"
#include <stdlib.h>

struct casefile *casefile_find(const struct state *s, const struct id *id)
{
    struct map_node *n = map_find(&s->cases, id->bytes, ID_BYTES);
    return n ? container_of(n, struct casefile, node) : NULL;
}

enum error casefile_put(struct state *s, const Brug__V1__CaseOpened *row)
{
    struct id id, message_id;
    struct municipality *municipality = municipality_find(s, row->municipality);
    struct organisation *practice = organisation_find(s, row->practice);
    struct organisation *team = organisation_find(s, row->team);
    if (!id_take(row->case_id, &id) || !id_take(row->message_id, &message_id) || !municipality ||
        !practice || !team)
        return ERROR_CORRUPT;
    if (casefile_find(s, &id))
        return ERROR_NONE; /* applied before */
    struct casefile *c = calloc(1, sizeof *c);
    if (!c)
        return ERROR_NO_MEMORY;
    c->id = id;
    c->municipality = municipality;
    c->practice = practice;
    c->team = team;
    c->message_id = message_id;
    c->at_ms = row->at_ms;
    enum error e = map_insert(&s->cases, &c->node, c->id.bytes, ID_BYTES);
    if (e)
        free(c);
    return e;
}

void casefiles_fini(struct state *s)
{
    for (struct map_node *n = map_next(&s->cases, NULL), *next; n; n = next) {
        next = map_next(&s->cases, n);
        free(container_of(n, struct casefile, node));
    }
    map_fini(&s->cases);
}
