/*
 * daemon/core/group.h: what is committed at once (I1): the records of one commit group, packed as they
 * go into one journal row, with the bodies that they brought.
 *
 * A record on disk is: type (varint), payload length (varint), payload (the protobuf message of that type).
 * Records are numbered: the i-th of a group has lsn first_lsn + i. A row's hash is
 * SHA-256(previous row's hash ‖ first_lsn ‖ count ‖ records), integers as 8 bytes big-endian.
 */
#ifndef DAEMON_CORE_GROUP_H
#define DAEMON_CORE_GROUP_H

#include "base/buf.h"
#include "daemon/core/body.h"

struct group_body {
    uint64_t lsn;
    struct body *body;
    bool is_tags; /* no message's: it goes long before those of its group */
};

struct group {
    uint64_t first_lsn;
    uint32_t count;
    struct buf records;
    struct group_body *bodies;
    size_t body_count, body_capacity;
    size_t body_bytes;
    uint64_t waiting; /* copies that wait once it is committed: their ends need room on disk too */
};

struct group *group_new(uint64_t first_lsn); /* NULL when out of memory */
void group_free(struct group *g);
enum error group_append(struct group *g, unsigned type, struct slice payload) MUST_CHECK;
enum error group_append_body(struct group *g, uint64_t lsn, struct body *b)
    MUST_CHECK; /* takes a reference */
enum error group_append_tags(struct group *g, uint64_t lsn, struct body *b)
    MUST_CHECK; /* likewise */

/* Cuts the first record of packed records. ERROR_CORRUPT. */
enum error group_next_record(struct slice *records, unsigned *type, struct slice *payload)
    MUST_CHECK;

#endif
