/*
 * base/buf.h: bytes with a length, and the only place that does arithmetic on lengths.
 *
 * A `struct slice` borrows bytes. A `struct buf` owns them and grows up to its bound; a failed append
 * changes nothing. Readers compare what is wanted with what remains and never add first.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const uint8_t *data; /* may be NULL only if len is 0 */
    size_t len;
};

#define SLICE_NONE ((struct slice){NULL, 0})
struct slice slice_of(const void *data, size_t len);
struct slice slice_text(const char *text); /* without the NUL */
bool slice_equal(struct slice a, struct slice b);
/* Compares in constant time for equal lengths. */
bool slice_equal_secret(struct slice a, struct slice b);

/* Takes from the front; false (and *s unchanged) if fewer bytes remain. Integers are big-endian. */
bool slice_take(struct slice *s, size_t len, struct slice *out) MUST_CHECK;
bool slice_take_u8(struct slice *s, uint8_t *out) MUST_CHECK;
bool slice_take_u32(struct slice *s, uint32_t *out) MUST_CHECK;
bool slice_take_u64(struct slice *s, uint64_t *out) MUST_CHECK;
/* Protobuf base-128 varint of at most 10 bytes, canonical or not, at most 64 bits. */
bool slice_take_varint(struct slice *s, uint64_t *out) MUST_CHECK;

struct buf {
    uint8_t *data;
    size_t len;
    size_t capacity;
    size_t len_max;
};

/* Embedded: init, then fini. len_max bounds all that is ever appended. */
void buf_init(struct buf *b, size_t len_max);
void buf_fini(struct buf *b);
void buf_fini_secret(struct buf *b); /* wipes before it frees */
void buf_clear(struct buf *b);       /* keeps the memory */
struct slice buf_slice(const struct buf *b);

/* ERROR_BOUND over len_max, ERROR_NO_MEMORY; on failure nothing changed. What is appended may not lie
 * inside b, whose memory moves. */
enum error buf_append(struct buf *b, const void *data, size_t len) MUST_CHECK;
enum error buf_append_slice(struct buf *b, struct slice s) MUST_CHECK;
enum error buf_append_u8(struct buf *b, uint8_t v) MUST_CHECK;
enum error buf_append_u32(struct buf *b, uint32_t v) MUST_CHECK;
enum error buf_append_u64(struct buf *b, uint64_t v) MUST_CHECK;
enum error buf_append_varint(struct buf *b, uint64_t v) MUST_CHECK;
/* Grows by len bytes and returns where they begin in *out (uninitialised). */
enum error buf_extend(struct buf *b, size_t len, uint8_t **out) MUST_CHECK;
/* Drops bytes from the front (memmove); len <= b->len is asserted. */
void buf_consume(struct buf *b, size_t len);

/* Appends a whole file, or nothing: more than what is left under len_max is ERROR_BOUND. Others:
 * ERROR_NOT_FOUND, ERROR_PERMISSION, ERROR_NO_MEMORY, ERROR_IO. */
enum error buf_read_file(struct buf *b, const char *path) MUST_CHECK;

#endif
