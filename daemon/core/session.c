/*
 * daemon/core/session.c: sessions: connecting, Hello, one per endpoint, credit, and the budgets that pause
 * reading.
 *
 *     (connected) --Hello--> welcome --Subscribe--> welcome, subscribed
 *          \________________________\_____________________\--> ended (GoAway, close), freed
 *
 * A session is attached to its endpoint from Hello on; a second one that gets so far ends the first.
 */
#include "daemon/core/relay_inside.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include <assert.h>
#include <stdlib.h>

#define RETRY_MS 1000u

struct session *session_find(const struct relay *r, uint64_t id)
{
    struct map_node *n = map_find(&r->sessions, &id, sizeof id);
    return n ? container_of(n, struct session, node) : NULL;
}

/* ---- the end ---- */

static void detach(struct session *s)
{
    if (s->endpoint->session == s)
        s->endpoint->session = NULL;
}

void session_free(struct relay *r, struct session *s)
{
    detach(s);
    list_unlink(&s->due);
    map_remove(&r->sessions, &s->node);
    free(s);
}

static void event_of(struct relay *r, const char *name, uint64_t session, const struct endpoint *e,
                     enum error code)
{
    struct relay_event event = {.name = name, .code = code, .session = session};
    if (e) {
        event.endpoint = e->entity.id;
        event.organisation = e->organisation->entity.id;
    }
    pump_event(r, &event);
}

static void go_away(struct relay *r, uint64_t session, enum error code)
{
    Brug__V1__ServerFrame f = BRUG__V1__SERVER_FRAME__INIT;
    Brug__V1__GoAway g = BRUG__V1__GO_AWAY__INIT;
    struct buf bytes;
    buf_init(&bytes, LIMIT_FRAME_OVERHEAD_BYTES);
    g.code = (Brug__V1__Code)code;
    g.retry_after_ms = error_is_passing(code) ? RETRY_MS : 0;
    f.frame_case = BRUG__V1__SERVER_FRAME__FRAME_GO_AWAY;
    f.go_away = &g;
    if (frame_append(&bytes, &f.base) == ERROR_NONE) {
        struct slice part = buf_slice(&bytes);
        r->port.send(r->ctx, session, &part, 1);
    }
    buf_fini(&bytes);
    r->port.close(r->ctx, session, code);
}

/* The relay's own causes say nothing about the reader: it stops, it shut the reader out, it does not read. */
static bool is_readers_doing(const struct relay *r, const struct session *s, enum error code)
{
    return s->endpoint->session == s && !r->is_draining && !r->is_paused && !s->is_paused &&
           code != ERROR_SHUTTING_DOWN && code != ERROR_SUSPENDED;
}

static void count_in_vain(struct relay *r, const struct endpoint *e)
{
    const struct reader *oldest = message_oldest(e);
    struct policy p = pump_policy(r);
    struct decision d;
    arena_reset(r->decision_arena, SIZE_MAX);
    decision_init(&d, r->decision_arena);
    decide_session_end(r->state, &p, e, r->now, &d);
    if (d.event) {
        const struct message *m = message_of((struct reader *)(uintptr_t)oldest);
        struct relay_event event = {.name = d.event,
                                    .code = ERROR_NOT_ACKNOWLEDGED,
                                    .organisation = m->key.organisation,
                                    .endpoint = e->entity.id,
                                    .message_id = m->key.id,
                                    .case_id = m->case_id};
        pump_event(r, &event);
    }
    pump_commit(r, &d);
}

/* It ended, with or without a word to the peer. */
static void end(struct relay *r, struct session *s, enum error code)
{
    const struct endpoint *e = s->endpoint;
    bool counts = is_readers_doing(r, s, code);
    event_of(r, "session.ended", s->id, e, code);
    session_free(r, s);
    if (counts)
        count_in_vain(r, e);
}

void session_end(struct relay *r, struct session *s, enum error code)
{
    uint64_t id = s->id;
    end(r, s, code);
    go_away(r, id, code);
}

void session_end_all(struct relay *r, enum error code)
{
    for (struct map_node *n = map_next(&r->sessions, NULL), *next; n; n = next) {
        next = map_next(&r->sessions, n);
        session_end(r, container_of(n, struct session, node), code);
    }
}

void relay_refuse(struct relay *r, uint64_t session, enum error code)
{
    struct session *s = session_find(r, session);
    pump_count_refusal(r, code);
    if (s)
        session_end(r, s, code);
}

void relay_on_disconnect(struct relay *r, uint64_t session)
{
    struct session *s = session_find(r, session);
    if (s)
        end(r, s, ERROR_NONE);
}

/* ---- the beginning ---- */

static void refuse_connection(struct relay *r, uint64_t session, const struct endpoint *e,
                              enum error code)
{
    pump_count_refusal(r, code);
    event_of(r, "session.refused", session, e, code);
    go_away(r, session, code);
}

void relay_on_connect(struct relay *r, uint64_t session, const struct relay_peer *peer,
                      struct instant now)
{
    struct decision d;
    struct endpoint *e = NULL;
    r->now = now;
    assert(session != 0 && !session_find(r, session));
    if (r->is_draining) {
        refuse_connection(r, session, NULL, ERROR_SHUTTING_DOWN);
        return;
    }
    arena_reset(r->decision_arena, SIZE_MAX);
    decision_init(&d, r->decision_arena);
    struct policy p = pump_policy(r);
    enum error error = decide_connect(r->state, &p, peer, now, &d, &e);
    pump_commit(r, &d);
    struct session *s = error ? NULL : calloc(1, sizeof *s);
    if (!error && !s)
        error = ERROR_TOO_MANY_CONNECTIONS;
    if (error) {
        refuse_connection(r, session, e, error);
        return;
    }
    s->id = session;
    s->endpoint = e;
    list_init(&s->due);
    if (map_insert(&r->sessions, &s->node, (const uint8_t *)&s->id, sizeof s->id)) {
        free(s);
        refuse_connection(r, session, e, ERROR_TOO_MANY_CONNECTIONS);
    }
}

static void attach(struct relay *r, struct session *s)
{
    struct endpoint *e = s->endpoint;
    if (e->session)
        session_end(r, e->session, ERROR_SESSION_REPLACED);
    e->session = s;
    e->serial++;
    e->cursor = &e->mailbox;
}

void session_on_hello(struct relay *r, struct session *s, const Brug__V1__ClientFrame *f)
{
    struct command c = {.session = s->id, .endpoint = s->endpoint, .frame = f, .now = r->now};
    struct policy p = pump_policy(r);
    struct decision d;
    arena_reset(r->decision_arena, SIZE_MAX);
    decision_init(&d, r->decision_arena);
    decide_hello(r->state, &p, &c, &d);
    if (d.code) {
        enum error code = d.code;
        pump_commit(r, &d);
        pump_count_refusal(r, code);
        session_end(r, s, code);
        return;
    }
    pump_pack(r, f->request, &d.answer);
    pump_commit(r, &d);
    attach(r, s);
    s->is_welcome = true;
    s->began_lsn = r->state->lsn;
    s->unanswered++;
    event_of(r, "session.began", s->id, s->endpoint, ERROR_NONE);
    r->port.welcomed(r->ctx, s->id, r->limits.message_bytes_max + LIMIT_FRAME_OVERHEAD_BYTES);
    pump_answer(r, HELD_FRAME, s->id, 0);
}

/* ---- sending and credit ---- */

void session_send(struct relay *r, struct session *s, const struct slice *parts, size_t n)
{
    if (!r->port.send(r->ctx, s->id, parts, n))
        s->is_blocked = true;
}

void relay_on_drained(struct relay *r, uint64_t session, struct instant now)
{
    struct session *s = session_find(r, session);
    r->now = now;
    if (!s)
        return;
    s->is_blocked = false;
    delivery_mark(r, s);
}

void session_on_credit(struct relay *r, struct session *s, uint32_t messages, uint64_t bytes,
                       bool is_first)
{
    if (is_first)
        s->credit_messages = 0, s->credit_bytes = 0;
    if (messages > r->limits.credit_messages_max - s->credit_messages ||
        bytes > r->limits.credit_bytes_max - s->credit_bytes) {
        pump_count_refusal(r, ERROR_CREDIT_EXCEEDED);
        session_end(r, s, ERROR_CREDIT_EXCEEDED);
        return;
    }
    s->credit_messages += messages;
    s->credit_bytes += bytes;
    s->is_subscribed |= is_first;
    delivery_mark(r, s);
}

/* ---- budgets ---- */

static void set_paused(struct relay *r, struct session *s, bool is_paused)
{
    if (s->is_paused == is_paused)
        return;
    s->is_paused = is_paused;
    r->port.pause(r->ctx, s->id, is_paused);
}

/* Reading goes on when half of the budget is free again, so that it does not flutter. */
void session_update_pause(struct relay *r)
{
    size_t max = r->limits.unstored_bytes_max;
    bool is_over = r->unstored_bytes >= (r->is_paused ? max / 2 : max);
    bool is_paused = is_over || r->is_fold_behind || r->is_draining;
    if (r->is_paused == is_paused)
        return;
    r->is_paused = is_paused;
    r->port.pause(r->ctx, 0, is_paused);
}

void session_charge(struct relay *r, struct session *s, size_t bytes)
{
    r->unstored_bytes += bytes;
    session_update_pause(r);
    if (!s)
        return;
    s->unstored_bytes += bytes;
    if (s->unstored_bytes >= r->limits.session_unstored_bytes_max)
        set_paused(r, s, true);
}

void session_discharge(struct relay *r, struct session *s, size_t bytes)
{
    assert(r->unstored_bytes >= bytes);
    r->unstored_bytes -= bytes;
    if (!s)
        return;
    assert(s->unstored_bytes >= bytes);
    s->unstored_bytes -= bytes;
    if (s->unstored_bytes < r->limits.session_unstored_bytes_max / 2 + 1)
        set_paused(r, s, false);
}
