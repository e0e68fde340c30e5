/*
 * bench/session.h: one client session and what it counts. Inside bench/load*.c.
 *
 * A session is closed, greeting (TLS, Hello) or ready (Welcome came). It belongs to one worker, which is
 * one thread; the only things that threads share are the atomics of struct run.
 */
#ifndef BENCH_SESSION_H
#define BENCH_SESSION_H

#include "bench/link.h"
#include "bench/load.h"
#include <stdatomic.h>

enum kind { KIND_SENDER, KIND_READER, KIND_IDLE };
enum stage { STAGE_CLOSED, STAGE_GREETING, STAGE_READY };

/* What waits for an answer: the request number is REQUEST_FIRST + the slot, always 4 bytes as a varint. */
#define REQUEST_FIRST (UINT32_C(1) << 21)
struct slot {
    struct id id;
    uint64_t at_ns; /* of a Submit; of an Ack 1, or 0 for a message of another run */
};
struct window {
    struct slot *slots;
    uint32_t *idle; /* a stack of slots */
    size_t size, idle_count;
};

/* A Submit frame, and where in it lies what changes. */
struct pattern {
    struct buf frame;
    size_t request, id, stamp;
};

struct sender {
    struct pattern patterns[WORLD_TARGETS_MAX];
    struct window window;
    uint64_t quota, sent, confirmed;
};

struct owed {
    uint32_t sender;
    struct id id;
    bool is_ours; /* of this run */
};

struct reader {
    size_t target;
    struct window window;
    struct seen seen[WORLD_SENDERS_MAX];
    struct owed *owed; /* acknowledgements that the window had no room for */
    size_t owed_first, owed_count, owed_capacity;
    uint64_t last_sequence, acked;
    uint32_t credit_messages, credit_messages_max;
    uint64_t credit_bytes, credit_bytes_max;
};

struct session {
    struct worker *worker;
    enum kind kind;
    enum stage stage;
    size_t index; /* among those of its kind */
    const struct world_endpoint *me;
    X509 *certificate;
    EVP_PKEY *key;
    struct link link;
    uint32_t events;
    uint64_t opened_ns;
    struct sender *sender;
    struct reader *reader;
};

/* What the threads share. */
struct run {
    const struct plan *plan;
    uint64_t number;           /* of this run */
    uint8_t *filling;          /* of every sealed part: plan->bytes, behind the stamp */
    uint64_t start_ns, end_ns; /* start 0: sessions are still opened, nobody publishes */
    _Atomic uint64_t sent, confirmed, delivered, acked;
    atomic_bool is_sent; /* every sender has all its receipts; then `sent_to` is final */
    atomic_bool is_over; /* given up */
    uint64_t sent_by[WORLD_SENDERS_MAX];
};

struct worker {
    struct run *run;
    int epoll;
    SSL_CTX *context;
    struct session *sessions;
    size_t count, ready;
    uint64_t sent, confirmed, delivered, acked, opened;
    uint64_t now_ns, first_receipt_ns,
        last_ns; /* last_ns: of the last receipt or acknowledgement */
    struct times confirm, deliver, open;
    struct faults faults;
};

void session_init(struct session *s, struct worker *w, enum kind kind, size_t index);
void session_fini(struct session *s);
void session_open(struct session *s);
void session_close(struct session *s);
/* Something happened on the socket: reads, takes frames, sends what follows. */
void session_event(struct session *s);
/* A sender publishes what it may. */
void session_pump(struct session *s);
/* How many of a sender's first `sent` messages go to a target. */
uint64_t sent_to_target(const struct plan *p, uint64_t sent, size_t target);
/* The targets of a plan: those with so many readers, `targets` of them. Dies if the world lacks them. */
const struct world_target *plan_target(const struct plan *p, size_t n);

#endif
