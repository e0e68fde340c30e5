/* tests/lib/der_edit.c: see der_edit.h. It trusts what it is given: well-formed DER of our own
 * making. */
#include "tests/lib/der_edit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX ((size_t)64 << 20)
#define CONSTRUCTED 0x20

static void need(bool ok)
{
    if (!ok)
        abort();
}

static void must(enum error e) { need(e == ERROR_NONE); }

/* Takes one element; *tag, *body. */
static struct slice take(struct slice *s, uint8_t *tag, struct slice *body)
{
    const uint8_t *begin = s->data;
    uint8_t octet = 0;
    size_t len;
    need(slice_take_u8(s, tag) && slice_take_u8(s, &octet));
    len = octet;
    if (octet & 0x80) {
        len = 0;
        for (unsigned i = 0, n = octet & 0x7f; i < n; i++) {
            need(slice_take_u8(s, &octet));
            len = len << 8 | octet;
        }
    }
    need(slice_take(s, len, body));
    return slice_of(begin, (size_t)(s->data - begin));
}

static void append_length(struct buf *out, size_t len, unsigned extra)
{
    uint8_t octets[8];
    unsigned n = 0;
    for (size_t rest = len; rest > 0; rest >>= 8)
        n++;
    if (len < 0x80 && !extra) {
        must(buf_append_u8(out, (uint8_t)len));
        return;
    }
    if (len >= 0x80 || extra == 0)
        n += extra;
    else
        n = n > 0 ? n : 1;
    for (unsigned i = 0; i < n; i++)
        octets[n - 1 - i] = (uint8_t)(len >> (8 * i));
    must(buf_append_u8(out, (uint8_t)(0x80 | n)));
    must(buf_append(out, octets, n));
}

void der_element(struct buf *out, uint8_t tag, struct slice contents)
{
    must(buf_append_u8(out, tag));
    append_length(out, contents.len, 0);
    must(buf_append_slice(out, contents));
}

static void change_element(struct buf *out, struct slice element, uint8_t tag, struct slice body,
                           enum der_change change, struct slice with)
{
    switch (change) {
    case DER_REPLACE:
        must(buf_append_slice(out, with));
        return;
    case DER_INSERT:
        must(buf_append_slice(out, with));
        must(buf_append_slice(out, element));
        return;
    case DER_APPEND:
        must(buf_append_slice(out, element));
        must(buf_append_slice(out, with));
        return;
    case DER_CONTENTS:
        der_element(out, tag, with);
        return;
    case DER_LONG_LENGTH:
        must(buf_append_u8(out, tag));
        append_length(out, body.len, 1);
        must(buf_append_slice(out, body));
        return;
    case DER_INDEFINITE:
        must(buf_append_u8(out, tag));
        must(buf_append_u8(out, 0x80));
        must(buf_append_slice(out, body));
        must(buf_append(out, "\0\0", 2));
        return;
    case DER_TAG:
        der_element(out, tag ^ with.data[0], body);
        return;
    }
}

static void edit(struct buf *out, struct slice *s, const char *path, enum der_change change,
                 struct slice with)
{
    struct slice body;
    struct buf inner;
    uint8_t tag;
    struct slice element = take(s, &tag, &body);
    if (*path == '\0') {
        change_element(out, element, tag, body, change, with);
        return;
    }
    char *end;
    unsigned long index = strtoul(path, &end, 10);
    buf_init(&inner, BYTES_MAX);
    for (unsigned long i = 0; i < index; i++) {
        struct slice ignored;
        uint8_t other;
        must(buf_append_slice(&inner, take(&body, &other, &ignored)));
    }
    edit(&inner, &body, *end == '.' ? end + 1 : end, change, with);
    must(buf_append_slice(&inner, body));
    der_element(out, tag, buf_slice(&inner));
    buf_fini(&inner);
}

void der_edit(struct slice der, const char *path, enum der_change change, struct slice with,
              struct buf *out)
{
    buf_init(out, BYTES_MAX);
    edit(out, &der, path, change, with);
    must(buf_append_slice(out, der));
}

struct slice der_at(struct slice der, const char *path)
{
    for (;;) {
        struct slice body, element;
        uint8_t tag;
        element = take(&der, &tag, &body);
        if (*path == '\0')
            return element;
        char *end;
        unsigned long index = strtoul(path, &end, 10);
        path = *end == '.' ? end + 1 : end;
        der = body;
        for (unsigned long i = 0; i < index; i++)
            (void)take(&der, &tag, &body); /* passed over */
    }
}

static void walk(struct slice *s, char *path, size_t len, void (*visit)(void *, const char *),
                 void *ctx)
{
    struct slice body;
    uint8_t tag;
    (void)take(s, &tag, &body); /* its parts are what counts */
    visit(ctx, path);
    if (!(tag & CONSTRUCTED))
        return;
    for (unsigned i = 0; body.len > 0; i++) {
        int n = snprintf(path + len, DER_PATH_BYTES - len, len ? ".%u" : "%u", i);
        walk(&body, path, len + (size_t)n, visit, ctx);
        path[len] = '\0';
    }
}

void der_walk(struct slice der, void (*visit)(void *ctx, const char *path), void *ctx)
{
    char path[DER_PATH_BYTES] = "";
    walk(&der, path, 0, visit, ctx);
}
