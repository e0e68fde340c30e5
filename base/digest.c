/* base/digest.c: what can be said of digests without computing one; digest_of itself is pki's. */
#include "base/digest.h"
#include <assert.h>
#include <string.h>

#define LENGTH_BYTES 8

struct digest digest_of_slice(struct slice s) { return digest_of(&s, 1); }

struct digest digest_of_framed(const struct slice *parts, size_t n)
{
    uint8_t lengths[DIGEST_FRAMED_MAX][LENGTH_BYTES];
    struct slice framed[2 * DIGEST_FRAMED_MAX];
    assert(n <= DIGEST_FRAMED_MAX);
    for (size_t i = 0; i < n; i++) {
        uint64_t len = parts[i].len;
        for (size_t k = LENGTH_BYTES; k > 0; k--, len >>= 8)
            lengths[i][k - 1] = (uint8_t)len;
        framed[2 * i] = slice_of(lengths[i], LENGTH_BYTES);
        framed[2 * i + 1] = parts[i];
    }
    return digest_of(framed, 2 * n);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return memcmp(a->bytes, b->bytes, DIGEST_BYTES) == 0;
}

struct slice digest_slice(const struct digest *d) { return slice_of(d->bytes, DIGEST_BYTES); }

enum error digest_from_slice(struct digest *out, struct slice s)
{
    if (s.len != DIGEST_BYTES)
        return ERROR_BOUND;
    memcpy(out->bytes, s.data, DIGEST_BYTES);
    return ERROR_NONE;
}
