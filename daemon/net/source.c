/*
 * daemon/net/source.c: handshakes by source address. Entries live while a handshake is in flight or a
 * failure is young; old failures are swept at each entering, so that the table stays as small as what
 * happened in the last SOURCE_PENALTY_MS. Later failures do not make earlier ones young: one client that
 * keeps failing does not close the door to all behind its address.
 */
#include "daemon/net/source.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 16
#define V6_PREFIX_BYTES 8

struct source {
    struct map_node by_address;
    struct list failed;
    uint8_t key[KEY_BYTES];
    unsigned in_flight;
    unsigned failures;    /* since failed_at_ms */
    int64_t failed_at_ms; /* the first of them */
};

void sources_init(struct sources *s, const uint64_t seed[2])
{
    map_init(&s->by_address, seed);
    list_init(&s->failed);
}

static void forget(struct sources *s, struct source *source)
{
    list_unlink(&source->failed);
    map_remove(&s->by_address, &source->by_address);
    free(source);
}

void sources_fini(struct sources *s)
{
    for (struct map_node *n = map_next(&s->by_address, NULL), *next; n; n = next) {
        next = map_next(&s->by_address, n);
        forget(s, container_of(n, struct source, by_address));
    }
    map_fini(&s->by_address);
}

static void key_of(const struct sockaddr *address, uint8_t key[KEY_BYTES])
{
    static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff};
    memset(key, 0, KEY_BYTES);
    if (address->sa_family == AF_INET) {
        memcpy(key, MAPPED, sizeof MAPPED);
        memcpy(key + sizeof MAPPED, &((const struct sockaddr_in *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        bool is_mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        memcpy(key, &v6->sin6_addr, is_mapped ? KEY_BYTES : V6_PREFIX_BYTES);
    }
}

static void sweep(struct sources *s, int64_t now_ms)
{
    list_for_each (e, next, &s->failed) {
        struct source *source = container_of(e, struct source, failed);
        if (now_ms - source->failed_at_ms < SOURCE_PENALTY_MS)
            return;
        source->failures = 0;
        list_unlink(&source->failed);
        if (source->in_flight == 0)
            forget(s, source);
    }
}

static struct source *source_new(struct sources *s, const uint8_t key[KEY_BYTES])
{
    struct source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    memcpy(source->key, key, KEY_BYTES);
    list_init(&source->failed);
    if (map_insert(&s->by_address, &source->by_address, source->key, KEY_BYTES)) {
        free(source);
        return NULL;
    }
    return source;
}

struct source *source_enter(struct sources *s, const struct sockaddr *address, unsigned max,
                            int64_t now_ms)
{
    uint8_t key[KEY_BYTES];
    sweep(s, now_ms);
    key_of(address, key);
    struct map_node *found = map_find(&s->by_address, key, KEY_BYTES);
    struct source *source =
        found ? container_of(found, struct source, by_address) : source_new(s, key);
    if (!source)
        return NULL;
    if (source->in_flight >= max || source->failures >= max - source->in_flight) {
        if (!found)
            forget(s, source);
        return NULL;
    }
    source->in_flight++;
    return source;
}

void source_leave(struct sources *s, struct source *source, bool has_failed, int64_t now_ms)
{
    assert(source->in_flight > 0);
    source->in_flight--;
    if (has_failed) {
        if (source->failures++ == 0) {
            source->failed_at_ms = now_ms;
            list_append(&s->failed, &source->failed);
        }
    } else if (source->in_flight == 0 && source->failures == 0) {
        forget(s, source);
    }
}
