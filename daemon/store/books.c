/* daemon/store/books.c: see books.h. */
#include "daemon/store/books.h"
#include "brug/v1/record.pb-c.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD(name) BRUG__V1__RECORD_TYPE__RECORD_TYPE_##name

/* Unpacks `payload` as `type` into `name`, in the arena; returns when it cannot. */
#define UNPACK(b, payload, type, name) \
    name = brug__v1__##type##__unpack(arena_allocator((b)->arena), (payload).len, (payload).data); \
    if (name == NULL) \
    return arena_was_exceeded((b)->arena) ? ERROR_NO_MEMORY : ERROR_CORRUPT

void books_init(struct books *b, const uint64_t seed[2], struct arena *arena)
{
    *b = (struct books){.arena = arena};
    map_init(&b->readers, seed);
    map_init(&b->messages, seed);
    map_init(&b->copies, seed);
}

void books_fini(struct books *b)
{
    for (struct map_node *n = map_next(&b->readers, NULL), *next; n != NULL; n = next) {
        next = map_next(&b->readers, n);
        free(container_of(n, struct books_reader, node));
    }
    for (struct map_node *n = map_next(&b->messages, NULL), *next; n != NULL; n = next) {
        next = map_next(&b->messages, n);
        free(container_of(n, struct books_message, node));
    }
    for (struct map_node *n = map_next(&b->copies, NULL), *next; n != NULL; n = next) {
        next = map_next(&b->copies, n);
        free(container_of(n, struct books_copy, node));
    }
    map_fini(&b->readers);
    map_fini(&b->messages);
    map_fini(&b->copies);
}

void books_differ(struct books_reader *r, const char *format, ...)
{
    va_list args;
    if (r->figures.differences++ > 0)
        return;
    va_start(args, format);
    (void)vsnprintf(r->figures.problem, sizeof r->figures.problem, format, args); /* cut is fine */
    va_end(args);
}

/* ---- who and what ---- */

static enum error take_id(struct id *out, ProtobufCBinaryData b, bool may_be_empty)
{
    *out = ID_NONE;
    if (b.len == 0 && may_be_empty)
        return ERROR_NONE;
    return id_from_slice(out, slice_of(b.data, b.len)) == ERROR_NONE ? ERROR_NONE : ERROR_CORRUPT;
}

struct books_reader *books_reader(struct books *b, const struct id *endpoint)
{
    struct map_node *n = map_find(&b->readers, endpoint, sizeof *endpoint);
    if (n != NULL)
        return container_of(n, struct books_reader, node);
    struct books_reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return NULL;
    r->figures.endpoint = *endpoint;
    if (map_insert(&b->readers, &r->node, (const uint8_t *)&r->figures.endpoint,
                   sizeof r->figures.endpoint) != ERROR_NONE) {
        free(r);
        return NULL;
    }
    return r;
}

struct books_copy *books_find_copy(const struct books *b, const struct id *endpoint,
                                   uint64_t sequence)
{
    struct books_copy wanted = {.key = {*endpoint, sequence}};
    struct map_node *n = map_find(&b->copies, &wanted.key, sizeof wanted.key);
    return n == NULL ? NULL : container_of(n, struct books_copy, node);
}

static enum error find_message(const struct books *b, ProtobufCBinaryData message_id,
                               ProtobufCBinaryData organisation, struct id key[2],
                               struct books_message **out)
{
    enum error e = take_id(&key[0], message_id, false);
    if (e == ERROR_NONE)
        e = take_id(&key[1], organisation, true);
    if (e != ERROR_NONE)
        return e;
    struct map_node *n = map_find(&b->messages, key, 2 * sizeof *key);
    *out = n == NULL ? NULL : container_of(n, struct books_message, node);
    return ERROR_NONE;
}

static struct books_message *message_new(struct books *b, const struct id key[2])
{
    struct books_message *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->key[0] = key[0];
    m->key[1] = key[1];
    list_init(&m->copies);
    if (map_insert(&b->messages, &m->node, (const uint8_t *)m->key, sizeof m->key) != ERROR_NONE) {
        free(m);
        return NULL;
    }
    return m;
}

static void drop_message_if_settled(struct books *b, struct books_message *m)
{
    if (!list_is_empty(&m->copies))
        return;
    map_remove(&b->messages, &m->node);
    free(m);
}

/* ---- copies ---- */

static enum error open_copy(struct books *b, struct books_message *m,
                            const Brug__V1__ReaderSequence *s)
{
    struct id endpoint;
    enum error e = take_id(&endpoint, s->endpoint, false);
    if (e != ERROR_NONE)
        return e;
    struct books_reader *r = books_reader(b, &endpoint);
    struct books_copy *c = calloc(1, sizeof *c);
    if (r == NULL || c == NULL) {
        free(c);
        return ERROR_NO_MEMORY;
    }
    r->figures.accepted++;
    if (s->sequence <= r->sequence) {
        books_differ(r, "sequence %" PRIu64 " was given twice", s->sequence);
        free(c);
        return ERROR_NONE;
    }
    r->sequence = s->sequence;
    c->key.endpoint = endpoint;
    c->key.sequence = s->sequence;
    c->message = m;
    c->reader = r;
    c->is_seen = b->opens_seen;
    e = map_insert(&b->copies, &c->node, (const uint8_t *)&c->key, sizeof c->key);
    if (e != ERROR_NONE) {
        free(c);
        return e;
    }
    list_append(&m->copies, &c->link);
    r->figures.waiting++;
    return ERROR_NONE;
}

static void set_parked(struct books_copy *c, bool is_parked)
{
    if (c->is_parked != is_parked)
        c->reader->figures.parked += is_parked ? 1 : UINT64_MAX;
    c->is_parked = is_parked;
}

static void close_copy(struct books *b, struct books_copy *c)
{
    struct books_message *m = c->message;
    set_parked(c, false);
    if (m->is_quarantined)
        c->reader->figures.quarantined--;
    else
        c->reader->figures.waiting--;
    list_unlink(&c->link);
    map_remove(&b->copies, &c->node);
    free(c);
    drop_message_if_settled(b, m);
}

/* The open copy that a record names; NULL: there is none, which is a difference. */
static enum error named_copy(struct books *b, ProtobufCBinaryData endpoint, uint64_t sequence,
                             const char *what, struct books_copy **out)
{
    struct id id;
    enum error e = take_id(&id, endpoint, false);
    if (e != ERROR_NONE)
        return e;
    *out = books_find_copy(b, &id, sequence);
    if (*out != NULL)
        return ERROR_NONE;
    struct books_reader *r = books_reader(b, &id);
    if (r == NULL)
        return ERROR_NO_MEMORY;
    books_differ(r, "the copy with sequence %" PRIu64 " was %s, and it did not wait", sequence,
                 what);
    return ERROR_NONE;
}

/* ---- records ---- */

static enum error take_accepted(struct books *b, struct slice payload)
{
    Brug__V1__Accepted *a;
    struct books_message *m;
    struct id key[2];
    UNPACK(b, payload, accepted, a);
    enum error e = find_message(b, a->message_id, a->organisation, key, &m);
    if (e != ERROR_NONE || a->n_readers == 0)
        return e;
    if (m == NULL)
        m = message_new(b, key);
    if (m == NULL)
        return ERROR_NO_MEMORY;
    for (size_t i = 0; e == ERROR_NONE && i < a->n_readers; i++)
        e = open_copy(b, m, a->readers[i]);
    drop_message_if_settled(b, m);
    return e;
}

static enum error take_acknowledged(struct books *b, struct slice payload)
{
    Brug__V1__Acknowledged *a;
    struct books_copy *c;
    UNPACK(b, payload, acknowledged, a);
    enum error e = named_copy(b, a->endpoint, a->sequence, "acknowledged", &c);
    if (e != ERROR_NONE || c == NULL)
        return e;
    c->reader->figures.acknowledged++;
    close_copy(b, c);
    return ERROR_NONE;
}

static enum error take_cancelled(struct books *b, struct slice payload)
{
    Brug__V1__Cancelled *r;
    struct books_copy *c;
    UNPACK(b, payload, cancelled, r);
    enum error e = named_copy(b, r->endpoint, r->sequence, "cancelled", &c);
    if (e != ERROR_NONE || c == NULL)
        return e;
    c->reader->figures.cancelled++;
    close_copy(b, c);
    return ERROR_NONE;
}

static enum error take_parked(struct books *b, struct slice payload)
{
    Brug__V1__Parked *p;
    struct books_copy *c;
    UNPACK(b, payload, parked, p);
    enum error e = named_copy(b, p->endpoint, p->sequence, "parked", &c);
    if (e == ERROR_NONE && c != NULL)
        set_parked(c, true);
    return e;
}

static enum error take_released(struct books *b, struct slice payload)
{
    Brug__V1__Released *r;
    struct books_copy *c;
    UNPACK(b, payload, released, r);
    enum error e = named_copy(b, r->endpoint, r->sequence, "released", &c);
    if (e == ERROR_NONE && c != NULL)
        set_parked(c, false);
    return e;
}

/* Nobody may have been waiting for it any more. */
static void set_quarantined(struct books_message *m, bool is_quarantined)
{
    if (m == NULL || m->is_quarantined == is_quarantined)
        return;
    m->is_quarantined = is_quarantined;
    list_for_each (l, next, &m->copies) {
        struct account_reader *f = &container_of(l, struct books_copy, link)->reader->figures;
        f->quarantined += is_quarantined ? 1 : UINT64_MAX;
        f->waiting += is_quarantined ? UINT64_MAX : 1;
    }
}

static enum error take_quarantined(struct books *b, struct slice payload)
{
    Brug__V1__Quarantined *q;
    struct books_message *m;
    struct id key[2];
    UNPACK(b, payload, quarantined, q);
    enum error e = find_message(b, q->message_id, q->organisation, key, &m);
    if (e == ERROR_NONE)
        set_quarantined(m, true);
    return e;
}

static enum error take_healed(struct books *b, struct slice payload)
{
    Brug__V1__Healed *h;
    struct books_message *m;
    struct id key[2];
    UNPACK(b, payload, healed, h);
    enum error e = find_message(b, h->message_id, h->organisation, key, &m);
    if (e == ERROR_NONE)
        set_quarantined(m, false);
    return e;
}

enum error books_take(struct books *b, unsigned type, struct slice payload)
{
    switch (type) {
    case RECORD(ACCEPTED):
        return take_accepted(b, payload);
    case RECORD(ACKNOWLEDGED):
        return take_acknowledged(b, payload);
    case RECORD(CANCELLED):
        return take_cancelled(b, payload);
    case RECORD(PARKED):
        return take_parked(b, payload);
    case RECORD(RELEASED):
        return take_released(b, payload);
    case RECORD(QUARANTINED):
        return take_quarantined(b, payload);
    case RECORD(HEALED):
        return take_healed(b, payload);
    default:
        return ERROR_NONE;
    }
}
