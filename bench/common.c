/* bench/common.c: see common.h. */
#include "bench/common.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define EXIT_CANNOT 2
#define WIRE_VARINT 0u
#define WIRE_BYTES 2u

_Noreturn void die(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)vfprintf(stderr, format, list);
    va_end(list);
    (void)fputc('\n', stderr);
    exit(EXIT_CANNOT);
}

void need(enum error e, const char *what)
{
    if (e)
        die("cannot %s: %s", what, error_name(e));
}

void *need_memory(size_t count, size_t size)
{
    void *p = calloc(count, size);
    if (!p)
        die("out of memory");
    return p;
}

uint64_t now_ns(void)
{
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

bool field_take(struct slice *from, struct field *out)
{
    uint64_t tag;
    if (!slice_take_varint(from, &tag) || !slice_take_varint(from, &out->value))
        return false;
    out->number = (uint32_t)(tag >> 3);
    out->bytes = SLICE_NONE;
    if ((tag & 7) == WIRE_BYTES)
        return out->value <= from->len && slice_take(from, (size_t)out->value, &out->bytes);
    return (tag & 7) == WIRE_VARINT;
}

struct slice field_find(struct slice message, uint32_t number)
{
    struct field f;
    while (field_take(&message, &f))
        if (f.number == number)
            return f.bytes;
    return SLICE_NONE;
}

struct id field_id(struct slice bytes)
{
    struct id id;
    need(id_from_slice(&id, bytes), "read an id");
    return id;
}

void put_field(struct buf *b, uint32_t number, uint64_t value)
{
    need(buf_append_varint(b, (uint64_t)number << 3 | WIRE_VARINT), "append");
    need(buf_append_varint(b, value), "append");
}

void put_head(struct buf *b, uint32_t number, size_t len)
{
    need(buf_append_varint(b, (uint64_t)number << 3 | WIRE_BYTES), "append");
    need(buf_append_varint(b, len), "append");
}

void put_bytes(struct buf *b, uint32_t number, struct slice bytes)
{
    put_head(b, number, bytes.len);
    need(buf_append_slice(b, bytes), "append");
}

size_t varint_len(uint64_t v)
{
    size_t n = 1;
    for (; v > 0x7f; v >>= 7)
        n++;
    return n;
}

void raise_file_limit(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l);
    }
}
