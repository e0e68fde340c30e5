/*
 * daemon/store/fold.h: one slice of folding in memory: the messages and mailboxes that its records
 * are about.
 *
 * fold_record.c brings records to it; fold.c reads the journal and writes what came of it.
 */
#ifndef DAEMON_STORE_FOLD_H
#define DAEMON_STORE_FOLD_H

#include "base/list.h"
#include "base/map.h"
#include "daemon/store/inside.h"

struct message_key {
    struct id message_id, organisation; /* the key's bytes in memory: id, org */
};

struct fold_message {
    struct map_node node;
    struct list link; /* in order of first touch: nearly that of the key */
    struct message_key key;
    Brug__V1__KnownMessage *known;
    bool *has_delivery; /* for each reader: a row in the table */
    bool is_changed;
};

struct fold_mailbox {
    struct map_node node;
    struct list link;
    struct id endpoint;
    uint64_t sequence;
};

struct fold {
    struct store *store;
    struct map messages, mailboxes;
    struct list message_list, mailbox_list;
    uint64_t cost_bytes; /* of records and of the rows they made us read */
    int64_t newest_ms;
};

/* Notes a failure of the outbox's driver; returns e. */
enum error fold_driver_error(struct fold *f, enum error e);
/* Moves the bytes into the slice's arena, where they stay until its end. False: no memory. */
bool fold_keep(struct fold *f, struct slice *bytes) MUST_CHECK;
/* Brings one record to the slice. A failure is noted in the store. */
enum error fold_record(struct fold *f, uint64_t lsn, unsigned type, struct slice payload)
    MUST_CHECK;

#endif
