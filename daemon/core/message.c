/*
 * daemon/core/message.c: known messages, their readers' copies in mailboxes, the counters that follow
 * from them, the cache of bodies, and what may leave memory.
 *
 * The unfetched counters (quota) follow from the readers alone: a message counts while an addressed
 * endpoint's copy waits and no addressed endpoint has acknowledged it.
 */
#include "daemon/core/model.h"
#include "proto/limits.h"
#include <assert.h>
#include <stdlib.h>

/* Messages are loaded in the order of their ids, which is nearly that of their sequences. */
#define LOADING_STEPS_MAX 8u

struct message *message_find(const struct state *s, const struct message_key *key)
{
    struct map_node *n = map_find(&s->messages, key, sizeof *key);
    return n ? container_of(n, struct message, node) : NULL;
}

struct message *message_new(const struct message_key *key, size_t reader_count)
{
    if (reader_count > UINT16_MAX)
        return NULL;
    struct message *m = calloc(1, sizeof *m + reader_count * sizeof m->readers[0]);
    if (!m)
        return NULL;
    m->key = *key;
    m->reader_count = (uint16_t)reader_count;
    list_init(&m->link);
    for (size_t i = 0; i < reader_count; i++) {
        m->readers[i].index = (uint16_t)i;
        list_init(&m->readers[i].link);
    }
    return m;
}

void message_free(struct message *m)
{
    if (!m)
        return;
    body_unref(m->body);
    free(m);
}

struct message *message_of(struct reader *r)
{
    return container_of(r - r->index, struct message, readers);
}

struct reader *message_reader(struct message *m, const struct endpoint *e)
{
    for (size_t i = 0; i < m->reader_count; i++)
        if (m->readers[i].endpoint == e)
            return &m->readers[i];
    return NULL;
}

bool message_is_relay_made(const struct message *m) { return !m->sender; }

bool message_id_is_recent(const struct state *s, const struct id *id)
{
    return id_version(id) == 7 && id_v7_ms(id) >= s->low_water_ms;
}

/* ---- counters ---- */

static bool is_unfetched(const struct message *m)
{
    bool waits = false;
    if (message_is_relay_made(m))
        return false;
    for (size_t i = 0; i < m->reader_count; i++) {
        const struct reader *r = &m->readers[i];
        if (r->endpoint->organisation != m->to)
            continue;
        if (r->state == READER_FETCHED || r->state == READER_UNREADABLE)
            return false;
        waits |= r->state == READER_WAITING;
    }
    return waits;
}

static void recount(struct message *m)
{
    bool counts = is_unfetched(m);
    if (counts == m->is_counted)
        return;
    struct organisation *o = m->sender->organisation;
    if (counts) {
        o->unfetched_messages++;
        o->unfetched_bytes += m->body_bytes;
    } else {
        assert(o->unfetched_messages > 0 && o->unfetched_bytes >= m->body_bytes);
        o->unfetched_messages--;
        o->unfetched_bytes -= m->body_bytes;
    }
    m->is_counted = counts;
}

/* ---- what may leave memory ---- */

#define BUCKET_BITS 12 /* of the milliseconds in one: about four seconds */
#define BUCKET_MS (INT64_C(1) << BUCKET_BITS)
#define BUCKETS ((size_t)1 << 16) /* 74 hours: more than W lies back; older and newer ones share */
#define STEP_MAX 4096u            /* messages or buckets that one step may look at */

struct list *message_new_buckets(void) { return calloc(BUCKETS, sizeof(struct list)); }

static struct list *bucket_of(const struct state *s, int64_t ms)
{
    struct list *b = &s->known[(uint64_t)ms >> BUCKET_BITS & (BUCKETS - 1)];
    if (!b->next)
        list_init(b);
    return b;
}

static void file_idle(struct state *s, struct message *m)
{
    if (m->body)
        return;
    list_unlink(&m->link);
    if (m->waiting_count > 0)
        return;
    if (!s->is_loaded) /* where it belongs is judged when loading ends */
        list_append(&s->idle, &m->link);
    else if (message_id_is_recent(s, &m->key.id))
        list_append(bucket_of(s, id_v7_ms(&m->key.id)), &m->link);
    else if (m->touched_lsn <= s->folded_lsn)
        list_prepend(&s->idle, &m->link);
    else
        list_append(&s->idle, &m->link);
}

void message_touch(struct state *s, struct message *m, uint64_t lsn)
{
    m->touched_lsn = lsn;
    file_idle(s, m);
}

static void message_remove(struct state *s, struct message *m)
{
    assert(m->waiting_count == 0 && !m->is_counted && !m->body);
    list_unlink(&m->link);
    map_remove(&s->messages, &m->node);
    message_free(m);
}

/* One that is not folded yet holds up those behind it, which came later, for as long as the fold lags. */
void message_trim(struct state *s)
{
    unsigned left = STEP_MAX;
    list_for_each (l, next, &s->idle) {
        struct message *m = container_of(l, struct message, link);
        if (m->touched_lsn > s->folded_lsn || left-- == 0)
            break;
        message_remove(s, m);
    }
}

/* ---- W ---- */

static int64_t bucket_start(int64_t ms) { return ms & ~(BUCKET_MS - 1); }

/* Whether the bucket is through; false: the step is over. */
static bool sweep_bucket(struct state *s, unsigned *left)
{
    list_for_each (l, next, bucket_of(s, s->swept_ms)) {
        if (*left == 0)
            return false;
        (*left)--;
        struct message *m = container_of(l, struct message, link);
        if (!message_id_is_recent(s, &m->key.id)) /* else a newer one that shares the bucket */
            file_idle(s, m);
    }
    return true;
}

static void sweep(struct state *s)
{
    const int64_t span_ms = BUCKET_MS * (int64_t)BUCKETS;
    if (s->low_water_ms - s->swept_ms > span_ms)
        s->swept_ms = s->low_water_ms - span_ms; /* each bucket once is enough */
    unsigned left = STEP_MAX;
    while (s->swept_ms < s->low_water_ms && left > 0) {
        left--;
        if (!sweep_bucket(s, &left))
            return;
        s->swept_ms = bucket_start(s->swept_ms) + BUCKET_MS;
    }
}

/* Whether W shall rise by a bucket more: all that it gave free before has left, and that was not enough. */
static bool is_too_much_known(const struct state *s, int64_t now_ms, size_t known_max)
{
    return known_max > 0 && s->messages.count - s->unsettled > known_max &&
           s->swept_ms >= s->low_water_ms && list_is_empty(&s->idle) &&
           s->low_water_ms < bucket_start(now_ms);
}

void message_keep_known(struct state *s, int64_t now_ms, size_t known_max)
{
    int64_t by_time = bucket_start(now_ms - LIMIT_KNOWN_ID_MS);
    if (by_time > s->low_water_ms)
        s->low_water_ms = by_time;
    sweep(s);
    message_trim(s);
    for (unsigned left = STEP_MAX; left > 0 && is_too_much_known(s, now_ms, known_max); left--) {
        s->low_water_ms = bucket_start(s->low_water_ms) + BUCKET_MS;
        sweep(s);
        message_trim(s);
    }
}

/* ---- mailboxes ---- */

/* In place by its sequence; almost always the last. False, and it stands last, when its place is more
 * than so many steps away. */
static bool put_into_mailbox(struct reader *r, size_t steps_max)
{
    struct list *mailbox = &r->endpoint->mailbox, *before = mailbox->prev;
    for (; before != mailbox && container_of(before, struct reader, link)->sequence > r->sequence;
         before = before->prev)
        if (steps_max-- == 0) {
            list_append(mailbox, &r->link);
            return false;
        }
    list_insert_between(&r->link, before, before->next);
    return true;
}

static void take_out_of_mailbox(struct reader *r)
{
    if (r->endpoint->cursor == &r->link)
        r->endpoint->cursor = r->link.prev;
    list_unlink(&r->link);
}

static enum error insert(struct state *s, struct message *m, uint64_t hash)
{
    enum error e =
        map_insert_hashed(&s->messages, &m->node, hash, (const uint8_t *)&m->key, sizeof m->key);
    if (e)
        return e;
    for (size_t i = 0; i < m->reader_count; i++) {
        struct reader *r = &m->readers[i];
        if (r->endpoint->sequence < r->sequence)
            r->endpoint->sequence = r->sequence;
        if (r->state != READER_WAITING)
            continue;
        if (!put_into_mailbox(r, s->is_loaded ? SIZE_MAX : LOADING_STEPS_MAX))
            s->is_unsorted = true;
        m->waiting_count++;
        s->parked += r->is_parked;
        r->endpoint->waiting++;
        r->endpoint->parked += r->is_parked;
        r->endpoint->quarantined += m->is_quarantined;
    }
    s->waiting += m->waiting_count;
    if (m->waiting_count > 0) {
        s->unsettled++;
        s->waiting_bytes += m->body_bytes;
        s->quarantined += m->is_quarantined;
    }
    recount(m);
    file_idle(s, m);
    return ERROR_NONE;
}

static uint64_t hash_of(const struct state *s, const struct message *m)
{
    return map_hash(s->messages.seed, &m->key, sizeof m->key);
}

enum error message_insert(struct state *s, struct message *m)
{
    return insert(s, m, hash_of(s, m));
}

void message_settle(struct state *s, struct message *m, struct reader *r, enum reader_state to,
                    uint16_t code, int64_t at_ms)
{
    assert(r->state == READER_WAITING && to != READER_WAITING);
    take_out_of_mailbox(r);
    r->endpoint->waiting--;
    r->endpoint->quarantined -= m->is_quarantined;
    r->endpoint->parked -= r->is_parked;
    s->parked -= r->is_parked;
    r->is_parked = false;
    r->state = (uint8_t)to;
    r->code = code;
    r->settled_at_ms = at_ms;
    assert(m->waiting_count > 0 && s->waiting > 0);
    m->waiting_count--;
    s->waiting--;
    if (m->waiting_count == 0) {
        assert(s->waiting_bytes >= m->body_bytes && s->unsettled > 0);
        s->unsettled--;
        s->waiting_bytes -= m->body_bytes;
        s->quarantined -= m->is_quarantined;
        message_drop_body(s, m);
    }
    recount(m);
}

/* Copies that a session passed over, while the body was bad or they were parked, are offered again. */
static void move_cursor_before(struct reader *r)
{
    struct endpoint *e = r->endpoint;
    if (e->cursor != &e->mailbox &&
        container_of(e->cursor, struct reader, link)->sequence >= r->sequence)
        e->cursor = r->link.prev;
}

void message_set_quarantined(struct state *s, struct message *m, bool is_quarantined)
{
    if (m->is_quarantined == is_quarantined)
        return;
    m->is_quarantined = is_quarantined;
    if (m->waiting_count > 0)
        s->quarantined = is_quarantined ? s->quarantined + 1 : s->quarantined - 1;
    if (is_quarantined)
        message_drop_body(s, m);
    for (size_t i = 0; i < m->reader_count; i++) {
        struct reader *r = &m->readers[i];
        if (r->state != READER_WAITING)
            continue;
        if (is_quarantined) {
            r->endpoint->quarantined++;
        } else {
            r->endpoint->quarantined--;
            move_cursor_before(r);
        }
    }
}

/* ---- parking ---- */

void message_count_in_vain(struct reader *r, uint32_t sessions, int64_t at_ms)
{
    r->in_vain = (uint8_t)(sessions < UINT8_MAX ? sessions : UINT8_MAX);
    r->settled_at_ms = at_ms;
    if (r->attempts < r->in_vain)
        r->attempts = r->in_vain;
}

void message_park(struct state *s, struct reader *r)
{
    assert(r->state == READER_WAITING);
    if (r->is_parked)
        return;
    r->is_parked = r->was_parked = true;
    r->endpoint->parked++;
    s->parked++;
}

void message_release(struct state *s, struct reader *r)
{
    assert(r->state == READER_WAITING);
    if (!r->is_parked)
        return;
    r->is_parked = false;
    r->endpoint->parked--;
    s->parked--;
    message_count_in_vain(r, 0, 0);
    move_cursor_before(r);
}

struct reader *message_oldest(const struct endpoint *e)
{
    list_for_each (l, next, &e->mailbox) {
        struct reader *r = container_of(l, struct reader, link);
        if (!r->is_parked && !message_of(r)->is_quarantined)
            return r;
    }
    return NULL;
}

/* ---- bodies ---- */

void message_drop_body(struct state *s, struct message *m)
{
    if (!m->body)
        return;
    assert(s->cached_bytes >= m->body->len);
    s->cached_bytes -= m->body->len;
    body_unref(m->body);
    m->body = NULL;
    list_unlink(&m->link);
    file_idle(s, m);
}

void message_cache_body(struct state *s, struct message *m, struct body *b, size_t bytes_max)
{
    message_drop_body(s, m);
    if (m->waiting_count == 0 || m->is_quarantined)
        return;
    list_unlink(&m->link);
    m->body = body_ref(b);
    list_append(&s->cached, &m->link);
    s->cached_bytes += b->len;
    while (s->cached_bytes > bytes_max && s->cached.next != &m->link)
        message_drop_body(s, container_of(s->cached.next, struct message, link));
}

/* ---- loading ---- */

static enum error insert_ahead(struct state *s, struct message_ahead *a)
{
    struct message *m = a->message;
    a->message = NULL;
    if (!m)
        return ERROR_NONE;
    bool is_there = map_find_hashed(&s->messages, a->hash, &m->key, sizeof m->key) != NULL;
    enum error e = is_there ? ERROR_CORRUPT : insert(s, m, a->hash);
    if (e)
        message_free(m);
    return e;
}

enum error message_load(struct state *s, struct message **m)
{
    struct message_ahead *a = &s->ahead[s->ahead_at];
    enum error e = insert_ahead(s, a);
    *a = (struct message_ahead){*m, hash_of(s, *m)};
    *m = NULL;
    map_fetch_bucket(&s->messages, a->hash);
    s->ahead_at = (s->ahead_at + 1) % MESSAGES_AHEAD;
    a = &s->ahead[(s->ahead_at + MESSAGES_AHEAD / 2) % MESSAGES_AHEAD];
    if (a->message)
        map_fetch_chain(&s->messages, a->hash);
    return e;
}

enum error messages_load_rest(struct state *s)
{
    enum error e = ERROR_NONE;
    for (unsigned i = 0; !e && i < MESSAGES_AHEAD; i++)
        e = insert_ahead(s, &s->ahead[(s->ahead_at + i) % MESSAGES_AHEAD]);
    return e;
}

void messages_fini(struct state *s)
{
    for (struct map_node *n = map_next(&s->messages, NULL), *next; n; n = next) {
        next = map_next(&s->messages, n);
        message_free(container_of(n, struct message, node));
    }
    map_fini(&s->messages);
    for (unsigned i = 0; i < MESSAGES_AHEAD; i++)
        message_free(s->ahead[i].message); /* loading was broken off */
}
