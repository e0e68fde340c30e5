/*
 * base/map.h: an intrusive hash map from short byte keys to entries. The map never owns its entries;
 * a key lies inside its entry and must not change while it is in the map. Keys come from outside, so
 * hashing is keyed (SipHash-1-3 with the seed given at init).
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/buf.h"

struct map_node {
    struct map_node *next;
    uint64_t hash;
    const uint8_t *key;
    size_t key_len;
};

struct map {
    struct map_node **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t count;
    uint64_t seed[2];
};

void map_init(struct map *m, const uint64_t seed[2]);
void map_fini(struct map *m); /* frees the table; entries are the caller's */
struct map_node *map_find(const struct map *m, const void *key, size_t key_len);
/* The key must not be present (asserted). ERROR_NO_MEMORY only when the table cannot make its first
 * buckets; a failed growth only makes the map slower. */
enum error map_insert(struct map *m, struct map_node *n, const void *key, size_t key_len)
    MUST_CHECK;
void map_remove(struct map *m, struct map_node *n); /* must be present (asserted) */

/* Walks all entries in no particular order: NULL gives the first, the last gives NULL. To remove
 * entries on the way, fetch the successor of a node before removing it; insert none. */
struct map_node *map_next(const struct map *m, const struct map_node *n);

/*
 * Looking ahead: who knows keys before they are needed has their buckets fetched from memory first, and what lies
 * in them some keys later, so that looking for the key waits for nothing. `hash` is map_hash of the map's seed.
 */
uint64_t map_hash(const uint64_t seed[2], const void *key, size_t key_len);
void map_fetch_bucket(const struct map *m, uint64_t hash);
void map_fetch_chain(const struct map *m, uint64_t hash);
struct map_node *map_find_hashed(const struct map *m, uint64_t hash, const void *key,
                                 size_t key_len);
enum error map_insert_hashed(struct map *m, struct map_node *n, uint64_t hash, const void *key,
                             size_t key_len) MUST_CHECK;

#endif
