/*
 * daemon/core/held.h: answers that wait until what they were judged on is durable (I1), first in, first out.
 * Internal to the core.
 */
#ifndef DAEMON_CORE_HELD_H
#define DAEMON_CORE_HELD_H

#include "base/buf.h"

enum held_type { HELD_FRAME = 1, HELD_ADMIN_ANSWER = 2 };

struct held {
    uint64_t lsn; /* may leave when this is durable; never falls along the queue */
    uint64_t to;  /* session or ticket */
    enum held_type type;
    size_t cost_bytes; /* of the budget for what is unstored, given back as it leaves */
    struct slice bytes;
};

struct held_block;

struct held_queue {
    struct held_block *first, *last, *spare;
    size_t count;
};

void held_init(struct held_queue *q);
void held_fini(struct held_queue *q);
/* Copies the bytes. ERROR_NO_MEMORY. */
enum error held_push(struct held_queue *q, const struct held *h) MUST_CHECK;
/* False when empty; *out borrows until held_pop. */
bool held_first(const struct held_queue *q, struct held *out);
void held_pop(struct held_queue *q);

#endif
