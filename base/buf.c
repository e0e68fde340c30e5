/*
 * base/buf.c: slices and growing buffers.
 *
 * Happy path: a buffer doubles its memory until it holds what is appended. Failures: over len_max, or
 * no memory; both leave the buffer as it was. Memory that a growing buffer leaves behind is wiped, so
 * that a secret lies only where buf_fini_secret finds it.
 *
 * Invariant: len <= capacity and len <= len_max.
 */
#include "base/buf.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAPACITY_BYTES_MIN 64
#define READ_BYTES 16384
#define VARINT_BYTES_MAX 10

struct slice slice_of(const void *data, size_t len)
{
    assert(data || len == 0);
    return (struct slice){data, len};
}

struct slice slice_text(const char *text) { return slice_of(text, strlen(text)); }

bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool slice_equal_secret(struct slice a, struct slice b)
{
    volatile uint8_t difference = 0;
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        difference = (uint8_t)(difference | (a.data[i] ^ b.data[i]));
    return difference == 0;
}

bool slice_take(struct slice *s, size_t len, struct slice *out)
{
    if (len > s->len)
        return false;
    *out = (struct slice){s->data, len};
    if (len > 0)
        s->data += len;
    s->len -= len;
    return true;
}

static bool take_number(struct slice *s, size_t len, uint64_t *out)
{
    struct slice bytes;
    uint64_t v = 0;
    if (!slice_take(s, len, &bytes))
        return false;
    for (size_t i = 0; i < len; i++)
        v = v << 8 | bytes.data[i];
    *out = v;
    return true;
}

bool slice_take_u8(struct slice *s, uint8_t *out)
{
    uint64_t v;
    if (!take_number(s, 1, &v))
        return false;
    *out = (uint8_t)v;
    return true;
}

bool slice_take_u32(struct slice *s, uint32_t *out)
{
    uint64_t v;
    if (!take_number(s, 4, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

bool slice_take_u64(struct slice *s, uint64_t *out) { return take_number(s, 8, out); }

bool slice_take_varint(struct slice *s, uint64_t *out)
{
    uint64_t v = 0;
    if (s->len > 0 && s->data[0] < 0x80) { /* nearly all keys and lengths */
        *out = *s->data++;
        s->len--;
        return true;
    }
    for (size_t i = 0; i < s->len && i < VARINT_BYTES_MAX; i++) {
        uint8_t byte = s->data[i];
        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            return false; /* a 65th bit, or an 11th byte */
        v |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            s->data += i + 1;
            s->len -= i + 1;
            *out = v;
            return true;
        }
    }
    return false;
}

void buf_init(struct buf *b, size_t len_max) { *b = (struct buf){.len_max = len_max}; }

void buf_fini(struct buf *b)
{
    free(b->data);
    buf_init(b, b->len_max);
}

void buf_fini_secret(struct buf *b)
{
    if (b->data)
        explicit_bzero(b->data, b->capacity);
    buf_fini(b);
}

void buf_clear(struct buf *b) { b->len = 0; }

struct slice buf_slice(const struct buf *b) { return (struct slice){b->data, b->len}; }

/* The next capacity that holds len_wanted <= len_max: doubled, and never over the bound. */
static size_t capacity_for(const struct buf *b, size_t len_wanted)
{
    size_t capacity = b->capacity > CAPACITY_BYTES_MIN ? b->capacity : CAPACITY_BYTES_MIN;
    while (capacity < len_wanted)
        capacity = capacity <= b->len_max / 2 ? capacity * 2 : b->len_max;
    return capacity < b->len_max ? capacity : b->len_max;
}

static enum error reserve(struct buf *b, size_t len)
{
    if (len > b->len_max - b->len)
        return ERROR_BOUND;
    if (len <= b->capacity - b->len)
        return ERROR_NONE;
    size_t capacity = capacity_for(b, b->len + len);
    uint8_t *data = malloc(capacity);
    if (!data)
        return ERROR_NO_MEMORY;
    if (b->data) {
        memcpy(data, b->data, b->len);
        explicit_bzero(b->data, b->capacity);
        free(b->data);
    }
    b->data = data;
    b->capacity = capacity;
    return ERROR_NONE;
}

enum error buf_extend(struct buf *b, size_t len, uint8_t **out)
{
    enum error e = reserve(b, len);
    if (e)
        return e;
    *out = b->data ? b->data + b->len : NULL;
    b->len += len;
    return ERROR_NONE;
}

enum error buf_append(struct buf *b, const void *data, size_t len)
{
    uint8_t *to;
    enum error e = buf_extend(b, len, &to);
    if (!e && len > 0)
        memcpy(to, data, len);
    return e;
}

enum error buf_append_slice(struct buf *b, struct slice s) { return buf_append(b, s.data, s.len); }

enum error buf_append_u8(struct buf *b, uint8_t v) { return buf_append(b, &v, 1); }

static enum error append_number(struct buf *b, uint64_t v, size_t len)
{
    uint8_t *to;
    enum error e = buf_extend(b, len, &to);
    if (e)
        return e;
    for (size_t i = len; i > 0; i--, v >>= 8)
        to[i - 1] = (uint8_t)v;
    return ERROR_NONE;
}

enum error buf_append_u32(struct buf *b, uint32_t v) { return append_number(b, v, 4); }

enum error buf_append_u64(struct buf *b, uint64_t v) { return append_number(b, v, 8); }

enum error buf_append_varint(struct buf *b, uint64_t v)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    size_t len = 0;
    for (; v > 0x7f; v >>= 7)
        bytes[len++] = (uint8_t)(v | 0x80);
    bytes[len++] = (uint8_t)v;
    return buf_append(b, bytes, len);
}

void buf_consume(struct buf *b, size_t len)
{
    assert(len <= b->len);
    b->len -= len;
    if (b->len > 0 && len > 0)
        memmove(b->data, b->data + len, b->len);
}

static enum error error_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
        return ERROR_NOT_FOUND;
    case EACCES:
    case EPERM:
        return ERROR_PERMISSION;
    case ENOMEM:
        return ERROR_NO_MEMORY;
    default:
        return ERROR_IO;
    }
}

/* Reads on until the end of the file. At the bound one more byte is asked for, to know whether the
 * file ended there. */
static enum error read_all(struct buf *b, int fd)
{
    for (;;) {
        size_t room = b->len_max - b->len;
        size_t wanted = room < READ_BYTES ? room : READ_BYTES;
        uint8_t beyond, *to = &beyond;
        if (wanted > 0) {
            enum error e = reserve(b, wanted);
            if (e)
                return e;
            to = b->data + b->len;
        }
        ssize_t got = read(fd, to, wanted > 0 ? wanted : 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_of_errno(errno);
        if (got == 0)
            return ERROR_NONE;
        if (wanted == 0)
            return ERROR_BOUND;
        b->len += (size_t)got;
    }
}

enum error buf_read_file(struct buf *b, const char *path)
{
    size_t len = b->len;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_of_errno(errno);
    enum error e = read_all(b, fd);
    if (e)
        b->len = len;
    (void)close(fd); /* only read from: nothing can be lost */
    return e;
}
