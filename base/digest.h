/* base/digest.h: SHA-256 as an interface; pki/digest.c provides it. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/buf.h"

#define DIGEST_BYTES 32

struct digest {
    uint8_t bytes[DIGEST_BYTES];
};

/* Over the concatenation of the parts. */
struct digest digest_of(const struct slice *parts, size_t n);
struct digest digest_of_slice(struct slice s);
/* Over the parts, each preceded by its length as 8 bytes big-endian, so that no two lists collide.
 * At most DIGEST_FRAMED_MAX parts (asserted): n is a number in our code, never a peer's. */
#define DIGEST_FRAMED_MAX 16
struct digest digest_of_framed(const struct slice *parts, size_t n);
bool digest_equal(const struct digest *a, const struct digest *b);
struct slice digest_slice(const struct digest *d);
/* ERROR_BOUND unless 32 bytes. */
enum error digest_from_slice(struct digest *out, struct slice s) MUST_CHECK;

#endif
