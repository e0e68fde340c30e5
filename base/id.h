/* base/id.h: 16-byte ids, written as UUIDs (RFC 9562). Pure: time and randomness come from the caller. */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/buf.h"
#include "base/digest.h"

#define ID_BYTES 16
#define ID_TEXT_BYTES 37 /* 36 characters and the NUL */

struct id {
    uint8_t bytes[ID_BYTES];
};

extern const struct id ID_NONE; /* all zero */

bool id_is_none(const struct id *id);
bool id_equal(const struct id *a, const struct id *b);
int id_compare(const struct id *a, const struct id *b); /* as memcmp */
/* ERROR_ID_MALFORMED unless exactly 16 bytes. */
enum error id_from_slice(struct id *out, struct slice s) MUST_CHECK;
struct slice id_slice(const struct id *id);
/* Lower-case UUID text; returns out. */
char *id_to_text(const struct id *id, char out[ID_TEXT_BYTES]);
/* Accepts 36 characters, either case. ERROR_ID_MALFORMED. */
enum error id_from_text(struct id *out, const char *text) MUST_CHECK;

/* The version nibble if the variant is RFC 9562's, else 0. */
unsigned id_version(const struct id *id);
struct id id_v7(int64_t unix_ms, const uint8_t random[10]);
struct id id_v4(const uint8_t random[16]);
/* Derived from a digest, so that the same cause always gives the same id. */
struct id id_v8(const struct digest *d);
/* Milliseconds since 1970 of a v7 id. */
int64_t id_v7_ms(const struct id *id);

/* A short code that a person can speak: "K7Q-4MX" (6 Crockford base32 digits of SHA-256(id)). */
#define ID_SPOKEN_BYTES 8
char *id_to_spoken(const struct id *id, char out[ID_SPOKEN_BYTES]);

#endif
