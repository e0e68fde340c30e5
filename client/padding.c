/*
 * client/padding.c: buckets; see padding.h.
 *
 * Happy path: the first bucket whose gap a field can fill. The field costs its number (one byte),
 * its length as a varint and its bytes, so that a few gaps have no field that fills them: then the
 * next bucket is taken. Failure: nothing up to LIMIT_CONTENT_BYTES fits. Invariant: lengths are
 * compared with LIMIT_CONTENT_BYTES before they are added to.
 */
#include "client/padding.h"
#include "proto/limits.h"
#include <assert.h>

#define SMALLEST_BYTES 1024u
#define HALF_STEPS_BYTES_MAX (64u << 10)
#define FIELD_NUMBER_BYTES 1u
#define VARINT_BYTES_MAX 4u

size_t padding_bucket(size_t len)
{
    assert(len <= LIMIT_CONTENT_BYTES);
    if (len <= SMALLEST_BYTES)
        return SMALLEST_BYTES;
    size_t power = SMALLEST_BYTES; /* power < len <= 2 * power */
    while (2 * power < len)
        power *= 2;
    size_t step = power < HALF_STEPS_BYTES_MAX ? power / 2 : power / 8;
    return (len + step - 1) / step * step;
}

bool padding_is_bucket(size_t len)
{
    return len > 0 && len <= LIMIT_CONTENT_BYTES && padding_bucket(len) == len;
}

static size_t varint_bytes(size_t value)
{
    size_t n = 1;
    for (; value > 0x7f; value >>= 7)
        n++;
    return n;
}

static bool field_fills(size_t gap, size_t *padding)
{
    for (size_t n = 1; n <= VARINT_BYTES_MAX; n++) {
        if (gap <= FIELD_NUMBER_BYTES + n)
            return false;
        *padding = gap - FIELD_NUMBER_BYTES - n;
        if (varint_bytes(*padding) == n)
            return true;
    }
    return false;
}

enum error padding_needed(size_t len, size_t *padding)
{
    size_t found = 0;
    for (size_t wanted = len; wanted <= LIMIT_CONTENT_BYTES;) {
        size_t bucket = padding_bucket(wanted);
        if (bucket == len || field_fills(bucket - len, &found)) {
            *padding = found;
            return ERROR_NONE;
        }
        wanted = bucket + 1;
    }
    return ERROR_MESSAGE_TOO_LARGE;
}
