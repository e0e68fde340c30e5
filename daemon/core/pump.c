/*
 * daemon/core/pump.c: from decisions to groups, and from durable groups to answers.
 *
 * Happy path: pump_pack, pump_commit (pack a record, apply it, keep its body), pump_answer (held with the
 * state's lsn), pump_hand_over; when the group is durable, pump_release.
 * Failures: without memory for a record that was decided the process ends; the outbox is intact.
 *
 * Invariants: (1) the state's lsn is the last of the open group, else of the newest full one, else of the
 * one in flight, else durable_lsn; (2) a decision never spans two groups; (3) held lsns never fall.
 */
#include "daemon/core/relay_inside.h"
#include "proto/frame.h"
#include <assert.h>
#include <stdlib.h>

#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name

static void must(enum error e)
{
    assert(e == ERROR_NONE); /* out of memory in the middle of a decision */
    (void)e;
}

/* ---- groups ---- */

static size_t group_size(const struct group *g) { return g->records.len + g->body_bytes; }

static void groups_append(struct groups *list, struct group *g)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 8;
        struct group **items = reallocarray(list->items, capacity, sizeof(struct group *));
        must(items ? ERROR_NONE : ERROR_NO_MEMORY);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = g;
}

static struct group *groups_take(struct groups *list)
{
    struct group *first = list->items[0];
    list->count--;
    for (size_t i = 0; i < list->count; i++)
        list->items[i] = list->items[i + 1];
    return first;
}

static void open_group(struct relay *r)
{
    if (r->open && group_size(r->open) >= r->limits.group_bytes_max) {
        groups_append(&r->full, r->open);
        r->open = NULL;
    }
    if (!r->open)
        r->open = group_new(r->state->lsn + 1);
    must(r->open ? ERROR_NONE : ERROR_NO_MEMORY);
}

void pump_hand_over(struct relay *r)
{
    if (r->in_flight_lsn)
        return;
    struct group *g = r->full.count > 0 ? groups_take(&r->full) : r->open;
    if (!g)
        return;
    if (g == r->open)
        r->open = NULL;
    assert(g->first_lsn == r->durable_lsn + 1 && g->count > 0);
    r->in_flight_lsn = g->first_lsn + g->count - 1;
    g->waiting = r->state->waiting;
    r->port.commit(r->ctx, g);
}

/* ---- records ---- */

/* The endpoint's copy is not in flight any more. */
static void land(struct relay *r, ProtobufCBinaryData endpoint, struct message *m)
{
    struct endpoint *e = endpoint_find(r->state, endpoint);
    struct reader *reader = m && e ? message_reader(m, e) : NULL;
    if (!reader || !e->session || reader->delivered_serial != e->serial)
        return;
    reader->delivered_serial = 0;
    assert(e->session->in_flight > 0);
    e->session->in_flight--;
    delivery_mark(r, e->session);
}

/* The organisation whose directory entry a record changes; none for other records. Asked before it is
 * applied: a record may borrow from the row that it replaces. */
static struct id organisation_changed(const struct decided *record)
{
    ProtobufCBinaryData bytes = {0};
    struct id id = ID_NONE;
    if (record->type == RECORD(ORGANISATION))
        bytes = ((const Brug__V1__OrganisationRow *)record->record)->organisation;
    else if (record->type == RECORD(PERSON))
        bytes = ((const Brug__V1__PersonRow *)record->record)->organisation;
    else if (record->type == RECORD(ENDPOINT))
        bytes = ((const Brug__V1__EndpointRow *)record->record)->organisation;
    return id_take(bytes, &id) ? id : ID_NONE;
}

static void follow(struct relay *r, const struct decided *record, const struct id *organisation,
                   struct message *touched)
{
    switch (record->type) {
    case RECORD(ACCEPTED):
        r->accepted++;
        break;
    case RECORD(ACKNOWLEDGED):
        r->acknowledged++;
        land(r, ((const Brug__V1__Acknowledged *)record->record)->endpoint, touched);
        break;
    case RECORD(CANCELLED):
        land(r, ((const Brug__V1__Cancelled *)record->record)->endpoint, touched);
        break;
    case RECORD(RELEASED):
        delivery_mark_readers(r, touched);
        break;
    case RECORD(MUNICIPALITY):
        changes_note(r, NULL);
        break;
    case RECORD(ORGANISATION):
    case RECORD(PERSON):
    case RECORD(ENDPOINT):
        changes_note(r, organisation_find(r->state, id_bytes(organisation)));
        break;
    default:
        break;
    }
    if (record->body && touched) {
        message_cache_body(r->state, touched, record->body, r->limits.body_cache_bytes_max);
        delivery_mark_readers(r, touched);
    }
}

static void commit_one(struct relay *r, struct decided *record)
{
    struct message *touched = NULL;
    uint64_t lsn = r->state->lsn + 1;
    buf_clear(&r->record);
    must(frame_append_bare(&r->record, record->record));
    must(group_append(r->open, record->type, buf_slice(&r->record)));
    if (record->body && record->type == RECORD(CASE_TAGS))
        must(group_append_tags(r->open, lsn, record->body));
    else if (record->body)
        must(group_append_body(r->open, lsn, record->body));
    struct id organisation = organisation_changed(record);
    struct slice kept =
        record->body ? slice_of(record->body->bytes, record->body->len) : SLICE_NONE;
    must(apply(r->state, lsn, record->type, record->record, kept, &touched));
    follow(r, record, &organisation, touched);
}

void pump_commit(struct relay *r, struct decision *d)
{
    if (d->record_count > 0)
        open_group(r);
    for (size_t i = 0; i < d->record_count; i++)
        commit_one(r, &d->records[i]);
    decision_fini(d);
}

/* ---- answers ---- */

void pump_pack(struct relay *r, uint64_t request, Brug__V1__ServerFrame *frame)
{
    frame->request = request;
    buf_clear(&r->answer);
    must(frame_append(&r->answer, &frame->base));
}

static void leave(struct relay *r, const struct held *h)
{
    if (h->type == HELD_ADMIN_ANSWER) {
        Brug__V1__AdminAnswer *a =
            brug__v1__admin_answer__unpack(NULL, h->bytes.len, h->bytes.data);
        must(a ? ERROR_NONE : ERROR_NO_MEMORY);
        r->port.admin_answer(r->ctx, h->to, a);
        brug__v1__admin_answer__free_unpacked(a, NULL);
        return;
    }
    struct session *s = session_find(r, h->to);
    session_discharge(r, s, h->cost_bytes);
    if (!s)
        return;
    if (s->unanswered > 0)
        s->unanswered--;
    session_send(r, s, &h->bytes, 1);
}

void pump_answer(struct relay *r, enum held_type type, uint64_t to, size_t cost_bytes)
{
    struct held h = {r->state->lsn, to, type, cost_bytes, buf_slice(&r->answer)};
    if (r->held.count == 0 && h.lsn <= r->durable_lsn) {
        leave(r, &h);
        return;
    }
    if (type == HELD_FRAME) {
        session_charge(r, session_find(r, to), h.bytes.len);
        h.cost_bytes += h.bytes.len;
    }
    must(held_push(&r->held, &h));
}

void pump_release(struct relay *r)
{
    struct held h;
    while (held_first(&r->held, &h) && h.lsn <= r->durable_lsn) {
        leave(r, &h);
        held_pop(&r->held);
    }
    session_update_pause(r);
}

bool pump_is_idle(const struct relay *r)
{
    return !r->open && r->full.count == 0 && !r->in_flight_lsn && r->held.count == 0 &&
           r->room.count == 0;
}

/* ---- the surroundings ---- */

struct policy pump_policy(const struct relay *r)
{
    return (struct policy){&r->limits, r->has_room, r->steps_from_ms > 0, r->crls, r->crl_count};
}

void pump_event(struct relay *r, const struct relay_event *e) { r->port.event(r->ctx, e); }

void pump_count_refusal(struct relay *r, enum error code)
{
    if (code > 0 && (unsigned)code < CODES_MAX)
        r->refused[code]++;
}
