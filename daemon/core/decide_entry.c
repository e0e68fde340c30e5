/*
 * daemon/core/decide_entry.c: what an endpoint may change in the directory: a colleague's countersignature,
 * its own absence, its team's card. Each change raises the epoch of the municipalities concerned.
 */
#include "daemon/core/decide.h"
#include "proto/check.h"
#include "proto/limits.h"
#include <stdio.h>
#include <string.h>

#define BY_PREFIX "endpoint "

/* In place of an operator's name: which endpoint did it. */
static Brug__V1__Operator *by_endpoint(struct decision *d, const struct endpoint *e)
{
    Brug__V1__Operator *by = decision_message(d, &brug__v1__operator__descriptor);
    char text[ID_TEXT_BYTES];
    size_t size = sizeof BY_PREFIX - 1 + sizeof text;
    by->name = decision_alloc(d, 1, size);
    (void)snprintf(by->name, size, "%s%s", BY_PREFIX, id_to_text(&e->entity.id, text));
    return by;
}

static Brug__V1__EndpointRow *new_endpoint_row(const struct command *c, struct decision *d,
                                               const struct endpoint *e)
{
    Brug__V1__EndpointRow *row = decision_alloc(d, 1, sizeof *row);
    *row = *e->row;
    row->sequence = e->sequence;
    row->at_ms = c->now.wall_ms;
    row->by = by_endpoint(d, c->endpoint);
    return row;
}

/* ---- a countersignature ---- */

/* The list with the asker's own replaced or added; false when it is full. */
static bool set_countersignature(const struct command *c, struct decision *d,
                                 Brug__V1__EndpointRow *row)
{
    Brug__V1__Countersignature *own = c->frame->put_countersignature->countersignature;
    size_t count = row->n_countersignatures, at = 0;
    Brug__V1__Countersignature **list = decision_alloc(d, count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = row->countersignatures[i];
    while (at < count && !slice_equal(check_slice(list[at]->endpoint), check_slice(own->endpoint)))
        at++;
    if (at == count && count >= LIMIT_COUNTERSIGNATURES)
        return false;
    list[at] = own;
    row->n_countersignatures = at == count ? count + 1 : count;
    row->countersignatures = list;
    return true;
}

static bool has_this(const struct endpoint *e, const Brug__V1__Countersignature *own)
{
    for (size_t i = 0; i < e->row->n_countersignatures; i++) {
        const Brug__V1__Countersignature *c = e->row->countersignatures[i];
        if (slice_equal(check_slice(c->endpoint), check_slice(own->endpoint)) &&
            slice_equal(check_slice(c->signature), check_slice(own->signature)))
            return true;
    }
    return false;
}

void decide_put_countersignature(const struct state *s, const struct command *c, struct decision *d)
{
    const Brug__V1__PutCountersignature *q = c->frame->put_countersignature;
    const struct endpoint *e = endpoint_find(s, q->endpoint);
    if (!e || e->organisation != c->endpoint->organisation) {
        decision_refuse(d, c, ERROR_NO_SUCH_OBJECT, "put_countersignature.endpoint");
        return;
    }
    if (e == c->endpoint || !slice_equal(check_slice(q->countersignature->endpoint),
                                         id_slice(&c->endpoint->entity.id))) {
        decision_refuse(d, c, ERROR_SENDER_MISMATCH, "countersignature.endpoint");
        return;
    }
    if (!has_this(e, q->countersignature)) {
        Brug__V1__EndpointRow *row = new_endpoint_row(c, d, e);
        if (!set_countersignature(c, d, row)) {
            decision_refuse(d, c, ERROR_FULL, "countersignature");
            return;
        }
        decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ENDPOINT, row, NULL);
        decide_raise_epochs(d, e->organisation);
    }
    decision_note(d);
}

/* ---- absence ---- */

void decide_put_absence(const struct state *s, const struct command *c, struct decision *d)
{
    int64_t until_ms = c->frame->put_absence->away_until_ms;
    (void)s;
    if (c->endpoint->row->away_until_ms != until_ms) {
        Brug__V1__EndpointRow *row = new_endpoint_row(c, d, c->endpoint);
        row->away_until_ms = until_ms;
        decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ENDPOINT, row, NULL);
        decide_raise_epochs(d, c->endpoint->organisation);
    }
    decision_note(d);
}

/* ---- the card ---- */

static bool is_same_card(const Brug__V1__Card *a, const Brug__V1__Card *b)
{
    return a && strcmp(a->text, b->text) == 0 && strcmp(a->expertise, b->expertise) == 0 &&
           strcmp(a->telephone, b->telephone) == 0 && a->working_days == b->working_days &&
           a->away_until_ms == b->away_until_ms;
}

void decide_put_card(const struct state *s, const struct command *c, struct decision *d)
{
    const struct organisation *o = c->endpoint->organisation;
    (void)s;
    if (!is_same_card(o->row->card, c->frame->put_card->card)) {
        Brug__V1__OrganisationRow *row = decision_alloc(d, 1, sizeof *row);
        *row = *o->row;
        row->card = c->frame->put_card->card;
        row->at_ms = c->now.wall_ms;
        row->by = by_endpoint(d, c->endpoint);
        decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ORGANISATION, row, NULL);
        decide_raise_epochs(d, o);
    }
    decision_note(d);
}
