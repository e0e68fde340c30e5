/*
 * daemon/store/pack.c: the bodies of one commit group in one value.
 *
 * Layout, integers big-endian: u32 count; count times (u32 lsn - first_lsn, u32 offset, u32
 * length), in order of lsn, offsets from the end of this list; the bodies. To read one, the list
 * and then the body are fetched, never the whole. What a body says of itself is not checked here:
 * its digest is in its record.
 */
#include "daemon/store/inside.h"

#define COUNT_BYTES 4u
#define ENTRY_BYTES 12u
#define COUNT_MAX \
    (1u << 20) /* far above what a group can hold; guards the memory of a damaged one */

struct entry {
    uint32_t delta, offset, len;
};

static enum error append_entry(struct buf *out, const struct entry *n)
{
    enum error e = buf_append_u32(out, n->delta);
    if (e == ERROR_NONE)
        e = buf_append_u32(out, n->offset);
    return e == ERROR_NONE ? buf_append_u32(out, n->len) : e;
}

/* Indices of the bodies that go into the pack, in a run. */
static bool is_packed(const struct group_body *b)
{
    return !b->is_tags && b->body->len <= STORE_BODY_BYTES_PACKED_MAX;
}

static enum error append_list(struct buf *out, const struct group *g, uint32_t count)
{
    uint64_t offset = 0;
    enum error e = buf_append_u32(out, count);
    for (size_t i = 0; e == ERROR_NONE && i < g->body_count; i++) {
        const struct group_body *b = &g->bodies[i];
        if (!is_packed(b))
            continue;
        struct entry n = {(uint32_t)(b->lsn - g->first_lsn), (uint32_t)offset,
                          (uint32_t)b->body->len};
        e = append_entry(out, &n);
        offset += b->body->len;
        if (offset > UINT32_MAX)
            e = ERROR_BOUND;
    }
    return e;
}

enum error pack_build(struct buf *out, const struct group *g)
{
    uint32_t count = 0;
    buf_clear(out);
    for (size_t i = 0; i < g->body_count; i++)
        count += is_packed(&g->bodies[i]);
    if (count == 0)
        return ERROR_NONE;
    if (count > COUNT_MAX)
        return ERROR_BOUND;
    enum error e = append_list(out, g, count);
    for (size_t i = 0; e == ERROR_NONE && i < g->body_count; i++) {
        const struct body *b = g->bodies[i].body;
        if (is_packed(&g->bodies[i]))
            e = buf_append(out, b->bytes, b->len);
    }
    return e;
}

/* The entry with this distance in a list of them. */
static bool find_entry(struct slice list, uint64_t delta, struct entry *out)
{
    size_t low = 0, high = list.len / ENTRY_BYTES;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct slice at = slice_of(list.data + middle * ENTRY_BYTES, ENTRY_BYTES);
        struct entry n;
        if (!slice_take_u32(&at, &n.delta) || !slice_take_u32(&at, &n.offset) ||
            !slice_take_u32(&at, &n.len))
            return false;
        if (n.delta == delta) {
            *out = n;
            return true;
        }
        if (n.delta < delta)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Appends a part of the pack that is open. */
static enum error read_into(struct driver *d, size_t offset, size_t len, struct buf *out)
{
    uint8_t *at;
    size_t before = out->len;
    enum error e = buf_extend(out, len, &at);
    if (e != ERROR_NONE)
        return e;
    e = driver_part_read(d, offset, len, at);
    if (e != ERROR_NONE)
        out->len = before;
    return e;
}

/* The list of the pack that is open. */
static enum error read_list(struct driver *d, struct buf *list)
{
    uint32_t count;
    enum error e = read_into(d, 0, COUNT_BYTES, list);
    if (e != ERROR_NONE)
        return e;
    struct slice head = buf_slice(list);
    if (!slice_take_u32(&head, &count) || count > COUNT_MAX)
        return ERROR_CORRUPT;
    buf_clear(list);
    return read_into(d, COUNT_BYTES, (size_t)count * ENTRY_BYTES, list);
}

enum error pack_read(struct driver *d, uint64_t first_lsn, uint64_t lsn, struct buf *out)
{
    struct buf list;
    struct entry found;
    enum error e = driver_part_open(d, "pack", "bodies", first_lsn);
    if (e != ERROR_NONE)
        return e;
    buf_init(&list, COUNT_BYTES + (size_t)COUNT_MAX * ENTRY_BYTES);
    e = read_list(d, &list);
    if (e == ERROR_NONE && !find_entry(buf_slice(&list), lsn - first_lsn, &found))
        e = ERROR_NOT_FOUND;
    if (e == ERROR_NONE)
        e = read_into(d, COUNT_BYTES + list.len + found.offset, found.len, out);
    buf_fini(&list);
    driver_part_close(d);
    return e;
}
