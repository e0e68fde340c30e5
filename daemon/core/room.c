/* daemon/core/room.c: queues by key. A key lives while somebody stands in its queue. */
#include "daemon/core/room.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MESSAGE = 1, KEY_CASE = 2 };

struct key_bytes {
    uint8_t type;
    struct id first, second;
};

struct room_key {
    struct map_node node;
    struct key_bytes bytes;
    struct list queue;
};

void room_init(struct room *room, const uint64_t seed[2])
{
    *room = (struct room){0};
    map_init(&room->keys, seed);
    list_init(&room->runnable);
}

/* The keys that a command holds. */
static size_t keys_of(const struct message_key *key, const struct id *case_id,
                      struct key_bytes out[ROOM_KEYS])
{
    size_t n = 0;
    if (!id_is_none(&key->id))
        out[n++] = (struct key_bytes){KEY_MESSAGE, key->organisation, key->id};
    if (!id_is_none(case_id))
        out[n++] = (struct key_bytes){KEY_CASE, *case_id, ID_NONE};
    return n;
}

static struct room_key *find(const struct room *room, const struct key_bytes *bytes)
{
    struct map_node *n = map_find(&room->keys, bytes, sizeof *bytes);
    return n ? container_of(n, struct room_key, node) : NULL;
}

bool room_is_taken(const struct room *room, const struct command *c)
{
    struct key_bytes keys[ROOM_KEYS];
    if (room->count == 0)
        return false;
    size_t n = keys_of(&c->key, &c->case_id, keys);
    for (size_t i = 0; i < n; i++)
        if (find(room, &keys[i]))
            return true;
    return false;
}

static struct room_key *find_or_make(struct room *room, const struct key_bytes *bytes)
{
    struct room_key *k = find(room, bytes);
    if (k)
        return k;
    k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->bytes = *bytes;
    list_init(&k->queue);
    if (map_insert(&room->keys, &k->node, (const uint8_t *)&k->bytes, sizeof k->bytes)) {
        free(k);
        return NULL;
    }
    return k;
}

static void drop_if_empty(struct room *room, struct room_key *k)
{
    if (!list_is_empty(&k->queue))
        return;
    map_remove(&room->keys, &k->node);
    free(k);
}

static bool is_at_head(const struct waiter *w)
{
    for (size_t i = 0; i < ROOM_KEYS; i++)
        if (w->places[i].key && list_first(&w->places[i].key->queue) != &w->places[i].link)
            return false;
    return true;
}

static void leave_queues(struct room *room, struct waiter *w)
{
    for (size_t i = 0; i < ROOM_KEYS; i++) {
        struct room_key *k = w->places[i].key;
        if (!k)
            continue;
        list_unlink(&w->places[i].link);
        w->places[i].key = NULL;
        drop_if_empty(room, k);
    }
}

struct waiter *room_enter(struct room *room, const struct command *c, uint64_t request,
                          struct slice frame, size_t cost_bytes)
{
    struct key_bytes keys[ROOM_KEYS];
    size_t n = keys_of(&c->key, &c->case_id, keys);
    if (frame.len > SIZE_MAX - sizeof(struct waiter))
        return NULL;
    struct waiter *w = calloc(1, sizeof *w + frame.len);
    if (!w)
        return NULL;
    w->session = c->session;
    w->request = request;
    w->endpoint = c->endpoint;
    w->key = c->key;
    w->cost_bytes = cost_bytes;
    w->len = frame.len;
    memcpy(w->frame, frame.data, frame.len);
    list_init(&w->runnable);
    for (size_t i = 0; i < n; i++) {
        struct room_key *k = find_or_make(room, &keys[i]);
        if (!k) {
            leave_queues(room, w);
            free(w);
            return NULL;
        }
        w->places[i] = (struct waiter_place){.key = k, .waiter = w};
        list_append(&k->queue, &w->places[i].link);
    }
    room->count++;
    return w;
}

struct waiter *room_find_loading(const struct room *room, const struct message_key *key)
{
    const struct key_bytes bytes = {KEY_MESSAGE, key->organisation, key->id};
    struct room_key *k = find(room, &bytes);
    if (!k)
        return NULL;
    struct waiter *w = container_of(list_first(&k->queue), struct waiter_place, link)->waiter;
    return w->is_loading ? w : NULL;
}

void room_wake(struct room *room, struct waiter *w)
{
    list_unlink(&w->runnable);
    list_append(&room->runnable, &w->runnable);
}

void room_leave(struct room *room, struct waiter *w)
{
    struct waiter *heads[ROOM_KEYS] = {NULL};
    for (size_t i = 0; i < ROOM_KEYS; i++) {
        struct room_key *k = w->places[i].key;
        if (!k)
            continue;
        assert(list_first(&k->queue) == &w->places[i].link);
        struct list *next = w->places[i].link.next;
        if (next != &k->queue)
            heads[i] = container_of(next, struct waiter_place, link)->waiter;
    }
    leave_queues(room, w);
    list_unlink(&w->runnable);
    room->count--;
    free(w);
    for (size_t i = 0; i < ROOM_KEYS; i++)
        if (heads[i] && is_at_head(heads[i]))
            room_wake(room, heads[i]);
}

struct waiter *room_next(struct room *room)
{
    struct list *first = list_first(&room->runnable);
    if (!first)
        return NULL;
    list_unlink(first);
    return container_of(first, struct waiter, runnable);
}

void room_fini(struct room *room)
{
    for (struct map_node *n; (n = map_next(&room->keys, NULL));) {
        struct room_key *k = container_of(n, struct room_key, node);
        struct waiter *w = container_of(list_first(&k->queue), struct waiter_place, link)->waiter;
        leave_queues(room, w);
        list_unlink(&w->runnable);
        free(w);
    }
    map_fini(&room->keys);
    list_init(&room->runnable);
    room->count = 0;
}
