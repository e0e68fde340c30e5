/*
 * daemon/core/body.c: a message body as it is stored: one canonical Envelope (fields in order, absent
 * when empty, shortest lengths), so that the same three parts always give the same bytes.
 *
 * Failures: no memory; from the store, bytes that are no canonical Envelope (CORRUPT).
 */
#include "daemon/core/body.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PARTS 2u

/* The first byte of each part: its field's number, length-delimited. */
static const uint8_t KEYS[PARTS] = {1 << 3 | 2, 3 << 3 | 2};

static size_t varint_len(uint64_t v)
{
    size_t len = 1;
    for (; v > 0x7f; v >>= 7)
        len++;
    return len;
}

static uint8_t *put_part(uint8_t *to, unsigned part, struct slice s)
{
    if (s.len == 0)
        return to;
    *to++ = KEYS[part];
    uint64_t v = s.len;
    for (; v > 0x7f; v >>= 7)
        *to++ = (uint8_t)(v | 0x80);
    *to++ = (uint8_t)v;
    memcpy(to, s.data, s.len);
    return to + s.len;
}

static struct body *body_alloc(size_t len)
{
    if (len > SIZE_MAX - sizeof(struct body))
        return NULL;
    struct body *b = malloc(sizeof *b + len);
    if (!b)
        return NULL;
    b->references = 1;
    b->len = len;
    return b;
}

/* Envelopes once had a part between the two; digests that are stored count it, empty. */
static struct digest digest_parts(const struct slice parts[PARTS])
{
    const struct slice framed[] = {parts[0], SLICE_NONE, parts[1]};
    return digest_of_framed(framed, 3);
}

struct body *body_new(struct slice header, struct slice sealed)
{
    const struct slice parts[PARTS] = {header, sealed};
    size_t len = 0;
    for (unsigned i = 0; i < PARTS; i++) {
        size_t framed = parts[i].len ? 1 + varint_len(parts[i].len) : 0;
        if (parts[i].len > (SIZE_MAX >> 2) - framed) /* both of them cannot wrap */
            return NULL;
        len += framed + parts[i].len;
    }
    struct body *b = body_alloc(len);
    if (!b)
        return NULL;
    uint8_t *to = b->bytes;
    for (unsigned i = 0; i < PARTS; i++)
        to = put_part(to, i, parts[i]);
    assert(to == b->bytes + len);
    b->digest = digest_parts(parts);
    return b;
}

struct body *body_plain(struct slice bytes)
{
    struct body *b = body_alloc(bytes.len);
    if (!b)
        return NULL;
    if (bytes.len > 0)
        memcpy(b->bytes, bytes.data, bytes.len);
    b->digest = digest_of_slice(bytes);
    return b;
}

/* Cuts canonical bytes into the parts; false for anything else. */
static bool cut(struct slice rest, struct slice parts[PARTS])
{
    unsigned next = 0;
    for (unsigned i = 0; i < PARTS; i++)
        parts[i] = SLICE_NONE;
    while (rest.len > 0) {
        uint8_t key;
        uint64_t len;
        if (!slice_take_u8(&rest, &key))
            return false;
        while (next < PARTS && KEYS[next] != key)
            next++;
        size_t before = rest.len;
        if (next == PARTS || !slice_take_varint(&rest, &len) || len == 0 || len > rest.len ||
            before - rest.len != varint_len(len) || !slice_take(&rest, (size_t)len, &parts[next]))
            return false;
        next++;
    }
    return true;
}

enum error body_from_stored(struct body **out, struct slice bytes)
{
    struct slice parts[PARTS];
    if (!cut(bytes, parts))
        return ERROR_CORRUPT;
    struct body *b = body_plain(bytes);
    if (!b)
        return ERROR_NO_MEMORY;
    b->digest = digest_parts(parts);
    *out = b;
    return ERROR_NONE;
}

struct body *body_ref(struct body *b)
{
    assert(b->references > 0 && b->references < UINT32_MAX);
    b->references++;
    return b;
}

void body_unref(struct body *b)
{
    if (!b)
        return;
    assert(b->references > 0);
    if (--b->references == 0)
        free(b);
}

void body_parts(const struct body *b, struct slice *header, struct slice *sealed)
{
    struct slice parts[PARTS];
    bool is_canonical = cut(slice_of(b->bytes, b->len), parts);
    assert(is_canonical); /* both ways to make a message's body see to it */
    (void)is_canonical;
    *header = parts[0];
    *sealed = parts[1];
}
