/*
 * bench/load.h: the load itself. A plan says what to do; load_run does it with many sessions in one thread
 * (or two: senders in one, readers in the other) and checks every message.
 *
 * A sender publishes NOTICE letters whose sealed part is opaque: a stamp (run, sender, number, time, id)
 * and a fixed filling, which the relay cannot read anyway. Frames are made once; of each message only
 * request, id and stamp are patched. The stamp and the filling are compared when it is delivered.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bench/tally.h"
#include "bench/watch.h"
#include "bench/world.h"

enum mode {
    MODE_PUBLISH, /* publish, receipt */
    MODE_DELIVER, /* publish, receipt, delivered to every reader, acknowledged (Acked) */
    MODE_TURNS,   /* the same, the next message only after that */
    MODE_DRAIN,   /* readers only: what an earlier run of MODE_PUBLISH left */
    MODE_CONNECT, /* full handshakes up to Welcome, one after the other on each connection */
    MODE_IDLE,    /* connections that say nothing after Welcome */
};

struct plan {
    enum mode mode;
    const struct world *world;
    const char *host, *anchors, *device;
    uint16_t port;
    pid_t pid;          /* of the server; 0: not watched */
    size_t connections; /* senders; of MODE_CONNECT and MODE_IDLE: all */
    size_t in_flight;   /* without a receipt, per connection */
    size_t readers;     /* of each message */
    size_t targets;     /* addressed in turn */
    size_t bytes;       /* of the sealed part */
    uint64_t messages;  /* of all senders together; 0: as many as fit in `seconds` */
    double seconds;
    double patience_s; /* without any progress for so long, what is missing is lost */
    double hold_s;     /* MODE_IDLE: before memory is measured */
    double retry_s;    /* how long a connection is tried again */
    unsigned threads;  /* 1 or 2 */
    uint64_t run;      /* which run a message belongs to; drawn if 0 */
    bool shows_progress;
};

struct outcome {
    uint64_t run;
    uint64_t sent, confirmed, delivered, acked; /* deliveries and acknowledgements of all readers */
    uint64_t opened;                            /* connections up to Welcome */
    double seconds;
    double client_cpu_s;
    uint64_t first_receipt_ns; /* when it came, by now_ns */
    struct times confirm, deliver, open;
    struct watched before, after;
    struct faults faults;
};

#define BENCH_BYTES_MIN 64u

/* Dies only of what is no fault of the server, such as a missing file. */
void load_run(const struct plan *plan, struct outcome *out);

#endif
