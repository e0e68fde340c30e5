/*
 * daemon/core/body.h: one message body: the exact bytes of a serialised brug.v1.Envelope with the
 * digest that its record carries. The only reference-counted object; counted on the network thread only
 * (the storage thread borrows it between commit and relay_on_durable).
 */
#ifndef DAEMON_CORE_BODY_H
#define DAEMON_CORE_BODY_H

#include "base/digest.h"

struct body {
    uint32_t references;
    struct digest digest; /* over length-framed header, an empty part, sealed [P-51] */
    size_t len;
    uint8_t bytes[];
};

/* Serialises header and sealed canonically as an Envelope and digests them. NULL when out of memory. */
struct body *body_new(struct slice header, struct slice sealed);
/* What a record brings that is no message: these bytes. */
struct body *body_plain(struct slice bytes);
/* From stored bytes: parses the Envelope and digests it again; ERROR_CORRUPT when it is not canonical. */
enum error body_from_stored(struct body **out, struct slice bytes) MUST_CHECK;
struct body *body_ref(struct body *b);
void body_unref(struct body *b); /* accepts NULL */
/* The two parts, borrowed. */
void body_parts(const struct body *b, struct slice *header, struct slice *sealed);

#endif
