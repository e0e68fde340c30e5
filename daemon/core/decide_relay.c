/*
 * daemon/core/decide_relay.c: what the relay does by itself: cancels copies, tells senders, puts a bad
 * body into quarantine, ends a locum's time.
 *
 * A relay-made message has no sender and no sealed part. Its id is derived from its cause, so that a
 * crash never makes two (design §5).
 */
#include "daemon/core/decide.h"
#include "proto/check.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include <assert.h>

#define RELAY_NAME "brugd"

static struct id id_of_cause(const struct message *m, Brug__V1__Kind kind, enum error code,
                             const struct endpoint *about)
{
    const uint8_t numbers[] = {(uint8_t)kind, (uint8_t)code};
    const struct slice parts[] = {
        slice_text("brug/1 relay-made"),
        {numbers, sizeof numbers},
        id_slice(&m->key.organisation),
        id_slice(&m->key.id),
        about ? id_slice(&about->entity.id) : SLICE_NONE,
    };
    struct digest d = digest_of_framed(parts, sizeof parts / sizeof parts[0]);
    return id_v8(&d);
}

/* Copies that the decision gives the endpoint already: its letter, and what else is told in the same group. */
static uint64_t copies_given(const struct decision *d, ProtobufCBinaryData endpoint)
{
    uint64_t n = 0;
    for (size_t i = 0; i < d->record_count; i++) {
        const Brug__V1__Accepted *r = (const void *)d->records[i].record;
        if (d->records[i].type != BRUG__V1__RECORD_TYPE__RECORD_TYPE_ACCEPTED)
            continue;
        for (size_t k = 0; k < r->n_readers; k++)
            n += slice_equal(check_slice(r->readers[k]->endpoint), check_slice(endpoint));
    }
    return n;
}

static bool is_meant(const struct audience *to, const struct endpoint *e)
{
    return (!to->person || e->person == to->person) && (!to->endpoint || e == to->endpoint);
}

static void set_readers(struct decision *d, const struct audience *to, Brug__V1__Header *h,
                        Brug__V1__Accepted *r)
{
    const struct organisation *o = to->organisation;
    h->readers = decision_alloc(d, o->readers.count, sizeof *h->readers);
    r->readers = decision_alloc(d, o->readers.count, sizeof *r->readers);
    for (size_t i = 0; i < o->readers.count; i++) {
        struct endpoint *e = o->readers.items[i];
        if (!is_meant(to, e))
            continue;
        Brug__V1__ReaderSequence *copy =
            decision_message(d, &brug__v1__reader_sequence__descriptor);
        copy->endpoint = id_bytes(&e->entity.id);
        copy->sequence = e->sequence + 1 + copies_given(d, copy->endpoint);
        h->readers[h->n_readers++] = copy->endpoint;
        r->readers[r->n_readers++] = copy;
    }
}

static struct body *body_of(const Brug__V1__Header *h)
{
    struct buf bytes;
    buf_init(&bytes, LIMIT_HEADER_BYTES);
    enum error e = frame_append_bare(&bytes, &h->base);
    struct body *b = e ? NULL : body_new(buf_slice(&bytes), SLICE_NONE);
    buf_fini(&bytes);
    assert(b); /* a promise depends on it: the process ends and the outbox is intact */
    return b;
}

void decide_tell(const struct state *s, struct decision *d, const struct audience *to,
                 const struct municipality *municipality, Brug__V1__Header *h, struct instant now)
{
    struct message_key key = {.organisation = ID_NONE};
    Brug__V1__Accepted *r = decision_message(d, &brug__v1__accepted__descriptor);
    set_readers(d, to, h, r);
    if (r->n_readers == 0 || !id_take(h->message_id, &key.id) || message_find(s, &key))
        return;
    h->protocol = LIMIT_PROTOCOL;
    h->profile = LIMIT_PROFILE;
    h->municipality = r->municipality = id_bytes(&municipality->entity.id);
    h->to = r->to = id_bytes(&to->organisation->entity.id);
    h->epoch = municipality->row->epoch;
    h->written_at_ms = r->at_ms = now.wall_ms;
    r->message_id = h->message_id;
    r->kind = h->kind;
    if (h->linked_case.len == 0) {
        r->case_id = h->case_id;
        r->in_reply_to = h->in_reply_to;
    }
    struct body *b = body_of(h);
    r->digest = digest_bytes(&b->digest);
    r->body_bytes = (uint32_t)b->len;
    decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ACCEPTED, r, b);
}

void decide_tell_sender(const struct state *s, struct decision *d, const struct message *m,
                        Brug__V1__Kind kind, enum error code, const struct endpoint *about,
                        struct instant now)
{
    /* a family key is no letter of a person, and whoever lacks it makes another */
    if (message_is_relay_made(m) || m->kind == BRUG__V1__KIND__KIND_FAMILY_KEY)
        return;
    Brug__V1__Header *h = decision_message(d, &brug__v1__header__descriptor);
    struct id *id = decision_alloc(d, 1, sizeof *id);
    *id = id_of_cause(m, kind, code, about);
    h->message_id = id_bytes(id);
    h->kind = kind;
    h->case_id = id_bytes(&m->case_id);
    h->in_reply_to = id_bytes(&m->key.id);
    h->fact_code = (Brug__V1__Code)code;
    if (about)
        h->about_endpoint = id_bytes(&about->entity.id);
    struct audience to = {.organisation = m->sender->organisation};
    if (m->kind == BRUG__V1__KIND__KIND_HISTORY) { /* colleagues know nothing of it */
        to.person = m->sender->person;
        to.endpoint = m->sender->person ? NULL : m->sender;
    }
    decide_tell(s, d, &to, m->municipality, h, now);
}

/* Whether, without r, nobody of the addressed organisation fetched it or still may. What a HISTORY brings is with the
 * organisation all the same. */
static bool is_last_addressed(const struct message *m, const struct reader *r)
{
    if (message_is_relay_made(m) || r->endpoint->organisation != m->to ||
        m->kind == BRUG__V1__KIND__KIND_HISTORY)
        return false;
    for (size_t i = 0; i < m->reader_count; i++) {
        const struct reader *other = &m->readers[i];
        if (other != r && other->endpoint->organisation == m->to &&
            (other->state == READER_WAITING || other->state == READER_FETCHED))
            return false;
    }
    return true;
}

void decide_cancel(const struct state *s, struct reader *r, struct instant now, struct decision *d)
{
    const struct message *m = message_of(r);
    Brug__V1__Cancelled *record = decision_message(d, &brug__v1__cancelled__descriptor);
    record->organisation = id_bytes(&m->key.organisation);
    record->message_id = id_bytes(&m->key.id);
    record->endpoint = id_bytes(&r->endpoint->entity.id);
    record->sequence = r->sequence;
    record->cause = BRUG__V1__CODE__CODE_SUSPENDED;
    record->at_ms = now.wall_ms;
    decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_CANCELLED, record, NULL);
    if (is_last_addressed(m, r))
        decide_tell_sender(s, d, m, BRUG__V1__KIND__KIND_NON_DELIVERY, ERROR_SUSPENDED, NULL, now);
}

static void record_parked(const struct reader *r, const struct message *m, uint32_t sessions,
                          struct instant now, struct decision *d)
{
    Brug__V1__Parked *record = decision_message(d, &brug__v1__parked__descriptor);
    record->organisation = id_bytes(&m->key.organisation);
    record->message_id = id_bytes(&m->key.id);
    record->endpoint = id_bytes(&r->endpoint->entity.id);
    record->sequence = r->sequence;
    record->sessions = sessions;
    record->at_ms = now.wall_ms;
    decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_PARKED, record, NULL);
}

static void record_in_vain(const struct reader *r, const struct message *m, uint32_t sessions,
                           struct instant now, struct decision *d)
{
    Brug__V1__InVain *record = decision_message(d, &brug__v1__in_vain__descriptor);
    record->organisation = id_bytes(&m->key.organisation);
    record->message_id = id_bytes(&m->key.id);
    record->endpoint = id_bytes(&r->endpoint->entity.id);
    record->sequence = r->sequence;
    record->sessions = sessions;
    record->at_ms = now.wall_ms;
    decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_IN_VAIN, record, NULL);
}

void decide_session_end(const struct state *s, const struct policy *p, const struct endpoint *e,
                        struct instant now, struct decision *d)
{
    const struct relay_limits *l = p->limits;
    struct reader *r = message_oldest(e);
    if (l->redelivery_sessions_max == 0 || !p->has_room || !r || r->delivered_serial != e->serial)
        return;
    int64_t since_ms = now.wall_ms - r->settled_at_ms; /* below 0: the clock was set back */
    if (r->in_vain > 0 && since_ms >= 0 && since_ms < (int64_t)l->redelivery_interval_ms)
        return;
    const struct message *m = message_of(r);
    uint32_t sessions = r->in_vain + 1u;
    if (sessions < l->redelivery_sessions_max) {
        record_in_vain(r, m, sessions, now, d);
        return;
    }
    record_parked(r, m, sessions, now, d);
    d->event = "message.parked";
    if (!r->was_parked)
        decide_tell_sender(s, d, m, BRUG__V1__KIND__KIND_FACT, ERROR_NOT_ACKNOWLEDGED, e, now);
}

void decide_quarantine(const struct message *m, const struct digest *found, struct instant now,
                       struct decision *d)
{
    Brug__V1__Quarantined *r = decision_message(d, &brug__v1__quarantined__descriptor);
    r->organisation = id_bytes(&m->key.organisation);
    r->message_id = id_bytes(&m->key.id);
    if (found)
        r->found_digest = digest_bytes(found);
    r->at_ms = now.wall_ms;
    decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_QUARANTINED, r, NULL);
}

void decide_raise_epochs(struct decision *d, const struct organisation *o)
{
    for (size_t i = 0; i < o->row->n_municipalities; i++) {
        Brug__V1__MunicipalityRow *row = decision_alloc(d, 1, sizeof *row);
        *row = *o->municipalities[i]->row;
        row->epoch++;
        decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_MUNICIPALITY, row, NULL);
    }
}

void decide_end(struct person *p, struct instant now, struct decision *d)
{
    Brug__V1__PersonRow *row = decision_alloc(d, 1, sizeof *row);
    Brug__V1__Operator *by = decision_message(d, &brug__v1__operator__descriptor);
    *row = *p->row;
    by->name = (char *)(uintptr_t)RELAY_NAME;
    row->status = BRUG__V1__STATUS__STATUS_SUSPENDED;
    row->at_ms = now.wall_ms;
    row->by = by;
    decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_PERSON, row, NULL);
    decide_raise_epochs(d, p->organisation);
}
