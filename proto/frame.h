/*
 * proto/frame.h: the varint-delimited form [P-8] [P-9], and decoding within a budget [P-11] [P-12].
 *
 * Happy path: frame_next() cuts one frame from received bytes; frame_decode() unpacks it into an arena
 * and checks every field (proto/check.h); the message lives until the arena is reset.
 * Failures: FRAME_TOO_LARGE, FRAME_MALFORMED, FRAME_TOO_COMPLEX, each final for the connection.
 * Unknown fields are dropped within the arena's budget and are never passed on.
 */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include "base/buf.h"
#include "proto/arena.h"
#include <protobuf-c/protobuf-c.h>

/*
 * Cuts the first frame of *in. On ERROR_NONE: *complete says whether a whole frame was there; if so
 * *frame borrows its payload and *in was advanced past it; if not, *in is unchanged and *wanted is
 * the number of bytes in all (prefix included) that the frame needs, or 0 while the prefix itself is incomplete.
 * ERROR_FRAME_TOO_LARGE as soon as the prefix shows it (also for a prefix that is not a varint of at
 * most 5 bytes or not minimal: ERROR_FRAME_MALFORMED). An empty frame is malformed.
 */
enum error frame_next(struct slice *in, size_t frame_bytes_max, struct slice *frame, bool *complete,
                      size_t *wanted) MUST_CHECK;

/* What decoding `len` bytes may cost: the budget to reset an arena with; for several messages their sum. */
size_t frame_budget(size_t len);

/*
 * Unpacks into the arena (reset by the caller beforehand) within frame_budget(bytes.len). Nothing of
 * the result points into `bytes`; it lives until arena_reset. One strict reading, so that no two
 * clients read the same bytes differently: a singular field that occurs twice, two members of one
 * oneof, a wrong wire type, a group, field number 0, a number that does not fit its type and a NUL in
 * a string are malformed; fields may come in any order. What the fields say is not checked here (see
 * proto/check.h). Unknown fields are skipped. ERROR_FRAME_MALFORMED, ERROR_FRAME_TOO_COMPLEX.
 */
enum error frame_decode(struct arena *a, const ProtobufCMessageDescriptor *type, struct slice bytes,
                        ProtobufCMessage **out) MUST_CHECK;
/* The same, but fields of type bytes point into `bytes`: for who is done with the message before these go. */
enum error frame_decode_borrowed(struct arena *a, const ProtobufCMessageDescriptor *type,
                                 struct slice bytes, ProtobufCMessage **out) MUST_CHECK;
/*
 * As frame_decode, but an unknown field at any depth is ERROR_FIELD_NOT_ALLOWED: for what the relay keeps and
 * passes on as exact bytes (headers, bindings), where nothing may hide that it cannot check [P-13].
 */
enum error frame_decode_known(struct arena *a, const ProtobufCMessageDescriptor *type,
                              struct slice bytes, ProtobufCMessage **out) MUST_CHECK;

/* Appends length and message. ERROR_BOUND, ERROR_NO_MEMORY. */
enum error frame_append(struct buf *out, const ProtobufCMessage *message) MUST_CHECK;
/* Appends the message without a length. */
enum error frame_append_bare(struct buf *out, const ProtobufCMessage *message) MUST_CHECK;

#endif
