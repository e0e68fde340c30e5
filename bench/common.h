/*
 * bench/common.h: what the load generator and the floor share: the end of a program that cannot go on,
 * a clock, and protobuf read where it lies. Nothing here is fit for input from a stranger's peer.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include "base/buf.h"
#include "base/id.h"

#define BYTES_MAX (256u << 20) /* of any buffer of a benchmark */

/* One line on stderr, then exit 2: the benchmark could not be made. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Dies of anything but ERROR_NONE; `what` completes "cannot ...". */
void need(enum error e, const char *what);
void *need_memory(size_t count, size_t size); /* zeroed */

uint64_t now_ns(void); /* CLOCK_MONOTONIC, which Python's time.monotonic() also tells */

/* One field of a serialised message: a varint in `value`, or bytes. */
struct field {
    uint32_t number;
    uint64_t value;
    struct slice bytes;
};
/* Takes the next field; false at the end, and when the rest is no field of these two types. */
bool field_take(struct slice *from, struct field *out);
/* The bytes of a message's first field of this number; none if it has none. */
struct slice field_find(struct slice message, uint32_t number);
struct id field_id(struct slice bytes); /* dies unless 16 bytes */

void put_field(struct buf *b, uint32_t number, uint64_t value);
void put_bytes(struct buf *b, uint32_t number, struct slice bytes);
void put_head(struct buf *b, uint32_t number, size_t len); /* of bytes that the caller appends */
size_t varint_len(uint64_t v);
void raise_file_limit(void); /* as far as is allowed */

#endif
