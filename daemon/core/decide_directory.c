/*
 * daemon/core/decide_directory.c: pages of a municipality's directory. A practice sees itself and the teams;
 * a team sees all practices and teams. A foreign municipality and an unknown one get the same answer (I6).
 *
 * An answer borrows rows of the state: it is packed before anything changes.
 */
#include "daemon/core/decide.h"
#include "proto/check.h"
#include "proto/limits.h"
#include <assert.h>

#define TEAM BRUG__V1__ORGANISATION_KIND__ORGANISATION_KIND_TEAM
#define KIND(name) BRUG__V1__KIND__KIND_##name

struct page {
    const struct state *s;
    const struct command *c;
    struct decision *d;
    const struct organisation *asker;
    const struct municipality *municipality;
    struct id after;
    Brug__V1__Directory *directory;
    size_t capacity, bytes;
};

static bool is_visible(const struct page *p, const struct organisation *o)
{
    if (o == p->asker)
        return true;
    return organisation_is_active(o) && organisation_works_in(o, p->municipality) &&
           (p->asker->row->kind == TEAM || o->row->kind == TEAM);
}

static bool is_addressable(const struct page *p, const struct organisation *o)
{
    bool may = decide_may_address(p->asker, o, KIND(REFERRAL)) ||
               decide_may_address(p->asker, o, KIND(NOTE)) ||
               decide_may_address(p->asker, o, KIND(NOTICE));
    return may && organisation_is_active(o) &&
           organisation_judge_readers(o, p->c->endpoint) == ERROR_NONE;
}

/* ---- one organisation ---- */

static bool is_in_roster(const struct endpoint *e)
{
    const struct organisation *o = e->organisation;
    if (!e->row->recovery)
        return endpoint_reads(e);
    for (size_t i = 0; i < o->recoveries.count; i++)
        if (o->recoveries.items[i] == e)
            return true;
    return false;
}

static Brug__V1__EndpointEntry *endpoint_entry(struct decision *d, const struct endpoint *e)
{
    const Brug__V1__EndpointRow *row = e->row;
    Brug__V1__EndpointEntry *to = decision_message(d, &brug__v1__endpoint_entry__descriptor);
    to->binding = row->binding;
    to->identity_certificate = row->identity_certificate;
    to->sealing_certificate = row->sealing_certificate;
    to->n_intermediates = row->n_intermediates;
    to->intermediates = row->intermediates;
    to->n_countersignatures = row->n_countersignatures;
    to->countersignatures = row->countersignatures;
    to->reads = true;
    to->away_until_ms = row->away_until_ms;
    return to;
}

/* Only municipalities that the asker works in too. */
static void set_municipalities(struct page *p, const struct organisation *o,
                               Brug__V1__OrganisationEntry *to)
{
    to->municipalities = decision_alloc(p->d, o->row->n_municipalities, sizeof *to->municipalities);
    for (size_t i = 0; i < o->row->n_municipalities; i++)
        if (organisation_works_in(p->asker, o->municipalities[i]))
            to->municipalities[to->n_municipalities++] = id_bytes(&o->municipalities[i]->entity.id);
}

static Brug__V1__OrganisationEntry *organisation_entry(struct page *p, const struct organisation *o)
{
    Brug__V1__OrganisationEntry *to =
        decision_message(p->d, &brug__v1__organisation_entry__descriptor);
    to->roster = slice_bytes(buf_slice(&o->roster));
    to->name = o->row->name;
    to->identifier = o->row->identifier;
    to->area = o->row->area;
    to->card = o->row->card;
    to->endpoints = decision_alloc(p->d, o->endpoints.count, sizeof *to->endpoints);
    for (size_t i = 0; i < o->endpoints.count; i++)
        if (is_in_roster(o->endpoints.items[i]))
            to->endpoints[to->n_endpoints++] = endpoint_entry(p->d, o->endpoints.items[i]);
    set_municipalities(p, o, to);
    return to;
}

Brug__V1__OrganisationEntry *decide_own_entry(struct decision *d, const struct organisation *o)
{
    struct page p = {.d = d, .asker = o};
    return organisation_entry(&p, o);
}

/* ---- the page ---- */

/* False when the page is full; the first organisation always fits. */
static bool add(struct page *p, const struct organisation *o)
{
    Brug__V1__Directory *to = p->directory;
    if (!is_visible(p, o))
        return true;
    Brug__V1__OrganisationEntry *e = organisation_entry(p, o);
    e->addressable = is_addressable(p, o);
    size_t bytes = brug__v1__organisation_entry__get_packed_size(e);
    if (to->n_organisations > 0 &&
        (to->n_organisations == p->capacity || bytes > LIMIT_DIRECTORY_PAGE_BYTES - p->bytes)) {
        struct id *next = decision_alloc(p->d, 1, sizeof *next);
        *next = p->after;
        to->next = id_bytes(next);
        return false;
    }
    to->organisations[to->n_organisations++] = e;
    p->bytes = bytes < LIMIT_DIRECTORY_PAGE_BYTES - p->bytes ? p->bytes + bytes
                                                             : LIMIT_DIRECTORY_PAGE_BYTES;
    p->after = o->entity.id;
    return true;
}

static void add_all(struct page *p)
{
    const struct table *t = &p->s->organisations;
    p->capacity = LIMIT_DIRECTORY_ORGANISATIONS;
    p->directory->organisations =
        decision_alloc(p->d, p->capacity, sizeof *p->directory->organisations);
    for (size_t i = table_position_after(t, &p->after); i < table_count(t); i++)
        if (!add(p, container_of(t->sorted[i], struct organisation, entity)))
            return;
}

/* Those that were asked for, ascending. */
static void add_these(struct page *p, const ProtobufCBinaryData *ids, size_t count)
{
    assert(count <= LIMIT_DIRECTORY_ORGANISATIONS);
    const struct organisation *list[LIMIT_DIRECTORY_ORGANISATIONS];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const struct organisation *o = organisation_find(p->s, ids[i]);
        size_t at = n;
        if (!o || id_compare(&o->entity.id, &p->after) <= 0)
            continue;
        while (at > 0 && id_compare(&list[at - 1]->entity.id, &o->entity.id) > 0)
            at--;
        if (at > 0 && list[at - 1] == o)
            continue;
        for (size_t k = n; k > at; k--)
            list[k] = list[k - 1];
        list[at] = o;
        n++;
    }
    p->capacity = n;
    p->directory->organisations = decision_alloc(p->d, n, sizeof *p->directory->organisations);
    for (size_t i = 0; i < n; i++)
        if (!add(p, list[i]))
            return;
}

void decide_get_directory(const struct state *s, const struct policy *policy,
                          const struct command *c, struct decision *d)
{
    const Brug__V1__GetDirectory *q = c->frame->get_directory;
    struct page p = {.s = s, .c = c, .d = d, .asker = c->endpoint->organisation};
    p.municipality = municipality_find(s, q->municipality);
    if (!p.municipality || !municipality_is_active(p.municipality) ||
        !organisation_works_in(p.asker, p.municipality)) {
        decision_refuse(d, c, ERROR_NO_SUCH_OBJECT, "get_directory.municipality");
        return;
    }
    bool is_whole = id_take_optional(q->after, &p.after);
    assert(is_whole); /* check_client_frame saw to it */
    (void)is_whole;
    p.directory = decision_message(d, &brug__v1__directory__descriptor);
    p.directory->epoch = decision_message(d, &brug__v1__epoch__descriptor);
    p.directory->epoch->municipality = id_bytes(&p.municipality->entity.id);
    p.directory->epoch->epoch = p.municipality->row->epoch;
    if (q->n_organisations > 0)
        add_these(&p, q->organisations, q->n_organisations);
    else
        add_all(&p);
    if (q->with_crls) {
        p.directory->n_crls = policy->crl_count;
        p.directory->crls = (ProtobufCBinaryData *)(uintptr_t)policy->crls;
    }
    d->answer.frame_case = BRUG__V1__SERVER_FRAME__FRAME_DIRECTORY;
    d->answer.directory = p.directory;
}
