/*
 * daemon/core/decide_mail.c: what a reader or a sender says and asks about one message.
 *
 * I6, T17: a message that is not the asker's and one that does not exist go the same way: what memory
 * does not hold for the asker is looked up by organisation and id, wherever memory is not the whole truth.
 */
#include "daemon/core/decide.h"
#include <assert.h>

/* True when it is settled that the asker has no such message; else a load was asked for. */
static bool is_settled(const struct state *s, const struct command *c, struct decision *d)
{
    d->wants_load = !c->is_loaded && !message_id_is_recent(s, &c->key.id);
    return !d->wants_load;
}

/* The asker's copy, or NULL (then the decision is filled). */
static struct reader *find_copy(const struct state *s, const struct command *c, struct decision *d)
{
    struct message *m = message_find(s, &c->key);
    struct reader *r = m ? message_reader(m, c->endpoint) : NULL;
    if (!r && is_settled(s, c, d))
        decision_refuse(d, c, ERROR_NO_SUCH_MESSAGE, NULL);
    return r;
}

/* ---- Ack ---- */

static void record_ack(const struct command *c, struct decision *d, const struct reader *r)
{
    const Brug__V1__Ack *ack = c->frame->ack;
    Brug__V1__Acknowledged *record = decision_message(d, &brug__v1__acknowledged__descriptor);
    record->organisation = id_bytes(&c->key.organisation);
    record->message_id = id_bytes(&c->key.id);
    record->endpoint = id_bytes(&c->endpoint->entity.id);
    record->sequence = r->sequence;
    record->result = ack->result;
    record->code = ack->code;
    record->at_ms = c->now.wall_ms;
    decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_ACKNOWLEDGED, record, NULL);
}

void decide_ack(const struct state *s, const struct command *c, struct decision *d)
{
    struct reader *r = find_copy(s, c, d);
    if (!r)
        return;
    if (r->state == READER_WAITING) {
        record_ack(c, d, r);
        if (c->frame->ack->result == BRUG__V1__ACK_RESULT__ACK_RESULT_UNREADABLE)
            decide_tell_sender(s, d, message_of(r), BRUG__V1__KIND__KIND_FACT,
                               (enum error)c->frame->ack->code, c->endpoint, c->now);
    }
    Brug__V1__Acked *acked = decision_message(d, &brug__v1__acked__descriptor);
    acked->organisation = id_bytes(&c->key.organisation);
    acked->message_id = id_bytes(&c->key.id);
    d->answer.frame_case = BRUG__V1__SERVER_FRAME__FRAME_ACKED;
    d->answer.acked = acked;
}

/* ---- Opened ---- */

void decide_opened(const struct state *s, const struct command *c, struct decision *d)
{
    struct reader *r = find_copy(s, c, d);
    if (!r)
        return;
    const struct person *by = decide_actor(s, c->endpoint, c->frame->opened->person);
    if (!by) {
        decision_refuse(d, c, ERROR_SENDER_MISMATCH, "opened.person");
        return;
    }
    if (r->opened_at_ms == 0) {
        Brug__V1__OpenedBy *record = decision_message(d, &brug__v1__opened_by__descriptor);
        record->organisation = id_bytes(&c->key.organisation);
        record->message_id = id_bytes(&c->key.id);
        record->endpoint = id_bytes(&c->endpoint->entity.id);
        record->person = c->frame->opened->person;
        record->at_ms = c->now.wall_ms;
        decision_record(d, BRUG__V1__RECORD_TYPE__RECORD_TYPE_OPENED_BY, record, NULL);
        decide_case_opened(s, message_of(r), by, c, d);
    }
    decision_note(d);
}

/* ---- Track ---- */

static Brug__V1__ReaderFact *fact_of(struct decision *d, const struct reader *r)
{
    Brug__V1__ReaderFact *f = decision_message(d, &brug__v1__reader_fact__descriptor);
    f->endpoint = id_bytes(&r->endpoint->entity.id);
    if (r->endpoint->person)
        f->person = id_bytes(&r->endpoint->person->entity.id);
    if (r->state == READER_FETCHED)
        f->fetched_at_ms = r->settled_at_ms;
    if (r->state == READER_UNREADABLE)
        f->unreadable = (Brug__V1__Code)r->code;
    if (r->state == READER_CANCELLED)
        f->cancelled_at_ms = r->settled_at_ms;
    if (r->is_parked)
        f->parked_at_ms = r->settled_at_ms;
    f->opened_at_ms = r->opened_at_ms;
    if (r->opened_by)
        f->opened_by = id_bytes(&r->opened_by->entity.id);
    return f;
}

void decide_track(const struct state *s, const struct command *c, struct decision *d)
{
    const struct message *m = message_find(s, &c->key);
    if (!m || m->code) {
        if (m || is_settled(s, c, d))
            decision_refuse(d, c, ERROR_NO_SUCH_MESSAGE, NULL);
        return;
    }
    Brug__V1__Tracked *t = decision_message(d, &brug__v1__tracked__descriptor);
    t->message_id = id_bytes(&c->key.id);
    t->stored_at_ms = m->at_ms;
    t->n_readers = m->reader_count;
    t->readers = decision_alloc(d, m->reader_count, sizeof *t->readers);
    for (size_t i = 0; i < m->reader_count; i++)
        t->readers[i] = fact_of(d, &m->readers[i]);
    d->answer.frame_case = BRUG__V1__SERVER_FRAME__FRAME_TRACKED;
    d->answer.tracked = t;
}
