/* tests/lib/sample.h: valid messages to start a test from, and raw protobuf fields to spoil them with. */
#ifndef TESTS_LIB_SAMPLE_H
#define TESTS_LIB_SAMPLE_H

#include "base/buf.h"
#include "base/id.h"
#include "brug/v1/wire.pb-c.h"

/* An id of the given UUID version in which `number` can be found again; ids ascend with their numbers. */
struct id sample_id(unsigned version, uint32_t number);

/* A header of `kind` with what it needs, and what it points to; embedded, no memory of its own. */
#define SAMPLE_READERS 3
struct sample_header {
    Brug__V1__Header header;
    Brug__V1__Sender from;
    Brug__V1__Moment moment;
    Brug__V1__Moment *moments[1];
    struct id ids[16];
    ProtobufCBinaryData readers[SAMPLE_READERS];
    ProtobufCBinaryData copies[2];
};
void sample_header_init(struct sample_header *s, Brug__V1__Kind kind);
ProtobufCBinaryData sample_bytes(const struct id *id);

/* One field with a length, or with a varint, appended; a failure ends the test program. */
void sample_put_bytes(struct buf *b, unsigned field, const void *data, size_t len);
void sample_put_number(struct buf *b, unsigned field, uint64_t v);
/* The message serialised, or as a frame. */
void sample_put(struct buf *b, const void *message);
void sample_put_frame(struct buf *b, const void *message);

#endif
