/*
 * daemon/core/delivery.c: from mailboxes to sessions: in order, within credit, only what is durable, and
 * only bodies whose digest is the record's.
 *
 * Happy path: a session is marked as due, delivery_run offers it the mailbox from its endpoint's cursor
 * on. A body that is not in memory is loaded, with some that follow it; the session stays due.
 * Failures: a body that is gone or has another digest goes to quarantine, with a record and an event, and
 * is passed over; a read error makes all loads rest for some seconds.
 *
 * Invariants: (1) what has reader.delivered_serial == endpoint.serial is not delivered again in this
 * session; (2) at most loads_max bodies are being loaded; (3) the cursor never passes what was not offered,
 * except what is in quarantine or parked.
 */
#include "daemon/core/relay_inside.h"
#include "proto/frame.h"
#include <assert.h>

#define AHEAD_MAX 64u      /* bodies loaded ahead of one session */
#define LOADS_MAX 512u     /* in all */
#define LOADS_REST_MS 5000 /* after a read error */

void delivery_mark(struct relay *r, struct session *s)
{
    if (s->is_subscribed && list_is_empty(&s->due))
        list_append(&r->due, &s->due);
}

void delivery_mark_readers(struct relay *r, struct message *m)
{
    for (size_t i = 0; i < m->reader_count; i++) {
        struct session *s = m->readers[i].endpoint->session;
        if (s && m->readers[i].state == READER_WAITING)
            delivery_mark(r, s);
    }
}

/* ---- the frame ---- */

enum {
    KEY_DELIVER = 13 << 3 | 2,
    KEY_SEQUENCE = 8,
    KEY_STORED_AT = 16,
    KEY_ENVELOPE = 26,
    KEY_ATTEMPT = 32
};

#define NUMBER_BYTES_MAX 11u

struct piece {
    uint8_t bytes[5 * NUMBER_BYTES_MAX];
    size_t len;
};

static void put_varint(struct piece *p, uint64_t v)
{
    for (; v > 0x7f; v >>= 7)
        p->bytes[p->len++] = (uint8_t)(v | 0x80);
    p->bytes[p->len++] = (uint8_t)v;
}

static void put_field(struct piece *p, uint8_t key, uint64_t v)
{
    p->bytes[p->len++] = key;
    put_varint(p, v);
}

static struct slice piece_slice(const struct piece *p) { return slice_of(p->bytes, p->len); }

/* length · ServerFrame{deliver: Deliver{sequence, stored_at_ms, envelope, attempt}} around the stored bytes. */
static void send_deliver(struct relay *r, struct session *s, const struct reader *reader,
                         const struct message *m)
{
    const struct body *b = m->body;
    struct piece inner = {.len = 0}, after = {.len = 0}, key = {.len = 0}, before = {.len = 0};
    put_field(&inner, KEY_SEQUENCE, reader->sequence);
    put_field(&inner, KEY_STORED_AT, (uint64_t)m->at_ms);
    put_field(&inner, KEY_ENVELOPE, b->len);
    put_field(&after, KEY_ATTEMPT, reader->attempts);
    size_t deliver_len = inner.len + b->len + after.len;
    put_field(&key, KEY_DELIVER, deliver_len);
    put_varint(&before, key.len + deliver_len);
    const struct slice parts[] = {piece_slice(&before), piece_slice(&key), piece_slice(&inner),
                                  slice_of(b->bytes, b->len), piece_slice(&after)};
    session_send(r, s, parts, sizeof parts / sizeof parts[0]);
}

/* ---- loading bodies ---- */

/* One load may always be asked for, so that a body larger than the budget comes too. */
static bool has_budget(const struct relay *r, const struct message *m)
{
    size_t budget = r->limits.body_cache_bytes_max / 2;
    if (r->loads_after_ms || r->loading_count >= LOADS_MAX)
        return false;
    return r->loading_count == 0 ||
           (r->loading_bytes < budget && m->body_bytes <= budget - r->loading_bytes);
}

static bool needs_load(const struct relay *r, const struct message *m)
{
    return !m->body && !m->is_loading && !m->is_quarantined && m->body_lsn <= r->durable_lsn;
}

static void load_body(struct relay *r, struct message *m)
{
    struct load *l = load_new(LOAD_BODY);
    if (!l)
        return;
    l->organisation = m->key.organisation;
    l->message_id = m->key.id;
    l->body_lsn = m->body_lsn;
    m->is_loading = true;
    r->loading_count++;
    r->loading_bytes += m->body_bytes;
    r->port.load(r->ctx, l);
}

/*
 * Loads the body at `from` and those that the session will want after it: in order, so that none starves,
 * and no more than a part of the cache, so that they are still there when their turn comes.
 */
static void load_ahead(struct relay *r, const struct session *s, struct list *from)
{
    size_t bytes_left = r->limits.body_cache_bytes_max / 4;
    unsigned left = s->credit_messages < AHEAD_MAX ? s->credit_messages : AHEAD_MAX;
    for (struct list *l = from; l != &s->endpoint->mailbox && left > 0; l = l->next, left--) {
        struct reader *reader = container_of(l, struct reader, link);
        struct message *m = message_of(reader);
        if (reader->is_parked)
            continue;
        if (l != from && m->body_bytes > bytes_left)
            return;
        bytes_left -= m->body_bytes < bytes_left ? m->body_bytes : bytes_left;
        if (!needs_load(r, m))
            continue;
        if (!has_budget(r, m))
            return;
        load_body(r, m);
    }
}

static void quarantine(struct relay *r, struct message *m, const struct digest *found,
                       enum error code)
{
    struct decision d;
    struct relay_event event = {.name = "message.quarantined",
                                .code = code,
                                .organisation = m->key.organisation,
                                .message_id = m->key.id,
                                .case_id = m->case_id};
    arena_reset(r->decision_arena, SIZE_MAX);
    decision_init(&d, r->decision_arena);
    decide_quarantine(m, found, r->now, &d);
    delivery_mark_readers(r, m);
    pump_commit(r, &d);
    pump_event(r, &event);
}

static void rest(struct relay *r, const struct message *m)
{
    struct relay_event event = {.name = "message.unread",
                                .code = ERROR_IO,
                                .organisation = m->key.organisation,
                                .message_id = m->key.id};
    r->loads_after_ms = r->now.mono_ms + LOADS_REST_MS;
    r->loads_after_wall_ms = r->now.wall_ms + LOADS_REST_MS;
    pump_event(r, &event);
}

static void take_body(struct relay *r, struct message *m, const struct load *l)
{
    struct body *b = NULL;
    enum error e = l->result;
    if (!e)
        e = body_from_stored(&b, buf_slice(&l->bytes));
    if (e == ERROR_IO || e == ERROR_NO_MEMORY)
        rest(r, m);
    else if (e)
        quarantine(r, m, NULL, e);
    else if (!digest_equal(&b->digest, &m->digest))
        quarantine(r, m, &b->digest, ERROR_CORRUPT);
    else
        message_cache_body(r->state, m, b, r->limits.body_cache_bytes_max);
    body_unref(b);
}

void delivery_on_loaded(struct relay *r, struct load *l)
{
    const struct message_key key = {l->organisation, l->message_id};
    struct message *m = message_find(r->state, &key);
    size_t bytes = m ? m->body_bytes : l->bytes.len;
    assert(r->loading_count > 0);
    r->loading_count--;
    r->loading_bytes -= bytes < r->loading_bytes ? bytes : r->loading_bytes;
    if (r->loading_count == 0)
        r->loading_bytes = 0;
    if (m && m->is_loading) {
        m->is_loading = false;
        if (!m->body && m->waiting_count > 0 && m->body_lsn == l->body_lsn)
            take_body(r, m, l);
    }
}

/* ---- offering ---- */

static bool has_credit(const struct session *s, const struct message *m)
{
    if (s->credit_messages == 0)
        return false;
    return m->body_bytes <= s->credit_bytes || s->in_flight == 0;
}

static void deliver(struct relay *r, struct session *s, struct reader *reader, struct message *m)
{
    assert(digest_equal(&m->body->digest, &m->digest));
    if (reader->attempts < UINT16_MAX)
        reader->attempts++;
    reader->delivered_serial = s->endpoint->serial;
    s->in_flight++;
    s->credit_messages--;
    s->credit_bytes -= m->body_bytes < s->credit_bytes ? m->body_bytes : s->credit_bytes;
    send_deliver(r, s, reader, m);
}

/* The next one that this session is still to get. */
static struct reader *next_of(struct endpoint *e)
{
    for (; e->cursor->next != &e->mailbox; e->cursor = e->cursor->next) {
        struct reader *reader = container_of(e->cursor->next, struct reader, link);
        bool is_passed = reader->delivered_serial == e->serial || reader->is_parked ||
                         message_of(reader)->is_quarantined;
        if (!is_passed)
            return reader;
    }
    return NULL;
}

bool delivery_has_more(const struct session *s) { return next_of(s->endpoint); }

/* True when the session may go on as soon as something is durable or loaded. */
static bool offer(struct relay *r, struct session *s)
{
    struct endpoint *e = s->endpoint;
    struct reader *reader;
    if (s->began_lsn > r->durable_lsn)
        return true;
    while (!s->is_blocked && (reader = next_of(e))) {
        struct message *m = message_of(reader);
        if (m->body_lsn > r->durable_lsn)
            return true;
        if (!has_credit(s, m))
            return false;
        if (!m->body) {
            load_ahead(r, s, &reader->link);
            return true;
        }
        e->cursor = &reader->link;
        deliver(r, s, reader, m);
    }
    return false;
}

void delivery_run(struct relay *r)
{
    if (r->loads_after_ms && r->now.mono_ms >= r->loads_after_ms)
        r->loads_after_ms = 0;
    list_for_each (l, next, &r->due) {
        struct session *s = container_of(l, struct session, due);
        if (!offer(r, s))
            list_unlink(&s->due);
    }
}
