/*
 * daemon/core/group.c: packs the records and bodies of one commit group, and cuts packed records.
 *
 * Failures: no memory (the group is then as it was before), and records that are cut short (CORRUPT).
 */
#include "daemon/core/group.h"
#include <assert.h>
#include <stdlib.h>

#define RECORDS_BYTES_MAX (SIZE_MAX / 4)
#define RECORDS_BYTES_FIRST (16u << 10)
#define BODIES_FIRST 64u

struct group *group_new(uint64_t first_lsn)
{
    struct group *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->first_lsn = first_lsn;
    buf_init(&g->records, RECORDS_BYTES_MAX);
    uint8_t *unused;
    if (buf_extend(&g->records, RECORDS_BYTES_FIRST, &unused)) {
        free(g);
        return NULL;
    }
    buf_clear(&g->records);
    return g;
}

void group_free(struct group *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->body_count; i++)
        body_unref(g->bodies[i].body);
    free(g->bodies);
    buf_fini(&g->records);
    free(g);
}

enum error group_append(struct group *g, unsigned type, struct slice payload)
{
    size_t len_before = g->records.len;
    enum error e = buf_append_varint(&g->records, type);
    if (!e)
        e = buf_append_varint(&g->records, payload.len);
    if (!e)
        e = buf_append_slice(&g->records, payload);
    if (e) {
        g->records.len = len_before;
        return e;
    }
    assert(g->count < UINT32_MAX);
    g->count++;
    return ERROR_NONE;
}

static enum error append_body(struct group *g, uint64_t lsn, struct body *b, bool is_tags)
{
    assert(lsn >= g->first_lsn);
    if (g->body_count == g->body_capacity) {
        size_t capacity = g->body_capacity ? 2 * g->body_capacity : BODIES_FIRST;
        struct group_body *bodies = reallocarray(g->bodies, capacity, sizeof *bodies);
        if (!bodies)
            return ERROR_NO_MEMORY;
        g->bodies = bodies;
        g->body_capacity = capacity;
    }
    g->bodies[g->body_count++] = (struct group_body){lsn, body_ref(b), is_tags};
    g->body_bytes += b->len;
    return ERROR_NONE;
}

enum error group_append_body(struct group *g, uint64_t lsn, struct body *b)
{
    return append_body(g, lsn, b, false);
}

enum error group_append_tags(struct group *g, uint64_t lsn, struct body *b)
{
    return append_body(g, lsn, b, true);
}

enum error group_next_record(struct slice *records, unsigned *type, struct slice *payload)
{
    struct slice rest = *records;
    uint64_t number, len;
    if (!slice_take_varint(&rest, &number) || number > UINT32_MAX ||
        !slice_take_varint(&rest, &len) || len > rest.len ||
        !slice_take(&rest, (size_t)len, payload))
        return ERROR_CORRUPT;
    *type = (unsigned)number;
    *records = rest;
    return ERROR_NONE;
}
