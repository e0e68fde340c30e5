/*
 * daemon/core/state.c: the state's life: made, loaded, digested, freed. What changes it stands in apply.c.
 *
 * Failures: no memory; rows of the store that do not fit together (CORRUPT).
 */
#include "daemon/core/model.h"
#include "proto/frame.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct state *state_new(const uint64_t hash_seed[2])
{
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->arena = arena_new();
    s->known = message_new_buckets();
    if (!s->arena || !s->known) {
        arena_free(s->arena);
        free(s->known);
        free(s);
        return NULL;
    }
    memcpy(s->seed, hash_seed, sizeof s->seed);
    table_init(&s->municipalities, s->seed);
    table_init(&s->organisations, s->seed);
    table_init(&s->persons, s->seed);
    table_init(&s->endpoints, s->seed);
    map_init(&s->keys, s->seed);
    map_init(&s->messages, s->seed);
    map_init(&s->cases, s->seed);
    map_init(&s->figures, s->seed);
    heap_init(&s->ends);
    heap_init(&s->steps);
    s->terms = CASE_TERMS;
    list_init(&s->cached);
    list_init(&s->idle);
    return s;
}

void state_free(struct state *s)
{
    if (!s)
        return;
    messages_fini(s);
    casefiles_fini(s);
    figures_fini(s);
    directory_fini(s);
    outages_fini(s);
    arena_free(s->arena);
    free(s->known);
    free(s);
}

uint64_t state_lsn(const struct state *s) { return s->lsn; }

/* ---- loading ---- */

static enum error set_reader(const struct state *s, struct reader *r,
                             const Brug__V1__KnownReader *k)
{
    r->endpoint = endpoint_find(s, k->endpoint);
    if (!r->endpoint)
        return ERROR_CORRUPT;
    r->sequence = k->sequence;
    r->opened_at_ms = k->opened_at_ms;
    r->opened_by = person_find(s, k->opened_by);
    r->code = (uint16_t)k->unreadable;
    r->state = READER_WAITING;
    r->in_vain = (uint8_t)(k->in_vain < UINT8_MAX ? k->in_vain : UINT8_MAX);
    r->was_parked = k->was_parked;
    r->attempts = r->in_vain;
    if (k->fetched_at_ms) {
        r->state = READER_FETCHED;
        r->settled_at_ms = k->fetched_at_ms;
    } else if (k->unreadable) {
        r->state = READER_UNREADABLE;
        r->settled_at_ms = k->unreadable_at_ms;
    } else if (k->cancelled_at_ms) {
        r->state = READER_CANCELLED;
        r->settled_at_ms = k->cancelled_at_ms;
    } else {
        r->settled_at_ms = k->in_vain_at_ms;
        r->is_parked = k->parked;
    }
    return ERROR_NONE;
}

static enum error set_known(const struct state *s, struct message *m,
                            const Brug__V1__KnownMessage *k)
{
    m->sender = endpoint_find(s, k->endpoint);
    m->to = organisation_find(s, k->to);
    m->municipality = municipality_find(s, k->municipality);
    if ((k->organisation.len > 0 && !m->sender) || (!k->code && (!m->to || !m->municipality)) ||
        !id_take_optional(k->case_id, &m->case_id) ||
        digest_from_slice(&m->digest, (struct slice){k->digest.data, k->digest.len}))
        return ERROR_CORRUPT;
    m->at_ms = k->at_ms;
    m->body_lsn = k->body_lsn;
    m->body_bytes = k->body_bytes;
    m->code = (uint16_t)k->code;
    m->kind = (uint16_t)k->kind;
    m->is_quarantined = k->quarantined;
    for (size_t i = 0; i < k->n_readers; i++) {
        enum error e = set_reader(s, &m->readers[i], k->readers[i]);
        if (e)
            return e;
    }
    return ERROR_NONE;
}

/* Not inserted yet. */
static enum error make_known(const struct state *s, const Brug__V1__KnownMessage *k,
                             struct message **out)
{
    struct message_key key;
    if (!id_take_optional(k->organisation, &key.organisation) || !id_take(k->message_id, &key.id))
        return ERROR_CORRUPT;
    struct message *m = message_new(&key, k->n_readers);
    if (!m)
        return ERROR_NO_MEMORY;
    enum error e = set_known(s, m, k);
    if (e)
        message_free(m);
    else
        *out = m;
    return e;
}

enum error state_load_message(struct state *s, const Brug__V1__KnownMessage *m)
{
    struct message *message;
    assert(!s->is_loaded);
    enum error e = make_known(s, m, &message);
    return e ? e : message_load(s, &message);
}

enum error state_recall(struct state *s, const Brug__V1__KnownMessage *known, struct message **out)
{
    struct message *m;
    assert(s->is_loaded);
    enum error e = make_known(s, known, &m);
    if (e)
        return e;
    e = message_find(s, &m->key) ? ERROR_CORRUPT : message_insert(s, m);
    if (e)
        message_free(m);
    else
        *out = m;
    return e;
}

struct place {
    uint64_t sequence; /* of the reader, which lies anywhere in memory */
    struct reader *reader;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static bool is_sorted(const struct endpoint *e)
{
    uint64_t last = 0;
    list_for_each (l, next, &e->mailbox) {
        const struct reader *r = container_of(l, struct reader, link);
        if (r->sequence < last)
            return false;
        last = r->sequence;
    }
    return true;
}

static void sort_mailbox(struct endpoint *e)
{
    size_t n = 0;
    if (is_sorted(e))
        return;
    struct place *places = calloc(e->waiting, sizeof *places);
    assert(places); /* at start only: the service cannot begin without it */
    list_for_each (l, next, &e->mailbox) {
        struct reader *r = container_of(l, struct reader, link);
        places[n++] = (struct place){r->sequence, r};
    }
    qsort(places, n, sizeof *places, compare_places);
    list_init(&e->mailbox);
    for (size_t i = 0; i < n; i++) {
        list_init(&places[i].reader->link);
        list_append(&e->mailbox, &places[i].reader->link);
    }
    free(places);
}

enum error state_load_done(struct state *s, uint64_t lsn, int64_t low_water_ms,
                           const struct id *generation)
{
    assert(!s->is_loaded);
    enum error e = messages_load_rest(s);
    if (!e)
        e = outages_check(s);
    if (e)
        return e;
    s->lsn = s->folded_lsn = lsn;
    s->low_water_ms = s->swept_ms = low_water_ms;
    s->generation = *generation;
    s->is_loaded = true;
    for (size_t i = 0; s->is_unsorted && i < table_count(&s->endpoints); i++)
        sort_mailbox(container_of(s->endpoints.sorted[i], struct endpoint, entity));
    for (size_t i = 0; i < table_count(&s->municipalities); i++) {
        struct municipality *m =
            container_of(s->municipalities.sorted[i], struct municipality, entity);
        m->told_epoch = m->row->epoch;
    }
    list_for_each (l, next, &s->idle) {
        struct message *m = container_of(l, struct message, link);
        message_touch(s, m, m->touched_lsn);
    }
    return ERROR_NONE;
}

uint64_t state_waiting(const struct state *s) { return s->waiting; }
size_t state_mailbox_count(const struct state *s) { return table_count(&s->endpoints); }

void state_mailbox(const struct state *s, size_t i, struct mailbox_figures *out)
{
    const struct endpoint *e = container_of(s->endpoints.sorted[i], struct endpoint, entity);
    *out = (struct mailbox_figures){e->entity.id, e->waiting - e->quarantined, e->quarantined,
                                    e->parked};
}

void state_set_folded(struct state *s, uint64_t lsn)
{
    if (lsn > s->folded_lsn)
        s->folded_lsn = lsn;
    message_trim(s);
}
