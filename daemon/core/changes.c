/*
 * daemon/core/changes.c: what follows when the directory changes: sessions of who is suspended end, others
 * hear of the new epoch, net hears of new anchors, and copies of endpoints that do not read any more are
 * cancelled, some in each group. All but the last only when the change is durable.
 *
 * The cancelling needs no record of its own: what is left to do follows from the state, at start too.
 */
#include "daemon/core/relay_inside.h"
#include "proto/frame.h"
#include "proto/limits.h"

static void cancel_later(struct relay *r, struct endpoint *e)
{
    if (!endpoint_reads(e) && !list_is_empty(&e->mailbox) && list_is_empty(&e->cancelling))
        list_append(&r->cancelling, &e->cancelling);
}

void changes_note(struct relay *r, const struct organisation *o)
{
    r->changed_lsn = r->state->lsn;
    for (size_t i = 0; o && i < o->endpoints.count; i++)
        cancel_later(r, o->endpoints.items[i]);
}

/* ---- cancelling ---- */

static bool group_has_room(const struct relay *r)
{
    return r->full.count == 0 &&
           (!r->open || r->open->records.len + r->open->body_bytes < r->limits.group_bytes_max);
}

static void cancel_first(struct relay *r, struct endpoint *e)
{
    struct reader *reader = container_of(list_first(&e->mailbox), struct reader, link);
    struct message *m = message_of(reader);
    struct relay_event event = {.name = "message.cancelled",
                                .code = ERROR_SUSPENDED,
                                .organisation = m->key.organisation,
                                .endpoint = e->entity.id,
                                .message_id = m->key.id,
                                .case_id = m->case_id};
    struct decision d;
    arena_reset(r->decision_arena, SIZE_MAX);
    decision_init(&d, r->decision_arena);
    decide_cancel(r->state, reader, r->now, &d);
    pump_commit(r, &d);
    pump_event(r, &event);
}

void changes_cancel(struct relay *r)
{
    struct list *first;
    while ((first = list_first(&r->cancelling)) && group_has_room(r)) {
        struct endpoint *e = container_of(first, struct endpoint, cancelling);
        if (endpoint_reads(e) || list_is_empty(&e->mailbox))
            list_unlink(&e->cancelling);
        else
            cancel_first(r, e);
    }
}

/* ---- sessions ---- */

static void end_suspended(struct relay *r)
{
    for (struct map_node *n = map_next(&r->sessions, NULL), *next; n; n = next) {
        struct session *s = container_of(n, struct session, node);
        uint64_t since_lsn;
        next = map_next(&r->sessions, n);
        if (endpoint_judge(s->endpoint, &since_lsn) && since_lsn <= r->durable_lsn)
            session_end(r, s, ERROR_SUSPENDED);
    }
}

static void tell(struct relay *r, const struct municipality *m, struct slice frame)
{
    for (struct map_node *n = map_next(&r->sessions, NULL); n; n = map_next(&r->sessions, n)) {
        struct session *s = container_of(n, struct session, node);
        if (s->is_welcome && s->began_lsn <= r->durable_lsn &&
            organisation_works_in(s->endpoint->organisation, m))
            session_send(r, s, &frame, 1);
    }
}

static void tell_epoch(struct relay *r, struct municipality *m)
{
    Brug__V1__ServerFrame f = BRUG__V1__SERVER_FRAME__INIT;
    Brug__V1__DirectoryMoved moved = BRUG__V1__DIRECTORY_MOVED__INIT;
    Brug__V1__Epoch epoch = BRUG__V1__EPOCH__INIT;
    struct buf bytes;
    if (m->told_epoch == m->row->epoch || m->entity.changed_lsn > r->durable_lsn)
        return;
    epoch.municipality = id_bytes(&m->entity.id);
    epoch.epoch = m->row->epoch;
    moved.epoch = &epoch;
    f.frame_case = BRUG__V1__SERVER_FRAME__FRAME_DIRECTORY_MOVED;
    f.directory_moved = &moved;
    buf_init(&bytes, LIMIT_FRAME_OVERHEAD_BYTES);
    if (frame_append(&bytes, &f.base) == ERROR_NONE) {
        tell(r, m, buf_slice(&bytes));
        m->told_epoch = m->row->epoch;
    }
    buf_fini(&bytes);
}

void changes_follow(struct relay *r)
{
    if (r->changed_lsn > r->followed_lsn) {
        end_suspended(r);
        for (size_t i = 0; i < table_count(&r->state->municipalities); i++)
            tell_epoch(
                r, container_of(r->state->municipalities.sorted[i], struct municipality, entity));
        r->followed_lsn = r->durable_lsn;
    }
    if (r->anchors_lsn && r->anchors_lsn <= r->durable_lsn) {
        r->anchors_lsn = 0;
        r->port.anchors_changed(r->ctx);
    }
}
