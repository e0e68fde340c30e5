/*
 * base/map.c: chained buckets, doubled when there are more entries than half of them: among millions of
 * entries a look-up costs what it has to fetch from memory, so chains are kept short.
 *
 * The hash is SipHash-1-3 (Aumasson and Bernstein): keyed, so that a peer who chooses ids cannot make
 * them fall into one bucket. The full hash stays in the node, so growing hashes nothing again.
 */
#include "base/map.h"
#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 16

static inline uint64_t rotate(uint64_t v, unsigned bits) { return v << bits | v >> (64 - bits); }

static inline __attribute__((always_inline)) void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static inline uint64_t little_endian(const uint8_t *bytes, size_t len)
{
    uint64_t v = 0;
    if (len == sizeof v) { /* one load: this is what a look-up costs */
        memcpy(&v, bytes, sizeof v);
        return le64toh(v);
    }
    for (size_t i = 0; i < len; i++)
        v |= (uint64_t)bytes[i] << (8 * i);
    return v;
}

uint64_t map_hash(const uint64_t seed[2], const void *key, size_t key_len)
{
    const uint8_t *bytes = key;
    uint64_t v[4] = {
        seed[0] ^ 0x736f6d6570736575,
        seed[1] ^ 0x646f72616e646f6d,
        seed[0] ^ 0x6c7967656e657261,
        seed[1] ^ 0x7465646279746573,
    };
    size_t left = key_len;
    for (; left >= 8; bytes += 8, left -= 8) {
        uint64_t word = little_endian(bytes, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)key_len << 56 | little_endian(bytes, left);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static struct map_node **bucket_of(const struct map *m, uint64_t hash)
{
    return &m->buckets[hash & (m->bucket_count - 1)];
}

void map_init(struct map *m, const uint64_t seed[2])
{
    *m = (struct map){.seed = {seed[0], seed[1]}};
}

void map_fini(struct map *m)
{
    free(m->buckets);
    m->buckets = NULL;
    m->bucket_count = m->count = 0;
}

static struct map_node *find(const struct map *m, uint64_t hash, const void *key, size_t key_len)
{
    for (struct map_node *n = *bucket_of(m, hash); n; n = n->next)
        if (n->hash == hash && n->key_len == key_len && memcmp(n->key, key, key_len) == 0)
            return n;
    return NULL;
}

struct map_node *map_find_hashed(const struct map *m, uint64_t hash, const void *key,
                                 size_t key_len)
{
    return m->count == 0 ? NULL : find(m, hash, key, key_len);
}

struct map_node *map_find(const struct map *m, const void *key, size_t key_len)
{
    return m->count == 0 ? NULL : find(m, map_hash(m->seed, key, key_len), key, key_len);
}

void map_fetch_bucket(const struct map *m, uint64_t hash)
{
    if (m->bucket_count > 0)
        __builtin_prefetch(bucket_of(m, hash));
}

void map_fetch_chain(const struct map *m, uint64_t hash)
{
    if (m->bucket_count > 0)
        __builtin_prefetch(*bucket_of(m, hash)); /* of nothing: does nothing */
}

/* So many buckets; false, and nothing changed, without memory. */
static bool grow(struct map *m, size_t count)
{
    size_t old_count = m->bucket_count;
    struct map_node **old = m->buckets;
    struct map_node **buckets =
        count > old_count ? calloc(count, sizeof(struct map_node *)) : NULL; /* else it wrapped */
    if (!buckets)
        return false;
    m->buckets = buckets;
    m->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        for (struct map_node *n = old[i], *next; n; n = next) {
            struct map_node **bucket = bucket_of(m, n->hash);
            next = n->next;
            n->next = *bucket;
            *bucket = n;
        }
    }
    free(old);
    return true;
}

enum error map_insert_hashed(struct map *m, struct map_node *n, uint64_t hash, const void *key,
                             size_t key_len)
{
    size_t count = m->bucket_count ? m->bucket_count * 2 : BUCKETS_MIN;
    if (m->count >= m->bucket_count / 2 && !grow(m, count) && m->bucket_count == 0)
        return ERROR_NO_MEMORY;
    assert(!find(m, hash, key, key_len));
    struct map_node **bucket = bucket_of(m, hash);
    *n = (struct map_node){.next = *bucket, .hash = hash, .key = key, .key_len = key_len};
    *bucket = n;
    m->count++;
    return ERROR_NONE;
}

enum error map_insert(struct map *m, struct map_node *n, const void *key, size_t key_len)
{
    return map_insert_hashed(m, n, map_hash(m->seed, key, key_len), key, key_len);
}

void map_remove(struct map *m, struct map_node *n)
{
    assert(m->count > 0);
    struct map_node **link = bucket_of(m, n->hash);
    while (*link && *link != n)
        link = &(*link)->next;
    assert(*link == n);
    *link = n->next;
    n->next = NULL;
    m->count--;
}

struct map_node *map_next(const struct map *m, const struct map_node *n)
{
    if (n && n->next)
        return n->next;
    size_t i = n ? (size_t)(bucket_of(m, n->hash) - m->buckets) + 1 : 0;
    for (; i < m->bucket_count; i++)
        if (m->buckets[i])
            return m->buckets[i];
    return NULL;
}
