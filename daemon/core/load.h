/*
 * daemon/core/load.h: a cold load: what the core asks of the storage thread and gets back. The request
 * travels by value of its keys; the answer owns its bytes until load_free.
 */
#ifndef DAEMON_CORE_LOAD_H
#define DAEMON_CORE_LOAD_H

#include "base/buf.h"
#include "base/id.h"

enum load_type { LOAD_MESSAGE = 1, LOAD_BODY = 2, LOAD_RECOVERED = 3 };

/* Which letters of an organisation are handed to the holder of its recovery key; the lists ascend. */
struct load_recovered {
    uint64_t ticket; /* of the administrator who waits for it */
    struct id organisation;
    struct id *cases;     /* that have not ended */
    struct id *endpoints; /* all that it ever had */
    size_t case_count, endpoint_count;
    struct id after_message, after_organisation; /* where the page begins */
    uint64_t until_lsn;                          /* the tables must have come so far first */
};

struct load {
    enum load_type type;
    /* LOAD_MESSAGE: the key; LOAD_BODY: for logs. */
    struct id organisation, message_id;
    uint64_t body_lsn;                /* LOAD_BODY */
    struct load_recovered *recovered; /* LOAD_RECOVERED; owned */
    /* The answer: ERROR_NONE, ERROR_NOT_FOUND, ERROR_CORRUPT (a damaged page or row) or ERROR_IO. */
    enum error result;
    struct buf
        bytes; /* LOAD_MESSAGE: a serialised KnownMessage; LOAD_BODY: the stored Envelope, unchecked;
                  LOAD_RECOVERED: a RecoveredPage without authors */
};

struct load *load_new(enum load_type type); /* NULL when out of memory */
void load_free(struct load *l);

#endif
